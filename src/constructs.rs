//! The constructs that take options in parentheses behind their word, and what these are called. The checker refuses other names before
//! anything runs; the built-ins read the values by these names.
//!
//! **Invariant:** names only. What an option means stands where it is read.

/// The options of `pool map`, in the order in which its call form hands them on.
pub const POOL_MAP: [&str; 17] = [
    "workers",
    "chunk",
    "ordered",
    "progress",
    "timeout",
    "retries",
    "on_error",
    "init",
    "max_tasks",
    "journal",
    "retry_delay",
    "retry_if",
    "max_memory",
    "init_timeout",
    "exit",
    "exit_timeout",
    "output",
];

/// The constructs with their options.
const ALL: [(&str, &[&str]); 6] = [
    ("spawn", &["name", "daemon", "watched", "start", "method"]),
    ("join", &["timeout"]),
    ("lock", &["timeout"]),
    ("scope", &["timeout", "limit"]),
    ("select", &["timeout"]),
    ("pool map", &POOL_MAP),
];

/// The names of a construct's options; none for a construct that takes none.
pub fn options(construct: &str) -> &'static [&'static str] {
    let row = ALL.iter().find(|row| row.0 == construct);
    row.map_or(&[], |row| row.1)
}

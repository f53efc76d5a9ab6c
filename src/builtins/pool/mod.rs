//! Pools: `pool map` ([`map`]: workers are forked at the call and inherit everything) and `pool(n)` ([`workers`], [`future`]).

pub mod future;
pub mod map;
mod settings;
mod stream;
pub mod workers;

use super::Table;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "as_completed" ("futures", "timeout?") future::as_completed, "An iterator over futures as they finish.";
    "pool" ("workers?", "init?", "max_tasks?", "retries?") workers::pool, "Starts a pool of worker processes.";
};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@pool_call" ("function", "items", "workers?", "chunk?", "ordered?", "progress?", "timeout?", "retries?", "on_error?", "init?", "max_tasks?") map::call, "`pool map(function, items, options)`.";
    "@pool_map" ("options", "items", "function") map::block, "`pool map(options) x in items { ... }`.";
};

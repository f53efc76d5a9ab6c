//! The kernel, one thing of it per file; every error carries the name of the call that failed.
//!
//! Imports nothing of the crate but `diag`. **Invariant:** nothing here knows the arena, processes of the language or
//! values, and no other layer calls `libc` for what stands here.

pub mod alarm;
#[cfg(feature = "cli")]
pub mod alloc;
pub mod arrival;
pub mod cgroup;
pub mod clock;
#[cfg(feature = "jit")]
pub mod code;
pub mod cpu;
pub mod descriptor;
pub mod environment;
pub mod fork;
pub mod futex;
pub mod limit;
pub mod mark;
pub mod memory;
pub mod name;
pub mod output;
pub mod poll;
pub mod program;
pub mod robust;
pub mod signal;
pub mod terminal;
pub mod title;
pub mod tree;

use crate::diag::{Error, Field, codes};

/// The error of a system call that failed: `call` is its name, the number is taken from `errno`.
pub fn last_error(call: &str) -> Box<Error> {
    let error = std::io::Error::last_os_error();
    let number = error.raw_os_error().unwrap_or(0);
    Error::new(
        codes::IO,
        format!("the system call {call} failed: {}", describe(number)),
    )
    .with_field("call", Field::Text(call.to_string()))
    .with_field("errno", Field::Int(i64::from(number)))
}

/// The kernel's words for an error number, without Rust's "(os error n)".
fn describe(number: i32) -> String {
    let text = std::io::Error::from_raw_os_error(number).to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_lowercase(),
        None => text,
    }
}

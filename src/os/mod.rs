//! The kernel, one thing of it per file; every error carries the name of the call that failed.
//!
//! Imports nothing of the crate but `diag`. **Invariant:** nothing here knows the arena, processes of the language or
//! values, and no other layer calls `libc` for what stands here.

pub mod alarm;
#[cfg(feature = "cli")]
pub mod alloc;
pub mod arrival;
pub mod blocking;
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
pub mod poll;
pub mod program;
pub mod removal;
pub mod replace;
#[cfg_attr(
    not(feature = "cli"),
    expect(
        dead_code,
        reason = "a part of it is for the allocator of the program, and a host that embeds Par has its own"
    )
)]
pub mod reserve;
pub mod robust;
pub mod signal;
pub mod stopped;
pub mod terminal;
pub mod title;
pub mod tree;
pub mod user;

use crate::diag::{Error, Field, codes};

/// The error of a system call that failed: `call` is its name, the number is taken from `errno`.
pub fn last_error(call: &str) -> Box<Error> {
    failed(call, &std::io::Error::last_os_error())
}

/// As [`last_error`] for an error that the standard library has taken.
pub fn failed(call: &str, error: &std::io::Error) -> Box<Error> {
    let number = error.raw_os_error().unwrap_or(0);
    let reason = describe(error);
    let made = match scarce(number) {
        Some(help) => Error::new(
            codes::LIMIT,
            format!("the system call {call} was to succeed, but a limit is reached: {reason}"),
        )
        .with_help(help),
        None => Error::new(
            codes::IO,
            format!("the system call {call} failed: {reason}"),
        ),
    };
    made.with_field("call", Field::Text(call.to_string()))
        .with_field("errno", Field::Int(i64::from(number)))
}

/// When an error says that there is no more of something: what could give more of it.
pub fn scarce(number: i32) -> Option<&'static str> {
    match number {
        libc::EMFILE => Some("close files, or allow this process more of them (see `ulimit -n`)"),
        libc::ENFILE => Some("the machine has no more open files to give"),
        libc::EAGAIN => Some("the machine allows no more processes (see `ulimit -u`)"),
        libc::ENOMEM => Some("the memory that this process may have is used up (see `ulimit -v`)"),
        _ => None,
    }
}

/// The kernel's words for an error, without Rust's "(os error n)".
pub fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

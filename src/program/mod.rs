//! Commands: what a program is called with, and pipelines of programs while they run.
//!
//! In reading order: [`command`] (what is to run), `lookup` (which file that is), [`environment`] (its variables), [`start`] (descriptors, pipes, the
//! programs themselves), [`streams`] and `tee` (what flows between them and this process), [`running`] (how they run and end), [`failure`] (errors).
//!
//! Imports `process`, `os`, `diag`, `source` and `limits`. **Invariant:** no values and no evaluation: what a script puts
//! into a command arrives here as bytes. No shell reads anything here: a word is one argument whatever is in it.

pub mod command;
pub mod environment;
pub mod failure;
mod lookup;
pub mod running;
mod start;
pub mod streams;
mod tee;

pub use command::{Command, Errors, Input, Output, Stage, Terminal, User};
pub use running::{Pumped, Running};
pub use start::{Plan, start};

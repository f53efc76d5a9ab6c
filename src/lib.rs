//! Par: a small scripting language whose unit of work is the operating-system process.

pub mod arena;
pub mod builtins;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compile;
pub mod diag;
pub mod driver;
pub mod engine;
pub mod limits;
pub mod operator;
pub mod os;
pub mod process;
pub mod source;
pub mod syntax;
pub mod value;
pub mod vm;

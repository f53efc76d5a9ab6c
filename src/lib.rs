//! Par: a small scripting language whose unit of work is the operating-system process.

pub mod diag;
pub mod limits;
pub mod source;
pub mod syntax;

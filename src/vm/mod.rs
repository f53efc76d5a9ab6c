//! The virtual machine: runs compiled code.
//!
//! [`Machine`] is what the driver holds: it keeps the heap, the globals, the program's table of code and the limits;
//! the loop is in `machine`, its slow paths are one file per family beside it. Calls from script to script never recurse
//! in Rust; native functions that call back do, up to `limits::MAX_NATIVE_DEPTH`.
//!
//! Imports `compile`, `check`, `syntax::ast` (to pass them on), `builtins`, `value`, `diag`, `limits`. **Invariant:** the machine
//! does no input or output of its own besides the two streams of [`Hooks`], and knows no process: what it must know of them comes
//! in through the hooks.

mod arguments;
mod attention;
mod call;
mod context;
mod fields;
mod frames;
mod iterate;
#[cfg(feature = "jit")]
mod jit;
mod machine;
mod quick;
mod raw;
mod stack;
mod state;
mod unwind;
mod values;

pub use state::{Hooks, Machine};

use crate::diag;
use crate::value::native::Fault;

/// What an uncaught fault reports: the error with its trace and the errors behind it. For `exit` it is the error that
/// `join` raises elsewhere; drivers look at [`Fault::Exit`] first.
pub fn report(fault: Fault) -> Box<diag::Error> {
    state::report(fault)
}

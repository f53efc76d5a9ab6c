//! What scripts can call without importing anything, the methods of every type, the standard modules written in Rust, and
//! the intrinsics that the constructs of the language compile to.
//!
//! Imports `value`, `process`, `wire`, `diag`, `operator`, `limits`. **Invariant:** nothing here knows the virtual machine or
//! the compiler: calls back go through [`crate::value::native::Context`].

use crate::value::Value;
use crate::value::native::Native;

/// A built-in function by name (`print`, `queue`, `len`).
pub fn function(name: &str) -> Option<&'static Native> {
    let _ = name;
    None
}

/// The names of all built-in functions.
pub fn function_names() -> Vec<&'static str> {
    Vec::new()
}

/// A method of a value's type by name; its code takes the receiver as first argument.
pub fn method(receiver: &Value, name: &str) -> Option<&'static Native> {
    let _ = (receiver, name);
    None
}

/// An intrinsic: a function that constructs of the language compile to. Its name starts with `@`.
pub fn intrinsic(name: &str) -> Option<&'static Native> {
    let _ = name;
    None
}

//! The standard modules in Rust: one file each, named after the module.
//!
//! Imports what `builtins` may and the crates behind each module (rand, jiff, serde_json, csv, regex). **Invariant:** a
//! module costs nothing until one of its functions is called: no state is made before.

mod json;
mod json_read;
mod math;
mod random;
mod time;

use super::Module;

/// Sorted by name.
pub static MODULES: &[&Module] = &[&json::MODULE, &math::MODULE, &random::MODULE, &time::MODULE];

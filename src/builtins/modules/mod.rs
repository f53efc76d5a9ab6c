//! The standard modules in Rust: one file each, named after the module.
//!
//! Imports what `builtins` may and the crates behind each module (rand, jiff, serde_json, csv, regex). **Invariant:** a
//! module costs nothing until one of its functions is called: no state is made before.

mod base64;
mod copying;
mod csv;
mod csv_file;
mod csv_lines;
mod durations;
pub mod environ;
pub mod file_lock;
mod fs;
mod glob;
mod hash;
mod json;
mod json_file;
pub mod json_read;
mod math;
mod os;
mod path;
mod pickle;
pub mod random;
pub mod re;
pub mod re_long;
pub mod re_match;
mod temporary;
mod term;
mod time;
mod walk;

use super::Module;

/// Sorted by name.
pub static MODULES: &[&Module] = &[
    &base64::MODULE,
    &csv::MODULE,
    &fs::MODULE,
    &hash::MODULE,
    &json::MODULE,
    &math::MODULE,
    &os::MODULE,
    &path::MODULE,
    &pickle::MODULE,
    &random::MODULE,
    &re::MODULE,
    &term::MODULE,
    &time::MODULE,
];

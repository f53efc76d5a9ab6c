//! What the script suites share: the directives of a test, running it under a watchdog, comparing, reporting.
//!
//! May import the standard library, `nix` and `regex`; it talks to Par only through the built binary.
//! **Invariant:** nothing here asserts how long something takes; the only clock is the watchdog.
#![allow(
    dead_code,
    reason = "each suite is a crate of its own and uses a part of this"
)]

pub mod chance;
pub mod compare;
pub mod directives;
pub mod sandbox;
pub mod script;
pub mod suite;

use std::path::{Path, PathBuf};

/// The folder of the crate; tests are named relative to it and run in it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` (relative to the crate) with the extension, sorted, relative to the crate.
pub fn files_below(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

//! Looks for tests: in files that are named, and in the scripts below folders.

use super::Test;
use crate::cli::report::Reporter;
use crate::cli::run::Input;
use crate::driver::Driver;
use crate::syntax;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Folders that hold what other programs made.
const NOT_ENTERED: [&str; 2] = ["target", "node_modules"];

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) tests: Vec<Test>,
    /// Files that could not be read or do not compile; their reports are printed.
    pub(super) broken: usize,
}

/// The tests of files and of the scripts below folders, in the order of their names.
pub(super) fn find(paths: &[PathBuf], reporter: &Reporter) -> Found {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut is_new = |file: &Path| {
        let known = file.canonicalize();
        seen.insert(known.unwrap_or_else(|_| file.to_path_buf()))
    };
    for path in paths {
        if !path.is_dir() {
            if is_new(path) {
                look_into(path, reporter, &mut found);
            }
            continue;
        }
        for file in scripts_below(path) {
            if may_have_tests(&file) && is_new(&file) {
                look_into(&file, reporter, &mut found);
            }
        }
    }
    found
}

/// All scripts below a folder, sorted; hidden folders and those that other programs fill are left out.
pub(in crate::cli) fn scripts_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // A link may lead around in a circle.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = match folder.as_os_str() == "." {
                true => PathBuf::from(entry.file_name()),
                false => entry.path(),
            };
            if is_folder && !name.starts_with('.') && !NOT_ENTERED.contains(&&*name) {
                open.push(path);
            } else if !is_folder && name.ends_with(".par") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Most scripts have no tests, and need not be compiled to know it. (What cannot be read is looked into, and reported.)
fn may_have_tests(file: &Path) -> bool {
    let text = std::fs::read_to_string(file);
    text.map_or(true, |text| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| {
            line.strip_prefix("test")
                .is_some_and(|rest| rest.trim_start().starts_with(['"', 'r']))
        })
    })
}

/// Adds the tests of a file. It is compiled here as a whole, so that what is wrong with it is told once.
fn look_into(file: &Path, reporter: &Reporter, found: &mut Found) {
    let mut driver = Driver::new();
    let input = Input::named(file.as_os_str());
    let checked = input.load(&mut driver).map_err(|error| vec![*error]);
    let checked = checked.and_then(|source| {
        driver.check(&source, Some(file))?;
        syntax::parse(&source).map(|module| (source, module))
    });
    reporter.report_all(&driver.take_warnings(), driver.sources());
    match checked {
        Ok((source, module)) => {
            let names: Vec<&str> = module.tests().map(|(name, _)| &**name).collect();
            let tests = module.tests().enumerate();
            found.tests.extend(tests.map(|(index, (name, span))| {
                let line = source.line_column(span.start).0 as usize;
                // Those that could not be told from one another are told by their lines.
                let is_one_of_many = names.iter().filter(|other| ***other == **name).count() > 1;
                let name = match is_one_of_many || name.is_empty() {
                    true => format!("{name} (line {line})").trim_start().to_string(),
                    false => name.to_string(),
                };
                Test {
                    file: file.to_path_buf(),
                    index,
                    line,
                    name,
                }
            }));
        }
        Err(errors) => {
            reporter.report_all(&errors, driver.sources());
            found.broken += 1;
        }
    }
}

//! The house rules that a machine can check: sizes, layers, the heads of folders, `unsafe` with its reasons, the wording
//! of errors.

#[path = "tidy/rust.rs"]
mod rust;

use par::diag::codes::REFERENCE;
use regex::Regex;
use rust::{bare, functions};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, at most.
const MAX_FILE: usize = 600;
/// Lines of a function, at most.
const MAX_FUNCTION: usize = 70;
/// Functions that may be longer: the loop of the virtual machine, one arm for each instruction.
const LONG_FUNCTIONS: &[(&str, &str)] = &[("src/vm/machine.rs", "execute")];
/// The file of that loop.
const LONG_FILES: &[&str] = &["src/vm/machine.rs"];

/// What each part of the crate may import besides itself. Arrows go one way.
const BOTTOM: &[&str] = &["limits", "operator", "constructs", "source", "diag", "room"];
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("operator", &[]),
    ("constructs", &[]),
    ("source", &[]),
    ("diag", &["source", "limits"]),
    ("room", &["diag"]),
    ("value", BOTTOM),
    ("os", BOTTOM),
    ("arena", &["os"]),
    ("wire", &["arena", "os", "value"]),
    ("process", &["wire", "arena", "os", "value"]),
    ("program", &["process", "wire", "arena", "os", "value"]),
    (
        "builtins",
        &["program", "process", "wire", "arena", "os", "value"],
    ),
    ("syntax", BOTTOM),
    ("check", &["syntax"]),
    // Of `builtins` the names and numbers of native functions.
    ("compile", &["builtins", "check", "syntax", "value"]),
    (
        "vm",
        &[
            "builtins", "compile", "check", "syntax", "program", "process", "wire", "arena", "os",
            "value",
        ],
    ),
    (
        "driver",
        &[
            "vm", "builtins", "compile", "check", "syntax", "program", "process", "wire", "arena",
            "os", "value",
        ],
    ),
    (
        "engine",
        &[
            "driver", "vm", "builtins", "compile", "check", "syntax", "program", "process", "wire",
            "arena", "os", "value",
        ],
    ),
    (
        "cli",
        &[
            "engine", "driver", "vm", "builtins", "compile", "check", "syntax", "program",
            "process", "wire", "arena", "os", "value",
        ],
    ),
    ("main", &["cli"]),
];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &["src/os/", "src/arena/", "src/value/", "src/vm/"];

struct File {
    /// Relative to the crate.
    path: String,
    text: String,
    /// Without comments, and with empty strings.
    code: String,
}

fn files(folder: &str) -> Vec<File> {
    files_of(folder, "rs")
}

fn files_of(folder: &str, kind: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == kind) {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().display().to_string();
                let code = bare(&text);
                found.push(File { path, text, code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn files_are_short_enough_to_read() {
    let rust = ["src", "tests", "benches"].into_iter().flat_map(files);
    let scripts = ["stdlib", "examples", "tests", "benches"].into_iter();
    let all = rust.chain(scripts.flat_map(|folder| files_of(folder, "par")));
    let long = all.filter_map(|file| {
        let lines = file.text.lines().count();
        let exempt = LONG_FILES.contains(&file.path.as_str());
        (lines > MAX_FILE && !exempt)
            .then(|| format!("{}: {lines} lines, at most {MAX_FILE}", file.path))
    });
    none(long.collect());
}

#[test]
fn functions_fit_a_screen() {
    let mut problems = Vec::new();
    for file in files("src") {
        for function in functions(&file.code) {
            let exempt = LONG_FUNCTIONS
                .iter()
                .any(|(path, name)| file.path.starts_with(path) && *name == function.name);
            if function.lines > MAX_FUNCTION && !exempt {
                problems.push(format!(
                    "{}:{}: `{}` has {} lines, at most {MAX_FUNCTION}",
                    file.path, function.line, function.name, function.lines
                ));
            }
        }
    }
    none(problems);
}

#[test]
fn imports_follow_the_layers() {
    let path = Regex::new(r"\bcrate::(?:\{|([a-z_]+))").unwrap();
    let mut problems = Vec::new();
    for file in files("src") {
        let inside = file.path.trim_start_matches("src/");
        let layer = inside.split('/').next().unwrap().trim_end_matches(".rs");
        if layer == "lib" {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            problems.push(format!("{}: `{layer}` is in no layer", file.path));
            continue;
        };
        for (at, line) in file.code.lines().enumerate() {
            for found in path.captures_iter(line) {
                let Some(name) = found.get(1) else {
                    problems.push(format!(
                        "{}:{}: one `use crate::` for each part",
                        file.path,
                        at + 1
                    ));
                    continue;
                };
                let name = name.as_str();
                let bottom = layer != "diag" && layer != "main" && BOTTOM.contains(&name);
                let known = LAYERS.iter().any(|(layer, _)| *layer == name);
                if known && name != layer && !bottom && !allowed.contains(&name) {
                    problems.push(format!(
                        "{}:{}: `{layer}` must not know `{name}`",
                        file.path,
                        at + 1
                    ));
                }
            }
        }
    }
    none(problems);
}

#[test]
fn folders_say_what_they_are_for() {
    let mut problems = Vec::new();
    for file in files("src")
        .iter()
        .filter(|file| file.path.ends_with("/mod.rs"))
    {
        let head: Vec<&str> = file
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let top = file.path.matches('/').count() == 2;
        if head.is_empty() || (top && !head.join(" ").contains("**Invariant:**")) {
            problems.push(format!("{}: needs `//!` with an **Invariant:**", file.path));
        }
    }
    none(problems);
}

#[test]
fn every_unsafe_block_states_its_facts() {
    let word = Regex::new(r"\bunsafe\b").unwrap();
    let block = Regex::new(r"\bunsafe\s*(\{|impl\b)").unwrap();
    let mut problems = Vec::new();
    for file in files("src") {
        if !word.is_match(&file.code) {
            continue;
        }
        if !UNSAFE.iter().any(|folder| file.path.starts_with(folder)) {
            problems.push(format!("{}: `unsafe` does not belong here", file.path));
        }
        if !file.text.contains("#![allow(unsafe_code)]") {
            problems.push(format!("{}: needs #![allow(unsafe_code)]", file.path));
        }
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, line) in file.code.lines().enumerate() {
            if block.is_match(line) && !has_facts(&lines, at) {
                problems.push(format!("{}:{}: no SAFETY comment", file.path, at + 1));
            }
        }
    }
    none(problems);
}

/// Whether the comment above the statement that a line belongs to begins with `SAFETY:`.
fn has_facts(lines: &[&str], at: usize) -> bool {
    const NEAR: usize = 8;
    let next = lines.get(at + 1).unwrap_or(&"");
    if next.contains("SAFETY") {
        return true;
    }
    let above = lines[at.saturating_sub(NEAR)..=at].iter().rev();
    above
        .take_while(|line| !line.trim().is_empty())
        .any(|line| line.contains("SAFETY"))
}

/// Codes that no script can cause at will, so that no golden report shows them.
const WITHOUT_REPORT: &[(&str, &str)] = &[
    (
        "R021",
        "what is not supported changes from version to version",
    ),
    ("R022", "only damaged bytes cause it; tests/wire.rs does"),
    ("R025", "a mistake of Par itself"),
];

#[test]
fn every_code_has_a_golden_report() {
    let mut reports = String::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "stderr")
            {
                reports.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let missing = REFERENCE.iter().map(|row| row.code.0).filter(|code| {
        let exempt = WITHOUT_REPORT.iter().any(|(other, _)| other == code);
        !exempt && !reports.contains(&format!("[{code}]: "))
    });
    none(
        missing
            .map(|code| format!("{code} has no report in tests/errors"))
            .collect(),
    );
}

#[test]
fn messages_have_no_full_stop() {
    let literal =
        Regex::new(r#"Error::new\(\s*[\w:]+,\s*(?:format!\(\s*)?"((?:[^"\\]|\\.)*)""#).unwrap();
    let mut problems = Vec::new();
    for file in files("src") {
        for found in literal.captures_iter(&file.text) {
            let message = &found[1];
            if message.ends_with('.') && !message.ends_with("...") {
                problems.push(format!("{}: {message:?} ends with a full stop", file.path));
            }
        }
    }
    let titles = REFERENCE.iter().filter(|row| row.title.ends_with('.'));
    problems.extend(titles.map(|row| format!("the title of {} ends with a full stop", row.code.0)));
    none(problems);
}

//! Compares the exact rendering of every error in `tests/errors/` with the `.stderr` file beside the script.
//!
//! `UPDATE_EXPECT=1 cargo test --test errors` writes the files anew.

mod common;

use common::directives::Directives;
use common::sandbox::run_par;
use common::suite::{Case, Verdict};
use common::{files_below, root};
use regex::Regex;
use similar::TextDiff;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cases = files_below("tests/errors", "par")
        .into_iter()
        .filter_map(case)
        .collect();
    common::suite::main(cases)
}

fn case(path: PathBuf) -> Option<Case> {
    let name = path.to_string_lossy().into_owned();
    let source = std::fs::read_to_string(root().join(&path)).unwrap();
    let directives = Directives::parse(&source);
    if directives.as_ref().is_ok_and(|found| found.helper) {
        return None;
    }
    let run = Box::new(move || match &directives {
        Err(problem) => Verdict::Failed(problem.clone()),
        Ok(directives) => check(&path, directives),
    });
    Some(Case { name, run })
}

fn check(path: &Path, directives: &Directives) -> Verdict {
    if let Some(reason) = &directives.skip {
        return Verdict::Skipped(reason.clone());
    }
    let name = path.to_string_lossy().into_owned();
    let mut args = vec!["--color".to_string(), "never".to_string(), name];
    args.extend(directives.args.iter().cloned());
    let run = run_par(root(), &args, &directives.stdin, directives.timeout);
    if run.timed_out {
        return Verdict::Failed("still running: the watchdog ended it".to_string());
    }
    if !run.leftovers.is_empty() {
        return Verdict::Failed(format!("left processes behind: {:?}", run.leftovers));
    }
    if let Some(code) = directives.exit
        && code != run.exit
    {
        return Verdict::Failed(format!("exit status: expected {code}, found {}", run.exit));
    }
    against_golden(&path.with_extension("stderr"), &normalise(&run.stderr))
}

fn against_golden(golden: &Path, found: &str) -> Verdict {
    let golden = root().join(golden);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(golden, found).unwrap();
        return Verdict::Passed;
    }
    let Ok(expected) = std::fs::read_to_string(&golden) else {
        return Verdict::Failed(format!(
            "no golden file; write it with UPDATE_EXPECT=1\nfound:\n{found}"
        ));
    };
    if expected == found {
        return Verdict::Passed;
    }
    let diff = TextDiff::from_lines(&expected, found);
    Verdict::Failed(format!(
        "the rendering differs (- expected, + found)\n{}",
        diff.unified_diff()
    ))
}

/// Takes out what differs from run to run: process ids, measured seconds, and the folder of the crate.
fn normalise(text: &str) -> String {
    let folder = format!("{}/", root().display());
    let text = text.replace(&folder, "");
    let text = Regex::new(r"\bpid \d+")
        .unwrap()
        .replace_all(&text, "pid N");
    let text = Regex::new(r"\b\d+(\.\d+)? s\b")
        .unwrap()
        .replace_all(&text, "N s");
    text.into_owned()
}

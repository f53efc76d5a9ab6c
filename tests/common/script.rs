//! A script with directives as a case of a suite.

use super::compare::differences;
use super::directives::Directives;
use super::sandbox::run_par;
use super::suite::{Case, Verdict};
use super::{files_below, root};
use std::fmt::Write;

/// Every script below the folder that is a test.
pub fn cases_below(folder: &str) -> Vec<Case> {
    files_below(folder, "par")
        .into_iter()
        .filter_map(|path| {
            let name = path.to_string_lossy().into_owned();
            let source = std::fs::read_to_string(root().join(&path)).unwrap();
            case(name.clone(), name, source)
        })
        .collect()
}

/// The case of one script: the name it is chosen by, the file to run (relative to the crate, or absolute), and its text.
/// `None` for a helper.
pub fn case(name: String, file: String, source: String) -> Option<Case> {
    let directives = Directives::parse(&source);
    if directives.as_ref().is_ok_and(|found| found.helper) {
        return None;
    }
    let run = Box::new(move || match &directives {
        Err(problem) => Verdict::Failed(problem.clone()),
        Ok(directives) => check(&file, directives),
    });
    Some(Case { name, run })
}

fn check(file: &str, directives: &Directives) -> Verdict {
    if let Some(reason) = &directives.skip {
        return Verdict::Skipped(reason.clone());
    }
    if !directives.expects_something() {
        return Verdict::Failed("a test needs an `expect` or an `exit` directive".to_string());
    }
    let mut args = vec![file.to_string()];
    args.extend(directives.args.iter().cloned());
    let times = directives.repeat * repeat_factor();
    for round in 1..=times {
        let run = run_par(root(), &args, &directives.stdin, directives.timeout);
        let found = differences(file, directives, &run);
        if !found.is_empty() {
            let mut report = String::new();
            if times > 1 {
                let _ = writeln!(report, "in round {round} of {times}:");
            }
            let _ = writeln!(report, "{}", found.join("\n"));
            if !run.stderr.is_empty() {
                let _ = writeln!(report, "standard error:\n{}", run.stderr);
            }
            return Verdict::Failed(report);
        }
    }
    Verdict::Passed
}

/// `PAR_TEST_REPEAT=200` runs every test two hundred times: the way to look for races.
fn repeat_factor() -> usize {
    std::env::var("PAR_TEST_REPEAT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

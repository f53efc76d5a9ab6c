//! `par test`: finds the blocks `test "name" { ... }` of scripts and runs each in a process of its own, several at once.
//!
//! `find` looks for them, `runner` starts the processes and keeps watch, `tell` prints. This process runs no script: each test
//! is `par test --child INDEX FILE`, so a test can neither see nor disturb another.
//!
//! Imports `driver`, `syntax`, `diag`, `os`. **Invariant:** no threads and no waiting but in the runner's one poll.

mod find;
mod runner;
mod tell;

pub(super) use find::scripts_below;

use super::USAGE;
use super::args::{Form, TestOptions};
use super::report::Reporter;
use super::run;
use crate::os;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The exit code when a test failed.
const FAILED: u8 = 1;

/// A test of a file.
#[derive(Debug, Clone, PartialEq)]
struct Test {
    /// The file as it was named.
    file: PathBuf,
    /// Its place among the tests of the file.
    index: usize,
    /// The line that it begins on.
    line: usize,
    name: String,
}

impl Test {
    /// By which `-k` chooses and reports call it.
    fn full_name(&self) -> String {
        format!("{}: {}", self.file.display(), self.name)
    }
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    /// It did not end in time.
    TimedOut,
    /// Ctrl-C came while it ran.
    Interrupted,
}

/// A test that has ended.
#[derive(Debug)]
struct Ended {
    test: Test,
    verdict: Verdict,
    took: Duration,
    /// What it wrote to standard output and standard error, in this order.
    output: String,
}

/// Runs the tests that the options choose.
pub(super) fn test(options: &TestOptions, reporter: &Reporter) -> ExitCode {
    if let (Some(index), [file]) = (options.child, &options.paths[..]) {
        return run::one_test(file, index, reporter);
    }
    let timeout = Duration::try_from_secs_f64(options.timeout).ok();
    let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) else {
        eprintln!("par: expected a --timeout of more than 0 seconds");
        return ExitCode::from(USAGE);
    };
    if options.paths.iter().any(|path| path.as_os_str() == "-") {
        // Each test runs in a process of its own, which reads its file again.
        eprintln!(
            "par: expected files and folders to test, found `-`: standard input can be read but once"
        );
        return ExitCode::from(USAGE);
    }
    let found = find::find(&options.paths, reporter);
    let chosen = |test: &Test| match &options.filter {
        Some(filter) => test.full_name().contains(filter.as_str()),
        None => true,
    };
    let tests: Vec<Test> = found.tests.into_iter().filter(chosen).collect();
    if options.list {
        for test in &tests {
            println!("{}:{}: {}", test.file.display(), test.line, test.name);
        }
        return ExitCode::from(if found.broken > 0 { FAILED } else { 0 });
    }
    if tests.is_empty() && found.broken == 0 {
        eprintln!("par: expected at least one test, found none");
        return ExitCode::from(USAGE);
    }
    let jobs = options.jobs.unwrap_or_else(os::cpu::count).max(1);
    let form = if options.json {
        Form::Json
    } else {
        options.format
    };
    let mut teller = tell::Teller::new(form, reporter);
    let run = runner::run(tests, jobs, timeout, |ended| teller.ended(ended));
    let left = run.as_ref().map_or(0, |run| run.left);
    let failed = teller.summary(found.broken, left);
    match run {
        // Whoever started us sees that it was Ctrl-C.
        Ok(run) if run.interrupted => os::signal::reset_and_reraise(nix::libc::SIGINT),
        Ok(_) if failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("par: cannot run the tests: {error}");
            ExitCode::from(USAGE)
        }
    }
}

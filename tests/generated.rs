//! Runs programs that nobody wrote: every construct, nested at random. None may hang, panic, be refused by the compiler or leave
//! anything behind.
//!
//! What they print is not compared: most of their waits end in an error, and which one depends on who comes first.
//! `PAR_GENERATED_ROUNDS` says how many programs are run, `PAR_GENERATED_SEED` which is the first: a failure names its seed, and the
//! program stands in its report.

mod common;
#[path = "generated/program.rs"]
mod program;

use common::sandbox::{Outcome, run_par};
use common::suite::{self, Case, Verdict};
use program::{Random, program};
use std::process::ExitCode;
use std::time::Duration;

/// How a program ends whose text is not valid.
const REFUSED: i32 = 2;

fn main() -> ExitCode {
    let rounds = number("PAR_GENERATED_ROUNDS", 100);
    let first = number("PAR_GENERATED_SEED", u64::from(std::process::id()) << 20);
    let cases = (first..first + rounds)
        .map(|seed| Case {
            name: format!("seed {seed}"),
            run: Box::new(move || check(seed)),
        })
        .collect();
    suite::main(cases)
}

fn check(seed: u64) -> Verdict {
    let text = program(&mut Random::new(seed));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("generated.par"), &text).unwrap();
    let args = ["generated.par".to_string()];
    let run = run_par(folder.path(), &args, "", Duration::from_secs(30));
    match problem(&run) {
        None => Verdict::Passed,
        Some(problem) => Verdict::Failed(format!(
            "{problem}; PAR_GENERATED_SEED={seed}\n{text}\nstandard output:\n{}standard error:\n{}",
            run.stdout, run.stderr
        )),
    }
}

fn problem(run: &Outcome) -> Option<String> {
    if run.timed_out {
        return Some("it hangs".to_string());
    }
    if !run.leftovers.is_empty() {
        return Some(format!("left behind: {}", run.leftovers.join(", ")));
    }
    if run.exit == REFUSED {
        return Some("the compiler refuses it".to_string());
    }
    if run.exit < 0 {
        return Some(format!("it ended by signal {}", -run.exit));
    }
    let internal = ["panicked", "InternalError"];
    internal
        .iter()
        .find(|word| run.stderr.contains(**word))
        .map(|word| format!("standard error says `{word}`"))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

//! Runs programs that nobody wrote: every construct, nested at random; in each second one a process is killed. None may hang,
//! panic, be refused by the compiler or leave anything behind.
//!
//! What they print is not compared: most of their waits end in an error, and which one depends on who comes first.
//! `PAR_GENERATED_ROUNDS` says how many programs are run, `PAR_GENERATED_SEED` which is the first: a failure names its seed, and the
//! program stands in its report.

mod common;
#[path = "generated/program.rs"]
mod program;

use common::chance::{Random, kill_somebody, number};
use common::sandbox::{Outcome, run_disturbed};
use common::suite::{self, Case, Verdict};
use program::program;
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
    let mut random = Random::new(seed);
    let text = program(&mut random);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("generated.par"), &text).unwrap();
    let other = std::env::var("PAR_TEST_BINARY").ok();
    let binary = other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_par"));
    let args = ["generated.par".to_string()];
    let disturbed = seed % 2 == 1;
    let mut killed = String::from("nobody was killed");
    let disturb = |processes: &dyn Fn() -> Vec<nix::unistd::Pid>| {
        if disturbed {
            killed = kill_somebody(processes, &mut random);
        }
    };
    let run = run_disturbed(
        binary,
        folder.path(),
        &args,
        "",
        Duration::from_secs(30),
        disturb,
    );
    match problem(&run, disturbed) {
        None => Verdict::Passed,
        Some(problem) => Verdict::Failed(format!(
            "{problem} ({killed}); PAR_GENERATED_SEED={seed}\n{text}\nstandard output:\n{}standard error:\n{}",
            run.stdout, run.stderr
        )),
    }
}

fn problem(run: &Outcome, disturbed: bool) -> Option<String> {
    if run.exit == REFUSED {
        return Some("the compiler refuses it".to_string());
    }
    if run.exit < 0 && !disturbed {
        return Some(format!("it ended by signal {}", -run.exit));
    }
    run.broken_promise()
}

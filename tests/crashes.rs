//! Every crash point of the runtime: a process dies there, and the others come to their end.
//!
//! The points are those that stand in the sources. `tests/crashes/everything.par` passes each of them; one process of it dies at the
//! n-th passing, and then, in another run, every process that comes there. `PAR_CRASH_DEPTH=10` goes on to the tenth passing (1).

mod common;

use common::sandbox::{Outcome, run};
use common::suite::{self, Case, Verdict};
use common::{files_below, root};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

/// What no run may take, on a loaded machine too.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Comes up in a full arena only, which `cargo test --test channels full_arena` makes.
const UNREACHED: [&str; 1] = ["channel: copied"];

fn main() -> ExitCode {
    let depth = std::env::var("PAR_CRASH_DEPTH").map_or(1, |text| text.parse().unwrap_or(1));
    let points = points().into_iter();
    let reached = points.filter(|point| !UNREACHED.contains(&point.as_str()));
    let cases = reached.map(|point| Case {
        name: format!("crash at {point}"),
        run: Box::new(move || check(&point, depth)),
    });
    let mets = METS.iter().map(|&(script, point, met)| Case {
        name: format!("{script} after a death at {point}"),
        run: Box::new(move || meets(script, point, met)),
    });
    suite::main(cases.chain(mets).collect())
}

/// What a survivor meets, by the place at which the other died: the rows of the fault matrix that allow two outcomes do so because
/// of these places, and of nothing else.
const METS: [(&str, &str, &str); 6] = [
    ("barrier", "barrier: coming", "Broken"),
    ("barrier", "barrier: arrived", "Broken"),
    ("condition", "condition: entered", "OwnerDied"),
    ("condition", "condition: lock let go", "ok"),
    ("doom", "doom: noted", "cleaned up"),
    (
        "leaving",
        "child: gave back",
        "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
    ),
];

fn meets(script: &str, point: &str, met: &str) -> Verdict {
    let run = crash(point, true, &format!("tests/crashes/{script}.par"), &[]);
    match run.broken_promise() {
        Some(problem) => Verdict::Failed(format!("{problem}\n{}", run.stderr)),
        None if run.stdout.trim_end() == met => Verdict::Passed,
        None => Verdict::Failed(format!("expected {met}\n{}{}", run.stdout, run.stderr)),
    }
}

/// The names of all crash points.
fn points() -> BTreeSet<String> {
    let mut points = BTreeSet::new();
    for file in files_below("src", "rs") {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let mut parts = text.split("crash_point!(\"");
        parts.next();
        points.extend(parts.filter_map(|part| Some(part.split_once('"')?.0.to_string())));
    }
    points
}

fn check(point: &str, depth: u64) -> Verdict {
    for passing in 1..=depth {
        for once in [true, false] {
            // Some places are passed only when two processes meet.
            let mut tries = (0..5).map(|_| die(point, passing, once));
            let met = tries.find(|result| *result != Ok(false));
            let missed = once && passing == 1;
            let problem = match met {
                Some(Ok(_)) => None,
                Some(Err(problem)) => Some(problem),
                None => missed.then(|| "nobody came there".to_string()),
            };
            if let Some(problem) = problem {
                let how = if once { "one process" } else { "all processes" };
                return Verdict::Failed(format!("{how}, passing {passing}: {problem}"));
            }
        }
    }
    Verdict::Passed
}

/// Runs a script in which the first process that comes to a place dies, or each that does.
fn crash(point: &str, once: bool, script: &str, args: &[&str]) -> Outcome {
    let other = std::env::var("PAR_TEST_BINARY").ok();
    let par = other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_par"));
    let mut all = vec![format!("PAR_CRASH={point}")];
    if once {
        all.push("PAR_CRASH_ONCE=1".to_string());
    }
    all.extend(
        [par, script]
            .into_iter()
            .chain(args.iter().copied())
            .map(String::from),
    );
    run("env", root(), &all, "", WATCHDOG)
}

/// Runs the script; whether somebody has died at the place, as far as that is told.
fn die(point: &str, passing: u64, once: bool) -> Result<bool, String> {
    let area = point.split(':').next().unwrap_or(point);
    let point = format!("{point}:{passing}");
    let run = crash(&point, once, "tests/crashes/everything.par", &[area]);
    if let Some(problem) = run.broken_promise() {
        return Err(format!("{problem}\n{}{}", run.stdout, run.stderr));
    }
    Ok(!once || passing > 1 || run.stderr.contains("died at the crash point"))
}

//! The fault matrix: at every primitive a process dies in every state and in every way, and a survivor must go on or get the
//! error that the manual names; nothing may hang or be left behind.
//!
//! `tests/faults/matrix.par` is the matrix. `PAR_FAULT_ROUNDS=100` repeats each cell as often, and the table that is printed
//! tells the longest time in which a survivor could go on.

mod common;

use common::root;
use common::sandbox::run_par;
use common::suite::{self, Case, Verdict};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The primitives of the matrix; each is a case.
const PRIMITIVES: [&str; 19] = [
    "lock",
    "semaphore",
    "event",
    "condition",
    "barrier",
    "queue: get",
    "queue: put",
    "lease",
    "pipe",
    "select",
    "join",
    "scalar",
    "ints",
    "list",
    "list: pop",
    "map",
    "scope",
    "pool",
    "pool map",
];

/// What a primitive's cells came to: cells, runs, and the longest time in milliseconds.
type Table = Arc<Mutex<BTreeMap<String, (u64, u64, u64)>>>;

fn main() -> ExitCode {
    let rounds = std::env::var("PAR_FAULT_ROUNDS").map_or(2, |text| text.parse().unwrap_or(2));
    let table = Table::default();
    let cases = PRIMITIVES.iter().map(|&primitive| {
        let table = table.clone();
        Case {
            name: format!("faults at {primitive}"),
            run: Box::new(move || check(primitive, rounds, &table)),
        }
    });
    let code = suite::main(cases.collect());
    println!("primitive\tcells\truns\tlongest (ms)");
    for (primitive, (cells, runs, longest)) in table.lock().unwrap().iter() {
        println!("{primitive}\t{cells}\t{runs}\t{longest}");
    }
    code
}

fn check(primitive: &str, rounds: u64, table: &Table) -> Verdict {
    let args = ["tests/faults/matrix.par", &rounds.to_string(), primitive].map(String::from);
    // Four ways to die, at most seven states, and a generous second for each run.
    let watchdog = Duration::from_secs(30 + rounds * 28);
    let run = run_par(root(), &args, "", watchdog);
    let is_fine = run.exit == 0 && !run.timed_out && run.leftovers.is_empty();
    if !is_fine || run.stderr.contains("InternalError") || run.stderr.contains("panicked") {
        return Verdict::Failed(format!(
            "status {}, ended by the watchdog: {}, left behind: {:?}\n{}{}",
            run.exit, run.timed_out, run.leftovers, run.stdout, run.stderr
        ));
    }
    for line in run.stdout.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, _, _, runs, longest] = fields[..] else {
            return Verdict::Failed(format!("not a line of the table: {line}"));
        };
        let mut table = table.lock().unwrap();
        let row = table.entry(primitive.to_string()).or_default();
        row.0 += 1;
        row.1 += runs.parse::<u64>().unwrap();
        row.2 = row.2.max(longest.parse().unwrap());
    }
    Verdict::Passed
}

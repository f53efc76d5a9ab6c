//! Kills one process of a running script at a random moment: the survivors neither hang nor panic, and nothing is left.
//!
//! What the script prints then is not compared: it may report the death, or be dead. `PAR_CHAOS_ROUNDS` says how many
//! scripts are disturbed, `PAR_CHAOS_SEED` which and when.

mod common;

use common::chance::{Random, kill_somebody, number};
use common::sandbox::run_disturbed;
use common::suite::{self, Case, Verdict};
use common::{files_below, root};
use std::process::ExitCode;
use std::time::Duration;

/// Scripts whose processes deal with each other.
const AREAS: [&str; 11] = [
    "examples",
    "tests/lang/crossing",
    "tests/lang/deadlock",
    "tests/lang/locks",
    "tests/lang/pipes",
    "tests/lang/pools",
    "tests/lang/processes",
    "tests/lang/queues",
    "tests/lang/scope",
    "tests/lang/select",
    "tests/lang/shared",
];

/// What a script may contain that keeps it from ending when the process that was to end it is killed.
const ENDLESS: [&str; 3] = ["1h", "while true", "# helper"];

fn main() -> ExitCode {
    let rounds = number("PAR_CHAOS_ROUNDS", 150);
    let seed = number("PAR_CHAOS_SEED", u64::from(std::process::id()));
    let mut random = Random::new(seed);
    println!("seed {seed}");
    let scripts = scripts();
    let cases = (0..rounds)
        .map(|round| {
            let script = scripts[random.below(scripts.len() as u64) as usize].clone();
            let seed = random.next();
            Case {
                name: format!("{round} {script}"),
                run: Box::new(move || check(&script, Random::new(seed))),
            }
        })
        .collect();
    suite::main(cases)
}

fn scripts() -> Vec<String> {
    let files = AREAS.iter().flat_map(|area| files_below(area, "par"));
    let ends = |file: &String| {
        let source = std::fs::read_to_string(root().join(file)).unwrap();
        !ENDLESS.iter().any(|part| source.contains(part)) && !source.lines().any(polls)
    };
    files
        .map(|file| file.to_string_lossy().into_owned())
        .filter(ends)
        .collect()
}

/// Whether a script asks again and again here: for what somebody does who may be the one that is killed, and no wait knows it.
fn polls(line: &str) -> bool {
    let asked = line.split_once("while ");
    asked.is_some_and(|(_, body)| body.contains("sleep(") || body.contains("timeout:"))
}

fn check(script: &str, mut random: Random) -> Verdict {
    let other = std::env::var("PAR_TEST_BINARY").ok();
    let program = other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_par"));
    let args = [script.to_string()];
    let mut killed = String::from("nobody was killed");
    let run = run_disturbed(
        program,
        root(),
        &args,
        "",
        Duration::from_secs(20),
        |processes| killed = kill_somebody(processes, &mut random),
    );
    match run.broken_promise() {
        None => Verdict::Passed,
        Some(problem) => Verdict::Failed(format!(
            "{problem} ({killed})\nstandard output:\n{}standard error:\n{}",
            run.stdout, run.stderr
        )),
    }
}

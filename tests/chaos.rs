//! Kills one process of a running script at a random moment: the survivors neither hang nor panic, and nothing is left.
//!
//! What the script prints then is not compared: it may report the death, or be dead. `PAR_CHAOS_ROUNDS` says how many
//! scripts are disturbed, `PAR_CHAOS_SEED` which and when.

mod common;

use common::sandbox::{Outcome, run_disturbed};
use common::suite::{self, Case, Verdict};
use common::{files_below, root};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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
    let mut random = Random(number("PAR_CHAOS_SEED", u64::from(std::process::id())) * 2 + 1);
    println!("seed {}", random.0 / 2);
    let scripts = scripts();
    let cases = (0..rounds)
        .map(|round| {
            let script = scripts[random.below(scripts.len() as u64) as usize].clone();
            let seed = random.next() | 1;
            Case {
                name: format!("{round} {script}"),
                run: Box::new(move || check(&script, Random(seed))),
            }
        })
        .collect();
    suite::main(cases)
}

fn scripts() -> Vec<String> {
    let files = AREAS.iter().flat_map(|area| files_below(area, "par"));
    let ends = |file: &String| {
        let source = std::fs::read_to_string(root().join(file)).unwrap();
        !ENDLESS.iter().any(|part| source.contains(part))
    };
    files
        .map(|file| file.to_string_lossy().into_owned())
        .filter(ends)
        .collect()
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
        |processes| {
            std::thread::sleep(Duration::from_micros(random.below(15_000)));
            let found = processes();
            // The first process ends all others with it, which says less than the death of a child.
            let from = usize::from(found.len() > 1 && random.below(8) > 0);
            if let Some(victim) = pick(&found[from.min(found.len())..], &mut random) {
                let signal = match random.below(8) {
                    0 => Signal::SIGSEGV,
                    1 => Signal::SIGTERM,
                    _ => Signal::SIGKILL,
                };
                let _ = kill(victim, signal);
                killed = format!("{victim} of {found:?} by {signal}");
            }
        },
    );
    match problem(&run) {
        None => Verdict::Passed,
        Some(problem) => Verdict::Failed(format!(
            "{problem} ({killed})\nstandard output:\n{}standard error:\n{}",
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
    let internal = ["panicked", "InternalError"];
    internal
        .iter()
        .find(|word| run.stderr.contains(**word))
        .map(|word| format!("standard error says `{word}`"))
}

fn pick(from: &[Pid], random: &mut Random) -> Option<Pid> {
    from.get(random.below(from.len().max(1) as u64) as usize)
        .copied()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Xorshift: good enough to choose with, and the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

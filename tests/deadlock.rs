//! The deadlock corpus: programs that are stuck, each of which must be told of with the right processes and lines, and programs
//! that are only slow, none of which may be disturbed.
//!
//! A program of `tests/deadlock/stuck` says on each line that waits which processes wait there: `# waits: main, worker`. One
//! that is not raised as `Deadlock` says `# raises: EndOfStream`. A program of `tests/deadlock/live` ends by itself without a
//! word on standard error. The suite prints how long it took from the moment when the last process of a group began to wait until
//! the report; `PAR_TEST_REPEAT=20` runs each program as often.

mod common;

use common::sandbox::run_par;
use common::suite::{self, Case, Verdict};
use common::{files_below, root};
use regex::Regex;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Members of a group: the process and the line in which it waits, with how often.
type Group = BTreeMap<(String, usize), usize>;

/// How long reports took, in seconds, with the names of the programs.
type Taken = Arc<Mutex<Vec<(f64, String)>>>;

fn main() -> ExitCode {
    let taken = Taken::default();
    let mut cases = Vec::new();
    for (folder, is_stuck) in [
        ("tests/deadlock/stuck", true),
        ("tests/deadlock/live", false),
    ] {
        for path in files_below(folder, "par") {
            let name = path.to_string_lossy().into_owned();
            let taken = taken.clone();
            cases.push(Case {
                name,
                run: Box::new(move || repeated(&path, is_stuck, &taken)),
            });
        }
    }
    let code = suite::main(cases);
    let mut taken = taken.lock().unwrap();
    taken.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let (Some(middle), Some(last)) = (taken.get(taken.len() / 2), taken.last()) {
        println!(
            "{} reports: half of them within {:.2} s of the last wait, the slowest after {:.2} s ({})",
            taken.len(),
            middle.0,
            last.0,
            last.1
        );
    }
    code
}

fn repeated(path: &Path, is_stuck: bool, taken: &Taken) -> Verdict {
    let rounds = std::env::var("PAR_TEST_REPEAT").map_or(1, |text| text.parse().unwrap_or(1));
    for round in 0..rounds {
        let problem = match is_stuck {
            true => stuck(path, taken),
            false => live(path),
        };
        if let Some(problem) = problem {
            return Verdict::Failed(format!("in round {}: {problem}", round + 1));
        }
    }
    Verdict::Passed
}

/// Runs a program that must be told of; what was wrong.
fn stuck(path: &Path, taken: &Taken) -> Option<String> {
    let source = std::fs::read_to_string(root().join(path)).unwrap();
    let run = run_par(
        root(),
        &[path.display().to_string()],
        "",
        Duration::from_secs(20),
    );
    let shown = format!("standard error:\n{}", run.stderr);
    if run.timed_out || !run.leftovers.is_empty() {
        return Some(format!(
            "it hangs, or leaves {:?} behind\n{shown}",
            run.leftovers
        ));
    }
    if run.exit == 0 {
        return Some(format!("it ended with status 0\n{shown}"));
    }
    if let Some(kind) = source
        .lines()
        .find_map(|line| line.split_once("# raises: "))
    {
        let is_told = run.stderr.contains(kind.1);
        return (!is_told).then(|| format!("no {} was raised\n{shown}", kind.1));
    }
    let expected = expected(&source);
    let found = reported(&run.stderr);
    match found.iter().find(|(group, _)| *group == expected) {
        Some((_, seconds)) => {
            taken
                .lock()
                .unwrap()
                .push((*seconds, path.display().to_string()));
            None
        }
        None => Some(format!("no report names {expected:?}\n{shown}")),
    }
}

/// Runs a program that is only slow; what was wrong.
fn live(path: &Path) -> Option<String> {
    let run = run_par(
        root(),
        &[path.display().to_string()],
        "",
        Duration::from_secs(30),
    );
    let is_fine = run.exit == 0 && run.stderr.is_empty() && run.stdout.ends_with("done\n");
    (!is_fine || !run.leftovers.is_empty()).then(|| {
        format!(
            "it was disturbed (status {}, left behind {:?})\nstandard output:\n{}standard error:\n{}",
            run.exit, run.leftovers, run.stdout, run.stderr
        )
    })
}

/// The group that a program expects: all of its `# waits:`.
fn expected(source: &str) -> Group {
    let mut group = Group::new();
    for (number, line) in (1..).zip(source.lines()) {
        let names = line.split_once("# waits: ").map_or("", |(_, names)| names);
        for name in names.split(", ").filter(|name| !name.is_empty()) {
            *group.entry((name.trim().to_string(), number)).or_default() += 1;
        }
    }
    group
}

/// Every group that was told of, with the shortest time that one of its members had waited.
fn reported(stderr: &str) -> Vec<(Group, f64)> {
    let member =
        Regex::new(r"(\S+) \(pid \d+\) waits in `\w+` .*?\.par:(\d+) for ([\d.]+) s").unwrap();
    let mut groups = Vec::new();
    for report in stderr.split(" Deadlock: ").skip(1) {
        let (mut group, mut shortest) = (Group::new(), f64::INFINITY);
        for found in member.captures_iter(report) {
            let line = found[2].parse().unwrap();
            *group.entry((found[1].to_string(), line)).or_default() += 1;
            shortest = shortest.min(found[3].parse().unwrap());
        }
        groups.push((group, shortest));
    }
    groups
}

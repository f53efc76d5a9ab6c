//! Programs that make and drop much of everything: their memory does not grow with how much.
//!
//! Each script of `tests/memory/` tells its resident memory after a quarter of its work and at its end. `PAR_MEMORY_FULL=1` does
//! the work of a long night: the figures of `docs/reliability.md`.

mod common;

use common::root;
use common::sandbox::run_par;
use std::time::Duration;

/// Growth that is no growth: a collection of the arena starts when 16 MiB are in use, or twice what was.
const SLACK: u64 = 24 << 10;

fn stays_bounded(script: &str, few: u64, many: u64) {
    let full = std::env::var_os("PAR_MEMORY_FULL").is_some();
    let (count, limit) = if full { (many, 1800) } else { (few, 60) };
    let path = format!("tests/memory/{script}.par");
    let args = [path, count.to_string()];
    let run = run_par(root(), &args, "", Duration::from_secs(limit));
    assert!(!run.timed_out && run.exit == 0, "{script}: {run:?}");
    assert!(run.leftovers.is_empty(), "{script}: {:?}", run.leftovers);
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    let ["kib", quarter, end] = words[..] else {
        panic!("{script}: {run:?}");
    };
    println!("{script} {count}: {quarter} KiB after a quarter, {end} KiB at the end");
    let [quarter, end] = [quarter, end].map(|kib| kib.parse::<u64>().unwrap());
    assert!(
        end <= quarter * 2 + SLACK,
        "{script}: {quarter} -> {end} KiB"
    );
}

#[test]
fn objects() {
    stays_bounded("objects", 30_000, 1_000_000);
}

#[test]
fn messages() {
    stays_bounded("messages", 200_000, 10_000_000);
}

#[test]
fn processes() {
    stays_bounded("processes", 800, 100_000);
}

#[test]
fn pools() {
    stays_bounded("pools", 1_000, 100_000);
}

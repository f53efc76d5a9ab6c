//! Runs named cases on a few threads and reports them the way `cargo test` does.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// One case: its name, and what to do. An `Err` holds the report of a failure.
pub struct Case {
    /// The path, by which `cargo test --test <suite> <filter>` chooses.
    pub name: String,
    /// Runs it.
    pub run: Box<dyn Fn() -> Verdict + Send + Sync>,
}

/// How a case ended.
pub enum Verdict {
    /// As expected.
    Passed,
    /// Not run, and why.
    Skipped(String),
    /// The report to print.
    Failed(String),
}

/// How many scripts run at once: enough to overlap their waits, few enough to leave them the machine.
const THREADS: usize = 2;

/// Runs the cases that the command line chooses; fails when one of them does or when none is chosen by a filter.
pub fn main(cases: Vec<Case>) -> ExitCode {
    let choice = Choice::from_command_line();
    let total = cases.len();
    let cases: Vec<Case> = cases
        .into_iter()
        .filter(|case| choice.takes(&case.name))
        .collect();
    if choice.list {
        for case in &cases {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", cases.len());
    let started = Instant::now();
    let tally = run_all(&cases, choice.threads);
    if !tally.failures.is_empty() {
        println!("\nfailures:\n");
        for (name, report) in &tally.failures {
            println!("---- {name} ----\n{report}\n");
        }
        println!("failures:");
        for (name, _) in &tally.failures {
            println!("    {name}");
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if tally.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        },
        tally.passed,
        tally.failures.len(),
        tally.skipped,
        total - cases.len(),
        started.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(!tally.failures.is_empty()))
}

#[derive(Default)]
struct Tally {
    passed: usize,
    skipped: usize,
    failures: Vec<(String, String)>,
}

fn run_all(cases: &[Case], threads: usize) -> Tally {
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = (case.run)();
                    let mut tally = tally.lock().unwrap();
                    match verdict {
                        Verdict::Passed => {
                            tally.passed += 1;
                            println!("test {} ... ok", case.name);
                        }
                        Verdict::Skipped(reason) => {
                            tally.skipped += 1;
                            println!("test {} ... ignored, {reason}", case.name);
                        }
                        Verdict::Failed(report) => {
                            println!("test {} ... FAILED", case.name);
                            tally.failures.push((case.name.clone(), report));
                        }
                    }
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap();
    tally.failures.sort();
    tally
}

/// The part of libtest's command line that people use with a filter.
struct Choice {
    filters: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    list: bool,
    threads: usize,
}

impl Choice {
    fn from_command_line() -> Choice {
        let mut choice = Choice {
            filters: Vec::new(),
            skip: Vec::new(),
            exact: false,
            list: false,
            threads: THREADS,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => choice.exact = true,
                "--list" => choice.list = true,
                "--skip" => choice.skip.extend(arguments.next()),
                "--test-threads" => choice.set_threads(arguments.next().as_deref()),
                "--format" | "--color" | "--logfile" => drop(arguments.next()),
                other if other.starts_with("--test-threads=") => {
                    choice.set_threads(other.split('=').nth(1));
                }
                other if other.starts_with('-') => {}
                filter => choice.filters.push(filter.to_string()),
            }
        }
        choice
    }

    fn set_threads(&mut self, number: Option<&str>) {
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            self.threads = usize::max(1, number);
        }
    }

    fn takes(&self, name: &str) -> bool {
        let fits = |filter: &String| {
            if self.exact {
                name == filter
            } else {
                name.contains(filter.as_str())
            }
        };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skip.iter().any(fits)
    }
}

//! A runner for tests with real processes. Each test runs in a process of its own, with a watchdog, and afterwards no
//! descendant of it may exist.
#![allow(unsafe_code, dead_code)]

use par::arena::{self, SlotRef};
use std::time::{Duration, Instant};

/// Seconds that a test may take before it is killed and counted as hanging.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Fails the test with the place and the text of the condition.
#[macro_export]
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            eprintln!(
                "{}:{}: does not hold: {}",
                file!(),
                line!(),
                stringify!($condition)
            );
            std::process::abort();
        }
    };
}

/// Runs tests under the names of their functions.
#[macro_export]
macro_rules! run {
    ($tests:ident: $($test:ident,)*) => {
        $($tests.run(stringify!($test), $test);)*
    };
}

/// Runs tests, one process each.
pub struct Tests {
    name: &'static str,
    filter: Option<String>,
    ignored: bool,
    failed: Vec<String>,
    ran: usize,
}

impl Tests {
    /// A set of tests. The first argument of the program that is no option chooses tests by a part of their name.
    pub fn new(name: &'static str) -> Tests {
        // SAFETY: prctl with integers; orphans of a test come to us and are found.
        unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
        let args: Vec<String> = std::env::args().skip(1).collect();
        Tests {
            name,
            filter: args.iter().find(|arg| !arg.starts_with('-')).cloned(),
            ignored: args.iter().any(|arg| arg == "--ignored"),
            failed: Vec::new(),
            ran: 0,
        }
    }

    /// Runs a test unless it was not asked for.
    pub fn run(&mut self, test: &str, body: fn()) {
        if self
            .filter
            .as_ref()
            .is_some_and(|part| !test.contains(part.as_str()))
            || self.ignored
        {
            return;
        }
        self.start(test, body, WATCHDOG);
    }

    /// A measurement: only with `--ignored`.
    pub fn measure(&mut self, test: &str, body: fn()) {
        let chosen = |part: &String| test.contains(part.as_str());
        if self.ignored && self.filter.as_ref().is_none_or(chosen) {
            self.start(test, body, WATCHDOG * 15);
        }
    }

    fn start(&mut self, test: &str, body: fn(), limit: Duration) {
        self.ran += 1;
        let begin = Instant::now();
        // SAFETY: this program has one thread.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            body();
            // SAFETY: the end of the test's process.
            unsafe { libc::_exit(0) };
        }
        let verdict = loop {
            let mut status = 0;
            // SAFETY: `status` is valid.
            let done = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) };
            if done == pid {
                break (status != 0).then(|| format!("ended with status {status:#x}"));
            }
            if begin.elapsed() > limit {
                // SAFETY: our own child.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                unsafe { libc::waitpid(pid, &mut status, 0) };
                break Some(String::from("hangs"));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let left = leftovers();
        let verdict = verdict.or_else(|| (left > 0).then(|| format!("{left} processes were left")));
        match verdict {
            None => println!("test {test} ... ok ({} ms)", begin.elapsed().as_millis()),
            Some(why) => {
                println!("test {test} ... FAILED: {why}");
                self.failed.push(test.to_string());
            }
        }
    }

    /// Reports and leaves.
    pub fn finish(self) {
        println!(
            "{}: {} tests, {} failed",
            self.name,
            self.ran,
            self.failed.len()
        );
        if !self.failed.is_empty() {
            std::process::exit(1);
        }
    }
}

/// Waits up to two seconds for orphans to end, kills those that do not, and returns how many those were.
fn leftovers() -> usize {
    let begin = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: reaping whatever came to us.
        while unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) } > 0 {}
        let left = par::os::fork::children();
        if left.is_empty() {
            return 0;
        }
        if begin.elapsed() > Duration::from_secs(2) {
            for &pid in &left {
                // SAFETY: a descendant of ours.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                unsafe { libc::waitpid(pid, &mut status, 0) };
            }
            return left.len();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A bare child with a slot of the process table, below the layer of `process`.
pub struct Forked {
    pub pid: i32,
    pub slot: SlotRef,
}

/// Forks a child that runs `body` and leaves with its code.
pub fn forked(body: impl FnOnce(SlotRef) -> i32) -> Forked {
    let arena = arena::ensure().unwrap();
    let slot = arena.claim_slot(Some(arena::me())).unwrap();
    match par::os::fork::fork().unwrap() {
        par::os::fork::Side::Child => {
            par::os::fork::die_with_parent();
            if !arena::become_process(slot) {
                par::os::fork::leave(9);
            }
            let code = body(slot);
            par::os::fork::leave(code)
        }
        par::os::fork::Side::Parent(pid) => Forked { pid, slot },
    }
}

impl Forked {
    /// Kills it after a while and reaps it.
    pub fn kill_after_microseconds(&self, microseconds: u64) {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros(microseconds) {
            std::hint::spin_loop();
        }
        par::os::fork::send_signal(self.pid, libc::SIGKILL);
        par::os::fork::wait_for(self.pid, true);
    }

    /// Waits for its end and returns its code, or minus the signal.
    pub fn wait(&self) -> i32 {
        match par::os::fork::wait_for(self.pid, true) {
            Some(par::os::fork::WaitStatus::Exited(code)) => code,
            Some(par::os::fork::WaitStatus::Signalled(signal)) => -signal,
            None => -999,
        }
    }
}

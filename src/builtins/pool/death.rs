//! What is told of a worker that did not finish its task: who it was, how it ended, what it was at, what it printed last.

use crate::diag::{Error, Field, codes};
use crate::limits::{MAX_ALIKE_UNREADY, MAX_UNREADY};
use crate::os::{cgroup, signal};
use crate::process::{Ended, Process, place};
use crate::source::Span;
use std::cell::Cell;

/// A worker's end in the middle of a task.
pub struct Death<'a> {
    /// The task as a report names it: `an item of `pool map``.
    pub task: &'a str,
    /// The worker's name.
    pub name: String,
    /// Its process id.
    pub pid: i32,
    /// How it ended; `None` when that is not known (yet) in this process.
    pub ended: Option<&'a Ended>,
    /// It was ended because its task took longer than so many seconds.
    pub limit: Option<f64>,
    /// What it printed last.
    pub last_words: Option<String>,
    /// Where it was seen last.
    pub last_place: Option<Span>,
    /// Bytes of memory that it had at most, if that is known.
    pub peak: Option<u64>,
    /// How often the task was tried.
    pub tries: u64,
}

impl Death<'_> {
    /// A death of a process whose name and pid are known.
    pub fn of<'a>(task: &'a str, process: &Process, ended: Option<&'a Ended>) -> Death<'a> {
        Death {
            task,
            name: process.name(),
            pid: process.pid().unwrap_or(0),
            ended,
            limit: None,
            last_words: None,
            last_place: None,
            peak: process.peak_memory(),
            tries: 1,
        }
    }

    /// Whether memory may be the reason for a death by SIGKILL: what the worker had, and what the kernel says of its own kills.
    fn of_memory(&self) -> String {
        let had = match self.peak {
            Some(peak) => format!(
                "the worker had {:.1} MiB of memory at most",
                peak as f64 / 1048576.0
            ),
            None => "the worker's memory is not known".to_string(),
        };
        let again = "try fewer workers, or smaller items";
        match cgroup::memory_kills() {
            Some(0) => format!(
                "{had}, and the kernel has killed nobody here because memory ran out: somebody has sent the signal"
            ),
            Some(kills) => format!(
                "{had}, and the kernel has killed {kills} here since the script began because memory ran out: {again}"
            ),
            None => format!("the kernel kills so when memory runs out ({had}): {again}"),
        }
    }

    /// The error of the task.
    pub fn error(&self) -> Box<Error> {
        let who = format!("{} (pid {})", self.name, self.pid);
        let Death { task, .. } = self;
        let mut error = match (self.limit, self.ended) {
            (Some(limit), _) => {
                let message = format!("{task} was to take at most {limit} s, but took longer");
                Error::new(codes::TIMEOUT, message)
                    .with_field("seconds", Field::Float(limit))
                    .with_note(format!(
                        "{who} was ended with everything that it had started"
                    ))
            }
            (None, Some(Ended::Killed(number))) => {
                let name = signal::name_of(*number);
                let message =
                    format!("a worker was to finish {task}, but {who} was killed by {name}");
                let error = Error::new(codes::PROCESS_DIED, message)
                    .with_field("signal", Field::Int(i64::from(*number)));
                let error = match &*name {
                    "SIGKILL" => error.with_help(self.of_memory()),
                    _ => error,
                };
                error.with_field("signal_name", Field::Text(name))
            }
            (None, Some(ended)) => {
                let code = ended.exitcode();
                let message =
                    format!("a worker was to finish {task}, but {who} left with exit({code})");
                Error::new(codes::EXIT, message).with_field("code", Field::Int(i64::from(code)))
            }
            (None, None) => {
                let message = format!("a worker was to finish {task}, but {who} died");
                Error::new(codes::PROCESS_DIED, message)
            }
        }
        .with_field("worker", Field::Text(self.name.clone()))
        .with_field("pid", Field::Int(i64::from(self.pid)));
        if let Some(peak) = self.peak {
            error = error.with_field("peak_memory", Field::Int(peak as i64));
        }
        if self.last_place.is_some() {
            let place = place::text(self.last_place);
            error = error
                .with_note(format!("{} was last seen at {place}", self.name))
                .with_field("last_place", Field::Text(place));
        }
        if let Some(words) = &self.last_words {
            error = error
                .with_note(format!("the last that {} printed: {words}", self.name))
                .with_field("last_output", Field::Text(words.clone()));
        }
        if self.tries > 1 {
            error = error.with_note(format!("it was tried {} times", self.tries));
        }
        error
    }
}

/// Counts workers that died before they had begun anything, one after the other, while nothing was worked off: others in their
/// place would fare no better.
#[derive(Default)]
pub struct Fruitless {
    deaths: Cell<u32>,
    /// What had been worked off at the last of them.
    done: Cell<u64>,
    /// With which code the first of them left, while all have done that.
    code: Cell<Option<i32>>,
}

impl Fruitless {
    /// Counts an end; `idly` when it was such a death. True when there were too many.
    pub fn count(&self, idly: bool, done: u64, ended: &Ended) -> bool {
        let goes_on = idly && self.done.replace(done) == done;
        let before = if goes_on { self.deaths.get() } else { 0 };
        let code = match ended {
            Ended::Exited(code) => Some(*code),
            _ => None,
        };
        let is_alike = before == 0 || self.code.get() == code;
        self.code.set(code.filter(|_| is_alike));
        self.deaths.set(before + u32::from(idly));
        // Who leaves by `exit` was not hit from outside.
        let most = match self.code.get().filter(|_| done == 0) {
            Some(_) => MAX_ALIKE_UNREADY,
            None => MAX_UNREADY,
        };
        self.deaths.get() >= most
    }

    /// How many there were.
    pub fn deaths(&self) -> u32 {
        self.deaths.get()
    }
}

/// The error of a pool whose workers end, so many one after the other, before they are ready to work; the last of them.
pub fn never_ready(deaths: u32, process: &Process, ended: &Ended) -> Box<Error> {
    let (name, pid) = (process.name(), process.pid().unwrap_or(0));
    let how = match ended {
        Ended::Killed(number) => format!("was killed by {}", signal::name_of(*number)),
        other => format!("left with exit({})", other.exitcode()),
    };
    let (kind, code) = match ended {
        Ended::Killed(_) => (codes::PROCESS_DIED, None),
        other => (codes::EXIT, Some(i64::from(other.exitcode()))),
    };
    let error = Error::new(
        kind,
        format!("the workers of the pool were to begin, but {deaths} in a row ended before that; the last, {name} (pid {pid}), {how}"),
    )
    .with_help("look at what `init` does, and at what the workers inherit");
    match code {
        Some(code) => error.with_field("code", Field::Int(code)),
        None => error,
    }
}

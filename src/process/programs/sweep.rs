//! What programs leave behind, and the processes of Par that were killed: who it belongs to, and whether it may stay.
//!
//! Every process of Par is the one that orphans below it come to (a *subreaper*), so nothing below it gets lost. Such a
//! stray tells by its marks which job of which process it came from. What a job left that ended in order (a shell
//! with jobs in its background) stays until its owner ends; what a killed job or a killed process left is killed, with all
//! below it. Deaths bring new strays, and are signals themselves: nothing is looked for by time.

use super::mark::{self, Origin};
use super::{JobId, State, guardian, used, with};
use crate::arena;
use crate::os::{clock, fork, tree};
use crate::process::reaper;

/// How often a stray is asked that cannot be asked: longer than any program takes to be executed.
const MOST_TRIES: u32 = 11;
/// Nanoseconds until it is asked again; each time twice as long.
const FIRST_PAUSE: u64 = 2_000_000;

fn origin_of(pid: i32) -> Origin {
    let last = with(|state| JobId(state.last));
    let tree = arena::get().map(guardian::tree);
    tree.map_or(Origin::Unknown, |tree| {
        mark::origin(pid, tree, fork::pid(), last)
    })
}

impl State {
    /// Whether a stray may stay. One that cannot be asked yet may, and is asked again soon, some times.
    fn tolerates(&mut self, pid: i32, origin: Origin, killed: bool) -> bool {
        let (stays, job) = match origin {
            Origin::Mine(job) => (!self.is_killed(job), Some(job)),
            Origin::TheDead => (false, None),
            Origin::Unknown | Origin::Unreadable => (!killed, None),
        };
        if stays && origin == Origin::Unreadable {
            // Only time counts as a try: there may be many looks in one moment.
            let now = clock::now();
            let (tries, next) = self.doubtful.entry(pid).or_default();
            if now >= *next {
                *tries += 1;
                *next = now + (FIRST_PAUSE << *tries);
            }
            if *tries < MOST_TRIES {
                return true;
            }
        }
        self.doubtful.remove(&pid);
        if stays {
            self.tolerated.insert(pid, job);
        }
        stays
    }

    pub(super) fn knows(&self, pid: i32) -> bool {
        let mut programs = self.jobs.values().flat_map(|job| &job.programs);
        programs.any(|program| program.started.pid == pid)
    }
}

/// Children of this process that it did not start: they came to it when their parents ended. The guardian is none.
fn strays() -> Vec<i32> {
    let mut all = fork::children();
    all.retain(|&pid| !guardian::is(pid) && !reaper::is_child(pid));
    with(|state| all.retain(|&pid| !state.knows(pid)));
    all
}

/// Takes the ends of strays and of the guardian, and kills the strays that may not stay. `killed`: a child or a program
/// of this process died by a signal, so that strays which do not say whose they are, are taken for what it left.
pub(in crate::process) fn settle(killed: bool) {
    if !reaper::owns_process() || !(killed || used()) {
        return;
    }
    guardian::look_after();
    let mut doomed = Vec::new();
    for pid in strays() {
        if fork::wait_for(pid, false).is_some() {
            super::forget_stray(pid);
        } else if with(|state| !state.tolerated.contains_key(&pid)) {
            let origin = origin_of(pid);
            if !with(|state| state.tolerates(pid, origin, killed)) {
                doomed.push(pid);
            }
        }
    }
    kill_with_all_below(&doomed);
    super::set_alarm();
}

/// Everything below some processes, but for the guardian: it is a child of whoever started the first program.
fn below(roots: &[i32]) -> Vec<i32> {
    let mut below = tree::below(roots);
    below.retain(|&pid| !guardian::is(pid));
    below
}

/// Kills children of this process, and what is below them before it loses its parents.
fn kill_with_all_below(pids: &[i32]) {
    if pids.is_empty() {
        return;
    }
    let below = below(pids);
    for &pid in pids {
        fork::send_signal(pid, libc::SIGKILL);
    }
    tree::signal_each(&below, libc::SIGKILL);
}

/// Sends a signal to the programs of a job, to everything below them, and to what came to us from it. True when there was
/// anything.
pub(super) fn signal_job(job: JobId, signal: i32) -> bool {
    super::look();
    let programs: Vec<i32> = with(|state| match state.jobs.get(&job) {
        Some(job) => job.open().map(|program| program.started.pid).collect(),
        None => Vec::new(),
    });
    let mut left = Vec::new();
    if reaper::owns_process() {
        for pid in strays() {
            if fork::wait_for(pid, false).is_none() && origin_of(pid) == Origin::Mine(job) {
                left.push(pid);
            }
        }
    }
    let roots: Vec<i32> = programs.iter().chain(&left).copied().collect();
    let below = below(&roots);
    for &pid in &roots {
        fork::send_signal(pid, signal);
        if signal != libc::SIGKILL {
            // What is stopped does not take a signal otherwise.
            fork::send_signal(pid, libc::SIGCONT);
        }
    }
    tree::signal_each(&below, signal);
    !roots.is_empty()
}

/// At the end of this process: kills every stray, and those that come to us by that, until none is left.
pub(in crate::process) fn end_strays() {
    if !reaper::owns_process() {
        return;
    }
    for _ in 0..100 {
        let strays = strays();
        if strays.is_empty() {
            return;
        }
        kill_with_all_below(&strays);
        for pid in strays {
            fork::wait_for(pid, true);
        }
    }
}

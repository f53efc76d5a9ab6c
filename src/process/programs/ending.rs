//! The end of jobs that is brought about from here: they are told, have some time, and are killed. Nobody is told twice.

use super::{GRACE, Job, JobId, interests, is_late, look, reap, sweep, used, with};
use crate::os::poll::{self, Interest};
use crate::os::{clock, signal};
use crate::process::record::{Record, SIGNALLED};
use crate::process::signals;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds to wait for what was sent SIGKILL: it ends at once, unless the kernel keeps it (a dead disk).
const LAST_WAIT: f64 = 1.0;
/// Jobs up to this number were begun by earlier lines of a prompt.
static LINE_BEGAN_AT: AtomicU64 = AtomicU64::new(0);

/// Ends a job with everything that it started: SIGTERM, SIGKILL after [`GRACE`]. Its own programs have ended then.
pub fn end(job: JobId) {
    end_jobs(&[job]);
}

fn end_jobs(jobs: &[JobId]) {
    with(|state| {
        for id in jobs {
            if let Some(job) = state.jobs.get_mut(id) {
                job.killed = true;
            }
        }
    });
    if let Some(grace) = signals::programs_grace() {
        // They have as long as the processes of the tree.
        tell_of_interrupt(jobs);
        wait_for_all(jobs, grace);
    }
    // The second round ends what the first had time for; the others what escaped them.
    for round in 0..4 {
        let mut any = false;
        for &job in jobs {
            any |= match round {
                // One whose time was over was told before.
                0 if is_late(job) => sweep::signal_job(job, 0),
                0 => tell_to_end(job),
                _ => sweep::signal_job(job, libc::SIGKILL),
            };
        }
        if !any {
            break;
        }
        wait_for_all(jobs, if round == 0 { GRACE } else { LAST_WAIT });
    }
}

/// Waits until every program of these jobs has ended, at most so many seconds.
fn wait_for_all(jobs: &[JobId], seconds: f64) {
    let until = clock::deadline(seconds);
    loop {
        look();
        let interests: Vec<Interest> = jobs.iter().flat_map(|&job| interests(job)).collect();
        if interests.is_empty() || clock::now() >= until {
            return;
        }
        // Nothing but time and ends counts here: what ends programs must not be ended itself.
        let _ = poll::wait(&interests, Some(until), || Ok(true));
    }
}

impl Job {
    /// Whether it was told to end and still has time to clean up. If not, it is told now.
    fn obeys(&mut self) -> bool {
        let record = self
            .spawned
            .as_ref()
            .map(|spawned| Record::of(spawned.hold.object()));
        let obeys = clock::now() < self.obeys || record.is_some_and(|record| record.is_obeying());
        if !obeys {
            self.obeys = clock::deadline(signals::GRACE);
            if let Some(record) = record {
                record.obey(self.obeys);
            }
        }
        obeys
    }
}

/// At Ctrl-C: SIGTERM to every job of this process, but not to what runs in the foreground of the terminal and has had the Ctrl-C itself:
/// it is dealing with it.
pub(in crate::process) fn interrupt_all() {
    if !used() {
        return;
    }
    let jobs = own_jobs(true);
    flag(&jobs);
    tell_of_interrupt(&jobs);
}

fn tell_of_interrupt(jobs: &[JobId]) {
    let is_shared = signal::is_interrupt_shared();
    for &job in jobs {
        let is_told = is_shared && with(|state| state.is_foreground(job));
        if !is_told {
            tell_to_end(job);
        }
    }
}

/// Sends SIGTERM to a job, unless it was told so a moment ago: many programs take a second one for "at once", and leave their clean-up.
/// Whether it runs.
fn tell_to_end(job: JobId) -> bool {
    let obeys = with(|state| state.jobs.get_mut(&job).is_some_and(Job::obeys));
    sweep::signal_job(job, if obeys { 0 } else { libc::SIGTERM })
}

/// The jobs of this process, or those of the line of the prompt that runs.
fn own_jobs(of_line: bool) -> Vec<JobId> {
    let first = match of_line {
        true => LINE_BEGAN_AT.load(Ordering::Relaxed),
        false => 0,
    };
    let mut jobs = with(|state| state.own_jobs());
    jobs.retain(|job| job.0 > first);
    jobs
}

/// Notes that jobs are ended by us: their deaths are no news then.
fn flag(jobs: &[JobId]) {
    with(|state| {
        let jobs = jobs.iter().filter_map(|job| state.jobs.get(job));
        for spawned in jobs.filter_map(|job| job.spawned.as_ref()) {
            Record::of(spawned.hold.object()).flag(SIGNALLED);
        }
    });
}

/// A line of a prompt begins: see [`signals::begin_line`].
pub(in crate::process) fn begin_line() {
    LINE_BEGAN_AT.store(with(|state| state.last), Ordering::Relaxed);
}

/// At the end of this process, or of a line of the prompt: ends what was spawned and not joined.
pub(in crate::process) fn end_all(of_line: bool) {
    if !used() {
        return;
    }
    reap();
    let jobs = own_jobs(of_line);
    flag(&jobs);
    end_jobs(&jobs);
    reap();
}

//! A time limit that the kernel keeps: a process that is busy, waiting or stopped in a system call ends at it all the same.
//!
//! At the limit the process is told, so that it can clean up; when the grace is over as well, it dies by [`SIGNAL`].
#![allow(unsafe_code)]

use super::signal;
use std::sync::atomic::{AtomicBool, Ordering};

/// What tells a process that its time is over, and ends it.
pub const SIGNAL: i32 = libc::SIGALRM;

/// Whether the limit that was armed last has passed.
static PASSED: AtomicBool = AtomicBool::new(false);

/// After so many nanoseconds this process is told ([`signal::TIME_OVER`]), and ends by [`SIGNAL`] when the grace has passed as
/// well, unless [`disarm`] comes first. Children do not inherit it.
pub fn arm(nanoseconds: u64, grace: u64) {
    PASSED.store(false, Ordering::SeqCst);
    signal::handle(SIGNAL);
    set(nanoseconds, grace);
}

/// Takes the limit back. True when it has passed.
pub fn disarm() -> bool {
    set(0, 0);
    signal::take(signal::TIME_OVER);
    PASSED.load(Ordering::SeqCst)
}

/// Ends this process as the limit would: whoever waits for it learns from the signal that its time was over.
pub fn end_here() -> ! {
    signal::reset_and_reraise(SIGNAL)
}

/// In the handler: notes that the limit has passed; true when it had before.
pub(super) fn note_passed() -> bool {
    PASSED.swap(true, Ordering::SeqCst)
}

fn set(first: u64, then: u64) {
    let once = libc::itimerval {
        it_interval: interval(then),
        it_value: interval(first),
    };
    // SAFETY: `once` is a valid timer value; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &once, std::ptr::null_mut()) };
}

/// So many nanoseconds, but what is not nothing is at least a microsecond: zero would mean no limit.
fn interval(nanoseconds: u64) -> libc::timeval {
    let microseconds = match nanoseconds {
        0 => 0,
        some => (some / 1_000).max(1),
    };
    libc::timeval {
        tv_sec: (microseconds / 1_000_000) as libc::time_t,
        tv_usec: (microseconds % 1_000_000) as libc::suseconds_t,
    }
}

//! A time limit that the kernel keeps: a process that is busy, waiting or stopped in a system call ends at it all the same.
//!
//! At the limit the process is told, so that it can clean up; when the grace is over as well, it dies by [`SIGNAL`]. A process that is
//! stopped (`SIGSTOP`) would learn of neither: from the limit on it is continued, again and again.
#![allow(unsafe_code)]

use super::{fork, signal};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

/// What tells a process that its time is over, and ends it.
pub const SIGNAL: i32 = libc::SIGALRM;

/// Whether the limit that was armed last has passed.
static PASSED: AtomicBool = AtomicBool::new(false);

/// The timer that continues this process, and the process that made it: a child has none.
static WAKER: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());
static WAKER_OF: AtomicI32 = AtomicI32::new(0);
/// How long after the limit, and how often from then on, a stopped process is continued, in nanoseconds: what is pending for it is
/// dealt with then.
const WAKING: u64 = 20_000_000;

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
    set_waker(first);
}

/// Has this process continued from a moment after the limit on; 0 takes that back.
fn set_waker(limit: u64) {
    let timespec = |nanoseconds: u64| libc::timespec {
        tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanoseconds % 1_000_000_000) as libc::c_long,
    };
    let (first, then) = match limit {
        0 => (0, 0),
        limit => (limit.saturating_add(WAKING), WAKING),
    };
    let times = libc::itimerspec {
        it_interval: timespec(then),
        it_value: timespec(first),
    };
    if WAKER_OF.load(Ordering::Relaxed) != fork::pid() {
        // SAFETY: an event is made of integers, for which zeros are valid values.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGCONT;
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: both point to valid memory of ours. A kernel without such timers leaves a stopped process stopped.
        if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) } != 0 {
            return;
        }
        WAKER.store(timer, Ordering::Relaxed);
        WAKER_OF.store(fork::pid(), Ordering::Relaxed);
    }
    let timer = WAKER.load(Ordering::Relaxed);
    // SAFETY: the timer is this process's own and is never deleted; the old time is not asked for.
    unsafe { libc::timer_settime(timer, 0, &times, std::ptr::null_mut()) };
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

//! One alarm for this process: a signal at the first of the instants that somebody has set.
#![allow(unsafe_code)]

use super::{clock, fork, signal};
use std::mem::MaybeUninit;
use std::sync::Mutex;

/// Who sets an instant. Each has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setter {
    /// Programs that have had their time.
    Programs,
    /// Processes that were asked to end, and have had the time for that.
    Grace,
    /// The block of a scope whose time is over.
    Scope,
    /// Programs whose output this process takes over, while it is in a call of the system.
    Outlet,
}

/// How many setters there are.
const SETTERS: usize = 4;

/// The timer of this process.
struct Timer {
    id: libc::timer_t,
    /// The process that made it: a forked child has none.
    owner: i32,
    wanted: [Option<u64>; SETTERS],
}

// SAFETY: a timer is a number to the kernel, whatever its type says.
unsafe impl Send for Timer {}

static TIMER: Mutex<Option<Timer>> = Mutex::new(None);

/// Sends this process [`signal::alarm_signal`] at an instant (monotonic nanoseconds; at once when it is past); it takes the
/// place of what the same setter has set before. `None` sets none.
pub fn set(setter: Setter, at: Option<u64>) {
    let Ok(mut guard) = TIMER.lock() else {
        return;
    };
    let me = fork::pid();
    if guard.as_ref().is_none_or(|timer| timer.owner != me) {
        // Without a timer (`ulimit -i`) the instant is noticed when this process waits next.
        let Some(id) = at.and_then(|_| make()) else {
            return;
        };
        *guard = Some(Timer {
            id,
            owner: me,
            wanted: [None; SETTERS],
        });
    }
    let Some(timer) = &mut *guard else { return };
    if let Some(wanted) = timer.wanted.get_mut(setter as usize) {
        *wanted = at;
    }
    let first = timer.wanted.iter().flatten().min();
    let value = libc::itimerspec {
        it_interval: clock::timespec(0),
        // 0 would mean never.
        it_value: clock::timespec(first.map_or(0, |&at| at.max(1))),
    };
    // SAFETY: the timer is this process's own and never deleted; the time is valid and absolute.
    unsafe { libc::timer_settime(timer.id, libc::TIMER_ABSTIME, &value, std::ptr::null_mut()) };
}

fn make() -> Option<libc::timer_t> {
    signal::handle(signal::alarm_signal());
    let mut event = MaybeUninit::<libc::sigevent>::zeroed();
    let mut timer = MaybeUninit::<libc::timer_t>::zeroed();
    // SAFETY: a zeroed sigevent is valid, its fields say what is sent; timer_create fills `timer` when it gives 0.
    unsafe {
        let event = event.assume_init_mut();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal::alarm_signal();
        let made = libc::timer_create(libc::CLOCK_MONOTONIC, event, timer.as_mut_ptr()) == 0;
        made.then(|| timer.assume_init())
    }
}

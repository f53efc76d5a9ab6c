//! One alarm for this process: a signal at an instant.
#![allow(unsafe_code)]

use super::{clock, fork, signal};
use std::mem::MaybeUninit;
use std::sync::Mutex;

/// The timer of this process, with the process that made it: a forked child has none.
struct Timer(libc::timer_t, i32);

// SAFETY: a timer is a number to the kernel, whatever its type says.
unsafe impl Send for Timer {}

static TIMER: Mutex<Option<Timer>> = Mutex::new(None);

/// Sends this process [`signal::alarm_signal`] at an instant (monotonic nanoseconds; at once when it is past); it takes the
/// place of what was set before. `None` sets none.
pub fn set(at: Option<u64>) {
    let Ok(mut guard) = TIMER.lock() else {
        return;
    };
    if at.is_none() && guard.is_none() {
        return;
    }
    let me = fork::pid();
    let timer = match &*guard {
        Some(Timer(timer, owner)) if *owner == me => *timer,
        _ => match make() {
            Some(timer) => {
                *guard = Some(Timer(timer, me));
                timer
            }
            // Without a timer (`ulimit -i`) the time-out is found when this process waits next.
            None => return,
        },
    };
    let value = libc::itimerspec {
        it_interval: clock::timespec(0),
        // 0 would mean never.
        it_value: clock::timespec(at.map_or(0, |at| at.max(1))),
    };
    // SAFETY: the timer is this process's own and never deleted; the time is valid and absolute.
    unsafe { libc::timer_settime(timer, libc::TIMER_ABSTIME, &value, std::ptr::null_mut()) };
}

fn make() -> Option<libc::timer_t> {
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

//! A time limit that the kernel keeps: a process that is busy, waiting or stopped in a system call ends at it all the same.
#![allow(unsafe_code)]

/// What ends a process whose time is over.
pub const SIGNAL: i32 = libc::SIGALRM;

/// Ends this process by [`SIGNAL`] after so many nanoseconds, unless [`disarm`] comes first. Children do not inherit it.
pub fn arm(nanoseconds: u64) {
    // At least a microsecond: zero would mean no limit.
    let microseconds = (nanoseconds / 1_000).max(1);
    // SAFETY: restores the default action of one signal; no memory of ours is touched.
    unsafe { libc::signal(SIGNAL, libc::SIG_DFL) };
    set(libc::timeval {
        tv_sec: (microseconds / 1_000_000) as libc::time_t,
        tv_usec: (microseconds % 1_000_000) as libc::suseconds_t,
    });
}

/// Takes the limit back.
pub fn disarm() {
    set(libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    });
}

fn set(value: libc::timeval) {
    let once = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: value,
    };
    // SAFETY: `once` is a valid timer value; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &once, std::ptr::null_mut()) };
}

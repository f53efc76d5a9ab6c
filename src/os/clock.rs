//! The monotonic clock, in nanoseconds.
#![allow(unsafe_code)]

/// Nanoseconds that never pass: about 292 years.
pub const NEVER: u64 = u64::MAX >> 1;

/// Nanoseconds of the monotonic clock; the same for all processes of the machine, so that instants may be shared.
pub fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of processor time that this process has used: what it does takes as many on a busy machine as on an idle one.
pub fn used() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec to write to; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Seconds, as the language counts them, to nanoseconds. Negative and non-numbers become 0, huge ones [`NEVER`].
pub fn nanoseconds(seconds: f64) -> u64 {
    // A float-to-int `as` saturates and maps NaN to 0, which is what is wanted here.
    ((seconds * 1e9) as u64).min(NEVER)
}

/// The instant `seconds` from now; for those that never come, the end of time.
pub fn deadline(seconds: f64) -> u64 {
    now().saturating_add(nanoseconds(seconds))
}

/// A timespec of nanoseconds.
pub fn timespec(nanoseconds: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanoseconds % 1_000_000_000) as _,
    }
}

/// The instant of the wall clock that comes so many nanoseconds from now: for the few calls that know no other clock.
pub fn wall_after(nanoseconds: u64) -> libc::timespec {
    let mut time = timespec(0);
    // SAFETY: `time` is a valid timespec to write to; CLOCK_REALTIME exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut time) };
    let sum = timespec(time.tv_nsec as u64 + nanoseconds);
    libc::timespec {
        tv_sec: time.tv_sec + sum.tv_sec,
        ..sum
    }
}

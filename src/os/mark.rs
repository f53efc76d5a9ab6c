//! A number that a program carries and passes on to everything that it starts, whatever that does to hide.
//!
//! It is the soft limit `RLIMIT_LOCKS`. The kernel has looked at it in no version since 2.4.25, `fork` and `execve` keep
//! it, and no change of the environment, the session, the group, the user or the descriptors touches it; the kernel tells it of every
//! process, also while that is being executed. (A control group would be the means for this, but needs rights that a
//! script does not have.)
#![allow(unsafe_code)]

use libc::rlimit;

/// What a process carries that was given nothing.
pub const NONE: u64 = libc::RLIM_INFINITY;

/// The mark of a process; `None` when it is gone or carries none.
pub fn of(pid: i32) -> Option<u64> {
    let mut limit = rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid to write to; nothing is set.
    let done = unsafe { libc::prlimit(pid, libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut limit) };
    let mark = match done {
        0 => limit.rlim_cur,
        // That of another user can be read by everybody all the same.
        _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM) => shown(pid)?,
        _ => return None,
    };
    (mark != NONE).then_some(mark)
}

/// `Max file locks   SOFT   HARD   locks`.
fn shown(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let limit = text
        .lines()
        .find_map(|line| line.strip_prefix("Max file locks"))?;
    limit.split_whitespace().next()?.parse().ok()
}

/// Gives this process a mark, or with [`NONE`] takes it away. Where somebody has lowered the hard limit below it, none is carried.
/// Two system calls and nothing else, for a child that has not executed its program yet.
pub(super) fn carry(mark: u64) {
    let mut limit = rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid to write to and to read.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_LOCKS, &raw mut limit) != 0 {
            return;
        }
        // Infinity is the largest number.
        limit.rlim_cur = match mark <= limit.rlim_max {
            true => mark,
            false => limit.rlim_max,
        };
        libc::setrlimit(libc::RLIMIT_LOCKS, &raw const limit);
    }
}

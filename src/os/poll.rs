//! Waiting for descriptors: pipes to and from programs, and their ends.
#![allow(unsafe_code)]

use super::clock;
use super::signal::AllBlocked;
use crate::diag::Result;
use std::os::fd::RawFd;

/// What a wait is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Something can be read, or the other side is gone; for a pidfd: the process has ended.
    Readable(RawFd),
    /// Something can be written, or the other side is gone.
    Writable(RawFd),
}

/// Whether an interest is met now.
pub fn is_met(interest: Interest) -> bool {
    wait(&[interest], Some(0), || Ok(true)) == Ok(true)
}

/// Sleeps until one of the interests is met, a signal came, or the instant `until` (monotonic nanoseconds) is over.
/// True when an interest is met. `check` is called with all signals blocked: a signal that comes between it and the sleep ends the sleep at once.
/// It says whether to sleep: false when it has found something else to do, and the interests are only looked at.
///
/// # Errors
/// Those of `check`.
pub fn wait(
    interests: &[Interest],
    until: Option<u64>,
    check: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    let mut polled: Vec<libc::pollfd> = interests
        .iter()
        .map(|interest| {
            let (fd, events) = match *interest {
                Interest::Readable(fd) => (fd, libc::POLLIN),
                Interest::Writable(fd) => (fd, libc::POLLOUT),
            };
            libc::pollfd {
                fd,
                events,
                revents: 0,
            }
        })
        .collect();
    let blocked = AllBlocked::new();
    let until = if check()? { until } else { Some(0) };
    let time = until.map(|until| clock::timespec(until.saturating_sub(clock::now())));
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `polled` has as many entries as are named; the time and the mask are valid or null. Every outcome, errors
    // included, means to look again.
    let ready = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            polled.len() as libc::nfds_t,
            time,
            blocked.before(),
        )
    };
    drop(blocked);
    Ok(ready > 0)
}

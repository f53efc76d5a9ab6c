//! Being told by a signal that something can be read or written, for a wait that sleeps on words of memory and on descriptors
//! at once: the handler bumps the word that this process sleeps on.
#![allow(unsafe_code)]

use super::poll::Interest;
use super::signal;
use std::os::fd::RawFd;
use std::sync::Once;

/// `F_SETOWN_EX` and `F_OWNER_TID` of `fcntl`, which the crate `libc` does not name.
const SET_OWNER: libc::c_int = 15;
const OWNER_IS_THREAD: libc::c_int = 0;

/// The argument of `F_SETOWN_EX`.
#[repr(C)]
struct Owner {
    kind: libc::c_int,
    pid: libc::pid_t,
}

/// Descriptors that send a signal when something comes, until this is dropped.
#[derive(Default)]
pub struct Arrivals {
    watched: Vec<RawFd>,
}

impl Arrivals {
    /// Watches these too. True when one was not watched before: what had come to it until then is told by nobody, so whoever
    /// calls this looks once more.
    pub fn watch(&mut self, interests: &[Interest]) -> bool {
        let mut any = false;
        for interest in interests {
            let (Interest::Readable(fd) | Interest::Writable(fd)) = *interest;
            if !self.watched.contains(&fd) && set(fd, true) {
                self.watched.push(fd);
                any = true;
            }
        }
        any
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        for &fd in &self.watched {
            set(fd, false);
        }
    }
}

/// Turns the signals of a descriptor on or off, to this thread; false when it can send none.
fn set(fd: RawFd, on: bool) -> bool {
    static HANDLED: Once = Once::new();
    HANDLED.call_once(|| signal::handle(libc::SIGIO));
    // SAFETY: a call without arguments that cannot fail.
    let pid = unsafe { libc::gettid() };
    let owner = Owner {
        kind: OWNER_IS_THREAD,
        pid,
    };
    // SAFETY: fcntl on a number that may have been closed meanwhile is an error and no more; `owner` outlives the call.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        let wanted = match on {
            true => flags | libc::O_ASYNC,
            false => flags & !libc::O_ASYNC,
        };
        flags >= 0
            && (!on || libc::fcntl(fd, SET_OWNER, &raw const owner) == 0)
            && libc::fcntl(fd, libc::F_SETFL, wanted) == 0
    }
}

//! Descriptors of pipes and of files in memory.
#![allow(unsafe_code)]

use super::last_error;
use crate::diag::Result;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Bytes of a wide pipe: large outputs come in fewer pieces.
const WIDE: i32 = 256 * 1024;

/// How many descriptors this process may have.
pub fn most() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is valid memory; what a failure leaves in it is 0.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// A file without a name that holds these bytes, to be read from its start.
pub fn memory_file(bytes: &[u8]) -> Result<OwnedFd> {
    // SAFETY: the name is a constant C string; the descriptor that comes of it is nobody else's.
    let mut file = unsafe {
        let file = libc::memfd_create(c"par-input".as_ptr(), libc::MFD_CLOEXEC);
        if file < 0 {
            return Err(last_error("memfd_create"));
        }
        File::from_raw_fd(file)
    };
    match file.write_all(bytes).and_then(|()| file.rewind()) {
        Ok(()) => Ok(file.into()),
        Err(_) => Err(last_error("write")),
    }
}

/// Gives a pipe room for more; where that may not be, it stays as it is.
pub fn widen_pipe(pipe: &OwnedFd) {
    // SAFETY: fcntl with integers only.
    unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, WIDE) };
}

/// Writes to a pipe without dying of SIGPIPE when nobody reads it: that is an error (`EPIPE`) like any other. Par keeps the
/// signal's default action, so that what it prints itself ends it quietly.
pub fn write_to_pipe(end: i32, bytes: &[u8]) -> std::io::Result<usize> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    let none = super::clock::timespec(0);
    // SAFETY: the sets are initialised by the calls that come first; `bytes` is readable for its length. The signal of a
    // failed write is sent to this thread, which has it blocked, and is taken away before it is let through again.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr());
        let written = libc::write(end, bytes.as_ptr().cast(), bytes.len());
        let result = match usize::try_from(written) {
            Ok(count) => Ok(count),
            Err(_) => Err(std::io::Error::last_os_error()),
        };
        let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
        if result.as_ref().is_err_and(broken) {
            libc::sigtimedwait(set.as_ptr(), std::ptr::null_mut(), &none);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut());
        result
    }
}

/// Makes descriptors of this process lead to `/dev/null`, whatever they were.
pub fn lead_nowhere(numbers: &[i32]) {
    let options = &mut std::fs::OpenOptions::new();
    let Ok(null) = options.read(true).write(true).open("/dev/null") else {
        return;
    };
    for &number in numbers {
        // SAFETY: dup3 with integers only; who owns the number goes on owning it.
        unsafe { libc::dup3(null.as_raw_fd(), number, libc::O_CLOEXEC) };
    }
}

/// From now on nothing that is done with this end waits.
pub fn never_wait(end: &OwnedFd) {
    // SAFETY: fcntl with integers only.
    unsafe {
        let flags = libc::fcntl(end.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(end.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

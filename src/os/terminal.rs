//! Where output goes: the terminal behind standard error, and whether anybody reads standard output.

#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;

/// How many columns the terminal on standard error has; `None` when it is no terminal, or one that does not tell.
pub fn columns() -> Option<usize> {
    size(2).map(|size| size.0)
}

/// Columns and rows of the terminal behind a descriptor; `None` when it is no terminal, or one that does not tell.
pub fn size(descriptor: i32) -> Option<(usize, usize)> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ (ioctl_tty(2)) writes one `winsize` through the pointer, which points to one that lives until
    // the call returns; a descriptor that is closed or no terminal makes the call fail and write nothing.
    let result = unsafe { libc::ioctl(descriptor, libc::TIOCGWINSZ, &raw mut size) };
    let told = result == 0 && size.ws_col > 0;
    told.then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// Whether a descriptor is a terminal.
pub fn is_terminal(descriptor: i32) -> bool {
    // SAFETY: isatty(3) takes any number and touches no memory of ours.
    unsafe { libc::isatty(descriptor) == 1 }
}

/// Whether keys of a terminal reach this process as signals. Asked once.
pub fn is_controlled() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let flags = libc::O_NOCTTY;
        let options = &mut OpenOptions::new();
        options
            .read(true)
            .custom_flags(flags)
            .open("/dev/tty")
            .is_ok()
    })
}

/// Whether standard output is a pipe or socket that nobody reads any more (`par x.par | head -1`).
pub fn output_gone() -> bool {
    let mut output = libc::pollfd {
        fd: 1,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: poll(2) reads and writes one `pollfd`, which lives until the call returns; with a time-out of 0 it does not wait.
    let ready = unsafe { libc::poll(&raw mut output, 1, 0) };
    ready == 1 && output.revents & libc::POLLERR != 0
}

//! Terminals: the one behind standard error, whether anybody reads standard output, and those that are made for programs.

#![allow(unsafe_code)]

use super::last_error;
use crate::diag::Result;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;

/// A terminal that was made.
pub struct Pair {
    /// What types on it and reads what it shows.
    pub keys: OwnedFd,
    /// What a program has of it.
    pub program: OwnedFd,
}

/// Makes a terminal of so many columns and rows, which shows what is typed or does not. It is nobody's controlling one yet.
///
/// # Errors
/// The machine has no more of them.
pub fn open(columns: u16, rows: u16, echo: bool) -> Result<Pair> {
    let size = winsize(columns, rows);
    let made = openpty(&size, None::<&Termios>).map_err(|_| last_error("openpty"))?;
    for end in [&made.master, &made.slave] {
        // SAFETY: fcntl with integers only.
        unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    if !echo && let Ok(mut modes) = tcgetattr(&made.slave) {
        modes.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&made.slave, SetArg::TCSANOW, &modes).map_err(|_| last_error("tcsetattr"))?;
    }
    Ok(Pair {
        keys: made.master,
        program: made.slave,
    })
}

fn winsize(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// Gives a terminal another size, of which its programs are told; false when it is gone.
pub fn resize(keys: RawFd, columns: u16, rows: u16) -> bool {
    let size = winsize(columns, rows);
    // SAFETY: TIOCSWINSZ reads one `winsize`, which lives until the call returns; what is no terminal makes the call fail.
    unsafe { libc::ioctl(keys, libc::TIOCSWINSZ, &raw const size) == 0 }
}

/// What is typed on a terminal to end the input of its program: its key for that, twice in the middle of a line (of which `last` is
/// what was typed last).
pub fn end_keys(keys: RawFd, last: Option<u8>) -> Vec<u8> {
    // SAFETY: who calls this has the descriptor open.
    let modes = tcgetattr(unsafe { BorrowedFd::borrow_raw(keys) });
    let Ok(modes) = modes else {
        return Vec::new();
    };
    let key = modes.control_chars[SpecialCharacterIndices::VEOF as usize];
    let in_line = last.is_some_and(|last| last != b'\n' && last != b'\r');
    let times = match modes.local_flags.contains(LocalFlags::ICANON) && in_line {
        true => 2,
        false => 1,
    };
    vec![key; times]
}

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

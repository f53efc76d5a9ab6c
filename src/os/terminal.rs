//! The terminal that standard error goes to.

#![allow(unsafe_code)]

/// How many columns the terminal on standard error has; `None` when it is no terminal, or one that does not tell.
pub fn columns() -> Option<usize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ (ioctl_tty(2)) writes one `winsize` through the pointer, which points to one that lives until
    // the call returns; descriptor 2 may be closed or no terminal, which makes the call fail and write nothing.
    let result = unsafe { libc::ioctl(2, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

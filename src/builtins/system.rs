//! What calls of the operating system have in common here: errors, and repeating what a signal cut short.

use crate::diag::{self, Field, codes};
use crate::value::native::{Context, Fault, Outcome};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::BorrowedFd;

/// The `IoError` of an operation on a path: ``open "log.txt": no such file or directory``.
pub fn failed(function: &str, path: &str, error: &io::Error) -> Fault {
    let reason = reason(error);
    let shown = crate::value::show::quoted(path);
    let report = diag::Error::new(codes::IO, format!("{function} {shown}: {reason}"))
        .with_field("path", Field::Text(path.to_string()));
    match error.raw_os_error() {
        Some(number) => report
            .with_field("errno", Field::Int(i64::from(number)))
            .into(),
        None => report.into(),
    }
}

/// The system's words for an error, without Rust's "(os error n)".
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// Does something of the system until no signal cuts it short; what the signal was for is looked after in between.
pub fn retry<T>(
    context: &mut dyn Context,
    function: &str,
    path: &str,
    mut step: impl FnMut() -> io::Result<T>,
) -> Outcome<T> {
    loop {
        match step() {
            Ok(done) => return Ok(done),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => context.poll()?,
            Err(error) => return Err(failed(function, path, &error)),
        }
    }
}

/// How long a wait for input goes without looking at what else wants attention, in milliseconds.
const SLICE_MS: u16 = 100;

/// Waits until something can be read (or the other side is gone). A read that blocks would be taken up again by the
/// kernel after a signal, and Ctrl-C would not end it.
pub fn wait_readable(context: &mut dyn Context, input: BorrowedFd<'_>) -> Outcome<()> {
    loop {
        let mut waited = [PollFd::new(input, PollFlags::POLLIN)];
        match nix::poll::poll(&mut waited, PollTimeout::from(SLICE_MS)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => context.poll()?,
            // What cannot be waited for can be read at once.
            _ => return Ok(()),
        }
    }
}

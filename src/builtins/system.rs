//! What calls of the operating system have in common here: errors, and repeating what a signal cut short.

use crate::diag::{self, Field, codes};
use crate::os::{self, name};
use crate::process::signals;
use crate::process::wait::{self, Attentive};
use crate::value::native::{Context, Fault, Outcome};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The `IoError` of an operation on a path: ``open "log.txt": no such file or directory``.
pub fn failed(function: &str, path: &str, error: &io::Error) -> Fault {
    if let Some(error) = wait::broken_off(error) {
        // It was not the system.
        return error.into();
    }
    let reason = os::describe(error);
    let shown = crate::value::show::quoted(path);
    // Of an open file this says that its device has nothing now: no limit.
    let scarce = error
        .raw_os_error()
        .filter(|&number| number != libc::EAGAIN);
    let scarce = scarce.and_then(os::scarce);
    let code = match scarce {
        Some(_) => codes::LIMIT,
        None => codes::IO,
    };
    let report = diag::Error::new(code, format!("{function} {shown}: {reason}"))
        .with_field("path", Field::Text(path.to_string()));
    let report = match (error.kind(), scarce) {
        (_, Some(help)) => report.with_help(help),
        (io::ErrorKind::NotFound, _) => help_for_missing(report, path),
        _ => report,
    };
    match error.raw_os_error() {
        Some(number) => report
            .with_field("errno", Field::Int(i64::from(number)))
            .into(),
        None => report.into(),
    }
}

/// Names that are looked at for one that was meant.
const MAX_NAMES: usize = 2000;

/// Tells which name may have been meant, or which directory on the way is not there.
fn help_for_missing(report: Box<diag::Error>, path: &str) -> Box<diag::Error> {
    let path = Path::new(path);
    // All of this is text: what the system is asked for is made of it.
    let (Some(last), Some(folder)) = (path.file_name(), path.parent()) else {
        return report;
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let known = |path: &Path| name::os(&path.to_string_lossy()).into_owned();
    let Ok(entries) = std::fs::read_dir(known(folder)) else {
        let missing = folder
            .ancestors()
            .take_while(|folder| !Path::new(&known(folder)).exists())
            .last();
        return match missing.filter(|missing| !missing.as_os_str().is_empty()) {
            Some(missing) => report.with_help(format!(
                "there is no directory {}",
                crate::value::show::quoted(&missing.to_string_lossy())
            )),
            None => report,
        };
    };
    let names = entries.flatten().take(MAX_NAMES);
    let names: Vec<String> = names.map(|entry| name::text(entry.file_name())).collect();
    match diag::did_you_mean(&last.to_string_lossy(), names.iter().map(String::as_str)) {
        Some(meant) => report.with_help(meant),
        None => report,
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
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return Err(signals::memory_used_up().into());
            }
            Err(error) => return Err(failed(function, path, &error)),
        }
    }
}

/// Opens a file of a script (`flags` of `open(2)`): what it is made of may let this process wait.
///
/// # Errors
/// `IoError`; what ends the wait for the other end of a named pipe.
pub fn open(
    context: &mut dyn Context,
    function: &str,
    path: &str,
    flags: i32,
) -> Outcome<Attentive> {
    wait::open(path, flags, context.place())?.map_err(|error| failed(function, path, &error))
}

/// The error of a worker that came to this process's place while it read a file, and reads it as well.
pub fn in_use(function: &str, path: &str) -> Fault {
    let path = crate::value::show::quoted(path);
    let message = format!(
        "{function}: {path} must be read by the process that opened it, but this is a worker that was started in the middle of that"
    );
    diag::Error::new(codes::IO, message)
        .with_help("open it in the item or in `init`, or make what is in it the items of the map")
        .into()
}

/// How [`open`] opens what is only read.
pub const TO_READ: i32 = libc::O_RDONLY;
/// How [`open`] makes a file anew.
pub const TO_WRITE: i32 = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;

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

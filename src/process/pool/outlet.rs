//! What the programs of a process print whose own prints go into a spool: it goes through pipes, for a program may open its standard
//! output anew (`> /dev/stderr` in a shell), which empties a file.
//!
//! The process that starts them reads the pipes wherever it waits, and before it prints or marks anything itself: so what a program
//! has printed stands in front of all that comes behind its end. While the process computes, its programs wait where they print much.

use crate::diag::Result;
use crate::os::poll::Interest;
use crate::os::{self, descriptor, name};
use crate::process::programs::Pipe;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that are moved at once.
const PIECE: usize = 16 * 1024;
/// Pieces that are moved before this process goes on: a program may print faster than they are written. More than a pipe holds.
const AT_ONCE: usize = 64;

/// The way from programs into the spool.
struct Outlet {
    /// Whether it is for standard output or for standard error.
    stream: RawFd,
    /// What programs print into; `None` when no more of them are to: those that were left behind by others have it still.
    writer: Option<OwnedFd>,
    reader: Pipe,
    to: File,
}

thread_local! {
    static OUTLETS: RefCell<Vec<Outlet>> = const { RefCell::new(Vec::new()) };
    /// Whether there is any: most processes have none, and look at this only.
    static ANY: Cell<bool> = const { Cell::new(false) };
    /// Whether this process prints into a spool. Its children inherit that.
    static CAPTURED: Cell<bool> = const { Cell::new(false) };
}

/// From now on this process prints elsewhere: into a spool, or not any more. Whether it printed into one before.
pub(super) fn turn(captured: bool) -> bool {
    settle();
    if ANY.get() {
        OUTLETS.with_borrow_mut(|outlets| {
            outlets.iter_mut().for_each(|outlet| outlet.writer = None);
            outlets.retain_mut(Outlet::flow);
            ANY.set(!outlets.is_empty());
        });
    }
    CAPTURED.replace(captured)
}

/// In a new child: what its parent's programs print is the parent's to read.
pub(in crate::process) fn forget_all() {
    if ANY.replace(false) {
        drop(OUTLETS.take());
    }
}

/// What a program gets for the standard output or standard error of this process; `None` where that is what it gets.
///
/// # Errors
/// There is no pipe to be had.
pub fn instead_of(stream: RawFd) -> Result<Option<RawFd>> {
    if !CAPTURED.get() {
        return Ok(None);
    }
    OUTLETS.with_borrow_mut(|outlets| {
        let mut known = outlets.iter().filter(|outlet| outlet.stream == stream);
        if let Some(writer) = known.find_map(|outlet| outlet.writer.as_ref()) {
            return Ok(Some(writer.as_raw_fd()));
        }
        let outlet = Outlet::new(stream).map_err(|error| os::failed("pipe", &error))?;
        let writer = outlet.writer.as_ref().map(AsRawFd::as_raw_fd);
        outlets.push(outlet);
        ANY.set(true);
        Ok(writer)
    })
}

/// Takes over what programs have printed until now.
pub fn settle() {
    if ANY.get() {
        serve(&mut Vec::new());
    }
}

/// As [`settle`], and names what is waited for then.
pub(in crate::process) fn serve(interests: &mut Vec<Interest>) {
    if !ANY.get() {
        return;
    }
    OUTLETS.with_borrow_mut(|outlets| {
        outlets.retain_mut(Outlet::flow);
        let readers = outlets.iter().map(|outlet| outlet.reader.as_raw_fd());
        interests.extend(readers.map(Interest::Readable));
        ANY.set(!outlets.is_empty());
    });
}

/// Whether there is something to be served.
pub(in crate::process) fn is_open() -> bool {
    ANY.get()
}

/// With what flags a file is opened that may be the spool under another name (`/dev/stdout`): that is not emptied.
pub(in crate::process) fn spared(path: &str, flags: i32) -> i32 {
    if flags & libc::O_TRUNC == 0 || !CAPTURED.get() || !is_spool(path) {
        return flags;
    }
    flags & !libc::O_TRUNC | libc::O_APPEND
}

fn is_spool(path: &str) -> bool {
    let Ok(found) = std::fs::metadata(Path::new(&*name::os(path))) else {
        return false;
    };
    let is_same = |stream: io::Result<OwnedFd>| {
        let known = stream.and_then(|stream| File::from(stream).metadata());
        known.is_ok_and(|known| (known.dev(), known.ino()) == (found.dev(), found.ino()))
    };
    is_same(copy(libc::STDOUT_FILENO)) || is_same(copy(libc::STDERR_FILENO))
}

fn copy(stream: RawFd) -> io::Result<OwnedFd> {
    match stream {
        libc::STDOUT_FILENO => io::stdout().as_fd().try_clone_to_owned(),
        _ => io::stderr().as_fd().try_clone_to_owned(),
    }
}

impl Outlet {
    fn new(stream: RawFd) -> io::Result<Outlet> {
        let to = copy(stream)?.into();
        let (reader, writer) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        descriptor::widen_pipe(&reader);
        Ok(Outlet {
            stream,
            writer: Some(writer.into()),
            reader: Pipe::new(reader),
            to,
        })
    }

    /// Moves what is there now; false when nothing more can come, or can be kept.
    fn flow(&mut self) -> bool {
        let mut piece = [0; PIECE];
        for _ in 0..AT_ONCE {
            match self.reader.read(&mut piece) {
                Ok(0) => return false,
                Ok(count) => {
                    let new = piece.get(..count).unwrap_or_default();
                    if self.to.write_all(new).is_err() {
                        // The disk is full: the program learns of it by its next print.
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}

//! Where the output of a command goes besides who takes it: a file, or the standard output of this process.

use crate::diag::{Error, Field, codes};
use crate::os;
use crate::os::descriptor;
use crate::os::poll::{self, Interest};
use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Write};
use std::os::fd::AsRawFd;

/// Bytes for which a pipe or a terminal has room when it has any.
const PIECE: usize = libc::PIPE_BUF;

/// One such place.
pub(super) struct Tee {
    file: File,
    /// What messages call it.
    path: String,
    /// It has not always room, as a file of a disk has.
    waits: bool,
    is_ours: bool,
    /// What came and did not go yet.
    waiting: Vec<u8>,
    /// Why it takes no more, until that is told.
    failure: Option<IoError>,
    is_over: bool,
}

impl Tee {
    /// A file. `is_ours`: it is the standard output of this process; who has read that may be gone, which ends this process as where
    /// it prints itself.
    pub(super) fn new(file: File, path: String, is_ours: bool) -> Tee {
        let waits = file.metadata().map_or(true, |known| !known.is_file());
        Tee {
            file,
            path,
            waits,
            is_ours,
            waiting: Vec::new(),
            failure: None,
            is_over: false,
        }
    }

    /// More of the output.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if !self.is_over {
            self.waiting.extend_from_slice(bytes);
            self.push();
        }
    }

    /// Writes what there is room for.
    pub(super) fn push(&mut self) {
        let mut taken = 0;
        while let Some(rest) = self.waiting.get(taken..).filter(|rest| !rest.is_empty()) {
            let piece = match self.waits {
                true if !poll::is_met(Interest::Writable(self.file.as_raw_fd())) => break,
                true => rest.get(..PIECE).unwrap_or(rest),
                false => rest,
            };
            let written = match self.is_ours {
                true => self.file.write(piece),
                false => descriptor::write_to_pipe(self.file.as_raw_fd(), piece),
            };
            match written {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    (self.failure, self.is_over) = (Some(error), true);
                    taken = self.waiting.len();
                }
            }
        }
        self.waiting.drain(..taken);
    }

    /// What it waits for, when it holds something up.
    pub(super) fn interest(&self) -> Option<Interest> {
        (!self.waiting.is_empty()).then(|| Interest::Writable(self.file.as_raw_fd()))
    }

    /// Whether all of it has gone, and nothing is to be told.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.failure.is_none()
    }

    /// Takes its error, with what messages call it. Nothing more goes to it.
    pub(super) fn failure(&mut self) -> Option<(String, IoError)> {
        let error = self.failure.take()?;
        Some((self.path.clone(), error))
    }
}

/// The error of a file that takes no more.
pub(super) fn failed(path: &str, error: &IoError) -> Box<Error> {
    let message = format!(
        "tee: the output must go to {path:?} as well, but it cannot be written: {}",
        os::describe(error)
    );
    let error_number = i64::from(error.raw_os_error().unwrap_or(0));
    Error::new(codes::IO, message)
        .with_field("path", Field::Text(path.to_string()))
        .with_field("errno", Field::Int(error_number))
}

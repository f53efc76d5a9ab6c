//! Captured output: a nameless file in memory. Forked children write to the same one, each print in one piece, so that what
//! they print is kept as well.

use crate::diag;
use crate::os::memory;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// Output that is kept until somebody takes it.
pub(super) struct Capture {
    file: Rc<File>,
    /// Bytes that were taken.
    taken: u64,
}

/// Writes to a capture.
#[derive(Clone)]
pub(super) struct Writer(Rc<File>);

impl Capture {
    pub(super) fn new() -> diag::Result<Capture> {
        Ok(Capture {
            file: Rc::new(memory::nameless_file()?),
            taken: 0,
        })
    }

    pub(super) fn writer(&self) -> Writer {
        Writer(self.file.clone())
    }

    /// What was written since the last call. The file's offset belongs to the writers and is left alone.
    pub(super) fn take(&mut self) -> String {
        let end = self.file.metadata().map_or(self.taken, |file| file.len());
        let mut bytes = vec![0; (end - self.taken) as usize];
        if self.file.read_exact_at(&mut bytes, self.taken).is_err() {
            return String::new();
        }
        self.taken = end;
        // Gives the memory of what was taken back; if that is refused, it is only kept longer.
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let _ = fallocate(&*self.file, hole, 0, end as i64);
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Ends of pipes to programs, which only the process that started them may hold: an end that a forked child had inherited
//! would keep a program's input from ending, and its output from having nobody to read it.

use crate::os::descriptor;
use std::fs::File;
use std::io::{Read, Result, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

/// The ends that this process holds.
static HELD: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

fn with<T>(body: impl FnOnce(&mut Vec<RawFd>) -> T) -> T {
    match HELD.lock() {
        Ok(mut held) => body(&mut held),
        Err(poisoned) => body(&mut poisoned.into_inner()),
    }
}

/// An end of a pipe that never waits. In a forked child it leads nowhere.
#[derive(Debug)]
pub struct Pipe(File);

impl Pipe {
    /// Takes an end over.
    pub fn new(end: OwnedFd) -> Pipe {
        descriptor::never_wait(&end);
        with(|held| held.push(end.as_raw_fd()));
        Pipe(end.into())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let number = self.0.as_raw_fd();
        with(|held| held.retain(|&other| other != number));
    }
}

impl AsRawFd for Pipe {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        self.0.read(to)
    }
}

impl Write for Pipe {
    fn write(&mut self, from: &[u8]) -> Result<usize> {
        descriptor::write_to_pipe(self.0.as_raw_fd(), from)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// In a new child: lets go of all ends. Their numbers stay taken, because values still name them.
pub(super) fn lose_all() {
    let held = with(|held| held.clone());
    if !held.is_empty() {
        descriptor::lead_nowhere(&held);
    }
}

//! The streams of a command that runs: what goes into its first program, what comes out of the last, and what they say to their
//! standard errors.

use super::tee::Tee;
use crate::limits::MAX_STRING;
use crate::os::poll::Interest;
use crate::os::terminal;
use crate::process::programs::Pipe;
use crate::room;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// Bytes that are read first: most looks find little or nothing, and room has to be made before.
const FIRST: usize = 16 * 1024;
/// Bytes that are read from a pipe before time and signals are looked at again: a program may write faster than we read. No less
/// than a pipe holds.
const AT_ONCE: usize = 4 * CHUNK;
/// Bytes of a standard error that are kept for the error, and held back at most.
pub const TAIL: usize = 64 * 1024;

/// The way into the first program.
pub struct Feed {
    pipe: Option<Pipe>,
    /// What was given and not taken yet.
    waiting: Vec<u8>,
    /// How much of that was taken.
    taken: usize,
    /// No more will be given.
    last: bool,
    /// It leads into a terminal, which stays open: a key of it says that nothing more comes.
    terminal: bool,
    /// The last byte that was given.
    newest: Option<u8>,
}

/// What makes UTF-8 of what a program writes.
pub trait Transform {
    /// Takes the next bytes, the last ones or not, and adds what they mean; false when they mean nothing, and no more is to come.
    fn take(&mut self, raw: &[u8], is_last: bool, to: &mut Vec<u8>) -> bool;
}

/// The way out of the last program.
pub struct Source {
    pipe: Option<Pipe>,
    /// Of a terminal: what keeps it alive. A program may close its end a moment before its own, and must not be hung up then.
    alive: Option<Pipe>,
    transform: Option<Box<dyn Transform>>,
    /// What came was refused by the transform; what was there before is still to be taken.
    spoilt: bool,
    /// There was no memory for what came.
    refused: bool,
    /// What came and was not taken yet.
    ahead: Vec<u8>,
    /// How much of that was taken.
    used: usize,
    /// Read at most so far ahead.
    pub most: usize,
    /// Where it goes as well, as it comes.
    tees: Vec<Tee>,
    /// Whether somebody takes it here.
    kept: bool,
    /// Whoever takes it has closed it.
    closed: bool,
}

/// The standard error of a program.
pub struct Tail {
    pipe: Option<Pipe>,
    end: Vec<u8>,
}

impl Feed {
    pub(super) fn new(pipe: OwnedFd) -> Feed {
        Feed {
            pipe: Some(Pipe::new(pipe)),
            waiting: Vec::new(),
            taken: 0,
            last: false,
            terminal: false,
            newest: None,
        }
    }

    /// The way into a terminal.
    pub(super) fn of_terminal(keys: OwnedFd) -> Feed {
        let terminal = true;
        Feed {
            terminal,
            ..Feed::new(keys)
        }
    }

    /// Whether it leads into a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The terminal has another size now; false when it leads into none.
    pub fn resize(&self, columns: u16, rows: u16) -> bool {
        let keys = self.pipe.as_ref().filter(|_| self.terminal);
        keys.is_some_and(|keys| terminal::resize(keys.as_raw_fd(), columns, rows))
    }

    pub(super) fn wants(&self) -> bool {
        !self.last && self.pipe.is_some() && self.taken == self.waiting.len()
    }

    /// No more is given than was.
    pub(super) fn end(&mut self) {
        if self.last {
            return;
        }
        if let Some(keys) = self.pipe.as_ref().filter(|_| self.terminal) {
            let end = terminal::end_keys(keys.as_raw_fd(), self.newest);
            self.waiting.extend_from_slice(&end);
        }
        self.last = true;
        self.push();
    }

    /// What it waits for.
    pub(super) fn interest(&self) -> Option<Interest> {
        let pipe = self.pipe.as_ref().filter(|_| !self.is_empty())?;
        Some(Interest::Writable(pipe.as_raw_fd()))
    }

    /// Whether the program can still take something.
    pub fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Whether all that was given was taken.
    pub fn is_empty(&self) -> bool {
        self.pipe.is_none() || self.taken == self.waiting.len()
    }

    /// Adds to what it is given.
    pub fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        self.newest = bytes.last().copied().or(self.newest);
    }

    /// Bytes that were given and not taken.
    pub fn left(&self) -> usize {
        self.waiting.len() - self.taken
    }

    /// Writes what the pipe takes now.
    pub fn push(&mut self) {
        let Some(pipe) = &mut self.pipe else {
            return;
        };
        while let Some(rest) = self
            .waiting
            .get(self.taken..)
            .filter(|rest| !rest.is_empty())
        {
            match pipe.write(rest) {
                Ok(count) => self.taken += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // It reads no more: that is its own affair.
                Err(_) => {
                    self.pipe = None;
                    return;
                }
            }
        }
        self.waiting.clear();
        self.taken = 0;
        if self.last {
            self.pipe = None;
        }
    }
}

/// Reads what is there now into `to`, at most `most` bytes; closes the pipe at its end.
/// False, with nothing lost, when there is no memory for it.
fn pull(pipe: &mut Option<Pipe>, to: &mut Vec<u8>, most: usize) -> bool {
    let Some(file) = pipe else {
        return true;
    };
    let (mut left, mut piece) = (most, FIRST);
    while left > 0 {
        let before = to.len();
        if !room::reserve(to, piece.min(left)) {
            return false;
        }
        to.resize(before + piece.min(left), 0);
        piece = CHUNK;
        let result = file.read(to.get_mut(before..).unwrap_or_default());
        to.truncate(before + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => {
                *pipe = None;
                return true;
            }
            Ok(count) => left -= count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => {
                *pipe = None;
                return true;
            }
        }
    }
    true
}

impl Source {
    pub(super) fn new(pipe: OwnedFd) -> Source {
        Source {
            pipe: Some(Pipe::new(pipe)),
            alive: None,
            transform: None,
            spoilt: false,
            refused: false,
            ahead: Vec::new(),
            used: 0,
            most: MAX_STRING + 1,
            tees: Vec::new(),
            kept: true,
            closed: false,
        }
    }

    /// What a terminal shows; `alive` is what keeps it, as long as this.
    pub(super) fn of_terminal(keys: OwnedFd, alive: OwnedFd) -> Source {
        Source {
            alive: Some(Pipe::new(alive)),
            ..Source::new(keys)
        }
    }

    /// From now on it goes there as well.
    pub(super) fn add_tee(&mut self, tee: Tee) {
        self.tees.push(tee);
    }

    /// Whether it goes somewhere else as well, and more may.
    pub fn has_tees(&self) -> bool {
        !self.tees.is_empty()
    }

    /// Nobody takes it here, from now on.
    pub fn keep_nothing(&mut self) {
        self.kept = false;
        (self.ahead, self.used) = (Vec::new(), 0);
    }

    /// Whether somebody takes it here.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Whether it was closed here.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes the first error of where it goes as well.
    pub(super) fn tee_failure(&mut self) -> Option<(String, std::io::Error)> {
        self.tees.iter_mut().find_map(Tee::failure)
    }

    /// Reads what is there now, as far ahead as it may, and no faster than where it goes as well takes it.
    pub(super) fn flow(&mut self) {
        self.move_on();
        if self.pipe.is_none() {
            // Who reads the other end of a pipe by name comes to its end.
            self.tees.retain(|tee| !tee.is_done());
        }
    }

    fn move_on(&mut self) {
        self.tees.iter_mut().for_each(Tee::push);
        if self.is_held_up() {
            return;
        }
        let room = self.most.saturating_sub(self.rest().len()).min(AT_ONCE);
        let Some(transform) = self.transform.as_mut().filter(|_| self.pipe.is_some()) else {
            let before = self.ahead.len();
            if !pull(&mut self.pipe, &mut self.ahead, room) {
                (self.refused, self.pipe) = (true, None);
            }
            let new = self.ahead.get(before..).unwrap_or_default();
            self.tees.iter_mut().for_each(|tee| tee.add(new));
            if !self.kept {
                self.ahead.clear();
            }
            return;
        };
        let mut raw = Vec::new();
        let is_pulled = pull(&mut self.pipe, &mut raw, room);
        self.tees.iter_mut().for_each(|tee| tee.add(&raw));
        if self.kept && !transform.take(&raw, self.pipe.is_none(), &mut self.ahead) {
            (self.spoilt, self.pipe) = (true, None);
        }
        if !is_pulled {
            (self.refused, self.pipe) = (true, None);
        }
    }

    /// Whether there was no memory for what came.
    pub fn was_refused(&self) -> bool {
        self.refused
    }

    /// Whether something of it has not gone yet where it goes as well.
    pub fn is_held_up(&self) -> bool {
        self.tees.iter().any(|tee| tee.interest().is_some())
    }

    /// What it waits for.
    pub(super) fn interests(&self, interests: &mut Vec<Interest>) {
        interests.extend(self.tees.iter().filter_map(Tee::interest));
        if let Some(pipe) = &self.pipe
            && !self.is_held_up()
            && self.rest().len() < self.most
        {
            interests.push(Interest::Readable(pipe.as_raw_fd()));
        }
    }

    /// From now on what comes is made UTF-8 by this.
    pub fn transform(&mut self, transform: impl Transform + 'static) {
        self.transform = Some(Box::new(transform));
    }

    /// Whether something was refused by the transform.
    pub fn was_spoilt(&self) -> bool {
        self.spoilt
    }

    /// Whether what could be read is taken, and what came behind it was refused.
    pub fn is_spoilt(&self) -> bool {
        self.spoilt && self.rest().is_empty()
    }

    /// Whether nothing more can come than what is there.
    pub fn is_over(&self) -> bool {
        self.pipe.is_none() && !self.is_held_up()
    }

    /// What came and was not taken yet.
    pub fn rest(&self) -> &[u8] {
        self.ahead.get(self.used..).unwrap_or_default()
    }

    /// Takes so many bytes, or all there are.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        if self.used == 0 && count >= self.ahead.len() {
            return std::mem::take(&mut self.ahead);
        }
        let end = self.used.saturating_add(count).min(self.ahead.len());
        let taken = self.ahead.get(self.used..end).unwrap_or_default().to_vec();
        self.used = end;
        if self.used >= self.ahead.len().max(CHUNK) / 2 {
            self.ahead.drain(..self.used);
            self.used = 0;
        }
        taken
    }

    /// Closes it: a program that writes on gets SIGPIPE.
    pub fn close(&mut self) {
        (self.pipe, self.alive, self.closed) = (None, None, true);
        self.tees.clear();
        self.ahead = Vec::new();
        self.used = 0;
    }
}

impl Tail {
    pub(super) fn new(pipe: OwnedFd) -> Tail {
        Tail {
            pipe: Some(Pipe::new(pipe)),
            end: Vec::new(),
        }
    }

    /// Reads what is there now, which goes to `new` as well.
    pub(super) fn flow(&mut self, new: &mut Vec<u8>) {
        let before = self.end.len();
        pull(&mut self.pipe, &mut self.end, CHUNK);
        new.extend_from_slice(self.end.get(before..).unwrap_or_default());
        let surplus = self.end.len().saturating_sub(TAIL);
        self.end.drain(..surplus);
    }

    /// The end of what came.
    pub(super) fn end(&self) -> &[u8] {
        &self.end
    }

    /// What it waits for.
    pub(super) fn interest(&self) -> Option<Interest> {
        let pipe = self.pipe.as_ref()?;
        Some(Interest::Readable(pipe.as_raw_fd()))
    }
}

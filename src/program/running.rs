//! A command while it runs: what flows to and from it, and how it ends.
//!
//! All pipes are served from one wait, so none can fill up while another is waited for, at any size.

use super::command::{Command, Stage};
use crate::diag::Result;
use crate::limits::MAX_STRING;
use crate::os::clock;
use crate::os::fork::WaitStatus;
use crate::os::poll::Interest;
use crate::process::programs::{self, JobId, Pipe};
use crate::process::wait::{self, Program};
use crate::source::Span;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// Bytes that are read from a pipe before time and signals are looked at again: a program may write faster than we read. No less
/// than a pipe holds.
const AT_ONCE: usize = 4 * CHUNK;
/// Bytes of a standard error that are kept for the error, and held back at most.
pub const TAIL: usize = 64 * 1024;

/// What a wait for a command came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pumped {
    /// What was waited for is there.
    Done,
    /// More input is wanted: [`Running::give`] some, or [`Running::end_input`].
    WantsInput,
    /// It complains: [`Running::complaints`] are to be passed on.
    Complains,
    /// Its time is over.
    OutOfTime,
}

/// The way into the first program.
pub struct Feed {
    pipe: Option<Pipe>,
    /// What was given and not taken yet.
    waiting: Vec<u8>,
    /// How much of that was taken.
    taken: usize,
    /// No more will be given.
    last: bool,
}

/// What makes UTF-8 of what a program writes.
pub trait Transform {
    /// Takes the next bytes, the last ones or not, and adds what they mean; false when they mean nothing, and no more is to come.
    fn take(&mut self, raw: &[u8], is_last: bool, to: &mut Vec<u8>) -> bool;
}

/// The way out of the last program.
pub struct Source {
    pipe: Option<Pipe>,
    transform: Option<Box<dyn Transform>>,
    /// What came was refused by the transform; what was there before is still to be taken.
    spoilt: bool,
    /// What came and was not taken yet.
    pub ahead: Vec<u8>,
    /// How much of that was taken.
    pub used: usize,
    /// Read at most so far ahead.
    pub most: usize,
}

/// The standard error of a program.
pub struct Tail {
    pipe: Option<Pipe>,
    end: Vec<u8>,
}

/// A command that runs. Dropping it ends everything that it started.
pub struct Running {
    job: JobId,
    /// The process that started it: in a child that inherited it, it is no more than a memory.
    owner: u32,
    /// Its programs.
    pub stages: Vec<Stage>,
    /// What messages call it.
    pub label: Rc<str>,
    /// The process id of its first program.
    pub pid: i32,
    /// Seconds that it may take, for messages.
    pub seconds: f64,
    deadline: Option<u64>,
    /// The way in.
    pub feed: Option<Feed>,
    /// The way out.
    pub output: Option<Source>,
    /// What all of its programs say to their standard errors, where somebody reads it.
    pub errors: Option<Source>,
    pub(super) tails: Vec<Option<Tail>>,
    /// So many bytes of the standard errors are held back.
    pub held: usize,
    /// Whether more input is asked for when it has taken what it was given.
    pub asks: bool,
    /// What of the standard errors is to be passed on.
    complaints: Vec<u8>,
    /// Somebody else ends it.
    released: bool,
}

impl Feed {
    pub(super) fn new(pipe: OwnedFd) -> Feed {
        Feed {
            pipe: Some(Pipe::new(pipe)),
            waiting: Vec::new(),
            taken: 0,
            last: false,
        }
    }

    fn wants(&self) -> bool {
        self.pipe.is_some() && self.taken == self.waiting.len()
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
fn pull(pipe: &mut Option<Pipe>, to: &mut Vec<u8>, most: usize) {
    let Some(file) = pipe else {
        return;
    };
    let mut room = most;
    while room > 0 {
        let before = to.len();
        to.resize(before + CHUNK.min(room), 0);
        let result = file.read(to.get_mut(before..).unwrap_or_default());
        to.truncate(before + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => {
                *pipe = None;
                return;
            }
            Ok(count) => room -= count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => {
                *pipe = None;
                return;
            }
        }
    }
}

impl Source {
    pub(super) fn new(pipe: OwnedFd) -> Source {
        Source {
            pipe: Some(Pipe::new(pipe)),
            transform: None,
            spoilt: false,
            ahead: Vec::new(),
            used: 0,
            most: MAX_STRING + 1,
        }
    }

    /// Reads what is there now, as far ahead as it may.
    fn flow(&mut self) {
        let room = self.most.saturating_sub(self.rest().len());
        let Some(transform) = self.transform.as_mut().filter(|_| self.pipe.is_some()) else {
            pull(&mut self.pipe, &mut self.ahead, room.min(AT_ONCE));
            return;
        };
        let mut raw = Vec::new();
        pull(&mut self.pipe, &mut raw, room.min(AT_ONCE));
        if !transform.take(&raw, self.pipe.is_none(), &mut self.ahead) {
            (self.spoilt, self.pipe) = (true, None);
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
        self.pipe.is_none()
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
        self.pipe = None;
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
}

impl Running {
    pub(super) fn new(job: JobId, command: &Command, deadline: Option<u64>) -> Running {
        Running {
            job,
            owner: std::process::id(),
            stages: command.stages.clone(),
            label: command.label().into(),
            pid: 0,
            seconds: command.timeout.unwrap_or(0.0),
            deadline,
            feed: None,
            output: None,
            errors: None,
            tails: Vec::new(),
            held: 0,
            asks: true,
            complaints: Vec::new(),
            released: false,
        }
    }

    /// Whether this process started it.
    pub fn is_own(&self) -> bool {
        self.owner == std::process::id()
    }

    /// When it is ended (monotonic nanoseconds).
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// Whether its time was over while it ran, and it was told to end.
    pub fn is_late(&self) -> bool {
        programs::is_late(self.job)
    }

    /// Whether its time is over and it has not ended: neither its programs, nor what they left behind and what holds its output.
    pub fn has_had_its_time(&mut self) -> bool {
        if self.deadline.is_none_or(|deadline| deadline > clock::now()) {
            return false;
        }
        if self.is_late() || !self.is_over() {
            return true;
        }
        // It has ended in time: what it wrote until then may be read later.
        if let Some(output) = &mut self.output {
            let most = std::mem::replace(&mut output.most, usize::MAX);
            output.flow();
            output.most = most;
            if !output.is_over() {
                return true;
            }
        }
        self.deadline = None;
        false
    }

    /// Its programs, as the table of programs knows them.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// How reports name it.
    pub fn program(&self) -> Program<'_> {
        Program {
            label: &self.label,
            pid: self.pid,
        }
    }

    /// From now on somebody else ends it.
    pub fn release(&mut self) {
        self.released = true;
    }

    /// Bytes of its standard errors that were not passed on.
    pub fn held_back(&self) -> usize {
        self.complaints.len()
    }

    /// How its programs have ended, those that have.
    pub fn statuses(&self) -> Vec<Option<WaitStatus>> {
        programs::statuses(self.job)
    }

    /// Whether all of its programs have ended.
    pub fn is_over(&self) -> bool {
        self.released || self.statuses().iter().all(Option::is_some)
    }

    /// What it said to its standard errors and is not passed on yet.
    pub fn complaints(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.complaints)
    }

    /// The end of what a program said to its standard error.
    pub fn last_words(&self, stage: usize) -> &[u8] {
        match self.tails.get(stage) {
            Some(Some(tail)) => &tail.end,
            _ => &[],
        }
    }

    /// Gives it input.
    pub fn give(&mut self, bytes: &[u8]) {
        if let Some(feed) = &mut self.feed {
            feed.add(bytes);
            feed.push();
        }
    }

    /// It gets no more input than it was given.
    pub fn end_input(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.last = true;
            feed.push();
        }
    }

    /// Moves what can be moved without waiting.
    fn flow(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.push();
        }
        for source in [&mut self.output, &mut self.errors].into_iter().flatten() {
            source.flow();
        }
        for tail in self.tails.iter_mut().flatten() {
            let before = tail.end.len();
            pull(&mut tail.pipe, &mut tail.end, CHUNK);
            let new = tail.end.get(before..).unwrap_or_default();
            self.complaints.extend_from_slice(new);
            let surplus = tail.end.len().saturating_sub(TAIL);
            tail.end.drain(..surplus);
        }
    }

    /// What it waits for.
    fn interests(&self, interests: &mut Vec<Interest>) {
        if let Some(Feed {
            pipe: Some(pipe), ..
        }) = &self.feed
            && !self.feed.as_ref().is_some_and(Feed::is_empty)
        {
            interests.push(Interest::Writable(pipe.as_raw_fd()));
        }
        for source in [&self.output, &self.errors].into_iter().flatten() {
            if let Some(pipe) = &source.pipe
                && source.rest().len() < source.most
            {
                interests.push(Interest::Readable(pipe.as_raw_fd()));
            }
        }
        for pipe in self
            .tails
            .iter()
            .flatten()
            .filter_map(|tail| tail.pipe.as_ref())
        {
            interests.push(Interest::Readable(pipe.as_raw_fd()));
        }
        if !self.released {
            interests.extend(programs::interests(self.job));
        }
    }

    /// Moves what can be moved without waiting, and names what its pipes wait for then.
    pub fn serve(&mut self, interests: &mut Vec<Interest>) {
        self.flow();
        self.interests(interests);
    }

    /// Lets it run until `done`, serving all of its pipes.
    ///
    /// # Errors
    /// `Interrupted` and `Cancelled`.
    pub fn pump(
        &mut self,
        place: Option<Span>,
        deadline: Option<u64>,
        mut done: impl FnMut(&mut Running) -> bool,
    ) -> Result<Pumped> {
        let label = self.label.clone();
        let program = Program {
            label: &label,
            pid: self.pid,
        };
        let pumped = wait::outside(program, place, deadline, |interests| {
            loop {
                let known = programs::known_ends(self.job);
                if let Some(pumped) = self.look(&mut done) {
                    return Ok(Some(pumped));
                }
                interests.clear();
                self.interests(interests);
                // Another thread of a host looks after all programs too, and may have learned of an end since we looked: nothing
                // would tell us of it any more.
                if programs::known_ends(self.job) == known {
                    return Ok(None);
                }
            }
        })?;
        Ok(pumped.unwrap_or(Pumped::OutOfTime))
    }

    /// Serves the pipes; what ends the pumping, if something does.
    fn look(&mut self, done: &mut impl FnMut(&mut Running) -> bool) -> Option<Pumped> {
        self.flow();
        if self.complains() {
            return Some(Pumped::Complains);
        }
        if done(self) {
            return Some(Pumped::Done);
        }
        let feed = self.feed.as_ref().filter(|_| self.asks);
        feed.is_some_and(|feed| feed.wants() && !feed.last)
            .then_some(Pumped::WantsInput)
    }

    fn complains(&self) -> bool {
        self.complaints.len() > self.held
    }

    /// Reads what its standard errors still hold. Who has inherited them and lives on is not waited for.
    pub fn drain_errors(&mut self) {
        self.flow();
    }

    /// Ends everything that it started.
    pub fn end(&mut self) {
        if self.is_own() && !self.released {
            self.released = true;
            self.feed = None;
            self.output = None;
            self.errors = None;
            if self.statuses_open() {
                programs::end(self.job);
            }
            programs::forget(self.job);
        }
    }

    fn statuses_open(&self) -> bool {
        programs::statuses(self.job).iter().any(Option::is_none)
    }

    /// Ends what it left behind too, as after a time-out.
    pub fn end_with_all(&mut self) {
        if self.is_own() && !self.released {
            programs::end(self.job);
            self.end();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

//! A command while it runs: what flows to and from it, and how it ends.
//!
//! All pipes are served from one wait, so none can fill up while another is waited for, at any size.

use super::command::{Command, Stage};
use super::streams::{Feed, Source, Tail};
use super::{failure, tee};
use crate::diag::Result;
use crate::os::fork::{self, WaitStatus};
use crate::os::poll::Interest;
use crate::os::{clock, signal};
use crate::process::programs::{self, JobId};
use crate::process::signals;
use crate::process::wait::{self, Program};
use crate::source::Span;
use std::rc::Rc;

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

/// A command that runs. Dropping it ends everything that it started.
pub struct Running {
    job: JobId,
    /// The process that started it: in a child that inherited it, it is no more than a memory.
    owner: i32,
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
    /// It has the terminal that this process has: what it does of the keys is its business first.
    pub(super) shares_keys: bool,
    /// Somebody else ends it.
    released: bool,
}

impl Running {
    pub(super) fn new(job: JobId, command: &Command, deadline: Option<u64>) -> Running {
        Running {
            job,
            owner: fork::pid(),
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
            shares_keys: false,
            released: false,
        }
    }

    /// Whether this process started it.
    pub fn is_own(&self) -> bool {
        self.owner == fork::pid()
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
        let is_held = self.is_held_open();
        if !is_held {
            self.deadline = None;
        }
        is_held
    }

    /// Whether somebody may write to its outputs still, once all is read that it has written itself.
    fn is_held_open(&mut self) -> bool {
        let sources = [&mut self.output, &mut self.errors].into_iter().flatten();
        let mut held = false;
        for source in sources {
            let most = std::mem::replace(&mut source.most, usize::MAX);
            source.flow();
            source.most = most;
            held |= !source.is_over();
        }
        held
    }

    /// Of one that somebody else ends, after it has ended in time: when its time is over too, and what it left behind holds its outputs
    /// open, that is ended.
    ///
    /// # Errors
    /// `Timeout` then, once.
    pub fn check_rest(&mut self) -> Result<()> {
        if self.deadline.is_none_or(|deadline| deadline > clock::now()) {
            return Ok(());
        }
        self.deadline = None;
        if !self.is_held_open() {
            return Ok(());
        }
        let error = failure::out_of_time(self);
        programs::end_rest(self.job);
        Err(error)
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

    /// Looks what it has done of the keys that were left to it, once it has ended.
    ///
    /// # Errors
    /// `Interrupted`, when it has ended by a Ctrl-C.
    pub fn check_keys(&mut self) -> Result<()> {
        if self.shares_keys {
            self.look_at_keys();
        }
        signals::check_urgent()
    }

    /// Bytes of its standard errors that were not passed on.
    pub fn held_back(&self) -> usize {
        self.complaints.len()
    }

    /// How its programs have ended, those that have.
    pub fn statuses(&self) -> Vec<Option<WaitStatus>> {
        programs::statuses(self.job)
    }

    /// Refuses to go on where a file that its output goes to as well takes no more; told once.
    ///
    /// # Errors
    /// `IoError`.
    pub fn check_tees(&mut self) -> Result<()> {
        let failure = self.output.as_mut().and_then(Source::tee_failure);
        match failure {
            Some((path, error)) => Err(tee::failed(&path, &error)),
            None => Ok(()),
        }
    }

    /// Whether all of its programs have ended.
    pub fn is_over(&self) -> bool {
        self.released || self.statuses().iter().all(Option::is_some)
    }

    /// What it said to its standard errors and is not passed on yet.
    pub fn complaints(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.complaints)
    }

    /// Takes back what could not be passed on, to be so later.
    pub fn take_back(&mut self, complaints: &[u8]) {
        self.complaints.splice(..0, complaints.iter().copied());
    }

    /// The end of what a program said to its standard error.
    pub fn last_words(&self, stage: usize) -> &[u8] {
        match self.tails.get(stage) {
            Some(Some(tail)) => tail.end(),
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
            feed.end();
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
            tail.flow(&mut self.complaints);
        }
    }

    /// What it waits for.
    fn interests(&self, interests: &mut Vec<Interest>) {
        interests.extend(self.feed.as_ref().and_then(Feed::interest));
        for source in [&self.output, &self.errors].into_iter().flatten() {
            source.interests(interests);
        }
        let tails = self.tails.iter().flatten();
        interests.extend(tails.filter_map(Tail::interest));
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
        if self.shares_keys {
            self.look_at_keys();
        }
        if self.complains() {
            return Some(Pumped::Complains);
        }
        if done(self) {
            return Some(Pumped::Done);
        }
        let feed = self.feed.as_ref().filter(|_| self.asks);
        feed.is_some_and(Feed::wants).then_some(Pumped::WantsInput)
    }

    /// Takes the keys of the terminal back when no program is left that could deal with them, though what is left of it may hold its
    /// output open.
    fn look_at_keys(&mut self) {
        let statuses = self.statuses();
        match statuses.last() {
            Some(Some(status)) if statuses.iter().all(Option::is_some) => {
                signals::take_keys_back(*status);
                self.shares_keys = false;
            }
            // Nobody deals with it.
            _ if signal::was_key_left() && programs::ignore_interrupt(self.job) => {
                signal::take_key()
            }
            _ => {}
        }
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

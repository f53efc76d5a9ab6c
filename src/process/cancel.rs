//! Cancelling a process: it gets an error, wherever it is, so that it can clean up.

use super::record::{ASKED, OBSERVED, Record, Status};
use super::spawn::Process;
use super::{doom, signals};
use crate::arena;
use crate::diag::Result;
use crate::os::clock;
use crate::source::Span;

impl Process {
    /// Raises `Cancelled` in it, so that its `finally` and `defer` run; kills it when it has not ended after `grace`
    /// seconds. True when it ended by itself.
    pub fn cancel(&self, grace: f64, place: Option<Span>) -> Result<bool> {
        if !self.alive() {
            return Ok(true);
        }
        // It may be gone before we wait for it, and what it ends with is ours to know.
        let record = Record::of(self.hold().object());
        record.flag(OBSERVED);
        // Whatever becomes of us meanwhile. Its parent, which hears of it, may then be faster than we are in asking.
        let (was_asked, obeys) = (record.flags() & ASKED != 0, record.is_obeying());
        let until = clock::deadline(grace);
        doom::process_at(until, self);
        // Who cleans up already is not disturbed again.
        if !obeys && (was_asked || record.is_first_to_ask()) {
            self.ask_to_cancel();
            record.obey(until);
        }
        if self.wait(Some(grace), place)? {
            doom::spare(self);
            // Its grace may have been over sooner than this wait.
            return Ok(record.status() != Status::Killed(libc::SIGKILL));
        }
        self.kill();
        self.wait(None, place)?;
        Ok(false)
    }

    /// Says that its end is known: a failure of it is no news any more.
    pub fn observe(&self) {
        Record::of(self.hold().object()).flag(OBSERVED);
    }

    /// The first half of [`Process::cancel`]: marks and wakes it. False when it is not alive.
    pub fn ask_to_cancel(&self) -> bool {
        self.mark() && self.tell()
    }

    /// Marks it: it gets the error wherever it looks next. False when it is not alive.
    fn mark(&self) -> bool {
        let record = Record::of(self.hold().object());
        if self.is_program() {
            record.obey(clock::deadline(signals::GRACE));
            return true;
        }
        match (arena::get(), record.slot()) {
            (Some(arena), Some(process)) => self.alive() && signals::mark(arena, process, record),
            _ => false,
        }
    }

    /// Wakes it when it was marked. False when it is not alive.
    fn tell(&self) -> bool {
        let record = Record::of(self.hold().object());
        if self.is_program() {
            return self.terminate();
        }
        match (arena::get(), record.slot()) {
            (Some(arena), Some(process)) => signals::tell(arena, process, record),
            _ => false,
        }
    }

    /// As [`Process::ask_to_cancel`], but once: what cleans up already is not disturbed again.
    pub fn ask_to_end(&self) -> bool {
        match self.is_to_be_asked() {
            true => self.ask_to_cancel(),
            false => self.alive(),
        }
    }

    /// As [`Process::ask_to_end`] for several. All are marked before any is woken: else one whose wait ends because another has obeyed would
    /// begin to clean up in order, and get its own error in the middle of that.
    pub fn ask_all_to_end<'a>(processes: impl IntoIterator<Item = &'a Process>) {
        let is_marked = |process: &&Process| process.is_to_be_asked() && process.mark();
        let marked: Vec<&Process> = processes.into_iter().filter(is_marked).collect();
        for process in marked {
            process.tell();
        }
    }

    /// Whether it was told to end by Ctrl-C: a `Cancelled` with which it ends is no failure of its own.
    pub fn was_interrupted(&self) -> bool {
        let record = Record::of(self.hold().object());
        record.flags() & ASKED != 0 && signals::was_interrupted(&record)
    }

    fn is_to_be_asked(&self) -> bool {
        let record = Record::of(self.hold().object());
        match self.is_program() {
            true => !record.is_obeying(),
            false => record.is_first_to_ask(),
        }
    }
}

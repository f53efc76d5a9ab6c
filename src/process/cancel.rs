//! Cancelling a process: it gets an error, wherever it is, so that it can clean up.

use super::record::{ASKED, OBSERVED, Record};
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
            return Ok(true);
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
        if self.is_program() {
            Record::of(self.hold().object()).obey(clock::deadline(signals::GRACE));
            return self.terminate();
        }
        let (Some(arena), Some(process)) = (arena::get(), Record::of(self.hold().object()).slot())
        else {
            return false;
        };
        if !self.alive() {
            return false;
        }
        signals::cancel(arena, process, Record::of(self.hold().object()))
    }

    /// As [`Process::ask_to_cancel`], but once: what cleans up already is not disturbed again.
    pub fn ask_to_end(&self) -> bool {
        let record = Record::of(self.hold().object());
        let asks = match self.is_program() {
            true => !record.is_obeying(),
            false => record.is_first_to_ask(),
        };
        if asks {
            self.ask_to_cancel()
        } else {
            self.alive()
        }
    }
}

//! What the journal of a map is told that reads its source: items when they are read, results as soon as they are there, wherever this
//! process waits. What an earlier run has finished is not handed in.

use super::Stream;
use super::part::Part;
use crate::builtins::pool::journal::read_ahead::Journal;
use crate::diag::{Error, Result};
use crate::os::clock;
use crate::value::Value;
use crate::value::native::{Context, Fault, Outcome};

/// Nanoseconds between two looks at hand-outs that are at work.
pub(super) const LOOK_EVERY: u64 = 50_000_000;
/// Results of an earlier run that are taken together.
const MOST_KEPT: usize = 4_096;

impl Stream {
    /// Opens its journal.
    pub(super) fn open_journal(
        &self,
        context: &mut dyn Context,
        path: &str,
        function: Value,
    ) -> Outcome<()> {
        let construct = match self.plan.method {
            "starmap" => "starmap",
            _ => "map",
        };
        let journal = Journal::of_map(context, construct, path, function, self.stream)?;
        *self.journal.borrow_mut() = Some(journal);
        Ok(())
    }

    /// Whether it has one.
    pub(super) fn has_journal(&self) -> bool {
        self.journal
            .try_borrow()
            .map_or(true, |journal| journal.is_some())
    }

    /// Takes note of an item that was read. True when an earlier run has finished it: its result is there.
    pub(super) fn was_finished(&self, context: &mut dyn Context, item: Value) -> Outcome<bool> {
        let index = self.read.get();
        let found = match &mut *self.journal.borrow_mut() {
            Some(journal) => journal.read(context, index, item),
            None => return Ok(false),
        };
        let kept = match found {
            Ok(Some(kept)) => kept,
            Ok(None) => return Ok(false),
            Err(fault) => return Err(self.blame(context, fault, item)),
        };
        // The items of a hand-out follow one another.
        self.hand_in_draft()?;
        self.kept.borrow_mut().push_back((index, kept));
        self.read.set(index + 1);
        Ok(true)
    }

    /// Whether results of an earlier run are to be taken before more is read.
    pub(super) fn has_many_kept(&self) -> bool {
        self.kept.borrow().len() >= MOST_KEPT
    }

    /// Whether there may be something to be written down.
    pub(super) fn is_keeping_due(&self) -> bool {
        self.has_journal()
            && (clock::now() >= self.keep_at.get()
                || self
                    .running
                    .try_borrow()
                    .is_ok_and(|running| running.iter().any(Part::is_over_and_not_kept)))
    }

    /// Writes down what is finished of all hand-outs.
    pub(super) fn keep(&self) -> Result<()> {
        let (Ok(mut journal), Ok(mut running)) =
            (self.journal.try_borrow_mut(), self.running.try_borrow_mut())
        else {
            return Ok(());
        };
        let Some(journal) = &mut *journal else {
            return Ok(());
        };
        running.iter_mut().for_each(|part| part.keep(journal));
        self.keep_at.set(clock::now() + LOOK_EVERY);
        journal.keep()
    }

    /// Writes down what is finished of one that is nowhere else any more.
    pub(super) fn keep_part(&self, part: &mut Part) -> Result<()> {
        match &mut *self.journal.borrow_mut() {
            Some(journal) => {
                part.keep(journal);
                journal.keep()
            }
            None => Ok(()),
        }
    }

    /// The same where nobody can be told that it failed but the map: that ends.
    pub(super) fn keep_meanwhile(&self) {
        if let Err(error) = self.keep() {
            self.break_down(error);
        }
    }

    /// Nothing more is read: what has failed meanwhile is raised when the reading is over.
    pub(super) fn break_down(&self, error: Box<Error>) {
        self.drained.set(true);
        if let Ok(mut broken) = self.broken.try_borrow_mut() {
            broken.get_or_insert(Fault::Error(error));
        }
    }

    /// At the end of the map.
    pub(super) fn end_journal(&self) -> Result<()> {
        let kept = self.keep();
        match self.journal.borrow_mut().take() {
            Some(mut journal) => journal.end().and(kept),
            None => kept,
        }
    }
}

impl Part {
    /// Tells a journal of the results that it does not know.
    pub(super) fn keep(&mut self, journal: &mut Journal) {
        let Some(job) = &self.parcel.job else {
            return;
        };
        self.is_kept = self.handle.future.state().is_final();
        self.kept.resize(job.total() as usize, false);
        for (at, kept) in (0..).zip(&mut self.kept) {
            *kept = *kept || journal.put(self.first + at, job.result(at));
        }
    }

    /// Whether it has ended since the journal was told of it last.
    fn is_over_and_not_kept(&self) -> bool {
        !self.is_kept && self.handle.future.state().is_final()
    }
}

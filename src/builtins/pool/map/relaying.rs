//! A `pool map` whose items' prints are told in their order: each worker prints into a spool that the calling process has too.

use super::super::relay::Relay;
use super::Map;
use crate::diag::Result;
use crate::process::pool::spool::{Capture, Spool};
use crate::value::native::{Context, Outcome};

/// Stands behind every item: what a worker's `exit` prints.
const LAST: u64 = u64::MAX;

/// What is printed, and how far it was told.
#[derive(Default)]
pub(super) struct Relaying {
    relay: Relay,
    /// The spools of the workers by number. Who takes the place of a dead one goes on with its spool.
    spools: Vec<Spool>,
    /// Items finished when it was looked at last.
    seen: u64,
    /// All items before this one are finished.
    finished: u64,
}

impl Relaying {
    /// Before a worker is made: its spool is there.
    pub(super) fn make_room(&mut self, worker: u64) -> Result<()> {
        while self.spools.len() as u64 <= worker {
            self.spools.push(Spool::new()?);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<()> {
        for spool in &mut self.spools {
            self.relay.take(spool)?;
        }
        Ok(())
    }
}

impl Map {
    /// In a worker: from here on it prints into its spool.
    pub(super) fn capture(&self, worker: u64) -> Result<Option<Capture>> {
        let relaying = self.relaying.as_ref();
        let spool = relaying.and_then(|relaying| relaying.spools.get(worker as usize));
        spool.map(Capture::into).transpose()
    }

    /// Whether items were finished since it was told last what they have printed.
    pub(super) fn is_relay_behind(&self) -> bool {
        let mut relaying = self.relaying.iter();
        relaying.any(|relaying| relaying.seen != self.job.done())
    }

    /// Tells what the items have printed that are finished, up to the first that is not.
    pub(super) fn relay(&mut self, context: &mut dyn Context) -> Outcome<()> {
        let Some(relaying) = &mut self.relaying else {
            return Ok(());
        };
        relaying.seen = self.job.done();
        // Before the marks are looked at, which are written before an item is finished.
        relaying.finished = self.job.first_unfinished(relaying.finished);
        relaying.take()?;
        match relaying.finished.checked_sub(1) {
            Some(last) => relaying.relay.print(context, last),
            None => Ok(()),
        }
    }

    /// After the end of a worker: what it has printed since its last mark belongs to the item that it was at.
    pub(super) fn mark_last_prints(&self, worker: u64, item: Option<u64>) -> Result<()> {
        let relaying = self.relaying.as_ref();
        match relaying.and_then(|relaying| relaying.spools.get(worker as usize)) {
            Some(spool) => spool.mark(item.unwrap_or(LAST)),
            None => Ok(()),
        }
    }

    /// When the workers have ended: tells the rest. What items behind a `break` have printed is dropped with their results.
    pub(super) fn relay_rest(
        &mut self,
        context: &mut dyn Context,
        broken_at: Option<u64>,
        outcome: &Outcome<()>,
    ) -> Outcome<()> {
        let Some(relaying) = &mut self.relaying else {
            return Ok(());
        };
        relaying.relay.ends_by(outcome);
        // What came since the last marks, from processes that have outlived their items.
        for spool in &relaying.spools {
            spool.mark(LAST)?;
        }
        relaying.take()?;
        relaying.relay.print(context, broken_at.unwrap_or(LAST))
    }
}

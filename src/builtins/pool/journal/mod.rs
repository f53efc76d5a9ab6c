//! Journals of maps: `pool map(journal: "run.par-journal")` writes down what comes of each item, and the same map goes on
//! where it stood after its process was killed or the machine lost its power.
//!
//! The file (`log`) begins with what it is. Then come frames: the first has the key of the map (see [`key`]), each other one the result
//! of an item, or what an item is that was read from a source. A frame is its length, its kind, an item's index, a checksum of all that, and what it holds. One process
//! writes, the one that called the map, and only at the end; so what a death leaves is whole but for its tail, which is cut off.
//! What a disk has damaged in the middle is passed over, and told: the frames behind it stand.
//!
//! Each frame is written by one `write`, so it survives the death of every process at once. It survives a power cut
//! when it has been brought to the disk: every second, and at the end of the map.

mod content;
pub mod key;
pub mod lasting;
mod log;
pub mod read_ahead;

use crate::diag::Result;
use crate::process::pool::job::Job;
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Context, Outcome};
use key::Key;
pub use lasting::check_lasting;
use log::{Log, put_result};

/// The journal of a map that runs, whose items are all at hand.
pub struct Journal {
    log: Log,
    /// Which items are in it.
    kept: Vec<bool>,
    /// All items before this one are in it.
    low: u64,
    /// Items finished when it was looked at last.
    seen: u64,
}

impl Journal {
    /// Opens the journal of a map of a function over items, whose random numbers follow from `stream`, and puts the results in it into
    /// the job.
    pub fn of_map(
        context: &mut dyn Context,
        construct: &str,
        path: &str,
        job: &Job,
        function: Value,
        items: Gc<List>,
        stream: u64,
    ) -> Outcome<Journal> {
        let key = Key::of(context, construct, function, Some(items), stream)?;
        let structs = key::structs(context);
        let mut is_lasting = |message: &[u8]| lasting::is_lasting(context, message);
        let mut kept = vec![false; job.total() as usize];
        let log = Log::open(path, &key, structs, &mut |frame| {
            // One that stands there twice (two files put together) is done once.
            let is_new = frame.item < job.total() && !job.is_finished(frame.item);
            let result = is_new.then(|| frame.result(structs, &mut is_lasting));
            if let Some(produced) = result.flatten() {
                job.finish(frame.item, produced, &[])?;
                if let Some(kept) = kept.get_mut(frame.item as usize) {
                    *kept = true;
                }
            }
            Ok(())
        })?;
        Ok(Journal {
            log,
            kept,
            low: 0,
            seen: 0,
        })
    }

    /// In a worker: the file is its parent's business.
    pub fn leave_to_parent(&self) {
        self.log.leave_to_parent();
    }

    /// Whether more items are finished than when it was looked at last.
    pub fn is_behind(&self, job: &Job) -> bool {
        job.done() != self.seen
    }

    /// Writes down what was finished since the last time. Failed items are left out: they are tried again.
    /// `handed_out`: no item from there on is finished.
    pub fn sweep(&mut self, job: &Job, handed_out: u64) -> Result<()> {
        self.seen = job.done();
        let mut bytes = Vec::new();
        for item in self.low..handed_out {
            let Some(kept) = self.kept.get_mut(item as usize) else {
                break;
            };
            if !*kept {
                *kept = put_result(&mut bytes, item, job.result(item), self.log.structs);
            }
            if *kept && item == self.low {
                self.low += 1;
            }
        }
        if !bytes.is_empty() {
            self.log.write(&bytes)?;
        }
        self.log.sync(false)
    }

    /// Brings what was written to the disk: now, or when it is time.
    pub fn sync(&mut self, now: bool) -> Result<()> {
        self.log.sync(now)
    }
}

//! A worker's place at a job: what it touches for every item, looked up once. An item of a few instructions costs little more
//! than its call.

use super::job::words::{AT, HUNGRY};
use super::job::{ITEM, Job, Produced, state_of};
use crate::arena::{Arena, Offset};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a worker is said to be at that has begun to leave in order.
pub const LEAVING: u64 = u64::MAX - 1;

/// A worker's place at a job.
pub struct Desk<'a> {
    job: &'a Job,
    arena: &'static Arena,
    /// The word that says which item the worker is at.
    at: &'static AtomicU64,
    /// The word that says at which line the worker was seen last.
    seen: &'static AtomicU64,
    /// The word that says that nothing more is handed out.
    stop: &'static AtomicU64,
    /// The word that says that others wait for items.
    hungry: &'static AtomicU64,
    worker: u64,
    /// The words of the first item.
    first: Offset,
    total: u64,
}

impl Job {
    /// The place of a worker.
    pub fn desk(&self, worker: u64) -> Desk<'_> {
        Desk {
            job: self,
            arena: self.arena(),
            at: self.record(worker, AT),
            seen: self.arena().word_at(self.tail_of(worker)),
            stop: self.stop_word(),
            hungry: self.word(HUNGRY),
            worker,
            first: self.first_item(),
            total: self.total(),
        }
    }
}

impl Desk<'_> {
    /// Whether an item is not to be begun any more.
    pub fn stopped_at(&self, item: u64) -> bool {
        match self.stop.load(Ordering::Acquire) {
            0 => false,
            _ => self.job.is_over_at(item),
        }
    }

    /// Where the worker's claim, which ends at `end`, ends when it begins with an item: behind that, when others have nothing to do.
    pub fn end_of_claim(&self, item: u64, end: u64) -> u64 {
        match self.hungry.load(Ordering::Relaxed) {
            0 => end,
            _ => self.give_back(item, end),
        }
    }

    /// Leaves what lies behind an item in the worker's claim, which ends at `end`, to others. Where the claim ends now.
    pub fn give_back(&self, item: u64, end: u64) -> u64 {
        self.job.give_back(self.worker, item + 1, end)
    }

    /// Says that the worker begins with an item.
    pub fn begin(&self, item: u64) {
        self.at.store(item + 1, Ordering::Release);
        // Where in it nobody knows yet.
        self.seen.store(0, Ordering::Relaxed);
    }

    /// Stores what became of an item, when that needs no memory of its own: a number, a truth value, nil. False otherwise.
    pub fn finish(&self, item: u64, produced: Produced<'_>) -> bool {
        let Some((state, payload)) = state_of(produced).filter(|_| item < self.total) else {
            return false;
        };
        let at = self.first + item * ITEM;
        self.job.store(self.arena, at, item, state, payload);
        true
    }
}

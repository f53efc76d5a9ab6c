//! How a job ends before all its items are finished: everything is given up, or the body said `break` at an item.
//!
//! One word says which: 0 while items are handed out, 1 when everything is given up, and `item + 2` for the first item that said
//! `break`. Where results stand in the order of the items, those in front of that item are still worked off, as in a loop; where
//! they stand as they were finished, no other is begun. An item that said `break` stays unfinished, so that a journal does not keep it.

use super::job::{Job, ORDER, Produced, STOP, read_result};
use crate::arena::{Arena, Offset};
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything is given up.
const GIVEN_UP: u64 = 1;
/// Behind this: the item that said `break`.
const BROKEN: u64 = 2;

fn broken_at(word: u64) -> Option<u64> {
    word.checked_sub(BROKEN)
}

/// For the search for deadlocks: whether somebody said `break`, and all that comes before it is finished.
pub(super) fn is_broken_off(arena: &Arena, block: Offset) -> bool {
    let Some(end) = broken_at(arena.word_at(block + STOP).load(Ordering::Acquire)) else {
        return false;
    };
    let is_finished = |item| read_result(arena, block, item) != Produced::Pending;
    arena.get_word(block + ORDER) != 0 || (0..end).all(is_finished)
}

/// Whether an item of the job in a block is not to be begun any more.
pub(super) fn is_over(arena: &Arena, block: Offset, item: u64) -> bool {
    match arena.word_at(block + STOP).load(Ordering::Acquire) {
        0 => false,
        word => {
            let is_ordered = arena.get_word(block + ORDER) == 0;
            broken_at(word).is_none_or(|end| !is_ordered || item >= end)
        }
    }
}

impl Job {
    pub(super) fn stop_word(&self) -> &'static AtomicU64 {
        self.word(STOP)
    }

    fn is_ordered(&self) -> bool {
        self.word(ORDER).load(Ordering::Relaxed) == 0
    }

    /// No further items are handed out, and none that were are begun.
    pub fn stop(&self) {
        self.stop_word().store(GIVEN_UP, Ordering::Release);
        self.tell_hungry();
    }

    /// Whether items are no longer handed out.
    pub fn stopped(&self) -> bool {
        self.stop_word().load(Ordering::Acquire) != 0
    }

    /// An item has failed, and that ends the job: unless its result is not wanted any more, because an item in front of it said
    /// `break`.
    pub fn stop_by_failure(&self, item: u64) {
        if self.awaits_breaks() {
            return self.break_at(item);
        }
        let _ = self
            .stop_word()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let is_wanted = broken_at(word).is_none_or(|end| item < end);
                is_wanted.then_some(GIVEN_UP)
            });
        self.tell_hungry();
    }

    /// An item said `break`, or has failed where those in front of it are waited for.
    pub fn break_at(&self, item: u64) {
        let is_ordered = self.is_ordered();
        let _ = self
            .stop_word()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let is_first =
                    word == 0 || is_ordered && broken_at(word).is_some_and(|end| item < end);
                is_first.then_some(item + BROKEN)
            });
        self.follow();
        self.object().events[0].notify_all();
        self.tell_hungry();
    }

    /// The first item that said `break`, unless an error has ended the job.
    pub fn broken_at(&self) -> Option<u64> {
        broken_at(self.stop_word().load(Ordering::Acquire))
    }

    /// Whether an item is not to be begun any more.
    pub fn is_over_at(&self, item: u64) -> bool {
        is_over(self.arena(), self.object().payload(), item)
    }

    /// Whether an item comes after one that said `break`, in a job whose results stand in the order of the items.
    pub fn is_behind_break(&self, item: u64) -> bool {
        self.is_ordered() && self.broken_at().is_some_and(|end| item > end)
    }

    /// Whether somebody said `break`, and nothing that is to be finished all the same is left from `from` on.
    pub fn is_broken_off(&self, from: u64) -> bool {
        self.broken_at()
            .is_some_and(|end| !self.is_ordered() || self.first_unfinished(from) >= end)
    }
}

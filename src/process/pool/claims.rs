//! Who works on which items of a job: claims, what is given back of them, and what the dead leave.
//!
//! How long a claim is follows from how long items have taken so far, so several long ones that lie together behind many short
//! ones may stand in one claim. A worker that finds nothing to claim while others have more than the item that they are at says so
//! (`HUNGRY`), and whoever comes to its next item gives back what lies behind that: it stands in the record of the one that had it,
//! until others claim it from there. So nobody waits for more than one item of another, unless the script has fixed the length of claims
//! (`chunk:`, and the single items of `timeout:` and `max_tasks:`), or what was given back before is still there.
//!
//! A claim is written down before it is made, by one compare-and-swap on where it is taken from, and what is given back is written
//! there before the claim ends in front of it: whoever dies in between, each item is in a claim, is given back, or is found by
//! [`Job::left_behind`].

use super::job::{HEAD, Job, NEXT, RECORD, TOTAL, WORKERS, words::*};
use super::stop;
use crate::arena::{Arena, Offset};
use crate::crash_point;
use crate::os::clock;
use crate::process::wait::Awaited;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest that one claim should keep a worker, in nanoseconds: short against what people notice, long against a claim.
const CLAIM_TIME: u64 = 2_000_000;

/// A range in one word; 0 is none. (A range ends behind 0, and a job with more items than half a word counts shares nothing.)
fn packed(range: Range<u64>) -> u64 {
    match range.is_empty() {
        true => 0,
        false => range.start << 32 | range.end,
    }
}

fn unpacked(word: u64) -> Range<u64> {
    word >> 32..word & u64::from(u32::MAX)
}

fn record_word(arena: &Arena, block: Offset, worker: u64, field: u64) -> &AtomicU64 {
    arena.word_at(block + HEAD + worker * RECORD + field)
}

/// Whether somebody has more than the item that he is at, or has not begun.
fn has_rest(arena: &Arena, block: Offset) -> bool {
    (0..arena.get_word(block + WORKERS)).any(|worker| {
        let read = |field| record_word(arena, block, worker, field).load(Ordering::Acquire);
        // The word says the item behind the one that the worker is at.
        let begun = read(AT).max(read(CLAIM_START) + 1);
        read(CLAIM_END) > begun
    })
}

fn returned(arena: &Arena, block: Offset) -> impl Iterator<Item = (&AtomicU64, u64)> {
    (0..arena.get_word(block + WORKERS)).filter_map(move |worker| {
        let word = record_word(arena, block, worker, RETURNED);
        let found = word.load(Ordering::Acquire);
        (found != 0).then_some((word, found))
    })
}

/// For the search for deadlocks: whether a worker that waits for what others give back would find some, or nobody to wait for.
pub(super) fn is_rest_over(arena: &Arena, block: Offset) -> bool {
    returned(arena, block).next().is_some()
        || !has_rest(arena, block)
        || stop::is_over(arena, block, 0)
}

impl Job {
    /// The next range of items for a worker: of those that nobody had yet, or of what was given back; `None` when there are no
    /// more. `chunk` fixes its length; otherwise it follows from what is left and from how long this worker's items have taken.
    pub fn claim(&self, worker: u64, chunk: Option<u64>) -> Option<(u64, u64)> {
        self.claim_next(worker, chunk)
            .or_else(|| self.claim_returned(worker, chunk))
    }

    fn claim_next(&self, worker: u64, chunk: Option<u64>) -> Option<(u64, u64)> {
        let total = self.total();
        let next = self.word(NEXT);
        let mut start = next.load(Ordering::Acquire);
        loop {
            if start >= total || self.stopped() {
                self.record(worker, CLAIM_END).store(0, Ordering::Release);
                return None;
            }
            let end = start + self.fitting(worker, chunk, total - start);
            self.write_claim(worker, start, end);
            match next.compare_exchange(start, end, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    crash_point!("job: claim made");
                    if end >= total {
                        self.follow();
                    }
                    return Some((start, end));
                }
                Err(now) => start = now,
            }
        }
    }

    fn claim_returned(&self, worker: u64, chunk: Option<u64>) -> Option<(u64, u64)> {
        let (arena, block) = (self.arena(), self.object().payload());
        for (word, mut found) in returned(arena, block) {
            while found != 0 {
                let range = unpacked(found);
                let length = match self.is_over_at(range.start) {
                    // Nobody is to begin with it any more.
                    true => range.end - range.start,
                    false => self.fitting(worker, chunk, range.end - range.start),
                };
                let end = range.start + length;
                self.write_claim(worker, range.start, end);
                let left = packed(end..range.end);
                match word.compare_exchange(found, left, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        crash_point!("job: rest claimed");
                        return Some((range.start, end));
                    }
                    Err(now) => found = now,
                }
            }
        }
        self.record(worker, CLAIM_END).store(0, Ordering::Release);
        None
    }

    /// Whoever reads it after a death checks it against where it was taken from.
    fn write_claim(&self, worker: u64, start: u64, end: u64) {
        self.record(worker, CLAIM_END).store(0, Ordering::Release);
        self.record(worker, CLAIM_START)
            .store(start, Ordering::Release);
        self.record(worker, CLAIM_END).store(end, Ordering::Release);
        crash_point!("job: claim written");
    }

    /// The length of a claim that leaves the others enough (a quarter of a fair share) and does not keep this worker for too long.
    fn fitting(&self, worker: u64, chunk: Option<u64>, left: u64) -> u64 {
        let length = chunk.unwrap_or_else(|| {
            let fair = left / (self.workers() * 4).max(1);
            let progress = self.progress(worker);
            match progress.busy.checked_div(progress.tasks) {
                None => 1,
                Some(each) => fair.min(CLAIM_TIME / each.max(1)),
            }
        });
        length.clamp(1, left.max(1))
    }

    /// From now on the end of each claim wakes the parent. Before that it cannot be the last of them, so a parent that has nothing else
    /// to do for each of them is left asleep: it would take the processor from a worker. Whoever claims the last items calls this, and
    /// so does the parent when such a worker may have died before it could.
    pub fn follow(&self) {
        self.word(FOLLOWED).store(1, Ordering::SeqCst);
    }

    /// Says that a worker has worked off a claim of `items` items that it began at the given time.
    pub fn end_claim(&self, worker: u64, items: u64, began: u64) {
        let busy = clock::now().saturating_sub(began);
        self.record(worker, BUSY).fetch_add(busy, Ordering::Relaxed);
        self.record(worker, AT).store(0, Ordering::Release);
        self.record(worker, CLAIM_END).store(0, Ordering::Release);
        // What the parent counts comes before the look at whether it waits for that: it says that it does before it counts.
        self.record(worker, TASKS)
            .fetch_add(items, Ordering::SeqCst);
        if self.word(FOLLOWED).load(Ordering::SeqCst) != 0 {
            self.object().events[0].notify_all();
        }
        if self.word(HUNGRY).load(Ordering::SeqCst) != 0 {
            self.tell_hungry();
        }
    }

    /// Whether a worker that found nothing to claim should wait until others give something back, or have nothing to give. They are
    /// told that it waits.
    pub fn is_rest_coming(&self) -> bool {
        let (arena, block) = (self.arena(), self.object().payload());
        if self.total() > u64::from(u32::MAX) || self.is_over_at(0) || !has_rest(arena, block) {
            return false;
        }
        self.word(HUNGRY).store(1, Ordering::SeqCst);
        // Who ended its claim before it could see that has told nobody.
        has_rest(arena, block)
    }

    /// What to wait for then.
    pub fn awaited_rest(&self) -> Awaited<'static> {
        Awaited {
            side: 1,
            ..self.awaited()
        }
    }

    /// Wakes those who wait for what others give back: what they saw may not be so any more.
    pub fn tell_hungry(&self) {
        self.object().events[1].notify_all();
    }

    /// Gives back the items of a worker's claim from `from` on, because others wait for some. Where the claim ends now.
    pub(super) fn give_back(&self, worker: u64, from: u64, end: u64) -> u64 {
        let place = self.record(worker, RETURNED);
        if from >= end || place.load(Ordering::Acquire) != 0 {
            return end;
        }
        self.word(HUNGRY).store(0, Ordering::SeqCst);
        place.store(packed(from..end), Ordering::Release);
        crash_point!("job: rest given back");
        self.record(worker, CLAIM_END)
            .store(from, Ordering::Release);
        self.tell_hungry();
        from
    }

    /// Gives back what a dead worker has left, when that is one range: then all can share it. Otherwise it stays in `items`.
    pub fn give_back_left(&self, dead: u64, items: &mut Vec<u64>) {
        let (Some(&first), Some(&last)) = (items.first(), items.last()) else {
            return;
        };
        let is_range = last - first + 1 == items.len() as u64 && last < u64::from(u32::MAX);
        let place = self.record(dead, RETURNED);
        if is_range && items.len() > 1 && place.load(Ordering::Acquire) == 0 {
            place.store(packed(first..last + 1), Ordering::Release);
            items.clear();
            self.tell_hungry();
        }
    }

    /// Whether something was given back that nobody has claimed.
    pub fn has_returned(&self) -> bool {
        let mut all = returned(self.arena(), self.object().payload());
        all.any(|(_, word)| !self.is_over_at(unpacked(word).start))
    }

    /// Whether a worker has claimed something that it has not worked off.
    pub fn has_claim(&self, worker: u64) -> bool {
        self.record(worker, CLAIM_END).load(Ordering::Acquire) != 0
    }

    /// Empties the record of a dead worker.
    pub fn bury(&self, dead: u64) {
        self.record(dead, CLAIM_END).store(0, Ordering::Release);
        self.record(dead, AT).store(0, Ordering::Release);
        self.record(dead, PROCESS).store(0, Ordering::Release);
        self.tell_hungry();
    }

    /// After a death: the items from `from` on that were handed out and are neither finished nor given back nor in the claim of one
    /// of the `live` workers. (A claim that is written down and was not made hides items for a moment, until its worker's end.)
    pub fn left_behind(&self, from: u64, live: &[u64]) -> Vec<u64> {
        let (arena, block) = (self.arena(), self.object().payload());
        let total = arena.get_word(block + TOTAL);
        // Before the claims: who took one of these items had written that down by then.
        let next = self.word(NEXT).load(Ordering::Acquire).min(total);
        // While they are read, a range may go from one word to another that was read before. It never comes back to where it was, so when
        // nothing has changed they stood like this at one moment.
        // (What was taken from the counter since then does not matter, so this ends soon.)
        let mut theirs = self.in_hands(live, next);
        loop {
            let again = self.in_hands(live, next);
            if again == theirs {
                break;
            }
            theirs = again;
        }
        (from..next)
            .filter(|&item| !self.is_finished(item))
            .filter(|item| !theirs.iter().any(|range| range.contains(item)))
            .collect()
    }

    /// The claims of some workers, and everything that was given back, as far as it lies in front of `end`.
    fn in_hands(&self, workers: &[u64], end: u64) -> Vec<Range<u64>> {
        let (arena, block) = (self.arena(), self.object().payload());
        let claim = |&worker: &u64| {
            let start = self.record(worker, CLAIM_START).load(Ordering::Acquire);
            start..self.record(worker, CLAIM_END).load(Ordering::Acquire)
        };
        let claims = workers.iter().map(claim);
        let returned = returned(arena, block).map(|(_, word)| unpacked(word));
        let all = claims.chain(returned);
        let in_front = all.map(|range| range.start..range.end.min(end));
        in_front.filter(|range| !range.is_empty()).collect()
    }
}

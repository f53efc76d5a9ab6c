//! Results: messages that are put through a lease and become visible together with its end, in one step.
//!
//! They wait in a block of the lease. Its end takes the putters' locks of all targets, writes the slots behind their tails
//! (nobody looks there), notes the block in each target, and commits by one store to the block's state. After that the tails
//! are moved and the notes struck out. A process that dies before the commit has put nothing: the slots are not counted. One
//! that dies after it leaves the locks of those targets behind whose tails it may not have moved, and whoever comes next
//! moves them: where the tail belongs stands in the block, so to do it twice is the same as once.

use super::claim::{Claim, word};
use super::side::SideGuard;
use super::{Channel, IN_BLOCK, Prepared, Put, TAKERS, at, segment, slot_in};
use crate::arena::kinds::Visitor;
use crate::arena::{Arena, Full, HandleId, Offset};
use crate::crash_point;
use std::sync::atomic::Ordering;

/// The words of the block of results; then its entries.
mod head {
    /// Not 0 once the results are committed.
    pub const STATE: u64 = 0;
    pub const COUNT: u64 = 8;
    pub const ENTRIES: u64 = 16;
}

/// The words of an entry.
mod entry {
    /// The queue that the result is for.
    pub const TARGET: u64 = 0;
    /// Its block; after the commit it may be gone.
    pub const MESSAGE: u64 = 8;
    /// What the tail of the target is once it is in.
    pub const TAIL: u64 = 16;
    pub const BYTES: u64 = 24;
}

/// Bytes of the first block.
const FIRST_BYTES: u64 = 128;

/// What came of delivering results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// They are in.
    Done,
    /// A target is closed, and nothing is in.
    Closed(HandleId),
}

/// A result as its block tells of it.
#[derive(Clone, Copy)]
struct Entry {
    at: Offset,
    target: HandleId,
    message: Offset,
    tail: u64,
}

fn entries(arena: &Arena, results: Offset) -> impl Iterator<Item = Entry> {
    let room = arena.capacity(results).saturating_sub(head::ENTRIES) / entry::BYTES;
    let count = arena.word_at(results + head::COUNT).load(Ordering::Acquire);
    (0..count.min(room)).filter_map(move |number| {
        let at = results + head::ENTRIES + number * entry::BYTES;
        Some(Entry {
            at,
            target: HandleId::from_bits(arena.get_word(at + entry::TARGET))?,
            message: arena.get_word(at + entry::MESSAGE),
            tail: arena.get_word(at + entry::TAIL),
        })
    })
}

fn is_committed(arena: &Arena, results: Offset) -> bool {
    arena.word_at(results + head::STATE).load(Ordering::Acquire) != 0
}

impl Prepared {
    /// The block of the message; a short one is written into one.
    fn into_block(mut self, arena: &Arena) -> Result<Offset, (Full, Prepared)> {
        match &mut self {
            Prepared::Block(block, _) => {
                let block = *block;
                std::mem::forget(self);
                Ok(block)
            }
            Prepared::Inline(words, length) => {
                let mut bytes = Vec::with_capacity(words.len() * 8);
                words
                    .iter()
                    .for_each(|word| bytes.extend(word.to_ne_bytes()));
                bytes.truncate(*length);
                arena
                    .write_message(&bytes, &[])
                    .map_err(|full| (full, self))
            }
            Prepared::Gone => Err((Full, self)),
        }
    }
}

impl<'a> Channel<'a> {
    /// Notes a result of an open lease of this process for a queue. The message is [`Prepared::Gone`] then.
    pub fn add_result(
        &self,
        lease: Offset,
        target: HandleId,
        message: &mut Prepared,
    ) -> Result<(), Full> {
        let taken = std::mem::replace(message, Prepared::Gone);
        let block = match taken.into_block(self.arena) {
            Ok(block) => block,
            Err((full, back)) => {
                *message = back;
                return Err(full);
            }
        };
        // Collections look at the block under this lock.
        let guard = self.lock_get();
        let results = match self.room_for_result(Claim::new(self.arena, lease)) {
            Ok(results) => results,
            Err(full) => {
                *message = Prepared::Block(block, true);
                return Err(full);
            }
        };
        let count = self.arena.get_word(results + head::COUNT);
        let at = results + head::ENTRIES + count * entry::BYTES;
        self.arena.put_word(at + entry::TARGET, target.to_bits());
        self.arena.put_word(at + entry::MESSAGE, block);
        self.arena.put_word(at + entry::TAIL, 0);
        let counter = self.arena.word_at(results + head::COUNT);
        counter.store(count + 1, Ordering::Release);
        crash_point!("lease: result noted");
        self.arena.commit(block);
        drop(guard);
        Ok(())
    }

    /// The block of a lease's results, with room for one more.
    fn room_for_result(&self, claim: Claim<'_>) -> Result<Offset, Full> {
        let arena = self.arena;
        let old = claim.get(word::RESULTS);
        let bytes = match old {
            0 => 0,
            old => head::ENTRIES + arena.get_word(old + head::COUNT) * entry::BYTES,
        };
        if old != 0 && bytes + entry::BYTES <= arena.capacity(old) {
            return Ok(old);
        }
        let new = arena.alloc_zeroed((bytes * 2).max(FIRST_BYTES))?;
        if old != 0 {
            arena.put_bytes(new, arena.bytes(old, bytes));
            arena.claim(old);
        }
        crash_point!("lease: block of results made");
        claim.set(word::RESULTS, new);
        arena.commit(new);
        if old != 0 {
            arena.free(old);
        }
        Ok(new)
    }

    /// The queues that results are for, each once, in the order in which they are locked.
    fn targets(&self, results: Offset) -> Vec<(HandleId, Channel<'a>)> {
        let arena = self.arena;
        let mut targets: Vec<(HandleId, Channel<'a>)> = entries(arena, results)
            .filter_map(|entry| {
                let object = arena.object(entry.target)?;
                let channel = Channel::new(arena, Some(object), object.payload());
                (object.payload() != 0).then_some((entry.target, channel))
            })
            .collect();
        targets.sort_by_key(|(_, channel)| channel.block);
        targets.dedup_by_key(|(id, _)| *id);
        targets
    }

    /// Puts the results of a lease where they belong, all or none.
    pub(super) fn deliver(&self, results: Offset) -> Result<Delivery, Full> {
        let arena = self.arena;
        let targets = self.targets(results);
        let guards: Vec<SideGuard<'_>> = targets.iter().map(|(_, t)| t.lock_put()).collect();
        crash_point!("lease: targets locked");
        if let Some((id, _)) = targets.iter().find(|(_, target)| target.is_closed()) {
            return Ok(Delivery::Closed(*id));
        }
        let mut counts = Vec::with_capacity(targets.len());
        for (id, target) in &targets {
            counts.push(target.write_results(results, *id)?);
        }
        crash_point!("lease: slots written");
        for (_, target) in &targets {
            target.set(at::COMMITTING, results);
            crash_point!("lease: target noted");
        }
        let state = arena.word_at(results + head::STATE);
        state.store(1, Ordering::Release);
        crash_point!("lease: committed");
        for (_, target) in &targets {
            target.finish_commit();
            crash_point!("lease: target complete");
        }
        drop(guards);
        for ((_, target), count) in targets.iter().zip(counts) {
            target.notify(TAKERS, count);
        }
        Ok(Delivery::Done)
    }

    /// Writes the results that are for this channel behind its tail; how many there are. Under the putters' lock.
    fn write_results(&self, results: Offset, id: HandleId) -> Result<u32, Full> {
        let (mut tail, mut count) = (self.get(at::TAIL), 0);
        let mut segment = self.get(at::TAIL_SEGMENT);
        for entry in entries(self.arena, results).filter(|entry| entry.target == id) {
            let slot;
            (segment, slot) = self.slot_ahead(segment, tail)?;
            self.set(at::HANDLES, 1);
            self.arena.put_word(slot + 8, entry.message);
            self.arena.put_word(slot, IN_BLOCK);
            tail += 1;
            count += 1;
            self.arena.put_word(entry.at + entry::TAIL, tail);
        }
        Ok(count)
    }

    /// Moves the tail behind the results that are noted as being put in, if they are committed, and strikes out the note.
    /// Under the putters' lock; to do it again changes nothing.
    pub(super) fn finish_commit(&self) {
        let results = self.get(at::COMMITTING);
        if results == 0 {
            return;
        }
        if is_committed(self.arena, results) {
            let own = |entry: &Entry| {
                let object = self.arena.object(entry.target);
                object.is_some_and(|object| object.payload() == self.block)
            };
            let tails = entries(self.arena, results)
                .filter(own)
                .map(|entry| entry.tail);
            let tail = tails.max().unwrap_or(0).max(self.get(at::TAIL));
            // First the segment: takers let go of those before the one that the tail is in.
            let mut segment = self.get(at::TAIL_SEGMENT);
            while slot_in(self.arena, segment, tail.saturating_sub(1)).is_none() {
                let next = self.arena.word_at(segment + segment::NEXT);
                match next.load(Ordering::Acquire) {
                    0 => break,
                    next => segment = next,
                }
            }
            self.set(at::TAIL_SEGMENT, segment);
            crash_point!("lease: segment moved");
            self.set(at::TAIL, tail);
            crash_point!("lease: tail moved");
        }
        self.set(at::COMMITTING, 0);
    }

    /// For results of a dead process: completes them in every target if they are committed, and strikes out all notes of them.
    /// True when they were committed. Under the takers' lock of the queue that the lease was of.
    pub(super) fn settle_results(&self, results: Offset) -> bool {
        for (_, target) in self.targets(results) {
            let guard = target.lock_put();
            if target.get(at::COMMITTING) == results {
                target.finish_commit();
            }
            drop(guard);
            target.notify(TAKERS, u32::MAX);
        }
        is_committed(self.arena, results)
    }

    /// The blocks that belong to the results of a claim: that of the results, and those of the messages unless they were put
    /// where they belong.
    pub(super) fn blocks_of_results(&self, claim: Claim<'_>, blocks: &mut Vec<Offset>) {
        let results = claim.get(word::RESULTS);
        if results == 0 {
            return;
        }
        if !is_committed(self.arena, results) {
            blocks.extend(entries(self.arena, results).map(|entry| entry.message));
        }
        blocks.push(results);
    }

    /// Names the results of a claim to a visitor: those that are not in yet. Under the takers' lock.
    pub(super) fn visit_results(&self, claim: Claim<'_>, visitor: &mut dyn Visitor) {
        let results = claim.get(word::RESULTS);
        if results == 0 {
            return;
        }
        visitor.block(results);
        let committed = is_committed(self.arena, results);
        for entry in entries(self.arena, results) {
            visitor.handle(entry.target);
            let is_in = committed
                && self.arena.object(entry.target).is_none_or(|object| {
                    Channel::new(self.arena, None, object.payload()).get(at::TAIL) >= entry.tail
                });
            if !is_in {
                self.arena.visit_message(entry.message, visitor);
            }
        }
    }

    /// Whether a result for this channel may be noted now: it is open, and has room.
    pub fn takes_results(&self) -> Put {
        match (self.is_closed(), self.has_room()) {
            (true, _) => Put::Closed,
            (false, true) => Put::Done,
            (false, false) => Put::NoRoom,
        }
    }
}

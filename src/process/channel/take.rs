//! Taking messages, and what becomes of them when their taker dies.

use super::side::{self, SideGuard};
use super::{
    CLAIM, CLAIMS, Channel, IN_BLOCK, INLINE, PUTTERS, RETURNED, TAKERS, at, segment, slot_in,
};
use crate::arena::{self, Hold, Offset, SlotRef};
use crate::crash_point;
use std::sync::atomic::Ordering;

/// What came of taking.
pub enum Take<'a> {
    /// A message.
    Message(Taken<'a>),
    /// No message waits.
    Empty,
    /// No message waits, and none will come: the channel is closed.
    Closed,
}

/// A message that was taken. It is delivered when this is dropped: until then it belongs to this process only on trust, and
/// if the process dies it goes back to the front. (A short one is delivered by taking it.)
pub struct Taken<'a> {
    channel: Channel<'a>,
    content: Content,
}

enum Content {
    Inline([u64; INLINE / 8], usize),
    /// A claim and its block.
    Claimed(u64, Offset),
    /// Copied, because all claims were in use, with the holds that keep its handles' objects until delivery.
    Copied(
        Vec<u8>,
        #[expect(dead_code, reason = "kept for its drop")] Vec<Hold>,
    ),
}

impl Taken<'_> {
    /// Gives the bytes of the message to a function.
    pub fn read<T>(&self, body: impl FnOnce(&[u8]) -> T) -> T {
        match &self.content {
            Content::Inline(words, length) => {
                let mut bytes = [0; INLINE];
                for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
                    *place = word.to_ne_bytes();
                }
                body(bytes.get(..*length).unwrap_or(&bytes))
            }
            Content::Claimed(_, block) => body(self.channel.arena.message_bytes(*block)),
            Content::Copied(bytes, _) => body(bytes),
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Content::Claimed(claim, block) = self.content {
            crash_point!("channel: before delivery");
            self.channel.arena.claim(block);
            self.channel.set_owner(claim, 0);
            crash_point!("channel: delivered");
            self.channel.arena.free(block);
            // A taker that found the closed channel empty but for claims waits for what becomes of them.
            if self.channel.is_closed() {
                self.channel.notify(TAKERS, u32::MAX);
            }
        }
    }
}

impl<'a> Channel<'a> {
    pub(super) fn lock_get(&self) -> SideGuard<'a> {
        let guard = side::lock(self.arena, self.block + at::GET_LOCK);
        if guard.owner_died {
            self.settle_claims();
        }
        guard
    }

    /// Owner, block and message number of a claim.
    pub(super) fn claim(&self, claim: u64) -> (u64, Offset, u64) {
        let base = at::CLAIMS + claim * CLAIM;
        // The owner first: it is stored last.
        (self.get(base), self.get(base + 8), self.get(base + 16))
    }

    fn set_owner(&self, claim: u64, owner: u64) {
        self.set(at::CLAIMS + claim * CLAIM, owner);
    }

    /// Turns the claims of dead processes into returned messages, and counts those. Under the takers' lock.
    fn settle_claims(&self) -> u64 {
        let head = self.get(at::HEAD);
        let mut returned = 0;
        for claim in 0..CLAIMS {
            let (owner, _, number) = self.claim(claim);
            let dead = owner != RETURNED
                && SlotRef::from_bits(owner).is_some_and(|owner| !self.arena.is_alive(owner));
            if owner == RETURNED {
                returned += 1;
            } else if dead && number >= head {
                // It died between the claim and the counter: the message was never taken.
                self.set_owner(claim, 0);
            } else if dead {
                self.set_owner(claim, RETURNED);
                returned += 1;
            }
        }
        crash_point!("channel: claims settled");
        self.set(at::RETURNED, returned);
        returned
    }

    /// Gives back what a dead process had claimed, and tells takers.
    pub fn bury(&self) {
        let guard = self.lock_get();
        let returned = self.settle_claims();
        drop(guard);
        if returned > 0 || self.is_closed() {
            self.notify(TAKERS, u32::MAX);
        }
    }

    /// Takes the message at the front.
    pub fn take(&self) -> Take<'a> {
        let guard = self.lock_get();
        if self.get(at::RETURNED) != 0
            && let Some(content) = self.take_returned()
        {
            return self.taken(content, guard);
        }
        let head = self.get(at::HEAD);
        if head == self.get(at::SEEN_TAIL) {
            // Read before the tail: once a channel is closed the tail stays.
            let closed = self.is_closed();
            let tail = self.get(at::TAIL);
            self.set(at::SEEN_TAIL, tail);
            if head == tail {
                return self.take_from_empty(closed, guard);
            }
        }
        match self.take_next(head) {
            Some(content) => self.taken(content, guard),
            // Only a channel whose memory was overwritten has no slot here.
            None => Take::Closed,
        }
    }

    fn taken(&self, content: Content, guard: SideGuard<'a>) -> Take<'a> {
        drop(guard);
        crash_point!("channel: take unlocked");
        let channel = *self;
        // Made first: its drop must not be left out if something below goes wrong.
        let taken = Taken { channel, content };
        if self.get(at::CAPACITY) != 0 {
            let joiners = self.get(at::JOINERS) != 0;
            self.notify(PUTTERS, if joiners { u32::MAX } else { 1 });
        }
        Take::Message(taken)
    }

    #[cold]
    fn take_from_empty(&self, closed: bool, guard: SideGuard<'a>) -> Take<'a> {
        let mut claimed = false;
        for claim in 0..CLAIMS {
            claimed |= self.claim(claim).0 != 0;
        }
        if claimed
            && self.settle_claims() > 0
            && let Some(content) = self.take_returned()
        {
            return self.taken(content, guard);
        }
        // What a live process has claimed may yet come back.
        match closed && !claimed {
            true => Take::Closed,
            false => Take::Empty,
        }
    }

    /// Takes over the oldest returned message.
    #[cold]
    fn take_returned(&self) -> Option<Content> {
        let returned = (0..CLAIMS).map(|claim| (claim, self.claim(claim)));
        let (claim, (_, block, _)) = returned
            .filter(|(_, (owner, ..))| *owner == RETURNED)
            .min_by_key(|(_, (_, _, number))| *number)?;
        self.set_owner(claim, arena::me().to_bits());
        crash_point!("channel: returned message claimed");
        self.set(at::RETURNED, self.get(at::RETURNED).saturating_sub(1));
        Some(Content::Claimed(claim, block))
    }

    /// Takes the message of a number, which is in.
    fn take_next(&self, head: u64) -> Option<Content> {
        let slot = self.slot_for_take(head)?;
        let length = self.arena.get_word(slot);
        if length != IN_BLOCK {
            let mut words = [0; INLINE / 8];
            let length = (length as usize).min(INLINE);
            for (at, word) in words.iter_mut().enumerate().take(length.div_ceil(8)) {
                *word = self.arena.get_word(slot + 8 + at as u64 * 8);
            }
            crash_point!("channel: slot read");
            self.set(at::HEAD, head + 1);
            crash_point!("channel: take committed");
            return Some(Content::Inline(words, length));
        }
        let block = self.arena.get_word(slot + 8);
        let free = (0..CLAIMS).find(|&claim| self.claim(claim).0 == 0);
        Some(match free {
            Some(claim) => {
                let base = at::CLAIMS + claim * CLAIM;
                self.set(base + 8, block);
                self.set(base + 16, head);
                self.set_owner(claim, arena::me().to_bits());
                crash_point!("channel: claimed");
                self.set(at::HEAD, head + 1);
                crash_point!("channel: claim committed");
                Content::Claimed(claim, block)
            }
            None => {
                let bytes = self.arena.message_bytes(block).to_vec();
                let handles = self.arena.message_handles(block);
                let holds = handles.into_iter().filter_map(Hold::adopt).collect();
                self.arena.claim(block);
                crash_point!("channel: copied");
                self.set(at::HEAD, head + 1);
                self.arena.free(block);
                Content::Copied(bytes, holds)
            }
        })
    }

    /// The slot of a number at the head; lets go of the segment before it.
    fn slot_for_take(&self, index: u64) -> Option<Offset> {
        loop {
            let old = self.get(at::HEAD_SEGMENT);
            if let Some(slot) = slot_in(self.arena, old, index) {
                return Some(slot);
            }
            let next = self
                .arena
                .word_at(old + segment::NEXT)
                .load(Ordering::Acquire);
            if next == 0 {
                return None;
            }
            self.arena.claim(old);
            self.set(at::HEAD_SEGMENT, next);
            crash_point!("channel: segment left");
            let most = self.arena.get_word(old + segment::COUNT) == super::MOST_SLOTS;
            if (most || self.get(at::CAPACITY) != 0) && self.get(at::SPARE) == 0 {
                self.set(at::SPARE, old);
                crash_point!("channel: segment spared");
                self.arena.commit(old);
            } else {
                self.arena.free(old);
            }
        }
    }
}

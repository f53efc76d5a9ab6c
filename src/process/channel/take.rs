//! Taking messages, and what becomes of them when their taker dies.

use super::claim::{ASIDE, Claim, RETURNED, word};
use super::side::{self, SideGuard};
use super::steps::{self, Settled};
use super::{Channel, IN_BLOCK, INLINE, TAKERS, at, segment, slot_in};
use crate::arena::{self, Full, Hold, Offset, SlotRef};
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
/// if the process dies it goes back to the front.
pub struct Taken<'a> {
    channel: Channel<'a>,
    content: Content<'a>,
}

enum Content<'a> {
    Claimed(Claim<'a>),
    /// Copied, because all claims were in use and the arena is full, with the holds that keep its handles' objects until
    /// delivery.
    Copied(
        Vec<u8>,
        #[expect(dead_code, reason = "kept for its drop")] Vec<Hold>,
    ),
    /// A lease has it now.
    Kept,
}

impl Taken<'_> {
    /// Gives the bytes of the message to a function.
    #[inline]
    pub fn read<T>(&self, body: impl FnOnce(&[u8]) -> T) -> T {
        match &self.content {
            Content::Claimed(claim) => body(claim.bytes()),
            Content::Copied(bytes, _) => body(bytes),
            Content::Kept => body(&[]),
        }
    }

    /// Where the claim stands, which the caller has to end from now on.
    pub(super) fn keep(mut self) -> Option<Offset> {
        match std::mem::replace(&mut self.content, Content::Kept) {
            Content::Claimed(claim) => Some(claim.at),
            _ => None,
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Content::Claimed(claim) = self.content else {
            return;
        };
        crash_point!("channel: before delivery");
        match claim.block() {
            Some(block) => {
                self.channel.arena.claim(block);
                steps::deliver(self.channel.arena, claim.at);
                crash_point!("channel: delivered");
                self.channel.arena.free(block);
            }
            None => steps::deliver(self.channel.arena, claim.at),
        }
        // A taker that found the closed channel empty but for claims waits for what becomes of them.
        if self.channel.is_closed() {
            self.channel.notify(TAKERS, u32::MAX);
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

    /// Turns the claims of dead processes into returned messages, and counts those. Under the takers' lock.
    pub(super) fn settle_claims(&self) -> u64 {
        let mut returned = 0;
        for claim in self.claims() {
            let owner = claim.owner();
            match owner {
                0 => {}
                RETURNED => returned += 1,
                ASIDE => self.count_done(claim),
                _ => {
                    let lives =
                        SlotRef::from_bits(owner).is_none_or(|owner| self.arena.is_alive(owner));
                    if lives {
                        continue;
                    }
                    returned += match steps::settle(self.arena, self.block, claim.at) {
                        Settled::Freed => 0,
                        Settled::Returned => 1,
                        Settled::Lease => u64::from(self.settle_lease(claim)),
                    };
                }
            }
        }
        crash_point!("channel: claims settled");
        self.set(at::RETURNED, returned);
        returned
    }

    /// Gives back what a dead process had claimed, completes what it had decided, and tells takers.
    pub fn bury(&self) {
        if self.get(at::COMMITTING) != 0 {
            drop(self.lock_put());
        }
        let guard = self.lock_get();
        let returned = self.settle_claims();
        drop(guard);
        if returned > 0 || self.is_closed() {
            self.notify(TAKERS, u32::MAX);
        }
        self.tell_joiners();
    }

    /// Takes the message at the front.
    #[inline]
    pub fn take(&self) -> Take<'a> {
        // Only a lease needs room in the arena.
        self.take_as(0).unwrap_or(Take::Empty)
    }

    /// Takes the message at the front for a `get` (0), or by lease for a process object.
    #[inline]
    pub(super) fn take_as(&self, taker: u64) -> Result<Take<'a>, Full> {
        let pace = self.pace();
        let guard = self.lock_get();
        if self.get(at::RETURNED) != 0
            && let Some(claim) = self.take_returned(taker)
        {
            return Ok(self.taken(Content::Claimed(claim), guard));
        }
        let head = match steps::front(self.arena, self.block) {
            Ok(head) => head,
            Err(closed) => {
                Channel::note_empty();
                return Ok(self.take_from_empty(closed, taker, guard));
            }
        };
        self.note_found(pace, head);
        match self.take_next(head, taker)? {
            Some(content) => Ok(self.taken(content, guard)),
            // Only a channel whose memory was overwritten has no slot here.
            None => Ok(Take::Closed),
        }
    }

    fn taken(&self, content: Content<'a>, guard: SideGuard<'a>) -> Take<'a> {
        drop(guard);
        crash_point!("channel: take unlocked");
        let channel = *self;
        // Made first: its drop must not be left out if something below goes wrong.
        let taken = Taken { channel, content };
        if self.get(at::CAPACITY) != 0 {
            self.tell_putter();
        }
        Take::Message(taken)
    }

    #[cold]
    fn take_from_empty(&self, closed: bool, taker: u64, guard: SideGuard<'a>) -> Take<'a> {
        let taken = |claim: &Claim<'_>| !matches!(claim.owner(), 0 | ASIDE);
        let claimed = self.claims().any(|claim| taken(&claim));
        if claimed
            && self.settle_claims() > 0
            && let Some(claim) = self.take_returned(taker)
        {
            return self.taken(Content::Claimed(claim), guard);
        }
        // What a live process has claimed may yet come back.
        match closed && !claimed {
            true => Take::Closed,
            false => Take::Empty,
        }
    }

    /// Takes over the oldest returned message.
    #[cold]
    fn take_returned(&self, taker: u64) -> Option<Claim<'a>> {
        let claim = self
            .claims()
            .filter(|claim| claim.owner() == RETURNED)
            .min_by_key(|claim| claim.get(word::NUMBER))?;
        if taker == 0 {
            self.drop_error(claim);
        } else {
            self.set(at::LEASED, 1);
        }
        claim.set(word::TAKER, taker);
        claim.set(word::DELIVERIES, claim.get(word::DELIVERIES) + 1);
        claim.set(word::OWNER, arena::me().to_bits());
        crash_point!("channel: returned message claimed");
        self.set(at::RETURNED, self.get(at::RETURNED).saturating_sub(1));
        Some(claim)
    }

    /// Takes the message of a number, which is in.
    #[inline]
    fn take_next(&self, head: u64, taker: u64) -> Result<Option<Content<'a>>, Full> {
        let Some(slot) = self.slot_for_take(head) else {
            return Ok(None);
        };
        let Some(claim) = self.free_claim() else {
            return match taker {
                0 => Ok(Some(self.take_copied(slot, head))),
                _ => Err(Full),
            };
        };
        if taker != 0 {
            self.set(at::LEASED, 1);
        }
        let me = arena::me().to_bits();
        steps::claim(self.arena, self.block, claim.at, (slot, head), (taker, me));
        Ok(Some(Content::Claimed(claim)))
    }

    /// Takes the message in a slot without a claim: a death before its delivery loses it.
    #[cold]
    fn take_copied(&self, slot: Offset, head: u64) -> Content<'a> {
        let length = self.arena.get_word(slot);
        if length != IN_BLOCK {
            let bytes = self.arena.bytes(slot + 8, length.min(INLINE as u64));
            let bytes = bytes.to_vec();
            self.set(at::HEAD, head + 1);
            return Content::Copied(bytes, Vec::new());
        }
        let block = self.arena.get_word(slot + 8);
        let bytes = self.arena.message_bytes(block).to_vec();
        let handles = self.arena.message_handles(block);
        let holds = handles.into_iter().filter_map(Hold::adopt).collect();
        self.arena.claim(block);
        crash_point!("channel: copied");
        self.set(at::HEAD, head + 1);
        self.arena.free(block);
        Content::Copied(bytes, holds)
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

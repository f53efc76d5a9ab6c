//! Claims: which messages are in somebody's hands.
//!
//! A claim is an entry of two cache lines: a few in the channel's block, further ones in pages that stay as long as the
//! channel does. An entry is written first and then named its owner, by one store, and given up by one store too.

use super::{Channel, INLINE, at};
use crate::arena::kinds::Visitor;
use crate::arena::{Arena, HandleId, Offset, SlotRef};
use crate::crash_point;
use std::sync::atomic::Ordering;

/// Claims that stand in the channel's block.
pub(super) const FIRST_CLAIMS: u64 = 5;
/// Bytes of a claim.
pub const CLAIM: u64 = 128;
/// The owner of a claim on a message that came back.
pub const RETURNED: u64 = u64::MAX;
/// The owner of a claim on a message that was set aside.
pub(super) const ASIDE: u64 = u64::MAX - 1;

/// The words of a claim.
pub mod word {
    /// A process (`SlotRef::to_bits`), `RETURNED`, `ASIDE`, or 0: the entry is free.
    pub const OWNER: u64 = 0;
    /// The block of the message; up to `INLINE`, the length of one that stands in the claim itself.
    pub const BLOCK: u64 = 8;
    /// The number that the message had among all.
    pub const NUMBER: u64 = 16;
    /// How often it was taken.
    pub const DELIVERIES: u64 = 24;
    /// How often a lease on it ended by the taker's death or an error.
    pub const FAILURES: u64 = 32;
    /// The process object of who took it by lease; 0 when it was taken by `get`.
    pub const TAKER: u64 = 40;
    /// The block of the results that were put through the lease.
    pub const RESULTS: u64 = 48;
    /// The error that the last lease was left by, as a message.
    pub const ERROR: u64 = 56;
    /// The number that its end has among the ends of leases; 0 while it is not at its end.
    pub const COUNTED: u64 = 64;
    /// The bytes of a message that stands in the claim.
    pub const BYTES: u64 = 72;
}

/// A page: the next page, how many claims it has; then, from `CLAIMS`, the claims.
mod page {
    pub const NEXT: u64 = 0;
    pub const COUNT: u64 = 8;
    pub const CLAIMS: u64 = 64;
}

/// Claims of the first and of the largest pages: with their heads they fill blocks of 1 KiB and 32 KiB.
const FIRST_PAGE: u64 = 7;
const MOST_IN_PAGE: u64 = 255;

/// A claim.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    arena: &'a Arena,
    /// Where it stands.
    pub at: Offset,
}

impl<'a> Claim<'a> {
    pub fn new(arena: &'a Arena, at: Offset) -> Claim<'a> {
        Claim { arena, at }
    }

    #[inline]
    pub fn get(&self, word: u64) -> u64 {
        self.arena.word_at(self.at + word).load(Ordering::Acquire)
    }

    #[inline]
    pub fn set(&self, word: u64, value: u64) {
        self.arena
            .word_at(self.at + word)
            .store(value, Ordering::Release);
    }

    #[inline]
    pub fn owner(&self) -> u64 {
        self.get(word::OWNER)
    }

    /// The block of its message; `None` when that stands in the claim.
    #[inline]
    pub fn block(&self) -> Option<Offset> {
        let block = self.get(word::BLOCK);
        (block > INLINE as u64).then_some(block)
    }

    /// The bytes of its message. They do not change while the claim has an owner.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        match self.get(word::BLOCK) {
            length if length <= INLINE as u64 => self.arena.bytes(self.at + word::BYTES, length),
            block => self.arena.message_bytes(block),
        }
    }
}

impl<'a> Channel<'a> {
    /// The claims that stand in the block.
    #[inline]
    fn first_claims(&self) -> impl Iterator<Item = Claim<'a>> + use<'a> {
        let (arena, base) = (self.arena, self.block + at::CLAIMS);
        (0..FIRST_CLAIMS).map(move |number| Claim::new(arena, base + number * CLAIM))
    }

    /// All claims, free ones too. Under the takers' lock.
    pub(super) fn claims(&self) -> impl Iterator<Item = Claim<'a>> + use<'a> {
        let arena = self.arena;
        let first = Some(self.get(at::PAGES)).filter(|&page| page != 0);
        let next = move |page: &Offset| {
            let next = arena.word_at(page + page::NEXT).load(Ordering::Acquire);
            Some(next).filter(|&page| page != 0)
        };
        let pages = std::iter::successors(first, next);
        self.first_claims().chain(pages.flat_map(move |page| {
            let count = arena.get_word(page + page::COUNT).min(MOST_IN_PAGE);
            (0..count).map(move |number| Claim::new(arena, page + page::CLAIMS + number * CLAIM))
        }))
    }

    /// How many messages a process has in its hands.
    pub fn in_hands_of(&self, process: SlotRef) -> usize {
        let _guard = self.lock_get();
        let mine = |claim: &Claim<'_>| claim.owner() == process.to_bits();
        self.claims().filter(mine).count()
    }

    /// A free claim; `None` when all are in use and the arena has no room for more. Under the takers' lock.
    #[inline]
    pub(super) fn free_claim(&self) -> Option<Claim<'a>> {
        match self.first_claims().find(|claim| claim.owner() == 0) {
            Some(claim) => Some(claim),
            None => self.further_claim(),
        }
    }

    #[cold]
    fn further_claim(&self) -> Option<Claim<'a>> {
        if let Some(claim) = self.claims().find(|claim| claim.owner() == 0) {
            return Some(claim);
        }
        let (mut link, mut count) = (self.block + at::PAGES, FIRST_PAGE);
        loop {
            match self.arena.word_at(link).load(Ordering::Acquire) {
                0 => break,
                page => {
                    count = (self.arena.get_word(page + page::COUNT) * 4 + 3).min(MOST_IN_PAGE);
                    link = page + page::NEXT;
                }
            }
        }
        let page = self.arena.alloc_zeroed(page::CLAIMS + count * CLAIM).ok()?;
        self.arena.put_word(page + page::COUNT, count);
        crash_point!("channel: page of claims made");
        self.arena.word_at(link).store(page, Ordering::Release);
        crash_point!("channel: page of claims linked");
        self.arena.commit(page);
        Some(Claim::new(self.arena, page + page::CLAIMS))
    }

    /// Names the pages, and what the claims hold, to a visitor. Under the takers' lock.
    pub(super) fn visit_claims(&self, visitor: &mut dyn Visitor) {
        let mut page = self.get(at::PAGES);
        while page != 0 {
            visitor.block(page);
            page = self
                .arena
                .word_at(page + page::NEXT)
                .load(Ordering::Acquire);
        }
        for claim in self.claims().filter(|claim| claim.owner() != 0) {
            if let Some(block) = claim.block() {
                self.arena.visit_message(block, visitor);
            }
            if let Some(taker) = HandleId::from_bits(claim.get(word::TAKER)) {
                visitor.handle(taker);
            }
            if claim.get(word::ERROR) != 0 {
                self.arena.visit_message(claim.get(word::ERROR), visitor);
            }
            self.visit_results(claim, visitor);
        }
    }
}

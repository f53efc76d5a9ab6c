//! Leases: claims that the script keeps until it says that the message is dealt with.
//!
//! A lease without results ends by the store of its number among the ends of leases; one with results by the store that
//! commits them (see [`super::results`]). Everything before that store is undone by whoever finds the taker dead, everything
//! after it is completed.

use super::claim::{ASIDE, Claim, RETURNED, word};
use super::{Channel, Delivery, PUTTERS, TAKERS, Take, at};
use crate::arena::{Arena, Full, HandleId, Offset, SlotRef};
use crate::crash_point;

/// Why a message was given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The taker wanted to: it counts for nothing.
    Wanted,
    /// An error left the taker's block. With the error as a message in the hands of this process, or 0.
    Error(Offset),
    /// The taker died.
    Death,
}

/// A message that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAside {
    /// The message.
    pub bytes: Vec<u8>,
    /// How often it was taken.
    pub deliveries: u64,
    /// The process object of its last taker.
    pub taker: Option<HandleId>,
    /// The error that the last lease was left by, as a message; empty when the taker died.
    pub error: Vec<u8>,
}

impl<'a> Channel<'a> {
    /// Takes the message at the front by lease for a process object. `Ok(Ok(_))` is the place of the lease, which this
    /// process has to end.
    pub fn take_lease(&self, taker: HandleId) -> Result<Result<Offset, Take<'a>>, Full> {
        Ok(match self.take_as(taker.to_bits())? {
            Take::Message(taken) => taken.keep().ok_or(Take::Empty),
            other => Err(other),
        })
    }

    /// The message of an open lease of this process.
    pub fn lease_bytes(&self, lease: Offset) -> &'a [u8] {
        Claim::new(self.arena, lease).bytes()
    }

    /// How often the message of an open lease was taken, this time included.
    pub fn lease_deliveries(&self, lease: Offset) -> u64 {
        Claim::new(self.arena, lease).get(word::DELIVERIES)
    }

    /// Ends an open lease of this process: its results are put where they belong and the message is gone, in one step.
    pub fn end_lease(&self, lease: Offset) -> Result<Delivery, Full> {
        let claim = Claim::new(self.arena, lease);
        let delivery = match claim.get(word::RESULTS) {
            0 => Delivery::Done,
            results => self.deliver(results)?,
        };
        if delivery != Delivery::Done {
            return Ok(delivery);
        }
        let guard = self.lock_get();
        self.finish_lease(claim);
        drop(guard);
        crash_point!("lease: unlocked");
        self.tell_joiners();
        if self.is_closed() {
            self.notify(TAKERS, u32::MAX);
        }
        Ok(delivery)
    }

    /// Gives the message of an open lease of this process back to the front, without its results.
    pub fn return_lease(&self, lease: Offset, why: Why) {
        let claim = Claim::new(self.arena, lease);
        let guard = self.lock_get();
        if self.give_back(claim, why) {
            self.set(at::RETURNED, self.get(at::RETURNED) + 1);
        }
        drop(guard);
        self.tell_joiners();
        let count = if self.is_closed() { u32::MAX } else { 1 };
        self.notify(TAKERS, count);
    }

    /// Gives back all that a process has taken by lease and not ended; for that process, at its end.
    pub fn return_leases_of(&self, who: SlotRef, why: Why) {
        if self.get(at::LEASED) == 0 {
            return;
        }
        let open = {
            let _guard = self.lock_get();
            let is_open =
                |claim: &Claim<'_>| claim.owner() == who.to_bits() && claim.get(word::TAKER) != 0;
            let open = self.claims().filter(is_open).map(|claim| claim.at);
            open.collect::<Vec<Offset>>()
        };
        for lease in open {
            self.return_lease(lease, why);
        }
    }

    /// The messages that were set aside, oldest first; `take`: they are gone then.
    pub fn set_aside(&self, take: bool) -> Vec<SetAside> {
        let _guard = self.lock_get();
        let mut aside: Vec<Claim<'_>> = self.claims().filter(|c| c.owner() == ASIDE).collect();
        aside.sort_by_key(|claim| claim.get(word::NUMBER));
        let all = aside.into_iter().map(|claim| {
            let error = claim.get(word::ERROR);
            let told = SetAside {
                bytes: claim.bytes().to_vec(),
                deliveries: claim.get(word::DELIVERIES),
                taker: HandleId::from_bits(claim.get(word::TAKER)),
                error: match error {
                    0 => Vec::new(),
                    block => self.arena.message_bytes(block).to_vec(),
                },
            };
            if take {
                self.free_claimed(claim);
            }
            told
        });
        all.collect()
    }

    /// Whether a message is in the hands of somebody who may give it back; with `keepers`, of whom.
    pub fn is_lent(&self, mut keepers: Option<&mut Vec<u64>>) -> bool {
        let _guard = self.lock_get();
        // What the dead had is no longer lent.
        self.settle_claims();
        let mut lent = false;
        for claim in self.claims() {
            let owner = claim.owner();
            if !matches!(owner, 0 | RETURNED | ASIDE) {
                lent = true;
                if let Some(keepers) = &mut keepers {
                    keepers.push(owner);
                }
            }
        }
        lent
    }

    /// What becomes of the lease of a dead process; true when its message was returned. Under the takers' lock.
    pub(super) fn settle_lease(&self, claim: Claim<'_>) -> bool {
        let committed = match claim.get(word::RESULTS) {
            0 => false,
            results => self.settle_results(results),
        };
        if committed || claim.get(word::COUNTED) != 0 {
            self.finish_lease(claim);
            return false;
        }
        self.give_back(claim, Why::Death)
    }

    /// Ends a lease whose results, if any, have been put where they belong. Under the takers' lock.
    fn finish_lease(&self, claim: Claim<'_>) {
        self.count_done(claim);
        crash_point!("lease: counted");
        self.free_claimed(claim);
    }

    /// Counts a message as done, once. Under the takers' lock.
    pub(super) fn count_done(&self, claim: Claim<'_>) {
        let done = self.get(at::LEASES_DONE);
        if claim.get(word::COUNTED) == 0 {
            claim.set(word::COUNTED, done + 1);
            crash_point!("lease: ended");
        }
        self.set(at::LEASES_DONE, done.max(claim.get(word::COUNTED)));
    }

    /// Frees a claim with its blocks; results that have not been put anywhere are freed too.
    fn free_claimed(&self, claim: Claim<'_>) {
        let mut blocks: Vec<Offset> = claim.block().into_iter().collect();
        blocks.extend(Some(claim.get(word::ERROR)).filter(|&block| block != 0));
        self.blocks_of_results(claim, &mut blocks);
        self.let_go(&blocks, || claim.set(word::OWNER, 0));
    }

    /// Frees blocks that one store detaches.
    fn let_go(&self, blocks: &[Offset], detach: impl FnOnce()) {
        blocks.iter().for_each(|&block| self.arena.claim(block));
        detach();
        crash_point!("lease: detached");
        blocks.iter().for_each(|&block| self.arena.free(block));
    }

    /// Makes a returned message of a lease, or sets it aside when it has failed too often (false). Under the takers' lock.
    fn give_back(&self, claim: Claim<'_>, why: Why) -> bool {
        let mut results = Vec::new();
        self.blocks_of_results(claim, &mut results);
        self.let_go(&results, || claim.set(word::RESULTS, 0));
        if why != Why::Wanted {
            // A gravedigger that dies right behind this lets the next one count the same death again.
            claim.set(word::FAILURES, claim.get(word::FAILURES) + 1);
            self.drop_error(claim);
        }
        if let Why::Error(error) = why
            && error != 0
        {
            claim.set(word::ERROR, error);
            self.arena.commit(error);
        }
        crash_point!("lease: about to be returned");
        let most = self.get(at::FAILURES);
        if why != Why::Wanted && most != 0 && claim.get(word::FAILURES) >= most {
            claim.set(word::OWNER, ASIDE);
            crash_point!("lease: set aside");
            self.count_done(claim);
            return false;
        }
        claim.set(word::OWNER, RETURNED);
        crash_point!("lease: returned");
        true
    }

    /// Forgets the error of an earlier lease on the same message. Under the takers' lock.
    pub(super) fn drop_error(&self, claim: Claim<'_>) {
        let error = claim.get(word::ERROR);
        if error != 0 {
            self.let_go(&[error], || claim.set(word::ERROR, 0));
        }
    }

    /// Wakes those who wait until all is done, if it is.
    pub(super) fn tell_joiners(&self) {
        if self.get(at::JOINERS) != 0 && self.unfinished() == 0 {
            self.notify(PUTTERS, u32::MAX);
        }
    }
}

/// Writes the error that a lease is left by, for [`Why::Error`].
pub fn error_block(arena: &Arena, bytes: &[u8], handles: &[HandleId]) -> Why {
    // Without room for the error the message still goes back.
    Why::Error(arena.write_message(bytes, handles).unwrap_or(0))
}

//! The steps that putting and taking a message consists of, for any memory: the product's is the arena, a model checker brings
//! its own (`tests/models.rs`). Each runs under the lock of its side, but for [`deliver`].

use super::at;
use super::claim::{RETURNED, word};
use super::{IN_BLOCK, INLINE};
use crate::arena::word::Word;
use crate::arena::{Arena, Offset};
use crate::crash_point;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words by their places.
pub trait Memory {
    /// Its kind of word.
    type Word: Word;

    /// The word at a place.
    fn word(&self, at: Offset) -> &Self::Word;
}

impl Memory for Arena {
    type Word = AtomicU64;

    #[inline(always)]
    fn word(&self, at: Offset) -> &AtomicU64 {
        self.word_at(at)
    }
}

#[inline(always)]
fn get<M: Memory>(memory: &M, at: Offset) -> u64 {
    memory.word(at).load(Ordering::Acquire)
}

#[inline(always)]
fn set<M: Memory>(memory: &M, at: Offset, value: u64) {
    memory.word(at).store(value, Ordering::Release);
}

/// Writes a short message into the slot behind the tail.
#[inline]
pub fn write<M: Memory>(memory: &M, slot: Offset, words: &[u64], length: usize) {
    memory.word(slot).store(length as u64, Ordering::Relaxed);
    for (at, word) in words.iter().enumerate().take(length.div_ceil(8)) {
        let place = memory.word(slot + 8 + at as u64 * 8);
        place.store(*word, Ordering::Relaxed);
    }
}

/// Makes the message of a number visible: one store, after everything that it makes visible.
#[inline]
pub fn commit<M: Memory>(memory: &M, channel: Offset, number: u64) {
    crash_point!("channel: slot written");
    set(memory, channel + at::TAIL, number + 1);
    crash_point!("channel: put committed");
}

/// The number of the message at the front; when there is none, whether the channel is closed.
#[inline]
pub fn front<M: Memory>(memory: &M, channel: Offset) -> Result<u64, bool> {
    let head = get(memory, channel + at::HEAD);
    if head == get(memory, channel + at::SEEN_TAIL) {
        // Read before the tail: once a channel is closed the tail stays.
        let closed = get(memory, channel + at::CLOSED) != 0;
        let tail = get(memory, channel + at::TAIL);
        set(memory, channel + at::SEEN_TAIL, tail);
        if head == tail {
            return Err(closed);
        }
    }
    Ok(head)
}

/// Takes the message of a number, which is at the front, out of its slot into a free claim of process `me`. `taker` is its
/// process object for a lease, 0 for a `get`.
#[inline]
pub fn claim<M: Memory>(
    memory: &M,
    channel: Offset,
    claim: Offset,
    (slot, number): (Offset, u64),
    (taker, me): (u64, u64),
) {
    let load = |at| memory.word(at).load(Ordering::Relaxed);
    let length = load(slot);
    if length == IN_BLOCK {
        set(memory, claim + word::BLOCK, load(slot + 8));
    } else {
        let length = length.min(INLINE as u64);
        set(memory, claim + word::BLOCK, length);
        for at in 0..length.div_ceil(8) {
            let bytes = load(slot + 8 + at * 8);
            set(memory, claim + word::BYTES + at * 8, bytes);
        }
    }
    set(memory, claim + word::NUMBER, number);
    set(memory, claim + word::DELIVERIES, 1);
    set(memory, claim + word::FAILURES, 0);
    set(memory, claim + word::TAKER, taker);
    set(memory, claim + word::RESULTS, 0);
    set(memory, claim + word::ERROR, 0);
    set(memory, claim + word::COUNTED, 0);
    set(memory, claim + word::OWNER, me);
    crash_point!("channel: claimed");
    set(memory, channel + at::HEAD, number + 1);
    crash_point!("channel: claim committed");
}

/// What became of the claim of a dead process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// Its message was never taken.
    Freed,
    /// Its message is to be taken again.
    Returned,
    /// It is a lease, which is another matter.
    Lease,
}

/// Decides on the claim of a dead process.
pub fn settle<M: Memory>(memory: &M, channel: Offset, claim: Offset) -> Settled {
    if get(memory, claim + word::NUMBER) >= get(memory, channel + at::HEAD) {
        // It died between the claim and the counter.
        set(memory, claim + word::OWNER, 0);
        return Settled::Freed;
    }
    if get(memory, claim + word::TAKER) != 0 {
        return Settled::Lease;
    }
    set(memory, claim + word::OWNER, RETURNED);
    Settled::Returned
}

/// Ends a claim of this process: the message is delivered.
#[inline]
pub fn deliver<M: Memory>(memory: &M, claim: Offset) {
    set(memory, claim + word::OWNER, 0);
}

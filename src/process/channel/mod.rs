//! A channel: the one-way stream of messages behind queues and the directions of pipes.
//!
//! Messages stand in a chain of segments, a cache line each; longer ones, and those with handles, in blocks that their
//! slots name. `tail` counts the messages ever put and `head` those ever taken, so one store commits a put and one store
//! commits a take; a process that dies before its store has not done it. Each end has a lock of its own and remembers
//! the other's counter, so one putter and one taker hardly ever touch the same memory.
//!
//! A message is taken in two steps: the taker *claims* it (the [`claim`], then `head`) and reads it at leisure; the claim
//! ends when it is delivered. The claim of a process that died is turned into a *returned* message, which is taken before
//! all others. A `lease` is a claim that the script keeps, and `results` are what is put through one.
//!
//! Imports `arena`, `os`, `diag`, `source`. **Invariant:** nothing here waits (but for the short sections of others): a
//! full, empty or closed channel is an answer, and waiting is its caller's business. The lock of takers is taken before that
//! of putters, of whatever channels, and never the other way round; several locks of putters are taken in the order of their blocks.

pub mod claim;
mod ends;
mod lease;
mod pace;
mod results;
pub mod side;
pub mod steps;
mod take;
pub mod tell;

pub use ends::Closer;
pub use lease::{SetAside, Why, error_block};
pub use results::Delivery;
pub use take::{Take, Taken};

use crate::arena::kinds::Visitor;
use crate::arena::{Arena, Full, HandleId, Object, Offset};
use crate::crash_point;
use side::SideGuard;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the words of a channel stand in its block: a cache line for each side, then what rarely changes.
pub mod at {
    #![allow(missing_docs)]

    pub const GET_LOCK: u64 = 0;
    pub const HEAD: u64 = 8;
    pub const HEAD_SEGMENT: u64 = 16;
    /// The tail as a taker saw it last.
    pub const SEEN_TAIL: u64 = 24;
    /// How many claims are of returned messages.
    pub const RETURNED: u64 = 32;
    /// When a taker woke a putter last (monotonic nanoseconds).
    pub const TOLD_PUTTERS: u64 = 40;
    pub const PUT_LOCK: u64 = 64;
    pub const TAIL: u64 = 72;
    /// A segment at or before the one that the tail is in.
    pub const TAIL_SEGMENT: u64 = 80;
    /// The head as a putter saw it last, less the returned messages.
    pub const SEEN_HEAD: u64 = 88;
    /// When a putter woke a taker last (monotonic nanoseconds).
    pub const TOLD_TAKERS: u64 = 96;
    /// Most messages that may wait; 0 is any number.
    pub const CAPACITY: u64 = 128;
    pub const CLOSED: u64 = 136;
    /// A drained segment that is kept for the next use.
    pub const SPARE: u64 = 144;
    /// Messages that `task_done` was called for.
    pub const DONE: u64 = 152;
    /// Processes that wait until all is done (too high after deaths, which costs needless wakings).
    pub const JOINERS: u64 = 160;
    /// Not 0 once a message with handles was put: before, collections need not look at messages.
    pub const HANDLES: u64 = 168;
    /// The first page of further claims; 0 while those of the block are enough.
    pub const PAGES: u64 = 176;
    /// Messages whose leases were ended in order, or that were set aside.
    pub const LEASES_DONE: u64 = 184;
    pub const CLOSER: u64 = 192;
    /// Under the lock of the putters: the results that are being put in, as the block of them; 0 for none.
    pub const COMMITTING: u64 = 288;
    /// After how many failures an item is set aside; 0 is never.
    pub const FAILURES: u64 = 296;
    /// Not 0 once a message was taken by lease: before, collections need not look at claims.
    pub const LEASED: u64 = 304;
    pub const CLAIMS: u64 = 320;
}

/// The event that takers wait at, and the one of putters.
const TAKERS: usize = 0;
const PUTTERS: usize = 1;
/// Bytes of a channel's block.
const BYTES: u64 = at::CLAIMS + claim::FIRST_CLAIMS * claim::CLAIM;

/// A segment: the number of its first slot, how many it has, the next segment; then, from `SLOTS`, the slots.
mod segment {
    pub const FIRST: u64 = 0;
    pub const COUNT: u64 = 8;
    pub const NEXT: u64 = 16;
    pub const SLOTS: u64 = 64;
}

/// Bytes of a slot. Its first word is the length of an inline message, or `IN_BLOCK`; then the bytes, or the block.
const SLOT: u64 = 64;
/// Longest message that stands in its slot.
const INLINE: usize = 56;
const IN_BLOCK: u64 = u64::MAX;
/// Slots of first and of largest segments: with their heads they fill blocks of 1 KiB and 32 KiB.
const FIRST_SLOTS: u64 = 15;
const MOST_SLOTS: u64 = 511;

/// What came of putting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It is in.
    Done,
    /// As many messages wait as may.
    NoRoom,
    /// The channel is closed.
    Closed,
}

/// A message that is ready to be put: encoded, and outside of all locks in its block if it needs one.
pub enum Prepared {
    /// A short message without handles.
    Inline([u64; INLINE / 8], usize),
    /// A message in a block in the hands of this process.
    Block(Offset, bool),
    /// It has been put.
    Gone,
}

/// A channel: where its block is, and the object at whose events its takers (0) and putters (1) wait, unless it is gone.
#[derive(Clone, Copy)]
pub struct Channel<'a> {
    arena: &'a Arena,
    object: Option<&'a Object>,
    block: Offset,
}

impl Prepared {
    /// A short message without handles, by its words (the first byte lowest) and its length in bytes, at most theirs.
    #[inline(always)]
    pub fn small<const N: usize>(words: [u64; N], length: usize) -> Prepared {
        let mut all = [0; INLINE / 8];
        for (place, word) in all.iter_mut().zip(words) {
            // As it lies in memory.
            *place = word.to_le();
        }
        Prepared::Inline(all, length.min(N * 8).min(INLINE))
    }

    /// Prepares the message that consists of some parts with the handles in them.
    #[inline]
    pub fn new(arena: &Arena, parts: [&[u8]; 2], handles: &[HandleId]) -> Result<Prepared, Full> {
        let length = parts[0].len() + parts[1].len();
        if length > INLINE || !handles.is_empty() {
            let block = arena.write_message_parts(&parts, handles)?;
            return Ok(Prepared::Block(block, !handles.is_empty()));
        }
        let mut bytes = [0; INLINE];
        let (first, rest) = bytes.split_at_mut(parts[0].len());
        first.copy_from_slice(parts[0]);
        if let Some(second) = rest.get_mut(..parts[1].len()) {
            second.copy_from_slice(parts[1]);
        }
        let mut words = [0; INLINE / 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        Ok(Prepared::Inline(words, length))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Prepared::Block(block, _) = *self
            && let Some(arena) = crate::arena::get()
        {
            arena.free(block);
        }
    }
}

impl<'a> Channel<'a> {
    /// Writes an empty channel into a new block, which is in the hands of this process until it is attached. `failures`:
    /// after how many an item that is taken by lease is set aside, 0 for never.
    pub fn create(arena: &Arena, capacity: u64, failures: u64) -> Result<Offset, Full> {
        let block = arena.alloc_zeroed(BYTES)?;
        let first = match new_segment(arena, 0, FIRST_SLOTS) {
            Ok(first) => first,
            Err(full) => {
                arena.free(block);
                return Err(full);
            }
        };
        arena.put_word(block + at::CAPACITY, capacity);
        arena.put_word(block + at::FAILURES, failures);
        arena.put_word(block + at::TAIL_SEGMENT, first);
        arena.put_word(block + at::HEAD_SEGMENT, first);
        arena.commit(first);
        Ok(block)
    }

    /// The channel in a block, with the object whose events it uses.
    #[inline]
    pub fn new(arena: &'a Arena, object: Option<&'a Object>, block: Offset) -> Channel<'a> {
        Channel {
            arena,
            object,
            block,
        }
    }

    #[inline]
    fn word(&self, at: u64) -> &'a AtomicU64 {
        self.arena.word_at(self.block + at)
    }

    #[inline]
    fn get(&self, at: u64) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }

    /// What a process writes that may die at any instant: one store, after everything that it makes visible.
    #[inline]
    fn set(&self, at: u64, value: u64) {
        self.word(at).store(value, Ordering::Release);
    }

    fn lock_put(&self) -> SideGuard<'a> {
        let guard = side::lock(self.arena, self.block + at::PUT_LOCK);
        // A dead putter leaves nothing to repair: its message is not counted, and segments are found by walking. One that was
        // ending a lease may have left results half put in.
        if guard.owner_died {
            self.finish_commit();
        }
        guard
    }

    #[inline]
    fn notify(&self, side: usize, count: u32) {
        if let Some(object) = self.object {
            object.events[side & 1].notify(count);
        }
    }

    /// Messages that wait to be taken.
    pub fn len(&self) -> u64 {
        loop {
            let head = self.get(at::HEAD);
            let waiting = self.get(at::TAIL).saturating_sub(head) + self.get(at::RETURNED);
            // The counters were both right at one instant when the head did not move meanwhile.
            if self.get(at::HEAD) == head {
                return waiting;
            }
        }
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a put would find room.
    pub fn has_room(&self) -> bool {
        let capacity = self.capacity();
        capacity == 0 || self.len() < capacity
    }

    /// Most messages that may wait; 0 is any number.
    pub fn capacity(&self) -> u64 {
        self.get(at::CAPACITY)
    }

    /// Puts a message if there is room; it is [`Prepared::Gone`] then.
    pub fn put(&self, message: &mut Prepared) -> Result<Put, Full> {
        let guard = self.lock_put();
        if self.get(at::CLOSED) != 0 {
            return Ok(Put::Closed);
        }
        let tail = self.get(at::TAIL);
        let capacity = self.get(at::CAPACITY);
        if capacity != 0 && tail.saturating_sub(self.get(at::SEEN_HEAD)) >= capacity {
            let head = self.get(at::HEAD).saturating_sub(self.get(at::RETURNED));
            self.set(at::SEEN_HEAD, head);
            if tail.saturating_sub(head) >= capacity {
                return Ok(Put::NoRoom);
            }
        }
        let slot = self.slot_for_put(tail)?;
        match message {
            Prepared::Inline(words, length) => steps::write(self.arena, slot, words, *length),
            Prepared::Block(block, handles) => {
                if *handles {
                    self.set(at::HANDLES, 1);
                }
                self.arena.put_word(slot + 8, *block);
                self.arena.put_word(slot, IN_BLOCK);
            }
            Prepared::Gone => return Ok(Put::Done),
        }
        steps::commit(self.arena, self.block, tail);
        if let Prepared::Block(block, _) = *message {
            self.arena.commit(block);
        }
        // Forgotten, not dropped: the block belongs to the channel now.
        std::mem::forget(std::mem::replace(message, Prepared::Gone));
        drop(guard);
        crash_point!("channel: put unlocked");
        self.tell_taker();
        Ok(Put::Done)
    }

    /// The slot of a number at the tail; adds a segment when the last one is full. Under the putters' lock.
    fn slot_for_put(&self, index: u64) -> Result<Offset, Full> {
        let before = self.get(at::TAIL_SEGMENT);
        let (segment, slot) = self.slot_ahead(before, index)?;
        if segment != before {
            self.set(at::TAIL_SEGMENT, segment);
        }
        Ok(slot)
    }

    /// The slot of a number at or behind the tail, with its segment; segments are added as they are needed.
    #[inline]
    fn slot_ahead(&self, mut segment: Offset, index: u64) -> Result<(Offset, Offset), Full> {
        loop {
            if let Some(slot) = slot_in(self.arena, segment, index) {
                return Ok((segment, slot));
            }
            let next = self
                .arena
                .word_at(segment + segment::NEXT)
                .load(Ordering::Acquire);
            segment = match next {
                0 => self.add_segment(segment)?,
                next => next,
            };
        }
    }

    #[cold]
    fn add_segment(&self, last: Offset) -> Result<Offset, Full> {
        let (first, count) = (segment::FIRST, segment::COUNT);
        let first = self.arena.get_word(last + first) + self.arena.get_word(last + count);
        let spare = self.get(at::SPARE);
        let new = if spare != 0 {
            self.arena.claim(spare);
            self.set(at::SPARE, 0);
            self.arena.put_word(spare + segment::FIRST, first);
            self.arena.put_word(spare + segment::NEXT, 0);
            spare
        } else {
            let count = self.arena.get_word(last + segment::COUNT);
            new_segment(self.arena, first, (count * 4 + 3).min(MOST_SLOTS))?
        };
        crash_point!("channel: segment made");
        self.arena
            .word_at(last + segment::NEXT)
            .store(new, Ordering::Release);
        crash_point!("channel: segment linked");
        self.arena.commit(new);
        Ok(new)
    }

    /// Names everything in it to a visitor.
    pub fn visit(&self, visitor: &mut dyn Visitor) {
        let messages = visitor.wants_blocks() || self.get(at::HANDLES) != 0;
        if !messages && self.get(at::LEASED) == 0 {
            return;
        }
        visitor.block(self.block);
        let _guard = self.lock_get();
        self.visit_claims(visitor);
        if !messages {
            return;
        }
        let spare = self.get(at::SPARE);
        if spare != 0 {
            visitor.block(spare);
        }
        let mut segment = self.get(at::HEAD_SEGMENT);
        let mut index = self.get(at::HEAD);
        while segment != 0 {
            visitor.block(segment);
            let tail = self.get(at::TAIL);
            while index < tail
                && let Some(slot) = slot_in(self.arena, segment, index)
            {
                if self.arena.get_word(slot) == IN_BLOCK {
                    self.arena
                        .visit_message(self.arena.get_word(slot + 8), visitor);
                }
                index += 1;
            }
            segment = self
                .arena
                .word_at(segment + segment::NEXT)
                .load(Ordering::Acquire);
        }
    }

    /// Frees everything in it; nobody can reach it any more.
    pub fn destroy(&self) {
        struct Blocks(Vec<Offset>);
        impl Visitor for Blocks {
            fn handle(&mut self, _: HandleId) {}
            fn block(&mut self, block: Offset) {
                self.0.push(block);
            }
        }
        let mut blocks = Blocks(Vec::new());
        self.visit(&mut blocks);
        for block in blocks.0 {
            self.arena.free(block);
        }
    }
}

/// The slot of a number in a segment, if it is there.
#[inline]
fn slot_in(arena: &Arena, segment: Offset, index: u64) -> Option<Offset> {
    let within = index.checked_sub(arena.get_word(segment + segment::FIRST))?;
    (within < arena.get_word(segment + segment::COUNT))
        .then(|| segment + segment::SLOTS + within * SLOT)
}

fn new_segment(arena: &Arena, first: u64, count: u64) -> Result<Offset, Full> {
    let segment = arena.alloc(segment::SLOTS + count * SLOT)?;
    arena.put_word(segment + segment::FIRST, first);
    arena.put_word(segment + segment::COUNT, count);
    arena.put_word(segment + segment::NEXT, 0);
    Ok(segment)
}

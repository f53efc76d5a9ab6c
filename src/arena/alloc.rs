//! The allocator: blocks of the data region, by size classes and by runs of chunks.
//!
//! The data region is cut into chunks of 64 KiB. A chunk belongs to one size class, to a big block, or to nobody. Each
//! small block has one *state word* in a side table, and that word is the whole truth about it: 0 is free, all ones is
//! "belongs to an object", anything else is the tag of the process that has it in its hands. Taking a block is therefore
//! one compare-and-swap which also names the taker, so there is no instant at which a death loses a block, and nothing
//! that could be half done: no lists, no counters that matter. (A bitmap beside owner tags was the first design; taking a bit
//! and writing the tag are two steps, with a leak in between.) Everything else here (which chunk has room, how many are in
//! use) is a hint that may be wrong.
//!
//! Life of a block: [`Arena::alloc`] gives it to the caller's process; once a single store has attached it to an object,
//! [`Arena::commit`] says so. Before an object lets go of it by a single store, [`Arena::claim`] takes it back into the
//! hands of the process; [`Arena::free`] ends it. A process that dies with blocks in its hands leaves them tagged: the
//! collector frees those that are not attached after all.

use super::layout::{CHUNK, Offset, WORDS_PER_CHUNK};
use super::table::SlotRef;
use super::{Arena, Full};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The sizes of small blocks: at most a third is wasted, mostly a fifth.
pub const CLASSES: [u32; 17] = [
    64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 13056, 21760, 32768,
];
/// The largest small block.
const LARGEST_SMALL: u64 = 32768;
/// The state of a block that belongs to an object.
pub(super) const COMMITTED: u32 = u32::MAX;

/// What a chunk is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Free,
    /// Blocks of this class.
    Small(usize),
    /// The first of this many chunks of a big block.
    Big(u32),
    /// A further chunk of a big block.
    Tail,
    /// Being taken from its class (see [`Arena::retire`]).
    Retiring(usize),
}

/// The descriptor of a chunk.
#[repr(C, align(64))]
pub(super) struct Chunk {
    usage: AtomicU64,
    /// For a big block: its state word.
    pub(super) word: AtomicU32,
    /// For small ones, a hint: the process that fills it. Others look elsewhere while it lives.
    pub(super) filler: AtomicU64,
    /// Not 0 when its memory may have been touched since it was last given back to the kernel.
    pub(super) touched: AtomicU32,
}

impl Chunk {
    pub(super) fn usage(&self) -> Use {
        let bits = self.usage.load(Ordering::SeqCst);
        let class = (bits >> 8 & 0xff) as usize;
        match bits as u8 {
            1 if class < CLASSES.len() => Use::Small(class),
            2 => Use::Big((bits >> 32) as u32),
            3 => Use::Tail,
            4 if class < CLASSES.len() => Use::Retiring(class),
            _ => Use::Free,
        }
    }

    pub(super) fn set_usage(&self, usage: Use) {
        let bits = match usage {
            Use::Free => 0,
            Use::Small(class) => 1 | (class as u64) << 8,
            Use::Big(chunks) => 2 | u64::from(chunks) << 32,
            Use::Tail => 3,
            Use::Retiring(class) => 4 | (class as u64) << 8,
        };
        self.usage.store(bits, Ordering::SeqCst);
    }
}

/// Per process: the chunk that it fills for each class (plus one; 0 is none) and where it looks first in it.
static CURRENT: [AtomicU32; CLASSES.len()] = [const { AtomicU32::new(0) }; CLASSES.len()];
static ROTOR: [AtomicU32; CLASSES.len()] = [const { AtomicU32::new(0) }; CLASSES.len()];

/// In a new child: it fills chunks of its own.
pub(super) fn forget_current() {
    for current in &CURRENT {
        current.store(0, Ordering::Relaxed);
    }
}

/// The class for a size.
fn class_of(size: u64) -> usize {
    CLASSES.partition_point(|&class| u64::from(class) < size)
}

/// Blocks that a chunk of a class has.
pub(super) fn blocks_of(class: usize) -> u32 {
    CHUNK as u32 / CLASSES[class]
}

impl Arena {
    pub(super) fn chunk(&self, index: u32) -> &Chunk {
        let index = index.min(self.layout.chunks.saturating_sub(1));
        self.at(self.layout.chunks_at + u64::from(index) * size_of::<Chunk>() as u64)
    }

    pub(super) fn word(&self, chunk: u32, block: u32) -> &AtomicU32 {
        let chunk = chunk.min(self.layout.chunks.saturating_sub(1));
        let block = u64::from(block) % WORDS_PER_CHUNK;
        self.at(self.layout.words_at + (u64::from(chunk) * WORDS_PER_CHUNK + block) * 4)
    }

    pub(super) fn chunk_offset(&self, chunk: u32) -> Offset {
        self.layout.data_at + u64::from(chunk) * CHUNK
    }

    /// The chunk, the number in it and the state word of the block at an offset; `None` when there is no block.
    pub(super) fn locate(&self, block: Offset) -> Option<(u32, &AtomicU32)> {
        let at = block.checked_sub(self.layout.data_at)?;
        let index = u32::try_from(at / CHUNK).ok()?;
        if index >= self.layout.chunks {
            return None;
        }
        let chunk = self.chunk(index);
        match chunk.usage() {
            Use::Small(class) | Use::Retiring(class) => {
                let size = u64::from(CLASSES[class]);
                let inside = at % CHUNK;
                inside
                    .is_multiple_of(size)
                    .then(|| (index, self.word(index, (inside / size) as u32)))
            }
            Use::Big(_) if at % CHUNK == 0 => Some((index, &chunk.word)),
            _ => None,
        }
    }

    /// Bytes of the block at an offset; 0 when there is no block.
    pub fn capacity(&self, block: Offset) -> u64 {
        let Some((index, _)) = self.locate(block) else {
            return 0;
        };
        match self.chunk(index).usage() {
            Use::Small(class) | Use::Retiring(class) => u64::from(CLASSES[class]),
            Use::Big(chunks) => u64::from(chunks) * CHUNK,
            _ => 0,
        }
    }

    /// A block of at least `size` bytes, in the hands of this process. What is in it is whatever was there before.
    ///
    /// It never collects by itself (the caller may hold an object's mutex): who gets [`Full`] lets go of its mutexes and
    /// uses [`super::when_full`].
    pub fn alloc(&self, size: u64) -> Result<Offset, Full> {
        let owner = super::me();
        if size > LARGEST_SMALL {
            return self.alloc_big(size, owner);
        }
        let class = class_of(size);
        let current = CURRENT[class].load(Ordering::Relaxed);
        if current != 0
            && let Some(block) = self.take_in(current - 1, class, owner)
        {
            return Ok(block);
        }
        self.alloc_elsewhere(class, owner)
    }

    /// The same with all bytes 0, as far as the block goes: what tells its length from [`Arena::capacity`] finds nothing of the
    /// block's earlier life behind what was asked for.
    pub fn alloc_zeroed(&self, size: u64) -> Result<Offset, Full> {
        let block = self.alloc(size)?;
        self.fill_zero(block, self.capacity(block));
        Ok(block)
    }

    fn take_in(&self, index: u32, class: usize, owner: SlotRef) -> Option<Offset> {
        let chunk = self.chunk(index);
        if chunk.usage() != Use::Small(class) {
            return None;
        }
        let blocks = blocks_of(class);
        let first = ROTOR[class].load(Ordering::Relaxed) % blocks;
        let mut block = first;
        loop {
            let word = self.word(index, block);
            if word.load(Ordering::Relaxed) == 0
                && word
                    .compare_exchange(0, owner.tag(), Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
            {
                // Taking the chunk from its class stores the chunk's state and then looks at the words; we store the
                // word and then look at the state: one of the two sees the other.
                if chunk.usage() != Use::Small(class) {
                    word.store(0, Ordering::SeqCst);
                    return None;
                }
                ROTOR[class].store(block + 1, Ordering::Relaxed);
                return Some(self.chunk_offset(index) + u64::from(block * CLASSES[class]));
            }
            block = if block + 1 == blocks { 0 } else { block + 1 };
            if block == first {
                return None;
            }
        }
    }

    #[cold]
    fn alloc_elsewhere(&self, class: usize, owner: SlotRef) -> Result<Offset, Full> {
        let hint = &self.header().class_hint[class];
        let high = self.header().chunk_high.load(Ordering::Acquire);
        let first = hint.load(Ordering::Relaxed);
        let mut all_full = true;
        for index in first..high {
            let chunk = self.chunk(index);
            if chunk.usage() != Use::Small(class) {
                continue;
            }
            let filler = chunk.filler.load(Ordering::Relaxed);
            let others = SlotRef::from_bits(filler)
                .is_some_and(|filler| filler != owner && self.is_alive(filler));
            if others {
                all_full = false;
                continue;
            }
            if let Some(block) = self.start_filling(index, class, owner) {
                return Ok(block);
            }
            if all_full {
                hint.fetch_max(index + 1, Ordering::Relaxed);
            }
        }
        if let Some(index) = self.take_chunk(class, owner)
            && let Some(block) = self.start_filling(index, class, owner)
        {
            return Ok(block);
        }
        // The arena is at its limit: any room will do.
        (0..high)
            .find_map(|index| self.take_in(index, class, owner))
            .ok_or(Full)
    }

    fn start_filling(&self, index: u32, class: usize, owner: SlotRef) -> Option<Offset> {
        ROTOR[class].store(0, Ordering::Relaxed);
        let block = self.take_in(index, class, owner)?;
        let chunk = self.chunk(index);
        chunk.filler.store(owner.to_bits(), Ordering::Relaxed);
        CURRENT[class].store(index + 1, Ordering::Relaxed);
        Some(block)
    }

    /// Says that a block now belongs to the object that one store has attached it to.
    #[inline]
    pub fn commit(&self, block: Offset) {
        // Somebody else may have taken it out, and freed it, between our attaching store and now: then it is his word.
        if let Some((_, word)) = self.locate(block) {
            let mine = super::me().tag();
            let _ = word.compare_exchange(mine, COMMITTED, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Takes a block of an object into the hands of this process, before one store detaches it.
    #[inline]
    pub fn claim(&self, block: Offset) {
        if let Some((_, word)) = self.locate(block) {
            word.store(super::me().tag(), Ordering::SeqCst);
        }
    }

    /// Frees a block; nobody may refer to it any more.
    pub fn free(&self, block: Offset) {
        let Some((index, word)) = self.locate(block) else {
            return;
        };
        let (Use::Small(class) | Use::Retiring(class)) = self.chunk(index).usage() else {
            self.free_big(index);
            return;
        };
        word.store(0, Ordering::Release);
        if CURRENT[class].load(Ordering::Relaxed) == index + 1 {
            // The block that was freed last is the warmest.
            let inside = (block - self.chunk_offset(index)) as u32;
            ROTOR[class].store(inside / CLASSES[class], Ordering::Relaxed);
        } else {
            let hint = &self.header().class_hint[class];
            if hint.load(Ordering::Relaxed) > index {
                hint.fetch_min(index, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_fit_their_sizes() {
        for size in 1..=LARGEST_SMALL {
            let class = class_of(size);
            assert!(u64::from(CLASSES[class]) >= size);
            assert!(class == 0 || u64::from(CLASSES[class - 1]) < size);
        }
        for class in CLASSES {
            assert_eq!(class % 64, 0);
        }
    }
}

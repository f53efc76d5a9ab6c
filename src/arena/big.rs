//! Chunks: giving them to size classes, runs of them as big blocks, and giving their memory back to the kernel.
//!
//! All of it happens under the chunk mutex. A big block exists from the store to its first descriptor (which comes last)
//! until that store is taken back (which comes first); descriptors of further chunks without a first one are what a
//! dead process left, and the repair makes them free.

use super::alloc::{COMMITTED, Use, blocks_of};
use super::layout::{CHUNK, Offset};
use super::table::SlotRef;
use super::{Arena, Full};
use crate::crash_point;
use crate::os::memory;
use crate::os::robust::{Guard, Taken};
use std::sync::atomic::Ordering;

/// Chunks of freed memory that are kept warm for the next use (64 MiB); beyond, freed runs go back to the kernel at
/// once. Fresh pages cost seven to twenty times what warm ones do.
const WARM_CHUNKS: u32 = 1024;

impl Arena {
    fn lock_chunks(&self) -> Guard<'_> {
        let guard = self.header().chunk_mutex.lock();
        if guard.taken == Taken::OwnerDied {
            self.repair_chunks();
        }
        guard
    }

    /// Makes tails without a head free, and big blocks that were being freed, and counts again.
    fn repair_chunks(&self) {
        let high = self.header().chunk_high.load(Ordering::Acquire);
        let (mut index, mut used) = (0, 0);
        while index < high {
            let chunk = self.chunk(index);
            let length = match chunk.usage() {
                // Its word is set before its head and cleared before that is taken away: it was being freed.
                Use::Big(_) if chunk.word.load(Ordering::SeqCst) == 0 => {
                    chunk.set_usage(Use::Free);
                    0
                }
                Use::Big(length) => length.max(1),
                Use::Tail => {
                    chunk.set_usage(Use::Free);
                    0
                }
                // A chunk that was being retired goes back to its class: its words are the truth.
                Use::Retiring(class) => {
                    chunk.set_usage(Use::Small(class));
                    1
                }
                Use::Small(_) => 1,
                Use::Free => 0,
            };
            used += length;
            index += length.max(1);
        }
        self.header().chunks_used.store(used, Ordering::Relaxed);
        self.header().chunk_hint.store(0, Ordering::Relaxed);
    }

    /// Finds `count` free chunks in a row, lowest first: what was used before is warm.
    fn find_run(&self, count: u32) -> Option<u32> {
        let header = self.header();
        let used = header.chunks_used.load(Ordering::Relaxed);
        if used.saturating_add(count) > header.chunk_limit.load(Ordering::Relaxed) {
            return None;
        }
        let high = header.chunk_high.load(Ordering::Acquire);
        let mut index = header.chunk_hint.load(Ordering::Relaxed);
        let mut length = 0;
        while index < high && length < count {
            match self.chunk(index).usage() {
                Use::Free => {
                    length += 1;
                    index += 1;
                }
                Use::Big(run) => {
                    length = 0;
                    index += run.max(1);
                }
                _ => {
                    length = 0;
                    index += 1;
                }
            }
        }
        let first = index - length;
        if first.checked_add(count)? > self.layout.chunks {
            return None;
        }
        let fresh = (first + count).saturating_sub(high);
        if fresh > 0
            && header.strict.load(Ordering::Relaxed) != 0
            && !memory::commit(self.chunk_offset(high), u64::from(fresh) * CHUNK)
        {
            return None;
        }
        Some(first)
    }

    fn note_taken(&self, first: u32, count: u32) {
        let header = self.header();
        for index in first..first + count {
            let chunk = self.chunk(index);
            if chunk.touched.swap(1, Ordering::Relaxed) != 0 {
                let _ =
                    header
                        .chunks_warm
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |warm| {
                            warm.checked_sub(1)
                        });
            }
        }
        header.chunk_high.fetch_max(first + count, Ordering::AcqRel);
        if header.chunk_hint.load(Ordering::Relaxed) == first {
            header.chunk_hint.store(first + count, Ordering::Relaxed);
        }
        let used = header.chunks_used.fetch_add(count, Ordering::Relaxed) + count;
        if used > header.collect_at_chunks.load(Ordering::Relaxed) {
            super::want_collection();
        }
    }

    /// Gives a free chunk to a size class.
    pub(super) fn take_chunk(&self, class: usize, owner: SlotRef) -> Option<u32> {
        let _guard = self.lock_chunks();
        let index = self.find_run(1)?;
        let chunk = self.chunk(index);
        chunk.filler.store(owner.to_bits(), Ordering::Relaxed);
        crash_point!("chunk: before its class");
        self.note_taken(index, 1);
        chunk.set_usage(Use::Small(class));
        crash_point!("chunk: in its class");
        let hint = &self.header().class_hint[class];
        hint.fetch_min(index, Ordering::Relaxed);
        Some(index)
    }

    pub(super) fn alloc_big(&self, size: u64, owner: SlotRef) -> Result<Offset, Full> {
        let count = u32::try_from(size.div_ceil(CHUNK)).map_err(|_| Full)?;
        let _guard = self.lock_chunks();
        let first = self.find_run(count).ok_or(Full)?;
        self.note_taken(first, count);
        for index in first + 1..first + count {
            self.chunk(index).set_usage(Use::Tail);
            crash_point!("big: a tail is set");
        }
        let chunk = self.chunk(first);
        chunk.word.store(owner.tag(), Ordering::SeqCst);
        crash_point!("big: before its head");
        chunk.set_usage(Use::Big(count));
        crash_point!("big: made");
        Ok(self.chunk_offset(first))
    }

    pub(super) fn free_big(&self, first: u32) {
        let _guard = self.lock_chunks();
        if let Use::Big(count) = self.chunk(first).usage() {
            self.chunk(first).word.store(0, Ordering::SeqCst);
            crash_point!("big: word cleared");
            self.release_run(first, count);
        }
    }

    /// Frees chunks; the chunk mutex is held.
    fn release_run(&self, first: u32, count: u32) {
        let header = self.header();
        self.chunk(first).set_usage(Use::Free);
        crash_point!("run: head freed");
        for index in first + 1..first + count {
            self.chunk(index).set_usage(Use::Free);
        }
        let warm = header.chunks_warm.fetch_add(count, Ordering::Relaxed) + count;
        if warm > WARM_CHUNKS {
            self.punch(first, count);
        }
        header.chunk_hint.fetch_min(first, Ordering::Relaxed);
        let _ = header
            .chunks_used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_sub(count)
            });
    }

    /// Gives the memory of free chunks back to the kernel; the chunk mutex is held.
    fn punch(&self, first: u32, count: u32) {
        self.punch_range(self.chunk_offset(first), u64::from(count) * CHUNK);
        for index in first..first + count {
            self.chunk(index).touched.store(0, Ordering::Relaxed);
        }
        let _ =
            self.header()
                .chunks_warm
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |warm| {
                    Some(warm.saturating_sub(count))
                });
    }

    /// Takes chunks without blocks from their classes; the collector does it. Returns how many.
    ///
    /// Storing the state and then looking at the words is one half of an agreement with `take_in`, which stores a
    /// word and then looks at the state.
    pub(super) fn retire(&self) -> u32 {
        let _guard = self.lock_chunks();
        let header = self.header();
        let mut retired = 0;
        for index in 0..header.chunk_high.load(Ordering::Acquire) {
            let chunk = self.chunk(index);
            let Use::Small(class) = chunk.usage() else {
                continue;
            };
            let filled_by_another = SlotRef::from_bits(chunk.filler.load(Ordering::Relaxed))
                .is_some_and(|filler| filler != super::me() && self.is_alive(filler));
            if filled_by_another {
                continue;
            }
            let words = || (0..blocks_of(class)).map(|block| self.word(index, block));
            if words().any(|word| word.load(Ordering::Relaxed) != 0) {
                continue;
            }
            chunk.set_usage(Use::Retiring(class));
            crash_point!("retire: announced");
            if words().any(|word| word.load(Ordering::SeqCst) != 0) {
                chunk.set_usage(Use::Small(class));
                continue;
            }
            self.release_run(index, 1);
            retired += 1;
        }
        retired
    }

    /// Calls `found` for every block that is in the hands of a process: its offset and the process's tag.
    pub(super) fn blocks_in_hands(&self, mut found: impl FnMut(Offset, u32)) {
        self.each_block(|block, word| {
            if word != COMMITTED {
                found(block, word);
            }
        });
    }

    /// Blocks that are not free (for tests).
    pub fn blocks(&self) -> usize {
        let mut count = 0;
        self.each_block(|_, _| count += 1);
        count
    }

    /// Calls `found` for every block that is not free: its offset and its word.
    fn each_block(&self, mut found: impl FnMut(Offset, u32)) {
        for index in 0..self.header().chunk_high.load(Ordering::Acquire) {
            let chunk = self.chunk(index);
            match chunk.usage() {
                Use::Small(class) => {
                    for block in 0..blocks_of(class) {
                        let word = self.word(index, block).load(Ordering::SeqCst);
                        if word != 0 {
                            let size = u64::from(super::alloc::CLASSES[class]);
                            found(self.chunk_offset(index) + u64::from(block) * size, word);
                        }
                    }
                }
                Use::Big(_) => {
                    let word = chunk.word.load(Ordering::SeqCst);
                    if word != 0 {
                        found(self.chunk_offset(index), word);
                    }
                }
                _ => {}
            }
        }
    }

    /// Gives a block that a dead process had in its hands back to the object that it is attached to after all.
    pub(super) fn commit_of_dead(&self, block: Offset, tag: u32) {
        if let Some((_, word)) = self.locate(block) {
            let _ = word.compare_exchange(tag, COMMITTED, Ordering::SeqCst, Ordering::Relaxed);
        }
    }

    /// Frees a block that a dead process had in its hands; false when somebody has taken it into his own since.
    pub(super) fn free_of_dead(&self, block: Offset, tag: u32) -> bool {
        let Some((index, word)) = self.locate(block) else {
            return false;
        };
        let mine = super::me().tag();
        let won = word
            .compare_exchange(tag, mine, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok();
        if won {
            debug_assert!(index < self.layout.chunks);
            self.free(block);
        }
        won
    }

    /// Bytes of the data region in use by chunks.
    pub fn used_bytes(&self) -> u64 {
        u64::from(self.header().chunks_used.load(Ordering::Relaxed)) * CHUNK
    }
}

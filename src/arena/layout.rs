//! Where everything is in the arena: offsets from its beginning, computed once from its size.

use super::object::Object;
use super::table::Slot;
use crate::limits::{MAX_OBJECTS, MAX_PROCESSES};

/// An offset from the beginning of the arena; 0 means "nothing" (the header is there, and nobody refers to it).
pub type Offset = u64;

/// Bytes of a chunk: the unit in which the data region is given to size classes and to big blocks.
pub const CHUNK: u64 = 64 * 1024;
/// The smallest block.
pub const SMALLEST: u64 = 64;
/// Blocks that a chunk of the smallest class has: the room for state words that each chunk is given.
pub const WORDS_PER_CHUNK: u64 = CHUNK / SMALLEST;

/// The offsets of the regions. All are multiples of a page.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Bytes of the whole.
    pub size: u64,
    /// Slots of the process table.
    pub slots: u32,
    /// Entries of the object table.
    pub objects: u32,
    /// Chunks of the data region.
    pub chunks: u32,
    /// The process table.
    pub slots_at: Offset,
    /// The hold sets, one after the other.
    pub holds_at: Offset,
    /// The object table.
    pub objects_at: Offset,
    /// The chunk descriptors.
    pub chunks_at: Offset,
    /// The state words of small blocks.
    pub words_at: Offset,
    /// The data region.
    pub data_at: Offset,
}

/// Bytes of a chunk descriptor: a cache line, so that processes filling different chunks do not disturb each other.
pub const CHUNK_DESCRIPTOR: u64 = 64;
/// Bytes before the process table.
const HEADER: u64 = CHUNK;

impl Layout {
    /// The layout of an arena of `size` bytes. The tables get a share that suits the size; at full size they hold the
    /// numbers of `limits`.
    pub fn for_size(size: u64) -> Layout {
        let slots = ((size >> 20) as u32).clamp(64, MAX_PROCESSES as u32);
        // Hold sets are the largest table: a bit for each object in each slot. They and the object table get at most a
        // sixteenth of the arena each.
        let by_holds = size / 16 * 8 / u64::from(slots);
        let by_entries = size / 16 / size_of::<Object>() as u64;
        let most = by_holds.min(by_entries).min(MAX_OBJECTS as u64) as u32;
        let objects = most.max(4096) & !511;
        let slots_at = HEADER;
        // What every process touches comes first and close together: a new process needs fewer tables of pages.
        let objects_at = align(slots_at + u64::from(slots) * size_of::<Slot>() as u64);
        let chunks_at = align(objects_at + u64::from(objects) * size_of::<Object>() as u64);
        let holds = u64::from(slots) * Self::hold_bytes_of(objects);
        let per_chunk = CHUNK + CHUNK_DESCRIPTOR + WORDS_PER_CHUNK * 4;
        let chunks = (size.saturating_sub(chunks_at + holds + 3 * CHUNK) / per_chunk) as u32;
        let holds_at = align(chunks_at + u64::from(chunks) * CHUNK_DESCRIPTOR);
        let words_at = align(holds_at + holds);
        let data_at = align(words_at + u64::from(chunks) * WORDS_PER_CHUNK * 4);
        Layout {
            size,
            slots,
            objects,
            chunks,
            slots_at,
            holds_at,
            objects_at,
            chunks_at,
            words_at,
            data_at,
        }
    }

    /// Bytes of one hold set: whole pages.
    pub fn hold_bytes(&self) -> u64 {
        Self::hold_bytes_of(self.objects)
    }

    fn hold_bytes_of(objects: u32) -> u64 {
        (u64::from(objects) / 8).next_multiple_of(4096)
    }
}

/// The next multiple of a chunk: huge pages and punching like large alignments, and address space is free.
fn align(offset: Offset) -> Offset {
    offset.next_multiple_of(CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ARENA_LEAST, ARENA_RESERVE};

    #[test]
    fn full_size_holds_the_limits() {
        let layout = Layout::for_size(ARENA_RESERVE as u64);
        assert_eq!(layout.slots as usize, MAX_PROCESSES);
        assert_eq!(layout.objects as usize, MAX_OBJECTS);
        assert!(layout.data_at + u64::from(layout.chunks) * CHUNK <= layout.size);
    }

    #[test]
    fn least_size_still_has_data() {
        let layout = Layout::for_size(ARENA_LEAST as u64);
        assert!(layout.slots >= 64 && layout.objects >= 4096);
        assert!(u64::from(layout.chunks) * CHUNK >= 64 << 20);
        assert!(layout.data_at + u64::from(layout.chunks) * CHUNK <= layout.size);
    }
}

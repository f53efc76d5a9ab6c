//! Blocks: 64 KiB of the heap with cells of one size, and the marks of what lives in them.

#![allow(unsafe_code)]

use super::heap::{Header, Kind};
use std::ptr::NonNull;

pub(super) const BLOCK: usize = 64 * 1024;
pub(super) const GRANULE: usize = 16;
/// Cells are made for so many bytes at a time.
pub(super) const PAGE: usize = 4096;
/// Cell sizes in bytes. The largest holds an instance with `MAX_FIELDS` fields.
pub(super) const CLASSES: [usize; 14] = [
    16, 32, 48, 64, 80, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096,
];

#[repr(C)]
pub(super) struct BlockHeader {
    /// Index of this block in the heap's tables.
    pub(super) index: u32,
    pub(super) cell_size: u32,
}

pub(super) struct Block {
    pub(super) start: NonNull<u8>,
    pub(super) class: u8,
    /// How many cells were made; the memory behind them was never touched.
    pub(super) made: u32,
    /// One bit per granule; set at the granule that an object starts at.
    pub(super) marks: Box<[u64; BLOCK / GRANULE / 64]>,
}

impl Block {
    /// A block without cells.
    pub(super) fn new(start: NonNull<u8>, class: usize) -> Block {
        Block {
            start,
            class: class as u8,
            made: 0,
            marks: Box::new([0; BLOCK / GRANULE / 64]),
        }
    }

    /// How many cells fit.
    pub(super) fn room(&self) -> u32 {
        let size = CLASSES[self.class as usize];
        ((BLOCK - first_cell(size)) / size) as u32
    }

    /// The cells from one number to another.
    pub(super) fn cells(
        &self,
        from: u32,
        to: u32,
    ) -> impl DoubleEndedIterator<Item = *mut Header> + use<> {
        let size = CLASSES[self.class as usize];
        let start = self.start.as_ptr();
        let at = move |i: u32| first_cell(size) + i as usize * size;
        // SAFETY: callers go no further than `room`, so each cell lies inside the block.
        (from..to).map(move |i| unsafe { start.add(at(i)).cast::<Header>() })
    }
}

/// Where the first cell of a block of this cell size is.
fn first_cell(size: usize) -> usize {
    size.max(std::mem::size_of::<BlockHeader>())
}

/// # Safety
/// `cell` is a cell of a block that holds no object.
pub(super) unsafe fn make_free(cell: *mut Header, next: *mut Header) {
    // SAFETY: a cell has at least 16 bytes: a header and one word.
    unsafe {
        cell.write(Header {
            kind: Kind::Free,
            flags: 0,
            class: 0,
            aux: 0,
        });
        *cell.cast::<*mut Header>().add(1) = next;
    }
}

pub(super) fn granule(cell: *mut Header) -> (usize, u64) {
    let index = (cell as usize % BLOCK) / GRANULE;
    (index / 64, 1 << (index % 64))
}

pub(super) fn is_marked(marks: &[u64; BLOCK / GRANULE / 64], cell: *mut Header) -> bool {
    let (word, bit) = granule(cell);
    marks[word] & bit != 0
}

/// By size in granules, rounded up: the class of the smallest cell that holds it.
const CLASS_OF: [u8; MAX_CELL / GRANULE + 1] = {
    let mut table = [0; MAX_CELL / GRANULE + 1];
    let mut class = 0;
    let mut granules = 0;
    while granules < table.len() {
        if granules * GRANULE > CLASSES[class] {
            class += 1;
        }
        table[granules] = class as u8;
        granules += 1;
    }
    table
};

#[inline]
pub(super) fn class_of(size: usize) -> usize {
    debug_assert!(size <= MAX_CELL);
    let class = CLASS_OF.get(size.div_ceil(GRANULE));
    class.map_or(CLASSES.len() - 1, |&class| class as usize)
}

/// Largest object that fits a cell, in bytes.
pub const MAX_CELL: usize = CLASSES[CLASSES.len() - 1];

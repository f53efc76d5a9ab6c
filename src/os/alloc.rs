//! The allocator of the program: the system's, with large pieces in huge pages.
//!
//! A fork copies the page tables of its parent: 13 ms for each GiB in small pages, 0.1 ms in huge ones. The first use of a
//! large piece takes a five-hundredth of the page faults as well. Machines that do not have huge pages lose nothing.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};

/// A huge page.
const HUGE: usize = 2 << 20;
/// Pieces from this size on are worth it: what is wasted at both ends is a small part of them.
const LARGE: usize = 4 << 20;

/// See the text of this file.
pub struct Allocator;

// SAFETY: all memory is the system allocator's; advice to the kernel changes no content.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is that of `System` (below too).
        let piece = unsafe { System.alloc(layout) };
        if layout.size() >= LARGE {
            prefer_huge(piece, layout.size());
        }
        piece
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        let piece = unsafe { System.alloc_zeroed(layout) };
        if layout.size() >= LARGE {
            prefer_huge(piece, layout.size());
        }
        piece
    }

    #[inline]
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see above.
        let piece = unsafe { System.realloc(old, layout, size) };
        if size >= LARGE {
            prefer_huge(piece, size);
        }
        piece
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { System.dealloc(piece, layout) };
    }
}

/// Freed memory that the program keeps for its next use. The C library's 128 KiB meant that a message of a MiB was given back to
/// the kernel with each collection and asked for again, page by page: a third of the time of whoever took such messages.
const KEPT: i32 = 32 << 20;

/// Tells the C library's allocator what suits a heap that frees in bursts. To be called once, at the start.
pub fn prepare() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets numbers of the allocator; there is one thread yet.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        // What may have huge pages is a mapping of its own; all else comes from the heap.
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE as i32);
    }
}

/// Asks for huge pages where whole ones fit. Refused advice is no error.
#[cold]
fn prefer_huge(piece: *mut u8, size: usize) {
    if piece.is_null() {
        return;
    }
    let start = (piece as usize).next_multiple_of(HUGE);
    let end = (piece as usize + size) / HUGE * HUGE;
    if start < end {
        // SAFETY: the range lies inside a piece that is ours; MADV_HUGEPAGE changes no content.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

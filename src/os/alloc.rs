//! The allocator of the program: the system's, and huge pages for large pieces.
//!
//! A fork copies the page tables of its parent: 13 ms for each GiB in small pages, 0.1 ms in huge ones. The first use of a
//! large piece takes a five-hundredth of the page faults as well. Machines that do not have huge pages lose nothing.
//!
//! A large piece is a mapping of its own, at a fixed distance from a huge page: where it grows, the kernel moves its pages to the
//! new place, and no byte is copied. (The C library's allocator would copy: it cannot move a mapping of which a part was
//! advised to have huge pages, and what it copies to stands in small pages before anybody can advise anything.)
#![allow(unsafe_code)]

use super::reserve;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A huge page.
const HUGE: usize = 2 << 20;
/// Pieces from this size on are worth it: what is wasted at both ends is a small part of them.
const LARGE: usize = 4 << 20;
/// So much of a piece stands before its first huge page. Stacks are large too, and of them only the beginning is used: a huge page
/// there would be cleared at the start, and copied by each child.
const LEAD: usize = 1 << 20;
/// Mappings are as long as a multiple of this, which the pages of every machine divide.
const PAGE: usize = 64 << 10;
/// Where the kernel puts a mapping is a multiple of this at least.
const SYSTEM_PAGE: usize = 4096;

/// See the text of this file.
pub struct Allocator;

/// Whether a piece is a mapping of its own. Every piece comes back with the layout it was made with, so this never changes
/// for one piece.
#[inline]
fn is_large(layout: &Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= HUGE
}

// SAFETY: small pieces are the system allocator's; large ones are fresh mappings of their own, at a multiple of 1 MiB (2 MiB where that is asked for) and as
// long as asked for at least, which nobody else knows.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(&layout) {
            return again(layout.size(), || map(&layout));
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is that of `System` (below too).
        again(layout.size(), || unsafe { System.alloc(layout) })
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(&layout) {
            // A fresh mapping is zero.
            return again(layout.size(), || map(&layout));
        }
        // SAFETY: see above.
        again(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that size, rounded up to the alignment, is no more than isize::MAX.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(&layout), is_large(&new)) {
            // SAFETY: see above; a piece that is not large is the system's.
            (false, false) => again(size, || unsafe { System.realloc(old, layout, size) }),
            (true, true) => again(size.saturating_sub(layout.size()), || {
                resize(old, &layout, size)
            }),
            // SAFETY: both pieces are as long as what is copied, and the new one is fresh.
            _ => unsafe {
                let piece = self.alloc(new);
                if !piece.is_null() {
                    ptr::copy_nonoverlapping(old, piece, layout.size().min(size));
                    self.dealloc(old, layout);
                }
                piece
            },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if is_large(&layout) {
            return unmap(piece as usize, length(layout.size()));
        }
        // SAFETY: see above.
        unsafe { System.dealloc(piece, layout) };
    }
}

/// Gets a piece; where it is refused, again without some of the reserve. `bytes` are so many more.
#[inline(always)]
fn again(bytes: usize, get: impl Fn() -> *mut u8) -> *mut u8 {
    let piece = get();
    match piece.is_null() {
        true => insist(bytes, &get),
        false => piece,
    }
}

#[cold]
#[inline(never)]
fn insist(bytes: usize, get: &dyn Fn() -> *mut u8) -> *mut u8 {
    while reserve::let_go(bytes) {
        let piece = get();
        if !piece.is_null() {
            return piece;
        }
    }
    ptr::null_mut()
}

/// Bytes of the mapping of a piece.
fn length(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

/// A new large piece; null when the kernel has no room.
#[cold]
fn map(layout: &Layout) -> *mut u8 {
    let length = length(layout.size());
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let place = map_at(length, lead(layout), protection);
    // Without the room to choose a place it may stand anywhere.
    let Some(place) = place.or_else(|| map_anywhere(length, layout, protection)) else {
        return ptr::null_mut();
    };
    // SAFETY: the range is ours; the advice changes no content, and if it is refused all stays as it was.
    unsafe { libc::madvise(place as *mut libc::c_void, length, libc::MADV_HUGEPAGE) };
    place as *mut u8
}

/// A large piece with another size, the content kept; null when there is no room, and then the old one stands.
#[cold]
fn resize(old: *mut u8, layout: &Layout, wanted: usize) -> *mut u8 {
    let (before, after) = (length(layout.size()), length(wanted));
    if after <= before {
        if after < before {
            unmap(old as usize + after, before - after);
        }
        return old;
    }
    // SAFETY: the piece is a mapping of ours of that length; without flags it grows in its place or not at all.
    if unsafe { libc::mremap(old.cast(), before, after, 0) } != libc::MAP_FAILED {
        return old;
    }
    let Some(place) = map_at(after, lead(layout), libc::PROT_NONE) else {
        // No room for both for a moment, but perhaps for one: then wherever the kernel wants it.
        let is_anywhere = layout.align() <= SYSTEM_PAGE;
        let flag = libc::MREMAP_MAYMOVE;
        // SAFETY: as above.
        let moved = is_anywhere.then(|| unsafe { libc::mremap(old.cast(), before, after, flag) });
        let moved = moved.filter(|&moved| moved != libc::MAP_FAILED);
        return moved.map_or(ptr::null_mut(), <*mut libc::c_void>::cast);
    };
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: as above, and the place is a mapping of ours of the new length that nobody knows yet.
    let moved =
        unsafe { libc::mremap(old.cast(), before, after, flags, place as *mut libc::c_void) };
    if moved == libc::MAP_FAILED {
        unmap(place, after);
        return ptr::null_mut();
    }
    moved.cast()
}

/// How much of a piece stands before its first huge page: nothing where the piece itself must be at a round place.
fn lead(layout: &Layout) -> usize {
    match layout.align() > LEAD {
        true => 0,
        false => LEAD,
    }
}

/// A new mapping, whose first huge page begins after so many bytes.
fn map_at(length: usize, lead: usize, protection: libc::c_int) -> Option<usize> {
    let room = length.checked_add(HUGE)?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a private mapping wherever the kernel wants it disturbs nobody.
    let start = unsafe { libc::mmap(ptr::null_mut(), room, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    let place = (start as usize + lead).next_multiple_of(HUGE) - lead;
    unmap(start as usize, place - start as usize);
    unmap(place + length, start as usize + room - place - length);
    Some(place)
}

/// A new mapping wherever the kernel has it, for a piece that may stand so.
fn map_anywhere(length: usize, layout: &Layout, protection: libc::c_int) -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    if layout.align() > SYSTEM_PAGE {
        return None;
    }
    // SAFETY: as above.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    (start != libc::MAP_FAILED).then_some(start as usize)
}

/// Gives a range of ours back to the kernel.
fn unmap(start: usize, length: usize) {
    if length > 0 {
        // SAFETY: the range is a mapping of ours that nobody uses any more.
        unsafe { libc::munmap(start as *mut libc::c_void, length) };
    }
}

/// Freed memory that the program keeps for its next use. The C library's 128 KiB meant that a message of a MiB was given back to
/// the kernel with each collection and asked for again, page by page: a third of the time of whoever took such messages.
const KEPT: i32 = 32 << 20;

/// Where address space is short, pieces from this size on are mappings of their own.
const SIZEABLE: usize = 64 << 10;

/// By how much the C library's memory grows at a time once it is large. What nobody has touched costs nothing.
const GROWTH: i32 = 32 << 20;

/// Where the part of the C library's memory begins that may not have huge pages yet; 0 when this is not our allocator.
static SMALL_FROM: AtomicUsize = AtomicUsize::new(0);

/// Tells the C library's allocator what suits a heap that frees in bursts. To be called once, at the start.
pub fn prepare() {
    reserve::prepare();
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets numbers of the allocator; there is one thread yet.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        // What is large is a mapping of its own (above); all else comes from the heap. Not where address space is short: what is
        // free between small pieces is of no use for anything else.
        let own_from = match reserve::is_kept() {
            true => SIZEABLE,
            false => LARGE,
        };
        libc::mallopt(libc::M_MMAP_THRESHOLD, own_from as i32);
        SMALL_FROM.store(libc::sbrk(0) as usize, Ordering::Relaxed);
    }
}

/// Lets the small pieces stand in huge pages from now on, as far as their memory was not touched before. To be called now and
/// then while a large heap grows: the memory of the C library's allocator comes in steps, and each is asked for by itself.
pub fn prefer_huge() {
    let from = SMALL_FROM.load(Ordering::Relaxed);
    if from == 0 {
        return;
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: `sbrk(0)` tells where the memory ends, and between where it ended once and there is nothing but it; the advice
    // changes no content; mallopt sets a number, and there is one thread that makes values.
    unsafe {
        let end = libc::sbrk(0) as usize / HUGE * HUGE;
        if end >= from + HUGE {
            if !reserve::is_kept() {
                libc::mallopt(libc::M_TOP_PAD, GROWTH);
            }
            let start = from.next_multiple_of(HUGE);
            libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
        }
        // Below `from` when memory was given back: what comes in its place must be asked for anew.
        if end >= from + HUGE || end < from {
            SMALL_FROM.store(end, Ordering::Relaxed);
        }
    }
}

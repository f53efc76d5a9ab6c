//! The collected heap: tracing, non-moving, size classes, mark bits in side tables.
//!
//! Cells live in 64 KiB blocks of one cell size each; a block starts at a multiple of its size, so the block of an
//! object is found by masking its address. Mark bits live outside of the blocks: a collection in a forked child
//! writes to no page that it shares with its parent, except where it frees. Memory that objects own besides their cell
//! (the items of a list) comes from the system allocator and is charged with [`Heap::charge`].
//!
//! A collection runs only where the virtual machine says so (its safe points), never inside an allocation: native code
//! may hold values in local variables freely until it calls back into the script; what it needs after such a call it
//! keeps alive with [`super::native::Context::protect`].

#![allow(unsafe_code)]

use super::block::{BLOCK, Block, CLASSES, PAGE, class_of, is_marked, make_free};
use super::error::ErrorValue;
use super::function::{Bound, Closure, Upvalue};
use super::handle::HandleBox;
use super::list::{Bytes, List, Range};
use super::map::{Map, Set};
use super::native::{HostFn, IterBox};
use super::structure::{Instance, StructType};
use super::text::{Str, StrBuf};
use super::vacate::Vacant;
use crate::room;
use std::alloc::Layout;
use std::ops::Deref;
use std::ptr::NonNull;

pub use super::block::MAX_CELL;
pub use super::marker::{Marker, Named};

/// Blocks are taken from the system in chunks of this many, while the heap is small.
const CHUNK_BLOCKS: usize = 16;
/// The same where address space is short: the allocator makes it a mapping of its own, which goes back to the system whole.
const OWN_CHUNK_BLOCKS: usize = 64;
/// The same once it is large (see [`LARGE_HEAP`]): so large that the allocator may use huge pages.
const LARGE_CHUNK_BLOCKS: usize = 128;
/// Chunks of a small heap.
const LARGE_HEAP: usize = 16;
/// Bytes that may be allocated before the first collection.
const FIRST_THRESHOLD: usize = 8 << 20;
/// What is as large as this may be what the system has refused at first.
const SIZEABLE: usize = 32 << 10;
/// Blocks that are swept between two looks whether to give up.
const BETWEEN_LOOKS_OF_BLOCKS: usize = 1 << 4;
/// The same in a debug build with `PAR_COLLECT_OFTEN` in the environment: nearly every safe point collects, and what native
/// code forgot to keep alive is found by the test that uses it.
const OFTEN: usize = 256;

/// What an object is; the first byte of every cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Free,
    Str,
    StrBuf,
    Bytes,
    List,
    Map,
    Set,
    Range,
    Closure,
    Upvalue,
    HostFn,
    Bound,
    StructType,
    Instance,
    Error,
    Handle,
    Iter,
}

/// The start of every object.
#[repr(C)]
#[derive(Debug)]
pub struct Header {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) class: u8,
    /// Free for the type's own use: a count of trailing values, a hash.
    pub(super) aux: u32,
}

#[cfg(feature = "jit")]
impl Header {
    /// Where `aux` stands in it.
    pub(super) const AUX: usize = std::mem::offset_of!(Header, aux);
}

/// A type that lives in the heap.
///
/// # Safety
/// The type is `repr(C)` with a [`Header`] as its first field, and `KIND` is its own.
pub unsafe trait Object {
    /// Its kind.
    const KIND: Kind;
}

macro_rules! objects {
    ($($kind:ident $type:ty;)*) => {
        $(
            // SAFETY: each listed type is repr(C) and starts with a Header, and each kind is listed once.
            unsafe impl Object for $type { const KIND: Kind = Kind::$kind; }
        )*
        /// Drops what an object owns besides its cell.
        ///
        /// # Safety
        /// `header` is the start of a live object that nothing will use again.
        unsafe fn drop_object(header: *mut Header) {
            // SAFETY: the kind says which type the cell holds (set by `alloc`, never changed).
            unsafe {
                match (*header).kind {
                    Kind::Free => {}
                    $(Kind::$kind => std::ptr::drop_in_place(header.cast::<$type>()),)*
                }
            }
        }
        /// Marks what an object refers to.
        ///
        /// # Safety
        /// `header` is the start of a live object.
        pub(super) unsafe fn trace_object(header: *mut Header, marker: &mut Marker<'_>) {
            // SAFETY: as above.
            unsafe {
                match (*header).kind {
                    Kind::Free => {}
                    $(Kind::$kind => (*header.cast::<$type>()).trace(marker),)*
                }
            }
        }
    };
}

objects! {
    Str Str;
    StrBuf StrBuf;
    Bytes Bytes;
    List List;
    Map Map;
    Set Set;
    Range Range;
    Closure Closure;
    Upvalue Upvalue;
    HostFn HostFn;
    Bound Bound;
    StructType StructType;
    Instance Instance;
    Error ErrorValue;
    Handle HandleBox;
    Iter IterBox;
}

/// A reference to an object of the heap. It stays valid as long as the object is reachable from the roots at each
/// collection; see the module's text for what that asks of native code.
pub struct Gc<T>(pub(super) NonNull<T>);

impl<T> Clone for Gc<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Gc<T> {}

impl<T> Gc<T> {
    /// The address, as an identity.
    pub fn address(self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether both are the same object.
    pub fn same(self, other: Gc<T>) -> bool {
        self.0 == other.0
    }

    pub(super) fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Deref for Gc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: objects are freed only by a collection, and only when unreachable from the roots; the module's rule
        // keeps whatever native code still uses reachable.
        unsafe { self.0.as_ref() }
    }
}

/// The heap of one engine.
pub struct Heap {
    pub(super) blocks: Vec<Block>,
    pub(super) chunks: Vec<(NonNull<u8>, Layout)>,
    pub(super) vacant: Vacant,
    /// Blocks of the newest chunk that are not used yet.
    spare: Vec<NonNull<u8>>,
    /// Per class: the first free cell, linked through the word after its header.
    free: [*mut Header; CLASSES.len()],
    /// Per class: the block in which not all cells are made yet, if there is one.
    pub(super) open: [Option<u32>; CLASSES.len()],
    /// Bytes allocated and charged since the last collection.
    since: usize,
    /// Bytes alive after the last collection.
    live: usize,
    threshold: usize,
    /// Collect far more often than is useful (see [`OFTEN`]).
    often: bool,
    limit: usize,
    /// Blocks of a chunk of a small heap.
    chunk_blocks: usize,
    /// Called now and then while a large heap grows.
    when_large: fn(),
    /// Whether the system has refused memory: a safe point must come soon then.
    is_short: fn() -> bool,
    /// Whether a collection is to be given up: somebody waits for the process to end what it is at.
    gives_up: fn() -> bool,
    /// The countdown that the virtual machine decrements at calls and back-edges; at zero it looks at everything that
    /// wants attention. An allocation past the threshold sets it to its end at once.
    pub budget: i32,
    /// A collection is wanted at the next safe point.
    pub wanted: bool,
    /// What was left of the countdown when an allocation set it to its end.
    pub cut: i32,
    collections: u64,
}

impl Default for Heap {
    fn default() -> Self {
        Heap::new()
    }
}

impl Heap {
    /// An empty heap.
    pub fn new() -> Heap {
        let often = cfg!(debug_assertions) && std::env::var_os("PAR_COLLECT_OFTEN").is_some();
        Heap {
            blocks: Vec::new(),
            chunks: Vec::new(),
            vacant: Vacant::default(),
            spare: Vec::new(),
            free: [std::ptr::null_mut(); CLASSES.len()],
            open: [None; CLASSES.len()],
            since: 0,
            live: 0,
            threshold: if often { OFTEN } else { FIRST_THRESHOLD },
            often,
            limit: usize::MAX,
            chunk_blocks: CHUNK_BLOCKS,
            when_large: || {},
            is_short: || false,
            gives_up: || false,
            budget: 1,
            wanted: false,
            cut: 0,
            collections: 0,
        }
    }

    /// Moves `value` into a new cell with room for `extra` bytes after it.
    ///
    /// The value's header is filled in here, its `aux` and `flags` kept.
    #[inline]
    pub fn alloc<T: Object>(&mut self, value: T, extra: usize) -> Gc<T> {
        let size = std::mem::size_of::<T>() + extra;
        let class = class_of(size);
        let cell = self.take_cell(class);
        self.count(CLASSES[class]);
        // SAFETY: the cell is free, at least `size` bytes and 16-aligned; T starts with a Header (trait contract).
        unsafe {
            let at = cell.cast::<T>();
            at.write(value);
            (*cell).kind = T::KIND;
            (*cell).class = class as u8;
            Gc(NonNull::new_unchecked(at))
        }
    }

    #[inline]
    fn take_cell(&mut self, class: usize) -> *mut Header {
        let cell = self.free[class];
        if cell.is_null() {
            return self.refill(class);
        }
        // SAFETY: a free cell holds the address of the next free one (or null) in its second word.
        self.free[class] = unsafe { *cell.cast::<*mut Header>().add(1) };
        cell
    }

    /// Makes more cells: a page of them at a time, so that a small heap touches, and a fork copies, few pages.
    #[cold]
    fn refill(&mut self, class: usize) -> *mut Header {
        let index = match self.open[class] {
            Some(index) => index,
            None => self.add_block(class),
        };
        let Some(block) = self.blocks.get_mut(index as usize) else {
            std::process::abort()
        };
        let from = block.made;
        let to = block
            .room()
            .min(from + (PAGE / CLASSES[class]).max(1) as u32);
        block.made = to;
        self.open[class] = (to < block.room()).then_some(index);
        let mut last: *mut Header = std::ptr::null_mut();
        for cell in block.cells(from, to).rev() {
            // SAFETY: cells are inside the block and at least 16 bytes.
            unsafe { make_free(cell, last) };
            last = cell;
        }
        // SAFETY: as in take_cell; at least one cell was made, since an open block has room and a block holds a cell.
        self.free[class] = unsafe { *last.cast::<*mut Header>().add(1) };
        last
    }

    fn add_block(&mut self, class: usize) -> u32 {
        if let Some(index) = self.take_vacant(class) {
            return index;
        }
        let start = self.take_block();
        self.enter(start, class)
    }

    fn take_block(&mut self) -> NonNull<u8> {
        if self.chunks.len() > LARGE_HEAP {
            (self.when_large)();
        }
        if self.spare.is_empty() {
            let small = (self.chunk_blocks, BLOCK);
            let _ = match self.chunks.len() < LARGE_HEAP {
                true => self.add_chunk(small),
                false => self.add_chunk((LARGE_CHUNK_BLOCKS, BLOCK * 32)) || self.add_chunk(small),
            };
        }
        if self.spare.is_empty() {
            // Out of what is kept back. (The size is a non-zero multiple of the alignment.)
            let layout = Layout::from_size_align(BLOCK, BLOCK).unwrap_or(Layout::new::<u128>());
            // SAFETY: the layout has a size.
            match NonNull::new(unsafe { std::alloc::alloc(layout) }) {
                Some(chunk) => self.add_blocks(chunk, layout),
                None => std::alloc::handle_alloc_error(layout),
            }
            if (self.is_short)() {
                self.ask();
            }
        }
        match self.spare.pop() {
            Some(block) => block,
            None => std::process::abort(),
        }
    }

    /// Takes a chunk of so many blocks with an alignment; false when the system has none.
    fn add_chunk(&mut self, (blocks, align): (usize, usize)) -> bool {
        room::ask(|| {
            let layout = Layout::from_size_align(BLOCK * blocks, align).map_err(drop)?;
            // SAFETY: the layout has a size.
            let chunk = NonNull::new(unsafe { std::alloc::alloc(layout) }).ok_or(())?;
            self.add_blocks(chunk, layout);
            Ok::<(), ()>(())
        })
    }

    fn add_blocks(&mut self, chunk: NonNull<u8>, layout: Layout) {
        self.chunks.push((chunk, layout));
        for i in (0..layout.size() / BLOCK).rev() {
            // SAFETY: inside the chunk.
            self.spare.push(unsafe { chunk.add(i * BLOCK) });
        }
    }

    /// Counts memory that an object owns besides its cell.
    #[inline]
    pub fn charge(&mut self, bytes: usize) {
        self.count(bytes);
        if bytes >= SIZEABLE && (self.is_short)() {
            self.ask();
        }
    }

    #[inline]
    fn count(&mut self, bytes: usize) {
        self.since += bytes;
        if self.since > self.threshold {
            self.ask();
        }
    }

    /// Asks for a collection at the next safe point: what is dead holds more than memory.
    pub fn ask(&mut self) {
        if !self.wanted {
            self.wanted = true;
            self.cut = self.budget.max(0);
            self.budget = 0;
        }
    }

    /// Bytes alive after the last collection plus those allocated since.
    pub fn used(&self) -> usize {
        self.live + self.since
    }

    /// Sets what is done now and then (at each block of cells) while a large heap grows.
    pub fn set_when_large(&mut self, act: fn()) {
        self.when_large = act;
    }

    /// Sets what says whether the system has refused memory, and what says whether somebody waits so that a collection is to be given up.
    pub fn set_questions(&mut self, is_short: fn() -> bool, gives_up: fn() -> bool) {
        self.is_short = is_short;
        self.gives_up = gives_up;
    }

    /// Tells that address space is short.
    pub fn set_short(&mut self) {
        self.chunk_blocks = OWN_CHUNK_BLOCKS;
    }

    /// Sets the most bytes that may be alive; past it the machine raises `LimitExceeded`.
    pub fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Whether more is in use than the limit allows (meaningful right after a collection).
    pub fn over_limit(&self) -> bool {
        self.used() > self.limit
    }

    /// How many collections have run.
    pub fn collections(&self) -> u64 {
        self.collections
    }

    /// In a forked child: nothing inherited is looked at until the child has allocated as much as it inherited.
    pub fn inherit(&mut self) {
        self.since = 0;
        self.threshold = match self.often {
            true => OFTEN,
            false => self.live.max(self.used()).max(FIRST_THRESHOLD),
        };
        self.wanted = false;
    }

    /// Frees what cannot be reached from what `roots` marks. When it is given up, some or all of that is left to the next collection.
    /// False then.
    pub fn collect(&mut self, roots: impl FnOnce(&mut Marker<'_>)) -> bool {
        for block in &mut self.blocks {
            block.marks.fill(0);
        }
        let mut marker = Marker::new(&mut self.blocks);
        roots(&mut marker);
        self.wanted = false;
        if !marker.drain(self.gives_up) {
            // Marks are all that has changed.
            self.since /= 2;
            return false;
        }
        self.live = marker.live();
        if !self.sweep() {
            return false;
        }
        self.since = 0;
        let room = self.limit.saturating_sub(self.live).max(1 << 20);
        self.threshold = match self.often {
            true => OFTEN,
            false => self.live.max(FIRST_THRESHOLD).min(room),
        };
        self.collections += 1;
        true
    }

    /// Frees what is not marked; false when it was given up.
    pub(super) fn sweep(&mut self) -> bool {
        self.free = [std::ptr::null_mut(); CLASSES.len()];
        for (count, block) in self.blocks.iter().rev().enumerate() {
            if count % BETWEEN_LOOKS_OF_BLOCKS == 0 && (self.gives_up)() {
                // Cells of the other blocks are used again when a later collection has found them.
                self.since /= 2;
                return false;
            }
            let class = block.class as usize;
            let mut last = self.free[class];
            for cell in block.cells(0, block.made) {
                // SAFETY: every cell of a block starts with a valid Header; an unmarked object is unreachable.
                unsafe {
                    if (*cell).kind == Kind::Free {
                        make_free(cell, last);
                        last = cell;
                    } else if !is_marked(&block.marks, cell) {
                        drop_object(cell);
                        if cfg!(debug_assertions) {
                            // A use of what is gone must not go unnoticed.
                            std::ptr::write_bytes(cell.cast::<u8>(), 0xDD, CLASSES[class]);
                        }
                        make_free(cell, last);
                        last = cell;
                    }
                }
            }
            self.free[class] = last;
        }
        true
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        for block in &self.blocks {
            for cell in block.cells(0, block.made) {
                // SAFETY: the heap goes away with everything in it.
                unsafe { drop_object(cell) };
            }
        }
        for &(chunk, layout) in &self.chunks {
            // SAFETY: allocated with this very layout.
            unsafe { std::alloc::dealloc(chunk.as_ptr(), layout) };
        }
    }
}

impl Header {
    /// A header to build an object with; [`Heap::alloc`] fills in the rest.
    pub(super) fn new(aux: u32) -> Header {
        Header {
            kind: Kind::Free,
            flags: 0,
            class: 0,
            aux,
        }
    }
}

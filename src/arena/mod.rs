//! The arena: one shared mapping for each process tree, and everything in it that outlives the death of a process.
//!
//! Imports `os`, `diag` and `limits`. **Invariant:** nothing in the arena is a pointer, a descriptor or a reference count,
//! and there is no instant at which the death of a process leaves more than garbage, which the next collection frees.
//!
//! In reading order: [`layout`] (where everything is), [`table`] and [`states`] (processes), [`object`] (objects and handles), [`hold`]
//! (who keeps an object alive), [`alloc`] and `big` (blocks), [`message`] (bytes with handles), [`event`] (waking),
//! [`word`] (what is atomic), [`kinds`] (what differs between kinds of objects), [`collect`] (garbage), [`crash`] (dying on purpose).
//!
//! Locks are taken in this order: the world lock (clearing holds, burying, collecting), an object's mutex, the chunk mutex.
//! So: while an object's mutex is held, make no objects, drop no [`Hold`], do not collect.
#![allow(unsafe_code)]

pub mod alloc;
mod big;
pub mod collect;
pub mod crash;
pub mod event;
pub mod hold;
pub mod kinds;
pub mod layout;
pub mod message;
pub mod object;
pub mod states;
pub mod table;
pub mod word;

pub use hold::Hold;
pub use layout::Offset;
pub use object::{HandleId, Object, ObjectKind};
pub use table::SlotRef;

use crate::diag::{Error, Result, codes};
use crate::limits::{ARENA_LEAST, ARENA_RESERVE};
use crate::os::robust::{Guard, RobustMutex};
use crate::os::{cgroup, clock, fork, memory, signal};
use layout::Layout;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// The arena has no room (or no entry) left; [`when_full`] makes room and tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl From<Full> for Box<Error> {
    fn from(_: Full) -> Box<Error> {
        let used = get().map_or(0, Arena::used_bytes);
        let most = get().and_then(Arena::all_objects);
        let message = match most {
            Some(most) => format!(
                "at most {most} futures, queues, processes and the like can exist at a time, but this is one more"
            ),
            None => format!(
                "shared memory is used up: {} MiB hold messages and shared objects",
                used >> 20
            ),
        };
        Error::new(codes::LIMIT, message).with_help(
            "let consumers take from queues, or let go of shared objects that are no longer used",
        )
    }
}

/// The beginning of the arena.
#[repr(C)]
struct Header {
    /// Clearing holds, burying, collecting.
    world: RobustMutex,
    /// Everything about chunks.
    chunk_mutex: RobustMutex,
    /// Writing to standard output, once texts are written that the kernel may cut.
    output: RobustMutex,
    errors: RobustMutex,
    long_output: AtomicU32,
    /// The same for standard error, where that is another file.
    long_errors: AtomicU32,
    /// Processes spawned in the tree.
    serial: AtomicU64,
    /// The process that made the arena.
    main_pid: AtomicI32,
    /// When it was made, for short times in reports.
    made_at: AtomicU64,
    slot_hint: AtomicU32,
    slot_high: AtomicU32,
    object_hint: AtomicU32,
    object_high: AtomicU32,
    objects_made: AtomicU32,
    collect_at_objects: AtomicU32,
    /// Processes buried since the last sweep that had not left in order.
    deaths: AtomicU32,
    chunk_hint: AtomicU32,
    chunk_high: AtomicU32,
    chunks_used: AtomicU32,
    chunks_warm: AtomicU32,
    chunk_limit: AtomicU32,
    collect_at_chunks: AtomicU32,
    /// Not 0 when memory must be set aside before it is touched.
    strict: AtomicU32,
    class_hint: [AtomicU32; alloc::CLASSES.len()],
    /// Words for the layers above, by [`Cell`].
    cells: [AtomicU64; 9],
}

/// The words that the layers above have in the arena, named here so that no two take the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell {
    /// Failures of processes that nobody looked after.
    Failures = 0,
    /// Until when (monotonic nanoseconds) somebody has the turn to search for deadlocks.
    Turn,
    /// Not 0 once a process has died at a crash point that kills once.
    Deaths,
    /// Not 0 once Ctrl-C has ended the tree.
    Interrupted,
    /// The number of the tree; 0 before its first program.
    Tree,
    /// The guardian's process id; 0 when there is none.
    Guardian,
    /// The process that draws a progress bar; 0 when none does.
    Bar,
    /// When a process was last told of a deadlock (monotonic nanoseconds).
    Told,
    /// Nobody's: for tests.
    Scratch,
}

/// The shared mapping of this process.
pub struct Arena {
    mapping: memory::Mapping,
    layout: Layout,
    /// Bytes of the data region, less a word: the last place of a word in it.
    last_word: u64,
}

// SAFETY: the mapping is made for being used by many processes at once; every access goes through atomics, or through
// blocks that belong to one user at a time.
unsafe impl Sync for Arena {}
// SAFETY: as above.
unsafe impl Send for Arena {}

static ARENA: OnceLock<Arena> = OnceLock::new();
/// The slot of this process ([`SlotRef::to_bits`]), 0 before the arena is made.
static ME: AtomicU64 = AtomicU64::new(0);

/// The arena, if one has been made in this tree.
#[inline]
pub fn get() -> Option<&'static Arena> {
    ARENA.get()
}

/// Makes the arena and registers this process as the main one of its tree, unless that was done before. A script that
/// shares nothing never pays for it.
pub fn ensure() -> Result<&'static Arena> {
    if let Some(arena) = ARENA.get() {
        return Ok(arena);
    }
    let arena = Arena::new(ARENA_RESERVE, ARENA_LEAST)?;
    // Somebody may have been faster in another thread of a host program; the loser's mapping is only address space.
    let arena = ARENA.get_or_init(|| arena);
    if ME.load(Ordering::Acquire) == 0 {
        let me = arena.claim_slot(None)?;
        if ME
            .compare_exchange(0, me.to_bits(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            arena
                .slot(me.index)
                .pid
                .store(fork::pid(), Ordering::Relaxed);
            arena.begin_life(me);
            signal::set_wake_word(arena.slot(me.index).wake.word());
        }
    }
    crash::read_environment();
    Ok(arena)
}

/// The slot of this process. Without an arena it is a slot that does not exist.
#[inline]
pub fn me() -> SlotRef {
    SlotRef::from_bits(ME.load(Ordering::Relaxed)).unwrap_or(SlotRef {
        index: 0,
        generation: 0,
    })
}

/// In a new child: becomes the process of a slot that the parent prepared. False when the parent died meanwhile: leave.
pub fn become_process(me: SlotRef) -> bool {
    let Some(arena) = get() else {
        return false;
    };
    ME.store(me.to_bits(), Ordering::Release);
    alloc::forget_current();
    crash::restart();
    let slot = arena.slot(me.index);
    signal::set_wake_word(slot.wake.word());
    slot.pid.store(fork::pid(), Ordering::Release);
    arena.begin_life(me)
}

/// Asks the virtual machine to collect its heap, so that handles are let go, and the arena afterwards.
fn want_collection() {
    signal::raise_flag(signal::COLLECT);
}

/// Runs an operation again after a collection when the arena was full. The operation must have let go of its mutexes.
#[inline]
pub fn when_full<T>(mut operation: impl FnMut() -> std::result::Result<T, Full>) -> Result<T> {
    match operation() {
        Ok(value) => Ok(value),
        Err(Full) => {
            make_room();
            Ok(operation()?)
        }
    }
}

#[cold]
fn make_room() {
    if let Some(arena) = get() {
        arena.collect();
    }
    want_collection();
}

impl Arena {
    /// Maps and prepares an arena. `wanted` and `least` are bytes of address space.
    fn new(wanted: usize, least: usize) -> Result<Arena> {
        let mapping = memory::reserve_shared(wanted, least)?;
        let layout = Layout::for_size(mapping.size as u64);
        let last_word = (u64::from(layout.chunks) * layout::CHUNK).saturating_sub(8);
        let arena = Arena {
            mapping,
            layout,
            last_word,
        };
        let header = arena.header();
        header.world.initialise();
        header.chunk_mutex.initialise();
        header.output.initialise();
        header.errors.initialise();
        header.main_pid.store(fork::pid(), Ordering::Relaxed);
        header.made_at.store(clock::now(), Ordering::Relaxed);
        header.object_hint.store(1, Ordering::Relaxed);
        header.object_high.store(1, Ordering::Relaxed);
        header
            .collect_at_objects
            .store(collect::LEAST_OBJECTS, Ordering::Relaxed);
        header
            .collect_at_chunks
            .store(collect::LEAST_CHUNKS, Ordering::Relaxed);
        // Touching a sparse page when memory is out would end us; three quarters leave room for the heaps.
        cgroup::begin();
        let limit = memory::usable_memory() / 4 * 3 / layout::CHUNK;
        header.chunk_limit.store(
            u64::from(layout.chunks).min(limit) as u32,
            Ordering::Relaxed,
        );
        if memory::strict_overcommit() {
            header.strict.store(1, Ordering::Relaxed);
            if !memory::commit(0, layout.data_at) {
                return Err(Full.into());
            }
        }
        Ok(arena)
    }

    /// Lets messages and shared objects have at most so many bytes from now on, in the whole tree; what is in use stays.
    pub fn set_limit(&self, bytes: u64) {
        let chunks = (bytes / layout::CHUNK).clamp(1, u64::from(self.layout.chunks));
        self.header()
            .chunk_limit
            .store(chunks as u32, Ordering::Relaxed);
    }

    /// The process id of the main process of the tree.
    pub fn main_pid(&self) -> i32 {
        self.header().main_pid.load(Ordering::Relaxed)
    }

    /// When the arena was made (monotonic nanoseconds).
    pub fn made_at(&self) -> u64 {
        self.header().made_at.load(Ordering::Relaxed)
    }

    /// A word for the layers above; all are 0 in a new arena.
    pub fn cell(&self, cell: Cell) -> &AtomicU64 {
        &self.header().cells[cell as usize]
    }

    /// The number of the process that was started last.
    pub fn last_serial(&self) -> u64 {
        self.header().serial.load(Ordering::Relaxed)
    }

    fn header(&self) -> &Header {
        self.at(0)
    }

    /// The turn to write `length` bytes to standard output, or to a standard error that leads elsewhere, to be taken first. Texts of up
    /// to 4 KiB (`PIPE_BUF`) are never cut by the kernel and need none, until some process of the tree has written a longer one.
    pub fn output_turn(&self, is_error: bool, length: usize) -> Option<&RobustMutex> {
        const NEVER_CUT: usize = 4096;
        let header = self.header();
        let (turn, has_long) = match is_error {
            true => (&header.errors, &header.long_errors),
            false => (&header.output, &header.long_output),
        };
        if length > NEVER_CUT {
            has_long.store(1, Ordering::SeqCst);
        }
        (has_long.load(Ordering::SeqCst) != 0).then_some(turn)
    }

    /// Holds and slots are cleared, and garbage is collected, under this lock. What it guards needs no repair: each
    /// step is complete in itself and done again by the next one who comes.
    pub(crate) fn lock_world(&self) -> Guard<'_> {
        self.header().world.lock()
    }

    #[inline]
    fn pointer(&self, offset: Offset) -> *mut u8 {
        debug_assert!(offset < self.layout.size);
        // SAFETY: callers pass offsets below the size of the mapping: computed from the layout, or clamped by `range`.
        unsafe { self.mapping.base.add(offset as usize) }
    }

    /// A structure of the arena. `offset` comes from the layout and is aligned for `T`, which consists of atomics
    /// and mutexes only.
    #[inline]
    fn at<T: Sync>(&self, offset: Offset) -> &T {
        debug_assert!(offset + size_of::<T>() as u64 <= self.layout.size);
        debug_assert_eq!(offset as usize % align_of::<T>(), 0);
        // SAFETY: inside the mapping and aligned (layout); the mapping lives as long as the process; any bytes are
        // valid for atomics and for mutexes that were initialised.
        unsafe { &*self.pointer(offset).cast::<T>() }
    }

    /// Clamps a range to the data region, so that an offset from hostile bytes can at worst read another's message.
    fn range(&self, offset: Offset, length: u64) -> (Offset, usize) {
        let end = self.layout.data_at + u64::from(self.layout.chunks) * layout::CHUNK;
        let offset = offset.clamp(self.layout.data_at, end);
        (offset, length.min(end - offset) as usize)
    }

    /// An atomic word of a block; `offset` is a multiple of 8 inside it.
    #[inline]
    pub fn word_at(&self, offset: Offset) -> &AtomicU64 {
        // As in `range`, with one comparison: this is the way to nearly every word.
        let within = (offset & !7).wrapping_sub(self.layout.data_at);
        let within = if within <= self.last_word { within } else { 0 };
        self.at(self.layout.data_at + within)
    }

    /// An atomic 32-bit word of a block; `offset` is a multiple of 4 inside it.
    #[inline]
    pub fn word32_at(&self, offset: Offset) -> &AtomicU32 {
        let (offset, length) = self.range(offset & !3, 4);
        let offset = if length < 4 {
            self.layout.data_at
        } else {
            offset
        };
        self.at(offset)
    }

    /// An atomic byte of a block.
    #[inline]
    pub fn byte_at(&self, offset: Offset) -> &AtomicU8 {
        let (offset, length) = self.range(offset, 1);
        let offset = if length < 1 {
            self.layout.data_at
        } else {
            offset
        };
        self.at(offset)
    }

    /// Writes a word of a block in our hands.
    #[inline]
    pub fn put_word(&self, offset: Offset, value: u64) {
        self.word_at(offset).store(value, Ordering::Relaxed);
    }

    /// Reads a word of a block.
    #[inline]
    pub fn get_word(&self, offset: Offset) -> u64 {
        self.word_at(offset).load(Ordering::Relaxed)
    }

    /// Copies bytes into a block in our hands.
    pub fn put_bytes(&self, offset: Offset, bytes: &[u8]) {
        let (offset, length) = self.range(offset, bytes.len() as u64);
        // SAFETY: the range is inside the data region (clamped); the caller has the block in its hands, so nobody else
        // reads or writes it; `bytes` is ordinary memory or another block.
        unsafe { std::ptr::copy(bytes.as_ptr(), self.pointer(offset), length) };
    }

    /// Bytes of a block. They do not change while the block is in our hands or attached to something that is not
    /// written any more (a message): that is for the caller to know.
    pub fn bytes(&self, offset: Offset, length: u64) -> &[u8] {
        let (offset, length) = self.range(offset, length);
        // SAFETY: inside the data region (clamped) and mapped for good; bytes have no invalid values; the caller keeps
        // to blocks that nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts(self.pointer(offset), length) }
    }

    /// Zeroes bytes of a block in our hands.
    pub fn fill_zero(&self, offset: Offset, length: u64) {
        let (offset, length) = self.range(offset, length);
        // SAFETY: as in `put_bytes`.
        unsafe { std::ptr::write_bytes(self.pointer(offset), 0, length) };
    }

    /// Where everything is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

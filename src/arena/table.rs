//! The process table: one slot for each process of the tree, with the lock that it holds for life.

use super::layout::Offset;
use super::object::HandleId;
use super::{Arena, event::EventWord, states};
use crate::diag::{Error, Result, codes};
use crate::os::robust::{RobustMutex, Taken};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// What a slot is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// Nobody's.
    Free = 0,
    /// Its process is being forked; counts as alive while its parent is.
    Starting = 1,
    /// Its process has the life lock, or has died.
    Running = 2,
    /// Its process has died and is being buried: the gravedigger has the life lock.
    Dead = 3,
}

/// A process of the tree: a slot, and which use of the slot it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SlotRef {
    /// Its place in the table.
    pub index: u32,
    /// Counts the uses of the slot, from 1.
    pub generation: u32,
}

/// Bits of a tag that hold the slot; the rest holds the low bits of the generation.
const TAG_SLOT_BITS: u32 = 13;

impl SlotRef {
    /// One number, never 0.
    #[inline]
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index + 1)
    }

    /// What [`SlotRef::to_bits`] made; `None` for 0.
    #[inline]
    pub fn from_bits(bits: u64) -> Option<SlotRef> {
        Some(SlotRef {
            index: (bits as u32).checked_sub(1)?,
            generation: (bits >> 32) as u32,
        })
    }

    /// What blocks and entries under construction are marked with: never 0, never all ones.
    pub fn tag(self) -> u32 {
        (self.generation << TAG_SLOT_BITS) | (self.index + 1)
    }
}

/// Objects that a wait record names itself. The rest of a longer list is in a block of the arena.
pub const MAX_WAIT_OBJECTS: usize = 16;

/// What a process waits for: written by the process itself, read by everybody.
#[repr(C)]
pub struct WaitRecord {
    /// Odd while it waits. Readers that find the same odd number before and after have read one wait.
    pub epoch: AtomicU64,
    /// The operation, a number of `process`.
    pub operation: AtomicU32,
    /// Objects awaited.
    pub count: AtomicU32,
    /// The bits of the first handles.
    pub objects: [AtomicU64; MAX_WAIT_OBJECTS],
    /// When there are more: a block with the bits of all of them, in the hands of the waiter; 0 when there was no room for
    /// one. The epoch guards it too: who reads a block that is used for something else by now throws away what it read.
    /// Or a block with the program that is waited for.
    pub list: AtomicU64,
    /// Bytes of the text in that block.
    pub text: AtomicU32,
    /// For object i, bits 2i and 2i+1: whether its event word 0 or 1 counts us as a waiter. Objects past the first sixteen
    /// go on counting a waiter that died, which costs those who wake them a system call.
    pub announced: AtomicU32,
    /// The source of the line that waits.
    pub place_source: AtomicU32,
    /// Start (low) and end (high half) of the place in its source.
    pub place_range: AtomicU64,
    /// Nanoseconds of the monotonic clock at which the wait began.
    pub since: AtomicU64,
    /// When it ends by itself; 0 for never.
    pub deadline: AtomicU64,
}

/// A slot of the process table.
#[repr(C, align(128))]
pub struct Slot {
    /// generation (32 bits), state (8).
    head: AtomicU64,
    /// Held by the process from its first step until its death.
    pub life: RobustMutex,
    prepared: AtomicU32,
    /// Its process id.
    pub pid: AtomicI32,
    /// Its parent ([`SlotRef::to_bits`]); 0 for the main process.
    pub parent: AtomicU64,
    /// Counts all processes of the tree in the order of their spawns.
    pub serial: AtomicU64,
    /// Its process object ([`HandleId::to_bits`]).
    pub process: AtomicU64,
    /// What it sleeps on in every wait beside the object: touched when it is cancelled or has a signal.
    pub wake: EventWord,
    /// Not 0 once somebody has cancelled it.
    pub cancelled: AtomicU32,
    /// Words of its hold set that may be other than 0.
    pub hold_words: AtomicU32,
    /// What it waits for.
    pub wait: WaitRecord,
    /// Words for the layers above: all 0 in a new process.
    pub cells: [AtomicU64; 10],
    /// The beginning of its hold set; the rest, which most programs never touch, has a table of its own.
    pub(super) first_holds: [AtomicU64; FIRST_HOLDS],
}

/// Words of a hold set that are in the slot: for the first 3,072 objects.
pub(super) const FIRST_HOLDS: usize = 48;

impl Slot {
    /// State and generation.
    pub fn head(&self) -> (State, u32) {
        states::read(&self.head)
    }

    fn step(&self, generation: u32, from: State, to: State) -> bool {
        states::step(&self.head, generation, from, to)
    }

    fn clear(&self) {
        self.parent.store(0, Ordering::Relaxed);
        self.pid.store(0, Ordering::Relaxed);
        self.process.store(0, Ordering::Relaxed);
        self.cancelled.store(0, Ordering::Relaxed);
        self.wait.operation.store(0, Ordering::Relaxed);
        self.wait.announced.store(0, Ordering::Relaxed);
        let epoch = self.wait.epoch.load(Ordering::Relaxed);
        self.wait.epoch.store((epoch | 1) + 1, Ordering::Release);
        for cell in &self.cells {
            cell.store(0, Ordering::Relaxed);
        }
    }
}

impl Arena {
    /// The slot of an index; slot 0 for one that is out of the table (it may be hostile).
    pub fn slot(&self, index: u32) -> &Slot {
        let index = if index < self.layout.slots { index } else { 0 };
        self.at(self.layout.slots_at + u64::from(index) * size_of::<Slot>() as u64)
    }

    /// Takes a free slot for a process that is about to be forked.
    pub fn claim_slot(&self, parent: Option<SlotRef>) -> Result<SlotRef> {
        // Under the world lock, so that nobody takes a slot whose parent is not written yet for an orphan's.
        let _world = self.lock_world();
        let header = self.header();
        let first = header.slot_hint.load(Ordering::Relaxed);
        for index in (first..self.layout.slots).chain(0..first) {
            let slot = self.slot(index);
            let Some(generation) = states::claim(&slot.head) else {
                continue;
            };
            if slot.prepared.load(Ordering::Acquire) == 0 {
                slot.life.initialise();
                slot.prepared.store(1, Ordering::Release);
            }
            // Somebody may have cancelled the process before, in the moment of its death.
            slot.cancelled.store(0, Ordering::Relaxed);
            slot.parent
                .store(parent.map_or(0, SlotRef::to_bits), Ordering::Relaxed);
            slot.serial.store(
                header.serial.fetch_add(1, Ordering::Relaxed) + 1,
                Ordering::Release,
            );
            header.slot_hint.store(index + 1, Ordering::Relaxed);
            header.slot_high.fetch_max(index + 1, Ordering::AcqRel);
            return Ok(SlotRef { index, generation });
        }
        Err(Error::new(
            codes::LIMIT,
            format!(
                "a program may have {} processes alive at one time, but all are in use",
                self.layout.slots
            ),
        )
        .with_help("join processes before more are spawned, or use `pool map`"))
    }

    /// In the new process: takes the life lock and says so. False when the slot was taken away because the parent died.
    pub fn begin_life(&self, me: SlotRef) -> bool {
        let slot = self.slot(me.index);
        states::begin(&slot.head, me.generation, || slot.life.lock().keep())
    }

    /// Whether the process of a slot lives. No system call.
    pub fn is_alive(&self, process: SlotRef) -> bool {
        let slot = self.slot(process.index);
        let (state, generation) = slot.head();
        if generation != process.generation {
            return false;
        }
        match state {
            State::Free | State::Dead => false,
            State::Running => slot.life.is_held(),
            // Between the fork and the life lock only the parent can know; without a parent the child kills itself.
            State::Starting => {
                slot.life.is_held()
                    || SlotRef::from_bits(slot.parent.load(Ordering::Acquire))
                        .is_some_and(|parent| self.is_alive(parent))
            }
        }
    }

    /// Whether the process of a slot has its life lock: not before its first step, and not when somebody buries it or has done so
    /// and the lock is already another process's. For its parent, who knows that it was forked.
    pub fn has_life(&self, process: SlotRef) -> bool {
        let slot = self.slot(process.index);
        let is_held = slot.life.is_held();
        let (state, generation) = slot.head();
        is_held
            && generation == process.generation
            && matches!(state, State::Starting | State::Running)
    }

    /// Whether a process has died and everything that must be told of it has been.
    pub fn is_buried(&self, process: SlotRef) -> bool {
        let (state, generation) = self.slot(process.index).head();
        generation != process.generation || state == State::Free
    }

    /// All processes that have a slot, dead or alive.
    pub fn processes(&self) -> impl Iterator<Item = SlotRef> + '_ {
        let high = self.header().slot_high.load(Ordering::Acquire);
        (0..high.min(self.layout.slots)).filter_map(|index| {
            let (state, generation) = self.slot(index).head();
            (state != State::Free).then_some(SlotRef { index, generation })
        })
    }

    /// All live processes.
    pub fn live_processes(&self) -> impl Iterator<Item = SlotRef> + '_ {
        self.processes().filter(|&process| self.is_alive(process))
    }

    /// Buries a dead process: takes it out of what it waited at, tells the objects that it held, and frees its slot.
    /// Anybody may; it is done once, and a gravedigger that dies leaves it to the next. False while it is alive.
    ///
    /// `reaped`: the caller is its parent and has waited for it, so that it is dead even if it never came to its life lock.
    ///
    /// Not to be called while an object's mutex is held.
    pub fn bury(&self, dead: SlotRef, reaped: bool) -> bool {
        let world = self.lock_world();
        let slot = self.slot(dead.index);
        let (state, generation) = slot.head();
        if state == State::Free || generation != dead.generation {
            return true;
        }
        if !reaped && self.is_alive(dead) {
            return false;
        }
        let Some(life) = states::bury(&slot.head, dead.generation, || slot.life.try_lock()) else {
            return false;
        };
        self.withdraw_all(slot);
        crate::crash_point!("bury: withdrawn");
        for id in self.held_by(dead) {
            if let Some(object) = self.object(id)
                && let Some(kind) = super::kinds::of(id.kind)
            {
                (kind.bury)(self, object, id, dead);
                crate::crash_point!("bury: told an object");
            }
        }
        self.clear_holds(dead.index);
        if life.taken == Taken::OwnerDied {
            self.header().deaths.fetch_add(1, Ordering::Relaxed);
        }
        drop(life);
        slot.clear();
        crate::crash_point!("bury: cleared");
        slot.step(dead.generation, State::Dead, State::Free);
        self.header()
            .slot_hint
            .fetch_min(dead.index, Ordering::Relaxed);
        drop(world);
        true
    }

    /// Gives a slot back whose process was never forked (by its would-be parent).
    pub fn abandon_slot(&self, process: SlotRef) {
        let _world = self.lock_world();
        let slot = self.slot(process.index);
        self.clear_holds(process.index);
        slot.clear();
        slot.step(process.generation, State::Starting, State::Free);
    }

    /// Takes a dead waiter's announcements back.
    fn withdraw_all(&self, slot: &Slot) {
        let announced = slot.wait.announced.load(Ordering::Acquire);
        for (at, bits) in slot.wait.objects.iter().enumerate() {
            let which = announced >> (2 * at) & 3;
            if which == 0 {
                continue;
            }
            let bits = bits.load(Ordering::Acquire);
            let Some(object) = HandleId::from_bits(bits).and_then(|id| self.object(id)) else {
                continue;
            };
            for (side, event) in object.events.iter().enumerate() {
                if which & 1 << side != 0 {
                    // First the note, then the count, as the waiter itself would: a gravedigger that dies in between
                    // leaves a count too high, never one too low.
                    let bit = 1 << (2 * at + side);
                    slot.wait.announced.fetch_and(!bit, Ordering::SeqCst);
                    event.withdraw();
                }
            }
        }
    }

    pub(super) fn hold_set_at(&self, slot: u32) -> Offset {
        let slot = if slot < self.layout.slots { slot } else { 0 };
        self.layout.holds_at + u64::from(slot) * self.layout.hold_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_PROCESSES;

    #[test]
    fn tags_are_never_free_or_live() {
        for index in [0, MAX_PROCESSES as u32 - 1] {
            for generation in [1, 0x7_ffff, u32::MAX] {
                let tag = SlotRef { index, generation }.tag();
                assert!(tag != 0 && tag != u32::MAX);
            }
        }
    }

    #[test]
    fn references_survive_their_bits() {
        let process = SlotRef {
            index: 0,
            generation: 7,
        };
        assert_eq!(SlotRef::from_bits(process.to_bits()), Some(process));
        assert_eq!(SlotRef::from_bits(0), None);
    }
}

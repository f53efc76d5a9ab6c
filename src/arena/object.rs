//! The object table: one entry for each queue, lock, shared container and process handle.
//!
//! An entry never moves and is never put to another use than being an entry, so its mutex and its event words can be
//! looked at by anybody at any time. What does not fit goes into a block of the allocator that `payload` names.

use super::event::EventWord;
use super::layout::Offset;
use crate::os::robust::{Guard, RobustMutex, Taken};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// An enum whose numbers from 1 on stand in shared memory, with the way back from a number.
macro_rules! numbered {
    ($(#[$attribute:meta])* $name:ident: $number:ty {
        $(#[$first_doc:meta])* $first:ident, $($(#[$doc:meta])* $variant:ident,)*
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        #[repr($number)]
        #[allow(missing_docs)]
        pub enum $name {
            $(#[$first_doc])* $first = 1,
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// The one of a number, which may come from another process.
            pub fn from_number(number: $number) -> Option<$name> {
                [$name::$first, $($name::$variant),*]
                    .into_iter()
                    .find(|&one| one as $number == number)
            }
        }
    };
}
pub(crate) use numbered;

numbered! {
    /// What an object is.
    ObjectKind: u8 {
        Process,
        Lock,
        Semaphore,
        Event,
        Condition,
        Barrier,
        Queue,
        Pipe,
        SharedScalar,
        SharedArray,
        SharedList,
        SharedMap,
        Pool,
        Future,
        /// For things of the runtime that scripts do not see.
        Internal,
        FileLock,
    }
}

impl ObjectKind {
    /// How many numbers kinds take.
    pub const COUNT: usize = 17;
}

/// How all processes of a tree name an object: its place in the table, and which use of that place it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct HandleId {
    /// What it is.
    pub kind: ObjectKind,
    /// Its generation: 24 bits.
    pub generation: u32,
    /// Its place in the object table. The table is at a fixed offset, so this is its offset in another unit.
    pub index: u32,
}

impl HandleId {
    /// Eight bytes, for messages and shared memory.
    pub fn to_bits(self) -> u64 {
        (self.kind as u64) << 56
            | u64::from(self.generation & GENERATIONS) << 32
            | u64::from(self.index)
    }

    /// What [`HandleId::to_bits`] made; `None` for bits that no handle has. They may be hostile: the handle must still be
    /// looked up before anything is done with it.
    pub fn from_bits(bits: u64) -> Option<HandleId> {
        Some(HandleId {
            kind: ObjectKind::from_number((bits >> 56) as u8)?,
            generation: (bits >> 32) as u32 & GENERATIONS,
            index: bits as u32,
        })
    }
}

/// Generations count in 24 bits.
pub const GENERATIONS: u32 = 0xff_ffff;
/// The owner field of an entry that is in use; others are 0 (free) and the tag of the process that is making it.
pub(super) const LIVE: u32 = u32::MAX;

/// An entry. Two cache lines: what wakers and waiters touch is in the second.
#[repr(C, align(128))]
pub struct Object {
    /// generation (24 bits), kind (8), owner (32): one word, so that taking an entry and naming its maker is one step.
    head: AtomicU64,
    /// The block with the rest of its state, or 0.
    payload: AtomicU64,
    /// Guards what the kind says.
    mutex: RobustMutex,
    /// Not 0 once the mutex is initialised, which happens once in the life of the entry.
    prepared: AtomicU32,
    /// The place of the process object of the holder that died last without coming to its end in order; 0 for none.
    lost: AtomicU32,
    /// Two places to wait at; the kind says which is which.
    pub events: [EventWord; 2],
    /// The kind's own words; all 0 in a new object.
    pub cells: [AtomicU64; 6],
}

/// The parts of a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub generation: u32,
    pub kind: u8,
    pub owner: u32,
}

impl Head {
    fn pack(self) -> u64 {
        u64::from(self.generation & GENERATIONS) << 40
            | u64::from(self.kind) << 32
            | u64::from(self.owner)
    }

    fn unpack(bits: u64) -> Head {
        Head {
            generation: (bits >> 40) as u32,
            kind: (bits >> 32) as u8,
            owner: bits as u32,
        }
    }
}

impl Object {
    pub(super) fn head(&self) -> Head {
        Head::unpack(self.head.load(Ordering::Acquire))
    }

    /// Takes a free entry for a new object; `None` when it is not free.
    pub(super) fn take(&self, kind: ObjectKind, owner: u32) -> Option<HandleId> {
        let old = self.head();
        if old.owner != 0 {
            return None;
        }
        let generation = ((old.generation + 1) & GENERATIONS).max(1);
        let new = Head {
            generation,
            kind: kind as u8,
            owner,
        };
        self.head
            .compare_exchange(old.pack(), new.pack(), Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        if self.prepared.load(Ordering::Acquire) == 0 {
            self.mutex.initialise();
            self.prepared.store(1, Ordering::Release);
        }
        Some(HandleId {
            kind,
            generation,
            index: 0,
        })
    }

    /// Empties an entry before it is freed. Before, not when it is taken: a taker that dies at once must not leave the
    /// payload of an earlier object behind, for that block may be somebody else's by then.
    pub(super) fn clear(&self) {
        self.payload.store(0, Ordering::Release);
        self.lost.store(0, Ordering::Release);
        for cell in &self.cells {
            cell.store(0, Ordering::Release);
        }
    }

    /// Notes the process object of a holder that is about to be buried. It is kept as long as it stands here.
    pub fn note_lost(&self, process: HandleId) {
        self.lost.store(process.index, Ordering::Release);
    }

    pub(super) fn lost(&self) -> u32 {
        self.lost.load(Ordering::Acquire)
    }

    /// Changes the owner of a head: LIVE when it is made, 0 when it is freed.
    pub(super) fn set_owner(&self, owner: u32) {
        let head = Head {
            owner,
            ..self.head()
        };
        self.head.store(head.pack(), Ordering::Release);
    }

    /// Whether it is in use as the object of this id.
    pub fn is(&self, id: HandleId) -> bool {
        let head = self.head();
        head.owner == LIVE && head.generation == id.generation && head.kind == id.kind as u8
    }

    /// The block with the rest of its state; 0 when there is none.
    pub fn payload(&self) -> Offset {
        self.payload.load(Ordering::Acquire)
    }

    /// Attaches a block by one store.
    pub fn set_payload(&self, block: Offset) {
        self.payload.store(block, Ordering::Release);
    }

    /// Takes the object's mutex. When [`Guard::taken`] says `OwnerDied`, the caller repairs before it goes on.
    ///
    /// While it is held: no objects are made, no holds released, no collection run (those take the world lock, and the
    /// collector takes object mutexes under it).
    pub fn lock(&self) -> Guard<'_> {
        self.mutex.lock()
    }

    /// Takes the mutex; `repair` runs when the last holder died with it.
    pub fn lock_repaired(&self, repair: impl FnOnce(&Object)) -> Guard<'_> {
        let guard = self.mutex.lock();
        if guard.taken == Taken::OwnerDied {
            repair(self);
        }
        guard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_two_cache_lines() {
        assert_eq!(size_of::<Object>(), 128);
    }

    #[test]
    fn ids_survive_their_bits() {
        let id = HandleId {
            kind: ObjectKind::Queue,
            generation: 0xab_cdef,
            index: 4_000_000,
        };
        assert_eq!(HandleId::from_bits(id.to_bits()), Some(id));
        assert_eq!(HandleId::from_bits(0), None);
        assert_eq!(HandleId::from_bits(u64::MAX), None);
    }
}

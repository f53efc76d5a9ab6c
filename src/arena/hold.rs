//! Holding: who keeps an object alive.
//!
//! There are no reference counts in the arena, because a death would leave them wrong. The truth is each process's
//! *hold set*, one bit for each object, which only the process itself changes (and its parent before it starts), together
//! with the handles inside undelivered messages and containers. Setting a bit is one atomic step at any time; clearing
//! one takes the world lock, under which the collector looks. So a handle that travels is always seen somewhere: the
//! receiver sets its bit before the message is removed, the sender cannot clear its own while anybody looks.

use super::layout::Offset;
use super::object::{HandleId, LIVE, Object, ObjectKind};
use super::table::SlotRef;
use super::{Arena, Full};
use crate::crash_point;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many [`Hold`]s this process has on each object. Children inherit the numbers together with the holds in the
/// inherited memory; what they really hold says their own hold set.
static COUNTS: Mutex<Option<HashMap<u32, u32>>> = Mutex::new(None);

fn with_counts<T>(body: impl FnOnce(&mut HashMap<u32, u32>) -> T) -> T {
    let mut guard = match COUNTS.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    };
    body(guard.get_or_insert_default())
}

/// A hold of this process on an object: while one exists, the object does. Cloning adds one, dropping takes one away.
#[derive(Debug, PartialEq, Eq)]
pub struct Hold {
    id: HandleId,
}

impl Hold {
    /// Makes an object of a kind. `prepare` fills its cells and attaches its payload before anybody else can see it.
    ///
    /// Not to be called while an object's mutex is held.
    pub fn create(
        kind: ObjectKind,
        prepare: impl FnOnce(&Arena, &Object) -> Result<(), Full>,
    ) -> Result<Hold, Full> {
        let arena = super::get().ok_or(Full)?;
        let id = arena.take_entry(kind)?;
        let object = arena.entry(id.index);
        crash_point!("create: entry taken");
        if let Err(full) = prepare(arena, object) {
            object.clear();
            object.set_owner(0);
            return Err(full);
        }
        crash_point!("create: prepared");
        arena.hold_bit(super::me(), id);
        with_counts(|counts| *counts.entry(id.index).or_insert(0) += 1);
        object.set_owner(LIVE);
        crash_point!("create: live");
        arena.note_created();
        Ok(Hold { id })
    }

    /// Takes a hold on an object whose handle came in a message; `None` when there is no such object. To be called before
    /// the message is removed from where it lies.
    pub fn adopt(id: HandleId) -> Option<Hold> {
        let arena = super::get()?;
        if !arena.hold_if_live(id) {
            return None;
        }
        with_counts(|counts| *counts.entry(id.index).or_insert(0) += 1);
        Some(Hold { id })
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.id
    }

    /// The object: it exists as long as the hold does.
    pub fn object(&self) -> &'static Object {
        // A hold exists only where the arena does.
        match super::get() {
            Some(arena) => arena.entry(self.id.index),
            None => unreachable!("a hold without an arena"),
        }
    }
}

impl Clone for Hold {
    fn clone(&self) -> Hold {
        with_counts(|counts| *counts.entry(self.id.index).or_insert(0) += 1);
        Hold { id: self.id }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let last = with_counts(|counts| match counts.get_mut(&self.id.index) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => {
                counts.remove(&self.id.index);
                true
            }
        });
        if last && let Some(arena) = super::get() {
            arena.release_bit(self.id);
        }
    }
}

impl Arena {
    /// The entry of an index; entry 0, which is never used, for one out of the table.
    pub fn entry(&self, index: u32) -> &Object {
        let index = if index < self.layout.objects {
            index
        } else {
            0
        };
        self.at(self.layout.objects_at + u64::from(index) * size_of::<Object>() as u64)
    }

    /// This process holds an object from here on, if it exists.
    pub fn hold_if_live(&self, id: HandleId) -> bool {
        if self.object(id).is_none() {
            return false;
        }
        self.hold_bit(super::me(), id);
        // It may have been freed between the look and the bit; if not, the bit keeps it now.
        let is_live = self.object(id).is_some();
        if !is_live {
            self.release_bit(id);
        }
        is_live
    }

    /// The object of a handle, if it exists.
    pub fn object(&self, id: HandleId) -> Option<&Object> {
        if id.index == 0 || id.index >= self.layout.objects {
            return None;
        }
        let object = self.entry(id.index);
        object.is(id).then_some(object)
    }

    /// The place of an object in the table: [`Arena::entry`] finds it again.
    pub fn place_of(&self, object: &Object) -> u32 {
        let first = std::ptr::from_ref(self.entry(0)).addr();
        let at = std::ptr::from_ref(object).addr().wrapping_sub(first);
        (at / size_of::<Object>()) as u32
    }

    /// Takes a free entry of the object table for this process.
    fn take_entry(&self, kind: ObjectKind) -> Result<HandleId, Full> {
        let header = self.header();
        let owner = super::me().tag();
        let first = header.object_hint.load(Ordering::Relaxed).max(1);
        for index in (first..self.layout.objects).chain(1..first) {
            if let Some(id) = self.entry(index).take(kind, owner) {
                header.object_high.fetch_max(index + 1, Ordering::AcqRel);
                header.object_hint.store(index + 1, Ordering::Relaxed);
                return Ok(HandleId { index, ..id });
            }
        }
        Err(Full)
    }

    pub(super) fn hold_word(&self, slot: u32, word: u32) -> &AtomicU64 {
        if let Some(first) = self.slot(slot).first_holds.get(word as usize) {
            return first;
        }
        let word = u64::from(word).min(self.layout.hold_bytes() / 8 - 1);
        self.at(self.hold_set_at(slot) + word * 8)
    }

    /// Puts an object into a process's hold set: the process's own, or that of a child which has not started.
    pub fn hold_bit(&self, process: SlotRef, id: HandleId) {
        let (word, bit) = (id.index / 64, 1_u64 << (id.index % 64));
        let cell = self.hold_word(process.index, word);
        if cell.load(Ordering::Acquire) & bit == 0 {
            self.slot(process.index)
                .hold_words
                .fetch_max(word + 1, Ordering::SeqCst);
            cell.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// Takes an object out of this process's hold set.
    fn release_bit(&self, id: HandleId) {
        let (word, bit) = (id.index / 64, 1_u64 << (id.index % 64));
        let cell = self.hold_word(super::me().index, word);
        if cell.load(Ordering::Acquire) & bit != 0 {
            let _world = self.lock_world();
            cell.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    /// Whether a process holds an object (not counting what lies in messages).
    pub fn holds(&self, process: SlotRef, id: HandleId) -> bool {
        let (word, bit) = (id.index / 64, 1_u64 << (id.index % 64));
        self.hold_word(process.index, word).load(Ordering::Acquire) & bit != 0
    }

    /// The handles that a process holds.
    pub fn held_by(&self, process: SlotRef) -> Vec<HandleId> {
        let mut held = Vec::new();
        for word in 0..self.hold_words(process.index) {
            let mut bits = self.hold_word(process.index, word).load(Ordering::Acquire);
            while bits != 0 {
                let index = word * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                held.extend(self.id_at(index));
            }
        }
        held
    }

    /// The handles of all objects of a kind, now.
    pub fn objects_of(&self, kind: ObjectKind) -> Vec<HandleId> {
        let high = self.header().object_high.load(Ordering::Acquire);
        let all = (1..high).filter_map(|index| self.id_at(index));
        all.filter(|id| id.kind == kind).collect()
    }

    /// The handle of the object that an entry is used for now.
    pub(super) fn id_at(&self, index: u32) -> Option<HandleId> {
        let head = self.entry(index).head();
        Some(HandleId {
            kind: ObjectKind::from_number(head.kind).filter(|_| head.owner == LIVE)?,
            generation: head.generation,
            index,
        })
    }

    /// The process object of the holder of an object that died last without coming to its end in order.
    pub fn lost_holder(&self, object: &Object) -> Option<HandleId> {
        let index = Some(object.lost()).filter(|&index| index != 0)?;
        self.id_at(index)
            .filter(|id| id.kind == ObjectKind::Process)
    }

    pub(super) fn hold_words(&self, slot: u32) -> u32 {
        let most = (self.layout.hold_bytes() / 8) as u32;
        self.slot(slot).hold_words.load(Ordering::SeqCst).min(most)
    }

    /// Empties a hold set; the world lock is held and the process is dead or not born.
    pub(super) fn clear_holds(&self, slot: u32) {
        for word in 0..self.hold_words(slot) {
            let cell = self.hold_word(slot, word);
            if cell.load(Ordering::Relaxed) != 0 {
                cell.store(0, Ordering::SeqCst);
            }
        }
        self.slot(slot).hold_words.store(0, Ordering::SeqCst);
    }

    pub(super) fn punch_range(&self, offset: Offset, length: u64) {
        crate::os::memory::punch(self.pointer(offset), length as usize);
    }
}

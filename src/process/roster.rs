//! Who is at an object, and in what state: a small table in the object's payload, used under the object's mutex.
//!
//! An entry is two words, a process and a number of the object's own, and each change is one store: there is nothing to
//! repair when a process dies in the middle.

use crate::arena::{Arena, Full, Object, Offset, SlotRef};
use crate::crash_point;

/// Entries of a new roster.
const FIRST: u64 = 8;

/// The roster of an object whose mutex is held (or that nobody else can see yet).
pub struct Roster<'a> {
    arena: &'a Arena,
    object: &'a Object,
}

impl<'a> Roster<'a> {
    /// The roster of an object.
    pub fn of(arena: &'a Arena, object: &'a Object) -> Roster<'a> {
        Roster { arena, object }
    }

    /// Gives a new object an empty roster.
    pub fn create(arena: &Arena, object: &Object) -> Result<(), Full> {
        let block = empty(arena, FIRST)?;
        object.set_payload(block);
        arena.commit(block);
        Ok(())
    }

    fn capacity(&self) -> u64 {
        let block = self.object.payload();
        let most = self.arena.capacity(block).saturating_sub(8) / 16;
        self.arena.get_word(block).min(most)
    }

    fn who_at(&self, entry: u64) -> Offset {
        self.object.payload() + 8 + entry * 16
    }

    fn what_at(&self, entry: u64) -> Offset {
        self.who_at(entry) + 8
    }

    /// All entries: the process and the number.
    pub fn entries(&self) -> Vec<(SlotRef, u64)> {
        let read = |entry| {
            let who = SlotRef::from_bits(self.arena.get_word(self.who_at(entry)))?;
            Some((who, self.arena.get_word(self.what_at(entry))))
        };
        (0..self.capacity()).filter_map(read).collect()
    }

    fn find(&self, who: u64) -> Option<u64> {
        (0..self.capacity()).find(|&entry| self.arena.get_word(self.who_at(entry)) == who)
    }

    /// The number of a process.
    pub fn get(&self, who: SlotRef) -> Option<u64> {
        let entry = self.find(who.to_bits())?;
        Some(self.arena.get_word(self.what_at(entry)))
    }

    /// Sets the number of a process, entering it if need be.
    pub fn set(&self, who: SlotRef, what: u64) -> Result<(), Full> {
        if let Some(entry) = self.find(who.to_bits()) {
            self.arena.put_word(self.what_at(entry), what);
            return Ok(());
        }
        let entry = match self.find(0) {
            Some(entry) => entry,
            None => self.grow()?,
        };
        // The number first: the entry exists from the second store on.
        self.arena.put_word(self.what_at(entry), what);
        crash_point!("roster: number set");
        self.arena.put_word(self.who_at(entry), who.to_bits());
        Ok(())
    }

    /// Strikes a process out; the number it had.
    pub fn remove(&self, who: SlotRef) -> Option<u64> {
        let entry = self.find(who.to_bits())?;
        let what = self.arena.get_word(self.what_at(entry));
        self.arena.put_word(self.who_at(entry), 0);
        Some(what)
    }

    /// Doubles the table; the first of the new entries.
    fn grow(&self) -> Result<u64, Full> {
        let (old, count) = (self.object.payload(), self.capacity());
        let new = empty(self.arena, count.max(1) * 2)?;
        for at in (8..8 + count * 16).step_by(8) {
            self.arena.put_word(new + at, self.arena.get_word(old + at));
        }
        self.arena.claim(old);
        crash_point!("roster: before the exchange");
        self.object.set_payload(new);
        crash_point!("roster: exchanged");
        self.arena.commit(new);
        self.arena.free(old);
        Ok(count)
    }
}

fn empty(arena: &Arena, count: u64) -> Result<Offset, Full> {
    let block = arena.alloc_zeroed(8 + count * 16)?;
    arena.put_word(block, count);
    Ok(block)
}

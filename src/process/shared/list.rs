//! A shared list: a block with the length, the capacity and one word for each item.
//!
//! An item is replaced by one store; items are added by storing them behind the last one and then the new length; every
//! other change builds a new block and attaches it by one store to the object's payload.

use super::word::{self, Content, Item};
use super::{Stamp, is_of_no_interest, note_handles};
use crate::arena::kinds::Visitor;
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, Offset};
use crate::crash_point;
use crate::diag::Result;
use crate::os::robust::Guard;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Counts the changes.
const VERSION: usize = 0;

/// Where things stand in the block.
const LENGTH: u64 = 0;
const CAPACITY: u64 = 8;
const ITEMS: u64 = 16;
/// Items of the first block: it fills 64 bytes.
const LEAST_CAPACITY: u64 = 6;

/// A shared list.
#[derive(Debug, Clone)]
pub struct List {
    hold: Hold,
}

/// The list under its mutex.
struct Locked<'a> {
    arena: &'a Arena,
    object: &'a Object,
    block: Offset,
    _guard: Guard<'a>,
}

impl List {
    /// A new list of some items.
    pub fn create(items: &[Item<'_>]) -> Result<List> {
        super::super::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::SharedList, |arena, object| {
                let words = make_all(arena, items)?;
                note_handles(object, items);
                word::attach(
                    arena,
                    object,
                    new_block(arena, &words, words.len() as u64),
                    &words,
                )
            })
        })?;
        Ok(List { hold })
    }

    /// The list of a handle, if it exists.
    pub fn adopt(id: HandleId) -> Option<List> {
        Hold::adopt(id).map(|hold| List { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    fn lock<'a>(&'a self, arena: &'a Arena) -> Locked<'a> {
        Locked::new(arena, self.hold.object())
    }

    /// How many items.
    pub fn len(&self, arena: &Arena) -> u64 {
        self.lock(arena).len()
    }

    /// How many items, and the stamp of the whole.
    pub fn stamp(&self, arena: &Arena) -> (Stamp, u64) {
        let list = self.lock(arena);
        let stamp = Stamp {
            version: list.version(),
            word: None,
        };
        (stamp, list.len())
    }

    /// Gives the item at an index to a function (see [`super::Scalar::read`] for what it may do); `None` when there is none.
    pub fn read<T>(
        &self,
        arena: &Arena,
        index: u64,
        body: impl FnOnce(Content<'_>) -> T,
    ) -> Option<(Stamp, T)> {
        let list = self.lock(arena);
        let word = list.get(index)?;
        let stamp = Stamp {
            version: list.version(),
            word: Some(word),
        };
        Some((stamp, body(word::content(arena, word))))
    }

    /// Gives all items in order to a function, as they are at one instant; returns the stamp of the whole.
    pub fn read_all(&self, arena: &Arena, mut body: impl FnMut(Content<'_>)) -> Stamp {
        let list = self.lock(arena);
        for index in 0..list.len() {
            if let Some(word) = list.get(index) {
                body(word::content(arena, word));
            }
        }
        Stamp {
            version: list.version(),
            word: None,
        }
    }

    /// Replaces the item at an index if it is still what was read with a stamp (without one: whatever it is). `None` when
    /// there is no such item, false when it is another one by now.
    pub fn replace(
        &self,
        index: u64,
        since: Option<Stamp>,
        item: Item<'_>,
    ) -> Result<Option<bool>> {
        let arena = super::super::start()?;
        arena::when_full(|| {
            let new = word::make(arena, item)?;
            let list = self.lock(arena);
            let Some(old) = list.get(index) else {
                drop(list);
                word::free(arena, new);
                return Ok(None);
            };
            if since.is_some_and(|since| !since.holds(list.version(), Some(old))) {
                drop(list);
                word::free(arena, new);
                return Ok(Some(false));
            }
            word::detaching(arena, old);
            note_handles(list.object, &[item]);
            list.touch();
            list.store(index, new);
            crash_point!("list: item replaced");
            word::attached(arena, new);
            drop(list);
            word::free(arena, old);
            Ok(Some(true))
        })
    }

    /// Appends items: all of them or, when there is no room, none.
    pub fn push(&self, items: &[Item<'_>]) -> Result<()> {
        let arena = super::super::start()?;
        arena::when_full(|| {
            let words = make_all(arena, items)?;
            let mut list = self.lock(arena);
            let length = list.len();
            if let Err(full) = list.reserve(length + words.len() as u64) {
                drop(list);
                words.iter().for_each(|&word| word::free(arena, word));
                return Err(full);
            }
            for (at, &word) in words.iter().enumerate() {
                list.store(length + at as u64, word);
            }
            note_handles(list.object, items);
            list.touch();
            crash_point!("list: items stored");
            list.set_len(length + words.len() as u64);
            crash_point!("list: items committed");
            words.iter().for_each(|&word| word::attached(arena, word));
            Ok(())
        })
    }

    /// Removes the last item and gives it to a function before it is gone.
    pub fn pop<T>(&self, arena: &Arena, body: impl FnOnce(Content<'_>) -> T) -> Option<T> {
        let list = self.lock(arena);
        let last = list.len().checked_sub(1)?;
        let word = list.get(last)?;
        let result = body(word::content(arena, word));
        word::detaching(arena, word);
        list.touch();
        crash_point!("list: about to pop");
        list.set_len(last);
        crash_point!("list: popped");
        drop(list);
        word::free(arena, word);
        Some(result)
    }

    /// Puts items in the place of those in a range (cut to the list), which are given to a function before they are gone,
    /// if nothing has changed since the stamp of the whole (without one: in any case); false when something has.
    pub fn splice(
        &self,
        since: Option<Stamp>,
        range: Range<u64>,
        items: &[Item<'_>],
        mut removed: impl FnMut(Content<'_>),
    ) -> Result<bool> {
        let arena = super::super::start()?;
        arena::when_full(|| {
            let new = make_all(arena, items)?;
            let list = self.lock(arena);
            if since.is_some_and(|since| since.version != list.version()) {
                drop(list);
                new.iter().for_each(|&word| word::free(arena, word));
                return Ok(false);
            }
            let mut words = list.words();
            let end = range.end.min(words.len() as u64) as usize;
            let start = (range.start as usize).min(end);
            let old: Vec<u64> = words.splice(start..end, new.iter().copied()).collect();
            let block = match new_block(arena, &words, words.len() as u64) {
                Ok(block) => block,
                Err(full) => {
                    drop(list);
                    new.iter().for_each(|&word| word::free(arena, word));
                    return Err(full);
                }
            };
            for &word in &old {
                removed(word::content(arena, word));
                word::detaching(arena, word);
            }
            note_handles(list.object, items);
            let old_block = list.attach(block);
            new.iter().for_each(|&word| word::attached(arena, word));
            drop(list);
            arena.free(old_block);
            old.iter().for_each(|&word| word::free(arena, word));
            Ok(true)
        })
    }
}

impl<'a> Locked<'a> {
    fn new(arena: &'a Arena, object: &'a Object) -> Locked<'a> {
        // A dead holder leaves nothing to repair: all changes are single stores.
        let guard = object.lock();
        Locked {
            arena,
            object,
            block: object.payload(),
            _guard: guard,
        }
    }

    fn len(&self) -> u64 {
        self.arena
            .word_at(self.block + LENGTH)
            .load(Ordering::Acquire)
    }

    fn set_len(&self, length: u64) {
        self.arena
            .word_at(self.block + LENGTH)
            .store(length, Ordering::Release);
    }

    fn version(&self) -> u64 {
        self.object.cells[VERSION].load(Ordering::Acquire)
    }

    /// Counts a change, before it is committed: a death in between makes others look again in vain, no more.
    fn touch(&self) {
        self.object.cells[VERSION].fetch_add(1, Ordering::AcqRel);
    }

    fn get(&self, index: u64) -> Option<u64> {
        (index < self.len()).then(|| {
            self.arena
                .word_at(self.block + ITEMS + index * 8)
                .load(Ordering::Acquire)
        })
    }

    fn store(&self, index: u64, word: u64) {
        self.arena
            .word_at(self.block + ITEMS + index * 8)
            .store(word, Ordering::Release);
    }

    fn words(&self) -> Vec<u64> {
        (0..self.len())
            .filter_map(|index| self.get(index))
            .collect()
    }

    /// Makes room for as many items.
    fn reserve(&mut self, length: u64) -> std::result::Result<(), Full> {
        if length <= self.arena.get_word(self.block + CAPACITY) {
            return Ok(());
        }
        let block = new_block(self.arena, &self.words(), length.max(self.len() * 2))?;
        let old = self.attach(block);
        self.block = block;
        self.arena.free(old);
        Ok(())
    }

    /// Attaches a new block; the old one comes back, in the hands of this process.
    fn attach(&self, block: Offset) -> Offset {
        self.arena.claim(self.block);
        self.touch();
        crash_point!("list: block built");
        self.object.set_payload(block);
        crash_point!("list: block attached");
        self.arena.commit(block);
        self.block
    }
}

/// A block with words in it and room for some more.
fn new_block(arena: &Arena, words: &[u64], capacity: u64) -> std::result::Result<Offset, Full> {
    let capacity = capacity.max(words.len() as u64).max(LEAST_CAPACITY);
    let block = arena.alloc(ITEMS + capacity * 8)?;
    arena.put_word(block + LENGTH, words.len() as u64);
    arena.put_word(block + CAPACITY, (arena.capacity(block) - ITEMS) / 8);
    for (at, &word) in words.iter().enumerate() {
        arena.put_word(block + ITEMS + at as u64 * 8, word);
    }
    Ok(block)
}

/// The words of some items: all, or none when there is no room.
pub(super) fn make_all(arena: &Arena, items: &[Item<'_>]) -> std::result::Result<Vec<u64>, Full> {
    let mut words = Vec::with_capacity(items.len());
    for &item in items {
        match word::make(arena, item) {
            Ok(word) => words.push(word),
            Err(full) => {
                words.iter().for_each(|&word| word::free(arena, word));
                return Err(full);
            }
        }
    }
    Ok(words)
}

/// Names the blocks and handles of a list.
pub(super) fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    if is_of_no_interest(object, visitor) {
        return;
    }
    let list = Locked::new(arena, object);
    visitor.block(list.block);
    for word in list.words() {
        word::visit(arena, word, visitor);
    }
}

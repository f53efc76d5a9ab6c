//! A shared list: a block with one word for each item, and where the first and the last of them stand.
//!
//! An item is replaced by one store. Items are added at either end by storing them where there is room and then moving that end, and
//! taken away there by moving it. Every other change builds a new block and attaches it by one store to the object's payload.

use super::word::{self, Content, Item};
use super::{Stamp, is_of_no_interest, note_handles, turn};
use crate::arena::kinds::Visitor;
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, Offset};
use crate::crash_point;
use crate::diag::Result;
use crate::os::robust::Guard;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the changes.
const VERSION: usize = 0;

/// Where things stand in the block: the place of the first item, that behind the last one, how many places there are, and they.
const START: u64 = 0;
const END: u64 = 8;
const CAPACITY: u64 = 16;
const ITEMS: u64 = 24;
/// Places of the first block: it fills 64 bytes.
const LEAST_CAPACITY: u64 = 5;
/// A block of more places than this is exchanged for a smaller one when three quarters of it have become empty.
const SMALL: u64 = 64;

/// A shared list.
#[derive(Debug, Clone)]
pub struct List {
    hold: Hold,
}

/// The list under its mutex. Who has it calls no script, makes no objects, drops none, collects nothing and does not wait.
pub struct Locked<'a> {
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
                let block = new_block(arena, 0, words.len() as u64, 0);
                let block = block.inspect(|&block| fill(arena, block, 0, &words));
                word::attach(arena, object, block, &words)
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
        turn::leave_to_others(&self.hold)?;
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
        let behind = |list: &Locked<'_>| Some(list.len()..list.len());
        self.splice(items, behind, |_| ()).map(|_| ())
    }

    /// Removes the last item, if there is one, and gives it to a function before it is gone.
    pub fn pop<T>(&self, arena: &Arena, body: impl FnOnce(Content<'_>) -> T) -> Result<Option<T>> {
        turn::leave_to_others(&self.hold)?;
        let list = self.lock(arena);
        let last = list.len().checked_sub(1);
        let Some(word) = last.and_then(|last| list.get(last)) else {
            return Ok(None);
        };
        let result = body(word::content(arena, word));
        word::detaching(arena, word);
        list.touch();
        crash_point!("list: about to pop");
        list.move_bound(END, list.bound(END) - 1);
        crash_point!("list: popped");
        drop(list);
        word::free(arena, word);
        Ok(Some(result))
    }

    /// Puts items in the place of those in a range (cut to the list), in one step. The range is chosen under the mutex, so nobody comes
    /// in between; `None` changes nothing, and then this is false. What was there is given to a function before it is gone (again,
    /// with the choice, where there was no room the first time). At the ends of the list it costs no more than what it adds and takes.
    pub fn splice(
        &self,
        items: &[Item<'_>],
        mut choose: impl FnMut(&Locked<'_>) -> Option<Range<u64>>,
        mut removed: impl FnMut(Content<'_>),
    ) -> Result<bool> {
        let arena = super::super::start()?;
        turn::leave_to_others(&self.hold)?;
        arena::when_full(|| {
            let new = make_all(arena, items)?;
            let list = self.lock(arena);
            let Some(range) = choose(&list) else {
                drop(list);
                free_all(arena, &new);
                return Ok(false);
            };
            let end = range.end.min(list.len());
            let range = range.start.min(end)..end;
            let change = match list.change(&range, &new) {
                Ok(change) => change,
                Err(full) => {
                    drop(list);
                    free_all(arena, &new);
                    return Err(full);
                }
            };
            let old = list.words(range);
            for &word in &old {
                removed(word::content(arena, word));
                word::detaching(arena, word);
            }
            note_handles(list.object, items);
            let old_block = list.commit(change, &new);
            new.iter().for_each(|&word| word::attached(arena, word));
            drop(list);
            if let Some(block) = old_block {
                arena.free(block);
            }
            free_all(arena, &old);
            Ok(true)
        })
    }

    /// Replaces the items at some places, which differ and are as many as the new items, in one step. They are chosen under the mutex, as
    /// in [`List::splice`].
    pub fn replace_each(
        &self,
        items: &[Item<'_>],
        mut choose: impl FnMut(&Locked<'_>) -> Option<Vec<u64>>,
    ) -> Result<bool> {
        let arena = super::super::start()?;
        turn::leave_to_others(&self.hold)?;
        arena::when_full(|| {
            let new = make_all(arena, items)?;
            let list = self.lock(arena);
            let len = list.len();
            let places = choose(&list).filter(|places| places.iter().all(|&at| at < len));
            let block = places.as_ref().map(|_| new_block(arena, 0, len, 0));
            let (Some(places), Some(Ok(block))) = (places, block) else {
                drop(list);
                free_all(arena, &new);
                return block.transpose().map(|_| false);
            };
            list.copy(0..len, block, 0);
            let mut old = Vec::with_capacity(places.len());
            for (&at, word) in places.iter().zip(&new) {
                old.extend(list.get(at));
                fill(arena, block, at, std::slice::from_ref(word));
            }
            old.iter().for_each(|&word| word::detaching(arena, word));
            note_handles(list.object, items);
            let old_block = list.attach(block);
            new.iter().for_each(|&word| word::attached(arena, word));
            drop(list);
            arena.free(old_block);
            free_all(arena, &old);
            Ok(true)
        })
    }

    /// Puts the items in another order, in one step: that of the indexes that `order` gives for them (what it does not name comes behind).
    /// False, and nothing changed, when it gives none, or when anything has changed since the stamp of the whole.
    pub fn reorder(
        &self,
        since: Option<Stamp>,
        mut order: impl FnMut(&Locked<'_>) -> Option<Vec<usize>>,
    ) -> Result<bool> {
        let arena = super::super::start()?;
        turn::leave_to_others(&self.hold)?;
        arena::when_full(|| {
            let list = self.lock(arena);
            if since.is_some_and(|since| since.version != list.version()) {
                return Ok(false);
            }
            let Some(order) = order(&list) else {
                return Ok(false);
            };
            let old = list.words(0..list.len()).into_iter();
            let mut old: Vec<Option<u64>> = old.map(Some).collect();
            let named = order.into_iter();
            let mut words: Vec<u64> = named.filter_map(|at| old.get_mut(at)?.take()).collect();
            words.extend(old.into_iter().flatten());
            let block = new_block(arena, 0, words.len() as u64, 0)?;
            fill(arena, block, 0, &words);
            let old_block = list.attach(block);
            drop(list);
            arena.free(old_block);
            Ok(true)
        })
    }
}

/// How a list is changed by one store.
#[derive(Clone, Copy)]
enum Change {
    /// New words from a place on that is outside of the list until one of its ends stands elsewhere.
    Bound { place: u64, bound: u64, to: u64 },
    /// Everything in a new block.
    Block(Offset),
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

    /// How many items.
    pub fn len(&self) -> u64 {
        self.bound(END).saturating_sub(self.bound(START))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at an index, if there is one.
    pub fn content(&self, index: u64) -> Option<Content<'_>> {
        Some(word::content(self.arena, self.get(index)?))
    }

    fn bound(&self, bound: u64) -> u64 {
        let word = self.arena.word_at(self.block + bound);
        word.load(Ordering::Acquire)
    }

    fn move_bound(&self, bound: u64, to: u64) {
        let word = self.arena.word_at(self.block + bound);
        word.store(to, Ordering::Release);
    }

    fn version(&self) -> u64 {
        self.object.cells[VERSION].load(Ordering::Acquire)
    }

    /// Counts a change, before it is committed: a death in between makes others look again in vain, no more.
    fn touch(&self) {
        self.object.cells[VERSION].fetch_add(1, Ordering::AcqRel);
    }

    fn place(&self, place: u64) -> &AtomicU64 {
        self.arena.word_at(self.block + ITEMS + place * 8)
    }

    fn get(&self, index: u64) -> Option<u64> {
        let place = self.place(self.bound(START) + index);
        (index < self.len()).then(|| place.load(Ordering::Acquire))
    }

    fn store(&self, index: u64, word: u64) {
        let place = self.place(self.bound(START) + index);
        place.store(word, Ordering::Release);
    }

    /// The words of a range inside the list.
    fn words(&self, range: Range<u64>) -> Vec<u64> {
        let start = self.bound(START);
        let words = range.map(|at| self.place(start + at).load(Ordering::Acquire));
        words.collect()
    }

    /// Copies a range inside the list to a place of another block in our hands.
    fn copy(&self, range: Range<u64>, block: Offset, place: u64) {
        let from = self.block + ITEMS + (self.bound(START) + range.start) * 8;
        let words = self.arena.bytes(from, (range.end - range.start) * 8);
        self.arena.put_bytes(block + ITEMS + place * 8, words);
    }

    /// Prepares new words in the place of a range inside the list.
    fn change(&self, range: &Range<u64>, new: &[u64]) -> std::result::Result<Change, Full> {
        let (start, end, capacity) = (self.bound(START), self.bound(END), self.bound(CAPACITY));
        let (length, count, added) = (self.len(), range.end - range.start, new.len() as u64);
        let left = length - count + added;
        let (is_front, is_back) = (range.start == 0, range.end == length);
        let fits = |room: u64| added == 0 || count == 0 && added <= room;
        let in_place = if is_back && fits(capacity.saturating_sub(end)) {
            let (place, bound) = (end - count, END);
            let to = place + added;
            Some(Change::Bound { place, bound, to })
        } else if is_front && fits(start) {
            let (place, bound) = (start + count - added, START);
            let to = place;
            Some(Change::Bound { place, bound, to })
        } else {
            None
        };
        let is_empty = added == 0 && capacity > SMALL && left < capacity / 4;
        match in_place {
            Some(change) if !is_empty => return Ok(change),
            _ => {}
        }
        // What grows at an end is likely to grow there again, and perhaps at the other one as well.
        let kept = [start, capacity.saturating_sub(end)].map(|room| room.min(length));
        let (gap, room) = match (is_front, is_back) {
            _ if in_place.is_some() => (0, left),
            _ if count > 0 => (0, 0),
            (_, true) => (kept[0], length.saturating_sub(added)),
            (true, _) => (length, kept[1]),
            _ => (0, 0),
        };
        let block = match (new_block(self.arena, gap, left, room), in_place) {
            (Ok(block), _) => block,
            (Err(_), Some(change)) => return Ok(change),
            (Err(full), None) => return Err(full),
        };
        self.copy(0..range.start, block, gap);
        fill(self.arena, block, gap + range.start, new);
        self.copy(range.end..length, block, gap + range.start + added);
        Ok(Change::Block(block))
    }

    /// Commits a change; the block that is needed no more comes back, in the hands of this process.
    fn commit(&self, change: Change, new: &[u64]) -> Option<Offset> {
        match change {
            Change::Block(block) => Some(self.attach(block)),
            Change::Bound { place, bound, to } => {
                fill(self.arena, self.block, place, new);
                self.touch();
                crash_point!("list: items stored");
                self.move_bound(bound, to);
                crash_point!("list: items committed");
                None
            }
        }
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

/// A block for so many items, with a gap in front of them and room behind. The items are not there yet.
fn new_block(arena: &Arena, gap: u64, length: u64, room: u64) -> std::result::Result<Offset, Full> {
    let capacity = (gap + length + room).max(LEAST_CAPACITY);
    let block = arena.alloc(ITEMS + capacity * 8)?;
    arena.put_word(block + START, gap);
    arena.put_word(block + END, gap + length);
    arena.put_word(block + CAPACITY, (arena.capacity(block) - ITEMS) / 8);
    Ok(block)
}

/// Writes words from a place of a block on that is outside of the list.
fn fill(arena: &Arena, block: Offset, place: u64, words: &[u64]) {
    for (at, &word) in words.iter().enumerate() {
        arena.put_word(block + ITEMS + (place + at as u64) * 8, word);
    }
}

/// Frees what words needed; they are in the hands of this process.
fn free_all(arena: &Arena, words: &[u64]) {
    words.iter().for_each(|&word| word::free(arena, word));
}

/// The words of some items: all, or none when there is no room.
pub(super) fn make_all(arena: &Arena, items: &[Item<'_>]) -> std::result::Result<Vec<u64>, Full> {
    let mut words = Vec::with_capacity(items.len());
    for &item in items {
        match word::make(arena, item) {
            Ok(word) => words.push(word),
            Err(full) => {
                free_all(arena, &words);
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
    for word in list.words(0..list.len()) {
        word::visit(arena, word, visitor);
    }
}

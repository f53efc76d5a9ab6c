//! A shared map: entries in order of insertion, and an index over them.
//!
//! Both stand in one block. An entry is a hash with a mark, a key word and a value word; a value is replaced by one store,
//! an entry is added by storing it behind the last one and then the new length, and removed by one store to its mark. The
//! index only helps to find entries and is made anew when a process dies with the mutex. A block that is full is
//! replaced by a new one without the gaps.

use super::list::make_all;
use super::word::{self, Content, Item, Small};
use super::{Stamp, is_of_no_interest, note_handles, turn};
use crate::arena::kinds::Visitor;
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, Offset};
use crate::crash_point;
use crate::diag::Result;
use crate::os::robust::{Guard, Taken};
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;

/// Counts the changes.
const VERSION: usize = 0;

/// Where things stand in the block: entries ever added, room for entries, entries that were not removed (made anew after
/// a death), size of the index (a power of two).
const LENGTH: u64 = 0;
const CAPACITY: u64 = 8;
const LIVE: u64 = 16;
const INDEX_SIZE: u64 = 24;
const ENTRIES: u64 = 32;
/// Bytes of an entry: hash and mark, key, value.
const ENTRY: u64 = 24;
const KEY: u64 = 8;
const VALUE: u64 = 16;
/// The mark of an entry that is there; the low half of the word is the hash.
const PRESENT: u64 = 1 << 32;
/// Entries of the first block.
const LEAST_CAPACITY: u64 = 8;

/// A shared map.
#[derive(Debug, Clone)]
pub struct Map {
    hold: Hold,
}

struct Locked<'a> {
    arena: &'a Arena,
    object: &'a Object,
    block: Offset,
    _guard: Guard<'a>,
}

/// An entry on its way into a block: mark and hash, key, value.
type Entry = [u64; 3];

impl Map {
    /// A new map of some entries, whose keys differ.
    pub fn create(keys: &[Item<'_>], values: &[Item<'_>]) -> Result<Map> {
        super::super::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::SharedMap, |arena, object| {
                let all: Vec<Item<'_>> = keys.iter().chain(values).copied().collect();
                let words = make_all(arena, &all)?;
                note_handles(object, &all);
                let (key_words, value_words) = words.split_at(keys.len().min(words.len()));
                let pairs = keys.iter().zip(key_words).zip(value_words);
                let entries: Vec<Entry> = pairs
                    .map(|((&key, &word), &value)| [PRESENT | hash(key), word, value])
                    .collect();
                word::attach(
                    arena,
                    object,
                    new_block(arena, &entries, entries.len() as u64),
                    &words,
                )
            })
        })?;
        Ok(Map { hold })
    }

    /// The map of a handle, if it exists.
    pub fn adopt(id: HandleId) -> Option<Map> {
        Hold::adopt(id).map(|hold| Map { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    fn lock<'a>(&'a self, arena: &'a Arena) -> Locked<'a> {
        Locked::new(arena, self.hold.object())
    }

    /// How many entries.
    pub fn len(&self, arena: &Arena) -> u64 {
        let map = self.lock(arena);
        map.get(LIVE)
    }

    /// Gives the value of a key to a function (see [`super::Scalar::read`] for what it may do); `None` when there is no
    /// such key. The stamp is for [`Map::replace`].
    pub fn read<T>(
        &self,
        arena: &Arena,
        key: Item<'_>,
        body: impl FnOnce(Content<'_>) -> T,
    ) -> (Stamp, Option<T>) {
        let map = self.lock(arena);
        let word = map.find(key).map(|entry| map.get(entry + VALUE));
        let stamp = Stamp {
            version: map.version(),
            word,
        };
        (stamp, word.map(|word| body(word::content(arena, word))))
    }

    /// Gives all keys and values in order to a function, as they are at one instant.
    pub fn read_all(&self, arena: &Arena, mut body: impl FnMut(Content<'_>, Content<'_>)) {
        let map = self.lock(arena);
        for [_, key, value] in map.entries() {
            body(word::content(arena, key), word::content(arena, value));
        }
    }

    /// Sets the value of a key.
    pub fn set(&self, key: Item<'_>, value: Item<'_>) -> Result<()> {
        self.replace(key, None, value).map(|_| ())
    }

    /// Sets the value of a key if it is still what was read with a stamp (without one: whatever it is); false when not.
    pub fn replace(&self, key: Item<'_>, since: Option<Stamp>, value: Item<'_>) -> Result<bool> {
        let arena = super::super::start()?;
        turn::leave_to_others(&self.hold)?;
        arena::when_full(|| {
            let new = word::make(arena, value)?;
            let mut map = self.lock(arena);
            note_handles(map.object, &[value]);
            let found = map.find(key);
            let old = found.map(|entry| map.get(entry + VALUE));
            if since.is_some_and(|since| !since.holds(map.version(), old)) {
                drop(map);
                word::free(arena, new);
                return Ok(false);
            }
            let (Some(entry), Some(old)) = (found, old) else {
                let result = map.insert(key, new);
                drop(map);
                if result.is_err() {
                    word::free(arena, new);
                }
                return result.map(|()| true);
            };
            word::detaching(arena, old);
            map.touch();
            map.set(entry + VALUE, new);
            crash_point!("map: value replaced");
            word::attached(arena, new);
            drop(map);
            word::free(arena, old);
            Ok(true)
        })
    }

    /// Removes a key and gives its value to a function before it is gone.
    pub fn remove<T>(
        &self,
        arena: &Arena,
        key: Item<'_>,
        body: impl FnOnce(Content<'_>) -> T,
    ) -> Result<Option<T>> {
        turn::leave_to_others(&self.hold)?;
        let map = self.lock(arena);
        let Some(entry) = map.find(key) else {
            return Ok(None);
        };
        let (key, value) = (map.get(entry + KEY), map.get(entry + VALUE));
        let result = body(word::content(arena, value));
        word::detaching(arena, key);
        word::detaching(arena, value);
        map.touch();
        crash_point!("map: about to remove");
        map.set(entry, 0);
        crash_point!("map: removed");
        map.set(LIVE, map.get(LIVE).saturating_sub(1));
        drop(map);
        word::free(arena, key);
        word::free(arena, value);
        Ok(Some(result))
    }

    /// Removes everything.
    pub fn clear(&self) -> Result<()> {
        let arena = super::super::start()?;
        turn::leave_to_others(&self.hold)?;
        arena::when_full(|| {
            let mut map = self.lock(arena);
            let block = new_block(arena, &[], 0)?;
            let entries = map.entries();
            for [_, key, value] in &entries {
                word::detaching(arena, *key);
                word::detaching(arena, *value);
            }
            let old = map.attach(block);
            drop(map);
            arena.free(old);
            for [_, key, value] in entries {
                word::free(arena, key);
                word::free(arena, value);
            }
            Ok(())
        })
    }
}

impl<'a> Locked<'a> {
    fn new(arena: &'a Arena, object: &'a Object) -> Locked<'a> {
        let guard = object.lock();
        let map = Locked {
            arena,
            object,
            block: object.payload(),
            _guard: guard,
        };
        if map._guard.taken == Taken::OwnerDied && map.block != 0 {
            map.set(LIVE, map.entries().len() as u64);
            build_index(arena, map.block);
        }
        map
    }

    fn get(&self, at: u64) -> u64 {
        self.arena.word_at(self.block + at).load(Ordering::Acquire)
    }

    fn set(&self, at: u64, value: u64) {
        self.arena
            .word_at(self.block + at)
            .store(value, Ordering::Release);
    }

    fn version(&self) -> u64 {
        self.object.cells[VERSION].load(Ordering::Acquire)
    }

    fn touch(&self) {
        self.object.cells[VERSION].fetch_add(1, Ordering::AcqRel);
    }

    /// The entries that are there, in order.
    fn entries(&self) -> Vec<Entry> {
        (0..self.get(LENGTH))
            .map(|at| ENTRIES + at * ENTRY)
            .map(|entry| {
                [
                    self.get(entry),
                    self.get(entry + KEY),
                    self.get(entry + VALUE),
                ]
            })
            .filter(|entry| entry[0] & PRESENT != 0)
            .collect()
    }

    /// Where the entry of a key stands in the block.
    fn find(&self, key: Item<'_>) -> Option<u64> {
        let wanted = PRESENT | hash(key);
        for probe in probes(self.arena, self.block, wanted) {
            let at = self.arena.word32_at(probe).load(Ordering::Acquire);
            let entry = ENTRIES + u64::from(at.checked_sub(1)?) * ENTRY;
            if self.get(entry) == wanted && self.same_key(self.get(entry + KEY), key) {
                return Some(entry);
            }
        }
        None
    }

    fn same_key(&self, word: u64, key: Item<'_>) -> bool {
        match (word::content(self.arena, word), key) {
            (Content::Small(a), Item::Small(b)) => same_small(a, b),
            (Content::Message(a), Item::Message(b, _)) => a == b,
            _ => false,
        }
    }

    fn insert(&mut self, key: Item<'_>, value: u64) -> std::result::Result<(), Full> {
        let key_word = word::make(self.arena, key)?;
        let length = self.get(LENGTH);
        if length == self.get(CAPACITY)
            && let Err(full) = self.grow()
        {
            word::free(self.arena, key_word);
            return Err(full);
        }
        let length = self.get(LENGTH);
        let entry = ENTRIES + length * ENTRY;
        self.set(entry + KEY, key_word);
        self.set(entry + VALUE, value);
        self.set(entry, PRESENT | hash(key));
        self.touch();
        crash_point!("map: entry written");
        self.set(LENGTH, length + 1);
        crash_point!("map: entry committed");
        word::attached(self.arena, key_word);
        word::attached(self.arena, value);
        self.set(LIVE, self.get(LIVE) + 1);
        index_entry(self.arena, self.block, length);
        crash_point!("map: entry indexed");
        Ok(())
    }

    #[cold]
    fn grow(&mut self) -> std::result::Result<(), Full> {
        let entries = self.entries();
        let block = new_block(self.arena, &entries, entries.len() as u64 * 2)?;
        let old = self.attach(block);
        self.arena.free(old);
        Ok(())
    }

    /// Attaches a new block; the old one comes back, in the hands of this process.
    fn attach(&mut self, block: Offset) -> Offset {
        self.arena.claim(self.block);
        self.touch();
        crash_point!("map: block built");
        self.object.set_payload(block);
        crash_point!("map: block attached");
        self.arena.commit(block);
        std::mem::replace(&mut self.block, block)
    }
}

fn same_small(a: Small, b: Small) -> bool {
    match (a, b) {
        (Small::Float(a), Small::Float(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

/// 32 bits.
fn hash(key: Item<'_>) -> u64 {
    let state = foldhash::fast::FixedState::with_seed(11);
    let hash = match key {
        Item::Message(bytes, _) => state.hash_one(bytes),
        Item::Small(Small::Int(value)) => state.hash_one(value),
        Item::Small(Small::Float(value)) => state.hash_one(value.to_bits()),
        Item::Small(Small::Bool(value)) => state.hash_one(value),
        Item::Small(Small::Nil) => 0,
    };
    hash & 0xffff_ffff
}

/// A block with entries in it and room for some more.
fn new_block(arena: &Arena, entries: &[Entry], capacity: u64) -> std::result::Result<Offset, Full> {
    let capacity = capacity.max(entries.len() as u64).max(LEAST_CAPACITY);
    let index_size = (capacity * 2).next_power_of_two();
    let block = arena.alloc(ENTRIES + capacity * ENTRY + index_size * 4)?;
    arena.put_word(block + LENGTH, entries.len() as u64);
    arena.put_word(block + CAPACITY, capacity);
    arena.put_word(block + LIVE, entries.len() as u64);
    arena.put_word(block + INDEX_SIZE, index_size);
    for (at, entry) in entries.iter().enumerate() {
        for (part, &word) in entry.iter().enumerate() {
            arena.put_word(block + ENTRIES + at as u64 * ENTRY + part as u64 * 8, word);
        }
    }
    build_index(arena, block);
    Ok(block)
}

fn build_index(arena: &Arena, block: Offset) {
    let index = block + ENTRIES + arena.get_word(block + CAPACITY) * ENTRY;
    arena.fill_zero(index, arena.get_word(block + INDEX_SIZE) * 4);
    for at in 0..arena.get_word(block + LENGTH) {
        if arena.get_word(block + ENTRIES + at * ENTRY) & PRESENT != 0 {
            index_entry(arena, block, at);
        }
    }
}

/// Notes an entry's number, plus one, at the first free place for its hash.
fn index_entry(arena: &Arena, block: Offset, at: u64) {
    let hash = arena.get_word(block + ENTRIES + at * ENTRY);
    for probe in probes(arena, block, hash) {
        let place = arena.word32_at(probe);
        if place.load(Ordering::Acquire) == 0 {
            place.store(at as u32 + 1, Ordering::Release);
            return;
        }
    }
}

/// The places of the index at which an entry of a hash may stand, in order. There are twice as many as entries, and entries
/// that were removed keep theirs until the block is replaced, so a search always comes to a free one.
fn probes(arena: &Arena, block: Offset, hash: u64) -> impl Iterator<Item = Offset> + use<> {
    let index = block + ENTRIES + arena.get_word(block + CAPACITY) * ENTRY;
    let size = arena.get_word(block + INDEX_SIZE);
    let mask = size.wrapping_sub(1);
    (0..size).map(move |step| index + ((hash & 0xffff_ffff).wrapping_add(step) & mask) * 4)
}

/// Names the blocks and handles of a map.
pub(super) fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    if is_of_no_interest(object, visitor) {
        return;
    }
    let map = Locked::new(arena, object);
    visitor.block(map.block);
    for [_, key, value] in map.entries() {
        word::visit(arena, key, visitor);
        word::visit(arena, value, visitor);
    }
}

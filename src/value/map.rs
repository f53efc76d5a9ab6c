//! Maps and sets: hash tables that keep the order of insertion.
//!
//! Entries stand in a vector in order; an index over it is kept once there are more than a few. A removed entry leaves
//! a gap (its key is `Undef`) until the table is rebuilt.

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use crate::room;
use hashbrown::HashTable;
use std::cell::UnsafeCell;
use std::hash::BuildHasher;

/// Up to this many entries are searched one by one: faster than an index, and half of all maps are this small.
const UNINDEXED: usize = 8;
/// An index grows when less than one entry for so many is left in it: while a larger one is refused there is room for the entries that come
/// before the machine looks what was refused.
const MARGIN: usize = 32;
/// Bytes of an entry of the index.
const INDEX_ENTRY: usize = 5;

/// One entry.
#[derive(Clone, Copy)]
pub struct Entry {
    hash: u32,
    /// The key; `Undef` in a gap.
    pub key: Value,
    /// The value (nil in a set).
    pub value: Value,
}

/// A key was added or removed while somebody went through a table.
#[derive(Clone, Copy, Debug)]
pub struct Changed;

/// The table behind a map or set.
#[derive(Clone, Default)]
pub struct Table {
    entries: Vec<Entry>,
    index: HashTable<u32>,
    live: usize,
    /// No entry stands before this place: what is taken from the front again and again is found at once.
    first: usize,
    /// How often a key was added or removed, as far as 32 bits go.
    changes: u32,
}

/// The hash of a key; `None` when the value cannot be one. Equal numbers hash alike, whatever their kind.
#[inline]
pub fn hash_key(key: &Value) -> Option<u32> {
    Some(match key {
        Value::Short(s) => s.hash(),
        Value::Str(s) => s.hash(),
        Value::Int(i) => hash_int(*i),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 9.3e18 => hash_int(*f as i64),
        Value::Float(f) => hash_int(f.to_bits() as i64),
        Value::Bool(b) => 3 + u32::from(*b),
        Value::Nil => 2,
        Value::Bytes(b) => foldhash::fast::FixedState::with_seed(7).hash_one(b.data()) as u32,
        _ => return None,
    })
}

#[inline]
fn hash_int(i: i64) -> u32 {
    ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// The greatest int and 1, which is what the greatest int is rounded to.
const MAX_INT_AS_FLOAT: f64 = 9_223_372_036_854_775_808.0;

/// Whether two keys are the same key.
#[inline]
pub fn same_key(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Short(x), Value::Short(y)) => x == y,
        (Value::Str(x), Value::Str(y)) => x.same(*y) || x.as_str() == y.as_str(),
        (Value::Int(x), Value::Int(y)) => x == y,
        (Value::Int(x), Value::Float(y)) | (Value::Float(y), Value::Int(x)) => {
            // The least float that no int is becomes the greatest int.
            *x as f64 == *y && *y < MAX_INT_AS_FLOAT && *y as i64 == *x
        }
        (Value::Float(x), Value::Float(y)) => x == y || (x.is_nan() && y.is_nan()),
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Nil, Value::Nil) => true,
        (Value::Bytes(x), Value::Bytes(y)) => x.data() == y.data(),
        _ => false,
    }
}

fn spread(hash: u32) -> u64 {
    // hashbrown takes its seven tag bits from the top: copy the low half there.
    u64::from(hash) | u64::from(hash) << 32
}

impl Table {
    #[inline]
    fn find(&self, hash: u32, key: &Value) -> Option<usize> {
        match key {
            // Nearly all keys are short strings, and they are compared as words.
            Value::Short(short) => {
                self.find_by(hash, |other| matches!(other, Value::Short(s) if s == short))
            }
            _ => self.find_by(hash, |other| same_key(other, key)),
        }
    }

    #[inline]
    fn find_by(&self, hash: u32, same: impl Fn(&Value) -> bool) -> Option<usize> {
        if self.index.is_empty() {
            return self
                .entries
                .iter()
                .position(|e| e.hash == hash && same(&e.key));
        }
        let matches = |&at: &u32| {
            self.entries
                .get(at as usize)
                .is_some_and(|e| e.hash == hash && same(&e.key))
        };
        self.index
            .find(spread(hash), matches)
            .map(|&at| at as usize)
    }

    /// Where a key's entry is; stays right until something is removed. `None` also when the value cannot be a key.
    #[inline]
    pub fn position(&self, key: &Value) -> Option<usize> {
        self.find(hash_key(key)?, key)
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &Value) -> Option<Value> {
        self.position(key)
            .and_then(|at| self.entries.get(at))
            .map(|e| e.value)
    }

    /// Where the value of a key stands, for the virtual machine's own instructions.
    #[inline]
    pub fn place(&self, key: &Value) -> Option<*const Value> {
        let at = self.position(key)?;
        self.entries.get(at).map(|entry| &raw const entry.value)
    }

    /// As [`Table::place`], to write to.
    #[inline]
    pub fn place_mut(&mut self, key: &Value) -> Option<*mut Value> {
        let at = self.position(key)?;
        self.entries.get_mut(at).map(|entry| &raw mut entry.value)
    }

    /// Sets the value of a key; false when the value cannot be a key.
    pub fn insert(&mut self, key: Value, value: Value) -> bool {
        let Some(hash) = hash_key(&key) else {
            return false;
        };
        if let Some(at) = self.find(hash, &key) {
            self.entries[at].value = value;
            return true;
        }
        room::push(&mut self.entries, Entry { hash, key, value });
        self.live += 1;
        self.changes = self.changes.wrapping_add(1);
        if !self.index.is_empty()
            && self.index.capacity() - self.index.len() <= self.index.len() / MARGIN
        {
            self.grow_index();
        }
        if !self.index.is_empty() {
            let at = self.entries.len() as u32 - 1;
            let entries = &self.entries;
            self.index
                .insert_unique(spread(hash), at, |&i| spread(entries[i as usize].hash));
        } else if self.entries.len() > UNINDEXED {
            self.rebuild();
        }
        true
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &Value) -> Option<Value> {
        let hash = hash_key(key)?;
        let at = self.find(hash, key)?;
        if !self.index.is_empty()
            && let Ok(found) = self.index.find_entry(spread(hash), |&i| i as usize == at)
        {
            found.remove();
        }
        let entry = self.entries.get_mut(at)?;
        let value = entry.value;
        *entry = Entry {
            hash: 0,
            key: Value::Undef,
            value: Value::Undef,
        };
        self.live -= 1;
        if at == self.first {
            let rest = self.entries.get(at..).unwrap_or_default();
            let gaps = rest.iter().take_while(|e| matches!(e.key, Value::Undef));
            self.first += gaps.count();
        }
        self.changes = self.changes.wrapping_add(1);
        while self
            .entries
            .last()
            .is_some_and(|e| matches!(e.key, Value::Undef))
        {
            self.entries.pop();
        }
        self.first = self.first.min(self.entries.len());
        if self.entries.len() > 2 * self.live + UNINDEXED {
            self.rebuild();
        }
        Some(value)
    }

    /// An index of twice the size. A large one may be refused: then the old one does for some more entries, and somebody is told.
    #[cold]
    fn grow_index(&mut self) {
        let entries = &self.entries;
        let of = |&at: &u32| {
            entries
                .get(at as usize)
                .map_or(0, |entry| spread(entry.hash))
        };
        let free = self.index.capacity() - self.index.len();
        let bytes = self.index.capacity() * 2 * INDEX_ENTRY;
        if bytes < room::LARGE {
            self.index.reserve(free + 1, of);
        } else if !room::ask(|| self.index.try_reserve(free + 1, of)) {
            room::tell(bytes);
            if free == 0 {
                // Nobody was told in time. Entries are searched one by one until there is room for an index.
                self.index = HashTable::new();
            }
        }
    }

    fn rebuild(&mut self) {
        self.first = 0;
        self.entries.retain(|e| !matches!(e.key, Value::Undef));
        self.index.clear();
        if self.entries.len() > UNINDEXED {
            let entries = &self.entries;
            let of = |&i: &u32| spread(entries[i as usize].hash);
            let bytes = entries.len() * 2 * INDEX_ENTRY;
            if bytes < room::LARGE {
                self.index.reserve(entries.len(), of);
            } else if !room::ask(|| self.index.try_reserve(entries.len(), of)) {
                return room::tell(bytes);
            }
            for (at, entry) in entries.iter().enumerate() {
                self.index
                    .insert_unique(spread(entry.hash), at as u32, |&i| {
                        spread(entries[i as usize].hash)
                    });
            }
        }
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Removes all.
    pub fn clear(&mut self) {
        let changes = self.changes.wrapping_add(1);
        *self = Table::default();
        self.changes = changes;
    }

    /// Where a walk begins that no added or removed key may disturb, for [`Table::step`]: a position, below how often keys were
    /// added or removed.
    #[inline]
    pub fn start(&self) -> usize {
        (self.changes as usize) << 32
    }

    /// The next entry of a walk, with the position after it.
    ///
    /// # Errors
    /// A key was added or removed since the walk began: what comes next is not known any more.
    #[inline]
    pub fn step(&self, position: usize) -> Result<Option<(Entry, usize)>, Changed> {
        if position >> 32 != self.changes as usize {
            return Err(Changed);
        }
        let found = self.next(position & u32::MAX as usize);
        Ok(found.map(|(entry, next)| (entry, self.start() | next)))
    }

    /// The next entry at or after a position, with the position after it.
    #[inline]
    pub fn next(&self, position: usize) -> Option<(Entry, usize)> {
        let mut position = position.max(self.first);
        loop {
            let entry = *self.entries.get(position)?;
            position += 1;
            if !matches!(entry.key, Value::Undef) {
                return Some((entry, position));
            }
        }
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Value, Value)> + '_ {
        let entries = self.entries.get(self.first..).unwrap_or_default();
        entries
            .iter()
            .filter(|e| !matches!(e.key, Value::Undef))
            .map(|e| (e.key, e.value))
    }

    /// The value at a position that [`Table::position`] gave, when its key is still `key` (for inline caches).
    #[inline]
    pub fn at(&self, position: usize, key: &Value) -> Option<Value> {
        self.entries
            .get(position)
            .filter(|e| same_key(&e.key, key))
            .map(|e| e.value)
    }

    /// Bytes of memory behind it.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * std::mem::size_of::<Entry>() + self.index.capacity() * INDEX_ENTRY
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.bytes());
        for entry in &self.entries {
            marker.value(entry.key);
            marker.value(entry.value);
        }
    }
}

macro_rules! table_object {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(C)]
        pub struct $name {
            header: Header,
            table: UnsafeCell<Table>,
        }

        impl $name {
            /// An object around a table.
            pub fn new(heap: &mut Heap, table: Table) -> Gc<$name> {
                heap.charge(table.bytes());
                heap.alloc($name { header: Header::new(0), table: UnsafeCell::new(table) }, 0)
            }

            /// The table, to read; not to be held across anything that may write to this object.
            #[inline]
            pub fn table(&self) -> &Table {
                // SAFETY: one thread per heap; no reader's reference is in use while `edit` runs, by the rule above.
                unsafe { &*self.table.get() }
            }

            /// Changes the table; growth is charged to the heap. The closure must not call back into the script.
            #[inline]
            pub fn edit<R>(&self, heap: &mut Heap, change: impl FnOnce(&mut Table) -> R) -> R {
                // SAFETY: one thread per heap, and the closure is all that runs.
                let table = unsafe { &mut *self.table.get() };
                let before = table.bytes();
                let result = change(table);
                let after = table.bytes();
                if after > before {
                    heap.charge(after - before);
                }
                result
            }

            /// The table, for the virtual machine's own instructions: whoever writes through it adds and removes nothing.
            #[inline]
            pub fn raw(&self) -> *mut Table {
                self.table.get()
            }

            pub(super) fn trace(&self, marker: &mut Marker<'_>) {
                self.table().trace(marker);
            }
        }
    };
}

table_object! {
    /// A map.
    Map
}
table_object! {
    /// A set: a table whose values are nil.
    Set
}

//! Lists, bytes and ranges.

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use std::cell::UnsafeCell;

/// The items of a list: unboxed while they are all ints or all floats.
#[derive(Clone)]
pub enum Items {
    /// Any values (also the empty list).
    Any(Vec<Value>),
    /// Ints only.
    Ints(Vec<i64>),
    /// Floats only.
    Floats(Vec<f64>),
}

impl Items {
    /// The best representation of some values.
    pub fn from_values(values: Vec<Value>) -> Items {
        match values.first() {
            Some(Value::Int(_)) => {
                let ints: Option<Vec<i64>> = values.iter().map(Value::as_int).collect();
                ints.map_or(Items::Any(values), Items::Ints)
            }
            Some(Value::Float(_)) => {
                let float = |v: &Value| {
                    if let Value::Float(f) = v {
                        Some(*f)
                    } else {
                        None
                    }
                };
                let floats: Option<Vec<f64>> = values.iter().map(float).collect();
                floats.map_or(Items::Any(values), Items::Floats)
            }
            _ => Items::Any(values),
        }
    }

    /// How many.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Items::Any(v) => v.len(),
            Items::Ints(v) => v.len(),
            Items::Floats(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at an index.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Value> {
        match self {
            Items::Any(v) => v.get(index).copied(),
            Items::Ints(v) => v.get(index).map(|&i| Value::Int(i)),
            Items::Floats(v) => v.get(index).map(|&f| Value::Float(f)),
        }
    }

    /// The boxed form, made when it is not there yet.
    pub fn general(&mut self) -> &mut Vec<Value> {
        match self {
            Items::Any(_) => {}
            Items::Ints(v) => *self = Items::Any(v.iter().map(|&i| Value::Int(i)).collect()),
            Items::Floats(v) => *self = Items::Any(v.iter().map(|&f| Value::Float(f)).collect()),
        }
        match self {
            Items::Any(v) => v,
            // The arms above left nothing else.
            Items::Ints(_) | Items::Floats(_) => unreachable!("general list"),
        }
    }

    /// Appends.
    #[inline]
    pub fn push(&mut self, value: Value) {
        match (&mut *self, value) {
            (Items::Ints(v), Value::Int(i)) => v.push(i),
            (Items::Floats(v), Value::Float(f)) => v.push(f),
            (Items::Any(v), value) if !v.is_empty() => v.push(value),
            (Items::Any(_), Value::Int(i)) => *self = Items::Ints(vec![i]),
            (Items::Any(_), Value::Float(f)) => *self = Items::Floats(vec![f]),
            (_, value) => self.general().push(value),
        }
    }

    /// Replaces the item at an index; false when there is none.
    #[inline]
    pub fn set(&mut self, index: usize, value: Value) -> bool {
        if index >= self.len() {
            return false;
        }
        match (&mut *self, value) {
            (Items::Ints(v), Value::Int(i)) => v[index] = i,
            (Items::Floats(v), Value::Float(f)) => v[index] = f,
            (Items::Any(v), value) => v[index] = value,
            (_, value) => self.general()[index] = value,
        }
        true
    }

    /// All as values.
    pub fn to_values(&self) -> Vec<Value> {
        match self {
            Items::Any(v) => v.clone(),
            Items::Ints(v) => v.iter().map(|&i| Value::Int(i)).collect(),
            Items::Floats(v) => v.iter().map(|&f| Value::Float(f)).collect(),
        }
    }

    /// Bytes of memory behind it.
    pub fn bytes(&self) -> usize {
        match self {
            Items::Any(v) => v.capacity() * 16,
            Items::Ints(v) => v.capacity() * 8,
            Items::Floats(v) => v.capacity() * 8,
        }
    }
}

/// A list.
#[repr(C)]
pub struct List {
    header: Header,
    items: UnsafeCell<Items>,
}

impl List {
    /// A list of values.
    pub fn new(heap: &mut Heap, values: Vec<Value>) -> Gc<List> {
        List::from_items(heap, Items::from_values(values))
    }

    /// A list of items in a known representation.
    pub fn from_items(heap: &mut Heap, items: Items) -> Gc<List> {
        heap.charge(items.bytes());
        heap.alloc(
            List {
                header: Header::new(0),
                items: UnsafeCell::new(items),
            },
            0,
        )
    }

    /// The items, to read. The reference must not be held across anything that may write to this list (a call back
    /// into the script above all).
    #[inline]
    pub fn items(&self) -> &Items {
        // SAFETY: one thread per heap; writers (`edit`) never run while a reader's reference is in use, by the rule above.
        unsafe { &*self.items.get() }
    }

    /// Changes the items; growth is charged to the heap. The closure must not call back into the script.
    #[inline]
    pub fn edit<R>(&self, heap: &mut Heap, change: impl FnOnce(&mut Items) -> R) -> R {
        // SAFETY: one thread per heap, and the closure is all that runs.
        let items = unsafe { &mut *self.items.get() };
        let before = items.bytes();
        let result = change(items);
        let after = items.bytes();
        if after > before {
            heap.charge(after - before);
        }
        result
    }

    /// How many items.
    #[inline]
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at an index from the start.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Value> {
        self.items().get(index)
    }

    /// Appends.
    #[inline]
    pub fn push(&self, heap: &mut Heap, value: Value) {
        self.edit(heap, |items| items.push(value));
    }

    /// Replaces; false when there is no such index.
    #[inline]
    pub fn set(&self, heap: &mut Heap, index: usize, value: Value) -> bool {
        self.edit(heap, |items| items.set(index, value))
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.items().bytes());
        if let Items::Any(values) = self.items() {
            for &value in values {
                marker.value(value);
            }
        }
    }
}

/// Immutable bytes.
#[repr(C)]
pub struct Bytes {
    header: Header,
    data: Box<[u8]>,
}

impl Bytes {
    /// Bytes in the heap.
    pub fn new(heap: &mut Heap, data: Vec<u8>) -> Gc<Bytes> {
        heap.charge(data.len());
        heap.alloc(
            Bytes {
                header: Header::new(0),
                data: data.into_boxed_slice(),
            },
            0,
        )
    }

    /// The bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.data.len());
    }
}

/// A range of ints.
#[repr(C)]
pub struct Range {
    header: Header,
    /// First number.
    pub start: i64,
    /// Where it ends; `None` is endless.
    pub end: Option<i64>,
    /// Whether the end belongs to it.
    pub inclusive: bool,
    /// The step, not 0 (`range(0, 10, 2)`); 1 for literals.
    pub step: i64,
}

impl Range {
    /// A range in the heap.
    pub fn new(
        heap: &mut Heap,
        start: i64,
        end: Option<i64>,
        inclusive: bool,
        step: i64,
    ) -> Gc<Range> {
        heap.alloc(
            Range {
                header: Header::new(0),
                start,
                end,
                inclusive,
                step,
            },
            0,
        )
    }

    /// How many numbers; `None` when endless.
    pub fn len(&self) -> Option<u64> {
        let end = i128::from(self.end?);
        let (start, step) = (i128::from(self.start), i128::from(self.step));
        let span = if step > 0 { end - start } else { start - end };
        let step = step.abs();
        let count = if self.inclusive {
            span.div_euclid(step) + 1
        } else {
            (span + step - 1).div_euclid(step)
        };
        Some(count.clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// Whether it has no number.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The number at an index from the start.
    pub fn get(&self, index: u64) -> Option<i64> {
        if self.len().is_some_and(|len| index >= len) {
            return None;
        }
        i64::try_from(i128::from(self.start) + i128::from(index) * i128::from(self.step)).ok()
    }

    pub(super) fn trace(&self, _: &mut Marker<'_>) {}
}

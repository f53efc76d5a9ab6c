//! Lists, bytes and ranges.

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use crate::room;
use std::cell::UnsafeCell;

/// The items of a list: unboxed while they are all ints, all floats or all bools.
#[derive(Clone)]
// Compiled code looks into it.
#[cfg_attr(feature = "jit", repr(u8))]
pub enum Items {
    /// Any values (also the empty list).
    Any(Vec<Value>),
    /// Ints only.
    Ints(Vec<i64>),
    /// Floats only.
    Floats(Vec<f64>),
    /// Bools only.
    Bools(Vec<bool>),
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
            Some(Value::Bool(_)) => {
                let bool = |v: &Value| match v {
                    Value::Bool(b) => Some(*b),
                    _ => None,
                };
                let bools: Option<Vec<bool>> = values.iter().map(bool).collect();
                bools.map_or(Items::Any(values), Items::Bools)
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
            Items::Bools(v) => v.len(),
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
            Items::Bools(v) => v.get(index).map(|&b| Value::Bool(b)),
        }
    }

    /// The boxed form, made when it is not there yet.
    pub fn general(&mut self) -> &mut Vec<Value> {
        match self {
            Items::Any(_) => {}
            Items::Ints(v) => *self = Items::Any(v.iter().map(|&i| Value::Int(i)).collect()),
            Items::Floats(v) => *self = Items::Any(v.iter().map(|&f| Value::Float(f)).collect()),
            Items::Bools(v) => *self = Items::Any(v.iter().map(|&b| Value::Bool(b)).collect()),
        }
        match self {
            Items::Any(v) => v,
            // The arms above left nothing else.
            Items::Ints(_) | Items::Floats(_) | Items::Bools(_) => unreachable!("general list"),
        }
    }

    /// Whether they are unboxed, and are not any more once this one is among them.
    #[inline]
    pub fn boxes_for(&self, value: Value) -> bool {
        !matches!(
            (self, value),
            (Items::Any(_), _)
                | (Items::Ints(_), Value::Int(_))
                | (Items::Floats(_), Value::Float(_))
                | (Items::Bools(_), Value::Bool(_))
        )
    }

    /// Appends.
    #[inline]
    pub fn push(&mut self, value: Value) {
        match (&mut *self, value) {
            (Items::Ints(v), Value::Int(i)) => room::push(v, i),
            (Items::Floats(v), Value::Float(f)) => room::push(v, f),
            (Items::Bools(v), Value::Bool(b)) => room::push(v, b),
            (Items::Any(v), value) if !v.is_empty() => room::push(v, value),
            (Items::Any(_), Value::Int(i)) => *self = Items::Ints(vec![i]),
            (Items::Any(_), Value::Float(f)) => *self = Items::Floats(vec![f]),
            (Items::Any(_), Value::Bool(b)) => *self = Items::Bools(vec![b]),
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
            (Items::Bools(v), Value::Bool(b)) => v[index] = b,
            (Items::Any(v), value) => v[index] = value,
            (_, value) => self.general()[index] = value,
        }
        true
    }

    /// Appends all items of another list.
    pub fn extend(&mut self, other: &Items) {
        match (&mut *self, other) {
            (_, other) if other.is_empty() => {}
            (mine, other) if mine.is_empty() => *mine = other.clone(),
            (Items::Ints(mine), Items::Ints(other)) => mine.extend(other),
            (Items::Floats(mine), Items::Floats(other)) => mine.extend(other),
            (Items::Bools(mine), Items::Bools(other)) => mine.extend(other),
            (_, Items::Any(other)) => self.general().extend(other),
            (_, other) => {
                let other = other.to_values();
                self.general().extend(other);
            }
        }
    }

    /// The items of a part, in order; indexes past the end are left out.
    pub fn slice(&self, indexes: Slice) -> Items {
        fn pick<T: Copy>(items: &[T], slice: Slice) -> Vec<T> {
            if slice.step == 1 {
                let end = (slice.start + slice.count).min(items.len());
                return items.get(slice.start..end).unwrap_or_default().to_vec();
            }
            slice
                .indexes()
                .filter_map(|at| items.get(at).copied())
                .collect()
        }
        match self {
            Items::Any(v) => Items::from_values(pick(v, indexes)),
            Items::Ints(v) => Items::Ints(pick(v, indexes)),
            Items::Floats(v) => Items::Floats(pick(v, indexes)),
            Items::Bools(v) => Items::Bools(pick(v, indexes)),
        }
    }

    /// All as values.
    pub fn to_values(&self) -> Vec<Value> {
        match self {
            Items::Any(v) => v.clone(),
            Items::Ints(v) => v.iter().map(|&i| Value::Int(i)).collect(),
            Items::Floats(v) => v.iter().map(|&f| Value::Float(f)).collect(),
            Items::Bools(v) => v.iter().map(|&b| Value::Bool(b)).collect(),
        }
    }

    /// Bytes of memory behind it.
    pub fn bytes(&self) -> usize {
        match self {
            Items::Any(v) => v.capacity() * 16,
            Items::Ints(v) => v.capacity() * 8,
            Items::Floats(v) => v.capacity() * 8,
            Items::Bools(v) => v.capacity(),
        }
    }
}

/// The indexes that a range selects from a sequence: `count` of them from `start` on, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The first index.
    pub start: usize,
    /// How many.
    pub count: usize,
    /// From one to the next; may be negative, never 0.
    pub step: i64,
}

impl Slice {
    /// The indexes in order.
    pub fn indexes(self) -> impl Iterator<Item = usize> {
        let at = move |i: usize| self.start as i128 + i as i128 * i128::from(self.step);
        (0..self.count).filter_map(move |i| usize::try_from(at(i)).ok())
    }
}

/// A list.
#[repr(C)]
pub struct List {
    header: Header,
    items: UnsafeCell<Items>,
}

#[cfg(feature = "jit")]
impl List {
    /// Where its items stand in it.
    pub const ITEMS: usize = std::mem::offset_of!(List, items);
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

    /// The items, for the virtual machine's own instructions: whoever writes through it changes neither the representation
    /// nor the capacity.
    #[inline]
    pub fn raw(&self) -> *mut Items {
        self.items.get()
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
        let count = match (step.abs(), self.inclusive) {
            // Nearly all, and each index into a range asks: a division of such numbers takes longer than all the rest.
            (1, inclusive) => span + i128::from(inclusive),
            (step, true) => span.div_euclid(step) + 1,
            (step, false) => (span + step - 1).div_euclid(step),
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

    /// The index at which a number stands in the range.
    pub fn position(&self, number: i64) -> Option<u64> {
        let distance = i128::from(number) - i128::from(self.start);
        let step = i128::from(self.step);
        if distance % step != 0 {
            return None;
        }
        let index = u64::try_from(distance / step).ok()?;
        (self.len().is_none_or(|len| index < len)).then_some(index)
    }

    /// Which of `len` items the range selects when it is used as an index: negative numbers count from the end, and
    /// what lies outside is left out.
    pub fn select(&self, len: usize) -> Slice {
        let (size, step) = (len as i128, i128::from(self.step));
        let from_end = |i: i64| {
            if i < 0 {
                i128::from(i) + size
            } else {
                i128::from(i)
            }
        };
        let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let start = from_end(self.start).clamp(low, high);
        let end = match self.end {
            None => {
                if step > 0 {
                    high
                } else {
                    low
                }
            }
            Some(end) => {
                let end = from_end(end) + if self.inclusive { step.signum() } else { 0 };
                end.clamp(low, high)
            }
        };
        let span = if step > 0 { end - start } else { start - end };
        let count = if span <= 0 {
            0
        } else {
            (span - 1) / step.abs() + 1
        };
        Slice {
            start: start.max(0) as usize,
            count: count as usize,
            step: self.step,
        }
    }

    pub(super) fn trace(&self, _: &mut Marker<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_select_as_slices_of_python_do() {
        let mut heap = Heap::new();
        let mut select = |start, end, inclusive, step| {
            let range = Range::new(&mut heap, start, end, inclusive, step);
            range.select(5).indexes().collect::<Vec<_>>()
        };
        assert_eq!(select(1, Some(3), false, 1), [1, 2]);
        assert_eq!(select(-2, None, false, 1), [3, 4]);
        assert_eq!(select(0, Some(-1), false, 1), [0, 1, 2, 3]);
        assert_eq!(select(0, Some(-1), true, 1), [0, 1, 2, 3, 4]);
        assert_eq!(select(3, Some(1), false, 1), [] as [usize; 0]);
        assert_eq!(select(0, Some(99), false, 2), [0, 2, 4]);
        assert_eq!(select(4, None, false, -2), [4, 2, 0]);
        assert_eq!(select(4, Some(0), true, -1), [4, 3, 2, 1, 0]);
        assert_eq!(select(i64::MIN, Some(i64::MAX), true, i64::MAX), [0]);
    }
}

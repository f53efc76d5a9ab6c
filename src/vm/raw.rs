//! Values as the loop sees them: a tag byte and a payload word.
//!
//! A slot is always written as two whole words, and copied as two: see `value::slot`.

#![allow(unsafe_code)]

use crate::value::Value;
use crate::value::heap::Gc;
pub(super) use crate::value::slot::{copy, read};

const fn tag_of(value: &Value) -> u8 {
    // SAFETY: Value is repr(u8): its first byte is the discriminant.
    unsafe { *std::ptr::from_ref(value).cast::<u8>() }
}

pub(super) const NIL: u8 = tag_of(&Value::Nil);
pub(super) const BOOL: u8 = tag_of(&Value::Bool(true));
pub(super) const INT: u8 = tag_of(&Value::Int(0));
pub(super) const FLOAT: u8 = tag_of(&Value::Float(0.0));

// Tags count the variants in the order of their declaration (a test compares these with real values).
pub(super) const LIST: u8 = FLOAT + 4;
pub(super) const MAP: u8 = FLOAT + 5;
pub(super) const FN: u8 = FLOAT + 8;
pub(super) const INSTANCE: u8 = FLOAT + 13;
pub(super) const HANDLE: u8 = FLOAT + 15;

// Undef and Nil come first, so that one comparison finds both.
const _: () = assert!(tag_of(&Value::Undef) == 0 && NIL == 1 && BOOL == 2);

/// The tag of the value at `at`.
///
/// # Safety
/// `at` points at a valid value, as for all functions here.
#[inline(always)]
pub(super) unsafe fn tag(at: *const Value) -> u8 {
    // SAFETY: see tag_of.
    unsafe { *at.cast::<u8>() }
}

/// The payload of an int.
///
/// # Safety
/// The value is an int.
#[inline(always)]
pub(super) unsafe fn int(at: *const Value) -> i64 {
    // SAFETY: an 8-byte payload of a repr(u8) enum stands at offset 8.
    unsafe { *at.cast::<i64>().add(1) }
}

/// The payload of a float.
///
/// # Safety
/// The value is a float.
#[inline(always)]
pub(super) unsafe fn float(at: *const Value) -> f64 {
    // SAFETY: as for ints.
    unsafe { *at.cast::<f64>().add(1) }
}

/// The payload of a heap object of a known type.
///
/// # Safety
/// The value's variant holds a `Gc<T>`.
#[inline(always)]
pub(super) unsafe fn object<T>(at: *const Value) -> Gc<T> {
    // SAFETY: as for ints; Gc is one pointer.
    unsafe { *at.cast::<Gc<T>>().add(1) }
}

/// Writes an int.
///
/// # Safety
/// `at` may be written to.
#[inline(always)]
pub(super) unsafe fn set_int(at: *mut Value, value: i64) {
    // SAFETY: two words of 16 bytes; the tag's padding may hold anything.
    unsafe {
        at.cast::<u64>().write(INT as u64);
        at.cast::<i64>().add(1).write(value);
    }
}

/// Writes a float.
///
/// # Safety
/// `at` may be written to.
#[inline(always)]
pub(super) unsafe fn set_float(at: *mut Value, value: f64) {
    // SAFETY: as above.
    unsafe {
        at.cast::<u64>().write(FLOAT as u64);
        at.cast::<f64>().add(1).write(value);
    }
}

/// Writes a bool.
///
/// # Safety
/// `at` may be written to.
#[inline(always)]
pub(super) unsafe fn set_bool(at: *mut Value, value: bool) {
    // SAFETY: as above; a bool's payload is the byte after the tag, and the words are little-endian on every machine that
    // Par runs on (checked below).
    unsafe {
        at.cast::<u64>().write(BOOL as u64 | (value as u64) << 8);
        at.cast::<u64>().add(1).write(0);
    }
}

const _: () = assert!(cfg!(target_endian = "little"));

/// Writes nil, or the mark of an argument that was not given.
///
/// # Safety
/// `at` may be written to; `tag` is that of a variant without a payload.
#[inline(always)]
pub(super) unsafe fn set_empty(at: *mut Value, tag: u8) {
    // SAFETY: as above.
    unsafe {
        at.cast::<u64>().write(tag as u64);
        at.cast::<u64>().add(1).write(0);
    }
}

/// Whether a value counts as true.
///
/// # Safety
/// `at` points at a valid value.
#[inline(always)]
pub(super) unsafe fn truthy(at: *const Value) -> bool {
    // SAFETY: a bool's payload is the byte after the tag.
    unsafe {
        match tag(at) {
            BOOL => *at.cast::<u8>().add(1) != 0,
            tag if tag <= NIL => false,
            INT => true,
            _ => (*at).truthy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::function::Upvalue;
    use crate::value::heap::Heap;
    use crate::value::list::List;
    use crate::value::map::{Map, Table};
    use crate::value::structure::{Instance, StructType};

    #[test]
    fn tags_are_those_of_the_variants() {
        let mut heap = Heap::new();
        let list = Value::List(List::new(&mut heap, Vec::new()));
        let map = Value::Map(Map::new(&mut heap, Table::default()));
        let text = Value::str(&mut heap, "more than fourteen bytes");
        let of = StructType::new(&mut heap, 0, "S".into(), Vec::new(), None);
        let instance = Value::Instance(Instance::new(&mut heap, of, &[]));
        let cell = Value::Cell(Upvalue::new(&mut heap, Value::Nil));
        assert_eq!(tag_of(&list), LIST);
        assert_eq!(tag_of(&map), MAP);
        assert_eq!(tag_of(&text), FLOAT + 2);
        assert_eq!(tag_of(&instance), INSTANCE);
        assert_eq!(tag_of(&cell), HANDLE + 2);
        assert_eq!(INSTANCE, FN + 5);
    }
}

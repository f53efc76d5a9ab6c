//! What the loop's fast paths do with lists, maps and numbers: inlined into it, but where something else is said.

#![allow(unsafe_code)]

use super::raw::{self, BOOL, FLOAT, INT, LIST};
use crate::operator::BinaryOp;
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::map::Map;

/// The item at an index from the start into a slot; false when there is none.
#[inline(always)]
pub(super) unsafe fn list_get(list: &List, at: usize, to: *mut Value) -> bool {
    // SAFETY: the index is checked; `to` is a register.
    unsafe {
        match list.items() {
            Items::Any(items) if at < items.len() => raw::copy(to, items.as_ptr().add(at)),
            Items::Ints(items) if at < items.len() => raw::set_int(to, *items.get_unchecked(at)),
            Items::Floats(items) if at < items.len() => {
                raw::set_float(to, *items.get_unchecked(at));
            }
            Items::Bools(items) if at < items.len() => {
                raw::set_bool(to, *items.get_unchecked(at));
            }
            _ => return false,
        }
    }
    true
}

/// The value of a key into a slot; false when the map does not have it.
#[inline(never)]
pub(super) unsafe fn map_get(map: *const Value, key: *const Value, to: *mut Value) -> bool {
    // SAFETY: the loop has seen that it is a map; `to` is a register.
    unsafe {
        let map: Gc<Map> = raw::object(map);
        match map.table().place(&*key) {
            Some(value) => raw::copy(to, value),
            None => return false,
        }
    }
    true
}

/// Replaces the value of a key; false when the map does not have it.
#[inline(never)]
pub(super) unsafe fn map_set(map: *const Value, key: *const Value, value: *const Value) -> bool {
    // SAFETY: as above; nobody holds a reference to the table meanwhile.
    unsafe {
        let map: Gc<Map> = raw::object(map);
        match (*map.raw()).place_mut(&*key) {
            Some(to) => raw::copy(to, value),
            None => return false,
        }
    }
    true
}

/// Replaces the item at an index by one that fits the representation as it is; false when there is no such index or it
/// does not fit.
#[inline(always)]
pub(super) unsafe fn list_set(list: &List, at: usize, value: *const Value) -> bool {
    // SAFETY: the index is checked; `value` is a register. Nobody holds a reference to the items meanwhile.
    unsafe {
        match &mut *list.raw() {
            Items::Any(items) if at < items.len() => {
                raw::copy(items.as_mut_ptr().add(at), value);
            }
            Items::Ints(items) if at < items.len() && raw::tag(value) == INT => {
                *items.get_unchecked_mut(at) = raw::int(value);
            }
            Items::Floats(items) if at < items.len() && raw::tag(value) == FLOAT => {
                *items.get_unchecked_mut(at) = raw::float(value);
            }
            Items::Bools(items) if at < items.len() && raw::tag(value) == BOOL => {
                *items.get_unchecked_mut(at) = raw::truthy(value);
            }
            _ => return false,
        }
    }
    true
}

/// Appends an item that fits the representation as it is to a list with room for it.
#[inline(always)]
pub(super) unsafe fn list_push(list: *const Value, value: *const Value) -> bool {
    // SAFETY: as above; what is behind the length, up to the capacity, may be written to.
    unsafe {
        if raw::tag(list) != LIST {
            return false;
        }
        let list: Gc<List> = raw::object(list);
        match &mut *list.raw() {
            Items::Any(items) if !items.is_empty() && items.len() < items.capacity() => {
                raw::copy(items.as_mut_ptr().add(items.len()), value);
                items.set_len(items.len() + 1);
            }
            Items::Ints(items) if raw::tag(value) == INT && items.len() < items.capacity() => {
                items.push(raw::int(value));
            }
            Items::Floats(items) if raw::tag(value) == FLOAT && items.len() < items.capacity() => {
                items.push(raw::float(value));
            }
            Items::Bools(items) if raw::tag(value) == BOOL && items.len() < items.capacity() => {
                items.push(raw::truthy(value));
            }
            _ => return false,
        }
    }
    true
}

/// `//` of ints; `None` when it has no answer here.
#[inline(always)]
pub(super) fn floor_div(x: i64, y: i64) -> Option<i64> {
    if y == 0 || y == -1 {
        return None;
    }
    let (quotient, remainder) = (x / y, x % y);
    Some(quotient - i64::from(remainder != 0 && (remainder < 0) != (y < 0)))
}

/// `%` of ints, with the sign of the divisor; `None` when it has no answer here.
#[inline(always)]
pub(super) fn floor_rem(x: i64, y: i64) -> Option<i64> {
    if y == 0 || y == -1 {
        return None;
    }
    let remainder = x % y;
    Some(if remainder != 0 && (remainder < 0) != (y < 0) {
        remainder + y
    } else {
        remainder
    })
}

/// `<<` of ints; `None` when it has no answer here.
#[inline(always)]
pub(super) fn shift_left(x: i64, y: i64) -> Option<i64> {
    let shifted = x.wrapping_shl(y as u32);
    ((0..64).contains(&y) && shifted.wrapping_shr(y as u32) == x).then_some(shifted)
}

/// `>>` of ints; `None` when it has no answer here.
#[inline(always)]
pub(super) fn shift_right(x: i64, y: i64) -> Option<i64> {
    (0..64).contains(&y).then(|| x >> y)
}

/// The commonest compound assignments of floats.
#[inline(always)]
pub(super) fn float_update(op: u32, x: f64, y: f64) -> Option<f64> {
    if op == BinaryOp::Add as u32 {
        Some(x + y)
    } else if op == BinaryOp::Sub as u32 {
        Some(x - y)
    } else if op == BinaryOp::Mul as u32 {
        Some(x * y)
    } else {
        None
    }
}

/// The commonest compound assignments of ints.
#[inline(always)]
pub(super) fn small_update(op: u32, x: i64, y: i64) -> Option<i64> {
    if op == BinaryOp::Add as u32 {
        x.checked_add(y)
    } else if op == BinaryOp::Sub as u32 {
        x.checked_sub(y)
    } else {
        None
    }
}

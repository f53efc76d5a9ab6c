//! Where things stand in memory: what compiled code relies on.

#![allow(unsafe_code)]

use super::super::frames::{Frame, Frames};
use super::super::state::Machine;
use crate::value::Value;
use crate::value::function::{Closure, Upvalue};
use crate::value::heap::{Gc, Heap};
use crate::value::list::{Items, List};
use crate::value::structure::Instance;
use std::mem::{offset_of, size_of};

/// The kinds of lists, as the first byte of `Items` counts them.
pub(super) const ANY: u8 = 0;
pub(super) const INTS: u8 = 1;
pub(super) const FLOATS: u8 = 2;
pub(super) const BOOLS: u8 = 3;

/// The layout of lists.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListLayout {
    /// Of the byte that says the kind, in a list.
    pub(super) kind: i32,
    /// Of the pointer to the items.
    pub(super) items: i32,
    /// Of their number.
    pub(super) len: i32,
}

/// Finds the layout of lists by looking at one of each kind; `None` when they are not laid out as compiled code needs.
pub(super) fn lists() -> Option<ListLayout> {
    fn words<T: Default + Clone>() -> Option<[usize; 2]> {
        let mut items: Vec<T> = Vec::with_capacity(11);
        items.resize(7, T::default());
        if size_of::<Vec<T>>() != 24 || items.capacity() == 7 {
            return None;
        }
        // SAFETY: three initialized words, as the size says: a Vec is a pointer and two numbers.
        let words: [usize; 3] = unsafe { std::ptr::from_ref(&items).cast::<[usize; 3]>().read() };
        let place = |wanted: usize| words.iter().position(|&word| word == wanted);
        Some([place(items.as_ptr() as usize)?, place(items.len())?])
    }
    let places = words::<i64>()?;
    if words::<f64>()? != places || words::<bool>()? != places || words::<[u64; 2]>()? != places {
        return None;
    }
    let kind_of = |items: &Items| {
        // SAFETY: `Items` is repr(u8): its first byte is the discriminant.
        unsafe { *std::ptr::from_ref(items).cast::<u8>() }
    };
    let kinds = [
        Items::Any(Vec::new()),
        Items::Ints(Vec::new()),
        Items::Floats(Vec::new()),
        Items::Bools(Vec::new()),
    ];
    if kinds.iter().map(kind_of).ne([ANY, INTS, FLOATS, BOOLS]) || size_of::<Items>() != 32 {
        return None;
    }
    let items = List::ITEMS as i32;
    // repr(u8): the discriminant comes first, then the Vec at the next multiple of its alignment.
    let at = |place: usize| items + 8 + 8 * place as i32;
    Some(ListLayout {
        kind: items,
        items: at(places[0]),
        len: at(places[1]),
    })
}

/// Of the countdown, in a machine.
pub(super) fn budget() -> i32 {
    (offset_of!(Machine, heap) + offset_of!(Heap, budget)) as i32
}

pub(super) const FRAME_PC: i32 = offset_of!(Frame, pc) as i32;
pub(super) const FRAME_BASE: i32 = offset_of!(Frame, base) as i32;
pub(super) const FRAME_CONSTANTS: i32 = offset_of!(Frame, constants) as i32;
pub(super) const FRAME_PROTO: i32 = offset_of!(Frame, proto) as i32;
pub(super) const FRAME_DEST: i32 = offset_of!(Frame, dest) as i32;
pub(super) const FRAME_SIZE: i64 = size_of::<Frame>() as i64;

/// Of the frame that runs, in a machine.
pub(super) fn current() -> i32 {
    (offset_of!(Machine, frames) + offset_of!(Frames, current)) as i32
}

pub(super) fn soft_limit() -> i32 {
    offset_of!(Machine, soft_limit) as i32
}

pub(super) fn native_limit() -> i32 {
    (offset_of!(Machine, jit) + offset_of!(super::Jit, limit)) as i32
}

/// Of the first capture, in a closure.
pub(super) const CAPTURES: i32 = size_of::<Closure>() as i32;
pub(super) const CLOSURE_PROTO: i32 = offset_of!(Closure, proto) as i32;
/// Of the value, in a box.
pub(super) const BOXED: i32 = offset_of!(Upvalue, value) as i32;
/// Of the first field, in an instance.
pub(super) const FIELDS: i32 = size_of::<Instance>() as i32;
/// Of the serial number of the type, in an instance.
pub(super) const SERIAL: i32 = Instance::SERIAL as i32;

/// The word of a closure that says which code it has.
pub(super) fn code_word(closure: &Gc<Closure>) -> i64 {
    // SAFETY: an Rc is one pointer.
    unsafe { std::ptr::from_ref(&closure.proto).cast::<i64>().read() }
}

/// Where an object is.
pub(super) fn address(closure: Gc<Closure>) -> i64 {
    std::ptr::from_ref::<Closure>(&closure) as i64
}

const _: () =
    assert!(size_of::<Value>() == 16 && offset_of!(Frame, entry) == offset_of!(Frame, dest) + 1);

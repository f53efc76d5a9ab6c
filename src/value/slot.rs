//! Copies of values, word by word.
//!
//! A slot is copied as two whole words. One move of 16 bytes right after a write of a word would wait for that write to
//! leave the processor's buffer: measured, that doubles the time of `fib`, and made a loop that writes to a list three times
//! as slow.

#![allow(unsafe_code)]

use super::Value;
use std::mem::MaybeUninit;

/// The value of a slot that was just written. (Read as any other value it becomes its first byte and fifteen that are moved in two
/// pieces which overlap, and each piece waits for the two stores that it covers.)
///
/// # Safety
/// `from` points at a value.
#[inline(always)]
pub unsafe fn read(from: *const Value) -> Value {
    let mut value = MaybeUninit::<Value>::uninit();
    // SAFETY: as the caller says; the copy makes it a value.
    unsafe {
        copy(value.as_mut_ptr(), from);
        value.assume_init()
    }
}

/// Copies a value from one slot to another.
///
/// # Safety
/// `from` points at a value and `to` may be written to; both may be the same.
#[inline(always)]
pub unsafe fn copy(to: *mut Value, from: *const Value) {
    // SAFETY: 16 bytes each, of which padding need not be initialized. Volatile, or else the compiler makes one 16-byte move of
    // both.
    unsafe {
        let (from, to) = (
            from.cast::<MaybeUninit<u64>>(),
            to.cast::<MaybeUninit<u64>>(),
        );
        let first = from.read_volatile();
        let second = from.add(1).read_volatile();
        to.write(first);
        to.add(1).write(second);
    }
}

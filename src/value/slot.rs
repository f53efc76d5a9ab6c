//! Copies of values, word by word.
//!
//! A slot is copied as two whole words. One move of 16 bytes right after a write of a word would wait for that write to
//! leave the processor's buffer: measured, that doubles the time of `fib`, and made a loop that writes to a list three times
//! as slow.

#![allow(unsafe_code)]

use super::Value;
use std::mem::MaybeUninit;

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

//! Memory that never moves: the register stack and the globals.
//!
//! Both are taken from the system in one piece, zeroed and so untouched until they are used; a zeroed slot is `Undef`.

#![allow(unsafe_code)]

use crate::value::Value;
use std::alloc::Layout;

/// A fixed array of value slots.
pub(super) struct Slots {
    start: *mut Value,
    count: usize,
}

impl Slots {
    /// `count` slots (not 0), all `Undef`.
    pub(super) fn new(count: usize) -> Slots {
        let layout = Slots::layout(count);
        // SAFETY: the layout has a size. Zero bytes are a valid Value: tag 0 is Undef (asserted in `raw`).
        let start = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<Value>();
        if start.is_null() {
            std::alloc::handle_alloc_error(layout)
        }
        Slots { start, count }
    }

    fn layout(count: usize) -> Layout {
        Layout::array::<Value>(count.max(1)).unwrap_or(Layout::new::<Value>())
    }

    /// The first slot.
    #[inline]
    pub(super) fn start(&self) -> *mut Value {
        self.start
    }

    /// One past the last slot.
    pub(super) fn end(&self) -> *mut Value {
        // SAFETY: one past the end of the allocation.
        unsafe { self.start.add(self.count) }
    }

    /// How many slots there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The value in a slot.
    pub(super) fn get(&self, index: usize) -> Option<Value> {
        // SAFETY: the index is inside, and every slot holds a value.
        (index < self.count).then(|| unsafe { *self.start.add(index) })
    }

    /// Sets a slot; false when there is none of that index.
    pub(super) fn set(&self, index: usize, value: Value) -> bool {
        if index < self.count {
            // SAFETY: the index is inside.
            unsafe { *self.start.add(index) = value };
        }
        index < self.count
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; values need no drop.
        unsafe { std::alloc::dealloc(self.start.cast(), Slots::layout(self.count)) };
    }
}

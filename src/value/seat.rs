//! How code that nobody hands a context to finds the machine: a process that is forked while a native function waits runs
//! its script on the machine that the function runs on.

#![allow(unsafe_code)]

use super::native::Context;
use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

/// Where a machine is while it runs; empty while it does not.
#[derive(Clone, Default)]
pub struct Seat(Rc<Cell<Option<NonNull<dyn Context>>>>);

impl Seat {
    /// Whether the machine runs, so that a child of this process could go on with it.
    pub fn is_taken(&self) -> bool {
        self.0.get().is_some()
    }

    /// For a machine that begins to run: everything that it does until the answer is dropped must go through this pointer.
    pub fn take(&self, machine: NonNull<dyn Context>) -> Seated<'_> {
        self.0.set(Some(machine));
        Seated(self)
    }

    /// Goes on with the machine in a child that was forked a moment ago, and that leaves when `body` is over, without ever
    /// coming back into the calls that ran at the fork. `None` when the machine does not run.
    pub fn go_on<T>(&self, body: impl FnOnce(&mut dyn Context) -> T) -> Option<T> {
        let mut machine = self.0.get()?;
        // SAFETY: the machine is there: it empties the seat before it stops running, and calls of it are still on the stack.
        // Their references to it were all made from this pointer (see `take`) and are never used again, because this child
        // does not return into them (the contract of this function; a child of `process::spawn` leaves by `_exit`).
        Some(body(unsafe { machine.as_mut() }))
    }
}

/// A machine runs.
pub struct Seated<'a>(&'a Seat);

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        self.0.0.set(None);
    }
}

//! Waits that may be asked to let the collector look: what a handle of the one that waits has in its hands (an item by lease, the
//! lock of a file) may be what others wait for, though nobody keeps the handle any more.
//!
//! A heap is not collected in the middle of a native function, so the wait ends as by an error, and whoever said that he is
//! willing collects and waits again.

use crate::diag::{Error, codes};
use std::cell::Cell;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Willing {
    No,
    /// Whoever waits can let the collector run, and then wait again.
    Yes,
    /// It has begun, and may leave by itself as well.
    Waits,
    /// A wait ended because it was asked.
    Asked,
}

thread_local! {
    static WILLING: Cell<Willing> = const { Cell::new(Willing::No) };
}

/// Does something that may wait, for somebody who can let the collector of the heap run and do it again: `None` when it was
/// asked to. At most one wait of it is, the first, and it must be as if it had not begun.
pub fn willing<T, E>(wait: impl FnOnce() -> Result<T, E>) -> Option<Result<T, E>> {
    WILLING.set(Willing::Yes);
    let done = wait();
    match WILLING.replace(Willing::No) {
        Willing::Asked if done.is_err() => None,
        _ => Some(done),
    }
}

/// As [`willing`], as long as there may be something to collect: somebody who was asked already would be asked for ever.
pub fn when<T, E>(leavings: bool, wait: impl FnOnce() -> Result<T, E>) -> Option<Result<T, E>> {
    match leavings {
        true => willing(wait),
        false => Some(wait()),
    }
}

/// Whether the wait that begins may be asked. Those that tenders come to meanwhile may not.
pub(super) fn begins() -> bool {
    let may = WILLING.get() == Willing::Yes;
    if may {
        WILLING.set(Willing::Waits);
    }
    may
}

/// Whether the wait that has come to sleeping may [`leave`] without being asked.
pub(super) fn may_leave() -> bool {
    WILLING.get() == Willing::Waits
}

/// Whether the wait that has just ended by an error was asked to, and whoever began it will begin it again. What it did has to be
/// undone until then.
pub(super) fn was_asked() -> bool {
    WILLING.get() == Willing::Asked
}

/// A wait that was asked ends for another reason: it is not begun again.
pub(super) fn take_back() {
    WILLING.set(Willing::No);
}

/// What a wait that is asked ends with: nobody sees it but [`willing`].
pub(super) fn leave() -> Box<Error> {
    WILLING.set(Willing::Asked);
    Error::new(codes::DEADLOCK, "a wait was asked to collect")
}

//! What this process holds back: writes to files that are gathered (`builtins/file`). Nobody may notice: before this process
//! says anything to another one, waits, forks, starts a program or ends, all of it is written. Everything of that kind comes
//! through [`super::start`].

use crate::diag;
use std::cell::Cell;

thread_local! {
    /// What writes it, while there is something.
    static HELD: Cell<Option<fn()>> = const { Cell::new(None) };
    /// What gives out what got lost, while there is something.
    static LOST: Cell<Option<TakeLost>> = const { Cell::new(None) };
}

/// Gives out what could not be written and was told to nobody yet.
type TakeLost = fn() -> Vec<diag::Error>;

/// Has `take` asked at the end of the work that is being done: something could not be written where nobody could be told.
pub fn lost(take: TakeLost) {
    LOST.set(Some(take));
}

/// Writes what is held back, at the end of some work, and gives out what could not be written and was told to nobody.
pub fn take_lost() -> Vec<diag::Error> {
    write_out();
    LOST.take().map(|take| take()).unwrap_or_default()
}

/// Whether nothing is held back and nothing was lost.
#[inline]
pub fn is_clear() -> bool {
    HELD.get().is_none() && LOST.get().is_none()
}

/// Has `write` called before anybody could miss what it writes.
pub fn hold(write: fn()) {
    HELD.set(Some(write));
}

/// Writes what is held back.
#[inline]
pub fn write_out() {
    if let Some(write) = HELD.take() {
        write();
    }
}

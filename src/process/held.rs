//! What this process holds back: writes to files that are gathered (`builtins/file`). Nobody may notice: before this process
//! says anything to another one, waits, forks, starts a program or ends, all of it is written. Everything of that kind comes
//! through [`super::start`].

use std::cell::Cell;

thread_local! {
    /// What writes it, while there is something.
    static HELD: Cell<Option<fn()>> = const { Cell::new(None) };
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

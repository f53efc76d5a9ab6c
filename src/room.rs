//! Memory in large pieces, which the system may refuse.
//!
//! The standard library ends a process that is refused memory. So what may become large is asked for here: a refusal is then an answer,
//! and becomes the error `LimitExceeded` of the script. What is small is made as ever: where the address space has a limit, a
//! part of it is kept back for that (`os/reserve.rs`).
//!
//! It stands below everything and knows nobody: whoever wants to hear of refusals sets the alarm.

use crate::diag::{Error, codes};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Pieces from this size on are asked for; what is kept back is enough for smaller ones.
pub const LARGE: usize = 4 << 20;
/// What grows by a little where there is no room for much grows by so many bytes.
const LITTLE: usize = 64 << 10;

/// A refusal is an answer now: nothing that is kept back is let go of for it.
static IS_ASKING: AtomicBool = AtomicBool::new(false);
/// The largest piece that was refused since somebody looked.
static WANTED: AtomicUsize = AtomicUsize::new(0);
/// The piece of the last refusal that became an error.
static REFUSED: AtomicUsize = AtomicUsize::new(0);
/// Called at a refusal of which nobody makes an error at once.
static ALARM: OnceLock<fn()> = OnceLock::new();

/// Sets what is called at a refusal of which nobody makes an error at once: it has the machine look at its next safe point.
pub fn set_alarm(alarm: fn()) {
    ALARM.get_or_init(|| alarm);
}

/// Whether a refusal is an answer now: for the allocator.
pub fn is_asking() -> bool {
    IS_ASKING.load(Ordering::Relaxed)
}

fn asking<T>(ask: impl FnOnce() -> T) -> T {
    let before = IS_ASKING.swap(true, Ordering::Relaxed);
    let answer = ask();
    IS_ASKING.store(before, Ordering::Relaxed);
    answer
}

/// Whether the system has a piece of so many bytes.
#[inline]
pub fn has(bytes: usize) -> bool {
    bytes < LARGE || is_there(bytes)
}

/// The same where what is small is not taken from what is kept back either.
pub fn is_there(bytes: usize) -> bool {
    asking(|| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

/// The same as an error of the script: `what` needs so many bytes.
///
/// # Errors
/// `LimitExceeded`.
pub fn fits(what: &str, bytes: usize) -> Result<(), Box<Error>> {
    match has(bytes) {
        true => Ok(()),
        false => Err(error(what, bytes)),
    }
}

/// The error of what would need so many bytes in one piece, which the system has not.
pub fn error(what: &str, bytes: usize) -> Box<Error> {
    REFUSED.store(bytes, Ordering::Relaxed);
    let message =
        format!("{what} needs memory for {bytes} bytes, but the system has not so much left");
    Error::new(codes::LIMIT, message)
        .with_help("raise the limit (`ulimit -v`), or keep less at a time")
}

/// The largest piece that was refused since this was asked last; 0 for none.
pub fn take_wanted() -> usize {
    WANTED.swap(0, Ordering::Relaxed)
}

/// The piece of the last refusal that became an error since this was asked; 0 for none.
pub fn take_refused() -> usize {
    REFUSED.swap(0, Ordering::Relaxed)
}

/// Tells of a refusal of so many bytes of which nobody makes an error at once.
#[cold]
pub fn tell(bytes: usize) {
    WANTED.fetch_max(bytes, Ordering::Relaxed);
    if let Some(alarm) = ALARM.get() {
        alarm();
    }
}

/// Makes room for so many further items; false, with nothing changed, when the system has not so much.
#[inline]
pub fn reserve<T>(items: &mut Vec<T>, more: usize) -> bool {
    more <= items.capacity() - items.len() || reserve_more(items, more)
}

#[cold]
fn reserve_more<T>(items: &mut Vec<T>, more: usize) -> bool {
    let bytes = items
        .len()
        .saturating_add(more)
        .saturating_mul(size_of::<T>());
    if bytes < LARGE / 2 {
        items.reserve(more);
        return true;
    }
    asking(|| items.try_reserve(more).is_ok() || items.try_reserve_exact(more).is_ok())
}

/// The same for bytes of a text.
#[inline]
pub fn reserve_text(text: &mut String, more: usize) -> bool {
    more <= text.capacity() - text.len() || reserve_more_text(text, more)
}

#[cold]
fn reserve_more_text(text: &mut String, more: usize) -> bool {
    if text.len().saturating_add(more) < LARGE / 2 {
        text.reserve(more);
        return true;
    }
    asking(|| text.try_reserve(more).is_ok() || text.try_reserve_exact(more).is_ok())
}

/// Appends to what may be very long.
#[inline]
pub fn push<T>(items: &mut Vec<T>, item: T) {
    if items.len() == items.capacity() {
        grow(items);
    }
    items.push(item);
}

/// Makes room for at least one more: for twice as many, or where the system has not so much, for an eighth, or for a little out of what
/// is kept back; of that somebody is told.
#[cold]
fn grow<T>(items: &mut Vec<T>) {
    let bytes = items.len() * size_of::<T>();
    if bytes < LARGE / 2 {
        return items.reserve(1);
    }
    let eighth = items.len() / 8 + 1;
    let is_done =
        asking(|| items.try_reserve(1).is_ok() || items.try_reserve_exact(eighth).is_ok());
    if !is_done {
        tell(bytes / 8);
        items.reserve_exact((LITTLE / size_of::<T>().max(1)).max(1));
    }
}

/// Does what asks for a large piece of its own accord (`try_reserve` of a table); false when it was refused.
pub fn ask<E>(what: impl FnOnce() -> Result<(), E>) -> bool {
    asking(|| what().is_ok())
}

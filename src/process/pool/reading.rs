//! Who reads a source, a map or a command that is fed: whatever the source computes or waits for, the reading ends as soon as
//! nothing more of it is needed, because an item failed or said `break`, or the program has ended. `Cancelled` is raised in the source then, once, as in the block of a scope.

use super::owner;
use super::tasks::Tasks;
use crate::arena;
use crate::diag::{Error, Field, Result, codes};
use crate::process::{signals, tenders};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who reads a source.
pub trait Reader {
    /// Whether it needs no more of it. Asked wherever this process waits or polls: a few loads.
    fn needs_no_more(&self) -> bool;

    /// Whether it has something else to do, and asks again later. Asked where this process is about to sleep: a few loads.
    fn is_wanted_elsewhere(&self) -> bool {
        false
    }
}

/// A reading that has begun.
struct Open {
    reader: Rc<dyn Reader>,
    /// The source may be told that nothing more is needed, and was not yet.
    ends: bool,
    /// Its waits may be broken off, as often as it is asked.
    pauses: bool,
}

/// Whether anything is being read: most processes look at this only.
static ANY: AtomicBool = AtomicBool::new(false);

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// The field of the `Cancelled` that a source gets.
const NEEDLESS: &str = "needs_no_more";
/// The same where only its wait is broken off.
const LATER: &str = "asked_again_later";

/// A reading, until it is dropped.
pub struct Reading(());

/// Begins to read. `ends`: until nothing more is needed; `pauses`: from a source whose waits may be broken off, for it is asked again later.
pub fn begin(reader: Rc<dyn Reader>, ends: bool, pauses: bool) -> Reading {
    OPEN.with_borrow_mut(|open| {
        open.push(Open {
            reader,
            ends,
            pauses,
        });
    });
    ANY.store(true, Ordering::Relaxed);
    Reading(())
}

impl Drop for Reading {
    fn drop(&mut self) {
        let last = OPEN.with_borrow_mut(|open| (open.pop(), open.is_empty()));
        ANY.store(!last.1, Ordering::Relaxed);
    }
}

/// In a new child: it reads nothing for anybody.
pub(in crate::process) fn forget_all() {
    if ANY.swap(false, Ordering::Relaxed) {
        // Not dropped: see the reaper.
        std::mem::forget(OPEN.take());
    }
}

/// Raises `Cancelled` when the reader of what is being read needs no more of it; the outermost first.
#[inline]
pub(in crate::process) fn check() -> Result<()> {
    match ANY.load(Ordering::Relaxed) {
        true => look(),
        false => Ok(()),
    }
}

#[cold]
fn look() -> Result<()> {
    let is_over = OPEN.with_borrow_mut(|open| {
        let mut open = open.iter_mut().filter(|open| open.ends);
        let over = open.find(|open| open.reader.needs_no_more());
        over.map(|open| open.ends = false).is_some()
    });
    match is_over {
        true => {
            let message = "nothing more is read, because nobody needs more items";
            Err(Error::new(codes::CANCELLED, message).with_field(NEEDLESS, Field::Int(1)))
        }
        false => Ok(()),
    }
}

/// Where this process is about to sleep for a source that is asked again later: breaks that off when its reader has something else to do.
#[inline]
pub(in crate::process) fn check_wait() -> Result<()> {
    match ANY.load(Ordering::Relaxed) {
        true => look_at_wait(),
        false => Ok(()),
    }
}

#[cold]
fn look_at_wait() -> Result<()> {
    let is_over = OPEN.with_borrow(|open| {
        let last = open.last().filter(|open| open.pauses);
        last.is_some_and(|open| open.reader.is_wanted_elsewhere())
    });
    match is_over && !tenders::are_tending() {
        true => {
            let message = "a source is to be asked again later";
            Err(Error::new(codes::CANCELLED, message).with_field(LATER, Field::Int(1)))
        }
        false => Ok(()),
    }
}

/// Whether an error is the one that breaks off a wait.
pub fn is_break_off(error: &Error) -> bool {
    error.code == codes::CANCELLED && error.fields.iter().any(|(name, _)| name == LATER)
}

/// Whether an error is the one that a source gets.
pub fn is_end_of_reading(error: &Error) -> bool {
    error.code == codes::CANCELLED && error.fields.iter().any(|(name, _)| name == NEEDLESS)
}

impl Tasks {
    /// In a worker, when a map needs no more items: the processes that map over this pool look at that, whatever their
    /// sources wait for.
    pub fn tell_readers(&self) {
        let Some(arena) = arena::get() else {
            return;
        };
        for process in owner::mapping(arena, self.object()) {
            signals::nudge(arena, process);
        }
    }
}

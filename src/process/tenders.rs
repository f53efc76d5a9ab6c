//! Tenders: what this process must look after whenever it waits, for whatever it waits. A pool puts others in the place of
//! its workers that ended.
//!
//! The waiting place asks them before it sleeps and whenever children have ended, and so does the machine where it polls.
//! From the moment when the end of a child is taken note of until the tenders have run, this process counts as one that
//! is busy: nobody takes a group for deadlocked while a worker is about to be replaced.

use super::{signals, wait};
use crate::arena::{self, Arena, SlotRef};
use crate::os::signal;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The cell of a slot that is not 0 while something has happened that its tenders have not looked at.
pub const PENDING_CELL: usize = 1;
/// In that cell: something has happened.
const NEWS: u64 = 1;
/// In that cell: something could not be done, and is tried again after the next slice of sleep.
const BEHIND: u64 = 2;
/// In that cell: the tenders run. What happens meanwhile puts news in its place.
const AT_IT: u64 = 3;

/// Somebody who looks after something of this process.
pub trait Tender {
    /// Whether there is something to do. Asked at every sleep: a few loads.
    fn is_due(&self) -> bool;

    /// Does it. It may spawn, and wait for what is sure to come; what fails is tried again at the next chance.
    fn tend(&self);
}

/// Whether there is any tender: most processes have none, and look at this only.
static ANY: AtomicBool = AtomicBool::new(false);

thread_local! {
    static TENDERS: RefCell<Vec<Weak<dyn Tender>>> = const { RefCell::new(Vec::new()) };
    /// Set while the tenders run: what they wait for themselves must not call them again.
    static TENDING: Cell<bool> = const { Cell::new(false) };
}

/// Adds a tender, until it is dropped.
pub fn add(tender: &Rc<dyn Tender>) {
    TENDERS.with_borrow_mut(|tenders| {
        tenders.retain(|tender| tender.strong_count() > 0);
        tenders.push(Rc::downgrade(tender));
    });
    ANY.store(true, Ordering::Relaxed);
}

/// In a new child: it looks after nothing yet.
pub(super) fn forget_all() {
    if !ANY.swap(false, Ordering::Relaxed) {
        // A child that looked at the list for the first time would pay for the making of it.
        return;
    }
    TENDING.set(false);
    wait::forget_all();
    // Not dropped: see the reaper.
    std::mem::forget(TENDERS.take());
}

/// Before the end of a child is taken note of: this process has something to do now.
pub(super) fn child_ended() {
    if ANY.load(Ordering::Relaxed) {
        mark(NEWS);
    }
}

/// Whether something has happened since the tenders have run.
pub(super) fn have_news() -> bool {
    state() == NEWS
}

/// Whether there is any tender.
pub(super) fn are_there() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// Whether the tenders run now: what waits is one of them.
pub(super) fn are_tending() -> bool {
    ANY.load(Ordering::Relaxed) && TENDING.get()
}

/// Whether there is anything left to do, news or what could not be done at the last try.
pub(super) fn are_behind() -> bool {
    state() != 0
}

fn state() -> u64 {
    if !ANY.load(Ordering::Relaxed) || TENDING.get() {
        return 0;
    }
    pending().map_or(0, |cell| cell.load(Ordering::Relaxed))
}

/// Lets the tenders do what is due. Not to be called while this process is noted down as waiting.
pub fn tend() {
    if !ANY.load(Ordering::Relaxed) || TENDING.get() {
        return;
    }
    let tenders: Vec<Rc<dyn Tender>> =
        TENDERS.with_borrow(|tenders| tenders.iter().filter_map(Weak::upgrade).collect());
    let is_any_due = || tenders.iter().any(|tender| tender.is_due());
    if !is_any_due() && !are_behind() {
        return;
    }
    mark(AT_IT);
    TENDING.set(true);
    for tender in tenders.iter().filter(|tender| tender.is_due()) {
        tender.tend();
    }
    TENDING.set(false);
    // What could not be done yet stays a reason to go on, also for one who had nothing to do when he was asked.
    let left = if is_any_due() { BEHIND } else { 0 };
    let Some(cell) = pending() else { return };
    // The end of another tender's child may have been taken note of meanwhile: then all are asked once more.
    let is_over = cell.compare_exchange(AT_IT, left, Ordering::SeqCst, Ordering::SeqCst);
    if is_over.is_err() {
        // A script that computes comes here when its machine polls, and not before.
        signal::raise_flag(signal::CHILD_ENDED);
    }
}

/// Tells another process that something has happened that its tenders are to look at: it counts as one that is busy until they have.
pub(super) fn tell(arena: &Arena, process: SlotRef) {
    if arena.is_alive(process) {
        let slot = arena.slot(process.index);
        slot.cells[PENDING_CELL].store(NEWS, Ordering::SeqCst);
        signals::nudge(arena, process);
    }
}

fn mark(news: u64) {
    if let Some(cell) = pending() {
        cell.store(news, Ordering::SeqCst);
    }
}

fn pending() -> Option<&'static AtomicU64> {
    let slot = arena::get()?.slot(arena::me().index);
    Some(&slot.cells[PENDING_CELL])
}

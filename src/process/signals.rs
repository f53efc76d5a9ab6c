//! Ctrl-C and cancellation, as the script meets them: errors raised where the machine polls and in the waiting place.

use super::{programs, reaper, scope};
use crate::arena;
use crate::diag::{Error, Result, codes};
use crate::os::{clock, fork, signal};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Seconds between Ctrl-C and the kill of what has not ended by itself.
pub const GRACE: f64 = 2.0;

/// When the tree was told to end (monotonic nanoseconds); 0 before.
static INTERRUPTED_AT: AtomicU64 = AtomicU64::new(0);

/// The word that the virtual machine reads at back-edges and calls: when it is not 0, it calls [`check`]
/// and [`wants_collection`]. One load and one branch; the word is in this process's own memory.
#[inline(always)]
pub fn poll_word() -> &'static AtomicU32 {
    signal::poll_word()
}

/// Whether shared memory has much that may be garbage: the machine then collects its heap, so that handles are let go,
/// and calls [`collect`]. Asked once for each time.
pub fn wants_collection() -> bool {
    signal::take(signal::COLLECT) != 0
}

/// Whether somebody asked what this process is doing (Ctrl-\\): the machine then calls [`super::status::tell`] with its line.
pub fn wants_place() -> bool {
    signal::take(signal::STATUS) != 0
}

/// Frees the objects of the arena that nobody holds any more.
pub fn collect() {
    if let Some(arena) = arena::get() {
        arena.collect();
    }
}

/// Raises `Interrupted` or `Cancelled` if it is due, once for each time; reaps children that ended. The failure of a process in
/// an open scope is a `Cancelled` too.
pub fn check() -> Result<()> {
    let happened = signal::take(
        signal::INTERRUPTED | signal::CANCELLED | signal::CHILD_ENDED | signal::STATUS,
    );
    if happened == 0 {
        check_cancelled()?;
        return scope::check_failure();
    }
    let interrupted = happened & signal::INTERRUPTED != 0;
    if interrupted {
        INTERRUPTED_AT.store(clock::now(), Ordering::Relaxed);
        // Before the reaping: programs of the terminal's group have had the same signal, and their deaths are no news.
        end_tree(libc::SIGTERM);
    }
    if happened & signal::CHILD_ENDED != 0 {
        reaper::reap();
    }
    if happened & signal::STATUS != 0 {
        super::status::tell(None);
    }
    if interrupted {
        return Err(Error::new(codes::INTERRUPTED, "interrupted by Ctrl-C"));
    }
    check_cancelled()?;
    scope::check_failure()
}

/// A cancellation is a mark in the slot; the signal is only to wake. The mark is taken down when the error is raised,
/// so that `finally` and `defer` can wait for things while they clean up.
fn check_cancelled() -> Result<()> {
    let Some(arena) = arena::get() else {
        return Ok(());
    };
    let slot = arena.slot(arena::me().index);
    if slot.cancelled.load(Ordering::Acquire) == 0 || slot.cancelled.swap(0, Ordering::AcqRel) == 0
    {
        return Ok(());
    }
    Err(Error::new(codes::CANCELLED, "this process was cancelled"))
}

/// Sends a signal to every other process of the tree, and to the programs of this one: those of the others end with them.
pub fn end_tree(number: i32) {
    programs::signal_all(number);
    let Some(arena) = arena::get() else {
        return;
    };
    let me = arena::me();
    for process in arena.live_processes().filter(|&process| process != me) {
        let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
        if let Some(record) = super::record::of_slot(arena, process) {
            record.flag(super::record::SIGNALLED);
        }
        if pid > 0 {
            fork::send_signal_pinned(pid, number, || arena.is_alive(process));
        }
    }
}

/// Nanoseconds of the monotonic clock until which processes that were told to end may take their time; `None` when the
/// tree was not interrupted.
pub fn grace_ends() -> Option<u64> {
    match INTERRUPTED_AT.load(Ordering::Relaxed) {
        0 => None,
        at => Some(at + clock::nanoseconds(GRACE)),
    }
}

/// Forgets a Ctrl-C that has been dealt with (the prompt does).
pub fn forget_interrupt() {
    INTERRUPTED_AT.store(0, Ordering::Relaxed);
    signal::take(signal::INTERRUPTED);
    signal::rearm_interrupt();
}

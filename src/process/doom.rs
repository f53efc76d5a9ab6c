//! Who was asked to end and is killed if he has not done so in time, whatever the process that asked is doing meanwhile.
//!
//! Ctrl-C and the failure of a scope give the others a grace. Who gave it may himself be busy for longer: in a `finally`, or
//! waiting for just those others. So it is kept here, and looked at wherever a process looks after what concerns it.

use super::spawn::Process;
use crate::arena::{self, SlotRef};
use crate::os::{clock, fork};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Somebody who is to end.
pub(super) enum Doomed {
    /// Any process of the tree.
    Slot(SlotRef),
    /// A child of this process, or a program that it started.
    Child(Process),
}

/// With when each is killed (monotonic nanoseconds).
static LIST: Mutex<Vec<(u64, Doomed)>> = Mutex::new(Vec::new());
/// When the next is killed; 0 for nobody.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn with<T>(body: impl FnOnce(&mut Vec<(u64, Doomed)>) -> T) -> T {
    let mut list = LIST.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let answer = body(&mut list);
    let next = list.iter().map(|(at, _)| *at).min();
    NEXT.store(next.unwrap_or(0), Ordering::Relaxed);
    answer
}

/// Has them killed at an instant (monotonic nanoseconds) unless they have ended by then.
pub(super) fn at(instant: u64, doomed: impl IntoIterator<Item = Doomed>) {
    with(|list| list.extend(doomed.into_iter().map(|one| (instant, one))));
}

/// Whether there is anybody.
#[inline]
pub(super) fn is_pending() -> bool {
    NEXT.load(Ordering::Relaxed) != 0
}

/// Kills those whose time is over.
#[inline]
pub(super) fn check() {
    if is_pending() {
        kill_due();
    }
}

#[cold]
fn kill_due() {
    let now = clock::now();
    if NEXT.load(Ordering::Relaxed) > now {
        return;
    }
    let is_due = |entry: &mut (u64, Doomed)| entry.0 <= now;
    let due: Vec<_> = with(|list| list.extract_if(.., is_due).collect());
    for (_, doomed) in due {
        match doomed {
            Doomed::Child(process) => {
                process.kill();
            }
            Doomed::Slot(process) => kill(process),
        }
    }
}

fn kill(process: SlotRef) {
    let Some(arena) = arena::get() else { return };
    let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
    if pid > 0 {
        fork::send_signal_pinned(pid, libc::SIGKILL, || arena.is_alive(process));
    }
}

/// In a new child: it has asked nobody to end.
pub(super) fn forget_all() {
    // Not dropped: see the reaper.
    std::mem::forget(with(std::mem::take));
}

//! Who was asked to end and is killed if he has not done so in time, whatever the process that asked is doing meanwhile.
//!
//! Ctrl-C, the failure of a scope and `cancel` give others a grace. Who gave it may himself be busy for longer (in a `finally`, or
//! waiting for just those others), and may be cancelled or killed meanwhile. So it is kept by a process that lives as long as the
//! one that was asked: its parent, which the kernel lets nobody survive. An alarm has it look, and so does every wait.
//!
//! Whoever asks a process that is not his own child leaves the instant in its process object, and has its parent look there.

use super::record::{self, Record};
use super::spawn::Process;
use super::{programs, reaper, signals};
use crate::arena::{self, Arena, SlotRef};
use crate::crash_point;
use crate::os::alarm::{self, Setter};
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
    if NEXT.swap(next.unwrap_or(0), Ordering::Relaxed) != next.unwrap_or(0) {
        alarm::set(Setter::Grace, next);
    }
    answer
}

/// Has them killed at an instant (monotonic nanoseconds) unless they have ended by then.
pub(super) fn at(instant: u64, doomed: impl IntoIterator<Item = Doomed>) {
    with(|list| list.extend(doomed.into_iter().map(|one| (instant, one))));
}

/// Has a process killed at an instant (monotonic nanoseconds) unless it has ended by then, also when this one ends before.
pub(super) fn process_at(instant: u64, process: &Process) {
    let record = Record::of(process.hold().object());
    let (Some(arena), Some(parent)) = (arena::get(), record.parent()) else {
        return;
    };
    if parent == arena::me() {
        return at(instant, [Doomed::Child(process.clone())]);
    }
    record.doom(instant);
    crash_point!("doom: noted");
    signals::nudge(arena, parent);
}

/// A process has ended that was to be killed.
pub(super) fn spare(process: &Process) {
    if is_pending() {
        let is_it = |(_, doomed): &(u64, Doomed)| match doomed {
            Doomed::Child(child) => child == process,
            Doomed::Slot(_) => false,
        };
        with(|list| list.retain(|one| !is_it(one)));
    }
}

/// Takes over from their process objects when the children of this process are killed. The main process, which has no parent, does
/// so for itself too.
pub(super) fn take_over() {
    let Some(arena) = arena::get() else { return };
    let own = arena::me();
    if let Some(record) = record::of_slot(arena, own)
        && record.parent() == Some(own)
        && let Some(noted) = record.take_doom()
    {
        let instant = ask(noted, record, || {
            signals::mark(arena, own, record) && signals::tell(arena, own, record)
        });
        at(instant, [Doomed::Slot(own)]);
    }
    for hold in reaper::open_children()
        .into_iter()
        .chain(programs::running())
    {
        let record = Record::of(hold.object());
        if let Some(noted) = record.take_doom() {
            let child = Process::of_hold(hold);
            let instant = ask(noted, record, || child.ask_to_cancel());
            at(instant, [Doomed::Child(child)]);
        }
    }
}

/// Who noted that somebody is to end may have died before it asked, perhaps long ago: then it is asked now, and has the grace from
/// now on. When it is killed.
fn ask(noted: u64, record: Record<'_>, ask: impl FnOnce() -> bool) -> u64 {
    if !record.is_first_to_ask() {
        return noted;
    }
    ask();
    noted.max(clock::deadline(signals::GRACE))
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
    let Some(arena) = arena::get() else { return };
    for (_, doomed) in due {
        match doomed {
            Doomed::Child(process) => {
                process.kill();
            }
            Doomed::Slot(process) => kill(arena, process),
        }
    }
}

fn kill(arena: &Arena, process: SlotRef) {
    let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
    if pid > 0 {
        fork::send_signal_pinned(pid, libc::SIGKILL, || arena.is_alive(process));
    }
}

/// In a new child: it has asked nobody to end.
pub(super) fn forget_all() {
    NEXT.store(0, Ordering::Relaxed);
    let mut list = LIST.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Not dropped: see the reaper.
    std::mem::forget(std::mem::take(&mut *list));
}

//! Children of this process: who they are, how they ended, and which failures nobody has looked at.
//!
//! There is no race with a handler, because the handler only sets a bit; and no child of anybody else is waited for,
//! unless this process owns itself (then orphans that come to it are taken too).

use super::ended;
use super::programs;
use super::record::{self, OUT_OF_TIME, PASSED, PROGRAM, REPORTED, Record, SIGNALLED, Status};
use super::scope;
use super::tenders;
use crate::arena::{self, Arena, Hold, SlotRef};
use crate::os::fork::{self, WaitStatus};
use crate::os::terminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A child that has not been waited for.
struct Child {
    pid: i32,
    slot: SlotRef,
    hold: Hold,
}

#[derive(Default)]
struct Children {
    running: Vec<Child>,
    /// Ended by an error or a signal; kept until somebody reports them.
    failed: Vec<Hold>,
}

static CHILDREN: Mutex<Option<Children>> = Mutex::new(None);
/// Whether this process has ever had a child: without one there is nothing to look for.
static HAD_CHILDREN: AtomicBool = AtomicBool::new(false);
/// Whether a child has been buried since somebody has asked.
static HAS_BURIED: AtomicBool = AtomicBool::new(false);
/// Whether every child of this process is ours to wait for; not so in a host program.
static OWNS_PROCESS: AtomicBool = AtomicBool::new(false);

fn with<T>(body: impl FnOnce(&mut Children) -> T) -> T {
    let mut guard = match CHILDREN.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    };
    body(guard.get_or_insert_default())
}

/// Says that this process belongs to Par alone: orphans come to it and are reaped and ended by it.
pub fn own_process() {
    OWNS_PROCESS.store(true, Ordering::Relaxed);
    fork::adopt_orphans();
}

/// In a new child: it has no children.
pub fn forget_all() {
    let old = match CHILDREN.lock() {
        Ok(mut guard) => guard.take(),
        Err(poisoned) => poisoned.into_inner().take(),
    };
    // Not dropped: to count the holds down would copy pages of memory that this process may never need.
    std::mem::forget(old);
    HAD_CHILDREN.store(false, Ordering::Relaxed);
    programs::forget_all();
    own_process();
}

/// Whether every child of this process is Par's.
pub(super) fn owns_process() -> bool {
    OWNS_PROCESS.load(Ordering::Relaxed)
}

/// Whether a process is a child that this one forked and has not waited for.
pub(super) fn is_child(pid: i32) -> bool {
    with(|children| children.running.iter().any(|child| child.pid == pid))
}

/// Keeps the failure of a child until somebody looks after it or it is told.
pub(super) fn note_failure(hold: Hold) {
    with(|children| children.failed.push(hold));
}

/// Notes a child that was forked.
pub(super) fn note_child(pid: i32, slot: SlotRef, hold: Hold) {
    HAD_CHILDREN.store(true, Ordering::Relaxed);
    with(|children| children.running.push(Child { pid, slot, hold }));
}

/// Holds on the children that have not ended, oldest first, and then on the programs that were spawned.
pub fn running() -> Vec<Hold> {
    reap();
    let programs = programs::running();
    with(|children| {
        let open = children
            .running
            .iter()
            .filter(|child| Record::of(child.hold.object()).status() == Status::Open);
        open.map(|child| child.hold.clone())
            .chain(programs)
            .collect()
    })
}

/// Holds on the children that have not been waited for.
pub(super) fn open_children() -> Vec<Hold> {
    with(|children| {
        children
            .running
            .iter()
            .map(|child| child.hold.clone())
            .collect()
    })
}

/// Takes the ends of children that have ended. Cheap when none has: a look at a word for each child.
pub fn reap() {
    reap_ended(Patience::None);
}

/// Whether a child has been buried since this was asked last.
pub(super) fn has_buried() -> bool {
    HAS_BURIED.load(Ordering::Relaxed) && HAS_BURIED.swap(false, Ordering::Relaxed)
}

/// As [`reap`], and afterwards the child in a slot is buried if it has let go of its life.
pub(super) fn reap_dead(slot: SlotRef) {
    reap_ended(Patience::Dead(slot));
}

/// As [`reap`], and a child that was sent SIGKILL is waited for: for the kernel alone, so that what this process is told meanwhile
/// (Ctrl-C, a cancellation) is there for whoever waits next.
pub(super) fn reap_killed(slot: SlotRef) {
    reap_ended(Patience::Killed(slot));
}

/// Which children are waited for.
#[derive(Clone, Copy)]
enum Patience {
    /// None: those that the kernel has done with are taken.
    None,
    /// This one, if it is dead and the kernel only has to do away with it.
    Dead(SlotRef),
    /// This one, which was sent SIGKILL.
    Killed(SlotRef),
    /// Those that have told their end and are only on their way out.
    Leaving,
}

fn reap_ended(patience: Patience) {
    let died = programs::reap();
    if !HAD_CHILDREN.load(Ordering::Relaxed) {
        programs::settle(died);
        return;
    }
    let Some(arena) = arena::get() else {
        return;
    };
    let mut ended = Vec::new();
    with(|children| {
        children.running.retain(|child| {
            let lives = arena.has_life(child.slot);
            let waits = match patience {
                Patience::None => false,
                Patience::Dead(slot) => slot == child.slot && !lives,
                Patience::Killed(slot) => slot == child.slot,
                Patience::Leaving => Record::of(child.hold.object()).status() != Status::Open,
            };
            if !waits && lives {
                return true;
            }
            match fork::wait_for_all_of(child.pid, waits) {
                Some(end) => {
                    ended.push((child.slot, child.hold.clone(), end));
                    false
                }
                None => true,
            }
        });
    });
    let mut killed = false;
    for (slot, hold, (status, peak)) in ended {
        Record::of(hold.object()).note_peak(peak);
        killed |= note_end(arena, slot, hold, status);
    }
    if reap_orphans() || killed {
        // What a killed child has left behind: its children die with it, and their slots come to nobody else.
        bury_orphans(arena);
    }
    programs::settle(killed || died);
}

/// Seals the end of a child unless it did so itself, and frees its slot. True when it did not end in order.
fn note_end(arena: &Arena, slot: SlotRef, hold: Hold, status: WaitStatus) -> bool {
    let record = Record::of(hold.object());
    let status = match status {
        WaitStatus::Exited(code) => Status::Exited(code),
        WaitStatus::Signalled(number) => Status::Killed(number),
    };
    tenders::child_ended();
    let in_order = !record.seal(arena, status, 0);
    record::note_lost(arena, slot);
    ended::joiner_died(arena, slot);
    arena.bury(slot, true);
    HAS_BURIED.store(true, Ordering::Relaxed);
    if !matches!(record.status(), Status::Returned | Status::Exited(0)) {
        scope::note_bad_end();
    }
    if is_news(&record) {
        note_failure(hold);
    }
    !in_order
}

/// Whether an end is a failure that nobody has looked after and nobody has brought about.
pub(super) fn is_news(record: &Record<'_>) -> bool {
    is_failure_unmeant(record) && !record.is_seen()
}

fn is_failure_unmeant(record: &Record<'_>) -> bool {
    let flags = record.flags();
    let was_signalled = flags & SIGNALLED != 0;
    if flags & PROGRAM != 0 {
        // A code that is no success is the error of a program: who does not join it is told, as of an error of a process. So is one
        // whose time was over, however it has ended then.
        let is_late = flags & OUT_OF_TIME != 0;
        return match record.status() {
            Status::Open => false,
            _ if flags & PASSED != 0 => is_late,
            _ => is_late || !was_signalled,
        };
    }
    match record.status() {
        Status::Raised => true,
        // It printed when nobody was reading any more: that is how programs before `head` end.
        Status::Killed(libc::SIGPIPE) if terminal::output_gone() => false,
        Status::Exited(0) => false,
        // By its own hand, whether by `exit` or by a signal, it has failed.
        Status::Exited(_) | Status::Killed(_) => !record.is_ended_by_another(),
        Status::Open | Status::Returned => false,
    }
}

/// A process has ended while somebody waited for it who has left without its end: what would have been told then is told now. Whoever
/// has told it as well does no harm, because each failure is reported once.
pub(super) fn note_end_unseen(hold: &Hold) {
    scope::note_bad_end();
    if is_news(&Record::of(hold.object())) {
        note_failure(hold.clone());
    }
}

/// Frees the slots of dead processes whose parents are dead too.
pub fn bury_orphans(arena: &Arena) {
    let dead: Vec<SlotRef> = arena
        .processes()
        .filter(|&process| !arena.is_alive(process))
        .collect();
    for process in dead {
        let slot = arena.slot(process.index);
        let parent = SlotRef::from_bits(slot.parent.load(Ordering::Acquire));
        if parent.is_some_and(|parent| arena.is_alive(parent)) {
            continue;
        }
        // It died with its parent, by the kernel's hand.
        if let Some(record) = record::of_slot(arena, process) {
            record.seal(arena, Status::Killed(libc::SIGKILL), 0);
        }
        record::note_lost(arena, process);
        ended::joiner_died(arena, process);
        arena.bury(process, false);
    }
}

/// The failures of those of this process's children that are `wanted` and that nobody has joined or waited for, each told once. The
/// others are kept.
pub fn take_failures(wanted: impl Fn(&Record<'_>) -> bool) -> Vec<Hold> {
    reap_ended(Patience::Leaving);
    let is_wanted = |hold: &mut Hold| wanted(&Record::of(hold.object()));
    let failed: Vec<Hold> = with(|children| children.failed.extract_if(.., is_wanted).collect());
    let untold = |hold: &Hold| {
        let record = Record::of(hold.object());
        !record.is_seen() && record.flag(REPORTED) & REPORTED == 0
    };
    failed.into_iter().filter(untold).collect()
}

/// Takes the ends of processes of Par that came to us when their parents were killed. Whether there was any.
fn reap_orphans() -> bool {
    let mut found = false;
    if !owns_process() {
        return found;
    }
    while let Some(pid) = fork::peek_ended() {
        if is_child(pid) || programs::is_program(pid) {
            break;
        }
        fork::wait_for(pid, false);
        programs::forget_stray(pid);
        found = true;
    }
    found
}

/// At the end of this process: kills everything that came to us, until nothing is left.
pub fn end_all_strays() {
    if had_any() {
        programs::end_strays();
    }
}

/// Whether this process has ever started another: one that has not leaves nothing to look after.
pub(super) fn had_any() -> bool {
    HAD_CHILDREN.load(Ordering::Relaxed) || programs::used()
}

//! Children of this process: who they are, how they ended, and which failures nobody has looked at.
//!
//! There is no race with a handler, because the handler only sets a bit; and no child of anybody else is waited for,
//! unless this process owns itself (then orphans that come to it are taken too).

use super::record::{self, OBSERVED, REPORTED, Record, SIGNALLED, Status};
use super::tenders;
use crate::arena::{self, Arena, Hold, SlotRef};
use crate::os::fork::{self, WaitStatus};
use crate::os::terminal;
use std::collections::HashMap;
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
    /// Programs (no processes of Par) that this process started, with their ends.
    programs: HashMap<i32, Option<WaitStatus>>,
    /// Descendants that came to us when a program of ours ended and left them running.
    tolerated: Vec<i32>,
}

static CHILDREN: Mutex<Option<Children>> = Mutex::new(None);
/// Whether this process has ever had a child: without one there is nothing to look for.
static HAD_CHILDREN: AtomicBool = AtomicBool::new(false);
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
    own_process();
}

/// Notes a child that was forked.
pub(super) fn note_child(pid: i32, slot: SlotRef, hold: Hold) {
    HAD_CHILDREN.store(true, Ordering::Relaxed);
    with(|children| children.running.push(Child { pid, slot, hold }));
}

/// Holds on the children that have not ended, oldest first.
pub fn running() -> Vec<Hold> {
    reap();
    with(|children| {
        let open = children
            .running
            .iter()
            .filter(|child| Record::of(child.hold.object()).status() == Status::Open);
        open.map(|child| child.hold.clone()).collect()
    })
}

/// Takes the ends of children that have ended. Cheap when none has: a look at a word for each child.
pub fn reap() {
    reap_ended(false);
}

/// As [`reap`]; `patient` waits for those that have told their end and are only on their way out.
fn reap_ended(patient: bool) {
    if !HAD_CHILDREN.load(Ordering::Relaxed) {
        return;
    }
    let Some(arena) = arena::get() else {
        reap_programs();
        return;
    };
    let mut ended = Vec::new();
    with(|children| {
        children.running.retain(|child| {
            let leaving = patient && Record::of(child.hold.object()).status() != Status::Open;
            if !leaving && arena.slot(child.slot.index).life.is_held() {
                return true;
            }
            match fork::wait_for(child.pid, leaving) {
                Some(status) => {
                    ended.push((child.slot, child.hold.clone(), status));
                    false
                }
                None => true,
            }
        });
    });
    let mut killed = false;
    for (slot, hold, status) in ended {
        killed |= note_end(arena, slot, hold, status);
    }
    reap_programs();
    if killed {
        // What a killed child has left behind: its children die with it, and their slots come to nobody else.
        bury_orphans(arena);
        end_strays();
    }
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
    arena.bury(slot, true);
    let failed = match record.status() {
        Status::Raised => true,
        // It printed when nobody was reading any more: that is how programs before `head` end.
        Status::Killed(libc::SIGPIPE) if terminal::output_gone() => false,
        Status::Killed(_) => record.flags() & SIGNALLED == 0,
        _ => false,
    };
    if failed && record.flags() & OBSERVED == 0 {
        with(|children| children.failed.push(hold));
    }
    !in_order
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
        arena.bury(process, false);
    }
}

/// The failures of this process's children that nobody has joined or waited for, each told once.
pub fn take_failures() -> Vec<Hold> {
    reap_ended(true);
    let failed = with(|children| std::mem::take(&mut children.failed));
    let untold = |hold: &Hold| {
        let record = Record::of(hold.object());
        record.flags() & OBSERVED == 0 && record.flag(REPORTED) & REPORTED == 0
    };
    failed.into_iter().filter(untold).collect()
}

/// Lets the reaper wait for a program (not a process of Par) that was started with this pid.
pub fn add_program(pid: i32) {
    HAD_CHILDREN.store(true, Ordering::Relaxed);
    with(|children| children.programs.insert(pid, None));
}

/// How a program ended; `None` while it runs, and for pids that were not added.
pub fn program_status(pid: i32) -> Option<WaitStatus> {
    reap_programs();
    with(|children| children.programs.get(&pid).copied().flatten())
}

/// Forgets a program.
pub fn drop_program(pid: i32) {
    with(|children| children.programs.remove(&pid));
}

/// Takes the ends of programs, and of orphans that came to us.
fn reap_programs() {
    let open: Vec<i32> = with(|children| {
        let open = children
            .programs
            .iter()
            .filter(|(_, status)| status.is_none());
        open.map(|(&pid, _)| pid).collect()
    });
    let mut any = false;
    for pid in open {
        if let Some(status) = fork::wait_for(pid, false) {
            with(|children| children.programs.insert(pid, Some(status)));
            any = true;
        }
    }
    if !OWNS_PROCESS.load(Ordering::Relaxed) {
        return;
    }
    while let Some(pid) = fork::peek_ended() {
        let ours = with(|children| {
            children.programs.contains_key(&pid)
                || children.running.iter().any(|child| child.pid == pid)
        });
        if ours {
            break;
        }
        fork::wait_for(pid, false);
    }
    if any {
        let strays = strays();
        with(|children| children.tolerated = strays);
    }
}

/// Children of this process that it did not start: they came to it when their parents ended.
fn strays() -> Vec<i32> {
    let all = fork::children();
    with(|children| {
        let known = |pid: &i32| {
            children.programs.contains_key(pid)
                || children.running.iter().any(|child| child.pid == *pid)
        };
        all.into_iter().filter(|pid| !known(pid)).collect()
    })
}

/// Kills strays that did not come from programs of our own: what a killed child had started and what had left its
/// process group, session or parent.
fn end_strays() {
    if !OWNS_PROCESS.load(Ordering::Relaxed) {
        return;
    }
    let tolerated = with(|children| children.tolerated.clone());
    for pid in strays() {
        if !tolerated.contains(&pid) {
            fork::send_signal(pid, libc::SIGKILL);
        }
    }
}

/// At the end of this process: kills every stray, and those that come to us by that, until none is left.
pub fn end_all_strays() {
    if !OWNS_PROCESS.load(Ordering::Relaxed) || !HAD_CHILDREN.load(Ordering::Relaxed) {
        return;
    }
    for _ in 0..100 {
        let strays = strays();
        if strays.is_empty() {
            return;
        }
        for &pid in &strays {
            fork::send_signal(pid, libc::SIGKILL);
        }
        for pid in strays {
            fork::wait_for(pid, true);
        }
    }
}

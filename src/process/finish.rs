//! The end of a process: its children first, then what it leaves, then out.

use super::channel::tell;
use super::pool::future::Future;
use super::pool::{outlet, owner};
use super::record::{ASKED, DAEMON, Record, STARTED, Status, WORKER};
use super::spawn::{ChildOutcome, Message, Process};
use super::wait::{self, Awaited, Operation, WaitSpec};
use super::{flow, held, programs, queue, reaper, signals};
use crate::arena::{self, Arena, Cell, Hold, ObjectKind, kinds};
use crate::crash_point;
use crate::diag::{self, codes};
use crate::os::{clock, fork};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

/// What the layers above want to do when a process ends.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Reports the failure of a child that nobody joined (on standard error).
    pub report: fn(&Process),
    /// Reports the failure of a task that nobody asked for, or that so many more failed.
    pub report_task: fn(std::result::Result<&Future, u64>),
    /// Reports what could not be written, and nobody was told (on standard error).
    pub report_lost: fn(&diag::Error),
    /// Writes out what is still in buffers.
    pub flush: fn(),
}

static HOOKS: Mutex<Option<Hooks>> = Mutex::new(None);

/// The process that waits for its workers to end, and for nobody else: nobody is put in their place.
static ENDING: AtomicI32 = AtomicI32::new(0);

/// Whether this process only waits for its workers to end.
pub fn is_ending() -> bool {
    ENDING.load(Ordering::Relaxed) == fork::pid()
}

/// What this process does at its end, once its children have ended: with the process that asked for it.
static AT_END: Mutex<Vec<Step>> = Mutex::new(Vec::new());

/// A process and what it does.
type Step = (i32, fn());

/// Has something done at the end of this process, however its script ends; not when it is killed, and not by its children.
pub fn at_end(step: fn()) {
    if let Ok(mut steps) = AT_END.lock() {
        let step = (fork::pid(), step);
        if !steps
            .iter()
            .any(|(pid, known)| *pid == step.0 && std::ptr::fn_addr_eq(*known, step.1))
        {
            steps.push(step);
        }
    }
}

/// Tells of failed tasks that nobody will ask for, and of how many there were `more`; the exit status of the main process is 1
/// then.
pub fn tell_of_tasks(failures: &[Future], more: u64) {
    if was_interrupted() {
        // Whatever came of them then came of the Ctrl-C.
        return;
    }
    // A script that has caught it may have handed in others since.
    let is_news = |failure: &&Future| !signals::may_end_by_interrupt(failure.since());
    let failures: Vec<&Future> = failures.iter().filter(is_news).collect();
    let more = if signals::is_in_grace() { 0 } else { more };
    let count = failures.len() as u64 + more;
    let Some(arena) = arena::get().filter(|_| count > 0) else {
        return;
    };
    let rest = (more > 0).then_some(Err(more));
    for report in failures.into_iter().map(Ok).chain(rest) {
        if let Some(hooks) = hooks() {
            (hooks.report_task)(report);
        }
    }
    arena
        .cell(Cell::Failures)
        .fetch_add(count, Ordering::Relaxed);
}

/// Tells of the failure of a worker for which nobody asked; the exit status of the main process is 1 then.
pub fn tell_of_worker(process: &Process) {
    let record = Record::of(process.hold().object());
    let is_news = !was_interrupted() && !signals::was_interrupted(&record);
    let Some(arena) = arena::get().filter(|_| is_news) else {
        return;
    };
    if let Some(hooks) = hooks() {
        (hooks.report)(process);
    }
    arena.cell(Cell::Failures).fetch_add(1, Ordering::Relaxed);
}

fn do_at_end() {
    outlet::settle();
    tell::pay();
    tell_of_lost();
    let steps = AT_END.lock().map(|mut steps| std::mem::take(&mut *steps));
    for (pid, step) in steps.unwrap_or_default() {
        if pid == fork::pid() {
            step();
        }
    }
}

/// Tells of what this process could not write, now that nobody uses its files any more; the exit status of the main process is 1
/// then.
fn tell_of_lost() {
    tell_lost(&held::take_lost());
}

fn tell_lost(lost: &[diag::Error]) {
    if let Some(hooks) = hooks() {
        lost.iter().for_each(|error| (hooks.report_lost)(error));
    }
    LOST.fetch_add(lost.len() as u64, Ordering::Relaxed);
    if let Some(arena) = arena::get() {
        arena
            .cell(Cell::Failures)
            .fetch_add(lost.len() as u64, Ordering::Relaxed);
    }
}

/// How much was lost: a script that shares nothing has no other place for it.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Whether Ctrl-C ends this process.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C ends this process, in its script or in the wait for its children at the end: it then dies by that signal.
pub fn was_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The script has not caught the Ctrl-C: what it has started ends by it too.
pub fn note_interrupted() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Sets what happens at the end of processes; children inherit it.
pub fn set_hooks(hooks: Hooks) {
    if let Ok(mut guard) = HOOKS.lock() {
        *guard = Some(hooks);
    }
}

fn hooks() -> Option<Hooks> {
    HOOKS.lock().ok().and_then(|guard| *guard)
}

/// Runs the function of a child and ends the process with what comes of it.
pub(super) fn run_child(process: &Process, body: impl FnOnce() -> ChildOutcome) -> ! {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    let is_meant = matches!(outcome, Ok(ChildOutcome::Exited(_)));
    // A panic has been written to standard error by Rust's hook; what is left is a process that failed.
    let outcome = outcome.unwrap_or(ChildOutcome::Exited(101));
    // A worker's item has failed by it, and the worker leaves in order.
    let is_worker = Record::of(process.hold().object()).flags() & WORKER != 0;
    let is_cancelled =
        signals::was_cancelled() && (is_worker || matches!(outcome, ChildOutcome::Raised(_)));
    let _ = catch_unwind(AssertUnwindSafe(|| end_below(is_cancelled, false)));
    let _ = catch_unwind(AssertUnwindSafe(do_at_end));
    // Before the end is known: whoever has joined this process finds nothing in its hands.
    give_back(is_meant || is_cancelled);
    crash_point!("child: gave back");
    seal(process, &outcome);
    if let Some(hooks) = hooks() {
        let _ = catch_unwind(AssertUnwindSafe(hooks.flush));
    }
    crash_point!("child: before leaving");
    fork::leave(match outcome {
        ChildOutcome::Returned(_) => 0,
        ChildOutcome::Raised(_) => 1,
        ChildOutcome::Exited(code) => code & 0xff,
    })
}

/// Lets go of leases, locks and permits that the script has not given back, as a burial would.
/// `is_meant`: it leaves by `exit` or because it was cancelled, which is no failure of what it had taken by lease.
///
/// A look at the words of its hold set for a process that holds nothing of the kind: nothing beside the fork.
fn give_back(is_meant: bool) {
    let Some(arena) = arena::get() else {
        return;
    };
    let me = arena::me();
    for id in arena.held_by(me) {
        let Some(object) = arena.object(id) else {
            continue;
        };
        match (id.kind, kinds::of(id.kind)) {
            (ObjectKind::Queue, _) => queue::return_leases(arena, object, me, is_meant),
            (ObjectKind::Lock | ObjectKind::Semaphore, Some(kind)) => {
                (kind.bury)(arena, object, id, me);
            }
            _ => {}
        }
    }
}

fn seal(process: &Process, outcome: &ChildOutcome) {
    let Some(arena) = arena::get() else {
        return;
    };
    let record = Record::of(process.hold().object());
    let (status, message) = match outcome {
        ChildOutcome::Returned(message) => (Status::Returned, Some(message)),
        ChildOutcome::Raised(message) => (Status::Raised, Some(message)),
        ChildOutcome::Exited(code) => (Status::Exited(code & 0xff), None),
    };
    let write = |message: &Message| {
        if message.handles.is_empty() && record.keep_small(&message.bytes) {
            return Ok(0);
        }
        arena::when_full(|| arena.write_message(&message.bytes, &message.handles))
    };
    match message.map_or(Ok(0), write) {
        Ok(block) => record.seal(arena, status, block),
        // A failure of its own; whoever asks for the error finds none, and knows why ([`Process::lost_result`]).
        Err(_) => record.seal(arena, Status::Raised, 0),
    };
}

/// Waits for the non-daemon children of this process, ends its daemons, reports failures that nobody joined. Returns how
/// many of those there were. Ctrl-C or a cancellation while it waits ends the children instead.
pub fn end_children() -> usize {
    end_below(false, false)
}

/// As [`end_children`], after a Ctrl-C at a prompt: only what the line that runs has started.
pub fn end_line() -> usize {
    end_below(false, true)
}

/// The children of this process that are no programs; of those that a line of a prompt has started only.
fn children(arena: &Arena, of_line: bool) -> Vec<Process> {
    let all = super::spawn::active_children().into_iter();
    let all = all.filter(|child| !child.is_program());
    let is_meant = |child: &Process| {
        let slot = Record::of(child.hold().object()).slot();
        !of_line || slot.is_none_or(|slot| signals::is_of_line(arena, slot))
    };
    all.filter(is_meant).collect()
}

/// `cancels`: this process ends because it was cancelled, and so do its children. `of_line`: only a line of a prompt ends.
fn end_below(cancels: bool, of_line: bool) -> usize {
    let Some(arena) = arena::get().filter(|_| reaper::had_any()) else {
        return 0;
    };
    let flags = |child: &Process| Record::of(child.hold().object()).flags();
    let is_worker = |child: &Process| flags(child) & (DAEMON | WORKER) == DAEMON | WORKER;
    let (daemons, others): (Vec<_>, Vec<_>) = children(arena, of_line)
        .into_iter()
        .partition(|child| flags(child) & DAEMON != 0);
    let ask_all = || {
        let workers = daemons.iter().filter(|child| is_worker(child));
        others.iter().chain(workers).for_each(|child| {
            child.ask_to_end();
        });
        Some(clock::deadline(signals::GRACE))
    };
    if !of_line {
        flow::read_for_nobody();
    }
    let by_interrupt = of_line || was_interrupted();
    // A script that has caught the Ctrl-C and gone on waits for what it has started since as if there had been none.
    let mut deadline = match cancels {
        true => {
            // What they end with comes of that, and is no news.
            others.iter().for_each(Process::observe);
            ask_all()
        }
        false => signals::grace_ends().filter(|&at| by_interrupt || clock::now() < at),
    };
    for child in &others {
        let is_told = cancels || by_interrupt || flags(child) & ASKED != 0;
        wait_or_kill(child, is_told, &mut deadline, ask_all);
    }
    if !of_line {
        ENDING.store(fork::pid(), Ordering::Relaxed);
        owner::end_all(arena);
    }
    // As they are now: some may have been put in the place of others.
    let daemons = children(arena, of_line);
    let workers: Vec<&Process> = daemons.iter().filter(|child| is_worker(child)).collect();
    end_workers(&workers, deadline);
    programs::end_all(of_line);
    if !of_line {
        settle_outputs(cancels || by_interrupt);
    }
    for daemon in &daemons {
        daemon.kill();
    }
    for daemon in &daemons {
        let _ = wait_for(daemon, None);
    }
    // What earlier lines of a prompt have started goes on, and what it fails with is news.
    let mut failures = reaper::take_failures(|of| !of_line || signals::is_child_of_line(of));
    if signals::is_tree_interrupted() {
        // Whatever came of those whom it has met came of the Ctrl-C.
        let all = cancels || of_line || was_interrupted();
        failures.retain(|hold| !all && !signals::was_interrupted(&Record::of(hold.object())));
    }
    let count = failures.len();
    tell_of_children(arena, failures);
    if !of_line {
        reaper::end_all_strays();
    }
    count
}

/// What programs have written goes where it is to go as well; who takes it slowly is waited for, but not by what was told to end.
fn settle_outputs(is_told: bool) {
    let deadline = is_told.then(|| signals::grace_ends().unwrap_or_else(clock::now));
    match flow::settle(deadline) {
        Ok(lost) => tell_lost(&lost),
        Err(error) if error.code == codes::INTERRUPTED => note_interrupted(),
        Err(_) => {}
    }
}

/// Tells of children that failed and that nobody joined.
fn tell_of_children(arena: &Arena, failures: Vec<Hold>) {
    let count = failures.len() as u64;
    for failure in failures {
        if let Some(hooks) = hooks() {
            (hooks.report)(&Process::of_hold(failure));
        }
    }
    if count > 0 {
        arena
            .cell(Cell::Failures)
            .fetch_add(count, Ordering::Relaxed);
    }
}

/// What workers are at is given up, and cleans up, whatever the end of this process; what has not ended at the deadline is killed.
fn end_workers(workers: &[&Process], mut deadline: Option<u64>) {
    let ask_all = || {
        for worker in workers {
            worker.ask_to_end();
        }
        Some(clock::deadline(signals::GRACE))
    };
    let asked = ask_all();
    deadline = deadline.or(asked);
    for worker in workers {
        wait_or_kill(worker, true, &mut deadline, ask_all);
    }
}

/// Waits for a child's end, and kills it when the deadline has come (monotonic nanoseconds), if it was told to end. Ctrl-C or a
/// cancellation meanwhile sets another, which `ask_all` tells it.
fn wait_or_kill(
    child: &Process,
    is_told: bool,
    deadline: &mut Option<u64>,
    ask_all: impl Fn() -> Option<u64>,
) {
    let mut until = deadline.filter(|_| is_told);
    loop {
        match wait_for(child, until) {
            Ok(true) => return,
            Ok(false) => {
                child.kill();
                until = None;
            }
            Err(error) => {
                if error.code == codes::INTERRUPTED {
                    note_interrupted();
                }
                *deadline = ask_all();
                until = *deadline;
            }
        }
    }
}

/// Waits for a child's end without having looked after it: failures stay news.
fn wait_for(child: &Process, deadline: Option<u64>) -> crate::diag::Result<bool> {
    let record = Record::of(child.hold().object());
    if record.flags() & STARTED == 0 {
        return Ok(true);
    }
    let awaited: [Awaited<'_>; 1] = [child.awaited()];
    let mut spec = WaitSpec::new(Operation::Children, &awaited, child.place());
    spec.deadline = deadline;
    spec.watch = record.slot();
    Ok(wait::wait(&spec, || Ok(child.ended()))?.is_some())
}

/// The end of the main process: like that of any other, and then whether any process of the tree has failed without
/// anybody looking after it (the exit status is 1 then).
pub fn finish_main() -> bool {
    end_children();
    programs::guardian::dismiss();
    do_at_end();
    let failures = arena::get().map(|arena| arena.cell(Cell::Failures).load(Ordering::Relaxed));
    failures.unwrap_or_else(|| LOST.load(Ordering::Relaxed)) != 0
}

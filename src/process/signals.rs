//! Ctrl-C and cancellation, as the script meets them: errors raised where the machine polls and in the waiting place.

use super::channel::tell as debts;
use super::doom::{self, Doomed};
use super::pool::reading;
use super::record::{self, ASKED, DAEMON, Record, SIGNALLED, WORKER};
use super::{programs, reaper, scope, wait};
use crate::arena::{self, Arena, Cell, SlotRef};
use crate::diag::{Error, Result, codes};
use crate::os::fork::{self, WaitStatus};
use crate::os::{clock, reserve, signal, stopped};
use crate::source::Span;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Seconds between Ctrl-C and the kill of what has not ended by itself.
pub const GRACE: f64 = 2.0;

/// When the tree was told to end (monotonic nanoseconds); 0 before.
static INTERRUPTED_AT: AtomicU64 = AtomicU64::new(0);

/// At a prompt: what was started up to this number of a process belongs to earlier lines, and goes on after a Ctrl-C.
static LINE_BEGAN_AT: AtomicU64 = AtomicU64::new(0);

/// When that line began (monotonic nanoseconds); 0 without a prompt.
static LINE_BEGAN: AtomicU64 = AtomicU64::new(0);

/// A line of a prompt begins: a Ctrl-C from now on ends what it starts, and nothing that runs already.
pub fn begin_line() {
    LINE_BEGAN.store(clock::now(), Ordering::Relaxed);
    if let Some(arena) = arena::get() {
        LINE_BEGAN_AT.store(arena.last_serial(), Ordering::Relaxed);
    }
    programs::begin_line();
}

/// Whether a process was started by the line of the prompt that runs, or below what it started. Without a prompt all were.
pub(super) fn is_of_line(arena: &Arena, process: SlotRef) -> bool {
    let (me, began_at) = (arena::me(), LINE_BEGAN_AT.load(Ordering::Relaxed));
    let mut found = process;
    while let Some(record) = record::of_slot(arena, found).filter(|_| began_at > 0) {
        match record.parent() {
            Some(parent) if parent == me => return record.serial() > began_at,
            // Parents were started before their children.
            Some(parent) if parent != found => found = parent,
            _ => return true,
        }
    }
    true
}

/// Whether a child or a program of this process was started by the line of the prompt that runs, whatever has become of it.
pub(super) fn is_child_of_line(record: &Record<'_>) -> bool {
    record.began_at() >= LINE_BEGAN.load(Ordering::Relaxed)
}

/// Whether this process was told to end by a cancellation.
static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Whether this process was cancelled: when it ends by that, its children are not waited for as if nothing had happened.
pub fn was_cancelled() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

/// In a new child: what its parent was told does not concern it.
pub(super) fn forget_all() {
    CANCELLED.store(false, Ordering::Relaxed);
    LINE_BEGAN_AT.store(0, Ordering::Relaxed);
    LINE_BEGAN.store(0, Ordering::Relaxed);
    INTERRUPTED_AT.store(0, Ordering::Relaxed);
    doom::forget_all();
}

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

/// Whether the system has refused memory since this was asked last: the machine then collects its heap, and asks [`is_memory_back`].
pub fn is_memory_short() -> bool {
    signal::take(signal::MEMORY) != 0
}

/// The same, where it is asked again.
pub fn was_memory_refused() -> bool {
    signal::poll_word().load(Ordering::Relaxed) & signal::MEMORY != 0
}

/// Whether the address space of this process has a limit.
pub fn has_memory_limit() -> bool {
    reserve::is_kept()
}

/// Has [`is_memory_short`] be true.
pub fn tell_memory_is_short() {
    reserve::raise_alarm();
}

/// Fills up the reserve for such a case; false when there is no room for it.
pub fn is_memory_back() -> bool {
    reserve::restore()
}

/// Whether the script is to be told that there was no room for it.
pub fn is_shortage_news() -> bool {
    reserve::is_to_be_told()
}

/// Gives back to the system what is free between what is in use.
pub fn trim_memory() {
    reserve::trim();
}

/// The error of a script that has used up what it may have. What it lets go of by that is collected soon.
pub fn memory_used_up() -> Box<Error> {
    want_collection();
    let message = "the script has used up the memory that the limits of its process allow";
    Error::new(codes::LIMIT, message)
        .with_help("raise the limit (`ulimit -v`), or keep less at a time")
}

/// Has the machine collect its heap when it polls next.
pub fn want_collection() {
    signal::raise_flag(signal::COLLECT);
}

/// Whether somebody asked what this process is doing (Ctrl-\\): the machine then calls [`super::status::tell`] with its line.
pub fn wants_place() -> bool {
    signal::take(signal::STATUS) != 0
}

/// The same, where it is asked again.
pub fn is_place_wanted() -> bool {
    signal::poll_word().load(Ordering::Relaxed) & signal::STATUS != 0
}

/// Frees the objects of the arena that nobody holds any more.
pub fn collect() {
    if let Some(arena) = arena::get() {
        arena.collect();
    }
}

/// Raises `Interrupted` or `Cancelled` if it is due, once for each time; reaps children that ended. The failure of a process in
/// an open scope is a `Cancelled` too. Before that, whoever was left asleep for a moment is woken.
pub fn check() -> Result<()> {
    debts::pay();
    match wait::has_turn() {
        true => stopped::put_off(),
        false => stopped::stop_again(),
    }
    doom::check();
    let happened = signal::take(
        signal::INTERRUPTED
            | signal::CANCELLED
            | signal::CHILD_ENDED
            | signal::STATUS
            | signal::TIME_OVER,
    );
    if happened == 0 {
        return check_blocks();
    }
    let interrupted = happened & signal::INTERRUPTED != 0;
    if interrupted {
        INTERRUPTED_AT.store(clock::now(), Ordering::Relaxed);
        // Before the reaping: programs of the terminal's group have had the same signal, and their deaths are no news.
        interrupt_tree();
    }
    if happened & signal::CANCELLED != 0 {
        // Somebody may have asked a child of ours to end.
        doom::take_over();
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
    if happened & signal::TIME_OVER != 0 {
        let message = "what this process is at was to take less time";
        return Err(Error::new(codes::CANCELLED, message));
    }
    check_blocks()
}

/// What this process is in the middle of may have to end: all of it, the block of a scope, the reading of a source.
fn check_blocks() -> Result<()> {
    check_cancelled()?;
    scope::check_failure()?;
    reading::check()
}

/// Whether something has come that ends what this process is at: for those who can only look, for they hold an object's mutex.
/// Whoever sees it calls [`check`] when he has let go.
pub fn is_urgent() -> bool {
    signal::poll_word().load(Ordering::Relaxed) & signal::URGENT != 0
}

/// As [`check`] when something has come that ends what this process is at; else one load. For the loops of native code that
/// have no machine at hand: unlike a poll of the machine it collects nothing, so values may lie anywhere.
///
/// # Errors
/// `Interrupted` or `Cancelled`; `LimitExceeded` where memory has been used up meanwhile.
#[inline]
pub fn check_urgent() -> Result<()> {
    match signal::poll_word().load(Ordering::Relaxed) & (signal::URGENT | signal::MEMORY) {
        0 => Ok(()),
        signal::MEMORY if reserve::is_low() => {
            signal::take(signal::MEMORY);
            Err(memory_used_up())
        }
        signal::MEMORY => Ok(()),
        _ => check(),
    }
}

/// As [`check_urgent`], and also when this process was marked and the signal has not come yet.
///
/// # Errors
/// As [`check_urgent`].
pub(super) fn check_told() -> Result<()> {
    check_urgent()?;
    check_cancelled()
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
    CANCELLED.store(true, Ordering::Relaxed);
    if let Some(record) = record::of_slot(arena, arena::me()) {
        // Whoever else wants it to end finds it at its clean-up, also after the time-out of an item.
        record.obey(clock::deadline(GRACE));
    }
    Err(Error::new(codes::CANCELLED, "this process was cancelled"))
}

/// Seconds within which a Ctrl-C that a program has died by reaches this process too.
const SHARED_DELAY: f64 = 0.05;

/// Whether a program has ended by Ctrl-C, or tells so as a shell does.
fn is_interrupt(status: WaitStatus) -> bool {
    match status {
        WaitStatus::Signalled(number) => number == libc::SIGINT,
        WaitStatus::Exited(code) => code == 128 + libc::SIGINT,
    }
}

/// After the end of a program to which the keys of the terminal were left: a Ctrl-C that it died of was meant for the script too, which
/// meets it where it looks next. One that it has dealt with, and gone on or ended as it likes, was its own. Those that come now are ours.
pub fn take_keys_back(status: WaitStatus) {
    match is_interrupt(status) {
        true => signal::take_key(),
        false => signal::drop_keys(),
    }
}

/// After the end of a program: a terminal sends Ctrl-C to the program and to us, and when the program has died by it, our own
/// `Interrupted` comes before the failure of the program.
pub fn check_shared(status: WaitStatus, place: Option<Span>) -> Result<()> {
    match is_interrupt(status) {
        true => wait::sleep(SHARED_DELAY, place),
        false => Ok(()),
    }
}

/// After Ctrl-C: cancels every other process of the tree, so that its `finally` and `defer` run within the grace, after which it
/// is killed even if this process has not come to its own end. Daemons, which are ended and not waited for, get SIGTERM unless
/// they are workers of a pool, and so do the programs of this process; those of the others end with them.
///
/// Who is cancelled ends what is below him himself, and may do so before we come to it: a second `Cancelled` would cut off the
/// `finally` that runs. So those are left alone who have been asked since we began, and those who clean up already for another reason.
fn interrupt_tree() {
    programs::interrupt_all();
    let Some(arena) = arena::get() else {
        return;
    };
    arena
        .cell(Cell::Interrupted)
        .store(clock::now(), Ordering::Release);
    let me = arena::me();
    let killed_at = clock::deadline(GRACE);
    let others = arena
        .live_processes()
        .filter(|&process| process != me && is_of_line(arena, process));
    let standing = |process| {
        record::of_slot(arena, process).map(|record| (record.flags(), record.is_obeying()))
    };
    let others: Vec<(SlotRef, Option<(u64, bool)>)> =
        others.map(|process| (process, standing(process))).collect();
    // All are marked before any is woken: else one whose wait ends because another has obeyed would begin to clean up in order, and get its
    // own error in the middle of that.
    let mut marked = HashSet::new();
    for &(process, before) in &others {
        let (before, obeys) = before.unwrap_or_default();
        if let Some(record) = record::of_slot(arena, process)
            && record.flags() & (DAEMON | WORKER) != DAEMON
            && !obeys
            && (before & ASKED != 0 || record.is_first_to_ask())
            && mark(arena, process, record)
        {
            marked.insert(process);
        }
    }
    for (process, _) in others {
        let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
        match record::of_slot(arena, process) {
            Some(record) if record.flags() & (DAEMON | WORKER) != DAEMON => {
                if marked.contains(&process) {
                    tell(arena, process, record);
                }
                doom::at(killed_at, [Doomed::Slot(process)]);
            }
            found => {
                if let Some(record) = found {
                    record.flag(SIGNALLED);
                }
                if pid > 0 {
                    fork::send_signal_pinned(pid, libc::SIGTERM, || arena.is_alive(process));
                }
            }
        }
    }
}

/// Marks a process as cancelled: it gets the error wherever it looks next. False when it is not alive.
pub(super) fn mark(arena: &Arena, process: SlotRef, record: Record<'_>) -> bool {
    let slot = arena.slot(process.index);
    // Before the mark: whoever sees that it was asked asks no second time.
    record.flag(ASKED);
    record.obey(clock::deadline(GRACE));
    slot.cancelled.store(1, Ordering::SeqCst);
    // The slot may have been freed in between; a mark left in a free slot is cleared when it is taken.
    arena.is_alive(process)
}

/// Wakes a process that was marked. False when it is not alive.
pub(super) fn tell(arena: &Arena, process: SlotRef, record: Record<'_>) -> bool {
    wait::wake_process(arena, process);
    record.flag(SIGNALLED);
    fork::send_signal_pinned(record.pid(), signal::cancel_signal(), || {
        arena.is_alive(process)
    })
}

/// Has a process look at what it is in the middle of, whatever it waits for.
pub(super) fn nudge(arena: &Arena, process: SlotRef) {
    wait::wake_process(arena, process);
    let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
    if pid > 0 {
        // The mark of a cancellation is not set: the signal only wakes.
        fork::send_signal_pinned(pid, signal::cancel_signal(), || arena.is_alive(process));
    }
}

/// When the tree was told to end by Ctrl-C the last time (monotonic nanoseconds); 0 for never.
fn tree_interrupted_at() -> u64 {
    arena::get().map_or(0, |arena| {
        arena.cell(Cell::Interrupted).load(Ordering::Acquire)
    })
}

/// Whether the tree was told to end by Ctrl-C, however long ago: a script may have caught that, and gone on.
pub(super) fn is_tree_interrupted() -> bool {
    tree_interrupted_at() != 0
}

/// Whether a process or program was told to end by Ctrl-C: its failure is no news then. What a script that has caught the Ctrl-C
/// starts later was not.
pub(super) fn was_interrupted(record: &Record<'_>) -> bool {
    is_tree_interrupted() && record.began_at() <= tree_interrupted_at()
}

/// Where a child of this process has ended by the Ctrl-C that the tree is being told of, which may be sooner than this process is told
/// itself: then it is told by that. Two errors would come one after the other, the second into what cleans up after the first.
///
/// # Errors
/// `Cancelled`, unless this process was told before.
pub(super) fn take_part(child: &Record<'_>) -> Result<()> {
    let Some(arena) = arena::get().filter(|_| is_in_grace() && was_interrupted(child)) else {
        return Ok(());
    };
    check_cancelled()?;
    let own = record::of_slot(arena, arena::me());
    // The main process tells the others when it is told itself.
    let Some(own) = own.filter(|_| arena.main_pid() != fork::pid() && !was_cancelled()) else {
        return Ok(());
    };
    if was_interrupted(&own) && own.is_first_to_ask() {
        CANCELLED.store(true, Ordering::Relaxed);
        own.obey(clock::deadline(GRACE));
        return Err(Error::new(codes::CANCELLED, "this process was cancelled"));
    }
    // It is being told this very moment.
    wait::sleep(SHARED_DELAY, None)
}

/// Whether what was begun at an instant (monotonic nanoseconds) may end by the Ctrl-C that the tree was told of a moment ago.
pub(super) fn may_end_by_interrupt(since: u64) -> bool {
    is_in_grace() && since <= tree_interrupted_at()
}

/// Whether the tree was told to end a moment ago, and its processes have the time for that still: nobody begins anything then.
pub fn is_in_grace() -> bool {
    let at = tree_interrupted_at();
    at != 0 && clock::now() < at.saturating_add(clock::nanoseconds(GRACE))
}

/// The error of a Ctrl-C that this process has heard of since an instant (monotonic nanoseconds).
pub fn interrupted_since(since: u64) -> Option<Box<Error>> {
    let is_since = INTERRUPTED_AT.load(Ordering::Relaxed) >= since;
    is_since.then(|| Error::new(codes::INTERRUPTED, "interrupted by Ctrl-C"))
}

/// Nanoseconds of the monotonic clock until which processes that were told to end may take their time; `None` when the
/// tree was not interrupted.
pub fn grace_ends() -> Option<u64> {
    match INTERRUPTED_AT.load(Ordering::Relaxed) {
        0 => None,
        at => Some(at + clock::nanoseconds(GRACE)),
    }
}

/// Seconds that programs of this process have left to end by themselves after a Ctrl-C; `None` when there was none, or they are over.
pub(super) fn programs_grace() -> Option<f64> {
    let arena = arena::get()?;
    let ends = match arena.cell(Cell::Interrupted).load(Ordering::Acquire) {
        0 => return None,
        at => at + clock::nanoseconds(GRACE),
    };
    // What is deaf has to be told once more before this process is killed itself.
    let left = ends.checked_sub(clock::now())? as f64 / 1e9 - 2.0 * programs::GRACE;
    (left > 0.0).then_some(left)
}

/// Forgets a Ctrl-C that has been dealt with (the prompt does).
pub fn forget_interrupt() {
    INTERRUPTED_AT.store(0, Ordering::Relaxed);
    if let Some(arena) = arena::get() {
        arena.cell(Cell::Interrupted).store(0, Ordering::Release);
    }
    signal::take(signal::INTERRUPTED);
    signal::rearm_interrupt();
}

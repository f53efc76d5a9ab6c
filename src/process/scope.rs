//! Scopes: leaving the block waits for every process that was spawned in it; the first failure cancels the rest.

use super::doom::{self, Doomed};
use super::ended::Ended;
use super::record::{OBSERVED, OUT_OF_TIME, Record};
use super::signals;
use super::spawn::Process;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::diag::{Error, Field, Result, codes};
use crate::os::alarm::{self, Setter};
use crate::os::clock;
use crate::source::Span;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A scope that has been entered and not left.
struct Open {
    children: Vec<Process>,
    /// At most so many of them run at one time.
    limit: Option<usize>,
    deadline: Option<u64>,
    seconds: f64,
    /// Its time-out was raised in the block: once is enough, so that the block can clean up.
    raised: bool,
    /// One of its processes failed while the block ran: the others were cancelled, and the block was told.
    failed: Option<Failure>,
    place: Option<Span>,
}

/// What ended a scope before its block was over.
#[derive(Clone)]
struct Failure {
    /// The first process that failed.
    process: Process,
    /// When the others, which were cancelled, are killed.
    deadline: u64,
}

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());
/// The nearest time-out of an open scope that was not raised yet (monotonic nanoseconds); 0 for none.
static NEAREST: AtomicU64 = AtomicU64::new(0);
/// A child ended badly since the open scopes were last looked at.
static NEWS: AtomicBool = AtomicBool::new(false);

fn with<T>(body: impl FnOnce(&mut Vec<Open>) -> T) -> T {
    let mut guard = match OPEN.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    };
    let answer = body(&mut guard);
    let deadlines = guard.iter().filter(|scope| !scope.raised);
    let nearest = deadlines.filter_map(|scope| scope.deadline).min();
    if NEAREST.swap(nearest.unwrap_or(0), Ordering::Relaxed) != nearest.unwrap_or(0) {
        // For a block that is stuck in a call of the system: all else looks at the time itself.
        alarm::set(Setter::Scope, nearest);
    }
    answer
}

/// When the block of an open scope must be interrupted, wherever it is (monotonic nanoseconds).
#[inline]
pub fn nearest_deadline() -> Option<u64> {
    Some(NEAREST.load(Ordering::Relaxed)).filter(|&deadline| deadline != 0)
}

/// Raises the time-out of an open scope when it has come, once for each scope.
pub fn check_deadline() -> Result<()> {
    let now = clock::now();
    if nearest_deadline().is_none_or(|deadline| deadline > now) {
        return Ok(());
    }
    let due = with(|scopes| {
        let is_due = |scope: &&mut Open| {
            !scope.raised && scope.deadline.is_some_and(|deadline| deadline <= now)
        };
        let scope = scopes.iter_mut().find(is_due)?;
        scope.raised = true;
        Some(scope.seconds)
    });
    match due {
        Some(seconds) => Err(Error::new(
            codes::TIMEOUT,
            format!("the scope was to end within {seconds} s, but its block took longer"),
        )
        .with_field("seconds", Field::Float(seconds))),
        None => Ok(()),
    }
}

/// Whether the time-out of an open scope has been raised.
pub fn is_late() -> bool {
    with(|scopes| scopes.iter().any(|scope| scope.raised).then_some(())).is_some()
}

/// Takes note that a child of this process, or a program that it spawned, has not ended in order.
pub(super) fn note_bad_end() {
    NEWS.store(true, Ordering::Relaxed);
}

/// When a process of an open scope has failed and nobody has joined it: cancels the others and raises `Cancelled` in the
/// block, once for each scope, wherever the block is. The failure itself is raised when the scope is left.
#[inline]
pub fn check_failure() -> Result<()> {
    match NEWS.load(Ordering::Relaxed) {
        true => look_for_failures(),
        false => Ok(()),
    }
}

#[cold]
fn look_for_failures() -> Result<()> {
    NEWS.store(false, Ordering::Relaxed);
    let open = with(|scopes| {
        let running = scopes.iter().enumerate();
        let running = running.filter(|(_, scope)| scope.failed.is_none());
        let children = running.map(|(at, scope)| (at, scope.children.clone()));
        children.collect::<Vec<_>>()
    });
    let mut told = None;
    for (at, children) in open {
        let Some(first) = children.iter().find(|child| has_failed(child)) else {
            continue;
        };
        let deadline = clock::deadline(signals::GRACE);
        let others = children.iter().filter(|child| *child != first);
        cancel(others.clone());
        // The block may wait for just them.
        doom::at(deadline, others.cloned().map(Doomed::Child));
        with(|scopes| {
            if let Some(scope) = scopes.get_mut(at) {
                let process = first.clone();
                scope.failed = Some(Failure { process, deadline });
            }
        });
        // The outermost scope is the one that the block has to leave.
        told.get_or_insert_with(|| first.clone());
    }
    match told {
        Some(process) => Err(ended_by(&process)),
        None => Ok(()),
    }
}

/// Whether it ended badly, and neither the block nor anybody else has waited for that or brought it about by a signal.
fn has_failed(child: &Process) -> bool {
    let record = Record::of(child.hold().object());
    let failed = child
        .ended()
        .is_some_and(|ended| is_failure(record, &ended));
    // What ends because the user ends everything does not end the block besides: whether it has failed in that shows when the scope is
    // left.
    failed && !child.was_interrupted() && !record.is_seen()
}

/// Whether an end is a failure of a scope: a death that another process of the script has brought about is none.
fn is_failure(record: Record<'_>, ended: &Ended) -> bool {
    match ended {
        // Its time was over, however it has ended then.
        _ if record.flags() & OUT_OF_TIME != 0 => true,
        Ended::Killed(_) => !record.is_ended_by_another(),
        ended => ended.is_failure(),
    }
}

fn ended_by(process: &Process) -> Box<Error> {
    let name = process.name();
    let message = format!("the scope is ended, because {name} failed in it");
    Error::new(codes::CANCELLED, message).with_field(ENDED_BY, Field::Text(name))
}

/// The field of the `Cancelled` that the block of a scope gets when one of its processes fails.
const ENDED_BY: &str = "ended_by";

/// Whether an error is the one that a block gets when a process of its scope has failed.
pub fn is_end_of_block(error: &Error) -> bool {
    error.code == codes::CANCELLED && error.fields.iter().any(|(name, _)| name == ENDED_BY)
}

/// How a block was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// By its end, or by `return`, `break` and the like.
    InOrder,
    /// By an error.
    Raised,
    /// By `exit`: nobody hears of the failures of its processes from the scope.
    Exits,
}

/// What came of the processes of a scope.
#[derive(Debug, Default)]
pub struct Left {
    /// Those that failed and that nobody in the block had joined, the first failure first: it is what the scope raises,
    /// with the others as causes. Who decodes the errors leaves out the later ones that are `Cancelled`: they are what the
    /// first failure did to the others.
    pub failures: Vec<(Process, Ended)>,
    /// The scope's own error: its time-out, or Ctrl-C or a cancellation while it waited.
    pub error: Option<Box<Error>>,
    /// The block was ended because of the first failure: what it raised then is no news.
    pub ended_block: bool,
    /// When the scope's time-out comes (monotonic nanoseconds), and how many seconds it was: for what else ends with it.
    pub deadline: Option<u64>,
    #[allow(missing_docs)]
    pub seconds: f64,
}

/// Enters a scope: processes started from here on belong to it. `timeout` (seconds) counts from here.
pub fn enter(timeout: Option<f64>, limit: Option<usize>, place: Option<Span>) -> Result<()> {
    if limit == Some(0) {
        return Err(Error::new(
            codes::VALUE,
            "the limit of a scope is 1 or more, but this is 0",
        ));
    }
    let open = Open {
        children: Vec::new(),
        limit,
        deadline: timeout.map(clock::deadline),
        seconds: timeout.unwrap_or(0.0),
        raised: false,
        failed: None,
        place,
    };
    with(|scopes| scopes.push(open));
    Ok(())
}

/// In a new child: it is in no scope.
pub(super) fn forget_all() {
    // Not dropped: see the reaper.
    std::mem::forget(with(std::mem::take));
}

/// Before a process is started: waits until the innermost scope has room for it (or its time-out is raised). After the failure
/// of one of its processes nothing is started any more.
pub fn wait_for_room(place: Option<Span>) -> Result<()> {
    check_failure()?;
    let state = with(|scopes| {
        let scope = scopes.last()?;
        Some((scope.limit?, scope.children.clone()))
    });
    let Some((limit, children)) = state else {
        return check_open();
    };
    let running: Vec<Process> = children.into_iter().filter(Process::alive).collect();
    if running.len() < limit {
        // Who made room may have failed, and nobody has looked yet.
        look_for_failures()?;
        return check_open();
    }
    let awaited: Vec<Awaited<'_>> = running.iter().map(Process::awaited).collect();
    let spec = WaitSpec::new(Operation::Children, &awaited, place);
    let room = || running.iter().filter(|child| child.alive()).count() < limit;
    wait::wait(&spec, || Ok(room().then_some(())))?;
    look_for_failures()?;
    check_open()
}

/// After the failure of one of its processes nothing is started in the innermost scope any more.
fn check_open() -> Result<()> {
    match with(|scopes| scopes.last()?.failed.clone()) {
        Some(failure) => Err(ended_by(&failure.process)),
        None => Ok(()),
    }
}

/// Notes a process that was started in the innermost scope.
pub(super) fn note_started(process: &Process) {
    with(|scopes| {
        if let Some(scope) = scopes.last_mut()
            && !process.daemon()
        {
            scope.children.push(process.clone());
        }
    });
}

/// Leaves the innermost scope, waiting for its processes. When the block itself raised an error, they are cancelled at once.
pub fn leave(leaving: Leaving) -> Left {
    let Some(scope) = with(Vec::pop) else {
        return Left::default();
    };
    let mut end = End {
        rest: scope.children.iter().cloned().collect(),
        deadline: scope.deadline,
        cancelled: false,
        left: Left {
            deadline: scope.deadline,
            seconds: scope.seconds,
            ..Left::default()
        },
        observes: leaving != Leaving::Exits,
    };
    if let Some(failure) = &scope.failed {
        end.left.ended_block = true;
        end.rest.retain(|process| *process != failure.process);
        end.rest.push_front(failure.process.clone());
    }
    // What has failed by now has not failed because it was cancelled.
    while let Some((process, ended)) = end.next_ended() {
        end.take(process, ended);
    }
    match &scope.failed {
        Some(failure) => (end.cancelled, end.deadline) = (true, Some(failure.deadline)),
        None if leaving != Leaving::InOrder => end.cancel(),
        None => {}
    }
    while !end.rest.is_empty() {
        match end.wait_for_one(scope.place) {
            Ok(Some((process, ended))) => end.take(process, ended),
            Ok(None) if end.cancelled => {
                end.rest.iter().for_each(|process| {
                    process.kill();
                });
                end.deadline = None;
            }
            Ok(None) => {
                end.left.error = Some(timed_out(&scope, &end.rest));
                end.cancel();
            }
            Err(error) => {
                end.left.error.get_or_insert(error);
                end.cancel();
            }
        }
    }
    end.left
}

/// A scope that is being left.
struct End {
    /// Its processes that have not ended.
    rest: VecDeque<Process>,
    deadline: Option<u64>,
    /// They were asked to end.
    cancelled: bool,
    left: Left,
    /// Whether failures are raised by the scope; else they stay news.
    observes: bool,
}

impl End {
    fn cancel(&mut self) {
        cancel(&self.rest);
        self.cancelled = true;
        self.deadline = Some(clock::deadline(signals::GRACE));
    }

    /// Deals with the end of a process.
    fn take(&mut self, process: Process, ended: Ended) {
        let record = Record::of(process.hold().object());
        let is_failure = is_failure(record, &ended);
        let handled = is_failure && record.is_seen();
        if self.observes {
            record.flag(OBSERVED);
        }
        let is_told_to_end =
            self.cancelled || process.is_program() && signals::was_interrupted(&record);
        let is_our_doing =
            is_told_to_end && (process.is_program() || ended == Ended::Killed(libc::SIGKILL));
        if is_our_doing {
            record.flag(OBSERVED);
        }
        if !is_failure || handled || is_our_doing {
            return;
        }
        let was_interrupted = process.was_interrupted();
        self.left.failures.push((process, ended));
        if !self.cancelled && !was_interrupted {
            self.cancel();
        }
    }

    /// Takes out one that has ended.
    fn next_ended(&mut self) -> Option<(Process, Ended)> {
        next_ended(&mut self.rest)
    }

    /// Waits until one of the processes has ended and takes it out.
    fn wait_for_one(&mut self, place: Option<Span>) -> Result<Option<(Process, Ended)>> {
        let processes: Vec<Process> = self.rest.iter().cloned().collect();
        let awaited: Vec<Awaited<'_>> = processes.iter().map(Process::awaited).collect();
        let mut spec = WaitSpec::new(Operation::Children, &awaited, place);
        spec.deadline = self.deadline;
        let rest = &mut self.rest;
        wait::wait(&spec, || Ok(next_ended(rest)))
    }
}

fn next_ended(rest: &mut VecDeque<Process>) -> Option<(Process, Ended)> {
    let mut found = None;
    rest.retain(|process| match found {
        None => {
            found = process.ended().map(|ended| (process.clone(), ended));
            found.is_none()
        }
        Some(_) => true,
    });
    found
}

/// Notes a program that was spawned in the innermost scope.
pub(super) fn note_program(process: &Process) {
    with(|scopes| {
        if let Some(scope) = scopes.last_mut() {
            scope.children.push(process.clone());
        }
    });
}

fn cancel<'a>(rest: impl IntoIterator<Item = &'a Process>) {
    Process::ask_all_to_end(rest);
}

fn timed_out(scope: &Open, rest: &VecDeque<Process>) -> Box<Error> {
    let names: Vec<String> = rest.iter().map(Process::name).collect();
    Error::new(
        codes::TIMEOUT,
        format!(
            "the processes of the scope were to end within {} s, but {} did not",
            scope.seconds,
            names.join(", ")
        ),
    )
    .with_field("seconds", Field::Float(scope.seconds))
}

/// How many scopes are entered: for the driver, to leave those that an error jumped over.
pub fn depth() -> usize {
    with(|scopes| scopes.len())
}

impl Ended {
    /// Whether it is an end that a scope raises: an error, a signal, a code other than 0.
    pub fn is_failure(&self) -> bool {
        !matches!(
            self,
            Ended::Returned(_) | Ended::Exited(0) | Ended::Passed(_)
        )
    }
}

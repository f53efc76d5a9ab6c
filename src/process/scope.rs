//! Scopes: leaving the block waits for every process that was spawned in it; the first failure cancels the rest.

use super::ended::Ended;
use super::record::{OBSERVED, Record};
use super::signals;
use super::spawn::Process;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::diag::{Error, Field, Result, codes};
use crate::os::clock;
use crate::source::Span;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A scope that has been entered and not left.
struct Open {
    children: Vec<Process>,
    /// At most so many of them run at one time.
    limit: Option<usize>,
    deadline: Option<u64>,
    seconds: f64,
    /// Its time-out was raised in the block: once is enough, so that the block can clean up.
    raised: bool,
    place: Option<Span>,
}

static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());
/// The nearest time-out of an open scope that was not raised yet (monotonic nanoseconds); 0 for none.
static NEAREST: AtomicU64 = AtomicU64::new(0);

fn with<T>(body: impl FnOnce(&mut Vec<Open>) -> T) -> T {
    let mut guard = match OPEN.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    };
    let answer = body(&mut guard);
    let deadlines = guard.iter().filter(|scope| !scope.raised);
    let nearest = deadlines.filter_map(|scope| scope.deadline).min();
    NEAREST.store(nearest.unwrap_or(0), Ordering::Relaxed);
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

/// What came of the processes of a scope.
#[derive(Debug, Default)]
pub struct Left {
    /// Those that failed and that nobody in the block had joined, the first failure first: it is what the scope raises,
    /// with the others as causes. Who decodes the errors leaves out the later ones that are `Cancelled`: they are what the
    /// first failure did to the others.
    pub failures: Vec<(Process, Ended)>,
    /// The scope's own error: its time-out, or Ctrl-C or a cancellation while it waited.
    pub error: Option<Box<Error>>,
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

/// Before a process is started: waits until the innermost scope has room for it (or its time-out is raised).
pub fn wait_for_room(place: Option<Span>) -> Result<()> {
    let state = with(|scopes| {
        let scope = scopes.last()?;
        Some((scope.limit?, scope.children.clone()))
    });
    let Some((limit, children)) = state else {
        return Ok(());
    };
    let running: Vec<Process> = children.into_iter().filter(Process::alive).collect();
    if running.len() < limit {
        return Ok(());
    }
    let awaited: Vec<Awaited<'_>> = running.iter().map(Process::awaited).collect();
    let spec = WaitSpec::new(Operation::Children, &awaited, place);
    let room = || running.iter().filter(|child| child.alive()).count() < limit;
    wait::wait(&spec, || Ok(room().then_some(()))).map(|_| ())
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

/// Leaves the innermost scope, waiting for its processes. `failed`: the block itself raised an error, so that they are
/// cancelled at once.
pub fn leave(failed: bool) -> Left {
    let Some(scope) = with(Vec::pop) else {
        return Left::default();
    };
    let mut left = Left::default();
    let mut rest: VecDeque<Process> = scope.children.iter().cloned().collect();
    let mut deadline = scope.deadline;
    let mut cancelled = false;
    if failed {
        cancel(&rest);
        (cancelled, deadline) = (true, Some(clock::deadline(signals::GRACE)));
    }
    while !rest.is_empty() {
        let ended = wait_for_one(&mut rest, deadline, scope.place);
        match ended {
            Ok(Some((process, ended))) => {
                let handled = Record::of(process.hold().object()).flag(OBSERVED) & OBSERVED != 0;
                if !ended.is_failure()
                    || handled
                    || cancelled && (process.is_program() || ended == Ended::Killed(libc::SIGKILL))
                {
                    continue;
                }
                left.failures.push((process, ended));
                if !cancelled {
                    cancel(&rest);
                    (cancelled, deadline) = (true, Some(clock::deadline(signals::GRACE)));
                }
            }
            Ok(None) if cancelled => {
                rest.iter().for_each(|process| {
                    process.kill();
                });
                deadline = None;
            }
            Ok(None) => {
                left.error = Some(timed_out(&scope, &rest));
                cancel(&rest);
                (cancelled, deadline) = (true, Some(clock::deadline(signals::GRACE)));
            }
            Err(error) => {
                left.error.get_or_insert(error);
                cancel(&rest);
                (cancelled, deadline) = (true, Some(clock::deadline(signals::GRACE)));
            }
        }
    }
    left
}

/// Waits until one of the processes has ended and takes it out.
fn wait_for_one(
    rest: &mut VecDeque<Process>,
    deadline: Option<u64>,
    place: Option<Span>,
) -> Result<Option<(Process, Ended)>> {
    let processes: Vec<Process> = rest.iter().cloned().collect();
    let awaited: Vec<Awaited<'_>> = processes.iter().map(Process::awaited).collect();
    let mut spec = WaitSpec::new(Operation::Children, &awaited, place);
    spec.deadline = deadline;
    wait::wait(&spec, || {
        let mut found = None;
        rest.retain(|process| match found {
            None => {
                found = process.ended().map(|ended| (process.clone(), ended));
                found.is_none()
            }
            Some(_) => true,
        });
        Ok(found)
    })
}

/// Notes a program that was spawned in the innermost scope.
pub(super) fn note_program(process: &Process) {
    with(|scopes| {
        if let Some(scope) = scopes.last_mut() {
            scope.children.push(process.clone());
        }
    });
}

fn cancel(rest: &VecDeque<Process>) {
    for process in rest {
        process.ask_to_cancel();
    }
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

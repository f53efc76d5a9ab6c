//! `scope`: a block that owns the processes spawned in it.
//!
//! Each process keeps a stack of the scopes that it is in. Leaving one in order waits for its processes; the first failure
//! cancels the others and is raised, with further failures as its causes. Leaving it by an error cancels all.

use super::options::Options;
use super::process::ProcessHandle;
use super::{Table, arguments, spawn, state};
use crate::diag::{Error, codes};
use crate::os::clock;
use crate::process::wait::{self, Awaited, Operation, WaitSpec};
use crate::process::{Ended, Process, signals};
use crate::source::Span;
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::native::{Args, Context, Fault, Outcome};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@scope_enter" ("options") enter, "The beginning of `scope(options) { ... }`.";
    "@scope_leave" ("guard", "error") leave, "The end of a scope.";
};

/// The scopes that this process is in, innermost last.
#[derive(Default)]
struct Scopes {
    stack: Vec<Scope>,
    /// The process that the stack belongs to: a forked child is in none of its parent's scopes.
    pid: i32,
}

struct Scope {
    children: Vec<Process>,
    deadline: Option<u64>,
    timeout: f64,
    limit: Option<u64>,
    place: Option<Span>,
}

fn scopes(context: &mut dyn Context) -> &mut Scopes {
    let scopes: &mut Scopes = state::of(context);
    let pid = crate::os::fork::pid();
    if scopes.pid != pid {
        scopes.stack.clear();
        scopes.pid = pid;
    }
    scopes
}

fn enter(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("scope", &args[0])?;
    let timeout = options.timeout("timeout")?;
    let limit = options.count("limit", 1)?;
    let place = context.place();
    let scope = Scope {
        children: Vec::new(),
        deadline: timeout.map(clock::deadline),
        timeout: timeout.unwrap_or(0.0),
        limit,
        place,
    };
    let stack = &mut scopes(context).stack;
    stack.push(scope);
    Ok(Value::Int(stack.len() as i64))
}

/// Before a process is started: in a scope with a limit, waits until one more may run.
pub fn before_start(context: &mut dyn Context) -> Outcome<()> {
    let place = context.place();
    let Some(scope) = scopes(context).stack.last() else {
        return Ok(());
    };
    let Some(limit) = scope.limit else {
        return Ok(());
    };
    let (children, deadline, timeout) = (scope.children.clone(), scope.deadline, scope.timeout);
    let running = || children.iter().filter(|child| child.alive()).count() as u64;
    let awaited: Vec<Awaited<'_>> = children.iter().map(Process::awaited).collect();
    let mut spec = WaitSpec::new(Operation::Children, &awaited, place);
    spec.deadline = deadline;
    match wait::wait(&spec, || Ok((running() < limit).then_some(())))? {
        Some(()) => Ok(()),
        None => Err(too_long(timeout).into()),
    }
}

/// Notes a process that was started.
pub fn note(context: &mut dyn Context, value: Value) {
    if let Some(handle) = value.as_handle::<ProcessHandle>()
        && let Some(scope) = scopes(context).stack.last_mut()
    {
        scope.children.push(handle.process.clone());
    }
}

fn too_long(timeout: f64) -> Box<Error> {
    Error::new(
        codes::TIMEOUT,
        format!("the scope was to end within {timeout} s, but it took longer"),
    )
}

fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let depth = arguments::int("scope", "guard", &args[0])?;
    let stack = &mut scopes(context).stack;
    // Scopes that were left by an error inside of this one are gone with it.
    let inner: Vec<Scope> = stack
        .drain((depth.max(1) as usize - 1).min(stack.len())..)
        .collect();
    let Some(scope) = inner.first() else {
        return Ok(Value::Nil);
    };
    let children: Vec<Process> = inner
        .iter()
        .flat_map(|scope| scope.children.iter().cloned())
        .collect();
    if !matches!(args[1], Value::Nil | Value::Undef) {
        cancel_all(&children, context.place())?;
        return Ok(Value::Nil);
    }
    wait_all(context, scope, &children)
}

/// Waits for all children of a scope, as long as none fails.
fn wait_all(context: &mut dyn Context, scope: &Scope, children: &[Process]) -> Outcome {
    loop {
        let ended: Vec<Option<Ended>> = children.iter().map(Process::ended).collect();
        if ended.iter().flatten().any(failed) {
            let early = ended
                .iter()
                .map(|end| end.as_ref().is_some_and(failed))
                .collect::<Vec<_>>();
            cancel_all(children, scope.place)?;
            return Err(failure(context, children, &early));
        }
        let running: Vec<&Process> = children
            .iter()
            .zip(&ended)
            .filter(|(_, end)| end.is_none())
            .map(|(child, _)| child)
            .collect();
        if running.is_empty() {
            // Everything went well: look at each, so that none counts as unobserved.
            observe(children, scope.place)?;
            return Ok(Value::Nil);
        }
        let awaited: Vec<Awaited<'_>> = running.iter().map(|child| child.awaited()).collect();
        let mut spec = WaitSpec::new(
            Operation::Children,
            &awaited,
            context.place().or(scope.place),
        );
        spec.deadline = scope.deadline;
        let outcome = wait::wait(&spec, || {
            Ok(running
                .iter()
                .any(|child| child.ended().is_some())
                .then_some(()))
        });
        match outcome {
            Ok(Some(())) => {}
            Ok(None) => {
                cancel_all(children, scope.place)?;
                return Err(too_long(scope.timeout).into());
            }
            Err(error) => {
                cancel_all(children, scope.place)?;
                return Err(error.into());
            }
        }
    }
}

fn failed(ended: &Ended) -> bool {
    ended.exitcode() != 0
}

/// Cancels what runs, kills what has not ended after the grace, and looks after each.
fn cancel_all(children: &[Process], place: Option<Span>) -> Outcome<()> {
    for child in children {
        child.ask_to_cancel();
    }
    let end = clock::deadline(signals::GRACE);
    for child in children.iter().filter(|child| child.started()) {
        let left = end.saturating_sub(clock::now()) as f64 / 1e9;
        // A second Ctrl-C while cleaning up must not leave anybody running.
        if !matches!(child.wait(Some(left), place), Ok(true)) {
            child.kill();
        }
    }
    observe(children, place)
}

/// Waits for processes that have ended, or are about to, so that their ends count as seen.
fn observe(children: &[Process], place: Option<Span>) -> Outcome<()> {
    for child in children.iter().filter(|child| child.started()) {
        child.wait(None, place)?;
    }
    Ok(())
}

/// The error of the child that failed by itself (`early` tells which had), with further failures behind it. What the
/// cancellation did to the others is left out.
fn failure(context: &mut dyn Context, children: &[Process], early: &[bool]) -> Fault {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for (child, &early) in children.iter().zip(early) {
        let Some(ended) = child.ended() else { continue };
        if !early && !matches!(ended, Ended::Raised(_)) {
            continue;
        }
        let error = match spawn::value_of(context, child, ended) {
            Err(Fault::Thrown(error)) => error,
            Err(Fault::Error(error)) => Value::Error(ErrorValue::new(
                context.heap(),
                error,
                Vec::new(),
                Value::Nil,
            )),
            _ => continue,
        };
        context.protect(error);
        let cancelled =
            matches!(error, Value::Error(error) if error.report.code == codes::CANCELLED);
        if early {
            first.push(error);
        } else if !cancelled {
            later.push(error);
        }
    }
    first.extend(later);
    spawn::combine(context, &first)
        .unwrap_or_else(|| Error::new(codes::PROCESS_DIED, "a process of the scope failed").into())
}

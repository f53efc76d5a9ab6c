//! A call for an item, and what comes of it, which goes into its job: the same for a worker of `pool map` and for one of a
//! `pool(n)`.

use super::super::{file_gather, spawn, travel};
use crate::diag::codes;
use crate::os::{clock, limit};
use crate::process::pool::job::{Job, Produced};
use crate::process::pool::{outlet, tail};
use crate::process::{Message, signals};
use crate::source::Span;
use crate::value::Value;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::wire;
use std::io::Write;

/// The intrinsic that the body of a `pool map` returns for `continue`: no script can name it.
pub const LEFT_OUT: &str = "@pool_continue";
/// The intrinsic that it returns for `break`.
pub const BROKEN_OFF: &str = "@pool_break";

/// Whether the body returned what stands for a word of the loop.
pub fn is_word(value: Value) -> bool {
    matches!(value, Value::Native(native) if [LEFT_OUT, BROKEN_OFF].contains(&native.name))
}

/// Whether a function is a body that may say `break`.
pub fn may_break(function: Value) -> bool {
    let Value::Fn(closure) = function else {
        return false;
    };
    let mut constants = closure.proto.constants.iter();
    constants
        .any(|&constant| matches!(constant, Value::Native(native) if native.name == BROKEN_OFF))
}

/// What stands for a word of the loop is returned, never called.
pub fn not_called(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Nil)
}

/// Makes a call that may take so many seconds. After that `Cancelled` is raised in it, so that its `finally` and `defer` run;
/// then this worker ends by a signal that tells why, whatever the call has made of it.
#[inline]
pub fn within(limit: Option<f64>, call: impl FnOnce() -> Outcome) -> Outcome {
    if let Some(seconds) = limit {
        return timed(seconds, call);
    }
    let mut result = call();
    file_gather::settle(&mut result);
    result
}

fn timed(seconds: f64, call: impl FnOnce() -> Outcome) -> Outcome {
    let grace = clock::nanoseconds(signals::GRACE);
    limit::arm(clock::nanoseconds(seconds), grace);
    let mut result = call();
    file_gather::settle(&mut result);
    if limit::disarm() {
        // Where it was told that its time is over, whatever its `finally` did then.
        if let Some(place) = result.as_ref().err().and_then(place_of) {
            tail::note_place(Some(place));
        }
        // What was printed without a newline still waits here, and what programs have printed.
        let _ = std::io::stdout().flush();
        outlet::settle();
        limit::end_here();
    }
    result
}

/// Where something was raised.
fn place_of(fault: &Fault) -> Option<Span> {
    match fault {
        Fault::Error(error) => error.span,
        Fault::Thrown(Value::Error(error)) => error.report.span,
        Fault::Thrown(_) | Fault::Exit(_) => None,
    }
}

/// Between two calls: collects garbage when that is wanted, because a function without loops and calls has no safe point of its
/// own. False when this worker was cancelled meanwhile, and is to leave.
pub fn collect_if_wanted(context: &mut dyn Context) -> Outcome<bool> {
    if !context.heap().wanted {
        return Ok(true);
    }
    match context.poll() {
        Ok(()) => Ok(true),
        Err(Fault::Error(error)) if error.code == codes::CANCELLED => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Stores the result of an item: numbers, truth values and nil as they are, the rest encoded; an error as one, and unless
/// errors are collected nothing more is handed out from there on. `exit` is passed on.
pub fn settle(
    context: &mut dyn Context,
    job: &Job,
    item: u64,
    result: Outcome,
    collect: bool,
    message: &mut Message,
) -> Outcome<()> {
    settle_kept(
        context,
        job,
        item,
        result.map(|value| (value, false)),
        collect,
        message,
    )
}

/// As [`settle`], for a result that is kept for longer than the program runs: with it comes whether there are structs in it.
pub fn settle_kept(
    context: &mut dyn Context,
    job: &Job,
    item: u64,
    result: Outcome<(Value, bool)>,
    collect: bool,
    message: &mut Message,
) -> Outcome<()> {
    let stored = result.and_then(|value| store(context, job, item, value, message));
    match stored {
        Ok(()) => Ok(()),
        Err(Fault::Exit(code)) => Err(Fault::Exit(code)),
        Err(fault) => {
            let error = spawn::raised(context, fault);
            job.finish(item, Produced::Error(&error.bytes), &error.handles)?;
            if !collect {
                job.stop_by_failure(item);
            }
            Ok(())
        }
    }
}

fn store(
    context: &mut dyn Context,
    job: &Job,
    item: u64,
    (value, has_structs): (Value, bool),
    message: &mut Message,
) -> Outcome<()> {
    if let Some(produced) = plain(value) {
        return Ok(job.finish(item, produced, &[])?);
    }
    if let Value::Native(native) = value {
        // The words of the loop that the body is: see [`LEFT_OUT`] and [`BROKEN_OFF`].
        match native.name {
            BROKEN_OFF => {
                job.break_at(item);
                return Ok(());
            }
            LEFT_OUT => return Ok(job.finish(item, Produced::LeftOut, &[])?),
            _ => {}
        }
    }
    travel::pack_into(context, value, message)?;
    if has_structs {
        wire::note_structs(&mut message.bytes);
    }
    let value = Produced::Value(&message.bytes);
    Ok(job.finish(item, value, &message.handles)?)
}

/// The result that needs no encoding, if a value is one.
pub fn plain(value: Value) -> Option<Produced<'static>> {
    Some(match value {
        Value::Int(i) => Produced::Int(i),
        Value::Float(f) => Produced::Float(f),
        Value::Bool(b) => Produced::Bool(b),
        Value::Nil => Produced::Nil,
        _ => return None,
    })
}

//! `scope`: what the construct compiles to. Which processes belong to a scope, and the waiting for them, is the process layer's.

use super::options::Options;
use super::pool::workers::leave_scope;
use super::{Table, spawn};
use crate::diag::{Error, ProcessTag, codes};
use crate::process::scope::{self, Leaving};
use crate::process::{Ended, Process};
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::heap::Gc;
use crate::value::native::{Args, Context, Fault, Outcome};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@scope_enter" ("options") enter, "The beginning of `scope(options) { ... }`.";
    "@scope_leave" ("guard", "error") leave, "The end of a scope.";
};

fn enter(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("scope", &args[0])?;
    let timeout = options.timeout("timeout")?;
    let limit = options.count("limit", 1)?;
    scope::enter(timeout, limit.map(|limit| limit as usize), context.place())?;
    Ok(Value::Nil)
}

/// Waits for the processes of the scope, and then for its pools. The error of the block itself, if it had one, is what goes on, then that of the
/// waiting (its time-out), then the first failure among the processes; all others become its causes. Only Ctrl-C and a
/// cancellation come before the block's error; and when the block was ended because of the first failure, that goes on.
fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let scopes = scope::depth();
    let leaving = match args[1] {
        Value::Nil | Value::Undef => Leaving::InOrder,
        Value::Int(_) => Leaving::Exits,
        _ => Leaving::Raised,
    };
    let left = scope::leave(leaving);
    // Its processes may have handed something to its pools until now.
    let in_order = leaving == Leaving::InOrder && left.error.is_none() && left.failures.is_empty();
    let of_pools = match leave_scope(context, scopes, &left, in_order) {
        Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
        Err(Fault::Error(error)) => {
            let error = placed(context, error);
            Some(as_value(context, error))
        }
        Err(Fault::Thrown(error)) => Some(error),
        Ok(()) => None,
    };
    let mut errors = Vec::new();
    let mut behind = Vec::new();
    match args[1] {
        Value::Error(error) if left.ended_block && scope::is_end_of_block(&error.report) => {
            behind = causes_of(error);
        }
        Value::Error(_) => errors.push(args[1]),
        _ => {}
    }
    if let Some(error) = left.error {
        let ends = [codes::INTERRUPTED, codes::CANCELLED].contains(&error.code);
        let error = placed(context, error);
        let error = as_value(context, error);
        context.protect(error);
        let at = if ends { 0 } else { errors.len() };
        errors.insert(at, error);
    }
    for (process, ended) in left.failures {
        let Some(error) = failure(context, &process, ended) else {
            continue;
        };
        // What the first failure's cancellation did to the others is no news.
        let cancelled =
            matches!(error, Value::Error(error) if error.report.code == codes::CANCELLED);
        if cancelled && leaving == Leaving::Exits {
            process.observe();
        }
        if !cancelled || errors.is_empty() && !process.was_interrupted() {
            context.protect(error);
            errors.push(error);
        }
    }
    if let Some(error) = of_pools {
        context.protect(error);
        errors.push(error);
    }
    errors.extend(behind);
    match (args[1], &errors[..]) {
        // The error of the block goes on by itself, and so does an exit.
        (Value::Error(own), [Value::Error(only)]) if own.same(*only) => return Ok(Value::Nil),
        (Value::Int(_), _) => return Ok(Value::Nil),
        _ => {}
    }
    match spawn::combine(context, &errors) {
        Some(fault) => Err(fault),
        None => Ok(Value::Nil),
    }
}

/// The scope's own error, with where it was raised: the machine adds that to what native code raises, but this one may only be
/// a cause.
fn placed(context: &mut dyn Context, mut error: Box<Error>) -> Box<Error> {
    error.span = error.span.or(context.place());
    if error.trace.is_empty() {
        error.trace = context.trace();
    }
    if error.process.is_none() {
        let own = crate::process::spawn::current().ok();
        error.process = own.map(|own| ProcessTag {
            name: own.name(),
            pid: own.pid().unwrap_or(0),
        });
    }
    error
}

fn as_value(context: &mut dyn Context, error: Box<Error>) -> Value {
    Value::Error(ErrorValue::new(
        context.heap(),
        error,
        Vec::new(),
        Value::Nil,
    ))
}

/// The error that a process of the scope failed with.
fn failure(context: &mut dyn Context, process: &Process, ended: Ended) -> Option<Value> {
    match spawn::value_of(context, process, ended) {
        Err(Fault::Thrown(error)) => Some(error),
        Err(Fault::Error(error)) => Some(as_value(context, error)),
        _ => None,
    }
}

/// The errors that stand right behind one.
fn causes_of(error: Gc<ErrorValue>) -> Vec<Value> {
    let all = error
        .attributes
        .iter()
        .find(|(name, _)| &**name == "causes");
    match (all, error.cause) {
        (Some((_, Value::List(list))), _) => list.items().to_values(),
        (_, cause @ Value::Error(_)) => vec![cause],
        _ => Vec::new(),
    }
}

//! `scope`: what the construct compiles to. Which processes belong to a scope, and the waiting for them, is the process layer's.

use super::options::Options;
use super::{Table, spawn};
use crate::diag::codes;
use crate::process::scope;
use crate::value::Value;
use crate::value::error::ErrorValue;
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

/// Waits for the processes of the scope. The error of the block itself, if it had one, is what goes on, then that of the
/// waiting (its time-out), then the first failure among the processes; all others become its causes. Only Ctrl-C and a
/// cancellation come before the block's error.
fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let failed = !matches!(args[1], Value::Nil | Value::Undef);
    let left = scope::leave(failed);
    let mut errors = Vec::new();
    if let Value::Error(_) = args[1] {
        errors.push(args[1]);
    }
    if let Some(error) = left.error {
        let ends = [codes::INTERRUPTED, codes::CANCELLED].contains(&error.code);
        let error = ErrorValue::new(context.heap(), error, Vec::new(), Value::Nil);
        context.protect(Value::Error(error));
        let at = if ends { 0 } else { errors.len() };
        errors.insert(at, Value::Error(error));
    }
    for (process, ended) in left.failures {
        let error = match spawn::value_of(context, &process, ended) {
            Err(Fault::Thrown(error)) => error,
            Err(Fault::Error(error)) => Value::Error(ErrorValue::new(
                context.heap(),
                error,
                Vec::new(),
                Value::Nil,
            )),
            _ => continue,
        };
        // What the first failure's cancellation did to the others is no news.
        let cancelled =
            matches!(error, Value::Error(error) if error.report.code == codes::CANCELLED);
        if errors.is_empty() && !failed || !cancelled {
            context.protect(error);
            errors.push(error);
        }
    }
    match (args[1], &errors[..]) {
        // The error of the block goes on by itself, and so does an exit.
        (Value::Error(_), [_]) => return Ok(Value::Nil),
        (Value::Int(_), _) => return Ok(Value::Nil),
        _ => {}
    }
    match spawn::combine(context, &errors) {
        Some(fault) => Err(fault),
        None => Ok(Value::Nil),
    }
}

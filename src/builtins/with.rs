//! `with`: what it opens and how it closes it.

use super::{Table, method};
use crate::diag::{self, codes};
use crate::value::function::Bound;
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, show};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@with_enter" ("value") enter, "What `with value as name` binds: the value itself, if it can be closed.";
    "@with_leave" ("value", "error") leave, "Closes the value of `with`; the error that left the block, or nil.";
};

/// What closes a value: a handle's `@leave(error)` if it has one (a pool ends otherwise after an error), else its `close()`.
enum Closing {
    Leave(Value),
    Close(Value),
}

fn closing(value: &Value) -> Option<Closing> {
    match value {
        Value::Instance(instance) => instance.of.method("close").map(Closing::Close),
        _ => match (method(value, "@leave"), method(value, "close")) {
            (Some(leave), _) => Some(Closing::Leave(Value::Native(leave))),
            (None, close) => close.map(|close| Closing::Close(Value::Native(close))),
        },
    }
}

fn enter(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    if closing(&args[0]).is_some() {
        return Ok(args[0]);
    }
    let message = format!(
        "`with` needs something that can be closed (a file, a pool, a struct with a `close` method), but got {}",
        show::kind(&args[0])
    );
    let error = diag::Error::new(codes::TYPE, message);
    match args[0].type_name() {
        "lock" | "semaphore" | "condition" => Err(error.with_help("write lock m { ... }").into()),
        "process" => Err(error
            .with_help("join p waits for it; defer p.kill() ends it however the block is left")
            .into()),
        _ => Err(error.into()),
    }
}

fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (function, error) = match closing(&args[0]) {
        Some(Closing::Leave(leave)) => (leave, Some(args[1])),
        Some(Closing::Close(close)) => (close, None),
        None => return Ok(Value::Nil),
    };
    let bound = Value::Bound(Bound::new(context.heap(), args[0], function));
    context.protect(bound);
    context.call(bound, error.as_slice())?;
    Ok(Value::Nil)
}

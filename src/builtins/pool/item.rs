//! What comes of an item goes into its job: the same for a worker of `pool map` and for one of a `pool(n)`.

use super::super::{spawn, travel};
use crate::process::Message;
use crate::process::pool::job::{Job, Produced};
use crate::value::Value;
use crate::value::native::{Context, Fault, Outcome};

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
    let stored = result.and_then(|value| store(context, job, item, value, message));
    match stored {
        Ok(()) => Ok(()),
        Err(Fault::Exit(code)) => Err(Fault::Exit(code)),
        Err(fault) => {
            let error = spawn::raised(context, fault);
            job.finish(item, Produced::Error(&error.bytes), &error.handles)?;
            if !collect {
                job.stop();
            }
            Ok(())
        }
    }
}

fn store(
    context: &mut dyn Context,
    job: &Job,
    item: u64,
    value: Value,
    message: &mut Message,
) -> Outcome<()> {
    if let Some(produced) = plain(value) {
        return Ok(job.finish(item, produced, &[])?);
    }
    travel::pack_into(context, value, message)?;
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

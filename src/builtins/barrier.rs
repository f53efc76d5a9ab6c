//! Barriers: a number of processes wait for each other.

use super::{Table, arguments, travel};
use crate::process::barrier::Barrier;
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::native::{Args, Context, Native, Outcome};
use std::any::Any;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "barrier" ("parties") barrier, "Makes a barrier that so many processes must reach.";
};

pub static METHODS: Table = natives! {
    "abort" () abort, "Breaks the barrier: all who wait get Broken.";
    "reset" () reset, "Makes the barrier empty and whole.";
    "wait" ("timeout?") wait, "Waits for the others and gives the number of this arrival, from 0; after a time-out the barrier is broken, and it is false.";
};

/// A barrier as a value.
pub struct BarrierHandle(pub Barrier);

impl Handle for BarrierHandle {
    fn type_name(&self) -> &'static str {
        "barrier"
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.0.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["broken", "n_waiting", "parties"]
    }

    fn attribute(&self, _: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok(Some(match name {
            "broken" => Value::Bool(self.0.broken()),
            "n_waiting" => Value::Int(self.0.n_waiting() as i64),
            "parties" => Value::Int(self.0.parties() as i64),
            _ => return Ok(None),
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The handle of a barrier that came in a message.
pub fn from_id(id: crate::arena::HandleId) -> Option<Rc<dyn Handle>> {
    Some(Rc::new(BarrierHandle(Barrier::from_id(id)?)))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Barrier> {
    match value.as_handle::<BarrierHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "a barrier", value)),
    }
}

fn barrier(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let parties = arguments::size("barrier", "parties", &args[0])?;
    if parties == 0 {
        return Err(arguments::refuse(
            "barrier",
            "parties",
            "must be 1 or more",
            &args[0],
        ));
    }
    let barrier = Barrier::new(parties as u64)?;
    Ok(Value::handle(
        context.heap(),
        Rc::new(BarrierHandle(barrier)),
    ))
}

fn wait(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("wait", "timeout", &args[1])?;
    let arrived = receiver("wait", &args[0])?.wait(timeout, context.place())?;
    Ok(arrived.map_or(Value::Bool(false), |index| Value::Int(index as i64)))
}

fn abort(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("abort", &args[0])?.abort(context.place());
    Ok(Value::Nil)
}

fn reset(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("reset", &args[0])?.reset();
    Ok(Value::Nil)
}

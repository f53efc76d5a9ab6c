//! Barriers: a number of processes wait for each other.

use super::{Table, arguments, willing};
use crate::process::barrier::Barrier;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
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

noun_handle!(BarrierHandle, Barrier, "a barrier", "barrier", {
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
});

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
    let barrier = receiver("wait", &args[0])?;
    let arrived = willing::wait(context, |place| barrier.wait(timeout, place))?;
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

//! Semaphores: a number of permits.

use super::{Table, arguments, willing};
use crate::process::semaphore::Semaphore;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "semaphore" ("permits?", "bounded?") semaphore, "Makes a semaphore with that many permits (1); a bounded one refuses more releases than acquires.";
};

pub static METHODS: Table = natives! {
    "acquire" ("timeout?") acquire, "Takes a permit; false when the time-out comes first.";
    "release" () release, "Gives a permit back.";
    "value" () value, "How many permits can be taken now.";
};

/// A semaphore as a value.
pub struct SemaphoreHandle(pub Semaphore);

noun_handle!(SemaphoreHandle, Semaphore, "a semaphore", "semaphore", {});

fn semaphore(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let permits = match arguments::given(&args[0]) {
        Some(permits) => arguments::size("semaphore", "permits", permits)?,
        None => 1,
    };
    let bounded = match arguments::given(&args[1]) {
        Some(bounded) => arguments::boolean("semaphore", "bounded", bounded)?,
        None => false,
    };
    let semaphore = Semaphore::new(permits as u64, bounded)?;
    Ok(Value::handle(
        context.heap(),
        Rc::new(SemaphoreHandle(semaphore)),
    ))
}

fn acquire(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("acquire", "timeout", &args[1])?;
    let semaphore = receiver("acquire", &args[0])?;
    let taken = willing::wait(context, |place| semaphore.acquire(timeout, place))?;
    Ok(Value::Bool(taken))
}

fn release(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("release", &args[0])?.release()?;
    Ok(Value::Nil)
}

fn value(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver("value", &args[0])?.value() as i64))
}

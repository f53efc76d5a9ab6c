//! Conditions: wait, under a lock, until another process says that something has changed.

use super::lock::LockHandle;
use super::{Table, arguments, willing};
use crate::process::condition::Condition;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use std::rc::Rc;
use std::time::Instant;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "condition" ("lock?") condition, "Makes a condition, with the given lock or with one of its own.";
};

pub static METHODS: Table = natives! {
    "acquire" ("timeout?") acquire, "Takes the condition's lock; false when the time-out comes first.";
    "notify" ("count?") notify, "Wakes the processes (1) that have waited longest.";
    "notify_all" () notify_all, "Wakes everybody who waits.";
    "release" () release, "Gives the condition's lock back.";
    "wait" ("timeout?") wait, "Lets the lock go, waits to be notified, and takes it again; false when the time-out comes first.";
    "wait_for" ("test", "timeout?") wait_for, "Waits until the function `test` gives something true, and gives it; false when the time-out comes first.";
};

/// A condition as a value.
pub struct ConditionHandle(pub Condition);

noun_handle!(ConditionHandle, Condition, "a condition", "condition", {});

fn condition(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let lock = match arguments::given(&args[0]) {
        None => None,
        Some(value) => match value.as_handle::<LockHandle>() {
            Some(handle) => Some(handle.0.clone()),
            None => return Err(arguments::wrong("condition", "lock", "a lock", value)),
        },
    };
    let condition = Condition::new(lock)?;
    Ok(Value::handle(
        context.heap(),
        Rc::new(ConditionHandle(condition)),
    ))
}

fn acquire(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("acquire", "timeout", &args[1])?;
    let lock = receiver("acquire", &args[0])?.lock();
    let taken = willing::wait(context, |place| lock.acquire(timeout, place))?;
    Ok(Value::Bool(taken))
}

fn release(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("release", &args[0])?.lock().release()?;
    Ok(Value::Nil)
}

fn wait(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("wait", "timeout", &args[1])?;
    let condition = receiver("wait", &args[0])?;
    let notified = willing::wait(context, |place| condition.wait(timeout, place))?;
    Ok(Value::Bool(notified))
}

fn wait_for(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    arguments::callable("wait_for", "test", &args[1])?;
    let timeout = arguments::timeout("wait_for", "timeout", &args[2])?;
    let condition = receiver("wait_for", &args[0])?.clone();
    let begin = Instant::now();
    loop {
        let result = context.call(args[1], &[])?;
        if result.truthy() {
            return Ok(result);
        }
        let left = timeout.map(|seconds| seconds - begin.elapsed().as_secs_f64());
        if left.is_some_and(|left| left <= 0.0) {
            return Ok(Value::Bool(false));
        }
        willing::wait(context, |place| condition.wait(left, place))?;
    }
}

fn notify(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let count = match arguments::given(&args[1]) {
        Some(count) => arguments::size("notify", "count", count)?,
        None => 1,
    };
    receiver("notify", &args[0])?.notify(count)?;
    Ok(Value::Nil)
}

fn notify_all(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("notify_all", &args[0])?.notify_all()?;
    Ok(Value::Nil)
}

//! Locks, and what `lock a, b { ... }` compiles to.

use super::condition::ConditionHandle;
use super::options::Options;
use super::semaphore::SemaphoreHandle;
use super::{Table, arguments, willing};
use crate::process::lock::Lock;
use crate::process::semaphore::Semaphore;
use crate::process::wait::{Operation, timed_out};
use crate::source::Span;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use std::rc::Rc;
use std::time::Instant;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "lock" ("reentrant?") lock, "Makes a free lock; its holder can take a reentrant one again.";
};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@lock_enter" ("options", "locks") enter, "The beginning of `lock(options) a, b { ... }`.";
    "@lock_leave" ("guard") leave, "The end of a `lock` block.";
    "@lock_one" ("lock") enter_one, "The beginning of `lock a { ... }`.";
};

pub static METHODS: Table = natives! {
    "acquire" ("timeout?") acquire, "Takes the lock; false when the time-out comes first.";
    "locked" () locked, "Whether any process holds the lock.";
    "release" () release, "Gives the lock back; an error when this process does not hold it.";
};

/// A lock as a value.
pub struct LockHandle(pub Lock);

noun_handle!(LockHandle, Lock, "a lock", "lock", {});

fn lock(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let reentrant = match arguments::given(&args[0]) {
        Some(reentrant) => arguments::boolean("lock", "reentrant", reentrant)?,
        None => false,
    };
    let lock = Lock::new(reentrant)?;
    Ok(Value::handle(context.heap(), Rc::new(LockHandle(lock))))
}

fn acquire(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("acquire", "timeout", &args[1])?;
    let lock = receiver("acquire", &args[0])?;
    let taken = willing::wait(context, |place| lock.acquire(timeout, place))?;
    Ok(Value::Bool(taken))
}

fn release(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("release", &args[0])?.release()?;
    Ok(Value::Nil)
}

fn locked(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(receiver("locked", &args[0])?.is_locked()))
}

/// What a `lock` block can take: a lock, a condition (its lock), a semaphore (a permit).
enum Taken {
    Lock(Lock),
    Permit(Semaphore),
}

impl Taken {
    fn of(value: &Value) -> Outcome<Taken> {
        if let Some(handle) = value.as_handle::<LockHandle>() {
            return Ok(Taken::Lock(handle.0.clone()));
        }
        if let Some(handle) = value.as_handle::<ConditionHandle>() {
            return Ok(Taken::Lock(handle.0.lock().clone()));
        }
        match value.as_handle::<SemaphoreHandle>() {
            Some(handle) => Ok(Taken::Permit(handle.0.clone())),
            None => Err(arguments::wrong(
                "lock",
                "lock",
                "a lock, a semaphore or a condition",
                value,
            )),
        }
    }

    fn id(&self) -> crate::arena::HandleId {
        match self {
            Taken::Lock(lock) => lock.id(),
            Taken::Permit(semaphore) => semaphore.id(),
        }
    }

    fn acquire(&self, timeout: Option<f64>, place: Option<Span>) -> crate::diag::Result<bool> {
        match self {
            Taken::Lock(lock) => lock.acquire(timeout, place),
            Taken::Permit(semaphore) => semaphore.acquire(timeout, place),
        }
    }

    fn release(&self) {
        match self {
            Taken::Lock(lock) => {
                lock.release_if_held();
            }
            // What this process has taken it can give back.
            Taken::Permit(semaphore) => drop(semaphore.release()),
        }
    }
}

/// Takes all in one global order, so that two processes that take the same ones cannot wait for each other; gives the
/// list back as the guard.
fn enter(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = match arguments::given(&args[0]) {
        None => None,
        Some(options) => Options::new("lock", options)?.timeout("timeout")?,
    };
    let Value::List(list) = args[1] else {
        return Err(arguments::wrong("lock", "lock", "a lock", &args[1]));
    };
    let mut wanted = Vec::with_capacity(list.len());
    for value in list.items().to_values() {
        wanted.push(Taken::of(&value)?);
    }
    wanted.sort_by_key(Taken::id);
    let begin = Instant::now();
    for (at, one) in wanted.iter().enumerate() {
        let left = timeout.map(|seconds| seconds - begin.elapsed().as_secs_f64());
        let outcome = willing::wait(context, |place| one.acquire(left, place));
        if !matches!(outcome, Ok(true)) {
            wanted.iter().take(at).for_each(Taken::release);
            return taken(outcome?, timeout, args[1]);
        }
    }
    Ok(args[1])
}

/// Takes one without a time-out; it is its own guard.
fn enter_one(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let done = match args[0].as_handle::<LockHandle>() {
        // Nearly always it is free.
        Some(handle) if handle.0.try_take(context.place()) => return Ok(args[0]),
        Some(handle) => willing::wait(context, |place| handle.0.acquire(None, place))?,
        None => {
            let one = Taken::of(&args[0])?;
            willing::wait(context, |place| one.acquire(None, place))?
        }
    };
    taken(done, None, args[0])
}

fn taken(done: bool, timeout: Option<f64>, guard: Value) -> Outcome {
    if done {
        return Ok(guard);
    }
    Err(timed_out(Operation::Lock, "the lock", timeout.unwrap_or(0.0)).into())
}

fn leave(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    match args[0] {
        Value::List(list) => {
            for at in (0..list.len()).rev() {
                release_one(&list.get(at).unwrap_or(Value::Nil))?;
            }
        }
        one => release_one(&one)?,
    }
    Ok(Value::Nil)
}

#[inline]
fn release_one(value: &Value) -> Outcome<()> {
    match value.as_handle::<LockHandle>() {
        Some(handle) => {
            handle.0.release_if_held();
        }
        None => Taken::of(value)?.release(),
    }
    Ok(())
}

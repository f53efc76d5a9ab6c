//! Futures: what `submit` gives.

use super::super::{Table, arguments, travel};
use super::workers::Pool;
use crate::diag::{Error, Field, codes};
use crate::os::{clock, signal};
use crate::process::Ended;
use crate::process::pool::future::{Future, State};
use crate::process::tenders;
use crate::process::wait::{self, Awaited, Operation, WaitSpec, timed_out};
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, Native, NativeIter, Outcome};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// The methods, sorted by name.
pub static METHODS: Table = natives! {
    "cancel" () cancel, "Gives the task up when no worker has begun with it; true when it is cancelled.";
    "done" () done, "Whether the task is finished, failed or cancelled.";
    "error" ("timeout?") error, "Waits, and gives the error of a task that failed; nil when it did not.";
    "result" ("timeout?") result, "Waits for the task's value, or raises its error.";
};

/// A future as a value.
pub struct FutureHandle {
    /// The future.
    pub future: Future,
    /// The pool, in the process that handed the task in.
    pub pool: Option<Rc<Pool>>,
}

impl Handle for FutureHandle {
    fn type_name(&self) -> &'static str {
        "future"
    }

    fn show(&self) -> String {
        let state = match self.future.state() {
            State::Waiting => "waiting",
            State::Running => "running",
            State::Value => "done",
            State::Error | State::Died => "failed",
            State::Cancelled => "cancelled",
        };
        format!("<future {state}>")
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.future.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn join(&self, context: &mut dyn Context, timeout: Option<f64>) -> Option<Outcome> {
        Some(self.result(context, timeout))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The handle of a future that came in a message.
pub fn from_id(id: crate::arena::HandleId) -> Option<Rc<dyn Handle>> {
    Some(Rc::new(FutureHandle {
        future: Future::from_id(id)?,
        pool: None,
    }))
}

impl FutureHandle {
    /// Waits for the end of the task; false when the time-out came first.
    fn wait(&self, context: &mut dyn Context, timeout: Option<f64>) -> Outcome<bool> {
        let awaited = [self.future.awaited()];
        let ready = || self.future.state().is_final().then_some(());
        if let Some(pool) = &self.pool {
            let deadline = timeout.map(clock::deadline);
            return Ok(pool.wait_for(context, &awaited, deadline, ready)?.is_some());
        }
        let place = context.place();
        let spec = WaitSpec::new(Operation::Pool, &awaited, place).with_timeout(timeout);
        Ok(wait::wait(&spec, || Ok(ready()))?.is_some())
    }

    /// The value of the task, or its error.
    pub fn result(&self, context: &mut dyn Context, timeout: Option<f64>) -> Outcome {
        if !self.wait(context, timeout)? {
            return Err(timed_out(Operation::Join, "the future", timeout.unwrap_or(0.0)).into());
        }
        match self.future.state() {
            State::Value => travel::unpack(context, self.future.result()),
            State::Error => Err(Fault::Thrown(travel::unpack(
                context,
                self.future.result(),
            )?)),
            State::Cancelled => Err(Error::new(
                codes::CANCELLED,
                "a value was to come, but the task was cancelled",
            )
            .into()),
            State::Died => Err(self.death().into()),
            State::Waiting | State::Running => {
                Err(Error::new(codes::INTERNAL, "a task that has ended is not final").into())
            }
        }
    }

    /// The error of a task whose worker died.
    fn death(&self) -> Box<Error> {
        let pid = self.future.died_with();
        tenders::tend();
        let known = self.pool.as_ref().and_then(|pool| pool.end_of(pid));
        match known {
            Some((name, Ended::Killed(number))) => {
                let signal = signal::name_of(number);
                Error::new(codes::PROCESS_DIED, format!("a worker was to finish its task, but {name} (pid {pid}) was killed by {signal}"))
                    .with_field("signal", Field::Int(i64::from(number)))
                    .with_field("signal_name", Field::Text(signal))
            }
            Some((name, ended)) => {
                let code = ended.exitcode();
                Error::new(codes::EXIT, format!("a worker was to finish its task, but {name} (pid {pid}) left with exit({code})"))
                    .with_field("code", Field::Int(i64::from(code)))
            }
            None => Error::new(codes::PROCESS_DIED, format!("a worker was to finish its task, but it died (pid {pid})")),
        }
        .with_field("pid", Field::Int(i64::from(pid)))
    }
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a FutureHandle> {
    match value.as_handle::<FutureHandle>() {
        Some(handle) => Ok(handle),
        None => Err(arguments::wrong(method, "self", "a future", value)),
    }
}

fn cancel(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(receiver("cancel", &args[0])?.future.cancel()))
}

fn done(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        receiver("done", &args[0])?.future.state().is_final(),
    ))
}

fn result(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("result", "timeout", &args[1])?;
    receiver("result", &args[0])?.result(context, timeout)
}

fn error(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("error", "timeout", &args[1])?;
    let handle = receiver("error", &args[0])?;
    if !handle.wait(context, timeout)? {
        return Err(timed_out(Operation::Join, "the future", timeout.unwrap_or(0.0)).into());
    }
    match handle.result(context, None) {
        Ok(_) => Ok(Value::Nil),
        Err(Fault::Thrown(error)) => Ok(error),
        Err(Fault::Error(error)) => Ok(Value::Error(ErrorValue::new(
            context.heap(),
            error,
            Vec::new(),
            Value::Nil,
        ))),
        Err(exit) => Err(exit),
    }
}

/// `as_completed(futures, timeout:)`.
pub fn as_completed(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("as_completed", "timeout", &args[1])?;
    let list = super::map::gather(context, args[0])?;
    let futures = list.items().to_values();
    for value in &futures {
        receiver("as_completed", value)?;
    }
    let deadline = timeout.map(clock::deadline);
    let iter = Completed {
        waiting: RefCell::new(futures),
        deadline,
        timeout,
    };
    Ok(Value::Iter(crate::value::native::IterBox::new(
        context.heap(),
        Rc::new(iter),
    )))
}

struct Completed {
    waiting: RefCell<Vec<Value>>,
    deadline: Option<u64>,
    timeout: Option<f64>,
}

impl NativeIter for Completed {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let waiting = self.waiting.borrow().clone();
        let handles: Vec<&FutureHandle> = waiting
            .iter()
            .filter_map(|value| value.as_handle())
            .collect();
        let Some(first) = handles.first() else {
            return Ok(None);
        };
        let awaited: Vec<Awaited<'_>> = handles
            .iter()
            .map(|handle| handle.future.awaited())
            .collect();
        let ready = || {
            handles
                .iter()
                .position(|handle| handle.future.state().is_final())
        };
        let found = match &first.pool {
            Some(pool) => pool.wait_for(context, &awaited, self.deadline, ready)?,
            None => {
                let mut spec = WaitSpec::new(Operation::Pool, &awaited, context.place());
                spec.deadline = self.deadline;
                wait::wait(&spec, || Ok(ready()))?
            }
        };
        match found {
            Some(at) => Ok(Some(self.waiting.borrow_mut().remove(at))),
            None => {
                Err(timed_out(Operation::Join, "the futures", self.timeout.unwrap_or(0.0)).into())
            }
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        for &value in self.waiting.borrow().iter() {
            marker.value(value);
        }
    }
}

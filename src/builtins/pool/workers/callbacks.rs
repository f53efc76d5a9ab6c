//! What `then` was given: functions that are called in the process that gave them, as soon as it waits for the pool or for
//! one of its futures and the task is finished.

use super::super::future;
use crate::os::fork;
use crate::process::pool::future::{Future, State};
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Context, Fault, Outcome};
use std::cell::RefCell;

struct Callback {
    future: Future,
    /// The process that gave it: one that was forked meanwhile has a copy, which is not for it.
    process: i32,
    /// Called with the value of the task; nil for nothing.
    value: Value,
    /// Called with its error; nil for nothing.
    error: Value,
}

/// The callbacks of one pool in one process.
#[derive(Default)]
pub struct Callbacks(RefCell<Vec<Callback>>);

impl Callbacks {
    /// Adds one: `value` is called with the value of a finished task, `error` with its error.
    pub fn add(&self, future: Future, value: Value, error: Value) {
        self.0.borrow_mut().push(Callback {
            future,
            process: fork::pid(),
            value,
            error,
        });
    }

    /// Whether all have been called.
    pub fn is_empty(&self) -> bool {
        !self.0.borrow().iter().any(Callback::is_ours)
    }

    /// Whether the task of one is finished.
    pub fn are_due(&self) -> bool {
        self.0.borrow().iter().any(Callback::is_due)
    }

    /// The futures of those that have not been called, some of many: who looks for deadlocks knows by them that one can be.
    pub fn futures(&self, most: usize) -> Vec<Future> {
        let callbacks = self.0.borrow();
        let ours = callbacks.iter().filter(|callback| callback.is_ours());
        let futures = ours.map(|callback| callback.future.clone());
        futures.take(most).collect()
    }

    /// Calls those whose tasks are finished, in the order in which they were given.
    pub fn run(&self, context: &mut dyn Context) -> Outcome<()> {
        loop {
            let due = self.0.borrow().iter().position(Callback::is_due);
            let Some(due) = due else {
                return Ok(());
            };
            // Taken out before it is called: it may wait for the pool itself.
            let callback = self.0.borrow_mut().remove(due);
            let has_failed = matches!(callback.future.state(), State::Error | State::Died);
            if has_failed && matches!(callback.error, Value::Nil) {
                // Nobody has got the error by that: it is told when nobody asks for it in another way.
                continue;
            }
            let outcome = future::outcome(context, &callback.future);
            let (function, argument) = match outcome {
                Ok(value) => (callback.value, value),
                Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
                Err(fault) => (callback.error, future::error_of(context, fault)),
            };
            if !matches!(function, Value::Nil) {
                context.protect(function);
                context.call(function, &[argument])?;
            }
        }
    }

    /// Marks the functions.
    pub fn trace(&self, marker: &mut Marker<'_>) {
        for callback in self.0.borrow().iter() {
            marker.value(callback.value);
            marker.value(callback.error);
        }
    }
}

impl Callback {
    fn is_due(&self) -> bool {
        self.is_ours() && self.future.state().is_final()
    }

    fn is_ours(&self) -> bool {
        self.process == fork::pid()
    }
}

//! Futures: what `submit` gives.

use super::super::{Table, arguments, spawn, travel};
use super::death::Death;
use super::workers::Pool;
use crate::builtins::process::ProcessHandle;
use crate::diag::{Error, Field, codes};
use crate::os::{clock, limit};
use crate::process::pool::future::{Future, GivenUp, State};
use crate::process::wait::{self, Awaited, Operation, WaitSpec};
use crate::process::{Ended, place, tenders, willing};
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, IterBox, Native, NativeIter, Outcome};
use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// The methods, sorted by name.
pub static METHODS: Table = natives! {
    "cancel" () cancel, "Gives the task up, and ends the worker that is at it; true when it is cancelled, false when it was finished before.";
    "cancelled" () cancelled, "Whether the task was given up.";
    "done" () done, "Whether the task is finished, failed or cancelled.";
    "error" ("timeout?") error, "Waits, and gives the error of a task that failed or was cancelled; nil when it did not.";
    "result" ("timeout?") result, "Waits for the task's value, or raises its error.";
    "running" () running, "Whether a worker is at the task.";
    "then" ("function", "on_error?") then, "Calls a function with the task's value, or `on_error` with its error, in this process, as soon as it waits for the pool or one of its futures and the task is finished; gives the future.";
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

    fn trace(&self, marker: &mut Marker<'_>) {
        if let Some(pool) = &self.pool {
            pool.trace(marker);
        }
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
        let deadline = timeout.map(clock::deadline);
        Ok(wait_for(context, self.pool.as_deref(), &awaited, deadline, ready)?.is_some())
    }

    /// The value of the task, or its error.
    pub fn result(&self, context: &mut dyn Context, timeout: Option<f64>) -> Outcome {
        if !self.wait(context, timeout)? {
            return Err(late("the future was", timeout));
        }
        outcome(context, &self.future)
    }
}

/// The error of a wait that took too long.
fn late(what: &str, timeout: Option<f64>) -> Fault {
    let seconds = timeout.unwrap_or(0.0);
    let message = format!("{what} to be finished within {seconds} s, but it took longer");
    let error = Error::new(codes::TIMEOUT, message);
    error.with_field("seconds", Field::Float(seconds)).into()
}

/// Waits, as the pool does if there is one.
fn wait_for<T>(
    context: &mut dyn Context,
    pool: Option<&Pool>,
    awaited: &[Awaited<'_>],
    deadline: Option<u64>,
    ready: impl Fn() -> Option<T>,
) -> Outcome<Option<T>> {
    if let Some(pool) = pool {
        return pool.wait_for(context, awaited, deadline, ready);
    }
    let mut spec = WaitSpec::new(Operation::Pool, awaited, context.place());
    spec.deadline = deadline;
    let wait = || wait::wait(&spec, || Ok(ready()));
    match willing::willing(wait) {
        Some(waited) => Ok(waited?),
        None => {
            super::super::willing::collect(context)?;
            Ok(wait()?)
        }
    }
}

/// What a finished task came to.
pub fn outcome(context: &mut dyn Context, future: &Future) -> Outcome {
    match future.state() {
        State::Value => travel::unpack(context, future.result()),
        State::Error => {
            future.note_asked();
            Err(Fault::Thrown(travel::unpack(context, future.result())?))
        }
        State::Cancelled => Err(cancellation(future).into()),
        State::Died => {
            future.note_asked();
            Err(death(future, "a task", future.deaths()).into())
        }
        State::Waiting | State::Running => {
            Err(Error::new(codes::INTERNAL, "a task that has ended is not final").into())
        }
    }
}

/// The error of a task that was given up: by itself, or with its pool.
fn cancellation(future: &Future) -> Box<Error> {
    let Some(GivenUp { by, place, closed }) = future.given_up_by() else {
        let message = "a value was to come, but the task was cancelled";
        return Error::new(codes::TASK_CANCELLED, message);
    };
    let (was, did) = match closed {
        true => ("closed before a worker had begun", "closed"),
        false => ("terminated", "terminated"),
    };
    let message = format!("a value was to come, but the pool was {was}");
    let who = format!("{} (pid {})", by.name(), by.pid().unwrap_or(0));
    let at = place.map_or_else(String::new, |_| format!(" at {}", place::text(place)));
    Error::new(codes::TASK_CANCELLED, message).with_note(format!("{who} {did} it{at}"))
}

/// The error of a task whose worker died, when it was tried so many times.
pub fn death(future: &Future, task: &str, tries: u64) -> Box<Error> {
    tenders::tend();
    if let Some(message) = future.orphaned(&format!("a worker was to finish {task}")) {
        return Error::new(codes::PROCESS_DIED, message);
    }
    let Some(process) = future.died_with() else {
        return Error::new(
            codes::PROCESS_DIED,
            format!("a worker was to finish {task}, but it died"),
        );
    };
    let ended = process.ended();
    let too_long = ended == Some(Ended::Killed(limit::SIGNAL));
    Death {
        limit: future.limit().filter(|_| too_long),
        last_words: future.last_words(),
        last_place: future.last_place(),
        tries,
        ..Death::of(task, &process, ended.as_ref())
    }
    .error()
}

/// A fault as an error value.
pub fn error_of(context: &mut dyn Context, fault: Fault) -> Value {
    match fault {
        Fault::Thrown(error) => error,
        Fault::Error(error) => Value::Error(ErrorValue::new(
            context.heap(),
            error,
            Vec::new(),
            Value::Nil,
        )),
        Fault::Exit(_) => Value::Nil,
    }
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a FutureHandle> {
    match value.as_handle::<FutureHandle>() {
        Some(handle) => Ok(handle),
        None => Err(arguments::wrong(method, "self", "a future", value)),
    }
}

fn cancel(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let future = &receiver("cancel", &args[0])?.future;
    Ok(Value::Bool(future.cancel(context.place())?))
}

fn is_in(args: Args<'_>, method: &str, states: &[State]) -> Outcome {
    let state = receiver(method, &args[0])?.future.state();
    Ok(Value::Bool(states.contains(&state)))
}

fn cancelled(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    is_in(args, "cancelled", &[State::Cancelled])
}

fn running(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    is_in(args, "running", &[State::Running])
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
        return Err(late("the future was", timeout));
    }
    match outcome(context, &handle.future) {
        Ok(_) => Ok(Value::Nil),
        Err(Fault::Exit(code)) => Err(Fault::Exit(code)),
        Err(fault) => Ok(error_of(context, fault)),
    }
}

fn then(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let handle = receiver("then", &args[0])?;
    arguments::callable("then", "function", &args[1])?;
    let on_error = arguments::given(&args[2]).copied().unwrap_or(Value::Nil);
    if !matches!(on_error, Value::Nil) {
        arguments::callable("then", "on_error", &on_error)?;
    }
    let Some(pool) = &handle.pool else {
        let message =
            "`then` is for the process that handed the task in, but this future came from another";
        return Err(Error::new(codes::VALUE, message)
            .with_help("wait for it: join f")
            .into());
    };
    pool.add_callback(handle.future.clone(), args[1], on_error);
    Ok(args[0])
}

/// The pools of futures that are waited for: what waits for their results is called meanwhile.
pub struct Callers {
    pools: Vec<Rc<Pool>>,
}

impl Callers {
    /// Those of the futures among some values that were handed in by this process.
    pub fn of(values: impl Iterator<Item = Value>) -> Callers {
        let mut pools: Vec<Rc<Pool>> = Vec::new();
        for value in values {
            let handle = value.as_handle::<FutureHandle>();
            if let Some(pool) = handle.and_then(|handle| handle.pool.as_ref())
                && !pools.iter().any(|known| Rc::ptr_eq(known, pool))
            {
                pools.push(pool.clone());
            }
        }
        Callers { pools }
    }

    /// The first of them, which has a wait of its own, and the others.
    fn split(mut self) -> (Option<Rc<Pool>>, Callers) {
        let first = (!self.pools.is_empty()).then(|| self.pools.remove(0));
        (first, self)
    }

    /// Those of them that have functions to call.
    pub fn with_callbacks(&self) -> Callers {
        let pools = self.pools.iter().filter(|pool| pool.has_callbacks());
        Callers {
            pools: pools.cloned().collect(),
        }
    }

    /// The pools themselves, which wake for each finished task.
    pub fn events(&self) -> impl Iterator<Item = Awaited<'_>> {
        self.pools.iter().map(|pool| pool.tasks.awaited(1))
    }

    /// The futures that functions wait for: in the hands of who waits, for a function that is called may let go of them.
    pub fn callback_futures(&self) -> Vec<Future> {
        let pools = self.pools.iter();
        let futures = pools.flat_map(|pool| pool.callback_futures(usize::MAX));
        futures.collect()
    }

    /// Whether one of these functions can be called.
    pub fn are_due(&self) -> bool {
        self.pools.iter().any(|pool| pool.are_callbacks_due())
    }

    /// Calls those that can be called.
    pub fn run(&self, context: &mut dyn Context) -> Outcome<()> {
        let mut pools = self.pools.iter();
        pools.try_for_each(|pool| pool.run_due_callbacks(context))
    }
}

/// Futures and processes, as the functions that wait for the first of several take them.
struct Several {
    values: Vec<Value>,
}

/// Whether a future is finished, or a process has ended.
fn is_over(value: &Value) -> bool {
    let future = value.as_handle::<FutureHandle>();
    let process = value.as_handle::<ProcessHandle>();
    future.is_some_and(|handle| handle.future.state().is_final())
        || process.is_some_and(|handle| handle.process.ended().is_some())
}

impl Several {
    fn new(context: &mut dyn Context, function: &str, value: Value) -> Outcome<Several> {
        let values = super::map::gather(context, value, false)?
            .items()
            .to_values();
        for value in &values {
            if value.as_handle::<FutureHandle>().is_none()
                && value.as_handle::<ProcessHandle>().is_none()
            {
                return Err(arguments::wrong(
                    function,
                    "futures",
                    "futures or processes",
                    value,
                ));
            }
        }
        Ok(Several { values })
    }

    /// What to wait at for those that are futures of pools of this process, or for the others.
    fn awaited(&self, of_pools: bool) -> impl Iterator<Item = Awaited<'_>> {
        self.values.iter().filter_map(move |value| {
            if let Some(handle) = value.as_handle::<FutureHandle>() {
                return (handle.pool.is_some() == of_pools).then(|| handle.future.awaited());
            }
            let process = value.as_handle::<ProcessHandle>().filter(|_| !of_pools)?;
            Some(process.process.awaited())
        })
    }

    /// Waits until one is finished; which it is. `function` is what the script waits in, for messages.
    fn first(
        &self,
        context: &mut dyn Context,
        function: &str,
        deadline: Option<u64>,
    ) -> Outcome<Option<usize>> {
        // Not before: who goes through them may start them on the way.
        let processes = self.values.iter();
        for handle in processes.filter_map(|value| value.as_handle::<ProcessHandle>()) {
            handle.process.check_started(function)?;
        }
        let callers = Callers::of(self.values.iter().copied());
        // One of the pools calls its callbacks wherever it is waited for; this wakes for those of the others.
        let (own, others) = callers.split();
        let ready = || match self.values.iter().position(is_over) {
            None if others.are_due() => Some(None),
            at => at.map(Some),
        };
        // Callbacks that run meanwhile may take them out of the script's list.
        let protected = context.protected();
        self.values.iter().for_each(|&value| context.protect(value));
        let first = loop {
            // Behind the pools, which wake for all of their futures, what is of none of them.
            let callbacks = others.callback_futures();
            let mut all: Vec<Awaited<'_>> = others.events().collect();
            all.extend(self.awaited(false));
            all.extend(self.awaited(true));
            all.extend(callbacks.iter().map(|future| future.awaited()));
            match wait_for(context, own.as_deref(), &all, deadline, ready) {
                Ok(Some(None)) => {}
                Ok(over) => break Ok(over.flatten()),
                Err(fault) => break Err(fault),
            }
            if let Err(fault) = others.run(context) {
                break Err(fault);
            }
        };
        context.release(protected);
        first
    }
}

/// `join_any(futures, timeout:)`.
pub fn join_any(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("join_any", "timeout", &args[1])?;
    let several = Several::new(context, "join_any", args[0])?;
    if several.values.is_empty() {
        let rule = "must have at least one future or process";
        return Err(arguments::refuse("join_any", "futures", rule, &args[0]));
    }
    match several.first(context, "join_any", timeout.map(clock::deadline))? {
        Some(at) => {
            let first = several.values.get(at).copied().unwrap_or(Value::Nil);
            spawn::join_value(context, first, None)
        }
        None => Err(late("one of them was", timeout)),
    }
}

/// `as_completed(futures, timeout:)`.
pub fn as_completed(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("as_completed", "timeout", &args[1])?;
    let iter = Completed {
        waiting: RefCell::new(Several::new(context, "as_completed", args[0])?.values),
        over: RefCell::default(),
        deadline: timeout.map(clock::deadline),
        timeout,
    };
    Ok(Value::Iter(IterBox::new(context.heap(), Rc::new(iter))))
}

struct Completed {
    waiting: RefCell<Vec<Value>>,
    /// Those that were found to be over and have not been given out. All that are over are found in one look, for a look goes through all
    /// that wait.
    over: RefCell<VecDeque<Value>>,
    deadline: Option<u64>,
    timeout: Option<f64>,
}

impl NativeIter for Completed {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        loop {
            if let Some(next) = self.over.borrow_mut().pop_front() {
                return Ok(Some(next));
            }
            // A copy: callbacks that run meanwhile may ask this very iterator.
            let values = self.waiting.borrow().clone();
            if values.is_empty() {
                return Ok(None);
            }
            let first = (Several { values }).first(context, "as_completed", self.deadline)?;
            if first.is_none() {
                return Err(late("the next one was", self.timeout));
            }
            let mut waiting = self.waiting.borrow_mut();
            let over = waiting.extract_if(.., |value| is_over(value));
            self.over.borrow_mut().extend(over);
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        let (waiting, over) = (self.waiting.borrow(), self.over.borrow());
        waiting
            .iter()
            .chain(&*over)
            .for_each(|&value| marker.value(value));
    }
}

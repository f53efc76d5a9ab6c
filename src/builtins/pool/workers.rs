//! `pool(n)`: worker processes that stay, and work off tasks that any process hands in.
//!
//! The process that made the pool owns its workers: it puts others in the place of those that end, whenever it waits for
//! anything and whenever the machine polls. Leaving `with` works off what was handed in; leaving it by an error gives everything up.

use super::super::{arguments, spawn, travel};
use super::future::FutureHandle;
use super::map::gather;
use super::{budget, settings, stream};
use crate::diag::{Error, Result, codes};
use crate::os::fork;
use crate::process::pool::future::{Future, State};
use crate::process::pool::tasks::{Closing, Found, Tasks};
use crate::process::tenders::{self, Tender};
use crate::process::wait::{self, Awaited, Operation, WaitSpec, timed_out};
use crate::process::{ChildOutcome, Ended, Message, Process, SpawnSpec, spawn as nouns};
use crate::source::Span;
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, Native, Outcome};
use crate::value::seat::Seat;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::Table;

/// The methods, sorted by name.
pub static METHODS: Table = natives! {
    "@leave" ("error") leave, "The end of a `with` block: works off what was handed in, or after an error gives it up.";
    "apply" ("function", "...arguments", "**named") apply, "Hands one call in and waits for its result.";
    "close" () close, "Takes no more tasks; the workers leave when all is done.";
    "imap" ("function", "items", "chunk?") stream::imap, "An iterator over the results in order, reading only a little ahead of them.";
    "imap_unordered" ("function", "items", "chunk?") stream::imap_unordered, "An iterator over the results as they come.";
    "join" ("timeout?") join, "Waits until a closed pool has ended.";
    "map" ("function", "items", "chunk?", "on_error?") map, "The results of the function for all items, in order.";
    "starmap" ("function", "items", "chunk?", "on_error?") starmap, "As `map`, with the items of each item as arguments.";
    "submit" ("function", "...arguments", "**named") submit, "Hands one call in and gives a future for its result.";
    "terminate" () terminate, "Ends the pool at once; tasks that are not finished are given up.";
};

/// A pool as its owner and its futures have it.
pub struct Pool {
    /// Its tasks, shared with the workers.
    pub tasks: Tasks,
    /// Workers by number, in the process that owns them.
    crew: RefCell<Vec<Option<Process>>>,
    /// How workers ended that died, by pid: futures name it.
    ends: RefCell<HashMap<i32, (String, Ended)>>,
    owner: i32,
    init: Value,
    /// What `init` holds: every worker does.
    holds: Vec<crate::arena::HandleId>,
    /// The machine that workers go on with.
    seat: Seat,
    /// A worker whose `init` failed, until that was raised.
    failed: RefCell<Option<(Process, Ended)>>,
    max_tasks: Option<u64>,
    place: Option<Span>,
}

/// A pool as a value.
pub struct PoolHandle {
    /// The pool.
    pub pool: Rc<Pool>,
}

impl Handle for PoolHandle {
    fn type_name(&self) -> &'static str {
        "pool"
    }

    fn show(&self) -> String {
        let state = match self.pool.tasks.closing() {
            Closing::Open => "open",
            Closing::Closed => "closed",
            Closing::Terminated => "terminated",
        };
        format!("<pool of {} workers {state}>", self.pool.tasks.workers())
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.pool.tasks.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["workers"]
    }

    fn attribute(&self, _: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok((name == "workers").then(|| Value::Int(self.pool.tasks.workers() as i64)))
    }

    fn join(&self, context: &mut dyn Context, timeout: Option<f64>) -> Option<Outcome> {
        Some(self.pool.join(context, timeout))
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.pool.init);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The collector found that nobody can use the pool any more.
        if self.owner == fork::pid() {
            let _ = self.terminate(None);
        }
    }
}

/// The handle of a pool that came in a message.
pub fn from_id(id: crate::arena::HandleId) -> Option<Rc<dyn Handle>> {
    let pool = Pool {
        tasks: Tasks::from_id(id)?,
        crew: RefCell::default(),
        ends: RefCell::default(),
        owner: 0,
        init: Value::Nil,
        holds: Vec::new(),
        seat: Seat::default(),
        failed: RefCell::default(),
        max_tasks: None,
        place: None,
    };
    Some(Rc::new(PoolHandle {
        pool: Rc::new(pool),
    }))
}

/// `pool(workers, init:, max_tasks:, retries:)`.
pub fn pool(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let workers = settings::workers(&args[0])?;
    let init = arguments::given(&args[1]).copied().unwrap_or(Value::Nil);
    if !matches!(init, Value::Nil) {
        arguments::callable("pool", "init", &init)?;
    }
    let count = |name: &str, value: &Value| match arguments::given(value) {
        Some(value) => arguments::size("pool", name, value).map(|count| Some(count as u64)),
        None => Ok(None),
    };
    let max_tasks = count("max_tasks", &args[2])?;
    if max_tasks == Some(0) {
        return Err(arguments::refuse(
            "pool",
            "max_tasks",
            "must be 1 or more",
            &args[2],
        ));
    }
    let tasks = Tasks::new(workers, count("retries", &args[3])?.unwrap_or(0))?;
    let mut holds = travel::holds(context, &[init]);
    holds.push(tasks.id());
    let pool = Rc::new(Pool {
        tasks,
        crew: RefCell::new(Vec::new()),
        ends: RefCell::default(),
        owner: fork::pid(),
        init,
        holds,
        seat: context.seat(),
        failed: RefCell::default(),
        max_tasks,
        place: context.place(),
    });
    let value = Value::handle(context.heap(), Rc::new(PoolHandle { pool: pool.clone() }));
    context.protect(value);
    pool.crew.borrow_mut().resize(workers as usize, None);
    pool.look_after()?;
    let tender: Rc<dyn Tender> = pool;
    tenders::add(&tender);
    Ok(value)
}

/// The pool of a receiver.
pub fn receiver(method: &str, value: &Value) -> Outcome<Rc<Pool>> {
    match value.as_handle::<PoolHandle>() {
        Some(handle) => Ok(handle.pool.clone()),
        None => Err(arguments::wrong(method, "self", "a pool", value)),
    }
}

impl Tender for Pool {
    fn is_due(&self) -> bool {
        if self.owner != fork::pid() || !self.seat.is_taken() {
            return false;
        }
        let crew = self.crew.borrow();
        crew.iter().flatten().any(Process::is_gone)
            || crew.iter().any(Option::is_none) && self.wants_workers()
    }

    fn tend(&self) {
        // What fails (the machine may have no room for another process now) is tried again.
        let _ = self.look_after();
    }
}

/// What a task does with its function.
#[derive(Clone, Copy)]
pub enum Work {
    /// One call with these arguments.
    Call,
    /// One call for each item.
    Map,
    /// One call for each item, with the items of the item as arguments.
    Star,
}

impl Pool {
    /// Hands a task in: what the function captures travels as it is now.
    pub fn hand_in(
        self: &Rc<Pool>,
        context: &mut dyn Context,
        work: Work,
        function: Value,
        values: Vec<Value>,
        named: Value,
    ) -> Outcome<FutureHandle> {
        self.raise_failure(context)?;
        self.tasks.check_open()?;
        let values = Value::list(context.heap(), values);
        let task = Value::list(
            context.heap(),
            vec![Value::Int(work as i64), function, values, named],
        );
        let message = travel::pack_with_globals(context, task)?;
        let future = Future::new(&message.bytes, &message.handles)?;
        self.tasks.submit(&future)?;
        Ok(FutureHandle {
            future,
            pool: Some(self.clone()),
        })
    }

    /// Looks after the workers: notes how the dead ended, and puts others in their place.
    pub fn look_after(&self) -> Result<()> {
        let seats = self.crew.borrow().len();
        for worker in 0..seats {
            let process = self.crew.borrow().get(worker).cloned().flatten();
            if let Some(process) = process {
                // Not before what it had in its hands was given back: another would write over its record.
                let Some(ended) = process.ended().filter(|_| process.is_gone()) else {
                    continue;
                };
                process.wait(None, self.place)?;
                if let Some(pid) = process.pid() {
                    self.ends
                        .borrow_mut()
                        .insert(pid, (process.name(), ended.clone()));
                }
                self.seat(worker, None);
                if let Ended::Raised(_) = ended {
                    // `init` failed: every other worker would fail as well.
                    *self.failed.borrow_mut() = Some((process, ended));
                    return self.terminate(self.place);
                }
            }
            if self.wants_workers() {
                self.hire(worker)?;
            }
        }
        Ok(())
    }

    /// Whether an empty seat is to be filled.
    fn wants_workers(&self) -> bool {
        match self.tasks.closing() {
            Closing::Open => true,
            // What the dead worker had is back among the waiting; the rest is in the hands of others.
            Closing::Closed => self.tasks.waiting() > 0,
            Closing::Terminated => false,
        }
    }

    /// Raises what the `init` of a worker raised, once.
    fn raise_failure(&self, context: &mut dyn Context) -> Outcome<()> {
        let failed = self.failed.borrow_mut().take();
        match failed {
            Some((process, ended)) => spawn::value_of(context, &process, ended).map(|_| ()),
            None => Ok(()),
        }
    }

    fn seat(&self, worker: usize, process: Option<Process>) {
        if let Some(seat) = self.crew.borrow_mut().get_mut(worker) {
            *seat = process;
        }
    }

    fn hire(&self, worker: usize) -> Result<()> {
        let name = Some(budget::worker_name(worker as u64));
        let spec = SpawnSpec {
            name,
            daemon: true,
            place: self.place,
            ..SpawnSpec::default()
        };
        let process = nouns::prepare(&spec)?;
        process.start(&self.holds, || {
            let work = |context: &mut dyn Context| self.worker(context, worker as u64);
            // Without a machine nothing can be done; nobody hires then (see `is_due`).
            self.seat.go_on(work).unwrap_or(ChildOutcome::Exited(1))
        })?;
        self.seat(worker, Some(process));
        Ok(())
    }

    /// Waits until `ready` gives something, looking after the workers meanwhile. `None` when the time-out came first.
    pub fn wait_for<T>(
        self: &Rc<Pool>,
        context: &mut dyn Context,
        awaited: &[Awaited<'_>],
        deadline: Option<u64>,
        ready: impl Fn() -> Option<T>,
    ) -> Outcome<Option<T>> {
        // The workers are looked after in the waiting place, as in every other wait; here an error of that is raised.
        let place = context.place();
        let mut objects = awaited.to_vec();
        objects.push(self.tasks.awaited(1));
        let mut spec = WaitSpec::new(Operation::Pool, &objects, place);
        spec.deadline = deadline;
        let waited = wait::wait(&spec, || {
            let is_over = self.failed.borrow().is_some();
            Ok(ready().map(Some).or_else(|| is_over.then_some(None)))
        })?;
        self.raise_failure(context)?;
        Ok(waited.flatten())
    }

    /// How the worker with a pid ended, when this process knows it.
    pub fn end_of(&self, pid: i32) -> Option<(String, Ended)> {
        self.ends.borrow().get(&pid).cloned()
    }

    fn join(self: &Rc<Pool>, context: &mut dyn Context, timeout: Option<f64>) -> Outcome {
        if self.tasks.closing() == Closing::Open {
            let error = Error::new(
                codes::VALUE,
                "`join` of a pool needs a pool that is closed, but it takes tasks still",
            );
            return Err(error
                .with_help("call `close()` or `terminate()` first")
                .into());
        }
        let deadline = timeout.map(crate::os::clock::deadline);
        let ended = || {
            let gone = self.crew.borrow().iter().flatten().count() == 0;
            (self.tasks.outstanding() == 0 && gone).then_some(())
        };
        match self.wait_for(context, &[], deadline, ended)? {
            Some(()) => Ok(Value::Nil),
            None => Err(timed_out(Operation::Join, "the pool", timeout.unwrap_or(0.0)).into()),
        }
    }

    fn terminate(&self, place: Option<Span>) -> Result<()> {
        self.tasks.close(Closing::Terminated);
        self.tasks.cancel_waiting();
        let crew = std::mem::take(&mut *self.crew.borrow_mut());
        for process in crew.iter().flatten() {
            process.kill();
        }
        for process in crew.iter().flatten() {
            process.wait(None, place)?;
        }
        Ok(())
    }

    /// In a worker: works off tasks until there will be no more.
    fn worker(&self, context: &mut dyn Context, worker: u64) -> ChildOutcome {
        context.enter_child();
        context.protect(self.init);
        self.tasks.begin_worker(worker);
        match self.work(context, worker) {
            Ok(()) => ChildOutcome::Returned(Message::default()),
            Err(Fault::Exit(code)) => ChildOutcome::Exited(code),
            Err(fault) => ChildOutcome::Raised(spawn::raised(context, fault)),
        }
    }

    fn work(&self, context: &mut dyn Context, worker: u64) -> Outcome<()> {
        if !matches!(self.init, Value::Nil) {
            context.call(self.init, &[])?;
        }
        let mut left = self.max_tasks.unwrap_or(u64::MAX);
        let awaited = [self.tasks.awaited(0)];
        let spec = WaitSpec::new(Operation::Work, &awaited, self.place);
        while left > 0 {
            let found = || {
                Ok(match self.tasks.take(worker) {
                    Found::Task(future) => Some(Some(future)),
                    Found::End => Some(None),
                    Found::Nothing => None,
                })
            };
            let task = match wait::wait(&spec, found) {
                Ok(Some(Some(task))) => task,
                Ok(_) => break,
                // Nobody can hand anything in any more: this worker has done its work.
                Err(error)
                    if error.code == codes::DEADLOCK || error.code == codes::END_OF_STREAM =>
                {
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            run_task(context, &task)?;
            self.tasks.end_task(worker);
            left -= 1;
        }
        Ok(())
    }
}

/// Runs a task and stores what comes of it. `exit` in a task ends the worker.
fn run_task(context: &mut dyn Context, task: &Future) -> Outcome<()> {
    let result = travel::unpack(context, task.task()).and_then(|work| perform(context, work));
    let packed = result.and_then(|value| travel::pack(context, value));
    match packed {
        Ok(message) => task.finish(State::Value, &message.bytes, &message.handles)?,
        Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
        Err(fault) => {
            let message = spawn::raised(context, fault);
            task.finish(State::Error, &message.bytes, &message.handles)?;
        }
    }
    Ok(())
}

fn perform(context: &mut dyn Context, task: Value) -> Outcome {
    let broken = || Error::new(codes::DECODE, "a task of a pool could not be read");
    let Value::List(task) = task else {
        return Err(broken().into());
    };
    context.protect(Value::List(task));
    let (Some(Value::Int(work)), Some(function), Some(Value::List(values))) =
        (task.get(0), task.get(1), task.get(2))
    else {
        return Err(broken().into());
    };
    let values = values.items().to_values();
    if work == Work::Call as i64 {
        let named = task
            .get(3)
            .map(|named| spawn::named_arguments(&named))
            .unwrap_or_default();
        return context.call_named(function, &values, &named);
    }
    let results = crate::value::list::List::new(context.heap(), Vec::new());
    context.protect(Value::List(results));
    for value in values {
        let arguments = match value {
            Value::List(list) if work == Work::Star as i64 => list.items().to_values(),
            value => vec![value],
        };
        let result = match context.call(function, &arguments) {
            Ok(value) => value,
            Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
            // An error is a result: whether it is raised is for the one who asked.
            Err(fault) => {
                let error = travel::error_value(context, fault).unwrap_or(Value::Nil);
                let pair = Value::list(context.heap(), vec![Value::Nil, error]);
                results.push(context.heap(), pair);
                continue;
            }
        };
        let single = Value::list(context.heap(), vec![result]);
        results.push(context.heap(), single);
    }
    Ok(Value::List(results))
}

/// Hands in one call; named arguments come as a map, before the others.
fn call(context: &mut dyn Context, method: &str, args: Args<'_>) -> Outcome<FutureHandle> {
    let pool = receiver(method, &args[0])?;
    arguments::callable(method, "function", &args[1])?;
    let named = arguments::given(&args[2]).copied().unwrap_or(Value::Nil);
    let positional = args.get(3..).unwrap_or(&[]).to_vec();
    pool.hand_in(context, Work::Call, args[1], positional, named)
}

fn submit(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let future = call(context, "submit", args)?;
    Ok(Value::handle(context.heap(), Rc::new(future)))
}

fn apply(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    call(context, "apply", args)?.result(context, None)
}

fn map(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    map_with(context, args, Work::Map)
}

fn starmap(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    map_with(context, args, Work::Star)
}

fn map_with(context: &mut dyn Context, args: Args<'_>, work: Work) -> Outcome {
    let pool = receiver("map", &args[0])?;
    arguments::callable("map", "function", &args[1])?;
    let items = gather(context, args[2])?;
    let values = items.items().to_values();
    let collect = match arguments::given(&args[4]) {
        None => false,
        Some(mode) => match arguments::text("map", "on_error", mode)? {
            "collect" => true,
            "raise" => false,
            _ => {
                return Err(arguments::refuse(
                    "map",
                    "on_error",
                    "must be \"raise\" or \"collect\"",
                    mode,
                ));
            }
        },
    };
    let chunk = stream::chunk("map", &args[3])?.unwrap_or_else(|| {
        // Four hand-outs for each worker: the last ones even out what the first left uneven.
        values
            .len()
            .div_ceil(pool.tasks.workers() as usize * 4)
            .max(1)
    });
    let mut futures = Vec::new();
    for part in values.chunks(chunk) {
        futures.push(pool.hand_in(context, work, args[1], part.to_vec(), Value::Nil)?);
    }
    let results = crate::value::list::List::new(context.heap(), Vec::new());
    context.protect(Value::List(results));
    for (number, future) in futures.iter().enumerate() {
        let part = future.result(context, None)?;
        for result in stream::Results::new(part, number * chunk, collect) {
            let result = result.map_err(Fault::Thrown)?;
            results.push(context.heap(), result);
        }
    }
    Ok(Value::List(results))
}

fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let pool = receiver("with", &args[0])?;
    if arguments::given(&args[1]).is_some() {
        pool.terminate(context.place())?;
        return Ok(Value::Nil);
    }
    pool.tasks.close(Closing::Closed);
    pool.join(context, None)
}

fn close(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("close", &args[0])?.tasks.close(Closing::Closed);
    Ok(Value::Nil)
}

fn terminate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("terminate", &args[0])?.terminate(context.place())?;
    Ok(Value::Nil)
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("join", "timeout", &args[1])?;
    receiver("join", &args[0])?.join(context, timeout)
}

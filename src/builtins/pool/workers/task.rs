//! What is handed to a pool, and what a worker does with it.
//!
//! A task is a message: a list of what is to be done, the function with the values of the global variables that it uses,
//! the items or arguments, and what is to be known about them.

use super::super::super::{spawn, travel};
use super::super::future::{self, FutureHandle};
use super::super::journal::check_lasting;
use super::super::map::error_of_item;
use super::super::retry::{Retry, Tries};
use super::super::{budget, item};
use super::Pool;
use super::shared::Shared;
use crate::arena::HandleId;
use crate::builtins::modules::random;
use crate::diag::{Error, Field, codes};
use crate::os::{clock, fork};
use crate::process::pool::future::{Future, State, Terms};
use crate::process::pool::job::Job;
use crate::process::pool::owner::Limits;
use crate::process::pool::spool::{Address, Capture};
use crate::process::pool::tasks::{Closing, Found};
use crate::process::wait::{self, Operation, WaitSpec};
use crate::process::{ChildOutcome, Message, signals, willing};
use crate::source::Span;
use crate::value::Value;
use crate::value::list::List;
use crate::value::native::{Context, Fault, Outcome};
use std::cell::Cell;
use std::rc::Rc;

/// How long one hand-out should keep a worker, in nanoseconds: long against the cost of handing it in.
pub const PART_TIME: u64 = 5_000_000;

/// What a task does with its function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// One call with these arguments.
    Call,
    /// One call for each item.
    Map,
    /// One call for each item, with the items of the item as arguments.
    Star,
}

/// A task to be handed in.
pub struct Task {
    /// What is done.
    pub work: Work,
    /// With what; nil where it is shared.
    pub function: Value,
    /// The function of all tasks of a map.
    pub shared: Option<Rc<Shared>>,
    /// To what.
    pub values: Vec<Value>,
    /// Named arguments as a map; nil for none.
    pub named: Value,
    /// The number from which the random streams of the items follow.
    pub stream: u64,
    /// The index of the first item.
    pub first: u64,
    /// The index of the first item of its job.
    pub base: u64,
    /// Seconds that each call may take.
    pub limit: Option<f64>,
    /// How often it is tried again when its worker dies.
    pub retries: u64,
    /// Where the results of the items go; without it they are the task's value.
    pub job: Option<Job>,
    /// Errors of items are results, and do not end the map.
    pub collect: bool,
    /// The results are kept for longer than the program runs.
    pub lasting: bool,
    /// What a worker has not begun after a while may be left to others that have nothing to do.
    pub divides: bool,
    /// Where what the items print goes, when it is told in their order.
    pub spool: Option<Address>,
    /// Where it is handed in, when its failure is to be told of if nobody asks for it.
    pub from: Option<Span>,
}

impl Pool {
    /// A task within the limits for those that are handed in one by one.
    pub fn task(&self, work: Work, function: Value, values: Vec<Value>, limits: Limits) -> Task {
        Task {
            work,
            function,
            shared: None,
            values,
            named: Value::Nil,
            stream: 0,
            first: 0,
            base: 0,
            limit: limits.timeout,
            retries: limits.retries,
            job: None,
            collect: false,
            lasting: false,
            divides: false,
            spool: None,
            from: None,
        }
    }

    /// Hands a task in: what the function captures travels as it is now.
    pub fn hand_in(
        self: &Rc<Pool>,
        context: &mut dyn Context,
        task: Task,
    ) -> Outcome<FutureHandle> {
        self.raise_failure(context)?;
        self.look_for_unasked(context);
        match task.job {
            // A map that was begun goes on.
            Some(_) => self.tasks.check_running()?,
            None => self.tasks.check_open()?,
        }
        let values = List::new(context.heap(), task.values);
        let job = task.job.as_ref().map(Job::id);
        let shared = task.shared.as_ref().map(|shared| shared.id());
        let [spool, more, identity] = Address::to_words(task.spool);
        let facts = [
            Value::Int(task.work as i64),
            task.function,
            Value::List(values),
            task.named,
            Value::Int(task.stream as i64),
            Value::Int(task.first as i64),
            task.limit.map_or(Value::Nil, Value::Float),
            job.map_or(Value::Nil, |job| Value::Int(job.to_bits() as i64)),
            Value::Bool(task.collect),
            Value::Int(task.base as i64),
            Value::Bool(task.lasting),
            Value::Int(spool as i64),
            Value::Int(more as i64),
            shared.map_or(Value::Nil, |id| Value::Int(id.to_bits() as i64)),
            Value::Bool(task.divides),
            Value::Int(identity as i64),
        ];
        let facts = Value::list(context.heap(), facts.to_vec());
        let mut message = match travel::pack_with_globals(context, facts) {
            Ok(message) => message,
            Err(fault) => {
                let values = values.items().to_values();
                let what = (task.work, task.function, task.first);
                return Err(blame(context, what, &values, fault));
            }
        };
        message.handles.extend(job.into_iter().chain(shared));
        if let Some(shared) = &task.shared {
            message.need(shared.code);
        }
        self.need_code(&message);
        let terms = Terms {
            retries: task.retries,
            limit: task.limit,
            from: task.from,
        };
        let future = Future::new(self.tasks.id(), &message.bytes, &message.handles, &terms)?;
        self.tasks.submit(&future, task.job.is_some())?;
        Ok(FutureHandle {
            future,
            pool: Some(self.clone()),
        })
    }

    /// What is typed at a prompt is not known to workers that were made before: they leave, and this process, which owns
    /// them and knows it, makes others. (A process that does not own them knows no more than they do.)
    pub(super) fn need_code(&self, message: &Message) {
        if self.owner == fork::pid() {
            self.tasks.need_code(message.code);
        }
    }

    /// In a worker: works off tasks until there will be no more.
    pub(super) fn worker(&self, context: &mut dyn Context, worker: u64) -> ChildOutcome {
        context.enter_child();
        context.protect(self.init);
        context.protect(self.body);
        context.protect(self.care.exit);
        self.kept.root(context);
        budget::divide_by(self.tasks.workers());
        random::begin_worker();
        self.tasks.begin_worker(worker);
        match self.work(context, worker) {
            Ok(()) => ChildOutcome::Returned(Message::default()),
            Err(Fault::Exit(code)) => ChildOutcome::Exited(code),
            Err(fault) => ChildOutcome::Raised(spawn::raised(context, fault)),
        }
    }

    fn work(&self, context: &mut dyn Context, worker: u64) -> Outcome<()> {
        self.care.begin(context, self.init)?;
        self.tasks.note_ready(worker);
        travel::keep_own_globals(context, self.init);
        let mut left = self.tasks.limits().max_tasks.unwrap_or(u64::MAX);
        let awaited = [self.tasks.awaited(0)];
        let mut spec = WaitSpec::new(Operation::Work, &awaited, self.place);
        spec.attended = self.tasks.attended();
        let mut scales = self.care.scales()?;
        // What the last task has dropped may be what others wait for: once behind each, the collector may be asked for.
        let mut leavings = true;
        while left > 0 && !scales.is_too_heavy() {
            spec.deadline = self.care.idle.map(clock::deadline);
            let known = &*context;
            let knows = |[functions, structs]: [u32; 2]| {
                (functions == 0 || known.code(functions - 1).is_some())
                    && (structs == 0 || known.structure(structs - 1).is_some())
            };
            let found = || {
                Ok(match self.tasks.take(worker, knows) {
                    Found::Task(future) => Some(Some(future)),
                    Found::End => Some(None),
                    Found::Nothing => {
                        self.kept.forget_what_is_over();
                        None
                    }
                })
            };
            let waited = willing::when(leavings, || wait::wait(&spec, found));
            let Some(waited) = waited else {
                leavings = false;
                match super::super::super::willing::collect(context) {
                    Err(_) if signals::was_cancelled() => return Ok(()),
                    collected => collected?,
                }
                continue;
            };
            self.tasks.pass_on();
            let task = match waited {
                Ok(Some(Some(task))) => task,
                Ok(None) if !self.tasks.may_retire(worker) => continue,
                Ok(_) => break,
                // Somebody has cancelled a worker that had nothing to do.
                Err(error) if error.code == codes::CANCELLED => return Ok(()),
                // Nobody can hand anything in any more.
                Err(error) if [codes::DEADLOCK, codes::END_OF_STREAM].contains(&error.code) => {
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let protected = context.protected();
            let calls = self.run_task(context, worker, &task)?;
            context.release(protected);
            self.tasks.end_task(worker);
            leavings = true;
            left = left.saturating_sub(calls);
            if signals::was_cancelled() || !item::collect_if_wanted(context)? {
                // Told to end: what waits is for others, if there are to be any.
                return Ok(());
            }
        }
        // Who is ended has no time to clean up but its task's own.
        match self.tasks.closing() == Closing::Terminated || !self.tasks.note_leaving(worker) {
            true => Ok(()),
            false => self.care.end(context),
        }
    }

    /// Runs a task and stores what comes of it; how many calls it was. `exit` in a task ends the worker.
    fn run_task(&self, context: &mut dyn Context, worker: u64, task: &Future) -> Outcome<u64> {
        let (mut calls, mut given_up, mut is_wrapped) = (1, false, false);
        let order = match self.read_parcel(context, task.task()) {
            Some(order) => order,
            None => {
                let facts = travel::unpack(context, task.task());
                facts.and_then(|facts| self.read_facts(context, facts))
            }
        };
        let result = order.and_then(|order| {
            calls = order.calls();
            is_wrapped = order.work != Work::Call as i64 && order.job.is_none();
            given_up = order.is_given_up(context, task)?;
            if given_up {
                return Ok(Value::Nil);
            }
            let result = match order.work == Work::Call as i64 {
                true => self.perform_one(context, worker, task, &order),
                false => self.perform(context, worker, task, &order),
            };
            if order.job.is_some() {
                calls = order.worked.get();
            }
            result
        });
        let packed = result.and_then(|value| match travel::pack(context, value) {
            Err(fault) if is_wrapped => Err(blame_result(context, value, fault)),
            packed => packed,
        });
        self.tasks.count_task(worker, calls);
        match packed {
            Ok(_) if given_up => {
                self.tasks.note_failure(task);
                task.fail_by_death();
            }
            Ok(message) => {
                let finished = task.finish(State::Value, &message.bytes, &message.handles);
                if let Err(error) = finished {
                    // There is no room for it: a failure of this task, and of nothing else.
                    self.fail(context, task, error.into())?;
                }
            }
            Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
            Err(fault) => self.fail(context, task, fault)?,
        }
        Ok(calls)
    }

    /// Stores the error of a task; where there is no room for that, why not.
    fn fail(&self, context: &mut dyn Context, task: &Future, fault: Fault) -> Outcome<()> {
        let message = spawn::raised(context, fault);
        self.tasks.note_failure(task);
        let finished = task.finish(State::Error, &message.bytes, &message.handles);
        if let Err(error) = finished {
            let message = spawn::raised(context, error.into());
            task.finish(State::Error, &message.bytes, &message.handles)?;
        }
        if task.state() == State::Cancelled || signals::was_cancelled() {
            // It was given up meanwhile, or ends with its pool: that is no failure.
            task.note_asked();
        }
        Ok(())
    }

    fn perform_one(
        &self,
        context: &mut dyn Context,
        worker: u64,
        task: &Future,
        order: &Order,
    ) -> Outcome {
        let began = clock::now();
        let result = order.call(context, task);
        let length = clock::now() - began;
        self.tasks.note_length(worker, None, length);
        result
    }

    fn perform(
        &self,
        context: &mut dyn Context,
        worker: u64,
        task: &Future,
        order: &Order,
    ) -> Outcome {
        let (function, retry) = Retry::of(order.function);
        let capture = order.spool.map(Capture::open).transpose()?;
        let results = List::new(context.heap(), Vec::new());
        context.protect(Value::List(results));
        let mut message = Message::default();
        let began = clock::now();
        let mut since = began;
        for (at, &value) in (0..).zip(&order.values) {
            if order.job.as_ref().is_some_and(Job::stopped)
                || order.is_better_shared(at, began) && self.tasks.has_idle_beside(worker)
            {
                break;
            }
            order.worked.set(at + 1);
            self.tasks.note_item(worker, at);
            let arguments = match value {
                Value::List(list) if order.work == Work::Star as i64 => list.items().to_values(),
                value => vec![value],
            };
            let index = (order.first + at).saturating_sub(order.base);
            let of_job = order.job.as_ref().map(|job| (job, index));
            let tries: &dyn Tries = of_job.as_ref().map_or(&task, |tries| tries);
            let result = retry.attempts(context, tries, |context| {
                order.timed(context, at, |context| context.call(function, &arguments))
            });
            since = self.tasks.note_item_end(worker, order.first + at, since);
            if let Some(capture) = &capture {
                // Before it is finished: then all that it has printed is marked.
                capture.mark(order.first + at);
            }
            if let Some(job) = &order.job {
                let result = result.and_then(|value| {
                    let lasts = order.lasting && !item::is_word(value);
                    let has_structs = lasts && check_lasting(value)?;
                    Ok((value, has_structs))
                });
                item::settle_kept(context, job, index, result, order.collect, &mut message)?;
                if !item::collect_if_wanted(context)? {
                    // Told to end: what was not begun is for others.
                    break;
                }
                continue;
            }
            let result = match result {
                Ok(value) => Value::list(context.heap(), vec![value]),
                Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
                // An error is a result: whether it is raised is for the one who asked.
                Err(fault) => {
                    let error = travel::error_value(context, fault).unwrap_or(Value::Nil);
                    Value::list(context.heap(), vec![Value::Nil, error])
                }
            };
            results.push(context.heap(), result);
        }
        if order.job.as_ref().is_some_and(Job::stopped) {
            self.tasks.tell_readers();
        }
        Ok(Value::List(results))
    }
}

/// The error of a result of an item that cannot travel: of the result itself, not of what it lies in on its way.
fn blame_result(context: &mut dyn Context, results: Value, fault: Fault) -> Fault {
    let first = |value: Value| match value {
        Value::List(list) => list.get(0),
        _ => None,
    };
    let Some(result) = first(results).and_then(first) else {
        return fault;
    };
    match travel::pack(context, result) {
        Err(fault) => fault,
        Ok(_) => fault,
    }
}

/// The error of a task that cannot travel, which tells what of it that is: looked for only now, part by part.
fn blame(
    context: &mut dyn Context,
    (work, function, first): (Work, Value, u64),
    values: &[Value],
    fault: Fault,
) -> Fault {
    for (at, &value) in (0..).zip(values) {
        let error = match travel::pack(context, value) {
            Err(Fault::Error(error)) => error,
            _ => continue,
        };
        let method = match work {
            Work::Call => {
                let note = format!("in argument {} of the task", at + 1);
                let error = error.with_field("argument", Field::Int(at as i64));
                return error.with_note(note).into();
            }
            Work::Map => "map",
            Work::Star => "starmap",
        };
        let error = future::error_of(context, error.into());
        let place = context.place();
        let blamed = error_of_item(context, error, method, first + at, value, place);
        return blamed.map_or_else(|fault| fault, Fault::Thrown);
    }
    match travel::pack(context, function) {
        Err(fault) => blame_function(fault),
        _ => fault,
    }
}

/// The error of a function that cannot travel.
pub fn blame_function(fault: Fault) -> Fault {
    match fault {
        Fault::Error(error) => error
            .with_note("in what the function of the task has captured")
            .into(),
        fault => fault,
    }
}

/// A task as its worker has it.
pub(super) struct Order {
    pub(super) work: i64,
    pub(super) function: Value,
    pub(super) values: Vec<Value>,
    pub(super) named: Value,
    pub(super) stream: u64,
    pub(super) first: u64,
    pub(super) base: u64,
    pub(super) limit: Option<f64>,
    pub(super) job: Option<Job>,
    pub(super) collect: bool,
    pub(super) lasting: bool,
    pub(super) spool: Option<Address>,
    /// Items that were not begun may be left to others.
    pub(super) divides: bool,
    /// Items that were begun.
    pub(super) worked: Cell<u64>,
}

impl Pool {
    /// Reads the facts of a task and keeps them alive.
    fn read_facts(&self, context: &mut dyn Context, facts: Value) -> Outcome<Order> {
        let broken = || Error::new(codes::DECODE, "a task of a pool could not be read");
        let Value::List(facts) = facts else {
            return Err(broken().into());
        };
        context.protect(Value::List(facts));
        let fact = |at: usize| facts.get(at).unwrap_or(Value::Nil);
        let number = |at: usize| match fact(at) {
            Value::Int(number) => Some(number as u64),
            _ => None,
        };
        let (Value::Int(work), Value::List(values)) = (fact(0), fact(2)) else {
            return Err(broken().into());
        };
        let job = match number(7) {
            Some(bits) => Some(
                HandleId::from_bits(bits)
                    .and_then(Job::from_id)
                    .ok_or_else(broken)?,
            ),
            None => None,
        };
        let function = match number(13) {
            Some(bits) => {
                let id = HandleId::from_bits(bits).ok_or_else(broken)?;
                self.function_of(context, id)?
            }
            None => {
                self.kept.forget();
                fact(1)
            }
        };
        Ok(Order {
            work,
            function,
            values: values.items().to_values(),
            named: fact(3),
            stream: number(4).unwrap_or(0),
            first: number(5).unwrap_or(0),
            base: number(9).unwrap_or(0),
            limit: fact(6).as_number(),
            job,
            collect: fact(8).truthy(),
            lasting: fact(10).truthy(),
            spool: Address::from_words([11, 12, 15].map(|at| number(at).unwrap_or(0))),
            divides: fact(14).truthy(),
            worked: Cell::new(0),
        })
    }
}

impl Order {
    /// Whether a task whose worker died before is not worth another try, by the terms that came with it. Items of a job are
    /// decided on by who handed them in.
    fn is_given_up(&self, context: &mut dyn Context, task: &Future) -> Outcome<bool> {
        let (_, retry) = Retry::of(self.function);
        if retry.is_plain() || self.job.is_some() || task.died_with().is_none() {
            return Ok(false);
        }
        let error = future::death(task, "a task", task.deaths());
        let error = future::error_of(context, error.into());
        context.protect(error);
        Ok(!retry.is_worth_while(context, error)?)
    }

    /// Whether what comes from an item on would keep the worker longer than a hand-out should.
    fn is_better_shared(&self, at: u64, began: u64) -> bool {
        self.divides
            && at > 0
            && at + 1 < self.values.len() as u64
            && clock::now().saturating_sub(began) >= PART_TIME
    }

    /// Makes its one call.
    fn call(&self, context: &mut dyn Context, task: &Future) -> Outcome {
        let (function, retry) = Retry::of(self.function);
        let named = spawn::named_arguments(&self.named);
        retry.attempts(context, &task, |context| {
            self.timed(context, 0, |context| {
                context.call_named(function, &self.values, &named)
            })
        })
    }

    fn calls(&self) -> u64 {
        match self.work == Work::Call as i64 {
            true => 1,
            false => self.values.len() as u64,
        }
    }

    /// A call for the item at a place of the task, with its random stream and its time limit.
    fn timed(
        &self,
        context: &mut dyn Context,
        at: u64,
        call: impl FnOnce(&mut dyn Context) -> Outcome,
    ) -> Outcome {
        random::begin_item(self.stream, self.first + at);
        item::within(self.limit, || call(context))
    }
}

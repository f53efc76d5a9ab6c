//! `imap` and `imap_unordered`: results as they come, reading only a little ahead of them.

use super::super::{arguments, travel};
use super::future::{self, FutureHandle};
use super::map::{error_of_item, value_of};
use super::settings;
use super::workers::task::Work;
use super::workers::{Pool, with_limits};
use crate::builtins::modules::random;
use crate::diag::codes;
use crate::process::pool::future::State;
use crate::process::pool::job::{Job, Produced};
use crate::process::pool::owner::Limits;
use crate::process::wait::Awaited;
use crate::source::Span;
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::list::List;
use crate::value::native::{Args, Context, Fault, IterBox, NativeIter, Outcome};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Hand-outs that are read ahead for each worker: one to work on, one to begin with at once.
const AHEAD: usize = 2;

/// `p.imap(function, items)`.
pub fn imap(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    stream(context, args, true)
}

/// `p.imap_unordered(function, items)`.
pub fn imap_unordered(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    stream(context, args, false)
}

fn stream(context: &mut dyn Context, args: Args<'_>, ordered: bool) -> Outcome {
    let method = if ordered { "imap" } else { "imap_unordered" };
    let (pool, limits) = with_limits(method, &args[0])?;
    arguments::callable(method, "function", &args[1])?;
    let chunk = settings::count(method, "chunk", &args[3], 1)?.unwrap_or(1);
    let chunk = chunk.min(pool.tasks.limits().max_tasks.unwrap_or(u64::MAX));
    let source = context.iterate(args[2])?;
    let stream = Rc::new(Stream {
        owner: args[0],
        function: args[1],
        source,
        chunk: chunk as usize,
        collect: settings::collect(method, &args[4])?,
        limits: Limits {
            timeout: settings::limit(method, &args[5])?.or(limits.timeout),
            retries: settings::count(method, "retries", &args[6], 0)?.unwrap_or(limits.retries),
            max_tasks: None,
        },
        method,
        ordered,
        stream: random::draw(context),
        place: context.place(),
        pool,
        drained: Cell::new(false),
        broken: RefCell::default(),
        handed: Cell::new(0),
        running: RefCell::default(),
        ready: RefCell::default(),
    });
    let iter = Value::Iter(IterBox::new(context.heap(), stream.clone()));
    context.protect(iter);
    // The workers begin at once, not only when somebody asks for the first result.
    stream.fill(context)?;
    Ok(iter)
}

struct Stream {
    pool: Rc<Pool>,
    owner: Value,
    function: Value,
    source: Rc<dyn NativeIter>,
    chunk: usize,
    collect: bool,
    limits: Limits,
    method: &'static str,
    ordered: bool,
    /// The number from which the random streams of the items follow.
    stream: u64,
    place: Option<Span>,
    drained: Cell<bool>,
    /// What ended the reading of items: raised behind the results of those that were read before.
    broken: RefCell<Option<Fault>>,
    /// Items handed in so far.
    handed: Cell<u64>,
    /// Hand-outs that were not delivered yet.
    running: RefCell<VecDeque<Part>>,
    /// Results of a hand-out that were not delivered yet.
    ready: RefCell<VecDeque<Result<Value, Value>>>,
}

/// One hand-out: what became of it, and its items with the index of the first.
struct Part {
    handle: FutureHandle,
    items: Vec<Value>,
    first: u64,
    /// Where the results of several items go, one by one; the result of a single one is its task's.
    job: Option<Job>,
    /// Items that were finished before the task was handed in that runs now.
    begun: usize,
    /// The item that a worker died at last, and how many did.
    tries: (u64, u64),
}

impl Stream {
    /// Reads ahead as far as is allowed.
    fn fill(&self, context: &mut dyn Context) -> Outcome<()> {
        let most = self.pool.tasks.workers() as usize * AHEAD;
        while !self.drained.get() && self.running.borrow().len() < most {
            let items = List::new(context.heap(), Vec::new());
            context.protect(Value::List(items));
            while items.len() < self.chunk {
                match self.source.next(context) {
                    Ok(Some(item)) => items.push(context.heap(), item),
                    Ok(None) => self.drained.set(true),
                    Err(fault) => self.put_off(fault)?,
                }
                if self.drained.get() {
                    break;
                }
            }
            if items.is_empty() {
                return Ok(());
            }
            let items = items.items().to_values();
            let job = match items.len() {
                1 => None,
                count => Some(Job::new(count as u64, 0, true, true)?),
            };
            let first = self.handed.get();
            let part = Part {
                handle: self.hand_in(context, &items, first, 0, job.as_ref())?,
                first,
                items,
                job,
                begun: 0,
                tries: (0, 0),
            };
            self.handed.set(first + part.items.len() as u64);
            self.running.borrow_mut().push_back(part);
        }
        Ok(())
    }

    /// Hands in the items of a part from the given one on.
    fn hand_in(
        &self,
        context: &mut dyn Context,
        items: &[Value],
        first: u64,
        from: usize,
        job: Option<&Job>,
    ) -> Outcome<FutureHandle> {
        let values = items.get(from..).unwrap_or(&[]).to_vec();
        let mut task = self
            .pool
            .task(Work::Map, self.function, values, self.limits);
        task.stream = self.stream;
        task.first = first + from as u64;
        task.base = first;
        if let Some(job) = job {
            // Errors are results here, and each item is tried again by itself.
            (task.job, task.collect, task.retries) = (Some(job.clone()), true, 0);
        }
        self.pool.hand_in(context, task)
    }

    /// After the death of a worker in the middle of a part: the item that it was at has failed or is tried again, and what is
    /// left is handed in anew. True when there is something left.
    fn go_on(&self, context: &mut dyn Context, part: &mut Part) -> Outcome<bool> {
        let future = &part.handle.future;
        let Some(job) = part.job.clone().filter(|_| future.state() == State::Died) else {
            return Ok(false);
        };
        let at = part.begun as u64 + future.died_at();
        if at < job.total() && !job.is_finished(at) {
            let tries = match part.tries {
                (item, tries) if item == at => tries + 1,
                _ => 1,
            };
            part.tries = (at, tries);
            if tries > self.limits.retries {
                let error = future::death(future, "an item", tries).into();
                let error = future::error_of(context, error);
                let message = travel::pack(context, error)?;
                job.finish(at, Produced::Error(&message.bytes), &message.handles)?;
            }
        }
        part.begun = job.first_unfinished(0) as usize;
        if part.begun >= part.items.len() {
            return Ok(false);
        }
        part.handle = self.hand_in(context, &part.items, part.first, part.begun, Some(&job))?;
        Ok(true)
    }

    /// Keeps an error until the results of what was handed in before have been delivered. What ends this process is not
    /// put off.
    fn put_off(&self, fault: Fault) -> Outcome<()> {
        self.drained.set(true);
        match &fault {
            Fault::Exit(_) => return Err(fault),
            Fault::Error(error) if [codes::INTERRUPTED, codes::CANCELLED].contains(&error.code) => {
                return Err(fault);
            }
            _ => *self.broken.borrow_mut() = Some(fault),
        }
        Ok(())
    }

    /// The next finished hand-out: the first, or whichever is finished.
    fn next_finished(&self, context: &mut dyn Context) -> Outcome<Option<Part>> {
        while let Some((at, mut part)) = self.next_over(context)? {
            match self.go_on(context, &mut part) {
                Ok(false) => return Ok(Some(part)),
                Ok(true) => self.running.borrow_mut().insert(at, part),
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }

    /// The next hand-out whose task is over, and where it stood.
    fn next_over(&self, context: &mut dyn Context) -> Outcome<Option<(usize, Part)>> {
        if self.running.borrow().is_empty() {
            return Ok(None);
        }
        let count = if self.ordered {
            1
        } else {
            self.running.borrow().len()
        };
        let running = self.running.borrow();
        let awaited: Vec<Awaited<'_>> = running
            .iter()
            .take(count)
            .map(|part| part.handle.future.awaited())
            .collect();
        let ready = || {
            let mut first = running.iter().take(count);
            first.position(|part| part.handle.future.state().is_final())
        };
        let at = self.pool.wait_for(context, &awaited, None, ready)?;
        drop(running);
        let at = at.unwrap_or(0);
        let part = self.running.borrow_mut().remove(at);
        Ok(part.map(|part| (at, part)))
    }

    /// The results of a finished hand-out, errors with their items.
    fn results(
        &self,
        context: &mut dyn Context,
        part: &Part,
    ) -> Outcome<VecDeque<Result<Value, Value>>> {
        let item = |at: u64| part.items.get(at as usize).copied().unwrap_or(Value::Nil);
        let mut found = VecDeque::new();
        for (at, result) in (0..).zip(self.raw_results(context, part)?) {
            found.push_back(match result {
                Ok(value) => Ok(value),
                Err(error) => {
                    let (index, place) = (part.first + at, self.place);
                    let error = error_of_item(context, error, self.method, index, item(at), place)?;
                    context.protect(error);
                    match self.collect {
                        true => Ok(error),
                        false => Err(error),
                    }
                }
            });
        }
        Ok(found)
    }

    /// The values and errors of a part that is over, as the workers gave them.
    fn raw_results(
        &self,
        context: &mut dyn Context,
        part: &Part,
    ) -> Outcome<Vec<Result<Value, Value>>> {
        let future = &part.handle.future;
        if let Some(job) = &part.job {
            if !matches!(future.state(), State::Value | State::Died) {
                // The task as such could not be done, or the pool was terminated.
                future::outcome(context, future)?;
            }
            let mut all = Vec::new();
            for item in 0..job.total() {
                let result = value_of(context, job.result(item))?;
                let (Ok(value) | Err(value)) = result;
                context.protect(value);
                all.push(result);
            }
            return Ok(all);
        }
        if future.state() == State::Died {
            let error = future::death(future, "an item", future.deaths()).into();
            let error = future::error_of(context, error);
            context.protect(error);
            return Ok(vec![Err(error)]);
        }
        // It came as `[value]` or as `[nil, error]`.
        let Value::List(results) = future::outcome(context, future)? else {
            return Ok(Vec::new());
        };
        context.protect(Value::List(results));
        let of_one = |result: Value| match result {
            Value::List(result) => Some(match result.get(1) {
                Some(error) => Err(error),
                None => Ok(result.get(0).unwrap_or(Value::Nil)),
            }),
            _ => None,
        };
        let results = results.items().to_values().into_iter();
        Ok(results.filter_map(of_one).collect())
    }
}

impl NativeIter for Stream {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        loop {
            let result = self.ready.borrow_mut().pop_front();
            if let Some(result) = result {
                return result.map(Some).map_err(Fault::Thrown);
            }
            let Some(part) = self.next_finished(context)? else {
                let broken = self.broken.borrow_mut().take();
                return broken.map_or(Ok(None), Err);
            };
            // The next one goes out before the results are looked at, so that no worker waits for the reader.
            if let Err(fault) = self.fill(context) {
                self.put_off(fault)?;
            }
            *self.ready.borrow_mut() = self.results(context, &part)?;
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.owner);
        marker.value(self.function);
        self.source.trace(marker);
        self.pool.trace(marker);
        for part in self.running.borrow().iter() {
            for &item in &part.items {
                marker.value(item);
            }
        }
        if let Some(Fault::Thrown(error)) = &*self.broken.borrow() {
            marker.value(*error);
        }
        for result in self.ready.borrow().iter() {
            marker.value(match result {
                Ok(value) | Err(value) => *value,
            });
        }
    }
}

//! `imap` and `imap_unordered`: results as they come, reading only a little ahead of them.

use super::super::arguments;
use super::future::{self, FutureHandle};
use super::map::error_of_item;
use super::settings;
use super::workers::task::Work;
use super::workers::{Pool, receiver};
use crate::builtins::modules::random;
use crate::diag::codes;
use crate::process::pool::future::State;
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
    let pool = receiver(method, &args[0])?;
    arguments::callable(method, "function", &args[1])?;
    let source = context.iterate(args[2])?;
    let stream = Rc::new(Stream {
        owner: args[0],
        function: args[1],
        source,
        chunk: settings::count(method, "chunk", &args[3], 1)?.unwrap_or(1) as usize,
        collect: settings::collect(method, &args[4])?,
        limit: settings::limit(method, &args[5])?,
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
    limit: Option<f64>,
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
            let mut task = self.pool.task(Work::Map, self.function, items.clone());
            task.stream = self.stream;
            task.limit = self.limit.or(task.limit);
            task.first = self.handed.get();
            let part = Part {
                handle: self.pool.hand_in(context, task)?,
                first: self.handed.replace(self.handed.get() + items.len() as u64),
                items,
            };
            self.running.borrow_mut().push_back(part);
        }
        Ok(())
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
        Ok(self.running.borrow_mut().remove(at.unwrap_or(0)))
    }

    /// The results of a finished hand-out. Each came as `[value]` or as `[nil, error]`.
    fn results(
        &self,
        context: &mut dyn Context,
        part: &Part,
    ) -> Outcome<VecDeque<Result<Value, Value>>> {
        let future = &part.handle.future;
        let item = |at: u64| part.items.get(at as usize).copied().unwrap_or(Value::Nil);
        if future.state() == State::Died {
            let at = future.died_at();
            let error = future::death(future, "an item").into();
            let error = future::error_of(context, error);
            let index = part.first + at;
            let error = error_of_item(context, error, self.method, index, item(at), self.place)?;
            return Ok(VecDeque::from([match self.collect {
                true => Ok(error),
                false => Err(error),
            }]));
        }
        let Value::List(results) = future::outcome(context, future)? else {
            return Ok(VecDeque::new());
        };
        context.protect(Value::List(results));
        let mut found = VecDeque::new();
        for (at, result) in (0..).zip(results.items().to_values()) {
            let Value::List(result) = result else {
                continue;
            };
            let Some(error) = result.get(1) else {
                found.push_back(Ok(result.get(0).unwrap_or(Value::Nil)));
                continue;
            };
            let index = part.first + at;
            let error = error_of_item(context, error, self.method, index, item(at), self.place)?;
            context.protect(error);
            found.push_back(match self.collect {
                true => Ok(error),
                false => Err(error),
            });
        }
        Ok(found)
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

//! `imap` and `imap_unordered`: results as they come, reading only a little ahead of them.

use super::super::arguments;
use super::future::FutureHandle;
use super::workers::{Pool, Work, receiver};
use crate::process::wait::Awaited;
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, IterBox, NativeIter, Outcome};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Hand-outs that are read ahead for each worker: one to work on, one to begin with at once.
const AHEAD: usize = 2;

/// A chunk length, when one was given.
pub fn chunk(method: &str, value: &Value) -> Outcome<Option<usize>> {
    let Some(value) = arguments::given(value) else {
        return Ok(None);
    };
    match arguments::size(method, "chunk", value)? {
        0 => Err(arguments::refuse(
            method,
            "chunk",
            "must be 1 or more",
            value,
        )),
        chunk => Ok(Some(chunk)),
    }
}

/// The results of one hand-out. Each came as `[value]` or as `[nil, error]`.
pub struct Results {
    values: std::vec::IntoIter<Value>,
    index: usize,
    collect: bool,
}

impl Results {
    /// The results in a task's value; `index` is that of the first item.
    pub fn new(part: Value, index: usize, collect: bool) -> Results {
        let values = match part {
            Value::List(list) => list.items().to_values(),
            _ => Vec::new(),
        };
        Results {
            values: values.into_iter(),
            index,
            collect,
        }
    }
}

impl Iterator for Results {
    type Item = Result<Value, Value>;

    fn next(&mut self) -> Option<Result<Value, Value>> {
        let Value::List(result) = self.values.next()? else {
            return Some(Ok(Value::Nil));
        };
        self.index += 1;
        Some(match (result.get(0), result.get(1)) {
            (_, Some(error)) if self.collect => Ok(error),
            (_, Some(error)) => Err(error),
            (value, None) => Ok(value.unwrap_or(Value::Nil)),
        })
    }
}

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
    let stream = Stream {
        pool,
        owner: args[0],
        function: args[1],
        source,
        chunk: chunk(method, &args[3])?.unwrap_or(1),
        ordered,
        drained: Cell::new(false),
        handed: Cell::new(0),
        running: RefCell::default(),
        ready: RefCell::default(),
    };
    Ok(Value::Iter(IterBox::new(context.heap(), Rc::new(stream))))
}

struct Stream {
    pool: Rc<Pool>,
    owner: Value,
    function: Value,
    source: Rc<dyn NativeIter>,
    chunk: usize,
    ordered: bool,
    drained: Cell<bool>,
    /// Items handed in so far.
    handed: Cell<usize>,
    /// Hand-outs that were not delivered yet, with the index of their first item.
    running: RefCell<VecDeque<(FutureHandle, usize)>>,
    /// Results of a hand-out that were not delivered yet.
    ready: RefCell<VecDeque<Result<Value, Value>>>,
}

impl Stream {
    /// Reads ahead as far as is allowed.
    fn fill(&self, context: &mut dyn Context) -> Outcome<()> {
        let most = self.pool.tasks.workers() as usize * AHEAD;
        while !self.drained.get() && self.running.borrow().len() < most {
            let items = crate::value::list::List::new(context.heap(), Vec::new());
            context.protect(Value::List(items));
            while items.len() < self.chunk {
                match self.source.next(context)? {
                    Some(item) => items.push(context.heap(), item),
                    None => {
                        self.drained.set(true);
                        break;
                    }
                }
            }
            if !items.is_empty() {
                let first = self.handed.replace(self.handed.get() + items.len());
                let future = self.pool.hand_in(
                    context,
                    Work::Map,
                    self.function,
                    items.items().to_values(),
                    Value::Nil,
                )?;
                self.running.borrow_mut().push_back((future, first));
            }
        }
        Ok(())
    }

    /// The next finished hand-out: the first, or whichever is finished.
    fn next_finished(&self, context: &mut dyn Context) -> Outcome<Option<(FutureHandle, usize)>> {
        if self.running.borrow().is_empty() {
            return Ok(None);
        }
        let at = if self.ordered {
            0
        } else {
            self.any_finished(context)?
        };
        Ok(self.running.borrow_mut().remove(at))
    }

    fn any_finished(&self, context: &mut dyn Context) -> Outcome<usize> {
        let running = self.running.borrow();
        let awaited: Vec<Awaited<'_>> = running
            .iter()
            .map(|(future, _)| future.future.awaited())
            .collect();
        let ready = || {
            running
                .iter()
                .position(|(future, _)| future.future.state().is_final())
        };
        Ok(self
            .pool
            .wait_for(context, &awaited, None, ready)?
            .unwrap_or(0))
    }
}

impl NativeIter for Stream {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        loop {
            if let Some(result) = self.ready.borrow_mut().pop_front() {
                return result.map(Some).map_err(Fault::Thrown);
            }
            self.fill(context)?;
            let Some((future, first)) = self.next_finished(context)? else {
                return Ok(None);
            };
            let part = future.result(context, None)?;
            let results: VecDeque<_> = Results::new(part, first, false).collect();
            *self.ready.borrow_mut() = results;
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.owner);
        marker.value(self.function);
        self.source.trace(marker);
        for result in self.ready.borrow().iter() {
            marker.value(match result {
                Ok(value) | Err(value) => *value,
            });
        }
    }
}

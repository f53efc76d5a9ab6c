//! Leases as values: items of a queue that stay the queue's until their taker has dealt with them.

use super::queue::{QueueHandle, ends, still_there};
use super::{Table, arguments, spawn, travel, willing};
use crate::arena;
use crate::diag::{self, codes};
use crate::process::channel::SetAside;
use crate::process::lease::{Lease, State, cause_of_death};
use crate::process::queue::Queue;
use crate::process::signals;
use crate::source::Span;
use crate::value::error::ErrorValue;
use crate::value::handle::Handle;
use crate::value::heap::Marker;
use crate::value::map::{Map, Table as Entries};
use crate::value::native::{Args, Context, Fault, Native, NativeIter, Outcome};
use crate::value::{Value, show};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

pub static INTRINSICS: Table = natives! {
    "@lease_leave" ("value", "error") leave_round, "The end of a round of `for lease in q.leases()`.";
};

pub static METHODS: Table = natives! {
    "@leave" ("error") leave, "The end of the block that has the lease: done, or after an error given back.";
    "done" () done, "The item is dealt with: it leaves the queue for good, and what was put through the lease becomes visible, in one step.";
    "put" ("queue", "item", "timeout?") put, "Puts an item into a queue together with the end of this lease; waits while that queue is full, at most `timeout` seconds.";
    "release" () release, "Gives the item back to the front of its queue, without what was put through the lease.";
};

/// A lease as a value.
pub struct LeaseHandle {
    lease: Lease,
    /// The item.
    pub value: Value,
}

impl Handle for LeaseHandle {
    fn type_name(&self) -> &'static str {
        "lease"
    }

    fn show(&self) -> String {
        let state = match self.lease.state() {
            State::Open if self.lease.is_own() => "open",
            State::Open => "of another process",
            State::Done => "done",
            State::Returned => "given back",
        };
        format!("<lease of {} {state}>", show::repr(self.value))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, _: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok(match name {
            "value" => Some(self.value),
            "count" => Some(Value::Int(self.lease.deliveries() as i64)),
            "open" => Some(Value::Bool(self.lease.is_open())),
            _ => None,
        })
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["count", "open", "value"]
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.value);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A lease that was just taken, as a value. An item that cannot be read goes back.
pub fn value_of(context: &mut dyn Context, lease: Lease) -> Outcome {
    let value = lease.read(|bytes| travel::unpack(context, bytes))??;
    context.protect(value);
    let handle = Rc::new(LeaseHandle { lease, value });
    Ok(Value::handle(context.heap(), handle))
}

/// Takes the item at the front of a queue by lease, waiting for it.
pub fn take(context: &mut dyn Context, queue: &Queue, timeout: Option<f64>) -> Outcome {
    let lease = match queue.try_take()? {
        Some(lease) => lease,
        None => unless_dropped(context, queue, |place| queue.take(timeout, place))?,
    };
    value_of(context, lease)
}

/// The errors of a wait for which nothing came.
const FRUITLESS: [codes::Code; 3] = [codes::END_OF_STREAM, codes::DEADLOCK, codes::TIMEOUT];

/// Takes something from a queue. When nothing more can come, or nothing came in time, but items lie in leases of this very process that nobody keeps any
/// more, the collector gives those back, and it is tried again.
pub fn unless_dropped<T>(
    context: &mut dyn Context,
    queue: &Queue,
    take: impl Fn(Option<Span>) -> diag::Result<T>,
) -> Outcome<T> {
    let place = context.place();
    match willing::wait(context, &take) {
        Err(Fault::Error(error)) if FRUITLESS.contains(&error.code) => {
            let in_hands = || Some(queue.channel(arena::get()?).in_hands_of(arena::me()));
            let before = in_hands();
            if before.is_none_or(|count| count == 0) {
                return Err(error.into());
            }
            signals::want_collection();
            context.poll()?;
            match in_hands() {
                left if left < before => Ok(take(place)?),
                left => Err(with_lent(error, left.unwrap_or(0)).into()),
            }
        }
        taken => taken,
    }
}

/// Tells that the reason may be this process itself.
fn with_lent(error: Box<diag::Error>, count: usize) -> Box<diag::Error> {
    let items = match count {
        1 => "an item of it is".to_string(),
        count => format!("{count} items of it are"),
    };
    error.with_note(format!(
        "{items} lent to this very process: it comes back with `lease.release()`"
    ))
}

/// The items of a queue by lease, until it is closed and empty.
pub struct Leases {
    queue: Queue,
    last: Cell<Value>,
}

impl Leases {
    /// Of a queue.
    pub fn new(queue: Queue) -> Leases {
        Leases {
            queue,
            last: Cell::new(Value::Nil),
        }
    }
}

impl NativeIter for Leases {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        // The head of a `for` ends the lease of each round by itself; who goes over the leases in another way asks for the
        // next when the last is dealt with.
        if let Some(last) = self.last.get().as_handle::<LeaseHandle>()
            && last.lease.is_open()
        {
            last.lease.done()?;
        }
        still_there(self.queue.id())?;
        match take(context, &self.queue, None) {
            Ok(value) => {
                self.last.set(value);
                Ok(Some(value))
            }
            Err(fault) if ends(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn may_break_off(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.last.get());
        marker.handle(Some(travel::from_arena(self.queue.id(), 0)));
    }
}

/// A message that was set aside, as a map.
pub fn dead_letter(context: &mut dyn Context, letter: &SetAside) -> Outcome {
    let value = travel::unpack(context, &letter.bytes)?;
    context.protect(value);
    let error = match letter.error.is_empty() {
        false => travel::unpack(context, &letter.error)?,
        true => {
            let error = cause_of_death(letter.taker);
            let made = ErrorValue::new(context.heap(), error, Vec::new(), Value::Nil);
            Value::Error(made)
        }
    };
    context.protect(error);
    let mut table = Entries::default();
    let count = Value::Int(letter.deliveries as i64);
    for (name, value) in [("value", value), ("count", count), ("error", error)] {
        table.insert(Value::str(context.heap(), name), value);
    }
    Ok(Value::Map(Map::new(context.heap(), table)))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Lease> {
    match value.as_handle::<LeaseHandle>() {
        Some(handle) => Ok(&handle.lease),
        None => Err(arguments::wrong(method, "self", "a lease", value)),
    }
}

fn done(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("done", &args[0])?.done()?;
    Ok(Value::Nil)
}

fn release(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("release", &args[0])?.release(None)?;
    Ok(Value::Nil)
}

fn put(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let lease = receiver("put", &args[0])?;
    let Some(target) = args[1].as_handle::<QueueHandle>() else {
        return Err(arguments::wrong("put", "queue", "a queue", &args[1]));
    };
    let timeout = arguments::timeout("put", "timeout", &args[3])?;
    let mut message = travel::prepare(context, args[2])?;
    let place = context.place();
    lease.put(&target.queue, &mut message, timeout, place)?;
    Ok(Value::Nil)
}

/// Whether an error is the item's fault: to be told to stop is not.
fn counts(error: &Value) -> bool {
    match error {
        Value::Error(error) => !matches!(error.report.code, codes::CANCELLED | codes::INTERRUPTED),
        _ => false,
    }
}

/// Anything may have a method `leases`: what is no lease is left alone.
fn leave_round(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match args[0].as_handle::<LeaseHandle>() {
        Some(_) => leave(context, args),
        None => Ok(Value::Nil),
    }
}

fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let lease = receiver("with", &args[0])?;
    if !lease.is_open() {
        return Ok(Value::Nil);
    }
    match args[1] {
        Value::Nil | Value::Undef => {
            let done = lease.done();
            if lease.is_open() {
                lease.release(None)?;
            }
            done?;
        }
        error if counts(&error) => {
            let message = spawn::raised(context, Fault::Thrown(error));
            lease.release(Some(&message))?;
        }
        // Told to stop, or by `exit`.
        _ => lease.release(None)?,
    }
    Ok(Value::Nil)
}

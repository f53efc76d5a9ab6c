//! Queues as values.

use super::{Table, arguments, lease, travel, willing};
use crate::arena::{self, HandleId as ArenaId};
use crate::diag::{Error, codes};
use crate::limits::MAX_FAILURES;
use crate::process;
use crate::process::queue::Queue;
use crate::process::wait::{Operation, timed_out};
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, IterBox, Native, NativeIter, Outcome};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "queue" ("capacity?", "failures?") queue, "A queue between processes; with a capacity, `put` waits while so many items wait in it; an item whose lease ends by a death or an error so many times (3) is set aside.";
};

pub static METHODS: Table = natives! {
    "close" () close, "Closes it for everybody: nothing more can be put, and what is in it can still be taken; false when it was closed before.";
    "dead_letters" ("take?") dead_letters, "The items that were set aside because they failed those who took them by lease, as a list of maps with `value`, `count` and `error`; `take: true` takes them out.";
    "empty" () empty, "Whether no item waits in it at this instant.";
    "full" () full, "Whether as many items wait in it as may.";
    "get" ("timeout?") get, "Takes the item at the front; waits for one, at most `timeout` seconds.";
    "join" ("timeout?") join, "Waits until `task_done` was called for every item that was put.";
    "leases" () leases, "For the head of a `for`: the items by lease, until the queue is closed and empty; each lease is done when its round is.";
    "len" () len, "How many items wait in it at this instant.";
    "put" ("item", "timeout?") put, "Puts an item at the end; waits for room, at most `timeout` seconds.";
    "take" ("timeout?") take_lease, "Takes the item at the front by lease: until the lease is done it comes back when this process dies; waits for an item, at most `timeout` seconds.";
    "task_done" () task_done, "Says that an item which was taken has been dealt with (see `join`).";
    "try_get" () try_get, "[true, item] when an item waits, else [false, nil].";
    "try_put" ("item") try_put, "Puts an item if there is room; whether there was.";
};

/// A queue as a value.
pub struct QueueHandle {
    /// The queue.
    pub queue: Queue,
}

impl Handle for QueueHandle {
    fn type_name(&self) -> &'static str {
        "queue"
    }

    fn show(&self) -> String {
        let Some(arena) = arena::get() else {
            return String::from("<queue>");
        };
        let channel = self.queue.channel(arena);
        let of = match channel.capacity() {
            0 => String::new(),
            capacity => format!(" of {capacity}"),
        };
        let closed = if channel.is_closed() { " closed" } else { "" };
        format!("<queue {}{of}{closed}>", channel.len())
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.queue.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, _: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        let channel = self.queue.channel(process::start()?);
        Ok(match name {
            "capacity" => Some(match channel.capacity() {
                0 => Value::Nil,
                capacity => Value::Int(capacity as i64),
            }),
            "closed" => Some(Value::Bool(channel.is_closed())),
            _ => None,
        })
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["capacity", "closed"]
    }

    fn len(&self, _: &mut dyn Context) -> Outcome<Option<usize>> {
        Ok(Some(self.queue.channel(process::start()?).len() as usize))
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        Ok(Some(Rc::new(Items {
            queue: self.queue.clone(),
        })))
    }

    fn join(&self, context: &mut dyn Context, timeout: Option<f64>) -> Option<Outcome> {
        Some(join_queue(context, &self.queue, timeout))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The items as they come, until the queue is closed and empty.
struct Items {
    queue: Queue,
}

impl NativeIter for Items {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        still_there(self.queue.id())?;
        match take(context, &self.queue, None) {
            Ok(value) => Ok(Some(value)),
            Err(fault) if ends(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn may_break_off(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.handle(Some(travel::from_arena(self.queue.id(), 0)));
    }
}

/// Refuses to go over an object that was freed before this process came to use it, by a function from elsewhere: another may stand in its
/// place.
pub fn still_there(id: ArenaId) -> Outcome<()> {
    match arena::get().and_then(|arena| arena.object(id)) {
        Some(_) => Ok(()),
        None => {
            let message = "an iterator needs what it goes over, but that is gone";
            Err(Error::new(codes::CLOSED, message).into())
        }
    }
}

/// Whether a fault says that nothing more can come.
pub fn ends(fault: &Fault) -> bool {
    matches!(fault, Fault::Error(error) if error.code == codes::END_OF_STREAM)
}

/// The handle of a queue that came in a message.
pub fn from_id(id: ArenaId) -> Option<Rc<dyn Handle>> {
    let queue = Queue::adopt(id)?;
    Some(Rc::new(QueueHandle { queue }))
}

fn queue(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let capacity = match arguments::given(&args[0]) {
        Some(value) => match arguments::size("queue", "capacity", value)? {
            0 => {
                let rule = "must be 1 or more (leave it out for a queue without bound)";
                return Err(arguments::refuse("queue", "capacity", rule, value));
            }
            capacity => capacity as u64,
        },
        None => 0,
    };
    let failures = match arguments::given(&args[1]) {
        Some(value) => match arguments::size("queue", "failures", value)? {
            0 => {
                let rule = "must be 1 or more (an item comes back until it is set aside)";
                return Err(arguments::refuse("queue", "failures", rule, value));
            }
            failures => failures as u64,
        },
        None => MAX_FAILURES,
    };
    let queue = Queue::create_with(capacity, failures)?;
    Ok(Value::handle(
        context.heap(),
        Rc::new(QueueHandle { queue }),
    ))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Queue> {
    match value.as_handle::<QueueHandle>() {
        Some(handle) => Ok(&handle.queue),
        None => Err(arguments::wrong(method, "self", "a queue", value)),
    }
}

fn put(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let queue = receiver("put", &args[0])?;
    let timeout = arguments::timeout("put", "timeout", &args[2])?;
    let mut message = travel::prepare(context, args[1])?;
    if !queue.try_put(&mut message)? {
        let message = RefCell::new(message);
        willing::wait_within(context, timeout, |left, place| {
            queue.put(&mut message.borrow_mut(), left, place)
        })?;
    }
    Ok(Value::Nil)
}

fn try_put(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let queue = receiver("try_put", &args[0])?;
    let mut message = travel::prepare(context, args[1])?;
    Ok(Value::Bool(queue.try_put(&mut message)?))
}

fn get(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let queue = receiver("get", &args[0])?;
    let timeout = arguments::timeout("get", "timeout", &args[1])?;
    take(context, queue, timeout)
}

/// Takes the item at the front, waiting for it.
fn take(context: &mut dyn Context, queue: &Queue, timeout: Option<f64>) -> Outcome {
    let taken = match queue.try_get()? {
        Some(taken) => taken,
        None => lease::unless_dropped(context, queue, |place| queue.get(timeout, place))?,
    };
    travel::deliver(context, &taken)
}

fn try_get(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let queue = receiver("try_get", &args[0])?;
    let pair = match queue.try_get() {
        Ok(Some(taken)) => {
            let item = travel::deliver(context, &taken)?;
            vec![Value::Bool(true), item]
        }
        Ok(None) => vec![Value::Bool(false), Value::Nil],
        Err(error) if error.code == codes::END_OF_STREAM => vec![Value::Bool(false), Value::Nil],
        Err(error) => return Err(error.into()),
    };
    Ok(Value::list(context.heap(), pair))
}

fn take_lease(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let queue = receiver("take", &args[0])?;
    let timeout = arguments::timeout("take", "timeout", &args[1])?;
    lease::take(context, queue, timeout)
}

fn leases(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let leases = lease::Leases::new(receiver("leases", &args[0])?.clone());
    Ok(Value::Iter(IterBox::new(context.heap(), Rc::new(leases))))
}

fn dead_letters(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let queue = receiver("dead_letters", &args[0])?;
    let take = match arguments::given(&args[1]) {
        Some(value) => arguments::boolean("dead_letters", "take", value)?,
        None => false,
    };
    let mut all = Vec::new();
    for letter in queue.dead_letters(take)? {
        let value = lease::dead_letter(context, &letter)?;
        context.protect(value);
        all.push(value);
    }
    Ok(Value::list(context.heap(), all))
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let channel = receiver("len", &args[0])?.channel(process::start()?);
    Ok(Value::Int(channel.len() as i64))
}

fn empty(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let channel = receiver("empty", &args[0])?.channel(process::start()?);
    Ok(Value::Bool(channel.is_empty()))
}

fn full(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let channel = receiver("full", &args[0])?.channel(process::start()?);
    Ok(Value::Bool(!channel.has_room()))
}

fn close(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let place = context.place();
    Ok(Value::Bool(receiver("close", &args[0])?.close(place)?))
}

fn task_done(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let channel = receiver("task_done", &args[0])?.channel(process::start()?);
    if channel.task_done() {
        return Ok(Value::Nil);
    }
    let message = "task_done: must be called once for each item that was put, but came once more";
    Err(Error::new(codes::VALUE, message).into())
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("join", "timeout", &args[1])?;
    join_queue(context, receiver("join", &args[0])?, timeout)
}

fn join_queue(context: &mut dyn Context, queue: &Queue, timeout: Option<f64>) -> Outcome {
    match willing::wait_within(context, timeout, |left, place| queue.join(left, place))? {
        true => Ok(Value::Nil),
        false => Err(timed_out(Operation::JoinQueue, "the queue", timeout.unwrap_or(0.0)).into()),
    }
}

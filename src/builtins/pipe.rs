//! Pipes as values: each end is one.

use super::{Table, arguments, queue, travel, willing};
use crate::arena::{self, HandleId as ArenaId};
use crate::process;
use crate::process::pipe::{Direction, End};
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, Native, NativeIter, Outcome};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "pipe" ("oneway?") pipe, "The two ends of a new pipe: both send and receive; with `oneway: true` the first receives and the second sends.";
};

pub static METHODS: Table = natives! {
    "close" () close, "Closes this end for everybody; false when it was closed before.";
    "poll" ("timeout?") poll, "Whether `recv` would not wait; waits for that, at most `timeout` seconds (0).";
    "recv" ("timeout?") recv, "Takes the next message; waits for one, at most `timeout` seconds.";
    "send" ("item", "timeout?") send, "Sends a message to the other end; waits for room, at most `timeout` seconds.";
    "try_recv" () try_recv, "[true, item] when a message has come, else [false, nil].";
};

/// An end of a pipe as a value.
pub struct EndHandle {
    /// The end.
    pub end: End,
}

impl Handle for EndHandle {
    fn type_name(&self) -> &'static str {
        "pipe"
    }

    fn show(&self) -> String {
        let waiting = arena::get().map_or(0, |arena| self.end.inbox(arena).len());
        let closed = if self.end.is_closed() { " closed" } else { "" };
        match self.end.direction() {
            Direction::Both => format!("<pipe end {waiting}{closed}>"),
            Direction::Receives => format!("<pipe reader {waiting}{closed}>"),
            Direction::Sends => format!("<pipe writer{closed}>"),
        }
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.end.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, _: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok((name == "closed").then(|| Value::Bool(self.end.is_closed())))
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["closed"]
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        Ok(Some(Rc::new(Messages {
            end: self.end.clone(),
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The messages as they come, until nothing more can come.
struct Messages {
    end: End,
}

impl NativeIter for Messages {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        queue::still_there(self.end.id())?;
        match take(context, &self.end, None) {
            Ok(value) => Ok(Some(value)),
            Err(fault) if queue::ends(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn may_break_off(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.handle(Some(travel::from_arena(self.end.id(), 0)));
    }
}

/// The handle of an end that came in a message.
pub fn from_id(id: ArenaId) -> Option<Rc<dyn Handle>> {
    let end = End::adopt(id)?;
    Some(Rc::new(EndHandle { end }))
}

fn pipe(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let oneway = match arguments::given(&args[0]) {
        Some(value) => arguments::boolean("pipe", "oneway", value)?,
        None => false,
    };
    let ends = End::create_pair(oneway)?;
    let ends = ends.map(|end| Value::handle(context.heap(), Rc::new(EndHandle { end })));
    Ok(Value::list(context.heap(), ends.to_vec()))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a End> {
    match value.as_handle::<EndHandle>() {
        Some(handle) => Ok(&handle.end),
        None => Err(arguments::wrong(method, "self", "an end of a pipe", value)),
    }
}

fn send(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let end = receiver("send", &args[0])?;
    let timeout = arguments::timeout("send", "timeout", &args[2])?;
    let mut message = travel::prepare(context, args[1])?;
    if !end.try_send(&mut message)? {
        let message = RefCell::new(message);
        willing::wait_within(context, timeout, |timeout, place| {
            end.send(&mut message.borrow_mut(), timeout, place)
        })?;
    }
    Ok(Value::Nil)
}

fn recv(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let end = receiver("recv", &args[0])?;
    let timeout = arguments::timeout("recv", "timeout", &args[1])?;
    take(context, end, timeout)
}

fn take(context: &mut dyn Context, end: &End, timeout: Option<f64>) -> Outcome {
    let taken = match end.try_recv()? {
        Some(taken) => taken,
        None => willing::wait_within(context, timeout, |timeout, place| end.recv(timeout, place))?,
    };
    travel::deliver(context, &taken)
}

fn try_recv(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let taken = match receiver("try_recv", &args[0])?
        .try_recv()
        .map_err(Fault::from)
    {
        Err(fault) if queue::ends(&fault) => None,
        taken => taken?,
    };
    let pair = match taken {
        Some(taken) => vec![Value::Bool(true), travel::deliver(context, &taken)?],
        None => vec![Value::Bool(false), Value::Nil],
    };
    Ok(Value::list(context.heap(), pair))
}

fn poll(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("poll", "timeout", &args[1])?;
    let end = receiver("poll", &args[0])?;
    process::start()?;
    let timeout = Some(timeout.unwrap_or(0.0));
    let poll = |timeout, place| end.poll(timeout, place);
    Ok(Value::Bool(willing::wait_within(context, timeout, poll)?))
}

fn close(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let place = context.place();
    Ok(Value::Bool(receiver("close", &args[0])?.close(place)?))
}

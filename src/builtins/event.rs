//! Events: something that happens once, and that any number of processes wait for.

use super::{Table, arguments, travel};
use crate::process::event::Event;
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::native::{Args, Context, Native, Outcome};
use std::any::Any;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "event" () event, "Makes an event that is not set.";
};

pub static METHODS: Table = natives! {
    "clear" () clear, "Takes the event down.";
    "is_set" () is_set, "Whether the event is set.";
    "set" () set, "Sets the event and wakes everybody who waits.";
    "wait" ("timeout?") wait, "Waits until the event is set; false when the time-out comes first.";
};

/// An event as a value.
pub struct EventHandle(pub Event);

impl Handle for EventHandle {
    fn type_name(&self) -> &'static str {
        "event"
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.0.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The handle of an event that came in a message.
pub fn from_id(id: crate::arena::HandleId) -> Option<Rc<dyn Handle>> {
    Some(Rc::new(EventHandle(Event::from_id(id)?)))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Event> {
    match value.as_handle::<EventHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "an event", value)),
    }
}

fn event(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let event = Event::new()?;
    Ok(Value::handle(context.heap(), Rc::new(EventHandle(event))))
}

fn set(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("set", &args[0])?.set();
    Ok(Value::Nil)
}

fn clear(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("clear", &args[0])?.clear();
    Ok(Value::Nil)
}

fn is_set(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(receiver("is_set", &args[0])?.is_set()))
}

fn wait(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("wait", "timeout", &args[1])?;
    Ok(Value::Bool(
        receiver("wait", &args[0])?.wait(timeout, context.place())?,
    ))
}

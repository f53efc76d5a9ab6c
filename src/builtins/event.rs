//! Events: something that happens once, and that any number of processes wait for.

use super::{Table, arguments, willing};
use crate::process::event::Event;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "event" () event, "Makes an event that is not set.";
};

pub static METHODS: Table = natives! {
    "clear" () clear, "Takes the event down; who waited when it was set is released all the same.";
    "is_set" () is_set, "Whether the event is set.";
    "set" () set, "Sets the event and wakes everybody who waits.";
    "wait" ("timeout?") wait, "Waits until the event is set; false when the time-out comes first.";
};

/// An event as a value.
pub struct EventHandle(pub Event);

noun_handle!(EventHandle, Event, "an event", "event", {});

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
    let event = receiver("wait", &args[0])?;
    let is_set = willing::wait(context, |place| event.wait(timeout, place))?;
    Ok(Value::Bool(is_set))
}

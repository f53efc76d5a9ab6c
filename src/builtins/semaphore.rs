//! Semaphores: a number of permits.

use super::{Table, arguments, travel};
use crate::process::semaphore::Semaphore;
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::native::{Args, Context, Native, Outcome};
use std::any::Any;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "semaphore" ("permits?", "bounded?") semaphore, "Makes a semaphore with that many permits (1); a bounded one refuses more releases than acquires.";
};

pub static METHODS: Table = natives! {
    "acquire" ("timeout?") acquire, "Takes a permit; false when the time-out comes first.";
    "release" () release, "Gives a permit back.";
    "value" () value, "How many permits can be taken now.";
};

/// A semaphore as a value.
pub struct SemaphoreHandle(pub Semaphore);

impl Handle for SemaphoreHandle {
    fn type_name(&self) -> &'static str {
        "semaphore"
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

/// The handle of a semaphore that came in a message.
pub fn from_id(id: crate::arena::HandleId) -> Option<Rc<dyn Handle>> {
    Some(Rc::new(SemaphoreHandle(Semaphore::from_id(id)?)))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Semaphore> {
    match value.as_handle::<SemaphoreHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "a semaphore", value)),
    }
}

fn semaphore(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let permits = match arguments::given(&args[0]) {
        Some(permits) => arguments::size("semaphore", "permits", permits)?,
        None => 1,
    };
    let bounded = match arguments::given(&args[1]) {
        Some(bounded) => arguments::boolean("semaphore", "bounded", bounded)?,
        None => false,
    };
    let semaphore = Semaphore::new(permits as u64, bounded)?;
    Ok(Value::handle(
        context.heap(),
        Rc::new(SemaphoreHandle(semaphore)),
    ))
}

fn acquire(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("acquire", "timeout", &args[1])?;
    Ok(Value::Bool(
        receiver("acquire", &args[0])?.acquire(timeout, context.place())?,
    ))
}

fn release(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("release", &args[0])?.release()?;
    Ok(Value::Nil)
}

fn value(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver("value", &args[0])?.value() as i64))
}

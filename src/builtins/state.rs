//! State of built-ins that lives as long as the engine: one value per type, made at first use.

use crate::value::native::Context;
use std::any::{Any, TypeId};

/// The one object behind [`Context::state`].
#[derive(Default)]
struct States {
    slots: Vec<(TypeId, Box<dyn Any>)>,
}

fn make() -> Box<dyn Any> {
    Box::new(States::default())
}

/// The state of type `T` of this engine; made by `T::default()` when it is not there yet.
pub fn of<T: Default + 'static>(context: &mut dyn Context) -> &mut T {
    let states: &mut States = cast(context.state(make));
    let id = TypeId::of::<T>();
    let at = match states.slots.iter().position(|(slot, _)| *slot == id) {
        Some(at) => at,
        None => {
            states.slots.push((id, Box::<T>::default()));
            states.slots.len() - 1
        }
    };
    cast(&mut *states.slots[at].1)
}

fn cast<T: 'static>(any: &mut dyn Any) -> &mut T {
    match any.downcast_mut::<T>() {
        Some(state) => state,
        // `Context::state` is only ever called from here, and slots are found by the type that they were made as.
        None => unreachable!("state of another type"),
    }
}

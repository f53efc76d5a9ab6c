//! Going through values of the built-in types: one step at a time for the machine's loops, and as iterators for native code.
//!
//! A script may change a list while it goes through it: what is appended is still seen. A map or a set may get other values, but
//! no other keys: then nobody could say which of them come next.

use super::heap::{Heap, Marker};
use super::native::{Context, Fault, NativeIter, Outcome};
use super::{Value, show};
use crate::diag::{self, codes};
use crate::limits::AT_HAND;
use std::cell::Cell;
use std::rc::Rc;

/// Where going through a value begins.
pub fn start(value: &Value) -> usize {
    match value {
        Value::Map(map) => map.table().start(),
        Value::Set(set) => set.table().start(),
        _ => 0,
    }
}

/// The item at a position of a value (see [`start`]), and the position after it. Keys of a map; characters of a str,
/// whose positions are bytes; nothing for values that have no items of their own.
///
/// # Errors
/// A map or a set got or lost a key since the start.
pub fn step(heap: &mut Heap, value: Value, position: usize) -> Outcome<(Option<Value>, usize)> {
    let next = position + 1;
    let entry = |found: Option<(super::map::Entry, usize)>| match found {
        Some((entry, next)) => (Some(entry.key), next),
        None => (None, position),
    };
    Ok(match value {
        Value::List(list) => (list.get(position), next),
        Value::Map(map) => match map.table().step(position) {
            Ok(found) => entry(found),
            Err(_) => return Err(changed(&value)),
        },
        Value::Set(set) => match set.table().step(position) {
            Ok(found) => entry(found),
            Err(_) => return Err(changed(&value)),
        },
        Value::Range(range) => (range.get(position as u64).map(Value::Int), next),
        Value::Bytes(bytes) => {
            let byte = bytes.data().get(position).copied();
            (byte.map(|byte| Value::Int(i64::from(byte))), next)
        }
        Value::Short(_) | Value::Str(_) => {
            let rest = value.as_str().and_then(|text| text.get(position..));
            match rest.and_then(|rest| rest.chars().next()) {
                Some(c) => {
                    let mut bytes = [0; 4];
                    let text = Value::str(heap, c.encode_utf8(&mut bytes));
                    (Some(text), position + c.len_utf8())
                }
                None => (None, position),
            }
        }
        _ => (None, position),
    })
}

/// The error of a map or set that got or lost keys while somebody went through it.
#[cold]
pub fn changed(value: &Value) -> Fault {
    let (what, items) = match value {
        Value::Map(_) => ("map", "keys"),
        _ => ("set", "items"),
    };
    let message = format!("the {what} changed size during iteration: it got or lost {items}");
    let help = format!("go through a copy: `for x in list(the_{what})`");
    diag::Error::new(codes::VALUE, message)
        .with_help(help)
        .into()
}

/// An iterator over a value: its items, or what a handle offers.
pub fn over(context: &mut dyn Context, value: Value) -> Outcome<Rc<dyn NativeIter>> {
    match value {
        Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Range(_) | Value::Bytes(_) => {
            Ok(Rc::new(Walk::over(value)))
        }
        Value::Short(_) | Value::Str(_) => Ok(Rc::new(Walk::over(value))),
        Value::Iter(iterator) => Ok(iterator.iter.clone()),
        Value::Handle(handle) => {
            let shared = handle.share();
            shared.iterate(context)?.ok_or_else(|| not_iterable(&value))
        }
        _ => Err(not_iterable(&value)),
    }
}

/// The error of a value that has no items to go through.
pub fn not_iterable(value: &Value) -> Fault {
    let message = format!(
        "something to go through is needed (a list, a map, a set, a range, a str, an iterator), but got {}",
        show::kind(value)
    );
    let error = diag::Error::new(codes::TYPE, message);
    match value {
        Value::Int(n) => error.with_help(format!("write `0..{n}` to count")).into(),
        Value::Fn(_) => error
            .with_help("write `iterate(f)` to call a function for each item")
            .into(),
        Value::Handle(_) if value.type_name() == "command" => error
            .with_help("write `command.lines()` to go through what it prints")
            .into(),
        _ => error.into(),
    }
}

/// A walk over a value of a built-in type.
struct Walk {
    value: Value,
    position: Cell<usize>,
}

impl Walk {
    fn over(value: Value) -> Walk {
        let position = Cell::new(start(&value));
        Walk { value, position }
    }
}

impl NativeIter for Walk {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let (item, position) = step(context.heap(), self.value, self.position.get())?;
        self.position.set(position);
        Ok(item)
    }

    fn is_at_hand(&self) -> bool {
        match self.value {
            Value::Range(range) => range.len().is_some_and(|len| len <= AT_HAND),
            _ => true,
        }
    }

    fn never_ends(&self) -> bool {
        matches!(self.value, Value::Range(range) if range.len().is_none())
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.value);
    }
}

//! Iteration: what `for` goes over, and the same as a native iterator.
//!
//! A loop has two registers of state. The first holds what is gone through: a list, map, set, str, bytes, range, native
//! iterator, or an int, the next number of a count whose last is in the second. The second holds the position.

#![allow(unsafe_code)]

use super::raw;
use super::state::Machine;
use crate::diag::{self, codes};
use crate::value::heap::Marker;
use crate::value::native::{Context, IterBox, NativeIter, Outcome};
use crate::value::{Value, show};
use std::cell::Cell;
use std::rc::Rc;

impl Machine {
    /// Makes the state of a loop over the value in a register.
    pub(super) fn iterate_prepare(&mut self, state: *mut Value) -> Outcome<()> {
        // SAFETY: the compiler keeps two registers for the state.
        let (value, position) = unsafe { (&mut *state, &mut *state.add(1)) };
        *position = Value::Int(0);
        match *value {
            Value::Range(range) if range.step == 1 => {
                let last = match (range.end, range.inclusive) {
                    (Some(end), true) => end,
                    (Some(end), false) => match end.checked_sub(1) {
                        Some(last) => last,
                        None => range.start.saturating_sub(1),
                    },
                    (None, _) => i64::MAX - 1,
                };
                if last < i64::MAX && last >= range.start.saturating_sub(1) {
                    *value = Value::Int(range.start);
                    *position = Value::Int(last);
                }
                Ok(())
            }
            Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Range(_) => Ok(()),
            Value::Short(_) | Value::Str(_) | Value::Bytes(_) | Value::Iter(_) => Ok(()),
            Value::Handle(handle) => {
                let handle = handle.share();
                self.top = self.frame_top();
                match handle.iterate(self)? {
                    Some(iterator) => {
                        let iterator = IterBox::new(&mut self.heap, iterator);
                        // SAFETY: as above; native code ran meanwhile, but the stack never moves.
                        unsafe { *state = Value::Iter(iterator) };
                        Ok(())
                    }
                    // SAFETY: as above.
                    None => Err(not_iterable(unsafe { &*state })),
                }
            }
            _ => Err(not_iterable(value)),
        }
    }

    /// `to =` the next item; false at the end.
    pub(super) fn iterate_next(&mut self, state: *mut Value, to: *mut Value) -> Outcome<bool> {
        // SAFETY: the compiler keeps two registers for the state; the position is an int since `iterate_prepare`.
        let (value, position) = unsafe { (*state, raw::int(state.add(1)) as usize) };
        if let Value::Iter(iterator) = value {
            let iterator = iterator.iter.clone();
            self.top = self.frame_top();
            let next = iterator.next(self)?;
            return Ok(put(to, next));
        }
        let (item, position) = step(self, value, position);
        // SAFETY: as above.
        unsafe { raw::set_int(state.add(1), position as i64) };
        Ok(put(to, item))
    }

    /// `to` and the register after it = the next key and value of a map, or the two items of the next pair.
    pub(super) fn iterate_next_pair(&mut self, state: *mut Value, to: *mut Value) -> Outcome<bool> {
        // SAFETY: as above.
        let value = unsafe { *state };
        if let Value::Map(map) = value {
            // SAFETY: as above.
            let position = unsafe { raw::int(state.add(1)) } as usize;
            let Some((entry, next)) = map.table().next(position) else {
                return Ok(false);
            };
            // SAFETY: the compiler keeps two registers for the items.
            unsafe {
                raw::set_int(state.add(1), next as i64);
                *to = entry.key;
                *to.add(1) = entry.value;
            }
            return Ok(true);
        }
        let mut item = Value::Nil;
        let found = match value {
            Value::Int(count) => {
                // SAFETY: as above.
                let last = unsafe { raw::int(state.add(1)) };
                if count <= last {
                    item = Value::Int(count);
                    // SAFETY: as above.
                    unsafe { raw::set_int(state, count + 1) };
                }
                count <= last
            }
            _ => self.iterate_next(state, &raw mut item)?,
        };
        if !found {
            return Ok(false);
        }
        let pair = match item {
            Value::List(list) if list.len() == 2 => list.get(0).zip(list.get(1)),
            _ => None,
        };
        let Some((first, second)) = pair else {
            let came = match item {
                Value::List(list) => format!("a list of {} items", list.len()),
                other => show::kind(&other),
            };
            let message = format!("two loop variables need pairs, but an item is {came}");
            return Err(diag::Error::new(codes::TYPE, message)
                .with_help("use one variable, or `enumerate(...)` for the index and the item")
                .into());
        };
        // SAFETY: as above.
        unsafe {
            *to = first;
            *to.add(1) = second;
        }
        Ok(true)
    }

    /// A native iterator over any value that can be iterated.
    pub(super) fn iterator(&mut self, value: Value) -> Outcome<Rc<dyn NativeIter>> {
        match value {
            Value::Iter(iterator) => Ok(iterator.iter.clone()),
            Value::Handle(handle) => {
                let handle = handle.share();
                match handle.iterate(self)? {
                    Some(iterator) => Ok(iterator),
                    None => Err(not_iterable(&value)),
                }
            }
            Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Range(_) => {
                Ok(Rc::new(Walk::over(value)))
            }
            Value::Short(_) | Value::Str(_) | Value::Bytes(_) => Ok(Rc::new(Walk::over(value))),
            _ => Err(not_iterable(&value)),
        }
    }
}

fn put(to: *mut Value, item: Option<Value>) -> bool {
    if let Some(item) = item {
        // SAFETY: a register, or a local variable of the caller.
        unsafe { *to = item };
    }
    item.is_some()
}

/// The item at a position of a value, and the position after it.
fn step(machine: &mut dyn Context, value: Value, position: usize) -> (Option<Value>, usize) {
    let next = position + 1;
    match value {
        Value::List(list) => (list.get(position), next),
        Value::Map(map) => match map.table().next(position) {
            Some((entry, next)) => (Some(entry.key), next),
            None => (None, position),
        },
        Value::Set(set) => match set.table().next(position) {
            Some((entry, next)) => (Some(entry.key), next),
            None => (None, position),
        },
        Value::Range(range) => (range.get(position as u64).map(Value::Int), next),
        Value::Bytes(bytes) => {
            let byte = bytes.data().get(position).copied();
            (byte.map(|byte| Value::Int(i64::from(byte))), next)
        }
        Value::Short(_) | Value::Str(_) => {
            let text = value.as_str().and_then(|text| text.get(position..));
            match text.and_then(|text| text.chars().next()) {
                Some(c) => {
                    let mut bytes = [0; 4];
                    let text = c.encode_utf8(&mut bytes);
                    (
                        Some(Value::str(machine.heap(), text)),
                        position + c.len_utf8(),
                    )
                }
                None => (None, position),
            }
        }
        _ => (None, position),
    }
}

/// A walk over a value of a built-in type, for native code.
struct Walk {
    value: Value,
    position: Cell<usize>,
}

impl Walk {
    fn over(value: Value) -> Walk {
        Walk {
            value,
            position: Cell::new(0),
        }
    }
}

impl NativeIter for Walk {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let (item, position) = step(context, self.value, self.position.get());
        self.position.set(position);
        Ok(item)
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.value);
    }
}

fn not_iterable(value: &Value) -> crate::value::native::Fault {
    let message = format!(
        "something to go through was expected, but this is {}",
        show::kind(value)
    );
    diag::Error::new(codes::TYPE, message).into()
}

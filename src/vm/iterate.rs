//! Iteration: what `for` goes over. Native iterators are made in `value::iterate`.
//!
//! A loop has two registers of state. The first holds what is gone through: a list, map, set, str, bytes, range, native
//! iterator, or an int, the next number of a count whose last is in the second. The second holds the position. A loop over what
//! a method gives piece by piece has a third, where the pieces come from.

#![allow(unsafe_code)]

use super::raw;
use super::state::Machine;
use crate::diag::{self, codes};
use crate::value::iterate::{changed, not_iterable, start, step};
use crate::value::list::{Items, List};
use crate::value::native::{IterBox, Outcome, PIECES};
use crate::value::{Value, show};

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
                        // Nothing is below the least int: the range is empty.
                        None => {
                            (*value, *position) = (Value::Int(1), Value::Int(0));
                            return Ok(());
                        }
                    },
                    (None, _) => i64::MAX - 1,
                };
                if last < i64::MAX && last >= range.start.saturating_sub(1) {
                    *value = Value::Int(range.start);
                    *position = Value::Int(last);
                }
                Ok(())
            }
            Value::Map(_) | Value::Set(_) => {
                *position = Value::Int(start(value) as i64);
                Ok(())
            }
            Value::List(_) | Value::Range(_) => Ok(()),
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

    /// As [`Machine::iterate_prepare`], of what a method gave for this loop alone. Where that gives its items by many, the loop goes
    /// through a list of some of them, which it gets anew: nobody else has it.
    pub(super) fn pieces_prepare(&mut self, state: *mut Value) -> Outcome<()> {
        // SAFETY: the compiler keeps three registers for the state.
        let (value, pieces) = unsafe { (&mut *state, &mut *state.add(2)) };
        *pieces = Value::Nil;
        if let Value::Iter(iterator) = *value {
            let mut items = Vec::with_capacity(PIECES);
            if iterator.iter.refill(&mut self.heap, &mut items)? {
                *pieces = *value;
                *value = Value::List(List::from_items(&mut self.heap, Items::Any(items)));
            }
        }
        self.iterate_prepare(state)
    }

    /// Fills the list that such a loop goes through with the next items; false when there are none.
    pub(super) fn pieces_next(&mut self, state: *mut Value) -> Outcome<bool> {
        // SAFETY: as above.
        let (value, pieces) = unsafe { (*state, *state.add(2)) };
        let (Value::List(list), Value::Iter(iterator)) = (value, pieces) else {
            return Ok(false);
        };
        // SAFETY: the list is this loop's alone, stays one of any values, and gets back the memory that it had.
        let items = unsafe { &mut *list.raw() }.general();
        items.clear();
        let found = iterator.iter.refill(&mut self.heap, items)?;
        // SAFETY: as above.
        unsafe { raw::set_int(state.add(1), 0) };
        Ok(found)
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
        let (item, position) = step(&mut self.heap, value, position)?;
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
            let (entry, next) = match map.table().step(position) {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(false),
                Err(_) => return Err(changed(&value)),
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
        let of_key = match value {
            Value::Iter(iterator) => iterator.iter.value(),
            _ => None,
        };
        let pair = match item {
            key if of_key.is_some() => Some(key).zip(of_key),
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
}

fn put(to: *mut Value, item: Option<Value>) -> bool {
    if let Some(item) = item {
        // SAFETY: a register, or a local variable of the caller.
        unsafe { *to = item };
    }
    item.is_some()
}

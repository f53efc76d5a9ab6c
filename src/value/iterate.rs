//! Iterators over the built-in types, as native code sees them (the machine's loops have faster forms of the common ones).
//!
//! Each holds its container and a position: a script may change the container meanwhile. What is appended is still
//! seen, and no change makes an iterator fail.

use super::heap::{Gc, Marker};
use super::list::{Bytes, List, Range};
use super::map::{Map, Set, Table};
use super::native::{Context, Fault, NativeIter, Outcome};
use super::{Value, show};
use crate::diag::{self, codes};
use std::cell::Cell;
use std::rc::Rc;

/// An iterator over a value: the items of a list, set or range, the keys of a map, the characters of a string, the
/// numbers of bytes, what a handle offers.
pub fn over(context: &mut dyn Context, value: Value) -> Outcome<Rc<dyn NativeIter>> {
    let at = Cell::new(0);
    Ok(match value {
        Value::List(list) => Rc::new(ListIter { list, at }),
        Value::Map(map) => Rc::new(KeyIter {
            of: Keyed::Map(map),
            at,
        }),
        Value::Set(set) => Rc::new(KeyIter {
            of: Keyed::Set(set),
            at,
        }),
        Value::Range(range) => Rc::new(RangeIter {
            range,
            at: Cell::new(0),
        }),
        Value::Bytes(bytes) => Rc::new(ByteIter { bytes, at }),
        Value::Short(_) | Value::Str(_) => Rc::new(CharIter { text: value, at }),
        Value::Iter(iter) => iter.iter.clone(),
        Value::Handle(handle) => {
            let shared = handle.share();
            context.protect(value);
            return shared.iterate(context)?.ok_or_else(|| not_iterable(&value));
        }
        _ => return Err(not_iterable(&value)),
    })
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
        _ => error.into(),
    }
}

struct ListIter {
    list: Gc<List>,
    at: Cell<usize>,
}

impl NativeIter for ListIter {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        let item = self.list.get(self.at.get());
        if item.is_some() {
            self.at.set(self.at.get() + 1);
        }
        Ok(item)
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.object(self.list);
    }
}

enum Keyed {
    Map(Gc<Map>),
    Set(Gc<Set>),
}

impl Keyed {
    fn table(&self) -> &Table {
        match self {
            Keyed::Map(map) => map.table(),
            Keyed::Set(set) => set.table(),
        }
    }
}

struct KeyIter {
    of: Keyed,
    at: Cell<usize>,
}

impl NativeIter for KeyIter {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        Ok(self.of.table().next(self.at.get()).map(|(entry, after)| {
            self.at.set(after);
            entry.key
        }))
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        match self.of {
            Keyed::Map(map) => marker.object(map),
            Keyed::Set(set) => marker.object(set),
        }
    }
}

struct RangeIter {
    range: Gc<Range>,
    at: Cell<u64>,
}

impl NativeIter for RangeIter {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        let number = self.range.get(self.at.get());
        if number.is_some() {
            self.at.set(self.at.get() + 1);
        }
        Ok(number.map(Value::Int))
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.object(self.range);
    }
}

struct ByteIter {
    bytes: Gc<Bytes>,
    at: Cell<usize>,
}

impl NativeIter for ByteIter {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        let byte = self.bytes.data().get(self.at.get()).copied();
        self.at.set(self.at.get() + 1);
        Ok(byte.map(|byte| Value::Int(i64::from(byte))))
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.object(self.bytes);
    }
}

struct CharIter {
    text: Value,
    /// In bytes, always at a character's start.
    at: Cell<usize>,
}

impl NativeIter for CharIter {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let rest = self
            .text
            .as_str()
            .and_then(|text| text.get(self.at.get()..));
        let Some(next) = rest.and_then(|rest| rest.chars().next()) else {
            return Ok(None);
        };
        self.at.set(self.at.get() + next.len_utf8());
        let mut buffer = [0; 4];
        Ok(Some(Value::str(
            context.heap(),
            next.encode_utf8(&mut buffer),
        )))
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.text);
    }
}

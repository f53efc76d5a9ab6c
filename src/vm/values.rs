//! Operators and indexes off the fast path, and instructions that make values.

#![allow(unsafe_code)]

use super::state::Machine;
use crate::builtins::gather;
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::operator::{BinaryOp, UnaryOp};
use crate::process::signals;
use crate::room;
use crate::value::function::{Capture, Closure};
use crate::value::list::{Items, List, Range};
use crate::value::map::{Map, Table};
use crate::value::native::{Fault, Outcome};
use crate::value::structure::StructType;
use crate::value::text::{Str, whole};
use crate::value::{Value, access, compare, operate, show};

/// Writes a register. (One place for the reason why that is allowed.)
fn set(to: *mut Value, value: Value) {
    // SAFETY: the loop passes registers of the running frame's window; the stack never moves.
    unsafe { *to = value };
}

/// Registers in a row.
fn registers<'r>(from: *const Value, count: usize) -> &'r [Value] {
    // SAFETY: the compiler names only registers of the window; nothing writes to them while an instruction reads them.
    unsafe { std::slice::from_raw_parts(from, count) }
}

impl Machine {
    /// `to = a op b` where it is not two ints or two floats, or does not fit.
    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        to: *mut Value,
        a: Value,
        b: Value,
    ) -> Outcome<()> {
        if let (BinaryOp::Add, Value::Str(text), Value::Short(_) | Value::Str(_)) = (op, a, b) {
            let other = b.as_str().unwrap_or_default();
            if text.as_str().len() + other.len() < MAX_STRING
                && let Some(joined) = Str::join(text, &mut self.heap, other)
            {
                set(to, Value::Str(joined));
                return Ok(());
            }
        }
        let value = match operate::binary(&mut self.heap, op, a, b) {
            Err(Fault::Error(error)) if error.code == codes::LIMIT => {
                // There may be room without what is garbage.
                let refused = room::take_refused();
                self.top = self.frame_top();
                if refused == 0 || !self.collect() || !room::has(refused) {
                    return Err(error.into());
                }
                operate::binary(&mut self.heap, op, a, b)?
            }
            result => result?,
        };
        set(to, value);
        Ok(())
    }

    /// `a op b` for the orderings.
    pub(super) fn compare(&mut self, op: BinaryOp, a: Value, b: Value) -> Outcome<bool> {
        Ok(operate::binary(&mut self.heap, op, a, b)?.truthy())
    }

    /// `a == b`.
    #[inline]
    pub(super) fn equal(&self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Short(x), Value::Short(y)) => x == y,
            (Value::Nil | Value::Undef, Value::Nil | Value::Undef) => true,
            (Value::Bool(x), Value::Bool(y)) => x == y,
            (Value::Nil | Value::Bool(_), _) | (_, Value::Nil | Value::Bool(_)) => false,
            _ => compare::equals(*a, *b),
        }
    }

    /// `item in container`.
    pub(super) fn contains(&mut self, item: Value, container: Value) -> Outcome<bool> {
        self.top = self.frame_top();
        let kept = self.protected.len();
        let found = operate::contains(self, item, container);
        self.protected.truncate(kept);
        found
    }

    /// `to = -a`.
    pub(super) fn negate(&mut self, to: *mut Value, a: Value) -> Outcome<()> {
        set(to, operate::unary(UnaryOp::Neg, a)?);
        Ok(())
    }

    /// `to = ~a`.
    pub(super) fn bit_not(&mut self, to: *mut Value, a: Value) -> Outcome<()> {
        set(to, operate::unary(UnaryOp::BitNot, a)?);
        Ok(())
    }

    /// `to = object[index]`.
    pub(super) fn get_index(&mut self, to: *mut Value, object: Value, index: Value) -> Outcome<()> {
        if let Value::Map(map) = object
            && let Some(value) = map.table().get(&index)
        {
            set(to, value);
            return Ok(());
        }
        self.top = self.frame_top();
        set(to, access::get_index(self, object, index)?);
        self.notice();
        Ok(())
    }

    /// `object[index] = value`.
    pub(super) fn set_index(&mut self, object: Value, index: Value, value: Value) -> Outcome<()> {
        if let Value::Map(map) = object
            && map.edit(&mut self.heap, |table| table.insert(index, value))
        {
            return Ok(());
        }
        self.top = self.frame_top();
        self.notice();
        access::set_index(self, object, index, value)
    }

    /// `to = [...]`.
    pub(super) fn new_list(&mut self, to: *mut Value, from: *const Value, count: usize) {
        let values = registers(from, count).to_vec();
        set(to, Value::list(&mut self.heap, values));
    }

    /// Appends a value to a list.
    pub(super) fn list_push(&mut self, list: Value, value: Value) -> Outcome<()> {
        if let Value::List(list) = list {
            list.push(&mut self.heap, value);
        }
        Ok(())
    }

    /// Appends the items of a value to a list.
    pub(super) fn list_extend(&mut self, list: Value, from: Value) -> Outcome<()> {
        let Value::List(list) = list else {
            return Ok(());
        };
        self.top = self.frame_top();
        let kept = self.protected.len();
        let more = gather::collect(self, "...", from);
        self.protected.truncate(kept);
        let more = more?;
        list.edit(&mut self.heap, |items| items.extend(more.items()));
        Ok(())
    }

    /// `to = {}`.
    pub(super) fn new_map(&mut self, to: *mut Value) {
        set(to, Value::Map(Map::new(&mut self.heap, Table::default())));
    }

    /// An entry of a map literal.
    pub(super) fn map_set(&mut self, map: Value, key: Value, value: Value) -> Outcome<()> {
        match map {
            Value::Map(map) if map.edit(&mut self.heap, |table| table.insert(key, value)) => Ok(()),
            _ => Err(access::bad_key(&key)),
        }
    }

    /// `...other` in a map literal.
    pub(super) fn map_extend(&mut self, map: Value, other: Value) -> Outcome<()> {
        let (Value::Map(map), Value::Map(other)) = (map, other) else {
            let message = format!(
                "only a map can be spread here, but this is {}",
                show::kind(&other)
            );
            return Err(diag::Error::new(codes::TYPE, message).into());
        };
        let entries: Vec<(Value, Value)> = other.table().iter().collect();
        map.edit(&mut self.heap, |table| {
            for (key, value) in entries {
                table.insert(key, value);
            }
        });
        Ok(())
    }

    /// `to = a..b`.
    pub(super) fn new_range(
        &mut self,
        to: *mut Value,
        ends: *const Value,
        inclusive: bool,
    ) -> Outcome<()> {
        let ends = registers(ends, 2);
        let (start, end) = match (ends[0], ends[1]) {
            (Value::Int(start), Value::Int(end)) => (start, Some(end)),
            (Value::Int(start), Value::Nil) => (start, None),
            (Value::Nil, Value::Int(end)) => (0, Some(end)),
            (Value::Nil, Value::Nil) => (0, None),
            (start, end) => return Err(bad_ends(start, end)),
        };
        let range = Range::new(&mut self.heap, start, end, inclusive, 1);
        set(to, Value::Range(range));
        Ok(())
    }

    /// The report of a counted loop over something that is no range of ints.
    #[cold]
    pub(super) fn bad_count(&mut self, start: Value, end: Value) -> Outcome<()> {
        Err(bad_ends(start, end))
    }

    /// `to = "{...}"`.
    pub(super) fn interpolate(
        &mut self,
        to: *mut Value,
        from: *const Value,
        count: usize,
    ) -> Outcome<()> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        for value in registers(from, count) {
            if let Value::Str(long) = value
                && !room::reserve_text(&mut text, long.as_str().len())
            {
                return Err(room::error("a str", text.len() + long.as_str().len()).into());
            }
            match value {
                Value::Short(short) => text.push_str(short.as_str()),
                Value::Str(long) => text.push_str(long.as_str()),
                Value::Int(int) => text.push_str(itoa::Buffer::new().format(*int)),
                other => text.push_str(&show::display_while(*other, signals::check_urgent)?),
            }
        }
        operate::within("a str", text.len(), MAX_STRING)?;
        if text.len() >= room::LARGE {
            set(to, whole(&mut self.heap, text));
            return Ok(());
        }
        set(to, Value::str(&mut self.heap, &text));
        self.text = text;
        Ok(())
    }

    /// `to =` a closure over an inner function.
    pub(super) fn closure(&mut self, to: *mut Value, base: *const Value, inner: usize) {
        // SAFETY: the compiler names inner functions that exist; the current frame is initialized.
        let proto = unsafe {
            let outer = &*(*self.frames.current).proto;
            outer.protos.get_unchecked(inner).clone()
        };
        let mut captures = [Value::Nil; 8];
        let mut more = Vec::new();
        let values: &mut [Value] = match proto.captures.len() {
            count if count <= captures.len() => captures.get_mut(..count).unwrap_or_default(),
            count => {
                more.resize(count, Value::Nil);
                &mut more
            }
        };
        for (value, capture) in values.iter_mut().zip(&proto.captures) {
            // SAFETY: the compiler names registers of the window, and captures that the running closure, which stands before
            // the window, has.
            *value = unsafe {
                match capture {
                    Capture::Register(register) => *base.add(*register as usize),
                    Capture::Outer(index) => match *base.sub(1) {
                        Value::Fn(running) => *running.capture(*index as usize),
                        _ => Value::Nil,
                    },
                }
            };
        }
        let closure = Closure::new(&mut self.heap, proto, values);
        set(to, Value::Fn(closure));
    }

    /// `to =` the struct type of a declaration.
    pub(super) fn declare_struct(&mut self, to: *mut Value, index: usize) {
        // SAFETY: the current frame is initialized.
        let code = unsafe { (*self.frames.current).code() };
        let Some(info) = code.and_then(|code| code.structs.get(index)) else {
            return;
        };
        let (name, fields, doc) = (info.name.clone(), info.fields.clone(), info.doc.clone());
        let id = info.id as usize;
        let of = StructType::new(&mut self.heap, info.id, name, fields, doc);
        if self.structs.len() <= id {
            self.structs.resize(id + 1, None);
        }
        if let Some(known) = self.structs.get_mut(id) {
            *known = Some(of);
        }
        set(to, Value::Struct(of));
    }

    /// Gives a struct type a method; an empty name is its constructor.
    pub(super) fn add_method(&mut self, of: Value, function: Value, name: Value) {
        if let (Value::Struct(of), Some(name)) = (of, name.as_str()) {
            match name {
                "" => of.constructor.set(function),
                name => of.add_method(name.into(), function),
            }
        }
    }

    /// `to =` the last of a list, which loses it; false when there is none.
    pub(super) fn pop_defer(&mut self, to: *mut Value, list: Value) -> bool {
        let Value::List(list) = list else {
            return false;
        };
        let last = list.edit(&mut self.heap, |items| items.general().pop());
        if let Some(last) = last {
            set(to, last);
        }
        last.is_some()
    }

    /// `to =` the items of a list from an index on.
    pub(super) fn list_rest(&mut self, to: *mut Value, list: Value, from: usize) {
        let rest = match list {
            Value::List(list) => match list.items() {
                Items::Any(items) => Items::Any(items.get(from..).unwrap_or_default().to_vec()),
                Items::Ints(items) => Items::Ints(items.get(from..).unwrap_or_default().to_vec()),
                Items::Floats(items) => {
                    Items::Floats(items.get(from..).unwrap_or_default().to_vec())
                }
                Items::Bools(items) => Items::Bools(items.get(from..).unwrap_or_default().to_vec()),
            },
            _ => Items::Any(Vec::new()),
        };
        let rest = match rest.is_empty() {
            true => Items::Any(Vec::new()),
            false => rest,
        };
        set(to, Value::List(List::from_items(&mut self.heap, rest)));
    }

    /// `to =` the entries of a map without the names of a shape.
    pub(super) fn map_rest(&mut self, to: *mut Value, map: Value, shape: usize) {
        // SAFETY: the current frame is initialized.
        let code = unsafe { (*self.frames.current).code() };
        let shape = code.and_then(|code| code.shapes.get(shape));
        let names = shape.map_or(&[][..], |shape| &shape.names);
        let mut rest = Table::default();
        if let Value::Map(map) = map {
            for (key, value) in map.table().iter() {
                let taken = key
                    .as_str()
                    .is_some_and(|key| names.iter().any(|n| &**n == key));
                if !taken {
                    rest.insert(key, value);
                }
            }
        }
        set(to, Value::Map(Map::new(&mut self.heap, rest)));
    }
}

fn bad_ends(start: Value, end: Value) -> crate::value::native::Fault {
    let wrong = match start {
        Value::Int(_) => end,
        other => other,
    };
    let message = format!(
        "the ends of a range must be ints, but one is {}",
        show::kind(&wrong)
    );
    diag::Error::new(codes::TYPE, message).into()
}

//! Bytes to values. The bytes are hostile: see the module's invariant. Objects are made before their parts, so that a
//! part can refer back to what it stands in; open objects stand on a stack of the decoder's own.

use super::bytes::{Reader, bad};
use super::{FLAG_GLOBALS, FLAG_STRUCTS, MAX_DEPTH, Receiver, VERSION, report, tag};
use crate::diag;
use crate::room;
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::function::{Bound, Closure, Upvalue};
use crate::value::handle::HandleId;
use crate::value::heap::Gc;
use crate::value::list::{Items, List, Range};
use crate::value::map::{Map, Set, Table, hash_key};
use crate::value::structure::{Instance, StructType};
use std::rc::Rc;

/// An object whose parts are being read, and how many are still to come.
enum Open {
    List(Gc<List>, Vec<Value>, usize),
    /// The key whose value comes next, and the number of entries still to begin.
    Map(Gc<Map>, Option<Value>, usize),
    Set(Gc<Set>, usize),
    Instance(Gc<Instance>, usize),
    Closure(Gc<Closure>, usize),
    Cell(Gc<Upvalue>, usize),
    Bound(Vec<Value>),
    Method(String, Vec<Value>),
    Error(Box<PartialError>),
    Parts(Box<PartialParts>),
}

/// A plain value whose parts are being read.
struct PartialParts {
    kind: String,
    bytes: Vec<u8>,
    values: Vec<Value>,
    missing: usize,
}

/// An error whose attributes and cause are being read.
struct PartialError {
    report: Box<diag::Error>,
    names: Vec<Rc<str>>,
    values: Vec<Value>,
}

/// What one tag gave.
enum Step {
    Done(Value),
    Opened(Open),
}

struct Decoder<'a, 'b> {
    reader: Reader<'a>,
    receiver: &'b mut dyn Receiver,
    objects: Vec<Value>,
    stack: Vec<Open>,
}

/// The value of a message. No collection runs meanwhile (allocation never collects).
///
/// Errors: `DecodeError` when the bytes are no message or name something that this process does not have.
pub fn decode(bytes: &[u8], receiver: &mut dyn Receiver) -> diag::Result<Value> {
    let mut reader = Reader::new(bytes);
    let [version, flags] = reader.array()?;
    if version != VERSION || flags & !(FLAG_GLOBALS | FLAG_STRUCTS) != 0 {
        return Err(bad("it begins with another version's mark"));
    }
    if flags == 0
        && let Some(value) = scalar(&mut reader)?
    {
        return end(&reader, value);
    }
    let mut decoder = Decoder {
        reader,
        receiver,
        objects: Vec::new(),
        stack: Vec::new(),
    };
    let value = decoder.value()?;
    let globals = match flags & FLAG_GLOBALS {
        0 => Vec::new(),
        _ => decoder.globals()?,
    };
    let value = end(&decoder.reader, value)?;
    // Only when all of the message is good: of a bad one nothing stays.
    for (slot, global) in globals {
        if !decoder.receiver.set_global(slot, global) {
            return Err(bad("it sets a global variable that is not there"));
        }
    }
    Ok(value)
}

fn end(reader: &Reader<'_>, value: Value) -> diag::Result<Value> {
    if reader.remaining() > 0 {
        return Err(bad("something stands behind its end"));
    }
    match value {
        Value::Undef | Value::Cell(_) => Err(bad("it holds what no script can see")),
        value => Ok(value),
    }
}

/// A value that needs no memory, when that is what comes next.
#[inline]
fn scalar(reader: &mut Reader<'_>) -> diag::Result<Option<Value>> {
    let mut ahead = reader.clone();
    let value = match ahead.byte()? {
        tag::NIL => Value::Nil,
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::INT8 => Value::Int(i64::from(ahead.byte()? as i8)),
        tag::INT => Value::Int(ahead.int()?),
        tag::FLOAT => Value::Float(f64::from_le_bytes(ahead.array()?)),
        tag::UNDEF => Value::Undef,
        _ => return Ok(None),
    };
    *reader = ahead;
    Ok(Some(value))
}

impl Decoder<'_, '_> {
    /// One whole value with everything in it.
    fn value(&mut self) -> diag::Result<Value> {
        loop {
            let mut value = match self.step()? {
                Step::Opened(open) => {
                    if self.stack.len() >= MAX_DEPTH {
                        return Err(bad("it nests too deeply"));
                    }
                    self.stack.push(open);
                    match self.close_top()? {
                        Some(value) => value,
                        None => continue,
                    }
                }
                Step::Done(value) => value,
            };
            // Give the value to what it stands in, and what is complete with that to what that stands in.
            loop {
                let Some(open) = self.stack.last_mut() else {
                    return Ok(value);
                };
                open.take(value, self.receiver)?;
                match self.close_top()? {
                    Some(complete) => value = complete,
                    None => break,
                }
            }
        }
    }

    fn globals(&mut self) -> diag::Result<Vec<(u32, Value)>> {
        let mut globals = Vec::new();
        while self.reader.byte()? != 0 {
            let slot = self.reader.id()?;
            let value = self.value()?;
            if matches!(value, Value::Cell(_)) {
                return Err(bad("it sets a global variable that is not there"));
            }
            globals.push((slot, value));
        }
        Ok(globals)
    }

    /// Reads a tag and what belongs to it, but not the parts of an object.
    fn step(&mut self) -> diag::Result<Step> {
        if let Some(value) = scalar(&mut self.reader)? {
            return Ok(Step::Done(value));
        }
        let value = match self.reader.byte()? {
            tag::STR => {
                let text = self.reader.text()?;
                Value::str(self.receiver.heap(), text)
            }
            tag::BYTES => {
                let data = self.reader.block()?.to_vec();
                Value::bytes(self.receiver.heap(), data)
            }
            tag::LONG_STR => {
                let text = self.reader.text()?;
                room::fits("a message", text.len())?;
                let value = Value::str(self.receiver.heap(), text);
                self.objects.push(value);
                value
            }
            tag::LONG_BYTES => {
                let data = self.reader.block()?;
                room::fits("a message", data.len())?;
                let value = Value::bytes(self.receiver.heap(), data.to_vec());
                self.objects.push(value);
                value
            }
            tag::INTS => {
                let ints = self.words()?.map(i64::from_le_bytes).collect();
                self.typed(Items::Ints(ints))
            }
            tag::FLOATS => {
                let floats = self.words()?.map(f64::from_le_bytes).collect();
                self.typed(Items::Floats(floats))
            }
            tag::RANGE => self.range()?,
            tag::STRUCT => Value::Struct(self.structure()?),
            tag::NATIVE => {
                let name = self.reader.text()?;
                match self.receiver.native(name) {
                    Some(native) => Value::Native(native),
                    None => return Err(bad("it names a function that is not there")),
                }
            }
            tag::HANDLE => self.handle()?,
            tag::BACK => {
                let number = self.reader.count()?;
                match usize::try_from(number)
                    .ok()
                    .and_then(|n| self.objects.get(n))
                {
                    Some(&value) => value,
                    None => return Err(bad("it refers back to what did not come")),
                }
            }
            other => return self.object(other).map(Step::Opened),
        };
        Ok(Step::Done(value))
    }

    /// Makes an object whose parts follow.
    fn object(&mut self, tag: u8) -> diag::Result<Open> {
        Ok(match tag {
            tag::LIST => {
                let count = self.reader.count_of(1)?;
                let list = List::from_items(self.receiver.heap(), Items::Any(Vec::new()));
                self.objects.push(Value::List(list));
                // Not set aside in full at once: nested counts could each claim the same bytes that are left.
                Open::List(list, Vec::with_capacity(count.min(64)), count)
            }
            tag::MAP => {
                let count = self.reader.count_of(2)?;
                let map = Map::new(self.receiver.heap(), Table::default());
                self.objects.push(Value::Map(map));
                Open::Map(map, None, count)
            }
            tag::SET => {
                let count = self.reader.count_of(1)?;
                let set = Set::new(self.receiver.heap(), Table::default());
                self.objects.push(Value::Set(set));
                Open::Set(set, count)
            }
            tag::INSTANCE => {
                let of = self.structure()?;
                let count = self.reader.count_of(1)?;
                if count != of.fields.len() {
                    return Err(bad("a struct in it has another number of fields"));
                }
                let fields = vec![Value::Nil; count];
                let instance = Instance::new(self.receiver.heap(), of, &fields);
                self.objects.push(Value::Instance(instance));
                Open::Instance(instance, count)
            }
            tag::CLOSURE => self.closure()?,
            tag::CELL => {
                let cell = Upvalue::new(self.receiver.heap(), Value::Undef);
                self.objects.push(Value::Cell(cell));
                Open::Cell(cell, 1)
            }
            tag::BOUND => Open::Bound(Vec::new()),
            tag::METHOD => Open::Method(self.reader.text()?.to_string(), Vec::new()),
            tag::ERROR => {
                let report = report::read(&mut self.reader)?;
                let count = self.reader.count_of(1)?;
                let mut names = Vec::new();
                for _ in 0..count {
                    names.push(Rc::from(self.reader.text()?));
                }
                let values = Vec::new();
                Open::Error(Box::new(PartialError {
                    report,
                    names,
                    values,
                }))
            }
            tag::PARTS => Open::Parts(Box::new(PartialParts {
                kind: self.reader.text()?.to_string(),
                bytes: self.reader.block()?.to_vec(),
                missing: self.reader.count_of(1)?,
                values: Vec::new(),
            })),
            _ => return Err(bad("it has an unknown tag")),
        })
    }

    /// A function, of which the captured values follow.
    fn closure(&mut self) -> diag::Result<Open> {
        let id = self.reader.id()?;
        let Some(proto) = self.receiver.code(id) else {
            return Err(bad("it holds a function whose code is not here").with_help(
                "a process knows the functions that there were when it was made: make it after the function",
            ));
        };
        let count = self.reader.count_of(1)?;
        if count != proto.captures.len() {
            return Err(bad("a function in it captures another number of values"));
        }
        let captures = vec![Value::Undef; count];
        let closure = Closure::new(self.receiver.heap(), proto, &captures);
        self.objects.push(Value::Fn(closure));
        Ok(Open::Closure(closure, count))
    }

    /// Takes the top object off the stack when all its parts are there.
    fn close_top(&mut self) -> diag::Result<Option<Value>> {
        let Some(open) = self.stack.pop_if(|open| open.missing() == 0) else {
            return Ok(None);
        };
        let heap = self.receiver.heap();
        Ok(Some(match open {
            Open::List(list, values, _) => {
                list.edit(heap, |items| *items = Items::from_values(values));
                Value::List(list)
            }
            Open::Map(map, ..) => Value::Map(map),
            Open::Set(set, _) => Value::Set(set),
            Open::Instance(instance, _) => Value::Instance(instance),
            Open::Closure(closure, _) => Value::Fn(closure),
            Open::Cell(cell, _) => Value::Cell(cell),
            Open::Bound(parts) => match parts[..] {
                [receiver, function @ Value::Fn(_)] => {
                    Value::Bound(Bound::new(heap, receiver, function))
                }
                _ => return Err(bad("a method in it is no function")),
            },
            Open::Method(name, parts) => {
                let receiver = parts.first().copied().unwrap_or(Value::Nil);
                let Some(native) = self.receiver.method(&receiver, &name) else {
                    return Err(bad("it names a method that is not there"));
                };
                let function = Value::Native(native);
                Value::Bound(Bound::new(self.receiver.heap(), receiver, function))
            }
            Open::Parts(parts) => {
                let PartialParts {
                    kind,
                    bytes,
                    values,
                    ..
                } = *parts;
                let Some(value) = self.receiver.assemble(&kind, &bytes, &values) else {
                    return Err(bad("a value in it is made of other parts"));
                };
                self.objects.push(value);
                value
            }
            Open::Error(mut error) => {
                let cause = error.values.pop().unwrap_or(Value::Nil);
                let attributes = error.names.into_iter().zip(error.values).collect();
                let value = Value::Error(ErrorValue::new(heap, error.report, attributes, cause));
                self.objects.push(value);
                value
            }
        }))
    }

    fn structure(&mut self) -> diag::Result<Gc<StructType>> {
        let id = self.reader.id()?;
        match self.receiver.structure(id) {
            Some(of) => Ok(of),
            None => Err(bad("it names a struct that is not declared here")),
        }
    }

    fn handle(&mut self) -> diag::Result<Value> {
        let id = HandleId {
            kind: u16::from_le_bytes(self.reader.array()?),
            generation: u32::from_le_bytes(self.reader.array()?),
            offset: u64::from_le_bytes(self.reader.array()?),
        };
        match self.receiver.handle(id) {
            Some(value) => Ok(value),
            None => Err(bad("it names an object that is not there")),
        }
    }

    fn range(&mut self) -> diag::Result<Value> {
        let flags = self.reader.byte()?;
        let (start, end, step) = (self.reader.int()?, self.reader.int()?, self.reader.int()?);
        if flags > 3 || step == 0 {
            return Err(bad("a range in it is none"));
        }
        let end = (flags & 1 != 0).then_some(end);
        let range = Range::new(self.receiver.heap(), start, end, flags & 2 != 0, step);
        Ok(Value::Range(range))
    }

    /// The words of a typed list.
    fn words(&mut self) -> diag::Result<impl Iterator<Item = [u8; 8]> + use<'_>> {
        let count = self.reader.count_of(8)?;
        room::fits("a message", count * 8)?;
        let (words, _) = self.reader.take(count * 8)?.as_chunks::<8>();
        Ok(words.iter().copied())
    }

    fn typed(&mut self, items: Items) -> Value {
        // An empty list has one representation, whatever it was before.
        let items = if items.is_empty() {
            Items::Any(Vec::new())
        } else {
            items
        };
        let value = Value::List(List::from_items(self.receiver.heap(), items));
        self.objects.push(value);
        value
    }
}

impl Open {
    /// How many parts are still to come (for a map: at least).
    fn missing(&self) -> usize {
        match self {
            Open::List(_, _, missing) | Open::Set(_, missing) | Open::Instance(_, missing) => {
                *missing
            }
            Open::Closure(_, missing) | Open::Cell(_, missing) => *missing,
            Open::Map(_, key, missing) => missing + usize::from(key.is_some()),
            Open::Bound(parts) => 2 - parts.len().min(2),
            Open::Method(_, parts) => 1 - parts.len().min(1),
            Open::Error(error) => error.names.len() + 1 - error.values.len(),
            Open::Parts(parts) => parts.missing,
        }
    }

    /// Takes the next part.
    fn take(&mut self, value: Value, receiver: &mut dyn Receiver) -> diag::Result<()> {
        match (&self, value) {
            (Open::Closure(..), _) | (Open::Cell(..), Value::Undef) => {}
            (_, Value::Undef | Value::Cell(_)) => {
                return Err(bad("it holds what no script can see"));
            }
            _ => {}
        }
        match self {
            Open::List(_, values, missing) => {
                *missing -= 1;
                values.push(value);
            }
            Open::Map(map, key, missing) => match key.take() {
                None => {
                    *missing -= 1;
                    *key = Some(checked_key(value)?);
                }
                Some(key) => {
                    map.edit(receiver.heap(), |table| table.insert(key, value));
                }
            },
            Open::Set(set, missing) => {
                *missing -= 1;
                let key = checked_key(value)?;
                set.edit(receiver.heap(), |table| table.insert(key, Value::Nil));
            }
            Open::Instance(instance, missing) => {
                let fields = instance.fields();
                if let Some(field) = fields.get(fields.len() - *missing) {
                    field.set(value);
                }
                *missing -= 1;
            }
            Open::Closure(closure, missing) => {
                let captures = closure.captures();
                if let Some(capture) = captures.get(captures.len() - *missing) {
                    capture.set(value);
                }
                *missing -= 1;
            }
            Open::Cell(cell, missing) => {
                cell.value.set(value);
                *missing -= 1;
            }
            Open::Bound(parts) | Open::Method(_, parts) => parts.push(value),
            Open::Error(error) => error.values.push(value),
            Open::Parts(parts) => {
                parts.missing -= 1;
                parts.values.push(value);
            }
        }
        Ok(())
    }
}

fn checked_key(value: Value) -> diag::Result<Value> {
    match hash_key(&value) {
        Some(_) => Ok(value),
        None => Err(bad("a key in it cannot be one")),
    }
}

//! Values to bytes. The encoder keeps its own stack, so that depth costs memory and not the machine's stack.

use super::bytes::{put_count, put_text};
use super::small::Small;
use super::{FLAG_GLOBALS, MAX_DEPTH, SHARED_TEXT, Sender, VERSION, report, tag};
use crate::diag::{self, Field, codes};
use crate::limits::MAX_MESSAGE;
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::function::{Bound, Closure, Upvalue};
use crate::value::handle::{HandleBox, HandleId};
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::map::{Map, Set};
use crate::value::structure::Instance;
use std::collections::HashMap;

/// Strings and bytes of at least this many bytes that are the whole message are not copied: see [`Encoder::encode_parts`].
const BULK: usize = 4096;

/// An object whose parts are being written.
pub(super) enum Open {
    List(Gc<List>, usize),
    /// The position of the next entry, and the value of the key that was written last.
    Map(Gc<Map>, usize, Option<(Value, Value)>),
    Set(Gc<Set>, usize),
    Instance(Gc<Instance>, usize),
    Closure(Gc<Closure>, usize),
    Cell(Gc<Upvalue>, bool),
    /// How many of (receiver, function) are written.
    Bound(Gc<Bound>, u8),
    Method(Value, bool),
    Error(Gc<ErrorValue>, usize),
    /// The handle, and the values that it is made of.
    Parts(Gc<HandleBox>, Vec<Value>, usize),
}

/// The rest of a message that [`Encoder::encode_parts`] left where it is.
pub struct Bulk(Value);

impl Bulk {
    /// The bytes that belong behind what was written.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Value::Bytes(bytes) => bytes.data(),
            other => other.as_str().unwrap_or("").as_bytes(),
        }
    }
}

/// Turns values into messages. It is kept and used again: its tables keep their memory.
#[derive(Default)]
pub struct Encoder {
    /// The number of each object already met, by address. The first object is kept apart: most messages have only one.
    seen: HashMap<usize, u32, foldhash::fast::FixedState>,
    first: usize,
    count: u32,
    stack: Vec<Open>,
    /// Global variables that functions in the message use: all that were met, and how many of them are written.
    globals: Vec<u32>,
    /// The handles in the message that was encoded last, in order of appearance (one may come twice).
    pub handles: Vec<HandleId>,
    /// How many functions and how many structs whoever reads that message must know: the newest in it, and one.
    pub code: [u32; 2],
    /// The numbers of the structs in that message.
    pub structs: Vec<u32>,
}

impl Encoder {
    /// An encoder with empty tables.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Appends the message of a value to `out`.
    ///
    /// Errors: `NotSendable` when something in the value cannot leave its process, with the path to it; `LimitExceeded`
    /// when the message would be too large or nests too deeply.
    pub fn encode(
        &mut self,
        value: Value,
        sender: &dyn Sender,
        out: &mut Vec<u8>,
    ) -> diag::Result<()> {
        self.handles.clear();
        out.extend_from_slice(&[VERSION, 0]);
        if !scalar(value, out) {
            self.start();
            self.graph(value, sender, out)?;
        }
        Ok(())
    }

    /// As [`Encoder::encode`], but a long string or bytes value is not copied to `out`: what belongs behind `out` comes back.
    pub fn encode_parts(
        &mut self,
        value: Value,
        sender: &dyn Sender,
        out: &mut Vec<u8>,
    ) -> diag::Result<Option<Bulk>> {
        let (tag, len) = match &value {
            Value::Bytes(bytes) => (tag::LONG_BYTES, bytes.data().len()),
            Value::Str(text) => (tag::LONG_STR, text.as_str().len()),
            _ => (tag::NIL, 0),
        };
        if len < BULK {
            self.encode(value, sender, out)?;
            return Ok(None);
        }
        self.handles.clear();
        check_size(len)?;
        out.extend_from_slice(&[VERSION, 0, tag]);
        put_count(out, len as u64);
        Ok(Some(Bulk(value)))
    }

    /// As [`Encoder::encode`], and the global variables that functions in the value use travel with it: for processes that
    /// do not share the sender's (another start method, the workers of a pool that already runs).
    pub fn encode_with_globals(
        &mut self,
        value: Value,
        sender: &dyn Sender,
        out: &mut Vec<u8>,
    ) -> diag::Result<()> {
        self.handles.clear();
        self.code = [0; 2];
        out.extend_from_slice(&[VERSION, FLAG_GLOBALS]);
        self.start();
        self.graph(value, sender, out)?;
        let mut written = 0;
        while let Some(&slot) = self.globals.get(written) {
            written += 1;
            if let Some(value) = sender.global(slot) {
                out.push(1);
                put_count(out, slot.into());
                self.graph(value, sender, out)?;
            }
        }
        out.push(0);
        Ok(())
    }

    fn start(&mut self) {
        if !self.seen.is_empty() {
            self.seen.clear();
        }
        self.first = 0;
        self.count = 0;
        self.stack.clear();
        self.globals.clear();
        self.structs.clear();
    }

    fn graph(&mut self, root: Value, sender: &dyn Sender, out: &mut Vec<u8>) -> diag::Result<()> {
        let base = out.len();
        self.value(root, sender, out)?;
        while let Some(open) = self.stack.last_mut() {
            if let Some(value) = open.next() {
                if scalar(value, out) {
                    continue;
                }
                self.value(value, sender, out)?;
                check_size(out.len() - base)?;
                if self.stack.len() > MAX_DEPTH {
                    return Err(diag::Error::new(
                        codes::LIMIT,
                        format!("values may nest {MAX_DEPTH} levels deep in a message"),
                    ));
                }
            } else {
                // What never changes is made when its parts are there, and numbered then.
                match self.stack.pop() {
                    Some(Open::Error(error, _)) => self.number(error.address()),
                    Some(Open::Parts(handle, ..)) => self.number(handle.address()),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, value: Value, sender: &dyn Sender, out: &mut Vec<u8>) -> diag::Result<()> {
        if scalar(value, out) {
            return Ok(());
        }
        match value {
            Value::Str(text) => self.long(tag::STR, text.address(), text.as_str().as_bytes(), out),
            Value::Bytes(bytes) => self.long(tag::BYTES, bytes.address(), bytes.data(), out),
            Value::List(list) => self.list(list, out),
            Value::Map(map) => {
                if self.open(tag::MAP, map.address(), map.table().len(), out) {
                    self.stack.push(Open::Map(map, 0, None));
                }
            }
            Value::Set(set) => {
                if self.open(tag::SET, set.address(), set.table().len(), out) {
                    self.stack.push(Open::Set(set, 0));
                }
            }
            Value::Range(range) => {
                let flags = u8::from(range.end.is_some()) | u8::from(range.inclusive) << 1;
                out.extend_from_slice(&[tag::RANGE, flags]);
                for part in [range.start, range.end.unwrap_or(0), range.step] {
                    out.extend_from_slice(&part.to_le_bytes());
                }
            }
            Value::Struct(of) => {
                out.push(tag::STRUCT);
                self.structure(of.id, out);
            }
            Value::Instance(instance) => {
                if !self.back(instance.address(), out) {
                    self.number(instance.address());
                    out.push(tag::INSTANCE);
                    self.structure(instance.of.id, out);
                    put_count(out, instance.fields().len() as u64);
                    self.stack.push(Open::Instance(instance, 0));
                }
            }
            Value::Fn(closure) => self.closure(closure, out),
            Value::Cell(cell) => {
                if !self.back(cell.address(), out) {
                    self.number(cell.address());
                    out.push(tag::CELL);
                    self.stack.push(Open::Cell(cell, false));
                }
            }
            Value::Bound(bound) => self.bound(bound, out),
            Value::Error(error) => self.error(error, out),
            Value::Native(native) => match sender.native_name(native) {
                Some(name) => {
                    out.push(tag::NATIVE);
                    put_text(out, &name);
                }
                None => return Err(self.refuse(value)),
            },
            Value::Handle(handle) => match handle.get().identity() {
                Some(id) if handle.get().parts().is_none() => {
                    self.handles.push(id);
                    out.push(tag::HANDLE);
                    out.extend_from_slice(&id.kind.to_le_bytes());
                    out.extend_from_slice(&id.generation.to_le_bytes());
                    out.extend_from_slice(&id.offset.to_le_bytes());
                }
                _ if self.parts(handle, out) => {}
                _ => return Err(self.refuse(value)),
            },
            _ => return Err(self.refuse(value)),
        }
        Ok(())
    }

    /// Numbers an object.
    fn number(&mut self, address: usize) {
        if self.count == 0 {
            self.first = address;
        } else {
            self.seen.insert(address, self.count);
        }
        self.count += 1;
    }

    /// Writes a back reference when the object was met before.
    fn back(&mut self, address: usize, out: &mut Vec<u8>) -> bool {
        let number = match self.seen.get(&address) {
            Some(&number) => number,
            None if self.count > 0 && self.first == address => 0,
            None => return false,
        };
        out.push(tag::BACK);
        put_count(out, number.into());
        true
    }

    /// Writes the start of an object with a count of parts, or a back reference (then false).
    fn open(&mut self, tag: u8, address: usize, count: usize, out: &mut Vec<u8>) -> bool {
        if self.back(address, out) {
            return false;
        }
        self.number(address);
        out.push(tag);
        put_count(out, count as u64);
        true
    }

    /// A string or bytes value; long ones are numbered.
    fn long(&mut self, tag: u8, address: usize, data: &[u8], out: &mut Vec<u8>) {
        if data.len() < SHARED_TEXT {
            out.push(tag);
            put_count(out, data.len() as u64);
        } else {
            let long = match tag {
                tag::STR => tag::LONG_STR,
                _ => tag::LONG_BYTES,
            };
            if !self.open(long, address, data.len(), out) {
                return;
            }
        }
        out.extend_from_slice(data);
    }

    fn list(&mut self, list: Gc<List>, out: &mut Vec<u8>) {
        match list.items() {
            Items::Any(_) | Items::Bools(_) => {
                if self.open(tag::LIST, list.address(), list.len(), out) {
                    self.stack.push(Open::List(list, 0));
                }
            }
            // An empty list is written alike, whatever it held before.
            typed if typed.is_empty() => {
                self.open(tag::LIST, list.address(), 0, out);
            }
            Items::Ints(ints) => {
                if self.open(tag::INTS, list.address(), ints.len(), out) {
                    put_words(out, ints.iter().map(|i| i.to_le_bytes()));
                }
            }
            Items::Floats(floats) => {
                if self.open(tag::FLOATS, list.address(), floats.len(), out) {
                    put_words(out, floats.iter().map(|f| f.to_le_bytes()));
                }
            }
        }
    }

    fn structure(&mut self, id: u32, out: &mut Vec<u8>) {
        self.code[1] = self.code[1].max(id + 1);
        if self.structs.last() != Some(&id) && !self.structs.contains(&id) {
            self.structs.push(id);
        }
        put_count(out, id.into());
    }

    fn closure(&mut self, closure: Gc<Closure>, out: &mut Vec<u8>) {
        if self.back(closure.address(), out) {
            return;
        }
        self.number(closure.address());
        out.push(tag::CLOSURE);
        self.code[0] = self.code[0].max(closure.proto.id + 1);
        put_count(out, closure.proto.id.into());
        put_count(out, closure.captures().len() as u64);
        for &slot in &closure.proto.globals {
            if !self.globals.contains(&slot) {
                self.globals.push(slot);
            }
        }
        self.stack.push(Open::Closure(closure, 0));
    }

    /// A bound method has no identity of its own, so it is written as often as it is met.
    fn bound(&mut self, bound: Gc<Bound>, out: &mut Vec<u8>) {
        if let Value::Native(native) = bound.function {
            out.push(tag::METHOD);
            put_text(out, native.name);
            self.stack.push(Open::Method(bound.receiver, false));
        } else {
            out.push(tag::BOUND);
            self.stack.push(Open::Bound(bound, 0));
        }
    }

    /// Errors are numbered when they are complete: one that is met again inside itself (through a list among its
    /// attributes) is written once more; the list is a back reference then, so that this ends.
    fn error(&mut self, error: Gc<ErrorValue>, out: &mut Vec<u8>) {
        if self.back(error.address(), out) {
            return;
        }
        out.push(tag::ERROR);
        report::write(&error.report, out);
        put_count(out, error.attributes.len() as u64);
        for (name, _) in &error.attributes {
            put_text(out, name);
        }
        self.stack.push(Open::Error(error, 0));
    }

    /// A plain value that is a handle; false when it cannot travel.
    fn parts(&mut self, handle: Gc<HandleBox>, out: &mut Vec<u8>) -> bool {
        if self.back(handle.address(), out) {
            return true;
        }
        let Some(parts) = handle.get().parts() else {
            return false;
        };
        out.push(tag::PARTS);
        put_text(out, parts.kind);
        put_count(out, parts.bytes.len() as u64);
        out.extend_from_slice(&parts.bytes);
        put_count(out, parts.values.len() as u64);
        self.stack.push(Open::Parts(handle, parts.values, 0));
        true
    }

    #[cold]
    fn refuse(&self, value: Value) -> Box<diag::Error> {
        let mut path = String::from("value");
        for open in &self.stack {
            open.describe(&mut path);
        }
        let what = match value.type_name() {
            "iterator" => "an iterator".to_string(),
            "fn" => "a native function without a name".to_string(),
            name if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
            name => format!("a {name}"),
        };
        let message = match self.stack.is_empty() {
            true => format!("expected something that can go to another process, not {what}"),
            false => {
                format!("expected something that can go to another process, but `{path}` is {what}")
            }
        };
        let help = match value {
            Value::Iter(_) => "make a list of it first: `list(it)`",
            Value::Handle(handle) if handle.get().type_name() == "file" => {
                "send its path, and open it where it is used"
            }
            Value::Handle(handle) if handle.get().type_name() == "command" => {
                "give the command the path of its file: .stdin(\"path\"), .stdout(\"path\")"
            }
            Value::Handle(handle) if handle.get().type_name() == "lease" => {
                "send its `value`; a lease stays with the process that took it"
            }
            _ => "send what is needed to make it again, and make it where it is used",
        };
        diag::Error::new(codes::NOT_SENDABLE, message)
            .with_help(help)
            .with_field("path", Field::Text(path))
    }
}

/// Writes values that are no objects, and short strings.
#[inline]
fn scalar(value: Value, out: &mut Vec<u8>) -> bool {
    let small = Small::of(value);
    if let Some(small) = &small {
        small.append_to(out);
    }
    small.is_some()
}

/// Appends words of eight bytes; compiles to one copy.
fn put_words(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = [u8; 8]>) {
    let start = out.len();
    out.resize(start + words.len() * 8, 0);
    let (places, _) = out
        .get_mut(start..)
        .unwrap_or_default()
        .as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word;
    }
}

fn check_size(bytes: usize) -> diag::Result<()> {
    if bytes <= MAX_MESSAGE {
        return Ok(());
    }
    let message = format!("a message may have {MAX_MESSAGE} bytes, and this one is longer");
    Err(diag::Error::new(codes::LIMIT, message).with_help("send it in pieces"))
}

impl Open {
    /// The next part to write.
    fn next(&mut self) -> Option<Value> {
        match self {
            Open::List(list, at) => {
                let value = list.get(*at);
                *at += 1;
                value
            }
            Open::Map(map, at, pending) => {
                if let Some((key, value)) = *pending
                    && !matches!(value, Value::Undef)
                {
                    *pending = Some((key, Value::Undef));
                    return Some(value);
                }
                let (entry, after) = map.table().next(*at)?;
                *at = after;
                *pending = Some((entry.key, entry.value));
                Some(entry.key)
            }
            Open::Set(set, at) => {
                let (entry, after) = set.table().next(*at)?;
                *at = after;
                Some(entry.key)
            }
            Open::Instance(instance, at) => {
                let value = instance.fields().get(*at).map(|field| field.get());
                *at += 1;
                value
            }
            Open::Closure(closure, at) => {
                let value = closure.captures().get(*at).map(|capture| capture.get());
                *at += 1;
                value
            }
            Open::Cell(cell, done) => (!std::mem::replace(done, true)).then(|| cell.value.get()),
            Open::Bound(bound, at) => {
                *at += 1;
                match *at {
                    1 => Some(bound.receiver),
                    2 => Some(bound.function),
                    _ => None,
                }
            }
            Open::Method(receiver, done) => (!std::mem::replace(done, true)).then_some(*receiver),
            Open::Error(error, at) => {
                let index = *at;
                *at += 1;
                match error.attributes.get(index) {
                    Some(&(_, value)) => Some(value),
                    None => (index == error.attributes.len()).then_some(error.cause),
                }
            }
            Open::Parts(_, values, at) => {
                *at += 1;
                values.get(*at - 1).copied()
            }
        }
    }
}

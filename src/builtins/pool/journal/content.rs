//! What tells a value from others in every run of every program: its content, and the code that comes with it.
//!
//! Everything is gone through without recursion, so what nests deeply counts as well. What stands in several places is told once, and
//! named there: two values are the same when they look the same and share the same parts.

use super::key::Sum;
use crate::builtins::modules::random;
use crate::diag::Result;
use crate::process::signals;
use crate::value::Value;
use crate::value::function::Closure;
use crate::value::heap::Gc;
use crate::value::list::Items;
use crate::value::native::{Context, Native};
use crate::value::structure::StructType;
use std::cmp::Ordering;
use std::collections::HashMap;

/// What a search has found.
pub(super) struct Search {
    /// The code of all functions and structs.
    pub(super) code: Sum,
    /// The variables that they use, with the digests of their values.
    pub(super) uses: Vec<(String, Digest)>,
    /// It may draw random numbers: a name of that module stands in it.
    pub(super) draws: bool,
    /// Functions and structs, by the number of those that were met before.
    seen: HashMap<usize, u64>,
    /// Where what has an identity came first, in all that was written down.
    places: HashMap<usize, u64>,
    /// What is still to be looked at, with the name under which it is used; the last is the next.
    rest: Vec<(String, Value)>,
}

/// What stands for a content: equal for equal contents, and for no others.
pub(super) type Digest = [u8; blake3::OUT_LEN];

/// The content of a value.
pub(super) struct Content {
    pub(super) digest: Digest,
    /// There are handles in it (locks, queues, files, processes), which no other run knows: that one is there is all that counts of it.
    pub(super) has_handles: bool,
}

/// Bytes that are gathered for the digest, and then looked for Ctrl-C.
const PIECE: usize = 1 << 16;

impl Search {
    pub(super) fn new() -> Search {
        Search {
            code: Sum::new(),
            uses: Vec::new(),
            draws: false,
            seen: HashMap::new(),
            places: HashMap::new(),
            rest: Vec::new(),
        }
    }

    /// Goes through a value that is used under a name, and all that it reaches.
    ///
    /// # Errors
    /// Ctrl-C came, or a cancellation.
    pub(super) fn value(&mut self, context: &dyn Context, name: &str, value: Value) -> Result<()> {
        self.rest.push((name.to_string(), value));
        self.finish(context)
    }

    /// The content of a value. The code that comes with it is gone through.
    ///
    /// # Errors
    /// As [`Search::value`].
    pub(super) fn content(
        &mut self,
        context: &dyn Context,
        name: &str,
        value: Value,
    ) -> Result<Content> {
        let content = self.read(name, value)?;
        self.finish(context)?;
        Ok(content)
    }

    fn finish(&mut self, context: &dyn Context) -> Result<()> {
        while let Some((name, value)) = self.rest.pop() {
            match value {
                Value::Fn(closure) => {
                    self.code.bytes(name.as_bytes());
                    self.function(context, closure);
                }
                Value::Struct(of) => self.structure(of),
                Value::Cell(cell) => self.rest.push((name, cell.value.get())),
                Value::Bound(bound) => {
                    self.rest.push((name.clone(), bound.function));
                    self.rest.push((name, bound.receiver));
                }
                Value::Native(native) => self.native(native),
                Value::Undef => {}
                data => {
                    let content = self.read(&name, data)?;
                    self.uses.push((name, content.digest));
                }
            }
        }
        Ok(())
    }

    /// Functions of different modules have the same name, but no two do the same.
    fn native(&mut self, native: &Native) {
        self.code.bytes(native.name.as_bytes());
        self.code.bytes(native.doc.as_bytes());
        self.draws |= random::is_named_in(native.name);
    }

    /// Whether a function or struct was met before: which one it is counts then.
    fn was_met(&mut self, address: usize) -> bool {
        let next = self.seen.len() as u64;
        let number = *self.seen.entry(address).or_insert(next);
        self.code.number(number);
        number != next
    }

    fn function(&mut self, context: &dyn Context, closure: Gc<Closure>) {
        if self.was_met(closure.address()) {
            return;
        }
        let proto = closure.proto.clone();
        let text = context.code_text(proto.span).unwrap_or_default();
        self.code.bytes(text.as_bytes());
        self.draws |= random::is_named_in(&text);
        let globals = proto.globals.iter().rev().filter_map(|&slot| {
            let value = context.global(slot)?;
            Some((context.global_name(slot), value))
        });
        self.rest.extend(globals);
        let names = proto.capture_names.iter();
        let captures = closure.captures().iter().map(|value| value.get());
        let captures: Vec<_> = names.map(|name| name.to_string()).zip(captures).collect();
        self.rest.extend(captures.into_iter().rev());
    }

    fn structure(&mut self, of: Gc<StructType>) {
        if self.was_met(of.address()) {
            return;
        }
        self.code.bytes(of.name.as_bytes());
        self.code.number(of.fields.len() as u64);
        let fields = of.fields.iter();
        fields.for_each(|field| self.code.bytes(field.as_bytes()));
        self.rest.push((String::new(), of.constructor.get()));
        for name in of.method_names().into_iter().rev() {
            self.code.bytes(name.as_bytes());
            self.rest
                .extend(of.method(&name).map(|method| (name.to_string(), method)));
        }
    }

    /// Writes down a value.
    fn read(&mut self, name: &str, value: Value) -> Result<Content> {
        let mut reader = Reader {
            search: self,
            name,
            hasher: blake3::Hasher::new(),
            piece: Vec::new(),
            has_handles: false,
            rest: vec![value],
        };
        while let Some(value) = reader.rest.pop() {
            reader.one(value);
            if reader.piece.len() >= PIECE {
                reader.flush();
                signals::check_urgent()?;
            }
        }
        reader.flush();
        Ok(Content {
            digest: *reader.hasher.finalize().as_bytes(),
            has_handles: reader.has_handles,
        })
    }
}

/// Entries in the order of their keys: maps and sets that are equal are told alike, in whatever order they were filled. Keys that have no
/// order of their own leave them as they are.
fn in_order(entries: impl Iterator<Item = (Value, Value)>) -> Vec<(Value, Value)> {
    let mut entries: Vec<_> = entries.collect();
    if entries.iter().all(|(key, _)| rank(key).is_some()) {
        entries.sort_by(|(a, _), (b, _)| compare(a, b));
    }
    entries
}

/// Where the kind of a key stands among the others; `None` for those without an order.
fn rank(key: &Value) -> Option<u8> {
    Some(match key {
        Value::Nil => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Float(_) => 3,
        Value::Short(_) | Value::Str(_) => 4,
        Value::Bytes(_) => 5,
        _ => return None,
    })
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.data().cmp(b.data()),
        _ => rank(a)
            .cmp(&rank(b))
            .then_with(|| a.as_str().cmp(&b.as_str())),
    }
}

/// Writes down one value.
struct Reader<'a> {
    search: &'a mut Search,
    name: &'a str,
    hasher: blake3::Hasher,
    piece: Vec<u8>,
    has_handles: bool,
    rest: Vec<Value>,
}

impl Reader<'_> {
    fn flush(&mut self) {
        self.hasher.update(&self.piece);
        self.piece.clear();
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.number(kind, bytes.len() as u64);
        self.piece.extend_from_slice(bytes);
    }

    fn number(&mut self, kind: u8, number: u64) {
        self.piece.push(kind);
        self.piece.extend_from_slice(&number.to_le_bytes());
    }

    /// Whether something is met for the first time; its place is written down otherwise.
    fn is_new(&mut self, address: usize) -> bool {
        let places = &mut self.search.places;
        let next = places.len() as u64;
        match places.get(&address).copied() {
            Some(place) => {
                self.number(b'@', place);
                false
            }
            None => {
                places.insert(address, next);
                true
            }
        }
    }

    fn unknown(&mut self) {
        self.piece.push(b'x');
        self.has_handles = true;
    }

    fn one(&mut self, value: Value) {
        match value {
            Value::Undef => self.piece.push(b'u'),
            Value::Nil => self.piece.push(b'n'),
            Value::Bool(truth) => self.piece.push(if truth { b't' } else { b'f' }),
            Value::Int(number) => self.number(b'i', number as u64),
            Value::Float(number) => self.number(b'd', number.to_bits()),
            Value::Short(text) => self.bytes(b's', text.as_str().as_bytes()),
            Value::Str(text) => self.bytes(b's', text.as_str().as_bytes()),
            Value::Bytes(bytes) => self.bytes(b'b', bytes.data()),
            Value::Range(range) => {
                self.number(b'r', range.start as u64);
                self.number(b',', range.step as u64);
                self.number(b',', range.len().unwrap_or(u64::MAX));
            }
            Value::Cell(cell) => self.rest.push(cell.value.get()),
            Value::List(_)
            | Value::Map(_)
            | Value::Set(_)
            | Value::Instance(_)
            | Value::Error(_) => {
                self.container(value);
            }
            Value::Handle(handle) => match handle.share().parts() {
                Some(parts) => {
                    self.bytes(b'h', &parts.bytes);
                    self.number(b',', parts.values.len() as u64);
                    self.rest.extend(parts.values.into_iter().rev());
                }
                None => self.unknown(),
            },
            Value::Iter(_) | Value::Host(_) => self.unknown(),
            Value::Native(native) => {
                self.bytes(b'c', native.name.as_bytes());
                self.search.native(native);
            }
            Value::Bound(bound) => {
                self.piece.push(b'm');
                self.rest.extend([bound.function, bound.receiver]);
            }
            Value::Fn(closure) => self.code(closure.address(), value),
            Value::Struct(of) => self.code(of.address(), value),
        }
    }

    /// What code it is counts where it comes first.
    fn code(&mut self, address: usize, value: Value) {
        if self.is_new(address) {
            self.piece.push(b'c');
            self.search.rest.push((self.name.to_string(), value));
        }
    }

    fn container(&mut self, value: Value) {
        match value {
            Value::List(list) if self.is_new(list.address()) => {
                self.number(b'[', list.len() as u64);
                match list.items() {
                    Items::Any(items) => self.rest.extend(items.iter().rev()),
                    Items::Ints(ints) => {
                        for part in ints.chunks(PIECE / 16) {
                            part.iter().for_each(|&int| self.number(b'i', int as u64));
                            self.flush();
                        }
                    }
                    Items::Floats(floats) => {
                        for part in floats.chunks(PIECE / 16) {
                            part.iter()
                                .for_each(|float| self.number(b'd', float.to_bits()));
                            self.flush();
                        }
                    }
                    Items::Bools(bools) => {
                        bools.iter().for_each(|&truth| self.one(Value::Bool(truth)))
                    }
                }
            }
            Value::Map(map) if self.is_new(map.address()) => {
                self.number(b'{', map.table().len() as u64);
                let pairs = in_order(map.table().iter()).into_iter().rev();
                self.rest
                    .extend(pairs.flat_map(|(key, value)| [value, key]));
            }
            Value::Set(set) if self.is_new(set.address()) => {
                self.number(b'<', set.table().len() as u64);
                let keys = in_order(set.table().iter()).into_iter().rev();
                self.rest.extend(keys.map(|(key, _)| key));
            }
            Value::Instance(instance) if self.is_new(instance.address()) => {
                self.bytes(b'(', instance.of.name.as_bytes());
                self.number(b',', instance.fields().len() as u64);
                self.rest
                    .extend(instance.fields().iter().rev().map(|field| field.get()));
                self.code(instance.of.address(), Value::Struct(instance.of));
            }
            Value::Error(error) if self.is_new(error.address()) => {
                self.bytes(b'e', error.report.kind.as_bytes());
                self.bytes(b',', error.report.message.as_bytes());
                self.number(b',', error.attributes.len() as u64);
                self.rest.push(error.cause);
                for (name, value) in &error.attributes {
                    self.bytes(b',', name.as_bytes());
                    self.rest.push(*value);
                }
            }
            _ => {}
        }
    }
}

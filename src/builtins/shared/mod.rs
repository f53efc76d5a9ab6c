//! Shared objects as values: `shared(x)` and `shared.ints`, `shared.floats`, `shared.bytes`.
//!
//! What is put into a shared list or map is encoded; lists and maps in it become shared ones themselves. What is taken out
//! is decoded anew each time. A read-modify-write computes outside of every lock and starts again when somebody was
//! faster: the function of `update` may be called more than once.

pub(super) mod array;
pub(super) mod list;
mod look;
pub(super) mod map;
pub(crate) mod scalar;

use super::{Table, travel};
use crate::arena::{HandleId as ArenaId, ObjectKind};
use crate::diag::{self, codes};
use crate::limits::MAX_VALUE_DEPTH;
use crate::os::clock;
use crate::process::Message;
use crate::process::shared::turn::Turn;
use crate::process::shared::{Array, Content, Element, Item, List, Map, Scalar, Small};
use crate::value::handle::{Handle, HandleId};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, access};
use std::collections::HashMap;
use std::rc::Rc;

/// How often a read-modify-write starts again: so often in a row nobody is faster but its own function, which changes what it is called
/// for.
const MOST_TRIES: u32 = 1000;
/// After so many tries the others leave it the time to come to its end.
const TRIES_BEFORE_TURN: u32 = 10;
/// Nanoseconds that a turn lasts beyond several times what the longest try took.
const LEAST_TURN: u64 = 10_000_000;
/// As often it is tried without holding up others.
const FEW_TRIES: u32 = 3;

/// Counts how often a read-modify-write has started again, and has others wait for it when that is often.
struct Tries {
    count: u32,
    /// When this one began (monotonic nanoseconds).
    began: u64,
    /// How long the longest took.
    longest: u64,
    turn: Option<Turn>,
}

impl Tries {
    fn new() -> Tries {
        Tries {
            count: 0,
            began: clock::now(),
            longest: 0,
            turn: None,
        }
    }

    /// Whether there is no reason yet to hold up others.
    fn are_few(&self) -> bool {
        self.count < FEW_TRIES
    }

    /// One more at an object; looks at what wants attention in between.
    fn again(&mut self, context: &mut dyn Context, id: ArenaId) -> Outcome<()> {
        self.count += 1;
        self.longest = self.longest.max(clock::now() - self.began);
        if self.count < MOST_TRIES {
            context.poll()?;
            if self.count >= TRIES_BEFORE_TURN {
                self.take_turn(context, id)?;
            }
            self.began = clock::now();
            return Ok(());
        }
        let message = format!(
            "the object of an atomic update must be the same after its function, but each of {MOST_TRIES} times it was changed meanwhile, by the function or by other processes"
        );
        let error = diag::Error::new(codes::LIMIT, message);
        Err(error
            .with_help("give the new value back instead of storing it; where others write all the time, use a lock")
            .into())
    }

    fn take_turn(&mut self, context: &mut dyn Context, id: ArenaId) -> Outcome<()> {
        let (length, place) = (self.longest * 4 + LEAST_TURN, context.place());
        match &self.turn {
            Some(turn) => turn.begin_again(length, place)?,
            None => self.turn = Some(Turn::take(id, length, place)?),
        }
        Ok(())
    }
}

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "shared" ("value") shared, "A shared object with this content: of a list a shared list, of a map a shared map, of anything else a scalar.";
    "shared.bytes" ("of") array::bytes, "A shared array of bytes: so many zeros, or a copy of bytes or of a list of ints from 0 to 255.";
    "shared.floats" ("of") array::floats, "A shared array of floats: so many zeros, or a copy of a list of numbers.";
    "shared.ints" ("of") array::ints, "A shared array of ints: so many zeros, or a copy of a list of ints.";
};

/// The handle of a shared object that came in a message.
pub fn from_id(id: ArenaId) -> Option<Rc<dyn Handle>> {
    Some(match id.kind {
        ObjectKind::SharedScalar => Rc::new(scalar::ScalarHandle(Scalar::adopt(id)?)),
        ObjectKind::SharedArray => Rc::new(array::ArrayHandle(Array::adopt(id)?)),
        ObjectKind::SharedList => Rc::new(list::ListHandle(List::adopt(id)?)),
        ObjectKind::SharedMap => Rc::new(map::MapHandle(Map::adopt(id)?)),
        _ => return None,
    })
}

/// Whether a handle is a shared list or array: it then has the methods of all sequences.
pub fn is_sequence(handle: &dyn Handle) -> bool {
    let any = handle.as_any();
    any.is::<list::ListHandle>() || any.is::<array::ArrayHandle>()
}

fn shared(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match args[0] {
        Value::List(_) | Value::Map(_) => Sharing::default().share(context, args[0], 0),
        Value::Handle(handle) if is_shared(handle.get()) => Ok(args[0]),
        value => {
            let content = pack(context, value)?;
            let scalar = Scalar::create(content.item())?;
            let handle = Rc::new(scalar::ScalarHandle(scalar));
            Ok(Value::handle(context.heap(), handle))
        }
    }
}

fn is_shared(handle: &dyn Handle) -> bool {
    let any = handle.as_any();
    is_sequence(handle) || any.is::<scalar::ScalarHandle>() || any.is::<map::MapHandle>()
}

/// The name of a shared object as values carry it.
fn identity(id: ArenaId) -> Option<HandleId> {
    Some(travel::from_arena(id, 0))
}

/// A value as it is stored.
enum Packed {
    Small(Small),
    Message(Message),
}

impl Packed {
    fn item(&self) -> Item<'_> {
        match self {
            Packed::Small(small) => Item::Small(*small),
            Packed::Message(message) => Item::Message(&message.bytes, &message.handles),
        }
    }
}

/// A value as it is stored in a scalar: a copy.
#[inline]
fn pack(context: &mut dyn Context, value: Value) -> Outcome<Packed> {
    Ok(match value {
        Value::Int(value) => Packed::Small(Small::Int(value)),
        Value::Float(value) => Packed::Small(Small::Float(value)),
        Value::Bool(value) => Packed::Small(Small::Bool(value)),
        Value::Nil | Value::Undef => Packed::Small(Small::Nil),
        _ => Packed::Message(travel::pack(context, value)?),
    })
}

/// A value as it is stored in a container: lists and maps become shared ones.
fn pack_nested(context: &mut dyn Context, value: Value) -> Outcome<Packed> {
    let value = match value {
        Value::List(_) | Value::Map(_) => Sharing::default().share(context, value, 0)?,
        _ => value,
    };
    pack(context, value)
}

/// A key as it is stored: whole floats are ints, so that equal keys are stored alike.
fn pack_key(context: &mut dyn Context, key: Value) -> Outcome<Packed> {
    match key {
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => {
            Ok(Packed::Small(Small::Int(value as i64)))
        }
        _ if crate::value::map::hash_key(&key).is_none() => Err(access::bad_key(&key)),
        _ => pack(context, key),
    }
}

/// The value of what is stored.
#[inline]
fn unpack(context: &mut dyn Context, content: Content<'_>) -> Outcome {
    match content {
        Content::Small(small) => Ok(small_value(small)),
        Content::Message(bytes) => travel::unpack(context, bytes),
    }
}

fn small_value(small: Small) -> Value {
    match small {
        Small::Nil => Value::Nil,
        Small::Bool(value) => Value::Bool(value),
        Small::Int(value) => Value::Int(value),
        Small::Float(value) => Value::Float(value),
    }
}

/// Makes shared containers of lists and maps, each once: sharing and cycles survive.
#[derive(Default)]
struct Sharing {
    made: HashMap<usize, Value>,
}

impl Sharing {
    fn share(&mut self, context: &mut dyn Context, value: Value, depth: usize) -> Outcome {
        if depth > MAX_VALUE_DEPTH {
            let message = format!("shared values may nest {MAX_VALUE_DEPTH} levels deep");
            return Err(diag::Error::new(codes::LIMIT, message).into());
        }
        match value {
            Value::List(plain) => {
                if let Some(&made) = self.made.get(&plain.address()) {
                    return Ok(made);
                }
                let list = List::create(&[])?;
                let handle = Rc::new(list::ListHandle(list.clone()));
                let made = Value::handle(context.heap(), handle);
                context.protect(made);
                self.made.insert(plain.address(), made);
                let mut packed = Vec::with_capacity(plain.len());
                for item in plain.items().to_values() {
                    packed.push(self.pack(context, item, depth)?);
                }
                list.push(&packed.iter().map(Packed::item).collect::<Vec<_>>())?;
                Ok(made)
            }
            Value::Map(plain) => {
                if let Some(&made) = self.made.get(&plain.address()) {
                    return Ok(made);
                }
                let map = Map::create(&[], &[])?;
                let handle = Rc::new(map::MapHandle(map.clone()));
                let made = Value::handle(context.heap(), handle);
                context.protect(made);
                self.made.insert(plain.address(), made);
                for (key, value) in plain.table().iter().collect::<Vec<_>>() {
                    let key = pack_key(context, key)?;
                    let value = self.pack(context, value, depth)?;
                    map.set(key.item(), value.item())?;
                }
                Ok(made)
            }
            _ => Ok(value),
        }
    }

    fn pack(&mut self, context: &mut dyn Context, value: Value, depth: usize) -> Outcome<Packed> {
        let value = self.share(context, value, depth + 1)?;
        pack(context, value)
    }
}

/// Plain data with the content of a shared object, and of those inside it: `x.copy()`.
fn copy(context: &mut dyn Context, value: Value) -> Outcome {
    Copying::default().copy(context, value, 0)
}

#[derive(Default)]
struct Copying {
    made: HashMap<HandleId, Value>,
}

impl Copying {
    fn copy(&mut self, context: &mut dyn Context, value: Value, depth: usize) -> Outcome {
        let Value::Handle(handle) = value else {
            return Ok(value);
        };
        let handle = handle.share();
        if let Some(&made) = handle.identity().and_then(|id| self.made.get(&id)) {
            return Ok(made);
        }
        if depth > MAX_VALUE_DEPTH {
            let message = format!("shared values may nest {MAX_VALUE_DEPTH} levels deep");
            return Err(diag::Error::new(codes::LIMIT, message).into());
        }
        let any = handle.as_any();
        if let Some(list::ListHandle(shared)) = any.downcast_ref() {
            let plain = crate::value::list::List::new(context.heap(), Vec::new());
            self.note(&*handle, Value::List(plain));
            for item in list::values(context, shared)? {
                let item = self.copy(context, item, depth + 1)?;
                plain.push(context.heap(), item);
            }
            return Ok(Value::List(plain));
        }
        if let Some(map::MapHandle(shared)) = any.downcast_ref() {
            let plain = crate::value::map::Map::new(context.heap(), Default::default());
            self.note(&*handle, Value::Map(plain));
            for (key, value) in map::entries(context, shared)? {
                let value = self.copy(context, value, depth + 1)?;
                plain.edit(context.heap(), |table| table.insert(key, value));
            }
            return Ok(Value::Map(plain));
        }
        if let Some(array::ArrayHandle(shared)) = any.downcast_ref() {
            return array::plain(context, shared);
        }
        match any.downcast_ref() {
            Some(scalar::ScalarHandle(shared)) if depth == 0 => scalar::value(context, shared),
            _ => Ok(value),
        }
    }

    fn note(&mut self, handle: &dyn Handle, value: Value) {
        if let Some(id) = handle.identity() {
            self.made.insert(id, value);
        }
    }
}

/// The name of an element type, as the array's constructor has it.
fn element_name(element: Element) -> &'static str {
    match element {
        Element::Ints => "ints",
        Element::Floats => "floats",
        Element::Bytes => "bytes",
    }
}

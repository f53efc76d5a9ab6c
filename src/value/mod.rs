//! The values of the language and the heap that holds them.
//!
//! Imports `diag`, `operator`, `source`, `limits` only. **Invariant:** reading a value never writes to memory (no reference counts, no
//! mark bits, no borrow flags in objects): a forked child shares the parent's heap copy-on-write. Nothing here knows
//! the virtual machine, processes or the operating system; handles come in through [`handle::Handle`], calls back into
//! the script through [`native::Context`].

pub mod access;
mod block;
pub mod compare;
pub mod error;
pub mod function;
pub mod habits;
pub mod handle;
pub mod heap;
pub mod iterate;
pub mod list;
pub mod map;
mod marker;
pub mod native;
pub mod operate;
pub mod seat;
pub mod show;
pub mod slot;
pub mod structure;
pub mod text;
mod vacate;

use error::ErrorValue;
use function::{Bound, Closure, Upvalue};
use handle::HandleBox;
use heap::{Gc, Heap};
use list::{Bytes, List, Range};
use map::{Map, Set};
use native::{HostFn, IterBox, Native};
use structure::{Instance, StructType};
use text::{ShortStr, Str};

/// A value: 16 bytes, copied freely. Strings of up to 14 bytes are always [`Value::Short`], longer ones never.
#[derive(Clone, Copy)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Value {
    /// No value at all: an argument that was not given, a variable before its declaration. Scripts never see it.
    Undef,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Short(ShortStr),
    Str(Gc<Str>),
    Bytes(Gc<Bytes>),
    List(Gc<List>),
    Map(Gc<Map>),
    Set(Gc<Set>),
    Range(Gc<Range>),
    Fn(Gc<Closure>),
    Native(&'static Native),
    Host(Gc<HostFn>),
    Bound(Gc<Bound>),
    Struct(Gc<StructType>),
    Instance(Gc<Instance>),
    Error(Gc<ErrorValue>),
    Handle(Gc<HandleBox>),
    Iter(Gc<IterBox>),
    /// The box of a captured variable that is assigned to. Scripts never see it.
    Cell(Gc<Upvalue>),
}

const _: () = assert!(std::mem::size_of::<Value>() == 16);

impl Value {
    /// A string value.
    pub fn str(heap: &mut Heap, text: &str) -> Value {
        match ShortStr::new(text) {
            Some(short) => Value::Short(short),
            None => Value::Str(Str::new(heap, text)),
        }
    }

    /// A list value of any items; lists of only ints or only floats are kept unboxed.
    pub fn list(heap: &mut Heap, items: Vec<Value>) -> Value {
        Value::List(List::new(heap, items))
    }

    /// A bytes value.
    pub fn bytes(heap: &mut Heap, data: Vec<u8>) -> Value {
        Value::Bytes(Bytes::new(heap, data))
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Short(short) => Some(short.as_str()),
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// How many characters a string value has.
    pub fn text_len(&self) -> usize {
        match self {
            Value::Str(text) => text.chars(),
            _ => text::char_count(self.as_str().unwrap_or_default()),
        }
    }

    /// The bytes of a string value in which its characters from `start` up to `start + count` stand (cut at the end).
    pub fn text_range(&self, start: usize, count: usize) -> std::ops::Range<usize> {
        let end = start.saturating_add(count);
        match self {
            Value::Str(text) => text.offset(start)..text.offset(end),
            _ => {
                let text = self.as_str().unwrap_or_default();
                text::short_offset(text, start)..text::short_offset(text, end)
            }
        }
    }

    /// The int of an int value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The number of an int or float value.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// Whether it counts as true: all but nil and false. A shared scalar is as true as its content.
    pub fn truthy(&self) -> bool {
        match self {
            Value::Nil | Value::Undef | Value::Bool(false) => false,
            Value::Handle(handle) => handle.get().truthy(),
            _ => true,
        }
    }

    /// What `type(x)` calls it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Undef | Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Short(_) | Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Set(_) => "set",
            Value::Range(_) => "range",
            Value::Fn(_) | Value::Native(_) | Value::Host(_) | Value::Bound(_) => "fn",
            Value::Struct(_) => "struct",
            Value::Instance(_) => "instance",
            Value::Error(_) => "error",
            Value::Handle(handle) => handle.get().type_name(),
            Value::Iter(_) => "iterator",
            Value::Cell(_) => "cell",
        }
    }
}

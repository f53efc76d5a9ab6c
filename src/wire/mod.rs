//! How values travel between processes: a tagged binary encoding.
//!
//! A message is [`VERSION`], a byte of flags, one value, and with [`FLAG_GLOBALS`] the global variables that its functions
//! use. A value is a tag and what the tag asks for; lengths and counts are variable-length ints (seven bits a byte, low
//! bits first), everything else is little-endian. Lists of ints or floats, strings and bytes are copied whole. Objects
//! that can be met twice are numbered in the order of their tags, and met again they are a back reference to that
//! number: sharing and cycles inside one message survive. Functions travel by the identity of their code and what they
//! captured, struct types by identity, natives by name, handles by [`HandleId`].
//!
//! Imports `value`, `diag`, `source`, `limits`. **Invariant:** nothing here trusts a byte: decoding returns an error,
//! never panics, recurses or allocates more than a small multiple of the bytes that are really there. Nothing here knows
//! processes or the arena: what names stand for comes in through [`Sender`] and [`Receiver`].

mod bytes;
mod decode;
mod encode;
mod path;
pub mod report;
mod small;

pub use bytes::{Reader, put_count, put_text};
pub use decode::decode;
pub use encode::{Bulk, Encoder};
pub use small::{Small, decode_small, encode_small};

use crate::value::Value;
use crate::value::function::Proto;
use crate::value::handle::HandleId;
use crate::value::heap::{Gc, Heap};
use crate::value::native::Native;
use crate::value::structure::StructType;
use std::rc::Rc;

/// The first byte of every message.
pub const VERSION: u8 = 0x51;
/// Flag: the values of global variables follow the value.
pub const FLAG_GLOBALS: u8 = 1;
/// Flag: there are structs in the value, which are named by their numbers in the program. Set by those who keep messages for
/// longer than the program runs.
const FLAG_STRUCTS: u8 = 2;
/// Strings and bytes from this length on are numbered, so that a second meeting costs a back reference. Shorter ones are
/// not worth the look-up.
const SHARED_TEXT: usize = 64;
/// How deep values may nest in a message. The decoder and the encoder keep their own stacks, so this bounds their memory
/// (about 100 bytes a level), not the machine's stack.
pub const MAX_DEPTH: usize = 4_000_000;

/// Notes in a message that there are structs in it.
pub fn note_structs(message: &mut [u8]) {
    if let Some(flags) = message.get_mut(1) {
        *flags |= FLAG_STRUCTS;
    }
}

/// Whether [`note_structs`] was called for a message.
pub fn has_structs(message: &[u8]) -> bool {
    message
        .get(1)
        .is_some_and(|flags| flags & FLAG_STRUCTS != 0)
}

/// The tags. Their numbers are part of the format.
mod tag {
    pub const NIL: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    /// One byte: an int from -128 to 127.
    pub const INT8: u8 = 3;
    pub const INT: u8 = 4;
    pub const FLOAT: u8 = 5;
    pub const STR: u8 = 6;
    pub const BYTES: u8 = 7;
    pub const LIST: u8 = 8;
    pub const INTS: u8 = 9;
    pub const FLOATS: u8 = 10;
    pub const MAP: u8 = 11;
    pub const SET: u8 = 12;
    pub const RANGE: u8 = 13;
    pub const STRUCT: u8 = 14;
    pub const INSTANCE: u8 = 15;
    pub const CLOSURE: u8 = 16;
    pub const CELL: u8 = 17;
    pub const NATIVE: u8 = 18;
    /// A method written in the script with its receiver: receiver, function.
    pub const BOUND: u8 = 19;
    /// A native method with its receiver: name, receiver.
    pub const METHOD: u8 = 20;
    pub const ERROR: u8 = 21;
    pub const HANDLE: u8 = 22;
    pub const BACK: u8 = 23;
    /// A variable before its declaration; stands only in captures and cells.
    pub const UNDEF: u8 = 24;
    /// A string or bytes of at least `SHARED_TEXT` bytes: numbered.
    pub const LONG_STR: u8 = 25;
    pub const LONG_BYTES: u8 = 26;
    /// A plain value that only its own module understands: its type, bytes, values.
    pub const PARTS: u8 = 27;
}

/// What the encoder must be told about the process that sends.
pub trait Sender {
    /// The name under which every process finds a native function (`len`, `math.sqrt`).
    fn native_name(&self, native: &'static Native) -> Option<String>;

    /// The value of a global variable that a function in the message uses, when such values are to travel too.
    fn global(&self, _slot: u32) -> Option<Value> {
        None
    }
}

/// What the decoder must be told about the process that receives.
pub trait Receiver {
    /// Where the values are made.
    fn heap(&mut self) -> &mut Heap;

    /// The native function of a name that [`Sender::native_name`] gave.
    fn native(&self, name: &str) -> Option<&'static Native>;

    /// The native method of a value.
    fn method(&self, receiver: &Value, name: &str) -> Option<&'static Native>;

    /// Compiled code by identity.
    fn code(&self, id: u32) -> Option<Rc<Proto>>;

    /// A struct type by identity.
    fn structure(&self, id: u32) -> Option<Gc<StructType>>;

    /// A value for an object of the arena; `None` when there is no such object (any more).
    fn handle(&mut self, id: HandleId) -> Option<Value>;

    /// A value of a type with [`crate::value::handle::Handle::parts`], from those; `None` when they are none of it.
    fn assemble(&mut self, _kind: &str, _bytes: &[u8], _values: &[Value]) -> Option<Value> {
        None
    }

    /// Takes over a global variable that travelled with a function; false when there is no such slot.
    fn set_global(&mut self, _slot: u32, _value: Value) -> bool {
        false
    }
}

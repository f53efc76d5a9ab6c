//! Script functions: compiled code, closures over it, the boxes of captured variables, bound methods.

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use crate::source::Span;
use std::cell::Cell;
use std::rc::Rc;

/// What one parameter accepts.
#[derive(Debug, Clone)]
pub struct ParamInfo {
    /// Its name, for named arguments and reports.
    pub name: Rc<str>,
    /// It has a default.
    pub optional: bool,
    /// It takes all further positional arguments as a list.
    pub rest: bool,
}

/// Where a closure gets a captured value from when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// A register of the function that makes the closure.
    Register(u8),
    /// A capture of the function that makes the closure.
    Outer(u8),
}

/// A stretch of code whose errors go to a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    /// The first instruction that it covers.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Where the handler begins.
    pub target: u32,
    /// The register that receives the error.
    pub register: u8,
    /// It runs however the stretch is left, `exit` included: the register then holds the exit code as an int.
    pub always: bool,
}

/// A stretch of code that runs while an error is dealt with: one that is raised in it has that one as its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handling {
    /// The first instruction of the stretch.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// The register with the error (or with the code of an exit).
    pub register: u8,
}

/// A place of the code that names a field or method, with what was found there last: an inline cache.
///
/// The key says for which kind of receiver the rest holds: a struct type's serial number, or a number for a built-in
/// type (see `vm::fields`). Serial numbers are never used again, so an entry that outlives its type can do no harm.
pub struct Site {
    /// The field or method.
    pub name: Rc<str>,
    /// The name as a map key.
    pub key: Value,
    /// Whose entry this is; 0 is nobody's.
    pub owner: Cell<usize>,
    /// The field's slot, or the key's position in a map.
    pub slot: Cell<u32>,
    /// The method. Never marked: it lives as long as its owner does.
    pub function: Cell<Value>,
}

/// How the arguments of a call with names or spreads stand in the registers.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// The positional arguments were collected in a list, which stands in their place.
    pub spread: bool,
    /// The names of the named arguments, which follow the positional ones.
    pub names: Vec<Rc<str>>,
}

/// What a struct declaration makes besides its methods.
#[derive(Debug, Clone)]
pub struct StructInfo {
    /// The identity of the declaration.
    pub id: u32,
    /// The struct's name.
    pub name: Rc<str>,
    /// Its fields in order.
    pub fields: Vec<Rc<str>>,
    /// The text of its `##` comments.
    pub doc: Option<Rc<str>>,
}

/// A compiled function. The instruction set is documented in `compile::code`.
pub struct Proto {
    /// Its identity: the index in the program's table, the same in every process forked after it was compiled.
    pub id: u32,
    /// Its name in traces.
    pub name: Rc<str>,
    /// Its parameters.
    pub params: Vec<ParamInfo>,
    /// How many arguments a call has when nothing need be filled in or collected; 255 when that is never so.
    pub exact: u8,
    /// How many registers a call needs.
    pub registers: u16,
    /// The instructions.
    pub code: Vec<u32>,
    /// The constants.
    pub constants: Vec<Value>,
    /// The functions that stand inside it.
    pub protos: Vec<Rc<Proto>>,
    /// What a closure over it captures.
    pub captures: Vec<Capture>,
    /// The names of its captures, for the report of one that is used too early.
    pub capture_names: Vec<Rc<str>>,
    /// The stretches of code with handlers, inner ones before outer ones.
    pub handlers: Vec<Handler>,
    /// The stretches of code that deal with errors, inner ones before outer ones.
    pub handling: Vec<Handling>,
    /// Its inline caches.
    pub sites: Vec<Site>,
    /// The shapes of its calls with names or spreads.
    pub shapes: Vec<Shape>,
    /// The structs that it declares.
    pub structs: Vec<StructInfo>,
    /// Where instructions come from: (first instruction, place), ascending.
    pub spans: Vec<(u32, Span)>,
    /// The global slots that it or a function inside it reads or writes: they travel with it to a fresh interpreter.
    pub globals: Vec<u32>,
    /// The text of its `##` comments.
    pub doc: Option<Rc<str>>,
    /// The whole of it in the source.
    pub span: Span,
    /// Its compiled code, entered with a new frame; null as long as there is none.
    #[cfg(feature = "jit")]
    pub native: Cell<*const u8>,
}

impl Proto {
    /// A function without instructions, parameters or captures: what a compiler or a test begins with.
    pub fn empty(id: u32, name: Rc<str>, span: Span) -> Proto {
        Proto {
            id,
            name,
            params: Vec::new(),
            exact: 0,
            registers: 1,
            code: Vec::new(),
            constants: Vec::new(),
            protos: Vec::new(),
            captures: Vec::new(),
            capture_names: Vec::new(),
            handlers: Vec::new(),
            handling: Vec::new(),
            sites: Vec::new(),
            shapes: Vec::new(),
            structs: Vec::new(),
            spans: Vec::new(),
            globals: Vec::new(),
            doc: None,
            span,
            #[cfg(feature = "jit")]
            native: Cell::new(std::ptr::null()),
        }
    }

    /// The place that the instruction at an index comes from.
    pub fn place(&self, at: usize) -> Span {
        let next = self
            .spans
            .partition_point(|&(first, _)| first as usize <= at);
        self.spans
            .get(next.wrapping_sub(1))
            .map_or(self.span, |&(_, span)| span)
    }
}

/// A function value: code and what it captured. `aux` of the header counts the captures, which stand behind it in the cell.
#[repr(C)]
pub struct Closure {
    header: Header,
    /// The code.
    pub proto: Rc<Proto>,
}

impl Closure {
    /// A closure over captured values (plain values, or [`Value::Cell`]s for variables that are assigned to).
    pub fn new(heap: &mut Heap, proto: Rc<Proto>, captures: &[Value]) -> Gc<Closure> {
        let count = captures.len();
        let closure = heap.alloc(
            Closure {
                header: Header::new(count as u32),
                proto,
            },
            std::mem::size_of_val(captures),
        );
        // SAFETY: the cell has room for `count` values behind the Closure (whose size is a multiple of 8), and nobody else has it yet.
        unsafe {
            let at = closure.as_ptr().add(1).cast::<Value>();
            for (i, &value) in captures.iter().enumerate() {
                at.add(i).write(value);
            }
        }
        closure
    }

    /// The captured values.
    #[inline]
    pub fn captures(&self) -> &[Cell<Value>] {
        // SAFETY: `aux` values were written behind the Closure in `new`; Cell<Value> has the layout of Value.
        unsafe {
            let at = std::ptr::from_ref(self).add(1).cast::<Cell<Value>>();
            std::slice::from_raw_parts(at, self.header.aux as usize)
        }
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        for value in self.captures() {
            marker.value(value.get());
        }
    }
}

impl Gc<Closure> {
    /// The place of a captured value by index, which must be less than their number.
    #[inline]
    pub fn capture(self, index: usize) -> *mut Value {
        debug_assert!(index < self.header.aux as usize);
        self.as_ptr()
            .wrapping_add(1)
            .cast::<Value>()
            .wrapping_add(index)
    }
}

/// The box of a captured variable that is assigned to.
#[repr(C)]
pub struct Upvalue {
    header: Header,
    /// The variable.
    pub value: Cell<Value>,
}

impl Upvalue {
    /// A box that holds a value.
    pub fn new(heap: &mut Heap, value: Value) -> Gc<Upvalue> {
        heap.alloc(
            Upvalue {
                header: Header::new(0),
                value: Cell::new(value),
            },
            0,
        )
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.value.get());
    }
}

/// A method with its receiver (`let f = xs.push`).
#[repr(C)]
pub struct Bound {
    header: Header,
    /// What it is called on.
    pub receiver: Value,
    /// What is called.
    pub function: Value,
}

impl Bound {
    /// Binds a function to a receiver.
    pub fn new(heap: &mut Heap, receiver: Value, function: Value) -> Gc<Bound> {
        heap.alloc(
            Bound {
                header: Header::new(0),
                receiver,
                function,
            },
            0,
        )
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.receiver);
        marker.value(self.function);
    }
}

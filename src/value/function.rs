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

/// A compiled function. The instruction set is documented in `compile::code`.
pub struct Proto {
    /// Its identity: the index in the program's table, the same in every process forked after it was compiled.
    pub id: u32,
    /// Its name in traces.
    pub name: Rc<str>,
    /// Its parameters.
    pub params: Vec<ParamInfo>,
    /// How many registers a call needs.
    pub registers: u16,
    /// The instructions.
    pub code: Vec<u32>,
    /// The constants.
    pub constants: Vec<Value>,
    /// Where instructions come from: (first instruction, place), ascending.
    pub spans: Vec<(u32, Span)>,
    /// The global slots that it or a function inside it reads or writes: they travel with it to a fresh interpreter.
    pub globals: Vec<u32>,
    /// The text of its `##` comments.
    pub doc: Option<Rc<str>>,
    /// The whole of it in the source.
    pub span: Span,
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
            count * std::mem::size_of::<Value>(),
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

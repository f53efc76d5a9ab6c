//! What a collection of the heap marks: everything that can be reached from its roots.
#![allow(unsafe_code)]

use super::Value;
use super::block::{BLOCK, Block, BlockHeader, granule, is_marked};
use super::handle::HandleId;
use super::heap::{Gc, Header, Kind, Object, trace_object};
use std::ptr::NonNull;

/// Objects that are marked between two looks whether to give up.
const BETWEEN_LOOKS: usize = 1 << 14;

/// Finds what is alive.
pub struct Marker<'a> {
    blocks: &'a mut Vec<Block>,
    stack: Vec<*mut Header>,
    live: usize,
    /// Where nothing is marked, but what is named is wanted: objects of the arena that are used without a handle value.
    handles: Option<Vec<HandleId>>,
    /// Something was marked for which the stack had no room.
    is_full: bool,
}

/// What a `trace` names.
#[derive(Default)]
pub struct Named {
    /// Objects of the heap that can hold handles.
    pub values: Vec<Value>,
    /// Objects of the arena.
    pub handles: Vec<HandleId>,
}

impl Named {
    /// What this one names.
    pub fn by(trace: impl FnOnce(&mut Marker<'_>)) -> Named {
        let mut blocks = Vec::new();
        let mut marker = Marker::new(&mut blocks);
        marker.handles = Some(Vec::new());
        trace(&mut marker);
        Named {
            values: marker.stack.into_iter().filter_map(value_of).collect(),
            handles: marker.handles.unwrap_or_default(),
        }
    }
}

/// The value that a live cell is, if it can hold handles.
fn value_of(cell: *mut Header) -> Option<Value> {
    let cell = NonNull::new(cell)?;
    // SAFETY: the caller's cell is a live object, and its kind says which type it holds.
    Some(match unsafe { cell.as_ref() }.kind {
        Kind::List => Value::List(Gc(cell.cast())),
        Kind::Map => Value::Map(Gc(cell.cast())),
        Kind::Closure => Value::Fn(Gc(cell.cast())),
        Kind::Upvalue => Value::Cell(Gc(cell.cast())),
        Kind::Bound => Value::Bound(Gc(cell.cast())),
        Kind::StructType => Value::Struct(Gc(cell.cast())),
        Kind::Instance => Value::Instance(Gc(cell.cast())),
        Kind::Error => Value::Error(Gc(cell.cast())),
        Kind::Handle => Value::Handle(Gc(cell.cast())),
        Kind::Iter => Value::Iter(Gc(cell.cast())),
        _ => return None,
    })
}

impl<'a> Marker<'a> {
    /// One that has marked nothing yet.
    pub(super) fn new(blocks: &'a mut Vec<Block>) -> Marker<'a> {
        Marker {
            blocks,
            stack: Vec::new(),
            live: 0,
            handles: None,
            is_full: false,
        }
    }

    /// Bytes of what is marked.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Marks a value and, in time, everything that it refers to.
    pub fn value(&mut self, value: Value) {
        match value {
            Value::Str(o) => self.object(o),
            Value::Bytes(o) => self.object(o),
            Value::List(o) => self.object(o),
            Value::Map(o) => self.object(o),
            Value::Set(o) => self.object(o),
            Value::Range(o) => self.object(o),
            Value::Fn(o) => self.object(o),
            Value::Host(o) => self.object(o),
            Value::Bound(o) => self.object(o),
            Value::Struct(o) => self.object(o),
            Value::Instance(o) => self.object(o),
            Value::Error(o) => self.object(o),
            Value::Handle(o) => self.object(o),
            Value::Iter(o) => self.object(o),
            Value::Cell(o) => self.object(o),
            Value::Undef | Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
            Value::Short(_) | Value::Native(_) => {}
        }
    }

    /// Marks an object.
    pub fn object<T: Object>(&mut self, object: Gc<T>) {
        let cell = object.as_ptr().cast::<Header>();
        let start = (cell as usize & !(BLOCK - 1)) as *const BlockHeader;
        // SAFETY: every object lies in a block, and every block starts with its header.
        let (index, size) = unsafe { ((*start).index, (*start).cell_size) };
        let Some(block) = self.blocks.get_mut(index as usize) else {
            // Nothing is marked: see `Named`.
            return self.stack.push(cell);
        };
        let (word, bit) = granule(cell);
        if block.marks[word] & bit == 0 {
            block.marks[word] |= bit;
            self.live += size as usize;
            if self.stack.len() == self.stack.capacity() && self.stack.try_reserve(1).is_err() {
                self.is_full = true;
                return;
            }
            self.stack.push(cell);
        }
    }

    /// Names an object of the arena that is used without a handle value (by an iterator over a queue).
    pub fn handle(&mut self, id: Option<HandleId>) {
        if let Some(handles) = &mut self.handles {
            handles.extend(id);
        }
    }

    /// Counts memory that a live object owns besides its cell.
    pub fn external(&mut self, bytes: usize) {
        self.live += bytes;
    }

    /// Marks what everything on the stack refers to; false when it was given up.
    pub(super) fn drain(&mut self, gives_up: fn() -> bool) -> bool {
        loop {
            while !self.stack.is_empty() {
                if gives_up() {
                    return false;
                }
                for _ in 0..BETWEEN_LOOKS {
                    let Some(cell) = self.stack.pop() else {
                        break;
                    };
                    // SAFETY: only live objects are pushed.
                    unsafe { trace_object(cell, self) };
                }
            }
            if !std::mem::take(&mut self.is_full) {
                return true;
            }
            self.look_again();
        }
    }

    /// Where the stack had no room: what is marked may refer to what is not.
    #[cold]
    fn look_again(&mut self) {
        let mut at = 0;
        while let Some(block) = self.blocks.get(at) {
            let marked = block.cells(0, block.made);
            let marked: Vec<*mut Header> = marked
                .filter(|&cell| is_marked(&block.marks, cell))
                .collect();
            for cell in marked {
                // SAFETY: what is marked is a live object.
                unsafe { trace_object(cell, self) };
            }
            at += 1;
        }
    }
}

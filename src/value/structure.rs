//! Struct types and their instances.

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A struct type.
#[repr(C)]
pub struct StructType {
    header: Header,
    /// Its identity: the index in the program's table of struct declarations, the same in every process of the tree.
    pub id: u32,
    /// Its name.
    pub name: Rc<str>,
    /// The fields in order.
    pub fields: Vec<Rc<str>>,
    /// Methods by name, set while the declaration runs.
    methods: RefCell<Vec<(Rc<str>, Value)>>,
    /// The function that makes an instance (takes the fields by position or name, fills in defaults, runs `init`).
    pub constructor: Cell<Value>,
    /// The text of its `##` comments.
    pub doc: Option<Rc<str>>,
}

impl StructType {
    /// A type without methods.
    pub fn new(
        heap: &mut Heap,
        id: u32,
        name: Rc<str>,
        fields: Vec<Rc<str>>,
        doc: Option<Rc<str>>,
    ) -> Gc<StructType> {
        let (methods, constructor) = (RefCell::new(Vec::new()), Cell::new(Value::Nil));
        heap.alloc(
            StructType {
                header: Header::new(0),
                id,
                name,
                fields,
                methods,
                constructor,
                doc,
            },
            0,
        )
    }

    /// Adds a method (only while the declaration runs: inline caches rely on that).
    pub fn add_method(&self, name: Rc<str>, function: Value) {
        self.methods.borrow_mut().push((name, function));
    }

    /// The slot of a field.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| &**field == name)
    }

    /// A method by name.
    pub fn method(&self, name: &str) -> Option<Value> {
        // SAFETY: methods change only in `add_method`, which keeps no reference and calls nothing; read without a
        // borrow flag because reading must not write.
        let methods = unsafe { &*self.methods.as_ptr() };
        methods
            .iter()
            .find(|(method, _)| &**method == name)
            .map(|&(_, function)| function)
    }

    /// The names of all methods.
    pub fn method_names(&self) -> Vec<Rc<str>> {
        self.methods
            .borrow()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        for (_, function) in self.methods.borrow().iter() {
            marker.value(*function);
        }
        marker.value(self.constructor.get());
    }
}

/// An instance. `aux` of the header counts the fields, which stand behind it in the cell.
#[repr(C)]
pub struct Instance {
    header: Header,
    /// Its type.
    pub of: Gc<StructType>,
}

impl Instance {
    /// An instance with all its fields (as many as the type has).
    pub fn new(heap: &mut Heap, of: Gc<StructType>, fields: &[Value]) -> Gc<Instance> {
        let count = fields.len();
        let instance = heap.alloc(
            Instance {
                header: Header::new(count as u32),
                of,
            },
            count * std::mem::size_of::<Value>(),
        );
        // SAFETY: the cell has room for `count` values behind the Instance (16 bytes), and nobody else has it yet.
        unsafe {
            let at = instance.as_ptr().add(1).cast::<Value>();
            for (i, &value) in fields.iter().enumerate() {
                at.add(i).write(value);
            }
        }
        instance
    }

    /// The fields by slot.
    #[inline]
    pub fn fields(&self) -> &[Cell<Value>] {
        // SAFETY: `aux` values were written behind the Instance in `new`; Cell<Value> has the layout of Value.
        unsafe {
            let at = std::ptr::from_ref(self).add(1).cast::<Cell<Value>>();
            std::slice::from_raw_parts(at, self.header.aux as usize)
        }
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.object(self.of);
        for field in self.fields() {
            marker.value(field.get());
        }
    }
}

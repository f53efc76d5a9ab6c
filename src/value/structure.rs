//! Struct types and their instances.

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use super::slot;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The next serial number of a struct type in this process. Small numbers stand for built-in types in inline caches.
static NEXT_SERIAL: AtomicU32 = AtomicU32::new(256);

/// A struct type. `aux` of the header is its serial number: no other type of this process has or had it.
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
    /// An instance needs nothing but its fields: there is no `init`.
    pub plain: Cell<bool>,
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
        let serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed);
        heap.alloc(
            StructType {
                header: Header::new(serial),
                id,
                name,
                fields,
                methods,
                constructor,
                plain: Cell::new(true),
                doc,
            },
            0,
        )
    }

    /// Adds a method (only while the declaration runs: inline caches rely on that).
    pub fn add_method(&self, name: Rc<str>, function: Value) {
        if &*name == "init" {
            self.plain.set(false);
        }
        self.methods.borrow_mut().push((name, function));
    }

    /// Its serial number.
    #[inline]
    pub fn serial(&self) -> u32 {
        self.header.aux
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

impl Gc<Instance> {
    /// The place of the field in a slot, which must be less than the number of fields of the type.
    #[inline]
    pub fn field(self, slot: usize) -> *mut Value {
        debug_assert!(slot < self.of.fields.len());
        self.as_ptr()
            .wrapping_add(1)
            .cast::<Value>()
            .wrapping_add(slot)
    }
}

/// An instance. `aux` of the header is the serial number of its type; the fields stand behind it in the cell, as many as
/// the type has.
#[repr(C)]
pub struct Instance {
    header: Header,
    /// Its type.
    pub of: Gc<StructType>,
}

#[cfg(feature = "jit")]
impl Instance {
    /// Where the serial number of the type stands in it.
    pub const SERIAL: usize = std::mem::offset_of!(Instance, header) + Header::AUX;
}

impl Instance {
    /// An instance with all its fields (as many as the type has).
    pub fn new(heap: &mut Heap, of: Gc<StructType>, fields: &[Value]) -> Gc<Instance> {
        let count = of.fields.len();
        let instance = heap.alloc(
            Instance {
                header: Header::new(of.serial()),
                of,
            },
            count * std::mem::size_of::<Value>(),
        );
        // SAFETY: the cell has room for `count` values behind the Instance (16 bytes), and nobody else has it yet. Fields that
        // were not given become nil: `fields` relies on all of them.
        unsafe {
            let at = instance.as_ptr().add(1).cast::<Value>();
            let given = count.min(fields.len());
            for i in 0..given {
                slot::copy(at.add(i), fields.as_ptr().add(i));
            }
            for i in given..count {
                at.add(i).write(Value::Nil);
            }
        }
        instance
    }

    /// The serial number of its type.
    #[inline]
    pub fn serial(&self) -> usize {
        self.header.aux as usize
    }

    /// The fields by slot.
    #[inline]
    pub fn fields(&self) -> &[Cell<Value>] {
        // SAFETY: as many values as the type has fields were written behind the Instance in `new`, and a type's fields never
        // change; Cell<Value> has the layout of Value.
        unsafe {
            let at = std::ptr::from_ref(self).add(1).cast::<Cell<Value>>();
            std::slice::from_raw_parts(at, self.of.fields.len())
        }
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.object(self.of);
        for field in self.fields() {
            marker.value(field.get());
        }
    }
}

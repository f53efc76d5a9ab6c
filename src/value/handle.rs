//! Handles: values whose content lives elsewhere (processes, locks, queues, files, modules).

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use super::native::{Context, Native, NativeIter, Outcome};
use super::show;
use crate::diag;
use crate::operator::BinaryOp;
use std::any::{Any, TypeId};
use std::cell::{Cell, UnsafeCell};
use std::rc::Rc;

/// What a kind of handle can do. Implemented by `builtins` over the nouns of `process` and by native objects such as files.
pub trait Handle: Any {
    /// What `type(x)` says: `queue`, `lock`, `file`.
    fn type_name(&self) -> &'static str;

    /// How it prints: `<queue 3 of 100>`, `shared(5)`.
    fn show(&self) -> String;

    /// As [`Handle::show`], for what may be large.
    ///
    /// # Errors
    /// What `check` gives, which is asked now and then.
    fn show_while(&self, check: show::Check) -> diag::Result<String> {
        let _ = check;
        Ok(self.show())
    }

    /// The kind and number that two handles of one object have in common in every process; `None` when it cannot leave its process.
    fn identity(&self) -> Option<HandleId> {
        None
    }

    /// What a plain value is made of, to be made again where a message arrives, also where it is an object with more said about it; `None`
    /// where its identity says all, or when it cannot leave its process.
    fn parts(&self) -> Option<Parts> {
        None
    }

    /// Whether it counts as true (a shared scalar: its content).
    fn truthy(&self) -> bool {
        true
    }

    /// Bytes of memory that it owns, values aside.
    fn bytes(&self) -> usize {
        0
    }

    /// Its methods, sorted by name.
    fn methods(&self) -> &'static [Native] {
        &[]
    }

    /// The attribute `name` (`p.pid`, `balance.value`); `None` when there is none.
    fn attribute(&self, _: &mut dyn Context, _name: &str) -> Outcome<Option<Value>> {
        Ok(None)
    }

    /// The names of its attributes, for "did you mean" and completion.
    fn attribute_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Sets an attribute; false when there is none of that name to set.
    fn set_attribute(&self, _: &mut dyn Context, _name: &str, _value: Value) -> Outcome<bool> {
        Ok(false)
    }

    /// `handle[key]`; `None` when it cannot be indexed.
    fn index(&self, _: &mut dyn Context, _key: Value) -> Outcome<Option<Value>> {
        Ok(None)
    }

    /// `handle[key] = value`; false when its items cannot be set.
    fn set_index(&self, _: &mut dyn Context, _key: Value, _value: Value) -> Outcome<bool> {
        Ok(false)
    }

    /// `handle.name op= operand` in one atomic step, with the new value; `None` when it has no such step (the machine
    /// then reads, computes and writes).
    fn update_attribute(
        &self,
        _: &mut dyn Context,
        _: &str,
        _: BinaryOp,
        _operand: Value,
    ) -> Outcome<Option<Value>> {
        Ok(None)
    }

    /// `handle[key] op= operand` in one atomic step, with the new value; `None` as above.
    fn update_index(
        &self,
        _: &mut dyn Context,
        _key: Value,
        _: BinaryOp,
        _operand: Value,
    ) -> Outcome<Option<Value>> {
        Ok(None)
    }

    /// `len(handle)`; `None` when it has no length.
    fn len(&self, _: &mut dyn Context) -> Outcome<Option<usize>> {
        Ok(None)
    }

    /// `item in handle`; `None` when it contains nothing.
    fn contains(&self, _: &mut dyn Context, _item: Value) -> Outcome<Option<bool>> {
        Ok(None)
    }

    /// `handle | other`; `None` when it has no such operator.
    fn join_with(&self, _other: &dyn Handle) -> Outcome<Option<Rc<dyn Handle>>> {
        Ok(None)
    }

    /// What `for` goes over; `None` when it cannot be iterated.
    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        Ok(None)
    }

    /// `join handle`, with a time-out in seconds; `None` when it cannot be joined.
    fn join(&self, _: &mut dyn Context, _timeout: Option<f64>) -> Option<Outcome> {
        None
    }

    /// Marks the values that it holds.
    fn trace(&self, _: &mut Marker<'_>) {}

    /// Itself, to be looked at as its own type.
    fn as_any(&self) -> &dyn Any;
}

/// What a handle that travels as a plain value is made of.
pub struct Parts {
    /// Its type, which says who makes it again.
    pub kind: &'static str,
    /// What is no value.
    pub bytes: Vec<u8>,
    /// The values in it.
    pub values: Vec<Value>,
}

/// An object of the arena as all processes of the tree name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct HandleId {
    /// What it is (a number of `process`).
    pub kind: u16,
    /// Its generation.
    pub generation: u32,
    /// Where it is in the arena.
    pub offset: u64,
}

/// Set in every [`HandleBox::family`] and in no address.
const FAMILY: usize = 1 << (usize::BITS - 1);

/// A handle in the heap.
#[repr(C)]
pub struct HandleBox {
    header: Header,
    /// See [`HandleBox::family`].
    family: Cell<usize>,
    /// The type behind the handle.
    of: Cell<TypeId>,
    handle: UnsafeCell<Rc<dyn Handle>>,
}

fn family_of(handle: &dyn Handle) -> usize {
    handle.methods().as_ptr() as usize | FAMILY
}

impl HandleBox {
    /// Puts a handle into the heap; it is dropped when the collector finds the value dead.
    pub fn new(heap: &mut Heap, handle: Rc<dyn Handle>) -> Gc<HandleBox> {
        heap.charge(64 + handle.bytes());
        heap.alloc(
            HandleBox {
                header: Header::new(0),
                family: Cell::new(family_of(&*handle)),
                of: Cell::new(handle.as_any().type_id()),
                handle: UnsafeCell::new(handle),
            },
            0,
        )
    }

    /// Puts another handle in the place of this one, for good. The old one is never dropped, so whoever looks at it goes on.
    pub fn exchange(&self, handle: Rc<dyn Handle>) {
        self.family.set(family_of(&*handle));
        self.of.set(handle.as_any().type_id());
        // SAFETY: one thread per heap. References that were given out point at what is behind the old `Rc`, which lives on, for it is
        // forgotten; none points at the `Rc` itself.
        let old = unsafe { std::mem::replace(&mut *self.handle.get(), handle) };
        std::mem::forget(old);
    }

    fn shared(&self) -> &Rc<dyn Handle> {
        // SAFETY: one thread per heap; `exchange`, which alone writes, runs none of the code that uses this.
        unsafe { &*self.handle.get() }
    }

    /// A number for all handles with the same methods, which no struct type and no built-in type has (for inline caches).
    #[inline]
    pub fn family(&self) -> usize {
        self.family.get()
    }

    /// The handle.
    pub fn get(&self) -> &dyn Handle {
        &**self.shared()
    }

    /// The handle, to keep.
    pub fn share(&self) -> Rc<dyn Handle> {
        self.shared().clone()
    }

    /// The handle as its own type.
    #[inline]
    pub fn downcast<T: Handle>(&self) -> Option<&T> {
        if self.of.get() != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: `of` is the type of the value behind the handle: so the data pointer of the trait object points at a T, alive as
        // long as the box, also when another takes its place.
        Some(unsafe { &*Rc::as_ptr(self.shared()).cast::<T>() })
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.get().bytes());
        self.get().trace(marker);
    }
}

impl Value {
    /// A handle value.
    pub fn handle(heap: &mut Heap, handle: Rc<dyn Handle>) -> Value {
        Value::Handle(HandleBox::new(heap, handle))
    }

    /// The handle of a handle value, as its own type.
    pub fn as_handle<T: Handle>(&self) -> Option<&T> {
        match self {
            Value::Handle(handle) => handle.downcast::<T>(),
            _ => None,
        }
    }
}

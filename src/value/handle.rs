//! Handles: values whose content lives elsewhere (processes, locks, queues, files, modules).

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use super::native::Native;
use std::any::Any;
use std::rc::Rc;

/// What a kind of handle can do. Implemented by `builtins` over the nouns of `process` and by native objects such as files.
pub trait Handle: Any {
    /// What `type(x)` says: `queue`, `lock`, `file`.
    fn type_name(&self) -> &'static str;

    /// How it prints: `<queue 3 of 100>`, `shared(5)`.
    fn show(&self) -> String;

    /// The kind and number that two handles of one object have in common in every process; `None` when it cannot leave its process.
    fn identity(&self) -> Option<HandleId> {
        None
    }

    /// Whether it counts as true (a shared scalar: its content).
    fn truthy(&self) -> bool {
        true
    }

    /// Its methods, sorted by name.
    fn methods(&self) -> &'static [Native] {
        &[]
    }

    /// Marks the values that it holds.
    fn trace(&self, _: &mut Marker<'_>) {}

    /// Itself, to be looked at as its own type.
    fn as_any(&self) -> &dyn Any;
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

/// A handle in the heap.
#[repr(C)]
pub struct HandleBox {
    header: Header,
    handle: Rc<dyn Handle>,
}

impl HandleBox {
    /// Puts a handle into the heap; it is dropped when the collector finds the value dead.
    pub fn new(heap: &mut Heap, handle: Rc<dyn Handle>) -> Gc<HandleBox> {
        heap.charge(64);
        heap.alloc(
            HandleBox {
                header: Header::new(0),
                handle,
            },
            0,
        )
    }

    /// The handle.
    pub fn get(&self) -> &dyn Handle {
        &*self.handle
    }

    /// The handle, to keep.
    pub fn share(&self) -> Rc<dyn Handle> {
        self.handle.clone()
    }

    /// The handle as its own type.
    pub fn downcast<T: Handle>(&self) -> Option<&T> {
        self.handle.as_any().downcast_ref::<T>()
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        self.handle.trace(marker);
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

//! What the arena must know of each kind of object. The kinds register themselves (`process` does it when it starts), so
//! that the arena names none of them.

use super::Arena;
use super::layout::Offset;
use super::object::{HandleId, Object, ObjectKind};
use super::table::SlotRef;
use std::sync::OnceLock;

/// What the arena does with objects of a kind.
pub struct KindOps {
    /// Names every handle and every block that the object holds to the visitor. Runs under the world lock and takes
    /// the object's mutex itself, if its state needs one to be read.
    pub visit: fn(&Arena, &Object, &mut dyn Visitor),
    /// Frees the object's blocks: nobody can reach it any more.
    pub destroy: fn(&Arena, &Object),
    /// Takes note that a process which held the object is dead (it may have owned it, or have been in the middle of
    /// an operation): hands on, gives back, breaks, wakes. Must bear being done twice. Runs under the world lock.
    pub bury: fn(&Arena, &Object, HandleId, SlotRef),
}

/// What [`KindOps::visit`] reports to.
pub trait Visitor {
    /// A handle inside the object (in a message, in a container).
    fn handle(&mut self, id: HandleId);
    /// A block of the allocator that belongs to the object.
    fn block(&mut self, block: Offset);
    /// Whether it wants to know of blocks: if not, an object without handles need not look through its contents.
    fn wants_blocks(&self) -> bool {
        true
    }
}

static KINDS: [OnceLock<&'static KindOps>; ObjectKind::COUNT] =
    [const { OnceLock::new() }; ObjectKind::COUNT];

/// Tells the arena about a kind; the first registration stays.
pub fn register(kind: ObjectKind, ops: &'static KindOps) {
    if let Some(entry) = KINDS.get(kind as usize) {
        let _ = entry.set(ops);
    }
}

/// The operations of a kind that was registered.
pub fn of(kind: ObjectKind) -> Option<&'static KindOps> {
    KINDS.get(kind as usize)?.get().copied()
}

/// `visit` for kinds without handles and with at most their payload as a block.
pub fn visit_payload(_: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    if object.payload() != 0 {
        visitor.block(object.payload());
    }
}

/// `destroy` for kinds with at most their payload as a block.
pub fn destroy_payload(arena: &Arena, object: &Object) {
    let block = object.payload();
    if block != 0 {
        arena.claim(block);
        object.set_payload(0);
        arena.free(block);
    }
}

/// `bury` for kinds to which a death means nothing.
pub fn bury_nothing(_: &Arena, _: &Object, _: HandleId, _: SlotRef) {}

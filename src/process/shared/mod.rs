//! Shared objects: scalars, typed arrays, lists and maps that every process reads and writes where they are.
//!
//! Whatever is stored is a word (see [`word`]): a small value itself, or the block of an encoded one. Every change is committed
//! by one store to a word, so that a process which dies in the middle of one has changed nothing or everything; lists and
//! maps are locked by their object's mutex, scalars of small values and typed arrays by nothing at all.
//!
//! A read-modify-write reads with a [`Stamp`], computes without any lock (so the computation may run a script, wait, or die),
//! and writes if nothing has changed since; otherwise it starts again. Nothing can therefore be held by a slow computation.
//!
//! Imports `arena`, `diag`, and `wait` for turns. **Invariant:** nothing here knows what the bytes of a stored value mean, and nothing here
//! waits, but before a change for the turn of another (see [`turn`]).

pub mod array;
pub mod list;
pub mod map;
pub mod scalar;
pub mod turn;
pub mod word;

pub use array::{Array, Element};
pub use list::List;
pub use map::Map;
pub use scalar::Scalar;
pub use word::{Content, Item, Small};

use crate::arena::kinds::{self, KindOps, Visitor};
use crate::arena::{Arena, HandleId, Object, ObjectKind, Offset};
use std::sync::atomic::Ordering;

/// What was read, so that a write can tell whether it is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    version: u64,
    /// The word that was read; `None` when nothing was there.
    word: Option<u64>,
}

impl Stamp {
    /// Whether what was read is still there. An equal small value is as good as the same one; a block may be another
    /// one at the same place, so that only the version tells.
    fn holds(self, version: u64, word: Option<u64>) -> bool {
        let small = word.is_none_or(|word| !word::is_block(word));
        self.word == word && (small || self.version == version)
    }
}

/// The cell of lists and maps that is not 0 once something with handles was put in: before, collections need not look.
const HANDLES: usize = 5;

/// Notes, before it is attached, that an item has handles.
fn note_handles(object: &Object, items: &[Item<'_>]) {
    let has_handles =
        |item: &Item<'_>| matches!(item, Item::Message(_, handles) if !handles.is_empty());
    if items.iter().any(has_handles) {
        object.cells[HANDLES].store(1, Ordering::Release);
    }
}

/// Whether a visitor can leave an object out.
fn is_of_no_interest(object: &Object, visitor: &dyn Visitor) -> bool {
    object.payload() == 0
        || !visitor.wants_blocks() && object.cells[HANDLES].load(Ordering::Acquire) == 0
}

/// Tells the arena about the kinds.
pub fn register() {
    static SCALAR: KindOps = KindOps {
        visit: scalar::visit,
        destroy: |arena, object| free_all(arena, object, scalar::visit),
        bury: kinds::bury_nothing,
    };
    static ARRAY: KindOps = KindOps {
        visit: kinds::visit_payload,
        destroy: kinds::destroy_payload,
        bury: kinds::bury_nothing,
    };
    static LIST: KindOps = KindOps {
        visit: list::visit,
        destroy: |arena, object| free_all(arena, object, list::visit),
        bury: kinds::bury_nothing,
    };
    static MAP: KindOps = KindOps {
        visit: map::visit,
        destroy: |arena, object| free_all(arena, object, map::visit),
        bury: kinds::bury_nothing,
    };
    kinds::register(ObjectKind::SharedScalar, &SCALAR);
    kinds::register(ObjectKind::SharedArray, &ARRAY);
    kinds::register(ObjectKind::SharedList, &LIST);
    kinds::register(ObjectKind::SharedMap, &MAP);
}

/// Frees every block of an object that nobody can reach any more.
fn free_all(arena: &Arena, object: &Object, visit: fn(&Arena, &Object, &mut dyn Visitor)) {
    struct Blocks(Vec<Offset>);
    impl Visitor for Blocks {
        fn handle(&mut self, _: HandleId) {}
        fn block(&mut self, block: Offset) {
            self.0.push(block);
        }
    }
    let mut blocks = Blocks(Vec::new());
    visit(arena, object, &mut blocks);
    for block in blocks.0 {
        arena.free(block);
    }
}

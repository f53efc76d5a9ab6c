//! A shared scalar: one word. Small values are exchanged without a lock; a block is replaced, and read, under the
//! object's mutex, because it is freed with its replacement.

use super::word::{self, Content, Item, Small};
use super::{Stamp, turn};
use crate::arena::kinds::Visitor;
use crate::arena::word::Word;
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind};
use crate::crash_point;
use crate::diag::Result;
use std::sync::atomic::Ordering;

/// The cell with the word.
const WORD: usize = 0;
/// Counts the replacements of blocks.
const VERSION: usize = 1;

/// A shared scalar.
#[derive(Debug, Clone)]
pub struct Scalar {
    hold: Hold,
}

impl Scalar {
    /// A new scalar with a content.
    pub fn create(item: Item<'_>) -> Result<Scalar> {
        super::super::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::SharedScalar, |arena, object| {
                let word = word::make(arena, item)?;
                object.cells[WORD].store(word, Ordering::Release);
                word::attached(arena, word);
                Ok(())
            })
        })?;
        Ok(Scalar { hold })
    }

    /// The scalar of a handle, if it exists.
    pub fn adopt(id: HandleId) -> Option<Scalar> {
        Hold::adopt(id).map(|hold| Scalar { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// Gives the content to a function, which must neither wait nor make or let go of shared objects.
    #[inline]
    pub fn read<T>(&self, arena: &Arena, body: impl FnOnce(Content<'_>) -> T) -> (Stamp, T) {
        let object = self.hold.object();
        let word = object.cells[WORD].load(Ordering::Acquire);
        if let Some(small) = word::unpack(word) {
            return (stamp(0, word), body(Content::Small(small)));
        }
        let _guard = object.lock();
        let word = object.cells[WORD].load(Ordering::Acquire);
        let version = object.cells[VERSION].load(Ordering::Acquire);
        (stamp(version, word), body(word::content(arena, word)))
    }

    /// Replaces the content.
    pub fn write(&self, item: Item<'_>) -> Result<()> {
        self.replace(None, item).map(|_| ())
    }

    /// Replaces the content if it is still what was read with a stamp (without one: whatever it is); false when it is not.
    pub fn replace(&self, since: Option<Stamp>, item: Item<'_>) -> Result<bool> {
        let arena = super::super::start()?;
        turn::leave_to_others(&self.hold)?;
        arena::when_full(|| {
            let new = word::make(arena, item)?;
            let done = self.exchange(arena, since, new);
            if !done {
                word::free(arena, new);
            }
            Ok(done)
        })
    }

    /// Replaces an int by what a function makes of it, in one atomic step, where both need no block; else `None`, and nothing
    /// has changed. So it is where it may be another's turn.
    #[inline]
    pub fn step(&self, compute: impl Fn(i64) -> Option<i64>) -> Option<i64> {
        let object = self.hold.object();
        if turn::is_taken(object) {
            return None;
        }
        let cell = &object.cells[WORD];
        let mut old = cell.load(Ordering::Acquire);
        loop {
            let Some(Small::Int(value)) = word::unpack(old) else {
                return None;
            };
            let new = compute(value)?;
            let word = word::pack(Small::Int(new))?;
            match cell.compare_exchange(old, word, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(new),
                Err(now) => old = now,
            }
        }
    }

    fn exchange(&self, arena: &Arena, since: Option<Stamp>, new: u64) -> bool {
        let cell = &self.hold.object().cells[WORD];
        match exchange_small(cell, since, new) {
            Some(done) => done,
            None => self.exchange_block(arena, since, new),
        }
    }

    #[cold]
    fn exchange_block(&self, arena: &Arena, since: Option<Stamp>, new: u64) -> bool {
        let object = self.hold.object();
        let _guard = object.lock();
        let cells = [&object.cells[WORD], &object.cells[VERSION]];
        let old = exchange_locked(cells, since, new, |old| word::detaching(arena, old));
        if let Some(old) = old {
            word::attached(arena, new);
            word::free(arena, old);
        }
        old.is_some()
    }
}

/// Exchanges a small word for a small one, without a lock; whether it did so, or `None` when one of them is a block.
#[inline]
pub fn exchange_small<W: Word>(cell: &W, since: Option<Stamp>, new: u64) -> Option<bool> {
    if word::is_block(new) {
        return None;
    }
    // Whoever sees a block takes the mutex, so a small word may be exchanged for a small one at any time.
    let mut old = cell.load(Ordering::Acquire);
    while !word::is_block(old) {
        if since.is_some_and(|since| since.word != Some(old)) {
            return Some(false);
        }
        match cell.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(true),
            Err(now) => old = now,
        }
    }
    None
}

/// Exchanges any word for any other under the object's mutex; the old one when it did so. The cells are that of the word and
/// that of the version.
pub fn exchange_locked<W: Word>(
    [cell, count]: [&W; 2],
    since: Option<Stamp>,
    new: u64,
    detaching: impl Fn(u64),
) -> Option<u64> {
    let version = count.load(Ordering::Acquire);
    loop {
        let old = cell.load(Ordering::Acquire);
        if since.is_some_and(|since| !since.holds(version, Some(old))) {
            return None;
        }
        detaching(old);
        count.store(version + 1, Ordering::Release);
        crash_point!("scalar: about to exchange");
        let exchanged = cell.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
        crash_point!("scalar: exchanged");
        if exchanged.is_ok() {
            return Some(old);
        }
    }
}

/// What was read: the version (of any number for a small word) and the word.
#[inline]
pub fn stamp(version: u64, word: u64) -> Stamp {
    Stamp {
        version,
        word: Some(word),
    }
}

/// Names the block and the handles in it.
pub(super) fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    let _guard = object.lock();
    word::visit(arena, object.cells[WORD].load(Ordering::Acquire), visitor);
}

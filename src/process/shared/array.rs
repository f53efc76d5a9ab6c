//! Typed arrays: ints, floats or bytes of a fixed number, each atomic by itself.

use crate::arena::{self, Arena, HandleId, Hold, ObjectKind};
use crate::diag::{Error, Result, codes};
use crate::limits::ARENA_RESERVE;
use std::sync::atomic::Ordering;

/// What an array consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Element {
    Ints,
    Floats,
    Bytes,
}

/// The cell with the kind of element.
const ELEMENT: usize = 0;
const LENGTH: usize = 1;

/// A typed array. Elements are given as words: an int's two's complement, a float's bits, a byte.
#[derive(Debug, Clone)]
pub struct Array {
    hold: Hold,
}

impl Element {
    fn size(self) -> u64 {
        match self {
            Element::Bytes => 1,
            _ => 8,
        }
    }

    fn from_number(number: u64) -> Element {
        match number {
            0 => Element::Ints,
            1 => Element::Floats,
            _ => Element::Bytes,
        }
    }
}

impl Array {
    /// An array of `length` zeros.
    pub fn create(element: Element, length: u64) -> Result<Array> {
        super::super::start()?;
        let size = length
            .checked_mul(element.size())
            .filter(|&size| size < ARENA_RESERVE as u64)
            .ok_or_else(|| {
                let message = format!(
                    "shared objects have {} MiB together, but an array of {length} elements needs more",
                    ARENA_RESERVE >> 20
                );
                Error::new(codes::LIMIT, message)
            })?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::SharedArray, |arena, object| {
                let block = arena.alloc_zeroed(size.max(8))?;
                object.cells[ELEMENT].store(element as u64, Ordering::Relaxed);
                object.cells[LENGTH].store(length, Ordering::Relaxed);
                object.set_payload(block);
                arena.commit(block);
                Ok(())
            })
        })?;
        Ok(Array { hold })
    }

    /// The array of a handle, if it exists.
    pub fn adopt(id: HandleId) -> Option<Array> {
        Hold::adopt(id).map(|hold| Array { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// What it consists of.
    pub fn element(&self) -> Element {
        Element::from_number(self.hold.object().cells[ELEMENT].load(Ordering::Relaxed))
    }

    /// How many elements.
    pub fn len(&self) -> u64 {
        self.hold.object().cells[LENGTH].load(Ordering::Relaxed)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn offset(&self, index: u64) -> arena::Offset {
        self.hold.object().payload() + index * self.element().size()
    }

    /// The element at an index; `None` when there is none.
    #[inline]
    pub fn get(&self, arena: &Arena, index: u64) -> Option<u64> {
        if index >= self.len() {
            return None;
        }
        let offset = self.offset(index);
        Some(match self.element() {
            Element::Bytes => u64::from(arena.byte_at(offset).load(Ordering::Acquire)),
            _ => arena.word_at(offset).load(Ordering::Acquire),
        })
    }

    /// Replaces the element at an index; false when there is none.
    #[inline]
    pub fn set(&self, arena: &Arena, index: u64, word: u64) -> bool {
        if index >= self.len() {
            return false;
        }
        let offset = self.offset(index);
        match self.element() {
            Element::Bytes => arena.byte_at(offset).store(word as u8, Ordering::Release),
            _ => arena.word_at(offset).store(word, Ordering::Release),
        }
        true
    }

    /// Replaces the element at an index if it is still `old`.
    #[inline]
    pub fn exchange(&self, arena: &Arena, index: u64, old: u64, new: u64) -> bool {
        if index >= self.len() {
            return false;
        }
        let offset = self.offset(index);
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        match self.element() {
            Element::Bytes => arena
                .byte_at(offset)
                .compare_exchange(old as u8, new as u8, success, failure)
                .is_ok(),
            _ => arena
                .word_at(offset)
                .compare_exchange(old, new, success, failure)
                .is_ok(),
        }
    }
}

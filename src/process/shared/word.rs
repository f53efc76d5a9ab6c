//! A stored value as one word, so that one store replaces it.
//!
//! Floats are themselves; the negative quiet NaNs, which no arithmetic makes here (every NaN is stored as the positive
//! one), name everything else: three bits say what, 48 bits hold it. Ints that need more than 48 bits, and all values that
//! are no numbers, stand in a block.

use crate::arena::kinds::Visitor;
use crate::arena::{Arena, Full, HandleId, Object, Offset};

/// A value that needs no bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Small {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// Something to be stored.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// A small value.
    Small(Small),
    /// An encoded value, and the handles in it.
    Message(&'a [u8], &'a [HandleId]),
}

/// Something stored. The bytes stay as they are while the object's mutex is held.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// A small value.
    Small(Small),
    /// An encoded value.
    Message(&'a [u8]),
}

const BOXED: u64 = 0xfff8 << 48;
const PAYLOAD: u64 = (1 << 48) - 1;
const NIL: u64 = BOXED | 2 << 48;
const BOOL: u64 = BOXED | 3 << 48;
const INT: u64 = BOXED | 1 << 48;
const BLOCK: u64 = BOXED | 4 << 48;
const TAG: u64 = !PAYLOAD;
const NAN: u64 = 0x7ff8 << 48;
/// The first byte of a block that holds a long int; messages begin with a byte of the wire format.
const LONG_INT: u8 = 0;

/// Whether a word names a block.
#[inline]
pub(super) fn is_block(word: u64) -> bool {
    word & TAG == BLOCK
}

/// The block that a word names; 0 for none.
#[inline]
pub(super) fn block(word: u64) -> Offset {
    if is_block(word) { word & PAYLOAD } else { 0 }
}

/// A small value as a word, unless it is an int of more than 48 bits.
#[inline]
pub(super) fn pack(small: Small) -> Option<u64> {
    Some(match small {
        Small::Nil => NIL,
        Small::Bool(value) => BOOL | u64::from(value),
        Small::Int(value) if value << 16 >> 16 == value => INT | value as u64 & PAYLOAD,
        Small::Int(_) => return None,
        Small::Float(value) if value.is_nan() => NAN,
        Small::Float(value) => value.to_bits(),
    })
}

/// The small value that a word is.
#[inline]
pub(super) fn unpack(word: u64) -> Option<Small> {
    if word < BOXED {
        return Some(Small::Float(f64::from_bits(word)));
    }
    match word & TAG {
        INT => Some(Small::Int((word << 16) as i64 >> 16)),
        NIL => Some(Small::Nil),
        BOOL => Some(Small::Bool(word & 1 != 0)),
        _ => None,
    }
}

/// The word of an item; a block that it needs is in the hands of this process.
pub(super) fn make(arena: &Arena, item: Item<'_>) -> Result<u64, Full> {
    let block = match item {
        Item::Small(small) => match (pack(small), small) {
            (Some(word), _) => return Ok(word),
            (None, Small::Int(value)) => {
                let mut bytes = [LONG_INT; 9];
                bytes[1..].copy_from_slice(&value.to_le_bytes());
                arena.write_message(&bytes, &[])?
            }
            (None, _) => return Ok(NIL),
        },
        Item::Message(bytes, handles) => arena.write_message(bytes, handles)?,
    };
    Ok(BLOCK | block & PAYLOAD)
}

/// What a word stands for.
pub(super) fn content(arena: &Arena, word: u64) -> Content<'_> {
    if let Some(small) = unpack(word) {
        return Content::Small(small);
    }
    if !is_block(word) {
        return Content::Small(Small::Nil);
    }
    let bytes = arena.message_bytes(block(word));
    match bytes.split_first_chunk::<9>() {
        Some(([LONG_INT, value @ ..], [])) => {
            Content::Small(Small::Int(i64::from_le_bytes(*value)))
        }
        _ => Content::Message(bytes),
    }
}

/// Says that the word is attached to an object.
#[inline]
pub(super) fn attached(arena: &Arena, word: u64) {
    if is_block(word) {
        arena.commit(block(word));
    }
}

/// Gives a new object its block, in which words of ours stand; without room for the block they are freed.
pub(super) fn attach(
    arena: &Arena,
    object: &Object,
    made: Result<Offset, Full>,
    words: &[u64],
) -> Result<(), Full> {
    match made {
        Ok(block) => {
            object.set_payload(block);
            arena.commit(block);
            words.iter().for_each(|&word| attached(arena, word));
            Ok(())
        }
        Err(full) => {
            words.iter().for_each(|&word| free(arena, word));
            Err(full)
        }
    }
}

/// Takes the word into the hands of this process, before one store detaches it.
#[inline]
pub(super) fn detaching(arena: &Arena, word: u64) {
    if is_block(word) {
        arena.claim(block(word));
    }
}

/// Frees what a word needed; it is in the hands of this process.
#[inline]
pub(super) fn free(arena: &Arena, word: u64) {
    if is_block(word) {
        arena.free(block(word));
    }
}

/// Names the word's block and the handles in it.
pub(super) fn visit(arena: &Arena, word: u64, visitor: &mut dyn Visitor) {
    if is_block(word) {
        arena.visit_message(block(word), visitor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_survive() {
        let ints = [0, 1, -1, (1 << 47) - 1, -(1 << 47)];
        let floats = [
            0.0,
            -0.0,
            1.5,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
        ];
        let smalls = ints
            .into_iter()
            .map(Small::Int)
            .chain(floats.into_iter().map(Small::Float))
            .chain([Small::Nil, Small::Bool(true), Small::Bool(false)]);
        for small in smalls {
            let word = pack(small).expect("fits");
            assert!(!is_block(word));
            assert_eq!(unpack(word), Some(small));
        }
    }

    #[test]
    fn nans_are_one_nan_and_long_ints_need_a_block() {
        let nan = pack(Small::Float(f64::from_bits(u64::MAX))).expect("fits");
        assert!(matches!(unpack(nan), Some(Small::Float(f)) if f.is_nan()));
        assert_eq!(pack(Small::Int(1 << 47)), None);
        assert_eq!(pack(Small::Int(i64::MIN)), None);
    }
}

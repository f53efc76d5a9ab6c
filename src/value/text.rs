//! Strings: immutable UTF-8. Up to 14 bytes they live in the value itself, longer ones in the heap.
//!
//! Joining to a long string is linear over all joins: the result of a join owns a buffer with room to grow, and the next join to
//! that very result writes behind it in place (older strings keep seeing their own prefix).

#![allow(unsafe_code)]

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use super::native::Outcome;
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::room;
use std::cell::Cell;
use std::hash::BuildHasher;

/// Bytes of the longest string that lives in the value itself.
pub const SHORT: usize = 14;
/// Results of joins at least this long get a buffer with room.
const GROWING: usize = 256;
/// Strings up to this long are hashed when they are made; longer ones when they are used as a key.
const HASHED: usize = 64;
/// Data up to this long stands in the cell of the string.
const INLINE: usize = 1024;

/// A string of up to 14 bytes; the bytes behind its end are 0.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ShortStr {
    len: u8,
    data: [u8; SHORT],
}

impl PartialEq for ShortStr {
    #[inline]
    fn eq(&self, other: &ShortStr) -> bool {
        self.len == other.len && self.words() == other.words()
    }
}

impl Eq for ShortStr {}

impl ShortStr {
    /// All of the data, as two words that overlap in the middle.
    #[inline]
    fn words(&self) -> (u64, u64) {
        let word = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.data[from..from + 8]);
            u64::from_le_bytes(bytes)
        };
        (word(0), word(SHORT - 8))
    }

    /// The hash as map keys use it. (Not that of a longer text: a short one and a long one are never the same key.)
    #[inline]
    pub fn hash(&self) -> u32 {
        let (first, second) = self.words();
        let mixed = u128::from(first ^ 0x9E37_79B9_7F4A_7C15)
            * u128::from(second.rotate_left(32) ^ 0xD6E8_FEB8_6659_FD93 ^ u64::from(self.len));
        let folded = (mixed as u64) ^ (mixed >> 64) as u64;
        (folded >> 32) as u32 ^ folded as u32
    }

    /// The text, when it is short enough.
    #[inline]
    pub fn new(text: &str) -> Option<ShortStr> {
        if text.len() > SHORT {
            return None;
        }
        let mut data = [0; SHORT];
        data[..text.len()].copy_from_slice(text.as_bytes());
        Some(ShortStr {
            len: text.len() as u8,
            data,
        })
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: `data[..len]` was copied from a str in `new`, the only constructor.
        unsafe { std::str::from_utf8_unchecked(self.data.get_unchecked(..self.len as usize)) }
    }
}

/// A string of more than 14 bytes. `aux` of the header is its hash, 0 when it was not computed.
#[repr(C)]
pub struct Str {
    header: Header,
    /// Bytes.
    len: u32,
    /// Characters.
    chars: u32,
    data: *const u8,
    /// The buffer that the data stands in, when it is neither in the cell nor owned alone.
    buffer: Option<Gc<StrBuf>>,
}

/// A buffer that several strings see prefixes of.
#[repr(C)]
pub struct StrBuf {
    header: Header,
    data: *mut u8,
    capacity: usize,
    used: Cell<usize>,
    /// A character and the byte at which it begins: where a text was looked into last. What is not ASCII is counted from there
    /// and not from its beginning. It holds for each string that sees so far, for what is written never changes.
    place: Cell<(usize, usize)>,
}

impl StrBuf {
    fn new(heap: &mut Heap, capacity: usize) -> Gc<StrBuf> {
        StrBuf::of(heap, Vec::with_capacity(capacity))
    }

    /// A buffer of bytes that are there already.
    fn of(heap: &mut Heap, bytes: Vec<u8>) -> Gc<StrBuf> {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        heap.charge(bytes.capacity());
        heap.alloc(
            StrBuf {
                header: Header::new(0),
                data: bytes.as_mut_ptr(),
                capacity: bytes.capacity(),
                used: Cell::new(bytes.len()),
                place: Cell::default(),
            },
            0,
        )
    }

    fn append(&self, text: &str) {
        let used = self.used.get();
        debug_assert!(used + text.len() <= self.capacity);
        // SAFETY: the caller made sure that the text fits; no string sees bytes past its own length, so writing behind
        // `used` changes nothing that anybody reads.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), self.data.add(used), text.len()) };
        self.used.set(used + text.len());
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.capacity);
    }
}

impl Drop for StrBuf {
    fn drop(&mut self) {
        // SAFETY: the parts of a vector of this capacity, dropped once.
        drop(unsafe { Vec::from_raw_parts(self.data, 0, self.capacity) });
    }
}

/// The hash of a text as map keys use it; never 0.
pub fn hash_text(text: &str) -> u32 {
    (foldhash::fast::FixedState::with_seed(0x0050_6172).hash_one(text) as u32) | 1
}

/// A string value of a text that may be long; past [`MAX_STRING`] bytes it is a `LimitExceeded` error.
pub fn checked(heap: &mut Heap, text: String) -> Outcome {
    if text.len() > MAX_STRING {
        let message = format!(
            "a str can have at most {MAX_STRING} bytes, but this one would have {}",
            text.len()
        );
        return Err(diag::Error::new(codes::LIMIT, message).into());
    }
    Ok(whole(heap, text))
}

/// A string value of a text; a large one is not copied.
pub fn whole(heap: &mut Heap, mut text: String) -> Value {
    if text.len() < room::LARGE {
        return Value::str(heap, &text);
    }
    text.shrink_to_fit();
    let chars = chars_of(&text);
    let buffer = StrBuf::of(heap, text.into_bytes());
    let string = Str {
        header: Header::new(0),
        len: buffer.used.get() as u32,
        chars,
        data: buffer.data,
        buffer: Some(buffer),
    };
    Value::Str(heap.alloc(string, 0))
}

/// The byte at which a character of a text begins, counted from a place that is known: another character and where it begins.
fn byte_from(text: &str, known: (usize, usize), index: usize) -> usize {
    // A byte that continues a character is 10xxxxxx.
    let begins = |(_, byte): &(usize, &u8)| *byte & 0xc0 != 0x80;
    let (chars, byte) = known;
    let (before, behind) = text.as_bytes().split_at(byte.min(text.len()));
    match index.checked_sub(chars) {
        Some(more) => {
            let mut starts = behind.iter().enumerate().filter(begins);
            starts.nth(more).map_or(text.len(), |(at, _)| byte + at)
        }
        None => {
            let mut starts = before.iter().enumerate().rev().filter(begins);
            starts.nth(chars - index - 1).map_or(0, |(at, _)| at)
        }
    }
}

/// The byte at which a character of a short text begins; its end for those that it has not.
pub fn short_offset(text: &str, index: usize) -> usize {
    byte_from(text, (0, 0), index)
}

/// How many characters a text has.
pub fn char_count(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

fn chars_of(text: &str) -> u32 {
    char_count(text) as u32
}

impl Str {
    /// A string in the heap; `text` is longer than [`SHORT`] (use [`super::Value::str`]).
    pub fn new(heap: &mut Heap, text: &str) -> Gc<Str> {
        let chars = chars_of(text);
        let hash = if text.len() <= HASHED {
            hash_text(text)
        } else {
            0
        };
        let len = text.len() as u32;
        if text.len() > INLINE {
            let buffer = StrBuf::new(heap, text.len());
            buffer.append(text);
            let data = buffer.data;
            return heap.alloc(
                Str {
                    header: Header::new(hash),
                    len,
                    chars,
                    data,
                    buffer: Some(buffer),
                },
                0,
            );
        }
        let string = Str {
            header: Header::new(hash),
            len,
            chars,
            data: std::ptr::null(),
            buffer: None,
        };
        let string = heap.alloc(string, text.len());
        let at = string.as_ptr();
        // SAFETY: the cell has room for `text.len()` bytes behind the Str; nobody else has seen it yet.
        unsafe {
            let data = at.add(1).cast::<u8>();
            std::ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
            (*at).data = data;
        }
        string
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: `data` points at `len` bytes of UTF-8 that never change while this object lives.
        unsafe {
            std::str::from_utf8_unchecked(std::slice::from_raw_parts(self.data, self.len as usize))
        }
    }

    /// Characters.
    #[inline]
    pub fn chars(&self) -> usize {
        self.chars as usize
    }

    /// Whether each character is one byte, so that indexes are offsets.
    #[inline]
    pub fn is_ascii(&self) -> bool {
        self.chars == self.len
    }

    /// The byte at which a character begins; the end of the text for those that it has not.
    pub fn offset(&self, index: usize) -> usize {
        let (len, chars) = (self.len as usize, self.chars as usize);
        if index >= chars {
            return len;
        }
        if self.is_ascii() {
            return index;
        }
        let place = self.buffer.map(|buffer| buffer.place.get());
        let place = place.filter(|&(_, byte)| byte <= len);
        let known = [Some((0, 0)), Some((chars, len)), place].into_iter();
        let nearest = known.flatten().min_by_key(|&(at, _)| at.abs_diff(index));
        let byte = byte_from(self.as_str(), nearest.unwrap_or_default(), index);
        if let Some(buffer) = self.buffer {
            buffer.place.set((index, byte));
        }
        byte
    }

    /// The hash as map keys use it.
    #[inline]
    pub fn hash(&self) -> u32 {
        if self.header.aux != 0 {
            self.header.aux
        } else {
            hash_text(self.as_str())
        }
    }

    /// `self + text`, in amortized time of `text` alone when this string was itself the result of a long join. `None` when the system has
    /// not so much memory.
    pub fn join(this: Gc<Str>, heap: &mut Heap, text: &str) -> Option<Gc<Str>> {
        let total = this.len as usize + text.len();
        if total < GROWING {
            let mut joined = String::with_capacity(total);
            joined.push_str(this.as_str());
            joined.push_str(text);
            return Some(Str::new(heap, &joined));
        }
        let chars = this.chars + chars_of(text);
        let grown = this.buffer.filter(|b| {
            b.used.get() == this.len as usize && b.capacity - b.used.get() >= text.len()
        });
        let buffer = match grown {
            Some(buffer) => buffer,
            None => {
                let capacity = [total * 2, total]
                    .into_iter()
                    .find(|&size| room::has(size))?;
                let buffer = StrBuf::new(heap, capacity);
                buffer.append(this.as_str());
                buffer
            }
        };
        buffer.append(text);
        let (len, data) = (total as u32, buffer.data);
        Some(heap.alloc(
            Str {
                header: Header::new(0),
                len,
                chars,
                data,
                buffer: Some(buffer),
            },
            0,
        ))
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        if let Some(buffer) = self.buffer {
            marker.object(buffer);
        }
    }
}

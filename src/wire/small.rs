//! Values that need no memory: most messages are one of them and nothing else.
//!
//! Such a message is put together, and taken apart, in registers. Through an array of bytes it would be written in pieces and
//! read in others, and the processor makes whoever reads pieces that do not match wait until all that was stored before them
//! has reached its cache: in a queue, until the cache lines have come from the process at the other end.

use super::{VERSION, tag};
use crate::value::Value;
use crate::value::text::SHORT;

/// Words of the longest: head, tag, length and a short string.
const WORDS: usize = (2 + 2 + SHORT).div_ceil(8);
/// Bits of a message's head: version and flags.
const HEAD: u32 = 16;

/// The tag and the content of a value that needs no memory, or the whole message of one.
pub struct Small {
    words: [u64; WORDS],
    len: usize,
}

impl Small {
    /// A tag with nothing behind it.
    #[inline(always)]
    fn bare(tag: u8) -> Small {
        Small {
            words: [tag.into(), 0, 0],
            len: 1,
        }
    }

    /// A tag with eight bytes behind it.
    #[inline(always)]
    fn wide(tag: u8, bits: u64) -> Small {
        Small {
            words: [u64::from(tag) | bits << 8, bits >> 56, 0],
            len: 9,
        }
    }

    /// Tag and content of a nil, bool, number or short string; `None` for other values.
    #[inline(always)]
    pub(super) fn of(value: Value) -> Option<Small> {
        Some(match value {
            Value::Int(i) => match i8::try_from(i) {
                Ok(small) => Small {
                    words: [u64::from(tag::INT8) | u64::from(small as u8) << 8, 0, 0],
                    len: 2,
                },
                Err(_) => Small::wide(tag::INT, i as u64),
            },
            Value::Float(f) => Small::wide(tag::FLOAT, f.to_bits()),
            Value::Nil => Small::bare(tag::NIL),
            Value::Bool(true) => Small::bare(tag::TRUE),
            Value::Bool(false) => Small::bare(tag::FALSE),
            Value::Short(text) => {
                let text = text.as_str();
                let mut bytes = [0; WORDS * 8];
                let [tag, len, content @ ..] = &mut bytes;
                (*tag, *len) = (tag::STR, text.len() as u8);
                content
                    .get_mut(..text.len())?
                    .copy_from_slice(text.as_bytes());
                let (words, _) = bytes.as_chunks::<8>();
                let mut small = Small {
                    words: [0; WORDS],
                    len: 2 + text.len(),
                };
                for (word, bytes) in small.words.iter_mut().zip(words) {
                    *word = u64::from_le_bytes(*bytes);
                }
                small
            }
            Value::Undef => Small::bare(tag::UNDEF),
            _ => return None,
        })
    }

    /// Appends its bytes.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>) {
        // All of the words, and then less: a copy of known length needs no loop.
        let end = out.len() + self.len;
        let mut bytes = [0; WORDS * 8];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.words) {
            *place = word.to_le_bytes();
        }
        out.extend_from_slice(&bytes);
        out.truncate(end);
    }

    /// Its words, the first byte lowest; what is behind its length is 0.
    #[inline(always)]
    pub fn words(&self) -> [u64; WORDS] {
        self.words
    }

    /// Its length in bytes.
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.len
    }
}

/// The message of a nil, bool, number or short string; `None` for other values.
#[inline(always)]
pub fn encode_small(value: Value) -> Option<Small> {
    let Small { words, len } = Small::of(value)?;
    let [first, second, third] = words;
    let rest = u64::BITS - HEAD;
    Some(Small {
        words: [
            u64::from(VERSION) | first << HEAD,
            first >> rest | second << HEAD,
            second >> rest | third << HEAD,
        ],
        len: len + 2,
    })
}

/// The value of a message that is one number, truth value or nil; `None` for all others, rubbish included.
#[inline(always)]
pub fn decode_small(bytes: &[u8]) -> Option<Value> {
    if let &[b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10] = bytes {
        let first = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
        let rest = u64::from(u16::from_le_bytes([b8, b9])) | u64::from(b10) << 16;
        let bits = first >> (HEAD + 8) | rest << 40;
        return match first & 0xff_ffff {
            INT => Some(Value::Int(bits as i64)),
            FLOAT => Some(Value::Float(f64::from_bits(bits))),
            _ => None,
        };
    }
    let (&[VERSION, 0, tag], content) = bytes.split_first_chunk()? else {
        return None;
    };
    Some(match (tag, content) {
        (tag::INT8, &[byte]) => Value::Int(i64::from(byte as i8)),
        (tag::NIL, []) => Value::Nil,
        (tag::FALSE, []) => Value::Bool(false),
        (tag::TRUE, []) => Value::Bool(true),
        _ => return None,
    })
}

/// How messages of wide numbers begin.
const INT: u64 = VERSION as u64 | (tag::INT as u64) << HEAD;
const FLOAT: u64 = VERSION as u64 | (tag::FLOAT as u64) << HEAD;

//! Reading and writing the parts of messages.

use crate::diag::{self, codes};

/// Appends a count or length: seven bits a byte, low bits first, the top bit says that more follow.
#[inline]
pub fn put_count(out: &mut Vec<u8>, mut count: u64) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}

/// Appends a text with its length.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// The error of bytes that are no message.
pub(super) fn bad(what: &str) -> Box<diag::Error> {
    diag::Error::new(codes::DECODE, format!("expected a message, but {what}"))
}

/// Bytes that are being read. Every method checks that what it reads is there.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of some bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> diag::Result<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(bad("it ends too early")),
        }
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> diag::Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(bad("it ends too early")),
        }
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> diag::Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// Eight bytes as an int.
    #[inline]
    pub fn int(&mut self) -> diag::Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A count or length as [`put_count`] writes it.
    #[inline]
    pub fn count(&mut self) -> diag::Result<u64> {
        let mut count = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            count |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(count);
            }
        }
        Err(bad("a length in it is too long"))
    }

    /// A count of things that take at least `size` bytes each: never more than the bytes that are left could hold, so
    /// that memory may be set aside for them.
    #[inline]
    pub fn count_of(&mut self, size: usize) -> diag::Result<usize> {
        let count = self.count()?;
        if count > (self.rest.len() / size.max(1)) as u64 {
            return Err(bad("a length in it goes past its end"));
        }
        Ok(count as usize)
    }

    /// An identity: a count that fits 32 bits.
    pub fn id(&mut self) -> diag::Result<u32> {
        u32::try_from(self.count()?).map_err(|_| bad("an identity in it is too large"))
    }

    /// Bytes with their length in front.
    pub fn block(&mut self) -> diag::Result<&'a [u8]> {
        let len = self.count_of(1)?;
        self.take(len)
    }

    /// A text with its length in front.
    pub fn text(&mut self) -> diag::Result<&'a str> {
        std::str::from_utf8(self.block()?).map_err(|_| bad("a text in it is not UTF-8"))
    }
}

//! Names of files, arguments and variables as texts. The system takes any bytes there, a text is UTF-8: a byte that is no
//! part of a character stands in the text as one character of its own, from U+10FE80 to U+10FEFF, and is that byte again
//! wherever the text is given back to the system. (These characters belong to nobody. Python does the same with surrogates,
//! which no UTF-8 has.) A name that really has such a character in it has its four bytes escaped, so that every name comes
//! back as it was.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::ops::Deref;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The character that stands for the byte 0.
const BASE: u32 = 0x0010_fe00;
/// How they begin in UTF-8, with a few others.
const LEAD: u8 = 0xf4;

/// The byte that a character stands for.
pub fn escaped(c: char) -> Option<u8> {
    let byte = u8::try_from(u32::from(c).checked_sub(BASE)?).ok()?;
    (byte >= 0x80).then_some(byte)
}

fn escape(byte: u8) -> char {
    char::from_u32(BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// What the system calls something, as a text.
pub fn text(name: impl AsRef<OsStr>) -> String {
    let bytes = name.as_ref().as_bytes();
    if let Ok(text) = std::str::from_utf8(bytes)
        && memchr::memchr(LEAD, bytes).is_none()
    {
        return text.to_string();
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match escaped(c) {
                None => out.push(c),
                Some(_) => out.extend(c.encode_utf8(&mut [0; 4]).bytes().map(escape)),
            }
        }
        out.extend(chunk.invalid().iter().copied().map(escape));
    }
    out
}

/// The bytes that a text means to the system.
pub fn bytes(text: &str) -> Cow<'_, [u8]> {
    if memchr::memchr(LEAD, text.as_bytes()).is_none() {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// What the system calls it.
pub fn os(text: &str) -> Cow<'_, OsStr> {
    match bytes(text) {
        Cow::Borrowed(bytes) => Cow::Borrowed(OsStr::from_bytes(bytes)),
        Cow::Owned(bytes) => Cow::Owned(OsString::from_vec(bytes)),
    }
}

/// A path that a script gave: its text, and what the system knows it by.
pub struct Name<'a> {
    text: &'a str,
    path: Cow<'a, OsStr>,
}

impl<'a> Name<'a> {
    /// The path of a text.
    pub fn new(text: &'a str) -> Name<'a> {
        let path = os(text);
        Name { text, path }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }
}

impl Deref for Name<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

impl AsRef<Path> for Name<'_> {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_as_it_was() {
        let names: [&[u8]; 9] = [
            b"plain",
            "ünï".as_bytes(),
            b"caf\xe9.txt",
            b"\xff\xfe\x80",
            b"\xf4\x8f\xba",
            "\u{10fe80}\u{10feff}".as_bytes(),
            "\u{10fe7f}\u{10ff00}".as_bytes(),
            b"\xed\xa0\x80",
            b"\xf4\x8f\xba\x80\x80",
        ];
        for name in names {
            let text = text(OsStr::from_bytes(name));
            assert_eq!(&*bytes(&text), name, "{text:?}");
        }
        let every: Vec<u8> = (1..=255).collect();
        assert_eq!(&*bytes(&text(OsStr::from_bytes(&every))), &every[..]);
    }

    #[test]
    fn a_text_without_such_bytes_is_not_touched() {
        assert_eq!(text("ünï \u{10ffff}"), "ünï \u{10ffff}");
        assert!(matches!(bytes("abc"), Cow::Borrowed(b"abc")));
        assert_eq!(&*bytes("a\u{10fee9}"), b"a\xe9");
    }
}

//! Encodings: how texts are written as bytes, for `str.encode`, `bytes.decode`, files and programs alike.
//!
//! UTF-8 without a word about errors is the everyday case and does not come here.

use super::arguments;
use crate::diag::{self, codes};
use crate::process::signals;
use crate::program::streams::Transform;
use crate::value::Value;
use crate::value::native::{Fault, Outcome};
use encoding_rs::{Decoder, DecoderResult, EncoderResult};

/// How characters are written as bytes.
#[derive(Clone, Copy, PartialEq)]
enum Encoding {
    Ascii,
    /// One byte per character, the first 256 of Unicode. (The web, and so the crate, calls another one by that name.)
    Latin1,
    /// With the order of its bytes told by its first two; the lower one first without them.
    Utf16,
    Other(&'static encoding_rs::Encoding),
}

/// What becomes of what fits no character, or no bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errors {
    Strict,
    Replace,
    Ignore,
}

/// An encoding, and what becomes of what does not fit it.
#[derive(Clone, Copy, PartialEq)]
pub struct Coding {
    encoding: Encoding,
    errors: Errors,
}

/// What the help of an error says about an output or a file that is no UTF-8.
pub const OTHERS: &str =
    "say what it is, as encoding: \"latin-1\", or take any bytes with errors: \"replace\"";

/// How much is made at a time, in bytes: room for all that may come would be cleared anew behind each misfit.
const ROOM: usize = 4096;

impl Encoding {
    fn named(name: &str) -> Option<Encoding> {
        let lower = name.trim().to_ascii_lowercase().replace('_', "-");
        Some(match lower.replace('-', "").as_str() {
            "utf8" => Encoding::Other(encoding_rs::UTF_8),
            "ascii" | "usascii" => Encoding::Ascii,
            "latin1" | "iso88591" | "l1" => Encoding::Latin1,
            "utf16" => Encoding::Utf16,
            "utf16le" => Encoding::Other(encoding_rs::UTF_16LE),
            "utf16be" => Encoding::Other(encoding_rs::UTF_16BE),
            _ => {
                let label =
                    |label: &str| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
                Encoding::Other(label(&lower).or_else(|| label(name))?)
            }
        })
    }

    /// `None` where each byte is a character.
    fn decoder(self) -> Option<Decoder> {
        match self {
            Encoding::Utf16 => Some(encoding_rs::UTF_16LE.new_decoder()),
            Encoding::Other(encoding) => Some(encoding.new_decoder_without_bom_handling()),
            Encoding::Ascii | Encoding::Latin1 => None,
        }
    }

    fn name(self) -> String {
        match self {
            Encoding::Ascii => "ascii".into(),
            Encoding::Latin1 => "latin-1".into(),
            Encoding::Utf16 => "utf-16".into(),
            Encoding::Other(encoding) => encoding.name().to_ascii_lowercase(),
        }
    }
}

impl Coding {
    /// What the arguments `encoding` and `errors` of a function say; `None` for UTF-8 that is refused where it is none.
    pub fn given(function: &str, encoding: &Value, errors: &Value) -> Outcome<Option<Coding>> {
        let coding = Coding::named(function, encoding, errors)?;
        let everyday = coding.encoding == Encoding::Other(encoding_rs::UTF_8)
            && coding.errors == Errors::Strict;
        Ok((!everyday).then_some(coding))
    }

    /// As [`Coding::given`], UTF-8 included.
    pub fn named(function: &str, encoding: &Value, errors: &Value) -> Outcome<Coding> {
        let encoding = match arguments::given(encoding) {
            None => Encoding::Other(encoding_rs::UTF_8),
            Some(value) => {
                let name = arguments::text(function, "encoding", value)?;
                let rule = "must name an encoding, as \"utf-8\", \"ascii\", \"latin-1\", \"utf-16\" or \"windows-1252\"";
                Encoding::named(name)
                    .ok_or_else(|| arguments::refuse(function, "encoding", rule, value))?
            }
        };
        let errors = match arguments::given(errors) {
            None => Errors::Strict,
            Some(value) => match arguments::text(function, "errors", value)? {
                "strict" => Errors::Strict,
                "replace" => Errors::Replace,
                "ignore" => Errors::Ignore,
                _ => {
                    let rule = "must be \"strict\", \"replace\" or \"ignore\"";
                    return Err(arguments::refuse(function, "errors", rule, value));
                }
            },
        };
        Ok(Coding { encoding, errors })
    }

    /// The same, but for bytes that fit no character, which are replaced: for texts that are told and not used.
    pub fn lenient(self) -> Coding {
        let errors = Errors::Replace;
        Coding { errors, ..self }
    }

    /// What reads a stream of it.
    pub fn reader(self) -> Reader {
        Reader {
            coding: self,
            decoder: self.encoding.decoder(),
            seen: 0,
            bad: None,
        }
    }

    /// Bytes as a text.
    ///
    /// # Errors
    /// ValueError where there is something that fits no character, if that is not replaced or left out.
    pub fn decode(self, function: &str, data: &[u8]) -> Outcome<String> {
        let mut reader = self.reader();
        let mut text = Vec::with_capacity(data.len());
        match reader.take(data, true, &mut text) {
            true => Ok(String::from_utf8_lossy(&text).into_owned()),
            false => Err(self.refusal(function, data, reader.bad.unwrap_or(0))),
        }
    }

    fn refusal(self, function: &str, data: &[u8], at: usize) -> Fault {
        let name = self.encoding.name();
        let found = match data.get(at) {
            Some(byte) => format!("there is \\x{byte:02x} at index {at}"),
            None => "they end in the middle of a character".into(),
        };
        let message = format!("{function}: the bytes must be {name}, but {found}");
        let help = "take any bytes with errors: \"replace\" or \"ignore\"";
        diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into()
    }

    /// The error of a stream that has something in it that fits no character; `what` is what was read.
    pub fn spoilt(self, function: &str, what: &str) -> Fault {
        let name = self.encoding.name();
        let message = format!("{function}: {what} must be {name}, but has other bytes");
        let help = "take any bytes with errors: \"replace\" or \"ignore\"";
        diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into()
    }

    /// A text as bytes. Of UTF-16 without an order, the lower byte comes first and is said so by the first two, unless the text
    /// goes on where another ended (`is_first`).
    ///
    /// # Errors
    /// ValueError where a character cannot be written in it, if that is not replaced or left out.
    pub fn encode(self, function: &str, text: &str, is_first: bool) -> Outcome<Vec<u8>> {
        let units = |to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes);
        match self.encoding {
            Encoding::Ascii => self.encode_narrow(function, text, 0x7f),
            Encoding::Latin1 => self.encode_narrow(function, text, 0xff),
            Encoding::Utf16 => {
                let mark = is_first.then_some([0xff, 0xfe]);
                let mark = mark.into_iter().flatten();
                Ok(mark.chain(units(u16::to_le_bytes)).collect())
            }
            Encoding::Other(encoding) if encoding == encoding_rs::UTF_16LE => {
                Ok(units(u16::to_le_bytes).collect())
            }
            Encoding::Other(encoding) if encoding == encoding_rs::UTF_16BE => {
                Ok(units(u16::to_be_bytes).collect())
            }
            Encoding::Other(encoding) => self.encode_other(function, encoding, text),
        }
    }

    fn encode_narrow(self, function: &str, text: &str, limit: u8) -> Outcome<Vec<u8>> {
        let mut data = Vec::with_capacity(text.len());
        for c in text.chars() {
            match u8::try_from(u32::from(c)) {
                Ok(byte) if byte <= limit => data.push(byte),
                _ => self.leave_out(function, c, &mut data)?,
            }
        }
        Ok(data)
    }

    fn encode_other(
        self,
        function: &str,
        encoding: &'static encoding_rs::Encoding,
        mut text: &str,
    ) -> Outcome<Vec<u8>> {
        let mut encoder = encoding.new_encoder();
        let mut data = Vec::with_capacity(text.len());
        let mut room = [0; ROOM];
        loop {
            let (result, read, written) =
                encoder.encode_from_utf8_without_replacement(text, &mut room, true);
            data.extend_from_slice(room.get(..written).unwrap_or_default());
            text = text.get(read..).unwrap_or_default();
            match result {
                EncoderResult::InputEmpty => return Ok(data),
                EncoderResult::OutputFull => {}
                EncoderResult::Unmappable(c) => self.leave_out(function, c, &mut data)?,
            }
            signals::check_urgent()?;
        }
    }

    /// A character that cannot be written.
    fn leave_out(self, function: &str, c: char, data: &mut Vec<u8>) -> Outcome<()> {
        match self.errors {
            Errors::Ignore => {}
            Errors::Replace => data.push(b'?'),
            Errors::Strict => {
                let name = self.encoding.name();
                let message = format!(
                    "{function}: the text must have only characters of {name}, but has {c:?}"
                );
                return Err(diag::Error::new(codes::VALUE, message).into());
            }
        }
        Ok(())
    }
}

/// Makes UTF-8 of a stream of bytes, as they come.
pub struct Reader {
    coding: Coding,
    /// `None` where each byte is a character.
    decoder: Option<Decoder>,
    /// How many bytes were read.
    seen: usize,
    /// Where something was that fits no character and must.
    bad: Option<usize>,
}

impl Reader {
    /// Something that fits no character, which began at a byte; false when that ends the reading.
    fn misfit(&mut self, at: usize, to: &mut Vec<u8>) -> bool {
        match self.coding.errors {
            Errors::Ignore => true,
            Errors::Replace => {
                to.extend_from_slice("\u{fffd}".as_bytes());
                true
            }
            Errors::Strict => {
                self.bad = Some(at);
                false
            }
        }
    }

    fn take_narrow(&mut self, raw: &[u8], to: &mut Vec<u8>) -> bool {
        let is_ascii = self.coding.encoding == Encoding::Ascii;
        for &byte in raw {
            if is_ascii && !byte.is_ascii() {
                if !self.misfit(self.seen, to) {
                    return false;
                }
            } else {
                let mut buffer = [0; 4];
                to.extend_from_slice(char::from(byte).encode_utf8(&mut buffer).as_bytes());
            }
            self.seen += 1;
        }
        true
    }
}

impl Transform for Reader {
    fn take(&mut self, mut raw: &[u8], is_last: bool, to: &mut Vec<u8>) -> bool {
        if self.decoder.is_none() {
            return self.take_narrow(raw, to);
        }
        let mut room = [0; ROOM];
        while let Some(decoder) = &mut self.decoder {
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(raw, &mut room, is_last);
            to.extend_from_slice(room.get(..written).unwrap_or_default());
            raw = raw.get(read..).unwrap_or_default();
            self.seen += read;
            match result {
                DecoderResult::InputEmpty => {
                    if is_last {
                        // A decoder that was told of the end takes no more, and files can grow.
                        self.decoder = self.coding.encoding.decoder();
                    }
                    return true;
                }
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    let at = self
                        .seen
                        .saturating_sub(usize::from(length) + usize::from(after));
                    if !self.misfit(at, to) {
                        return false;
                    }
                }
            }
        }
        true
    }
}

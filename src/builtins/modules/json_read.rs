//! Reading JSON: serde_json's events straight into values, without a tree in between.

use crate::diag::{self, codes};
use crate::limits::MAX_VALUE_DEPTH;
use crate::process::signals;
use crate::room;
use crate::value::Value;
use crate::value::heap::Heap;
use crate::value::list::{Items, List};
use crate::value::map::{Map, Table};
use crate::value::native::{Fault, Outcome};
use serde_core::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The markers of the errors that are not about the form of the text.
const TOO_LARGE: &str = "whole number that does not fit 64 bits";
const TOO_DEEP: &str = "a value can nest 500 levels deep, but this one is deeper";
const _: () = assert!(MAX_VALUE_DEPTH == 500);

/// What was read that only the text itself can settle (such numbers come as floats, which cannot be told from those that
/// were written as floats), and why the reading was left.
#[derive(Default)]
struct Doubts {
    /// A float that may have been written as a whole number of more than 64 bits.
    large: Cell<bool>,
    /// A zero below zero that may have been written as a whole number.
    negative_zero: Cell<bool>,
    /// Ctrl-C came, or a cancellation.
    stopped: Cell<Option<Box<diag::Error>>>,
}

/// The value of a text.
pub fn read(heap: &mut Heap, source: &str) -> Outcome {
    // The mark of the encoding, which some programs write, is no part of the text.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let doubts = Doubts::default();
    let value = read_once(heap, source, &doubts)?;
    if doubts.large.get() {
        let too_large = whole_numbers(source).find(|(_, text)| text.parse::<i64>().is_err());
        if let Some((start, text)) = too_large {
            let before = source.get(..start + text.len()).unwrap_or(source);
            let line = before.matches('\n').count() + 1;
            let column = before.len() - before.rfind('\n').map_or(0, |n| n + 1);
            return Err(mistake(codes::OVERFLOW, TOO_LARGE, line, column));
        }
    }
    if !doubts.negative_zero.get() {
        return Ok(value);
    }
    // An int knows no zero below zero: without its sign it is read as one.
    room::fits("loads", source.len())?;
    let mut plain = source.as_bytes().to_vec();
    for (start, text) in whole_numbers(source) {
        if let ("-0", Some(sign)) = (text, plain.get_mut(start)) {
            *sign = b' ';
        }
    }
    match std::str::from_utf8(&plain) {
        Ok(plain) => read_once(heap, plain, &doubts),
        Err(_) => Ok(value),
    }
}

fn read_once(heap: &mut Heap, source: &str, doubts: &Doubts) -> Outcome {
    let mut reader = serde_json::Deserializer::from_str(source);
    // `Reader` counts the levels.
    reader.disable_recursion_limit();
    let read = Reader {
        heap,
        doubts,
        depth: 0,
    }
    .deserialize(&mut reader);
    let read = read.and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| {
        if let Some(stopped) = doubts.stopped.take() {
            return stopped.into();
        }
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        let code = match reason {
            TOO_LARGE => codes::OVERFLOW,
            TOO_DEEP => codes::LIMIT,
            _ => codes::VALUE,
        };
        mistake(code, reason, error.line(), error.column())
    })
}

fn mistake(code: codes::Code, reason: &str, line: usize, column: usize) -> Fault {
    let message = format!(
        "loads: the text must be JSON, but there is a mistake at line {line}, column {column}: {reason}"
    );
    diag::Error::new(code, message)
        .with_field("line", diag::Field::Int(line as i64))
        .with_field("column", diag::Field::Int(column as i64))
        .into()
}

/// The whole numbers of a text that is JSON: where each begins, and its text.
fn whole_numbers(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut in_text, mut escaped) = (false, false);
    let mut start = None;
    let bytes = source.bytes().chain([b' ']).enumerate();
    bytes.filter_map(move |(at, byte)| {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            return None;
        }
        match byte {
            b'"' => in_text = true,
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' if start.is_some() => {}
            b'0'..=b'9' | b'-' => start = Some(at),
            _ => {
                let start = start.take()?;
                let text = source.get(start..at)?;
                return (!text.contains(['.', 'e', 'E'])).then_some((start, text));
            }
        }
        None
    })
}

struct Reader<'h> {
    heap: &'h mut Heap,
    doubts: &'h Doubts,
    /// How many lists and maps are around the value.
    depth: usize,
}

impl Reader<'_> {
    /// For a value in the list or map that is being read.
    fn inner(&mut self) -> Reader<'_> {
        Reader {
            heap: &mut *self.heap,
            doubts: self.doubts,
            depth: self.depth + 1,
        }
    }

    fn enter<E: serde_core::de::Error>(&self) -> Result<(), E> {
        match self.depth < MAX_VALUE_DEPTH {
            true => Ok(()),
            false => Err(E::custom(TOO_DEEP)),
        }
    }

    /// Between two items.
    fn go_on<E: serde_core::de::Error>(&self) -> Result<(), E> {
        signals::check_urgent().map_err(|error| {
            self.doubts.stopped.set(Some(error));
            E::custom("stopped")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: serde_core::de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value)
            .map(Value::Int)
            .map_err(|_| E::custom(TOO_LARGE))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() >= 9.2e18 {
            self.doubts.large.set(true);
        }
        if value == 0.0 && value.is_sign_negative() {
            self.doubts.negative_zero.set(true);
        }
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::str(self.heap, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut list = Items::Any(Vec::new());
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.push(item);
            self.go_on()?;
        }
        Ok(Value::List(List::from_items(self.heap, list)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut table = Table::default();
        while let Some(key) = entries.next_key_seed(self.inner())? {
            let value = entries.next_value_seed(self.inner())?;
            if !table.insert(key, value) {
                return Err(A::Error::custom("a key that is no text"));
            }
            self.go_on()?;
        }
        Ok(Value::Map(Map::new(self.heap, table)))
    }
}

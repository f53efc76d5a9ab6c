//! Reading JSON: serde_json's events straight into values, without a tree in between.

use crate::diag::{self, codes};
use crate::value::Value;
use crate::value::heap::Heap;
use crate::value::list::{Items, List};
use crate::value::map::{Map, Table};
use crate::value::native::{Fault, Outcome};
use serde_core::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The marker of the one error that is not about the form of the text.
const TOO_LARGE: &str = "whole number that does not fit 64 bits";

/// The value of a text.
pub fn read(heap: &mut Heap, source: &str) -> Outcome {
    let mut reader = serde_json::Deserializer::from_str(source);
    let large = Cell::new(false);
    let read = Reader {
        heap: &mut *heap,
        large: &large,
    }
    .deserialize(&mut reader);
    let read = read.and_then(|value| reader.end().map(|()| value));
    match read {
        Ok(value) => match large.get().then(|| large_int(source)).flatten() {
            None => Ok(value),
            Some((line, column)) => Err(mistake(codes::OVERFLOW, TOO_LARGE, line, column)),
        },
        Err(error) => {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            let code = match reason.contains(TOO_LARGE) {
                true => codes::OVERFLOW,
                false => codes::VALUE,
            };
            Err(mistake(code, reason, error.line(), error.column()))
        }
    }
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

/// Where a whole number stands (line and column of its end) that does not fit 64 bits. The reader gives such numbers as
/// floats, which cannot be told from those that were written as floats.
fn large_int(source: &str) -> Option<(usize, usize)> {
    let (mut in_text, mut escaped) = (false, false);
    let mut start = None;
    for (at, byte) in source.bytes().chain([b' ']).enumerate() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' if start.is_some() => {}
            b'0'..=b'9' | b'-' => start = Some(at),
            _ => {
                let number = start.take().and_then(|start| source.get(start..at));
                let whole = number.filter(|text| !text.contains(['.', 'e', 'E']));
                if whole.is_some_and(|text| text.parse::<i64>().is_err()) {
                    let before = source.get(..at)?;
                    let line = before.matches('\n').count() + 1;
                    return Some((line, before.len() - before.rfind('\n').map_or(0, |n| n + 1)));
                }
            }
        }
    }
    None
}

struct Reader<'h> {
    heap: &'h mut Heap,
    /// Set when a float came that may have been written as a whole number.
    large: &'h Cell<bool>,
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
            self.large.set(true);
        }
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::str(self.heap, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Items::Any(Vec::new());
        while let Some(item) = items.next_element_seed(Reader {
            heap: &mut *self.heap,
            large: self.large,
        })? {
            list.push(item);
        }
        Ok(Value::List(List::from_items(self.heap, list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table = Table::default();
        while let Some(key) = entries.next_key_seed(Reader {
            heap: &mut *self.heap,
            large: self.large,
        })? {
            let value = entries.next_value_seed(Reader {
                heap: &mut *self.heap,
                large: self.large,
            })?;
            if !table.insert(key, value) {
                return Err(A::Error::custom("a key that is no text"));
            }
        }
        Ok(Value::Map(Map::new(self.heap, table)))
    }
}

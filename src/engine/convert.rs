//! Typed values in and out of an engine: [`ToValue`] and [`FromValue`] for Rust's own types.
//!
//! | Rust | Par |
//! | --- | --- |
//! | `()`, `Option::None` | `nil` |
//! | `bool`, `f32`, `f64`, `char`, `&str`, `String` | `bool`, `float`, `str` |
//! | every whole number type | `int` (a number that does not fit is an error) |
//! | `Vec<T>`, slices, arrays, tuples | `list` |
//! | `HashMap`, `BTreeMap` | `map` |
//! | [`Data`] | whatever it says |
//!
//! Bytes go in and out as [`Data::Bytes`]; a `Vec<u8>` is a list of ints like any other list of numbers.

use super::data::Data;
use crate::value::Value;
use crate::value::heap::Heap;
use crate::value::list::Items;
use crate::value::map::{Map, Table};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

/// Why a value of a script is not what Rust asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// What was asked for, in the language's words: `int`, `list`.
    pub expected: String,
    /// What was there, in the same words.
    pub found: String,
    /// Where inside the value, outermost first: `[2]["name"]`; empty for the value itself.
    pub path: String,
}

impl Mismatch {
    /// A value that is not `expected` at all.
    pub fn new(expected: &str, found: &Value) -> Mismatch {
        Mismatch {
            expected: expected.to_string(),
            found: found.type_name().to_string(),
            path: String::new(),
        }
    }

    fn inside(mut self, place: impl std::fmt::Display) -> Mismatch {
        self.path.insert_str(0, &format!("[{place}]"));
        self
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        Ok(())
    }
}

/// What can be handed to a script.
pub trait ToValue {
    /// The value in an engine's heap.
    ///
    /// # Errors
    /// A number that no Par `int` can hold.
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch>;
}

/// What can be taken from a script.
pub trait FromValue: Sized {
    /// The Rust value.
    ///
    /// # Errors
    /// The value is of another kind, or out of the type's range.
    fn from_value(value: Value) -> Result<Self, Mismatch>;
}

impl ToValue for () {
    fn to_value(self, _: &mut Heap) -> Result<Value, Mismatch> {
        Ok(Value::Nil)
    }
}

/// Takes any value: a result that nobody looks at.
impl FromValue for () {
    fn from_value(_: Value) -> Result<(), Mismatch> {
        Ok(())
    }
}

impl ToValue for bool {
    fn to_value(self, _: &mut Heap) -> Result<Value, Mismatch> {
        Ok(Value::Bool(self))
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<bool, Mismatch> {
        match value {
            Value::Bool(found) => Ok(found),
            other => Err(Mismatch::new("bool", &other)),
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {
        $(impl ToValue for $type {
            fn to_value(self, _: &mut Heap) -> Result<Value, Mismatch> {
                i64::try_from(self).map(Value::Int).map_err(|_| Mismatch {
                    expected: "a number of 64 bits".to_string(),
                    found: self.to_string(),
                    path: String::new(),
                })
            }
        }
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<$type, Mismatch> {
                match value {
                    Value::Int(found) => <$type>::try_from(found).map_err(|_| Mismatch {
                        expected: format!("an int from {} to {}", <$type>::MIN, <$type>::MAX),
                        found: found.to_string(),
                        path: String::new(),
                    }),
                    other => Err(Mismatch::new("int", &other)),
                }
            }
        })*
    };
}
whole_numbers!(i8, i16, i32, i64, u8, u16, u32, u64, isize, usize);

macro_rules! floats {
    ($($type:ty),*) => {
        $(impl ToValue for $type {
            fn to_value(self, _: &mut Heap) -> Result<Value, Mismatch> {
                Ok(Value::Float(self.into()))
            }
        }
        /// Ints are taken too.
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<$type, Mismatch> {
                value.as_number().map(|found| found as $type).ok_or_else(|| Mismatch::new("float", &value))
            }
        })*
    };
}
floats!(f32, f64);

impl ToValue for &str {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        Ok(Value::str(heap, self))
    }
}

impl ToValue for String {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        Ok(Value::str(heap, &self))
    }
}

impl ToValue for &String {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        Ok(Value::str(heap, self))
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<String, Mismatch> {
        value
            .as_str()
            .map(str::to_string)
            .ok_or_else(|| Mismatch::new("str", &value))
    }
}

impl ToValue for char {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        Ok(Value::str(heap, self.encode_utf8(&mut [0; 4])))
    }
}

impl FromValue for char {
    fn from_value(value: Value) -> Result<char, Mismatch> {
        let mut chars = value.as_str().unwrap_or_default().chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Mismatch::new("a str of one character", &value)),
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        self.map_or(Ok(Value::Nil), |value| value.to_value(heap))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Option<T>, Mismatch> {
        match value {
            Value::Nil => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

fn list_of<T: ToValue>(
    items: impl IntoIterator<Item = T>,
    heap: &mut Heap,
) -> Result<Value, Mismatch> {
    let items = items.into_iter().enumerate().map(|(index, item)| {
        item.to_value(heap)
            .map_err(|mismatch| mismatch.inside(index))
    });
    let items = items.collect::<Result<Vec<Value>, Mismatch>>()?;
    Ok(Value::list(heap, items))
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        list_of(self, heap)
    }
}

impl<T: ToValue + Clone> ToValue for &[T] {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        list_of(self.iter().cloned(), heap)
    }
}

impl<T: ToValue, const N: usize> ToValue for [T; N] {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        list_of(self, heap)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Vec<T>, Mismatch> {
        let Value::List(list) = value else {
            return Err(Mismatch::new("list", &value));
        };
        let item = |(index, item)| T::from_value(item).map_err(|wrong| wrong.inside(index));
        list.items()
            .to_values()
            .into_iter()
            .enumerate()
            .map(item)
            .collect()
    }
}

fn map_of<K: ToValue, V: ToValue>(
    entries: impl IntoIterator<Item = (K, V)>,
    heap: &mut Heap,
) -> Result<Value, Mismatch> {
    let mut table = Table::default();
    for (key, value) in entries {
        let key = key.to_value(heap)?;
        let value = value.to_value(heap)?;
        if !table.insert(key, value) {
            return Err(Mismatch::new(
                "a key (nil, bool, number, str or bytes)",
                &key,
            ));
        }
    }
    Ok(Value::Map(Map::new(heap, table)))
}

fn entries_of<K: FromValue, V: FromValue, C: FromIterator<(K, V)>>(
    value: Value,
) -> Result<C, Mismatch> {
    let Value::Map(map) = value else {
        return Err(Mismatch::new("map", &value));
    };
    let entry = |(key, value): (Value, Value)| {
        let name = match key.as_str() {
            Some(text) => format!("{text:?}"),
            None => key.as_int().map_or("key".to_string(), |i| i.to_string()),
        };
        let key = K::from_value(key).map_err(|wrong| wrong.inside(&name))?;
        let value = V::from_value(value).map_err(|wrong| wrong.inside(&name))?;
        Ok((key, value))
    };
    map.table().iter().map(entry).collect()
}

impl<K: ToValue, V: ToValue, S> ToValue for HashMap<K, V, S> {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        map_of(self, heap)
    }
}

impl<K: FromValue + Eq + Hash, V: FromValue, S: BuildHasher + Default> FromValue
    for HashMap<K, V, S>
{
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        entries_of(value)
    }
}

impl<K: ToValue, V: ToValue> ToValue for BTreeMap<K, V> {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        map_of(self, heap)
    }
}

impl<K: FromValue + Ord, V: FromValue> FromValue for BTreeMap<K, V> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        entries_of(value)
    }
}

macro_rules! tuples {
    ($($count:literal: $($type:ident $at:tt),*;)*) => {
        $(impl<$($type: ToValue),*> ToValue for ($($type,)*) {
            fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
                let items = vec![$(self.$at.to_value(heap).map_err(|wrong| wrong.inside($at))?),*];
                Ok(Value::list(heap, items))
            }
        }
        impl<$($type: FromValue),*> FromValue for ($($type,)*) {
            fn from_value(value: Value) -> Result<Self, Mismatch> {
                let expected = concat!("a list of ", $count);
                let Value::List(list) = value else {
                    return Err(Mismatch::new(expected, &value));
                };
                let items = list.items();
                if items.len() != $count {
                    let found = format!("a list of {}", items.len());
                    return Err(Mismatch { found, ..Mismatch::new(expected, &value) });
                }
                Ok(($($type::from_value(items.get($at).unwrap_or(Value::Nil)).map_err(|wrong| wrong.inside($at))?,)*))
            }
        })*
    };
}
tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
}

impl ToValue for Data {
    fn to_value(self, heap: &mut Heap) -> Result<Value, Mismatch> {
        match self {
            Data::Nil => Ok(Value::Nil),
            Data::Bool(value) => Ok(Value::Bool(value)),
            Data::Int(value) => Ok(Value::Int(value)),
            Data::Float(value) => Ok(Value::Float(value)),
            Data::Str(text) => text.to_value(heap),
            Data::Bytes(data) => Ok(Value::bytes(heap, data)),
            Data::List(items) => items.to_value(heap),
            Data::Map(entries) => map_of(entries, heap),
        }
    }
}

impl FromValue for Data {
    fn from_value(value: Value) -> Result<Data, Mismatch> {
        plain(value, crate::limits::MAX_VALUE_DEPTH)
    }
}

/// The plain form of a value that nests at most `depth` deep: a list that holds itself has none.
fn plain(value: Value, depth: usize) -> Result<Data, Mismatch> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Mismatch {
            found: "a value that is nested too deeply or holds itself".to_string(),
            ..Mismatch::new("plain data", &value)
        });
    };
    Ok(match value {
        Value::Nil | Value::Undef => Data::Nil,
        Value::Bool(value) => Data::Bool(value),
        Value::Int(value) => Data::Int(value),
        Value::Float(value) => Data::Float(value),
        Value::Bytes(bytes) => Data::Bytes(bytes.data().to_vec()),
        Value::List(list) => Data::List(plain_items(list.items(), depth)?),
        Value::Map(map) => {
            let entry = |(key, value)| Ok((plain(key, depth)?, plain(value, depth)?));
            Data::Map(
                map.table()
                    .iter()
                    .map(entry)
                    .collect::<Result<_, Mismatch>>()?,
            )
        }
        other => match other.as_str() {
            Some(text) => Data::Str(text.to_string()),
            None => return Err(Mismatch::new("plain data", &other)),
        },
    })
}

fn plain_items(items: &Items, depth: usize) -> Result<Vec<Data>, Mismatch> {
    let item = |index| {
        let item = items.get(index).unwrap_or(Value::Nil);
        plain(item, depth).map_err(|wrong| wrong.inside(index))
    };
    (0..items.len()).map(item).collect()
}

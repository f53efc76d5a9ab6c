//! Which results a journal can keep: plain values, which mean the same in the next run, and structs of them, which are known
//! again as long as the program has the same structs.

use crate::diag::{Error, codes};
use crate::value::list::Items;
use crate::value::native::Outcome;
use crate::value::{Value, show};
use std::collections::HashSet;

/// Whether there are structs in a result; an error unless all else in it are plain values.
pub fn check_lasting(value: Value) -> Outcome<bool> {
    let mut has_structs = false;
    let mut seen = HashSet::new();
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Short(_)
            | Value::Str(_)
            | Value::Bytes(_)
            | Value::Range(_) => {}
            Value::List(list) if seen.insert(list.address()) => {
                if let Items::Any(items) = list.items() {
                    rest.extend(items.iter().copied());
                }
            }
            Value::Map(map) if seen.insert(map.address()) => {
                let pairs = map.table().iter();
                rest.extend(pairs.flat_map(|(key, value)| [key, value]));
            }
            Value::Set(set) if seen.insert(set.address()) => {
                rest.extend(set.table().iter().map(|(key, ..)| key));
            }
            Value::Instance(instance) if seen.insert(instance.address()) => {
                has_structs = true;
                rest.extend(instance.fields().iter().map(|field| field.get()));
            }
            Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Instance(_) => {}
            other => {
                let message = format!(
                    "a value that is kept for another run has to be made of plain values and structs, but there is {} in it",
                    show::kind(&other)
                );
                return Err(Error::new(codes::NOT_SENDABLE, message)
                    .with_help("return numbers, strings, lists, maps and structs")
                    .into());
            }
        }
    }
    Ok(has_structs)
}

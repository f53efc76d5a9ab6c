//! Which results a journal can keep: plain values, which mean the same in the next run, and structs of them, which are known
//! again as long as the program has the same structs.

use crate::diag::{Error, codes};
use crate::value::function::Proto;
use crate::value::handle::HandleId;
use crate::value::heap::{Gc, Heap};
use crate::value::list::Items;
use crate::value::native::{Context, Native, Outcome};
use crate::value::structure::StructType;
use crate::value::{Value, show};
use crate::wire::{self, Receiver};
use std::collections::HashSet;
use std::rc::Rc;

/// This process as bytes from a file see it, which anybody may have written: there are its structs, and no functions, objects of
/// the arena or global variables that they could name.
struct Reading<'a> {
    context: &'a mut dyn Context,
    /// Where the values are made, when nobody is to have them.
    scratch: Option<Heap>,
}

impl Receiver for Reading<'_> {
    fn heap(&mut self) -> &mut Heap {
        match &mut self.scratch {
            Some(heap) => heap,
            None => self.context.heap(),
        }
    }

    fn native(&self, _: &str) -> Option<&'static Native> {
        None
    }

    fn method(&self, _: &Value, _: &str) -> Option<&'static Native> {
        None
    }

    fn code(&self, _: u32) -> Option<Rc<Proto>> {
        None
    }

    fn structure(&self, id: u32) -> Option<Gc<StructType>> {
        self.context.structure(id)
    }

    fn handle(&mut self, _: HandleId) -> Option<Value> {
        None
    }
}

/// The value of a message that was kept for another run.
///
/// # Errors
/// `DecodeError` when it is rubbish, or has more in it than plain values and structs.
pub fn read(context: &mut dyn Context, message: &[u8]) -> Outcome {
    let scratch = None;
    let value = wire::decode(message, &mut Reading { context, scratch })?;
    check_lasting(value)?;
    Ok(value)
}

/// Whether [`read`] would give the value of a message. Nothing is kept of it, however many are asked for.
pub fn is_lasting(context: &mut dyn Context, message: &[u8]) -> bool {
    let scratch = Some(Heap::new());
    let mut reading = Reading { context, scratch };
    let value = wire::decode(message, &mut reading);
    value.is_ok_and(|value| check_lasting(value).is_ok())
}

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

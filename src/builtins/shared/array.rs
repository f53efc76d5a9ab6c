//! Typed arrays as values: each element is atomic by itself.

use super::{copy, identity, look};
use crate::builtins::queue::still_there;
use crate::builtins::{Table, arguments, gather};
use crate::diag::{self, codes};
use crate::operator::BinaryOp;
use crate::process;
use crate::process::shared::{Array, Element};
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::list::{Items, List};
use crate::value::native::{Args, Context, Native, NativeIter, Outcome};
use crate::value::show::Check;
use crate::value::{Value, access, compare, operate};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

pub static METHODS: Table = natives! {
    "compare_exchange" ("index", "old", "new") compare_exchange, "Sets the element to `new` if it is `old`; whether it did.";
    "copy" () copy_of, "A plain list (or bytes) of the elements.";
    "fill" ("value") fill, "Sets every element.";
    "len" () len, "How many elements there are.";
};

/// A typed array as a value.
pub struct ArrayHandle(pub Array);

impl Handle for ArrayHandle {
    fn type_name(&self) -> &'static str {
        match self.0.element() {
            Element::Ints => "shared ints",
            Element::Floats => "shared floats",
            Element::Bytes => "shared bytes",
        }
    }

    fn show(&self) -> String {
        look::show(self)
    }

    fn show_while(&self, check: Check) -> diag::Result<String> {
        look::show_while(self, check)
    }

    fn identity(&self) -> Option<HandleId> {
        identity(self.0.id())
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn index(&self, context: &mut dyn Context, key: Value) -> Outcome<Option<Value>> {
        let arena = process::start()?;
        if let Value::Range(_) = key {
            let all = plain(context, &self.0)?;
            return access::get_index(context, all, key).map(Some);
        }
        let at = position(&self.0, key)?;
        Ok(self.0.get(arena, at).map(|word| element(&self.0, word)))
    }

    fn set_index(&self, context: &mut dyn Context, key: Value, value: Value) -> Outcome<bool> {
        let arena = process::start()?;
        if let Value::Range(range) = key {
            let (start, end) = super::list::bounds(self.0.len(), &range)?;
            let items = gather::collect(context, "shared", value)?;
            if items.len() as u64 != end - start {
                let message = format!(
                    "a slice of {} elements takes as many, but got {}",
                    end - start,
                    items.len()
                );
                return Err(diag::Error::new(codes::VALUE, message).into());
            }
            for (at, item) in items.items().to_values().into_iter().enumerate() {
                let word = word_of(self.0.element(), "value", &item)?;
                self.0.set(arena, start + at as u64, word);
            }
            return Ok(true);
        }
        let at = position(&self.0, key)?;
        let word = word_of(self.0.element(), "value", &value)?;
        Ok(self.0.set(arena, at, word))
    }

    fn update_index(
        &self,
        context: &mut dyn Context,
        key: Value,
        op: BinaryOp,
        operand: Value,
    ) -> Outcome<Option<Value>> {
        let arena = process::start()?;
        let at = position(&self.0, key)?;
        let kind = self.0.element();
        loop {
            let Some(old) = self.0.get(arena, at) else {
                return Ok(None);
            };
            let new = operate::binary(context.heap(), op, element(&self.0, old), operand)?;
            let word = word_of(kind, "value", &new)?;
            if self.0.exchange(arena, at, old, word) {
                return Ok(Some(element(&self.0, word)));
            }
        }
    }

    fn len(&self, _: &mut dyn Context) -> Outcome<Option<usize>> {
        Ok(Some(self.0.len() as usize))
    }

    fn contains(&self, _: &mut dyn Context, item: Value) -> Outcome<Option<bool>> {
        let arena = process::start()?;
        let mut words = (0..self.0.len()).filter_map(|at| self.0.get(arena, at));
        Ok(Some(
            words.any(|word| compare::equals(element(&self.0, word), item)),
        ))
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        let arena = process::start()?;
        let words = (0..self.0.len())
            .filter_map(|at| self.0.get(arena, at))
            .collect();
        Ok(Some(Rc::new(Elements {
            array: self.0.clone(),
            words,
            next: Cell::new(0),
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Goes over a snapshot.
struct Elements {
    array: Array,
    words: Vec<u64>,
    next: Cell<usize>,
}

impl NativeIter for Elements {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        still_there(self.array.id())?;
        let at = self.next.get();
        self.next.set(at + 1);
        Ok(self.words.get(at).map(|&word| element(&self.array, word)))
    }

    fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    fn is_at_hand(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.handle(identity(self.array.id()));
    }
}

#[inline]
pub fn element(array: &Array, word: u64) -> Value {
    match array.element() {
        Element::Ints => Value::Int(word as i64),
        Element::Floats => Value::Float(f64::from_bits(word)),
        Element::Bytes => Value::Int((word & 0xff) as i64),
    }
}

#[inline]
fn word_of(element: Element, param: &str, value: &Value) -> Outcome<u64> {
    match (element, value) {
        (Element::Ints, Value::Int(value)) => Ok(*value as u64),
        (Element::Floats, _) => match value.as_number() {
            Some(number) => Ok(number.to_bits()),
            None => Err(arguments::wrong("shared.floats", param, "a number", value)),
        },
        (Element::Bytes, Value::Int(byte)) => match u8::try_from(*byte) {
            Ok(byte) => Ok(u64::from(byte)),
            Err(_) => {
                let rule = "must be from 0 to 255";
                Err(arguments::refuse("shared.bytes", param, rule, value))
            }
        },
        (Element::Ints, _) => Err(arguments::wrong("shared.ints", param, "an int", value)),
        (Element::Bytes, _) => Err(arguments::wrong("shared.bytes", param, "an int", value)),
    }
}

/// The index that a key means, from the end when it is negative.
#[inline]
fn position(array: &Array, key: Value) -> Outcome<u64> {
    super::list::position(array.len(), key)
}

/// The elements as a plain list, or as bytes.
pub fn plain(context: &mut dyn Context, array: &Array) -> Outcome {
    let arena = process::start()?;
    let words = (0..array.len()).filter_map(|at| array.get(arena, at));
    Ok(match array.element() {
        Element::Bytes => {
            let data = words.map(|word| word as u8).collect();
            Value::bytes(context.heap(), data)
        }
        Element::Ints => {
            let items = Items::Ints(words.map(|word| word as i64).collect());
            Value::List(List::from_items(context.heap(), items))
        }
        Element::Floats => {
            let items = Items::Floats(words.map(f64::from_bits).collect());
            Value::List(List::from_items(context.heap(), items))
        }
    })
}

pub fn ints(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    create(context, "shared.ints", Element::Ints, args[0])
}

pub fn floats(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    create(context, "shared.floats", Element::Floats, args[0])
}

pub fn bytes(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    create(context, "shared.bytes", Element::Bytes, args[0])
}

fn create(context: &mut dyn Context, function: &'static str, kind: Element, of: Value) -> Outcome {
    let arena = process::start()?;
    let array = match of {
        Value::Int(_) => Array::create(kind, arguments::size(function, "of", &of)? as u64)?,
        Value::Bytes(bytes) if kind == Element::Bytes => {
            let array = Array::create(kind, bytes.data().len() as u64)?;
            for (at, &byte) in bytes.data().iter().enumerate() {
                array.set(arena, at as u64, u64::from(byte));
            }
            array
        }
        Value::List(_) | Value::Range(_) | Value::Iter(_) | Value::Handle(_) | Value::Set(_) => {
            let items = gather::collect(context, function, of)?;
            let mut words = Vec::with_capacity(items.len());
            for item in items.items().to_values() {
                words.push(word_of(kind, "of", &item)?);
            }
            let array = Array::create(kind, words.len() as u64)?;
            for (at, &word) in words.iter().enumerate() {
                array.set(arena, at as u64, word);
            }
            array
        }
        _ => {
            let expected = "an int (how many) or a list";
            return Err(arguments::wrong(function, "of", expected, &of));
        }
    };
    Ok(Value::handle(context.heap(), Rc::new(ArrayHandle(array))))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Array> {
    match value.as_handle::<ArrayHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "a shared array", value)),
    }
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver("len", &args[0])?.len() as i64))
}

fn copy_of(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    copy(context, args[0])
}

fn fill(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let arena = process::start()?;
    let array = receiver("fill", &args[0])?;
    let word = word_of(array.element(), "value", &args[1])?;
    for at in 0..array.len() {
        array.set(arena, at, word);
    }
    Ok(Value::Nil)
}

fn compare_exchange(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let arena = process::start()?;
    let array = receiver("compare_exchange", &args[0])?;
    let at = position(array, args[1])?;
    let old = word_of(array.element(), "old", &args[2])?;
    let new = word_of(array.element(), "new", &args[3])?;
    Ok(Value::Bool(array.exchange(arena, at, old, new)))
}

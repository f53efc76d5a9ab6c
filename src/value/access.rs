//! Indexes, slices and fields of the built-in types.
//!
//! Methods are not looked up here (they are rows of tables in `builtins`): what `x.name` means in full is
//! `builtins::get_field`.

use super::Value;
use super::error::ErrorValue;
use super::habits;
use super::heap::{Gc, Heap};
use super::list::{Items, List, Range, Slice};
use super::map::{Map, Table};
use super::native::{Context, Fault, Outcome};
use super::show;
use crate::diag::{self, Field, codes};
use crate::limits::MAX_SUGGESTED;
use crate::room;

/// `object[key]`.
pub fn get_index(context: &mut dyn Context, object: Value, key: Value) -> Outcome {
    match object {
        Value::List(list) => match key {
            Value::Range(range) => {
                let part = range.select(list.len());
                room::fits("a part of a list", part.count.saturating_mul(16))?;
                let items = list.items().slice(part);
                Ok(Value::List(List::from_items(context.heap(), items)))
            }
            _ => {
                let at = position(object.type_name(), list.len(), key)?;
                list.get(at)
                    .ok_or_else(|| outside(object.type_name(), list.len(), key))
            }
        },
        Value::Map(map) => match map.table().get(&key) {
            Some(value) => Ok(value),
            None => Err(no_key(map.table(), key)),
        },
        Value::Short(_) | Value::Str(_) => text_index(context.heap(), object, key),
        Value::Bytes(bytes) => {
            let data = bytes.data();
            if let Value::Range(range) = key {
                let part = range.select(data.len()).indexes();
                let part = part.filter_map(|at| data.get(at).copied()).collect();
                return Ok(Value::bytes(context.heap(), part));
            }
            let at = position(object.type_name(), data.len(), key)?;
            let byte = data
                .get(at)
                .ok_or_else(|| outside(object.type_name(), data.len(), key))?;
            Ok(Value::Int(i64::from(*byte)))
        }
        Value::Range(range) => range_index(context.heap(), range, key),
        Value::Handle(handle) => {
            let shared = handle.share();
            match shared.index(context, key)? {
                Some(value) => Ok(value),
                None => Err(not_indexable(&object)),
            }
        }
        _ => Err(not_indexable(&object)),
    }
}

/// `object[key] = value`.
pub fn set_index(
    context: &mut dyn Context,
    object: Value,
    key: Value,
    value: Value,
) -> Outcome<()> {
    match object {
        Value::List(list) => {
            if let Value::Range(range) = key {
                return replace_slice(context, list, range, value);
            }
            let at = position(object.type_name(), list.len(), key)?;
            if list.set(context.heap(), at, value) {
                return Ok(());
            }
            Err(outside(object.type_name(), list.len(), key))
        }
        Value::Map(map) => {
            if map.edit(context.heap(), |table| table.insert(key, value)) {
                return Ok(());
            }
            Err(bad_key(&key))
        }
        Value::Handle(handle) => {
            let shared = handle.share();
            match shared.set_index(context, key, value)? {
                true => Ok(()),
                false => Err(not_settable(&object)),
            }
        }
        _ => Err(not_settable(&object)),
    }
}

/// The data behind `object.name` (map keys, fields, attributes); `None` when there is none, which may still be a method.
pub fn find_field(context: &mut dyn Context, object: Value, name: &str) -> Outcome<Option<Value>> {
    match object {
        Value::Map(map) => {
            let key = Value::str(context.heap(), name);
            Ok(map.table().get(&key))
        }
        Value::Instance(instance) => {
            let slot = instance.of.slot(name);
            Ok(slot
                .and_then(|at| instance.fields().get(at))
                .map(|field| field.get()))
        }
        Value::Error(error) => Ok(error_field(context, error, name)),
        Value::Range(range) => Ok(match name {
            "start" => Some(Value::Int(range.start)),
            "end" => Some(range.end.map_or(Value::Nil, Value::Int)),
            "step" => Some(Value::Int(range.step)),
            _ => None,
        }),
        Value::Fn(_) | Value::Native(_) | Value::Host(_) | Value::Struct(_) => {
            Ok(code_field(context.heap(), object, name))
        }
        Value::Bound(bound) => Ok(code_field(context.heap(), bound.function, name)),
        Value::Handle(handle) => {
            let shared = handle.share();
            shared.attribute(context, name)
        }
        _ => Ok(None),
    }
}

/// The names that [`find_field`] knows for a value, for "did you mean" and completion.
pub fn field_names(object: Value) -> Vec<String> {
    let named = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    match object {
        Value::Map(map) => nearby(map.table()),
        Value::Instance(instance) => instance.of.fields.iter().map(|f| f.to_string()).collect(),
        Value::Error(error) => {
            let own = error.attributes.iter().map(|(name, _)| name.to_string());
            let reported = error.report.fields.iter().map(|(name, _)| name.clone());
            let mut names: Vec<String> = named(&ERROR_FIELDS);
            names.extend(own.chain(reported));
            names
        }
        Value::Range(_) => named(&["start", "end", "step"]),
        Value::Fn(_) | Value::Native(_) | Value::Host(_) | Value::Struct(_) | Value::Bound(_) => {
            named(&["name", "doc"])
        }
        Value::Handle(handle) => named(handle.get().attribute_names()),
        _ => Vec::new(),
    }
}

/// `object.name = value`.
pub fn set_field(
    context: &mut dyn Context,
    object: Value,
    name: &str,
    value: Value,
) -> Outcome<()> {
    match object {
        Value::Map(map) => {
            let heap = context.heap();
            let key = Value::str(heap, name);
            map.edit(heap, |table| table.insert(key, value));
            Ok(())
        }
        Value::Instance(instance) => {
            let slot = instance.of.slot(name);
            match slot.and_then(|at| instance.fields().get(at)) {
                Some(field) => {
                    field.set(value);
                    Ok(())
                }
                None => Err(no_field(object, name, &field_names(object))),
            }
        }
        Value::Handle(handle) => {
            let shared = handle.share();
            match shared.set_attribute(context, name, value)? {
                true => Ok(()),
                false if shared.attribute_names().contains(&name) => Err(read_only(object, name)),
                false => Err(no_field(object, name, &field_names(object))),
            }
        }
        _ => {
            let message = format!(
                "`.{name} = ...` needs a map, a struct instance or a shared object, but got {}",
                show::kind(&object)
            );
            Err(diag::Error::new(codes::TYPE, message).into())
        }
    }
}

/// The error of an assignment to an attribute that a handle only shows.
fn read_only(object: Value, name: &str) -> Fault {
    let what = show::kind(&object);
    let error = diag::Error::new(codes::TYPE, format!("`.{name}` of {what} can only be read"));
    let settable = what == "a process" && matches!(name, "name" | "daemon");
    match settable {
        true => error
            .with_help(format!(
                "it is set where the process is made: spawn({name}: ...) f(x)"
            ))
            .into(),
        false => error.into(),
    }
}

/// The error of a field that is not there, with the nearest of the names that are.
pub fn no_field(object: Value, name: &str, names: &[String]) -> Fault {
    let error = match object {
        Value::Map(_) => diag::Error::new(
            codes::KEY,
            format!("the map has no key {}", show::quoted(name)),
        ),
        _ => diag::Error::new(
            codes::KEY,
            format!("{} has no field `{name}`", show::kind(&object)),
        ),
    };
    suggest(error, object, name, names)
}

/// The keys among which the nearest to one that is not there is looked for: those of a map that is not large.
fn nearby(table: &Table) -> Vec<String> {
    if table.len() > MAX_SUGGESTED {
        return Vec::new();
    }
    let names = table.iter();
    names
        .filter_map(|(key, _)| key.as_str().map(str::to_string))
        .collect()
}

/// The error of a map key that is not there.
pub fn no_key(table: &Table, key: Value) -> Fault {
    if super::map::hash_key(&key).is_none() {
        return bad_key(&key);
    }
    let error = diag::Error::new(
        codes::KEY,
        format!("the map has no key {}", show::repr(key)),
    );
    match key.as_str() {
        Some(name) => {
            let names = nearby(table);
            match diag::did_you_mean(name, names.iter().map(String::as_str)) {
                Some(help) => error.with_help(help).into(),
                None => error.into(),
            }
        }
        None => error.into(),
    }
}

/// The error of a value that cannot be a key of a map or an item of a set.
pub fn bad_key(key: &Value) -> Fault {
    let message = format!(
        "a key must be nil, a bool, an int, a float, a str or bytes, but is {}",
        show::kind(key)
    );
    diag::Error::new(codes::TYPE, message).into()
}

/// Adds to the error of a member that is not there what to type: the nearest of the names that are, or what the habit of
/// another language is called here.
pub fn suggest(error: Box<diag::Error>, object: Value, name: &str, names: &[String]) -> Fault {
    let nearest = || diag::did_you_mean(name, names.iter().map(String::as_str));
    let habit = || habits::member(&show::type_of(&object), name).map(String::from);
    // The names of a map are its keys, which are the user's own: nearer than any habit.
    let help = match object {
        Value::Map(_) => nearest().or_else(habit),
        _ => habit().or_else(nearest),
    };
    match help {
        Some(help) => error.with_help(help).into(),
        None => error.into(),
    }
}

/// The index that a key means for something of a kind and length: from the end when it is negative.
pub fn position(kind: &str, len: usize, key: Value) -> Outcome<usize> {
    let Value::Int(index) = key else {
        let came = show::kind(&key);
        let message = format!(
            "an index of {} must be an int or a range, but is {came}",
            show::with_article(kind)
        );
        return Err(diag::Error::new(codes::TYPE, message).into());
    };
    let at = if index < 0 {
        index.saturating_add(len as i64)
    } else {
        index
    };
    match usize::try_from(at) {
        Ok(at) if at < len => Ok(at),
        _ => Err(outside(kind, len, key)),
    }
}

fn outside(kind: &str, len: usize, key: Value) -> Fault {
    let index = show::repr(key);
    let message = match len {
        0 => format!("the {kind} is empty, so index {index} is outside of it"),
        1 => format!("the index must be 0 or -1 for this {kind} of 1 item, but is {index}"),
        _ => format!(
            "the index must be from -{len} to {} for this {kind} of {len} items, but is {index}",
            len - 1
        ),
    };
    diag::Error::new(codes::INDEX, message).into()
}

fn text_index(heap: &mut Heap, object: Value, key: Value) -> Outcome {
    let text = object.as_str().unwrap_or_default();
    let len = object.text_len();
    if let Value::Range(range) = key {
        let slice = range.select(len);
        if slice.step == 1 {
            let part = text.get(object.text_range(slice.start, slice.count));
            return Ok(Value::str(heap, part.unwrap_or_default()));
        }
        let chars: Vec<char> = text.chars().collect();
        let part: String = slice.indexes().filter_map(|at| chars.get(at)).collect();
        return Ok(Value::str(heap, &part));
    }
    let at = position(object.type_name(), len, key)?;
    let part = text.get(object.text_range(at, 1));
    Ok(Value::str(heap, part.unwrap_or_default()))
}

fn range_index(heap: &mut Heap, range: Gc<Range>, key: Value) -> Outcome {
    let object = Value::Range(range);
    let Some(len) = range.len() else {
        // An endless range has no end to count from.
        return match key {
            Value::Int(index) => match u64::try_from(index).ok().and_then(|at| range.get(at)) {
                Some(number) => Ok(Value::Int(number)),
                None => {
                    let message =
                        format!("an index of an endless range must be 0 or more, but is {index}");
                    Err(diag::Error::new(codes::INDEX, message).into())
                }
            },
            _ => Err(position(object.type_name(), 0, Value::Nil)
                .err()
                .unwrap_or_else(|| not_indexable(&object))),
        };
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if let Value::Range(part) = key {
        let slice = part.select(len);
        let first = range.get(slice.start as u64).unwrap_or(range.start);
        let step = range.step.checked_mul(slice.step);
        let end = step
            .and_then(|step| step.checked_mul(slice.count as i64))
            .and_then(|d| first.checked_add(d));
        return match (step, end) {
            (Some(step), Some(end)) => Ok(Value::Range(Range::new(
                heap,
                first,
                Some(end),
                false,
                step,
            ))),
            _ => Err(diag::Error::new(
                codes::OVERFLOW,
                "the numbers of a range must fit 64 bits, but the end of this slice does not",
            )
            .into()),
        };
    }
    let at = position(object.type_name(), len, key)?;
    let number = range.get(at as u64);
    number
        .map(Value::Int)
        .ok_or_else(|| outside(object.type_name(), len, key))
}

/// The list that takes the place of a slice.
pub fn new_of_slice(value: Value) -> Outcome<Gc<List>> {
    let Value::List(new) = value else {
        let message = format!(
            "a slice can be replaced by a list, but got {}",
            show::kind(&value)
        );
        return Err(diag::Error::new(codes::TYPE, message).into());
    };
    Ok(new)
}

impl Slice {
    /// Whether so many new items can take its place.
    pub fn takes(&self, new: usize) -> Outcome<()> {
        if self.step == 1 || new == self.count {
            return Ok(());
        }
        let count = self.count;
        let message = format!(
            "a slice with a step needs as many new items as it has ({count}), but got {new}"
        );
        Err(diag::Error::new(codes::VALUE, message).into())
    }
}

fn replace_slice(
    context: &mut dyn Context,
    list: Gc<List>,
    range: Gc<Range>,
    value: Value,
) -> Outcome<()> {
    let slice = range.select(list.len());
    let new = new_of_slice(value)?.items().to_values();
    slice.takes(new.len())?;
    list.edit(context.heap(), |items| {
        let values = items.general();
        if slice.step == 1 {
            let end = (slice.start + slice.count).min(values.len());
            values.splice(slice.start.min(end)..end, new);
        } else {
            for (at, item) in slice.indexes().zip(new) {
                if let Some(place) = values.get_mut(at) {
                    *place = item;
                }
            }
        }
        *items = Items::from_values(std::mem::take(values));
    });
    Ok(())
}

const ERROR_FIELDS: [&str; 6] = ["kind", "message", "process", "cause", "causes", "trace"];

fn error_field(context: &mut dyn Context, error: Gc<ErrorValue>, name: &str) -> Option<Value> {
    let own = error.attributes.iter().find(|(own, _)| &**own == name);
    if let Some((_, value)) = own {
        return Some(*value);
    }
    let report = &error.report;
    if let Some((_, field)) = report.fields.iter().find(|(field, _)| field == name) {
        return Some(from_field(context.heap(), field));
    }
    match name {
        "kind" => Some(Value::str(context.heap(), &report.kind)),
        "message" => Some(Value::str(context.heap(), &report.message)),
        "cause" => match (error.cause, report.causes.first()) {
            (Value::Nil, Some(cause)) => Some(from_report(context.heap(), cause)),
            (cause, _) => Some(cause),
        },
        "causes" => {
            let own = Some(error.cause).filter(|cause| matches!(cause, Value::Error(_)));
            let mut causes: Vec<Value> = own.into_iter().collect();
            for cause in &report.causes {
                causes.push(from_report(context.heap(), cause));
            }
            Some(Value::list(context.heap(), causes))
        }
        "process" => match &report.process {
            Some(tag) => {
                let name = Field::Text(tag.name.clone());
                let pid = Field::Int(i64::from(tag.pid));
                let tag = Field::Map(vec![("name".into(), name), ("pid".into(), pid)]);
                Some(from_field(context.heap(), &tag))
            }
            None => Some(Value::Nil),
        },
        "trace" => {
            let frames = report.trace.iter().map(|frame| {
                let function = Field::Text(frame.function.clone());
                let place = Field::Text(context.describe(frame.span));
                Field::Map(vec![("function".into(), function), ("place".into(), place)])
            });
            let frames = Field::List(frames.collect());
            Some(from_field(context.heap(), &frames))
        }
        _ => None,
    }
}

/// An error of which only the report is left.
fn from_report(heap: &mut Heap, report: &diag::Error) -> Value {
    let report = Box::new(report.clone());
    Value::Error(ErrorValue::new(heap, report, Vec::new(), Value::Nil))
}

/// A fact of a report as a value.
pub fn from_field(heap: &mut Heap, field: &Field) -> Value {
    match field {
        Field::Nil => Value::Nil,
        Field::Bool(b) => Value::Bool(*b),
        Field::Int(i) => Value::Int(*i),
        Field::Float(f) => Value::Float(*f),
        Field::Text(text) => Value::str(heap, text),
        Field::List(items) => {
            let items = items.iter().map(|item| from_field(heap, item)).collect();
            Value::list(heap, items)
        }
        Field::Map(entries) => {
            let mut table = Table::default();
            for (name, field) in entries {
                let key = Value::str(heap, name);
                let value = from_field(heap, field);
                table.insert(key, value);
            }
            Value::Map(Map::new(heap, table))
        }
    }
}

fn code_field(heap: &mut Heap, object: Value, name: &str) -> Option<Value> {
    let (own, doc) = match object {
        Value::Fn(f) => (
            f.proto.name.to_string(),
            f.proto.doc.as_deref().map(str::to_string),
        ),
        Value::Native(f) => (f.name.to_string(), Some(f.doc.to_string())),
        Value::Host(f) => (f.name.to_string(), None),
        Value::Struct(of) => (of.name.to_string(), of.doc.as_deref().map(str::to_string)),
        _ => return None,
    };
    match name {
        "name" => Some(Value::str(heap, &own)),
        "doc" => Some(doc.map_or(Value::Nil, |doc| Value::str(heap, &doc))),
        _ => None,
    }
}

fn not_indexable(object: &Value) -> Fault {
    let message = format!(
        "`[ ]` needs a list, a map, a str, bytes or a range, but got {}",
        show::kind(object)
    );
    diag::Error::new(codes::TYPE, message).into()
}

fn not_settable(object: &Value) -> Fault {
    let message = match object {
        Value::Short(_) | Value::Str(_) | Value::Bytes(_) | Value::Range(_) => {
            format!(
                "`[ ] = ...` needs a list or a map, but got {}, which never changes",
                show::kind(object)
            )
        }
        _ => format!(
            "`[ ] = ...` needs a list or a map, but got {}",
            show::kind(object)
        ),
    };
    diag::Error::new(codes::TYPE, message).into()
}

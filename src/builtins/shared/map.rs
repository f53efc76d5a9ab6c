//! Shared maps as values.

use super::{Tries, copy, identity, look, pack_key, pack_nested, unpack};
use crate::builtins::{Table, arguments};
use crate::diag;
use crate::limits::MAX_SUGGESTED;
use crate::operator::BinaryOp;
use crate::process;
use crate::process::shared::map::Map;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::map as plain;
use crate::value::native::{Args, Context, Fault, Native, NativeIter, Outcome};
use crate::value::show::Check;
use crate::value::{Value, access, operate};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

pub static METHODS: Table = natives! {
    "clear" () clear, "Removes all entries.";
    "contains" ("key") contains, "Whether the map has a key.";
    "copy" () copy_of, "A plain map of the entries; shared lists and maps in it become plain ones.";
    "get" ("key", "default?") get, "The value of a key; the default, or nil, when there is no such key.";
    "has" ("key") contains, "Whether the map has a key.";
    "items" () items, "A list of pairs [key, value], as they are at one instant.";
    "keys" () keys, "A list of the keys.";
    "len" () len, "How many entries there are.";
    "pop" ("key", "default?") pop, "Removes a key and gives its value; the default, or KeyError, when there is no such key.";
    "remove" ("key", "default?") pop, "Removes a key and gives its value; the default, or KeyError, when there is no such key.";
    "set" ("key", "value") set, "Sets the value of a key.";
    "setdefault" ("key", "default?") setdefault, "The value of a key, which is set to the default (or nil) first when it is not there.";
    "update" ("other", "first?", "function?") update, "Takes over the entries of another map; as `update(key, first, function)` sets the value of a key to `function(value)`, from `first` on, in one atomic step, and gives it. The function is called again when the value has changed meanwhile.";
    "values" () values, "A list of the values.";
};

/// A shared map as a value.
pub struct MapHandle(pub Map);

impl Handle for MapHandle {
    fn type_name(&self) -> &'static str {
        "shared map"
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

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        let key = Value::str(context.heap(), name);
        read(context, &self.0, key)
    }

    fn set_attribute(&self, context: &mut dyn Context, name: &str, value: Value) -> Outcome<bool> {
        let key = Value::str(context.heap(), name);
        self.set_index(context, key, value)
    }

    fn update_attribute(
        &self,
        context: &mut dyn Context,
        name: &str,
        op: BinaryOp,
        operand: Value,
    ) -> Outcome<Option<Value>> {
        let key = Value::str(context.heap(), name);
        self.update_index(context, key, op, operand)
    }

    fn index(&self, context: &mut dyn Context, key: Value) -> Outcome<Option<Value>> {
        match read(context, &self.0, key)? {
            Some(value) => Ok(Some(value)),
            None => Err(absent(context, &self.0, key)?),
        }
    }

    fn set_index(&self, context: &mut dyn Context, key: Value, value: Value) -> Outcome<bool> {
        let key = pack_key(context, key)?;
        let packed = pack_nested(context, value)?;
        self.0.set(key.item(), packed.item())?;
        Ok(true)
    }

    fn update_index(
        &self,
        context: &mut dyn Context,
        key: Value,
        op: BinaryOp,
        operand: Value,
    ) -> Outcome<Option<Value>> {
        change(context, &self.0, key, None, |context, value| {
            operate::binary(context.heap(), op, value, operand)
        })
        .map(Some)
    }

    fn len(&self, _: &mut dyn Context) -> Outcome<Option<usize>> {
        Ok(Some(self.0.len(process::start()?) as usize))
    }

    fn contains(&self, context: &mut dyn Context, item: Value) -> Outcome<Option<bool>> {
        Ok(Some(read(context, &self.0, item)?.is_some()))
    }

    fn iterate(&self, context: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        Ok(Some(Rc::new(Entries {
            entries: entries(context, &self.0)?,
            next: Cell::new(0),
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Goes over keys (with their values) that were read at one instant.
struct Entries {
    entries: Vec<(Value, Value)>,
    next: Cell<usize>,
}

impl NativeIter for Entries {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        let at = self.next.get();
        self.next.set(at + 1);
        Ok(self.entries.get(at).map(|&(key, _)| key))
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.entries)
    }

    fn value(&self) -> Option<Value> {
        let last = self.next.get().checked_sub(1)?;
        self.entries.get(last).map(|&(_, value)| value)
    }

    fn is_at_hand(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        for &(key, value) in &self.entries {
            marker.value(key);
            marker.value(value);
        }
    }
}

/// The value of a key.
fn read(context: &mut dyn Context, map: &Map, key: Value) -> Outcome<Option<Value>> {
    let arena = process::start()?;
    let key = pack_key(context, key)?;
    let (_, value) = map.read(arena, key.item(), |content| unpack(context, content));
    value.transpose()
}

/// Keys and values at one instant.
pub fn entries(context: &mut dyn Context, map: &Map) -> Outcome<Vec<(Value, Value)>> {
    let arena = process::start()?;
    let mut entries = Vec::new();
    let mut failed = None;
    map.read_all(arena, |key, value| {
        let entry = unpack(context, key).and_then(|key| Ok((key, unpack(context, value)?)));
        match entry {
            Ok(entry) => entries.push(entry),
            Err(fault) => failed = failed.take().or(Some(fault)),
        }
    });
    match failed {
        Some(fault) => Err(fault),
        None => Ok(entries),
    }
}

/// The error of a key that is not there, with the nearest one.
fn absent(context: &mut dyn Context, map: &Map, key: Value) -> Outcome<Fault> {
    let mut table = plain::Table::default();
    if map.len(process::start()?) <= MAX_SUGGESTED as u64 {
        for (key, value) in entries(context, map)? {
            table.insert(key, value);
        }
    }
    Ok(access::no_key(&table, key))
}

/// Replaces the value of a key by what a function makes of it, until nobody has come in between. A key that is not there
/// begins with `first`; without one it is an error.
fn change(
    context: &mut dyn Context,
    map: &Map,
    key: Value,
    first: Option<Value>,
    mut compute: impl FnMut(&mut dyn Context, Value) -> Outcome,
) -> Outcome {
    let arena = process::start()?;
    let packed_key = pack_key(context, key)?;
    let mut tries = Tries::new();
    loop {
        let (stamp, old) = map.read(arena, packed_key.item(), |content| unpack(context, content));
        let old = match (old, first) {
            (Some(old), _) => old?,
            (None, Some(first)) => first,
            (None, None) => return Err(absent(context, map, key)?),
        };
        let new = compute(context, old)?;
        let packed = pack_nested(context, new)?;
        if map.replace(packed_key.item(), Some(stamp), packed.item())? {
            return Ok(new);
        }
        tries.again(context, map.id())?;
    }
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Map> {
    match value.as_handle::<MapHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "a shared map", value)),
    }
}

fn get(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = read(context, receiver("get", &args[0])?, args[1])?;
    Ok(match (found, args[2]) {
        (Some(value), _) => value,
        (None, Value::Undef) => Value::Nil,
        (None, default) => default,
    })
}

fn set(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver("set", &args[0])?;
    let key = pack_key(context, args[1])?;
    let value = pack_nested(context, args[2])?;
    map.set(key.item(), value.item())?;
    Ok(Value::Nil)
}

fn setdefault(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver("setdefault", &args[0])?;
    let arena = process::start()?;
    let first = match args[2] {
        Value::Undef => Value::Nil,
        first => first,
    };
    let key = pack_key(context, args[1])?;
    let packed = pack_nested(context, first)?;
    loop {
        let (stamp, old) = map.read(arena, key.item(), |content| unpack(context, content));
        if let Some(old) = old {
            return old;
        }
        if map.replace(key.item(), Some(stamp), packed.item())? {
            break;
        }
        context.poll()?;
    }
    // What was put in may have become a shared container.
    read(context, map, args[1]).map(|value| value.unwrap_or(first))
}

fn pop(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver("remove", &args[0])?;
    let arena = process::start()?;
    let key = pack_key(context, args[1])?;
    match map.remove(arena, key.item(), |content| unpack(context, content))? {
        Some(value) => value,
        None => match args[2] {
            Value::Undef => Err(absent(context, map, args[1])?),
            default => Ok(default),
        },
    }
}

fn update(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver("update", &args[0])?;
    if matches!(args[3], Value::Undef) {
        let shared = args[1].as_handle::<MapHandle>();
        let other = match (shared, args[1]) {
            (Some(other), _) => entries(context, &other.0)?,
            (None, Value::Map(other)) => other.table().iter().collect(),
            _ => {
                let expected = "a map (or a key, a first value and a function)";
                return Err(arguments::wrong("update", "other", expected, &args[1]));
            }
        };
        for (key, value) in other {
            let key = pack_key(context, key)?;
            let value = pack_nested(context, value)?;
            map.set(key.item(), value.item())?;
        }
        return Ok(Value::Nil);
    }
    let function = arguments::callable("update", "function", &args[3])?;
    let first = match args[2] {
        Value::Undef => Value::Nil,
        first => first,
    };
    change(context, map, args[1], Some(first), |context, value| {
        let new = context.call(function, &[value])?;
        context.protect(new);
        Ok(new)
    })
}

fn contains(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = read(context, receiver("contains", &args[0])?, args[1])?;
    Ok(Value::Bool(found.is_some()))
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let len = receiver("len", &args[0])?.len(process::start()?);
    Ok(Value::Int(len as i64))
}

fn clear(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("clear", &args[0])?.clear()?;
    Ok(Value::Nil)
}

fn copy_of(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    copy(context, args[0])
}

fn keys(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let entries = entries(context, receiver("keys", &args[0])?)?;
    let keys = entries.into_iter().map(|(key, _)| key).collect();
    Ok(Value::list(context.heap(), keys))
}

fn values(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let entries = entries(context, receiver("values", &args[0])?)?;
    let values = entries.into_iter().map(|(_, value)| value).collect();
    Ok(Value::list(context.heap(), values))
}

fn items(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let entries = entries(context, receiver("items", &args[0])?)?;
    let mut pairs = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        pairs.push(Value::list(context.heap(), vec![key, value]));
    }
    Ok(Value::list(context.heap(), pairs))
}

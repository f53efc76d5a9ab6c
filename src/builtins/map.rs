//! Methods of maps.

use super::{Table, arguments, convert, gather};
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::map::{self, Map};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, access};

/// Sorted by name.
pub static METHODS: Table = natives! {
    "clear" () clear, "Removes all entries.";
    "contains" ("key") contains, "Whether the map has a key.";
    "copy" () copy, "A new map of the same entries.";
    "each" ("function") each, "Calls `function(key, value)` for each entry.";
    "filter" ("function") filter, "A new map of the entries for which `function(key, value)` answers true.";
    "get" ("key", "default?") get, "The value of a key; the default, or nil, when there is no such key.";
    "has" ("key") contains, "Whether the map has a key.";
    "items" () items, "A list of pairs [key, value].";
    "keys" () keys, "A list of the keys.";
    "len" () len, "How many entries there are.";
    "map" ("function") map_values, "A new map with `function(key, value)` for each key.";
    "pop" ("key", "default?") pop, "Removes a key and gives its value; the default, or KeyError, when there is no such key.";
    "remove" ("key") pop, "Removes a key and gives its value; KeyError when there is no such key.";
    "setdefault" ("key", "default?") setdefault, "The value of a key, which is set to the default (or nil) first when it is not there.";
    "update" ("other", "first?", "function?") update, "Takes over the entries of another map; as `update(key, first, function)` stores `function(value)` under the key (`function(first)` when it is not there) and gives it.";
    "values" () values, "A list of the values.";
};

fn receiver(args: Args<'_>) -> Outcome<Gc<Map>> {
    arguments::map("map", "self", &args[0])
}

fn clear(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver(args)?.edit(context.heap(), map::Table::clear);
    Ok(Value::Nil)
}

fn contains(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        receiver(args)?.table().position(&args[1]).is_some(),
    ))
}

fn copy(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let table = receiver(args)?.table().clone();
    Ok(Value::Map(Map::new(context.heap(), table)))
}

/// Calls a function with key and value of the entries as they are now, and `step` with the entry and the answer.
fn each_entry(
    context: &mut dyn Context,
    name: &str,
    args: Args<'_>,
    mut step: impl FnMut(&mut dyn Context, Value, Value, Value),
) -> Outcome<()> {
    let function = arguments::callable(name, "function", &args[1])?;
    let table = receiver(args)?.table().clone();
    let entries = Map::new(context.heap(), table);
    context.protect(Value::Map(entries));
    for (key, value) in entries.table().iter() {
        let answer = context.call(function, &[key, value])?;
        step(context, key, value, answer);
    }
    Ok(())
}

fn each(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    each_entry(context, "each", args, |_, _, _, _| {})?;
    Ok(Value::Nil)
}

/// An empty map that is kept alive.
fn kept(context: &mut dyn Context) -> Gc<Map> {
    let map = Map::new(context.heap(), map::Table::default());
    context.protect(Value::Map(map));
    map
}

fn filter(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let result = kept(context);
    each_entry(context, "filter", args, |context, key, value, answer| {
        if answer.truthy() {
            result.edit(context.heap(), |table| table.insert(key, value));
        }
    })?;
    Ok(Value::Map(result))
}

fn get(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    match (receiver(args)?.table().get(&args[1]), args[2]) {
        (Some(value), _) => Ok(value),
        (None, _) if map::hash_key(&args[1]).is_none() => Err(access::bad_key(&args[1])),
        (None, Value::Undef) => Ok(Value::Nil),
        (None, default) => Ok(default),
    }
}

fn items(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver(args)?;
    let heap = context.heap();
    let pairs = map
        .table()
        .iter()
        .map(|(key, value)| Value::list(heap, vec![key, value]));
    let pairs = pairs.collect();
    Ok(Value::list(heap, pairs))
}

fn keys(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let keys = receiver(args)?.table().iter().map(|(key, _)| key).collect();
    Ok(Value::List(List::new(context.heap(), keys)))
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver(args)?.table().len() as i64))
}

fn map_values(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let result = kept(context);
    each_entry(context, "map", args, |context, key, _, answer| {
        result.edit(context.heap(), |table| table.insert(key, answer));
    })?;
    Ok(Value::Map(result))
}

fn pop(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver(args)?;
    let default = args.get(2).copied().unwrap_or(Value::Undef);
    match (
        map.edit(context.heap(), |table| table.remove(&args[1])),
        default,
    ) {
        (Some(value), _) => Ok(value),
        (None, Value::Undef) => Err(access::no_key(map.table(), args[1])),
        (None, default) => Ok(default),
    }
}

fn setdefault(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver(args)?;
    if let Some(value) = map.table().get(&args[1]) {
        return Ok(value);
    }
    let value = match args[2] {
        Value::Undef => Value::Nil,
        value => value,
    };
    if !map.edit(context.heap(), |table| table.insert(args[1], value)) {
        return Err(access::bad_key(&args[1]));
    }
    Ok(value)
}

fn update(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = receiver(args)?;
    if matches!(args[3], Value::Undef) {
        // A copy first: `m.update(m)` must not see its own changes.
        if !matches!(args[1], Value::Map(_)) {
            let pairs = gather::collect(context, "update", args[1])?;
            convert::add_entries(context, "update", "other", args[0], Value::List(pairs))?;
            return Ok(Value::Nil);
        }
        convert::add_entries(context, "update", "other", args[0], args[1])?;
        return Ok(Value::Nil);
    }
    let function = arguments::callable("update", "function", &args[3])?;
    if map::hash_key(&args[1]).is_none() {
        return Err(access::bad_key(&args[1]));
    }
    let before = match (map.table().get(&args[1]), args[2]) {
        (Some(value), _) => value,
        (None, Value::Undef) => Value::Nil,
        (None, first) => first,
    };
    let after = context.call(function, &[before])?;
    map.edit(context.heap(), |table| table.insert(args[1], after));
    Ok(after)
}

fn values(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let values = receiver(args)?
        .table()
        .iter()
        .map(|(_, value)| value)
        .collect();
    Ok(Value::List(List::new(context.heap(), values)))
}

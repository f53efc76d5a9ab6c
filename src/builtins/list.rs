//! Methods of lists that look at or change items.

use super::{Table, arguments, gather, sequences, sorting, text_search};
use crate::diag::{self, codes};
use crate::limits::MAX_ITEMS;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, compare, operate, show};

/// Sorted by name.
pub static METHODS: Table = natives! {
    "append" ("item") push, "Adds an item at the end (as push).";
    "clear" () clear, "Removes all items.";
    "contains" ("item") contains, "Whether the list has an item.";
    "copy" () copy, "A new list of the same items.";
    "count" ("item") count, "How often an item stands in the list.";
    "extend" ("items") extend, "Adds all items of something else at the end.";
    "first" ("default?") first, "The first item; of an empty list the default, or IndexError.";
    "index" ("item", "start?") index, "The index of an item; ValueError when it is not there.";
    "insert" ("index", "item") insert, "Puts an item in front of the one at an index.";
    "join" ("sep?") join, "The items as one text with a separator between them.";
    "last" ("default?") last, "The last item; of an empty list the default, or IndexError.";
    "len" () len, "How many items there are.";
    "pop" ("index?") pop, "Removes the last item, or the one at an index, and gives it.";
    "push" ("item") push, "Adds an item at the end.";
    "remove" ("item") remove, "Removes the first item that is equal; ValueError when there is none.";
    "reverse" () reverse, "Turns the list round, in place.";
    "slice" ("start?", "end?") slice, "A new list of the items from a start up to an end.";
    "sort" ("key?", "reverse?") sort, "Sorts the list in place, by `key(item)` when a key is given.";
};

/// The receiver of a list method.
pub fn receiver(args: Args<'_>) -> Outcome<Gc<List>> {
    match args[0] {
        Value::List(list) => Ok(list),
        ref other => Err(arguments::wrong("list", "self", "a list", other)),
    }
}

fn clear(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver(args)?.edit(context.heap(), |items| *items = Items::Any(Vec::new()));
    Ok(Value::Nil)
}

/// The index of the first item from `start` on that is equal.
fn find(list: Gc<List>, item: Value, start: usize) -> Option<usize> {
    if let (Items::Ints(ints), Value::Int(wanted)) = (list.items(), item) {
        let rest = ints.get(start..)?;
        return rest.iter().position(|&i| i == wanted).map(|at| start + at);
    }
    (start..list.len()).find(|&at| {
        list.get(at)
            .is_some_and(|found| compare::equals(found, item))
    })
}

fn absent(function: &str, item: Value) -> Fault {
    let message = format!(
        "{function}: the list must contain {}, but does not",
        show::repr(item)
    );
    diag::Error::new(codes::VALUE, message).into()
}

fn contains(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(find(receiver(args)?, args[1], 0).is_some()))
}

fn copy(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let items = receiver(args)?.items().clone();
    Ok(Value::List(List::from_items(context.heap(), items)))
}

fn count(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let equal = |at: &usize| {
        list.get(*at)
            .is_some_and(|found| compare::equals(found, args[1]))
    };
    Ok(Value::Int((0..list.len()).filter(equal).count() as i64))
}

fn extend(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    // A copy first: `xs.extend(xs)` must end.
    let more = gather::collect(context, "extend", args[1])?;
    operate::within("extend", list.len() + more.len(), MAX_ITEMS)?;
    make_room(
        context,
        "extend",
        list.items().bytes() + more.items().bytes(),
    )?;
    list.edit(context.heap(), |items| items.extend(more.items()));
    Ok(Value::Nil)
}

fn first(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    edge("first", receiver(args)?.get(0), args[1])
}

fn last(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    edge(
        "last",
        list.len().checked_sub(1).and_then(|at| list.get(at)),
        args[1],
    )
}

fn edge(function: &str, found: Option<Value>, default: Value) -> Outcome {
    match (found, default) {
        (Some(item), _) => Ok(item),
        (None, Value::Undef) => Err(empty(function)),
        (None, default) => Ok(default),
    }
}

fn empty(function: &str) -> Fault {
    let message = format!("{function}: the list must have an item, but is empty");
    diag::Error::new(codes::INDEX, message).into()
}

fn index(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let start = match arguments::given(&args[2]) {
        Some(start) => clamp(arguments::int("index", "start", start)?, list.len()),
        None => 0,
    };
    match find(list, args[1], start) {
        Some(at) => Ok(Value::Int(at as i64)),
        None => Err(absent("index", args[1])),
    }
}

/// An index from the end when negative, moved into the list when outside.
fn clamp(index: i64, len: usize) -> usize {
    let index = if index < 0 {
        index.saturating_add(len as i64)
    } else {
        index
    };
    usize::try_from(index).unwrap_or(0).min(len)
}

fn insert(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let at = clamp(arguments::int("insert", "index", &args[1])?, list.len());
    operate::within("insert", list.len() + 1, MAX_ITEMS)?;
    make_boxable(context, "insert", list, args[2])?;
    list.edit(context.heap(), |items| match (&mut *items, args[2]) {
        (Items::Ints(ints), Value::Int(i)) => ints.insert(at, i),
        (Items::Floats(floats), Value::Float(f)) => floats.insert(at, f),
        (Items::Bools(bools), Value::Bool(b)) => bools.insert(at, b),
        (items, item) if items.is_empty() => items.push(item),
        (items, item) => items.general().insert(at, item),
    });
    Ok(Value::Nil)
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let separator = match arguments::given(&args[1]) {
        Some(separator) => arguments::text("join", "sep", separator)?,
        None => "",
    };
    text_search::join_items(context, separator, args[0])
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver(args)?.len() as i64))
}

fn pop(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let len = list.len();
    if len == 0 {
        return Err(empty("pop"));
    }
    let at = match arguments::given(&args[1]) {
        None => len - 1,
        Some(index) => {
            let number = arguments::int("pop", "index", index)?;
            let at = if number < 0 {
                number.saturating_add(len as i64)
            } else {
                number
            };
            match usize::try_from(at) {
                Ok(at) if at < len => at,
                _ => {
                    let rule = format!("must be from -{len} to {}", len - 1);
                    let message = format!(
                        "pop: `index` {rule} for this list of {len} items, but is {number}"
                    );
                    return Err(diag::Error::new(codes::INDEX, message).into());
                }
            }
        }
    };
    Ok(list.edit(context.heap(), |items| match items {
        Items::Any(values) => values.remove(at),
        Items::Ints(ints) => Value::Int(ints.remove(at)),
        Items::Floats(floats) => Value::Float(floats.remove(at)),
        Items::Bools(bools) => Value::Bool(bools.remove(at)),
    }))
}

fn push(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    make_boxable(context, "push", list, args[1])?;
    list.push(context.heap(), args[1]);
    Ok(Value::Nil)
}

/// Makes room for a long list of unboxed items to become one of values, where `item` is of another kind.
#[inline]
fn make_boxable(
    context: &mut dyn Context,
    function: &str,
    list: Gc<List>,
    item: Value,
) -> Outcome<()> {
    match list.items().boxes_for(item) {
        true => make_room(context, function, list.len() * 16),
        false => Ok(()),
    }
}

fn remove(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let Some(at) = find(list, args[1], 0) else {
        return Err(absent("remove", args[1]));
    };
    list.edit(context.heap(), |items| match items {
        Items::Any(values) => drop(values.remove(at)),
        Items::Ints(ints) => drop(ints.remove(at)),
        Items::Floats(floats) => drop(floats.remove(at)),
        Items::Bools(bools) => drop(bools.remove(at)),
    });
    Ok(Value::Nil)
}

fn reverse(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    sequences::reverse(context, receiver(args)?);
    Ok(Value::Nil)
}

fn slice(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let bound = |at: usize, name, default| match arguments::given(&args[at]) {
        Some(index) => Ok(clamp(arguments::int("slice", name, index)?, list.len())),
        None => Ok::<_, Fault>(default),
    };
    let (start, end) = (bound(1, "start", 0)?, bound(2, "end", list.len())?);
    let part = crate::value::list::Slice {
        start,
        count: end.saturating_sub(start),
        step: 1,
    };
    make_room(context, "slice", part.count.saturating_mul(16))?;
    let items = list.items().slice(part);
    Ok(Value::List(List::from_items(context.heap(), items)))
}

fn sort(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver(args)?;
    let (key, reverse) = sequences::sort_options("sort", &args[1], &args[2])?;
    let len = list.len();
    make_room(context, "sort", list.items().bytes())?;
    let private = gather::copy(context, list);
    let sorted = sorting::sorted(context, private, key, reverse)?;
    if list.len() != len {
        let message = "sort: the list must stay as it is while its keys are computed, but its length has changed";
        return Err(diag::Error::new(codes::VALUE, message).into());
    }
    list.edit(context.heap(), |items| *items = sorted);
    Ok(Value::Nil)
}

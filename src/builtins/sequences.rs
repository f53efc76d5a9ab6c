//! Functions over everything that can be gone through.

use super::lazy::{Calls, Enumerate, Zip};
use super::{Table, arguments, gather, lazy, sorting};
use crate::diag::{self, codes};
use crate::operator::BinaryOp;
use crate::value::list::{Items, List, Range};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, compare, operate, show};
use std::cell::Cell;
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "all" ("items") all, "Whether every item is true; true when there is none.";
    "any" ("items") any, "Whether some item is true; false when there is none.";
    "enumerate" ("items", "start?") enumerate, "Goes through pairs [number, item], counted from 0 or from `start`.";
    "iterate" ("source") iterate, "A lazy source: calls a function for each item until it raises EndOfStream; of anything else, its iterator.";
    "len" ("value") len, "How many items, characters or bytes something has.";
    "max" ("...values", "key?", "default?") max, "The largest of the values, or of the items of the only one.";
    "min" ("...values", "key?", "default?") min, "The smallest of the values, or of the items of the only one.";
    "range" ("start", "end?", "step?") range, "The numbers from 0 up to an end, or from a start up to an end with a step; the end is left out.";
    "reversed" ("items") reversed, "A list of the items from the last to the first.";
    "sorted" ("items", "key?", "reverse?") sorted, "A list of the items in order, of `key(item)` when a key is given.";
    "sum" ("items", "start?") sum, "The items added up.";
    "zip" ("...sources") zip, "Goes through lists of the items that stand at the same place, until one source ends.";
};

fn all(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    find_truth(context, args[0], false).map(|found| Value::Bool(!found))
}

fn any(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    find_truth(context, args[0], true).map(Value::Bool)
}

/// Whether some item is as true as `wanted`.
fn find_truth(context: &mut dyn Context, items: Value, wanted: bool) -> Outcome<bool> {
    let mut found = false;
    gather::each(context, items, |_, item| {
        found = item.truthy() == wanted;
        Ok(if found {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    Ok(found)
}

fn enumerate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let start = match arguments::given(&args[1]) {
        Some(start) => arguments::int("enumerate", "start", start)?,
        None => 0,
    };
    let source = lazy::check_depth(context.iterate(args[0])?)?;
    Ok(lazy::value(
        context,
        Enumerate {
            source,
            next: Cell::new(Some(start)),
        },
    ))
}

fn iterate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if let Ok(function) = arguments::callable("iterate", "source", &args[0]) {
        let ended = Cell::new(false);
        return Ok(lazy::value(context, Calls { function, ended }));
    }
    let iterator = context.iterate(args[0])?;
    let boxed = crate::value::native::IterBox::new(context.heap(), iterator);
    Ok(Value::Iter(boxed))
}

fn len(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match length(context, args[0])? {
        Some(len) => Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX))),
        None => {
            let expected =
                "a list, a map, a set, a range, a str, bytes or something else with a length";
            Err(arguments::wrong("len", "value", expected, &args[0]))
        }
    }
}

/// How many items a value has; `None` when it has no length.
pub fn length(context: &mut dyn Context, value: Value) -> Outcome<Option<usize>> {
    Ok(Some(match value {
        Value::Short(_) | Value::Str(_) => value.text_len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.table().len(),
        Value::Set(set) => set.table().len(),
        Value::Bytes(bytes) => bytes.data().len(),
        Value::Range(range) => match range.len() {
            Some(len) => usize::try_from(len).unwrap_or(usize::MAX),
            None => {
                return Err(gather::endless("len", &value));
            }
        },
        Value::Handle(handle) => return handle.share().len(context),
        _ => return Ok(None),
    }))
}

fn max(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    extreme(context, "max", args, Ordering::Greater)
}

fn min(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    extreme(context, "min", args, Ordering::Less)
}

fn extreme(context: &mut dyn Context, function: &str, args: Args<'_>, wanted: Ordering) -> Outcome {
    let (key, default, values) = (&args[0], args[1], &args[2..]);
    let items = match values {
        [] => {
            let message = format!("{function}: at least one value is needed, but got none");
            return Err(diag::Error::new(codes::CALL, message).into());
        }
        [only] => *only,
        several => {
            let list = List::new(context.heap(), several.to_vec());
            context.protect(Value::List(list));
            Value::List(list)
        }
    };
    extreme_of(
        context,
        function,
        items,
        arguments::given(key),
        default,
        wanted,
    )
}

/// The item before (or behind) all others; of equal ones the first. `default` (unless `Undef`) answers for no items.
pub fn extreme_of(
    context: &mut dyn Context,
    function: &str,
    items: Value,
    key: Option<&Value>,
    default: Value,
    wanted: Ordering,
) -> Outcome {
    let key = match key {
        Some(key) => Some(arguments::callable(function, "key", key)?),
        None => None,
    };
    let (best, best_key, asked) = (
        gather::Slot::new(context),
        gather::Slot::new(context),
        gather::Slot::new(context),
    );
    let mut any = false;
    gather::every(context, function, items, |context, item| {
        let rank = match key {
            Some(key) => {
                asked.keep(context, item);
                context.call(key, &[item])?
            }
            None => item,
        };
        let better = !any || {
            let order = compare::order(rank, best_key.get());
            order.ok_or_else(|| operate::unordered(function, best_key.get(), rank))? == wanted
        };
        if better {
            any = true;
            best.keep(context, item);
            best_key.keep(context, rank);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    match (any, default) {
        (true, _) => Ok(best.get()),
        (false, Value::Undef) => {
            let message = format!("{function}: at least one item is needed, but there is none");
            let error = diag::Error::new(codes::VALUE, message);
            Err(error
                .with_help(format!(
                    "{function}(items, default: 0) answers for no items"
                ))
                .into())
        }
        (false, default) => Ok(default),
    }
}

fn range(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let int = |at: usize, name| arguments::int("range", name, &args[at]);
    let (start, end) = match &args[1] {
        Value::Undef => (0, Some(int(0, "end")?)),
        Value::Nil => (int(0, "start")?, None),
        _ => (int(0, "start")?, Some(int(1, "end")?)),
    };
    let step = if arguments::given(&args[2]).is_some() {
        int(2, "step")?
    } else {
        1
    };
    if step == 0 {
        return Err(arguments::refuse(
            "range",
            "step",
            "must not be 0",
            &args[2],
        ));
    }
    Ok(Value::Range(Range::new(
        context.heap(),
        start,
        end,
        false,
        step,
    )))
}

fn reversed(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = gather::collect(context, "reversed", args[0])?;
    reverse(context, list);
    Ok(Value::List(list))
}

/// Turns a list round.
pub fn reverse(context: &mut dyn Context, list: crate::value::heap::Gc<List>) {
    list.edit(context.heap(), |items| match items {
        Items::Any(v) => v.reverse(),
        Items::Ints(v) => v.reverse(),
        Items::Floats(v) => v.reverse(),
        Items::Bools(v) => v.reverse(),
    });
}

fn sorted(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = gather::collect(context, "sorted", args[0])?;
    let (key, reverse) = sort_options("sorted", &args[1], &args[2])?;
    let items = sorting::sorted(context, list, key, reverse)?;
    Ok(Value::List(List::from_items(context.heap(), items)))
}

/// The options of `sorted` and `list.sort`.
pub fn sort_options(
    function: &str,
    key: &Value,
    reverse: &Value,
) -> Outcome<(Option<Value>, bool)> {
    let key = match arguments::given(key) {
        Some(key) => Some(arguments::callable(function, "key", key)?),
        None => None,
    };
    let reverse = match arguments::given(reverse) {
        Some(reverse) => arguments::boolean(function, "reverse", reverse)?,
        None => false,
    };
    Ok((key, reverse))
}

fn sum(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let start = match args[1] {
        Value::Undef => Value::Int(0),
        start => start,
    };
    sum_of(context, args[0], start)
}

/// The items of a value added to a start.
pub fn sum_of(context: &mut dyn Context, items: Value, start: Value) -> Outcome {
    let total = gather::Slot::new(context);
    total.keep(context, start);
    if let (Value::List(list), Value::Int(first)) = (items, start)
        && let Items::Ints(ints) = list.items()
        && let Some(sum) = ints.iter().try_fold(first, |sum, &i| sum.checked_add(i))
    {
        return Ok(Value::Int(sum));
    }
    gather::every(context, "sum", items, |context, item| {
        if item.as_str().is_some() && matches!(total.get(), Value::Int(0)) {
            let message = format!(
                "sum: items must be numbers, but one is {}",
                show::kind(&item)
            );
            let error = diag::Error::new(codes::TYPE, message);
            return Err(error
                .with_help("write `\"\".join(items)` to join texts")
                .into());
        }
        let next = operate::binary(context.heap(), BinaryOp::Add, total.get(), item)?;
        total.keep(context, next);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(total.get())
}

fn zip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let sources: Outcome<Vec<_>> = args
        .iter()
        .map(|source| lazy::check_depth(context.iterate(*source)?))
        .collect();
    let sources = sources?;
    Ok(lazy::value(context, Zip { sources }))
}

//! Methods that go through all items once and answer with one value: the same for lists, sets, ranges and iterators.

use super::{Table, arguments, gather, sequences, text_search};
use crate::diag::{self, codes};
use crate::value::Value;
use crate::value::list::List;
use crate::value::native::{Args, Context, Outcome};
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// Sorted by name. A list's own methods come before these.
pub static METHODS: Table = natives! {
    "all" ("function?") all, "Whether every item is true, or the function answers true for every item.";
    "any" ("function?") any, "Whether some item is true, or the function answers true for some item.";
    "each" ("function") each, "Calls a function with every item.";
    "find" ("function") find, "The first item for which the function answers true; nil when there is none.";
    "join" ("sep?") join, "The items as one text with a separator between them.";
    "list" () list, "A new list of the items.";
    "max" ("key?", "default?") max, "The largest item, of `key(item)` when a key is given.";
    "min" ("key?", "default?") min, "The smallest item, of `key(item)` when a key is given.";
    "reduce" ("function", "start?") reduce, "Folds the items into one value: `function(so_far, item)` for each.";
    "reversed" () reversed, "A new list of the items from the last to the first.";
    "sorted" ("key?", "reverse?") sorted, "A new list of the items in order, of `key(item)` when a key is given.";
    "sum" ("start?") sum, "The items added up.";
    "unique" () unique, "A new list of the items without those that came before.";
};

fn all(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = first_that(context, "all", args, false)?;
    Ok(Value::Bool(found.is_none()))
}

fn any(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = first_that(context, "any", args, true)?;
    Ok(Value::Bool(found.is_some()))
}

/// The first item for which the function (or the item itself) is as true as `wanted`.
fn first_that(
    context: &mut dyn Context,
    name: &str,
    args: Args<'_>,
    wanted: bool,
) -> Outcome<Option<Value>> {
    let function = match arguments::given(&args[1]) {
        Some(function) => Some(arguments::callable(name, "function", function)?),
        None => None,
    };
    let current = gather::Slot::new(context);
    let mut found = false;
    gather::each(context, args[0], |context, item| {
        let truth = match function {
            Some(function) => {
                current.keep(context, item);
                context.call(function, &[item])?
            }
            None => item,
        };
        found = truth.truthy() == wanted;
        if !found {
            return Ok(ControlFlow::Continue(()));
        }
        current.keep(context, item);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found.then(|| current.get()))
}

fn each(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let function = arguments::callable("each", "function", &args[1])?;
    gather::each(context, args[0], |context, item| {
        context.call(function, &[item])?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Value::Nil)
}

fn find(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    arguments::callable("find", "function", &args[1])?;
    Ok(first_that(context, "find", args, true)?.unwrap_or(Value::Nil))
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let separator = match arguments::given(&args[1]) {
        Some(separator) => arguments::text("join", "sep", separator)?,
        None => "",
    };
    text_search::join_items(context, separator, args[0])
}

fn list(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    gather::collect(context, "list", args[0]).map(Value::List)
}

fn max(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let key = arguments::given(&args[1]);
    sequences::extreme_of(context, "max", args[0], key, args[2], Ordering::Greater)
}

fn min(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let key = arguments::given(&args[1]);
    sequences::extreme_of(context, "min", args[0], key, args[2], Ordering::Less)
}

fn reduce(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let function = arguments::callable("reduce", "function", &args[1])?;
    let so_far = gather::Slot::new(context);
    let mut any = !matches!(args[2], Value::Undef);
    so_far.keep(context, args[2]);
    gather::every(context, "reduce", args[0], |context, item| {
        let next = if any {
            context.call(function, &[so_far.get(), item])?
        } else {
            item
        };
        any = true;
        so_far.keep(context, next);
        Ok(ControlFlow::Continue(()))
    })?;
    if any {
        return Ok(so_far.get());
    }
    let message = "reduce: at least one item is needed, but there is none";
    let error = diag::Error::new(codes::VALUE, message);
    Err(error
        .with_help("give a start: `reduce(function, start)`")
        .into())
}

fn reversed(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = gather::collect(context, "reversed", args[0])?;
    sequences::reverse(context, list);
    Ok(Value::List(list))
}

fn sorted(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = gather::collect(context, "sorted", args[0])?;
    let (key, reverse) = sequences::sort_options("sorted", &args[1], &args[2])?;
    let items = super::sorting::sorted(context, list, key, reverse)?;
    Ok(Value::List(List::from_items(context.heap(), items)))
}

fn sum(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let start = match args[1] {
        Value::Undef => Value::Int(0),
        start => start,
    };
    sequences::sum_of(context, args[0], start)
}

fn unique(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut seen = crate::value::map::Table::default();
    // Values that cannot be keys are compared one by one.
    let mut others: Vec<Value> = Vec::new();
    let unique = gather::list(context);
    gather::every(context, "unique", args[0], |context, item| {
        let known = match crate::value::map::hash_key(&item) {
            Some(_) => seen.position(&item).is_some() || !seen.insert(item, Value::Nil),
            None => others
                .iter()
                .any(|&other| crate::value::compare::equals(other, item)),
        };
        if !known {
            if seen.position(&item).is_none() {
                others.push(item);
            }
            unique.push(context.heap(), item);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Value::List(unique))
}

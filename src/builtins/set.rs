//! Methods of sets. Where another set is asked for, everything that can be gone through will do.

use super::{Table, arguments, convert, gather};
use crate::diag::{self, codes};
use crate::operator::BinaryOp;
use crate::value::heap::Gc;
use crate::value::map::{self, Set};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, operate, show};

/// Sorted by name.
pub static METHODS: Table = natives! {
    "add" ("item") add, "Adds an item.";
    "clear" () clear, "Removes all items.";
    "contains" ("item") contains, "Whether the set has an item.";
    "copy" () copy, "A new set of the same items.";
    "difference" ("other") difference, "A new set of the items that another does not have.";
    "discard" ("item") discard, "Removes an item if it is there.";
    "intersection" ("other") intersection, "A new set of the items that both have.";
    "isdisjoint" ("other") isdisjoint, "Whether both have no item in common.";
    "issubset" ("other") issubset, "Whether another has all items of this one.";
    "issuperset" ("other") issuperset, "Whether this one has all items of another.";
    "len" () len, "How many items there are.";
    "pop" () pop, "Removes the item that was added first and gives it.";
    "remove" ("item") remove, "Removes an item; KeyError when it is not there.";
    "symmetric_difference" ("other") symmetric_difference, "A new set of the items that only one of both has.";
    "union" ("other") union, "A new set of the items that either has.";
    "update" ("items") update, "Adds all items of something else.";
};

fn receiver(args: Args<'_>) -> Outcome<Gc<Set>> {
    arguments::set("set", "self", &args[0])
}

/// The other side as a set, made of what it gives when it is none.
fn other(context: &mut dyn Context, function: &str, args: Args<'_>) -> Outcome<Gc<Set>> {
    if let Value::Set(set) = args[1] {
        return Ok(set);
    }
    let set = Set::new(context.heap(), map::Table::default());
    context.protect(Value::Set(set));
    convert::add_items(context, function, Value::Set(set), args[1])?;
    Ok(set)
}

fn combined(context: &mut dyn Context, function: &str, args: Args<'_>, op: BinaryOp) -> Outcome {
    let (set, other) = (receiver(args)?, other(context, function, args)?);
    let table = operate::merge(op, set.table(), other.table()).unwrap_or_default();
    Ok(Value::Set(Set::new(context.heap(), table)))
}

fn compared(context: &mut dyn Context, function: &str, args: Args<'_>, op: BinaryOp) -> Outcome {
    let other = other(context, function, args)?;
    operate::binary(context.heap(), op, args[0], Value::Set(other))
}

fn add(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if receiver(args)?.edit(context.heap(), |table| table.insert(args[1], Value::Nil)) {
        return Ok(Value::Nil);
    }
    Err(convert::bad_item(&args[1]))
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
    Ok(Value::Set(Set::new(context.heap(), table)))
}

fn difference(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    combined(context, "difference", args, BinaryOp::Sub)
}

fn discard(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver(args)?.edit(context.heap(), |table| table.remove(&args[1]));
    Ok(Value::Nil)
}

fn intersection(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    combined(context, "intersection", args, BinaryOp::BitAnd)
}

fn isdisjoint(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (set, other) = (receiver(args)?, other(context, "isdisjoint", args)?);
    let common = set
        .table()
        .iter()
        .any(|(key, _)| other.table().position(&key).is_some());
    Ok(Value::Bool(!common))
}

fn issubset(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    compared(context, "issubset", args, BinaryOp::Le)
}

fn issuperset(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    compared(context, "issuperset", args, BinaryOp::Ge)
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver(args)?.table().len() as i64))
}

fn pop(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let set = receiver(args)?;
    let first = set.table().iter().next();
    match first {
        Some((item, _)) => {
            set.edit(context.heap(), |table| table.remove(&item));
            Ok(item)
        }
        None => {
            Err(diag::Error::new(codes::KEY, "pop: the set must have an item, but is empty").into())
        }
    }
}

fn remove(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let removed = receiver(args)?.edit(context.heap(), |table| table.remove(&args[1]));
    match removed {
        Some(_) => Ok(Value::Nil),
        None => {
            let message = format!(
                "remove: the set must contain {}, but does not",
                show::repr(args[1])
            );
            let error = diag::Error::new(codes::KEY, message);
            Err(error
                .with_help("`discard` removes an item only if it is there")
                .into())
        }
    }
}

fn symmetric_difference(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    combined(context, "symmetric_difference", args, BinaryOp::BitXor)
}

fn union(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    combined(context, "union", args, BinaryOp::BitOr)
}

fn update(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let more = gather::collect(context, "update", args[1])?;
    convert::add_items(context, "update", args[0], Value::List(more))?;
    Ok(Value::Nil)
}

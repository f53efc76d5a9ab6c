//! Methods that make one sequence of another: new lists of lists, sets and ranges that end; lazy iterators of iterators
//! and endless ranges.

use super::lazy::{self, Chunks, Enumerate, Filtered, Mapped, Part, Zip};
use super::{Table, arguments, gather};
use crate::diag::{self, codes};
use crate::limits::{MAX_ITEMS, MAX_VALUE_DEPTH};
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::{Args, Context, NativeIter, Outcome};
use crate::value::{Value, operate};
use std::cell::Cell;
use std::rc::Rc;

/// Sorted by name.
pub static METHODS: Table = natives! {
    "chunks" ("size") chunks, "Lists of so many items each; the last may have fewer.";
    "enumerate" ("start?") enumerate, "Pairs [number, item], counted from 0 or from `start`.";
    "filter" ("function") filter, "The items for which the function answers true.";
    "flatten" ("depth?") flatten, "The items of the lists inside in place of the lists, one level deep or as deep as said.";
    "map" ("function") map, "What the function makes of each item.";
    "skip" ("count") skip, "The items after the first ones.";
    "skip_while" ("function") skip_while, "The items from the first on for which the function does not answer true.";
    "take" ("count") take, "The first items, at most so many.";
    "take_while" ("function") take_while, "The items before the first one for which the function does not answer true.";
    "zip" ("...others") zip, "Lists of the items that stand at the same place, until one side ends.";
};

/// The methods of iterators alone.
pub static ITERATOR: Table = natives! {
    "count" () count, "How many items there are still, by going through them.";
    "next" ("default?") next, "The next item; at the end the default, or EndOfStream.";
};

/// The methods of ranges alone.
pub static RANGE: Table = natives! {
    "contains" ("number") contains, "Whether a number is in the range.";
    "len" () len, "How many numbers the range has.";
    "step" ("step") step, "The range with every so many-th number only.";
};

/// Makes a value of a lazy iterator: the iterator itself where the receiver is lazy, else a list of its items.
fn finish(
    context: &mut dyn Context,
    args: Args<'_>,
    iterator: impl NativeIter + 'static,
) -> Outcome {
    let lazy = match &args[0] {
        Value::Range(range) => range.end.is_none(),
        Value::Iter(_) => true,
        _ => false,
    };
    let iterator = lazy::value(context, iterator);
    if lazy {
        return Ok(iterator);
    }
    context.protect(iterator);
    gather::collect(context, "list", iterator).map(Value::List)
}

fn source(context: &mut dyn Context, args: Args<'_>) -> Outcome<Rc<dyn NativeIter>> {
    lazy::check_depth(gather::open(context, args[0])?)
}

fn chunks(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let size = match arguments::size("chunks", "size", &args[1])? {
        0 => {
            return Err(arguments::refuse(
                "chunks",
                "size",
                "must be 1 or more",
                &args[1],
            ));
        }
        size => size,
    };
    let source = source(context, args)?;
    finish(context, args, Chunks { source, size })
}

fn enumerate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let start = match arguments::given(&args[1]) {
        Some(start) => arguments::int("enumerate", "start", start)?,
        None => 0,
    };
    let source = source(context, args)?;
    finish(
        context,
        args,
        Enumerate {
            source,
            next: Cell::new(Some(start)),
        },
    )
}

fn filtered(context: &mut dyn Context, name: &str, args: Args<'_>, stops: bool) -> Outcome {
    let function = arguments::callable(name, "function", &args[1])?;
    let source = source(context, args)?;
    let ended = Cell::new(false);
    finish(
        context,
        args,
        Filtered {
            source,
            function,
            stops,
            ended,
        },
    )
}

fn filter(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    filtered(context, "filter", args, false)
}

fn take_while(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    filtered(context, "take_while", args, true)
}

fn skip_while(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let function = arguments::callable("skip_while", "function", &args[1])?;
    let source = source(context, args)?;
    finish(
        context,
        args,
        lazy::After {
            source,
            function,
            begun: Cell::new(false),
        },
    )
}

fn flatten(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let depth = match arguments::given(&args[1]) {
        Some(depth) => arguments::size("flatten", "depth", depth)?,
        None => 1,
    };
    let all = gather::collect(context, "flatten", args[0])?;
    let mut flat = Vec::new();
    let depth = depth.min(MAX_VALUE_DEPTH);
    flatten_into(context, &mut flat, all, depth, &mut 0)?;
    Ok(Value::List(List::from_items(
        context.heap(),
        Items::from_values(flat),
    )))
}

/// `seen`: how many items were looked at, lists too. A list that holds itself has no end of them. What is found stays reachable by
/// the lists that it is found in: no script runs meanwhile.
fn flatten_into(
    context: &mut dyn Context,
    flat: &mut Vec<Value>,
    list: Gc<List>,
    depth: usize,
    seen: &mut usize,
) -> Outcome<()> {
    for at in 0..list.len() {
        *seen += 1;
        operate::within("flatten", *seen, MAX_ITEMS)?;
        if seen.is_multiple_of(1024) {
            context.poll()?;
        }
        match list.get(at) {
            Some(Value::List(inner)) if depth > 0 => {
                flatten_into(context, flat, inner, depth - 1, seen)?
            }
            Some(item) => flat.push(item),
            None => {}
        }
    }
    Ok(())
}

fn map(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let function = arguments::callable("map", "function", &args[1])?;
    if let Value::List(list) = args[0] {
        let mapped = gather::list(context);
        let mut at = 0;
        while let Some(item) = list.get(at) {
            let result = context.call(function, &[item])?;
            mapped.push(context.heap(), result);
            at += 1;
        }
        return Ok(Value::List(mapped));
    }
    let source = source(context, args)?;
    finish(context, args, Mapped { source, function })
}

fn skip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let skip = Cell::new(arguments::size("skip", "count", &args[1])?);
    let source = source(context, args)?;
    finish(
        context,
        args,
        Part {
            source,
            skip,
            take: Cell::new(None),
        },
    )
}

fn take(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let take = Cell::new(Some(arguments::size("take", "count", &args[1])?));
    let source = source(context, args)?;
    finish(
        context,
        args,
        Part {
            source,
            skip: Cell::new(0),
            take,
        },
    )
}

fn zip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let sources: Outcome<Vec<_>> = args
        .iter()
        .map(|source| lazy::check_depth(gather::open(context, *source)?))
        .collect();
    let sources = sources?;
    finish(context, args, Zip { sources })
}

fn count(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut count = 0;
    gather::every(context, "count", args[0], |_, _| {
        count += 1;
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(Value::Int(count))
}

fn next(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let source = source(context, args)?;
    match (source.next(context)?, args[1]) {
        (Some(item), _) => Ok(item),
        (None, Value::Undef) => {
            let message = "next: one more item is needed, but the iterator has ended";
            Err(diag::Error::new(codes::END_OF_STREAM, message).into())
        }
        (None, default) => Ok(default),
    }
}

fn contains(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    match (&args[0], &args[1]) {
        (Value::Range(range), Value::Int(i)) => Ok(Value::Bool(range.position(*i).is_some())),
        _ => Err(arguments::wrong("contains", "number", "an int", &args[1])),
    }
}

fn len(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let len = super::sequences::length(context, args[0])?.unwrap_or_default();
    Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX)))
}

fn step(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let by = arguments::int("step", "step", &args[1])?;
    if by < 1 {
        return Err(arguments::refuse(
            "step",
            "step",
            "must be 1 or more",
            &args[1],
        ));
    }
    let Value::Range(range) = args[0] else {
        return Err(arguments::wrong("step", "self", "a range", &args[0]));
    };
    let Some(step) = range.step.checked_mul(by) else {
        return Err(arguments::refuse(
            "step",
            "step",
            "must keep the step within 64 bits",
            &args[1],
        ));
    };
    let (start, end, inclusive) = (range.start, range.end, range.inclusive);
    let stepped = crate::value::list::Range::new(context.heap(), start, end, inclusive, step);
    Ok(Value::Range(stepped))
}

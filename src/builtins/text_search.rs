//! Methods of strings that look for parts: find, count, replace, split, join.

use super::text::receiver;
use super::text_pieces::{lines, max_split, split, splitlines};
use super::{Table, arguments, gather};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::process::signals;
use crate::room;
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::text::{char_count, checked};
use crate::value::{Value, operate, show};
use memchr::memmem;
use std::ops::ControlFlow;

/// Sorted by name.
pub static METHODS: Table = natives! {
    "contains" ("part") contains, "Whether the text has a part.";
    "count" ("part", "start?", "end?") count, "How often a part stands in the text, without overlaps.";
    "endswith" ("suffix") endswith, "Whether the text ends with a suffix, or with one of a list of them.";
    "find" ("part", "start?", "end?") find, "The index of the first place of a part, -1 when there is none.";
    "index" ("part", "start?", "end?") index, "The index of the first place of a part; ValueError when there is none.";
    "join" ("items") join, "The items in a row with this text between them.";
    "lines" () lines, "A list of the lines, without their ends.";
    "partition" ("sep") partition, "A list of what stands before the first separator, the separator, and the rest.";
    "replace" ("old", "new", "count?") replace, "The text with every (or the first `count`) `old` replaced by `new`.";
    "rfind" ("part", "start?", "end?") rfind, "The index of the last place of a part, -1 when there is none.";
    "rindex" ("part", "start?", "end?") rindex, "The index of the last place of a part; ValueError when there is none.";
    "rpartition" ("sep") rpartition, "A list of what stands before the last separator, the separator, and the rest.";
    "rsplit" ("sep?", "maxsplit?") rsplit, "A list of the parts between separators, cut from the end at most `maxsplit` times.";
    "split" ("sep?", "maxsplit?") split, "A list of the parts between separators (of white space when none is given), cut at most `maxsplit` times.";
    "splitlines" () splitlines, "A list of the lines, without their ends; as in Python a carriage return alone ends a line too.";
    "startswith" ("prefix") startswith, "Whether the text starts with a prefix, or with one of a list of them.";
};

fn contains(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let part = arguments::text("contains", "part", &args[1])?;
    Ok(Value::Bool(receiver(args).contains(part)))
}

/// The part of the receiver from `start` to `end` (characters, from the end when negative), and the index it begins at;
/// `None` when it would begin behind its end or that of the text, where not even an empty text stands.
fn window<'a>(function: &str, args: Args<'a>) -> Outcome<Option<(&'a str, usize)>> {
    let len = args[0].text_len();
    let bound = |at: usize, name, default| match arguments::given(&args[at]) {
        None => Ok::<usize, Fault>(default),
        Some(value) => {
            let index = arguments::int(function, name, value)?;
            let index = if index < 0 {
                index.saturating_add(len as i64)
            } else {
                index
            };
            Ok(usize::try_from(index).unwrap_or(0))
        }
    };
    let (start, end) = (bound(2, "start", 0)?, bound(3, "end", len)?.min(len));
    if start > end {
        return Ok(None);
    }
    let bytes = args[0].text_range(start, end - start);
    Ok(Some((receiver(args).get(bytes).unwrap_or_default(), start)))
}

fn count(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let part = arguments::text("count", "part", &args[1])?;
    let text = window("count", args)?;
    let count = text.map_or(Ok(0), |(text, _)| occurrences(text, part))?;
    Ok(Value::Int(count as i64))
}

/// Where a part stands in a text, without overlaps; an empty one stands before each character and at the end.
fn places<'t>(text: &'t str, part: &'t str) -> impl Iterator<Item = usize> + 't {
    let found = memmem::find_iter(text.as_bytes(), part);
    found.filter(|&at| text.is_char_boundary(at))
}

/// How often a part stands in a text, without overlaps.
fn occurrences(text: &str, part: &str) -> Outcome<usize> {
    let mut count = 0;
    for _ in places(text, part) {
        count += 1;
        signals::check_urgent()?;
    }
    Ok(count)
}

/// The character index of a part.
fn place(function: &str, args: Args<'_>, last: bool) -> Outcome<Option<i64>> {
    let part = arguments::text(function, "part", &args[1])?;
    let Some((text, start)) = window(function, args)? else {
        return Ok(None);
    };
    let at = if last {
        memmem::rfind(text.as_bytes(), part.as_bytes())
    } else {
        memmem::find(text.as_bytes(), part.as_bytes())
    };
    let before = |at: usize| char_count(text.get(..at).unwrap_or_default());
    Ok(at.map(|at| (start + before(at)) as i64))
}

fn find(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    place("find", args, false).map(|at| Value::Int(at.unwrap_or(-1)))
}

fn rfind(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    place("rfind", args, true).map(|at| Value::Int(at.unwrap_or(-1)))
}

fn index(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    found("index", args, false)
}

fn rindex(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    found("rindex", args, true)
}

fn found(function: &str, args: Args<'_>, last: bool) -> Outcome {
    match place(function, args, last)? {
        Some(at) => Ok(Value::Int(at)),
        None => {
            let message = format!(
                "{function}: the text must contain {}, but does not",
                show::repr(args[1])
            );
            let error = diag::Error::new(codes::VALUE, message);
            Err(error
                .with_help("`find` answers -1 instead of an error")
                .into())
        }
    }
}

fn startswith(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    one_of("startswith", "prefix", args, |text, part| {
        text.starts_with(part)
    })
}

fn endswith(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    one_of("endswith", "suffix", args, |text, part| {
        text.ends_with(part)
    })
}

fn one_of(function: &str, param: &str, args: Args<'_>, fits: fn(&str, &str) -> bool) -> Outcome {
    let text = receiver(args);
    if let Value::List(list) = args[1] {
        for at in 0..list.len() {
            let part = list.get(at).unwrap_or(Value::Nil);
            if fits(text, arguments::text(function, param, &part)?) {
                return Ok(Value::Bool(true));
            }
        }
        return Ok(Value::Bool(false));
    }
    match args[1].as_str() {
        Some(part) => Ok(Value::Bool(fits(text, part))),
        None => Err(arguments::wrong(
            function,
            param,
            "a str or a list of strs",
            &args[1],
        )),
    }
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    join_items(context, receiver(args), args[1])
}

/// Strs and numbers in a row with a separator between them.
pub fn join_items(context: &mut dyn Context, separator: &str, items: Value) -> Outcome {
    let mut text = String::new();
    let mut first = true;
    gather::every(context, "join", items, |_, item| {
        let more = item.as_str().map_or(64, str::len) + separator.len();
        if !room::reserve_text(&mut text, more) {
            return Err(room::error("join", text.len() + more).into());
        }
        if !std::mem::take(&mut first) {
            text.push_str(separator);
        }
        match (item, item.as_str()) {
            (_, Some(part)) => text.push_str(part),
            (Value::Int(_) | Value::Float(_), None) => text.push_str(&show::display(item)),
            _ => {
                let message = format!(
                    "join: items must be strs or numbers, but one is {}",
                    show::kind(&item)
                );
                let error = diag::Error::new(codes::TYPE, message);
                return Err(error
                    .with_help("write `items.map(str)` to make texts of all")
                    .into());
            }
        }
        operate::within("join", text.len(), MAX_STRING)?;
        Ok(ControlFlow::Continue(()))
    })?;
    checked(context.heap(), text)
}

fn partition(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (text, sep) = (receiver(args), separator("partition", &args[1])?);
    let (before, sep, after) = match text.split_once(sep) {
        Some((before, after)) => (before, sep, after),
        None => (text, "", ""),
    };
    strings(context, [before, sep, after])
}

fn rpartition(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (text, sep) = (receiver(args), separator("rpartition", &args[1])?);
    let (before, sep, after) = match text.rsplit_once(sep) {
        Some((before, after)) => (before, sep, after),
        None => ("", "", text),
    };
    strings(context, [before, sep, after])
}

/// A list of texts. There may be so many that Ctrl-C comes meanwhile.
pub fn strings<'a>(context: &mut dyn Context, parts: impl IntoIterator<Item = &'a str>) -> Outcome {
    let heap = context.heap();
    let mut list = Vec::new();
    for part in parts {
        room::push(&mut list, Value::str(heap, part));
        signals::check_urgent()?;
    }
    Ok(Value::list(heap, list))
}

pub fn separator<'a>(function: &str, value: &'a Value) -> Outcome<&'a str> {
    match arguments::text(function, "sep", value)? {
        "" => Err(arguments::refuse(
            function,
            "sep",
            "must have at least one character",
            value,
        )),
        sep => Ok(sep),
    }
}

fn replace(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = receiver(args);
    let old = arguments::text("replace", "old", &args[1])?;
    let new = arguments::text("replace", "new", &args[2])?;
    let limit = match arguments::given(&args[3]) {
        // A negative count is no limit, as in Python.
        Some(count) => usize::try_from(arguments::int("replace", "count", count)?).ok(),
        None => None,
    };
    let count = occurrences(text, old)?.min(limit.unwrap_or(usize::MAX));
    let size = text.len() - (count * old.len()).min(text.len());
    let size = size.saturating_add(count.saturating_mul(new.len()));
    operate::within("replace", size, MAX_STRING)?;
    if count == 0 {
        return Ok(args[0]);
    }
    make_room(context, "replace", size)?;
    let (mut replaced, mut end) = (String::with_capacity(size), 0);
    for at in places(text, old).take(count) {
        replaced.push_str(text.get(end..at).unwrap_or_default());
        replaced.push_str(new);
        end = at + old.len();
        signals::check_urgent()?;
    }
    replaced.push_str(text.get(end..).unwrap_or_default());
    checked(context.heap(), replaced)
}

fn rsplit(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = receiver(args);
    let limit = max_split("rsplit", &args[2])?;
    let mut parts: Vec<&str> = match arguments::given(&args[1]) {
        Some(sep) => text
            .rsplitn(limit.saturating_add(1), separator("rsplit", sep)?)
            .collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while !rest.is_empty() && parts.len() < limit {
                let (start, width) = match rest.char_indices().rfind(|(_, c)| c.is_whitespace()) {
                    Some((at, space)) => (at, space.len_utf8()),
                    None => (0, 0),
                };
                parts.push(rest.get(start + width..).unwrap_or_default());
                rest = rest.get(..start).unwrap_or_default().trim_end();
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        }
    };
    parts.reverse();
    strings(context, parts)
}

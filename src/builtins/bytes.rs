//! Methods of bytes.

use super::encoding::Coding;
use super::{Table, arguments};
use crate::limits::MAX_STRING;
use crate::room;
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Outcome};
use crate::value::text::checked;
use crate::value::{Value, operate};
use memchr::memmem;
use std::fmt::Write;

/// Sorted by name.
pub static METHODS: Table = natives! {
    "contains" ("part") contains, "Whether there is a part.";
    "count" ("part") count, "How often a part stands in the bytes, without overlaps.";
    "decode" ("encoding?", "errors?") decode, "The bytes as a text, of UTF-8 or another encoding; `errors: \"replace\"` or `\"ignore\"` takes any bytes.";
    "endswith" ("suffix") endswith, "Whether the bytes end with others.";
    "find" ("part", "start?") find, "The index of the first place of a part, -1 when there is none.";
    "hex" () hex, "The bytes as hexadecimal digits.";
    "join" ("items") join, "Bytes in a row with these between them.";
    "len" () len, "How many bytes there are.";
    "replace" ("old", "new") replace, "The bytes with every `old` replaced by `new`.";
    "rfind" ("part") rfind, "The index of the last place of a part, -1 when there is none.";
    "split" ("sep") split, "A list of the parts between separators.";
    "startswith" ("prefix") startswith, "Whether the bytes start with others.";
    "strip" () strip, "The bytes without white space at both ends.";
};

fn receiver<'a>(args: Args<'a>) -> &'a [u8] {
    data(&args[0]).unwrap_or_default()
}

fn data(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes.data()),
        _ => None,
    }
}

fn part<'a>(function: &str, param: &str, value: &'a Value) -> Outcome<&'a [u8]> {
    data(value).ok_or_else(|| arguments::wrong(function, param, "bytes", value))
}

fn contains(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let part = part("contains", "part", &args[1])?;
    Ok(Value::Bool(memmem::find(receiver(args), part).is_some()))
}

fn count(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let part = part("count", "part", &args[1])?;
    Ok(Value::Int(
        memmem::find_iter(receiver(args), part).count() as i64
    ))
}

fn decode(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = receiver(args);
    let coding = Coding::named("decode", &args[1], &args[2])?;
    let text = coding.decode("decode", data)?;
    checked(context.heap(), text)
}

fn endswith(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let suffix = part("endswith", "suffix", &args[1])?;
    Ok(Value::Bool(receiver(args).ends_with(suffix)))
}

fn startswith(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let prefix = part("startswith", "prefix", &args[1])?;
    Ok(Value::Bool(receiver(args).starts_with(prefix)))
}

fn find(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let part = part("find", "part", &args[1])?;
    let start = match arguments::given(&args[2]) {
        Some(start) => arguments::size("find", "start", start)?,
        None => 0,
    };
    let rest = receiver(args).get(start..);
    let at = rest.and_then(|rest| memmem::find(rest, part));
    let at = at.map(|at| (start + at) as i64);
    Ok(Value::Int(at.unwrap_or(-1)))
}

fn rfind(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let part = part("rfind", "part", &args[1])?;
    Ok(Value::Int(
        memmem::rfind(receiver(args), part).map_or(-1, |at| at as i64),
    ))
}

fn add_part(joined: &mut Vec<u8>, part: &[u8]) -> Outcome<()> {
    if !room::reserve(joined, part.len()) {
        return Err(room::error("join", joined.len() + part.len()).into());
    }
    joined.extend_from_slice(part);
    Ok(())
}

fn hex(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = receiver(args);
    operate::within("hex", data.len().saturating_mul(2), MAX_STRING)?;
    make_room(context, "hex", data.len() * 2)?;
    let mut text = String::with_capacity(data.len() * 2);
    for byte in data {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    checked(context.heap(), text)
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let items = super::gather::collect(context, "join", args[1])?;
    let mut joined = Vec::new();
    for at in 0..items.len() {
        let item = items.get(at).unwrap_or(Value::Nil);
        if at > 0 {
            add_part(&mut joined, receiver(args))?;
        }
        add_part(&mut joined, part("join", "items", &item)?)?;
        operate::within("join", joined.len(), MAX_STRING)?;
    }
    Ok(Value::bytes(context.heap(), joined))
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(receiver(args).len() as i64))
}

fn pieces<'a>(data: &'a [u8], sep: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in memmem::find_iter(data, sep) {
        pieces.push(data.get(start..at).unwrap_or_default());
        start = at + sep.len();
    }
    pieces.push(data.get(start..).unwrap_or_default());
    pieces
}

fn replace(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (old, new) = (
        part("replace", "old", &args[1])?,
        part("replace", "new", &args[2])?,
    );
    if old.is_empty() {
        return Err(arguments::refuse(
            "replace",
            "old",
            "must have at least one byte",
            &args[1],
        ));
    }
    let pieces = pieces(receiver(args), old);
    let size = receiver(args)
        .len()
        .saturating_add((pieces.len() - 1).saturating_mul(new.len()));
    operate::within("replace", size, MAX_STRING)?;
    Ok(Value::bytes(context.heap(), pieces.join(new)))
}

fn split(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let sep = part("split", "sep", &args[1])?;
    if sep.is_empty() {
        return Err(arguments::refuse(
            "split",
            "sep",
            "must have at least one byte",
            &args[1],
        ));
    }
    let heap = context.heap();
    let parts = pieces(receiver(args), sep);
    let parts = parts
        .into_iter()
        .map(|part| Value::bytes(heap, part.to_vec()))
        .collect();
    Ok(Value::list(heap, parts))
}

fn strip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = receiver(args).trim_ascii().to_vec();
    Ok(Value::bytes(context.heap(), data))
}

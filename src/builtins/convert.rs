//! Conversions: the functions named after types, `type`, `repr`, `chr`, `ord`.

use super::{Table, arguments, gather};
use crate::diag::{self, codes};
use crate::limits::{MAX_ITEMS, MAX_STRING};
use crate::process::signals;
use crate::room;
use crate::value::map::{self, Map, Set};
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, access, operate, show, text};
use std::borrow::Cow;
use std::ops::ControlFlow;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "bool" ("value?") to_bool, "Whether a value counts as true: everything but nil and false does.";
    "bytes" ("value?") to_bytes, "Bytes of a str (as UTF-8), of ints from 0 to 255, or as many zeros as an int says.";
    "chr" ("code") chr, "The character of a Unicode code.";
    "float" ("value?") to_float, "A float from a number or from a text such as \"2.5\".";
    "int" ("value?", "base?") to_int, "An int from a number (cut towards 0) or from a text in a base from 2 to 36.";
    "list" ("items?") to_list, "A new list of everything that can be gone through.";
    "map" ("entries?") to_map, "A new map from another map or from pairs.";
    "ord" ("character") ord, "The Unicode code of a character.";
    "repr" ("value") repr, "The text of a value as it is written in a script.";
    "set" ("items?") to_set, "A new set of everything that can be gone through.";
    "str" ("value?") to_str, "The text of a value as print writes it.";
    "type" ("value") type_of, "The name of the type of a value, as a str.";
};

fn to_bool(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(args[0].truthy()))
}

fn to_bytes(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = match &args[0] {
        Value::Undef => Vec::new(),
        Value::Bytes(_) => return Ok(args[0]),
        Value::Int(_) => {
            let size = arguments::size("bytes", "value", &args[0])?;
            operate::within("bytes", size, MAX_STRING)?;
            make_room(context, "bytes", size)?;
            vec![0; size]
        }
        value => match value.as_str() {
            Some(text) => {
                make_room(context, "bytes", text.len())?;
                text.as_bytes().to_vec()
            }
            None => return bytes_of_items(context, *value),
        },
    };
    Ok(Value::bytes(context.heap(), data))
}

fn bytes_of_items(context: &mut dyn Context, items: Value) -> Outcome {
    let mut data = Vec::new();
    gather::every(context, "bytes", items, |_, item| {
        let byte = match item {
            Value::Int(i) => u8::try_from(i).ok(),
            _ => {
                return Err(arguments::wrong(
                    "bytes",
                    "value",
                    "ints from 0 to 255",
                    &item,
                ));
            }
        };
        operate::within("bytes", data.len() + 1, MAX_STRING)?;
        let rule = "must have ints from 0 to 255";
        let byte = byte.ok_or_else(|| arguments::refuse("bytes", "value", rule, &item))?;
        room::push(&mut data, byte);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Value::bytes(context.heap(), data))
}

fn chr(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let code = arguments::int("chr", "code", &args[0])?;
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(c) => Ok(Value::str(context.heap(), c.encode_utf8(&mut [0; 4]))),
        None => Err(arguments::refuse(
            "chr",
            "code",
            "must be the code of a Unicode character",
            &args[0],
        )),
    }
}

fn ord(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("ord", "character", &args[0])?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Value::Int(i64::from(u32::from(c)))),
        _ => Err(arguments::refuse(
            "ord",
            "character",
            "must be one character",
            &args[0],
        )),
    }
}

fn to_float(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let value = &args[0];
    if matches!(value, Value::Undef) {
        return Ok(Value::Float(0.0));
    }
    if let Value::Bool(b) = value {
        return Ok(Value::Float(f64::from(u8::from(*b))));
    }
    if let Some(number) = value.as_number() {
        return Ok(Value::Float(number));
    }
    let Some(text) = value.as_str() else {
        return Err(arguments::wrong(
            "float",
            "value",
            "a number or a str",
            value,
        ));
    };
    match without_separators(text.trim()).parse() {
        Ok(number) => Ok(Value::Float(number)),
        Err(_) => Err(arguments::refuse(
            "float",
            "value",
            "must be the text of a number",
            value,
        )),
    }
}

/// The text of a number without the underscores that stand between its digits; one anywhere else stays, and is refused.
fn without_separators(text: &str) -> Cow<'_, str> {
    let between = |at: usize| {
        let digit = |at: Option<usize>| {
            let byte = at.and_then(|at| text.as_bytes().get(at));
            byte.is_some_and(u8::is_ascii_digit)
        };
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    match text.contains('_') && text.match_indices('_').all(|(at, _)| between(at)) {
        true => Cow::Owned(text.replace('_', "")),
        false => Cow::Borrowed(text),
    }
}

fn to_int(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let base = match arguments::given(&args[1]) {
        None => 10,
        Some(base) => match arguments::int("int", "base", base)? {
            base @ (0 | 2..=36) => base as u32,
            _ => {
                return Err(arguments::refuse(
                    "int",
                    "base",
                    "must be from 2 to 36",
                    base,
                ));
            }
        },
    };
    match &args[0] {
        Value::Undef => Ok(Value::Int(0)),
        Value::Int(i) => Ok(Value::Int(*i)),
        Value::Bool(b) => Ok(Value::Int(i64::from(*b))),
        Value::Float(f) => whole("int", "value", *f),
        value => match value.as_str() {
            Some(text) => parse_int(text, base, value),
            None => Err(arguments::wrong("int", "value", "a number or a str", value)),
        },
    }
}

/// The int of a float without a fraction; an error when it does not fit, in which the function and its parameter are named.
pub fn whole(function: &str, param: &str, number: f64) -> Outcome {
    let cut = number.trunc();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&cut) {
        return Ok(Value::Int(cut as i64));
    }
    let number = show::float(number);
    if number.contains('n') {
        let message =
            format!("{function}: `{param}` must be a number that has an end, but is {number}");
        return Err(diag::Error::new(codes::VALUE, message).into());
    }
    let message = format!("a whole number must fit 64 bits, but {number} does not");
    Err(diag::Error::new(codes::OVERFLOW, message).into())
}

fn parse_int(text: &str, base: u32, value: &Value) -> Outcome {
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let named = match prefix.as_deref() {
        Some("0x") => 16,
        Some("0b") => 2,
        Some("0o") => 8,
        _ => 0,
    };
    let (base, digits) = match (base, named) {
        (0, 0) => (10, digits),
        (0, named) => (named, digits.get(2..).unwrap_or_default()),
        (base, named) if base == named => (base, digits.get(2..).unwrap_or_default()),
        (base, _) => (base, digits),
    };
    let bad = || {
        let rule = format!("must be the text of a whole number in base {base}");
        Err(arguments::refuse("int", "value", &rule, value))
    };
    let edges = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    if digits.is_empty() || edges {
        return bad();
    }
    let mut number = 0_i128;
    for c in digits.chars().filter(|&c| c != '_') {
        let Some(digit) = c.to_digit(base) else {
            return bad();
        };
        // Saturates above everything that fits, so that the rest of the digits is still checked.
        number = (number * i128::from(base) + i128::from(digit)).min(i128::from(u64::MAX));
    }
    let number = if negative { -number } else { number };
    match i64::try_from(number) {
        Ok(number) => Ok(Value::Int(number)),
        Err(_) => {
            let message = format!("a whole number must fit 64 bits, but {trimmed} does not");
            Err(diag::Error::new(codes::OVERFLOW, message).into())
        }
    }
}

fn to_list(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match args[0] {
        Value::Undef => Ok(Value::list(context.heap(), Vec::new())),
        items => Ok(Value::List(gather::collect(context, "list", items)?)),
    }
}

fn to_map(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = Map::new(context.heap(), map::Table::default());
    context.protect(Value::Map(map));
    if !matches!(args[0], Value::Undef) {
        add_entries(context, "map", "entries", Value::Map(map), args[0])?;
    }
    Ok(Value::Map(map))
}

/// Adds the entries of a map, or of something that gives pairs, to the map `into`.
pub fn add_entries(
    context: &mut dyn Context,
    function: &str,
    param: &str,
    into: Value,
    entries: Value,
) -> Outcome<()> {
    let into = arguments::map(function, param, &into)?;
    if let Value::Map(from) = entries {
        let entries: Vec<_> = from.table().iter().collect();
        into.edit(context.heap(), |table| {
            for (key, value) in entries {
                table.insert(key, value);
            }
        });
        return Ok(());
    }
    gather::every(context, function, entries, |context, pair| {
        let (Some(key), Some(value)) = (match pair {
            Value::List(pair) if pair.len() == 2 => (pair.get(0), pair.get(1)),
            _ => (None, None),
        }) else {
            let expected = "a map or a list of pairs [key, value]";
            return Err(arguments::wrong(function, param, expected, &entries));
        };
        operate::within(function, into.table().len() + 1, MAX_ITEMS)?;
        if !into.edit(context.heap(), |table| table.insert(key, value)) {
            return Err(access::bad_key(&key));
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn repr(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let shown = show::repr_while(args[0], signals::check_urgent)?;
    text::checked(context.heap(), shown)
}

fn to_set(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let set = Set::new(context.heap(), map::Table::default());
    context.protect(Value::Set(set));
    if !matches!(args[0], Value::Undef) {
        add_items(context, "set", Value::Set(set), args[0])?;
    }
    Ok(Value::Set(set))
}

/// Adds everything that `items` gives to the set `into`.
pub fn add_items(
    context: &mut dyn Context,
    function: &str,
    into: Value,
    items: Value,
) -> Outcome<()> {
    let into = arguments::set(function, "self", &into)?;
    gather::every(context, function, items, |context, item| {
        operate::within(function, into.table().len() + 1, MAX_ITEMS)?;
        if !into.edit(context.heap(), |table| table.insert(item, Value::Nil)) {
            return Err(bad_item(&item));
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The error of a value that cannot stand in a set.
pub fn bad_item(item: &Value) -> Fault {
    let message = format!(
        "an item of a set must be nil, a bool, an int, a float, a str or bytes, but is {}",
        show::kind(item)
    );
    diag::Error::new(codes::TYPE, message).into()
}

fn to_str(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match args[0] {
        Value::Undef => Ok(Value::str(context.heap(), "")),
        value if value.as_str().is_some() => Ok(value),
        value => {
            let shown = show::display_while(value, signals::check_urgent)?;
            text::checked(context.heap(), shown)
        }
    }
}

fn type_of(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = show::type_of(&args[0]);
    Ok(Value::str(context.heap(), &name))
}

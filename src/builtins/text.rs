//! Methods of strings that look at or change characters: case, edges, padding, questions about all characters.

use super::encoding::Coding;
use super::{Table, arguments};
use crate::limits::MAX_STRING;
use crate::process::signals;
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Outcome};
use crate::value::text::{char_count, checked};
use crate::value::{Value, operate};

/// Sorted by name.
pub static METHODS: Table = natives! {
    "capitalize" () capitalize, "The text with its first character in upper case and the rest in lower case.";
    "casefold" () casefold, "The text for a comparison that ignores case: as lower, and ß becomes ss.";
    "center" ("width", "fill?") center, "The text in the middle of so many characters.";
    "chars" () chars, "A list of the characters.";
    "encode" ("encoding?", "errors?") encode, "The text as bytes, in UTF-8 or another encoding; `errors: \"replace\"` or `\"ignore\"` takes any text.";
    "isalnum" () isalnum, "Whether there are characters and all are letters or digits.";
    "isalpha" () isalpha, "Whether there are characters and all are letters.";
    "isascii" () isascii, "Whether all characters are ASCII.";
    "isdigit" () isdigit, "Whether there are characters and all are digits from 0 to 9.";
    "islower" () islower, "Whether there are letters and none is in upper case.";
    "isspace" () isspace, "Whether there are characters and all are white space.";
    "isupper" () isupper, "Whether there are letters and none is in lower case.";
    "len" () len, "How many characters the text has.";
    "ljust" ("width", "fill?") ljust, "The text filled up behind to so many characters.";
    "lower" () lower, "The text in lower case.";
    "lstrip" ("chars?") lstrip, "The text without white space, or without the given characters, at its start.";
    "removeprefix" ("prefix") removeprefix, "The text without a prefix, if it has it.";
    "removesuffix" ("suffix") removesuffix, "The text without a suffix, if it has it.";
    "rjust" ("width", "fill?") rjust, "The text filled up in front to so many characters.";
    "rstrip" ("chars?") rstrip, "The text without white space, or without the given characters, at its end.";
    "strip" ("chars?") strip, "The text without white space, or without the given characters, at both ends.";
    "swapcase" () swapcase, "The text with upper and lower case exchanged.";
    "title" () title, "The text with each word's first letter in upper case and the rest in lower case.";
    "upper" () upper, "The text in upper case.";
    "zfill" ("width") zfill, "The text filled up with zeros behind its sign to so many characters.";
};

/// The receiver of a string method.
pub fn receiver(args: Args<'_>) -> &str {
    args[0].as_str().unwrap_or_default()
}

fn capitalize(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut chars = receiver(args).chars();
    let mut text: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    text.push_str(&chars.as_str().to_lowercase());
    checked(context.heap(), text)
}

fn chars(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut buffer = [0; 4];
    make_room(context, "chars", args[0].text_len().saturating_mul(16))?;
    let heap = context.heap();
    let mut chars = Vec::with_capacity(args[0].text_len());
    for c in receiver(args).chars() {
        chars.push(Value::str(heap, c.encode_utf8(&mut buffer)));
        signals::check_urgent()?;
    }
    Ok(Value::list(heap, chars))
}

fn encode(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = receiver(args);
    make_room(context, "encode", text.len())?;
    let data = match Coding::given("encode", &args[1], &args[2])? {
        None => text.as_bytes().to_vec(),
        Some(coding) => coding.encode("encode", text, true)?,
    };
    operate::within("encode", data.len(), MAX_STRING)?;
    Ok(Value::bytes(context.heap(), data))
}

/// Whether there are characters and all of them are so.
fn all(args: Args<'_>, which: fn(char) -> bool) -> Outcome {
    let text = receiver(args);
    Ok(Value::Bool(!text.is_empty() && text.chars().all(which)))
}

fn isalnum(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    all(args, char::is_alphanumeric)
}

fn isalpha(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    all(args, char::is_alphabetic)
}

fn isascii(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(receiver(args).is_ascii()))
}

fn isdigit(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    all(args, |c| c.is_ascii_digit())
}

fn isspace(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    all(args, char::is_whitespace)
}

fn islower(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = receiver(args);
    let (lower, upper) = (
        text.chars().any(char::is_lowercase),
        text.chars().any(char::is_uppercase),
    );
    Ok(Value::Bool(lower && !upper))
}

fn isupper(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = receiver(args);
    let (lower, upper) = (
        text.chars().any(char::is_lowercase),
        text.chars().any(char::is_uppercase),
    );
    Ok(Value::Bool(upper && !lower))
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Int(args[0].text_len() as i64))
}

/// Bytes of a text that are changed between two looks for Ctrl-C.
const PIECE: usize = 1 << 18;

/// A long text in pieces of about [`PIECE`] bytes that end behind a blank or a newline: what becomes of a letter may
/// depend on its word (the Σ at the end of a Greek one), never on what is behind white space.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let behind = rest.as_bytes().get(PIECE..).unwrap_or_default();
        let end = match behind.iter().position(|byte| matches!(byte, b' ' | b'\n')) {
            Some(at) => PIECE + at + 1,
            None => rest.len(),
        };
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The text with each piece changed.
fn changed(
    context: &mut dyn Context,
    args: Args<'_>,
    mut change: impl FnMut(&mut String, &str),
) -> Outcome {
    let text = receiver(args);
    // Without a blank it is one piece, which is changed beside it.
    make_room(context, "a changed text", text.len().saturating_mul(2))?;
    let mut all = String::with_capacity(text.len());
    for piece in pieces(text) {
        change(&mut all, piece);
        signals::check_urgent()?;
    }
    checked(context.heap(), all)
}

fn lower(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    changed(context, args, |all, piece| {
        all.push_str(&piece.to_lowercase());
    })
}

fn casefold(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    changed(context, args, |all, piece| {
        all.push_str(&caseless::default_case_fold_str(piece));
    })
}

fn upper(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    changed(context, args, |all, piece| {
        all.push_str(&piece.to_uppercase());
    })
}

fn swapcase(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    changed(context, args, |all, piece| {
        for c in piece.chars() {
            if c.is_uppercase() {
                all.extend(c.to_lowercase());
            } else {
                all.extend(c.to_uppercase());
            }
        }
    })
}

fn title(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut inside = false;
    changed(context, args, |all, piece| {
        for c in piece.chars() {
            if inside {
                all.extend(c.to_lowercase());
            } else {
                all.extend(c.to_uppercase());
            }
            inside = c.is_alphabetic();
        }
    })
}

fn lstrip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    strip_ends(context, "lstrip", args, true, false)
}

fn rstrip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    strip_ends(context, "rstrip", args, false, true)
}

fn strip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    strip_ends(context, "strip", args, true, true)
}

fn strip_ends(
    context: &mut dyn Context,
    function: &str,
    args: Args<'_>,
    start: bool,
    end: bool,
) -> Outcome {
    let mut text = receiver(args);
    let chars: Option<Vec<char>> = match arguments::given(&args[1]) {
        Some(chars) => Some(arguments::text(function, "chars", chars)?.chars().collect()),
        None => None,
    };
    let goes = |c: char| match &chars {
        Some(chars) => chars.contains(&c),
        None => c.is_whitespace(),
    };
    if start {
        text = text.trim_start_matches(goes);
    }
    if end {
        text = text.trim_end_matches(goes);
    }
    Ok(Value::str(context.heap(), text))
}

fn removeprefix(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (text, prefix) = (
        receiver(args),
        arguments::text("removeprefix", "prefix", &args[1])?,
    );
    Ok(Value::str(
        context.heap(),
        text.strip_prefix(prefix).unwrap_or(text),
    ))
}

fn removesuffix(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (text, suffix) = (
        receiver(args),
        arguments::text("removesuffix", "suffix", &args[1])?,
    );
    Ok(Value::str(
        context.heap(),
        text.strip_suffix(suffix).unwrap_or(text),
    ))
}

fn center(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    // Of an odd rest the left side gets the larger part when the width is odd: as Python does.
    pad(context, "center", args, |rest, width| {
        rest / 2 + (rest & width & 1)
    })
}

fn ljust(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    pad(context, "ljust", args, |_, _| 0)
}

fn rjust(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    pad(context, "rjust", args, |rest, _| rest)
}

/// Fills a text up to a width; `left` says how much of the rest stands in front.
fn pad(
    context: &mut dyn Context,
    function: &str,
    args: Args<'_>,
    left: fn(usize, usize) -> usize,
) -> Outcome {
    let width = width(function, &args[1])?;
    let fill = match arguments::given(&args[2]) {
        None => " ",
        Some(fill) => match arguments::text(function, "fill", fill)? {
            text if char_count(text) == 1 => text,
            _ => {
                return Err(arguments::refuse(
                    function,
                    "fill",
                    "must be one character",
                    fill,
                ));
            }
        },
    };
    let rest = width.saturating_sub(args[0].text_len());
    operate::within(
        function,
        receiver(args)
            .len()
            .saturating_add(rest.saturating_mul(fill.len())),
        MAX_STRING,
    )?;
    let bytes = receiver(args).len() + rest.saturating_mul(fill.len()).saturating_mul(2);
    make_room(context, function, bytes)?;
    let front = left(rest, width);
    let text = [
        &fill.repeat(front),
        receiver(args),
        &fill.repeat(rest - front),
    ]
    .concat();
    checked(context.heap(), text)
}

/// A width; negative ones are 0, as in Python.
fn width(function: &str, value: &Value) -> Outcome<usize> {
    Ok(usize::try_from(arguments::int(function, "width", value)?).unwrap_or(0))
}

fn zfill(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let width = width("zfill", &args[1])?;
    let text = receiver(args);
    let rest = width.saturating_sub(args[0].text_len());
    operate::within("zfill", text.len().saturating_add(rest), MAX_STRING)?;
    make_room(context, "zfill", text.len() + rest.saturating_mul(2))?;
    let digits = text.trim_start_matches(['+', '-']);
    let sign = if text.len() - digits.len() <= 1 {
        &text[..text.len() - digits.len()]
    } else {
        ""
    };
    let filled = [sign, &"0".repeat(rest), &text[sign.len()..]].concat();
    checked(context.heap(), filled)
}

//! `base64`: bytes as text and back, also in hexadecimal digits.

use crate::builtins::{Module, Table, arguments};
use crate::process::signals;
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, text};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE};

/// The module.
pub static MODULE: Module = Module {
    name: "base64",
    doc: "Bytes as text and back: Base64, its form for addresses, and hexadecimal digits.",
    functions: FUNCTIONS,
    constants: &[],
};

/// Bytes, or marks, that are worked on between two looks for Ctrl-C: whole groups of three bytes and of four marks.
const PIECE: usize = 3 << 18;
const _: () = assert!(PIECE.is_multiple_of(12));

static FUNCTIONS: Table = natives! {
    "b64decode" ("text") |context, args| decode(context, "b64decode", &STANDARD, args), "The bytes of a text in Base64; blanks and newlines in it say nothing.";
    "b64encode" ("data") |context, args| encode(context, "b64encode", &STANDARD, args), "A str or bytes as text in Base64.";
    "hex" ("data") hex, "A str or bytes as text of two hexadecimal digits for each byte.";
    "unhex" ("text") unhex, "The bytes of a text of hexadecimal digits; blanks and newlines in it say nothing.";
    "urlsafe_b64decode" ("text") |context, args| decode(context, "urlsafe_b64decode", &URL_SAFE, args), "The bytes of a text in the form of Base64 that addresses can hold.";
    "urlsafe_b64encode" ("data") |context, args| encode(context, "urlsafe_b64encode", &URL_SAFE, args), "A str or bytes as text in the form of Base64 that addresses can hold: `-` and `_` for `+` and `/`.";
};

fn encode(
    context: &mut dyn Context,
    function: &str,
    engine: &GeneralPurpose,
    args: Args<'_>,
) -> Outcome {
    let data = arguments::data(function, "data", &args[0])?;
    let mut encoded = String::new();
    make_room(context, "encode", data.len() / 3 * 4 + 4)?;
    encoded.reserve_exact(data.len() / 3 * 4 + 4);
    for piece in data.chunks(PIECE) {
        engine.encode_string(piece, &mut encoded);
        signals::check_urgent()?;
    }
    text::checked(context.heap(), encoded)
}

/// The text of an argument without blanks and newlines.
fn squeezed(function: &str, value: &Value) -> Outcome<Vec<u8>> {
    let data = arguments::data(function, "text", value)?;
    let mut marks = Vec::with_capacity(data.len());
    for piece in data.chunks(PIECE) {
        marks.extend(piece.iter().filter(|byte| !byte.is_ascii_whitespace()));
        signals::check_urgent()?;
    }
    Ok(marks)
}

fn decode(
    context: &mut dyn Context,
    function: &str,
    engine: &GeneralPurpose,
    args: Args<'_>,
) -> Outcome {
    let mut marks = squeezed(function, &args[0])?;
    // The signs that fill it up may be missing.
    while marks.len() % 4 != 0 && marks.len() % 4 != 1 {
        marks.push(b'=');
    }
    let mut data = Vec::new();
    let last = marks.len().saturating_sub(1) / PIECE;
    for (at, piece) in marks.chunks(PIECE).enumerate() {
        // What fills up stands at the end only.
        let is_whole = at == last || !piece.ends_with(b"=");
        if !is_whole || engine.decode_vec(piece, &mut data).is_err() {
            let rule = "must be Base64";
            return Err(arguments::refuse(function, "text", rule, &args[0]));
        }
        signals::check_urgent()?;
    }
    Ok(Value::bytes(context.heap(), data))
}

/// Two digits for each byte.
pub fn hexadecimal(data: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digits = data.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| DIGITS.get(usize::from(digit)))
        .collect()
}

fn hex(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = arguments::data("hex", "data", &args[0])?;
    make_room(context, "hex", data.len().saturating_mul(2))?;
    let mut digits = String::with_capacity(data.len().saturating_mul(2));
    for piece in data.chunks(PIECE) {
        digits.push_str(&hexadecimal(piece));
        signals::check_urgent()?;
    }
    text::checked(context.heap(), digits)
}

fn unhex(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let digits = squeezed("unhex", &args[0])?;
    let refused = || {
        let rule = "must be pairs of hexadecimal digits";
        arguments::refuse("unhex", "text", rule, &args[0])
    };
    if !digits.len().is_multiple_of(2) {
        return Err(refused());
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut data = Vec::with_capacity(digits.len() / 2);
    for piece in digits.chunks(PIECE) {
        for pair in piece.chunks_exact(2) {
            let byte = pair
                .iter()
                .try_fold(0, |byte, &digit| Some(byte << 4 | value(digit)?));
            data.push(byte.ok_or_else(refused)? as u8);
        }
        signals::check_urgent()?;
    }
    Ok(Value::bytes(context.heap(), data))
}

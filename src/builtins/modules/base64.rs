//! `base64`: bytes as text and back, also in hexadecimal digits.

use crate::builtins::{Module, Table, arguments};
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
    let encoded = engine.encode(data);
    text::checked(context.heap(), encoded)
}

/// The text of an argument without blanks and newlines.
fn squeezed(function: &str, value: &Value) -> Outcome<Vec<u8>> {
    let data = arguments::data(function, "text", value)?;
    let marks = data.iter().filter(|byte| !byte.is_ascii_whitespace());
    Ok(marks.copied().collect())
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
    match engine.decode(&marks) {
        Ok(data) => Ok(Value::bytes(context.heap(), data)),
        Err(_) => Err(arguments::refuse(
            function,
            "text",
            "must be Base64",
            &args[0],
        )),
    }
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
    text::checked(context.heap(), hexadecimal(data))
}

fn unhex(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let digits = squeezed("unhex", &args[0])?;
    let refused = || {
        let rule = "must be pairs of hexadecimal digits";
        arguments::refuse("unhex", "text", rule, &args[0])
    };
    let digits: Option<Vec<u8>> = digits
        .iter()
        .map(|digit| char::from(*digit).to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.ok_or_else(refused)?;
    if digits.len() % 2 != 0 {
        return Err(refused());
    }
    let pairs = digits.chunks_exact(2);
    let data = pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
    Ok(Value::bytes(context.heap(), data.collect()))
}

//! Numbers: integers in four bases, floats, durations (seconds) and sizes (bytes).

use super::token::Token;
use crate::diag::{Error, codes};

/// Units of time, in seconds.
const DURATIONS: &[(&str, f64)] = &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
/// Units of size, in bytes.
const SIZES: &[(&str, u64)] = &[("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];

/// How many bytes of `text`, which starts with a digit, belong to the number: letters right after it do.
pub fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |at: usize| {
        bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count()
    };
    if matches!(bytes, [b'0', b'x' | b'b' | b'o' | b'X' | b'B' | b'O', ..]) {
        return word(0);
    }
    let digits = |at: usize| {
        bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'_')
            .count()
    };
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at += 1 + digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        // `1e` with nothing behind it is taken along, to be told as one mistake.
        let unfinished = at + 1 + sign == bytes.len();
        at += 1 + if exponent > 0 || unfinished {
            sign + exponent
        } else {
            0
        };
    }
    at + word(at)
}

/// The token of a number as [`number_length`] cut it out.
pub fn number(text: &str) -> Result<Token, Box<Error>> {
    if let Some((base, digits)) = based(text) {
        return whole(digits, base, text);
    }
    let is_exponent = |(at, c): (usize, char)| {
        c == 'e'
            && text[at + 1..]
                .starts_with(['+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            || c == 'E'
    };
    let unit_at = text
        .char_indices()
        .find(|&(at, c)| c.is_ascii_alphabetic() && !is_exponent((at, c)))
        .map_or(text.len(), |(at, _)| at);
    let (digits, unit) = text.split_at(unit_at);
    let digits = digits.replace('_', "");
    if unit.is_empty() {
        return match digits.contains(['.', 'e', 'E']) {
            true => float(&digits, text).map(Token::Float),
            false => whole(&digits, 10, text),
        };
    }
    if let Some((_, seconds)) = DURATIONS.iter().find(|(name, _)| *name == unit) {
        let value = float(&digits, text)?;
        // A division keeps `250ms == 0.25` and `100ms == 0.1` exact where a multiplication by 0.001 would not.
        return Ok(Token::Float(match unit {
            "ms" => value / 1000.0,
            _ => value * seconds,
        }));
    }
    if let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) {
        return size(&digits, *bytes, text);
    }
    Err(bad_unit(text, &digits, unit))
}

fn based(text: &str) -> Option<(u32, &str)> {
    let base = match text.get(..2)? {
        "0x" | "0X" => 16,
        "0b" | "0B" => 2,
        "0o" | "0O" => 8,
        _ => return None,
    };
    Some((base, &text[2..]))
}

fn whole(digits: &str, base: u32, text: &str) -> Result<Token, Box<Error>> {
    let clean = digits.replace('_', "");
    if clean.is_empty() || clean.chars().any(|c| !c.is_digit(base)) {
        let what = match base {
            16 => "hexadecimal digits (0-9, a-f)",
            2 => "binary digits (0 and 1)",
            8 => "octal digits (0-7)",
            _ => "digits",
        };
        return Err(Error::new(
            codes::BAD_LITERAL,
            format!("expected {what}, found `{text}`"),
        ));
    }
    match u64::from_str_radix(&clean, base) {
        Ok(value) if value <= 1 << 63 => Ok(Token::Int(value)),
        _ => Err(too_large(text)),
    }
}

/// The report about a whole number beyond 64 bits.
pub fn too_large(text: &str) -> Box<Error> {
    Error::new(
        codes::BAD_LITERAL,
        format!("expected a whole number of at most 64 bits, found {text}"),
    )
    .with_help(
        "the largest is 9223372036854775807; a float is written with a point, as in 1.0 or 1e20",
    )
}

fn float(digits: &str, text: &str) -> Result<f64, Box<Error>> {
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Error::new(
            codes::BAD_LITERAL,
            format!("expected a number that a float can hold, found {text}"),
        )),
        Err(_) => Err(Error::new(
            codes::BAD_LITERAL,
            format!("expected a number, found `{text}`"),
        )),
    }
}

fn size(digits: &str, unit: u64, text: &str) -> Result<Token, Box<Error>> {
    if let Ok(count) = digits.parse::<u64>() {
        return match count.checked_mul(unit) {
            Some(value) if value < 1 << 63 => Ok(Token::Int(value)),
            _ => Err(too_large(text)),
        };
    }
    let value = float(digits, text)? * unit as f64;
    match value.fract() == 0.0 && value < (1u64 << 63) as f64 {
        true => Ok(Token::Int(value as u64)),
        false => Err(Error::new(
            codes::BAD_LITERAL,
            format!("expected a size of whole bytes, found {text}"),
        )),
    }
}

fn bad_unit(text: &str, digits: &str, unit: &str) -> Box<Error> {
    let error = Error::new(
        codes::BAD_LITERAL,
        format!("expected an operator or a unit after {digits}, found `{unit}`"),
    );
    let lower = unit.to_ascii_lowercase();
    let known = DURATIONS
        .iter()
        .map(|d| d.0)
        .chain(SIZES.iter().map(|s| s.0));
    let help = match lower.as_str() {
        "e" => String::from("an exponent has digits: 1e9, 2.5e-3"),
        "us" | "ns" => {
            String::from("the smallest unit of time is ms; write 0.000001 for a microsecond")
        }
        "d" | "min" | "sec" | "hr" => {
            String::from("the units of time are ms, s, m (minutes) and h: 1.5m, 24h")
        }
        "k" | "m" | "g" | "kib" | "mib" | "gib" | "b" | "tb" => {
            String::from("the units of size are kb, mb and gb: 64kb, 16mb")
        }
        _ if known.clone().any(|name| name == lower) => format!("write {digits}{lower}"),
        _ => String::from(
            "the units are ms, s, m, h (time) and kb, mb, gb (size); a name cannot start with a digit",
        ),
    };
    debug_assert!(text.ends_with(unit));
    error.with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        assert_eq!(number_length(text), text.len(), "{text}");
        number(text).unwrap()
    }

    #[test]
    fn numbers_have_the_values_the_reference_gives() {
        for (text, value) in [
            ("42", 42),
            ("1_000", 1000),
            ("0xff", 255),
            ("0b10", 2),
            ("0o17", 15),
            ("64kb", 65536),
            ("16mb", 16 << 20),
            ("2gb", 2 << 30),
            ("1.5kb", 1536),
            ("9223372036854775808", 1 << 63),
        ] {
            assert_eq!(token(text), Token::Int(value), "{text}");
        }
        for (text, value) in [
            ("2.5", 2.5),
            ("1e-9", 1e-9),
            ("1E5", 1e5),
            ("250ms", 0.25),
            ("100ms", 0.1),
            ("2s", 2.0),
            ("1.5m", 90.0),
            ("1h", 3600.0),
            ("1e3s", 1000.0),
        ] {
            assert_eq!(token(text), Token::Float(value), "{text}");
        }
    }

    #[test]
    fn a_number_ends_before_a_range_and_before_a_method() {
        assert_eq!(number_length("0..10"), 1);
        assert_eq!(number_length("1.abs()"), 1);
        assert_eq!(number_length("1e"), 2);
    }

    #[test]
    fn impossible_numbers_are_explained() {
        for text in [
            "0x",
            "0b12",
            "12abc",
            "1e",
            "9223372036854775809",
            "3d",
            "1e999",
        ] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}

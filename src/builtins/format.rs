//! `format`: numbers and texts in a given width, precision and base, as Python's format specifications say.

use super::{Table, arguments};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::process::signals;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::text::{char_count, checked};
use crate::value::{Value, operate, show};

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "format" ("value", "spec?") format, "The text of a value in a form such as \".2f\", \">8\", \"08.3f\", \",\", \"x\" or \"%\", as in Python.";
};

/// More digits than any float has.
const MAX_PRECISION: usize = 1100;

/// What a specification says: `[[fill]align][sign][#][0][width][,][.precision][type]`.
struct Spec {
    fill: char,
    /// `<`, `>`, `^`, `=` (behind the sign), or nothing for the kind's own.
    align: Option<char>,
    /// The `=` comes from a `0` before the width.
    zero: bool,
    /// `-` only below zero, `+` always, ` ` a space for a plus.
    sign: char,
    /// `0x` and the like.
    alternate: bool,
    width: usize,
    /// `,` or `_` between thousands.
    group: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    /// Reads a specification; `None` when it is none.
    fn parse(text: &str) -> Option<Spec> {
        let chars: Vec<char> = text.chars().collect();
        let is_align = |at: usize| chars.get(at).is_some_and(|c| "<>^=".contains(*c));
        let mut at = 0;
        let (mut fill, mut align) = (' ', None);
        let has_fill = is_align(1);
        if has_fill {
            (fill, align) = (*chars.first()?, chars.get(1).copied());
            at = 2;
        } else if is_align(0) {
            align = chars.first().copied();
            at = 1;
        }
        let mut accept = |wanted: &str| {
            let found = chars.get(at).copied().filter(|c| wanted.contains(*c));
            at += usize::from(found.is_some());
            found
        };
        let sign = accept("+- ").unwrap_or('-');
        let alternate = accept("#").is_some();
        // It fills whatever the alignment, unless that came with a filling of its own.
        let zeros = accept("0").is_some();
        if zeros && !has_fill {
            fill = '0';
        }
        let zero = zeros && align.is_none();
        if zero {
            align = Some('=');
        }
        let number = |accept: &mut dyn FnMut(&str) -> Option<char>| {
            let mut digits = String::new();
            while let Some(digit) = accept("0123456789") {
                digits.push(digit);
            }
            digits
        };
        let width = number(&mut accept);
        let group = accept(",_");
        let precision = match accept(".") {
            Some(_) => Some(number(&mut accept).parse().ok()?),
            None => None,
        };
        let kind = accept("bcdeEfFgGnosxX%");
        let width = if width.is_empty() {
            0
        } else {
            width.parse().ok()?
        };
        let ended = at == chars.len();
        ended.then_some(Spec {
            fill,
            align,
            zero,
            sign,
            alternate,
            width,
            group,
            precision,
            kind,
        })
    }
}

fn format(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let Some(given) = arguments::given(&args[1]) else {
        let shown = show::display_while(args[0], signals::check_urgent)?;
        return checked(context.heap(), shown);
    };
    let bad = || {
        arguments::refuse(
            "format",
            "spec",
            "must be a format such as \".2f\" or \">8\"",
            given,
        )
    };
    let mut spec = Spec::parse(arguments::text("format", "spec", given)?).ok_or_else(bad)?;
    operate::within(
        "format",
        spec.width.saturating_mul(spec.fill.len_utf8()),
        MAX_STRING,
    )?;
    let precision = spec.precision.unwrap_or(0);
    if precision > MAX_PRECISION {
        let message =
            format!("format: a precision can be at most {MAX_PRECISION}, but is {precision}");
        return Err(diag::Error::new(codes::LIMIT, message).into());
    }
    let value = match (args[0], spec.kind) {
        (Value::Bool(b), Some(kind)) if kind != 's' => Value::Int(i64::from(b)),
        (value, _) => value,
    };
    let formatted = match (&value, spec.kind) {
        (Value::Int(i), None | Some('d' | 'n' | 'b' | 'o' | 'x' | 'X'))
            if spec.precision.is_none() =>
        {
            int(*i, &spec)
        }
        (Value::Int(i), Some('c')) => {
            let character = u32::try_from(*i).ok().and_then(char::from_u32);
            pad(&spec, "", &character.ok_or_else(bad)?.to_string(), '>')
        }
        (
            Value::Int(_) | Value::Float(_),
            None | Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%'),
        ) => {
            let point = spec.kind.is_none() && matches!(value, Value::Float(_));
            float(value.as_number().unwrap_or(f64::NAN), &spec, point)
        }
        (Value::Int(_) | Value::Float(_), Some(kind)) => return Err(misfit(kind, &args[0])),
        (value, None | Some('s')) => {
            if spec.alternate || spec.sign != '-' || spec.group.is_some() {
                return Err(bad());
            }
            match spec.align {
                Some('=') if spec.zero => spec.align = None,
                // A text has no sign that could stand before the filling.
                Some('=') => return Err(bad()),
                _ => {}
            }
            let text = show::display_while(*value, signals::check_urgent)?;
            let cut = match spec.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            };
            pad(&spec, "", &cut, '<')
        }
        (value, Some(kind)) => return Err(misfit(kind, value)),
    };
    checked(context.heap(), formatted)
}

fn misfit(kind: char, value: &Value) -> Fault {
    let message = format!(
        "format: `{kind}` in `spec` needs another kind of value, but got {}",
        show::kind(value)
    );
    diag::Error::new(codes::TYPE, message).into()
}

fn int(number: i64, spec: &Spec) -> String {
    let magnitude = number.unsigned_abs();
    let (prefix, digits) = match spec.kind {
        Some('b') => ("0b", format!("{magnitude:b}")),
        Some('o') => ("0o", format!("{magnitude:o}")),
        Some('x') => ("0x", format!("{magnitude:x}")),
        Some('X') => ("0X", format!("{magnitude:X}")),
        _ => ("", magnitude.to_string()),
    };
    let prefix = if spec.alternate { prefix } else { "" };
    let every = if prefix.is_empty() && matches!(spec.kind, None | Some('d' | 'n')) {
        3
    } else {
        4
    };
    let sign = [sign(spec, number < 0), prefix].concat();
    let digits = filled(spec, &digits, every, sign.len());
    pad(spec, &sign, &digits, '>')
}

/// The text of a number; `point`: it has a digit behind its point, as floats show when nothing else is said.
fn float(number: f64, spec: &Spec, point: bool) -> String {
    let magnitude = number.abs();
    let precision = spec.precision.unwrap_or(6);
    let mut text = match spec.kind {
        _ if !number.is_finite() => show::float(magnitude),
        Some('f' | 'F') => format!("{magnitude:.precision$}"),
        Some('%') => format!("{:.precision$}", magnitude * 100.0),
        Some('e' | 'E') => exponent(format!("{magnitude:.precision$e}")),
        None if spec.precision.is_none() => show::float(magnitude),
        _ => general(magnitude, precision.max(1), point, spec.alternate),
    };
    if spec.alternate && number.is_finite() && !text.contains('.') {
        let end = text
            .find('e')
            .or_else(|| text.find('E'))
            .unwrap_or(text.len());
        text.insert(end, '.');
    }
    if matches!(spec.kind, Some('E' | 'G' | 'F')) {
        text = text.to_uppercase();
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    let percent = if spec.kind == Some('%') { "%" } else { "" };
    let sign = sign(spec, number.is_sign_negative() && !number.is_nan());
    let beside = sign.len() + rest.len() + percent.len();
    let digits = [&filled(spec, whole, 3, beside), rest, percent].concat();
    pad(spec, sign, &digits, '>')
}

/// An exponent with a sign and at least two digits.
fn exponent(text: String) -> String {
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// So many digits in all, without zeros at the end, with an exponent where the number is very large or small.
/// Unless all of them are to be kept.
fn general(magnitude: f64, digits: usize, point: bool, keeps: bool) -> String {
    let scientific = format!("{:.*e}", digits - 1, magnitude);
    let power: i64 = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    let trim = |text: &str| match text.contains('.') && !keeps {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if power < -4 || power >= digits as i64 - i64::from(point) {
        let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return exponent(format!("{}e{power}", trim(mantissa)));
    }
    let behind = (digits as i64 - 1 - power).max(0) as usize;
    let text = trim(&format!("{magnitude:.behind$}"));
    match point && !text.contains('.') {
        true => text + ".0",
        false => text,
    }
}

fn sign(spec: &Spec, negative: bool) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, '+') => "+",
        (false, ' ') => " ",
        _ => "",
    }
}

/// Digits with a separator between groups, counted from the end.
fn grouped(digits: &str, separator: Option<char>, every: usize) -> String {
    let Some(separator) = separator else {
        return digits.to_string();
    };
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(every) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// Digits in groups; zeros that fill them up to the width (with `beside` characters beside them) are grouped too.
fn filled(spec: &Spec, digits: &str, every: usize, beside: usize) -> String {
    let zeros = spec.fill == '0' && spec.align == Some('=') && spec.group.is_some();
    if !zeros || digits.is_empty() {
        return grouped(digits, spec.group, every);
    }
    let room = spec.width.saturating_sub(beside);
    // So many digits fit for sure, and a few more may.
    let mut count = (room - room / (every + 1))
        .saturating_sub(1)
        .max(digits.len());
    while count + (count - 1) / every < room {
        count += 1;
    }
    grouped(&format!("{digits:0>count$}"), spec.group, every)
}

/// Fills a text up to the width; `own` is where the kind stands by itself.
fn pad(spec: &Spec, sign: &str, digits: &str, own: char) -> String {
    let rest = spec
        .width
        .saturating_sub(char_count(sign) + char_count(digits));
    let fill = |count: usize| spec.fill.to_string().repeat(count);
    match spec.align.unwrap_or(own) {
        '<' => [sign, digits, &fill(rest)].concat(),
        '^' => [&fill(rest / 2), sign, digits, &fill(rest - rest / 2)].concat(),
        '=' => [sign, &fill(rest), digits].concat(),
        _ => [&fill(rest), sign, digits].concat(),
    }
}

//! Spans of time as text and back: `1h 2m 3.5s`.

use crate::builtins::arguments;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};

/// Units in seconds, the largest first.
const UNITS: [(&str, f64); 5] = [
    ("d", 86400.0),
    ("h", 3600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
];

/// `time.duration(seconds)`.
pub fn show(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let seconds = arguments::number("duration", "seconds", &args[0])?;
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        let rule = "must be a span of less than 30,000 years";
        return Err(arguments::refuse("duration", "seconds", rule, &args[0]));
    }
    Ok(Value::str(context.heap(), &text(seconds)))
}

fn text(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    if seconds < 1.0 {
        let millis = (seconds * 1e6).round() / 1e3;
        return match millis {
            0.0 => "0s".to_string(),
            1000.0 => format!("{sign}1s"),
            millis => format!("{sign}{millis}ms"),
        };
    }
    // Thousandths are kept however long it is: what is written can be read back.
    let mut millis = (seconds * 1e3).round() as i64;
    let mut parts = Vec::new();
    for (unit, size) in UNITS.iter().take(3) {
        let size = (size * 1000.0) as i64;
        if millis >= size {
            parts.push(format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    if millis > 0 || parts.is_empty() {
        parts.push(format!("{}s", millis as f64 / 1000.0));
    }
    format!("{sign}{}", parts.join(" "))
}

/// `time.parse_duration(text)`.
pub fn parse(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let written = arguments::text("parse_duration", "text", &args[0])?;
    match seconds(written) {
        Some(seconds) => Ok(Value::Float(seconds)),
        None => {
            let rule = "must be a span such as \"90s\", \"1h30m\" or \"1d 2h 3.5s\"";
            Err(arguments::refuse("parse_duration", "text", rule, &args[0]))
        }
    }
}

fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut total = 0.0;
    // Each unit once, in this order: 5m1h is a mistake more often than it is meant.
    let mut least = UNITS.len() + 1;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        let behind = rest.get(digits..)?;
        let letters = behind
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let unit = behind.get(..letters)?;
        let at = UNITS.iter().position(|(name, _)| *name == unit)?;
        let place = UNITS.len() - at;
        if place >= least {
            return None;
        }
        least = place;
        total += number * UNITS.get(at)?.1;
        rest = behind.get(letters..)?.trim_start();
    }
    Some(sign * total)
}

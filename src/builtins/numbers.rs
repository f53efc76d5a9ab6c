//! `abs`, `round`, and the methods of numbers.

use super::{Table, arguments, convert};
use crate::diag::{self, codes};
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "abs" ("number") abs, "The number without its sign.";
    "round" ("number", "digits?") round, "The nearest whole number, or the nearest with so many digits behind the point; halves go to the even one.";
};

fn abs(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    match &args[0] {
        Value::Float(f) => Ok(Value::Float(f.abs())),
        value => {
            let number = match value {
                Value::Int(i) => *i,
                _ => return Err(arguments::wrong("abs", "number", "a number", value)),
            };
            number.checked_abs().map(Value::Int).ok_or_else(|| {
                let message =
                    format!("a whole number must fit 64 bits, but abs({number}) does not");
                diag::Error::new(codes::OVERFLOW, message).into()
            })
        }
    }
}

fn round(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let digits = match arguments::given(&args[1]) {
        Some(digits) => Some(arguments::int("round", "digits", digits)?),
        None => None,
    };
    match (&args[0], digits) {
        (Value::Float(f), None) => convert::whole("round", "number", f.round_ties_even()),
        (Value::Float(f), Some(digits)) => Ok(Value::Float(round_float(*f, digits))),
        (Value::Int(i), None | Some(0..)) => Ok(Value::Int(*i)),
        (Value::Int(i), Some(digits)) => round_int(*i, digits.unsigned_abs()),
        (value, _) => Err(arguments::wrong("round", "number", "a number", value)),
    }
}

/// A float has no digit further behind its point than this.
const LAST_DIGIT: i64 = 1100;

fn round_float(number: f64, digits: i64) -> f64 {
    if digits >= 0 {
        // The formatter rounds the exact value, where scaling up and down again would not.
        let text = format!("{number:.*}", digits.min(LAST_DIGIT) as usize);
        return text.parse().unwrap_or(number);
    }
    if digits < -308 || !number.is_finite() {
        return if number.is_finite() { 0.0 } else { number };
    }
    let scale = 10_f64.powi(-digits as i32);
    (number / scale).round_ties_even() * scale
}

fn round_int(number: i64, digits: u64) -> Outcome {
    let Some(scale) = u32::try_from(digits)
        .ok()
        .and_then(|d| 10_i128.checked_pow(d))
    else {
        return Ok(Value::Int(0));
    };
    let number = i128::from(number);
    let (floor, rest) = (number.div_euclid(scale), number.rem_euclid(scale));
    let up = rest * 2 > scale || rest * 2 == scale && floor % 2 != 0;
    let rounded = (floor + i128::from(up)) * scale;
    i64::try_from(rounded).map(Value::Int).map_err(|_| {
        let message =
            format!("a whole number must fit 64 bits, but round({number}, -{digits}) does not");
        diag::Error::new(codes::OVERFLOW, message).into()
    })
}

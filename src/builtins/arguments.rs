//! Checked arguments: each helper takes the function's and the parameter's name, so that one message serves every misuse:
//! ``split: `sep` must be a str, but is an int``.

use crate::diag::{self, codes};
use crate::os::name::Name;
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::{Bytes, List};
use crate::value::map::{Map, Set};
use crate::value::native::{Fault, Outcome};
use crate::value::show;

/// The argument, unless it was left out or is nil.
pub fn given(value: &Value) -> Option<&Value> {
    match value {
        Value::Undef | Value::Nil => None,
        value => Some(value),
    }
}

/// An int.
pub fn int(function: &str, param: &str, value: &Value) -> Outcome<i64> {
    match value {
        Value::Int(i) => Ok(*i),
        _ => Err(wrong(function, param, "an int", value)),
    }
}

/// An int of 0 or more.
pub fn size(function: &str, param: &str, value: &Value) -> Outcome<usize> {
    let number = int(function, param, value)?;
    usize::try_from(number).map_err(|_| refuse(function, param, "must be 0 or more", value))
}

/// An int or a float.
pub fn number(function: &str, param: &str, value: &Value) -> Outcome<f64> {
    match value.as_number() {
        Some(number) => Ok(number),
        None => Err(wrong(function, param, "a number", value)),
    }
}

/// A number of seconds, 0 or more and finite.
pub fn seconds(function: &str, param: &str, value: &Value) -> Outcome<f64> {
    let seconds = number(function, param, value)?;
    if seconds.is_finite() && seconds >= 0.0 {
        return Ok(seconds);
    }
    Err(refuse(function, param, "must be 0 seconds or more", value))
}

/// A time-out in seconds, when one was given: 0 or less does not wait.
pub fn timeout(function: &str, param: &str, value: &Value) -> Outcome<Option<f64>> {
    let Some(value) = given(value) else {
        return Ok(None);
    };
    let seconds = number(function, param, value)?;
    if seconds.is_nan() {
        return Err(refuse(
            function,
            param,
            "must be a number of seconds",
            value,
        ));
    }
    Ok(Some(seconds))
}

/// A str.
pub fn text<'a>(function: &str, param: &str, value: &'a Value) -> Outcome<&'a str> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => Err(wrong(function, param, "a str", value)),
    }
}

/// A path of a file: a str without a zero character. Whatever is done with it sees what this process has written before.
pub fn path<'a>(function: &str, param: &str, value: &'a Value) -> Outcome<Name<'a>> {
    crate::process::held::write_out();
    let path = text(function, param, value)?;
    match path.contains('\0') {
        true => Err(refuse(
            function,
            param,
            "must have no zero character",
            value,
        )),
        false => Ok(Name::new(path)),
    }
}

/// A bool.
pub fn boolean(function: &str, param: &str, value: &Value) -> Outcome<bool> {
    match value {
        Value::Bool(b) => Ok(*b),
        _ => Err(wrong(function, param, "a bool", value)),
    }
}

/// A list.
pub fn list(function: &str, param: &str, value: &Value) -> Outcome<Gc<List>> {
    match value {
        Value::List(list) => Ok(*list),
        _ => Err(wrong(function, param, "a list", value)),
    }
}

/// A map.
pub fn map(function: &str, param: &str, value: &Value) -> Outcome<Gc<Map>> {
    match value {
        Value::Map(map) => Ok(*map),
        _ => Err(wrong(function, param, "a map", value)),
    }
}

/// A set.
pub fn set(function: &str, param: &str, value: &Value) -> Outcome<Gc<Set>> {
    match value {
        Value::Set(set) => Ok(*set),
        _ => Err(wrong(function, param, "a set", value)),
    }
}

/// Bytes.
pub fn bytes(function: &str, param: &str, value: &Value) -> Outcome<Gc<Bytes>> {
    match value {
        Value::Bytes(bytes) => Ok(*bytes),
        _ => Err(wrong(function, param, "bytes", value)),
    }
}

/// The bytes of a str or of bytes.
pub fn data<'a>(function: &str, param: &str, value: &'a Value) -> Outcome<&'a [u8]> {
    match (value, value.as_str()) {
        (_, Some(text)) => Ok(text.as_bytes()),
        (Value::Bytes(bytes), None) => Ok(bytes.data()),
        _ => Err(wrong(function, param, "a str or bytes", value)),
    }
}

/// Something that can be called.
pub fn callable(function: &str, param: &str, value: &Value) -> Outcome {
    match value {
        Value::Fn(_) | Value::Native(_) | Value::Host(_) | Value::Bound(_) | Value::Struct(_) => {
            Ok(*value)
        }
        _ => Err(wrong(function, param, "a function", value)),
    }
}

/// The `TypeError` of an argument of the wrong kind; `expected` has its article (`a str or a list`).
pub fn wrong(function: &str, param: &str, expected: &str, value: &Value) -> Fault {
    let came = show::kind(value);
    let message = format!("{function}: `{param}` must be {expected}, but is {came}");
    diag::Error::new(codes::TYPE, message).into()
}

/// The `ValueError` of an argument of the right kind with a value that cannot be; `rule` says what must hold (`must be 0 or more`).
pub fn refuse(function: &str, param: &str, rule: &str, value: &Value) -> Fault {
    let came = show::repr(*value);
    let message = format!("{function}: `{param}` {rule}, but is {came}");
    diag::Error::new(codes::VALUE, message).into()
}

//! The way to a part of a value that cannot travel, as a script would write it.

use super::encode::Open;
use crate::value::Value;

impl Open {
    /// Appends the way to the part that was written last, as a script would write it.
    pub(super) fn describe(&self, path: &mut String) {
        match self {
            Open::List(_, at) => *path += &format!("[{}]", at.saturating_sub(1)),
            Open::Map(_, _, Some((key, _))) => describe_key(key, path),
            Open::Map(..) | Open::Set(..) | Open::Cell(..) => {}
            Open::Instance(instance, at) => {
                let name = instance.of.fields.get(at.saturating_sub(1));
                *path += &format!(".{}", name.map_or("?", |name| name));
            }
            Open::Closure(closure, at) => {
                let name = closure.proto.capture_names.get(at.saturating_sub(1));
                *path += &format!("({})", name.map_or("captured", |name| name));
            }
            Open::Parts(handle, ..) => {
                *path += &format!("(input of the {})", handle.get().type_name())
            }
            Open::Bound(..) | Open::Method(..) => *path += "(receiver of the method)",
            Open::Error(error, at) => {
                let name = error.attributes.get(at.saturating_sub(1));
                *path += &format!(".{}", name.map_or("cause", |(name, _)| name));
            }
        }
    }
}

fn describe_key(key: &Value, path: &mut String) {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    match (key, key.as_str()) {
        (_, Some(text)) if word(text) => *path += &format!(".{text}"),
        (_, Some(text)) => *path += &format!("[{text:?}]"),
        (Value::Int(i), _) => *path += &format!("[{i}]"),
        (Value::Float(f), _) => *path += &format!("[{f:?}]"),
        (Value::Bool(b), _) => *path += &format!("[{b}]"),
        (Value::Nil, _) => *path += "[nil]",
        _ => *path += "[...]",
    }
}

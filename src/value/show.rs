//! How values print: bare at the top (`print`), as they would be written in a script inside containers.

use super::Value;
use super::list::Range;
use super::map::Table;
use crate::diag::{Error, Result};
use crate::limits::MAX_VALUE_DEPTH;
use std::fmt::Write;

/// The text of a value as `print` writes it: strings bare, everything else as in a script.
pub fn display(value: Value) -> String {
    match value {
        Value::Short(_) | Value::Str(_) => value.as_str().unwrap_or_default().to_string(),
        Value::Error(error) => format!("{}: {}", error.report.kind, error.report.message),
        _ => repr(value),
    }
}

/// The text of a value as it stands inside a container: strings quoted.
pub fn repr(value: Value) -> String {
    repr_while(value, || Ok(())).unwrap_or_default()
}

/// Asked between the items of what is written: an error ends the writing.
pub type Check = fn() -> Result<()>;

/// As [`display`], for a value that may be large.
///
/// # Errors
/// What `check` gives.
pub fn display_while(value: Value, check: Check) -> Result<String> {
    match value {
        Value::Short(_) | Value::Str(_) | Value::Error(_) => Ok(display(value)),
        _ => repr_while(value, check),
    }
}

/// As [`repr`], for a value that may be large.
///
/// # Errors
/// What `check` gives.
pub fn repr_while(value: Value, check: Check) -> Result<String> {
    let mut printer = Printer {
        out: String::new(),
        open: Vec::new(),
        check,
        ended: None,
    };
    printer.value(value);
    match printer.ended {
        Some(error) => Err(error),
        None => Ok(printer.out),
    }
}

/// What a message calls a value: its type with an article (`an int`, `a str`, `nil`, `an Account`).
pub fn kind(value: &Value) -> String {
    with_article(&type_of(value))
}

/// What `type(x)` answers: the name of the type, for an instance the name of its struct.
pub fn type_of(value: &Value) -> String {
    match value {
        Value::Instance(instance) => instance.of.name.to_string(),
        _ => value.type_name().to_string(),
    }
}

/// A noun with its article.
pub fn with_article(noun: &str) -> String {
    match noun.chars().next() {
        _ if matches!(noun, "nil" | "bytes") => noun.to_string(),
        Some('a' | 'e' | 'i' | 'o' | 'A' | 'E' | 'I' | 'O') => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}

/// The shortest text that reads back as the same float, always with a point or an exponent.
pub fn float(number: f64) -> String {
    if !number.is_finite() {
        let name = if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        };
        return name.to_string();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// A string as a literal. Braces stay bare: the text is for people first.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(&mut out, text);
    out
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // The last private characters have no look of their own; some stand for bytes in names that are no UTF-8.
            c if c.is_control() || c >= '\u{100000}' => {
                let _ = write!(out, "\\u{{{:X}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a map key can stand in a literal without quotes.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars
        .next()
        .is_some_and(|c| c == '_' || c.is_ascii_alphabetic());
    first
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
        && !matches!(text, "true" | "false" | "nil")
}

struct Printer {
    out: String,
    /// Addresses of the containers around the place that is being written: one that comes again is a cycle.
    open: Vec<usize>,
    check: Check,
    /// What the check gave.
    ended: Option<Box<Error>>,
}

/// Items that are written between two checks.
pub const BETWEEN_CHECKS: usize = 256;

impl Printer {
    fn value(&mut self, value: Value) {
        match value {
            Value::Undef | Value::Nil => self.out.push_str("nil"),
            Value::Bool(b) => self.out.push_str(if b { "true" } else { "false" }),
            Value::Int(i) => self.out.push_str(itoa::Buffer::new().format(i)),
            Value::Float(f) => self.out.push_str(&float(f)),
            Value::Short(_) | Value::Str(_) => {
                quote(&mut self.out, value.as_str().unwrap_or_default())
            }
            Value::Bytes(bytes) => self.bytes(bytes.data()),
            Value::Range(range) => self.range(&range),
            Value::Fn(f) => self.format(format_args!("<fn {}>", f.proto.name)),
            Value::Native(f) => self.format(format_args!("<fn {}>", f.name)),
            Value::Host(f) => self.format(format_args!("<fn {}>", f.name)),
            Value::Bound(bound) => self.value(bound.function),
            Value::Struct(of) => self.format(format_args!("<struct {}>", of.name)),
            Value::Error(e) => {
                self.format(format_args!("<{}: {}>", e.report.kind, e.report.message))
            }
            Value::Handle(handle) => match handle.get().show_while(self.check) {
                Ok(text) => self.out.push_str(&text),
                Err(error) => self.ended = Some(error),
            },
            Value::Iter(_) => self.out.push_str("<iterator>"),
            Value::Cell(cell) => self.value(cell.value.get()),
            Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Instance(_) => {
                self.container(value)
            }
        }
    }

    fn format(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(text);
    }

    fn container(&mut self, value: Value) {
        let (address, again) = match value {
            Value::List(list) => (list.address(), "[...]"),
            Value::Map(map) => (map.address(), "{...}"),
            Value::Set(set) => (set.address(), "set([...])"),
            Value::Instance(instance) => (instance.address(), "(...)"),
            _ => return,
        };
        if self.open.len() >= MAX_VALUE_DEPTH || self.open.contains(&address) {
            if let Value::Instance(instance) = value {
                self.out.push_str(&instance.of.name);
            }
            self.out.push_str(again);
            return;
        }
        self.open.push(address);
        match value {
            Value::List(list) => {
                let items = (0..list.len()).filter_map(|i| list.get(i));
                self.sequence("[", items, "]");
            }
            Value::Map(map) => self.map(map.table()),
            Value::Set(set) => {
                let keys = set.table().iter().map(|(key, _)| key);
                self.sequence("set([", keys, "])");
            }
            Value::Instance(instance) => {
                self.format(format_args!("{}(", instance.of.name));
                let fields = instance.of.fields.iter().zip(instance.fields());
                for (at, (name, field)) in fields.enumerate() {
                    self.format(format_args!("{}{name}: ", separator(at)));
                    self.value(field.get());
                }
                self.out.push(')');
            }
            _ => {}
        }
        self.open.pop();
    }

    /// Whether the check has ended it, before the item of a number is written.
    fn is_over(&mut self, at: usize) -> bool {
        if self.ended.is_none() && at % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 {
            self.ended = (self.check)().err();
        }
        self.ended.is_some()
    }

    fn sequence(&mut self, open: &str, items: impl Iterator<Item = Value>, close: &str) {
        self.out.push_str(open);
        for (at, item) in items.enumerate() {
            if self.is_over(at) {
                return;
            }
            self.out.push_str(separator(at));
            self.value(item);
        }
        self.out.push_str(close);
    }

    fn map(&mut self, table: &Table) {
        self.out.push('{');
        for (at, (key, value)) in table.iter().enumerate() {
            if self.is_over(at) {
                return;
            }
            self.out.push_str(separator(at));
            match key.as_str() {
                Some(name) if is_name(name) => self.out.push_str(name),
                _ => self.value(key),
            }
            self.out.push_str(": ");
            self.value(value);
        }
        self.out.push('}');
    }

    fn bytes(&mut self, data: &[u8]) {
        self.out.push_str("b\"");
        for &byte in data {
            match byte {
                b'"' => self.out.push_str("\\\""),
                b'\\' => self.out.push_str("\\\\"),
                b'\n' => self.out.push_str("\\n"),
                b'\t' => self.out.push_str("\\t"),
                b'\r' => self.out.push_str("\\r"),
                0x20..=0x7e => self.out.push(char::from(byte)),
                _ => self.format(format_args!("\\x{byte:02x}")),
            }
        }
        self.out.push('"');
    }

    fn range(&mut self, range: &Range) {
        let (start, step) = (range.start, range.step);
        match range.end {
            None if step == 1 => self.format(format_args!("{start}..")),
            None => self.format(format_args!("range({start}, nil, {step})")),
            Some(end) if step == 1 && range.inclusive => {
                self.format(format_args!("{start}..={end}"))
            }
            Some(end) if step == 1 => self.format(format_args!("{start}..{end}")),
            Some(end) => self.format(format_args!("range({start}, {end}, {step})")),
        }
    }
}

fn separator(at: usize) -> &'static str {
    if at == 0 { "" } else { ", " }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::heap::Heap;
    use crate::value::map::Map;

    #[test]
    fn floats_print_as_in_python() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (number, text) in cases {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn containers_quote_strings_and_show_cycles() {
        let mut heap = Heap::new();
        let text = Value::str(&mut heap, "a\n\"");
        let list =
            crate::value::list::List::new(&mut heap, vec![text, Value::Float(2.5), Value::Nil]);
        list.push(&mut heap, Value::List(list));
        assert_eq!(display(Value::List(list)), r#"["a\n\"", 2.5, nil, [...]]"#);
        let mut table = Table::default();
        let (name, two) = (
            Value::str(&mut heap, "name"),
            Value::str(&mut heap, "two words"),
        );
        table.insert(name, Value::Bool(true));
        table.insert(two, Value::Int(1));
        table.insert(Value::Int(3), two);
        let map = Value::Map(Map::new(&mut heap, table));
        assert_eq!(
            display(map),
            r#"{name: true, "two words": 1, 3: "two words"}"#
        );
        assert_eq!(display(two), "two words");
    }
}

//! `json`: values as JSON text and back.

use super::{json_file, json_read};
use crate::builtins::{Module, Table, arguments};
use crate::diag::{self, codes};
use crate::limits::{MAX_STRING, MAX_VALUE_DEPTH};
use crate::process::signals;
use crate::room;
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, operate, show, text};

/// The module.
pub static MODULE: Module = Module {
    name: "json",
    doc: "Values as JSON text and back.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "dump" ("value", "path", "indent?", "sort_keys?") json_file::dump, "Writes a value to a file as JSON text.";
    "dump_lines" ("values", "path") json_file::dump_lines, "Writes each value to a line of a file, and gives how many.";
    "dumps" ("value", "indent?", "sort_keys?") dumps, "The JSON text of a value; `indent` (spaces, or a text) puts each item on a line of its own.";
    "lines" ("path") json_file::lines, "Goes through the values of a file that has one on each line.";
    "load" ("path") json_file::load, "The value of a file of JSON text.";
    "loads" ("text") loads, "The value of a JSON text.";
    "parse" ("text") loads, "The value of a JSON text (as loads).";
    "stringify" ("value", "indent?", "sort_keys?") dumps, "The JSON text of a value (as dumps).";
};

fn loads(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let decoded;
    let source = match &args[0] {
        Value::Bytes(bytes) => {
            make_room(context, "loads", bytes.data().len())?;
            decoded = String::from_utf8(bytes.data().to_vec()).map_err(|_| {
                let message = "loads: a text must be UTF-8, but `text` has other bytes";
                diag::Error::new(codes::VALUE, message)
            })?;
            &*decoded
        }
        value => match value.as_str() {
            Some(text) => text,
            None => return Err(arguments::wrong("loads", "text", "a str or bytes", value)),
        },
    };
    json_read::read(context.heap(), source)
}

fn dumps(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let encoded = encode(args[0], &args[1], &args[2])?;
    text::checked(context.heap(), encoded)
}

/// The JSON text of a value; the other two are the arguments `indent` and `sort_keys`.
pub fn encode(value: Value, indent: &Value, sort_keys: &Value) -> Outcome<String> {
    let indent = match arguments::given(indent) {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_string(),
            None => {
                let width = arguments::size("dumps", "indent", indent)?;
                operate::within("dumps", width, 1000)?;
                " ".repeat(width)
            }
        }),
    };
    let sort = match arguments::given(sort_keys) {
        Some(sort) => arguments::boolean("dumps", "sort_keys", sort)?,
        None => false,
    };
    let mut writer = Writer {
        out: String::new(),
        indent,
        sort,
        open: Vec::new(),
        path: Vec::new(),
    };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    indent: Option<String>,
    sort: bool,
    /// Addresses of the containers around the place that is being written.
    open: Vec<usize>,
    /// How the place is reached from the outside, for errors: `.name`, `[3]`.
    path: Vec<String>,
}

impl Writer {
    fn value(&mut self, value: Value) -> Outcome<()> {
        let more = value.as_str().map_or(256, |text| text.len() + 256);
        if !room::reserve_text(&mut self.out, more) || !room::has(more) {
            return Err(room::error("dumps", self.out.len() + more).into());
        }
        match value {
            Value::Nil | Value::Undef => self.out.push_str("null"),
            Value::Bool(b) => self.out.push_str(if b { "true" } else { "false" }),
            Value::Int(i) => self.out.push_str(&i.to_string()),
            Value::Float(f) if f.is_finite() => self.out.push_str(&show::float(f)),
            Value::List(list) => {
                self.enter(list.address())?;
                let items = (0..list.len()).filter_map(|at| list.get(at));
                self.sequence(items)?;
                self.open.pop();
            }
            Value::Range(range) if range.end.is_some() => {
                let count = range.len().unwrap_or(0);
                self.sequence((0..count).filter_map(|at| range.get(at)).map(Value::Int))?;
            }
            Value::Map(map) => {
                self.enter(map.address())?;
                self.object(map.table().iter().collect())?;
                self.open.pop();
            }
            Value::Instance(instance) => {
                self.enter(instance.address())?;
                let fields = instance.of.fields.iter().zip(instance.fields());
                let fields = fields.map(|(name, field)| (name.to_string(), field.get()));
                self.entries(fields.collect())?;
                self.open.pop();
            }
            _ => match value.as_str() {
                Some(text) => quote(&mut self.out, text),
                None => return Err(self.refused(&value)),
            },
        }
        signals::check_urgent()?;
        operate::within("dumps", self.out.len(), MAX_STRING)
    }

    fn refused(&self, value: &Value) -> Fault {
        let place = match self.path.is_empty() {
            true => String::new(),
            false => format!(" at value{}", self.path.concat()),
        };
        let (code, what) = match value {
            Value::Float(f) => (codes::VALUE, show::float(*f)),
            _ => (codes::TYPE, show::kind(value)),
        };
        let message = format!(
            "dumps: JSON has nil, bools, finite numbers, strs, lists and maps, but there is {what}{place}"
        );
        diag::Error::new(code, message).into()
    }

    fn enter(&mut self, address: usize) -> Outcome<()> {
        if self.open.contains(&address) {
            let message = format!(
                "dumps: JSON has no cycles, but value{} contains itself",
                self.path.concat()
            );
            return Err(diag::Error::new(codes::VALUE, message).into());
        }
        if self.open.len() >= MAX_VALUE_DEPTH {
            let message = format!(
                "dumps: a value can nest {MAX_VALUE_DEPTH} levels deep, but this one is deeper"
            );
            return Err(diag::Error::new(codes::LIMIT, message).into());
        }
        self.open.push(address);
        Ok(())
    }

    fn sequence(&mut self, items: impl Iterator<Item = Value>) -> Outcome<()> {
        self.out.push('[');
        let mut any = false;
        for (at, item) in items.enumerate() {
            self.separate(any);
            any = true;
            self.path.push(format!("[{at}]"));
            self.value(item)?;
            self.path.pop();
        }
        self.close(any, ']');
        Ok(())
    }

    /// The entries of a map: keys that JSON has no form for become texts, as in Python.
    fn object(&mut self, entries: Vec<(Value, Value)>) -> Outcome<()> {
        let mut named = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = match key {
                Value::Nil => "null".to_string(),
                Value::Bool(_) | Value::Int(_) | Value::Float(_) => show::display(key),
                _ => match key.as_str() {
                    Some(name) => name.to_string(),
                    None => return Err(self.refused(&key)),
                },
            };
            named.push((name, value));
        }
        self.entries(named)
    }

    fn entries(&mut self, mut entries: Vec<(String, Value)>) -> Outcome<()> {
        if self.sort {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        self.out.push('{');
        let any = !entries.is_empty();
        for (at, (name, value)) in entries.into_iter().enumerate() {
            self.separate(at > 0);
            quote(&mut self.out, &name);
            self.out.push_str(": ");
            self.path.push(format!("[{}]", show::quoted(&name)));
            self.value(value)?;
            self.path.pop();
        }
        self.close(any, '}');
        Ok(())
    }

    /// What stands before an item.
    fn separate(&mut self, more: bool) {
        match (self.indent.is_some(), more) {
            (false, true) => self.out.push_str(", "),
            (false, false) => {}
            (true, more) => {
                if more {
                    self.out.push(',');
                }
                self.new_line(1);
            }
        }
    }

    fn close(&mut self, any: bool, bracket: char) {
        if any && self.indent.is_some() {
            self.new_line(0);
        }
        self.out.push(bracket);
    }

    /// A new line at the depth of the container that is being written, and `more` deeper.
    fn new_line(&mut self, more: usize) {
        self.out.push('\n');
        // A range is no container that could be entered twice: it counts through its path.
        let depth = self.path.len() + more;
        if let Some(indent) = &self.indent {
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }
}

fn quote(out: &mut String, text: &str) {
    // Serializing a str cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

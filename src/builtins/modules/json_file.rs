//! `json` for files: whole ones, and those with a value on each line.

use super::{json, json_read};
use crate::builtins::scarce::Scarce;
use crate::builtins::{arguments, gather, lazy, system};
use crate::diag;
use crate::process::wait::Attentive;
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, NativeIter, Outcome};
use crate::value::{Value, show};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;

/// Puts the place into the report of a mistake in a file.
fn in_file(fault: Fault, path: &str, line: Option<usize>) -> Fault {
    match fault {
        Fault::Error(mut error) => {
            let place = match line {
                Some(line) => format!("line {line} of {}", show::quoted(path)),
                None => show::quoted(path),
            };
            error.message = error
                .message
                .replacen("the text must", &format!("{place} must"), 1);
            error
                .with_field("path", diag::Field::Text(path.to_string()))
                .into()
        }
        fault => fault,
    }
}

/// `json.load(path)`.
pub fn load(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("load", "path", &args[0])?;
    let mut text = String::new();
    let mut file = system::open(context, "load", &path, system::TO_READ)?;
    system::retry(context, "load", &path, || file.read_to_string(&mut text))?;
    json_read::read(context.heap(), &text).map_err(|fault| in_file(fault, &path, None))
}

/// `json.dump(value, path)`.
pub fn dump(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("dump", "path", &args[1])?;
    let mut text = json::encode(args[0], &args[2], &args[3])?;
    text.push('\n');
    let mut file = system::open(context, "dump", &path, system::TO_WRITE)?;
    system::retry(context, "dump", &path, || file.write_all(text.as_bytes()))?;
    Ok(Value::Nil)
}

/// The values of the lines that are left.
struct Lines {
    path: String,
    reader: RefCell<BufReader<Attentive>>,
    line: Cell<usize>,
    _scarce: Scarce,
}

impl NativeIter for Lines {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let mut text = String::new();
        loop {
            text.clear();
            let Ok(mut reader) = self.reader.try_borrow_mut() else {
                return Err(system::in_use("lines", &self.path));
            };
            let read = || reader.read_line(&mut text);
            if system::retry(context, "lines", &self.path, read)? == 0 {
                return Ok(None);
            }
            self.line.set(self.line.get() + 1);
            if !text.trim().is_empty() {
                break;
            }
        }
        let value = json_read::read(context.heap(), text.trim_end());
        let value = value.map_err(|fault| in_file(fault, &self.path, Some(self.line.get())));
        value.map(Some)
    }

    fn trace(&self, _: &mut Marker<'_>) {}
}

/// `json.lines(path)`.
pub fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("lines", "path", &args[0])?;
    let file = system::open(context, "lines", &path, system::TO_READ)?;
    let lines = Lines {
        path: path.to_string(),
        reader: RefCell::new(BufReader::with_capacity(64 * 1024, file)),
        line: Cell::new(0),
        _scarce: Scarce::new(context.heap(), 1),
    };
    Ok(lazy::value(context, lines))
}

/// `json.dump_lines(values, path)`.
pub fn dump_lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("dump_lines", "path", &args[1])?;
    let file = system::open(context, "dump_lines", &path, system::TO_WRITE)?;
    let mut out = BufWriter::new(file);
    let mut count = 0;
    gather::each(context, args[0], |context, value| {
        let mut text = json::encode(value, &Value::Nil, &Value::Nil)?;
        text.push('\n');
        system::retry(context, "dump_lines", &path, || {
            out.write_all(text.as_bytes())
        })?;
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    system::retry(context, "dump_lines", &path, || out.flush())?;
    Ok(Value::Int(count))
}

//! `csv` for files: rows as they are read, so that a table need not fit into memory.

use super::csv::{Dialect, covers, differ, field, fits, refused};
use super::csv_lines::{self, Out};
use crate::builtins::scarce::Scarce;
use crate::builtins::{arguments, gather, lazy, system};
use crate::process::wait::Attentive;
use crate::value::heap::Marker;
use crate::value::map::{Map, Table as Entries};
use crate::value::native::{Args, Context, NativeIter, Outcome};
use crate::value::{Value, show};
use std::cell::RefCell;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

/// The rows of a file that are left.
struct Rows {
    function: &'static str,
    path: String,
    reader: RefCell<csv_lines::Rows<Attentive>>,
    /// The names of the columns, when rows are maps.
    header: Option<Vec<String>>,
    _scarce: Scarce,
}

impl NativeIter for Rows {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let wrong = |error| {
            let file = format!("the file {}", show::quoted(&self.path));
            refused(self.function, &file, &error)
        };
        let Ok(mut reader) = self.reader.try_borrow_mut() else {
            return Err(system::in_use(self.function, &self.path));
        };
        let Some(header) = &self.header else {
            let Some(record) = reader.read().map_err(wrong)? else {
                return Ok(None);
            };
            drop(reader);
            context.poll()?;
            let heap = context.heap();
            let row = record.iter().map(|field| Value::str(heap, field)).collect();
            return Ok(Some(Value::list(heap, row)));
        };
        let Some((record, line)) = reader.full().map_err(wrong)? else {
            return Ok(None);
        };
        fits(self.function, &record, header.len(), line)?;
        drop(reader);
        context.poll()?;
        let heap = context.heap();
        let mut table = Entries::default();
        for (at, name) in header.iter().enumerate() {
            let value = record.get(at).map(|field| Value::str(heap, field));
            let name = Value::str(heap, name);
            table.insert(name, value.unwrap_or(Value::Nil));
        }
        Ok(Some(Value::Map(Map::new(heap, table))))
    }

    fn trace(&self, _: &mut Marker<'_>) {}
}

fn open(context: &mut dyn Context, function: &'static str, args: Args<'_>, maps: bool) -> Outcome {
    let path = arguments::path(function, "path", &args[0])?;
    let dialect = Dialect::new(function, &args[1], &args[2])?;
    let file = system::open(context, function, &path, system::TO_READ)?;
    let mut reader = csv_lines::Rows::new(&dialect, file);
    let header = match maps {
        false => None,
        true => {
            let shown = format!("the file {}", show::quoted(&path));
            let first = reader.full();
            let first = first.map_err(|error| refused(function, &shown, &error))?;
            let names = first.map(|(names, _)| names).unwrap_or_default();
            differ(function, &names)?;
            Some(names.iter().map(String::from).collect())
        }
    };
    let rows = Rows {
        function,
        path: path.to_string(),
        reader: RefCell::new(reader),
        header,
        _scarce: Scarce::new(context.heap(), 1),
    };
    Ok(lazy::value(context, rows))
}

/// `csv.rows(path)`.
pub fn rows(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    open(context, "rows", args, false)
}

/// `csv.maps(path)`.
pub fn maps(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    open(context, "maps", args, true)
}

/// `csv.dump(rows, path)`.
pub fn dump(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("dump", "path", &args[1])?;
    let dialect = Dialect::new("dump", &args[2], &args[4])?;
    let mut header: Option<Vec<String>> = match arguments::given(&args[3]) {
        Some(header) => {
            let names = arguments::list("dump", "header", header)?
                .items()
                .to_values();
            Some(names.into_iter().map(field).collect())
        }
        None => None,
    };
    let file = system::open(context, "dump", &path, system::TO_WRITE)?;
    let mut writer = Out::new(&dialect, BufWriter::new(file));
    let shown = format!("the file {}", show::quoted(&path));
    let failed = |error: csv::Error| match error.kind() {
        csv::ErrorKind::Io(error) => system::failed("dump", &path, error),
        _ => refused("dump", &shown, &error),
    };
    if let Some(header) = &header {
        writer.row(header).map_err(failed)?;
    }
    let mut count = 0;
    gather::each(context, args[0], |_, row| {
        let fields: Vec<String> = match row {
            Value::Map(map) => {
                if header.is_none() {
                    let names: Vec<String> =
                        map.table().iter().map(|(key, _)| field(key)).collect();
                    writer.row(&names).map_err(failed)?;
                    header = Some(names);
                }
                let entries: Vec<(String, Value)> = map
                    .table()
                    .iter()
                    .map(|(key, value)| (field(key), value))
                    .collect();
                let of = |name: &String| entries.iter().find(|(key, _)| key == name);
                let names = header.as_deref().unwrap_or_default();
                covers("dump", map, |key| names.contains(&field(*key)))?;
                let names = names.iter();
                names
                    .map(|name| of(name).map_or_else(String::new, |(_, value)| field(*value)))
                    .collect()
            }
            row => {
                let items = arguments::list("dump", "rows", &row)?.items().to_values();
                items.into_iter().map(field).collect()
            }
        };
        writer.row(&fields).map_err(failed)?;
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let inner = writer
        .end()
        .map_err(|error| system::failed("dump", &path, &error))?;
    system::retry(context, "dump", &path, || inner.borrow_mut().flush())?;
    Ok(Value::Int(count))
}

//! `csv` for files: rows as they are read, so that a table need not fit into memory.

use super::csv::{Dialect, field, refused};
use crate::builtins::{arguments, gather, lazy, system};
use crate::value::heap::Marker;
use crate::value::map::{Map, Table as Entries};
use crate::value::native::{Args, Context, NativeIter, Outcome};
use crate::value::{Value, show};
use csv::{Reader, StringRecord};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

/// The rows of a file that are left.
struct Rows {
    function: &'static str,
    path: String,
    reader: RefCell<Reader<File>>,
    /// The names of the columns, when rows are maps.
    header: Option<Vec<String>>,
}

impl NativeIter for Rows {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let mut record = StringRecord::new();
        let read = self.reader.borrow_mut().read_record(&mut record);
        let path = show::quoted(&self.path);
        if !read.map_err(|error| refused(self.function, &format!("the file {path}"), &error))? {
            return Ok(None);
        }
        context.poll()?;
        let heap = context.heap();
        let Some(header) = &self.header else {
            let row = record.iter().map(|field| Value::str(heap, field)).collect();
            return Ok(Some(Value::list(heap, row)));
        };
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
    let path = arguments::text(function, "path", &args[0])?;
    let dialect = Dialect::new(function, &args[1], &args[2])?;
    let file = system::retry(context, function, path, || File::open(path))?;
    let mut reader = dialect.reader().from_reader(file);
    let header = match maps {
        false => None,
        true => {
            let mut record = StringRecord::new();
            let shown = format!("the file {}", show::quoted(path));
            reader
                .read_record(&mut record)
                .map_err(|error| refused(function, &shown, &error))?;
            Some(record.iter().map(String::from).collect())
        }
    };
    let rows = Rows {
        function,
        path: path.to_string(),
        reader: RefCell::new(reader),
        header,
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
    let path = arguments::text("dump", "path", &args[1])?;
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
    let file = system::retry(context, "dump", path, || File::create(path))?;
    let mut writer = dialect.writer().from_writer(BufWriter::new(file));
    let shown = format!("the file {}", show::quoted(path));
    let failed = |error: csv::Error| refused("dump", &shown, &error);
    if let Some(header) = &header {
        writer.write_record(header).map_err(failed)?;
    }
    let mut count = 0;
    gather::each(context, args[0], |_, row| {
        let fields: Vec<String> = match row {
            Value::Map(map) => {
                if header.is_none() {
                    let names: Vec<String> =
                        map.table().iter().map(|(key, _)| field(key)).collect();
                    writer.write_record(&names).map_err(failed)?;
                    header = Some(names);
                }
                let entries: Vec<(String, Value)> = map
                    .table()
                    .iter()
                    .map(|(key, value)| (field(key), value))
                    .collect();
                let of = |name: &String| entries.iter().find(|(key, _)| key == name);
                let names = header.iter().flatten();
                names
                    .map(|name| of(name).map_or_else(String::new, |(_, value)| field(*value)))
                    .collect()
            }
            row => {
                let items = arguments::list("dump", "rows", &row)?.items().to_values();
                items.into_iter().map(field).collect()
            }
        };
        writer.write_record(&fields).map_err(failed)?;
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut inner = match writer.into_inner() {
        Ok(inner) => inner,
        Err(error) => return Err(system::failed("dump", path, error.error())),
    };
    system::retry(context, "dump", path, || inner.flush())?;
    Ok(Value::Int(count))
}

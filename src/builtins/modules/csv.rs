//! `csv`: tables as text, with commas or another delimiter.

use super::csv_file;
use super::csv_lines::{Out, Rows};
use crate::builtins::{Module, Table, arguments, gather};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::process::{signals, wait};
use crate::value::heap::Gc;
use crate::value::map::{Map, Table as Entries, same_key};
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, operate, show, text};
use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use std::ops::ControlFlow;

/// The module.
pub static MODULE: Module = Module {
    name: "csv",
    doc: "Tables as text, with commas or another delimiter.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "dump" ("rows", "path", "delimiter?", "header?", "quote?") csv_file::dump, "Writes rows (lists, or maps under a header of their keys) to a file, and gives how many.";
    "dumps" ("rows", "delimiter?", "header?", "quote?") dumps, "The text of rows, which are lists, or maps under a header of their keys.";
    "loads" ("text", "delimiter?", "quote?") loads, "A list of the rows of a text, each a list of strs.";
    "loads_maps" ("text", "delimiter?", "quote?") loads_maps, "A list of the rows of a text as maps under the names of its first row.";
    "maps" ("path", "delimiter?", "quote?") csv_file::maps, "Goes through the rows of a file as maps under the names of its first row.";
    "parse" ("text", "delimiter?", "quote?") loads, "A list of the rows of a text, each a list of strs (as loads).";
    "rows" ("path", "delimiter?", "quote?") csv_file::rows, "Goes through the rows of a file, each a list of strs.";
};

/// How a table is written: what stands between fields, and what around those that have such a mark in them.
pub struct Dialect {
    delimiter: u8,
    quote: u8,
}

impl Dialect {
    /// From the arguments of a call.
    pub fn new(function: &str, between: &Value, around: &Value) -> Outcome<Dialect> {
        let quote = match arguments::given(around) {
            None => b'"',
            Some(value) => match arguments::text(function, "quote", value)?.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => *byte,
                _ => {
                    let rule = "must be one ASCII character";
                    return Err(arguments::refuse(function, "quote", rule, value));
                }
            },
        };
        let delimiter = delimiter(function, between)?;
        Ok(Dialect { delimiter, quote })
    }

    /// What reads it. Rows may have different numbers of fields.
    pub fn reader(&self) -> ReaderBuilder {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true);
        builder.delimiter(self.delimiter).quote(self.quote);
        builder
    }

    /// What writes it.
    pub fn writer(&self) -> WriterBuilder {
        let mut builder = WriterBuilder::new();
        builder.flexible(true);
        builder.delimiter(self.delimiter).quote(self.quote);
        builder
    }
}

/// The error of something that is no table.
pub fn refused(function: &str, what: &str, error: &csv::Error) -> Fault {
    if let csv::ErrorKind::Io(error) = error.kind()
        && let Some(error) = wait::broken_off(error)
    {
        return error.into();
    }
    let message = format!("{function}: {what} must be a table, but {error}");
    diag::Error::new(codes::VALUE, message).into()
}

fn delimiter(function: &str, value: &Value) -> Outcome<u8> {
    let Some(value) = arguments::given(value) else {
        return Ok(b',');
    };
    match arguments::text(function, "delimiter", value)?.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(arguments::refuse(
            function,
            "delimiter",
            "must be one ASCII character",
            value,
        )),
    }
}

/// The rows of the text of a call.
fn table<'a>(function: &str, args: Args<'a>) -> Outcome<Rows<&'a [u8]>> {
    let source = arguments::text(function, "text", &args[0])?;
    let dialect = Dialect::new(function, &args[1], &args[2])?;
    Ok(Rows::new(&dialect, source.as_bytes()))
}

fn loads(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut table = table("loads", args)?;
    let heap = context.heap();
    let mut rows = Vec::new();
    let wrong = |error| refused("loads", "the text", &error);
    while let Some(record) = table.read().map_err(wrong)? {
        signals::check_urgent()?;
        let row = record.iter().map(|field| Value::str(heap, field)).collect();
        rows.push(Value::list(heap, row));
    }
    Ok(Value::list(heap, rows))
}

fn loads_maps(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut table = table("loads_maps", args)?;
    let heap = context.heap();
    let wrong = |error| refused("loads_maps", "the text", &error);
    let header = table.full().map_err(wrong)?;
    let header = header.map(|(names, _)| names).unwrap_or_default();
    differ("loads_maps", &header)?;
    let names: Vec<Value> = header.iter().map(|name| Value::str(heap, name)).collect();
    let mut rows = Vec::new();
    while let Some((record, line)) = table.full().map_err(wrong)? {
        signals::check_urgent()?;
        fits("loads_maps", &record, names.len(), line)?;
        let mut table = Entries::default();
        for (at, name) in names.iter().enumerate() {
            let value = record
                .get(at)
                .map_or(Value::Nil, |field| Value::str(heap, field));
            table.insert(*name, value);
        }
        rows.push(Value::Map(Map::new(heap, table)));
    }
    Ok(Value::list(heap, rows))
}

/// Refuses a header in which a name stands twice: a map would keep only the last of its columns.
pub fn differ(function: &str, header: &StringRecord) -> Outcome<()> {
    let mut seen = std::collections::HashSet::new();
    let Some(double) = header.iter().find(|name| !seen.insert(*name)) else {
        return Ok(());
    };
    let message = format!(
        "{function}: the columns must have different names, but two are called {}",
        show::quoted(double)
    );
    let error = diag::Error::new(codes::VALUE, message);
    Err(error
        .with_help("read it with `csv.loads` or `csv.rows`, which give each row as a list")
        .into())
}

/// Refuses a row with more fields than there are names.
pub fn fits(function: &str, record: &StringRecord, names: usize, line: usize) -> Outcome<()> {
    if record.len() <= names {
        return Ok(());
    }
    let message = format!(
        "{function}: a row can have {names} fields, as many as the first, but line {line} has {}",
        record.len()
    );
    let error = diag::Error::new(codes::VALUE, message);
    Err(error
        .with_help("read it with `csv.loads` or `csv.rows`, which give each row as a list")
        .into())
}

/// Refuses a map with a key that is not in the header.
pub fn covers(function: &str, row: Gc<Map>, known: impl Fn(&Value) -> bool) -> Outcome<()> {
    let Some((key, _)) = row.table().iter().find(|(key, _)| !known(key)) else {
        return Ok(());
    };
    let message = format!(
        "{function}: the keys of a row must be in the header, but {} is not",
        show::repr(key)
    );
    let error = diag::Error::new(codes::VALUE, message);
    Err(error
        .with_help("name all columns: `header: [...]` (without it, the keys of the first row are the header)")
        .into())
}

/// The text of one field; nil is empty.
pub fn field(value: Value) -> String {
    match value {
        Value::Nil => String::new(),
        value => show::display(value),
    }
}

fn items(value: Value) -> Outcome<Vec<Value>> {
    let list = arguments::list("dumps", "rows", &value)?;
    Ok(list.items().to_values())
}

fn dumps(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let dialect = Dialect::new("dumps", &args[1], &args[3])?;
    let mut header = match arguments::given(&args[2]) {
        Some(header) => Some(
            arguments::list("dumps", "header", header)?
                .items()
                .to_values(),
        ),
        None => None,
    };
    let mut writer = Out::new(&dialect, Vec::new());
    let refused = |error: csv::Error| refused("dumps", "what the rows make", &error);
    if let Some(header) = &header {
        let names: Vec<String> = header.iter().map(|&name| field(name)).collect();
        writer.row(&names).map_err(refused)?;
    }
    let mut size = 0;
    gather::each(context, args[0], |context, row| {
        let fields: Vec<String> = match row {
            Value::Map(map) => {
                if header.is_none() {
                    let names: Vec<Value> = map.table().iter().map(|(key, _)| key).collect();
                    let shown: Vec<String> = names.iter().map(|&name| field(name)).collect();
                    writer.row(&shown).map_err(refused)?;
                    // The row that they are the keys of may be gone when the next one comes.
                    names.iter().for_each(|&name| context.protect(name));
                    header = Some(names);
                }
                let names = header.as_deref().unwrap_or_default();
                covers("dumps", map, |key| {
                    names.iter().any(|name| same_key(name, key))
                })?;
                let names = names.iter();
                names
                    .map(|name| map.table().get(name).map_or_else(String::new, field))
                    .collect()
            }
            row => items(row)?.into_iter().map(field).collect(),
        };
        size += fields.iter().map(String::len).sum::<usize>();
        operate::within("dumps", size, MAX_STRING)?;
        writer.row(&fields).map_err(refused)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let data = writer.end().map_err(|error| refused(error.into()))?;
    let data = String::from_utf8_lossy(&data.borrow()).into_owned();
    text::checked(context.heap(), data)
}

//! `csv`: tables as text, with commas or another delimiter.

use super::csv_file;
use crate::builtins::{Module, Table, arguments, gather};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::value::map::{Map, Table as Entries};
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

fn records(function: &str, args: Args<'_>) -> Outcome<Vec<StringRecord>> {
    let source = arguments::text(function, "text", &args[0])?;
    let dialect = Dialect::new(function, &args[1], &args[2])?;
    let mut reader = dialect.reader().from_reader(source.as_bytes());
    let records = reader
        .records()
        .map(|record| record.map_err(|error| refused(function, "the text", &error)));
    records.collect()
}

fn loads(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let records = records("loads", args)?;
    let heap = context.heap();
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let row = record.iter().map(|field| Value::str(heap, field)).collect();
        rows.push(Value::list(heap, row));
    }
    Ok(Value::list(heap, rows))
}

fn loads_maps(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let records = records("loads_maps", args)?;
    let heap = context.heap();
    let mut records = records.into_iter();
    let header = records.next().unwrap_or_default();
    let names: Vec<Value> = header.iter().map(|name| Value::str(heap, name)).collect();
    let mut rows = Vec::new();
    for record in records {
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
    let mut writer = dialect.writer().from_writer(Vec::new());
    let refused = |error: csv::Error| refused("dumps", "what the rows make", &error);
    if let Some(header) = &header {
        writer
            .write_record(header.iter().map(|&name| field(name)))
            .map_err(refused)?;
    }
    let mut size = 0;
    gather::each(context, args[0], |context, row| {
        let fields: Vec<String> = match row {
            Value::Map(map) => {
                if header.is_none() {
                    let names: Vec<Value> = map.table().iter().map(|(key, _)| key).collect();
                    writer
                        .write_record(names.iter().map(|&name| field(name)))
                        .map_err(refused)?;
                    // The row that they are the keys of may be gone when the next one comes.
                    names.iter().for_each(|&name| context.protect(name));
                    header = Some(names);
                }
                let names = header.iter().flatten();
                names
                    .map(|name| map.table().get(name).map_or_else(String::new, field))
                    .collect()
            }
            row => items(row)?.into_iter().map(field).collect(),
        };
        size += fields.iter().map(String::len).sum::<usize>();
        operate::within("dumps", size, MAX_STRING)?;
        writer.write_record(&fields).map_err(refused)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let data = writer.into_inner().unwrap_or_default();
    text::checked(context.heap(), String::from_utf8_lossy(&data).into_owned())
}

//! Errors as bytes: every part of a report travels, so that a child's error is as complete in its parent as at home.

use super::bytes::{Reader, bad, put_count, put_text};
use crate::diag::{self, Error, Field, Frame, Label, ProcessTag, Severity, codes};
use crate::source::{SourceId, Span};

/// Causes and lists inside of attributes are followed this deep; what is deeper stays at home. Both sides recurse.
const MAX_DEPTH: usize = 60;

/// Appends a report.
pub fn write(error: &Error, out: &mut Vec<u8>) {
    write_error(error, out, 0);
}

/// Reads a report that [`write()`] wrote.
pub fn read(reader: &mut Reader<'_>) -> diag::Result<Box<Error>> {
    read_error(reader, 0).map(Box::new)
}

fn write_error(error: &Error, out: &mut Vec<u8>, depth: usize) {
    put_text(out, error.code.0);
    put_text(out, &error.kind);
    put_text(out, &error.message);
    out.push(u8::from(error.severity == Severity::Warning) | u8::from(error.incomplete) << 1);
    write_optional(out, error.span.as_ref(), |out, span| write_span(out, *span));
    write_optional(out, error.label.as_ref(), |out, text| put_text(out, text));
    write_all(out, &error.labels, |out, label| {
        write_span(out, label.span);
        put_text(out, &label.text);
    });
    write_all(out, &error.notes, |out, note| put_text(out, note));
    write_optional(out, error.help.as_ref(), |out, text| put_text(out, text));
    write_all(out, &error.trace, write_frame);
    write_optional(out, error.process.as_ref(), |out, process| {
        put_text(out, &process.name);
        out.extend_from_slice(&process.pid.to_le_bytes());
    });
    write_optional(out, error.spawned_at.as_ref(), |out, span| {
        write_span(out, *span)
    });
    write_all(out, &error.joined, write_frame);
    write_all(out, &error.fields, |out, (name, field)| {
        put_text(out, name);
        write_field(out, field, 0);
    });
    let causes: &[Error] = if depth < MAX_DEPTH {
        &error.causes
    } else {
        &[]
    };
    write_all(out, causes, |out, cause| write_error(cause, out, depth + 1));
}

fn read_error(reader: &mut Reader<'_>, depth: usize) -> diag::Result<Error> {
    if depth > MAX_DEPTH {
        return Err(bad("an error in it has too many causes behind each other"));
    }
    let code = codes::Code::find(reader.text()?).unwrap_or(codes::USER);
    let kind = reader.text()?;
    let message = reader.text()?;
    let mut error = *Error::new(code, message);
    error.kind = kind.to_string();
    let flags = reader.byte()?;
    error.severity = match flags & 1 {
        0 => Severity::Error,
        _ => Severity::Warning,
    };
    error.incomplete = flags & 2 != 0;
    error.span = read_optional(reader, read_span)?;
    error.label = read_optional(reader, read_text)?;
    error.labels = read_all(reader, |reader| {
        Ok(Label {
            span: read_span(reader)?,
            text: read_text(reader)?,
        })
    })?;
    error.notes = read_all(reader, read_text)?;
    error.help = read_optional(reader, read_text)?;
    error.trace = read_all(reader, read_frame)?;
    error.process = read_optional(reader, |reader| {
        Ok(ProcessTag {
            name: read_text(reader)?,
            pid: i32::from_le_bytes(reader.array()?),
        })
    })?;
    error.spawned_at = read_optional(reader, read_span)?;
    error.joined = read_all(reader, read_frame)?;
    error.fields = read_all(reader, |reader| {
        Ok((read_text(reader)?, read_field(reader, 0)?))
    })?;
    error.causes = read_all(reader, |reader| read_error(reader, depth + 1))?;
    Ok(error)
}

fn write_frame(out: &mut Vec<u8>, frame: &Frame) {
    put_text(out, &frame.function);
    write_span(out, frame.span);
}

fn read_frame(reader: &mut Reader<'_>) -> diag::Result<Frame> {
    Ok(Frame {
        function: read_text(reader)?,
        span: read_span(reader)?,
    })
}

fn write_span(out: &mut Vec<u8>, span: Span) {
    put_count(out, span.source.0.into());
    put_count(out, span.start.into());
    put_count(out, span.end.into());
}

fn read_span(reader: &mut Reader<'_>) -> diag::Result<Span> {
    Ok(Span {
        source: SourceId(reader.id()?),
        start: reader.id()?,
        end: reader.id()?,
    })
}

fn read_text(reader: &mut Reader<'_>) -> diag::Result<String> {
    reader.text().map(str::to_string)
}

fn write_field(out: &mut Vec<u8>, field: &Field, depth: usize) {
    match field {
        Field::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
        Field::Int(value) => {
            out.push(2);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Field::Float(value) => {
            out.push(3);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Field::Text(text) => {
            out.push(4);
            put_text(out, text);
        }
        Field::List(items) if depth < MAX_DEPTH => {
            out.push(5);
            write_all(out, items, |out, item| write_field(out, item, depth + 1));
        }
        Field::Map(entries) if depth < MAX_DEPTH => {
            out.push(6);
            write_all(out, entries, |out, (key, value)| {
                put_text(out, key);
                write_field(out, value, depth + 1);
            });
        }
        Field::Nil | Field::List(_) | Field::Map(_) => out.push(0),
    }
}

fn read_field(reader: &mut Reader<'_>, depth: usize) -> diag::Result<Field> {
    if depth > MAX_DEPTH {
        return Err(bad("an attribute of an error in it nests too deeply"));
    }
    Ok(match reader.byte()? {
        0 => Field::Nil,
        1 => Field::Bool(reader.byte()? != 0),
        2 => Field::Int(reader.int()?),
        3 => Field::Float(f64::from_le_bytes(reader.array()?)),
        4 => Field::Text(read_text(reader)?),
        5 => Field::List(read_all(reader, |reader| read_field(reader, depth + 1))?),
        6 => Field::Map(read_all(reader, |reader| {
            Ok((read_text(reader)?, read_field(reader, depth + 1)?))
        })?),
        _ => return Err(bad("an attribute of an error in it has an unknown tag")),
    })
}

fn write_optional<T>(out: &mut Vec<u8>, part: Option<&T>, write: impl FnOnce(&mut Vec<u8>, &T)) {
    out.push(u8::from(part.is_some()));
    if let Some(part) = part {
        write(out, part);
    }
}

fn read_optional<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> diag::Result<T>,
) -> diag::Result<Option<T>> {
    match reader.byte()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(bad(
            "a part of an error in it is neither there nor not there",
        )),
    }
}

fn write_all<T>(out: &mut Vec<u8>, parts: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    put_count(out, parts.len() as u64);
    for part in parts {
        write(out, part);
    }
}

fn read_all<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> diag::Result<T>,
) -> diag::Result<Vec<T>> {
    let count = reader.count_of(1)?;
    // Grown as parts really arrive: a part may be much larger in memory than its shortest encoding.
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push(read(reader)?);
    }
    Ok(parts)
}

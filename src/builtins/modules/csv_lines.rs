//! Rows without fields: empty lines of a table, which the `csv` crate passes over when it reads and never writes.

use super::csv::Dialect;
use csv::{Reader, StringRecord, Writer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

/// Where lines end that have nothing in them. Those within quotes are among them: only who knows where a row begins can
/// tell.
#[derive(Default)]
struct Ends {
    /// Bytes that were read.
    at: u64,
    /// The last byte was a `\r`.
    carriage: bool,
    /// Nothing of the line was read yet (when it is not the first).
    inside: bool,
    empty: VecDeque<u64>,
}

impl Ends {
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' if self.carriage => {}
                b'\n' | b'\r' => {
                    if !self.inside {
                        self.empty.push_back(self.at);
                    }
                    self.inside = false;
                }
                _ => self.inside = true,
            }
            self.carriage = byte == b'\r';
            self.at += 1;
        }
    }

    /// How many empty lines stand at a place where no row has begun yet.
    fn count_at(&mut self, mut place: u64) -> usize {
        let mut count = 0;
        while let Some(&end) = self.empty.front() {
            // Between two ends can be the second half of one.
            if end > place + 1 {
                break;
            }
            self.empty.pop_front();
            if end >= place {
                count += 1;
                place = end + 1;
            }
        }
        count
    }
}

/// Notes the ends of lines of what is read through it.
pub struct Noting<R> {
    inner: R,
    ends: Rc<RefCell<Ends>>,
}

impl<R: Read> Read for Noting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let taken = buffer.get(..count).unwrap_or_default();
        self.ends.borrow_mut().take(taken);
        Ok(count)
    }
}

/// Reads all rows of a table, those without fields too.
pub struct Rows<R> {
    reader: Reader<Noting<R>>,
    ends: Rc<RefCell<Ends>>,
    /// Empty rows that come before `next`.
    empty: usize,
    next: Option<StringRecord>,
    /// Lines up to the row that was read last, and those that it has itself.
    line: usize,
    own: usize,
}

impl<R: Read> Rows<R> {
    pub fn new(dialect: &Dialect, inner: R) -> Rows<R> {
        let ends = Rc::new(RefCell::new(Ends::default()));
        let noting = Noting {
            inner,
            ends: ends.clone(),
        };
        Rows {
            reader: dialect.reader().from_reader(noting),
            ends,
            empty: 0,
            next: None,
            line: 0,
            own: 1,
        }
    }

    /// The next row; `None` behind the last.
    pub fn read(&mut self) -> Result<Option<StringRecord>, csv::Error> {
        if self.empty == 0 {
            if let Some(next) = self.next.take() {
                return Ok(Some(next));
            }
            (self.empty, self.next) = self.advance()?;
        }
        if self.empty == 0 {
            return Ok(self.next.take());
        }
        self.empty -= 1;
        Ok(Some(StringRecord::new()))
    }

    /// The next row that has fields, with the line on which it begins.
    pub fn full(&mut self) -> Result<Option<(StringRecord, usize)>, csv::Error> {
        let (_, record) = self.advance()?;
        Ok(record.map(|record| (record, self.line)))
    }

    /// The next row that has fields, and how many there are before it that have none.
    fn advance(&mut self) -> Result<(usize, Option<StringRecord>), csv::Error> {
        let place = self.reader.position().byte();
        let mut record = StringRecord::new();
        let any = self.reader.read_record(&mut record)?;
        let empty = self.ends.borrow_mut().count_at(place);
        // (The reader's own count of lines begins at the empty ones.)
        self.line += empty + std::mem::replace(&mut self.own, 1);
        self.own += record.as_slice().matches('\n').count();
        Ok((empty, any.then_some(record)))
    }
}

/// Writes rows, those without fields too.
pub struct Out<W: Write> {
    writer: Writer<Sink<W>>,
    sink: Rc<RefCell<W>>,
}

impl<W: Write> Out<W> {
    pub fn new(dialect: &Dialect, inner: W) -> Out<W> {
        let sink = Rc::new(RefCell::new(inner));
        Out {
            writer: dialect.writer().from_writer(Sink(sink.clone())),
            sink,
        }
    }

    /// Writes a row.
    pub fn row(&mut self, fields: &[String]) -> Result<(), csv::Error> {
        if fields.is_empty() {
            self.writer.flush()?;
            return Ok(self.sink.borrow_mut().write_all(b"\n")?);
        }
        self.writer.write_record(fields)
    }

    /// Ends it, and gives what was written to.
    pub fn end(mut self) -> io::Result<Rc<RefCell<W>>> {
        self.writer.flush()?;
        Ok(self.sink)
    }
}

struct Sink<W>(Rc<RefCell<W>>);

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

//! Source texts and places in them.
//!
//! Every text that is compiled (a file, `-e`, a line at the prompt, a module of the standard library) is registered
//! once in a [`SourceMap`]; a [`Span`] is a range of bytes in one of them and is what tokens, nodes, code and errors carry.

use std::sync::Arc;

/// The number of a source in its [`SourceMap`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A half-open range of bytes in one source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Span {
    /// The source that the range is in.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from `start` to `end` (bytes) of `source`.
    pub fn new(source: SourceId, start: usize, end: usize) -> Span {
        Span {
            source,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The smallest span that covers both; `other` must be of the same source.
    pub fn to(self, other: Span) -> Span {
        Span {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// One source text.
#[derive(Debug)]
pub struct Source {
    /// Its number.
    pub id: SourceId,
    /// What reports call it: a path as the user wrote it, `<stdin>`, `<-e>`, `<prompt:3>`; `<log>` for a standard module.
    pub name: String,
    /// The text itself.
    pub text: String,
    line_starts: Vec<u32>,
}

impl Source {
    /// A source with the given number, name and text.
    pub fn new(id: SourceId, name: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let starts = std::iter::once(0)
            .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1));
        let line_starts = starts.collect();
        Source {
            id,
            name: name.into(),
            text,
            line_starts,
        }
    }

    /// Whether it is a standard module that is written in Par.
    pub fn is_standard_module(&self) -> bool {
        let inner = self
            .name
            .strip_prefix('<')
            .and_then(|name| name.strip_suffix('>'));
        inner.is_some_and(|name| name != "stdin" && name.bytes().all(|b| b.is_ascii_lowercase()))
    }

    /// The line (from 1) and the column in characters (from 1) of a byte offset; offsets past the end count as the end.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let offset = (offset as usize).min(self.text.len());
        let line = self
            .line_starts
            .partition_point(|&start| start as usize <= offset);
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .map_or(0, |&s| s as usize);
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |s| s.chars().count());
        (line as u32, column as u32 + 1)
    }

    /// The text of a span of this source (empty when the span does not fit).
    pub fn slice(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }
}

/// All sources of one engine. Cheap to clone; a source once added never changes.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Arc<Source>>,
}

impl SourceMap {
    /// Registers a text and returns it with its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        let source = Arc::new(Source::new(SourceId(self.sources.len() as u32), name, text));
        self.sources.push(source.clone());
        source
    }

    /// The source of a number.
    pub fn get(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.sources.get(id.0 as usize)
    }

    /// `name:line` of a span, as traces and process reports quote it.
    pub fn place(&self, span: Span) -> String {
        match self.get(span.source) {
            Some(source) => format!("{}:{}", source.name, source.line_column(span.start).0),
            None => String::from("<unknown>"),
        }
    }
}

//! Errors as the embedding program sees them: [`diag::Error`] with its places made readable.

use crate::diag::{self, Field, ProcessTag};
use crate::source::{SourceMap, Span};
use std::fmt;

/// An error or warning of a script. It owns everything that it tells and can be sent to other threads.
#[derive(Clone)]
pub struct Error {
    report: Box<diag::Error>,
    others: Vec<diag::Error>,
    sources: SourceMap,
    exit: Option<i32>,
}

/// A place in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The name of the script, as it was given to the engine.
    pub source: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The range in the script's text, in bytes.
    pub bytes: std::ops::Range<usize>,
    /// The text at that range.
    pub text: String,
}

/// A call that was running when an error was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function, or `<script>`.
    pub function: String,
    /// Where in it the script was.
    pub location: Option<Location>,
}

impl Error {
    pub(super) fn new(report: Box<diag::Error>, sources: &SourceMap, exit: Option<i32>) -> Error {
        Error {
            report,
            others: Vec::new(),
            sources: sources.clone(),
            exit,
        }
    }

    pub(super) fn several(errors: Vec<diag::Error>, sources: &SourceMap) -> Error {
        let mut errors = errors.into_iter();
        let first = errors.next().map(Box::new).unwrap_or_else(|| {
            diag::Error::new(diag::codes::INTERNAL, "something failed without a report")
        });
        let mut error = Error::new(first, sources, None);
        error.others = errors.collect();
        error
    }

    /// Its kind, as `catch e: Kind` names it: `TypeError`, `SyntaxError`, `LimitExceeded`.
    pub fn kind(&self) -> &str {
        &self.report.kind
    }

    /// Its code in the error reference: `R001`.
    pub fn code(&self) -> &str {
        self.report.code.0
    }

    /// What happened, in one sentence.
    pub fn message(&self) -> &str {
        &self.report.message
    }

    /// What to type instead, where that is known.
    pub fn help(&self) -> Option<&str> {
        self.report.help.as_deref()
    }

    /// The place that it is about.
    pub fn location(&self) -> Option<Location> {
        self.report.span.and_then(|span| self.locate(span))
    }

    /// The calls that led to it, innermost first.
    pub fn trace(&self) -> Vec<Call> {
        let call = |frame: &diag::Frame| Call {
            function: frame.function.clone(),
            location: self.locate(frame.span),
        };
        self.report.trace.iter().map(call).collect()
    }

    /// The process that raised it, when it is known.
    pub fn process(&self) -> Option<&ProcessTag> {
        self.report.process.as_ref()
    }

    /// A further attribute that it was made with (`error("x", code: 2)`), or that the runtime gave it.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let mut fields = self.report.fields.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
    }

    /// The code of `exit(code)`, when the script ended by that and not by an error.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit
    }

    /// The other errors that were found together with this one (a script may have several mistakes).
    pub fn others(&self) -> Vec<Error> {
        let other = |error: &diag::Error| Error::new(Box::new(error.clone()), &self.sources, None);
        self.others.iter().map(other).collect()
    }

    /// The whole report as the command line shows it, without colours.
    pub fn report(&self) -> String {
        let all = std::iter::once(&*self.report).chain(&self.others);
        let all: Vec<diag::Error> = all.cloned().collect();
        diag::render_all(&all, &self.sources, diag::Style::PLAIN)
    }

    fn locate(&self, span: Span) -> Option<Location> {
        let source = self.sources.get(span.source)?;
        let (line, column) = source.line_column(span.start);
        Some(Location {
            source: source.name.clone(),
            line,
            column,
            bytes: span.start as usize..span.end as usize,
            text: source.slice(span).to_string(),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.location() {
            write!(f, "{}:{}:{}: ", place.source, place.line, place.column)?;
        }
        write!(f, "{}: {}", self.kind(), self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind())
            .field("message", &self.message())
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

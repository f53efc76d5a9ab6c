//! Errors and warnings: one structure for all of them, whatever stage they come from.
//!
//! Imports `source` and `limits` only. **Invariant:** nothing but `diag/render.rs` knows miette, and nothing here knows
//! values, syntax or processes: facts about them arrive as text, numbers and spans.

pub mod codes;
mod excerpt;
pub mod explain;
mod render;
mod suggest;

pub use render::{Style, render, render_all, render_line};
pub use suggest::{did_you_mean, suggest};

use crate::source::Span;
use codes::Code;

/// The result of everything that can fail with a report.
pub type Result<T> = std::result::Result<T, Box<Error>>;

/// How bad a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// Stops the script.
    #[default]
    Error,
    /// Told and gone on.
    Warning,
}

/// A place with a word about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be said of it ("opened here").
    pub text: String,
}

/// One call of a trace, innermost first.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The function, or `<script>`.
    pub function: String,
    /// Where in it the call stood.
    pub span: Span,
}

/// The process that an error was raised in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessTag {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: i32,
}

/// A further attribute of an error that scripts can read (`e.code`, `e.signal`, `e.group`).
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Field {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Field>),
    Map(Vec<(String, Field)>),
}

/// A report: an error or a warning of any stage.
///
/// Built with [`Error::new`] and the `with_` methods; drawn by `render`.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// Its row in the error reference; it decides the kind that scripts see.
    pub code: Code,
    /// The kind that `catch e: Kind` compares (`TypeError`); a script's own errors choose theirs.
    pub kind: String,
    /// One sentence, expected first, actual second, no full stop.
    pub message: String,
    /// Error or warning.
    pub severity: Severity,
    /// The place that it is about. Runtime errors get theirs from the virtual machine.
    pub span: Option<Span>,
    /// What is wrong at `span`, in a few words.
    pub label: Option<String>,
    /// The other places involved.
    pub labels: Vec<Label>,
    /// Further sentences.
    pub notes: Vec<String>,
    /// What to type instead.
    pub help: Option<String>,
    /// True when more input could make it right: the prompt reads on.
    pub incomplete: bool,
    /// The calls that led here, innermost first.
    pub trace: Vec<Frame>,
    /// The process that raised it.
    pub process: Option<ProcessTag>,
    /// Where the process that raised it was spawned, when that is another process than the one that reports.
    pub spawned_at: Option<Span>,
    /// The calls that waited for that process when its error reached them, innermost first.
    pub joined: Vec<Frame>,
    /// What scripts can read of it.
    pub fields: Vec<(String, Field)>,
    /// The errors behind it.
    pub causes: Vec<Error>,
}

impl Field {
    /// Bytes of memory behind it.
    fn bytes(&self) -> usize {
        match self {
            Field::Text(text) => text.len(),
            Field::List(items) => items.iter().map(|item| 32 + item.bytes()).sum(),
            Field::Map(entries) => {
                let entries = entries.iter();
                entries
                    .map(|(name, item)| 56 + name.len() + item.bytes())
                    .sum()
            }
            Field::Nil | Field::Bool(_) | Field::Int(_) | Field::Float(_) => 0,
        }
    }
}

impl Error {
    /// Bytes of memory in it and behind it, about: a collector that does not see them would let gigabytes wait.
    pub fn bytes(&self) -> usize {
        let texts = [
            Some(&self.kind),
            Some(&self.message),
            self.label.as_ref(),
            self.help.as_ref(),
        ];
        let texts: usize = texts
            .into_iter()
            .flatten()
            .chain(&self.notes)
            .map(String::len)
            .sum();
        let frames = self.trace.iter().chain(&self.joined);
        let frames: usize = frames
            .map(|frame| size_of::<Frame>() + frame.function.len())
            .sum();
        let fields = self.fields.iter();
        let fields: usize = fields
            .map(|(name, field)| 56 + name.len() + field.bytes())
            .sum();
        let causes: usize = self.causes.iter().map(Error::bytes).sum();
        size_of::<Error>() + texts + frames + fields + causes
    }

    /// An error of the given code, with the code's own kind.
    pub fn new(code: Code, message: impl Into<String>) -> Box<Error> {
        Box::new(Error {
            code,
            kind: code.kind().to_string(),
            message: message.into(),
            severity: code.severity(),
            span: None,
            label: None,
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
            incomplete: false,
            trace: Vec::new(),
            process: None,
            spawned_at: None,
            joined: Vec::new(),
            fields: Vec::new(),
            causes: Vec::new(),
        })
    }

    /// Sets the place.
    pub fn with_span(mut self: Box<Self>, span: Span) -> Box<Error> {
        self.span = Some(span);
        self
    }

    /// Says what is wrong at the place.
    pub fn with_label(mut self: Box<Self>, text: impl Into<String>) -> Box<Error> {
        self.label = Some(text.into());
        self
    }

    /// Points at another place involved.
    pub fn with_other(mut self: Box<Self>, span: Span, text: impl Into<String>) -> Box<Error> {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a sentence.
    pub fn with_note(mut self: Box<Self>, text: impl Into<String>) -> Box<Error> {
        self.notes.push(text.into());
        self
    }

    /// Says what to type instead.
    pub fn with_help(mut self: Box<Self>, text: impl Into<String>) -> Box<Error> {
        self.help = Some(text.into());
        self
    }

    /// Adds an attribute that scripts can read.
    pub fn with_field(mut self: Box<Self>, name: impl Into<String>, value: Field) -> Box<Error> {
        self.fields.push((name.into(), value));
        self
    }

    /// Adds an error behind this one.
    pub fn with_cause(mut self: Box<Self>, cause: Error) -> Box<Error> {
        self.causes.push(cause);
        self
    }

    /// Marks it as mendable by more input.
    pub fn incomplete(mut self: Box<Self>) -> Box<Error> {
        self.incomplete = true;
        self
    }
}

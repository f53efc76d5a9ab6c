//! Draws reports for people: title, the lines of source that are meant, notes, help, the calls that led there, the process.
//!
//! The only user of miette, which draws the lines of source; everything around them is drawn here.

use super::excerpt::{Excerpt, Mark, clusters};
use super::{Error, Frame, Severity, codes};
use crate::source::{SourceMap, Span};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan};
use std::fmt;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With colours, for terminals.
    pub color: bool,
    /// The width to keep to, in columns; at least 40.
    pub width: usize,
    /// Sentences are broken at the width too; otherwise only lines of source are clipped.
    pub wrap: bool,
}

impl Style {
    /// Without colours, for files and tests.
    pub const PLAIN: Style = Style {
        color: false,
        width: 100,
        wrap: false,
    };
}

/// How many errors behind errors are drawn: a chain may be as long as a script likes.
const MAX_CAUSES: usize = 8;
/// Blanks at the beginning of a line that are kept at most.
const LEAD: usize = 24;
/// How many calls of a trace are drawn: the innermost, and the last few as the outermost.
const MAX_FRAMES: usize = 12;
const LAST_FRAMES: usize = 4;
/// How many reports are drawn at once: what follows is mostly a consequence.
const MAX_REPORTS: usize = 20;

/// Draws one report; the text ends with a newline.
pub fn render(error: &Error, sources: &SourceMap, style: Style) -> String {
    let mut drawing = Drawing {
        out: String::new(),
        sources,
        style: Style {
            width: style.width.max(40),
            ..style
        },
        indent: 0,
        causes: 0,
    };
    drawing.report(error);
    drawing.out
}

/// Draws several reports with an empty line between them.
pub fn render_all(errors: &[Error], sources: &SourceMap, style: Style) -> String {
    let shown = errors.iter().take(MAX_REPORTS);
    let mut texts: Vec<String> = shown.map(|error| render(error, sources, style)).collect();
    if errors.len() > MAX_REPORTS {
        texts.push(format!("and {} more\n", errors.len() - MAX_REPORTS));
    }
    texts.join("\n")
}

/// One report in one line, for editors and other tools: `file.par:3:5: error[R004]: KeyError: no key "x"`.
pub fn render_line(error: &Error, sources: &SourceMap) -> String {
    let place = error.span.and_then(|span| {
        let source = sources.get(span.source)?;
        let (line, column) = source.line_column(span.start);
        Some(format!("{}:{line}:{column}: ", source.name))
    });
    let title = format!("{}: {}", heading(error), message(error));
    format!(
        "{}{}",
        place.unwrap_or_default(),
        title.replace(['\n', '\r'], " ")
    )
}

/// `error[R004]`.
fn heading(error: &Error) -> String {
    let severity = match error.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("{severity}[{}]", error.code.0)
}

/// The message, with the kind in front where scripts can see it.
fn message(error: &Error) -> String {
    match error.code.0.starts_with('R') {
        true => format!("{}: {}", error.kind, error.message),
        false => error.message.clone(),
    }
}

/// Colours by what they are for.
#[derive(Clone, Copy)]
enum Paint {
    Error,
    Warning,
    Help,
    Faint,
}

impl Paint {
    fn escape(self) -> &'static str {
        match self {
            Paint::Error => "\x1b[1;31m",
            Paint::Warning => "\x1b[1;33m",
            Paint::Help => "\x1b[1;36m",
            Paint::Faint => "\x1b[2m",
        }
    }
}

struct Drawing<'a> {
    out: String,
    sources: &'a SourceMap,
    style: Style,
    /// Columns that everything is moved to the right.
    indent: usize,
    /// How many causes have been drawn.
    causes: usize,
}

impl Drawing<'_> {
    fn report(&mut self, error: &Error) {
        let paint = match error.severity {
            Severity::Error => Paint::Error,
            Severity::Warning => Paint::Warning,
        };
        let title = format!("{}: ", heading(error));
        let mut text = message(error);
        if error.code == codes::DEADLOCK {
            // Each process of the group gets a line of its own.
            let story = error.message.replacen(": ", ":\n", 1);
            text = format!("{}: {}", error.kind, story.replace("; ", ";\n"));
        }
        self.paragraph(&title, &text, paint, 2);
        match self.place_in_script(error) {
            Some(span) => {
                let span = Some(span);
                self.excerpts(&Error {
                    span,
                    ..error.clone()
                });
            }
            None => self.excerpts(error),
        }
        for note in &error.notes {
            self.paragraph("  note: ", note, Paint::Help, 8);
        }
        if let Some(help) = &error.help {
            self.paragraph("  help: ", help, Paint::Help, 8);
        }
        // A place in the script itself says nothing more than the excerpt.
        if !matches!(&error.trace[..], [only] if is_script(only)) {
            self.trace(&error.trace, "");
        }
        self.process(error);
        self.trace(&error.joined, "joined ");
        for cause in &error.causes {
            if self.causes == MAX_CAUSES {
                self.line("  and further errors behind it");
                break;
            }
            self.causes += 1;
            self.line("  caused by");
            self.indent += 4;
            self.report(cause);
            self.indent -= 4;
        }
    }

    /// Where the script called the standard module that an error comes from: the mistake is seldom in the module. The trace
    /// tells the rest.
    fn place_in_script(&self, error: &Error) -> Option<Span> {
        let standard = |span: &Span| {
            let source = self.sources.get(span.source);
            source.is_some_and(|source| source.is_standard_module())
        };
        if !error.labels.is_empty() || !error.span.as_ref().is_some_and(standard) {
            return None;
        }
        let spans = error.trace.iter().map(|frame| frame.span);
        spans.into_iter().find(|span| !standard(span))
    }

    /// Calls, innermost first; `head` stands before the first.
    fn trace(&mut self, frames: &[Frame], head: &str) {
        let runs = runs_of(frames);
        let hidden = runs.len().saturating_sub(MAX_FRAMES + LAST_FRAMES);
        for (at, (frame, times)) in runs.iter().enumerate() {
            if hidden > 0 && (MAX_FRAMES..MAX_FRAMES + hidden).contains(&at) {
                if at == MAX_FRAMES {
                    let skipped = &runs[at..at + hidden];
                    let calls: usize = skipped.iter().map(|run| run.1).sum();
                    self.faint(&format!("  ... {calls} more calls ..."));
                }
                continue;
            }
            let place = self.sources.place(frame.span);
            let head = if at == 0 { head } else { "" };
            let mut text = match is_script(frame) {
                true => format!("  {head}at {place}"),
                false => format!("  {head}in {} at {place}", frame.function),
            };
            if *times > 1 {
                text.push_str(&format!(" ({times} times)"));
            }
            self.faint(&text);
        }
    }

    /// The process that raised it, when that is another one, and what spawned it.
    fn process(&mut self, error: &Error) {
        let own = std::process::id();
        if let Some(process) = &error.process
            && u32::try_from(process.pid) != Ok(own)
        {
            self.faint(&format!(
                "  in process {} (pid {})",
                process.name, process.pid
            ));
        }
        if let Some(span) = error.spawned_at {
            let place = self.sources.place(span);
            let mut text = format!("  spawned at {place}");
            if let Some(line) = self.line_of(span) {
                text.push_str(&format!(": {line}"));
            }
            self.faint(&clip(&text, self.room()));
        }
    }

    /// The line of source that a place is in, without what surrounds it.
    fn line_of(&self, span: Span) -> Option<String> {
        let source = self.sources.get(span.source)?;
        let start = (span.start as usize).min(source.text.len());
        let before = source.text.get(..start)?;
        let from = before.rfind('\n').map_or(0, |at| at + 1);
        let line = source.text.get(from..)?.lines().next()?;
        Some(line.trim().to_string()).filter(|line| !line.is_empty())
    }

    fn excerpts(&mut self, error: &Error) {
        let mut marks = Vec::new();
        if let Some(span) = error.span {
            marks.push(Mark {
                span,
                text: error.label.clone(),
                primary: true,
            });
        }
        for label in &error.labels {
            // Two marks on one place would be drawn over one another.
            match marks.iter_mut().find(|mark| mark.span == label.span) {
                Some(mark) => {
                    let text = mark.text.take();
                    let text = text.map(|text| format!("{text}; {}", label.text));
                    mark.text = Some(text.unwrap_or_else(|| label.text.clone()));
                }
                None => marks.push(Mark {
                    span: label.span,
                    text: Some(label.text.clone()),
                    primary: false,
                }),
            }
        }
        let room = self.room();
        for excerpt in clusters(&marks, self.sources, room) {
            let theme = self.theme(&excerpt, error.severity);
            let snippet = Snippet(excerpt);
            let handler = GraphicalReportHandler::new_themed(theme)
                .with_width(room)
                .with_links(false)
                .without_syntax_highlighting()
                .with_context_lines(1);
            let mut text = String::new();
            if handler.render_report(&mut text, &snippet).is_err() {
                continue;
            }
            // The first line is miette's own title, which is empty: ours stands above.
            for line in text.lines().skip(1) {
                self.line(line.trim_end());
            }
        }
    }

    /// The characters and colours of an excerpt: what the report is about in the colour of its title.
    fn theme(&self, excerpt: &Excerpt, severity: Severity) -> GraphicalTheme {
        if !self.style.color {
            return GraphicalTheme::unicode_nocolor();
        }
        let mut theme = GraphicalTheme::unicode();
        let primary = match severity {
            Severity::Error => theme.styles.error,
            Severity::Warning => theme.styles.warning,
        };
        // Miette gives the colours to the marks in their order in the text.
        let mut marks: Vec<_> = excerpt.marks.iter().collect();
        marks.sort_by_key(|mark| mark.range.start);
        let colors = marks.iter().map(|mark| match mark.primary {
            true => primary,
            false => theme.styles.help,
        });
        theme.styles.highlights = colors.collect();
        theme
    }

    /// Columns that are left.
    fn room(&self) -> usize {
        self.style.width.saturating_sub(self.indent).max(30)
    }

    /// Words after a heading, broken at the width; what follows the first line hangs by `hang` columns.
    fn paragraph(&mut self, heading: &str, text: &str, paint: Paint, hang: usize) {
        let columns = match self.style.wrap {
            true => self.room(),
            false => usize::MAX,
        };
        let mut room = columns.saturating_sub(heading.chars().count());
        let mut first = true;
        for line in text.lines() {
            // What a program said keeps its indentation.
            let blanks = line.len() - line.trim_start_matches(' ').len();
            let mut lead = line.get(..blanks.min(LEAD)).unwrap_or_default();
            for part in wrap(line, &mut room, columns - hang) {
                let part = format!("{}{part}", std::mem::take(&mut lead));
                let line = match first {
                    true => format!("{}{part}", self.painted(heading, paint)),
                    false => format!("{}{part}", " ".repeat(hang)),
                };
                first = false;
                self.line(&line);
            }
        }
        if first {
            self.line(self.painted(heading, paint).trim_end());
        }
    }

    fn painted(&self, text: &str, paint: Paint) -> String {
        match self.style.color {
            true => format!("{}{text}\x1b[0m", paint.escape()),
            false => text.to_string(),
        }
    }

    fn faint(&mut self, text: &str) {
        let text = self.painted(text, Paint::Faint);
        self.line(&text);
    }

    fn line(&mut self, text: &str) {
        if !text.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
        }
        self.out.push_str(text);
        self.out.push('\n');
    }
}

fn is_script(frame: &Frame) -> bool {
    frame.function.starts_with('<')
}

/// Equal neighbours of a trace, with how many they are.
fn runs_of(trace: &[Frame]) -> Vec<(&Frame, usize)> {
    let mut runs: Vec<(&Frame, usize)> = Vec::new();
    for frame in trace {
        match runs.last_mut() {
            Some((last, times)) if *last == frame => *times += 1,
            _ => runs.push((frame, 1)),
        }
    }
    runs
}

/// Breaks a line at spaces. The first part has `room` columns, every further one `next`.
fn wrap(line: &str, room: &mut usize, next: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut length = 0;
    for word in line.split(' ') {
        let width = word.chars().count();
        if length > 0 && length + 1 + width > *room {
            parts.push(std::mem::take(&mut part));
            length = 0;
            *room = next;
        } else if length > 0 || !part.is_empty() {
            part.push(' ');
            length += 1;
        }
        part.push_str(word);
        length += width;
    }
    parts.push(part);
    *room = next;
    parts
}

/// Cuts a text that is wider than the room.
fn clip(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// A piece of source with marks, as miette wants it.
#[derive(Debug)]
struct Snippet(Excerpt);

impl fmt::Display for Snippet {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Snippet {}

impl Diagnostic for Snippet {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let marks = self.0.marks.iter();
        Some(Box::new(marks.map(|mark| {
            let span = (mark.range.start, mark.range.len());
            match mark.primary {
                true => LabeledSpan::new_primary_with_span(mark.text.clone(), span),
                false => LabeledSpan::new_with_span(mark.text.clone(), span),
            }
        })))
    }
}

impl miette::SourceCode for Snippet {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let inner = self.0.text.read_span(span, before, after)?;
        // Miette counts columns in bytes, and knows nothing of what was clipped.
        let mut marks = self.0.marks.iter();
        let mark = marks.find(|mark| mark.range.start == span.offset());
        let column = mark.map_or(inner.column(), |mark| mark.column);
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.0.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.0.lines_before,
            column,
            inner.line_count(),
        )))
    }
}

//! The lines of source that a report shows: cut out around its marks, and clipped to the width.

use crate::source::{Source, SourceMap, Span};
use std::ops::Range;

/// A marked place.
#[derive(Debug)]
pub struct Mark {
    pub span: Span,
    pub text: Option<String>,
    /// It is what the report is about.
    pub primary: bool,
}

/// Neighbouring lines of one source with their marks.
#[derive(Debug)]
pub struct Excerpt {
    /// The name of the source.
    pub name: String,
    /// The lines.
    pub text: String,
    /// How many lines of the source come before.
    pub lines_before: usize,
    /// What is marked in it.
    pub marks: Vec<Marked>,
}

/// A marked part of an excerpt.
#[derive(Debug)]
pub struct Marked {
    /// Bytes of the excerpt's text.
    pub range: Range<usize>,
    /// What is said of it.
    pub text: Option<String>,
    /// It is what the report is about.
    pub primary: bool,
    /// Its column in the source, in characters from 0.
    pub column: usize,
}

/// Marks that are no more lines apart than this share an excerpt.
const MAX_GAP: usize = 3;
/// Columns that line numbers and the frame take.
const FRAME: usize = 8;

/// A mark in a source, on one line.
struct Placed<'a> {
    mark: &'a Mark,
    source: &'a Source,
    /// The line, from 0.
    line: usize,
    /// Bytes within the line.
    range: Range<usize>,
}

/// Groups marks into excerpts of at most `width` columns: the one with the primary mark first, the others in source order.
pub fn clusters(marks: &[Mark], sources: &SourceMap, width: usize) -> Vec<Excerpt> {
    let places = marks.iter().filter_map(|mark| place(mark, sources));
    let mut placed: Vec<Placed<'_>> = places.collect();
    placed.sort_by_key(|place| (place.mark.span.source, place.line, place.range.start));
    let mut groups: Vec<Vec<Placed<'_>>> = Vec::new();
    for place in placed {
        let near = groups.last_mut().filter(|group| {
            group.last().is_some_and(|last| {
                last.mark.span.source == place.mark.span.source && place.line - last.line <= MAX_GAP
            })
        });
        match near {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups.sort_by_key(|group| !group.iter().any(|place| place.mark.primary));
    let room = width.saturating_sub(FRAME).max(20);
    groups.iter().filter_map(|group| cut(group, room)).collect()
}

/// Finds the line of a mark. Of a mark over several lines only the first is shown; a mark behind the last line moves to its end.
fn place<'a>(mark: &'a Mark, sources: &'a SourceMap) -> Option<Placed<'a>> {
    let source = sources.get(mark.span.source)?;
    let text = &source.text;
    let content = text.trim_end().len();
    let mut start = (mark.span.start as usize).min(text.len());
    if start > content {
        start = content;
    }
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let mut end = (mark.span.end as usize).clamp(start, to);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = start + text[start..end].trim_end().len();
    Some(Placed {
        mark,
        source,
        line: text[..from].matches('\n').count(),
        range: start - from..end - from,
    })
}

/// Cuts the lines of a group out, with one line around them.
fn cut(group: &[Placed<'_>], room: usize) -> Option<Excerpt> {
    let (first, last) = (group.first()?, group.last()?);
    let skip = first.line.saturating_sub(1);
    let lines = first.source.text.lines().skip(skip);
    let mut excerpt = Excerpt {
        name: first.source.name.clone(),
        text: String::new(),
        lines_before: skip,
        marks: Vec::new(),
    };
    for (number, line) in (skip..=last.line + 1).zip(lines) {
        let here: Vec<&Placed<'_>> = group.iter().filter(|p| p.line == number).collect();
        // A line around the marked ones helps only when something stands in it.
        if here.is_empty() && line.trim().is_empty() && !(first.line..last.line).contains(&number) {
            excerpt.lines_before += usize::from(number < first.line);
            continue;
        }
        add_line(&mut excerpt, line, &here, room);
    }
    // Without a line there is still the end of the text to point at.
    if excerpt.marks.is_empty() {
        excerpt.marks.push(Marked {
            range: 0..0,
            text: first.mark.text.clone(),
            primary: first.mark.primary,
            column: 0,
        });
    }
    Some(excerpt)
}

/// Adds a line, clipped to the room around its first mark, and its marks.
fn add_line(excerpt: &mut Excerpt, line: &str, marks: &[&Placed<'_>], room: usize) {
    let window = window(line, marks.first().map(|place| &place.range), room);
    let at = excerpt.text.len();
    let mut shown = String::new();
    if window.start > 0 {
        shown.push('…');
    }
    let lead = shown.len();
    shown.push_str(line.get(window.clone()).unwrap_or(""));
    if window.end < line.len() {
        shown.push('…');
    }
    for place in marks {
        let clamp =
            |offset: usize| at + lead + offset.clamp(window.start, window.end) - window.start;
        let range = clamp(place.range.start)..clamp(place.range.end);
        let before = line.get(..place.range.start).unwrap_or("");
        excerpt.marks.push(Marked {
            range,
            text: place.mark.text.clone(),
            primary: place.mark.primary,
            column: before.chars().count(),
        });
    }
    excerpt.text.push_str(&shown);
    excerpt.text.push('\n');
}

/// The bytes of a line that fit the room, with the mark among them.
fn window(line: &str, mark: Option<&Range<usize>>, room: usize) -> Range<usize> {
    let offsets: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
    if offsets.len() <= room {
        return 0..line.len();
    }
    let column = |offset: usize| offsets.partition_point(|&at| at < offset);
    let (start, end) = mark.map_or((0, 0), |mark| (column(mark.start), column(mark.end)));
    let first = match end.min(start + room / 2) < room {
        true => 0,
        false => start.saturating_sub(room / 3),
    };
    let last = first + room;
    let byte = |column: usize| offsets.get(column).copied().unwrap_or(line.len());
    byte(first)..byte(last)
}

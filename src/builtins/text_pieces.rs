//! Texts cut into pieces: `split`, `lines`, `splitlines`.
//!
//! What they give is a list. A loop that goes over it where it stands (`for word in text.split()`) gets the pieces by the hundred instead,
//! since nobody could tell: a list of all words of a text takes several times its memory.

use super::arguments;
use super::text_search::separator;
use crate::process::signals;
use crate::value::Value;
use crate::value::heap::{Heap, Marker};
use crate::value::native::{Args, Context, IterBox, NativeIter, Outcome, PIECES};
use memchr::{memchr, memchr2, memmem::Finder};
use std::cell::Cell;
use std::rc::Rc;

/// Where a text is cut.
#[expect(
    clippy::large_enum_variant,
    reason = "one stands on the stack of a call: to put a part of it elsewhere would cost more than its size"
)]
enum Cut<'s> {
    /// At white space, of which none is left.
    Words,
    /// Behind a newline, or a carriage return and a newline.
    Lines,
    /// As in Python behind a carriage return alone, too.
    AnyLines,
    /// Where a separator stands, which has at least one character.
    At(Finder<'s>),
}

impl Cut<'_> {
    /// The first piece of what is left of a text, and what is left behind it: `None` when that is no piece, not even an empty one.
    #[inline]
    fn first<'t>(&self, rest: &'t str) -> Option<(&'t str, Option<&'t str>)> {
        let after = |at: usize| rest.get(at..);
        match self {
            Cut::Words => {
                let word = skip_space(rest);
                let (word, after) = word.split_at(word_end(word));
                (!word.is_empty()).then_some((word, Some(after)))
            }
            Cut::Lines => {
                let Some(end) = memchr(b'\n', rest.as_bytes()) else {
                    return (!rest.is_empty()).then_some((rest, None));
                };
                let line = rest.get(..end)?;
                Some((line.strip_suffix('\r').unwrap_or(line), after(end + 1)))
            }
            Cut::AnyLines => {
                let end = memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
                let width = match rest.get(end..)?.starts_with("\r\n") {
                    true => 2,
                    false => 1,
                };
                (!rest.is_empty()).then_some((rest.get(..end)?, after(end + width)))
            }
            Cut::At(separator) => Some(match separator.find(rest.as_bytes()) {
                Some(end) => (rest.get(..end)?, after(end + separator.needle().len())),
                None => (rest, None),
            }),
        }
    }

    /// What is left when no more is cut.
    fn last<'t>(&self, rest: &'t str) -> Option<&'t str> {
        match self {
            Cut::Words => Some(skip_space(rest)).filter(|rest| !rest.is_empty()),
            _ => Some(rest),
        }
    }
}

/// The pieces of a text, for a loop.
struct Pieces {
    text: Value,
    cut: Cut<'static>,
    /// Where what is left begins; `None` at the end.
    at: Cell<Option<usize>>,
}

impl Pieces {
    /// Gives the next pieces to a function, so many at most.
    fn take(&self, most: usize, mut give: impl FnMut(&str)) {
        let text = self.text.as_str().unwrap_or_default();
        let mut rest = self.at.get().and_then(|at| text.get(at..));
        for _ in 0..most {
            let Some((piece, after)) = rest.and_then(|rest| self.cut.first(rest)) else {
                rest = None;
                break;
            };
            give(piece);
            rest = after;
        }
        self.at.set(rest.map(|rest| text.len() - rest.len()));
    }
}

impl NativeIter for Pieces {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let mut next = None;
        self.take(1, |piece| next = Some(Value::str(context.heap(), piece)));
        Ok(next)
    }

    fn refill(&self, heap: &mut Heap, items: &mut Vec<Value>) -> Outcome<bool> {
        signals::check_urgent()?;
        self.take(PIECES, |piece| items.push(Value::str(heap, piece)));
        Ok(!items.is_empty())
    }

    fn is_at_hand(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.text);
    }
}

/// The pieces of a text, cut at most `limit` times: a list, or what a loop alone takes. There may be so many that Ctrl-C comes
/// meanwhile.
fn pieces(context: &mut dyn Context, text: Value, cut: Cut<'_>, limit: usize) -> Outcome {
    if limit == usize::MAX && context.is_for_loop() {
        let cut = match cut {
            Cut::Words => Cut::Words,
            Cut::Lines => Cut::Lines,
            Cut::AnyLines => Cut::AnyLines,
            Cut::At(separator) => Cut::At(separator.into_owned()),
        };
        let at = Cell::new(Some(0));
        let pieces = Rc::new(Pieces { text, cut, at });
        return Ok(Value::Iter(IterBox::new(context.heap(), pieces)));
    }
    let heap = context.heap();
    let mut list = Vec::new();
    let mut rest = text.as_str();
    while list.len() < limit
        && let Some((piece, after)) = rest.and_then(|rest| cut.first(rest))
    {
        list.push(Value::str(heap, piece));
        rest = after;
        signals::check_urgent()?;
    }
    if let Some(rest) = rest.filter(|_| list.len() == limit) {
        list.extend(cut.last(rest).map(|rest| Value::str(heap, rest)));
    }
    Ok(Value::list(context.heap(), list))
}

pub fn split(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let limit = max_split("split", &args[2])?;
    match arguments::given(&args[1]) {
        Some(sep) => {
            let separator = Finder::new(separator("split", sep)?);
            pieces(context, args[0], Cut::At(separator), limit)
        }
        None => pieces(context, args[0], Cut::Words, limit),
    }
}

/// As everywhere the end of a line is a newline, or a carriage return and a newline.
pub fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    pieces(context, args[0], Cut::Lines, usize::MAX)
}

pub fn splitlines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    pieces(context, args[0], Cut::AnyLines, usize::MAX)
}

/// How often to cut; negative is without limit, as in Python.
pub fn max_split(function: &str, value: &Value) -> Outcome<usize> {
    match arguments::given(value) {
        Some(value) => {
            let limit = arguments::int(function, "maxsplit", value)?;
            Ok(usize::try_from(limit).unwrap_or(usize::MAX))
        }
        None => Ok(usize::MAX),
    }
}

/// A text without the white space that it begins with. Nearly all text is ASCII there, which needs no decoding.
fn skip_space(text: &str) -> &str {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let count = text.bytes().take_while(|byte| is_space(byte)).count();
    let rest = text.get(count..).unwrap_or_default();
    match rest.as_bytes().first() {
        Some(0x80..) => rest.trim_start(),
        _ => rest,
    }
}

/// Where the first white space of a text is, or its end.
fn word_end(text: &str) -> usize {
    let ends = |byte: u8| matches!(byte, b' ' | b'\t'..=b'\r' | 0x80..);
    match text.bytes().position(ends) {
        Some(at) if text.as_bytes().get(at).is_some_and(u8::is_ascii) => at,
        Some(at) => {
            let rest = text.get(at..).unwrap_or_default();
            rest.find(char::is_whitespace)
                .map_or(text.len(), |end| at + end)
        }
        None => text.len(),
    }
}

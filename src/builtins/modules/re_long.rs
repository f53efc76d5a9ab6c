//! The search of a regular expression in a long text, so that Ctrl-C is heard in the middle of it.
//!
//! The regex crate finds a match in one step, which takes seconds where none is for a gigabyte. In a long text the next match is
//! looked for with the crate's own automata first, byte by byte with a look now and then; the match itself, with its groups, is the
//! crate's again, from the very place where it begins.

use crate::diag::Result;
use crate::process::signals;
use regex::{CaptureMatches, Captures, Regex};
use regex_automata::hybrid::{dfa, regex as automata};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

/// Texts from this length on are long: shorter ones are gone through in less than a second by whatever pattern.
const LONG: usize = 1 << 24;
/// Bytes between two looks.
const PIECE: usize = 1 << 16;

/// A compiled pattern.
pub struct Compiled {
    /// What finds its matches.
    pub regex: Rc<Regex>,
    /// The letters it was compiled with: a pattern that is made of it needs them too.
    pub flags: String,
    syntax: syntax::Config,
    /// Made for the first long text; `None` where it cannot be, or need not: what finds nothing at every place never goes far.
    walker: OnceCell<Option<Walker>>,
    /// Whether a `$` may be in it that is meant as in Python, Perl and grep: before the newline that ends the text, too.
    ends: bool,
}

/// The automata of a pattern, one for the way forward to the end of a match and one for the way back to its beginning.
struct Walker {
    automata: automata::Regex,
    caches: RefCell<automata::Cache>,
}

/// The automaton cannot tell.
struct GaveUp;

/// A place, if there is one.
type Found = std::result::Result<Option<usize>, GaveUp>;

impl Compiled {
    /// A pattern that was compiled with this syntax, which these letters stand for.
    pub fn new(regex: Regex, syntax: syntax::Config, flags: &str) -> Compiled {
        // A `$` that stands for itself, or for the end of a line, finds nothing in the shorter text that is not in the longer one.
        let ends = regex.as_str().contains('$') && !regex.as_str().contains(r"\z");
        Compiled {
            regex: Rc::new(regex),
            flags: flags.to_string(),
            syntax,
            walker: OnceCell::new(),
            ends,
        }
    }

    fn walker(&self) -> Option<&Walker> {
        let make = || Walker::new(self.regex.as_str(), self.syntax);
        self.walker.get_or_init(make).as_ref()
    }

    /// The first match in a text.
    pub fn first<'t>(&self, text: &'t str) -> Result<Option<Captures<'t>>> {
        self.all(text).next()
    }

    /// All matches in a text, one after the other.
    pub fn all<'r, 't>(&'r self, text: &'t str) -> Matches<'r, 't> {
        let of = &self.regex;
        let walker = (text.len() >= LONG).then(|| self.walker()).flatten();
        let without = text.strip_suffix('\n').filter(|_| self.ends);
        Matches(match (without, walker) {
            (Some(without), _) => Way::Ends {
                of,
                walker,
                texts: [without, text].map(|text| (text, Ahead::Unknown)),
                at: 0,
                last: None,
            },
            (None, Some(walker)) => Way::Long {
                of,
                walker,
                text,
                at: 0,
                last: None,
            },
            (None, None) => Way::Plain(of.captures_iter(text)),
        })
    }
}

/// The matches in a text.
pub struct Matches<'r, 't>(Way<'r, 't>);

enum Way<'r, 't> {
    /// As the crate finds them.
    Plain(CaptureMatches<'r, 't>),
    /// In a long text, from a place on.
    Long {
        of: &'r Regex,
        walker: &'r Walker,
        text: &'t str,
        at: usize,
        /// Where the last match has ended.
        last: Option<usize>,
    },
    /// In a text that ends with a newline, by a pattern with `$`: in the text without the newline and in the whole one. What
    /// begins first is the match; of two that begin at one place it is that of the whole text, which has taken the newline.
    Ends {
        of: &'r Regex,
        walker: Option<&'r Walker>,
        texts: [(&'t str, Ahead<'t>); 2],
        at: usize,
        /// Where the last match has ended.
        last: Option<usize>,
    },
}

/// What comes next in one text.
enum Ahead<'t> {
    Unknown,
    Known(Option<Captures<'t>>),
}

impl Ahead<'_> {
    fn range(&self) -> Option<Range<usize>> {
        match self {
            Ahead::Known(Some(found)) => found.get(0).map(|whole| whole.range()),
            _ => None,
        }
    }

    /// Whether it must be looked for, from a place on: what begins before it lies over the last match.
    fn is_needed(&self, at: usize) -> bool {
        match self {
            Ahead::Unknown => true,
            Ahead::Known(_) => self.range().is_some_and(|range| range.start < at),
        }
    }
}

/// The first match in a text from a place on.
fn look<'t>(
    of: &Regex,
    walker: Option<&Walker>,
    text: &'t str,
    at: usize,
) -> Result<Option<Captures<'t>>> {
    if at > text.len() {
        return Ok(None);
    }
    let start = match walker {
        None => at,
        Some(walker) => match walker.next_start(text, at)? {
            Ok(None) => return Ok(None),
            Ok(Some(start)) => start,
            Err(GaveUp) => at,
        },
    };
    Ok(of.captures_at(text, start))
}

impl<'t> Matches<'_, 't> {
    /// The next one.
    ///
    /// # Errors
    /// Ctrl-C came, or a cancellation.
    pub fn next(&mut self) -> Result<Option<Captures<'t>>> {
        signals::check_urgent()?;
        match &mut self.0 {
            Way::Plain(matches) => Ok(matches.next()),
            Way::Long {
                of,
                walker,
                text,
                at,
                last,
            } => loop {
                let Some(found) = look(of, Some(walker), text, *at)? else {
                    return Ok(None);
                };
                let Some(range) = found.get(0).map(|whole| whole.range()) else {
                    return Ok(None);
                };
                if is_doubled(&range, *last) {
                    *at = behind(text, range.end);
                    continue;
                }
                (*at, *last) = (range.end, Some(range.end));
                return Ok(Some(found));
            },
            Way::Ends {
                of,
                walker,
                texts,
                at,
                last,
            } => loop {
                for (text, ahead) in texts.iter_mut() {
                    if ahead.is_needed(*at) {
                        *ahead = Ahead::Known(look(of, *walker, text, *at)?);
                    }
                }
                let [(_, without), (text, whole)] = texts;
                let (ahead, range) = match (without.range(), whole.range()) {
                    (None, None) => return Ok(None),
                    (Some(first), None) => (without, first),
                    (Some(first), Some(second)) if first.start < second.start => (without, first),
                    (_, Some(second)) => (whole, second),
                };
                if is_doubled(&range, *last) {
                    *at = behind(text, range.end);
                    continue;
                }
                (*at, *last) = (range.end, Some(range.end));
                return Ok(match std::mem::replace(ahead, Ahead::Unknown) {
                    Ahead::Known(found) => found,
                    Ahead::Unknown => None,
                });
            },
        }
    }
}

/// As the crate does it: nothing is found empty where another match has just ended.
fn is_doubled(range: &Range<usize>, last: Option<usize>) -> bool {
    range.is_empty() && last == Some(range.end)
}

/// The place behind the character at a place.
fn behind(text: &str, at: usize) -> usize {
    let next = text.get(at..).and_then(|rest| rest.chars().next());
    at + next.map_or(1, char::len_utf8)
}

impl Walker {
    fn new(pattern: &str, syntax: syntax::Config) -> Option<Walker> {
        let hir = syntax::parse_with(pattern, &syntax).ok()?;
        let properties = hir.properties();
        let may_be_empty = properties.minimum_len().is_none_or(|length| length == 0);
        if may_be_empty && properties.look_set().is_empty() {
            return None;
        }
        // They know word boundaries among ASCII letters, and give up where others stand.
        let automata = automata::Regex::builder()
            .syntax(syntax)
            .dfa(dfa::Config::new().unicode_word_boundary(true))
            .build(pattern)
            .ok()?;
        let caches = RefCell::new(automata.create_cache());
        Some(Walker { automata, caches })
    }

    /// Where the next match from a place on begins.
    fn next_start(&self, text: &str, from: usize) -> Result<Found> {
        let caches = &mut *self.caches.borrow_mut();
        let (forward, backward) = caches.as_parts_mut();
        let bytes = text.as_bytes();
        let end = match first_end(self.automata.forward(), forward, bytes, from)? {
            Ok(Some(end)) => end,
            none => return Ok(none),
        };
        let start = start_of(self.automata.reverse(), backward, bytes, from, end)?;
        // There is one, or the automata contradict each other. They would find nothing in the middle of a character, too.
        Ok(start.and_then(|start| match start {
            Some(start) if text.is_char_boundary(start) => Ok(Some(start)),
            _ => Err(GaveUp),
        }))
    }
}

/// Where the first match from a place on ends.
fn first_end(dfa: &dfa::DFA, cache: &mut dfa::Cache, text: &[u8], from: usize) -> Result<Found> {
    let input = Input::new(text).range(from..);
    let Ok(mut state) = dfa.start_state_forward(cache, &input) else {
        return Ok(Err(GaveUp));
    };
    let (mut end, mut at) = (None, from);
    for piece in text.get(from..).unwrap_or_default().chunks(PIECE) {
        for &byte in piece {
            match dfa.next_state(cache, state, byte) {
                Ok(next) => state = next,
                Err(_) => return Ok(Err(GaveUp)),
            }
            if state.is_tagged() {
                // An automaton knows of a match one byte behind its end.
                match () {
                    () if state.is_match() => end = Some(at),
                    () if state.is_dead() => return Ok(Ok(end)),
                    () if state.is_quit() => return Ok(Err(GaveUp)),
                    () => {}
                }
            }
            at += 1;
        }
        signals::check_urgent()?;
    }
    Ok(match dfa.next_eoi_state(cache, state) {
        Ok(state) if state.is_match() => Ok(Some(text.len())),
        Ok(_) => Ok(end),
        Err(_) => Err(GaveUp),
    })
}

/// Where the match begins that ends at a place.
fn start_of(
    dfa: &dfa::DFA,
    cache: &mut dfa::Cache,
    text: &[u8],
    from: usize,
    end: usize,
) -> Result<Found> {
    let input = Input::new(text).range(from..end).anchored(Anchored::Yes);
    let Ok(mut state) = dfa.start_state_reverse(cache, &input) else {
        return Ok(Err(GaveUp));
    };
    let (mut start, mut at) = (None, end);
    for piece in text.get(from..end).unwrap_or_default().rchunks(PIECE) {
        for &byte in piece.iter().rev() {
            match dfa.next_state(cache, state, byte) {
                Ok(next) => state = next,
                Err(_) => return Ok(Err(GaveUp)),
            }
            if state.is_tagged() {
                match () {
                    () if state.is_match() => start = Some(at),
                    () if state.is_dead() => return Ok(Ok(start)),
                    () if state.is_quit() => return Ok(Err(GaveUp)),
                    () => {}
                }
            }
            at -= 1;
        }
        signals::check_urgent()?;
    }
    // What stands before the place may matter to the beginning (`^`).
    let before = from.checked_sub(1).and_then(|at| text.get(at));
    let last = match before {
        Some(&byte) => dfa.next_state(cache, state, byte),
        None => dfa.next_eoi_state(cache, state),
    };
    Ok(match last {
        Ok(state) if state.is_match() => Ok(Some(from)),
        Ok(state) if state.is_quit() => Err(GaveUp),
        Ok(_) => Ok(start),
        Err(_) => Err(GaveUp),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_texts() -> Vec<String> {
        let mut state = 5_u64;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize
        };
        let letters = ["a", "b", "c", "\n", "ä", "z"];
        let text = |length: usize| (0..length).map(|_| letters[next() % 6]).collect();
        (0..160).map(|round| round % 40).map(text).collect()
    }

    #[test]
    fn the_walker_finds_what_the_crate_finds() {
        let patterns = [
            "a",
            "ab|abc",
            "abc|ab",
            "a+",
            "a+?",
            "(a|b)+c",
            "^a",
            "(?m)^b.*$",
            "c$",
            "a.*z|ab",
            "[^a]+",
            "ä+",
            "(?s)b.c",
            "(?i)AB",
            "b{2,3}",
            "a(?:b|bc)(?:c|$)",
            r"\bab",
            r"\b[a-z]+\b",
            r"[a-z]\b.",
            r"\Bb+",
            "(?m)^$",
            "(?m)a*$",
            "(?m)^ *",
            r"\b",
            r"\B",
            r"(?-u:\B)",
            r"z?\z",
            r"a|\b",
            "(?:^|b)a?",
        ];
        let texts = random_texts();
        for pattern in patterns {
            let of = Regex::new(pattern).unwrap();
            let walker = Walker::new(pattern, syntax::Config::new()).unwrap();
            for text in &texts {
                let (walker, at, last) = (&walker, 0, None);
                let of = &of;
                let mut matches = Matches(Way::Long {
                    of,
                    walker,
                    text,
                    at,
                    last,
                });
                let mut walked = Vec::new();
                while let Some(found) = matches.next().unwrap() {
                    walked.push(found.get(0).unwrap().range());
                }
                let plain: Vec<_> = of.find_iter(text).map(|found| found.range()).collect();
                assert_eq!(walked, plain, "{pattern:?} in {text:?}");
            }
        }
        for none in ["a*", "", "a|"] {
            assert!(Walker::new(none, syntax::Config::new()).is_none());
        }
    }
}

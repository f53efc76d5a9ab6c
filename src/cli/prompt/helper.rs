//! What rustyline asks while a line is typed.

use super::commands::Command;
use super::{complete, highlight};
use crate::driver::Driver;
use crate::source::{Source, SourceId};
use crate::syntax;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

/// Answers from what the session knows.
pub(super) struct Assistant {
    driver: Rc<RefCell<Driver>>,
    colored: bool,
}

impl Assistant {
    pub(super) fn new(driver: Rc<RefCell<Driver>>, colored: bool) -> Assistant {
        Assistant { driver, colored }
    }
}

impl Helper for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_incomplete(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

/// Whether more lines could make it right: only an unexpected end of the input counts, and documentation without its
/// definition.
fn is_incomplete(input: &str) -> bool {
    if input.trim().is_empty() || Command::parse(input).is_some() {
        return false;
    }
    let last = input.trim_end().lines().next_back().unwrap_or_default();
    if last.trim_start().starts_with("##") {
        return true;
    }
    // The prompt's own source numbers start at the same one; nothing of this one is kept.
    let source = Source::new(SourceId(0), "<prompt>", format!("{input}\n"));
    match syntax::parse(&source) {
        Ok(_) => false,
        Err(errors) => errors.iter().all(|error| error.incomplete),
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _cursor: usize) -> Cow<'l, str> {
        if !self.colored || Command::parse(line).is_some() {
            return Cow::Borrowed(line);
        }
        Cow::Owned(highlight::colored(line))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if !self.colored {
            return Cow::Borrowed(prompt);
        }
        Cow::Owned(format!("\x1b[1;34m{prompt}\x1b[0m"))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colored && kind != CmdKind::MoveCursor
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete::candidates(
            line,
            cursor,
            &mut self.driver.borrow_mut(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unexpected_end_reads_on() {
        for text in [
            "fn f(x) {",
            "print(1,",
            "if a { b } else {",
            "\"\"\"text",
            "1 +",
            "## What it does.\n",
        ] {
            assert!(is_incomplete(text), "{text}");
        }
        for text in [
            "1 + 1",
            "let x = 1",
            ")",
            "let = 3",
            "if a { b }",
            ":help spawn",
            "",
        ] {
            assert!(!is_incomplete(text), "{text}");
        }
    }
}

//! The bracket pass over the raw tokens: what is unclosed, what does not match, what nests too deeply.
//!
//! It runs before anything else looks at the structure, because a forgotten bracket makes every later message wrong.
//! It also mends the tokens (a missing closing bracket is put in, a stray one left out), so that the rest of the file
//! can still be checked.

use super::token::{Spanned, Token};
use crate::diag::{Error, codes};
use crate::limits::MAX_NESTING;
use crate::source::{Source, Span};

/// What the pass found.
pub struct Brackets {
    /// The tokens, mended.
    pub tokens: Vec<Spanned>,
    /// Reports about brackets, in the order of the text.
    pub errors: Vec<Error>,
    /// The innermost bracket that is still open at the end of the text; the parser decides whether more input would do.
    pub open: Option<Box<Error>>,
    /// Where something was reported or mended.
    pub marks: Vec<u32>,
    /// The text nests more deeply than the helpers can follow: nothing else may look at the tokens.
    pub too_deep: bool,
}

struct Open {
    token: Token,
    start: u32,
    end: u32,
}

/// Checks the brackets of the raw tokens of a source.
pub fn check(source: &Source, tokens: Vec<Spanned>) -> Brackets {
    let mut pass = Pass {
        source,
        stack: Vec::new(),
        out: Vec::with_capacity(tokens.len()),
        errors: Vec::new(),
        marks: Vec::new(),
        suspect: None,
    };
    let mut at_line_start = true;
    for index in 0..tokens.len() {
        let (start, token, end) = tokens[index].clone();
        // A word that the text ends in may yet become another.
        let whole = (end as usize) < source.text.len();
        if at_line_start && whole && begins_statement(&tokens[index..]) {
            pass.close_before_statement(start, end);
        }
        at_line_start = match token {
            Token::Newline => true,
            _ => at_line_start && matches!(token, Token::Comment | Token::DocComment),
        };
        if !pass.token(start, token, end) {
            return pass.too_deep(start, end);
        }
    }
    let open = pass.stack.last().map(|open| pass.unclosed_at_end(open));
    Brackets {
        tokens: pass.out,
        errors: pass.errors,
        marks: pass.marks,
        open,
        too_deep: false,
    }
}

/// Whether the tokens of a line begin with a word that no expression in parentheses can contain.
fn begins_statement(line: &[Spanned]) -> bool {
    let next_is_name = matches!(line.get(1), Some((_, Token::Name(_), _)));
    // A word before a colon is a name there: `{let: 1}`.
    if matches!(line.get(1), Some((_, Token::Colon, _))) {
        return false;
    }
    match line.first().map(|(_, token, _)| token) {
        Some(Token::Fn(_)) => next_is_name,
        Some(
            Token::Let
            | Token::Const
            | Token::While
            | Token::Return
            | Token::Break
            | Token::Continue
            | Token::Struct(_)
            | Token::Import
            | Token::Throw
            | Token::Defer,
        ) => true,
        _ => false,
    }
}

struct Pass<'s> {
    source: &'s Source,
    stack: Vec<Open>,
    out: Vec<Spanned>,
    errors: Vec<Error>,
    marks: Vec<u32>,
    /// The first brace whose closing one is indented less than its own line: it probably closes another.
    suspect: Option<Span>,
}

impl Pass<'_> {
    fn span(&self, start: u32, end: u32) -> Span {
        Span::new(self.source.id, start as usize, end as usize)
    }

    /// Takes one token; false when the nesting limit is passed.
    fn token(&mut self, start: u32, token: Token, end: u32) -> bool {
        match token {
            ref open if open.opens() => {
                self.stack.push(Open {
                    token: token.clone(),
                    start,
                    end,
                });
                self.out.push((start, token, end));
                self.stack.len() <= MAX_NESTING
            }
            ref close if close.closes() => {
                self.close(start, token, end);
                true
            }
            token => {
                self.out.push((start, token, end));
                true
            }
        }
    }

    fn close(&mut self, start: u32, token: Token, end: u32) {
        let Some(top) = self.stack.last() else {
            let text = text_of(&token);
            let error = Error::new(
                codes::MISMATCHED,
                format!("expected an opening bracket before `{text}`, found none"),
            )
            .with_span(self.span(start, end))
            .with_label("nothing is open here");
            // The token before it stands in the statement that it closed too early.
            self.marks.extend(self.out.last().map(|token| token.0));
            // After a bracket was put in, a stray one is its echo.
            if self
                .errors
                .iter()
                .all(|earlier| earlier.code != codes::UNCLOSED)
            {
                self.errors.push(*error);
            }
            return;
        };
        if closer(&top.token) == token {
            let place = self.span(top.start, top.end);
            if self.suspect.is_none() && token == Token::BraceClose && self.is_odd(place, start) {
                self.suspect = Some(place);
            }
            self.stack.pop();
            return self.out.push((start, token, end));
        }
        // An interpolation ends where its string says; a brace ends a block even when a parenthesis inside is open.
        let matching = self
            .stack
            .iter()
            .rposition(|open| closer(&open.token) == token);
        let fence = self
            .stack
            .iter()
            .rposition(|open| open.token == Token::InterpOpen);
        let reaches =
            matching.filter(|at| token == Token::InterpClose || fence.is_none_or(|f| f < *at));
        match reaches {
            Some(at)
                if token == Token::BraceClose
                    || token == Token::InterpClose
                    || at + 2 == self.stack.len() =>
            {
                while self.stack.len() > at + 1 {
                    self.pop_unclosed(start, end, &format!("`{}` comes first", text_of(&token)));
                }
                self.stack.pop();
                self.out.push((start, token, end));
            }
            _ => self.replace(start, token, end),
        }
    }

    /// The bracket is of the wrong kind: taken as the one that was due.
    fn replace(&mut self, start: u32, token: Token, end: u32) {
        let Some(top) = self.stack.pop() else {
            return;
        };
        let due = closer(&top.token);
        let error = Error::new(
            codes::MISMATCHED,
            format!("expected `{}`, found `{}`", text_of(&due), text_of(&token)),
        )
        .with_span(self.span(start, end))
        .with_label("this does not match")
        .with_other(
            self.span(top.start, top.end),
            format!("`{}` was opened here", text_of(&top.token)),
        );
        self.errors.push(*error);
        self.marks.extend([top.start, start]);
        self.out.push((start, due, end));
    }

    /// Reports the innermost bracket as unclosed and puts its closing one in.
    fn pop_unclosed(&mut self, start: u32, end: u32, why: &str) {
        let Some(top) = self.stack.pop() else {
            return;
        };
        let due = closer(&top.token);
        let text = text_of(&due);
        let error = Error::new(
            codes::UNCLOSED,
            format!(
                "expected `{text}`, but this `{}` is not closed",
                text_of(&top.token)
            ),
        )
        .with_span(self.span(top.start, top.end))
        .with_label("opened here")
        .with_other(self.span(start, end), why);
        self.errors.push(*error);
        let at = self.last_end(start);
        self.marks.extend([top.start, at]);
        self.out.push((at, due, at));
    }

    /// Where the last token that is not blank ends: a missing bracket is put there, before the line's end.
    fn last_end(&self, otherwise: u32) -> u32 {
        self.out.last().map_or(otherwise, |token| token.2)
    }

    /// A line that begins with a statement's word ends the parentheses and square brackets above it.
    fn close_before_statement(&mut self, start: u32, end: u32) {
        while matches!(self.stack.last(), Some(open) if open.token == Token::ParenOpen || open.token == Token::SquareOpen)
        {
            // The newlines since belong behind the missing bracket.
            let mut newlines = Vec::new();
            while let Some((_, Token::Newline | Token::Comment | Token::DocComment, _)) =
                self.out.last()
            {
                newlines.extend(self.out.pop());
            }
            self.pop_unclosed(start, end, "a new statement begins here");
            self.out.extend(newlines.into_iter().rev());
        }
    }

    /// Whether the closing brace at `close` begins its line and is indented less than the line of the opening one.
    fn is_odd(&self, open: Span, close: u32) -> bool {
        let line = |at: usize| {
            let before = self.source.text.get(..at).unwrap_or("");
            &before[before.rfind('\n').map_or(0, |newline| newline + 1)..]
        };
        let indent = |line: &str| line.len() - line.trim_start().len();
        let (opening, closing) = (line(open.start as usize), line(close as usize));
        closing.trim().is_empty() && closing.len() < indent(opening)
    }

    fn unclosed_at_end(&self, open: &Open) -> Box<Error> {
        let place = self.span(open.start, open.end);
        let error = Error::new(
            codes::UNCLOSED,
            format!(
                "expected `{}`, but this `{}` is not closed",
                text_of(&closer(&open.token)),
                text_of(&open.token)
            ),
        )
        .with_span(place)
        .with_label("opened here")
        .incomplete();
        match self.suspect {
            Some(suspect) if suspect.start > place.start => error.with_other(
                suspect,
                "perhaps it is this one: the `}` behind it is indented less",
            ),
            _ => error,
        }
    }

    fn too_deep(mut self, start: u32, end: u32) -> Brackets {
        let error = Error::new(
            codes::TOO_DEEP,
            format!("expected at most {MAX_NESTING} brackets inside one another, found more"),
        )
        .with_span(self.span(start, end))
        .with_label("this is one too many")
        .with_help("give the inner parts names with `let`, or make functions of them");
        self.errors.push(*error);
        Brackets {
            tokens: Vec::new(),
            errors: self.errors,
            marks: self.marks,
            open: None,
            too_deep: true,
        }
    }
}

fn closer(open: &Token) -> Token {
    match open {
        Token::ParenOpen => Token::ParenClose,
        Token::SquareOpen => Token::SquareClose,
        Token::InterpOpen => Token::InterpClose,
        _ => Token::BraceClose,
    }
}

fn text_of(bracket: &Token) -> &'static str {
    match bracket {
        Token::ParenOpen => "(",
        Token::ParenClose => ")",
        Token::SquareOpen => "[",
        Token::SquareClose => "]",
        Token::BraceOpen | Token::InterpOpen => "{",
        _ => "}",
    }
}

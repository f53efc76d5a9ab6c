//! Text to tokens: logos for the plain ones, by hand what nests (strings with interpolations) or has units (numbers).
//!
//! Nothing fails: text that is no token becomes [`Token::Bad`] with its report, so that the parser can say what it
//! expected there and the rest of the file is still looked at.

use super::literal;
use super::token::{Spanned, Token};
use super::words::Quote;
use super::{habits, text};
use crate::diag::{Error, codes};
use crate::source::{Source, Span};
use logos::Logos;

/// All tokens of a source, newlines and comments included.
pub fn lex(source: &Source) -> Vec<Spanned> {
    let mut lexer = Lexer {
        source,
        text: &source.text,
        at: 0,
        modes: Vec::new(),
        out: Vec::new(),
    };
    while lexer.at < lexer.text.len() {
        lexer.step();
    }
    lexer.close_open_strings();
    lexer.out
}

/// How a string's text is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuoteKind {
    /// `"..."`.
    Plain,
    /// `"""..."""`.
    Triple,
    /// Backticks.
    Command,
}

/// A string that is open around the code being read.
struct Mode {
    kind: QuoteKind,
    /// Where its opening quote starts.
    start: usize,
    /// The index of its opening token.
    token: usize,
    /// The indexes of its text tokens, and where in the source their text stands.
    pieces: Vec<(usize, usize, usize)>,
    /// How many braces are open inside the current interpolation.
    braces: usize,
    /// The quotes inside a command that one is in.
    quote: Quote,
}

struct Lexer<'s> {
    source: &'s Source,
    text: &'s str,
    at: usize,
    modes: Vec<Mode>,
    out: Vec<Spanned>,
}

impl<'s> Lexer<'s> {
    fn push(&mut self, start: usize, token: Token, end: usize) {
        self.out.push((start as u32, token, end as u32));
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source.id, start, end)
    }

    fn bad(&mut self, error: Box<Error>, start: usize, end: usize) {
        let mut error = error.with_span(self.span(start, end));
        error.incomplete |= end == self.text.len();
        self.push(start, Token::Bad(error), end);
    }

    /// Reads one token of code.
    fn step(&mut self) {
        let mut lex = Token::lexer(&self.text[self.at..]);
        let Some(result) = lex.next() else {
            self.at = self.text.len();
            return;
        };
        let start = self.at + lex.span().start;
        let end = self.at + lex.span().end;
        self.at = end;
        match result {
            Ok(Token::NumberStart) => self.number(start),
            Ok(Token::Quote) => self.quote(start, end),
            Ok(Token::Foreign) => {
                let error = habits::foreign(self.text, start, end);
                self.bad(error, start, end);
            }
            Ok(Token::Comment) if is_doc(&self.text[start..end]) => {
                self.push(start, Token::DocComment, end)
            }
            Ok(Token::Newline) => self.newline(start, end),
            Ok(token @ (Token::BraceOpen | Token::BraceClose)) => self.brace(token, start, end),
            Ok(token) => self.push(start, token, end),
            Err(()) => self.unknown(start, end),
        }
    }

    fn unknown(&mut self, start: usize, end: usize) {
        let found = self.text.get(start..end).unwrap_or("");
        let error = Error::new(
            codes::BAD_TOKEN,
            format!("expected a statement or an expression, found `{found}`"),
        )
        .with_label("no token of the language starts like this");
        self.bad(error, start, end);
    }

    fn number(&mut self, start: usize) {
        let length = literal::number_length(&self.text[start..]);
        self.at = start + length;
        match literal::number(&self.text[start..self.at]) {
            Ok(token) => self.push(start, token, self.at),
            Err(error) => self.bad(error, start, self.at),
        }
    }

    /// Braces inside an interpolation are counted, so that the one that ends it is known.
    fn brace(&mut self, token: Token, start: usize, end: usize) {
        let opens = token == Token::BraceOpen;
        let Some(mode) = self.modes.last_mut() else {
            return self.push(start, token, end);
        };
        if opens {
            mode.braces += 1;
        } else if mode.braces > 0 {
            mode.braces -= 1;
        } else {
            self.push(start, Token::InterpClose, end);
            return self.string_text();
        }
        self.push(start, token, end);
    }

    /// A string in simple quotes ends on its line, the code in its braces too: a forgotten quote must not eat the file.
    fn newline(&mut self, start: usize, end: usize) {
        if let Some(first) = self.modes.iter().position(|m| m.kind == QuoteKind::Plain) {
            self.unclosed(first, start);
        }
        self.push(start, Token::Newline, end);
    }

    fn quote(&mut self, start: usize, end: usize) {
        let opener = &self.text[start..end];
        match opener {
            "'" => self.single_quote(start),
            "b\"" => self.flat(start, end, "\"", true),
            "b\"\"\"" => {
                self.at = start + 2;
                self.flat(start, start + 2, "\"", true)
            }
            "r\"" => self.flat(start, end, "\"", false),
            "r\"\"\"" => self.flat(start, end, "\"\"\"", false),
            _ => {
                let kind = match opener {
                    "`" => QuoteKind::Command,
                    "\"" => QuoteKind::Plain,
                    _ => QuoteKind::Triple,
                };
                let token = match kind {
                    QuoteKind::Command => Token::CommandStart,
                    _ => Token::StrStart,
                };
                self.modes.push(Mode {
                    kind,
                    start,
                    token: self.out.len(),
                    pieces: Vec::new(),
                    braces: 0,
                    quote: Quote::Bare,
                });
                self.push(start, token, end);
                self.string_text();
            }
        }
    }

    /// Raw strings and bytes: no interpolation, so their end is simply the next closing quote.
    fn flat(&mut self, start: usize, body: usize, close: &str, bytes: bool) {
        let several_lines = close.len() == 3;
        let Some(length) = text::flat_length(&self.text[body..], close, bytes, several_lines)
        else {
            let end = match several_lines {
                true => self.text.len(),
                false => self.line_end(body),
            };
            self.at = end;
            let error = unclosed_string(several_lines);
            return self.bad(error, start, end);
        };
        let end = body + length;
        self.at = end + close.len();
        let inner = &self.text[body..end];
        let result = match (bytes, several_lines) {
            (true, _) => text::bytes(inner).map(|b| Token::Bytes(b.into())),
            (false, true) => Ok(Token::Str(text::dedent_raw(inner).into())),
            (false, false) => Ok(Token::Str(inner.into())),
        };
        match result {
            Ok(token) => self.push(start, token, self.at),
            Err((error, from, to)) => self.bad(error, body + from, body + to),
        }
    }

    /// `'text'` is another language's string; the whole of it is one mistake.
    fn single_quote(&mut self, start: usize) {
        let line_end = self.line_end(start);
        let rest = &self.text[start + 1..line_end];
        let end = match rest.find('\'') {
            Some(at) => start + 1 + at + 1,
            None => line_end,
        };
        self.at = end;
        let error = habits::single_quotes(&self.text[..start], &self.text[start..end]);
        self.bad(error, start, end);
    }

    fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.text.as_bytes()[from..]).map_or(self.text.len(), |at| from + at)
    }

    /// Reads the text of the innermost open string up to its end or its next interpolation.
    fn string_text(&mut self) {
        let Some(mode) = self.modes.last_mut() else {
            return;
        };
        let start = self.at;
        let (length, stop) = text::scan(&self.text[start..], mode.kind, &mut mode.quote);
        let end = start + length;
        mode.pieces.push((self.out.len(), start, end));
        self.push(start, Token::Text("".into()), end);
        match stop {
            text::Stop::Interpolation => {
                self.at = end + 1;
                self.push(end, Token::InterpOpen, end + 1);
            }
            text::Stop::Close(width) => {
                self.at = end + width;
                self.finish_string(end, end + width);
            }
            text::Stop::Unclosed => {
                self.at = end;
                let innermost = self.modes.len() - 1;
                let first = self.modes.iter().position(|m| m.kind == QuoteKind::Plain);
                self.unclosed(first.unwrap_or(innermost), end);
            }
        }
    }

    /// Gives the text tokens of the string that just closed their content.
    fn finish_string(&mut self, end: usize, after: usize) {
        let Some(mode) = self.modes.pop() else {
            return;
        };
        let raw: Vec<&str> = mode
            .pieces
            .iter()
            .map(|&(_, from, to)| &self.text[from..to])
            .collect();
        let contents = text::contents(&raw, mode.kind);
        for (&(index, from, _), content) in mode.pieces.iter().zip(contents) {
            match content {
                Ok(content) => self.out[index].1 = Token::Text(content.into()),
                Err((error, start, stop)) => {
                    let (start, stop) = (from + start, from + stop);
                    let error = error.with_span(self.span(start, stop));
                    self.out[index] = (start as u32, Token::Bad(error), stop as u32);
                }
            }
        }
        if mode.kind != QuoteKind::Command && self.is_flat(mode.token) {
            return self.merge_flat(mode.token, after);
        }
        self.push(end, Token::StrEnd, after);
    }

    /// Whether a string whose first token has this index has no interpolation (nor a mistake) in it.
    fn is_flat(&self, token: usize) -> bool {
        matches!(&self.out[token + 1..], [(_, Token::Text(_), _)])
    }

    fn merge_flat(&mut self, token: usize, after: usize) {
        let content = match self.out.get(token + 1) {
            Some((_, Token::Text(content), _)) => content.clone(),
            _ => "".into(),
        };
        let start = self.out[token].0;
        self.out.truncate(token);
        self.push(start as usize, Token::Str(content), after);
    }

    /// Gives up the strings from the given mode on: one report, at the outermost.
    fn unclosed(&mut self, mode: usize, end: usize) {
        let (start, kind) = (self.modes[mode].start, self.modes[mode].kind);
        let first = self.modes[mode].token;
        self.modes.truncate(mode);
        self.out.truncate(first);
        let error = match kind {
            QuoteKind::Command => Error::new(
                codes::UNCLOSED,
                "expected a backtick, but this command is not closed",
            )
            .with_label("the command starts here"),
            kind => unclosed_string(kind == QuoteKind::Triple),
        };
        let text = self.text.get(start..end).unwrap_or("");
        let error = match text.contains("{\"") || text.contains("{\\\"") {
            true => error.with_help(
                "braces in a string fill in a value; a brace itself is written \\{, or the text r\"\"\"...\"\"\"",
            ),
            false => error,
        };
        self.bad(error, start, end);
    }

    fn close_open_strings(&mut self) {
        if !self.modes.is_empty() {
            self.unclosed(0, self.text.len());
        }
    }
}

fn is_doc(comment: &str) -> bool {
    comment.starts_with("##") && !comment.starts_with("###")
}

fn unclosed_string(several_lines: bool) -> Box<Error> {
    match several_lines {
        true => Error::new(
            codes::UNCLOSED,
            "expected `\"\"\"`, but this string is not closed",
        )
        .with_label("the string starts here"),
        false => Error::new(
            codes::UNCLOSED,
            "expected `\"` on the same line, but this string is not closed",
        )
        .with_label("the string starts here")
        .with_help("close it on this line, or write `\"\"\"` for a text of several lines"),
    }
}

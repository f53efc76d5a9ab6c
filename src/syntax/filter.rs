//! Raw tokens to what the grammar reads: newlines become the ends of statements, braces are told apart, and the words
//! that are words only in their construct are recognised by one or two tokens of look-ahead.
//!
//! What the grammar may rely on: every statement of a block or of the file is followed by exactly one
//! [`Token::End`]; none stands anywhere else. A brace of a map is a [`Token::MapOpen`].

use super::token::{Doc, Spanned, Token};
use std::rc::Rc;

/// A bracket that is open, as far as it decides about newlines and braces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// `(`; what a brace right after the closing `)` opens.
    Paren(AfterParen),
    /// `[`, `{` of a map, `{` of an interpolation: newlines mean nothing.
    Flat,
    /// `{` of a map: newlines mean nothing, words before a colon are names.
    Map,
    /// `{` of a block of statements (or of a struct).
    Block,
    /// `{` of a `match` (false) or a `select` (true).
    Cases(bool),
}

/// What a brace after a closing parenthesis opens: it depends on the word before the opening one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterParen {
    /// A block: `if f(x) {`, `fn(x) {`.
    Block,
    /// A map: `join(timeout: 1s) {left: p}`, `pool map(workers: 2) {a, b} in xs`.
    Map,
    /// The cases of a select: `select(timeout: 1s) {`.
    Select,
}

/// Filters the tokens of `text`.
pub fn filter(text: &str, raw: &[Spanned]) -> Vec<Spanned> {
    let mut filter = Filter {
        text,
        raw,
        out: Vec::with_capacity(raw.len() + 16),
        frames: Vec::new(),
        closed_paren: AfterParen::Block,
        newline: None,
        docs: Vec::new(),
    };
    let mut index = 0;
    while index < raw.len() {
        index += filter.take(index);
    }
    filter.finish();
    filter.out
}

struct Filter<'a> {
    text: &'a str,
    raw: &'a [Spanned],
    out: Vec<Spanned>,
    frames: Vec<Frame>,
    /// What the parenthesis that closed last says about a brace behind it.
    closed_paren: AfterParen,
    /// The place of the first newline since the last token.
    newline: Option<(u32, u32)>,
    docs: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    /// Takes the raw token at `index`; returns how many were used.
    fn take(&mut self, index: usize) -> usize {
        let (start, ref token, end) = self.raw[index];
        match token {
            Token::Comment => return 1,
            Token::DocComment => {
                let line = self
                    .text
                    .get(start as usize + 2..end as usize)
                    .unwrap_or("");
                self.docs
                    .push(line.strip_prefix(' ').unwrap_or(line).trim_end());
                return 1;
            }
            Token::Newline => {
                // A blank line separates documentation from what follows.
                if matches!(
                    self.raw.get(index.wrapping_sub(1)),
                    Some((_, Token::Newline, _))
                ) {
                    self.docs.clear();
                }
                self.newline.get_or_insert((start, end));
                return 1;
            }
            _ => {}
        }
        let (token, used) = self.resolve(index);
        let end = self.raw[index + used - 1].2;
        self.end_statement_before(&token, start);
        self.emit(start, token, end);
        used
    }

    /// Decides what the raw token at `index` is in its place, and of how many raw tokens it is made.
    fn resolve(&mut self, index: usize) -> (Token, usize) {
        let token = &self.raw[index].1;
        let slice = || {
            let (start, _, end) = self.raw[index];
            Token::Name(
                self.text
                    .get(start as usize..end as usize)
                    .unwrap_or("")
                    .into(),
            )
        };
        if token.is_reserved() && (self.previous() == Some(&Token::Dot) || self.is_key(index)) {
            return (slice(), 1);
        }
        match token {
            Token::Name(name) if self.previous() != Some(&Token::Dot) => {
                self.soft_word(name, index)
            }
            Token::DotDot if !self.operand_follows(index) => (Token::DotDotEnd, 1),
            Token::BraceOpen => (self.brace(), 1),
            Token::Fn(_) => (Token::Fn(self.doc()), 1),
            Token::Struct(_) => (Token::Struct(self.doc()), 1),
            token => (token.clone(), 1),
        }
    }

    fn previous(&self) -> Option<&Token> {
        self.out.last().map(|(_, token, _)| token)
    }

    /// Whether the token begins a statement, given that it is not yet put out.
    fn at_statement_start(&self) -> bool {
        match self.previous() {
            None | Some(Token::End | Token::BraceOpen) => true,
            Some(previous) => {
                self.newline.is_some() && self.newlines_count() && !previous.continues_line()
            }
        }
    }

    fn newlines_count(&self) -> bool {
        matches!(self.frames.last(), None | Some(Frame::Block))
    }

    /// A reserved word before a colon, in parentheses or in a map: a key or the name of an argument.
    fn is_key(&self, index: usize) -> bool {
        let inside = matches!(self.frames.last(), Some(Frame::Paren(_) | Frame::Map));
        let first = matches!(
            self.previous(),
            Some(Token::ParenOpen | Token::MapOpen | Token::Comma)
        );
        inside && first && matches!(self.raw.get(index + 1), Some((_, Token::Colon, _)))
    }

    fn word_at(&self, index: usize) -> Option<&str> {
        match self.raw.get(index) {
            Some((_, Token::Name(name), _)) => Some(name),
            _ => None,
        }
    }

    fn soft_word(&self, name: &Rc<str>, index: usize) -> (Token, usize) {
        let next = self.raw.get(index + 1).map(|(_, token, _)| token);
        let plain = (Token::Name(name.clone()), 1);
        match &**name {
            "shared" if self.at_statement_start() => match next {
                Some(Token::Name(_)) => (Token::Shared, 1),
                _ => plain,
            },
            "test" if self.at_statement_start() => match next {
                Some(Token::Str(_)) => (Token::Test, 1),
                _ => plain,
            },
            "pool" if self.word_at(index + 1) == Some("map") => match self.pool_map(index + 2) {
                Some(token) => (token, 2),
                None => plain,
            },
            "after" if self.frames.last() == Some(&Frame::Cases(true)) => match self.previous() {
                Some(Token::BraceOpen | Token::BraceClose) => (Token::After, 1),
                _ => plain,
            },
            _ => plain,
        }
    }

    /// What `pool map` is, by the token at `index` behind it and, after a parenthesis, by the two next ones.
    fn pool_map(&self, index: usize) -> Option<Token> {
        let token = |at: usize| self.raw.get(at).map(|(_, token, _)| token);
        // At the end of the text it may yet become one.
        let Some(next) = token(index) else {
            return Some(Token::PoolMap);
        };
        match next {
            Token::Name(_) | Token::SquareOpen | Token::BraceOpen => Some(Token::PoolMap),
            // No name, but what was meant is clear.
            word if word.is_reserved() => Some(Token::PoolMap),
            Token::ParenOpen => {
                let mut at = index + 1;
                while matches!(token(at), Some(Token::Newline | Token::Comment)) {
                    at += 1;
                }
                let option = token(at).is_some_and(Token::is_word)
                    && matches!(token(at + 1), Some(Token::Colon));
                match option || token(at) == Some(&Token::ParenClose) {
                    true => Some(Token::PoolMap),
                    false => Some(Token::PoolCall),
                }
            }
            _ => None,
        }
    }

    /// Whether the `..` at `index` has an end behind it.
    fn operand_follows(&self, index: usize) -> bool {
        let newlines_count = self.newlines_count();
        let next = self.raw[index + 1..]
            .iter()
            .find(|(_, token, _)| match token {
                Token::Newline => newlines_count,
                token => !matches!(token, Token::Comment | Token::DocComment),
            });
        matches!(
            next,
            Some((
                _,
                Token::Name(_)
                    | Token::Int(_)
                    | Token::Float(_)
                    | Token::Str(_)
                    | Token::ParenOpen
                    | Token::Minus
                    | Token::Tilde
                    | Token::Join,
                _
            ))
        )
    }

    /// Whether the opening brace that comes now is one of a block or of a map.
    fn brace(&self) -> Token {
        if self.at_statement_start() {
            return Token::MapOpen;
        }
        let block = match self.previous() {
            Some(Token::ParenClose) => self.closed_paren != AfterParen::Map,
            Some(
                Token::Else
                | Token::Do
                | Token::Try
                | Token::Catch
                | Token::Finally
                | Token::Scope
                | Token::Spawn
                | Token::Select
                | Token::Defer
                | Token::Lock,
            ) => true,
            Some(token) => token.ends_operand(),
            None => false,
        };
        match block {
            true => Token::BraceOpen,
            false => Token::MapOpen,
        }
    }

    /// The documentation that stands right above a definition.
    fn doc(&mut self) -> Doc {
        if self.docs.is_empty() {
            return Doc::default();
        }
        let text = self.docs.join("\n");
        self.docs.clear();
        Doc(Some(text.into()))
    }

    /// Puts out the end of the statement before `token`, where a newline or a closing brace means one.
    fn end_statement_before(&mut self, token: &Token, start: u32) {
        let newline = self.newline.take();
        let Some(previous) = self.previous() else {
            return;
        };
        let ended = matches!(previous, Token::End | Token::BraceOpen);
        if *token == Token::BraceClose && self.frames.last() == Some(&Frame::Block) {
            if !ended {
                let (from, to) = newline.unwrap_or((start, start));
                self.out.push((from, Token::End, to));
            }
            return;
        }
        let continued = matches!(
            token,
            Token::Dot | Token::Else | Token::Catch | Token::Finally | Token::Case
        );
        if let Some((from, to)) = newline
            && self.newlines_count()
            && !ended
            && !previous.continues_line()
            && !continued
        {
            self.out.push((from, Token::End, to));
        }
    }

    fn emit(&mut self, start: u32, token: Token, end: u32) {
        self.docs.clear();
        match token {
            Token::End => return self.semicolon(start, end),
            Token::ParenOpen => {
                let after = match self.previous() {
                    Some(Token::PoolMap) => AfterParen::Map,
                    // What `join` waits for may be a map, but only behind its options.
                    Some(Token::Join) if self.options_at(end) => AfterParen::Map,
                    Some(Token::Select) => AfterParen::Select,
                    _ => AfterParen::Block,
                };
                self.frames.push(Frame::Paren(after));
            }
            Token::SquareOpen | Token::InterpOpen => self.frames.push(Frame::Flat),
            Token::MapOpen => self.frames.push(Frame::Map),
            Token::BraceOpen => {
                let frame = self.block_frame(end);
                self.frames.push(frame);
            }
            Token::ParenClose => {
                if let Some(Frame::Paren(after)) = self.frames.pop() {
                    self.closed_paren = after;
                }
            }
            Token::SquareClose | Token::BraceClose | Token::InterpClose => {
                self.frames.pop();
            }
            _ => {}
        }
        self.out.push((start, token, end));
    }

    /// Whether `name:` stands at `from`, behind a parenthesis, or nothing but its end.
    fn options_at(&self, from: u32) -> bool {
        let from = self.raw.partition_point(|(start, _, _)| *start < from);
        let mut rest = self.raw[from..].iter().map(|(_, token, _)| token);
        let mut next = || rest.find(|token| !matches!(token, Token::Newline | Token::Comment));
        match next() {
            Some(Token::ParenClose) => true,
            Some(token) => token.is_word() && next() == Some(&Token::Colon),
            None => false,
        }
    }

    /// A semicolon ends a statement; where none has begun, or between cases, it says nothing.
    fn semicolon(&mut self, start: u32, end: u32) {
        let nothing_to_end = match self.frames.last() {
            None | Some(Frame::Block) => {
                matches!(self.previous(), None | Some(Token::End | Token::BraceOpen))
            }
            Some(Frame::Cases(_)) => true,
            Some(_) => false,
        };
        if !nothing_to_end {
            self.out.push((start, Token::End, end));
        }
    }

    /// What the brace that ends at `end` holds: cases, when the construct or the next word says so.
    fn block_frame(&self, end: u32) -> Frame {
        let select = match self.previous() {
            Some(Token::Select) => true,
            Some(Token::ParenClose) => self.closed_paren == AfterParen::Select,
            _ => false,
        };
        if select {
            return Frame::Cases(true);
        }
        let from = self.raw.partition_point(|(start, _, _)| *start < end);
        let next = self.raw[from..].iter().find(|(_, token, _)| {
            !matches!(
                token,
                Token::Newline | Token::Comment | Token::DocComment | Token::End
            )
        });
        match next {
            Some((_, Token::Case | Token::Else, _)) => Frame::Cases(false),
            _ => Frame::Block,
        }
    }

    /// The end of the text ends the last statement, unless a bracket is open.
    fn finish(&mut self) {
        let at = self.text.len() as u32;
        if self.newlines_count()
            && !matches!(self.previous(), None | Some(Token::End | Token::BraceOpen))
        {
            let (from, to) = self.newline.unwrap_or((at, at));
            self.out.push((from, Token::End, to));
        }
    }
}

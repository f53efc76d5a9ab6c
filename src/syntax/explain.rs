//! What the parser ran into, in words.
//!
//! The parser knows which tokens it could have taken: dozens. They are told in groups ("an expression", "an operator"),
//! three at most, after another language's habit has been looked for ([`super::habits`]).

use super::habits;
use super::token::{Spanned, Token};
use crate::diag::{Error, codes};
use crate::source::{Source, Span};

/// Where the parser stopped.
pub struct Context<'a> {
    /// The text.
    pub source: &'a Source,
    /// What was parsed, and the tokens right behind it.
    pub tokens: &'a [Spanned],
    /// The index of the token that could not stand there; the number of tokens when the end came too early.
    pub at: usize,
    /// Whether the text ends with what was parsed.
    pub is_last: bool,
    /// What could have stood there, as the grammar names it.
    pub expected: Vec<&'a str>,
}

impl<'a> Context<'a> {
    /// The token so many places behind (or before) the one that could not stand there.
    pub fn token(&self, offset: isize) -> Option<&'a Token> {
        let index = self.at.checked_add_signed(offset)?;
        self.tokens.get(index).map(|(_, token, _)| token)
    }

    /// The name so many places behind (or before).
    pub fn name(&self, offset: isize) -> Option<&'a str> {
        match self.token(offset)? {
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The text of the token at an index.
    pub fn text(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |(start, _, end)| {
            let range = *start as usize..*end as usize;
            self.source.text.get(range).unwrap_or("")
        })
    }

    /// Whether the grammar would have taken this.
    pub fn expects(&self, name: &str) -> bool {
        self.expected.contains(&name)
    }

    /// Whether an expression could have begun here.
    pub fn expects_expression(&self) -> bool {
        self.expects("fn") && self.expects("int")
    }

    /// The index of the innermost bracket that is open here.
    pub fn open_bracket(&self) -> Option<usize> {
        self.open_before(self.at)
    }

    /// The index of the innermost bracket that is open before the token at `index`.
    fn open_before(&self, index: usize) -> Option<usize> {
        let mut closed = 0usize;
        for index in (0..index.min(self.tokens.len())).rev() {
            let token = &self.tokens[index].1;
            if token.closes() {
                closed += 1;
            } else if token.opens() {
                match closed.checked_sub(1) {
                    Some(less) => closed = less,
                    None => return Some(index),
                }
            }
        }
        None
    }

    /// The bracket that the one at `close` closes.
    pub fn opening(&self, close: usize) -> Option<usize> {
        self.open_before(close)
    }

    /// The kind of the innermost open bracket.
    pub fn inside(&self) -> Option<&'a Token> {
        self.open_bracket().map(|index| &self.tokens[index].1)
    }

    /// The token at an index.
    pub fn at_index(&self, index: usize) -> Option<&'a Token> {
        self.tokens.get(index).map(|(_, token, _)| token)
    }

    /// The index of the first token of the statement (or of the part in its innermost brackets) that this stands in.
    pub fn statement_start(&self) -> usize {
        let mut closed = 0usize;
        for index in (0..self.at.min(self.tokens.len())).rev() {
            let token = &self.tokens[index].1;
            if token.closes() {
                closed += 1;
            } else if token.opens() {
                match closed.checked_sub(1) {
                    Some(less) => closed = less,
                    None => return index + 1,
                }
            } else if *token == Token::End && closed == 0 {
                return index + 1;
            }
        }
        0
    }

    /// The bracket that closes the one at an index.
    pub fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (index, (_, token, _)) in self.tokens.iter().enumerate().skip(open) {
            if token.opens() {
                depth += 1;
            } else if token.closes() {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(index);
                }
            }
        }
        None
    }

    /// The place of the token at an index; behind the last one, the end of the text.
    pub fn span(&self, index: usize) -> Span {
        let end = self.source.text.len();
        let (start, end) = match self.tokens.get(index) {
            Some((start, _, end)) => (*start as usize, *end as usize),
            None => (end, end),
        };
        Span::new(self.source.id, start, end)
    }

    /// Whether a newline stands between the token at an earlier index and this one.
    pub fn is_on_another_line(&self, before: usize) -> bool {
        let range = self.span(before).end as usize..self.span(self.at).start as usize;
        let between = self.source.text.get(range);
        between.is_some_and(|between| between.contains('\n'))
    }

    /// Whether more text could still make the token right: nothing is missing but what comes behind the text, or the
    /// text ends within this very word.
    fn is_incomplete(&self) -> bool {
        let length = self.source.text.len() as u32;
        let last = self.is_last && self.at + 1 >= self.tokens.len();
        match self.tokens.get(self.at) {
            None => true,
            Some((_, Token::End, _)) if last => true,
            // `try { }` and then `cat`: the word that would go on with the statement is not finished.
            Some((_, Token::End, _)) => match self.tokens.get(self.at + 1) {
                Some((_, Token::Name(word), end)) if *end == length => ["else", "catch", "finally"]
                    .iter()
                    .any(|w| w.starts_with(&**word)),
                _ => false,
            },
            Some((_, _, end)) => *end == length,
        }
    }
}

/// The report about the place where the parser stopped.
pub fn unexpected(context: &Context) -> Box<Error> {
    if let Some(Token::Bad(report)) = context.token(0) {
        return report.clone();
    }
    let mut error = match habits::find(context) {
        Some(hint) => {
            let span = context.span(hint.at);
            let mut error = Error::new(codes::HABIT, hint.message).with_span(span);
            if !hint.help.is_empty() {
                error = error.with_help(hint.help);
            }
            error.with_label("Par writes this differently")
        }
        None => plain(context),
    };
    error.incomplete = context.is_incomplete();
    error
}

fn plain(context: &Context) -> Box<Error> {
    let found = found(context);
    let groups = groups(context);
    let expected = one_of(&groups);
    let error = Error::new(
        codes::UNEXPECTED,
        format!("expected {expected}, found {found}"),
    );
    let error = error.with_span(context.span(context.at));
    match context.token(0) {
        Some(token)
            if token.is_reserved()
                && groups
                    .first()
                    .is_some_and(|g| g == "a name" || g == "a pattern") =>
        {
            let word = context.text(context.at);
            error
                .with_label("a word of the language, not a name")
                .with_help(format!("another name will do, `{word}_` for instance"))
        }
        None => error.with_label("the text ends here"),
        Some(Token::End) if found != "`;`" && found.starts_with("the") => {
            error.with_label(found.replacen("the end of ", "", 1) + " ends here")
        }
        Some(_) => error.with_label("this cannot stand here"),
    }
}

/// "a", "a or b", "a, b or c".
fn one_of(groups: &[String]) -> String {
    match groups {
        [] => String::from("something else"),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The token that could not stand there, in words.
pub fn found(context: &Context) -> String {
    let text = context.text(context.at);
    let Some(token) = context.token(0) else {
        return String::from("the end of the text");
    };
    match token {
        // An end that the filter put before a closing brace is no news: the brace is.
        Token::End if text.is_empty() && context.token(1).is_some() => {
            format!("`{}`", context.text(context.at + 1))
        }
        Token::End if context.is_last && context.at + 1 == context.tokens.len() && text != ";" => {
            String::from("the end of the text")
        }
        Token::End if text == ";" => String::from("`;`"),
        Token::End => String::from("the end of the line"),
        Token::Name(name) => format!("the name `{name}`"),
        Token::Int(_) | Token::Float(_) => format!("the number {text}"),
        Token::Str(_) | Token::StrStart | Token::Text(_) => String::from("a string"),
        Token::Bytes(_) => String::from("bytes"),
        Token::CommandStart => String::from("a command"),
        Token::StrEnd => String::from("the end of the string"),
        token if token.is_reserved() => format!("the word `{text}`"),
        _ => format!("`{text}`"),
    }
}

/// What could have stood there, in at most three groups, the most telling first.
fn groups(context: &Context) -> Vec<String> {
    let has = |name: &str| context.expects(name);
    let mut groups: Vec<String> = Vec::new();
    let operator = has("+") || has("==");
    if has("let") {
        groups.push("a statement".into());
    } else if context.expects_expression() {
        groups.push("an expression".into());
    } else if has("name") && has("int") {
        groups.push("a pattern".into());
    } else if has("name") {
        groups.push("a name".into());
    }
    let starts_something = !groups.is_empty();
    for closing in [")", "]", "}", "interpolation }", "{"] {
        if has(closing) {
            let text = closing.strip_prefix("interpolation ").unwrap_or(closing);
            groups.push(format!("`{text}`"));
        }
    }
    for mark in [",", "=", "=>", ":"] {
        // Behind an expression that stands alone, an assignment is the least likely.
        let unlikely = mark == "=" && operator && has(";");
        if has(mark) && !unlikely {
            groups.push(format!("`{mark}`"));
        }
    }
    if !starts_something {
        for bracket in ["(", "["] {
            if has(bracket) && !operator {
                groups.push(format!("`{bracket}`"));
            }
        }
        for word in ["in", "as", "case", "catch", "finally", "else"] {
            if has(word) && !(word == "in" && operator) {
                groups.push(format!("`{word}`"));
            }
        }
        if has("string") {
            groups.push("a string".into());
        }
    }
    if operator {
        groups.truncate(2);
        groups.push("an operator".into());
    }
    if has(";") && !has("let") {
        groups.push("the end of the line".into());
    }
    groups.truncate(3);
    groups
}

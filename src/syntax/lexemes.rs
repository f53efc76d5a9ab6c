//! The tokens as others see them: for the colours of the prompt and for `--dump tokens`.

use super::token::{Spanned, Token};
use super::{brackets, filter, lexer};
use crate::diag::codes;
use crate::source::{Source, Span};

/// What a stretch of text is, as far as its colour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A word of the language where it is one.
    Keyword,
    /// `nil`, `true`, `false`.
    Constant,
    /// A name.
    Name,
    /// A name right before an argument list, or behind `fn`.
    Function,
    /// A number, a duration, a size.
    Number,
    /// The text of a string or bytes, its quotes included; also of one that is not closed yet.
    String,
    /// The text of a command.
    Command,
    /// The braces of an interpolation.
    Interpolation,
    /// A comment.
    Comment,
    /// A comment that documents.
    Doc,
    /// An operator.
    Operator,
    /// A bracket, a comma, a colon, a point, a semicolon.
    Mark,
    /// No token of the language.
    Bad,
}

/// A token with its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lexeme {
    /// Its place; never empty, never overlapping another.
    pub span: Span,
    /// What it is.
    pub class: Class,
}

/// The tokens of a text with a blank behind each and a newline behind each statement: without comments, and the same however the text
/// is laid out.
pub fn code(source: &Source) -> String {
    let checked = brackets::check(source, lexer::lex(source));
    let mut code = String::with_capacity(source.text.len());
    for (start, token, end) in filter::filter(&source.text, &checked.tokens) {
        match token {
            Token::End => code.push('\n'),
            _ => {
                code.push_str(
                    source
                        .text
                        .get(start as usize..end as usize)
                        .unwrap_or_default(),
                );
                code.push(' ');
            }
        }
    }
    code
}

/// The tokens of any text, right or wrong, in its order; blanks and newlines lie between them.
pub fn tokens(source: &Source) -> Vec<Lexeme> {
    let raw = lexer::lex(source);
    let comments: Vec<Spanned> = raw
        .iter()
        .filter(|(_, token, _)| matches!(token, Token::Comment | Token::DocComment))
        .cloned()
        .collect();
    let checked = brackets::check(source, raw.clone());
    // What nests too deeply is shown as it was read.
    let mut all = match checked.too_deep {
        true => raw,
        false => filter::filter(&source.text, &checked.tokens),
    };
    all.extend(comments);
    all.sort_by_key(|(start, _, end)| (*start, *end));
    all.dedup_by(|a, b| a.0 == b.0 && a.2 == b.2);
    let mut lexemes: Vec<Lexeme> = Vec::with_capacity(all.len());
    let mut in_command = Vec::new();
    for (index, (start, token, end)) in all.iter().enumerate() {
        match token {
            Token::CommandStart => in_command.push(true),
            Token::StrStart => in_command.push(false),
            _ => {}
        }
        let class = class(token, all.get(index + 1), in_command.last() == Some(&true));
        if *token == Token::StrEnd {
            in_command.pop();
        }
        let after_fn = index > 0 && matches!(all[index - 1].1, Token::Fn(_));
        let class = match class {
            Class::Name if after_fn => Class::Function,
            class => class,
        };
        let newline = source.text.get(*start as usize..*end as usize) == Some("\n");
        if start < end && !newline {
            let span = Span::new(source.id, *start as usize, *end as usize);
            lexemes.push(Lexeme { span, class });
        }
    }
    lexemes
}

fn class(token: &Token, next: Option<&Spanned>, in_command: bool) -> Class {
    use Token::*;
    match token {
        True | False | Nil => Class::Constant,
        And | Or | Not | In | Rescue => Class::Keyword,
        token if token.is_reserved() => Class::Keyword,
        PoolMap | PoolCall | Shared | After | Test => Class::Keyword,
        Name(_) => match next {
            Some((_, ParenOpen, _)) => Class::Function,
            _ => Class::Name,
        },
        Int(_) | Float(_) => Class::Number,
        CommandStart => Class::Command,
        StrStart | Text(_) | StrEnd if in_command => Class::Command,
        Str(_) | Bytes(_) | StrStart | Text(_) | StrEnd => Class::String,
        InterpOpen | InterpClose => Class::Interpolation,
        Comment => Class::Comment,
        DocComment => Class::Doc,
        Comma | Colon | Dot | End => Class::Mark,
        token if token.opens() || token.closes() => Class::Mark,
        Bad(report) if report.code == codes::UNCLOSED => Class::String,
        Bad(_) | Foreign | Quote | NumberStart => Class::Bad,
        _ => Class::Operator,
    }
}

/// The tokens as lines of text: place, class, text.
pub fn dump(source: &Source) -> String {
    let mut out = String::new();
    for lexeme in tokens(source) {
        let (line, column) = source.line_column(lexeme.span.start);
        let class = format!("{:?}", lexeme.class).to_lowercase();
        let place = format!("{line}:{column}");
        out.push_str(&format!(
            "{place:<8} {class:<13} {}\n",
            source.slice(lexeme.span).escape_debug()
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;

    fn classes(text: &str) -> Vec<(String, Class)> {
        let source = Source::new(SourceId(0), "", text);
        let view = |lexeme: Lexeme| (source.slice(lexeme.span).to_string(), lexeme.class);
        tokens(&source).into_iter().map(view).collect()
    }

    #[test]
    fn words_are_keywords_only_where_they_are_words() {
        let found = classes("pool map x in xs { shared } # why\nxs.join(pool)");
        let of = |text: &str| {
            found
                .iter()
                .find(|(t, _)| t == text)
                .map(|(_, class)| *class)
        };
        assert_eq!(of("pool map"), Some(Class::Keyword));
        assert_eq!(of("shared"), Some(Class::Name));
        assert_eq!(of("join"), Some(Class::Function));
        assert_eq!(of("pool"), Some(Class::Name));
        assert_eq!(of("# why"), Some(Class::Comment));
    }

    #[test]
    fn strings_are_told_from_what_is_filled_in() {
        let found: Vec<Class> = classes("\"a {b} c\" `ls {x}`")
            .into_iter()
            .map(|c| c.1)
            .collect();
        use Class::*;
        let string = [
            String,
            String,
            Interpolation,
            Name,
            Interpolation,
            String,
            String,
        ];
        let command = [
            Command,
            Command,
            Interpolation,
            Name,
            Interpolation,
            Command,
        ];
        assert_eq!(found, [&string[..], &command[..]].concat());
        assert_eq!(classes("\"abc").last().map(|c| c.1), Some(String));
    }
}

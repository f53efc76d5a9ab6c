//! What users of other languages type by habit, with what to type here.
//!
//! Three tables: spellings that are no token ([`foreign`]), words ([`words`]: `elif`, `def`, `null`), and rules that look
//! at the place where the parser stopped ([`places`]: `=` in a condition, `:` behind a head).

mod foreign;
mod heads;
mod places;
mod words;

pub use foreign::{foreign, single_quotes};
pub use places::SHARED_VALUE;
pub use words::habit_for_name;

use super::explain::Context;
use super::token::Token;

/// A habit, recognised.
pub struct Hint {
    /// What was expected and what was found.
    pub message: String,
    /// What to type instead.
    pub help: String,
    /// The index of the token it is about.
    pub at: usize,
}

impl Hint {
    fn new(at: usize, message: impl Into<String>, help: impl Into<String>) -> Hint {
        Hint {
            message: message.into(),
            help: help.into(),
            at,
        }
    }
}

/// The habit that explains why the parser stopped where it did, when it is one.
pub fn find(context: &Context) -> Option<Hint> {
    let found = block_behind_arrow(context);
    found
        .or_else(|| word(context))
        .or_else(|| places::find(context))
}

/// `fn(x) => { let y = x; y }`: these braces are a map.
fn block_behind_arrow(context: &Context) -> Option<Hint> {
    context.token(0)?;
    let open = context.open_bracket()?;
    let is_map = context.at_index(open) == Some(&Token::MapOpen);
    let arrow = open.checked_sub(1).and_then(|i| context.at_index(i));
    // What has a key, or several names, was meant to be one.
    let has_keys = (open + 1..context.at)
        .any(|i| matches!(context.at_index(i), Some(Token::Colon | Token::Comma)));
    if !is_map || arrow != Some(&Token::Arrow) || has_keys {
        return None;
    }
    let message = "expected an expression behind `=>`, found braces with statements";
    let help = "a function of statements has no arrow: fn(x) { ... }; braces behind `=>` are a map";
    Some(Hint::new(open, message, help))
}

/// A word of another language: the token itself, the one before it, the first of the statement or the one called.
fn word(context: &Context) -> Option<Hint> {
    let at = context.at;
    let previous = at.checked_sub(1);
    let candidates = [
        previous.filter(|&index| explains(context, index)),
        Some(at).filter(|_| previous.is_some_and(|p| ends_something(context.at_index(p)))),
        // `if x; then`: the word stands behind the end that could not stand there.
        Some(at + 1).filter(|_| context.token(0) == Some(&Token::End)),
        called(context),
    ];
    for index in candidates.into_iter().flatten() {
        let Some(Token::Name(name)) = context.at_index(index) else {
            continue;
        };
        if index > 0 && context.at_index(index - 1) == Some(&Token::Dot) {
            continue;
        }
        // A quote right behind the letter: `f"..."`.
        if index + 1 == at && places::is_prefixed_string(context) {
            continue;
        }
        if let Some((message, help)) = words::statement_word(name, words::Position::of(index, at)) {
            return Some(Hint::new(index, message, help));
        }
    }
    None
}

/// Whether a word right before the place can be what is wrong there: something follows it as if it were a word of the
/// language.
fn explains(context: &Context, index: usize) -> bool {
    let first = index == context.statement_start();
    let in_list = matches!(
        index.checked_sub(1).and_then(|i| context.at_index(i)),
        Some(Token::ParenOpen | Token::Comma)
    );
    match context.token(0) {
        Some(Token::Colon) => first && !in_list || context.name(-1) == Some("lambda"),
        Some(Token::BraceOpen | Token::MapOpen) => first,
        Some(token) => {
            token.is_word()
                || matches!(
                    token,
                    Token::Int(_)
                        | Token::Float(_)
                        | Token::Str(_)
                        | Token::StrStart
                        | Token::CommandStart
                        | Token::Star
                        | Token::Bad(_)
                )
        }
        None => false,
    }
}

/// The index of the name before the parentheses that closed right before this token: `switch (x) {`.
fn called(context: &Context) -> Option<usize> {
    let opens = matches!(
        context.token(0),
        Some(Token::BraceOpen | Token::MapOpen | Token::Colon)
    );
    if !opens || context.token(-1) != Some(&Token::ParenClose) {
        return None;
    }
    let close = context.at - 1;
    let open = context.opening(close)?;
    open.checked_sub(1)
}

fn ends_something(token: Option<&Token>) -> bool {
    token.is_some_and(|t| t.ends_operand() || matches!(t, Token::Let | Token::Const | Token::End))
}

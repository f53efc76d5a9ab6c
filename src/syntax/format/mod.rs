//! One style for every script: what a text looks like after `par fmt`.
//!
//! `tree` reads the text as tokens in their brackets, with comments and the places of newlines; `spacing` says what stands between two
//! tokens; `layout` makes lines of it, and breaks those that are too long, one break after the other until nothing is left to break.
//!
//! Tokens, comments and strings are never changed, only the blanks and newlines between them; a newline of the text that could have been
//! left out stays. So the meaning stays too, and a text that was formatted is not changed again (`tests/format.rs`).
//!
//! May import what `syntax` may. **Invariant:** a text that does not parse is refused, and what comes out has the same tokens.

mod breaks;
mod layout;
mod spacing;
mod tree;

use super::{brackets, filter, lexer, parse};
use crate::diag::{Error, codes};
use crate::source::Source;

/// The text in the one style.
///
/// # Errors
/// What is wrong with a text that does not parse.
pub fn format(source: &Source) -> Result<String, Vec<Error>> {
    parse(source)?;
    let formatted = layout::text(&tree::read(source));
    let again = Source::new(source.id, source.name.clone(), formatted);
    if significant(&again) != significant(source) {
        // Better no change than a wrong one.
        let message = "expected the same tokens after formatting, found others";
        return Err(vec![*Error::new(codes::INTERNAL, message)]);
    }
    Ok(again.text.to_string())
}

/// The texts of all tokens and comments. (The ends of statements follow from the newlines between them.)
fn significant(source: &Source) -> Vec<String> {
    let nodes = tree::read(source);
    let mut texts = Vec::new();
    tree::texts(&nodes, &mut texts);
    texts
}

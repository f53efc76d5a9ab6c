//! What users of other languages type by habit, with what to type here.

use crate::diag::{Error, codes};

/// The report about a spelling that no program of this language contains.
pub fn foreign(found: &str) -> Box<Error> {
    Error::new(
        codes::HABIT,
        format!("expected an operator of Par, found `{found}`"),
    )
}

/// The report about `'text'`.
pub fn single_quotes(found: &str) -> Box<Error> {
    let inner = found.trim_matches('\'');
    Error::new(
        codes::HABIT,
        "expected a string in double quotes, found single quotes",
    )
    .with_help(format!("write \"{inner}\""))
}

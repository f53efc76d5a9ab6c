//! Each prefix of a text that parses does so too, or says that it is incomplete.
use par::source::{Source, SourceId};
use par::syntax;

/// Panics when that does not hold.
pub fn check(text: &str) {
    let whole = Source::new(SourceId(0), "fuzz", text);
    if text.len() > 2000 || syntax::parse(&whole).is_err() {
        return;
    }
    for (at, _) in text.char_indices() {
        let prefix = Source::new(SourceId(0), "fuzz", &text[..at]);
        if let Err(errors) = syntax::parse(&prefix) {
            let incomplete = errors.iter().all(|error| error.incomplete);
            assert!(incomplete, "{:?}: {errors:?}", &text[..at]);
        }
    }
}

//! Any text: the front end answers with a tree or with reports, and every place that it names lies in the text.
use par::source::{Source, SourceId};
use par::syntax;

/// Panics when that does not hold.
pub fn check(text: &str) {
    let source = Source::new(SourceId(0), "fuzz", text);
    match syntax::parse(&source) {
        Ok(module) => {
            syntax::print::tree(&source, &module);
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for span in errors.iter().filter_map(|error| error.span) {
                assert!(text.get(span.start as usize..span.end as usize).is_some());
            }
        }
    }
    let mut end = 0;
    for lexeme in syntax::tokens(&source) {
        assert!(lexeme.span.start >= end && lexeme.span.end as usize <= text.len());
        end = lexeme.span.end;
    }
}

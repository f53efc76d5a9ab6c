//! Any text: the front end answers with a tree or with reports, and every place that it names lies in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use par::source::{Source, SourceId};
use par::syntax;

fuzz_target!(|text: &str| {
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
});

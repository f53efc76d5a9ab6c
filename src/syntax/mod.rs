//! Text to tree: tokens, the token filter, the grammar, and the explanation of syntax errors.
//!
//! In the order of their work: `lexer` (with `literal`, `text`), `brackets`, `filter`, `depth`, the grammar
//! (`grammar/par.lalrpop`) with its `actions` and the `words` of commands; when it fails `recover`, `explain`, `habits`.
//!
//! Imports `source`, `diag`, `limits`, `operator`. **Invariant:** no IO and no values; nothing outside this folder knows LALRPOP
//! or logos.

mod actions;
pub mod ast;
mod brackets;
mod depth;
mod explain;
mod filter;
mod format;
mod habits;
mod lexemes;
mod lexer;
mod literal;
pub mod print;
mod recover;
mod text;
mod token;
mod words;

pub use format::format;
pub use habits::{SHARED_VALUE, habit_for_name};
pub use lexemes::{Class, Lexeme, code, dump as dump_tokens, tokens};

use crate::diag::{Error, codes};
use crate::source::{Source, SourceId, Span};
use actions::Builder;

#[allow(clippy::all, missing_docs, unused, unreachable_pub)]
mod grammar {
    include!(concat!(env!("OUT_DIR"), "/par.rs"));
}

/// Parses a text into its tree.
///
/// On failure, all reports in the order of the text. When each of them is [`Error::incomplete`], more input could mend the
/// text. A string in simple quotes can go on only while its line does: a prompt should hand over whole lines, with
/// their newlines.
pub fn parse(source: &Source) -> Result<ast::Module, Vec<Error>> {
    let brackets = brackets::check(source, lexer::lex(source));
    let mut errors = brackets.errors;
    if brackets.too_deep {
        return Err(errors);
    }
    let tokens = filter::filter(&source.text, &brackets.tokens);
    if let Err(error) = depth::check(source, &tokens) {
        errors.push(*error);
        return Err(errors);
    }
    let mut builder = Builder::new(source);
    let parsed = recover::parse(&mut builder, &tokens);
    match parsed {
        Ok(body) if errors.is_empty() && builder.errors.is_empty() => {
            return Ok(ast::Module {
                body,
                node_count: builder.next_node,
                fn_count: builder.next_fn,
                span: Span::new(source.id, 0, source.text.len()),
            });
        }
        Ok(_) => errors.extend(builder.errors),
        Err(_) => errors.extend(recover::reports(
            source,
            &tokens,
            &brackets.marks,
            brackets.open,
        )),
    }
    Err(in_order(source, errors))
}

/// Sorts reports by their places and settles which could be mended by more input: all or none.
fn in_order(source: &Source, mut errors: Vec<Error>) -> Vec<Error> {
    errors.sort_by_key(|error| error.span.map(|span| (span.start, span.end)));
    drop_echoes(source, &mut errors);
    let at_end = |error: &Error| {
        let rest = error
            .span
            .and_then(|span| source.text.get(span.end as usize..));
        rest.is_some_and(|rest| rest.bytes().all(|b| b == b' ' || b == b'\t'))
    };
    let all = errors.iter().all(|error| error.incomplete || at_end(error));
    for error in &mut errors {
        error.incomplete = all;
    }
    errors
}

/// Drops the reports about brackets that a string without an end has swallowed the closing ones of.
fn drop_echoes(source: &Source, errors: &mut Vec<Error>) {
    let starts = |error: &Error| {
        let span = error.span.filter(|_| error.code == codes::UNCLOSED)?;
        let text = source.text.get(span.start as usize..)?;
        Some((span.start as usize, text.starts_with(['"', '`'])))
    };
    let strings: Vec<usize> = errors
        .iter()
        .filter_map(starts)
        .filter_map(|(at, is_string)| is_string.then_some(at))
        .collect();
    errors.retain(|error| match starts(error) {
        Some((at, false)) => !strings.iter().any(|&string| {
            let between = source.text.get(at..string);
            between.is_some_and(|between| !between.contains('\n'))
        }),
        _ => true,
    });
}

/// Whether a text is a name that a program can declare.
pub fn is_name(text: &str) -> bool {
    let source = Source::new(SourceId(0), "", text);
    let tokens = lexer::lex(&source);
    matches!(tokens.as_slice(), [(0, token::Token::Name(_), end)] if *end as usize == text.len())
}

//! Text to tree: tokens, the token filter, the grammar, and the explanation of syntax errors.
//!
//! Imports `source`, `diag`, `limits`. **Invariant:** no IO and no values; nothing outside this folder knows LALRPOP or logos.

mod actions;
pub mod ast;
mod brackets;
mod filter;
mod habits;
mod lexer;
mod literal;
mod text;
mod token;

use crate::diag::{Error, codes};
use crate::source::{Source, Span};
use actions::Builder;
use token::Spanned;

#[allow(clippy::all, missing_docs, unused, unreachable_pub)]
mod grammar {
    include!(concat!(env!("OUT_DIR"), "/par.rs"));
}

/// Parses a text into its tree.
///
/// On failure, all reports in the order of the text. [`Error::incomplete`] is set on a report that more input could
/// mend; the text should then end without a newline only if its last line may go on.
pub fn parse(source: &Source) -> Result<ast::Module, Vec<Error>> {
    let brackets = brackets::check(source, lexer::lex(source));
    let mut errors: Vec<Error> = brackets.errors.into_iter().map(|e| *e).collect();
    if brackets.too_deep {
        return Err(errors);
    }
    let tokens = filter::filter(&source.text, &brackets.tokens);
    let mut builder = Builder::new(source);
    let result = grammar::ModuleParser::new().parse(&mut builder, tokens.iter().cloned());
    builder.refuse_minimum();
    errors.extend(builder.errors.into_iter().map(|e| *e));
    match result {
        Ok(body) if errors.is_empty() => Ok(ast::Module {
            body,
            node_count: builder.next_node,
            fn_count: builder.next_fn,
            span: Span::new(source.id, 0, source.text.len()),
        }),
        Ok(_) => Err(errors),
        Err(error) => {
            if let Some(open) = brackets.open {
                errors.push(*open);
            } else {
                errors.push(*explain(source, &tokens, error));
            }
            Err(errors)
        }
    }
}

/// Whether a text is a name that a program can declare.
pub fn is_name(text: &str) -> bool {
    let source = Source::new(crate::source::SourceId(0), "", text);
    matches!(lexer::lex(&source).as_slice(), [(0, token::Token::Name(_), end)] if *end as usize == text.len())
}

fn explain(
    source: &Source,
    tokens: &[Spanned],
    error: lalrpop_util::ParseError<u32, token::Token, std::convert::Infallible>,
) -> Box<Error> {
    use lalrpop_util::ParseError::*;
    let (start, end) = match &error {
        UnrecognizedToken {
            token: (_, token::Token::Bad(report), _),
            ..
        } => return report.clone(),
        UnrecognizedToken {
            token: (l, _, r), ..
        }
        | ExtraToken { token: (l, _, r) } => (*l, *r),
        _ => (source.text.len() as u32, source.text.len() as u32),
    };
    let span = Span::new(source.id, start as usize, end as usize);
    let error = Error::new(
        codes::UNEXPECTED,
        format!("unexpected {:?}", source.slice(span)),
    )
    .with_span(span);
    match tokens.last().is_none_or(|t| t.0 <= start) {
        true => error.incomplete(),
        false => error,
    }
}

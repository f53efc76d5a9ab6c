//! The depth of the tree to come, bounded before the parser builds it: everything that walks or drops a tree recurses.
//!
//! Brackets inside one another are counted by the bracket pass; here also the operators, calls and fields that make
//! a tree deep without any bracket (`a + a + a + ...`). The bound is never too low: each of them counts one level of all
//! that stands in the same statement or item before or behind it, except along a plain `else if` chain.

use super::token::{Spanned, Token};
use crate::diag::{Error, codes};
use crate::limits::MAX_TREE_DEPTH;
use crate::source::{Source, Span};

/// What is known about the item (statement, argument, element) being read at one level of brackets.
#[derive(Default, Clone, Copy)]
struct Item {
    /// Operators since the item began, or since its last `else if`.
    operators: usize,
    /// The deepest bracket in it, likewise.
    inner: usize,
    /// The deepest of the earlier links of an `else if` chain.
    links: usize,
    /// Levels that the chain itself adds.
    chain: usize,
    /// The item is an `if` with nothing before it that could hold it as an operand.
    is_chain: bool,
    /// The deepest item so far at this level of brackets.
    deepest: usize,
}

impl Item {
    fn depth(&self) -> usize {
        self.chain + self.links.max(self.inner + self.operators)
    }

    fn finish(&mut self) {
        *self = Item {
            deepest: self.deepest.max(self.depth()),
            ..Item::default()
        };
    }

    /// The chain so far becomes an operand of something.
    fn close_chain(&mut self) {
        *self = Item {
            inner: self.depth(),
            deepest: self.deepest,
            ..Item::default()
        };
    }
}

/// Refuses tokens whose tree would be too deep.
pub fn check(source: &Source, tokens: &[Spanned]) -> Result<(), Box<Error>> {
    let mut stack: Vec<Item> = Vec::new();
    let mut item = Item::default();
    let mut previous: Option<&Token> = None;
    for (start, token, end) in tokens {
        match token {
            open if open.opens() => {
                // Behind an operand they are a call or an index, which holds what stands before.
                let call = matches!(token, Token::ParenOpen | Token::SquareOpen);
                if call && previous.is_some_and(Token::ends_operand) {
                    operator(&mut item, previous);
                }
                stack.push(item);
                item = Item::default();
            }
            close if close.closes() => {
                item.finish();
                let inner = item.deepest + 1;
                item = stack.pop().unwrap_or_default();
                item.inner = item.inner.max(inner);
            }
            Token::End | Token::Comma | Token::Case => item.finish(),
            Token::If => {
                let first = item.operators == 0 && item.inner == 0;
                match previous {
                    Some(Token::Else) if item.is_chain => link(&mut item),
                    _ => {
                        item.is_chain = first && item.chain == 0;
                        operator(&mut item, previous);
                    }
                }
            }
            token if adds_level(token) => operator(&mut item, previous),
            _ => {}
        }
        if item.depth() + stack.len() > MAX_TREE_DEPTH {
            return Err(too_deep(Span::new(
                source.id,
                *start as usize,
                *end as usize,
            )));
        }
        previous = Some(token);
    }
    Ok(())
}

fn operator(item: &mut Item, previous: Option<&Token>) {
    if item.chain > 0 && previous == Some(&Token::BraceClose) {
        item.close_chain();
    }
    item.operators += 1;
}

/// The next link of an `else if` chain: two levels (the `if` and the block around it) beside the link before.
fn link(item: &mut Item) {
    item.links = item.links.max(item.inner + item.operators);
    item.inner = 0;
    item.operators = 0;
    item.chain += 2;
}

fn adds_level(token: &Token) -> bool {
    use Token::*;
    token.is_infix()
        || matches!(
            token,
            Dot | DotDot
                | DotDotEnd
                | Tilde
                | Not
                | Join
                | Spawn
                | Fn(_)
                | Arrow
                | For
                | While
                | Match
                | Try
                | With
                | Lock
                | Scope
                | Select
                | Do
                | Defer
                | PoolMap
                | PoolCall
                | StrStart
                | CommandStart
        )
}

fn too_deep(span: Span) -> Box<Error> {
    Error::new(
        codes::TOO_DEEP,
        format!("expected at most {MAX_TREE_DEPTH} operators, calls and brackets inside one another, found more"),
    )
    .with_span(span)
    .with_label("this is one too many")
    .with_help("give the parts names with `let`, or join many strings with `parts.join(\"\")`")
}

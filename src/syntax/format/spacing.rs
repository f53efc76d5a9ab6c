//! What stands between two tokens of a line: one blank or nothing.

use super::tree::Leaf;
use crate::syntax::token::Token;

/// Whether a blank stands between two tokens. `before` is what precedes `left` in its line or in its brackets.
pub fn blank(before: Option<&Leaf>, left: &Leaf, right: &Leaf) -> bool {
    use Token::*;
    let (l, r) = (&left.token, &right.token);
    if matches!(l, ParenOpen | SquareOpen | MapOpen | Dot | Spread)
        || matches!(r, ParenClose | SquareClose | Comma | End | Colon | Dot)
        || is_prefix(before, left)
    {
        return false;
    }
    match (l, r) {
        (_, BraceClose) => false,
        (_, BraceOpen | MapOpen) => true,
        // A range holds together, whatever its ends are.
        (_, DotDot | DotDotEq | DotDotEnd) => !ends_operand(l),
        (DotDot | DotDotEq, _) => false,
        (_, ParenOpen) => !takes_arguments(l),
        (_, SquareOpen) => !ends_operand(l),
        _ => true,
    }
}

/// Whether an operator stands before its only operand.
pub fn is_prefix(before: Option<&Leaf>, leaf: &Leaf) -> bool {
    match leaf.token {
        Token::Tilde => true,
        Token::Minus => !before.is_some_and(|before| ends_operand(&before.token)),
        _ => false,
    }
}

/// Whether an operand can end with this token.
fn ends_operand(token: &Token) -> bool {
    // A string with interpolations is one token here.
    token.ends_operand() || matches!(token, Token::StrStart | Token::CommandStart)
}

/// Whether a parenthesis behind this token holds its arguments, parameters or options.
fn takes_arguments(token: &Token) -> bool {
    use Token::*;
    ends_operand(token)
        || matches!(
            token,
            Fn(_) | Spawn | Join | Lock | Scope | Select | PoolMap | PoolCall
        )
}

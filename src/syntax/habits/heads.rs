//! Habits in the heads of statements and around blocks.

use super::Hint;
use super::places::hint;
use crate::syntax::explain::{self, Context};
use crate::syntax::token::Token;

/// The name of a test with a value in it: `test` is a name then.
pub fn test_name(context: &Context) -> Option<Hint> {
    if context.token(0) != Some(&Token::StrStart) || context.name(-1) != Some("test") {
        return None;
    }
    hint(
        context,
        "expected a plain string as the name of a test, found one with a value in it",
        r#"write test "name" { ... }; a brace that stands for itself is \{"#,
    )
}

/// `:` behind a head, of a type, in a slice.
pub fn colon(context: &Context) -> Option<Hint> {
    if context.token(0) != Some(&Token::Colon) {
        return None;
    }
    let head = context.at_index(context.statement_start());
    let last = matches!(context.token(1), None | Some(Token::End));
    match context.inside() {
        Some(Token::SquareOpen) => {
            return hint(
                context,
                "expected `..` in a slice, found `:`",
                "write xs[1..3], xs[2..] or xs[..3]",
            );
        }
        Some(Token::ParenOpen) => {
            return hint(
                context,
                "expected `,` or `)`, found `:`",
                "types are not declared: fn f(name, count) { ... }; a named argument is name: value",
            );
        }
        _ => {}
    }
    if matches!(head, Some(Token::Let | Token::Const)) {
        return hint(
            context,
            "expected `=`, found `:`",
            "types are not declared: let n = 5",
        );
    }
    let is_head = head.is_some_and(|t| {
        matches!(
            t,
            Token::If
                | Token::Else
                | Token::While
                | Token::For
                | Token::Fn(_)
                | Token::Struct(_)
                | Token::Match
                | Token::Case
                | Token::With
                | Token::Try
                | Token::Finally
                | Token::Lock
                | Token::Scope
                | Token::Select
                | Token::Do
        )
    });
    let word = matches!(
        context.token(-1),
        Some(Token::Else | Token::Try | Token::Finally | Token::Do | Token::Scope | Token::Catch)
    );
    if last || is_head || word || context.expects("{") {
        return hint(
            context,
            "expected `{`, found `:`",
            "blocks stand in braces: if x > 0 { ... }",
        );
    }
    hint(
        context,
        "expected `=`, found `:`",
        "types are not declared: n = 5",
    )
}

/// `else` behind a loop, or behind nothing.
pub fn stray_else(context: &Context) -> Option<Hint> {
    let stray = context.token(0) == Some(&Token::Else) && !context.expects("else");
    if !stray || context.token(-1) != Some(&Token::BraceClose) {
        return None;
    }
    match context.at_index(context.statement_start()) {
        Some(Token::While | Token::For) => hint(
            context,
            "expected the end of the loop, found `else`",
            "a loop has no `else`: set a variable before `break` and look at it behind the loop",
        ),
        _ => None,
    }
}

/// A `{` where none can stand.
pub fn brace(context: &Context) -> Option<Hint> {
    if !matches!(context.token(0), Some(Token::BraceOpen | Token::MapOpen)) {
        return None;
    }
    if context.token(-1) == Some(&Token::ParenClose) {
        let close = context.at - 1;
        let open = context.opening(close)?;
        let callee = open
            .checked_sub(1)
            .and_then(|index| context.at_index(index));
        return match callee {
            Some(Token::Lock) => hint(
                context,
                "expected the end of the line after a call, found `{`",
                "write lock m { ... }, with options lock(timeout: 1s) m { ... }",
            ),
            Some(Token::Spawn) => hint(
                context,
                "expected a call after `spawn`, found `{`",
                "write spawn { ... } or spawn f(x)",
            ),
            Some(Token::Name(name)) => {
                let help = format!(
                    "a function is written fn {name}(...) {{ ... }}; a function as an argument stands in the parentheses"
                );
                Some(Hint::new(
                    context.at,
                    "expected the end of the line after a call, found `{`",
                    help,
                ))
            }
            _ => None,
        };
    }
    if let Some(name) = context.name(-1)
        && !matches!(context.inside(), Some(Token::ParenOpen | Token::SquareOpen))
        && context.at_index(context.statement_start()) != Some(&Token::Struct(Default::default()))
    {
        let help =
            format!("an object is made by a call: {name}(...); a bare block is do {{ ... }}");
        return Some(Hint::new(
            context.at,
            "expected an operator or the end of the line, found `{`",
            help,
        ));
    }
    None
}

/// A block that is missing, or that begins on the next line.
pub fn missing_brace(context: &Context) -> Option<Hint> {
    if !context.expects("{")
        || context.expects("(") && context.expects("name") && !context.expects("+")
    {
        return None;
    }
    let start = context.statement_start();
    let text = context.text(context.at);
    match context.token(0)? {
        Token::End if matches!(context.token(1), Some(Token::MapOpen)) => Some(Hint::new(
            context.at + 1,
            "expected `{` on the same line, found it on the next",
            "the brace that opens a block stands at the end of its line: if x > 0 {",
        )),
        Token::End if context.token(1) == Some(&Token::Do) => Some(Hint::new(
            context.at + 1,
            "expected `{`, found `do`",
            "blocks stand in braces: while condition { ... }",
        )),
        Token::Do => hint(
            context,
            "expected `{`, found `do`",
            "blocks stand in braces: while condition { ... }",
        ),
        Token::ParenOpen if matches!(context.token(-1), Some(Token::Catch)) => hint(
            context,
            "expected a name or `{` after `catch`, found `(`",
            "write catch e { ... } or catch e: Timeout { ... }",
        ),
        Token::As if (start..context.at).any(|i| context.at_index(i) == Some(&Token::Catch)) => {
            hint(
                context,
                "expected `{`, found `as`",
                "write catch e: Timeout { ... }",
            )
        }
        Token::ParenOpen if matches!(context.at_index(start), Some(Token::Struct(_))) => hint(
            context,
            "expected `{` after the name of the struct, found `(`",
            "structs have no parents: struct Name { field }",
        ),
        Token::End => None,
        _ if context.token(-1) == Some(&Token::Try) => {
            let help = format!(
                "for one expression write {text}... rescue fallback; a block is try {{ ... }} catch e {{ ... }}"
            );
            Some(Hint::new(
                context.at,
                "expected `{` after `try`, found an expression",
                help,
            ))
        }
        token
            if token.is_word()
                && matches!(context.at_index(start), Some(Token::If | Token::While)) =>
        {
            hint(
                context,
                "expected `{` after the condition, found a word",
                "blocks always stand in braces: if x > 0 { ... }",
            )
        }
        _ => None,
    }
}

/// Heads of loops and cases as other languages write them.
pub fn reserved_head(context: &Context) -> Option<Hint> {
    match (context.token(-1)?, context.token(0)?) {
        (Token::For, Token::ParenOpen) => hint(
            context,
            "expected a name after `for`, found `(`",
            "write for x in xs { ... }, for k, v in m { ... }, or for [a, b] in pairs { ... }",
        ),
        (Token::Spawn, Token::Fn(_)) => hint(
            context,
            "expected a call or a block after `spawn`, found `fn`",
            "write spawn { ... }",
        ),
        (_, Token::For) if matches!(context.inside(), Some(Token::ParenOpen | Token::MapOpen)) => {
            hint(
                context,
                "expected the end of the expression, found `for`",
                "a list is made in square brackets: sum([x * x for x in xs])",
            )
        }
        (Token::ParenOpen, _) if context.token(-2) == Some(&Token::Spawn) => hint(
            context,
            "expected an option such as `name: \"tail\"`, found a value",
            "write spawn f(x), or spawn { ... }",
        ),
        (Token::Comma | Token::Name(_), Token::ParenClose | Token::Comma)
            if context
                .open_bracket()
                .and_then(|o| context.at_index(o.checked_sub(1)?))
                == Some(&Token::Spawn) =>
        {
            hint(
                context,
                "expected an option such as `name: \"tail\"`, found a value",
                "write spawn f(x)",
            )
        }
        (Token::BraceClose, Token::While) => hint(
            context,
            "expected the end of the line, found `while`",
            "there is no do-while: write while true { ...; if not condition { break } }",
        ),
        (_, Token::Assign) if context.expects("in") => hint(
            context,
            "expected `in`, found `=`",
            "write for i in 0..10 { ... }",
        ),
        (Token::Fn(_), _) => hint(
            context,
            &format!(
                "expected {}`(` after `fn`, found {}",
                if context.expects("name") {
                    "a name or "
                } else {
                    ""
                },
                explain::found(context)
            ),
            "write fn name(a, b) { ... } or fn(x) => x + 1",
        ),
        (Token::Not, Token::Eq) => hint(
            context,
            "expected an expression, found `==`",
            "inequality is a != b",
        ),
        _ => None,
    }
}

/// `x if c else y`, `return x unless y`.
pub fn conditional_behind(context: &Context) -> Option<Hint> {
    let behind = context.token(-1).is_some_and(Token::ends_operand);
    if context.token(0) != Some(&Token::If) || !behind {
        return None;
    }
    hint(
        context,
        "expected the end of the expression, found `if` behind a value",
        "the condition comes first: if condition { a } else { b }",
    )
}

/// Statements where a value is due: `x rescue return`, `let y = while`, `if let`.
pub fn statement_as_value(context: &Context) -> Option<Hint> {
    if !context.expects_expression() || context.expects("let") {
        return None;
    }
    let text = context.text(context.at);
    // The newline behind an operator ends nothing: the statement on the next line is what came instead of the value.
    if let Some(before) = context.at.checked_sub(1)
        && context.is_on_another_line(before)
    {
        let operator = context.text(before);
        return Some(Hint::new(
            before,
            format!("expected an expression after `{operator}`, found the end of the line"),
            match context.at_index(before) {
                Some(Token::Assign) => "a variable without a value yet is written let name = nil",
                _ => "write the other operand, or leave the operator out",
            },
        ));
    }
    let message = format!("expected an expression, found the statement `{text}`");
    let help = match context.token(0)? {
        Token::Let | Token::Const => {
            "declare it before: let x = f(), then if x != nil { ... }; patterns stand in match x { case [a, b] { ... } }"
        }
        Token::Return | Token::Break | Token::Continue | Token::Throw => {
            "it has no value: write if condition { ... } around it, or try { ... } catch e { ... }"
        }
        Token::While | Token::For => "a loop has no value; a list is made by [f(x) for x in xs]",
        Token::Import => "import stands alone: import json",
        _ => return None,
    };
    Some(Hint::new(context.at, message, help))
}

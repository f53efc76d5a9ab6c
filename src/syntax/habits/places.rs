//! Habits that are known by the place where the parser stopped.

use super::{Hint, heads};
use crate::syntax::explain::{self, Context};
use crate::syntax::token::Token;

type Rule = fn(&Context) -> Option<Hint>;

/// The rules, tried in this order.
const RULES: &[Rule] = &[
    prefixed_string,
    comment,
    string_braces,
    heads::test_name,
    heads::colon,
    equals,
    shared_value,
    heads::reserved_head,
    comma,
    arrow,
    decrement,
    heads::brace,
    heads::missing_brace,
    heads::stray_else,
    chained_comparison,
    heads::conditional_behind,
    heads::statement_as_value,
    closure_in_bars,
    star,
    adjacent_strings,
];

/// The first rule that knows the place.
pub fn find(context: &Context) -> Option<Hint> {
    RULES.iter().find_map(|rule| rule(context))
}

pub(super) fn hint(context: &Context, message: &str, help: &str) -> Option<Hint> {
    Some(Hint::new(context.at, message, help))
}

/// Whether this token is a string with a letter right before it that is none of ours.
pub fn is_prefixed_string(context: &Context) -> bool {
    let string = matches!(context.token(0), Some(Token::Str(_) | Token::StrStart));
    let touching =
        context.at > 0 && context.span(context.at - 1).end == context.span(context.at).start;
    string && touching && context.name(-1).is_some_and(|name| name.len() <= 2)
}

/// `f"..."`.
fn prefixed_string(context: &Context) -> Option<Hint> {
    if !is_prefixed_string(context) {
        return None;
    }
    let letter = context.name(-1)?;
    let message = format!("expected a string, found the letter `{letter}` before its quote");
    let help = "every string fills in what stands in braces: \"Hi {name}\"; r\"...\" is raw, b\"...\" is bytes";
    Some(Hint::new(context.at - 1, message, help))
}

/// `shared []`, `shared {a: 1}`, `shared 0` as an expression.
fn shared_value(context: &Context) -> Option<Hint> {
    let is_shared = |offset: isize| context.name(offset) == Some("shared");
    let at = match context.token(0)? {
        Token::SquareClose if context.token(-1) == Some(&Token::SquareOpen) && is_shared(-2) => {
            context.at - 2
        }
        // `[1, 2]`: no index has two.
        Token::Comma => {
            let open = context.open_bracket()?;
            let before = open.checked_sub(1)?;
            let is_list = context.at_index(open) == Some(&Token::SquareOpen);
            let named =
                matches!(context.at_index(before), Some(Token::Name(name)) if &**name == "shared");
            (is_list && named).then_some(before)?
        }
        token if is_shared(-1) && (is_literal(token) || *token == Token::BraceOpen) => {
            context.at - 1
        }
        _ => return None,
    };
    Some(Hint::new(at, SHARED_VALUE.0, SHARED_VALUE.1))
}

/// What is said of `shared` with a value beside it that stands in no parentheses, and what to type instead.
pub const SHARED_VALUE: (&str, &str) = (
    "expected `shared(...)`, found `shared` with a value beside it",
    "write shared([]) or shared({}) for a value; a declaration is shared name = value, in a statement of its own",
);

fn is_literal(token: &Token) -> bool {
    use Token::{False, Float, Int, MapOpen, Nil, SquareOpen, Str, StrStart, True};
    matches!(
        token,
        Int(_) | Float(_) | Str(_) | StrStart | True | False | Nil | MapOpen | SquareOpen
    )
}

/// `// text`: a comment where no operand is, or the words behind one on the same line.
fn comment(context: &Context) -> Option<Hint> {
    let help = "comments begin with #";
    let message = "expected a statement or an expression, found `//`";
    if context.token(0) == Some(&Token::SlashSlash) && context.expects_expression() {
        return hint(context, message, help);
    }
    let line_start = |index: usize| {
        let start = context.span(index).start as usize;
        context.source.text[..start]
            .rfind('\n')
            .map_or(0, |at| at + 1)
    };
    let line = line_start(context.at);
    let slashes = (0..context.at)
        .rev()
        .take_while(|&index| line_start(index) == line)
        .find(|&index| context.at_index(index) == Some(&Token::SlashSlash))?;
    // Two words side by side behind `//` are prose, not arithmetic.
    let prose = context
        .token(0)
        .is_some_and(|t| t.is_word() || matches!(t, Token::Bad(_)));
    let message = "expected an operand after `//`, found words";
    prose.then(|| {
        Hint::new(
            slashes,
            message,
            "`//` divides and floors; comments begin with #",
        )
    })
}

/// Braces in a string that are no interpolation: `"{}"`, `"{:.2f}"`, `"{x!r}"`, JSON.
fn string_braces(context: &Context) -> Option<Hint> {
    let open = context.open_bracket()?;
    if context.at_index(open) != Some(&Token::InterpOpen) {
        return None;
    }
    if context.token(0) == Some(&Token::InterpClose) && open + 1 == context.at {
        return hint(
            context,
            "expected an expression in the braces, found none",
            "write \"{name}\" to fill in a value, \\{ for a brace itself",
        );
    }
    if context.token(0) != Some(&Token::Colon) {
        return None;
    }
    match context.at_index(open + 1) {
        Some(Token::Str(_)) if open + 2 == context.at => hint(
            context,
            "expected `}` that ends the interpolation, found `:`",
            "write \\{ for a brace itself, or a raw string: r\"...\"",
        ),
        _ => hint(
            context,
            "expected `}` that ends the interpolation, found `:`",
            "there are no format letters: write \"{round(x, 2)}\" or call a function of the string",
        ),
    }
}

/// `=` in a condition, in a map, behind the head of a function, a second time.
fn equals(context: &Context) -> Option<Hint> {
    if context.token(0) != Some(&Token::Assign) {
        return None;
    }
    let start = context.statement_start();
    let earlier = |wanted: fn(&Token) -> bool| {
        (start..context.at).any(|index| context.at_index(index).is_some_and(wanted))
    };
    let (message, help) = match (context.inside(), context.at_index(start)) {
        (Some(Token::ParenOpen), _) => return equals_in_call(context),
        (Some(Token::MapOpen), _) => ("expected `:` after a key, found `=`", "write {name: value}"),
        _ if earlier(|t| matches!(t, Token::If | Token::While | Token::Match)) => (
            "expected `==` in a condition, found `=`",
            "`==` compares, `=` assigns",
        ),
        (_, Some(Token::Fn(_))) => ("expected `=>` or `{`, found `=`", "write fn f(x) => x + 1"),
        _ if earlier(|t| *t == Token::Assign) => (
            "expected one assignment in a statement, found another `=`",
            "write b = c and then a = b; to compare, write ==",
        ),
        _ => return None,
    };
    hint(context, message, help)
}

/// `f(x = 1)`, `if (x = 1)`.
fn equals_in_call(context: &Context) -> Option<Hint> {
    let open = context.open_bracket()?;
    match open
        .checked_sub(1)
        .and_then(|index| context.at_index(index))
    {
        Some(Token::If | Token::While) => hint(
            context,
            "expected `==` in a condition, found `=`",
            "`==` compares, `=` assigns",
        ),
        Some(Token::Name(callee)) if matches!(&**callee, "Process" | "Thread") => hint(
            context,
            "expected `spawn`, found a call with `=`",
            "write spawn f(x)",
        ),
        _ => {
            let name = context.name(-1).unwrap_or("name");
            let message = "expected `:` after the name of an argument, found `=`";
            let help = format!("a named argument is written {name}: value; to compare, write ==");
            Some(Hint::new(context.at, message, help))
        }
    }
}

/// Tuples, several targets, several alternatives.
fn comma(context: &Context) -> Option<Hint> {
    if context.token(0) != Some(&Token::Comma) {
        return None;
    }
    match context.inside() {
        Some(Token::ParenOpen) => return comma_in_parentheses(context),
        Some(Token::MapOpen) if context.open_bracket() == context.at.checked_sub(2) => {
            return hint(
                context,
                "expected `:` after the key of a map, found `,`",
                "a map is {name: value}, a set is set([1, 2]), a list is [1, 2]",
            );
        }
        Some(Token::SquareOpen | Token::MapOpen | Token::InterpOpen) => return None,
        _ => {}
    }
    let start = context.statement_start();
    match context.at_index(start) {
        Some(Token::Let | Token::Const) => hint(
            context,
            "expected `=`, found `,`",
            "several names stand in brackets: let [a, b] = pair",
        ),
        Some(Token::Return) => hint(
            context,
            "expected one value after `return`, found several",
            "write return [a, b]",
        ),
        Some(Token::Import) => hint(
            context,
            "expected the end of the line, found `,`",
            "write one import for each module",
        ),
        _ if context.expects("{") && in_case(context) => hint(
            context,
            "expected `|` between alternatives, found `,`",
            "write case 1 | 2 { ... }",
        ),
        Some(Token::Name(_)) => hint(
            context,
            "expected an operator or the end of the line, found `,`",
            "several targets stand in brackets: [a, b] = [b, a]",
        ),
        _ => None,
    }
}

/// `(a, b)`: parameters without `fn`, several values to join, a tuple.
fn comma_in_parentheses(context: &Context) -> Option<Hint> {
    let open = context.open_bracket()?;
    let arrow = context
        .closing(open)
        .is_some_and(|close| context.at_index(close + 1) == Some(&Token::Arrow));
    let before = open
        .checked_sub(1)
        .and_then(|index| context.at_index(index));
    match before {
        _ if arrow => hint(
            context,
            "expected `fn` before the parameters, found a list in parentheses",
            "write fn(x, y) => x + y",
        ),
        Some(Token::Join) => hint(
            context,
            "expected one value after `join`, found several",
            "write join [p, q]",
        ),
        _ => hint(
            context,
            "expected `)`, found `,`",
            "there are no tuples: write a list, [a, b]",
        ),
    }
}

fn in_case(context: &Context) -> bool {
    (0..context.at)
        .rev()
        .take_while(|&index| {
            !matches!(
                context.at_index(index),
                Some(Token::BraceOpen | Token::BraceClose)
            )
        })
        .any(|index| context.at_index(index) == Some(&Token::Case))
}

/// `x => ...`, `() => ...`, `1 => ...` in a match, `"a" => 1` in a map.
fn arrow(context: &Context) -> Option<Hint> {
    let lambda = "a function is written fn(x) => x + 1";
    if context.token(0) == Some(&Token::ParenClose)
        && context.token(-1) == Some(&Token::ParenOpen)
        && context.token(1) == Some(&Token::Arrow)
    {
        return Some(Hint::new(
            context.at - 1,
            "expected `fn` before the parameters, found `(`",
            "a function is written fn() => 1",
        ));
    }
    if context.token(0) != Some(&Token::Arrow) {
        return match context.expects("case") && !context.expects_expression() {
            true => hint(
                context,
                &format!("expected `case`, found {}", explain::found(context)),
                "each case is written case pattern { ... }, the rest else { ... }",
            ),
            false => None,
        };
    }
    if in_case(context) {
        return hint(
            context,
            "expected `{` after the pattern, found `=>`",
            "write case 1 { ... }",
        );
    }
    match context.inside() {
        Some(Token::MapOpen) => hint(
            context,
            "expected `:` after a key, found `=>`",
            "write {\"a\": 1}",
        ),
        _ => hint(
            context,
            "expected `fn` before the parameters, found `=>`",
            lambda,
        ),
    }
}

/// `n--`.
fn decrement(context: &Context) -> Option<Hint> {
    let twice =
        context.token(-1) == Some(&Token::Minus) && context.token(-2) == Some(&Token::Minus);
    let touching =
        context.at >= 2 && context.span(context.at - 2).end == context.span(context.at - 1).start;
    if !twice || !touching {
        return None;
    }
    Some(Hint::new(
        context.at - 1,
        "expected `-= 1`, found `--`",
        "write n -= 1",
    ))
}

/// `a < b < c`.
fn chained_comparison(context: &Context) -> Option<Hint> {
    let compares = |token: &Token| {
        matches!(
            token,
            Token::Eq | Token::Ne | Token::Lt | Token::Le | Token::Gt | Token::Ge | Token::In
        )
    };
    if !compares(context.token(0)?) || context.expects_expression() {
        return None;
    }
    let start = context.statement_start();
    (start..context.at)
        .any(|index| context.at_index(index).is_some_and(compares))
        .then(|| {
            Hint::new(
                context.at,
                "expected one comparison, found a second",
                "comparisons are not chained: write a < b and b < c",
            )
        })
}

/// `|x| x + 1`.
fn closure_in_bars(context: &Context) -> Option<Hint> {
    if context.token(0) != Some(&Token::Bar) || !context.expects_expression() {
        return None;
    }
    hint(
        context,
        "expected an expression, found `|`",
        "a function is written fn(x) => x + 1",
    )
}

/// `*args`, `**options`, `&x`, `+x`.
fn star(context: &Context) -> Option<Hint> {
    if !(context.expects_expression() || context.expects("...")) {
        return None;
    }
    let opens = matches!(
        context.token(-1),
        Some(Token::ParenOpen | Token::SquareOpen | Token::Comma)
    );
    match context.token(0)? {
        // Behind an operator it is an operator too many, not the rest of a list.
        Token::Star | Token::StarStar if !opens => None,
        Token::Star | Token::StarStar => hint(
            context,
            "expected a value or a name, found `*`",
            "the rest of a list is written ...xs, in calls, parameters and lists",
        ),
        Token::Amp => hint(
            context,
            "expected an expression, found `&`",
            "there are no references: lists, maps and structs are shared inside one process as they are",
        ),
        Token::Plus => hint(
            context,
            "expected an expression, found `+`",
            "there is no plus sign before a number; text becomes a number by int(s)",
        ),
        Token::Lt => hint(
            context,
            "expected an expression, found `<`",
            "a file is read with open(path).read()",
        ),
        _ => None,
    }
}

/// `"a" "b"`.
fn adjacent_strings(context: &Context) -> Option<Hint> {
    let before = matches!(context.token(-1), Some(Token::Str(_) | Token::StrEnd));
    let here = matches!(context.token(0), Some(Token::Str(_) | Token::StrStart));
    (before && here).then(|| {
        Hint::new(
            context.at,
            "expected an operator, found another string",
            "strings are joined with +",
        )
    })
}

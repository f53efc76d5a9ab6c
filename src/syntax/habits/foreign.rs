//! Spellings that can be no part of a program here.

use crate::diag::{Error, codes};

/// The report about a spelling of another language that starts at `start` of `text`.
pub fn foreign(text: &str, start: usize, end: usize) -> Box<Error> {
    let found = text.get(start..end).unwrap_or("");
    let before = text.get(..start).unwrap_or("");
    let after = text.get(end..).unwrap_or("");
    let (expected, help) = match found {
        "&&" => ("`and`", "write a and b"),
        "||" => ("`or`", "write a or b; a default for nil is a ?? b"),
        "!" if is_macro(before, after) => ("a call", "there are no macros: print(x)"),
        "!" => ("`not`", "write not x; for inequality a != b"),
        "===" => ("`==`", "`==` compares by content"),
        "!==" => ("`!=`", "`!=` compares by content"),
        "++" => ("`+= 1`", "write n += 1"),
        "->" if before.trim_end().ends_with(')') => (
            "`{` or `=>`",
            "types are not declared: fn f(x) { ... } or fn f(x) => x + 1",
        ),
        "->" => (
            "`.` or `=>`",
            "a field is x.name; a short function is fn(x) => x + 1",
        ),
        "::" => ("`.`", "write module.name or x.method()"),
        ":=" => (
            "`=`",
            "write let name = value; an assignment has no value of its own",
        ),
        "<>" => ("`!=`", "write a != b"),
        "/*" => (
            "a statement or an expression",
            "comments begin with # on every line",
        ),
        "$" if after.starts_with('(') => {
            ("an expression", "the output of a program is `ls -l`.text()")
        }
        "$" if after.starts_with(|c: char| c.is_ascii_digit() || c == '@' || c == '#') => (
            "a name",
            "the arguments of the script are args[0], args[1], ...",
        ),
        "$" => ("a name", "variables have no sign before them: name"),
        "@" => ("a statement", "there are no decorators: let f = wrap(f)"),
        "?." => ("`.`", "write x.name if x is there: if x != nil { x.name }"),
        "?" if before.ends_with(')') && ends_value(after) => (
            "an operator",
            "errors go up by themselves; for a value instead write f() rescue fallback",
        ),
        "?" => (
            "an operator",
            "a choice is an expression: if condition { a } else { b }",
        ),
        "\\" => (
            "an operator",
            "a line goes on after an operator, a comma or inside brackets: no `\\` is needed",
        ),
        _ => ("a statement or an expression", ""),
    };
    let shown = if found == "\\" {
        "a backslash".to_string()
    } else {
        format!("`{found}`")
    };
    let error = Error::new(codes::HABIT, format!("expected {expected}, found {shown}"))
        .with_label("Par writes this differently");
    match help {
        "" => error,
        help => error.with_help(help),
    }
}

/// Whether nothing that could be the middle of a choice follows on the line.
fn ends_value(after: &str) -> bool {
    let rest = after.trim_start_matches(' ');
    rest.is_empty() || rest.starts_with([';', '\n', '.', ')'])
}

fn is_macro(before: &str, after: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && after.starts_with(['(', '['])
}

/// The report about `'text'`.
pub fn single_quotes(before: &str, found: &str) -> Box<Error> {
    let inner = found.trim_matches('\'');
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let prefix = before.rsplit(|c| !word(c)).next();
    // Par has the letters of raw strings and of bytes as well.
    let write = match prefix {
        Some("r") if inner.contains('"') => format!("r\"\"\"{inner}\"\"\""),
        Some("r") => format!("r\"{inner}\""),
        Some("b") => format!("b\"{}\"", inner.replace('"', "\\\"")),
        _ => format!("\"{}\"", inner.replace('"', "\\\"")),
    };
    Error::new(
        codes::HABIT,
        "expected a string in double quotes, found single quotes",
    )
    .with_label("Par writes this differently")
    .with_help(format!("write {write}"))
}

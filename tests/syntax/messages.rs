//! What is said about texts that do not parse.

use super::{reports, source};
use par::syntax;

#[test]
fn each_of_five_mistakes_is_reported_at_its_place() {
    let text = r#"let a = 1 +* 2
fn f(x) {
  let y = (x + 1
  return y
}
let b = [1, 2
let c = 3
if a = 3 { print("three") }
for i in xs {
  while true { print(i }
  let 5x = 2
}
print("fine")
foo bar
"#;
    let expected = [
        "1:12 expected an expression, found `*`",
        "3:11 expected `)`, but this `(` is not closed",
        "6:9 expected `]`, but this `[` is not closed",
        "8:6 expected `==` in a condition, found `=`",
        "10:21 expected `)`, but this `(` is not closed",
        "11:7 expected an operator or a unit after 5, found `x`",
        "14:5 expected an operator or the end of the line, found the name `bar`",
    ];
    let found = reports(text);
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.starts_with(expected),
            "found    {found}\nexpected {expected}"
        );
    }
}

/// Texts with one mistake, and what the only report about each says: its place and message.
const MESSAGES: &[(&str, &str)] = &[
    (
        "print(a b)",
        "1:9 expected `)`, `,` or an operator, found the name `b`",
    ),
    (
        "let x 5",
        "1:7 expected `=` or the end of the line, found the number 5",
    ),
    ("let = 5", "1:5 expected a pattern, found `=`"),
    (
        "let match = 1",
        "1:5 expected a pattern, found the word `match`",
    ),
    (
        "x = ]",
        "1:5 expected an opening bracket before `]`, found none",
    ),
    ("let xs = [1, 2)", "1:15 expected `]`, found `)`"),
    (
        "g(1, [2, 3)\nf(2)",
        "1:6 expected `]`, but this `[` is not closed",
    ),
    (
        "f(1, 2\nprint(3)",
        "1:2 expected `)`, but this `(` is not closed",
    ),
    (
        "let s = \"abc\nprint(s)",
        "1:9 expected `\"` on the same line, but this string is not closed",
    ),
    ("x = \"a\\qb\"", "1:7 expected an escape such as"),
    (
        "f() = 1",
        "1:1 expected a variable, a field or an index before `=`, found the result of a call",
    ),
    (
        "let [a, b]\n",
        "1:5 expected `= value` behind a pattern, found the end of the statement",
    ),
    (
        "const x\n",
        "1:7 expected `= value` behind a constant, found the end of the statement",
    ),
    (
        "for a, b, c in xs { }",
        "1:11 expected one or two names before `in`, found 3",
    ),
    (
        "print(9223372036854775808)",
        "1:7 expected a whole number of at most 64 bits",
    ),
    ("let x = 1 + ; y", "1:13 expected an expression, found `;`"),
    (
        "try { f() }\nprint(1)",
        "1:12 expected `catch` or `finally`, found the end of the line",
    ),
    (
        "match x { case 1 { 2 } 3 }",
        "1:24 expected `case`, found the number 3",
    ),
    (
        "else { 1 }",
        "1:1 expected a statement, found the word `else`",
    ),
    (
        "x = \u{1F600}",
        "1:5 expected a statement or an expression, found `\u{1F600}`",
    ),
    (
        "struct P { x, y z }",
        "1:17 expected `,`, `=` or the end of the line, found the name `z`",
    ),
];

#[test]
fn the_indentation_tells_which_brace_is_probably_not_closed() {
    let text = "fn a() {\n  if x {\n    f()\n}\n\nfn b() {\n  g()\n}\n";
    let errors = syntax::parse(&source(text)).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].span.map(|span| span.start), Some(7));
    assert_eq!(errors[0].labels[0].span.start, 16);
}

#[test]
fn messages_say_what_was_expected_and_what_was_found() {
    let mut wrong = Vec::new();
    for (text, expected) in MESSAGES {
        let found = reports(&format!("{text}\n"));
        if found.len() != 1 || !found[0].starts_with(expected) || found[0].ends_with("...") {
            wrong.push(format!(
                "{text:?}\n  expected {expected}\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Habits of other languages, and a part of the help that each gets.
const HABITS: &[(&str, &str)] = &[
    ("if a { 1 } elif b { 2 }", "else if"),
    ("if a { 1 }\nelif b { 2 }", "else if"),
    ("if a { 1 } elsif b { 2 }", "else if"),
    ("if a > 1:\n  print(a)", "braces"),
    ("while true:\n  f()", "braces"),
    ("if a == b:\n  print('x')", "braces"),
    ("for x in xs:\n  f()", "braces"),
    ("if a { 1 }\nelse:\n", "braces"),
    ("lock m:\n", "braces"),
    ("def f(x) { x }", "fn name"),
    ("def f(x):\n", "fn name"),
    ("function f(x) { x }", "fn name"),
    ("let f = function(x) { x }", "fn name"),
    ("let f = lambda x: x + 1", "fn(x) =>"),
    ("var x = 1", "let name"),
    ("let mut x = 1", "assigned again"),
    ("let x: int = 1", "types are not declared"),
    ("fn f(x: int) { x }", "types are not declared"),
    ("fn f(x) -> int { x }", "types are not declared"),
    ("int x = 5", "types are not declared"),
    ("if a && b { 1 }", "a and b"),
    ("if a || b { 1 }", "a or b"),
    ("if !a { 1 }", "not x"),
    ("if a === b { 1 }", "=="),
    ("if a !== b { 1 }", "!="),
    ("if a <> b { 1 }", "!="),
    ("if a = b { 1 }", "`==` compares"),
    ("while (a = b) { 1 }", "`==` compares"),
    ("a++", "n += 1"),
    ("a--", "n -= 1"),
    ("x := 1", "let name"),
    ("lock (m) { 1 }", "lock m {"),
    ("switch x { case 1 { 2 } }", "match value"),
    ("switch (x) { f() }", "match value"),
    ("try { 1 } except E { 2 }", "catch e"),
    ("try { 1 } catch (e) { 2 }", "catch e"),
    ("try { 1 } catch E as e { 2 }", "catch e: Timeout"),
    ("raise ValueError", "throw error"),
    ("if a; then\n", "braces"),
    ("if a then b", "braces"),
    ("while a; do\n", "braces"),
    ("print($x)", "no sign"),
    ("print($1)", "args[0]"),
    ("x = $(ls)", "`ls -l`.text()"),
    ("print(f\"a {b}\")", "every string"),
    ("print('abc')", "\"abc\""),
    ("// a comment here", "#"),
    ("let x = 1 // the first one", "#"),
    ("/* a comment */", "#"),
    ("async fn f() { 1 }", "spawn"),
    ("let x = await f()", "join"),
    ("match x { 1 => 2 }", "case"),
    ("match x { case 1 => 2 }", "case 1 {"),
    ("xs.map(x => x + 1)", "fn(x) => x + 1"),
    ("xs.map((x, y) => x + y)", "fn(x, y)"),
    ("f(() => 1)", "fn() => 1"),
    ("f(|x| x + 1)", "fn(x) => x + 1"),
    ("p->name", "x.name"),
    ("std::print(1)", "module.name"),
    ("println!(\"a\")", "print(x)"),
    ("foreach x in xs { 1 }", "for x in xs"),
    ("foreach (x in xs) { 1 }", "for x in xs"),
    ("for (let i = 0; i < 3; i++) { 1 }", "for x in xs"),
    ("for (x in xs) { 1 }", "for x in xs"),
    ("for x of xs { 1 }", "for x in xs"),
    ("let a = new Account(1)", "Account("),
    ("echo \"hi\"", "print(x)"),
    ("print \"hi\"", "print(x)"),
    ("unless a { 1 }", "if not"),
    ("until a { 1 }", "while not"),
    ("loop { 1 }", "while true"),
    ("class A { x }", "struct Name"),
    ("class A(B):\n", "struct Name"),
    ("struct A(B) { x }", "no parents"),
    ("from os import path", "import json"),
    ("a ? b : c", "if condition"),
    ("let x = f()?\nprint(x)", "rescue"),
    ("x = a if b else c", "the condition comes first"),
    ("a < b < c", "a < b and b < c"),
    ("if x is None { 1 }", "a == b"),
    ("a, b = b, a", "[a, b] = [b, a]"),
    ("let a, b = f()", "let [a, b]"),
    ("return a, b", "return [a, b]"),
    ("let t = (1, 2)", "a list"),
    ("join (p, q)", "join [p, q]"),
    ("f(x = 1)", "x: value"),
    ("Process(target = f, args = [1])", "spawn f(x)"),
    ("let m = {a = 1}", "name: value"),
    ("let m = {\"a\" => 1}", "\"a\": 1"),
    ("xs[1:3]", "xs[1..3]"),
    ("fn f(*args) { args }", "...xs"),
    ("f(**options)", "...xs"),
    ("if let x = f() { 1 }", "match"),
    ("let y = f() rescue return 1", "no value"),
    ("let y = while true { 1 }", "no value"),
    ("if a\n{ 1 }", "end of its line"),
    ("do { 1 } while a", "while true"),
    ("\"{}\"", "\\{"),
    ("\"{x:.2f}\"", "round"),
    ("\"{\"a\": 1}\"", "\\{"),
    ("let a = 1 + \\\n 2", "a line goes on"),
    ("@decorated\nfn f() { 1 }", "no decorators"),
    ("spawn(f, 1)", "spawn f(x)"),
    ("global x", "shared name"),
    ("del m[1]", "remove"),
    ("yield x", "iterate"),
    ("import os, json", "one import"),
    ("case_of = \"a\" \"b\"", "joined with +"),
    ("pub fn f() { 1 }", "imported"),
    ("Point { 1 }", "made by a call"),
    ("x?.name", "is there"),
    ("a = b = 1", "b = c"),
    ("try f()", "rescue"),
    ("match x { case 1, 2 { 3 } }", "case 1 | 2"),
    ("let n = 5k", "kb"),
    ("sum(x for x in xs)", "square brackets"),
    ("let m = {k: v for k, v in xs}", "square brackets"),
    ("for (k, v) in m { 1 }", "for k, v in m"),
    ("let p = spawn fn() { 1 }", "spawn {"),
    ("let p = (spawn f(1).pid)", "(spawn f(x)).pid"),
    ("let f = fn x => x + 1", "fn(x) => x + 1"),
    ("let f = fn add(a, b) { a + b }", "fn(x) => x + 1"),
    ("let n = 10us", "ms"),
];

#[test]
fn every_habit_gets_its_hint() {
    let mut wrong = Vec::new();
    for (text, hint) in HABITS {
        let found = reports(text);
        let told = found.first().and_then(|report| report.split_once(" | "));
        if !told.is_some_and(|(_, help)| help.contains(hint)) {
            wrong.push(format!(
                "{text:?}\n  expected a help with {hint:?}\n  found {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for name in [
        "None",
        "True",
        "null",
        "undefined",
        "console",
        "println",
        "printf",
        "echo",
        "Queue",
        "pass",
        "fi",
    ] {
        assert!(syntax::habit_for_name(name).is_some(), "{name}");
    }
    assert!(syntax::habit_for_name("prnt").is_none());
}

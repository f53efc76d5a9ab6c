//! The front end as a whole: what parses, and what is said, where, about what does not.

use par::source::{Source, SourceId};
use par::syntax;

fn source(text: &str) -> Source {
    Source::new(SourceId(0), "test.par", text)
}

/// Programs of the language's reference, section by section.
const PROGRAMS: &[&str] = &[
    r#"
let name = "Ann"              # a variable
const limit = 10
let [first, ...rest] = xs
let {name, score: points} = record

fn greet(name, punct = "!") { "Hi {name}{punct}" }
greet("Ann", punct: "?")
let double = fn(x) => x * 2
fn sum_all(...xs) { let s = 0; for x in xs { s += x }; s }

if a > b { a } else if a == b { 0 } else { b }
while queue_open { step() }
for i in 0..10 { print(i) }
for k, v in record { print(k, v) }
let squares = [x * x for x in xs if x > 0]
match msg {
  case nil              { 1 }
  case [x, y, ...rest]  { 2 }
  case {kind: "stop"}   { 3 }
  case n if n > 3       { 4 }
  else                  { 5 }
}
with open("log.txt", "w") as f { f.write("x") }
defer q.close()
import "lib/util.par" as util
import json
"#,
    r#"
struct Account {
  owner
  balance = 0
  fn deposit(self, n) { self.balance += n }
}
let acc = Account("Ann", balance: 5)
acc.deposit(10)
throw error("bad input", kind: "BadInput", code: 2)
try { f() } catch e: Timeout { 1 } catch e { 2 } finally { 3 }
let x = expr() rescue fallback
"#,
    r#"
fn say_hi(name) { print("Hi {name} from process {current_process().pid}") }
let p = spawn say_hi("Jimmy")
let d = spawn(name: "tail", daemon: true) { work() }
let later = spawn(start: false) say_hi("Ann")
let r = join p
let [a, b] = join [p, q]
let m = join(timeout: 2s) {left: p, right: q}
scope(timeout: 10s) { spawn a(); spawn b() }
let n = join (p)
let k = join p + 1 rescue nil
spawn workers[0].run(1, 2)
"#,
    r#"
let m = lock()
lock m { total.value = total.value + 1 }
lock(timeout: 1s) a, b { 1 }
let r = lock(reentrant: true)
let q = queue(100)
for item in q { item }
let [left, right] = pipe()
let [r, w] = pipe(oneway: true)
shared balance = 100
balance.value -= 10
let counts = shared.ints(1000)
counts[i] += 1
let records = shared([["Sam", 10]])
stats.update("hits", 0, fn(n) => n + 1)
select(timeout: 3s) {
  case v = q.get()      { v }
  case r = join p       { r }
  case w.send(x)        { 1 }
  after 500ms           { 2 }
  else                  { 3 }
}
let queue = queue(3)
let shared = 4
let pool = 5; let after = 6; let pipe = 7; let map = 8
print(after, pool, shared, queue, pipe, map)
"#,
    r#"
let out = pool map x in xs { heavy(x) }
let out = pool map(workers: 4, chunk: 16, ordered: false, progress: true) x in xs { heavy(x) }
let out = pool map(heavy, xs, workers: 4, timeout: 5s, retries: 2, on_error: "collect")
let out = pool map {a, b} in pairs { a + b }
let out = pool map(workers: 2) [a, b] in pairs { a + b }
with pool(4, init: fn() { 1 }, max_tasks: 100) as p {
  p.map(f, xs)
  for y in p.imap(f, xs) { y }
  let fut = p.submit(f, 10)
  join fut
  fut.result(timeout: 1s)
}
"#,
    r#"
let log = `git log --oneline -n {n}` | `head -1`
let job = spawn `sleep 10`
`make -j8`.cwd("src").env({CC: "clang"}).input(text).stdout("build.log").timeout(60s).run()
"Hi {m["key"]} {1 + 2} {"nested {"deep {1}"}"}"
let t = """
    one {x}
      two
    """
xs.filter(fn(x) { x > 1 })
  .map(fn(x) => {c: x})   # goes on
  # a comment between
  .join(",")
let y = if a { 1 }
else { 2 }
try { 1 }
catch e { 2 }
finally { 3 }
f(fn() {
  let a = 1
  a
}, 2)
{if: 1, else: 2}.if
f(timeout: 1, in: 2)
for i in 0.. { i }
xs[1..3]; xs[2..]; xs[..3]; xs[..]; xs[-1]
let e = 0..
2 ** -1; -2 ** 2; not a in b; a not in b
-9223372036854775808
[a, b] = [b, a]
"#,
];

#[test]
fn the_programs_of_the_reference_parse() {
    for text in PROGRAMS {
        if let Err(errors) = syntax::parse(&source(text)) {
            for error in errors {
                let span = error.span.unwrap();
                let place = source(text).line_column(span.start);
                eprintln!("{place:?} {} {:?}", error.message, error.label);
            }
            panic!("{text}");
        }
    }
}

/// All scripts under a folder of the project.
fn scripts(folder: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "par") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What the reports about a text say: place, message, help.
fn reports(text: &str) -> Vec<String> {
    let source = source(text);
    let errors = syntax::parse(&source).err().unwrap_or_default();
    let line = |error: par::diag::Error| {
        let (line, column) = source.line_column(error.span.map_or(0, |span| span.start));
        let more = if error.incomplete { " ..." } else { "" };
        let help = error
            .help
            .map_or(String::new(), |help| format!(" | {help}"));
        format!("{line}:{column} {}{help}{more}", error.message)
    };
    errors.into_iter().map(line).collect()
}

#[test]
fn the_scripts_of_the_project_parse() {
    let mut wrong = Vec::new();
    for path in ["examples", "tests/lang", "stdlib"]
        .iter()
        .flat_map(|f| scripts(f))
    {
        let text = std::fs::read_to_string(&path).unwrap();
        // A script may be about a syntax error.
        if !text.contains("expect error") {
            wrong.extend(
                reports(&text)
                    .into_iter()
                    .map(|r| format!("{}:{r}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

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
        "1:12 expected a value or a name, found `*`",
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
        "spawn f\n",
        "1:7 expected a call, a block or a command after `spawn`, found `f`",
    ),
    (
        "for a, b, c in xs { }",
        "1:11 expected one or two names after `for`, found 3",
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

/// Each prefix of a program that parses does so too or is incomplete.
fn check_prefixes(text: &str, name: &str, step: usize, wrong: &mut Vec<String>) {
    for (at, _) in text.char_indices().step_by(step) {
        let prefix = source(&text[..at]);
        if let Err(errors) = syntax::parse(&prefix)
            && !errors.iter().all(|error| error.incomplete)
        {
            let shown = &text[text[..at].rfind('\n').map_or(0, |n| n + 1)..at];
            wrong.push(format!(
                "{name}: ...{shown}| {}",
                reports(&text[..at]).join("; ")
            ));
            return;
        }
    }
}

#[test]
fn every_prefix_of_a_program_parses_or_is_incomplete() {
    let mut wrong = Vec::new();
    for text in PROGRAMS {
        check_prefixes(text, "PROGRAMS", 1, &mut wrong);
    }
    for path in ["examples", "tests/lang", "stdlib"]
        .iter()
        .flat_map(|f| scripts(f))
    {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.len() < 4000 && syntax::parse(&source(&text)).is_ok() {
            // A few places of each of hundreds of programs; PAR_EVERY_PREFIX looks at all.
            let all = std::env::var_os("PAR_EVERY_PREFIX").is_some();
            let step = if all { 1 } else { text.len() / 25 + 1 };
            check_prefixes(&text, &path.display().to_string(), step, &mut wrong);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn unfinished_input_is_incomplete_and_wrong_input_is_not() {
    for text in [
        "fn f() {\n",
        "f(1,\n",
        "let x =\n",
        "let x = 1 +\n",
        "let s = \"\"\"\nabc\n",
        "`ls",
        "\"abc",
        "if a {\n  b(\n",
        "match x {\n",
        "try { f() }\n",
        "[1, 2,\n",
        "{a: 1,\n",
        "x and\n",
        "spawn f",
        "let [a, b]",
        "\"a {b",
    ] {
        let errors = syntax::parse(&source(text)).err().unwrap_or_default();
        assert!(
            !errors.is_empty() && errors.iter().all(|e| e.incomplete),
            "{text:?} {:?}",
            reports(text)
        );
    }
    for text in [
        "f(1 2\n",
        "let s = \"abc\n",
        "x = )\n",
        "fn f() {\n  let 1x = 2\n",
        "elif x {\n",
        "a b\n",
        "f(a]\n",
    ] {
        let errors = syntax::parse(&source(text)).err().unwrap_or_default();
        assert!(
            !errors.is_empty() && errors.iter().any(|e| !e.incomplete),
            "{text:?} {:?}",
            reports(text)
        );
    }
}

#[test]
fn the_nesting_limits_hold_at_the_limit_and_one_past_it() {
    use par::limits::{MAX_NESTING, MAX_TREE_DEPTH};
    let nested = |n: usize| format!("x = {}1{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(reports(&nested(MAX_NESTING)), [""; 0]);
    assert!(reports(&nested(MAX_NESTING + 1))[0].contains("brackets inside one another"));
    let sum = |n: usize| format!("x = 1{}", " + 1".repeat(n));
    assert_eq!(reports(&sum(MAX_TREE_DEPTH)), [""; 0]);
    assert!(reports(&sum(MAX_TREE_DEPTH + 1))[0].contains("operators, calls and brackets"));
}

#[test]
fn deep_texts_are_refused_and_flat_ones_are_not() {
    let n = 10_000;
    for unit in [
        "-",
        "not ",
        "~",
        "join ",
        "(",
        "[",
        "{a: ",
        "f(",
        "x + ",
        "x.y.",
        "\"{",
        "fn(x) => ",
        "a ** ",
        "if a { ",
        "x rescue ",
        "do { ",
        "spawn { ",
        "a ?? ",
        "x[",
        "`{",
    ] {
        let found = reports(&format!("y = {}", unit.repeat(n)));
        assert!(!found.is_empty(), "{unit}");
    }
    for tail in [" + 1", ".b", "()", "[0]", " rescue 1", " and 1", ".f(1)"] {
        let found = reports(&format!("y = a{}\n", tail.repeat(n)));
        assert!(
            found.len() == 1 && found[0].contains("inside one another"),
            "{tail}"
        );
    }
    let sum = reports(&format!("y = a{}\n", " + 1".repeat(100_000)));
    assert!(sum.len() == 1 && sum[0].contains("inside one another"));
    let chain = format!("if a {{ 1 }}{}", " else if a { 1 }".repeat(n));
    assert!(reports(&chain)[0].contains("inside one another"));
    let chain = format!(
        "if a {{ 1 }}{}",
        " else if a == b and c { f(1) }".repeat(200)
    );
    assert_eq!(reports(&chain), [""; 0]);
    assert_eq!(reports(&format!("y = [{}]", "1 + 1, ".repeat(n))), [""; 0]);
    assert_eq!(reports(&"f(1)\n".repeat(n)), [""; 0]);
}

/// A small generator of pseudo-random numbers: the same mistakes at each run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// What is put into programs to break them.
const FRAGMENTS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "`",
    "\"\"\"",
    "\n",
    ";",
    ",",
    ":",
    ".",
    "..",
    "=",
    "=>",
    "|",
    "{x}",
    "\\",
    "\u{e9}",
    "'",
    "#",
    "##",
    "fn",
    "if",
    "else",
    "case",
    "match x {",
    "select {",
    "spawn",
    "join",
    "lock",
    "pool map",
    "shared",
    "after",
    "let",
    "struct A {",
    "catch",
    "0x",
    "1e",
    "5zz",
    "9223372036854775808",
    "r\"",
    "b\"\\x",
    "\"\\u{",
    "not",
    "in",
    "import",
    "...",
    "!",
    "\u{1F600}",
    "elif",
    "def",
];

#[test]
fn broken_programs_are_reported_within_their_text() {
    let mut random = Random(7);
    let files: Vec<String> = ["examples", "tests/lang"]
        .iter()
        .flat_map(|folder| scripts(folder))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .chain(PROGRAMS.iter().map(|text| text.to_string()))
        .collect();
    let rounds = std::env::var("PAR_BROKEN_PROGRAMS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500);
    for _ in 0..rounds {
        let mut text = files[random.below(files.len())].clone();
        for _ in 0..1 + random.below(4) {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = boundaries
                .get(random.below(boundaries.len()))
                .copied()
                .unwrap_or(0);
            match random.below(3) {
                0 => text.insert_str(at, FRAGMENTS[random.below(FRAGMENTS.len())]),
                1 if at < text.len() => drop(text.remove(at)),
                _ if at > text.len() / 2 => text.truncate(at),
                _ => {}
            }
        }
        check_broken(&text);
        if syntax::parse(&source(&text)).is_ok() {
            check_random_prefixes(&text, &mut random);
        }
    }
}

fn check_random_prefixes(text: &str, random: &mut Random) {
    for _ in 0..8 {
        let at = random.below(text.len());
        let Some(prefix) = text.get(..at) else {
            continue;
        };
        let errors = syntax::parse(&source(prefix)).err().unwrap_or_default();
        let incomplete = errors.iter().all(|error| error.incomplete);
        assert!(incomplete, "{:?}\n{prefix}", reports(prefix));
    }
}

fn check_broken(text: &str) {
    let source = source(text);
    match syntax::parse(&source) {
        Ok(module) => drop(syntax::print::tree(&source, &module)),
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                let places = error
                    .labels
                    .iter()
                    .map(|label| label.span)
                    .chain(error.span);
                for span in places {
                    assert!(
                        text.get(span.start as usize..span.end as usize).is_some(),
                        "{text}"
                    );
                }
                assert!(error.span.is_some(), "{text}");
            }
        }
    }
    let mut end = 0;
    for lexeme in syntax::tokens(&source) {
        assert!(lexeme.span.start >= end, "{text}");
        end = lexeme.span.end;
    }
}

//! The front end as a whole: what parses, and what is said, where, about what does not.

use par::source::{Source, SourceId};
use par::syntax;

#[path = "syntax/broken.rs"]
mod broken;
// What the fuzzer checks, so that its checks build as long as the tests do.
#[path = "../fuzz/checks/parse.rs"]
mod fuzzed_parse;
#[path = "../fuzz/checks/prefix.rs"]
mod fuzzed_prefix;
#[path = "syntax/messages.rs"]
mod messages;

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
fn what_the_fuzzer_checks_holds_for_broken_programs() {
    for text in PROGRAMS {
        fuzzed_prefix::check(text);
        for (at, c) in text.char_indices() {
            let rest = &text[at + c.len_utf8()..];
            // Without a character, and with a bracket instead of it.
            fuzzed_parse::check(&format!("{}{rest}", &text[..at]));
            fuzzed_parse::check(&format!("{}){rest}", &text[..at]));
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
fn a_string_that_the_text_ends_in_is_told_and_not_the_bracket_around_it() {
    for text in ["print(\"abc", "f([1, \"a {b} c", "g(`ls"] {
        let errors = syntax::parse(&source(text)).err().unwrap_or_default();
        let told: Vec<&str> = errors.iter().map(|error| &*error.message).collect();
        assert_eq!(told.len(), 1, "{text:?} {told:?}");
        assert!(told[0].contains("is not closed") && !told[0].contains("bracket"));
        assert!(told[0].contains("string") || told[0].contains("command"));
        assert!(errors[0].incomplete);
    }
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
        "spawn",
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
fn code_is_the_same_however_it_is_laid_out() {
    let code = |text: &str| syntax::code(&source(text));
    let one = code("fn f(x) {\n  let y = x * k\n  \"a {y  + 1} b\"\n}");
    for same in [
        "fn f( x ){ let y=x*k; \"a {y+1} b\" }",
        "fn f(x) {  # a comment\n\n  let y = x *\n    k\n\n  # another\n  \"a { y + 1 } b\"\n\n}",
    ] {
        assert_eq!(code(same), one, "{same}");
    }
    for other in [
        "fn f(x) {\n  let y = x * k\n  \"a  {y + 1} b\"\n}",
        "fn f(x) {\n  let y = x\n  (k)\n  \"a {y + 1} b\"\n}",
        "fn f(x) { let y = xk\n \"a {y + 1} b\" }",
    ] {
        assert_ne!(code(other), one, "{other}");
    }
    assert_ne!(code("fn f() { a\n(b) }"), code("fn f() { a(b) }"));
}

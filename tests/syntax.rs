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

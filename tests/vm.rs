//! The virtual machine through the library: what scripts compute, how they fail, and what they may cost.

use par::Engine;

/// What a script prints.
fn output(text: &str) -> String {
    let mut engine = Engine::new();
    engine.capture_output().unwrap();
    if let Err(error) = engine.eval::<()>(text) {
        panic!("{}\n{text}", error.report());
    }
    engine.take_output()
}

/// Checks what a script prints, line by line.
fn prints(text: &str, lines: &[&str]) {
    let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(output(text), expected, "{text}");
}

/// The kind of the error that a script ends with.
fn kind(text: &str) -> String {
    let mut engine = Engine::new();
    engine.capture_output().unwrap();
    engine.eval::<()>(text).unwrap_err().kind().to_string()
}

#[test]
fn operators_keep_their_precedence_and_kinds() {
    prints(
        "print(1 + 2 * 3, 7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, 2 ** 10, 2 ** -1)",
        &["7 3 -4 1 2 3.5 1024 0.5"],
    );
    prints(
        "print(1 < 2, 2.5 >= 2, 1 == 1.0, \"a\" < \"b\", 5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 4, 16 >> 2)",
        &["true true true true 1 7 6 -6 16 4"],
    );
    prints(
        "let a = nil; print(a ?? 3, false ?? 3, 0 or 5, nil or 5, 1 and 2, not 1, 2 in [1, 2], 3 not in [1, 2])",
        &["3 false 0 5 2 false true true"],
    );
    prints(
        "let x = 5; x += 2; x *= 3; x -= 1; x //= 4; x **= 2; x %= 7; print(x)",
        &["4"],
    );
    for op in ["+", "-", "*"] {
        let (a, b) = match op {
            "-" => ("-9223372036854775807", "2"),
            _ => ("9223372036854775807", "2"),
        };
        assert_eq!(
            kind(&format!("let a = {a}; let b = {b}; a {op} b")),
            "Overflow"
        );
    }
    assert_eq!(kind("1 // 0"), "DivideByZero");
    assert_eq!(kind("let z = 0; 5 % z"), "DivideByZero");
    assert_eq!(
        kind("-9223372036854775807 - 1 // -1; let m = -9223372036854775807 - 1; m // -1"),
        "Overflow"
    );
    assert_eq!(kind("1 + \"a\""), "TypeError");
    assert_eq!(kind("1 < \"a\""), "TypeError");
    assert_eq!(kind("if nil < 3 { 1 }"), "TypeError");
}

#[test]
fn conditions_jump_where_they_should() {
    let text = r#"
fn f(a, b) {
  let out = []
  if a and b { out.push(1) }
  if a or b { out.push(2) }
  if not (a and b) { out.push(3) }
  if not a or not b and a { out.push(4) }
  if a and (b or a) and not b { out.push(5) }
  while a and not b { out.push(6); break }
  out.push(a and b or a)
  out
}
print(f(true, true), f(true, false), f(false, true), f(false, false))
let n = 0.0 / 1.0
print([if n < 1 { 1 } else { 2 }, if not n >= 1 { 1 } else { 2 }])
"#;
    prints(
        text,
        &[
            "[1, 2, true] [2, 3, 4, 5, 6, true] [2, 3, 4, false] [3, 4, false]",
            "[1, 1]",
        ],
    );
}

#[test]
fn calls_bind_arguments_in_every_way() {
    let text = r#"
fn f(a, b = a + 1, ...rest) { [a, b, rest] }
print(f(1), f(1, 5), f(1, 2, 3, 4), f(b: 9, a: 0), f(...[1, 2, 3]), f(7, ...[8]))
fn g(a, b = 2) { "{a}-{b}" }
print(g(1), g(b: 3, a: 4), g(...[5], b: 6))
let h = fn([x, y], {z}) => x + y + z
print(h([1, 2], {z: 3}))
fn counter() { let n = 0; fn() { n += 1; n } }
let c = counter(); let d = counter()
print(c(), c(), d())
fn many(...xs) { let s = 0; for x in xs { s += x }; s }
print(many(...[1, 2, 3], 4), many())
"#;
    prints(
        text,
        &[
            "[1, 2, []] [1, 5, []] [1, 2, [3, 4]] [0, 9, []] [1, 2, [3]] [7, 8, []]",
            "1-2 4-3 5-6",
            "6",
            "1 2 1",
            "10 0",
        ],
    );
    for wrong in [
        "f()",
        "f(1, 2, 3)",
        "f(1, c: 2)",
        "f(1, a: 1)",
        "nil()",
        "5(1)",
        "f(1)(2)",
    ] {
        assert_eq!(
            kind(&format!("fn f(a, b = 1) {{ a }}; {wrong}")),
            "TypeError",
            "{wrong}"
        );
    }
}

#[test]
fn closures_see_fresh_loop_variables_and_share_what_is_assigned() {
    let text = r#"
let fs = []
for i in 0..3 { fs.push(fn() => i) }
for x in ["a", "b"] { fs.push(fn() => x) }
let k = 0
while k < 2 { let j = k; fs.push(fn() { j += 10; j }); k += 1 }
print([f() for f in fs], [f() for f in fs])
fn even(n) { if n == 0 { true } else { odd(n - 1) } }
fn odd(n) { if n == 0 { false } else { even(n - 1) } }
print(even(10), odd(7))
fn outer() {
  fn a(n) { if n == 0 { "a" } else { b(n - 1) } }
  fn b(n) { if n == 0 { "b" } else { a(n - 1) } }
  let total = 0
  fn add(x) { total += x; total }
  add(1); add(2)
  [a(3), b(3), total]
}
print(outer())
"#;
    prints(
        text,
        &[
            "[0, 1, 2, \"a\", \"b\", 10, 11] [0, 1, 2, \"a\", \"b\", 20, 21]",
            "true true",
            "[\"b\", \"a\", 3]",
        ],
    );
}

#[test]
fn structs_construct_call_and_bind() {
    let text = r#"
struct Account {
  owner
  balance = 0
  log = []
  fn deposit(self, n, note = "") { self.balance += n; self.log.push(note); self }
  fn init(self) { self.owner = self.owner + "!" }
}
let a = Account("Ann", balance: 5)
a.deposit(10).deposit(n: 1, note: "x")
print(a.owner, a.balance, a.log, Account("B").log)
let put = a.deposit
put(100)
print(a.balance, type(a))
struct Box { f }
let b = Box(fn(x) => x * 2)
print(b.f(21))
b.f = fn(x) => x + 1
print(b.f(1))
let m = {twice: fn(x) => x * 2, keys: 1}
print(m.twice(4), m.keys())
struct Tree { left = nil; right = nil; value = 0
  fn sum(self) { self.value + (if self.left { self.left.sum() } else { 0 }) + (if self.right { self.right.sum() } else { 0 }) }
}
print(Tree(Tree(value: 1), Tree(value: 2), 3).sum())
"#;
    prints(
        text,
        &[
            "Ann! 16 [\"\", \"x\"] []",
            "116 Account",
            "42",
            "2",
            "8 [\"twice\", \"keys\"]",
            "6",
        ],
    );
    let decl = "struct P { x }; let p = P(1)";
    for wrong in ["P()", "P(1, 2)", "P(y: 1)", "p.nope()", "p.y = 2"] {
        let kind = kind(&format!("{decl}; {wrong}"));
        assert!(kind == "TypeError" || kind == "KeyError", "{wrong}: {kind}");
    }
}

#[test]
fn inline_caches_follow_the_type() {
    let text = r#"
struct A { x; fn name(self) { "A{self.x}" } }
struct B { y; x; fn name(self) { "B{self.x}" } }
let out = []
for v in [A(1), B(2, 3), A(4), {x: 5, name: fn() => "map"}, B(6, 7)] {
  out.push(v.x)
  out.push(v.name())
}
print(out)
let sum = 0
for v in [A(1), B(0, 2), {x: 3}, A(4)] { v.x += 10; sum += v.x }
print(sum)
"#;
    prints(
        text,
        &[
            "[1, \"A1\", 3, \"B3\", 4, \"A4\", 5, \"map\", 7, \"B7\"]",
            "50",
        ],
    );
}

#[test]
fn patterns_take_values_apart() {
    let text = r#"
fn what(v) {
  match v {
    case nil { "nil" }
    case 0 | 1 { "bit" }
    case -5 { "minus five" }
    case 10..20 { "teens" }
    case "a" { "letter" }
    case [] { "empty" }
    case [x] { "one {x}" }
    case [x, [y, z], ...rest] { "nested {x}{y}{z} {rest}" }
    case [1, ...] { "starts with 1" }
    case {kind: "stop", code} { "stop {code}" }
    case {kind, ...others} { "{kind} {others}" }
    case n if type(n) == "int" and n > 100 { "big {n}" }
    case _ { "other" }
  }
}
for v in [nil, 0, 1, -5, 15, "a", [], [7], [1, [2, 3], 4, 5], [1, 2], {kind: "stop", code: 3}, {kind: "go", x: 1}, 101, 99, 2.5] {
  print(what(v))
}
let [a, [b, ...c], {d, e: f}] = [1, [2, 3, 4], {d: 5, e: 6}]
print(a, b, c, d, f)
[a, b] = [b, a]
print(a, b)
let xs = [0, 0]
let m = {}
[xs[0], m.k, ...c] = [7, 8, 9, 10]
print(xs, m, c)
print(match 5 { case 6 { 1 } })
"#;
    prints(
        text,
        &[
            "nil",
            "bit",
            "bit",
            "minus five",
            "teens",
            "letter",
            "empty",
            "one 7",
            "nested 123 [4, 5]",
            "starts with 1",
            "stop 3",
            "go {x: 1}",
            "big 101",
            "other",
            "other",
            "1 2 [3, 4] 5 6",
            "2 1",
            "[7, 0] {k: 8} [9, 10]",
            "nil",
        ],
    );
    assert_eq!(kind("let [a, b] = [1]"), "ValueError");
    assert_eq!(kind("let {a} = {b: 1}"), "ValueError");
    assert_eq!(kind("let [a] = 5"), "TypeError");
    assert_eq!(kind("let a = 1; [a, a] = [1, 2, 3]"), "ValueError");
}

#[test]
fn iteration_goes_over_every_kind() {
    let text = r#"
let out = []
for x in [1, 2] { out.push(x) }
for k in {a: 1, b: 2} { out.push(k) }
for k, v in {a: 1, b: 2} { out.push([k, v]) }
for i, x in enumerate(["p", "q"]) { out.push("{i}{x}") }
for a, b in [[1, 2], [3, 4]] { out.push(a * b) }
for c in "hé" { out.push(c) }
for b in b"\x01\x02" { out.push(b) }
for i in 3..=5 { out.push(i) }
let r = 1..4
for i in r { out.push(i) }
for i in 5..5 { out.push("never") }
for i in range(10, 0, -4) { out.push(i) }
for i in 0.. { if i > 2 { break }; out.push(i) }
for [a, b] in [[1, 2]] { out.push(a + b) }
for _ in 0..2 { out.push("_") }
print(out)
let y = 2
print([x * y for x in 0..3 if x != 1], [v for k, v in {a: 1}], [[i, j] for [i, j] in [[1, 2]]])
for i in 0..10 { if i % 2 == 0 { continue }; if i > 6 { break }; print(i) }
"#;
    prints(
        text,
        &[
            "[1, 2, \"a\", \"b\", [\"a\", 1], [\"b\", 2], \"0p\", \"1q\", 2, 12, \"h\", \"é\", 1, 2, 3, 4, 5, 1, 2, 3, 10, 6, 2, 0, 1, 2, 3, \"_\", \"_\"]",
            "[0, 4] [1] [[1, 2]]",
            "1",
            "3",
            "5",
        ],
    );
    assert_eq!(kind("for x in 5 { }"), "TypeError");
    assert_eq!(kind("for a, b in [1] { }"), "TypeError");
    assert_eq!(kind("for i in 0..\"a\" { }"), "TypeError");
    prints(
        "let n = 0; for i in 9223372036854775805..=9223372036854775807 { n += 1 }; print(n)",
        &["3"],
    );
}

#[test]
fn errors_are_caught_by_kind_and_keep_what_they_carry() {
    let text = r#"
fn risky(n) {
  if n == 0 { throw error("zero", kind: "Zero", code: 7) }
  if n == 1 { throw "text" }
  if n == 2 { [][5] }
  if n == 3 { 1 // 0 }
  n
}
fn run(n) {
  try { risky(n) }
  catch e: Zero { "zero {e.code} {e.message}" }
  catch e: IndexError, KeyError { "index" }
  catch e { "other {e.kind}: {e.message}" }
}
for n in 0..5 { print(run(n)) }
print(risky(2) rescue "rescued", (risky(9) rescue 0) + 1)
fn nested() {
  try {
    try { throw "inner" } finally { print("f1") }
  } catch e { print("caught {e.message}"); throw error("outer", cause: e) }
  finally { print("f2") }
}
try { nested() } catch e { print(e.message, e.cause.message, e.trace.len() > 0) }
try { try { throw "a" } catch e: Nope { print("no") } } catch e { print("yes {e.message}") }
"#;
    prints(
        text,
        &[
            "zero 7 zero",
            "other Error: text",
            "index",
            "other DivideByZero: `//` needs a divisor other than 0, but got 1 // 0",
            "4",
            "rescued 10",
            "f1",
            "caught inner",
            "f2",
            "outer inner true",
            "yes a",
        ],
    );
    assert_eq!(kind("throw error(\"x\", kind: \"Mine\")"), "Mine");
    assert_eq!(kind("throw 5"), "TypeError");
}

#[test]
fn finally_and_defer_run_however_a_block_is_left() {
    let text = r#"
let log = []
fn f(how) {
  defer log.push("d1")
  defer log.push("d2")
  for i in 0..3 {
    try {
      if how == "return" { return "r{i}" }
      if how == "break" { break }
      if how == "continue" { continue }
      if how == "throw" { throw "t" }
    } finally { log.push("f{i}") }
  }
  "end"
}
for how in ["return", "break", "continue", "throw", "none"] {
  log = []
  print(f(how) rescue "thrown", log)
}
fn value() { let x = 1; try { return x } finally { x = 2 } }
print(value())
fn over() { try { throw "a" } finally { return "won" } }
print(over())
fn defers() {
  let out = []
  fn go() { for i in 0..3 { defer out.push(i) }; defer { throw "in defer" }; out.push("body") }
  try { go() } catch e { out.push(e.message) }
  out
}
print(defers())
fn loops() {
  let out = []
  for i in 0..4 { try { if i == 1 { continue }; if i == 3 { break }; out.push(i) } finally { try { throw "x" } catch e { out.push("c{i}") } } }
  out
}
print(loops())
"#;
    prints(
        text,
        &[
            "r0 [\"f0\", \"d2\", \"d1\"]",
            "end [\"f0\", \"d2\", \"d1\"]",
            "end [\"f0\", \"f1\", \"f2\", \"d2\", \"d1\"]",
            "thrown [\"f0\", \"d2\", \"d1\"]",
            "end [\"f0\", \"f1\", \"f2\", \"d2\", \"d1\"]",
            "1",
            "won",
            "[\"body\", 2, 1, 0, \"in defer\"]",
            "[0, \"c0\", \"c1\", 2, \"c2\", \"c3\"]",
        ],
    );
}

#[test]
fn exit_runs_what_is_deferred_and_is_not_caught() {
    let mut engine = Engine::new();
    engine.capture_output().unwrap();
    let text = r#"
defer print("last")
fn leave() { try { exit(3) } catch e { print("caught") } finally { print("finally") } }
leave()
print("not reached")
"#;
    let error = engine.eval::<()>(text).unwrap_err();
    assert_eq!(error.exit_code(), Some(3));
    assert_eq!(engine.take_output(), "finally\nlast\n");
}

#[test]
fn natives_call_back_and_errors_pass_through_them() {
    let text = r#"
print([3, 1, 2].map(fn(x) => x * 2), [3, 1, 2].filter(fn(x) => x > 1))
fn bad(x) { throw error("at {x}", kind: "Bad") }
try { [1].map(bad) } catch e: Bad { print(e.message) }
fn early() { for x in [1, 2, 3] { [x].map(fn(y) { if y == 2 { return 0 }; y }) }; "done" }
print(early())
"#;
    prints(text, &["[6, 2, 4] [3, 2]", "at 1", "done"]);
    assert_eq!(kind("fn f(n) { [n].map(f) }; f(1)"), "LimitExceeded");
}

#[test]
fn deep_recursion_is_a_limit_and_not_a_crash() {
    prints(
        "fn down(n) { if n == 0 { 0 } else { 1 + down(n - 1) } }; print(down(100000))",
        &["100000"],
    );
    assert_eq!(kind("fn f(n) { f(n + 1) + 1 }; f(0)"), "LimitExceeded");
    prints(
        "fn f(n) { f(n + 1) + 1 }; try { f(0) } catch e: LimitExceeded { print(e.trace.len() > 10) }; print(1 + 1)",
        &["true", "2"],
    );
    let mut engine = Engine::new();
    engine.limit_depth(50);
    assert!(
        engine
            .eval::<i64>("fn d(n) { if n == 0 { 0 } else { 1 + d(n - 1) } }; d(40)")
            .is_ok()
    );
    assert!(
        engine
            .eval::<i64>("fn d2(n) { if n == 0 { 0 } else { 1 + d2(n - 1) } }; d2(60)")
            .is_err()
    );
}

#[test]
fn cyclic_garbage_is_reclaimed() {
    // Ten million structs that refer to themselves: they would be half a gigabyte.
    let text = "struct Node { next = nil; n = 0 }
let last = nil
for i in 0..2_000_000 { let node = Node(n: i); node.next = node; last = node }
print(last.n)";
    let mut engine = Engine::new();
    engine.capture_output().unwrap();
    engine.limit_memory(100 << 20);
    engine.eval::<()>(text).unwrap();
    assert_eq!(engine.take_output(), "1999999\n");
}

#[test]
fn joining_to_a_string_in_a_loop_is_linear() {
    prints(
        "let s = \"\"\nfor i in 0..1_000_000 { s += \"x\" }\nprint(s.len())\nlet t = \"\"\nfor i in 0..100_000 { t = t + \"ab\" }\nprint(t.len())",
        &["1000000", "200000"],
    );
}

#[test]
fn limits_of_the_engine_are_errors() {
    let mut engine = Engine::new();
    engine.limit_steps(100_000);
    assert_eq!(
        engine.eval::<()>("while true { }").unwrap_err().kind(),
        "LimitExceeded"
    );
    let mut engine = Engine::new();
    engine.limit_memory(32 << 20);
    let text = "let xs = []; while true { xs.push([1, \"some text that is long\", 3.5]) }";
    assert_eq!(engine.eval::<()>(text).unwrap_err().kind(), "LimitExceeded");
}

#[test]
fn lines_of_a_session_share_their_globals() {
    let mut engine = Engine::new();
    engine
        .eval::<()>("let x = 20; fn twice(n) { n * 2 }")
        .unwrap();
    assert_eq!(engine.eval::<i64>("x += 1; twice(x)").unwrap(), 42);
    assert!(engine.eval::<i64>("throw \"no\"").is_err());
    assert_eq!(engine.eval::<i64>("x").unwrap(), 21);
}

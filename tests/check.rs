//! The checker on small programs: what names mean, what is captured and boxed, which mistakes are found.

use par::check::{self, Earlier, Environment, From, Imported, Member, Mode, Place, Resolved};
use par::diag::{self, codes};
use par::source::SourceMap;
use par::syntax::{self, ast::ImportPath};
use std::collections::HashMap;
use std::rc::Rc;

/// Surroundings with a few built-ins, the module `math` and one file.
struct Surroundings {
    mode: Mode,
    slots: u32,
    earlier: HashMap<String, Earlier>,
}

impl Surroundings {
    fn new(mode: Mode) -> Surroundings {
        Surroundings {
            mode,
            slots: 100,
            earlier: HashMap::new(),
        }
    }
}

const BUILTINS: &[(&str, &[&str])] = &[
    ("print", &["...values", "end?"]),
    ("len", &["of"]),
    ("list", &["of?"]),
    ("error", &["message", "kind?", "**fields"]),
    ("shared", &["value"]),
    ("shared.ints", &["values"]),
    ("queue", &["size?"]),
    ("lock", &["reentrant?"]),
    ("pool", &["workers?", "init?"]),
    ("exit", &["code?"]),
    ("args", &[]),
];

impl Environment for Surroundings {
    fn mode(&self) -> Mode {
        self.mode
    }
    fn builtin(&self, name: &str) -> Option<&'static [&'static str]> {
        BUILTINS.iter().find(|row| row.0 == name).map(|row| row.1)
    }
    fn builtin_names(&self) -> Vec<Rc<str>> {
        BUILTINS.iter().map(|row| row.0.into()).collect()
    }
    fn module_names(&self) -> Vec<Rc<str>> {
        vec!["math".into(), "random".into()]
    }
    fn import(&mut self, path: &ImportPath) -> diag::Result<Imported> {
        let native = |name: &str, params| Member {
            name: name.into(),
            slot: None,
            params: Some(params),
        };
        match path {
            ImportPath::Standard(name, _) => Ok(Imported {
                place: Place::Module(name.clone()),
                members: vec![native("sqrt", &["x"])],
                kinds: Vec::new(),
            }),
            ImportPath::File(path, _) if &**path == "util.par" => Ok(Imported {
                place: Place::File(0),
                members: vec![Member {
                    name: "helper".into(),
                    slot: Some(7),
                    params: None,
                }],
                kinds: vec!["UtilError".into()],
            }),
            ImportPath::File(path, _) => {
                Err(diag::Error::new(codes::IO, format!("cannot read {path}")))
            }
        }
    }
    fn earlier(&self, name: &str) -> Option<Earlier> {
        self.earlier.get(name).cloned()
    }
    fn earlier_names(&self) -> Vec<Rc<str>> {
        self.earlier
            .keys()
            .map(|name| name.as_str().into())
            .collect()
    }
    fn kinds(&self) -> Vec<Rc<str>> {
        Vec::new()
    }
    fn new_global(&mut self, _: &Rc<str>) -> u32 {
        self.slots += 1;
        self.slots
    }
}

fn run_in(env: &mut Surroundings, text: &str) -> Result<Resolved, Vec<diag::Error>> {
    let mut map = SourceMap::default();
    let source = map.add("test.par", text);
    let module = syntax::parse(&source).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    check::check(&module, env)
}

fn run(text: &str) -> Result<Resolved, Vec<diag::Error>> {
    run_in(&mut Surroundings::new(Mode::Script), text)
}

/// Codes of the errors of a program, and of its warnings when it has none.
fn found(text: &str) -> Vec<String> {
    let reports = match run(text) {
        Ok(resolved) => resolved.warnings,
        Err(errors) => errors,
    };
    let line = |report: &diag::Error| {
        let start = report.span.unwrap().start as usize;
        text[..start].matches('\n').count() + 1
    };
    let shown = reports
        .iter()
        .map(|report| format!("{} {}", report.code.0, line(report)));
    shown.collect()
}

#[track_caller]
fn expect(text: &str, reports: &[&str]) {
    assert_eq!(found(text), reports, "{text}");
}

#[track_caller]
fn help(text: &str) -> String {
    let reports = run(text).map_or_else(|errors| errors, |resolved| resolved.warnings);
    reports[0].help.clone().unwrap_or_default()
}

/// `name` of body `function`: whether it is boxed and early.
#[track_caller]
fn local(resolved: &Resolved, name: &str) -> (bool, bool) {
    let mut locals = resolved.functions.iter().flat_map(|info| &info.locals);
    let found = locals.find(|local| &*local.name == name).expect(name);
    (found.boxed, found.early)
}

const COPIED: (bool, bool) = (false, false);
const BOXED: (bool, bool) = (true, false);
const BOXED_EARLY: (bool, bool) = (true, true);
const EARLY: (bool, bool) = (false, true);

#[track_caller]
fn expect_local(body: &str, name: &str, wanted: (bool, bool)) {
    let text = format!("fn outer(param) {{\n{body}\n}}\nouter(1)");
    let resolved = run(&text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    assert_eq!(local(&resolved, name), wanted, "{text}");
}

#[test]
fn a_captured_variable_that_never_changes_is_copied() {
    expect_local("let x = 1; fn() => x", "x", COPIED);
    expect_local("for x in [1] { print(fn() => x) }", "x", COPIED);
    expect_local("for i in [1] { let x = i; print(fn() => x) }", "x", COPIED);
    expect_local("fn() => param", "param", COPIED);
}

#[test]
fn a_captured_variable_that_changes_is_boxed() {
    expect_local("let x = 1; let f = fn() => x; x = 2; f()", "x", BOXED);
    expect_local("let x = 1; let f = fn() { x += 1 }; f()", "x", BOXED);
    expect_local("let x = 1; fn() { fn() { x = 2 } }", "x", BOXED);
    expect_local("param = 2; fn() => param", "param", BOXED);
    expect_local("let x = 1; x = 2", "x", COPIED);
    expect_local("let x = 1; defer print(x); x = 2", "x", BOXED);
}

#[test]
fn a_snapshot_is_boxed_only_where_it_is_written() {
    expect_local("let x = 1; x = 2; spawn { print(x) }", "x", COPIED);
    expect_local(
        "let x = 1; x = 2; spawn { print([fn() => x]) }",
        "x",
        COPIED,
    );
    expect_local("let x = 1; spawn { x = 2; print(x) }", "x", BOXED);
    expect_local("let x = 1; x = 2; fn() { spawn { print(x) } }", "x", BOXED);
    expect_local("let x = 1; x = 2; pool map i in [1] { i + x }", "x", COPIED);
}

#[test]
fn local_functions_are_made_where_they_stand_unless_needed_before() {
    expect_local("let x = 1; fn f() { x }; f()", "f", COPIED);
    expect_local("let x = 1; fn f() { x }; f()", "x", COPIED);
    expect_local("fn f(n) { f(n - 1) }; f(1)", "f", BOXED);
    expect_local("f(); fn f() { 1 }", "f", EARLY);
    expect_local("let x = 1; f(); fn f() { x }", "x", BOXED_EARLY);
    let mutual = "fn even(n) { odd(n - 1) }; fn odd(n) { even(n - 1) }; even(4)";
    expect_local(mutual, "odd", BOXED_EARLY);
    expect_local(mutual, "even", EARLY);
    let chain = "fn a() { b() }; let x = 1; fn b() { c() }; fn c() { x }; a()";
    expect_local(chain, "x", BOXED_EARLY);
    expect_local(chain, "c", BOXED_EARLY);
    expect_local(chain, "a", COPIED);
}

#[test]
fn a_later_variable_is_visible_to_bodies_that_run_later() {
    expect_local("fn f() { x }; let x = 1; f()", "x", BOXED_EARLY);
    expect_local("let f = fn() => x; let x = 1; f()", "x", BOXED_EARLY);
    expect_local("let f = fn(n) { f(n - 1) }; f(1)", "f", BOXED_EARLY);
    expect("print(x); let x = 1", &["N001 1"]);
    expect("spawn { print(x) }; let x = 1", &["N001 1"]);
    expect("let x = x", &["N001 1"]);
    expect("let x = 1\nfn f() { let x = x + 1; x }; f()", &[]);
    expect("fn f() { total }; let total = 1; f()", &[]);
    expect("let args = args; print(args)", &[]);
}

#[test]
fn captures_go_through_every_body_between() {
    let text = "fn outer() { let x = 1; fn() { fn() { x } } }; outer()";
    let resolved = run(text).unwrap();
    let from = |id: usize| {
        resolved.functions[id]
            .captures
            .iter()
            .map(|c| c.from)
            .collect::<Vec<_>>()
    };
    let mut all: Vec<Vec<From>> = (0..resolved.functions.len()).map(from).collect();
    all.retain(|captures| !captures.is_empty());
    all.sort_by_key(|captures| matches!(captures[0], From::Capture(_)));
    assert_eq!(all, [[From::Local(0)], [From::Capture(0)]]);
}

#[test]
fn top_level_variables_are_global_where_functions_use_them() {
    let resolved = run("let a = 1; let b = 2; fn f() { a }; f(); b").unwrap();
    let globals: Vec<&str> = resolved.globals.iter().map(|g| &*g.1.name).collect();
    assert_eq!(globals, ["a"]);
    assert_eq!(local(&resolved, "f"), EARLY);
    assert_eq!(local(&resolved, "b"), COPIED);
    let mut module = Surroundings::new(Mode::Module);
    let resolved = run_in(&mut module, "let a = 1; fn f() { a }").unwrap();
    assert_eq!(resolved.globals.len(), 2);
    let inner = resolved.functions.iter().filter(|f| !f.globals.is_empty());
    assert_eq!(inner.count(), 2);
}

#[test]
fn many_top_level_variables_overflow_into_globals() {
    let text: String = (0..150).map(|n| format!("let v{n} = {n}\n")).collect();
    let resolved = run(&text).unwrap();
    assert_eq!(resolved.globals.len(), 50);
}

#[test]
fn prompt_lines_reuse_and_redeclare() {
    let mut env = Surroundings::new(Mode::Prompt);
    let earlier = |constant| Earlier::Global { slot: 5, constant };
    env.earlier.insert("x".into(), earlier(false));
    env.earlier.insert("c".into(), earlier(true));
    let resolved = run_in(&mut env, "let x = x + 1").unwrap();
    assert_eq!(resolved.globals[0].0, 5);
    assert!(
        run_in(&mut env, "x = 3; fn f() { x }")
            .unwrap()
            .globals
            .len()
            == 1
    );
    assert_eq!(
        run_in(&mut env, "c = 3").unwrap_err()[0].code,
        codes::ASSIGN_CONST
    );
    assert!(run_in(&mut env, "let c = 3").is_ok());
}

#[test]
fn names_that_nothing_declares() {
    expect("print(x)", &["N001 1"]);
    expect("pritn(1)\nprint(1)\npritn(2)", &["N001 1"]);
    assert_eq!(help("pritn(1)"), "did you mean `print`?");
    assert_eq!(help("let total = 1; totl"), "did you mean `total`?");
    assert_eq!(help("print(math.sqrt(2))"), "write `import math` first");
    assert_eq!(
        help("x = 1"),
        "a new variable is declared with `let x = ...`"
    );
    expect("if true { let y = 1 }; y", &["N001 1"]);
    expect("for i in [1] { }; i", &["N001 1"]);
    expect("[n for n in [1]]; n", &["N001 1"]);
    expect("len = 3", &["N001 1"]);
    expect("let a = 1; a.b.c(d).e", &["N001 1"]);
    expect("\"{a} {\"{b}\"}\"", &["N001 1", "N001 1"]);
}

#[test]
fn double_declarations() {
    expect("let a = 1\nlet a = 2", &["N002 2"]);
    expect("fn a() { 1 }\nlet a = 2", &["N002 2"]);
    expect("let [a, a] = [1, 2]", &["N002 1"]);
    expect("fn f(a, a) { a }", &["N002 1"]);
    expect("fn f(a) { let a = 1; a }; f(1)", &[]);
    expect("struct S { a\n a }", &["N002 2"]);
    expect("struct S { a\n fn a(self) { 1 } }", &["N002 2"]);
}

#[test]
fn constants_stay() {
    expect("const a = 1\na = 2", &["N003 2"]);
    expect("const [a, b] = [1, 2]\nb += 2", &["N003 2"]);
    expect("shared a = 1\na = 2", &["N003 2"]);
    expect("shared a = 1\na.value = 2", &[]);
    expect("let a = shared(1)\na = 2", &["N003 2"]);
    expect("let a = shared.ints(1)\na += 2", &["N003 2"]);
    expect("fn f() { 1 }\nf = 2", &["N003 2"]);
    expect("import math\nmath = 2", &["N003 2"]);
    assert_eq!(
        help("let a = shared(1); a = 2"),
        "change what every process sees: `a.value = ...`"
    );
}

#[test]
fn words_that_cannot_stand_here() {
    expect("break", &["N004 1"]);
    expect("while true { fn() { continue } }", &["N004 1"]);
    expect("while true { spawn { break } }", &["N004 1"]);
    expect("for x in [1] { if x { break } else { continue } }", &[]);
    expect("return 1", &["N004 1"]);
    expect("fn f() { defer { return 1 } }", &["N004 1"]);
    expect("spawn { return 1 }", &[]);
    expect(
        "let q = queue(); select { case v = q.get() { v } case q.len() { 1 } }",
        &["N004 1"],
    );
    expect(
        "let p = 1; select { case r = join p { r } after 1s { 2 } }",
        &[],
    );
    expect("import math\nlet m = math", &["N004 2"]);
}

#[test]
fn parameter_lists() {
    expect("fn f(a = 1, b) { a + b }", &["N005 1"]);
    expect("fn f(...a, b) { a }", &["N005 1"]);
    expect("fn f(a = 1, ...b) { a }", &[]);
    expect("struct S { fn f() { 1 } }", &["N005 1"]);
    expect("fn f(a) { a }; f(a: 1, 2)", &["N005 1"]);
    expect("fn f(a) { a }; f(a: 1, a: 2)", &["N005 1"]);
    let params: Vec<String> = (0..121).map(|n| format!("p{n}")).collect();
    expect(&format!("fn f({}) {{ 1 }}", params.join(", ")), &["N010 1"]);
}

#[test]
fn options_are_checked_by_name() {
    expect("spawn(naem: \"a\") { 1 }", &["N008 1"]);
    assert_eq!(help("spawn(naem: \"a\") { 1 }"), "did you mean `name`?");
    expect("pool map(wrokers: 2) x in [1] { x }", &["N008 1"]);
    expect("pool map(len, [1], workers: 2, chnk: 1)", &["N008 1"]);
    expect("queue(size: 3); queue(siz: 3)", &["N008 1"]);
    expect("error(\"a\", anything: 3)", &[]);
    expect("import math\nmath.sqrt(y: 2)", &["N008 2"]);
    expect("shared.ints(lenght: 2)", &["N008 1"]);
    expect("let queue = fn(a) => a; queue(siz: 3)", &[]);
}

#[test]
fn modules() {
    expect("import math\nmath.sqrt(2)\nmath.sqr(2)", &["N009 3"]);
    expect("import meth", &["N006 1"]);
    assert_eq!(help("import meth"), "did you mean `math`?");
    expect("import \"none.par\" as n\nn.f()", &["R008 1"]);
    let resolved = run("import \"util.par\" as u\nfn f() { u.helper() }").unwrap();
    assert!(resolved.places.contains(&Some(Place::Global(7))));
    assert!(resolved.places.contains(&Some(Place::File(0))));
    assert!(resolved.functions.iter().all(|info| info.globals == [7]));
    expect("import \"util.par\" as u\nu.helper = 1", &["N003 2"]);
    expect("import \"util.par\" as u\nu._secret", &["N009 2"]);
    expect("math.sqrt(2)\nimport math", &["N001 1"]);
    expect("fn f() { math.sqrt(2) }\nimport math\nf()", &[]);
    let resolved = run("shared.ints(3)").unwrap();
    assert!(
        resolved
            .places
            .contains(&Some(Place::Builtin("shared.ints".into())))
    );
}

#[test]
fn error_kinds() {
    expect("try { 1 } catch e: TimeOut { 2 }", &["W002 1"]);
    assert_eq!(
        help("try { 1 } catch e: TimeOut { 2 }"),
        "did you mean `Timeout`?"
    );
    expect(
        "try { 1 } catch e: Mine { 2 }\nthrow error(\"a\", kind: \"Mine\")",
        &[],
    );
    expect(
        "let k = \"Mine\"\ntry { 1 } catch e: Mine { 2 }\nthrow error(\"a\", kind: k)",
        &[],
    );
    expect(
        "import \"util.par\" as u\ntry { u.helper() } catch e: UtilError { 2 }",
        &[],
    );
}

#[test]
fn dead_code() {
    expect("fn f() { return 1\nprint(2)\nprint(3) }", &["W003 2"]);
    expect("fn f() { return g()\nfn g() { 1 } }", &[]);
    expect("for x in [1] { break; print(x) }", &["W003 1"]);
    expect(
        "fn f(x) { if x { return 1 } else if x { return 2 } else { throw 3 }\nprint(1) }",
        &["W003 2"],
    );
    expect("fn f(x) { if x { return 1 }\nprint(1) }", &[]);
}

#[test]
fn lost_writes_are_warned_of() {
    for text in [
        "let n = 0; let p = spawn { n += 1 }\njoin p; print(n)",
        "let n = 0; let p = spawn { n = n + 1 }\njoin p; print(n)",
        "let n = 0; let p = spawn { n += 1; print(n) }\njoin p; print(n)",
        "let xs = []; join spawn { xs.push(1) }\nprint(xs)",
        "let m = {}; join spawn { m[\"a\"] = 1 }\nprint(m)",
        "let m = {a: 1}; join spawn { m.a += 1 }\nprint(m)",
        "let n = 0; pool map x in [1] { n += x }\nprint(n)",
        "let n = 0; fn f() { n += 1 }; join spawn f()\nprint(n)",
        "let n = 0; fn g() { n += 1 }; fn f() { g() }; join spawn f()\nprint(n)",
        "let n = 0; fn f(x) { n += x }; pool map(f, [1])\nprint(n)",
        "let n = 0; fn f() { n += 1 }; join spawn { f() }\nprint(n)",
        "fn main() { let n = 0; for i in 0..2 { spawn { n += i } }\nprint(n) }; main()",
        "fn main() { let done = false; spawn { done = true }\nwhile not done { } }; main()",
        "let n = 0; fn show() { print(n) }; join spawn { n = 1; print(n) }\nshow()",
        "let n = 0; for i in 0..3 { print(n); spawn { n += 1; print(n) } }",
        "struct A { n = 0; fn up(self) { self.n += 1 } }; let a = A(); join spawn a.up()\nprint(a.n)",
        "struct A { n = 0; fn up(self) { self.n += 1 } }; let a = A(); join spawn { a.up() }\nprint(a.n)",
        "struct A { n = 0 }; let a = A(); join spawn { a.n = 1 }\nprint(a.n)",
    ] {
        expect(text, &["W001 1"]);
    }
}

#[test]
fn writes_that_somebody_sees_are_not_warned_of() {
    for text in [
        "shared n = 0; let p = spawn { n.value += 1 }\njoin p; print(n)",
        "let n = shared(0); let p = spawn { n.value += 1 }\njoin p; print(n)",
        "let xs = shared([]); join spawn { xs.push(1) }\nprint(xs)",
        "let n = 5; join spawn { while n > 0 { n -= 1 } }",
        "let n = 5; print(n); join spawn { n += 1; print(n) }",
        "let n = 0; let p = spawn { let n = 0; n += 1; n }\nprint(n, join p)",
        "let n = 0; fn f() { n += 1 }; f(); join spawn f()\nprint(n)",
        "let q = queue(); let out = []; spawn { out.push(1); q.put(out) }\nq.get()",
        "fn f(counts) { spawn { counts[0] += 1 } }; f(shared.ints(1))",
        "let n = 0; fn f() { n += 1; n }; print(join spawn f())",
        "let n = 0; let f = fn() { n += 1 }; f(); print(n)",
        "let xs = []; pool map x in [1] { let ys = []; ys.push(x); ys }; print(xs)",
        "let rows = [shared([])]; join spawn { rows[0].push(1) }\nprint(rows)",
        "let n = 0; defer { n += 1 }\nprint(n)",
        "struct A { n = 0; fn up(self) { self.n += 1; self.n } }; let a = A(); print(join spawn a.up())",
        "struct A { n = 0; fn get(self) { self.n } }; let a = A(); print(join spawn a.get()); print(a.n)",
        "struct A { n; fn up(self) { self.n.value += 1 } }; let a = A(shared(0)); join spawn a.up()\nprint(a.n)",
        "struct A { n = 0; fn up(self) { self.n += 1 } }; fn f(a) { spawn { a.up(); print(a.n) } }; f(A())",
    ] {
        expect(text, &[]);
    }
}

#[test]
fn long_chains_do_not_use_up_the_stack() {
    let sum = vec!["1"; 500].join(" + ");
    expect(&format!("print({sum})"), &[]);
    let methods = "x".to_string() + &".f()".repeat(250);
    expect(&format!("let x = 1; {methods}"), &[]);
    let branches = vec!["if x { 1 }"; 150].join(" else ");
    expect(&format!("let x = 1; {branches}"), &[]);
}

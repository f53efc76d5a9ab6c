//! `par fmt`: the meaning of a text stays, a formatted text is not changed again, and the project keeps to the style.

mod common;

use common::files_below;
use par::source::{Source, SourceId};
use par::syntax;
use proptest::prelude::*;
use regex::Regex;
use std::path::PathBuf;

fn source(text: &str) -> Source {
    Source::new(SourceId(0), "test.par", text)
}

fn formatted(text: &str) -> String {
    syntax::format(&source(text)).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

/// The tree without the places of its parts.
fn tree(text: &str) -> String {
    let module = syntax::parse(&source(text)).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let places = Regex::new(r"Span \{[^{}]*\}").unwrap();
    places.replace_all(&format!("{module:?}"), "").into_owned()
}

/// The comments in their order.
fn comments(text: &str) -> Vec<String> {
    let source = source(text);
    let all = syntax::tokens(&source);
    let is_comment = |class| matches!(class, syntax::Class::Comment | syntax::Class::Doc);
    let comments = all.iter().filter(|lexeme| is_comment(lexeme.class));
    comments
        .map(|lexeme| source.slice(lexeme.span).trim_end().to_string())
        .collect()
}

#[track_caller]
fn holds(text: &str) {
    let once = formatted(text);
    assert_eq!(formatted(&once), once, "formatted twice:\n{text}");
    assert_eq!(
        tree(&once),
        tree(text),
        "another tree:\n{text}\n---\n{once}"
    );
    assert_eq!(comments(&once), comments(text), "other comments:\n{text}");
}

fn scripts() -> Vec<PathBuf> {
    let folders = [
        "examples",
        "stdlib",
        "tests/lang",
        "tests/errors",
        "benches",
    ];
    folders
        .iter()
        .flat_map(|folder| files_below(folder, "par"))
        .collect()
}

#[test]
fn the_meaning_of_all_scripts_stays() {
    let mut count = 0;
    for path in scripts() {
        let text = std::fs::read_to_string(common::root().join(&path)).unwrap_or_default();
        if syntax::parse(&source(&text)).is_ok() {
            count += 1;
            holds(&text);
        }
    }
    assert!(count > 400, "{count}");
}

#[test]
fn squeezed_and_stretched_texts_keep_their_meaning() {
    // A third of them: the other test looks at all.
    for path in scripts().iter().step_by(3) {
        let text = std::fs::read_to_string(common::root().join(path)).unwrap_or_default();
        if syntax::parse(&source(&text)).is_err() {
            continue;
        }
        // Other indentation, and an empty line behind each line, where these stand in no string of several lines.
        if text.contains("\"\"\"") || text.contains("##") {
            continue;
        }
        let flat: Vec<&str> = text.lines().map(str::trim).collect();
        holds(&flat.join("\n"));
        holds(&flat.join("\n\n\n"));
    }
}

#[test]
fn scripts_of_the_tree_are_in_the_style() {
    let mut wrong = Vec::new();
    for folder in ["benches", "examples", "stdlib"] {
        for path in files_below(folder, "par") {
            let text = std::fs::read_to_string(common::root().join(&path)).unwrap();
            if formatted(&text) != text {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "cargo run -- fmt {}", wrong.join(" "));
}

#[track_caller]
fn becomes(text: &str, wanted: &str) {
    assert_eq!(formatted(text), wanted);
    holds(text);
}

#[test]
fn blanks_and_newlines_follow_one_rule() {
    becomes(
        "let   x=1+2 ;print( x,-x )",
        "let x = 1 + 2\nprint(x, -x)\n",
    );
    becomes("if x{a}else{b}", "if x { a } else { b }\n");
    becomes("if x {\na\n}\nelse {b}", "if x {\n  a\n} else { b }\n");
    becomes("xs [1 .. 3] . len ( )", "xs[1..3].len()\n");
    becomes(
        "f(fn ( x )=>x , ... ys , k : 2)",
        "f(fn(x) => x, ...ys, k: 2)\n",
    );
    becomes("\n\n\na\n\n\n\nb\n\n", "a\n\nb\n");
    becomes("", "");
    becomes("fn f(){}", "fn f() {}\n");
    becomes(
        "let m={a:1,\"b c\":[ ],[k]:{ }}",
        "let m = {a: 1, \"b c\": [], [k]: {}}\n",
    );
    becomes(
        "pool  map(workers:2) x in xs{x}",
        "pool map(workers: 2) x in xs { x }\n",
    );
    becomes(
        "match x{case 1|2{a}case _ if y{b}else{c}}",
        "match x { case 1 | 2 { a } case _ if y { b } else { c } }\n",
    );
    becomes(
        "select{case v=q.get(){v}after 1s{nil}}",
        "select { case v = q.get() { v } after 1s { nil } }\n",
    );
    becomes("let s = \"{ a+b }\"", "let s = \"{ a+b }\"\n");
    becomes(
        "test   \"a\"{assert(1==1)}",
        "test \"a\" { assert(1 == 1) }\n",
    );
}

#[test]
fn comments_stay_where_they_are() {
    becomes("a #one\n  # two\nb# three", "a  #one\n# two\nb  # three\n");
    becomes("f( # why\n1,# one\n2)", "f(  # why\n  1,  # one\n  2\n)\n");
    becomes(
        "if a { b } # x\n# y\nelse { c }",
        "if a { b }  # x\n# y\nelse { c }\n",
    );
    becomes(
        "a() # 1\nlonger() # 2\n\nb() # 3",
        "a()       # 1\nlonger()  # 2\n\nb()  # 3\n",
    );
    becomes(
        "struct A {\n## doc\nx\n\n\n## more\nfn f(self) { 1 }\n}",
        "struct A {\n  ## doc\n  x\n\n  ## more\n  fn f(self) { 1 }\n}\n",
    );
}

#[test]
fn a_comment_inside_of_a_statement_stands_where_its_next_line_does() {
    becomes(
        "let y = a\n# one\n.b()\n# two\n.c()\n# three\nd()",
        "let y = a\n  # one\n  .b()\n  # two\n  .c()\n# three\nd()\n",
    );
    becomes(
        "fn f() {\nlet x = 1 +\n# one\n2\n# two\nx\n}",
        "fn f() {\n  let x = 1 +\n      # one\n      2\n  # two\n  x\n}\n",
    );
    becomes(
        "f(1 +\n# one\n2,\n# two\n3\n# three\n)",
        "f(\n  1 +\n    # one\n    2,\n  # two\n  3\n  # three\n)\n",
    );
    becomes(
        "match x {\n# one\ncase 1 { a }\n# two\nelse { b }\n}",
        "match x {\n  # one\n  case 1 { a }\n  # two\n  else { b }\n}\n",
    );
}

#[test]
fn a_block_at_the_end_of_arguments_is_no_reason_to_break_them_inside_out() {
    let name = "some_quite_long_name_of_a_thing";
    becomes(
        &format!("let r = call({name}, {name}, {name}, g(1, 2), fn(x) {{ x }})"),
        &format!(
            "let r = call(\n  {name},\n  {name},\n  {name},\n  g(1, 2),\n  fn(x) {{ x }}\n)\n"
        ),
    );
    becomes(
        &format!("let r = call({name}, {name}, {name}, g(1, 2), fn(x) {{\nx\n}})"),
        &format!(
            "let r = call(\n  {name},\n  {name},\n  {name},\n  g(1, 2),\n  fn(x) {{\n    x\n  }}\n)\n"
        ),
    );
    becomes(
        &format!("let r = call({name}, fn(x) {{ {name}(x); {name}(2, 3) }})"),
        &format!("let r = call({name}, fn(x) {{\n  {name}(x)\n  {name}(2, 3)\n}})\n"),
    );
    becomes(
        &format!("let big = f(argument_one, argument_two)[{name}].g(x).field ?? {name} or other"),
        &format!(
            "let big = f(argument_one, argument_two)[{name}].g(x).field ??\n    {name} or\n    other\n"
        ),
    );
}

#[test]
fn long_lines_are_broken_from_the_outside() {
    let long =
        "argument_number_one, argument_number_two, argument_number_three, argument_number_four";
    becomes(
        &format!("let result = function({long}, 5)"),
        &format!(
            "let result = function(\n  {}\n)\n",
            format!("{long}, 5").replace(", ", ",\n  ")
        ),
    );
    becomes(
        &format!("xs.map({{}}, fn(x) {{ print({long}); x }})"),
        &format!("xs.map({{}}, fn(x) {{\n  print({long})\n  x\n}})\n"),
    );
    let name = "some_quite_long_name_of_a_thing";
    becomes(
        &format!("if {name} and {name}_too and {name}_three {{ go() }}"),
        &format!("if {name} and\n    {name}_too and\n    {name}_three {{\n  go()\n}}\n"),
    );
    becomes(
        &format!("let v = {name} and {name}_too and {name}_three and four"),
        &format!("let v = {name} and\n    {name}_too and\n    {name}_three and\n    four\n"),
    );
    // What binds closer stays together as long as it fits.
    becomes(
        &format!("let v = {name} and {name} or {name} and {name}_too"),
        &format!("let v = {name} and {name} or\n    {name} and {name}_too\n"),
    );
    becomes(
        &format!("let v = {name} and {name}_two and {name}_three or {name} and four"),
        &format!(
            "let v = {name} and\n    {name}_two and\n    {name}_three or\n    {name} and four\n"
        ),
    );
    becomes(
        &format!("let v = call({name}, argument_two, argument_three) and call({name}, 2)"),
        &format!("let v = call({name}, argument_two, argument_three) and\n    call({name}, 2)\n"),
    );
    becomes(
        &format!("let v = {name}.first({name}).second(1).third(fn(x) => x + 1)"),
        &format!("let v = {name}\n  .first({name})\n  .second(1)\n  .third(fn(x) => x + 1)\n"),
    );
    becomes(
        &format!("let v = [{name}({name}) for {name} in {name}_list if true]"),
        &format!("let v = [\n  {name}({name})\n  for {name} in {name}_list\n  if true\n]\n"),
    );
}

#[test]
fn the_loosest_operator_outside_of_all_brackets_is_broken_first() {
    let name = "some_quite_long_name_of_a_thing";
    for op in [
        "rescue", "or", "and", "??", "|", "^", "&", "<<", "-", "+", "*", "/", "%",
    ] {
        becomes(
            &format!("let v = {name}_one {op} -{name}_two {op} {name}(1, 2)"),
            &format!("let v = {name}_one {op}\n    -{name}_two {op}\n    {name}(1, 2)\n"),
        );
    }
    // Before a chain of calls, and before brackets that fit.
    becomes(
        &format!("let v = {name}.a(1).b(2).c(3) and {name} and {name}_too"),
        &format!("let v = {name}.a(1).b(2).c(3) and\n    {name} and\n    {name}_too\n"),
    );
    becomes(
        &format!("let v = \"{name}, {name}\" + call({name}, 2)"),
        &format!("let v = \"{name}, {name}\" +\n    call({name}, 2)\n"),
    );
    // What binds closer stays together as long as it fits.
    becomes(
        &format!("let v = {name} * 2 - 3 > 1 or {name} rescue {name}_too * 5 - 1"),
        &format!("let v = {name} * 2 - 3 > 1 or {name} rescue\n    {name}_too * 5 - 1\n"),
    );
    // Brackets around it come first: what is in them may fit then.
    becomes(
        &format!("assert({name} + {name} == \"of twenty-one characters\")"),
        &format!("assert(\n  {name} + {name} == \"of twenty-one characters\"\n)\n"),
    );
    // A comparison with something short comes last.
    becomes(
        &format!("let v = {name}.aaaaaaaaaaaa(1).bbbbbbbbbbbbbbbbbbbb(2).cccccccccccccccc(3) > 3"),
        &format!(
            "let v = {name}\n  .aaaaaaaaaaaa(1)\n  .bbbbbbbbbbbbbbbbbbbb(2)\n  .cccccccccccccccc(3) > 3\n"
        ),
    );
    becomes(
        &format!("let v = {name}.aaaaaaaaaaaa(1).bbbbb(2) > {name}.aaaaaaaaaaaa(1).bbbbb(2)"),
        &format!(
            "let v = {name}.aaaaaaaaaaaa(1).bbbbb(2) >\n    {name}.aaaaaaaaaaaa(1).bbbbb(2)\n"
        ),
    );
    // What the text has broken stays, with its comment.
    becomes(
        &format!("let v = {name} - {name} - # one\n{name} - {name} - {name} - 5 # two"),
        &format!(
            "let v = {name} - {name} -  # one\n    {name} -\n    {name} -\n    {name} -\n    5  # two\n"
        ),
    );
}

#[test]
fn commas_outside_of_brackets_are_broken_too() {
    let name = "some_quite_long_name_of_a_thing";
    becomes(
        &format!("struct P {{ {name} = 1, b = 1 or 2, {name}_too = 3, and_one_more }}"),
        &format!(
            "struct P {{\n  {name} = 1,\n  b = 1 or 2,\n  {name}_too = 3,\n  and_one_more\n}}\n"
        ),
    );
    becomes(
        "struct P {\na,\n# why\nb = 1 +\n2,\nc }",
        "struct P {\n  a,\n  # why\n  b = 1 +\n      2,\n  c\n}\n",
    );
    becomes(
        &format!("lock {name}_a, {name}_b, {name}_c {{ x() }}"),
        &format!("lock {name}_a,\n    {name}_b,\n    {name}_c {{\n  x()\n}}\n"),
    );
}

/// Small programs with every construct, in the blanks and newlines that one may write them in.
fn program() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_string()),
        Just("1".to_string()),
        Just("-2.5".to_string()),
        Just("\"a {x} b\"".to_string()),
        Just("nil".to_string()),
        Just("250ms".to_string()),
        Just("`ls {x}`".to_string()),
        Just("xs[1..]".to_string()),
    ];
    let expr = leaf.prop_recursive(4, 40, 4, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("{a}+{b}")),
            two.clone()
                .prop_map(|(a, b)| format!("quite_a_long_name_of_something-{a}*{b}")),
            two.clone()
                .prop_map(|(a, b)| format!("quite_a_long_name_of_something rescue {a}|{b}")),
            two.clone().prop_map(|(a, b)| format!("({a}  and\n {b})")),
            two.clone().prop_map(|(a, b)| format!("f({a},{b})")),
            two.clone().prop_map(|(a, b)| format!("[{a} ,\n{b},]")),
            two.clone()
                .prop_map(|(a, b)| format!("{{k:{a}, \"two words\": {b}}}")),
            two.clone()
                .prop_map(|(a, b)| format!("if x {{{a}}} else {{\n{b} }}")),
            two.clone()
                .prop_map(|(a, b)| format!("fn(y=1) {{ let z={a}; {b} }}")),
            two.clone()
                .prop_map(|(a, b)| format!("xs\n.map(fn(y) => {a})  .first({b} ).last()")),
            two.clone().prop_map(|(a, b)| format!(
                "match x {{ case 1 {{ {a} }} # one\n else {{ {b} }} }}"
            )),
            two.clone()
                .prop_map(|(a, b)| format!("try {{ {a} }} catch e: A, B {{ {b} }}")),
            two.clone()
                .prop_map(|(a, b)| format!("[{a} for y in xs if {b}]")),
            two.prop_map(|(a, b)| format!("do {{ # c\n {a}\n\n\n ;{b} }}")),
            inner
                .clone()
                .prop_map(|a| format!("spawn(name: \"n\") {{ {a} }}")),
            inner.prop_map(|a| format!("pool map y in xs {{ {a} }}")),
        ]
    });
    let stmt = expr.prop_flat_map(|e| {
        prop_oneof![
            Just(format!("let x={e}")),
            Just(format!("x . y = {e} # why")),
            Just(format!("x += {e} ; g()")),
            Just(format!("fn g( a,b =2 ) {{ return {e} }}")),
            Just(format!("for i in 0 .. 3 {{ {e}\n}}")),
            Just(format!("# above\nwhile x {{ {e} }}\n\n\n")),
            Just(format!("defer {{ {e} }}")),
            Just(format!("lock m {{ {e} }}")),
        ]
    });
    prop::collection::vec(stmt, 1..6).prop_map(|all| all.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_meaning_of_generated_programs_stays(text in program()) {
        // What was put together may not parse (a name declared by nobody does).
        if syntax::parse(&source(&text)).is_ok() {
            holds(&text);
        }
    }
}

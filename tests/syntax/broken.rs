//! Deep texts, and programs broken at random.

use super::{PROGRAMS, reports, scripts, source};
use par::syntax;

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

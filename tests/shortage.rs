//! Address space that has run out (`ulimit -v`) is an error of the script, whatever was being made, and everything goes on after it.

use std::process::{Command, Output};

/// KiB: what the program takes for itself (most of it the machine's stack, which is only reserved), what it keeps back, and some
/// tens of megabytes.
const ENOUGH_FOR_ONE: u32 = 136_000;
/// The same with the least shared memory that processes need.
const ENOUGH_FOR_MANY: u32 = 290_000;

/// In front of each script.
const START: &str = r#"
    import fs
    import json
    fn kind(f) { try { f(); "none" } catch e { e.kind } }
    fn fill() { let xs = []; while true { xs.push("an item of a list, number {len(xs)}") } }
"#;

fn run(limit: u32, code: &str) -> Output {
    let shell = format!("ulimit -v {limit}; exec timeout 300 \"$0\" -e \"$1\"");
    let code = format!("{START}\n{code}");
    Command::new("sh")
        .args(["-c", &shell, env!("CARGO_BIN_EXE_par"), &code])
        .output()
        .unwrap()
}

/// What a script prints that is to end well.
fn printed(limit: u32, code: &str) -> String {
    let output = run(limit, code);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{code}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs steps one after the other in one script: each is to be refused, and afterwards a list of some size is to be made all the same.
fn all_refused(limit: u32, steps: &[&str]) {
    let calls: String = steps
        .iter()
        .map(|step| format!("print(kind(fn() {{ {step} }}))\n"))
        .collect();
    let code = format!("{calls}\nprint(len(list(0..100000)))");
    let wanted = "LimitExceeded\n".repeat(steps.len()) + "100000\n";
    assert_eq!(printed(limit, &code), wanted);
}

#[test]
fn what_grows_is_refused_one_after_the_other() {
    all_refused(
        ENOUGH_FOR_ONE,
        &[
            "let xs = []; while true { xs.push(1) }",
            "fill()",
            "let xs = nil; while true { xs = [xs] }",
            "let kept = []; while true { kept.push(\"x\" * 100000) }",
            "let s = \"some text\"; while true { s += s }",
            "let s = \"some text\"; while true { s += \"some more of it\" * 10000 }",
            "let xs = [nil, 1]; while true { xs += xs }",
            "let m = {}; let i = 0; while true { m[i] = i; i += 1 }",
            "let m = {}; let i = 0; while true { m[\"a key, number {i}\"] = [i]; i += 1 }",
            "let s = set(); let i = 0; while true { s.add(i); i += 1 }",
            "let b = b\"x\"; while true { b += b }",
        ],
    );
}

#[test]
fn what_is_made_at_once_is_refused() {
    all_refused(
        ENOUGH_FOR_ONE,
        &[
            "\"x\" * 1000000000",
            "[nil, 0] * 100000000",
            "b\"x\" * 1000000000",
            "list(0..100000000)",
            "[i for i in 0..100000000]",
            "set(0..10000000)",
            "bytes(1000000000)",
            "\"ab\".ljust(1000000000)",
            "let s = \"x\" * 8000000; s.replace(\"x\", \"twenty times as long\")",
            "let s = \"x\" * 8000000; s.chars()",
            "let s = \"x\" * 8000000; [s, s, s, s, s, s, s, s, s, s].join(\",\")",
            "let s = \"x\" * 8000000; \"{s}{s}{s}{s}{s}{s}{s}{s}{s}{s}\"",
            "let s = \"x\" * 8000000; json.dumps([s, s, s, s, s, s, s, s, s, s])",
            "let xs = list(0..2000000); let ys = xs[0..]; xs.push(\"a\"); ys.push(\"b\")",
        ],
    );
}

#[test]
fn what_is_read_is_refused() {
    let path = std::env::temp_dir().join(format!("par-shortage-{}", std::process::id()));
    std::fs::File::create(&path)
        .unwrap()
        .set_len(400_000_000)
        .unwrap();
    let steps = [
        "fs.read(\"PATH\")",
        "fs.read_bytes(\"PATH\")",
        "let f = open(\"PATH\"); f.read()",
    ]
    .map(|step| step.replace("PATH", &path.display().to_string()));
    all_refused(ENOUGH_FOR_ONE, &steps.each_ref().map(String::as_str));
    all_refused(
        ENOUGH_FOR_MANY,
        &["`head -c 400000000 /dev/zero`.text()", &steps[0]],
    );
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_script_that_lets_go_of_nothing_is_told_each_time() {
    let code = r#"
        let kept = []
        for i in 0..10 {
            print(kind(fn() { while true { kept.push("an item of a list, number {len(kept)}") } }))
        }
        print(len(kept) > 10000)
        kept = []
        print(len(list(0..100000)))
    "#;
    let wanted = "LimitExceeded\n".repeat(10) + "true\n100000\n";
    assert_eq!(printed(ENOUGH_FOR_ONE, code), wanted);
}

#[test]
fn what_is_dead_in_the_frame_of_the_handler_is_not_kept() {
    let code = r#"
        for i in 0..5 {
            try { let xs = []; while true { xs.push("an item of a list, number {len(xs)}") } } catch e { print(e.kind) }
        }
        print(len(list(0..100000)))
    "#;
    let wanted = "LimitExceeded\n".repeat(5) + "100000\n";
    assert_eq!(printed(ENOUGH_FOR_ONE, code), wanted);
}

#[test]
fn garbage_is_collected_before_memory_has_run_out() {
    let code = r#"
        let xs = []
        for i in 0..20 { xs = ["some text, number {i * n}" for n in 0..20000] }
        for i in 0..100 { let text = "x" * 10000000 }
        for i in 0..100 { let numbers = list(0..1000000) }
        print(len(xs))
    "#;
    assert_eq!(printed(ENOUGH_FOR_ONE + 40_000, code), "20000\n");
}

#[test]
fn the_shortage_of_a_child_is_an_event_for_its_parent() {
    let code = r#"
        for i in 0..3 {
            let child = spawn fill()
            try { join child } catch e { print(e.kind) }
        }
        print(kind(fill))
        print(join (spawn len(list(0..100000))))
        print(pool map i in 0..4 { if i == 2 { kind(fill) } else { "item {i}" } })
        print(kind(fn() { pool map i in 0..4 { if i == 2 { fill() } else { i } } }))
        let q = queue()
        print(kind(fn() { q.put(["y" * 20000000, "z" * 20000000, "a" * 20000000, "b" * 20000000]) }))
        q.put("x" * 1000000)
        print(len(q.get()))
    "#;
    let wanted = "LimitExceeded\n".repeat(4)
        + "100000\n[\"item 0\", \"item 1\", \"LimitExceeded\", \"item 3\"]\n"
        + "LimitExceeded\nLimitExceeded\n1000000\n";
    assert_eq!(printed(ENOUGH_FOR_MANY, code), wanted);
}

#[test]
fn who_cannot_even_begin_says_why() {
    let output = run(40_000, "print(1)");
    let told = String::from_utf8_lossy(&output.stderr);
    let wanted = "par: out of memory: the limit of this process (`ulimit -v`) is 40000 KiB";
    assert!(told.contains(wanted), "{told}");
    assert!(!output.status.success());
}

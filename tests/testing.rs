//! `par test`: which tests it finds, how it tells of them, and that nothing of them is left behind.

mod common;

use common::root;
use common::sandbox::{Outcome, run_par};
use std::path::Path;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);

fn par_test(folder: &Path, args: &[&str]) -> Outcome {
    let args: Vec<String> = [&["test"], args]
        .concat()
        .iter()
        .map(|arg| arg.to_string())
        .collect();
    let outcome = run_par(folder, &args, "", TIMEOUT);
    assert!(!outcome.timed_out);
    assert_eq!(outcome.leftovers, Vec::<String>::new());
    outcome
}

/// Runs `par test` in a folder with these files.
fn tested(files: &[(&str, &str)], args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    par_test(folder.path(), args)
}

/// The lines of single tests, without their times, sorted.
fn lines(outcome: &Outcome) -> Vec<String> {
    let words = ["ok ", "FAILED ", "TIMEOUT "];
    let told = outcome.stdout.lines();
    let told = told.filter(|line| words.iter().any(|word| line.starts_with(word)));
    let mut lines: Vec<String> = told
        .map(|line| line.rsplit_once(" (").unwrap().0.to_string())
        .collect();
    lines.sort();
    lines
}

fn last_line(outcome: &Outcome) -> &str {
    let line = outcome.stdout.lines().last().unwrap_or_default();
    line.rsplit_once(" in ").map_or(line, |(sum, _)| sum)
}

#[test]
fn tests_are_found_in_files_and_folders() {
    let one = "fn twice(n) { 2 * n }\ntest \"two\" { assert(twice(1) == 2) }\n";
    let two = "import \"../one.par\" as one\ntest \"four\" { assert(one.twice(2) == 4) }\n";
    let files = [
        ("one.par", one),
        ("lib/two.par", two),
        ("lib/none.par", "print(1)\n"),
    ];
    let all = tested(&files, &[]);
    assert_eq!(
        lines(&all),
        ["ok      lib/two.par: four", "ok      one.par: two"]
    );
    assert_eq!(
        (last_line(&all), all.exit),
        ("2 tests: 2 passed, 0 failed", 0)
    );
    let folder = tested(&files, &["lib"]);
    assert_eq!(lines(&folder), ["ok      lib/two.par: four"]);
    let filtered = tested(&files, &["-k", "two.par: f"]);
    assert_eq!(lines(&filtered), ["ok      lib/two.par: four"]);
    // One that is named twice, also by its folder, is run once.
    let twice = tested(
        &files,
        &["one.par", "lib/two.par", "./one.par", ".", "lib/../one.par"],
    );
    assert_eq!(
        lines(&twice),
        ["ok      lib/two.par: four", "ok      one.par: two"]
    );
    let list = tested(&files, &["--list", "one.par"]);
    assert_eq!(list.stdout, "one.par:2: two\n");
}

#[test]
fn nothing_to_run_is_no_success() {
    let none = tested(&[("a.par", "print(1)\n")], &[]);
    assert_eq!(none.exit, 2, "{}", none.stderr);
    assert!(none.stderr.contains("found none"), "{}", none.stderr);
    let filtered = tested(&[("a.par", "test \"a\" { }\n")], &["-k", "b"]);
    assert_eq!(filtered.exit, 2);
    assert_eq!(tested(&[], &["--timeout", "0"]).exit, 2);
    let input = tested(&[], &["-"]);
    assert_eq!(input.exit, 2);
    assert!(input.stderr.contains("standard input"), "{}", input.stderr);
    let missing = tested(&[], &["no_such.par"]);
    assert_eq!(missing.exit, 1);
    assert!(
        missing.stderr.contains("no such file"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_file_that_does_not_compile_fails_once() {
    let broken = "test \"a\" { print(unknown_name) }\ntest \"b\" { }\n";
    let run = tested(&[("a.par", broken), ("b.par", "test \"c\" { }\n")], &[]);
    assert_eq!(run.exit, 1);
    assert_eq!(
        run.stderr.matches("unknown_name").count(),
        2,
        "{}",
        run.stderr
    );
    assert_eq!(
        last_line(&run),
        "1 test: 1 passed, 0 failed, 1 file not compiled"
    );
}

#[test]
fn a_test_fails_by_whatever_ends_it_early() {
    let text = r#"
test "compares" { print("before"); assert([1, 2, 3] == [1, 3]) }
test "leaves" { exit(0) }
test "is killed" { current_process().kill() }
test "has a child that fails" { spawn { throw error("lost") } }
test "has a child that leaves" { spawn { exit(3) } }
test "has a child that kills itself" { spawn(name: "tired") { current_process().signal("USR1") } }
test "has a child that it ends" { let p = spawn { sleep(100) }; p.kill() }
test "leaves a program of processes" { spawn(daemon: true) { sleep(100) } }
"#;
    let run = tested(&[("a.par", text)], &["a.par", "-j", "2"]);
    assert_eq!(run.exit, 1);
    assert_eq!(last_line(&run), "8 tests: 2 passed, 6 failed");
    for wanted in [
        "---- a.par:2: compares\nbefore\n",
        "but the left side is [1, 2, 3] and the right side is [1, 3]",
        "[1]: 2 | nothing",
        "left by exit(0)",
        "SIGKILL",
        "lost",
        "left with exit(3)",
        "was killed by SIGUSR1",
    ] {
        assert!(run.stdout.contains(wanted), "{wanted}\n{}", run.stdout);
    }
}

#[test]
fn a_test_that_hangs_is_interrupted_where_it_stands() {
    let text = "test \"waits\" {\n  let p = spawn { sleep(1000) }\n  join p\n}\n\
                test \"resists\" { while true { try { sleep(1000) } catch { } } }\n";
    let run = tested(&[("a.par", text)], &["--timeout", "0.3"]);
    assert_eq!(run.exit, 1);
    assert_eq!(
        lines(&run),
        ["TIMEOUT a.par: resists", "TIMEOUT a.par: waits"]
    );
    assert!(run.stdout.contains("a.par:3:3"), "{}", run.stdout);
}

#[test]
fn tests_of_one_name_are_told_by_their_lines() {
    let text = "test \"a\" { }\ntest \"b\" { }\ntest \"a\" { }\ntest \"\" { }\n";
    let outcome = tested(&[("x.par", text)], &["-j", "1"]);
    let lines = lines(&outcome).join("\n");
    for name in [
        "x.par: a (line 1)",
        "x.par: b",
        "x.par: a (line 3)",
        "x.par: (line 4)",
    ] {
        assert!(lines.contains(name), "{name}: {lines}");
    }
}

#[test]
fn tests_do_not_see_one_another() {
    let text = r#"
shared count = 0
let list = []
test "one" { count.value += 1; list.push(1); assert([count.value, list] == [1, [1]]) }
test "two" { count.value += 1; list.push(1); assert([count.value, list] == [1, [1]]) }
test "reads what stands below" { assert(below == 5) }
let below = 5
"#;
    let run = tested(&[("a.par", text)], &[]);
    assert_eq!(
        (last_line(&run), run.exit),
        ("3 tests: 3 passed, 0 failed", 0)
    );
}

#[test]
fn json_has_a_line_for_each_test_and_one_for_all() {
    let text = "test \"fine\" { }\ntest \"not \\\"fine\\\"\" { print(5); assert(false) }\n";
    let run = tested(&[("a.par", text)], &["--json", "-j", "1"]);
    let parsed: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(parsed.len(), 3);
    assert_eq!(parsed[0]["outcome"], "passed");
    assert_eq!(
        (&parsed[1]["name"], &parsed[1]["line"]),
        (&"not \"fine\"".into(), &2.into())
    );
    assert!(parsed[1]["output"].as_str().unwrap().starts_with("5\n"));
    assert_eq!(
        (&parsed[2]["passed"], &parsed[2]["failed"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn tap_has_a_point_for_each_test_and_the_plan() {
    let text = "test \"fine # 1\" { }\ntest \"not\" { print(\"said\"); assert(false) }\n";
    let run = tested(
        &[("a.par", text), ("b.par", "test \"x\" { let = 1 }\n")],
        &["--format", "tap", "-j", "1"],
    );
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "TAP version 14");
    assert!(
        lines[1].starts_with("ok 1 - ") && lines[1].ends_with(": fine \\# 1"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("not ok 2 - ") && lines[2].ends_with(": not"));
    assert_eq!((lines[3], lines[4]), ("  ---", "  outcome: failed"));
    assert_eq!(lines[6], "  line: 2");
    assert!(lines[8].starts_with("  output: \"said\\n"), "{}", lines[8]);
    assert_eq!(lines[9..], ["  ...", "not ok 3 - a file compiles", "1..3"]);
    assert_eq!(run.exit, 1);
    let both = tested(&[("a.par", text)], &["--format", "tap", "--json"]);
    assert_eq!(both.exit, 2);
}

#[test]
fn the_tests_of_the_standard_library_pass() {
    let run = par_test(root(), &["stdlib"]);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn ctrl_c_lets_tests_clean_up_and_tells_what_was_done() {
    let file = "import os\n\
        test \"passes\" { assert(1 == 1) }\n\
        test \"runs\" {\n  defer { `touch cleaned`.run() }\n  try { `kill -INT {os.getppid()}`.run(); sleep(60) } finally { print(\"tidied\") }\n}\n\
        test \"never\" { }\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.par"), file).unwrap();
    let all = par_test(folder.path(), &["--jobs", "1"]);
    let sum = "3 tests: 1 passed, 0 failed, 1 interrupted, 1 not run";
    assert_eq!((last_line(&all), all.exit), (sum, -2), "{}", all.stdout);
    assert!(all.stdout.contains("CTRL-C  a.par: runs"), "{}", all.stdout);
    assert!(all.stdout.contains("tidied"));
    assert!(folder.path().join("cleaned").exists());
}

//! The runner of script tests, tested itself: a runner that lets something pass proves nothing.

mod common;

use common::compare::differences;
use common::directives::Directives;
use common::sandbox::{Outcome, run};
use std::path::Path;
use std::time::Duration;

fn shell(script: &str, timeout: Duration) -> Outcome {
    let args = ["-c".to_string(), script.to_string()];
    run("/bin/sh", Path::new("/"), &args, "", timeout)
}

/// The differences between what a script says and an output with an exit status.
fn compare(script: &str, stdout: &str, stderr: &str, exit: i32) -> Vec<String> {
    let outcome = Outcome {
        stdout: stdout.to_string(),
        stderr: stderr.to_string(),
        exit,
        ..Outcome::default()
    };
    differences("t.par", &Directives::parse(script).unwrap(), &outcome)
}

#[test]
fn ordered_lines_must_come_in_order_and_completely() {
    let script = "print(1) # expect: 1\nprint(2) # expect: 2";
    assert!(compare(script, "1\n2\n", "", 0).is_empty());
    for wrong in ["2\n1\n", "1\n", "1\n2\n3\n", "", "1\n2\n2\n"] {
        assert!(!compare(script, wrong, "", 0).is_empty(), "{wrong:?}");
    }
}

#[test]
fn unordered_lines_float_but_are_counted() {
    let script = "# expect unordered: a\n# expect unordered: a\n# expect: end";
    assert!(compare(script, "a\nend\na\n", "", 0).is_empty());
    assert!(!compare(script, "a\nend\n", "", 0).is_empty());
    assert!(!compare(script, "a\na\na\nend\n", "", 0).is_empty());
}

#[test]
fn first_and_last_are_pinned() {
    let script = "# expect first: start\n# expect unordered: x\n# expect last: end";
    assert!(compare(script, "start\nx\nend\n", "", 0).is_empty());
    assert!(!compare(script, "x\nstart\nend\n", "", 0).is_empty());
    assert!(!compare(script, "start\nend\nx\n", "", 0).is_empty());
}

#[test]
fn a_pattern_covers_the_whole_line() {
    let script = r"# expect match: pid \d+";
    assert!(compare(script, "pid 42\n", "", 0).is_empty());
    assert!(!compare(script, "my pid 42\n", "", 0).is_empty());
}

#[test]
fn an_unexpected_report_or_status_is_a_difference() {
    assert!(!compare("# expect: a", "a\n", "warning", 0).is_empty());
    assert!(!compare("# expect: a", "a\n", "", 1).is_empty());
    assert!(compare("# exit: 3", "", "", 3).is_empty());
}

#[test]
fn an_expected_error_has_its_text_and_its_line() {
    let script = "\nm[x] # expect error: no such key";
    let report = "  × KeyError: no such\n  │ key `b`\n   ╭─[t.par:2:1]\n";
    assert!(compare(script, "", report, 1).is_empty());
    assert!(!compare(script, "", &report.replace("t.par:2", "t.par:3"), 1).is_empty());
    assert!(!compare(script, "", report, 0).is_empty());
}

#[test]
fn the_excerpt_of_a_report_does_not_count() {
    let script = "m[x] # expect error: no such key";
    let report = "  × Other\n   ╭─[t.par:1:1]\n 1 │ m[x] # expect error: no such key\n";
    assert_eq!(compare(script, "", report, 1).len(), 1);
}

#[test]
fn a_slip_in_a_directive_is_found() {
    for slip in [
        "# expect unorderd: a",
        "# exit: many",
        "# skip:",
        "# expect match: (",
    ] {
        assert!(Directives::parse(slip).is_err(), "{slip}");
    }
    let prose = "# expect nothing good here\n# exit is a word too";
    assert!(!Directives::parse(prose).unwrap().expects_something());
}

#[test]
fn input_and_arguments_are_collected() {
    let found = Directives::parse("# stdin: a\n# stdin: b c\n# args: x y").unwrap();
    assert_eq!(found.stdin, "a\nb c\n");
    assert_eq!(found.args, ["x", "y"]);
}

#[test]
fn output_status_and_signal_are_reported() {
    let seen = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60));
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(seen.exit, 3);
    assert_eq!(shell("kill -9 $$", Duration::from_secs(60)).exit, -9);
}

#[test]
fn the_watchdog_ends_what_does_not_end() {
    let seen = shell("sleep 1000", Duration::from_millis(50));
    assert!(seen.timed_out);
}

#[test]
fn a_process_left_behind_is_found_even_in_another_session() {
    let seen = shell(
        // While a program is being started, it has no environment to be found by.
        "setsid sleep 1000 >/dev/null 2>&1 & until grep -q sleep /proc/$!/comm; do :; done",
        Duration::from_secs(60),
    );
    assert_eq!(seen.leftovers.len(), 1, "{:?}", seen.leftovers);
}

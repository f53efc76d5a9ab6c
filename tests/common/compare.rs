//! Compares what a script did with what its directives expect.

use super::directives::{Directives, Pattern};
use super::sandbox::Outcome;

/// Every difference, in words; empty when the run is as expected.
pub fn differences(name: &str, expected: &Directives, run: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    if run.timed_out {
        found.push(format!(
            "still running after {} s: the watchdog ended it",
            expected.timeout.as_secs()
        ));
    }
    if !run.leftovers.is_empty() {
        found.push(format!(
            "left processes behind: {}",
            run.leftovers.join(", ")
        ));
    }
    found.extend(stdout_differences(expected, &run.stdout));
    if !run.timed_out {
        match expected.exit_status() {
            Some(code) if run.exit != code => {
                found.push(format!("exit status: expected {code}, found {}", run.exit));
            }
            None if run.exit == 0 => {
                found.push("exit status: expected a failure, found 0".to_string());
            }
            _ => {}
        }
    }
    found.extend(stderr_differences(name, expected, &run.stderr));
    found
}

/// The lines of the output against the ordered, unordered, first and last expectations.
fn stdout_differences(expected: &Directives, stdout: &str) -> Option<String> {
    let mut lines: Vec<&str> = stdout.lines().map(str::trim_end).collect();
    if let Some(first) = &expected.first {
        if !lines.first().is_some_and(|line| first.accepts(line)) {
            return Some(report(expected, stdout, &[], "the first line differs"));
        }
        lines.remove(0);
    }
    if let Some(last) = &expected.last
        && !lines.pop().is_some_and(|line| last.accepts(line))
    {
        return Some(report(expected, stdout, &[], "the last line differs"));
    }
    // An exact text claims its line before a pattern does, so that a loose pattern cannot take it away.
    let (mut exact, mut loose): (Vec<&Pattern>, Vec<&Pattern>) = expected
        .unordered
        .iter()
        .partition(|pattern| matches!(pattern, Pattern::Exact(_)));
    let mut ordered = expected.ordered.iter().peekable();
    let mut surplus = Vec::new();
    for line in lines {
        let take = |patterns: &mut Vec<&Pattern>| {
            let place = patterns.iter().position(|pattern| pattern.accepts(line));
            place.map(|place| patterns.remove(place)).is_some()
        };
        if ordered.peek().is_some_and(|pattern| pattern.accepts(line)) {
            ordered.next();
        } else if !take(&mut exact) && !take(&mut loose) {
            surplus.push(line);
        }
    }
    let mut missing: Vec<&Pattern> = ordered.collect();
    missing.extend(exact);
    missing.extend(loose);
    (!missing.is_empty() || !surplus.is_empty())
        .then(|| report(expected, stdout, &missing, "the output differs"))
}

fn report(expected: &Directives, stdout: &str, missing: &[&Pattern], title: &str) -> String {
    let mut text = format!("{title}\n  expected:\n");
    let all = expected
        .first
        .iter()
        .map(|pattern| ("first: ", pattern))
        .chain(expected.ordered.iter().map(|pattern| ("", pattern)))
        .chain(
            expected
                .unordered
                .iter()
                .map(|pattern| ("any order: ", pattern)),
        )
        .chain(expected.last.iter().map(|pattern| ("last: ", pattern)));
    for (label, pattern) in all {
        let lacking = missing
            .iter()
            .any(|found| std::ptr::eq::<Pattern>(*found, pattern));
        let mark = if lacking { '-' } else { ' ' };
        text.push_str(&format!("  {mark} | {label}{}\n", pattern.text()));
    }
    text.push_str("  found:\n");
    for line in stdout.lines() {
        text.push_str(&format!("    | {line}\n"));
    }
    text
}

fn stderr_differences(name: &str, expected: &Directives, stderr: &str) -> Vec<String> {
    let mut found = Vec::new();
    let flat = flatten(stderr);
    for error in &expected.errors {
        if !flat.contains(&flatten(&error.text)) {
            found.push(format!("no error was reported with `{}`", error.text));
        }
        let place = format!("{name}:{}:", error.line);
        if !flat.contains(&place) {
            found.push(format!("no error points to `{place}`"));
        }
    }
    for text in &expected.stderr {
        if !flat.contains(&flatten(text)) {
            found.push(format!("standard error does not contain `{text}`"));
        }
    }
    if expected.errors.is_empty() && expected.stderr.is_empty() && !stderr.is_empty() {
        found.push("standard error is not empty".to_string());
    }
    found
}

/// A report without the frame and the line breaks that rendering adds, so that a long message is found whole, and without
/// the lines of the script that it shows: their comments hold the very text that is looked for.
fn flatten(report: &str) -> String {
    let is_excerpt = |line: &&str| {
        line.split_once(" │")
            .is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok())
    };
    let lines: Vec<&str> = report.lines().filter(|line| !is_excerpt(line)).collect();
    let text = lines.join("\n");
    text.split(|c: char| c.is_whitespace() || "│╭╰─▶×⚠☞·".contains(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

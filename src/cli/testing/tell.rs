//! What `par test` prints: a line for each test as it ends, the output of those that failed, and the sum.

use super::{Ended, Verdict};
use crate::cli::args::Form;
use crate::cli::report::Reporter;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Collects what is told at the end.
pub(super) struct Teller {
    form: Form,
    color: bool,
    begin: Instant,
    passed: usize,
    failed: Vec<Ended>,
}

impl Teller {
    pub(super) fn new(form: Form, reporter: &Reporter) -> Teller {
        if form == Form::Tap {
            print_line("TAP version 14");
        }
        Teller {
            form,
            color: reporter.colored() && std::io::stdout().is_terminal(),
            begin: Instant::now(),
            passed: 0,
            failed: Vec::new(),
        }
    }

    /// Tells of one test.
    pub(super) fn ended(&mut self, ended: Ended) {
        match self.form {
            Form::Json => print_line(
                &serde_json::json!({
                    "file": ended.test.file.to_string_lossy(),
                    "line": ended.test.line,
                    "name": ended.test.name,
                    "outcome": outcome(ended.verdict),
                    "seconds": ended.took.as_secs_f64(),
                    "output": ended.output,
                })
                .to_string(),
            ),
            Form::Tap => print_line(&test_point(self.passed + self.failed.len() + 1, &ended)),
            Form::Text => {
                let (word, escape) = match ended.verdict {
                    Verdict::Passed => ("ok     ", "\x1b[32m"),
                    Verdict::Failed => ("FAILED ", "\x1b[1;31m"),
                    Verdict::TimedOut => ("TIMEOUT", "\x1b[1;31m"),
                    Verdict::Interrupted => ("CTRL-C ", "\x1b[1;33m"),
                };
                let word = self.painted(word, escape);
                let took = shown(ended.took);
                print_line(&format!("{word} {} ({took})", ended.test.full_name()));
            }
        }
        match ended.verdict {
            Verdict::Passed => self.passed += 1,
            _ => self.failed.push(ended),
        }
    }

    /// Tells what failed and the sum; `broken` files did not compile, and `left` tests were not run. How much failed.
    pub(super) fn summary(mut self, broken: usize, left: usize) -> usize {
        let all = self.failed.len();
        let interrupted = |ended: &&Ended| ended.verdict == Verdict::Interrupted;
        let interrupted = self.failed.iter().filter(interrupted).count();
        let failed = all - interrupted;
        let took = self.begin.elapsed();
        match self.form {
            Form::Json => print_line(
                &serde_json::json!({
                    "passed": self.passed,
                    "failed": failed,
                    "interrupted": interrupted,
                    "not_run": left,
                    "broken_files": broken,
                    "seconds": took.as_secs_f64(),
                })
                .to_string(),
            ),
            Form::Tap => {
                let ended = self.passed + all;
                if interrupted + left > 0 {
                    print_line("Bail out! interrupted by Ctrl-C");
                }
                // Who only counts the points must see it too; the errors themselves are on standard error.
                for number in 1..=broken {
                    print_line(&format!("not ok {} - a file compiles", ended + number));
                }
                print_line(&format!("1..{}", ended + broken));
            }
            Form::Text => self.summary_for_people(broken, [failed, interrupted, left], took),
        }
        failed + broken
    }

    fn summary_for_people(
        &mut self,
        broken: usize,
        [failed, interrupted, left]: [usize; 3],
        took: Duration,
    ) {
        // In the order of the text, whichever ended first.
        self.failed.sort_by(|a, b| {
            let place = |ended: &Ended| (ended.test.file.clone(), ended.test.index);
            place(a).cmp(&place(b))
        });
        for ended in &self.failed {
            let (test, output) = (&ended.test, ended.output.trim_end());
            let head = format!("---- {}:{}: {}", test.file.display(), test.line, test.name);
            print_line(&format!("\n{}", self.painted(&head, "\x1b[1m")));
            if ended.verdict == Verdict::TimedOut {
                print_line(&format!("did not end within {}", shown(ended.took)));
            }
            if !output.is_empty() {
                print_line(output);
            }
        }
        let all = counted(self.passed + self.failed.len() + left, "test");
        let mut sum = format!("\n{all}: {} passed, {failed} failed", self.passed);
        if interrupted + left > 0 {
            sum.push_str(&format!(", {interrupted} interrupted, {left} not run"));
        }
        if broken > 0 {
            sum.push_str(&format!(", {} not compiled", counted(broken, "file")));
        }
        print_line(&format!("{sum} in {}", shown(took)));
    }

    fn painted(&self, text: &str, escape: &str) -> String {
        match self.color {
            true => format!("{escape}{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::TimedOut => "timed out",
        Verdict::Interrupted => "interrupted",
    }
}

/// A test point of TAP; behind it, as YAML, how a test failed.
fn test_point(number: usize, ended: &Ended) -> String {
    let word = match ended.verdict {
        Verdict::Passed => "ok",
        _ => "not ok",
    };
    // A `#` would begin a directive.
    let name = ended.test.full_name().replace('\\', "\\\\");
    let name = name.replace('#', "\\#").replace('\n', " ");
    let mut text = format!("{word} {number} - {name}");
    if ended.verdict == Verdict::Passed {
        return text;
    }
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let file = quoted(&ended.test.file.to_string_lossy());
    text += &format!("\n  ---\n  outcome: {}\n", outcome(ended.verdict));
    text += &format!("  file: {file}\n  line: {}\n", ended.test.line);
    text += &format!("  seconds: {:.3}\n", ended.took.as_secs_f64());
    // A text of JSON is one of YAML too, whatever is in it.
    text += &format!("  output: {}\n  ...", quoted(&ended.output));
    text
}

fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

fn shown(took: Duration) -> String {
    match took.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

/// Nobody can be told when standard output is closed; the exit code still says how it went.
fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

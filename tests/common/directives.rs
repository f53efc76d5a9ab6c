//! The directives that a test script carries in its comments. `tests/README.md` lists them.

use regex::Regex;
use std::time::Duration;

/// How an expected line is compared with a line of the output.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The whole line is this text.
    Exact(String),
    /// The regular expression covers the whole line.
    Match(Regex),
}

impl Pattern {
    /// Whether the line is what was expected.
    pub fn accepts(&self, line: &str) -> bool {
        match self {
            Pattern::Exact(text) => text == line,
            Pattern::Match(regex) => regex.is_match(line),
        }
    }

    /// What to show in a report.
    pub fn text(&self) -> &str {
        match self {
            Pattern::Exact(text) => text,
            Pattern::Match(regex) => regex.as_str(),
        }
    }
}

/// An error that must be reported, and the line of the script that it must point to.
#[derive(Debug, Clone)]
pub struct ExpectedError {
    /// A part of the rendered report.
    pub text: String,
    /// The line (from 1) that carries the directive.
    pub line: usize,
}

/// Everything that a script says about its own run.
#[derive(Debug, Clone)]
pub struct Directives {
    /// Lines of the output in this order.
    pub ordered: Vec<Pattern>,
    /// Lines of the output that may stand anywhere between the ordered ones.
    pub unordered: Vec<Pattern>,
    /// The first line of the output.
    pub first: Option<Pattern>,
    /// The last line of the output.
    pub last: Option<Pattern>,
    /// Errors that must be reported.
    pub errors: Vec<ExpectedError>,
    /// Parts of the standard error.
    pub stderr: Vec<String>,
    /// The exit status.
    pub exit: Option<i32>,
    /// Standard input.
    pub stdin: String,
    /// The arguments of the script.
    pub args: Vec<String>,
    /// When the watchdog ends the test.
    pub timeout: Duration,
    /// How often the test runs.
    pub repeat: usize,
    /// Part of another test, not a test itself.
    pub helper: bool,
    /// Why the test does not run.
    pub skip: Option<String>,
}

impl Default for Directives {
    fn default() -> Self {
        Directives {
            ordered: Vec::new(),
            unordered: Vec::new(),
            first: None,
            last: None,
            errors: Vec::new(),
            stderr: Vec::new(),
            exit: None,
            stdin: String::new(),
            args: Vec::new(),
            timeout: Duration::from_secs(10),
            repeat: 1,
            helper: false,
            skip: None,
        }
    }
}

impl Directives {
    /// Reads the directives of a script. A mistake in one is an error, so that no expectation is lost by a slip.
    pub fn parse(source: &str) -> Result<Directives, String> {
        let mut directives = Directives::default();
        for (index, line) in source.lines().enumerate() {
            if let Some((name, text)) = find(line) {
                directives
                    .add(name, text, index + 1)
                    .map_err(|problem| format!("line {}: {problem}", index + 1))?;
            }
        }
        Ok(directives)
    }

    /// A test that expects nothing proves nothing.
    pub fn expects_something(&self) -> bool {
        !self.ordered.is_empty()
            || !self.unordered.is_empty()
            || self.first.is_some()
            || self.last.is_some()
            || !self.errors.is_empty()
            || !self.stderr.is_empty()
            || self.exit.is_some()
    }

    /// The exit status that must be seen: what the test says, else 0, or `None` (any but 0) where an error is expected.
    pub fn exit_status(&self) -> Option<i32> {
        match self.exit {
            Some(code) => Some(code),
            None if self.errors.is_empty() => Some(0),
            None => None,
        }
    }

    fn add(&mut self, name: &str, text: &str, line: usize) -> Result<(), String> {
        let exact = || Pattern::Exact(text.to_string());
        let number = || text.parse::<u32>().map_err(|_| not_a_number(name, text));
        match name {
            "expect" => self.ordered.push(exact()),
            "expect match" => self.ordered.push(whole_line(text)?),
            "expect unordered" => self.unordered.push(exact()),
            "expect unordered match" => self.unordered.push(whole_line(text)?),
            "expect first" => self.first = Some(exact()),
            "expect first match" => self.first = Some(whole_line(text)?),
            "expect last" => self.last = Some(exact()),
            "expect last match" => self.last = Some(whole_line(text)?),
            "expect error" => self.errors.push(ExpectedError {
                text: text.to_string(),
                line,
            }),
            "expect stderr" => self.stderr.push(text.to_string()),
            "exit" => self.exit = Some(text.parse().map_err(|_| not_a_number(name, text))?),
            "stdin" => {
                self.stdin.push_str(text);
                self.stdin.push('\n');
            }
            "args" => self
                .args
                .extend(text.split_whitespace().map(str::to_string)),
            "timeout" => self.timeout = Duration::from_secs(number()?.into()),
            "repeat" => self.repeat = number()? as usize,
            "helper" => self.helper = true,
            "skip" if text.is_empty() => return Err("`skip` needs its reason".to_string()),
            "skip" => self.skip = Some(text.to_string()),
            _ => return Err(format!("unknown directive `{name}`")),
        }
        Ok(())
    }
}

fn not_a_number(name: &str, text: &str) -> String {
    format!("`{name}` needs a whole number, but is `{text}`")
}

fn whole_line(text: &str) -> Result<Pattern, String> {
    Regex::new(&format!("^(?:{text})$"))
        .map(Pattern::Match)
        .map_err(|problem| problem.to_string())
}

/// The directive in a line: its name and its text. Anything else in a comment is prose.
fn find(line: &str) -> Option<(&str, &str)> {
    const WORDS: [&str; 8] = [
        "# expect",
        "# exit:",
        "# stdin:",
        "# args:",
        "# timeout:",
        "# repeat:",
        "# skip:",
        "# helper",
    ];
    let start = WORDS.iter().filter_map(|word| line.find(word)).min()?;
    let comment = line[start + 2..].trim_end();
    if comment == "helper" {
        return Some(("helper", ""));
    }
    let (name, text) = comment.split_once(':')?;
    let known = name == "expect" || name.starts_with("expect ") || !name.contains(' ');
    known.then(|| (name, text.strip_prefix(' ').unwrap_or(text)))
}

//! How a command failed, as an error that names the program, what it did, and the last that it said.

use super::running::Running;
use super::streams::Source;
use crate::diag::{Error, Field, Result, codes};
use crate::os::fork::WaitStatus;
use crate::os::signal;
use crate::process::{programs, signals};

/// Lines of a standard error that the report of an error shows.
const LINES: usize = 10;
/// Characters of its last line that the message has.
const CLIPPED: usize = 200;
/// Bytes of partial output that an error carries.
const KEPT: usize = 64 * 1024;

/// What became of the stages.
pub struct Verdict {
    /// How each ended.
    pub statuses: Vec<WaitStatus>,
    /// The first that failed.
    pub failed: Option<usize>,
}

/// Judges a command whose programs have all ended.
///
/// # Errors
/// `Interrupted`, when a program has died of a Ctrl-C that came to us too.
pub fn judge(running: &Running) -> Result<Verdict> {
    let ended = running.statuses().into_iter();
    let statuses: Vec<WaitStatus> = ended.map(|s| s.unwrap_or(WaitStatus::Exited(0))).collect();
    let allowed: Vec<Vec<i32>> = running.stages.iter().map(|s| s.allowed.clone()).collect();
    let readers = statuses.len().saturating_sub(1);
    let failed = programs::first_failure(&statuses, &allowed, readers);
    statuses
        .iter()
        .try_for_each(|&status| signals::check_shared(status, None))?;
    Ok(Verdict { statuses, failed })
}

/// A status as scripts see it: a code, or minus the number of a signal.
pub fn code_of(status: WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(code) => code,
        WaitStatus::Signalled(number) => -number,
    }
}

impl Verdict {
    /// The code of the whole: that of the stage that failed, or of the last.
    pub fn code(&self) -> i32 {
        let at = self.failed.unwrap_or(self.statuses.len().saturating_sub(1));
        self.statuses.get(at).map_or(0, |&status| code_of(status))
    }

    /// The codes of all.
    pub fn codes(&self) -> Vec<i32> {
        self.statuses
            .iter()
            .map(|&status| code_of(status))
            .collect()
    }

    /// The error of the stage that failed; `None` when none has.
    pub fn error(&self, running: &Running) -> Option<Box<Error>> {
        let at = self.failed?;
        let status = self.statuses.get(at).copied()?;
        let label = running
            .stages
            .get(at)
            .map_or_else(String::new, |stage| stage.label());
        let label = match running.stages.len() {
            1 => format!("`{}`", running.label),
            count => format!("`{label}` (stage {} of {count})", at + 1),
        };
        let what = match status {
            WaitStatus::Exited(code) => format!("exited with {code}"),
            WaitStatus::Signalled(number) => format!("was killed by {}", signal::name_of(number)),
        };
        let said = String::from_utf8_lossy(running.last_words(at)).into_owned();
        let mut message = format!("{label} was to exit with 0, but {what}");
        if let Some(last) = said.lines().rev().find(|line| !line.trim().is_empty()) {
            message = format!("{message}: {}", clip(last.trim()));
        }
        let mut error = Error::new(codes::EXIT, message);
        let lines: Vec<&str> = said.trim_end().lines().collect();
        if lines.len() > 1 {
            let end = lines
                .get(lines.len().saturating_sub(LINES)..)
                .unwrap_or_default();
            let note = format!("the end of its standard error:\n{}", end.join("\n"));
            error = error.with_note(note);
        }
        error = error.with_field("code", Field::Int(i64::from(code_of(status))));
        if let WaitStatus::Signalled(number) = status {
            error = error
                .with_field("signal", Field::Int(i64::from(number)))
                .with_field("signal_name", Field::Text(signal::name_of(number)));
        }
        let codes = self.codes().into_iter();
        let codes = codes.map(|code| Field::Int(i64::from(code))).collect();
        if running.output.as_ref().is_some_and(Source::is_kept) {
            error = error.with_field("output", end_of_output(running));
        }
        Some(
            error
                .with_field("command", Field::Text(running.label.to_string()))
                .with_field("stage", Field::Int(at as i64 + 1))
                .with_field("codes", Field::List(codes))
                .with_field("stderr", Field::Text(said)),
        )
    }
}

/// The end of what came of its output and was not taken.
fn end_of_output(running: &Running) -> Field {
    let source = running.output.as_ref();
    let output = source.map_or(&[][..], |source| source.rest());
    let from = output.len().saturating_sub(KEPT);
    let end = output.get(from..).unwrap_or_default();
    Field::Text(String::from_utf8_lossy(end).into_owned())
}

/// The error of a command whose time is over, with what came of it until then.
pub fn out_of_time(running: &Running) -> Box<Error> {
    let held_open = running.is_over() && !running.is_late();
    let (label, seconds) = (&running.label, running.seconds);
    let why = match held_open {
        true => "but what it started holds its output open",
        false => "but it took longer",
    };
    let message = format!("`{label}` was to end within {seconds} s, {why}; it was ended");
    let words: Vec<u8> = (0..running.stages.len())
        .flat_map(|at| running.last_words(at).iter().copied())
        .collect();
    let text = |bytes: &[u8]| Field::Text(String::from_utf8_lossy(bytes).into_owned());
    Error::new(codes::TIMEOUT, message)
        .with_field("seconds", Field::Float(seconds))
        .with_field("command", Field::Text(label.to_string()))
        .with_field("output", end_of_output(running))
        .with_field("stderr", text(&words))
}

fn clip(line: &str) -> String {
    match line.char_indices().nth(CLIPPED) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_string(),
    }
}

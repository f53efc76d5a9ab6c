//! Reports on standard error, and the error reference.

use super::args::Color;
use crate::diag::{self, codes};
use crate::os;
use crate::process::wait;
use crate::source::SourceMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Columns of a report on a terminal that has more: longer lines are hard to read.
const MAX_WIDTH: usize = 110;

/// Prints reports in the colours that the user asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Reporter {
    color: Color,
}

impl Reporter {
    pub(super) fn new(color: Color) -> Reporter {
        Reporter { color }
    }

    /// Whether reports are coloured. Looked up only when there is something to report.
    pub(super) fn colored(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                !refused && !dumb && std::io::stderr().is_terminal()
            }
        }
    }

    /// Terminals get lines of their own width, files whole sentences.
    fn style(&self) -> diag::Style {
        let columns = os::terminal::columns();
        diag::Style {
            color: self.colored(),
            wrap: columns.is_some(),
            width: columns.map_or(diag::Style::PLAIN.width, |columns| columns.min(MAX_WIDTH)),
        }
    }

    /// Prints one report.
    pub(super) fn report(&self, error: &diag::Error, sources: &SourceMap) {
        self.report_all(std::slice::from_ref(error), sources);
    }

    /// Prints reports in their order.
    pub(super) fn report_all(&self, errors: &[diag::Error], sources: &SourceMap) {
        if errors.is_empty() {
            return;
        }
        let style = self.style();
        let text = diag::render_all(errors, sources, style);
        // In one piece, so that reports of several processes do not mix; a closed standard error cannot be told of.
        wait::report(text.as_bytes());
    }
}

/// `par explain CODE`.
pub(super) fn explain(code: Option<&str>) -> ExitCode {
    let mut text = String::new();
    match code {
        None => {
            for row in codes::REFERENCE {
                text.push_str(&format!("{}  {:<16} {}\n", row.code.0, row.kind, row.title));
            }
        }
        Some(code) => match codes::Code::find(&code.to_uppercase()) {
            Some(code) => text = diag::explain::text(code),
            None => {
                eprintln!("par: expected an error code such as R012, found `{code}`");
                return ExitCode::from(super::USAGE);
            }
        },
    }
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

//! The lines of a command while it runs.

use super::run::{AS_BYTES, Foreground, decode, start_captured};
use crate::builtins::encoding::Coding;
use crate::builtins::lazy;
use crate::builtins::scarce::{self, Scarce};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::fork;
use crate::process::pool::reading;
use crate::program::streams::Source;
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, NativeIter, Outcome};
use crate::value::operate;
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes that are read ahead: a program that is faster than the loop waits.
pub(super) const AHEAD: usize = 256 * 1024;

/// The lines; the command runs as long as there is one.
struct Lines {
    /// `None` once it has ended. Taken out while it is at work: what feeds it may call back.
    open: RefCell<Option<Foreground>>,
    /// The process that runs it: one that is forked while it is at work finds nothing open.
    owner: i32,
    /// What its input is read from.
    feed: Option<Rc<dyn NativeIter>>,
    /// How its output is written, if not in UTF-8.
    coding: Option<Coding>,
    _open: Scarce,
}

pub(super) fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let coding = Coding::given("lines", &args[1], &args[2])?;
    let mut foreground = start_captured(context, "lines", &args[0], coding)?;
    if let Some(output) = &mut foreground.running.output {
        output.most = AHEAD;
    }
    foreground.is_read_meanwhile = true;
    let feed = foreground.feed.clone();
    let lines = Lines {
        open: RefCell::new(Some(foreground)),
        owner: fork::pid(),
        feed,
        coding,
        _open: Scarce::new(context.heap(), scarce::PROGRAM),
    };
    Ok(lazy::value(context, lines))
}

/// The length of the next line with its end, if it is there; the whole rest when nothing more can come.
pub(super) fn next_line(source: &Source, searched: &mut usize) -> Option<usize> {
    let rest = source.rest();
    let from = rest.get(*searched..).unwrap_or_default();
    if let Some(at) = memchr::memchr(b'\n', from) {
        return Some(*searched + at + 1);
    }
    *searched = rest.len();
    source.is_over().then_some(rest.len())
}

/// As [`next_line`]; a line longer than what is read ahead makes that more.
pub(super) fn found_line(source: Option<&mut Source>, searched: &mut usize) -> Option<usize> {
    let source = source?;
    let found = next_line(source, searched);
    if found.is_none() && *searched >= source.most {
        source.most = source.most.saturating_mul(2).min(MAX_STRING + 1);
    }
    found
}

/// A line without its end.
pub fn without_end(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    line
}

impl Lines {
    /// An error of a wait for the program: where that was only broken off, it runs on, and is asked again.
    fn broken_off(&self, foreground: Foreground, fault: Fault) -> Fault {
        if matches!(&fault, Fault::Error(error) if reading::is_break_off(error)) {
            self.open.replace(Some(foreground));
        }
        fault
    }
}

impl NativeIter for Lines {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        if self.owner != fork::pid() {
            let message =
                "the lines of a command are read by the process that runs it, but this is another";
            return Err(diag::Error::new(codes::VALUE, message).into());
        }
        let Some(mut foreground) = self.open.take() else {
            return Ok(None);
        };
        // What is there already is given without a look at the pipes: one costs as much as a thousand lines.
        let mut searched = 0;
        let output = foreground.running.output.as_ref();
        let mut found = output.and_then(|output| next_line(output, &mut searched));
        if found.is_none() || foreground.running.has_had_its_time() {
            let pumped = foreground.pump(context, |running| {
                found = found_line(running.output.as_mut(), &mut searched);
                found.is_some() || searched > MAX_STRING
            });
            if let Err(fault) = pumped {
                return Err(self.broken_off(foreground, fault));
            }
        }
        operate::within("lines", searched, MAX_STRING)?;
        let source = foreground.running.output.as_mut();
        let line = source.map_or_else(Vec::new, |source| source.take(found.unwrap_or(0)));
        if !line.ends_with(b"\n") {
            foreground.check_output("lines", self.coding)?;
        }
        if line.is_empty() {
            if let Err(fault) = foreground.pump(context, |running| running.is_over()) {
                return Err(self.broken_off(foreground, fault));
            }
            let verdict = foreground.finish(context)?;
            return match verdict.error(&foreground.running) {
                Some(error) => Err(error.into()),
                None => Ok(None),
            };
        }
        let value = decode(context, "lines", without_end(line), AS_BYTES)?;
        self.open.replace(Some(foreground));
        Ok(Some(value))
    }

    fn may_break_off(&self) -> bool {
        true
    }

    fn close(&self) {
        if let Ok(mut open) = self.open.try_borrow_mut() {
            // Dropped: that ends it.
            open.take();
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        if let Some(feed) = &self.feed {
            feed.trace(marker);
        }
    }
}

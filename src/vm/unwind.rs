//! Errors on their way: what is added to them, and who handles them.

#![allow(unsafe_code)]

use super::arguments::too_early;
use super::state::Machine;
use crate::compile::code::OWN_END;
use crate::diag::{self, codes};
use crate::process::scope;
use crate::value::error::ErrorValue;
use crate::value::heap::Gc;
use crate::value::native::{Fault, Outcome};
use crate::value::{Value, show};

/// Frames told of in a trace.
const TRACE: usize = 64;
/// Causes behind each other that an error may have by being raised while others were dealt with, and that a report takes along.
pub(super) const MAX_CAUSES: usize = 30;

/// Makes slots of the stack, up to one that may lie below them, slots that nobody has written.
///
/// # Safety
/// They lie inside the stack, and nobody uses them.
pub(super) unsafe fn clear(from: *mut Value, end: *mut Value) {
    if from < end {
        // SAFETY: as above; zero bytes are Undef.
        unsafe {
            let count = end.offset_from(from) as usize;
            std::ptr::write_bytes(from, 0, count);
        }
    }
}

impl Machine {
    /// Finds the handler of a fault that was raised in the current frame, and lets the frame that has it go on there. Without
    /// one, the fault leaves the loop; the entry frame is gone then.
    #[cold]
    pub(super) fn unwind(&mut self, fault: Option<Fault>) -> Outcome<()> {
        let unknown = || diag::Error::new(codes::INTERNAL, "a fault was lost").into();
        let (mut value, exits) = match fault.unwrap_or_else(unknown) {
            Fault::Exit(code) => (Value::Int(i64::from(code)), true),
            Fault::Thrown(value) => (value, false),
            Fault::Error(report) => {
                let report = self.complete(report);
                let error = ErrorValue::new(&mut self.heap, report, Vec::new(), Value::Nil);
                (Value::Error(error), false)
            }
        };
        let end = self.frame_top();
        loop {
            // SAFETY: the current frame is one that runs: the loop was entered with one, and leaves at its entry frame.
            let frame = unsafe { &mut *self.frames.current };
            let at = frame.at() as u32;
            let handling = frame.code().map_or(&[][..], |proto| &proto.handling);
            if let Some(stretch) = handling.iter().find(|h| h.start <= at && at < h.end) {
                // SAFETY: a register of the window; the handler of the stretch has written it.
                let handled = unsafe { *frame.base.add(stretch.register as usize) };
                value = self.caused_by(value, handled);
            }
            let handlers = frame.code().map_or(&[][..], |proto| &proto.handlers);
            let found = handlers
                .iter()
                .find(|h| h.start <= at && at < h.end && (h.always || !exits));
            if let Some(handler) = found {
                let (register, target) = (handler.register as usize, handler.target as usize);
                // SAFETY: the compiler names a register of the window and an instruction of the code.
                unsafe {
                    *frame.base.add(register) = value;
                    frame.pc = (*frame.proto).code.as_ptr().add(target);
                    // Registers above that of the error are in use no more. What they refer to may be why there was an error.
                    clear(frame.base.add(register + 1), end);
                }
                return Ok(());
            }
            let entry = frame.entry;
            if entry {
                // SAFETY: the windows of the frames that are left.
                unsafe { clear(frame.base, end) };
            }
            self.frames.current = std::ptr::from_mut(frame).wrapping_sub(1);
            if entry {
                return Err(match (exits, value) {
                    (true, Value::Int(code)) => Fault::Exit(code as i32),
                    _ => Fault::Thrown(value),
                });
            }
        }
    }

    /// An error that was raised while another was dealt with: unless it has a cause of its own, that is its cause.
    fn caused_by(&mut self, value: Value, handled: Value) -> Value {
        let (Value::Error(new), Value::Error(old)) = (value, handled) else {
            return value;
        };
        // A scope that raises why its block was ended.
        if scope::is_end_of_block(&old.report) {
            return value;
        }
        // The same one again, perhaps with more told of it, or an older one that is raised again.
        let is_same = |error: &ErrorValue| {
            (&error.report.message, error.report.span) == (&new.report.message, new.report.span)
        };
        let mut behind = Some(old);
        for _ in 0..MAX_CAUSES {
            match behind {
                Some(error) if is_same(&error) => return value,
                Some(error) => {
                    behind = match error.cause {
                        Value::Error(cause) => Some(cause),
                        _ => None,
                    };
                }
                None => break,
            }
        }
        if behind.is_some() || !matches!(new.cause, Value::Nil) {
            return value;
        }
        let (report, attributes) = (new.report.clone(), new.attributes.clone());
        Value::Error(ErrorValue::new(
            &mut self.heap,
            report,
            attributes,
            Value::Error(old),
        ))
    }

    /// Adds place, trace and process to an error of this process that has none yet.
    pub(super) fn complete(&self, mut report: Box<diag::Error>) -> Box<diag::Error> {
        if report.trace.is_empty() {
            report.trace = self.trace();
        }
        if report.span.is_none() {
            report.span = self.current_place();
        }
        if report.process.is_none() {
            report.process = self.hooks.process.map(|process| process());
        }
        report
    }

    /// The calls that are running, the innermost first.
    pub(super) fn trace(&self) -> Vec<diag::Frame> {
        let frames = self.frames.running().filter_map(|frame| {
            let proto = frame.code()?;
            Some(diag::Frame {
                function: proto.name.to_string(),
                span: proto.place(frame.at()),
            })
        });
        frames.take(TRACE).collect()
    }

    /// Where the innermost frame is.
    pub(super) fn current_place(&self) -> Option<crate::source::Span> {
        let frame = self.frames.running().next()?;
        Some(frame.code()?.place(frame.at()))
    }

    /// `throw value`.
    pub(super) fn throw(&mut self, value: Value) -> Outcome<()> {
        match value {
            Value::Error(error) if error.report.span.is_some() => Err(Fault::Thrown(value)),
            Value::Error(error) => Err(Fault::Thrown(self.placed(error))),
            Value::Short(_) | Value::Str(_) => {
                let text = value.as_str().unwrap_or_default();
                Err(diag::Error::new(codes::USER, text).into())
            }
            other => {
                let message = format!(
                    "only errors can be thrown, but this is {}",
                    show::kind(&other)
                );
                Err(diag::Error::new(codes::TYPE, message)
                    .with_help("write `throw error(\"what went wrong\")`")
                    .into())
            }
        }
    }

    /// An error that the script made, as it is thrown for the first time: with its place and trace.
    fn placed(&mut self, error: Gc<ErrorValue>) -> Value {
        let report = self.complete(error.report.clone());
        let (attributes, cause) = (error.attributes.clone(), error.cause);
        Value::Error(ErrorValue::new(&mut self.heap, report, attributes, cause))
    }

    /// Goes on with what a handler that runs always was entered with.
    pub(super) fn rethrow(&mut self, value: Value) -> Outcome<()> {
        match value {
            Value::Int(code) => Err(Fault::Exit(code as i32)),
            value => Err(Fault::Thrown(value)),
        }
    }

    /// Whether an error is of a kind.
    pub(super) fn is_kind(&self, error: Value, kind: Value) -> bool {
        match (error, kind.as_str()) {
            (Value::Error(error), Some(OWN_END)) => self.is_own_end(&error.report),
            (Value::Error(error), Some(kind)) => error.report.kind == kind,
            _ => false,
        }
    }

    /// Whether an error is to end this process: a Ctrl-C or a cancellation of its own, not one that another process met.
    fn is_own_end(&self, report: &diag::Error) -> bool {
        let ends = [codes::INTERRUPTED, codes::CANCELLED].contains(&report.code);
        let own = || self.hooks.process.map(|process| process().pid);
        ends && report
            .process
            .as_ref()
            .is_none_or(|process| own().is_none_or(|pid| pid == process.pid))
    }

    /// The report of a global that has no value yet.
    #[cold]
    pub(super) fn no_global(&mut self, slot: usize) -> Outcome<()> {
        let known = self.global_names.iter().find(|(_, s)| *s as usize == slot);
        let name = known.map_or("this variable", |(name, _)| name);
        Err(too_early(name))
    }

    /// The report of a captured variable that has no value yet.
    #[cold]
    pub(super) fn no_capture(&mut self, index: usize) -> Outcome<()> {
        let frame = self.frames.running().next();
        let proto = frame.and_then(|frame| frame.code());
        let name = proto.and_then(|proto| proto.capture_names.get(index));
        Err(too_early(name.map_or("this variable", |name| name)))
    }

    /// The report of a variable that has no value yet.
    #[cold]
    pub(super) fn no_variable(&mut self) -> Outcome<()> {
        Err(too_early("this variable"))
    }

    /// The report of a value that does not fit a pattern.
    #[cold]
    pub(super) fn no_match(&mut self, value: Value, wanted: Value) -> Outcome<()> {
        let wanted = wanted.as_str().unwrap_or("something else");
        let came = match value {
            Value::List(list) => match list.len() {
                1 => "a list of 1 item".to_string(),
                count => format!("a list of {count} items"),
            },
            other => show::kind(&other),
        };
        let message = format!("this pattern needs {wanted}, but got {came}");
        let code = match value {
            Value::List(_) | Value::Map(_) => codes::VALUE,
            _ => codes::TYPE,
        };
        Err(diag::Error::new(code, message).into())
    }
}

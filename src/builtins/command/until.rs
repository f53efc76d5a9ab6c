//! Talking with a program that answers in no lines: what comes up to a prompt; and the size of its terminal.

use super::conversation::{Conversation, Which, conversation};
use super::settings::side_of_terminal;
use crate::builtins::arguments;
use crate::builtins::modules::re;
use crate::builtins::modules::re_long::Compiled;
use crate::diag::{self, Field, codes};
use crate::limits::MAX_STRING;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, operate, show};
use std::rc::Rc;

/// Characters of what came that an error tells.
const SHOWN: usize = 200;

/// What is looked for in an output.
enum Wanted {
    Bytes(Vec<u8>),
    Pattern(Rc<Compiled>),
}

impl Wanted {
    fn new(of: &Conversation, value: &Value) -> Outcome<Wanted> {
        let wanted = match (value, value.as_str()) {
            // What is read is UTF-8, whatever it was.
            (_, Some(text)) => Wanted::Bytes(of.wanted(text)),
            (Value::Bytes(bytes), _) => Wanted::Bytes(bytes.data().to_vec()),
            _ => match re::compiled(value) {
                Some(pattern) => Wanted::Pattern(pattern),
                None => {
                    let expected = "a str, bytes or a compiled pattern";
                    return Err(arguments::wrong("read_until", "what", expected, value));
                }
            },
        };
        if matches!(&wanted, Wanted::Bytes(bytes) if bytes.is_empty()) {
            let rule = "must have something in it";
            return Err(arguments::refuse("read_until", "what", rule, value));
        }
        Ok(wanted)
    }

    /// Where it ends in what came; `searched` bytes were looked through before.
    fn end_in(&self, came: &[u8], searched: &mut usize) -> Outcome<Option<usize>> {
        let before = std::mem::replace(searched, came.len());
        match self {
            Wanted::Bytes(bytes) => {
                let from = before.saturating_sub(bytes.len() - 1);
                let place = memchr::memmem::find(came.get(from..).unwrap_or_default(), bytes);
                Ok(place.map(|at| from + at + bytes.len()))
            }
            Wanted::Pattern(_) if before == came.len() => Ok(None),
            Wanted::Pattern(pattern) => {
                // The last character may not have come as a whole; what is no text at all is refused when it is taken.
                let whole = match std::str::from_utf8(came) {
                    Ok(text) => text,
                    Err(error) => {
                        let valid = came.get(..error.valid_up_to()).unwrap_or_default();
                        std::str::from_utf8(valid).unwrap_or_default()
                    }
                };
                let found = pattern.first(whole)?;
                Ok(found
                    .and_then(|found| found.get(0))
                    .map(|whole| whole.end()))
            }
        }
    }
}

/// `read_until(what, timeout:)`.
pub(super) fn read_until(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (of, which) = conversation("read_until", &args[0])?;
    let wanted = Wanted::new(&of, &args[1])?;
    let timeout = arguments::timeout("read_until", "timeout", &args[2])?;
    let label = show::repr(args[1]);
    let (mut searched, mut found, mut fault) = (0, None, None);
    let pumped = of.pump(context, &label, timeout, |running| {
        let source = which.source(running);
        let came = source.as_ref().map_or(&[][..], |source| source.rest());
        match wanted.end_in(came, &mut searched) {
            Ok(end) => found = end,
            Err(error) => fault = Some(error),
        }
        let is_over = source.is_none_or(|source| source.is_over());
        found.is_some() || fault.is_some() || is_over || searched > MAX_STRING
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    let came = of.end_of(which, SHOWN);
    pumped.map_err(|fault| with_what_came(fault, &came))?;
    operate::within("read_until", searched, MAX_STRING)?;
    match found {
        Some(end) => {
            let data = of.take_first(which, end);
            of.value(context, "read_until", data)
        }
        None => {
            let message = format!(
                "{label} must come in the output of `{}`, but that has ended",
                of.label()
            );
            let error = diag::Error::new(codes::END_OF_STREAM, message);
            Err(with_what_came(error.into(), &came))
        }
    }
}

/// What came stays to be read; the error tells the end of it.
fn with_what_came(fault: Fault, came: &str) -> Fault {
    match fault {
        Fault::Error(error) if matches!(error.code, codes::TIMEOUT | codes::END_OF_STREAM) => {
            let note = match came.is_empty() {
                true => "nothing came".to_string(),
                false => format!("the end of what came: {came:?}"),
            };
            error
                .with_note(note)
                .with_field("output", Field::Text(came.to_string()))
                .into()
        }
        fault => fault,
    }
}

/// `resize(columns, rows)`.
pub(super) fn resize(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (of, which) = conversation("resize", &args[0])?;
    let columns = side_of_terminal("resize", "columns", &args[1], None)?;
    let rows = side_of_terminal("resize", "rows", &args[2], None)?;
    if which == Which::Input && of.resize(columns, rows) {
        return Ok(Value::Nil);
    }
    let message = format!(
        "resize: the program must have a terminal of its own, but `{}` has none",
        of.label()
    );
    let help = "p = cmd.terminal().start() gives it one, until its input is closed";
    Err(diag::Error::new(codes::VALUE, message)
        .with_help(help)
        .into())
}

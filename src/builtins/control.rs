//! `apply`, `args`, `assert`, `error`, `exit`, `sleep`.

use super::{Table, arguments, spawn};
use crate::diag::{self, codes};
use crate::os::name;
use crate::process::wait;
use crate::value::error::ErrorValue;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, show};
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "apply" ("function", "arguments?", "named?") apply, "Calls a function with the arguments in a list, and with those in a map as named ones.";
    "args" () arguments_of_the_script, "The script's arguments: a list of strings. Written without parentheses.";
    "assert" ("condition", "message?") assert, "Raises AssertionError unless the condition is true.";
    "error" ("message?", "kind?", "cause?", "**attributes") error, "Makes an error to throw; further named arguments become its attributes. Of an error in place of the message: the same with these.";
    "exit" ("code?") exit, "Leaves the process with an exit code, after `finally` and `defer` have run.";
    "sleep" ("seconds") sleep, "Waits so many seconds.";
};

fn apply(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let function = arguments::callable("apply", "function", &args[0])?;
    let positional = match arguments::given(&args[1]) {
        Some(list) => arguments::list("apply", "arguments", list)?
            .items()
            .to_values(),
        None => Vec::new(),
    };
    let mut named = Vec::new();
    if let Some(map) = arguments::given(&args[2]) {
        let map = arguments::map("apply", "named", map)?;
        if let Some((key, _)) = map.table().iter().find(|(key, _)| key.as_str().is_none()) {
            let rule = "must have names as its keys";
            return Err(arguments::refuse("apply", "named", rule, &key));
        }
        named = spawn::named_arguments(&Value::Map(map));
    }
    context.call_named(function, &positional, &named)
}

fn arguments_of_the_script(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let texts = context.arguments().to_vec();
    let heap = context.heap();
    let values = texts.iter().map(|text| Value::str(heap, text)).collect();
    Ok(Value::list(heap, values))
}

fn assert(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    if args[0].truthy() {
        return Ok(Value::Nil);
    }
    let message = match arguments::given(&args[1]) {
        Some(message) => show::display(*message),
        None => format!("the assertion must hold, but it is {}", show::repr(args[0])),
    };
    Err(diag::Error::new(codes::ASSERTION, message).into())
}

fn error(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let known = match arguments::given(&args[0]) {
        Some(Value::Error(known)) => Some(*known),
        _ => None,
    };
    let mut report = match (known, arguments::given(&args[0])) {
        (Some(known), _) => known.report.clone(),
        (None, Some(message)) => diag::Error::new(codes::USER, show::display(*message)),
        (None, None) => diag::Error::new(codes::USER, String::new()),
    };
    if let Some(kind) = arguments::given(&args[1]) {
        let name = arguments::text("error", "kind", kind)?;
        if name.is_empty() {
            return Err(arguments::refuse("error", "kind", "must be a name", kind));
        }
        report.kind = name.to_string();
    }
    let cause = match arguments::given(&args[2]) {
        None => known.map_or(Value::Nil, |known| known.cause),
        Some(cause @ Value::Error(_)) => *cause,
        Some(other) => return Err(arguments::wrong("error", "cause", "an error", other)),
    };
    let mut attributes = known.map_or_else(Vec::new, |known| known.attributes.clone());
    if let Some(fields) = arguments::given(&args[3]) {
        let fields = arguments::map("error", "attributes", fields)?;
        attributes.retain(|(name, _)| {
            fields
                .table()
                .iter()
                .all(|(key, _)| key.as_str() != Some(name))
        });
        let named = fields.table().iter();
        attributes.extend(named.filter_map(|(key, value)| Some((Rc::from(key.as_str()?), value))));
    }
    let made = ErrorValue::new(context.heap(), report, attributes, cause);
    Ok(Value::Error(made))
}

fn exit(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let code = match &args[0] {
        Value::Undef | Value::Nil => 0,
        // The system keeps the low 8 bits of an exit code.
        Value::Int(code) => (code & 0xff) as i32,
        value => match value.as_str() {
            Some(text) => {
                context.write_err(&name::bytes(&format!("{text}\n")))?;
                1
            }
            None => return Err(arguments::wrong("exit", "code", "an int or a str", value)),
        },
    };
    Err(Fault::Exit(code))
}

/// Waits so many seconds in the waiting place, so that Ctrl-C and cancellation end it.
pub fn sleep(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let seconds = arguments::seconds("sleep", "seconds", &args[0])?;
    wait::sleep(seconds, context.place())?;
    Ok(Value::Nil)
}

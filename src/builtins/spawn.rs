//! `spawn` and `join`: what the constructs compile to.

use super::command::Talks;
use super::options::Options;
use super::process::ProcessHandle;
use super::{Table, arguments, command, file_gather, process as handles, state, travel, willing};
use crate::diag::{Error, Severity, codes};
use crate::process::ended::Joined;
use crate::process::wait::{Operation, timed_out, timed_out_together};
use crate::process::{
    ChildOutcome, Ended, Message, Method, Process, SpawnSpec, signals, spawn as nouns,
};
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::native::{Args, Context, Fault, Outcome};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@join" ("options", "target") join, "`join(options) target`.";
    "@spawn" ("options", "callee", "args", "named") spawn, "`spawn(options) callee(args)`, `spawn(options) { ... }`.";
};

/// What `set_start_method` chose.
#[derive(Default)]
struct StartMethod {
    chosen: Option<Method>,
    spawned: bool,
}

/// `set_start_method(name, force:)`.
pub fn choose_method(context: &mut dyn Context, name: &str, force: bool) -> Outcome<()> {
    let method = Method::named(name)?;
    let state: &mut StartMethod = state::of(context);
    if (state.chosen.is_some() || state.spawned) && !force {
        return Err(Error::new(
            codes::VALUE,
            "the start method is set once, before the first spawn, but it was set or used before",
        )
        .with_help("call it first, or with `force: true`")
        .into());
    }
    if method != Method::Fork {
        return Err(Error::new(
            codes::NOT_SUPPORTED,
            format!("the start method \"fork\" is supported, but this is \"{name}\""),
        )
        .into());
    }
    state.chosen = Some(method);
    Ok(())
}

fn spawn(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if command::makes_command(&args[1]) {
        // `spawn sh("make")`, `spawn c.cwd("src")`: what runs is the command.
        let given = match args[2] {
            Value::List(list) => list.items().to_values(),
            _ => Vec::new(),
        };
        let set = context.call_named(args[1], &given, &named_arguments(&args[3]))?;
        context.protect(set);
        return command::spawn_value(context, &[args[0], set]);
    }
    poll_if_signalled(context)?;
    let options = Options::new("spawn", &args[0])?;
    let place = context.place();
    let method = match options.text("method")? {
        Some(name) => Method::named(&name)?,
        None => Method::Fork,
    };
    if let Some(name) = options.get("name")
        && name
            .as_str()
            .is_some_and(|name| name.is_empty() || name.contains('\0'))
    {
        return Err(arguments::refuse("spawn", "name", "must be a name", &name));
    }
    let spec = SpawnSpec {
        name: options.text("name")?,
        daemon: options.flag("daemon", false)?,
        worker: false,
        method,
        place,
    };
    arguments::callable("spawn", "function", &args[1])?;
    state::of::<StartMethod>(context).spawned = true;
    let process = nouns::prepare(&spec)?;
    if options.flag("watched", false)? {
        process.be_watched();
    }
    let work = [args[1], args[2], args[3]];
    if !options.flag("start", true)? {
        let handle = ProcessHandle::pending(process, work);
        return Ok(Value::handle(context.heap(), Rc::new(handle)));
    }
    let value = handles::value(context, process.clone());
    start(context, &process, work)?;
    context.hold_off();
    Ok(value)
}

/// Before a process is started: what has come to this one is raised now rather than when its handle can be put away.
pub fn poll_if_signalled(context: &mut dyn Context) -> Outcome<()> {
    match signals::poll_word().load(Ordering::Relaxed) {
        0 => Ok(()),
        _ => context.poll(),
    }
}

/// Starts a prepared process on `[function, arguments, named]`.
pub fn start(context: &mut dyn Context, process: &Process, work: [Value; 3]) -> Outcome<()> {
    let mut holds = travel::holds(context, &work);
    holds.push(process.id());
    process.start(&holds, || run(context, work))?;
    Ok(())
}

/// Named arguments that come as a map.
pub fn named_arguments(named: &Value) -> Vec<(Rc<str>, Value)> {
    let Value::Map(map) = named else {
        return Vec::new();
    };
    let pairs = map.table().iter();
    pairs
        .filter_map(|(key, value)| Some((Rc::from(key.as_str()?), value)))
        .collect()
}

/// In the child: runs the function and packs what comes of it.
pub fn run(context: &mut dyn Context, [function, args, named]: [Value; 3]) -> ChildOutcome {
    context.enter_child();
    for value in [function, args, named] {
        context.protect(value);
    }
    let args = match args {
        Value::List(list) if !list.items().is_empty() => list.items().to_values(),
        _ => Vec::new(),
    };
    let named = named_arguments(&named);
    let mut outcome = context.call_named(function, &args, &named);
    file_gather::settle(&mut outcome);
    let outcome = outcome.and_then(|value| match value {
        // `nil` is the message without a word: most processes are run for what they do.
        Value::Nil => Ok(Message::default()),
        value => travel::pack(context, value),
    });
    match outcome {
        Ok(message) => ChildOutcome::Returned(message),
        Err(Fault::Exit(code)) => ChildOutcome::Exited(code),
        Err(fault) => ChildOutcome::Raised(raised(context, fault)),
    }
}

/// An error as a message. When something in the error cannot travel, its report travels without it.
pub fn raised(context: &mut dyn Context, fault: Fault) -> Message {
    let Some(value) = travel::error_value(context, fault) else {
        return Message::default();
    };
    if let Ok(message) = travel::pack(context, value) {
        return message;
    }
    let Value::Error(error) = value else {
        return Message::default();
    };
    let report = error
        .report
        .clone()
        .with_note("some attributes of this error could not leave their process");
    let bare = ErrorValue::new(context.heap(), report, Vec::new(), Value::Nil);
    travel::pack(context, Value::Error(bare)).unwrap_or_default()
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("join", &args[0])?;
    let timeout = options.timeout("timeout")?;
    join_value(context, args[1], timeout)
}

/// Joins a process, or whatever else can be joined, or a list or map of such.
pub fn join_value(context: &mut dyn Context, target: Value, timeout: Option<f64>) -> Outcome {
    let begin = Instant::now();
    let left =
        |timeout: Option<f64>| timeout.map(|seconds| seconds - begin.elapsed().as_secs_f64());
    match target {
        Value::List(list) => {
            let targets = list.items().to_values();
            let values = join_all(context, &targets, timeout, || left(timeout))?;
            Ok(Value::list(context.heap(), values))
        }
        Value::Map(map) => {
            let (keys, targets): (Vec<Value>, Vec<Value>) = map.table().iter().unzip();
            keys.iter().for_each(|&key| context.protect(key));
            let values = join_all(context, &targets, timeout, || left(timeout))?;
            let mut table = crate::value::map::Table::default();
            for (key, value) in keys.into_iter().zip(values) {
                table.insert(key, value);
            }
            Ok(Value::Map(crate::value::map::Map::new(
                context.heap(),
                table,
            )))
        }
        _ => {
            let talks = talks_of(&[target], timeout);
            join_one(context, target, timeout, &talks)
        }
    }
}

/// The programs among what is joined that this process talks with. Without a time limit nobody is left who could write to them.
fn talks_of(targets: &[Value], timeout: Option<f64>) -> Talks {
    let talks = Talks::with("join", targets);
    if timeout.is_none() {
        talks.end_inputs();
    }
    talks
}

/// Waits for all, until one has failed: the first failure in order is raised at once, with those that are known by then as causes.
fn join_all(
    context: &mut dyn Context,
    targets: &[Value],
    timeout: Option<f64>,
    left: impl Fn() -> Option<f64>,
) -> Outcome<Vec<Value>> {
    let mut values = Vec::new();
    // Callbacks of futures run meanwhile, and may take the others out of the script's list or map.
    targets.iter().for_each(|&target| context.protect(target));
    let talks = talks_of(targets, timeout);
    let processes: Vec<Process> = targets.iter().filter_map(process_of).collect();
    for (at, target) in targets.iter().enumerate() {
        let joined = match process_of(target) {
            Some(process) => match join_process(context, &process, &processes, left(), &talks) {
                Ok(Some(value)) => Ok(value),
                Ok(None) => return Err(failed_together(context, targets, None, &talks)),
                Err(fault) => Err(fault),
            },
            None => join_one(context, *target, left(), &talks),
        };
        match joined {
            Ok(value) => {
                context.protect(value);
                values.push(value);
            }
            // A wait that was itself ended (time, Ctrl-C) ends the join; a target's failure is that of the whole.
            Err(Fault::Error(error)) if error.code == codes::TIMEOUT => {
                let asked = timeout.unwrap_or(0.0);
                return Err(timed_out_together(error, asked).into());
            }
            Err(fault) => {
                let error = failure(context, fault)?;
                return Err(failed_together(context, targets, Some((at, error)), &talks));
            }
        }
    }
    Ok(values)
}

fn process_of(target: &Value) -> Option<Process> {
    Some(target.as_handle::<ProcessHandle>()?.process.clone())
}

/// The error of what was joined, as a value. Whatever else ended the wait is raised as it is.
fn failure(context: &mut dyn Context, fault: Fault) -> Outcome {
    let error = match fault {
        Fault::Thrown(error) => error,
        Fault::Error(error) if error.process.is_some() || is_death(&error) => Value::Error(
            ErrorValue::new(context.heap(), error, Vec::new(), Value::Nil),
        ),
        fault => return Err(fault),
    };
    context.protect(error);
    Ok(error)
}

/// The failures of all that have failed by now, as one. `known`: the one that was met, with its place among them.
fn failed_together(
    context: &mut dyn Context,
    targets: &[Value],
    known: Option<(usize, Value)>,
    talks: &Talks,
) -> Fault {
    let mut failures = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        if let Some((_, error)) = known.filter(|(met, _)| *met == at) {
            failures.push(error);
        } else if process_of(target).is_some_and(|process| process.has_failed()) {
            let joined = join_one(context, *target, None, talks);
            match joined.map_err(|fault| failure(context, fault)) {
                Ok(_) => {}
                Err(Ok(error)) => failures.push(error),
                Err(Err(fault)) => return fault,
            }
        }
    }
    match combine(context, &failures) {
        Some(fault) => fault,
        None => Error::new(codes::INTERNAL, "a failure was joined, but none was found").into(),
    }
}

fn is_death(error: &Error) -> bool {
    error.code == codes::PROCESS_DIED || error.code == codes::EXIT
}

/// The first of several failures, with the others as its causes: the next one is its `cause` unless it has one, and all are in
/// its `causes`.
pub fn combine(context: &mut dyn Context, failures: &[Value]) -> Option<Fault> {
    let (first, others) = failures.split_first()?;
    let (Value::Error(error), false) = (first, others.is_empty()) else {
        return Some(Fault::Thrown(*first));
    };
    let mut attributes = error.attributes.clone();
    let known = attributes.iter().position(|(name, _)| &**name == "causes");
    let mut causes = match known.map(|at| attributes.remove(at).1) {
        Some(Value::List(list)) => list.items().to_values(),
        _ => Vec::new(),
    };
    let mut cause = error.cause;
    if causes.is_empty() && matches!(cause, Value::Error(_)) {
        causes.push(cause);
    }
    let mut report = error.report.clone();
    for other in others {
        causes.push(*other);
        match other {
            // A report shows the cause of an error by itself.
            Value::Error(_) if matches!(cause, Value::Nil) && report.causes.is_empty() => {
                cause = *other;
            }
            Value::Error(other) => report.causes.push((*other.report).clone()),
            _ => {}
        }
    }
    let causes = Value::list(context.heap(), causes);
    attributes.push(("causes".into(), causes));
    let made = ErrorValue::new(context.heap(), report, attributes, cause);
    Some(Fault::Thrown(Value::Error(made)))
}

/// Joins one thing.
fn join_one(
    context: &mut dyn Context,
    target: Value,
    timeout: Option<f64>,
    talks: &Talks,
) -> Outcome {
    if let Some(process) = process_of(&target) {
        let joined = join_process(context, &process, &[], timeout, talks)?;
        return Ok(joined.unwrap_or(Value::Nil));
    }
    if let Value::Handle(handle) = target
        && let Some(result) = handle.get().join(context, timeout)
    {
        return result;
    }
    let fault = arguments::wrong(
        "join",
        "target",
        "a process, a future, a queue, a pool, or a list or map of them",
        &target,
    );
    Err(match (fault, target.type_name()) {
        (Fault::Error(error), "command") => error
            .with_help("`.check()` runs a command and waits for it; join spawn c")
            .into(),
        (fault, _) => fault,
    })
}

/// Joins a process, until one of `others` has failed: `None` then.
fn join_process(
    context: &mut dyn Context,
    process: &Process,
    others: &[Process],
    timeout: Option<f64>,
    talks: &Talks,
) -> Outcome<Option<Value>> {
    let joined = willing::wait(context, |place| {
        process.join_beside(others, timeout, place, talks.flow())
    })?;
    match joined {
        Joined::Ended(ended) => value_of(context, process, ended).map(Some),
        Joined::OtherFailed => Ok(None),
        Joined::OutOfTime => {
            Err(timed_out(Operation::Join, &process.name(), timeout.unwrap_or(0.0)).into())
        }
    }
}

/// The value that a process left, or the error that `join` raises instead.
pub fn value_of(context: &mut dyn Context, process: &Process, ended: Ended) -> Outcome {
    if !matches!(ended, Ended::Returned(_) | Ended::Passed(_)) && !process.is_program() {
        process.check_common_end()?;
    }
    let message = match ended {
        Ended::Returned(message) => return unpack_or_nil(context, &message),
        Ended::Raised(message) if message.bytes.is_empty() => {
            let mut error = process.lost_result();
            error.spawned_at = process.place();
            return Err(error.into());
        }
        Ended::Raised(message) => message,
        Ended::Passed(code) => return Ok(Value::Int(i64::from(code))),
        Ended::Exited(_) | Ended::Killed(_) => {
            return match process.end_error(&ended) {
                Some(mut error) => {
                    error.spawned_at = process.place();
                    Err(error.into())
                }
                None => Ok(Value::Nil),
            };
        }
    };
    let Value::Error(error) = unpack_or_nil(context, &message)? else {
        return Err(Error::new(
            codes::PROCESS_DIED,
            format!(
                "{} failed, and its error could not be carried over",
                process.name()
            ),
        )
        .into());
    };
    let mut report = error.report.clone();
    report.severity = Severity::Error;
    report.spawned_at = report.spawned_at.or(process.place());
    report.joined.extend(context.trace());
    let made = ErrorValue::new(
        context.heap(),
        report,
        error.attributes.clone(),
        error.cause,
    );
    Err(Fault::Thrown(Value::Error(made)))
}

fn unpack_or_nil(context: &mut dyn Context, message: &Message) -> Outcome {
    if message.bytes.is_empty() {
        Ok(Value::Nil)
    } else {
        travel::unpack(context, &message.bytes)
    }
}

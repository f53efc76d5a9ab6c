//! Commands in the background: their process handles.

use super::conversation::{Conversation, Kind};
use super::run::text_only;
use super::{CommandHandle, receiver};
use crate::builtins::arguments;
use crate::builtins::encoding::Coding;
use crate::builtins::options::Options;
use crate::builtins::process::ProcessHandle;
use crate::diag::{self, codes};
use crate::process::programs::{self, Background};
use crate::process::{Process, scope};
use crate::program::{Input, Output, Plan, Running, Stage};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, show};
use std::rc::Rc;

/// `spawn(options)` of a command.
pub fn spawn_value(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("spawn", &args[0])?;
    if let Some(name) = ["method", "daemon"]
        .into_iter()
        .find(|name| options.get(name).is_some())
    {
        let message =
            format!("spawn: a command in the background has no option `{name}`, but it was given");
        let help = "a command is a program of its own";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    let name = options.text("name")?;
    let Some(handle) = args[1].as_handle::<CommandHandle>() else {
        let kind = show::kind(&args[1]);
        let message =
            format!("expected a call, a block or a command after `spawn`, but this is {kind}");
        let help = "to run a function in a process of its own, call it: spawn f(...)";
        return Err(diag::Error::new(codes::TYPE, message)
            .with_help(help)
            .into());
    };
    let process = prepare(context, handle, name)?;
    if options.flag("watched", false)? {
        process.be_watched();
    }
    if !options.flag("start", true)? {
        let work = [args[1], Value::Nil, Value::Nil];
        let handle = ProcessHandle::pending(process, work);
        return Ok(Value::handle(context.heap(), Rc::new(handle)));
    }
    launch(context, handle, &process, Plan::default(), true)?;
    Ok(crate::builtins::process::value(context, process))
}

/// Starts what `spawn(start: false)` made of a command; `None` when the value is none.
pub fn start_prepared(
    context: &mut dyn Context,
    process: &Process,
    command: &Value,
) -> Option<Outcome<()>> {
    let handle = command.as_handle::<CommandHandle>()?;
    Some(match process.is_of_this_process() {
        Ok(()) => launch(context, handle, process, Plan::default(), true).map(|_| ()),
        Err(error) => Err(error.into()),
    })
}

/// The process object of a command that is about to start.
fn prepare(
    context: &mut dyn Context,
    handle: &CommandHandle,
    name: Option<String>,
) -> Outcome<Process> {
    let name = name.unwrap_or_else(|| handle.command.label());
    Ok(programs::prepare(&name, context.place())?)
}

pub(super) fn spawn(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = match arguments::given(&args[1]) {
        Some(name) => Some(arguments::text("spawn", "name", name)?.to_string()),
        None => None,
    };
    let handle = receiver("spawn", &args[0])?;
    let process = prepare(context, handle, name)?;
    launch(context, handle, &process, Plan::default(), true)?;
    Ok(crate::builtins::process::value(context, process))
}

/// Starts a command in the background.
fn launch(
    context: &mut dyn Context,
    handle: &CommandHandle,
    process: &Process,
    plan: Plan,
    in_scope: bool,
) -> Outcome<Running> {
    if matches!(handle.command.input, Input::Fed) {
        let message = "a command in the background must have its whole input, but it would come piece by piece";
        let help = "spawn { cmd.run() } has a process of Par to feed it; else give it a str or bytes, a file with .stdin(...), or write to it: p = cmd.start()";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    let command = &handle.command;
    let is_read = plan.captures && matches!(command.output, Output::Default);
    if !is_read && (!command.tees.is_empty() || command.terminal.is_some()) {
        let what = match command.terminal {
            Some(_) => "what is shown on the terminal of a command",
            None => "an output that goes to a file as well",
        };
        let message =
            format!("{what} must be passed on by somebody, but in the background nobody does");
        let help = "spawn { cmd.run() } has a process of Par for it; what start() gives is read by the script";
        let error = diag::Error::new(codes::VALUE, message);
        return Err(error.with_help(help).into());
    }
    crate::builtins::spawn::poll_if_signalled(context)?;
    let place = context.place();
    if in_scope {
        scope::wait_for_room(place)?;
    }
    let plan = Plan {
        background: true,
        ..plan
    };
    let mut running = crate::program::start(&handle.command, plan)?;
    let stages = match &running.stages[..] {
        [_] => Vec::new(),
        stages => stages.iter().map(Stage::label).collect(),
    };
    let background = Background {
        stages,
        allowed: running
            .stages
            .iter()
            .map(|stage| stage.allowed.clone())
            .collect(),
        in_scope,
        seconds: handle.command.timeout,
    };
    programs::hand_over(running.job(), background, process);
    running.release();
    context.hold_off();
    Ok(running)
}

pub(super) fn start(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let handle = receiver("start", &args[0])?;
    let reads_errors = match arguments::given(&args[1]) {
        Some(flag) => arguments::boolean("start", "stderr", flag)?,
        None => false,
    };
    let binary = match arguments::given(&args[2]) {
        Some(flag) => arguments::boolean("start", "binary", flag)?,
        None => false,
    };
    let coding = Coding::given("start", &args[3], &args[4])?;
    text_only("start", binary, coding)?;
    if reads_errors && handle.command.terminal.is_some() {
        let message =
            "start: a terminal shows both outputs as one, but `stderr: true` asks for two";
        let help = "leave out `stderr: true`, or send it elsewhere: .stderr(path)";
        let error = diag::Error::new(codes::VALUE, message);
        return Err(error.with_help(help).into());
    }
    let plan = Plan {
        captures: true,
        reads_errors,
        feeds: true,
        ..Plan::default()
    };
    let process = prepare(context, handle, None)?;
    let mut running = launch(context, handle, &process, plan, true)?;
    running.asks = false;
    if let Some(coding) = coding {
        for source in [&mut running.output, &mut running.errors] {
            source
                .iter_mut()
                .for_each(|source| source.transform(coding.reader()));
        }
    }
    let kind = match (binary, coding) {
        (true, _) => Kind::Bytes,
        (false, Some(coding)) => Kind::Coded(coding),
        (false, None) => Kind::Text,
    };
    let talk = Conversation::new(context.heap(), running, process.clone(), kind);
    let handle = ProcessHandle::talking(process, talk.keep_going());
    Ok(Value::handle(context.heap(), Rc::new(handle)))
}

//! Processes as values: attributes, methods, and the functions that ask about processes.

use super::command::{self, Conversation, Talks};
use super::{Table, arguments, spawn, travel};
use crate::arena::HandleId as ArenaId;
use crate::diag::{Error, codes};
use crate::os::{cpu, signal};
use crate::process::{self, Process};
use crate::value::Value;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Native, NativeIter, Outcome};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "active_children" () active_children, "The children of this process that run, oldest first.";
    "cpu_count" () cpu_count, "How many processors this process may use: those of its affinity, and no more than the quotas of its control groups, rounded up.";
    "current_process" () current_process, "The process that runs this line.";
    "parent_process" () parent_process, "The process that spawned this one; nil in the main process.";
    "set_start_method" ("method", "force?") set_start_method, "Chooses how children come into being; once, before the first spawn.";
    "wait_any" ("processes", "timeout?") wait_any, "Waits until one of several processes has ended and gives it, without raising its error; nil when the time is over first.";
};

/// The methods, sorted by name.
pub static METHODS: Table = natives! {
    "cancel" ("grace?") cancel, "Raises Cancelled in it, and kills it when it has not ended after `grace` seconds (2s); true when it ended by itself.";
    "is_alive" () is_alive, "Whether it runs.";
    "join" ("timeout?") join, "Waits for its end and gives its value, as `join p` does.";
    "kill" () kill, "Ends it at once (SIGKILL); false when it was not running.";
    "signal" ("name") send_signal, "Sends it a signal (\"USR1\", \"SIGTERM\" or a number); false when it was not running.";
    "start" () start, "Starts a process that was made with `start: false`.";
    "terminate" () terminate, "Ends it (SIGTERM); false when it was not running.";
    "wait" ("timeout?") wait, "Waits for its end without raising its error; true when it has ended.";
};

/// A process as a value.
pub struct ProcessHandle {
    /// The process.
    pub process: Process,
    /// What it is to run once it is started (function, arguments, named arguments).
    pending: Cell<Option<[Value; 3]>>,
    /// The streams of a program that was started to talk with; they stay in this process.
    streams: Option<Rc<Conversation>>,
}

impl ProcessHandle {
    /// A handle of a process that was started.
    pub fn new(process: Process) -> ProcessHandle {
        ProcessHandle {
            process,
            pending: Cell::new(None),
            streams: None,
        }
    }

    /// A handle of a process that is to run `[function, arguments, named]` later.
    pub fn pending(process: Process, work: [Value; 3]) -> ProcessHandle {
        ProcessHandle {
            process,
            pending: Cell::new(Some(work)),
            streams: None,
        }
    }

    /// A handle of a program with its streams.
    pub fn talking(process: Process, streams: Rc<Conversation>) -> ProcessHandle {
        ProcessHandle {
            process,
            pending: Cell::new(None),
            streams: Some(streams),
        }
    }

    /// The streams, in the process that started the program.
    pub fn talk(&self) -> Option<Rc<Conversation>> {
        self.streams.clone().filter(|talk| talk.is_own())
    }

    fn stream(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        if let Some(streams) = &self.streams {
            let stream = command::stream(context, streams, name);
            // Where the others are missing the command sent them elsewhere; this one has to be asked for.
            if stream.is_some() || name != "stderr" {
                return Ok(Some(stream.unwrap_or(Value::Nil)));
            }
        }
        let (with, help) = match name {
            "stderr" => ("start(stderr: true)", "p = `program`.start(stderr: true)"),
            _ => ("start()", "p = `program`.start()"),
        };
        let message = format!(
            "a process has `{name}` where it was started with {with}, but this handle has none"
        );
        let help = format!("{help} has streams, in the process that started it");
        Err(Error::new(codes::VALUE, message).with_help(help).into())
    }
}

impl Handle for ProcessHandle {
    fn type_name(&self) -> &'static str {
        "process"
    }

    fn show(&self) -> String {
        self.process.show()
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.process.id(), 0))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &[
            "alive", "daemon", "exitcode", "name", "pid", "stderr", "stdin", "stdout",
        ]
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        let or_nil =
            |number: Option<i32>| number.map_or(Value::Nil, |number| Value::Int(i64::from(number)));
        Ok(Some(match name {
            "pid" => or_nil(self.process.pid()),
            "name" => Value::str(context.heap(), &self.process.name()),
            "alive" => Value::Bool(self.process.alive()),
            "exitcode" => or_nil(self.process.exitcode()),
            "daemon" => Value::Bool(self.process.daemon()),
            "stderr" | "stdin" | "stdout" => return self.stream(context, name),
            _ => return Ok(None),
        }))
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        Ok(None)
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        for value in self.pending.get().into_iter().flatten() {
            marker.value(value);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The handle of a process that came in a message.
pub fn from_id(id: ArenaId) -> Option<Rc<dyn Handle>> {
    Some(Rc::new(ProcessHandle::new(Process::from_id(id)?)))
}

/// A process as a value.
pub fn value(context: &mut dyn Context, process: Process) -> Value {
    Value::handle(context.heap(), Rc::new(ProcessHandle::new(process)))
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a ProcessHandle> {
    match value.as_handle::<ProcessHandle>() {
        Some(handle) => Ok(handle),
        None => Err(arguments::wrong(method, "self", "a process", value)),
    }
}

fn start(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let handle = receiver("start", &args[0])?;
    match handle.pending.take() {
        Some(work) => {
            match command::start_prepared(context, &handle.process, &work[0]) {
                // What could not be found or executed can be started later.
                Some(Err(fault)) => {
                    handle.pending.set(Some(work));
                    return Err(fault);
                }
                Some(Ok(())) => {}
                None => spawn::start(context, &handle.process, work)?,
            }
            Ok(Value::Nil)
        }
        None => Err(Error::new(
            codes::VALUE,
            format!(
                "a process is started once, but {} was started before",
                handle.process.name()
            ),
        )
        .into()),
    }
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("join", "timeout", &args[1])?;
    spawn::join_value(context, args[0], timeout)
}

fn wait(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("wait", "timeout", &args[1])?;
    let place = context.place();
    let process = receiver("wait", &args[0])?.process.clone();
    let talks = Talks::with("wait", args);
    if timeout.is_none() {
        talks.end_inputs();
    }
    let ended = process.join_flowing(timeout, place, talks.flow())?;
    Ok(Value::Bool(ended.is_some()))
}

fn wait_any(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = arguments::list("wait_any", "processes", &args[0])?;
    let timeout = arguments::timeout("wait_any", "timeout", &args[1])?;
    let values = list.items().to_values();
    if values.is_empty() {
        let rule = "must have at least one process";
        return Err(arguments::refuse("wait_any", "processes", rule, &args[0]));
    }
    let handles = values.iter().map(|value| {
        let handle = value.as_handle::<ProcessHandle>();
        handle.ok_or_else(|| arguments::wrong("wait_any", "processes", "processes", value))
    });
    let handles = handles.collect::<Outcome<Vec<_>>>()?;
    for handle in &handles {
        handle.process.check_started("wait_any")?;
    }
    let awaited: Vec<_> = handles
        .iter()
        .map(|handle| handle.process.awaited())
        .collect();
    let place = context.place();
    let talks = Talks::with("wait_any", &values);
    let flow = talks.flow();
    let count = handles.len();
    let ended = process::select::select(count, &awaited, timeout, place, flow, |at| {
        match handles.get(at) {
            // The join marks the end as seen; it does not wait any more.
            Some(handle) if handle.process.ended().is_some() => {
                let ended = handle.process.join(Some(0.0), None)?;
                Ok(ended.map(|_| ()))
            }
            _ => Ok(None),
        }
    })?;
    Ok(match ended {
        Some((at, ())) => values.get(at).copied().unwrap_or(Value::Nil),
        None => Value::Nil,
    })
}

fn is_alive(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(receiver("is_alive", &args[0])?.process.alive()))
}

fn kill(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(receiver("kill", &args[0])?.process.kill()))
}

fn terminate(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        receiver("terminate", &args[0])?.process.terminate(),
    ))
}

fn send_signal(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let number = match &args[1] {
        Value::Int(number) => i32::try_from(*number)
            .ok()
            .filter(|number| (1..=64).contains(number)),
        value => signal::number_of(arguments::text("signal", "name", value)?),
    };
    match number {
        Some(number) => Ok(Value::Bool(
            receiver("signal", &args[0])?.process.signal(number),
        )),
        None => Err(arguments::refuse(
            "signal",
            "name",
            "must name a signal, as \"USR1\"",
            &args[1],
        )),
    }
}

fn cancel(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let grace = arguments::timeout("cancel", "grace", &args[1])?.unwrap_or(process::signals::GRACE);
    let place = context.place();
    Ok(Value::Bool(
        receiver("cancel", &args[0])?.process.cancel(grace, place)?,
    ))
}

fn current_process(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let current = process::spawn::current()?;
    Ok(value(context, current))
}

fn parent_process(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(match process::spawn::current()?.parent() {
        Some(parent) => value(context, parent),
        None => Value::Nil,
    })
}

fn active_children(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let mut children = Vec::new();
    for child in process::spawn::active_children() {
        children.push(value(context, child));
    }
    Ok(Value::list(context.heap(), children))
}

fn cpu_count(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Int(cpu::count() as i64))
}

fn set_start_method(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = arguments::text("set_start_method", "method", &args[0])?;
    let force = match arguments::given(&args[1]) {
        Some(force) => arguments::boolean("set_start_method", "force", force)?,
        None => false,
    };
    spawn::choose_method(context, name, force)?;
    Ok(Value::Nil)
}

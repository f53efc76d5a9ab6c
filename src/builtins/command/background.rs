//! Commands in the background: process handles, and conversations with a program.

use super::lines::{next_line, trim};
use super::run::decode;
use super::{CommandHandle, receiver};
use crate::builtins::options::Options;
use crate::builtins::process::ProcessHandle;
use crate::builtins::{Table, arguments};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::clock;
use crate::process::programs::{self, Background};
use crate::process::wait::{Operation, timed_out};
use crate::process::{Process, scope};
use crate::program::{Input, Plan, Pumped, Running};
use crate::value::handle::Handle;
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Native, NativeIter, Outcome};
use crate::value::{Value, operate};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// `spawn(options)` of a command in backticks.
pub(super) fn spawn_literal(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("spawn", &args[0])?;
    if let Some(name) = ["start", "method"]
        .into_iter()
        .find(|name| options.get(name).is_some())
    {
        let message =
            format!("spawn: a command in the background has no option `{name}`, but it was given");
        let help = "a command is a program of its own and starts at once";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    let name = options.text("name")?;
    let handle = receiver("spawn", &args[1])?;
    let (process, _) = launch(context, handle, name, Plan::default(), true)?;
    Ok(crate::builtins::process::value(context, process))
}

pub(super) fn spawn(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = match arguments::given(&args[1]) {
        Some(name) => Some(arguments::text("spawn", "name", name)?.to_string()),
        None => None,
    };
    let handle = receiver("spawn", &args[0])?;
    let (process, _) = launch(context, handle, name, Plan::default(), true)?;
    Ok(crate::builtins::process::value(context, process))
}

/// Starts a command in the background.
fn launch(
    context: &mut dyn Context,
    handle: &CommandHandle,
    name: Option<String>,
    plan: Plan,
    in_scope: bool,
) -> Outcome<(Process, Running)> {
    if matches!(handle.command.input, Input::Fed) {
        let message = "a command in the background must have its whole input, but it would come piece by piece";
        let help =
            "give it a str or bytes, a file with .stdin(...), or write to it: p = cmd.start()";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    let place = context.place();
    if in_scope {
        scope::wait_for_room(place)?;
    }
    let plan = Plan {
        background: true,
        ..plan
    };
    let mut running = crate::program::start(&handle.command, plan)?;
    let background = Background {
        name: name.unwrap_or_else(|| handle.command.label()),
        place,
        allowed: running
            .stages
            .iter()
            .map(|stage| stage.allowed.clone())
            .collect(),
        deadline: handle.command.timeout.map(clock::deadline),
        in_scope,
    };
    // Its object before its job is let go of: if there is no room for it, the program is ended.
    let process = programs::hand_over(running.job(), background)?;
    running.release();
    Ok((process, running))
}

pub(super) fn start(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let handle = receiver("start", &args[0])?;
    let plan = Plan {
        captures: true,
        feeds: true,
        ..Plan::default()
    };
    let (process, mut running) = launch(context, handle, None, plan, false)?;
    running.asks = false;
    let conversation = Conversation {
        running: RefCell::new(running),
    };
    let handle = ProcessHandle::talking(process, Rc::new(conversation));
    Ok(Value::handle(context.heap(), Rc::new(handle)))
}

/// The streams of a program that was started with `start()`.
pub struct Conversation {
    running: RefCell<Running>,
}

/// One of the streams of a conversation.
struct Stream {
    of: Rc<Conversation>,
    is_input: bool,
}

/// `p.stdin` or `p.stdout`; `None` where the command sent it elsewhere.
pub fn stream(context: &mut dyn Context, of: &Rc<Conversation>, name: &str) -> Option<Value> {
    let is_input = name == "stdin";
    let exists = match is_input {
        true => of.running.borrow().feed.is_some(),
        false => of.running.borrow().output.is_some(),
    };
    let of = of.clone();
    exists.then(|| Value::handle(context.heap(), Rc::new(Stream { of, is_input })))
}

/// What can be done with the input of a program, sorted by name.
pub static STDIN: Table = natives! {
    "close" () close, "Ends the input of the program; more than once does no harm.";
    "flush" () flush, "Nothing is held back: it is there for programs that were written for files.";
    "write" ("data", "timeout?") write, "Gives the program a str or bytes, and waits until it has taken them.";
};

/// What can be done with the output of a program, sorted by name.
pub static STDOUT: Table = natives! {
    "close" () close, "Reads no more: a program that writes on is ended by SIGPIPE.";
    "lines" () lines, "Goes through the lines that are left, without their ends.";
    "read" ("size?", "timeout?") read, "What is left until the program ends its output, or at most so many bytes as soon as there are some.";
    "readline" ("timeout?") readline, "The next line with its end; empty when there is none any more.";
};

impl Handle for Stream {
    fn type_name(&self) -> &'static str {
        "stream"
    }

    fn show(&self) -> String {
        let name = if self.is_input { "stdin" } else { "stdout" };
        match self.of.running.try_borrow() {
            Ok(running) => format!("<stream {name} of {}>", running.label),
            Err(_) => format!("<stream {name}>"),
        }
    }

    fn methods(&self) -> &'static [Native] {
        if self.is_input { STDIN } else { STDOUT }
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        let of = self.of.clone();
        Ok((!self.is_input).then(|| Rc::new(LeftLines { of }) as Rc<dyn NativeIter>))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn conversation(method: &str, value: &Value) -> Outcome<Rc<Conversation>> {
    let Some(stream) = value.as_handle::<Stream>() else {
        return Err(arguments::wrong(method, "self", "a stream", value));
    };
    if stream.of.running.borrow().is_own() {
        return Ok(stream.of.clone());
    }
    let message = format!(
        "{method}: a stream is used by the process that started the program, but this is another"
    );
    Err(diag::Error::new(codes::VALUE, message).into())
}

impl Conversation {
    /// Lets the program run until `done`; what it writes meanwhile is kept, so that it is never stuck.
    fn pump(
        &self,
        context: &mut dyn Context,
        what: &str,
        timeout: Option<f64>,
        mut done: impl FnMut(&mut Running) -> bool,
    ) -> Outcome<()> {
        let place = context.place();
        let deadline = timeout.map(clock::deadline);
        let mut running = self.running.borrow_mut();
        match running.pump(place, deadline, &mut done)? {
            Pumped::OutOfTime => {
                let what = format!("{what} of `{}`", running.label);
                let seconds = timeout.unwrap_or(0.0);
                Err(timed_out(Operation::Outside, &what, seconds).into())
            }
            _ => Ok(()),
        }
    }

    /// The next line with its end, empty at the end.
    fn line(&self, context: &mut dyn Context, timeout: Option<f64>) -> Outcome<Vec<u8>> {
        let (mut searched, mut found) = (0, None);
        self.pump(context, "a line", timeout, |running| {
            found = next_line(running, &mut searched);
            found.is_some() || running.output.is_none() || searched > MAX_STRING
        })?;
        operate::within("readline", searched, MAX_STRING)?;
        let mut running = self.running.borrow_mut();
        let source = running.output.as_mut();
        Ok(source.map_or_else(Vec::new, |source| source.take(found.unwrap_or(0))))
    }
}

fn write(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let of = conversation("write", &args[0])?;
    let timeout = arguments::timeout("write", "timeout", &args[2])?;
    let data = match (args[1], args[1].as_str()) {
        (_, Some(text)) => text.as_bytes().to_vec(),
        (Value::Bytes(bytes), _) => bytes.data().to_vec(),
        (other, _) => return Err(arguments::wrong("write", "data", "a str or bytes", &other)),
    };
    of.running.borrow_mut().give(&data);
    let mut open = false;
    of.pump(context, "the input", timeout, |running| {
        let feed = running.feed.as_ref();
        open = feed.is_some_and(|feed| feed.is_open());
        feed.is_none_or(|feed| feed.is_empty())
    })?;
    match open {
        true => Ok(Value::Int(data.len() as i64)),
        false => {
            let label = of.running.borrow().label.clone();
            let message =
                format!("write: the program must take input, but `{label}` takes no more");
            Err(diag::Error::new(codes::CLOSED, message).into())
        }
    }
}

fn close(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let of = conversation("close", &args[0])?;
    let is_input = args[0]
        .as_handle::<Stream>()
        .is_some_and(|stream| stream.is_input);
    let mut running = of.running.borrow_mut();
    match is_input {
        true => running.end_input(),
        false => {
            if let Some(source) = &mut running.output {
                source.close();
            }
        }
    }
    Ok(Value::Nil)
}

fn flush(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    conversation("flush", &args[0])?;
    Ok(Value::Nil)
}

fn read(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let of = conversation("read", &args[0])?;
    let size = match arguments::given(&args[1]) {
        Some(size) => Some(arguments::size("read", "size", size)?),
        None => None,
    };
    let timeout = arguments::timeout("read", "timeout", &args[2])?;
    let mut length = 0;
    of.pump(context, "the output", timeout, |running| {
        let Some(source) = &running.output else {
            return true;
        };
        length = source.rest().len();
        let enough = size.is_some() && length > 0 || size == Some(0);
        enough || source.is_over() || length > MAX_STRING
    })?;
    operate::within("read", length, MAX_STRING)?;
    let mut running = of.running.borrow_mut();
    let source = running.output.as_mut();
    let data = source.map_or_else(Vec::new, |source| {
        let most = size.unwrap_or(usize::MAX);
        source.take(whole_characters(source.rest(), most))
    });
    drop(running);
    decode(context, "read", data)
}

/// At most so many bytes that a character is not cut, unless there is only part of one.
fn whole_characters(bytes: &[u8], most: usize) -> usize {
    let mut end = most.min(bytes.len());
    let cut = |end: usize| bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
    while end > 0 && cut(end) {
        end -= 1;
    }
    match end {
        0 => most.min(bytes.len()),
        end => end,
    }
}

fn readline(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("readline", "timeout", &args[1])?;
    let line = conversation("readline", &args[0])?.line(context, timeout)?;
    decode(context, "readline", line)
}

/// The lines of a stream that are left.
struct LeftLines {
    of: Rc<Conversation>,
}

impl NativeIter for LeftLines {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let line = self.of.line(context, None)?;
        if line.is_empty() {
            return Ok(None);
        }
        decode(context, "lines", trim(line)).map(Some)
    }

    fn trace(&self, _: &mut Marker<'_>) {}
}

fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let of = conversation("lines", &args[0])?;
    Ok(crate::builtins::lazy::value(context, LeftLines { of }))
}

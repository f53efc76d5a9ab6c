//! Commands as values: what a literal in backticks and `sh` make, and the methods that say how it is to run.
//!
//! A command is not changed by its methods: each gives a new one. `run` has the methods that run it and wait, `lines` the
//! one that reads while it runs, `background` those that give a process handle, `conversation` its streams, `talks` what other
//! waits do with these.

mod background;
mod conversation;
mod feed;
mod lines;
mod run;
mod settings;
mod talks;
mod travel;
mod until;

use super::{Table, arguments};
use crate::diag::{self, codes};
use crate::operator::COMMAND_SETTINGS;
use crate::os::{name, user};
use crate::program::{Command, Input, Output, Stage};
use crate::value::handle::{Handle, Parts};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Native, Outcome};
use crate::value::{Value, show};
use std::any::Any;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::rc::Rc;

pub use background::{spawn_value, start_prepared};
pub use conversation::{Conversation, STDIN, STDOUT, stream};
pub use lines::without_end;
pub use talks::{Reading, Talks};
pub use travel::{KIND, assemble};

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "sh" ("script", "...values") sh, "A command that the shell reads; further values are its `$1`, `$2`, each one word whatever is in it.";
};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@command" ("words") literal, "A command in backticks.";
    "@loop_leave" ("iterator") leave_loop, "A loop over lines was left.";
    "@spawn_command" ("options", "command") spawn_value, "`spawn(options)` of a command.";
};

/// Sorted by name.
pub static METHODS: Table = natives! {
    "bytes" () run::bytes, "Runs it and gives its standard output as bytes; ExitError when it fails.";
    "called" ("name") settings::called, "With another name that the program sees of itself, its argument 0: `bash`.called(\"-bash\") is a login shell.";
    "capture" ("binary?", "encoding?", "errors?") run::capture, "Runs it and gives {code, ok, out, err, ...} whatever its code is; with `binary: true` the outputs are bytes.";
    "check" () run::check, "Runs it with its output to the terminal; ExitError when it fails.";
    "cwd" ("folder") settings::cwd, "With another folder to run in.";
    "env" ("variables?", "clear?") settings::env, "With changed variables in its environment: nil takes one away, `clear: true` all others but PAR_TREE.";
    "input" ("data") settings::input, "With this input: a str, bytes, or something to go through, whose strs are lines.";
    "json" () run::json, "Runs it and reads its standard output as JSON; ExitError when it fails.";
    "limit" ("core?", "cpu?", "file_size?", "files?", "memory?") settings::limit, "With limits that the system holds each program to: seconds of the processor, open files, bytes of memory, of a file, of a core dump.";
    "lines" ("encoding?", "errors?") lines::lines, "Runs it and goes through the lines of its standard output while it runs; leaving the loop ends it.";
    "merge" () settings::merge, "With its standard error going where its standard output goes.";
    "name" ("text") settings::name, "With a name for messages and process handles; in a pipeline that of the stage.";
    "nice" ("by?") settings::nice, "With so much less of the processor than others get, from 1 to 19 (10).";
    "ok_codes" ("codes") settings::ok_codes, "With exit codes other than 0 that are no failure.";
    "run" () run::run, "Runs it with its output to the terminal and gives {code, ok, ...} without raising.";
    "session" () settings::session, "In a session of its own: no key of the terminal reaches it, and it cannot ask there for a password.";
    "spawn" ("name?") background::spawn, "Runs it in the background and gives its process handle, as `spawn` does.";
    "start" ("stderr?", "binary?", "encoding?", "errors?") background::start, "Runs it in the background and gives its process handle with `stdin` to write and `stdout` to read, with `stderr: true` also `stderr`; with `binary: true` they give bytes.";
    "stderr" ("target", "append?", "default?") settings::stderr, "With its standard error going to a file (a path or an open file), or nowhere (nil); with `default` only where nothing else was said.";
    "stdin" ("source") settings::stdin, "With its standard input coming from a file (a path or an open file), or from nowhere (nil).";
    "stdout" ("target", "append?", "default?") settings::stdout, "With its standard output going to a file (a path or an open file), or nowhere (nil); with `default` only if nothing else was said.";
    "tee" ("target", "append?") settings::tee, "With its standard output going to a file (a path or an open file) as well.";
    "terminal" ("columns?", "rows?", "echo?") settings::terminal, "With a terminal of its own (80 columns, 24 rows) in place of what of its streams goes nowhere else; with `echo: false` it does not show what is typed.";
    "text" ("encoding?", "errors?") run::text, "Runs it and gives its standard output as a str; ExitError when it fails.";
    "timeout" ("seconds") settings::timeout, "With a time after which it is ended with everything that it started: Timeout.";
    "umask" ("mask") settings::umask, "With the rights that files which it makes do not get: umask(0o077).";
    "user" ("who", "group?", "groups?") settings::user, "With the rights of another user (a name or a number), of its groups or of those that are given.";
};

/// A command as a value.
pub struct CommandHandle {
    pub(super) command: Command,
    /// What its input is read from, piece by piece.
    pub(super) feed: Option<Value>,
}

impl Handle for CommandHandle {
    fn type_name(&self) -> &'static str {
        KIND
    }

    fn parts(&self) -> Option<Parts> {
        travel::parts(self)
    }

    fn show(&self) -> String {
        format!("<command {}>", self.command.text())
    }

    fn bytes(&self) -> usize {
        self.command.bytes()
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["stages", "words"]
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        let heap = context.heap();
        let values: Vec<Value> = match (name, &self.command.stages[..]) {
            ("words", [stage]) => stage
                .words
                .iter()
                .map(|word| Value::str(heap, &name::text(OsStr::from_bytes(word))))
                .collect(),
            ("words", _) => {
                let message =
                    "the words of one program are known by `words`, but this is a pipeline";
                let help = "[c.words for c in pipeline.stages]";
                return Err(diag::Error::new(codes::VALUE, message)
                    .with_help(help)
                    .into());
            }
            ("stages", stages) => stages
                .iter()
                .map(|stage| {
                    let command = Command {
                        stages: vec![stage.clone()],
                        name: stage.name.clone(),
                        ..Command::default()
                    };
                    let feed = None;
                    Value::handle(heap, Rc::new(CommandHandle { command, feed }))
                })
                .collect(),
            _ => return Ok(None),
        };
        Ok(Some(Value::list(heap, values)))
    }

    fn join_with(&self, other: &dyn Handle) -> Outcome<Option<Rc<dyn Handle>>> {
        match other.as_any().downcast_ref::<CommandHandle>() {
            Some(other) => Ok(Some(Rc::new(self.pipe_into(other)?))),
            None => Ok(None),
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        if let Some(value) = self.feed {
            marker.value(value);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CommandHandle {
    /// `self | next`.
    fn pipe_into(&self, next: &CommandHandle) -> Outcome<CommandHandle> {
        if !self.command.tees.is_empty() {
            let rule = "must send its output into the pipe alone, but this one has a tee";
            let help = "the program `tee` stands between two: `a` | `tee {path}` | `b`";
            return Err(refuse_pipe(&self.command, rule).with_help(help).into());
        }
        if !matches!(self.command.output, Output::Default) {
            let rule = "must send its output into the pipe, but sends it elsewhere";
            return Err(refuse_pipe(&self.command, rule).into());
        }
        if !matches!(next.command.input, Input::Default) {
            let rule = "must take its input from the pipe, but takes it from elsewhere";
            return Err(refuse_pipe(&next.command, rule).into());
        }
        let (first, then) = (&self.command, &next.command);
        for command in [first, then] {
            if command.terminal.is_some() {
                let rule = "has no terminal of its own, but this one has";
                let error = refuse_pipe(command, rule);
                return Err(error.with_help(settings::TERMINAL_OF_A_PIPELINE).into());
            }
        }
        let timeout = match (first.timeout, then.timeout) {
            (Some(first), Some(then)) => Some(first.min(then)),
            (first, then) => first.or(then),
        };
        let stages = [first, then]
            .into_iter()
            .flat_map(CommandHandle::named_stages)
            .collect();
        let command = Command {
            stages,
            input: first.input.clone(),
            output: then.output.clone(),
            tees: then.tees.clone(),
            terminal: None,
            timeout,
            name: None,
        };
        let feed = self.feed;
        Ok(CommandHandle { command, feed })
    }

    /// The stages of a part of a pipeline; the name of one alone is that of the stage there.
    fn named_stages(command: &Command) -> Vec<Stage> {
        let mut stages = command.stages.clone();
        if let ([stage], Some(name)) = (&mut stages[..], &command.name) {
            stage.name = Some(name.clone());
        }
        stages
    }

    /// A changed copy, as a value.
    fn with(&self, context: &mut dyn Context, change: impl FnOnce(&mut CommandHandle)) -> Value {
        let mut changed = CommandHandle {
            command: self.command.clone(),
            feed: self.feed,
        };
        change(&mut changed);
        Value::handle(context.heap(), Rc::new(changed))
    }
}

fn refuse_pipe(command: &Command, rule: &str) -> Box<diag::Error> {
    let message = format!("a command in a pipeline {rule}: `{}`", command.label());
    diag::Error::new(codes::VALUE, message)
}

/// Whether a value is what makes a command: `sh`, or a method of a command that gives a changed one.
pub fn makes_command(value: &Value) -> bool {
    if let Value::Native(native) = value {
        return native.name == "sh";
    }
    let Value::Bound(bound) = value else {
        return false;
    };
    let Value::Native(native) = bound.function else {
        return false;
    };
    COMMAND_SETTINGS.contains(&native.name) && bound.receiver.as_handle::<CommandHandle>().is_some()
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a CommandHandle> {
    match value.as_handle::<CommandHandle>() {
        Some(handle) => Ok(handle),
        None => Err(arguments::wrong(method, "self", "a command", value)),
    }
}

/// A command from its words, each a list `[kind, part, ...]`.
fn literal(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut words: Vec<Vec<u8>> = Vec::new();
    for word in arguments::list("command", "words", &args[0])?
        .items()
        .to_values()
    {
        let parts = arguments::list("command", "word", &word)?
            .items()
            .to_values();
        let Some((kind, parts)) = parts.split_first() else {
            continue;
        };
        match (kind.as_str(), parts) {
            (Some("spread"), [Value::List(items)]) => {
                for item in items.items().to_values() {
                    words.push(bytes_of(&item, "an item of a list in a command")?);
                }
            }
            (kind, parts) => {
                let mut whole = match kind {
                    Some("home") => home(),
                    _ => Vec::new(),
                };
                for part in parts {
                    if matches!(part, Value::List(_)) {
                        let message =
                            "a value inside a word of a command must be one text, but is a list";
                        let help = "write {list} with blanks around it: each item becomes a word";
                        let error = diag::Error::new(codes::TYPE, message);
                        return Err(error.with_help(help).into());
                    }
                    whole.extend(bytes_of(part, "a value in a command")?);
                }
                words.push(whole);
            }
        }
    }
    let command = Command::new(words);
    let feed = None;
    Ok(Value::handle(
        context.heap(),
        Rc::new(CommandHandle { command, feed }),
    ))
}

/// What `~` stands for: itself where nobody says what the home is.
fn home() -> Vec<u8> {
    user::home(None).map_or_else(|| b"~".to_vec(), OsStringExt::into_vec)
}

/// A value as an argument of a program.
fn bytes_of(value: &Value, what: &str) -> Outcome<Vec<u8>> {
    let bytes = match (value, value.as_str()) {
        (_, Some(text)) => name::bytes(text).into_owned(),
        (Value::Bytes(bytes), _) => bytes.data().to_vec(),
        (Value::Int(_) | Value::Float(_) | Value::Bool(_), _) => show::display(*value).into_bytes(),
        _ => {
            let kind = show::kind(value);
            let message = format!("{what} must be a str, bytes, a number or a bool, but is {kind}");
            return Err(diag::Error::new(codes::TYPE, message).into());
        }
    };
    if bytes.contains(&0) {
        let message = format!("{what} must not have a zero byte in it, but has one");
        let help = "programs cannot take one in an argument: use .input(...)";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    Ok(bytes)
}

fn sh(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if args[0].as_str().is_none() && !matches!(args[0], Value::Bytes(_)) {
        return Err(arguments::wrong("sh", "script", "a str or bytes", &args[0]));
    }
    let script = bytes_of(&args[0], "a script of the shell")?;
    let mut words = vec![b"/bin/sh".to_vec(), b"-c".to_vec(), script];
    if args.len() > 1 {
        // What the script sees as `$0`.
        words.push(b"sh".to_vec());
    }
    for value in args.get(1..).unwrap_or_default() {
        words.push(bytes_of(value, "a value for the shell")?);
    }
    let command = Command::new(words);
    let feed = None;
    Ok(Value::handle(
        context.heap(),
        Rc::new(CommandHandle { command, feed }),
    ))
}

fn leave_loop(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    if let Value::Iter(iterator) = args[0] {
        iterator.iter.close();
    }
    Ok(Value::Nil)
}

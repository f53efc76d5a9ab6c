//! The methods that say how a command is to run.

use super::receiver;
use crate::builtins::{arguments, file};
use crate::diag::{self, codes};
use crate::os;
use crate::os::program::{Ids, RESOURCES};
use crate::os::user as users;
use crate::program::{Errors, Input, Output, Terminal, User};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, iterate, show};
use std::rc::Rc;

pub(super) fn cwd(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let folder = arguments::path("cwd", "folder", &args[1])?.to_string();
    Ok(receiver("cwd", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.folder = Some(folder.clone());
        }
    }))
}

pub(super) fn env(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let clear = match arguments::given(&args[2]) {
        Some(clear) => arguments::boolean("env", "clear", clear)?,
        None => false,
    };
    let mut changes = Vec::new();
    if let Some(variables) = arguments::given(&args[1]) {
        let variables = arguments::map("env", "variables", variables)?;
        for (key, value) in variables.table().iter() {
            let name = arguments::text("env", "the name of a variable", &key)?;
            if name.is_empty() || name.contains(['=', '\0']) {
                let rule = "must have names of variables as keys";
                return Err(arguments::refuse("env", "variables", rule, &key));
            }
            let text = match value {
                Value::Nil => None,
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(show::display(value)),
                _ => Some(arguments::text("env", name, &value)?.to_string()),
            };
            changes.push((name.to_string(), text));
        }
    }
    Ok(receiver("env", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            if clear {
                stage.bare = true;
                stage.environment.clear();
            }
            stage.environment.extend(changes.iter().cloned());
        }
    }))
}

pub(super) fn input(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = args[1];
    let (input, feed) = match (data, data.as_str()) {
        (_, Some(text)) => (Input::Bytes(os::name::bytes(text).into()), None),
        (Value::Bytes(bytes), _) => (Input::Bytes(bytes.data().into()), None),
        (
            Value::List(_) | Value::Set(_) | Value::Range(_) | Value::Iter(_) | Value::Handle(_),
            _,
        ) => (Input::Fed, Some(data)),
        (Value::Map(_), _) => {
            let help = "make text of it: .input(json.dumps(map))";
            return Err(wrong_input(&data, Some(help)));
        }
        _ => return Err(wrong_input(&data, None)),
    };
    if let Value::Handle(handle) = data
        && handle.share().iterate(context)?.is_none()
    {
        return Err(iterate::not_iterable(&data));
    }
    Ok(receiver("input", &args[0])?.with(context, |handle| {
        handle.command.input = input;
        handle.feed = feed;
    }))
}

fn wrong_input(value: &Value, help: Option<&str>) -> crate::value::native::Fault {
    let kind = show::kind(value);
    let message =
        format!("input: `data` must be a str, bytes or something to go through, but is {kind}");
    let error = diag::Error::new(codes::TYPE, message);
    match help {
        Some(help) => error.with_help(help).into(),
        None => error.into(),
    }
}

pub(super) fn stdin(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let source = match (args[1], args[1].as_str()) {
        (_, Some(path)) => Input::Path(path.to_string()),
        (Value::Nil, _) => Input::Nothing,
        (value, _) => match file::share(&value) {
            Some(file) => Input::File(Rc::new(file?)),
            None => {
                let expected = "a path, an open file or nil";
                return Err(arguments::wrong("stdin", "source", expected, &value));
            }
        },
    };
    Ok(receiver("stdin", &args[0])?.with(context, |handle| {
        handle.command.input = source;
        handle.feed = None;
    }))
}

fn target(method: &str, args: Args<'_>) -> Outcome<Output> {
    let append = match arguments::given(&args[2]) {
        Some(append) => arguments::boolean(method, "append", append)?,
        None => false,
    };
    Ok(match (args[1], args[1].as_str()) {
        (_, Some(path)) => Output::Path {
            path: path.to_string(),
            append,
        },
        (Value::Nil, _) => Output::Nothing,
        (value, _) => match file::share(&value) {
            Some(file) => Output::File(Rc::new(file?)),
            None => {
                let expected = "a path, an open file or nil";
                return Err(arguments::wrong(method, "target", expected, &value));
            }
        },
    })
}

/// Whether a place is only for a stream of which nothing else was said.
fn is_default(method: &str, args: Args<'_>) -> Outcome<bool> {
    arguments::given(&args[3]).map_or(Ok(false), |default| {
        arguments::boolean(method, "default", default)
    })
}

pub(super) fn stdout(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let target = target("stdout", args)?;
    let is_default = is_default("stdout", args)?;
    Ok(receiver("stdout", &args[0])?.with(context, |handle| {
        if !is_default || matches!(handle.command.output, Output::Default) {
            handle.command.output = target;
        }
    }))
}

pub(super) fn tee(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let target = target("tee", args)?;
    if matches!(target, Output::Nothing) {
        let expected = "a path or an open file";
        return Err(arguments::wrong("tee", "target", expected, &args[1]));
    }
    Ok(receiver("tee", &args[0])?.with(context, |handle| handle.command.tees.push(target)))
}

pub(super) fn terminal(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let handle = receiver("terminal", &args[0])?;
    let terminal = Terminal {
        columns: side_of_terminal("terminal", "columns", &args[1], Some(80))?,
        rows: side_of_terminal("terminal", "rows", &args[2], Some(24))?,
        echo: match arguments::given(&args[3]) {
            Some(echo) => arguments::boolean("terminal", "echo", echo)?,
            None => true,
        },
    };
    if handle.command.stages.len() > 1 {
        let message = format!(
            "a pipeline has no terminal of its own: `{}`",
            handle.command.label()
        );
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(TERMINAL_OF_A_PIPELINE)
            .into());
    }
    Ok(handle.with(context, |handle| handle.command.terminal = Some(terminal)))
}

/// What to write instead: a terminal belongs to a session, which only what one program starts can share.
pub(super) const TERMINAL_OF_A_PIPELINE: &str =
    "the shell can run a pipeline on one: sh(\"a \\\"$1\\\" | b\", value).terminal()";

/// The width or the height of a terminal.
pub(super) fn side_of_terminal(
    method: &str,
    name: &str,
    value: &Value,
    otherwise: Option<u16>,
) -> Outcome<u16> {
    let size = match (arguments::given(value), otherwise) {
        (None, Some(size)) => return Ok(size),
        _ => arguments::int(method, name, value)?,
    };
    match u16::try_from(size).ok().filter(|size| *size > 0) {
        Some(size) => Ok(size),
        None => Err(arguments::refuse(
            method,
            name,
            "must be from 1 to 65535",
            value,
        )),
    }
}

pub(super) fn session(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(receiver("session", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.alone = true;
        }
    }))
}

pub(super) fn called(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = super::bytes_of(&args[1], "the name that a program sees of itself")?;
    let handle = receiver("called", &args[0])?;
    if handle.command.stages.len() > 1 {
        let message = "called: a program must be named, but this is a pipeline of several";
        let help = "name it before the pipe: `a`.called(\"b\") | `c`";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    Ok(handle.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.called = Some(name.clone());
        }
    }))
}

pub(super) fn stderr(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let target = target("stderr", args)?;
    let is_default = is_default("stderr", args)?;
    Ok(receiver("stderr", &args[0])?.with(context, |handle| {
        let stages = handle.command.stages.iter_mut();
        let wanted = stages.filter(|s| !is_default || matches!(s.errors, Errors::Default));
        for (at, stage) in wanted.enumerate() {
            stage.errors = Errors::To(match &target {
                // The first begins the file anew.
                Output::Path { path, append } => Output::Path {
                    path: path.clone(),
                    append: *append || at > 0,
                },
                target => target.clone(),
            });
        }
    }))
}

pub(super) fn merge(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(receiver("merge", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.errors = Errors::Merged;
        }
    }))
}

pub(super) fn name(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("name", "text", &args[1])?;
    if text.is_empty() || text.contains('\0') {
        return Err(arguments::refuse(
            "name",
            "text",
            "must be a name",
            &args[1],
        ));
    }
    let text = text.to_string();
    Ok(receiver("name", &args[0])?.with(context, |handle| handle.command.name = Some(text)))
}

pub(super) fn ok_codes(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let values = match args[1] {
        Value::List(list) => list.items().to_values(),
        Value::Int(_) => vec![args[1]],
        other => {
            return Err(arguments::wrong(
                "ok_codes",
                "codes",
                "a list of ints or an int",
                &other,
            ));
        }
    };
    let mut codes = Vec::new();
    for value in values {
        let code = arguments::int("ok_codes", "code", &value)?;
        match i32::try_from(code)
            .ok()
            .filter(|code| (0..=255).contains(code))
        {
            Some(code) => codes.push(code),
            None => {
                return Err(arguments::refuse(
                    "ok_codes",
                    "code",
                    "must be from 0 to 255",
                    &value,
                ));
            }
        }
    }
    Ok(receiver("ok_codes", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.allowed = codes.clone();
        }
    }))
}

pub(super) fn timeout(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let seconds = arguments::timeout("timeout", "seconds", &args[1])?;
    if seconds.is_some_and(|seconds| seconds <= 0.0) {
        return Err(arguments::refuse(
            "timeout",
            "seconds",
            "must be more than 0",
            &args[1],
        ));
    }
    Ok(receiver("timeout", &args[0])?.with(context, |handle| handle.command.timeout = seconds))
}

pub(super) fn nice(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let by = match arguments::given(&args[1]) {
        Some(by) => arguments::int("nice", "by", by)?,
        None => 10,
    };
    let Some(by) = i32::try_from(by).ok().filter(|by| (1..=19).contains(by)) else {
        return Err(arguments::refuse(
            "nice",
            "by",
            "must be from 1 to 19",
            &args[1],
        ));
    };
    Ok(receiver("nice", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.bounds.nice = by;
        }
    }))
}

pub(super) fn umask(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mask = arguments::int("umask", "mask", &args[1])?;
    let Some(mask) = u32::try_from(mask).ok().filter(|mask| *mask <= 0o777) else {
        return Err(arguments::refuse(
            "umask",
            "mask",
            "must be from 0 to 0o777",
            &args[1],
        ));
    };
    Ok(receiver("umask", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            stage.bounds.umask = Some(mask);
        }
    }))
}

pub(super) fn limit(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut limits = Vec::new();
    // The parameters stand in the order of the table.
    for ((name, resource), value) in RESOURCES.iter().zip(args.get(1..).unwrap_or_default()) {
        let Some(value) = arguments::given(value) else {
            continue;
        };
        let most = match *name {
            // The kernel counts whole seconds.
            "cpu" => arguments::seconds("limit", name, value)?.ceil().max(1.0) as u64,
            _ => arguments::size("limit", name, value)? as u64,
        };
        limits.push((*resource, most));
    }
    if limits.is_empty() {
        let message = "limit: at least one limit must be given, but there is none";
        let help = "write .limit(memory: 512 * 1024 * 1024, cpu: 10s, files: 100)";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    Ok(receiver("limit", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            let known = &mut stage.bounds.limits;
            known.retain(|(resource, _)| limits.iter().all(|(new, _)| new != resource));
            known.extend(&limits);
        }
    }))
}

pub(super) fn user(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (name, known, number) = match args[1].as_str() {
        Some(name) => match users::by_name(name) {
            Some(account) => (name.to_string(), Some(account.ids), 0),
            None => {
                let rule = "must be a user of this machine";
                return Err(arguments::refuse("user", "who", rule, &args[1]));
            }
        },
        None => {
            let number = number_of("user", "who", "a name or a number", &args[1])?;
            let account = users::by_number(number);
            (
                number.to_string(),
                account.map(|account| account.ids),
                number,
            )
        }
    };
    let group = match arguments::given(&args[2]) {
        Some(group) => Some(group_of("group", group)?),
        None => None,
    };
    let mut ids = match (known, group) {
        (Some(ids), _) => ids,
        (None, Some(group)) => Ids {
            user: number,
            group,
            groups: vec![group],
        },
        (None, None) => {
            let message = format!(
                "user: nobody on this machine has the number {name}, so its group must be given"
            );
            let help = format!("write .user({name}, group: {name})");
            return Err(diag::Error::new(codes::VALUE, message)
                .with_help(help)
                .into());
        }
    };
    ids.group = group.unwrap_or(ids.group);
    if let Some(groups) = arguments::given(&args[3]) {
        let groups = arguments::list("user", "groups", groups)?
            .items()
            .to_values();
        let numbers = groups.iter().map(|group| group_of("groups", group));
        ids.groups = numbers.collect::<Outcome<_>>()?;
    }
    Ok(receiver("user", &args[0])?.with(context, |handle| {
        for stage in &mut handle.command.stages {
            let (name, ids) = (name.clone(), ids.clone());
            stage.user = Some(User { name, ids });
        }
    }))
}

fn group_of(param: &str, value: &Value) -> Outcome<u32> {
    match value.as_str() {
        Some(name) => users::group(name).ok_or_else(|| {
            let rule = "must be a group of this machine";
            arguments::refuse("user", param, rule, value)
        }),
        None => number_of("user", param, "a name or a number", value),
    }
}

fn number_of(method: &str, param: &str, expected: &str, value: &Value) -> Outcome<u32> {
    let Value::Int(number) = value else {
        return Err(arguments::wrong(method, param, expected, value));
    };
    // The last one means "none" to the system.
    let found = u32::try_from(*number)
        .ok()
        .filter(|number| *number < u32::MAX);
    found.ok_or_else(|| arguments::refuse(method, param, "must be from 0 to 4294967294", value))
}

//! From a command to programs that run: files and pipes are opened, then the programs are started one after the other.

use super::command::{Command, Errors, Input, Output, Stage};
use super::running::Running;
use super::streams::{Feed, Source, Tail};
use super::tee::Tee;
use super::{environment, lookup};
use crate::diag::{Error, Field, Result, codes};
use crate::os::name;
use crate::os::program::{self, Group, ProgramSpec, Refused};
use crate::os::terminal::{self, Pair};
use crate::os::{self, clock, descriptor};
use crate::process::pool::outlet;
use crate::process::programs::{self, JobId, Mark};
use crate::process::wait::{self, Attentive};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// What whoever runs a command wants of it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Plan {
    /// The output of the last program comes here, unless the command sends it elsewhere.
    pub captures: bool,
    /// The standard errors come here, unless the command sends them elsewhere.
    pub captures_errors: bool,
    /// All standard errors come here as one stream, unless the command sends them elsewhere.
    pub reads_errors: bool,
    /// The input of the first program comes from here, unless the command takes it from elsewhere.
    pub feeds: bool,
    /// It runs in the background: without this process's input, in a group of its own.
    pub background: bool,
}

/// An end of a pipe or a file, or a descriptor that the program shares with this process.
enum End {
    Own(OwnedFd),
    Inherited(RawFd),
}

impl End {
    fn number(&self) -> RawFd {
        match self {
            End::Own(file) => file.as_raw_fd(),
            End::Inherited(number) => *number,
        }
    }
}

/// Starts the programs of a command.
///
/// # Errors
/// A program that does not exist or cannot be executed, a file that cannot be opened. Nothing runs then.
pub fn start(command: &Command, plan: Plan) -> Result<Running> {
    let mut paths = Vec::new();
    for stage in &command.stages {
        paths.push(lookup::find(stage)?);
    }
    let terminal = match command.terminal {
        Some(wanted) => Some(terminal::open(wanted.columns, wanted.rows, wanted.echo)?),
        None => None,
    };
    let (input, feed) = open_input(command, plan, terminal.as_ref())?;
    let (output, source) = open_output(command, plan, terminal.as_ref())?;
    let deadline = command.timeout.map(clock::deadline);
    let is_apart = terminal.is_some() || command.stages.iter().any(|stage| stage.alone);
    let (job, mark) = programs::begin(deadline, is_apart)?;
    let mut running = Running::new(job, command, deadline);
    running.feed = feed;
    running.shares_keys = !plan.background && !plan.feeds && command.shares_terminal();
    running.output = source;
    let mut complaints = None;
    if let Some(pair) = &terminal {
        complaints = Some(again(&pair.program)?);
    } else if plan.reads_errors && command.stages.iter().any(Stage::complains) {
        let (reader, writer) = pipe()?;
        running.errors = Some(Source::new(reader));
        complaints = Some(writer);
    }
    let mut next_input = input;
    let mut last_output = Some(output);
    let last = command.stages.len().saturating_sub(1);
    let mut leader = None;
    for (at, (stage, path)) in command.stages.iter().zip(&paths).enumerate() {
        let (output, following) = match at == last {
            true => (last_output.take(), None),
            false => {
                let (reader, writer) = pipe()?;
                (Some(End::Own(writer)), Some(End::Own(reader)))
            }
        };
        let output = output.unwrap_or(End::Inherited(1));
        let (errors, tail) = open_errors(stage, command, &output, plan, complaints.as_ref())?;
        running.tails.push(tail);
        let descriptors = [
            (next_input.number(), 0),
            (shown(&output)?, 1),
            (shown(&errors)?, 2),
        ];
        let group = match (plan.background, leader) {
            _ if stage.alone => Group::Session(None),
            _ if let Some(pair) = &terminal => Group::Session(Some(pair.program.as_raw_fd())),
            (false, _) => Group::Inherited,
            (true, None) => Group::New,
            (true, Some(leader)) => Group::Of(leader),
        };
        let pid = launch(job, stage, path, &mark, &descriptors, group)?;
        leader = leader.or(Some(pid));
        if let Some(following) = following {
            next_input = following;
        }
    }
    running.pid = leader.unwrap_or(0);
    Ok(running)
}

/// Starts one program; its pid. An error ends those before it, when `Running` is dropped.
fn launch(
    job: JobId,
    stage: &Stage,
    path: &CString,
    mark: &Mark,
    descriptors: &[(RawFd, RawFd)],
    group: Group,
) -> Result<i32> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| lookup::no_zeros());
    let words = stage.words.iter().cloned().map(text);
    let mut arguments = words.collect::<Result<Vec<_>>>()?;
    if let (Some(called), Some(first)) = (&stage.called, arguments.first_mut()) {
        *first = text(called.clone())?;
    }
    let environment = environment::of(stage, &mark.text)?;
    let folder = stage
        .folder
        .as_deref()
        .map(|folder| name::bytes(folder).into_owned());
    let folder = folder.map(text).transpose()?;
    let spec = ProgramSpec {
        path,
        arguments: &arguments,
        environment: &environment,
        folder: folder.as_deref(),
        descriptors,
        group,
        dies_with_parent: true,
        bounds: &stage.bounds,
        user: stage.user.as_ref().map(|user| &user.ids),
        mark: mark.number,
    };
    match program::start(&spec) {
        Ok(started) => {
            let pid = started.pid;
            programs::add(job, started);
            Ok(pid)
        }
        Err(refused) => Err(refusal(stage, path, refused)),
    }
}

fn refusal(stage: &Stage, path: &CString, refused: Refused) -> Box<Error> {
    let reason = os::describe(&std::io::Error::from_raw_os_error(refused.errno));
    match (refused.call, &stage.folder) {
        ("execve", _) => lookup::refused(stage, path, refused.errno),
        ("chdir", Some(folder)) => Error::new(
            codes::IO,
            format!("the folder of a command must be one, but {folder:?}: {reason}"),
        )
        .with_field("path", Field::Text(folder.clone()))
        .with_field("errno", Field::Int(i64::from(refused.errno))),
        ("setpriority" | "setrlimit", _) => Error::new(
            codes::IO,
            format!(
                "a program must keep within what this process may give it, but {}: {reason}",
                refused.call
            ),
        )
        .with_field("errno", Field::Int(i64::from(refused.errno)))
        .with_help("only the superuser may ask for more than this process has (see `ulimit -Ha`)"),
        ("setgroups" | "setresgid" | "setresuid", _) => {
            let name = stage.user.as_ref().map_or("", |user| &user.name);
            Error::new(
                codes::IO,
                format!(
                    "a program must be allowed to run as the user {name}, but {}: {reason}",
                    refused.call
                ),
            )
            .with_field("user", Field::Text(name.to_string()))
            .with_field("errno", Field::Int(i64::from(refused.errno)))
            .with_help("only the superuser may run programs as somebody else")
        }
        (call, _) => {
            let message = format!("a program could not be started: {call}: {reason}");
            let report = match os::scarce(refused.errno) {
                Some(help) => Error::new(codes::LIMIT, message).with_help(help),
                None => Error::new(codes::IO, message),
            };
            report.with_field("errno", Field::Int(i64::from(refused.errno)))
        }
    }
}

fn open_input(
    command: &Command,
    plan: Plan,
    terminal: Option<&Pair>,
) -> Result<(End, Option<Feed>)> {
    let fed = || -> Result<(End, Option<Feed>)> {
        let (reader, writer) = pipe()?;
        Ok((End::Own(reader), Some(Feed::new(writer))))
    };
    Ok(match (&command.input, terminal) {
        (Input::Default, Some(pair)) => {
            let feed = Feed::of_terminal(again(&pair.keys)?);
            (End::Own(again(&pair.program)?), Some(feed))
        }
        (Input::Default, _) if plan.feeds => fed()?,
        (Input::Default, _) if plan.background => (null()?, None),
        (Input::Default, _) => (End::Inherited(0), None),
        (Input::Nothing, _) => (null()?, None),
        (Input::Fed, _) => fed()?,
        // In a file in memory: nobody has to feed it while the outputs are read.
        (Input::Bytes(bytes), _) => (End::Own(descriptor::memory_file(bytes)?), None),
        (Input::Path(path), _) => (End::Own(open(path, libc::O_RDONLY)?.into()), None),
        (Input::File(file), _) => (copy(file)?, None),
    })
}

fn open_output(
    command: &Command,
    plan: Plan,
    terminal: Option<&Pair>,
) -> Result<(End, Option<Source>)> {
    let is_default = matches!(command.output, Output::Default);
    let comes_here = plan.captures && is_default;
    let (end, mut source) = match terminal {
        // Whatever goes elsewhere, somebody has to read what else comes to the terminal.
        Some(pair) => {
            let end = match is_default {
                true => End::Own(again(&pair.program)?),
                false => open_output_to(&command.output, command)?,
            };
            let alive = again(&pair.keys)?;
            (end, Source::of_terminal(again(&pair.keys)?, alive))
        }
        None if comes_here || !command.tees.is_empty() => {
            let (reader, writer) = pipe()?;
            descriptor::widen_pipe(&reader);
            (End::Own(writer), Source::new(reader))
        }
        None => return Ok((open_output_to(&command.output, command)?, None)),
    };
    if !plan.captures || terminal.is_none() && !comes_here {
        source.keep_nothing();
        let rest = match terminal.is_some() {
            true => &Output::Default,
            false => &command.output,
        };
        open_tee(rest, command, &mut source)?;
    }
    for output in &command.tees {
        open_tee(output, command, &mut source)?;
    }
    Ok((end, Some(source)))
}

/// Has an output go somewhere as well.
fn open_tee(output: &Output, command: &Command, source: &mut Source) -> Result<()> {
    let path = match output {
        Output::Default => "standard output",
        Output::Nothing => return Ok(()),
        Output::Path { path, .. } => path,
        Output::File(_) => "the open file",
    };
    let (file, is_ours) = match open_output_to(output, command)? {
        End::Own(file) => (file, false),
        End::Inherited(_) => {
            let ours = std::io::stdout().as_fd().try_clone_to_owned();
            (ours.map_err(|error| os::failed("dup", &error))?, true)
        }
    };
    source.add_tee(Tee::new(file.into(), path.to_string(), is_ours));
    Ok(())
}

/// The number of an end that a program prints to.
fn shown(end: &End) -> Result<RawFd> {
    let instead = match end {
        End::Inherited(stream) => outlet::instead_of(*stream)?,
        End::Own(_) => None,
    };
    Ok(instead.unwrap_or(end.number()))
}

fn again(file: &OwnedFd) -> Result<OwnedFd> {
    file.try_clone().map_err(|error| os::failed("dup", &error))
}

fn open_errors(
    stage: &Stage,
    command: &Command,
    output: &End,
    plan: Plan,
    complaints: Option<&OwnedFd>,
) -> Result<(End, Option<Tail>)> {
    Ok(match (&stage.errors, complaints) {
        (Errors::Merged, _) => match output {
            End::Own(file) => (End::Own(again(file)?), None),
            End::Inherited(number) => (End::Inherited(*number), None),
        },
        (Errors::Default, Some(complaints)) => (End::Own(again(complaints)?), None),
        (Errors::Default, _) if plan.captures_errors => {
            let (reader, writer) = pipe()?;
            (End::Own(writer), Some(Tail::new(reader)))
        }
        (Errors::Default, _) => (End::Inherited(2), None),
        (Errors::To(output), _) => (open_errors_to(output, command)?, None),
    })
}

/// Opens what takes a standard output. Where standard errors go to the same file, neither writes over the other.
fn open_output_to(output: &Output, command: &Command) -> Result<End> {
    let mut errors = command.stages.iter().map(|stage| &stage.errors);
    let is_shared = errors.any(|errors| matches!(errors, Errors::To(to) if to.is_path_of(output)));
    open_to(output, 1, is_shared)
}

/// Opens what takes standard errors: several programs that write to one file must not write over each other. A file that takes the
/// output too is open already, and was begun anew if it was to be.
fn open_errors_to(output: &Output, command: &Command) -> Result<End> {
    let mut outputs = std::iter::once(&command.output).chain(&command.tees);
    if let Output::Path { path, .. } = output
        && outputs.any(|other| other.is_path_of(output))
    {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND;
        return Ok(End::Own(open(path, flags)?.into()));
    }
    open_to(output, 2, true)
}

/// `is_shared`: others write to the file as well, all at its end.
fn open_to(output: &Output, inherited: RawFd, is_shared: bool) -> Result<End> {
    Ok(match output {
        Output::Default => End::Inherited(inherited),
        Output::Nothing => null()?,
        Output::Path { path, append } => {
            let how = match (append, is_shared) {
                (true, _) => libc::O_APPEND,
                (false, true) => libc::O_TRUNC | libc::O_APPEND,
                (false, false) => libc::O_TRUNC,
            };
            End::Own(open(path, libc::O_WRONLY | libc::O_CREAT | how)?.into())
        }
        Output::File(file) => copy(file)?,
    })
}

fn copy(file: &File) -> Result<End> {
    let copy = file
        .try_clone()
        .map_err(|error| os::failed("dup", &error))?;
    Ok(End::Own(copy.into()))
}

fn null() -> Result<End> {
    Ok(End::Own(open("/dev/null", libc::O_RDWR)?.into()))
}

fn open(path: &str, flags: i32) -> Result<File> {
    let opened = wait::open(path, flags, None)?;
    opened.map(Attentive::into_inner).map_err(|error| {
        let number = error.raw_os_error().unwrap_or(0);
        let message = format!("open {path:?}: {}", os::describe(&error));
        let report = match os::scarce(number) {
            Some(help) => Error::new(codes::LIMIT, message).with_help(help),
            None => Error::new(codes::IO, message),
        };
        report
            .with_field("path", Field::Text(path.to_string()))
            .with_field("errno", Field::Int(i64::from(number)))
    })
}

/// A pipe that no other program inherits: what reads, what writes.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    match std::io::pipe() {
        Ok((reader, writer)) => Ok((reader.into(), writer.into())),
        Err(error) => Err(os::failed("pipe", &error)),
    }
}

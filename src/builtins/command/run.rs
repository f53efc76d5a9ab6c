//! Running a command to its end.

use super::{CommandHandle, feed, receiver};
use crate::builtins::encoding::Coding;
use crate::builtins::modules::json_read;
use crate::builtins::{arguments, gather};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::poll::{self, Interest};
use crate::os::signal;
use crate::process::wait;
use crate::program::failure::{self, Verdict};
use crate::program::streams::{Source, TAIL};
use crate::program::{Plan, Pumped, Running};
use crate::room;
use crate::value::map::{Map, Table};
use crate::value::native::{Args, Context, Fault, NativeIter, Outcome};
use crate::value::{Value, operate, text as texts};
use std::rc::Rc;
use std::time::Instant;

/// A command in the foreground.
pub(super) struct Foreground {
    pub(super) running: Running,
    /// What its input is read from.
    pub(super) feed: Option<Rc<dyn NativeIter>>,
    /// Somebody waits for its output while it gets its input.
    pub(super) is_read_meanwhile: bool,
}

/// Bytes that are passed on at once: who reads our standard error has room for so many when there is any.
const PASSED: usize = libc::PIPE_BUF;

impl Foreground {
    /// Starts it; what feeds it stays alive as long as the native call, or is traced by who keeps this.
    pub(super) fn start(
        context: &mut dyn Context,
        handle: &CommandHandle,
        plan: Plan,
    ) -> Outcome<Foreground> {
        let feed = match handle.feed {
            Some(feed) => Some(gather::open(context, feed)?),
            None => None,
        };
        let running = crate::program::start(&handle.command, plan)?;
        let is_read_meanwhile = false;
        Ok(Foreground {
            running,
            feed,
            is_read_meanwhile,
        })
    }

    /// Its output is a text in this encoding.
    fn read_as(&mut self, coding: Option<Coding>) {
        if let (Some(coding), Some(output)) = (coding, &mut self.running.output) {
            output.transform(coding.reader());
        }
    }

    /// Refuses an output that is not of its encoding, once all before that was taken.
    pub(super) fn check_output(&self, method: &str, coding: Option<Coding>) -> Outcome<()> {
        let output = self.running.output.as_ref();
        match (coding, output.is_some_and(Source::is_spoilt)) {
            (Some(coding), true) => Err(coding.spoilt(method, OUTPUT)),
            _ => Ok(()),
        }
    }

    /// Lets it run until `done`, feeding it and passing on what it complains about.
    pub(super) fn pump(
        &mut self,
        context: &mut dyn Context,
        mut done: impl FnMut(&mut Running) -> bool,
    ) -> Outcome<()> {
        let place = context.place();
        // Until when it may answer before more input is asked for.
        let mut answers = None;
        loop {
            self.check_time()?;
            let deadline = self.running.deadline();
            self.running.asks = answers.is_none();
            let until = deadline.into_iter().chain(answers.take()).min();
            let pumped = self.running.pump(place, until, &mut done)?;
            self.running.check_tees()?;
            match pumped {
                Pumped::Done if self.running.is_late() => self.check_time()?,
                Pumped::Done => return Ok(()),
                Pumped::WantsInput => {
                    let patience = feed::feed(&mut self.running, self.feed.as_ref(), context)?;
                    answers = patience.filter(|_| self.is_read_meanwhile);
                }
                Pumped::Complains => self.pass_on(context)?,
                // Its own time, or that for an answer: we look which.
                Pumped::OutOfTime => {}
            }
        }
    }

    /// Ends it with everything that it started when its time is over.
    fn check_time(&mut self) -> Outcome<()> {
        if !self.running.has_had_its_time() {
            return Ok(());
        }
        let error = failure::out_of_time(&self.running);
        self.running.end_with_all();
        Err(error.into())
    }

    /// Passes on what it complains about, as fast as who reads our standard error takes it; its time goes on meanwhile.
    /// What ends that wait leaves the rest to be passed on later.
    fn pass_on(&mut self, context: &mut dyn Context) -> Outcome<()> {
        let complaints = self.running.complaints();
        for (at, piece) in complaints.chunks(PASSED).enumerate() {
            let passed = self.pass_piece(context, piece);
            if passed.is_err() {
                let rest = complaints.get(at * PASSED..).unwrap_or_default();
                self.running.take_back(rest);
                return passed;
            }
        }
        Ok(())
    }

    fn pass_piece(&mut self, context: &mut dyn Context, piece: &[u8]) -> Outcome<()> {
        let place = context.place();
        let ours = Interest::Writable(libc::STDERR_FILENO);
        loop {
            let (program, deadline) = (self.running.program(), self.running.deadline());
            let has_room = wait::outside(program, place, deadline, |interests| {
                interests.push(ours);
                Ok(poll::is_met(ours).then_some(()))
            })?;
            if has_room.is_some() {
                return context.write_err(piece);
            }
            self.check_time()?;
        }
    }

    /// Its end, once all has ended that is waited for.
    pub(super) fn finish(&mut self, context: &mut dyn Context) -> Outcome<Verdict> {
        self.running.drain_errors();
        let verdict = failure::judge(&self.running)?;
        // What it said is in the error when it failed.
        if verdict.failed.is_none() {
            self.pass_on(context)?;
        }
        Ok(verdict)
    }
}

/// All that has to end before a command has: its programs, and its output if it comes here.
fn is_finished(running: &mut Running) -> bool {
    // Asked in any case: whose the keys are is looked at there, also while what a program has left behind holds the output open.
    let are_over = running.is_over();
    let source = running.output.as_ref();
    are_over && source.is_none_or(|source| source.is_over())
}

/// Starts a command whose output comes here; `method` is what the script called.
///
/// # Errors
/// The output goes elsewhere, or it cannot be started.
pub(super) fn start_captured(
    context: &mut dyn Context,
    method: &str,
    value: &Value,
    coding: Option<Coding>,
) -> Outcome<Foreground> {
    let handle = receiver(method, value)?;
    if !matches!(handle.command.output, crate::program::Output::Default) {
        let message =
            format!("{method}: the output of the command must come here, but goes elsewhere");
        let help = "leave .stdout(...) out, or use .check()";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    let plan = Plan {
        captures: true,
        captures_errors: true,
        ..Plan::default()
    };
    let mut foreground = Foreground::start(context, handle, plan)?;
    foreground.read_as(coding);
    Ok(foreground)
}

/// Runs it and gives its output, or raises its error.
fn output_of(
    context: &mut dyn Context,
    method: &str,
    value: &Value,
    coding: Option<Coding>,
) -> Outcome<Vec<u8>> {
    let mut foreground = start_captured(context, method, value, coding)?;
    foreground.running.held = TAIL;
    let mut length = 0;
    foreground.pump(context, |running| {
        length = running
            .output
            .as_ref()
            .map_or(0, |source| source.rest().len());
        let output = running.output.as_ref();
        length > MAX_STRING || output.is_some_and(Source::was_refused) || is_finished(running)
    })?;
    operate::within(method, length, MAX_STRING)?;
    let whole = foreground.running.output.as_ref();
    if whole.is_some_and(Source::was_refused) {
        return Err(room::error(method, length).into());
    }
    if let Some(coding) = coding.filter(|_| whole.is_some_and(Source::was_spoilt)) {
        return Err(coding.spoilt(method, OUTPUT));
    }
    let verdict = foreground.finish(context)?;
    if let Some(error) = verdict.error(&foreground.running) {
        return Err(error.into());
    }
    let source = foreground.running.output.as_mut();
    Ok(source.map_or_else(Vec::new, |source| source.take(usize::MAX)))
}

/// What to do where an output is no text.
pub(super) const AS_BYTES: &str = "say what it is, as encoding: \"latin-1\", take any bytes with errors: \"replace\", or read it with .bytes(); os.fsdecode makes strs of names of files";
/// What an output is called in errors.
pub(super) const OUTPUT: &str = "the output of the command";

/// Refuses an encoding where bytes are wanted.
pub(super) fn text_only(method: &str, binary: bool, coding: Option<Coding>) -> Outcome<()> {
    if !binary || coding.is_none() {
        return Ok(());
    }
    let message =
        format!("{method}: bytes have no encoding, but `binary` and an encoding were given");
    Err(diag::Error::new(codes::VALUE, message).into())
}

/// Bytes that a program wrote, as a text; `help` says how to read what is none.
pub(super) fn decode(
    context: &mut dyn Context,
    method: &str,
    data: Vec<u8>,
    help: &str,
) -> Outcome {
    match String::from_utf8(data) {
        Ok(text) => texts::checked(context.heap(), text),
        Err(_) => {
            let message = format!("{method}: {OUTPUT} must be UTF-8, but has other bytes");
            Err(diag::Error::new(codes::VALUE, message)
                .with_help(help)
                .into())
        }
    }
}

pub(super) fn text(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let coding = Coding::given("text", &args[1], &args[2])?;
    let data = output_of(context, "text", &args[0], coding)?;
    decode(context, "text", data, AS_BYTES)
}

pub(super) fn bytes(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = output_of(context, "bytes", &args[0], None)?;
    Ok(Value::bytes(context.heap(), data))
}

pub(super) fn json(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = output_of(context, "json", &args[0], None)?;
    let text = decode(context, "json", data, "JSON is written in UTF-8")?;
    context.protect(text);
    let read = json_read::read(context.heap(), text.as_str().unwrap_or_default());
    read.map_err(|fault| match fault {
        Fault::Error(mut error) => {
            let label = super::receiver("json", &args[0]).map(|handle| handle.command.label());
            let place = format!("json: the output of `{}`", label.unwrap_or_default());
            error.message = error.message.replacen("loads: the text", &place, 1);
            Fault::Error(error)
        }
        fault => fault,
    })
}

/// Runs it with its output to the terminal.
fn run_open(
    context: &mut dyn Context,
    method: &str,
    value: &Value,
) -> Outcome<(Foreground, Verdict, f64)> {
    let begin = Instant::now();
    let handle = receiver(method, value)?;
    // Before it starts: it may use the keys at once.
    let keys = handle.command.shares_terminal().then(signal::leave_keys);
    let mut foreground = Foreground::start(context, handle, Plan::default())?;
    foreground.pump(context, is_finished)?;
    foreground.running.check_keys()?;
    drop(keys);
    let verdict = foreground.finish(context)?;
    Ok((foreground, verdict, begin.elapsed().as_secs_f64()))
}

pub(super) fn check(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (foreground, verdict, seconds) = run_open(context, "check", &args[0])?;
    match verdict.error(&foreground.running) {
        Some(error) => Err(error.into()),
        None => Ok(report(context, &verdict, seconds, Vec::new())),
    }
}

pub(super) fn run(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (_, verdict, seconds) = run_open(context, "run", &args[0])?;
    Ok(report(context, &verdict, seconds, Vec::new()))
}

pub(super) fn capture(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let begin = Instant::now();
    let binary = match arguments::given(&args[1]) {
        Some(flag) => arguments::boolean("capture", "binary", flag)?,
        None => false,
    };
    let coding = Coding::given("capture", &args[2], &args[3])?;
    text_only("capture", binary, coding)?;
    let handle = receiver("capture", &args[0])?;
    let plan = Plan {
        captures: true,
        captures_errors: true,
        ..Plan::default()
    };
    let mut foreground = Foreground::start(context, handle, plan)?;
    foreground.running.held = usize::MAX;
    foreground.read_as(coding);
    let mut length = 0;
    foreground.pump(context, |running| {
        let output = running
            .output
            .as_ref()
            .map_or(0, |source| source.rest().len());
        length = output.max(running.held_back());
        length > MAX_STRING || is_finished(running)
    })?;
    operate::within("capture", length, MAX_STRING)?;
    let whole = foreground.running.output.as_ref();
    if let Some(coding) = coding.filter(|_| whole.is_some_and(Source::was_spoilt)) {
        return Err(coding.spoilt("capture", OUTPUT));
    }
    foreground.running.drain_errors();
    let verdict = failure::judge(&foreground.running)?;
    let source = foreground.running.output.as_mut();
    let out = source.map_or_else(Vec::new, |source| source.take(usize::MAX));
    let err = foreground.running.complaints();
    let (out, err) = match binary {
        true => (
            Value::bytes(context.heap(), out),
            Value::bytes(context.heap(), err),
        ),
        false => (
            decode(
                context,
                "capture",
                out,
                "say what it is, as encoding: \"latin-1\", take any bytes with errors: \"replace\", or as bytes: .capture(binary: true)",
            )?,
            match coding {
                Some(coding) => {
                    let err = coding.lenient().decode("capture", &err)?;
                    Value::str(context.heap(), &err)
                }
                None => Value::str(context.heap(), &String::from_utf8_lossy(&err)),
            },
        ),
    };
    context.protect(out);
    context.protect(err);
    let more = vec![("out", out), ("err", err)];
    Ok(report(
        context,
        &verdict,
        begin.elapsed().as_secs_f64(),
        more,
    ))
}

/// `{code, ok, codes, signal, seconds}`.
fn report(
    context: &mut dyn Context,
    verdict: &Verdict,
    seconds: f64,
    more: Vec<(&str, Value)>,
) -> Value {
    let code = verdict.code();
    let codes = verdict.codes().into_iter();
    let codes = codes.map(|code| Value::Int(i64::from(code))).collect();
    let codes = Value::list(context.heap(), codes);
    context.protect(codes);
    let signal = match code {
        code if code < 0 => Value::str(context.heap(), &crate::os::signal::name_of(-code)),
        _ => Value::Nil,
    };
    context.protect(signal);
    let mut table = Table::default();
    let rows = [
        ("code", Value::Int(i64::from(code))),
        ("ok", Value::Bool(verdict.failed.is_none())),
    ];
    let last = [
        ("codes", codes),
        ("signal", signal),
        ("seconds", Value::Float(seconds)),
    ];
    for (name, value) in rows.into_iter().chain(more).chain(last) {
        let key = Value::str(context.heap(), name);
        table.insert(key, value);
    }
    Value::Map(Map::new(context.heap(), table))
}

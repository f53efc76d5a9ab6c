//! Conversations with a program: the streams of what was started with `start()`.

use super::lines::{AHEAD, found_line, next_line, without_end};
use super::run::{OUTPUT, decode};
use super::until;
use crate::builtins::encoding::Coding;
use crate::builtins::scarce::{self, Scarce};
use crate::builtins::{Table, arguments};
use crate::diag::{self, Field, codes};
use crate::limits::MAX_STRING;
use crate::os::poll::Interest;
use crate::os::{clock, fork, name};
use crate::process::{Process, programs};
use crate::program::streams::Source;
use crate::program::{Pumped, Running};
use crate::value::handle::Handle;
use crate::value::heap::{Heap, Marker};
use crate::value::native::{Args, Context, Native, NativeIter, Outcome};
use crate::value::{Value, operate};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The streams of a program that was started with `start()`.
pub struct Conversation {
    pub(super) running: RefCell<Running>,
    /// The process that started it, and which streams there are. They stand beside what runs, for a worker that is forked while its
    /// owner waits for a line finds that borrowed for ever.
    owner: i32,
    streams: [bool; 3],
    process: Process,
    kind: Kind,
    /// Something was written to its input.
    has_written: Cell<bool>,
    _scarce: Scarce,
}

/// What is read and written.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Bytes.
    Bytes,
    /// Texts in UTF-8.
    Text,
    /// Texts in another encoding, or in one that is not strict.
    Coded(Coding),
}

/// What to do where what is read is no text.
const IS_NO_TEXT: &str = "start the program with start(encoding: \"latin-1\"), start(errors: \"replace\") or start(binary: true)";

/// Which of its streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Input,
    Output,
    Errors,
}

/// One of the streams of a conversation.
struct Stream {
    of: Rc<Conversation>,
    which: Which,
}

/// `p.stdin`, `p.stdout` or `p.stderr`; `None` where the command sent it elsewhere, or nobody asked for it.
pub fn stream(context: &mut dyn Context, of: &Rc<Conversation>, name: &str) -> Option<Value> {
    let which = match name {
        "stdin" => Which::Input,
        "stdout" => Which::Output,
        _ => Which::Errors,
    };
    let [input, output, errors] = of.streams;
    let exists = match which {
        Which::Input => input,
        Which::Output => output,
        Which::Errors => errors,
    };
    let of = of.clone();
    exists.then(|| Value::handle(context.heap(), Rc::new(Stream { of, which })))
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Which::Input => "stdin",
            Which::Output => "stdout",
            Which::Errors => "stderr",
        }
    }

    /// What is read from it.
    pub(super) fn source(self, running: &mut Running) -> Option<&mut Source> {
        match self {
            Which::Input => None,
            Which::Output => running.output.as_mut(),
            Which::Errors => running.errors.as_mut(),
        }
    }
}

/// What can be done with the input of a program, sorted by name.
pub static STDIN: Table = natives! {
    "close" () close, "Ends the input of the program; more than once does no harm.";
    "flush" () flush, "Nothing is held back: it is there for programs that were written for files.";
    "resize" ("columns", "rows") until::resize, "Gives the terminal of the program another size, of which the program is told.";
    "write" ("data", "timeout?") write, "Gives the program a str or bytes, and waits until it has taken them.";
};

/// What can be done with what a program writes, sorted by name.
pub static STDOUT: Table = natives! {
    "close" () close, "Reads no more: a program that writes on is ended by SIGPIPE, which is no failure then.";
    "lines" () lines, "Goes through the lines that are left, without their ends.";
    "read" ("size?", "timeout?") read, "What is left until the program ends its output, or at most so many bytes as soon as there are some.";
    "read_until" ("what", "timeout?") until::read_until, "What comes up to a str, bytes or a compiled pattern and with it, as soon as it has come; EndOfStream where it does not.";
    "readline" ("timeout?") readline, "The next line with its end; empty when there is none any more.";
};

impl Handle for Stream {
    fn type_name(&self) -> &'static str {
        "stream"
    }

    fn show(&self) -> String {
        let name = self.which.name();
        match self.of.running.try_borrow() {
            Ok(running) => format!("<stream {name} of {}>", running.label),
            Err(_) => format!("<stream {name}>"),
        }
    }

    fn methods(&self) -> &'static [Native] {
        match self.which {
            Which::Input => STDIN,
            Which::Output | Which::Errors => STDOUT,
        }
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        let (of, which) = (self.of.clone(), self.which);
        let reads = which != Which::Input;
        Ok(reads.then(|| Rc::new(LeftLines { of, which }) as Rc<dyn NativeIter>))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(super) fn conversation(method: &str, value: &Value) -> Outcome<(Rc<Conversation>, Which)> {
    let Some(stream) = value.as_handle::<Stream>() else {
        return Err(arguments::wrong(method, "self", "a stream", value));
    };
    if stream.of.is_own() {
        let mut running = stream.of.running.try_borrow_mut().ok();
        let source = running
            .as_mut()
            .and_then(|running| stream.which.source(running));
        if source.is_some_and(|source| source.is_closed()) && method != "close" {
            let message = format!("{method}: the stream must be open, but it was closed here");
            return Err(diag::Error::new(codes::CLOSED, message).into());
        }
        return Ok((stream.of.clone(), stream.which));
    }
    let message = format!(
        "{method}: a stream is used by the process that started the program, but this is another"
    );
    Err(diag::Error::new(codes::VALUE, message).into())
}

/// What a program writes, from a stream; `None` for other values.
pub(super) fn output(method: &str, value: &Value) -> Outcome<Option<(Rc<Conversation>, Which)>> {
    if value.as_handle::<Stream>().is_none() {
        return Ok(None);
    }
    let found = conversation(method, value)?;
    Ok(Some(found).filter(|(_, which)| *which != Which::Input))
}

impl Conversation {
    /// Whether this process can talk with it.
    pub fn is_own(&self) -> bool {
        self.owner == fork::pid()
    }

    /// The program.
    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// The program gets no more input than it was given.
    pub(super) fn end_input(&self) {
        self.running.borrow_mut().end_input();
    }

    /// Whether nothing of an output is left.
    pub(super) fn has_ended(&self, which: Which) -> bool {
        let mut running = self.running.borrow_mut();
        let source = which.source(&mut running);
        source.is_none_or(|source| source.is_over() && source.rest().is_empty())
    }

    /// Moves what can be moved without waiting, and names what is waited for then. The answer is how much of an output was read and
    /// not taken yet, of that of which there is most.
    pub(super) fn serve(&self, interests: &mut Vec<Interest>) -> usize {
        // Who talks with it at this moment serves it.
        let Ok(mut running) = self.running.try_borrow_mut() else {
            return 0;
        };
        running.serve(interests);
        let sources = [&running.output, &running.errors];
        let ahead = sources.into_iter().flatten();
        ahead.map(|source| source.rest().len()).max().unwrap_or(0)
    }

    /// Whether nothing that was read is on its way to where the output goes as well.
    pub(super) fn is_settled(&self) -> bool {
        let running = self.running.try_borrow();
        running.is_ok_and(|running| !running.output.as_ref().is_some_and(Source::is_held_up))
    }

    /// Refuses to go on where a file that the output goes to as well takes no more; told once.
    pub(super) fn check_tees(&self) -> diag::Result<()> {
        match self.running.try_borrow_mut() {
            Ok(mut running) => running.check_tees(),
            Err(_) => Ok(()),
        }
    }

    /// The next line with its end, if it is there; empty at the end. `searched` bytes have no end of a line.
    pub(super) fn line_there(
        &self,
        which: Which,
        searched: &mut usize,
    ) -> Outcome<Option<Vec<u8>>> {
        let mut running = self.running.borrow_mut();
        let Some(source) = which.source(&mut running) else {
            return Ok(Some(Vec::new()));
        };
        let Some(length) = next_line(source, searched) else {
            return Ok(None);
        };
        let line = source.take(length);
        if !line.ends_with(b"\n") {
            self.check("readline", Some(source))?;
        }
        Ok(Some(line))
    }

    /// What `read(size)` gives, if it is there; empty at the end.
    pub(super) fn output_there(
        &self,
        which: Which,
        size: Option<usize>,
    ) -> Outcome<Option<Vec<u8>>> {
        let mut running = self.running.borrow_mut();
        let mut source = which.source(&mut running);
        if !self.has_enough(source.as_deref(), size) {
            return Ok(None);
        }
        let data = self.take(source.as_deref_mut(), size);
        if size.is_none() || data.is_empty() {
            self.check("read", source.as_deref())?;
        }
        Ok(Some(data))
    }

    /// How many of these bytes are at most so many: of a text, whole characters.
    fn count_of(&self, rest: &[u8], most: usize) -> usize {
        match self.kind {
            Kind::Bytes => most.min(rest.len()),
            Kind::Text | Kind::Coded(_) => whole_characters(rest, most),
        }
    }

    /// Whether `read(size)` need not wait any more.
    fn has_enough(&self, source: Option<&Source>, size: Option<usize>) -> bool {
        let Some(source) = source else {
            return true;
        };
        let enough = size.is_some_and(|size| size == 0 || self.count_of(source.rest(), size) > 0);
        enough || source.is_over()
    }

    /// What `read(size)` gives.
    fn take(&self, source: Option<&mut Source>, size: Option<usize>) -> Vec<u8> {
        let Some(source) = source else {
            return Vec::new();
        };
        let count = match size {
            // At the end there can be a part of a character: that is an error.
            Some(size) if size > 0 && source.is_over() => self.count_of(source.rest(), size).max(1),
            Some(size) => self.count_of(source.rest(), size),
            None => usize::MAX,
        };
        source.take(count)
    }

    /// The conversation with a program that was started for one.
    pub(super) fn new(
        heap: &mut Heap,
        running: Running,
        process: Process,
        kind: Kind,
    ) -> Conversation {
        let sources = [&running.output, &running.errors];
        let [output, errors] = sources.map(Option::is_some);
        Conversation {
            owner: fork::pid(),
            streams: [running.feed.is_some(), output, errors],
            running: RefCell::new(running),
            process,
            kind,
            has_written: Cell::new(false),
            _scarce: Scarce::new(heap, scarce::PROGRAM),
        }
    }

    /// A text as the program reads it.
    fn encoded(&self, text: &str) -> Outcome<Vec<u8>> {
        match self.kind {
            Kind::Coded(coding) => {
                let is_first = !self.has_written.replace(true);
                coding.encode("write", text, is_first)
            }
            Kind::Bytes | Kind::Text => Ok(name::bytes(text).into_owned()),
        }
    }

    /// What was read, as a value.
    pub(super) fn value(&self, context: &mut dyn Context, method: &str, data: Vec<u8>) -> Outcome {
        match self.kind {
            Kind::Bytes => Ok(Value::bytes(context.heap(), data)),
            Kind::Text | Kind::Coded(_) => decode(context, method, data, IS_NO_TEXT),
        }
    }

    /// Refuses what is not of its encoding, once all before that was taken.
    fn check(&self, method: &str, source: Option<&Source>) -> Outcome<()> {
        match (self.kind, source.is_some_and(Source::is_spoilt)) {
            (Kind::Coded(coding), true) => Err(coding.spoilt(method, OUTPUT)),
            _ => Ok(()),
        }
    }

    /// How a text looks in what was read.
    pub(super) fn wanted(&self, text: &str) -> Vec<u8> {
        match self.kind {
            Kind::Coded(_) => text.as_bytes().to_vec(),
            Kind::Bytes | Kind::Text => name::bytes(text).into_owned(),
        }
    }

    /// What messages call the program.
    pub(super) fn label(&self) -> Rc<str> {
        self.running.borrow().label.clone()
    }

    /// The end of what came and was not taken, of so many characters.
    pub(super) fn end_of(&self, which: Which, characters: usize) -> String {
        let mut running = self.running.borrow_mut();
        let source = which.source(&mut running);
        let rest = source.as_ref().map_or(&[][..], |source| source.rest());
        // No character has more bytes.
        let from = rest.len().saturating_sub(4 * characters);
        let text = String::from_utf8_lossy(rest.get(from..).unwrap_or_default());
        let count = text.chars().count();
        text.chars()
            .skip(count.saturating_sub(characters))
            .collect()
    }

    /// Takes so many bytes of what came.
    pub(super) fn take_first(&self, which: Which, count: usize) -> Vec<u8> {
        let mut running = self.running.borrow_mut();
        which
            .source(&mut running)
            .map_or_else(Vec::new, |source| source.take(count))
    }

    /// Gives its terminal another size; false when it has none.
    pub(super) fn resize(&self, columns: u16, rows: u16) -> bool {
        let running = self.running.borrow();
        let feed = running.feed.as_ref();
        feed.is_some_and(|feed| feed.resize(columns, rows))
    }

    /// Lets the program run until `done`; what it writes meanwhile is kept, so that it is never stuck.
    pub(super) fn pump(
        &self,
        context: &mut dyn Context,
        what: &str,
        timeout: Option<f64>,
        mut done: impl FnMut(&mut Running) -> bool,
    ) -> Outcome<()> {
        let place = context.place();
        let deadline = timeout.map(clock::deadline);
        let mut running = self.running.borrow_mut();
        let pumped = loop {
            let own = self.check_time(&mut running)?;
            let until = deadline.into_iter().chain(own).min();
            let pumped = running.pump(place, until, &mut done)?;
            running.check_tees()?;
            let is_over = || deadline.is_some_and(|deadline| deadline <= clock::now());
            if pumped != Pumped::OutOfTime || is_over() {
                break pumped;
            }
        };
        match pumped {
            Pumped::OutOfTime => {
                let seconds = timeout.unwrap_or(0.0);
                let message = format!(
                    "{what} of `{}` is needed within {seconds} s, but it took longer",
                    running.label
                );
                let error = diag::Error::new(codes::TIMEOUT, message);
                Err(error.with_field("seconds", Field::Float(seconds)).into())
            }
            _ => Ok(()),
        }
    }

    /// The next line with its end, empty at the end.
    fn line(
        &self,
        context: &mut dyn Context,
        which: Which,
        timeout: Option<f64>,
    ) -> Outcome<Vec<u8>> {
        let (mut searched, mut found) = (0, None);
        if let Some(source) = which.source(&mut self.running.borrow_mut()) {
            // What is there already is given without a look at the pipes. Who reads line by line does not read far ahead; of
            // the other output everything is read, so that the program is never stuck.
            found = next_line(source, &mut searched);
            source.most = source.rest().len().max(AHEAD);
        }
        let pumped = match found {
            Some(_) => Ok(()),
            None => self.pump(context, "a line", timeout, |running| {
                let source = which.source(running);
                let is_there = source.is_some();
                found = found_line(source, &mut searched);
                found.is_some() || searched > MAX_STRING || !is_there
            }),
        };
        let mut running = self.running.borrow_mut();
        let mut source = which.source(&mut running);
        if let Some(source) = &mut source {
            source.most = MAX_STRING + 1;
        }
        pumped?;
        operate::within("readline", searched, MAX_STRING)?;
        let line = source
            .as_mut()
            .map_or_else(Vec::new, |source| source.take(found.unwrap_or(0)));
        if !line.ends_with(b"\n") {
            self.check("readline", source.as_deref())?;
        }
        Ok(line)
    }
}

fn write(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (of, _) = conversation("write", &args[0])?;
    let timeout = arguments::timeout("write", "timeout", &args[2])?;
    let data = match (args[1], args[1].as_str()) {
        (_, Some(text)) => of.encoded(text)?,
        (Value::Bytes(bytes), _) => bytes.data().to_vec(),
        (other, _) => return Err(arguments::wrong("write", "data", "a str or bytes", &other)),
    };
    of.running.borrow_mut().give(&data);
    let mut open = false;
    of.pump(context, "room for the input", timeout, |running| {
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
    let (of, which) = conversation("close", &args[0])?;
    let mut running = of.running.borrow_mut();
    match which {
        Which::Input => running.end_input(),
        Which::Output | Which::Errors => {
            if let Some(source) = which.source(&mut running) {
                source.close();
                programs::note_unread(running.job());
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
    let (of, which) = conversation("read", &args[0])?;
    let size = match arguments::given(&args[1]) {
        Some(size) => Some(arguments::size("read", "size", size)?),
        None => None,
    };
    let timeout = arguments::timeout("read", "timeout", &args[2])?;
    let mut length = 0;
    of.pump(context, "output", timeout, |running| {
        let source = which.source(running);
        length = source.as_ref().map_or(0, |source| source.rest().len());
        length > MAX_STRING || of.has_enough(source.as_deref(), size)
    })?;
    operate::within("read", length, MAX_STRING)?;
    let data = of.output_there(which, size)?.unwrap_or_default();
    of.value(context, "read", data)
}

/// At most so many bytes that no character is cut, but at least one character, if one is there.
fn whole_characters(bytes: &[u8], most: usize) -> usize {
    let starts = |end: usize| bytes.get(end).is_none_or(|byte| byte & 0xc0 != 0x80);
    let mut end = most.min(bytes.len());
    while end > 0 && !starts(end) {
        end -= 1;
    }
    if end == bytes.len() {
        // The last one may not have come as a whole.
        end = match std::str::from_utf8(bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => end,
        };
    }
    if end > 0 || most == 0 {
        return end;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().next().map_or(0, char::len_utf8),
        Err(error) if error.valid_up_to() > 0 => (1..=4).find(|&end| starts(end)).unwrap_or(1),
        // What is no text is given out, to be refused; what is not whole is waited for.
        Err(error) => error.error_len().unwrap_or(0),
    }
}

fn readline(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("readline", "timeout", &args[1])?;
    let (of, which) = conversation("readline", &args[0])?;
    let line = of.line(context, which, timeout)?;
    of.value(context, "readline", line)
}

/// The lines of a stream that are left.
struct LeftLines {
    of: Rc<Conversation>,
    which: Which,
}

impl NativeIter for LeftLines {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let line = self.of.line(context, self.which, None)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.of.value(context, "lines", without_end(line)).map(Some)
    }

    fn trace(&self, _: &mut Marker<'_>) {}
}

fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (of, which) = conversation("lines", &args[0])?;
    Ok(crate::builtins::lazy::value(
        context,
        LeftLines { of, which },
    ))
}

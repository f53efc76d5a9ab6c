//! `print`, `eprint`, `input`.

use super::{Table, arguments, progress, state, system};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::{fork, name};
use crate::process::pool::tail;
use crate::process::signals;
use crate::process::wait::Attentive;
use crate::room;
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, operate, show};
use std::io::Read;
use std::os::fd::AsFd;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "eprint" ("...values", "sep?", "end?") eprint, "Writes values to standard error in one piece, with a space between and a newline after them.";
    "input" ("prompt?") input, "Reads a line of standard input, without its newline; EndOfStream at the end of the input.";
    "print" ("...values", "sep?", "end?") print, "Writes values to standard output in one piece, with a space between and a newline after them.";
};

/// How much of standard input is read at once.
const INPUT_CHUNK: usize = 64 * 1024;

/// What was read from standard input and not asked for yet.
#[derive(Default)]
struct Input {
    /// The process that read it: what a parent has read ahead is not the child's to use again.
    owner: i32,
    data: Vec<u8>,
    /// How much of it was looked through: no line ends there.
    searched: usize,
    ended: bool,
}

fn print(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = noted(line("print", args)?, false);
    context.write_out(&name::bytes(&text))?;
    Ok(Value::Nil)
}

fn eprint(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = noted(line("eprint", args)?, true);
    context.write_err(&name::bytes(&text))?;
    Ok(Value::Nil)
}

/// Takes note of a text that is printed (a worker's last words), and gives it the form that keeps a progress bar whole.
fn noted(text: String, to_error: bool) -> String {
    tail::note(text.as_bytes());
    progress::beside_bar(&text, to_error).unwrap_or(text)
}

/// The values with what stands between and after them, as one text: one write keeps lines of several processes whole.
fn line(function: &str, args: Args<'_>) -> Outcome<String> {
    let option = |at: usize, name, default| match arguments::given(&args[at]) {
        Some(value) => arguments::text(function, name, value),
        None => Ok(default),
    };
    let (separator, end) = (option(0, "sep", " ")?, option(1, "end", "\n")?);
    let mut text = String::new();
    for (at, value) in args[2..].iter().enumerate() {
        if at > 0 {
            text.push_str(separator);
        }
        let more = value.as_str().map_or(0, str::len) + 64;
        if !room::reserve_text(&mut text, more) {
            return Err(room::error("print", text.len() + more).into());
        }
        match value.as_str() {
            Some(bare) => text.push_str(bare),
            None => text.push_str(&show::display_while(*value, signals::check_urgent)?),
        }
    }
    text.push_str(end);
    Ok(text)
}

fn input(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if let Some(prompt) = arguments::given(&args[0]) {
        let prompt = show::display(*prompt);
        context.write_out(prompt.as_bytes())?;
    }
    loop {
        let pid = fork::pid();
        let buffer: &mut Input = state::of(context);
        if buffer.owner != pid {
            *buffer = Input {
                owner: pid,
                ..Input::default()
            };
        }
        let news = buffer.data.get(buffer.searched..).unwrap_or_default();
        if let Some(end) = memchr::memchr(b'\n', news) {
            let end = buffer.searched + end;
            let line: Vec<u8> = buffer.data.drain(..=end).collect();
            buffer.searched = 0;
            return line_value(context, line);
        }
        buffer.searched = buffer.data.len();
        if buffer.ended {
            // A terminal can give more after its first end.
            buffer.ended = false;
            if buffer.data.is_empty() {
                let message = "more input is needed, but standard input has ended";
                return Err(diag::Error::new(codes::END_OF_STREAM, message).into());
            }
            let line = std::mem::take(&mut buffer.data);
            buffer.searched = 0;
            return line_value(context, line);
        }
        operate::within("input", buffer.data.len(), MAX_STRING)?;
        system::wait_readable(context, std::io::stdin().as_fd())?;
        let mut chunk = vec![0; INPUT_CHUNK];
        let count = system::retry(context, "input", "standard input", || {
            Attentive::new(std::io::stdin()).read(&mut chunk)
        })?;
        let buffer: &mut Input = state::of(context);
        buffer.ended = count == 0;
        buffer
            .data
            .extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

fn line_value(context: &mut dyn Context, mut line: Vec<u8>) -> Outcome {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    match String::from_utf8(line) {
        Ok(text) => crate::value::text::checked(context.heap(), text),
        Err(_) => {
            let message = "input: a line must be UTF-8, but standard input has other bytes";
            Err(diag::Error::new(codes::VALUE, message).into())
        }
    }
}

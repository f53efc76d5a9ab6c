//! `open` and files.
//!
//! Reads are buffered, and writes are gathered ([`Gathered`]) where nobody can notice: not in mode "a", because lines that
//! several processes append stay whole, not to pipes and terminals. A file is of its process alone: it has no identity, so it
//! cannot be sent.

use super::command::without_end;
use super::encoding::{Coding, OTHERS};
use super::file_gather::{self, Gathered, Unwritten};
use super::file_stream::{Stream, Whole};
use super::scarce::Scarce;
use super::{Table, arguments, file_place, gather, system};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::fork;
use crate::process::wait::Attentive;
use crate::process::{held, pool};
use crate::value::handle::Handle;
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, Native, NativeIter, Outcome};
use crate::value::{Value, operate, show, text};
use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::rc::Rc;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "open" ("path", "mode?", "encoding?", "errors?") open, "Opens a file to read (\"r\"), write anew (\"w\"), append (\"a\"), create (\"x\"), also \"+\" and \"b\" for bytes; a text may be in another encoding than UTF-8.";
};

/// Sorted by name.
pub static METHODS: Table = natives! {
    "close" () close, "Closes the file; more than once does no harm.";
    "flush" () flush, "Hands what was written to the disk.";
    "lines" () lines, "Goes through the lines, without their ends.";
    "read" ("size?") read, "What is left of the file, or at most so many characters (bytes in mode \"b\").";
    "readline" () readline, "The next line with its end; empty at the end of the file.";
    "readlines" () readlines, "A list of the lines that are left, with their ends.";
    "seek" ("offset", "whence?") file_place::seek, "Goes to an offset from the start (0), from here (1) or from the end (2), and gives it.";
    "tell" () file_place::tell, "The offset in bytes.";
    "truncate" ("size?") file_place::truncate, "Cuts the file at a size, or here.";
    "write" ("data") write, "Writes a str (bytes in mode \"b\") and gives how many characters or bytes it had.";
    "writelines" ("items") writelines, "Writes all strs (bytes in mode \"b\") of something.";
};

/// A file.
struct FileHandle {
    inner: Rc<Inner>,
}

pub(super) struct Inner {
    path: String,
    mode: String,
    binary: bool,
    /// How its text is written, if not in UTF-8 that must be right.
    coding: Option<Coding>,
    /// Nothing was written yet: a mark of the encoding belongs at the beginning.
    is_new: Cell<bool>,
    /// The process that opened it.
    owner: i32,
    /// `None` once it is closed.
    open: RefCell<Option<Stream>>,
}

impl Handle for FileHandle {
    fn type_name(&self) -> &'static str {
        "file"
    }

    fn show(&self) -> String {
        let state = if self.inner.is_closed() {
            "closed"
        } else {
            &self.inner.mode
        };
        format!("<file {} {state}>", self.inner.path)
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok(Some(match name {
            "closed" => Value::Bool(self.inner.is_closed()),
            "mode" => Value::str(context.heap(), &self.inner.mode),
            "name" => Value::str(context.heap(), &self.inner.path),
            _ => return Ok(None),
        }))
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["closed", "mode", "name"]
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        let ends = true;
        Ok(Some(Rc::new(Lines {
            file: self.inner.clone(),
            ends,
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The lines of a file that are left.
struct Lines {
    file: Rc<Inner>,
    /// With their ends.
    ends: bool,
}

impl NativeIter for Lines {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let mut line = self.file.line(context, "read")?;
        if line.is_empty() {
            return Ok(None);
        }
        if !self.ends {
            line = without_end(line);
        }
        self.file.value(context, "read", line).map(Some)
    }

    fn trace(&self, _: &mut Marker<'_>) {}
}

fn open(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("open", "path", &args[0])?;
    let mode = match arguments::given(&args[1]) {
        Some(mode) => arguments::text("open", "mode", mode)?,
        None => "r",
    };
    let (flags, binary) = parse_mode(mode, &args[1])?;
    let coding = coding(mode, args)?;
    let mut file = system::open(context, "open", &path, flags)?.into_inner();
    let kind = file.metadata().map(|data| data.file_type());
    if kind.as_ref().is_ok_and(|kind| kind.is_dir()) {
        let error = std::io::Error::other("it is a directory");
        return Err(system::failed("open", &path, &error));
    }
    let waits = !kind.is_ok_and(|kind| kind.is_file());
    if mode.contains('a') && !waits {
        // What is appended goes to the end in any case; `tell` and `truncate` mean that place from the beginning, as in Python.
        let end = file.seek(SeekFrom::End(0));
        end.map_err(|error| system::failed("open", &path, &error))?;
    }
    let mut stream = Stream::new(file, Scarce::new(context.heap(), 1), waits);
    stream.reader = coding.map(Coding::reader);
    let gathers = !waits && (mode.contains('w') || mode.contains('x')) && !mode.contains('+');
    stream.gathered = gathers.then(Gathered::default);
    let inner = Inner {
        path: path.to_string(),
        mode: mode.to_string(),
        binary,
        coding,
        is_new: Cell::new(!mode.contains('a')),
        owner: fork::pid(),
        open: RefCell::new(Some(stream)),
    };
    let handle = FileHandle {
        inner: Rc::new(inner),
    };
    Ok(Value::handle(context.heap(), Rc::new(handle)))
}

/// The encoding that a file is opened with.
fn coding(mode: &str, args: Args<'_>) -> Outcome<Option<Coding>> {
    let coding = Coding::given("open", &args[2], &args[3])?;
    if coding.is_some() && mode.contains(['b', '+']) {
        let mode = show::quoted(mode);
        let message = format!(
            "open: a file with an encoding is read or written as a text from one end to the other, but its mode is {mode}"
        );
        let help = "modes \"r\", \"w\", \"a\" and \"x\" do so";
        return Err(diag::Error::new(codes::VALUE, message)
            .with_help(help)
            .into());
    }
    Ok(coding)
}

/// The open file of a file value, for a program to use at the same place; `None` for other values.
pub(super) fn share(value: &Value) -> Option<Outcome<File>> {
    let inner = &value.as_handle::<FileHandle>()?.inner;
    let shared = match &mut *inner.open.borrow_mut() {
        Some(stream) => stream.settle().and_then(|()| {
            stream.forget_ahead()?;
            stream.file.try_clone()
        }),
        None => return Some(Err(inner.closed("command"))),
    };
    Some(shared.map_err(|error| system::failed("command", &inner.path, &error)))
}

/// The flags of `open(2)` for a mode, and whether it is for bytes.
fn parse_mode(mode: &str, value: &Value) -> Outcome<(i32, bool)> {
    let has = |c| mode.contains(c);
    let kinds = mode.chars().filter(|c| "rwax".contains(*c)).count();
    let known = mode.chars().all(|c| "rwaxbt+".contains(c));
    if kinds != 1 || !known || has('b') && has('t') {
        let rule = "must be \"r\", \"w\", \"a\" or \"x\", with \"+\" to read and write and \"b\" for bytes";
        return Err(arguments::refuse("open", "mode", rule, value));
    }
    let access = match (has('+'), has('r')) {
        (true, _) => libc::O_RDWR,
        (false, true) => libc::O_RDONLY,
        (false, false) => libc::O_WRONLY,
    };
    let kinds = [
        ('w', libc::O_CREAT | libc::O_TRUNC),
        ('a', libc::O_CREAT | libc::O_APPEND),
        ('x', libc::O_CREAT | libc::O_EXCL),
    ];
    let wanted = kinds.iter().filter(|(kind, _)| has(*kind));
    let flags = wanted.fold(access, |flags, (_, flag)| flags | flag);
    Ok((flags, has('b')))
}

impl Inner {
    fn is_closed(&self) -> bool {
        self.open.borrow().is_none()
    }

    /// Does something with the open stream; repeats what a signal cut short. Nothing may call back meanwhile.
    pub(super) fn with<T>(
        &self,
        context: &mut dyn Context,
        function: &str,
        mut step: impl FnMut(&mut Stream) -> std::io::Result<T>,
    ) -> Outcome<T> {
        system::retry(context, function, &self.path, || {
            match &mut *self.open.borrow_mut() {
                Some(stream) => stream.settle().and_then(|()| step(stream)).map(Ok),
                None => Ok(Err(self.closed(function))),
            }
        })?
    }

    /// Refuses a file that was opened only to write, and one that several workers have inherited: each would read what its own copy of
    /// the buffer has, and take away what another is about to read.
    fn readable(&self, function: &str) -> Outcome<()> {
        self.of_its_own(function, "read")?;
        if self.mode.contains(['r', '+']) {
            return Ok(());
        }
        let (path, mode) = (show::quoted(&self.path), show::quoted(&self.mode));
        let message = format!("{function}: {path} must be open to read, but its mode is {mode}");
        let help = "modes \"r\" and \"w+\" read";
        Err(diag::Error::new(codes::IO, message).with_help(help).into())
    }

    /// Refuses a file that was opened only to read.
    pub(super) fn writable(&self, function: &str) -> Outcome<()> {
        if self.mode.contains(['w', 'a', 'x', '+']) {
            return Ok(());
        }
        let (path, mode) = (show::quoted(&self.path), show::quoted(&self.mode));
        let message = format!("{function}: {path} must be open to write, but its mode is {mode}");
        let help = "modes \"w\", \"a\" and \"x\" write";
        Err(diag::Error::new(codes::IO, message).with_help(help).into())
    }

    /// Refuses a file that several workers have inherited: its place is one for all of them. `done` is what the function does with it.
    pub(super) fn of_its_own(&self, function: &str, done: &str) -> Outcome<()> {
        if self.owner == fork::pid() || !pool::is_worker() {
            return Ok(());
        }
        let path = show::quoted(&self.path);
        let message = format!(
            "{function}: {path} must be {done} by the process that opened it, but this is a worker, and others have the file too"
        );
        let help =
            "open it in the item or in `init`, or make its lines the items: pool map line in file";
        Err(diag::Error::new(codes::IO, message).with_help(help).into())
    }

    fn closed(&self, function: &str) -> Fault {
        let path = show::quoted(&self.path);
        let message = format!("{function}: the file must be open, but {path} was closed");
        diag::Error::new(codes::CLOSED, message).into()
    }

    /// Waits until something can be read, where that can take long.
    fn wait(&self, context: &mut dyn Context) -> Outcome<()> {
        let descriptor = match &*self.open.borrow() {
            Some(stream) if stream.waits => stream.file.try_clone().ok(),
            _ => None,
        };
        match descriptor {
            Some(input) => system::wait_readable(context, input.as_fd()),
            None => Ok(()),
        }
    }

    /// The next line with its end, empty at the end of the file.
    fn line(&self, context: &mut dyn Context, function: &str) -> Outcome<Vec<u8>> {
        self.readable(function)?;
        // Where the search for the end of the line goes on.
        let mut searched = 0;
        loop {
            let found = self.with(context, function, |stream| {
                let rest = stream.rest();
                let at = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default());
                if let Some(at) = at {
                    return Ok(Some(stream.take(searched + at + 1)));
                }
                searched = rest.len();
                Ok(None)
            })?;
            if let Some(line) = found {
                return Ok(line);
            }
            operate::within(function, searched, MAX_STRING)?;
            self.wait(context)?;
            if self.with(context, function, Stream::fill)? == 0 {
                let line = self.with(context, function, |stream| Ok(stream.take(usize::MAX)))?;
                self.check(context, function)?;
                return Ok(line);
            }
        }
    }

    /// Refuses what does not fit the encoding, once all before it was given out.
    fn check(&self, context: &mut dyn Context, function: &str) -> Outcome<()> {
        match self.coding {
            Some(coding) if self.with(context, function, |stream| Ok(stream.is_spoilt()))? => {
                Err(coding.spoilt(function, &show::quoted(&self.path)))
            }
            _ => Ok(()),
        }
    }

    /// What was read, as a value: a str, or bytes in mode "b".
    fn value(&self, context: &mut dyn Context, function: &str, data: Vec<u8>) -> Outcome {
        if self.binary {
            return Ok(Value::bytes(context.heap(), data));
        }
        match String::from_utf8(data) {
            Ok(decoded) => text::checked(context.heap(), decoded),
            Err(_) => {
                let path = show::quoted(&self.path);
                let message =
                    format!("{function}: a text must be UTF-8, but {path} has other bytes");
                let help = format!("{OTHERS}, or open it with mode \"rb\" to read bytes");
                Err(diag::Error::new(codes::VALUE, message)
                    .with_help(help)
                    .into())
            }
        }
    }

    /// What an argument of `write` puts into the file.
    fn bytes<'a>(&self, value: &'a Value) -> Outcome<Cow<'a, [u8]>> {
        match (value, value.as_str()) {
            (_, Some(text)) if !self.binary => Ok(match self.coding {
                Some(coding) => coding
                    .encode("write", text, self.is_new.replace(false))?
                    .into(),
                None => text.as_bytes().into(),
            }),
            (Value::Bytes(bytes), _) if self.binary => Ok(bytes.data().into()),
            _ if self.binary => Err(arguments::wrong(
                "write",
                "data",
                "bytes in mode \"b\"",
                value,
            )),
            _ => Err(arguments::wrong("write", "data", "a str", value)),
        }
    }

    /// Takes data to be written later; false when there is no room for it, or it must be written at once.
    fn gather(self: &Rc<Self>, data: &[u8]) -> bool {
        let mut open = self.open.borrow_mut();
        let Some(gathered) = open.as_mut().and_then(|stream| stream.gathered.as_mut()) else {
            return false;
        };
        let taken = gathered.take(data);
        if taken && !gathered.noted {
            gathered.noted = true;
            file_gather::note(self);
        }
        taken
    }

    fn put(self: &Rc<Self>, context: &mut dyn Context, data: &[u8]) -> Outcome<()> {
        if self.gather(data) {
            return Ok(());
        }
        self.with(context, "write", |_| Ok(()))?;
        if self.gather(data) {
            return Ok(());
        }
        // What other files hold back was written before, perhaps to the same one.
        held::write_out();
        let mut written = 0;
        while written < data.len() {
            let rest = data.get(written..).unwrap_or_default();
            let file = self.with(context, "write", Stream::writable)?;
            // Without the stream in its hands: a worker that is put in another's place meanwhile may write to it as well.
            let step = || match Attentive::new(&*file).write(rest)? {
                0 => Err(std::io::ErrorKind::WriteZero.into()),
                count => Ok(count),
            };
            written += system::retry(context, "write", &self.path, step)?;
        }
        Ok(())
    }
}

impl Unwritten for Inner {
    fn write_out(&self) -> bool {
        let Ok(mut open) = self.open.try_borrow_mut() else {
            return true;
        };
        let Some(stream) = &mut *open else {
            return true;
        };
        let result = stream.settle();
        let is_written = result.is_ok();
        if let Some(gathered) = &mut stream.gathered {
            gathered.noted = false;
            // Nobody is there to be told: the next who uses the file is.
            gathered.failed = result.err();
        }
        is_written
    }

    fn take_failure(&self) -> Option<Box<diag::Error>> {
        let mut open = self.open.try_borrow_mut().ok()?;
        let error = open.as_mut()?.gathered.as_mut()?.failed.take()?;
        match system::failed("write", &self.path, &error) {
            Fault::Error(error) => Some(error),
            _ => None,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.write_out();
        if let Some(error) = self.take_failure() {
            file_gather::lose(error);
        }
    }
}

pub(super) fn receiver(args: Args<'_>) -> Outcome<Rc<Inner>> {
    match args[0].as_handle::<FileHandle>() {
        Some(file) => Ok(file.inner.clone()),
        None => Err(arguments::wrong("file", "self", "a file", &args[0])),
    }
}

fn close(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    let written = match file.is_closed() {
        true => Ok(()),
        false => file.with(context, "close", |_| Ok(())),
    };
    // Closed, whatever has become of what was in it.
    file.open.borrow_mut().take();
    written.map(|()| Value::Nil)
}

fn flush(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    file.with(context, "flush", |stream| match stream.file.sync_data() {
        // Pipes and terminals have no disk behind them.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    })?;
    Ok(Value::Nil)
}

fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    if file.is_closed() {
        return Err(file.closed("lines"));
    }
    Ok(super::lazy::value(context, Lines { file, ends: false }))
}

fn read(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    let size = match arguments::given(&args[1]) {
        Some(size) => usize::try_from(arguments::int("read", "size", size)?).ok(),
        None => None,
    };
    file.readable("read")?;
    let mut whole = Whole::default();
    loop {
        let (have, is_enough) = file.with(context, "read", |stream| {
            let rest = stream.rest();
            let is_enough = size.is_some_and(|size| match file.binary {
                true => rest.len() >= size,
                false => whole.reaches(rest, size),
            });
            Ok((rest.len(), is_enough))
        })?;
        operate::within("read", have, MAX_STRING)?;
        if is_enough {
            break;
        }
        file.wait(context)?;
        if file.with(context, "read", Stream::fill)? == 0 {
            break;
        }
    }
    let data = file.with(context, "read", |stream| {
        let count = match size {
            None => usize::MAX,
            Some(size) if file.binary => size,
            // At the end of the file the last character may lack some of its bytes: that is told.
            Some(size) if whole.count < size => usize::MAX,
            Some(_) => whole.bytes,
        };
        Ok(stream.take(count))
    })?;
    if size.is_none() || data.is_empty() {
        file.check(context, "read")?;
    }
    file.value(context, "read", data)
}

fn readline(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    let line = file.line(context, "readline")?;
    file.value(context, "readline", line)
}

fn readlines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    if file.is_closed() {
        return Err(file.closed("readlines"));
    }
    gather::collect(context, "readlines", args[0]).map(Value::List)
}

fn write(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    let data = file.bytes(&args[1])?;
    if file.is_closed() {
        return Err(file.closed("write"));
    }
    file.writable("write")?;
    file.put(context, &data)?;
    let count = if file.binary {
        data.len()
    } else {
        args[1].text_len()
    };
    Ok(Value::Int(count as i64))
}

fn writelines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let file = receiver(args)?;
    gather::each(context, args[1], |context, item| {
        let data = file.bytes(&item)?.into_owned();
        file.put(context, &data)?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Value::Nil)
}

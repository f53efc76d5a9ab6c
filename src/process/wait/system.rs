//! Calls of the system that may take as long as somebody outside likes: opening a named pipe, writing to a full one, printing for
//! a reader who has stopped.
//!
//! `os/blocking.rs` ends such a call when a signal comes; here is looked after what the signal was for, and the call is made again.
//! So Ctrl-C, a cancellation, the time-out of a scope (which has an alarm) and the end of a child come through wherever a process
//! is stuck. The first try costs what the call costs; only who opens what may take long is written down as waiting.

use super::record::Record;
use super::{Operation, WaitSpec};
use crate::arena::{self, Arena};
use crate::diag::{self, Result, codes};
use crate::os::alarm::{self, Setter};
use crate::os::poll::{self, Interest};
use crate::os::robust::Guard;
use crate::os::stopped::{self, Keeper};
use crate::os::{blocking, clock, name};
use crate::process::pool::outlet;
use crate::process::{finish, flow, scope, signals, tenders};
use crate::source::Span;
use nix::sys::stat::fstat;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// How long the turn to print is waited for without a look at anything else: who has it is in the middle of a long text.
const TURN: u64 = 20_000_000;

/// Where there is room for anything at a pipe, there is room for so many bytes (`PIPE_BUF`).
const NEVER_CUT: usize = 4096;

/// How long programs may wait for room in their pipes while this process is in a call, in nanoseconds.
const SERVE_EVERY: u64 = 10_000_000;

/// While it is there, calls are cut short again and again where this process has something to do for others all the time: programs
/// print through it, it talks with some, or a tender could not do what is due. What the call waits for may be one of these.
#[derive(Default)]
struct Serving {
    is_on: bool,
}

impl Serving {
    /// Before each try of the call.
    fn serve(&mut self) {
        self.is_on |= outlet::is_open() || flow::may_begin() || tenders::are_behind();
        if self.is_on {
            outlet::settle();
            flow::serve_awaited(&mut Vec::new());
            alarm::set(Setter::Outlet, Some(clock::now() + SERVE_EVERY));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.is_on {
            alarm::set(Setter::Outlet, None);
        }
    }
}

/// Looks after all that may end what this process is at.
fn look() -> Result<()> {
    signals::check()?;
    scope::check_deadline()
}

/// Makes a call until no signal has cut it short. `end` is what the call may wait for: where it would, the tenders run before it, and
/// again whenever something has ended meanwhile. Without it they do not: the call is short, or they must not run here.
fn heard<T>(
    end: Option<Interest>,
    mut call: impl FnMut() -> io::Result<T>,
) -> Result<io::Result<T>> {
    let mut serving = Serving::default();
    loop {
        if let Some(end) = end
            && tenders::are_there()
            && (tenders::are_behind() || !poll::is_met(end))
        {
            tenders::tend();
        }
        serving.serve();
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => look()?,
            done => return Ok(done),
        }
    }
}

thread_local! {
    /// While this process writes a text in its turn: what its tenders report. It is written behind that text.
    static MEANWHILE: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// Whether this process is in the middle of a text, so that others wait for their turns.
pub(in crate::process) fn has_turn() -> bool {
    MEANWHILE.with_borrow(Option::is_some)
}

/// In a new child: the text is its parent's.
pub(in crate::process) fn forget_all() {
    MEANWHILE.set(None);
}

/// Writes all bytes to standard output or standard error (`descriptor`): with one `write(2)`, unless the kernel takes them in parts.
/// Long texts of several processes take turns. What was closed when this program was started takes anything.
///
/// # Errors
/// Outside those of a wait (`Interrupted` and the like; some of the bytes may be written then), inside those of the system.
pub fn write(descriptor: RawFd, bytes: &[u8]) -> Result<io::Result<()>> {
    in_turn(descriptor, bytes, Some(Interest::Writable(descriptor)))
}

/// As [`write()`]; the tenders run where there is an `end` to be waited for.
fn in_turn(descriptor: RawFd, bytes: &[u8], end: Option<Interest>) -> Result<io::Result<()>> {
    let turn = match arena::get() {
        Some(arena) => take_turn(arena, is_apart(descriptor), bytes.len(), end.is_some())?,
        None => None,
    };
    if turn.is_none() {
        return put(descriptor, bytes, end);
    }
    MEANWHILE.set(Some(Vec::new()));
    let written = put(descriptor, bytes, end);
    let meanwhile = MEANWHILE.take();
    drop(turn);
    stopped::stop_soon();
    meanwhile.iter().flatten().for_each(|bytes| report(bytes));
    written
}

/// Whether it is a standard error that does not lead where standard output does: there the two take turns with each other.
fn is_apart(descriptor: RawFd) -> bool {
    static LEAD_TO_ONE: OnceLock<bool> = OnceLock::new();
    let place = |number: BorrowedFd<'_>| {
        let there = fstat(number).ok()?;
        Some((there.st_dev, there.st_ino))
    };
    let lead_to_one = || place(io::stdout().as_fd()) == place(io::stderr().as_fd());
    descriptor == libc::STDERR_FILENO && !*LEAD_TO_ONE.get_or_init(lead_to_one)
}

/// Writes without a turn.
fn put(descriptor: RawFd, bytes: &[u8], end: Option<Interest>) -> Result<io::Result<()>> {
    outlet::settle();
    let mut rest = bytes;
    while !rest.is_empty() {
        match heard(end, || blocking::write(descriptor, rest))? {
            Ok(0) => return Ok(Err(ErrorKind::WriteZero.into())),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

/// Writes a report to standard error. Nobody may be there to read it, and the end of a script does not hang by that: a Ctrl-C or a
/// cancellation gives the report up, and after a Ctrl-C it waits as long as what the script has started.
pub fn report(bytes: &[u8]) {
    if tenders::are_tending() && keep_for_later(bytes) {
        return;
    }
    let until = signals::grace_ends().filter(|_| finish::was_interrupted());
    let Some(until) = until else {
        return report_piece(bytes);
    };
    let end = Interest::Writable(libc::STDERR_FILENO);
    for piece in bytes.chunks(NEVER_CUT) {
        let mut has_room = poll::is_met(end);
        while !has_room {
            if until <= clock::now() {
                return;
            }
            let look = || signals::check().map(|()| true);
            has_room = poll::wait(&[end], Some(until), look) == Ok(true);
        }
        // Who has the turn may wait for the same reader.
        let _ = put(libc::STDERR_FILENO, piece, None);
    }
}

/// Keeps a report that would stand in the middle of a text, or wait for the turn that this process has itself.
fn keep_for_later(bytes: &[u8]) -> bool {
    MEANWHILE.with_borrow_mut(|meanwhile| match meanwhile {
        Some(reports) => {
            reports.push(bytes.to_vec());
            true
        }
        None => false,
    })
}

/// Without the tenders: what is told of may be in the hands of one.
fn report_piece(bytes: &[u8]) {
    if let Err(error) = in_turn(libc::STDERR_FILENO, bytes, None)
        && error.code == codes::INTERRUPTED
    {
        finish::note_interrupted();
    }
}

fn take_turn(
    arena: &Arena,
    is_error: bool,
    length: usize,
    tends: bool,
) -> Result<Option<Guard<'_>>> {
    let Some(turn) = arena.output_turn(is_error, length) else {
        return Ok(None);
    };
    let mut taken = turn.try_lock();
    let mut keeper = Keeper::default();
    let holder = || turn.word().load(Ordering::Acquire) & libc::FUTEX_TID_MASK;
    while taken.is_none() {
        // Who is stopped in the middle of his text comes to its end first.
        let found = holder();
        keeper.look(found as i32, || holder() == found);
        look()?;
        if tends {
            tenders::tend();
        }
        outlet::settle();
        flow::serve_awaited(&mut Vec::new());
        taken = turn.lock_within(TURN);
    }
    Ok(taken)
}

/// Opens a file (`flags` of `open(2)`); new files are readable for all, less what the umask takes. A named pipe is open when its
/// other end is.
///
/// # Errors
/// As [`write()`].
pub fn open(path: &str, flags: i32, place: Option<Span>) -> Result<io::Result<Attentive>> {
    const MODE: u32 = 0o666;
    let flags = outlet::spared(path, flags);
    let Ok(path) = &CString::new(&*name::bytes(path)) else {
        return Ok(Err(ErrorKind::InvalidInput.into()));
    };
    let call = || blocking::open(path, flags, MODE).map(|file| Attentive::new(file.into()));
    if !is_pipe(path) {
        return heard(None, call);
    }
    let arena = crate::process::start()?;
    let spec = WaitSpec::new(Operation::File, &[], place);
    let mut serving = Serving::default();
    let since = clock::now();
    loop {
        tenders::tend();
        look()?;
        if tenders::have_news() {
            continue;
        }
        let record = Record::write(arena, &spec, since);
        serving.serve();
        let opened = call();
        drop(record);
        match opened {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return Ok(done),
        }
    }
}

/// Whether a path leads to a named pipe.
fn is_pipe(path: &CStr) -> bool {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::FileTypeExt;
    let path = std::ffi::OsStr::from_bytes(path.to_bytes());
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// An open file whose reads and writes are ended by what ends this process, however long others let them wait. The error of that is
/// inside of the one that a read or a write gives ([`broken_off`]), because much of the standard library passes on only such.
pub struct Attentive<F = File> {
    file: F,
    /// A write has been broken off: whoever throws the rest away by trying once more (as buffers do) must not wait again.
    is_broken: bool,
    /// Whether the tenders run where it lets this process wait.
    tends: bool,
}

impl<F: AsFd> Attentive<F> {
    /// A file of which nothing has been broken off. A child of this process may be forked where it lets this process wait: what is
    /// borrowed then is so in the child for good.
    pub fn new(file: F) -> Attentive<F> {
        Attentive {
            file,
            is_broken: false,
            tends: true,
        }
    }

    /// As [`Attentive::new`], without the tenders: for what was waited for before.
    pub fn undivided(file: F) -> Attentive<F> {
        Attentive {
            tends: false,
            ..Attentive::new(file)
        }
    }

    /// The file itself.
    pub fn into_inner(self) -> F {
        self.file
    }

    fn descriptor(&self) -> RawFd {
        self.file.as_fd().as_raw_fd()
    }
}

impl<F: AsFd> io::Read for Attentive<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = Interest::Readable(self.descriptor());
        carried(heard(self.tends.then_some(end), || {
            blocking::read(self.descriptor(), buffer)
        }))
    }
}

impl<F: AsFd> io::Write for Attentive<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_broken {
            return Ok(bytes.len());
        }
        let end = Interest::Writable(self.descriptor());
        let done = heard(self.tends.then_some(end), || {
            blocking::write(self.descriptor(), bytes)
        });
        self.is_broken = done.is_err();
        carried(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An error of the language on its way through an error of the system.
#[derive(Debug)]
struct Carried(Box<diag::Error>);

impl fmt::Display for Carried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.message)
    }
}

impl std::error::Error for Carried {}

fn carried<T>(done: Result<io::Result<T>>) -> io::Result<T> {
    done.unwrap_or_else(|error| Err(io::Error::other(Carried(error))))
}

/// For a long step of native code that looks between pieces: what ends this process's work, the time-out of a scope included.
///
/// # Errors
/// `Interrupted`, `Cancelled` and the like.
pub fn attend() -> Result<()> {
    signals::check_urgent()?;
    scope::check_deadline()
}

/// As [`attend`], inside of an error of the system ([`broken_off`]).
pub fn attend_carried() -> io::Result<()> {
    carried(attend().map(Ok))
}

/// What has ended a call on an [`Attentive`] file, if it was not the system.
pub fn broken_off(error: &io::Error) -> Option<Box<diag::Error>> {
    let carried = error.get_ref()?.downcast_ref::<Carried>()?;
    Some(carried.0.clone())
}

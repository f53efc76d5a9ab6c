//! Writes to files that are gathered, so that a script may write line by line at the speed of large pieces.

use crate::diag;
use crate::os::fork;
use crate::process::held;
use crate::value::native::Outcome;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::rc::{Rc, Weak};

/// Bytes that are gathered at most.
const MOST: usize = 64 * 1024;

/// What was written and is not in the file yet.
#[derive(Default)]
pub struct Gathered {
    data: Vec<u8>,
    /// It is among those that are written before anybody could notice.
    pub noted: bool,
    /// What went wrong when it was written without somebody to tell.
    pub failed: Option<Error>,
}

impl Gathered {
    /// Takes some data; false when it is too much.
    pub fn take(&mut self, data: &[u8]) -> bool {
        if self.failed.is_some() || self.data.len() + data.len() > MOST {
            return false;
        }
        self.data.extend_from_slice(data);
        true
    }

    /// Writes all of it. What an error leaves is not written again: it may be in the file already.
    pub fn write_to(&mut self, mut file: &File) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut rest = &self.data[..];
        let mut result = Ok(());
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => result = Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => result = Err(error),
            }
            break;
        }
        self.data.clear();
        result
    }
}

/// A file with something gathered.
pub trait Unwritten {
    /// Writes it; an error is kept for the next use of the file. Whether there was none.
    fn write_out(&self) -> bool;

    /// The error that is kept for the next use of the file.
    fn take_failure(&self) -> Option<Box<diag::Error>>;
}

/// What nobody was told of yet, with the process in which it failed: a child has copies.
#[derive(Default)]
struct Untold {
    process: i32,
    /// Whoever uses one of these next is told.
    files: Vec<Weak<dyn Unwritten>>,
    /// Of files that are gone.
    errors: Vec<diag::Error>,
}

thread_local! {
    static ALL: RefCell<Vec<Weak<dyn Unwritten>>> = const { RefCell::new(Vec::new()) };
    static UNTOLD: RefCell<Untold> = RefCell::default();
}

/// Notes that a file has something gathered.
pub fn note<T: Unwritten + 'static>(file: &Rc<T>) {
    let weak = Rc::downgrade(file);
    let file: Weak<dyn Unwritten> = weak;
    ALL.with_borrow_mut(|all| all.push(file));
    held::hold(write_all);
}

fn write_all() {
    let all = ALL.with_borrow_mut(std::mem::take);
    for weak in all {
        if weak.upgrade().is_some_and(|file| !file.write_out()) {
            note_untold(|untold| untold.files.push(weak));
        }
    }
}

/// Notes what a file that is gone has lost.
pub fn lose(error: Box<diag::Error>) {
    note_untold(|untold| untold.errors.push(*error));
}

fn note_untold(note: impl FnOnce(&mut Untold)) {
    UNTOLD.with_borrow_mut(|untold| {
        if untold.process != fork::pid() {
            *untold = Untold::default();
            untold.process = fork::pid();
        }
        note(untold);
    });
    held::lost(take_untold);
}

/// What could not be written, and nobody was told: nobody has used the files since.
fn take_untold() -> Vec<diag::Error> {
    let untold = UNTOLD.with_borrow_mut(std::mem::take);
    if untold.process != fork::pid() {
        return Vec::new();
    }
    let files = untold.files.iter().filter_map(Weak::upgrade);
    let failures = files.filter_map(|file| file.take_failure().map(|error| *error));
    untold.errors.into_iter().chain(failures).collect()
}

/// Makes what could not be written the failure of the work that wrote it, once all of that is in its files; unless it was told of
/// or the work has failed anyway. (In place: to move what comes of each item of a map costs more than the look.)
#[inline(always)]
pub fn settle(outcome: &mut Outcome) {
    if !held::is_clear() {
        settle_now(outcome);
    }
}

#[cold]
fn settle_now(outcome: &mut Outcome) {
    let lost = held::take_lost().into_iter().next();
    if let (Ok(_), Some(error)) = (&outcome, lost) {
        *outcome = Err(Box::new(error).into());
    }
}

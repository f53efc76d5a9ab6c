//! Writes to files that are gathered, so that a script may write line by line at the speed of large pieces.

use crate::process::held;
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
    pub fn write_to(&mut self, file: &mut File) -> Result<()> {
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
    /// Writes it; an error is kept for the next use of the file.
    fn write_out(&self);
}

thread_local! {
    static ALL: RefCell<Vec<Weak<dyn Unwritten>>> = const { RefCell::new(Vec::new()) };
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
    for file in all.iter().filter_map(Weak::upgrade) {
        file.write_out();
    }
}

//! What a file reads ahead and holds back.

use super::encoding::Reader;
use super::file_gather::Gathered;
use super::scarce::Scarce;
use crate::process::held;
use crate::process::wait::Attentive;
use crate::program::streams::Transform;
use crate::room;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::rc::Rc;

/// Bytes asked for at once.
const CHUNK: usize = 64 * 1024;

/// An open file.
pub(super) struct Stream {
    /// Shared with whoever is in a call that may take long, and has let go of the stream meanwhile.
    pub(super) file: Rc<File>,
    _scarce: Scarce,
    /// Reading can take as long as somebody else likes: a pipe, a terminal.
    pub(super) waits: bool,
    /// What makes UTF-8 of what is read, if it is not.
    pub(super) reader: Option<Reader>,
    /// Something did not fit the encoding, behind what is ahead.
    spoilt: bool,
    /// What was read and not given out yet.
    ahead: Vec<u8>,
    /// How much of `ahead` was given out.
    used: usize,
    /// What was written and is not in the file yet; `None` where each write goes to the system.
    pub(super) gathered: Option<Gathered>,
}

impl Stream {
    /// Of a file that was opened.
    pub(super) fn new(file: File, scarce: Scarce, waits: bool) -> Stream {
        Stream {
            file: Rc::new(file),
            _scarce: scarce,
            waits,
            reader: None,
            spoilt: false,
            ahead: Vec::new(),
            used: 0,
            gathered: None,
        }
    }

    /// Writes what was gathered.
    pub(super) fn settle(&mut self) -> std::io::Result<()> {
        match &mut self.gathered {
            Some(gathered) => gathered.write_to(&self.file),
            None => Ok(()),
        }
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.ahead.get(self.used..).unwrap_or_default()
    }

    /// Reads a chunk more; 0 at the end of the file.
    pub(super) fn fill(&mut self) -> std::io::Result<usize> {
        if self.used > CHUNK {
            self.ahead.drain(..self.used);
            self.used = 0;
        }
        let before = self.ahead.len();
        if !room::reserve(&mut self.ahead, CHUNK) {
            return Err(std::io::ErrorKind::OutOfMemory.into());
        }
        self.ahead.resize(before + CHUNK, 0);
        let room = self.ahead.get_mut(before..).unwrap_or_default();
        // What another file of this process holds back may be for this one.
        held::write_out();
        let result = Attentive::undivided(&*self.file).read(room);
        self.ahead.truncate(before + *result.as_ref().unwrap_or(&0));
        match &mut self.reader {
            Some(reader) if !self.spoilt && result.is_ok() => {
                let raw = self.ahead.split_off(before);
                self.spoilt = !reader.take(&raw, raw.is_empty(), &mut self.ahead);
                // What may be the beginning of a character is not the end of the file.
                Ok(raw.len())
            }
            Some(_) if self.spoilt => {
                self.ahead.truncate(before);
                Ok(0)
            }
            _ => result,
        }
    }

    /// Whether all before something that does not fit the encoding was given out.
    pub(super) fn is_spoilt(&self) -> bool {
        self.spoilt && self.rest().is_empty()
    }

    /// Gives out so many bytes of what was read, or all.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        if self.used == 0 && count >= self.ahead.len() && count >= room::LARGE {
            return std::mem::take(&mut self.ahead);
        }
        let end = self.used.saturating_add(count).min(self.ahead.len());
        let taken = self.ahead.get(self.used..end).unwrap_or_default().to_vec();
        self.used = end;
        if self.used == self.ahead.len() {
            self.ahead.clear();
            self.used = 0;
        }
        taken
    }

    /// Refuses what is about a place where bytes and characters are not counted alike.
    pub(super) fn check_place(&self) -> std::io::Result<()> {
        match self.reader {
            Some(_) => Err(std::io::Error::other(
                "a file with an encoding has no places: open it with mode \"rb\"",
            )),
            None => Ok(()),
        }
    }

    /// The file, at the place where something is written next.
    pub(super) fn writable(&mut self) -> std::io::Result<Rc<File>> {
        if self.reader.is_none() {
            self.forget_ahead()?;
        }
        Ok(self.file.clone())
    }

    /// Goes back to where the script believes it is, before writing or seeking.
    pub(super) fn forget_ahead(&mut self) -> std::io::Result<()> {
        self.check_place()?;
        let ahead = self.rest().len();
        if ahead > 0 {
            (&*self.file).seek(SeekFrom::Current(-(ahead as i64)))?;
        }
        self.ahead.clear();
        self.used = 0;
        Ok(())
    }
}

/// How much of what was read is whole characters.
#[derive(Default)]
pub(super) struct Whole {
    /// How many there are.
    pub(super) count: usize,
    /// How many bytes they take.
    pub(super) bytes: usize,
}

impl Whole {
    /// Goes on counting until there are so many characters, or nothing is left; whether there are.
    pub(super) fn reaches(&mut self, data: &[u8], wanted: usize) -> bool {
        while self.count < wanted {
            let width = match data.get(self.bytes) {
                None => return false,
                Some(0xc0..=0xdf) => 2,
                Some(0xe0..=0xef) => 3,
                Some(0xf0..=0xff) => 4,
                Some(_) => 1,
            };
            if data.len() - self.bytes < width {
                return false;
            }
            self.count += 1;
            self.bytes += width;
        }
        true
    }
}

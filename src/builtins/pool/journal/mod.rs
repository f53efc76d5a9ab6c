//! Journals of maps: `pool map(journal: "run.par-journal")` writes down what comes of each item, and the same map goes on
//! where it stood after its process was killed or the machine lost its power.
//!
//! The file begins with [`MAGIC`]. Then come frames: the first has the key of the map (see [`key`]), each other one the result
//! of an item. A frame is its length, its kind, an item's index, a checksum of all that, and what it holds. One process
//! writes, the one that called the map, and only at the end; so what a death leaves is whole but for its tail, which is cut off.
//! What a disk has damaged in the middle is passed over, and told: the frames behind it stand.
//!
//! Each frame is written by one `write`, so it survives the death of every process at once. It survives a power cut
//! when it has been brought to the disk: every second, and at the end of the map.

mod content;
pub mod key;
pub mod lasting;

use crate::diag::{Error, Result, codes};
use crate::os::clock;
use crate::process::pool::job::{Job, Produced};
use crate::process::wait;
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Context, Outcome};
use crate::wire;
use key::Key;
pub use lasting::check_lasting;
use std::cell::RefCell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The first bytes of a journal.
const MAGIC: &[u8; 8] = b"PARJRNL1";
/// Bytes of a frame before what it holds: length (4), kind (4), item (8), checksum (8).
const HEAD: usize = 24;
/// Nanoseconds after which what was written is brought to the disk.
const SYNC_EVERY: u64 = 1_000_000_000;
/// How long to wait for a journal whose process was killed a moment ago, in seconds.
const PATIENCE: f64 = 2.0;

// Kinds of frames.
const KEY: u32 = 1;
const INT: u32 = 2;
const FLOAT: u32 = 3;
const BOOL: u32 = 4;
const NIL: u32 = 5;
const VALUE: u32 = 6;
/// A value with structs in it, behind the sum of the program's structs.
const STRUCTS: u32 = 7;
/// Finished without a result.
const LEFT_OUT: u32 = 8;

/// The journal of a map that runs.
pub struct Journal {
    path: String,
    /// The file; a worker closes its copy.
    file: RefCell<Option<File>>,
    /// The sum of the program's structs.
    structs: u64,
    /// Which items are in it.
    kept: Vec<bool>,
    /// All items before this one are in it.
    low: u64,
    /// Items finished when it was looked at last.
    seen: u64,
    /// When it was brought to the disk last, and whether anything was written since.
    synced: u64,
    unsynced: bool,
}

impl Journal {
    /// Opens the journal of a map of a function over items, whose random numbers follow from `stream`.
    pub fn of_map(
        context: &mut dyn Context,
        construct: &str,
        path: &str,
        job: &Job,
        function: Value,
        items: Gc<List>,
        stream: u64,
    ) -> Outcome<Journal> {
        let key = Key::of(context, construct, function, items, stream)?;
        let structs = key::structs(context);
        let mut is_lasting = |message: &[u8]| lasting::is_lasting(context, message);
        Ok(Journal::open(path, &key, structs, job, &mut is_lasting)?)
    }

    /// Opens the journal of a map, and puts the results in it into the job, of the messages those that are `is_lasting`. A new
    /// file is begun with the key.
    ///
    /// Errors: `JournalMismatch` when it was begun for another map, or is no journal; `IOError`.
    fn open(
        path: &str,
        key: &Key,
        structs: u64,
        job: &Job,
        is_lasting: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Journal> {
        // A pipe or a device would keep whoever opens or reads it waiting.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let message = format!("the journal {path} was to be a file, but is something else");
            return Err(
                Error::new(codes::JOURNAL, message).with_help("give the journal a file of its own")
            );
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| failed(path, "be opened", &error))?;
        lock(path, &file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| failed(path, "be read", &error))?;
        let mut journal = Journal {
            path: path.to_string(),
            file: RefCell::new(None),
            structs,
            kept: vec![false; job.total() as usize],
            low: 0,
            seen: 0,
            synced: clock::now(),
            unsynced: false,
        };
        let length = journal.restore(&bytes, key, job, is_lasting)?;
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::Start(length)))
            .map_err(|error| failed(path, "be cut", &error))?;
        *journal.file.get_mut() = Some(file);
        if length == 0 {
            journal.begin(key)?;
        }
        Ok(journal)
    }

    /// Writes the beginning of a new journal, and brings it to the disk with its name.
    fn begin(&mut self, key: &Key) -> Result<()> {
        let mut bytes = MAGIC.to_vec();
        frame(&mut bytes, KEY, 0, key.text().as_bytes());
        self.write(&bytes)?;
        self.sync(true)?;
        let folder = Path::new(&self.path).parent();
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        // Not every file system can do this; the file itself is on the disk.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Puts the results in a journal into the job; how many bytes of it are whole.
    fn restore(
        &mut self,
        bytes: &[u8],
        key: &Key,
        job: &Job,
        is_lasting: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<u64> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            // It was killed before it had written the first word of a new journal.
            if MAGIC.starts_with(bytes) {
                return Ok(0);
            }
            let message = format!(
                "the file {} was to be a journal of Par, but is none",
                self.path
            );
            return Err(
                Error::new(codes::JOURNAL, message).with_help("give the journal a file of its own")
            );
        };
        let mut frames = Frames::of(rest);
        let Some(first) = frames.next() else {
            return Ok(0);
        };
        if first.kind != KEY {
            let message = format!(
                "the journal {} was to begin with what it is of, but that is damaged",
                self.path
            );
            return Err(Error::new(codes::JOURNAL, message)
                .with_help("give another file, or delete this one to begin anew"));
        }
        let found = Key::read(&String::from_utf8_lossy(first.content));
        if let Some(difference) = key.difference(&found) {
            let message = format!(
                "the journal {} was to be of this map, but {difference}",
                self.path
            );
            return Err(Error::new(codes::JOURNAL, message)
                .with_help("give another file, or delete this one to begin anew"));
        }
        for found in &mut frames {
            if found.item < job.total()
                && found.restore(job, self.structs, is_lasting)?
                && let Some(kept) = self.kept.get_mut(found.item as usize)
            {
                *kept = true;
            }
        }
        if frames.damaged > 0 {
            // Nothing is lost by it but time, so the map goes on.
            eprintln!(
                "par: {} bytes in the journal {} are damaged: the items that they were of are done again",
                frames.damaged, self.path
            );
        }
        Ok((MAGIC.len() + frames.whole) as u64)
    }

    /// In a worker: the file is its parent's business.
    pub fn leave_to_parent(&self) {
        drop(self.file.take());
    }

    /// Whether more items are finished than when it was looked at last.
    pub fn is_behind(&self, job: &Job) -> bool {
        job.done() != self.seen
    }

    /// Writes down what was finished since the last time. Failed items are left out: they are tried again.
    /// `handed_out`: no item from there on is finished.
    pub fn sweep(&mut self, job: &Job, handed_out: u64) -> Result<()> {
        self.seen = job.done();
        let mut bytes = Vec::new();
        for item in self.low..handed_out {
            let Some(kept) = self.kept.get_mut(item as usize) else {
                break;
            };
            if !*kept {
                *kept = put_result(&mut bytes, item, job.result(item), self.structs);
            }
            if *kept && item == self.low {
                self.low += 1;
            }
        }
        if !bytes.is_empty() {
            self.write(&bytes)?;
            self.unsynced = true;
        }
        self.sync(false)
    }

    /// Brings what was written to the disk: now, or when it is time.
    pub fn sync(&mut self, now: bool) -> Result<()> {
        let is_time = now || clock::now().saturating_sub(self.synced) >= SYNC_EVERY;
        if !is_time || !(self.unsynced || now) {
            return Ok(());
        }
        if let Some(file) = self.file.get_mut() {
            file.sync_data()
                .map_err(|error| failed(&self.path, "be brought to the disk", &error))?;
        }
        self.synced = clock::now();
        self.unsynced = false;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.file.get_mut() {
            Some(file) => file
                .write_all(bytes)
                .map_err(|error| failed(&self.path, "be written", &error)),
            None => Ok(()),
        }
    }
}

/// One process has a journal at a time. Who was killed a moment ago lets go of it in a moment.
fn lock(path: &str, file: &File) -> Result<()> {
    let deadline = clock::deadline(PATIENCE);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if clock::now() < deadline => wait::sleep(0.01, None)?,
            Err(TryLockError::WouldBlock) => {
                let message = format!("the journal {path} is in use by another run");
                return Err(Error::new(codes::JOURNAL, message)
                    .with_help("wait for it, or give each run a journal of its own"));
            }
            // A file system without locks: nothing can be said about other runs.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(failed(path, "be locked", &error)),
        }
    }
}

fn failed(path: &str, what: &str, error: &std::io::Error) -> Box<Error> {
    Error::new(
        codes::IO,
        format!("the journal {path} was to {what}, but: {error}"),
    )
}

/// Adds the result of an item; false when it has none that is kept.
fn put_result(bytes: &mut Vec<u8>, item: u64, result: Produced<'_>, structs: u64) -> bool {
    match result {
        Produced::Pending | Produced::Error(_) => return false,
        Produced::Int(i) => frame(bytes, INT, item, &i.to_le_bytes()),
        Produced::Float(f) => frame(bytes, FLOAT, item, &f.to_bits().to_le_bytes()),
        Produced::Bool(b) => frame(bytes, BOOL, item, &[u8::from(b)]),
        Produced::Nil => frame(bytes, NIL, item, &[]),
        Produced::LeftOut => frame(bytes, LEFT_OUT, item, &[]),
        Produced::Value(value) if wire::has_structs(value) => {
            frame(
                bytes,
                STRUCTS,
                item,
                &[&structs.to_le_bytes(), value].concat(),
            );
        }
        Produced::Value(value) => frame(bytes, VALUE, item, value),
    }
    true
}

fn frame(bytes: &mut Vec<u8>, kind: u32, item: u64, content: &[u8]) {
    let length = content.len() as u32;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&item.to_le_bytes());
    bytes.extend_from_slice(&checksum(kind, item, content).to_le_bytes());
    bytes.extend_from_slice(content);
}

fn checksum(kind: u32, item: u64, content: &[u8]) -> u64 {
    let mut sum = key::Sum::new();
    sum.number(u64::from(kind));
    sum.number(item);
    sum.bytes(content);
    sum.end()
}

/// A frame that was read and is whole.
struct Frame<'a> {
    kind: u32,
    item: u64,
    content: &'a [u8],
}

impl Frame<'_> {
    /// Puts the result into the job; false when it is none that means the same now.
    fn restore(
        &self,
        job: &Job,
        structs: u64,
        is_lasting: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool> {
        let number = || {
            let bytes = self
                .content
                .get(..8)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        let produced = match self.kind {
            INT => Produced::Int(number() as i64),
            FLOAT => Produced::Float(f64::from_bits(number())),
            BOOL => Produced::Bool(self.content == [1]),
            NIL => Produced::Nil,
            LEFT_OUT => Produced::LeftOut,
            VALUE => Produced::Value(self.content),
            STRUCTS if number() == structs => Produced::Value(self.content.get(8..).unwrap_or(&[])),
            _ => return Ok(false),
        };
        // Anybody may have written the file. What no journal keeps is done again.
        if let Produced::Value(message) = produced
            && !is_lasting(message)
        {
            return Ok(false);
        }
        // One that stands there twice (two files put together) is done once.
        let is_new = !job.is_finished(self.item);
        if is_new {
            job.finish(self.item, produced, &[])?;
        }
        Ok(is_new)
    }
}

/// The whole frames in some bytes. What follows the last of them is torn; what lies between two is damaged.
struct Frames<'a> {
    bytes: &'a [u8],
    /// Where the last whole frame ends.
    whole: usize,
    /// Bytes that were passed over.
    damaged: usize,
}

impl<'a> Frames<'a> {
    fn of(bytes: &'a [u8]) -> Frames<'a> {
        Frames {
            bytes,
            whole: 0,
            damaged: 0,
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let from = self.whole;
        let last = self.bytes.len().checked_sub(HEAD)?;
        let (at, frame) = (from..=last).find_map(|at| Some((at, read(self.bytes.get(at..)?)?)))?;
        self.damaged += at - from;
        self.whole = at + HEAD + frame.content.len();
        Some(frame)
    }
}

/// The frame that some bytes begin with, if it is one and whole.
fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
    let (kind, item) = (word(4)?, long(8)?);
    // Before the sum, which would cost much at each byte of a torn end.
    if !(KEY..=LEFT_OUT).contains(&kind) {
        return None;
    }
    let content = rest.get(..word(0)? as usize)?;
    (long(16)? == checksum(kind, item, content)).then_some(Frame {
        kind,
        item,
        content,
    })
}

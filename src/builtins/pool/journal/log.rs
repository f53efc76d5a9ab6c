//! The file of a journal: frames with checksums, written at the end by one process.

use super::key::{self, Key};
use crate::diag::{Error, Result, codes};
use crate::os::{clock, fork};
use crate::process::pool::job::Produced;
use crate::process::wait;
use crate::wire;
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
/// What an item is that was read from a source: its sum.
const ITEM: u32 = 9;

/// The file of a journal that is open.
pub(super) struct Log {
    path: String,
    /// The file; a worker closes its copy.
    file: RefCell<Option<File>>,
    /// The process that opened it.
    owner: i32,
    /// The sum of the program's structs.
    pub(super) structs: u64,
    /// When it was brought to the disk last, and whether anything was written since.
    synced: u64,
    unsynced: bool,
}

impl Log {
    /// Opens a journal and goes through its frames. A new file is begun with the key.
    ///
    /// Errors: `JournalMismatch` when it was begun for another map, or is no journal; `IOError`; those of `each`.
    pub(super) fn open(
        path: &str,
        key: &Key,
        structs: u64,
        each: &mut dyn FnMut(&Frame<'_>) -> Result<()>,
    ) -> Result<Log> {
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
        let length = restore(path, &bytes, key, each)?;
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::Start(length)))
            .map_err(|error| failed(path, "be cut", &error))?;
        let mut log = Log {
            path: path.to_string(),
            file: RefCell::new(Some(file)),
            owner: fork::pid(),
            structs,
            synced: clock::now(),
            unsynced: false,
        };
        if length == 0 {
            log.begin(key)?;
        }
        Ok(log)
    }

    /// Its name, for messages.
    pub(super) fn path(&self) -> &str {
        &self.path
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

    /// In a worker: the file is its parent's business.
    pub(super) fn leave_to_parent(&self) {
        drop(self.file.take());
    }

    /// Brings what was written to the disk: now, or when it is time.
    pub(super) fn sync(&mut self, now: bool) -> Result<()> {
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

    /// Writes frames at the end, all at once.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(file) = self.file.get_mut() {
            file.write_all(bytes)
                .map_err(|error| failed(&self.path, "be written", &error))?;
            self.unsynced = true;
        }
        Ok(())
    }
}

impl Drop for Log {
    /// Lets go of the journal, unless this is a child of who opened it: what that has open is the same to the kernel.
    fn drop(&mut self) {
        if self.owner != fork::pid() {
            return;
        }
        // Workers that were forked meanwhile, and stay, have the file open too: closing it would not be enough.
        if let Some(file) = self.file.get_mut() {
            let _ = file.unlock();
        }
    }
}

/// Goes through the frames of a journal behind its key; how many bytes of it are whole.
fn restore(
    path: &str,
    bytes: &[u8],
    key: &Key,
    each: &mut dyn FnMut(&Frame<'_>) -> Result<()>,
) -> Result<u64> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        // It was killed before it had written the first word of a new journal.
        if MAGIC.starts_with(bytes) {
            return Ok(0);
        }
        let message = format!("the file {path} was to be a journal of Par, but is none");
        return Err(
            Error::new(codes::JOURNAL, message).with_help("give the journal a file of its own")
        );
    };
    let mut frames = Frames::of(rest);
    let Some(first) = frames.next() else {
        return Ok(0);
    };
    if first.kind != KEY {
        let message =
            format!("the journal {path} was to begin with what it is of, but that is damaged");
        return Err(Error::new(codes::JOURNAL, message)
            .with_help("give another file, or delete this one to begin anew"));
    }
    let found = Key::read(&String::from_utf8_lossy(first.content));
    if let Some(difference) = key.difference(&found) {
        return Err(mismatch(path, &difference));
    }
    for found in &mut frames {
        each(&found)?;
    }
    if frames.damaged > 0 {
        // Nothing is lost by it but time, so the map goes on.
        eprintln!(
            "par: {} bytes in the journal {} are damaged: the items that they were of are done again",
            frames.damaged, path
        );
    }
    Ok((MAGIC.len() + frames.whole) as u64)
}

/// The error of a journal that is of something else.
pub(super) fn mismatch(path: &str, difference: &str) -> Box<Error> {
    let message = format!("the journal {path} was to be of this map, but {difference}");
    Error::new(codes::JOURNAL, message)
        .with_help("give another file, or delete this one to begin anew")
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
pub(super) fn put_result(
    bytes: &mut Vec<u8>,
    item: u64,
    result: Produced<'_>,
    structs: u64,
) -> bool {
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

/// Adds what an item is, by its sum.
pub(super) fn put_item(bytes: &mut Vec<u8>, item: u64, sum: u64) {
    frame(bytes, ITEM, item, &sum.to_le_bytes());
}

/// A frame that was read and is whole.
pub(super) struct Frame<'a> {
    kind: u32,
    pub(super) item: u64,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    fn number(&self) -> u64 {
        let bytes = self.content.get(..8);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    /// The sum of an item, when it is of one.
    pub(super) fn sum(&self) -> Option<u64> {
        (self.kind == ITEM).then(|| self.number())
    }

    /// The result of its item, when it has one that means the same now.
    pub(super) fn result(
        &self,
        structs: u64,
        is_lasting: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Option<Produced<'a>> {
        let produced = match self.kind {
            INT => Produced::Int(self.number() as i64),
            FLOAT => Produced::Float(f64::from_bits(self.number())),
            BOOL => Produced::Bool(self.content == [1]),
            NIL => Produced::Nil,
            LEFT_OUT => Produced::LeftOut,
            VALUE => Produced::Value(self.content),
            STRUCTS if self.number() == structs => {
                Produced::Value(self.content.get(8..).unwrap_or(&[]))
            }
            _ => return None,
        };
        // Anybody may have written the file. What no journal keeps is done again.
        match produced {
            Produced::Value(message) if !is_lasting(message) => None,
            produced => Some(produced),
        }
    }
}

/// The whole frames in some bytes. What follows the last of them is torn; what lies between two is damaged.
struct Frames<'a> {
    bytes: &'a [u8],
    /// Where the last whole frame ends.
    whole: usize,
    /// Bytes that were passed over.
    damaged: usize,
    /// Bytes that may be summed up yet in the search for the next frame behind damaged ones: what looks like the heads of long frames at
    /// each byte would else take the square of its length.
    patience: usize,
}

/// How often the length of a journal may be summed up in that search.
const PATIENCE_FOR_DAMAGE: usize = 16;

impl<'a> Frames<'a> {
    fn of(bytes: &'a [u8]) -> Frames<'a> {
        Frames {
            bytes,
            whole: 0,
            damaged: 0,
            patience: bytes.len().saturating_mul(PATIENCE_FOR_DAMAGE),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let from = self.whole;
        let last = self.bytes.len().checked_sub(HEAD)?;
        let (bytes, patience) = (self.bytes, &mut self.patience);
        let mut found = |at: usize| {
            let rest = bytes.get(at..)?;
            let frame = match at == from {
                true => read(rest, &mut usize::MAX.clone()),
                false => read(rest, patience),
            };
            Some((at, frame?))
        };
        let (at, frame) = (from..=last).find_map(&mut found)?;
        self.damaged += at - from;
        self.whole = at + HEAD + frame.content.len();
        Some(frame)
    }
}

/// The frame that some bytes begin with, if it is one and whole. `most`: bytes that may be summed up for that, here and later.
fn read<'a>(bytes: &'a [u8], most: &mut usize) -> Option<Frame<'a>> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
    let (kind, item) = (word(4)?, long(8)?);
    // Before the sum, which would cost much at each byte of a torn end.
    if !(KEY..=ITEM).contains(&kind) {
        return None;
    }
    let content = rest.get(..word(0)? as usize)?;
    *most = most.checked_sub(content.len())?;
    (long(16)? == checksum(kind, item, content)).then_some(Frame {
        kind,
        item,
        content,
    })
}

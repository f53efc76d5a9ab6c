//! What workers print where it is told in the order of the items: each writes into files without names, and notes behind each item
//! how far they go. Who hands the items out has the files too, so what a worker has printed outlives it.
//!
//! A file keeps nobody waiting, however much is printed, and lies on the disk of the temporary folder; what was read of it is given back.

use super::outlet;
use crate::diag::{Error, Result, codes};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::{dup2_stderr, dup2_stdout};
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};

/// Bytes of a mark: an item, and where standard output and standard error end behind it.
const MARK: usize = 24;
/// Bytes behind which what was read is given back to the disk: a system call for each page would be one for each print.
const GIVE_BACK: u64 = 1 << 20;

/// How many files a spool is.
pub const FILES: usize = 3;

/// The files of one worker, or of one hand-out.
pub struct Spool {
    /// Standard output and standard error.
    streams: [File; 2],
    marks: File,
    /// How far they were read, and how far the marks.
    read: [u64; 2],
    marks_read: u64,
    given_back: [u64; 2],
    identity: u64,
}

/// A part of one of the streams.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// 0 for standard output, 1 for standard error.
    pub stream: usize,
    /// Where it begins.
    pub from: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// Where another process finds a spool: a process that has it, and the numbers of its files there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    pid: u32,
    files: [u32; FILES],
    /// By what they are known again: whoever has let go of them may have other files under these numbers by now.
    identity: u64,
}

impl Address {
    /// As three words; `None` is three zeros.
    pub fn to_words(address: Option<Address>) -> [u64; 3] {
        address.map_or(
            [0; 3],
            |Address {
                 pid,
                 files,
                 identity,
             }| {
                let [out, err, marks] = files.map(u64::from);
                [u64::from(pid) << 32 | out, err << 32 | marks, identity]
            },
        )
    }

    /// From three words.
    pub fn from_words([first, second, identity]: [u64; 3]) -> Option<Address> {
        let pid = (first >> 32) as u32;
        (pid != 0).then_some(Address {
            pid,
            files: [first as u32, (second >> 32) as u32, second as u32],
            identity,
        })
    }
}

/// What tells three files from others: a number of the places that they have on their disks.
fn identity(files: [&File; FILES]) -> io::Result<u64> {
    files.into_iter().try_fold(0_u64, |sum, file| {
        let place = file.metadata()?;
        let mixed = sum.rotate_left(21) ^ place.ino() ^ place.dev().rotate_left(40);
        Ok(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    })
}

/// The error of a file of a spool.
pub fn failed(error: &io::Error) -> Box<Error> {
    let message = format!(
        "what workers print was to be kept in a file of the temporary folder, but: {error}"
    );
    Error::new(codes::IO, message)
}

impl Spool {
    /// Empty files.
    pub fn new() -> Result<Spool> {
        let file = || appending(&tempfile::tempfile()?);
        let make = || -> io::Result<Spool> {
            let (out, err, marks) = (file()?, file()?, file()?);
            Ok(Spool {
                identity: identity([&out, &err, &marks])?,
                streams: [out, err],
                marks,
                read: [0; 2],
                marks_read: 0,
                given_back: [0; 2],
            })
        };
        make().map_err(|error| failed(&error))
    }

    /// Where other processes find it, as long as this process lives and has it.
    pub fn address(&self) -> Address {
        let [out, err] = &self.streams;
        Address {
            pid: std::process::id(),
            files: [out, err, &self.marks].map(|file| file.as_raw_fd() as u32),
            identity: self.identity,
        }
    }

    /// Notes that what was printed so far was printed for an item: after the death of the worker that was at it.
    pub fn mark(&self, item: u64) -> Result<()> {
        let ends = ends(&self.streams).map_err(|error| failed(&error))?;
        write_mark(&self.marks, item, ends).map_err(|error| failed(&error))
    }

    /// What was marked since the last time: items, each with what it has printed.
    pub fn take(&mut self) -> Result<Vec<(u64, Region)>> {
        let mut found = Vec::new();
        let mut bytes = [0; MARK * 64];
        loop {
            let count = self.marks.read_at(&mut bytes, self.marks_read);
            let count = count.map_err(|error| failed(&error))?;
            let whole = count - count % MARK;
            if whole == 0 {
                return Ok(found);
            }
            self.marks_read += whole as u64;
            for mark in bytes.get(..whole).unwrap_or(&[]).chunks_exact(8 * 3) {
                let word = |at: usize| {
                    let bytes = mark.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
                    bytes.map_or(0, u64::from_le_bytes)
                };
                for (stream, read) in self.read.iter_mut().enumerate() {
                    let end = word(8 + stream * 8);
                    if end < *read {
                        // Somebody has cut the file: what is in it is new.
                        *read = 0;
                    }
                    let (from, length) = (*read, end - *read);
                    if length > 0 {
                        *read = end;
                        let region = Region {
                            stream,
                            from,
                            length,
                        };
                        found.push((word(0), region));
                    }
                }
            }
        }
    }

    /// Reads some bytes of a region from an offset in it on; how many there were.
    pub fn read(&self, region: &Region, offset: u64, into: &mut [u8]) -> Result<usize> {
        let left = region.length.saturating_sub(offset);
        let most = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (Some(file), Some(into)) = (self.streams.get(region.stream), into.get_mut(..most))
        else {
            return Ok(0);
        };
        file.read_at(into, region.from + offset)
            .map_err(|error| failed(&error))
    }

    /// Gives back what was taken and has been read.
    pub fn give_back(&mut self) {
        for (stream, file) in self.streams.iter().enumerate() {
            let (Some(given), Some(&read)) =
                (self.given_back.get_mut(stream), self.read.get(stream))
            else {
                continue;
            };
            // Somebody may have cut the file meanwhile.
            *given = read.min(*given);
            if read - *given >= GIVE_BACK {
                give_back(file, *given, read - *given);
                *given = read;
            }
        }
    }

    /// Makes it ready for another hand-out. The streams are not cut: processes that have outlived their items print there still.
    pub fn clear(&mut self) -> Result<()> {
        self.marks.set_len(0).map_err(|error| failed(&error))?;
        self.marks_read = 0;
        Ok(())
    }
}

/// Gives a part of a file back to the disk. A file system that cannot do it keeps the bytes until the map is over.
pub fn give_back(file: &File, from: u64, length: u64) {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let _ = fallocate(file, flags, from as i64, length as i64);
}

/// The same file, to be written at its end whoever else does.
fn appending(file: &File) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().read(true).append(true).open(path)
}

/// Where the streams end now.
fn ends(streams: &[File; 2]) -> io::Result<[u64; 2]> {
    let [out, err] = streams;
    Ok([out.metadata()?.len(), err.metadata()?.len()])
}

fn write_mark(mut marks: &File, item: u64, [out, err]: [u64; 2]) -> io::Result<()> {
    let mut mark = [0; MARK];
    for (to, word) in mark.chunks_exact_mut(8).zip([item, out, err]) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    // At once: whoever reads finds whole marks only.
    marks.write_all(&mark)
}

/// In a worker: while it is there, what this process and all that it starts print goes into a spool.
pub struct Capture {
    streams: [File; 2],
    marks: File,
    /// Where the streams ended at the last mark.
    last: Cell<[u64; 2]>,
    /// Where standard output and standard error led before; `None` where they were closed.
    before: [Option<OwnedFd>; 2],
    /// Whether that was a spool too.
    was_captured: bool,
}

impl Capture {
    /// Into a spool that this process has inherited.
    pub fn into(spool: &Spool) -> Result<Capture> {
        let [out, err] = &spool.streams;
        let files = [out, err, &spool.marks].map(File::try_clone);
        Capture::begin(files).map_err(|error| failed(&error))
    }

    /// Into the spool of another process.
    ///
    /// # Errors
    /// That process has it no longer: what was handed out with it was given up.
    pub fn open(address: Address) -> Result<Capture> {
        let files = address.files.map(|file| {
            let path = format!("/proc/{}/fd/{file}", address.pid);
            OpenOptions::new().read(true).append(true).open(path)
        });
        let check = |[out, err, marks]: [io::Result<File>; FILES]| {
            let files = [out?, err?, marks?];
            match identity(files.each_ref())? == address.identity {
                true => Ok(files.map(Ok)),
                false => Err(io::Error::from(io::ErrorKind::NotFound)),
            }
        };
        let capture = check(files).and_then(Capture::begin);
        capture.map_err(|error| failed(&error))
    }

    fn begin([out, err, marks]: [io::Result<File>; 3]) -> io::Result<Capture> {
        let streams = [out?, err?];
        let mut capture = Capture {
            was_captured: false,
            last: Cell::new(ends(&streams)?),
            before: [
                io::stdout().as_fd().try_clone_to_owned().ok(),
                io::stderr().as_fd().try_clone_to_owned().ok(),
            ],
            streams,
            marks: marks?,
        };
        capture.was_captured = outlet::turn(true);
        let [out, err] = &capture.streams;
        dup2_stdout(out)?;
        dup2_stderr(err)?;
        Ok(capture)
    }

    /// Notes that what was printed since the last mark was printed for an item.
    pub fn mark(&self, item: u64) {
        outlet::settle();
        let Ok(ends) = ends(&self.streams) else {
            return;
        };
        if ends == self.last.get() {
            return;
        }
        // On a full disk the text comes with that of the next item.
        if write_mark(&self.marks, item, ends).is_ok() {
            self.last.set(ends);
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        outlet::turn(self.was_captured);
        let [out, err] = &self.before;
        if let Some(out) = out {
            let _ = dup2_stdout(out);
        }
        if let Some(err) = err {
            let _ = dup2_stderr(err);
        }
    }
}

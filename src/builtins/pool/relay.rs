//! Telling what workers print in the order of the items: `output: "ordered"`.
//!
//! What an item has printed is taken out of the spool of its worker when it is marked, and lies on a shelf until its turn comes: a little
//! in memory, the rest in a file without a name. So neither a slow first item nor one that prints a gigabyte takes memory for it,
//! and nobody waits for anybody.

use super::super::arguments;
use crate::builtins::progress;
use crate::diag::{Result, codes};
use crate::limits::MAX_SHELVED;
use crate::os::poll::{self, Interest};
use crate::process::pool::future::{Future, State};
use crate::process::pool::spool::{Region, Spool, failed, give_back};
use crate::value::Value;
use crate::value::native::{Context, Fault, Outcome};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes that are moved at once.
const PIECE: usize = 64 * 1024;
/// What a pipe with any room takes at once (a page), with as much again that is held back for whole lines.
const WITHOUT_WAIT: usize = 2048;
/// What a piece takes in memory beside its text, wherever that lies.
const OWN: usize = 128;

/// `output:`: whether what items print is told in their order.
pub fn is_ordered(function: &str, value: &Value) -> Outcome<bool> {
    let Some(mode) = arguments::given(value) else {
        return Ok(false);
    };
    match arguments::text(function, "output", mode)? {
        "ordered" => Ok(true),
        "as it comes" => Ok(false),
        _ => {
            let rule = "must be \"ordered\" or \"as it comes\"";
            Err(arguments::refuse(function, "output", rule, mode))
        }
    }
}

/// What was printed and is not told yet.
#[derive(Default)]
pub struct Relay {
    shelf: BTreeMap<u64, Vec<Piece>>,
    /// Bytes of it in memory.
    in_memory: usize,
    /// The rest, how long that file is, and how many pieces in it are still wanted.
    spill: Option<File>,
    spilled: u64,
    pieces: usize,
    /// Spools that may be used again.
    free: Vec<Spool>,
    /// Nobody waits any more for who reads what is told.
    is_hurried: bool,
}

/// Some of what an item has printed.
struct Piece {
    to_error: bool,
    place: Place,
}

enum Place {
    Memory(Vec<u8>),
    Spill { from: u64, length: u64 },
}

impl Relay {
    /// A spool for a hand-out.
    pub fn spool(&mut self) -> Result<Spool> {
        match self.free.pop() {
            Some(spool) => Ok(spool),
            None => Spool::new(),
        }
    }

    /// When all is over: takes what came into spools that are not in use, from processes that have outlived their items.
    pub fn take_late(&mut self) -> Result<()> {
        for mut spool in std::mem::take(&mut self.free) {
            spool.mark(u64::MAX)?;
            self.take(&mut spool)?;
        }
        Ok(())
    }

    /// Lets go of spools that are not in use: nothing more is handed out.
    pub fn close_spools(&mut self) {
        self.free.clear();
    }

    /// Takes what is marked in a spool.
    pub fn take(&mut self, spool: &mut Spool) -> Result<()> {
        for (item, region) in spool.take()? {
            let piece = self.piece(spool, &region)?;
            self.shelf.entry(item).or_default().push(piece);
        }
        spool.give_back();
        Ok(())
    }

    /// Takes the last of a hand-out that is over, whose items begin with `first`.
    pub fn take_last(&mut self, mut spool: Spool, future: &Future, first: u64) -> Result<()> {
        let state = future.state();
        if state != State::Value {
            // It was broken off in the middle of an item.
            let at = match state {
                State::Died => future.died_at(),
                _ => 0,
            };
            spool.mark(first.saturating_add(at))?;
        }
        self.take(&mut spool)?;
        if matches!(state, State::Value | State::Error) {
            // Its worker is at something else by now.
            spool.clear()?;
            self.free.push(spool);
        }
        Ok(())
    }

    fn piece(&mut self, spool: &Spool, region: &Region) -> Result<Piece> {
        let to_error = region.stream == 1;
        self.in_memory += OWN;
        let fits = region.length <= MAX_SHELVED.saturating_sub(self.in_memory) as u64;
        let mut bytes = vec![0; if fits { region.length as usize } else { PIECE }];
        let mut offset = 0;
        if fits {
            while offset < region.length {
                let rest = bytes.get_mut(offset as usize..).unwrap_or_default();
                match spool.read(region, offset, rest)? {
                    0 => break,
                    count => offset += count as u64,
                }
            }
            bytes.truncate(offset as usize);
            self.in_memory += bytes.len();
            let place = Place::Memory(bytes);
            return Ok(Piece { to_error, place });
        }
        let from = self.spilled;
        if self.spill.is_none() {
            self.spill = Some(tempfile::tempfile().map_err(|error| failed(&error))?);
        }
        while let Some(file) = &self.spill {
            let count = spool.read(region, offset, &mut bytes)?;
            if count == 0 {
                break;
            }
            file.write_all_at(bytes.get(..count).unwrap_or_default(), from + offset)
                .map_err(|error| failed(&error))?;
            offset += count as u64;
        }
        self.spilled += offset;
        self.pieces += 1;
        let place = Place::Spill {
            from,
            length: offset,
        };
        Ok(Piece { to_error, place })
    }

    /// When the map has ended so, for Ctrl-C or a cancellation: what is left is told as far as there is room for it. Who has the
    /// other end of the output may not read, and `finally` of this process must not wait for him.
    pub fn ends_by(&mut self, outcome: &Outcome<()>) {
        if let Err(Fault::Error(error)) = outcome {
            self.is_hurried = [codes::INTERRUPTED, codes::CANCELLED].contains(&error.code);
        }
    }

    /// Tells what the items up to and with the given one have printed.
    pub fn print(&mut self, context: &mut dyn Context, last: u64) -> Outcome<()> {
        while let Some(first) = self
            .shelf
            .first_entry()
            .filter(|first| *first.key() <= last)
        {
            for piece in first.remove() {
                self.print_piece(context, &piece)?;
            }
        }
        Ok(())
    }

    fn print_piece(&mut self, context: &mut dyn Context, piece: &Piece) -> Outcome<()> {
        self.in_memory = self.in_memory.saturating_sub(OWN);
        let (from, length) = match &piece.place {
            Place::Memory(bytes) => {
                self.in_memory = self.in_memory.saturating_sub(bytes.len());
                return self.write(context, bytes, piece.to_error);
            }
            &Place::Spill { from, length } => (from, length),
        };
        let mut bytes = vec![0; PIECE];
        let mut told = 0;
        while let Some(file) = self.spill.as_ref().filter(|_| told < length) {
            let most = PIECE.min((length - told) as usize);
            let into = bytes.get_mut(..most).unwrap_or_default();
            let count = file.read_at(into, from + told);
            let count = count.map_err(|error| failed(&error))?;
            if count == 0 {
                break;
            }
            self.write(
                context,
                bytes.get(..count).unwrap_or_default(),
                piece.to_error,
            )?;
            told += count as u64;
        }
        self.pieces = self.pieces.saturating_sub(1);
        match (&self.spill, self.pieces) {
            (Some(file), 0) => {
                file.set_len(0).map_err(|error| failed(&error))?;
                self.spilled = 0;
            }
            // Others are still to come: the file keeps its length, but not what was told.
            (Some(file), _) => give_back(file, from, length),
            (None, _) => {}
        }
        Ok(())
    }

    fn write(&self, context: &mut dyn Context, bytes: &[u8], to_error: bool) -> Outcome<()> {
        if !self.is_hurried {
            return write(context, bytes, to_error);
        }
        let stream = match to_error {
            true => libc::STDERR_FILENO,
            false => libc::STDOUT_FILENO,
        };
        for some in bytes.chunks(WITHOUT_WAIT) {
            if !poll::is_met(Interest::Writable(stream)) {
                return Ok(());
            }
            write(context, some, to_error)?;
        }
        Ok(())
    }
}

fn write(context: &mut dyn Context, bytes: &[u8], to_error: bool) -> Outcome<()> {
    let text = std::str::from_utf8(bytes).ok();
    let beside = text.and_then(|text| progress::beside_bar(text, to_error));
    let bytes = beside.as_ref().map_or(bytes, |text| text.as_bytes());
    match to_error {
        true => context.write_err(bytes),
        false => context.write_out(bytes),
    }
}

//! The journal of a map whose source is read while its items are worked on. Nobody knows all items before, so what an item is goes into
//! the file when it has been read, in front of its result: when the map goes on, each item has to be what it was.

use super::key::{self, Key, Sum};
use super::lasting;
use super::log::{Log, mismatch, put_item, put_result};
use crate::diag::Result;
use crate::process::pool::job::Produced;
use crate::value::Value;
use crate::value::native::{Context, Outcome};
use std::collections::HashMap;

/// Bytes that are gathered before they are written, when there is no result among them.
const MOST_GATHERED: usize = 1 << 16;

/// The journal of a map that reads its source.
pub struct Journal {
    log: Log,
    /// What is known of items from an earlier run, until they are read.
    known: HashMap<u64, Known>,
    /// Frames to be written.
    gathered: Vec<u8>,
    /// There are results among them.
    is_due: bool,
}

/// An item of an earlier run.
struct Known {
    sum: u64,
    result: Option<Kept>,
}

/// A result of an earlier run.
pub enum Kept {
    /// It needs no memory of its own.
    Plain(Produced<'static>),
    /// An encoded value.
    Value(Vec<u8>),
}

impl Kept {
    fn of(produced: Produced<'_>) -> Kept {
        Kept::Plain(match produced {
            Produced::Value(bytes) | Produced::Error(bytes) => return Kept::Value(bytes.to_vec()),
            Produced::Int(number) => Produced::Int(number),
            Produced::Float(number) => Produced::Float(number),
            Produced::Bool(truth) => Produced::Bool(truth),
            Produced::Nil => Produced::Nil,
            Produced::LeftOut | Produced::Pending => Produced::LeftOut,
        })
    }

    /// As a job would have it.
    pub fn produced(&self) -> Produced<'_> {
        match self {
            Kept::Plain(produced) => *produced,
            Kept::Value(bytes) => Produced::Value(bytes),
        }
    }
}

impl Journal {
    /// Opens the journal of a map of a function, whose random numbers follow from `stream`.
    pub fn of_map(
        context: &mut dyn Context,
        construct: &str,
        path: &str,
        function: Value,
        stream: u64,
    ) -> Outcome<Journal> {
        let key = Key::of(context, construct, function, None, stream)?;
        let structs = key::structs(context);
        let mut is_lasting = |message: &[u8]| lasting::is_lasting(context, message);
        let mut known: HashMap<u64, Known> = HashMap::new();
        let log = Log::open(path, &key, structs, &mut |frame| {
            if let Some(sum) = frame.sum() {
                let result = None;
                known.entry(frame.item).or_insert(Known { sum, result });
            } else if let Some(known) = known.get_mut(&frame.item)
                && known.result.is_none()
            {
                // A result of an item that is not known is done again.
                known.result = frame.result(structs, &mut is_lasting).map(Kept::of);
            }
            Ok(())
        })?;
        Ok(Journal {
            log,
            known,
            gathered: Vec::new(),
            is_due: false,
        })
    }

    /// Takes note of an item that was read; its result, if an earlier run has one.
    ///
    /// # Errors
    /// `JournalMismatch` when it was another one then; `ValueError` when there are handles in it; `IOError`.
    pub fn read(
        &mut self,
        context: &mut dyn Context,
        index: u64,
        item: Value,
    ) -> Outcome<Option<Kept>> {
        let sum = Sum::of(&key::of_item(context, item)?);
        let Some(known) = self.known.remove(&index) else {
            put_item(&mut self.gathered, index, sum);
            if self.gathered.len() >= MOST_GATHERED {
                self.write()?;
            }
            return Ok(None);
        };
        if known.sum != sum {
            let difference = format!("was begun with another item {index}");
            return Err(mismatch(self.log.path(), &difference).into());
        }
        Ok(known.result)
    }

    /// Takes note of what became of an item; true when that is kept.
    pub fn put(&mut self, item: u64, result: Produced<'_>) -> bool {
        let is_kept = put_result(&mut self.gathered, item, result, self.log.structs);
        self.is_due |= is_kept;
        is_kept
    }

    /// Writes down the results that were taken note of, and what their items are.
    pub fn keep(&mut self) -> Result<()> {
        if self.is_due {
            self.write()?;
        }
        self.log.sync(false)
    }

    /// At the end of the map: all goes to the disk.
    pub fn end(&mut self) -> Result<()> {
        self.write()?;
        self.log.sync(true)
    }

    fn write(&mut self) -> Result<()> {
        self.is_due = false;
        self.log.write(&std::mem::take(&mut self.gathered))
    }
}

//! A parcel: some items of a source that is being read, as a task. Each item is encoded when it is read, by itself. So a parcel
//! can be closed and handed in wherever this process waits, where nothing can be made on the heap; and an item that cannot
//! travel is told by its index.
//!
//! A parcel is the mark, the facts as numbers (the function is one: the handle of what all parcels of a map share, nothing where the
//! workers have inherited it), and the items, each behind its length.

use super::super::super::travel;
use super::super::future::FutureHandle;
use super::Pool;
use super::packed::Packed;
use super::shared::Shared;
use super::task::{Order, Work};
use crate::arena::HandleId;
use crate::diag::{Error, Result, codes};
use crate::process::Message;
use crate::process::pool::future::{Future, Terms};
use crate::process::pool::job::Job;
use crate::process::pool::spool::Address;
use crate::value::Value;
use crate::value::native::{Context, Outcome};
use crate::wire;
use std::cell::Cell;
use std::rc::Rc;

/// The first byte of a parcel, which no other task begins with.
const MARK: u8 = 0xa7;
const _: () = assert!(MARK != wire::VERSION);

/// What is to be done with some items.
#[derive(Clone)]
pub struct Parcel {
    /// One call for each item, with the item or with what it holds.
    pub work: Work,
    /// The function with the global variables that it uses; `None` where the workers have it.
    pub function: Option<Rc<Shared>>,
    /// The number from which the random streams of the items follow.
    pub stream: u64,
    /// The index of the first item of all that the parcel ever held.
    pub base: u64,
    /// Where the results go, one by one; without it they are the task's value.
    pub job: Option<Job>,
    /// Errors of items are results, and do not end the map.
    pub collect: bool,
    /// Seconds that each call may take.
    pub limit: Option<f64>,
    /// The results are kept for longer than the program runs.
    pub lasting: bool,
    /// What a worker has not begun after a while may be left to others that have nothing to do.
    pub divides: bool,
    /// Where what the items print goes, when it is told in their order.
    pub spool: Option<Address>,
    /// How often it is tried again as a whole when its worker dies.
    pub retries: u64,
    /// The items.
    pub items: Packed,
}

impl Parcel {
    /// The same for other items.
    pub fn without_items(&self) -> Parcel {
        Parcel {
            function: self.function.clone(),
            job: None,
            items: Packed::default(),
            ..*self
        }
    }

    /// The items from the given one on, as a message.
    fn pack(&self, from: usize) -> Message {
        let job = self.job.as_ref().map(Job::id);
        let shared = self.function.as_ref().map(|shared| shared.id());
        let mut message = Message::default();
        message.bytes.push(MARK);
        let [spool, more, identity] = Address::to_words(self.spool);
        for fact in [
            self.work as u64,
            self.stream,
            self.base,
            from as u64,
            u64::from(self.collect),
            job.map_or(0, |job| job.to_bits()),
            self.limit.unwrap_or(0.0).to_bits(),
            spool,
            more,
            identity,
            shared.map_or(0, |id| id.to_bits()),
            u64::from(self.divides && self.job.is_some()),
            u64::from(self.lasting),
        ] {
            message.bytes.extend_from_slice(&fact.to_le_bytes());
        }
        if let Some(shared) = &self.function {
            message.need(shared.code);
        }
        self.items.write(from, &mut message);
        message.handles.extend(job.into_iter().chain(shared));
        message
    }
}

impl Pool {
    /// Hands in the items of a parcel from the given one on.
    pub fn hand_in_parcel(self: &Rc<Pool>, parcel: &Parcel, from: usize) -> Result<FutureHandle> {
        // What was begun goes on.
        self.tasks.check_running()?;
        let message = parcel.pack(from);
        self.need_code(&message);
        let terms = Terms {
            retries: parcel.retries,
            limit: parcel.limit,
            from: None,
        };
        let future = Future::new(self.tasks.id(), &message.bytes, &message.handles, &terms)?;
        self.tasks.submit(&future, true)?;
        Ok(FutureHandle {
            future,
            pool: Some(self.clone()),
        })
    }

    /// In a worker: reads a parcel; `None` when a task is none.
    pub(super) fn read_parcel(
        &self,
        context: &mut dyn Context,
        bytes: &[u8],
    ) -> Option<Outcome<Order>> {
        let mut rest = Reader(bytes.strip_prefix(&[MARK])?);
        Some(match self.read_order(context, &mut rest) {
            Ok(Some(order)) => Ok(order),
            Ok(None) => Err(Error::new(codes::DECODE, "a task of a pool could not be read").into()),
            Err(fault) => Err(fault),
        })
    }

    fn read_order(
        &self,
        context: &mut dyn Context,
        rest: &mut Reader<'_>,
    ) -> Outcome<Option<Order>> {
        let mut facts = [0; 13];
        for fact in &mut facts {
            let Some(number) = rest.number() else {
                return Ok(None);
            };
            *fact = number;
        }
        let [
            work,
            stream,
            base,
            from,
            collect,
            job,
            limit,
            spool,
            more,
            identity,
            shared,
            divides,
            lasting,
        ] = facts;
        let job = match job {
            0 => None,
            bits => match HandleId::from_bits(bits).and_then(Job::from_id) {
                Some(job) => Some(job),
                None => return Ok(None),
            },
        };
        let function = match shared {
            0 => self.body,
            bits => match HandleId::from_bits(bits) {
                Some(id) => self.function_of(context, id)?,
                None => return Ok(None),
            },
        };
        context.protect(function);
        let mut values = Vec::new();
        while let Some(item) = rest.part() {
            // Decoding only allocates, so nothing is collected until all are protected.
            values.push(match wire::decode_small(item) {
                Some(value) => value,
                None => travel::unpack(context, item)?,
            });
        }
        let all = Value::list(context.heap(), values.clone());
        context.protect(all);
        Ok(Some(Order {
            work: work as i64,
            function,
            values,
            named: Value::Nil,
            stream,
            first: base.saturating_add(from),
            base,
            limit: Some(f64::from_bits(limit)).filter(|limit| *limit > 0.0),
            job,
            collect: collect != 0,
            lasting: lasting != 0,
            spool: Address::from_words([spool, more, identity]),
            divides: divides != 0,
            worked: Cell::new(0),
        }))
    }
}

/// What is left of a parcel's bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

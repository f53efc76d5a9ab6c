//! Leases: an item of a queue in the hands of one process until that says what becomes of it.
//!
//! The truth about a lease is its claim in the queue's channel. What is here knows which claim, and that it was taken by this
//! process: a copy of the memory in a child does not make the child a taker.

use super::Ended;
use super::channel::{Delivery, Prepared, Put, Why, error_block};
use super::queue::{self, Queue, ROOM};
use super::spawn::{Message, Process};
use super::wait::{self, Operation, WaitSpec};
use crate::arena::{self, HandleId, Offset, SlotRef};
use crate::diag::{Error, Field, Result, codes};
use crate::os::signal;
use crate::source::Span;
use std::cell::Cell;

/// What became of a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The item is in the taker's hands.
    Open,
    /// It is dealt with.
    Done,
    /// It was given back.
    Returned,
}

/// A lease. Dropped while it is open, it gives its item back.
pub struct Lease {
    queue: Queue,
    claim: Offset,
    taker: SlotRef,
    state: Cell<State>,
    deliveries: u64,
}

impl Lease {
    /// The lease of a claim that this process has just made.
    pub(super) fn new(queue: Queue, claim: Offset) -> Lease {
        let deliveries =
            arena::get().map_or(1, |arena| queue.channel(arena).lease_deliveries(claim));
        Lease {
            queue,
            claim,
            taker: arena::me(),
            state: Cell::new(State::Open),
            deliveries,
        }
    }

    /// What became of it.
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// How often the item was taken, this time included.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Whether this process took it: a child that finds it in its memory did not.
    pub fn is_own(&self) -> bool {
        self.taker == arena::me()
    }

    /// Whether it is open, and this process's.
    pub fn is_open(&self) -> bool {
        self.state() == State::Open && self.is_own()
    }

    fn open(&self, method: &str) -> Result<&'static arena::Arena> {
        let arena = super::start()?;
        let refuse = |text: &str| {
            let message = format!("`{method}` needs an open lease, but this one {text}");
            Err(Error::new(codes::VALUE, message))
        };
        match self.state() {
            _ if !self.is_own() => refuse("was taken by another process").map_err(|error| {
                error.with_help("end it where it was taken; a child can take a lease of its own")
            }),
            State::Done => refuse("is done"),
            State::Returned => refuse("was given back"),
            State::Open => Ok(arena),
        }
    }

    /// Gives the bytes of the item to a function. Only right after it was taken.
    pub fn read<T>(&self, body: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let arena = self.open("value")?;
        Ok(body(self.queue.channel(arena).lease_bytes(self.claim)))
    }

    /// Puts a message into a queue together with the end of this lease; waits while that queue is full, at most `timeout`
    /// seconds. (What waits for the end of a lease does not count there.)
    ///
    /// Errors: `Timeout`, `Closed`, `LimitExceeded`, `ValueError` when the lease is not open, and those of the waiting place.
    pub fn put(
        &self,
        target: &Queue,
        message: &mut Prepared,
        timeout: Option<f64>,
        place: Option<Span>,
    ) -> Result<()> {
        let arena = self.open("put")?;
        let room = || match target.channel(arena).takes_results() {
            Put::Done => Ok(Some(())),
            Put::NoRoom => Ok(None),
            Put::Closed => {
                let closer = target.channel(arena).closer();
                Err(queue::closed("put", "queue", closer))
            }
        };
        if room()?.is_none() {
            let awaited = [target.awaited(ROOM)];
            let spec = WaitSpec::new(Operation::Put, &awaited, place).with_timeout(timeout);
            if wait::wait(&spec, room)?.is_none() {
                let seconds = timeout.unwrap_or(0.0);
                return Err(wait::timed_out(Operation::Put, "the queue", seconds));
            }
        }
        let channel = self.queue.channel(arena);
        arena::when_full(|| channel.add_result(self.claim, target.id(), message))
    }

    /// The item is dealt with, and what was put through the lease becomes visible, in one step.
    ///
    /// Errors: `Closed` when a queue that something was put into has been closed meanwhile, `LimitExceeded`; the lease stays
    /// open then. `ValueError` when it is not open.
    pub fn done(&self) -> Result<()> {
        let arena = self.open("done")?;
        let channel = self.queue.channel(arena);
        match arena::when_full(|| channel.end_lease(self.claim))? {
            Delivery::Done => {
                self.state.set(State::Done);
                Ok(())
            }
            Delivery::Closed(id) => {
                let closer = Queue::adopt(id).and_then(|queue| queue.channel(arena).closer());
                Err(queue::closed("done", "queue for each result", closer))
            }
        }
    }

    /// Gives the item back to the front of the queue, without what was put through the lease. `error`: the error that left
    /// the block of the lease, which counts as a failure of the item.
    ///
    /// Errors: `ValueError` when the lease is not open.
    pub fn release(&self, error: Option<&Message>) -> Result<()> {
        let arena = self.open("release")?;
        let why = match error {
            Some(error) => error_block(arena, &error.bytes, &error.handles),
            None => Why::Wanted,
        };
        self.state.set(State::Returned);
        self.queue.channel(arena).return_lease(self.claim, why);
        Ok(())
    }
}

/// How the last taker of an item that was set aside ended.
pub fn cause_of_death(taker: Option<HandleId>) -> Box<Error> {
    let Some(process) = taker.and_then(Process::from_id) else {
        return Error::new(
            codes::PROCESS_DIED,
            "the process that had the item has ended",
        );
    };
    let (name, pid) = (process.name(), process.pid().unwrap_or(0));
    let ended = process.ended();
    let how = ended
        .as_ref()
        .map_or(String::from("died"), |ended| match ended {
            Ended::Killed(number) => format!("was killed by {}", signal::name_of(*number)),
            Ended::Exited(code) | Ended::Passed(code) => format!("left with exit({code})"),
            Ended::Raised(_) => String::from("failed"),
            Ended::Returned(_) => String::from("returned"),
        });
    let mut error = Error::new(
        codes::PROCESS_DIED,
        format!("{name} (pid {pid}) was to end its lease, but {how}"),
    )
    .with_field("name", Field::Text(name))
    .with_field("pid", Field::Int(i64::from(pid)));
    if let Some(Ended::Killed(number)) = ended {
        error = error
            .with_field("signal", Field::Int(i64::from(number)))
            .with_field("signal_name", Field::Text(signal::name_of(number)));
    }
    error
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_open() {
            // It is open, so this does not fail.
            let _ = self.release(None);
        }
    }
}

//! Queues: a channel that every holder puts to and takes from.

use super::channel::{Channel, Closer, Prepared, Put, SetAside, Take, Taken, Why};
use super::deadlock::{self, Enders, WaitOps};
use super::lease::Lease;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::diag::{Error, Field, Result, codes};
use crate::limits::MAX_FAILURES;
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Which event of the object takers wait at, and which one putters (and those who wait until all is done).
pub const ITEMS: usize = 0;
/// See [`ITEMS`].
pub const ROOM: usize = 1;

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    hold: Hold,
}

impl Queue {
    /// A new queue in which at most `capacity` messages wait; 0 is any number.
    pub fn create(capacity: u64) -> Result<Queue> {
        Queue::create_with(capacity, MAX_FAILURES)
    }

    /// The same, with how often a message may fail those who take it by lease before it is set aside; 0 is any number.
    pub fn create_with(capacity: u64, failures: u64) -> Result<Queue> {
        super::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Queue, |arena, object| {
                let block = Channel::create(arena, capacity, failures)?;
                object.set_payload(block);
                arena.commit(block);
                Ok(())
            })
        })?;
        Ok(Queue { hold })
    }

    /// The queue of a handle, if it exists.
    pub fn adopt(id: HandleId) -> Option<Queue> {
        Hold::adopt(id).map(|hold| Queue { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// The channel behind it: what does not wait.
    #[inline]
    pub fn channel<'a>(&'a self, arena: &'a Arena) -> Channel<'a> {
        channel(arena, self.hold.object())
    }

    /// What a wait at one of its events waits for.
    pub fn awaited(&self, side: usize) -> Awaited<'_> {
        Awaited {
            id: self.id(),
            object: self.hold.object(),
            side,
        }
    }

    /// Puts a message; waits while the queue is full, at most `timeout` seconds.
    ///
    /// Errors: `Timeout`, `Closed`, `LimitExceeded`, and those of the waiting place.
    pub fn put(
        &self,
        message: &mut Prepared,
        timeout: Option<f64>,
        place: Option<Span>,
    ) -> Result<()> {
        if self.try_put(message)? {
            return Ok(());
        }
        let awaited = [self.awaited(ROOM)];
        let spec = WaitSpec::new(Operation::Put, &awaited, place).with_timeout(timeout);
        let put = wait::wait(&spec, || Ok(self.try_put(message)?.then_some(())))?;
        put.ok_or_else(|| wait::timed_out(Operation::Put, "the queue", timeout.unwrap_or(0.0)))
    }

    /// Puts a message if there is room.
    pub fn try_put(&self, message: &mut Prepared) -> Result<bool> {
        let arena = super::start()?;
        match arena::when_full(|| self.channel(arena).put(message))? {
            Put::Done => Ok(true),
            Put::NoRoom => Ok(false),
            Put::Closed => Err(closed("put", "queue", self.channel(arena).closer())),
        }
    }

    /// Takes the message at the front; waits while there is none, at most `timeout` seconds.
    ///
    /// Errors: `EndOfStream` when the queue is closed and empty or nothing can come any more, `Timeout`, and those of the
    /// waiting place.
    pub fn get(&self, timeout: Option<f64>, place: Option<Span>) -> Result<Taken<'_>> {
        if let Some(taken) = self.try_get()? {
            return Ok(taken);
        }
        let awaited = [self.awaited(ITEMS)];
        let mut spec = WaitSpec::new(Operation::Get, &awaited, place).with_timeout(timeout);
        spec.ends_stream = true;
        let taken = wait::wait(&spec, || self.try_get())?;
        taken.ok_or_else(|| wait::timed_out(Operation::Get, "the queue", timeout.unwrap_or(0.0)))
    }

    /// Takes the message at the front if there is one; `EndOfStream` when there is none and the queue is closed.
    pub fn try_get(&self) -> Result<Option<Taken<'_>>> {
        let arena = super::start()?;
        match self.channel(arena).take() {
            Take::Message(taken) => Ok(Some(taken)),
            Take::Empty => Ok(None),
            Take::Closed => Err(ended("get", "queue", self.channel(arena).closer())),
        }
    }

    /// Takes the message at the front by lease; waits and fails as [`Queue::get`] does, and with `LimitExceeded`.
    pub fn take(&self, timeout: Option<f64>, place: Option<Span>) -> Result<Lease> {
        if let Some(lease) = self.try_take()? {
            return Ok(lease);
        }
        let awaited = [self.awaited(ITEMS)];
        let mut spec = WaitSpec::new(Operation::Take, &awaited, place).with_timeout(timeout);
        spec.ends_stream = true;
        let taken = wait::wait(&spec, || self.try_take())?;
        taken.ok_or_else(|| wait::timed_out(Operation::Take, "the queue", timeout.unwrap_or(0.0)))
    }

    /// Takes the message at the front by lease if there is one; `EndOfStream` when there is none and the queue is closed.
    pub fn try_take(&self) -> Result<Option<Lease>> {
        let arena = super::start()?;
        let taker = super::spawn::current()?.id();
        let channel = self.channel(arena);
        match arena::when_full(|| channel.take_lease(taker))? {
            Ok(claim) => Ok(Some(Lease::new(self.clone(), claim))),
            Err(Take::Closed) => Err(ended("take", "queue", channel.closer())),
            Err(_) => Ok(None),
        }
    }

    /// The messages that were set aside, oldest first; `take`: they are gone then.
    pub fn dead_letters(&self, take: bool) -> Result<Vec<SetAside>> {
        Ok(self.channel(super::start()?).set_aside(take))
    }

    /// Closes it for everybody; false when it was closed before.
    pub fn close(&self, place: Option<Span>) -> Result<bool> {
        let arena = super::start()?;
        Ok(self.channel(arena).close(&Closer::here(arena, place)))
    }

    /// Waits until `task_done` was called for every message that was put; false when `timeout` seconds pass first.
    pub fn join(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        let arena = super::start()?;
        let channel = self.channel(arena);
        let awaited = [self.awaited(ROOM)];
        let spec = WaitSpec::new(Operation::JoinQueue, &awaited, place).with_timeout(timeout);
        let done = || Ok((channel.unfinished() == 0).then_some(()));
        Ok(channel.as_joiner(|| wait::wait(&spec, done))?.is_some())
    }
}

#[inline]
fn channel<'a>(arena: &'a Arena, object: &'a Object) -> Channel<'a> {
    Channel::new(arena, Some(object), object.payload())
}

/// The error of giving something to what is closed.
pub(super) fn closed(operation: &str, what: &str, closer: Option<Closer>) -> Box<Error> {
    let by = closer.as_ref().map_or_else(String::new, Closer::text);
    let error = Error::new(
        codes::CLOSED,
        format!("`{operation}` needs an open {what}, but this one was closed by {by}"),
    );
    with_closer(error, closer)
}

/// The error of taking from what is closed and empty.
pub(super) fn ended(operation: &str, what: &str, closer: Option<Closer>) -> Box<Error> {
    let by = closer.as_ref().map_or_else(String::new, Closer::text);
    let error = Error::new(
        codes::END_OF_STREAM,
        format!("nothing more can come by `{operation}`: the {what} was closed by {by}"),
    );
    with_closer(error, closer)
}

fn with_closer(mut error: Box<Error>, closer: Option<Closer>) -> Box<Error> {
    let Some(closer) = closer else {
        return error;
    };
    if let Some(span) = closer.place {
        error = error.with_other(span, "closed here");
    }
    error.with_field(
        "closed_by",
        Field::Map(vec![
            (String::from("name"), Field::Text(closer.name)),
            (String::from("pid"), Field::Int(closer.pid.into())),
        ]),
    )
}

/// At which sides of an object a process waits in a `select`.
pub(super) fn selected_sides(arena: &Arena, id: HandleId, waiter: SlotRef) -> [bool; 2] {
    let wait = &arena.slot(waiter.index).wait;
    let announced = wait.announced.load(Ordering::Acquire);
    let mut sides = [false; 2];
    for (at, bits) in wait.objects.iter().enumerate() {
        if bits.load(Ordering::Acquire) == id.to_bits() {
            let which = announced >> (2 * at) & 3;
            sides[0] |= which & 1 != 0;
            sides[1] |= which & 2 != 0;
        }
    }
    sides
}

fn ready(
    arena: &Arena,
    object: &Object,
    id: HandleId,
    operation: Operation,
    waiter: SlotRef,
) -> bool {
    let channel = channel(arena, object);
    let [takes, puts] = match operation {
        Operation::Get | Operation::Take => [true, false],
        Operation::Put => [false, true],
        Operation::JoinQueue => return channel.unfinished() == 0,
        _ => selected_sides(arena, id, waiter),
    };
    let closed = channel.is_closed();
    // A closed queue is at its end when nobody can give anything back.
    let ended = takes && closed && !channel.is_lent(None);
    ended || takes && !channel.is_empty() || puts && (closed || channel.has_room())
}

/// Who has messages in his hands.
fn keepers(arena: &Arena, object: &Object) -> Vec<SlotRef> {
    let mut keepers = Vec::new();
    channel(arena, object).is_lent(Some(&mut keepers));
    keepers.into_iter().filter_map(SlotRef::from_bits).collect()
}

/// Gives back what a process, which is this one at its end, has taken by lease.
pub(super) fn return_leases(arena: &Arena, object: &Object, me: SlotRef, is_meant: bool) {
    if object.payload() != 0 {
        let why = if is_meant { Why::Wanted } else { Why::Death };
        channel(arena, object).return_leases_of(me, why);
    }
}

/// Tells the arena and the deadlock detector about queues.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: |arena, object, visitor| {
            if object.payload() != 0 {
                channel(arena, object).visit(visitor);
            }
        },
        destroy: |arena, object| {
            if object.payload() != 0 {
                channel(arena, object).destroy();
            }
        },
        bury: |arena, object, _, _| {
            if object.payload() != 0 {
                channel(arena, object).bury();
            }
        },
    };
    static WAIT: WaitOps = WaitOps {
        noun: "queue",
        ready,
        keepers,
        enders: |arena, object, _, operation, waiter| match operation {
            // Into a closed one comes only what is given back.
            Operation::Get | Operation::Take if channel(arena, object).is_closed() => {
                let others = keepers(arena, object).into_iter();
                Enders::These(others.filter(|&keeper| keeper != waiter).collect())
            }
            _ => Enders::Holders,
        },
    };
    kinds::register(ObjectKind::Queue, &KIND);
    deadlock::register(ObjectKind::Queue, &WAIT);
}

//! Pipes: two ends, and for each the channel of what was sent to it.
//!
//! Each end is an object of its own, because it matters who holds which: what comes to one end can only come from holders
//! of the other. Both keep a third object alive, the *core*, whose block names the two channels; an end knows the other by
//! its handle without keeping it alive, and at its events wait those who receive from it (0) or send to it (1).

use super::channel::{Channel, Closer, Prepared, Put, Take, Taken};
use super::deadlock::{self, Enders, WaitOps};
use super::queue;
use super::wait::{self, Awaited, Operation, WaitSpec};
use super::{reaper, signals, willing};
use crate::arena::kinds::{self, KindOps, Visitor};
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, Offset, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::os::clock;
use crate::source::Span;
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Which event of an end receivers wait at, and which one those who send to it.
pub const MESSAGES: usize = 0;
/// See [`MESSAGES`].
pub const ROOM: usize = 1;

/// Messages that may wait at an end: a sender that is far ahead waits, as at a pipe of the system.
const CAPACITY: u64 = 1024;

/// The cells of the objects: what it is (0 or 1: that end; the core has 2), the core of an end, its other end.
const ROLE: usize = 0;
const CORE: usize = 1;
const OTHER: usize = 2;
/// Of an end: 1 when it only receives, 2 when it only sends.
const DIRECTION: usize = 3;
/// Of an end: not 0 once it was closed itself.
const CLOSED: usize = 4;
const IS_CORE: u64 = 2;

/// What an end can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Direction {
    Both = 0,
    Receives = 1,
    Sends = 2,
}

/// An end of a pipe.
#[derive(Debug, Clone)]
pub struct End {
    hold: Hold,
    /// When it is to be looked next whether anybody is at the other end, and whether nobody was.
    look_at: Cell<u64>,
    looks: Cell<u32>,
    is_alone: Cell<bool>,
}

/// So much later it is looked again, in nanoseconds: what must be looked through grows with all that is shared.
const BETWEEN_LOOKS: u64 = 10_000_000;

impl End {
    /// A new pipe; of a one-way pipe the first end receives and the second one sends.
    pub fn create_pair(oneway: bool) -> Result<[End; 2]> {
        super::start()?;
        let core = arena::when_full(|| Hold::create(ObjectKind::Pipe, prepare_core))?;
        let end = |role: u64| {
            let direction = match (oneway, role) {
                (false, _) => Direction::Both,
                (true, 0) => Direction::Receives,
                (true, _) => Direction::Sends,
            };
            arena::when_full(|| {
                Hold::create(ObjectKind::Pipe, |_, object| {
                    object.cells[ROLE].store(role, Ordering::Relaxed);
                    object.cells[CORE].store(core.id().to_bits(), Ordering::Relaxed);
                    object.cells[DIRECTION].store(direction as u64, Ordering::Relaxed);
                    Ok(())
                })
            })
        };
        let ends = [End::new(end(0)?), End::new(end(1)?)];
        let [left, right] = &ends;
        for (end, other) in [(left, right), (right, left)] {
            end.cell(OTHER)
                .store(other.id().to_bits(), Ordering::Release);
        }
        Ok(ends)
    }

    fn new(hold: Hold) -> End {
        End {
            hold,
            look_at: Cell::new(0),
            looks: Cell::new(0),
            is_alone: Cell::new(false),
        }
    }

    /// The end of a handle, if it exists.
    pub fn adopt(id: HandleId) -> Option<End> {
        let end = Hold::adopt(id).map(End::new)?;
        // The core is no end, whatever a message says.
        (end.cell(ROLE).load(Ordering::Acquire) != IS_CORE).then_some(end)
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    fn cell(&self, cell: usize) -> &std::sync::atomic::AtomicU64 {
        &self.hold.object().cells[cell]
    }

    /// What it can do.
    pub fn direction(&self) -> Direction {
        match self.cell(DIRECTION).load(Ordering::Relaxed) {
            1 => Direction::Receives,
            2 => Direction::Sends,
            _ => Direction::Both,
        }
    }

    fn other(&self) -> Option<HandleId> {
        HandleId::from_bits(self.cell(OTHER).load(Ordering::Acquire))
    }

    /// The channel of what was sent to this end.
    #[inline]
    pub fn inbox<'a>(&'a self, arena: &'a Arena) -> Channel<'a> {
        inbox_of(arena, self.hold.object(), Some(self.hold.object()))
    }

    /// The channel of what is sent from here.
    #[inline]
    fn outbox<'a>(&'a self, arena: &'a Arena) -> Channel<'a> {
        let role = self.cell(ROLE).load(Ordering::Relaxed);
        let waiters = self.other().and_then(|id| arena.object(id));
        channel_of(arena, self.hold.object(), role ^ 1, waiters)
    }

    /// What receiving waits for.
    pub fn awaited_messages(&self) -> Awaited<'_> {
        Awaited {
            id: self.id(),
            object: self.hold.object(),
            side: MESSAGES,
        }
    }

    /// What sending waits for; `None` when the other end is gone.
    pub fn awaited_room(&self) -> Option<Awaited<'_>> {
        let id = self.other()?;
        let object = arena::get()?.object(id)?;
        Some(Awaited {
            id,
            object,
            side: ROOM,
        })
    }

    /// Whether this end itself was closed.
    pub fn is_closed(&self) -> bool {
        self.cell(CLOSED).load(Ordering::Acquire) != 0
    }

    /// Sends a message; waits while too many wait at the other end, at most `timeout` seconds.
    pub fn send(
        &self,
        message: &mut Prepared,
        timeout: Option<f64>,
        place: Option<Span>,
    ) -> Result<()> {
        if self.try_send(message)? {
            return Ok(());
        }
        let awaited: Vec<Awaited<'_>> = self.awaited_room().into_iter().collect();
        let spec = WaitSpec::new(Operation::Send, &awaited, place).with_timeout(timeout);
        let sent = wait::wait(&spec, || {
            if self.try_send(message)? {
                return Ok(Some(()));
            }
            let arena = super::start()?;
            match timeout.is_some() && self.is_alone(arena)? {
                true => Err(self.nobody_left(arena, Operation::Send)),
                false => Ok(None),
            }
        });
        let sent =
            sent.map_err(|error| self.instead_of(&error, Operation::Send).unwrap_or(error))?;
        sent.ok_or_else(|| wait::timed_out(Operation::Send, "the pipe", timeout.unwrap_or(0.0)))
    }

    /// Sends a message if there is room.
    pub fn try_send(&self, message: &mut Prepared) -> Result<bool> {
        if self.direction() == Direction::Receives {
            return Err(wrong_way("send", "sends", "receives"));
        }
        let arena = super::start()?;
        let outbox = self.outbox(arena);
        // Checked without a lock: who looks later finds the channel closed as well.
        if self.other().and_then(|id| arena.object(id)).is_none() {
            return Err(other_gone("send"));
        }
        match arena::when_full(|| outbox.put(message))? {
            Put::Done => Ok(true),
            Put::NoRoom => Ok(false),
            Put::Closed => Err(queue::closed("send", "pipe", outbox.closer())),
        }
    }

    /// Receives a message; waits while there is none, at most `timeout` seconds.
    pub fn recv(&self, timeout: Option<f64>, place: Option<Span>) -> Result<Taken<'_>> {
        if let Some(taken) = self.try_recv()? {
            return Ok(taken);
        }
        let awaited = [self.awaited_messages()];
        let mut spec = WaitSpec::new(Operation::Recv, &awaited, place).with_timeout(timeout);
        spec.ends_stream = true;
        let taken = wait::wait(&spec, || match self.try_recv()? {
            None if timeout.is_some() && self.is_alone(super::start()?)? => self.try_recv(),
            taken => Ok(taken),
        })?;
        taken.ok_or_else(|| wait::timed_out(Operation::Recv, "the pipe", timeout.unwrap_or(0.0)))
    }

    /// Receives a message if there is one. `EndOfStream` when there is none and the other end is closed or gone, `Closed`
    /// when this end is closed.
    pub fn try_recv(&self) -> Result<Option<Taken<'_>>> {
        if self.direction() == Direction::Sends {
            return Err(wrong_way("recv", "receives", "sends"));
        }
        let arena = super::start()?;
        let inbox = self.inbox(arena);
        if self.is_closed() {
            return Err(queue::closed("recv", "pipe", inbox.closer()));
        }
        match inbox.take() {
            Take::Message(taken) => Ok(Some(taken)),
            Take::Closed => Err(queue::ended("recv", "pipe", inbox.closer())),
            Take::Empty if self.is_other_gone(arena) => {
                // What was sent before the other end went away has come.
                match inbox.take() {
                    Take::Message(taken) => Ok(Some(taken)),
                    _ => Err(self.nobody_left(arena, Operation::Recv)),
                }
            }
            Take::Empty => Ok(None),
        }
    }

    /// What a wait comes to that sends to this end or receives from it, and that nothing can end any more: where who was at the other
    /// end has died or let it go, and no other is there, that is not the fault of a group.
    /// `None`: to what it came.
    pub fn instead_of(&self, error: &Error, operation: Operation) -> Option<Box<Error>> {
        if error.code != codes::DEADLOCK || willing::was_asked() {
            return None;
        }
        let (arena, other) = (arena::get()?, self.other()?);
        let has_died = || {
            let end = self.waits_at(operation);
            deadlock::lost(arena, end, operation, arena::me()).is_some()
        };
        // Who receives need not let go of the other end first: nothing that he sends himself comes while he waits. One who sends could
        // yet receive.
        let may_be_own = || operation == Operation::Recv || arena.is_forsaken(other) || has_died();
        let is_alone = !has_others(arena, other) && may_be_own();
        is_alone.then(|| self.nobody_left(arena, operation))
    }

    /// The end at which a wait is that sends to this end or receives from it.
    fn waits_at(&self, operation: Operation) -> HandleId {
        match operation {
            Operation::Send => self.other().unwrap_or(self.id()),
            _ => self.id(),
        }
    }

    /// The error of such a wait when nobody is left at the other side; it tells who was.
    fn nobody_left(&self, arena: &Arena, operation: Operation) -> Box<Error> {
        let mut error = other_gone(operation.words());
        let end = self.waits_at(operation);
        if let Some(lost) = deadlock::lost(arena, end, operation, arena::me()) {
            error.message += "; ";
            error.message += &lost;
        }
        error
    }

    fn is_other_gone(&self, arena: &Arena) -> bool {
        self.is_alone.get() || self.other().and_then(|id| arena.object(id)).is_none()
    }

    /// Whether nobody can come to the other end any more, for who waits with a time-out: no search for deadlocks looks after that. (A
    /// process that has both ends is not alone: it may go on, and send something itself.)
    ///
    /// # Errors
    /// The wait is left for the collector ([`willing`]).
    fn is_alone(&self, arena: &Arena) -> Result<bool> {
        let Some(other) = self.other().filter(|_| !self.is_other_gone(arena)) else {
            return Ok(true);
        };
        let now = clock::now();
        if now < self.look_at.get() {
            return Ok(false);
        }
        // The dead are not gone before somebody has taken note of them.
        reaper::reap();
        self.looks.set(self.looks.get().saturating_add(1));
        if !arena.holds(arena::me(), other) {
            self.is_alone.set(arena.is_forsaken(other));
        } else if self.looks.get().is_power_of_two() {
            // Perhaps nothing but garbage has it here: what waits is seldom near a collection by itself.
            signals::want_collection();
            if willing::may_leave() && !has_others(arena, other) {
                return Err(willing::leave());
            }
        }
        let after = clock::now();
        // No more than a tenth of the time goes by with looking.
        self.look_at
            .set(after + BETWEEN_LOOKS.max((after - now) * 10));
        Ok(self.is_alone.get())
    }

    /// Whether `recv` would not wait; waits for that, at most `timeout` seconds.
    pub fn poll(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        if self.direction() == Direction::Sends {
            return Err(wrong_way("poll", "receives", "sends"));
        }
        let arena = super::start()?;
        let inbox = self.inbox(arena);
        let ready = || {
            let ready = !inbox.is_empty() || inbox.is_closed() || self.is_alone(arena)?;
            Ok(ready.then_some(()))
        };
        let awaited = [self.awaited_messages()];
        let spec = WaitSpec::new(Operation::Recv, &awaited, place).with_timeout(timeout);
        Ok(wait::wait(&spec, ready)?.is_some())
    }

    /// Closes this end, for everybody; false when it was closed before.
    pub fn close(&self, place: Option<Span>) -> Result<bool> {
        let arena = super::start()?;
        let closer = Closer::here(arena, place);
        let first = self.cell(CLOSED).swap(1, Ordering::AcqRel) == 0;
        crash_point!("pipe: end marked");
        self.outbox(arena).close(&closer);
        crash_point!("pipe: outbox closed");
        self.inbox(arena).close(&closer);
        Ok(first)
    }
}

/// Attaches the two channels to a new core, one after the other: what is attached is found.
fn prepare_core(arena: &Arena, object: &Object) -> std::result::Result<(), Full> {
    object.cells[ROLE].store(IS_CORE, Ordering::Relaxed);
    let block = arena.alloc_zeroed(16)?;
    object.set_payload(block);
    arena.commit(block);
    for side in [0, 8] {
        match Channel::create(arena, CAPACITY, 0) {
            Ok(channel) => {
                arena
                    .word_at(block + side)
                    .store(channel, Ordering::Release);
                arena.commit(channel);
            }
            Err(full) => {
                destroy(arena, object);
                return Err(full);
            }
        }
    }
    Ok(())
}

/// The channel of what comes to end `role`, by any end of the pipe.
fn channel_of<'a>(
    arena: &'a Arena,
    end: &Object,
    role: u64,
    waiters: Option<&'a Object>,
) -> Channel<'a> {
    let core = HandleId::from_bits(end.cells[CORE].load(Ordering::Acquire));
    let block = core
        .and_then(|id| arena.object(id))
        .map_or(0, Object::payload);
    let channel = arena.word_at(block + (role & 1) * 8);
    Channel::new(arena, waiters, channel.load(Ordering::Acquire))
}

fn inbox_of<'a>(arena: &'a Arena, end: &Object, waiters: Option<&'a Object>) -> Channel<'a> {
    channel_of(arena, end, end.cells[ROLE].load(Ordering::Relaxed), waiters)
}

fn wrong_way(operation: &str, wanted: &str, actual: &str) -> Box<Error> {
    Error::new(
        codes::TYPE,
        format!("`{operation}` needs an end of a pipe that {wanted}, but this one only {actual}"),
    )
    .with_help("use the other end, or a pipe of two ways: pipe()")
}

fn other_gone(operation: &str) -> Box<Error> {
    let code = match operation {
        "send" => codes::CLOSED,
        _ => codes::END_OF_STREAM,
    };
    Error::new(
        code,
        format!(
            "`{operation}` needs somebody at the other end of the pipe, but nobody holds it any more"
        ),
    )
}

/// Whether another process than this one holds an end.
fn has_others(arena: &Arena, end: HandleId) -> bool {
    let holds = |process| process != arena::me() && arena.holds(process, end);
    arena.live_processes().any(holds)
}

fn ready(
    arena: &Arena,
    object: &Object,
    id: HandleId,
    operation: Operation,
    waiter: SlotRef,
) -> bool {
    let inbox = inbox_of(arena, object, None);
    let [takes, puts] = match operation {
        Operation::Recv => [true, false],
        Operation::Send => [false, true],
        _ => queue::selected_sides(arena, id, waiter),
    };
    inbox.is_closed() || takes && !inbox.is_empty() || puts && inbox.has_room()
}

fn enders(
    arena: &Arena,
    object: &Object,
    id: HandleId,
    operation: Operation,
    waiter: SlotRef,
) -> Enders {
    let other = HandleId::from_bits(object.cells[OTHER].load(Ordering::Acquire));
    let [takes, puts] = match operation {
        Operation::Recv => [true, false],
        Operation::Send => [false, true],
        _ => queue::selected_sides(arena, id, waiter),
    };
    let mut ids = Vec::new();
    if takes {
        ids.extend(other);
    }
    if puts {
        ids.push(id);
    }
    Enders::HoldersOf(ids)
}

fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    if object.cells[ROLE].load(Ordering::Acquire) != IS_CORE {
        if let Some(core) = HandleId::from_bits(object.cells[CORE].load(Ordering::Acquire)) {
            visitor.handle(core);
        }
        return;
    }
    let block = object.payload();
    if block != 0 {
        visitor.block(block);
        for channel in channels(arena, block) {
            Channel::new(arena, None, channel).visit(visitor);
        }
    }
}

fn channels(arena: &Arena, block: Offset) -> impl Iterator<Item = Offset> {
    [0, 8]
        .into_iter()
        .map(move |side| arena.word_at(block + side).load(Ordering::Acquire))
        .filter(|&channel| channel != 0)
}

fn destroy(arena: &Arena, object: &Object) {
    let block = object.payload();
    if block == 0 {
        return;
    }
    for channel in channels(arena, block) {
        Channel::new(arena, None, channel).destroy();
    }
    kinds::destroy_payload(arena, object);
}

/// Tells the arena and the deadlock detector about pipes.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit,
        destroy,
        bury: |arena, object, _, _| {
            if object.cells[ROLE].load(Ordering::Acquire) != IS_CORE {
                inbox_of(arena, object, Some(object)).bury();
            }
        },
    };
    static WAIT: WaitOps = WaitOps {
        noun: "pipe",
        keepers: deadlock::no_keepers,
        ready,
        enders,
    };
    kinds::register(ObjectKind::Pipe, &KIND);
    deadlock::register(ObjectKind::Pipe, &WAIT);
}

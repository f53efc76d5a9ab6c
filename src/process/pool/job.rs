//! A job: a fixed number of items that several workers work off, each item once.
//!
//! One block of the arena holds a counter from which workers claim ranges of items (`claims`), a record for each worker (what it
//! has claimed, what it is at), and two words for each item: its state and its result. Inputs are not here: workers are
//! forked at the call and inherit them.

use super::{claims, stop, tail};
use crate::arena::kinds::{KindOps, Visitor};
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, Offset, SlotRef};
use crate::crash_point;
use crate::diag::Result;
use crate::os::clock;
use crate::process::deadlock::{self, Enders, WaitOps};
use crate::process::wait::{Awaited, Operation};
use crate::source::Span;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of an item.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Produced<'a> {
    /// Not finished.
    Pending,
    /// Numbers, truth values and nil stand in the table itself.
    Int(i64),
    /// A float.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `nil`.
    Nil,
    /// Finished without a result: the list of results has none of it.
    LeftOut,
    /// An encoded value and the handles in it.
    Value(&'a [u8]),
    /// An encoded error.
    Error(&'a [u8]),
}

// The state of an item: the lowest byte says what became of it, those above it how often it was tried in vain while it is pending.
const PENDING: u64 = 0;
const KIND_OF_STATE: u64 = 0xff;
const ONE_TRY: u64 = 0x100;
const INT: u64 = 1;
const FLOAT: u64 = 2;
const FALSE: u64 = 3;
const TRUE: u64 = 4;
const NIL: u64 = 5;
const VALUE: u64 = 6;
const ERROR: u64 = 7;
const LEFT_OUT: u64 = 8;

// Words of the block's head.
pub(super) const TOTAL: u64 = 0;
pub(super) const NEXT: u64 = 8;
/// What of it is still to be done: see [`stop`].
pub(super) const STOP: u64 = 16;
pub(super) const WORKERS: u64 = 24;
/// How many items failed.
const FAILURES: u64 = 32;
const FAILED: u64 = 40;
/// Where the order in which items were finished is written down; 0 when nobody asked for it.
pub(super) const ORDER: u64 = 48;
/// How many places of it are taken.
const ORDERED: u64 = 56;
/// What a failure means: 0 where it ends the job at once.
const FAILING: u64 = 64;
/// Failures are results like others, and the job goes on.
const COLLECTS: u64 = 1;
/// An item in front of one that failed may say `break`: then it has not failed.
const AWAITS: u64 = 2;
/// The records begin on a line of the cache of their own.
pub(super) const HEAD: u64 = 128;
/// The words of a worker's record, and one of the head that only claims know.
pub(super) mod words {
    pub const CLAIM_START: u64 = 0;
    pub const CLAIM_END: u64 = 8;
    /// The item that it is at, plus 1.
    pub const AT: u64 = 16;
    pub const SINCE: u64 = 24;
    pub const TASKS: u64 = 32;
    pub const BUSY: u64 = 40;
    /// The worker's process ([`crate::arena::SlotRef::to_bits`]), until its end has been looked after.
    pub const PROCESS: u64 = 48;
    /// When the worker was ready for its first item, its `init` included.
    pub const READY: u64 = 56;
    /// What it has given back of its claims: a range in one word.
    pub const RETURNED: u64 = 64;
    /// Of the head: not 0 while somebody waits for what others give back. Not in a line with what changes at each claim.
    pub const HUNGRY: u64 = 72;
    /// Of the head: not 0 from when on the end of each claim may be what the parent waits for. In the same line as the one above.
    pub const FOLLOWED: u64 = 80;
    /// How long the longest of its items took, in nanoseconds, and which that was, plus 1.
    pub const LONGEST: u64 = 80;
    pub const LONGEST_AT: u64 = 88;
}
use words::*;
/// What a worker printed last; in lines of the cache of its own.
const TAIL: u64 = 128;
pub(super) const RECORD: u64 = TAIL + tail::SIZE;
// Words of an item.
pub(super) const ITEM: u64 = 16;

/// A job of this process or of its parent.
#[derive(Clone)]
pub struct Job {
    hold: Hold,
}

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The item, if it is at one.
    pub item: Option<u64>,
    /// When it began with it, in nanoseconds of the monotonic clock.
    pub since: u64,
    /// Items finished.
    pub tasks: u64,
    /// Nanoseconds spent in items.
    pub busy: u64,
    /// When it was ready for its first item; 0 before.
    pub ready: u64,
    /// How long the longest of its items or tasks took, in nanoseconds.
    pub longest: u64,
    /// Which item that was.
    pub longest_item: Option<u64>,
}

static KIND: KindOps = KindOps {
    visit,
    destroy,
    bury,
};

/// Tells the arena about jobs.
pub(super) fn register() {
    arena::kinds::register(ObjectKind::Internal, &KIND);
    deadlock::register(ObjectKind::Internal, &WAIT);
}

static WAIT: WaitOps = WaitOps {
    noun: "pool map",
    keepers: deadlock::no_keepers,
    ready: |arena, object, _, operation, _| {
        let block = object.payload();
        if operation == Operation::Work {
            return claims::is_rest_over(arena, block);
        }
        counted(arena, block) >= arena.get_word(block + TOTAL)
            || arena.get_word(block + FAILED) != 0 && arena.get_word(block + FAILING) == 0
            || stop::is_broken_off(arena, block)
            || has_dead_worker(arena, block)
    },
    // Without any other holder its parent is about to make another worker.
    enders: |arena, _, id, _, waiter| {
        let mut others = arena.live_processes().filter(|&process| process != waiter);
        match others.any(|process| arena.holds(process, id)) {
            true => Enders::Holders,
            false => Enders::Outside,
        }
    },
};

fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    let block = object.payload();
    if block == 0 {
        return;
    }
    visitor.block(block);
    for item in 0..arena.get_word(block + TOTAL) {
        let at = item_at(arena, block, item);
        if matches!(arena.get_word(at), VALUE | ERROR) {
            arena.visit_message(arena.get_word(at + 8), visitor);
        }
    }
}

fn destroy(arena: &Arena, object: &Object) {
    let block = object.payload();
    if block == 0 {
        return;
    }
    for item in 0..arena.get_word(block + TOTAL) {
        let at = item_at(arena, block, item);
        if matches!(arena.get_word(at), VALUE | ERROR) {
            arena.free(arena.get_word(at + 8));
        }
    }
    object.set_payload(0);
    arena.free(block);
}

/// The parent looks at its dead workers' claims itself: it has to know how they died. It only has to wake up.
fn bury(_: &Arena, object: &Object, _: HandleId, _: SlotRef) {
    object.events[0].notify_all();
}

/// The words of an item for a result that needs no memory of its own.
pub(super) fn state_of(produced: Produced<'_>) -> Option<(u64, u64)> {
    Some(match produced {
        Produced::Int(i) => (INT, i as u64),
        Produced::Float(f) => (FLOAT, f.to_bits()),
        Produced::Bool(false) => (FALSE, 0),
        Produced::Bool(true) => (TRUE, 0),
        Produced::Nil => (NIL, 0),
        Produced::LeftOut => (LEFT_OUT, 0),
        Produced::Pending | Produced::Value(_) | Produced::Error(_) => return None,
    })
}

fn item_at(arena: &Arena, block: Offset, item: u64) -> Offset {
    block + HEAD + arena.get_word(block + WORKERS) * RECORD + item * ITEM
}

/// What became of an item of the job in a block.
pub(super) fn read_result(arena: &Arena, block: Offset, item: u64) -> Produced<'_> {
    if item >= arena.get_word(block + TOTAL) {
        return Produced::Pending;
    }
    let at = item_at(arena, block, item);
    let state = arena.word_at(at).load(Ordering::Acquire);
    let payload = arena.get_word(at + 8);
    match state {
        INT => Produced::Int(payload as i64),
        FLOAT => Produced::Float(f64::from_bits(payload)),
        FALSE => Produced::Bool(false),
        TRUE => Produced::Bool(true),
        NIL => Produced::Nil,
        LEFT_OUT => Produced::LeftOut,
        VALUE => Produced::Value(arena.message_bytes(payload)),
        ERROR => Produced::Error(arena.message_bytes(payload)),
        _ => Produced::Pending,
    }
}

/// Whether a worker has ended and its parent has not looked after it yet.
fn has_dead_worker(arena: &Arena, block: Offset) -> bool {
    let workers = arena.get_word(block + WORKERS);
    (0..workers).any(|worker| {
        let bits = arena.get_word(block + HEAD + worker * RECORD + PROCESS);
        SlotRef::from_bits(bits).is_some_and(|process| !arena.is_alive(process))
    })
}

/// The sum of what the workers have counted. Each counts in its own cache line: one counter for all cost more than the items.
fn counted(arena: &Arena, block: Offset) -> u64 {
    let workers = arena.get_word(block + WORKERS);
    (0..workers)
        .map(|worker| {
            arena
                .word_at(block + HEAD + worker * RECORD + TASKS)
                .load(Ordering::Acquire)
        })
        .sum()
}

impl Job {
    /// A job of `total` items for up to `workers` workers. When not `ordered`, it notes the order in which items finish.
    pub fn new(total: u64, workers: u64, ordered: bool, collects: bool) -> Result<Job> {
        crate::process::start()?;
        let order = HEAD + workers * RECORD + total * ITEM;
        let size = if ordered { order } else { order + total * 8 };
        let hold = arena::when_full(|| {
            Hold::create(
                ObjectKind::Internal,
                |arena: &Arena, object: &Object| -> std::result::Result<(), Full> {
                    let block = arena.alloc_zeroed(size)?;
                    arena.put_word(block + TOTAL, total);
                    arena.put_word(block + WORKERS, workers);
                    arena.put_word(block + FAILING, if collects { COLLECTS } else { 0 });
                    arena.put_word(block + ORDER, if ordered { 0 } else { order });
                    object.set_payload(block);
                    arena.commit(block);
                    Ok(())
                },
            )
        })?;
        Ok(Job { hold })
    }

    /// An item that fails ends the job only when those in front of it are finished, for they may say `break`. To be called before it
    /// begins.
    pub fn await_breaks(&self) {
        self.word(FAILING).fetch_or(AWAITS, Ordering::Relaxed);
    }

    /// Whether a failure waits for the items in front of it.
    pub fn awaits_breaks(&self) -> bool {
        self.word(FAILING).load(Ordering::Relaxed) & AWAITS != 0
    }

    /// The job of a handle that came with a task.
    pub fn from_id(id: HandleId) -> Option<Job> {
        (id.kind == ObjectKind::Internal)
            .then(|| Hold::adopt(id))
            .flatten()
            .map(|hold| Job { hold })
    }

    /// Its handle: workers hold it.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// Its object, to wait at: event 0 tells of finished claims.
    pub fn object(&self) -> &'static Object {
        self.hold.object()
    }

    /// Where the words of the first item are.
    pub(super) fn first_item(&self) -> Offset {
        item_at(self.arena(), self.object().payload(), 0)
    }

    pub(super) fn arena(&self) -> &'static Arena {
        match arena::get() {
            Some(arena) => arena,
            None => unreachable!("a hold without an arena"),
        }
    }

    pub(super) fn word(&self, offset: u64) -> &'static AtomicU64 {
        self.arena().word_at(self.object().payload() + offset)
    }

    pub(super) fn record(&self, worker: u64, field: u64) -> &'static AtomicU64 {
        self.word(HEAD + worker.min(self.workers().saturating_sub(1)) * RECORD + field)
    }

    /// How many items.
    pub fn total(&self) -> u64 {
        self.word(TOTAL).load(Ordering::Relaxed)
    }

    pub(super) fn workers(&self) -> u64 {
        self.word(WORKERS).load(Ordering::Relaxed)
    }

    /// How many items are finished, failed ones included, as the workers count them. A worker counts when it has worked off
    /// a claim: one that died has not counted all (see [`Job::finished`]).
    pub fn done(&self) -> u64 {
        counted(self.arena(), self.object().payload())
    }

    /// How many items are finished, counted anew: exact, and as slow as the job is long.
    pub fn finished(&self) -> u64 {
        (0..self.total())
            .filter(|&item| self.result(item) != Produced::Pending)
            .count() as u64
    }

    /// The first item that was reported as failed.
    pub fn failed(&self) -> Option<u64> {
        self.word(FAILED).load(Ordering::Acquire).checked_sub(1)
    }

    /// What a worker is at.
    pub fn progress(&self, worker: u64) -> Progress {
        let read = |field| self.record(worker, field).load(Ordering::Acquire);
        Progress {
            item: read(AT).checked_sub(1),
            since: read(SINCE),
            tasks: read(TASKS),
            busy: read(BUSY),
            ready: read(READY),
            longest: read(LONGEST),
            longest_item: read(LONGEST_AT).checked_sub(1),
        }
    }

    /// Notes how long an item took, when that is the longest of a worker.
    pub fn note_length(&self, worker: u64, item: u64, length: u64) {
        let longest = self.record(worker, LONGEST);
        if length > longest.load(Ordering::Relaxed) {
            longest.store(length, Ordering::Relaxed);
            self.record(worker, LONGEST_AT)
                .store(item + 1, Ordering::Relaxed);
        }
    }

    /// Makes this process the given worker.
    pub fn begin_worker(&self, worker: u64) {
        let me = arena::me().to_bits();
        self.record(worker, READY).store(0, Ordering::Release);
        self.record(worker, PROCESS).store(me, Ordering::Release);
        tail::begin(self.arena(), self.tail_of(worker));
    }

    /// Says that a worker has run its `init` and begins to work.
    pub fn note_ready(&self, worker: u64) {
        self.record(worker, READY)
            .store(clock::now(), Ordering::Release);
    }

    pub(super) fn tail_of(&self, worker: u64) -> Offset {
        let worker = worker.min(self.workers().saturating_sub(1));
        self.object().payload() + HEAD + worker * RECORD + TAIL
    }

    /// What a worker printed last.
    pub fn last_words(&self, worker: u64) -> Option<String> {
        tail::read(self.arena(), self.tail_of(worker))
    }

    /// Where a worker was seen last.
    pub fn last_place(&self, worker: u64) -> Option<Span> {
        tail::last_place(self.arena(), self.tail_of(worker))
    }

    /// Lets go of the memory of a result that was decoded, when nobody else will ask for it and no worker is at it.
    pub fn forget_result(&self, item: u64) {
        if item >= self.total() {
            return;
        }
        let arena = self.arena();
        let at = item_at(arena, self.object().payload(), item);
        if matches!(arena.get_word(at), VALUE | ERROR) {
            let block = arena.get_word(at + 8);
            // Ours before it is let go: a death in between leaves it to the collector.
            arena.claim(block);
            arena.word_at(at).store(LEFT_OUT, Ordering::Release);
            arena.free(block);
        }
    }

    /// How often an item that is not finished was tried in vain.
    pub fn tries(&self, item: u64) -> u64 {
        let at = item_at(self.arena(), self.object().payload(), item);
        match item < self.total() && !self.is_finished(item) {
            true => self.arena().get_word(at) / ONE_TRY,
            false => 0,
        }
    }

    /// Counts a try of an item in vain; how many there are with it.
    pub fn note_try(&self, item: u64) -> u64 {
        if item >= self.total() || self.is_finished(item) {
            return 0;
        }
        let at = item_at(self.arena(), self.object().payload(), item);
        let before = self
            .arena()
            .word_at(at)
            .fetch_add(ONE_TRY, Ordering::AcqRel);
        before / ONE_TRY + 1
    }

    /// Whether an item is finished.
    pub fn is_finished(&self, item: u64) -> bool {
        self.result(item) != Produced::Pending
    }

    /// Items that were handed out so far: those from here on nobody has claimed.
    pub fn handed_out(&self) -> u64 {
        self.word(NEXT).load(Ordering::Acquire).min(self.total())
    }

    /// Notes the time at which a worker begins with an item that has a time-out.
    pub fn mark_time(&self, worker: u64) {
        self.record(worker, SINCE)
            .store(clock::now(), Ordering::Release);
    }

    /// What to wait for: finished claims, failures, dead workers.
    pub fn awaited(&self) -> Awaited<'static> {
        Awaited {
            id: self.id(),
            object: self.object(),
            side: 0,
        }
    }

    /// Stores what became of an item. An item that is finished already keeps its first result.
    pub fn finish(&self, item: u64, produced: Produced<'_>, handles: &[HandleId]) -> Result<()> {
        let arena = self.arena();
        let message = |bytes| arena::when_full(|| arena.write_message(bytes, handles));
        let (state, payload) = match produced {
            Produced::Value(bytes) => (VALUE, message(bytes)?),
            Produced::Error(bytes) => (ERROR, message(bytes)?),
            plain => match state_of(plain) {
                Some(found) => found,
                None => return Ok(()),
            },
        };
        let block = self.object().payload();
        let at = item_at(arena, block, item.min(self.total().saturating_sub(1)));
        self.store(arena, at, item, state, payload);
        Ok(())
    }

    pub(super) fn store(&self, arena: &Arena, at: Offset, item: u64, state: u64, payload: u64) {
        crash_point!("job: result written");
        let before = arena.word_at(at).load(Ordering::Acquire);
        // The payload of a finished item is not touched: it is in use. Nobody else finishes the same item at the same time, for it is in
        // one claim.
        let is_pending = before & KIND_OF_STATE == PENDING;
        if is_pending {
            arena.word_at(at + 8).store(payload, Ordering::Release);
            crash_point!("job: result placed");
            arena.word_at(at).store(state, Ordering::Release);
        }
        if matches!(state, VALUE | ERROR) {
            match is_pending {
                true => arena.commit(payload),
                false => arena.free(payload),
            }
        }
        if !is_pending {
            return;
        }
        crash_point!("job: result stored");
        self.note_order(item);
        if state == ERROR {
            self.word(FAILURES).fetch_add(1, Ordering::Relaxed);
        }
        if state == ERROR && !self.is_behind_break(item) {
            let _ = self.word(FAILED).compare_exchange(
                0,
                item + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            self.object().events[0].notify_all();
        }
    }

    /// Takes note that an item is finished now, where somebody asked for the order.
    fn note_order(&self, item: u64) {
        let order = self.word(ORDER).load(Ordering::Relaxed);
        if order != 0 {
            let place = self.word(ORDERED).fetch_add(1, Ordering::Relaxed);
            if place < self.total() {
                self.word(order + place * 8)
                    .store(item + 1, Ordering::Release);
            }
        }
    }

    /// The items in the order of their results: as they were finished where that was noted, else as they stand.
    pub fn order(&self) -> Vec<u64> {
        let (order, total) = (self.word(ORDER).load(Ordering::Relaxed), self.total());
        if order == 0 {
            return (0..total).collect();
        }
        let mut seen = vec![false; total as usize];
        let noted = (0..total)
            .filter_map(|place| {
                let item = self.word(order + place * 8).load(Ordering::Acquire);
                item.checked_sub(1)
            })
            .filter(|&item| {
                let seen = seen.get_mut(item as usize);
                seen.is_some_and(|seen| !std::mem::replace(seen, true))
            });
        let mut items: Vec<u64> = noted.collect();
        // A worker that died between its result and this note left an item out.
        items.extend((0..total).filter(|&item| seen.get(item as usize) == Some(&false)));
        items
    }

    /// How many items failed.
    pub fn failures(&self) -> u64 {
        self.word(FAILURES).load(Ordering::Relaxed)
    }

    /// The first item from `from` on that is not finished; the number of items when all are.
    pub fn first_unfinished(&self, from: u64) -> u64 {
        (from..self.total())
            .find(|&item| !self.is_finished(item))
            .unwrap_or(self.total())
    }

    /// What became of an item.
    pub fn result(&self, item: u64) -> Produced<'static> {
        read_result(self.arena(), self.object().payload(), item)
    }

    /// All results, when they are all ints and stand in order: one pass over the table.
    pub fn all_ints(&self) -> Option<Vec<i64>> {
        if self.word(ORDER).load(Ordering::Relaxed) != 0 {
            return None;
        }
        let (arena, block) = (self.arena(), self.object().payload());
        let first = item_at(arena, block, 0);
        (0..self.total())
            .map(|item| {
                let at = first + item * ITEM;
                let is_int = arena.word_at(at).load(Ordering::Acquire) == INT;
                is_int.then(|| arena.get_word(at + 8) as i64)
            })
            .collect()
    }
}

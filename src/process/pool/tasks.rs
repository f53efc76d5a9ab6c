//! The tasks of a pool: a ring of futures that nobody has taken yet, and for each worker the one it is at.
//!
//! Everything happens under the object's robust mutex. A worker notes the future in its record before it moves the head
//! of the ring, so after a death the two together say whether the task was taken.

use super::future::{self, Burial, Dead, Future, State};
use super::job::Progress;
use super::owner::{self, Limits};
use super::{tail, untold};
use crate::arena::kinds::{self, KindOps, Visitor};
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, Offset, SlotRef};
use crate::crash_point;
use crate::diag::Result;
use crate::os::clock;
use crate::process::Process;
use crate::process::deadlock::{self, Enders, WaitOps};
use crate::process::wait::{self, Awaited, Operation};
use crate::source::Span;
use std::sync::atomic::Ordering;

// Cells of the object. Its payload is the ring.
pub(super) const HEAD: usize = 0;
pub(super) const TAIL_OF_RING: usize = 1;
const CLOSED: usize = 2;
const RECORDS: usize = 3;
const WORKERS: usize = 4;
/// A block with who made it, and who maps over it.
const DETAILS: usize = 5;

// Words of a worker's record.
pub(super) const PROCESS: u64 = 0;
pub(super) const CURRENT: u64 = 8;
pub(super) const TASKS: u64 = 16;
/// Nanoseconds spent in tasks.
const BUSY: u64 = 24;
/// When the worker was ready for its first task, its `init` included.
pub(super) const READY: u64 = 32;
/// Which item of its task it is at.
const AT: u64 = 40;
/// Not 0 once the worker's task was cancelled: it takes no other.
pub(super) const DOOMED: u64 = 48;
/// In [`DOOMED`]: it leaves by itself.
pub(super) const LEAVING: u64 = 2;
/// When it began with its task.
const SINCE: u64 = 56;
/// Not 0 once it has died with a task in its hands that it had not begun.
pub(super) const BARREN: u64 = 64;
/// How long the longest of its items and single tasks took, in nanoseconds, and which item of a map that was, plus 1.
const LONGEST: u64 = 72;
const LONGEST_AT: u64 = 80;
/// What it printed last.
const TAIL: u64 = 88;
const RECORD: u64 = TAIL + tail::SIZE;

/// Workers that a pool has records for at least: as far as it can grow.
const LEAST_ROOM: u64 = 64;

/// Entries of a new ring; it doubles when it is full.
const FIRST_RING: u64 = 64;

/// How far a pool is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[repr(u64)]
pub enum Closing {
    /// Takes tasks.
    Open = 0,
    /// Takes no more; what was handed in is worked off.
    Closed = 1,
    /// Everything is given up.
    Terminated = 2,
}

/// The tasks of a pool, as a process holds them.
#[derive(Clone)]
pub struct Tasks {
    hold: Hold,
}

/// What a worker finds when it looks for a task.
pub enum Found {
    /// A task; the worker's record names it.
    Task(Future),
    /// Nothing yet.
    Nothing,
    /// There will never be one again.
    End,
}

static KIND: KindOps = KindOps {
    visit,
    destroy,
    bury,
};

pub(super) fn register() {
    kinds::register(ObjectKind::Pool, &KIND);
    deadlock::register(ObjectKind::Pool, &WAIT);
}

/// A worker's wait for work ends with a task, with the pool, or when there are to be fewer workers. Who waits for results
/// goes on when all is done, or when a worker is missing that must be replaced; finished futures speak for themselves.
fn ready(
    arena: &Arena,
    object: &Object,
    _: HandleId,
    operation: Operation,
    waiter: SlotRef,
) -> bool {
    let queued = cell(object, HEAD) < cell(object, TAIL_OF_RING);
    let records = cell(object, RECORDS);
    let read = |worker: u64, field: u64| arena.get_word(records + worker * RECORD + field);
    if operation == Operation::Work {
        let spare = cell(object, WORKERS)..room_of(arena, object);
        let mut spare = spare.map(|worker| read(worker, PROCESS));
        let over = match cell(object, CLOSED) {
            0 => false,
            1 => !owner::has_maps(arena, object),
            _ => true,
        };
        return queued || over || spare.any(|bits| owner::same_process(bits, waiter));
    }
    let mut workers = 0..cell(object, WORKERS);
    let missing = workers.clone().any(|worker| read(worker, PROCESS) == 0);
    let idle = !queued && workers.all(|worker| read(worker, CURRENT) == 0);
    let open = cell(object, CLOSED) == Closing::Open as u64
        || cell(object, CLOSED) == Closing::Closed as u64 && owner::has_maps(arena, object);
    // A seat that is empty because there was little to do is nobody's trouble.
    let missing = missing && (queued || !owner::has_idle(arena, object));
    !open && idle || missing && (open || queued)
}

/// How many workers the pool has records for.
pub(super) fn room_of(arena: &Arena, object: &Object) -> u64 {
    arena.capacity(cell(object, RECORDS)) / RECORD
}

static WAIT: WaitOps = WaitOps {
    noun: "pool",
    keepers: deadlock::no_keepers,
    ready,
    enders: |_, _, _, _, _| Enders::Holders,
};

pub(super) fn cell(object: &Object, index: usize) -> u64 {
    object.cells[index].load(Ordering::Acquire)
}

/// The block with who made it, and who maps over it.
pub(super) fn details(object: &Object) -> Offset {
    cell(object, DETAILS)
}

/// Where its failed tasks are listed that nobody has asked for; 0 while there is no such place.
pub(super) fn untold(object: &Object) -> Offset {
    match details(object) {
        0 => 0,
        block => block + owner::UNTOLD,
    }
}

/// Takes every task out of the ring. Under the object's mutex.
pub(super) fn drain(arena: &Arena, object: &Object, mut each: impl FnMut(&Object)) {
    for position in cell(object, HEAD)..cell(object, TAIL_OF_RING) {
        let bits = arena.get_word(ring_at(arena, object, position));
        if let Some(task) = HandleId::from_bits(bits).and_then(|id| arena.object(id)) {
            each(task);
        }
    }
    object.cells[HEAD].store(cell(object, TAIL_OF_RING), Ordering::Release);
}

/// Goes through the tasks that workers are at. Under the object's mutex.
pub(super) fn each_current(arena: &Arena, object: &Object, mut each: impl FnMut(&Object)) {
    let records = cell(object, RECORDS);
    for worker in 0..room_of(arena, object) {
        let bits = arena.get_word(records + worker * RECORD + CURRENT);
        if let Some(task) = HandleId::from_bits(bits).and_then(|id| arena.object(id)) {
            each(task);
        }
    }
}

fn ring_at(arena: &Arena, object: &Object, position: u64) -> Offset {
    let ring = object.payload();
    let room = (arena.capacity(ring) / 8).max(1);
    ring + position % room * 8
}

fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    let _guard = object.lock();
    owner::visit(arena, details(object), visitor);
    if object.payload() != 0 {
        visitor.block(object.payload());
        for position in cell(object, HEAD)..cell(object, TAIL_OF_RING) {
            let bits = arena.get_word(ring_at(arena, object, position));
            if let Some(id) = HandleId::from_bits(bits) {
                visitor.handle(id);
            }
        }
    }
    let records = cell(object, RECORDS);
    if records != 0 {
        visitor.block(records);
        for worker in 0..room_of(arena, object) {
            if let Some(id) =
                HandleId::from_bits(arena.get_word(records + worker * RECORD + CURRENT))
            {
                visitor.handle(id);
            }
        }
    }
}

fn destroy(arena: &Arena, object: &Object) {
    kinds::destroy_payload(arena, object);
    for cell in [RECORDS, DETAILS] {
        let block = object.cells[cell].swap(0, Ordering::AcqRel);
        if block != 0 {
            arena.free(block);
        }
    }
}

/// A worker that died gives its task back, or fails it.
fn bury(arena: &Arena, object: &Object, _: HandleId, dead: SlotRef) {
    let _guard = object.lock();
    let records = cell(object, RECORDS);
    for worker in 0..room_of(arena, object) {
        let record = records + worker * RECORD;
        if !owner::same_process(arena.get_word(record + PROCESS), dead) {
            continue;
        }
        let bits = arena.get_word(record + CURRENT);
        let head = cell(object, HEAD);
        let untaken = head < cell(object, TAIL_OF_RING)
            && arena.get_word(ring_at(arena, object, head)) == bits;
        let task = HandleId::from_bits(bits).and_then(|id| arena.object(id));
        let barren = task.is_some_and(|task| untaken || future::is_waiting(task));
        arena.put_word(record + BARREN, u64::from(barren));
        if let Some(task) = task.filter(|_| !untaken) {
            let dead = Dead {
                process: arena.slot(dead.index).process.load(Ordering::Acquire),
                at: arena.get_word(record + AT),
                tail: record + TAIL,
            };
            match future::worker_died(arena, task, &dead) {
                Burial::Again => push_front(arena, object, bits),
                Burial::Failed => untold::add(arena, object, bits),
                Burial::Finished => {}
            }
        }
        crash_point!("pool: task of the dead given back");
        arena.put_word(record + CURRENT, 0);
        arena.put_word(record + PROCESS, 0);
    }
    owner::bury(arena, object, dead);
    object.events[0].notify_all();
    object.events[1].notify_all();
}

fn push_front(arena: &Arena, object: &Object, bits: u64) {
    let (head, tail) = (cell(object, HEAD), cell(object, TAIL_OF_RING));
    let room = arena.capacity(object.payload()) / 8;
    if head > 0 && tail - head < room {
        arena.put_word(ring_at(arena, object, head - 1), bits);
        object.cells[HEAD].store(head - 1, Ordering::Release);
    } else if tail - head < room {
        arena.put_word(ring_at(arena, object, tail), bits);
        object.cells[TAIL_OF_RING].store(tail + 1, Ordering::Release);
    }
}

/// The process of a slot, while it is known.
pub(super) fn process_of(arena: &Arena, slot: SlotRef) -> Option<Process> {
    let bits = arena.slot(slot.index).process.load(Ordering::Acquire);
    let process = HandleId::from_bits(bits).and_then(Process::from_id)?;
    arena.is_alive(slot).then_some(process)
}

impl Tasks {
    /// An empty ring for `workers` workers.
    pub fn new(workers: u64, limits: Limits) -> Result<Tasks> {
        crate::process::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Pool, |arena, object| {
                let ring = arena.alloc_zeroed(FIRST_RING * 8)?;
                object.set_payload(ring);
                arena.commit(ring);
                let records = arena.alloc_zeroed(workers.max(LEAST_ROOM) * RECORD)?;
                object.cells[RECORDS].store(records, Ordering::Release);
                arena.commit(records);
                object.cells[WORKERS].store(workers, Ordering::Release);
                let details = owner::create(arena, limits)?;
                object.cells[DETAILS].store(details, Ordering::Release);
                arena.commit(details);
                Ok(())
            })
        })?;
        Ok(Tasks { hold })
    }

    /// The tasks of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Tasks> {
        (id.kind == ObjectKind::Pool)
            .then(|| Hold::adopt(id))
            .flatten()
            .map(|hold| Tasks { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// Its object, to wait at: event 0 tells of tasks, event 1 of finished ones and of dead workers.
    pub fn object(&self) -> &'static Object {
        self.hold.object()
    }

    /// What to wait for: side 0 for tasks, side 1 for finished ones and dead workers.
    pub fn awaited(&self, side: usize) -> Awaited<'static> {
        Awaited {
            id: self.id(),
            object: self.object(),
            side,
        }
    }

    /// Gives up all tasks, those that no worker has taken and those that workers are at: this process, at a place,
    /// terminates the pool.
    pub fn cancel_all(&self, place: Option<Span>) {
        let (Some(arena), object) = (arena::get(), self.object()) else {
            return;
        };
        let guard = object.lock();
        let current = (0..room_of(arena, object)).map(|worker| self.read(worker, CURRENT));
        let tasks: Vec<u64> = (cell(object, HEAD)..cell(object, TAIL_OF_RING))
            .map(|position| arena.get_word(ring_at(arena, object, position)))
            .chain(current)
            .collect();
        object.cells[HEAD].store(cell(object, TAIL_OF_RING), Ordering::Release);
        drop(guard);
        for task in tasks.into_iter().filter_map(HandleId::from_bits) {
            if let Some(task) = arena.object(task) {
                future::terminate(arena, task, place);
            }
        }
    }

    /// Gives up the tasks that no worker has taken: this process, at a place, closes the pool.
    pub fn cancel_waiting(&self, place: Option<Span>) {
        let (Some(arena), object) = (arena::get(), self.object()) else {
            return;
        };
        let _guard = object.lock();
        drain(arena, object, |task| future::close(arena, task, place));
    }

    /// How many workers it is to have.
    pub fn workers(&self) -> u64 {
        cell(self.object(), WORKERS)
    }

    /// The most workers that it can have.
    pub fn room(&self) -> u64 {
        arena::get().map_or(0, |arena| room_of(arena, self.object()))
    }

    /// Lets it have so many workers from now on. Those that are too many leave when they have finished their tasks; new
    /// ones come when its owner looks after it.
    pub fn resize(&self, workers: u64) {
        let object = self.object();
        object.cells[WORKERS].store(workers.clamp(1, self.room()), Ordering::Release);
        object.events[0].notify_all();
        object.events[1].notify_all();
    }

    /// What a worker is at, and what it has done.
    pub fn progress(&self, worker: u64) -> Progress {
        let current = self.read(worker, CURRENT) != 0;
        Progress {
            item: current.then(|| self.read(worker, AT)),
            since: self.read(worker, SINCE),
            tasks: self.read(worker, TASKS),
            busy: self.read(worker, BUSY),
            ready: self.read(worker, READY),
            longest: self.read(worker, LONGEST),
            longest_item: self.read(worker, LONGEST_AT).checked_sub(1),
        }
    }

    /// Notes how long an item of a map took that was begun at a time; when it ended.
    pub fn note_item_end(&self, worker: u64, item: u64, began: u64) -> u64 {
        let now = clock::now();
        self.note_length(worker, Some(item), now.saturating_sub(began));
        now
    }

    /// Notes how long an item of a map took, or a task that is none, when that is the longest of a worker.
    pub fn note_length(&self, worker: u64, item: Option<u64>, length: u64) {
        if length > self.read(worker, LONGEST) {
            self.record(worker, LONGEST, length);
            self.record(worker, LONGEST_AT, item.map_or(0, |item| item + 1));
        }
    }

    /// How far it is closed.
    pub fn closing(&self) -> Closing {
        match cell(self.object(), CLOSED) {
            0 => Closing::Open,
            1 => Closing::Closed,
            _ => Closing::Terminated,
        }
    }

    /// Closes it (further than it is).
    pub fn close(&self, how: Closing) {
        let object = self.object();
        object.cells[CLOSED].fetch_max(how as u64, Ordering::AcqRel);
        object.events[0].notify_all();
        object.events[1].notify_all();
    }

    /// Hands a task in. `goes_on`: it is part of a map that was begun.
    pub fn submit(&self, task: &Future, goes_on: bool) -> Result<()> {
        let arena = arena::ensure()?;
        let most = if goes_on {
            Closing::Closed
        } else {
            Closing::Open
        };
        if !arena::when_full(|| self.push(arena, task.id().to_bits(), most))? {
            return self.check_open();
        }
        if !self.attended().is_some_and(wait::is_attended) {
            self.object().events[0].notify(1);
        }
        Ok(())
    }

    /// False when it has been closed further than `most` meanwhile: whoever does that has given up what was in the ring.
    fn push(&self, arena: &Arena, bits: u64, most: Closing) -> std::result::Result<bool, Full> {
        let object = self.object();
        let _guard = object.lock();
        if cell(object, CLOSED) > most as u64 {
            return Ok(false);
        }
        let (head, tail) = (cell(object, HEAD), cell(object, TAIL_OF_RING));
        let room = || arena.capacity(object.payload()) / 8;
        // Each worker that dies may have to give back what it has taken, and nothing can grow then.
        while tail - head + room_of(arena, object) >= room() {
            self.grow(arena, head, tail, room())?;
        }
        arena.put_word(ring_at(arena, object, tail), bits);
        crash_point!("pool: task written");
        object.cells[TAIL_OF_RING].store(tail + 1, Ordering::Release);
        Ok(true)
    }

    /// A ring of twice the room; positions keep their numbers, so only the block is new.
    fn grow(
        &self,
        arena: &Arena,
        head: u64,
        tail: u64,
        room: u64,
    ) -> std::result::Result<(), Full> {
        let object = self.object();
        let (old, new) = (object.payload(), arena.alloc_zeroed(room * 16)?);
        let new_room = arena.capacity(new) / 8;
        for position in head..tail {
            let bits = arena.get_word(old + position % room * 8);
            arena.put_word(new + position % new_room * 8, bits);
        }
        crash_point!("pool: ring copied");
        arena.claim(old);
        object.set_payload(new);
        arena.commit(new);
        arena.free(old);
        Ok(())
    }

    /// Makes this process the given worker.
    pub fn begin_worker(&self, worker: u64) {
        self.record(worker, READY, 0);
        self.record(worker, DOOMED, 0);
        self.record(worker, BARREN, 0);
        self.record(worker, PROCESS, arena::me().to_bits());
        if let Some(arena) = arena::get() {
            let record = cell(self.object(), RECORDS) + worker * RECORD;
            tail::begin(arena, record + TAIL);
        }
    }

    /// Says that a worker has run its `init` and begins to work.
    pub fn note_ready(&self, worker: u64) {
        self.record(worker, READY, clock::now());
    }

    /// Says which item of its task a worker is at.
    pub fn note_item(&self, worker: u64, at: u64) {
        self.record(worker, AT, at);
        if let Some(arena) = arena::get() {
            tail::forget_place(arena, cell(self.object(), RECORDS) + worker * RECORD + TAIL);
        }
    }

    pub(super) fn record(&self, worker: u64, field: u64, value: u64) {
        if let Some(arena) = arena::get() {
            let worker = worker.min(room_of(arena, self.object()).saturating_sub(1));
            arena.put_word(
                cell(self.object(), RECORDS) + worker * RECORD + field,
                value,
            );
        }
    }

    pub(super) fn read(&self, worker: u64, field: u64) -> u64 {
        arena::get().map_or(0, |arena| {
            arena.get_word(cell(self.object(), RECORDS) + worker * RECORD + field)
        })
    }

    /// The next task for a worker; `knows` says whether it knows so many functions and structs of the program.
    pub fn take(&self, worker: u64, knows: impl Fn([u32; 2]) -> bool) -> Found {
        let (Some(arena), object) = (arena::get(), self.object()) else {
            return Found::End;
        };
        let closing = self.closing();
        if closing == Closing::Terminated {
            return Found::End;
        }
        loop {
            let guard = object.lock();
            let is_outdated = !knows(self.needed_code(arena));
            if self.read(worker, DOOMED) != 0 || worker >= self.workers() || is_outdated {
                return Found::End;
            }
            let head = cell(object, HEAD);
            if head >= cell(object, TAIL_OF_RING) {
                return if closing == Closing::Open || owner::has_maps(arena, object) {
                    Found::Nothing
                } else {
                    Found::End
                };
            }
            let bits = arena.get_word(ring_at(arena, object, head));
            self.record(worker, CURRENT, bits);
            crash_point!("pool: task noted");
            object.cells[HEAD].store(head + 1, Ordering::Release);
            crash_point!("pool: task taken");
            drop(guard);
            let future = HandleId::from_bits(bits).and_then(Future::from_id);
            self.record(worker, AT, 0);
            if let Some(future) = future
                && future.step(State::Waiting, State::Running)
            {
                self.record(worker, SINCE, clock::now());
                return Found::Task(future);
            }
            // Cancelled before anybody took it.
            self.record(worker, CURRENT, 0);
        }
    }

    /// Counts a task of so many calls that a worker has worked off, before its future says so.
    pub fn count_task(&self, worker: u64, calls: u64) {
        let now = clock::now();
        let busy = now.saturating_sub(self.read(worker, SINCE));
        // First: whoever looks in between adds the time since then to what is counted, and would count the task twice.
        self.record(worker, SINCE, now);
        self.record(worker, BUSY, self.read(worker, BUSY) + busy);
        self.record(worker, TASKS, self.read(worker, TASKS) + calls);
    }

    /// Says that a worker is done with its task.
    pub fn end_task(&self, worker: u64) {
        self.record(worker, CURRENT, 0);
        self.object().events[1].notify_all();
    }

    /// Tasks that no worker has taken.
    pub fn waiting(&self) -> u64 {
        let object = self.object();
        let _guard = object.lock();
        cell(object, TAIL_OF_RING).saturating_sub(cell(object, HEAD))
    }

    /// Tasks that wait and tasks that are worked on.
    pub fn outstanding(&self) -> u64 {
        let object = self.object();
        let _guard = object.lock();
        let waiting = cell(object, TAIL_OF_RING).saturating_sub(cell(object, HEAD));
        let running = (0..self.room())
            .filter(|&worker| self.read(worker, CURRENT) != 0)
            .count();
        waiting + running as u64
    }
}

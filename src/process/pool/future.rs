//! A future: one task of a pool, and in time what became of it.

use super::tasks::Tasks;
use super::untold::standing;
use super::{owner, tail};
use crate::arena::kinds::{self, KindOps, Visitor};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, Offset, SlotRef};
use crate::crash_point;
use crate::diag::Result;
use crate::os::{clock, fork};
use crate::process::deadlock::{self, Enders, WaitOps};
use crate::process::wait::Awaited;
use crate::process::{Process, place, signals, tenders};
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Where a task stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum State {
    /// Not taken by a worker yet.
    Waiting = 0,
    /// A worker is at it.
    Running = 1,
    /// Finished; the result is an encoded value.
    Value = 2,
    /// Finished; the result is an encoded error.
    Error = 3,
    /// Given up; when a worker was at it, that was ended.
    Cancelled = 4,
    /// Its worker died.
    Died = 5,
}

impl State {
    fn from_number(number: u64) -> State {
        match number {
            1 => State::Running,
            2 => State::Value,
            3 => State::Error,
            4 => State::Cancelled,
            5 => State::Died,
            _ => State::Waiting,
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Waiting | State::Running)
    }
}

// Cells of the object.
const STATE: usize = 0;
const RESULT: usize = 1;
const TASK: usize = 2;
/// How often a worker died at it (low half), and how often it may be tried again (high half).
const DEATHS: usize = 3;
/// The process of the worker that died at it last ([`HandleId::to_bits`]).
const DEAD: usize = 4;
/// A block with what is asked for rarely.
const DETAILS: usize = 5;

// Words of that block.
/// The pool that it was handed to; a name only, which does not keep the pool.
const POOL: u64 = 0;
/// Which of its items the worker that died last was at.
const AT: u64 = 8;
/// Seconds that each of its calls may take (a float's bits), 0 for no limit.
const LIMIT: u64 = 16;
/// The process that terminated the pool meanwhile, or closed it and gave up what waited ([`HandleId::to_bits`]), and where.
const BY: u64 = 24;
const WHERE: u64 = 32;
/// How it stands with telling of its failure ([`standing`]), and where it was handed in.
const TOLD: u64 = 40;
const FROM: u64 = 48;
/// A process that reads a source while it waits for the end of the task ([`SlotRef::to_bits`]), or 0.
const READER: u64 = 56;
/// What it comes to with the result that is attached (a [`State`]).
const OUTCOME: u64 = 64;
/// Not 0 when the pool was closed rather than terminated.
const CLOSED: u64 = 72;
/// When it was handed in (monotonic nanoseconds), where its failure is to be told of.
const SINCE: u64 = 80;
/// What that worker had printed last.
const TAIL: u64 = 88;
/// In [`AT`]: not a worker died, but the process that had made the pool.
const OWNER: u64 = u64::MAX;
const DETAILS_SIZE: u64 = TAIL + tail::SIZE;

/// A future that this process holds.
#[derive(Clone)]
pub struct Future {
    hold: Hold,
}

/// How a task was given up with its pool.
pub struct GivenUp {
    /// Who did it.
    pub by: Process,
    /// Where.
    pub place: Option<Span>,
    /// The pool was closed and what waited was given up; else it was terminated.
    pub closed: bool,
}

/// On which terms a task is handed in.
#[derive(Clone, Copy, Default, Debug)]
pub struct Terms {
    /// How often it is tried again when its worker dies.
    pub retries: u64,
    /// Seconds that each of its calls may take.
    pub limit: Option<f64>,
    /// The place that hands it in, when its failure is to be told of if nobody asks for it.
    pub from: Option<Span>,
}

static KIND: KindOps = KindOps {
    visit,
    destroy,
    bury: kinds::bury_nothing,
};

pub(super) fn register() {
    kinds::register(ObjectKind::Future, &KIND);
    deadlock::register(ObjectKind::Future, &WAIT);
}

static WAIT: WaitOps = WaitOps {
    noun: "future",
    keepers: deadlock::no_keepers,
    ready: |_, object, _, _, _| state_of(object).is_final(),
    // The worker that is at it holds it; before, it lies in the ring of the pool, which all its workers hold.
    enders: |_, _, _, _, _| Enders::Holders,
};

fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    if details != 0 {
        visitor.block(details);
        if let Some(by) = HandleId::from_bits(arena.get_word(details + BY)) {
            visitor.handle(by);
        }
    }
    let dead = object.cells[DEAD].load(Ordering::Acquire);
    if let Some(process) = HandleId::from_bits(dead) {
        visitor.handle(process);
    }
    for cell in [RESULT, TASK] {
        let block = object.cells[cell].load(Ordering::Acquire);
        if block != 0 {
            arena.visit_message(block, visitor);
        }
    }
}

fn destroy(arena: &Arena, object: &Object) {
    for cell in [RESULT, TASK, DETAILS] {
        let block = object.cells[cell].swap(0, Ordering::AcqRel);
        if block != 0 {
            arena.free(block);
        }
    }
}

impl Future {
    /// A future of a task that is encoded already, for a pool.
    pub fn new(pool: HandleId, task: &[u8], handles: &[HandleId], terms: &Terms) -> Result<Future> {
        crate::process::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Future, |arena, object| {
                let block = arena.write_message(task, handles)?;
                object.cells[TASK].store(block, Ordering::Release);
                arena.commit(block);
                let details = arena.alloc(DETAILS_SIZE)?;
                arena.put_word(details + POOL, pool.to_bits());
                arena.put_word(details + AT, 0);
                arena.put_word(details + LIMIT, terms.limit.unwrap_or(0.0).to_bits());
                arena.put_word(details + BY, 0);
                arena.put_word(details + WHERE, 0);
                arena.put_word(details + TOLD, u64::from(terms.from.is_some()));
                arena.put_word(details + FROM, place::pack_start(terms.from));
                let since = terms.from.map_or(0, |_| clock::now());
                arena.put_word(details + SINCE, since);
                arena.put_word(details + READER, 0);
                arena.put_word(details + OUTCOME, 0);
                arena.put_word(details + CLOSED, 0);
                tail::empty(arena, details + TAIL);
                object.cells[DETAILS].store(details, Ordering::Release);
                arena.commit(details);
                let retries = terms.retries.min(u64::from(u32::MAX));
                object.cells[DEATHS].store(retries << 32, Ordering::Release);
                Ok(())
            })
        })?;
        Ok(Future { hold })
    }

    /// The future of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Future> {
        (id.kind == ObjectKind::Future)
            .then(|| Hold::adopt(id))
            .flatten()
            .map(|hold| Future { hold })
    }

    /// Its handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    fn object(&self) -> &'static Object {
        self.hold.object()
    }

    /// What to wait for: its end.
    pub fn awaited(&self) -> Awaited<'static> {
        Awaited {
            id: self.id(),
            object: self.object(),
            side: 0,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        state_of(self.object())
    }

    /// The encoded task.
    pub fn task(&self) -> &'static [u8] {
        self.message(TASK)
    }

    /// The encoded value or error, once it is finished.
    pub fn result(&self) -> &'static [u8] {
        self.message(RESULT)
    }

    fn message(&self, cell: usize) -> &'static [u8] {
        let block = self.object().cells[cell].load(Ordering::Acquire);
        let arena = arena::get().filter(|_| block != 0);
        arena.map_or(&[], |arena| arena.message_bytes(block))
    }

    /// The worker that died at it last, while anybody knows of it.
    pub fn died_with(&self) -> Option<Process> {
        let bits = self.object().cells[DEAD].load(Ordering::Acquire);
        HandleId::from_bits(bits).and_then(Process::from_id)
    }

    /// What is told of it when not a worker died but the process that had made its pool.
    pub fn orphaned(&self, expected: &str) -> Option<String> {
        let dead = self.object().cells[DEAD].load(Ordering::Acquire);
        (self.died_at() == OWNER).then(|| owner::orphaned(expected, dead))
    }

    /// Who gave it up with its pool, where and how.
    pub fn given_up_by(&self) -> Option<GivenUp> {
        let read = |arena: &Arena, details| {
            let by = HandleId::from_bits(arena.get_word(details + BY))?;
            let place = place::unpack_start(arena.get_word(details + WHERE));
            Some((by, place, arena.get_word(details + CLOSED) != 0))
        };
        let (by, place, closed) = self.detail(read).flatten()?;
        let by = Process::from_id(by)?;
        Some(GivenUp { by, place, closed })
    }

    /// Where it was handed in, when that is known.
    pub fn place(&self) -> Option<Span> {
        self.detail(|arena, details| place::unpack_start(arena.get_word(details + FROM)))
            .flatten()
    }

    /// When it was handed in (monotonic nanoseconds), where its failure is to be told of; else 0.
    pub fn since(&self) -> u64 {
        self.detail(|arena, details| arena.get_word(details + SINCE))
            .unwrap_or(0)
    }

    /// Notes that somebody has got its error, or that it was told: nobody else need be told.
    pub fn note_asked(&self) {
        let note = |arena: &Arena, details| {
            let word = arena.word_at(details + TOLD);
            let before = match word.load(Ordering::Acquire) {
                standing::SILENT | standing::ASKED => standing::ASKED,
                _ => word.swap(standing::ASKED, Ordering::AcqRel),
            };
            let pool = HandleId::from_bits(arena.get_word(details + POOL));
            (before == standing::COUNTED).then_some(pool).flatten()
        };
        if let Some(pool) = self.detail(note).flatten().and_then(Tasks::from_id) {
            pool.uncount();
        }
    }

    /// How often a worker died at it.
    pub fn deaths(&self) -> u64 {
        self.object().cells[DEATHS].load(Ordering::Acquire) & u64::from(u32::MAX)
    }

    /// Counts a try in vain of a worker that lives; how many there are with it.
    pub fn note_try(&self) -> u64 {
        let counts = self.object().cells[DEATHS].fetch_add(1, Ordering::AcqRel) + 1;
        counts & u64::from(u32::MAX)
    }

    /// Fails it because of the death that was noted last, though it may be tried again.
    pub fn fail_by_death(&self) {
        self.step(State::Running, State::Died);
        announce(self.object());
    }

    /// Which of its items the worker that died last was at.
    pub fn died_at(&self) -> u64 {
        self.detail(|arena, details| arena.get_word(details + AT))
            .unwrap_or(0)
    }

    /// Seconds that each of its calls may take.
    pub fn limit(&self) -> Option<f64> {
        self.detail(|arena, details| f64::from_bits(arena.get_word(details + LIMIT)))
            .filter(|&seconds| seconds > 0.0)
    }

    /// What the worker that died last had printed last.
    pub fn last_words(&self) -> Option<String> {
        self.detail(|arena, details| tail::read(arena, details + TAIL))
            .flatten()
    }

    /// Where the worker that died last was seen last.
    pub fn last_place(&self) -> Option<Span> {
        self.detail(|arena, details| tail::last_place(arena, details + TAIL))
            .flatten()
    }

    /// Lets go of what it came to, which this process has decoded: nobody else has its handle, or will ask for it.
    pub fn forget_result(&self) {
        if self.state().is_final()
            && let Some(arena) = arena::get()
        {
            free_cell(arena, self.object(), RESULT);
        }
    }

    fn detail<T>(&self, read: impl FnOnce(&Arena, Offset) -> T) -> Option<T> {
        let details = self.object().cells[DETAILS].load(Ordering::Acquire);
        (details != 0)
            .then(arena::get)
            .flatten()
            .map(|arena| read(arena, details))
    }

    /// Says whether this process is to be woken at its end, whatever it waits for then.
    pub fn wakes_reader(&self, wakes: bool) {
        let reader = if wakes { arena::me().to_bits() } else { 0 };
        let word = |arena: &Arena, details| {
            arena
                .word_at(details + READER)
                .store(reader, Ordering::SeqCst)
        };
        self.detail(word);
    }

    /// Moves from one state to another; false when it was not in the first.
    pub fn step(&self, from: State, to: State) -> bool {
        step(self.object(), from, to)
    }

    /// Cancels it when no worker has taken it.
    pub fn give_up(&self) {
        give_up(self.object());
    }

    /// Cancels it: when no worker has taken it, nobody will. A worker that is at it is cancelled, and killed when it has not ended
    /// within the grace, with all that it has started; its pool puts another in its place. True when it is cancelled now.
    pub fn cancel(&self, place: Option<Span>) -> Result<bool> {
        if let Some(worker) = self.abandon() {
            match worker.pid() == Some(fork::pid()) {
                // A task that cancels itself cannot wait for its own end.
                true => worker.ask_to_cancel(),
                false => worker.cancel(signals::GRACE, place)?,
            };
        }
        Ok(self.state() == State::Cancelled)
    }

    /// The first half of that: the worker that is at it, which takes no other task and is to be ended.
    pub fn abandon(&self) -> Option<Process> {
        // The burial of its worker may put it back in between, to be tried again.
        while !self.state().is_final() {
            give_up(self.object());
            if self.step(State::Running, State::Cancelled) {
                return self.doom();
            }
        }
        None
    }

    fn doom(&self) -> Option<Process> {
        crash_point!("future: cancelled");
        announce(self.object());
        let pool = self.detail(|arena, details| arena.get_word(details + POOL));
        let pool = pool.and_then(HandleId::from_bits).and_then(Tasks::from_id);
        pool.and_then(|pool| pool.doom_worker_at(self.id()))
    }

    /// Stores the result of a running task and tells who waits. What came first stays.
    pub fn finish(&self, state: State, bytes: &[u8], handles: &[HandleId]) -> Result<()> {
        let arena = arena::ensure()?;
        let block = arena::when_full(|| arena.write_message(bytes, handles))?;
        crash_point!("future: result written");
        // Before it is attached: whoever finds it knows what it is, also after the death of this worker.
        self.detail(|arena, details| arena.put_word(details + OUTCOME, state as u64));
        let cell = &self.object().cells[RESULT];
        if cell
            .compare_exchange(0, block, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            arena.free(block);
            return Ok(());
        }
        arena.commit(block);
        crash_point!("future: result attached");
        self.step(State::Running, state);
        announce(self.object());
        // What was to be done is of no use any more.
        free_cell(arena, self.object(), TASK);
        Ok(())
    }
}

/// Frees the message of a cell that nobody reads any more.
fn free_cell(arena: &Arena, object: &Object, cell: usize) {
    let cell = &object.cells[cell];
    let block = cell.load(Ordering::Acquire);
    if block != 0 {
        // Ours before it is let go: a death in between leaves it to the collector.
        arena.claim(block);
        cell.store(0, Ordering::Release);
        arena.free(block);
    }
}

/// Tells whoever waits that it is over, and who reads meanwhile: that waits for something else.
fn announce(object: &Object) {
    object.events[0].notify_all();
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    if let Some(arena) = arena::get().filter(|_| details != 0) {
        let reader = arena.word_at(details + READER).load(Ordering::SeqCst);
        let reader = SlotRef::from_bits(reader).filter(|&reader| reader != arena::me());
        if let Some(reader) = reader {
            tenders::tell(arena, reader);
        }
    }
}

/// How it stands with telling of a task's failure.
pub(super) fn standing(arena: &Arena, object: &Object) -> Option<u64> {
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    (details != 0).then(|| arena.get_word(details + TOLD))
}

/// Goes from one standing to another; false when it has changed meanwhile.
pub(super) fn stand(arena: &Arena, object: &Object, from: u64, to: u64) -> bool {
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    details != 0
        && arena
            .word_at(details + TOLD)
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
}

/// Whether no worker has begun with it.
pub(super) fn is_waiting(object: &Object) -> bool {
    state_of(object) == State::Waiting
}

/// Whether it is over, and has not failed.
pub(super) fn is_over_in_order(object: &Object) -> bool {
    let state = state_of(object);
    matches!(state, State::Value | State::Cancelled)
}

fn state_of(object: &Object) -> State {
    State::from_number(object.cells[STATE].load(Ordering::Acquire))
}

fn step(object: &Object, from: State, to: State) -> bool {
    object.cells[STATE]
        .compare_exchange(from as u64, to as u64, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// Cancels a task that no worker has taken.
pub(super) fn give_up(object: &Object) {
    if step(object, State::Waiting, State::Cancelled) {
        announce(object);
    }
}

/// Cancels a task because this process terminates its pool, at a place.
pub(super) fn terminate(arena: &Arena, object: &Object, place: Option<Span>) {
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    if state_of(object).is_final() || details == 0 {
        return;
    }
    note_end(arena, details, place, false);
    if step(object, State::Running, State::Cancelled) {
        announce(object);
    }
    give_up(object);
}

/// Cancels a task that no worker has taken, because this process closes its pool, at a place, and gives up what waits.
pub(super) fn close(arena: &Arena, object: &Object, place: Option<Span>) {
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    if is_waiting(object) && details != 0 {
        note_end(arena, details, place, true);
        give_up(object);
    }
}

fn note_end(arena: &Arena, details: Offset, place: Option<Span>, closed: bool) {
    let me = arena.slot(arena::me().index);
    arena.put_word(details + WHERE, place::pack_start(place));
    arena.put_word(details + CLOSED, u64::from(closed));
    arena.put_word(details + BY, me.process.load(Ordering::Acquire));
}

/// Fails a task that waits or is worked on: the process that made its pool has ended, or ends.
pub(super) fn lose_owner(arena: &Arena, object: &Object, process: u64) {
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    step(object, State::Waiting, State::Running);
    let is_open = object.cells[STATE].load(Ordering::Acquire) == State::Running as u64;
    if details == 0 || !is_open {
        return;
    }
    object.cells[DEAD].store(process, Ordering::Release);
    arena.put_word(details + AT, OWNER);
    step(object, State::Running, State::Died);
    announce(object);
}

/// What is known of a worker that died at a task.
pub(super) struct Dead {
    /// Its process object ([`HandleId::to_bits`]).
    pub process: u64,
    /// Which item of the task it was at.
    pub at: u64,
    /// Where it wrote what it printed last.
    pub tail: Offset,
}

/// What becomes of a task whose worker has died.
pub(super) enum Burial {
    /// It is tried again: it is waiting.
    Again,
    /// It has failed.
    Failed,
    /// It was finished before.
    Finished,
}

/// Takes note that the worker at a task has died.
pub(super) fn worker_died(arena: &Arena, object: &Object, dead: &Dead) -> Burial {
    if state_of(object) == State::Waiting {
        // It had the task in its hands but had not begun.
        return Burial::Again;
    }
    if state_of(object).is_final() {
        return Burial::Finished;
    }
    let details = object.cells[DETAILS].load(Ordering::Acquire);
    if details != 0 && object.cells[RESULT].load(Ordering::Acquire) != 0 {
        // A result that was attached but not announced before the death is as good as any.
        let outcome = State::from_number(arena.get_word(details + OUTCOME));
        step(object, State::Running, outcome);
        announce(object);
        return Burial::Finished;
    }
    object.cells[DEAD].store(dead.process, Ordering::Release);
    if details != 0 {
        arena.put_word(details + AT, dead.at);
        tail::copy(arena, dead.tail, details + TAIL);
    }
    let counts = object.cells[DEATHS].fetch_add(1, Ordering::AcqRel) + 1;
    let (deaths, retries) = (counts & u64::from(u32::MAX), counts >> 32);
    if deaths <= retries && step(object, State::Running, State::Waiting) {
        return Burial::Again;
    }
    step(object, State::Running, State::Died);
    announce(object);
    Burial::Failed
}

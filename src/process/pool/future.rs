//! A future: one task of a pool, and in time what became of it.

use crate::arena::kinds::{self, KindOps, Visitor};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::Result;
use crate::process::deadlock::{self, Enders, WaitOps};
use crate::process::wait::Awaited;
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
    /// Given up before a worker took it.
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
/// How often a worker died at it.
const DEATHS: usize = 3;
/// The process id of the worker that died last.
const PID: usize = 4;

/// A future that this process holds.
#[derive(Clone)]
pub struct Future {
    hold: Hold,
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
    ready: |_, object, _, _, _| {
        State::from_number(object.cells[STATE].load(Ordering::Acquire)).is_final()
    },
    // The worker that is at it holds it; before, it lies in the ring of the pool, which all its workers hold.
    enders: |_, _, _, _, _| Enders::Holders,
};

fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    for cell in [RESULT, TASK] {
        let block = object.cells[cell].load(Ordering::Acquire);
        if block != 0 {
            arena.visit_message(block, visitor);
        }
    }
}

fn destroy(arena: &Arena, object: &Object) {
    for cell in [RESULT, TASK] {
        let block = object.cells[cell].swap(0, Ordering::AcqRel);
        if block != 0 {
            arena.free(block);
        }
    }
}

impl Future {
    /// A future of a task that is encoded already.
    pub fn new(task: &[u8], handles: &[HandleId]) -> Result<Future> {
        crate::process::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Future, |arena, object| {
                let block = arena.write_message(task, handles)?;
                object.cells[TASK].store(block, Ordering::Release);
                arena.commit(block);
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

    /// Its object, to wait at: event 0 tells when it is finished.
    pub fn object(&self) -> &'static Object {
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
        State::from_number(self.object().cells[STATE].load(Ordering::Acquire))
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
        match (
            arena::get(),
            self.object().cells[cell].load(Ordering::Acquire),
        ) {
            (Some(arena), block) if block != 0 => arena.message_bytes(block),
            _ => &[],
        }
    }

    /// The process id of the worker that died at it.
    pub fn died_with(&self) -> i32 {
        self.object().cells[PID].load(Ordering::Acquire) as i32
    }

    /// Moves from one state to another; false when it was not in the first.
    pub fn step(&self, from: State, to: State) -> bool {
        step(self.object(), from, to)
    }

    /// Cancels it when no worker has taken it; true when it is cancelled now.
    pub fn cancel(&self) -> bool {
        give_up(self.object());
        self.state() == State::Cancelled
    }

    /// Stores the result of a running task and tells who waits. What came first stays.
    pub fn finish(&self, state: State, bytes: &[u8], handles: &[HandleId]) -> Result<()> {
        let arena = arena::ensure()?;
        let block = arena::when_full(|| arena.write_message(bytes, handles))?;
        crash_point!("future: result written");
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
        self.object().events[0].notify_all();
        Ok(())
    }
}

fn step(object: &Object, from: State, to: State) -> bool {
    object.cells[STATE]
        .compare_exchange(from as u64, to as u64, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// Cancels a task that no worker has taken.
pub(super) fn give_up(object: &Object) {
    if step(object, State::Waiting, State::Cancelled) {
        object.events[0].notify_all();
    }
}

/// Takes note that the worker at a task has died. True when the task may be tried again (it is waiting then).
pub(super) fn worker_died(object: &Object, pid: i32, retries: u64) -> bool {
    object.cells[PID].store(pid as u64, Ordering::Release);
    let deaths = object.cells[DEATHS].fetch_add(1, Ordering::AcqRel) + 1;
    // A result that was attached but not announced before the death is as good as any.
    if State::from_number(object.cells[STATE].load(Ordering::Acquire)) == State::Waiting {
        // It had the task in its hands but had not begun.
        return true;
    }
    let again = deaths <= retries && object.cells[RESULT].load(Ordering::Acquire) == 0;
    if again && step(object, State::Running, State::Waiting) {
        return true;
    }
    step(object, State::Running, State::Died);
    object.events[0].notify_all();
    false
}

/// The process that an arena slot belongs to, as the records of workers name it.
pub(super) fn same_process(bits: u64, process: SlotRef) -> bool {
    bits == process.to_bits()
}

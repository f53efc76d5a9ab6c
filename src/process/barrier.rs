//! Barriers: nobody goes on before all have come. One that can no longer fill is broken, and says why.

use super::deadlock::{self, Enders, WaitOps};
use super::place;
use super::record::{self, Record, Status};
use super::roster::Roster;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Cell: how many must come.
const PARTIES: usize = 0;
/// Cell: counts the times it has filled or was reset. Entries of the roster are of a phase; those of earlier ones are void,
/// so that filling is one store.
const PHASE: usize = 1;
/// Cell: why it is broken, 0 when it is not.
const BROKEN: usize = 2;
/// Cell: the process object of whoever broke it.
const BREAKER: usize = 3;
/// Cell: the last phase that ended by a reset (plus one).
const RESET: usize = 4;
/// Cell: the line that broke it.
const PLACE: usize = 5;

/// Reasons, as stored.
const BY_TIMEOUT: u64 = 1;
const BY_ABORT: u64 = 2;
const BY_DEATH: u64 = 3;
const BY_ERROR: u64 = 4;

/// A barrier of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    hold: Hold,
}

impl Barrier {
    /// A barrier for `parties` processes, at least one.
    pub fn new(parties: u64) -> Result<Barrier> {
        super::start()?;
        if parties == 0 {
            return Err(Error::new(
                codes::VALUE,
                "a barrier is for 1 process or more, but this is for 0",
            ));
        }
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Barrier, |arena, object| {
                object.cells[PARTIES].store(parties, Ordering::Relaxed);
                Roster::create(arena, object)
            })
        })?;
        Ok(Barrier { hold })
    }

    /// The barrier of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Barrier> {
        let hold = Some(id)
            .filter(|id| id.kind == ObjectKind::Barrier)
            .and_then(Hold::adopt)?;
        Some(Barrier { hold })
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    fn cell(&self, index: usize) -> u64 {
        self.hold.object().cells[index].load(Ordering::SeqCst)
    }

    /// Comes, and waits for the others: which one it was to come, from 0. `None` when `timeout` seconds pass first; the
    /// barrier is broken then, as it is after any error while waiting: the others would wait for ever.
    pub fn wait(&self, timeout: Option<f64>, place: Option<Span>) -> Result<Option<u64>> {
        let (arena, object, me) = (super::start()?, self.hold.object(), arena::me());
        crash_point!("barrier: coming");
        let arrived = arena::when_full(|| self.arrive(arena, me))?;
        let (phase, index) = match arrived {
            Arrived::Broken => return Err(self.broken_error()),
            Arrived::Last(index) => return Ok(Some(index)),
            Arrived::Waits { phase, index } => (phase, index),
        };
        let awaited = [Awaited {
            id: self.id(),
            object,
            side: 0,
        }];
        let spec = WaitSpec::new(Operation::WaitBarrier, &awaited, place).with_timeout(timeout);
        let waited = wait::wait(&spec, || self.look(phase, index));
        let reason = match &waited {
            Ok(Some(_)) => return waited,
            Ok(None) => BY_TIMEOUT,
            Err(error) if error.code == codes::BROKEN => return waited,
            Err(_) => BY_ERROR,
        };
        let guard = object.lock();
        if self.cell(PHASE) != phase {
            drop(guard);
            // It filled (or was reset) while we gave up.
            return match waited {
                Ok(None) => self.look(phase, index),
                other => other,
            };
        }
        break_it(arena, object, reason, me, place);
        drop(guard);
        object.events[0].notify_all();
        waited
    }

    fn look(&self, phase: u64, index: u64) -> Result<Option<u64>> {
        if self.cell(PHASE) != phase {
            return match self.cell(RESET) == phase + 1 {
                true => Err(Error::new(
                    codes::BROKEN,
                    "the barrier was to fill, but it was reset",
                )),
                false => Ok(Some(index)),
            };
        }
        match self.cell(BROKEN) {
            0 => Ok(None),
            _ => Err(self.broken_error()),
        }
    }

    fn arrive(&self, arena: &Arena, me: SlotRef) -> std::result::Result<Arrived, Full> {
        let object = self.hold.object();
        let guard = object.lock();
        if self.cell(BROKEN) != 0 {
            return Ok(Arrived::Broken);
        }
        let phase = self.cell(PHASE);
        let roster = Roster::of(arena, object);
        let index = here(arena, object).len() as u64;
        // Also the last is entered: who has ever come is known to be needed.
        roster.set(me, phase)?;
        crash_point!("barrier: arrived");
        if index + 1 >= self.cell(PARTIES) {
            crash_point!("barrier: about to fill");
            object.cells[PHASE].store(phase + 1, Ordering::SeqCst);
            crash_point!("barrier: filled");
            drop(guard);
            object.events[0].notify_all();
            return Ok(Arrived::Last(index));
        }
        Ok(Arrived::Waits { phase, index })
    }

    /// Breaks it: all who wait, and all who come, get `Broken` until it is reset.
    pub fn abort(&self, place: Option<Span>) {
        if let Some(arena) = arena::get() {
            let object = self.hold.object();
            let guard = object.lock();
            break_it(arena, object, BY_ABORT, arena::me(), place);
            drop(guard);
            object.events[0].notify_all();
        }
    }

    /// Makes it empty and whole; those who wait get `Broken`.
    pub fn reset(&self) {
        let object = self.hold.object();
        let guard = object.lock();
        let phase = self.cell(PHASE);
        object.cells[RESET].store(phase + 1, Ordering::SeqCst);
        object.cells[BROKEN].store(0, Ordering::SeqCst);
        object.cells[BREAKER].store(0, Ordering::SeqCst);
        crash_point!("barrier: about to reset");
        object.cells[PHASE].store(phase + 1, Ordering::SeqCst);
        drop(guard);
        object.events[0].notify_all();
    }

    /// How many must come.
    pub fn parties(&self) -> u64 {
        self.cell(PARTIES)
    }

    /// How many are here.
    pub fn n_waiting(&self) -> u64 {
        let object = self.hold.object();
        let _guard = object.lock();
        match arena::get() {
            Some(arena) if self.cell(BROKEN) == 0 => here(arena, object).len() as u64,
            _ => 0,
        }
    }

    /// Whether it is broken.
    pub fn broken(&self) -> bool {
        self.cell(BROKEN) != 0
    }

    fn broken_error(&self) -> Box<Error> {
        let object = self.hold.object();
        let breaker = HandleId::from_bits(object.cells[BREAKER].load(Ordering::Acquire))
            .and_then(|id| arena::get()?.object(id))
            .map(|object| (Record::of(object).label(), Record::of(object).status()));
        let (who, status) = breaker.unwrap_or((String::from("a process"), Status::Open));
        let span = place::unpack_start(self.cell(PLACE));
        let at = place::text(span);
        let why = match self.cell(BROKEN) {
            BY_TIMEOUT => format!("{who} stopped waiting at {at} when its time-out came"),
            BY_ABORT => format!("{who} aborted it at {at}"),
            BY_DEATH if status == Status::Open => format!("{who} died"),
            BY_DEATH => format!("{who} {}", record::status_text(status)),
            BY_ERROR => format!("{who} left it at {at} by an error"),
            _ => String::from("it was reset meanwhile"),
        };
        Error::new(
            codes::BROKEN,
            format!(
                "the barrier was to fill with {} processes, but {why}",
                self.parties()
            ),
        )
        .with_help("call reset() before it is used again")
    }

    /// `<barrier 1 of 3>`, `<barrier broken>`.
    pub fn show(&self) -> String {
        if self.broken() {
            return String::from("<barrier broken>");
        }
        format!("<barrier {} of {}>", self.n_waiting(), self.parties())
    }
}

enum Arrived {
    Broken,
    Last(u64),
    Waits { phase: u64, index: u64 },
}

/// Those that have come in the present phase. The mutex is held.
fn here(arena: &Arena, object: &Object) -> Vec<SlotRef> {
    let phase = object.cells[PHASE].load(Ordering::SeqCst);
    let entries = Roster::of(arena, object).entries().into_iter();
    entries
        .filter(|&(_, of)| of == phase)
        .map(|(who, _)| who)
        .collect()
}

/// Breaks the barrier unless it is broken: the first reason stays. The mutex is held.
fn break_it(arena: &Arena, object: &Object, reason: u64, by: SlotRef, place: Option<Span>) {
    if object.cells[BROKEN].load(Ordering::SeqCst) != 0 {
        return;
    }
    let process = arena.slot(by.index).process.load(Ordering::Acquire);
    object.cells[BREAKER].store(process, Ordering::SeqCst);
    object.cells[PLACE].store(place::pack_start(place), Ordering::SeqCst);
    crash_point!("barrier: about to break");
    object.cells[BROKEN].store(reason, Ordering::SeqCst);
}

/// A death breaks the barrier when the dead was waiting at it, or when it did not end in order and would have come: it
/// has come before, or others wait.
fn bury(arena: &Arena, object: &Object, _: HandleId, dead: SlotRef) {
    let guard = object.lock();
    let waiting = here(arena, object);
    let ended = record::of_slot(arena, dead).map(|record| record.status());
    let in_order = matches!(ended, Some(Status::Returned | Status::Exited(0)));
    let came_before = Roster::of(arena, object).remove(dead).is_some();
    if waiting.contains(&dead) || !in_order && (came_before || !waiting.is_empty()) {
        break_it(arena, object, BY_DEATH, dead, None);
    }
    drop(guard);
    object.events[0].notify_all();
}

/// Tells the arena and the deadlock detector about barriers.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: |_, object, visitor| {
            if object.payload() != 0 {
                visitor.block(object.payload());
            }
            if let Some(id) = HandleId::from_bits(object.cells[BREAKER].load(Ordering::Acquire)) {
                visitor.handle(id);
            }
        },
        destroy: kinds::destroy_payload,
        bury,
    };
    static WAIT: WaitOps = WaitOps {
        noun: "barrier",
        keepers: deadlock::no_keepers,
        ready: |arena, object, _, _, who| {
            let _guard = object.lock();
            object.cells[BROKEN].load(Ordering::SeqCst) != 0 || !here(arena, object).contains(&who)
        },
        enders: |_, _, _, _, _| Enders::Holders,
    };
    kinds::register(ObjectKind::Barrier, &KIND);
    deadlock::register(ObjectKind::Barrier, &WAIT);
}

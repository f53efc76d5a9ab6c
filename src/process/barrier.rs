//! Barriers: nobody goes on before all have come. One that can no longer fill is broken, and says why.
//!
//! Who must come is not written down anywhere: any process that has the barrier may. So a death breaks it when the dead was waiting
//! (it counts as one that has come, and is gone), or when too few are left that could come. Who made it and has never come
//! may be a party or may only look on. He only looks on when the dead had come, or when with the dead there were as many others
//! as the barrier needs; else he is needed and counted. When enough are left but none of them can come, the search for deadlocks
//! finds that, and the barrier is broken for the one that was lost last.

use super::deadlock::{self, Enders, WaitOps};
use super::place;
use super::record::{self, Record, Status};
use super::roster::Roster;
use super::wait::{self, Awaited, Operation, WaitSpec};
use super::willing;
use crate::arena::collect::Graph;
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::os::robust::Guard;
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Cell: how many must come.
const PARTIES: usize = 0;
/// Cell: counts the times it has filled or was reset. Entries of the roster are of a phase; those of earlier ones are void,
/// so that filling is one store.
const PHASE: usize = 1;
/// Cell: why it is broken, 0 when it is not.
const BROKEN: usize = 2;
/// Cell: the process object of whoever broke it; while it is whole, of the last that died and may be missed.
const BREAKER: usize = 3;
/// Cell: the last phase that ended by a reset (plus one).
const RESET: usize = 4;
/// Cell: the line that broke it; while it is whole, the phase (plus one) in which the last died, and above that [`Lost`].
const PLACE: usize = 5;
/// How many bits of that cell the phase has.
const PHASE_BITS: u32 = 48;

/// In place of a phase in the roster: who made the barrier and has never come.
const MADE: u64 = u64::MAX;
/// In place of a phase in the roster, with the phase and the number in it: who has stepped back for a moment to let its collector look,
/// and comes again with that number.
const STEPPED: u64 = 1 << 62;
/// How many bits of that the number has.
const NUMBER_BITS: u32 = 16;

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
                Roster::create(arena, object)?;
                Roster::of(arena, object).set(arena::me(), MADE)
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
        if Lost::of(object, phase).were_enough {
            give_up_if_short(arena, object, self.id(), phase);
        }
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
        if willing::was_asked() {
            return self.step_back(guard, phase, index, waited);
        }
        if self.cell(PHASE) != phase {
            drop(guard);
            // It filled (or was reset) while we gave up.
            return match waited {
                Ok(None) => self.look(phase, index),
                other => other,
            };
        }
        break_it(object, reason, process_of(arena, me), place);
        drop(guard);
        object.events[0].notify_all();
        waited
    }

    /// Leaves the barrier whole, to come again, because this process was asked to collect; unless it has filled or is broken.
    fn step_back(
        &self,
        guard: Guard<'_>,
        phase: u64,
        index: u64,
        waited: Result<Option<u64>>,
    ) -> Result<Option<u64>> {
        if self.cell(PHASE) != phase || self.cell(BROKEN) != 0 {
            willing::take_back();
            return self.look(phase, index);
        }
        if let Some(arena) = arena::get() {
            // The entry exists, so nothing has to grow.
            let _ = Roster::of(arena, self.hold.object()).set(arena::me(), stepped(phase, index));
        }
        drop(guard);
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
        let present = here(arena, object).len() as u64;
        let back = |of: u64| (of == stepped(phase, number_of(of))).then(|| number_of(of));
        let others = roster.entries().into_iter().filter(|(who, _)| *who != me);
        // Two of a round never get the same number.
        let index = match roster.get(me).and_then(back) {
            Some(number) => number,
            None => present + others.filter(|(_, of)| back(*of).is_some()).count() as u64,
        };
        // Also the last is entered: who has ever come is known to be needed.
        roster.set(me, phase)?;
        crash_point!("barrier: arrived");
        if present + 1 >= self.cell(PARTIES) {
            if self.cell(RESET) == phase + 1 {
                // Of somebody who died in the middle of a reset: this phase fills.
                object.cells[RESET].store(0, Ordering::SeqCst);
            }
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
            break_it(object, BY_ABORT, process_of(arena, arena::me()), place);
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

/// The entry of one who has stepped back.
fn stepped(phase: u64, number: u64) -> u64 {
    STEPPED | (phase << NUMBER_BITS & (STEPPED - 1)) | number & ((1 << NUMBER_BITS) - 1)
}

fn number_of(entry: u64) -> u64 {
    entry & ((1 << NUMBER_BITS) - 1)
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

/// The process object of a process of the table, as it is stored.
fn process_of(arena: &Arena, process: SlotRef) -> u64 {
    arena.slot(process.index).process.load(Ordering::Acquire)
}

/// Breaks the barrier unless it is broken: the first reason stays. The mutex is held.
fn break_it(object: &Object, reason: u64, process: u64, place: Option<Span>) {
    if object.cells[BROKEN].load(Ordering::SeqCst) != 0 {
        return;
    }
    object.cells[BREAKER].store(process, Ordering::SeqCst);
    object.cells[PLACE].store(place::pack_start(place), Ordering::SeqCst);
    crash_point!("barrier: about to break");
    object.cells[BROKEN].store(reason, Ordering::SeqCst);
}

/// Breaks a barrier at which some wait whom nobody can help any more, when somebody has died in the present phase who might have
/// come. True when they go on.
pub(super) fn give_up(object: &Object) -> bool {
    let guard = object.lock();
    let lost = object.cells[BREAKER].load(Ordering::SeqCst);
    let phase = object.cells[PHASE].load(Ordering::SeqCst);
    let is_missed = lost != 0
        && object.cells[BROKEN].load(Ordering::SeqCst) == 0
        && is_missed_in(object, phase);
    if is_missed {
        break_it(object, BY_DEATH, lost, None);
    }
    drop(guard);
    if is_missed {
        object.events[0].notify_all();
    }
    is_missed
}

/// Whether somebody has died in a phase who might have come.
fn is_missed_in(object: &Object, phase: u64) -> bool {
    object.cells[PLACE].load(Ordering::SeqCst) & ((1 << PHASE_BITS) - 1) == phase + 1
}

/// What is known of those who have died in a phase.
#[derive(Clone, Copy, Default)]
struct Lost {
    /// How many they are, but for those whom the script has ended itself: it may be about to replace them.
    count: u64,
    /// Without the maker there were as many as the barrier needs when one of them died: he only looks on.
    were_enough: bool,
}

impl Lost {
    fn of(object: &Object, phase: u64) -> Lost {
        let bits = match is_missed_in(object, phase) {
            true => object.cells[PLACE].load(Ordering::SeqCst) >> PHASE_BITS,
            false => 0,
        };
        Lost {
            count: bits >> 1,
            were_enough: bits & 1 != 0,
        }
    }

    fn note(self, object: &Object, phase: u64) {
        let bits = self.count << 1 | u64::from(self.were_enough);
        object.cells[PLACE].store((phase + 1) | bits << PHASE_BITS, Ordering::SeqCst);
    }
}

/// The living who could come to a barrier, but for one that has died. `graph` says where a handle may lie: in a message, in
/// something that is shared.
fn who_could_come(
    arena: &Arena,
    id: HandleId,
    dead: Option<SlotRef>,
    graph: impl FnOnce() -> Graph,
) -> Vec<SlotRef> {
    let leading = graph().containers().leading_to(id);
    let holds = |process: &SlotRef| leading.iter().any(|&id| arena.holds(*process, id));
    let others = arena.live_processes();
    let others = others.filter(|&process| Some(process) != dead);
    others.filter(holds).collect()
}

/// How many of some processes are parties for sure: who made the barrier and has never come may only look on. The mutex is held.
fn sure(arena: &Arena, object: &Object, left: &[SlotRef]) -> u64 {
    let roster = Roster::of(arena, object);
    let looks_on = |process: &&SlotRef| roster.get(**process) == Some(MADE);
    (left.len() - left.iter().filter(looks_on).count()) as u64
}

/// Breaks a barrier whose maker only looks on when the others have become too few: who has come since would wait for ever.
#[cold]
fn give_up_if_short(arena: &Arena, object: &Object, id: HandleId, phase: u64) {
    let left = who_could_come(arena, id, None, || arena.contents());
    let guard = object.lock();
    let is_over = object.cells[PHASE].load(Ordering::SeqCst) != phase;
    let parties = object.cells[PARTIES].load(Ordering::SeqCst);
    if is_over || !Lost::of(object, phase).were_enough || sure(arena, object, &left) >= parties {
        return;
    }
    let lost = object.cells[BREAKER].load(Ordering::SeqCst);
    break_it(object, BY_DEATH, lost, None);
    drop(guard);
    object.events[0].notify_all();
}

/// A death breaks the barrier when the dead was waiting at it; or when it did not end in order, others wait or it has come
/// before, and too few are left that could come.
fn bury(arena: &Arena, object: &Object, id: HandleId, dead: SlotRef) {
    let record = record::of_slot(arena, dead);
    let ended = record.map(|record| record.status());
    let in_order = matches!(ended, Some(Status::Returned | Status::Exited(0)));
    let left = match in_order {
        true => Vec::new(),
        false => who_could_come(arena, id, Some(dead), || arena.contents_in_burial()),
    };
    let guard = object.lock();
    let waiting = here(arena, object);
    let came_before = Roster::of(arena, object)
        .remove(dead)
        .is_some_and(|phase| phase != MADE);
    if waiting.contains(&dead) {
        break_it(object, BY_DEATH, process_of(arena, dead), None);
    } else if !in_order {
        let parties = object.cells[PARTIES].load(Ordering::SeqCst);
        let phase = object.cells[PHASE].load(Ordering::SeqCst);
        let sure = sure(arena, object, &left);
        let mut lost = Lost::of(object, phase);
        if !record.is_some_and(|record| record.is_ended_by_another()) {
            lost.count += 1;
            lost.were_enough |= sure + lost.count >= parties;
        }
        let left = match came_before || lost.were_enough {
            true => sure,
            false => left.len() as u64,
        };
        if left < parties && (came_before || !waiting.is_empty()) {
            break_it(object, BY_DEATH, process_of(arena, dead), None);
        } else if object.cells[BROKEN].load(Ordering::SeqCst) == 0 {
            object.cells[BREAKER].store(process_of(arena, dead), Ordering::SeqCst);
            crash_point!("barrier: somebody is lost");
            lost.note(object, phase);
        }
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

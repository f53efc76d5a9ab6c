//! Process objects: what is known of a process to everybody who holds its handle, also when it is long gone.
//!
//! The slot of a process is reused soon after its death; its object stays as long as somebody holds it.

use super::place;
use crate::arena::{Arena, Full, HandleId, Hold, Object, ObjectKind, Offset, SlotRef};
use crate::crash_point;
use crate::limits::MAX_NAME;
use crate::os::{clock, signal};
use crate::source::Span;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a process ended, without what it left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Not yet.
    Open,
    /// Its function gave a value.
    Returned,
    /// Its function raised an error.
    Raised,
    /// It left by `exit(code)`.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
}

impl Status {
    fn to_bits(self) -> u64 {
        match self {
            Status::Open => 0,
            Status::Returned => 1,
            Status::Raised => 2,
            Status::Exited(code) => 3 | (code as u32 as u64) << 8,
            Status::Killed(signal) => 4 | (signal as u32 as u64) << 8,
        }
    }

    fn from_bits(bits: u64) -> Status {
        let number = (bits >> 8) as u32 as i32;
        match bits as u8 {
            1 => Status::Returned,
            2 => Status::Raised,
            3 => Status::Exited(number),
            4 => Status::Killed(number),
            _ => Status::Open,
        }
    }
}

/// Set when the process is a daemon.
pub const DAEMON: u64 = 1;
/// Set when somebody has looked after its end: joined it, waited for it, or brought it about.
pub const OBSERVED: u64 = 2;
/// Set when a script sent it a signal, so that its death by one is no news.
pub const SIGNALLED: u64 = 4;
/// Set when it was started.
pub const STARTED: u64 = 8;
/// Set when its failure was told.
pub const REPORTED: u64 = 16;
/// Set when it was asked to end: whoever asks on the way out does so once, and leaves it the time that it has.
pub const ASKED: u64 = 32;
/// Set when it is a worker of a pool: a daemon whose tasks clean up when they are cancelled.
pub const WORKER: u64 = 64;
/// Set when it was itself that sent it the signal: for others that is a failure like any other.
pub const ITSELF: u64 = 128;
/// Set when it is a program, not a process of Par: it has no slot.
pub const PROGRAM: u64 = 1 << 16;
/// Set when a program had its time and was ended.
pub const OUT_OF_TIME: u64 = 1 << 17;
/// Set when a program left with a code other than 0 that it may leave with.
pub const PASSED: u64 = 1 << 18;

// Offsets in the payload.
const PID: u64 = 0;
const SLOT: u64 = 8;
const PARENT: u64 = 16;
/// Bytes of memory that it had at most, once its parent has waited for it.
const PEAK: u64 = 24;
const RESULT: u64 = 32;
/// A result of a few bytes: how many in the lowest byte, themselves above it.
const SMALL_RESULT: u64 = 40;
const PLACE_SOURCE: u64 = 48;
const PLACE_RANGE: u64 = 56;
const SERIAL: u64 = 64;
const PARENT_OBJECT: u64 = 72;
const NAME_LENGTH: u64 = 80;
/// When it is killed unless it has ended by then, until its parent has taken that over (monotonic nanoseconds); 0 for never.
const DOOM: u64 = 88;
/// When it was started (monotonic nanoseconds); 0 before.
const BEGAN: u64 = 96;
/// Until when it cleans up, because it was told to end (monotonic nanoseconds).
const OBEYS: u64 = 104;
const NAME: u64 = 112;
const SIZE: u64 = NAME + MAX_NAME as u64;

/// The event word at which its end is announced.
pub const ENDED: usize = 0;

/// The cell of a slot that names the process ([`HandleId::to_bits`]) for whose end this one waits in order to look after it; 0 for none.
pub(super) const JOINS_CELL: usize = 9;

/// Cells of the object: they need no payload, so a status can be read whatever happens.
const STATUS_CELL: usize = 0;
const FLAGS_CELL: usize = 1;

/// A process object, seen from inside.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    object: &'a Object,
}

impl<'a> Record<'a> {
    /// Makes the object of a process that is to be spawned by this one (or of the main process).
    pub fn create(
        name: &str,
        flags: u64,
        place: Option<Span>,
        parent: Option<HandleId>,
    ) -> Result<Hold, Full> {
        Hold::create(ObjectKind::Process, |arena, object| {
            let block = arena.alloc_zeroed(SIZE)?;
            let (source, range) = place::pack(place);
            arena.put_word(block + PLACE_SOURCE, source);
            arena.put_word(block + PLACE_RANGE, range);
            arena.put_word(block + PARENT_OBJECT, parent.map_or(0, HandleId::to_bits));
            let name = clip(name);
            arena.put_word(block + NAME_LENGTH, name.len() as u64);
            arena.put_bytes(block + NAME, name.as_bytes());
            object.cells[FLAGS_CELL].store(flags, Ordering::Relaxed);
            object.set_payload(block);
            arena.commit(block);
            Ok(())
        })
    }

    /// The record inside a process object.
    pub fn of(object: &'a Object) -> Record<'a> {
        Record { object }
    }

    fn word(&self, at: u64) -> &'static AtomicU64 {
        static NOTHING: AtomicU64 = AtomicU64::new(0);
        match crate::arena::get() {
            Some(arena) if self.object.payload() != 0 => arena.word_at(self.object.payload() + at),
            _ => &NOTHING,
        }
    }

    fn get(&self, at: u64) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }

    /// Its process id; 0 before it is started.
    pub fn pid(&self) -> i32 {
        self.get(PID) as i32
    }

    /// Its slot, which may be another's by now.
    pub fn slot(&self) -> Option<SlotRef> {
        SlotRef::from_bits(self.get(SLOT))
    }

    /// The slot of the process that spawned it.
    pub fn parent(&self) -> Option<SlotRef> {
        SlotRef::from_bits(self.get(PARENT))
    }

    /// The object of the process that spawned it.
    pub fn parent_object(&self) -> Option<HandleId> {
        HandleId::from_bits(self.get(PARENT_OBJECT))
    }

    /// Counts the processes of the tree in the order of their starts.
    pub fn serial(&self) -> u64 {
        self.get(SERIAL)
    }

    /// When it was started (monotonic nanoseconds); 0 before.
    pub fn began_at(&self) -> u64 {
        self.get(BEGAN)
    }

    /// The line that spawned it.
    pub fn place(&self) -> Option<Span> {
        place::unpack(self.get(PLACE_SOURCE), self.get(PLACE_RANGE))
    }

    /// Its name.
    pub fn name(&self) -> String {
        let Some(arena) = crate::arena::get().filter(|_| self.object.payload() != 0) else {
            return String::from("?");
        };
        let length = self.get(NAME_LENGTH).min(MAX_NAME as u64);
        let bytes = arena.bytes(self.object.payload() + NAME, length);
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// `worker-1 (pid 42)`.
    pub fn label(&self) -> String {
        format!("{} (pid {})", self.name(), self.pid())
    }

    /// How it ended.
    pub fn status(&self) -> Status {
        Status::from_bits(self.object.cells[STATUS_CELL].load(Ordering::Acquire))
    }

    /// Its flags.
    pub fn flags(&self) -> u64 {
        self.object.cells[FLAGS_CELL].load(Ordering::Acquire)
    }

    /// Whether another process of the script sent it a signal: its death by one was meant, and is no failure.
    pub fn is_ended_by_another(&self) -> bool {
        self.flags() & (SIGNALLED | ITSELF) == SIGNALLED
    }

    /// Sets flags; returns those that were set before.
    pub fn flag(&self, flags: u64) -> u64 {
        self.object.cells[FLAGS_CELL].fetch_or(flags, Ordering::AcqRel)
    }

    /// Takes flags away.
    pub fn unflag(&self, flags: u64) {
        self.object.cells[FLAGS_CELL].fetch_and(!flags, Ordering::AcqRel);
    }

    /// Whether nobody has asked it to end before: of those who do it at the same time one does it.
    pub fn is_first_to_ask(&self) -> bool {
        self.flag(ASKED) & ASKED == 0
    }

    /// Whether nobody else is to tell of its failure: somebody has looked after its end, or somebody alive waits for it in order to. It
    /// is asked at the instant that matters, for who waits may give up, or die, at any time.
    pub fn is_seen(&self) -> bool {
        let is_observed = || self.flags() & OBSERVED != 0;
        // Who has looked after it says so before it is no longer one that waits: between two looks it may have become the one from the other.
        is_observed() || self.is_joined() || is_observed()
    }

    /// Whether somebody alive waits for its end and will look after that. A look at the whole table: only for ends that are failures.
    pub fn is_joined(&self) -> bool {
        let Some(arena) = crate::arena::get() else {
            return false;
        };
        let place = arena.place_of(self.object);
        arena.live_processes().any(|process| {
            let joins = arena.slot(process.index).cells[JOINS_CELL].load(Ordering::SeqCst);
            HandleId::from_bits(joins).is_some_and(|joined| joined.index == place)
        })
    }

    /// Notes that it was told to end, and has until an instant (monotonic nanoseconds) to clean up.
    pub fn obey(&self, until: u64) {
        self.word(OBEYS).fetch_max(until, Ordering::AcqRel);
    }

    /// Whether it was told to end and still has time to clean up: to tell it again would cut its `finally` off.
    pub fn is_obeying(&self) -> bool {
        clock::now() < self.get(OBEYS)
    }

    /// Notes the slot of a process that is about to be forked.
    pub fn note_start(&self, arena: &Arena, slot: SlotRef, parent: SlotRef) {
        let serial = arena.slot(slot.index).serial.load(Ordering::Acquire);
        self.word(SERIAL).store(serial, Ordering::Relaxed);
        self.word(BEGAN).store(clock::now(), Ordering::Relaxed);
        self.word(PARENT).store(parent.to_bits(), Ordering::Relaxed);
        self.word(SLOT).store(slot.to_bits(), Ordering::Release);
        self.flag(STARTED);
    }

    /// Notes that it is killed at an instant (monotonic nanoseconds) unless it has ended by then: its parent is to take that over.
    /// Who asks first is served first, and the others in time.
    pub fn doom(&self, instant: u64) {
        let word = self.word(DOOM);
        let sooner = |noted: u64| (noted == 0 || instant < noted).then_some(instant);
        let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, sooner);
    }

    /// Takes over when it is killed.
    pub fn take_doom(&self) -> Option<u64> {
        let word = self.word(DOOM);
        let noted = word.load(Ordering::Acquire) != 0;
        Some(noted.then(|| word.swap(0, Ordering::AcqRel))?).filter(|&instant| instant != 0)
    }

    /// Notes that a program was started by `parent`, which will say how it ends.
    pub fn note_program(&self, pid: i32, parent: SlotRef) {
        self.note_pid(pid);
        self.word(BEGAN).store(clock::now(), Ordering::Relaxed);
        self.word(PARENT).store(parent.to_bits(), Ordering::Release);
        self.flag(STARTED | PROGRAM);
    }

    /// Notes the process id.
    pub fn note_pid(&self, pid: i32) {
        self.word(PID).store(pid as u64, Ordering::Release);
    }

    /// Notes the bytes of memory that it had at most.
    pub fn note_peak(&self, bytes: u64) {
        self.word(PEAK).store(bytes, Ordering::Release);
    }

    /// Bytes of memory that it had at most, those included that it shared with others; `None` until its parent has waited for it.
    pub fn peak(&self) -> Option<u64> {
        Some(self.get(PEAK)).filter(|&bytes| bytes > 0)
    }

    /// Seals the end: the first to say it wins. `result` is a message in our hands, or 0. Everybody who waits is woken.
    pub fn seal(&self, arena: &Arena, status: Status, result: Offset) -> bool {
        if result != 0 {
            self.word(RESULT).store(result, Ordering::Release);
            arena.commit(result);
        }
        crash_point!("seal: result attached");
        let won = self.object.cells[STATUS_CELL]
            .compare_exchange(0, status.to_bits(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        crash_point!("seal: sealed");
        self.object.events[ENDED].notify_all();
        won
    }

    /// Keeps a result of at most seven bytes without handles in the record itself, where it costs a child no block of its own
    /// and the arena no collection. False when it is longer. To be called before the end is sealed.
    pub fn keep_small(&self, bytes: &[u8]) -> bool {
        let mut word = [0_u8; 8];
        let Some(room) = word[1..].get_mut(..bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        word[0] = bytes.len() as u8;
        self.word(SMALL_RESULT)
            .store(u64::from_le_bytes(word), Ordering::Release);
        true
    }

    /// The bytes of a result that [`Record::keep_small`] kept; empty for none.
    pub fn small_result(&self) -> Vec<u8> {
        let word = self.get(SMALL_RESULT).to_le_bytes();
        let length = usize::from(word[0]).min(7);
        word[1..=length].to_vec()
    }

    /// Notes the seconds that a program may take, which leaves no result of its own.
    pub fn note_limit(&self, seconds: f64) {
        let micros = (seconds * 1e6).round() as u64;
        // Whatever needs more of these bytes never comes to its end.
        self.keep_small(micros.to_le_bytes().get(..7).unwrap_or_default());
    }

    /// The seconds that [`Record::note_limit`] noted.
    pub fn limit(&self) -> f64 {
        let mut micros = [0_u8; 8];
        for (to, from) in micros.iter_mut().zip(self.small_result()) {
            *to = from;
        }
        u64::from_le_bytes(micros) as f64 / 1e6
    }

    /// The message that it left; 0 for none.
    pub fn result(&self) -> Offset {
        self.get(RESULT)
    }

    /// Names the blocks and handles of the record.
    pub fn visit(arena: &Arena, object: &Object, visitor: &mut dyn crate::arena::kinds::Visitor) {
        let record = Record::of(object);
        if object.payload() == 0 {
            return;
        }
        visitor.block(object.payload());
        if let Some(parent) = record.parent_object() {
            visitor.handle(parent);
        }
        if record.result() != 0 {
            arena.visit_message(record.result(), visitor);
        }
    }

    /// Frees the blocks of the record.
    pub fn destroy(arena: &Arena, object: &Object) {
        let record = Record::of(object);
        let result = record.result();
        if result != 0 {
            arena.claim(result);
            record.word(RESULT).store(0, Ordering::Release);
            arena.free(result);
        }
        crate::arena::kinds::destroy_payload(arena, object);
    }
}

/// At most as many bytes of a name as the table keeps, cut between characters.
fn clip(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// The record of a process of the table.
pub fn of_slot(arena: &Arena, process: SlotRef) -> Option<Record<'_>> {
    let bits = arena.slot(process.index).process.load(Ordering::Acquire);
    let object = arena.object(HandleId::from_bits(bits)?)?;
    Some(Record::of(object)).filter(|record| record.slot() == Some(process))
}

/// Name and pid of a process of the table.
pub fn name_and_pid(arena: &Arena, process: SlotRef) -> (String, i32) {
    match of_slot(arena, process) {
        Some(record) => (record.name(), record.pid()),
        None => (String::from("a process"), 0),
    }
}

/// `worker-1 (pid 42)`.
pub fn label(arena: &Arena, process: SlotRef) -> String {
    let (name, pid) = name_and_pid(arena, process);
    format!("{name} (pid {pid})")
}

/// A status in the words of `show`.
pub fn status_text(status: Status) -> String {
    match status {
        Status::Open => String::from("running"),
        Status::Returned => String::from("ended"),
        Status::Raised => String::from("failed"),
        Status::Exited(code) => format!("exited {code}"),
        Status::Killed(number) => format!("killed by {}", signal::name_of(number)),
    }
}

/// Before a burial: when the dead has not ended in order, what it held says so to those who wait there for what it would have
/// brought. Nobody notes a lock, whose next holder is told, and a barrier, which is broken.
pub(super) fn note_lost(arena: &Arena, dead: SlotRef) {
    use ObjectKind::{Condition, Event, Pipe, Queue, Semaphore};
    let Some(record) = of_slot(arena, dead) else {
        return;
    };
    let bits = arena.slot(dead.index).process.load(Ordering::Acquire);
    let Some(own) = HandleId::from_bits(bits) else {
        return;
    };
    if matches!(record.status(), Status::Returned | Status::Exited(0)) {
        return;
    }
    for id in arena.held_by(dead) {
        if matches!(id.kind, Condition | Event | Pipe | Queue | Semaphore)
            && let Some(object) = arena.object(id)
        {
            object.note_lost(own);
        }
    }
}

/// Who had an object and has died, and how: `maker (pid 42) had it, but was killed by SIGKILL`.
pub(super) fn lost_holder(arena: &Arena, object: &Object) -> Option<String> {
    let lost = arena.object(arena.lost_holder(object)?)?;
    let record = Record::of(lost);
    let how = match record.status() {
        Status::Killed(number) => format!("was killed by {}", signal::name_of(number)),
        Status::Exited(code) => format!("left with exit({code})"),
        other => status_text(other).to_string(),
    };
    Some(format!("{} had it, but {how}", record.label()))
}

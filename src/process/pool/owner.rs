//! Who a pool belongs to: the process that made it puts others in the place of its workers, and they end with it. And who
//! is in the middle of a map over it: while somebody is, a pool that takes nothing else goes on.

use super::tasks::{self, Closing, Tasks};
use super::{future, untold};
use crate::arena::kinds::Visitor;
use crate::arena::{self, Arena, Full, HandleId, Object, ObjectKind, Offset, SlotRef};
use crate::diag::{Error, Result, codes};
use crate::limits::MAX_MAPS_OF_POOL;
use crate::process::Process;
use std::sync::atomic::{AtomicU64, Ordering};

// Words of the block.
/// The owner's process object ([`HandleId::to_bits`]).
const OWNER: u64 = 0;
/// Its slot ([`SlotRef::to_bits`]).
const SLOT: u64 = 8;
/// What holds for every task: see [`Limits`]. 0 is none.
const MAX_TASKS: u64 = 16;
const TIMEOUT: u64 = 24;
const RETRIES: u64 = 32;
/// Not 0 when workers leave that have nothing to do for long.
const IDLE: u64 = 40;
/// The slots of those who are in the middle of a map.
const MAPS: u64 = 48;
/// Failed tasks that nobody has asked for.
pub(super) const UNTOLD: u64 = MAPS + MAX_MAPS_OF_POOL * 8;
/// How many functions and how many structs a worker must know to read what was handed in.
const CODE: [u64; 2] = [UNTOLD + untold::SIZE, UNTOLD + untold::SIZE + 8];
/// Not 0 once the owner has begun to end, and does nothing more for it.
const ENDING: u64 = UNTOLD + untold::SIZE + 16;
/// Until when a worker looks again and again for a task ([`wait::is_attended`]).
///
/// [`wait::is_attended`]: crate::process::wait::is_attended
const ATTENDED: u64 = ENDING + 8;
const SIZE: u64 = ATTENDED + 8;

/// What holds for every task of a pool, whoever hands it in.
#[derive(Clone, Copy, Default)]
pub struct Limits {
    /// Calls after which a worker is replaced.
    pub max_tasks: Option<u64>,
    /// Seconds that one call may take.
    pub timeout: Option<f64>,
    /// How often a task whose worker dies is tried again.
    pub retries: u64,
}

/// The block of a new pool of this process.
pub(super) fn create(arena: &Arena, limits: Limits) -> std::result::Result<Offset, Full> {
    let block = arena.alloc_zeroed(SIZE)?;
    let me = arena::me();
    let process = arena.slot(me.index).process.load(Ordering::Acquire);
    arena.put_word(block + OWNER, process);
    arena.put_word(block + SLOT, me.to_bits());
    arena.put_word(block + MAX_TASKS, limits.max_tasks.unwrap_or(0));
    arena.put_word(block + TIMEOUT, limits.timeout.unwrap_or(0.0).to_bits());
    arena.put_word(block + RETRIES, limits.retries);
    Ok(block)
}

/// Shows the collector the block of a pool, if it has one yet.
pub(super) fn visit(arena: &Arena, block: Offset, visitor: &mut dyn Visitor) {
    if block != 0 {
        visitor.block(block);
        if let Some(owner) = HandleId::from_bits(arena.get_word(block + OWNER)) {
            visitor.handle(owner);
        }
        untold::visit(arena, block + UNTOLD, visitor);
    }
}

/// A process that had the pool has ended: it maps no more, and when it was the owner all that waits is lost. Under the
/// object's mutex.
pub(super) fn bury(arena: &Arena, object: &Object, dead: SlotRef) {
    let block = tasks::details(object);
    if block == 0 {
        return;
    }
    for map in (0..MAX_MAPS_OF_POOL).map(|map| block + MAPS + map * 8) {
        if same_process(arena.get_word(map), dead) {
            arena.put_word(map, 0);
        }
    }
    let owner = SlotRef::from_bits(arena.get_word(block + SLOT));
    if owner.is_some_and(|owner| owner == dead || !arena.is_alive(owner)) {
        lose(arena, object, arena.get_word(block + OWNER));
    }
}

/// The tasks that wait, and those at which workers are, have lost the process that made the pool: its workers end with it. Under the
/// object's mutex.
fn lose(arena: &Arena, object: &Object, process: u64) {
    let lose = |task: &Object| future::lose_owner(arena, task, process);
    tasks::drain(arena, object, lose);
    tasks::each_current(arena, object, lose);
}

/// At the end of this process: the pools that it has made end with it. What waits for a worker, and what workers are at, is lost to whoever
/// asks for it; the workers are to be told to end then.
pub(in crate::process) fn end_all(arena: &Arena) {
    let me = arena::me();
    let pools = arena.held_by(me).into_iter();
    for id in pools.filter(|id| id.kind == ObjectKind::Pool) {
        if let Some(object) = arena.object(id) {
            end(arena, object, me);
        }
    }
}

fn end(arena: &Arena, object: &Object, me: SlotRef) {
    let block = tasks::details(object);
    if block == 0 || arena.get_word(block + SLOT) != me.to_bits() {
        return;
    }
    let guard = object.lock();
    arena.put_word(block + ENDING, 1);
    lose(arena, object, arena.get_word(block + OWNER));
    drop(guard);
    object.events[0].notify_all();
    object.events[1].notify_all();
}

/// Whether anybody is in the middle of a map over the pool.
pub(super) fn has_maps(arena: &Arena, object: &Object) -> bool {
    let block = tasks::details(object);
    block != 0 && (0..MAX_MAPS_OF_POOL).any(|map| arena.get_word(block + MAPS + map * 8) != 0)
}

/// The processes that are in the middle of a map over it.
pub(super) fn mapping<'a>(arena: &'a Arena, object: &Object) -> impl Iterator<Item = SlotRef> + 'a {
    let maps = tasks::details(object) + MAPS;
    let words = (0..MAX_MAPS_OF_POOL).map(move |map| arena.get_word(maps + map * 8));
    words.filter_map(SlotRef::from_bits)
}

/// Whether workers leave that have nothing to do for long.
pub(super) fn has_idle(arena: &Arena, object: &Object) -> bool {
    let block = tasks::details(object);
    block != 0 && arena.get_word(block + IDLE) != 0
}

impl Tasks {
    /// Where a worker says that it looks again and again for a task.
    pub fn attended(&self) -> Option<&'static AtomicU64> {
        let block = tasks::details(self.object());
        let arena = arena::get().filter(|_| block != 0)?;
        Some(arena.word_at(block + ATTENDED))
    }

    /// Behind a worker's wait for a task: what else waits may have woken nobody while it was looking.
    pub fn pass_on(&self) {
        let object = self.object();
        if tasks::cell(object, tasks::HEAD) < tasks::cell(object, tasks::TAIL_OF_RING) {
            object.events[0].notify(1);
        }
    }

    /// Before a task is handed in that needs so many functions and structs: workers that were made when there were fewer leave,
    /// and others come that know them.
    pub fn need_code(&self, code: [u32; 2]) {
        let block = tasks::details(self.object());
        if let Some(arena) = arena::get().filter(|_| block != 0 && code != [0; 2]) {
            for (word, count) in CODE.into_iter().zip(code) {
                let word = arena.word_at(block + word);
                word.fetch_max(count.into(), Ordering::AcqRel);
            }
        }
    }

    /// How many functions and structs a worker must know.
    pub(super) fn needed_code(&self, arena: &Arena) -> [u32; 2] {
        let block = tasks::details(self.object());
        CODE.map(|word| match block {
            0 => 0,
            block => arena.word_at(block + word).load(Ordering::Acquire) as u32,
        })
    }

    /// Says whether workers leave that have nothing to do for long.
    pub fn note_idle(&self, idle: bool) {
        let block = tasks::details(self.object());
        if let Some(arena) = arena::get().filter(|_| block != 0) {
            arena.put_word(block + IDLE, u64::from(idle));
        }
    }

    /// What holds for every task.
    pub fn limits(&self) -> Limits {
        let block = tasks::details(self.object());
        let Some(arena) = arena::get().filter(|_| block != 0) else {
            return Limits::default();
        };
        let timeout = f64::from_bits(arena.get_word(block + TIMEOUT));
        Limits {
            max_tasks: Some(arena.get_word(block + MAX_TASKS)).filter(|&tasks| tasks > 0),
            timeout: Some(timeout).filter(|&seconds| seconds > 0.0),
            retries: arena.get_word(block + RETRIES),
        }
    }

    /// The slot of the process that made it.
    pub fn owner(&self) -> Option<SlotRef> {
        let block = tasks::details(self.object());
        let arena = arena::get().filter(|_| block != 0)?;
        SlotRef::from_bits(arena.get_word(block + SLOT))
    }

    /// An error when the process that made it has ended: nothing that was handed in will ever be done.
    pub fn check_owner(&self) -> Result<()> {
        let (Some(arena), Some(owner)) = (arena::get(), self.owner()) else {
            return Ok(());
        };
        let block = tasks::details(self.object());
        if arena.is_alive(owner) && arena.get_word(block + ENDING) == 0 {
            return Ok(());
        }
        let process = arena.get_word(block + OWNER);
        // Its workers end with it, and it may take a while until somebody has buried them.
        let guard = self.object().lock();
        lose(arena, self.object(), process);
        drop(guard);
        Err(
            Error::new(codes::CLOSED, orphaned("a pool was to do a task", process))
                .with_help("make the pool in a process that lives as long as anybody uses it"),
        )
    }

    /// An error for handing something to a pool that takes no more.
    pub fn check_open(&self) -> Result<()> {
        self.check_owner()?;
        match self.closing() {
            Closing::Open => Ok(()),
            _ => Err(closed()),
        }
    }

    /// An error for changing a pool that takes no more.
    pub fn check_may_resize(&self) -> Result<()> {
        self.check_owner()?;
        match self.closing() {
            Closing::Open => Ok(()),
            _ => Err(
                Error::new(codes::CLOSED, "a pool was to be resized that is closed")
                    .with_help("resize it before `close()`, or make another pool"),
            ),
        }
    }

    /// An error for handing in more of a map that was begun: `close()` lets it go on, `terminate()` does not.
    pub fn check_running(&self) -> Result<()> {
        self.check_owner()?;
        match self.closing() {
            Closing::Terminated => Err(closed()),
            _ => Ok(()),
        }
    }

    /// Whether anybody is in the middle of a map over it.
    pub fn has_maps(&self) -> bool {
        arena::get().is_some_and(|arena| has_maps(arena, self.object()))
    }

    /// Notes that this process begins a map: until [`Tasks::end_map`] of the number that comes back the workers stay.
    ///
    /// Errors: `Closed`; `LimitError` when too many are at it.
    pub fn begin_map(&self) -> Result<u64> {
        let arena = arena::ensure()?;
        let object = self.object();
        let guard = object.lock();
        let maps = tasks::details(object) + MAPS;
        let map = (0..MAX_MAPS_OF_POOL).find(|map| arena.get_word(maps + map * 8) == 0);
        if let Some(map) = map {
            arena.put_word(maps + map * 8, arena::me().to_bits());
        }
        drop(guard);
        let Some(map) = map else {
            let message = format!(
                "at most {MAX_MAPS_OF_POOL} maps can run over one pool at a time, but this is one more"
            );
            return Err(Error::new(codes::LIMIT, message)
                .with_help("wait until one of them has ended, or make another pool"));
        };
        // Only now: who closes it from here on finds the map.
        match self.check_open() {
            Ok(()) => Ok(map),
            Err(error) => {
                self.end_map(map);
                Err(error)
            }
        }
    }

    /// Notes that a map of this process is over.
    pub fn end_map(&self, map: u64) {
        let (Some(arena), object) = (arena::get(), self.object()) else {
            return;
        };
        let guard = object.lock();
        arena.put_word(tasks::details(object) + MAPS + map * 8, 0);
        drop(guard);
        object.events[0].notify_all();
        object.events[1].notify_all();
    }
}

fn closed() -> Box<Error> {
    Error::new(codes::CLOSED, "a task was handed to a pool that is closed")
        .with_help("hand in all tasks before `close()`, or make another pool")
}

/// What is told of a pool whose owner has ended.
pub(super) fn orphaned(expected: &str, process: u64) -> String {
    let owner = HandleId::from_bits(process).and_then(Process::from_id);
    let who = owner.map_or_else(String::new, |owner| {
        format!(" {} (pid {})", owner.name(), owner.pid().unwrap_or(0))
    });
    format!("{expected}, but the process{who} that made the pool has ended")
}

/// The process that an arena slot belongs to, as the records of workers name it.
pub(super) fn same_process(bits: u64, process: SlotRef) -> bool {
    bits == process.to_bits()
}

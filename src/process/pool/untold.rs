//! Failed tasks that nobody has asked for. A pool lists them, so that the process that made it can tell of those for which nobody
//! can ask any more: a failure is never a mystery.
//!
//! A future says how it stands with that in one word, which only goes forward: from "tells" to listed (or, where the list has no
//! room, counted), and from any of them to asked. Everything else follows from this word, so a death in between leaves at most
//! an entry that the next look strikes out.

use super::future::{Future, State};
use super::tasks::{self, Tasks};
use crate::arena::kinds::Visitor;
use crate::arena::{self, Arena, HandleId, Object, Offset};
use crate::limits::MAX_UNTOLD;
use crate::process::record::{Record, SIGNALLED};
use std::sync::atomic::Ordering;

/// How it stands with telling of a task: a word of its future.
pub(super) mod standing {
    /// Its failure is told to who asks, in another way.
    pub const SILENT: u64 = 0;
    /// When it fails and nobody asks, that is told.
    pub const TELLS: u64 = 1;
    /// It has failed and is in the pool's list.
    pub const LISTED: u64 = 2;
    /// It has failed, and the list was full.
    pub const COUNTED: u64 = 3;
    /// Somebody has got its error.
    pub const ASKED: u64 = 4;
}

// Words in the block of a pool.
/// How many failures are not in the list.
const MORE: u64 = 0;
/// Not 0 while there may be something in the list.
const ANY: u64 = 8;
const LIST: u64 = 16;
pub(super) const SIZE: u64 = LIST + MAX_UNTOLD * 8;

fn entries(block: Offset) -> impl Iterator<Item = Offset> {
    (0..MAX_UNTOLD).map(move |entry| block + LIST + entry * 8)
}

/// Shows the collector the futures in the list.
pub(super) fn visit(arena: &Arena, block: Offset, visitor: &mut dyn Visitor) {
    for entry in entries(block) {
        if let Some(id) = HandleId::from_bits(arena.get_word(entry)) {
            visitor.handle(id);
        }
    }
}

/// Takes note that a task fails. Under the mutex of the pool's object.
pub(super) fn add(arena: &Arena, pool: &Object, bits: u64) {
    let block = tasks::untold(pool);
    let future = HandleId::from_bits(bits).and_then(|id| arena.object(id));
    let (Some(future), true) = (future, block != 0) else {
        return;
    };
    if super::future::standing(arena, future) != Some(standing::TELLS) {
        return;
    }
    let free = entries(block).find(|&entry| is_settled(arena, arena.get_word(entry)));
    let to = match free {
        Some(entry) => {
            arena.put_word(entry, bits);
            standing::LISTED
        }
        None => {
            arena.word_at(block + MORE).fetch_add(1, Ordering::AcqRel);
            standing::COUNTED
        }
    };
    let stands = super::future::stand(arena, future, standing::TELLS, to);
    if !stands && to == standing::COUNTED {
        // Somebody has asked meanwhile.
        arena.word_at(block + MORE).fetch_sub(1, Ordering::AcqRel);
    }
    arena.put_word(block + ANY, 1);
}

/// Whether there is nothing to tell of an entry: it is empty, its future is gone, or somebody has asked.
fn is_settled(arena: &Arena, bits: u64) -> bool {
    let object = HandleId::from_bits(bits).and_then(|id| arena.object(id));
    object.is_none_or(|object| {
        let asked = super::future::standing(arena, object) == Some(standing::ASKED);
        // It was tried again, and that went well.
        asked || super::future::is_over_in_order(object)
    })
}

/// Whether its worker died by a signal that the script has sent: that is no news, as for other processes.
fn was_ended_by_script(future: &Future) -> bool {
    future.state() == State::Died
        && future
            .died_with()
            .is_some_and(|process| Record::of(process.hold().object()).flags() & SIGNALLED != 0)
}

/// When it is looked whether there is something to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// In between: what anybody has a handle of may be asked for still.
    Running,
    /// When the process that made the pool ends, and asks for nothing more itself.
    AtEnd,
}

impl Tasks {
    /// Notes that a task is about to fail. Before it does, so that it cannot be asked for in between.
    pub fn note_failure(&self, task: &Future) {
        if let Some(arena) = arena::get() {
            let object = self.object();
            let _guard = object.lock();
            add(arena, object, task.id().to_bits());
        }
    }

    /// Whether a task may have failed that nobody has asked for: a look at a word.
    pub fn has_untold(&self) -> bool {
        let block = tasks::untold(self.object());
        block != 0 && arena::get().is_some_and(|arena| arena.get_word(block + ANY) != 0)
    }

    /// Takes out the failed tasks for which nobody will ask.
    pub fn take_untold(&self, look: Look) -> Vec<Future> {
        let block = tasks::untold(self.object());
        let Some(arena) = arena::get().filter(|_| block != 0) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        for entry in entries(block) {
            let bits = arena.get_word(entry);
            let Some(id) = HandleId::from_bits(bits).filter(|_| !is_settled(arena, bits)) else {
                continue;
            };
            if self.may_be_asked_for(arena, id, look) {
                continue;
            }
            let future = Future::from_id(id).filter(|future| future.state().is_final());
            let word = arena.word_at(entry);
            if let Some(future) = future
                && word
                    .compare_exchange(bits, 0, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            {
                future.note_asked();
                if !was_ended_by_script(&future) {
                    taken.push(future);
                }
            }
        }
        let _guard = self.object().lock();
        let mut all = entries(block);
        if arena.get_word(block + MORE) == 0
            && all.all(|entry| is_settled(arena, arena.get_word(entry)))
        {
            arena.put_word(block + ANY, 0);
        }
        taken
    }

    /// How many failures there were that nobody has asked for and that are not in the list, and forgets them.
    pub fn take_uncounted(&self) -> u64 {
        let block = tasks::untold(self.object());
        arena::get().filter(|_| block != 0).map_or(0, |arena| {
            arena.word_at(block + MORE).swap(0, Ordering::AcqRel)
        })
    }

    /// A task that was counted has been asked for.
    pub(super) fn uncount(&self) {
        let block = tasks::untold(self.object());
        if let Some(arena) = arena::get().filter(|_| block != 0) {
            let less = |count: u64| count.checked_sub(1);
            let word = arena.word_at(block + MORE);
            let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        }
    }

    /// Whether anybody has the future, or could take it out of something.
    fn may_be_asked_for(&self, arena: &Arena, id: HandleId, look: Look) -> bool {
        let me = arena::me();
        let at_end = look == Look::AtEnd;
        let is_held = arena
            .processes()
            .any(|process| !(at_end && process == me) && arena.holds(process, id));
        let is_main = arena.main_pid() == crate::os::fork::pid();
        is_held
            || !(at_end && is_main)
                && arena
                    .contents()
                    .containers()
                    .of(id)
                    .iter()
                    .any(|&outer| outer != self.id())
    }
}

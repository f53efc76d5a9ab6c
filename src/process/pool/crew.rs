//! The workers of a pool, as whoever has it sees them: which of them live, which leave, and how one died.

use super::tasks::{
    BARREN, CURRENT, DOOMED, HEAD, LEAVING, PROCESS, READY, TAIL_OF_RING, TASKS, Tasks, cell,
    process_of, room_of,
};
use crate::arena::{self, HandleId, SlotRef};
use crate::process::Process;

impl Tasks {
    /// The task that a worker is at.
    pub fn current(&self, worker: u64) -> Option<HandleId> {
        HandleId::from_bits(self.read(worker, CURRENT))
    }

    /// Whether a worker of this number lives, or may still begin.
    pub fn has_worker(&self, worker: u64) -> bool {
        self.read(worker, PROCESS) != 0
    }

    /// The worker that is at a task, to be ended: from here on it takes no other.
    pub(super) fn doom_worker_at(&self, task: HandleId) -> Option<Process> {
        let (arena, object) = (arena::get()?, self.object());
        let guard = object.lock();
        let found = (0..room_of(arena, object))
            .find(|&worker| self.read(worker, CURRENT) == task.to_bits());
        let process = found.and_then(|worker| {
            self.record(worker, DOOMED, 1);
            SlotRef::from_bits(self.read(worker, PROCESS))
        });
        drop(guard);
        process.and_then(|slot| process_of(arena, slot))
    }

    /// All workers that live, as whatever process sees them.
    pub fn crew(&self) -> Vec<Process> {
        let slots = (0..self.room()).map(|worker| SlotRef::from_bits(self.read(worker, PROCESS)));
        let arena = arena::get();
        slots
            .flatten()
            .filter_map(|slot| process_of(arena?, slot))
            .collect()
    }

    /// Whether a worker that had nothing to do for long may leave: not while there is something to do, and not as the last. True
    /// when it takes nothing from here on.
    pub fn may_retire(&self, worker: u64) -> bool {
        let object = self.object();
        let _guard = object.lock();
        let stays = |other: &u64| {
            *other != worker && self.read(*other, PROCESS) != 0 && self.read(*other, DOOMED) == 0
        };
        let may = cell(object, HEAD) >= cell(object, TAIL_OF_RING)
            && (0..self.workers()).any(|other| stays(&other));
        if may {
            self.record(worker, DOOMED, LEAVING);
        }
        may
    }

    /// Says that a worker leaves in order: it takes nothing from here on. False when its task was cancelled.
    pub fn note_leaving(&self, worker: u64) -> bool {
        let _guard = self.object().lock();
        let may = [0, LEAVING].contains(&self.read(worker, DOOMED));
        if may {
            self.record(worker, DOOMED, LEAVING);
        }
        may
    }

    /// Whether a worker had begun to leave in order.
    pub fn is_leaving(&self, worker: u64) -> bool {
        self.read(worker, DOOMED) == LEAVING
    }

    /// Whether another worker than the given one has nothing to do, and nothing waits for it.
    pub fn has_idle_beside(&self, worker: u64) -> bool {
        let object = self.object();
        let is_idle = |other: u64| {
            [CURRENT, DOOMED]
                .iter()
                .all(|&field| self.read(other, field) == 0)
                && [PROCESS, READY]
                    .iter()
                    .all(|&field| self.read(other, field) != 0)
        };
        cell(object, HEAD) >= cell(object, TAIL_OF_RING)
            && (0..self.workers()).any(|other| other != worker && is_idle(other))
    }

    /// How many workers live.
    pub fn crew_size(&self) -> usize {
        (0..self.room())
            .filter(|&worker| self.has_worker(worker))
            .count()
    }

    /// Whether a worker died before it had begun anything: in its `init`, or between a task and its first step.
    pub fn died_idly(&self, worker: u64) -> bool {
        self.read(worker, READY) == 0 || self.read(worker, BARREN) != 0
    }

    /// Calls that all workers together have worked off.
    pub fn worked_off(&self) -> u64 {
        (0..self.room())
            .map(|worker| self.read(worker, TASKS))
            .sum()
    }
}

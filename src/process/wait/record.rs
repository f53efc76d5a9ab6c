//! What a process writes down of its wait while it is in it, for whoever looks: a search for deadlocks, a person.

use super::{Awaited, WaitSpec, ends_by_itself, stream_ended};
use crate::arena::table::{MAX_WAIT_OBJECTS, Slot};
use crate::arena::{self, Arena, Offset};
use crate::diag::Result;
use crate::process::pool::tail;
use crate::process::{deadlock, place};
use std::sync::atomic::{Ordering, fence};

/// The wait record of this process while it is in a wait; dropping it ends the wait.
pub(super) struct Record<'a> {
    pub(super) slot: &'a Slot,
    spec: &'a WaitSpec<'a>,
    epoch: u64,
    /// The block with the objects when they are many, or with the program.
    list: Offset,
}

impl<'a> Record<'a> {
    pub(super) fn write(arena: &'a Arena, spec: &'a WaitSpec<'a>, since: u64) -> Record<'a> {
        let slot = arena.slot(arena::me().index);
        let wait = &slot.wait;
        // Whoever sees a word of this wait must not take it for one of the last.
        fence(Ordering::SeqCst);
        wait.operation
            .store(spec.operation as u32, Ordering::Relaxed);
        wait.count
            .store(spec.objects.len() as u32, Ordering::Relaxed);
        tail::note_place(spec.place);
        let (source, range) = place::pack(spec.place);
        wait.place_source.store(source as u32, Ordering::Relaxed);
        wait.place_range.store(range, Ordering::Relaxed);
        wait.since.store(since, Ordering::Relaxed);
        let deadline = ends_by_itself(spec).unwrap_or(0);
        wait.deadline.store(deadline, Ordering::Relaxed);
        for (cell, awaited) in wait.objects.iter().zip(spec.objects) {
            cell.store(awaited.id.to_bits(), Ordering::Relaxed);
        }
        let list = match spec.program {
            Some(program) => program.write(arena),
            None if spec.objects.len() > MAX_WAIT_OBJECTS => write_list(arena, spec.objects),
            None => 0,
        };
        wait.list.store(list, Ordering::Relaxed);
        let text = spec.program.map_or(0, |program| program.label.len());
        wait.text.store(text as u32, Ordering::Relaxed);
        for (at, awaited) in spec.objects.iter().enumerate() {
            let side = awaited.side & 1;
            // First counted, then noted: a death in between leaves a count too high, which is harmless.
            awaited.object.events[side].announce();
            crate::crash_point!("wait: announced");
            if at < MAX_WAIT_OBJECTS {
                wait.announced
                    .fetch_or(1 << (2 * at + side), Ordering::SeqCst);
            }
        }
        slot.cells[deadlock::AWAKE_CELL].store(1, Ordering::Relaxed);
        let epoch = wait.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        crate::crash_point!("wait: recorded");
        Record {
            slot,
            spec,
            epoch,
            list,
        }
    }

    /// Somebody who looked for deadlocks may have found that nothing can come to us any more.
    pub(super) fn check_verdict(&self, spec: &WaitSpec<'_>) -> Result<()> {
        if spec.ends_stream
            && self.slot.cells[deadlock::VERDICT_CELL].load(Ordering::Acquire) == self.epoch
        {
            return Err(stream_ended(spec));
        }
        Ok(())
    }
}

impl Record<'_> {
    pub(super) fn tell_willing(&self) {
        self.slot.cells[deadlock::WILLING_CELL].store(self.epoch, Ordering::SeqCst);
    }

    pub(super) fn is_asked_to_collect(&self) -> bool {
        self.slot.cells[deadlock::COLLECT_CELL].load(Ordering::SeqCst) == self.epoch
    }

    /// Whether somebody found that this wait is part of a deadlock, and that it is for us to tell.
    pub(super) fn is_asked_to_look(&self) -> bool {
        let cell = &self.slot.cells[deadlock::LOOK_CELL];
        if cell.load(Ordering::Relaxed) != self.epoch {
            return false;
        }
        cell.store(0, Ordering::Relaxed);
        true
    }
}

/// Writes the handles of a long list into a block; 0 when there is no room. Such a wait is left out of deadlock detection.
#[cold]
fn write_list(arena: &Arena, objects: &[Awaited<'_>]) -> Offset {
    let Ok(block) = arena.alloc(objects.len() as u64 * 8) else {
        return 0;
    };
    for (at, awaited) in (block..).step_by(8).zip(objects) {
        arena.put_word(at, awaited.id.to_bits());
    }
    block
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.slot.wait.epoch.fetch_add(1, Ordering::SeqCst);
        crate::crash_point!("wait: over");
        for (at, awaited) in self.spec.objects.iter().enumerate() {
            let side = awaited.side & 1;
            if at < MAX_WAIT_OBJECTS {
                self.slot
                    .wait
                    .announced
                    .fetch_and(!(1 << (2 * at + side)), Ordering::SeqCst);
            }
            crate::crash_point!("wait: struck out");
            awaited.object.events[side].withdraw();
        }
        if self.list != 0
            && let Some(arena) = arena::get()
        {
            arena.free(self.list);
        }
    }
}

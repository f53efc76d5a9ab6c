//! Safe points: interrupts, limits, collections; and what the collector starts from.

#![allow(unsafe_code)]

use super::call::SLACK;
use super::state::Machine;
use super::unwind::clear;
use crate::diag::{self, codes};
use crate::process::signals;
use crate::room;
use crate::value::Value;
use crate::value::native::{Fault, Outcome};
use std::sync::atomic::Ordering;

/// Calls and back-edges between two looks at the flags: some tens of microseconds.
const INTERVAL: i32 = 10_000;
/// So many shortages one after the other may find hardly any garbage.
const MOST_VAIN: u32 = 8;

impl Machine {
    /// Looks at everything when the countdown has run out; the loop has counted already.
    pub(super) fn safe_point(&mut self) -> Outcome<()> {
        if self.heap.budget > 0 {
            return Ok(());
        }
        self.attend()
    }

    /// Looks at everything that wants attention; for the loop, whose frame is the one on top. When something was just made that must
    /// not be lost, not here but at the next call or back-edge: in `kept.push(spawn f())` a cancellation between the two calls
    /// would leave a process that nobody knows. What raises nothing is done here all the same: a loop may come to no other place.
    #[cold]
    pub(super) fn attend(&mut self) -> Outcome<()> {
        self.top = self.frame_top();
        if std::mem::take(&mut self.holds_off) {
            if self.heap.wanted {
                // What is left of the countdown is not counted as steps.
                self.armed -= self.heap.cut.max(self.heap.budget).max(0);
                self.collect();
                self.heap.budget = 0;
            }
            return Ok(());
        }
        self.look()
    }

    /// Looks at everything that wants attention. Slots from `top` on are not in use.
    pub(super) fn look(&mut self) -> Outcome<()> {
        let used = self.count_steps();
        self.arm();
        if let Some(fuel) = &mut self.fuel {
            let left = fuel.checked_sub(used);
            *fuel = left.unwrap_or(0);
            if left.is_none() || left == Some(0) {
                self.arm();
                let message = "the script used up the steps that it was given";
                return Err(diag::Error::new(codes::LIMIT, message).into());
            }
            self.arm();
        }
        if self.interrupt.swap(false, Ordering::Relaxed) {
            return Err(diag::Error::new(codes::INTERRUPTED, "interrupted").into());
        }
        if self.hooks.wants_place.is_some_and(|wants| wants())
            && let Some(tell) = self.hooks.tell_place
        {
            tell(self.current_place());
        }
        if let Some(poll) = self.hooks.poll
            && let Some(error) = poll()
        {
            return Err(Fault::Error(error));
        }
        if signals::is_memory_short() {
            self.relieve()?;
        }
        let shared_wants = self.hooks.wants_collection.is_some_and(|wants| wants());
        if self.heap.wanted || self.stress || shared_wants {
            self.collect();
            if let Some(collected) = self.hooks.collected.filter(|_| shared_wants) {
                collected();
            }
            if self.heap.over_limit() {
                let message = "the script holds more memory than it may";
                return Err(diag::Error::new(codes::LIMIT, message).into());
            }
        }
        Ok(())
    }

    /// The system has refused memory, or what was kept back for that has been touched.
    #[cold]
    fn relieve(&mut self) -> Outcome<()> {
        let wanted = room::take_wanted();
        let used = self.heap.used();
        if !self.collect() {
            // Somebody waits for this process to end what it is at; it is looked at again after that.
            signals::tell_memory_is_short();
            return Ok(());
        }
        let is_back = signals::is_memory_back();
        if wanted > 0 && !room::is_there(wanted) {
            return Err(room::error("the script", wanted).into());
        }
        // With hardly any garbage the next shortage is near: a script must not spend its time on collections.
        self.vain = match self.heap.used() > used / 8 * 7 {
            true => self.vain + 1,
            false => 0,
        };
        let is_enough = self.vain > MOST_VAIN;
        if is_enough || !is_back && signals::is_shortage_news() {
            self.vain = 0;
            return Err(signals::memory_used_up().into());
        }
        Ok(())
    }

    /// After a step that may have taken long (native code, a shared object): when a signal has come meanwhile, the next call
    /// or back-edge looks at it. The countdown alone would let ten thousand such steps pass.
    #[inline(always)]
    pub(super) fn notice(&mut self) {
        if signals::poll_word().load(Ordering::Relaxed) != 0 {
            self.hurry();
        }
    }

    #[cold]
    fn hurry(&mut self) {
        if !self.heap.wanted {
            // What is left of the countdown is not counted as steps.
            self.armed -= self.heap.budget.max(0);
            self.heap.budget = 0;
        }
    }

    /// Looks now when a signal has come. Before deferred calls are taken to run: what is raised now does not cost one of them.
    #[inline(always)]
    pub(super) fn look_if_signalled(&mut self) -> Outcome<()> {
        match signals::poll_word().load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => self.attend(),
        }
    }

    /// How many steps ran since the countdown was set.
    fn count_steps(&mut self) -> u64 {
        let left = match self.heap.wanted {
            true => self.heap.cut.max(self.heap.budget),
            false => self.heap.budget,
        };
        u64::try_from(i64::from(self.armed) - i64::from(left.max(0))).unwrap_or(0)
    }

    fn arm(&mut self) {
        let most = match self.fuel {
            Some(fuel) => fuel.clamp(1, INTERVAL as u64) as i32,
            None => INTERVAL,
        };
        #[cfg(feature = "jit")]
        let most = if self.jit.eager { most.min(3) } else { most };
        self.armed = if self.stress { 1 } else { most };
        self.heap.budget = self.armed;
    }

    /// Frees what the script cannot reach.
    /// False when that was given up (see [`crate::value::heap::Heap::collect`]).
    pub fn collect(&mut self) -> bool {
        let (start, top) = (self.stack.start(), self.top);
        let globals = self.globals.start();
        let count = self.globals_used;
        let (protos, structs) = (&self.protos, &self.structs);
        let (protected, constants) = (&self.protected, &self.kept);
        let is_done = self.heap.collect(|marker| {
            let mut slot = start;
            while slot < top {
                // SAFETY: slots below `top` hold values: those of frames, and those that were never written are Undef.
                marker.value(unsafe { *slot });
                slot = slot.wrapping_add(1);
            }
            for i in 0..count {
                // SAFETY: inside the globals' memory.
                marker.value(unsafe { *globals.add(i) });
            }
            for proto in protos {
                proto
                    .constants
                    .iter()
                    .for_each(|&value| marker.value(value));
            }
            structs.iter().flatten().for_each(|&of| marker.object(of));
            protected.iter().for_each(|&value| marker.value(value));
            constants.iter().for_each(|&value| marker.value(value));
        });
        if is_done && !signals::is_memory_back() {
            self.heap.give_back();
            signals::trim_memory();
            signals::is_memory_back();
        }
        // What stands above the top may refer to what was just freed: nobody may find it there later.
        let end = self.stack.end().min(self.soft_limit.wrapping_add(SLACK));
        // SAFETY: from `top` to `end` is inside the stack and not in use.
        unsafe { clear(top, end) };
        self.soft_limit = top;
        is_done
    }

    /// Adds a value that is never let go.
    pub fn keep(&mut self, value: Value) {
        self.kept.push(value);
    }
}

//! Telling of failed tasks for which nobody will ask: as soon as nobody has their futures any more, or at the end of the process
//! that made the pool.

use super::Pool;
use crate::os::clock;
use crate::process::finish;
use crate::process::pool::untold::Look;
use crate::value::native::Context;
use std::cell::Cell;

/// When it is looked next.
#[derive(Default)]
pub(super) struct Telling {
    next: Cell<u64>,
    /// Nanoseconds between two looks.
    gap: Cell<u64>,
    /// Futures of failed tasks may be garbage: the collector is to look.
    asks: Cell<bool>,
}

/// The shortest and the longest time between two looks for futures that nobody has: each goes over all objects.
const LEAST_GAP: u64 = 50_000_000;
const MOST_GAP: u64 = 2_000_000_000;

impl Pool {
    /// Whether it is time to look for failures to be told.
    pub(super) fn may_tell(&self) -> bool {
        self.tasks.has_untold() && clock::now() >= self.telling.next.get()
    }

    /// Tells of failed tasks for which nobody will ask.
    pub(super) fn tell(&self, look: Look) {
        if !self.tasks.has_untold() {
            return;
        }
        let failures = self.tasks.take_untold(look);
        let more = match look {
            Look::Running => 0,
            Look::AtEnd => self.tasks.take_uncounted(),
        };
        let told = !failures.is_empty();
        finish::tell_of_tasks(&failures, more);
        let gap = match told {
            true => LEAST_GAP,
            false => (self.telling.gap.get() * 2).clamp(LEAST_GAP, MOST_GAP),
        };
        self.telling.gap.set(gap);
        self.telling.next.set(clock::now() + gap);
        self.telling.asks.set(!told);
    }

    /// Where the script is: lets the collector look for futures that nobody has, when there are failures to be told.
    pub(super) fn look_for_unasked(&self, context: &mut dyn Context) {
        if self.telling.asks.replace(false) {
            context.heap().ask();
        }
    }

    /// At the end of the pool: what has failed is told soon.
    pub(super) fn hurry_telling(&self, context: &mut dyn Context) {
        if self.tasks.has_untold() {
            self.telling.next.set(0);
            context.heap().ask();
        }
    }
}

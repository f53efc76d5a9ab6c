//! Waking those who wait at the other side of a channel, and not more often than it helps.
//!
//! Who is woken for one message, or for room for one, deals with it and sleeps again: where processes are more than
//! processors, each message then costs two changes of processes and a call of the kernel. So while somebody who was woken is
//! on his way, others are left asleep for a moment. None is forgotten: who leaves one asleep owes it a waking, and pays at the
//! next safe point of his script, before he waits himself, or at his end ([`pay`]); who comes out of a wait passes it on when
//! there is more to do (`wait::pass_on`); and whoever is killed meanwhile costs the others one slice of their sleep.

use super::{Channel, PUTTERS, TAKERS, at};
use crate::arena;
use crate::os::{clock, cpu};
use std::sync::atomic::{AtomicU64, Ordering};

/// A queue of this many messages is long: while putters wait there is enough for takers to go on with.
const LONG: u64 = 64;
/// Nanoseconds within which one waking at a side is enough.
const PAUSE: u64 = 50_000;
/// The same for putters while over half of a long queue waits.
const FULL_PAUSE: u64 = 1_000_000;

/// Whom this process owes a waking: twice the place of the object in its table, plus the side, plus 1; 0 for nobody.
static OWED: AtomicU64 = AtomicU64::new(0);

/// Wakes whom this process left asleep.
#[inline]
pub fn pay() {
    if OWED.load(Ordering::Relaxed) != 0 {
        pay_now();
    }
}

#[cold]
fn pay_now() {
    let owed = OWED.swap(0, Ordering::Relaxed);
    if let (Some(arena), Some(owed)) = (arena::get(), owed.checked_sub(1)) {
        let side = (owed & 1) as usize;
        arena.entry((owed >> 1) as u32).events[side].notify(1);
    }
}

impl Channel<'_> {
    /// After a put: wakes a taker.
    #[inline]
    pub(super) fn tell_taker(&self) {
        if self.are_waiting(TAKERS) {
            self.tell_waiting_taker();
        }
    }

    #[cold]
    fn tell_waiting_taker(&self) {
        // Its length stands in the takers' cache line: once a waking is owed, only time counts for a moment.
        if self.owes(TAKERS) && !self.is_due(at::TOLD_TAKERS, PAUSE) {
            return;
        }
        if self.len() <= 1 || self.is_due(at::TOLD_TAKERS, PAUSE) || !self.owe(TAKERS) {
            self.set(at::TOLD_TAKERS, clock::now());
            self.notify(TAKERS, 1);
        }
    }

    /// After a take from a channel with a capacity: wakes a putter.
    #[inline]
    pub(super) fn tell_putter(&self) {
        if self.are_waiting(PUTTERS) {
            self.tell_waiting_putter();
        }
    }

    #[cold]
    fn tell_waiting_putter(&self) {
        if self.get(at::JOINERS) != 0 {
            return self.notify(PUTTERS, u32::MAX);
        }
        let capacity = self.capacity();
        // There is at least what this side has seen; the putters' counter stands in their cache line.
        let is_empty = self.get(at::SEEN_TAIL) <= self.get(at::HEAD);
        let is_soon = capacity >= LONG && !is_empty && !self.is_due(at::TOLD_PUTTERS, PAUSE);
        if is_soon && self.owe(PUTTERS) {
            return;
        }
        let waiting = self.len();
        let due = match waiting {
            0 => true,
            _ if capacity < LONG => true,
            _ if waiting > capacity / 2 => self.is_due(at::TOLD_PUTTERS, FULL_PAUSE),
            _ => self.is_due(at::TOLD_PUTTERS, PAUSE),
        };
        if due || !self.owe(PUTTERS) {
            self.set(at::TOLD_PUTTERS, clock::now());
            self.notify(PUTTERS, 1);
        }
    }

    /// How a waking at a side is noted; `None` where nobody can wait.
    fn debt(&self, side: usize) -> Option<u64> {
        let place = self.arena.place_of(self.object?);
        Some(u64::from(place) * 2 + side as u64 + 1)
    }

    /// Whether this process owes a waking at a side.
    fn owes(&self, side: usize) -> bool {
        self.debt(side) == Some(OWED.load(Ordering::Relaxed))
    }

    /// Notes that somebody was left asleep at a side; false when this process owes another a waking already.
    fn owe(&self, side: usize) -> bool {
        let Some(debt) = self.debt(side) else {
            return true;
        };
        let before = OWED.compare_exchange(0, debt, Ordering::Relaxed, Ordering::Relaxed);
        before.is_ok() || before == Err(debt)
    }

    #[inline]
    fn are_waiting(&self, side: usize) -> bool {
        // As in `EventWord::notify`: the state's stores come before the load.
        cpu::full_fence();
        self.object
            .is_some_and(|object| object.events[side & 1].waiting() != 0)
    }

    fn is_due(&self, told: u64, pause: u64) -> bool {
        // Another process may have told later than our clock was read.
        clock::now().saturating_sub(self.word(told).load(Ordering::Relaxed)) >= pause
    }
}

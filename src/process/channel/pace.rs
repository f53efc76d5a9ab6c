//! Falling behind on purpose: a taker that is just as fast as its putter.
//!
//! Such a taker finds one message whenever it looks, and for each look the cache line with the putter's counter travels to it
//! and back. A short pause lets some messages gather, after which it stays behind by as many and takes them without a look.
//! It pauses only after several messages in a row that were there at once and alone (who had to wait for his message would
//! wait longer for nothing), and leaves it for a while when nothing has gathered.

use super::{Channel, at};
use crate::os::cpu;
use std::sync::atomic::{AtomicI64, Ordering};

/// How many looks in a row of this process have found one message or two.
static FEW: AtomicI64 = AtomicI64::new(0);
/// After so many it pauses.
const STREAK: i64 = 8;
/// After a pause in which nothing gathered it does so only this many looks later.
const REST: i64 = 64;
/// How long a pause takes, in pauses of the processor: about half a microsecond, while a put takes a tenth.
const PAUSES: u32 = 32;

/// What a taker does about its pace; by whether it has to look at the putter's counter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// There is more of what it has seen.
    Behind,
    /// It looks.
    Looking,
    /// It has paused, and looks.
    Paused,
}

impl Channel<'_> {
    /// Before a take: pauses when that pays.
    #[inline]
    pub(super) fn pace(&self) -> Pace {
        // Words of the takers' own line, read without their lock: this is about speed only.
        if self.get(at::HEAD) != self.get(at::SEEN_TAIL) {
            return Pace::Behind;
        }
        if FEW.load(Ordering::Relaxed) < STREAK || !cpu::can_spin() {
            return Pace::Looking;
        }
        for _ in 0..PAUSES {
            std::hint::spin_loop();
        }
        Pace::Paused
    }

    /// Notes that a look has found the message of a number, and how many more. Under the takers' lock.
    #[inline]
    pub(super) fn note_found(&self, pace: Pace, head: u64) {
        let few = self.get(at::SEEN_TAIL).saturating_sub(head) <= 2;
        let before = FEW.load(Ordering::Relaxed);
        let now = match (pace, few) {
            (Pace::Looking, true) => before.saturating_add(1),
            (Pace::Paused, true) => -REST,
            _ => return,
        };
        FEW.store(now, Ordering::Relaxed);
    }

    /// Notes that a look has found nothing.
    #[inline]
    pub(super) fn note_empty() {
        FEW.store(0, Ordering::Relaxed);
    }
}

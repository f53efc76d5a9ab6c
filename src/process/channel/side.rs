//! The lock of one side of a channel: one word that names the slot of its holder.
//!
//! Putters and takers of a channel do not disturb each other, so an object needs two locks, in a block whose memory is
//! put to other uses later. A robust mutex may not stand there (the kernel writes to it when its holder dies); a word
//! with the holder's slot may, because whoever waits for it can ask the process table whether the holder lives.

use crate::arena::{self, Arena, Offset, SlotRef};
use crate::os::cpu;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Looks at a taken word before the processor is given to somebody else: a section is shorter than this.
const SPINS: u32 = 200;
/// Times that the processor is given away before sleeping.
const YIELDS: u32 = 50;
/// How long one sleep takes: a holder that was put off its processor comes back within a few of them.
const NAP: Duration = Duration::from_micros(100);

/// Holding a side; dropping it lets go.
pub(super) struct SideGuard<'a> {
    word: &'a AtomicU64,
    /// The last holder died with it: what it guards may be half changed.
    pub owner_died: bool,
}

/// Takes the side whose word stands at an offset.
#[inline]
pub(super) fn lock(arena: &Arena, word: Offset) -> SideGuard<'_> {
    let word = arena.word_at(word);
    let me = arena::me().to_bits();
    // Acquire pairs with the release in `drop`: we see what the last holder wrote.
    let owner_died = match word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => false,
        Err(_) => lock_slowly(arena, word, me),
    };
    SideGuard { word, owner_died }
}

/// True when the last holder died.
#[cold]
fn lock_slowly(arena: &Arena, word: &AtomicU64, me: u64) -> bool {
    let spins = if cpu::can_spin() { SPINS } else { 1 };
    let mut round = 0;
    loop {
        for _ in 0..spins {
            let owner = word.load(Ordering::Relaxed);
            if owner == 0
                && word
                    .compare_exchange_weak(0, me, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return false;
            }
            std::hint::spin_loop();
        }
        let owner = word.load(Ordering::Relaxed);
        if let Some(holder) = SlotRef::from_bits(owner)
            && !arena.is_alive(holder)
            && word
                .compare_exchange(owner, me, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        {
            return true;
        }
        round += 1;
        if round <= YIELDS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(NAP);
        }
    }
}

impl Drop for SideGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.word.store(0, Ordering::Release);
    }
}

//! The lock of one side of a channel: one word that names the slot of its holder.
//!
//! Putters and takers of a channel do not disturb each other, so an object needs two locks, in a block whose memory is
//! put to other uses later. A robust mutex may not stand there (the kernel writes to it when its holder dies); a word
//! with the holder's slot may, because whoever waits for it can ask the process table whether the holder lives.

use crate::arena::word::Word;
use crate::arena::{self, Arena, Offset, SlotRef};
use crate::os::cpu;
use crate::os::stopped::Keeper;
use std::cell::{Cell, RefCell};
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
    let (has_napped, keeper) = (Cell::new(false), RefCell::new(Keeper::default()));
    let lives = |holder: u64| {
        let Some(slot) = SlotRef::from_bits(holder).filter(|&slot| arena.is_alive(slot)) else {
            return false;
        };
        if has_napped.get() {
            let pid = arena.slot(slot.index).pid.load(Ordering::Acquire);
            let still = || word.load(Ordering::Acquire) == holder;
            keeper.borrow_mut().look(pid, still);
        }
        true
    };
    acquire(word, me, lives, |round| {
        std::hint::spin_loop();
        if round % spins != 0 {
            return false;
        }
        if round / spins <= YIELDS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(NAP);
            has_napped.set(true);
        }
        true
    })
}

/// Takes a lock word for a process (`SlotRef::to_bits`), whoever has it: when he lives, waits until he lets go; when he died,
/// takes it from him and says true. `rest` is called after each look, with the number of looks, and tells whether it is time to
/// ask whether the holder lives.
pub fn acquire<W: Word>(
    word: &W,
    me: u64,
    lives: impl Fn(u64) -> bool,
    mut rest: impl FnMut(u32) -> bool,
) -> bool {
    let mut round = 0_u32;
    loop {
        let owner = word.load(Ordering::Relaxed);
        let taken = || {
            // Acquire pairs with the release of the last holder: we see what he wrote.
            word.compare_exchange(owner, me, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        };
        if owner == 0 {
            if taken() {
                return false;
            }
            continue;
        }
        round = round.wrapping_add(1);
        if rest(round) && !lives(owner) && taken() {
            return true;
        }
    }
}

/// Lets go of a lock word.
#[inline]
pub fn release<W: Word>(word: &W) {
    word.store(0, Ordering::Release);
}

impl Drop for SideGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        release(self.word);
    }
}

//! The states of a slot of the process table: one word with the state and how often the slot was used.
//!
//! free(g) -> starting(g + 1) -> running -> dead -> free. Everything else about a life is its lock: a slot is claimed before
//! the fork, the child takes the lock and says so, and whoever finds the lock of a running slot free buries it.

use super::table::State;
use super::word::Word;
use std::sync::atomic::Ordering;

fn bits(generation: u32, state: State) -> u64 {
    u64::from(generation) << 32 | state as u64
}

/// State and generation.
#[inline]
pub fn read<W: Word>(head: &W) -> (State, u32) {
    let bits = head.load(Ordering::Acquire);
    let state = match bits as u8 {
        1 => State::Starting,
        2 => State::Running,
        3 => State::Dead,
        _ => State::Free,
    };
    (state, (bits >> 32) as u32)
}

/// One step of the life of a generation; false when it is not in the state `from` (any more).
pub fn step<W: Word>(head: &W, generation: u32, from: State, to: State) -> bool {
    let (old, new) = (bits(generation, from), bits(generation, to));
    head.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// Takes a free slot for a process that is about to be forked; its generation.
pub fn claim<W: Word>(head: &W) -> Option<u32> {
    let (state, generation) = read(head);
    if state != State::Free {
        return None;
    }
    let next = generation.wrapping_add(1);
    let (old, new) = (bits(generation, State::Free), bits(next, State::Starting));
    head.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
        .then_some(next)
}

/// In the new process: takes the life lock for good and says so. False when the slot was taken away because the parent died.
pub fn begin<W: Word>(head: &W, generation: u32, take_life: impl FnOnce()) -> bool {
    take_life();
    step(head, generation, State::Starting, State::Running)
}

/// Takes a slot for its burial, with its life lock: only a process that is dead or has not come to its life lock lets us.
/// `None` when it lives after all, or begins to live at this moment (and will find that it may not).
pub fn bury<W: Word, L>(
    head: &W,
    generation: u32,
    try_life: impl FnOnce() -> Option<L>,
) -> Option<L> {
    let (state, now) = read(head);
    if now != generation {
        return None;
    }
    // From here a child that is still on its way to its life lock cannot begin: this step is the same as its own.
    if state == State::Starting && !step(head, generation, State::Starting, State::Running) {
        return None;
    }
    let life = try_life()?;
    // The life lock is ours now: who asks whether the dead lives must not take us for it.
    step(head, generation, State::Running, State::Dead);
    Some(life)
}

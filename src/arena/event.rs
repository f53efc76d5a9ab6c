//! Event words: what waiters sleep on, and how they are woken.

use crate::os::{cpu, futex};
use std::sync::atomic::{AtomicU32, Ordering};

/// A place to wait at. Each object has two (a queue: "an item came", "room came"), each process slot has its own.
///
/// Protocol: a waiter announces itself, reads the word, tries its condition, and sleeps while the word is unchanged; who
/// makes a condition true changes the state first and calls [`EventWord::notify`] afterwards. Only waiters count: with
/// none announced, a notification is one fence and one load.
#[repr(C)]
#[derive(Default)]
pub struct EventWord {
    sequence: AtomicU32,
    /// Announced waiters. A waiter that dies leaves the count too high until it is buried: the order of
    /// announcing (count, then record) and leaving (record, then count) only errs that way, which costs wakers a
    /// needless system call and never a missed one.
    waiters: AtomicU32,
}

impl EventWord {
    /// The word to sleep on.
    pub fn word(&self) -> &AtomicU32 {
        &self.sequence
    }

    /// The value to sleep with; to be read before the condition is tried.
    pub fn seen(&self) -> u32 {
        self.sequence.load(Ordering::SeqCst)
    }

    /// Announces a waiter. Only the waiting place calls it.
    pub fn announce(&self) {
        self.waiters.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes an announcement back; also done for the dead.
    pub fn withdraw(&self) {
        let _ = self
            .waiters
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                count.checked_sub(1)
            });
    }

    /// Waiters that are announced: exact but for those that died a moment ago.
    pub fn waiting(&self) -> u32 {
        self.waiters.load(Ordering::SeqCst)
    }

    /// Wakes up to `count` waiters after the state has been changed; nothing is done when nobody waits.
    #[inline]
    pub fn notify(&self, count: u32) {
        // The state's stores must come before the load: either we see the waiter, or its condition sees the state.
        cpu::full_fence();
        if self.waiters.load(Ordering::Relaxed) != 0 {
            self.wake(count);
        }
    }

    /// Wakes all waiters after the state has been changed.
    pub fn notify_all(&self) {
        self.notify(u32::MAX);
    }

    #[cold]
    fn wake(&self, count: u32) {
        self.sequence.fetch_add(1, Ordering::SeqCst);
        futex::wake(&self.sequence, count);
    }

    /// Changes the word without a system call, as handlers do.
    pub fn touch(&self) {
        self.sequence.fetch_add(1, Ordering::SeqCst);
    }
}

//! Futexes: the one way in which a process of Par sleeps.
#![allow(unsafe_code)]

use super::clock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Words that one call can sleep on (the kernel's limit is 128).
pub const MAX_WORDS: usize = 40;

/// Why a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    /// One of the words changed, or somebody woke us, or a signal came: look again.
    Look,
    /// The instant came.
    Time,
}

/// A word to sleep on and the value that it must still have.
#[derive(Clone, Copy)]
pub struct Word<'a> {
    /// The word.
    pub word: &'a AtomicU32,
    /// The value that was seen before the condition was tried.
    pub seen: u32,
}

impl Word<'_> {
    /// Whether it has another value by now.
    pub fn has_changed(&self) -> bool {
        self.word.load(Ordering::SeqCst) != self.seen
    }
}

/// The kernel's `struct futex_waitv`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Waiter {
    val: u64,
    uaddr: u64,
    flags: u32,
    reserved: u32,
}

/// FUTEX2_SIZE_U32, and not FUTEX2_PRIVATE: the words are shared by processes.
const FLAGS: u32 = 2;

/// Set when the kernel has no futex_waitv (before Linux 5.16): sleeps on several words are then short naps.
static NO_WAITV: AtomicBool = AtomicBool::new(false);

/// Sleeps until a word differs from what was seen, a waker or a signal comes, or the monotonic clock reaches `until`.
/// Words past [`MAX_WORDS`] are not slept on: the caller's bounded slices find their changes.
pub fn wait(words: &[Word<'_>], until: u64) -> Woken {
    if NO_WAITV.load(Ordering::Relaxed) {
        return nap(words, until);
    }
    let mut waiters = [Waiter::default(); MAX_WORDS];
    let count = words.len().min(MAX_WORDS);
    for (waiter, word) in waiters.iter_mut().zip(words) {
        waiter.val = u64::from(word.seen);
        waiter.uaddr = word.word.as_ptr() as u64;
        waiter.flags = FLAGS;
    }
    let time = clock::timespec(until);
    // SAFETY: `waiters` has `count` filled entries whose addresses are live atomics; the time is absolute.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            count,
            0,
            &time as *const libc::timespec,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result >= 0 {
        return Woken::Look;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ETIMEDOUT) => Woken::Time,
        Some(libc::ENOSYS) => {
            NO_WAITV.store(true, Ordering::Relaxed);
            nap(words, until)
        }
        _ => Woken::Look,
    }
}

/// Without futex_waitv: sleep on the first word for at most a millisecond, then look at all of them.
fn nap(words: &[Word<'_>], until: u64) -> Woken {
    let now = clock::now();
    if now >= until {
        return Woken::Time;
    }
    let time = clock::timespec((until - now).min(1_000_000));
    let Some(first) = words.first() else {
        // SAFETY: `time` is a valid timespec; an early return is allowed.
        unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
        return Woken::Look;
    };
    // SAFETY: the word is a live atomic; FUTEX_WAIT with a relative time-out only sleeps.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            first.word.as_ptr(),
            libc::FUTEX_WAIT,
            first.seen,
            &time as *const libc::timespec,
        )
    };
    Woken::Look
}

/// Wakes up to `count` sleepers of a word, of whatever process; returns how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    let count = count.min(i32::MAX as u32);
    // SAFETY: the word is a live atomic; FUTEX_WAKE touches no memory.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    woken.max(0) as u32
}

//! Robust process-shared mutexes: the kernel marks them when their holder dies.
//!
//! They are glibc's own, because a thread can have one robust list only and glibc has registered its list already.
#![allow(unsafe_code)]

use super::{clock, stopped};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

/// A robust mutex in shared memory. Zeroed memory is *not* one: [`RobustMutex::initialise`] comes first, once in the life
/// of the memory, which is never put to another use afterwards (the kernel writes to it when a holder dies).
#[repr(transparent)]
pub struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: a process-shared pthread mutex is made for being used by several threads and processes at once.
unsafe impl Sync for RobustMutex {}
// SAFETY: as above; it holds no thread-bound data of ours.
unsafe impl Send for RobustMutex {}

/// How a lock was got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Nothing special.
    Clean,
    /// The last holder died with it: the data that it guards may be half changed.
    OwnerDied,
}

/// Holding a robust mutex; dropping it unlocks.
pub struct Guard<'a> {
    mutex: &'a RobustMutex,
    /// Whether the last holder died with it.
    pub taken: Taken,
}

impl RobustMutex {
    /// Makes zeroed memory a mutex.
    ///
    /// Nobody else may look at it before this is done.
    pub fn initialise(&self) {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: the attribute object is initialised by the first call and destroyed by the last; the mutex memory is
        // ours alone according to the contract. These calls cannot fail on Linux with constant valid arguments.
        unsafe {
            libc::pthread_mutexattr_init(attributes.as_mut_ptr());
            libc::pthread_mutexattr_setpshared(
                attributes.as_mut_ptr(),
                libc::PTHREAD_PROCESS_SHARED,
            );
            libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST);
            libc::pthread_mutex_init(self.0.get(), attributes.as_ptr());
            libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
        }
    }

    /// Takes it, waiting if need be. Only for short sections of the runtime itself: this wait has no time-out. It need not have one,
    /// because a holder who is stopped is let go on to the end of his section.
    #[inline]
    pub fn lock(&self) -> Guard<'_> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.lock_slowly(),
        }
    }

    #[cold]
    fn lock_slowly(&self) -> Guard<'_> {
        let mut keeper = stopped::Keeper::default();
        loop {
            if let Some(guard) = self.lock_within(stopped::LOOK) {
                return guard;
            }
            let holder = || self.word().load(Ordering::Acquire) & libc::FUTEX_TID_MASK;
            let found = holder();
            keeper.look(found as i32, || holder() == found);
        }
    }

    /// Takes it if it is free or its holder is dead.
    pub fn try_lock(&self) -> Option<Guard<'_>> {
        // SAFETY: the mutex is initialised (contract of the type).
        match unsafe { libc::pthread_mutex_trylock(self.0.get()) } {
            libc::EBUSY => None,
            result => Some(self.guard(result)),
        }
    }

    /// Takes it, waiting for so long at most (nanoseconds).
    pub fn lock_within(&self, nanoseconds: u64) -> Option<Guard<'_>> {
        let until = clock::wall_after(nanoseconds);
        // SAFETY: the mutex is initialised (contract of the type), and the time is valid.
        match unsafe { libc::pthread_mutex_timedlock(self.0.get(), &raw const until) } {
            libc::ETIMEDOUT => None,
            result => Some(self.guard(result)),
        }
    }

    fn guard(&self, result: i32) -> Guard<'_> {
        let taken = if result == libc::EOWNERDEAD {
            Taken::OwnerDied
        } else {
            Taken::Clean
        };
        Guard { mutex: self, taken }
    }

    /// The word that the kernel marks. On Linux a pthread mutex begins with its futex word: the thread id of the holder,
    /// FUTEX_WAITERS, and FUTEX_OWNER_DIED once the holder is dead; this is kernel interface, as the kernel itself writes it.
    pub fn word(&self) -> &AtomicU32 {
        // SAFETY: the first four bytes of the mutex are its futex word, aligned, and only ever accessed atomically.
        unsafe { &*self.0.get().cast::<AtomicU32>() }
    }

    /// True while a live process has it: no system call.
    pub fn is_held(&self) -> bool {
        let word = self.word().load(Ordering::Acquire);
        word & libc::FUTEX_TID_MASK != 0 && word & libc::FUTEX_OWNER_DIED == 0
    }

    /// Asks the kernel to wake a sleeper on [`RobustMutex::word`] when the holder dies; returns the word's value to
    /// sleep with, or `None` when nobody alive has it.
    pub fn watch(&self) -> Option<u32> {
        let word = self.word();
        let mut value = word.load(Ordering::Acquire);
        loop {
            if value & libc::FUTEX_TID_MASK == 0 || value & libc::FUTEX_OWNER_DIED != 0 {
                return None;
            }
            if value & libc::FUTEX_WAITERS != 0 {
                return Some(value);
            }
            match word.compare_exchange(
                value,
                value | libc::FUTEX_WAITERS,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(value | libc::FUTEX_WAITERS),
                Err(now) => value = now,
            }
        }
    }
}

impl Guard<'_> {
    /// Keeps the mutex locked for good: for the life lock, which only death gives up.
    pub fn keep(self) {
        if self.taken == Taken::OwnerDied {
            // SAFETY: we hold the mutex in the inconsistent state.
            unsafe { libc::pthread_mutex_consistent(self.mutex.0.get()) };
        }
        std::mem::forget(self);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread holds the mutex. It becomes consistent only here, after the repair: a repairer that dies
        // leaves the mark to the next one.
        unsafe {
            if self.taken == Taken::OwnerDied {
                libc::pthread_mutex_consistent(self.mutex.0.get());
            }
            libc::pthread_mutex_unlock(self.mutex.0.get());
        }
    }
}

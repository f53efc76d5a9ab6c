//! Stopped processes that keep others waiting: who is stopped (SIGSTOP, Ctrl-Z) in the middle of a step of the runtime is let go
//! on to the end of that step, and stops again there.
//!
//! A stop can hit a process between any two instructions, so also while it has a lock of the runtime: everybody who comes to the same
//! object, who buries somebody or collects, would wait for it, deaf to time-outs and to Ctrl-C. The kernel does the same inside of its
//! own calls: a process is stopped when it leaves them. The signal that continues it says that it is for the step only; one from
//! anybody else takes that back. A process that a debugger has stopped does not hear of either.
#![allow(unsafe_code)]

use super::{clock, cpu, fork, signal};

/// Nanoseconds between two looks at whoever keeps us waiting. It must have been stopped at two of them: a whole group that is being
/// continued wakes one after the other, and a signal that comes twice before it is heard is heard once.
pub const LOOK: u64 = 10_000_000;

/// What tells our signal from others.
const MARK: usize = 0x5041_5221;

/// A wait for whoever is in the middle of a step.
#[derive(Default)]
pub struct Keeper {
    /// The process that was found stopped at the last look; 0 for none.
    stopped: i32,
    /// When the next look is due.
    next: u64,
}

impl Keeper {
    /// Looks at the process (or thread) that keeps us waiting, when that is due; `still` says whether it does so yet.
    pub fn look(&mut self, pid: i32, still: impl Fn() -> bool) {
        let now = clock::now();
        if now < self.next {
            return;
        }
        self.next = now + LOOK;
        let is_stopped = pid > 0 && cpu::used(pid).is_some_and(|used| used.stopped);
        if is_stopped && self.stopped == pid && still() {
            let value = libc::sigval {
                sival_ptr: MARK as *mut libc::c_void,
            };
            // SAFETY: sigqueue touches no memory of ours; the value is not followed.
            unsafe { libc::sigqueue(pid, libc::SIGCONT, value) };
        }
        self.stopped = if is_stopped { pid } else { 0 };
    }
}

/// In the handler of SIGCONT: whether the process goes on for a step only.
///
/// # Safety
/// `info` is what the kernel gave the handler.
pub(super) unsafe fn is_for_a_step(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the caller's; a signal that was queued has a value.
    unsafe { (*info).si_code == libc::SI_QUEUE && (*info).si_value().sival_ptr as usize == MARK }
}

/// Stops this process as it was before it was let go on.
pub fn stop_again() {
    if signal::take(signal::STOP_AGAIN) != 0 {
        fork::send_signal(fork::pid(), libc::SIGSTOP);
    }
}

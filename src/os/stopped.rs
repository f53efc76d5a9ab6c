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
/// continued wakes one after the other.
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
            continue_for_a_step(pid);
        }
        self.stopped = if is_stopped { pid } else { 0 };
    }
}

/// Lets a stopped process go on for a step. The signal goes to its thread: those that others send go to the process, and of two that
/// wait at one place the kernel drops the second, so one from its script would be lost that comes before ours is heard.
fn continue_for_a_step(pid: i32) {
    /// What `siginfo_t` is for a signal that was queued.
    #[repr(C)]
    struct Queued {
        signal: i32,
        error: i32,
        code: i32,
        padding: i32,
        pid: i32,
        user: u32,
        value: usize,
        rest: [u64; 12],
    }
    const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());
    let info = Queued {
        signal: libc::SIGCONT,
        error: 0,
        code: libc::SI_QUEUE,
        padding: 0,
        pid: fork::pid(),
        // SAFETY: getuid has no preconditions.
        user: unsafe { libc::getuid() },
        value: MARK,
        rest: [0; 12],
    };
    let value = libc::sigval {
        sival_ptr: MARK as *mut libc::c_void,
    };
    // SAFETY: the kernel only reads `info`, which is as long and laid out as it expects it; sigqueue touches no memory of ours, and the
    // value is not followed.
    unsafe {
        let signal = i64::from(libc::SIGCONT);
        let (process, thread) = (i64::from(pid), i64::from(pid));
        let sent = libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            process,
            thread,
            signal,
            &raw const info,
        );
        if sent != 0 {
            // A thread of a host program that is not its first.
            libc::sigqueue(pid, libc::SIGCONT, value);
        }
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

/// In the middle of what others wait for: the stop is put off until [`stop_soon`].
pub fn put_off() {
    signal::turn_into(signal::STOP_AGAIN, signal::STOP_LATER);
}

/// Behind that: this process stops where it looks next.
pub fn stop_soon() {
    signal::turn_into(signal::STOP_LATER, signal::STOP_AGAIN);
}

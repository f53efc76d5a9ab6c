//! How much processor this process may use.
#![allow(unsafe_code)]

use super::cgroup;
use std::sync::OnceLock;

/// Processors that this process may use: its affinity, and the quota of its control groups rounded up; at least 1.
pub fn count() -> usize {
    // Each pool asks; the files of the groups are read once.
    static QUOTA: OnceLock<Option<usize>> = OnceLock::new();
    let quota = QUOTA.get_or_init(cgroup::processors);
    affinity().min(quota.unwrap_or(usize::MAX)).max(1)
}

/// True when somebody else can run while we spin. Asked once: it is on the way into every wait.
pub fn can_spin() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| affinity() > 1)
}

fn affinity() -> usize {
    let mut set = std::mem::MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the set is large enough for the size passed and zeroed memory is a valid empty set.
    unsafe {
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) != 0 {
            // More processors than the set can name: certainly more than one.
            return libc::sysconf(libc::_SC_NPROCESSORS_ONLN).max(1) as usize;
        }
        libc::CPU_COUNT(set.assume_init_ref()).max(1) as usize
    }
}

/// What a process has used so far.
pub struct Used {
    /// Seconds of processor time, its own and the kernel's for it.
    pub seconds: f64,
    /// Bytes of memory that are in use, those that it shares with others too.
    pub memory: u64,
    /// A signal (SIGSTOP, Ctrl-Z), or a debugger, has stopped it.
    pub stopped: bool,
}

/// What a process has used, from `/proc`; `None` when that cannot be read (it has ended).
pub fn used(pid: i32) -> Option<Used> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // SAFETY: sysconf has no preconditions.
    let (ticks, page) = unsafe {
        (
            libc::sysconf(libc::_SC_CLK_TCK),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    // Behind the name: state is field 0, utime 11, stime 12, rss 21.
    Some(Used {
        seconds: (number(11)? + number(12)?) as f64 / ticks.max(1) as f64,
        memory: number(21)? * page.max(0) as u64,
        stopped: matches!(*fields.first()?, "T" | "t"),
    })
}

/// A full barrier between what was written before and what is read after it.
#[inline(always)]
pub fn full_fence() {
    // Any locked instruction is a full barrier on this architecture, and takes half as long as the `mfence` that
    // `fence(SeqCst)` becomes.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: adds nothing to a word on the stack of this thread; the compiler takes it for an access to all memory.
    unsafe {
        std::arch::asm!("lock or dword ptr [rsp], 0");
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

//! Processes as the kernel sees them: fork, wait, signals to others, leaving.
#![allow(unsafe_code)]

use super::last_error;
use crate::diag::{Error, Result, codes};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// The side of a fork one is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The parent, with the pid of the child.
    Parent(i32),
    /// The child.
    Child,
}

/// How a child ended, as `waitpid` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitStatus {
    /// It left with this code.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
}

/// Forks. Refused while this process has more than one thread: a child forked then may find locks of threads that it
/// does not have taken for ever, the allocator's among them.
pub fn fork() -> Result<Side> {
    let threads = if is_alone() { 1 } else { thread_count() };
    if threads > 1 {
        return Err(Error::new(
            codes::NOT_SUPPORTED,
            format!("spawning needs a process with one thread, but this one has {threads}"),
        )
        .with_help(
            "spawn before the host program starts its threads, or run Par in a process of its own",
        ));
    }
    // SAFETY: this process has one thread (checked above), so the child may use everything it inherits.
    match unsafe { libc::fork() } {
        -1 => Err(last_error("fork")),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid)),
    }
}

/// Whether the kernel says at once that this process has one thread: leaving the thread group is allowed to nobody else, and
/// changes nothing. False when it does not say (a sandbox may forbid the call): then count them.
fn is_alone() -> bool {
    // SAFETY: without a second thread the call does nothing, with one it is refused; it touches no memory of ours.
    unsafe { libc::unshare(libc::CLONE_THREAD) == 0 }
}

/// Threads of this process: the links of the task directory beyond `.` and `..` (one stat, about a microsecond).
pub fn thread_count() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/task").map_or(1, |data| data.nlink().saturating_sub(2).max(1))
}

/// The id of this process once it was asked for; 0 before, and in a fresh child.
static PID: AtomicI32 = AtomicI32::new(0);

/// This process's id. The kernel is asked once in each process: many ask on the way of every task and every wait.
pub fn pid() -> i32 {
    match PID.load(Ordering::Relaxed) {
        0 => ask_pid(),
        pid => pid,
    }
}

#[cold]
fn ask_pid() -> i32 {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> libc::c_int;
    }
    extern "C" fn forget() {
        PID.store(0, Ordering::Relaxed);
    }
    // Also for the forks of a host program. Kept by children, so it is said once.
    static FORGETS: OnceLock<bool> = OnceLock::new();
    // SAFETY: the C library's function, declared as POSIX has it; `forget` only stores into an atomic, which a child may do at any time.
    let forgets = *FORGETS.get_or_init(|| unsafe { pthread_atfork(None, None, Some(forget)) } == 0);
    // SAFETY: getpid has no preconditions.
    let pid = unsafe { libc::getpid() };
    if forgets {
        PID.store(pid, Ordering::Relaxed);
    }
    pid
}

/// The id of this process's parent.
pub fn parent_pid() -> i32 {
    // SAFETY: getppid has no preconditions.
    unsafe { libc::getppid() }
}

/// Leaves at once: no exit handlers, no flushing.
pub fn leave(code: i32) -> ! {
    // SAFETY: _exit has no preconditions and does not return.
    unsafe { libc::_exit(code) }
}

/// The end of a child of this process, if it has ended; `block` waits for it. `None` also when `pid` is no child of ours.
pub fn wait_for(pid: i32, block: bool) -> Option<WaitStatus> {
    wait_for_all_of(pid, block).map(|(status, _)| status)
}

/// As [`wait_for`], and the bytes of memory that it had at most.
pub fn wait_for_all_of(pid: i32, block: bool) -> Option<(WaitStatus, u64)> {
    let flags = if block { 0 } else { libc::WNOHANG };
    loop {
        let mut status = 0;
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `status` and `usage` are valid to write to; zeroed memory is a valid usage.
        let (result, usage) = unsafe {
            let result = libc::wait4(pid, &mut status, flags, usage.as_mut_ptr());
            (result, usage.assume_init())
        };
        if result == pid {
            let status = if libc::WIFSIGNALED(status) {
                WaitStatus::Signalled(libc::WTERMSIG(status))
            } else {
                WaitStatus::Exited(libc::WEXITSTATUS(status))
            };
            return Some((status, usage.ru_maxrss.max(0) as u64 * 1024));
        }
        let again = std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR);
        if result == 0 || !again {
            return None;
        }
    }
}

/// How a process ended that is dead and that its parent has not waited for: readable for everybody of the same user, from
/// the last field of `/proc/PID/stat`. `None` while it lives, and when it is gone.
pub fn zombie_status(pid: i32) -> Option<WaitStatus> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may itself hold spaces and parentheses.
    let rest = &text[text.rfind(')')? + 1..];
    let mut fields = rest.split_whitespace();
    if !matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let status: i32 = fields.nth(48)?.parse().ok()?;
    Some(match status & 0x7f {
        0 => WaitStatus::Exited(status >> 8 & 0xff),
        signal => WaitStatus::Signalled(signal),
    })
}

/// The pid of some child that has ended and was not waited for; it stays that way.
pub fn peek_ended() -> Option<i32> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` is valid to write to; zeroed memory is a valid siginfo, and its pid stays 0 when there is no such child.
    unsafe {
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let result = libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), flags);
        let pid = info.assume_init_ref().si_pid();
        (result == 0 && pid > 0).then_some(pid)
    }
}

/// How a child of this process ended, if it has ended; it stays to be waited for, and so keeps its number.
pub fn peek_end(pid: i32) -> Option<WaitStatus> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: as in `peek_ended`.
    let (pid, code, status) = unsafe {
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), flags) != 0 {
            return None;
        }
        let info = info.assume_init_ref();
        (info.si_pid(), info.si_code, info.si_status())
    };
    match code {
        _ if pid == 0 => None,
        libc::CLD_EXITED => Some(WaitStatus::Exited(status)),
        _ => Some(WaitStatus::Signalled(status)),
    }
}

/// A descriptor that is readable once the process has ended; `None` when there is no such process.
pub fn open_process(pid: i32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open touches no memory of ours; the descriptor that it makes is nobody else's.
    unsafe {
        let file = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        (file >= 0).then(|| OwnedFd::from_raw_fd(file))
    }
}

/// Sends a signal to every process of the group that `leader` leads. The leader must not have been waited for.
pub fn send_signal_to_group(leader: i32, signal: i32) -> bool {
    leader > 1 && send_signal(-leader, signal)
}

/// Sends a signal to a pid that cannot have been reused: a child that nobody has waited for, or ourselves.
pub fn send_signal(pid: i32, signal: i32) -> bool {
    // SAFETY: kill touches no memory of ours.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// Sends a signal to a process that is no child of ours. `still_alive` is asked once the pid is pinned, so that a pid
/// which was given to another process in between is never hit.
pub fn send_signal_pinned(pid: i32, signal: i32, still_alive: impl Fn() -> bool) -> bool {
    // SAFETY: pidfd_open and pidfd_send_signal touch no memory of ours; the descriptor is closed below, once.
    unsafe {
        let file = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        if file < 0 {
            // Kernels before 5.3: the window between the check and the signal stays.
            return still_alive() && send_signal(pid, signal);
        }
        let sent = still_alive()
            && libc::syscall(
                libc::SYS_pidfd_send_signal,
                file,
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            ) == 0;
        libc::close(file);
        sent
    }
}

/// A descriptor that becomes readable when a child of ours that nobody has waited for ends; `None` where the kernel is
/// older than 5.3.
pub fn watch_child(pid: i32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open touches no memory of ours; the descriptor is new and has no other owner.
    unsafe {
        let file = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        (file >= 0).then(|| OwnedFd::from_raw_fd(file))
    }
}

/// Asks the kernel to kill this process when its parent dies. The parent may have died before: compare
/// [`parent_pid`] afterwards.
pub fn die_with_parent() {
    // SAFETY: prctl with integer arguments only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
}

/// Makes this process the one that descendants without a parent come to, instead of init.
pub fn adopt_orphans() {
    // SAFETY: prctl with integer arguments only.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// The children of this process as the kernel lists them: ours, and orphans that came to us.
pub fn children() -> Vec<i32> {
    let own = pid();
    let path = format!("/proc/{own}/task/{own}/children");
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

//! Starting programs: another executable in a new process, without copying this one.
//!
//! The child runs in the memory of its parent, on a stack of its own, until it executes the program (`CLONE_VM` and
//! `CLONE_VFORK`, as `posix_spawn` does it): what a start costs does not depend on how much memory the script has. Of
//! `posix_spawn` itself there is no use here, because it cannot ask for a death with the parent.
#![allow(unsafe_code)]

use super::signal::AllBlocked;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};

/// The process group that a program runs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// That of the process that starts it: the terminal's Ctrl-C reaches it.
    Inherited,
    /// A new one, with the program as its leader.
    New,
    /// That of another program, which is its leader.
    Of(i32),
    /// A new one in a session of its own, whose terminal this descriptor is; `None` for a session without one.
    Session(Option<i32>),
}

/// The numbers of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// The further groups that it belongs to.
    pub groups: Vec<u32>,
}

/// What the system holds a program to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How much later than others it gets the processor (19 at most); below 0 earlier.
    pub nice: i32,
    /// The rights that files which it makes do not get.
    pub umask: Option<u32>,
    /// The limits of its resources (`RLIMIT_NOFILE` and its like), which bind it and what it starts.
    pub limits: Vec<(u32, u64)>,
}

/// The resources that can be limited, by the names that scripts have for them; sorted.
pub const RESOURCES: [(&str, u32); 5] = [
    ("core", libc::RLIMIT_CORE),
    ("cpu", libc::RLIMIT_CPU),
    ("file_size", libc::RLIMIT_FSIZE),
    ("files", libc::RLIMIT_NOFILE),
    ("memory", libc::RLIMIT_AS),
];

/// What is to be started, and how.
pub struct ProgramSpec<'a> {
    /// The file to execute.
    pub path: &'a CStr,
    /// Its arguments, the name that it sees of itself first.
    pub arguments: &'a [CString],
    /// Its environment, as `NAME=value`.
    pub environment: &'a [CString],
    /// The folder that it starts in; `None` for the one of this process.
    pub folder: Option<&'a CStr>,
    /// Descriptors of this process, and which number each gets in the program. In the order of those numbers; all others
    /// from 3 on are closed.
    pub descriptors: &'a [(i32, i32)],
    /// Its process group.
    pub group: Group,
    /// Whether the kernel kills it when this process dies.
    pub dies_with_parent: bool,
    /// What the system holds it to.
    pub bounds: &'a Bounds,
    /// Whose rights it has, if not those of this process.
    pub user: Option<&'a Ids>,
    /// What it carries from then on, and all that it starts ([`super::mark`]).
    pub mark: u64,
}

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    /// Its process id.
    pub pid: i32,
    /// Readable once it has ended, whoever has waited for it.
    pub ended: OwnedFd,
}

/// Why a program was not started: the system call that failed, and its error number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The call.
    pub call: &'static str,
    /// The number (`ENOENT`, `EACCES`).
    pub errno: i32,
}

/// Bytes of the child's stack: it calls a handful of system calls and nothing else.
const STACK: usize = 64 * 1024;
/// `CLOSE_RANGE_CLOEXEC`.
const ON_EXEC: u32 = 4;

/// What the child reads and writes in its parent's memory.
struct Shared<'a> {
    spec: &'a ProgramSpec<'a>,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    parent: i32,
    ignores_quit: bool,
    refused: Option<Refused>,
}

/// Starts a program. What cannot be executed is told here, exactly: there is no program then, and nobody to wait for.
///
/// # Errors
/// The system call that failed in the child, or the `clone` itself.
pub fn start(spec: &ProgramSpec<'_>) -> Result<Started, Refused> {
    let pointers = |texts: &[CString]| -> Vec<*const c_char> {
        let all = texts.iter().map(|text| text.as_ptr());
        all.chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(spec.arguments), pointers(spec.environment));
    let mut shared = Shared {
        spec,
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        parent: super::fork::pid(),
        // A key of the terminal that asks what this process is doing must not end what it runs.
        ignores_quit: matches!(spec.group, Group::Inherited)
            && super::signal::handles(libc::SIGQUIT)
            && super::terminal::is_controlled(),
        refused: None,
    };
    let mut stack = vec![0_u128; STACK / 16];
    let mut pidfd: c_int = -1;
    // No handler of ours may run in the child, whose memory is ours.
    let blocked = AllBlocked::new();
    // SAFETY: the stack is ours, aligned to 16 bytes, and lives until clone returns, which is when the child has executed
    // or left (CLONE_VFORK); the same holds for `shared`. With CLONE_PIDFD the kernel writes a descriptor to `pidfd`.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len());
        libc::clone(
            child,
            top.cast::<c_void>(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
            (&raw mut shared).cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    drop(blocked);
    if pid < 0 {
        return Err(refusal("clone"));
    }
    // SAFETY: the kernel made the descriptor for us; nobody else has it.
    let ended = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // Written by the child while we were suspended.
    // SAFETY: `shared` is alive and the child is not in our memory any more; volatile, because the compiler sees no writer.
    match unsafe { (&raw const shared.refused).read_volatile() } {
        None => Ok(Started { pid, ended }),
        Some(refused) => {
            super::fork::wait_for(pid, true);
            Err(refused)
        }
    }
}

fn refusal(call: &'static str) -> Refused {
    let errno = std::io::Error::last_os_error().raw_os_error();
    Refused {
        call,
        errno: errno.unwrap_or(0),
    }
}

/// What the child does; it allocates nothing, takes no lock and cannot panic.
extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: the argument of clone: a `Shared` that lives until we have executed or left; our parent is suspended, so we
    // are alone with it.
    unsafe {
        let shared = &mut *shared.cast::<Shared<'_>>();
        let refused = prepare(shared).err().unwrap_or_else(|| {
            libc::execve(
                shared.spec.path.as_ptr(),
                shared.arguments,
                shared.environment,
            );
            refusal("execve")
        });
        shared.refused = Some(refused);
        libc::_exit(127)
    }
}

/// The steps before the program is executed.
///
/// # Safety
/// Called in the child only.
unsafe fn prepare(shared: &Shared<'_>) -> Result<(), Refused> {
    let spec = shared.spec;
    let done = |call: &'static str, result: c_int| match result {
        -1 => Err(refusal(call)),
        _ => Ok(()),
    };
    // SAFETY: all of these are system calls with integers or with pointers to live, terminated strings. The table of signal
    // actions and the table of descriptors are the child's own.
    unsafe {
        default_signals();
        if shared.ignores_quit {
            libc::signal(libc::SIGQUIT, libc::SIG_IGN);
        }
        match spec.group {
            Group::Inherited => {}
            Group::New => done("setpgid", libc::setpgid(0, 0))?,
            // The leader may have ended; then a group of its own does.
            Group::Of(leader) if libc::setpgid(0, leader) == 0 => {}
            Group::Of(_) => done("setpgid", libc::setpgid(0, 0))?,
            Group::Session(terminal) => {
                done("setsid", libc::setsid())?;
                if let Some(terminal) = terminal {
                    done("ioctl", libc::ioctl(terminal, libc::TIOCSCTTY, 0))?;
                }
            }
        }
        bound(spec.bounds)?;
        super::mark::carry(spec.mark);
        if let Some(user) = spec.user {
            become_user(user)?;
        }
        // Behind the change of the user, with which the kernel forgets it.
        if spec.dies_with_parent {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            // If the parent died before the line above, nobody will kill us.
            if libc::getppid() != shared.parent {
                libc::_exit(127);
            }
        }
        if let Some(folder) = spec.folder {
            done("chdir", libc::chdir(folder.as_ptr()))?;
        }
        let mut first_closed = 3;
        for &(from, to) in spec.descriptors {
            match from == to {
                true => done("fcntl", libc::fcntl(to, libc::F_SETFD, 0))?,
                false => done("dup2", libc::dup2(from, to))?,
            }
            first_closed = first_closed.max(to + 1);
        }
        // Kernels before 5.11 do not know it; descriptors of Par itself are closed by the program's execution anyway.
        libc::syscall(
            libc::SYS_close_range,
            first_closed as u32,
            u32::MAX,
            ON_EXEC,
        );
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
    Ok(())
}

/// Takes the rights of a user. By the calls of the system themselves: those of the C library would change all threads of the parent,
/// in whose memory the child runs.
///
/// # Safety
/// Called in the child only.
unsafe fn become_user(ids: &Ids) -> Result<(), Refused> {
    let done = |call: &'static str, result: libc::c_long| match result {
        -1 => Err(refusal(call)),
        _ => Ok(()),
    };
    // SAFETY: system calls with integers and with a pointer to as many groups as are named; they concern the calling thread alone,
    // which is the child.
    unsafe {
        let (user, group) = (ids.user, ids.group);
        let is_same = libc::geteuid() == user && libc::getegid() == group;
        if is_same && user != 0 {
            // Who is it already may not choose the further groups, but has them.
            return Ok(());
        }
        let groups = ids.groups.as_ptr();
        done(
            "setgroups",
            libc::syscall(libc::SYS_setgroups, ids.groups.len(), groups),
        )?;
        done(
            "setresgid",
            libc::syscall(libc::SYS_setresgid, group, group, group),
        )?;
        done(
            "setresuid",
            libc::syscall(libc::SYS_setresuid, user, user, user),
        )
    }
}

/// Holds the child to its bounds.
///
/// # Safety
/// Called in the child only.
unsafe fn bound(bounds: &Bounds) -> Result<(), Refused> {
    // SAFETY: system calls with integers and with a pointer to a local value; all of it concerns the child alone.
    unsafe {
        if bounds.nice != 0 {
            let now = libc::getpriority(libc::PRIO_PROCESS, 0);
            if libc::setpriority(libc::PRIO_PROCESS, 0, now + bounds.nice) != 0 {
                return Err(refusal("setpriority"));
            }
        }
        if let Some(mask) = bounds.umask {
            libc::umask(mask as libc::mode_t);
        }
        for &(resource, most) in &bounds.limits {
            let limit = libc::rlimit {
                rlim_cur: most as libc::rlim_t,
                rlim_max: most as libc::rlim_t,
            };
            if libc::setrlimit(resource as _, &raw const limit) != 0 {
                return Err(refusal("setrlimit"));
            }
        }
    }
    Ok(())
}

/// Gives handled signals their default actions, so that no handler of ours runs once signals are let through again. What
/// this process was told to ignore stays ignored (`nohup`), but for SIGPIPE, which Rust ignores.
///
/// # Safety
/// Called in the child only.
unsafe fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: sigaction fills `action`, which is zeroed and so valid; for numbers that it does not know it fails.
        unsafe {
            if libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) != 0 {
                continue;
            }
            let handler = action.assume_init_ref().sa_sigaction;
            let ignored = handler == libc::SIG_IGN && signal != libc::SIGPIPE;
            if handler != libc::SIG_DFL && !ignored {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::fork::{self, WaitStatus};

    fn attempt(path: &CStr, arguments: &[&CStr], folder: Option<&CStr>) -> Result<i32, Refused> {
        let arguments: Vec<CString> = arguments.iter().map(|&text| text.into()).collect();
        let started = start(&ProgramSpec {
            path,
            arguments: &arguments,
            environment: &[c"PATH=/bin:/usr/bin".into()],
            folder,
            descriptors: &[],
            group: Group::New,
            dies_with_parent: true,
            bounds: &Bounds::default(),
            user: None,
            mark: super::super::mark::NONE,
        })?;
        match fork::wait_for(started.pid, true) {
            Some(WaitStatus::Exited(code)) => Ok(code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_program_runs_and_its_code_comes_back() {
        let code = attempt(c"/bin/sh", &[c"sh", c"-c", c"exit 7"], None);
        assert_eq!(code, Ok(7));
    }

    #[test]
    fn what_cannot_be_executed_is_told_exactly() {
        let refused = |call, errno| Err(Refused { call, errno });
        let missing = attempt(c"/no/such/program", &[c"x"], None);
        assert_eq!(missing, refused("execve", libc::ENOENT));
        let no_program = attempt(c"/etc/passwd", &[c"x"], None);
        assert_eq!(no_program, refused("execve", libc::EACCES));
        let no_folder = attempt(c"/bin/true", &[c"true"], Some(c"/no/such/folder"));
        assert_eq!(no_folder, refused("chdir", libc::ENOENT));
    }
}

//! Signals. Handlers only set bits of one word and touch the wake word; everything else is done where the virtual
//! machine polls and in the waiting place.
#![allow(unsafe_code)]

use super::clock;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Ctrl-C came (main process only).
pub const INTERRUPTED: u32 = 1;
/// Somebody cancelled this process.
pub const CANCELLED: u32 = 2;
/// A child ended, came to us as an orphan, or has had its time.
pub const CHILD_ENDED: u32 = 4;
/// The arena has much that may be garbage: the virtual machine should collect its heap, and then the arena.
pub const COLLECT: u32 = 8;

/// Somebody wants to know what the processes are doing (Ctrl-\ in the main process, [`status_signal`] in the others).
pub const STATUS: u32 = 16;

/// What this process is at has taken longer than its time limit (see [`super::limit`]).
pub const TIME_OVER: u32 = 32;

/// This process was stopped in the middle of a step and goes on to its end only (see [`super::stopped`]).
pub const STOP_AGAIN: u32 = 64;

/// The same, as soon as it has let go of what others wait for (the turn to print): a call of the system is not cut short by it.
pub const STOP_LATER: u32 = 128;

/// The system has refused memory (see [`super::reserve`]).
pub const MEMORY: u32 = 256;

/// What ends whatever this process is at, or stops it.
pub const URGENT: u32 = INTERRUPTED | CANCELLED | TIME_OVER | STOP_AGAIN;

/// What happened and was not looked at yet. The virtual machine reads it at back-edges and calls.
static POLL: AtomicU32 = AtomicU32::new(0);
/// The word that this process sleeps on beside the object that it waits for; handlers bump it so that no signal is
/// missed between the last look and the sleep.
static WAKE_WORD: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
/// Only the main process of a tree takes Ctrl-C; children are ended by it.
static TAKES_INTERRUPT: AtomicBool = AtomicBool::new(false);
/// Set once the first Ctrl-C was seen; the second kills.
static SECOND_KILLS: AtomicBool = AtomicBool::new(false);
/// Whether a Ctrl-C that nobody has looked at for [`INTERRUPT_PATIENCE`] kills: not at a prompt, whose session would be lost.
static IS_BOUNDED: AtomicBool = AtomicBool::new(false);
/// Whether the last Ctrl-C was a key of the terminal, which sends it to all programs of the foreground as well.
static IS_KEY: AtomicBool = AtomicBool::new(false);
/// Whether a program shares the terminal, to which the keys are left: what it does of a Ctrl-C says what that was for.
static KEYS_ARE_LEFT: AtomicBool = AtomicBool::new(false);
/// How many Ctrl-C came meanwhile, and when the first of those in a row came (monotonic nanoseconds).
static KEYS: AtomicU32 = AtomicU32::new(0);
static FIRST_KEY: AtomicU64 = AtomicU64::new(0);
/// So many Ctrl-C within so many nanoseconds end this process, whatever a program does of them.
const IMPATIENT: u32 = 5;
const IMPATIENCE: u64 = 2_000_000_000;
/// `SI_KERNEL`: nobody called `kill`.
const FROM_KERNEL: i32 = 0x80;
/// Seconds until such a Ctrl-C kills: what a script does in one step (a call of the system, the sorting of a file's lines) may
/// not keep the user waiting for longer than its processes may.
const INTERRUPT_PATIENCE: u32 = 2;

/// The word to poll: not zero when [`take`] has something to tell.
#[inline(always)]
pub fn poll_word() -> &'static AtomicU32 {
    &POLL
}

/// Sets a bit as a handler would.
pub fn raise_flag(bit: u32) {
    POLL.fetch_or(bit, Ordering::SeqCst);
}

/// Whether the last Ctrl-C was a key of the terminal: what runs in the group of this process has had it too.
pub fn is_interrupt_shared() -> bool {
    IS_KEY.load(Ordering::Relaxed)
}

/// Clears `bits` and returns which of them were set.
pub fn take(bits: u32) -> u32 {
    if POLL.load(Ordering::Relaxed) & bits == 0 {
        return 0;
    }
    POLL.fetch_and(!bits, Ordering::SeqCst) & bits
}

/// Puts a bit in the place of another that is set, in one step: a handler that takes the one down takes down the other as well.
pub(super) fn turn_into(from: u32, to: u32) {
    let turned = |word: u32| (word & from != 0).then_some(word & !from | to);
    let _ = POLL.fetch_update(Ordering::SeqCst, Ordering::SeqCst, turned);
}

/// The signal by which a process is told that it was cancelled: a realtime signal, so that scripts keep USR1 and USR2.
pub fn cancel_signal() -> i32 {
    libc::SIGRTMIN() + 3
}

/// The signal by which the main process asks another for the line that it is at.
pub fn status_signal() -> i32 {
    libc::SIGRTMIN() + 4
}

/// The signal by which this process is told that a program of its has had its time.
pub fn alarm_signal() -> i32 {
    libc::SIGRTMIN() + 5
}

/// Names the word that handlers bump; it must stay mapped for the life of this process.
pub fn set_wake_word(word: &'static AtomicU32) {
    WAKE_WORD.store(std::ptr::from_ref(word).cast_mut(), Ordering::Release);
}

extern "C" fn on_signal(
    signal: libc::c_int,
    info: *const libc::siginfo_t,
    context: *mut libc::c_void,
) {
    note(signal, info);
    // Whatever it was: of two that come at once the second interrupts the handler of the first, and only the first finds the call.
    // SAFETY: with SA_SIGINFO the third argument is the context of what was interrupted, which lives until the handler returns.
    unsafe { super::blocking::leave(context) };
}

/// What a handler does: async-signal-safe.
fn note(signal: libc::c_int, info: *const libc::siginfo_t) {
    let bit = if signal == libc::SIGINT {
        // SAFETY: with SA_SIGINFO the kernel gives a pointer to a whole `siginfo_t`, which lives until the handler returns.
        let is_key = unsafe { (*info).si_code } == FROM_KERNEL;
        IS_KEY.store(is_key, Ordering::Relaxed);
        if !TAKES_INTERRUPT.load(Ordering::Relaxed) {
            return;
        }
        if is_key && KEYS_ARE_LEFT.load(Ordering::Relaxed) {
            note_key();
            return;
        }
        if SECOND_KILLS.swap(true, Ordering::Relaxed) {
            // The second Ctrl-C: die by it at once; the kernel then kills the subtree, process by process.
            reset_and_reraise(libc::SIGINT);
        }
        bound_notice();
        INTERRUPTED
    } else if signal == libc::SIGALRM && TAKES_INTERRUPT.load(Ordering::Relaxed) {
        if POLL.load(Ordering::Relaxed) & INTERRUPTED != 0 {
            reset_and_reraise(libc::SIGINT);
        }
        return;
    } else if signal == libc::SIGCHLD || signal == alarm_signal() {
        CHILD_ENDED
    } else if signal == libc::SIGQUIT {
        if !TAKES_INTERRUPT.load(Ordering::Relaxed) {
            return;
        }
        STATUS
    } else if signal == status_signal() {
        STATUS
    } else if signal == libc::SIGIO {
        // Something came through a descriptor: the word that is bumped below says it.
        0
    } else if signal == libc::SIGCONT {
        // SAFETY: as above.
        if unsafe { super::stopped::is_for_a_step(info) } {
            STOP_AGAIN
        } else {
            POLL.fetch_and(!(STOP_AGAIN | STOP_LATER), Ordering::SeqCst);
            0
        }
    } else if signal == super::limit::SIGNAL {
        if super::limit::note_passed() {
            // The grace is over as well.
            reset_and_reraise(signal);
        }
        TIME_OVER
    } else {
        CANCELLED
    };
    POLL.fetch_or(bit, Ordering::SeqCst);
    let word = WAKE_WORD.load(Ordering::Acquire);
    if !word.is_null() {
        // SAFETY: set_wake_word takes only words that stay mapped; an atomic addition is async-signal-safe.
        unsafe { (*word).fetch_add(1, Ordering::SeqCst) };
    }
}

/// Has a Ctrl-C that nobody looks at end this process in time.
fn bound_notice() {
    if IS_BOUNDED.load(Ordering::Relaxed) {
        handle(libc::SIGALRM);
        // SAFETY: async-signal-safe, and nobody else in the main process uses this clock.
        unsafe { libc::alarm(INTERRUPT_PATIENCE) };
    }
}

/// A Ctrl-C that is left to a program. (Waits for programs are ended by every signal; the wake word is not needed.)
fn note_key() {
    let (now, first) = (clock::now(), FIRST_KEY.load(Ordering::Relaxed));
    let count = match now.saturating_sub(first) < IMPATIENCE {
        true => KEYS.fetch_add(1, Ordering::Relaxed) + 1,
        false => {
            FIRST_KEY.store(now, Ordering::Relaxed);
            KEYS.store(1, Ordering::Relaxed);
            1
        }
    };
    if count >= IMPATIENT {
        reset_and_reraise(libc::SIGINT);
    }
}

/// As long as it lives, the keys of the terminal are left to a program.
pub struct LeftKeys(());

/// Leaves the keys of the terminal to a program, in the process that takes Ctrl-C.
pub fn leave_keys() -> Option<LeftKeys> {
    if !TAKES_INTERRUPT.load(Ordering::Relaxed) {
        return None;
    }
    KEYS.store(0, Ordering::Relaxed);
    FIRST_KEY.store(0, Ordering::Relaxed);
    KEYS_ARE_LEFT.store(true, Ordering::Relaxed);
    Some(LeftKeys(()))
}

/// Whether a Ctrl-C has come that was left to a program.
pub fn was_key_left() -> bool {
    KEYS.load(Ordering::Relaxed) > 0
}

/// The program has left a Ctrl-C to us: it is one from now on.
pub fn take_key() {
    KEYS_ARE_LEFT.store(false, Ordering::Relaxed);
    if KEYS.swap(0, Ordering::Relaxed) > 0 {
        SECOND_KILLS.store(true, Ordering::Relaxed);
        bound_notice();
        POLL.fetch_or(INTERRUPTED, Ordering::SeqCst);
    }
}

/// The keys are left to nobody any more, and those that came are forgotten.
pub fn drop_keys() {
    KEYS_ARE_LEFT.store(false, Ordering::Relaxed);
    KEYS.store(0, Ordering::Relaxed);
}

impl Drop for LeftKeys {
    fn drop(&mut self) {
        drop_keys();
    }
}

pub(super) fn handle(signal: i32) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a zeroed sigaction with an empty mask is valid; the handler does only async-signal-safe things. It is
    // restarting, so that system calls of other parts of the program do not fail by it.
    unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_NOCLDSTOP;
        libc::sigaction(signal, action, std::ptr::null_mut());
    }
}

/// Whether this process has a handler of ours for a signal.
pub(super) fn handles(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction fills `action`, which is zeroed and so valid.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init_ref().sa_sigaction == on_signal as *const () as usize
    }
}

/// Installs the handlers for ended children, for being cancelled and for being continued. Children inherit them; programs that are executed
/// get the defaults from the kernel.
pub fn watch_children() {
    handle(libc::SIGCHLD);
    handle(cancel_signal());
    handle(status_signal());
    handle(alarm_signal());
    handle(libc::SIGCONT);
    admit(&[
        libc::SIGCHLD,
        libc::SIGCONT,
        cancel_signal(),
        status_signal(),
        alarm_signal(),
    ]);
}

/// Lets signals come that whoever started this process has blocked: we live by them.
fn admit(signals: &[i32]) {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is initialised before it is used; unblocking a signal has no other precondition.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Makes sure that SIGTERM and SIGHUP end this process: also when they were blocked, and as the first process of a container, where the
/// kernel takes no default action.
pub fn admit_ends() {
    extern "C" fn end(signal: i32) {
        reset_and_reraise(signal);
    }
    let ends = [libc::SIGTERM, libc::SIGHUP];
    if super::fork::pid() == 1 {
        for signal in ends {
            // SAFETY: the handler only does what is safe in one. What is ignored stays so.
            unsafe {
                if libc::signal(signal, end as *const () as usize) == libc::SIG_IGN {
                    libc::signal(signal, libc::SIG_IGN);
                }
            }
        }
    }
    admit(&ends);
}

/// Makes this process the one of its tree that takes Ctrl-C, and Ctrl-\, which asks what all are doing.
pub fn watch_interrupt() {
    TAKES_INTERRUPT.store(true, Ordering::Relaxed);
    handle(libc::SIGINT);
    handle(libc::SIGQUIT);
    admit(&[libc::SIGINT, libc::SIGQUIT]);
}

/// Has this process told of Ctrl-C, and of nothing else: it runs no script.
pub fn watch_interrupt_alone() {
    TAKES_INTERRUPT.store(true, Ordering::Relaxed);
    handle(libc::SIGINT);
}

/// Bounds how long a Ctrl-C may go unnoticed: the process dies by it then.
pub fn bound_interrupt() {
    IS_BOUNDED.store(true, Ordering::Relaxed);
}

/// In a new child: Ctrl-C of the terminal reaches every process of its group, and this one leaves it to the main process.
/// The handler stays installed if there is one (so that programs started from here get the default), else it is put in.
pub fn leave_interrupt_to_main() {
    let had = TAKES_INTERRUPT.swap(false, Ordering::Relaxed);
    SECOND_KILLS.store(false, Ordering::Relaxed);
    if !had {
        handle(libc::SIGINT);
    }
}

/// Forgets everything that was pending, as a new child must.
pub fn forget_pending() {
    POLL.store(0, Ordering::SeqCst);
}

/// Lets the next Ctrl-C be a first one again (the prompt does, after it has handled one).
pub fn rearm_interrupt() {
    SECOND_KILLS.store(false, Ordering::Relaxed);
}

/// Takes the signal's default action back and raises it, so that whoever started us sees a death by that signal.
pub fn reset_and_reraise(signal: i32) -> ! {
    // SAFETY: all calls are async-signal-safe; the set is initialised before it is used.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}

/// SIGPIPE at its default (Rust ignores it): `par x | head` ends quietly.
pub fn default_sigpipe() {
    // SAFETY: setting a default disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// SIGSEGV and SIGBUS at their defaults. Rust's handler tells of an overflowing stack and lets the first such signal that was
/// sent from outside pass without effect; a process that is sent one must die by it.
pub fn default_faults() {
    // SAFETY: setting default dispositions.
    unsafe {
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
    }
}

/// Blocks all signals while it lives: around a fork, so that no handler runs in a child that is not set up yet.
pub struct AllBlocked(libc::sigset_t);

impl AllBlocked {
    /// Blocks them.
    pub fn new() -> AllBlocked {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut old = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: sigfillset initialises `all`; sigprocmask fills `old`.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
            AllBlocked(old.assume_init())
        }
    }

    /// The signals that were blocked before.
    pub(super) fn before(&self) -> *const libc::sigset_t {
        &raw const self.0
    }
}

impl Default for AllBlocked {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        // SAFETY: the set is the one that sigprocmask gave us.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// Signals that scripts may name, without the `SIG`.
const NAMES: &[(&str, i32)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// `SIGTERM` for 15; `signal 40` for one without a name.
pub fn name_of(signal: i32) -> String {
    match NAMES.iter().find(|(_, number)| *number == signal) {
        Some((name, _)) => format!("SIG{name}"),
        None => format!("signal {signal}"),
    }
}

/// The number of `TERM`, `SIGTERM` or `term`.
pub fn number_of(name: &str) -> Option<i32> {
    let upper = name.to_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES
        .iter()
        .find(|(name, _)| *name == bare)
        .map(|(_, number)| *number)
}

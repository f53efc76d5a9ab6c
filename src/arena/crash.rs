//! Crash points: marked places at which a process can be made to die, so that tests walk through every window.
//!
//! `PAR_CRASH=n` kills each process of the program with SIGKILL at the n-th marked place that it passes (from 1);
//! `PAR_CRASH=name` or `PAR_CRASH=name:n` at the n-th passing of the place of that name. With `PAR_CRASH_ONCE` only the first
//! process of the program that comes there dies, and says so on standard error. Without the variables a place
//! costs one load of a byte that never changes.

use crate::os::fork;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static ARMED: AtomicBool = AtomicBool::new(false);
static PASSED: AtomicU64 = AtomicU64::new(0);
/// Whether one process dies and not each.
static ONCE: AtomicBool = AtomicBool::new(false);
static TARGET: OnceLock<(Option<String>, u64)> = OnceLock::new();

/// Marks a place between two steps of an operation.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        if $crate::arena::crash::armed() {
            $crate::arena::crash::pass($name);
        }
    };
}

/// Whether any place is to kill.
#[inline(always)]
pub fn armed() -> bool {
    ARMED.load(Ordering::Relaxed)
}

/// Reads the environment; called once when the arena is made.
pub fn read_environment() {
    if let Ok(text) = std::env::var("PAR_CRASH") {
        ONCE.store(
            std::env::var_os("PAR_CRASH_ONCE").is_some(),
            Ordering::Relaxed,
        );
        arm(&text);
    }
}

/// Arms the points in this process and in the children that it forks from now on: `n`, `name` or `name:n`.
pub fn arm(text: &str) {
    // Names have colons in them: what follows the last one is the count if it is a number.
    let named = text.rsplit_once(':');
    let counted = named.and_then(|(name, count)| Some((name, count.parse().ok()?)));
    let target = match (text.parse(), counted) {
        (Ok(count), _) => (None, count),
        (_, Some((name, count))) => (Some(name.to_string()), count),
        _ => (Some(text.to_string()), 1),
    };
    if TARGET.set(target).is_ok() {
        ARMED.store(true, Ordering::Relaxed);
    }
}

/// Begins to count anew, as a child does.
pub fn restart() {
    PASSED.store(0, Ordering::Relaxed);
}

/// Places passed since the count began.
pub fn passed() -> u64 {
    PASSED.load(Ordering::Relaxed)
}

/// Passing a place while armed.
#[cold]
pub fn pass(name: &str) {
    let Some((wanted, count)) = TARGET.get() else {
        return;
    };
    if wanted.as_ref().is_some_and(|wanted| wanted != name) {
        return;
    }
    if PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count {
        if ONCE.load(Ordering::Relaxed) {
            let is_first = super::get()
                .is_none_or(|arena| arena.cell(super::Cell::Deaths).swap(1, Ordering::AcqRel) == 0);
            if !is_first {
                return;
            }
            eprintln!("died at the crash point {name}");
        }
        fork::send_signal(fork::pid(), libc::SIGKILL);
    }
}

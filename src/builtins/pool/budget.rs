//! How many workers a pool has that was not told: one budget for the whole tree.
//!
//! The main process may use all processors, but has no more workers than memory for them ([`WORKER_MEMORY`] each). A worker of a pool of `n` has an `n`th of its pool's budget, at least one, and
//! so has whatever it spawns; a pool without `workers:` takes the whole budget of the process that makes it. So pools in
//! pools never have more busy workers than there are processors unless the script asks for them by number, and since
//! nobody ever waits for a share, nothing can wait for ever.

use crate::limits::WORKER_MEMORY;
use crate::os::{cpu, memory};
use crate::process::spawn;
use crate::program::environment;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The budget of this process, inherited by its children; 0 before it was divided.
static SHARE: AtomicU64 = AtomicU64::new(0);

/// Workers of a pool that was not told how many.
pub fn share() -> u64 {
    match SHARE.load(Ordering::Relaxed) {
        0 => (cpu::count() as u64).min(room()).max(1),
        share => share,
    }
}

/// How many workers there is memory for.
fn room() -> u64 {
    static ROOM: OnceLock<u64> = OnceLock::new();
    *ROOM.get_or_init(|| memory::usable_memory() / WORKER_MEMORY)
}

/// In a new worker of a pool of so many.
pub fn divide_by(workers: u64) {
    let share = (share() / workers.max(1)).max(1);
    SHARE.store(share, Ordering::Relaxed);
    // Libraries that take all processors for themselves do not know of the other workers.
    environment::limit_threads(share);
}

/// The name of a worker of this process: `pool-2`, and in a worker of that name `pool-2.1`.
pub fn worker_name(number: u64) -> String {
    let outer = match SHARE.load(Ordering::Relaxed) {
        0 => None,
        _ => spawn::current().ok(),
    };
    match outer {
        Some(outer) => format!("{}.{}", outer.name(), number + 1),
        None => format!("pool-{}", number + 1),
    }
}

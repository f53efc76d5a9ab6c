//! The nouns of the language that live between processes: processes themselves, locks and their family.
//!
//! Imports `arena`, `wire`, `os`, `diag`, `source` and `limits`. **Invariant:** nothing here knows values or the virtual
//! machine: what travels is bytes, with the list of the handles in them.
//!
//! In reading order: [`wait`] (the one place where anything sleeps), [`tenders`], [`willing`], [`deadlock`], [`signals`] (Ctrl-C, cancelling),
//! [`spawn`] and [`ended`] (what processes do and leave), [`record`] (what is known of a process), `cancel`, [`reaper`], [`programs`]
//! (the other executables that were started), [`flow`] (their pipes in other waits), [`scope`],
//! [`status`] (what everybody is doing);
//! then the objects: [`lock`], [`file_lock`], [`semaphore`], [`event`], [`condition`], [`barrier`], [`channel`] with
//! [`queue`], [`lease`] and [`pipe`], [`pool`]; and [`bar`], the one progress bar of all.

pub mod bar;
pub mod barrier;
mod cancel;
pub mod channel;
pub mod condition;
pub mod deadlock;
mod doom;
pub mod ended;
pub mod event;
pub mod file_lock;
pub mod finish;
pub mod flow;
pub mod held;
pub mod lease;
pub mod lock;
pub mod pipe;
pub mod place;
pub mod pool;
pub mod programs;
pub mod queue;
pub mod reaper;
pub mod record;
mod roster;
pub mod scope;
pub mod select;
pub mod semaphore;
pub mod shared;
pub mod signals;
pub mod spawn;
pub mod status;
pub mod tenders;
pub mod wait;
pub mod willing;

pub use barrier::Barrier;
pub use condition::Condition;
pub use ended::Ended;
pub use event::Event;
pub use lease::Lease;
pub use lock::Lock;
pub use semaphore::Semaphore;
pub use spawn::{ChildOutcome, Message, Method, Process, SpawnSpec};

use crate::arena::{self, Arena};
use crate::diag::Result;
use crate::os::signal;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the arena and tells it about the kinds of objects, unless that was done: about all of them, because any process may come
/// upon an object that another one made, when it collects or looks for deadlocks. Everything that needs the arena comes
/// here first; a script that shares nothing never does.
#[inline]
pub fn start() -> Result<&'static Arena> {
    held::write_out();
    if STARTED.load(Ordering::Acquire)
        && let Some(arena) = arena::get()
    {
        return Ok(arena);
    }
    begin()
}

/// Set when all is made.
static STARTED: AtomicBool = AtomicBool::new(false);

#[cold]
fn begin() -> Result<&'static Arena> {
    spawn::register();
    shared::register();
    queue::register();
    pipe::register();
    lock::register();
    file_lock::register();
    semaphore::register();
    event::register();
    condition::register();
    barrier::register();
    pool::register();
    let arena = arena::ensure()?;
    signal::watch_children();
    spawn::make_main(arena)?;
    STARTED.store(true, Ordering::Release);
    Ok(arena)
}

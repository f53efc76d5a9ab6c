//! The nouns of the language that live between processes: processes themselves, locks and their family.
//!
//! Imports `arena`, `wire`, `os`, `diag`, `source` and `limits`. **Invariant:** nothing here knows values or the virtual
//! machine: what travels is bytes, with the list of the handles in them.
//!
//! In reading order: [`wait`] (the one place where anything sleeps), [`deadlock`], [`signals`] (Ctrl-C, cancelling),
//! [`spawn`] and [`ended`] (what processes do and leave), [`record`] (what is known of a process), `reaper`;
//! then the objects.

pub mod channel;
pub mod deadlock;
pub mod ended;
pub mod finish;
pub mod pipe;
pub mod place;
pub mod pool;
pub mod queue;
pub mod reaper;
pub mod record;
pub mod select;
pub mod shared;
pub mod signals;
pub mod spawn;
pub mod wait;

pub use ended::Ended;
pub use spawn::{ChildOutcome, Message, Method, Process, SpawnSpec};

use crate::arena::{self, Arena};
use crate::diag::Result;
use crate::os::signal;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the arena and tells it about the kinds of objects, unless that was done. Everything that needs the arena comes
/// here first; a script that shares nothing never does.
pub fn start() -> Result<&'static Arena> {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if STARTED.load(Ordering::Acquire)
        && let Some(arena) = arena::get()
    {
        return Ok(arena);
    }
    spawn::register();
    shared::register();
    queue::register();
    pipe::register();
    let arena = arena::ensure()?;
    signal::watch_children();
    spawn::make_main(arena)?;
    STARTED.store(true, Ordering::Release);
    Ok(arena)
}

//! Pools: the shared state of `pool map` ([`job`], `claims` for who works on what, [`desk`] for a worker's part in it, `stop` for its end before its time) and of
//! `pool(n)` ([`tasks`], [`future`], `owner`, [`untold`] for failures that nobody asks for), what a worker printed last ([`tail`]), and what ends the
//! reading of a map's source ([`reading`]), and where workers print to when that is told in the order of the items ([`spool`]; [`outlet`] for their programs).
//!
//! Imports `arena`, `os`, `diag`, and ends of pipes from [`super::programs`]. **Invariant:** nothing here forks or runs a task: workers are processes like any other,
//! made by the built-ins through [`super::spawn`], and what they work off arrives as bytes or as an index.

mod claims;
mod crew;
pub mod desk;
pub mod future;
pub mod job;
pub mod outlet;
pub mod owner;
pub mod reading;
pub mod spool;
mod stop;
pub mod tail;
pub mod tasks;
pub mod untold;

/// Whether this process is a worker of a pool or of a map.
pub fn is_worker() -> bool {
    tail::is_noted()
}

/// Tells the arena and deadlock detection about the kinds of pools.
pub(super) fn register() {
    job::register();
    future::register();
    tasks::register();
}

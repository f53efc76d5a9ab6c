//! Pools: `pool map` ([`map`]: workers are forked at the call and inherit everything) and `pool(n)` ([`workers`], [`future`]);
//! what both share: options (`settings`), what workers are given and spared (`care`), when something is tried again (`retry`), in which order prints are told (`relay`), how many workers (`budget`), what is told of a dead one (`death`), what outlives the run (`journal`), where the
//! time went ([`stats`]).

mod budget;
mod care;
mod death;
pub mod future;
mod item;
pub(super) mod journal;
pub mod map;
mod relay;
mod retry;
mod settings;
pub mod stats;
mod stream;
pub mod workers;

use super::Table;
pub use item::{BROKEN_OFF, LEFT_OUT};

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "as_completed" ("futures", "timeout?") future::as_completed, "An iterator over futures (and processes) as they finish.";
    "join_any" ("futures", "timeout?") future::join_any, "Waits until one of several futures or processes is finished, and gives its value or raises its error.";
    "pool" ("workers?", "init?", "max_tasks?", "retries?", "timeout?", "max_memory?", "init_timeout?", "exit?", "exit_timeout?", "idle?") workers::pool, "Starts a pool of worker processes; `retries` and `timeout` hold for each task.";
};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@pool_break" () item::not_called, "What the body of `pool map` returns for `break`.";
    "@pool_call" ("function", "items", "workers?", "chunk?", "ordered?", "progress?", "timeout?", "retries?", "on_error?", "init?", "max_tasks?", "journal?", "retry_delay?", "retry_if?", "max_memory?", "init_timeout?", "exit?", "exit_timeout?", "output?") map::call, "`pool map(function, items, options)`.";
    "@pool_continue" () item::not_called, "What the body of `pool map` returns for `continue`.";
    "@pool_map" ("options", "items", "function", "pairs") map::block, "`pool map(options) x in items { ... }`.";
};

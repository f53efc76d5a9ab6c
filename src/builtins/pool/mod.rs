//! Pools: `pool map` ([`map`]: workers are forked at the call and inherit everything) and `pool(n)` ([`workers`], [`future`]);
//! what both share: options ([`settings`]), how many workers ([`budget`]), what is told of a dead one ([`death`]), where the
//! time went ([`stats`]).

mod budget;
mod death;
pub mod future;
pub mod map;
mod settings;
pub mod stats;
mod stream;
pub mod workers;

use super::Table;

/// Sorted by name.
pub static FUNCTIONS: Table = natives! {
    "as_completed" ("futures", "timeout?") future::as_completed, "An iterator over futures as they finish.";
    "pool" ("workers?", "init?", "max_tasks?", "retries?") workers::pool, "Starts a pool of worker processes.";
};

/// Sorted by name.
pub static INTRINSICS: Table = natives! {
    "@pool_call" ("function", "items", "workers?", "chunk?", "ordered?", "progress?", "timeout?", "retries?", "on_error?", "init?", "max_tasks?") map::call, "`pool map(function, items, options)`.";
    "@pool_map" ("options", "items", "function") map::block, "`pool map(options) x in items { ... }`.";
};

//! The options of `pool map` and of the methods of a pool, checked.

use super::super::arguments;
use super::budget;
use crate::diag::{Error, codes};
use crate::value::Value;
use crate::value::native::Outcome;

/// The names of the options, in the order in which `@pool_call` has them.
pub const NAMES: [&str; 9] = [
    "workers",
    "chunk",
    "ordered",
    "progress",
    "timeout",
    "retries",
    "on_error",
    "init",
    "max_tasks",
];

/// What a map was told.
pub struct Settings {
    /// Worker processes.
    pub workers: u64,
    /// Items of one hand-out; `None` adapts it.
    pub chunk: Option<u64>,
    /// Results stand in the order of the items; else as they were finished.
    pub ordered: bool,
    /// Seconds that one item may take.
    pub timeout: Option<f64>,
    /// How often an item whose worker dies, or that takes too long, is tried again.
    pub retries: u64,
    /// Errors come back as values.
    pub collect: bool,
    /// Runs once in each worker.
    pub init: Value,
    /// Items after which a worker is replaced.
    pub max_tasks: Option<u64>,
    /// A bar on the terminal.
    pub progress: bool,
}

fn count(name: &str, value: &Value, least: i64) -> Outcome<Option<u64>> {
    let Some(value) = arguments::given(value) else {
        return Ok(None);
    };
    let number = arguments::int("pool map", name, value)?;
    if number < least {
        let rule = format!("must be {least} or more");
        return Err(arguments::refuse("pool map", name, &rule, value));
    }
    Ok(Some(number as u64))
}

/// Most workers of one pool: what a process table of 4,096 leaves for a few pools at once.
const MAX_WORKERS: u64 = 1024;

/// A number of workers, or what the budget of this process allows.
pub fn workers(value: &Value) -> Outcome<u64> {
    let workers = count("workers", value, 1)?.unwrap_or_else(budget::share);
    if workers > MAX_WORKERS {
        let message =
            format!("a pool may have {MAX_WORKERS} workers, but {workers} were asked for");
        return Err(Error::new(codes::LIMIT, message).into());
    }
    Ok(workers)
}

impl Settings {
    /// From the values of the options in the order of [`NAMES`].
    pub fn new(values: &[Value]) -> Outcome<Settings> {
        let value = |at: usize| values.get(at).copied().unwrap_or(Value::Undef);
        let flag = |at: usize| match arguments::given(&value(at)) {
            Some(value) => arguments::boolean("pool map", NAMES[at], value),
            None => Ok(false),
        };
        let ordered = arguments::given(&value(2)).is_none() || flag(2)?;
        let timeout = arguments::timeout("pool map", "timeout", &value(4))?;
        if timeout.is_some_and(|seconds| seconds <= 0.0) {
            return Err(arguments::refuse(
                "pool map",
                "timeout",
                "must be more than 0 seconds",
                &value(4),
            ));
        }
        let collect = match arguments::given(&value(6)) {
            None => false,
            Some(mode) => match arguments::text("pool map", "on_error", mode)? {
                "collect" => true,
                "raise" => false,
                _ => {
                    return Err(arguments::refuse(
                        "pool map",
                        "on_error",
                        "must be \"raise\" or \"collect\"",
                        mode,
                    ));
                }
            },
        };
        let init = arguments::given(&value(7)).copied().unwrap_or(Value::Nil);
        if !matches!(init, Value::Nil) {
            arguments::callable("pool map", "init", &init)?;
        }
        Ok(Settings {
            workers: workers(&value(0))?,
            chunk: count("chunk", &value(1), 1)?,
            ordered,
            progress: flag(3)?,
            timeout,
            retries: count("retries", &value(5), 0)?.unwrap_or(0),
            collect,
            init,
            max_tasks: count("max_tasks", &value(8), 1)?,
        })
    }
}

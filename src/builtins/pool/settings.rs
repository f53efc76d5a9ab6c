//! The options of `pool map` and of the methods of a pool, checked.

use super::super::arguments;
use super::super::progress::Progress;
use super::budget;
use super::care::Care;
use super::relay;
use super::retry::Retry;
use crate::diag::{Error, codes};
use crate::value::Value;
use crate::value::native::Outcome;

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
    /// How often an item whose worker dies, or that takes too long, is tried again, and on which terms.
    pub retry: Retry,
    /// Errors come back as values.
    pub collect: bool,
    /// Runs once in each worker.
    pub init: Value,
    /// What else workers are given and spared.
    pub care: Care,
    /// Items after which a worker is replaced.
    pub max_tasks: Option<u64>,
    /// A bar on the terminal.
    pub progress: Progress,
    /// The file in which results are kept for the next run.
    pub journal: Option<String>,
    /// What items print is told in their order.
    pub relays: bool,
}

/// An int of `least` or more, when one was given.
pub fn count(function: &str, name: &str, value: &Value, least: i64) -> Outcome<Option<u64>> {
    let Some(value) = arguments::given(value) else {
        return Ok(None);
    };
    let number = arguments::int(function, name, value)?;
    if number < least {
        let rule = format!("must be {least} or more");
        return Err(arguments::refuse(function, name, &rule, value));
    }
    Ok(Some(number as u64))
}

/// A bool; `otherwise` when none was given.
pub fn flag(function: &str, name: &str, value: &Value, otherwise: bool) -> Outcome<bool> {
    match arguments::given(value) {
        Some(value) => arguments::boolean(function, name, value),
        None => Ok(otherwise),
    }
}

/// `progress:`: true or false, or "workers" for a bar with what each worker is at.
pub fn progress(function: &str, value: &Value) -> Outcome<Progress> {
    let Some(wanted) = arguments::given(value) else {
        return Ok(Progress::None);
    };
    match wanted {
        Value::Bool(true) => Ok(Progress::Bar),
        Value::Bool(false) => Ok(Progress::None),
        wanted if wanted.as_str() == Some("workers") => Ok(Progress::Workers),
        other => {
            let rule = "must be true, false or \"workers\"";
            Err(arguments::refuse(function, "progress", rule, other))
        }
    }
}

/// `journal:`: the name of a file.
pub fn journal(function: &str, value: &Value) -> Outcome<Option<String>> {
    let Some(value) = arguments::given(value) else {
        return Ok(None);
    };
    match arguments::text(function, "journal", value)? {
        "" => Err(arguments::refuse(
            function,
            "journal",
            "must be the name of a file",
            value,
        )),
        path => Ok(Some(path.to_string())),
    }
}

/// `timeout:` of a task in seconds: more than 0.
pub fn limit(function: &str, value: &Value) -> Outcome<Option<f64>> {
    period(function, "timeout", value)
}

/// Seconds, more than 0, when they were given.
pub fn period(function: &str, name: &str, value: &Value) -> Outcome<Option<f64>> {
    let limit = arguments::timeout(function, name, value)?;
    if limit.is_some_and(|seconds| seconds <= 0.0) {
        let rule = "must be more than 0 seconds";
        return Err(arguments::refuse(function, name, rule, value));
    }
    Ok(limit)
}

/// `on_error:`: whether errors come back as values.
pub fn collect(function: &str, value: &Value) -> Outcome<bool> {
    let Some(mode) = arguments::given(value) else {
        return Ok(false);
    };
    match arguments::text(function, "on_error", mode)? {
        "collect" => Ok(true),
        "raise" => Ok(false),
        _ => {
            let rule = "must be \"raise\" or \"collect\"";
            Err(arguments::refuse(function, "on_error", rule, mode))
        }
    }
}

/// Most workers of one pool: what a process table of 4,096 leaves for a few pools at once.
const MAX_WORKERS: u64 = 1024;

/// A number of workers, or what the budget of this process allows.
pub fn workers(value: &Value) -> Outcome<u64> {
    let workers = count("pool", "workers", value, 1)?.unwrap_or_else(budget::share);
    if workers > MAX_WORKERS {
        let message =
            format!("a pool may have {MAX_WORKERS} workers, but {workers} were asked for");
        return Err(Error::new(codes::LIMIT, message).into());
    }
    Ok(workers)
}

impl Settings {
    /// From the values of the options in the order of [`POOL_MAP`](crate::constructs::POOL_MAP).
    pub fn new(values: &[Value]) -> Outcome<Settings> {
        let function = "pool map";
        let value = |at: usize| values.get(at).copied().unwrap_or(Value::Undef);
        let init = arguments::given(&value(7)).copied().unwrap_or(Value::Nil);
        if !matches!(init, Value::Nil) {
            arguments::callable(function, "init", &init)?;
        }
        Ok(Settings {
            workers: workers(&value(0))?,
            chunk: count(function, "chunk", &value(1), 1)?,
            ordered: flag(function, "ordered", &value(2), true)?,
            progress: progress(function, &value(3))?,
            timeout: limit(function, &value(4))?,
            retry: Retry::new(
                function,
                count(function, "retries", &value(5), 0)?.unwrap_or(0),
                &value(10),
                &value(11),
            )?,
            collect: collect(function, &value(6))?,
            init,
            care: Care::new(
                function,
                [&value(12), &value(13), &value(14), &value(15)],
                &init,
            )?,
            max_tasks: count(function, "max_tasks", &value(8), 1)?,
            journal: journal(function, &value(9))?,
            relays: relay::is_ordered(function, &value(16))?,
        })
    }
}

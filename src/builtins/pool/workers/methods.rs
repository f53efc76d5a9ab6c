//! The methods of a pool.

use super::super::super::{Table, arguments};
use super::super::future::FutureHandle;
use super::super::map::{gather, lazy_source};
use super::super::relay;
use super::super::retry::Retry;
use super::super::stream::Plan;
use super::super::stream::collect::collect;
use super::super::{settings, stream};
use super::batch::{self, Wishes};
use super::limited::limited;
use super::task::Work;
use super::{PoolHandle, receiver, with_limits};
use crate::builtins::modules::random;
use crate::process::pool::owner::Limits;
use crate::process::pool::tasks::Closing;
use crate::source::Span;
use crate::value::Value;
use crate::value::native::{Args, Context, Fault, Outcome};
use std::rc::Rc;

/// The methods, sorted by name.
pub static METHODS: Table = natives! {
    "@leave" ("error") leave, "The end of a `with` block: works off what was handed in, or after an error gives it up.";
    "apply" ("function", "...arguments", "**named") apply, "Hands one call in and waits for its result.";
    "close" ("cancel?") close, "Takes no more tasks; the workers leave when all is done. With `cancel: true` what no worker has begun is given up.";
    "imap" ("function", "items", "chunk?", "on_error?", "timeout?", "retries?", "retry_delay?", "retry_if?", "output?") stream::imap, "An iterator over the results in order, reading only a little ahead of them. It begins at once.";
    "imap_unordered" ("function", "items", "chunk?", "on_error?", "timeout?", "retries?", "retry_delay?", "retry_if?", "output?") stream::imap_unordered, "An iterator over the results as they come. It begins at once.";
    "join" ("timeout?") join, "Waits until a closed pool has ended.";
    "kill" () kill, "Ends the pool and everything that its tasks have started without a grace: no `finally` runs.";
    "limited" ("timeout?", "retries?", "retry_delay?", "retry_if?") limited, "The same pool with other limits for what is handed in through this value: `p.limited(timeout: 1s).submit(f)`.";
    "map" ("function", "items", "chunk?", "on_error?", "ordered?", "timeout?", "retries?", "progress?", "journal?", "retry_delay?", "retry_if?", "output?") map, "The results of the function for all items, in order.";
    "resize" ("workers") resize, "Lets the pool have so many workers: new ones come at once, spare ones leave when they have finished their tasks.";
    "starmap" ("function", "items", "chunk?", "on_error?", "ordered?", "timeout?", "retries?", "progress?", "journal?", "retry_delay?", "retry_if?", "output?") starmap, "As `map`, with the items of each item as arguments.";
    "stats" () stats, "A list with a map for each worker: tasks, processes, the busy and the waiting share of its time, seconds of work, seconds until it was ready.";
    "submit" ("function", "...arguments", "**named") submit, "Hands one call in and gives a future for its result.";
    "terminate" () terminate, "Ends the pool at once; tasks that are not finished are given up.";
};

/// Hands in one call; named arguments come as a map, before the others. `from` is the place of the call when its failure is to
/// be told of if nobody asks for it.
fn call(
    context: &mut dyn Context,
    method: &str,
    args: Args<'_>,
    from: Option<Span>,
) -> Outcome<FutureHandle> {
    let (pool, limits) = with_limits(method, &args[0])?;
    function_of(method, args, None)?;
    let positional = args.get(3..).unwrap_or(&[]).to_vec();
    let function = retry_of(&args[0]).bind(context, args[1]);
    let mut task = pool.task(Work::Call, function, positional, limits);
    task.named = arguments::given(&args[2]).copied().unwrap_or(Value::Nil);
    task.stream = random::draw(context);
    task.from = from;
    let future = pool.hand_in(context, task);
    pool.told_why(context, future)
}

/// The function of a task, or of the items of a map: the first argument of its method.
pub fn function_of(method: &str, args: Args<'_>, items: Option<&Value>) -> Outcome {
    let refused = match arguments::callable(method, "function", &args[1]) {
        Err(Fault::Error(error)) => error,
        other => return other,
    };
    let is_behind = items.is_some_and(|items| arguments::callable(method, "", items).is_ok());
    let help = match (is_behind, items) {
        (true, _) => format!("the function comes first: p.{method}(f, items)"),
        (false, Some(_)) => format!("give the function itself: p.{method}(f, items)"),
        (false, None) => format!(
            "give the function and its arguments, the call is the worker's: p.{method}(f, x)"
        ),
    };
    Err(refused.with_help(help).into())
}

fn submit(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let from = context.place();
    let future = call(context, "submit", args, from)?;
    Ok(Value::handle(context.heap(), Rc::new(future)))
}

fn apply(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let handle = call(context, "apply", args, None)?;
    let result = handle.result(context, None);
    // Nobody else has it.
    handle.future.forget_result();
    result
}

fn map(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    map_with(context, args, "map", Work::Map)
}

fn starmap(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    map_with(context, args, "starmap", Work::Star)
}

fn map_with(
    context: &mut dyn Context,
    args: Args<'_>,
    method: &'static str,
    work: Work,
) -> Outcome {
    let (pool, limits) = with_limits(method, &args[0])?;
    function_of(method, args, Some(&args[2]))?;
    let retries = settings::count(method, "retries", &args[7], 0)?.unwrap_or(limits.retries);
    let wishes = Wishes {
        chunk: settings::count(method, "chunk", &args[3], 1)?,
        collect: settings::collect(method, &args[4])?,
        ordered: settings::flag(method, "ordered", &args[5], true)?,
        limit: settings::limit(method, &args[6])?.or(limits.timeout),
        retry: retry_for(method, &args[0], retries, &args[10], &args[11])?,
        progress: settings::progress(method, &args[8])?,
        journal: settings::journal(method, &args[9])?,
        relays: relay::is_ordered(method, &args[12])?,
    };
    if let Some(source) = lazy_source(context, args[2])? {
        let plan = Plan {
            pool,
            owner: args[0],
            function: Some(wishes.retry.bind(context, args[1])),
            retry: wishes.retry,
            work,
            chunk: wishes.chunk,
            collect: wishes.collect,
            limits: Limits {
                timeout: wishes.limit,
                retries: wishes.retry.count,
                max_tasks: None,
            },
            method,
            ordered: wishes.ordered,
            gathers: true,
            relays: wishes.relays,
        };
        let journal = wishes.journal.as_deref().map(|path| (path, args[1]));
        return Ok(collect(context, plan, source, wishes.progress, journal)?.0);
    }
    let may_change = pool.has_callbacks() || wishes.retry.asks_script();
    let items = gather(context, args[2], may_change)?;
    batch::map(context, pool, method, args[1], items, work, wishes)
}

/// The terms of a pool's value, on which its tasks are tried again.
fn retry_of(pool: &Value) -> Retry {
    let handle = pool.as_handle::<PoolHandle>();
    handle.map_or_else(Retry::never, |handle| handle.retry)
}

/// The same, or those that a call was given.
pub fn retry_for(
    method: &str,
    pool: &Value,
    count: u64,
    delay: &Value,
    when: &Value,
) -> Outcome<Retry> {
    let given = Retry::new(method, count, delay, when)?;
    Ok(given.or(retry_of(pool)))
}

fn leave(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let pool = receiver("with", &args[0])?;
    if arguments::given(&args[1]).is_some() {
        pool.terminate(context.place())?;
        return Ok(Value::Nil);
    }
    pool.work_off(context, None)?;
    Ok(Value::Nil)
}

fn close(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let pool = receiver("close", &args[0])?;
    let cancels = settings::flag("close", "cancel", &args[1], false)?;
    pool.tasks.close(Closing::Closed);
    if cancels {
        pool.tasks.cancel_waiting(context.place());
    }
    Ok(Value::Nil)
}

fn kill(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("kill", &args[0])?.end_at_once(context.place());
    Ok(Value::Nil)
}

fn terminate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("terminate", &args[0])?.terminate(context.place())?;
    Ok(Value::Nil)
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let timeout = arguments::timeout("join", "timeout", &args[1])?;
    receiver("join", &args[0])?.join(context, timeout)
}

fn resize(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let pool = receiver("resize", &args[0])?;
    arguments::int("resize", "workers", &args[1])?;
    pool.resize(settings::workers(&args[1])?)?;
    let _ = context;
    Ok(Value::Nil)
}

fn stats(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let pool = receiver("stats", &args[0])?;
    pool.check_is_mine("stats")?;
    let tallies = pool.tallies();
    let rows = tallies.iter().enumerate();
    let rows = rows.filter(|&(worker, _)| pool.has_seat(worker));
    let rows: Vec<Value> = rows
        .map(|(worker, tally)| {
            let row = tally.value(context, worker);
            context.protect(row);
            row
        })
        .collect();
    Ok(Value::list(context.heap(), rows))
}

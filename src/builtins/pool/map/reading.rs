//! `pool map` over a source that may wait, call the script, or have no end: it is read while its items are worked on.

use super::super::settings::Settings;
use super::super::stream::Plan;
use super::super::stream::collect::collect;
use super::super::workers::task::Work;
use super::super::workers::{Pool, with_news};
use crate::process::pool::owner::Limits;
use crate::value::Value;
use crate::value::native::{Context, NativeIter, Outcome};
use std::rc::Rc;

/// The results for all items of a source.
pub(super) fn run(
    context: &mut dyn Context,
    function: Value,
    source: Rc<dyn NativeIter>,
    settings: &Settings,
) -> Outcome {
    context.protect(function);
    context.protect(settings.init);
    settings.retry.protect(context);
    let body = settings.retry.bind(context, function);
    let pool = Pool::one_shot(context, body, settings)?;
    let plan = Plan {
        pool: pool.clone(),
        owner: Value::Nil,
        function: None,
        retry: settings.retry,
        work: Work::Map,
        chunk: settings.chunk,
        collect: settings.collect,
        limits: Limits {
            timeout: settings.timeout,
            retries: settings.retry.count,
            max_tasks: None,
        },
        method: "pool map",
        ordered: settings.ordered,
        gathers: true,
        relays: settings.relays,
    };
    let journal = settings.journal.as_deref().map(|path| (path, function));
    let outcome = collect(context, plan, source, settings.progress, journal);
    let ended = match &outcome {
        Ok((_, in_order)) => pool.dismiss(context, *in_order),
        Err(_) => pool.dismiss(context, false),
    };
    let (results, _) = with_news(outcome, ended)?;
    Ok(results)
}

//! What the items of a `pool map` came to, as its caller gets it.

use super::super::super::travel;
use super::Map;
use crate::diag::{Error, codes};
use crate::process::pool::job::{Job, Produced};
use crate::source::Span;
use crate::value::error::ErrorValue;
use crate::value::list::{Items, List};
use crate::value::native::{Context, Fault, Outcome};
use crate::value::{Value, show};

impl Map {
    /// The list of results, or the first error. `only`: of these items, where the body said `break`.
    pub(super) fn results(&self, context: &mut dyn Context, only: Option<Vec<u64>>) -> Outcome {
        let item = |item: u64| self.items.get(item as usize).unwrap_or(Value::Nil);
        let collect = self.settings.collect;
        match only {
            None => results_of(context, &self.job, self.place, collect, "pool map", item),
            Some(items) => values_of(
                context, &self.job, items, self.place, collect, "pool map", item,
            ),
        }
    }

    /// When the body said `break`: the items whose results are the map's.
    pub(super) fn items_at_break(&self) -> Option<Vec<u64>> {
        let end = self.job.broken_at()?;
        let end = if self.settings.ordered { end } else { u64::MAX };
        // The item at the end has said `break` and stays without a result, or it has failed.
        let wanted = |&item: &u64| item <= end && self.job.is_finished(item);
        Some(self.job.order().into_iter().filter(wanted).collect())
    }
}

/// The results of a finished job as a list, or its first error. `item` gives the items for reports.
pub fn results_of(
    context: &mut dyn Context,
    job: &Job,
    place: Option<Span>,
    collect: bool,
    construct: &str,
    item_at: impl Fn(u64) -> Value,
) -> Outcome {
    if let Some(item) = job.failed().filter(|_| !collect)
        && let Produced::Error(bytes) = job.result(item)
    {
        let error = travel::unpack(context, bytes)?;
        let value = item_at(item);
        return Err(Fault::Thrown(error_of_item(
            context, error, construct, item, value, place,
        )?));
    }
    if let Some(ints) = job.all_ints() {
        let list = List::from_items(context.heap(), Items::Ints(ints));
        return Ok(Value::List(list));
    }
    values_of(
        context,
        job,
        job.order(),
        place,
        collect,
        construct,
        item_at,
    )
}

/// The results of some items as a list: errors in place where they are collected, else the first that is found is raised.
fn values_of(
    context: &mut dyn Context,
    job: &Job,
    items: Vec<u64>,
    place: Option<Span>,
    collect: bool,
    construct: &str,
    item_at: impl Fn(u64) -> Value,
) -> Outcome {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        let result = job.result(item);
        if result == Produced::LeftOut {
            continue;
        }
        // Decoding only allocates, so nothing is collected until the list is made.
        let decoded = value_of(context, result)?;
        // The map is over, and this is its only process that asks for results.
        job.forget_result(item);
        values.push(match decoded {
            Ok(value) => value,
            Err(error) => {
                let error = error_of_item(context, error, construct, item, item_at(item), place)?;
                match collect {
                    true => error,
                    false => return Err(Fault::Thrown(error)),
                }
            }
        });
    }
    Ok(Value::list(context.heap(), values))
}

/// The value or the error that an item came to; nil while it has come to nothing.
pub fn value_of(
    context: &mut dyn Context,
    produced: Produced<'_>,
) -> Outcome<std::result::Result<Value, Value>> {
    Ok(Ok(match produced {
        Produced::Int(i) => Value::Int(i),
        Produced::Float(f) => Value::Float(f),
        Produced::Bool(b) => Value::Bool(b),
        Produced::Nil | Produced::Pending | Produced::LeftOut => Value::Nil,
        Produced::Value(bytes) => travel::unpack(context, bytes)?,
        Produced::Error(bytes) => return Ok(Err(travel::unpack(context, bytes)?)),
    }))
}

/// Attributes of an error that the body of a map gives it (no script can name them): whose items these are, and which it was at.
const INNER: [&str; 3] = ["@of", "@index", "@item"];

/// An item's error as the caller sees it: with the item, its index and the worker's trace.
pub fn error_of_item(
    context: &mut dyn Context,
    error: Value,
    construct: &str,
    index: u64,
    item: Value,
    place: Option<Span>,
) -> Outcome {
    let Value::Error(error) = error else {
        return Err(Error::new(codes::DECODE, "a worker's error could not be read").into());
    };
    let mut attributes = error.attributes.clone();
    let mut take = |wanted: &str| {
        let at = attributes.iter().position(|(name, _)| &**name == wanted)?;
        Some(attributes.swap_remove(at).1)
    };
    // Where the item is a chunk, as for the module `parallel`, its body has said at which of its items it failed, and whose these are.
    let [of, inner, value] = INNER.map(&mut take);
    let of = of.as_ref().and_then(Value::as_str);
    let (index, item) = match inner {
        Some(index) => (index, value.unwrap_or(Value::Nil)),
        None => (Value::Int(index as i64), item),
    };
    let mut report = error.report.clone();
    report.notes.push(format!(
        "in item {} of `{}`: {}",
        show::repr(index),
        of.unwrap_or(construct),
        shorten(show::repr(item))
    ));
    report.spawned_at = report.spawned_at.or(place);
    report.joined.extend(context.trace());
    attributes.retain(|(name, _)| !matches!(&**name, "index" | "item"));
    attributes.push(("index".into(), index));
    attributes.push(("item".into(), item));
    Ok(Value::Error(ErrorValue::new(
        context.heap(),
        report,
        attributes,
        error.cause,
    )))
}

/// A value's text for a report, cut where it would fill the screen.
fn shorten(mut text: String) -> String {
    const MOST: usize = 200;
    if text.len() > MOST {
        let cut = (0..=MOST)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

//! Going through values in native code, safely: a collection may run whenever the script is called back, so whatever is
//! needed across a call is kept reachable here.

use crate::diag::{self, codes};
use crate::limits::MAX_ITEMS;
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::IterBox;
use crate::value::native::{Context, Fault, Looks, NativeIter, Outcome, make_room};
use crate::value::operate;
use std::ops::ControlFlow;
use std::rc::Rc;

/// Calls `step` with every item of a value until it breaks. An item is safe until the next call back into the script.
pub fn each(
    context: &mut dyn Context,
    value: Value,
    mut step: impl FnMut(&mut dyn Context, Value) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let iterator = open(context, value)?;
    let mut looks = Looks::default();
    while let Some(item) = iterator.next(context)? {
        if step(context, item)?.is_break() {
            break;
        }
        looks.look(context)?;
    }
    Ok(())
}

/// The same where every item is needed: a value whose items are known never to end is refused at once.
pub fn every(
    context: &mut dyn Context,
    function: &str,
    value: Value,
    step: impl FnMut(&mut dyn Context, Value) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    check_end(function, &value)?;
    each(context, value, step)
}

/// An error for a value whose items are known never to end.
pub fn check_end(function: &str, value: &Value) -> Outcome<()> {
    let is_endless = match value {
        Value::Range(range) => range.len().is_none(),
        Value::Iter(iterator) => iterator.iter.never_ends(),
        _ => false,
    };
    match is_endless {
        true => Err(endless(function, value)),
        false => Ok(()),
    }
}

/// The error of a value whose items never end where all of them are needed.
pub fn endless(function: &str, value: &Value) -> Fault {
    let (what, help) = match value {
        Value::Range(range) => (
            "range is endless",
            format!(
                "write where it ends: {}..{}",
                range.start,
                range.start.saturating_add(10)
            ),
        ),
        _ => (
            "iterator never ends",
            "take some of them: .take(10)".to_string(),
        ),
    };
    let message = format!("{function}: items that end are needed, but this {what}");
    diag::Error::new(codes::VALUE, message)
        .with_help(help)
        .into()
}

/// An iterator over a value that is kept alive until the native function returns.
pub fn open(context: &mut dyn Context, value: Value) -> Outcome<Rc<dyn NativeIter>> {
    let iterator = context.iterate(value)?;
    let kept = IterBox::new(context.heap(), iterator.clone());
    context.protect(Value::Iter(kept));
    Ok(iterator)
}

/// Does something while a value is kept alive.
pub fn keeping<T>(
    context: &mut dyn Context,
    value: Value,
    step: impl FnOnce(&mut dyn Context) -> Outcome<T>,
) -> Outcome<T> {
    let before = context.protected();
    context.protect(value);
    let result = step(context);
    context.release(before);
    result
}

/// A new list that is kept alive until the native function returns.
pub fn list(context: &mut dyn Context) -> Gc<List> {
    let list = List::new(context.heap(), Vec::new());
    context.protect(Value::List(list));
    list
}

/// A new list (kept alive) of all items of a value.
pub fn collect(context: &mut dyn Context, function: &str, value: Value) -> Outcome<Gc<List>> {
    if let Value::List(list) = value {
        make_room(context, function, list.items().bytes())?;
        return Ok(copy(context, list));
    }
    if let Value::Range(range) = value
        && let Some(len) = range.len()
    {
        operate::within(
            function,
            usize::try_from(len).unwrap_or(usize::MAX),
            MAX_ITEMS,
        )?;
        make_room(context, function, len as usize * 8)?;
        let numbers = (0..len).filter_map(|at| range.get(at)).collect();
        let list = List::from_items(context.heap(), Items::Ints(numbers));
        context.protect(Value::List(list));
        return Ok(list);
    }
    let all = list(context);
    every(context, function, value, |context, item| {
        operate::within(function, all.len() + 1, MAX_ITEMS)?;
        all.push(context.heap(), item);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

/// A copy of a list (kept alive).
pub fn copy(context: &mut dyn Context, from: Gc<List>) -> Gc<List> {
    let items = from.items().clone();
    let list = List::from_items(context.heap(), items);
    context.protect(Value::List(list));
    list
}

/// A place that keeps one value alive at a time, however many pass through it.
pub struct Slot(Gc<List>);

impl Slot {
    /// An empty place; it lasts until the native function returns.
    pub fn new(context: &mut dyn Context) -> Slot {
        let list = List::new(context.heap(), vec![Value::Nil]);
        context.protect(Value::List(list));
        Slot(list)
    }

    /// Keeps `value` instead of what was kept before.
    pub fn keep(&self, context: &mut dyn Context, value: Value) {
        self.0.set(context.heap(), 0, value);
    }

    /// What is kept.
    pub fn get(&self) -> Value {
        self.0.get(0).unwrap_or(Value::Nil)
    }
}

/// Whether a fault is the error that ends an iteration in good order.
pub fn is_end(fault: &Fault) -> bool {
    match fault {
        Fault::Error(error) => error.kind == "EndOfStream",
        Fault::Thrown(Value::Error(error)) => error.report.kind == "EndOfStream",
        _ => false,
    }
}

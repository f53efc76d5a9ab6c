//! Sorting by content or by keys: stable, and safe against values that have no order among each other.

use super::gather;
use crate::value::Value;
use crate::value::compare;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::make_room;
use crate::value::native::{Context, Outcome};
use crate::value::operate;
use std::cmp::Ordering;

/// The items of `list` in order, of `key(item)` where a key is given. The script may run (for the keys): `list` must be
/// one that it cannot change, see [`gather::copy`].
pub fn sorted(
    context: &mut dyn Context,
    list: Gc<List>,
    key: Option<Value>,
    reverse: bool,
) -> Outcome<Items> {
    if key.is_none() {
        return sort_items(context, list, reverse);
    }
    let order = order(context, list, key, reverse)?;
    let items = order.into_iter().filter_map(|at| list.get(at));
    Ok(Items::from_values(items.collect()))
}

/// The indexes of the items in the order that they have sorted. As for [`sorted`], the script must not be able to change `list`.
pub fn order(
    context: &mut dyn Context,
    list: Gc<List>,
    key: Option<Value>,
    reverse: bool,
) -> Outcome<Vec<usize>> {
    let keys = match key {
        None => list,
        Some(key) => {
            let keys = gather::list(context);
            for at in 0..list.len() {
                let item = list.get(at).unwrap_or(Value::Nil);
                let of_item = context.call(key, &[item])?;
                keys.push(context.heap(), of_item);
            }
            keys
        }
    };
    order_of(&keys.items().to_values(), reverse, &mut || context.poll())
}

/// Looks at what wants attention (Ctrl-C, a cancellation).
type Poll<'a> = &'a mut dyn FnMut() -> Outcome<()>;

/// Items that are sorted between two looks at what wants attention (Ctrl-C, a cancellation): a tenth of a second.
const PIECE: usize = 1 << 19;

/// Sorts in pieces, and looks at what wants attention between them: pieces that are in order are merged, two at a time, which
/// is what the standard library makes of them.
fn in_pieces<T>(
    poll: Poll<'_>,
    items: &mut [T],
    order: impl Fn(&T, &T) -> Ordering,
) -> Outcome<()> {
    let mut size = PIECE;
    loop {
        for piece in items.chunks_mut(size) {
            piece.sort_by(&order);
            if piece.len() >= PIECE {
                poll()?;
            }
        }
        if size >= items.len() {
            return Ok(());
        }
        size *= 2;
    }
}

fn sort_items(context: &mut dyn Context, list: Gc<List>, reverse: bool) -> Outcome<Items> {
    // A copy, the half that is merged beside it, and for other items their order.
    let several = if matches!(list.items(), Items::Any(_)) {
        4
    } else {
        2
    };
    make_room(
        context,
        "sort",
        list.items().bytes().saturating_mul(several),
    )?;
    match list.items() {
        Items::Ints(ints) => {
            let mut ints = ints.clone();
            match ints.len() <= PIECE {
                true => ints.sort_unstable(),
                false => in_pieces(&mut || context.poll(), &mut ints, i64::cmp)?,
            }
            if reverse {
                ints.reverse();
            }
            Ok(Items::Ints(ints))
        }
        Items::Floats(floats) => {
            let mut floats = floats.clone();
            // NaN stands after all others, so that this is a total order.
            let order = |a: &f64, b: &f64| {
                let nan = || a.is_nan().cmp(&b.is_nan());
                a.partial_cmp(b).unwrap_or_else(nan)
            };
            let order = |a: &f64, b: &f64| if reverse { order(b, a) } else { order(a, b) };
            in_pieces(&mut || context.poll(), &mut floats, order)?;
            Ok(Items::Floats(floats))
        }
        items => {
            let values = items.to_values();
            let order = order_of(&values, reverse, &mut || context.poll())?;
            let sorted = order.into_iter().filter_map(|at| values.get(at).copied());
            Ok(Items::from_values(sorted.collect()))
        }
    }
}

/// The indexes of the keys in their order. `poll` is asked now and then; nothing else is called.
pub fn order_of(keys: &[Value], reverse: bool, poll: Poll<'_>) -> Outcome<Vec<usize>> {
    let indexes: Vec<usize> = (0..keys.len()).collect();
    let mut texts: Option<Vec<(&str, usize)>> = indexes
        .iter()
        .map(|&at| Some((keys.get(at)?.as_str()?, at)))
        .collect();
    if let Some(texts) = &mut texts {
        let order = |(a, _): &(&str, usize), (b, _): &(&str, usize)| match reverse {
            true => b.cmp(a),
            false => a.cmp(b),
        };
        in_pieces(poll, texts, order)?;
        return Ok(texts.iter().map(|&(_, at)| at).collect());
    }
    let mut compared = 0_usize;
    merge_sort(indexes, &mut |a, b| {
        compared += 1;
        if compared.is_multiple_of(PIECE) {
            poll()?;
        }
        let (Some(&a), Some(&b)) = (keys.get(a), keys.get(b)) else {
            return Ok(Ordering::Equal);
        };
        let order = compare::order(a, b).ok_or_else(|| operate::unordered("sort", a, b))?;
        Ok(if reverse { order.reverse() } else { order })
    })
}

/// A stable merge sort whose comparison may fail: the standard library's may panic when an order is not total, and the
/// order of mixed values is not.
fn merge_sort(
    mut items: Vec<usize>,
    compare: &mut dyn FnMut(usize, usize) -> Outcome<Ordering>,
) -> Outcome<Vec<usize>> {
    let len = items.len();
    let mut next = Vec::with_capacity(len);
    let mut width = 1;
    while width < len {
        next.clear();
        for run in items.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
                if compare(a, b)? == Ordering::Greater {
                    next.push(b);
                    right = &right[1..];
                } else {
                    next.push(a);
                    left = &left[1..];
                }
            }
            next.extend_from_slice(left);
            next.extend_from_slice(right);
        }
        std::mem::swap(&mut items, &mut next);
        width *= 2;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_sort_is_stable_and_fails_in_order() {
        let keys = [3, 1, 2, 1, 3, 0];
        let mut by_key = |a: usize, b: usize| Ok(keys[a].cmp(&keys[b]));
        let sorted = merge_sort((0..6).collect(), &mut by_key).ok();
        assert_eq!(sorted, Some(vec![5, 1, 3, 2, 0, 4]));
    }
}

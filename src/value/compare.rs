//! Equality by content and the order of values.

use super::Value;
use super::list::{Items, Range};
use super::map::Table;
use crate::limits::MAX_VALUE_DEPTH;
use std::cmp::Ordering;
use std::collections::HashSet;

/// Pairs of containers that are compared before pairs are remembered: only cycles and very large values get there, and
/// remembering costs more than comparing.
const UNREMEMBERED: usize = 1000;

/// Whether two values are equal: containers by content (cycles are followed once), handles and functions by identity,
/// numbers by value whatever their kind.
pub fn equals(a: Value, b: Value) -> bool {
    if address(a).is_none() || address(b).is_none() {
        return simple(a, b);
    }
    // A list of pairs that must all be equal instead of recursion: depth costs no stack.
    let mut pairs = vec![(a, b)];
    let mut seen = HashSet::new();
    let mut containers = 0;
    while let Some((a, b)) = pairs.pop() {
        if let (Some(x), Some(y)) = (address(a), address(b)) {
            containers += 1;
            if containers > UNREMEMBERED && !seen.insert((x, y)) {
                continue;
            }
        }
        let equal = match (a, b) {
            (Value::List(x), Value::List(y)) => {
                x.same(y) || x.len() == y.len() && lists(x.items(), y.items(), &mut pairs)
            }
            (Value::Map(x), Value::Map(y)) => x.same(y) || tables(x.table(), y.table(), &mut pairs),
            (Value::Set(x), Value::Set(y)) => x.same(y) || tables(x.table(), y.table(), &mut pairs),
            (Value::Instance(x), Value::Instance(y)) => {
                let fields = x.fields().iter().zip(y.fields());
                x.same(y)
                    || x.of.same(y.of) && {
                        pairs.extend(fields.map(|(x, y)| (x.get(), y.get())));
                        true
                    }
            }
            (Value::Error(x), Value::Error(y)) => {
                x.same(y)
                    || x.report.kind == y.report.kind
                        && x.report.message == y.report.message
                        && x.attributes.len() == y.attributes.len()
                        && x.attributes.iter().zip(&y.attributes).all(|(x, y)| {
                            pairs.push((x.1, y.1));
                            x.0 == y.0
                        })
            }
            (Value::Bound(x), Value::Bound(y)) => {
                pairs.extend([(x.receiver, y.receiver), (x.function, y.function)]);
                true
            }
            _ => simple(a, b),
        };
        if !equal {
            return false;
        }
    }
    true
}

/// Equality of values that hold no others.
fn simple(a: Value, b: Value) -> bool {
    match (a, b) {
        (Value::Nil | Value::Undef, Value::Nil | Value::Undef) => true,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Int(x), Value::Int(y)) => x == y,
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            numbers(a, b) == Some(Ordering::Equal)
        }
        (Value::Bytes(x), Value::Bytes(y)) => x.data() == y.data(),
        (Value::Range(x), Value::Range(y)) => ranges(&x, &y),
        (Value::Fn(x), Value::Fn(y)) => x.same(y),
        (Value::Native(x), Value::Native(y)) => std::ptr::eq(x, y),
        (Value::Host(x), Value::Host(y)) => x.same(y),
        (Value::Struct(x), Value::Struct(y)) => x.same(y),
        (Value::Iter(x), Value::Iter(y)) => x.same(y),
        (Value::Handle(x), Value::Handle(y)) => {
            let same_object =
                x.get().identity().is_some() && x.get().identity() == y.get().identity();
            x.same(y) || same_object
        }
        _ => matches!((a.as_str(), b.as_str()), (Some(x), Some(y)) if x == y),
    }
}

/// Compares what can be compared at once and leaves the rest in `pairs`.
fn lists(x: &Items, y: &Items, pairs: &mut Vec<(Value, Value)>) -> bool {
    match (x, y) {
        (Items::Ints(x), Items::Ints(y)) => return x == y,
        (Items::Floats(x), Items::Floats(y)) => return x == y,
        (Items::Bools(x), Items::Bools(y)) => return x == y,
        _ => {}
    }
    let all = (0..x.len()).filter_map(|at| Some((x.get(at)?, y.get(at)?)));
    for (a, b) in all {
        match (address(a), address(b)) {
            (None, None) if !simple(a, b) => return false,
            (None, None) => {}
            (Some(_), Some(_)) => pairs.push((a, b)),
            _ => return false,
        }
    }
    true
}

fn tables(x: &Table, y: &Table, pairs: &mut Vec<(Value, Value)>) -> bool {
    x.len() == y.len()
        && x.iter().all(|(key, value)| match y.get(&key) {
            Some(other) => {
                pairs.push((value, other));
                true
            }
            None => false,
        })
}

fn ranges(x: &Range, y: &Range) -> bool {
    let len = x.len();
    len == y.len() && (len == Some(0) || x.start == y.start && (len == Some(1) || x.step == y.step))
}

/// The address of a value that holds others.
fn address(value: Value) -> Option<usize> {
    Some(match value {
        Value::List(o) => o.address(),
        Value::Map(o) => o.address(),
        Value::Set(o) => o.address(),
        Value::Instance(o) => o.address(),
        Value::Error(o) => o.address(),
        Value::Bound(o) => o.address(),
        _ => return None,
    })
}

/// The order of two numbers by their exact values; `None` when one is not a number or NaN.
pub fn numbers(a: Value, b: Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(&y)),
        (Value::Float(x), Value::Float(y)) => x.partial_cmp(&y),
        (Value::Int(x), Value::Float(y)) => int_float(x, y),
        (Value::Float(x), Value::Int(y)) => int_float(y, x).map(Ordering::reverse),
        _ => None,
    }
}

fn int_float(x: i64, y: f64) -> Option<Ordering> {
    // 2^63: floats from here on are above every int, and those below it convert without loss once they are whole.
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    if y.is_nan() {
        return None;
    }
    if y >= EDGE {
        return Some(Ordering::Less);
    }
    if y < -EDGE {
        return Some(Ordering::Greater);
    }
    let whole = y.trunc();
    let order = x.cmp(&(whole as i64));
    let rest = || 0.0_f64.partial_cmp(&(y - whole)).unwrap_or(Ordering::Equal);
    Some(order.then_with(rest))
}

/// The order of two values as `sort` uses it; `None` when values of these kinds have no order. NaN stands after every
/// other number.
pub fn order(a: Value, b: Value) -> Option<Ordering> {
    order_at(a, b, 0)
}

fn order_at(a: Value, b: Value, depth: usize) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(&y)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let nan = |v| matches!(v, Value::Float(f) if f.is_nan());
            numbers(a, b).or_else(|| Some(nan(a).cmp(&nan(b))))
        }
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(&y)),
        (Value::Bytes(x), Value::Bytes(y)) => Some(x.data().cmp(y.data())),
        (Value::List(x), Value::List(y)) => {
            if depth >= MAX_VALUE_DEPTH {
                return None;
            }
            for at in 0..x.len().min(y.len()) {
                let (a, b) = (x.get(at)?, y.get(at)?);
                if !equals(a, b) {
                    return order_at(a, b, depth + 1);
                }
            }
            Some(x.len().cmp(&y.len()))
        }
        _ => match (a.as_str(), b.as_str()) {
            (Some(x), Some(y)) => Some(x.cmp(y)),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::heap::Heap;
    use crate::value::list::List;

    #[test]
    fn numbers_compare_exactly() {
        let big = (1_i64 << 53) + 1;
        assert!(!equals(Value::Int(big), Value::Float((1_i64 << 53) as f64)));
        assert!(equals(Value::Int(1), Value::Float(1.0)));
        let order = |a, b| numbers(Value::Int(a), Value::Float(b));
        assert_eq!(order(i64::MAX, 9.3e18), Some(Ordering::Less));
        assert_eq!(
            order(i64::MIN, -9.223_372_036_854_776e18),
            Some(Ordering::Equal)
        );
        assert_eq!(order(-2, -2.5), Some(Ordering::Greater));
        assert_eq!(order(2, 2.5), Some(Ordering::Less));
        assert_eq!(order(2, f64::NAN), None);
    }

    #[test]
    fn cycles_end() {
        let mut heap = Heap::new();
        let cyclic = |heap: &mut Heap, last: i64| {
            let list = List::new(heap, vec![Value::Nil]);
            list.push(heap, Value::List(list));
            list.push(heap, Value::List(list));
            list.push(heap, Value::Int(last));
            Value::List(list)
        };
        let (a, b, c) = (
            cyclic(&mut heap, 1),
            cyclic(&mut heap, 1),
            cyclic(&mut heap, 2),
        );
        assert!(equals(a, b));
        assert!(!equals(a, c));
        assert_eq!(order(a, c), None);
    }
}

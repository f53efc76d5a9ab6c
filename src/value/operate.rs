//! The operators of values: numbers, strings, bytes, lists, sets. The machine has its own fast paths; this is what they mean.

use super::compare;
use super::heap::Heap;
use super::list::{Items, List};
use super::map::{Map, Set, Table};
use super::native::{Context, Looks, Outcome};
use super::show;
use super::text::{Str, checked, whole};
use super::{Value, map};
use crate::diag::{self, codes};
use crate::limits::{MAX_ITEMS, MAX_STRING};
use crate::operator::{BinaryOp, UnaryOp};
use crate::room;
use std::cmp::Ordering;

/// `a op b` of values that decide it alone. `in` of a handle or an iterator needs the machine: see [`contains`].
pub fn binary(heap: &mut Heap, op: BinaryOp, a: Value, b: Value) -> Outcome {
    match op {
        BinaryOp::Eq => Ok(Value::Bool(compare::equals(a, b))),
        BinaryOp::Ne => Ok(Value::Bool(!compare::equals(a, b))),
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => ordering(op, a, b),
        BinaryOp::In | BinaryOp::NotIn => match plain_contains(a, b)? {
            Some(found) => Ok(Value::Bool(found == (op == BinaryOp::In))),
            None => Err(not_a_container(b)),
        },
        _ => match (a, b) {
            (Value::Int(x), Value::Int(y)) => ints(op, x, y),
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                let number = |v: Value| v.as_number().unwrap_or(f64::NAN);
                floats(op, number(a), number(b)).unwrap_or_else(|| Err(mismatch(op, a, b)))
            }
            _ => match op {
                BinaryOp::Add => add(heap, a, b),
                BinaryOp::Mul => multiply(heap, a, b),
                _ => combine(heap, op, a, b),
            },
        },
    }
}

/// `op a`.
pub fn unary(op: UnaryOp, a: Value) -> Outcome {
    match (op, a) {
        (UnaryOp::Not, a) => Ok(Value::Bool(!a.truthy())),
        (UnaryOp::Neg, Value::Float(f)) => Ok(Value::Float(-f)),
        (UnaryOp::Neg, Value::Int(i)) => match i.checked_neg() {
            Some(negated) => Ok(Value::Int(negated)),
            None => Err(overflow(format!("-({i})"))),
        },
        (UnaryOp::BitNot, Value::Int(i)) => Ok(Value::Int(!i)),
        (UnaryOp::Neg, _) => Err(wrong_operand("-", "a number", a)),
        (UnaryOp::BitNot, _) => Err(wrong_operand("~", "an int", a)),
    }
}

/// `item in container`, of any container: also handles and what can only be gone through.
pub fn contains(context: &mut dyn Context, item: Value, container: Value) -> Outcome<bool> {
    if let Value::Handle(handle) = container {
        let handle = handle.share();
        return match handle.contains(context, item)? {
            Some(found) => Ok(found),
            None => Err(not_a_container(container)),
        };
    }
    if let Some(found) = plain_contains(item, container)? {
        return Ok(found);
    }
    if !matches!(container, Value::Iter(_)) {
        return Err(not_a_container(container));
    }
    let iterator = context.iterate(container)?;
    let mut looks = Looks::default();
    while let Some(next) = iterator.next(context)? {
        if compare::equals(next, item) {
            return Ok(true);
        }
        looks.look(context)?;
    }
    Ok(false)
}

/// `item in container` of plain data; `None` when the container is none.
fn plain_contains(item: Value, container: Value) -> Outcome<Option<bool>> {
    Ok(Some(match container {
        Value::List(list) => match (list.items(), item) {
            (Items::Ints(items), Value::Int(i)) => items.contains(&i),
            (items, _) => (0..items.len())
                .filter_map(|at| items.get(at))
                .any(|v| compare::equals(v, item)),
        },
        Value::Map(map) => map.table().position(&item).is_some(),
        Value::Set(set) => set.table().position(&item).is_some(),
        Value::Range(range) => match item {
            Value::Int(i) => range.position(i).is_some(),
            Value::Float(f) if f.fract() == 0.0 && f.abs() < 9.2e18 => {
                range.position(f as i64).is_some()
            }
            _ => false,
        },
        Value::Bytes(bytes) => match item {
            Value::Int(i) => {
                u8::try_from(i).is_ok_and(|b| memchr::memchr(b, bytes.data()).is_some())
            }
            Value::Bytes(part) => memchr::memmem::find(bytes.data(), part.data()).is_some(),
            _ => {
                return Err(wrong_operand(
                    "in",
                    "an int or bytes on the left of bytes",
                    item,
                ));
            }
        },
        _ => match (container.as_str(), item.as_str()) {
            (Some(text), Some(part)) => text.contains(part),
            (Some(_), None) => {
                return Err(wrong_operand("in", "a str on the left of a str", item));
            }
            (None, _) => return Ok(None),
        },
    }))
}

fn ordering(op: BinaryOp, a: Value, b: Value) -> Outcome {
    let number = |v: Value| matches!(v, Value::Int(_) | Value::Float(_));
    let order = if number(a) && number(b) {
        // NaN is neither less nor greater than anything.
        match compare::numbers(a, b) {
            Some(order) => order,
            None => return Ok(Value::Bool(false)),
        }
    } else if let (Value::Set(x), Value::Set(y)) = (a, b) {
        return Ok(Value::Bool(subsets(op, x.table(), y.table())));
    } else {
        compare::order(a, b).ok_or_else(|| unordered(op.text(), a, b))?
    };
    Ok(Value::Bool(match op {
        BinaryOp::Lt => order == Ordering::Less,
        BinaryOp::Le => order != Ordering::Greater,
        BinaryOp::Gt => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

/// The error of two values that have no order.
pub fn unordered(what: &str, a: Value, b: Value) -> super::native::Fault {
    let message = if show::type_of(&a) == show::type_of(&b) {
        format!(
            "`{what}` needs values that have an order, but {} has none",
            show::kind(&a)
        )
    } else {
        let (a, b) = (show::kind(&a), show::kind(&b));
        format!("`{what}` needs two values of one kind, but got {a} and {b}")
    };
    diag::Error::new(codes::TYPE, message).into()
}

fn subsets(op: BinaryOp, x: &Table, y: &Table) -> bool {
    let within = |x: &Table, y: &Table| x.iter().all(|(key, _)| y.position(&key).is_some());
    match op {
        BinaryOp::Lt => x.len() < y.len() && within(x, y),
        BinaryOp::Le => within(x, y),
        BinaryOp::Gt => y.len() < x.len() && within(y, x),
        _ => within(y, x),
    }
}

fn ints(op: BinaryOp, x: i64, y: i64) -> Outcome {
    let zero = || Err(divide_by_zero(op, Value::Int(x)));
    let result = match op {
        BinaryOp::Add => x.checked_add(y),
        BinaryOp::Sub => x.checked_sub(y),
        BinaryOp::Mul => x.checked_mul(y),
        BinaryOp::Div if y == 0 => return zero(),
        BinaryOp::Div => return Ok(Value::Float(x as f64 / y as f64)),
        BinaryOp::FloorDiv | BinaryOp::Rem if y == 0 => return zero(),
        BinaryOp::FloorDiv => x.checked_div(y).map(|q| {
            if x % y != 0 && (x < 0) != (y < 0) {
                q - 1
            } else {
                q
            }
        }),
        // i64::MIN % -1 is 0, but the processor traps on it: checked_rem says None.
        BinaryOp::Rem => Some(match x.checked_rem(y) {
            Some(r) if r != 0 && (r < 0) != (y < 0) => r + y,
            r => r.unwrap_or(0),
        }),
        BinaryOp::Pow if y < 0 => {
            if x == 0 {
                return zero();
            }
            return Ok(Value::Float((x as f64).powf(y as f64)));
        }
        BinaryOp::Pow => power(x, y),
        BinaryOp::BitAnd => Some(x & y),
        BinaryOp::BitOr => Some(x | y),
        BinaryOp::BitXor => Some(x ^ y),
        BinaryOp::Shl | BinaryOp::Shr if y < 0 => {
            let message = format!("`{}` needs a count of 0 or more, but got {y}", op.text());
            return Err(diag::Error::new(codes::VALUE, message).into());
        }
        BinaryOp::Shl if x == 0 => Some(0),
        BinaryOp::Shl => (y < 64)
            .then(|| x << y)
            .filter(|&shifted| shifted >> y == x),
        BinaryOp::Shr => Some(x >> y.min(63)),
        _ => return Err(mismatch(op, Value::Int(x), Value::Int(y))),
    };
    result
        .map(Value::Int)
        .ok_or_else(|| overflow(format!("{x} {} {y}", op.text())))
}

fn power(x: i64, y: i64) -> Option<i64> {
    match (x, u32::try_from(y)) {
        (0 | 1, _) => Some(if y == 0 { 1 } else { x }),
        (-1, _) => Some(if y % 2 == 0 { 1 } else { -1 }),
        (_, Ok(exponent)) => x.checked_pow(exponent),
        (_, Err(_)) => None,
    }
}

/// `None` when floats do not have the operator.
fn floats(op: BinaryOp, x: f64, y: f64) -> Option<Outcome> {
    let float = |f| Some(Ok(Value::Float(f)));
    match op {
        BinaryOp::Add => float(x + y),
        BinaryOp::Sub => float(x - y),
        BinaryOp::Mul => float(x * y),
        BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Rem if y == 0.0 => {
            Some(Err(divide_by_zero(op, Value::Float(x))))
        }
        BinaryOp::Div => float(x / y),
        BinaryOp::FloorDiv => float(divide_floor(x, y).0),
        BinaryOp::Rem => float(divide_floor(x, y).1),
        BinaryOp::Pow if x == 0.0 && y < 0.0 => Some(Err(divide_by_zero(op, Value::Float(x)))),
        BinaryOp::Pow if x < 0.0 && x.is_finite() && y.is_finite() && y.fract() != 0.0 => {
            let message = format!(
                "`**` needs a base of 0 or more for the exponent {}, but got {}",
                show::float(y),
                show::float(x)
            );
            Some(Err(diag::Error::new(codes::VALUE, message).into()))
        }
        BinaryOp::Pow => float(x.powf(y)),
        _ => None,
    }
}

/// The floor of `x / y` and the remainder with the sign of `y`, so that quotient * y + remainder is x as nearly as floats allow.
fn divide_floor(x: f64, y: f64) -> (f64, f64) {
    let mut remainder = x % y;
    let mut quotient = (x - remainder) / y;
    if remainder != 0.0 {
        if (y < 0.0) != (remainder < 0.0) {
            remainder += y;
            quotient -= 1.0;
        }
    } else {
        remainder = 0.0_f64.copysign(y);
    }
    if quotient == 0.0 {
        // The zero has the sign of the true quotient, which the subtraction above has lost.
        return (0.0_f64.copysign(x / y), remainder);
    }
    let mut floor = quotient.floor();
    if quotient - floor > 0.5 {
        floor += 1.0;
    }
    (floor, remainder)
}

fn add(heap: &mut Heap, a: Value, b: Value) -> Outcome {
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        within("+", x.len() + y.len(), MAX_STRING)?;
        return Ok(match a {
            Value::Str(long) => match Str::join(long, heap, y) {
                Some(joined) => Value::Str(joined),
                None => return Err(room::error("`+`", x.len() + y.len()).into()),
            },
            _ => {
                room::fits("`+`", x.len() + y.len())?;
                whole(heap, [x, y].concat())
            }
        });
    }
    match (a, b) {
        (Value::List(x), Value::List(y)) => {
            within("+", x.len() + y.len(), MAX_ITEMS)?;
            room::fits("`+`", x.items().bytes() + 2 * y.items().bytes())?;
            let mut items = x.items().clone();
            items.extend(y.items());
            Ok(Value::List(List::from_items(heap, items)))
        }
        (Value::Bytes(x), Value::Bytes(y)) => {
            within("+", x.data().len() + y.data().len(), MAX_STRING)?;
            room::fits("`+`", x.data().len() + y.data().len())?;
            Ok(Value::bytes(heap, [x.data(), y.data()].concat()))
        }
        _ => Err(mismatch(BinaryOp::Add, a, b)),
    }
}

fn multiply(heap: &mut Heap, a: Value, b: Value) -> Outcome {
    let (what, count) = match (a, b) {
        (Value::Int(n), other) | (other, Value::Int(n)) => (other, usize::try_from(n).unwrap_or(0)),
        _ => return Err(mismatch(BinaryOp::Mul, a, b)),
    };
    let size = |len: usize| len.saturating_mul(count);
    match what {
        Value::List(list) => {
            within("*", size(list.len()), MAX_ITEMS)?;
            room::fits("`*`", size(list.items().bytes()))?;
            let items = match list.items() {
                Items::Any(v) => Items::Any(v.repeat(count)),
                Items::Ints(v) => Items::Ints(v.repeat(count)),
                Items::Floats(v) => Items::Floats(v.repeat(count)),
                Items::Bools(v) => Items::Bools(v.repeat(count)),
            };
            Ok(Value::List(List::from_items(heap, items)))
        }
        Value::Bytes(bytes) => {
            within("*", size(bytes.data().len()), MAX_STRING)?;
            room::fits("`*`", size(bytes.data().len()))?;
            Ok(Value::bytes(heap, bytes.data().repeat(count)))
        }
        _ => match what.as_str() {
            Some(text) => {
                within("*", size(text.len()), MAX_STRING)?;
                room::fits("`*`", size(text.len()))?;
                checked(heap, text.repeat(count))
            }
            None => Err(mismatch(BinaryOp::Mul, a, b)),
        },
    }
}

/// `| & ^ -` of bools, sets and maps.
fn combine(heap: &mut Heap, op: BinaryOp, a: Value, b: Value) -> Outcome {
    match (a, b, op) {
        (Value::Bool(x), Value::Bool(y), BinaryOp::BitAnd) => Ok(Value::Bool(x & y)),
        (Value::Bool(x), Value::Bool(y), BinaryOp::BitOr) => Ok(Value::Bool(x | y)),
        (Value::Bool(x), Value::Bool(y), BinaryOp::BitXor) => Ok(Value::Bool(x ^ y)),
        (Value::Set(x), Value::Set(y), _) => match merge(op, x.table(), y.table()) {
            Some(table) => Ok(Value::Set(Set::new(heap, table))),
            None => Err(mismatch(op, a, b)),
        },
        (Value::Map(x), Value::Map(y), BinaryOp::BitOr) => {
            room::fits("`|`", x.table().bytes())?;
            let mut table = x.table().clone();
            for (key, value) in y.table().iter() {
                table.insert(key, value);
            }
            Ok(Value::Map(Map::new(heap, table)))
        }
        (Value::Handle(x), Value::Handle(y), BinaryOp::BitOr) => {
            match x.get().join_with(y.get())? {
                Some(joined) => Ok(Value::handle(heap, joined)),
                None => Err(mismatch(op, a, b)),
            }
        }
        _ => Err(mismatch(op, a, b)),
    }
}

/// The set operation that an operator stands for; `None` when sets do not have it.
pub fn merge(op: BinaryOp, x: &Table, y: &Table) -> Option<Table> {
    let mut table = map::Table::default();
    let mut keep = |from: &Table, which: &dyn Fn(&Value) -> bool| {
        for (key, _) in from.iter().filter(|(key, _)| which(key)) {
            table.insert(key, Value::Nil);
        }
    };
    match op {
        BinaryOp::BitOr => {
            keep(x, &|_| true);
            keep(y, &|_| true);
        }
        BinaryOp::BitAnd => keep(x, &|key| y.position(key).is_some()),
        BinaryOp::Sub => keep(x, &|key| y.position(key).is_none()),
        BinaryOp::BitXor => {
            keep(x, &|key| y.position(key).is_none());
            keep(y, &|key| x.position(key).is_none());
        }
        _ => return None,
    }
    Some(table)
}

/// Refuses a result of more than `limit` bytes or items.
pub fn within(what: &str, size: usize, limit: usize) -> Outcome<()> {
    if size <= limit {
        return Ok(());
    }
    let unit = if limit == MAX_STRING {
        "bytes"
    } else {
        "items"
    };
    let message = format!("`{what}` can make at most {limit} {unit}, but this would be {size}");
    Err(diag::Error::new(codes::LIMIT, message).into())
}

fn overflow(expression: String) -> super::native::Fault {
    diag::Error::new(
        codes::OVERFLOW,
        format!("a whole number must fit 64 bits, but {expression} does not"),
    )
    .with_help("calculate with floats where numbers get this large, for example by writing 1.0 instead of 1")
    .into()
}

fn divide_by_zero(op: BinaryOp, a: Value) -> super::native::Fault {
    let message = match op {
        BinaryOp::Pow => format!("{} cannot be raised to a negative power", show::repr(a)),
        _ => format!(
            "`{}` needs a divisor other than 0, but got {} {} 0",
            op.text(),
            show::repr(a),
            op.text()
        ),
    };
    diag::Error::new(codes::DIVIDE_BY_ZERO, message).into()
}

fn wrong_operand(op: &str, expected: &str, a: Value) -> super::native::Fault {
    let message = format!("`{op}` needs {expected}, but got {}", show::kind(&a));
    diag::Error::new(codes::TYPE, message).into()
}

fn not_a_container(b: Value) -> super::native::Fault {
    wrong_operand(
        "in",
        "a list, a map, a set, a range, a str or bytes on the right",
        b,
    )
}

/// The error of two operands that do not go together.
fn mismatch(op: BinaryOp, a: Value, b: Value) -> super::native::Fault {
    let expected = match op {
        BinaryOp::Add => "two numbers, or two strs, lists or bytes",
        BinaryOp::Mul => "two numbers, or a str, a list or bytes and an int",
        BinaryOp::Sub => "two numbers or two sets",
        BinaryOp::Shl | BinaryOp::Shr => "two ints",
        BinaryOp::BitOr => "two ints, bools, sets, maps or commands",
        BinaryOp::BitAnd | BinaryOp::BitXor => "two ints, bools or sets",
        _ => "two numbers",
    };
    let (x, y) = (show::kind(&a), show::kind(&b));
    let error = diag::Error::new(
        codes::TYPE,
        format!("`{}` needs {expected}, but got {x} and {y}", op.text()),
    );
    let text = |v: Value| v.as_str().is_some();
    let scalar = |v: Value| matches!(v, Value::Int(_) | Value::Float(_));
    let shared =
        |v: Value| matches!(v, Value::Handle(h) if h.get().attribute_names().contains(&"value"));
    match op {
        _ if shared(a) || shared(b) => {
            error.with_help("write `.value` behind a shared object to calculate with its content")
        }
        BinaryOp::BitOr if a.type_name() == "command" => {
            error.with_help("its output is gone through with cmd.lines(), or is in cmd.text()")
        }
        BinaryOp::BitOr if b.type_name() == "command" => {
            error.with_help("what a program reads is given by a method: cmd.input(text)")
        }
        BinaryOp::Add if text(a) && !text(b) => {
            error.with_help("put the value into the text: \"... {value}\", or use str(value)")
        }
        BinaryOp::Add if text(b) && !text(a) => {
            error.with_help("put the value into the text: \"{value} ...\", or use str(value)")
        }
        BinaryOp::Rem if text(a) => {
            error.with_help("put values into the text with braces: \"{name} has {points}\"")
        }
        _ if text(a) && scalar(b) || scalar(a) && text(b) => {
            error.with_help("int(text) or float(text) makes a number of a text")
        }
        _ => error,
    }
    .into()
}

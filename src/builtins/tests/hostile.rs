//! Every native function of plain values, called with everything: whatever the answer, there is one.

use super::super::{
    METHODS, MODULES, Table, control, convert, format, function, numbers, sequences,
};
use super::bench::Bench;
use crate::operator::{BinaryOp, UnaryOp};
use crate::value::heap::Heap;
use crate::value::list::{List, Range};
use crate::value::map::{Map, Set, Table as Entries};
use crate::value::native::{Context, Native};
use crate::value::{Value, access, compare, operate, show};

/// Modules that write to the file system.
const OUTSIDE: &[&str] = &["fs", "os"];
/// Functions of other modules that write files.
const WRITERS: &[&str] = &["dump", "dump_lines"];
/// Calls with one set of values; then a new one, because calls change containers and can double them.
const ROUND: usize = 16;

/// Values of all kinds, with the ones at the edges.
fn palette(heap: &mut Heap) -> Vec<Value> {
    let mut values = vec![
        Value::Undef,
        Value::Nil,
        Value::Bool(true),
        Value::Int(0),
        Value::Int(-1),
        Value::Int(3),
        Value::Int(i64::MAX),
        Value::Int(i64::MIN),
        Value::Float(-0.5),
        Value::Float(f64::NAN),
        Value::Float(f64::INFINITY),
        Value::Float(1e300),
    ];
    for text in [
        "",
        "a",
        "ü🎉é\u{301}",
        "%Y-%",
        "\\1(",
        ".3f",
        "[1, {\"a\": -1e5}]",
        "a,b\n\"c",
    ] {
        values.push(Value::str(heap, text));
    }
    values.push(Value::bytes(heap, vec![0, 255, b'a']));
    values.push(Value::list(heap, vec![Value::Int(2), Value::Int(1)]));
    let mixed = List::new(heap, vec![Value::Nil, Value::Float(0.5)]);
    mixed.push(heap, Value::List(mixed));
    values.push(Value::List(mixed));
    let mut table = Entries::default();
    table.insert(Value::str(heap, "key"), Value::List(mixed));
    table.insert(Value::Float(f64::NAN), Value::Nil);
    values.push(Value::Map(Map::new(heap, table.clone())));
    values.push(Value::Set(Set::new(heap, table)));
    values.push(Value::Range(Range::new(
        heap,
        i64::MAX - 2,
        Some(i64::MAX),
        true,
        1,
    )));
    values.push(Value::Range(Range::new(
        heap,
        5,
        Some(i64::MIN + 1),
        false,
        i64::MIN / 2,
    )));
    values.extend(function("str").map(Value::Native));
    values
}

/// Calls a native with every choice of its first three arguments (two where it has many more); the rest is left out.
fn torture(native: &Native, receivers: usize) {
    if matches!(native.name, "exit" | "sleep") {
        return;
    }
    let count = native.params.len() + receivers;
    let free = if count > 3 { 2 } else { count.max(1) };
    let size = palette(&mut Heap::new()).len();
    assert!(!size.is_multiple_of(5));
    let mut bench = Bench::default();
    let mut values = Vec::new();
    // Of many choices every fifth: no number of values that shares a factor with it.
    let step = if free > 2 { 5 } else { 1 };
    for (call, choice) in (0..size.pow(free as u32)).step_by(step).enumerate() {
        if call % ROUND == 0 {
            bench = Bench::default();
            values = palette(bench.heap());
        }
        let chosen = (0..free).map(|at| values[choice / size.pow(at as u32) % size]);
        let mut args: Vec<Value> = chosen.collect();
        args.resize(free.max(count), Value::Undef);
        // What it answers is the business of other tests: here it counts that it does.
        let _ = (native.code)(&mut bench, &args);
    }
}

fn rows(tables: &[Table]) -> impl Iterator<Item = &'static Native> {
    tables.iter().flat_map(|table| table.iter())
}

#[test]
fn functions_answer_everything() {
    let tables = [
        control::FUNCTIONS,
        convert::FUNCTIONS,
        format::FUNCTIONS,
        numbers::FUNCTIONS,
        sequences::FUNCTIONS,
    ];
    rows(&tables).for_each(|row| torture(row, 0));
}

#[test]
fn methods_answer_everything() {
    for (_, tables) in METHODS {
        rows(tables).for_each(|row| torture(row, 1));
    }
}

#[test]
fn modules_answer_everything() {
    let modules = MODULES
        .iter()
        .filter(|module| !OUTSIDE.contains(&module.name));
    let rows = modules.flat_map(|module| module.functions);
    rows.filter(|row| !WRITERS.contains(&row.name))
        .for_each(|row| torture(row, 0));
}

#[test]
fn operators_and_indexes_answer_everything() {
    use BinaryOp::*;
    let operators = [
        Add, Sub, Mul, Div, FloorDiv, Rem, Pow, BitAnd, BitOr, BitXor, Shl, Shr, Eq, Ne, Lt, Le,
        Gt, Ge, In, NotIn,
    ];
    let mut bench = Bench::default();
    let values = palette(bench.heap());
    for &a in &values {
        for op in [UnaryOp::Neg, UnaryOp::BitNot, UnaryOp::Not] {
            let _ = operate::unary(op, a);
        }
        let _ = (show::display(a), show::repr(a), show::kind(&a));
        for &b in &values {
            for op in operators {
                let _ = operate::binary(bench.heap(), op, a, b);
            }
            let _ = (compare::equals(a, b), compare::order(a, b));
            let _ = access::get_index(&mut bench, a, b);
            let _ = access::find_field(&mut bench, a, b.as_str().unwrap_or("kind"));
        }
    }
    for at in 0..values.len() {
        for key in 0..values.len() {
            let mut bench = Bench::default();
            let values = palette(bench.heap());
            for &new in &values {
                let _ = access::set_index(&mut bench, values[at], values[key], new);
            }
        }
    }
}

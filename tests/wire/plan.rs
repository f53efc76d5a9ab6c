//! Values by plan: what proptest makes up, and how it becomes a value.

use super::*;

/// What proptest makes; `Again` refers to any object made before.
#[derive(Debug, Clone)]
pub enum Plan {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    List(Vec<Plan>),
    Map(Vec<(String, Plan)>),
    Set(Vec<i64>),
    Range(i64, Option<i64>, bool),
    Instance(Box<Plan>, Box<Plan>),
    Closure(Vec<Plan>),
    Error(String, Vec<(String, Plan)>),
    Handle(u16, u32, u64),
    Native,
    Again(usize),
}

pub fn build(plan: &Plan, process: &mut Process, made: &mut Vec<Value>) -> Value {
    let value = match plan {
        Plan::Nil => return Value::Nil,
        Plan::Bool(b) => return Value::Bool(*b),
        Plan::Int(i) => return Value::Int(*i),
        Plan::Float(f) => return Value::Float(*f),
        Plan::Text(text) => Value::str(&mut process.heap, text),
        Plan::Bytes(data) => Value::bytes(&mut process.heap, data.clone()),
        Plan::Ints(v) => Value::List(List::from_items(&mut process.heap, Items::Ints(v.clone()))),
        Plan::Floats(v) => Value::List(List::from_items(
            &mut process.heap,
            Items::Floats(v.clone()),
        )),
        Plan::List(items) => {
            let list = List::new(&mut process.heap, vec![]);
            made.push(Value::List(list));
            for item in items {
                let item = build(item, process, made);
                list.push(&mut process.heap, item);
            }
            return Value::List(list);
        }
        Plan::Map(entries) => {
            let map = Map::new(&mut process.heap, Table::default());
            made.push(Value::Map(map));
            for (key, value) in entries {
                let key = Value::str(&mut process.heap, key);
                let value = build(value, process, made);
                map.edit(&mut process.heap, |table| table.insert(key, value));
            }
            return Value::Map(map);
        }
        Plan::Set(items) => {
            let mut table = Table::default();
            for &item in items {
                table.insert(Value::Int(item), Value::Nil);
            }
            Value::Set(Set::new(&mut process.heap, table))
        }
        Plan::Range(start, end, inclusive) => {
            Value::Range(Range::new(&mut process.heap, *start, *end, *inclusive, 1))
        }
        Plan::Instance(owner, file) => {
            let fields = [Value::Nil; 2];
            let instance = Instance::new(&mut process.heap, process.account, &fields);
            made.push(Value::Instance(instance));
            for (field, plan) in instance.fields().iter().zip([owner, file]) {
                field.set(build(plan, process, made));
            }
            return Value::Instance(instance);
        }
        Plan::Closure(captures) => {
            let cells: Vec<Value> = captures
                .iter()
                .map(|_| Value::Cell(Upvalue::new(&mut process.heap, Value::Undef)))
                .collect();
            let proto = process.protos[cells.len()].clone();
            let closure = Closure::new(&mut process.heap, proto, &cells);
            made.push(Value::Fn(closure));
            for (cell, plan) in cells.iter().zip(captures) {
                let value = build(plan, process, made);
                if let Value::Cell(cell) = cell {
                    cell.value.set(value);
                }
            }
            return Value::Fn(closure);
        }
        Plan::Error(message, attributes) => {
            let attributes = attributes
                .iter()
                .map(|(name, plan)| (Rc::from(name.as_str()), build(plan, process, made)))
                .collect();
            let report = full_report(message);
            Value::Error(ErrorValue::new(
                &mut process.heap,
                report,
                attributes,
                Value::Nil,
            ))
        }
        Plan::Handle(kind, generation, offset) => {
            let id = HandleId {
                kind: *kind,
                generation: *generation,
                offset: *offset,
            };
            Value::handle(&mut process.heap, Rc::new(Thing(Some(id), "queue")))
        }
        Plan::Native => return Value::Native(&LEN),
        Plan::Again(number) => match made.len() {
            0 => Value::Nil,
            count => return made[number % count],
        },
    };
    made.push(value);
    value
}

pub fn full_report(message: &str) -> Box<Error> {
    let span = Span::new(SourceId(2), 5, 9);
    let mut error = Error::new(codes::PROCESS_DIED, message)
        .with_span(span)
        .with_label("here")
        .with_other(span, "opened here")
        .with_note("a note")
        .with_help("do that")
        .with_field("signal", Field::Int(9))
        .with_field(
            "group",
            Field::List(vec![Field::Map(vec![("pid".into(), Field::Nil)])]),
        )
        .with_field("seconds", Field::Float(0.5))
        .with_cause(*Error::new(codes::KEY, "inner").incomplete());
    error.trace.push(Frame {
        function: "worker".into(),
        span,
    });
    error.process = Some(ProcessTag {
        name: "Process-1".into(),
        pid: 77,
    });
    error.spawned_at = Some(span);
    error
}

pub fn plans() -> impl Strategy<Value = Plan> {
    let leaf = prop_oneof![
        Just(Plan::Nil),
        Just(Plan::Native),
        any::<bool>().prop_map(Plan::Bool),
        any::<i64>().prop_map(Plan::Int),
        (-200i64..200).prop_map(Plan::Int),
        any::<f64>().prop_map(Plan::Float),
        ".{0,80}".prop_map(Plan::Text),
        proptest::collection::vec(any::<u8>(), 0..90).prop_map(Plan::Bytes),
        proptest::collection::vec(any::<i64>(), 0..9).prop_map(Plan::Ints),
        proptest::collection::vec(any::<f64>(), 0..9).prop_map(Plan::Floats),
        proptest::collection::vec(any::<i64>(), 0..9).prop_map(Plan::Set),
        (any::<i64>(), any::<Option<i64>>(), any::<bool>())
            .prop_map(|(start, end, inclusive)| Plan::Range(start, end, inclusive)),
        (any::<u16>(), any::<u32>(), any::<u64>()).prop_map(|(k, g, o)| Plan::Handle(k, g, o)),
        (0usize..50).prop_map(Plan::Again),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let several = proptest::collection::vec(inner.clone(), 0..8);
        let named = proptest::collection::vec(("[a-z]{1,20}", inner.clone()), 0..6);
        prop_oneof![
            several.clone().prop_map(Plan::List),
            several.prop_map(Plan::Closure),
            named.clone().prop_map(Plan::Map),
            ("[a-z]{0,9}", named).prop_map(|(m, a)| Plan::Error(m, a)),
            (inner.clone(), inner).prop_map(|(a, b)| Plan::Instance(Box::new(a), Box::new(b))),
        ]
    })
}

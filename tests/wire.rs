//! The wire format: what goes in comes out (sharing and cycles too), and rubbish is an error.

// What the fuzzer checks, so that its checks build as long as the tests do.
#[path = "../fuzz/checks/decode.rs"]
mod fuzzed;
#[path = "wire/plan.rs"]
mod plan;

use par::diag::{Error, Field, Frame, ProcessTag, codes};
use par::source::{SourceId, Span};
use par::value::Value;
use par::value::error::ErrorValue;
use par::value::function::{Bound, Capture, Closure, Proto, Upvalue};
use par::value::handle::{Handle, HandleId};
use par::value::heap::{Gc, Heap};
use par::value::list::{Items, List, Range};
use par::value::map::{Map, Set, Table};
use par::value::native::{Context, IterBox, Native, NativeIter, Outcome};
use par::value::structure::{Instance, StructType};
use par::wire::{self, Encoder, Receiver, Sender};
use plan::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::rc::Rc;

fn nothing(_: &mut dyn Context, _: &[Value]) -> Outcome {
    Ok(Value::Nil)
}

static LEN: Native = Native {
    name: "len",
    params: &["of"],
    code: nothing,
    doc: "",
};
static PUSH: Native = Native {
    name: "push",
    params: &["item"],
    code: nothing,
    doc: "",
};

struct Thing(Option<HandleId>, &'static str);

impl Handle for Thing {
    fn type_name(&self) -> &'static str {
        self.1
    }
    fn show(&self) -> String {
        "<thing>".to_string()
    }
    fn identity(&self) -> Option<HandleId> {
        self.0
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A process as far as the format needs one: two functions, one struct, all handles known.
struct Process {
    heap: Heap,
    protos: Vec<Rc<Proto>>,
    account: Gc<StructType>,
    globals: HashMap<u32, Value>,
}

impl Process {
    fn new() -> Process {
        let mut heap = Heap::new();
        let fields = vec![Rc::from("owner"), Rc::from("file")];
        let account = StructType::new(&mut heap, 7, Rc::from("Account"), fields, None);
        // The function of number n captures n values; number 9 uses a global variable.
        let protos = (0..10)
            .map(|id| {
                Rc::new(Proto {
                    captures: vec![Capture::Register(0); id as usize % 9],
                    capture_names: vec![Rc::from("log"); id as usize % 9],
                    globals: if id == 9 { vec![3] } else { vec![] },
                    ..Proto::empty(id, Rc::from("worker"), Span::new(SourceId(0), 0, 1))
                })
            })
            .collect();
        Process {
            heap,
            protos,
            account,
            globals: HashMap::new(),
        }
    }

    fn encode(&self, value: Value) -> par::diag::Result<Vec<u8>> {
        let mut out = Vec::new();
        Encoder::new().encode(value, self, &mut out)?;
        Ok(out)
    }

    /// There and back; the result described, to be compared with the original described.
    fn round_trip(&mut self, value: Value) -> String {
        let bytes = self.encode(value).expect("encodes");
        describe(wire::decode(&bytes, self).expect("decodes"))
    }
}

impl Sender for Process {
    fn native_name(&self, native: &'static Native) -> Option<String> {
        std::ptr::eq(native, &LEN).then(|| "len".to_string())
    }
    fn global(&self, slot: u32) -> Option<Value> {
        self.globals.get(&slot).copied()
    }
}

impl Receiver for Process {
    fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }
    fn native(&self, name: &str) -> Option<&'static Native> {
        (name == "len").then_some(&LEN)
    }
    fn method(&self, receiver: &Value, name: &str) -> Option<&'static Native> {
        (name == "push" && matches!(receiver, Value::List(_))).then_some(&PUSH)
    }
    fn code(&self, id: u32) -> Option<Rc<Proto>> {
        self.protos.get(id as usize).cloned()
    }
    fn structure(&self, id: u32) -> Option<Gc<StructType>> {
        (id == 7).then_some(self.account)
    }
    fn handle(&mut self, id: HandleId) -> Option<Value> {
        Some(Value::handle(
            &mut self.heap,
            Rc::new(Thing(Some(id), "queue")),
        ))
    }
    fn set_global(&mut self, slot: u32, value: Value) -> bool {
        self.globals.insert(slot, value);
        true
    }
}

/// A value as text, with objects numbered where they are met first: equal texts mean equal graphs. Works off a list, so
/// that depth does not matter.
fn describe(value: Value) -> String {
    enum Todo {
        Value(Value),
        Text(String),
    }
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut todo = vec![Todo::Value(value)];
    let mut text = String::new();
    while let Some(next) = todo.pop() {
        let value = match next {
            Todo::Value(value) => value,
            Todo::Text(part) => {
                text += &part;
                continue;
            }
        };
        let (name, address, parts): (String, usize, Vec<Value>) = match value {
            Value::List(o) => ("list".into(), o.address(), o.items().to_values()),
            Value::Map(o) => {
                let parts = o.table().iter().flat_map(|(k, v)| [k, v]).collect();
                ("map".into(), o.address(), parts)
            }
            Value::Set(o) => (
                "set".into(),
                o.address(),
                o.table().iter().map(|e| e.0).collect(),
            ),
            Value::Instance(o) => {
                let parts = o.fields().iter().map(|f| f.get()).collect();
                (format!("instance {}", o.of.id), o.address(), parts)
            }
            Value::Fn(o) => {
                let parts = o.captures().iter().map(|c| c.get()).collect();
                (format!("fn {}", o.proto.id), o.address(), parts)
            }
            Value::Cell(o) => ("cell".into(), o.address(), vec![o.value.get()]),
            Value::Bound(o) => ("bound".into(), 0, vec![o.receiver, o.function]),
            Value::Error(o) => {
                let mut parts: Vec<Value> = o.attributes.iter().map(|a| a.1).collect();
                parts.push(o.cause);
                let names: Vec<_> = o.attributes.iter().map(|a| a.0.clone()).collect();
                (
                    format!("error {:?} {names:?}", o.report),
                    o.address(),
                    parts,
                )
            }
            Value::Range(r) => {
                let name = format!("{} {:?} {} {}", r.start, r.end, r.inclusive, r.step);
                (name, 0, vec![])
            }
            Value::Str(s) => (format!("{:?}", s.as_str()), 0, vec![]),
            Value::Short(s) => (format!("{:?}", s.as_str()), 0, vec![]),
            Value::Bytes(b) => (format!("{:?}", b.data()), 0, vec![]),
            Value::Int(i) => (format!("{i}"), 0, vec![]),
            Value::Float(f) => (format!("{:x}", f.to_bits()), 0, vec![]),
            Value::Bool(b) => (format!("{b}"), 0, vec![]),
            Value::Native(n) => (n.name.to_string(), 0, vec![]),
            Value::Struct(s) => (format!("struct {}", s.id), 0, vec![]),
            Value::Handle(h) => (format!("{:?}", h.get().identity()), 0, vec![]),
            Value::Nil => ("nil".into(), 0, vec![]),
            Value::Undef => ("undef".into(), 0, vec![]),
            Value::Host(_) | Value::Iter(_) => ("?".into(), 0, vec![]),
        };
        if address != 0 {
            if let Some(number) = seen.get(&address) {
                text += &format!(" #{number}");
                continue;
            }
            seen.insert(address, seen.len());
        }
        text += &name;
        if address != 0 || !parts.is_empty() {
            text += "(";
            todo.push(Todo::Text(")".into()));
            todo.extend(parts.into_iter().rev().map(Todo::Value));
        }
        text += " ";
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_graph_survives(plan in plans()) {
        let mut process = Process::new();
        let value = build(&plan, &mut process, &mut Vec::new());
        // A message's own errors may be copied once where they contain themselves, so compare the second generation.
        let bytes = process.encode(value).expect("encodes");
        let once = wire::decode(&bytes, &mut process).expect("decodes");
        prop_assert_eq!(describe(once), describe(value));
        let again = process.encode(once).expect("encodes");
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn mutated_messages_never_panic(
        plan in plans(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut process = Process::new();
        let value = build(&plan, &mut process, &mut Vec::new());
        let mut bytes = process.encode(value).expect("encodes");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(value) = wire::decode(&bytes, &mut process) {
            describe(value);
        }
        fuzzed::check(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        fuzzed::check(&bytes);
    }

    #[test]
    fn rubbish_is_an_error(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut process = Process::new();
        let mut bytes = vec![wire::VERSION, 0];
        bytes.extend(rest);
        let _ = wire::decode(&bytes, &mut process);
        let _ = wire::decode(&bytes[2..], &mut process);
        let _ = wire::report::read(&mut wire::Reader::new(&bytes[2..]));
    }
}

#[test]
fn truncated_messages_are_errors() {
    let mut process = Process::new();
    let plan = Plan::List(vec![
        Plan::Error("x".into(), vec![("a".into(), Plan::Ints(vec![1, 2]))]),
        Plan::Closure(vec![Plan::Text("a".repeat(100)), Plan::Again(0)]),
        Plan::Map(vec![("k".into(), Plan::Handle(1, 2, 3))]),
    ]);
    let value = build(&plan, &mut process, &mut Vec::new());
    let bytes = process.encode(value).expect("encodes");
    for len in 0..bytes.len() {
        let error = wire::decode(&bytes[..len], &mut process)
            .err()
            .expect("an error");
        assert_eq!(error.code, codes::DECODE);
    }
}

#[test]
fn sharing_and_cycles_survive() {
    let mut process = Process::new();
    let inner = List::new(&mut process.heap, vec![Value::Int(1)]);
    let outer = List::new(
        &mut process.heap,
        vec![Value::List(inner), Value::List(inner)],
    );
    outer.push(&mut process.heap, Value::List(outer));
    let value = Value::List(outer);
    assert_eq!(describe(value), "list( list( 1 ) #1 #0)");
    assert_eq!(process.round_trip(value), describe(value));
}

#[test]
fn a_captured_variable_is_shared_inside_one_message() {
    let mut process = Process::new();
    let count = Value::Cell(Upvalue::new(&mut process.heap, Value::Int(3)));
    let one = process.protos[1].clone();
    let two = process.protos[2].clone();
    let up = Value::Fn(Closure::new(&mut process.heap, one, &[count]));
    let down = [count, Value::Undef];
    let down = Value::Fn(Closure::new(&mut process.heap, two, &down));
    let pair = Value::list(&mut process.heap, vec![up, down]);
    assert_eq!(process.round_trip(pair), describe(pair));
}

#[test]
fn bound_methods_travel() {
    let mut process = Process::new();
    let list = List::new(&mut process.heap, vec![]);
    let bound = Bound::new(&mut process.heap, Value::List(list), Value::Native(&PUSH));
    list.push(&mut process.heap, Value::Bound(bound));
    let value = Value::List(list);
    assert_eq!(process.round_trip(value), describe(value));
    let closure = Closure::new(&mut process.heap, process.protos[0].clone(), &[]);
    let method = Bound::new(&mut process.heap, value, Value::Fn(closure));
    assert_eq!(
        process.round_trip(Value::Bound(method)),
        describe(Value::Bound(method))
    );
}

#[test]
fn errors_that_contain_themselves_end() {
    let mut process = Process::new();
    let list = List::new(&mut process.heap, vec![]);
    let attributes = vec![(Rc::from("items"), Value::List(list))];
    let error = ErrorValue::new(&mut process.heap, full_report("x"), attributes, Value::Nil);
    list.push(&mut process.heap, Value::Error(error));
    let bytes = process.encode(Value::Error(error)).expect("encodes");
    let Ok(Value::Error(back)) = wire::decode(&bytes, &mut process) else {
        panic!("an error value comes back");
    };
    assert_eq!(back.report, error.report);
}

#[test]
fn globals_travel_when_asked() {
    let mut process = Process::new();
    let proto = process.protos[9].clone();
    let function = Value::Fn(Closure::new(&mut process.heap, proto, &[]));
    let other = Value::list(&mut process.heap, vec![function, Value::Int(5)]);
    process.globals.insert(3, other);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new();
    encoder
        .encode_with_globals(function, &process, &mut bytes)
        .expect("encodes");
    let mut receiver = Process::new();
    wire::decode(&bytes, &mut receiver).expect("decodes");
    assert_eq!(describe(receiver.globals[&3]), describe(other));
}

#[test]
fn a_bad_message_sets_no_global() {
    let mut process = Process::new();
    let proto = process.protos[9].clone();
    let function = Value::Fn(Closure::new(&mut process.heap, proto, &[]));
    process.globals.insert(3, Value::Int(5));
    let mut bytes = Vec::new();
    Encoder::new()
        .encode_with_globals(function, &process, &mut bytes)
        .expect("encodes");
    process.globals.clear();
    for end in 0..bytes.len() {
        assert!(wire::decode(&bytes[..end], &mut process).is_err());
    }
    bytes.push(0);
    assert!(wire::decode(&bytes, &mut process).is_err());
    assert!(process.globals.is_empty());
    bytes.pop();
    wire::decode(&bytes, &mut process).expect("decodes");
    assert!(matches!(process.globals.get(&3), Some(Value::Int(5))));
}

#[test]
fn handles_are_listed() {
    let mut process = Process::new();
    let plan = Plan::List(vec![
        Plan::Handle(1, 2, 3),
        Plan::Nil,
        Plan::Handle(4, 5, 6),
    ]);
    let value = build(&plan, &mut process, &mut Vec::new());
    let mut encoder = Encoder::new();
    encoder
        .encode(value, &process, &mut Vec::new())
        .expect("encodes");
    let kinds: Vec<u16> = encoder.handles.iter().map(|id| id.kind).collect();
    assert_eq!(kinds, [1, 4]);
}

#[test]
fn what_cannot_travel_is_named_with_its_path() {
    struct Empty;
    impl NativeIter for Empty {
        fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
            Ok(None)
        }
        fn trace(&self, _: &mut par::value::heap::Marker<'_>) {}
    }
    let mut process = Process::new();
    let file = Value::handle(&mut process.heap, Rc::new(Thing(None, "file")));
    let fields = [Value::Nil, file];
    let account = Value::Instance(Instance::new(&mut process.heap, process.account, &fields));
    let list = Value::list(&mut process.heap, vec![Value::Nil, Value::Int(1), account]);
    let error = process.encode(list).expect_err("a file cannot travel");
    assert_eq!(error.kind, "NotSendable");
    assert!(
        error.message.contains("`value[2].file` is a file"),
        "{}",
        error.message
    );
    let iter = Value::Iter(IterBox::new(&mut process.heap, Rc::new(Empty)));
    let map = Map::new(&mut process.heap, Table::default());
    let key = Value::str(&mut process.heap, "two words");
    map.edit(&mut process.heap, |table| table.insert(key, iter));
    let error = process
        .encode(Value::Map(map))
        .expect_err("an iterator cannot travel");
    assert!(
        error
            .message
            .contains("`value[\"two words\"]` is an iterator"),
        "{}",
        error.message
    );
    let error = process.encode(iter).expect_err("an iterator cannot travel");
    assert!(
        error.message.ends_with("not an iterator"),
        "{}",
        error.message
    );
}

#[test]
fn deep_values_need_no_stack() {
    let mut process = Process::new();
    let mut value = Value::Int(1);
    for _ in 0..200_000 {
        value = Value::list(&mut process.heap, vec![value, Value::Nil]);
    }
    assert_eq!(process.round_trip(value), describe(value));
}

#[test]
fn long_bytes_are_not_copied_and_arrive() {
    let mut process = Process::new();
    let data: Vec<u8> = (0..100_000).map(|i| i as u8).collect();
    let value = Value::bytes(&mut process.heap, data.clone());
    let mut bytes = Vec::new();
    let bulk = Encoder::new()
        .encode_parts(value, &process, &mut bytes)
        .expect("encodes");
    let bulk = bulk.expect("the bytes stay where they are");
    assert!(bytes.len() < 16);
    bytes.extend_from_slice(bulk.as_bytes());
    assert_eq!(bytes, process.encode(value).expect("encodes"));
    assert_eq!(
        describe(wire::decode(&bytes, &mut process).expect("decodes")),
        describe(value)
    );
}

#[test]
fn huge_counts_claim_no_memory() {
    let mut process = Process::new();
    for tag in 0..30u8 {
        let mut bytes = vec![wire::VERSION, 0, tag];
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0]);
        let before = process.heap.used();
        let _ = wire::decode(&bytes, &mut process);
        assert!(process.heap.used() - before < 10_000);
    }
}

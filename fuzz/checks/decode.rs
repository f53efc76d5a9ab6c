//! Any bytes as a message: a value or an error, and never more memory than a small multiple of the bytes. What was decoded
//! is encoded and decoded again, and its encoding must not change any more.
use par::source::{SourceId, Span};
use par::value::Value;
use par::value::function::{Capture, Proto};
use par::value::handle::{Handle, HandleId};
use par::value::heap::{Gc, Heap};
use par::value::native::Native;
use par::value::structure::StructType;
use par::wire::{self, Encoder, Receiver, Sender};
use std::rc::Rc;

/// A handle of any object.
struct Thing(HandleId);

impl Handle for Thing {
    fn type_name(&self) -> &'static str {
        "queue"
    }
    fn show(&self) -> String {
        String::from("<queue>")
    }
    fn identity(&self) -> Option<HandleId> {
        Some(self.0)
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A process that knows the built-in functions, ten functions and one struct.
struct Process {
    heap: Heap,
    account: Gc<StructType>,
}

impl Process {
    fn new() -> Process {
        let mut heap = Heap::new();
        let fields = vec![Rc::from("owner"), Rc::from("balance")];
        let account = StructType::new(&mut heap, 0, Rc::from("Account"), fields, None);
        Process { heap, account }
    }
}

impl Sender for Process {
    fn native_name(&self, native: &'static Native) -> Option<String> {
        Some(native.name.to_string())
    }
}

impl Receiver for Process {
    fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }
    fn native(&self, name: &str) -> Option<&'static Native> {
        par::builtins::function(name)
    }
    fn method(&self, receiver: &Value, name: &str) -> Option<&'static Native> {
        par::builtins::method(receiver, name)
    }
    fn code(&self, id: u32) -> Option<Rc<Proto>> {
        (id < 10).then(|| {
            Rc::new(Proto {
                captures: vec![Capture::Register(0); id as usize],
                ..Proto::empty(id, Rc::from("f"), Span::new(SourceId(0), 0, 0))
            })
        })
    }
    fn structure(&self, id: u32) -> Option<Gc<StructType>> {
        (id == 0).then_some(self.account)
    }
    fn handle(&mut self, id: HandleId) -> Option<Value> {
        Some(Value::handle(&mut self.heap, Rc::new(Thing(id))))
    }
    fn set_global(&mut self, slot: u32, _: Value) -> bool {
        slot < 100
    }
}

fn encode(process: &Process, value: Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoded = Encoder::new().encode(value, process, &mut bytes);
    encoded.expect("what was decoded can be sent on");
    bytes
}

/// Panics when that does not hold.
pub fn check(data: &[u8]) {
    let mut process = Process::new();
    let before = process.heap.used();
    let decoded = wire::decode(data, &mut process);
    assert!(process.heap.used() - before <= 4096 + data.len() * 400);
    let Ok(value) = decoded else { return };
    let once = encode(&process, value);
    // An error that contains itself is unrolled once by each journey, so only the others come to rest.
    let Ok(value) = wire::decode(&once, &mut process) else {
        panic!("what was encoded can be decoded");
    };
    let twice = encode(&process, value);
    assert!(once.len() <= twice.len());
}

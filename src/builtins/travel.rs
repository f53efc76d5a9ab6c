//! Values as messages: what the wire format must know of this process, and which handles a value holds.

use super::condition::ConditionHandle;
use super::lease::LeaseHandle;
use super::pool::workers::limited;
use super::{MODULES, Table};
use crate::arena::{self, HandleId as ArenaId, ObjectKind};
use crate::diag::ProcessTag;
use crate::limits::{MAX_SEARCHES_KEPT, PART_OF_TIME, SHORT_SEARCH};
use crate::os::{clock, fork};
use crate::process::channel::{Prepared, Taken};
use crate::process::{self, Message};
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::function::Proto;
use crate::value::handle::{Handle, HandleBox, HandleId};
use crate::value::heap::{Gc, Heap, Marker, Named};
use crate::value::list::Items;
use crate::value::native::{Context, Fault, Native, Outcome};
use crate::value::structure::StructType;
use crate::wire::{self, Bulk, Encoder, Receiver, Sender};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A value as a message: bytes, and the handles in them.
pub fn pack(context: &mut dyn Context, value: Value) -> Outcome<Message> {
    let mut message = Message::default();
    pack_into(context, value, &mut message)?;
    Ok(message)
}

/// A value as a message that is ready to be put into a queue or pipe.
#[inline(always)]
pub fn prepare(context: &mut dyn Context, value: Value) -> Outcome<Prepared> {
    match wire::encode_small(value) {
        Some(small) => Ok(Prepared::small(small.words(), small.length())),
        None => prepare_large(context, value),
    }
}

fn prepare_large(context: &mut dyn Context, value: Value) -> Outcome<Prepared> {
    let arena = process::start()?;
    let mut encoder = Encoder::new();
    let mut bytes = Vec::new();
    let bulk = encoder.encode_parts(value, &Port::of(context), &mut bytes)?;
    let handles = handles_of(context, value, &encoder);
    let parts = [&bytes[..], bulk.as_ref().map_or(&[], Bulk::as_bytes)];
    Ok(arena::when_full(|| Prepared::new(arena, parts, &handles))?)
}

/// The value of a message that was taken from a queue or pipe, which is delivered with that.
pub fn deliver(context: &mut dyn Context, taken: &Taken<'_>) -> Outcome {
    taken.read(|bytes| match wire::decode_small(bytes) {
        Some(value) => Ok(value),
        None => unpack(context, bytes),
    })
}

/// As [`pack`], into a message whose memory is used again.
pub fn pack_into(context: &mut dyn Context, value: Value, message: &mut Message) -> Outcome<()> {
    let mut encoder = Encoder::new();
    message.bytes.clear();
    encoder.encode(value, &Port::of(context), &mut message.bytes)?;
    message.handles.clear();
    message.handles.extend(handles_of(context, value, &encoder));
    Ok(())
}

/// The handles in a message that was encoded. Functions use global variables of whoever gets them, which are most often what they are
/// here: so they count as what is in the message, for who looks who could come to hold something.
fn handles_of(context: &dyn Context, value: Value, encoder: &Encoder) -> Vec<ArenaId> {
    let mut handles: Vec<ArenaId> = encoder.handles.iter().filter_map(to_arena).collect();
    let [functions, _] = encoder.code;
    let roots = match functions {
        0 => types(context, &encoder.structs),
        _ => vec![value],
    };
    if !roots.is_empty() {
        let mut search = Search::of_message(context, &roots);
        search.run();
        handles.append(&mut search.found);
        handles.extend(in_globals(context, &search.globals));
        handles.sort_unstable();
        handles.dedup();
    }
    handles
}

/// The structs of some numbers: a message of instances leads to what their methods use.
fn types(context: &dyn Context, ids: &[u32]) -> Vec<Value> {
    let types = ids.iter().filter_map(|&id| context.structure(id));
    types.map(Value::Struct).collect()
}

/// What handles global variables lead to. To go through large ones takes milliseconds, and functions are sent again and again: so a
/// long search is not done again for as long as keeps it to a part of the time. Until then all that this process holds counts, for any
/// of it may have been put there meanwhile.
fn in_globals(context: &dyn Context, slots: &HashSet<u32>) -> Vec<ArenaId> {
    let Some(arena) = arena::get().filter(|_| !slots.is_empty()) else {
        return Vec::new();
    };
    let key = sorted(slots);
    if LOOKED.with_borrow(|looked| looked.is_known(&key)) {
        return arena.held_by(arena::me());
    }
    let begin = clock::now();
    let found = holds(context, &values_of(context, &key));
    LOOKED.with_borrow_mut(|looked| looked.note(key, begin));
    found
}

fn values_of(context: &dyn Context, slots: &[u32]) -> Vec<Value> {
    let values = slots.iter().filter_map(|&slot| context.global(slot));
    values.collect()
}

fn sorted(slots: &HashSet<u32>) -> Vec<u32> {
    let mut slots: Vec<u32> = slots.iter().copied().collect();
    slots.sort_unstable();
    slots
}

thread_local! {
    static LOOKED: RefCell<Looked> = RefCell::default();
    static ARRIVED: RefCell<Arrived> = RefCell::default();
}

/// Searches of global variables that took long, of this process: until when they are not done again.
#[derive(Default)]
struct Looked {
    process: i32,
    all: HashMap<Vec<u32>, u64>,
}

impl Looked {
    /// Whether it was done a moment ago.
    fn is_known(&self, slots: &[u32]) -> bool {
        let until = self.all.get(slots);
        self.process == fork::pid() && until.is_some_and(|&until| clock::now() < until)
    }

    /// Notes a search since a time, when it took long.
    fn note(&mut self, slots: Vec<u32>, begin: u64) {
        let took = clock::now() - begin;
        if self.process != fork::pid() || self.all.len() >= MAX_SEARCHES_KEPT {
            *self = Looked {
                process: fork::pid(),
                all: HashMap::new(),
            };
        }
        if took > SHORT_SEARCH {
            self.all.insert(slots, begin + took * PART_OF_TIME);
        }
    }
}

/// The global variables of which this process holds what they lead to, and the structs whose methods use no others. Once is enough: what
/// comes there later this process has put there itself.
#[derive(Default)]
struct Arrived {
    process: i32,
    variables: HashSet<u32>,
    structs: HashSet<u32>,
}

impl Arrived {
    /// This process's own: a forked one has to look itself.
    fn own(&mut self) -> &mut Arrived {
        if self.process != fork::pid() {
            *self = Arrived {
                process: fork::pid(),
                ..Arrived::default()
            };
        }
        self
    }
}

/// As [`pack`], and the global variables that functions in the value use travel with it: for processes that run already.
pub fn pack_with_globals(context: &mut dyn Context, value: Value) -> Outcome<Message> {
    let mut encoder = Encoder::new();
    let mut bytes = Vec::new();
    encoder.encode_with_globals(value, &Port::of(context), &mut bytes)?;
    let handles = encoder.handles.iter().filter_map(to_arena).collect();
    let code = encoder.code;
    Ok(Message {
        bytes,
        handles,
        code,
    })
}

/// The value of a message. Holds on the handles in it are taken before it returns.
pub fn unpack(context: &mut dyn Context, bytes: &[u8]) -> Outcome {
    let mut port = Port::of(context);
    let value = wire::decode(bytes, &mut port)?;
    let (functions, structs) = (port.functions.get(), port.structs.take());
    if functions {
        hold_globals_of(context, &[value]);
    } else if !structs.is_empty() {
        let new = ARRIVED.with_borrow_mut(|arrived| {
            let arrived = arrived.own();
            let new = structs.into_iter().filter(|&id| arrived.structs.insert(id));
            new.collect::<Vec<u32>>()
        });
        hold_globals_of(context, &types(context, &new));
    }
    Ok(value)
}

/// A function that arrives uses this process's own global variables, and so do the methods of an instance. What those hold it may not
/// have captured when it was spawned: from here on it holds that too, as whoever waits for these objects must know. What is gone by now
/// is told so to whoever uses it: another object may stand in its place.
fn hold_globals_of(context: &dyn Context, roots: &[Value]) {
    let Some(arena) = arena::get().filter(|_| !roots.is_empty()) else {
        return;
    };
    let mut search = Search::of_message(context, roots);
    search.run();
    ARRIVED.with_borrow_mut(|arrived| {
        let arrived = arrived.own();
        search
            .globals
            .retain(|&slot| arrived.variables.insert(slot));
    });
    let mut search = Search::new(context, &values_of(context, &sorted(&search.globals)));
    search.run();
    for &id in &search.found {
        arena.hold_if_live(id);
    }
    for (id, handle) in search.boxes {
        if arena.object(id).is_none() {
            handle.exchange(Rc::new(Gone));
        }
    }
}

/// The handle of an object that was freed before this process came to use it.
struct Gone;

impl Handle for Gone {
    fn type_name(&self) -> &'static str {
        "handle of what is gone"
    }

    fn show(&self) -> String {
        "<gone>".to_string()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An error as an error value that names this process, ready to leave it.
pub fn error_value(context: &mut dyn Context, fault: Fault) -> Option<Value> {
    let mut report = match fault {
        Fault::Exit(_) => return None,
        Fault::Error(report) => report,
        Fault::Thrown(Value::Error(error)) if error.report.process.is_some() => {
            return Some(Value::Error(error));
        }
        Fault::Thrown(Value::Error(error)) => {
            let mut report = error.report.clone();
            report.process = own_tag();
            let made = ErrorValue::new(
                context.heap(),
                report,
                error.attributes.clone(),
                error.cause,
            );
            return Some(Value::Error(made));
        }
        // Everything that is thrown has been made an error before.
        Fault::Thrown(other) => return Some(other),
    };
    if report.process.is_none() {
        report.process = own_tag();
    }
    let made = ErrorValue::new(context.heap(), report, Vec::new(), Value::Nil);
    Some(Value::Error(made))
}

/// Name and pid of this process.
pub fn own_tag() -> Option<ProcessTag> {
    let current = process::spawn::current().ok()?;
    Some(ProcessTag {
        name: current.name(),
        pid: current.pid()?,
    })
}

/// The arena's name of a handle.
pub fn to_arena(id: &HandleId) -> Option<ArenaId> {
    let kind = ObjectKind::from_number(id.kind as u8)?;
    Some(ArenaId {
        kind,
        generation: id.generation,
        index: u32::try_from(id.offset).ok()?,
    })
}

/// A handle's name as values carry it. `side` tells the ends of one object apart.
pub fn from_arena(id: ArenaId, side: u8) -> HandleId {
    HandleId {
        kind: id.kind as u16 | u16::from(side) << 8,
        generation: id.generation,
        offset: u64::from(id.index),
    }
}

/// The handle of a name that came in a message, with a hold on its object.
pub fn handle_of(id: HandleId) -> Option<Rc<dyn Handle>> {
    let name = to_arena(&id)?;
    Some(match name.kind {
        ObjectKind::Process => super::process::from_id(name)?,
        ObjectKind::Lock => super::lock::from_id(name)?,
        ObjectKind::Semaphore => super::semaphore::from_id(name)?,
        ObjectKind::Event => super::event::from_id(name)?,
        ObjectKind::Condition => super::condition::from_id(name)?,
        ObjectKind::Barrier => super::barrier::from_id(name)?,
        ObjectKind::Pool => limited::from_id(name)?,
        ObjectKind::Future => super::pool::future::from_id(name)?,
        ObjectKind::Queue => super::queue::from_id(name)?,
        ObjectKind::Pipe => super::pipe::from_id(name)?,
        ObjectKind::SharedScalar
        | ObjectKind::SharedArray
        | ObjectKind::SharedList
        | ObjectKind::SharedMap => super::shared::from_id(name)?,
        _ => return None,
    })
}

/// This process as the wire format sees it.
struct Port<'a> {
    context: &'a mut dyn Context,
    /// Whether functions came in the message.
    functions: Cell<bool>,
    /// The numbers of the structs that did.
    structs: RefCell<Vec<u32>>,
}

impl<'a> Port<'a> {
    fn of(context: &'a mut dyn Context) -> Port<'a> {
        Port {
            context,
            functions: Cell::new(false),
            structs: RefCell::default(),
        }
    }
}

impl Sender for Port<'_> {
    fn native_name(&self, native: &'static Native) -> Option<String> {
        if super::function(native.name).is_some_and(|found| std::ptr::eq(found, native)) {
            return Some(native.name.to_string());
        }
        let holds = |table: Table| table.iter().any(|row| std::ptr::eq(row, native));
        let module = MODULES.iter().find(|module| holds(module.functions))?;
        Some(format!("{}.{}", module.name, native.name))
    }

    fn global(&self, slot: u32) -> Option<Value> {
        self.context.global(slot)
    }
}

impl Receiver for Port<'_> {
    fn heap(&mut self) -> &mut Heap {
        self.context.heap()
    }

    fn native(&self, name: &str) -> Option<&'static Native> {
        super::function(name).or_else(|| {
            let (module, function) = name.split_once('.')?;
            super::module(module)?
                .functions
                .iter()
                .find(|row| row.name == function)
        })
    }

    fn method(&self, receiver: &Value, name: &str) -> Option<&'static Native> {
        super::method(receiver, name)
    }

    fn code(&self, id: u32) -> Option<Rc<Proto>> {
        self.functions.set(true);
        self.context.code(id)
    }

    fn structure(&self, id: u32) -> Option<Gc<StructType>> {
        let mut structs = self.structs.borrow_mut();
        if structs.last() != Some(&id) && !structs.contains(&id) {
            structs.push(id);
        }
        self.context.structure(id)
    }

    fn handle(&mut self, id: HandleId) -> Option<Value> {
        let handle = handle_of(id)?;
        Some(Value::handle(self.context.heap(), handle))
    }

    fn assemble(&mut self, kind: &str, bytes: &[u8], values: &[Value]) -> Option<Value> {
        let handle = match kind {
            super::command::KIND => super::command::assemble(bytes, values)?,
            limited::KIND => limited::assemble(bytes, values)?,
            _ => return None,
        };
        Some(Value::handle(self.context.heap(), handle))
    }

    fn set_global(&mut self, slot: u32, value: Value) -> bool {
        if !OWN_GLOBALS.with_borrow(|own| own.contains(&slot)) {
            self.context.set_global(slot, value);
        }
        true
    }
}

thread_local! {
    /// Global variables of this process that no message changes.
    static OWN_GLOBALS: RefCell<HashSet<u32>> = RefCell::default();
}

/// From here on the data in global variables that a function uses, itself or through others, stays this process's own, whatever
/// comes with functions from elsewhere: what the `init` of a worker has made is there for its tasks.
pub fn keep_own_globals(context: &dyn Context, function: Value) {
    let mut search = Search::new(context, &[function]);
    search.run();
    let is_code = |slot: &u32| {
        let value = context.global(*slot);
        matches!(value, Some(Value::Fn(_) | Value::Struct(_)))
    };
    search.globals.retain(|slot| !is_code(slot));
    OWN_GLOBALS.set(search.globals);
}

/// The handles that values hold, in whatever is inside of them: what a child holds that is given or captures them.
/// Functions hold what they captured and the global variables that they use.
pub fn holds(context: &dyn Context, values: &[Value]) -> Vec<ArenaId> {
    // Without an arena there are no handles.
    if arena::get().is_none() {
        return Vec::new();
    }
    let mut search = Search::new(context, values);
    search.run();
    search.found.sort_unstable();
    search.found.dedup();
    search.found
}

struct Search<'a> {
    context: &'a dyn Context,
    seen: HashSet<usize, foldhash::fast::FixedState>,
    globals: HashSet<u32>,
    rest: Vec<Value>,
    found: Vec<ArenaId>,
    /// The handle values among them.
    boxes: Vec<(ArenaId, Gc<HandleBox>)>,
    /// Global variables are not gone through, only noted.
    stays: bool,
}

impl<'a> Search<'a> {
    fn new(context: &'a dyn Context, values: &[Value]) -> Search<'a> {
        Search {
            context,
            seen: HashSet::default(),
            globals: HashSet::new(),
            rest: values.to_vec(),
            found: Vec::new(),
            boxes: Vec::new(),
            stays: false,
        }
    }

    /// Of what a message itself has, with the global variables that its functions use.
    fn of_message(context: &'a dyn Context, roots: &[Value]) -> Search<'a> {
        Search {
            stays: true,
            ..Search::new(context, roots)
        }
    }

    fn run(&mut self) {
        while let Some(value) = self.rest.pop() {
            self.visit(value);
        }
    }

    fn visit(&mut self, value: Value) {
        match value {
            Value::Handle(handle) => {
                let id = handle.get().identity();
                let id = id.as_ref().and_then(to_arena);
                if let Some(id) = id {
                    self.found.push(id);
                    self.boxes.push((id, handle));
                }
                if let Some(parts) = handle.get().parts() {
                    self.rest.extend(parts.values);
                } else if id.is_none() && self.is_new(handle.address()) {
                    self.named(|marker| handle.get().trace(marker));
                }
                if let Some(lease) = handle.downcast::<LeaseHandle>() {
                    // A child cannot end the lease, but it can read the item.
                    self.rest.push(lease.value);
                }
                if let Some(condition) = handle.downcast::<ConditionHandle>() {
                    // Whoever has a condition can take its lock.
                    self.found.push(condition.0.lock().id());
                }
            }
            Value::List(list) if self.is_new(list.address()) => {
                if let Items::Any(items) = list.items() {
                    self.rest.extend(items.iter().copied().filter(may_hold));
                }
            }
            Value::Map(map) if self.is_new(map.address()) => {
                let values = map.table().iter().map(|(_, value)| value);
                self.rest.extend(values.filter(may_hold));
            }
            Value::Instance(instance) if self.is_new(instance.address()) => {
                self.rest.push(Value::Struct(instance.of));
                self.rest
                    .extend(instance.fields().iter().map(|field| field.get()));
            }
            Value::Struct(of) if self.is_new(of.address()) => {
                let methods = of
                    .method_names()
                    .into_iter()
                    .filter_map(|name| of.method(&name));
                self.rest.extend(methods);
                self.rest.push(of.constructor.get());
            }
            Value::Fn(closure) if self.is_new(closure.address()) => {
                self.rest
                    .extend(closure.captures().iter().map(|capture| capture.get()));
                for &slot in &closure.proto.globals {
                    if self.globals.insert(slot) && !self.stays {
                        self.rest.extend(self.context.global(slot));
                    }
                }
            }
            Value::Iter(iter) if self.is_new(iter.address()) => {
                self.named(|marker| iter.iter.trace(marker));
            }
            Value::Cell(cell) => self.rest.push(cell.value.get()),
            Value::Bound(bound) => self.rest.extend([bound.receiver, bound.function]),
            Value::Error(error) if self.is_new(error.address()) => {
                self.rest
                    .extend(error.attributes.iter().map(|(_, value)| *value));
                self.rest.push(error.cause);
            }
            _ => {}
        }
    }

    /// What an iterator, or a handle of this process alone, gets its items from.
    fn named(&mut self, trace: impl FnOnce(&mut Marker<'_>)) {
        let named = Named::by(trace);
        self.rest.extend(named.values);
        self.found.extend(named.handles.iter().filter_map(to_arena));
    }

    fn is_new(&mut self, address: usize) -> bool {
        self.seen.insert(address)
    }
}

/// Whether a value can have handles inside: saves the search most of a big list.
fn may_hold(value: &Value) -> bool {
    !matches!(
        value,
        Value::Undef
            | Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Short(_)
            | Value::Str(_)
            | Value::Bytes(_)
    )
}

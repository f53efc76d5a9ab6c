//! The machine: what it holds, and what the driver does with it.

use super::frames::Frames;
use super::stack::Slots;
use super::unwind::MAX_CAUSES;
use crate::check::Resolved;
use crate::compile;
use crate::diag::{self, Field};
use crate::process::signals;
use crate::room;
use crate::source::{SourceMap, Span};
use crate::syntax::ast;
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::function::{Closure, Proto};
use crate::value::heap::{Gc, Heap};
use crate::value::native::{Fault, Outcome};
use crate::value::seat::Seat;
use crate::value::structure::StructType;
use std::any::Any;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Registers of the stack: what [`MAX_CALL_DEPTH`] calls of ordinary functions need. The memory is touched only as it is used.
const STACK_SLOTS: usize = 1 << 22;
/// Global slots of a program: its top-level variables and those of all modules.
const GLOBAL_SLOTS: usize = 1 << 16;

/// What comes into the machine from outside. Everything may be left as it is.
#[derive(Default)]
pub struct Hooks {
    /// Asked at every safe point that polls: an error to raise now (Ctrl-C, cancellation).
    pub poll: Option<fn() -> Option<Box<diag::Error>>>,
    /// Asked there as well: whether shared memory needs handles to be let go. The heap is collected then.
    pub wants_collection: Option<fn() -> bool>,
    /// Called after that collection.
    pub collected: Option<fn()>,
    /// Asked there as well: whether somebody wants to know the line that runs.
    pub wants_place: Option<fn() -> bool>,
    /// Told the line then.
    pub tell_place: Option<fn(Option<Span>)>,
    /// The process that errors are raised in.
    pub process: Option<fn() -> diag::ProcessTag>,
    /// Where `print` goes; standard output when absent.
    pub out: Option<Box<dyn Write>>,
    /// Where `eprint` goes; standard error when absent.
    pub err: Option<Box<dyn Write>>,
    /// The script's arguments.
    pub arguments: Vec<String>,
}

/// A virtual machine with all that its scripts can reach. One per engine; a forked child goes on with its copy.
pub struct Machine {
    pub(super) heap: Heap,
    pub(super) stack: Slots,
    pub(super) globals: Slots,
    pub(super) frames: Frames,
    /// Where the registers of a call from native code may begin: above everything in use.
    pub(super) top: *mut Value,
    /// A frame may reach up to here without asking; what lies above was not written since the last collection.
    pub(super) soft_limit: *mut Value,
    pub(super) protos: Vec<Rc<Proto>>,
    /// Struct types by the identity of their declaration; the newest of each.
    pub(super) structs: Vec<Option<Gc<StructType>>>,
    /// Identities of struct declarations that were given out.
    pub(super) struct_count: u32,
    /// What was raised and is not handled yet.
    pub(super) fault: Option<Fault>,
    /// Values that native code keeps alive until it returns.
    pub(super) protected: Vec<Value>,
    /// Values that are never let go.
    pub(super) kept: Vec<Value>,
    /// Global slots below this number may hold something.
    pub(super) globals_used: usize,
    /// How many native calls are running that were called by scripts that were called by native code.
    pub(super) native_depth: usize,
    /// Tells where this machine is while it runs.
    pub(super) seat: Seat,
    /// The state of the builtins.
    pub(super) state: Option<Box<dyn Any>>,
    pub(super) interrupt: Arc<AtomicBool>,
    /// The next safe point is passed over: see [`Machine::attend`].
    pub(super) holds_off: bool,
    /// Shortages of memory in a row that have found hardly any garbage.
    pub(super) vain: u32,
    /// Steps (calls and back-edges) that are left; `None` is any number.
    pub(super) fuel: Option<u64>,
    /// What the countdown was last set to.
    pub(super) armed: i32,
    /// Collect at every safe point (for tests; set by the environment variable `PAR_GC_STRESS`).
    pub(super) stress: bool,
    /// A buffer for strings that are put together.
    pub(super) text: String,
    pub(super) global_names: Vec<(Rc<str>, u32)>,
    pub(super) sources: SourceMap,
    /// Compiled code, and what may become some.
    #[cfg(feature = "jit")]
    pub(super) jit: super::jit::Jit,
    /// What comes in from outside.
    pub hooks: Hooks,
}

/// A heap; where the allocator is our own, it is asked for huge pages once the heap is large.
fn new_heap() -> Heap {
    let mut heap = Heap::new();
    room::set_alarm(signals::tell_memory_is_short);
    heap.set_questions(signals::was_memory_refused, signals::is_urgent);
    if signals::has_memory_limit() {
        heap.set_short();
    }
    #[cfg(feature = "cli")]
    heap.set_when_large(crate::os::alloc::prefer_huge);
    heap
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}

impl Machine {
    /// A machine that has run nothing.
    pub fn new() -> Machine {
        let stack = Slots::new(STACK_SLOTS);
        let (top, soft_limit) = (stack.start(), stack.start());
        Machine {
            heap: new_heap(),
            stack,
            globals: Slots::new(GLOBAL_SLOTS),
            frames: Frames::new(),
            top,
            soft_limit,
            protos: Vec::new(),
            structs: Vec::new(),
            struct_count: 0,
            fault: None,
            // With room for what a child is given, which would otherwise make the first room of its own.
            protected: Vec::with_capacity(16),
            kept: Vec::new(),
            globals_used: 0,
            native_depth: 0,
            seat: Seat::default(),
            state: None,
            interrupt: Arc::new(AtomicBool::new(false)),
            holds_off: false,
            vain: 0,
            fuel: None,
            armed: 1,
            stress: std::env::var_os("PAR_GC_STRESS").is_some_and(|v| !v.is_empty()),
            text: String::new(),
            global_names: Vec::new(),
            sources: SourceMap::default(),
            hooks: Hooks::default(),
            #[cfg(feature = "jit")]
            jit: super::jit::Jit::new(),
        }
    }

    /// Compiles a checked module and enters its code into the program's table. `sources` is all sources so far: reports
    /// made by scripts (`describe`) quote them.
    pub fn load(
        &mut self,
        module: &ast::Module,
        resolved: &Resolved,
        sources: &SourceMap,
    ) -> diag::Result<Rc<Proto>> {
        self.sources = sources.clone();
        let first_proto = self.protos.len() as u32;
        let unit = compile::compile(
            module,
            resolved,
            &mut self.heap,
            first_proto,
            self.struct_count,
        )?;
        self.protos.extend(unit.protos);
        self.struct_count += unit.structs;
        for (slot, global) in &resolved.globals {
            self.global_names.retain(|(name, _)| *name != global.name);
            self.global_names.push((global.name.clone(), *slot));
            self.globals_used = self.globals_used.max(*slot as usize + 1);
        }
        Ok(unit.main)
    }

    /// Runs a module's body; the value of its last expression statement comes back, or nil.
    ///
    /// # Errors
    /// What the script raised and did not catch, or its `exit`.
    pub fn run(&mut self, main: &Rc<Proto>) -> Outcome {
        let closure = Closure::new(&mut self.heap, main.clone(), &[]);
        self.call_value(Value::Fn(closure), &[])
    }

    /// The value of a top-level variable of the module loaded last that has one of that name.
    pub fn global_named(&self, name: &str) -> Option<Value> {
        let (_, slot) = self.global_names.iter().find(|(n, _)| &**n == name)?;
        self.globals
            .get(*slot as usize)
            .filter(|v| !matches!(v, Value::Undef))
    }

    /// The value of a top-level variable by its slot; `None` before its declaration has run.
    pub fn global_slot(&self, slot: u32) -> Option<Value> {
        self.globals
            .get(slot as usize)
            .filter(|v| !matches!(v, Value::Undef))
    }

    /// Sets a top-level variable by its slot (values that the embedding program gives to the script).
    pub fn set_global_slot(&mut self, slot: u32, value: Value) {
        if self.globals.set(slot as usize, value) {
            self.globals_used = self.globals_used.max(slot as usize + 1);
        }
    }

    /// How many global slots there are: a program may not declare more.
    pub fn global_capacity(&self) -> usize {
        self.globals.count()
    }

    /// The heap.
    pub fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }

    /// Steps (calls and loop iterations) that scripts may still make; past them `LimitExceeded` is raised.
    pub fn set_fuel(&mut self, steps: Option<u64>) {
        self.fuel = steps;
        self.heap.budget = 0;
        self.armed = 0;
    }

    /// Bytes that the heap may hold; past them `LimitExceeded` is raised.
    pub fn set_memory_limit(&mut self, bytes: usize) {
        self.heap.set_limit(bytes);
    }

    /// How deep calls may nest.
    pub fn set_depth_limit(&mut self, calls: usize) {
        self.frames.set_limit(calls);
    }

    /// Setting this flag (from any thread, or a signal handler) raises `Interrupted` in the script at its next safe point.
    pub fn interrupt_flag(&self) -> Arc<AtomicBool> {
        self.interrupt.clone()
    }
}

/// The report of an error with as many of its causes: a script may chain more than anybody reads, and than the stack bears.
fn with_causes(error: Gc<ErrorValue>, most: usize) -> Box<diag::Error> {
    let mut report = error.report.clone();
    if let Value::Error(cause) = error.cause
        && most > 0
    {
        report.causes.push(*with_causes(cause, most - 1));
    }
    report
}

/// See [`super::report`].
pub(super) fn report(fault: Fault) -> Box<diag::Error> {
    match fault {
        Fault::Error(error) => error,
        Fault::Exit(code) => diag::Error::new(diag::codes::EXIT, format!("exit with code {code}"))
            .with_field("code", Field::Int(i64::from(code))),
        Fault::Thrown(Value::Error(error)) => with_causes(error, MAX_CAUSES),
        Fault::Thrown(other) => diag::Error::new(
            diag::codes::INTERNAL,
            format!("a {} was thrown", other.type_name()),
        ),
    }
}

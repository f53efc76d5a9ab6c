//! Native functions: how Rust code is called from scripts and calls back into them.

use super::Value;
use super::function::Proto;
use super::heap::{Gc, Header, Heap, Marker};
use super::seat::Seat;
use super::structure::StructType;
use crate::diag;
use crate::room;
use crate::source::Span;
use std::any::Any;
use std::rc::Rc;

/// Why a native function did not return.
pub enum Fault {
    /// An error; the machine adds place, trace and process.
    Error(Box<diag::Error>),
    /// An error value that is already complete (thrown or rethrown by the script).
    Thrown(Value),
    /// `exit(code)`: leaves the process after `finally` and `defer` have run.
    Exit(i32),
}

impl From<Box<diag::Error>> for Fault {
    fn from(error: Box<diag::Error>) -> Fault {
        Fault::Error(error)
    }
}

/// The result of a native function.
pub type Outcome<T = Value> = Result<T, Fault>;

/// What the virtual machine offers to native code. (One trait, so that nothing below the machine names it.)
pub trait Context {
    /// The heap.
    fn heap(&mut self) -> &mut Heap;

    /// Calls any callable value. A collection may run: what is needed afterwards must be reachable or protected.
    fn call(&mut self, function: Value, args: &[Value]) -> Outcome;

    /// As [`Context::call`], with named arguments too.
    fn call_named(
        &mut self,
        function: Value,
        args: &[Value],
        named: &[(Rc<str>, Value)],
    ) -> Outcome;

    /// Keeps a value alive until the native function that is running returns.
    fn protect(&mut self, value: Value);

    /// How much is protected now, for [`Context::release`].
    fn protected(&self) -> usize;

    /// Lets go of what was protected since: for a native function that goes on for as long as its process.
    fn release(&mut self, protected: usize);

    /// The place in the script that is running: the innermost frame's.
    fn place(&self) -> Option<Span>;

    /// The calls that are running, the innermost first.
    fn trace(&self) -> Vec<diag::Frame>;

    /// `name:line` of a place.
    fn describe(&self, place: Span) -> String;

    /// The code of the script at a place: its tokens, however they are laid out, without comments.
    fn code_text(&self, place: Span) -> Option<String>;

    /// An iterator over a value, or a `TypeError`.
    fn iterate(&mut self, value: Value) -> Outcome<Rc<dyn NativeIter>>;

    /// Writes to standard output in one piece (or to where the engine's output is captured).
    fn write_out(&mut self, bytes: &[u8]) -> Outcome<()>;

    /// Writes to standard error in one piece.
    fn write_err(&mut self, bytes: &[u8]) -> Outcome<()>;

    /// The script's arguments.
    fn arguments(&self) -> &[String];

    /// Compiled code by identity, for functions that arrive from another process.
    fn code(&self, id: u32) -> Option<Rc<Proto>>;

    /// A struct type by identity.
    fn structure(&self, id: u32) -> Option<Gc<StructType>>;

    /// A global variable by slot (they travel with functions that use them).
    fn global(&self, slot: u32) -> Option<Value>;

    /// The name of a global variable by slot.
    fn global_name(&self, slot: u32) -> String;

    /// Sets a global variable by slot.
    fn set_global(&mut self, slot: u32, value: Value);

    /// Looks at everything that wants attention (Ctrl-C, cancel, limits) now; long native loops call it now and then.
    fn poll(&mut self) -> Outcome<()>;

    /// What comes back from this native call must not be lost: nothing is raised (Ctrl-C, cancel) before the script could note it
    /// by one call more. Whoever says so polls before: a loop may come to no other safe point.
    fn hold_off(&mut self) {}

    /// Whether what the running native method gives goes to a loop that takes it piece by piece, and to nobody else.
    fn is_for_loop(&self) -> bool {
        false
    }

    /// Where this machine is while it runs: for code that is called in the waiting place, where nobody hands a context on.
    fn seat(&self) -> Seat;

    /// In a freshly forked child: forget the parent's frames, so that only what is called next is running.
    fn enter_child(&mut self);

    /// State of the builtins that lives as long as the engine (random stream, open files, scopes), made at first use.
    fn state(&mut self, make: fn() -> Box<dyn Any>) -> &mut dyn Any;
}

/// So many items come at a time where a loop takes them piece by piece: they stay in the cache, and what each time costs is not felt.
pub const PIECES: usize = 256;

/// Between two looks at what wants attention (Ctrl-C, limits) a native loop may go through this many items.
const LOOK_EVERY: usize = 1024;

/// The looks of a native loop at what wants attention: what it calls may have no safe point of its own.
#[derive(Default)]
pub struct Looks(usize);

impl Looks {
    /// Called once a round, where nothing is in hand that is not reachable or protected: looks now and then, and when a collection
    /// is wanted.
    ///
    /// # Errors
    /// What [`Context::poll`] raises.
    pub fn look(&mut self, context: &mut dyn Context) -> Outcome<()> {
        self.0 = self.0.wrapping_add(1);
        match self.0.is_multiple_of(LOOK_EVERY) || context.heap().wanted {
            true => context.poll(),
            false => Ok(()),
        }
    }
}

/// Asks for so many bytes, before `what` makes something as large: where the system has not so much, what is garbage is collected
/// first. To be called where [`Context::poll`] may be.
///
/// # Errors
/// `LimitExceeded`, and what [`Context::poll`] raises.
#[inline]
pub fn make_room(context: &mut dyn Context, what: &str, bytes: usize) -> Outcome<()> {
    match bytes < room::LARGE || room::has(bytes) {
        true => Ok(()),
        false => collect_first(context, what, bytes),
    }
}

#[cold]
fn collect_first(context: &mut dyn Context, what: &str, bytes: usize) -> Outcome<()> {
    room::tell(bytes);
    context.poll()?;
    Ok(room::fits(what, bytes)?)
}

/// The arguments of a native call, one per declared parameter; optional ones that were not given are `Undef`. A rest
/// parameter's values stand at the end. For methods the receiver is the first.
pub type Args<'a> = &'a [Value];

/// A native function's code.
pub type NativeCode = fn(&mut dyn Context, Args<'_>) -> Outcome;

/// A native function: a row of a table in `builtins`.
pub struct Native {
    /// Its name; methods are shown as `list.push`.
    pub name: &'static str,
    /// Its parameters in order, the receiver left out: `"item"` is required, `"timeout?"` optional, `"...values"` takes all
    /// further positional arguments (parameters written after it are only given by name), `"**fields"` all further named
    /// ones as a map (`Undef` when there are none). The values of `"...values"` stand at the end of the arguments, behind
    /// one value for each of the other parameters.
    pub params: &'static [&'static str],
    /// Its code.
    pub code: NativeCode,
    /// One sentence on what it does, for the prompt's help.
    pub doc: &'static str,
}

/// The code of a host function.
pub type HostCode = Rc<dyn Fn(&mut dyn Context, Args<'_>) -> Outcome>;

/// A function registered by an embedding program.
#[repr(C)]
pub struct HostFn {
    header: Header,
    /// Its name.
    pub name: Rc<str>,
    /// How many arguments it takes; `None` is any number.
    pub arity: Option<usize>,
    /// Its code.
    pub code: HostCode,
}

impl HostFn {
    /// A host function as an object.
    pub fn new(heap: &mut Heap, name: Rc<str>, arity: Option<usize>, code: HostCode) -> Gc<HostFn> {
        heap.alloc(
            HostFn {
                header: Header::new(0),
                name,
                arity,
                code,
            },
            0,
        )
    }

    pub(super) fn trace(&self, _: &mut Marker<'_>) {}
}

/// An iterator in native code. `next` takes `&self`: an iterator may call back into the script, and a collection that runs
/// meanwhile must be able to trace it; what changes stands in cells.
pub trait NativeIter {
    /// The next item; `None` at the end, and from then on.
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>>;

    /// The value that belongs to the key that `next` gave last, for those that go over keys: what a second loop variable
    /// takes.
    fn value(&self) -> Option<Value> {
        None
    }

    /// Appends its next items, [`PIECES`] at most, for a loop that has asked for it ([`Context::is_for_loop`]); false when there are
    /// none, or when it gives them one by one.
    fn refill(&self, _heap: &mut Heap, _items: &mut Vec<Value>) -> Outcome<bool> {
        Ok(false)
    }

    /// Whether its items are at hand: there is an end to them, and to get them all neither waits for anything nor calls the
    /// script.
    fn is_at_hand(&self) -> bool {
        false
    }

    /// Whether an error may break `next` off where that waits, and `next` be asked again: nothing is lost by it. Not where the script
    /// is called for an item.
    fn may_break_off(&self) -> bool {
        false
    }

    /// Whether it is known that its items never end: to ask for all of them is a mistake.
    fn never_ends(&self) -> bool {
        false
    }

    /// How many iterators stand behind it, each asking the next.
    fn depth(&self) -> usize {
        0
    }

    /// Bytes of memory that it owns, values aside.
    fn bytes(&self) -> usize {
        0
    }

    /// The loop over it was left, perhaps before its end: what it gets its items from is ended.
    fn close(&self) {}

    /// Marks the values that it holds.
    fn trace(&self, marker: &mut Marker<'_>);
}

/// An iterator as an object.
#[repr(C)]
pub struct IterBox {
    header: Header,
    /// The iterator.
    pub iter: Rc<dyn NativeIter>,
}

impl IterBox {
    /// Puts an iterator into the heap.
    pub fn new(heap: &mut Heap, iter: Rc<dyn NativeIter>) -> Gc<IterBox> {
        heap.charge(iter.bytes());
        heap.alloc(
            IterBox {
                header: Header::new(0),
                iter,
            },
            0,
        )
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.iter.bytes());
        self.iter.trace(marker);
    }
}

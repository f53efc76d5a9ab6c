//! What the machine asks of the processes around it, and what is told when a child failed and nobody looked after it.

use crate::arena;
use crate::builtins;
use crate::diag::{self, ProcessTag, Severity, codes};
use crate::os::fork;
use crate::process::pool::future::{Future, State};
use crate::process::pool::{self, tail};
use crate::process::signals;
use crate::process::{Ended, Process, finish, place, scope, spawn, status, tenders};
use crate::source::{SourceMap, Span};
use crate::value::Value;
use crate::value::function::Proto;
use crate::value::handle::HandleId;
use crate::value::heap::{Gc, Heap};
use crate::value::native::Native;
use crate::value::structure::StructType;
use crate::vm;
use crate::wire::{self, Receiver};
use std::cell::RefCell;
use std::rc::Rc;

/// Prints a report.
pub type Tell = Rc<dyn Fn(&diag::Error, &SourceMap)>;

thread_local! {
    /// How this process reports failures of its children, and the sources that the reports quote. The end of a process is no
    /// place where a driver can be reached: it may be in the middle of a call.
    static TELLING: RefCell<Option<(Tell, SourceMap)>> = const { RefCell::new(None) };
    /// The sources of the text that runs, for the messages that name places.
    static SOURCES: RefCell<SourceMap> = RefCell::new(SourceMap::default());
}

/// From now on, in this process and its children, failures of children that nobody joined are told.
pub(super) fn tell_failures_by(tell: Tell, sources: &SourceMap) {
    TELLING.set(Some((tell, sources.clone())));
    finish::set_hooks(finish::Hooks {
        report: report_child,
        report_task,
        report_lost: self::tell,
        flush: || {},
    });
}

/// Takes note of the sources that were added.
pub(super) fn know_sources(sources: &SourceMap) {
    SOURCES.with_borrow_mut(|known| known.clone_from(sources));
    place::set_resolver(|span| SOURCES.with_borrow(|known| known.place(span)));
    TELLING.with_borrow_mut(|telling| {
        if let Some((_, known)) = telling {
            known.clone_from(sources);
        }
    });
}

fn report_child(process: &Process) {
    let Some(error) = process.ended().and_then(|ended| failure_of(process, ended)) else {
        return;
    };
    tell(&error);
}

fn report_task(failed: Result<&Future, u64>) {
    let future = match failed {
        Ok(future) => future,
        Err(more) => {
            let message =
                format!("of tasks of a pool {more} more failed, and nobody has asked for them");
            return tell(&diag::Error::new(codes::USER, message));
        }
    };
    let mut error = match future.state() {
        State::Error => carried(future.result()).unwrap_or_else(|| {
            let message = "a task failed, and its error could not be carried over";
            diag::Error::new(codes::PROCESS_DIED, message)
        }),
        _ => builtins::pool::future::death(future, "a task", future.deaths()),
    };
    error.severity = Severity::Error;
    error.spawned_at = error.spawned_at.or(future.place());
    let error = error
        .with_note("it is the error of a task of a pool, and nobody has asked for it")
        .with_help("ask what came of a task: f.result(), f.error() or f.then(..., on_error: ...)");
    tell(&error);
}

fn tell(error: &diag::Error) {
    TELLING.with_borrow(|telling| {
        if let Some((tell, sources)) = telling {
            tell(error, sources);
        }
    });
}

/// The report of an error that was carried over from another process.
fn carried(bytes: &[u8]) -> Option<Box<diag::Error>> {
    match wire::decode(bytes, &mut Reports(Heap::new())) {
        Ok(Value::Error(error)) => Some(error.report.clone()),
        _ => None,
    }
}

/// The error of a child as its parent reports it.
fn failure_of(process: &Process, ended: Ended) -> Option<Box<diag::Error>> {
    let (name, pid) = (process.name(), process.pid().unwrap_or(0));
    let mut error = match &ended {
        Ended::Raised(message) if message.bytes.is_empty() => process.lost_result(),
        Ended::Raised(message) => carried(&message.bytes).unwrap_or_else(|| {
            let message =
                format!("{name} (pid {pid}) failed, and its error could not be carried over");
            diag::Error::new(codes::PROCESS_DIED, message)
        }),
        other => process.end_error(other)?,
    };
    error.severity = Severity::Error;
    error.process.get_or_insert(ProcessTag { name, pid });
    error.spawned_at = error.spawned_at.or(process.place());
    Some(error)
}

/// Reads an error's report and lets go of everything else that came with it.
struct Reports(Heap);

impl Receiver for Reports {
    fn heap(&mut self) -> &mut Heap {
        &mut self.0
    }

    fn native(&self, name: &str) -> Option<&'static Native> {
        builtins::function(name)
    }

    fn method(&self, receiver: &Value, name: &str) -> Option<&'static Native> {
        builtins::method(receiver, name)
    }

    fn code(&self, _: u32) -> Option<Rc<Proto>> {
        None
    }

    fn structure(&self, _: u32) -> Option<Gc<StructType>> {
        None
    }

    fn handle(&mut self, _: HandleId) -> Option<Value> {
        Some(Value::Nil)
    }

    fn set_global(&mut self, _: u32, _: Value) -> bool {
        false
    }
}

/// Connects a machine with the process that it runs in.
pub(super) fn connect(hooks: &mut vm::Hooks) {
    hooks.poll = Some(poll);
    hooks.wants_collection = Some(signals::wants_collection);
    hooks.collected = Some(signals::collect);
    hooks.wants_place = Some(|| pool::is_worker() || signals::is_place_wanted());
    hooks.tell_place = Some(tell_place);
    hooks.process = Some(own_tag);
}

/// The machine is at a place, and its process is a worker, or somebody has asked.
fn tell_place(place: Option<Span>) {
    tail::note_place(place);
    if signals::wants_place() {
        status::tell(place);
    }
}

fn poll() -> Option<Box<diag::Error>> {
    let error = signals::check()
        .and_then(|()| scope::check_deadline())
        .err();
    if error.is_none() {
        // A script that computes for long waits nowhere else.
        tenders::tend();
    }
    error
}

/// Name and pid of this process. A script that shares nothing has no entry in the process table, and need not make one to
/// fail.
fn own_tag() -> ProcessTag {
    let entry = arena::get().and_then(|_| spawn::current().ok());
    ProcessTag {
        name: entry.map_or("main".to_string(), |process| process.name()),
        pid: fork::pid(),
    }
}

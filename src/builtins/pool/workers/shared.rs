//! The function of a map over a pool: encoded once, whatever it has captured, for all hand-outs, and decoded once by a worker for
//! those that it works off one after the other.

use super::super::super::travel;
use super::Pool;
use crate::arena::HandleId;
use crate::diag::{Error, codes};
use crate::os::fork;
use crate::process::pool::future::{Future, Terms};
use crate::process::pool::tasks::Tasks;
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Context, IterBox, NativeIter, Outcome};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A function that lies in the arena as long as anybody has this, or a task of it.
pub struct Shared {
    /// Its message lies where the task of a future does; nobody works on it.
    holder: Future,
    tasks: Tasks,
    /// The process that maps: copies of this in its children say nothing.
    owner: i32,
    /// How many functions and structs a worker must know to read it.
    pub code: [u32; 2],
}

impl Shared {
    /// Its handle: tasks name it, and hold it.
    pub fn id(&self) -> HandleId {
        self.holder.id()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.owner == fork::pid() {
            // The map is over: workers need not keep it.
            self.holder.give_up();
            self.tasks.object().events[0].notify_all();
        }
    }
}

impl Pool {
    /// Encodes a function with what it has captured and the global variables that it uses, as they are now.
    pub fn share(&self, context: &mut dyn Context, function: Value) -> Outcome<Rc<Shared>> {
        let message = travel::pack_with_globals(context, function)?;
        let terms = Terms::default();
        let holder = Future::new(self.tasks.id(), &message.bytes, &message.handles, &terms)?;
        Ok(Rc::new(Shared {
            holder,
            tasks: self.tasks.clone(),
            owner: fork::pid(),
            code: message.code,
        }))
    }

    /// In a worker: the function of a task, which is decoded unless the task before had the same.
    pub(super) fn function_of(&self, context: &mut dyn Context, id: HandleId) -> Outcome {
        if let Some(function) = self.kept.get(id) {
            return Ok(function);
        }
        let Some(holder) = Future::from_id(id) else {
            return Err(
                Error::new(codes::DECODE, "the function of a task could not be read").into(),
            );
        };
        let function = travel::unpack(context, holder.task())?;
        self.kept.keep(context, holder, function);
        Ok(function)
    }
}

/// The function that a worker has decoded last.
#[derive(Default)]
pub(super) struct Kept {
    root: Rc<Root>,
    /// It is among what this process keeps alive.
    is_rooted: Cell<bool>,
}

#[derive(Default)]
struct Root(RefCell<Option<(Future, Value)>>);

impl Kept {
    /// In a new worker, once: what it keeps is kept alive.
    pub(super) fn root(&self, context: &mut dyn Context) {
        let root = Value::Iter(IterBox::new(context.heap(), self.root.clone()));
        context.protect(root);
        self.is_rooted.set(true);
    }

    fn get(&self, id: HandleId) -> Option<Value> {
        let kept = self.root.0.borrow();
        let (_, function) = kept.as_ref().filter(|(holder, _)| holder.id() == id)?;
        Some(*function)
    }

    fn keep(&self, context: &mut dyn Context, holder: Future, function: Value) {
        context.protect(function);
        if self.is_rooted.get() {
            *self.root.0.borrow_mut() = Some((holder, function));
        }
    }

    /// Something else is decoded, which may bring other values of global variables.
    pub(super) fn forget(&self) {
        self.root.0.take();
    }

    /// Nothing is to be done: what the function holds is nobody's business any more when its map is over.
    pub(super) fn forget_what_is_over(&self) {
        let is_over = |(holder, _): &(Future, Value)| holder.state().is_final();
        if self.root.0.borrow().as_ref().is_some_and(is_over) {
            self.forget();
        }
    }
}

impl NativeIter for Root {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        Ok(None)
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        if let Some((_, function)) = &*self.0.borrow() {
            marker.value(*function);
        }
    }
}

//! The pools of this process that have not ended: the scope that each was made in, which ends it, and those that nobody can use
//! any more, which work off what they were given.

use super::Pool;
use crate::diag::{Error, Field, codes};
use crate::os::fork;
use crate::process::finish;
use crate::process::pool::tasks::Closing;
use crate::process::pool::untold::Look;
use crate::process::scope::{self, Left};
use crate::value::Value;
use crate::value::native::{Context, Outcome};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// An open pool of this process.
struct Entry {
    /// How many scopes were open when it was made.
    scopes: usize,
    pool: Weak<Pool>,
    /// The pool itself, once nobody else has it.
    kept: Option<Rc<Pool>>,
}

#[derive(Default)]
struct Register {
    entries: Vec<Entry>,
    /// With how many open pools the collector is asked.
    ask_at: usize,
    /// It was asked, and what it has left is known when the next pool is made.
    asked: bool,
}

thread_local! {
    static REGISTER: RefCell<Register> = RefCell::default();
}

/// Open pools with which the collector is asked first: one is no reason to look.
const LEAST: usize = 2;

/// At the end of this process: tells of failed tasks for which nobody will ask.
fn tell_all() {
    let pools: Vec<Rc<Pool>> =
        REGISTER.with_borrow(|register| register.entries.iter().filter_map(Entry::pool).collect());
    for pool in pools.iter().filter(|pool| pool.owner == fork::pid()) {
        pool.tell(Look::AtEnd);
        pool.tell_failure();
    }
}

impl Entry {
    fn pool(&self) -> Option<Rc<Pool>> {
        self.kept.clone().or_else(|| self.pool.upgrade())
    }

    fn is_over(&self) -> bool {
        self.pool().is_none_or(|pool| {
            pool.owner != fork::pid() || pool.has_ended() && !pool.tasks.has_untold()
        })
    }
}

/// Notes a new pool. Workers of pools that nobody can use stay until the collector has looked, so it is asked each time when
/// there are twice as many pools as it has left.
pub(super) fn note(context: &mut dyn Context, pool: &Rc<Pool>) {
    let entry = Entry {
        scopes: scope::depth(),
        pool: Rc::downgrade(pool),
        kept: None,
    };
    let (asks, over) = REGISTER.with_borrow_mut(|register| {
        let (over, open): (Vec<_>, Vec<_>) = std::mem::take(&mut register.entries)
            .into_iter()
            .partition(Entry::is_over);
        register.entries = open;
        if std::mem::take(&mut register.asked) {
            register.ask_at = register.entries.len() * 2;
        }
        register.entries.push(entry);
        register.asked = register.entries.len() >= register.ask_at.max(LEAST);
        (register.asked, over)
    });
    // Outside of the register: the end of a pool looks into it.
    drop(over);
    finish::at_end(tell_all);
    if asks {
        context.heap().ask();
    }
}

/// Keeps a pool that nobody can use any more until it has worked off what it was given. `None` when that is kept; else the pool
/// comes back, because this thread ends.
pub(super) fn keep(heir: Rc<Pool>, gone: *const Pool) -> Option<Rc<Pool>> {
    let mut left = Some(heir);
    let _ = REGISTER.try_with(|register| {
        let mut register = register.borrow_mut();
        let mut entries = register.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| std::ptr::eq(entry.pool.as_ptr(), gone)) {
            entry.kept = left.take();
        }
    });
    left
}

/// Ends the pools that were made in a scope that is being left, with those of the scopes inside of it. When all went well so
/// far, what they were given is worked off first, until the scope's time-out; otherwise it is given up. `scopes` is how many
/// were open in the block.
pub fn leave_scope(
    context: &mut dyn Context,
    scopes: usize,
    left: &Left,
    in_order: bool,
) -> Outcome<()> {
    let pools: Vec<Rc<Pool>> = REGISTER.with_borrow_mut(|register| {
        let inside = register
            .entries
            .iter_mut()
            .filter(|entry| entry.scopes >= scopes);
        let open = inside.filter_map(|entry| {
            entry.scopes = 0;
            entry
                .pool()
                .filter(|pool| !entry.is_over() || pool.has_failed())
        });
        open.collect()
    });
    if pools.is_empty() {
        return Ok(());
    }
    let worked_off = match in_order {
        true => work_off(context, &pools, left),
        false => Ok(()),
    };
    if !in_order || worked_off.is_err() {
        // All are told before any is waited for.
        for pool in &pools {
            pool.tasks.close(Closing::Terminated);
        }
        for pool in &pools {
            pool.terminate(context.place())?;
        }
    }
    worked_off
}

fn work_off(context: &mut dyn Context, pools: &[Rc<Pool>], left: &Left) -> Outcome<()> {
    for pool in pools {
        pool.raise_failure(context)?;
        if !pool.work_off(context, left.deadline)? {
            let message = format!(
                "the pools of the scope were to end within {} s, but took longer",
                left.seconds
            );
            let error = Error::new(codes::TIMEOUT, message);
            return Err(error
                .with_field("seconds", Field::Float(left.seconds))
                .into());
        }
    }
    Ok(())
}

impl Pool {
    /// Calls what `then` was given, takes nothing more and waits until all is done; false when the deadline came first.
    pub(super) fn work_off(
        &self,
        context: &mut dyn Context,
        deadline: Option<u64>,
    ) -> Outcome<bool> {
        // Callbacks may hand in more: the pool takes it until they are done.
        if !self.run_callbacks(context, deadline)? {
            return Ok(false);
        }
        self.tasks.close(Closing::Closed);
        self.wait_for_end(context, deadline)
    }

    /// Whether its workers have ended, in the process that owns it.
    pub(super) fn has_ended(&self) -> bool {
        self.tasks.closing() != Closing::Open && self.crew.borrow().iter().flatten().count() == 0
    }

    /// In place of a pool that nobody can use any more, when it has something to do still: it takes nothing more, and ends
    /// when that is done.
    pub(super) fn heir(&mut self) -> Option<Pool> {
        let is_busy = match self.tasks.closing() {
            Closing::Open => self.tasks.outstanding() > 0,
            Closing::Closed => !self.has_ended(),
            Closing::Terminated => false,
        };
        if !is_busy || self.abandoned {
            return None;
        }
        self.tasks.close(Closing::Closed);
        self.book();
        let mut heir = Pool::new(self.tasks.clone(), self.owner, self.place);
        heir.crew = std::mem::take(&mut self.crew);
        heir.tallies = std::mem::take(&mut self.tallies);
        heir.holds = std::mem::take(&mut self.holds);
        heir.seat = std::mem::take(&mut self.seat);
        heir.booked.set(true);
        heir.abandoned = true;
        heir.care.max_memory = self.care.max_memory;
        // What `init` holds was marked by handles, and they are gone.
        heir.lost_init = !matches!(self.init, Value::Nil);
        Some(heir)
    }
}

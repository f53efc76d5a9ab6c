//! The pool of one `pool map` whose source is read while its items are worked on: workers that are forked at the call, inherit
//! the body with all that it captures, and leave with the map.

use super::super::settings::Settings;
use super::super::stats;
use super::{Pool, fork, tenders, travel};
use crate::process::pool::owner::Limits;
use crate::process::pool::tasks::{Closing, Tasks};
use crate::process::tenders::Tender;
use crate::value::Value;
use crate::value::native::{Context, Outcome};
use std::rc::Rc;

impl Pool {
    /// A pool whose workers have a function already.
    pub fn one_shot(
        context: &mut dyn Context,
        body: Value,
        settings: &Settings,
    ) -> Outcome<Rc<Pool>> {
        let limits = Limits {
            max_tasks: settings.max_tasks,
            ..Limits::default()
        };
        let tasks = Tasks::new(settings.workers, limits)?;
        let mut holds = travel::holds(context, &[settings.init, settings.care.exit, body]);
        holds.push(tasks.id());
        let mut pool = Pool::new(tasks, fork::pid(), context.place());
        (pool.init, pool.holds, pool.seat) = (settings.init, holds, context.seat());
        (pool.body, pool.construct) = (body, "pool map");
        pool.care = settings.care;
        let pool = Rc::new(pool);
        pool.make_room(settings.workers as usize);
        pool.look_after()?;
        stats::watch(&pool);
        let tender: Rc<dyn Tender> = pool.clone();
        tenders::add(&tender);
        Ok(pool)
    }

    /// Whether its workers cannot begin: whoever waits for it next is told.
    pub fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// Tasks that its workers have finished, and nanoseconds that they were busy with them.
    pub fn work_done(&self) -> (u64, u64) {
        let workers = (0..self.tasks.workers()).map(|worker| self.tasks.progress(worker));
        workers.fold((0, 0), |(tasks, busy), at| {
            (tasks + at.tasks, busy + at.busy)
        })
    }

    /// Ends the pool when its map is over: workers of a map that ended in order leave by themselves, the others are cancelled.
    pub fn dismiss(&self, context: &mut dyn Context, in_order: bool) -> Outcome<()> {
        let place = context.place();
        if !in_order {
            return Ok(self.terminate(place)?);
        }
        self.tasks.close(Closing::Closed);
        let left = self.join(context, None);
        if left.is_err() {
            self.terminate(place)?;
        }
        left.map(|_| ())
    }
}

//! `pool(n)`: worker processes that stay, and work off tasks that any process hands in.
//!
//! The process that made the pool owns its workers: it puts others in the place of those that end, whenever it waits for
//! anything and whenever the machine polls. Leaving `with` works off what was handed in; leaving it by an error gives everything up.
//!
//! Here is the pool as its owner has it; [`methods`] is what scripts call, [`task`] what is handed in and what a worker does with it,
//! `batch` a map over a pool, `callbacks` what `then` was given, `crew` who works, `ending` how processes are ended that have a grace, `open` which pools there are and what ends them,
//! [`limited`] one with limits of its own and what travels of a pool, `one_shot` the pool of a single `pool map`, [`parcel`] what such a map hands in while it reads ([`packed`]: the items in it), [`shared`] the function that all tasks
//! of a map have.

mod batch;
mod callbacks;
mod crew;
mod ending;
pub mod limited;
pub mod methods;
mod one_shot;
mod open;
pub mod packed;
pub mod parcel;
pub mod shared;
pub mod task;
mod telling;

use super::super::{arguments, travel};
use super::care::Care;
use super::death::Fruitless;
use super::retry::Retry;
use super::stats::{Account, Tally};
use super::{settings, stats};
use crate::diag::{Error, Result, codes};
use crate::os::{clock, fork};
use crate::process::pool::future::Future;
use crate::process::pool::owner::Limits;
use crate::process::pool::tasks::{Closing, Tasks};
use crate::process::pool::untold::Look;
use crate::process::tenders::{self, Tender};
use crate::process::wait::{self, Awaited, Operation, WaitSpec, timed_out};
use crate::process::{Ended, Process, willing};
use crate::source::Span;
use crate::value::Value;
use crate::value::handle::{Handle, HandleId, Parts};
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Native, Outcome};
use crate::value::seat::Seat;
use callbacks::Callbacks;
pub use crew::is_refusal;
pub use ending::{end_all, with_news};
pub use open::leave_scope;
use shared::Kept;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use telling::Telling;

/// Of what a wait is for, so many are named at first: there is room for them in the record of a wait, and the pools among them wake for
/// each finished task.
const NAMED_AT_FIRST: usize = 16;
/// Seconds until a wait that has left out something names all of it. Before that it is none that could be stuck: what was left out may
/// be what somebody outside of the pools is about to end. Shorter than any wish to look again, which begins a wait anew.
const NAME_ALL_AFTER: f64 = 0.01;

/// A pool as its owner and its futures have it.
pub struct Pool {
    /// Its tasks, shared with the workers.
    pub tasks: Tasks,
    /// Workers by number, in the process that owns them.
    crew: RefCell<Vec<Option<Process>>>,
    /// What is known of each worker's time.
    tallies: RefCell<Vec<Tally>>,
    owner: i32,
    init: Value,
    /// What else its workers are given and spared.
    care: Care,
    /// A worker whose `exit` failed, until that is raised at the end of the pool.
    failed_exit: RefCell<Option<(Process, Ended)>>,
    /// What the workers of a `pool map` do with each item: they have inherited it. Nil in other pools.
    body: Value,
    /// What made it: `pool` or `pool map`.
    construct: &'static str,
    /// What `init` holds: every worker does.
    holds: Vec<crate::arena::HandleId>,
    /// The machine that workers go on with.
    seat: Seat,
    /// A worker whose `init` failed, until that was raised.
    failed: RefCell<Option<(Process, Ended)>>,
    /// The same for good: it is why nothing can be handed in.
    hopeless: RefCell<Option<(Process, Ended)>>,
    /// Workers in a row that ended before they had begun anything.
    fruitless: Fruitless,
    /// What is called in this process when futures are finished.
    callbacks: Callbacks,
    place: Option<Span>,
    began: u64,
    booked: Cell<bool>,
    /// Nobody can use it any more: it only works off what it was given.
    abandoned: bool,
    /// In a worker: the function that it has decoded last.
    kept: Kept,
    /// Failed tasks that nobody will ask for are told.
    telling: Telling,
    /// Its workers had an `init` that is gone: it cannot put others in their place.
    lost_init: bool,
}

/// What ends a wait.
enum News<T> {
    /// What is waited for.
    Ready(T),
    /// A task is finished for whose result a function of the script waits.
    Callback,
    /// The pool has failed.
    Over,
}

/// A pool as a value.
pub struct PoolHandle {
    /// The pool.
    pub pool: Rc<Pool>,
    /// What holds for the tasks that are handed in through this value.
    pub limits: Limits,
    /// On which terms they are tried again, beside how often.
    pub retry: Retry,
    /// The pool as it was made, where this has limits of its own; else nil.
    pub base: Value,
}

impl Handle for PoolHandle {
    fn type_name(&self) -> &'static str {
        "pool"
    }

    fn show(&self) -> String {
        let state = match self.pool.tasks.closing() {
            Closing::Open => "open",
            Closing::Closed => "closed",
            Closing::Terminated => "terminated",
        };
        format!("<pool of {} workers {state}>", self.pool.tasks.workers())
    }

    fn identity(&self) -> Option<HandleId> {
        Some(travel::from_arena(self.pool.tasks.id(), 0))
    }

    fn parts(&self) -> Option<Parts> {
        limited::parts(self)
    }

    fn methods(&self) -> &'static [Native] {
        methods::METHODS
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["workers"]
    }

    fn attribute(&self, _: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok((name == "workers").then(|| Value::Int(self.pool.tasks.workers() as i64)))
    }

    fn join(&self, context: &mut dyn Context, timeout: Option<f64>) -> Option<Outcome> {
        Some(self.pool.join(context, timeout))
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.pool.trace(marker);
        self.retry.trace(marker);
        marker.value(self.base);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The collector found that nobody can use the pool any more.
        if self.owner != fork::pid() {
            return;
        }
        self.tell_failure();
        let gone: *const Pool = self;
        match self.heir() {
            Some(heir) => {
                let heir = Rc::new(heir);
                let tender: Rc<dyn Tender> = heir.clone();
                if open::keep(heir, gone).is_none() {
                    tenders::add(&tender);
                }
            }
            None => {
                self.kill(None);
                self.tell(Look::Running);
            }
        }
    }
}

/// `pool(workers, init:, max_tasks:, ...)`.
pub fn pool(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let workers = settings::workers(&args[0])?;
    let init = arguments::given(&args[1]).copied().unwrap_or(Value::Nil);
    if !matches!(init, Value::Nil) {
        arguments::callable("pool", "init", &init)?;
    }
    let limits = Limits {
        max_tasks: settings::count("pool", "max_tasks", &args[2], 1)?,
        retries: settings::count("pool", "retries", &args[3], 0)?.unwrap_or(0),
        timeout: settings::limit("pool", &args[4])?,
    };
    let mut care = Care::new("pool", [&args[5], &args[6], &args[7], &args[8]], &init)?;
    care.idle = settings::period("pool", "idle", &args[9])?;
    let tasks = Tasks::new(workers, limits)?;
    tasks.note_idle(care.idle.is_some());
    let mut holds = travel::holds(context, &[init, care.exit]);
    holds.push(tasks.id());
    let mut pool = Pool::new(tasks, fork::pid(), context.place());
    (pool.init, pool.holds, pool.seat) = (init, holds, context.seat());
    pool.care = care;
    let pool = Rc::new(pool);
    let handle = PoolHandle {
        pool: pool.clone(),
        limits,
        retry: Retry::never(),
        base: Value::Nil,
    };
    let value = Value::handle(context.heap(), Rc::new(handle));
    context.protect(value);
    open::note(context, &pool);
    pool.make_room(workers as usize);
    pool.look_after()?;
    stats::watch(&pool);
    let tender: Rc<dyn Tender> = pool;
    tenders::add(&tender);
    Ok(value)
}

/// The pool of a receiver.
pub fn receiver(method: &str, value: &Value) -> Outcome<Rc<Pool>> {
    Ok(with_limits(method, value)?.0)
}

/// The pool of a receiver, and what holds for the tasks that are handed in through it.
pub fn with_limits(method: &str, value: &Value) -> Outcome<(Rc<Pool>, Limits)> {
    match value.as_handle::<PoolHandle>() {
        Some(handle) => Ok((handle.pool.clone(), handle.limits)),
        None => Err(arguments::wrong(method, "self", "a pool", value)),
    }
}

impl Tender for Pool {
    fn is_due(&self) -> bool {
        if self.owner != fork::pid() || !self.seat.is_taken() {
            return false;
        }
        let crew = self.crew.borrow();
        let wanted = self.tasks.workers() as usize;
        self.may_tell()
            || crew.iter().flatten().any(Process::is_gone)
            || crew.iter().take(wanted).any(Option::is_none) && self.wants_workers()
    }

    fn tend(&self) {
        // What fails (the machine may have no room for another process now) is tried again.
        let _ = self.look_after();
        if self.may_tell() {
            self.tell(Look::Running);
        }
    }
}

impl Pool {
    /// The pool of some tasks as this process has it, without workers.
    fn new(tasks: Tasks, owner: i32, place: Option<Span>) -> Pool {
        Pool {
            tasks,
            owner,
            place,
            crew: RefCell::default(),
            tallies: RefCell::default(),
            init: Value::Nil,
            care: Care::default(),
            failed_exit: RefCell::default(),
            body: Value::Nil,
            construct: "pool",
            holds: Vec::new(),
            seat: Seat::default(),
            failed: RefCell::default(),
            hopeless: RefCell::default(),
            fruitless: Fruitless::default(),
            callbacks: Callbacks::default(),
            began: clock::now(),
            booked: Cell::default(),
            abandoned: false,
            kept: Kept::default(),
            telling: Telling::default(),
            lost_init: false,
        }
    }

    /// Marks the values that it holds: its future do that too, they may outlive its handle.
    pub fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.init);
        self.care.trace(marker);
        marker.value(self.body);
        self.callbacks.trace(marker);
    }

    /// Whether functions of the script wait for results of tasks: they are called in the waits of this process.
    pub fn has_callbacks(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// Has functions called in this process when a task is finished.
    pub fn add_callback(&self, future: Future, value: Value, error: Value) {
        self.callbacks.add(future, value, error);
    }

    /// The futures that it calls them for, some of many.
    pub fn callback_futures(&self, most: usize) -> Vec<Future> {
        self.callbacks.futures(most)
    }

    /// Whether the task of one is finished.
    pub fn are_callbacks_due(&self) -> bool {
        self.callbacks.are_due()
    }

    /// Calls those whose tasks are finished.
    pub fn run_due_callbacks(&self, context: &mut dyn Context) -> Outcome<()> {
        self.callbacks.run(context)
    }

    /// Waits until everything that `then` was given has been called; false when the deadline came first.
    pub fn run_callbacks(&self, context: &mut dyn Context, deadline: Option<u64>) -> Outcome<bool> {
        let none_left = || self.callbacks.is_empty().then_some(());
        Ok(self.wait_for(context, &[], deadline, none_left)?.is_some())
    }

    fn make_room(&self, workers: usize) {
        let mut crew = self.crew.borrow_mut();
        if crew.len() < workers {
            crew.resize(workers, None);
            self.tallies.borrow_mut().resize(workers, Tally::default());
        }
    }

    /// Waits until `ready` gives something, and calls the callbacks of futures that are finished meanwhile. `None` when the
    /// time-out came first. `awaited` begins with what this pool does not wake for.
    pub fn wait_for<T>(
        &self,
        context: &mut dyn Context,
        awaited: &[Awaited<'_>],
        deadline: Option<u64>,
        ready: impl Fn() -> Option<T>,
    ) -> Outcome<Option<T>> {
        let until = |spec: &mut WaitSpec<'_>| spec.deadline = deadline;
        self.wait_until(context, awaited, until, ready)
    }

    /// As [`Pool::wait_for`]; `None` when it is time to look at something else, which is no time-out.
    pub fn wait_or_look<T>(
        &self,
        context: &mut dyn Context,
        awaited: &[Awaited<'_>],
        look_again: Option<u64>,
        ready: impl Fn() -> Option<T>,
    ) -> Outcome<Option<T>> {
        let until = |spec: &mut WaitSpec<'_>| spec.look_again = look_again;
        self.wait_until(context, awaited, until, ready)
    }

    fn wait_until<T>(
        &self,
        context: &mut dyn Context,
        awaited: &[Awaited<'_>],
        until: impl Fn(&mut WaitSpec<'_>),
        ready: impl Fn() -> Option<T>,
    ) -> Outcome<Option<T>> {
        // The workers are looked after in the waiting place, as in every other wait; here an error of that is raised.
        let place = context.place();
        // What is held by nobody but the collector may be what others wait for: it looks once in each wait, and again when
        // callbacks may have left something.
        let mut leavings = true;
        let mut names_all = false;
        loop {
            let mut objects = vec![self.tasks.awaited(1)];
            objects.extend_from_slice(awaited);
            let room = NAMED_AT_FIRST.saturating_sub(objects.len());
            // One more tells that something is left out.
            let most = if names_all { usize::MAX } else { room + 1 };
            let callbacks = self.callback_futures(most);
            objects.extend(callbacks.iter().map(|future| future.awaited()));
            let names_some = !names_all && objects.len() > NAMED_AT_FIRST;
            let mut spec = WaitSpec::new(Operation::Pool, &objects, place);
            until(&mut spec);
            let end = spec.deadline.into_iter().chain(spec.look_again).min();
            if names_some {
                spec.objects = objects.get(..NAMED_AT_FIRST).unwrap_or(&objects);
                let soon = clock::deadline(NAME_ALL_AFTER);
                spec.deadline = Some(spec.deadline.map_or(soon, |end| end.min(soon)));
            }
            spec.watch = self.tasks.owner().filter(|_| self.owner != fork::pid());
            let news = willing::when(leavings, || wait::wait(&spec, || self.look(&ready)));
            let Some(news) = news.transpose()? else {
                leavings = false;
                super::super::willing::collect(context)?;
                continue;
            };
            self.raise_failure(context)?;
            match news {
                Some(News::Callback) => {
                    self.callbacks.run(context)?;
                    (leavings, names_all) = (true, false);
                }
                Some(News::Ready(value)) => return Ok(Some(value)),
                None if names_some && end.is_none_or(|end| clock::now() < end) => {
                    names_all = true;
                }
                Some(News::Over) | None => return Ok(None),
            }
        }
    }

    /// What a wait of this pool ends with, if it does now.
    fn look<T>(&self, ready: &impl Fn() -> Option<T>) -> Result<Option<News<T>>> {
        if self.callbacks.are_due() {
            return Ok(Some(News::Callback));
        }
        let is_over = self.failed.borrow().is_some();
        let news = match (ready(), is_over) {
            (None, false) => match self.tasks.check_owner() {
                Ok(()) => None,
                // What the pool was at has failed with its owner.
                Err(lost) => Some(ready().ok_or(lost)?),
            },
            (ready, _) => ready,
        };
        let news = news.map(News::Ready);
        Ok(news.or_else(|| is_over.then_some(News::Over)))
    }

    /// Waits until the pool has ended.
    pub fn join(&self, context: &mut dyn Context, timeout: Option<f64>) -> Outcome {
        if self.tasks.closing() == Closing::Open {
            let error = Error::new(
                codes::VALUE,
                "`join` of a pool needs a pool that is closed, but it takes tasks still",
            );
            return Err(error
                .with_help("call `close()` or `terminate()` first")
                .into());
        }
        match self.wait_for_end(context, timeout.map(clock::deadline))? {
            true => Ok(Value::Nil),
            false => Err(timed_out(Operation::Join, "the pool", timeout.unwrap_or(0.0)).into()),
        }
    }

    /// Waits until a pool that takes no more has ended; false when the deadline came first.
    fn wait_for_end(&self, context: &mut dyn Context, deadline: Option<u64>) -> Outcome<bool> {
        let ended = || {
            let gone = match self.owner == fork::pid() {
                true => self.crew.borrow().iter().flatten().count() == 0,
                // The crew of a copy is what it was when this process was forked.
                false => !(0..self.tasks.room()).any(|worker| self.tasks.has_worker(worker)),
            };
            (gone && self.tasks.outstanding() == 0 && !self.tasks.has_maps()).then_some(())
        };
        let has_ended = self.wait_for(context, &[], deadline, ended)?.is_some();
        if has_ended {
            self.book();
            self.hurry_telling(context);
            self.raise_failed_exit(context)?;
        }
        Ok(has_ended)
    }

    /// Ends the pool: tasks that run are cancelled, so that their `finally` and `defer` run, and their workers are killed when
    /// they have not ended within the grace. In a process that does not own it, its owner reaps them.
    pub fn terminate(&self, place: Option<Span>) -> Result<()> {
        self.tasks.close(Closing::Terminated);
        self.tasks.cancel_all(place);
        if self.owner != fork::pid() {
            return end_all(&self.tasks.crew(), place);
        }
        // A copy: while this waits, the pool is looked after.
        let crew = self.crew.borrow().clone();
        let ended = end_all(crew.iter().flatten(), place);
        self.kill(place);
        ended
    }

    /// Ends the pool without a grace. In a process that does not own it, its owner reaps the workers.
    pub fn end_at_once(&self, place: Option<Span>) {
        if self.owner == fork::pid() {
            return self.kill(place);
        }
        self.tasks.close(Closing::Terminated);
        self.tasks.cancel_all(place);
        for worker in self.tasks.crew() {
            worker.kill();
        }
    }

    /// Ends the pool at once, in its owner. The collector may do this, and whoever looks after the pool in the middle of a wait: what
    /// is raised there nobody would hear, so it does not wait as a script does.
    fn kill(&self, place: Option<Span>) {
        self.tasks.close(Closing::Terminated);
        self.tasks.cancel_all(place);
        let crew: Vec<_> = self
            .crew
            .borrow_mut()
            .iter_mut()
            .map(Option::take)
            .collect();
        for process in crew.iter().flatten() {
            process.kill();
        }
        for (worker, process) in crew.iter().enumerate() {
            if let Some(process) = process {
                process.bury();
                self.settle(worker);
            }
        }
        self.book();
    }

    /// Whether this process made the pool, and looks after its workers.
    pub fn is_mine(&self) -> bool {
        self.owner == fork::pid()
    }

    /// An error for what only the process that made the pool can do.
    pub fn check_is_mine(&self, method: &str) -> Result<()> {
        match self.is_mine() {
            true => Ok(()),
            false => Err(Error::new(
                codes::VALUE,
                format!("`{method}` is for the process that made the pool, but this is another"),
            )),
        }
    }

    /// Lets it have so many workers from now on.
    pub fn resize(&self, workers: u64) -> Outcome<()> {
        self.check_is_mine("resize")?;
        self.tasks.check_may_resize()?;
        let room = self.tasks.room();
        if workers > room {
            let message =
                format!("this pool can grow to {room} workers, but was to have {workers}");
            return Err(Error::new(codes::LIMIT, message)
                .with_help("make a pool of as many workers as it will ever need")
                .into());
        }
        self.make_room(workers as usize);
        self.tasks.resize(workers);
        Ok(self.look_after()?)
    }

    /// Whether a worker belongs to the pool now: it is among the wanted, or has not left yet.
    pub fn has_seat(&self, worker: usize) -> bool {
        let crew = self.crew.borrow();
        let process = crew.get(worker).and_then(Option::as_ref);
        worker < self.tasks.workers() as usize || process.is_some_and(|process| !process.is_gone())
    }

    /// Each worker's tally as it stands now.
    pub fn tallies(&self) -> Vec<Tally> {
        let tallies = self.tallies.borrow();
        (0..)
            .zip(tallies.iter())
            .map(|(worker, tally)| {
                let at = self.tasks.progress(worker);
                let since = at.item.map_or(0, |_| clock::now().saturating_sub(at.since));
                // Its life is looked at last: no part of it is longer.
                let mut tally = tally.at_present(at.ready);
                tally.note(&at);
                tally.busy += since;
                tally
            })
            .collect()
    }

    /// What the table at the end says of it; once only.
    pub fn account(&self) -> Option<Account> {
        let first = !self.booked.replace(true) && self.owner == fork::pid();
        first.then(|| Account::new(self.construct, self.place, self.began, &self.tallies()))
    }

    /// The pool has ended: its account is kept for the table at the end.
    fn book(&self) {
        if let Some(account) = self.account() {
            account.book();
        }
    }
}

//! A source that is read while its items are worked on, never more than a little ahead of the results: `imap` and
//! `imap_unordered`, which give the results as they come, and maps over lazy sources ([`collect`]), which gather them.
//!
//! Here is what is known of such a stream; `fill` reads the source, `part` is what was handed in and what comes of it, `keep` what the
//! journal of a map is told.

pub mod collect;
mod fill;
mod keep;
mod part;

use super::journal::read_ahead::{Journal, Kept};
use super::relay::{self, Relay};
use super::retry::Retry;
use super::settings;
use super::workers::methods::{function_of, retry_for};
use super::workers::shared::Shared;
use super::workers::task::Work;
use super::workers::{Pool, with_limits};
use crate::builtins::modules::random;
use crate::builtins::scarce::Scarce;
use crate::process::pool::owner::Limits;
use crate::process::pool::spool;
use crate::process::spawn;
use crate::process::tenders::{self, Tender};
use crate::source::Span;
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Args, Context, Fault, IterBox, NativeIter, Outcome};
use fill::{AHEAD, Draft};
use part::{Next, Part};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// `p.imap(function, items)`.
pub fn imap(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    stream(context, args, true)
}

/// `p.imap_unordered(function, items)`.
pub fn imap_unordered(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    stream(context, args, false)
}

fn stream(context: &mut dyn Context, args: Args<'_>, ordered: bool) -> Outcome {
    let method = if ordered { "imap" } else { "imap_unordered" };
    let (pool, limits) = with_limits(method, &args[0])?;
    function_of(method, args, Some(&args[2]))?;
    let chunk = settings::count(method, "chunk", &args[3], 1)?;
    let retries = settings::count(method, "retries", &args[6], 0)?.unwrap_or(limits.retries);
    let retry = retry_for(method, &args[0], retries, &args[7], &args[8])?;
    let open = pool.tasks.check_open().map_err(Fault::from);
    pool.told_why(context, open)?;
    let source = context.iterate(args[2])?;
    let plan = Plan {
        pool,
        owner: args[0],
        function: Some(retry.bind(context, args[1])),
        retry,
        work: Work::Map,
        chunk: Some(chunk.unwrap_or(1)),
        collect: settings::collect(method, &args[4])?,
        limits: Limits {
            timeout: settings::limit(method, &args[5])?.or(limits.timeout),
            retries,
            max_tasks: None,
        },
        method,
        ordered,
        gathers: false,
        relays: relay::is_ordered(method, &args[9])?,
    };
    let stream = Stream::new(context, plan, source);
    let iter = Value::Iter(IterBox::new(context.heap(), stream.clone()));
    context.protect(iter);
    // The workers begin at once, not only when somebody asks for the first result.
    // A source that would wait is waited for when somebody asks for a result.
    stream.starting.set(true);
    let filled = stream.fill(context);
    stream.starting.set(false);
    stream.plan.pool.told_why(context, filled)?;
    Ok(iter)
}

/// What a stream was told.
pub struct Plan {
    /// The pool that works on the items.
    pub pool: Rc<Pool>,
    /// The pool as a value, which keeps it alive; nil for a pool of this stream alone.
    pub owner: Value,
    /// The function that travels with the items; `None` where the workers have it.
    pub function: Option<Value>,
    /// On which terms an item is tried again. The function is bound to them.
    pub retry: Retry,
    /// One call with each item, or with what it holds.
    pub work: Work,
    /// Items of one hand-out; `None` adapts it.
    pub chunk: Option<u64>,
    /// Errors come back as values.
    pub collect: bool,
    /// Seconds that one item may take, and how often it is tried again.
    pub limits: Limits,
    /// The construct as reports name it.
    pub method: &'static str,
    /// Results stand in the order of the items.
    pub ordered: bool,
    /// All results are wanted at once: the first error that is found ends the stream, wherever its item stands.
    pub gathers: bool,
    /// What items print is told in their order.
    pub relays: bool,
}

/// A source that is being worked on.
pub struct Stream {
    plan: Plan,
    source: Rc<dyn NativeIter>,
    /// Itself: it looks after what it has read wherever this process waits.
    me: Weak<Stream>,
    /// The number from which the random streams of the items follow.
    stream: u64,
    place: Option<Span>,
    /// Tasks and busy time of the pool when it began.
    before: (u64, u64),
    drained: Cell<bool>,
    /// Who made it: with a process that was forked since, two have it, and neither may take results away from the other.
    made_by: (i32, u64),
    /// It is being made: nothing is waited for.
    starting: Cell<bool>,
    /// The source is being asked.
    asked: Cell<bool>,
    /// The end of a hand-out wakes this process.
    wakes: Cell<bool>,
    /// Its function, once something was handed in.
    function: RefCell<Option<Rc<Shared>>>,
    /// What was printed and is not told yet, where that happens in the order of the items.
    relay: Option<RefCell<Relay>>,
    /// The files that it keeps open.
    _scarce: Option<Scarce>,
    /// What ended the reading of items: raised behind the results of those that were read before.
    broken: RefCell<Option<Fault>>,
    /// Items read so far.
    read: Cell<u64>,
    /// What was read and not handed in yet.
    draft: RefCell<Option<Draft>>,
    /// Hand-outs that were not delivered yet.
    running: RefCell<VecDeque<Part>>,
    /// Where its results are kept for the next run.
    journal: RefCell<Option<Journal>>,
    /// Results of an earlier run, with the indexes of their items, that were not delivered yet.
    kept: RefCell<VecDeque<(u64, Kept)>>,
    /// When what is at work is to be looked through for the journal.
    keep_at: Cell<u64>,
    /// Results of a hand-out that were not delivered yet.
    ready: RefCell<VecDeque<Result<Value, Value>>>,
}

impl Stream {
    fn new(context: &mut dyn Context, plan: Plan, source: Rc<dyn NativeIter>) -> Rc<Stream> {
        let stream = random::draw(context);
        let place = context.place();
        let spools = plan.pool.tasks.workers() as usize * AHEAD;
        let scarce = plan
            .relays
            .then(|| Scarce::new(context.heap(), spools * spool::FILES));
        let stream = Rc::new_cyclic(|me| Stream {
            before: plan.pool.work_done(),
            relay: plan.relays.then(RefCell::default),
            _scarce: scarce,
            plan,
            source,
            me: me.clone(),
            stream,
            place,
            drained: Cell::new(false),
            made_by: spawn::family(),
            starting: Cell::new(false),
            asked: Cell::new(false),
            wakes: Cell::new(false),
            function: RefCell::default(),
            broken: RefCell::default(),
            read: Cell::new(0),
            draft: RefCell::default(),
            running: RefCell::default(),
            journal: RefCell::default(),
            kept: RefCell::default(),
            keep_at: Cell::new(0),
            ready: RefCell::default(),
        });
        let tender: Rc<dyn Tender> = stream.clone();
        tenders::add(&tender);
        stream
    }
}

impl Stream {
    /// The next result. What is kept alive meanwhile is so until the caller lets go of it.
    fn advance(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        loop {
            let result = self.ready.borrow_mut().pop_front();
            if let Some(result) = result {
                return result.map(Some).map_err(Fault::Thrown);
            }
            // What has come is not kept back by a source that waits.
            if let Err(fault) = self.fill(context) {
                self.put_off(fault)?;
            }
            let part = match self.next_finished(context)? {
                Next::Over(part) => part,
                Next::Again => continue,
                Next::Nothing => {
                    self.relay_late(context)?;
                    let broken = self.broken.borrow_mut().take();
                    let told = broken.map_or(Ok(None), Err);
                    return self.plan.pool.told_why(context, told);
                }
            };
            // The next one goes out before the results are looked at, so that no worker waits for the reader.
            if self.source.is_at_hand()
                && let Err(fault) = self.fill(context)
            {
                self.put_off(fault)?;
            }
            self.relay(context)?;
            let results = self.results(context, &part)?;
            // A callback that asked this stream meanwhile may have left some.
            self.ready.borrow_mut().extend(results);
        }
    }
}

impl NativeIter for Stream {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        // One built-in may go through all of it: nothing of an item outlives the step that gives its result.
        let protected = context.protected();
        let next = self.advance(context);
        context.release(protected);
        next
    }

    fn close(&self) {
        self.close_spools();
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.plan.owner);
        marker.value(self.plan.function.unwrap_or(Value::Nil));
        self.source.trace(marker);
        self.plan.pool.trace(marker);
        for part in self.running.borrow().iter() {
            part.items.iter().for_each(|&item| marker.value(item));
        }
        if let Some(draft) = &*self.draft.borrow() {
            draft.items.iter().for_each(|&item| marker.value(item));
        }
        if let Some(Fault::Thrown(error)) = &*self.broken.borrow() {
            marker.value(*error);
        }
        for result in self.ready.borrow().iter() {
            marker.value(match result {
                Ok(value) | Err(value) => *value,
            });
        }
    }
}

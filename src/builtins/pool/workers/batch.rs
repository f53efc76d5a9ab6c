//! A map over the workers of a pool: ranges of items are handed in a few at a time, each as long as fits what is left, and
//! every item's result goes into a job, so that after a worker's death only the item that it was at is in question.

use super::super::future::{self, FutureHandle};
use super::super::journal::Journal;
use super::super::map::results_of;
use super::super::relay::Relay;
use super::super::retry::Retry;
use super::shared::Shared;
use super::task::{PART_TIME, Work, blame_function};
use super::{Pool, with_news};
use crate::builtins::progress::{Bar, Progress};
use crate::builtins::{modules::random, travel};
use crate::os::clock;
use crate::process::pool::future::{Future, State};
use crate::process::pool::job::{Job, Produced};
use crate::process::pool::owner::Limits;
use crate::process::pool::spool::Spool;
use crate::process::wait::Awaited;
use crate::source::Span;
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Context, Fault, Outcome};
use std::ops::Range;
use std::rc::Rc;

/// What a map over a pool was told.
pub struct Wishes {
    /// Items of one hand-out; `None` adapts it.
    pub chunk: Option<u64>,
    /// Errors come back as values.
    pub collect: bool,
    /// Results stand in the order of the items.
    pub ordered: bool,
    /// Seconds that one item may take.
    pub limit: Option<f64>,
    /// On which terms an item is tried again.
    pub retry: Retry,
    /// A bar on the terminal.
    pub progress: Progress,
    /// The file in which results are kept for the next run.
    pub journal: Option<String>,
    /// What items print is told in their order.
    pub relays: bool,
}

/// Items that were handed in together.
struct Given {
    future: FutureHandle,
    range: Range<u64>,
    /// Where they print to.
    spool: Option<Spool>,
}

/// A map over a pool that runs.
struct Batch {
    pool: Rc<Pool>,
    job: Job,
    function: Rc<Shared>,
    items: Gc<List>,
    work: Work,
    wishes: Wishes,
    stream: u64,
    place: Option<Span>,
    /// The first item that was not handed in yet.
    next: u64,
    /// Ranges that came back from workers that died.
    again: Vec<Range<u64>>,
    running: Vec<Given>,
    /// Items that are finished, as far as hand-outs are over.
    done: u64,
    began: u64,
    /// Items after which a worker is replaced: no hand-out is longer.
    max_tasks: Option<u64>,
    bar: Option<Bar>,
    journal: Option<Journal>,
    /// What was printed and is not told yet, where that happens in the order of the items.
    relay: Option<Relay>,
}

/// Ranges that are handed in for each worker: the one that it is at, and one to begin with at once.
const AHEAD: usize = 2;

/// The results of a function for all items.
pub fn map(
    context: &mut dyn Context,
    pool: Rc<Pool>,
    method: &'static str,
    function: Value,
    items: Gc<List>,
    work: Work,
    wishes: Wishes,
) -> Outcome {
    let total = items.len() as u64;
    if total == 0 {
        return Ok(Value::list(context.heap(), Vec::new()));
    }
    context.protect(Value::List(items));
    let job = Job::new(total, 0, wishes.ordered, wishes.collect)?;
    let stream = random::draw(context);
    let journal = match &wishes.journal {
        Some(path) => Some(Journal::of_map(
            context, method, path, &job, function, items, stream,
        )?),
        None => None,
    };
    let kept_before = journal.as_ref().map_or(0, |_| job.finished());
    let function = wishes.retry.bind(context, function);
    let function = pool.share(context, function).map_err(blame_function)?;
    let mut batch = Batch {
        job,
        stream,
        journal,
        place: context.place(),
        bar: Bar::new(wishes.progress, Some(total)),
        max_tasks: pool.tasks.limits().max_tasks,
        relay: wishes.relays.then(Relay::default),
        pool,
        function,
        items,
        work,
        wishes,
        next: 0,
        again: Vec::new(),
        running: Vec::new(),
        done: kept_before,
        began: clock::now(),
    };
    if let Some(bar) = batch.bar.as_ref().filter(|_| kept_before > 0) {
        bar.begin_at(kept_before);
    }
    let begun = batch.pool.tasks.begin_map().map_err(Fault::from);
    let begun = batch.pool.told_why(context, begun)?;
    let outcome = batch.run(context);
    let ended = batch.give_up();
    batch.pool.tasks.end_map(begun);
    let kept = batch.keep(true);
    let told = batch.relay_rest(context, &outcome);
    let outcome = batch.pool.told_why(context, outcome);
    with_news(outcome, ended)?;
    kept?;
    told?;
    let item = |item: u64| batch.items.get(item as usize).unwrap_or(Value::Nil);
    let collect = batch.wishes.collect;
    results_of(context, &batch.job, batch.place, collect, method, item)
}

impl Batch {
    fn run(&mut self, context: &mut dyn Context) -> Outcome<()> {
        loop {
            self.fill(context)?;
            if self.running.is_empty() || self.has_failed() {
                return Ok(());
            }
            self.wait(context)?;
            let (over, running) = std::mem::take(&mut self.running)
                .into_iter()
                .partition(|given| given.future.future.state().is_final());
            self.running = running;
            let is_late = over.is_empty();
            for given in over {
                let items = given.range.clone();
                self.take_prints(given.spool, &given.future, &given.range)?;
                self.look_after(context, &given.future, given.range)?;
                // An item whose worker died too often is finished as well.
                self.done += items.filter(|&item| self.job.is_finished(item)).count() as u64;
            }
            self.keep(false)?;
            self.relay(context, is_late)?;
            if let Some(bar) = &self.bar {
                bar.at(self.done, self.job.failures(), self.workers());
            }
        }
    }

    /// What the items of a hand-out that is over have printed.
    fn take_prints(
        &mut self,
        spool: Option<Spool>,
        future: &FutureHandle,
        range: &Range<u64>,
    ) -> Outcome<()> {
        if let (Some(relay), Some(spool)) = (&mut self.relay, spool) {
            relay.take_last(spool, &future.future, range.start)?;
        }
        Ok(())
    }

    /// Tells what the items have printed that are finished, up to the first that is not; `looks_inside`: also of hand-outs that are not over.
    fn relay(&mut self, context: &mut dyn Context, looks_inside: bool) -> Outcome<()> {
        let Some(relay) = &mut self.relay else {
            return Ok(());
        };
        let mut at_work = Vec::new();
        for given in &mut self.running {
            let Range { start, end } = given.range;
            let Some(spool) = given.spool.as_mut().filter(|_| looks_inside) else {
                at_work.push(start);
                continue;
            };
            // Before the marks are looked at, which are written before an item is finished.
            at_work.push(self.job.first_unfinished(start).min(end));
            relay.take(spool)?;
        }
        let back = self.again.iter().map(|range| range.start);
        let end = at_work.into_iter().chain(back).min().unwrap_or(self.next);
        match end.checked_sub(1) {
            Some(last) => relay.print(context, last),
            None => Ok(()),
        }
    }

    /// When the map is over: tells the rest, also of what is at work still.
    fn relay_rest(&mut self, context: &mut dyn Context, outcome: &Outcome<()>) -> Outcome<()> {
        for given in std::mem::take(&mut self.running) {
            self.take_prints(given.spool, &given.future, &given.range)?;
        }
        match &mut self.relay {
            Some(relay) => {
                relay.ends_by(outcome);
                relay.take_late()?;
                relay.print(context, u64::MAX)
            }
            None => Ok(()),
        }
    }

    /// For each worker the item that it is at, and for how many seconds its hand-out has kept it.
    fn workers(&self) -> impl Iterator<Item = Option<(u64, f64)>> {
        let tasks = &self.pool.tasks;
        (0..tasks.workers()).map(|worker| {
            let (task, at) = (tasks.current(worker)?, tasks.progress(worker));
            let mut running = self.running.iter();
            let given = running.find(|given| given.future.future.id() == task)?;
            let seconds = clock::now().saturating_sub(at.since) as f64 / 1e9;
            Some((given.range.start + at.item?, seconds))
        })
    }

    /// Writes down what is finished, where there is a journal; at the end it goes to the disk.
    fn keep(&mut self, at_end: bool) -> Outcome<()> {
        if let Some(journal) = &mut self.journal {
            journal.sweep(&self.job, self.next)?;
            if at_end {
                journal.sync(true)?;
            }
        }
        Ok(())
    }

    fn has_failed(&self) -> bool {
        !self.wishes.collect && self.job.failed().is_some()
    }

    /// Hands in as much as is to wait for the workers.
    fn fill(&mut self, context: &mut dyn Context) -> Outcome<()> {
        let most = self.pool.tasks.workers() as usize * AHEAD;
        while self.running.len() < most && !self.job.stopped() {
            let Some(range) = self.next_range() else {
                return Ok(());
            };
            let indices = range.clone().map(|item| item as usize);
            let values = indices.filter_map(|item| self.items.get(item)).collect();
            let limits = Limits::default();
            let mut task = self.pool.task(self.work, Value::Nil, values, limits);
            task.shared = Some(self.function.clone());
            task.stream = self.stream;
            task.first = range.start;
            task.limit = self.wishes.limit;
            // What is tried again is decided item by item, here: the task has no retries of its own.
            task.job = Some(self.job.clone());
            task.collect = self.wishes.collect;
            task.lasting = self.journal.is_some();
            task.divides = self.wishes.chunk.is_none();
            let spool = self.relay.as_mut().map(Relay::spool).transpose()?;
            task.spool = spool.as_ref().map(Spool::address);
            let future = self.pool.hand_in(context, task)?;
            self.running.push(Given {
                future,
                range,
                spool,
            });
        }
        Ok(())
    }

    /// The next items to hand in: what came back from the dead first.
    fn next_range(&mut self) -> Option<Range<u64>> {
        if let Some(range) = self.again.pop() {
            return Some(range);
        }
        if self.journal.is_some() {
            // What an earlier run has done is passed over.
            self.next = self.job.first_unfinished(self.next);
        }
        let left = self.job.total() - self.next;
        if left == 0 {
            return None;
        }
        let length = self.wishes.chunk.unwrap_or_else(|| self.fitting(left));
        let length = self.max_tasks.map_or(length, |most| length.min(most));
        let start = self.next;
        let mut end = start + length.clamp(1, left);
        if self.journal.is_some() {
            let done = (start..end).find(|&item| self.job.is_finished(item));
            end = done.unwrap_or(end);
        }
        self.next = end;
        Some(start..end)
    }

    /// A quarter of a fair share of what is left, and no more than keeps a worker for a short time.
    fn fitting(&self, left: u64) -> u64 {
        let workers = self.pool.tasks.workers().max(1);
        let fair = left / (workers * 4);
        let done = self.next
            - self
                .running
                .iter()
                .map(|given| given.range.end - given.range.start)
                .sum::<u64>();
        // One item at a time until something is known; a time limit is told apart best for single items.
        if done == 0 || self.wishes.limit.is_some() {
            return 1;
        }
        let each = clock::now().saturating_sub(self.began) * workers / done;
        fair.min(PART_TIME / each.max(1)).max(1)
    }

    fn wait(&self, context: &mut dyn Context) -> Outcome<()> {
        let awaited: Vec<Awaited<'_>> = self
            .running
            .iter()
            .map(|given| given.future.future.awaited())
            .collect();
        // Of a long hand-out what is finished is written down and told item by item, though it only tells of its end.
        let look = match self.journal.is_some() || self.relay.is_some() {
            true => Some(clock::deadline(0.05)),
            false => self.bar.is_some().then(|| clock::deadline(0.1)),
        };
        let over = || {
            let any = self
                .running
                .iter()
                .any(|given| given.future.future.state().is_final());
            any.then_some(())
        };
        self.pool.wait_or_look(context, &awaited, look, over)?;
        Ok(())
    }

    /// Looks what became of a range that is over.
    fn look_after(
        &mut self,
        context: &mut dyn Context,
        future: &FutureHandle,
        range: Range<u64>,
    ) -> Outcome<()> {
        match future.future.state() {
            State::Value => {
                self.share_out(range);
                return Ok(());
            }
            State::Died => self.pool.tasks.check_owner()?,
            // The task as such could not be done, or the pool was terminated.
            _ => return future.result(context, None).map(|_| ()),
        }
        let at = range.start + future.future.died_at();
        if range.contains(&at) && !self.job.is_finished(at) {
            let tries = self.job.note_try(at);
            let error = future::death(&future.future, "an item", tries);
            let error = ErrorValue::new(context.heap(), error, Vec::new(), Value::Nil);
            context.protect(Value::Error(error));
            let retry = self.wishes.retry;
            if tries > retry.count || !retry.is_worth_while(context, Value::Error(error))? {
                self.fail(context, Value::Error(error), at)?;
            }
        }
        // What is left, in pieces without the items that are finished.
        let mut start = None;
        for item in range.start..=range.end {
            let open = item < range.end && !self.job.is_finished(item);
            match (open, start) {
                (true, None) => start = Some(item),
                (false, Some(from)) => {
                    self.again.push(from..item);
                    start = None;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a worker has left to others goes to all of them.
    fn share_out(&mut self, range: Range<u64>) {
        let start = self.job.first_unfinished(range.start);
        if start >= range.end || self.job.stopped() {
            return;
        }
        let workers = self.pool.tasks.workers().max(1);
        let size = (range.end - start).div_ceil(workers) as usize;
        let pieces = (start..range.end).step_by(size);
        let pieces = pieces.map(|from| from..range.end.min(from + size as u64));
        // The last of the list is handed in first.
        let from = self.again.len();
        self.again.extend(pieces);
        if let Some(new) = self.again.get_mut(from..) {
            new.reverse();
        }
    }

    /// Stores the error of an item whose worker died too often.
    fn fail(&self, context: &mut dyn Context, error: Value, item: u64) -> Outcome<()> {
        let message = travel::pack(context, error)?;
        self.job
            .finish(item, Produced::Error(&message.bytes), &message.handles)?;
        if !self.wishes.collect {
            self.job.stop();
        }
        Ok(())
    }

    /// However the map ends: nothing more of it is begun, and what is at work is ended.
    fn give_up(&self) -> Outcome<()> {
        self.job.stop();
        if self.running.is_empty() {
            return Ok(());
        }
        let running = self.running.iter();
        let futures: Vec<Future> = running.map(|given| given.future.future.clone()).collect();
        Ok(self.pool.end_hand_outs(&futures, self.place)?)
    }
}

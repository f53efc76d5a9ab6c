//! `pool map`: workers are forked at the call, inherit the items and what the body captures, and claim ranges of items.
//! The calling process looks after them: it replaces the dead and gathers the results.
//!
//! Here is the calling process; `worker` is what runs in a worker, `results` what the caller gets. `reading` is the map over a source that
//! has to be read while its items are worked on; `relaying` tells what items print in their order.

mod reading;
mod relaying;
mod results;
mod worker;

use super::super::lazy::{self, Pairs};
use super::super::progress::Bar;
use super::super::{arguments, gather, options::Options, spawn, travel};
use super::death::{Death, Fruitless, never_ready};
use super::journal::Journal;
use super::settings::Settings;
use super::stats::{Account, Tally};
use super::{budget, item};
use crate::arena::HandleId;
use crate::builtins::modules::random;
use crate::constructs::POOL_MAP;
use crate::diag::Error;
use crate::os::{clock, limit};
use crate::process::pool::desk::LEAVING;
use crate::process::pool::job::{Job, Produced};
use crate::process::wait::{self, Operation, WaitSpec};
use crate::process::{Ended, Process, SpawnSpec, spawn as nouns, willing};
use crate::source::Span;
use crate::value::Value;
use crate::value::error::ErrorValue;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Args, Context, Fault, NativeIter, Outcome};
use relaying::Relaying;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

pub use results::{error_of_item, results_of, value_of};

/// The block form.
pub fn block(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("pool map", &args[0])?;
    let values = POOL_MAP.map(|name| options.get(name).unwrap_or(Value::Undef));
    let settings = Settings::new(&values)?;
    let items = match args[3].truthy() {
        true => pairs(context, args[1])?,
        false => args[1],
    };
    run(context, args[2], items, settings)
}

/// What `k, v in items` goes over: the items as pairs.
fn pairs(context: &mut dyn Context, items: Value) -> Outcome {
    if matches!(items, Value::List(_)) {
        return Ok(items);
    }
    let source = context.iterate(items)?;
    let map = match items {
        Value::Map(map) => Some(map),
        _ => None,
    };
    let pairs = lazy::value(context, Pairs { source, map });
    context.protect(pairs);
    Ok(pairs)
}

/// The call form.
pub fn call(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    arguments::callable("pool map", "function", &args[0])?;
    run(
        context,
        args[0],
        args[1],
        Settings::new(args.get(2..).unwrap_or(&[]))?,
    )
}

/// The source of a map that is not to be gathered first, because it may wait, call the script, or have no end: `None` where all
/// items are at hand.
pub fn lazy_source(context: &mut dyn Context, items: Value) -> Outcome<Option<Rc<dyn NativeIter>>> {
    if matches!(items, Value::List(_)) {
        return Ok(None);
    }
    let source = context.iterate(items)?;
    Ok(Some(source).filter(|source| !source.is_at_hand()))
}

/// All items of an iterable, as a list that stays alive; of a list itself a copy when the script may change it meanwhile.
pub fn gather(context: &mut dyn Context, items: Value, may_change: bool) -> Outcome<Gc<List>> {
    if let Value::List(list) = items
        && !may_change
    {
        return Ok(list);
    }
    gather::check_end("pool map", &items)?;
    gather::collect(context, "pool map", items)
}

fn run(context: &mut dyn Context, function: Value, items: Value, settings: Settings) -> Outcome {
    if let Some(source) = lazy_source(context, items)? {
        return reading::run(context, function, source, &settings);
    }
    // While the map runs nothing else of the script runs in this process.
    let items = gather(context, items, settings.retry.asks_script())?;
    context.protect(Value::List(items));
    context.protect(function);
    settings.retry.protect(context);
    let total = items.len() as u64;
    if total == 0 {
        return Ok(Value::list(context.heap(), Vec::new()));
    }
    let workers = settings.workers.min(total);
    let job = Job::new(total, workers, settings.ordered, settings.collect)?;
    if settings.ordered && !settings.collect && item::may_break(function) {
        job.await_breaks();
    }
    let stream = random::draw(context);
    let journal = match &settings.journal {
        Some(path) => Some(Journal::of_map(
            context, "map", path, &job, function, items, stream,
        )?),
        None => None,
    };
    let mut holds = travel::holds(context, &[function, Value::List(items), settings.init]);
    holds.push(job.id());
    let mut map = Map {
        job,
        function,
        items,
        holds,
        stream,
        place: context.place(),
        crew: Vec::new(),
        given: HashMap::new(),
        finished: Cell::new(0),
        collected_at: Cell::new(None),
        deaths: false,
        failed_exit: None,
        fruitless: Fruitless::default(),
        tallies: vec![Tally::default(); workers as usize],
        bar: Bar::new(settings.progress, Some(total)),
        relaying: settings.relays.then(Relaying::default),
        settings,
        journal,
    };
    let began = clock::now();
    let outcome = map.work(context, workers);
    // Before the workers are ended, which makes something of the items that they are at.
    let kept_back = map.items_at_break();
    let broken_at = map.job.broken_at().filter(|_| map.settings.ordered);
    let ended = map.dismiss(outcome.is_ok() && kept_back.is_none());
    let kept = map.keep(true);
    let told = map.relay_rest(context, broken_at, &outcome);
    Account::new("pool map", map.place, began, &map.tallies).book();
    super::workers::with_news(outcome, ended)?;
    kept?;
    told?;
    map.raise_failed_exit(context)?;
    map.results(context, kept_back)
}

/// A map that runs, as its calling process sees it.
struct Map {
    job: Job,
    /// How many items were finished when the collector was asked for last.
    collected_at: Cell<Option<u64>>,
    function: Value,
    items: Gc<List>,
    /// What every worker holds: the handles in what it inherits.
    holds: Vec<HandleId>,
    /// The number from which the random streams of the items follow.
    stream: u64,
    settings: Settings,
    place: Option<Span>,
    /// The workers by number; `None` where one has ended and was not replaced.
    crew: Vec<Option<Process>>,
    /// Items that a worker was given by hand, because another died at or before them.
    given: HashMap<u64, Vec<u64>>,
    /// All items before this one are finished.
    finished: Cell<u64>,
    /// A worker has died: what the workers count is not all any more.
    deaths: bool,
    /// A worker whose `exit` failed.
    failed_exit: Option<(Process, Ended)>,
    /// Workers in a row that ended before they had begun anything.
    fruitless: Fruitless,
    /// What is known of each worker's time.
    tallies: Vec<Tally>,
    bar: Option<Bar>,
    journal: Option<Journal>,
    /// Where what items print is told in their order.
    relaying: Option<Relaying>,
}

impl Map {
    fn work(&mut self, context: &mut dyn Context, workers: u64) -> Outcome<()> {
        if let Some(bar) = self.bar.as_ref().filter(|_| self.journal.is_some()) {
            bar.begin_at(self.job.finished());
        }
        if self.job.first_unfinished(0) == self.job.total() {
            // All that a journal had kept.
            return Ok(());
        }
        if self.journal.is_some() || self.relaying.is_some() {
            self.job.follow();
        }
        for worker in 0..workers {
            self.crew.push(None);
            match self.hire(context, worker, Vec::new()) {
                // The system gives no more: those that there are do it.
                Err(Fault::Error(error)) if worker > 0 && super::workers::is_refusal(&error) => {}
                hired => hired?,
            }
        }
        loop {
            self.wait_for_news(context)?;
            for worker in 0..workers {
                self.look_after(context, worker)?;
            }
            self.draw();
            self.keep(false)?;
            self.relay(context)?;
            if self.has_failed() {
                self.job.stop();
                return Ok(());
            }
            if self.is_finished() {
                return Ok(());
            }
        }
    }

    /// Writes down what is finished, where there is a journal; at the end it goes to the disk.
    fn keep(&mut self, at_end: bool) -> Outcome<()> {
        if let Some(journal) = &mut self.journal {
            journal.sweep(&self.job, self.job.handed_out())?;
            if at_end {
                journal.sync(true)?;
            }
        }
        Ok(())
    }

    /// Whether an error ends the map.
    fn has_failed(&self) -> bool {
        !self.settings.collect
            && !self.job.awaits_breaks()
            && self.job.failed().is_some()
            && self.job.broken_at().is_none()
    }

    /// Whether every item is finished, or as many as are wanted after a `break`.
    fn is_finished(&self) -> bool {
        if self.job.broken_at().is_some() {
            return self.job.is_broken_off(self.finished.get());
        }
        if !self.deaths {
            return self.job.done() >= self.job.total();
        }
        self.finished
            .set(self.job.first_unfinished(self.finished.get()));
        self.finished.get() >= self.job.total()
    }

    /// Brings the bar up to date.
    fn draw(&self) {
        let Some(bar) = &self.bar else {
            return;
        };
        let done = match self.deaths {
            true => self.job.finished(),
            false => self.job.done(),
        };
        let now = clock::now();
        let workers = (0..).zip(&self.crew).map(|(worker, process)| {
            let at = self.job.progress(worker);
            let seconds = now.saturating_sub(at.since.max(at.ready)) as f64 / 1e9;
            let item = at.item.filter(|&item| item != LEAVING);
            process.as_ref().and(item).map(|item| (item, seconds))
        });
        bar.at(done, self.job.failures(), workers);
    }

    /// Forks a worker, which begins with the given items.
    fn hire(&mut self, context: &mut dyn Context, worker: u64, first: Vec<u64>) -> Outcome<()> {
        let spec = SpawnSpec {
            name: Some(budget::worker_name(worker)),
            daemon: true,
            worker: true,
            place: self.place,
            ..SpawnSpec::default()
        };
        if let Some(relaying) = &mut self.relaying {
            relaying.make_room(worker)?;
        }
        let process = nouns::prepare(&spec)?;
        let began = clock::now();
        process.start(&self.holds, || self.worker(context, worker, &first))?;
        if let Some(tally) = self.tallies.get_mut(worker as usize) {
            tally.hire(began);
        }
        self.given.insert(worker, first);
        if let Some(place) = self.crew.get_mut(worker as usize) {
            *place = Some(process);
        }
        Ok(())
    }

    /// Sleeps until something happened that this process must look at.
    fn wait_for_news(&self, context: &mut dyn Context) -> Outcome<()> {
        let crew: Vec<&Process> = self.crew.iter().flatten().collect();
        // The job alone: its workers hold it, and the end of one wakes its parent wherever it waits.
        let awaited = [self.job.awaited()];
        let mut spec = WaitSpec::new(Operation::Pool, &awaited, self.place);
        spec.look_again = self.next_look();
        let news = || {
            let mut journals = self.journal.iter();
            let over = self.has_failed()
                || self.is_finished()
                || journals.any(|journal| journal.is_behind(&self.job))
                || self.is_relay_behind();
            Ok((over || crew.iter().any(|process| process.ended().is_some())).then_some(()))
        };
        // The collector looks once for each item that is finished, or it would be asked for ever.
        let done = Some(self.job.done());
        let leavings = self.collected_at.get() != done;
        match willing::when(leavings, || wait::wait(&spec, news)) {
            Some(waited) => waited.map(|_| ())?,
            None => {
                self.collected_at.set(done);
                super::super::willing::collect(context)?;
            }
        }
        Ok(())
    }

    /// When the bar wants to be drawn, or the journal to be looked at.
    fn next_look(&self) -> Option<u64> {
        let bar = self.bar.is_some().then(|| clock::deadline(0.1));
        // A long claim is written down item by item, though it only tells of its end.
        let looks = self.journal.is_some() || self.relaying.is_some();
        let journal = looks.then(|| clock::deadline(0.05));
        bar.into_iter().chain(journal).min()
    }

    /// When a worker has ended: gives back what it had, and puts another in its place.
    fn look_after(&mut self, context: &mut dyn Context, worker: u64) -> Outcome<()> {
        let Some(Some(process)) = self.crew.get(worker as usize) else {
            return Ok(());
        };
        let Some(ended) = process.ended() else {
            return Ok(());
        };
        let process = process.clone();
        process.wait(None, self.place)?;
        if let Some(place) = self.crew.get_mut(worker as usize) {
            *place = None;
        }
        self.settle(worker);
        self.check_end(context, worker, &process, &ended)?;
        let progress = self.job.progress(worker);
        let left = self.note_failed_exit(worker, process.clone(), ended.clone());
        let idly = progress.ready == 0 || progress.item.is_none();
        let idly = idly && !left;
        if self.fruitless.count(idly, self.job.done(), &ended) {
            return Err(never_ready(self.fruitless.deaths(), &process, &ended).into());
        }
        let item = progress.item;
        let live: Vec<u64> = (0..self.crew.len() as u64)
            .filter(|&other| self.crew.get(other as usize).is_some_and(Option::is_some))
            .collect();
        // One that was told to end between two items has left in order, but not worked off what it had.
        let died = !left;
        self.deaths |= died || self.job.has_claim(worker);
        if self.deaths {
            self.job.follow();
        }
        self.mark_last_prints(worker, item)?;
        let mut lost = self.left_behind(worker, &live);
        if let Some(item) = item.filter(|item| died && lost.contains(item)) {
            self.died_at(context, worker, &process, &ended, item)?;
            lost.retain(|&other| other != item);
            self.job.give_back_left(worker, &mut lost);
            lost.extend(Some(item).filter(|&item| !self.job.is_finished(item)));
            lost.sort_unstable();
        }
        let work_left =
            !lost.is_empty() || self.job.has_returned() || self.job.handed_out() < self.job.total();
        let is_over = self.job.stopped() && lost.is_empty() && !self.job.has_returned();
        if work_left && !is_over && !self.has_failed() {
            self.hire(context, worker, lost)?;
        }
        Ok(())
    }

    /// A worker died at an item: that is tried again, or has failed.
    fn died_at(
        &self,
        context: &mut dyn Context,
        worker: u64,
        process: &Process,
        ended: &Ended,
        item: u64,
    ) -> Outcome<()> {
        let tries = self.job.note_try(item);
        let error = self.death(worker, process, ended, tries);
        let error = ErrorValue::new(context.heap(), error, Vec::new(), Value::Nil);
        context.protect(Value::Error(error));
        let retry = self.settings.retry;
        match tries > retry.count || !retry.is_worth_while(context, Value::Error(error))? {
            true => self.fail(context, item, Value::Error(error)),
            false => Ok(()),
        }
    }

    /// What a worker that has ended leaves behind, to be begun anew; its record is made empty.
    fn left_behind(&mut self, worker: u64, live: &[u64]) -> Vec<u64> {
        self.job.bury(worker);
        self.given.remove(&worker);
        if !self.deaths {
            return Vec::new();
        }
        self.finished
            .set(self.job.first_unfinished(self.finished.get()));
        let mut left = self.job.left_behind(self.finished.get(), live);
        let given: HashSet<u64> = self.given.values().flatten().copied().collect();
        left.retain(|&item| !self.job.is_over_at(item) && !given.contains(&item));
        left
    }

    /// Raises what a worker has raised outside of any item: its `init` or its `exit` failed or took too long, or a result could
    /// not be stored. That is the map's failure.
    fn check_end(
        &self,
        context: &mut dyn Context,
        worker: u64,
        process: &Process,
        ended: &Ended,
    ) -> Outcome<()> {
        if let Ended::Raised(message) = ended {
            let fault = spawn::value_of(context, process, Ended::Raised(message.clone()));
            return fault.map(|_| ());
        }
        let progress = self.job.progress(worker);
        let late = (progress.ready == 0)
            .then(|| self.settings.care.late(process, ended, true))
            .flatten();
        late.map_or(Ok(()), |late| Err(late.into()))
    }

    /// Whether a worker has left in order, or was about to: that its `exit` failed is raised at the end of the map.
    fn note_failed_exit(&mut self, worker: u64, process: Process, ended: Ended) -> bool {
        if matches!(ended, Ended::Returned(_)) {
            return true;
        }
        let leaves = self.job.progress(worker).item == Some(LEAVING);
        // Without an `exit` it had nothing left to do: a death then loses nothing.
        if leaves && self.settings.care.has_exit() {
            self.failed_exit.get_or_insert((process, ended));
        }
        leaves
    }

    /// Raises what the `exit` of a worker raised, or that it took too long or died.
    fn raise_failed_exit(&mut self, context: &mut dyn Context) -> Outcome<()> {
        match self.failed_exit.take() {
            Some((process, ended)) => self.settings.care.raise_end(context, &process, ended),
            None => Ok(()),
        }
    }

    /// What a worker's end means for its item, which was tried so many times.
    fn death(&self, worker: u64, process: &Process, ended: &Ended, tries: u64) -> Box<Error> {
        let too_long = *ended == Ended::Killed(limit::SIGNAL);
        Death {
            limit: self.settings.timeout.filter(|_| too_long),
            last_words: self.job.last_words(worker),
            last_place: self.job.last_place(worker),
            tries,
            ..Death::of("an item of `pool map`", process, Some(ended))
        }
        .error()
    }

    /// Books the time of a worker that has ended.
    fn settle(&mut self, worker: u64) {
        let at = self.job.progress(worker);
        if let Some(tally) = self.tallies.get_mut(worker as usize) {
            tally.leave(at.ready);
            tally.note(&at);
        }
    }

    /// Stores the error of an item.
    fn fail(&self, context: &mut dyn Context, item: u64, error: Value) -> Outcome<()> {
        let message = travel::pack(context, error)?;
        self.job
            .finish(item, Produced::Error(&message.bytes), &message.handles)?;
        if !self.settings.collect {
            self.job.stop_by_failure(item);
        }
        Ok(())
    }

    /// Ends the workers: those of a finished map leave by themselves, the others are cancelled, so that their `finally` and
    /// `defer` run, and killed when they have not ended within the grace.
    fn dismiss(&mut self, finished: bool) -> Outcome<()> {
        self.job.stop();
        let in_order = finished && !self.has_failed();
        let crew = || self.crew.iter().flatten();
        let mut ended = match in_order {
            true => crew().try_for_each(|process| process.wait(None, self.place).map(drop)),
            false => Ok(()),
        };
        // What this process was told while they left is kept, and they have their grace from then on.
        if !in_order || ended.is_err() {
            ended = ended.and(super::workers::end_all(crew(), self.place));
        }
        for worker in 0..self.crew.len() {
            let Some(process) = self.crew.get_mut(worker).and_then(Option::take) else {
                continue;
            };
            loop {
                match process.wait(None, self.place) {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(news) => ended = ended.and(Err(news)),
                }
                process.kill();
            }
            self.settle(worker as u64);
            let item = self.job.progress(worker as u64).item;
            let _ = self.mark_last_prints(worker as u64, item);
            if let Some(ended) = process.ended().filter(|_| in_order) {
                self.note_failed_exit(worker as u64, process, ended);
            }
        }
        Ok(ended?)
    }
}

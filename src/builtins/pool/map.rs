//! `pool map`: workers are forked at the call, inherit the items and what the body captures, and claim ranges of items.
//! The calling process looks after them: it replaces the dead, ends items that take too long, and gathers the results.

use super::super::progress::Bar;
use super::super::{arguments, options::Options, spawn, travel};
use super::settings::{NAMES, Settings};
use crate::diag::{Error, Field, codes};
use crate::os::{clock, signal};
use crate::process::pool::job::{Job, Produced};
use crate::process::wait::{self, Operation, WaitSpec};
use crate::process::{ChildOutcome, Ended, Message, Process, SpawnSpec, spawn as nouns};
use crate::source::Span;
use crate::value::error::ErrorValue;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, show};
use std::collections::HashMap;

/// The block form.
pub fn block(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let options = Options::new("pool map", &args[0])?;
    let values = NAMES.map(|name| options.get(name).unwrap_or(Value::Undef));
    run(context, args[2], args[1], Settings::new(&values)?)
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

/// All items of an iterable, as a list that stays alive.
pub fn gather(context: &mut dyn Context, items: Value) -> Outcome<Gc<List>> {
    if let Value::List(list) = items {
        return Ok(list);
    }
    if let Value::Range(range) = items
        && range.len().is_none()
    {
        let error = Error::new(
            codes::VALUE,
            "`pool map` needs items that end, but this range is endless",
        );
        return Err(error
            .with_help("use `p.imap(f, items)` of a pool, which reads ahead only a little")
            .into());
    }
    if let Value::Range(range) = items {
        // Every number of the range fits an int, so wrapping arithmetic arrives at it.
        let (start, step) = (range.start, range.step);
        let numbers = (0..range.len().unwrap_or(0))
            .map(|at| start.wrapping_add((at as i64).wrapping_mul(step)));
        let list = List::from_items(context.heap(), Items::Ints(numbers.collect()));
        context.protect(Value::List(list));
        return Ok(list);
    }
    let list = List::new(context.heap(), Vec::new());
    context.protect(Value::List(list));
    let iter = context.iterate(items)?;
    while let Some(item) = iter.next(context)? {
        list.push(context.heap(), item);
    }
    Ok(list)
}

fn run(context: &mut dyn Context, function: Value, items: Value, settings: Settings) -> Outcome {
    // The list may be changed by whoever else has it: what the workers inherit is this copy.
    let items = gather(context, items)?;
    let items = List::from_items(context.heap(), items.items().clone());
    context.protect(Value::List(items));
    context.protect(function);
    let total = items.len() as u64;
    if total == 0 {
        return Ok(Value::list(context.heap(), Vec::new()));
    }
    let workers = settings.workers.min(total);
    let job = Job::new(total, workers)?;
    let place = context.place();
    let mut map = Map {
        job,
        function,
        items,
        settings,
        place,
        crew: Vec::new(),
        tries: HashMap::new(),
        given: HashMap::new(),
        deaths: false,
        slow: Vec::new(),
        bar: None,
    };
    map.bar = Bar::new(map.settings.progress, total);
    let outcome = map.work(context, workers);
    map.dismiss(outcome.is_ok());
    outcome?;
    map.results(context)
}

/// A map that runs, as its calling process sees it.
struct Map {
    job: Job,
    function: Value,
    items: Gc<List>,
    settings: Settings,
    place: Option<Span>,
    /// The workers by number; `None` where one has ended and was not replaced.
    crew: Vec<Option<Process>>,
    /// How often an item has been tried in vain.
    tries: HashMap<u64, u64>,
    /// Items that a worker was given by hand, because another died at or before them.
    given: HashMap<u64, Vec<u64>>,
    /// A worker has died: what the workers count is not all any more.
    deaths: bool,
    /// Workers that were killed because their item took too long.
    slow: Vec<u64>,
    bar: Option<Bar>,
}

impl Map {
    fn work(&mut self, context: &mut dyn Context, workers: u64) -> Outcome<()> {
        for worker in 0..workers {
            self.crew.push(None);
            self.hire(context, worker, Vec::new())?;
        }
        loop {
            self.wait_for_news()?;
            self.end_slow_items();
            for worker in 0..workers {
                self.look_after(context, worker)?;
            }
            if let Some(bar) = &self.bar {
                bar.at(self.job.done());
            }
            if self.job.failed().is_some() && !self.settings.collect {
                self.job.stop();
                return Ok(());
            }
            if self.is_finished() {
                return Ok(());
            }
        }
    }

    /// Whether every item is finished.
    fn is_finished(&self) -> bool {
        let done = if self.deaths {
            self.job.finished()
        } else {
            self.job.done()
        };
        done >= self.job.total()
    }

    /// Forks a worker, which begins with the given items.
    fn hire(&mut self, context: &mut dyn Context, worker: u64, first: Vec<u64>) -> Outcome<()> {
        let spec = SpawnSpec {
            name: Some(format!("pool-{}", worker + 1)),
            daemon: true,
            place: self.place,
            ..SpawnSpec::default()
        };
        let values = [self.function, Value::List(self.items), self.settings.init];
        let mut holds = travel::holds(context, &values);
        holds.push(self.job.id());
        let process = nouns::prepare(&spec)?;
        process.start(&holds, || self.worker(context, worker, &first))?;
        self.given.insert(worker, first);
        if let Some(seat) = self.crew.get_mut(worker as usize) {
            *seat = Some(process);
        }
        Ok(())
    }

    /// Sleeps until something happened that this process must look at.
    fn wait_for_news(&self) -> Outcome<()> {
        let crew: Vec<&Process> = self.crew.iter().flatten().collect();
        // The job alone: its workers hold it, and the end of one wakes its parent wherever it waits.
        let awaited = [self.job.awaited()];
        let mut spec = WaitSpec::new(Operation::Pool, &awaited, self.place);
        spec.deadline = self.next_deadline();
        let news = || {
            let failed = self.job.failed().is_some() && !self.settings.collect;
            let over = failed || self.is_finished();
            Ok((over || crew.iter().any(|process| process.ended().is_some())).then_some(()))
        };
        wait::wait(&spec, news)?;
        Ok(())
    }

    /// When the next item has taken too long, or the bar wants to be drawn.
    fn next_deadline(&self) -> Option<u64> {
        let limit = self.settings.timeout.map(clock::nanoseconds);
        let items = limit.and_then(|limit| {
            let busy = (0..self.crew.len() as u64).map(|worker| self.job.progress(worker));
            // An item may begin at any moment, so a look is due after one time-out at the latest.
            let ends = busy
                .filter(|at| at.item.is_some())
                .map(|at| at.since + limit);
            ends.chain([clock::now() + limit]).min()
        });
        let bar = self.bar.is_some().then(|| clock::deadline(0.1));
        items.into_iter().chain(bar).min()
    }

    /// Kills the workers whose item has taken too long; their ends are looked after like those of others.
    fn end_slow_items(&mut self) {
        let Some(limit) = self.settings.timeout.map(clock::nanoseconds) else {
            return;
        };
        for (worker, process) in (0..).zip(&self.crew) {
            let at = self.job.progress(worker);
            if let (Some(process), Some(_)) = (process, at.item)
                && at.since != 0
                && clock::now() >= at.since + limit
            {
                process.kill();
                self.slow.push(worker);
                // It is dead in a moment; only then does its record stand still.
                let _ = process.wait(None, self.place);
            }
        }
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
        if let Some(seat) = self.crew.get_mut(worker as usize) {
            *seat = None;
        }
        if let Ended::Raised(message) = &ended {
            // Outside of any item: `init` failed, or a result could not be stored. That is the map's failure.
            let fault = spawn::value_of(context, &process, Ended::Raised(message.clone()));
            return fault.map(|_| ());
        }
        let item = self.job.progress(worker).item;
        let live: Vec<u64> = (0..self.crew.len() as u64)
            .filter(|&other| self.crew.get(other as usize).is_some_and(Option::is_some))
            .collect();
        let mut lost = self.job.lost(worker, &live);
        let given = self.given.remove(&worker).unwrap_or_default().into_iter();
        lost.extend(given.filter(|&item| self.job.result(item) == Produced::Pending));
        self.deaths = true;
        let slow = self.slow.iter().position(|&other| other == worker);
        let slow = slow.map(|at| self.slow.swap_remove(at)).is_some();
        if let Some(item) = item.filter(|item| lost.contains(item))
            && !matches!(ended, Ended::Returned(_))
        {
            let tries = self.tries.entry(item).or_insert(0);
            *tries += 1;
            if *tries > self.settings.retries {
                let tries = *tries;
                lost.retain(|&other| other != item);
                let error = self.death(&process, &ended, slow);
                let error = if tries > 1 {
                    error.with_note(format!("it was tried {tries} times"))
                } else {
                    error
                };
                self.fail(context, item, error)?;
            }
        }
        let goes_on = !self.job.stopped() && (self.settings.collect || self.job.failed().is_none());
        if goes_on && !self.is_finished() {
            self.hire(context, worker, lost)?;
        }
        Ok(())
    }

    /// What a worker's end means for its item.
    fn death(&self, process: &Process, ended: &Ended, slow: bool) -> Box<Error> {
        let who = format!("{} (pid {})", process.name(), process.pid().unwrap_or(0));
        match (self.settings.timeout.filter(|_| slow), ended) {
            (Some(limit), _) => {
                let message =
                    format!("an item of `pool map` was to take at most {limit} s, but took longer");
                Error::new(codes::TIMEOUT, message)
            }
            (None, Ended::Killed(number)) => {
                let name = signal::name_of(*number);
                let message = format!(
                    "a worker of `pool map` was to finish its item, but {who} was killed by {name}"
                );
                Error::new(codes::PROCESS_DIED, message)
                    .with_field("signal", Field::Int(i64::from(*number)))
                    .with_field("signal_name", Field::Text(name))
            }
            (None, _) => {
                let code = ended.exitcode();
                let message = format!(
                    "a worker of `pool map` was to finish its item, but {who} left with exit({code})"
                );
                Error::new(codes::EXIT, message).with_field("code", Field::Int(i64::from(code)))
            }
        }
    }

    /// Stores the error of an item.
    fn fail(&self, context: &mut dyn Context, item: u64, error: Box<Error>) -> Outcome<()> {
        let error = ErrorValue::new(context.heap(), error, Vec::new(), Value::Nil);
        let message = travel::pack(context, Value::Error(error))?;
        self.job
            .finish(item, Produced::Error(&message.bytes), &message.handles)?;
        Ok(())
    }

    /// Ends the workers: those of a finished map leave by themselves, the others are killed.
    fn dismiss(&mut self, finished: bool) {
        self.job.stop();
        let finished = finished && (self.job.failed().is_none() || self.settings.collect);
        for process in self.crew.iter().flatten() {
            if !finished {
                process.kill();
            }
        }
        for process in self.crew.iter().flatten() {
            while let Err(_) | Ok(false) = process.wait(None, self.place) {
                process.kill();
            }
        }
    }

    /// The list of results, or the first error.
    fn results(&self, context: &mut dyn Context) -> Outcome {
        if let Some(item) = self.job.failed().filter(|_| !self.settings.collect)
            && let Produced::Error(bytes) = self.job.result(item)
        {
            return Err(Fault::Thrown(self.error(context, item, bytes)?));
        }
        if let Some(ints) = self.job.all_ints() {
            let list = List::from_items(context.heap(), Items::Ints(ints));
            return Ok(Value::List(list));
        }
        let mut values = Vec::with_capacity(self.job.total() as usize);
        for item in 0..self.job.total() {
            // Decoding only allocates, so nothing is collected until the list is made.
            values.push(match self.job.result(item) {
                Produced::Int(i) => Value::Int(i),
                Produced::Float(f) => Value::Float(f),
                Produced::Bool(b) => Value::Bool(b),
                Produced::Nil | Produced::Pending => Value::Nil,
                Produced::Value(bytes) => travel::unpack(context, bytes)?,
                Produced::Error(bytes) => self.error(context, item, bytes)?,
            });
        }
        Ok(Value::list(context.heap(), values))
    }

    /// An item's error as the caller sees it: with the item, its index and the worker's trace.
    fn error(&self, context: &mut dyn Context, item: u64, bytes: &[u8]) -> Outcome {
        let Value::Error(error) = travel::unpack(context, bytes)? else {
            return Err(Error::new(codes::DECODE, "a worker's error could not be read").into());
        };
        let value = self.items.get(item as usize).unwrap_or(Value::Nil);
        let mut report = error.report.clone();
        report.notes.push(format!(
            "in item {item} of `pool map`: {}",
            shorten(show::repr(value))
        ));
        report.spawned_at = report.spawned_at.or(self.place);
        report.joined.extend(context.trace());
        let mut attributes = error.attributes.clone();
        attributes.push(("index".into(), Value::Int(item as i64)));
        attributes.push(("item".into(), value));
        Ok(Value::Error(ErrorValue::new(
            context.heap(),
            report,
            attributes,
            error.cause,
        )))
    }

    /// In a worker: works off `first`, then whatever it can claim.
    fn worker(&self, context: &mut dyn Context, worker: u64, first: &[u64]) -> ChildOutcome {
        context.enter_child();
        for value in [self.function, Value::List(self.items), self.settings.init] {
            context.protect(value);
        }
        self.job.begin_worker(worker);
        let outcome = self.run_items(context, worker, first);
        match outcome {
            Ok(()) => ChildOutcome::Returned(Message::default()),
            Err(Fault::Exit(code)) => ChildOutcome::Exited(code),
            Err(fault) => ChildOutcome::Raised(spawn::raised(context, fault)),
        }
    }

    fn run_items(&self, context: &mut dyn Context, worker: u64, first: &[u64]) -> Outcome<()> {
        if !matches!(self.settings.init, Value::Nil) {
            context.call(self.settings.init, &[])?;
        }
        let mut left = self.settings.max_tasks.unwrap_or(u64::MAX);
        let mut message = Message::default();
        for &item in first {
            // Given by hand after a death: each is a claim of its own, noted as what the worker is at.
            if !self.job.stopped() {
                self.one_item(context, worker, item, &mut message)?;
                left = left.saturating_sub(1);
            }
        }
        while left > 0 {
            let chunk = self
                .settings
                .chunk
                .or(self.settings.timeout.is_some().then_some(1));
            let chunk = chunk.map_or((left < u64::MAX).then_some(1), |chunk| {
                Some(chunk.min(left))
            });
            let Some((start, end)) = self.job.claim(worker, chunk) else {
                break;
            };
            let began = clock::now();
            for item in start..end {
                if self.job.stopped() {
                    break;
                }
                self.one_item(context, worker, item, &mut message)?;
            }
            left = left.saturating_sub(end - start);
            self.job.end_claim(worker, end - start, began);
        }
        Ok(())
    }

    /// Stores the result of an item: numbers, truth values and nil as they are, the rest encoded.
    fn store(
        &self,
        context: &mut dyn Context,
        item: u64,
        value: Value,
        message: &mut Message,
    ) -> Outcome<()> {
        message.handles.clear();
        let produced = match value {
            Value::Int(i) => Produced::Int(i),
            Value::Float(f) => Produced::Float(f),
            Value::Bool(b) => Produced::Bool(b),
            Value::Nil => Produced::Nil,
            value => {
                travel::pack_into(context, value, message)?;
                Produced::Value(&message.bytes)
            }
        };
        Ok(self.job.finish(item, produced, &message.handles)?)
    }

    fn one_item(
        &self,
        context: &mut dyn Context,
        worker: u64,
        item: u64,
        message: &mut Message,
    ) -> Outcome<()> {
        let Some(value) = self.items.get(item as usize) else {
            return Ok(());
        };
        if self.settings.timeout.is_some() {
            self.job.mark_time(worker);
        }
        self.job.begin(worker, item);
        let result = context.call(self.function, &[value]);
        let stored = result.and_then(|value| self.store(context, item, value, message));
        match stored {
            Ok(()) => {}
            Err(Fault::Exit(code)) => return Err(Fault::Exit(code)),
            Err(fault) => {
                let error = spawn::raised(context, fault);
                self.job
                    .finish(item, Produced::Error(&error.bytes), &error.handles)?;
                if !self.settings.collect {
                    self.job.stop();
                }
            }
        }
        Ok(())
    }
}

/// A value's text for a report, cut where it would fill the screen.
fn shorten(mut text: String) -> String {
    const MOST: usize = 200;
    if text.len() > MOST {
        let cut = (0..=MOST)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

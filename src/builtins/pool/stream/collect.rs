//! A map over a source that is read while its items are worked on: all results as a list.

use super::super::map::value_of;
use super::super::workers::with_news;
use super::part::{Next, Part};
use super::{Plan, Stream};
use crate::builtins::progress::{Bar, Progress};
use crate::diag::codes;
use crate::os::clock;
use crate::process::pool::future::{Future, State};
use crate::process::pool::job::Produced;
use crate::process::signals;
use crate::value::Value;
use crate::value::heap::{Gc, Marker};
use crate::value::list::List;
use crate::value::native::{Context, Fault, IterBox, NativeIter, Outcome};
use std::cell::RefCell;
use std::rc::Rc;

/// The results for all items of a source. The first error ends the reading and the map; so does the first item that says `break`,
/// and then the second answer is false. `journal`: the file in which results are kept for the next run, and the function as its key knows it.
pub fn collect(
    context: &mut dyn Context,
    plan: Plan,
    source: Rc<dyn NativeIter>,
    progress: Progress,
    journal: Option<(&str, Value)>,
) -> Outcome<(Value, bool)> {
    let pool = plan.pool.clone();
    let all = List::new(context.heap(), Vec::new());
    context.protect(Value::List(all));
    let stream = Stream::new(context, plan, source);
    let root = Rc::new(Root(RefCell::new(Some(stream.clone()))));
    let root_value = Value::Iter(IterBox::new(context.heap(), root.clone()));
    context.protect(root_value);
    if let Some((path, function)) = journal
        && let Err(fault) = stream.open_journal(context, path, function)
    {
        root.0.take();
        stream.source.close();
        return Err(fault);
    }
    let mut gathering = Gathering {
        stream,
        all,
        stretches: Vec::new(),
        kept_to: None,
        end: None,
        finished: 0,
        failures: 0,
        bar: Bar::new(progress, None),
    };
    let begun = pool.tasks.begin_map().map_err(Fault::from);
    let begun = pool.told_why(context, begun)?;
    let since = clock::now();
    let mut outcome = gathering.run(context);
    if let Some(error) = signals::interrupted_since(since)
        && matches!(&outcome, Err(Fault::Thrown(Value::Error(error))) if error.report.code == codes::CANCELLED)
    {
        // The source has heard of the Ctrl-C, and an item that ended by it was faster.
        outcome = Err(error.into());
    }
    let kept = gathering.stream.end_journal().map_err(Fault::from);
    if outcome.is_err()
        && gathering.stream.relay.is_some()
        && gathering.stream.plan.function.is_none()
    {
        // What is at work in workers of its own prints to its end before that is told.
        let _ = pool.terminate(context.place());
    }
    let ended = gathering.give_up();
    let end = gathering.end.filter(|_| gathering.stream.plan.ordered);
    let told = gathering
        .stream
        .relay_rest(context, end.unwrap_or(u64::MAX), &outcome);
    pool.tasks.end_map(begun);
    // The collector would come upon the pool much later.
    root.0.take();
    if outcome.is_err() || gathering.end.is_some() {
        gathering.stream.source.close();
    }
    let outcome = pool.told_why(context, outcome);
    with_news(outcome, ended)?;
    kept?;
    told?;
    let results = gathering.list(context);
    context.protect(results);
    Ok((results, gathering.end.is_none()))
}

/// Keeps what a stream holds alive while its map runs.
struct Root(RefCell<Option<Rc<Stream>>>);

impl NativeIter for Root {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        Ok(None)
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        if let Some(stream) = &*self.0.borrow() {
            stream.trace(marker);
        }
    }
}

/// Results of neighbours.
struct Stretch {
    /// The index of the first item.
    first: u64,
    /// Where they stand in the list, and how many they are.
    from: usize,
    count: usize,
}

/// A map that runs.
struct Gathering {
    stream: Rc<Stream>,
    /// All results, as they came.
    all: Gc<List>,
    stretches: Vec<Stretch>,
    /// The item behind the last stretch, when that is of results of an earlier run.
    kept_to: Option<u64>,
    /// The first item that said `break`.
    end: Option<u64>,
    finished: u64,
    failures: u64,
    bar: Option<Bar>,
}

impl Gathering {
    fn run(&mut self, context: &mut dyn Context) -> Outcome<()> {
        loop {
            let protected = context.protected();
            self.look_for_end();
            match self.end {
                Some(_) if !self.stream.plan.ordered => return self.take_what_is_there(context),
                Some(_) => self.forget_what_is_behind(),
                None => self.stream.fill(context)?,
            }
            if self.take_kept(context)? {
                context.release(protected);
                continue;
            }
            match self.stream.next_finished(context)? {
                Next::Over(mut part) => {
                    self.stream.keep_part(&mut part)?;
                    self.take(context, &part)?;
                    self.stream.relay(context)?;
                    self.draw();
                }
                Next::Again => {}
                // Nothing is under way: all was read, or something broke off the reading.
                Next::Nothing => {
                    return match self.stream.broken.take() {
                        Some(fault) if self.end.is_none() => Err(fault),
                        _ => Ok(()),
                    };
                }
            }
            context.release(protected);
        }
    }

    /// The results of an earlier run that stand in front of what is read next. True when there were some.
    fn take_kept(&mut self, context: &mut dyn Context) -> Outcome<bool> {
        let kept = self.stream.kept.take();
        if kept.is_empty() {
            return Ok(false);
        }
        for (item, kept) in kept {
            if self.kept_to != Some(item) {
                let (from, count) = (self.all.len(), 0);
                self.stretches.push(Stretch {
                    first: item,
                    from,
                    count,
                });
            }
            self.kept_to = Some(item + 1);
            self.finished += 1;
            if kept.produced() == Produced::LeftOut {
                continue;
            }
            // Nothing collects before the value is in the list.
            if let Ok(value) = value_of(context, kept.produced())? {
                self.all.push(context.heap(), value);
                if let Some(stretch) = self.stretches.last_mut() {
                    stretch.count += 1;
                }
            }
        }
        if let Some(bar) = &self.bar {
            bar.begin_at(self.finished);
        }
        Ok(true)
    }

    /// Takes note of the first item that said `break`.
    fn look_for_end(&mut self) {
        let running = self.stream.running.borrow();
        let ends = running.iter().filter_map(Part::broken_at);
        self.end = ends.chain(self.end).min();
    }

    /// Drops the parts behind the item that said `break`.
    fn forget_what_is_behind(&self) {
        // What is finished of it is kept all the same.
        self.stream.keep_meanwhile();
        let end = self.end.unwrap_or(u64::MAX);
        let mut running = self.stream.running.borrow_mut();
        running.retain_mut(|part| {
            let is_wanted = part.first < end;
            if !is_wanted {
                part.give_up();
                // The item that said it may have printed something.
                let _ = self.stream.take_prints(part);
            }
            is_wanted
        });
    }

    /// The results of a part that is over.
    fn take(&mut self, context: &mut dyn Context, part: &Part) -> Outcome<()> {
        self.stream.check_task(context, part)?;
        self.take_results(context, part)
    }

    /// What is finished of a part.
    fn take_results(&mut self, context: &mut dyn Context, part: &Part) -> Outcome<()> {
        self.end = part.broken_at().into_iter().chain(self.end).min();
        let (from, collect) = (self.all.len(), self.stream.plan.collect);
        let Some(job) = &part.parcel.job else {
            return Ok(());
        };
        // Nobody works on it, and nobody else asks for what came of it.
        let is_over = part.handle.future.state() == State::Value;
        let ordered = self.stream.plan.ordered;
        let end = self.end.filter(|_| ordered).unwrap_or(u64::MAX);
        for at in 0..job.total().min(end.saturating_sub(part.first)) {
            let produced = job.result(at);
            self.finished += u64::from(produced != Produced::Pending);
            if matches!(produced, Produced::LeftOut | Produced::Pending) {
                continue;
            }
            // Nothing collects before the value is in the list.
            let decoded = value_of(context, produced)?;
            if is_over {
                job.forget_result(at);
            }
            let value = match decoded {
                Ok(value) => value,
                Err(error) => {
                    let error = self.stream.blame_item(context, part, at, error)?;
                    if !collect {
                        return Err(Fault::Thrown(error));
                    }
                    self.failures += 1;
                    error
                }
            };
            self.all.push(context.heap(), value);
        }
        self.kept_to = None;
        self.stretches.push(Stretch {
            first: part.first,
            from,
            count: self.all.len() - from,
        });
        Ok(())
    }

    /// After a `break` without an order: what is finished by now.
    fn take_what_is_there(&mut self, context: &mut dyn Context) -> Outcome<()> {
        self.stream.keep()?;
        let running = self.stream.running.take();
        for part in &running {
            self.take_results(context, part)?;
            part.give_up();
        }
        Ok(())
    }

    fn draw(&self) {
        if let Some(bar) = &self.bar {
            bar.at(self.finished, self.failures, self.workers());
        }
    }

    /// For each worker the item that it is at, and for how many seconds its hand-out has kept it.
    fn workers(&self) -> impl Iterator<Item = Option<(u64, f64)>> {
        let tasks = &self.stream.plan.pool.tasks;
        (0..tasks.workers()).map(|worker| {
            let (task, at) = (tasks.current(worker)?, tasks.progress(worker));
            let running = self.stream.running.borrow();
            let part = running
                .iter()
                .find(|part| part.handle.future.id() == task)?;
            let seconds = clock::now().saturating_sub(at.since) as f64 / 1e9;
            Some((part.first + part.begun as u64 + at.item?, seconds))
        })
    }

    /// However the map ends: nothing more of it is begun, and what is at work in a pool that stays is ended.
    fn give_up(&self) -> Outcome<()> {
        self.stream.drained.set(true);
        self.stream.draft.take();
        let mut running = self.stream.running.take();
        running.iter().for_each(Part::give_up);
        let futures: Vec<Future> = running
            .iter()
            .map(|part| part.handle.future.clone())
            .collect();
        let plan = &self.stream.plan;
        let ended = match plan.function.is_some() && !futures.is_empty() {
            true => plan.pool.end_hand_outs(&futures, self.stream.place),
            false => Ok(()),
        };
        for part in &mut running {
            let _ = self.stream.take_prints(part);
        }
        Ok(ended?)
    }

    /// The list of results: as they came, or in the order of the items, those behind a `break` left out.
    fn list(&mut self, context: &mut dyn Context) -> Value {
        let end = self.end.filter(|_| self.stream.plan.ordered);
        let end = end.unwrap_or(u64::MAX);
        let all = self.stretches.len();
        self.stretches.retain(|stretch| stretch.first < end);
        if self.stretches.len() < all {
            return self.sorted(context);
        }
        let in_order = self.stretches.is_sorted_by_key(|stretch| stretch.first);
        if !self.stream.plan.ordered || in_order {
            return Value::List(self.all);
        }
        self.sorted(context)
    }

    fn sorted(&mut self, context: &mut dyn Context) -> Value {
        self.stretches.sort_by_key(|stretch| stretch.first);
        let values = self.all.items().to_values();
        let mut sorted = Vec::with_capacity(values.len());
        for stretch in &self.stretches {
            let range = stretch.from..stretch.from + stretch.count;
            sorted.extend_from_slice(values.get(range).unwrap_or(&[]));
        }
        Value::list(context.heap(), sorted)
    }
}

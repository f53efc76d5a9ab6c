//! One hand-out of a stream: some items, the task that works on them, and what comes of it.

use super::super::super::travel;
use super::super::future::{self, FutureHandle};
use super::super::map::{error_of_item, value_of};
use super::super::workers::parcel::Parcel;
use super::fill::Draft;
use super::{Plan, Stream, keep};
use crate::diag::Result;
use crate::os::clock;
use crate::process::pool::future::{Future, State};
use crate::process::pool::job::Produced;
use crate::process::pool::spool::Spool;
use crate::process::spawn;
use crate::process::wait::Awaited;
use crate::value::Value;
use crate::value::native::{Context, Fault, Outcome};
use std::collections::VecDeque;

/// Some items that were handed in together.
pub(super) struct Part {
    /// Their task.
    pub(super) handle: FutureHandle,
    /// They themselves, for reports.
    pub(super) items: Vec<Value>,
    /// As they travel.
    pub(super) parcel: Parcel,
    /// The index of the first.
    pub(super) first: u64,
    /// Items that were finished before the task was handed in that runs now.
    pub(super) begun: usize,
    /// Where they print to.
    pub(super) spool: Option<Spool>,
    /// The death of the worker that had the task is counted among the tries of its item: it may take more than one attempt to hand in
    /// what is left.
    counted: bool,
    /// Which of its results the journal has been told of, and whether that was behind its end.
    pub(super) kept: Vec<bool>,
    pub(super) is_kept: bool,
}

/// What came of waiting for a hand-out.
pub(super) enum Next {
    /// It is over.
    Over(Box<Part>),
    /// What was left of it when its worker died is handed in anew: the source may have more by now.
    Again,
    /// Nothing is under way.
    Nothing,
}

impl Part {
    /// What was read, handed in.
    pub(super) fn new(draft: Draft, handle: FutureHandle, spool: Option<Spool>) -> Part {
        Part {
            handle,
            first: draft.parcel.base,
            items: draft.items,
            parcel: draft.parcel,
            begun: 0,
            spool,
            counted: false,
            kept: Vec::new(),
            is_kept: false,
        }
    }

    /// The item, counted from its first, at which its worker died, when nobody has looked at that yet, and how often that
    /// has happened to it.
    fn lost(&self) -> Option<(u64, u64)> {
        let future = &self.handle.future;
        let job = self.parcel.job.as_ref();
        let job = job.filter(|_| future.state() == State::Died)?;
        let at = (self.begun as u64).saturating_add(future.died_at());
        if at >= job.total() || job.is_finished(at) {
            return Some((at, 0));
        }
        Some((at, job.tries(at) + u64::from(!self.counted)))
    }

    /// Whether its worker died, and what is left can be handed in anew.
    pub(super) fn may_go_on(&self, plan: &Plan) -> bool {
        let lost = self.lost().filter(|_| !plan.retry.asks());
        lost.is_some_and(|(_, tries)| tries <= plan.limits.retries) && !self.is_done()
    }

    /// Whether nothing of it is left to do.
    fn is_done(&self) -> bool {
        self.parcel.job.as_ref().is_none_or(|job| {
            let next = job.first_unfinished(0);
            next >= job.total() || job.is_over_at(next)
        })
    }

    /// Whether its worker has left some of it to others.
    pub(super) fn has_rest(&self) -> bool {
        let is_over = self.handle.future.state() == State::Value;
        let job = self
            .parcel
            .job
            .as_ref()
            .filter(|job| is_over && !job.stopped());
        job.is_some_and(|job| job.first_unfinished(0) < self.items.len() as u64)
    }

    /// Hands in what is left after the death of a worker.
    pub(super) fn go_on(&mut self, plan: &Plan) -> Result<()> {
        if let Some((at, _)) = self.lost().filter(|&(_, tries)| tries > 0 && !self.counted)
            && let Some(job) = &self.parcel.job
        {
            job.note_try(at);
            self.counted = true;
        }
        if let Some(spool) = &self.spool {
            let at = (self.begun as u64).saturating_add(self.handle.future.died_at());
            spool.mark(self.first.saturating_add(at))?;
        }
        let begun = match &self.parcel.job {
            Some(job) => job.first_unfinished(0) as usize,
            None => 0,
        };
        self.handle = plan.pool.hand_in_parcel(&self.parcel, begun)?;
        (self.begun, self.counted, self.is_kept) = (begun, false, false);
        Ok(())
    }

    /// Whether one of its items has failed, or its task as such, in a stream that ends with the first error.
    pub(super) fn has_failed(&self, plan: &Plan) -> bool {
        let job = self.parcel.job.as_ref();
        if !plan.collect
            && job.is_some_and(|job| job.failed().is_some() && job.broken_at().is_none())
        {
            return true;
        }
        match self.handle.future.state() {
            State::Died => {
                let too_often = |(_, tries)| tries > plan.limits.retries;
                !plan.collect && self.lost().is_some_and(too_often)
            }
            State::Error | State::Cancelled => true,
            _ => false,
        }
    }

    /// Nothing more of it is begun.
    pub(super) fn give_up(&self) {
        if let Some(job) = &self.parcel.job {
            job.stop();
        }
        self.handle.future.give_up();
    }

    /// The index of the first of its items that said `break`.
    pub(super) fn broken_at(&self) -> Option<u64> {
        let at = self.parcel.job.as_ref()?.broken_at()?;
        Some(self.first + at)
    }
}

impl Stream {
    /// After the end of a part's task: the item at which a worker died has failed or is tried again, and what is left is handed
    /// in anew. True when there is something left.
    fn look_after(&self, context: &mut dyn Context, part: &mut Part) -> Outcome<bool> {
        let Some((at, tries)) = part.lost() else {
            return Ok(false);
        };
        if tries > 0 {
            let error = self.error_of_death(context, part, tries);
            let retry = self.plan.retry;
            if tries > retry.count || !retry.is_worth_while(context, error)? {
                self.fail(context, part, at, error)?;
            }
        }
        if part.is_done() {
            return Ok(false);
        }
        part.go_on(&self.plan)?;
        Ok(true)
    }

    /// Stores the error of an item at which workers died too often.
    fn fail(&self, context: &mut dyn Context, part: &Part, at: u64, error: Value) -> Outcome<()> {
        let message = travel::pack(context, error)?;
        if let Some(job) = &part.parcel.job {
            job.finish(at, Produced::Error(&message.bytes), &message.handles)?;
            if self.plan.gathers && !self.plan.collect {
                job.stop_by_failure(at);
            }
        }
        Ok(())
    }

    /// The error of an item at which so many workers died, kept alive.
    fn error_of_death(&self, context: &mut dyn Context, part: &Part, tries: u64) -> Value {
        let task = match self.plan.method {
            "pool map" => "an item of `pool map`",
            _ => "an item",
        };
        let error = future::death(&part.handle.future, task, tries).into();
        let error = future::error_of(context, error);
        context.protect(error);
        error
    }

    /// The next finished hand-out: the first, or whichever is finished.
    pub(super) fn next_finished(&self, context: &mut dyn Context) -> Outcome<Next> {
        let Some((at, mut part)) = self.next_over(context)? else {
            return Ok(Next::Nothing);
        };
        // It is nowhere else now, and the script may be called before its results are given out.
        part.items.iter().for_each(|&item| context.protect(item));
        match self.look_after(context, &mut part)? {
            false => {
                self.share_out(&mut part, at)?;
                self.take_prints(&mut part)?;
                Ok(Next::Over(Box::new(part)))
            }
            true => {
                self.running.borrow_mut().insert(at, part);
                Ok(Next::Again)
            }
        }
    }

    /// While the source is asked: hands in what workers have left to others.
    pub(super) fn share_rests(&self) -> Result<()> {
        loop {
            let Ok(mut running) = self.running.try_borrow_mut() else {
                return Ok(());
            };
            let Some(at) = running.iter().position(Part::has_rest) else {
                return Ok(());
            };
            let Some(mut part) = running.remove(at) else {
                return Ok(());
            };
            drop(running);
            let shared = self.share_out(&mut part, at);
            self.running.borrow_mut().insert(at, part);
            shared?;
        }
    }

    /// The items that a worker has left to others, because these had nothing to do, are handed in anew, in as many pieces as there are
    /// workers; they stand behind the part, which stood at a place.
    fn share_out(&self, part: &mut Part, place: usize) -> Result<()> {
        let Some(job) = part.parcel.job.as_ref().filter(|_| part.has_rest()) else {
            return Ok(());
        };
        let done = job.first_unfinished(0) as usize;
        let mut items = part.items.split_off(done);
        let mut messages = part.parcel.items.split_off(done);
        let size = items
            .len()
            .div_ceil(self.plan.pool.tasks.workers().max(1) as usize);
        let mut base = part.first + done as u64;
        let mut place = place;
        while !items.is_empty() {
            let rest = items.split_off(size.min(items.len()));
            let others = messages.split_off(size.min(messages.count()));
            let mut draft = Draft {
                parcel: Parcel {
                    base,
                    items: std::mem::replace(&mut messages, others),
                    ..part.parcel.without_items()
                },
                items: std::mem::replace(&mut items, rest),
                aim: 0,
                since: 0,
            };
            base += draft.items.len() as u64;
            let (handle, spool) = self.hand_in(&mut draft)?;
            let new = Part::new(draft, handle, spool);
            self.running.borrow_mut().insert(place, new);
            place += 1;
        }
        Ok(())
    }

    /// The next hand-out whose task is over, and where it stood.
    fn next_over(&self, context: &mut dyn Context) -> Outcome<Option<(usize, Part)>> {
        loop {
            let count = match self.plan.ordered && !self.plan.gathers {
                true => 1,
                false => self.running.borrow().len(),
            };
            // Copies: callbacks that run meanwhile may ask this very stream.
            let running = self.running.borrow();
            let first = running.iter().take(count);
            let futures: Vec<Future> = first.map(|part| part.handle.future.clone()).collect();
            drop(running);
            if futures.is_empty() {
                return Ok(None);
            }
            let awaited: Vec<Awaited<'_>> = futures.iter().map(Future::awaited).collect();
            let ready = || futures.iter().find(|future| future.state().is_final());
            let look = self
                .has_journal()
                .then(|| clock::deadline(keep::LOOK_EVERY as f64 / 1e9));
            let over = self
                .plan
                .pool
                .wait_or_look(context, &awaited, look, ready)?;
            if look.is_some() && over.is_none() {
                self.keep()?;
                continue;
            }
            let over = over.or(futures.first()).map(Future::id);
            let mut running = self.running.borrow_mut();
            let at = running
                .iter()
                .position(|part| Some(part.handle.future.id()) == over);
            if let Some(at) = at {
                return Ok(running.remove(at).map(|part| (at, part)));
            }
        }
    }

    /// What the items of a part have printed, when it is over or given up.
    pub(super) fn take_prints(&self, part: &mut Part) -> Result<()> {
        if let (Some(relay), Some(spool)) = (&self.relay, part.spool.take()) {
            let first = part.first + part.begun as u64;
            let mut relay = relay.borrow_mut();
            relay.take_last(spool, &part.handle.future, first)?;
        }
        Ok(())
    }

    /// Tells what the items have printed that are finished, up to the first that is not.
    pub(super) fn relay(&self, context: &mut dyn Context) -> Outcome<()> {
        let Some(relay) = &self.relay else {
            return Ok(());
        };
        let running = self.running.borrow();
        let draft = self.draft.borrow();
        let drafted = draft.iter().map(|draft| draft.parcel.base);
        let firsts = running.iter().map(|part| part.first).chain(drafted);
        let end = firsts.min().unwrap_or(self.read.get());
        drop((running, draft));
        match end.checked_sub(1) {
            Some(last) => relay.borrow_mut().print(context, last),
            None => Ok(()),
        }
    }

    /// When nothing is under way any more: tells what there is, also what came later from processes that have outlived their items.
    pub(super) fn relay_late(&self, context: &mut dyn Context) -> Outcome<()> {
        self.relay(context)?;
        if let Some(relay) = &self.relay {
            let mut relay = relay.borrow_mut();
            relay.take_late()?;
            relay.print(context, u64::MAX)?;
        }
        Ok(())
    }

    /// Lets go of files that are not in use.
    pub(super) fn close_spools(&self) {
        if let Some(relay) = &self.relay
            && let Ok(mut relay) = relay.try_borrow_mut()
        {
            relay.close_spools();
        }
    }

    /// When a map is over, and came to `outcome`: tells the rest up to the given item, also of what was given up.
    pub(super) fn relay_rest(
        &self,
        context: &mut dyn Context,
        last: u64,
        outcome: &Outcome<()>,
    ) -> Outcome<()> {
        match &self.relay {
            Some(relay) => {
                let mut relay = relay.borrow_mut();
                relay.ends_by(outcome);
                relay.take_late()?;
                relay.print(context, last)
            }
            None => Ok(()),
        }
    }

    /// The results of a finished hand-out, errors with their items.
    pub(super) fn results(
        &self,
        context: &mut dyn Context,
        part: &Part,
    ) -> Outcome<VecDeque<std::result::Result<Value, Value>>> {
        let mut found = VecDeque::new();
        for (at, result) in (0..).zip(self.raw_results(context, part)?) {
            found.push_back(match result {
                Ok(value) => Ok(value),
                Err(error) => {
                    let error = self.blame_item(context, part, at, error)?;
                    context.protect(error);
                    match self.plan.collect {
                        true => Ok(error),
                        false => Err(error),
                    }
                }
            });
        }
        Ok(found)
    }

    /// The error of an item of a part, with the item.
    pub(super) fn blame_item(
        &self,
        context: &mut dyn Context,
        part: &Part,
        at: u64,
        error: Value,
    ) -> Outcome {
        let item = part.items.get(at as usize).copied().unwrap_or(Value::Nil);
        let (index, method) = (part.first + at, self.plan.method);
        error_of_item(context, error, method, index, item, self.place)
    }

    /// The error of a part whose task as such could not be done, or whose pool was terminated.
    pub(super) fn check_task(&self, context: &mut dyn Context, part: &Part) -> Outcome<()> {
        let future = &part.handle.future;
        match future.state() {
            State::Value | State::Died => Ok(()),
            _ => future::outcome(context, future).map(|_| ()),
        }
    }

    /// Whether no other process has inherited it.
    fn is_alone(&self) -> bool {
        self.made_by == spawn::family()
    }

    /// The values and errors of a part that is over, as the workers gave them.
    fn raw_results(
        &self,
        context: &mut dyn Context,
        part: &Part,
    ) -> Outcome<Vec<std::result::Result<Value, Value>>> {
        let future = &part.handle.future;
        if let Some(job) = &part.parcel.job {
            self.check_task(context, part)?;
            let mut all = Vec::new();
            for item in 0..job.total().min(part.items.len() as u64) {
                let result = value_of(context, job.result(item))?;
                if future.state() == State::Value && self.is_alone() {
                    job.forget_result(item);
                }
                let (Ok(value) | Err(value)) = result;
                context.protect(value);
                all.push(result);
            }
            return Ok(all);
        }
        if future.state() == State::Died {
            let error = future::death(future, "an item", future.deaths()).into();
            let error = future::error_of(context, error);
            context.protect(error);
            return Ok(vec![Err(error)]);
        }
        // It came as `[value]` or as `[nil, error]`.
        let outcome = future::outcome(context, future);
        if self.is_alone() {
            future.forget_result();
        }
        let results = match outcome {
            // The task as such has failed: its result cannot travel, or finds no room.
            Err(Fault::Thrown(error)) if future.state() == State::Error => {
                context.protect(error);
                return Ok(vec![Err(error)]);
            }
            outcome => outcome?,
        };
        let Value::List(results) = results else {
            return Ok(Vec::new());
        };
        context.protect(Value::List(results));
        let of_one = |result: Value| match result {
            Value::List(result) => Some(match result.get(1) {
                Some(error) => Err(error),
                None => Ok(result.get(0).unwrap_or(Value::Nil)),
            }),
            _ => None,
        };
        let results = results.items().to_values().into_iter();
        Ok(results.filter_map(of_one).collect())
    }
}

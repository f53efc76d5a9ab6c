//! In a worker of a `pool map`: works off what it was given and what it can claim, and stores what comes of each item.

use super::super::super::spawn;
use super::super::care::Scales;
use super::super::journal::check_lasting;
use super::super::settings::Settings;
use super::super::{budget, item};
use super::Map;
use crate::builtins::file_gather;
use crate::builtins::modules::random;
use crate::diag::codes;
use crate::os::clock;
use crate::process::pool::desk::{Desk, LEAVING};
use crate::process::pool::spool::Capture;
use crate::process::wait::{self, Operation, WaitSpec};
use crate::process::{ChildOutcome, Message};
use crate::value::Value;
use crate::value::native::{Context, Fault, Outcome};

/// Items of a claim that are measured one by one. Those of longer ones are so short that a look at the clock would be felt.
const MOST_MEASURED: u64 = 256;

/// A worker's place at the map.
struct Place<'a> {
    worker: u64,
    desk: &'a Desk<'a>,
    /// Where it prints into a spool.
    capture: Option<&'a Capture>,
}

impl Map {
    /// In a worker: works off `first`, then whatever it can claim.
    pub(super) fn worker(
        &self,
        context: &mut dyn Context,
        worker: u64,
        first: &[u64],
    ) -> ChildOutcome {
        context.enter_child();
        for value in [self.function, Value::List(self.items), self.settings.init] {
            context.protect(value);
        }
        self.settings.retry.protect(context);
        context.protect(self.settings.care.exit);
        if let Some(journal) = &self.journal {
            journal.leave_to_parent();
        }
        budget::divide_by(self.tallies.len() as u64);
        random::begin_worker();
        self.job.begin_worker(worker);
        let outcome = self.run_items(context, worker, first);
        match outcome {
            Ok(()) => ChildOutcome::Returned(Message::default()),
            Err(Fault::Exit(code)) => ChildOutcome::Exited(code),
            Err(fault) => ChildOutcome::Raised(spawn::raised(context, fault)),
        }
    }

    fn run_items(&self, context: &mut dyn Context, worker: u64, first: &[u64]) -> Outcome<()> {
        let capture = self.capture(worker)?;
        self.settings.care.begin(context, self.settings.init)?;
        let mut scales = self.settings.care.scales()?;
        let weighs = self.settings.care.max_memory.is_some();
        self.job.note_ready(worker);
        let mut left = self.settings.max_tasks;
        let mut message = Message::default();
        let desk = self.job.desk(worker);
        let place = Place {
            worker,
            desk: &desk,
            capture: capture.as_ref(),
        };
        let mut is_heavy = scales.is_too_heavy();
        for &item in first {
            // Given by hand after a death: each is a claim of its own, noted as what the worker is at.
            if is_heavy || desk.stopped_at(item) {
                break;
            }
            let began = clock::now();
            self.one_item(context, &place, item, &mut message)?;
            self.job.note_length(worker, item, clock::now() - began);
            self.job.end_claim(worker, 1, began);
            left = left.map(|left| left.saturating_sub(1));
            is_heavy = weighs && scales.is_too_heavy();
        }
        let left = if is_heavy { Some(0) } else { left };
        if !self.run_claims(context, &place, left, &mut scales, &mut message)? {
            return Ok(());
        }
        desk.begin(LEAVING);
        self.settings.care.end(context)
    }

    /// Works off what a worker can claim, `left` items at most. False when it was told to end meanwhile.
    fn run_claims(
        &self,
        context: &mut dyn Context,
        place: &Place<'_>,
        mut left: Option<u64>,
        scales: &mut Scales,
        message: &mut Message,
    ) -> Outcome<bool> {
        let (desk, worker) = (place.desk, place.worker);
        let weighs = self.settings.care.max_memory.is_some();
        let mut is_heavy = false;
        // An item with a time-out is a claim of its own, and so is one of a worker that is soon replaced.
        let single = self.settings.timeout.is_some() || left.is_some();
        while left != Some(0) && !is_heavy {
            let chunk = self.settings.chunk.or(single.then_some(1));
            let chunk = chunk.map(|chunk| chunk.min(left.unwrap_or(chunk)));
            let Some((start, mut end)) = self.claim(worker, chunk)? else {
                break;
            };
            let began = clock::now();
            let is_measured = end - start <= MOST_MEASURED;
            let mut since = began;
            let protected = context.protected();
            let mut item = start;
            while item < end && !desk.stopped_at(item) {
                if chunk.is_none() {
                    end = desk.end_of_claim(item, end);
                }
                self.one_item(context, place, item, message)?;
                if is_measured {
                    let now = clock::now();
                    let length = now - std::mem::replace(&mut since, now);
                    self.job.note_length(worker, item, length);
                }
                if !item::collect_if_wanted(context)? {
                    return Ok(false);
                }
                is_heavy = weighs && scales.is_too_heavy();
                if is_heavy {
                    end = desk.give_back(item, end);
                }
                item += 1;
                if is_heavy {
                    break;
                }
            }
            context.release(protected);
            if is_heavy && item < end {
                // What it gave back before is still there. So it leaves with the claim in its hands, as if it had died: what is left
                // of that goes to the one in its place.
                break;
            }
            if !is_measured {
                let length = clock::now() - began;
                self.job.note_length(worker, start, length);
            }
            left = left.map(|left| left.saturating_sub(end - start));
            self.job.end_claim(worker, end - start, began);
        }
        Ok(true)
    }

    /// The next items of a worker; `None` when it has nothing more to do. While others have more than they are at, it waits for what
    /// they give back, unless the length of claims is fixed.
    fn claim(&self, worker: u64, chunk: Option<u64>) -> Outcome<Option<(u64, u64)>> {
        let first = self.job.claim(worker, chunk);
        if first.is_some() || chunk.is_some() {
            return Ok(first);
        }
        // Who waited for this worker's part of the items waits for somebody else now.
        self.job.tell_hungry();
        let awaited = [self.job.awaited_rest()];
        let spec = WaitSpec::new(Operation::Work, &awaited, self.place);
        let claimed = || {
            Ok(match self.job.claim(worker, chunk) {
                None if self.job.is_rest_coming() => None,
                claim => Some(claim),
            })
        };
        match wait::wait(&spec, claimed) {
            Ok(claim) => Ok(claim.flatten()),
            // Nobody can give anything back.
            Err(error) if [codes::DEADLOCK, codes::END_OF_STREAM].contains(&error.code) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn one_item(
        &self,
        context: &mut dyn Context,
        place: &Place<'_>,
        index: u64,
        message: &mut Message,
    ) -> Outcome<()> {
        let desk = place.desk;
        let Some(value) = self.items.get(index as usize) else {
            return Ok(());
        };
        if self.bar.is_some() {
            self.job.mark_time(place.worker);
        }
        if self.journal.is_some() && self.job.is_finished(index) {
            // An earlier run has done it.
            return Ok(());
        }
        desk.begin(index);
        let call = |context: &mut dyn Context| {
            random::begin_item(self.stream, index);
            context.call(self.function, std::slice::from_ref(&value))
        };
        let Settings { retry, timeout, .. } = &self.settings;
        let mut result = match retry.is_plain() && timeout.is_none() {
            true => call(context),
            false => retry.attempts(context, &(&self.job, index), |context| {
                item::within(*timeout, || call(context))
            }),
        };
        file_gather::settle(&mut result);
        if let Some(capture) = place.capture {
            // Before it is finished: then all that it has printed is marked.
            capture.mark(index);
        }
        if let Ok(value) = result
            && let Some(plain) = item::plain(value)
            && desk.finish(index, plain)
        {
            return Ok(());
        }
        let collect = self.settings.collect;
        if self.journal.is_some() {
            let result = result.and_then(|value| {
                let has_structs = !item::is_word(value) && check_lasting(value)?;
                Ok((value, has_structs))
            });
            return item::settle_kept(context, &self.job, index, result, collect, message);
        }
        item::settle(context, &self.job, index, result, collect, message)
    }
}

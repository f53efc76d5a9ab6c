//! Reading the source of a stream, a little ahead of the results.
//!
//! What was read is handed in when there is enough of it, when reading has taken a while, or when the source makes this process
//! wait: the stream is a tender, so no item that was read waits for the next one.

use super::super::super::travel;
use super::super::future::FutureHandle;
use super::super::map::error_of_item;
use super::super::workers::packed::Packed;
use super::super::workers::parcel::Parcel;
use super::super::workers::task::PART_TIME;
use super::Stream;
use super::part::Part;
use crate::diag::{Error, Result, codes};
use crate::os::clock;
use crate::process::pool::job::Job;
use crate::process::pool::reading::{self, Reader};
use crate::process::pool::spool::Spool;
use crate::process::tenders::Tender;
use crate::process::{Message, scope};
use crate::value::Value;
use crate::value::native::{Context, Fault, Outcome};
use crate::wire;

/// Hand-outs that are read ahead for each worker: one to work on, one to begin with at once.
pub(super) const AHEAD: usize = 2;
/// The most items of one hand-out that adapts itself: so many are in question when its worker dies.
const MOST_ITEMS: u64 = 4_096;

/// Items that were read and not handed in yet.
pub(super) struct Draft {
    /// For reports.
    pub(super) items: Vec<Value>,
    pub(super) parcel: Parcel,
    /// How many items it is to have.
    pub(super) aim: u64,
    /// When it was begun.
    pub(super) since: u64,
}

impl Stream {
    /// Reads ahead as far as is allowed.
    pub(super) fn fill(&self, context: &mut dyn Context) -> Outcome<()> {
        let most = self.plan.pool.tasks.workers() as usize * AHEAD;
        while !self.drained.get() && self.running.borrow().len() < most {
            // What was read goes out soon, and wherever the source waits it is asked as well.
            let is_read_on = self.draft.borrow().is_some();
            if self.plan.gathers && !is_read_on && self.needs_no_more() {
                return Ok(());
            }
            if self.has_many_kept() {
                break;
            }
            if !self.plan.gathers && !self.source.is_at_hand() && self.has_result() {
                // It is given out first: nobody knows how long the source takes.
                break;
            }
            match self.read(context) {
                Ok(Some(item)) => self.put(context, item)?,
                Ok(None) if self.is_asked_again() && !self.is_idle() => break,
                Ok(None) => self.drained.set(true),
                Err(Fault::Error(error)) if reading::is_break_off(&error) => break,
                Err(fault) => self.put_off(fault)?,
            }
        }
        Ok(self.hand_in_draft()?)
    }

    /// Asks the source for an item. What it computes and waits for ends when no more is needed; its waits alone when there is a
    /// result to be given out.
    fn read(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let (gathers, pauses) = (self.plan.gathers, self.source.may_break_off());
        let reader = self.me.upgrade().filter(|_| gathers || pauses);
        let reading = reader.map(|reader| reading::begin(reader, gathers, pauses));
        let before = self.asked.replace(true);
        let item = self.source.next(context);
        drop(reading);
        self.asked.set(before);
        if !before {
            self.wake(false);
        }
        item
    }

    /// Says whether this process is woken by the end of each hand-out, whatever it waits for then. Begun by the tender: most sources
    /// have their items without a wait.
    fn wake(&self, wakes: bool) {
        if self.wakes.replace(wakes) != wakes {
            let running = self.running.borrow();
            let futures = running.iter().map(|part| &part.handle.future);
            futures.for_each(|future| future.wakes_reader(wakes));
        }
    }

    /// Whether the source is left, when it would wait, for a result that has come. Then its end is none as long as something is at
    /// work: what comes of that may be what it waits for.
    fn is_asked_again(&self) -> bool {
        !self.plan.gathers && self.source.may_break_off()
    }

    /// Whether nothing is at work.
    fn is_idle(&self) -> bool {
        self.running.borrow().is_empty() && self.draft.borrow().is_none()
    }

    /// Whether there is a result to be given out, or a hand-out to be looked after that is over.
    fn has_result(&self) -> bool {
        self.running.try_borrow().is_ok_and(|running| {
            let waits_for_first = self.plan.ordered && !self.plan.gathers;
            let first = if waits_for_first { 1 } else { running.len() };
            let mut first = running.iter().take(first);
            first.any(|part| part.handle.future.state().is_final())
        })
    }

    /// Puts an item behind those that were read, and hands them in when it is time.
    fn put(&self, context: &mut dyn Context, item: Value) -> Outcome<()> {
        // Nothing from here on collects before the item is in the draft.
        if self.has_journal() && self.was_finished(context, item)? {
            return Ok(());
        }
        // Most items of the maps in which each instruction counts are numbers.
        let small = wire::encode_small(item);
        let packed = match &small {
            Some(_) => Ok(Message::default()),
            None => travel::pack_with_globals(context, item),
        };
        let message = match packed {
            Ok(message) => message,
            Err(fault) => return Err(self.blame(context, fault, item)),
        };
        if self.draft.borrow().is_none() {
            let draft = self.begin_draft(context)?;
            *self.draft.borrow_mut() = Some(draft);
        }
        let mut is_due = false;
        if let Some(draft) = &mut *self.draft.borrow_mut() {
            draft.items.push(item);
            match &small {
                Some(small) => draft.parcel.items.push_small(small),
                None => draft.parcel.items.push(&message),
            }
            is_due = draft.items.len() as u64 >= draft.aim
                || clock::now().saturating_sub(draft.since) >= PART_TIME;
        }
        self.read.set(self.read.get() + 1);
        match is_due {
            true => Ok(self.hand_in_draft()?),
            false => Ok(()),
        }
    }

    /// The error of an item that cannot travel, with the item.
    pub(super) fn blame(&self, context: &mut dyn Context, fault: Fault, item: Value) -> Fault {
        let error = match fault {
            Fault::Exit(code) => return Fault::Exit(code),
            fault => travel::error_value(context, fault).unwrap_or(Value::Nil),
        };
        let index = self.read.get();
        match error_of_item(context, error, self.plan.method, index, item, self.place) {
            Ok(error) => Fault::Thrown(error),
            Err(fault) => fault,
        }
    }

    fn begin_draft(&self, context: &mut dyn Context) -> Outcome<Draft> {
        let mut shared = None;
        let plan = &self.plan;
        if let (None, Some(function)) = (&*self.function.borrow(), plan.function) {
            shared = Some(plan.pool.share(context, function)?);
        }
        if shared.is_some() {
            *self.function.borrow_mut() = shared;
        }
        let function = self.function.borrow().clone();
        Ok(Draft {
            items: Vec::new(),
            parcel: Parcel {
                work: plan.work,
                function,
                stream: self.stream,
                base: self.read.get(),
                job: None,
                collect: plan.collect,
                limit: plan.limits.timeout,
                lasting: self.has_journal(),
                divides: plan.chunk.is_none(),
                spool: None,
                retries: plan.limits.retries,
                items: Packed::default(),
            },
            aim: self.aim(),
            since: clock::now(),
        })
    }

    /// How many items the next hand-out is to have.
    fn aim(&self) -> u64 {
        let most = self.plan.pool.tasks.limits().max_tasks.unwrap_or(u64::MAX);
        if let Some(chunk) = self.plan.chunk {
            return chunk.min(most);
        }
        let (tasks, busy) = self.plan.pool.work_done();
        let (tasks, busy) = (
            tasks - self.before.0.min(tasks),
            busy - self.before.1.min(busy),
        );
        // One item at a time until something is known; a time limit is told apart best for single items.
        match busy.checked_div(tasks) {
            Some(each) if self.plan.limits.timeout.is_none() => {
                (PART_TIME / each.max(1)).clamp(1, MOST_ITEMS).min(most)
            }
            _ => 1,
        }
    }

    /// Hands in what was read. It makes nothing on the heap, so it may happen wherever this process waits.
    pub(super) fn hand_in_draft(&self) -> Result<()> {
        let Some(mut draft) = self.draft.take() else {
            return Ok(());
        };
        let (handle, spool) = match self.hand_in(&mut draft) {
            Ok(handed_in) => handed_in,
            Err(error) => {
                *self.draft.borrow_mut() = Some(draft);
                return Err(error);
            }
        };
        let part = Part::new(draft, handle, spool);
        self.running.borrow_mut().push_back(part);
        Ok(())
    }

    pub(super) fn hand_in(&self, draft: &mut Draft) -> Result<(FutureHandle, Option<Spool>)> {
        let relay = self.relay.as_ref();
        let spool = match relay.map(|relay| relay.try_borrow_mut()) {
            Some(Ok(mut relay)) => Some(relay.spool()?),
            // What was printed is being told: later.
            Some(Err(_)) => return Err(Error::new(codes::INTERNAL, "prints are being told")),
            None => None,
        };
        draft.parcel.spool = spool.as_ref().map(Spool::address);
        let count = draft.items.len() as u64;
        if count > 1 || self.plan.gathers {
            // Errors of items are told one by one, and each item is tried again by itself.
            draft.parcel.job = Some(Job::new(count, 0, true, self.plan.collect)?);
            draft.parcel.collect = self.plan.collect || !self.plan.gathers;
            draft.parcel.retries = 0;
        }
        let handle = self.plan.pool.hand_in_parcel(&draft.parcel, 0)?;
        handle.future.wakes_reader(self.wakes.get());
        Ok((handle, spool))
    }

    /// Keeps an error until the results of what was handed in before have been delivered. What ends this process is not
    /// put off, and where all results are wanted at once nothing is.
    pub(super) fn put_off(&self, fault: Fault) -> Outcome<()> {
        self.drained.set(true);
        let report = match &fault {
            Fault::Exit(_) => return Err(fault),
            Fault::Error(error) => Some(&**error),
            Fault::Thrown(Value::Error(error)) => Some(&*error.report),
            Fault::Thrown(_) => None,
        };
        let ends = |report: &&Error| {
            [codes::INTERRUPTED, codes::CANCELLED].contains(&report.code)
                || report.code == codes::TIMEOUT && scope::is_late()
        };
        match report {
            // The source was told to end because of what is raised anyway.
            Some(report) if reading::is_end_of_reading(report) => return Ok(()),
            // What the source is in the middle of ends, whatever function of the script it was raised in.
            Some(_) if report.filter(ends).is_some() => return Err(fault),
            _ if self.plan.gathers && !self.needs_no_more() => return Err(fault),
            _ => *self.broken.borrow_mut() = Some(fault),
        }
        Ok(())
    }
}

impl Reader for Stream {
    fn needs_no_more(&self) -> bool {
        self.plan.pool.has_failed()
            || self
                .broken
                .try_borrow()
                .is_ok_and(|broken| broken.is_some())
            || self.running.try_borrow().is_ok_and(|running| {
                running
                    .iter()
                    .any(|part| part.has_failed(&self.plan) || part.broken_at().is_some())
            })
    }

    fn is_wanted_elsewhere(&self) -> bool {
        self.starting.get() || self.has_result()
    }
}

impl Tender for Stream {
    fn is_due(&self) -> bool {
        let has_draft = self.draft.try_borrow().is_ok_and(|draft| draft.is_some());
        let has_lost = || {
            let goes_on =
                |part: &Part| part.may_go_on(&self.plan) || self.asked.get() && part.has_rest();
            let running = self.running.try_borrow();
            running.is_ok_and(|running| running.iter().any(goes_on))
        };
        let sleeps = self.asked.get() && !self.wakes.get();
        sleeps || has_draft || has_lost() || self.is_keeping_due()
    }

    fn tend(&self) {
        if self.asked.get() && self.running.try_borrow().is_ok() {
            self.wake(true);
        }
        if self.is_keeping_due() {
            self.keep_meanwhile();
        }
        // What fails is tried again when the reading goes on.
        let relay = self.relay.as_ref();
        if self.draft.try_borrow_mut().is_ok()
            && self.running.try_borrow_mut().is_ok()
            && relay.is_none_or(|relay| relay.try_borrow_mut().is_ok())
        {
            let _ = self.hand_in_draft();
        }
        if let Ok(mut running) = self.running.try_borrow_mut() {
            for part in running.iter_mut().filter(|part| part.may_go_on(&self.plan)) {
                if part.go_on(&self.plan).is_ok() {
                    part.handle.future.wakes_reader(self.wakes.get());
                }
            }
        }
        if self.asked.get()
            && let Err(error) = self.share_rests()
        {
            self.break_down(error);
        }
    }
}

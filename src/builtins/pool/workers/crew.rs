//! The workers of a pool in the process that owns it: who puts others in their place, and when.

use super::super::super::spawn;
use super::super::budget;
use super::super::death::never_ready;
use super::{Pool, end_all};
use crate::diag::{Error, Result, codes};
use crate::os::{clock, fork};
use crate::process::pool::future::Future;
use crate::process::pool::tasks::Closing;
use crate::process::wait::{self, Operation, WaitSpec};
use crate::process::{ChildOutcome, Ended, Process, SpawnSpec, finish, signals, spawn as nouns};
use crate::source::Span;
use crate::value::native::{Context, Fault, Outcome};

/// How long a worker has to come to the end of its item when its map is over, in nanoseconds, before it is cancelled there.
const STOPS_BY_ITSELF: u64 = 10_000_000;

/// Whether the system has refused a further process.
pub fn is_refusal(error: &Error) -> bool {
    [codes::IO, codes::LIMIT].contains(&error.code)
}

impl Pool {
    /// Looks after the workers: notes how the dead ended, and puts others in their place.
    pub fn look_after(&self) -> Result<()> {
        let seats = self.crew.borrow().len();
        let wanted = self.tasks.workers() as usize;
        for worker in 0..seats {
            let process = self.crew.borrow().get(worker).cloned().flatten();
            if let Some(process) = process {
                // Not before what it had in its hands was given back: another would write over its record.
                let Some(ended) = process.ended().filter(|_| process.is_gone()) else {
                    continue;
                };
                process.observe();
                let idly =
                    !matches!(ended, Ended::Returned(_)) && self.tasks.died_idly(worker as u64);
                let worked_off = self.tasks.worked_off();
                let too_many = self.fruitless.count(idly, worked_off, &ended);
                self.settle(worker);
                self.seat(worker, None);
                let is_lost = self.lost_init && !matches!(ended, Ended::Returned(_));
                let late = self.tasks.progress(worker as u64).ready == 0
                    && self.care.late(&process, &ended, true).is_some();
                if self.tasks.is_leaving(worker as u64) {
                    // Its `exit` failed: the others go on, and the pool tells of it at its end.
                    let told = self.tasks.closing() != Closing::Terminated;
                    let failed = !matches!(ended, Ended::Returned(_) | Ended::Exited(0));
                    if failed && told && self.care.has_exit() {
                        let mut failed = self.failed_exit.borrow_mut();
                        failed.get_or_insert((process, ended));
                    }
                } else if self.tasks.closing() == Closing::Terminated {
                    // Who was ended in the middle of its `init` has not failed.
                } else if matches!(ended, Ended::Raised(_)) || is_lost || late || too_many {
                    // `init` failed: every other worker would fail as well.
                    *self.failed.borrow_mut() = Some((process.clone(), ended.clone()));
                    *self.hopeless.borrow_mut() = Some((process, ended));
                    self.kill(self.place);
                    return Ok(());
                }
            }
            // After Ctrl-C what waits is not begun; who goes on all the same gets workers when the grace is over.
            if worker < wanted && self.wants_workers() && !signals::is_in_grace() {
                match self.hire(worker) {
                    // The system gives no more now: those that there are go on, and it is tried again.
                    Err(error)
                        if is_refusal(&error) && self.crew.borrow().iter().any(Option::is_some) => {
                    }
                    hired => hired?,
                }
            }
        }
        Ok(())
    }

    /// Whether an empty seat is to be filled.
    pub(super) fn wants_workers(&self) -> bool {
        match self.tasks.closing() {
            _ if self.lost_init || finish::is_ending() => false,
            // The first worker is to be there whoever hands something in, and wherever the owner is then.
            Closing::Open if self.care.idle.is_some() => {
                self.tasks.crew_size() == 0 || self.tasks.waiting() > 0
            }
            Closing::Open => true,
            // What the dead worker had is back among the waiting; the rest is in the hands of others.
            // Who is in the middle of a map will hand in more.
            Closing::Closed => self.tasks.waiting() > 0 || self.tasks.has_maps(),
            Closing::Terminated => false,
        }
    }

    /// Ends hand-outs of a map that is over: what no worker has taken is not begun, and who is in the middle of an item is cancelled.
    /// What this process was told meanwhile is raised when they have ended.
    pub fn end_hand_outs(&self, futures: &[Future], place: Option<Span>) -> Result<()> {
        futures.iter().for_each(Future::give_up);
        // Who is at short items stops behind one by itself.
        let awaited = [self.tasks.awaited(1)];
        let mut spec = WaitSpec::new(Operation::Pool, &awaited, place);
        spec.deadline = Some(clock::now() + STOPS_BY_ITSELF);
        let all_over = || futures.iter().all(|future| future.state().is_final());
        let waited = wait::wait(&spec, || Ok(all_over().then_some(())));
        let me = fork::pid();
        let crew = futures.iter().filter_map(Future::abandon);
        let crew: Vec<Process> = crew.filter(|worker| worker.pid() != Some(me)).collect();
        let ended = end_all(&crew, place);
        waited?;
        ended
    }

    /// Raises what the `init` of a worker raised, once.
    pub(super) fn raise_failure(&self, context: &mut dyn Context) -> Outcome<()> {
        let failed = self.failed.borrow_mut().take();
        self.raise(context, failed)
    }

    /// What an attempt to hand something in came to: where the workers could not begin, that is why.
    pub fn told_why<T>(&self, context: &mut dyn Context, outcome: Outcome<T>) -> Outcome<T> {
        let Err(Fault::Error(error)) = &outcome else {
            return outcome;
        };
        if error.code == codes::CLOSED {
            self.failed.borrow_mut().take();
            let why = self.hopeless.borrow().clone();
            self.raise(context, why)?;
        }
        outcome
    }

    /// At the end of this process, or when nobody can use the pool any more: tells that its workers could not begin, when nobody was.
    pub(super) fn tell_failure(&self) {
        if let Some((process, _)) = self.failed.borrow_mut().take() {
            finish::tell_of_worker(&process);
        }
    }

    fn raise(&self, context: &mut dyn Context, failed: Option<(Process, Ended)>) -> Outcome<()> {
        match failed {
            Some((process, ended @ Ended::Raised(_))) => {
                spawn::value_of(context, &process, ended).map(|_| ())
            }
            Some((process, ended)) => Err(match self.care.late(&process, &ended, true) {
                Some(late) => late.into(),
                None => never_ready(self.fruitless.deaths(), &process, &ended).into(),
            }),
            None => Ok(()),
        }
    }

    /// Raises what the `exit` of a worker raised, once, or that it took too long.
    pub(super) fn raise_failed_exit(&self, context: &mut dyn Context) -> Outcome<()> {
        let Some((process, ended)) = self.failed_exit.borrow_mut().take() else {
            return Ok(());
        };
        self.care.raise_end(context, &process, ended)
    }

    pub(super) fn seat(&self, worker: usize, process: Option<Process>) {
        if let Some(seat) = self.crew.borrow_mut().get_mut(worker) {
            *seat = process;
        }
    }

    /// Books the time of a worker that has ended.
    pub(super) fn settle(&self, worker: usize) {
        let ready = self.tasks.progress(worker as u64).ready;
        if let Some(tally) = self.tallies.borrow_mut().get_mut(worker) {
            tally.leave(ready);
        }
    }

    pub(super) fn hire(&self, worker: usize) -> Result<()> {
        let spec = SpawnSpec {
            name: Some(budget::worker_name(worker as u64)),
            daemon: true,
            worker: true,
            place: self.place,
            ..SpawnSpec::default()
        };
        let process = nouns::prepare(&spec)?;
        let began = clock::now();
        process.start(&self.holds, || {
            let work = |context: &mut dyn Context| self.worker(context, worker as u64);
            // Without a machine nothing can be done; nobody hires then (see `is_due`).
            self.seat.go_on(work).unwrap_or(ChildOutcome::Exited(1))
        })?;
        if let Some(tally) = self.tallies.borrow_mut().get_mut(worker) {
            tally.hire(began);
        }
        self.seat(worker, Some(process));
        Ok(())
    }
}

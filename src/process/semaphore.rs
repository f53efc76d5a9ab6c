//! Semaphores. What is stored is who has how many permits, not how many are left: so the permits of a dead process are
//! back the moment its entry is struck out, and every step is one store.
//!
//! A process has a permit of those that the semaphore was made with. What `release` adds beyond them is a signal, which an
//! `acquire` uses up: nobody has it then, and nothing comes back when its taker ends.

use super::deadlock::{self, Enders, WaitOps};
use super::roster::Roster;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, Full, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Cell: permits in all, those that somebody has included.
const TOTAL: usize = 0;
/// Cell: not 0 when it must never have more permits than at the beginning.
const BOUNDED: usize = 1;
/// Cell: permits that it was made with.
const MADE_WITH: usize = 2;

/// A semaphore of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semaphore {
    hold: Hold,
}

impl Semaphore {
    /// A semaphore with `permits`; a bounded one refuses to be released more often than it was acquired.
    pub fn new(permits: u64, bounded: bool) -> Result<Semaphore> {
        super::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Semaphore, |arena, object| {
                object.cells[TOTAL].store(permits, Ordering::Relaxed);
                object.cells[MADE_WITH].store(permits, Ordering::Relaxed);
                object.cells[BOUNDED].store(u64::from(bounded), Ordering::Relaxed);
                Roster::create(arena, object)
            })
        })?;
        Ok(Semaphore { hold })
    }

    /// The semaphore of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Semaphore> {
        let hold = Some(id)
            .filter(|id| id.kind == ObjectKind::Semaphore)
            .and_then(Hold::adopt)?;
        Some(Semaphore { hold })
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// Takes a permit; false when `timeout` seconds pass first.
    pub fn acquire(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        let awaited = [Awaited {
            id: self.id(),
            object: self.hold.object(),
            side: 0,
        }];
        let spec = WaitSpec::new(Operation::Acquire, &awaited, place).with_timeout(timeout);
        let result = wait::wait(&spec, || {
            arena::when_full(|| self.take(arena::me())).map(|taken| taken.then_some(()))
        });
        Ok(result?.is_some())
    }

    fn take(&self, me: SlotRef) -> std::result::Result<bool, Full> {
        let (Some(arena), object) = (arena::get(), self.hold.object()) else {
            return Ok(false);
        };
        let _guard = object.lock();
        let roster = Roster::of(arena, object);
        let taken = taken(&roster);
        if object.cells[TOTAL].load(Ordering::SeqCst) <= taken {
            return Ok(false);
        }
        if taken < object.cells[MADE_WITH].load(Ordering::Relaxed) {
            roster.set(me, roster.get(me).unwrap_or(0) + 1)?;
        } else {
            object.cells[TOTAL].fetch_sub(1, Ordering::SeqCst);
        }
        crash_point!("semaphore: permit taken");
        Ok(true)
    }

    /// Gives a permit back: this process's own, else one that another has taken (a semaphore may be used to signal),
    /// else it adds one, which a bounded semaphore refuses.
    pub fn release(&self) -> Result<()> {
        let (Some(arena), object) = (arena::get(), self.hold.object()) else {
            return Ok(());
        };
        let me = arena::me();
        let guard = object.lock();
        let roster = Roster::of(arena, object);
        let own = roster
            .get(me)
            .filter(|&count| count > 0)
            .map(|count| (me, count));
        let taken = own.or_else(|| roster.entries().into_iter().find(|&(_, count)| count > 0));
        match taken {
            Some((who, 1)) => {
                roster.remove(who);
            }
            // The entry exists, so there is nothing to make room for.
            Some((who, count)) => roster.set(who, count - 1)?,
            None if object.cells[BOUNDED].load(Ordering::Relaxed) != 0 => {
                let total = object.cells[TOTAL].load(Ordering::Relaxed);
                return Err(Error::new(
                    codes::VALUE,
                    format!(
                        "a bounded semaphore has at most {total} permits, but all of them are free already"
                    ),
                ));
            }
            None if object.cells[TOTAL].load(Ordering::Relaxed) >= i64::MAX as u64 => {
                let message = format!(
                    "a semaphore has at most {} permits, but this would be one more",
                    i64::MAX
                );
                return Err(Error::new(codes::LIMIT, message));
            }
            None => {
                object.cells[TOTAL].fetch_add(1, Ordering::SeqCst);
            }
        }
        crash_point!("semaphore: permit given back");
        drop(guard);
        object.events[0].notify(1);
        Ok(())
    }

    /// Permits that can be taken now.
    pub fn value(&self) -> u64 {
        let object = self.hold.object();
        let _guard = object.lock();
        arena::get().map_or(0, |arena| available(arena, object))
    }

    /// `<semaphore 2 free>`.
    pub fn show(&self) -> String {
        format!("<semaphore {} free>", self.value())
    }
}

/// How many permits processes have.
fn taken(roster: &Roster<'_>) -> u64 {
    roster.entries().iter().map(|(_, count)| count).sum()
}

fn available(arena: &Arena, object: &Object) -> u64 {
    let total = object.cells[TOTAL].load(Ordering::SeqCst);
    total.saturating_sub(taken(&Roster::of(arena, object)))
}

/// Tells the arena and the deadlock detector about semaphores.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: kinds::visit_payload,
        destroy: kinds::destroy_payload,
        bury: |arena, object, _, dead| {
            let guard = object.lock();
            Roster::of(arena, object).remove(dead);
            drop(guard);
            object.events[0].notify_all();
        },
    };
    static WAIT: WaitOps = WaitOps {
        noun: "semaphore",
        keepers: deadlock::no_keepers,
        ready: |arena, object, _, _, _| {
            let _guard = object.lock();
            available(arena, object) > 0
        },
        enders: |_, _, _, _, _| Enders::Holders,
    };
    kinds::register(ObjectKind::Semaphore, &KIND);
    deadlock::register(ObjectKind::Semaphore, &WAIT);
}

//! Conditions: waiting, with a lock let go meanwhile, until somebody notifies.
//!
//! Not a pthread condition variable, which a death breaks. Who waits is written down with a ticket; to notify is to mark
//! the oldest of them that live, so a waiter that has died or given up never swallows a notification. Who was notified stays
//! written down until it has the lock back: if it dies or is cancelled before, the notification is another's.

use super::deadlock::{self, Enders, WaitOps};
use super::lock::Lock;
use super::roster::Roster;
use super::wait::{self, Awaited, Operation, WaitSpec};
use super::willing;
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Cell: the handle of the lock.
const LOCK: usize = 0;
/// Cell: the next ticket.
const TICKET: usize = 1;
/// In an entry: set when it has been notified; the ticket stands above it.
const NOTIFIED: u64 = 1;

/// A condition of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    hold: Hold,
    lock: Lock,
}

impl Condition {
    /// A condition with the given lock, or with a lock of its own.
    pub fn new(lock: Option<Lock>) -> Result<Condition> {
        super::start()?;
        let lock = match lock {
            Some(lock) => lock,
            None => Lock::new(true)?,
        };
        let bits = lock.id().to_bits();
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Condition, |arena, object| {
                object.cells[LOCK].store(bits, Ordering::Relaxed);
                Roster::create(arena, object)
            })
        })?;
        Ok(Condition { hold, lock })
    }

    /// The condition of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Condition> {
        let hold = Some(id)
            .filter(|id| id.kind == ObjectKind::Condition)
            .and_then(Hold::adopt)?;
        let lock = hold.object().cells[LOCK].load(Ordering::Acquire);
        let lock = Lock::from_id(HandleId::from_bits(lock)?)?;
        Some(Condition { hold, lock })
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// Its lock, which `lock c { }` takes.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    fn must_hold(&self, what: &str) -> Result<()> {
        if self.lock.is_mine() {
            return Ok(());
        }
        Err(Error::new(
            codes::VALUE,
            format!("`{what}` of a condition needs its lock, but this process does not hold it"),
        )
        .with_help(format!("lock c {{ c.{what}() }}")))
    }

    /// Lets the lock go, waits until it is notified, and takes the lock again; false when `timeout` seconds pass first.
    /// Whatever happens, the lock is held again afterwards, unless taking it raises an error itself.
    pub fn wait(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        self.must_hold("wait")?;
        let (arena, object, me) = (super::start()?, self.hold.object(), arena::me());
        arena::when_full(|| {
            let _guard = object.lock();
            let ticket = object.cells[TICKET].fetch_add(1, Ordering::Relaxed);
            Roster::of(arena, object).set(me, ticket << 1)
        })?;
        crash_point!("condition: entered");
        let again = self.lock.release_fully();
        crash_point!("condition: lock let go");
        let awaited = [Awaited {
            id: self.id(),
            object,
            side: 0,
        }];
        let spec = WaitSpec::new(Operation::WaitCondition, &awaited, place).with_timeout(timeout);
        let notified = || is_notified(arena, object, me).then_some(());
        let waited = wait::wait(&spec, || Ok(notified()));
        // Who is to collect and to come back has the notification that came meanwhile.
        let goes_on = waited.is_ok() || willing::was_asked();
        let was_notified = leave_unless_notified(arena, object, me, goes_on);
        crash_point!("condition: left");
        // An error that is on its way out must not swallow the news of a death: the next who takes the lock meets it.
        let retaken = self.lock.retake(again, place, goes_on);
        crash_point!("condition: lock is back");
        if was_notified {
            let _guard = object.lock();
            strike_out(arena, object, me, retaken.is_err());
        }
        if goes_on && (was_notified || retaken.is_err()) {
            // It is over.
            willing::take_back();
            return retaken.map(|()| was_notified);
        }
        waited?;
        retaken?;
        Ok(was_notified)
    }

    /// Wakes the `count` processes that have waited longest.
    pub fn notify(&self, count: usize) -> Result<()> {
        self.must_hold("notify")?;
        self.pass_on(count);
        Ok(())
    }

    /// Wakes everybody who waits.
    pub fn notify_all(&self) -> Result<()> {
        self.must_hold("notify_all")?;
        self.pass_on(usize::MAX);
        Ok(())
    }

    fn pass_on(&self, count: usize) {
        if let Some(arena) = arena::get() {
            let object = self.hold.object();
            let _guard = object.lock();
            mark(arena, object, count);
        }
    }

    /// `<condition 2 waiting>`.
    pub fn show(&self) -> String {
        let object = self.hold.object();
        let _guard = object.lock();
        let waiting = arena::get().map_or(0, |arena| waiting(arena, object).len());
        format!("<condition {waiting} waiting>")
    }
}

/// Those that wait and were not notified, oldest first. The mutex is held.
fn waiting(arena: &Arena, object: &Object) -> Vec<(SlotRef, u64)> {
    let mut entries = Roster::of(arena, object).entries();
    entries.retain(|&(who, what)| what & NOTIFIED == 0 && arena.is_alive(who));
    entries.sort_by_key(|&(_, what)| what);
    entries
}

/// Marks and wakes the oldest that wait. The mutex is held.
fn mark(arena: &Arena, object: &Object, count: usize) {
    for (who, what) in waiting(arena, object).into_iter().take(count) {
        // The entry exists, so nothing has to grow.
        let _ = Roster::of(arena, object).set(who, what | NOTIFIED);
        crash_point!("condition: marked");
        wait::wake_process(arena, who);
    }
}

/// Strikes a process out at the end of its wait, unless it was notified and goes on to take the lock: whether it is so.
fn leave_unless_notified(arena: &Arena, object: &Object, me: SlotRef, goes_on: bool) -> bool {
    let _guard = object.lock();
    let entry = Roster::of(arena, object).get(me);
    let notified = entry.is_some_and(|entry| entry & NOTIFIED != 0);
    if !(notified && goes_on) {
        strike_out(arena, object, me, notified);
    }
    notified && goes_on
}

/// Strikes a process out, and notifies another one first if its notification is to be handed on: whoever dies in between
/// wakes one too many and not one too few. The mutex is held.
fn strike_out(arena: &Arena, object: &Object, who: SlotRef, hands_on: bool) {
    if hands_on {
        mark(arena, object, 1);
    }
    Roster::of(arena, object).remove(who);
}

fn is_notified(arena: &Arena, object: &Object, who: SlotRef) -> bool {
    let _guard = object.lock();
    let entry = Roster::of(arena, object).get(who);
    entry.is_some_and(|entry| entry & NOTIFIED != 0)
}

/// Tells the arena and the deadlock detector about conditions.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: |_, object, visitor| {
            if object.payload() != 0 {
                visitor.block(object.payload());
            }
            if let Some(id) = HandleId::from_bits(object.cells[LOCK].load(Ordering::Acquire)) {
                visitor.handle(id);
            }
        },
        destroy: kinds::destroy_payload,
        bury: |arena, object, _, dead| {
            let _guard = object.lock();
            let entry = Roster::of(arena, object).get(dead);
            let notified = entry.is_some_and(|entry| entry & NOTIFIED != 0);
            strike_out(arena, object, dead, notified);
        },
    };
    static WAIT: WaitOps = WaitOps {
        noun: "condition",
        keepers: deadlock::no_keepers,
        ready: |arena, object, _, _, who| is_notified(arena, object, who),
        enders: |_, _, _, _, _| Enders::Holders,
    };
    kinds::register(ObjectKind::Condition, &KIND);
    deadlock::register(ObjectKind::Condition, &WAIT);
}

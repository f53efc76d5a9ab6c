//! Events: a flag to wait for.
//!
//! How often it was set is counted beside the flag: who waits while it is set is released although it is taken down again
//! before he looks.

use super::deadlock::{self, Enders, WaitOps};
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::Result;
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Cell: bit 0 while it is set, above it how often it has been set. One word, so that a death leaves both or none.
const STATE: usize = 0;
/// The cell of a slot with the count at which its process began to wait for an event.
const BEGAN_CELL: usize = 8;

/// An event of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    hold: Hold,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Result<Event> {
        super::start()?;
        let hold = arena::when_full(|| Hold::create(ObjectKind::Event, |_, _| Ok(())))?;
        Ok(Event { hold })
    }

    /// The event of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Event> {
        let hold = Some(id)
            .filter(|id| id.kind == ObjectKind::Event)
            .and_then(Hold::adopt)?;
        Some(Event { hold })
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// Sets it and wakes everybody who waits.
    pub fn set(&self) {
        let object = self.hold.object();
        // Setting always succeeds: the count runs round.
        let set = |state: u64| Some((state | 1).wrapping_add(2));
        let _ = object.cells[STATE].fetch_update(Ordering::SeqCst, Ordering::SeqCst, set);
        crash_point!("event: set");
        object.events[0].notify_all();
    }

    /// Takes it down. Those who waited when it was set are released all the same.
    pub fn clear(&self) {
        self.hold.object().cells[STATE].fetch_and(!1, Ordering::SeqCst);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.hold.object().cells[STATE].load(Ordering::SeqCst) & 1 != 0
    }

    /// Waits until it is set, were it for a moment only; false when `timeout` seconds pass first.
    pub fn wait(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        let (arena, object, me) = (super::start()?, self.hold.object(), arena::me());
        let began = object.cells[STATE].load(Ordering::SeqCst) >> 1;
        arena.slot(me.index).cells[BEGAN_CELL].store(began, Ordering::SeqCst);
        let awaited = [self.awaited()];
        let spec = WaitSpec::new(Operation::WaitEvent, &awaited, place).with_timeout(timeout);
        Ok(wait::wait(&spec, || Ok(was_set(arena, object, me).then_some(())))?.is_some())
    }

    /// What a wait for it waits for, for `select`.
    pub fn awaited(&self) -> Awaited<'static> {
        Awaited {
            id: self.id(),
            object: self.hold.object(),
            side: 0,
        }
    }

    /// `<event set>`, `<event not set>`.
    pub fn show(&self) -> String {
        let text = if self.is_set() { "set" } else { "not set" };
        format!("<event {text}>")
    }
}

/// Whether it is set, or has been since a process began to wait.
fn was_set(arena: &Arena, object: &Object, who: SlotRef) -> bool {
    let state = object.cells[STATE].load(Ordering::SeqCst);
    let began = arena.slot(who.index).cells[BEGAN_CELL].load(Ordering::SeqCst);
    state & 1 != 0 || state >> 1 != began
}

/// Tells the arena and the deadlock detector about events.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: kinds::visit_payload,
        destroy: kinds::destroy_payload,
        bury: kinds::bury_nothing,
    };
    static WAIT: WaitOps = WaitOps {
        noun: "event",
        keepers: deadlock::no_keepers,
        ready: |arena, object, _, _, who| was_set(arena, object, who),
        enders: |_, _, _, _, _| Enders::Holders,
    };
    kinds::register(ObjectKind::Event, &KIND);
    deadlock::register(ObjectKind::Event, &WAIT);
}

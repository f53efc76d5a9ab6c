//! Events: a flag to wait for.

use super::deadlock::{self, Enders, WaitOps};
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, HandleId, Hold, ObjectKind};
use crate::crash_point;
use crate::diag::Result;
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Cell: 1 while it is set.
const SET: usize = 0;

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
        object.cells[SET].store(1, Ordering::SeqCst);
        crash_point!("event: set");
        object.events[0].notify_all();
    }

    /// Takes it down.
    pub fn clear(&self) {
        self.hold.object().cells[SET].store(0, Ordering::SeqCst);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.hold.object().cells[SET].load(Ordering::SeqCst) != 0
    }

    /// Waits until it is set; false when `timeout` seconds pass first.
    pub fn wait(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        let awaited = [self.awaited()];
        let spec = WaitSpec::new(Operation::WaitEvent, &awaited, place).with_timeout(timeout);
        Ok(wait::wait(&spec, || Ok(self.is_set().then_some(())))?.is_some())
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
        ready: |_, object, _, _, _| object.cells[SET].load(Ordering::SeqCst) != 0,
        enders: |_, _, _, _, _| Enders::Holders,
    };
    kinds::register(ObjectKind::Event, &KIND);
    deadlock::register(ObjectKind::Event, &WAIT);
}

//! Turns: a read-modify-write that is slower than the writes of others says so, and they leave it the time to come to its end.
//!
//! Whose turn it is stands in the object, and until when. It ends by itself and with the process, so that a computation which waits, is
//! stopped or dies holds nobody up for long; one that took longer than it had announced starts again, and announces more.

use super::super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::{self, Arena, HandleId, Hold, Object, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::os::clock;
use crate::source::Span;
use std::sync::atomic::Ordering;

/// The cell with the process whose turn it is ([`SlotRef::to_bits`]); 0 for nobody's.
const WHOSE: usize = 2;
/// Until when (monotonic nanoseconds).
const UNTIL: usize = 3;
/// Where others wait for its end.
const OVER: usize = 0;

/// The turn of this process at an object; dropping it ends it.
pub struct Turn {
    hold: Hold,
}

impl Turn {
    /// Takes the turn at an object for so many nanoseconds, behind others who have it.
    ///
    /// # Errors
    /// What ends a wait; the object is gone.
    pub fn take(id: HandleId, nanoseconds: u64, place: Option<Span>) -> Result<Turn> {
        let hold = Hold::adopt(id).ok_or_else(|| {
            Error::new(
                codes::INTERNAL,
                "a shared object that is changed exists, but this one does not",
            )
        })?;
        let turn = Turn { hold };
        turn.begin_again(nanoseconds, place)?;
        Ok(turn)
    }

    /// Has it for so many nanoseconds from now on. It may have come to its end, and be another's.
    ///
    /// # Errors
    /// What ends a wait.
    pub fn begin_again(&self, nanoseconds: u64, place: Option<Span>) -> Result<()> {
        let object = self.hold.object();
        let me = arena::me().to_bits();
        loop {
            let whose = object.cells[WHOSE].load(Ordering::Acquire);
            wait_for_others(&self.hold, place)?;
            let taken = object.cells[WHOSE].compare_exchange(
                whose,
                me,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            crash_point!("turn: taken");
            if taken.is_ok() {
                let until = clock::now().saturating_add(nanoseconds);
                object.cells[UNTIL].store(until, Ordering::Release);
                return Ok(());
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let object = self.hold.object();
        let me = arena::me().to_bits();
        let ended =
            object.cells[WHOSE].compare_exchange(me, 0, Ordering::AcqRel, Ordering::Relaxed);
        crash_point!("turn: given back");
        if ended.is_ok() {
            object.events[OVER].notify_all();
        }
    }
}

/// Before a change: waits while it is another's turn.
///
/// # Errors
/// What ends a wait.
#[inline]
pub(super) fn leave_to_others(hold: &Hold) -> Result<()> {
    match is_taken(hold.object()) {
        true => wait_for_others(hold, None),
        false => Ok(()),
    }
}

/// Whether it may be somebody's turn.
#[inline]
pub(super) fn is_taken(object: &Object) -> bool {
    object.cells[WHOSE].load(Ordering::Relaxed) != 0
}

/// Who else has the turn now, and until when.
fn other(arena: &Arena, object: &Object) -> Option<(SlotRef, u64)> {
    let whose = SlotRef::from_bits(object.cells[WHOSE].load(Ordering::Acquire))?;
    let until = object.cells[UNTIL].load(Ordering::Acquire);
    let is_theirs = whose != arena::me() && until > clock::now() && arena.is_alive(whose);
    is_theirs.then_some((whose, until))
}

#[cold]
fn wait_for_others(hold: &Hold, place: Option<Span>) -> Result<()> {
    let (arena, object) = (super::super::start()?, hold.object());
    while let Some((whose, until)) = other(arena, object) {
        let awaited = [Awaited {
            id: hold.id(),
            object,
            side: OVER,
        }];
        let mut spec = WaitSpec::new(Operation::Turn, &awaited, place);
        (spec.deadline, spec.watch) = (Some(until), Some(whose));
        let is_over = || other(arena, object).is_none_or(|(now, _)| now != whose);
        wait::wait(&spec, || Ok(is_over().then_some(())))?;
    }
    Ok(())
}

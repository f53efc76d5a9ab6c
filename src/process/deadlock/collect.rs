//! Whom a stuck group asks to collect before it is told so.

use super::super::wait::{self, Operation};
use super::{Blocked, COLLECT_CELL, Crowd, Enders, WILLING_CELL, Wait, lost, ops};
use crate::arena::{Arena, HandleId, SlotRef};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// Who was asked to let its collector look.
pub(super) enum Asked {
    Nobody,
    Others,
    Me,
}

/// Before the blocked are told so: those of them who have something in their hands that others wait for, by a handle that nobody
/// may keep any more, are asked to collect, once in each wait.
pub(super) fn ask_to_collect(arena: &Arena, blocked: &Blocked, me: SlotRef) -> Asked {
    let waited_for = blocked.values().flat_map(|(wait, _)| &wait.objects);
    let keepers =
        waited_for.filter_map(|&id| Some((ops(id.kind)?.keepers)(arena, arena.object(id)?)));
    // A worker that has nothing to do may hold what its last task had.
    let idle = blocked
        .iter()
        .filter(|(_, (wait, _))| wait.operation == Operation::Work);
    let idle = idle.map(|(process, _)| *process);
    // Who only holds what others wait for may have let it go long since: his collector alone knows.
    let by_holding = |(process, (wait, _)): &(&SlotRef, &(Wait, Crowd))| {
        match wait.operation {
            Operation::Get | Operation::Take | Operation::Recv => {}
            // Of somebody who has died the story tells as long as his end is there.
            Operation::Send | Operation::Select => {
                let mut objects = wait.objects.iter();
                if objects.any(|&id| lost(arena, id, wait.operation, **process).is_some()) {
                    return false;
                }
            }
            _ => return false,
        }
        let ends_by_holders = |&id: &HandleId| {
            let object = arena.object(id)?;
            let enders = (ops(id.kind)?.enders)(arena, object, id, wait.operation, **process);
            Some(matches!(enders, Enders::Holders | Enders::HoldersOf(_)))
        };
        let mut objects = wait.objects.iter();
        objects.any(|id| ends_by_holders(id).unwrap_or(false))
    };
    let holders = blocked.iter().filter(by_holding);
    let holders = holders.flat_map(|(_, (_, enders))| enders.iter().copied());
    // These two are left in the middle only where it must be: what they have been told is handed on then.
    let is_simple = |(wait, _): &(Wait, Crowd)| {
        !matches!(
            wait.operation,
            Operation::WaitCondition | Operation::WaitBarrier
        )
    };
    let holders = holders.filter(|holder| blocked.get(holder).is_some_and(is_simple));
    let keepers: HashSet<SlotRef> = keepers.flatten().chain(idle).chain(holders).collect();
    let mut asked = Asked::Nobody;
    for keeper in keepers {
        let Some((wait, _)) = blocked.get(&keeper) else {
            continue;
        };
        let slot = arena.slot(keeper.index);
        if slot.cells[WILLING_CELL].load(Ordering::SeqCst) != wait.epoch {
            continue;
        }
        if keeper == me {
            return Asked::Me;
        }
        slot.cells[COLLECT_CELL].store(wait.epoch, Ordering::SeqCst);
        wait::wake_process(arena, keeper);
        asked = Asked::Others;
    }
    asked
}

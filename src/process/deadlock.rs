//! Deadlock detection: from the wait records of the process table.
//!
//! Every process that has slept for a while asks: who could end my wait, who could end theirs, and so on? If that leads to
//! anybody who runs, has a time-out, sleeps or waits for the outside, all is well. Otherwise the processes found wait for
//! each other alone, and the smallest group among them whose waits only its own members could end is reported, by the
//! member that was spawned last.
//!
//! Why it is never wrong: the records of all members are read, then all over again, with whether any of their waits could
//! end at once and who could end them, then the records once more. If no record has changed and nobody is up to look at its
//! condition, all members were asleep during the second reading, so nobody who could change the objects did; and whoever else
//! could come to hold one of the objects is part of the question. (One reading is not enough: between a look at the first
//! member's objects and at the second member's record, the second may have ended the first one's wait and gone to sleep.)

mod collect;
mod components;
mod report;

use super::tenders::PENDING_CELL;
use super::wait::{Awaited, Operation};
use super::{barrier, place};
use crate::arena::collect::Containers;
use crate::arena::table::WaitRecord;
use crate::arena::{self, Arena, Cell, HandleId, Object, ObjectKind, SlotRef};
use crate::diag::Error;
use crate::os::clock;
use crate::source::Span;
use collect::{Asked, ask_to_collect};
use report::report;
pub(super) use report::{lost, wanted};
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// The cell of a slot that says which wait (by its epoch) has been found to have no source any more.
pub const VERDICT_CELL: usize = 0;
/// The cell of a slot that says in which wait (by its epoch) it should look for a deadlock at once: it is in one.
pub const LOOK_CELL: usize = 2;
/// The cell of a slot that is not 0 while its process is up in the middle of a wait, to look at its condition: that may just
/// have given it what it waits for.
pub const AWAKE_CELL: usize = 3;
/// The cell of a slot that says in which wait (by its epoch) it may be asked to let its collector look for what nobody keeps.
pub const WILLING_CELL: usize = 4;
/// The cell of a slot that says in which wait (by its epoch) it is asked to.
pub const COLLECT_CELL: usize = 5;
/// How long the others of a group are looked after at once when one that was told has ended, in nanoseconds.
const LATELY: u64 = 1_000_000_000;
/// How long a turn lasts if it is not given back, as by a process that is killed or stopped in it.
const TURN: u64 = 300_000_000;

/// What deadlock detection must know of a kind of object.
pub struct WaitOps {
    /// What the object is called in reports: `queue`, `lock`.
    pub noun: &'static str,
    /// Whether the wait would end now if the waiter looked (an item is there, the lock is free, the process has ended).
    /// Reads only; takes no mutex for long.
    pub ready: fn(&Arena, &Object, HandleId, Operation, SlotRef) -> bool,
    /// Who could end the wait.
    pub enders: fn(&Arena, &Object, HandleId, Operation, SlotRef) -> Enders,
    /// Who has something of the object in his hands that he would give back.
    pub keepers: fn(&Arena, &Object) -> Vec<SlotRef>,
}

/// [`WaitOps::keepers`] of objects from which nothing is lent.
pub fn no_keepers(_: &Arena, _: &Object) -> Vec<SlotRef> {
    Vec::new()
}

/// Who could end a wait.
pub enum Enders {
    /// Exactly these (the holder of a lock, the target of a join).
    These(Vec<SlotRef>),
    /// Every process that holds the object, or could take it out of something that it holds.
    Holders,
    /// Every process that holds one of these objects (the other end of a pipe).
    HoldersOf(Vec<HandleId>),
    /// Something outside of the tree: never a deadlock.
    Outside,
}

static OPS: [OnceLock<&'static WaitOps>; ObjectKind::COUNT] =
    [const { OnceLock::new() }; ObjectKind::COUNT];

/// Tells about a kind; the first registration stays. A wait for an object of a kind that is not registered is never part
/// of a deadlock.
pub fn register(kind: ObjectKind, ops: &'static WaitOps) {
    if let Some(entry) = OPS.get(kind as usize) {
        let _ = entry.set(ops);
    }
}

fn ops(kind: ObjectKind) -> Option<&'static WaitOps> {
    OPS.get(kind as usize)?.get().copied()
}

/// Whether a wait of this process for an object would end now.
pub fn is_ready(arena: &Arena, awaited: &Awaited<'_>, operation: Operation) -> bool {
    ops(awaited.id.kind)
        .is_some_and(|ops| (ops.ready)(arena, awaited.object, awaited.id, operation, arena::me()))
}

/// What an object is called in reports.
pub fn noun(id: HandleId) -> String {
    ops(id.kind).map_or_else(
        || format!("{:?}", id.kind).to_lowercase(),
        |ops| ops.noun.to_string(),
    )
}

/// What was found, from the point of view of the process that asked.
pub enum Verdict {
    /// It is the one to raise this.
    Deadlock(Box<Error>),
    /// It and everybody else who could bring something wait for the same thing to come.
    StreamEnded,
    /// It has something in its hands that others wait for: its collector should look whether anybody keeps that.
    Collect,
}

/// A wait as it was read from the table.
#[derive(Clone)]
struct Wait {
    epoch: u64,
    operation: Operation,
    objects: Vec<HandleId>,
    /// Which event words of them: the ends of a pipe are one object.
    sides: u32,
    place: Option<Span>,
    since: u64,
}

/// The turn to search: a crowd that is blocked would else search all at one time, and find the same.
struct Turn<'a> {
    arena: &'a Arena,
    until: u64,
}

impl<'a> Turn<'a> {
    fn take(arena: &'a Arena) -> Option<Turn<'a>> {
        let (cell, now) = (arena.cell(Cell::Turn), clock::now());
        let taken = cell.load(Ordering::Relaxed);
        let until = now + TURN;
        let is_mine = taken <= now
            && cell
                .compare_exchange(taken, until, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        is_mine.then_some(Turn { arena, until })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = self.arena.cell(Cell::Turn).compare_exchange(
            self.until,
            0,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

/// Looks whether `me`, which waits without a time-out, is in or behind a deadlock. `asked`: somebody found that it is in one;
/// without that it is left to the next slice when others search.
pub fn look(arena: &Arena, me: SlotRef, asked: bool) -> Option<Verdict> {
    // The first looks know direct holders only, which are a part of all holders: they find most processes that are fine,
    // the very first almost for nothing. (A group may shrink between looks, when a member is killed: only the last counts.)
    let search = Search::new(arena, None, &[]);
    search.step(me)?;
    let _turn = match asked {
        true => None,
        false => Some(Turn::take(arena)?),
    };
    search.closure(me)?;
    let blocked = asleep_together(arena, me, &[])?;
    match ask_to_collect(arena, &blocked, me) {
        Asked::Nobody => {}
        Asked::Others => return None,
        Asked::Me => return Some(Verdict::Collect),
    }
    let group = smallest_group(&blocked);
    if let Some(stream) = same_stream(&blocked, &group) {
        let group = those_to_end(arena, group, stream);
        return end_stream(arena, &blocked, &group, stream, me);
    }
    if give_up_barriers(arena, &blocked, &group) {
        return None;
    }
    // A worker that has nothing to do could only leave, and its pool would put another in its place.
    let order = |process: &&SlotRef| {
        let wait = blocked.get(*process).map(|(wait, _)| wait.operation);
        let serial = arena.slot(process.index).serial.load(Ordering::Acquire);
        (wait != Some(Operation::Work), serial)
    };
    let last = group.iter().max_by_key(order)?;
    arena
        .cell(Cell::Told)
        .store(clock::now(), Ordering::Relaxed);
    if *last == me {
        return Some(Verdict::Deadlock(report(arena, &blocked, &group)));
    }
    let (wait, _) = blocked.get(last)?;
    let slot = arena.slot(last.index);
    slot.cells[LOOK_CELL].store(wait.epoch, Ordering::SeqCst);
    super::wait::wake_process(arena, *last);
    None
}

/// Those of these programs, to which only this process can write, that must end before it can go on: everybody on the way to
/// them waits, without a limit.
pub(super) fn programs_in_the_way(arena: &Arena, fed: &[HandleId]) -> Vec<HandleId> {
    let me = arena::me();
    // First without the containers, which are dear: that finds who is free almost for nothing.
    let quick = Search::new(arena, None, fed).closure(me);
    let blocked = quick.and_then(|_| asleep_together(arena, me, fed));
    let waits = blocked.iter().flat_map(HashMap::values);
    let objects = waits.flat_map(|(wait, _)| &wait.objects).copied();
    objects.filter(|id| fed.contains(id)).collect()
}

/// Whether a process was told of a deadlock a moment ago. When it has ended by that, the next of those that waited with it is to be told
/// at once, and not when it looks the next time.
pub(super) fn was_told_lately(arena: &Arena) -> bool {
    let told = arena.cell(Cell::Told).load(Ordering::Relaxed);
    told != 0 && clock::now() < told.saturating_add(LATELY)
}

/// Breaks the barriers at which members of a group wait for somebody who has died; true when there were any.
fn give_up_barriers(arena: &Arena, blocked: &Blocked, group: &[SlotRef]) -> bool {
    let waits = group.iter().filter_map(|member| blocked.get(member));
    let barriers: HashSet<HandleId> = waits
        .filter(|(wait, _)| wait.operation == Operation::WaitBarrier)
        .flat_map(|(wait, _)| wait.objects.iter().copied())
        .collect();
    let objects = barriers.into_iter().filter_map(|id| arena.object(id));
    objects.filter(|object| barrier::give_up(object)).count() > 0
}

/// All processes that must do something before `me` can go on, when each of them sleeps and none of their waits could end:
/// as they stood at one moment. `fed`: see [`Search`].
fn asleep_together(arena: &Arena, me: SlotRef, fed: &[HandleId]) -> Option<Blocked> {
    let search = || Search::new(arena, Some(arena.contents().containers()), fed);
    let before = search().closure(me)?;
    let search = search();
    let blocked = search.closure(me)?;
    let slept_before = |(process, (wait, _)): (&SlotRef, &(Wait, Crowd))| {
        let before = before.get(process);
        before.is_some_and(|(before, _)| before.epoch == wait.epoch)
    };
    let at_one_moment = blocked.iter().all(slept_before) && search.unchanged(&blocked);
    at_one_moment.then_some(blocked)
}

/// Processes that are blocked, with their waits and who could end them.
type Blocked = HashMap<SlotRef, (Wait, Crowd)>;

/// Some processes. A crowd that waits for one and the same thing has one list together, so that it is not looked at once for each of them.
type Crowd = Rc<[SlotRef]>;

struct Search<'a> {
    arena: &'a Arena,
    /// Programs that wait for this process to write to them, for all that is known.
    fed: &'a [HandleId],
    containers: Option<Containers>,
    live: Vec<SlotRef>,
    /// Processes with dead children that they have not taken note of: they have something to do.
    bereaved: HashSet<SlotRef>,
    /// The holders of what was asked for.
    holders: RefCell<HashMap<Vec<HandleId>, Crowd>>,
    /// The crowds of which nobody is free to go: what one says to that counts for all.
    stuck: RefCell<HashMap<*const SlotRef, Crowd>>,
}

impl<'a> Search<'a> {
    /// Without containers, only who holds an object itself counts as its holder.
    fn new(arena: &'a Arena, containers: Option<Containers>, fed: &'a [HandleId]) -> Self {
        let (live, dead): (Vec<SlotRef>, Vec<SlotRef>) = arena
            .processes()
            .partition(|&process| arena.is_alive(process));
        Search {
            arena,
            fed,
            containers,
            bereaved: parents(arena, &dead).into_iter().collect(),
            live,
            holders: RefCell::default(),
            stuck: RefCell::default(),
        }
    }

    /// All processes that must do something before `from` can go on; `None` when one of them can.
    fn closure(&self, from: SlotRef) -> Option<Blocked> {
        let mut blocked = Blocked::new();
        let mut seen = HashSet::new();
        let mut rest = vec![from];
        while let Some(process) = rest.pop() {
            if blocked.contains_key(&process) {
                continue;
            }
            let (wait, enders) = self.step(process)?;
            if seen.insert(enders.as_ptr()) {
                rest.extend(enders.iter());
            }
            blocked.insert(process, (wait, enders));
        }
        Some(blocked)
    }

    /// The wait of a process and who could end it; `None` when it or one of them is free to go. To ask all of them first keeps
    /// a crowd that waits for one busy process from looking at each other, which would cost the square of their number.
    fn step(&self, process: SlotRef) -> Option<(Wait, Crowd)> {
        if self.bereaved.contains(&process) {
            return None;
        }
        let wait = read(self.arena, process)?;
        let enders = self.enders(process, &wait)?;
        let mut stuck = self.stuck.borrow_mut();
        if let Entry::Vacant(entry) = stuck.entry(enders.as_ptr()) {
            // Who waits itself may be among them: it is asked once more.
            if enders.iter().any(|&ender| is_free(self.arena, ender)) {
                return None;
            }
            entry.insert(enders.clone());
        }
        Some((wait, enders))
    }

    /// Who could end a wait, and perhaps who waits himself; `None` when it is ready, or when the outside could.
    fn enders(&self, process: SlotRef, wait: &Wait) -> Option<Crowd> {
        let mut all: Vec<Crowd> = Vec::new();
        for &id in &wait.objects {
            // An object that is gone, or that nobody has told us about: assume the best.
            let (object, ops) = (self.arena.object(id)?, ops(id.kind)?);
            if (ops.ready)(self.arena, object, id, wait.operation, process) {
                return None;
            }
            match (ops.enders)(self.arena, object, id, wait.operation, process) {
                Enders::These(some) => {
                    let alive = some.into_iter().filter(|&one| self.arena.is_alive(one));
                    all.push(alive.collect());
                }
                Enders::Holders => all.push(self.holders(vec![id])),
                Enders::HoldersOf(ids) => all.push(self.holders(ids)),
                Enders::Outside if self.fed.contains(&id) => all.push([arena::me()].into()),
                Enders::Outside => return None,
            }
        }
        if let [one] = &all[..] {
            return Some(one.clone());
        }
        let mut several: Vec<SlotRef> = all.iter().flat_map(|some| some.iter().copied()).collect();
        several.sort_unstable();
        several.dedup();
        Some(several.into())
    }

    fn holders(&self, ids: Vec<HandleId>) -> Crowd {
        if let Some(known) = self.holders.borrow().get(&ids) {
            return known.clone();
        }
        let leading: Vec<HandleId> = match &self.containers {
            Some(containers) => ids
                .iter()
                .flat_map(|&id| containers.leading_to(id))
                .collect(),
            None => ids.clone(),
        };
        let holds = |process: &SlotRef| leading.iter().any(|&id| self.arena.holds(*process, id));
        let found: Crowd = self.live.iter().copied().filter(holds).collect();
        self.holders.borrow_mut().insert(ids, found.clone());
        found
    }

    /// Whether all members are still in the waits that were looked at, and no process has come into being.
    fn unchanged(&self, blocked: &Blocked) -> bool {
        let same = |(process, (wait, _)): (&SlotRef, &(Wait, Crowd))| {
            let epoch = &self.arena.slot(process.index).wait.epoch;
            epoch.load(Ordering::SeqCst) == wait.epoch
                && self.arena.is_alive(*process)
                && !is_free(self.arena, *process)
        };
        let dead: Vec<SlotRef> = self
            .arena
            .processes()
            .filter(|&process| !self.arena.is_alive(process))
            .collect();
        let mut bereaved = parents(self.arena, &dead).into_iter();
        if bereaved.any(|parent| blocked.contains_key(&parent)) {
            return false;
        }
        let known: HashSet<SlotRef> = self.live.iter().copied().collect();
        blocked.iter().all(same) && self.arena.live_processes().all(|p| known.contains(&p))
    }
}

/// The parents of the dead that are not buried: they may put another in its place, or raise its failure.
fn parents(arena: &Arena, dead: &[SlotRef]) -> Vec<SlotRef> {
    let parent = |process: &SlotRef| {
        SlotRef::from_bits(arena.slot(process.index).parent.load(Ordering::Acquire))
    };
    dead.iter().filter_map(parent).collect()
}

/// Whether a process is plainly not in a wait that only processes of the tree can end.
fn is_free(arena: &Arena, process: SlotRef) -> bool {
    let slot = arena.slot(process.index);
    let wait = &slot.wait;
    wait.epoch.load(Ordering::SeqCst).is_multiple_of(2)
        || wait.deadline.load(Ordering::Acquire) != 0
        || slot.cancelled.load(Ordering::Acquire) != 0
        || slot.cells[PENDING_CELL].load(Ordering::SeqCst) != 0
        || slot.cells[AWAKE_CELL].load(Ordering::SeqCst) != 0
}

/// The wait of a process, if it is in one that only processes of the tree can end.
fn read(arena: &Arena, process: SlotRef) -> Option<Wait> {
    let slot = arena.slot(process.index);
    let wait = &slot.wait;
    let epoch = wait.epoch.load(Ordering::SeqCst);
    let count = wait.count.load(Ordering::Acquire) as usize;
    let operation = Operation::from_number(wait.operation.load(Ordering::Acquire))?;
    if is_free(arena, process) || !operation.is_inside() || count == 0 {
        return None;
    }
    let objects = awaited(arena, wait);
    let place = place::unpack(
        u64::from(wait.place_source.load(Ordering::Acquire)),
        wait.place_range.load(Ordering::Acquire),
    );
    let read = Wait {
        epoch,
        operation,
        objects: objects?,
        sides: wait.announced.load(Ordering::Acquire),
        place,
        since: wait.since.load(Ordering::Acquire),
    };
    (wait.epoch.load(Ordering::SeqCst) == epoch).then_some(read)
}

/// The objects that a wait record names, in the slot or, when they are many, in the block of their list. `None` when it is just
/// changing, or when there was no room for the list.
pub(super) fn awaited(arena: &Arena, wait: &WaitRecord) -> Option<Vec<HandleId>> {
    let count = wait.count.load(Ordering::Acquire) as usize;
    if let Some(few) = wait.objects.get(..count) {
        let bits = few.iter().map(|bits| bits.load(Ordering::Acquire));
        return bits.map(HandleId::from_bits).collect();
    }
    let list = wait.list.load(Ordering::Acquire);
    if list == 0 || count as u64 * 8 > arena.capacity(list) {
        return None;
    }
    let words = (list..).step_by(8).take(count);
    words
        .map(|at| HandleId::from_bits(arena.get_word(at)))
        .collect()
}

/// The smallest set of blocked processes that leads to nobody outside of itself, in a fixed order.
///
/// Such a set in which each leads to every other is a strongly connected component without a way out. Tarjan's search finds
/// a component when it has found all those to which it leads, so it needs to be told only whether there were any.
fn smallest_group(blocked: &Blocked) -> Vec<SlotRef> {
    let mut all: Vec<SlotRef> = blocked.keys().copied().collect();
    all.sort_unstable();
    let number: HashMap<SlotRef, usize> = all.iter().copied().zip(0..).collect();
    let leads_to: Vec<Vec<usize>> = all
        .iter()
        .map(|process| {
            let enders = blocked.get(process).map_or(&[][..], |(_, enders)| enders);
            let known = enders.iter().filter_map(|ender| number.get(ender));
            known.copied().collect()
        })
        .collect();
    let groups = components::closed(&leads_to).into_iter();
    let mut best = groups.min_by_key(|group| (group.len(), group.iter().min().copied()));
    let best = best.get_or_insert_default();
    best.sort_unstable();
    best.iter().map(|&at| all[at]).collect()
}

/// The object that all members of a group wait to get something from, when it is one and the same.
fn same_stream(blocked: &Blocked, group: &[SlotRef]) -> Option<HandleId> {
    let mut streams = group.iter().map(|member| {
        let (wait, _) = blocked.get(member)?;
        use Operation::{Get, Recv, Take};
        let takes = matches!(wait.operation, Get | Recv | Take);
        match wait.objects[..] {
            [id] if takes => Some((id, wait.sides)),
            _ => None,
        }
    });
    let first = streams.next()??;
    let all = streams.all(|stream| stream == Some(first));
    all.then_some(first.0)
}

/// The members for whom nothing can come any more: those who have an item by lease, if there are any, for what they are
/// told may make them give it back to the others.
fn those_to_end(arena: &Arena, group: Vec<SlotRef>, stream: HandleId) -> Vec<SlotRef> {
    let keepers = match (arena.object(stream), ops(stream.kind)) {
        (Some(object), Some(ops)) => (ops.keepers)(arena, object),
        _ => Vec::new(),
    };
    let some: Vec<SlotRef> = group
        .iter()
        .copied()
        .filter(|m| keepers.contains(m))
        .collect();
    if some.is_empty() { group } else { some }
}

/// Tells every member that nothing can come any more: all of them, because the first to go on would look like a source to
/// the others.
fn end_stream(
    arena: &Arena,
    blocked: &Blocked,
    group: &[SlotRef],
    stream: HandleId,
    me: SlotRef,
) -> Option<Verdict> {
    for member in group.iter().filter(|&&member| member != me) {
        let slot = arena.slot(member.index);
        if let Some((wait, _)) = blocked.get(member) {
            slot.cells[VERDICT_CELL].store(wait.epoch, Ordering::SeqCst);
        }
        super::wait::wake_process(arena, *member);
    }
    debug_assert!(arena.object(stream).is_some());
    group.contains(&me).then_some(Verdict::StreamEnded)
}

/// The processes that hold an object in a way that keeps others waiting (a lock); a process that is joined is the object itself.
pub(super) fn owners(
    arena: &Arena,
    id: HandleId,
    operation: Operation,
    waiter: SlotRef,
) -> Vec<SlotRef> {
    let (Some(object), Some(ops)) = (arena.object(id), ops(id.kind)) else {
        return Vec::new();
    };
    match (ops.enders)(arena, object, id, operation, waiter) {
        Enders::These(some) if id.kind != ObjectKind::Process => some,
        _ => Vec::new(),
    }
}

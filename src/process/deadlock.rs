//! Deadlock detection: from the wait records of the process table.
//!
//! Every process that has slept for a while asks: who could end my wait, who could end theirs, and so on? If that leads to
//! anybody who runs, has a time-out, sleeps or waits for the outside, all is well. Otherwise the processes found wait for
//! each other alone, and the smallest group among them whose waits only its own members could end is reported, by the
//! member that was spawned last.
//!
//! Why it is never wrong: the records of all members are read, then whether any of their waits could end at once, then
//! the records again. If no record has changed, all members were asleep in the meantime, so nobody who could change
//! the objects did; and whoever else could come to hold one of the objects is part of the question.

use super::tenders::PENDING_CELL;
use super::wait::Operation;
use super::{place, record};
use crate::arena::collect::Graph;
use crate::arena::table::MAX_WAIT_OBJECTS;
use crate::arena::{Arena, HandleId, Object, ObjectKind, SlotRef};
use crate::diag::{Error, Field, codes};
use crate::os::clock;
use crate::source::Span;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// The cell of a slot that says which wait (by its epoch) has been found to have no source any more.
pub const VERDICT_CELL: usize = 0;

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

/// Looks whether `me`, which waits without a time-out, is in or behind a deadlock.
pub fn look(arena: &Arena, me: SlotRef) -> Option<Verdict> {
    // The cheap look knows direct holders only, which are a part of all holders: it finds most processes that are fine.
    // (A group may shrink between the two looks, when a member is killed: only the second look counts.)
    Search::new(arena, None).closure(me)?;
    let graph = arena.contents();
    let search = Search::new(arena, Some(&graph));
    let blocked = search.closure(me)?;
    if !search.unchanged(&blocked) {
        return None;
    }
    let group = smallest_group(&blocked);
    if let Some(stream) = same_stream(&blocked, &group) {
        let group = those_to_end(arena, group, stream);
        return end_stream(arena, &blocked, &group, stream, me);
    }
    let serial = |process: &&SlotRef| arena.slot(process.index).serial.load(Ordering::Acquire);
    let last = group.iter().max_by_key(serial)?;
    (*last == me).then(|| Verdict::Deadlock(report(arena, &blocked, &group)))
}

/// Processes that are blocked, with their waits and who could end them.
type Blocked = HashMap<SlotRef, (Wait, Vec<SlotRef>)>;

struct Search<'a> {
    arena: &'a Arena,
    graph: Option<&'a Graph>,
    live: Vec<SlotRef>,
    /// Processes with dead children that they have not taken note of: they have something to do.
    bereaved: Vec<SlotRef>,
    reach: HashMap<SlotRef, HashSet<HandleId>>,
}

impl<'a> Search<'a> {
    fn new(arena: &'a Arena, graph: Option<&'a Graph>) -> Self {
        let live: Vec<SlotRef> = arena.live_processes().collect();
        let mut reach = HashMap::new();
        if let Some(graph) = graph {
            for &process in &live {
                reach.insert(process, graph.reachable(arena.held_by(process)));
            }
        }
        Search {
            arena,
            graph,
            live,
            bereaved: bereaved(arena),
            reach,
        }
    }

    /// All processes that must do something before `from` can go on; `None` when one of them can.
    fn closure(&self, from: SlotRef) -> Option<Blocked> {
        let mut blocked = Blocked::new();
        let mut rest = vec![from];
        while let Some(process) = rest.pop() {
            if blocked.contains_key(&process) {
                continue;
            }
            if self.bereaved.contains(&process) {
                return None;
            }
            let wait = read(self.arena, process)?;
            let enders = self.enders(process, &wait)?;
            // One that is free to go settles it. To ask all of them first keeps a crowd that waits for one busy process from
            // looking at each other, which would cost the square of their number at every look.
            if enders.iter().any(|&ender| is_free(self.arena, ender)) {
                return None;
            }
            rest.extend(&enders);
            blocked.insert(process, (wait, enders));
        }
        Some(blocked)
    }

    /// Who could end a wait; `None` when it is ready, or when the outside could.
    fn enders(&self, process: SlotRef, wait: &Wait) -> Option<Vec<SlotRef>> {
        let mut all = Vec::new();
        for &id in &wait.objects {
            // An object that is gone, or that nobody has told us about: assume the best.
            let (object, ops) = (self.arena.object(id)?, ops(id.kind)?);
            if (ops.ready)(self.arena, object, id, wait.operation, process) {
                return None;
            }
            match (ops.enders)(self.arena, object, id, wait.operation, process) {
                Enders::These(some) => all.extend(some),
                Enders::Holders => all.extend(self.holders(&[id], process)),
                Enders::HoldersOf(ids) => all.extend(self.holders(&ids, process)),
                Enders::Outside => return None,
            }
        }
        all.retain(|&ender| self.arena.is_alive(ender));
        all.sort_unstable();
        all.dedup();
        Some(all)
    }

    fn holders(&self, ids: &[HandleId], but: SlotRef) -> Vec<SlotRef> {
        let holds = |process: SlotRef| {
            ids.iter().any(|&id| {
                self.arena.holds(process, id)
                    || self.graph.is_some()
                        && self
                            .reach
                            .get(&process)
                            .is_some_and(|reach| reach.contains(&id))
            })
        };
        let others = self.live.iter().copied().filter(|&process| process != but);
        others.filter(|&process| holds(process)).collect()
    }

    /// Whether all members are still in the waits that were looked at, and no process has come into being.
    fn unchanged(&self, blocked: &Blocked) -> bool {
        let same = |(process, (wait, _)): (&SlotRef, &(Wait, Vec<SlotRef>))| {
            let epoch = &self.arena.slot(process.index).wait.epoch;
            epoch.load(Ordering::SeqCst) == wait.epoch
                && self.arena.is_alive(*process)
                && !is_free(self.arena, *process)
        };
        let bereaved = bereaved(self.arena);
        if bereaved.iter().any(|parent| blocked.contains_key(parent)) {
            return false;
        }
        blocked.iter().all(same) && self.arena.live_processes().all(|p| self.live.contains(&p))
    }
}

/// Live processes with a child that has died and that they have not taken note of: they may put another in its place, or
/// raise its failure.
fn bereaved(arena: &Arena) -> Vec<SlotRef> {
    let dead = arena
        .processes()
        .filter(|&process| !arena.is_alive(process));
    let parents = dead.filter_map(|process| {
        SlotRef::from_bits(arena.slot(process.index).parent.load(Ordering::Acquire))
    });
    parents.filter(|&parent| arena.is_alive(parent)).collect()
}

/// Whether a process is plainly not in a wait that only processes of the tree can end.
fn is_free(arena: &Arena, process: SlotRef) -> bool {
    let slot = arena.slot(process.index);
    let wait = &slot.wait;
    wait.epoch.load(Ordering::SeqCst).is_multiple_of(2)
        || wait.deadline.load(Ordering::Acquire) != 0
        || slot.cancelled.load(Ordering::Acquire) != 0
        || slot.cells[PENDING_CELL].load(Ordering::SeqCst) != 0
}

/// The wait of a process, if it is in one that only processes of the tree can end.
fn read(arena: &Arena, process: SlotRef) -> Option<Wait> {
    let slot = arena.slot(process.index);
    let wait = &slot.wait;
    let epoch = wait.epoch.load(Ordering::SeqCst);
    let count = wait.count.load(Ordering::Acquire) as usize;
    let operation = Operation::from_number(wait.operation.load(Ordering::Acquire))?;
    let free_to_go =
        is_free(arena, process) || !operation.is_inside() || count == 0 || count > MAX_WAIT_OBJECTS;
    if free_to_go {
        return None;
    }
    let ids = wait.objects[..count].iter();
    let objects: Option<Vec<HandleId>> = ids
        .map(|bits| HandleId::from_bits(bits.load(Ordering::Acquire)))
        .collect();
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

/// The smallest set of blocked processes that leads to nobody outside of itself, in a fixed order.
fn smallest_group(blocked: &Blocked) -> Vec<SlotRef> {
    let mut best: Option<Vec<SlotRef>> = None;
    let mut all: Vec<SlotRef> = blocked.keys().copied().collect();
    all.sort_unstable();
    for &start in &all {
        let mut seen = HashSet::from([start]);
        let mut rest = vec![start];
        while let Some(process) = rest.pop() {
            let enders = blocked.get(&process).map_or(&[][..], |(_, enders)| enders);
            rest.extend(enders.iter().copied().filter(|&ender| seen.insert(ender)));
        }
        if best.as_ref().is_none_or(|best| seen.len() < best.len()) {
            let mut group: Vec<SlotRef> = seen.into_iter().collect();
            group.sort_unstable();
            best = Some(group);
        }
    }
    best.unwrap_or_default()
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

/// The whole story, as text and as `e.group`.
fn report(arena: &Arena, blocked: &Blocked, group: &[SlotRef]) -> Box<Error> {
    let mut lines = Vec::new();
    let mut members = Vec::new();
    let mut labels = Vec::new();
    let now = clock::now();
    for &member in group {
        let Some((wait, enders)) = blocked.get(&member) else {
            continue;
        };
        let nouns: Vec<String> = wait.objects.iter().map(|&id| wanted(arena, id)).collect();
        let waits_for = format!("`{}` of {}", wait.operation.words(), nouns.join(", "));
        let holders: Vec<String> = enders.iter().map(|&e| record::label(arena, e)).collect();
        let held_by = match holders.len() {
            0 => String::from("nobody else"),
            _ => holders.join(", "),
        };
        let seconds = now.saturating_sub(wait.since) as f64 / 1e9;
        let at = place::text(wait.place);
        let (name, pid) = record::name_and_pid(arena, member);
        lines.push(format!(
            "{name} (pid {pid}) waits in {waits_for} at {at} for {seconds:.2} s, held by {held_by}"
        ));
        labels.extend(wait.place.map(|span| (span, format!("{name} waits here"))));
        members.push(Field::Map(vec![
            (String::from("name"), Field::Text(name)),
            (String::from("pid"), Field::Int(i64::from(pid))),
            (String::from("waits_for"), Field::Text(waits_for)),
            (String::from("held_by"), Field::Text(held_by)),
            (String::from("place"), Field::Text(at)),
            (String::from("seconds"), Field::Float(seconds)),
        ]));
    }
    let head = match group.len() {
        1 => String::from("a wait that nothing can end"),
        count => format!("{count} processes wait for each other, and nothing else can end it"),
    };
    let mut error = Error::new(codes::DEADLOCK, format!("{head}: {}", lines.join("; ")))
        .with_field("group", Field::List(members));
    for (span, text) in labels {
        error = error.with_other(span, text);
    }
    error
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

/// An awaited object as reports name it: for a process its name, for others the noun.
pub(super) fn wanted(arena: &Arena, id: HandleId) -> String {
    match arena.object(id) {
        Some(object) if id.kind == ObjectKind::Process => record::Record::of(object).label(),
        _ => match noun(id) {
            noun if noun.starts_with('e') => format!("an {noun}"),
            noun => format!("a {noun}"),
        },
    }
}

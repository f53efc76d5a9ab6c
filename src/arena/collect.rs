//! The collector of the arena: frees objects that nobody can reach, and what the dead had in their hands.
//!
//! Order is what makes it right while everybody else goes on. First it writes down which objects exist and which handles
//! lie inside them; then it reads the hold sets. A handle that is taken out of a message in between has its bit set
//! before the message goes away, so it is seen as a bit if not as content; a handle that is put into a message in between
//! is still held by its sender, because bits are cleared under the world lock only. A process that dies meanwhile
//! still counts, because its slot is cleared under the same lock. Objects made meanwhile are not on the list.

use super::Arena;
use super::kinds::{self, Visitor};
use super::layout::Offset;
use super::object::{HandleId, LIVE, ObjectKind};
use super::table::SlotRef;
use crate::crash_point;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

/// What a collection did.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Objects that exist afterwards.
    pub live: u32,
    /// Objects freed.
    pub freed: u32,
    /// Blocks freed that the dead had in their hands.
    pub swept: u32,
    /// Chunks given back by size classes.
    pub retired: u32,
}

/// Objects made before a collection is thought of.
pub(super) const LEAST_OBJECTS: u32 = 4096;
/// Chunks in use before a collection is thought of (16 MiB).
pub(super) const LEAST_CHUNKS: u32 = 256;

/// The contents of one object.
#[derive(Default)]
struct Contents {
    handles: Vec<HandleId>,
}

impl Visitor for Contents {
    fn handle(&mut self, id: HandleId) {
        self.handles.push(id);
    }

    fn block(&mut self, _: Offset) {}

    fn wants_blocks(&self) -> bool {
        false
    }
}

struct Blocks<'a>(&'a mut HashSet<Offset>);

impl Visitor for Blocks<'_> {
    fn handle(&mut self, _: HandleId) {}

    fn block(&mut self, block: Offset) {
        self.0.insert(block);
    }
}

/// What contains what: taken under the world lock.
pub struct Graph {
    /// Every object that existed, with the handles inside it.
    contents: HashMap<HandleId, Vec<HandleId>>,
}

impl Graph {
    /// The handles that can be got from those given, themselves included.
    pub fn reachable(&self, from: impl IntoIterator<Item = HandleId>) -> HashSet<HandleId> {
        let mut seen = HashSet::new();
        let mut rest: Vec<HandleId> = from.into_iter().collect();
        while let Some(id) = rest.pop() {
            if seen.insert(id) {
                rest.extend(self.contents.get(&id).into_iter().flatten().copied());
            }
        }
        seen
    }

    /// What lies in what, the other way round.
    pub fn containers(&self) -> Containers {
        let mut of: HashMap<HandleId, Vec<HandleId>> = HashMap::new();
        for (&outer, inside) in &self.contents {
            for &inner in inside {
                of.entry(inner).or_default().push(outer);
            }
        }
        Containers { of }
    }
}

/// Which objects hold handles of which.
pub struct Containers {
    of: HashMap<HandleId, Vec<HandleId>>,
}

impl Containers {
    /// The objects that an object lies in.
    pub fn of(&self, id: HandleId) -> &[HandleId] {
        self.of.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The object itself, and everything out of which a handle of it could be taken.
    pub fn leading_to(&self, id: HandleId) -> Vec<HandleId> {
        let mut found = vec![id];
        let mut seen = HashSet::from([id]);
        let mut at = 0;
        while let Some(inner) = found.get(at) {
            let outer = self.of.get(inner).into_iter().flatten();
            let new: Vec<HandleId> = outer.copied().filter(|&id| seen.insert(id)).collect();
            found.extend(new);
            at += 1;
        }
        found
    }
}

impl Arena {
    /// Frees what nobody can reach. Not to be called while an object's mutex is held.
    pub fn collect(&self) -> Collected {
        let world = self.lock_world();
        let header = self.header();
        let roots: Vec<SlotRef> = self.processes().collect();
        let graph = self.graph();
        crash_point!("collect: graph taken");
        let mut held = HashSet::new();
        for process in roots {
            held.extend(self.held_by(process));
            let own = self.slot(process.index).process.load(Ordering::Acquire);
            held.extend(HandleId::from_bits(own));
        }
        let reached = graph.reachable(held);
        let mut done = Collected::default();
        for &id in graph.contents.keys() {
            if reached.contains(&id) {
                done.live += 1;
            } else {
                self.destroy(id);
                done.freed += 1;
                crash_point!("collect: freed an object");
            }
        }
        let deaths = header.deaths.load(Ordering::Relaxed);
        if deaths > 0 {
            done.swept = self.sweep_the_dead();
            // Afterwards, so that a collector that dies leaves the sweep to the next one.
            header.deaths.fetch_sub(deaths, Ordering::Relaxed);
        }
        header.objects_made.store(0, Ordering::Relaxed);
        header
            .collect_at_objects
            .store(done.live.max(LEAST_OBJECTS), Ordering::Relaxed);
        done.retired = self.retire();
        let used = header.chunks_used.load(Ordering::Relaxed);
        header
            .collect_at_chunks
            .store(used.saturating_mul(2).max(LEAST_CHUNKS), Ordering::Relaxed);
        drop(world);
        done
    }

    /// Whether no process holds an object or could take a handle of it out of something. It is read in the order that makes
    /// [`Arena::collect`] right; who died and is not buried yet counts.
    pub fn is_forsaken(&self, id: HandleId) -> bool {
        // Most are held by somebody, and that is found almost for nothing.
        let held = |leading: &[HandleId]| {
            let holds = |process| leading.iter().any(|&id| self.holds(process, id));
            self.processes().any(holds)
        };
        if held(&[id]) {
            return false;
        }
        let _world = self.lock_world();
        let leading = self.graph().containers().leading_to(id);
        !held(&leading)
    }

    /// What contains what, now. Under the world lock.
    fn graph(&self) -> Graph {
        let mut contents = HashMap::new();
        for index in 1..self.header().object_high.load(Ordering::Acquire) {
            let Some(id) = self.id_at(index) else {
                continue;
            };
            let mut found = Contents::default();
            if let Some(kind) = kinds::of(id.kind) {
                (kind.visit)(self, self.entry(index), &mut found);
            }
            found.handles.extend(self.lost_holder(self.entry(index)));
            contents.insert(id, found.handles);
        }
        Graph { contents }
    }

    /// What contains what, for those who must know who could come to hold something.
    pub fn contents(&self) -> Graph {
        let _world = self.lock_world();
        self.graph()
    }

    /// The same in the burial of a process, which has the world lock.
    pub fn contents_in_burial(&self) -> Graph {
        self.graph()
    }

    fn destroy(&self, id: HandleId) {
        let object = self.entry(id.index);
        if let Some(kind) = kinds::of(id.kind) {
            (kind.destroy)(self, object);
        }
        crash_point!("destroy: emptied");
        object.clear();
        object.set_owner(0);
        self.header()
            .object_hint
            .fetch_min(id.index, Ordering::Relaxed);
    }

    /// Frees entries and blocks that dead processes had in their hands and that belong to nothing.
    fn sweep_the_dead(&self) -> u32 {
        // Who is dead and not buried yet counts as living: its wait record may name a block, which the burial reads.
        let living: HashSet<u32> = self.processes().map(SlotRef::tag).collect();
        for index in 1..self.header().object_high.load(Ordering::Acquire) {
            let object = self.entry(index);
            let owner = object.head().owner;
            if owner != 0 && owner != LIVE && !living.contains(&owner) {
                // It died while making this one, perhaps with a payload attached already.
                if let Some(kind) = ObjectKind::from_number(object.head().kind).and_then(kinds::of)
                {
                    (kind.destroy)(self, object);
                }
                object.clear();
                object.set_owner(0);
            }
        }
        let mut left = Vec::new();
        self.blocks_in_hands(|block, tag| {
            if !living.contains(&tag) {
                left.push((block, tag));
            }
        });
        if left.is_empty() {
            return 0;
        }
        // Somebody may have died between detaching and tagging, or between attaching and committing: what is attached
        // stays. A living process that detaches one of these meanwhile tags it first, and then it is no longer ours.
        let mut attached = HashSet::new();
        for index in 1..self.header().object_high.load(Ordering::Acquire) {
            if let Some(id) = self.id_at(index)
                && let Some(kind) = kinds::of(id.kind)
            {
                (kind.visit)(self, self.entry(index), &mut Blocks(&mut attached));
            }
        }
        let mut swept = 0;
        for (block, tag) in left {
            if attached.contains(&block) {
                self.commit_of_dead(block, tag);
            } else if self.free_of_dead(block, tag) {
                swept += 1;
            }
        }
        swept
    }

    /// Objects that exist, as a count over the table (for tests and for `show`).
    pub fn live_objects(&self) -> usize {
        let high = self.header().object_high.load(Ordering::Acquire);
        (1..high)
            .filter(|&index| self.id_at(index).is_some())
            .count()
    }

    /// How many objects there can be, when there are so many.
    pub(super) fn all_objects(&self) -> Option<u32> {
        let most = self.layout.objects.saturating_sub(1);
        (self.live_objects() as u32 >= most).then_some(most)
    }

    /// Notes that an object was made, and asks for a collection when it is time.
    pub(super) fn note_created(&self) {
        let header = self.header();
        let made = header.objects_made.fetch_add(1, Ordering::Relaxed) + 1;
        let limit = header.collect_at_objects.load(Ordering::Relaxed);
        if made == limit {
            super::want_collection();
        } else if made > limit.saturating_mul(4) {
            // Nobody listens (a process that waits, a host program without a machine): do without the heap's help.
            self.collect();
        }
    }
}

//! The allocator against a model: random programs of blocks, in a process that dies at a random step of one, beside another
//! that goes on.

use crate::support::forked;
use par::arena::kinds::{self, KindOps, Visitor};
use par::arena::{self, Arena, Hold, Object, ObjectKind, Offset, crash};
use par::crash_point;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::sync::atomic::Ordering;

/// What a process does to one of its places.
#[derive(Clone, Debug)]
enum Step {
    /// Attaches a new block of that size, in place of the old one if there is one.
    Put(usize, u64),
    /// Detaches and frees the block.
    Drop(usize),
    /// Takes a block that is never attached, and frees it or forgets it.
    Loose(u64, bool),
    /// Collects, in the middle of everything.
    Collect,
}

/// Places of one process.
const PLACES: usize = 8;

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![6 => 1_u64..5000, 2 => 5000_u64..33_000, 1 => 33_000_u64..400_000];
    prop_oneof![
        6 => (0..PLACES, size.clone()).prop_map(|(place, size)| Step::Put(place, size)),
        3 => (0..PLACES).prop_map(Step::Drop),
        2 => (size, any::<bool>()).prop_map(|(size, freed)| Step::Loose(size, freed)),
        1 => Just(Step::Collect),
    ]
}

/// A table of places in the payload of an object: for each process its progress, then its places, two words each: block and size.
struct Places {
    table: Offset,
}

impl Places {
    const WORDS: u64 = 1 + 2 * PLACES as u64;

    fn progress(&self, of: u64) -> Offset {
        self.table + of * Self::WORDS * 8
    }

    fn place(&self, of: u64, place: usize) -> Offset {
        self.progress(of) + 8 + place as u64 * 16
    }

    fn run(&self, of: u64, steps: &[Step]) {
        let arena = arena::get().unwrap();
        for (at, step) in steps.iter().enumerate() {
            match *step {
                Step::Put(place, size) => self.put(arena, self.place(of, place), size),
                Step::Drop(place) => self.drop(arena, self.place(of, place)),
                Step::Loose(size, freed) => {
                    let block = arena.alloc(size).unwrap();
                    fill(arena, block, size);
                    crash_point!("test: loose");
                    if freed {
                        arena.free(block);
                    }
                }
                Step::Collect => {
                    arena.collect();
                }
            }
            crash_point!("test: step done");
            let progress = arena.word_at(self.progress(of));
            progress.store(at as u64 + 1, Ordering::Release);
        }
    }

    fn put(&self, arena: &Arena, place: Offset, size: u64) {
        let new = arena.alloc(size).unwrap();
        fill(arena, new, size);
        let old = arena.get_word(place);
        crash_point!("test: filled");
        if old != 0 {
            arena.claim(old);
        }
        crash_point!("test: old one claimed");
        arena.word_at(place).store(new, Ordering::Release);
        crash_point!("test: attached");
        arena.commit(new);
        if old != 0 {
            crash_point!("test: about to free");
            arena.free(old);
        }
    }

    fn drop(&self, arena: &Arena, place: Offset) {
        let old = arena.get_word(place);
        if old == 0 {
            return;
        }
        arena.claim(old);
        crash_point!("test: claimed");
        arena.word_at(place).store(0, Ordering::Release);
        crash_point!("test: detached");
        arena.free(old);
    }

    /// The sizes that stand at the places of a process; 0 for none. The blocks must be whole.
    fn found(&self, of: u64) -> Result<Vec<u64>, TestCaseError> {
        let arena = arena::get().unwrap();
        let mut sizes = Vec::new();
        for place in 0..PLACES {
            let block = arena.get_word(self.place(of, place));
            if block == 0 {
                sizes.push(0);
                continue;
            }
            let size = u64::from_le_bytes(*arena.bytes(block, 8).first_chunk().unwrap());
            prop_assert!(arena.capacity(block) >= size.max(8));
            let rest = arena.bytes(block + 8, size.saturating_sub(8));
            prop_assert!(rest.iter().all(|&byte| byte == size as u8));
            sizes.push(size);
        }
        Ok(sizes)
    }
}

/// Every block tells its size, in its first word and in all its bytes.
fn fill(arena: &Arena, block: Offset, size: u64) {
    arena.put_bytes(block, &vec![size as u8; size.max(8) as usize]);
    arena.put_bytes(block, &size.to_le_bytes());
}

/// What the places of a process hold after so many steps.
fn model(steps: &[Step]) -> Vec<u64> {
    let mut sizes = vec![0; PLACES];
    for step in steps {
        match *step {
            Step::Put(place, size) => sizes[place] = size,
            Step::Drop(place) => sizes[place] = 0,
            Step::Loose(..) | Step::Collect => {}
        }
    }
    sizes
}

fn visit(arena: &Arena, object: &Object, visitor: &mut dyn Visitor) {
    let table = object.payload();
    if table == 0 {
        return;
    }
    visitor.block(table);
    for at in 0..arena.capacity(table) / 8 {
        let block = arena.word_at(table + at * 8).load(Ordering::Acquire);
        // Other words are small numbers.
        if arena.capacity(block) != 0 {
            visitor.block(block);
        }
    }
}

fn deaths(dying: &[Step], living: &[Step], at: u64) -> Result<(), TestCaseError> {
    let arena = arena::ensure().unwrap();
    arena.collect();
    let before = arena.blocks();
    let hold = Hold::create(ObjectKind::Internal, |arena, object| {
        let table = arena.alloc_zeroed(2 * Places::WORDS * 8)?;
        object.set_payload(table);
        arena.commit(table);
        Ok(())
    })
    .unwrap();
    let places = Places {
        table: hold.object().payload(),
    };
    let start = |of: u64, steps: &[Step], arm: Option<u64>| {
        let (places, steps) = (&places, steps.to_vec());
        let id = hold.id();
        forked(move |me| {
            arena::get().unwrap().hold_bit(me, id);
            if let Some(at) = arm {
                crash::arm(&at.to_string());
            }
            places.run(of, &steps);
            0
        })
    };
    let children = [start(0, dying, Some(at)), start(1, living, None)];
    let [died, _] = children.map(|child| {
        let code = child.wait();
        assert!(arena.bury(child.slot, true));
        code
    });
    arena.collect();
    prop_assert_eq!(places.found(1)?, model(living));
    let progress = arena.get_word(places.progress(0)) as usize;
    let found = places.found(0)?;
    let next = (progress + 1).min(dying.len());
    prop_assert!(found == model(&dying[..progress]) || found == model(&dying[..next]));
    prop_assert!(died == -libc::SIGKILL || progress == dying.len());
    // Nothing is lost, and nothing is kept that belongs to nobody.
    let attached = found
        .iter()
        .chain(&model(living))
        .filter(|&&s| s != 0)
        .count();
    prop_assert_eq!(arena.blocks() - before, attached + 1);
    for of in 0..2 {
        for place in 0..PLACES {
            places.drop(arena, places.place(of, place));
        }
    }
    drop(hold);
    Ok(())
}

pub fn deaths_anywhere_leave_what_the_model_says() {
    static KIND: KindOps = KindOps {
        visit,
        destroy: kinds::destroy_payload,
        bury: kinds::bury_nothing,
    };
    arena::ensure().unwrap();
    kinds::register(ObjectKind::Internal, &KIND);
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|text| text.parse().ok()).unwrap_or(150);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let steps = || prop::collection::vec(step(), 1..40);
    let plan = (steps(), steps(), 1_u64..200);
    let result = runner.run(&plan, |(dying, living, at)| deaths(&dying, &living, at));
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::abort();
    }
}

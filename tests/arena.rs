//! The arena with real processes: children are forked and killed, and afterwards nothing is left of them.
//!
//! No harness: a test process must have one thread to fork. See `support/mod.rs`.

mod support;

#[path = "arena/model.rs"]
mod model;

use par::arena::{self, Hold, ObjectKind};
use support::{Tests, forked};

fn main() {
    let mut tests = Tests::new("arena");
    run!(tests:
        blocks_have_room_and_are_reused,
        big_blocks_are_reused,
        objects_without_holds_are_freed,
        a_million_objects_do_not_grow,
        blocks_of_killed_processes_are_swept,
        a_death_at_any_step_loses_no_block,
        random_use_never_overlaps,
        a_full_arena_is_an_error_and_goes_on,
    );
    tests.run(
        "deaths_anywhere_leave_what_the_model_says",
        model::deaths_anywhere_leave_what_the_model_says,
    );
    tests.finish();
}

fn blocks_have_room_and_are_reused() {
    let arena = arena::ensure().unwrap();
    for size in [1, 64, 65, 200, 5000, 32768, 32769, 100_000, 1 << 20] {
        let block = arena.alloc(size).unwrap();
        check!(arena.capacity(block) >= size);
        arena.put_bytes(block, &vec![7; size as usize]);
        check!(arena.bytes(block, size).iter().all(|&b| b == 7));
        arena.commit(block);
        arena.free(block);
    }
    let before = arena.used_bytes();
    for round in 0..100_000_u64 {
        let block = arena.alloc(round % 3000 + 1).unwrap();
        arena.free(block);
    }
    check!(arena.used_bytes() <= before + (64 << 20));
}

fn big_blocks_are_reused() {
    let arena = arena::ensure().unwrap();
    let first = arena.alloc(10 << 20).unwrap();
    arena.free(first);
    let second = arena.alloc(10 << 20).unwrap();
    check!(first == second);
    let third = arena.alloc(1 << 20).unwrap();
    check!(third >= second + (10 << 20));
    arena.free(second);
    arena.free(third);
    check!(arena.used_bytes() == 0);
}

fn objects_without_holds_are_freed() {
    let arena = arena::ensure().unwrap();
    let kept = Hold::create(ObjectKind::Internal, |_, _| Ok(())).unwrap();
    let other = kept.clone();
    let id = kept.id();
    drop(kept);
    arena.collect();
    check!(arena.object(id).is_some());
    drop(other);
    arena.collect();
    check!(arena.object(id).is_none());
    check!(Hold::adopt(id).is_none());
}

fn a_million_objects_do_not_grow() {
    let arena = arena::ensure().unwrap();
    for _ in 0..1_000_000 {
        let hold = Hold::create(ObjectKind::Internal, |_, _| Ok(())).unwrap();
        check!(hold.id().index < 100_000);
    }
    arena.collect();
    check!(arena.live_objects() == 0);
}

fn blocks_of_killed_processes_are_swept() {
    let arena = arena::ensure().unwrap();
    let held = arena.alloc(100).unwrap();
    arena.commit(held);
    for round in 0..200_u64 {
        let child = forked(|me| {
            loop {
                for size in [100, 3000, 70_000, 200_000] {
                    let block = arena.alloc(size).unwrap();
                    if size % 200 == 0 {
                        arena.free(block);
                    }
                    if arena.used_bytes() > 64 << 20 {
                        return me.index as i32;
                    }
                }
            }
        });
        child.kill_after_microseconds(round * 7 % 500);
        check!(arena.bury(child.slot, true));
        check!(!arena.is_alive(child.slot));
        if round % 20 == 19 {
            arena.collect();
            check!(arena.used_bytes() <= 1 << 20);
        }
    }
    check!(arena.capacity(held) >= 100);
}

/// Each child dies one marked place later than the one before, while it takes and frees small and big blocks.
fn a_death_at_any_step_loses_no_block() {
    let arena = arena::ensure().unwrap();
    for step in 1.. {
        let child = forked(|_| {
            arena::crash::arm(&step.to_string());
            for size in [100, 70_000, 200_000] {
                let block = arena.alloc(size).unwrap();
                arena.free(block);
            }
            0
        });
        let code = child.wait();
        check!(arena.bury(child.slot, true));
        arena.collect();
        check!(arena.used_bytes() == 0);
        if code == 0 {
            // It came to the end alive: every place has had its death.
            check!(step > 10);
            return;
        }
    }
}

/// A small generator of numbers (xorshift): tests need no more, and say their seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Takes, fills, checks and frees blocks for ever, or for so many steps.
fn use_blocks(seed: u64, steps: u64) -> usize {
    let arena = arena::ensure().unwrap();
    let mut random = Random(seed * 0x9e37_79b9 + 1);
    let mut blocks: Vec<(u64, u64, u8)> = Vec::new();
    for _ in 0..steps {
        if blocks.len() < 60 && random.below(3) > 0 {
            let size = match random.below(20) {
                0 => random.below(300_000) + 1,
                _ => random.below(2000) + 1,
            };
            let Ok(block) = arena.alloc(size) else {
                continue;
            };
            let pattern = random.below(256) as u8;
            arena.put_bytes(block, &vec![pattern; size as usize]);
            blocks.push((block, size, pattern));
        } else if !blocks.is_empty() {
            let at = random.below(blocks.len() as u64) as usize;
            let (block, size, pattern) = blocks.swap_remove(at);
            check!(arena.bytes(block, size).iter().all(|&b| b == pattern));
            arena.free(block);
        }
    }
    for (block, size, pattern) in blocks.drain(..) {
        check!(arena.bytes(block, size).iter().all(|&b| b == pattern));
        arena.free(block);
    }
    0
}

fn random_use_never_overlaps() {
    let arena = arena::ensure().unwrap();
    for round in 0..60 {
        let killed: Vec<_> = (0..2)
            .map(|n| forked(move |_| use_blocks(round * 10 + n, u64::MAX) as i32))
            .collect();
        let finishing = forked(move |_| use_blocks(round * 10 + 7, 3000) as i32);
        use_blocks(round * 10 + 9, 2000);
        for child in &killed {
            child.kill_after_microseconds(round * 13 % 300);
            check!(arena.bury(child.slot, true));
        }
        // In the middle of the other's work: what is in its hands stays.
        arena.collect();
        check!(finishing.wait() == 0);
        check!(arena.bury(finishing.slot, true));
    }
    arena.collect();
    check!(arena.used_bytes() <= 1 << 20);
}

fn a_full_arena_is_an_error_and_goes_on() {
    let arena = arena::ensure().unwrap();
    arena.set_limit(8 << 20);
    let mut blocks = Vec::new();
    let error = loop {
        match arena::when_full(|| arena.alloc(100_000)) {
            Ok(block) => blocks.push(block),
            Err(error) => break error,
        }
    };
    check!(error.kind == "LimitExceeded" && blocks.len() == 64);
    check!(arena.alloc(10).is_err());
    blocks.drain(..).for_each(|block| arena.free(block));
    let mut small = Vec::new();
    while let Ok(block) = arena.alloc(1000) {
        small.push(block);
    }
    check!(small.len() == 128 * 64);
    let id = Hold::create(ObjectKind::Internal, |arena, object| {
        object.set_payload(arena.alloc(1000)?);
        Ok(())
    });
    check!(id.is_err());
    small.drain(..).for_each(|block| arena.free(block));
    check!(arena.alloc(1000).is_ok());
}

//! The arena with real processes: children are forked and killed, and afterwards nothing is left of them.
//!
//! No harness: a test process must have one thread to fork. See `support/mod.rs`.

mod support;

use par::arena::{self, Hold, ObjectKind};
use support::{Tests, forked};

fn main() {
    let mut tests = Tests::new("arena");
    tests.run(
        "blocks_have_room_and_are_reused",
        blocks_have_room_and_are_reused,
    );
    tests.run("big_blocks_are_reused", big_blocks_are_reused);
    tests.run(
        "objects_without_holds_are_freed",
        objects_without_holds_are_freed,
    );
    tests.run(
        "a_million_objects_do_not_grow",
        a_million_objects_do_not_grow,
    );
    tests.run(
        "blocks_of_killed_processes_are_swept",
        blocks_of_killed_processes_are_swept,
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

//! Dying in every window: a child is killed at its first, second, third ... crash point, and each time what it left
//! must be whole.

use crate::check;
use crate::{child, get, int, number, payload, prepared, put};
use par::arena::{self, Arena, crash};
use par::process::Ended;
use par::process::queue::Queue;
use par::process::shared::list::Locked;
use par::process::shared::{Array, Content, Element, Item, List, Map, Scalar, Small};

/// Runs `body` in children that die at the first, second ... crash point, with `after` on what each left, until one comes to
/// its end alive.
fn each_window(ids: &[arena::HandleId], body: impl Fn(), after: impl Fn(u64)) {
    for window in 1.. {
        let process = child(ids, || {
            crash::arm(&window.to_string());
            body();
        });
        let ended = process.join(None, None).unwrap().unwrap();
        after(window);
        if !matches!(ended, Ended::Killed(_)) {
            check!(window > 5);
            println!("  {window} windows");
            return;
        }
    }
}

fn drain(queue: &Queue) -> Vec<u64> {
    let mut all = Vec::new();
    while let Ok(Some(taken)) = queue.try_get() {
        all.push(taken.read(|bytes| {
            check!(bytes == payload(number(bytes)));
            number(bytes)
        }));
    }
    all
}

/// Blocks that belong to nobody any more are freed, and not more than before is in use.
fn nothing_leaks(arena: &Arena, before: u64) {
    arena.collect();
    check!(arena.used_bytes() <= before + (1 << 20));
}

pub fn a_putter_may_die_in_every_window() {
    let queue = Queue::create(0).unwrap();
    let done = Array::create(Element::Ints, 1).unwrap();
    let arena = arena::get().unwrap();
    let before = arena.used_bytes();
    each_window(
        &[queue.id(), done.id()],
        || {
            done.set(arena, 0, 0);
            for at in 0..40 {
                put(&queue, &payload(at));
                done.set(arena, 0, at + 1);
            }
        },
        |_| {
            let committed = done.get(arena, 0).unwrap();
            let all = drain(&queue);
            check!(all.iter().copied().eq(0..all.len() as u64));
            check!((committed..=committed + 1).contains(&(all.len() as u64)));
            put(&queue, &payload(5));
            check!(get(&queue) == payload(5));
            nothing_leaks(arena, before);
        },
    );
}

pub fn a_taker_may_die_in_every_window() {
    let queue = Queue::create(50).unwrap();
    let seen = Array::create(Element::Ints, 40).unwrap();
    let arena = arena::get().unwrap();
    let before = arena.used_bytes();
    let fill = || {
        for at in 0..40 {
            seen.set(arena, at, 0);
            put(&queue, &payload(at));
        }
    };
    fill();
    let note = |at: u64| {
        let count = seen.get(arena, at).unwrap();
        seen.set(arena, at, count + 1);
    };
    each_window(
        &[queue.id(), seen.id()],
        || {
            while let Ok(Some(taken)) = queue.try_get() {
                note(taken.read(number));
            }
        },
        |_| {
            let channel = queue.channel(arena);
            let waiting = channel.len();
            let left = drain(&queue);
            check!(waiting == left.len() as u64);
            check!(left.is_sorted());
            left.iter().copied().for_each(note);
            let counts: Vec<u64> = (0..40).map(|at| seen.get(arena, at).unwrap()).collect();
            // None is lost, but one may have been looked at before its taker died.
            check!(counts.iter().all(|&count| count >= 1));
            check!(counts.iter().filter(|&&count| count > 1).count() <= 1);
            nothing_leaks(arena, before);
            fill();
        },
    );
}

pub fn a_closer_may_die_in_every_window() {
    for window in 1..12 {
        let queue = Queue::create(0).unwrap();
        put(&queue, b"before");
        let closer = child(&[queue.id()], || {
            crash::arm(&window.to_string());
            queue.close(None).unwrap();
        });
        closer.join(None, None).unwrap().unwrap();
        check!(get(&queue) == b"before");
        // Either it is closed, with a name, or it is open and works.
        match queue.try_put(&mut prepared(b"after", &[])) {
            Ok(done) => check!(done && get(&queue) == b"after"),
            Err(error) => check!(error.message.contains("closed by Process-")),
        }
    }
}

fn long(at: i64) -> Vec<u8> {
    vec![at as u8; 200 + at as usize]
}

pub fn a_list_survives_every_window() {
    let list = List::create(&[]).unwrap();
    let arena = arena::get().unwrap();
    let before = arena.used_bytes();
    each_window(
        &[list.id()],
        || {
            for at in 0..10_i64 {
                let bytes = long(at);
                list.push(&[Item::Small(Small::Int(at)), Item::Message(&bytes, &[])])
                    .unwrap();
            }
            for at in 0..10_u64 {
                let bytes = long(3);
                list.replace(at, None, Item::Message(&bytes, &[])).unwrap();
            }
            let seven = long(7);
            for range in [2..5, 0..0, 0..0, 0..1, 3..6] {
                let items = &[Item::Message(&seven, &[])][..usize::from(range != (0..1))];
                list.splice(items, |_| Some(range.clone()), |_| ()).unwrap();
            }
            let backwards = |list: &Locked<'_>| Some((0..list.len() as usize).rev().collect());
            list.reorder(None, backwards).unwrap();
            list.replace_each(&[Item::Message(&seven, &[])], |_| Some(vec![1]))
                .unwrap();
            while list.pop(arena, int).unwrap().is_some() {}
        },
        |_| {
            let mut count = 0;
            list.read_all(arena, |content| {
                count += 1;
                match content {
                    Content::Small(small) => check!(matches!(small, Small::Int(0..10))),
                    Content::Message(bytes) => {
                        check!(bytes == long(i64::from(bytes[0])));
                    }
                }
            });
            check!(count == list.len(arena));
            list.splice(&[], |_| Some(0..u64::MAX), |_| ()).unwrap();
            check!(list.len(arena) == 0);
            nothing_leaks(arena, before);
        },
    );
}

pub fn a_map_survives_every_window() {
    let map = Map::create(&[], &[]).unwrap();
    let arena = arena::get().unwrap();
    let before = arena.used_bytes();
    each_window(
        &[map.id()],
        || {
            for at in 0..20_i64 {
                let bytes = long(at);
                let value = Item::Message(&bytes, &[]);
                match at % 2 {
                    0 => map.set(Item::Small(Small::Int(at)), value),
                    _ => map.set(Item::Message(&long(at), &[]), value),
                }
                .unwrap();
            }
            for at in 0..20_i64 {
                map.set(Item::Small(Small::Int(at)), Item::Small(Small::Int(at)))
                    .unwrap();
                map.remove(arena, Item::Message(&long(at), &[]), int)
                    .unwrap();
            }
        },
        |_| {
            let mut keys = Vec::new();
            map.read_all(arena, |key, value| {
                keys.push(int(key));
                check!(int(value) < 300);
            });
            check!(keys.len() as u64 == map.len(arena));
            for &key in &keys {
                let bytes = long((key - 200).max(0));
                let item = match key {
                    0..20 => Item::Small(Small::Int(key)),
                    _ => Item::Message(&bytes, &[]),
                };
                check!(map.read(arena, item, |_| ()).1.is_some());
            }
            map.clear().unwrap();
            check!(map.len(arena) == 0);
            nothing_leaks(arena, before);
        },
    );
}

pub fn a_scalar_survives_every_window() {
    let scalar = Scalar::create(Item::Small(Small::Nil)).unwrap();
    let arena = arena::get().unwrap();
    let before = arena.used_bytes();
    each_window(
        &[scalar.id()],
        || {
            for at in 0..10_i64 {
                scalar.write(Item::Message(&long(at), &[])).unwrap();
                scalar.write(Item::Small(Small::Int(at))).unwrap();
            }
        },
        |_| {
            scalar.read(arena, |content| match content {
                Content::Small(small) => check!(matches!(small, Small::Nil | Small::Int(_))),
                Content::Message(bytes) => check!(bytes == long(i64::from(bytes[0]))),
            });
            scalar.write(Item::Small(Small::Nil)).unwrap();
            nothing_leaks(arena, before);
        },
    );
}

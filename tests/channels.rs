//! Queues, pipes, select and shared objects with real forks and kills. No harness: see `support/mod.rs`.

mod support;

#[path = "channels/kills.rs"]
mod kills;
#[path = "channels/leases.rs"]
mod leases;
#[path = "channels/measures.rs"]
mod measures;
#[path = "channels/windows.rs"]
mod windows;

use leases::Disturb;
use par::arena::{self, HandleId};
use par::diag::codes;
use par::process::channel::Prepared;
use par::process::pipe::End;
use par::process::queue::{ITEMS, Queue};
use par::process::shared::{Array, Content, Element, Item, List, Map, Scalar, Small};
use par::process::spawn::Process;
use par::process::{self, ChildOutcome, SpawnSpec, select, spawn, wait};
use support::Tests;

fn main() {
    let mut tests = Tests::new("channels");
    run!(tests:
        items_come_in_order,
        many_put_and_many_take,
        a_full_queue_makes_putters_wait,
        closing_ends_takers_and_refuses_putters,
        join_waits_until_all_is_done,
        handles_inside_messages_stay_alive,
        more_messages_in_hand_than_claims,
        pipes_carry_both_ways,
        a_pipe_ends_when_nobody_holds_the_other_end,
        select_takes_what_comes_first,
        a_get_that_nobody_feeds_ends,
        shared_scalars_lose_no_update,
        shared_lists_lose_no_push,
        shared_maps_find_what_was_set,
        many_objects_need_bounded_memory,
    );
    tests.run(
        "a_putter_may_die_in_every_window",
        windows::a_putter_may_die_in_every_window,
    );
    tests.run(
        "a_taker_may_die_in_every_window",
        windows::a_taker_may_die_in_every_window,
    );
    tests.run(
        "a_closer_may_die_in_every_window",
        windows::a_closer_may_die_in_every_window,
    );
    tests.run(
        "a_list_survives_every_window",
        windows::a_list_survives_every_window,
    );
    tests.run(
        "a_map_survives_every_window",
        windows::a_map_survives_every_window,
    );
    tests.run(
        "a_scalar_survives_every_window",
        windows::a_scalar_survives_every_window,
    );
    tests.run("killing_loses_nothing_from_a_queue", || kills::queue(300));
    tests.run("killing_loses_nothing_from_a_pipe", || kills::pipe(200));
    tests.run("killing_leaves_shared_objects_whole", || kills::shared(150));
    tests.run(
        "a_taker_by_lease_may_die_in_every_window",
        leases::a_taker_by_lease_may_die_in_every_window,
    );
    tests.run(
        "who_settles_a_lease_may_die_in_every_window",
        leases::who_settles_a_lease_may_die_in_every_window,
    );
    tests.run(
        "an_item_that_kills_is_set_aside",
        leases::an_item_that_kills_is_set_aside,
    );
    tests.run("many_leases_may_be_open", leases::many_leases_may_be_open);
    tests.run(
        "a_full_arena_refuses_a_lease_and_goes_on",
        leases::a_full_arena_refuses_a_lease_and_goes_on,
    );
    tests.run("killing_loses_nothing_by_lease", || {
        leases::disturbed(200, Disturb::Kill);
    });
    tests.run("stopping_loses_nothing_by_lease", || {
        leases::disturbed(200, Disturb::Stop);
    });
    tests.measure("kills_of_getters", || kills::queue(rounds()));
    tests.measure("kills_of_leasers", || {
        leases::disturbed(rounds(), Disturb::Kill);
    });
    tests.measure("stops_of_leasers", || {
        leases::disturbed(rounds(), Disturb::Stop);
    });
    tests.measure("kills_of_a_pipe", || kills::pipe(rounds()));
    tests.measure("measure_queue_of_ints", measures::queue_of_ints);
    tests.measure("measure_queue_of_megabytes", measures::queue_of_megabytes);
    tests.measure("measure_queue_with_many", measures::queue_with_many);
    tests.measure("measure_pipe_round_trip", measures::pipe_round_trip);
    tests.measure("measure_shared_updates", measures::shared_updates);
    tests.finish();
}

/// How many disturbances the full runs have: `PAR_KILL_ROUNDS`.
fn rounds() -> u64 {
    let rounds = std::env::var("PAR_KILL_ROUNDS").ok();
    rounds.and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// A message of some bytes.
fn prepared(bytes: &[u8], handles: &[HandleId]) -> Prepared {
    Prepared::new(arena::get().unwrap(), [bytes, &[]], handles).unwrap()
}

fn put(queue: &Queue, bytes: &[u8]) {
    queue.put(&mut prepared(bytes, &[]), None, None).unwrap();
}

fn get(queue: &Queue) -> Vec<u8> {
    queue.get(None, None).unwrap().read(<[u8]>::to_vec)
}

fn child(holds: &[HandleId], body: impl FnOnce()) -> Process {
    spawn::spawn(&SpawnSpec::default(), holds, || {
        body();
        ChildOutcome::Returned(process::Message::default())
    })
    .unwrap()
}

fn join(process: &Process) {
    let ended = process.join(None, None).unwrap().unwrap();
    check!(matches!(ended, process::Ended::Returned(_)));
}

/// Every second message needs a block of its own.
fn payload(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    if number % 2 == 1 {
        bytes.resize(100 + (number as usize % 7) * 900, number as u8);
    }
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().unwrap())
}

fn items_come_in_order() {
    let queue = Queue::create(0).unwrap();
    let count = 20_000;
    let producer = child(&[queue.id()], || {
        for at in 0..count {
            put(&queue, &payload(at));
        }
    });
    for at in 0..count {
        check!(get(&queue) == payload(at));
    }
    join(&producer);
    check!(queue.channel(arena::get().unwrap()).is_empty());
}

fn many_put_and_many_take() {
    let queue = Queue::create(100).unwrap();
    let seen = Array::create(Element::Bytes, 40_000).unwrap();
    let ids = [queue.id(), seen.id()];
    let producers: Vec<Process> = (0..4)
        .map(|of| {
            child(&ids, || {
                for at in 0..10_000 {
                    put(&queue, &payload(of * 10_000 + at));
                }
            })
        })
        .collect();
    let arena = arena::get().unwrap();
    let consumers: Vec<Process> = (0..3)
        .map(|_| {
            child(&ids, || {
                while let Ok(taken) = queue.get(None, None) {
                    let at = taken.read(number);
                    let before = seen.get(arena, at).unwrap();
                    check!(seen.exchange(arena, at, before, before + 1));
                }
            })
        })
        .collect();
    producers.iter().for_each(join);
    queue.close(None).unwrap();
    consumers.iter().for_each(join);
    for at in 0..40_000 {
        check!(seen.get(arena, at) == Some(1));
    }
}

fn a_full_queue_makes_putters_wait() {
    let queue = Queue::create(2).unwrap();
    put(&queue, b"1");
    put(&queue, b"2");
    let channel = queue.channel(arena::get().unwrap());
    check!(!channel.has_room() && channel.len() == 2);
    let mut third = prepared(b"3", &[]);
    let error = queue.put(&mut third, Some(0.05), None).unwrap_err();
    check!(error.code == codes::TIMEOUT);
    check!(!queue.try_put(&mut third).unwrap());
    let taker = child(&[queue.id()], || {
        wait::sleep(0.05, None).unwrap();
        check!(get(&queue) == b"1");
    });
    queue.put(&mut third, None, None).unwrap();
    join(&taker);
    check!(get(&queue) == b"2" && get(&queue) == b"3");
    check!(queue.try_get().unwrap().is_none());
    let error = queue.get(Some(0.02), None).err().unwrap();
    check!(error.code == codes::TIMEOUT);
}

fn closing_ends_takers_and_refuses_putters() {
    let queue = Queue::create(0).unwrap();
    put(&queue, b"left");
    let taker = child(&[queue.id()], || {
        check!(get(&queue) == b"left");
        let error = queue.get(None, None).err().unwrap();
        check!(error.code == codes::END_OF_STREAM);
    });
    wait::sleep(0.05, None).unwrap();
    check!(queue.close(None).unwrap());
    check!(!queue.close(None).unwrap());
    join(&taker);
    let error = queue.put(&mut prepared(b"x", &[]), None, None).unwrap_err();
    check!(error.code == codes::CLOSED && error.message.contains("closed by main"));
}

fn join_waits_until_all_is_done() {
    let queue = Queue::create(4).unwrap();
    let worker = child(&[queue.id()], || {
        let arena = arena::get().unwrap();
        for _ in 0..50 {
            get(&queue);
            check!(queue.channel(arena).task_done());
        }
        check!(!queue.channel(arena).task_done());
    });
    for at in 0..50 {
        put(&queue, &payload(at));
    }
    check!(queue.join(None, None).unwrap());
    join(&worker);
    put(&queue, b"x");
    check!(!queue.join(Some(0.02), None).unwrap());
}

fn handles_inside_messages_stay_alive() {
    let outer = Queue::create(0).unwrap();
    let arena = arena::get().unwrap();
    let before = arena.live_objects();
    for _ in 0..10 {
        let inner = Queue::create(0).unwrap();
        put(&inner, b"inside");
        let id = inner.id();
        let message = id.to_bits().to_le_bytes();
        let mut message = prepared(&message, &[id]);
        outer.put(&mut message, None, None).unwrap();
    }
    arena.collect();
    check!(arena.live_objects() == before + 10);
    for _ in 0..10 {
        let taken = outer.get(None, None).unwrap();
        let id = HandleId::from_bits(taken.read(number)).unwrap();
        let inner = Queue::adopt(id).unwrap();
        drop(taken);
        arena.collect();
        check!(get(&inner) == b"inside");
    }
    arena.collect();
    check!(arena.live_objects() == before);
}

fn more_messages_in_hand_than_claims() {
    let queue = Queue::create(0).unwrap();
    let inner = Queue::create(0).unwrap();
    let id = inner.id();
    for at in 0..20_u64 {
        let mut bytes = at.to_le_bytes().to_vec();
        bytes.resize(500, at as u8);
        queue.put(&mut prepared(&bytes, &[id]), None, None).unwrap();
    }
    let mut hands: Vec<_> = (0..20).map(|_| queue.get(None, None).unwrap()).collect();
    check!(queue.channel(arena::get().unwrap()).is_empty());
    for (at, taken) in hands.drain(..).enumerate() {
        check!(taken.read(|bytes| number(bytes) == at as u64 && bytes.len() == 500));
    }
    check!(queue.try_get().unwrap().is_none());
    put(&inner, b"still there");
    check!(get(&inner) == b"still there");
}

fn pipes_carry_both_ways() {
    let [left, right] = End::create_pair(false).unwrap();
    let echo = child(&[right.id()], || {
        while let Ok(taken) = right.recv(None, None) {
            let bytes = taken.read(<[u8]>::to_vec);
            right.send(&mut prepared(&bytes, &[]), None, None).unwrap();
        }
    });
    for at in 0..2000 {
        let mut message = prepared(&payload(at), &[]);
        left.send(&mut message, None, None).unwrap();
        check!(left.poll(Some(5.0), None).unwrap());
        let back = left.recv(None, None).unwrap();
        check!(back.read(<[u8]>::to_vec) == payload(at));
    }
    left.close(None).unwrap();
    join(&echo);
    let error = left.recv(None, None).err().unwrap();
    check!(error.code == codes::CLOSED);
    let error = right.recv(None, None).err().unwrap();
    check!(error.code == codes::END_OF_STREAM);
    let [reader, writer] = End::create_pair(true).unwrap();
    let error = reader.send(&mut prepared(b"x", &[]), None, None);
    check!(error.unwrap_err().code == codes::TYPE);
    check!(writer.recv(None, None).err().unwrap().code == codes::TYPE);
}

fn a_pipe_ends_when_nobody_holds_the_other_end() {
    let [reader, writer] = End::create_pair(true).unwrap();
    let sender = child(&[writer.id()], || {
        for at in 0..3000 {
            let mut message = prepared(&payload(at), &[]);
            writer.send(&mut message, None, None).unwrap();
        }
    });
    drop(writer);
    for at in 0..3000 {
        let taken = reader.recv(None, None).unwrap();
        check!(taken.read(number) == at);
    }
    let error = reader.recv(None, None).err().unwrap();
    check!(error.code == codes::END_OF_STREAM);
    join(&sender);
}

fn select_takes_what_comes_first() {
    let (a, b) = (Queue::create(0).unwrap(), Queue::create(0).unwrap());
    let late = child(&[b.id()], || {
        wait::sleep(0.05, None).unwrap();
        put(&b, b"b");
    });
    let choose = |timeout: Option<f64>| {
        let awaited = [a.awaited(ITEMS), b.awaited(ITEMS)];
        let attempt = |case: usize| {
            let taken = [&a, &b][case].try_get()?;
            Ok(taken.map(|taken| taken.read(<[u8]>::to_vec)))
        };
        select::select(2, &awaited, timeout, None, None, attempt).unwrap()
    };
    check!(choose(Some(0.0)).is_none());
    check!(choose(None) == Some((1, b"b".to_vec())));
    put(&b, b"2");
    put(&a, b"1");
    check!(choose(Some(0.0)) == Some((0, b"1".to_vec())));
    check!(choose(Some(0.0)) == Some((1, b"2".to_vec())));
    join(&late);
}

fn a_get_that_nobody_feeds_ends() {
    let queue = Queue::create(0).unwrap();
    let error = queue.get(None, None).err().unwrap();
    check!(error.code == codes::END_OF_STREAM);
    // A child that runs could still put something.
    let feeder = child(&[queue.id()], || {
        wait::sleep(0.3, None).unwrap();
        put(&queue, b"late");
    });
    check!(get(&queue) == b"late");
    join(&feeder);
}

fn int(content: Content<'_>) -> i64 {
    match content {
        Content::Small(Small::Int(value)) => value,
        Content::Small(_) => -1,
        Content::Message(bytes) => bytes.len() as i64,
    }
}

fn add(scalar: &Scalar, step: i64) {
    let arena = arena::get().unwrap();
    loop {
        let (stamp, old) = scalar.read(arena, int);
        let item = Item::Small(Small::Int(old + step));
        if scalar.replace(Some(stamp), item).unwrap() {
            return;
        }
    }
}

fn shared_scalars_lose_no_update() {
    // From below what fits the word to beyond it: half of the values need a block.
    let start = (1 << 47) - 20_000;
    let scalar = Scalar::create(Item::Small(Small::Int(start))).unwrap();
    let children: Vec<Process> = (0..4)
        .map(|_| child(&[scalar.id()], || (0..10_000).for_each(|_| add(&scalar, 1))))
        .collect();
    children.iter().for_each(join);
    let (_, sum) = scalar.read(arena::get().unwrap(), int);
    check!(sum == start + 40_000);
}

fn shared_lists_lose_no_push() {
    let list = List::create(&[]).unwrap();
    let arena = arena::get().unwrap();
    let children: Vec<Process> = (0..4)
        .map(|of: i64| {
            child(&[list.id()], || {
                for at in 0..1000 {
                    let bytes = payload(at as u64);
                    match at % 2 {
                        0 => list.push(&[Item::Small(Small::Int(of * 1000 + at))]),
                        _ => list.push(&[Item::Message(&bytes, &[])]),
                    }
                    .unwrap();
                }
            })
        })
        .collect();
    children.iter().for_each(join);
    check!(list.len(arena) == 4000);
    let mut ints = Vec::new();
    list.read_all(arena, |content| match content {
        Content::Small(Small::Int(value)) => ints.push(value),
        Content::Message(bytes) => check!(bytes == payload(number(bytes))),
        _ => check!(false),
    });
    ints.sort_unstable();
    let expected: Vec<i64> = (0..4000).filter(|at| at % 2 == 0).collect();
    check!(ints == expected);
    while list.pop(arena, |_| ()).unwrap().is_some() {}
    check!(list.len(arena) == 0);
}

fn shared_maps_find_what_was_set() {
    let map = Map::create(&[], &[]).unwrap();
    let arena = arena::get().unwrap();
    let children: Vec<Process> = (0..4)
        .map(|of: u64| {
            child(&[map.id()], || {
                for at in 0..1000 {
                    let key = (of * 1000 + at).to_le_bytes();
                    let value = Item::Small(Small::Int(at as i64));
                    map.set(Item::Message(&key, &[]), value).unwrap();
                    if at % 3 == 0 {
                        let key = Item::Message(&key, &[]);
                        check!(map.remove(arena, key, int).unwrap() == Some(at as i64));
                    }
                }
            })
        })
        .collect();
    children.iter().for_each(join);
    for key in 0..4000_u64 {
        let bytes = key.to_le_bytes();
        let (_, found) = map.read(arena, Item::Message(&bytes, &[]), int);
        let at = key % 1000;
        check!(found == (at % 3 != 0).then_some(at as i64));
    }
    let mut count = 0;
    map.read_all(arena, |_, _| count += 1);
    check!(count == map.len(arena));
}

fn many_objects_need_bounded_memory() {
    Queue::create(0).unwrap();
    let arena = arena::get().unwrap();
    let mut most = 0;
    for round in 0..100_000 {
        let queue = Queue::create(0).unwrap();
        put(&queue, &payload(round));
        let list = List::create(&[Item::Small(Small::Nil)]).unwrap();
        let id = list.id();
        list.push(&[Item::Message(&id.to_bits().to_le_bytes(), &[id])])
            .unwrap();
        if round == 20_000 {
            most = arena.used_bytes();
        }
    }
    check!(arena.used_bytes() <= most * 2);
    // Messages through one queue leave nothing behind.
    let queue = Queue::create(0).unwrap();
    for round in 0..300_000 {
        put(&queue, &payload(round));
        get(&queue);
    }
    check!(arena.used_bytes() <= most * 2 + (1 << 20));
}

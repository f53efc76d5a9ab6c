//! Leases: every item is dealt with exactly once, wherever its taker dies.

use crate::check;
use crate::kills::{Pace, Random, Turns, kill, pause};
use crate::{child, get, number, payload, prepared, put};
use par::arena::{self, HandleId, crash};
use par::process::queue::Queue;
use par::process::shared::{Array, Element};
use par::process::spawn::Process;
use std::collections::HashSet;

/// Items of the tests that walk through the windows.
const ITEMS: u64 = 6;

struct Queues {
    jobs: Queue,
    first: Queue,
    second: Queue,
}

impl Queues {
    fn new() -> Queues {
        Queues {
            jobs: Queue::create_with(0, 0).unwrap(),
            first: Queue::create(0).unwrap(),
            second: Queue::create(0).unwrap(),
        }
    }

    fn ids(&self) -> [HandleId; 3] {
        [self.jobs.id(), self.first.id(), self.second.id()]
    }

    fn fill(&self) {
        (0..ITEMS).for_each(|at| put(&self.jobs, &payload(at)));
    }

    /// Takes all jobs by lease; three results for each, in two queues. Every third job is given back once.
    fn work(&self) {
        while let Some(lease) = self.jobs.try_take().unwrap() {
            let at = lease.read(number).unwrap();
            if at % 3 == 0 && lease.deliveries() == 1 {
                lease.release(None).unwrap();
                continue;
            }
            let results = [
                (&self.first, at),
                (&self.second, at + 100),
                (&self.first, at + 200),
            ];
            for (target, result) in results {
                let mut message = prepared(&payload(result), &[]);
                lease.put(target, &mut message, None, None).unwrap();
            }
            lease.done().unwrap();
        }
    }

    /// Every job is either still there or has all its results, and none is there twice.
    fn settle(&self) {
        let arena = arena::get().unwrap();
        let mut first = drain(&self.first);
        let second = drain(&self.second);
        let waiting = self.jobs.channel(arena).len();
        let left = drain(&self.jobs);
        check!(waiting == left.len() as u64);
        check!(self.jobs.channel(arena).unfinished() == waiting);
        left.iter()
            .for_each(|_| check!(self.jobs.channel(arena).task_done()));
        check!(first.len() == 2 * second.len());
        for at in 0..ITEMS {
            let has = |list: &[u64], number| list.iter().filter(|&&n| n == number).count();
            let done = has(&second, at + 100);
            check!(done + has(&left, at) == 1);
            check!(has(&first, at) == done && has(&first, at + 200) == done);
        }
        // What comes from one lease stands together, in order.
        while let Some(second) = first.pop() {
            check!(first.pop() == Some(second - 200));
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

fn died(process: &Process) -> bool {
    let ended = process.join(None, None).unwrap().unwrap();
    matches!(ended, par::process::Ended::Killed(_))
}

fn nothing_leaks(before: u64) {
    let arena = arena::get().unwrap();
    arena.collect();
    check!(arena.used_bytes() <= before + (1 << 20));
}

pub fn a_taker_by_lease_may_die_in_every_window() {
    let queues = Queues::new();
    let before = arena::get().unwrap().used_bytes();
    for window in 1.. {
        queues.fill();
        let taker = child(&queues.ids(), || {
            crash::arm(&window.to_string());
            queues.work();
        });
        let died = died(&taker);
        queues.settle();
        nothing_leaks(before);
        if !died {
            println!("  {window} windows");
            check!(window > 100);
            return;
        }
    }
}

/// The taker dies at a place; then whoever buries it dies in every window of that.
pub fn who_settles_a_lease_may_die_in_every_window() {
    let places = [
        "lease: result noted:2",
        "lease: target noted:2",
        "lease: committed",
        "lease: segment moved",
        "lease: tail moved",
        "lease: target complete",
        "lease: ended",
        "lease: detached:2",
    ];
    let queues = Queues::new();
    let before = arena::get().unwrap().used_bytes();
    let mut windows = 0;
    for place in places {
        for window in 1.. {
            queues.fill();
            let gravedigger = child(&queues.ids(), || {
                let taker = child(&queues.ids(), || {
                    crash::arm(place);
                    queues.work();
                });
                while arena::get().unwrap().is_alive(slot_of(&taker)) {
                    std::thread::yield_now();
                }
                crash::arm(&window.to_string());
                check!(self::died(&taker));
            });
            let died = died(&gravedigger);
            queues.settle();
            windows += 1;
            if !died {
                break;
            }
        }
        nothing_leaks(before);
    }
    println!("  {windows} windows");
}

fn slot_of(process: &Process) -> arena::SlotRef {
    let arena = arena::get().unwrap();
    let own = |slot: &arena::SlotRef| {
        let bits = &arena.slot(slot.index).process;
        HandleId::from_bits(bits.load(std::sync::atomic::Ordering::Acquire)) == Some(process.id())
    };
    arena.processes().find(own).unwrap()
}

pub fn an_item_that_kills_is_set_aside() {
    let queue = Queue::create_with(0, 3).unwrap();
    put(&queue, b"poison");
    put(&queue, b"good");
    for _ in 0..3 {
        let taker = child(&[queue.id()], || {
            let lease = queue.take(None, None).unwrap();
            check!(lease.read(|bytes| bytes == b"poison").unwrap());
            par::os::fork::send_signal(par::os::fork::pid(), libc::SIGKILL);
        });
        check!(died(&taker));
    }
    check!(get(&queue) == b"good");
    let aside = queue.dead_letters(true).unwrap();
    check!(aside.len() == 1 && aside[0].bytes == b"poison" && aside[0].deliveries == 3);
    check!(queue.dead_letters(false).unwrap().is_empty());
    // It counts as done; the other does not yet.
    let channel = queue.channel(arena::get().unwrap());
    check!(channel.unfinished() == 1 && channel.task_done());
}

pub fn many_leases_may_be_open() {
    let queue = Queue::create(0).unwrap();
    let arena = arena::get().unwrap();
    (0..1000).for_each(|at| put(&queue, &payload(at)));
    let leases: Vec<_> = (0..1000).map(|_| queue.take(None, None).unwrap()).collect();
    for (at, lease) in leases.iter().enumerate() {
        check!(lease.read(|bytes| bytes == payload(at as u64)).unwrap());
    }
    check!(queue.channel(arena).is_empty());
    for (at, lease) in leases.into_iter().enumerate() {
        match at % 2 {
            0 => lease.done().unwrap(),
            // Dropped: it goes back.
            _ => drop(lease),
        }
    }
    let left = drain(&queue);
    check!(left.len() == 500 && left.is_sorted());
}

pub fn a_full_arena_refuses_a_lease_and_goes_on() {
    let queue = Queue::create(0).unwrap();
    let arena = arena::get().unwrap();
    put(&queue, b"job");
    let lease = queue.take(None, None).unwrap();
    // From here on nothing more fits.
    arena.set_limit(1);
    let mut refused = 0;
    for at in 0..2000 {
        let bytes = vec![at as u8; 20_000];
        let message = par::process::channel::Prepared::new(arena, [&bytes, &[]], &[]);
        let Ok(mut message) = message else {
            refused += 1;
            continue;
        };
        refused += u32::from(lease.put(&queue, &mut message, None, None).is_err());
    }
    check!(refused > 0);
    lease.release(None).unwrap();
    check!(get(&queue) == b"job");
}

/// Items that each producer may put.
const MOST: u64 = 2_000_000;

/// What is done to a process in the middle of something.
#[derive(Clone, Copy, PartialEq)]
pub enum Disturb {
    Kill,
    Stop,
}

/// Two producers, two workers that take by lease and put a result through it, and one collector. At each disturbance a
/// producer or worker is killed and replaced, or stopped for a while. Each item that was put arrives exactly once.
pub fn disturbed(rounds: u64, how: Disturb) {
    let jobs = Queue::create_with(1000, 0).unwrap();
    let results = Queue::create(1000).unwrap();
    let put = Array::create(Element::Ints, 2).unwrap();
    let received = Array::create(Element::Bytes, 2 * MOST).unwrap();
    let (pace, turns) = (Pace::new(), Turns::begin());
    let arena = arena::get().unwrap();
    let ids = [jobs.id(), results.id(), put.id(), received.id(), pace.id()];
    let producer = |of: u64| {
        child(&ids, || {
            for at in put.get(arena, of).unwrap() + 1..MOST {
                let message = payload(of * MOST + at);
                jobs.put(&mut prepared(&message, &[]), None, None).unwrap();
                put.set(arena, of, at);
            }
        })
    };
    let worker = || {
        child(&ids, || {
            while let Ok(lease) = jobs.take(None, None) {
                let at = lease.read(number).unwrap();
                let mut message = prepared(&payload(at), &[]);
                lease.put(&results, &mut message, None, None).unwrap();
                lease.done().unwrap();
            }
        })
    };
    let collector = child(&ids, || {
        while let Ok(taken) = results.get(None, None) {
            let at = taken.read(|bytes| {
                check!(bytes == payload(number(bytes)));
                number(bytes)
            });
            let times = received.get(arena, at).unwrap();
            received.set(arena, at, times + 1);
            pace.step();
        }
    });
    let mut random = Random::new();
    let mut producers = [producer(0), producer(1)];
    let mut workers = [worker(), worker()];
    // Numbers that may or may not have been put: their producers died in between.
    let mut unsure = HashSet::new();
    let mut hurt = [0, 0];
    for _ in 0..rounds {
        let (which, of_producers) = (random.below(2) as usize, random.below(2) == 0);
        pause(random.below(1500));
        let victim = if of_producers {
            &producers[which]
        } else {
            &workers[which]
        };
        hurt[usize::from(!of_producers)] += 1;
        if how == Disturb::Stop {
            victim.signal(libc::SIGSTOP);
            pause(random.below(3000));
            victim.signal(libc::SIGCONT);
            continue;
        }
        kill(victim);
        if of_producers {
            let next = put.get(arena, which as u64).unwrap() + 1;
            unsure.insert(which as u64 * MOST + next);
            put.set(arena, which as u64, next);
            producers[which] = producer(which as u64);
        } else {
            workers[which] = worker();
        }
    }
    pace.step();
    let longest = pace.longest();
    for (of, producer) in (0..).zip(&producers) {
        kill(producer);
        unsure.insert(of * MOST + put.get(arena, of).unwrap() + 1);
    }
    jobs.close(None).unwrap();
    workers.iter().for_each(crate::join);
    results.close(None).unwrap();
    crate::join(&collector);
    let (mut items, mut lost, mut twice) = (0, 0, 0);
    for of in 0..2 {
        for at in 1..=put.get(arena, of).unwrap() + 1 {
            let number = of * MOST + at;
            let times = received.get(arena, number).unwrap();
            items += times;
            twice += u64::from(times > 1);
            lost += u64::from(times == 0 && !unsure.contains(&number));
        }
    }
    let what = if how == Disturb::Kill {
        "killed"
    } else {
        "stopped and continued"
    };
    println!(
        "  {} producers and {} workers {what}; {items} items arrived, {lost} lost, {twice} twice; longest stall {longest:?}",
        hurt[0], hurt[1]
    );
    check!(lost == 0 && twice == 0);
    check!(jobs.dead_letters(false).unwrap().is_empty());
    check!(turns.allow(longest));
}

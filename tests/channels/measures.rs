//! Figures, with `cargo test --release --test channels -- --ignored`.

use crate::check;
use crate::{add, child, get, join, number, prepared, put};
use par::arena;
use par::process::pipe::End;
use par::process::queue::Queue;
use par::process::shared::{Item, Scalar, Small};
use par::process::spawn::Process;
use std::time::Instant;

fn ints(queue: &Queue, producers: u64, consumers: u64, each: u64) -> f64 {
    let begin = Instant::now();
    let putting: Vec<Process> = (0..producers)
        .map(|_| {
            child(&[queue.id()], || {
                (0..each).for_each(|at| put(queue, &at.to_le_bytes()));
            })
        })
        .collect();
    let share = each * producers / consumers;
    let taking: Vec<Process> = (0..consumers)
        .map(|_| {
            child(&[queue.id()], || {
                for _ in 0..share {
                    queue.get(None, None).unwrap().read(number);
                }
            })
        })
        .collect();
    putting.iter().chain(&taking).for_each(join);
    (each * producers) as f64 / begin.elapsed().as_secs_f64() / 1e6
}

pub fn queue_of_ints() {
    let queue = Queue::create(0).unwrap();
    println!("  unbounded: {:.1} M/s", ints(&queue, 1, 1, 5_000_000));
    let queue = Queue::create(1000).unwrap();
    println!("  of 1000: {:.1} M/s", ints(&queue, 1, 1, 5_000_000));
}

pub fn queue_with_many() {
    for many in [1, 2, 4, 8] {
        let queue = Queue::create(0).unwrap();
        let rate = ints(&queue, many, many, 2_000_000 / many);
        println!("  {many} to {many}: {rate:.1} M/s");
    }
}

pub fn queue_of_megabytes() {
    let queue = Queue::create(8).unwrap();
    let bytes = vec![7; 1 << 20];
    let begin = Instant::now();
    let producer = child(&[queue.id()], || {
        (0..4000).for_each(|_| put(&queue, &bytes))
    });
    for _ in 0..4000 {
        check!(get(&queue).len() == 1 << 20);
    }
    join(&producer);
    let rate = 4000.0 / 1024.0 / begin.elapsed().as_secs_f64();
    println!("  {rate:.1} GiB/s");
}

pub fn pipe_round_trip() {
    let [left, right] = End::create_pair(false).unwrap();
    let echo = child(&[right.id()], || {
        while let Ok(taken) = right.recv(None, None) {
            let bytes = taken.read(<[u8]>::to_vec);
            right.send(&mut prepared(&bytes, &[]), None, None).unwrap();
        }
    });
    let rounds = 300_000;
    let begin = Instant::now();
    for at in 0_u64..rounds {
        let mut message = prepared(&at.to_le_bytes(), &[]);
        left.send(&mut message, None, None).unwrap();
        check!(left.recv(None, None).unwrap().read(number) == at);
    }
    let each = begin.elapsed().as_nanos() as u64 / rounds;
    left.close(None).unwrap();
    join(&echo);
    println!("  {each} ns");
}

pub fn shared_updates() {
    let scalar = Scalar::create(Item::Small(Small::Int(0))).unwrap();
    let rounds = 5_000_000;
    let begin = Instant::now();
    (0..rounds).for_each(|_| add(&scalar, 1));
    let alone = begin.elapsed().as_nanos() as f64 / rounds as f64;
    let begin = Instant::now();
    let other = child(&[scalar.id()], || (0..rounds).for_each(|_| add(&scalar, 1)));
    (0..rounds).for_each(|_| add(&scalar, 1));
    join(&other);
    let both = begin.elapsed().as_nanos() as f64 / (2 * rounds) as f64;
    println!("  alone {alone:.0} ns, two processes {both:.0} ns each");
    check!(scalar.read(arena::get().unwrap(), crate::int).1 == 3 * rounds);
}

//! Killing at random instants: what was committed is there, once.

use crate::check;
use crate::{child, int, number, payload, prepared};
use par::arena::{self, HandleId};
use par::os::clock;
use par::process::pipe::End;
use par::process::queue::Queue;
use par::process::shared::list::Locked;
use par::process::shared::{Array, Element, Item, List, Map, Scalar, Small};
use par::process::spawn::Process;
use std::time::{Duration, Instant};

/// A generator of the test's own: no two runs alike would help nobody who looks for a failure.
pub struct Random(u64);

impl Random {
    pub fn new() -> Random {
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(1, |now| now.as_nanos() as u64);
        Random(now | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

pub fn pause(microseconds: u64) {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_micros(microseconds) {
        std::thread::yield_now();
    }
}

pub fn kill(process: &Process) {
    process.kill();
    process.join(None, None).unwrap();
}

/// The longest time between two things that some processes do, told by themselves: who only looks on tells of how long he waited for
/// his own turn at the processor, between the killing and the starting of others.
pub struct Pace(Array);

/// Where the instant of the last thing and the longest time stand.
const LAST: u64 = 0;
const LONGEST: u64 = 1;

impl Pace {
    pub fn new() -> Pace {
        Pace(Array::create(Element::Ints, 2).unwrap())
    }

    pub fn id(&self) -> HandleId {
        self.0.id()
    }

    /// Something was done.
    pub fn step(&self) {
        let arena = arena::get().unwrap();
        let (now, last) = (clock::now(), self.0.get(arena, LAST).unwrap());
        self.0.set(arena, LAST, now);
        if last == 0 {
            return;
        }
        let gap = now.saturating_sub(last);
        loop {
            let longest = self.0.get(arena, LONGEST).unwrap();
            if gap <= longest || self.0.exchange(arena, LONGEST, longest, gap) {
                return;
            }
        }
    }

    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.0.get(arena::get().unwrap(), LONGEST).unwrap())
    }
}

/// How long a process waits for the processor that waits for nothing else: so long, nobody of this machine is to blame for.
pub struct Turns {
    pace: Pace,
    process: Process,
}

/// So many turns one after the other make up a stall: who kills, who dies, who starts another, the new one, and those who wait for it.
const TURNS: u32 = 8;

impl Turns {
    pub fn begin() -> Turns {
        let pace = Pace::new();
        let process = child(&[pace.id()], || {
            loop {
                pace.step();
                std::thread::yield_now();
            }
        });
        Turns { pace, process }
    }

    /// Ends the measuring; whether a stall is shorter than a second, what the machine took aside.
    pub fn allow(&self, stall: Duration) -> bool {
        self.pace.step();
        kill(&self.process);
        println!(
            "  longest wait for a turn at the processor {:?}",
            self.pace.longest()
        );
        stall < Duration::from_secs(1) + self.pace.longest() * TURNS
    }
}

/// Items that each producer may put.
const MOST: u64 = 4_000_000;

/// Two producers and two consumers on one queue, one of them killed and replaced at a random instant.
pub fn queue(kills: u64) {
    let queue = Queue::create(1000).unwrap();
    // Per producer: how many it has put for certain. Per item: how often it was received.
    let put = Array::create(Element::Ints, 2).unwrap();
    let received = Array::create(Element::Bytes, 2 * MOST).unwrap();
    let arena = arena::get().unwrap();
    let (pace, turns) = (Pace::new(), Turns::begin());
    let ids = [queue.id(), put.id(), received.id(), pace.id()];
    let producer = |of: u64| {
        child(&ids, || {
            // What its predecessor put last may be in although it was not noted: go on behind it.
            let from = put.get(arena, of).unwrap() + 1;
            for at in from..MOST {
                let message = payload(of * MOST + at);
                queue.put(&mut prepared(&message, &[]), None, None).unwrap();
                put.set(arena, of, at);
                pace.step();
            }
        })
    };
    let consumer = || {
        child(&ids, || {
            while let Ok(taken) = queue.get(None, None) {
                let at = taken.read(|bytes| {
                    check!(bytes == payload(number(bytes)));
                    number(bytes)
                });
                while {
                    let count = received.get(arena, at).unwrap();
                    !received.exchange(arena, at, count, count + 1)
                } {}
            }
        })
    };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut producers = [producer(0), producer(1)];
    let mut consumers = [consumer(), consumer()];
    let mut killed = [0, 0];
    for _ in 0..kills {
        pause(random.below(1500));
        let which = random.below(2) as usize;
        if random.below(2) == 0 {
            kill(&producers[which]);
            killed[0] += 1;
            // A hole: the successor leaves out the number that may or may not be in.
            let noted = put.get(arena, which as u64).unwrap();
            put.set(arena, which as u64, noted + 1);
            producers[which] = producer(which as u64);
        } else {
            kill(&consumers[which]);
            killed[1] += 1;
            consumers[which] = consumer();
        }
    }
    pace.step();
    let longest = pace.longest();
    producers.iter().for_each(kill);
    queue.close(None).unwrap();
    consumers.iter().for_each(crate::join);
    let (mut items, mut lost, mut twice) = ([0, 0], [0, 0], [0, 0]);
    let holes = killed[0] + 2;
    for of in 0..2 {
        for at in 1..put.get(arena, of).unwrap() {
            let number = of * MOST + at;
            let kind = (number % 2) as usize;
            let count = received.get(arena, number).unwrap();
            items[kind] += u64::from(count > 0);
            lost[kind] += u64::from(count == 0);
            twice[kind] += u64::from(count > 1);
        }
    }
    println!(
        "  {} producers and {} consumers killed; short items {}, long items {}; not received {lost:?}, received twice {twice:?}; longest stall {longest:?}",
        killed[0], killed[1], items[0], items[1]
    );
    // Numbers that were left out as holes are no items. One in a killed consumer's hands goes back, and he may have counted it.
    check!(lost[0] + lost[1] <= holes);
    check!(twice[0] + twice[1] <= killed[1]);
    check!(turns.allow(longest));
}

/// A sender and a receiver of a pipe, one of them killed and replaced at a random instant: numbers only ever grow.
pub fn pipe(kills: u64) {
    let [reader, writer] = End::create_pair(true).unwrap();
    let state = Array::create(Element::Ints, 2).unwrap();
    let arena = arena::get().unwrap();
    let ids = [reader.id(), writer.id(), state.id()];
    let sender = || {
        child(&ids, || {
            for at in state.get(arena, 0).unwrap() + 2.. {
                let mut message = prepared(&payload(at), &[]);
                writer.send(&mut message, None, None).unwrap();
                state.set(arena, 0, at);
            }
        })
    };
    let receiver = || {
        child(&ids, || {
            while let Ok(taken) = reader.recv(None, None) {
                let at = taken.read(|bytes| {
                    check!(bytes == payload(number(bytes)));
                    number(bytes)
                });
                let last = state.get(arena, 1).unwrap();
                if at < last {
                    eprintln!("  {at} came after {last}");
                }
                check!(at >= last);
                state.set(arena, 1, at);
            }
        })
    };
    let mut random = Random(77);
    let (mut sending, mut receiving) = (sender(), receiver());
    for _ in 0..kills {
        pause(random.below(1500));
        if random.below(2) == 0 {
            kill(&sending);
            sending = sender();
        } else {
            kill(&receiving);
            receiving = receiver();
        }
    }
    kill(&sending);
    writer.close(None).unwrap();
    crate::join(&receiving);
    println!("  {} sent", state.get(arena, 0).unwrap());
    check!(state.get(arena, 1).unwrap() >= state.get(arena, 0).unwrap());
}

/// Writers of a scalar, a list and a map, killed and replaced at random instants: everything stays readable.
pub fn shared(kills: u64) {
    let scalar = Scalar::create(Item::Small(Small::Int(0))).unwrap();
    let list = List::create(&[]).unwrap();
    let map = Map::create(&[], &[]).unwrap();
    let arena = arena::get().unwrap();
    let ids = [scalar.id(), list.id(), map.id()];
    let writer = |seed: u64| {
        child(&ids, || {
            let mut random = Random(seed);
            loop {
                let at = random.below(40);
                let bytes = payload(at);
                let item = match at % 2 {
                    0 => Item::Small(Small::Int(at as i64)),
                    _ => Item::Message(&bytes, &[]),
                };
                match random.below(6) {
                    0 => scalar.write(item).unwrap(),
                    1 if list.len(arena) < 500 => list.push(&[item]).unwrap(),
                    1 | 2 => drop(list.pop(arena, int)),
                    3 => {
                        // In the middle, and at both ends.
                        let removed = [0, 1, 2][random.below(3) as usize];
                        let place = [0, at, u64::MAX][random.below(3) as usize];
                        let choose = |list: &Locked<'_>| {
                            let place = place.min(list.len());
                            Some(place..place.saturating_add(removed))
                        };
                        let items = &[item][..usize::from(removed < 2)];
                        list.splice(items, choose, |_| ()).unwrap();
                    }
                    4 => map.set(Item::Small(Small::Int(at as i64)), item).unwrap(),
                    _ => drop(map.remove(arena, Item::Small(Small::Int(at as i64)), int)),
                }
            }
        })
    };
    let mut random = Random(5);
    let mut writers = [writer(1), writer(2), writer(3)];
    for round in 0..kills {
        pause(random.below(1500));
        let which = random.below(3) as usize;
        kill(&writers[which]);
        let whole = |content: par::process::shared::Content<'_>| {
            if let par::process::shared::Content::Message(bytes) = content {
                check!(bytes == payload(number(bytes)));
            }
        };
        scalar.read(arena, whole);
        list.read_all(arena, whole);
        map.read_all(arena, |_, value| whole(value));
        writers[which] = writer(round + 10);
    }
    writers.iter().for_each(kill);
    let mut keys = Vec::new();
    map.read_all(arena, |key, _| keys.push(int(key)));
    check!(keys.len() as u64 == map.len(arena));
    for key in keys {
        let key = Item::Small(Small::Int(key));
        check!(map.read(arena, key, |_| ()).1.is_some());
    }
    arena.collect();
    println!("  {} bytes in use", arena.used_bytes());
    check!(arena.used_bytes() < 64 << 20);
}

//! The lock-free parts under a model checker: loom runs each model in every order of steps that the memory model allows.
//!
//! What runs here are the very functions of the product, which are written for any [`Word`]; only the words are loom's. A death
//! is a thread that stops where it stands.

#![allow(unsafe_code)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use par::arena::Offset;
use par::arena::states::{self, begin, bury, claim, step};
use par::arena::table::State;
use par::arena::word::Word;
use par::process::channel::at;
use par::process::channel::claim::{self, CLAIM, word};
use par::process::channel::side::{acquire, release};
use par::process::channel::steps::{self, Memory, Settled};
use par::process::shared::scalar::{exchange_locked, exchange_small, stamp};
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

/// A word of loom.
struct Cell(loom::sync::atomic::AtomicU64);

impl Cell {
    fn new(value: u64) -> Cell {
        Cell(loom::sync::atomic::AtomicU64::new(value))
    }
}

impl Word for Cell {
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    fn compare_exchange(
        &self,
        old: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.0.compare_exchange(old, new, success, failure)
    }
}

/// Plain memory: loom fails if two touch it at once, or one without seeing what the other did.
struct Plain(UnsafeCell<u32>);

impl Plain {
    fn new() -> Plain {
        Plain(UnsafeCell::new(0))
    }

    fn add(&self, number: u32) {
        // SAFETY: loom finds whoever else is here.
        self.0.with_mut(|content| unsafe { *content += number });
    }

    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|content| unsafe { *content })
    }
}

/// Runs a model with at most so many preemptions: three find what a reader of this file would have to look for.
fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

fn rest(_: u32) -> bool {
    thread::yield_now();
    true
}

/// A holder that died, and two who come after it.
#[test]
fn a_lock_word_excludes_and_tells_of_one_death_once() {
    model(|| {
        const DEAD: u64 = 99;
        let shared = Arc::new((Cell::new(DEAD), Plain::new()));
        let visit = |me: u64| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (word, content) = &*shared;
                let died = acquire(word, me, |holder| holder != DEAD, rest);
                content.add(1);
                release(word);
                u32::from(died)
            })
        };
        let visitors = [visit(1), visit(2)];
        let deaths: u32 = visitors.map(|visitor| visitor.join().unwrap()).iter().sum();
        assert_eq!(deaths, 1);
        assert_eq!(shared.1.get(), 2);
    });
}

/// A holder that dies while another waits.
#[test]
fn a_lock_word_is_taken_from_who_dies_with_it() {
    model(|| {
        let shared = Arc::new((Cell::new(0), Cell::new(1), Plain::new()));
        let holder = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (word, alive, content) = &*shared;
                let died = acquire(word, 1, |_| true, rest);
                assert!(!died);
                content.add(7);
                // The kernel says of a dead process that it is dead, after everything that it did.
                alive.store(0, Release);
            })
        };
        let (word, alive, content) = &*shared;
        let died = acquire(word, 2, |_| alive.load(Acquire) != 0, rest);
        if died {
            assert_eq!(content.get(), 7);
        } else {
            release(word);
        }
        holder.join().unwrap();
    });
}

/// A life lock: 0, or who has it.
struct Life(Cell);

impl Life {
    fn take(&self, who: u64) {
        while !self.try_take(who) {
            thread::yield_now();
        }
    }

    fn try_take(&self, who: u64) -> bool {
        self.0.compare_exchange(0, who, Acquire, Relaxed).is_ok()
    }

    fn drop(&self) {
        self.0.store(0, Release);
    }
}

/// A child on its way to its life lock, whose parent has died; a gravedigger; and a process that takes the slot when it is free.
#[test]
fn a_slot_is_buried_or_lived_in_and_never_both() {
    model(|| {
        let head = Cell::new(0);
        assert_eq!(claim(&head), Some(1));
        let shared = Arc::new((head, Life(Cell::new(0))));
        let child = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (head, life) = &*shared;
                let lives = begin(head, 1, || life.take(1));
                if !lives {
                    // It leaves, and its lock with it.
                    life.drop();
                }
                lives
            })
        };
        let gravedigger = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (head, life) = &*shared;
                let buried = bury(head, 1, || life.try_take(2).then_some(())).is_some();
                if buried {
                    life.drop();
                    assert!(step(head, 1, State::Dead, State::Free));
                }
                buried
            })
        };
        let next = claim(&shared.0);
        let (lives, buried) = (child.join().unwrap(), gravedigger.join().unwrap());
        assert!(!(lives && buried));
        assert!(next.is_none() || buried);
        let (state, generation) = states::read(&shared.0);
        match (lives, buried, next) {
            (true, ..) => assert_eq!((state, generation), (State::Running, 1)),
            (_, true, None) => assert_eq!((state, generation), (State::Free, 1)),
            (_, true, Some(next)) => assert_eq!((state, generation), (State::Starting, next)),
            // Neither: it died on its way, and the next gravedigger finds it.
            _ => assert_eq!((state, generation), (State::Running, 1)),
        }
    });
}

#[test]
fn one_of_two_takes_a_free_slot() {
    model(|| {
        let head = Arc::new(Cell::new(0));
        let other = {
            let head = head.clone();
            thread::spawn(move || claim(&*head).is_some())
        };
        let mine = claim(&*head).is_some();
        assert!(mine != other.join().unwrap());
    });
}

/// The tag of words that name a block.
const BLOCK: u64 = 0xfffc << 48;

/// A shared scalar: the word, the version, and the object's mutex.
struct Scalar {
    word: Cell,
    version: Cell,
    mutex: loom::sync::Mutex<()>,
}

impl Scalar {
    /// One step of `x.value += 1`, leaving a small value or a block; false when somebody was faster.
    fn try_add(&self, to_block: bool) -> bool {
        let word = self.word.load(Acquire);
        let (since, word) = if word & BLOCK == BLOCK {
            let _guard = self.mutex.lock().unwrap();
            let word = self.word.load(Acquire);
            (stamp(self.version.load(Acquire), word), word)
        } else {
            (stamp(0, word), word)
        };
        let next = (word & !BLOCK) + 1;
        let new = if to_block { next | BLOCK } else { next };
        if let Some(done) = exchange_small(&self.word, Some(since), new) {
            return done;
        }
        let _guard = self.mutex.lock().unwrap();
        let cells = [&self.word, &self.version];
        exchange_locked(cells, Some(since), new, |_| ()).is_some()
    }
}

#[test]
fn a_shared_scalar_loses_no_update() {
    for kinds in [[false, false], [false, true], [true, true]] {
        for first in [0, BLOCK] {
            model(move || {
                let scalar = Arc::new(Scalar {
                    word: Cell::new(first),
                    version: Cell::new(0),
                    mutex: loom::sync::Mutex::new(()),
                });
                let adders = kinds.map(|to_block| {
                    let scalar = scalar.clone();
                    thread::spawn(move || {
                        while !scalar.try_add(to_block) {
                            thread::yield_now();
                        }
                    })
                });
                for adder in adders {
                    adder.join().unwrap();
                }
                assert_eq!(scalar.word.load(Relaxed) & !BLOCK, 2);
            });
        }
    }
}

/// A channel with room for two short messages in its slots, and two claims, in words of loom.
struct Channel(Vec<Cell>);

impl Memory for Channel {
    type Word = Cell;

    fn word(&self, at: Offset) -> &Cell {
        &self.0[(at / 8) as usize]
    }
}

impl Channel {
    const SLOTS: Offset = at::CLAIMS + 2 * CLAIM;
    const SLOT: Offset = 24;

    fn new() -> Channel {
        let words = (Self::SLOTS + 2 * Self::SLOT) / 8;
        Channel((0..words).map(|_| Cell::new(0)).collect())
    }

    fn slot(number: u64) -> Offset {
        Self::SLOTS + number * Self::SLOT
    }

    fn put(&self, number: u64) {
        acquire(self.word(at::PUT_LOCK), 1, |_| true, rest);
        steps::write(self, Self::slot(number), &[number + 7, number + 8], 16);
        steps::commit(self, 0, number);
        release(self.word(at::PUT_LOCK));
    }

    /// Takes a message as a process does that dies after so many steps: before it begins, with the lock and a claim whose
    /// counter was moved, or with a claim only. `alive` is what the kernel says of it.
    fn take(&self, me: u64, dies: Option<u32>, alive: &Cell) -> Option<u64> {
        const ELSE: u64 = 55;
        let lives = |holder: u64| holder == me || holder == ELSE || alive.load(Acquire) != 0;
        let died = acquire(self.word(at::GET_LOCK), me, lives, rest);
        let claims = [at::CLAIMS, at::CLAIMS + CLAIM];
        let owner = |claim: Offset| self.word(claim + word::OWNER).load(Acquire);
        if died || alive.load(Acquire) == 0 {
            for claim in claims {
                let other = ![0, me, claim::RETURNED].contains(&owner(claim));
                if other && !lives(owner(claim)) {
                    assert!(steps::settle(self, 0, claim) != Settled::Lease);
                }
            }
        }
        let returned = claims.into_iter().find(|&c| owner(c) == claim::RETURNED);
        let claim = match (returned, steps::front(self, 0)) {
            (Some(claim), _) => {
                self.word(claim + word::OWNER).store(me, Release);
                claim
            }
            (None, Ok(number)) => {
                let free = claims.into_iter().find(|&claim| owner(claim) == 0);
                let claim = free.unwrap();
                steps::claim(self, 0, claim, (Self::slot(number), number), (0, me));
                claim
            }
            (None, Err(_)) => {
                release(self.word(at::GET_LOCK));
                return None;
            }
        };
        if dies == Some(0) {
            alive.store(0, Release);
            return None;
        }
        release(self.word(at::GET_LOCK));
        if dies == Some(1) {
            alive.store(0, Release);
            return None;
        }
        let number = self.word(claim + word::NUMBER).load(Relaxed);
        let bytes = |at: u64| self.word(claim + word::BYTES + at * 8).load(Relaxed);
        assert_eq!([bytes(0), bytes(1)], [number + 7, number + 8]);
        steps::deliver(self, claim);
        Some(number)
    }
}

#[test]
fn a_channel_delivers_each_message_once_whole_and_in_order() {
    model(|| {
        let shared = Arc::new((Channel::new(), Cell::new(1)));
        let putter = {
            let shared = shared.clone();
            thread::spawn(move || (0..2).for_each(|number| shared.0.put(number)))
        };
        let mut taken = Vec::new();
        while taken.len() < 2 {
            match shared.0.take(2, None, &shared.1) {
                Some(number) => taken.push(number),
                None => thread::yield_now(),
            }
        }
        putter.join().unwrap();
        assert_eq!(taken, [0, 1]);
    });
}

#[test]
fn a_message_is_taken_once_whoever_dies_with_it() {
    for dies in [None, Some(0), Some(1)] {
        model(move || {
            let shared = Arc::new((Channel::new(), Cell::new(1)));
            (0..2).for_each(|number| shared.0.put(number));
            let other = {
                let shared = shared.clone();
                thread::spawn(move || shared.0.take(3, dies, &shared.1))
            };
            let mut taken = vec![shared.0.take(2, None, &shared.1)];
            taken.push(other.join().unwrap());
            // Whoever comes afterwards finds the rest.
            while taken.iter().flatten().count() < 2 {
                let next = shared.0.take(2, None, &shared.1);
                assert!(next.is_some());
                taken.push(next);
            }
            assert_eq!(shared.0.take(2, None, &shared.1), None);
            let mut all: Vec<u64> = taken.into_iter().flatten().collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1]);
        });
    }
}

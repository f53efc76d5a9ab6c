//! The lock-free parts under a model checker: loom runs each model in every order of steps that the memory model allows.
//!
//! What runs here are the very functions of the product, which are written for any [`Word`]; only the words are loom's. A death
//! is a thread that stops where it stands.

#![allow(unsafe_code)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use par::arena::states::{self, begin, bury, claim, step};
use par::arena::table::State;
use par::arena::word::Word;
use par::process::channel::side::{acquire, release};
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

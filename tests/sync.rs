//! Locks and their family between real processes, and what a death does to each. No harness: see `support/mod.rs`.

#[path = "sync/conditions.rs"]
mod conditions;
#[path = "sync/groups.rs"]
mod groups;
mod support;

use conditions::*;
use groups::*;
use par::arena::{self, HandleId};
use par::diag::codes;
use par::process::spawn::{self, Process};
use par::process::{Barrier, ChildOutcome, Condition, Ended, Event, Lock, Message, Semaphore};
use par::process::{SpawnSpec, scope, wait};
use par::source::{SourceId, Span};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::Tests;

fn main() {
    let mut tests = Tests::new("sync");
    run!(tests:
        a_lock_excludes,
        a_lock_with_a_timeout_gives_up,
        a_reentrant_lock_counts,
        only_the_holder_releases,
        a_waiter_does_not_starve,
        a_dead_holder_is_named_once,
        killing_holders_never_blocks_a_lock,
        locks_taken_crosswise_are_a_deadlock,
        a_lock_taken_twice_is_a_deadlock,
        permits_of_the_dead_come_back,
        a_bounded_semaphore_refuses_too_many,
        a_semaphore_can_signal,
        an_event_wakes_all,
        an_event_set_for_a_moment_releases_all_who_waited,
        an_event_nobody_can_set_is_a_deadlock,
        a_condition_hands_over,
        a_dead_waiter_swallows_no_notification,
        a_notified_waiter_that_dies_hands_on,
        each_of_several_hands_on,
        a_barrier_fills_again_and_again,
        a_death_breaks_a_barrier,
        a_timeout_breaks_a_barrier_until_reset,
        a_barrier_short_of_one_is_a_deadlock,
        a_scope_waits_and_the_first_failure_cancels,
        a_scope_limits_and_times_out,
        crash_points_leave_no_lock_taken,
    );
    tests.measure("measure_lock", measure_lock);
    tests.finish();
}

fn message(text: &str) -> Message {
    Message {
        bytes: text.as_bytes().to_vec(),
        ..Message::default()
    }
}

fn value(text: &str) -> ChildOutcome {
    ChildOutcome::Returned(message(text))
}

fn start(holds: &[HandleId], body: impl FnOnce() -> ChildOutcome) -> Process {
    spawn::spawn(&SpawnSpec::default(), holds, body).unwrap()
}

fn text(process: &Process) -> String {
    match process.join(None, None).unwrap().unwrap() {
        Ended::Returned(message) => String::from_utf8(message.bytes).unwrap(),
        other => format!("{other:?}"),
    }
}

fn sleep(seconds: f64) {
    wait::sleep(seconds, None).unwrap();
}

fn place(start: usize) -> Option<Span> {
    Some(Span::new(SourceId(3), start, start + 1))
}

/// A number that all processes see.
fn shared() -> &'static AtomicU64 {
    par::process::start()
        .unwrap()
        .cell(par::arena::Cell::Scratch)
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(0.001);
    }
}

fn a_lock_excludes() {
    let lock = Lock::new(false).unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let lock = lock.clone();
            start(&[lock.id()], move || {
                for _ in 0..20_000 {
                    check!(lock.acquire(None, None).unwrap());
                    let old = shared().load(Ordering::Relaxed);
                    shared().store(old + 1, Ordering::Relaxed);
                    lock.release().unwrap();
                }
                value("")
            })
        })
        .collect();
    for child in &children {
        check!(text(child).is_empty());
    }
    check!(shared().load(Ordering::Relaxed) == 80_000);
    check!(lock.show() == "<lock free>");
}

fn a_lock_with_a_timeout_gives_up() {
    let lock = Lock::new(false).unwrap();
    let holder = {
        let lock = lock.clone();
        start(&[lock.id()], move || {
            lock.acquire(None, None).unwrap();
            shared().store(1, Ordering::SeqCst);
            sleep(60.0);
            value("")
        })
    };
    until(|| shared().load(Ordering::SeqCst) == 1);
    check!(lock.show().starts_with("<lock held by Process-1 (pid "));
    let begin = Instant::now();
    check!(!lock.acquire(Some(0.05), None).unwrap());
    check!(begin.elapsed() >= Duration::from_millis(50));
    check!(!lock.acquire(Some(0.0), None).unwrap());
    holder.kill();
}

fn a_reentrant_lock_counts() {
    let lock = Lock::new(true).unwrap();
    for _ in 0..3 {
        check!(lock.acquire(None, None).unwrap());
    }
    for _ in 0..3 {
        check!(lock.is_mine());
        lock.release().unwrap();
    }
    check!(!lock.is_locked());
}

fn only_the_holder_releases() {
    let lock = Lock::new(false).unwrap();
    let error = lock.release().unwrap_err();
    check!(error.message == "a lock is released by its holder, but it is free");
    lock.acquire(None, None).unwrap();
    let other = lock.clone();
    let child = start(&[lock.id()], move || {
        value(&other.release().unwrap_err().message)
    });
    check!(text(&child).contains("it is held by main (pid "));
    lock.release().unwrap();
}

fn a_waiter_does_not_starve() {
    let lock = Lock::new(false).unwrap();
    let greedy = lock.clone();
    let child = start(&[lock.id()], move || {
        loop {
            greedy.acquire(None, None).unwrap();
            shared().fetch_add(1, Ordering::Relaxed);
            greedy.release().unwrap();
        }
    });
    until(|| shared().load(Ordering::Relaxed) > 1000);
    for _ in 0..50 {
        check!(lock.acquire(Some(10.0), None).unwrap());
        lock.release().unwrap();
    }
    child.kill();
    child.wait(None, None).unwrap();
    // The kill may have come while it held the lock.
    let _ = lock.acquire(None, None);
}

fn a_dead_holder_is_named_once() {
    let lock = Lock::new(false).unwrap();
    let taken = lock.clone();
    let holder = start(&[lock.id()], move || {
        taken.acquire(None, place(42)).unwrap();
        shared().store(1, Ordering::SeqCst);
        sleep(60.0);
        value("")
    });
    until(|| shared().load(Ordering::SeqCst) == 1);
    let waiter_lock = lock.clone();
    let waiter = start(&[lock.id()], move || {
        let error = waiter_lock.acquire(None, None).unwrap_err();
        value(&format!("{}: {}", error.kind, error.message))
    });
    sleep(0.05);
    holder.kill();
    let said = text(&waiter);
    let pid = holder.pid().unwrap();
    check!(said.starts_with("OwnerDied: "));
    check!(said.contains(&format!("Process-1 (pid {pid})")) && said.contains("source 3 byte 42"));
    check!(lock.acquire(Some(0.0), None).unwrap());
    lock.release().unwrap();
}

fn killing_holders_never_blocks_a_lock() {
    let lock = Lock::new(false).unwrap();
    let worker = |lock: Lock| {
        start(&[lock.id()], move || {
            loop {
                match lock.acquire(None, place(1)) {
                    Ok(_) => lock.release().unwrap(),
                    Err(_) => _ = shared().fetch_add(1, Ordering::Relaxed),
                }
            }
        })
    };
    let mut workers: Vec<Process> = (0..3).map(|_| worker(lock.clone())).collect();
    let mut told = 0;
    let mut longest = Duration::ZERO;
    for round in 0..300_usize {
        let victim = round % workers.len();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros((round * 37 % 700) as u64) {
            std::hint::spin_loop();
        }
        workers[victim].kill();
        workers[victim].wait(None, None).unwrap();
        workers[victim] = worker(lock.clone());
        let begin = Instant::now();
        match lock.acquire(Some(20.0), None) {
            Ok(got) => {
                check!(got);
                lock.release().unwrap();
            }
            Err(error) => {
                check!(error.code == codes::OWNER_DIED);
                told += 1;
            }
        }
        longest = longest.max(begin.elapsed());
    }
    told += shared().load(Ordering::Relaxed);
    println!("  {told} holders died of 300 killed; the longest wait took {longest:?}");
    for worker in &workers {
        worker.kill();
        worker.wait(None, None).unwrap();
    }
    drop(workers);
    let _ = lock.acquire(Some(1.0), None);
    let arena = arena::get().unwrap();
    arena.collect();
    check!(arena.processes().count() == 1);
}

fn locks_taken_crosswise_are_a_deadlock() {
    let (a, b) = (Lock::new(false).unwrap(), Lock::new(false).unwrap());
    let ids = [a.id(), b.id()];
    let taker = |first: Lock, second: Lock, line: usize| {
        start(&ids, move || {
            first.acquire(None, None).unwrap();
            shared().fetch_add(1, Ordering::SeqCst);
            until(|| shared().load(Ordering::SeqCst) == 2);
            let said = match second.acquire(None, place(line)) {
                Ok(_) => String::from("fine"),
                Err(error) => format!("{}: {}", error.kind, error.message),
            };
            second.release_if_held();
            first.release_if_held();
            value(&said)
        })
    };
    let one = taker(a.clone(), b.clone(), 10);
    let two = taker(b, a, 20);
    check!(text(&one) == "fine");
    let said = text(&two);
    check!(said.starts_with("Deadlock: 2 processes wait for each other"));
    check!(said.contains("source 3 byte 10") && said.contains("source 3 byte 20"));
    check!(said.contains("held by Process-1") && said.contains("held by Process-2"));
}

fn a_lock_taken_twice_is_a_deadlock() {
    let lock = Lock::new(false).unwrap();
    lock.acquire(None, None).unwrap();
    let error = lock.acquire(None, place(5)).unwrap_err();
    check!(error.code == codes::DEADLOCK);
    check!(
        error
            .message
            .starts_with("a wait that nothing can end: main (pid ")
    );
    check!(lock.is_mine());
    check!(!lock.acquire(Some(0.02), None).unwrap());
}

fn permits_of_the_dead_come_back() {
    let semaphore = Semaphore::new(2, true).unwrap();
    for _ in 0..20 {
        let inner = semaphore.clone();
        let child = start(&[semaphore.id()], move || {
            inner.acquire(None, None).unwrap();
            inner.acquire(None, None).unwrap();
            shared().store(1, Ordering::SeqCst);
            sleep(60.0);
            value("")
        });
        until(|| shared().swap(0, Ordering::SeqCst) == 1);
        check!(semaphore.value() == 0);
        check!(!semaphore.acquire(Some(0.0), None).unwrap());
        child.kill();
        check!(semaphore.acquire(None, None).unwrap());
        semaphore.release().unwrap();
        check!(semaphore.value() == 2);
    }
}

fn a_bounded_semaphore_refuses_too_many() {
    let semaphore = Semaphore::new(1, true).unwrap();
    check!(semaphore.release().unwrap_err().code == codes::VALUE);
    check!(semaphore.acquire(None, None).unwrap());
    semaphore.release().unwrap();
    check!(semaphore.show() == "<semaphore 1 free>");
}

fn a_semaphore_can_signal() {
    let semaphore = Semaphore::new(0, false).unwrap();
    let inner = semaphore.clone();
    let child = start(&[semaphore.id()], move || {
        for _ in 0..1000 {
            inner.acquire(None, None).unwrap();
        }
        value("")
    });
    for _ in 0..1000 {
        semaphore.release().unwrap();
    }
    check!(text(&child).is_empty());
    check!(semaphore.value() == 0);
}

fn an_event_wakes_all() {
    let event = Event::new().unwrap();
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let event = event.clone();
            start(&[event.id()], move || {
                check!(event.wait(None, None).unwrap());
                value("")
            })
        })
        .collect();
    check!(!event.wait(Some(0.02), None).unwrap());
    event.set();
    waiters
        .iter()
        .for_each(|waiter| check!(text(waiter).is_empty()));
    event.clear();
    check!(!event.is_set());
}

fn an_event_set_for_a_moment_releases_all_who_waited() {
    let event = Event::new().unwrap();
    for round in 0..20 {
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let event = event.clone();
                start(&[event.id()], move || {
                    value(&event.wait(None, None).unwrap().to_string())
                })
            })
            .collect();
        let arena = arena::get().unwrap();
        // We ourselves do not wait while we look.
        let waits = |who: &arena::SlotRef| {
            let epoch = arena.slot(who.index).wait.epoch.load(Ordering::SeqCst);
            epoch % 2 == 1
        };
        until(|| arena.live_processes().filter(waits).count() == 3);
        event.set();
        event.clear();
        check!(!event.is_set());
        for waiter in &waiters {
            check!(text(waiter) == "true");
        }
        check!(round > 0 || !event.wait(Some(0.0), None).unwrap());
    }
}

fn an_event_nobody_can_set_is_a_deadlock() {
    let event = Event::new().unwrap();
    check!(event.wait(None, None).unwrap_err().code == codes::DEADLOCK);
    let setter = event.clone();
    let child = start(&[event.id()], move || {
        sleep(0.3);
        setter.set();
        value("")
    });
    check!(event.wait(None, None).unwrap());
    check!(text(&child).is_empty());
}

fn a_condition_hands_over() {
    let condition = Condition::new(None).unwrap();
    let inner = condition.clone();
    let consumer = start(&[condition.id(), condition.lock().id()], move || {
        let mut seen = 0;
        inner.lock().acquire(None, None).unwrap();
        while seen < 500 {
            while shared().load(Ordering::SeqCst) == 0 {
                check!(inner.wait(None, None).unwrap());
                check!(inner.lock().is_mine());
            }
            shared().store(0, Ordering::SeqCst);
            seen += 1;
            inner.notify_all().unwrap();
        }
        inner.lock().release().unwrap();
        value("")
    });
    for _ in 0..500 {
        condition.lock().acquire(None, None).unwrap();
        while shared().load(Ordering::SeqCst) != 0 {
            condition.wait(None, None).unwrap();
        }
        shared().store(1, Ordering::SeqCst);
        condition.notify(1).unwrap();
        condition.lock().release().unwrap();
    }
    check!(text(&consumer).is_empty());
    check!(condition.notify(1).unwrap_err().code == codes::VALUE);
    condition.lock().acquire(None, None).unwrap();
    check!(!condition.wait(Some(0.02), None).unwrap());
    check!(condition.lock().is_mine());
}

fn a_dead_waiter_swallows_no_notification() {
    let condition = Condition::new(None).unwrap();
    let waiter = |condition: Condition| {
        start(&[condition.id(), condition.lock().id()], move || {
            condition.lock().acquire(None, None).unwrap();
            check!(condition.wait(None, None).unwrap());
            condition.lock().release().unwrap();
            value("woken")
        })
    };
    for _ in 0..20 {
        let first = waiter(condition.clone());
        // Entered, and the lock let go.
        until(|| condition.show() == "<condition 1 waiting>" && !condition.lock().is_locked());
        let second = waiter(condition.clone());
        until(|| condition.show() == "<condition 2 waiting>" && !condition.lock().is_locked());
        first.kill();
        condition.lock().acquire(None, None).unwrap();
        condition.notify(1).unwrap();
        condition.lock().release().unwrap();
        check!(text(&second) == "woken" || first.exitcode() == Some(0));
    }
}

/// Walks a process that locks, waits, and makes and drops objects through every marked place.
fn crash_points_leave_no_lock_taken() {
    let condition = Condition::new(None).unwrap();
    let semaphore = Semaphore::new(3, false).unwrap();
    let barrier = Barrier::new(1).unwrap();
    let handles = [
        condition.id(),
        condition.lock().id(),
        semaphore.id(),
        barrier.id(),
    ];
    let arena = arena::get().unwrap();
    arena.collect();
    let before = arena.live_objects();
    let mut points = 0;
    for n in 1..2000 {
        let (c, s, b) = (condition.clone(), semaphore.clone(), barrier.clone());
        let child = start(&handles, move || {
            arena::crash::arm(&n.to_string());
            c.lock().acquire(None, None).unwrap();
            c.wait(Some(0.0), None).unwrap();
            c.notify_all().unwrap();
            c.lock().release().unwrap();
            s.acquire(None, None).unwrap();
            s.release().unwrap();
            b.wait(None, None).unwrap();
            let _ = wait::sleep(0.0001, None);
            let event = Event::new().unwrap();
            event.wait(Some(0.0001), None).unwrap();
            drop(event);
            let big = arena.alloc(200_000).unwrap();
            arena.free(big);
            arena.collect();
            value("done")
        });
        match child.join(None, None).unwrap().unwrap() {
            Ended::Killed(libc::SIGKILL) => points += 1,
            Ended::Returned(_) => break,
            other => {
                println!("{other:?}");
                check!(false);
            }
        }
        match condition.lock().acquire(Some(5.0), None) {
            Ok(got) => check!(got),
            Err(error) => {
                check!(error.code == codes::OWNER_DIED);
                check!(condition.lock().acquire(Some(5.0), None).unwrap());
            }
        }
        condition.lock().release().unwrap();
        check!(condition.show() == "<condition 0 waiting>");
        check!(semaphore.value() == 3);
        barrier.reset();
        check!(barrier.wait(Some(1.0), None).unwrap().is_some());
        drop(child);
        arena.collect();
        // The lock and the barrier may each still name the last dead process.
        check!(arena.live_objects() <= before + 2);
    }
    println!("  {points} places");
    check!(points > 20);
    let before = arena.used_bytes();
    check!(before <= 4 << 20);
}

fn measure_lock() {
    let lock = Lock::new(false).unwrap();
    let rounds = 20_000_000;
    let begin = Instant::now();
    for _ in 0..rounds {
        lock.acquire(None, place(1)).unwrap();
        lock.release_if_held();
    }
    println!("uncontended lock + unlock: {:?}", begin.elapsed() / rounds);
    let two: Vec<_> = (0..2)
        .map(|_| {
            let lock = lock.clone();
            start(&[lock.id()], move || {
                for _ in 0..5_000_000 {
                    lock.acquire(None, place(1)).unwrap();
                    lock.release_if_held();
                }
                value("")
            })
        })
        .collect();
    let begin = Instant::now();
    two.iter().for_each(|child| check!(text(child).is_empty()));
    println!("two processes: {:?} per turn", begin.elapsed() / 10_000_000);
}

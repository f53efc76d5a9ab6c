//! Barriers and scopes: where several processes have to meet.

use super::*;

pub fn a_barrier_fills_again_and_again() {
    let barrier = Barrier::new(3).unwrap();
    let others: Vec<_> = (0..2)
        .map(|_| {
            let barrier = barrier.clone();
            start(&[barrier.id()], move || {
                for _ in 0..300 {
                    barrier.wait(None, None).unwrap();
                }
                value("")
            })
        })
        .collect();
    for _ in 0..300 {
        check!(barrier.wait(None, None).unwrap().unwrap() < 3);
    }
    others
        .iter()
        .for_each(|other| check!(text(other).is_empty()));
    check!(barrier.show() == "<barrier 0 of 3>");
}

pub fn a_death_breaks_a_barrier() {
    let barrier = Barrier::new(3).unwrap();
    let waiter = |barrier: Barrier| {
        start(&[barrier.id()], move || match barrier.wait(None, None) {
            Ok(_) => value("filled"),
            Err(error) => value(&format!("{}: {}", error.kind, error.message)),
        })
    };
    let (first, second) = (waiter(barrier.clone()), waiter(barrier.clone()));
    until(|| barrier.n_waiting() == 2);
    first.kill();
    let said = text(&second);
    check!(said.starts_with("Broken: ") && said.contains("Process-1") && said.contains("SIGKILL"));
    check!(barrier.broken() && barrier.wait(None, None).unwrap_err().code == codes::BROKEN);
    barrier.reset();
    check!(!barrier.broken());
}

pub fn a_timeout_breaks_a_barrier_until_reset() {
    let barrier = Barrier::new(2).unwrap();
    check!(barrier.wait(Some(0.02), place(9)).unwrap().is_none());
    let error = barrier.wait(None, None).unwrap_err();
    check!(error.code == codes::BROKEN && error.message.contains("source 3 byte 9"));
    barrier.reset();
    let inner = barrier.clone();
    let child = start(&[barrier.id()], move || match inner.wait(None, None) {
        Ok(_) => value("filled"),
        Err(error) => value(&error.message),
    });
    until(|| barrier.n_waiting() == 1);
    barrier.reset();
    check!(text(&child).contains("it was reset"));
    barrier.abort(place(8));
    check!(
        barrier
            .wait(None, None)
            .unwrap_err()
            .message
            .contains("aborted it at source 3 byte 8")
    );
}

pub fn a_barrier_short_of_one_is_a_deadlock() {
    let barrier = Barrier::new(3).unwrap();
    let inner = barrier.clone();
    let child = start(&[barrier.id()], move || {
        value(&inner.wait(None, None).unwrap_err().kind)
    });
    let error = barrier.wait(None, None).unwrap_err();
    let mut kinds = [error.kind, text(&child)];
    kinds.sort();
    check!(kinds == ["Broken", "Deadlock"]);
}

pub fn a_scope_waits_and_the_first_failure_cancels() {
    scope::enter(None, None, None).unwrap();
    for _ in 0..3 {
        start(&[], || {
            sleep(0.05);
            shared().fetch_add(1, Ordering::SeqCst);
            value("")
        });
    }
    let left = scope::leave(scope::Leaving::InOrder);
    check!(left.failures.is_empty() && left.error.is_none());
    check!(shared().load(Ordering::SeqCst) == 3);
    scope::enter(None, None, None).unwrap();
    let long = start(&[], || {
        let error = wait::sleep(60.0, None).unwrap_err();
        ChildOutcome::Raised(message(&error.kind))
    });
    let bad = start(&[], || ChildOutcome::Raised(message("bad")));
    let left = scope::leave(scope::Leaving::InOrder);
    check!(left.failures[0].0 == bad);
    check!(left.failures[1] == (long, Ended::Raised(message("Cancelled"))));
    check!(scope::depth() == 0 && par::process::finish::end_children() == 0);
}

pub fn a_scope_limits_and_times_out() {
    scope::enter(None, Some(2), None).unwrap();
    for _ in 0..6 {
        start(&[], || {
            check!(shared().fetch_add(1, Ordering::SeqCst) < 2);
            sleep(0.01);
            shared().fetch_sub(1, Ordering::SeqCst);
            value("")
        });
    }
    check!(scope::leave(scope::Leaving::InOrder).failures.is_empty());
    scope::enter(Some(0.05), None, None).unwrap();
    let long = start(&[], || {
        let _ = wait::sleep(60.0, None);
        value("")
    });
    let left = scope::leave(scope::Leaving::InOrder);
    let error = left.error.unwrap();
    check!(error.code == codes::TIMEOUT && error.message.contains("Process-7"));
    check!(!long.alive() && scope::enter(None, Some(0), None).is_err());
}

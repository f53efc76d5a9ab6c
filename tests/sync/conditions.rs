//! What becomes of a notification when the one that was notified does not come to use it.

use super::*;

/// Two wait, the older one is notified and dies at `point` on its way back to the lock: what the younger one says.
fn after_a_death_at(point: &'static str) -> String {
    let condition = Condition::new(None).unwrap();
    let handles = [condition.id(), condition.lock().id()];
    let first = condition.clone();
    let dying = start(&handles, move || {
        arena::crash::arm(point);
        first.lock().acquire(None, None).unwrap();
        let _ = first.wait(None, None);
        value("survived")
    });
    until(|| condition.show() == "<condition 1 waiting>");
    let second = condition.clone();
    let living = start(&handles, move || {
        second.lock().acquire(None, None).unwrap();
        let met = match second.wait(Some(20.0), None) {
            Ok(notified) => notified.to_string(),
            Err(error) => error.kind.to_string(),
        };
        value(&met)
    });
    until(|| condition.show() == "<condition 2 waiting>");
    condition.lock().acquire(None, None).unwrap();
    condition.notify(1).unwrap();
    condition.lock().release().unwrap();
    check!(text(&dying) == "Killed(9)");
    text(&living)
}

pub fn a_notified_waiter_that_dies_hands_on() {
    check!(after_a_death_at("condition: left") == "true");
    // This one had the lock when it died, and whoever takes it is told of that.
    check!(after_a_death_at("condition: lock is back") == "OwnerDied");
}

pub fn each_of_several_hands_on() {
    let condition = Condition::new(None).unwrap();
    let handles = [condition.id(), condition.lock().id()];
    let mut waiters = Vec::new();
    for number in 0..4 {
        let inner = condition.clone();
        waiters.push(start(&handles, move || {
            if number < 2 {
                arena::crash::arm("condition: left");
            }
            inner.lock().acquire(None, None).unwrap();
            let notified = inner.wait(Some(20.0), None).unwrap();
            inner.lock().release().unwrap();
            value(&notified.to_string())
        }));
        let all = format!("<condition {} waiting>", number + 1);
        until(|| condition.show() == all);
    }
    condition.lock().acquire(None, None).unwrap();
    condition.notify(2).unwrap();
    condition.lock().release().unwrap();
    let said: Vec<String> = waiters.iter().map(text).collect();
    check!(said == ["Killed(9)", "Killed(9)", "true", "true"]);
    check!(condition.show() == "<condition 0 waiting>");
}

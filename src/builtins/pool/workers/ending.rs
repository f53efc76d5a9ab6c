//! How processes are ended that have a grace, and what this process is told meanwhile.

use crate::diag::{Result, codes};
use crate::os::clock;
use crate::process::{Process, signals};
use crate::source::Span;
use crate::value::native::Outcome;

/// How often a wait for processes that have their grace goes on after this process was told something meanwhile.
const MOST_NEWS: usize = 4;

/// Cancels processes, all at one time, and kills those that have not ended within the grace. What this process is told meanwhile does
/// not shorten it, unless the user presses Ctrl-C again; it is raised when they have ended. (The first Ctrl-C may come only now: an item
/// whose program has died by it may have failed before this process has heard of it.)
pub fn end_all<'a>(
    crew: impl IntoIterator<Item = &'a Process> + Clone,
    place: Option<Span>,
) -> Result<()> {
    for process in crew.clone() {
        process.ask_to_end();
    }
    let deadline = clock::deadline(signals::GRACE);
    let mut news = Vec::new();
    let mut is_pressed = signals::is_in_grace();
    for process in crew {
        loop {
            let left = deadline.saturating_sub(clock::now()) as f64 / 1e9;
            match process.wait(Some(left), place) {
                Ok(true) => break,
                Err(error) if news.len() < MOST_NEWS => {
                    let is_key = error.code == codes::INTERRUPTED;
                    news.push(error);
                    if !is_key || !std::mem::replace(&mut is_pressed, true) {
                        continue;
                    }
                }
                Err(error) => news.push(error),
                Ok(false) => {}
            }
            process.kill();
            break;
        }
    }
    news.into_iter().next().map_or(Ok(()), Err)
}

/// What something came to whose workers had to be ended: what this process was told meanwhile (Ctrl-C, a cancellation, a time-out of
/// a scope) goes before its own failure, for nobody would say it again.
pub fn with_news<T>(outcome: Outcome<T>, ended: Outcome<()>) -> Outcome<T> {
    match (outcome, ended) {
        (outcome, Ok(())) => outcome,
        (_, Err(news)) => Err(news),
    }
}

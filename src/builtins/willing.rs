//! Waits that can be asked to let the collector look: what a handle has in its hands (an item by lease, the lock of a file) may be
//! what others wait for, though nobody keeps the handle any more.

use crate::diag;
use crate::os::clock;
use crate::process::wait::timed_out_together;
use crate::process::{signals, willing};
use crate::source::Span;
use crate::value::native::{Context, Outcome};

/// Does what waits, and does it again when it was asked to collect meanwhile. What waits must be as if it had not begun when it
/// ends by an error, and the caller may keep no values but its arguments.
pub fn wait<T>(
    context: &mut dyn Context,
    wait: impl Fn(Option<Span>) -> diag::Result<T>,
) -> Outcome<T> {
    let place = context.place();
    match willing::willing(|| wait(place)) {
        Some(done) => Ok(done?),
        None => {
            collect(context)?;
            Ok(wait(place)?)
        }
    }
}

/// As [`wait`], for what waits so many seconds at most: after a collection for the rest of them.
pub fn wait_within<T>(
    context: &mut dyn Context,
    timeout: Option<f64>,
    within: impl Fn(Option<f64>, Option<Span>) -> diag::Result<T>,
) -> Outcome<T> {
    let began = clock::now();
    wait(context, |place| {
        let spent = clock::now().saturating_sub(began) as f64 / 1e9;
        let left = timeout.map(|seconds| (seconds - spent).max(0.0));
        within(left, place).map_err(|error| match timeout {
            Some(seconds) => timed_out_together(error, seconds),
            None => error,
        })
    })
}

/// Lets the collector look, as was asked. The caller may keep no values but its arguments.
pub fn collect(context: &mut dyn Context) -> Outcome<()> {
    signals::want_collection();
    context.poll()
}

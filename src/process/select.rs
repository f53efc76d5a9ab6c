//! Waiting for whichever of several things comes first.

use super::flow::Flow;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::diag::Result;
use crate::source::Span;

/// Tries the cases in the order in which they are written, and waits until one gives something; the first that does is
/// chosen. `None` when `timeout` (seconds; `None` for no limit, 0 for not waiting) passes first.
///
/// `flow` is served meanwhile. `attempt` gets the number of a case and does its operation if that is possible without waiting.
pub fn select<T>(
    cases: usize,
    awaited: &[Awaited<'_>],
    timeout: Option<f64>,
    place: Option<Span>,
    flow: Option<&dyn Flow>,
    mut attempt: impl FnMut(usize) -> Result<Option<T>>,
) -> Result<Option<(usize, T)>> {
    let mut spec = WaitSpec::new(Operation::Select, awaited, place).with_timeout(timeout);
    spec.flow = flow;
    let chosen = wait::wait(&spec, || {
        for case in 0..cases {
            if let Some(value) = attempt(case)? {
                return Ok(Some((case, value)));
            }
        }
        Ok(None)
    })?;
    if let (Some(flow), Some(_)) = (flow, &chosen) {
        // What a program wrote last may have come with its end.
        flow.serve(&mut Vec::new())?;
    }
    Ok(chosen)
}

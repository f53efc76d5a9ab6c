//! A pool with limits of its own (`p.limited(...)`), and pools in messages: a plain one is its object alone, one with limits is that and
//! what it says.

use super::super::super::arguments;
use super::super::retry::Retry;
use super::super::settings;
use super::methods::retry_for;
use super::{Pool, PoolHandle, Tasks, with_limits};
use crate::arena::HandleId;
use crate::process::pool::owner::Limits;
use crate::value::Value;
use crate::value::handle::{Handle, Parts};
use crate::value::native::{Args, Context, Outcome};
use crate::wire::Reader;
use std::rc::Rc;

/// What messages call one with limits.
pub const KIND: &str = "limited pool";

/// `p.limited(timeout:, retries:, ...)`.
pub fn limited(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (pool, mut limits) = with_limits("limited", &args[0])?;
    limits.timeout = settings::limit("limited", &args[1])?.or(limits.timeout);
    limits.retries = settings::count("limited", "retries", &args[2], 0)?.unwrap_or(limits.retries);
    let retry = retry_for("limited", &args[0], limits.retries, &args[3], &args[4])?;
    let base = args[0].as_handle::<PoolHandle>().map(|handle| handle.base);
    let base = base.as_ref().and_then(arguments::given).copied();
    let handle = PoolHandle {
        pool,
        limits,
        retry,
        base: base.unwrap_or(args[0]),
    };
    Ok(Value::handle(context.heap(), Rc::new(handle)))
}

/// The handle of a pool that came in a message.
pub fn from_id(id: HandleId) -> Option<Rc<dyn Handle>> {
    let pool = Pool::new(Tasks::from_id(id)?, 0, None);
    Some(Rc::new(PoolHandle {
        limits: pool.tasks.limits(),
        retry: Retry::never(),
        pool: Rc::new(pool),
        base: Value::Nil,
    }))
}

/// What one with limits of its own is made of.
pub(super) fn parts(handle: &PoolHandle) -> Option<Parts> {
    let base = *arguments::given(&handle.base)?;
    let timeout = handle.limits.timeout.unwrap_or(0.0);
    let numbers = [timeout.to_bits(), handle.limits.retries];
    let [delay, when] = handle.retry.values();
    Some(Parts {
        kind: KIND,
        bytes: numbers.into_iter().flat_map(u64::to_le_bytes).collect(),
        values: vec![base, delay, when],
    })
}

/// One with limits from what `parts` gave, which may be anything; `None` when it is none.
pub fn assemble(bytes: &[u8], values: &[Value]) -> Option<Rc<dyn Handle>> {
    let &[base, delay, when] = values else {
        return None;
    };
    let mut reader = Reader::new(bytes);
    let timeout = f64::from_le_bytes(reader.array().ok()?);
    let retries = u64::from_le_bytes(reader.array().ok()?);
    let is_whole = reader.remaining() == 0 && timeout.is_finite() && timeout >= 0.0;
    let plain = base.as_handle::<PoolHandle>().filter(|_| is_whole)?;
    let limits = Limits {
        timeout: Some(timeout).filter(|&seconds| seconds > 0.0),
        retries,
        ..plain.limits
    };
    Some(Rc::new(PoolHandle {
        pool: plain.pool.clone(),
        limits,
        retry: Retry::new("limited", retries, &delay, &when).ok()?,
        base,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_of_other_values_is_no_pool() {
        let bytes = [0; 16];
        for end in 0..=bytes.len() {
            assert!(assemble(&bytes[..end], &[]).is_none());
            assert!(assemble(&bytes[..end], &[Value::Nil; 3]).is_none());
        }
    }
}

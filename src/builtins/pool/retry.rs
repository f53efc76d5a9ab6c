//! Trying again: on which terms a call that failed is made once more.
//!
//! Without `retry_if` only a death of the worker and a time-out are followed by another try, which whoever handed the item out
//! sees to. With it the worker asks what it says to an error of the call, too. The pause before a try is the worker's own: others
//! go on with what else there is.

use super::super::arguments;
use super::future::error_of;
use crate::diag::{Error, codes};
use crate::process::pool::future::Future;
use crate::process::pool::job::Job;
use crate::process::wait;
use crate::value::error::ErrorValue;
use crate::value::heap::Marker;
use crate::value::list::List;
use crate::value::native::{Context, Fault, Outcome};
use crate::value::{Value, show};

/// On which terms a call is tried again.
#[derive(Clone, Copy)]
pub struct Retry {
    /// How often.
    pub count: u64,
    /// Seconds before each try, or a function of the number of tries so far that gives them; nil for none.
    delay: Value,
    /// A function that says of an error whether another try is worth while; nil for deaths and time-outs alone.
    when: Value,
}

/// Where it stands how often a call was tried in vain: all who try it again count in one place.
pub trait Tries {
    /// How often so far.
    fn so_far(&self) -> u64;
    /// Counts one more; how many there are with it.
    fn add(&self) -> u64;
}

impl Tries for (&Job, u64) {
    fn so_far(&self) -> u64 {
        self.0.tries(self.1)
    }

    fn add(&self) -> u64 {
        self.0.note_try(self.1)
    }
}

impl Tries for &Future {
    fn so_far(&self) -> u64 {
        self.deaths()
    }

    fn add(&self) -> u64 {
        self.note_try()
    }
}

impl Retry {
    /// From the options `retries`, `retry_delay` and `retry_if` of a construct.
    pub fn new(construct: &str, count: u64, delay: &Value, when: &Value) -> Outcome<Retry> {
        let retry = Retry {
            count,
            delay: arguments::given(delay).copied().unwrap_or(Value::Nil),
            when: arguments::given(when).copied().unwrap_or(Value::Nil),
        };
        if !matches!(retry.when, Value::Nil) {
            arguments::callable(construct, "retry_if", &retry.when)?;
        }
        if retry.delay.as_number().is_some() {
            arguments::seconds(construct, "retry_delay", &retry.delay)?;
        } else if !matches!(retry.delay, Value::Nil)
            && arguments::callable(construct, "retry_delay", &retry.delay).is_err()
        {
            let expected = "a number of seconds or a function";
            return Err(arguments::wrong(
                construct,
                "retry_delay",
                expected,
                &retry.delay,
            ));
        }
        for (name, value) in [("retry_delay", retry.delay), ("retry_if", retry.when)] {
            if count == 0 && !matches!(value, Value::Nil) {
                let message = format!(
                    "{construct}: `{name}` needs `retries` of 1 or more, but nothing is tried again"
                );
                return Err(Error::new(codes::VALUE, message)
                    .with_help("write retries: 3")
                    .into());
            }
        }
        Ok(retry)
    }

    /// `retry_delay` and `retry_if`.
    pub fn values(&self) -> [Value; 2] {
        [self.delay, self.when]
    }

    /// Whether functions of the script decide on it.
    pub fn asks_script(&self) -> bool {
        let is_function = !matches!(self.delay, Value::Nil) && self.delay.as_number().is_none();
        is_function || !matches!(self.when, Value::Nil)
    }

    /// These terms, completed from others.
    pub fn or(mut self, others: Retry) -> Retry {
        if matches!(self.delay, Value::Nil) {
            self.delay = others.delay;
        }
        if matches!(self.when, Value::Nil) {
            self.when = others.when;
        }
        self
    }

    /// Nothing is tried again.
    pub fn never() -> Retry {
        Retry {
            count: 0,
            delay: Value::Nil,
            when: Value::Nil,
        }
    }

    /// Whether a worker need not know of it: whoever hands out deals with deaths.
    pub fn is_plain(&self) -> bool {
        matches!((self.delay, self.when), (Value::Nil, Value::Nil))
    }

    /// Whether a function is asked about each failure.
    pub fn asks(&self) -> bool {
        !matches!(self.when, Value::Nil)
    }

    /// Marks the functions.
    pub fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.delay);
        marker.value(self.when);
    }

    /// Keeps the functions alive.
    pub fn protect(&self, context: &mut dyn Context) {
        context.protect(self.delay);
        context.protect(self.when);
    }

    /// A function with these terms as one value, which travels as that.
    pub fn bind(&self, context: &mut dyn Context, function: Value) -> Value {
        if self.is_plain() {
            return function;
        }
        let parts = vec![
            function,
            Value::Int(self.count.min(i64::MAX as u64) as i64),
            self.delay,
            self.when,
        ];
        let bound = Value::list(context.heap(), parts);
        context.protect(bound);
        bound
    }

    /// A function and its terms, as they were bound.
    pub fn of(bound: Value) -> (Value, Retry) {
        let Value::List(parts) = bound else {
            return (bound, Retry::never());
        };
        let part = |at: usize| List::get(&parts, at).unwrap_or(Value::Nil);
        let count = match part(1) {
            Value::Int(count) => count as u64,
            _ => 0,
        };
        let retry = Retry {
            count,
            delay: part(2),
            when: part(3),
        };
        (part(0), retry)
    }

    /// Makes a call, again and again as long as the terms allow.
    pub fn attempts(
        &self,
        context: &mut dyn Context,
        tries: &dyn Tries,
        mut call: impl FnMut(&mut dyn Context) -> Outcome,
    ) -> Outcome {
        if self.is_plain() {
            return call(context);
        }
        let mut tried = tries.so_far();
        loop {
            self.pause(context, tried)?;
            let fault = match call(context) {
                Err(fault) if !matches!(self.when, Value::Nil) && !ends_process(&fault) => fault,
                other => return other,
            };
            let error = error_of(context, fault);
            context.protect(error);
            if tried >= self.count || !self.is_worth_while(context, error)? {
                return Err(Fault::Thrown(noted(context, error, tried + 1)));
            }
            tried = tries.add().max(tried + 1);
        }
    }

    /// Whether another try is worth while after an error (not how many are left).
    pub fn is_worth_while(&self, context: &mut dyn Context, error: Value) -> Outcome<bool> {
        match self.when {
            Value::Nil => Ok(true),
            when => Ok(context.call(when, &[error])?.truthy()),
        }
    }

    /// Waits before a try, when it is not the first.
    fn pause(&self, context: &mut dyn Context, tried: u64) -> Outcome<()> {
        if tried == 0 || matches!(self.delay, Value::Nil) {
            return Ok(());
        }
        let delay = match self.delay.as_number() {
            Some(_) => self.delay,
            None => context.call(self.delay, &[Value::Int(tried as i64)])?,
        };
        let Some(seconds) = delay.as_number().filter(|seconds| !seconds.is_nan()) else {
            let message = format!(
                "`retry_delay` was to give a number of seconds, but gave {}",
                show::kind(&delay)
            );
            return Err(Error::new(codes::TYPE, message).into());
        };
        Ok(wait::sleep(seconds, context.place())?)
    }
}

/// Whether a fault is no failure of the call: the process ends, or is to end.
fn ends_process(fault: &Fault) -> bool {
    let code = match fault {
        Fault::Exit(_) => return true,
        Fault::Error(error) => error.code,
        Fault::Thrown(Value::Error(error)) => error.report.code,
        Fault::Thrown(_) => return false,
    };
    [codes::CANCELLED, codes::INTERRUPTED].contains(&code)
}

/// The error of a call that was tried so many times.
fn noted(context: &mut dyn Context, error: Value, tried: u64) -> Value {
    let Value::Error(error) = error else {
        return error;
    };
    if tried < 2 {
        return Value::Error(error);
    }
    let report = error.report.clone();
    let report = report.with_note(format!("it was tried {tried} times"));
    let attributes = error.attributes.clone();
    Value::Error(ErrorValue::new(
        context.heap(),
        report,
        attributes,
        error.cause,
    ))
}

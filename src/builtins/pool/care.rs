//! What workers are given and spared beside their tasks: how long `init` and `exit` may take, and how much memory a worker may have
//! for itself before another takes its place.

use super::super::{arguments, spawn};
use super::{item, settings};
use crate::diag::{Error, Field, Result, codes};
use crate::os::{clock, limit, memory};
use crate::process::{Ended, Process};
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Context, Outcome};

/// What a pool was told about its workers.
#[derive(Clone, Copy)]
pub struct Care {
    /// Seconds that `init` may take.
    pub init_timeout: Option<f64>,
    /// Called by each worker that leaves in order; nil for nothing.
    pub exit: Value,
    /// Seconds that it may take.
    pub exit_timeout: Option<f64>,
    /// Bytes of its own with which a worker is replaced.
    pub max_memory: Option<u64>,
    /// Seconds after which a worker leaves that had nothing to do.
    pub idle: Option<f64>,
}

impl Default for Care {
    fn default() -> Care {
        Care {
            init_timeout: None,
            exit: Value::Nil,
            exit_timeout: None,
            max_memory: None,
            idle: None,
        }
    }
}

impl Care {
    /// From the options of a construct: `max_memory`, `init_timeout`, `exit` and `exit_timeout`, in this order.
    pub fn new(construct: &str, values: [&Value; 4], init: &Value) -> Outcome<Care> {
        let [max_memory, init_timeout, exit, exit_timeout] = values;
        let care = Care {
            max_memory: settings::count(construct, "max_memory", max_memory, 1)?,
            init_timeout: settings::period(construct, "init_timeout", init_timeout)?,
            exit: arguments::given(exit).copied().unwrap_or(Value::Nil),
            exit_timeout: settings::period(construct, "exit_timeout", exit_timeout)?,
            idle: None,
        };
        if !matches!(care.exit, Value::Nil) {
            arguments::callable(construct, "exit", &care.exit)?;
        }
        for (name, limit, of, function) in [
            ("init_timeout", care.init_timeout, "init", init),
            ("exit_timeout", care.exit_timeout, "exit", &care.exit),
        ] {
            if limit.is_some() && matches!(function, Value::Nil) {
                let message =
                    format!("{construct}: `{name}` needs `{of}`, but no such function was given");
                return Err(Error::new(codes::VALUE, message)
                    .with_help(format!("write {of}: fn() {{ ... }}"))
                    .into());
            }
        }
        Ok(care)
    }

    /// Marks the function.
    pub fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.exit);
    }

    /// Whether workers that leave call something.
    pub fn has_exit(&self) -> bool {
        !matches!(self.exit, Value::Nil)
    }

    /// In a new worker: calls its `init`.
    pub fn begin(&self, context: &mut dyn Context, init: Value) -> Outcome<()> {
        match init {
            Value::Nil => Ok(()),
            _ => item::within(self.init_timeout, || context.call(init, &[])).map(|_| ()),
        }
    }

    /// In a worker that leaves in order: calls its `exit`.
    pub fn end(&self, context: &mut dyn Context) -> Outcome<()> {
        match self.exit {
            Value::Nil => Ok(()),
            exit => item::within(self.exit_timeout, || context.call(exit, &[])).map(|_| ()),
        }
    }

    /// The error of a worker that ended because its `init`, or its `exit`, took too long.
    pub fn late(&self, process: &Process, ended: &Ended, in_init: bool) -> Option<Box<Error>> {
        let (name, seconds) = match in_init {
            true => ("init", self.init_timeout?),
            false => ("exit", self.exit_timeout?),
        };
        if *ended != Ended::Killed(limit::SIGNAL) {
            return None;
        }
        let (worker, pid) = (process.name(), process.pid().unwrap_or(0));
        let message =
            format!("`{name}` of a worker was to take at most {seconds} s, but took longer");
        let error = Error::new(codes::TIMEOUT, message)
            .with_field("seconds", Field::Float(seconds))
            .with_note(format!(
                "{worker} (pid {pid}) was ended with everything that it had started"
            ));
        Some(
            error
                .with_field("worker", Field::Text(worker))
                .with_field("pid", Field::Int(i64::from(pid))),
        )
    }

    /// Raises what the `exit` of a worker raised, or how it ended in it.
    pub fn raise_end(
        &self,
        context: &mut dyn Context,
        process: &Process,
        ended: Ended,
    ) -> Outcome<()> {
        match self.late(process, &ended, false) {
            Some(late) => Err(late.into()),
            None => spawn::value_of(context, process, ended).map(|_| ()),
        }
    }

    /// What a worker weighs itself with.
    ///
    /// # Errors
    /// It is too heavy before it has begun anything: those in its place would be as well.
    pub fn scales(&self) -> Result<Scales> {
        let mut scales = Scales {
            most: self.max_memory,
            next: 0,
        };
        if let Some(most) = self.max_memory
            && scales.is_too_heavy()
        {
            let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
            let own = memory::private().unwrap_or_default();
            let message = format!(
                "`max_memory` must be more than what a worker has before its first item, but is {:.1} MiB, and it has {:.1} MiB",
                mib(most),
                mib(own)
            );
            return Err(Error::new(codes::VALUE, message)
                .with_help("give more; what `init` makes counts, what is inherited does not"));
        }
        Ok(scales)
    }
}

/// A worker's look at its own memory.
pub struct Scales {
    most: Option<u64>,
    /// When it may be looked closely again (nanoseconds of processor time: who is kept from running does not grow).
    next: u64,
}

/// A close look goes over all pages of the process. Between two of them lies so many times what the last one took.
const PATIENCE: u64 = 20;

impl Scales {
    /// Whether this process has more memory to itself than it may.
    pub fn is_too_heavy(&mut self) -> bool {
        let Some(most) = self.most else {
            return false;
        };
        // What is inherited counts in the first figure, so it can only be too high.
        if memory::private_at_most().is_none_or(|bytes| bytes <= most) {
            return false;
        }
        let began = clock::used();
        if began < self.next {
            return false;
        }
        let own = memory::private();
        let now = clock::used();
        self.next = now + (now - began) * PATIENCE;
        own.is_some_and(|bytes| bytes > most)
    }
}

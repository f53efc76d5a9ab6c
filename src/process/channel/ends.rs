//! Closing a channel, and counting what is done of what was put.

use super::{Channel, PUTTERS, TAKERS, at};
use crate::arena::{self, Arena};
use crate::crash_point;
use crate::limits::MAX_NAME;
use crate::process::{place, record};
use crate::source::Span;
use std::sync::atomic::Ordering;

/// Who closed a channel, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closer {
    /// The name of the process.
    pub name: String,
    /// Its process id.
    pub pid: i32,
    /// The line of the script.
    pub place: Option<Span>,
}

/// Where the words of the closer stand, after `at::CLOSER`.
const PID: u64 = 0;
const SOURCE: u64 = 8;
const RANGE: u64 = 16;
const NAME_LENGTH: u64 = 24;
const NAME: u64 = 32;

impl Closer {
    /// This process, at a place of the script.
    pub fn here(arena: &Arena, place: Option<Span>) -> Closer {
        let (name, pid) = record::name_and_pid(arena, arena::me());
        Closer { name, pid, place }
    }

    /// `Process-1 (pid 42) at main.par:3`.
    pub fn text(&self) -> String {
        format!(
            "{} (pid {}) at {}",
            self.name,
            self.pid,
            place::text(self.place)
        )
    }
}

impl Channel<'_> {
    /// Whether it is closed.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.get(at::CLOSED) != 0
    }

    /// Closes it: nothing more can be put. False when it was closed before.
    pub fn close(&self, closer: &Closer) -> bool {
        let guard = self.lock_put();
        if self.is_closed() {
            return false;
        }
        self.set(at::CLOSER + PID, closer.pid as u64);
        let (source, range) = place::pack(closer.place);
        self.set(at::CLOSER + SOURCE, source);
        self.set(at::CLOSER + RANGE, range);
        let name = closer.name.as_bytes();
        let name = name.get(..MAX_NAME).unwrap_or(name);
        self.arena.put_bytes(self.block + at::CLOSER + NAME, name);
        self.set(at::CLOSER + NAME_LENGTH, name.len() as u64);
        crash_point!("channel: closer written");
        self.set(at::CLOSED, 1);
        crash_point!("channel: closed");
        drop(guard);
        self.notify(TAKERS, u32::MAX);
        self.notify(PUTTERS, u32::MAX);
        true
    }

    /// Who closed it; `None` while it is open.
    pub fn closer(&self) -> Option<Closer> {
        if !self.is_closed() {
            return None;
        }
        let length = self.get(at::CLOSER + NAME_LENGTH).min(MAX_NAME as u64);
        let name = self.arena.bytes(self.block + at::CLOSER + NAME, length);
        let (source, range) = (self.get(at::CLOSER + SOURCE), self.get(at::CLOSER + RANGE));
        Some(Closer {
            name: String::from_utf8_lossy(name).into_owned(),
            pid: self.get(at::CLOSER + PID) as i32,
            place: place::unpack(source, range),
        })
    }

    /// Messages put that `task_done` was not called for, whose leases are not done, and that were not set aside.
    pub fn unfinished(&self) -> u64 {
        let done = self.get(at::DONE) + self.get(at::LEASES_DONE);
        self.get(at::TAIL).saturating_sub(done)
    }

    /// Counts one message as done; false when all that were put are done already.
    pub fn task_done(&self) -> bool {
        let leases = self.get(at::LEASES_DONE);
        let tail = self.get(at::TAIL).saturating_sub(leases);
        let done = self.word(at::DONE);
        let more = done.fetch_update(Ordering::AcqRel, Ordering::Acquire, |done| {
            (done < tail).then_some(done + 1)
        });
        if self.unfinished() == 0 {
            self.notify(PUTTERS, u32::MAX);
        }
        more.is_ok()
    }

    /// Counts this process as one that waits until all is done, for as long as `body` runs.
    pub fn as_joiner<T>(&self, body: impl FnOnce() -> T) -> T {
        self.word(at::JOINERS).fetch_add(1, Ordering::SeqCst);
        let result = body();
        self.word(at::JOINERS).fetch_sub(1, Ordering::SeqCst);
        result
    }
}

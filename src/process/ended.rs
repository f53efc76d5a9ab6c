//! How a process ended, with what it left: one answer for `join`, `wait`, `select`, scopes and pools.

use super::flow::Flow;
use super::reaper;
use super::record::{JOINS_CELL, OBSERVED, OUT_OF_TIME, PASSED, Record, Status};
use super::signals;
use super::spawn::{Message, Process};
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::{self, Arena, HandleId, Hold, SlotRef};
use crate::diag::{Error, Field, Result, codes};
use crate::os::fork::WaitStatus;
use crate::os::signal;
use crate::source::Span;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a process ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Its function gave a value, which is in here encoded.
    Returned(Message),
    /// Its function raised an error, which is in here encoded.
    Raised(Message),
    /// It left by `exit(code)`.
    Exited(i32),
    /// A program left with a code that it may leave with: 0, or one of `ok_codes`; or minus SIGPIPE, because the script had closed what
    /// it wrote.
    Passed(i32),
    /// A signal ended it.
    Killed(i32),
}

impl Ended {
    /// The end of a process, if it has come to it.
    pub fn of(process: &Hold) -> Option<Ended> {
        let record = Record::of(process.object());
        Some(match record.status() {
            Status::Open => return None,
            Status::Returned => Ended::Returned(message(&record)),
            Status::Raised => Ended::Raised(message(&record)),
            Status::Exited(code) if record.flags() & PASSED != 0 => Ended::Passed(code),
            Status::Killed(number) if record.flags() & PASSED != 0 => Ended::Passed(-number),
            Status::Exited(code) => Ended::Exited(code),
            Status::Killed(number) => Ended::Killed(number),
        })
    }

    /// How the kernel told the end of a program that failed.
    pub(super) fn wait_status(&self) -> Option<WaitStatus> {
        match *self {
            Ended::Exited(code) => Some(WaitStatus::Exited(code)),
            Ended::Killed(number) => Some(WaitStatus::Signalled(number)),
            _ => None,
        }
    }

    /// `p.exitcode`: 0 for a value, 1 for an error, the code of `exit`, minus the number of a signal.
    pub fn exitcode(&self) -> i32 {
        match self {
            Ended::Returned(_) => 0,
            Ended::Raised(_) => 1,
            Ended::Exited(code) | Ended::Passed(code) => *code,
            Ended::Killed(number) => -number,
        }
    }

    /// The error that `join` raises for an end without a value or an error of its own: `ExitError` for a code other than
    /// 0, `ProcessDied` for a signal; `None` for the rest.
    pub fn error(&self, name: &str, pid: i32) -> Option<Box<Error>> {
        let error = match *self {
            Ended::Exited(code) if code != 0 => Error::new(
                codes::EXIT,
                format!("{name} (pid {pid}) was to return a value, but left with exit({code})"),
            )
            .with_field("code", Field::Int(i64::from(code))),
            Ended::Killed(number) => {
                let signal_name = signal::name_of(number);
                Error::new(
                    codes::PROCESS_DIED,
                    format!(
                        "{name} (pid {pid}) was to return a value, but was killed by {signal_name}"
                    ),
                )
                .with_field("signal", Field::Int(i64::from(number)))
                .with_field("signal_name", Field::Text(signal_name))
            }
            _ => return None,
        };
        Some(
            error
                .with_field("name", Field::Text(name.to_string()))
                .with_field("pid", Field::Int(i64::from(pid))),
        )
    }
}

impl Ended {
    /// As [`Ended::error`] for a program; `what`: how the message names it, or its stage that failed; `limit`: it was ended when so many seconds were over.
    pub fn program_error(
        &self,
        what: &str,
        name: &str,
        pid: i32,
        limit: Option<f64>,
    ) -> Option<Box<Error>> {
        let expected = format!("{what} was to exit with 0");
        let error = match (self, limit) {
            (Ended::Exited(_) | Ended::Killed(_), Some(seconds)) => Error::new(
                codes::TIMEOUT,
                format!("{what} was to end within {seconds} s, but it took longer; it was ended"),
            )
            .with_field("seconds", Field::Float(seconds)),
            (&Ended::Exited(code), _) if code != 0 => {
                Error::new(codes::EXIT, format!("{expected}, but exited with {code}"))
                    .with_field("code", Field::Int(i64::from(code)))
            }
            (&Ended::Killed(number), _) => {
                let signal_name = signal::name_of(number);
                Error::new(
                    codes::PROCESS_DIED,
                    format!("{expected}, but was killed by {signal_name}"),
                )
                .with_field("signal", Field::Int(i64::from(number)))
                .with_field("signal_name", Field::Text(signal_name))
            }
            _ => return None,
        };
        Some(
            error
                .with_field("name", Field::Text(name.to_string()))
                .with_field("pid", Field::Int(i64::from(pid))),
        )
    }
}

/// What a wait for one of several processes came to.
#[derive(Debug)]
pub enum Joined {
    /// Its end.
    Ended(Ended),
    /// Another one has failed.
    OtherFailed,
    /// The time was over.
    OutOfTime,
}

impl Process {
    /// As [`Process::join_flowing`], and nothing flows meanwhile.
    pub fn join(&self, timeout: Option<f64>, place: Option<Span>) -> Result<Option<Ended>> {
        self.join_flowing(timeout, place, None)
    }

    /// Refuses a process that nobody has started: a wait for its end, of which `operation` is the name, might have none.
    ///
    /// # Errors
    /// `ValueError`.
    pub fn check_started(&self, operation: &str) -> Result<()> {
        if self.started() {
            return Ok(());
        }
        let name = self.name();
        let message =
            format!("`{operation}` waits for a process that was started, but {name} was not");
        Err(Error::new(codes::VALUE, message).with_help("start it first: p.start()"))
    }

    /// Whoever spawns it looks after its end, whatever that is: no scope is ended by its failure, and nobody is told of it.
    pub fn be_watched(&self) {
        self.record().flag(OBSERVED);
    }

    /// Whether it is a program whose time was over, and that was ended for that.
    pub fn had_its_time(&self) -> bool {
        self.record().flags() & OUT_OF_TIME != 0
    }

    /// Whether it has ended in a way that `join` raises.
    pub fn has_failed(&self) -> bool {
        let record = self.record();
        if record.status() == Status::Open && self.started() {
            self.find_end();
        }
        match record.status() {
            Status::Open | Status::Returned => false,
            _ if record.flags() & PASSED != 0 => false,
            Status::Exited(code) => code != 0,
            Status::Raised | Status::Killed(_) => true,
        }
    }

    /// `join p`: waits for its end; `None` when `timeout` (seconds) passes first. The end counts as seen.
    /// `flow` is served meanwhile.
    pub fn join_flowing(
        &self,
        timeout: Option<f64>,
        place: Option<Span>,
        flow: Option<&dyn Flow>,
    ) -> Result<Option<Ended>> {
        match self.join_beside(&[], timeout, place, flow)? {
            Joined::Ended(ended) => Ok(Some(ended)),
            Joined::OtherFailed | Joined::OutOfTime => Ok(None),
        }
    }

    /// As [`Process::join_flowing`], until one of `others` has failed: this wait is one of several for all of them, and whoever of them
    /// runs could end it.
    pub fn join_beside(
        &self,
        others: &[Process],
        timeout: Option<f64>,
        place: Option<Span>,
        flow: Option<&dyn Flow>,
    ) -> Result<Joined> {
        self.check_started("join")?;
        let seen = Seen::by_us(self);
        let is_open = |process: &Process| process.record().status() == Status::Open;
        let deadline = WaitSpec::new(Operation::Join, &[], place).with_timeout(timeout);
        let joined = loop {
            let others = others
                .iter()
                .filter(|other| *other != self && other.started());
            let open: Vec<&Process> = others.clone().filter(|other| is_open(other)).collect();
            let awaited = std::iter::once(self).chain(open.iter().copied());
            let awaited: Vec<Awaited<'_>> = awaited.map(Process::awaited).collect();
            let mut spec = WaitSpec::new(Operation::Join, &awaited, place);
            spec.deadline = deadline.deadline;
            spec.flow = flow;
            spec.watch = self.watched().filter(|_| is_open(self));
            let step = wait::wait(&spec, || {
                Ok(match self.ended() {
                    Some(ended) => Some(Some(Joined::Ended(ended))),
                    None if others.clone().any(Process::has_failed) => {
                        Some(Some(Joined::OtherFailed))
                    }
                    // One that could have ended this wait has gone: who looks for deadlocks is told.
                    None if !open.iter().all(|other| is_open(other)) => Some(None),
                    None => None,
                })
            })?;
            match step {
                Some(Some(joined)) => break joined,
                Some(None) => {}
                None => break Joined::OutOfTime,
            }
        };
        if let (Some(flow), Joined::Ended(_)) = (flow, &joined) {
            // What it wrote last may have come with its end, and goes where it is to go before the join is over.
            let mut spec = WaitSpec::new(Operation::Outside, &[], place);
            (spec.deadline, spec.flow) = (deadline.deadline, Some(flow));
            wait::wait(&spec, || Ok(flow.is_settled().then_some(())))?;
        }
        let Joined::Ended(ended) = &joined else {
            return Ok(joined);
        };
        seen.for_good();
        if self.is_program()
            && let Some(status) = ended.wait_status()
        {
            signals::check_shared(status, place)?;
        }
        Ok(joined)
    }

    /// The process whose death says that this one has ended: itself, or for a program the one that started it.
    fn watched(&self) -> Option<SlotRef> {
        let record = self.record();
        match self.is_program() {
            true => record.parent().filter(|&owner| owner != arena::me()),
            false => record.slot(),
        }
    }

    /// The error of a process that has failed without leaving one.
    pub fn lost_result(&self) -> Box<Error> {
        let (name, pid) = (self.name(), self.pid().unwrap_or(0));
        Error::new(
            codes::LIMIT,
            format!(
                "{name} (pid {pid}) was to hand over what it came to, but there was no room for that in shared memory"
            ),
        )
        .with_help("return less, or write it to a file; and take what waits in queues and shared objects")
    }

    /// Looks whether it has failed by the Ctrl-C that this process is about to hear of.
    ///
    /// # Errors
    /// `Cancelled`: this process hears of it by that.
    pub fn check_common_end(&self) -> Result<()> {
        signals::take_part(&self.record())
    }

    /// Waits for its end without its value: true when it has ended.
    pub fn wait(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        Ok(self.join(timeout, place)?.is_some())
    }
}

/// The end of a process counts as seen while somebody waits for it: so its failure is told by the wait and by nobody else. A wait that
/// does not come to it takes that back, for then the failure is still news; so does whoever buries one that died in it ([`joiner_died`]).
struct Seen<'a> {
    process: &'a Process,
    /// What this process waited for before it was called back in the middle of that wait.
    before: u64,
    /// There is nothing to take back.
    for_good: bool,
}

impl<'a> Seen<'a> {
    /// Counts it as seen from now on.
    fn by_us(process: &'a Process) -> Seen<'a> {
        let before = joins().swap(process.id().to_bits(), Ordering::SeqCst);
        Seen {
            process,
            before,
            for_good: false,
        }
    }

    fn for_good(mut self) {
        self.for_good = true;
        // Before it says that it waits no more: in between nobody would look after the end.
        self.process.record().flag(OBSERVED);
    }
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        joins().store(self.before, Ordering::SeqCst);
        if !self.for_good {
            tell_if_unseen(self.process.hold());
        }
    }
}

/// Where this process says for whose end it waits.
fn joins() -> &'static AtomicU64 {
    static NOTHING: AtomicU64 = AtomicU64::new(0);
    match arena::get() {
        Some(arena) => &arena.slot(arena::me().index).cells[JOINS_CELL],
        None => &NOTHING,
    }
}

/// Somebody waited for the end of a process and does so no more. When it has ended meanwhile, nobody else told of it.
fn tell_if_unseen(process: &Hold) {
    let record = Record::of(process.object());
    if record.status() != Status::Open && !record.is_seen() {
        reaper::note_end_unseen(process);
    }
}

/// Before the burial of a dead process: what it waited for is looked after by this one, if it must be. What ends later tells of itself.
pub(super) fn joiner_died(arena: &Arena, dead: SlotRef) {
    let joined = arena.slot(dead.index).cells[JOINS_CELL].load(Ordering::SeqCst);
    if let Some(process) = HandleId::from_bits(joined).and_then(Hold::adopt) {
        tell_if_unseen(&process);
    }
}

fn message(record: &Record<'_>) -> Message {
    let block = record.result();
    match arena::get() {
        Some(arena) if block != 0 => Message {
            bytes: arena.message_bytes(block).to_vec(),
            handles: arena.message_handles(block),
            code: [0; 2],
        },
        _ => Message {
            bytes: record.small_result(),
            handles: Vec::new(),
            code: [0; 2],
        },
    }
}

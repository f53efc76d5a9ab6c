//! Waits for programs, which are no processes of Par: what they write, read and leave by.

use super::record::Record;
use super::{LAST_SLICE, Operation, WaitSpec};
use crate::arena::table::WaitRecord;
use crate::arena::{Arena, Offset};
use crate::diag::Result;
use crate::os::clock;
use crate::os::poll::{self, Interest};
use crate::process::pool::{outlet, reading};
use crate::process::{doom, flow, scope, signals, tenders};
use crate::source::Span;
use std::sync::atomic::Ordering;

/// A program that is waited for, as reports name it.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// Its text.
    pub label: &'a str,
    /// The process id of its first stage.
    pub pid: i32,
}

/// Bytes before the text in the block of a program.
const HEAD: u64 = 8;

impl Program<'_> {
    /// Writes it into a block for who looks at the wait; 0 when there is no room, then it is told without a name.
    pub(super) fn write(self, arena: &Arena) -> Offset {
        let Ok(block) = arena.alloc(HEAD + self.label.len() as u64) else {
            return 0;
        };
        arena.put_word(block, self.pid as u64);
        arena.put_bytes(block + HEAD, self.label.as_bytes());
        block
    }
}

/// The program that a wait record names, as reports call it. The block may be another's by now: who reads looks at the epoch of the
/// wait before and behind.
pub(in crate::process) fn program_of(arena: &Arena, wait: &WaitRecord) -> Option<String> {
    let (block, length) = (
        wait.list.load(Ordering::Acquire),
        u64::from(wait.text.load(Ordering::Acquire)),
    );
    if block == 0 || HEAD + length > arena.capacity(block) {
        return None;
    }
    let pid = arena.get_word(block) as i32;
    let label = String::from_utf8_lossy(arena.bytes(block + HEAD, length)).into_owned();
    Some(format!("`{label}` (pid {pid})"))
}

/// Waits for what comes through descriptors: pipes to and from a program, and its end. `step` does what can be done
/// without waiting, and names what it waits for if it gives nothing. `Ok(None)`: the deadline (monotonic nanoseconds) came
/// first. Never part of a deadlock; an error of the step ends it too, and `Interrupted` and `Cancelled` do.
pub fn outside<T>(
    program: Program<'_>,
    place: Option<Span>,
    deadline: Option<u64>,
    mut step: impl FnMut(&mut Vec<Interest>) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut interests = Vec::new();
    if let Some(value) = step(&mut interests)? {
        outlet::settle();
        return Ok(Some(value));
    }
    let arena = crate::process::start()?;
    let mut spec = WaitSpec::new(Operation::Outside, &[], place);
    spec.deadline = deadline;
    spec.program = Some(program);
    let since = clock::now();
    loop {
        tenders::tend();
        let record = Record::write(arena, &spec, since);
        while !tenders::have_news() {
            if deadline.is_some_and(|deadline| deadline <= clock::now()) {
                return Ok(None);
            }
            scope::check_deadline()?;
            reading::check_wait()?;
            flow::serve_awaited(&mut interests);
            outlet::serve(&mut interests);
            // Somebody may begin to wait for what this process talks with.
            let looks = || tenders::are_behind() || doom::is_pending() || flow::may_begin();
            let slice = looks().then(|| clock::now() + LAST_SLICE);
            let around = scope::nearest_deadline();
            let until = deadline.into_iter().chain(around).chain(slice).min();
            poll::wait(&interests, until, || {
                signals::check()?;
                reading::check_wait()?;
                // Who has just taken note of the end of a child has something to do, and hears of it by no other signal.
                Ok(!tenders::have_news() && (slice.is_some() || !looks()))
            })?;
            interests.clear();
            if let Some(value) = step(&mut interests)? {
                outlet::settle();
                return Ok(Some(value));
            }
            if slice.is_some() {
                break;
            }
        }
        drop(record);
    }
}

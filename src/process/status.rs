//! What every process of the tree is doing, told to a person who asks: Ctrl-\ on a terminal, `kill -QUIT` from another one.
//!
//! The main process writes the table to standard error and everybody goes on. What a waiting process waits for stands in its wait
//! record; a computing one is asked for its line by a signal and answers where its machine polls.

use super::wait::{self, Operation};
use super::{deadlock, place, record};
use crate::arena::{self, Arena, SlotRef};
use crate::os::cpu::{self, Used};
use crate::os::{clock, fork, futex, signal};
use crate::source::Span;
use std::io::Write;
use std::sync::atomic::Ordering;

/// The cell of a slot with the line that its process was at when it was last asked ([`place::pack_start`]).
const PLACE_CELL: usize = 6;
/// The cell with the instant of that answer.
const ANSWER_CELL: usize = 7;
/// How long computing processes may take to answer: they poll every few milliseconds, but in a long built-in call.
const PATIENCE: u64 = 200_000_000;

/// Somebody asked, and this process is at `place`: the main process tells of all, a child notes its line for it.
pub fn tell(place: Option<Span>) {
    let Some(arena) = arena::get() else {
        return write(vec![alone(place)]);
    };
    let me = arena::me();
    answer(arena, me, place);
    if arena.slot(me.index).parent.load(Ordering::Acquire) == 0 {
        let asked = clock::now();
        ask(arena, asked);
        write(table(arena, asked));
    }
}

/// Notes the line of this process where the main process looks for it.
fn answer(arena: &Arena, me: SlotRef, place: Option<Span>) {
    let cells = &arena.slot(me.index).cells;
    cells[PLACE_CELL].store(place::pack_start(place), Ordering::Release);
    cells[ANSWER_CELL].store(clock::now(), Ordering::Release);
}

/// Asks the computing processes for their lines and waits until each has answered, has begun to wait, or takes too long.
fn ask(arena: &Arena, asked: u64) {
    let me = arena::me();
    // Who is stopped does not answer, and would keep every signal until it goes on.
    let computes = |&process: &SlotRef| {
        let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
        let is_stopped = || cpu::used(pid).is_some_and(|used| used.stopped);
        process != me && !is_waiting(arena, process) && !is_stopped()
    };
    for process in arena.live_processes().filter(computes) {
        let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
        if pid > 0 {
            fork::send_signal_pinned(pid, signal::status_signal(), || arena.is_alive(process));
        }
    }
    let owes = |process: SlotRef| {
        computes(&process)
            && arena.slot(process.index).cells[ANSWER_CELL].load(Ordering::Acquire) < asked
    };
    let wake = &arena.slot(me.index).wake;
    while clock::now() < asked + PATIENCE && arena.live_processes().any(owes) {
        let word = futex::Word {
            word: wake.word(),
            seen: wake.seen(),
        };
        futex::wait(&[word], clock::now() + PATIENCE / 100);
    }
}

fn is_waiting(arena: &Arena, process: SlotRef) -> bool {
    let epoch = arena.slot(process.index).wait.epoch.load(Ordering::Acquire);
    !epoch.is_multiple_of(2)
}

/// One line for each process, the oldest first.
fn table(arena: &Arena, asked: u64) -> Vec<String> {
    let serial = |process: &SlotRef| arena.slot(process.index).serial.load(Ordering::Acquire);
    let mut all: Vec<SlotRef> = arena.live_processes().collect();
    all.sort_by_key(serial);
    let rows = all.iter().map(|&process| {
        let (name, pid) = record::name_and_pid(arena, process);
        let indent = "  ".repeat(depth(arena, process));
        (format!("{indent}{name}"), pid, doing(arena, process, asked))
    });
    let rows: Vec<(String, i32, String)> = rows.collect();
    let width = rows.iter().map(|row| row.0.chars().count()).max();
    let width = width.unwrap_or(0);
    rows.into_iter()
        .map(|(name, pid, doing)| format!("  {name:width$}  pid {pid:<8} {doing}"))
        .collect()
}

/// How many ancestors a process has, as far as they live.
fn depth(arena: &Arena, process: SlotRef) -> usize {
    let parent = |process: SlotRef| {
        SlotRef::from_bits(arena.slot(process.index).parent.load(Ordering::Acquire))
            .filter(|&parent| arena.is_alive(parent))
    };
    std::iter::successors(parent(process), |&above| parent(above))
        .take(64)
        .count()
}

fn doing(arena: &Arena, process: SlotRef, asked: u64) -> String {
    let pid = arena.slot(process.index).pid.load(Ordering::Acquire);
    let used = cpu::used(pid);
    let is_stopped = used.as_ref().is_some_and(|used| used.stopped);
    let did = match waiting(arena, process) {
        Some(text) if is_stopped => format!("is stopped by a signal; {text}"),
        Some(text) => text,
        None if is_stopped => String::from("is stopped by a signal"),
        None => {
            let cells = &arena.slot(process.index).cells;
            match cells[ANSWER_CELL].load(Ordering::Acquire) >= asked || process == arena::me() {
                true => {
                    let at = place::unpack_start(cells[PLACE_CELL].load(Ordering::Acquire));
                    format!("runs at {}", place::text(at))
                }
                false => String::from("runs in a built-in function"),
            }
        }
    };
    format!("{did}{}", costs(used))
}

/// What a waiting process waits for; `None` when it does not wait, or its record is just changing.
fn waiting(arena: &Arena, process: SlotRef) -> Option<String> {
    let own = &arena.slot(process.index).wait;
    let epoch = own.epoch.load(Ordering::SeqCst);
    if epoch.is_multiple_of(2) {
        return None;
    }
    let operation = Operation::from_number(own.operation.load(Ordering::Acquire))?;
    let ids = deadlock::awaited(arena, own).unwrap_or_default();
    let at = place::unpack(
        u64::from(own.place_source.load(Ordering::Acquire)),
        own.place_range.load(Ordering::Acquire),
    );
    let (since, deadline) = (
        own.since.load(Ordering::Acquire),
        own.deadline.load(Ordering::Acquire),
    );
    let program = (operation == Operation::Outside)
        .then(|| wait::program_of(arena, own).unwrap_or_else(|| String::from("a program")));
    let nouns: Vec<String> = ids.iter().map(|&id| deadlock::wanted(arena, id)).collect();
    let holders: Vec<String> = ids
        .iter()
        .flat_map(|&id| deadlock::owners(arena, id, operation, process))
        .map(|owner| record::label(arena, owner))
        .collect();
    if own.epoch.load(Ordering::SeqCst) != epoch {
        return None;
    }
    let now = clock::now();
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9;
    let mut text = match program {
        Some(program) => format!("waits for {program}"),
        None => format!("waits in `{}`", operation.words()),
    };
    if !nouns.is_empty() {
        text += &format!(" of {}", nouns.join(", "));
    }
    text += &format!(" at {} for {:.1} s", place::text(at), seconds(since, now));
    if deadline != 0 {
        text += &format!(", {:.1} s more", seconds(now, deadline));
    }
    if !holders.is_empty() {
        text += &format!(", held by {}", holders.join(", "));
    }
    Some(text)
}

fn costs(used: Option<Used>) -> String {
    used.map_or_else(String::new, |used| {
        let megabytes = used.memory as f64 / (1024.0 * 1024.0);
        format!("; {:.2} s of CPU, {megabytes:.1} MB", used.seconds)
    })
}

/// The line of a script that has shared nothing yet.
fn alone(at: Option<Span>) -> String {
    let pid = fork::pid();
    format!(
        "  main  pid {pid} runs at {}{}",
        place::text(at),
        costs(cpu::used(pid))
    )
}

fn write(lines: Vec<String>) {
    let head = match lines.len() {
        1 => String::from("1 process"),
        count => format!("{count} processes"),
    };
    let text = format!("par: {head}\n{}\n", lines.join("\n"));
    // Standard error may be gone; who asked cannot be told then.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

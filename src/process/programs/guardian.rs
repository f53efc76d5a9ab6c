//! The guardian: a tiny process that outlives the main process and ends what that could not end any more.
//!
//! A process that is killed takes its children along (the kernel sees to it), but not what programs started by themselves.
//! Where a process of Par is left above, it sweeps; above the main process there is none. So with the first program of a
//! tree the guardian is started: the same executable in a group of its own, which sleeps until the main process is dead
//! and then kills everything that carries a mark of the tree. A main process that ends in order ends it.

use super::mark;
use crate::arena::{self, Arena, Cell};
use crate::os::poll::{self, Interest};
use crate::os::program::{Bounds, Group, ProgramSpec};
use crate::os::title::Title;
use crate::os::{clock, fork, program, tree as processes};
use crate::process::spawn;
use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// The argument by which the executable is told to be a guardian; the number of the tree follows it.
const WORD: &str = "--guard-tree";
/// The descriptor at which the guardian finds the main process.
const MAIN: i32 = 3;
/// Nanoseconds between the first two scans; each pause is twice as long as the one before, up to the longest.
const FIRST_PAUSE: u64 = 1_000_000;
/// The longest pause.
const LAST_PAUSE: u64 = 100_000_000;
/// Nanoseconds without a finding after which nothing is left: a process that is just being executed has no environment to
/// be seen, and on a loaded machine that can take a while.
const QUIET: u64 = 1_500_000_000;

/// Whether this executable knows how to be a guardian; not so in a host program.
static KNOWN: AtomicBool = AtomicBool::new(false);

/// Says that this process's executable is `par` itself, whose main function calls [`serve`].
pub fn allow() {
    KNOWN.store(true, Ordering::Relaxed);
}

/// The number of this tree, made when it is asked for first.
pub fn tree(arena: &Arena) -> u64 {
    let cell = arena.cell(Cell::Tree);
    let known = cell.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    // Unique on this machine until its next start: a time in nanoseconds, at which only one process has our number.
    let made = clock::now().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (fork::pid() as u64) << 40;
    match cell.compare_exchange(0, made.max(1), Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => made.max(1),
        Err(other) => other,
    }
}

/// Whether a process is the guardian of this tree.
pub(super) fn is(pid: i32) -> bool {
    arena::get()
        .is_some_and(|arena| arena.cell(Cell::Guardian).load(Ordering::Acquire) == pid as u64)
}

/// Starts the guardian unless there is one. Without it the script runs as well.
pub(super) fn ensure() {
    let Some(arena) = arena::get() else {
        return;
    };
    let cell = arena.cell(Cell::Guardian);
    if !KNOWN.load(Ordering::Relaxed) || cell.load(Ordering::Acquire) != 0 {
        return;
    }
    let Some(pid) = start(tree(arena)) else {
        return;
    };
    let first = cell.compare_exchange(0, pid as u64, Ordering::AcqRel, Ordering::Acquire);
    if first.is_err() {
        // Another process was faster.
        fork::send_signal(pid, libc::SIGKILL);
        fork::wait_for(pid, true);
    }
}

fn start(tree: u64) -> Option<i32> {
    let main = main_process()?;
    let main = fork::open_process(main)?;
    let null = std::fs::File::open("/dev/null").ok()?;
    let own = std::env::current_exe().ok()?;
    let path = CString::new(own.into_os_string().into_encoded_bytes()).ok()?;
    let arguments = [
        CString::from(c"par: guardian"),
        CString::new(WORD).ok()?,
        CString::new(format!("{tree:x}")).ok()?,
    ];
    let null = null.as_raw_fd();
    let spec = ProgramSpec {
        path: &path,
        arguments: &arguments,
        // Nothing of the script's environment, and so no mark of a tree around this one either.
        environment: &[],
        folder: Some(c"/"),
        descriptors: &[(null, 0), (null, 1), (null, 2), (main.as_raw_fd(), MAIN)],
        // Not a session of its own: the kernel continues a stopped group when the last process of its session that could do
        // it dies, so nobody can keep the guardian from its work by stopping it.
        group: Group::New,
        dies_with_parent: false,
        bounds: &Bounds::default(),
        user: None,
        mark: crate::os::mark::NONE,
    };
    program::start(&spec).ok().map(|started| started.pid)
}

/// The process id of the main process of this tree.
fn main_process() -> Option<i32> {
    let mut process = spawn::current().ok()?;
    while let Some(parent) = process.parent() {
        process = parent;
    }
    process.pid()
}

/// Starts another guardian when this process finds that its child, the guardian, has died.
pub(super) fn look_after() {
    let Some(arena) = arena::get() else {
        return;
    };
    let cell = arena.cell(Cell::Guardian);
    let pid = cell.load(Ordering::Acquire);
    if pid == 0 || fork::wait_for(pid as i32, false).is_none() {
        return;
    }
    let _ = cell.compare_exchange(pid, 0, Ordering::AcqRel, Ordering::Acquire);
    ensure();
}

/// At the end of the main process, which has ended everything itself.
pub(in crate::process) fn dismiss() {
    let Some(arena) = arena::get() else {
        return;
    };
    let pid = arena.cell(Cell::Guardian).swap(0, Ordering::AcqRel) as i32;
    if pid != 0 {
        // It is our child: we started it, or it came to us when the process that did ended.
        if processes::parent_of(pid) == Some(fork::pid()) {
            fork::send_signal(pid, libc::SIGKILL);
            fork::wait_for(pid, true);
        }
    }
}

/// The life of a guardian: for an executable that was started with `WORD`; `None` for all others.
pub fn serve(args: &[OsString]) -> Option<ExitCode> {
    let [word, tree] = args else {
        return None;
    };
    if word != OsStr::new(WORD) {
        return None;
    }
    let tree = u64::from_str_radix(tree.to_str()?, 16).ok()?;
    Title::new("par: guardian").show_short();
    // No signal but SIGKILL is for it.
    let blocked = crate::os::signal::AllBlocked::new();
    let main_is_dead = || poll::wait(&[Interest::Readable(MAIN)], None, || Ok(true)) == Ok(true);
    while !main_is_dead() {}
    let mut pause = FIRST_PAUSE;
    let mut found_at = clock::now();
    while clock::now() - found_at < QUIET {
        if end_marked(tree) {
            (found_at, pause) = (clock::now(), FIRST_PAUSE);
        }
        let _ = poll::wait(&[], Some(clock::now() + pause), || Ok(true));
        pause = (pause * 2).min(LAST_PAUSE);
    }
    drop(blocked);
    Some(ExitCode::SUCCESS)
}

/// Kills every process that carries the mark of the tree. True when there was one.
fn end_marked(tree: u64) -> bool {
    let me = fork::pid();
    let mut marked = processes::all();
    marked.retain(|&pid| pid != me && mark::is_of(pid, tree));
    // Parents first: a shell that sees how its programs end says so.
    let parents: HashMap<i32, i32> = marked
        .iter()
        .filter_map(|&pid| Some((pid, processes::parent_of(pid)?)))
        .collect();
    let depth = |&pid: &i32| {
        let above = std::iter::successors(parents.get(&pid), |parent| parents.get(parent));
        above.take(marked.len()).count()
    };
    let mut ordered: Vec<(usize, i32)> = marked.iter().map(|pid| (depth(pid), *pid)).collect();
    ordered.sort_unstable();
    let mut any = false;
    for (_, pid) in ordered {
        any |= fork::send_signal_pinned(pid, libc::SIGKILL, || mark::is_of(pid, tree));
    }
    any
}

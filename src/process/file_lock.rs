//! Locks of files: the kernel's, for processes of any program.
//!
//! The kernel tells nobody who holds such a lock, nor when it becomes free. So each that a process of this tree takes has an object in
//! the arena, which names the file and the holder: others of the tree wait for that object, are woken when the lock is given back or
//! its holder dies, and are seen by the search for deadlocks. What a foreign program holds is tried again and again.
//!
//! **Invariant:** an object names a holder only while that holds the lock of the kernel: it is made after the lock is taken, and
//! emptied before it is given back.

use super::deadlock::{self, Enders, WaitOps};
use super::record;
use super::wait::{self, Awaited, Operation, WaitSpec};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::Result;
use crate::os::{clock, fork, name};
use crate::source::Span;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// Cell: the device of the file.
const DEVICE: usize = 0;
/// Cell: its number there.
const NUMBER: usize = 1;
/// Cell: the holder ([`SlotRef::to_bits`]); 0 when it was given back.
const OWNER: usize = 2;
/// Cell: not 0 when others may share it.
const SHARED: usize = 3;

/// The first pause between two attempts at a lock that a foreign program holds, in nanoseconds.
const FIRST_PAUSE: u64 = 1_000_000;
/// Pauses that are longer than this are left to the waiting place.
const LAST_PAUSE: u64 = 16_000_000;

/// How an attempt ended.
pub enum Taken {
    /// It is held.
    Held(FileLock),
    /// The time was over first; with who of the tree holds it, if anybody does.
    Late(Option<String>),
    /// The system refused.
    Refused(io::Error),
}

/// A lock that is held. The kernel gives it back when its process ends, however that is.
pub struct FileLock {
    file: Rc<File>,
    hold: Hold,
    /// The process that took it: a child that was forked later does not hold it, though it has the file open.
    owner: i32,
}

/// Which file it is, however it is called.
fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|data| (data.dev(), data.ino()))
}

/// The process of the tree that holds a lock, by its object.
fn holder(arena: &Arena, object: &Object) -> Option<SlotRef> {
    let owner = SlotRef::from_bits(object.cells[OWNER].load(Ordering::SeqCst))?;
    arena.is_alive(owner).then_some(owner)
}

/// The locks of a file that are held in the tree and are in the way of another.
fn in_the_way(arena: &Arena, file: &File, shared: bool) -> Vec<Hold> {
    let Some((device, number)) = identity(file) else {
        return Vec::new();
    };
    let blocks = |hold: &Hold| {
        let (object, cells) = (hold.object(), &hold.object().cells);
        cells[DEVICE].load(Ordering::Acquire) == device
            && cells[NUMBER].load(Ordering::Acquire) == number
            && !(shared && cells[SHARED].load(Ordering::Acquire) != 0)
            && holder(arena, object).is_some()
    };
    let all = arena.objects_of(ObjectKind::FileLock).into_iter();
    all.filter_map(Hold::adopt).filter(blocks).collect()
}

/// Whether this very process holds a lock of the file that is in the way of another: to wait for that would never end.
///
/// # Errors
/// There is no room for the arena.
pub fn is_mine(file: &File, shared: bool) -> Result<bool> {
    let arena = super::start()?;
    let held = in_the_way(arena, file, shared);
    let mut holders = held.iter().map(|hold| holder(arena, hold.object()));
    Ok(holders.any(|holder| holder == Some(arena::me())))
}

/// Takes the lock of an open file, waiting for at most `timeout` seconds. `path` is what reports call it.
///
/// # Errors
/// Those of the waiting place: `Interrupted`, `Cancelled`, `Deadlock`. There is no room in the arena.
pub fn take(
    file: &Rc<File>,
    path: &str,
    shared: bool,
    timeout: Option<f64>,
    place: Option<Span>,
) -> Result<Taken> {
    let arena = super::start()?;
    let deadline = timeout.map(clock::deadline);
    let mut pause = FIRST_PAUSE;
    // Nobody is looked for before the first attempt.
    let mut others = Vec::new();
    loop {
        let awaited: Vec<Awaited<'_>> = others.iter().map(awaited).collect();
        let mut spec = WaitSpec::new(Operation::LockFile, &awaited, place);
        spec.deadline = deadline;
        spec.watch = others.first().and_then(|hold| holder(arena, hold.object()));
        // A foreign program may give it back at once: the waiting place looks after ten milliseconds first.
        if others.is_empty() && pause < LAST_PAUSE {
            let next = clock::now() + pause;
            spec.deadline = Some(deadline.map_or(next, |deadline| deadline.min(next)));
            pause *= 2;
        }
        match wait::wait(&spec, || Ok(attempt(arena, file, shared, &others)))? {
            Some(Attempt::Taken) => break,
            Some(Attempt::Refused(error)) => return Ok(Taken::Refused(error)),
            Some(Attempt::Changed) => {}
            None if deadline.is_some_and(|deadline| deadline <= clock::now()) => {
                let mut holders = others
                    .iter()
                    .filter_map(|hold| holder(arena, hold.object()));
                let who = holders.next().map(|process| record::label(arena, process));
                return Ok(Taken::Late(who));
            }
            None => {}
        }
        others = in_the_way(arena, file, shared);
    }
    crash_point!("file lock: taken");
    let owner = fork::pid();
    let hold = note(arena, file, path, shared)?;
    let file = file.clone();
    Ok(Taken::Held(FileLock { file, hold, owner }))
}

fn awaited(hold: &Hold) -> Awaited<'_> {
    Awaited {
        id: hold.id(),
        object: hold.object(),
        side: 0,
    }
}

enum Attempt {
    Taken,
    /// Somebody else is in the way than was waited for.
    Changed,
    Refused(io::Error),
}

/// One attempt; `None` while what was in the way still is.
fn attempt(arena: &Arena, file: &File, shared: bool, others: &[Hold]) -> Option<Attempt> {
    let tried = match shared {
        true => file.try_lock_shared(),
        false => file.try_lock(),
    };
    match tried {
        Ok(()) => Some(Attempt::Taken),
        Err(TryLockError::Error(error)) => Some(Attempt::Refused(error)),
        Err(TryLockError::WouldBlock) => {
            let is_held = |hold: &Hold| holder(arena, hold.object()).is_some();
            let stays = match others {
                [] => in_the_way(arena, file, shared).is_empty(),
                others => others.iter().any(is_held),
            };
            (!stays).then_some(Attempt::Changed)
        }
    }
}

/// Makes the object of a lock that this process has just taken.
fn note(arena: &Arena, file: &File, path: &str, shared: bool) -> Result<Hold> {
    let (device, number) = identity(file).unwrap_or_default();
    let path = name::bytes(path);
    let me = arena::me().to_bits();
    let hold = arena::when_full(|| {
        Hold::create(ObjectKind::FileLock, |arena, object| {
            let block = arena.alloc(8 + path.len() as u64)?;
            arena.put_word(block, path.len() as u64);
            arena.put_bytes(block + 8, &path);
            object.cells[DEVICE].store(device, Ordering::Relaxed);
            object.cells[NUMBER].store(number, Ordering::Relaxed);
            object.cells[SHARED].store(u64::from(shared), Ordering::Relaxed);
            object.cells[OWNER].store(me, Ordering::Relaxed);
            object.set_payload(block);
            arena.commit(block);
            Ok(())
        })
    });
    if hold.is_err() {
        let _ = file.unlock();
    }
    debug_assert!(arena.is_alive(arena::me()));
    hold
}

impl FileLock {
    /// Whether this process took it.
    pub fn is_own(&self) -> bool {
        self.owner == fork::pid()
    }
}

impl Drop for FileLock {
    /// Gives it back, unless this is a child of who took it: what that has open is the same to the kernel.
    fn drop(&mut self) {
        if !self.is_own() {
            return;
        }
        let object = self.hold.object();
        object.cells[OWNER].store(0, Ordering::SeqCst);
        crash_point!("file lock: about to give back");
        // Children that were forked meanwhile have the file open too: closing it would not be enough.
        let _ = self.file.unlock();
        object.events[0].notify_all();
    }
}

/// What reports call the lock.
pub(super) fn wanted(arena: &Arena, object: &Object) -> String {
    let block = object.payload();
    if block == 0 {
        return String::from("a file lock");
    }
    let path = arena.bytes(block + 8, arena.get_word(block));
    format!("the file lock {:?}", String::from_utf8_lossy(path))
}

fn bury(_: &Arena, object: &Object, _: HandleId, dead: SlotRef) {
    let owner = &object.cells[OWNER];
    let _ = owner.compare_exchange(dead.to_bits(), 0, Ordering::SeqCst, Ordering::Relaxed);
    // Also when it was not the holder: it may have been the one that was woken.
    object.events[0].notify_all();
}

/// Tells the arena and the deadlock detector about locks of files.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: kinds::visit_payload,
        destroy: kinds::destroy_payload,
        bury,
    };
    static WAIT: WaitOps = WaitOps {
        noun: "file lock",
        keepers: |arena, object| holder(arena, object).into_iter().collect(),
        ready: |arena, object, _, _, _| holder(arena, object).is_none(),
        enders: |arena, object, _, _, _| {
            holder(arena, object).map_or(Enders::Outside, |holder| Enders::These(vec![holder]))
        },
    };
    kinds::register(ObjectKind::FileLock, &KIND);
    deadlock::register(ObjectKind::FileLock, &WAIT);
}

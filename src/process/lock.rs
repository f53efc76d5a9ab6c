//! Locks: one word in the arena that names the holder.
//!
//! Not a pthread mutex, because a lock of the language is held for as long as a script likes: waiting for it must go
//! through the waiting place, and a death must be told with name and line. The word is enough to know a dead holder,
//! because every process can see who is alive.

use super::deadlock::{self, Enders, WaitOps};
use super::wait::{self, Awaited, Operation, WaitSpec};
use super::{ended, place, record};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, HandleId, Hold, Object, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Field, Result, codes};
use crate::os::clock;
use crate::source::Span;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cell: the holder ([`SlotRef::to_bits`]), 0 when free, or [`DIED`].
const OWNER: usize = 0;
/// Cell: bit 0 says reentrant, the rest is how often the holder has taken it again.
const DEPTH: usize = 1;
/// Cell: where it was taken.
const PLACE: usize = 2;
/// Cell: by whom it was taken there; a holder that died before it could say where is not in here.
const PLACE_OF: usize = 3;
/// Cell: the process object of the holder that died.
const DEAD: usize = 4;
/// Cell: a waiter that has waited for long; nobody else takes the lock before it.
const STARVING: usize = 5;

/// The holder died and nobody has been told yet.
const DIED: u64 = u64::MAX;
/// Nanoseconds after which a waiter asks others to stand back. Before that, whoever is quick takes the lock: handing it
/// over would cost two changes of context for each turn.
const PATIENCE: u64 = 1_000_000;
/// Nanoseconds for which others stand back: the one that asked may have been stopped.
const COURTESY: u64 = 20_000_000;

/// A lock of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    hold: Hold,
}

impl Lock {
    /// A free lock. A reentrant one can be taken again by its holder.
    pub fn new(reentrant: bool) -> Result<Lock> {
        super::start()?;
        let hold = arena::when_full(|| {
            Hold::create(ObjectKind::Lock, |_, object| {
                object.cells[DEPTH].store(u64::from(reentrant), Ordering::Relaxed);
                Ok(())
            })
        })?;
        Ok(Lock { hold })
    }

    /// The lock of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Lock> {
        let hold = Some(id)
            .filter(|id| id.kind == ObjectKind::Lock)
            .and_then(Hold::adopt)?;
        Some(Lock { hold })
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    #[inline]
    fn cell(&self, index: usize) -> &'static AtomicU64 {
        &self.hold.object().cells[index]
    }

    /// Takes it, waiting for at most `timeout` seconds; false when they pass first. `place` is what others are told while
    /// it is held. When the last holder died with it, the error is `OwnerDied`, and the lock is free again.
    pub fn acquire(&self, timeout: Option<f64>, place: Option<Span>) -> Result<bool> {
        if self.try_take(place) {
            return Ok(true);
        }
        self.acquire_slowly(timeout.map(clock::deadline), place, true)
    }

    /// Takes it if nobody has it and nobody has waited for long. No system call.
    #[inline]
    pub fn try_take(&self, place: Option<Span>) -> bool {
        let cells = &self.hold.object().cells;
        let me = arena::me().to_bits();
        if cells[STARVING].load(Ordering::Relaxed) != 0
            || cells[OWNER]
                .compare_exchange(0, me, Ordering::SeqCst, Ordering::Relaxed)
                .is_err()
        {
            return false;
        }
        crash_point!("lock: taken");
        cells[PLACE].store(place::pack_start(place), Ordering::Relaxed);
        cells[PLACE_OF].store(me, Ordering::Release);
        true
    }

    /// `tells`: a death of the last holder is raised here; if not, the lock stays as it is for the next who takes it.
    #[cold]
    fn acquire_slowly(
        &self,
        deadline: Option<u64>,
        place: Option<Span>,
        tells: bool,
    ) -> Result<bool> {
        let me = arena::me().to_bits();
        if self.cell(OWNER).load(Ordering::Relaxed) == me && self.is_reentrant() {
            self.cell(DEPTH).fetch_add(2, Ordering::Relaxed);
            return Ok(true);
        }
        let awaited = [Awaited {
            id: self.id(),
            object: self.hold.object(),
            side: 0,
        }];
        let mut spec = WaitSpec::new(Operation::Lock, &awaited, place);
        spec.deadline = deadline;
        spec.watch_word = Some(self.cell(OWNER));
        let begin = clock::now();
        let result = wait::wait(&spec, || {
            if !tells && self.cell(OWNER).load(Ordering::SeqCst) == DIED {
                return Ok(Some(false));
            }
            Ok(self.try_once(me, begin, place)?.map(|()| true))
        });
        let _ = self
            .cell(STARVING)
            .compare_exchange(me, 0, Ordering::SeqCst, Ordering::Relaxed);
        let taken = result? == Some(true);
        if !taken && !tells {
            // We may be the one that was woken to tell of the death.
            self.hold.object().events[0].notify(1);
        }
        Ok(taken)
    }

    /// One attempt of a waiter.
    fn try_once(&self, me: u64, begin: u64, place: Option<Span>) -> Result<Option<()>> {
        let owner = self.cell(OWNER);
        match owner.load(Ordering::SeqCst) {
            0 if self.is_my_turn(me, begin) => {
                if owner
                    .compare_exchange(0, me, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
                {
                    crash_point!("lock: taken after a wait");
                    self.cell(PLACE)
                        .store(place::pack_start(place), Ordering::Relaxed);
                    self.cell(PLACE_OF).store(me, Ordering::Release);
                    return Ok(Some(()));
                }
            }
            DIED => {
                let error = self.owner_died();
                crash_point!("lock: about to tell of a death");
                if owner
                    .compare_exchange(DIED, 0, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
                {
                    self.hold.object().events[0].notify(1);
                    return Err(error);
                }
            }
            bits => self.look_after(bits),
        }
        if clock::now().saturating_sub(begin) > PATIENCE {
            let starving = self.cell(STARVING);
            let _ = starving.compare_exchange(0, me, Ordering::SeqCst, Ordering::Relaxed);
        }
        Ok(None)
    }

    /// Whether nobody else has waited for so long that it comes first.
    fn is_my_turn(&self, me: u64, begin: u64) -> bool {
        let starving = self.cell(STARVING);
        let first = starving.load(Ordering::SeqCst);
        if first == 0 || first == me {
            return true;
        }
        let lives = SlotRef::from_bits(first)
            .zip(arena::get())
            .is_some_and(|(process, arena)| arena.is_alive(process));
        let over = !lives || clock::now().saturating_sub(begin) > COURTESY;
        if over {
            let _ = starving.compare_exchange(first, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
        over
    }

    /// Buries a dead holder, which marks the lock.
    fn look_after(&self, bits: u64) {
        let (Some(arena), Some(owner)) = (arena::get(), SlotRef::from_bits(bits)) else {
            return;
        };
        if arena.is_alive(owner) {
            return;
        }
        ended::joiner_died(arena, owner);
        if arena.bury(owner, false) {
            // It may have taken a lock that it did not hold (out of inherited memory): then nobody has marked this one.
            mark(self.hold.object(), bits, 0);
        }
    }

    fn owner_died(&self) -> Box<Error> {
        let object = self.hold.object();
        let dead = HandleId::from_bits(object.cells[DEAD].load(Ordering::Acquire));
        let (name, pid) = dead
            .and_then(|id| arena::get()?.object(id))
            .map(record::Record::of)
            .map_or((String::from("a process"), 0), |record| {
                (record.name(), record.pid())
            });
        let place = place::unpack_start(object.cells[PLACE].load(Ordering::Acquire))
            .filter(|_| object.cells[PLACE_OF].load(Ordering::Acquire) != 0);
        let at = place::text(place);
        let mut error = Error::new(
            codes::OWNER_DIED,
            format!("the lock was to be released by {name} (pid {pid}), but that died holding it; it had taken it at {at}"),
        )
        .with_field("name", Field::Text(name.clone()))
        .with_field("pid", Field::Int(i64::from(pid)))
        .with_field("place", Field::Text(at))
        .with_help("the lock is free again: put right what it guards, then take it anew");
        if let Some(span) = place {
            error = error.with_other(span, format!("{name} took the lock here"));
        }
        error
    }

    /// Releases it. An error when this process does not hold it.
    pub fn release(&self) -> Result<()> {
        if self.release_if_held() {
            return Ok(());
        }
        let held = match self.owner() {
            Some(owner) => format!("it is held by {owner}"),
            None => String::from("it is free"),
        };
        Err(Error::new(
            codes::VALUE,
            format!("a lock is released by its holder, but {held}"),
        ))
    }

    /// Releases it if this process holds it, as the end of a `lock` block does (which an error of a condition's wait may
    /// have left without the lock).
    #[inline]
    pub fn release_if_held(&self) -> bool {
        let object = self.hold.object();
        let me = arena::me().to_bits();
        if object.cells[OWNER].load(Ordering::Relaxed) != me {
            return false;
        }
        if object.cells[DEPTH].load(Ordering::Relaxed) > 1 {
            object.cells[DEPTH].fetch_sub(2, Ordering::Relaxed);
            return true;
        }
        object.cells[OWNER].store(0, Ordering::Release);
        crash_point!("lock: released");
        if object.cells[STARVING].load(Ordering::Relaxed) == 0 {
            object.events[0].notify(1);
        } else {
            object.events[0].notify_all();
        }
        true
    }

    /// Releases it however often it was taken, and returns how often that was again; for a condition's wait.
    pub(super) fn release_fully(&self) -> u64 {
        let again = self.cell(DEPTH).fetch_and(1, Ordering::Relaxed) >> 1;
        self.release_if_held();
        again
    }

    /// Takes it back as often as [`Lock::release_fully`] said. When its holder died meanwhile, that is raised if `tells`, or
    /// left to the next who takes it: this process goes on without the lock.
    pub(super) fn retake(&self, again: u64, place: Option<Span>, tells: bool) -> Result<()> {
        if self.try_take(place) || self.acquire_slowly(None, place, tells)? {
            self.cell(DEPTH).fetch_add(again << 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether its holder may take it again.
    pub fn is_reentrant(&self) -> bool {
        self.cell(DEPTH).load(Ordering::Relaxed) & 1 != 0
    }

    /// Whether this process holds it.
    pub fn is_mine(&self) -> bool {
        self.cell(OWNER).load(Ordering::Acquire) == arena::me().to_bits()
    }

    /// Whether anybody holds it.
    pub fn is_locked(&self) -> bool {
        !matches!(self.cell(OWNER).load(Ordering::Acquire), 0 | DIED)
    }

    fn owner(&self) -> Option<String> {
        let bits = self.cell(OWNER).load(Ordering::Acquire);
        let owner = SlotRef::from_bits(bits).filter(|_| bits != DIED)?;
        Some(record::label(arena::get()?, owner))
    }

    /// `<lock free>`, `<lock held by worker-1 (pid 42)>`.
    pub fn show(&self) -> String {
        match self.owner() {
            Some(owner) => format!("<lock held by {owner}>"),
            None => String::from("<lock free>"),
        }
    }
}

/// Marks a lock whose holder is dead: `dead` is the holder's process object, if it is known.
fn mark(object: &Object, owner: u64, dead: u64) {
    if object.cells[OWNER].load(Ordering::SeqCst) != owner {
        return;
    }
    object.cells[DEAD].store(dead, Ordering::Release);
    if object.cells[PLACE_OF].load(Ordering::Acquire) != owner {
        // It died before it could say where.
        object.cells[PLACE_OF].store(0, Ordering::Release);
    }
    object.cells[DEPTH].fetch_and(1, Ordering::Relaxed);
    crash_point!("lock: before the mark");
    let _ = object.cells[OWNER].compare_exchange(owner, DIED, Ordering::SeqCst, Ordering::Relaxed);
}

fn bury(arena: &Arena, object: &Object, _: HandleId, dead: SlotRef) {
    let bits = arena.slot(dead.index).process.load(Ordering::Acquire);
    mark(object, dead.to_bits(), bits);
    let starving = &object.cells[STARVING];
    let _ = starving.compare_exchange(dead.to_bits(), 0, Ordering::SeqCst, Ordering::Relaxed);
    // Also when it was not the holder: it may have been the one that was woken.
    object.events[0].notify(1);
}

/// Tells the arena and the deadlock detector about locks.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: |_, object, visitor| {
            if let Some(id) = HandleId::from_bits(object.cells[DEAD].load(Ordering::Acquire)) {
                visitor.handle(id);
            }
        },
        destroy: kinds::destroy_payload,
        bury,
    };
    static WAIT: WaitOps = WaitOps {
        noun: "lock",
        keepers: deadlock::no_keepers,
        ready: |arena, object, _, _, _| match object.cells[OWNER].load(Ordering::SeqCst) {
            0 | DIED => true,
            bits => !SlotRef::from_bits(bits).is_some_and(|owner| arena.is_alive(owner)),
        },
        enders: |_, object, _, _, _| {
            let owner = SlotRef::from_bits(object.cells[OWNER].load(Ordering::SeqCst));
            owner.map_or(Enders::Outside, |owner| Enders::These(vec![owner]))
        },
    };
    kinds::register(ObjectKind::Lock, &KIND);
    deadlock::register(ObjectKind::Lock, &WAIT);
}

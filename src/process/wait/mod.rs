//! The waiting place: every blocking operation of the language sleeps here and nowhere else.
//!
//! It writes down who waits, for what, since which line and until when, and while it sleeps it looks after everything that
//! can end a wait: the object itself, time, Ctrl-C and cancellation, ended children, the death of whoever is watched, and
//! (after a grace) a deadlock.

mod outside;
mod record;
mod system;

use super::deadlock::{self, Verdict};
use super::flow::{self, Flow, Flowing};
use super::pool::{outlet, reading};
use super::{reaper, scope, signals, tenders, willing};
use crate::arena::object::numbered;
use crate::arena::{self, Arena, HandleId, Object, SlotRef};
use crate::diag::{Error, Field, Result, codes};
use crate::os::futex::{self, Woken, Word};
use crate::os::{clock, cpu};
use crate::source::Span;
pub(super) use outside::program_of;
pub use outside::{Program, outside};
use record::Record;
use std::sync::atomic::{AtomicU64, Ordering};
pub use system::{Attentive, attend, attend_carried, broken_off, open, report, write};
pub(super) use system::{forget_all, has_turn};

numbered! {
    /// What a process can wait in.
    Operation: u32 {
        Lock,
        Acquire,
        WaitEvent,
        WaitCondition,
        WaitBarrier,
        Join,
        Get,
        Put,
        Recv,
        Send,
        Select,
        /// `join q`: until every item is done.
        JoinQueue,
        /// Somebody waits for results of a pool.
        Pool,
        /// The end of a scope or of a process: for the children in it.
        Children,
        /// Time passes: never part of a deadlock.
        Sleep,
        /// A program that runs: never part of a deadlock.
        Outside,
        /// A worker of a pool waits for work.
        Work,
        /// As [`Operation::Get`], by lease.
        Take,
        /// A lock of a file; without objects it is held by a foreign program.
        LockFile,
        /// Another changes a shared object at the moment, and has announced that.
        Turn,
        /// The opening of a named pipe, and reading and writing what others are slow with: never part of a deadlock.
        File,
    }
}

impl Operation {
    /// The construct as the script writes it.
    pub fn words(self) -> &'static str {
        match self {
            Operation::Lock | Operation::LockFile => "lock",
            Operation::Acquire => "acquire",
            Operation::WaitEvent | Operation::WaitCondition | Operation::WaitBarrier => "wait",
            Operation::Join | Operation::JoinQueue => "join",
            Operation::Get => "get",
            Operation::Take => "take",
            Operation::Put => "put",
            Operation::Recv => "recv",
            Operation::Send => "send",
            Operation::Select => "select",
            Operation::Pool | Operation::Work => "pool",
            Operation::Children => "end",
            Operation::Sleep => "sleep",
            Operation::Outside => "program",
            Operation::File => "open",
            Operation::Turn => "update",
        }
    }

    /// Whether only processes of the tree can end it.
    pub fn is_inside(self) -> bool {
        !matches!(
            self,
            Operation::Sleep | Operation::Outside | Operation::File
        )
    }
}

/// An object that is waited for, and at which of its two event words.
#[derive(Clone, Copy)]
pub struct Awaited<'a> {
    /// Its handle.
    pub id: HandleId,
    /// The object.
    pub object: &'a Object,
    /// 0 or 1.
    pub side: usize,
}

/// A wait.
#[derive(Clone, Copy)]
pub struct WaitSpec<'a> {
    /// What the script does.
    pub operation: Operation,
    /// What it waits for: a change of any of these. Empty for time and the outside world.
    pub objects: &'a [Awaited<'a>],
    /// The line that waits.
    pub place: Option<Span>,
    /// The monotonic instant at which it gives up; `None` for never.
    pub deadline: Option<u64>,
    /// The monotonic instant at which it returns as if it gave up, because the caller wants to look at other things and waits anew then:
    /// that ends nothing, so who waits like this can be part of a deadlock.
    pub look_again: Option<u64>,
    /// A process whose death ends the wait or changes it (the holder of a lock, the target of a join): the kernel wakes
    /// us at its death; without it, deaths are found within a slice.
    pub watch: Option<SlotRef>,
    /// The same where it may become another while we wait: a word with the process ([`SlotRef::to_bits`]) or 0.
    pub watch_word: Option<&'a AtomicU64>,
    /// The program that is waited for, for reports.
    pub program: Option<Program<'a>>,
    /// When nobody but processes in the same wait could end it, it is `EndOfStream` for all of them rather than `Deadlock`
    /// for one: for `get` and `recv`.
    pub ends_stream: bool,
    /// Pipes that are served meanwhile.
    pub flow: Option<&'a dyn Flow>,
    /// Where it says that it looks again and again before it sleeps, and until when ([`is_attended`]): who has something for it
    /// need not wake another. Whoever waits so passes on what it does not take itself.
    pub attended: Option<&'a AtomicU64>,
}

impl<'a> WaitSpec<'a> {
    /// A wait without a time-out.
    pub fn new(operation: Operation, objects: &'a [Awaited<'a>], place: Option<Span>) -> Self {
        WaitSpec {
            operation,
            objects,
            place,
            deadline: None,
            look_again: None,
            watch: None,
            watch_word: None,
            program: None,
            ends_stream: false,
            flow: None,
            attended: None,
        }
    }

    /// With a time-out in seconds (as the script counts them); `None` for none. 0 and less does not wait.
    pub fn with_timeout(mut self, seconds: Option<f64>) -> Self {
        // What is as long as the clock goes is no limit: such a wait can be endless, and part of a deadlock.
        let limit = seconds.filter(|&seconds| clock::nanoseconds(seconds) < clock::NEVER);
        self.deadline = limit.map(clock::deadline);
        self
    }
}

/// The first slice of sleeping, after which a deadlock is looked for. A waker that dies between its commit and its call
/// to wake costs its waiters one slice.
const FIRST_SLICE: u64 = 10_000_000;
/// The longest slice: ten looks a second cost a sleeping process nothing that could be measured.
const LAST_SLICE: u64 = 100_000_000;
/// The longest time to spin before sleeping: a sleep and its waking cost about 50 microseconds.
const MOST_SPINNING: u64 = 40_000;
/// The longest for the end of a process: one that does next to nothing has ended after some 100 microseconds, and its parent, that has no
/// sleep to come out of, makes the next by a quarter sooner.
const MOST_SPINNING_FOR_ENDS: u64 = 200_000;
/// The shortest: enough to notice that spinning has become worth while again.
const LEAST_SPINNING: u64 = 2_000;

/// How long this process spins: longer after waits that ended while spinning, shorter after those that did not.
struct Spinning {
    usual: AtomicU64,
    most: u64,
    /// One wait of so many spins as long as any may: who has come down to short spinning would else go on sleeping, though what he waits
    /// for comes soon enough.
    to_probe: u64,
    /// Waits that came to spinning.
    waits: AtomicU64,
}

/// For what other processes bring. The probes take a part of a microsecond for each wait where they are in vain.
static FOR_WORK: Spinning = Spinning {
    usual: AtomicU64::new(MOST_SPINNING / 2),
    most: MOST_SPINNING,
    to_probe: 64,
    waits: AtomicU64::new(1),
};
/// For their ends, which say nothing of how soon they bring something. For each there was a fork, beside which the probes are little; and
/// two processes in a row that a busy machine has held up must not have the next sixty slept for.
static FOR_ENDS: Spinning = Spinning {
    usual: AtomicU64::new(MOST_SPINNING_FOR_ENDS),
    most: MOST_SPINNING_FOR_ENDS,
    to_probe: 4,
    waits: AtomicU64::new(1),
};

/// Waits until `condition` gives something. `Ok(None)`: the deadline, or the time to look again, came first. An error of the condition ends the wait
/// too; other errors are `Interrupted`, `Cancelled`, `Deadlock` and `EndOfStream`.
///
/// The condition is tried at once, so an operation that need not wait costs nothing here. It must not keep an object's
/// mutex between calls.
pub fn wait<T>(
    spec: &WaitSpec<'_>,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    signals::check_urgent()?;
    if let Some(flow) = spec.flow {
        flow.serve(&mut Vec::new())?;
    }
    if let Some(value) = condition()? {
        // A program that was waited for may have printed until its end.
        outlet::settle();
        return Ok(Some(value));
    }
    if spec
        .deadline
        .is_some_and(|deadline| deadline <= clock::now())
    {
        return Ok(None);
    }
    signals::check()?;
    reading::check_wait()?;
    let arena = super::start()?;
    let spinning = match spec.operation {
        Operation::Join => Some(&FOR_ENDS),
        // Whoever has nothing left but to wait for its children is in no hurry.
        Operation::Children => None,
        _ => Some(&FOR_WORK),
    };
    if let Some(spinning) = spinning
        && !spec.objects.is_empty()
        && cpu::can_spin()
        && let Some(value) = spin(spinning, spec.attended, &mut condition)?
    {
        return Ok(Some(value));
    }
    let mut sleep = Sleep {
        since: clock::now(),
        slice: FIRST_SLICE,
        // Asked of this wait, not of those that tenders come to meanwhile.
        willing: willing::begins(),
        flowing: Flowing::new(spec.flow),
    };
    loop {
        // Outside of the record: who tends is not one that waits.
        tenders::tend();
        let record = Record::write(arena, spec, sleep.since);
        if sleep.willing {
            record.tell_willing();
        }
        let slept = sleep.sleep_until(arena, spec, &record, &mut condition);
        drop(record);
        match slept? {
            Slept::Over(value) => {
                outlet::settle();
                return Ok(value);
            }
            Slept::Tend => {}
        }
    }
}

/// How a sleep ended.
enum Slept<T> {
    /// For good.
    Over(Option<T>),
    /// Children ended that somebody looks after: the wait goes on when that is done.
    Tend,
}

/// A wait that has come to sleeping.
struct Sleep<'a> {
    /// When it began.
    since: u64,
    /// How long it sleeps next.
    slice: u64,
    /// Whether it may be asked to collect.
    willing: bool,
    /// The pipes that are served meanwhile.
    flowing: Flowing<'a>,
}

/// Says while it lives that this process looks again and again.
struct Attends<'a> {
    word: &'a AtomicU64,
    until: u64,
}

impl<'a> Attends<'a> {
    fn begin(word: &'a AtomicU64, until: u64) -> Self {
        word.store(until, Ordering::SeqCst);
        Attends { word, until }
    }
}

impl Drop for Attends<'_> {
    fn drop(&mut self) {
        // Another may have come meanwhile.
        let _ = self
            .word
            .compare_exchange(self.until, 0, Ordering::SeqCst, Ordering::Relaxed);
    }
}

/// Whether somebody looks again and again for what was just made true ([`WaitSpec::attended`]). One that dies or is stopped while it
/// does leaves the word up for the microseconds that are left of its time; what comes in these is found by the others after
/// their slice.
pub fn is_attended(word: &AtomicU64) -> bool {
    // As in `EventWord::notify`: either we see that nobody looks any more, or its last look sees what we did.
    cpu::full_fence();
    let until = word.load(Ordering::Relaxed);
    until != 0 && until > clock::now()
}

/// Tries the condition again and again for a short time.
fn spin<T>(
    spinning: &Spinning,
    attended: Option<&AtomicU64>,
    condition: &mut impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let usual = spinning.usual.load(Ordering::Relaxed);
    let probes = spinning
        .waits
        .fetch_add(1, Ordering::Relaxed)
        .is_multiple_of(spinning.to_probe);
    let budget = if probes { spinning.most } else { usual };
    let begin = clock::now();
    let _attends = attended.map(|word| Attends::begin(word, begin + budget));
    let mut pauses = 4;
    loop {
        for _ in 0..pauses {
            std::hint::spin_loop();
        }
        if let Some(value) = condition()? {
            let worth = if probes { clock::now() - begin } else { usual };
            let next = (worth * 2).clamp(LEAST_SPINNING, spinning.most);
            spinning.usual.store(next.max(usual), Ordering::Relaxed);
            return Ok(Some(value));
        }
        if clock::now() - begin > budget {
            if !probes {
                let shorter = (usual / 2).max(LEAST_SPINNING);
                spinning.usual.store(shorter, Ordering::Relaxed);
            }
            return Ok(None);
        }
        pauses = (pauses * 2).min(64);
    }
}

impl Sleep<'_> {
    fn sleep_until<T>(
        &mut self,
        arena: &Arena,
        spec: &WaitSpec<'_>,
        record: &Record<'_>,
        condition: &mut impl FnMut() -> Result<Option<T>>,
    ) -> Result<Slept<T>> {
        let awake = &record.slot.cells[deadlock::AWAKE_CELL];
        loop {
            // Before the condition, which may take what is waited for while the record still tells of a wait.
            awake.store(1, Ordering::SeqCst);
            let (words, count) = words_of(arena, spec, record);
            // First: what the condition gives may be the end of somebody who was told to end as this process was, and then the script
            // would clean up in order until it hears of that in the middle.
            signals::check_told()?;
            self.flowing.serve()?;
            if let Some(value) = condition()? {
                pass_on(arena, spec);
                return Ok(Slept::Over(Some(value)));
            }
            signals::check()?;
            reading::check_wait()?;
            if tenders::have_news() {
                return Ok(Slept::Tend);
            }
            record.check_verdict(spec)?;
            let now = clock::now();
            let mut until = now + self.slice;
            if let Some(end) = spec.deadline.into_iter().chain(spec.look_again).min() {
                if now >= end {
                    return Ok(Slept::Over(None));
                }
                until = until.min(end);
            }
            if let Some(deadline) = scope::nearest_deadline() {
                scope::check_deadline()?;
                until = until.min(deadline.max(now));
            }
            awake.store(0, Ordering::SeqCst);
            if reaper::has_buried() && deadlock::was_told_lately(arena) {
                look_for_deadlock(arena, spec, &words[1..count], false)?;
            }
            let woken = futex::wait(&words[..count], until);
            if self.willing && record.is_asked_to_collect() {
                return Err(willing::leave());
            }
            if record.is_asked_to_look() {
                look_for_deadlock(arena, spec, &words[1..count], true)?;
            } else if woken == Woken::Time {
                self.slice = (self.slice * 2).min(LAST_SLICE);
                reaper::reap();
                if tenders::are_behind() {
                    return Ok(Slept::Tend);
                }
                let for_outside = spec.flow.is_some_and(Flow::can_end_wait);
                if spec.operation.is_inside() && !for_outside && ends_by_itself(spec).is_none() {
                    flow::end_needless_inputs(arena);
                }
                look_for_deadlock(arena, spec, &words[1..count], false)?;
            }
        }
    }
}

/// Wakes the next one at a channel where there is more to do: who was woken for this process left the others asleep.
fn pass_on(arena: &Arena, spec: &WaitSpec<'_>) {
    use Operation::{Get, Put, Recv, Select, Send, Take};
    if !matches!(spec.operation, Get | Put | Recv | Select | Send | Take) {
        return;
    }
    for awaited in spec.objects {
        let event = &awaited.object.events[awaited.side & 1];
        // We ourselves are announced still.
        if event.waiting() > 1 && deadlock::is_ready(arena, awaited, spec.operation) {
            event.notify(1);
        }
    }
}

/// What to sleep on, as it is now: our own word, those of the objects, and the life of who is watched.
fn words_of<'a>(
    arena: &'a Arena,
    spec: &WaitSpec<'a>,
    record: &Record<'a>,
) -> ([Word<'a>; futex::MAX_WORDS], usize) {
    let mut words = [Word {
        word: record.slot.wake.word(),
        seen: record.slot.wake.seen(),
    }; futex::MAX_WORDS];
    let mut count = 1;
    for (word, awaited) in words[1..].iter_mut().zip(spec.objects) {
        let event = &awaited.object.events[awaited.side & 1];
        *word = Word {
            word: event.word(),
            seen: event.seen(),
        };
        count += 1;
    }
    let watched = match spec.watch_word {
        Some(word) => SlotRef::from_bits(word.load(Ordering::SeqCst)),
        None => spec.watch,
    };
    if let Some(watched) = watched
        && count < words.len()
    {
        let life = &arena.slot(watched.index).life;
        if let Some(seen) = life.watch() {
            words[count] = Word {
                word: life.word(),
                seen,
            };
            count += 1;
        }
    }
    (words, count)
}

/// After a slice in which nothing happened. Waits with a time-out, for time and for the outside end by themselves.
///
/// `words` is what this process sleeps on. The search does not know each condition; who was woken since his was tried (and waits for a
/// processor only) may go on, so his is tried first.
fn look_for_deadlock(
    arena: &Arena,
    spec: &WaitSpec<'_>,
    words: &[Word<'_>],
    asked: bool,
) -> Result<()> {
    if ends_by_itself(spec).is_some() || !spec.operation.is_inside() {
        return Ok(());
    }
    match deadlock::look(arena, arena::me(), asked) {
        Some(Verdict::Deadlock(_)) if words.iter().any(Word::has_changed) => Ok(()),
        Some(Verdict::Deadlock(error)) => Err(error),
        Some(Verdict::Collect) => Err(willing::leave()),
        Some(Verdict::StreamEnded) if spec.ends_stream => Err(stream_ended(spec)),
        _ => Ok(()),
    }
}

/// When a wait ends whatever the others do: at its own time-out, or at that of a scope around it.
fn ends_by_itself(spec: &WaitSpec<'_>) -> Option<u64> {
    spec.deadline.or_else(scope::nearest_deadline)
}

fn stream_ended(spec: &WaitSpec<'_>) -> Box<Error> {
    let what = spec
        .objects
        .first()
        .map_or_else(String::new, |awaited| deadlock::noun(awaited.id));
    let mut message = format!("nothing more can come: no other live process holds the {what}");
    let lost = |awaited: &Awaited<'_>| {
        deadlock::lost(arena::get()?, awaited.id, spec.operation, arena::me())
    };
    for lost in spec.objects.iter().filter_map(lost) {
        message += "; ";
        message += &lost;
    }
    Error::new(codes::END_OF_STREAM, message)
}

/// The error of a wait that took too long: `what` names the object (`the queue`), `seconds` is what the script asked for.
pub fn timed_out(operation: Operation, what: &str, seconds: f64) -> Box<Error> {
    Error::new(
        codes::TIMEOUT,
        format!(
            "`{}` of {what} was to end within {seconds} s, but it took longer",
            operation.words()
        ),
    )
    .with_field("seconds", Field::Float(seconds))
}

/// The error of [`timed_out`] in one of several waits that had `seconds` together: it tells what the script asked for and not
/// what was left.
pub fn timed_out_together(mut error: Box<Error>, seconds: f64) -> Box<Error> {
    for (name, field) in &mut error.fields {
        if let ("seconds", Field::Float(left)) = (&**name, &mut *field)
            && error.message.starts_with('`')
        {
            let (old, new) = (format!("within {left} s"), format!("within {seconds} s"));
            error.message = error.message.replacen(&old, &new, 1);
            *left = seconds;
        }
    }
    error
}

/// Wakes a process that may be in the waiting place, whatever it waits for: it looks at its condition again.
pub fn wake_process(arena: &Arena, process: SlotRef) {
    let wake = &arena.slot(process.index).wake;
    wake.touch();
    futex::wake(wake.word(), u32::MAX);
}

/// `sleep(seconds)`: ends early only by an error.
pub fn sleep(seconds: f64, place: Option<Span>) -> Result<()> {
    let spec = WaitSpec::new(Operation::Sleep, &[], place).with_timeout(Some(seconds));
    wait(&spec, || Ok(None::<()>)).map(|_| ())
}

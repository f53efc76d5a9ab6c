//! Programs (no processes of Par) that this process started: how they end, and that nothing of them stays behind.
//!
//! Programs that are started together, as the stages of a pipeline, are one *job*. A job belongs to the process that
//! started it: a foreground job until the call that runs it returns, a spawned one until it has ended, and then its end is
//! written into its process object for everybody who holds it. How jobs are ended is in `ending`, what they leave running is `sweep`'s to judge, and
//! [`guardian`] ends everything when the main process itself is killed.

mod ending;
pub mod guardian;
mod mark;
mod pipe;
mod sweep;

use super::record::{DAEMON, OUT_OF_TIME, PASSED, PROGRAM, Record, SIGNALLED, Status};
use super::scope;
use super::spawn::{self, Process};
use crate::arena::{self, Hold};
use crate::diag::Result;
use crate::os::alarm::{self, Setter};
use crate::os::clock;
use crate::os::fork::{self, WaitStatus};
use crate::os::poll::Interest;
use crate::os::program::Started;
use crate::os::tree;
use crate::source::Span;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

pub use ending::end;
pub(super) use ending::{begin_line, end_all, interrupt_all};
pub use mark::{Mark, VARIABLE};
pub use pipe::Pipe;
pub(super) use sweep::{end_strays, settle};

/// Seconds between SIGTERM and SIGKILL for what is ended: enough to remove temporary files, too short to be noticed.
pub const GRACE: f64 = 0.2;
/// How many jobs that were killed are remembered, for what they left behind and shows up late.
const REMEMBERED: usize = 4096;

/// A job of this process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct JobId(u64);

/// How programs that run in the background are to be judged.
#[derive(Clone, Debug, Default)]
pub struct Background {
    /// The codes that each stage may leave with.
    pub allowed: Vec<Vec<i32>>,
    /// What messages call each stage; none for a program alone, which has the name of the whole.
    pub stages: Vec<String>,
    /// Whether the innermost scope waits for it.
    pub in_scope: bool,
    /// Seconds that it may take, for messages.
    pub seconds: Option<f64>,
}

struct Program {
    started: Started,
    status: Option<WaitStatus>,
}

struct Job {
    /// The thread that started it: a host program may have an engine in each, and the end of one is not that of others.
    thread: ThreadId,
    programs: Vec<Program>,
    /// No key of our terminal reaches it.
    is_apart: bool,
    /// We ended it: so is what it left.
    killed: bool,
    /// When it is ended, or killed once it was told to end (monotonic nanoseconds).
    deadline: Option<u64>,
    /// Its time was over before it had ended. SIGTERM was sent: the next is SIGKILL.
    late: bool,
    /// Until when it has time to clean up, because it was told to end (monotonic nanoseconds).
    obeys: u64,
    /// The script has closed what the last of it writes.
    unread: bool,
    /// For spawned ones.
    spawned: Option<Spawned>,
}

struct Spawned {
    hold: Hold,
    allowed: Vec<Vec<i32>>,
    stages: Vec<String>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<JobId, Job>,
    last: u64,
    /// Jobs that are gone and that were killed.
    killed: VecDeque<JobId>,
    /// Strays that may stay until this process ends, or until the job that they came from is killed.
    tolerated: HashMap<i32, Option<JobId>>,
    /// Strays that could not be asked whose they are: how often that was tried, and when it is tried again (monotonic
    /// nanoseconds).
    doubtful: HashMap<i32, (u32, u64)>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
/// Whether this process has ever started a program, or one that others had started has come to it: before that there is nothing to
/// look for.
static USED: AtomicBool = AtomicBool::new(false);

fn with<T>(body: impl FnOnce(&mut State) -> T) -> T {
    let mut guard = match STATE.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    };
    body(guard.get_or_insert_default())
}

/// In a new child: it has started none.
pub(super) fn forget_all() {
    if USED.swap(false, Ordering::Relaxed) {
        pipe::lose_all();
        // Not dropped: see the reaper. Numbers are not given again, because values of the parent still name jobs.
        let old = with(|state| {
            let last = state.last;
            let empty = State {
                last,
                ..State::default()
            };
            std::mem::replace(state, empty)
        });
        std::mem::forget(old);
    }
}

/// Whether there may be programs to look after.
pub(super) fn used() -> bool {
    USED.load(Ordering::Relaxed)
}

/// Whether a process is a program of this process, or the guardian.
pub(super) fn is_program(pid: i32) -> bool {
    used() && (guardian::is(pid) || with(|state| state.knows(pid)))
}

/// A stray has ended and was waited for: its number may come again, and what it left behind comes now.
pub(super) fn forget_stray(pid: i32) {
    USED.store(true, Ordering::Relaxed);
    with(|state| {
        state.tolerated.remove(&pid);
        state.doubtful.remove(&pid);
    });
}

/// Begins a job; with the marks that its programs must carry. At `deadline` (monotonic nanoseconds) it is ended, whatever this
/// process is at. `is_apart`: in a session of its own.
///
/// # Errors
/// There is no room for the arena.
pub fn begin(deadline: Option<u64>, is_apart: bool) -> Result<(JobId, Mark)> {
    let arena = super::start()?;
    USED.store(true, Ordering::Relaxed);
    guardian::ensure();
    let job = with(|state| {
        state.last += 1;
        let job = JobId(state.last);
        let begun = Job {
            thread: thread::current().id(),
            programs: Vec::new(),
            is_apart,
            killed: false,
            obeys: 0,
            deadline,
            late: false,
            unread: false,
            spawned: None,
        };
        state.jobs.insert(job, begun);
        job
    });
    let around = std::env::var(VARIABLE).ok();
    let mark = Mark::new(guardian::tree(arena), fork::pid(), job, around.as_deref());
    Ok((job, mark))
}

/// Notes a program that was started.
pub fn add(job: JobId, started: Started) {
    with(|state| {
        if let Some(job) = state.jobs.get_mut(&job) {
            let status = None;
            job.programs.push(Program { started, status });
        }
    });
    set_alarm();
}

/// How the programs of a job have ended, those that have, in order.
pub fn statuses(job: JobId) -> Vec<Option<WaitStatus>> {
    look();
    with(|state| match state.jobs.get(&job) {
        Some(job) => job.programs.iter().map(|program| program.status).collect(),
        None => Vec::new(),
    })
}

/// Whether the time of a job was over before it had ended.
pub fn is_late(job: JobId) -> bool {
    with(|state| state.jobs.get(&job).is_some_and(|job| job.late))
}

/// Whether it is known that all programs of a job have ended, or that its time is over.
pub fn is_known_over(job: JobId) -> bool {
    with(|state| {
        let job = state.jobs.get(&job);
        job.is_none_or(|job| job.late || job.is_over())
    })
}

/// What tells that programs of a job have ended, for those that have not.
pub fn interests(job: JobId) -> Vec<Interest> {
    with(|state| match state.jobs.get(&job) {
        Some(job) => job.interests(),
        None => Vec::new(),
    })
}

/// Whether no program of a job that runs hears Ctrl-C.
pub fn ignore_interrupt(job: JobId) -> bool {
    let open: Vec<i32> = with(|state| {
        let job = state.jobs.get(&job);
        job.map_or_else(Vec::new, |job| {
            job.open().map(|program| program.started.pid).collect()
        })
    });
    !open.is_empty() && open.iter().all(|&pid| tree::ignores(pid, libc::SIGINT))
}

/// The script reads no more of what a job writes: who dies of that has not failed.
pub fn note_unread(job: JobId) {
    with(|state| {
        if let Some(job) = state.jobs.get_mut(&job) {
            job.unread = true;
        }
    });
}

/// How many programs of a job are known to have ended.
pub fn known_ends(job: JobId) -> usize {
    with(|state| {
        let job = state.jobs.get(&job);
        job.map_or(0, |job| job.programs.len() - job.open().count())
    })
}

impl Job {
    fn is_own(&self) -> bool {
        self.thread == thread::current().id()
    }

    fn interests(&self) -> Vec<Interest> {
        let open = self.open();
        open.map(|program| Interest::Readable(program.started.ended.as_raw_fd()))
            .collect()
    }

    fn open(&self) -> impl Iterator<Item = &Program> {
        self.programs
            .iter()
            .filter(|program| program.status.is_none())
    }

    fn is_over(&self) -> bool {
        self.open().next().is_none()
    }

    /// How many of its programs, from the first on, have readers that may have enough.
    fn read_by_others(&self) -> usize {
        self.programs.len() - usize::from(!self.unread && !self.programs.is_empty())
    }

    /// Whether a program of it died by a signal that is news: not by SIGPIPE, because its reader had enough.
    fn died(&self) -> bool {
        let readers = self.read_by_others();
        let mut all = self.programs.iter().enumerate();
        all.any(|(at, program)| match program.status {
            Some(WaitStatus::Signalled(number)) => at >= readers || number != libc::SIGPIPE,
            _ => false,
        })
    }
}

/// Ends a foreground job's time in the table. Everything of it must have ended.
pub fn forget(job: JobId) {
    look();
    with(|state| state.strike(job));
    settle(false);
}

/// Ends what a job has left behind that ended in order.
pub fn end_rest(job: JobId) {
    with(|state| state.condemn(job));
    settle(false);
}

impl State {
    fn strike(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        for program in &job.programs {
            fork::wait_for(program.started.pid, false);
        }
        if job.killed || job.died() {
            self.condemn(id);
        }
    }

    /// What is left of a job may not stay.
    fn condemn(&mut self, id: JobId) {
        self.killed.push_back(id);
        self.tolerated.retain(|_, job| *job != Some(id));
        if self.killed.len() > REMEMBERED {
            self.killed.pop_front();
        }
    }

    /// The jobs of this thread.
    fn own_jobs(&self) -> Vec<JobId> {
        let own = self.jobs.iter().filter(|(_, job)| job.is_own());
        own.map(|(&id, _)| id).collect()
    }

    /// Whether a job runs in the group of this process.
    fn is_foreground(&self, id: JobId) -> bool {
        let job = self.jobs.get(&id);
        job.is_some_and(|job| job.spawned.is_none() && !job.is_apart)
    }

    fn is_killed(&self, id: JobId) -> bool {
        self.killed.contains(&id) || self.jobs.get(&id).is_some_and(|job| job.killed)
    }
}

/// The process object of a program that is to run in the background and is not started: it has no pid and is not alive.
///
/// # Errors
/// There is no room for another process object.
pub fn prepare(name: &str, place: Option<Span>) -> Result<Process> {
    super::start()?;
    let own = spawn::current()?.id();
    let flags = DAEMON | PROGRAM;
    let hold = arena::when_full(|| Record::create(name, flags, place, Some(own)))?;
    Ok(Process::of_hold(hold))
}

/// Makes a job one that runs in the background as `process`, which [`prepare`] made in this process. It runs in a group of its own,
/// whose leader is its first program.
pub fn hand_over(job: JobId, background: Background, process: &Process) {
    let hold = process.hold().clone();
    let leader = with(|state| {
        let job = state.jobs.get_mut(&job)?;
        job.spawned = Some(Spawned {
            hold,
            allowed: background.allowed,
            stages: background.stages,
        });
        job.programs.first().map(|program| program.started.pid)
    });
    let record = Record::of(process.hold().object());
    if let Some(seconds) = background.seconds {
        record.note_limit(seconds);
    }
    record.note_program(leader.unwrap_or(0), arena::me());
    if background.in_scope {
        scope::note_program(process);
    }
}

/// Takes the ends of programs. True when some died by a signal.
pub(super) fn reap() -> bool {
    if !used() {
        return false;
    }
    look();
    let now = clock::now();
    let mut late = Vec::new();
    let mut sealed = Vec::new();
    let died = with(|state| {
        let mut over = Vec::new();
        for (&id, job) in &mut state.jobs {
            if job.is_over() {
                over.extend(job.spawned.is_some().then_some(id));
            } else if job.deadline.is_some_and(|deadline| deadline <= now) {
                late.push((id, job.next_signal(now)));
            }
        }
        for &id in &over {
            sealed.extend(state.jobs.get(&id).and_then(Job::verdict));
            state.strike(id);
        }
        over.iter().any(|&id| state.is_killed(id))
    });
    for (job, signal) in &late {
        sweep::signal_job(*job, *signal);
    }
    set_alarm();
    for verdict in sealed {
        seal(verdict);
    }
    died
}

impl Job {
    /// Its time is over: what it is sent now, and the time until the next.
    fn next_signal(&mut self, now: u64) -> i32 {
        let signal = match self.late {
            false => libc::SIGTERM,
            true => libc::SIGKILL,
        };
        (self.late, self.killed) = (true, true);
        self.deadline = Some(now.saturating_add(clock::nanoseconds(GRACE)));
        if let Some(spawned) = &self.spawned {
            Record::of(spawned.hold.object()).flag(OUT_OF_TIME | SIGNALLED);
        }
        signal
    }

    /// How a spawned job that is over has ended as a whole.
    fn verdict(&self) -> Option<Verdict> {
        let spawned = self.spawned.as_ref()?;
        let statuses: Vec<WaitStatus> = self.programs.iter().filter_map(|p| p.status).collect();
        let failed = first_failure(&statuses, &spawned.allowed, self.read_by_others());
        let status = failed
            .and_then(|at| statuses.get(at))
            .or(statuses.last())
            .copied()
            .unwrap_or(WaitStatus::Exited(0));
        let stage = |at: usize| Some((at, spawned.stages.get(at)?));
        let stage = failed.and_then(stage).map(|(at, stage)| {
            let count = spawned.stages.len();
            format!("`{stage}` (stage {} of {count})", at + 1)
        });
        Some(Verdict {
            hold: spawned.hold.clone(),
            status,
            stage,
            passed: failed.is_none(),
        })
    }
}

/// The first stage that failed. One of the first `readers`, whose output goes to somebody who may have enough, has not when it dies
/// of that.
pub fn first_failure(
    statuses: &[WaitStatus],
    allowed: &[Vec<i32>],
    readers: usize,
) -> Option<usize> {
    statuses.iter().enumerate().position(|(at, status)| {
        let unread = at < readers;
        match *status {
            WaitStatus::Exited(code) => {
                let may = allowed.get(at).is_some_and(|codes| codes.contains(&code));
                // A shell tells in this way that what it ran died of it.
                code != 0 && !may && !(unread && code == 128 + libc::SIGPIPE)
            }
            WaitStatus::Signalled(number) => !(unread && number == libc::SIGPIPE),
        }
    })
}

/// How a spawned job has ended.
struct Verdict {
    /// Its process object.
    hold: Hold,
    status: WaitStatus,
    /// How messages name the stage that failed.
    stage: Option<String>,
    /// Whether that is well.
    passed: bool,
}

fn seal(verdict: Verdict) {
    let Verdict {
        hold,
        status,
        stage,
        passed,
    } = verdict;
    let Some(arena) = arena::get() else {
        return;
    };
    let record = Record::of(hold.object());
    if passed {
        record.flag(PASSED);
    }
    let status = match status {
        WaitStatus::Exited(code) => Status::Exited(code),
        WaitStatus::Signalled(number) => Status::Killed(number),
    };
    // Without room for the name of what failed, the whole is named.
    let text = stage.and_then(|stage| arena.write_message(stage.as_bytes(), &[]).ok());
    record.seal(arena, status, text.unwrap_or(0));
    scope::note_bad_end();
    if super::reaper::is_news(&record) {
        super::reaper::note_failure(hold);
    }
}

/// Looks which programs have ended. They stay to be waited for until their whole job is over, so that the number of a group
/// is not given away while it may be signalled.
fn look() {
    let open: Vec<i32> = with(|state| {
        let programs = state.jobs.values().flat_map(Job::open);
        programs.map(|program| program.started.pid).collect()
    });
    for pid in open {
        let Some(status) = fork::peek_end(pid) else {
            continue;
        };
        with(|state| {
            let programs = state.jobs.values_mut().flat_map(|job| &mut job.programs);
            for program in programs.filter(|program| program.started.pid == pid) {
                program.status = Some(status);
            }
        });
    }
}

/// Sets the alarm for the job whose time is over first, or for strays that are to be asked again.
fn set_alarm() {
    let next = with(|state| {
        let open = state.jobs.values().filter(|job| !job.is_over());
        let doubts = state.doubtful.values().map(|(_, next)| *next);
        let deadlines = open.filter_map(|job| job.deadline);
        deadlines.chain(doubts).min()
    });
    alarm::set(Setter::Programs, next);
}

/// The spawned programs that run, oldest first.
pub(super) fn running() -> Vec<Hold> {
    with(|state| {
        let own = state.jobs.values().filter(|job| job.is_own());
        let spawned = own.filter_map(|job| job.spawned.as_ref());
        spawned.map(|spawned| spawned.hold.clone()).collect()
    })
}

/// Sends a signal to the group of a spawned job of this process; false when it is over.
pub(super) fn signal_spawned(hold: &Hold, signal: i32) -> bool {
    look();
    let leaders: Vec<i32> = with(|state| {
        let mut jobs = state.jobs.values();
        let job = jobs.find(|job| job.spawned.as_ref().is_some_and(|s| s.hold == *hold));
        let job = job.filter(|job| !job.is_over());
        let programs = job.map_or(&[][..], |job| &job.programs);
        // In sessions of their own each stage has its group, else the first has that of all.
        let count = if job.is_some_and(|job| job.is_apart) {
            programs.len()
        } else {
            1
        };
        programs
            .iter()
            .take(count)
            .map(|program| program.started.pid)
            .collect()
    });
    let sent = leaders
        .iter()
        .filter(|&&leader| fork::send_signal_to_group(leader, signal));
    sent.count() > 0
}

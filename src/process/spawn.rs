//! Processes: making them, and what one can ask of and do to them.

use super::deadlock::{self, Enders, WaitOps};
use super::ended::Ended;
use super::record::{
    self, DAEMON, ENDED, ITSELF, OUT_OF_TIME, PROGRAM, Record, SIGNALLED, STARTED, Status, WORKER,
};
use super::wait::Awaited;
use super::{finish, flow, pool, programs, reaper, scope, signals, tenders};
use crate::arena::kinds::{self, KindOps};
use crate::arena::{self, Arena, HandleId, Hold, ObjectKind, SlotRef};
use crate::crash_point;
use crate::diag::{Error, Result, codes};
use crate::os::fork::{self, Side, WaitStatus};
use crate::os::signal;
use crate::os::title::Title;
use crate::source::Span;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that travel, and the handles in them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Message {
    /// The encoded value.
    pub bytes: Vec<u8>,
    /// Every handle inside.
    pub handles: Vec<HandleId>,
    /// How many functions and how many structs of the program a process must know to read it: the newest in it, and one.
    pub code: [u32; 2],
}

impl Message {
    /// Whoever reads it must know so many functions and structs, too.
    pub fn need(&mut self, code: [u32; 2]) {
        for (needed, other) in self.code.iter_mut().zip(code) {
            *needed = other.max(*needed);
        }
    }
}

/// What the function of a child came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChildOutcome {
    /// A value, encoded.
    Returned(Message),
    /// An error, encoded.
    Raised(Message),
    /// `exit(code)`; the low 8 bits count.
    Exited(i32),
}

/// How a child comes into being.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Method {
    /// A copy of this process.
    #[default]
    Fork,
    /// A fresh interpreter.
    Spawn,
    /// A copy of a process kept clean for that.
    ForkServer,
}

impl Method {
    /// The method of a name that a script wrote.
    pub fn named(name: &str) -> Result<Method> {
        match name {
            "fork" => Ok(Method::Fork),
            "spawn" => Ok(Method::Spawn),
            "forkserver" => Ok(Method::ForkServer),
            _ => Err(Error::new(
                codes::VALUE,
                format!(
                    "a start method is \"fork\", \"spawn\" or \"forkserver\", but this is {name:?}"
                ),
            )),
        }
    }
}

/// What `spawn(...)` was told.
#[derive(Clone, Debug, Default)]
pub struct SpawnSpec {
    /// Its name; `Process-1` and so on without one.
    pub name: Option<String>,
    /// Ended with its parent instead of waited for.
    pub daemon: bool,
    /// It works for a pool.
    pub worker: bool,
    /// How it comes into being.
    pub method: Method,
    /// The line that spawns it.
    pub place: Option<Span>,
}

/// A process of the tree, or one that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    hold: Hold,
}

/// Counts the children of this process, those with a name of their own too: the second child is `Process-2`.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// What changes when this process makes a child, and in the child: what was made at another value of it, a second process has as well.
pub fn family() -> (i32, u64) {
    (fork::pid(), NUMBERED.load(Ordering::Relaxed))
}

/// Prepares a process that is not started: it has no pid and is not alive.
pub fn prepare(spec: &SpawnSpec) -> Result<Process> {
    super::start()?;
    if spec.method != Method::Fork {
        return Err(Error::new(
            codes::NOT_SUPPORTED,
            format!(
                "the start method \"fork\" is supported, but this is {:?}",
                spec.method
            )
            .to_lowercase(),
        )
        .with_help("leave `method:` out"));
    }
    let number = NUMBERED.fetch_add(1, Ordering::Relaxed) + 1;
    let name = match &spec.name {
        Some(name) => name.clone(),
        None => match current()? {
            parent if parent.is_main() => format!("Process-{number}"),
            parent => format!("{}:{number}", parent.name()),
        },
    };
    let flags = if spec.daemon { DAEMON } else { 0 } | if spec.worker { WORKER } else { 0 };
    let own = current()?.id();
    let hold = arena::when_full(|| Record::create(&name, flags, spec.place, Some(own)))?;
    Ok(Process { hold })
}

/// Prepares a process and starts it. `holds` are the handles in what it captured and was given; `body` runs in it.
pub fn spawn(
    spec: &SpawnSpec,
    holds: &[HandleId],
    body: impl FnOnce() -> ChildOutcome,
) -> Result<Process> {
    let process = prepare(spec)?;
    process.start(holds, body)?;
    Ok(process)
}

impl Process {
    /// Starts a process that [`prepare`] made: forks, and runs `body` in the child, which never returns from here.
    pub fn start(&self, holds: &[HandleId], body: impl FnOnce() -> ChildOutcome) -> Result<()> {
        let arena = super::start()?;
        let me = arena::me();
        let record = self.record();
        self.is_of_this_process()?;
        if record.flags() & STARTED != 0 {
            return Err(Error::new(
                codes::VALUE,
                format!(
                    "a process is started once, but {} was started before",
                    self.name()
                ),
            ));
        }
        reaper::reap();
        if !self.daemon() {
            scope::wait_for_room(record.place())?;
        }
        let slot = claim_slot(arena, me)?;
        arena
            .slot(slot.index)
            .process
            .store(self.id().to_bits(), Ordering::Release);
        for &id in holds {
            arena.hold_bit(slot, id);
        }
        record.note_start(arena, slot, me);
        let title = Title::new(&self.name());
        crash_point!("spawn: prepared");
        let parent_pid = fork::pid();
        // What the child prints comes behind what programs have printed before.
        pool::outlet::settle();
        // The child must not write it once more.
        super::held::write_out();
        let blocked = signal::AllBlocked::new();
        match fork::fork() {
            Ok(Side::Parent(pid)) => {
                crash_point!("spawn: forked");
                record.note_pid(pid);
                arena.slot(slot.index).pid.store(pid, Ordering::Release);
                reaper::note_child(pid, slot, self.hold.clone());
                scope::note_started(self);
                drop(blocked);
                Ok(())
            }
            Ok(Side::Child) => {
                self.become_child(slot, parent_pid, &title);
                drop(blocked);
                finish::run_child(self, body)
            }
            Err(error) => {
                arena.abandon_slot(slot);
                record.seal(arena, Status::Exited(1), 0);
                Err(error)
            }
        }
    }

    /// An error unless this process made it: nobody else starts it.
    ///
    /// # Errors
    /// Another process made it.
    pub fn is_of_this_process(&self) -> Result<()> {
        match self.record().parent_object() == Some(current()?.id()) {
            true => Ok(()),
            false => Err(Error::new(
                codes::VALUE,
                "a process is started by the one that made it, but this is another",
            )),
        }
    }

    /// The first steps of a child, before anything of the script runs in it.
    fn become_child(&self, slot: SlotRef, parent_pid: i32, title: &Title) {
        fork::die_with_parent();
        // If the parent died before the line above, nobody will kill us: leave.
        if fork::parent_pid() != parent_pid || !arena::become_process(slot) {
            fork::leave(1);
        }
        crash_point!("spawn: alive");
        signal::forget_pending();
        // Who cancels a process that has no process id yet has nothing to send a signal to.
        let slot_of = |arena: &'static Arena| arena.slot(slot.index);
        if arena::get()
            .map(slot_of)
            .is_some_and(|slot| slot.cancelled.load(Ordering::SeqCst) != 0)
        {
            signal::raise_flag(signal::CANCELLED);
        }
        signal::leave_interrupt_to_main();
        reaper::forget_all();
        scope::forget_all();
        signals::forget_all();
        tenders::forget_all();
        flow::forget_all();
        pool::reading::forget_all();
        pool::outlet::forget_all();
        NUMBERED.store(0, Ordering::Relaxed);
        self.record().note_pid(fork::pid());
        title.show();
    }

    pub(super) fn record(&self) -> Record<'static> {
        Record::of(self.hold.object())
    }

    /// The handle.
    pub fn id(&self) -> HandleId {
        self.hold.id()
    }

    /// The process of a handle that came in a message.
    pub fn from_id(id: HandleId) -> Option<Process> {
        let hold = Some(id)
            .filter(|id| id.kind == ObjectKind::Process)
            .and_then(Hold::adopt)?;
        Some(Process { hold })
    }

    /// The process of a hold on a process object.
    pub(super) fn of_hold(hold: Hold) -> Process {
        Process { hold }
    }

    pub(super) fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Its process id; `None` before it is started.
    pub fn pid(&self) -> Option<i32> {
        Some(self.record().pid()).filter(|&pid| pid != 0)
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.record().name()
    }

    /// Whether it ends with its parent.
    pub fn daemon(&self) -> bool {
        self.record().flags() & DAEMON != 0
    }

    /// Whether it was started.
    pub fn started(&self) -> bool {
        self.record().flags() & STARTED != 0
    }

    /// The line that spawned it.
    pub fn place(&self) -> Option<Span> {
        self.record().place()
    }

    fn is_main(&self) -> bool {
        self.record().parent_object().is_none()
    }

    /// The process that spawned it; `None` for the main process.
    pub fn parent(&self) -> Option<Process> {
        Process::from_id(self.record().parent_object()?)
    }

    /// Whether it was started and has not ended.
    pub fn alive(&self) -> bool {
        self.started() && self.ended().is_none()
    }

    /// `nil` while it runs, then 0, a positive code, or minus the number of a signal.
    pub fn exitcode(&self) -> Option<i32> {
        self.ended().map(|ended| ended.exitcode())
    }

    /// How it ended; `None` while it has not. Does not wait, and does not count as having looked after it.
    pub fn ended(&self) -> Option<Ended> {
        if self.record().status() == Status::Open && self.started() {
            self.find_end();
        }
        if self.is_leaving_badly() {
            return None;
        }
        Ended::of(&self.hold)
    }

    /// Whether it is a child of ours that has told of its failure and is not buried yet. Its death does things to objects (it
    /// gives back what it had in its hands, it breaks a barrier): whoever knows of its end must find them done.
    fn is_leaving_badly(&self) -> bool {
        let record = self.record();
        if matches!(
            record.status(),
            Status::Open | Status::Returned | Status::Exited(0)
        ) || record.parent() != Some(arena::me())
            || self.is_gone()
        {
            return false;
        }
        let Some(slot) = record.slot() else {
            // A program, which holds nothing.
            return false;
        };
        reaper::reap_dead(slot);
        !self.is_gone()
    }

    /// Whether it was started and has been buried: what it held or had in its hands is free, or is back where it was.
    pub fn is_gone(&self) -> bool {
        let slot = self.record().slot();
        match (arena::get(), slot) {
            (Some(arena), Some(slot)) => arena.is_buried(slot),
            _ => false,
        }
    }

    /// Whether it is a program, not a process of Par.
    pub fn is_program(&self) -> bool {
        self.record().flags() & PROGRAM != 0
    }

    /// The error that `join` raises for an end without a value or an error of its own.
    pub fn end_error(&self, ended: &Ended) -> Option<Box<Error>> {
        let (name, pid) = (self.name(), self.pid().unwrap_or(0));
        match self.is_program() {
            true => {
                let record = self.record();
                let limit = (record.flags() & OUT_OF_TIME != 0).then(|| record.limit());
                let what = match self.failed_stage() {
                    Some(stage) if limit.is_none() => stage,
                    _ => format!("`{name}` (pid {pid})"),
                };
                ended.program_error(&what, &name, pid, limit)
            }
            false => ended.error(&name, pid),
        }
    }

    /// How messages name the stage of a pipeline that failed.
    fn failed_stage(&self) -> Option<String> {
        let (arena, block) = (arena::get()?, self.record().result());
        (block != 0).then(|| String::from_utf8_lossy(arena.message_bytes(block)).into_owned())
    }

    /// Looks whether a program has ended: the process that started it says how, unless it is dead; then the kernel has
    /// killed the program with it.
    fn find_program_end(&self) {
        let record = self.record();
        let (Some(arena), Some(owner)) = (arena::get(), record.parent()) else {
            return;
        };
        if owner == arena::me() {
            reaper::reap();
        } else if !arena.is_alive(owner) {
            record.seal(arena, Status::Killed(libc::SIGKILL), 0);
        }
    }

    /// Looks whether it died without a word.
    pub(super) fn find_end(&self) {
        if self.is_program() {
            return self.find_program_end();
        }
        let (Some(arena), Some(slot)) = (arena::get(), self.record().slot()) else {
            return;
        };
        let record = self.record();
        if record.parent() == Some(arena::me()) {
            if !arena.has_life(slot) {
                reaper::reap();
            }
            return;
        }
        if arena.is_alive(slot) {
            return;
        }
        // Its parent will say how it ended, but may be busy or stopped; so we look ourselves. If the parent is dead
        // too, it was killed with it.
        let status = match fork::zombie_status(record.pid()) {
            Some(WaitStatus::Exited(code)) => Status::Exited(code),
            Some(WaitStatus::Signalled(number)) => Status::Killed(number),
            None if record.parent().is_some_and(|parent| arena.is_alive(parent)) => return,
            None => Status::Killed(libc::SIGKILL),
        };
        if record.status() == Status::Open {
            record.seal(arena, status, 0);
        }
    }

    /// Bytes of memory that it had at most, those included that it shared with others; `None` until it has ended and its parent knows.
    pub fn peak_memory(&self) -> Option<u64> {
        self.record().peak()
    }

    /// What a wait for its end waits for, for `select` and others that wait for several things.
    pub fn awaited(&self) -> Awaited<'static> {
        Awaited {
            id: self.id(),
            object: self.hold.object(),
            side: ENDED,
        }
    }

    /// Sends a signal to a program, and to all that runs in its group.
    fn signal_program(&self, number: i32) -> bool {
        let (Some(arena), Some(leader)) = (arena::get(), self.pid()) else {
            return false;
        };
        if !self.alive() {
            return false;
        }
        self.record().flag(SIGNALLED);
        if self.record().parent() == Some(arena::me()) {
            return programs::signal_spawned(&self.hold, number);
        }
        // Its owner waits for it only when its end is sealed: while it is open, the number of its group is its own.
        let open = || self.record().status() == Status::Open;
        let owner = self.record().parent();
        open()
            && owner.is_some_and(|owner| arena.is_alive(owner))
            && fork::send_signal_to_group(leader, number)
    }

    /// Sends it a signal by number; false when it is not alive.
    pub fn signal(&self, number: i32) -> bool {
        if self.is_program() {
            return self.signal_program(number);
        }
        let (Some(arena), Some(slot), Some(pid)) = (arena::get(), self.record().slot(), self.pid())
        else {
            return false;
        };
        if !self.alive() {
            return false;
        }
        self.record().flag(match slot == arena::me() {
            true => SIGNALLED | ITSELF,
            false => SIGNALLED,
        });
        if self.record().parent() == Some(arena::me()) {
            // Our own child keeps its pid until we have waited for it.
            return fork::send_signal(pid, number);
        }
        fork::send_signal_pinned(pid, number, || arena.is_alive(slot))
    }

    /// SIGTERM, and SIGCONT behind it: in a stopped process SIGTERM would wait for that.
    pub fn terminate(&self) -> bool {
        let sent = self.signal(libc::SIGTERM);
        if sent {
            self.signal(libc::SIGCONT);
        }
        sent
    }

    /// SIGKILL.
    pub fn kill(&self) -> bool {
        self.signal(libc::SIGKILL)
    }

    /// Waits until a child of this process that was killed is gone. This is no wait of a script: nothing is raised in it, and nobody
    /// is looked after meanwhile, so what is dropped may do it.
    pub fn bury(&self) {
        self.observe();
        // Who has told its end is on its way out by itself, and nobody has killed it.
        if let Some(slot) = self.record().slot().filter(|_| self.ended().is_none()) {
            reaper::reap_killed(slot);
        }
    }

    /// `<process worker-1 pid 4242 running>`.
    pub fn show(&self) -> String {
        let name = self.name();
        match (self.pid(), self.ended()) {
            (None, _) => format!("<process {name} not started>"),
            (Some(pid), Some(_)) => {
                let text = record::status_text(self.record().status());
                format!("<process {name} pid {pid} {text}>")
            }
            (Some(pid), None) => format!("<process {name} pid {pid} running>"),
        }
    }
}

/// A slot for a child; when the table is full, slots of the dead are freed first.
fn claim_slot(arena: &Arena, me: SlotRef) -> Result<SlotRef> {
    arena.claim_slot(Some(me)).or_else(|_| {
        reaper::bury_orphans(arena);
        arena.claim_slot(Some(me))
    })
}

/// The process that this is.
pub fn current() -> Result<Process> {
    let arena = super::start()?;
    let bits = arena
        .slot(arena::me().index)
        .process
        .load(Ordering::Acquire);
    HandleId::from_bits(bits)
        .and_then(Process::from_id)
        .ok_or_else(|| {
            Error::new(
                codes::INTERNAL,
                "this process has an entry, but none was found",
            )
        })
}

/// Children of this process that were started and have not ended, oldest first.
pub fn active_children() -> Vec<Process> {
    let running = reaper::running().into_iter();
    running.map(Process::of_hold).collect()
}

/// Makes the object of the main process.
pub(super) fn make_main(arena: &Arena) -> Result<()> {
    let me = arena::me();
    let slot = arena.slot(me.index);
    if slot.process.load(Ordering::Acquire) != 0 {
        return Ok(());
    }
    let hold = Record::create("main", 0, None, None)?;
    let record = Record::of(hold.object());
    record.note_start(arena, me, me);
    record.note_pid(fork::pid());
    slot.process.store(hold.id().to_bits(), Ordering::Release);
    // The slot keeps the object now.
    drop(hold);
    Ok(())
}

/// Tells the arena and the deadlock detector about processes.
pub(super) fn register() {
    static KIND: KindOps = KindOps {
        visit: Record::visit,
        destroy: Record::destroy,
        bury: kinds::bury_nothing,
    };
    static WAIT: WaitOps = WaitOps {
        noun: "process",
        keepers: deadlock::no_keepers,
        ready: |_, object, _, _, _| Record::of(object).status() != Status::Open,
        enders: |arena, object, _, _, _| {
            let slot = Record::of(object).slot();
            match slot.filter(|&slot| arena.is_alive(slot)) {
                Some(slot) => Enders::These(vec![slot]),
                // It died a moment ago; its parent will say how.
                None => Enders::Outside,
            }
        },
    };
    kinds::register(ObjectKind::Process, &KIND);
    deadlock::register(ObjectKind::Process, &WAIT);
}

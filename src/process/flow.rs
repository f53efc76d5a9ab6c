//! What flows while this process waits for something else: the pipes of programs that the script talks with are served in its
//! `join`, `wait` and `select` as well, so that no program is stuck because its reader waits for its end. Where another process waits
//! for that end, they are served in whatever this one waits for.

use super::deadlock;
use super::pool::outlet;
use super::record::ENDED;
use super::spawn::Process;
use super::wait::{self, Operation, WaitSpec};
use crate::arena::{Arena, HandleId};
use crate::diag::{Error, Result};
use crate::os::arrival::Arrivals;
use crate::os::poll::Interest;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Pipes that are served in a wait.
pub trait Flow {
    /// Does what can be done without waiting, and names what it waits for then.
    ///
    /// # Errors
    /// What ends the wait: there is no room for what came.
    fn serve(&self, interests: &mut Vec<Interest>) -> Result<()>;

    /// Whether what comes of it can end the wait, as a line does that is waited for: such a wait is one for the outside.
    fn can_end_wait(&self) -> bool;

    /// Whether, behind that, nothing is on its way to where it goes as well.
    fn is_settled(&self) -> bool;
}

/// A program that this process talks with.
pub trait Talk {
    /// The program.
    fn program(&self) -> &Process;

    /// Moves what can be moved without waiting, and names what is waited for then.
    fn move_on(&self, interests: &mut Vec<Interest>);

    /// The program gets no more input than it was given.
    fn end_input(&self);

    /// Nobody will ask for what it writes.
    fn read_for_nobody(&self);

    /// Whether what it writes goes elsewhere as well, and more of that may come.
    fn goes_elsewhere(&self) -> bool;

    /// Whether, behind a move, nothing is on its way there.
    fn is_settled(&self) -> bool;

    /// What keeps it from going there, once.
    ///
    /// # Errors
    /// A file takes no more.
    fn check(&self) -> Result<()>;
}

thread_local! {
    static TALKS: RefCell<Vec<Weak<dyn Talk>>> = const { RefCell::new(Vec::new()) };
    /// Whether there is any: most processes have none, and look at this only.
    static ANY: Cell<bool> = const { Cell::new(false) };
    /// Whether this process is at its end.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
}

/// Adds a program, until it is dropped.
pub fn add(talk: &Rc<dyn Talk>) {
    TALKS.with_borrow_mut(|talks| {
        talks.retain(|talk| talk.strong_count() > 0);
        talks.push(Rc::downgrade(talk));
    });
    ANY.set(true);
}

/// In a new child: it talks with none.
pub(super) fn forget_all() {
    if ANY.replace(false) {
        // Not dropped: see the reaper.
        std::mem::forget(TALKS.take());
    }
}

/// Whether this process talks with a program, so that another may begin to wait for its end.
pub(super) fn may_begin() -> bool {
    ANY.get()
}

/// The programs that this process talks with.
fn all() -> Vec<Rc<dyn Talk>> {
    match ANY.get() {
        true => TALKS.with_borrow(|talks| talks.iter().filter_map(Weak::upgrade).collect()),
        false => Vec::new(),
    }
}

/// Those of them that somebody waits for; at the end of this process also those whose output goes elsewhere.
fn awaited() -> Vec<Rc<dyn Talk>> {
    let mut talks = all();
    talks.retain(|talk| {
        let is_awaited = talk.program().awaited().object.events[ENDED].waiting() > 0;
        is_awaited && talk.program().alive() || IS_ENDING.get() && talk.goes_elsewhere()
    });
    talks
}

/// Serves those that somebody waits for.
pub(super) fn serve_awaited(interests: &mut Vec<Interest>) {
    for talk in awaited() {
        talk.move_on(interests);
    }
}

/// This process is at its end, and waits for its children: what its programs write is read, so that nobody waits for ever for
/// their ends, and is nobody's.
pub(super) fn read_for_nobody() {
    if ANY.get() {
        IS_ENDING.set(true);
        all().iter().for_each(|talk| talk.read_for_nobody());
    }
}

/// What the programs of this process have written on its way to where it goes as well, once they have ended.
struct Rest(Vec<Rc<dyn Talk>>);

impl Flow for Rest {
    fn serve(&self, interests: &mut Vec<Interest>) -> Result<()> {
        self.0.iter().for_each(|talk| talk.move_on(interests));
        Ok(())
    }

    fn can_end_wait(&self) -> bool {
        true
    }

    fn is_settled(&self) -> bool {
        self.0.iter().all(|talk| talk.is_settled())
    }
}

/// Behind [`read_for_nobody`], when its programs have ended: waits until what they wrote is where it goes as well, until the deadline
/// (monotonic nanoseconds) at most. What nobody was told of that does not take it.
///
/// # Errors
/// What ends the wait.
pub(super) fn settle(deadline: Option<u64>) -> Result<Vec<Error>> {
    let mut rest = all();
    IS_ENDING.set(false);
    rest.retain(|talk| talk.goes_elsewhere());
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let rest = Rest(rest);
    let mut spec = WaitSpec::new(Operation::Outside, &[], None);
    spec.deadline = deadline;
    spec.flow = Some(&rest);
    wait::wait(&spec, || Ok(rest.is_settled().then_some(())))?;
    let lost = rest.0.iter().filter_map(|talk| talk.check().err());
    Ok(lost.map(|error| *error).collect())
}

/// When `me` cannot go on before a program ends to which only it could write: ends the input of that. Nobody is left who could
/// write to it before.
pub(super) fn end_needless_inputs(arena: &Arena) {
    let talks = awaited();
    if talks.is_empty() {
        return;
    }
    let ids: Vec<HandleId> = talks.iter().map(|talk| talk.program().id()).collect();
    let needed = deadlock::programs_in_the_way(arena, &ids);
    for talk in talks {
        if needed.contains(&talk.program().id()) {
            talk.end_input();
        }
    }
}

/// A flow in a wait that sleeps on words of memory.
pub(super) struct Flowing<'a> {
    flow: Option<&'a dyn Flow>,
    interests: Vec<Interest>,
    arrivals: Arrivals,
}

impl<'a> Flowing<'a> {
    pub(super) fn new(flow: Option<&'a dyn Flow>) -> Flowing<'a> {
        Flowing {
            flow,
            interests: Vec::new(),
            arrivals: Arrivals::default(),
        }
    }

    /// Serves it. What comes later changes the word that this process sleeps on, which must have been read before.
    pub(super) fn serve(&mut self) -> Result<()> {
        if self.flow.is_none() && !may_begin() && !outlet::is_open() {
            return Ok(());
        }
        loop {
            self.interests.clear();
            if let Some(flow) = self.flow {
                flow.serve(&mut self.interests)?;
            }
            serve_awaited(&mut self.interests);
            outlet::serve(&mut self.interests);
            if !self.arrivals.watch(&self.interests) {
                return Ok(());
            }
        }
    }
}

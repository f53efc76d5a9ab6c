//! Waits in which programs are talked with: `join`, `wait` and `select` read what programs of `start()` write meanwhile, and
//! `select` waits for their lines.

use super::conversation::{self, Conversation, Which};
use crate::builtins::arguments;
use crate::builtins::process::ProcessHandle;
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::clock;
use crate::os::poll::Interest;
use crate::process::Process;
use crate::process::flow::{self, Flow, Talk};
use crate::program::Running;
use crate::program::streams::Source;
use crate::value::Value;
use crate::value::native::{Context, Outcome};
use std::cell::Cell;
use std::rc::Rc;

/// Seconds until a program whose time is over is looked at again: the alarm is about to end it.
const UNTIL_ITS_END: f64 = 0.05;

/// The programs whose streams are served in one wait.
#[derive(Default)]
pub struct Talks {
    /// What the script waits in, for messages.
    what: &'static str,
    all: Vec<Rc<Conversation>>,
    /// What one of them writes is waited for.
    reads: bool,
}

impl Talks {
    /// Of those of these values that are programs which this process talks with.
    pub fn with(what: &'static str, values: &[Value]) -> Talks {
        let handles = values
            .iter()
            .filter_map(|value| value.as_handle::<ProcessHandle>());
        let all = handles.filter_map(|handle| handle.talk()).collect();
        Talks {
            what,
            all,
            reads: false,
        }
    }

    /// One more.
    pub fn add(&mut self, talk: Option<Rc<Conversation>>) {
        self.all.extend(talk);
    }

    /// One more, of which what it writes is waited for.
    pub fn add_read(&mut self, talk: Rc<Conversation>) {
        self.all.push(talk);
        self.reads = true;
    }

    /// Of those whose output is waited for: when to ask this again (monotonic nanoseconds), if that is of use.
    ///
    /// # Errors
    /// `Timeout`: what one of them left behind holds its output open beyond its time.
    pub fn check_times(&self) -> diag::Result<Option<u64>> {
        let mut next = None;
        for talk in self.all.iter().filter(|_| self.reads) {
            next = next.into_iter().chain(talk.check_its_time()?).min();
        }
        Ok(next)
    }

    /// Ends their inputs: whoever could write to them waits for their ends, and nothing else ends this wait.
    pub fn end_inputs(&self) {
        self.all.iter().for_each(|talk| talk.end_input());
    }

    /// The flow of the wait; `None` where nothing flows.
    pub fn flow(&self) -> Option<&dyn Flow> {
        (!self.all.is_empty()).then_some(self)
    }
}

impl Flow for Talks {
    fn can_end_wait(&self) -> bool {
        self.reads
    }

    fn is_settled(&self) -> bool {
        self.all.iter().all(|talk| talk.is_settled())
    }

    fn serve(&self, interests: &mut Vec<Interest>) -> diag::Result<()> {
        for talk in &self.all {
            let most = talk.serve(interests);
            talk.check_tees()?;
            if most > MAX_STRING {
                let what = self.what;
                let message = format!(
                    "{what}: what a program writes while it is waited for must be at most {MAX_STRING} bytes, but this is more"
                );
                let help = "read it before, or send it elsewhere: .stdout(path)";
                return Err(diag::Error::new(codes::LIMIT, message).with_help(help));
            }
        }
        Ok(())
    }
}

impl Drop for Conversation {
    /// Nobody refers to it any more: what has come goes where it goes as well, as far as there is room.
    fn drop(&mut self) {
        if self.is_own() {
            let running = self.running.get_mut();
            if running.output.as_ref().is_some_and(Source::has_tees) {
                running.drain_errors();
            }
        }
    }
}

impl Conversation {
    /// Has it served where another process waits for its end.
    pub(super) fn keep_going(self) -> Rc<Conversation> {
        let talk = Rc::new(self);
        flow::add(&(talk.clone() as Rc<dyn Talk>));
        talk
    }

    /// Whether the time of the program is over, and it has ended, but not what it left behind and what holds its outputs open. When to
    /// ask again (monotonic nanoseconds), if that is of use.
    pub(super) fn check_time(&self, running: &mut Running) -> diag::Result<Option<u64>> {
        let Some(deadline) = running.deadline() else {
            return Ok(None);
        };
        // Its own end, by the alarm, comes first; its outputs end with it then.
        if self.process().had_its_time() {
            return Ok(None);
        }
        if deadline <= clock::now() && self.process().alive() {
            return Ok(Some(clock::deadline(UNTIL_ITS_END)));
        }
        running.check_rest()?;
        Ok(running.deadline())
    }

    /// As [`Conversation::check_time`], for a wait that somebody else makes.
    pub(super) fn check_its_time(&self) -> diag::Result<Option<u64>> {
        match self.running.try_borrow_mut() {
            Ok(mut running) => self.check_time(&mut running),
            Err(_) => Ok(None),
        }
    }
}

impl Talk for Conversation {
    fn program(&self) -> &Process {
        self.process()
    }

    fn move_on(&self, interests: &mut Vec<Interest>) {
        self.serve(interests);
    }

    fn end_input(&self) {
        if let Ok(mut running) = self.running.try_borrow_mut() {
            running.end_input();
        }
    }

    fn goes_elsewhere(&self) -> bool {
        let running = self.running.try_borrow();
        running.is_ok_and(|running| running.output.as_ref().is_some_and(Source::has_tees))
    }

    fn is_settled(&self) -> bool {
        Conversation::is_settled(self)
    }

    fn check(&self) -> diag::Result<()> {
        self.check_tees()
    }

    fn read_for_nobody(&self) {
        if let Ok(mut running) = self.running.try_borrow_mut() {
            let Running { output, errors, .. } = &mut *running;
            for source in [output, errors].into_iter().flatten() {
                source.keep_nothing();
            }
        }
    }
}

/// What `select` waits for at a stream: its next line, or some of what comes.
pub struct Reading {
    of: Rc<Conversation>,
    which: Which,
    /// `None` for a line, else the size of `read`, if it has one.
    read: Option<Option<usize>>,
    /// So many bytes have no end of a line.
    searched: Cell<usize>,
}

impl Reading {
    /// A case of `select` from its operation, the object and the argument; `None` when the object is no stream to read from.
    pub fn case(operation: &str, object: &Value, argument: &Value) -> Outcome<Option<Reading>> {
        let read = match operation {
            "readline" => None,
            "read" => Some(match arguments::given(argument) {
                Some(size) => Some(arguments::size("read", "size", size)?),
                None => None,
            }),
            _ => return Ok(None),
        };
        let found = conversation::output(operation, object)?;
        Ok(found.map(|(of, which)| Reading {
            of,
            which,
            read,
            searched: Cell::new(0),
        }))
    }

    /// The program.
    pub fn process(&self) -> &Process {
        self.of.process()
    }

    /// The program's streams.
    pub fn talk(&self) -> Rc<Conversation> {
        self.of.clone()
    }

    /// Whether all is read.
    pub fn is_over(&self) -> bool {
        self.of.has_ended(self.which)
    }

    /// What is there, if it is enough; empty at the end.
    pub fn attempt(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let (method, data) = match self.read {
            None => {
                let mut searched = self.searched.get();
                let line = self.of.line_there(self.which, &mut searched)?;
                self.searched.set(searched);
                ("readline", line)
            }
            Some(size) => ("read", self.of.output_there(self.which, size)?),
        };
        match data {
            Some(data) => self.of.value(context, method, data).map(Some),
            None => Ok(None),
        }
    }
}

//! Where the time of a pool's workers went: for `p.stats()`, and for the table of `par run --stats`.

use super::workers::Pool;
use crate::os::clock;
use crate::source::Span;
use crate::value::Value;
use crate::value::map::{Map, Table};
use crate::value::native::Context;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// What is known of one worker of a pool; one that was replaced and its successor count as one.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// Tasks or items finished.
    pub tasks: u64,
    /// Nanoseconds spent in them.
    pub busy: u64,
    /// Nanoseconds from the fork until the first task could begin, `init` included.
    pub startup: u64,
    /// Nanoseconds of the lives of those that have ended.
    alive: u64,
    /// When the one that lives was forked; 0 when none does.
    since: u64,
    /// Processes that were forked for it.
    pub processes: u64,
}

impl Tally {
    /// A process is forked for it.
    pub fn hire(&mut self) {
        self.since = clock::now();
        self.processes += 1;
    }

    /// Its process has ended; `ready` is when that was ready for work (0 for never).
    pub fn leave(&mut self, ready: u64) {
        if self.since == 0 {
            return;
        }
        let now = clock::now();
        self.alive += now.saturating_sub(self.since);
        self.startup += if ready < self.since { now } else { ready } - self.since;
        self.since = 0;
    }

    /// As it stands now, its process alive or not.
    pub fn at_present(&self, ready: u64) -> Tally {
        let mut tally = self.clone();
        tally.leave(ready);
        tally
    }

    /// Nanoseconds in which it had nothing to do.
    pub fn waiting(&self) -> u64 {
        self.alive.saturating_sub(self.busy + self.startup)
    }

    fn share(&self, part: u64) -> f64 {
        match self.alive {
            0 => 0.0,
            alive => (part as f64 / alive as f64).min(1.0),
        }
    }

    /// As a map for the script. The caller protects what it makes of it.
    pub fn value(&self, context: &mut dyn Context, worker: usize) -> Value {
        let heap = context.heap();
        let mut table = Table::default();
        let seconds = |nanoseconds: u64| Value::Float(nanoseconds as f64 / 1e9);
        for (name, value) in [
            ("tasks", Value::Int(self.tasks as i64)),
            ("processes", Value::Int(self.processes as i64)),
            ("busy", Value::Float(self.share(self.busy))),
            ("waiting", Value::Float(self.share(self.waiting()))),
            ("startup", seconds(self.startup)),
            ("seconds", seconds(self.busy)),
        ] {
            let key = Value::str(heap, name);
            table.insert(key, value);
        }
        let (key, name) = (
            Value::str(heap, "worker"),
            Value::str(heap, &format!("pool-{}", worker + 1)),
        );
        table.insert(key, name);
        Value::Map(Map::new(heap, table))
    }
}

/// The account of a pool that has ended.
#[derive(Clone, Debug)]
pub struct Account {
    /// `pool map` or `pool`.
    pub what: &'static str,
    /// The line that made it.
    pub place: Option<Span>,
    /// How long it was, in nanoseconds.
    pub length: u64,
    /// Its workers.
    pub tallies: Vec<Tally>,
}

/// The accounts of this process, kept while somebody wants them.
#[derive(Default)]
struct Ledger {
    wanted: bool,
    accounts: Vec<Account>,
    left_out: usize,
    /// Pools that have not been booked, as long as they exist.
    open: Vec<Weak<Pool>>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

/// Accounts that are kept: a script that maps in a loop would fill memory and the screen.
const MOST_ACCOUNTS: usize = 100;

impl Account {
    /// The account of a pool that began at a time and ends now.
    pub fn new(what: &'static str, place: Option<Span>, began: u64, tallies: &[Tally]) -> Account {
        Account {
            what,
            place,
            length: clock::now().saturating_sub(began),
            tallies: tallies.to_vec(),
        }
    }

    /// Keeps it for the table at the end, when that is wanted.
    pub fn book(self) {
        // A pool may be dropped when the thread ends: then nobody asks any more.
        let _ = LEDGER.try_with(|ledger| {
            let mut ledger = ledger.borrow_mut();
            match (ledger.wanted, ledger.accounts.len() < MOST_ACCOUNTS) {
                (true, true) => ledger.accounts.push(self),
                (true, false) => ledger.left_out += 1,
                (false, _) => {}
            }
        });
    }
}

/// Notes a `pool(n)` that nobody may close: it is asked for its account at the end.
pub fn watch(pool: &Rc<Pool>) {
    LEDGER.with_borrow_mut(|ledger| {
        if ledger.wanted {
            ledger.open.push(Rc::downgrade(pool));
        }
    });
}

/// From here on accounts are kept.
pub fn keep() {
    LEDGER.with_borrow_mut(|ledger| ledger.wanted = true);
}

/// The table of all pools of this process; `None` when there were none. `describe` gives a place's name.
pub fn table(describe: impl Fn(Span) -> String) -> Option<String> {
    let ledger = LEDGER.take();
    let open = ledger.open.iter().filter_map(Weak::upgrade);
    let mut accounts = ledger.accounts;
    accounts.extend(open.filter_map(|pool| pool.account()));
    let left_out = ledger.left_out;
    if accounts.is_empty() {
        return None;
    }
    let mut text = String::new();
    for account in &accounts {
        let place = account.place.map(&describe);
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        text += &format!(
            "{} at {}: {:.1} ms\n",
            account.what,
            place.as_deref().unwrap_or("?"),
            milliseconds(account.length)
        );
        text += "  worker      tasks    busy  waiting   start-up  processes\n";
        for (number, tally) in account.tallies.iter().enumerate() {
            text += &format!(
                "  {:<8}{:>9}{:>7.1}%{:>8.1}%{:>8.2} ms{:>11}\n",
                format!("pool-{}", number + 1),
                tally.tasks,
                tally.share(tally.busy) * 100.0,
                tally.share(tally.waiting()) * 100.0,
                milliseconds(tally.startup),
                tally.processes
            );
        }
    }
    if left_out > 0 {
        text += &format!("and {left_out} pools more\n");
    }
    Some(text)
}

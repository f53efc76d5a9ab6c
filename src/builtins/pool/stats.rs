//! Where the time of a pool's workers went: for `p.stats()`, and for the table of `par run --stats`.

use super::workers::Pool;
use crate::os::{clock, fork, memory};
use crate::process::pool::job::Progress;
use crate::process::{finish, place, spawn};
use crate::source::Span;
use crate::value::Value;
use crate::value::map::{Map, Table};
use crate::value::native::Context;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, Write};
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
    /// Nanoseconds of the longest item or task.
    pub longest: u64,
    /// Which item that was.
    pub longest_item: Option<u64>,
}

impl Tally {
    /// A process was forked for it, which was begun at a time.
    pub fn hire(&mut self, began: u64) {
        self.since = began;
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

    /// What its worker has done.
    pub fn note(&mut self, at: &Progress) {
        (self.tasks, self.busy) = (at.tasks, at.busy);
        (self.longest, self.longest_item) = (at.longest, at.longest_item);
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
            ("longest", seconds(self.longest)),
            (
                "longest_item",
                self.longest_item
                    .map_or(Value::Nil, |item| Value::Int(item as i64)),
            ),
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
    /// The process that prints the table.
    main: i32,
    /// Where the others write what theirs were like, a text for each pool.
    others: Option<File>,
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
/// Bytes of accounts from other processes, for the same reason.
const MOST_FROM_OTHERS: u64 = 64 * 1024;

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

    /// How long it was, and a line for each worker.
    fn text(&self) -> String {
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        let mut text = format!("{:.1} ms\n", milliseconds(self.length));
        text += "  worker      tasks    busy  waiting   start-up  processes      longest\n";
        for (number, tally) in self.tallies.iter().enumerate() {
            text += &format!(
                "  {:<8}{:>9}{:>7.1}%{:>8.1}%{:>8.2} ms{:>11}{:>10.1} ms{}\n",
                format!("pool-{}", number + 1),
                tally.tasks,
                tally.share(tally.busy) * 100.0,
                tally.share(tally.waiting()) * 100.0,
                milliseconds(tally.startup),
                tally.processes,
                milliseconds(tally.longest),
                tally
                    .longest_item
                    .map_or_else(String::new, |item| format!(" (item {item})")),
            );
        }
        text
    }

    /// Keeps it for the table at the end, when that is wanted.
    pub fn book(self) {
        // A pool may be dropped when the thread ends: then nobody asks any more.
        let _ = LEDGER.try_with(|ledger| {
            let mut ledger = ledger.borrow_mut();
            if ledger.main != fork::pid() {
                return ledger.send(&self);
            }
            match (ledger.wanted, ledger.accounts.len() < MOST_ACCOUNTS) {
                (true, true) => ledger.accounts.push(self),
                (true, false) => ledger.left_out += 1,
                (false, _) => {}
            }
        });
    }
}

impl Ledger {
    /// In a process that is not the main one: writes an account where the main one finds it, whole or not at all.
    fn send(&mut self, account: &Account) {
        let Some(file) = self.others.as_mut().filter(|_| self.wanted) else {
            return;
        };
        let is_full = file
            .metadata()
            .is_ok_and(|data| data.len() > MOST_FROM_OTHERS);
        let (source, range) = place::pack(account.place);
        let name = spawn::current().map_or_else(|_| String::from("?"), |process| process.name());
        let head = format!("{source} {range}\n{} in {name}\n", account.what);
        let text = match is_full {
            true => String::from("\0"),
            false => format!("{head}{}\0", account.text()),
        };
        // Without it the table has a gap, and nothing else is wrong.
        let _ = file.write_all(text.as_bytes());
    }

    /// In the main process: what the others have written.
    fn received(&mut self) -> String {
        let mut text = String::new();
        if let Some(file) = &mut self.others {
            let _ = file.rewind();
            let _ = file.read_to_string(&mut text);
        }
        text
    }
}

/// Notes a `pool(n)` that nobody may close: it is asked for its account at the end.
pub fn watch(pool: &Rc<Pool>) {
    LEDGER.with_borrow_mut(|ledger| {
        if ledger.wanted {
            ledger.open.push(Rc::downgrade(pool));
            finish::at_end(book_open);
        }
    });
}

/// From here on accounts are kept, by this process for all that come from it.
pub fn keep() {
    LEDGER.with_borrow_mut(|ledger| {
        ledger.wanted = true;
        ledger.main = fork::pid();
        ledger.others = memory::nameless_file().ok();
    });
}

/// At the end of a process: books the pools that it has left open.
fn book_open() {
    let open = LEDGER.with_borrow_mut(|ledger| std::mem::take(&mut ledger.open));
    for account in open
        .iter()
        .filter_map(Weak::upgrade)
        .filter_map(|pool| pool.account())
    {
        account.book();
    }
}

/// The table of all pools; `None` when there were none. `describe` gives a place's name.
pub fn table(describe: impl Fn(Span) -> String) -> Option<String> {
    let mut ledger = LEDGER.take();
    let others = ledger.received();
    let open = ledger.open.iter().filter_map(Weak::upgrade);
    let mut accounts = ledger.accounts;
    accounts.extend(open.filter_map(|pool| pool.account()));
    let mut left_out = ledger.left_out;
    if accounts.is_empty() && others.is_empty() {
        return None;
    }
    let describe = |place: Option<Span>| place.map_or_else(|| String::from("?"), &describe);
    let mut text = String::new();
    for account in &accounts {
        let place = describe(account.place);
        text += &format!("{} at {place}: {}", account.what, account.text());
    }
    for record in others.split_terminator('\0') {
        let mut lines = record.splitn(3, '\n');
        let (Some(place), Some(what), Some(rest)) = (lines.next(), lines.next(), lines.next())
        else {
            left_out += 1;
            continue;
        };
        let mut numbers = place.split(' ').map(|number| number.parse().unwrap_or(0));
        let (source, range) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let place = describe(place::unpack(source, range));
        text += &format!("{what} at {place}: {rest}");
    }
    if left_out > 0 {
        text += &format!("and {left_out} pools more\n");
    }
    Some(text)
}

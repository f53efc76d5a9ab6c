//! `fs.lock`: a lock that is a file, for processes that are not of one program.

use crate::builtins::{Table, arguments, system};
use crate::diag::{self, Field, codes};
use crate::os::{clock, fork};
use crate::process::{signals, wait};
use crate::value::Value;
use crate::value::handle::Handle;
use crate::value::native::{Args, Context, Fault, Native, Outcome};
use crate::value::show;
use std::any::Any;
use std::cell::RefCell;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::rc::{Rc, Weak};

/// The methods of a lock that is held.
pub static METHODS: Table = natives! {
    "close" () release, "Gives the lock back.";
    "release" () release, "Gives the lock back.";
};

/// The first pause between two attempts, in seconds; the kernel tells nobody when a lock becomes free.
const FIRST_PAUSE: f64 = 0.001;
/// The longest one.
const LAST_PAUSE: f64 = 0.05;

/// A lock that is held; the kernel gives it back when its process ends, however that is.
struct FileLock {
    path: String,
    /// The process that took it: a child that was forked later does not hold it, though it has the file open.
    owner: i32,
    file: RefCell<Option<File>>,
}

impl FileLock {
    fn is_own(&self) -> bool {
        self.owner == fork::pid()
    }
}

impl Handle for FileLock {
    fn type_name(&self) -> &'static str {
        "file lock"
    }

    fn show(&self) -> String {
        let state = match (self.is_own(), self.file.borrow().is_some()) {
            (true, true) => "held",
            (true, false) => "released",
            (false, _) => "of another process",
        };
        format!("<file lock {} {state}>", self.path)
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok(match name {
            "name" => Some(Value::str(context.heap(), &self.path)),
            "locked" => Some(Value::Bool(self.is_own() && self.file.borrow().is_some())),
            _ => None,
        })
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["locked", "name"]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `fs.lock(path, timeout:, shared:)`.
pub fn lock(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("lock", "path", &args[0])?;
    let timeout = arguments::timeout("lock", "timeout", &args[1])?;
    let shared = match arguments::given(&args[2]) {
        Some(shared) => arguments::boolean("lock", "shared", shared)?,
        None => false,
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = system::retry(context, "lock", &path, || options.open(&path))?;
    let begin = clock::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let tried = match shared {
            true => file.try_lock_shared(),
            false => file.try_lock(),
        };
        match tried {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if pause == FIRST_PAUSE && is_held_here(&file) => {
                // Perhaps by a lock that nobody keeps any more.
                signals::want_collection();
                context.poll()?;
                if timeout.is_none() && is_held_here(&file) {
                    return Err(held_here(&path));
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(system::failed("lock", &path, &error)),
        }
        let waited = clock::now().saturating_sub(begin) as f64 / 1e9;
        let left = timeout.map_or(f64::MAX, |timeout| timeout - waited);
        if left <= 0.0 {
            let shown = show::quoted(&path);
            let seconds = timeout.unwrap_or(0.0);
            let who = match is_held_here(&file) {
                true => "this very process holds it",
                false => "another process held it longer",
            };
            let message = format!("the lock of the file {shown} within {seconds} s, but {who}");
            let error = diag::Error::new(codes::TIMEOUT, message);
            return Err(error.with_field("seconds", Field::Float(seconds)).into());
        }
        wait::sleep(pause.min(left), context.place())?;
        pause = (pause * 2.0).min(LAST_PAUSE);
    }
    let handle = Rc::new(FileLock {
        path: path.to_string(),
        owner: fork::pid(),
        file: RefCell::new(Some(file)),
    });
    HELD.with_borrow_mut(|held| {
        held.retain(|lock| lock.strong_count() > 0);
        held.push(Rc::downgrade(&handle));
    });
    Ok(Value::handle(context.heap(), handle))
}

thread_local! {
    /// The locks that this process has taken: waiting for one of its own would never end.
    static HELD: RefCell<Vec<Weak<FileLock>>> = const { RefCell::new(Vec::new()) };
}

/// Whether this process holds the lock of a file that it has opened once more.
fn is_held_here(file: &File) -> bool {
    let identity = |file: &File| file.metadata().ok().map(|data| (data.dev(), data.ino()));
    let own = identity(file);
    let is_same = |lock: &Weak<FileLock>| {
        lock.upgrade().is_some_and(|lock| {
            let held = lock.file.borrow();
            lock.is_own() && held.as_ref().is_some_and(|held| identity(held) == own)
        })
    };
    own.is_some() && HELD.with_borrow(|held| held.iter().any(is_same))
}

fn held_here(path: &str) -> Fault {
    let shown = show::quoted(path);
    let message =
        format!("the lock of the file {shown} is waited for by the process that holds it itself");
    diag::Error::new(codes::DEADLOCK, message)
        .with_help("release it first, or take it with `timeout:`")
        .into()
}

fn release(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let Some(lock) = args[0].as_handle::<FileLock>() else {
        return Err(arguments::wrong("release", "self", "a file lock", &args[0]));
    };
    if !lock.is_own() {
        let path = show::quoted(&lock.path);
        let message = format!(
            "release: the lock of the file {path} must be held by this process, but another took it"
        );
        return Err(diag::Error::new(codes::VALUE, message).into());
    }
    if let Some(file) = lock.file.borrow_mut().take() {
        // Children that were forked meanwhile have the file open too: closing it here would not be enough.
        let _ = file.unlock();
    }
    Ok(Value::Nil)
}

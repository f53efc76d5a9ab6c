//! `fs.lock`: a lock that is a file, for processes that are not of one program.

use crate::builtins::{Table, arguments, system};
use crate::diag::{self, Field, codes};
use crate::os::fork;
use crate::process::file_lock::{self, FileLock, Taken};
use crate::process::signals;
use crate::value::Value;
use crate::value::handle::Handle;
use crate::value::native::{Args, Context, Fault, Native, Outcome};
use crate::value::show;
use std::any::Any;
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::rc::Rc;

/// The methods of a lock that is held.
pub static METHODS: Table = natives! {
    "close" () release, "Gives the lock back.";
    "release" () release, "Gives the lock back.";
};

/// A lock of a file as a value.
struct LockHandle {
    path: String,
    /// The process that took it.
    owner: i32,
    lock: RefCell<Option<FileLock>>,
}

impl LockHandle {
    fn is_own(&self) -> bool {
        self.owner == fork::pid()
    }
}

impl Handle for LockHandle {
    fn type_name(&self) -> &'static str {
        "file lock"
    }

    fn show(&self) -> String {
        let state = match (self.is_own(), self.lock.borrow().is_some()) {
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
            "locked" => Some(Value::Bool(self.is_own() && self.lock.borrow().is_some())),
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
    // The lock itself asks for no right to write: a file that may only be read is opened so.
    let file = system::retry(context, "lock", &path, || match options.open(&path) {
        Err(error) if shared && error.kind() == ErrorKind::PermissionDenied => File::open(&path),
        opened => opened,
    })?;
    let place = context.place();
    let file = Rc::new(file);
    let mut taken = file_lock::take(&file, &path, shared, Some(0.0), place)?;
    if matches!(taken, Taken::Late(_)) {
        if file_lock::is_mine(&file, shared)? {
            // Perhaps by a handle that nobody keeps any more.
            signals::want_collection();
            context.poll()?;
            if timeout.is_none() && file_lock::is_mine(&file, shared)? {
                return Err(held_here(&path));
            }
        }
        taken = file_lock::take(&file, &path, shared, timeout, place)?;
    }
    let lock = match taken {
        Taken::Held(lock) => lock,
        Taken::Refused(error) => return Err(system::failed("lock", &path, &error)),
        Taken::Late(who) => {
            let is_mine = file_lock::is_mine(&file, shared)?;
            return Err(late(&path, timeout.unwrap_or(0.0), is_mine, who));
        }
    };
    let handle = Rc::new(LockHandle {
        path: path.to_string(),
        owner: fork::pid(),
        lock: RefCell::new(Some(lock)),
    });
    Ok(Value::handle(context.heap(), handle))
}

fn late(path: &str, seconds: f64, is_mine: bool, holder: Option<String>) -> Fault {
    let shown = show::quoted(path);
    let who = match (is_mine, holder) {
        (true, _) => String::from("this very process holds it"),
        (_, Some(holder)) => format!("{holder} held it longer"),
        (_, None) => String::from("another program held it longer"),
    };
    let message =
        format!("the lock of the file {shown} was to be taken within {seconds} s, but {who}");
    let error = diag::Error::new(codes::TIMEOUT, message);
    error.with_field("seconds", Field::Float(seconds)).into()
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
    let Some(lock) = args[0].as_handle::<LockHandle>() else {
        return Err(arguments::wrong("release", "self", "a file lock", &args[0]));
    };
    if !lock.is_own() {
        let path = show::quoted(&lock.path);
        let message = format!(
            "release: the lock of the file {path} must be held by this process, but another took it"
        );
        return Err(diag::Error::new(codes::VALUE, message).into());
    }
    drop(lock.lock.borrow_mut().take());
    Ok(Value::Nil)
}

//! Temporary files and directories that vanish with the process that made them.
//!
//! Each process has at most one directory for all of them, made at the first call. Its end removes it. A process that is killed
//! removes nothing; so each directory is locked (flock) as long as its maker or a child of it lives, and whoever makes
//! the next one removes those that nobody locks any more.

use crate::builtins::system;
use crate::os::{clock, fork, name};
use crate::process::finish;
use crate::value::native::{Context, Outcome};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How the names of these directories end: what ends otherwise is never swept up.
const ENDING: &str = ".par-tmp";

/// The directory of a process, with its lock.
struct Own {
    pid: i32,
    path: PathBuf,
    /// Closing it would give the lock back.
    _lock: File,
    /// How many names were given out in it.
    count: u64,
}

static OWN: Mutex<Option<Own>> = Mutex::new(None);

/// A new path in this process's directory for temporary files, with nothing there yet.
pub fn new_path(
    context: &mut dyn Context,
    function: &str,
    prefix: &str,
    suffix: &str,
) -> Outcome<PathBuf> {
    let root = root();
    let shown = name::text(&root);
    system::retry(context, function, &shown, || {
        let mut own = OWN.lock().map_err(|_| io::Error::other("in use"))?;
        let pid = fork::pid();
        // A child inherits its parent's, and makes one of its own. (The parent's lock stays held through it.)
        let own = match &mut *own {
            Some(own) if own.pid == pid => own,
            other => {
                sweep(&root);
                let (path, lock) = make(&root)?;
                finish::at_end(remove_own);
                let before = other.replace(Own {
                    pid,
                    path,
                    _lock: lock,
                    count: 0,
                });
                // Not closed: the lock of the parent's directory must outlive this process's look at it.
                std::mem::forget(before);
                match other {
                    Some(own) => own,
                    None => return Err(io::Error::other("in use")),
                }
            }
        };
        own.count += 1;
        Ok(own
            .path
            .join(name::os(&format!("{prefix}{}{suffix}", own.count))))
    })
}

/// The folder for what is temporary: TMPDIR, from the root, since the current folder may be another one later; `/tmp` where that is empty.
fn root() -> PathBuf {
    let root = std::env::temp_dir();
    match root.as_os_str().is_empty() {
        true => PathBuf::from("/tmp"),
        false => std::path::absolute(&root).unwrap_or(root),
    }
}

/// Makes a directory that only this user can enter, and locks it.
fn make(root: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        // A name that nobody has will do: the directory is made, and one that is there is not taken.
        let name = format!("par-{:x}-{:016x}{ENDING}", fork::pid(), clock::now());
        let path = root.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        // Between the two lines somebody may have swept it up.
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let _ = fs::remove_dir(&path);
                return Err(error);
            }
            Ok(lock) => lock,
        };
        let same =
            |lock: &File| Some(lock.metadata().ok()?.ino() == fs::metadata(&path).ok()?.ino());
        if lock.try_lock_shared().is_ok() && same(&lock) == Some(true) {
            return Ok((path, lock));
        }
    }
}

/// Removes the directories of processes that were killed: nobody locks them.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("par-") || !name.ends_with(ENDING) {
            continue;
        }
        // Those of other users cannot be opened; what cannot be removed stays.
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder
            && let Ok(lock) = File::open(&path)
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Removes the directory of this process, at its end.
fn remove_own() {
    if let Ok(mut own) = OWN.lock()
        && own.as_ref().is_some_and(|own| own.pid == fork::pid())
        && let Some(own) = own.take()
    {
        let _ = fs::remove_dir_all(&own.path);
    }
}

//! Going through a directory tree, one directory at a time.

use crate::builtins::system;
use crate::os::name;
use crate::value::Value;
use crate::value::heap::{Gc, Marker};
use crate::value::list::List;
use crate::value::native::{Context, NativeIter, Outcome};
use std::cell::RefCell;
use std::io;

/// The directories that are still to be looked at, the next one last.
pub struct Walk {
    open: RefCell<Vec<String>>,
    /// What the script was given last: a directory, and the list of those in it, from which it may take some out.
    given: RefCell<Option<(String, Gc<List>)>>,
}

impl Walk {
    /// Begins at a directory.
    pub fn new(path: &str) -> Walk {
        Walk {
            open: RefCell::new(vec![path.to_string()]),
            given: RefCell::new(None),
        }
    }

    /// Takes up the directories that the script has left in the list; no links to some, or a ring would have no end.
    fn go_below(&self) {
        let Some((path, list)) = self.given.borrow_mut().take() else {
            return;
        };
        let names = (0..list.len()).rev().filter_map(|at| list.get(at));
        let paths = names.filter_map(|name| {
            let below = below(&path, name.as_str()?);
            let data = std::fs::symlink_metadata(name::os(&below));
            let is_link = data.is_ok_and(|data| data.is_symlink());
            (!is_link).then_some(below)
        });
        self.open.borrow_mut().extend(paths);
    }
}

fn below(path: &str, name: &str) -> String {
    match path.ends_with('/') {
        true => format!("{path}{name}"),
        false => format!("{path}/{name}"),
    }
}

/// The names of the directories (and of links to some) and of the files in a directory, sorted.
fn read(path: &str) -> io::Result<(Vec<String>, Vec<String>)> {
    let (mut directories, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(name::os(path))? {
        let entry = entry?;
        let name = name::text(entry.file_name());
        let kind = entry.file_type()?;
        let leads_to_one =
            || kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|data| data.is_dir());
        match kind.is_dir() || leads_to_one() {
            true => directories.push(name),
            false => files.push(name),
        }
    }
    directories.sort();
    files.sort();
    Ok((directories, files))
}

/// Whether a directory below that cannot be looked at is left out.
fn is_passed_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}

impl NativeIter for Walk {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        self.go_below();
        loop {
            let Some(path) = self.open.borrow_mut().pop() else {
                return Ok(None);
            };
            // A directory that was removed meanwhile, or may not be read, is no reason to stop, as in Python.
            let Some((directories, files)) =
                system::retry(context, "walk", &path, || match read(&path) {
                    Err(error) if is_passed_over(&error) => Ok(None),
                    result => result.map(Some),
                })?
            else {
                continue;
            };
            let heap = context.heap();
            let mut names = |names: Vec<String>| {
                let names = names.iter().map(|name| Value::str(heap, name)).collect();
                Value::list(heap, names)
            };
            let (directories, files) = (names(directories), names(files));
            if let Value::List(list) = directories {
                *self.given.borrow_mut() = Some((path.clone(), list));
            }
            let row = vec![Value::str(context.heap(), &path), directories, files];
            return Ok(Some(Value::list(context.heap(), row)));
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        if let Some((_, list)) = &*self.given.borrow() {
            marker.value(Value::List(*list));
        }
    }
}

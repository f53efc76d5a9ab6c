//! Going through a directory tree, one directory at a time.

use crate::builtins::system;
use crate::os::name;
use crate::value::Value;
use crate::value::heap::Marker;
use crate::value::native::{Context, NativeIter, Outcome};
use std::cell::RefCell;
use std::io;

/// The directories that are still to be looked at, the next one last.
pub struct Walk {
    open: RefCell<Vec<String>>,
}

impl Walk {
    /// Begins at a directory.
    pub fn new(path: &str) -> Walk {
        Walk {
            open: RefCell::new(vec![path.to_string()]),
        }
    }
}

/// The names of the directories (links to some are files here: no ring has an end) and of the files in a directory, sorted.
fn read(path: &str) -> io::Result<(Vec<String>, Vec<String>)> {
    let (mut directories, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(name::os(path))? {
        let entry = entry?;
        let name = name::text(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => directories.push(name),
            false => files.push(name),
        }
    }
    directories.sort();
    files.sort();
    Ok((directories, files))
}

impl NativeIter for Walk {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        loop {
            let Some(path) = self.open.borrow_mut().pop() else {
                return Ok(None);
            };
            // A directory that was removed meanwhile is no reason to stop.
            let Some((directories, files)) =
                system::retry(context, "walk", &path, || match read(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    result => result.map(Some),
                })?
            else {
                continue;
            };
            let below = directories
                .iter()
                .rev()
                .map(|name| match path.ends_with('/') {
                    true => format!("{path}{name}"),
                    false => format!("{path}/{name}"),
                });
            self.open.borrow_mut().extend(below);
            let heap = context.heap();
            let mut names = |names: Vec<String>| {
                let names = names.iter().map(|name| Value::str(heap, name)).collect();
                Value::list(heap, names)
            };
            let (directories, files) = (names(directories), names(files));
            let row = vec![Value::str(context.heap(), &path), directories, files];
            return Ok(Some(Value::list(context.heap(), row)));
        }
    }

    fn trace(&self, _: &mut Marker<'_>) {}
}

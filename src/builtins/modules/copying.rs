//! The functions of `fs` that have two paths: copies and moves.

use crate::builtins::{arguments, system};
use crate::diag::{self, Field, codes};
use crate::os::name::{self, Name};
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use crate::value::show;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

fn both<'a>(function: &str, args: Args<'a>) -> Outcome<(Name<'a>, Name<'a>)> {
    Ok((
        arguments::path(function, "from", &args[0])?,
        arguments::path(function, "to", &args[1])?,
    ))
}

/// Does something of the system with two paths: its error names both, or the one that is missing.
pub fn between<T>(
    context: &mut dyn Context,
    function: &str,
    from: &Name<'_>,
    to: &Name<'_>,
    mut step: impl FnMut() -> io::Result<T>,
) -> Outcome<T> {
    loop {
        let error = match step() {
            Ok(done) => return Ok(done),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                context.poll()?;
                continue;
            }
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::NotFound {
            let missing = match from.path().symlink_metadata() {
                Err(_) => from,
                Ok(_) => to,
            };
            return Err(system::failed(function, missing, &error));
        }
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or("").to_lowercase();
        let message = format!(
            "{function} {} to {}: {reason}",
            show::quoted(from),
            show::quoted(to)
        );
        let number = i64::from(error.raw_os_error().unwrap_or(0));
        return Err(diag::Error::new(codes::IO, message)
            .with_field("path", Field::Text(from.to_string()))
            .with_field("target", Field::Text(to.to_string()))
            .with_field("errno", Field::Int(number))
            .into());
    }
}

/// Where something comes to stand: in a directory under its own name.
fn target(from: &Path, to: &Path) -> PathBuf {
    match from.file_name() {
        Some(name) if to.is_dir() => to.join(name),
        _ => to.to_path_buf(),
    }
}

/// Whether two paths lead to one file.
fn is_same(from: &Path, to: &Path) -> bool {
    match (from.metadata(), to.metadata()) {
        (Ok(from), Ok(to)) => (from.dev(), from.ino()) == (to.dev(), to.ino()),
        _ => false,
    }
}

fn same() -> io::Error {
    io::Error::other("they are the same file")
}

/// `fs.copy(from, to)`.
pub fn copy(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (from, to) = both("copy", args)?;
    let size = between(context, "copy", &from, &to, || {
        let to = target(from.path(), to.path());
        match is_same(from.path(), &to) {
            true => Err(same()),
            false if from.path().is_dir() => Err(io::Error::other(
                "it is a directory: copytree copies one with all in it",
            )),
            false => fs::copy(&from, to),
        }
    })?;
    Ok(Value::Int(size as i64))
}

/// `fs.copytree(from, to)`.
pub fn copytree(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (from, to) = both("copytree", args)?;
    copy_all(context, "copytree", from.path(), to.path())?;
    Ok(Value::Nil)
}

/// Copies whatever stands at a path to one where nothing is yet.
fn copy_all(context: &mut dyn Context, function: &str, from: &Path, to: &Path) -> Outcome<()> {
    if let (Ok(from), Ok(to)) = (
        from.canonicalize(),
        to.parent().unwrap_or(to).canonicalize(),
    ) && to.starts_with(&from)
    {
        let (from, to) = (name::text(&from), name::text(&to));
        let error = io::Error::other("it would be copied into itself");
        return between(
            context,
            function,
            &Name::new(&from),
            &Name::new(&to),
            || Err(io::Error::other(error.to_string())),
        );
    }
    let mut open = vec![(from.to_path_buf(), to.to_path_buf())];
    while let Some((from, to)) = open.pop() {
        let shown = (name::text(&from), name::text(&to));
        let names = (Name::new(&shown.0), Name::new(&shown.1));
        let inner = between(context, function, &names.0, &names.1, || {
            let entries = fs::read_dir(&from)?.collect::<io::Result<Vec<_>>>()?;
            fs::create_dir(&to)?;
            Ok(entries)
        })?;
        for entry in inner {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            let shown = (name::text(&from), name::text(&to));
            let names = (Name::new(&shown.0), Name::new(&shown.1));
            let is_folder = between(context, function, &names.0, &names.1, || {
                let kind = entry.file_type()?;
                if !kind.is_dir() {
                    copy_one(&from, &to)?;
                }
                Ok(kind.is_dir())
            })?;
            if is_folder {
                open.push((from, to));
            }
            context.poll()?;
        }
    }
    Ok(())
}

/// Copies a file or a link.
fn copy_one(from: &Path, to: &Path) -> io::Result<()> {
    match from.symlink_metadata()?.is_symlink() {
        true => std::os::unix::fs::symlink(fs::read_link(from)?, to),
        false => fs::copy(from, to).map(drop),
    }
}

/// `fs.move(from, to)`.
pub fn move_to(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (from, to) = both("move", args)?;
    let there = target(from.path(), to.path());
    let moved = between(context, "move", &from, &to, || {
        match fs::rename(&from, &there) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(false),
            Err(error) => Err(error),
        }
    })?;
    if moved {
        return Ok(Value::Nil);
    }
    // On another file system it has to be made anew; what is there stays until it is whole.
    if from.path().is_dir() && !from.path().is_symlink() {
        copy_all(context, "move", from.path(), &there)?;
        between(context, "move", &from, &to, || fs::remove_dir_all(&from))?;
        return Ok(Value::Nil);
    }
    between(context, "move", &from, &to, || {
        if there.is_symlink() || from.path().is_symlink() && there.exists() {
            fs::remove_file(&there)?;
        }
        copy_one(from.path(), &there)?;
        if !from.path().is_symlink() {
            let data = from.path().metadata()?;
            let times = fs::FileTimes::new().set_modified(data.modified()?);
            // A file that may not be written keeps the time of its copy.
            if let Ok(file) = fs::File::options().write(true).open(&there) {
                file.set_times(times)?;
            }
        }
        fs::remove_file(&from)
    })?;
    Ok(Value::Nil)
}

//! The functions of `fs` that have two paths: copies and moves.

use crate::builtins::{arguments, system};
use crate::diag::{self, Field, codes};
use crate::os::name::{self, Name};
use crate::os::removal::remove_tree;
use crate::process::wait;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use crate::value::show;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
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
        if let Some(error) = wait::broken_off(&error) {
            // It was not the system.
            return Err(error.into());
        }
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
            false => copy_file(from.path(), &to),
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
    let mut made = Vec::new();
    while let Some((from, to)) = open.pop() {
        let shown = (name::text(&from), name::text(&to));
        let names = (Name::new(&shown.0), Name::new(&shown.1));
        let inner = between(context, function, &names.0, &names.1, || {
            let entries = fs::read_dir(&from)?.collect::<io::Result<Vec<_>>>()?;
            // Nobody else looks into it before it has the mode of the one that it is a copy of.
            fs::DirBuilder::new().mode(0o700).create(&to)?;
            Ok(entries)
        })?;
        made.push((from.clone(), to.clone()));
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
    // From the inside: what comes to be in a directory changes its time, and its mode may forbid it.
    for (from, to) in made.iter().rev() {
        let shown = (name::text(from), name::text(to));
        let names = (Name::new(&shown.0), Name::new(&shown.1));
        between(context, function, &names.0, &names.1, || {
            let data = from.metadata()?;
            keep_times(&data, to);
            fs::set_permissions(to, data.permissions())
        })?;
    }
    Ok(())
}

/// Copies a file or a link, with its time.
fn copy_one(from: &Path, to: &Path) -> io::Result<()> {
    let data = from.symlink_metadata()?;
    if data.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    copy_file(from, to)?;
    keep_times(&data, to);
    Ok(())
}

/// Copies what is in a file. What is none is refused before it is opened: a pipe by name has that wait for its other end.
fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let special = |kind: fs::FileType| {
        let kinds = [
            (kind.is_fifo(), "a named pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_char_device() || kind.is_block_device(), "a device"),
        ];
        kinds.into_iter().find_map(|(is, name)| is.then_some(name))
    };
    if let Some(what) = special(from.metadata()?.file_type()) {
        return Err(io::Error::other(format!("it is {what}, and no file")));
    }
    if to.metadata().is_ok_and(|there| there.file_type().is_fifo()) {
        return Err(io::Error::other("a named pipe stands there"));
    }
    fs::copy(from, to)
}

/// Gives a copy the times of what it was made of, where that may be.
fn keep_times(data: &fs::Metadata, to: &Path) {
    let mut times = fs::FileTimes::new();
    if let Ok(time) = data.modified() {
        times = times.set_modified(time);
    }
    if let Ok(time) = data.accessed() {
        times = times.set_accessed(time);
    }
    if let Ok(copy) = fs::File::open(to) {
        let _ = copy.set_times(times);
    }
}

/// Moves a file or a link to another file system: whoever looks at the target sees what was there, or all that is new.
fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let copied = tempfile::Builder::new().make_in(folder, |beside| {
        copy_one(from, beside).inspect_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(beside);
            }
        })
    })?;
    copied.persist(to).map_err(|error| error.error)?;
    fs::remove_file(from)
}

/// Makes a folder anew on another file system, beside its place first: where the copy fails (the disk is full), nothing is left of it.
fn move_folder(context: &mut dyn Context, from: &Name, to: &Name, there: &Path) -> Outcome<()> {
    let folder = match there.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // What stands there is refused before anything is copied; the renaming takes the place of an empty folder only.
    let beside = between(context, "move", from, to, || {
        match there.symlink_metadata() {
            Ok(_) => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            Err(_) => tempfile::TempDir::new_in(folder),
        }
    })?;
    let copied = beside.path().join("copy");
    copy_all(context, "move", from.path(), &copied)?;
    between(context, "move", from, to, || fs::rename(&copied, there))
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
        move_folder(context, &from, &to, &there)?;
        between(context, "move", &from, &to, || {
            remove_tree(from.path(), &mut wait::attend_carried)
        })?;
        return Ok(Value::Nil);
    }
    between(context, "move", &from, &to, || {
        move_over(from.path(), &there)
    })?;
    Ok(Value::Nil)
}

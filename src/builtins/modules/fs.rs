//! `fs`: whole files and directories. Paths are strs, also those of names that are no UTF-8 ([`crate::os::name`]).

use super::{copying, file_lock, glob, path, temporary, walk};
use crate::builtins::encoding::{Coding, OTHERS};
use crate::builtins::{Module, Table, arguments, lazy, system, text_search};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::name::{self, Name};
use crate::os::removal::remove_tree;
use crate::os::replace;
use crate::process::wait;
use crate::value::map::{Map, Table as Entries};
use crate::value::native::make_room;
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, operate, show, text};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

/// The module.
pub static MODULE: Module = Module {
    name: "fs",
    doc: "Whole files and directories.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "append" ("path", "data") append, "Adds a str or bytes at the end of a file, in one piece.";
    "chmod" ("path", "mode") chmod, "Sets who may read, write and run a file: chmod(path, 0o644).";
    "copy" ("from", "to") copying::copy, "Copies a file, into a directory when `to` is one, and gives its size.";
    "copytree" ("from", "to") copying::copytree, "Copies a directory with everything in it, modes and times too, to a path where nothing is yet.";
    "disk_usage" ("path?") disk_usage, "The bytes of the file system that the path is on, as a map: total, used, free.";
    "exists" ("path") path::exists, "Whether there is something at the path.";
    "glob" ("pattern") glob_files, "A sorted list of the paths that fit a pattern with `*`, `?`, `[abc]` and `**`; directories only when it ends with a slash.";
    "isdir" ("path") path::isdir, "Whether there is a directory at the path.";
    "isfile" ("path") path::isfile, "Whether there is a file at the path.";
    "islink" ("path") path::islink, "Whether there is a link at the path, wherever it leads.";
    "lines" ("path", "encoding?", "errors?") lines, "A list of the lines of a file, without their ends.";
    "listdir" ("path?") listdir, "A sorted list of the names in a directory.";
    "lock" ("path", "timeout?", "shared?") file_lock::lock, "Takes the lock of a file, which is made if it is not there; `with fs.lock(path) as l { ... }`. It counts between programs too.";
    "makedirs" ("path") makedirs, "Makes a directory and those around it; one that is there is fine.";
    "mkdir" ("path", "exist_ok?") mkdir, "Makes a directory.";
    "move" ("from", "to") copying::move_to, "Gives a file or directory another path, also on another file system; into a directory when `to` is one.";
    "read" ("path", "encoding?", "errors?") read, "The text of a file, in UTF-8 or another encoding.";
    "read_bytes" ("path") read_bytes, "The bytes of a file.";
    "readlink" ("path") readlink, "What a symbolic link leads to.";
    "remove" ("path") remove, "Removes a file.";
    "rename" ("from", "to") rename, "Gives a file or directory another path.";
    "rmdir" ("path") rmdir, "Removes an empty directory.";
    "rmtree" ("path") rmtree, "Removes a directory with everything in it.";
    "stat" ("path") stat, "What the system knows of a file, as a map: size, mtime, mode and more.";
    "symlink" ("target", "path") symlink, "Makes a symbolic link at a path.";
    "tempdir" ("prefix?") tempdir, "Makes a new directory that only this user can enter, and gives its path; it vanishes with this process.";
    "tempfile" ("suffix?") tempfile, "Makes a new empty file that only this user can read, and gives its path; it vanishes with this process.";
    "touch" ("path") touch, "Makes an empty file; one that is there becomes as new as now.";
    "walk" ("path?") walk_tree, "Goes through [directory, directories in it, files in it] for a directory and all below it.";
    "write" ("path", "data", "atomic?") write, "Writes a str or bytes to a file, which is made anew, and gives how many bytes; `atomic: true` changes it in one step, whatever happens meanwhile.";
};

/// Does something with the one path of a call.
fn on_path<T>(
    context: &mut dyn Context,
    function: &str,
    args: Args<'_>,
    step: fn(&Name<'_>) -> io::Result<T>,
) -> Outcome<T> {
    let path = arguments::path(function, "path", &args[0])?;
    system::retry(context, function, &path, || step(&path))
}

fn append(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (path, data) = (
        arguments::path("append", "path", &args[0])?,
        arguments::data("append", "data", &args[1])?,
    );
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND;
    let mut file = system::open(context, "append", &path, flags)?;
    match file.write_all(data) {
        Ok(()) => Ok(Value::Int(data.len() as i64)),
        Err(error) => Err(system::failed("append", &path, &error)),
    }
}

fn write(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (path, data) = (
        arguments::path("write", "path", &args[0])?,
        arguments::data("write", "data", &args[1])?,
    );
    let atomic = match arguments::given(&args[2]) {
        Some(atomic) => arguments::boolean("write", "atomic", atomic)?,
        None => false,
    };
    if atomic && replace::is_replaceable(path.path()) {
        // As `open` makes new files: readable for all, less what the umask takes.
        let mode = 0o666 & !umask();
        system::retry(context, "write", &path, || {
            replace::replace(path.path(), data, mode)
        })?;
    } else {
        let mut file = system::open(context, "write", &path, system::TO_WRITE)?;
        system::retry(context, "write", &path, || file.write_all(data))?;
    }
    Ok(Value::Int(data.len() as i64))
}

/// The bits that new files of this process do not get.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok())
        .unwrap_or(0o022)
}

fn chmod(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("chmod", "path", &args[0])?;
    let mode = arguments::size("chmod", "mode", &args[1])?;
    let Ok(mode @ 0..=0o7777) = u32::try_from(mode) else {
        return Err(arguments::refuse(
            "chmod",
            "mode",
            "must be at most 0o7777",
            &args[1],
        ));
    };
    system::retry(context, "chmod", &path, || {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
    })?;
    Ok(Value::Nil)
}

fn readlink(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let target = on_path(context, "readlink", args, |path| {
        Ok(name::text(fs::read_link(path)?))
    })?;
    Ok(Value::str(context.heap(), &target))
}

fn glob_files(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let pattern = arguments::path("glob", "pattern", &args[0])?;
    let found = glob::expand(&pattern)?;
    let heap = context.heap();
    let found = found.iter().map(|path| Value::str(heap, path)).collect();
    Ok(Value::list(heap, found))
}

/// The whole of a file.
fn contents(context: &mut dyn Context, function: &str, args: Args<'_>) -> Outcome<Vec<u8>> {
    let path = arguments::path(function, "path", &args[0])?;
    let size = system::retry(context, function, &path, || fs::metadata(&path))?.len();
    operate::within(
        function,
        usize::try_from(size).unwrap_or(usize::MAX),
        MAX_STRING,
    )?;
    let mut file = system::open(context, function, &path, system::TO_READ)?;
    make_room(
        context,
        function,
        usize::try_from(size).unwrap_or(usize::MAX),
    )?;
    let mut data = Vec::new();
    system::retry(context, function, &path, || {
        data.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
        file.read_to_end(&mut data)
    })?;
    operate::within(function, data.len(), MAX_STRING)?;
    Ok(data)
}

fn contents_text(context: &mut dyn Context, function: &str, args: Args<'_>) -> Outcome<String> {
    let coding = Coding::given(function, &args[1], &args[2])?;
    let data = contents(context, function, args)?;
    if let Some(coding) = coding {
        return coding.decode(function, &data);
    }
    String::from_utf8(data).map_err(|_| {
        let path = show::repr(args[0]);
        let message = format!("{function}: a text must be UTF-8, but {path} has other bytes");
        diag::Error::new(codes::VALUE, message)
            .with_help(format!("{OTHERS}, or use `read_bytes`"))
            .into()
    })
}

fn lines(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let whole = contents_text(context, "lines", args)?;
    text_search::strings(context, whole.lines())
}

fn read(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let whole = contents_text(context, "read", args)?;
    text::checked(context.heap(), whole)
}

fn read_bytes(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = contents(context, "read_bytes", args)?;
    Ok(Value::bytes(context.heap(), data))
}

/// The names in a directory, sorted (also `os.listdir`).
pub fn listdir(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = match arguments::given(&args[0]) {
        Some(path) => arguments::path("listdir", "path", path)?,
        None => Name::new("."),
    };
    let mut names = system::retry(context, "listdir", &path, || {
        let names = fs::read_dir(&path)?.map(|entry| Ok(name::text(entry?.file_name())));
        names.collect::<io::Result<Vec<String>>>()
    })?;
    names.sort();
    let heap = context.heap();
    let names = names.iter().map(|name| Value::str(heap, name)).collect();
    Ok(Value::list(heap, names))
}

/// Makes a directory and those around it (also `os.makedirs`).
pub fn makedirs(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    on_path(context, "makedirs", args, |path| fs::create_dir_all(path))?;
    Ok(Value::Nil)
}

/// Makes a directory (also `os.mkdir`).
pub fn mkdir(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let fine = match arguments::given(&args[1]) {
        Some(fine) => arguments::boolean("mkdir", "exist_ok", fine)?,
        None => false,
    };
    let path = arguments::path("mkdir", "path", &args[0])?;
    system::retry(context, "mkdir", &path, || match fs::create_dir(&path) {
        Err(error)
            if fine
                && error.kind() == io::ErrorKind::AlreadyExists
                && fs::metadata(&path)?.is_dir() =>
        {
            Ok(())
        }
        result => result,
    })?;
    Ok(Value::Nil)
}

/// Removes a file (also `os.remove`).
pub fn remove(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    on_path(context, "remove", args, |path| fs::remove_file(path))?;
    Ok(Value::Nil)
}

/// Gives a file or directory another path (also `os.rename`).
pub fn rename(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (from, to) = (
        arguments::path("rename", "from", &args[0])?,
        arguments::path("rename", "to", &args[1])?,
    );
    copying::between(context, "rename", &from, &to, || fs::rename(&from, &to))?;
    Ok(Value::Nil)
}

/// Removes an empty directory (also `os.rmdir`).
pub fn rmdir(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    on_path(context, "rmdir", args, |path| fs::remove_dir(path))?;
    Ok(Value::Nil)
}

fn rmtree(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    on_path(context, "rmtree", args, |path| {
        remove_tree(path.path(), &mut wait::attend_carried)
    })?;
    Ok(Value::Nil)
}

/// What the system knows of a file (also `os.stat`).
pub fn stat(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let data = on_path(context, "stat", args, |path| fs::metadata(path))?;
    let link = on_path(context, "stat", args, |path| fs::symlink_metadata(path))?.is_symlink();
    let seconds = |whole: i64, nanos: i64| Value::Float(whole as f64 + nanos as f64 / 1e9);
    let entries = [
        ("size", Value::Int(data.len() as i64)),
        ("mtime", seconds(data.mtime(), data.mtime_nsec())),
        ("atime", seconds(data.atime(), data.atime_nsec())),
        ("ctime", seconds(data.ctime(), data.ctime_nsec())),
        ("mode", Value::Int(i64::from(data.mode() & 0o7777))),
        ("uid", Value::Int(i64::from(data.uid()))),
        ("gid", Value::Int(i64::from(data.gid()))),
        ("isfile", Value::Bool(data.is_file())),
        ("isdir", Value::Bool(data.is_dir())),
        ("islink", Value::Bool(link)),
    ];
    let mut table = Entries::default();
    for (name, value) in entries {
        table.insert(Value::str(context.heap(), name), value);
    }
    Ok(Value::Map(Map::new(context.heap(), table)))
}

fn disk_usage(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = match arguments::given(&args[0]) {
        Some(path) => arguments::path("disk_usage", "path", path)?,
        None => Name::new("."),
    };
    let found = system::retry(context, "disk_usage", &path, || {
        Ok(nix::sys::statvfs::statvfs(path.path())?)
    })?;
    let bytes = |blocks: u64| {
        let bytes = u128::from(blocks) * u128::from(found.fragment_size());
        Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
    };
    let used = found.blocks().saturating_sub(found.blocks_free());
    let entries = [
        ("total", bytes(found.blocks())),
        ("used", bytes(used)),
        // What a user may still write; some is kept for the administrator.
        ("free", bytes(found.blocks_available())),
    ];
    let mut table = Entries::default();
    for (name, value) in entries {
        table.insert(Value::str(context.heap(), name), value);
    }
    Ok(Value::Map(Map::new(context.heap(), table)))
}

fn symlink(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (target, path) = (
        arguments::path("symlink", "target", &args[0])?,
        arguments::path("symlink", "path", &args[1])?,
    );
    system::retry(context, "symlink", &path, || {
        std::os::unix::fs::symlink(target.path(), path.path())
    })?;
    Ok(Value::Nil)
}

fn tempdir(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let prefix = match arguments::given(&args[0]) {
        Some(prefix) => part_of_name("tempdir", "prefix", prefix)?,
        None => "",
    };
    let path = temporary::new_path(context, "tempdir", prefix, "")?;
    let shown = name::text(&path);
    system::retry(context, "tempdir", &shown, || {
        fs::DirBuilder::new().mode(0o700).create(&path)
    })?;
    Ok(Value::str(context.heap(), &shown))
}

fn tempfile(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let suffix = match arguments::given(&args[0]) {
        Some(suffix) => part_of_name("tempfile", "suffix", suffix)?,
        None => "",
    };
    let path = temporary::new_path(context, "tempfile", "", suffix)?;
    let shown = name::text(&path);
    system::retry(context, "tempfile", &shown, || {
        OpenOptions::new().write(true).create_new(true).open(&path)
    })?;
    Ok(Value::str(context.heap(), &shown))
}

/// What becomes a part of a file's name.
fn part_of_name<'a>(function: &str, param: &str, value: &'a Value) -> Outcome<&'a str> {
    arguments::path(function, param, value)?;
    let part = arguments::text(function, param, value)?;
    match part.contains('/') {
        true => Err(arguments::refuse(
            function,
            param,
            "must have no slash",
            value,
        )),
        false => Ok(part),
    }
}

fn touch(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    on_path(context, "touch", args, |path| {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_modified(std::time::SystemTime::now())
    })?;
    Ok(Value::Nil)
}

/// Goes through a directory and all below it (also `os.walk`).
pub fn walk_tree(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = match arguments::given(&args[0]) {
        Some(path) => arguments::path("walk", "path", path)?,
        None => Name::new("."),
    };
    system::retry(context, "walk", &path, || fs::read_dir(&path))?;
    Ok(lazy::value(context, walk::Walk::new(&path)))
}

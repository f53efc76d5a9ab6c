//! `path`: paths as texts (a name that is no UTF-8 is one too, see [`crate::os::name`]). Only the functions that ask the file system touch it.

use crate::builtins::{Module, Table, arguments, system};
use crate::os::name::{self, Name};
use crate::os::user;
use crate::value::Value;
use crate::value::native::{Args, Context, Outcome};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The module.
pub static MODULE: Module = Module {
    name: "path",
    doc: "Paths of files: their parts, and what they lead to.",
    functions: FUNCTIONS,
    constants: &[("sep", |heap| Value::str(heap, "/"))],
};

static FUNCTIONS: Table = natives! {
    "abspath" ("path") abspath, "The path from the root, without `.` and `..`.";
    "basename" ("path") basename, "What stands after the last slash.";
    "dirname" ("path") dirname, "What stands before the last slash.";
    "exists" ("path") exists, "Whether there is something at the path.";
    "expanduser" ("path") expanduser, "The path with `~` at its start replaced by the home directory, `~name` by that of a user of `/etc/passwd`.";
    "isabs" ("path") isabs, "Whether the path begins at the root.";
    "isdir" ("path") isdir, "Whether there is a directory at the path.";
    "isfile" ("path") isfile, "Whether there is a file at the path.";
    "islink" ("path") islink, "Whether there is a link at the path, wherever it leads.";
    "join" ("...parts") join, "The parts with slashes between them; an absolute part begins anew.";
    "normpath" ("path") normpath, "The path without `.`, `..` and doubled slashes (but two at its beginning).";
    "parts" ("path") names_on, "A list of the names on the path, with \"/\" first when it begins at the root.";
    "realpath" ("path") realpath, "The path from the root with all links followed.";
    "relpath" ("path", "start?") relpath, "The path as seen from a directory, the current one when none is given.";
    "split" ("path") split, "A list of what stands before and after the last slash.";
    "splitext" ("path") splitext, "A list of the path without its extension, and the extension with its dot.";
    "stem" ("path") stem, "The name of the file without its extension.";
    "suffix" ("path") suffix, "The extension with its dot; empty when there is none.";
    "with_suffix" ("path", "suffix") with_suffix, "The path with another extension, which begins with a dot; without any when it is empty.";
};

fn argument<'a>(function: &str, args: Args<'a>) -> Outcome<&'a str> {
    arguments::text(function, "path", &args[0])
}

/// A path that was made of texts, as a text.
fn text(context: &mut dyn Context, path: &Path) -> Outcome {
    Ok(Value::str(context.heap(), &path.to_string_lossy()))
}

/// The path without `.`, `..` and doubled slashes, by its text alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => drop(normal.pop()),
                Some(Component::RootDir) => {}
                _ => normal.push(".."),
            },
            other => normal.push(other),
        }
    }
    if normal.as_os_str().is_empty() {
        normal.push(".");
    }
    normal
}

/// The path from the root.
fn absolute(function: &str, path: &str) -> Outcome<PathBuf> {
    let path = Path::new(path);
    if path.is_absolute() {
        return Ok(normal(path));
    }
    match std::env::current_dir() {
        Ok(current) => Ok(normal(&PathBuf::from(name::text(current)).join(path))),
        Err(error) => Err(system::failed(function, ".", &error)),
    }
}

fn abspath(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = absolute("abspath", argument("abspath", args)?)?;
    text(context, &path)
}

/// What stands before and after the last slash, as in Python: `a/` is `a` and nothing.
fn parts(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (head, tail) = path.split_at(at);
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, tail)
}

fn basename(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (_, tail) = parts(argument("basename", args)?);
    Ok(Value::str(context.heap(), tail))
}

fn dirname(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (head, _) = parts(argument("dirname", args)?);
    Ok(Value::str(context.heap(), head))
}

fn pair(context: &mut dyn Context, parts: (&str, &str)) -> Value {
    let heap = context.heap();
    let parts = vec![Value::str(heap, parts.0), Value::str(heap, parts.1)];
    Value::list(heap, parts)
}

fn split(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let parts = parts(argument("split", args)?);
    Ok(pair(context, parts))
}

/// The path without its extension, and the extension. A dot at the start of a name begins no extension.
fn extension(path: &str) -> (&str, &str) {
    let (_, name) = parts(path);
    let visible = name.trim_start_matches('.');
    match visible.rfind('.') {
        Some(at) => path.split_at(path.len() - visible.len() + at),
        None => (path, ""),
    }
}

fn splitext(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let parts = extension(argument("splitext", args)?);
    Ok(pair(context, parts))
}

/// A path without the slash that says that it is of a folder: its name counts, as in `pathlib`.
fn of_folder(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        named => named,
    }
}

fn stem(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (path, _) = extension(of_folder(argument("stem", args)?));
    Ok(Value::str(context.heap(), parts(path).1))
}

fn suffix(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (_, suffix) = extension(of_folder(argument("suffix", args)?));
    Ok(Value::str(context.heap(), suffix))
}

/// Whether there is something at the path (also `fs.exists`).
pub fn exists(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        Name::new(argument("exists", args)?).path().exists(),
    ))
}

/// Whether there is a directory at the path (also `fs.isdir`).
pub fn isdir(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        Name::new(argument("isdir", args)?).path().is_dir(),
    ))
}

/// Whether there is a file at the path (also `fs.isfile`).
pub fn isfile(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        Name::new(argument("isfile", args)?).path().is_file(),
    ))
}

/// Whether there is a link at the path (also `fs.islink`).
pub fn islink(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(
        Name::new(argument("islink", args)?).path().is_symlink(),
    ))
}

fn isabs(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(argument("isabs", args)?.starts_with('/')))
}

fn expanduser(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = argument("expanduser", args)?;
    let Some(named) = path.strip_prefix('~') else {
        return Ok(args[0]);
    };
    let (user, rest) = named.split_at(named.find('/').unwrap_or(named.len()));
    let home = match user {
        "" => user::home(None),
        named => user::home(Some(named)),
    };
    let home = home.map(name::text);
    match home {
        Some(home) => {
            let whole = [home.trim_end_matches('/'), rest].concat();
            let is_root = whole.is_empty() && home.starts_with('/');
            Ok(Value::str(
                context.heap(),
                if is_root { "/" } else { &whole },
            ))
        }
        None => Ok(args[0]),
    }
}

fn join(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut joined = String::new();
    for part in args {
        let part = arguments::text("join", "parts", part)?;
        if part.starts_with('/') {
            joined.clear();
        } else if !joined.is_empty() && !joined.ends_with('/') {
            joined.push('/');
        }
        joined.push_str(part);
    }
    Ok(Value::str(context.heap(), &joined))
}

fn normpath(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let given = argument("normpath", args)?;
    let mut path = normal(Path::new(given)).into_os_string();
    if given.starts_with("//") && !given.starts_with("///") {
        // Two slashes at the beginning, and only two, may mean something of their own, says POSIX.
        path = OsString::from_iter([OsStr::new("/"), &path]);
    }
    text(context, Path::new(&path))
}

fn realpath(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = argument("realpath", args)?;
    let real = system::retry(context, "realpath", path, || {
        std::fs::canonicalize(Name::new(path))
    })?;
    Ok(Value::str(context.heap(), &name::text(real)))
}

fn relpath(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = absolute("relpath", argument("relpath", args)?)?;
    let start = match arguments::given(&args[1]) {
        Some(start) => arguments::text("relpath", "start", start)?,
        None => ".",
    };
    let start = absolute("relpath", start)?;
    let common = path
        .components()
        .zip(start.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = start
        .components()
        .skip(common)
        .map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(path.components().skip(common)).collect();
    match relative.as_os_str().is_empty() {
        true => Ok(Value::str(context.heap(), ".")),
        false => text(context, &relative),
    }
}

fn names_on(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = argument("parts", args)?;
    let heap = context.heap();
    let parts = Path::new(path).components();
    let parts = parts.map(|part| Value::str(heap, &part.as_os_str().to_string_lossy()));
    let parts = parts.collect();
    Ok(Value::list(heap, parts))
}

fn with_suffix(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = of_folder(argument("with_suffix", args)?);
    let suffix = arguments::text("with_suffix", "suffix", &args[1])?;
    let good = suffix.is_empty() || (suffix.starts_with('.') && suffix.len() > 1);
    if !good || suffix.contains('/') {
        let rule = "must be empty or begin with a dot, such as \".txt\"";
        return Err(arguments::refuse("with_suffix", "suffix", rule, &args[1]));
    }
    if Path::new(path).file_name().is_none() {
        let rule = "must end with the name of a file";
        return Err(arguments::refuse("with_suffix", "path", rule, &args[0]));
    }
    let (path, _) = extension(path);
    text(context, Path::new(&format!("{path}{suffix}")))
}

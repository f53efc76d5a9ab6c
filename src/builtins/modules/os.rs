//! `os`: this process and its surroundings; files under Python's names.

use super::{environ, fs};
use crate::builtins::{Module, Table, arguments, system};
use crate::diag::{self, codes};
use crate::os::{name, user};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, text};
use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The module.
pub static MODULE: Module = Module {
    name: "os",
    doc: "This process and its surroundings: environment, directory, names.",
    functions: FUNCTIONS,
    constants: &[
        ("environ", environ::value),
        ("linesep", |heap| Value::str(heap, "\n")),
        ("name", |heap| Value::str(heap, "posix")),
        ("platform", |heap| Value::str(heap, env::consts::OS)),
        ("sep", |heap| Value::str(heap, "/")),
    ],
};

static FUNCTIONS: Table = natives! {
    "chdir" ("path") chdir, "Makes a directory the current one of this process.";
    "cwd" () getcwd, "The current directory.";
    "fsdecode" ("name") fsdecode, "The str of a name of a file that came as bytes (from a program, from a file): as `listdir` gives it.";
    "fsencode" ("name") fsencode, "The bytes that a name of a file has for the system: to be written to a file, to be given to a program.";
    "getcwd" () getcwd, "The current directory.";
    "getenv" ("name", "default?") getenv, "A variable of the environment; the default, or nil, when it is not set.";
    "gethostname" () gethostname, "The name of this machine.";
    "getpid" () getpid, "The id of this process.";
    "getppid" () getppid, "The id of this process's parent.";
    "getuser" () getuser, "The name of the user that this process runs for; its number when it has no name.";
    "listdir" ("path?") fs::listdir, "A sorted list of the names in a directory.";
    "makedirs" ("path") fs::makedirs, "Makes a directory and those around it; one that is there is fine.";
    "mkdir" ("path", "exist_ok?") fs::mkdir, "Makes a directory.";
    "remove" ("path") fs::remove, "Removes a file.";
    "rename" ("from", "to") fs::rename, "Gives a file or directory another path.";
    "rmdir" ("path") fs::rmdir, "Removes an empty directory.";
    "setenv" ("name", "value") setenv, "Sets a variable of the environment, for this process and the processes and programs that it starts from now on.";
    "stat" ("path") fs::stat, "What the system knows of a file, as a map.";
    "unlink" ("path") fs::remove, "Removes a file.";
    "unsetenv" ("name") unsetenv, "Takes a variable out of the environment.";
    "walk" ("path?") fs::walk_tree, "Goes through [directory, directories in it, files in it] for a directory and all below it.";
    "which" ("name") which, "The path of the program that a command of this name runs; nil when there is none.";
};

/// The value of a variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    // The system's look-up panics on names that no variable can have.
    let possible = !name.is_empty() && !name.contains(['=', '\0']);
    let value = possible.then(|| env::var_os(name::os(name))).flatten()?;
    Some(name::text(value))
}

fn chdir(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let path = arguments::path("chdir", "path", &args[0])?;
    system::retry(context, "chdir", &path, || env::set_current_dir(&path))?;
    Ok(Value::Nil)
}

fn getcwd(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let path = system::retry(context, "getcwd", ".", env::current_dir)?;
    Ok(Value::str(context.heap(), &name::text(path)))
}

fn fsdecode(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match args[0] {
        Value::Bytes(bytes) => {
            let text = name::text(OsStr::from_bytes(bytes.data()));
            text::checked(context.heap(), text)
        }
        value if value.as_str().is_some() => Ok(value),
        value => Err(arguments::wrong(
            "fsdecode",
            "name",
            "bytes or a str",
            &value,
        )),
    }
}

fn fsencode(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if let Value::Bytes(_) = args[0] {
        return Ok(args[0]);
    }
    let Some(text) = args[0].as_str() else {
        return Err(arguments::wrong(
            "fsencode",
            "name",
            "a str or bytes",
            &args[0],
        ));
    };
    let bytes = name::bytes(text).into_owned();
    Ok(Value::bytes(context.heap(), bytes))
}

fn getenv(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = arguments::text("getenv", "name", &args[0])?;
    match (variable(name), args[1]) {
        (Some(value), _) => Ok(Value::str(context.heap(), &value)),
        (None, Value::Undef) => Ok(Value::Nil),
        (None, default) => Ok(default),
    }
}

fn getuser(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let number = nix::unistd::geteuid();
    let name = user::name_of(number.as_raw());
    Ok(Value::str(
        context.heap(),
        &name.unwrap_or_else(|| number.to_string()),
    ))
}

fn setenv(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    change("setenv", &args[0], Some(&args[1]))
}

fn unsetenv(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    change("unsetenv", &args[0], None)
}

/// Sets a variable, or takes it away.
pub fn change(function: &str, name_value: &Value, value: Option<&Value>) -> Outcome {
    let name = arguments::text(function, "name", name_value)?;
    if name.is_empty() || name.contains(['=', '\0']) {
        let rule = "must be the name of a variable, without `=`";
        return Err(arguments::refuse(function, "name", rule, name_value));
    }
    let text = match value {
        Some(value) => Some(arguments::text(function, "value", value)?),
        None => None,
    };
    if let (Some(value), Some(text)) = (value, text)
        && text.contains('\0')
    {
        let rule = "must have no zero character";
        return Err(arguments::refuse(function, "value", rule, value));
    }
    if crate::os::environment::set(name, text) {
        return Ok(Value::Nil);
    }
    let message =
        format!("{function}: the environment of a process with threads cannot be changed");
    Err(diag::Error::new(codes::NOT_SUPPORTED, message).into())
}

fn which(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let name = arguments::path("which", "name", &args[0])?;
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let found = match name.contains('/') {
        true => Some(name.path().to_path_buf()).filter(|path| runs(path)),
        false => {
            let folders = env::var_os("PATH").unwrap_or_default();
            let mut paths = env::split_paths(&folders).map(|folder| folder.join(name.path()));
            paths.find(|path| runs(path))
        }
    };
    Ok(match found {
        Some(path) => Value::str(context.heap(), &name::text(path)),
        None => Value::Nil,
    })
}

fn gethostname(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    const FILE: &str = "/proc/sys/kernel/hostname";
    let name = system::retry(context, "gethostname", FILE, || {
        std::fs::read_to_string(FILE)
    })?;
    Ok(Value::str(context.heap(), name.trim()))
}

fn getpid(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Int(i64::from(std::process::id())))
}

fn getppid(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Int(i64::from(std::os::unix::process::parent_id())))
}

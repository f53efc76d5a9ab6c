//! Which file a program's name means, and what is wrong when there is none.

use super::command::Stage;
use crate::diag::{Error, Field, Result, codes, did_you_mean};
use crate::os::name::Name;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for when there is no `PATH`.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file of a stage's program: a name with a `/` is a path (from the folder that the program runs in), any other is looked
/// for in the folders of `PATH`.
///
/// # Errors
/// There is none, or it is no program.
pub(super) fn find(stage: &Stage) -> Result<CString> {
    let name = stage.words.first().map_or(&[][..], Vec::as_slice);
    if name.is_empty() {
        return Err(Error::new(
            codes::VALUE,
            "a command must begin with the name of a program, but it is empty",
        ));
    }
    let path = match name.contains(&b'/') {
        true => given(stage, name)?,
        false => search(stage, name)?,
    };
    CString::new(path.into_os_string().into_encoded_bytes()).map_err(|_| no_zeros())
}

/// Arguments of programs end where a zero byte is.
pub(super) fn no_zeros() -> Box<Error> {
    let message = "a word of a command must not have a zero byte in it, but one has";
    Error::new(codes::VALUE, message)
}

fn given(stage: &Stage, name: &[u8]) -> Result<PathBuf> {
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(name));
    let from = match &stage.folder {
        Some(folder) if path.is_relative() => Name::new(folder).path().join(&path),
        _ => path.clone(),
    };
    match std::fs::metadata(&from) {
        // The kernel says that the folder is none.
        Err(_) if !has_folder(stage) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing(stage, None)),
        Ok(data) if data.is_dir() || data.permissions().mode() & 0o111 == 0 => {
            Err(not_executable(&from, data.is_dir()))
        }
        // Whatever else is wrong, the kernel says when it is executed.
        _ => Ok(path),
    }
}

/// Whether the folder that it is to run in is there.
fn has_folder(stage: &Stage) -> bool {
    let folder = stage.folder.as_deref();
    folder.is_none_or(|folder| Name::new(folder).path().is_dir())
}

fn search(stage: &Stage, name: &[u8]) -> Result<PathBuf> {
    let folders = stage.variable("PATH").unwrap_or_else(|| USUAL.into());
    let mut refused = None;
    for folder in std::env::split_paths(&folders) {
        let path = folder.join(std::ffi::OsStr::from_bytes(name));
        // It is executed in the folder that the program runs in.
        let seen = match &stage.folder {
            Some(within) if path.is_relative() => Name::new(within).path().join(&path),
            _ => path.clone(),
        };
        match std::fs::metadata(&seen) {
            Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => {
                return Ok(path);
            }
            Ok(data) if data.is_file() => refused = refused.or(Some(path)),
            _ => {}
        }
    }
    Err(match refused {
        Some(path) => not_executable(&path, false),
        None => missing(stage, Some(&folders)),
    })
}

/// What to write instead of a word that only a shell knows.
fn of_the_shell(stage: &Stage, name: &str) -> Option<String> {
    let words = stage.words.iter().skip(1);
    let words: Vec<String> = words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let first = words.first().map_or("", String::as_str);
    if let Some((variable, value)) = name.split_once('=')
        && variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    {
        return Some(format!(
            "a variable is set by a method: `...`.env({{{variable}: \"{value}\"}})"
        ));
    }
    if let Some((left, right)) = name.split_once('|').filter(|(left, _)| !left.is_empty()) {
        return Some(format!("commands are joined outside: `{left}` | `{right}`"));
    }
    if name.contains([';', '&', '>', '<']) {
        let text = stage.text().replace('\'', "");
        return Some(format!(
            "only a shell knows what that means: sh(\"{text}\")"
        ));
    }
    let help = match name {
        "cd" => format!("a folder is set by a method: `...`.cwd(\"{first}\"), or for the script: os.chdir(\"{first}\")"),
        "export" | "set" | "unset" => {
            "a variable is set by a method: `...`.env({NAME: \"value\"}), or for the script: os.setenv(name, value)".into()
        }
        "source" | "." | "eval" | "alias" | "ulimit" | "umask" | "trap" | "exec" | "shopt" | "declare" | "local" => {
            format!("only a shell knows it: sh(\"{}\")", stage.text().replace('\'', ""))
        }
        "exit" | "return" => "leave the script by exit(code)".into(),
        "wait" | "jobs" | "fg" | "bg" => "`join p` waits for what `spawn` gave".into(),
        _ => return None,
    };
    Some(help)
}

/// The program whose name is next, or what else can be done.
fn nearest(name: &str, folders: &OsString) -> String {
    let known = programs_in(folders);
    // A short name is near to many.
    let edits = |known: &&String| known.chars().count().abs_diff(name.chars().count()) <= 1;
    let near = known.iter().filter(edits).map(String::as_str);
    match (did_you_mean(name, near), name.contains(char::is_whitespace)) {
        (Some(found), _) => found,
        (None, true) => "a word with blanks is one name; write {list} for several words".into(),
        (None, false) => "install it, or write its path".into(),
    }
}

/// The interpreter that the first line of a script names.
fn interpreter(path: &CString) -> Option<String> {
    use std::io::Read;
    let file = std::fs::File::open(std::ffi::OsStr::from_bytes(path.as_bytes())).ok()?;
    let mut start = Vec::new();
    file.take(256).read_to_end(&mut start).ok()?;
    let line = start
        .strip_prefix(b"#!")?
        .split(|&byte| byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(str::to_string)
}

/// The error of a program that does not exist; `folders` are those it was looked for in.
fn missing(stage: &Stage, folders: Option<&OsString>) -> Box<Error> {
    let name = stage.words.first().map_or(&[][..], Vec::as_slice);
    let name = String::from_utf8_lossy(name).into_owned();
    let (place, help) = match folders {
        Some(folders) => {
            let help = match of_the_shell(stage, &name) {
                Some(help) => help,
                None => nearest(&name, folders),
            };
            (" in the folders of PATH", help)
        }
        None => (
            "",
            String::from("check the path: it is taken from the folder that the command runs in"),
        ),
    };
    let message = format!("a program is needed, but there is no `{name}`{place}");
    Error::new(codes::NOT_FOUND, message)
        .with_field("program", Field::Text(name))
        .with_help(help)
}

fn not_executable(path: &Path, is_folder: bool) -> Box<Error> {
    let shown = path.display().to_string();
    let (reason, help) = match is_folder {
        true => ("is a folder", "name a file in it".to_string()),
        false => (
            "may not be executed",
            format!("chmod +x {shown}, or name the program that reads it: `sh {shown}`"),
        ),
    };
    let message = format!("a program is needed, but `{shown}` {reason}");
    Error::new(codes::NOT_EXECUTABLE, message)
        .with_field("program", Field::Text(shown))
        .with_help(help)
}

/// The error of a file that the kernel did not execute.
pub(super) fn refused(stage: &Stage, path: &CString, errno: i32) -> Box<Error> {
    let shown = path.to_string_lossy().into_owned();
    let help = match errno {
        libc::ENOEXEC => "begin it with a line like #!/bin/sh",
        libc::ENOENT => match interpreter(path) {
            Some(program) if program.ends_with('\r') => {
                "its first line ends in a carriage return, as files of Windows do: the system takes that for a part of the name; sed -i 's/\\r$//' takes them away"
            }
            Some(program) => &format!("its first line names `{program}`, which does not exist"),
            None => "the loader that it names does not exist",
        },
        libc::EACCES => "look at the rights of the file and of its folders",
        libc::E2BIG => {
            "give it less: its arguments and environment are too long for the system (use .input(...))"
        }
        _ => "the system refuses it",
    };
    let reason = std::io::Error::from_raw_os_error(errno).to_string();
    let reason = reason
        .split(" (os error")
        .next()
        .unwrap_or("")
        .to_lowercase();
    let code = match errno {
        libc::E2BIG => codes::LIMIT,
        _ => codes::NOT_EXECUTABLE,
    };
    let name = stage.words.first().map_or(&[][..], Vec::as_slice);
    let name = String::from_utf8_lossy(name).into_owned();
    let message = format!("a program is needed, but `{shown}` cannot be executed: {reason}");
    Error::new(code, message)
        .with_field("program", Field::Text(name))
        .with_help(help)
}

/// The names of the programs in some folders.
fn programs_in(folders: &OsString) -> Vec<String> {
    let entries = std::env::split_paths(folders)
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten());
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell_lead_to_what_par_has_for_them() {
        let help = |words: &[&str]| {
            let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            let stage = Stage {
                words,
                ..Stage::default()
            };
            of_the_shell(&stage, &String::from_utf8_lossy(&stage.words[0])).unwrap_or_default()
        };
        assert!(help(&["cd", "/tmp"]).contains(".cwd(\"/tmp\")"));
        assert!(help(&["export", "X=1"]).contains(".env("));
        assert!(help(&["FOO=1", "env"]).contains(".env({FOO: \"1\"})"));
        assert!(help(&["ls|wc"]).ends_with("`ls` | `wc`"));
        assert!(help(&["a&&b"]).ends_with("sh(\"a&&b\")"));
        assert!(help(&["source", "x.sh"]).ends_with("sh(\"source x.sh\")"));
        assert_eq!(help(&["gti"]), "");
    }
}

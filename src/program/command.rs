//! A command: programs with their arguments and what surrounds them, before anything runs.

use crate::os::program::{Bounds, Ids};
use crate::os::terminal;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

/// Characters of a command's text that messages show.
const SHOWN: usize = 100;

/// One program of a command.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// The program's name or path, and its arguments: whatever bytes but zeros.
    pub words: Vec<Vec<u8>>,
    /// Changes of the environment, in order; `None` takes a variable away.
    pub environment: Vec<(String, Option<String>)>,
    /// It begins with an empty environment.
    pub bare: bool,
    /// The folder that it runs in.
    pub folder: Option<String>,
    /// Where its standard error goes.
    pub errors: Errors,
    /// What the system holds it to.
    pub bounds: Bounds,
    /// Whose rights it has, if not those of this process.
    pub user: Option<User>,
    /// It runs in a session of its own: no key of a terminal reaches it.
    pub alone: bool,
    /// The name that it sees of itself, if not the first word.
    pub called: Option<Vec<u8>>,
    /// The codes other than 0 that it may leave with.
    pub allowed: Vec<i32>,
    /// What messages call it in a pipeline, if not by its text.
    pub name: Option<String>,
}

/// Whose rights a program has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What messages call it.
    pub name: String,
    /// Its numbers.
    pub ids: Ids,
}

/// Where the standard error of a stage goes.
#[derive(Clone, Debug, Default)]
pub enum Errors {
    /// To that of this process; where output is captured, its end is kept for the error.
    #[default]
    Default,
    /// Where its standard output goes.
    Merged,
    /// Somewhere else.
    To(Output),
}

/// A terminal that a program gets for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terminal {
    /// How wide.
    pub columns: u16,
    /// How high.
    pub rows: u16,
    /// Whether it shows what is typed.
    pub echo: bool,
}

/// Where a command's output goes.
#[derive(Clone, Debug, Default)]
pub enum Output {
    /// To that of this process, or to who captures it.
    #[default]
    Default,
    /// Nowhere.
    Nothing,
    /// To a file, anew or at its end.
    Path {
        /// The file.
        path: String,
        /// At its end.
        append: bool,
    },
    /// To an open file.
    File(Rc<File>),
}

impl Output {
    /// Whether both go to a file of one path.
    pub fn is_path_of(&self, other: &Output) -> bool {
        match (self, other) {
            (Output::Path { path, .. }, Output::Path { path: other, .. }) => path == other,
            _ => false,
        }
    }
}

/// Where a command's input comes from.
#[derive(Clone, Debug, Default)]
pub enum Input {
    /// From that of this process; a command in the background gets none.
    #[default]
    Default,
    /// From nowhere.
    Nothing,
    /// These bytes.
    Bytes(Rc<[u8]>),
    /// From a file.
    Path(String),
    /// From an open file.
    File(Rc<File>),
    /// From whoever runs it, piece by piece.
    Fed,
}

/// One program, or several whose outputs are the inputs of the next.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// The programs, at least one.
    pub stages: Vec<Stage>,
    /// The input of the first.
    pub input: Input,
    /// The output of the last.
    pub output: Output,
    /// Where that goes as well.
    pub tees: Vec<Output>,
    /// What of its streams goes nowhere else is a terminal of its own.
    pub terminal: Option<Terminal>,
    /// Seconds that it may take.
    pub timeout: Option<f64>,
    /// What messages and process handles call it.
    pub name: Option<String>,
}

impl Command {
    /// Bytes of memory that its input takes, divided among those that share it.
    pub fn bytes(&self) -> usize {
        match &self.input {
            Input::Bytes(data) => data.len() / Rc::strong_count(data),
            _ => 0,
        }
    }

    /// A command of one program.
    pub fn new(words: Vec<Vec<u8>>) -> Command {
        let stage = Stage {
            words,
            ..Stage::default()
        };
        Command {
            stages: vec![stage],
            ..Command::default()
        }
    }

    /// How messages call it: its name, or its text as a shell would take it.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => clip(self.text()),
        }
    }

    /// Whether its programs, in the foreground, have the terminal that this process has, its keys included.
    pub fn shares_terminal(&self) -> bool {
        matches!(self.input, Input::Default)
            && self.terminal.is_none()
            && !self.stages.iter().any(|stage| stage.alone)
            && terminal::is_terminal(0)
    }

    /// Its text as a shell would take it.
    pub fn text(&self) -> String {
        let stages: Vec<String> = self.stages.iter().map(Stage::text).collect();
        stages.join(" | ")
    }
}

impl Stage {
    /// How messages call it in a pipeline.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => clip(self.text()),
        }
    }

    /// Its text as a shell would take it.
    pub fn text(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// Whether its standard error goes where nobody has sent it.
    pub fn complains(&self) -> bool {
        matches!(self.errors, Errors::Default)
    }

    /// The value of a variable in its environment.
    pub fn variable(&self, name: &str) -> Option<std::ffi::OsString> {
        let changed = self.environment.iter().rev().find(|(key, _)| key == name);
        match changed {
            Some((_, value)) => value
                .as_ref()
                .map(|value| crate::os::name::os(value).into_owned()),
            None if self.bare => None,
            None => std::env::var_os(name),
        }
    }
}

/// A word as a shell would have to be given it.
fn quoted(word: &[u8]) -> String {
    let text = crate::os::name::text(OsStr::from_bytes(word));
    let plain = |c: char| c.is_alphanumeric() || "_-./:=,+@%^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn clip(text: String) -> String {
    let line = text.replace('\n', " ");
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_could_be_given_to_a_shell() {
        let words: [&[u8]; 4] = [b"git", b"commit", b"-m", b"it's done; rm *"];
        let command = Command::new(words.map(<[u8]>::to_vec).to_vec());
        assert_eq!(command.label(), r"git commit -m 'it'\''s done; rm *'");
    }
}

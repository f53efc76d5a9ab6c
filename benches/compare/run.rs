//! Finds the peers and runs their programs.

use super::rows::{Clock, Row};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A language of the comparison; the order is that of the table's columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    Par,
    C,
    CPython,
    Lua,
    Sh,
    Loky,
    Mpire,
}

impl Peer {
    pub const ALL: [Peer; 7] = [
        Peer::Par,
        Peer::C,
        Peer::CPython,
        Peer::Lua,
        Peer::Sh,
        Peer::Loky,
        Peer::Mpire,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Peer::Par => "Par",
            Peer::C => "C",
            Peer::CPython => "CPython",
            Peer::Lua => "Lua",
            Peer::Sh => "sh",
            Peer::Loky => "loky",
            Peer::Mpire => "mpire",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Peer::Par => "par",
            Peer::C => "c",
            Peer::CPython => "py",
            Peer::Lua => "lua",
            Peer::Sh => "sh",
            Peer::Loky => "loky.py",
            Peer::Mpire => "mpire.py",
        }
    }

    /// The Python package that it is, if it is one.
    fn package(self) -> Option<&'static str> {
        match self {
            Peer::Loky => Some("loky"),
            Peer::Mpire => Some("mpire"),
            _ => None,
        }
    }

    /// The programs that can run or compile it; the first that is there is taken.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Peer::Par => &[env!("CARGO_BIN_EXE_par")],
            Peer::C => &["cc"],
            Peer::CPython | Peer::Loky | Peer::Mpire => &["python3"],
            Peer::Lua => &["lua5.4", "lua"],
            Peer::Sh => &["sh"],
        }
    }
}

/// When a program counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// The peers that are installed.
pub struct Peers {
    found: [Option<PathBuf>; Peer::ALL.len()],
    /// Compiled programs, removed at the end.
    folder: PathBuf,
    problems: BTreeSet<String>,
}

impl Peers {
    pub fn find() -> Peers {
        let folder = std::env::temp_dir().join(format!("par-compare-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the C programs can be made");
        Peers {
            found: Peer::ALL.map(|peer| {
                let mut programs = peer.programs().iter();
                let found = programs.find_map(|program| in_path(program));
                found.filter(|python| {
                    let import = |package| format!("import {package}");
                    let is_there = |package| {
                        output_of(Command::new(python).args(["-c", &import(package)])).is_ok()
                    };
                    peer.package().is_none_or(is_there)
                })
            }),
            folder,
            problems: BTreeSet::new(),
        }
    }

    /// The peers that are not installed.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = Peer::ALL.into_iter().zip(&self.found);
        all.filter(|(_, found)| found.is_none())
            .map(|(peer, _)| peer.title())
            .collect()
    }

    /// What went wrong, to be told under the table.
    pub fn problems(&self) -> impl Iterator<Item = &String> {
        self.problems.iter()
    }

    /// One measurement; `None` when the peer has no such program, is not installed, or failed.
    pub fn measure(&mut self, peer: Peer, row: &Row) -> Option<f64> {
        let source = programs()
            .join(row.program)
            .with_extension(peer.extension());
        let found = self.found[peer as usize].clone()?;
        if !source.exists() {
            return None;
        }
        let measured = match peer {
            Peer::C => self
                .compiled(&found, &source)
                .and_then(|program| timed(&mut Command::new(program), row)),
            // The real interpreter: a version manager's wrapper would be measured with it.
            _ => timed(Command::new(found).arg(&source), row),
        };
        measured
            .map_err(|problem| {
                self.problems
                    .insert(format!("{} by {}: {problem}", row.name, peer.title()))
            })
            .ok()
    }

    fn compiled(&self, compiler: &Path, source: &Path) -> Result<PathBuf, String> {
        let name = source.file_stem().ok_or("a program without a name")?;
        let program = self.folder.join(name);
        if program.exists() {
            return Ok(program);
        }
        let mut compile = Command::new(compiler);
        compile
            .args(["-O2", "-pthread", "-o"])
            .arg(&program)
            .arg(source);
        output_of(&mut compile).map(|_| program)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/programs")
}

/// The program of that name; for Python the interpreter itself and not a version manager's script around it.
fn in_path(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())?;
    if program != "python3" {
        return Some(found);
    }
    let real = output_of(Command::new(&found).args(["-c", "import sys; print(sys.executable)"]));
    real.ok().map(|text| PathBuf::from(text.trim()))
}

fn timed(command: &mut Command, row: &Row) -> Result<f64, String> {
    command.args(row.args);
    let Clock::Whole(runs) = row.clock else {
        let text = output_of(command)?;
        let number = text.trim().parse();
        return number.map_err(|_| format!("expected a number, printed {text:?}"));
    };
    let mut least = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        output_of(command)?;
        least = least.min(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(least)
}

fn output_of(command: &mut Command) -> Result<String, String> {
    let stdio = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = stdio.spawn().map_err(|error| error.to_string())?;
    let pid = Pid::from_raw(child.id() as i32);
    let (send, ended) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let late = ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if late {
            // Its children end with it, or it would not be worth waiting for.
            let _ = kill(pid, Signal::SIGKILL);
        }
        late
    });
    let output = child.wait_with_output();
    drop(send);
    if watchdog.join().unwrap_or(true) {
        return Err(format!("still running after {} s", PATIENCE.as_secs()));
    }
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        return Err(format!("{}: {}", output.status, line.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

//! Runs one program under a watchdog, in a process group of its own, and looks for processes it left behind.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a run did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Everything it printed.
    pub stdout: String,
    /// Everything it reported.
    pub stderr: String,
    /// The exit status; minus the signal's number after a death by signal.
    pub exit: i32,
    /// The watchdog had to end it.
    pub timed_out: bool,
    /// Processes of this run that were still there after its end, as `pid (command)`.
    pub leftovers: Vec<String>,
}

impl Outcome {
    /// What no program may do, whatever it says and whoever was killed: hang, leave something behind, panic.
    pub fn broken_promise(&self) -> Option<String> {
        if self.timed_out {
            return Some("it hangs".to_string());
        }
        if !self.leftovers.is_empty() {
            return Some(format!("left behind: {}", self.leftovers.join(", ")));
        }
        let internal = ["panicked", "InternalError"];
        internal
            .iter()
            .find(|word| self.stderr.contains(**word))
            .map(|word| format!("standard error says `{word}`"))
    }
}

/// The environment variable by which the processes of one run are found, whatever group or session they are in.
const MARK: &str = "PAR_TEST_RUN";

/// How long an ended tree may take to vanish from the process table before it counts as left behind.
const VANISH: Duration = Duration::from_secs(3);

/// Runs the `par` binary with these arguments in `folder`, ends it after `timeout`, and collects everything it did.
/// `PAR_TEST_BINARY` names another binary than the one built for the test: a release build, for example.
pub fn run_par(folder: &Path, args: &[String], stdin: &str, timeout: Duration) -> Outcome {
    let other = std::env::var("PAR_TEST_BINARY").ok();
    let program = other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_par"));
    run(program, folder, args, stdin, timeout)
}

/// The same for any program.
pub fn run(
    program: &str,
    folder: &Path,
    args: &[String],
    stdin: &str,
    timeout: Duration,
) -> Outcome {
    run_disturbed(program, folder, args, stdin, timeout, |_| {})
}

/// The same, with something that happens to it meanwhile. What it is given lists the processes of the run, the first one
/// included.
pub fn run_disturbed(
    program: &str,
    folder: &Path,
    args: &[String],
    stdin: &str,
    timeout: Duration,
    disturb: impl FnOnce(&dyn Fn() -> Vec<Pid>),
) -> Outcome {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    let mark = format!("{MARK}={}-{number}", std::process::id());
    let value = mark.split_once('=').unwrap().1;
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());

    let mut child = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env(MARK, value)
        .env_remove("PAR_COLOR")
        .stdin(with_text(stdin))
        .stdout(stdout.try_clone().unwrap())
        .stderr(stderr.try_clone().unwrap())
        .process_group(0)
        .spawn()
        .expect("the program starts");
    let group = Pid::from_raw(child.id() as i32);

    let (send, ended) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let _ = send.send(child.wait());
    });
    disturb(&|| {
        processes_marked(&mark)
            .into_iter()
            .map(|(pid, _)| pid)
            .collect()
    });
    let mut outcome = Outcome::default();
    match ended.recv_timeout(timeout) {
        Ok(status) => outcome.exit = exit_number(status.expect("the child can be waited for")),
        Err(_) => {
            outcome.timed_out = true;
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
    waiter.join().unwrap();
    if outcome.timed_out {
        end(&processes_marked(&mark));
    } else {
        outcome.leftovers = wait_until_gone(&mark);
    }
    outcome.stdout = text_of(&mut stdout);
    outcome.stderr = text_of(&mut stderr);
    outcome
}

/// An input that ends after the text, without a thread that feeds it.
fn with_text(text: &str) -> Stdio {
    if text.is_empty() {
        return Stdio::null();
    }
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file.into()
}

fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn exit_number(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => -signal,
        (None, None) => unreachable!("an ended process has a code or a signal"),
    }
}

/// Waits for the rest of the tree to vanish; what stays is ended and named.
fn wait_until_gone(mark: &str) -> Vec<String> {
    let started = Instant::now();
    loop {
        let found = processes_marked(mark);
        if found.is_empty() {
            return Vec::new();
        }
        if started.elapsed() > VANISH {
            end(&found);
            return found
                .iter()
                .map(|(pid, command)| format!("{pid} ({command})"))
                .collect();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn end(processes: &[(Pid, String)]) {
    for (pid, _) in processes {
        let _ = kill(*pid, Signal::SIGKILL);
    }
}

/// The processes whose environment carries the mark. Zombies have no environment any more and do not count.
fn processes_marked(mark: &str) -> Vec<(Pid, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else {
            continue;
        };
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
        {
            let command = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push((Pid::from_raw(pid), command.trim_end().to_string()));
        }
    }
    found
}

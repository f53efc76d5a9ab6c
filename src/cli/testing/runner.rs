//! Starts a process for each test, reads what it prints, and ends it when its time is over.

use super::{Ended, Test, Verdict};
use crate::os::{fork, signal};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is kept of a test's output, in bytes: the end of it.
const MAX_OUTPUT: usize = 256 * 1024;
/// How long a test may go on after it was interrupted, so that it can tell where it stood.
const GRACE: Duration = Duration::from_secs(2);
/// How often ends are looked for where the kernel cannot tell of them.
const LOOK: Duration = Duration::from_millis(10);

/// A test that runs.
struct Running {
    test: Test,
    child: Child,
    /// Becomes readable when the child ends; none on old kernels.
    watch: Option<OwnedFd>,
    /// Both of its output streams.
    output: PipeReader,
    open: bool,
    text: Vec<u8>,
    cut: bool,
    begin: Instant,
    deadline: Instant,
    /// It was asked to end.
    ending: Option<Why>,
}

/// Why a test was asked to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Time,
    /// Ctrl-C.
    Interrupt,
}

/// Tests that were run, or not: Ctrl-C came.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Ctrl-C came.
    pub(super) interrupted: bool,
    /// So many tests were not started.
    pub(super) left: usize,
}

/// Runs tests, so many at once, and tells of each when it has ended.
///
/// # Errors
/// A process could not be started, or not be watched.
pub(super) fn run(
    tests: Vec<Test>,
    jobs: usize,
    timeout: Duration,
    mut tell: impl FnMut(Ended),
) -> io::Result<Run> {
    signal::watch_interrupt_alone();
    let mut run = Run::default();
    let mut waiting = VecDeque::from(tests);
    let mut running: Vec<Running> = Vec::new();
    let program = std::env::current_exe()?;
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < jobs
            && let Some(test) = waiting.pop_front()
        {
            running.push(Running::start(&program, test, timeout)?);
        }
        wait(&running)?;
        if signal::take(signal::INTERRUPTED) != 0 {
            run.interrupted = true;
            run.left = waiting.len();
            waiting.clear();
            for test in &mut running {
                test.interrupt(Why::Interrupt);
                test.deadline = Instant::now() + GRACE;
            }
        }
        let mut at = 0;
        while at < running.len() {
            running[at].read();
            match running[at].ended()? {
                Some(ended) => {
                    running.swap_remove(at);
                    tell(ended);
                }
                None => at += 1,
            }
        }
    }
    Ok(run)
}

/// Waits until one of them ends or prints, or its time is over.
fn wait(running: &[Running]) -> io::Result<()> {
    let mut fds = Vec::new();
    let now = Instant::now();
    let mut least = Duration::from_secs(3600);
    for test in running {
        if test.open {
            fds.push(PollFd::new(test.output.as_fd(), PollFlags::POLLIN));
        }
        match &test.watch {
            Some(watch) => fds.push(PollFd::new(watch.as_fd(), PollFlags::POLLIN)),
            None => least = least.min(LOOK),
        }
        least = least.min(test.deadline.saturating_duration_since(now));
    }
    let millis = u16::try_from(least.as_millis() + 1).unwrap_or(u16::MAX);
    match poll(&mut fds, PollTimeout::from(millis)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Running {
    fn start(program: &std::path::Path, test: Test, timeout: Duration) -> io::Result<Running> {
        let (output, write) = io::pipe()?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut command = Command::new(program);
        command
            .arg("test")
            .arg("--child")
            .arg(test.index.to_string());
        // A file may be called like an option.
        command.arg("--").arg(&test.file);
        command.stdin(Stdio::null());
        command.stdout(write.try_clone()?).stderr(write);
        // Ctrl-C of the terminal comes to us alone, and we pass it on: twice would kill it.
        command.process_group(0);
        let begin = Instant::now();
        let child = command.spawn()?;
        // The command holds the ends of the pipe that the child writes to.
        drop(command);
        let watch = fork::watch_child(child.id() as i32);
        Ok(Running {
            test,
            child,
            watch,
            output,
            open: true,
            text: Vec::new(),
            cut: false,
            begin,
            deadline: begin + timeout,
            ending: None,
        })
    }

    /// Takes what it has printed.
    fn read(&mut self) {
        let mut buffer = [0; 64 * 1024];
        while self.open {
            match self.output.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(count) => self.text.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.open = error.kind() == io::ErrorKind::WouldBlock;
                    break;
                }
            }
            if self.text.len() > 2 * MAX_OUTPUT {
                self.text.drain(..self.text.len() - MAX_OUTPUT);
                self.cut = true;
                // A test that prints for ever must not keep the others from being looked at.
                break;
            }
        }
    }

    /// How it ended, if it has; interrupts it when its time is over, and kills it when that does not help.
    fn ended(&mut self) -> io::Result<Option<Ended>> {
        if let Some(status) = self.child.try_wait()? {
            self.read();
            let verdict = match (self.ending, status.success()) {
                (Some(Why::Time), _) => Verdict::TimedOut,
                (Some(Why::Interrupt), false) => Verdict::Interrupted,
                (_, true) => Verdict::Passed,
                (None, false) => Verdict::Failed,
            };
            let mut output = String::from_utf8_lossy(&self.text).into_owned();
            if self.ending == Some(Why::Time) {
                // It was not the user who interrupted it.
                output =
                    output.replacen("interrupted by Ctrl-C", "the time of the test was over", 1);
            }
            if self.cut {
                output.insert_str(0, "... (the beginning is left out)\n");
            }
            if let (Verdict::Failed, Some(signal)) = (verdict, signal_of(status)) {
                output.push_str(&format!("ended by the signal {signal}\n"));
            }
            return Ok(Some(Ended {
                test: self.test.clone(),
                verdict,
                took: self.begin.elapsed(),
                output,
            }));
        }
        if Instant::now() >= self.deadline {
            match self.ending {
                None => self.interrupt(Why::Time),
                Some(_) => self.child.kill()?,
            }
            self.deadline += GRACE;
        }
        Ok(None)
    }

    /// Has it report where it stands; what it started ends with it.
    fn interrupt(&mut self, why: Why) {
        if self.ending.is_none() {
            fork::send_signal(self.child.id() as i32, nix::libc::SIGINT);
            self.ending = Some(why);
        }
    }
}

fn signal_of(status: std::process::ExitStatus) -> Option<String> {
    let number = std::os::unix::process::ExitStatusExt::signal(&status)?;
    Some(crate::os::signal::name_of(number))
}

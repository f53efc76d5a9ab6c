//! `par FILE`, `par -`, `par -e CODE`, `par check`.

use super::USAGE;
use super::report::Reporter;
use crate::builtins::pool::stats;
use crate::check::Mode;
use crate::diag::{self, codes};
use crate::driver::Driver;
use crate::os::{fork, name, signal, terminal};
use crate::process::{finish, signals};
use crate::source::Source;
use crate::value::native::{Fault, Outcome};
use crate::vm;
use nix::sys::signal::Signal;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

/// Where a script comes from.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Standard,
    /// The command line itself.
    Code(String),
}

impl Input {
    /// A script as it is named on the command line: `-` is standard input.
    pub(super) fn named(file: &OsStr) -> Input {
        if file == "-" {
            return Input::Standard;
        }
        Input::File(PathBuf::from(file))
    }

    /// Registers the text.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn load(&self, driver: &mut Driver) -> diag::Result<Arc<Source>> {
        match self {
            Input::File(path) => driver.load(path),
            Input::Code(code) => Ok(driver.add("<-e>", code.as_str())),
            Input::Standard => {
                let mut bytes = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut bytes);
                let text = read.and_then(|_| {
                    String::from_utf8(bytes)
                        .map_err(|_| std::io::Error::other("expected UTF-8, found other bytes"))
                });
                let text = text.map_err(|error| {
                    let message = format!("cannot read standard input: {error}");
                    diag::Error::new(codes::IO, message)
                })?;
                Ok(driver.add("<stdin>", text))
            }
        }
    }

    /// The file that its imports are relative to.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Input::File(path) => Some(path),
            Input::Standard | Input::Code(_) => None,
        }
    }
}

/// Runs a script to its end.
pub(super) fn script(input: &Input, args: &[OsString], reporter: &Reporter) -> ExitCode {
    execute(&mut Driver::new(), Mode::Script, input, args, reporter)
}

/// Runs a script to its end on a driver that may be used on; [`Mode::Prompt`] keeps what it declares.
pub(super) fn execute(
    driver: &mut Driver,
    mode: Mode,
    input: &Input,
    args: &[OsString],
    reporter: &Reporter,
) -> ExitCode {
    driver.machine().hooks.arguments = args.iter().map(name::text).collect();
    let source = match input.load(driver) {
        Ok(source) => source,
        Err(error) => {
            reporter.report(&error, driver.sources());
            return ExitCode::from(USAGE);
        }
    };
    let compiled = driver.compile(&source, mode, input.file());
    reporter.report_all(&driver.take_warnings(), driver.sources());
    let program = match compiled {
        Ok(program) => program,
        Err(errors) => {
            reporter.report_all(&errors, driver.sources());
            return ExitCode::from(USAGE);
        }
    };
    signal::watch_interrupt();
    if mode != Mode::Prompt {
        signal::bound_interrupt();
    }
    tell_failures(driver, reporter);
    let outcome = driver.run(&program);
    end(outcome, driver, reporter)
}

/// Runs one test of a file behind the file's own body: `par test` starts this for each.
pub(super) fn one_test(file: &Path, index: usize, reporter: &Reporter) -> ExitCode {
    fork::die_with_parent();
    let mut driver = Driver::new();
    let loaded = driver.load(file).map_err(|error| vec![*error]);
    let compiled = loaded.and_then(|source| driver.compile_test(&source, file, index));
    let program = match compiled {
        Ok(program) => program,
        Err(errors) => {
            reporter.report_all(&errors, driver.sources());
            return ExitCode::from(USAGE);
        }
    };
    signal::watch_interrupt();
    tell_failures(&driver, reporter);
    let outcome = match driver.run(&program) {
        // Whatever its code, the test has not come to its end.
        Err(Fault::Exit(code)) => {
            let message = format!("expected the end of the test, but it left by exit({code})");
            Err(diag::Error::new(codes::EXIT, message).into())
        }
        outcome => outcome,
    };
    end(outcome, &driver, reporter)
}

/// Failures of processes that nobody joined are reported like the script's own.
pub(super) fn tell_failures(driver: &Driver, reporter: &Reporter) {
    let reporter = *reporter;
    driver.tell_failures_by(Rc::new(move |error, sources| {
        reporter.report(error, sources)
    }));
}

/// The end of the main process: its own error is told first, then its children are waited for. A death by Ctrl-C is passed
/// on to whoever started the script; a child that failed without anybody looking after it makes the exit code 1.
fn end(outcome: Outcome, driver: &Driver, reporter: &Reporter) -> ExitCode {
    let mut unread = false;
    // A Ctrl-C in the last call of a script, where nothing looked for it any more.
    let outcome = outcome.and_then(|value| signals::check().map(|()| value).map_err(Fault::Error));
    let code = match outcome {
        Ok(_) => 0,
        Err(Fault::Exit(code)) => code as u8,
        Err(fault) => {
            let error = vm::report(fault);
            if error.code == codes::INTERRUPTED {
                finish::note_interrupted();
            }
            unread = is_broken_pipe(&error);
            if !unread {
                reporter.report(&error, driver.sources());
            }
            1
        }
    };
    let child_failed = finish::finish_main();
    if let Some(table) = stats::table(|place| driver.sources().place(place)) {
        eprint!("{table}");
    }
    if finish::was_interrupted() {
        signal::reset_and_reraise(Signal::SIGINT as i32);
    }
    if unread {
        signal::reset_and_reraise(Signal::SIGPIPE as i32);
    }
    ExitCode::from(if child_failed && code == 0 { 1 } else { code })
}

/// Whether a process of the script died because it printed when nobody was reading any more: the script ends as quietly as
/// it would if the main process had printed.
fn is_broken_pipe(error: &diag::Error) -> bool {
    let number = diag::Field::Int(Signal::SIGPIPE as i64);
    let by_pipe = error
        .fields
        .iter()
        .any(|(name, value)| name == "signal" && *value == number);
    error.code == codes::PROCESS_DIED && by_pipe && terminal::output_gone()
}

/// Reports what is wrong with scripts, without running them.
pub(super) fn check(files: &[OsString], reporter: &Reporter) -> ExitCode {
    let mut wrong = false;
    for file in files {
        let (input, mut driver) = (Input::named(file), Driver::new());
        let source = input.load(&mut driver);
        let checked = source.map_err(|error| vec![*error]);
        let checked = checked.and_then(|source| driver.check(&source, input.file()));
        reporter.report_all(&driver.take_warnings(), driver.sources());
        if let Err(errors) = checked {
            reporter.report_all(&errors, driver.sources());
            wrong = true;
        }
    }
    ExitCode::from(if wrong { USAGE } else { 0 })
}

//! The command line: what the user asked for, done on a [`Driver`], with an exit code at the end.
//!
//! Imports `driver`, `engine`, `syntax`, `diag`, `value`, `builtins`, `os` (signals). **Invariant:** no stage of the language is
//! here: everything that a script can tell apart happens the same in an embedded engine. The form `par FILE ARGS` does
//! not touch the argument parser: starting a script costs what the language costs.

pub mod args;
mod doc;
mod dump;
mod fmt;
mod prompt;
mod report;
mod run;
mod testing;

use crate::os::alloc;
pub use crate::os::alloc::Allocator;

use crate::builtins::pool::stats;
use crate::check::Mode;
use crate::driver::Driver;
use crate::os::signal;
use crate::process::programs::guardian;
use crate::process::reaper;
use args::{Command, Options};
use report::Reporter;
use run::Input;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

/// The exit code of a wrong command line or a script that does not compile.
const USAGE: u8 = 2;

/// Does what the arguments (without the program's name) say.
pub fn main(args: Vec<OsString>) -> ExitCode {
    alloc::prepare();
    if let Some(end) = guardian::serve(&args) {
        return end;
    }
    reaper::own_process();
    guardian::allow();
    signal::default_sigpipe();
    signal::admit_ends();
    signal::default_faults();
    if let Some((file, rest)) = args::plain_script(&args) {
        return run::script(&Input::named(file), rest, &Reporter::default());
    }
    let line = match args::parse(args) {
        Ok(line) => line,
        Err(usage) => {
            // Nothing can be told when even this cannot be printed.
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { USAGE } else { 0 });
        }
    };
    let reporter = Reporter::new(line.options.color);
    match line.command {
        Some(Command::Run { stats, script }) => match script.split_first() {
            Some((file, rest)) => {
                if stats {
                    stats::keep();
                }
                run::script(&Input::named(file), rest, &reporter)
            }
            None => ExitCode::from(USAGE),
        },
        Some(Command::Check { files }) => run::check(&files, &reporter),
        Some(Command::Doc { words }) => doc::doc(&words),
        Some(Command::Fmt(options)) => fmt::fmt(&options, &reporter),
        Some(Command::Test(options)) => testing::test(&options, &reporter),
        Some(Command::Explain { code }) => report::explain(code.as_deref()),
        None => run_options(&line.options, &line.script, &reporter),
    }
}

fn on_terminal() -> bool {
    std::io::stdin().is_terminal()
}

fn run_options(options: &Options, script: &[OsString], reporter: &Reporter) -> ExitCode {
    let (input, rest) = match (&options.code, script.split_first()) {
        (Some(code), _) => (Input::Code(code.clone()), script),
        (None, Some((file, rest))) => (Input::named(file), rest),
        (None, None) if options.dump.is_none() && (options.interactive || on_terminal()) => {
            return prompt::prompt(Driver::new(), reporter);
        }
        (None, None) => (Input::Standard, script),
    };
    if let Some(stage) = options.dump {
        return dump::dump(&input, stage, reporter);
    }
    if !options.interactive {
        return run::script(&input, rest, reporter);
    }
    let mut driver = Driver::new();
    // How the script ended is told; the session goes on with what it declared up to there.
    run::execute(&mut driver, Mode::Prompt, &input, rest, reporter);
    prompt::prompt(driver, reporter)
}

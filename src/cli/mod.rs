//! The command line: what the user asked for, done on a [`Driver`], with an exit code at the end.
//!
//! Imports `driver`, `engine`, `syntax`, `diag`, `value`, `builtins`, `os` (signals). **Invariant:** no stage of the language is
//! here: everything that a script can tell apart happens the same in an embedded engine. The form `par FILE ARGS` does
//! not touch the argument parser: starting a script costs what the language costs.
//!
//! [`Driver`]: crate::driver::Driver

pub mod args;
mod dump;
mod report;
mod run;

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
        Some(Command::Run { script }) => match script.split_first() {
            Some((file, rest)) => run::script(&Input::named(file), rest, &reporter),
            None => ExitCode::from(USAGE),
        },
        Some(Command::Check { files }) => run::check(&files, &reporter),
        Some(Command::Explain { code }) => report::explain(code.as_deref()),
        None => run_options(&line.options, &line.script, &reporter),
    }
}

fn run_options(options: &Options, script: &[OsString], reporter: &Reporter) -> ExitCode {
    let (input, rest) = match (&options.code, script.split_first()) {
        (Some(code), _) => (Input::Code(code.clone()), script),
        (None, Some((file, rest))) => (Input::named(file), rest),
        (None, None) if options.dump.is_none() && std::io::stdin().is_terminal() => {
            return report::no_prompt();
        }
        (None, None) => (Input::Standard, script),
    };
    match options.dump {
        Some(stage) => dump::dump(&input, stage, reporter),
        None => run::script(&input, rest, reporter),
    }
}

//! The prompt: reads a block, runs it, shows its value, keeps what it declared.
//!
//! Imports what `cli` imports, and rustyline. **Invariant:** a line runs exactly as it would in a script; the prompt only
//! adds that names stay, that the last value is `_`, and that Ctrl-C ends a line and not the session.

mod commands;
mod complete;
mod helper;
mod highlight;

use super::report::Reporter;
use super::run;
use crate::check::Mode;
use crate::diag::codes;
use crate::driver::Driver;
use crate::os::signal;
use crate::process::{finish, signals};
use crate::value::native::Fault;
use crate::value::{Value, show};
use crate::vm;
use commands::Command;
use helper::Assistant;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

/// Lines that the history keeps.
const HISTORY: usize = 10_000;

/// Reads and runs lines until the input ends. The driver may have run a script before (`-i`).
pub(super) fn prompt(driver: Driver, reporter: &Reporter) -> ExitCode {
    let colored = reporter.colored();
    run::tell_failures(&driver, reporter);
    let driver = Rc::new(RefCell::new(driver));
    let mut editor = match editor(driver.clone(), colored) {
        Ok(editor) => editor,
        Err(error) => {
            eprintln!("par: the terminal cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let history = history_file();
    if let Some(history) = &history {
        // A first session has no history yet.
        let _ = editor.load_history(history);
    }
    println!(
        "Par {} (:help tells more, :quit ends)",
        env!("CARGO_PKG_VERSION")
    );
    let mut session = Session {
        driver,
        reporter,
        lines: 0,
    };
    signal::watch_interrupt();
    let code = session.read_all(&mut editor);
    finish::finish_main();
    if let Some(history) = &history {
        let folder = history.parent().map(std::fs::create_dir_all);
        if !matches!(folder, Some(Err(_))) {
            // A history that cannot be written is not worth a report at the end.
            let _ = editor.save_history(history);
        }
    }
    code
}

fn editor(
    driver: Rc<RefCell<Driver>>,
    colored: bool,
) -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .indent_size(2)
        .tab_stop(2)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant::new(driver, colored)));
    Ok(editor)
}

/// Where the history is kept: `$PAR_HISTORY`, else below the user's state folder.
fn history_file() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = variable("PAR_HISTORY") {
        return Some(PathBuf::from(file));
    }
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    state.map(|folder| folder.join("par/history"))
}

struct Session<'a> {
    driver: Rc<RefCell<Driver>>,
    reporter: &'a Reporter,
    /// How many lines were run: they are called `<prompt:1>` and so on.
    lines: usize,
}

impl Session<'_> {
    fn read_all(&mut self, editor: &mut Editor<Assistant, FileHistory>) -> ExitCode {
        loop {
            match editor.readline("> ") {
                Ok(line) => {
                    if line.trim().is_empty() {
                        continue;
                    }
                    // An entry that the history refuses can still be run.
                    let _ = editor.add_history_entry(line.trim_end());
                    if let Some(code) = self.answer(&line) {
                        return code;
                    }
                }
                // Ctrl-C at the prompt drops what was typed.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("par: the terminal cannot be read: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }

    /// Does what a line says; an exit code when the session is to end.
    fn answer(&mut self, line: &str) -> Option<ExitCode> {
        match Command::parse(line) {
            Some(Command::Quit) => Some(ExitCode::SUCCESS),
            Some(Command::Help(topic)) => {
                print_text(&commands::help(&topic, &self.driver.borrow()));
                None
            }
            Some(Command::Unknown(name)) => {
                println!("unknown command `:{name}`; there are :help and :quit");
                None
            }
            None => self.run(line),
        }
    }

    fn run(&mut self, line: &str) -> Option<ExitCode> {
        self.lines += 1;
        let mut driver = self.driver.borrow_mut();
        let source = driver.add(format!("<prompt:{}>", self.lines), line);
        let compiled = driver.compile(&source, Mode::Prompt, None);
        let warnings = driver.take_warnings();
        self.reporter.report_all(&warnings, driver.sources());
        let program = match compiled {
            Ok(program) => program,
            Err(errors) => {
                self.reporter.report_all(&errors, driver.sources());
                return None;
            }
        };
        // A Ctrl-C that came too late for the line before is not for this one.
        signals::forget_interrupt();
        signals::begin_line();
        let outcome = driver.run(&program);
        driver.forget_undeclared(&program);
        match outcome {
            Ok(Value::Nil | Value::Undef) => None,
            Ok(value) => {
                print_text(&show::repr(value));
                // There is always room for the one variable that each line sets anew.
                let _ = driver.set_variable("_", value);
                None
            }
            Err(Fault::Exit(code)) => Some(ExitCode::from(code as u8)),
            Err(fault) => {
                let error = vm::report(fault);
                let interrupted = error.code == codes::INTERRUPTED;
                if interrupted {
                    // The terminal has shown `^C`.
                    println!();
                }
                self.reporter.report(&error, driver.sources());
                if interrupted {
                    // What the line started has been told to end; the next begins with what there was before.
                    finish::end_line();
                    signals::forget_interrupt();
                }
                None
            }
        }
    }
}

/// Prints a text with a newline at its end; a terminal that is gone is found by the next read.
fn print_text(text: &str) {
    let mut text = text.trim_end().to_string();
    text.push('\n');
    let _ = std::io::stdout().write_all(text.as_bytes());
}

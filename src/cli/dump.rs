//! `--dump STAGE`: what a stage of the pipeline makes of a script.

use super::USAGE;
use super::args::Stage;
use super::report::Reporter;
use super::run::Input;
use crate::check::Mode;
use crate::compile;
use crate::driver::{Driver, Errors};
use crate::syntax;
use std::io::Write as _;
use std::process::ExitCode;

/// Prints the stage's result.
pub(super) fn dump(input: &Input, stage: Stage, reporter: &Reporter) -> ExitCode {
    let mut driver = Driver::new();
    match text_of(input, stage, &mut driver) {
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(errors) => {
            reporter.report_all(&errors, driver.sources());
            ExitCode::from(USAGE)
        }
    }
}

fn text_of(input: &Input, stage: Stage, driver: &mut Driver) -> Result<String, Errors> {
    let source = input.load(driver).map_err(|error| vec![*error])?;
    match stage {
        Stage::Tokens => Ok(syntax::dump_tokens(&source)),
        Stage::Ast => {
            let module = syntax::parse(&source)?;
            Ok(syntax::print::tree(&source, &module))
        }
        Stage::Code => {
            let program = driver.compile(&source, Mode::Script, input.file())?;
            Ok(compile::dump(program.main(), driver.sources()))
        }
    }
}

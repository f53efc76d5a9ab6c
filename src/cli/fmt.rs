//! `par fmt`: brings scripts into the one style.

use super::USAGE;
use super::args::FmtOptions;
use super::report::Reporter;
use super::run::Input;
use super::testing::scripts_below;
use crate::driver::Driver;
use crate::os::replace;
use crate::syntax;
use similar::TextDiff;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit code of `--check` when a file is not in the style.
const DIFFERS: u8 = 1;

/// Formats the files and folders; standard input is written to standard output.
pub(super) fn fmt(options: &FmtOptions, reporter: &Reporter) -> ExitCode {
    if options.paths.is_empty() && is_file_on_input() {
        eprintln!(
            "par: `par fmt` formats files and folders that are named, or the current folder; standard input is written: par fmt -"
        );
        return ExitCode::from(USAGE);
    }
    let here = [PathBuf::from(".")];
    let paths = match options.paths.is_empty() {
        true => &here[..],
        false => &options.paths[..],
    };
    let files = paths.iter().flat_map(|path| match path.is_dir() {
        true => scripts_below(path),
        false => vec![path.clone()],
    });
    let mut exit = 0;
    for file in files {
        exit = exit.max(one(&file, options.check, reporter));
    }
    ExitCode::from(exit)
}

/// Whether somebody wrote `par fmt < file`: to format the whole folder then is not what was meant. Pipes and `/dev/null` say
/// nothing: services that build things have them as their input.
fn is_file_on_input() -> bool {
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let data = input.and_then(|input| std::fs::File::from(input).metadata());
    data.is_ok_and(|data| data.is_file())
}

/// Formats one file; the exit code.
fn one(file: &Path, check: bool, reporter: &Reporter) -> u8 {
    let (input, mut driver) = (Input::named(file.as_os_str()), Driver::new());
    let loaded = input.load(&mut driver).map_err(|error| vec![*error]);
    let formatted = loaded.and_then(|source| {
        let text = syntax::format(&source)?;
        Ok((source, text))
    });
    let (source, text) = match formatted {
        Ok(formatted) => formatted,
        Err(errors) => {
            reporter.report_all(&errors, driver.sources());
            return USAGE;
        }
    };
    let same = *source.text == *text;
    if check && !same {
        let diff = TextDiff::from_lines(&*source.text, &text);
        let name = &source.name;
        let diff = diff.unified_diff().header(name, "formatted").to_string();
        print(&diff);
        return DIFFERS;
    }
    if check {
        return 0;
    }
    if matches!(input, Input::Standard) {
        print(&text);
        return 0;
    }
    if same {
        return 0;
    }
    // A script is not lost for want of room, or by a power cut in the middle of it.
    let written = match replace::is_replaceable(file) {
        true => replace::replace(file, text.as_bytes(), 0o644),
        false => std::fs::write(file, &text),
    };
    match written {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("par: cannot write {}: {error}", file.display());
            USAGE
        }
    }
}

/// Nobody can be told when standard output is closed; the exit code still says how it went.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
}

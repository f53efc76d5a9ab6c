//! The command line as the user writes it.

use clap::{Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// What the whole command line says.
#[derive(Parser, Debug, PartialEq)]
#[command(
    name = "par",
    version,
    about = "Par: a small scripting language whose unit of work is the operating-system process",
    after_help = "Without a file or code, par reads the script from standard input; on a terminal it is the prompt.\n\
                  Exit codes: 0; 1 after an uncaught error; 2 for a wrong command line or a script that does not compile; \
                  what the script gave to exit(n).",
    args_conflicts_with_subcommands = true
)]
pub struct CommandLine {
    /// The subcommand, if there is one.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options in front of the script.
    #[command(flatten)]
    pub options: Options,
    /// The script (`-` is standard input); everything after it belongs to the script
    #[arg(value_name = "FILE] [ARGS", trailing_var_arg = true)]
    pub script: Vec<OsString>,
}

/// Options that stand before the script.
#[derive(clap::Args, Debug, PartialEq, Default)]
pub struct Options {
    /// Run this code; everything after it belongs to the script
    #[arg(
        short = 'e',
        long = "eval",
        value_name = "CODE",
        allow_hyphen_values = true
    )]
    pub code: Option<String>,
    /// Go on at the prompt after the script, with its variables
    #[arg(short, long)]
    pub interactive: bool,
    /// Show what a stage of the pipeline makes of the script, without running it
    #[arg(long, value_name = "STAGE")]
    pub dump: Option<Stage>,
    /// Whether reports are coloured (`NO_COLOR` counts for auto)
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

/// Subcommands.
#[derive(Subcommand, Debug, PartialEq)]
pub enum Command {
    /// Run a script: the same as `par FILE ARGS`
    Run {
        /// At the end, tell on standard error where the time of the workers of each pool went
        #[arg(long)]
        stats: bool,
        /// The script (`-` is standard input); everything after it belongs to the script
        #[arg(value_name = "FILE> [ARGS", required = true, trailing_var_arg = true)]
        script: Vec<OsString>,
    },
    /// Report the errors and warnings of scripts without running them
    Check {
        /// The scripts; `-` is standard input
        #[arg(required = true)]
        files: Vec<OsString>,
    },
    /// Tell what is known of a name: `par doc list.push`, `par doc json`, `par doc file.par`
    Doc {
        /// A function, construct, type, method, module or member; or a script file, and a name in it
        #[arg(value_name = "NAME")]
        words: Vec<String>,
    },
    /// Bring scripts into the one style
    Fmt(FmtOptions),
    /// Run the tests of scripts: their blocks `test "name" { ... }`, each in a process of its own
    Test(TestOptions),
    /// Explain an error code, `par explain R012`; without a code, list all of them
    Explain {
        /// The code
        code: Option<String>,
    },
}

/// What `par fmt` is told.
#[derive(clap::Args, Debug, PartialEq, Default)]
pub struct FmtOptions {
    /// Scripts, and folders of them; `-` is standard input, the current folder is meant when there is none
    pub paths: Vec<PathBuf>,
    /// Change nothing: show what would change, and exit with 1 if anything would
    #[arg(long)]
    pub check: bool,
}

/// What `par test` is told.
#[derive(clap::Args, Debug, PartialEq, Default)]
pub struct TestOptions {
    /// Scripts, and folders in which to look for them; the current folder when there is none
    pub paths: Vec<PathBuf>,
    /// Only tests with this in `file: name`
    #[arg(short = 'k', long = "filter", value_name = "TEXT")]
    pub filter: Option<String>,
    /// Seconds after which a test is interrupted and counts as failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub timeout: f64,
    /// How many tests run at once; as many as this process may use CPUs when it is left out
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// How it is told: for people, as one JSON object a line, or as TAP for what collects the results of tests
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub format: Form,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Show the names and places of the tests, without running them
    #[arg(long)]
    pub list: bool,
    /// Run one test of one file here: how `par test` starts each
    #[arg(long, value_name = "INDEX", hide = true)]
    pub child: Option<usize>,
}

/// How `par test` tells of the tests.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A line for each test, what the failed ones said, and the sum
    #[default]
    Text,
    /// One JSON object for each test and one for all of them, each on its line
    Json,
    /// The Test Anything Protocol, version 14
    Tap,
}

/// What `--dump` shows.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The tokens, one on a line
    Tokens,
    /// The syntax tree
    Ast,
    /// The bytecode
    Code,
}

/// When reports are coloured.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The script and its arguments when the command line is nothing but `par FILE ARGS...`, the form that scripts are
/// started in: it is told apart without the argument parser, which costs more than starting the language does.
pub fn plain_script(args: &[OsString]) -> Option<(&OsString, &[OsString])> {
    let (file, rest) = args.split_first()?;
    let text = file.as_encoded_bytes();
    let other = text.is_empty()
        || text.starts_with(b"-")
        || ["run", "check", "doc", "fmt", "test", "explain", "help"]
            .iter()
            .any(|word| word.as_bytes() == text);
    (!other).then_some((file, rest))
}

/// Reads a whole command line (without the program's name).
///
/// # Errors
/// A usage error, `--help` or `--version`: clap's own report, to be printed.
pub fn parse(args: Vec<OsString>) -> Result<CommandLine, clap::Error> {
    let program = [OsString::from("par")];
    CommandLine::try_parse_from(program.into_iter().chain(end_options_after_code(args)))
}

/// Puts `--` behind `-e CODE`, so that `par -e 'print(args)' -x` hands `-x` to the code.
fn end_options_after_code(mut args: Vec<OsString>) -> Vec<OsString> {
    let mut at = 0;
    while let Some(arg) = args.get(at).and_then(|arg| arg.to_str()) {
        match arg {
            "-e" | "--eval" | "-ie" => {
                if args.len() > at + 2 {
                    args.insert(at + 2, OsString::from("--"));
                }
                break;
            }
            "--dump" | "--color" => at += 2,
            "--" | "-" => break,
            option if option.starts_with('-') => at += 1,
            _ => break,
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn parsed(text: &str) -> CommandLine {
        parse(words(text)).unwrap()
    }

    #[test]
    fn what_follows_the_file_belongs_to_the_script() {
        let line = words("job.par -x --color run");
        let (file, args) = plain_script(&line).unwrap();
        assert_eq!(
            (file, args),
            (&OsString::from("job.par"), &words("-x --color run")[..])
        );
        let line = parsed("-i job.par --help --y -- check");
        assert_eq!(line.script, words("job.par --help --y -- check"));
        assert!(line.options.interactive);
        let line = parsed("run job.par --help -e");
        let script = words("job.par --help -e");
        let stats = false;
        assert_eq!(line.command, Some(Command::Run { stats, script }));
        let line = parsed("run --stats job.par --stats");
        let (stats, script) = (true, words("job.par --stats"));
        assert_eq!(line.command, Some(Command::Run { stats, script }));
    }

    #[test]
    fn what_follows_the_code_belongs_to_the_script() {
        let line = parsed("--color never -e print(args) -x a --dump");
        assert_eq!(line.options.code.as_deref(), Some("print(args)"));
        assert_eq!(line.options.color, Color::Never);
        assert_eq!(line.script, words("-x a --dump"));
        let line = parsed("-e -1");
        assert_eq!(line.options.code.as_deref(), Some("-1"));
    }

    #[test]
    fn subcommands_and_options_are_no_plain_script() {
        for line in [
            "run a.par",
            "check a.par",
            "explain",
            "-",
            "-e 1",
            "--version",
        ] {
            assert_eq!(plain_script(&words(line)), None, "{line}");
        }
        assert_eq!(plain_script(&[]), None);
        assert_eq!(parsed("- a -b").script, words("- a -b"));
        assert_eq!(parsed("--dump ast x.par").options.dump, Some(Stage::Ast));
    }

    #[test]
    fn unknown_options_are_usage_errors() {
        for line in [
            "--bogus",
            "--dump trees x.par",
            "check",
            "--color blue x.par",
        ] {
            assert!(parse(words(line)).is_err(), "{line}");
        }
    }
}

//! Runs every code block of `README.md` and `docs/*.md` that is marked `par`, and the examples in the documentation of the
//! standard library (`stdlib/*.par`), as `tests/lang` runs scripts.
//!
//! ` ```par ` runs and must print what its `# expect:` comments say (without any, it must print nothing and end well),
//! ` ```par,norun ` is only checked, ` ```par,fragment ` is skipped.

mod common;

use common::directives::Directives;
use common::sandbox::run_par;
use common::script;
use common::suite::{Case, Verdict};
use common::{files_below, root};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut documents = vec![PathBuf::from("README.md")];
    documents.extend(files_below("docs", "md"));
    let cases = documents
        .iter()
        .flat_map(|path| blocks(path))
        .filter_map(case);
    let examples = files_below("stdlib", "par")
        .into_iter()
        .filter(|path| path.parent() == Some(Path::new("stdlib")))
        // What begins with `_` is a part of another module, for nobody else.
        .filter(|path| {
            !path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"_"))
        })
        .flat_map(|path| examples(&path))
        .filter_map(case);
    common::suite::main(cases.chain(examples).collect())
}

/// The examples in the `##` comments of a module: lines that are indented by four blanks more. Each begins with the import of the
/// module. Every public function must have one.
fn examples(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let module = path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut found: Vec<Block> = Vec::new();
    let (mut open, mut documented) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let comment = trimmed.strip_prefix("##");
        match comment.and_then(|rest| rest.strip_prefix("     ")) {
            Some(code) if open => {
                let block = found.last_mut().unwrap();
                block.text.push_str(code);
                block.text.push('\n');
            }
            Some(code) => {
                (open, documented) = (true, true);
                found.push(Block {
                    name: format!("{}:{}", path.display(), index + 1),
                    info: "par".to_string(),
                    text: format!("{code}\n"),
                });
            }
            // An empty comment line goes on with the example, if it goes on behind.
            None if comment == Some("") && open => found.last_mut().unwrap().text.push('\n'),
            None => open = false,
        }
        if let Some(name) = trimmed.strip_prefix("fn ") {
            let name = name.split('(').next().unwrap();
            let public = !name.starts_with('_') && name != "init";
            if public && !documented {
                found.push(Block {
                    name: format!("{}:{}", path.display(), index + 1),
                    info: format!("`{name}` without an example"),
                    text: String::new(),
                });
            }
        }
        documented &= comment.is_some();
    }
    for block in &mut found {
        if !block.text.contains(&format!("import {module}")) {
            block.text = format!("import {module}\n{}", block.text);
        }
    }
    found
}

/// A fenced block of a document.
struct Block {
    /// `docs/reference.md:120`, by which it is chosen: the line of the fence.
    name: String,
    /// What stands after the backticks: `par`, `par,norun`, ...
    info: String,
    text: String,
}

/// The blocks whose language is `par`.
fn blocks(path: &Path) -> Vec<Block> {
    let Ok(document) = std::fs::read_to_string(root().join(path)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in document.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block {
                    name: format!("{}:{}", path.display(), index + 1),
                    info: info.trim().to_string(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found.retain(|block| block.info.split(',').next() == Some("par"));
    found
}

fn case(block: Block) -> Option<Case> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(block.name.replace(['/', ':', '.'], "_"))
        .with_extension("par");
    let mut text = block.text;
    let name = block.name;
    match block.info.as_str() {
        "par" => {}
        "par,norun" => return Some(only_checked(name, file, text)),
        "par,fragment" => return None,
        other => return Some(failing(name, format!("unknown kind of block `{other}`"))),
    }
    if Directives::parse(&text).is_ok_and(|directives| !directives.expects_something()) {
        text.push_str("# exit: 0\n");
    }
    std::fs::write(&file, &text).unwrap();
    script::case(name, file.to_string_lossy().into_owned(), text)
}

fn only_checked(name: String, file: PathBuf, text: String) -> Case {
    std::fs::write(&file, text).unwrap();
    let run = Box::new(move || {
        let args = ["check".to_string(), file.to_string_lossy().into_owned()];
        let run = run_par(root(), &args, "", Duration::from_secs(10));
        match run.exit {
            0 => Verdict::Passed,
            _ => Verdict::Failed(run.stderr),
        }
    });
    Case { name, run }
}

fn failing(name: String, report: String) -> Case {
    let run = Box::new(move || Verdict::Failed(report.clone()));
    Case { name, run }
}

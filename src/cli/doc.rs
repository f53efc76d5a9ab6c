//! What is known of a name: `par doc NAME`, `par doc file.par`, and the prompt's help.
//!
//! Constructs, built-in functions, methods, types, the standard modules in Rust and in Par, their members, and the definitions of
//! script files with their `##` comments.

use super::USAGE;
use super::run::Input;
use crate::builtins;
use crate::diag;
use crate::driver::{self, Driver};
use crate::source::{Source, SourceId};
use crate::syntax::{self, ast};
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// `par doc NAME`, `par doc FILE`, `par doc FILE NAME`.
pub(super) fn doc(words: &[String]) -> ExitCode {
    let text = match words {
        [] => Ok(overview()),
        [file, rest @ ..] if is_file(file) => of_file(file, rest),
        words => {
            let name = words.join(".");
            topic(&name).ok_or_else(|| unknown(&name))
        }
    };
    match text {
        Ok(text) => {
            let _ = std::io::stdout().write_all(format!("{}\n", text.trim_end()).as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("par: {message}");
            ExitCode::from(USAGE)
        }
    }
}

fn is_file(word: &str) -> bool {
    word.ends_with(".par") || word.contains('/')
}

/// What there is to ask for.
fn overview() -> String {
    let constructs: Vec<&str> = CONSTRUCTS.iter().map(|(name, _)| *name).collect();
    let mut text = String::new();
    for (title, names) in [
        ("Constructs: ", constructs),
        ("Functions:  ", builtins::function_names()),
        ("Types:      ", builtins::type_names()),
        ("Modules:    ", module_names()),
    ] {
        text.push_str(&format!("{title}{}\n", wrapped(&names)));
    }
    text + "\n`par doc NAME` tells of one of them, of a method (list.push) or of a member (math.sqrt);\n\
            `par doc file.par` of what a script file defines.\n"
}

fn module_names() -> Vec<&'static str> {
    let mut names = builtins::module_names();
    names.extend(driver::modules_in_par().map(|(name, _)| name));
    names.sort_unstable();
    names
}

/// What is known of a name that is no variable.
pub(super) fn topic(name: &str) -> Option<String> {
    let name = match name {
        // Both of its words come from the command line with a dot between them.
        "pool map" | "pool.map" => "pool",
        name => name,
    };
    let construct = CONSTRUCTS.iter().find(|(construct, _)| *construct == name);
    construct
        .map(|(_, text)| (*text).to_string())
        .or_else(|| of_type(name))
        .or_else(|| builtins::doc(name))
        .or_else(|| of_module_in_par(name))
        .or_else(|| of_kind(name))
}

/// A type of which there is more to say than its methods.
fn of_type(name: &str) -> Option<String> {
    let (_, text) = TYPES.iter().find(|(known, _)| *known == name)?;
    let methods = builtins::doc(name).unwrap_or_default();
    Some(format!("{text}\n\n{methods}"))
}

/// A kind of errors.
fn of_kind(name: &str) -> Option<String> {
    let rows = diag::codes::REFERENCE.iter();
    let rows = rows.filter(|row| row.kind == name && row.code.0.starts_with('R'));
    let lines: Vec<String> = rows
        .map(|row| format!("{name}: {}  (`par explain {}`)", row.title, row.code.0))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What is said of a name that nothing is known of.
pub(super) fn unknown(name: &str) -> String {
    let (of, member) = name.split_once('.').unwrap_or((name, ""));
    let modules = driver::modules_in_par().find(|(module, _)| *module == of);
    let candidates: Vec<String> = match modules {
        Some((_, text)) if !member.is_empty() => {
            let source = Source::new(SourceId(0), of, text);
            let parsed = syntax::parse(&source);
            let members = parsed
                .iter()
                .flat_map(|module| definitions(&source, module));
            members
                .map(|definition| format!("{of}.{}", definition.name))
                .collect()
        }
        _ => {
            let constructs = CONSTRUCTS.iter().map(|(name, _)| *name);
            let all = builtins::function_names().into_iter().chain(constructs);
            all.chain(module_names()).map(String::from).collect()
        }
    };
    let meant = diag::did_you_mean(name, candidates.iter().map(String::as_str));
    let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
    format!("nothing is known of `{name}`{meant}")
}

/// A standard module that is written in Par, or a member of it.
fn of_module_in_par(name: &str) -> Option<String> {
    let (of, member) = match name.split_once('.') {
        Some((of, member)) => (of, Some(member)),
        None => (name, None),
    };
    let (_, text) = driver::modules_in_par().find(|(module, _)| *module == of)?;
    let source = Source::new(SourceId(0), of, text);
    let module = syntax::parse(&source).ok()?;
    match member {
        None => Some(whole(&source, &module)),
        Some(member) => of_member(&source, &module, member),
    }
}

/// A script file, or one of its definitions.
fn of_file(file: &str, member: &[String]) -> Result<String, String> {
    let mut driver = Driver::new();
    let input = Input::File(Path::new(file).to_path_buf());
    let source = input
        .load(&mut driver)
        .map_err(|error| error.message.clone())?;
    let module = syntax::parse(&source).map_err(|errors| {
        let errors: Vec<String> = errors
            .iter()
            .map(|error| diag::render_line(error, driver.sources()))
            .collect();
        errors.join("\n")
    })?;
    match member {
        [] => Ok(whole(&source, &module)),
        member => {
            let member = member.join(".");
            let found = of_member(&source, &module, &member);
            found.ok_or_else(|| format!("{file} defines no `{member}`"))
        }
    }
}

/// Something that a text defines for others.
struct Definition<'a> {
    /// `name`, `Struct.method`.
    name: String,
    /// The part of the text that says how it is used.
    head: (u32, u32),
    /// Its fields, when it is a struct.
    fields: Vec<(&'a str, Option<String>)>,
    doc: Option<Cow<'a, str>>,
    /// It is a method.
    inner: bool,
}

/// What the top level of a text defines, without what is private.
fn definitions<'a>(source: &Source, module: &'a ast::Module) -> Vec<Definition<'a>> {
    let mut found = Vec::new();
    let public = |name: &str| !name.starts_with('_');
    for stmt in &module.body {
        match &stmt.kind {
            ast::StmtKind::Fn { name, function } if public(&name.name) => found.push(Definition {
                name: name.name.to_string(),
                head: (stmt.span.start, function.body.span.start),
                doc: function.doc.as_deref().map(Cow::Borrowed),
                fields: Vec::new(),
                inner: false,
            }),
            ast::StmtKind::Struct(decl) if public(&decl.name.name) => {
                found.push(Definition {
                    name: decl.name.name.to_string(),
                    head: (stmt.span.start, decl.name.span.end),
                    doc: decl.doc.as_deref().map(Cow::Borrowed),
                    fields: decl
                        .fields
                        .iter()
                        .map(|field| {
                            let comment = comment_above(&source.text, field.name.span.start);
                            (&*field.name.name, comment)
                        })
                        .collect(),
                    inner: false,
                });
                let methods = decl.methods.iter();
                let methods = methods.filter(|(name, _)| public(&name.name));
                found.extend(methods.map(|(name, method)| Definition {
                    name: format!("{}.{}", decl.name.name, name.name),
                    head: (method.span.start, method.body.span.start),
                    doc: method.doc.as_deref().map(Cow::Borrowed),
                    fields: Vec::new(),
                    inner: true,
                }));
            }
            ast::StmtKind::Let {
                pattern,
                value: Some(value),
                constant: true,
            } => {
                if let ast::PatternKind::Bind(name) = &pattern.kind
                    && public(&name.name)
                {
                    found.push(Definition {
                        name: name.name.to_string(),
                        head: (stmt.span.start, value.span.end),
                        doc: comment_above(&source.text, stmt.span.start).map(Cow::Owned),
                        fields: Vec::new(),
                        inner: false,
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// The `##` lines right above the line of a place.
fn comment_above(text: &str, at: u32) -> Option<String> {
    let before = text.get(..at as usize)?;
    let (above, _) = before.rsplit_once('\n')?;
    let lines = above.lines().rev();
    let mut lines: Vec<&str> = lines
        .map_while(|line| line.trim_start().strip_prefix("##"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The comment that a text begins with, and all that it defines with the first paragraph of its documentation.
fn whole(source: &Source, module: &ast::Module) -> String {
    let mut text = head_comment(&source.text);
    for definition in definitions(source, module) {
        let indent = if definition.inner { "  " } else { "" };
        let first = definition.doc.clone().unwrap_or_default();
        let first = first.split("\n\n").next().unwrap_or_default();
        text.push_str(&format!("\n{indent}{}\n", signature(source, &definition)));
        for line in first.lines() {
            text.push_str(&format!("{indent}  {line}\n"));
        }
    }
    text
}

fn of_member(source: &Source, module: &ast::Module, member: &str) -> Option<String> {
    let all = definitions(source, module);
    // A method may be asked for without the name of its struct.
    let found = all.iter().find(|d| d.name == member).or_else(|| {
        let mut methods = all.iter().filter(|d| d.inner);
        methods.find(|d| d.name.ends_with(&format!(".{member}")))
    })?;
    let mut text = format!("{}\n", signature(source, found));
    for line in found.doc.as_deref().unwrap_or_default().lines() {
        text.push_str(&format!("  {line}\n"));
    }
    for (field, comment) in &found.fields {
        if let Some(comment) = comment {
            let comment = comment.replace('\n', " ");
            text.push_str(&format!("\n  {field}\n    {comment}\n"));
        }
    }
    let methods = all.iter().filter(|d| d.inner);
    for method in methods.filter(|d| d.name.starts_with(&format!("{}.", found.name))) {
        text.push_str(&format!("\n  {}\n", signature(source, method)));
        for line in method.doc.as_deref().unwrap_or_default().lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    Some(
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// How something is used, as the text has it.
fn signature(source: &Source, definition: &Definition) -> String {
    let (start, end) = definition.head;
    let text = source
        .text
        .get(start as usize..end as usize)
        .unwrap_or_default();
    let text = text.trim_end();
    let text = text.strip_suffix("=>").unwrap_or(text).trim_end();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Parameters may stand on lines of their own.
    let text = text.replace("( ", "(").replace(" )", ")");
    match &definition.fields[..] {
        [] => text,
        fields => {
            let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
            format!("{text}({})", names.join(", "))
        }
    }
}

/// The `##` comment at the very beginning of a text that belongs to no definition.
fn head_comment(text: &str) -> String {
    let plain = |line: &&str| line.starts_with('#') && !line.starts_with("##");
    let lines: Vec<&str> = text.lines().skip_while(plain).collect();
    let count = lines
        .iter()
        .take_while(|line| line.starts_with("##"))
        .count();
    if lines.get(count).is_some_and(|line| !line.trim().is_empty()) {
        return String::new();
    }
    let stripped = lines[..count].iter().map(|line| {
        let line = &line[2..];
        format!("{}\n", line.strip_prefix(' ').unwrap_or(line))
    });
    stripped.collect()
}

/// What is written before the methods of a type.
const TYPES: &[(&str, &str)] = &[
    (
        "command",
        "`ls -l {folder}`              a command is a value: words, quotes, {x} as exactly one argument
`a` | `b`                     a pipeline; sh(\"...\") for what only a shell knows
c.words c.stages              its words, and the commands of a pipeline",
    ),
    (
        "process",
        "What `spawn` and c.start() give: p.pid p.name p.alive p.exitcode p.daemon, join p for its value;
of a program that was started to talk with: p.stdin p.stdout p.stderr",
    ),
];

/// The constructs of the language: what cannot be looked up as a function.
const CONSTRUCTS: &[(&str, &str)] = &[
    (
        "spawn",
        "spawn f(x)                    runs the call in a new process and goes on; the value is a process handle
spawn { ... }                 the same with a block; what it captures is a snapshot
spawn(name: \"tail\", daemon: true, start: false) f(x)
Then: p.pid p.name p.alive p.exitcode p.wait(timeout:) p.terminate() p.kill() p.cancel() and join p",
    ),
    (
        "join",
        "join p                        waits for a process (or future, queue, pool): its value, or the error that it raised
join [p, q]                   a list of them, or a map: a list or map of the values
join(timeout: 2s) p           raises Timeout when it takes longer",
    ),
    (
        "scope",
        "scope { spawn a(); spawn b() }   leaving the block waits for all; the first failure cancels the rest and is raised
scope(timeout: 10s, limit: 4) { ... }",
    ),
    (
        "lock",
        "let m = lock()                a lock; lock(reentrant: true) may be taken again by its owner
lock m { ... }                holds it in the block, however the block is left
lock(timeout: 1s) a, b { ... }   several, always taken in one order",
    ),
    (
        "queue",
        "let q = queue()               unbounded; queue(100) blocks a put when 100 items wait
q.put(x)  q.get(timeout: 1s)  q.try_get()  q.len()  q.close()
for item in q { ... }         until it is closed and empty",
    ),
    (
        "pipe",
        "let [left, right] = pipe()    two ends that both send and receive; pipe(oneway: true) is [reader, writer]
left.send(x)  right.recv()  right.poll(timeout: 1s)  left.close()  for x in right { ... }",
    ),
    (
        "shared",
        "shared total = 0              a value that all processes share: total.value += 1 is one atomic step
shared([..]) shared({..})     a shared list or map; shared.ints(n) shared.floats(n) shared.bytes(n) typed arrays",
    ),
    (
        "pool",
        "pool map x in xs { f(x) }     a list of the results, in order; one worker process per CPU
pool map(workers: 4, chunk: 16, ordered: false, retries: 2, on_error: \"collect\") x in xs { ... }
with pool(4) as p { p.map(f, xs)  p.submit(f, x) }",
    ),
    (
        "select",
        "select(timeout: 3s) {         waits for the first of several
  case v = q.get() { ... }
  case r = join p { ... }
  after 500ms { ... }
  else { ... }                without waiting at all
}",
    ),
    (
        "if",
        "if a { ... } else if b { ... } else { ... }     a value too: let x = if a { 1 } else { 2 }",
    ),
    (
        "for",
        "for x in xs { ... }           through a list, a str, a range (0..n), a file, a queue, lines of a program
for k, v in m { ... }         through a map; break and continue leave it or go on",
    ),
    ("while", "while condition { ... }      break and continue leave it or go on"),
    (
        "match",
        "match x {
  case 0 { ... }
  case [first, ...rest] if first > 1 { ... }
  case {name, age} { ... }
  else { ... }
}",
    ),
    (
        "try",
        "try { ... } catch e: Timeout { ... } catch e { ... } finally { ... }      e.kind e.message e.cause e.trace
f() rescue fallback           a value instead of an error",
    ),
    (
        "throw",
        "throw \"text\"                 raises an Error; throw error(\"text\", kind: \"Mine\", code: 3), throw e",
    ),
    ("with", "with open(name) as f { ... }  closes what it opened however the block is left"),
    ("defer", "defer expression              runs it, or a block, when the function or the script is left"),
    (
        "fn",
        "fn name(a, b = 1, ...rest) { ... }      the last expression is its result; fn(x) => x * 2 without a name",
    ),
    (
        "struct",
        "struct Point { x, y = 0 }      Point(1, y: 2)",
    ),
    ("let", "let x = 1                     a variable; let [a, b] = xs, let {name} = m; const for one that stays"),
    (
        "import",
        "import math                   a standard module; import \"lib/tool.par\" as tool",
    ),
    ("test", "test \"name\" { assert(f(1) == 2) }      `par test` runs it, in a process of its own"),
];

/// Names in order, on lines of at most 100 characters, indented under their heading.
pub(super) fn wrapped(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    let mut text = String::new();
    let mut width = 12;
    for name in names {
        if width + name.len() + 1 > 100 {
            text.push_str("\n            ");
            width = 12;
        }
        text.push_str(name);
        text.push(' ');
        width += name.len() + 1;
    }
    text
}

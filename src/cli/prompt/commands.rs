//! The prompt's own commands, which start with a colon.

use crate::builtins;
use crate::diag;
use crate::driver::Driver;
use crate::value::Value;
use crate::value::function::Proto;

/// A command of the prompt.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    /// `:quit`, `:q`.
    Quit,
    /// `:help`, `:help name`.
    Help(String),
    /// Anything else with a colon.
    Unknown(String),
}

impl Command {
    /// The command that a line is; `None` when it is code.
    pub(super) fn parse(line: &str) -> Option<Command> {
        let words = line.trim().strip_prefix(':')?;
        let (name, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        Some(match name {
            "quit" | "q" | "exit" => Command::Quit,
            "help" | "h" | "?" => Command::Help(rest.trim().to_string()),
            other => Command::Unknown(other.to_string()),
        })
    }
}

const OVERVIEW: &str = "\
Type an expression to see its value; `_` is the last one. Statements and declarations stay for the lines after them.
A block that is not closed yet reads on; Ctrl-C drops it, or stops what runs.

  :help name      a built-in function, a method such as list.push, a module, a construct, or a function of yours
  :quit           ends the session (so does Ctrl-D)

Constructs: spawn join scope lock queue pipe shared pool select
Functions:  ";

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
];

/// The answer to `:help topic`.
pub(super) fn help(topic: &str, driver: &Driver) -> String {
    if topic.is_empty() {
        return format!("{OVERVIEW}{}", wrapped(&builtins::function_names()));
    }
    let construct = CONSTRUCTS.iter().find(|(name, _)| *name == topic);
    construct
        .map(|(_, text)| (*text).to_string())
        .or_else(|| driver.variable(topic).map(|value| of_value(topic, value)))
        .or_else(|| builtins::doc(topic))
        .or_else(|| of_member(topic, driver))
        .unwrap_or_else(|| unknown(topic))
}

fn unknown(topic: &str) -> String {
    let names = builtins::function_names();
    let constructs = CONSTRUCTS.iter().map(|(name, _)| *name);
    let meant = diag::did_you_mean(topic, names.into_iter().chain(constructs));
    let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
    format!("nothing is known of `{topic}`{meant}")
}

/// `variable.method`.
fn of_member(topic: &str, driver: &Driver) -> Option<String> {
    let (of, name) = topic.rsplit_once('.')?;
    builtins::doc(&format!("{}.{name}", driver.variable(of)?.type_name()))
}

fn of_value(name: &str, value: Value) -> String {
    match value {
        Value::Fn(closure) => of_function(&closure.proto),
        Value::Native(native) => builtins::doc(native.name).unwrap_or_default(),
        Value::Struct(declared) => {
            let fields: Vec<&str> = declared.fields.iter().map(|field| &**field).collect();
            let doc = declared.doc.as_deref().map(indented).unwrap_or_default();
            format!("struct {}({})\n{doc}", declared.name, fields.join(", "))
        }
        value => {
            let methods = wrapped(&builtins::method_names(&value));
            let of = value.type_name();
            format!("{name} is a value of type {of}\nMethods:    {methods}")
        }
    }
}

fn of_function(proto: &Proto) -> String {
    let params = proto
        .params
        .iter()
        .map(|param| match (param.rest, param.optional) {
            (true, _) => format!("...{}", param.name),
            (_, true) => format!("[{}]", param.name),
            _ => param.name.to_string(),
        });
    let params: Vec<String> = params.collect();
    let doc = proto.doc.as_deref().map(indented).unwrap_or_default();
    format!("fn {}({})\n{doc}", proto.name, params.join(", "))
}

fn indented(doc: &str) -> String {
    doc.lines()
        .map(|line| format!("  {}\n", line.trim()))
        .collect()
}

/// Names in order, on lines of at most 100 characters, indented under their heading.
fn wrapped(names: &[&str]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_makes_a_command() {
        assert_eq!(Command::parse(" :quit "), Some(Command::Quit));
        let help = Command::Help("list.push".to_string());
        assert_eq!(Command::parse(":help  list.push"), Some(help));
        assert_eq!(
            Command::parse(":x"),
            Some(Command::Unknown("x".to_string()))
        );
        assert_eq!(Command::parse("{a: 1}"), None);
    }
}

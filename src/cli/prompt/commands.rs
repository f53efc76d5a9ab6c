//! The prompt's own commands, which start with a colon.

use crate::builtins;
use crate::check::Place;
use crate::cli::doc::{self, wrapped};
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

/// The answer to `:help topic`.
pub(super) fn help(topic: &str, driver: &Driver) -> String {
    if topic.is_empty() {
        return format!("{OVERVIEW}{}", wrapped(&builtins::function_names()));
    }
    let variable = driver.variable(topic);
    variable
        .map(|value| of_value(topic, value))
        .or_else(|| of_import(topic, driver))
        .or_else(|| doc::topic(topic))
        .or_else(|| of_member(topic, driver))
        .unwrap_or_else(|| doc::unknown(topic))
}

/// An imported module, or `module.member`, by the name that it was imported under.
fn of_import(topic: &str, driver: &Driver) -> Option<String> {
    let (of, member) = match topic.split_once('.') {
        Some((of, member)) => (of, Some(member)),
        None => (topic, None),
    };
    let imported = driver.imported(of)?;
    if let Place::Module(name) = &imported.place {
        return doc::topic(&match member {
            Some(member) => format!("{name}.{member}"),
            None => name.to_string(),
        });
    }
    if let Some(member) = member {
        // A method of a struct in it may be asked for too.
        let (name, method) = match member.split_once('.') {
            Some((name, method)) => (name, Some(method)),
            None => (member, None),
        };
        let value = driver.member(imported, name)?;
        return match (value, method) {
            (Value::Struct(declared), Some(method)) => match declared.method(method)? {
                Value::Fn(closure) => Some(of_function(&closure.proto)),
                _ => None,
            },
            (_, Some(_)) => None,
            (value, None) => Some(of_value(name, value)),
        };
    }
    let all = imported.members.iter();
    let lines = all.filter_map(|member| {
        let value = driver.member(imported, &member.name)?;
        let told = match value {
            Value::Fn(_) | Value::Struct(_) => of_value(&member.name, value),
            value => format!("{} is a value of type {}\n", member.name, value.type_name()),
        };
        let mut lines = told.lines().map(str::trim_end);
        let (head, doc) = (lines.next()?, lines.next().unwrap_or_default());
        Some(format!("{head}\n{doc}").trim_end().to_string())
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
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
        .map(|line| format!("{}\n", format!("  {line}").trim_end()))
        .collect()
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

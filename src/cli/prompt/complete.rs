//! Completion: names, and behind a dot the fields and methods of the value that stands before it.

use crate::builtins;
use crate::driver::Driver;
use crate::value::list::Range;
use crate::value::map::{Map, Set, Table};
use crate::value::{Value, access};

/// The words that start statements and expressions.
const WORDS: &[&str] = &[
    "and", "as", "break", "case", "catch", "const", "continue", "defer", "do", "else", "false",
    "finally", "fn", "for", "if", "import", "in", "join", "let", "lock", "match", "nil", "not",
    "or", "pipe", "pool", "queue", "rescue", "return", "scope", "select", "shared", "spawn",
    "struct", "throw", "true", "try", "while", "with",
];

/// Where the word at the cursor begins, and what it could become.
pub(super) fn candidates(line: &str, cursor: usize, driver: &mut Driver) -> (usize, Vec<String>) {
    let before = line.get(..cursor).unwrap_or(line);
    let start = before.len() - trailing_name(before).len();
    let (head, word) = before.split_at(start);
    let mut found = match head.strip_suffix('.') {
        Some(object) => members(object, driver),
        None if is_import(head) => modules(),
        None => names(driver),
    };
    found.retain(|name| name.starts_with(word));
    // Underscores hide names until they are asked for.
    found.retain(|name| word.starts_with('_') || !name.starts_with('_'));
    found.sort_unstable();
    found.dedup();
    (start, found)
}

fn trailing_name(text: &str) -> &str {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let start = text.trim_end_matches(is_name).len();
    text.get(start..).unwrap_or_default()
}

fn is_import(head: &str) -> bool {
    head.trim_end()
        .split([';', '\n'])
        .next_back()
        .is_some_and(|last| last.trim() == "import")
}

fn modules() -> Vec<String> {
    builtins::module_names()
        .into_iter()
        .map(str::to_string)
        .collect()
}

fn names(driver: &Driver) -> Vec<String> {
    let session = driver.names().map(|name| name.to_string());
    let known = builtins::function_names()
        .into_iter()
        .chain(WORDS.iter().copied());
    session.chain(known.map(str::to_string)).collect()
}

/// What may stand behind the dot after `object`: a path of names is followed from the session's variables, a literal is known
/// by its last character; of anything else nothing is known before it runs.
fn members(object: &str, driver: &mut Driver) -> Vec<String> {
    let path = trailing_path(object);
    if path.is_empty() {
        let of = match object.chars().next_back() {
            Some('"') => "str",
            Some(']') => "list",
            Some('}') => "map",
            _ => return Vec::new(),
        };
        return sample(of, driver).map(members_of).unwrap_or_default();
    }
    if let Some(imported) = driver.imported(path) {
        return imported
            .members
            .iter()
            .map(|member| member.name.to_string())
            .collect();
    }
    match value_at(path, driver) {
        Some(value) => members_of(value),
        None => Vec::new(),
    }
}

/// `a.b.c` at the end of a text; empty when what is there is no such path.
fn trailing_path(text: &str) -> &str {
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let start = text.trim_end_matches(in_path).len();
    let path = text.get(start..).unwrap_or_default();
    let after_value = text[..start].ends_with([')', ']', '"', '}']);
    if after_value || path.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
        return "";
    }
    path
}

fn value_at(path: &str, driver: &mut Driver) -> Option<Value> {
    let mut names = path.split('.');
    let mut value = driver.variable(names.next()?)?;
    for name in names {
        // Only data is followed: looking at a completion runs nothing.
        value = match value {
            Value::Map(map) => map
                .table()
                .get(&Value::str(driver.machine().heap(), name))?,
            Value::Instance(instance) => instance.fields().get(instance.of.slot(name)?)?.get(),
            _ => return None,
        };
    }
    Some(value)
}

/// Some value of a type, to look its methods up.
fn sample(of: &str, driver: &mut Driver) -> Option<Value> {
    let heap = driver.machine().heap();
    Some(match of {
        "str" => Value::str(heap, ""),
        "bytes" => Value::bytes(heap, Vec::new()),
        "list" => Value::list(heap, Vec::new()),
        "map" => Value::Map(Map::new(heap, Table::default())),
        "set" => Value::Set(Set::new(heap, Table::default())),
        "range" => Value::Range(Range::new(heap, 0, None, false, 1)),
        "int" => Value::Int(0),
        "float" => Value::Float(0.0),
        _ => return None,
    })
}

fn members_of(value: Value) -> Vec<String> {
    let mut found: Vec<String> = access::field_names(value);
    if let Value::Instance(instance) = value {
        found.extend(
            instance
                .of
                .method_names()
                .iter()
                .map(|name| name.to_string()),
        );
    }
    found.extend(
        builtins::method_names(&value)
            .into_iter()
            .map(str::to_string),
    );
    found
}

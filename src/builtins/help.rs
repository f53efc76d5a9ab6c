//! What the prompt's help and `docs/library.md` say: one line for each function and method, from the tables that run.

use super::{FUNCTIONS, METHODS, Table, find, function, module, module_names, modules, names};
use crate::value::heap::Heap;
use crate::value::native::Native;
use crate::value::{Value, show};
use std::fmt::Write;

/// The methods of handles, by what `type(x)` answers. (At run time a handle brings its own.)
static HANDLES: &[(&str, &[Table])] = &[
    ("barrier", &[super::barrier::METHODS]),
    ("command", &[super::command::METHODS]),
    ("condition", &[super::condition::METHODS]),
    ("environ", &[modules::environ::METHODS]),
    ("event", &[super::event::METHODS]),
    ("file", &[super::file::METHODS]),
    ("file lock", &[modules::file_lock::METHODS]),
    ("future", &[super::pool::future::METHODS]),
    ("lease", &[super::lease::METHODS]),
    ("lock", &[super::lock::METHODS]),
    ("match", &[modules::re_match::METHODS]),
    ("pattern", &[modules::re::METHODS]),
    ("pipe", &[super::pipe::METHODS]),
    ("pool", &[super::pool::workers::methods::METHODS]),
    ("process", &[super::process::METHODS]),
    ("queue", &[super::queue::METHODS]),
    ("semaphore", &[super::semaphore::METHODS]),
    ("shared", &[super::shared::scalar::METHODS]),
    ("shared ints", &[super::shared::array::METHODS]),
    ("shared list", &[super::shared::list::METHODS]),
    ("shared map", &[super::shared::map::METHODS]),
    ("stream stdin", &[super::command::STDIN]),
    ("stream stdout, stderr", &[super::command::STDOUT]),
];

/// How a function is called.
fn signature(row: &Native) -> String {
    format!("{}({})", row.name, row.params.join(", "))
}

/// The tables of a type's methods.
fn methods_of(of: &str) -> Option<&'static [Table]> {
    let mut all = METHODS.iter().chain(HANDLES);
    // `stream stdout, stderr` is asked for by what a process has: `stdout`.
    let is_stream = |kind: &str| {
        let names = kind.strip_prefix("stream ").unwrap_or_default();
        names.split(", ").any(|name| name == of)
    };
    let found = all.find(|(kind, _)| *kind == of || is_stream(kind));
    found.map(|(_, tables)| *tables)
}

/// The names of the types that have methods.
pub fn type_names() -> Vec<&'static str> {
    let mut types: Vec<_> = METHODS.iter().chain(HANDLES).map(|(of, _)| *of).collect();
    types.sort_unstable();
    types
}

/// What the prompt's help says of a name: a function (`print`), a method (`list.push`), a module (`math`), one of its
/// functions (`math.sqrt`) or a type (`list`, with the names of its methods, after what the function of that name does).
pub fn doc(name: &str) -> Option<String> {
    let describe = |row: &Native| format!("{}: {}", signature(row), row.doc);
    let methods = methods_of(name).map(|tables| {
        let names = names(tables);
        let names = names.into_iter().filter(|name| !name.starts_with('@'));
        format!("methods of {name}: {}", names.collect::<Vec<_>>().join(" "))
    });
    if let Some(row) = function(name) {
        return Some(match methods {
            Some(methods) => format!("{}\n{methods}", describe(row)),
            None => describe(row),
        });
    }
    if let Some(module) = module(name) {
        let names = names(&[module.functions]).join(" ");
        return Some(format!("{}\n{names}", module.doc));
    }
    if methods.is_some() {
        return methods;
    }
    let Some((of, name)) = name.split_once('.') else {
        return methods_named(name);
    };
    if let Some(module) = module(of)
        && let Some((_, value)) = module.constants.iter().find(|(known, _)| *known == name)
    {
        let mut heap = Heap::default();
        let value = value(&mut heap);
        let methods = methods_of(value.type_name()).filter(|_| matches!(value, Value::Handle(_)));
        return Some(match methods {
            Some(methods) => format!("{of}.{name}: methods: {}", names(methods).join(" ")),
            None => format!("{of}.{name}: {}", show::repr(value)),
        });
    }
    let tables = match module(of) {
        Some(module) => &[module.functions][..],
        None => methods_of(of)?,
    };
    find(tables, name).map(|row| format!("{of}.{}", describe(row)))
}

/// The methods of a name, of whatever type; one for the line of each.
fn methods_named(name: &str) -> Option<String> {
    let types = type_names().into_iter();
    let rows = types.filter_map(|of| {
        let row = find(methods_of(of).unwrap_or_default(), name)?;
        Some(format!("{of}.{}: {}", signature(row), row.doc))
    });
    let rows: Vec<String> = rows.collect();
    (!rows.is_empty()).then(|| rows.join("\n"))
}

/// All of it as a document.
pub fn library() -> String {
    let mut text = String::from(HEAD);
    section(&mut text, "## Functions", "", FUNCTIONS);
    text.push_str("\n## Methods\n\nA table for each type; where a name stands twice, the first one is the type's own.\n");
    for of in type_names() {
        section(
            &mut text,
            &format!("### {of}"),
            "",
            methods_of(of).unwrap_or_default(),
        );
    }
    text.push_str("\n## Modules\n");
    for name in module_names() {
        let Some(module) = module(name) else { continue };
        let constants: Vec<_> = module
            .constants
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let mut about = module.doc.to_string();
        if !constants.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(about, " Constants: {}.", constants.join(", "));
        }
        section(
            &mut text,
            &format!("### {name}"),
            &about,
            &[module.functions],
        );
    }
    text
}

/// The head of the document.
const HEAD: &str = "\
# The library

Made from the tables that run (`src/builtins`): `UPDATE_EXPECT=1 cargo test --lib library` writes it anew. Parameters with `?`
are optional, `...values` takes any number, `**fields` any named ones. The prompt's `:help name` shows the same lines.
";

fn section(text: &mut String, title: &str, about: &str, tables: &[Table]) {
    let mut rows: Vec<&Native> = Vec::new();
    for row in tables.iter().flat_map(|table| table.iter()) {
        // A method of the type itself comes before one of its family.
        let known = rows.iter().any(|known| known.name == row.name);
        if !known && !row.name.starts_with('@') {
            rows.push(row);
        }
    }
    rows.sort_by_key(|row| row.name);
    let about = if about.is_empty() {
        String::new()
    } else {
        format!("{about}\n\n")
    };
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{title}\n\n{about}| | |\n| --- | --- |\n");
    for row in rows {
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            signature(row),
            row.doc.replace('|', "\\|")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_finds_functions_methods_and_modules() {
        let begins = |name, start| doc(name).is_some_and(|text| text.starts_with(start));
        assert!(begins("print", "print(...values, sep?, end?): "));
        assert!(begins("list.push", "list.push(item): "));
        assert!(begins("queue.put", "queue.put("));
        assert!(begins("stdin.write", "stdin.write("));
        assert!(begins("stderr", "methods of stderr: close "));
        assert!(
            doc("push").is_some_and(
                |text| text.starts_with("list.push(item): ") && text.lines().count() > 1
            )
        );
        assert_eq!(doc("@push"), None);
        assert!(begins("math.sqrt", "math.sqrt(x): "));
        assert!(doc("list").is_some_and(|text| text.contains("methods of list: append ")));
        assert!(
            begins("math.pi", "math.pi: 3.14") && begins("os.environ", "os.environ: methods: ")
        );
        assert!(doc("nothing").is_none() && doc("list.nothing").is_none());
    }

    #[test]
    fn the_library_is_written_down() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/library.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, library()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == library(),
            "docs/library.md is out of date: UPDATE_EXPECT=1 cargo test --lib library"
        );
    }
}

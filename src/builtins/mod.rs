//! What scripts can call without importing anything, the methods of every type, the standard modules written in Rust, and
//! the intrinsics that the constructs of the language compile to.
//!
//! Each file of a family holds its functions and a static table of rows, sorted by name; the lists below name the
//! tables. Nothing is built at start-up: a look-up is a binary search.
//!
//! Imports `value`, `program`, `process`, `wire`, `os` (the clock), `diag`, `operator`, `limits`. **Invariant:** nothing here knows the virtual machine or
//! the compiler: calls back go through [`crate::value::native::Context`].

/// Writes a table: `"name" ("param", "optional?") code, "What it does.";`, sorted by name.
macro_rules! natives {
    ($($name:literal ($($param:literal),*) $code:expr, $doc:literal;)*) => {
        &[$($crate::value::native::Native {
            name: $name,
            params: &[$($param),*],
            code: $code,
            doc: $doc,
        }),*]
    };
}

/// A handle type around a noun of the process layer that is a handle and nothing more (locks and their family): the `Handle`, the
/// way back from a handle in a message, and the receiver of its methods.
macro_rules! noun_handle {
    ($handle:ident, $noun:ident, $a_noun:literal, $name:literal, { $($more:tt)* }) => {
        impl $crate::value::handle::Handle for $handle {
            fn type_name(&self) -> &'static str {
                $name
            }

            fn show(&self) -> String {
                self.0.show()
            }

            fn identity(&self) -> Option<$crate::value::handle::HandleId> {
                Some($crate::builtins::travel::from_arena(self.0.id(), 0))
            }

            fn methods(&self) -> &'static [$crate::value::native::Native] {
                METHODS
            }

            $($more)*

            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
        }

        #[doc = concat!("The handle of ", $a_noun, " that came in a message.")]
        pub fn from_id(
            id: $crate::arena::HandleId,
        ) -> Option<std::rc::Rc<dyn $crate::value::handle::Handle>> {
            Some(std::rc::Rc::new($handle($noun::from_id(id)?)))
        }

        fn receiver<'a>(
            method: &str,
            value: &'a $crate::value::Value,
        ) -> $crate::value::native::Outcome<&'a $noun> {
            match value.as_handle::<$handle>() {
                Some(handle) => Ok(&handle.0),
                None => Err($crate::builtins::arguments::wrong(method, "self", $a_noun, value)),
            }
        }
    };
}

pub mod arguments;
mod assertion;
mod barrier;
mod bytes;
mod command;
mod condition;
mod control;
mod convert;
mod encoding;
mod event;
mod file;
mod file_gather;
mod file_place;
mod file_stream;
mod folds;
mod format;
pub mod gather;
mod help;
pub mod lazy;
mod lease;
mod list;
mod lock;
mod map;
mod modules;
mod numbers;
mod options;
mod output;
mod pipe;
pub mod pool;
pub mod process;
mod progress;
mod queue;
mod scarce;
mod scope;
mod select;
mod semaphore;
mod sequences;
mod set;
pub(crate) mod shared;
mod sorting;
pub mod spawn;
pub mod state;
mod system;
mod text;
mod text_pieces;
mod text_search;
mod transforms;
pub mod travel;
mod willing;
mod with;

use crate::diag::{self, codes};
use crate::value::function::Bound;
use crate::value::handle::Handle;
use crate::value::heap::Heap;
use crate::value::native::{Context, Native, Outcome};
use crate::value::{Value, access, show};
pub use help::{doc, library, type_names};
use modules::MODULES;

/// Rows sorted by name (a test looks).
pub type Table = &'static [Native];

/// The tables of built-in functions.
static FUNCTIONS: &[Table] = &[
    barrier::FUNCTIONS,
    command::FUNCTIONS,
    condition::FUNCTIONS,
    control::FUNCTIONS,
    event::FUNCTIONS,
    lock::FUNCTIONS,
    semaphore::FUNCTIONS,
    convert::FUNCTIONS,
    file::FUNCTIONS,
    format::FUNCTIONS,
    numbers::FUNCTIONS,
    output::FUNCTIONS,
    pipe::FUNCTIONS,
    pool::FUNCTIONS,
    process::FUNCTIONS,
    queue::FUNCTIONS,
    sequences::FUNCTIONS,
    shared::FUNCTIONS,
];
/// The tables of intrinsics.
static INTRINSICS: &[Table] = &[
    assertion::INTRINSICS,
    command::INTRINSICS,
    lease::INTRINSICS,
    lock::INTRINSICS,
    pool::INTRINSICS,
    scope::INTRINSICS,
    select::INTRINSICS,
    spawn::INTRINSICS,
    with::INTRINSICS,
];

/// A constant of a module: its name, and what makes its value.
pub type Constant = (&'static str, fn(&mut Heap) -> Value);

/// A standard module written in Rust.
pub struct Module {
    /// What `import` calls it.
    pub name: &'static str,
    /// One sentence on what it is for.
    pub doc: &'static str,
    /// Its functions, sorted by name.
    pub functions: Table,
    /// Its constants.
    pub constants: &'static [Constant],
}

/// A built-in function by name (`print`, `queue`, `len`).
pub fn function(name: &str) -> Option<&'static Native> {
    find(FUNCTIONS, name)
}

/// The names of all built-in functions.
pub fn function_names() -> Vec<&'static str> {
    names(FUNCTIONS)
}

/// A method of a value's type by name; its code takes the receiver as first argument.
pub fn method(receiver: &Value, name: &str) -> Option<&'static Native> {
    match receiver {
        Value::Handle(handle) => find(&handle_methods(handle.get()), name),
        _ => find(methods(receiver), name),
    }
}

/// The names of all methods of a value's type.
pub fn method_names(receiver: &Value) -> Vec<&'static str> {
    match receiver {
        Value::Handle(handle) => names(&handle_methods(handle.get())),
        _ => names(methods(receiver)),
    }
}

/// The tables of a handle's methods: its own, and what all sequences have when it is one.
fn handle_methods(handle: &dyn Handle) -> [Table; 3] {
    match shared::is_sequence(handle) {
        true => [handle.methods(), transforms::METHODS, folds::METHODS],
        false => [handle.methods(), &[], &[]],
    }
}

/// An intrinsic: a function that constructs of the language compile to. Its name starts with `@`.
pub fn intrinsic(name: &str) -> Option<&'static Native> {
    find(INTRINSICS, name)
}

/// A standard module in Rust by name.
pub fn module(name: &str) -> Option<&'static Module> {
    let found = MODULES.binary_search_by(|module| module.name.cmp(name));
    found.ok().and_then(|at| MODULES.get(at)).copied()
}

/// The names of the standard modules in Rust.
pub fn module_names() -> Vec<&'static str> {
    MODULES.iter().map(|module| module.name).collect()
}

/// `object.name` in full: data first, then a method bound to the object, else an error with the nearest name.
pub fn get_field(context: &mut dyn Context, object: Value, name: &str) -> Outcome {
    if let Some(value) = access::find_field(context, object, name)? {
        return Ok(value);
    }
    if let Value::Instance(instance) = object
        && let Some(found) = instance.of.method(name)
    {
        return Ok(Value::Bound(Bound::new(context.heap(), object, found)));
    }
    match (object, method(&object, name)) {
        // The name after the dot of a map is a key, unless it is called.
        (Value::Map(_), Some(_)) => {
            let message = format!("the map has no key {}", show::quoted(name));
            let error = diag::Error::new(codes::KEY, message);
            let help = format!("write `.{name}()` to call the method of that name");
            Err(error.with_help(help).into())
        }
        (_, Some(found)) => {
            let bound = Bound::new(context.heap(), object, Value::Native(found));
            Ok(Value::Bound(bound))
        }
        (_, None) => {
            let mut known = access::field_names(object);
            if let Value::Instance(instance) = object {
                known.extend(
                    instance
                        .of
                        .method_names()
                        .iter()
                        .map(|name| name.to_string()),
                );
            }
            let methods = method_names(&object);
            known.extend(methods.iter().map(|name| name.to_string()));
            Err(access::no_field(object, name, &known))
        }
    }
}

/// The tables of the methods of each type that has some but handles, the type's own before those of its family.
static METHODS: &[(&str, &[Table])] = &[
    ("bytes", &[bytes::METHODS]),
    (
        "iterator",
        &[transforms::ITERATOR, transforms::METHODS, folds::METHODS],
    ),
    (
        "list",
        &[list::METHODS, transforms::METHODS, folds::METHODS],
    ),
    ("map", &[map::METHODS]),
    (
        "range",
        &[transforms::RANGE, transforms::METHODS, folds::METHODS],
    ),
    ("set", &[set::METHODS, transforms::METHODS, folds::METHODS]),
    ("str", &[text::METHODS, text_search::METHODS]),
];

fn methods(receiver: &Value) -> &'static [Table] {
    let name = receiver.type_name();
    let found = METHODS.binary_search_by(|(of, _)| (*of).cmp(name));
    found
        .ok()
        .and_then(|at| METHODS.get(at))
        .map_or(&[], |(_, tables)| tables)
}

fn find(tables: &[Table], name: &str) -> Option<&'static Native> {
    tables.iter().find_map(|table| {
        let at = table.binary_search_by(|row| row.name.cmp(name)).ok()?;
        table.get(at)
    })
}

fn names(tables: &[Table]) -> Vec<&'static str> {
    tables
        .iter()
        .flat_map(|table| table.iter().map(|row| row.name))
        .collect()
}

#[cfg(test)]
mod tests;

//! `os.environ`: the variables of the environment as they are now. What is set in it is set for this process and for what
//! it starts.

use super::os;
use crate::builtins::{Table, arguments};
use crate::os::name;
use crate::value::handle::Handle;
use crate::value::heap::{Heap, Marker};
use crate::value::map::{Map, Table as Entries};
use crate::value::native::{Args, Context, Native, NativeIter, Outcome};
use crate::value::{Value, access, show};
use std::any::Any;
use std::cell::Cell;
use std::env;
use std::rc::Rc;

/// Sorted by name.
pub static METHODS: Table = natives! {
    "contains" ("name") contains, "Whether there is a variable of a name.";
    "copy" () copy, "A plain map of the variables.";
    "get" ("name", "default?") get, "The value of a variable; the default, or nil, when it is not set.";
    "has" ("name") contains, "Whether there is a variable of a name.";
    "items" () items, "A list of pairs [name, value].";
    "keys" () keys, "A list of the names.";
    "len" () len, "How many variables there are.";
    "pop" ("name", "default?") pop, "Takes a variable out and gives its value; the default, or KeyError, when it is not set.";
    "remove" ("name", "default?") pop, "Takes a variable out and gives its value; the default, or KeyError, when it is not set.";
    "set" ("name", "value") set, "Sets a variable.";
    "setdefault" ("name", "default") setdefault, "The value of a variable, which is set to the default first when it is not set.";
    "update" ("other") update, "Sets the variables of a map.";
    "values" () values, "A list of the values.";
};

/// The environment of this process: it holds nothing itself.
struct Environ;

/// `os.environ`.
pub fn value(heap: &mut Heap) -> Value {
    Value::handle(heap, Rc::new(Environ))
}

impl Handle for Environ {
    fn type_name(&self) -> &'static str {
        "environ"
    }

    fn show(&self) -> String {
        let entries = variables();
        let entries = entries
            .iter()
            .map(|(name, value)| format!("{}: {}", show::quoted(name), show::quoted(value)));
        format!("environ({{{}}})", entries.collect::<Vec<_>>().join(", "))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok(os::variable(name).map(|value| Value::str(context.heap(), &value)))
    }

    fn set_attribute(&self, context: &mut dyn Context, name: &str, value: Value) -> Outcome<bool> {
        let name = Value::str(context.heap(), name);
        self.set_index(context, name, value)
    }

    fn index(&self, context: &mut dyn Context, name: Value) -> Outcome<Option<Value>> {
        match found(context, name) {
            Some(value) => Ok(Some(value)),
            None => Err(access::no_key(&table(context.heap()), name)),
        }
    }

    fn set_index(&self, _: &mut dyn Context, name: Value, value: Value) -> Outcome<bool> {
        os::change("environ", &name, Some(&value)).map(|_| true)
    }

    fn len(&self, _: &mut dyn Context) -> Outcome<Option<usize>> {
        Ok(Some(variables().len()))
    }

    fn contains(&self, context: &mut dyn Context, name: Value) -> Outcome<Option<bool>> {
        Ok(Some(found(context, name).is_some()))
    }

    fn iterate(&self, _: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        Ok(Some(Rc::new(Variables {
            entries: variables(),
            next: Cell::new(0),
            last: Cell::new(Value::Nil),
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Goes over names (with their values) that were read at one instant.
struct Variables {
    entries: Vec<(String, String)>,
    next: Cell<usize>,
    /// The value of the name that came last.
    last: Cell<Value>,
}

impl NativeIter for Variables {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let Some((name, value)) = self.entries.get(self.next.get()) else {
            return Ok(None);
        };
        self.next.set(self.next.get() + 1);
        let heap = context.heap();
        self.last.set(Value::str(heap, value));
        Ok(Some(Value::str(heap, name)))
    }

    fn value(&self) -> Option<Value> {
        Some(self.last.get())
    }

    fn is_at_hand(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.last.get());
    }
}

/// All variables, as texts.
fn variables() -> Vec<(String, String)> {
    env::vars_os()
        .map(|(name, value)| (name::text(name), name::text(value)))
        .collect()
}

fn table(heap: &mut Heap) -> Entries {
    let mut table = Entries::default();
    for (name, value) in variables() {
        let name = Value::str(heap, &name);
        let value = Value::str(heap, &value);
        table.insert(name, value);
    }
    table
}

fn found(context: &mut dyn Context, name: Value) -> Option<Value> {
    let value = os::variable(name.as_str()?)?;
    Some(Value::str(context.heap(), &value))
}

fn get(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(match (found(context, args[1]), args[2]) {
        (Some(value), _) => value,
        (None, Value::Undef) => Value::Nil,
        (None, default) => default,
    })
}

fn set(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    os::change("set", &args[1], Some(&args[2]))
}

fn setdefault(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match found(context, args[1]) {
        Some(value) => Ok(value),
        None => os::change("setdefault", &args[1], Some(&args[2])).map(|_| args[2]),
    }
}

fn pop(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match (found(context, args[1]), args[2]) {
        (Some(value), _) => os::change("remove", &args[1], None).map(|_| value),
        (None, Value::Undef) => Err(access::no_key(&table(context.heap()), args[1])),
        (None, default) => Ok(default),
    }
}

fn update(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let Value::Map(other) = args[1] else {
        return Err(arguments::wrong("update", "other", "a map", &args[1]));
    };
    for (name, value) in other.table().iter() {
        os::change("update", &name, Some(&value))?;
    }
    Ok(Value::Nil)
}

fn contains(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(found(context, args[1]).is_some()))
}

fn len(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Int(variables().len() as i64))
}

fn copy(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let table = table(context.heap());
    Ok(Value::Map(Map::new(context.heap(), table)))
}

fn keys(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let keys = table(context.heap()).iter().map(|(name, _)| name).collect();
    Ok(Value::list(context.heap(), keys))
}

fn values(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let table = table(context.heap());
    let values = table.iter().map(|(_, value)| value).collect();
    Ok(Value::list(context.heap(), values))
}

fn items(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    let table = table(context.heap());
    let mut pairs = Vec::new();
    for (name, value) in table.iter() {
        pairs.push(Value::list(context.heap(), vec![name, value]));
    }
    Ok(Value::list(context.heap(), pairs))
}

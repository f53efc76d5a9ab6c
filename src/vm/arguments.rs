//! Arguments to parameters: by position, by name, spread, missing, rest.

use crate::diag::{self, codes};
use crate::value::Value;
use crate::value::function::{Proto, Shape};
use crate::value::heap::Heap;
use crate::value::map::{Map, Table};
use crate::value::native::{Fault, HostFn, Native, Outcome};
use std::rc::Rc;

/// The arguments of a call.
#[derive(Default)]
pub(super) struct Given {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(Rc<str>, Value)>,
}

/// Sorts the values of a call by its shape.
pub(super) fn sort(values: &[Value], shape: Option<&Shape>) -> Outcome<Given> {
    let Some(shape) = shape else {
        return Ok(Given {
            positional: values.to_vec(),
            named: Vec::new(),
        });
    };
    let first_named = values.len().saturating_sub(shape.names.len());
    let (before, named) = values.split_at(first_named);
    let positional = match before {
        [Value::List(list)] if shape.spread => list.items().to_values(),
        _ => before.to_vec(),
    };
    let named = shape.names.iter().cloned().zip(named.iter().copied());
    Ok(Given {
        positional,
        named: named.collect(),
    })
}

/// The arguments of a script function, one per parameter; `Undef` where the default is to be taken.
pub(super) fn for_proto(heap: &mut Heap, proto: &Proto, given: Given) -> Outcome<Vec<Value>> {
    let names: Vec<Param> = proto
        .params
        .iter()
        .map(|param| Param {
            name: &param.name,
            optional: param.optional,
            rest: param.rest,
        })
        .collect();
    let (mut values, rest, others) = fill(&proto.name, &names, given)?;
    if let Some((name, _)) = others.first() {
        return Err(unknown_name(&proto.name, name, &names));
    }
    if let Some(at) = names.iter().position(|param| param.rest) {
        values[at] = Value::list(heap, rest);
    }
    Ok(values)
}

/// The arguments of a native function as its code expects them (see [`Native::params`]); the first `receivers` of those
/// given come before all.
pub(super) fn for_native(
    heap: &mut Heap,
    native: &'static Native,
    mut given: Given,
    receivers: usize,
) -> Outcome<Vec<Value>> {
    let names: Vec<Param> = native
        .params
        .iter()
        .filter(|param| !param.starts_with("**"))
        .map(|param| Param {
            name: param.trim_start_matches("...").trim_end_matches('?'),
            optional: param.ends_with('?'),
            rest: param.starts_with("..."),
        })
        .collect();
    let mut all: Vec<Value> = given
        .positional
        .drain(..receivers.min(given.positional.len()))
        .collect();
    let (values, rest, others) = fill(native.name, &names, given)?;
    for (value, param) in values.into_iter().zip(&names) {
        if !param.rest {
            all.push(value);
        }
    }
    let takes_others = native.params.iter().any(|param| param.starts_with("**"));
    match others.first() {
        Some((name, _)) if !takes_others => return Err(unknown_name(native.name, name, &names)),
        Some(_) => {
            let mut table = Table::default();
            for (name, value) in others {
                let key = Value::str(heap, &name);
                table.insert(key, value);
            }
            all.push(Value::Map(Map::new(heap, table)));
        }
        None if takes_others => all.push(Value::Undef),
        None => {}
    }
    all.extend(rest);
    Ok(all)
}

/// The arguments of a host function: any number, or as many as it says.
pub(super) fn for_host(host: &HostFn, given: Given) -> Outcome<Vec<Value>> {
    if let Some((name, _)) = given.named.first() {
        return Err(unknown_name(&host.name, name, &[]));
    }
    match host.arity {
        Some(arity) if arity != given.positional.len() => Err(wrong_count(
            &host.name,
            &arity.to_string(),
            arity,
            given.positional.len(),
        )),
        _ => Ok(given.positional),
    }
}

/// A parameter of either kind of function.
struct Param<'a> {
    name: &'a str,
    optional: bool,
    rest: bool,
}

type Filled = (Vec<Value>, Vec<Value>, Vec<(Rc<str>, Value)>);

/// One value per parameter, what the rest parameter takes, and the named arguments that no parameter has.
fn fill(function: &str, params: &[Param<'_>], given: Given) -> Outcome<Filled> {
    let mut values = vec![Value::Undef; params.len()];
    let rest_at = params.iter().position(|param| param.rest);
    let by_position = rest_at.unwrap_or(params.len());
    let count = given.positional.len();
    if count > by_position && rest_at.is_none() {
        let least = params.iter().filter(|param| !param.optional).count();
        let most = params.len();
        let expected = match least == most {
            true => most.to_string(),
            false => format!("{least} to {most}"),
        };
        return Err(wrong_count(function, &expected, most, count));
    }
    let mut rest = Vec::new();
    for (i, value) in given.positional.into_iter().enumerate() {
        match values.get_mut(i) {
            Some(slot) if i < by_position => *slot = value,
            _ => rest.push(value),
        }
    }
    let mut others = Vec::new();
    for (name, value) in given.named {
        let at = params
            .iter()
            .position(|param| !param.rest && param.name == &*name);
        match at.and_then(|at| values.get_mut(at)) {
            Some(slot) if matches!(slot, Value::Undef) => *slot = value,
            Some(_) => {
                let message = format!("`{function}` got `{name}` twice");
                return Err(diag::Error::new(codes::CALL, message).into());
            }
            None => others.push((name, value)),
        }
    }
    // A name that nobody has is told of first: it is why another is missing.
    if let Some((name, _)) = others.first()
        && params.iter().zip(&values).any(|(p, v)| missing(p, v))
    {
        return Err(unknown_name(function, name, params));
    }
    for (param, value) in params.iter().zip(&values) {
        if missing(param, value) {
            return Err(missing_argument(function, params, param.name));
        }
    }
    Ok((values, rest, others))
}

fn missing(param: &Param<'_>, value: &Value) -> bool {
    matches!(value, Value::Undef) && !param.optional && !param.rest
}

fn signature(function: &str, params: &[Param<'_>]) -> String {
    let shown = params
        .iter()
        .map(|param| match (param.rest, param.optional) {
            (true, _) => format!("...{}", param.name),
            (false, true) => format!("{}?", param.name),
            (false, false) => param.name.to_string(),
        });
    format!("{function}({})", shown.collect::<Vec<_>>().join(", "))
}

fn missing_argument(function: &str, params: &[Param<'_>], name: &str) -> Fault {
    let message = format!("`{function}` needs the argument `{name}`");
    diag::Error::new(codes::CALL, message)
        .with_note(format!("it is called as `{}`", signature(function, params)))
        .into()
}

fn wrong_count(function: &str, expected: &str, most: usize, count: usize) -> Fault {
    let plural = if most == 1 { "" } else { "s" };
    let message = format!("`{function}` takes {expected} argument{plural}, but got {count}");
    diag::Error::new(codes::CALL, message).into()
}

fn unknown_name(function: &str, name: &str, params: &[Param<'_>]) -> Fault {
    let error = diag::Error::new(
        codes::CALL,
        format!("`{function}` has no parameter `{name}`"),
    );
    let names = params.iter().filter(|param| !param.rest);
    match diag::did_you_mean(name, names.map(|param| param.name)) {
        Some(help) => error.with_help(help).into(),
        None => error.into(),
    }
}

/// The error of a use of something whose declaration has not run yet.
pub(super) fn too_early(name: &str) -> Fault {
    let message = format!("`{name}` has no value yet: its declaration has not run");
    diag::Error::new(codes::VALUE, message)
        .with_help("move the declaration before the first use")
        .into()
}

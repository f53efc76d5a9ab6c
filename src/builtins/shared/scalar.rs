//! Shared scalars: `.value` reads, writes and is updated in one atomic step.

use super::{Tries, copy, identity, look, pack, unpack};
use crate::arena;
use crate::builtins::{Table, arguments};
use crate::diag;
use crate::operator::BinaryOp;
use crate::process;
use crate::process::shared::{Content, Scalar, Small};
use crate::value::handle::{Handle, HandleId};
use crate::value::native::{Args, Context, Native, Outcome};
use crate::value::show::Check;
use crate::value::{Value, operate};
use std::any::Any;

pub static METHODS: Table = natives! {
    "compare_exchange" ("old", "new") compare_exchange, "Sets the value to `new` if it is equal to `old`; whether it did.";
    "copy" () copy_of, "The value.";
    "get" () get, "The value.";
    "set" ("value") set, "Sets the value.";
    "update" ("function") update, "Sets the value to `function(value)` in one atomic step, and gives it. The function is called again when the value has changed meanwhile.";
};

/// A shared scalar as a value.
pub struct ScalarHandle(pub Scalar);

impl Handle for ScalarHandle {
    fn type_name(&self) -> &'static str {
        "shared"
    }

    fn show(&self) -> String {
        look::show(self)
    }

    fn show_while(&self, check: Check) -> diag::Result<String> {
        look::show_while(self, check)
    }

    fn identity(&self) -> Option<HandleId> {
        identity(self.0.id())
    }

    fn truthy(&self) -> bool {
        let Some(arena) = arena::get() else {
            return true;
        };
        let (_, truthy) = self.0.read(arena, |content| {
            !matches!(content, Content::Small(Small::Nil | Small::Bool(false)))
        });
        truthy
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        match name {
            "value" => value(context, &self.0).map(Some),
            _ => Ok(None),
        }
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["value"]
    }

    fn set_attribute(&self, context: &mut dyn Context, name: &str, value: Value) -> Outcome<bool> {
        if name != "value" {
            return Ok(false);
        }
        let packed = pack(context, value)?;
        self.0.write(packed.item())?;
        Ok(true)
    }

    fn update_attribute(
        &self,
        context: &mut dyn Context,
        name: &str,
        op: BinaryOp,
        operand: Value,
    ) -> Outcome<Option<Value>> {
        if name != "value" {
            return Ok(None);
        }
        change(context, &self.0, |context, value| {
            operate::binary(context.heap(), op, value, operand)
        })
        .map(Some)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `value += by` and `value -= by` of ints, in one step and by the shortest way; false where that is not all there is to it.
#[inline]
pub fn step(scalar: &Scalar, op: BinaryOp, by: i64) -> bool {
    let stepped = match op {
        BinaryOp::Add => scalar.step(|value| value.checked_add(by)),
        BinaryOp::Sub => scalar.step(|value| value.checked_sub(by)),
        _ => None,
    };
    stepped.is_some()
}

/// The content.
#[inline]
pub fn value(context: &mut dyn Context, scalar: &Scalar) -> Outcome {
    let arena = process::start()?;
    scalar.read(arena, |content| unpack(context, content)).1
}

/// Replaces the content by what a function makes of it, again and again until nobody has come in between.
fn change(
    context: &mut dyn Context,
    scalar: &Scalar,
    mut compute: impl FnMut(&mut dyn Context, Value) -> Outcome,
) -> Outcome {
    let arena = process::start()?;
    let mut tries = Tries::new();
    loop {
        let (stamp, old) = scalar.read(arena, |content| unpack(context, content));
        let new = compute(context, old?)?;
        let packed = pack(context, new)?;
        if scalar.replace(Some(stamp), packed.item())? {
            return Ok(new);
        }
        tries.again(context, scalar.id())?;
    }
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a Scalar> {
    match value.as_handle::<ScalarHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "a shared scalar", value)),
    }
}

fn get(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    value(context, receiver("get", &args[0])?)
}

fn set(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let packed = pack(context, args[1])?;
    receiver("set", &args[0])?.write(packed.item())?;
    Ok(Value::Nil)
}

fn copy_of(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    copy(context, args[0])
}

fn update(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let function = arguments::callable("update", "function", &args[1])?;
    let scalar = receiver("update", &args[0])?;
    change(context, scalar, |context, value| {
        let new = context.call(function, &[value])?;
        context.protect(new);
        Ok(new)
    })
}

fn compare_exchange(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let scalar = receiver("compare_exchange", &args[0])?;
    let arena = process::start()?;
    let packed = pack(context, args[2])?;
    loop {
        let (stamp, old) = scalar.read(arena, |content| unpack(context, content));
        if !crate::value::compare::equals(old?, args[1]) {
            return Ok(Value::Bool(false));
        }
        if scalar.replace(Some(stamp), packed.item())? {
            return Ok(Value::Bool(true));
        }
    }
}

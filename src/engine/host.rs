//! Host functions: plain Rust closures that scripts call.

use super::convert::{FromValue, Mismatch, ToValue};
use crate::diag::{self, codes};
use crate::value::Value;
use crate::value::heap::Heap;
use crate::value::native::{Context, Fault, HostCode, Outcome};
use std::fmt::Display;
use std::rc::Rc;

/// A closure that can be registered with `Engine::function`: up to six arguments that implement [`FromValue`], a result
/// that implements [`HostResult`]. `Args` is the tuple of the arguments' types and is always inferred.
pub trait HostFunction<Args> {
    /// How many arguments it takes.
    const ARITY: usize;

    /// The closure behind the machine's calling convention. `name` is what errors call the function.
    fn into_code(self, name: Rc<str>) -> HostCode;
}

/// What a host function may return: anything that is [`ToValue`], or a `Result` of it whose error becomes a catchable
/// error of the script with that text.
pub trait HostResult {
    /// The value for the script.
    ///
    /// # Errors
    /// What the host function failed with.
    fn into_outcome(self, heap: &mut Heap) -> Outcome;
}

impl<T: ToValue> HostResult for T {
    fn into_outcome(self, heap: &mut Heap) -> Outcome {
        self.to_value(heap)
            .map_err(|wrong| diag::Error::new(codes::VALUE, wrong.to_string()).into())
    }
}

impl<T: ToValue, E: Display> HostResult for Result<T, E> {
    fn into_outcome(self, heap: &mut Heap) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(heap),
            Err(error) => Err(diag::Error::new(codes::USER, error.to_string()).into()),
        }
    }
}

/// Arguments for a call of a script function: a tuple of up to six [`ToValue`]s, `()` for none.
pub trait Arguments {
    /// The values, in order.
    ///
    /// # Errors
    /// An argument that no value can hold.
    fn into_values(self, heap: &mut Heap) -> Result<Vec<Value>, Mismatch>;
}

fn argument<T: FromValue>(name: &str, at: usize, args: &[Value]) -> Outcome<T> {
    let value = args.get(at).copied().unwrap_or(Value::Nil);
    T::from_value(value).map_err(|wrong| {
        let message = format!("argument {} of {name}: {wrong}", at + 1);
        Fault::Error(diag::Error::new(codes::CALL, message))
    })
}

macro_rules! arities {
    ($($count:literal: $($type:ident $at:tt),*;)*) => {
        $(impl<Code, Returned, $($type),*> HostFunction<($($type,)*)> for Code
        where
            Code: Fn($($type),*) -> Returned + 'static,
            Returned: HostResult,
            $($type: FromValue,)*
        {
            const ARITY: usize = $count;

            fn into_code(self, name: Rc<str>) -> HostCode {
                Rc::new(move |context: &mut dyn Context, args: &[Value]| {
                    let _ = (&name, args);
                    let result = self($(argument::<$type>(&name, $at, args)?),*);
                    result.into_outcome(context.heap())
                })
            }
        }

        impl<$($type: ToValue),*> Arguments for ($($type,)*) {
            fn into_values(self, heap: &mut Heap) -> Result<Vec<Value>, Mismatch> {
                let _ = heap;
                Ok(vec![$(self.$at.to_value(heap)?),*])
            }
        })*
    };
}
arities! {
    0: ;
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
}

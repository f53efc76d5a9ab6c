//! `math`: functions of numbers.

use crate::builtins::{Module, Table, arguments, convert, gather};
use crate::diag::{self, codes};
use crate::operator::BinaryOp;
use crate::value::native::{Args, Context, Fault, Outcome};
use crate::value::{Value, operate, show};
use std::ops::ControlFlow;

/// The module.
pub static MODULE: Module = Module {
    name: "math",
    doc: "Functions of numbers: roots, powers, logarithms, angles, whole numbers.",
    functions: FUNCTIONS,
    constants: &[
        ("e", |_| Value::Float(std::f64::consts::E)),
        ("inf", |_| Value::Float(f64::INFINITY)),
        ("nan", |_| Value::Float(f64::NAN)),
        ("pi", |_| Value::Float(std::f64::consts::PI)),
        ("tau", |_| Value::Float(std::f64::consts::TAU)),
    ],
};

static FUNCTIONS: Table = natives! {
    "acos" ("x") |_, args| within_one("acos", args, f64::acos), "The angle whose cosine is x, in radians.";
    "acosh" ("x") |_, args| checked("acosh", args, |x| x >= 1.0, "must be 1 or more", f64::acosh), "The number whose hyperbolic cosine is x.";
    "asin" ("x") |_, args| within_one("asin", args, f64::asin), "The angle whose sine is x, in radians.";
    "asinh" ("x") |_, args| plain("asinh", args, f64::asinh), "The number whose hyperbolic sine is x.";
    "atan" ("x") |_, args| plain("atan", args, f64::atan), "The angle whose tangent is x, in radians.";
    "atan2" ("y", "x") |_, args| pair("atan2", ["y", "x"], args, f64::atan2), "The angle of the point (x, y), in radians.";
    "atanh" ("x") |_, args| checked("atanh", args, |x| x.abs() < 1.0, "must be between -1 and 1", f64::atanh), "The number whose hyperbolic tangent is x.";
    "cbrt" ("x") |_, args| plain("cbrt", args, f64::cbrt), "The cube root.";
    "ceil" ("x") |_, args| to_int("ceil", args, f64::ceil), "The smallest whole number that is not below x.";
    "comb" ("n", "k") comb, "In how many ways k of n things can be chosen.";
    "copysign" ("x", "y") |_, args| pair("copysign", ["x", "y"], args, f64::copysign), "x with the sign of y.";
    "cos" ("x") |_, args| checked("cos", args, f64::is_finite, "must be finite", f64::cos), "The cosine of an angle in radians.";
    "cosh" ("x") |_, args| plain("cosh", args, f64::cosh), "The hyperbolic cosine.";
    "degrees" ("x") |_, args| plain("degrees", args, f64::to_degrees), "An angle in radians as degrees.";
    "dist" ("p", "q") dist, "The distance of two points, given as lists of numbers.";
    "exp" ("x") |_, args| plain("exp", args, f64::exp), "e to the power of x.";
    "exp2" ("x") |_, args| plain("exp2", args, f64::exp2), "2 to the power of x.";
    "expm1" ("x") |_, args| plain("expm1", args, f64::exp_m1), "e to the power of x, less 1, exact for small x.";
    "fabs" ("x") |_, args| plain("fabs", args, f64::abs), "The number without its sign, as a float.";
    "factorial" ("n") factorial, "The product of the whole numbers from 1 to n.";
    "floor" ("x") |_, args| to_int("floor", args, f64::floor), "The largest whole number that is not above x.";
    "fmod" ("x", "y") fmod, "The rest of x / y with the sign of x.";
    "fsum" ("items") fsum, "The sum of numbers as a float, without the errors that adding them one by one makes.";
    "gcd" ("...numbers") gcd, "The greatest common divisor of whole numbers.";
    "hypot" ("...coordinates") hypot, "The length of the vector with these coordinates.";
    "isclose" ("a", "b", "rel_tol?", "abs_tol?") isclose, "Whether two numbers are nearly equal: within a billionth of the larger, unless said otherwise.";
    "isfinite" ("x") |_, args| test("isfinite", args, f64::is_finite), "Whether x is neither infinite nor NaN.";
    "isinf" ("x") |_, args| test("isinf", args, f64::is_infinite), "Whether x is infinite.";
    "isnan" ("x") |_, args| test("isnan", args, f64::is_nan), "Whether x is not a number.";
    "isqrt" ("n") isqrt, "The whole part of the square root of a whole number.";
    "lcm" ("...numbers") lcm, "The least common multiple of whole numbers.";
    "log" ("x", "base?") log, "The logarithm of x to a base, the natural one when none is given.";
    "log10" ("x") |_, args| positive("log10", args, f64::log10), "The logarithm of x to base 10.";
    "log1p" ("x") |_, args| checked("log1p", args, |x| x > -1.0, "must be above -1", f64::ln_1p), "The natural logarithm of 1 + x, exact for small x.";
    "log2" ("x") |_, args| positive("log2", args, f64::log2), "The logarithm of x to base 2.";
    "perm" ("n", "k?") perm, "In how many ways k of n things can be put in a row.";
    "pow" ("x", "y") pow, "x to the power of y, as a float.";
    "prod" ("items", "start?") prod, "The items multiplied.";
    "radians" ("x") |_, args| plain("radians", args, f64::to_radians), "An angle in degrees as radians.";
    "sin" ("x") |_, args| checked("sin", args, f64::is_finite, "must be finite", f64::sin), "The sine of an angle in radians.";
    "sinh" ("x") |_, args| plain("sinh", args, f64::sinh), "The hyperbolic sine.";
    "sqrt" ("x") |_, args| checked("sqrt", args, |x| x >= 0.0, "must be 0 or more", f64::sqrt), "The square root.";
    "tan" ("x") |_, args| checked("tan", args, f64::is_finite, "must be finite", f64::tan), "The tangent of an angle in radians.";
    "tanh" ("x") |_, args| plain("tanh", args, f64::tanh), "The hyperbolic tangent.";
    "trunc" ("x") |_, args| to_int("trunc", args, f64::trunc), "The whole part of x.";
};

fn plain(name: &str, args: Args<'_>, f: fn(f64) -> f64) -> Outcome {
    Ok(Value::Float(f(arguments::number(name, "x", &args[0])?)))
}

/// A function that is not defined everywhere; NaN goes through.
fn checked(
    name: &str,
    args: Args<'_>,
    holds: fn(f64) -> bool,
    rule: &str,
    f: fn(f64) -> f64,
) -> Outcome {
    let x = arguments::number(name, "x", &args[0])?;
    if x.is_nan() || holds(x) {
        return Ok(Value::Float(f(x)));
    }
    Err(arguments::refuse(name, "x", rule, &args[0]))
}

fn within_one(name: &str, args: Args<'_>, f: fn(f64) -> f64) -> Outcome {
    checked(name, args, |x| x.abs() <= 1.0, "must be from -1 to 1", f)
}

fn positive(name: &str, args: Args<'_>, f: fn(f64) -> f64) -> Outcome {
    checked(name, args, |x| x > 0.0, "must be above 0", f)
}

fn pair(name: &str, params: [&str; 2], args: Args<'_>, f: fn(f64, f64) -> f64) -> Outcome {
    let x = arguments::number(name, params[0], &args[0])?;
    Ok(Value::Float(f(
        x,
        arguments::number(name, params[1], &args[1])?,
    )))
}

fn test(name: &str, args: Args<'_>, f: fn(f64) -> bool) -> Outcome {
    Ok(Value::Bool(f(arguments::number(name, "x", &args[0])?)))
}

fn to_int(name: &str, args: Args<'_>, f: fn(f64) -> f64) -> Outcome {
    match &args[0] {
        Value::Int(i) => Ok(Value::Int(*i)),
        x => convert::whole(name, "x", f(arguments::number(name, "x", x)?)),
    }
}

fn overflow(expression: String) -> Fault {
    let message = format!("a whole number must fit 64 bits, but {expression} does not");
    diag::Error::new(codes::OVERFLOW, message).into()
}

fn factorial(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let n = arguments::size("factorial", "n", &args[0])?;
    let product = (1..=n.min(21) as i64).try_fold(1_i64, i64::checked_mul);
    product
        .map(Value::Int)
        .ok_or_else(|| overflow(format!("factorial({n})")))
}

fn comb(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (n, k) = (
        arguments::size("comb", "n", &args[0])?,
        arguments::size("comb", "k", &args[1])?,
    );
    if k > n {
        return Ok(Value::Int(0));
    }
    // Each step's result is itself a number of combinations, so the division leaves no rest.
    let mut ways = 1_i128;
    for i in 0..k.min(n - k) as i128 {
        ways = ways * (n as i128 - i) / (i + 1);
        if ways > i128::from(i64::MAX) {
            return Err(overflow(format!("comb({n}, {k})")));
        }
    }
    Ok(Value::Int(ways as i64))
}

fn perm(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let n = arguments::size("perm", "n", &args[0])?;
    let k = match arguments::given(&args[1]) {
        Some(k) => arguments::size("perm", "k", k)?,
        None => n,
    };
    if k > n {
        return Ok(Value::Int(0));
    }
    let mut ways = 1_i64;
    for i in 0..k {
        ways = i64::try_from(n - i)
            .ok()
            .and_then(|factor| ways.checked_mul(factor))
            .ok_or_else(|| overflow(format!("perm({n}, {k})")))?;
    }
    Ok(Value::Int(ways))
}

fn numbers(name: &str, param: &str, value: &Value) -> Outcome<Vec<f64>> {
    let list = arguments::list(name, param, value)?;
    let items = (0..list.len()).filter_map(|at| list.get(at));
    items
        .map(|item| arguments::number(name, param, &item))
        .collect()
}

fn length(coordinates: impl Iterator<Item = f64>) -> f64 {
    coordinates.fold(0.0, f64::hypot)
}

fn dist(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (p, q) = (
        numbers("dist", "p", &args[0])?,
        numbers("dist", "q", &args[1])?,
    );
    if p.len() != q.len() {
        let rule = format!("must have as many coordinates as `p` ({})", p.len());
        return Err(arguments::refuse("dist", "q", &rule, &args[1]));
    }
    Ok(Value::Float(length(p.iter().zip(&q).map(apart))))
}

/// The distance of two coordinates: none of what is the same, infinite or not.
fn apart((a, b): (&f64, &f64)) -> f64 {
    if a == b { 0.0 } else { a - b }
}

fn hypot(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let numbers: Outcome<Vec<f64>> = args
        .iter()
        .map(|x| arguments::number("hypot", "coordinates", x))
        .collect();
    Ok(Value::Float(length(numbers?.into_iter())))
}

/// The sum of floats in parts that do not overlap (Shewchuk 1997): rounded once, at the end.
fn fsum(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut parts: Vec<f64> = Vec::new();
    let (mut special, mut undefined) = (0.0, false);
    gather::every(context, "fsum", args[0], |_, item| {
        let mut x = arguments::number("fsum", "items", &item)?;
        if !x.is_finite() {
            special += x;
            undefined |= x.is_nan();
            return Ok(ControlFlow::Continue(()));
        }
        let mut kept = 0;
        for at in 0..parts.len() {
            let Some(&y) = parts.get(at) else { break };
            let (large, small) = if x.abs() < y.abs() { (y, x) } else { (x, y) };
            let high = large + small;
            let low = small - (high - large);
            if low != 0.0 {
                if let Some(place) = parts.get_mut(kept) {
                    *place = low;
                }
                kept += 1;
            }
            x = high;
        }
        parts.truncate(kept);
        parts.push(x);
        Ok(ControlFlow::Continue(()))
    })?;
    if f64::is_nan(special) && !undefined {
        let rule = "must not have both infinities";
        return Err(arguments::refuse("fsum", "items", rule, &args[0]));
    }
    if special != 0.0 || special.is_nan() {
        return Ok(Value::Float(special));
    }
    Ok(Value::Float(
        parts.iter().rev().fold(0.0, |sum, part| sum + part),
    ))
}

fn fmod(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (x, y) = (
        arguments::number("fmod", "x", &args[0])?,
        arguments::number("fmod", "y", &args[1])?,
    );
    if y == 0.0 {
        let message = format!("fmod: `y` must not be 0, but is {}", show::repr(args[1]));
        return Err(diag::Error::new(codes::DIVIDE_BY_ZERO, message).into());
    }
    if x.is_infinite() && !y.is_nan() {
        return Err(arguments::refuse("fmod", "x", "must be finite", &args[0]));
    }
    Ok(Value::Float(x % y))
}

fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn gcd(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut result = 0;
    for number in args {
        result = divisor(
            result,
            arguments::int("gcd", "numbers", number)?.unsigned_abs(),
        );
    }
    i64::try_from(result)
        .map(Value::Int)
        .map_err(|_| overflow("the result of gcd".into()))
}

fn lcm(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mut result = 1_u64;
    for number in args {
        let number = arguments::int("lcm", "numbers", number)?.unsigned_abs();
        if number == 0 {
            return Ok(Value::Int(0));
        }
        let next = (result / divisor(result, number)).checked_mul(number);
        result = next.ok_or_else(|| overflow("the result of lcm".into()))?;
    }
    i64::try_from(result)
        .map(Value::Int)
        .map_err(|_| overflow("the result of lcm".into()))
}

fn isclose(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (a, b) = (
        arguments::number("isclose", "a", &args[0])?,
        arguments::number("isclose", "b", &args[1])?,
    );
    let tolerance = |at: usize, name, default| match arguments::given(&args[at]) {
        Some(value) => match arguments::number("isclose", name, value)? {
            tolerance if tolerance >= 0.0 => Ok(tolerance),
            _ => Err(arguments::refuse(
                "isclose",
                name,
                "must be 0 or more",
                value,
            )),
        },
        None => Ok(default),
    };
    let (relative, absolute) = (
        tolerance(2, "rel_tol", 1e-9)?,
        tolerance(3, "abs_tol", 0.0)?,
    );
    let difference = (a - b).abs();
    let near = difference <= (relative * a.abs().max(b.abs())).max(absolute);
    Ok(Value::Bool(a == b || difference.is_finite() && near))
}

fn isqrt(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let n = arguments::size("isqrt", "n", &args[0])?;
    Ok(Value::Int(n.isqrt() as i64))
}

fn log(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let Some(base) = arguments::given(&args[1]) else {
        return positive("log", args, f64::ln);
    };
    let number = arguments::number("log", "base", base)?;
    if number <= 0.0 || number == 1.0 {
        return Err(arguments::refuse(
            "log",
            "base",
            "must be above 0 and not 1",
            base,
        ));
    }
    let Value::Float(x) = positive("log", args, f64::ln)? else {
        return Ok(Value::Nil);
    };
    Ok(Value::Float(x / number.ln()))
}

fn pow(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (x, y) = (
        arguments::number("pow", "x", &args[0])?,
        arguments::number("pow", "y", &args[1])?,
    );
    operate::binary(
        context.heap(),
        BinaryOp::Pow,
        Value::Float(x),
        Value::Float(y),
    )
}

fn prod(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let product = gather::Slot::new(context);
    product.keep(
        context,
        if matches!(args[1], Value::Undef) {
            Value::Int(1)
        } else {
            args[1]
        },
    );
    gather::every(context, "prod", args[0], |context, item| {
        arguments::number("prod", "items", &item)?;
        let next = operate::binary(context.heap(), BinaryOp::Mul, product.get(), item)?;
        product.keep(context, next);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(product.get())
}

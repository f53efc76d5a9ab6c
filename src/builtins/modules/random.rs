//! `random`: each process has a random stream of its own; a forked child's is new, whatever its parent's seed was. Each item
//! of a pool has one too, which follows from the stream of whoever asked for the map, so a seed there decides them all.

use crate::builtins::{Module, Table, arguments, gather, state};
use crate::diag::{self, codes};
use crate::limits::MAX_STRING;
use crate::os::fork;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, map, operate};
use rand::rngs::{SysRng, Xoshiro256PlusPlus};
use rand::{Rng, RngExt, SeedableRng};
use std::cell::Cell;

/// The module.
pub static MODULE: Module = Module {
    name: "random",
    doc: "Random numbers and choices; each process has a stream of its own.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "choice" ("items") choice, "One of the items.";
    "choices" ("items", "weights?", "k?") choices, "A list of k items (1 when not said), each drawn from all of them, by their weights if given.";
    "expovariate" ("lambd?") expovariate, "A number of the exponential distribution with a mean of 1 / lambd.";
    "gauss" ("mu?", "sigma?") gauss, "A number of the normal distribution.";
    "getrandbits" ("k") getrandbits, "A whole number of k random bits, up to 63.";
    "normalvariate" ("mu?", "sigma?") gauss, "A random float of a normal distribution, as gauss.";
    "randbytes" ("n") randbytes, "So many random bytes.";
    "randint" ("a", "b") randint, "A whole number from a to b, both included.";
    "random" () random, "A float from 0 up to 1, without 1.";
    "randrange" ("start", "stop?", "step?") randrange, "A number of the range with these bounds.";
    "sample" ("items", "k") sample, "A list of k different items.";
    "seed" ("value?") seed, "Starts the stream of this process at a place that depends on the value only.";
    "shuffle" ("items") shuffle, "Puts the items of a list in a random order, in place.";
    "triangular" ("low?", "high?", "mode?") triangular, "A random float between two limits (0 and 1), most often near `mode` (the middle).";
    "uniform" ("a", "b") uniform, "A float between a and b.";
};

/// The stream of a process.
#[derive(Default)]
struct Stream {
    /// The process that it belongs to: a child must not go on with its parent's numbers.
    owner: i32,
    generator: Option<Xoshiro256PlusPlus>,
    /// The script said where the stream begins.
    seeded: bool,
}

thread_local! {
    /// The item of a pool that this process is at, until it asks for a random number: only then its generator is made. The
    /// number from which its stream follows, and its index.
    static ITEM: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    /// The worker that the item belongs to: its children have streams of their own.
    static WORKER: Cell<i32> = const { Cell::new(0) };
}

/// A number from the stream of this process, from which the streams of a map's items follow.
pub fn draw(context: &mut dyn Context) -> u64 {
    generator(context).next_u64()
}

/// Whether the numbers of this process follow from a seed that the script gave.
pub fn is_seeded(context: &mut dyn Context) -> bool {
    generator(context);
    let stream: &mut Stream = state::of(context);
    stream.seeded
}

/// Whether a text names a function of this module, or something that is called the same.
pub fn is_named_in(text: &str) -> bool {
    FUNCTIONS
        .iter()
        .any(|function| text.contains(function.name))
}

/// Makes this process a worker whose items have streams of their own.
pub fn begin_worker() {
    WORKER.set(fork::pid());
    ITEM.set(None);
}

/// In a worker: from here on random numbers come from the stream of an item. It depends on `stream` and on the item only,
/// not on who works on it.
pub fn begin_item(stream: u64, item: u64) {
    ITEM.set(Some((stream, item)));
}

/// The generator of an item. Both numbers go through the mixer of the seed, so neighbours have nothing in common.
fn of_item(stream: u64, item: u64) -> Xoshiro256PlusPlus {
    let first = Xoshiro256PlusPlus::seed_from_u64(item).next_u64();
    Xoshiro256PlusPlus::seed_from_u64(stream ^ first)
}

/// The generator of this process.
fn generator(context: &mut dyn Context) -> &mut Xoshiro256PlusPlus {
    let stream: &mut Stream = state::of(context);
    let pid = fork::pid();
    if stream.owner != pid {
        *stream = Stream {
            owner: pid,
            generator: None,
            seeded: false,
        };
    }
    if WORKER.get() == pid
        && let Some((from, item)) = ITEM.take()
    {
        stream.generator = Some(of_item(from, item));
    }
    stream.generator.get_or_insert_with(fresh)
}

fn fresh() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::try_from_rng(&mut SysRng).unwrap_or_else(|_| {
        // Without the system's source of randomness the clock and the process make the difference.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = now.map_or(0, |since| since.as_nanos() as u64);
        Xoshiro256PlusPlus::seed_from_u64(nanos ^ (fork::pid() as u64) << 40)
    })
}

/// A number from 0 up to `bound`, without it; 0 when there is none.
fn below(context: &mut dyn Context, bound: usize) -> usize {
    match bound {
        0 => 0,
        _ => generator(context).random_range(0..bound),
    }
}

fn unit(context: &mut dyn Context) -> f64 {
    generator(context).random::<f64>()
}

/// The items as a list, kept alive; an error when there is none.
fn some_items(context: &mut dyn Context, name: &str, value: &Value) -> Outcome<Gc<List>> {
    let list = match value {
        Value::List(list) => *list,
        _ => gather::collect(context, name, *value)?,
    };
    if list.is_empty() {
        return Err(arguments::refuse(
            name,
            "items",
            "must have at least one item",
            value,
        ));
    }
    Ok(list)
}

fn choice(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    if let Value::Range(range) = args[0]
        && let Some(len @ 1..) = range.len()
    {
        let at = generator(context).random_range(0..len);
        return Ok(range.get(at).map_or(Value::Nil, Value::Int));
    }
    let items = some_items(context, "choice", &args[0])?;
    let at = below(context, items.len());
    Ok(items.get(at).unwrap_or(Value::Nil))
}

fn choices(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let items = some_items(context, "choices", &args[0])?;
    let count = match arguments::given(&args[2]) {
        Some(k) => arguments::size("choices", "k", k)?,
        None => 1,
    };
    operate::within("choices", count, crate::limits::MAX_ITEMS)?;
    let mut sums = Vec::new();
    if let Some(weights) = arguments::given(&args[1]) {
        let list = arguments::list("choices", "weights", weights)?;
        let mut sum = 0.0;
        for at in 0..list.len() {
            let weight =
                arguments::number("choices", "weights", &list.get(at).unwrap_or(Value::Nil))?;
            if !weight.is_finite() || weight < 0.0 {
                return Err(arguments::refuse(
                    "choices",
                    "weights",
                    "must be 0 or more",
                    weights,
                ));
            }
            sum += weight;
            sums.push(sum);
        }
        if sums.len() != items.len() || sum <= 0.0 {
            let rule = format!(
                "must have a weight for each of the {} items, and one above 0",
                items.len()
            );
            return Err(arguments::refuse("choices", "weights", &rule, weights));
        }
    }
    let mut chosen = Items::Any(Vec::new());
    for _ in 0..count {
        let at = match sums.last() {
            Some(total) => {
                let point = unit(context) * total;
                sums.partition_point(|&sum| sum <= point)
                    .min(sums.len() - 1)
            }
            None => below(context, items.len()),
        };
        chosen.push(items.get(at).unwrap_or(Value::Nil));
    }
    Ok(Value::List(List::from_items(context.heap(), chosen)))
}

fn option(name: &str, param: &str, value: &Value, default: f64) -> Outcome<f64> {
    match arguments::given(value) {
        Some(value) => arguments::number(name, param, value),
        None => Ok(default),
    }
}

fn expovariate(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let lambda = option("expovariate", "lambd", &args[0], 1.0)?;
    if lambda == 0.0 {
        return Err(arguments::refuse(
            "expovariate",
            "lambd",
            "must not be 0",
            &args[0],
        ));
    }
    Ok(Value::Float(-(1.0 - unit(context)).ln() / lambda))
}

fn gauss(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let mu = option("gauss", "mu", &args[0], 0.0)?;
    let sigma = option("gauss", "sigma", &args[1], 1.0)?;
    // Box and Muller: of the two numbers that it makes one is used, so that there is no state between calls.
    let (radius, angle) = (1.0 - unit(context), unit(context) * std::f64::consts::TAU);
    Ok(Value::Float(
        mu + sigma * (-2.0 * radius.ln()).sqrt() * angle.cos(),
    ))
}

fn triangular(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let low = option("triangular", "low", &args[0], 0.0)?;
    let high = option("triangular", "high", &args[1], 1.0)?;
    let mode = option("triangular", "mode", &args[2], (low + high) / 2.0)?;
    if !(low <= mode && mode <= high) {
        let message = format!("triangular: `mode` must be from {low} to {high}, but is {mode}");
        return Err(diag::Error::new(codes::VALUE, message).into());
    }
    let (width, share) = (high - low, unit(context));
    if width == 0.0 {
        return Ok(Value::Float(low));
    }
    let rising = (mode - low) / width;
    Ok(Value::Float(if share < rising {
        low + (share * width * (mode - low)).sqrt()
    } else {
        high - ((1.0 - share) * width * (high - mode)).sqrt()
    }))
}

fn getrandbits(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    match arguments::int("getrandbits", "k", &args[0])? {
        0 => Ok(Value::Int(0)),
        k @ 1..=63 => Ok(Value::Int(
            (generator(context).next_u64() >> (64 - k)) as i64,
        )),
        _ => Err(arguments::refuse(
            "getrandbits",
            "k",
            "must be from 0 to 63",
            &args[0],
        )),
    }
}

fn randbytes(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let count = arguments::size("randbytes", "n", &args[0])?;
    operate::within("randbytes", count, MAX_STRING)?;
    let mut data = vec![0; count];
    generator(context).fill_bytes(&mut data);
    Ok(Value::bytes(context.heap(), data))
}

fn randint(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (a, b) = (
        arguments::int("randint", "a", &args[0])?,
        arguments::int("randint", "b", &args[1])?,
    );
    if a > b {
        return Err(arguments::refuse(
            "randint",
            "b",
            &format!("must be `a` ({a}) or more"),
            &args[1],
        ));
    }
    Ok(Value::Int(generator(context).random_range(a..=b)))
}

fn random(context: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Float(unit(context)))
}

fn randrange(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let range = match crate::builtins::function("range") {
        Some(range) => (range.code)(context, args)?,
        None => Value::Nil,
    };
    if let Value::Range(range) = range
        && let Some(len @ 1..) = range.len()
    {
        let at = generator(context).random_range(0..len);
        return Ok(range.get(at).map_or(Value::Nil, Value::Int));
    }
    let message = format!(
        "randrange: the range must have a number, but {} has none",
        crate::value::show::repr(range)
    );
    Err(diag::Error::new(codes::VALUE, message).into())
}

/// Puts the first `count` places of a list in a random order of all items.
fn mix(context: &mut dyn Context, list: Gc<List>, count: usize) {
    let len = list.len();
    for at in 0..count.min(len) {
        let other = at + below(context, len - at);
        list.edit(context.heap(), |items| match items {
            Items::Any(v) => v.swap(at, other),
            Items::Ints(v) => v.swap(at, other),
            Items::Floats(v) => v.swap(at, other),
            Items::Bools(v) => v.swap(at, other),
        });
    }
}

fn sample(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let count = arguments::size("sample", "k", &args[1])?;
    if let Value::Range(range) = args[0]
        && let Some(len) = range.len()
        && len / 4 > count as u64
    {
        return Ok(sample_of_range(context, count, len, |at| range.get(at)));
    }
    let pool = gather::collect(context, "sample", args[0])?;
    if count > pool.len() {
        let rule = format!("must be at most the number of items ({})", pool.len());
        return Err(arguments::refuse("sample", "k", &rule, &args[1]));
    }
    mix(context, pool, count);
    let part = crate::value::list::Slice {
        start: 0,
        count,
        step: 1,
    };
    let items = pool.items().slice(part);
    Ok(Value::List(List::from_items(context.heap(), items)))
}

/// Some numbers of a range that is much longer: it is not made.
fn sample_of_range(
    context: &mut dyn Context,
    count: usize,
    len: u64,
    number: impl Fn(u64) -> Option<i64>,
) -> Value {
    let mut chosen = std::collections::HashSet::new();
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let at = generator(context).random_range(0..len);
        if chosen.insert(at) {
            numbers.extend(number(at));
        }
    }
    Value::List(List::from_items(context.heap(), Items::Ints(numbers)))
}

fn seed(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let seeded = match arguments::given(&args[0]) {
        None => fresh(),
        Some(Value::Int(i)) => Xoshiro256PlusPlus::seed_from_u64(*i as u64),
        Some(value) => match map::hash_key(value) {
            Some(hash) => Xoshiro256PlusPlus::seed_from_u64(u64::from(hash)),
            None => {
                return Err(arguments::wrong(
                    "seed",
                    "value",
                    "an int, a str or bytes",
                    value,
                ));
            }
        },
    };
    *generator(context) = seeded;
    let stream: &mut Stream = state::of(context);
    stream.seeded = arguments::given(&args[0]).is_some();
    Ok(Value::Nil)
}

fn shuffle(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = arguments::list("shuffle", "items", &args[0])?;
    mix(context, list, list.len());
    Ok(Value::Nil)
}

fn uniform(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (a, b) = (
        arguments::number("uniform", "a", &args[0])?,
        arguments::number("uniform", "b", &args[1])?,
    );
    Ok(Value::Float(a + (b - a) * unit(context)))
}

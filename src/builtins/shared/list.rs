//! Shared lists as values. What reads the whole list works on a plain copy by the methods of plain lists. What changes it decides
//! under the list's mutex where, so that others who write all the time hold nobody up; only where a function of the script has a say
//! it is computed before, and again if anybody has changed the list meanwhile.

use super::{Packed, Tries, copy, identity, look, pack_nested, unpack};
use crate::builtins::{Table, arguments, gather, method, sequences, sorting};
use crate::diag::{self, codes};
use crate::operator::BinaryOp;
use crate::process::shared::list::{List, Locked};
use crate::process::shared::{Item, Stamp};
use crate::process::{self, signals};
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::Marker;
use crate::value::list::{Items, Range};
use crate::value::native::{Args, Context, Native, NativeIter, Outcome};
use crate::value::show::Check;
use crate::value::{Value, access, compare, operate, show};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

pub static METHODS: Table = natives! {
    "append" ("item") push, "Adds an item at the end (as push).";
    "clear" () clear, "Removes all items.";
    "contains" ("item") contains, "Whether the list has an item.";
    "copy" () copy_of, "A plain list of the items; shared lists and maps in it become plain ones.";
    "count" ("item") count, "How often an item stands in the list.";
    "extend" ("items") extend, "Adds all items of something else at the end, in one step.";
    "first" ("default?") first, "The first item; of an empty list the default, or IndexError.";
    "index" ("item", "start?") index_of, "The index of an item; ValueError when it is not there.";
    "insert" ("index", "item") insert, "Puts an item in front of the one at an index.";
    "last" ("default?") last, "The last item; of an empty list the default, or IndexError.";
    "len" () len, "How many items there are.";
    "pop" ("index?") pop, "Removes the last item, or the one at an index, and gives it.";
    "push" ("item") push, "Adds an item at the end.";
    "remove" ("item") remove, "Removes the first item that is equal; ValueError when there is none.";
    "reverse" () reverse, "Turns the list round, in place.";
    "slice" ("start?", "end?") slice, "A plain list of the items from a start up to an end.";
    "sort" ("key?", "reverse?") sort, "Sorts the list in place, by `key(item)` when a key is given.";
    "update" ("index", "function") update, "Sets an item to `function(item)` in one atomic step, and gives it. The function is called again when the item has changed meanwhile.";
};

/// A shared list as a value.
pub struct ListHandle(pub List);

impl Handle for ListHandle {
    fn type_name(&self) -> &'static str {
        "shared list"
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

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn index(&self, context: &mut dyn Context, key: Value) -> Outcome<Option<Value>> {
        if let Value::Range(_) = key {
            let plain = plain(context, &self.0)?.1;
            return access::get_index(context, plain, key).map(Some);
        }
        item(context, &self.0, key).map(|(_, _, value)| Some(value))
    }

    fn set_index(&self, context: &mut dyn Context, key: Value, value: Value) -> Outcome<bool> {
        if let Value::Range(range) = key {
            return replace_slice(context, &self.0, &range, value).map(|()| true);
        }
        let packed = pack_nested(context, value)?;
        let arena = process::start()?;
        loop {
            let at = position(self.0.len(arena), key)?;
            // The list may have become shorter in between: then the index is judged anew.
            if self.0.replace(at, None, packed.item())?.is_some() {
                return Ok(true);
            }
        }
    }

    fn update_index(
        &self,
        context: &mut dyn Context,
        key: Value,
        op: BinaryOp,
        operand: Value,
    ) -> Outcome<Option<Value>> {
        if let Value::Range(_) = key {
            return Ok(None);
        }
        change(context, &self.0, key, |context, value| {
            operate::binary(context.heap(), op, value, operand)
        })
        .map(Some)
    }

    fn len(&self, _: &mut dyn Context) -> Outcome<Option<usize>> {
        Ok(Some(self.0.len(process::start()?) as usize))
    }

    fn contains(&self, context: &mut dyn Context, item: Value) -> Outcome<Option<bool>> {
        let values = values(context, &self.0)?;
        Ok(Some(
            values.iter().any(|&value| compare::equals(value, item)),
        ))
    }

    fn iterate(&self, context: &mut dyn Context) -> Outcome<Option<Rc<dyn NativeIter>>> {
        let items = values(context, &self.0)?;
        Ok(Some(Rc::new(Snapshot::new(items))))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Items that are looked at between two looks at what wants attention.
const BETWEEN_LOOKS: u64 = 1 << 12;

/// Goes over items that were read at one instant.
pub struct Snapshot {
    items: Vec<Value>,
    next: Cell<usize>,
}

impl Snapshot {
    /// An iterator over these.
    pub fn new(items: Vec<Value>) -> Snapshot {
        let next = Cell::new(0);
        Snapshot { items, next }
    }
}

impl NativeIter for Snapshot {
    fn next(&self, _: &mut dyn Context) -> Outcome<Option<Value>> {
        let at = self.next.get();
        self.next.set(at + 1);
        Ok(self.items.get(at).copied())
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.items)
    }

    fn is_at_hand(&self) -> bool {
        true
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        for &item in &self.items {
            marker.value(item);
        }
    }
}

/// The index that a key means in something shared of a length, from the end when it is negative.
#[inline]
pub fn position(len: u64, key: Value) -> Outcome<u64> {
    match key {
        Value::Int(at) if at >= 0 && (at as u64) < len => Ok(at as u64),
        _ => access::position("shared object", len as usize, key).map(|at| at as u64),
    }
}

/// The start and end that a range of step 1 means.
pub fn bounds(len: u64, range: &crate::value::list::Range) -> Outcome<(u64, u64)> {
    let slice = range.select(len as usize);
    if slice.step != 1 {
        let message = "a slice of a shared array to be replaced must have a step of 1";
        return Err(diag::Error::new(codes::VALUE, message).into());
    }
    Ok((slice.start as u64, (slice.start + slice.count) as u64))
}

/// The items at one instant.
pub fn values(context: &mut dyn Context, list: &List) -> Outcome<Vec<Value>> {
    stamped(context, list).map(|(_, values)| values)
}

fn stamped(context: &mut dyn Context, list: &List) -> Outcome<(Stamp, Vec<Value>)> {
    let arena = process::start()?;
    let mut values = Vec::new();
    let mut failed = None;
    let stamp = list.read_all(arena, |content| match unpack(context, content) {
        Ok(value) => values.push(value),
        Err(fault) => failed = failed.take().or(Some(fault)),
    });
    match failed {
        Some(fault) => Err(fault),
        None => Ok((stamp, values)),
    }
}

/// The items as a plain list that is kept alive; what is shared inside stays shared.
fn plain(context: &mut dyn Context, list: &List) -> Outcome<(Stamp, Value)> {
    let (stamp, values) = stamped(context, list)?;
    let plain = Value::list(context.heap(), values);
    context.protect(plain);
    Ok((stamp, plain))
}

/// Replaces what a range selects. Where that is, and whether it fits, is known under the mutex only.
fn replace_slice(
    context: &mut dyn Context,
    list: &List,
    range: &Range,
    value: Value,
) -> Outcome<()> {
    let new = access::new_of_slice(value)?.items().to_values();
    let packed = pack_all(context, &new)?;
    let items = items_of(&packed);
    if range.step == 1 {
        let chosen = |list: &Locked<'_>| {
            let slice = range.select(list.len() as usize);
            Some(slice.start as u64..(slice.start + slice.count) as u64)
        };
        list.splice(&items, chosen, |_| ())?;
        return Ok(());
    }
    let mut fits = Ok(());
    list.replace_each(&items, |list| {
        let slice = range.select(list.len() as usize);
        fits = slice.takes(new.len());
        let indexes = slice.indexes().map(|at| at as u64);
        fits.is_ok().then(|| indexes.collect())
    })?;
    fits
}

/// Values as they are stored in a list.
fn pack_all(context: &mut dyn Context, values: &[Value]) -> Outcome<Vec<Packed>> {
    let mut packed = Vec::with_capacity(values.len());
    for &value in values {
        packed.push(pack_nested(context, value)?);
    }
    Ok(packed)
}

fn items_of(packed: &[Packed]) -> Vec<Item<'_>> {
    packed.iter().map(Packed::item).collect()
}

/// The values of all items of a list whose mutex we have.
fn decode(context: &mut dyn Context, list: &Locked<'_>) -> Outcome<Vec<Value>> {
    let contents = (0..list.len()).filter_map(|at| list.content(at));
    contents.map(|content| unpack(context, content)).collect()
}

/// Calls the method of plain lists of the same name.
fn as_plain(name: &str, context: &mut dyn Context, plain: Value, args: Args<'_>) -> Outcome {
    let mut all = args.to_vec();
    if let Some(receiver) = all.first_mut() {
        *receiver = plain;
    }
    match method(&plain, name) {
        Some(native) => (native.code)(context, &all),
        None => {
            let message = format!("lists have no method `{name}`");
            Err(diag::Error::new(codes::INTERNAL, message).into())
        }
    }
}

/// The item of a key: where it is, its stamp and its value.
fn item(context: &mut dyn Context, list: &List, key: Value) -> Outcome<(u64, Stamp, Value)> {
    let arena = process::start()?;
    loop {
        let at = position(list.len(arena), key)?;
        if let Some((stamp, value)) = list.read(arena, at, |content| unpack(context, content)) {
            return Ok((at, stamp, value?));
        }
    }
}

/// Replaces an item by what a function makes of it, until nobody has come in between.
fn change(
    context: &mut dyn Context,
    list: &List,
    key: Value,
    mut compute: impl FnMut(&mut dyn Context, Value) -> Outcome,
) -> Outcome {
    let mut tries = Tries::new();
    loop {
        let (at, stamp, old) = item(context, list, key)?;
        let new = compute(context, old)?;
        let packed = pack_nested(context, new)?;
        if list.replace(at, Some(stamp), packed.item())? == Some(true) {
            return Ok(new);
        }
        tries.again(context, list.id())?;
    }
}

fn receiver<'a>(method: &str, value: &'a Value) -> Outcome<&'a List> {
    match value.as_handle::<ListHandle>() {
        Some(handle) => Ok(&handle.0),
        None => Err(arguments::wrong(method, "self", "a shared list", value)),
    }
}

fn push(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let packed = pack_nested(context, args[1])?;
    receiver("push", &args[0])?.push(&[packed.item()])?;
    Ok(Value::Nil)
}

fn extend(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("extend", &args[0])?;
    let new = gather::collect(context, "extend", args[1])?;
    let packed = pack_all(context, &new.items().to_values())?;
    list.push(&items_of(&packed))?;
    Ok(Value::Nil)
}

fn insert(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("insert", &args[0])?;
    let index = arguments::int("insert", "index", &args[1])?;
    let packed = pack_nested(context, args[2])?;
    let place = |list: &Locked<'_>| {
        let at = match index {
            index if index < 0 => list.len().saturating_sub(index.unsigned_abs()),
            index => (index as u64).min(list.len()),
        };
        Some(at..at)
    };
    list.splice(&[packed.item()], place, |_| ())?;
    Ok(Value::Nil)
}

fn pop(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("pop", &args[0])?;
    let arena = process::start()?;
    let empty = || {
        diag::Error::new(
            codes::INDEX,
            "pop: the shared list must have an item, but is empty",
        )
    };
    let Some(&index) = arguments::given(&args[1]) else {
        let popped = list.pop(arena, |content| unpack(context, content))?;
        return popped.ok_or_else(empty)?;
    };
    arguments::int("pop", "index", &index)?;
    let (mut place, mut popped) = (Ok(0), Ok(Value::Nil));
    let choose = |list: &Locked<'_>| {
        place = match list.is_empty() {
            true => Err(empty().into()),
            false => position(list.len(), index),
        };
        let at = *place.as_ref().ok()?;
        Some(at..at + 1)
    };
    list.splice(&[], choose, |content| popped = unpack(context, content))?;
    place.and(popped)
}

fn remove(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("remove", &args[0])?;
    loop {
        let (mut looked, mut is_left) = (Ok(()), false);
        let find = |list: &Locked<'_>| {
            for at in 0..list.len() {
                match list.content(at).map(|content| unpack(context, content))? {
                    Ok(item) if compare::equals(item, args[1]) => return Some(at..at + 1),
                    Ok(_) => {}
                    Err(fault) => {
                        looked = Err(fault);
                        return None;
                    }
                }
                if at % BETWEEN_LOOKS == 0 && signals::is_urgent() {
                    is_left = true;
                    return None;
                }
            }
            None
        };
        let found = list.splice(&[], find, |_| ())?;
        looked?;
        if found {
            return Ok(Value::Nil);
        }
        if !is_left {
            break;
        }
        // What has come is dealt with outside of the mutex only; where it ends nothing, this begins again.
        signals::check()?;
    }
    let item = show::repr(args[1]);
    let message = format!("remove: `item` must be in the shared list, but {item} is not");
    Err(diag::Error::new(codes::VALUE, message).into())
}

fn reverse(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("reverse", &args[0])?;
    list.reorder(None, |list| Some((0..list.len() as usize).rev().collect()))?;
    Ok(Value::Nil)
}

fn sort(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("sort", &args[0])?;
    let (key, reverse) = sequences::sort_options("sort", &args[1], &args[2])?;
    let mut tries = Tries::new();
    while key.is_some() || tries.are_few() {
        let (stamp, values) = stamped(context, list)?;
        let plain = gather::list(context);
        plain.edit(context.heap(), |items| *items = Items::from_values(values));
        let order = sorting::order(context, plain, key, reverse)?;
        if list.reorder(Some(stamp), |_| Some(order.clone()))? {
            return Ok(Value::Nil);
        }
        tries.again(context, list.id())?;
    }
    // Others write faster than it is sorted: without them, then.
    loop {
        let (mut sorted, mut is_left) = (Ok(()), false);
        list.reorder(None, |list| {
            let mut look = || {
                is_left = signals::is_urgent();
                match is_left {
                    // Never told: see below.
                    true => Err(diag::Error::new(codes::INTERNAL, "sort: left").into()),
                    false => Ok(()),
                }
            };
            let order = decode(context, list)
                .and_then(|values| sorting::order_of(&values, reverse, &mut look));
            order.map_err(|fault| sorted = Err(fault)).ok()
        })?;
        if !is_left {
            return sorted.map(|()| Value::Nil);
        }
        // As in `remove`.
        signals::check()?;
    }
}

fn clear(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    receiver("clear", &args[0])?.splice(&[], |list| Some(0..list.len()), |_| ())?;
    Ok(Value::Nil)
}

fn len(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let len = receiver("len", &args[0])?.len(process::start()?);
    Ok(Value::Int(len as i64))
}

fn copy_of(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    copy(context, args[0])
}

fn update(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = receiver("update", &args[0])?;
    let function = arguments::callable("update", "function", &args[2])?;
    change(context, list, args[1], |context, value| {
        let new = context.call(function, &[value])?;
        context.protect(new);
        Ok(new)
    })
}

/// Methods that read a plain copy.
macro_rules! reading {
    ($($name:ident $method:literal;)*) => {
        $(fn $name(context: &mut dyn Context, args: Args<'_>) -> Outcome {
            let (_, plain) = plain(context, receiver($method, &args[0])?)?;
            as_plain($method, context, plain, args)
        })*
    };
}

reading! {
    contains "contains";
    count "count";
    first "first";
    index_of "index";
    last "last";
    slice "slice";
}

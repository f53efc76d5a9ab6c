//! What a journal is of: the items, the code of the function with everything that it calls, the values that it uses, and the
//! random numbers that it draws where the script has seeded them.

use crate::builtins::{modules::random, travel};
use crate::diag::{Error, codes};
use crate::value::Value;
use crate::value::function::Closure;
use crate::value::heap::Gc;
use crate::value::list::{Items, List};
use crate::value::native::{Context, Outcome};
use crate::value::show;
use crate::value::structure::StructType;
use std::collections::HashSet;

/// A checksum of 64 bits, the same in every build: words are multiplied into it. It is there for accidents, not for attackers.
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub fn new() -> Sum {
        Sum(0x9e37_79b9_7f4a_7c15)
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.0 = (mixed ^ mixed >> 32)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            .rotate_left(29);
    }

    /// Adds bytes, and how many they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word.iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(word)
        });
        words.for_each(|word| self.number(word));
    }

    /// The sum.
    pub fn end(&self) -> u64 {
        self.0 ^ self.0 >> 31
    }
}

/// The key of a map.
#[derive(Debug, PartialEq, Default)]
pub struct Key {
    count: u64,
    items: u64,
    code: u64,
    /// The variables that the function uses, with the sums of their values.
    uses: Vec<(String, u64)>,
    /// The number from which the items' random numbers follow, where they may draw some and the script seeded them.
    seed: Option<u64>,
}

impl Key {
    /// The key of a map of a function over items, whose random numbers follow from `stream`.
    pub fn of(
        context: &mut dyn Context,
        function: Value,
        items: Gc<List>,
        stream: u64,
    ) -> Outcome<Key> {
        let message = travel::pack(context, Value::List(items))?;
        if !message.handles.is_empty() {
            let message = "the items of a map with a journal have to be values that another run knows again, but there \
                           are handles (queues, locks, processes) in them";
            return Err(Error::new(codes::VALUE, message).into());
        }
        let mut search = Search::new();
        search.value(context, "", function)?;
        let has_code = search.code_within(context, "an item", Value::List(items))?;
        let items_sum = sum_of(Value::List(items), &message.bytes, has_code);
        Ok(Key {
            count: items.len() as u64,
            items: items_sum,
            code: search.code.end(),
            uses: search.uses,
            seed: (search.draws && random::is_seeded(context)).then_some(stream),
        })
    }

    /// As a journal has it.
    pub fn text(&self) -> String {
        let mut text = format!(
            "items {} {:016x}\ncode {:016x}\n",
            self.count, self.items, self.code
        );
        if let Some(seed) = self.seed {
            text += &format!("seed {seed:016x}\n");
        }
        for (name, sum) in &self.uses {
            text += &format!("uses {sum:016x} {name}\n");
        }
        text
    }

    /// From the text in a journal; what cannot be read differs from everything.
    pub fn read(text: &str) -> Key {
        let mut key = Key::default();
        let sum = |word: &str| u64::from_str_radix(word, 16).unwrap_or(0);
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (what, first, second) = (words.next(), words.next(), words.next());
            match (what, first, second) {
                (Some("items"), Some(count), Some(items)) => {
                    (key.count, key.items) = (count.parse().unwrap_or(0), sum(items));
                }
                (Some("code"), Some(code), _) => key.code = sum(code),
                (Some("seed"), Some(seed), _) => key.seed = Some(sum(seed)),
                (Some("uses"), Some(value), Some(name)) => {
                    key.uses.push((name.to_string(), sum(value)));
                }
                _ => {}
            }
        }
        key
    }

    /// What tells the map of this key from that of a key that was found; `None` when they are one.
    pub fn difference(&self, found: &Key) -> Option<String> {
        if self == found {
            return None;
        }
        if self.count != found.count {
            return Some(format!(
                "was begun for {} items, and these are {}",
                found.count, self.count
            ));
        }
        if self.code != found.code {
            return Some("was begun with other code in the function".to_string());
        }
        if self.items != found.items {
            return Some("was begun for other items (as many)".to_string());
        }
        if self.seed != found.seed {
            return Some("was begun with other random numbers (see `random.seed`)".to_string());
        }
        let other = self.uses.iter().find(|used| !found.uses.contains(used));
        Some(match other {
            Some((name, _)) => format!("`{name}`, which the function uses, had another value"),
            None => "the function used other variables".to_string(),
        })
    }
}

/// What tells a value from others in every run of every program: plain values by their content, functions by their code with
/// everything that it calls and the values that it uses, structs by their fields and methods.
///
/// Errors: `ValueError` when there are handles in it, which no other run knows; what cannot travel.
pub fn of_value(context: &mut dyn Context, value: Value) -> Outcome<Vec<u8>> {
    let mut search = Search::new();
    let mut told = Vec::new();
    match value {
        Value::Fn(_) | Value::Struct(_) | Value::Bound(_) | Value::Native(_) => {
            search.value(context, "", value)?;
        }
        data => {
            let message = travel::pack(context, data)?;
            if !message.handles.is_empty() {
                let message = "a value that another run is to know again must be made of plain values, structs and functions, \
                               but there is a handle (a queue, a lock, a process) in it";
                return Err(Error::new(codes::VALUE, message).into());
            }
            told = match search.code_within(context, "", data)? {
                true => show::repr(data).into_bytes(),
                false => message.bytes,
            };
        }
    }
    told.extend_from_slice(&search.code.end().to_le_bytes());
    for (name, sum) in search.uses {
        told.extend_from_slice(name.as_bytes());
        told.push(0);
        told.extend_from_slice(&sum.to_le_bytes());
    }
    Ok(told)
}

/// Structs that are looked at: more than any program declares.
const MAX_STRUCTS: u32 = 1 << 16;

/// A sum of the structs of the program, by their numbers: results that name some mean the same as long as it is the same.
pub fn structs(context: &dyn Context) -> u64 {
    let mut sum = Sum::new();
    // Those whose declaration has not run yet have no place in it.
    let all = (0..MAX_STRUCTS).filter_map(|id| Some((id, context.structure(id)?)));
    for (id, of) in all {
        sum.number(id.into());
        sum.bytes(of.name.as_bytes());
        of.fields
            .iter()
            .for_each(|field| sum.bytes(field.as_bytes()));
    }
    sum.end()
}

/// The sum of a value and its message. Where there is code in it, the message names that by its number in the program, which changes
/// with what stands in front of it: then it is the sum of how the value is written.
fn sum_of(value: Value, message: &[u8], has_code: bool) -> u64 {
    let mut sum = Sum::new();
    match has_code {
        true => sum.bytes(show::repr(value).as_bytes()),
        false => sum.bytes(message),
    }
    sum.end()
}

/// Goes through a function and all that it reaches.
struct Search {
    code: Sum,
    uses: Vec<(String, u64)>,
    /// It may draw random numbers: a name of that module stands in it.
    draws: bool,
    seen: HashSet<usize>,
}

impl Search {
    fn new() -> Search {
        Search {
            code: Sum::new(),
            uses: Vec::new(),
            draws: false,
            seen: HashSet::new(),
        }
    }

    fn value(&mut self, context: &mut dyn Context, name: &str, value: Value) -> Outcome<()> {
        match value {
            Value::Fn(closure) => self.function(context, closure),
            Value::Struct(of) => self.structure(context, of),
            Value::Cell(cell) => self.value(context, name, cell.value.get()),
            Value::Bound(bound) => {
                self.value(context, name, bound.receiver)?;
                self.value(context, name, bound.function)
            }
            Value::Native(native) => {
                self.code.bytes(native.name.as_bytes());
                Ok(())
            }
            // Handles are others in every run; what they stand for is no part of the input.
            Value::Handle(_) | Value::Undef => Ok(()),
            data => {
                let Ok(message) = travel::pack(context, data) else {
                    return Ok(());
                };
                let has_code = self.code_within(context, name, data)?;
                if message.handles.is_empty() {
                    let sum = sum_of(data, &message.bytes, has_code);
                    self.uses.push((name.to_string(), sum));
                }
                Ok(())
            }
        }
    }

    /// The code that comes with a value: the methods of instances, functions in lists and maps. True when there is any.
    fn code_within(
        &mut self,
        context: &mut dyn Context,
        name: &str,
        value: Value,
    ) -> Outcome<bool> {
        let mut has_code = false;
        let mut rest = vec![value];
        while let Some(value) = rest.pop() {
            match value {
                Value::List(list) if self.seen.insert(list.address()) => {
                    if let Items::Any(items) = list.items() {
                        rest.extend(items.iter().rev().copied());
                    }
                }
                Value::Map(map) if self.seen.insert(map.address()) => {
                    let pairs = map.table().iter().rev();
                    rest.extend(pairs.flat_map(|(key, value)| [key, value]));
                }
                Value::Set(set) if self.seen.insert(set.address()) => {
                    rest.extend(set.table().iter().map(|(key, ..)| key));
                }
                Value::Instance(instance) if self.seen.insert(instance.address()) => {
                    has_code = true;
                    rest.extend(instance.fields().iter().rev().map(|field| field.get()));
                    self.structure(context, instance.of)?;
                }
                Value::Fn(_) | Value::Struct(_) | Value::Bound(_) | Value::Cell(_) => {
                    has_code = true;
                    self.value(context, name, value)?;
                }
                _ => {}
            }
        }
        Ok(has_code)
    }

    fn function(&mut self, context: &mut dyn Context, closure: Gc<Closure>) -> Outcome<()> {
        if !self.seen.insert(closure.address()) {
            return Ok(());
        }
        let proto = closure.proto.clone();
        let text = context.code_text(proto.span).unwrap_or_default();
        self.code.bytes(text.as_bytes());
        self.draws |= random::is_named_in(&text);
        let names = proto.capture_names.iter();
        let captures: Vec<Value> = closure.captures().iter().map(|value| value.get()).collect();
        for (name, value) in names.zip(captures) {
            self.value(context, name, value)?;
        }
        for &slot in &proto.globals {
            if let Some(value) = context.global(slot) {
                let name = context.global_name(slot);
                self.value(context, &name, value)?;
            }
        }
        Ok(())
    }

    fn structure(&mut self, context: &mut dyn Context, of: Gc<StructType>) -> Outcome<()> {
        if !self.seen.insert(of.address()) {
            return Ok(());
        }
        for name in of.method_names() {
            self.code.bytes(name.as_bytes());
            if let Some(method) = of.method(&name) {
                self.value(context, &name, method)?;
            }
        }
        self.value(context, "", of.constructor.get())
    }
}

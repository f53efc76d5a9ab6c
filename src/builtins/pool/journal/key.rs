//! What a journal is of: the items, the code of the function with everything that it calls, the values that it uses, and the
//! random numbers that it draws where the script has seeded them.

use super::content::Search;
use crate::builtins::modules::random;
use crate::diag::{Error, codes};
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Context, Fault, Outcome};

/// A checksum of 64 bits, the same in every build: words are multiplied into it. It is there for accidents, not for attackers.
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub fn new() -> Sum {
        Sum(0x9e37_79b9_7f4a_7c15)
    }

    /// The sum of some bytes.
    pub fn of(bytes: &[u8]) -> u64 {
        let mut sum = Sum::new();
        sum.bytes(bytes);
        sum.end()
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
    /// How many items there are; `None` where they are read as they are worked on.
    count: Option<u64>,
    items: u64,
    code: u64,
    /// The variables that the function uses, with the sums of their values.
    uses: Vec<(String, u64)>,
    /// The number from which the items' random numbers follow, where they may draw some and the script seeded them.
    seed: Option<u64>,
}

impl Key {
    /// The key of a map (`construct`: of which kind) of a function over items, where these are at hand, whose random numbers follow from
    /// `stream`.
    pub fn of(
        context: &mut dyn Context,
        construct: &str,
        function: Value,
        items: Option<Gc<List>>,
        stream: u64,
    ) -> Outcome<Key> {
        let mut search = Search::new();
        search.code.bytes(construct.as_bytes());
        search.value(context, "", function)?;
        let mut sum = 0;
        if let Some(items) = items {
            let content = search.content(context, "an item", Value::List(items))?;
            if content.has_handles {
                return Err(handles_in_items().into());
            }
            sum = Sum::of(&content.digest);
        }
        let uses = search.uses.iter();
        Ok(Key {
            count: items.map(|items| items.len() as u64),
            items: sum,
            code: search.code.end(),
            uses: uses
                .map(|(name, digest)| (name.clone(), Sum::of(digest)))
                .collect(),
            seed: (search.draws && random::is_seeded(context)).then_some(stream),
        })
    }

    /// As a journal has it.
    pub fn text(&self) -> String {
        let count = match self.count {
            Some(count) => count.to_string(),
            None => String::from("read"),
        };
        let mut text = format!(
            "items {count} {:016x}\ncode {:016x}\n",
            self.items, self.code
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
                    (key.count, key.items) = (count.parse().ok(), sum(items));
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
        match (found.count, self.count) {
            (Some(before), Some(now)) if before != now => {
                return Some(format!("was begun for {before} items, and these are {now}"));
            }
            (Some(before), None) => {
                return Some(format!(
                    "was begun for {before} items that were at hand, and these are read as they are worked on"
                ));
            }
            (None, Some(_)) => {
                return Some(String::from(
                    "was begun for items that were read as they were worked on, and these are at hand",
                ));
            }
            _ => {}
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
    let content = search.content(context, "", value)?;
    if content.has_handles {
        let message = "a value that another run is to know again must be made of plain values, structs and functions, \
                       but there is a handle (a queue, a lock, a process) in it";
        return Err(Error::new(codes::VALUE, message).into());
    }
    let mut told = content.digest.to_vec();
    told.extend_from_slice(&search.code.end().to_le_bytes());
    for (name, digest) in search.uses {
        told.extend_from_slice(name.as_bytes());
        told.push(0);
        told.extend_from_slice(&digest);
    }
    Ok(told)
}

/// The same of an item of a map that reads its source.
pub fn of_item(context: &mut dyn Context, item: Value) -> Outcome<Vec<u8>> {
    match of_value(context, item) {
        Err(Fault::Error(error)) if error.code == codes::VALUE => Err(handles_in_items().into()),
        other => other,
    }
}

fn handles_in_items() -> Box<Error> {
    let message = "the items of a map with a journal have to be values that another run knows again, but there \
                   are handles (queues, locks, processes) in them";
    Error::new(codes::VALUE, message)
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

//! What a journal is of: the items, the code of the function with everything that it calls, the values that it uses, and the
//! random numbers that it draws where the script has seeded them.

use super::content::Search;
use crate::builtins::modules::random;
use crate::diag::{Error, codes};
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Context, Outcome};

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
    count: u64,
    items: u64,
    code: u64,
    /// The variables that the function uses, with the sums of their values.
    uses: Vec<(String, u64)>,
    /// The number from which the items' random numbers follow, where they may draw some and the script seeded them.
    seed: Option<u64>,
}

impl Key {
    /// The key of a map (`construct`: of which kind) of a function over items, whose random numbers follow from `stream`.
    pub fn of(
        context: &mut dyn Context,
        construct: &str,
        function: Value,
        items: Gc<List>,
        stream: u64,
    ) -> Outcome<Key> {
        let mut search = Search::new();
        search.code.bytes(construct.as_bytes());
        search.value(context, "", function)?;
        let content = search.content(context, "an item", Value::List(items))?;
        if content.has_handles {
            let message = "the items of a map with a journal have to be values that another run knows again, but there \
                           are handles (queues, locks, processes) in them";
            return Err(Error::new(codes::VALUE, message).into());
        }
        let uses = search.uses.iter();
        Ok(Key {
            count: items.len() as u64,
            items: Sum::of(&content.digest),
            code: search.code.end(),
            uses: uses
                .map(|(name, digest)| (name.clone(), Sum::of(digest)))
                .collect(),
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

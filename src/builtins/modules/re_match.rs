//! What a regular expression found: a match with its groups.

use crate::builtins::{Table, arguments};
use crate::diag::{self, codes};
use crate::value::handle::Handle;
use crate::value::map::{Map, Table as Entries};
use crate::value::native::{Args, Context, Fault, Native, Outcome};
use crate::value::{Value, show};
use regex::{Captures, Regex};
use std::any::Any;
use std::ops::Range;
use std::rc::Rc;

/// Sorted by name.
pub static METHODS: Table = natives! {
    "end" ("group?") end, "The index in the text behind what a group (the whole match when none is given) matched; -1 when it did not take part.";
    "group" ("...groups") group, "What a group matched, by number or name; the whole match when none is given, nil when it did not take part.";
    "groupdict" () groupdict, "A map of what the named groups matched.";
    "groups" () groups, "A list of what the groups matched.";
    "span" ("group?") span, "The list of start and end of a group.";
    "start" ("group?") start, "The index in the text where a group (the whole match when none is given) begins; -1 when it did not take part.";
};

/// A match.
pub struct MatchHandle {
    regex: Rc<Regex>,
    text: Rc<str>,
    /// By group: where in the text, in bytes and in characters.
    groups: Vec<Option<(Range<usize>, Range<usize>)>>,
}

/// Counts characters up to places of a text that mostly come in order.
pub struct Chars<'t> {
    text: &'t str,
    ascii: bool,
    byte: usize,
    chars: usize,
}

impl<'t> Chars<'t> {
    /// For a text.
    pub fn new(text: &'t str) -> Chars<'t> {
        Chars {
            text,
            ascii: text.is_ascii(),
            byte: 0,
            chars: 0,
        }
    }

    /// How many characters stand before a byte.
    fn before(&mut self, byte: usize) -> usize {
        if self.ascii {
            return byte;
        }
        if byte < self.byte {
            (self.byte, self.chars) = (0, 0);
        }
        self.chars += self
            .text
            .get(self.byte..byte)
            .map_or(0, |part| part.chars().count());
        self.byte = byte;
        self.chars
    }
}

impl MatchHandle {
    /// A match of a pattern in a text.
    pub fn new(
        regex: Rc<Regex>,
        text: Rc<str>,
        captures: &Captures<'_>,
        chars: &mut Chars<'_>,
    ) -> MatchHandle {
        let places = captures.iter().map(|group| {
            group.map(|group| {
                let start = chars.before(group.start());
                (group.range(), start..chars.before(group.end()))
            })
        });
        let groups = places.collect();
        MatchHandle {
            regex,
            text,
            groups,
        }
    }

    fn text_of(&self, group: usize) -> Option<&str> {
        let (bytes, _) = self.groups.get(group)?.as_ref()?;
        self.text.get(bytes.clone())
    }

    fn value_of(&self, context: &mut dyn Context, group: usize) -> Value {
        self.text_of(group)
            .map_or(Value::Nil, |text| Value::str(context.heap(), text))
    }

    /// The number of a group given by number or name.
    fn number(&self, function: &str, group: &Value) -> Outcome<usize> {
        if let Some(name) = group.as_str() {
            let mut names = self.regex.capture_names();
            return names
                .position(|known| known == Some(name))
                .ok_or_else(|| no_group(function, group));
        }
        let number = arguments::int(function, "group", group)?;
        match usize::try_from(number) {
            Ok(number) if number < self.groups.len() => Ok(number),
            _ => Err(no_group(function, group)),
        }
    }
}

fn no_group(function: &str, group: &Value) -> Fault {
    let message = format!(
        "{function}: the pattern must have the group, but it has no group {}",
        show::repr(*group)
    );
    diag::Error::new(codes::INDEX, message).into()
}

impl Handle for MatchHandle {
    fn type_name(&self) -> &'static str {
        "match"
    }

    fn show(&self) -> String {
        format!(
            "<match {}>",
            show::quoted(self.text_of(0).unwrap_or_default())
        )
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok((name == "text").then(|| Value::str(context.heap(), &self.text)))
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["text"]
    }

    fn index(&self, context: &mut dyn Context, key: Value) -> Outcome<Option<Value>> {
        let group = self.number("match", &key)?;
        Ok(Some(self.value_of(context, group)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn receiver<'a>(args: Args<'a>) -> Outcome<&'a MatchHandle> {
    let found = args[0].as_handle::<MatchHandle>();
    found.ok_or_else(|| arguments::wrong("match", "self", "a match", &args[0]))
}

fn group(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = receiver(args)?;
    match &args[1..] {
        [] => Ok(found.value_of(context, 0)),
        [one] => {
            let number = found.number("group", one)?;
            Ok(found.value_of(context, number))
        }
        several => {
            let mut values = Vec::new();
            for group in several {
                let number = found.number("group", group)?;
                values.push(found.value_of(context, number));
            }
            Ok(Value::list(context.heap(), values))
        }
    }
}

fn groups(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = receiver(args)?;
    let values = (1..found.groups.len())
        .map(|group| found.value_of(context, group))
        .collect();
    Ok(Value::list(context.heap(), values))
}

fn groupdict(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let found = receiver(args)?;
    let mut table = Entries::default();
    for (number, name) in found.regex.capture_names().enumerate() {
        if let Some(name) = name {
            let value = found.value_of(context, number);
            table.insert(Value::str(context.heap(), name), value);
        }
    }
    Ok(Value::Map(Map::new(context.heap(), table)))
}

/// Start and end of a group in characters, -1 when it did not take part.
fn place(function: &str, args: Args<'_>) -> Outcome<(i64, i64)> {
    let found = receiver(args)?;
    let number = match arguments::given(&args[1]) {
        Some(group) => found.number(function, group)?,
        None => 0,
    };
    Ok(match found.groups.get(number) {
        Some(Some((_, chars))) => (chars.start as i64, chars.end as i64),
        _ => (-1, -1),
    })
}

fn start(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    place("start", args).map(|(start, _)| Value::Int(start))
}

fn end(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    place("end", args).map(|(_, end)| Value::Int(end))
}

fn span(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (start, end) = place("span", args)?;
    Ok(Value::list(
        context.heap(),
        vec![Value::Int(start), Value::Int(end)],
    ))
}

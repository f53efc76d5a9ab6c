//! What a failed `assert(left == right)` tells: both values, and where they differ.

use super::{Table, arguments};
use crate::diag::{self, codes};
use crate::limits::{MAX_ALIGNED, MAX_COMPARED, MAX_DIFFERENCES, MAX_INLINE_VALUE};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, compare, show};
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};

/// What `assert` compiles to when its condition is a comparison that does not hold.
pub static INTRINSICS: Table = natives! {
    "@assert_failed" ("op", "left", "right", "message?") failed, "Raises AssertionError with both values.";
};

fn failed(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (op, left, right) = (args[0].as_str().unwrap_or("=="), args[1], args[2]);
    let (shown_left, shown_right) = (show::repr(left), show::repr(right));
    let inline = |text: &str| text.chars().count() <= MAX_INLINE_VALUE;
    let short = inline(&shown_left) && inline(&shown_right);
    let values = match short {
        true => format!(
            "`{op}` must hold, but the left side is {shown_left} and the right side is {shown_right}"
        ),
        false => format!("`{op}` must hold between both sides, but does not"),
    };
    // A message of the script is the whole message: scripts may look at it.
    let mut error = match arguments::given(&args[3]) {
        Some(message) => {
            diag::Error::new(codes::ASSERTION, show::display(*message)).with_note(values)
        }
        None => diag::Error::new(codes::ASSERTION, values),
    };
    if !short {
        error = error
            .with_note(format!("left:  {}", clipped(&shown_left)))
            .with_note(format!("right: {}", clipped(&shown_right)));
    }
    if op == "==" {
        let mut found = Differences::default();
        found.look(left, right, "");
        if let Some(text) = found.told(short) {
            error = error.with_note(text);
        }
    }
    Err(error.into())
}

/// The beginning of a long text.
fn clipped(text: &str) -> String {
    const ROOM: usize = 400;
    match text.char_indices().nth(ROOM) {
        Some((at, _)) => format!("{}... ({} characters)", &text[..at], text.chars().count()),
        None => text.to_string(),
    }
}

/// Where two values differ, by path.
#[derive(Default)]
struct Differences {
    lines: Vec<String>,
    /// Those beyond the limit.
    more: usize,
    /// Whether one of them lies inside of a value.
    inside: bool,
    /// How many pairs were looked at: values that share parts have more ways to these than can be gone.
    looks: usize,
}

impl Differences {
    fn add(&mut self, path: &str, what: String) {
        self.inside |= !path.is_empty();
        match self.lines.len() < MAX_DIFFERENCES {
            true => self.lines.push(format!("{path}{what}")),
            false => self.more += 1,
        }
    }

    /// The text of a note; none when it would only repeat what `short` has shown.
    fn told(mut self, short: bool) -> Option<String> {
        if self.lines.is_empty() || (short && !self.inside) {
            return None;
        }
        if self.more > 0 {
            let at_least = match self.looks > MAX_COMPARED {
                true => "at least ",
                false => "",
            };
            let more = format!("and {at_least}{} more differences", self.more);
            self.lines.push(more);
        }
        Some(format!("left | right\n{}", self.lines.join("\n")))
    }

    fn look(&mut self, left: Value, right: Value, path: &str) {
        self.looks += 1;
        if self.looks > MAX_COMPARED || path.len() > 200 || compare::equals(left, right) {
            return;
        }
        match (left, right) {
            (Value::List(a), Value::List(b)) => {
                let (a, b) = (a.items().to_values(), b.items().to_values());
                self.lists(&a, &b, path);
            }
            (Value::Map(a), Value::Map(b)) => {
                for (key, value) in a.table().iter() {
                    let path = format!("{path}[{}]", show::repr(key));
                    match b.table().get(&key) {
                        Some(other) => self.look(value, other, &path),
                        None => self.add(&path, format!(": {} | nothing", brief(value))),
                    }
                }
                for (key, value) in b.table().iter() {
                    if a.table().get(&key).is_none() {
                        let path = format!("{path}[{}]", show::repr(key));
                        self.add(&path, format!(": nothing | {}", brief(value)));
                    }
                }
            }
            _ => match (left.as_str(), right.as_str()) {
                (Some(a), Some(b)) => self.texts(a, b, path),
                _ => self.add(path, format!(": {} | {}", brief(left), brief(right))),
            },
        }
    }

    /// Lists of one length are compared item by item; else what was put in or left out is looked for.
    fn lists(&mut self, a: &[Value], b: &[Value], path: &str) {
        if a.len() == b.len() || a.len().max(b.len()) > MAX_ALIGNED {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                self.look(*x, *y, &format!("{path}[{index}]"));
            }
            if a.len() != b.len() {
                self.add(path, format!(".len(): {} | {}", a.len(), b.len()));
            }
            return;
        }
        let reprs = |values: &[Value]| values.iter().map(|v| show::repr(*v)).collect::<Vec<_>>();
        let (texts_a, texts_b) = (reprs(a), reprs(b));
        let ops = capture_diff_slices(Algorithm::Myers, &texts_a, &texts_b);
        for op in ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
            let (old, new) = (op.old_range(), op.new_range());
            for at in 0..old.len().max(new.len()) {
                match (old.clone().nth(at), new.clone().nth(at)) {
                    (Some(i), Some(j)) => self.look(a[i], b[j], &format!("{path}[{i}]")),
                    (Some(i), None) => {
                        let what = format!(": {} | nothing", brief(a[i]));
                        self.add(&format!("{path}[{i}]"), what);
                    }
                    (None, Some(j)) => {
                        let what = format!(": nothing | {}", brief(b[j]));
                        self.add(&format!("{path}[{j}]"), what);
                    }
                    (None, None) => {}
                }
            }
        }
    }

    /// Texts of several lines are compared by lines, others from where they begin to differ.
    fn texts(&mut self, a: &str, b: &str, path: &str) {
        let lines = a.lines().count().max(b.lines().count());
        if !(2..=MAX_ALIGNED).contains(&lines) {
            let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
            let from = |text: &str| text.chars().skip(same).take(40).collect::<String>();
            let (a, b) = (show::quoted(&from(a)), show::quoted(&from(b)));
            self.inside |= same > 0;
            return self.add(path, format!(" from character {same} on: {a} | {b}"));
        }
        let diff = TextDiff::from_lines(a, b);
        for change in diff.iter_all_changes() {
            let (mark, at) = match (change.old_index(), change.new_index()) {
                (Some(at), None) => ("left only", at),
                (None, Some(at)) => ("right only", at),
                _ => continue,
            };
            self.inside = true;
            let line = show::quoted(change.value());
            self.add(path, format!(" line {} {mark}: {line}", at + 1));
        }
    }
}

fn brief(value: Value) -> String {
    let text = show::repr(value);
    match text.char_indices().nth(MAX_INLINE_VALUE) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

//! Where a line that is too long is broken.

use crate::limits::MAX_LINE_WIDTH;
use std::collections::HashSet;

/// What a place is at which a line could be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A block in one line.
    Block,
    /// Other brackets with items in them.
    Group,
    /// The dot of a method call.
    Dot,
    /// Behind `or`.
    Or,
    /// Behind `and`, which binds its sides closer.
    And,
    /// Behind `+`.
    Sum,
}

/// A place at which a line could be broken.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub what: What,
    /// Of the opening bracket, or of the token that would begin the new line.
    pub id: usize,
    /// How many brackets are around it.
    pub depth: usize,
    /// Its columns; it has no last one when the line ends before it does.
    pub start: usize,
    pub end: usize,
}

/// The end of brackets that are closed on another line.
pub const OPEN: usize = usize::MAX;

/// What was chosen.
#[derive(Default)]
pub struct Marks {
    /// Brackets to break, by their opening ones.
    pub groups: HashSet<usize>,
    /// Tokens that begin a new line.
    pub before: HashSet<usize>,
}

impl Marks {
    /// Takes over further ones; whether any of them is new.
    pub fn add(&mut self, more: Marks) -> bool {
        let known = self.groups.len() + self.before.len();
        self.groups.extend(more.groups);
        self.before.extend(more.before);
        self.groups.len() + self.before.len() > known
    }
}

/// Method calls in a row from which on each gets its line.
const CHAIN: usize = 3;
/// Brackets narrower than this, whose last item could be broken, stay whole when there is an `and` or an `or` beside them.
const NARROW: usize = 40;

/// Chooses the places at which a line is broken next: as far outside as possible. `indent` is that of the line.
pub fn choose(parts: &[Part], indent: usize, marks: &mut Marks) {
    let mut depths: Vec<usize> = parts.iter().map(|part| part.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    for depth in depths {
        let of = |what: What| {
            let all = parts.iter();
            all.filter(move |part| part.depth == depth && part.what == what)
        };
        if of(What::Block).next().is_some() {
            return marks.groups.extend(of(What::Block).map(|part| part.id));
        }
        if of(What::Dot).count() >= CHAIN {
            return marks.before.extend(of(What::Dot).map(|part| part.id));
        }
        let widest = of(What::Group).max_by_key(|part| part.end - part.start);
        let logic = of(What::Or).chain(of(What::And)).next().is_some();
        if let Some(group) = widest {
            let inner = innermost(parts, indent, *group);
            // Beside an `and` or an `or`, which is further outside, only a block or the like at the end of brackets comes first.
            let comes_first = inner.id != group.id && group.end - group.start >= NARROW;
            if !logic || comes_first {
                marks.groups.insert(inner.id);
                return;
            }
        }
        for what in [What::Or, What::And, What::Sum] {
            if of(what).next().is_some() {
                return marks.before.extend(of(what).map(|part| part.id));
            }
        }
    }
}

/// Brackets whose last item is a block are left whole, as are those whose only item has brackets: the inner ones are broken.
/// That must help: what stands before them has to fit.
fn innermost(parts: &[Part], indent: usize, group: Part) -> Part {
    let inner = parts.iter().find(|part| {
        let fits = indent + part.start < MAX_LINE_WIDTH;
        let last =
            fits && part.depth == group.depth + 1 && part.end.checked_add(1) == Some(group.end);
        let only = part.start == group.start + 1;
        last && (part.what == What::Block || (part.what == What::Group && only))
    });
    match inner {
        Some(inner) if group.what == What::Group => innermost(parts, indent, *inner),
        _ => group,
    }
}

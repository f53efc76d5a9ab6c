//! Where a line that is too long is broken.

use crate::limits::MAX_LINE_WIDTH;
use crate::syntax::token::Token;
use std::collections::HashSet;

/// What a place is at which a line could be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A block in one line.
    Block,
    /// Other brackets with items in them.
    Group,
    /// Brackets with one thing in them.
    Single,
    /// The dot of a method call.
    Dot,
    /// Behind an operator.
    Operator(Tier),
}

/// How close an operator binds its sides, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A comma outside of all brackets but those of a block: fields of a struct, kinds behind `catch`, locks.
    Comma,
    /// `rescue`
    Rescue,
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`, `<` and their like. (Not `in`, which belongs to a `for` as well.)
    Comparison,
    /// `??`
    Coalesce,
    /// `|`
    Bar,
    /// `^`
    Caret,
    /// `&`
    Amp,
    /// `<<` and `>>`
    Shift,
    /// `+` and `-`
    Sum,
    /// `*`, `/`, `//` and `%`
    Product,
}

impl Tier {
    /// That of a token between two operands, if a line may be broken behind it.
    pub fn of(token: &Token) -> Option<Tier> {
        use Token::*;
        Some(match token {
            Comma => Tier::Comma,
            Rescue => Tier::Rescue,
            Or => Tier::Or,
            And => Tier::And,
            Eq | Ne | Lt | Le | Gt | Ge => Tier::Comparison,
            Coalesce => Tier::Coalesce,
            Bar => Tier::Bar,
            Caret => Tier::Caret,
            Amp => Tier::Amp,
            Shl | Shr => Tier::Shift,
            Plus | Minus => Tier::Sum,
            Star | Slash | SlashSlash | Percent => Tier::Product,
            _ => return None,
        })
    }
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
/// Brackets narrower than this, whose last item could be broken, stay whole when there is an operator beside them.
const NARROW: usize = 40;

/// Chooses the places at which a line is broken next: as far outside as possible, and there behind the operators that bind loosest.
/// `indent` is that of the line.
pub fn choose(parts: &[Part], indent: usize, marks: &mut Marks) {
    let mut depths: Vec<usize> = parts.iter().map(|part| part.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    for depth in depths {
        let all = parts.iter().filter(|part| part.depth == depth);
        let beside: Vec<&Part> = all.collect();
        if choose_of(&beside, parts, indent, marks) {
            return;
        }
    }
}

/// Chooses among the places `beside` one another; whether there was anything to choose.
fn choose_of(beside: &[&Part], parts: &[Part], indent: usize, marks: &mut Marks) -> bool {
    let of = |what: What| beside.iter().filter(move |part| part.what == what);
    if of(What::Block).next().is_some() {
        marks.groups.extend(of(What::Block).map(|part| part.id));
        return true;
    }
    let tiers = beside.iter().filter_map(|part| match part.what {
        What::Operator(tier) => Some(tier),
        _ => None,
    });
    let loosest = tiers.min();
    let behind = |tier: Tier, marks: &mut Marks| {
        let all = of(What::Operator(tier));
        for part in all {
            // Brackets around it would be broken with it: perhaps it fits when only they are.
            let around = parts.iter().find(|single| {
                single.what == What::Single
                    && single.depth + 1 == part.depth
                    && (single.start..single.end).contains(&part.start)
            });
            match around {
                Some(single) => marks.groups.insert(single.id),
                None => marks.before.insert(part.id),
            };
        }
        true
    };
    let widest = of(What::Group).max_by_key(|part| part.end - part.start);
    let inner = widest.map(|group| innermost(parts, indent, **group));
    if let Some(tier) = loosest.filter(|tier| !is_tail(*tier, beside)) {
        // Only a block or the like at the end of brackets comes first, though it is further inside.
        let ends_in = widest
            .zip(inner)
            .filter(|(group, inner)| inner.id != group.id && group.end - group.start >= NARROW);
        let Some((_, inner)) = ends_in else {
            return behind(tier, marks);
        };
        marks.groups.insert(inner.id);
        return true;
    }
    if of(What::Dot).count() >= CHAIN {
        marks.before.extend(of(What::Dot).map(|part| part.id));
        return true;
    }
    match (inner, loosest) {
        (Some(inner), _) => {
            marks.groups.insert(inner.id);
            true
        }
        (None, Some(tier)) => behind(tier, marks),
        (None, None) => false,
    }
}

/// Whether it is a comparison with something short, as in `f(x).g(y).len() > 3`: what is on its left is broken first.
fn is_tail(tier: Tier, beside: &[&Part]) -> bool {
    let behind = beside
        .iter()
        .rfind(|part| part.what == What::Operator(tier));
    let start = behind.map_or(0, |part| part.start);
    let long = |part: &&Part| matches!(part.what, What::Dot | What::Group) && part.start > start;
    tier == Tier::Comparison && !beside.iter().any(long)
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

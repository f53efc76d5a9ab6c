//! The marks by which it is known whose a program is, and everything that it started, however that hides.
//!
//! There are two. One is a variable of the environment: exact, but a program may start others without it (`env -i`). The
//! other is a number that nobody can lose without meaning to ([`crate::os::mark`]); it has room for parts of what the variable says.

use super::JobId;
use crate::os::{mark, tree};

/// The variable in the environment of every program by which it is known whose it is: elements
/// `tree-owner-job`, one for each Par program around it, separated by commas.
pub const VARIABLE: &str = "PAR_TREE";

/// The lowest bits of the number: the last bits of the job's number.
const JOB_BITS: u32 = 14;
/// The bits above: the process id of the owner, which Linux keeps below 2^22.
const OWNER_BITS: u32 = 22;
/// The bits above: the first bits of the tree's number. Not more than 63 in all, so that no mark is ever infinity.
const TREE_BITS: u32 = 27;

/// Both marks of the programs of a job.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The value of [`VARIABLE`].
    pub text: String,
    /// The number.
    pub number: u64,
}

/// Whose a program is.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A job of this process.
    Mine(JobId),
    /// A process of this tree that is gone: it would have the program otherwise.
    TheDead,
    /// It does not say.
    Unknown,
    /// It cannot be asked at this moment.
    Unreadable,
}

impl Mark {
    /// The marks of a job. `around`: what [`VARIABLE`] is here, when this tree is itself started by a program of Par.
    pub(super) fn new(tree: u64, owner: i32, job: JobId, around: Option<&str>) -> Mark {
        let own = format!("{tree:016x}-{owner}-{}", job.0);
        let text = match around {
            Some(outer) => format!("{outer},{own}"),
            None => own,
        };
        let owner = owner as u64 & low(OWNER_BITS);
        let number = tree_part(tree) << OWNER_BITS | owner;
        let number = number << JOB_BITS | job.0 & low(JOB_BITS);
        Mark { text, number }
    }
}

fn low(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// What of a tree's number stands in the number of a mark: never 0, for a small number may be a limit that somebody has set.
fn tree_part(tree: u64) -> u64 {
    (tree >> (64 - TREE_BITS)).max(1)
}

/// Whether a process carries a mark of a tree.
pub(super) fn is_of(pid: i32, tree: u64) -> bool {
    let carried = mark::of(pid).is_some_and(|number| of_tree(number, tree));
    carried || {
        let environment = tree::environment_of(pid);
        let text = environment.and_then(|all| tree::variable(&all, VARIABLE));
        text.is_some_and(|text| elements(&text).any(|(of, _, _)| of == tree))
    }
}

fn of_tree(number: u64, tree: u64) -> bool {
    number >> (OWNER_BITS + JOB_BITS) == tree_part(tree)
}

/// Whose a process is, from the point of view of the process `me` of a tree, whose newest job is `last`.
pub(super) fn origin(pid: i32, tree: u64, me: i32, last: JobId) -> Origin {
    let environment = tree::environment_of(pid);
    let is_readable = environment.is_some();
    let text = environment.and_then(|all| tree::variable(&all, VARIABLE));
    let said = text.map_or(Origin::Unknown, |text| by_text(&text, tree, me));
    match said {
        Origin::Unknown => match mark::of(pid).map(|number| by_number(number, tree, me, last)) {
            None | Some(Origin::Unknown) if !is_readable => Origin::Unreadable,
            carried => carried.unwrap_or(Origin::Unknown),
        },
        said => said,
    }
}

/// The trees, owners and jobs in a value of [`VARIABLE`].
fn elements(text: &str) -> impl Iterator<Item = (u64, i32, u64)> {
    text.split(',').filter_map(|element| {
        let mut parts = element.split('-');
        let tree = u64::from_str_radix(parts.next()?, 16).ok()?;
        Some((
            tree,
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        ))
    })
}

fn by_text(text: &str, tree: u64, me: i32) -> Origin {
    match elements(text).find(|&(of, _, _)| of == tree) {
        Some((_, owner, job)) if owner == me => Origin::Mine(JobId(job)),
        Some(_) => Origin::TheDead,
        None => Origin::Unknown,
    }
}

fn by_number(number: u64, tree: u64, me: i32, last: JobId) -> Origin {
    if !of_tree(number, tree) {
        return Origin::Unknown;
    }
    if number >> JOB_BITS & low(OWNER_BITS) != me as u64 & low(OWNER_BITS) {
        return Origin::TheDead;
    }
    // The newest job with these last bits.
    let behind = last.0.wrapping_sub(number) & low(JOB_BITS);
    Origin::Mine(JobId(last.0.saturating_sub(behind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_says_whose_it_is() {
        let mine = "00000000000000aa-7-3";
        assert_eq!(by_text(mine, 0xaa, 7), Origin::Mine(JobId(3)));
        assert_eq!(by_text(mine, 0xaa, 8), Origin::TheDead);
        assert_eq!(by_text(mine, 0xbb, 7), Origin::Unknown);
        let nested = "00000000000000bb-1-1,00000000000000aa-7-3";
        assert_eq!(by_text(nested, 0xbb, 1), Origin::Mine(JobId(1)));
        assert_eq!(by_text("rubbish,--,a-b-c", 0xaa, 7), Origin::Unknown);
    }

    #[test]
    fn the_number_says_it_too() {
        let (tree, other) = (0x1234_5678_9abc_def0, 0x2234_5678_9abc_def0);
        for job in [1, 3, 16_383, 16_384, 16_385, 1_000_000] {
            let made = Mark::new(tree, 4_194_303, JobId(job), None);
            assert!(made.number < 1 << 63);
            let asked = |tree, me, last| by_number(made.number, tree, me, JobId(last));
            assert_eq!(asked(tree, 4_194_303, job), Origin::Mine(JobId(job)));
            assert_eq!(
                asked(tree, 4_194_303, job + 16_383),
                Origin::Mine(JobId(job))
            );
            assert_eq!(asked(tree, 7, job), Origin::TheDead);
            assert_eq!(asked(other, 4_194_303, job), Origin::Unknown);
        }
        // A limit that somebody has set.
        assert_eq!(by_number(100, 0, 0, JobId(100)), Origin::Unknown);
    }
}

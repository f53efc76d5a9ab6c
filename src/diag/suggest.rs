//! "Did you mean": the nearest of the names that would have been right.

/// Names longer than this are not compared: the distance takes the product of both lengths.
const MAX_COMPARED: usize = 64;

/// The candidate that `name` was probably meant to be, or nothing when none is near enough.
///
/// Near enough is an edit distance (insertions, deletions, replacements, swaps of neighbours) of up to a third of the
/// name, at least one; a difference of case alone always counts as near. Of equally near candidates the first one wins.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().collect();
    if wanted.is_empty() || wanted.len() > MAX_COMPARED {
        return None;
    }
    let allowed = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let distance = match distance_of(name, &wanted, candidate, allowed) {
            Some(distance) => distance,
            None => continue,
        };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The sentence that offers the candidate, for the help of an error.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    suggest(name, candidates).map(|found| format!("did you mean `{found}`?"))
}

/// The distance when it is within what is allowed. Names of one or two letters are near to
/// all others: they only match by case.
fn distance_of(name: &str, wanted: &[char], candidate: &str, allowed: usize) -> Option<usize> {
    if candidate == name {
        return None;
    }
    if candidate.to_lowercase() == name.to_lowercase() {
        return Some(0);
    }
    let found: Vec<char> = candidate.chars().collect();
    let longest = found.len().max(wanted.len());
    if !(3..=MAX_COMPARED).contains(&longest) || found.len().abs_diff(wanted.len()) > allowed {
        return None;
    }
    let distance = edit_distance(wanted, &found);
    (distance <= allowed).then_some(distance)
}

/// Optimal string alignment: the Levenshtein distance with swaps of neighbours.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, &to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && from == b[j - 1] && to == a[i - 1];
            if swapped {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_name() {
        let names = ["print", "sprint", "input", "len"];
        assert_eq!(suggest("pritn", names), Some("print"));
        assert_eq!(suggest("prin", names), Some("print"));
        assert_eq!(suggest("lenn", names), Some("len"));
        assert_eq!(suggest("LEN", names), Some("len"));
        assert_eq!(suggest("totally_else", names), None);
        assert_eq!(suggest("", names), None);
    }

    #[test]
    fn short_names_do_not_match_everything() {
        assert_eq!(suggest("x", ["y", "q"]), None);
        assert_eq!(suggest("ab", ["ac", "b"]), None);
        assert_eq!(suggest("X", ["x"]), Some("x"));
    }
}

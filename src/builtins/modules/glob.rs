//! Patterns of file names: `*` and `?` inside of one name, `[abc]` and `[!abc]`, `**` for any number of directories.
//! Names that begin with a dot fit only patterns that do.

use crate::diag::Result;
use crate::os::name::{self, Name};
use crate::process::signals;

/// The paths that fit a pattern, sorted.
///
/// # Errors
/// `Interrupted` and `Cancelled`.
pub fn expand(pattern: &str) -> Result<Vec<String>> {
    let (root, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = Vec::new();
    descend(root, &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn descend(folder: &str, parts: &[&str], found: &mut Vec<String>) -> Result<()> {
    signals::check_urgent()?;
    let Some((&part, rest)) = parts.split_first() else {
        if !folder.is_empty() {
            found.push(folder.to_string());
        }
        return Ok(());
    };
    if part == "**" {
        descend(folder, rest, found)?;
        for name in names(folder) {
            let path = join(folder, &name);
            let real = std::fs::symlink_metadata(Name::new(&path)).is_ok_and(|data| data.is_dir());
            if real && !name.starts_with('.') {
                descend(&path, parts, found)?;
            } else if rest.is_empty() && !name.starts_with('.') {
                found.push(path);
            }
        }
        return Ok(());
    }
    if !part.contains(['*', '?', '[']) {
        let path = join(folder, part);
        if std::fs::symlink_metadata(Name::new(&path)).is_ok() {
            descend(&path, rest, found)?;
        }
        return Ok(());
    }
    let pattern: Vec<char> = part.chars().collect();
    for name in names(folder) {
        let text: Vec<char> = name.chars().collect();
        let hidden = name.starts_with('.') && !part.starts_with('.');
        if !hidden && fits(&pattern, &text) {
            let path = join(folder, &name);
            if rest.is_empty() || Name::new(&path).path().is_dir() {
                descend(&path, rest, found)?;
            }
        }
    }
    Ok(())
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_string(),
        folder if folder.ends_with('/') => format!("{folder}{name}"),
        folder => format!("{folder}/{name}"),
    }
}

/// The names in a directory; none when it cannot be read.
fn names(folder: &str) -> Vec<String> {
    let folder = if folder.is_empty() { "." } else { folder };
    let entries = std::fs::read_dir(Name::new(folder))
        .into_iter()
        .flatten()
        .flatten();
    entries.map(|entry| name::text(entry.file_name())).collect()
}

/// Whether a name fits a pattern of one name.
fn fits(pattern: &[char], text: &[char]) -> bool {
    // The last star and where it began to match: the only place that is ever returned to.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => one_of(&pattern[p..], text[t]),
            Some(&c) => (c == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(width), _) => {
                p += width;
                t += 1;
            }
            (None, Some((after, began))) => {
                star = Some((after, began + 1));
                (p, t) = (after, began + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// The length of the class at the start of the pattern when the character fits it. A bracket that is not closed stands
/// for itself.
fn one_of(pattern: &[char], c: char) -> Option<usize> {
    let close = pattern
        .iter()
        .skip(2)
        .position(|&c| c == ']')
        .map(|at| at + 2);
    let Some(close) = close else {
        return (c == '[').then_some(1);
    };
    let class = &pattern[1..close];
    let (negated, class) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        class => (false, class),
    };
    let mut inside = false;
    let mut at = 0;
    while let Some(&low) = class.get(at) {
        match (class.get(at + 1), class.get(at + 2)) {
            (Some('-'), Some(&high)) => {
                inside |= (low..=high).contains(&c);
                at += 3;
            }
            _ => {
                inside |= low == c;
                at += 1;
            }
        }
    }
    (inside != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        let fits = |pattern: &str, name: &str| {
            let (pattern, name): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), name.chars().collect());
            fits(&pattern, &name)
        };
        assert!(fits("*.par", "a.par") && !fits("*.par", "a.rs"));
        assert!(fits("a?c", "abc") && !fits("a?c", "ac"));
        assert!(fits("[a-c]x", "bx") && !fits("[!a-c]x", "bx") && fits("[!a-c]x", "dx"));
        assert!(fits("*a*b*", "xaxxbx") && !fits("*a*b", "xaxxbx"));
        assert!(fits("[", "[") && fits("**", "") && !fits("", "x"));
    }
}

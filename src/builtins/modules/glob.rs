//! Patterns of file names: `*` and `?` inside of one name, `[abc]` and `[!abc]`, `**` for any number of directories, a slash at the end for
//! directories only. Names that begin with a dot fit only patterns that do.

use crate::diag::Result;
use crate::os::name::{self, Name};
use crate::process::wait;
use std::collections::HashSet;

/// The paths that fit a pattern, sorted, each once.
///
/// # Errors
/// `Interrupted`, `Cancelled` and the like.
pub fn expand(pattern: &str) -> Result<Vec<String>> {
    let (root, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    // Several in a row say what one says.
    parts.dedup_by(|part, before| *part == ANY_DEPTH && *before == ANY_DEPTH);
    let first = parts.iter().position(|part| *part == ANY_DEPTH);
    let mut search = Search {
        outermost: first.map_or(0, |at| parts.len() - at),
        ..Search::default()
    };
    search.descend(root, &parts)?;
    let mut found = search.found;
    if pattern.ends_with('/') {
        // Only directories fit it, and they show that.
        found.retain(|path| Name::new(path).path().is_dir());
        found.iter_mut().for_each(|path| *path = join(path, ""));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What stands for any number of directories.
const ANY_DEPTH: &str = "**";

/// What was found, and where it was looked.
#[derive(Default)]
struct Search {
    found: Vec<String>,
    /// How many parts of the pattern are left at its first `**`.
    outermost: usize,
    /// The directories at which a `**` that has another one before it began, with how many parts of the pattern were left: each can be
    /// come to in many ways, as many as the ones before can share out what lies above, and has the same below it each time.
    begun: HashSet<(String, usize)>,
}

impl Search {
    fn descend(&mut self, folder: &str, parts: &[&str]) -> Result<()> {
        wait::attend()?;
        let Some((&part, rest)) = parts.split_first() else {
            if !folder.is_empty() {
                self.found.push(folder.to_string());
            }
            return Ok(());
        };
        if part == ANY_DEPTH {
            return self.descend_any(folder, parts, rest);
        }
        if !part.contains(['*', '?', '[']) {
            let path = join(folder, part);
            if std::fs::symlink_metadata(Name::new(&path)).is_ok() {
                self.descend(&path, rest)?;
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
                    self.descend(&path, rest)?;
                }
            }
        }
        Ok(())
    }

    /// `parts` begins with `**`, and `rest` is what follows.
    fn descend_any(&mut self, folder: &str, parts: &[&str], rest: &[&str]) -> Result<()> {
        let is_first = parts.len() == self.outermost;
        if !is_first && !self.begun.insert((folder.to_string(), parts.len())) {
            return Ok(());
        }
        self.descend(folder, rest)?;
        for name in names(folder) {
            if name.starts_with('.') {
                continue;
            }
            let path = join(folder, &name);
            let real = std::fs::symlink_metadata(Name::new(&path)).is_ok_and(|data| data.is_dir());
            if real {
                self.descend(&path, parts)?;
            } else if rest.is_empty() {
                self.found.push(path);
            }
        }
        Ok(())
    }
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
    // A bracket that stands first in it is one of its characters.
    let first = if matches!(pattern.get(1), Some('!' | '^')) {
        2
    } else {
        1
    };
    let mut behind = pattern.iter().enumerate().skip(first + 1);
    let close = behind.find(|(_, c)| **c == ']').map(|(at, _)| at);
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
    fn several_stars_go_through_each_directory_once() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d/".repeat(24));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("x"), "").unwrap();
        let root = name::text(root.path());
        let find = |pattern: &str| expand(&format!("{root}/{pattern}")).unwrap();
        let all = format!("{root}/{}x", "d/".repeat(24));
        // In as many ways as these stars can share out the directories this would take for ever.
        for pattern in ["**/".repeat(24) + "x", "**/d/".repeat(12) + "**/x"] {
            assert_eq!(find(&pattern), [&*all], "{pattern}");
        }
        assert_eq!(find(&("**/*/".repeat(12) + "**/none")), [""; 0]);
        assert_eq!(find("**/**").len(), 26);
        assert_eq!(find("**/d/**").len(), 25);
        assert_eq!(find("d/**/d/*/**/d/d/d"), find("d/d/*/d/**/d/d"));
    }

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
        assert!(fits("[]]", "]") && fits("[!]]", "a") && !fits("[!]]", "]") && fits("[^]a]", "b"));
        assert!(fits("[!]", "[!]") && fits("[]-a]", "_") && !fits("[]", "]"));
        assert!(fits("[", "[") && fits("**", "") && !fits("", "x"));
    }
}

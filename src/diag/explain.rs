//! The longer explanation of each code, for `par explain CODE`. The text is that of `docs/errors.md`, embedded: there is
//! one explanation, and its examples are run with all other code blocks of the documentation.

use super::codes::Code;

const PAGES: &str = include_str!("../../docs/errors.md");

/// What a code means, with an example that causes it and one that does not; made for terminals. Empty for a code that is
/// not in the reference.
pub fn text(code: Code) -> String {
    let Some(page) = page(code) else {
        return String::new();
    };
    let mut out = String::new();
    let mut in_code = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        let line = match in_code {
            true => format!("    {}", without_directive(line)),
            false => line.trim_start_matches("## ").to_string(),
        };
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The section of a code, heading included.
fn page(code: Code) -> Option<&'static str> {
    let heading = format!("\n## {} ", code.0);
    let start = PAGES.find(&heading)? + 1;
    let page = PAGES.get(start..)?;
    let end = page.find("\n## ").map_or(page.len(), |at| at + 1);
    Some(page.get(..end)?.trim_end())
}

/// A line of an example as a reader wants it: what the test of the documentation expects is said in other words.
fn without_directive(line: &str) -> String {
    let rewrite = [
        ("# expect error: ", "# error: "),
        ("# expect stderr: ", "# warning: "),
        ("# expect: ", "# prints "),
    ];
    for (directive, words) in rewrite {
        if let Some((code, text)) = line.split_once(directive) {
            return format!("{code}{words}{text}");
        }
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::codes::REFERENCE;

    #[test]
    fn every_code_has_a_page_under_its_kind_and_title() {
        for row in REFERENCE {
            let text = text(row.code);
            let heading = format!("{} {}: {}", row.code.0, row.kind, row.title);
            assert_eq!(text.lines().next(), Some(heading.as_str()));
            assert!(text.lines().count() > 2, "{heading}");
        }
        let pages = PAGES.lines().filter(|line| line.starts_with("## "));
        assert_eq!(pages.count(), REFERENCE.len());
    }

    #[test]
    fn pages_are_made_for_terminals() {
        let text = text(crate::diag::codes::LOST_WRITE);
        assert!(!text.contains("```") && !text.contains("expect"), "{text}");
        assert!(text.contains("\n    shared total = 0\n"), "{text}");
        assert!(super::text(Code("X999")).is_empty());
    }
}

//! The colours of a line.

use crate::source::{Source, SourceId};
use crate::syntax::{self, Class};

/// The line with terminal colours; what is seen has the same width.
pub(super) fn colored(line: &str) -> String {
    // The prompt's own source numbers start at the same one; nothing of this one is kept.
    let source = Source::new(SourceId(0), "<prompt>", line);
    let mut out = String::with_capacity(line.len() * 2);
    let mut done = 0;
    for lexeme in syntax::tokens(&source) {
        let (start, end) = (lexeme.span.start as usize, lexeme.span.end as usize);
        let text = source.slice(lexeme.span);
        out.push_str(line.get(done..start).unwrap_or(""));
        match color(lexeme.class) {
            "" => out.push_str(text),
            color => out.extend(["\x1b[", color, "m", text, "\x1b[0m"]),
        }
        done = end;
    }
    out.push_str(line.get(done..).unwrap_or(""));
    out
}

/// The terminal's code for a class; empty for the colour of plain text.
fn color(class: Class) -> &'static str {
    match class {
        Class::Keyword => "1;35",
        Class::Constant | Class::Number => "36",
        Class::Function => "34",
        Class::String => "32",
        Class::Command => "33",
        Class::Interpolation => "1",
        Class::Comment | Class::Doc => "2",
        Class::Bad => "31",
        Class::Name | Class::Operator | Class::Mark => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_add_nothing_that_is_seen() {
        for line in [
            "let x = \"a {b}\" # c",
            "print('x",
            "f(`ls {x}`, 250ms)",
            "\u{e4} \u{1F600} ((",
            "",
        ] {
            let mut plain = String::new();
            let shown = colored(line);
            let mut rest = shown.as_str();
            while let Some((before, escape)) = rest.split_once("\x1b[") {
                plain.push_str(before);
                rest = escape.split_once('m').map_or("", |(_, after)| after);
            }
            plain.push_str(rest);
            assert_eq!(plain, line);
        }
    }
}

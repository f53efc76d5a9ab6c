//! As much of Rust's text as the house rules need: what is code, and where functions begin and end.

use regex::Regex;

/// A function of a file.
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// How many lines it has.
    pub lines: usize,
}

/// The text with comments and the contents of literals replaced by spaces: lines and columns stay.
pub fn bare(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => end_of_line(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => end_of_block(&chars, at),
            '"' => end_of_string(&chars, at),
            'r' if is_raw(&chars, at) => end_of_raw(&chars, at),
            '\'' => end_of_char(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(chars[at..end].iter().map(|&c| match c {
            '\n' => '\n',
            _ => ' ',
        }));
        at = end;
    }
    out
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().position(|&c| c == '\n');
    length.map_or(chars.len(), |length| at + length)
}

fn end_of_block(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut end = at;
    while end < chars.len() {
        match (chars[end], chars.get(end + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                end += 1;
                continue;
            }
        }
        end += 2;
        if depth == 0 {
            return end;
        }
    }
    end
}

fn end_of_string(chars: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

fn is_raw(chars: &[char], at: usize) -> bool {
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let byte = at > 0 && chars[at - 1] == 'b';
    let quote = chars[at + 1..].iter().find(|&&c| c != '#');
    (!after_word || byte) && quote == Some(&'"')
}

fn end_of_raw(chars: &[char], at: usize) -> usize {
    let marks = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let mut end = at + marks + 2;
    while end < chars.len() {
        let closing = chars[end] == '"' && chars[end + 1..].iter().take(marks).all(|&c| c == '#');
        if closing {
            return (end + 1 + marks).min(chars.len());
        }
        end += 1;
    }
    end.min(chars.len())
}

/// The end of a character literal; a lifetime is none.
fn end_of_char(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let length = chars[at + 3..].iter().position(|&c| c == '\'');
            length.map_or(at, |length| at + 4 + length)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// The functions of a file that [`bare`] has been applied to.
pub fn functions(code: &str) -> Vec<Function> {
    let head = Regex::new(
        r"(?m)^[ \t]*(?:pub(?:\([^)]*\))?\s+)?(?:(?:const|unsafe|extern)\s+)*(?:\s*)fn\s+(\w+)",
    )
    .unwrap();
    let mut found = Vec::new();
    for head in head.captures_iter(code) {
        let whole = head.get(0).unwrap();
        let Some(lines) = lines_of(&code[whole.start()..]) else {
            continue;
        };
        found.push(Function {
            name: head[1].to_string(),
            line: code[..whole.start()].matches('\n').count() + 1,
            lines,
        });
    }
    found
}

/// Lines from the head of a function to the brace that closes it; nothing when it has no body.
fn lines_of(code: &str) -> Option<usize> {
    let mut depth = 0;
    let mut brackets = 0;
    let mut lines = 1;
    for c in code.trim_start_matches('\n').chars() {
        match c {
            '\n' => lines += 1,
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(lines);
                }
            }
            _ => {}
        }
    }
    None
}

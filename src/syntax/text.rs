//! The insides of strings: where they end, what their escapes mean, how the indentation of triple-quoted ones goes.

use super::lexer::QuoteKind;
use super::words::Quote;
use crate::diag::{Error, codes};

/// What ends a run of literal text.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// A `{`.
    Interpolation,
    /// The closing quote, so many bytes wide.
    Close(usize),
    /// The end of the line or of the file.
    Unclosed,
}

/// A piece of content, or what is wrong with it and where in the piece.
pub type Content<T> = Result<T, (Box<Error>, usize, usize)>;

/// How many bytes of literal text come first, and what follows them. `quote`: the quotes inside a command that one is in;
/// in single ones braces are text.
pub fn scan(text: &str, kind: QuoteKind, quote: &mut Quote) -> (usize, Stop) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' if kind == QuoteKind::Command => *quote = quote.after(byte),
            b'{' if *quote == Quote::Single => {}
            b'\\' if *quote == Quote::Single && bytes.get(at + 1) != Some(&b'`') => {}
            // A backslash takes the next character along, whatever it is; a line's end stays a line's end.
            b'\\' => match (bytes.get(at + 1), kind) {
                (Some(b'\n'), QuoteKind::Plain) => return (at + 1, Stop::Unclosed),
                (Some(_), _) => {
                    at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
                    let brace = kind != QuoteKind::Command && bytes.get(at) == Some(&b'{');
                    if brace && text[..at].ends_with('u') {
                        at += 1;
                    }
                    continue;
                }
                (None, _) => return (text.len(), Stop::Unclosed),
            },
            b'{' => return (at, Stop::Interpolation),
            b'"' if kind == QuoteKind::Plain => return (at, Stop::Close(1)),
            b'"' if kind == QuoteKind::Triple && text[at..].starts_with("\"\"\"") => {
                return (at, Stop::Close(3));
            }
            b'`' if kind == QuoteKind::Command => return (at, Stop::Close(1)),
            b'\n' if kind == QuoteKind::Plain => return (at, Stop::Unclosed),
            _ => {}
        }
        at += 1;
    }
    (text.len(), Stop::Unclosed)
}

/// The length of the inside of a raw string or of bytes; `None` when it is not closed.
pub fn flat_length(text: &str, close: &str, escapes: bool, several_lines: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if text.as_bytes()[at..].starts_with(close.as_bytes()) {
            return Some(at);
        }
        match byte {
            b'\n' if !several_lines => return None,
            b'\\' if escapes && bytes.get(at + 1).is_some_and(|b| *b != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The contents of the pieces of one string: indentation removed (triple-quoted), escapes replaced.
///
/// The text of a command stays as it is for the splitting into words.
pub fn contents(pieces: &[&str], kind: QuoteKind) -> Vec<Content<String>> {
    match kind {
        QuoteKind::Plain => pieces.iter().map(|piece| unescape(piece)).collect(),
        QuoteKind::Command => pieces.iter().map(|piece| Ok(piece.to_string())).collect(),
        QuoteKind::Triple => {
            let indent = common_indent(pieces);
            let mut result = Vec::with_capacity(pieces.len());
            for (index, piece) in pieces.iter().enumerate() {
                let (dropped, text) = match index {
                    0 => skip_first_line_break(piece),
                    _ => (0, *piece),
                };
                let text = remove_indent(text, indent, dropped > 0);
                // The positions inside a piece whose indentation went are not those of the source any more.
                let place = |(error, _, _)| (error, 0, piece.len());
                result.push(unescape(&text).map_err(place));
            }
            result
        }
    }
}

/// The text of a raw triple-quoted string.
pub fn dedent_raw(text: &str) -> String {
    let indent = common_indent(&[text]);
    let (dropped, rest) = skip_first_line_break(text);
    remove_indent(rest, indent, dropped > 0)
}

/// The bytes of `b"..."`: ASCII and escapes, UTF-8 as it stands.
pub fn bytes(text: &str) -> Content<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c != '\\' {
            out.extend_from_slice(&text.as_bytes()[at..at + c.len_utf8()]);
            at += c.len_utf8();
            continue;
        }
        let (escape, length) = escape(&text[at..]).map_err(|(e, length)| (e, at, at + length))?;
        match escape {
            Escape::Byte(byte) => out.push(byte),
            Escape::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Escape::Nothing => {}
        }
        at += length;
    }
    Ok(out)
}

fn unescape(text: &str) -> Content<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let from = text.len() - rest.len();
        let (escape, length) = escape(rest).map_err(|(e, length)| (e, from, from + length))?;
        match escape {
            Escape::Byte(byte) => out.push(char::from(byte)),
            Escape::Char(c) => out.push(c),
            Escape::Nothing => {}
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    Ok(out)
}

enum Escape {
    Char(char),
    /// `\xHH`: a byte in bytes, the character of that number in a string.
    Byte(u8),
    Nothing,
}

/// The escape that `text` starts with, and its length.
fn escape(text: &str) -> Result<(Escape, usize), (Box<Error>, usize)> {
    let mut chars = text.chars();
    chars.next();
    let c = chars.next().unwrap_or('\\');
    let plain = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        'e' => '\u{1b}',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        '\\' | '"' | '\'' | '{' | '}' | '`' => c,
        '\n' => return Ok((Escape::Nothing, 2)),
        'x' => return hex_escape(text),
        'u' => return unicode_escape(text),
        other => {
            let error = Error::new(
                codes::BAD_LITERAL,
                format!(
                    "expected an escape such as `\\n`, `\\t`, `\\\\` or `\\{{`, found `\\{other}`"
                ),
            )
            .with_help("write `\\\\` for a backslash, or a raw string: r\"...\"");
            return Err((error, 1 + other.len_utf8()));
        }
    };
    Ok((Escape::Char(plain), 2))
}

fn hex_escape(text: &str) -> Result<(Escape, usize), (Box<Error>, usize)> {
    let digits = text
        .get(2..4)
        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
        Some(byte) => Ok((Escape::Byte(byte), 4)),
        None => Err((
            Error::new(
                codes::BAD_LITERAL,
                "expected two hexadecimal digits after `\\x`",
            ),
            2,
        )),
    }
}

fn unicode_escape(text: &str) -> Result<(Escape, usize), (Box<Error>, usize)> {
    let wrong = |length| {
        let error = Error::new(
            codes::BAD_LITERAL,
            "expected the number of a character in braces after `\\u`",
        )
        .with_help("for example \\u{1F600}");
        (error, length)
    };
    let Some(inner) = text[2..].strip_prefix('{') else {
        return Err(wrong(2));
    };
    let Some(length) = inner.find('}').filter(|&n| n <= 8) else {
        return Err(wrong(3));
    };
    match u32::from_str_radix(&inner[..length], 16)
        .ok()
        .and_then(char::from_u32)
    {
        Some(c) => Ok((Escape::Char(c), length + 4)),
        None => Err(wrong(length + 4)),
    }
}

/// A line break right after the opening quotes is not part of the text. Returns how many bytes went, and the rest.
fn skip_first_line_break(text: &str) -> (usize, &str) {
    let trimmed = text.trim_start_matches([' ', '\t', '\r']);
    match trimmed.strip_prefix('\n') {
        Some(rest) => (text.len() - rest.len(), rest),
        None => (0, text),
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// The indentation that all lines but the first and the blank ones share; the line of the closing quotes counts.
fn common_indent(pieces: &[&str]) -> usize {
    let mut least: Option<usize> = None;
    for (index, piece) in pieces.iter().enumerate() {
        let last_piece = index + 1 == pieces.len();
        let mut lines = piece.split('\n').skip(1).peekable();
        while let Some(line) = lines.next() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let indent = indent_of(line);
            let ends_piece = lines.peek().is_none();
            let blank = indent == line.len() && !ends_piece;
            // A blank last line of the last piece is where the closing quotes stand.
            debug_assert!(!blank || !last_piece || !ends_piece);
            if !blank {
                least = Some(least.map_or(indent, |l| l.min(indent)));
            }
        }
    }
    least.unwrap_or(0)
}

fn remove_indent(text: &str, indent: usize, at_line_start: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let cut = match index > 0 || at_line_start {
            true => indent.min(indent_of(line)),
            false => 0,
        };
        out.push_str(&line[cut..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_have_their_meaning() {
        assert_eq!(
            unescape(r#"a\n\t\\\"\{\}\u{1F600}\x41"#).unwrap(),
            "a\n\t\\\"{}\u{1F600}A"
        );
        for wrong in [r"\q", r"\x4", r"\u41", r"\u{110000}", r"\u{}"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
        assert_eq!(bytes(r"\x00ab\xff").unwrap(), [0, b'a', b'b', 0xff]);
    }

    #[test]
    fn the_common_indentation_goes() {
        assert_eq!(
            dedent_raw("\n    a\n      b\n\n    c\n    "),
            "a\n  b\n\nc\n"
        );
        assert_eq!(dedent_raw("one line"), "one line");
        assert_eq!(
            dedent_raw("first\n  second\n  third"),
            "first\nsecond\nthird"
        );
        let pieces = contents(&["\n  Hi ", "\n    you\n  "], QuoteKind::Triple);
        let pieces: Vec<String> = pieces.into_iter().map(|p| p.unwrap()).collect();
        assert_eq!(pieces, ["Hi ", "\n  you\n"]);
    }
}

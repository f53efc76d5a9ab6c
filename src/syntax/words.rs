//! The words of a command in backticks: split where it is written, as a shell user expects, so that no value which is put
//! in can ever become more than its place.
//!
//! Blanks and line ends separate words. `'...'` is literal, braces included; inside `"..."` blanks are kept and `\` escapes
//! `"`, `\`, `$` and braces; outside of quotes `\` takes the next character as it is, and joins lines at the end of one.
//! Nothing is expanded but a `~` that begins a word. What only a shell understands is refused, so that nobody believes that
//! it works.

use super::ast::{Piece, Word};
use crate::diag::{Error, codes};
use std::rc::Rc;

/// The quotes that one is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Quote {
    /// None.
    #[default]
    Bare,
    /// `'...'`.
    Single,
    /// `"..."`.
    Double,
}

impl Quote {
    /// The quotes after a quotation mark.
    pub fn after(self, mark: u8) -> Quote {
        match (self, mark) {
            (Quote::Bare, b'\'') => Quote::Single,
            (Quote::Bare, b'"') => Quote::Double,
            (Quote::Single, b'\'') | (Quote::Double, b'"') => Quote::Bare,
            _ => self,
        }
    }
}

/// Splits the pieces of a command, whose text is as it was written.
///
/// # Errors
/// A quotation mark that is not closed; an operator of the shell outside of quotes; no word at all.
pub fn split(pieces: Vec<Piece>) -> Result<Vec<Word>, Box<Error>> {
    let mut splitter = Splitter::default();
    for piece in pieces {
        match piece {
            Piece::Text(text) => splitter.text(&text)?,
            Piece::Expr(e) => {
                splitter.flush();
                let quoted = splitter.quote != Quote::Bare;
                let word = splitter.word();
                word.spreads = word.parts.is_empty() && !quoted;
                word.parts.push(Piece::Expr(e));
            }
        }
    }
    if splitter.quote != Quote::Bare {
        let mark = match splitter.quote {
            Quote::Single => "'",
            _ => "\"",
        };
        let message = format!("expected a closing {mark} in this command, but it ends before");
        let help = format!("close it, or write \\{mark} for the character itself");
        return Err(Error::new(codes::UNCLOSED, message).with_help(help));
    }
    splitter.end_word()?;
    if splitter.words.is_empty() {
        return Err(Error::new(
            codes::UNEXPECTED,
            "expected the name of a program in this command, but it is empty",
        ));
    }
    Ok(splitter.words)
}

#[derive(Default)]
struct Splitter {
    words: Vec<Word>,
    /// The word that is being read.
    open: Option<Word>,
    /// Its text since the last value.
    literal: String,
    /// What of the word stands outside of quotes, if nothing else does: operators are looked for in it.
    bare: String,
    all_bare: bool,
    quote: Quote,
}

impl Splitter {
    fn word(&mut self) -> &mut Word {
        if self.open.is_none() {
            self.bare.clear();
            self.all_bare = true;
        }
        self.open.get_or_insert_default()
    }

    /// A character of the word.
    fn put(&mut self, c: char, quoted: bool) {
        self.word().spreads = false;
        self.literal.push(c);
        match quoted {
            true => self.all_bare = false,
            false => self.bare.push(c),
        }
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let text: Rc<str> = std::mem::take(&mut self.literal).into();
            self.word().parts.push(Piece::Text(text));
        }
    }

    fn end_word(&mut self) -> Result<(), Box<Error>> {
        self.flush();
        if let Some(word) = self.open.take() {
            if self.all_bare {
                refuse_operator(&self.bare)?;
            }
            self.words.push(word);
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Box<Error>> {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (self.quote, c) {
                (Quote::Single, '\'') | (Quote::Double, '"') => self.quote = Quote::Bare,
                (Quote::Bare, '\'' | '"') => {
                    // Quotes make a word, also an empty one.
                    self.word().spreads = false;
                    self.all_bare = false;
                    self.quote = self.quote.after(c as u8);
                }
                (Quote::Single, '\\') if chars.peek() == Some(&'`') => {
                    chars.next();
                    self.put('`', true);
                }
                (Quote::Single, c) => self.put(c, true),
                (_, '\\') => self.escape(chars.next()),
                (_, '$') => {
                    refuse_variable(chars.clone())?;
                    self.put('$', self.quote == Quote::Double);
                }
                (Quote::Double, c) => self.put(c, true),
                (Quote::Bare, c) if c.is_whitespace() => self.end_word()?,
                (Quote::Bare, '~') if self.open.is_none() && ends_name(chars.peek()) => {
                    self.word().home = true;
                    self.bare.push('~');
                }
                (Quote::Bare, c) => self.put(c, false),
            }
        }
        Ok(())
    }

    fn escape(&mut self, next: Option<char>) {
        match (self.quote, next) {
            (_, Some('\n')) => {}
            (Quote::Double, Some(c)) if !matches!(c, '"' | '\\' | '$' | '{' | '}' | '`') => {
                self.put('\\', true);
                self.put(c, true);
            }
            (_, Some(c)) => self.put(c, true),
            (_, None) => self.put('\\', true),
        }
    }
}

fn ends_name(next: Option<&char>) -> bool {
    next.is_none_or(|c| *c == '/' || c.is_whitespace())
}

/// `$HOME`, `${x}` and `$(date)` are the shell's.
fn refuse_variable(mut rest: impl Iterator<Item = char>) -> Result<(), Box<Error>> {
    let first = rest.next();
    let Some(first) = first.filter(|c| c.is_alphabetic() || matches!(c, '_' | '(' | '{')) else {
        return Ok(());
    };
    let (found, help) = match first {
        '(' => (
            "`$(`".to_string(),
            "put the output in braces: {cmd.text().strip()}".to_string(),
        ),
        '{' => (
            "`${`".to_string(),
            "braces alone put a value in: {name}; `\\$` is the character".to_string(),
        ),
        _ => {
            let more = rest.take_while(|c| c.is_alphanumeric() || *c == '_');
            let name: String = std::iter::once(first).chain(more).collect();
            let help =
                format!("write {{os.environ[\"{name}\"]}} (import os), or `\\$` for the character");
            (format!("`${name}`"), help)
        }
    };
    let message =
        format!("expected plain text or a value in braces in this command, found {found}");
    Err(Error::new(codes::HABIT, message).with_help(help))
}

/// A word that only a shell understands.
fn refuse_operator(word: &str) -> Result<(), Box<Error>> {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let help = match word {
        "|" | "|&" => "join two commands outside of the backticks: `a` | `b`",
        "&&" => "run them one after the other: `a`.check(); `b`.check()",
        "||" => "write `a`.check() rescue `b`.check()",
        "&" => "write spawn `command` to run it in the background",
        ";" => "write two commands",
        _ if digits.starts_with('>') || word.starts_with("&>") => {
            "write .stdout(\"file\"), .stderr(\"file\") or .merge() behind the backticks"
        }
        _ if digits.starts_with('<') && !digits.starts_with("<(") => {
            "write .stdin(\"file\") or .input(text) behind the backticks"
        }
        _ if word.ends_with(';') || word.len() > 1 && word.ends_with('&') => "write two commands",
        _ => return Ok(()),
    };
    let message = format!(
        "expected a word of a command, found `{word}`: there is no shell that would read it"
    );
    let help = format!("{help}; quotes make it a word; sh(\"...\") runs the shell");
    Err(Error::new(codes::HABIT, message).with_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, String> {
        let words = split(vec![Piece::Text(text.into())]).map_err(|error| error.message)?;
        let flat = words.into_iter().map(|word| {
            let home = if word.home { "<home>" } else { "" };
            let parts = word.parts.iter().map(|part| match part {
                Piece::Text(text) => &**text,
                Piece::Expr(_) => unreachable!(),
            });
            home.to_string() + &parts.collect::<String>()
        });
        Ok(flat.collect())
    }

    #[test]
    fn quotes_are_those_of_a_shell() {
        for (text, expected) in [
            ("ls  -l\n\tx", &["ls", "-l", "x"][..]),
            ("a 'b c' \"d e\"f'g'", &["a", "b c", "d efg"]),
            (r#"a "b \"c\" \d" \ e\'s"#, &["a", r#"b "c" \d"#, " e's"]),
            ("awk '{print $1}'", &["awk", "{print $1}"]),
            ("a '' \"\"", &["a", "", ""]),
            ("a \\\n b", &["a", "b"]),
            ("ls ~ ~/x a~ '~'", &["ls", "<home>", "<home>/x", "a~", "~"]),
            ("echo \\$HOME 5$ \\{x\\}", &["echo", "$HOME", "5$", "{x}"]),
            ("test a '>' b '|' x&y", &["test", "a", ">", "b", "|", "x&y"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| word.to_string()).collect();
            assert_eq!(words(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for text in [
            "a | b",
            "a > f",
            "a 2>f",
            "a 2>&1",
            "a < f",
            "a && b",
            "a; b",
            "a &",
            "echo $HOME",
            "echo \"$HOME\"",
            "echo $(date)",
            "a 'b",
            "",
            "  ",
        ] {
            assert!(words(text).is_err(), "{text}");
        }
    }
}

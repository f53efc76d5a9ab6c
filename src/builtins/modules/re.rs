//! `re`: regular expressions, in the dialect of the regex crate (no look-around, no back references; never slow).

use super::re_long::Compiled;
use super::re_match::{Chars, MatchHandle};
use crate::builtins::{Module, Table, arguments, state};
use crate::diag::{self, codes};
use crate::limits::{MAX_ITEMS, MAX_STRING};
use crate::value::handle::Handle;
use crate::value::native::{Args, Context, Native, Outcome};
use crate::value::{Value, operate, show, text};
use regex::{Captures, Regex, RegexBuilder};
use regex_automata::util::syntax;
use std::any::Any;
use std::rc::Rc;

/// The module.
pub static MODULE: Module = Module {
    name: "re",
    doc: "Regular expressions.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "compile" ("pattern", "flags?") compile, "A pattern to use often; flags are letters: i ignores case, m lets ^ and $ match at lines, s lets . match newlines, x allows comments.";
    "escape" ("text") escape, "The text as a pattern that matches just it.";
    "findall" ("pattern", "text", "flags?") findall, "A list of all matches: texts, or what the groups matched.";
    "finditer" ("pattern", "text", "flags?") finditer, "A list of all matches as match objects.";
    "fullmatch" ("pattern", "text", "flags?") fullmatch, "A match of the whole text, or nil.";
    "match" ("pattern", "text", "flags?") match_start, "A match at the start of the text, or nil.";
    "search" ("pattern", "text", "flags?") search, "The first match anywhere in the text, or nil.";
    "split" ("pattern", "text", "maxsplit?", "flags?") split, "A list of the parts between matches.";
    "sub" ("pattern", "replacement", "text", "count?", "flags?") sub, "The text with matches replaced by a text (with \\1 or \\g<name> for groups) or by what a function makes of each match.";
};

/// The methods of a compiled pattern: the same without the pattern and the flags.
pub static METHODS: Table = natives! {
    "findall" ("text") findall, "A list of all matches: texts, or what the groups matched.";
    "finditer" ("text") finditer, "A list of all matches as match objects.";
    "fullmatch" ("text") fullmatch, "A match of the whole text, or nil.";
    "match" ("text") match_start, "A match at the start of the text, or nil.";
    "search" ("text") search, "The first match anywhere in the text, or nil.";
    "split" ("text", "maxsplit?") split, "A list of the parts between matches.";
    "sub" ("replacement", "text", "count?") sub, "The text with matches replaced by a text (with \\1 or \\g<name> for groups) or by what a function makes of each match.";
};

/// A compiled pattern.
struct Pattern {
    regex: Rc<Compiled>,
}

impl Handle for Pattern {
    fn type_name(&self) -> &'static str {
        "pattern"
    }

    fn show(&self) -> String {
        format!("<pattern {}>", show::quoted(self.regex.regex.as_str()))
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, context: &mut dyn Context, name: &str) -> Outcome<Option<Value>> {
        Ok(match name {
            "pattern" => Some(Value::str(context.heap(), self.regex.regex.as_str())),
            "groups" => Some(Value::Int(self.regex.regex.captures_len() as i64 - 1)),
            _ => None,
        })
    }

    fn attribute_names(&self) -> &'static [&'static str] {
        &["groups", "pattern"]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a compiled pattern holds; `None` for other values.
pub fn compiled(value: &Value) -> Option<Rc<Compiled>> {
    Some(value.as_handle::<Pattern>()?.regex.clone())
}

/// Patterns that were used lately: scripts write them where they use them.
#[derive(Default)]
struct Cache {
    patterns: Vec<(String, String, Rc<Compiled>)>,
}

/// More patterns than a script uses in a loop; beyond it all are forgotten.
const CACHED: usize = 64;

/// The pattern of a call: compiled before, or a text.
fn regex(
    context: &mut dyn Context,
    function: &str,
    pattern: &Value,
    flags: &Value,
) -> Outcome<Rc<Compiled>> {
    if let Some(pattern) = pattern.as_handle::<Pattern>() {
        return Ok(pattern.regex.clone());
    }
    let source = arguments::text(function, "pattern", pattern)?;
    let letters = match arguments::given(flags) {
        Some(flags) => arguments::text(function, "flags", flags)?,
        None => "",
    };
    of_text(context, function, source, letters)
}

/// The pattern that a text is, with the letters of its flags.
fn of_text(
    context: &mut dyn Context,
    function: &str,
    source: &str,
    letters: &str,
) -> Outcome<Rc<Compiled>> {
    let cache: &mut Cache = state::of(context);
    let known = cache
        .patterns
        .iter()
        .find(|(s, l, _)| s == source && l == letters);
    if let Some((_, _, regex)) = known {
        return Ok(regex.clone());
    }
    let mut builder = RegexBuilder::new(source);
    let mut syntax = syntax::Config::new();
    for letter in letters.chars() {
        // The automata are told the same.
        match letter.to_ascii_lowercase() {
            'i' => {
                builder.case_insensitive(true);
                syntax = syntax.case_insensitive(true);
            }
            'm' => {
                builder.multi_line(true);
                syntax = syntax.multi_line(true);
            }
            's' => {
                builder.dot_matches_new_line(true);
                syntax = syntax.dot_matches_new_line(true);
            }
            'x' => {
                builder.ignore_whitespace(true);
                syntax = syntax.ignore_whitespace(true);
            }
            _ => {
                let given = show::quoted(letters);
                let message =
                    format!("{function}: `flags` must be letters of \"imsx\", but is {given}");
                return Err(diag::Error::new(codes::VALUE, message).into());
            }
        }
    }
    let regex = builder.build();
    let regex = regex.map_err(|error| mistake(function, source, &error))?;
    let regex = Rc::new(Compiled::new(regex, syntax, letters));
    if cache.patterns.len() >= CACHED {
        cache.patterns.clear();
    }
    cache
        .patterns
        .push((source.to_string(), letters.to_string(), regex.clone()));
    Ok(regex)
}

fn mistake(function: &str, source: &str, error: &regex::Error) -> crate::value::native::Fault {
    let text = error.to_string();
    let reason = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("error: "));
    let reason = reason.unwrap_or(&text).trim_end_matches('.');
    let pattern = show::quoted(source);
    let message =
        format!("{function}: `pattern` must be a regular expression, but in {pattern}: {reason}");
    let error = diag::Error::new(codes::VALUE, message);
    match source.contains(r"\Z") {
        true => error
            .with_help(r"the end of the text is written `\z`")
            .into(),
        false => error.into(),
    }
}

fn compile(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let regex = regex(context, "compile", &args[0], &args[1])?;
    Ok(Value::handle(context.heap(), Rc::new(Pattern { regex })))
}

fn escape(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("escape", "text", &args[0])?;
    text::checked(context.heap(), regex::escape(text))
}

/// The pattern and the text of a call with the parameters pattern, text, flags, as function or as method.
fn pattern_and_text(
    context: &mut dyn Context,
    function: &str,
    args: Args<'_>,
) -> Outcome<(Rc<Compiled>, Rc<str>)> {
    let flags = args.get(2).unwrap_or(&Value::Undef);
    let regex = regex(context, function, &args[0], flags)?;
    let text = arguments::text(function, "text", &args[1])?;
    Ok((regex, Rc::from(text)))
}

/// A match object, or nil.
fn found(
    context: &mut dyn Context,
    regex: &Rc<Regex>,
    text: &Rc<str>,
    found: Option<Captures<'_>>,
) -> Value {
    match found {
        Some(captures) => {
            let handle = MatchHandle::new(
                regex.clone(),
                text.clone(),
                &captures,
                &mut Chars::new(text),
            );
            Value::handle(context.heap(), Rc::new(handle))
        }
        None => Value::Nil,
    }
}

fn search(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (regex, text) = pattern_and_text(context, "search", args)?;
    let first = regex.first(&text)?;
    Ok(found(context, &regex.regex, &text, first))
}

fn match_start(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    at_start(context, "match", args, "")
}

fn fullmatch(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    at_start(context, "fullmatch", args, r"\z")
}

/// A match that begins at the start and, with `end`, ends at the end. A pattern of its own is needed for it: of the
/// ways to match, the search gives only the first.
fn at_start(context: &mut dyn Context, function: &str, args: Args<'_>, end: &str) -> Outcome {
    let (plain, text) = pattern_and_text(context, function, args)?;
    let (pattern, flags) = (plain.regex.as_str(), &plain.flags);
    let anchored = format!(r"\A(?:{pattern}){end}");
    let anchored = match of_text(context, function, &anchored, flags) {
        Ok(regex) => regex,
        // A comment at the end of the pattern takes the bracket with it.
        Err(_) => of_text(
            context,
            function,
            &format!("\\A(?:{pattern}\n){end}"),
            flags,
        )?,
    };
    let first = anchored.first(&text)?;
    Ok(found(context, &anchored.regex, &text, first))
}

fn findall(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (regex, text) = pattern_and_text(context, "findall", args)?;
    let mut all = Vec::new();
    let mut matches = regex.all(&text);
    while let Some(captures) = matches.next()? {
        operate::within("findall", all.len() + 1, MAX_ITEMS)?;
        let heap = context.heap();
        let mut group =
            |at: usize| Value::str(heap, captures.get(at).map_or("", |found| found.as_str()));
        let item = match captures.len() {
            1 => group(0),
            2 => group(1),
            count => {
                let groups = (1..count).map(group).collect();
                Value::list(heap, groups)
            }
        };
        all.push(item);
    }
    Ok(Value::list(context.heap(), all))
}

fn finditer(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let (regex, text) = pattern_and_text(context, "finditer", args)?;
    let mut all = Vec::new();
    let mut chars = Chars::new(&text);
    let mut matches = regex.all(&text);
    while let Some(captures) = matches.next()? {
        operate::within("finditer", all.len() + 1, MAX_ITEMS)?;
        let handle = MatchHandle::new(regex.regex.clone(), text.clone(), &captures, &mut chars);
        all.push(Value::handle(context.heap(), Rc::new(handle)));
    }
    Ok(Value::list(context.heap(), all))
}

/// An optional count of 1 or more; 0 and nothing are without limit, as in Python.
fn limit(function: &str, param: &str, value: Option<&Value>) -> Outcome<usize> {
    match value.and_then(arguments::given) {
        Some(value) => Ok(match arguments::size(function, param, value)? {
            0 => usize::MAX,
            limit => limit,
        }),
        None => Ok(usize::MAX),
    }
}

fn split(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let flags = args.get(3).unwrap_or(&Value::Undef);
    let regex = regex(context, "split", &args[0], flags)?;
    let text = arguments::text("split", "text", &args[1])?;
    let limit = limit("split", "maxsplit", args.get(2))?;
    let mut parts = Vec::new();
    let mut start = 0;
    let (mut matches, mut count) = (regex.all(text), 0);
    while count < limit
        && let Some(captures) = matches.next()?
    {
        count += 1;
        let Some(whole) = captures.get(0) else {
            continue;
        };
        parts.push(Value::str(
            context.heap(),
            text.get(start..whole.start()).unwrap_or_default(),
        ));
        // What groups matched stands between the parts, as in Python.
        for group in captures.iter().skip(1) {
            parts.push(group.map_or(Value::Nil, |group| {
                Value::str(context.heap(), group.as_str())
            }));
        }
        start = whole.end();
    }
    parts.push(Value::str(
        context.heap(),
        text.get(start..).unwrap_or_default(),
    ));
    Ok(Value::list(context.heap(), parts))
}

fn sub(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let flags = args.get(4).unwrap_or(&Value::Undef);
    let regex = regex(context, "sub", &args[0], flags)?;
    let source: Rc<str> = Rc::from(arguments::text("sub", "text", &args[2])?);
    let limit = limit("sub", "count", args.get(3))?;
    let template = args[1].as_str();
    if template.is_none() {
        arguments::callable("sub", "replacement", &args[1])
            .map_err(|_| arguments::wrong("sub", "replacement", "a str or a function", &args[1]))?;
    }
    let mut out = String::new();
    let mut start = 0;
    let mut chars = Chars::new(&source);
    let (mut matches, mut count) = (regex.all(&source), 0);
    while count < limit
        && let Some(captures) = matches.next()?
    {
        count += 1;
        let Some(whole) = captures.get(0) else {
            continue;
        };
        out.push_str(source.get(start..whole.start()).unwrap_or_default());
        match template {
            Some(template) => expand(&mut out, template, &regex.regex, &captures)?,
            None => {
                let handle =
                    MatchHandle::new(regex.regex.clone(), source.clone(), &captures, &mut chars);
                let found = Value::handle(context.heap(), Rc::new(handle));
                let made = context.call(args[1], &[found])?;
                let Some(text) = made.as_str() else {
                    let kind = show::kind(&made);
                    let message = format!("sub: `replacement` must give a str, but gave {kind}");
                    return Err(diag::Error::new(codes::TYPE, message).into());
                };
                out.push_str(text);
            }
        }
        operate::within("sub", out.len(), MAX_STRING)?;
        start = whole.end();
    }
    out.push_str(source.get(start..).unwrap_or_default());
    text::checked(context.heap(), out)
}

/// Adds a replacement with its groups: `\1`, `\g<1>`, `\g<name>`; `\\` is a backslash, `\n` a newline.
fn expand(out: &mut String, template: &str, regex: &Regex, captures: &Captures<'_>) -> Outcome<()> {
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        let name = match rest
            .strip_prefix("g<")
            .and_then(|named| named.split_once('>'))
        {
            Some((name, after)) => {
                rest = after;
                name
            }
            None => {
                let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let width = digits.max(rest.chars().next().map_or(0, char::len_utf8));
                let (escape, after) = rest.split_at(width);
                rest = after;
                match escape {
                    "\\" | "" => out.push('\\'),
                    "n" => out.push('\n'),
                    "t" => out.push('\t'),
                    _ if digits > 0 => {}
                    other => out.extend(['\\', other.chars().next().unwrap_or('\\')]),
                }
                if digits == 0 {
                    continue;
                }
                escape
            }
        };
        let group = match name.parse::<usize>() {
            Ok(number) if number < captures.len() => captures.get(number),
            Ok(_) => return Err(no_group(name)),
            Err(_) if regex.capture_names().any(|known| known == Some(name)) => captures.name(name),
            Err(_) => return Err(no_group(name)),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
    }
    out.push_str(rest);
    Ok(())
}

fn no_group(name: &str) -> crate::value::native::Fault {
    let message =
        format!("sub: `replacement` must name groups of the pattern, but it has no group {name}");
    diag::Error::new(codes::INDEX, message).into()
}

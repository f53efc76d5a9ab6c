//! `term`: the terminal, text with colours, and tables with aligned columns.

use crate::builtins::{Module, Table, arguments, gather};
use crate::limits::MAX_STRING;
use crate::os::terminal;
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, compare, operate, show, text};
use std::ops::ControlFlow;
use std::str::Chars;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The module.
pub static MODULE: Module = Module {
    name: "term",
    doc: "The terminal: its size, colours where they are wanted, tables with aligned columns.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "clip" ("text", "columns") clip, "The text cut to so many columns, with `…` at its end where something is missing.";
    "colored" ("stream?") colored, "Whether colours are wanted on standard output (or on \"stderr\"): on a terminal, unless NO_COLOR is set; with FORCE_COLOR always.";
    "columns" () |_, _| size(|size| size.0, "COLUMNS", 80), "The width of the terminal; COLUMNS or 80 without one.";
    "isatty" ("stream?") isatty, "Whether \"stdout\" (or \"stdin\", \"stderr\") is a terminal.";
    "pad" ("text", "columns", "align?") pad, "The text filled up with blanks to so many columns; align is \"left\", \"right\" or \"center\".";
    "rows" () |_, _| size(|size| size.1, "LINES", 24), "The height of the terminal; LINES or 24 without one.";
    "strip" ("text") strip, "The text without the marks of colours and styles.";
    "style" ("text", "...styles", "always?") style, "The text in colours and styles (\"bold\", \"red\", \"on_blue\", \"bright_green\", ...) where colours are wanted on standard output; as it is elsewhere.";
    "table" ("rows", "header?", "align?", "gap?") table, "Rows (lists, or maps) as lines of aligned columns; align is a list of \"left\", \"right\", \"center\", numbers stand right without it.";
    "width" ("text") width, "How many columns a text takes, without marks of colours: 2 for wide characters, 0 for combining ones.";
};

/// The numbers of the styles; `on_` and `bright_` make others of the colours.
const STYLES: &[(&str, u8)] = &[
    ("bold", 1),
    ("dim", 2),
    ("italic", 3),
    ("underline", 4),
    ("reverse", 7),
    ("strike", 9),
];
const COLORS: &[&str] = &[
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
];

fn stream(function: &str, value: &Value) -> Outcome<i32> {
    let Some(value) = arguments::given(value) else {
        return Ok(1);
    };
    match arguments::text(function, "stream", value)? {
        "stdin" => Ok(0),
        "stdout" => Ok(1),
        "stderr" => Ok(2),
        _ => {
            let rule = "must be \"stdin\", \"stdout\" or \"stderr\"";
            Err(arguments::refuse(function, "stream", rule, value))
        }
    }
}

fn isatty(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(terminal::is_terminal(stream(
        "isatty", &args[0],
    )?)))
}

fn wants_color(stream: i32) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !set("NO_COLOR") && (set("FORCE_COLOR") || (terminal::is_terminal(stream) && !dumb()))
}

fn colored(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    Ok(Value::Bool(wants_color(stream("colored", &args[0])?)))
}

/// One side of the terminal that standard output, standard error or standard input is.
fn size(side: fn((usize, usize)) -> usize, variable: &str, otherwise: i64) -> Outcome {
    let told = [1, 2, 0].into_iter().find_map(terminal::size).map(side);
    let set = || std::env::var(variable).ok()?.parse::<usize>().ok();
    let size = told.or_else(set).filter(|size| *size > 0);
    Ok(Value::Int(size.map_or(otherwise, |size| size as i64)))
}

/// Goes behind the rest of an escape sequence: `ESC [ ... letter`, and `ESC ] ... BEL` (titles, links); whether it is of the latter kind.
fn pass_mark(rest: &mut Chars<'_>) -> bool {
    match rest.next() {
        Some('[') => drop(rest.find(|c| ('@'..='~').contains(c))),
        Some(']') => {
            let mut last = ' ';
            for c in rest.by_ref() {
                if c == '\x07' || (last == '\x1b' && c == '\\') {
                    break;
                }
                last = c;
            }
            return true;
        }
        _ => {}
    }
    false
}

/// The text without escape sequences.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => drop(pass_mark(&mut rest)),
            c => out.push(c),
        }
    }
    out
}

fn columns_of(text: &str) -> usize {
    match text.contains('\x1b') {
        true => plain(text).width(),
        false => text.width(),
    }
}

fn width(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("width", "text", &args[0])?;
    Ok(Value::Int(columns_of(text) as i64))
}

fn strip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let stripped = plain(arguments::text("strip", "text", &args[0])?);
    text::checked(context.heap(), stripped)
}

/// The beginning of a text that fits so many columns. Marks take none; those that were opened are closed.
fn clipped(text: &str, columns: usize) -> String {
    if columns_of(text) <= columns {
        return text.to_string();
    }
    let (mut out, mut used, mut marked) = (String::new(), 0, false);
    // The link that is open: an address in its mark opens one, and none closes it.
    let mut linked = false;
    let mut rest = text.chars();
    loop {
        let before = rest.as_str();
        let Some(c) = rest.next() else { break };
        if c == '\x1b' {
            let is_title_or_link = pass_mark(&mut rest);
            let mark = before.get(..before.len() - rest.as_str().len());
            let mark = mark.unwrap_or_default();
            out.push_str(mark);
            match mark.strip_prefix("\x1b]8;") {
                Some(link) => {
                    let address = link.split_once(';').map_or("", |(_, address)| address);
                    linked = !address.starts_with(['\x07', '\x1b']);
                }
                None => marked |= !is_title_or_link,
            }
            continue;
        }
        used += c.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    if linked {
        out.push_str("\x1b]8;;\x1b\\");
    }
    if marked {
        out.push_str("\x1b[0m");
    }
    out
}

fn clip(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("clip", "text", &args[0])?;
    let columns = arguments::size("clip", "columns", &args[1])?;
    Ok(Value::str(context.heap(), &clipped(text, columns)))
}

#[derive(Clone, Copy, PartialEq)]
enum Align {
    Left,
    Right,
    Center,
}

fn align(function: &str, value: &Value) -> Outcome<Align> {
    match arguments::text(function, "align", value)? {
        "left" => Ok(Align::Left),
        "right" => Ok(Align::Right),
        "center" => Ok(Align::Center),
        _ => {
            let rule = "must be \"left\", \"right\" or \"center\"";
            Err(arguments::refuse(function, "align", rule, value))
        }
    }
}

fn padded(text: &str, columns: usize, align: Align) -> String {
    let free = columns.saturating_sub(columns_of(text));
    let before = match align {
        Align::Left => 0,
        Align::Right => free,
        Align::Center => free / 2,
    };
    format!("{}{text}{}", " ".repeat(before), " ".repeat(free - before))
}

fn pad(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("pad", "text", &args[0])?;
    let columns = arguments::size("pad", "columns", &args[1])?;
    operate::within("pad", columns, MAX_STRING)?;
    let align = match arguments::given(&args[2]) {
        Some(value) => align("pad", value)?,
        None => Align::Left,
    };
    text::checked(context.heap(), padded(text, columns, align))
}

/// The number of a style in an escape sequence.
fn style_number(name: &str) -> Option<u8> {
    if let Some((_, number)) = STYLES.iter().find(|(style, _)| *style == name) {
        return Some(*number);
    }
    let (name, ground) = match name.strip_prefix("on_") {
        Some(name) => (name, 10),
        None => (name, 0),
    };
    let (name, bright) = match name.strip_prefix("bright_") {
        Some(name) => (name, 60),
        None => (name, 0),
    };
    let color = COLORS.iter().position(|color| *color == name)?;
    Some(30 + color as u8 + ground + bright)
}

fn style(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let shown = show::display(args[0]);
    // The rest stands behind the parameters with a name.
    let always = match arguments::given(&args[1]) {
        Some(always) => arguments::boolean("style", "always", always)?,
        None => false,
    };
    let mut numbers = Vec::new();
    for value in args.iter().skip(2) {
        let name = arguments::text("style", "styles", value)?;
        let Some(number) = style_number(name) else {
            let known = STYLES.iter().map(|(name, _)| *name);
            let known = known.chain(COLORS.iter().copied());
            let rule = match crate::diag::suggest(name, known) {
                Some(meant) => format!("must be names of styles, such as \"{meant}\""),
                None => "must be names of styles, such as \"bold\" or \"red\"".to_string(),
            };
            return Err(arguments::refuse("style", "styles", &rule, value));
        };
        numbers.push(number.to_string());
    }
    if numbers.is_empty() || !(always || wants_color(1)) {
        return text::checked(context.heap(), shown);
    }
    let styled = format!("\x1b[{}m{shown}\x1b[0m", numbers.join(";"));
    text::checked(context.heap(), styled)
}

/// The cells of a table, with whether each is a number.
type Cells = Vec<Vec<(String, bool)>>;

fn cell(value: Value) -> (String, bool) {
    let number = matches!(value, Value::Int(_) | Value::Float(_));
    let shown = match value {
        Value::Nil => String::new(),
        value => show::display(value),
    };
    // A cell is one line.
    (shown.replace('\n', " "), number)
}

/// The rows as cells; the header is all keys of maps, in the order in which they come, when none is given.
fn cells(
    context: &mut dyn Context,
    rows: Value,
    header: &mut Option<Vec<Value>>,
) -> Outcome<Cells> {
    let mut all = Cells::new();
    let chosen = header.is_some();
    gather::each(context, rows, |context, row| {
        let values = match row {
            Value::Map(map) => {
                let names = header.get_or_insert_default();
                for (key, _) in map.table().iter().filter(|_| !chosen) {
                    if !names.iter().any(|&name| compare::equals(name, key)) {
                        // The row that it is a key of may be gone when the next one comes.
                        context.protect(key);
                        names.push(key);
                    }
                }
                let names = header.iter().flatten();
                names
                    .map(|name| map.table().get(name).unwrap_or(Value::Nil))
                    .collect()
            }
            row => arguments::list("table", "rows", &row)?.items().to_values(),
        };
        all.push(values.into_iter().map(cell).collect());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

fn table(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let list = |param: &str, value: &Value| match arguments::given(value) {
        Some(value) => arguments::list("table", param, value).map(|l| Some(l.items().to_values())),
        None => Ok(None),
    };
    let mut header = list("header", &args[1])?;
    let aligns = list("align", &args[2])?.unwrap_or_default();
    let aligns = aligns.iter().map(|value| align("table", value));
    let aligns = aligns.collect::<Outcome<Vec<Align>>>()?;
    let gap = match arguments::given(&args[3]) {
        Some(gap) => arguments::size("table", "gap", gap)?,
        None => 2,
    };
    operate::within("table", gap, 1000)?;
    let rows = cells(context, args[0], &mut header)?;
    let header: Option<Vec<(String, bool)>> =
        header.map(|header| header.into_iter().map(cell).collect());
    let all = || header.iter().chain(&rows);
    let count = all().map(Vec::len).max().unwrap_or(0);
    let column = |at: usize| all().filter_map(move |row| row.get(at));
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            let widths = column(at).map(|(text, _)| columns_of(text));
            widths.max().unwrap_or(0)
        })
        .collect();
    let of = |at: usize| {
        let mut numbers = rows.iter().filter_map(|row| row.get(at));
        let chosen = aligns.get(at).copied();
        chosen.unwrap_or_else(
            || match numbers.all(|(_, number)| *number) && !rows.is_empty() {
                true => Align::Right,
                false => Align::Left,
            },
        )
    };
    let line = |row: &Vec<(String, bool)>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(at, ((text, _), width))| padded(text, *width, of(at)))
            .collect();
        cells.join(&" ".repeat(gap)).trim_end().to_string()
    };
    let mut lines: Vec<String> = Vec::new();
    if let Some(header) = &header {
        lines.push(line(header));
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        lines.push(rule.join(&" ".repeat(gap)));
    }
    lines.extend(rows.iter().map(line));
    let size: usize = lines.iter().map(|line| line.len() + 1).sum();
    operate::within("table", size, MAX_STRING)?;
    text::checked(context.heap(), lines.join("\n"))
}

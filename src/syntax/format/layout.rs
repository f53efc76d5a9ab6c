//! The lines of a formatted text.
//!
//! A group of brackets stands in one line when nothing in the text says otherwise. It is *broken* into lines when the text has a newline
//! directly in it, or a comment, or when its line is too long and [`breaks`] chose it.

use super::breaks::{self, Marks, Part, Tier, What};
use super::spacing;
use super::tree::{Group, Kind, Leaf, Node};
use crate::limits::MAX_LINE_WIDTH;
use crate::syntax::token::Token;

/// Columns of one level.
const INDENT: usize = 2;
/// Code that reaches beyond this column does not move the comments of its neighbours.
const LAST_COMMENT_COLUMN: usize = 72;

/// A line of the result.
#[derive(Default)]
pub struct Line {
    indent: usize,
    code: String,
    /// How much of the code was counted, in bytes and in characters: a line may be as long as a table of data.
    counted: (usize, usize),
    comment: Option<String>,
    /// An empty line stands before it.
    apart: bool,
    /// Where it could be broken.
    parts: Vec<Part>,
}

impl Line {
    fn width(&self) -> usize {
        // What counts of a string of several lines is its beginning.
        let first = self.code.lines().next().unwrap_or_default();
        self.indent + first.chars().count()
    }
}

/// The text of a tree.
pub fn text(nodes: &[Node]) -> String {
    let mut marks = Marks::default();
    loop {
        let mut writer = Writer {
            lines: Vec::new(),
            marks: &marks,
            before: None,
            last: None,
            depth: 0,
        };
        writer.block(nodes, 0);
        let lines = writer.lines;
        let mut more = Marks::default();
        for line in lines.iter().filter(|line| line.width() > MAX_LINE_WIDTH) {
            breaks::choose(&line.parts, line.indent, &mut more);
        }
        // Each round breaks something that was whole, so there is a last one.
        if !marks.add(more) {
            return joined(lines);
        }
    }
}

/// The lines with their comments, those of neighbours below one another.
fn joined(lines: Vec<Line>) -> String {
    let mut out = String::new();
    let mut column = 0;
    for (at, line) in lines.iter().enumerate() {
        let trailing = |line: &Line| line.comment.is_some() && !line.code.is_empty();
        // Whether a line's comment stands below that of the line before it.
        let belongs = |line: &Line, above: &Line| {
            trailing(line) && trailing(above) && !line.apart && line.indent == above.indent
        };
        if trailing(line) && !(at > 0 && belongs(line, &lines[at - 1])) {
            let pairs = lines[at..].windows(2);
            let run = pairs.take_while(|pair| belongs(&pair[1], &pair[0])).count();
            let widths = lines[at..=at + run].iter().map(last_width);
            let widths = widths.filter(|width| *width <= LAST_COMMENT_COLUMN);
            column = widths.max().unwrap_or(0) + 2;
        }
        if line.apart && !out.is_empty() {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', line.indent));
        out.push_str(&line.code);
        if let Some(comment) = &line.comment {
            if !line.code.is_empty() {
                let gap = column.saturating_sub(last_width(line)).max(2);
                out.extend(std::iter::repeat_n(' ', gap));
            }
            out.push_str(comment);
        }
        out.push('\n');
    }
    out
}

/// The column behind the code of a line.
fn last_width(line: &Line) -> usize {
    match line.code.rsplit_once('\n') {
        Some((_, last)) => last.chars().count(),
        None => line.indent + line.code.chars().count(),
    }
}

struct Writer<'a> {
    lines: Vec<Line>,
    marks: &'a Marks,
    /// The two tokens that were written last.
    before: Option<&'a Leaf>,
    last: Option<&'a Leaf>,
    depth: usize,
}

impl<'a> Writer<'a> {
    fn new_line(&mut self, indent: usize, apart: bool) {
        self.lines.push(Line {
            indent,
            apart: apart && !self.lines.is_empty(),
            ..Line::default()
        });
    }

    /// The line that is being written.
    fn line(&mut self) -> &mut Line {
        if self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    /// Nothing can stand behind a comment.
    fn is_full(&self) -> bool {
        self.lines.last().is_some_and(|line| line.comment.is_some())
    }

    fn column(&mut self) -> usize {
        let line = self.line();
        let (bytes, chars) = line.counted;
        let news = line.code.get(bytes..).unwrap_or_default().chars().count();
        line.counted = (line.code.len(), chars + news);
        line.counted.1
    }

    /// Appends a token, with a blank before it where one belongs.
    fn leaf(&mut self, leaf: &'a Leaf) {
        let blank = match self.last {
            Some(last) => spacing::blank(self.before, last, leaf),
            None => false,
        };
        let line = self.line();
        if blank && !line.code.is_empty() {
            line.code.push(' ');
        }
        line.code.push_str(&leaf.text);
        self.before = self.last;
        self.last = Some(leaf);
    }

    /// A comment: behind the code of its line, or on a line of its own.
    fn comment(&mut self, leaf: &'a Leaf, indent: usize, first: bool) {
        let behind = leaf.newlines == 0 && !self.lines.is_empty() && !self.is_full();
        if !behind {
            self.new_line(indent, leaf.newlines > 1 && !first);
        }
        self.line().comment = Some(leaf.text.clone());
    }

    /// The statements of a block (or of the text).
    fn block(&mut self, nodes: &'a [Node], indent: usize) {
        let mut known = 0;
        // Whether the statement is a list of fields, each of which may have its line.
        let mut is_list = false;
        let mut follows_comma = false;
        for (at, node) in nodes.iter().enumerate() {
            let first = node.first();
            let is_field = is_list && follows_comma;
            if first.is_comment() {
                // One inside of a statement stands where its next part will.
                let next = following(nodes, at, &mut known).filter(|next| at > 0 && !next.starts);
                let next = next.filter(|_| !is_field);
                self.comment(first, indent + next.map_or(0, further), at == 0);
                continue;
            }
            if first.starts || at == 0 {
                is_list = matches!(first.token, Token::Name(_));
                self.new_line(indent, first.newlines > 1 && at > 0);
                (self.before, self.last) = (None, None);
            } else if self.breaks_before(first, at.checked_sub(1).and_then(|at| nodes.get(at))) {
                let further = if is_field { 0 } else { further(first) };
                self.new_line(indent + further, false);
            }
            follows_comma = first.token == Token::Comma;
            self.node(nodes, at, indent);
        }
    }

    /// Whether a token that does not begin a statement stands on a new line.
    fn breaks_before(&self, leaf: &Leaf, previous: Option<&Node>) -> bool {
        let joins = matches!(leaf.token, Token::Else | Token::Catch | Token::Finally)
            && matches!(previous, Some(Node::Group(group)) if group.kind == Kind::Block);
        self.is_full() || self.marks.before.contains(&leaf.id) || (leaf.newlines > 0 && !joins)
    }

    /// Writes a part at the end of the current line. `indent` is that of the statement that it belongs to.
    fn node(&mut self, nodes: &'a [Node], at: usize, indent: usize) {
        match &nodes[at] {
            Node::Leaf(leaf) => {
                let start = self.column();
                self.leaf(leaf);
                self.note(nodes, at, start);
            }
            Node::Group(group) => self.group(group, indent),
        }
    }

    /// Notes a token at which the line could be broken.
    fn note(&mut self, nodes: &[Node], at: usize, start: usize) {
        let Node::Leaf(leaf) = &nodes[at] else { return };
        let next = nodes.get(at + 1).map(Node::first);
        let call = nodes.get(at + 2).map(Node::first);
        let (what, id) = match (&leaf.token, next, call) {
            (Token::Dot, Some(_), Some(call)) if call.token == Token::ParenOpen && at > 0 => {
                (What::Dot, leaf.id)
            }
            (token, Some(next), _) if !spacing::is_prefix(self.before, leaf) => {
                match Tier::of(token) {
                    // Where the text has its newline already, there is nothing to break.
                    Some(tier) if next.newlines == 0 => (What::Operator(tier), next.id),
                    _ => return,
                }
            }
            _ => return,
        };
        // A place that is broken already is none.
        if self.marks.before.contains(&id) {
            return;
        }
        let part = self.part(what, id, start, start + 1);
        self.line().parts.push(part);
    }

    /// A part of this line, as deep in brackets as what is written now.
    fn part(&self, what: What, id: usize, start: usize, end: usize) -> Part {
        Part {
            what,
            id,
            depth: self.depth,
            start,
            end,
        }
    }

    fn group(&mut self, group: &'a Group, indent: usize) {
        if is_whole(group, self.marks) {
            return self.whole(group);
        }
        let own = self.line().indent;
        if group.kind == Kind::Block {
            self.leaf(&group.open);
            self.deeper(|w| w.block(&group.inner, indent + INDENT));
            self.new_line(indent, false);
            (self.before, self.last) = (None, None);
            return self.leaf(&group.close);
        }
        if !is_broken(group, self.marks) {
            self.leaf(&group.open);
            if let Some(what) = place(group) {
                // A line that is too long in spite of what is broken in it is broken here.
                let (id, depth) = (group.open.id, self.depth);
                let (start, end) = (self.column() - 1, breaks::OPEN);
                self.line().parts.push(Part {
                    what,
                    id,
                    depth,
                    start,
                    end,
                });
            }
            self.deeper(|w| {
                for at in 0..group.inner.len() {
                    w.node(&group.inner, at, own);
                }
            });
            return self.leaf(&group.close);
        }
        self.leaf(&group.open);
        self.deeper(|w| w.items(group, own + INDENT));
        self.new_line(own, false);
        self.leaf(&group.close);
    }

    fn deeper(&mut self, inner: impl FnOnce(&mut Self)) {
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    /// A group in one line.
    fn whole(&mut self, group: &'a Group) {
        self.leaf(&group.open);
        let start = self.column() - 1;
        let block = group.kind == Kind::Block;
        let line = self.lines.len();
        let at = self.line().parts.len();
        self.deeper(|w| {
            for (at, node) in group.inner.iter().enumerate() {
                if block {
                    w.line().code.push_str(match (at, node.first().starts) {
                        (0, _) => " ",
                        (_, true) if ends_by_word(node.first()) => " ",
                        (_, true) => "; ",
                        _ => "",
                    });
                    if at == 0 || node.first().starts {
                        (w.before, w.last) = (None, None);
                    }
                }
                w.node(&group.inner, at, 0);
            }
        });
        if block && !group.inner.is_empty() {
            self.line().code.push(' ');
        }
        self.leaf(&group.close);
        let end = self.column();
        // A string of several lines in it would have begun another line.
        if self.lines.len() != line {
            return;
        }
        let Some(what) = place(group) else { return };
        let part = self.part(what, group.open.id, start, end);
        self.line().parts.insert(at, part);
    }

    /// What stands in broken brackets that are no block.
    fn items(&mut self, group: &'a Group, indent: usize) {
        let marked = self.marks.groups.contains(&group.open.id);
        let mut previous: Option<&Node> = None;
        let mut known = 0;
        for (at, node) in group.inner.iter().enumerate() {
            let first = node.first();
            let after_comma = previous.is_none_or(|p| p.first().token == Token::Comma);
            if first.is_comment() {
                let next = following(&group.inner, at, &mut known).filter(|next| {
                    !after_comma && next.token != Token::Comma && !begins_clause(group, next)
                });
                self.comment(first, indent + next.map_or(0, |_| INDENT), at == 0);
                continue;
            }
            let clause = begins_clause(group, first);
            let breaks = previous.is_none()
                || self.breaks_before(first, previous)
                || (marked && (after_comma || clause));
            if breaks {
                let apart = after_comma && previous.is_some() && first.newlines > 1;
                let further = if after_comma || clause { 0 } else { INDENT };
                self.new_line(indent + further, apart);
            }
            self.node(&group.inner, at, indent);
            previous = Some(node);
        }
    }
}

/// The first token behind a comment that is no comment; `known` is where it was for the comment before.
fn following<'n>(nodes: &'n [Node], at: usize, known: &mut usize) -> Option<&'n Leaf> {
    *known = (*known).max(at + 1);
    let is_comment = |at: usize| nodes.get(at).is_some_and(|node| node.first().is_comment());
    while is_comment(*known) {
        *known += 1;
    }
    nodes.get(*known).map(Node::first)
}

/// How much further inside than its statement a line stands that goes on with it.
fn further(leaf: &Leaf) -> usize {
    match leaf.token {
        Token::Dot => INDENT,
        Token::Else | Token::Catch | Token::Finally => 0,
        _ => 2 * INDENT,
    }
}

/// Between cases stands nothing.
fn ends_by_word(leaf: &Leaf) -> bool {
    matches!(leaf.token, Token::Case | Token::Else | Token::After)
}

/// The `for` and the `if` of a comprehension.
fn begins_clause(group: &Group, leaf: &Leaf) -> bool {
    let first_clause = |leaf: &Leaf| {
        let mut before = group.inner.iter().map(Node::first);
        before.find(|l| l.id >= leaf.id || l.token == Token::For)
    };
    group.kind == Kind::Square
        && match leaf.token {
            Token::For => true,
            Token::If => first_clause(leaf).is_some_and(|l| l.token == Token::For),
            _ => false,
        }
}

/// What its brackets are as a place to break a line, if there is anything in them: statements, items or clauses, or one thing.
fn place(group: &Group) -> Option<What> {
    let has = |token: Token| group.inner.iter().any(|node| node.first().token == token);
    match group.kind {
        _ if group.inner.is_empty() => None,
        Kind::Block => Some(What::Block),
        _ if has(Token::Comma) || has(Token::For) => Some(What::Group),
        _ => Some(What::Single),
    }
}

/// Whether all of it stands in one line.
fn is_whole(group: &Group, marks: &Marks) -> bool {
    let inner = |node: &Node| match node {
        Node::Leaf(leaf) => {
            !leaf.is_comment() && leaf.newlines == 0 && !marks.before.contains(&leaf.id)
        }
        Node::Group(inner) => {
            inner.open.newlines == 0
                && !marks.before.contains(&inner.open.id)
                && is_whole(inner, marks)
        }
    };
    !marks.groups.contains(&group.open.id)
        && group.close.newlines == 0
        && group.inner.iter().all(inner)
}

/// Whether the brackets themselves stand on different lines, not only those of something in them.
fn is_broken(group: &Group, marks: &Marks) -> bool {
    let mut previous: Option<&Node> = None;
    let mut inner = false;
    for node in &group.inner {
        let first = node.first();
        let joins = matches!(first.token, Token::Else | Token::Catch | Token::Finally)
            && matches!(previous, Some(Node::Group(group)) if group.kind == Kind::Block);
        inner |= first.is_comment()
            || marks.before.contains(&first.id)
            || (first.newlines > 0 && !joins);
        previous = Some(node);
    }
    inner || marks.groups.contains(&group.open.id) || group.close.newlines > 0
}

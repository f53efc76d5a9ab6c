//! A text as tokens in their brackets, with its comments and newlines.

use super::{brackets, filter, lexer};
use crate::source::Source;
use crate::syntax::token::Token;

/// What a pair of brackets holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `( )`.
    Paren,
    /// `[ ]`.
    Square,
    /// `{ }` of a map or of a map pattern.
    Map,
    /// `{ }` of statements, fields or cases.
    Block,
}

/// A token, a string or a comment.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// What it is; a string with interpolations is its opening token.
    pub token: Token,
    pub text: String,
    /// How many newlines stand between it and what is before it.
    pub newlines: usize,
    /// It begins a statement (or is the first after another has ended).
    pub starts: bool,
    /// Its number in the text.
    pub id: usize,
}

/// A part of a text.
#[derive(Debug, Clone)]
pub enum Node {
    Leaf(Leaf),
    Group(Group),
}

/// Brackets with what is in them.
#[derive(Debug, Clone)]
pub struct Group {
    pub kind: Kind,
    pub open: Leaf,
    pub inner: Vec<Node>,
    pub close: Leaf,
}

impl Node {
    /// Its first token.
    pub fn first(&self) -> &Leaf {
        match self {
            Node::Leaf(leaf) => leaf,
            Node::Group(group) => &group.open,
        }
    }
}

impl Leaf {
    /// Whether it is a comment.
    pub fn is_comment(&self) -> bool {
        matches!(self.token, Token::Comment | Token::DocComment)
    }
}

/// Reads a text that parses.
pub fn read(source: &Source) -> Vec<Node> {
    let leaves = leaves(source);
    let mut at = 0;
    let (nodes, _) = group(&leaves, &mut at);
    nodes
}

/// The tokens and comments in their order; strings are one each.
fn leaves(source: &Source) -> Vec<Leaf> {
    let raw = lexer::lex(source);
    let comments = raw
        .iter()
        .filter(|(_, token, _)| matches!(token, Token::Comment | Token::DocComment))
        .cloned();
    let checked = brackets::check(source, raw.clone());
    let mut all = filter::filter(&source.text, &checked.tokens);
    all.extend(comments);
    // An end that is a newline stands before what follows at the same place, if anything does.
    all.sort_by_key(|(start, token, end)| (*start, *end, *token != Token::End));
    let mut leaves: Vec<Leaf> = Vec::new();
    let (mut ended, mut before, mut index) = (true, 0, 0);
    while let Some((start, token, end)) = all.get(index) {
        let (start, mut end) = (*start as usize, *end as usize);
        index += 1;
        if *token == Token::End {
            ended = true;
            continue;
        }
        if matches!(token, Token::StrStart | Token::CommandStart) {
            (index, end) = string_end(&all, index);
        }
        let slice = |from: usize, to: usize| source.text.get(from..to).unwrap_or_default();
        let text = match token {
            Token::PoolMap | Token::PoolCall => "pool map",
            _ => slice(start, end),
        };
        let comment = matches!(token, Token::Comment | Token::DocComment);
        leaves.push(Leaf {
            token: token.clone(),
            text: if comment { text.trim_end() } else { text }.to_string(),
            newlines: slice(before, start).matches('\n').count(),
            starts: ended && !comment,
            id: leaves.len(),
        });
        ended = (ended && comment) || *token == Token::BraceOpen;
        before = end;
    }
    leaves
}

/// Where a string that was opened before `index` ends: the index behind its last token, and its place.
fn string_end(all: &[crate::syntax::token::Spanned], mut index: usize) -> (usize, usize) {
    let mut open = 1;
    let mut place = 0;
    while let Some((_, token, end)) = all.get(index) {
        index += 1;
        place = *end as usize;
        match token {
            Token::StrStart | Token::CommandStart => open += 1,
            Token::StrEnd => open -= 1,
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    (index, place)
}

/// Reads up to the bracket that closes, which comes back too.
fn group(leaves: &[Leaf], at: &mut usize) -> (Vec<Node>, Option<Leaf>) {
    let mut nodes = Vec::new();
    while let Some(leaf) = leaves.get(*at) {
        *at += 1;
        let kind = match leaf.token {
            Token::ParenOpen => Kind::Paren,
            Token::SquareOpen => Kind::Square,
            Token::MapOpen => Kind::Map,
            Token::BraceOpen => Kind::Block,
            Token::ParenClose | Token::SquareClose | Token::BraceClose => {
                return (nodes, Some(leaf.clone()));
            }
            _ => {
                nodes.push(Node::Leaf(leaf.clone()));
                continue;
            }
        };
        let (inner, close) = group(leaves, at);
        // Of a text that parses every bracket is closed.
        let Some(close) = close else { continue };
        let mut group = Group {
            kind,
            open: leaf.clone(),
            inner,
            close,
        };
        if kind == Kind::Block {
            mark_cases(&mut group.inner);
        }
        nodes.push(Node::Group(group));
    }
    (nodes, None)
}

/// Nothing ends a case but the next one: in a block of cases, their words begin the statements.
fn mark_cases(inner: &mut [Node]) {
    let mut words = inner
        .iter()
        .map(Node::first)
        .filter(|leaf| !leaf.is_comment());
    let first = words.next();
    if !first.is_some_and(|leaf| matches!(leaf.token, Token::Case | Token::Else | Token::After)) {
        return;
    }
    for node in inner {
        if let Node::Leaf(leaf) = node {
            leaf.starts = matches!(leaf.token, Token::Case | Token::Else | Token::After);
        }
    }
}

/// All texts in their order.
pub fn texts(nodes: &[Node], into: &mut Vec<String>) {
    for node in nodes {
        match node {
            Node::Leaf(leaf) => into.push(leaf.text.clone()),
            Node::Group(group) => {
                into.push(group.open.text.clone());
                texts(&group.inner, into);
                into.push(group.close.text.clone());
            }
        }
    }
}

//! Parsing, and when it fails, finding all the places where it does.
//!
//! The parser stops at its first mistake. Then each statement is parsed by itself; and of one that fails, its head
//! (with the blocks emptied) and each statement of its blocks, so that five mistakes in one file are five reports.

use super::actions::Builder;
use super::ast::Stmt;
use super::explain::{self, Context};
use super::grammar::ModuleParser;
use super::token::{Spanned, Token};
use crate::diag::{Error, codes};
use crate::source::Source;
use lalrpop_util::ParseError;
use std::ops::Range;

/// More reports than this in one file help nobody.
const MAX_REPORTS: usize = 20;

/// Parses tokens with a builder.
///
/// The error tells the index of the token that could not stand where it stands, and what could.
pub fn parse(builder: &mut Builder, tokens: &[Spanned]) -> Result<Vec<Stmt>, (usize, Vec<String>)> {
    let result = ModuleParser::new().parse(builder, tokens.iter().cloned());
    builder.refuse_minimum();
    result.map_err(|error| match error {
        ParseError::UnrecognizedToken { token, expected } => {
            // Empty tokens share their place with the next one, hence the comparison of both ends.
            let same = |t: &Spanned| t.0 == token.0 && t.2 == token.2;
            let at = tokens.iter().position(same).unwrap_or(tokens.len());
            (at, expected)
        }
        ParseError::UnrecognizedEof { expected, .. } => (tokens.len(), expected),
        ParseError::ExtraToken { .. } | ParseError::InvalidToken { .. } => {
            (tokens.len(), Vec::new())
        }
        ParseError::User { error } => match error {},
    })
}

/// All reports about tokens that do not parse. `marks` are the places that the bracket pass has reported or mended: a
/// statement around one is not reported again. `open` is the report about the bracket that is open at the end.
pub fn reports(
    source: &Source,
    tokens: &[Spanned],
    marks: &[u32],
    open: Option<Box<Error>>,
) -> Vec<Error> {
    let mut search = Search {
        source,
        tokens,
        marks,
        open,
        told: None,
        partner: partners(tokens),
        found: Vec::new(),
    };
    search.statements(0..tokens.len());
    let Search {
        mut found, open, ..
    } = search;
    if let Some(open) = open {
        // What is missing at the end is missing because of the bracket.
        found.retain(|error| !error.incomplete || error.code == codes::UNCLOSED);
        found.push(*open);
    }
    found.truncate(MAX_REPORTS);
    found
}

struct Search<'a> {
    source: &'a Source,
    tokens: &'a [Spanned],
    marks: &'a [u32],
    /// The report about the bracket that is open at the end, while it has not been told.
    open: Option<Box<Error>>,
    /// Where the last report points: it may be the statement behind the one that fails.
    told: Option<u32>,
    /// For each opening bracket, the index of the closing one (the number of tokens when there is none).
    partner: Vec<usize>,
    found: Vec<Error>,
}

impl Search<'_> {
    /// Looks at each statement of a block or of the file.
    fn statements(&mut self, range: Range<usize>) {
        let mut start = range.start;
        let mut index = range.start;
        while index < range.end {
            if self.tokens[index].1 == Token::End {
                self.statement(start..index + 1);
                start = index + 1;
            }
            index = match self.tokens[index].1.opens() {
                true => self.partner[index].min(range.end),
                false => index + 1,
            };
        }
        if start < range.end {
            self.statement(start..range.end);
        }
    }

    fn statement(&mut self, range: Range<usize>) {
        let told = self
            .told
            .is_some_and(|told| told == self.tokens[range.start].0);
        if told || self.found.len() >= MAX_REPORTS {
            return;
        }
        let tokens = &self.tokens[range.clone()];
        let mut builder = Builder::new(self.source);
        if parse(&mut builder, tokens).is_ok() {
            return self.found.extend(builder.errors);
        }
        let blocks = self.blocks(range.clone());
        self.head(range, &blocks);
        for block in blocks {
            self.statements(block);
        }
    }

    /// Reports what is wrong with a statement whose blocks are empty.
    fn head(&mut self, range: Range<usize>, blocks: &[Range<usize>]) {
        let mut tokens = Vec::new();
        let mut from = range.start;
        for block in blocks {
            tokens.extend_from_slice(&self.tokens[from..block.start]);
            from = block.end;
        }
        tokens.extend_from_slice(&self.tokens[from..range.end]);
        let marked = tokens.iter().any(|token| self.marks.contains(&token.0));
        let mut builder = Builder::new(self.source);
        match parse(&mut builder, &tokens) {
            Ok(_) => self.found.extend(builder.errors),
            // What is no token is wrong whatever the brackets around it are.
            Err(_) if marked => {
                self.found
                    .extend(tokens.iter().filter_map(|token| match &token.1 {
                        Token::Bad(report) => Some((**report).clone()),
                        _ => None,
                    }))
            }
            Err((at, expected)) => {
                let behind = range.end..(range.end + 2).min(self.tokens.len());
                tokens.extend_from_slice(&self.tokens[behind]);
                let context = Context {
                    source: self.source,
                    tokens: &tokens,
                    at,
                    is_last: range.end == self.tokens.len(),
                    expected: expected.iter().map(|e| e.trim_matches('"')).collect(),
                };
                let report = self.explain(&context);
                self.told = report.span.map(|span| span.start);
                self.found.push(*report);
            }
        }
    }

    /// Where a closing bracket was due and is never to come, the bracket that lacks it is the mistake.
    fn explain(&mut self, context: &Context) -> Box<Error> {
        let report = explain::unexpected(context);
        let bracket = context.open_bracket().map(|index| context.span(index));
        let due = context.expects(")") || context.expects("]") || context.expects("}");
        let is_culprit = |open: &Error| due && open.span == bracket;
        if report.incomplete
            || report.code != codes::UNEXPECTED
            || !self.open.as_deref().is_some_and(is_culprit)
        {
            return report;
        }
        match (self.open.take(), report.span) {
            (Some(mut open), Some(place)) => {
                open.incomplete = false;
                open.with_other(place, "it was due before this")
            }
            _ => report,
        }
    }

    /// The insides of the outermost blocks of statements in a range. Structs and the cases of `match` and `select` hold
    /// something else, so they stay with the head and only the blocks inside them count.
    fn blocks(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut blocks = Vec::new();
        let mut index = range.start;
        while index < range.end {
            let end = self.partner[index].min(range.end);
            if self.tokens[index].1 == Token::BraceOpen
                && end > index + 1
                && self.holds_statements(index)
            {
                blocks.push(index + 1..end);
                index = end;
            } else {
                index += 1;
            }
        }
        blocks
    }

    fn holds_statements(&self, open: usize) -> bool {
        let token = |index: Option<usize>| index.and_then(|i| self.tokens.get(i)).map(|t| &t.1);
        let cases = matches!(
            token(Some(open + 1)),
            Some(Token::Case | Token::After | Token::Else)
        );
        let is_struct = matches!(token(open.checked_sub(2)), Some(Token::Struct(_)));
        // The brace of `match e {` whose first case is not one: the head's parse is to say so.
        let is_match = (open.saturating_sub(8)..open).any(|i| {
            matches!(self.tokens[i].1, Token::Match | Token::Select)
                && !self.tokens[i..open].iter().any(|t| t.1 == Token::BraceOpen)
        });
        !cases && !is_struct && !is_match
    }
}

fn partners(tokens: &[Spanned]) -> Vec<usize> {
    let mut partner = vec![tokens.len(); tokens.len()];
    let mut open = Vec::new();
    for (index, (_, token, _)) in tokens.iter().enumerate() {
        if token.opens() {
            open.push(index);
        } else if token.closes()
            && let Some(start) = open.pop()
        {
            partner[start] = index;
        }
    }
    partner
}

//! The expressions.

use super::Builder;
use crate::syntax::ast::*;
use crate::syntax::literal;
use crate::syntax::token::Doc;
use crate::syntax::words;
use std::rc::Rc;

impl Builder<'_> {
    pub(super) fn expr(&mut self, kind: ExprKind, start: u32, end: u32) -> Expr {
        let span = self.span(start, end);
        Expr { kind, span }
    }

    // ------------------------------------------------------------ literals

    /// `nil`.
    pub fn nil(&mut self, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Nil, start, end)
    }

    /// `true`, `false`.
    pub fn bool(&mut self, value: bool, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Bool(value), start, end)
    }

    /// A whole number. 2^63 is remembered: it is right behind a minus only.
    pub fn int(&mut self, value: u64, start: u32, end: u32) -> Expr {
        self.refuse_minimum();
        if let Ok(value) = i64::try_from(value) {
            return self.expr(ExprKind::Int(value), start, end);
        }
        self.minimum = Some(self.span(start, end));
        self.expr(ExprKind::Int(i64::MIN), start, end)
    }

    /// Reports a 2^63 that no minus has taken.
    pub fn refuse_minimum(&mut self) {
        if let Some(span) = self.minimum.take() {
            let text = self.source.slice(span).to_string();
            self.error(literal::too_large(&text).with_span(span));
        }
    }

    /// A float.
    pub fn float(&mut self, value: f64, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Float(value), start, end)
    }

    /// A string without interpolation.
    pub fn str(&mut self, value: Rc<str>, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Str(value), start, end)
    }

    /// Bytes.
    pub fn bytes(&mut self, value: Rc<[u8]>, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Bytes(value), start, end)
    }

    /// Text between interpolations, when there is any.
    pub fn text(&mut self, text: Rc<str>) -> Option<Piece> {
        match text.is_empty() {
            true => None,
            false => Some(Piece::Text(text)),
        }
    }

    /// A string with interpolations.
    pub fn interpolation(&mut self, pieces: Vec<Option<Piece>>, start: u32, end: u32) -> Expr {
        let pieces = pieces.into_iter().flatten().collect();
        self.expr(ExprKind::Interpolation(pieces), start, end)
    }

    /// A command in backticks.
    pub fn command(&mut self, pieces: Vec<Option<Piece>>, start: u32, end: u32) -> Expr {
        let pieces = pieces.into_iter().flatten().collect();
        let words = words::split(pieces).unwrap_or_else(|error| {
            let span = self.span(start, end);
            self.error(error.with_span(span));
            Vec::new()
        });
        self.expr(ExprKind::Command(words), start, end)
    }

    // ------------------------------------------------------------ operators

    /// A name as a value.
    pub fn name(&mut self, name: Ident) -> Expr {
        let span = name.span;
        let kind = ExprKind::Name(name);
        Expr { kind, span }
    }

    /// An operator of one operand; the minus of a number is part of the number.
    pub fn unary(&mut self, op: UnaryOp, operand: Expr, start: u32) -> Expr {
        let end = operand.span.end;
        if op == UnaryOp::Neg {
            match operand.kind {
                ExprKind::Int(i64::MIN) if self.minimum == Some(operand.span) => {
                    self.minimum = None;
                    return self.expr(ExprKind::Int(i64::MIN), start, end);
                }
                ExprKind::Int(value) if value >= 0 => {
                    return self.expr(ExprKind::Int(-value), start, end);
                }
                ExprKind::Float(value) if value.is_sign_positive() => {
                    return self.expr(ExprKind::Float(-value), start, end);
                }
                _ => {}
            }
        }
        let operand = Box::new(operand);
        self.expr(ExprKind::Unary { op, operand }, start, end)
    }

    /// `left op right`.
    pub fn binary(&mut self, left: Expr, op: BinaryOp, start: u32, end: u32, right: Expr) -> Expr {
        let span = left.span.to(right.span);
        let kind = ExprKind::Binary {
            op,
            op_span: self.span(start, end),
            left: Box::new(left),
            right: Box::new(right),
        };
        Expr { kind, span }
    }

    /// `and`, `or`, `??`.
    pub fn logic(&mut self, op: LogicOp, left: Expr, right: Expr) -> Expr {
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = ExprKind::Logic { op, left, right };
        Expr { kind, span }
    }

    /// `body rescue fallback`.
    pub fn rescue(&mut self, body: Expr, fallback: Expr) -> Expr {
        let span = body.span.to(fallback.span);
        let (body, fallback) = (Box::new(body), Box::new(fallback));
        let kind = ExprKind::Rescue { body, fallback };
        Expr { kind, span }
    }

    /// A range; one of the ends is there.
    pub fn range(&mut self, start: Option<Expr>, end: Option<Expr>, inclusive: bool) -> Expr {
        let place = match (&start, &end) {
            (Some(a), Some(z)) => a.span.to(z.span),
            (Some(only), None) | (None, Some(only)) => only.span,
            (None, None) => self.span(0, 0),
        };
        let kind = ExprKind::Range {
            start: start.map(Box::new),
            end: end.map(Box::new),
            inclusive,
        };
        Expr { kind, span: place }
    }

    /// `start..`.
    pub fn range_from(&mut self, start: Expr, end: u32) -> Expr {
        let from = start.span.start;
        let mut range = self.range(Some(start), None, false);
        range.span = self.span(from, end);
        range
    }

    /// `..end`, `..=end`.
    pub fn range_to(&mut self, end: Expr, inclusive: bool, start: u32) -> Expr {
        let to = end.span.end;
        let mut range = self.range(None, Some(end), inclusive);
        range.span = self.span(start, to);
        range
    }

    /// `..`.
    pub fn range_all(&mut self, start: u32, end: u32) -> Expr {
        let mut range = self.range(None, None, false);
        range.span = self.span(start, end);
        range
    }

    /// `join(options) target`.
    pub fn join(&mut self, options: Option<Vec<Arg>>, target: Expr, start: u32) -> Expr {
        let end = target.span.end;
        let kind = ExprKind::Join {
            options: options.unwrap_or_default(),
            target: Box::new(target),
        };
        self.expr(kind, start, end)
    }

    /// `object.name`.
    pub fn field(&mut self, object: Expr, name: Ident) -> Expr {
        let span = object.span.to(name.span);
        let object = Box::new(object);
        let kind = ExprKind::Field { object, name };
        Expr { kind, span }
    }

    /// `object[index]`.
    pub fn index(&mut self, object: Expr, index: Expr, end: u32) -> Expr {
        let start = object.span.start;
        let (object, index) = (Box::new(object), Box::new(index));
        self.expr(ExprKind::Index { object, index }, start, end)
    }

    /// `callee(args)`, a method call when the callee is a field.
    pub fn call(&mut self, callee: Expr, args: Vec<Arg>, end: u32) -> Expr {
        let start = callee.span.start;
        let kind = match callee.kind {
            ExprKind::Field { object, name } => ExprKind::Method {
                receiver: object,
                name,
                args,
            },
            _ => ExprKind::Call {
                callee: Box::new(callee),
                args,
            },
        };
        self.expr(kind, start, end)
    }

    // ------------------------------------------------------------ brackets

    /// `(inner)`.
    pub fn paren(&mut self, inner: Expr, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Paren(Box::new(inner)), start, end)
    }

    /// `[a, b]`.
    pub fn list(&mut self, items: Vec<Element>, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::List(items), start, end)
    }

    /// `[element for patterns in iterable if condition]`.
    pub fn comprehension(
        &mut self,
        element: Expr,
        patterns: Vec<Pattern>,
        iterable: Expr,
        condition: Option<Expr>,
        start: u32,
        end: u32,
    ) -> Expr {
        self.check_for_patterns(&patterns);
        let comprehension = Comprehension {
            element,
            patterns,
            iterable,
            condition,
        };
        self.expr(ExprKind::Comprehension(Box::new(comprehension)), start, end)
    }

    /// `{key: value}`.
    pub fn map(&mut self, entries: Vec<MapEntry>, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Map(entries), start, end)
    }

    /// `name: value` in a map: the name is the key.
    pub fn named_entry(&mut self, name: Ident, value: Expr) -> MapEntry {
        let span = name.span;
        let kind = ExprKind::Str(name.name);
        MapEntry::Pair(Expr { kind, span }, value)
    }

    /// `fn(...) { ... }`.
    pub fn lambda(
        &mut self,
        doc: Doc,
        params: Vec<Param>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        let span = self.span(start, end);
        let function = self.function(FnKind::Lambda, None, (params, body), doc, span);
        self.expr(ExprKind::Fn(function), start, end)
    }

    /// `fn(...) => body`.
    pub fn lambda_expr(
        &mut self,
        doc: Doc,
        params: Vec<Param>,
        body: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        let body = self.block_of(body);
        self.lambda(doc, params, body, start, end)
    }
}

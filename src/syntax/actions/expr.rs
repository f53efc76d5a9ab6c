//! The expressions.

use super::Builder;
use crate::diag::{Error, codes};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::literal;
use crate::syntax::token::Doc;
use std::rc::Rc;

impl Builder<'_> {
    fn expr(&mut self, kind: ExprKind, start: u32, end: u32) -> Expr {
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
        self.expr(ExprKind::Command(pieces), start, end)
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

    // ------------------------------------------------------------ constructs

    /// `if condition { } else { }`.
    pub fn if_(
        &mut self,
        condition: Expr,
        then: Block,
        otherwise: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::If {
            condition: Box::new(condition),
            then,
            otherwise,
        };
        self.expr(kind, start, end)
    }

    /// `if condition { } else if ...`.
    pub fn else_if(
        &mut self,
        condition: Expr,
        then: Block,
        otherwise: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        let otherwise = self.block_of(otherwise);
        self.if_(condition, then, Some(otherwise), start, end)
    }

    /// `match subject { case ... }`.
    pub fn match_(
        &mut self,
        subject: Expr,
        cases: Vec<MatchCase>,
        otherwise: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::Match {
            subject: Box::new(subject),
            cases,
            otherwise,
        };
        self.expr(kind, start, end)
    }

    /// `case pattern if guard { }`.
    pub fn case(&mut self, pattern: Pattern, guard: Option<Expr>, body: Block) -> MatchCase {
        MatchCase {
            pattern,
            guard,
            body,
        }
    }

    /// `try { } catch ... finally { }`.
    pub fn try_(
        &mut self,
        body: Block,
        catches: Vec<Catch>,
        finally: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::Try {
            body,
            catches,
            finally,
        };
        self.expr(kind, start, end)
    }

    /// `try { } finally { }`.
    pub fn try_finally(&mut self, body: Block, finally: Block, start: u32, end: u32) -> Expr {
        self.try_(body, Vec::new(), Some(finally), start, end)
    }

    /// `catch name: Kind { }`.
    pub fn catch(&mut self, name: Option<Ident>, kinds: Vec<Ident>, body: Block) -> Catch {
        Catch { name, kinds, body }
    }

    /// `do { }`.
    pub fn do_(&mut self, body: Block, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Do(body), start, end)
    }

    /// `with e as name { }`.
    pub fn with(
        &mut self,
        items: Vec<(Expr, Option<Ident>)>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        self.expr(ExprKind::With { items, body }, start, end)
    }

    // ------------------------------------------------------------ processes

    /// `spawn(options) f(args)`: the path must end in a call.
    pub fn spawn_call(
        &mut self,
        options: Option<Vec<Arg>>,
        path: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        let span = path.span;
        let (callee, args) = match path.kind {
            ExprKind::Call { callee, args } => (callee, args),
            ExprKind::Method {
                receiver,
                name,
                args,
            } => {
                let span = receiver.span.to(name.span);
                let kind = ExprKind::Field {
                    object: receiver,
                    name,
                };
                (Box::new(Expr { kind, span }), args)
            }
            kind => {
                self.spawned_without_call(span);
                (Box::new(Expr { kind, span }), Vec::new())
            }
        };
        if has_call(&callee) {
            let error = Error::new(
                codes::UNEXPECTED,
                "expected a name and one argument list after `spawn`, found a call of a call",
            );
            let error = error
                .with_span(callee.span)
                .with_label("this call would run here");
            self.error(
                error.with_help("give its result a name first, or spawn a block: spawn { ... }"),
            );
        }
        let what = SpawnWhat::Call { callee, args };
        self.spawn(options, what, start, end)
    }

    fn spawned_without_call(&mut self, span: Span) {
        let text = self.source.slice(span).to_string();
        let error = Error::new(
            codes::UNEXPECTED,
            format!("expected a call, a block or a command after `spawn`, found `{text}`"),
        );
        self.error(
            error
                .with_span(span)
                .with_help(format!("write spawn {text}(...)")),
        );
    }

    /// `spawn(options) { }`.
    pub fn spawn_block(
        &mut self,
        options: Option<Vec<Arg>>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        let span = body.span;
        let function = self.function(
            FnKind::Spawn,
            None,
            (Vec::new(), body),
            Doc::default(),
            span,
        );
        self.spawn(options, SpawnWhat::Block(function), start, end)
    }

    /// `` spawn `command` ``.
    pub fn spawn_command(
        &mut self,
        options: Option<Vec<Arg>>,
        command: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        self.spawn(options, SpawnWhat::Command(Box::new(command)), start, end)
    }

    fn spawn(&mut self, options: Option<Vec<Arg>>, what: SpawnWhat, start: u32, end: u32) -> Expr {
        let options = options.unwrap_or_default();
        self.expr(ExprKind::Spawn { options, what }, start, end)
    }

    /// `lock(args)`: a call of the function `lock`.
    pub fn lock_call(&mut self, args: Vec<Arg>, start: u32, end: u32) -> Expr {
        let word = self.ident("lock".into(), start, start + 4);
        let callee = Box::new(self.name(word));
        self.expr(ExprKind::Call { callee, args }, start, end)
    }

    /// `lock(options) a, b { }`.
    pub fn lock(
        &mut self,
        options: Option<Vec<Arg>>,
        locks: Vec<Expr>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        let options = options.unwrap_or_default();
        if let Some(wrong) = options.iter().find(|option| option.name.is_none()) {
            let error = Error::new(
                codes::UNEXPECTED,
                "expected options such as `timeout: 1s` in the parentheses of `lock`, found a value",
            );
            self.error(
                error
                    .with_span(wrong.span)
                    .with_help("write lock a, b { ... } for several locks"),
            );
        }
        let kind = ExprKind::Lock {
            options,
            locks,
            body,
        };
        self.expr(kind, start, end)
    }

    /// `scope(options) { }`.
    pub fn scope(&mut self, options: Option<Vec<Arg>>, body: Block, start: u32, end: u32) -> Expr {
        let options = options.unwrap_or_default();
        self.expr(ExprKind::Scope { options, body }, start, end)
    }

    /// `select(options) { case ... after ... else ... }`.
    pub fn select(
        &mut self,
        options: Option<Vec<Arg>>,
        cases: Vec<SelectCase>,
        after: Option<(Expr, Block)>,
        otherwise: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::Select {
            options: options.unwrap_or_default(),
            cases,
            after: after.map(Box::new),
            otherwise,
        };
        self.expr(kind, start, end)
    }

    /// `case pattern = operation { }`.
    pub fn select_case(
        &mut self,
        pattern: Option<Pattern>,
        operation: Expr,
        body: Block,
    ) -> SelectCase {
        if !matches!(
            operation.kind,
            ExprKind::Method { .. } | ExprKind::Join { .. }
        ) {
            let error = Error::new(
                codes::UNEXPECTED,
                "expected an operation that waits, such as `q.get()`, `w.send(x)` or `join p`, found a value",
            );
            self.error(error.with_span(operation.span));
        }
        SelectCase {
            pattern,
            operation,
            body,
        }
    }

    /// `pool map(options) pattern in iterable { }`.
    pub fn pool_map(
        &mut self,
        options: Option<Vec<Arg>>,
        pattern: Pattern,
        iterable: Expr,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        let span = body.span;
        let param = self.param(pattern, None);
        let body = self.function(
            FnKind::Pool,
            None,
            (vec![param], body),
            Doc::default(),
            span,
        );
        let kind = ExprKind::PoolMap {
            options: options.unwrap_or_default(),
            iterable: Box::new(iterable),
            body,
        };
        self.expr(kind, start, end)
    }

    /// `pool map(f, xs, options)`.
    pub fn pool_call(&mut self, args: Vec<Arg>, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::PoolCall { args }, start, end)
    }
}

/// Whether a callee has a call in it, which would be evaluated in the spawning process.
fn has_call(callee: &Expr) -> bool {
    match &callee.kind {
        ExprKind::Call { .. } | ExprKind::Method { .. } => true,
        ExprKind::Field { object, .. } | ExprKind::Index { object, .. } => has_call(object),
        _ => false,
    }
}

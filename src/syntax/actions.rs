//! What the grammar's rules do: every action of `grammar/par.lalrpop` is one call of a method here.
//!
//! Statements, functions and patterns stand in this file, expressions in `expr`, those with blocks in `construct`. What the grammar accepts
//! for the sake of a better message (`1 = x`) is refused here, and parsing goes on.

mod construct;
mod expr;

use super::ast::*;
use super::token::Doc;
use crate::diag::{Error, codes};
use crate::source::{Source, Span};
use std::rc::Rc;

/// Parameters and body of a function, before its kind is known.
pub type Callable = (Vec<Param>, Block);

/// An entry of a map pattern, or the name behind its `...`.
pub type MapPatternPart = (Option<(Rc<str>, Span, Pattern)>, Option<Ident>);

/// What stands in a struct.
pub enum StructItem {
    /// One or more fields.
    Fields(Vec<FieldDecl>),
    /// A method.
    Method(Ident, Rc<Function>),
}

/// Makes the nodes of one module: numbers names and functions, collects what is wrong with them.
pub struct Builder<'s> {
    source: &'s Source,
    /// The number of the next name.
    pub next_node: NodeId,
    /// The number of the next function.
    pub next_fn: FnId,
    /// What was accepted by the grammar and is wrong all the same.
    pub errors: Vec<Error>,
    /// Where 2^63 was written: right behind a minus only.
    minimum: Option<Span>,
}

impl<'s> Builder<'s> {
    /// A builder for the text of a source.
    pub fn new(source: &'s Source) -> Builder<'s> {
        Builder {
            source,
            next_node: 0,
            next_fn: 1,
            errors: Vec::new(),
            minimum: None,
        }
    }

    fn span(&self, start: u32, end: u32) -> Span {
        Span::new(self.source.id, start as usize, end as usize)
    }

    fn error(&mut self, error: Box<Error>) {
        self.errors.push(*error);
    }

    fn next_fn(&mut self) -> FnId {
        let id = self.next_fn;
        self.next_fn += 1;
        id
    }

    /// A name.
    pub fn ident(&mut self, name: Rc<str>, start: u32, end: u32) -> Ident {
        let id = self.next_node;
        self.next_node += 1;
        let span = self.span(start, end);
        Ident { name, span, id }
    }

    /// The items of a list whose last comma is optional.
    pub fn items<T>(&mut self, mut items: Vec<T>, last: Option<T>) -> Vec<T> {
        items.extend(last);
        items
    }

    // ------------------------------------------------------------ statements

    /// `{ ... }`.
    pub fn block(&mut self, body: Vec<Stmt>, start: u32, end: u32) -> Block {
        let span = self.span(start, end);
        Block { body, span }
    }

    /// A block of the one expression.
    pub fn block_of(&mut self, expr: Expr) -> Block {
        let span = expr.span;
        let kind = StmtKind::Expr(expr);
        let body = vec![Stmt { kind, span }];
        Block { body, span }
    }

    /// A statement.
    pub fn stmt(&mut self, kind: StmtKind, start: u32, end: u32) -> Stmt {
        let span = self.span(start, end);
        Stmt { kind, span }
    }

    /// `let pattern = value`.
    pub fn let_(&mut self, pattern: Pattern, value: Option<Expr>) -> StmtKind {
        if value.is_none() && !matches!(pattern.kind, PatternKind::Bind(_)) {
            self.value_missing(pattern.span, "a pattern");
        }
        StmtKind::Let {
            pattern,
            value,
            constant: false,
        }
    }

    /// `const pattern = value`.
    pub fn const_(&mut self, pattern: Pattern, value: Option<Expr>) -> StmtKind {
        if value.is_none() {
            self.value_missing(pattern.span, "a constant");
        }
        StmtKind::Let {
            pattern,
            value,
            constant: true,
        }
    }

    fn value_missing(&mut self, span: Span, what: &str) {
        let error = Error::new(
            codes::UNEXPECTED,
            format!("expected `= value` behind {what}, found the end of the statement"),
        );
        self.error(error.with_span(span).with_label("this has no value"));
    }

    /// `shared name = value`.
    pub fn shared(&mut self, name: Ident, value: Expr) -> StmtKind {
        StmtKind::Shared { name, value }
    }

    /// `fn name(...) ...`.
    pub fn fn_stmt(
        &mut self,
        doc: Doc,
        name: Ident,
        c: Callable,
        start: u32,
        end: u32,
    ) -> StmtKind {
        let function = self.function(FnKind::Named, Some(&name), c, doc, self.span(start, end));
        StmtKind::Fn { name, function }
    }

    /// `struct Name { ... }`.
    pub fn struct_(&mut self, doc: Doc, name: Ident, items: Vec<StructItem>) -> StmtKind {
        let mut fields = Vec::new();
        let mut methods = Vec::new();
        for item in items {
            match item {
                StructItem::Fields(more) => fields.extend(more),
                StructItem::Method(name, function) => methods.push((name, function)),
            }
        }
        StmtKind::Struct(StructDecl {
            name,
            constructor: self.next_fn(),
            fields,
            methods,
            doc: doc.0,
        })
    }

    /// A line of fields.
    pub fn fields(&mut self, fields: Vec<FieldDecl>) -> StructItem {
        StructItem::Fields(fields)
    }

    /// One field.
    pub fn field_decl(&mut self, name: Ident, default: Option<Expr>) -> FieldDecl {
        FieldDecl { name, default }
    }

    /// A function in a struct.
    pub fn method(
        &mut self,
        doc: Doc,
        name: Ident,
        c: Callable,
        start: u32,
        end: u32,
    ) -> StructItem {
        let function = self.function(FnKind::Method, Some(&name), c, doc, self.span(start, end));
        StructItem::Method(name, function)
    }

    /// `import "path" as name`: without `as`, the name is that of the file.
    pub fn import_file(
        &mut self,
        path: Rc<str>,
        start: u32,
        end: u32,
        name: Option<Ident>,
    ) -> StmtKind {
        let span = self.span(start, end);
        let name = match name {
            Some(name) => name,
            None => {
                let stem = file_stem(&path);
                if !super::is_name(stem) {
                    let error = Error::new(
                        codes::UNEXPECTED,
                        format!(
                            "expected a file whose name is a name of the language, found {path:?}"
                        ),
                    );
                    self.error(
                        error
                            .with_span(span)
                            .with_help(format!("import {path:?} as name")),
                    );
                }
                self.ident(stem.into(), start, end)
            }
        };
        let path = ImportPath::File(path, span);
        StmtKind::Import { path, name }
    }

    /// `import module`, `import module as name`.
    pub fn import_standard(&mut self, module: Ident, name: Option<Ident>) -> StmtKind {
        let path = ImportPath::Standard(module.name.clone(), module.span);
        let name = name.unwrap_or(module);
        StmtKind::Import { path, name }
    }

    /// `test "name" { ... }`; the span is that of the block.
    pub fn test(&mut self, name: Rc<str>, body: Block, start: u32, end: u32) -> StmtKind {
        let span = self.span(start, end);
        let function = Function {
            id: self.next_fn(),
            kind: FnKind::Test,
            name: Some(format!("test {name:?}").into()),
            params: Vec::new(),
            body,
            doc: None,
            span,
        };
        let function = Rc::new(function);
        StmtKind::Test { name, function }
    }

    /// `target = value`.
    pub fn assign(&mut self, target: Expr, value: Expr) -> StmtKind {
        self.check_target(&target, true);
        StmtKind::Assign { target, value }
    }

    /// `target op= value`.
    pub fn compound(
        &mut self,
        target: Expr,
        op: BinaryOp,
        start: u32,
        end: u32,
        value: Expr,
    ) -> StmtKind {
        self.check_target(&target, false);
        let op_span = self.span(start, end);
        StmtKind::Compound {
            op,
            op_span,
            target,
            value,
        }
    }

    /// Only names, fields, indexes and, where `lists` allows it, lists of these can be assigned to.
    fn check_target(&mut self, target: &Expr, lists: bool) {
        let what = match &target.kind {
            ExprKind::Name(_) | ExprKind::Field { .. } | ExprKind::Index { .. } => return,
            ExprKind::List(items) if lists => {
                for item in items {
                    match item {
                        Element::Value(value) | Element::Spread(value) => {
                            self.check_target(value, true)
                        }
                    }
                }
                return;
            }
            ExprKind::List(_) => "a list",
            ExprKind::Call { .. } | ExprKind::Method { .. } => "the result of a call",
            ExprKind::Paren(_) => "an expression in parentheses",
            ExprKind::Binary { .. } | ExprKind::Logic { .. } | ExprKind::Unary { .. } => {
                "the result of an operator"
            }
            ExprKind::Map(_) => "a map",
            _ => "a value",
        };
        let mut error = Error::new(
            codes::BAD_TARGET,
            format!("expected a variable, a field or an index before `=`, found {what}"),
        )
        .with_span(target.span)
        .with_label("this cannot be assigned to");
        if let ExprKind::Map(_) = target.kind {
            error = error.with_help("`let {name} = record` takes a map apart");
        }
        self.error(error);
    }

    /// `while condition { ... }`.
    pub fn while_(&mut self, condition: Expr, body: Block) -> StmtKind {
        StmtKind::While { condition, body }
    }

    /// `for patterns in iterable { ... }`.
    pub fn for_(&mut self, patterns: Vec<Pattern>, iterable: Expr, body: Block) -> StmtKind {
        self.check_for_patterns(&patterns);
        StmtKind::For {
            patterns,
            iterable,
            body,
        }
    }

    fn check_for_patterns(&mut self, patterns: &[Pattern]) {
        if let Some(third) = patterns.get(2) {
            let error = Error::new(
                codes::UNEXPECTED,
                format!(
                    "expected one or two names before `in`, found {}",
                    patterns.len()
                ),
            );
            let error = error.with_span(third.span).with_label("one too many");
            self.error(error.with_help(
                "items that are lists are taken apart in brackets: for [a, b, c] in xs",
            ));
        }
    }

    /// `return value`.
    pub fn return_(&mut self, value: Option<Expr>) -> StmtKind {
        StmtKind::Return(value)
    }

    /// `break`.
    pub fn break_(&mut self) -> StmtKind {
        StmtKind::Break
    }

    /// `continue`.
    pub fn continue_(&mut self) -> StmtKind {
        StmtKind::Continue
    }

    /// `throw value`.
    pub fn throw(&mut self, value: Expr) -> StmtKind {
        StmtKind::Throw(value)
    }

    /// `defer ...`.
    pub fn defer(&mut self, body: Block, start: u32, end: u32) -> StmtKind {
        let span = self.span(start, end);
        let callable = (Vec::new(), body);
        StmtKind::Defer(self.function(FnKind::Defer, None, callable, Doc::default(), span))
    }

    /// An expression as a statement.
    pub fn expr_stmt(&mut self, expr: Expr) -> StmtKind {
        StmtKind::Expr(expr)
    }

    // ------------------------------------------------------------ functions

    /// Parameters and a block.
    pub fn callable(&mut self, params: Vec<Param>, body: Block) -> Callable {
        (params, body)
    }

    /// Parameters and `=> expression`.
    pub fn callable_expr(&mut self, params: Vec<Param>, body: Expr) -> Callable {
        let body = self.block_of(body);
        (params, body)
    }

    fn function(
        &mut self,
        kind: FnKind,
        name: Option<&Ident>,
        c: Callable,
        doc: Doc,
        span: Span,
    ) -> Rc<Function> {
        let (params, body) = c;
        Rc::new(Function {
            id: self.next_fn(),
            kind,
            name: name.map(|n| n.name.clone()),
            params,
            body,
            doc: doc.0,
            span,
        })
    }

    /// A parameter, with its default.
    pub fn param(&mut self, pattern: Pattern, default: Option<Expr>) -> Param {
        Param {
            pattern,
            default,
            rest: false,
        }
    }

    /// `...rest`.
    pub fn rest_param(&mut self, name: Ident) -> Param {
        let span = name.span;
        let kind = PatternKind::Bind(name);
        Param {
            pattern: Pattern { kind, span },
            default: None,
            rest: true,
        }
    }

    /// An argument by position.
    pub fn arg(&mut self, value: Expr) -> Arg {
        let span = value.span;
        Arg {
            name: None,
            spread: false,
            value,
            span,
        }
    }

    /// `...values`.
    pub fn spread_arg(&mut self, value: Expr, start: u32) -> Arg {
        let span = self.span(start, value.span.end);
        Arg {
            name: None,
            spread: true,
            value,
            span,
        }
    }

    /// `name: value`.
    pub fn named_arg(&mut self, name: Ident, value: Expr) -> Arg {
        let span = name.span.to(value.span);
        Arg {
            name: Some(name),
            spread: false,
            value,
            span,
        }
    }

    // ------------------------------------------------------------ patterns

    /// A pattern.
    pub fn pattern(&mut self, kind: PatternKind, start: u32, end: u32) -> Pattern {
        let span = self.span(start, end);
        Pattern { kind, span }
    }

    /// A name, or `_`.
    pub fn bind(&mut self, name: Ident) -> PatternKind {
        match &*name.name {
            "_" => PatternKind::Ignore,
            _ => PatternKind::Bind(name),
        }
    }

    /// A literal.
    pub fn literal_pattern(&mut self, literal: Expr) -> PatternKind {
        PatternKind::Literal(Box::new(literal))
    }

    /// `a | b`.
    pub fn alternatives(
        &mut self,
        first: Pattern,
        more: Vec<Pattern>,
        start: u32,
        end: u32,
    ) -> Pattern {
        if more.is_empty() {
            return first;
        }
        let mut all = vec![first];
        all.extend(more);
        self.pattern(PatternKind::Or(all), start, end)
    }

    /// `[a, b, ...rest]`.
    pub fn list_pattern(&mut self, parts: Vec<(Option<Pattern>, Option<Ident>)>) -> PatternKind {
        let mut items = Vec::new();
        let mut rest = None;
        for (item, name) in parts {
            if rest.is_some() {
                let span = item.map(|i| i.span).or(name.map(|n| n.span));
                self.rest_not_last(span);
                continue;
            }
            match item {
                Some(item) => items.push(item),
                None => rest = Some(name),
            }
        }
        PatternKind::List { items, rest }
    }

    fn rest_not_last(&mut self, span: Option<Span>) {
        let mut error = Error::new(
            codes::UNEXPECTED,
            "expected `...rest` as the last of its pattern, found more behind it",
        );
        error.span = span;
        self.error(error);
    }

    /// `{name, key: pattern, ...rest}`.
    pub fn map_pattern(&mut self, parts: Vec<MapPatternPart>) -> PatternKind {
        let mut entries = Vec::new();
        let mut rest: Option<Ident> = None;
        for (entry, name) in parts {
            if rest.is_some() {
                let span = entry.map(|e| e.1).or(name.map(|n| n.span));
                self.rest_not_last(span);
                continue;
            }
            entries.extend(entry);
            rest = name;
        }
        PatternKind::Map { entries, rest }
    }

    /// `{name}`: the value of that key under its own name.
    pub fn map_pattern_short(&mut self, name: Ident) -> MapPatternPart {
        let (key, span) = (name.name.clone(), name.span);
        let kind = self.bind(name);
        (Some((key, span, Pattern { kind, span })), None)
    }

    /// `{key: pattern}`.
    pub fn map_pattern_named(&mut self, key: Ident, pattern: Pattern) -> MapPatternPart {
        (Some((key.name, key.span, pattern)), None)
    }

    /// `{"two words": pattern}`.
    pub fn map_pattern_quoted(
        &mut self,
        key: Rc<str>,
        start: u32,
        end: u32,
        pattern: Pattern,
    ) -> MapPatternPart {
        let span = self.span(start, end);
        (Some((key, span, pattern)), None)
    }
}

/// The name of a file without its directories and its ending.
fn file_stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".par").unwrap_or(name)
}

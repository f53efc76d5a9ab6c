//! The walk over expressions. Long chains grow to the left (`a + b + c`, `x.f().g()`): they are walked in a loop.

use super::Place;
use super::scope::VarKind;
use super::walk::Checker;
use crate::diag::{self, codes};
use crate::limits::MAX_TREE_DEPTH;
use crate::source::Span;
use crate::syntax::SHARED_VALUE;
use crate::syntax::ast::{
    Arg, Block, Catch, Comprehension, Element, Expr, ExprKind, Ident, MapEntry, MatchCase, Piece,
    SelectCase, SpawnWhat, UnaryOp,
};

/// How deep expressions may nest here: the parser refuses what is deeper, so this only guards against trees from elsewhere.
const MAX_DEPTH: usize = MAX_TREE_DEPTH + 1;

/// What a name is used for where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Its value is used.
    Read,
    /// It is assigned to.
    Write,
    /// The list, map or instance that it holds is changed.
    Mutate,
}

/// The operand that an expression begins with, when it is one that makes chains.
fn left_of(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Binary { left, .. } | ExprKind::Logic { left, .. } => Some(left),
        ExprKind::Rescue { body, .. } => Some(body),
        ExprKind::Call { callee, .. } => Some(callee),
        ExprKind::Method { receiver, .. } => Some(receiver),
        ExprKind::Field { object, .. } | ExprKind::Index { object, .. } => Some(object),
        _ => None,
    }
}

impl Checker<'_> {
    pub fn expr(&mut self, expr: &Expr) {
        if self.depth >= MAX_DEPTH {
            let message = format!("expressions may nest {MAX_DEPTH} levels deep");
            let error = diag::Error::new(codes::TOO_DEEP, message).with_span(expr.span);
            self.report(error.with_help("give the inner parts names of their own"));
            return;
        }
        self.depth += 1;
        let mut chain = Vec::new();
        let mut first = expr;
        while let Some(left) = left_of(first) {
            chain.push(first);
            first = left;
        }
        match &first.kind {
            ExprKind::Name(ident) => self.name_use(ident, chain.last().copied(), Mark::Read),
            _ => self.start(first),
        }
        while let Some(link) = chain.pop() {
            self.link(link);
        }
        self.depth -= 1;
    }

    /// What follows the first operand of an expression that makes chains.
    fn link(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Binary {
                op, left, right, ..
            } => {
                self.expr(right);
                self.check_piped(*op, left, right);
            }
            ExprKind::Logic { left, right, .. } => {
                self.expr(right);
                self.truth_of_command(left);
            }
            ExprKind::Rescue { fallback, .. } => self.expr(fallback),
            ExprKind::Index { object, index } => {
                self.expr(index);
                self.check_shared(object);
            }
            ExprKind::Call { callee, args } => {
                self.arguments(args);
                self.check_call(callee, args);
            }
            ExprKind::Method { name, args, .. } => {
                self.arguments(args);
                self.check_member_call(name, args);
            }
            _ => {}
        }
    }

    /// `shared [1, 2]`, which is `shared` with an index.
    fn check_shared(&mut self, object: &Expr) {
        if self.builtin_of(object).as_deref() == Some("shared") {
            let (message, help) = SHARED_VALUE;
            let error = diag::Error::new(codes::HABIT, message).with_span(object.span);
            self.report(
                error
                    .with_label("Par writes this differently")
                    .with_help(help),
            );
        }
    }

    fn pieces(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            if let Piece::Expr(part) = piece {
                self.expr(part);
            }
        }
    }

    /// An expression that is no chain and no name.
    fn start(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Interpolation(pieces) => {
                self.pieces(pieces);
                for piece in pieces {
                    if let Piece::Expr(part) = piece {
                        self.command_in_text(part);
                    }
                }
            }
            ExprKind::Command(words) => {
                for word in words {
                    self.pieces(&word.parts);
                }
            }
            ExprKind::List(elements) => {
                for Element::Value(item) | Element::Spread(item) in elements {
                    self.expr(item);
                }
            }
            ExprKind::Map(entries) => self.map(entries),
            ExprKind::Comprehension(comprehension) => self.comprehension(comprehension),
            ExprKind::Range { start, end, .. } => {
                for bound in [start, end].into_iter().flatten() {
                    self.expr(bound);
                }
            }
            ExprKind::Fn(function) => self.function(function),
            ExprKind::Unary { op, operand, .. } => {
                self.expr(operand);
                if *op == UnaryOp::Not {
                    self.truth_of_command(operand);
                }
            }
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::If { .. } => self.branches(expr),
            ExprKind::Match {
                subject,
                cases,
                otherwise,
            } => {
                self.expr(subject);
                cases.iter().for_each(|case| self.match_case(case));
                otherwise.iter().for_each(|block| self.block(block));
            }
            ExprKind::Try {
                body,
                catches,
                finally,
            } => {
                self.block(body);
                catches.iter().for_each(|catch| self.catch(catch));
                finally.iter().for_each(|block| self.block(block));
            }
            ExprKind::Do(body) => self.block(body),
            ExprKind::With { items, body } => self.with(items, body),
            _ => self.construct(expr),
        }
    }

    /// The constructs for processes.
    fn construct(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Spawn { options, what } => {
                self.options("spawn", options);
                self.spawn(options, what, expr.span);
            }
            ExprKind::Join { options, target } => {
                self.options("join", options);
                self.expr(target);
            }
            ExprKind::Lock {
                options,
                locks,
                body,
            } => {
                self.options("lock", options);
                locks.iter().for_each(|lock| self.expr(lock));
                self.block(body);
            }
            ExprKind::Scope { options, body } => {
                self.options("scope", options);
                self.block(body);
            }
            ExprKind::Select {
                options,
                cases,
                after,
                otherwise,
            } => {
                self.options("select", options);
                let ends = after.is_some() || otherwise.is_some() || !options.is_empty();
                if cases.is_empty() && !ends {
                    let error = diag::Error::new(
                        codes::MISPLACED,
                        "expected a `case` in `select`, but there is none: it would wait for ever",
                    );
                    let error = error
                        .with_span(expr.span)
                        .with_label("nothing can end this");
                    self.report(
                        error.with_help("write `case x = q.get() { ... }`, or use `sleep`"),
                    );
                }
                cases.iter().for_each(|case| self.select_case(case));
                if let Some(after) = after {
                    self.expr(&after.0);
                    self.block(&after.1);
                }
                otherwise.iter().for_each(|block| self.block(block));
            }
            ExprKind::PoolMap {
                options,
                iterable,
                body,
                ..
            } => {
                self.options("pool map", options);
                self.expr(iterable);
                self.function(body);
            }
            ExprKind::PoolCall { args } => self.pool_call(args, expr.span),
            _ => {}
        }
    }

    fn pool_call(&mut self, args: &[Arg], span: Span) {
        self.arguments(args);
        self.check_named("pool map", args);
        if let Some(function) = args.first() {
            self.runs_elsewhere(&function.value, span);
        }
    }

    fn spawn(&mut self, options: &[Arg], what: &SpawnWhat, span: Span) {
        match what {
            SpawnWhat::Call { callee, args } => {
                self.expr(callee);
                self.arguments(args);
                self.check_call(callee, args);
                self.runs_elsewhere(callee, span);
            }
            SpawnWhat::Block(function) => {
                self.function(function);
                let is_start =
                    |option: &Arg| option.name.as_ref().is_some_and(|n| &*n.name == "start");
                let body = self.names.bodies.get_mut(function.id as usize);
                if let Some(body) = body.and_then(Option::as_mut) {
                    body.starts_later = options.iter().any(is_start);
                }
            }
            SpawnWhat::Command(command) => {
                self.expr(command);
                self.check_spawned(command);
                self.check_command_options(options);
            }
        }
    }

    fn map(&mut self, entries: &[MapEntry]) {
        for entry in entries {
            match entry {
                MapEntry::Pair(key, value) => {
                    self.expr(key);
                    self.expr(value);
                }
                MapEntry::Short(ident) => self.name_use(ident, None, Mark::Read),
                MapEntry::Spread(value) => self.expr(value),
            }
        }
    }

    fn comprehension(&mut self, comprehension: &Comprehension) {
        self.expr(&comprehension.iterable);
        self.names.open(self.current());
        for pattern in &comprehension.patterns {
            self.bind(pattern);
        }
        comprehension.condition.iter().for_each(|e| self.expr(e));
        self.expr(&comprehension.element);
        self.names.close();
    }

    /// `if` with all its `else if`s, which nest in the tree but not in the source.
    fn branches(&mut self, expr: &Expr) {
        let mut rest = Some(expr);
        while let Some(ExprKind::If {
            condition,
            then,
            otherwise,
        }) = rest.take().map(|expr| &expr.kind)
        {
            self.expr(condition);
            self.truth_of_command(condition);
            self.block(then);
            if let Some(block) = otherwise {
                rest = super::lints::else_if(block);
                if rest.is_none() {
                    self.block(block);
                }
            }
        }
    }

    fn match_case(&mut self, case: &MatchCase) {
        self.names.open(self.current());
        self.bind(&case.pattern);
        case.guard.iter().for_each(|guard| self.expr(guard));
        self.block(&case.body);
        self.names.close();
    }

    fn catch(&mut self, catch: &Catch) {
        self.facts.caught.extend(catch.kinds.iter().cloned());
        self.names.open(self.current());
        if let Some(name) = &catch.name {
            self.declare(name, VarKind::Variable);
            self.reached(name);
        }
        self.block(&catch.body);
        self.names.close();
    }

    fn with(&mut self, items: &[(Expr, Option<Ident>)], body: &Block) {
        self.names.open(self.current());
        for (value, name) in items {
            self.expr(value);
            if let Some(name) = name {
                self.declare(name, VarKind::Variable);
                self.reached(name);
            }
        }
        self.block(body);
        self.names.close();
    }

    fn select_case(&mut self, case: &SelectCase) {
        self.check_operation(&case.operation);
        self.expr(&case.operation);
        self.names.open(self.current());
        if let Some(pattern) = &case.pattern {
            self.bind(pattern);
        }
        self.block(&case.body);
        self.names.close();
    }

    pub fn arguments(&mut self, args: &[Arg]) {
        for arg in args {
            if let Some(name) = &arg.name {
                self.facts.note_kind(&name.name, &arg.value);
            }
            self.expr(&arg.value);
        }
        self.check_arguments(args);
    }

    /// `target = value`, `target += value` (`op_span` is given). The value is walked first: it is evaluated first.
    pub fn assign(&mut self, target: &Expr, value: &Expr, op_span: Option<Span>) {
        // What `x = x + 1` reads of `x` is no use of it by others.
        let root = match root_of(target) {
            Some(ident) => self.peek(ident),
            None => None,
        };
        let outer = std::mem::replace(&mut self.facts.assigning, root);
        self.expr(value);
        self.facts.assigning = outer;
        self.target(target, op_span.is_some());
    }

    fn target(&mut self, target: &Expr, compound: bool) {
        match &target.kind {
            ExprKind::Name(ident) => self.assign_name(ident, compound),
            ExprKind::Paren(inner) => self.target(inner, compound),
            ExprKind::List(elements) => {
                for Element::Value(item) | Element::Spread(item) in elements {
                    self.target(item, compound);
                }
            }
            ExprKind::Field { object, name } => match &object.kind {
                ExprKind::Name(ident) if self.is_import(ident) => {
                    self.name_use(ident, Some(target), Mark::Read);
                    self.assign_member(ident, name);
                }
                ExprKind::Name(ident) => self.name_use(ident, Some(target), Mark::Mutate),
                _ => self.expr(object),
            },
            ExprKind::Index { object, index } => {
                match &object.kind {
                    ExprKind::Name(ident) => self.name_use(ident, Some(target), Mark::Mutate),
                    _ => self.expr(object),
                }
                self.expr(index);
            }
            _ => self.expr(target),
        }
    }

    fn is_import(&self, ident: &Ident) -> bool {
        self.peek(ident)
            .is_some_and(|id| matches!(self.names.vars[id].kind, VarKind::Import(_)))
    }

    fn assign_member(&mut self, module: &Ident, name: &Ident) {
        let message = format!(
            "`{}.{}` cannot be assigned from outside of its module",
            module.name, name.name
        );
        let error = diag::Error::new(codes::ASSIGN_CONST, message)
            .with_span(name.span)
            .with_label("belongs to another module")
            .with_help("let the module offer a function that changes it");
        self.report(error);
    }

    /// The place of a name that has just been used is a built-in function's.
    pub fn builtin_of(&self, callee: &Expr) -> Option<std::rc::Rc<str>> {
        let ident = match &callee.kind {
            ExprKind::Name(ident) => ident,
            ExprKind::Method { name, .. } => name,
            _ => return None,
        };
        match self.place(ident.id) {
            Some(Place::Builtin(name)) => Some(name.clone()),
            _ => None,
        }
    }
}

/// The name that an assignment changes something of: `xs` in `xs[i].n = 1`.
fn root_of(target: &Expr) -> Option<&Ident> {
    let mut at = target;
    loop {
        at = match &at.kind {
            ExprKind::Name(ident) => return Some(ident),
            ExprKind::Field { object, .. } | ExprKind::Index { object, .. } => object,
            ExprKind::Paren(inner) => inner,
            _ => return None,
        };
    }
}

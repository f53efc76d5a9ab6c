//! The walk over a module: statements, blocks and bodies. Expressions are in `expr`, what is declared in `declare`.

use super::environment::{Environment, Mode};
use super::lints::Facts;
use super::lost_writes::StructBodies;
use super::scope::{Body, Names, VarKind};
use super::{Place, expr::Mark};
use crate::diag::{self, codes};
use crate::limits::{MAX_ARGUMENTS, MAX_FIELDS};
use crate::source::Span;
use crate::syntax::ast::{
    Block, Expr, ExprKind, FnId, FnKind, Function, Ident, Module, NodeId, Stmt, StmtKind,
    StructDecl,
};
use std::collections::HashSet;
use std::rc::Rc;

/// A body that is being walked.
pub struct Frame {
    pub id: FnId,
    pub kind: FnKind,
    /// The loops around the current place, outermost first.
    pub loops: Vec<Span>,
}

/// Everything that the walk knows and finds.
pub struct Checker<'e> {
    pub env: &'e mut dyn Environment,
    pub names: Names,
    /// Places that are known at once (built-ins, imports); the layout adds the variables.
    pub places: Vec<Option<Place>>,
    pub errors: Vec<diag::Error>,
    pub facts: Facts,
    pub frames: Vec<Frame>,
    /// Unknown names that were reported: each is reported once.
    pub reported: HashSet<Rc<str>>,
    /// How deep the recursion is.
    pub depth: usize,
}

impl<'e> Checker<'e> {
    pub fn new(env: &'e mut dyn Environment, module: &Module) -> Checker<'e> {
        let mut names = Names::default();
        names.bodies.resize(module.fn_count as usize, None);
        Checker {
            env,
            names,
            places: vec![None; module.node_count as usize],
            errors: Vec::new(),
            facts: Facts::default(),
            frames: Vec::new(),
            reported: HashSet::new(),
            depth: 0,
        }
    }

    pub fn module(&mut self, module: &Module) {
        self.enter(0, FnKind::Named, module.span);
        self.names.open(0);
        self.statements(&module.body);
        if self.env.mode() != Mode::Prompt {
            self.idle_commands(module.body.last());
        }
        self.names.close();
        self.frames.pop();
    }

    /// The number of the body that is being walked.
    pub fn current(&self) -> FnId {
        self.frames.last().map_or(0, |frame| frame.id)
    }

    pub fn report(&mut self, error: Box<diag::Error>) {
        self.errors.push(*error);
    }

    pub fn set_place(&mut self, node: NodeId, place: Place) {
        if let Some(slot) = self.places.get_mut(node as usize) {
            *slot = Some(place);
        }
    }

    pub fn place(&self, node: NodeId) -> Option<&Place> {
        self.places.get(node as usize)?.as_ref()
    }

    fn enter(&mut self, id: FnId, kind: FnKind, span: Span) {
        let parent = self.current();
        let outermost = self.frames.last().and_then(|frame| frame.loops.first());
        let loop_start = outermost.map(|span| span.start);
        if let Some(slot) = self.names.bodies.get_mut(id as usize) {
            *slot = Some(Body {
                kind,
                parent,
                span,
                loop_start,
                starts_later: false,
            });
        }
        let loops = Vec::new();
        self.frames.push(Frame { id, kind, loops });
    }

    pub fn block(&mut self, block: &Block) {
        self.names.open(self.current());
        self.statements(&block.body);
        self.names.close();
    }

    /// The body of a loop that `span` covers.
    fn repeated(&mut self, span: Span, body: &Block) {
        if let Some(frame) = self.frames.last_mut() {
            frame.loops.push(span);
        }
        self.block(body);
        self.idle_commands(body.body.last());
        if let Some(frame) = self.frames.last_mut() {
            frame.loops.pop();
        }
    }

    /// The statements of a block whose scope is open.
    pub fn statements(&mut self, body: &[Stmt]) {
        self.announce(body);
        for stmt in body {
            self.statement(stmt);
        }
        self.facts.unreachable(body);
        // The last statement may be the value of its block.
        let (_, others) = body.split_last().unzip();
        self.idle_commands(others.unwrap_or_default());
    }

    fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { pattern, value, .. } => {
                if let Some(value) = value {
                    self.expr(value);
                    self.uncalled(value);
                }
                self.bind_announced(pattern, value.as_ref());
            }
            StmtKind::Shared { name, value } => {
                self.expr(value);
                self.reached(name);
            }
            StmtKind::Fn { name, function } => {
                let id = self.reached(name);
                self.names.walk_into(id);
                self.function(function);
                self.names.walk_into(None);
            }
            StmtKind::Struct(declaration) => self.structure(declaration),
            StmtKind::Import { name, .. } => {
                self.reached(name);
            }
            StmtKind::Assign { target, value } => self.assign(target, value, None),
            StmtKind::Compound {
                target,
                value,
                op_span,
                ..
            } => self.assign(target, value, Some(*op_span)),
            StmtKind::While { condition, body } => {
                self.expr(condition);
                self.truth_of_command(condition);
                self.repeated(stmt.span, body);
            }
            StmtKind::For {
                patterns,
                iterable,
                body,
            } => {
                self.expr(iterable);
                self.uncalled(iterable);
                self.names.open(self.current());
                for pattern in patterns {
                    self.bind(pattern);
                }
                self.repeated(stmt.span, body);
                self.names.close();
            }
            StmtKind::Return(value) => {
                self.check_return(stmt.span);
                if let Some(value) = value {
                    self.expr(value);
                }
            }
            StmtKind::Break => self.check_loop_word("break", stmt.span),
            StmtKind::Continue => self.check_loop_word("continue", stmt.span),
            StmtKind::Throw(value) => self.expr(value),
            StmtKind::Defer(function) => self.function(function),
            StmtKind::Test { function, .. } => {
                self.check_test(stmt.span);
                self.function(function);
            }
            StmtKind::Expr(expr) => self.effect(expr),
        }
    }

    /// An expression statement: `xs.push(1)` writes to `xs` where a method is known to change what it is called on.
    fn effect(&mut self, expr: &Expr) {
        if let ExprKind::Method {
            receiver,
            name,
            args,
        } = &expr.kind
            && let ExprKind::Name(ident) = &receiver.kind
            && super::lost_writes::changes(&name.name)
        {
            self.name_use(ident, Some(expr), Mark::Mutate);
            self.arguments(args);
        } else {
            self.expr(expr);
        }
    }

    /// A function-like body of any kind.
    pub fn function(&mut self, function: &Function) {
        self.enter(function.id, function.kind, function.span);
        self.names.open(function.id);
        self.check_parameters(function);
        for param in &function.params {
            if let Some(default) = &param.default {
                self.expr(default);
            }
            self.bind(&param.pattern);
        }
        self.block(&function.body);
        self.names.close();
        self.frames.pop();
    }

    fn structure(&mut self, declaration: &StructDecl) {
        let id = self.reached(&declaration.name);
        self.names.walk_into(id);
        let span = declaration.name.span;
        if declaration.fields.len() > MAX_FIELDS {
            self.too_many("fields", MAX_FIELDS, declaration.fields.len(), span);
        }
        self.enter(declaration.constructor, FnKind::Named, span);
        self.names.open(declaration.constructor);
        for field in &declaration.fields {
            if let Some(default) = &field.default {
                self.expr(default);
            }
            self.declare(&field.name, VarKind::Variable);
            self.reached(&field.name);
        }
        self.names.close();
        self.frames.pop();
        self.check_methods(declaration);
        if let Some(var) = id {
            let methods = declaration.methods.iter();
            let methods = methods.map(|(name, method)| (name.name.clone(), method.id));
            self.facts.structs.push(StructBodies {
                var,
                methods: methods.collect(),
            });
        }
        for (_, method) in &declaration.methods {
            self.function(method);
        }
        self.names.walk_into(None);
    }

    /// Two methods of one name, or a method named like a field, would hide one another.
    fn check_methods(&mut self, declaration: &StructDecl) {
        let fields = declaration.fields.iter().map(|field| &field.name);
        let mut seen: Vec<&Ident> = fields.collect();
        for (name, method) in &declaration.methods {
            match seen.iter().find(|other| other.name == name.name) {
                Some(first) => self.declared_twice(name, first.span, false),
                None => seen.push(name),
            }
            self.check_receiver(declaration, name, method);
        }
    }

    pub fn too_many(&mut self, what: &str, limit: usize, found: usize, span: Span) {
        let message = format!("at most {limit} {what} are possible, but there are {found}");
        let error = diag::Error::new(codes::TOO_MANY, message).with_span(span);
        self.report(error.with_label(format!("too many {what}")));
    }

    pub fn check_argument_count(&mut self, found: usize, span: Span) {
        if found > MAX_ARGUMENTS {
            self.too_many("arguments", MAX_ARGUMENTS, found, span);
        }
    }
}

//! Function-like bodies: modules, functions, methods, struct declarations, and what is made when a block is entered.

use super::Compiler;
use super::code::Op;
use super::function::{Cleanup, Function, Signature};
use super::names::Target;
use crate::check::{From, Place};
use crate::syntax::ast::{
    self, Block, ExprKind, Ident, Param, Pattern, PatternKind, Stmt, StmtKind, StructDecl,
};
use crate::value::function::{Capture, ParamInfo, Proto, StructInfo};
use std::rc::Rc;

impl<'a> Compiler<'a> {
    /// The module's body.
    pub(super) fn module(&mut self, module: &'a ast::Module) -> Rc<Proto> {
        self.body(&module.body, None);
        let signature = self.signature(0, "<script>".into(), Vec::new());
        self.finish(Signature {
            span: module.span,
            ..signature
        })
    }

    /// A nested function. (One in a `finally` block is compiled once per way out of the block, like the block itself: what
    /// it captures may stand in other registers there.)
    pub(super) fn function(&mut self, function: &'a ast::Function) -> u16 {
        let name = match (&function.name, function.kind) {
            (Some(name), _) => name.clone(),
            (None, ast::FnKind::Spawn) => "spawn block".into(),
            (None, ast::FnKind::Pool) => "pool map body".into(),
            (None, ast::FnKind::Defer) => "defer".into(),
            (None, _) => "fn".into(),
        };
        let outer = std::mem::replace(&mut self.f, Function::new(function.id, function.span));
        let params = self.parameters(&function.params);
        self.body(&function.body.body, Some(&function.body));
        let signature = Signature {
            doc: function.doc.clone(),
            span: function.span,
            ..self.signature(function.id, name, params)
        };
        let proto = self.finish_inner(signature, outer);
        self.inner(proto)
    }

    /// Enters an inner function into the table of the current one.
    fn inner(&mut self, proto: Rc<Proto>) -> u16 {
        self.f.protos.push(proto);
        self.f.protos.len() as u16 - 1
    }

    fn signature(&mut self, id: ast::FnId, name: Rc<str>, params: Vec<ParamInfo>) -> Signature {
        let (captures, capture_names, globals) = match self.resolved.function(id) {
            Some(info) => {
                let captures = info.captures.iter();
                // Registers of captured locals are filled in by `capture_places`, in the function that makes the closure.
                let names = captures.map(|c| c.name.clone()).collect();
                (Vec::new(), names, info.globals.clone())
            }
            None => Default::default(),
        };
        Signature {
            id: 0,
            name,
            params,
            captures,
            capture_names,
            globals,
            doc: None,
            span: self.f.at_now(),
        }
    }

    /// Finishes the inner function that is being compiled and goes on with the outer one.
    fn finish_inner(&mut self, mut signature: Signature, outer: Function<'a>) -> Rc<Proto> {
        let inner = std::mem::replace(&mut self.f, outer);
        signature.captures = self.capture_places(inner.id);
        let inner = std::mem::replace(&mut self.f, inner);
        let proto = self.finish(signature);
        self.f = inner;
        proto
    }

    /// Finishes the function that is being compiled.
    fn finish(&mut self, mut signature: Signature) -> Rc<Proto> {
        let span = signature.span;
        let mut function = std::mem::replace(&mut self.f, Function::new(0, span));
        if let Some(error) = function.error.take() {
            self.error.get_or_insert(error);
        }
        signature.id = self.first_proto + self.protos.len() as u32;
        let proto = Rc::new(function.finish(signature));
        self.protos.push(proto.clone());
        proto
    }

    /// Where a closure over body `id` finds its captures in the current function.
    fn capture_places(&mut self, id: ast::FnId) -> Vec<Capture> {
        let captures = self.resolved.function(id).map(|info| &info.captures[..]);
        let mut places = Vec::new();
        for capture in captures.unwrap_or_default() {
            places.push(match capture.from {
                From::Local(local) => Capture::Register(self.local_register(local)),
                From::Capture(index) => Capture::Outer(self.f.capture_operand(index)),
            });
        }
        places
    }

    /// Parameters: registers, defaults, boxes, patterns.
    fn parameters(&mut self, params: &'a [Param]) -> Vec<ParamInfo> {
        let first = self.f.temps(params.len());
        let mut infos = Vec::new();
        for (i, param) in params.iter().enumerate() {
            let register = first + i as u8;
            let name = match &param.pattern.kind {
                PatternKind::Bind(ident) => {
                    if let Some(Place::Local(local)) = self.resolved.place(ident.id) {
                        self.f.locals.insert(*local, register);
                    }
                    ident.name.clone()
                }
                _ => "_".into(),
            };
            infos.push(ParamInfo {
                name,
                optional: param.default.is_some(),
                rest: param.rest,
            });
        }
        for (i, param) in params.iter().enumerate() {
            let register = first + i as u8;
            if let Some(default) = &param.default {
                let given = self.f.jump(Op::JGiven, register, 0, 0);
                self.expr_to(default, register);
                self.f.patch([given]);
            }
            self.parameter_pattern(&param.pattern, register);
        }
        infos
    }

    fn parameter_pattern(&mut self, pattern: &'a Pattern, register: u8) {
        match &pattern.kind {
            PatternKind::Bind(ident) => self.box_parameter(ident, register),
            PatternKind::Ignore => {}
            _ => self.bind_pattern(pattern, register),
        }
    }

    fn box_parameter(&mut self, ident: &'a Ident, register: u8) {
        if let Some(Place::Local(local)) = self.resolved.place(ident.id)
            && self.local_info(*local).0
        {
            self.f.emit(Op::NewBox, register, register, 0);
        }
    }

    /// The statements of a function with its deferred calls around them, up to its return.
    fn body(&mut self, statements: &'a [Stmt], block: Option<&'a Block>) {
        let defers = statements_defer(statements);
        let list = defers.then(|| {
            let list = self.f.temp();
            self.f.emit(Op::NewList, list, 0, 0);
            self.f.open_region(Cleanup::Defers(list));
            list
        });
        let Some(list) = list else {
            return self.tail_statements(statements, block);
        };
        let result = self.f.temp();
        self.statements(statements, Some(result));
        if let Some(block) = block {
            self.f.at(block.span);
        }
        self.run_defers(list);
        self.f.emit(Op::Return, result, 0, 0);
        self.close_defers(list);
    }

    /// The statements of a body that ends with them: the value of the last is returned where it is computed.
    fn tail_statements(&mut self, statements: &'a [Stmt], block: Option<&'a Block>) {
        let mark = self.f.next;
        match statements.split_last() {
            Some((last, others)) => {
                self.enter_block(statements);
                others
                    .iter()
                    .for_each(|statement| self.statement(statement));
                match &last.kind {
                    StmtKind::Expr(e) => {
                        self.f.at(last.span);
                        self.tail(e);
                    }
                    _ => {
                        self.statement(last);
                        self.f.at(block.map_or(last.span, |block| block.span));
                        self.f.emit(Op::ReturnNil, 0, 0, 0);
                    }
                }
            }
            None => self.f.emit(Op::ReturnNil, 0, 0, 0),
        }
        self.f.next = mark;
    }

    /// Returns the value of an expression.
    fn tail(&mut self, e: &'a ast::Expr) {
        match &e.kind {
            ExprKind::Paren(inner) => self.tail(inner),
            ExprKind::Do(body) => self.tail_statements(&body.body, Some(body)),
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => {
                let no = self.jump_if(condition, false);
                self.tail_statements(&then.body, Some(then));
                self.f.patch(no);
                match otherwise {
                    Some(block) => self.tail_statements(&block.body, Some(block)),
                    None => self.f.emit(Op::ReturnNil, 0, 0, 0),
                }
            }
            _ => {
                let mark = self.f.next;
                let value = self.expr(e);
                self.f.emit(Op::Return, value, 0, 0);
                self.f.next = mark;
            }
        }
    }

    /// The handler of a function with deferred calls.
    fn close_defers(&mut self, list: u8) {
        let error = self.f.temp();
        let made = self.f.close_region(error, true);
        let target = self.f.here();
        self.run_defers(list);
        // An error in a deferred call replaces the one before, which becomes its cause, and the other deferred calls still run.
        self.f.cover(target, self.f.here(), error, true);
        self.f
            .set_target(made.start..self.f.handler_count(), target);
        self.f.rethrow(error, target);
    }

    /// Calls the deferred functions of a list, the last first.
    pub(super) fn run_defers(&mut self, list: u8) {
        let mark = self.f.next;
        let function = self.f.temp();
        let top = self.f.here();
        let end = self.f.jump(Op::PopDefer, function, list, 0);
        self.f.emit(Op::Call, function, 0, function);
        self.f.loop_to(top);
        self.f.patch([end]);
        self.f.next = mark;
    }

    /// What a block makes when it is entered: first the boxes of variables that are needed early, then the functions and
    /// structs among them, in source order.
    pub(super) fn enter_block(&mut self, statements: &'a [Stmt]) {
        for statement in statements {
            let mut names = Vec::new();
            match &statement.kind {
                StmtKind::Let { pattern, .. } => pattern_names(pattern, &mut names),
                StmtKind::Shared { name, .. } | StmtKind::Fn { name, .. } => names.push(name),
                StmtKind::Struct(decl) => names.push(&decl.name),
                _ => {}
            }
            names.iter().for_each(|name| self.forget(name));
            names.iter().for_each(|name| self.enter_name(name));
        }
        for statement in statements {
            match &statement.kind {
                StmtKind::Fn { name, function } if self.is_early(name) => {
                    self.f.at(statement.span);
                    self.declare_function(name, function);
                }
                StmtKind::Struct(decl) if self.is_early(&decl.name) => {
                    self.f.at(statement.span);
                    self.declare_struct(decl);
                }
                _ => {}
            }
        }
    }

    fn enter_name(&mut self, name: &Ident) {
        if let Some(Place::Local(local)) = self.resolved.place(name.id) {
            let (boxed, early) = self.local_info(*local);
            if early && boxed {
                let register = self.local_register(*local);
                self.f.emit(Op::LoadUndef, register, 0, 0);
                self.f.emit(Op::NewBox, register, register, 0);
            }
        }
    }

    /// Whether a function or struct is made when its block is entered.
    pub(super) fn is_early(&self, name: &Ident) -> bool {
        match self.resolved.place(name.id) {
            Some(Place::Local(local)) => self.local_info(*local).1,
            Some(Place::Global(_)) => true,
            _ => false,
        }
    }

    /// `fn name(...) { }`.
    pub(super) fn declare_function(&mut self, name: &'a Ident, function: &'a ast::Function) {
        let mark = self.f.next;
        let target = self.declaration_target(name);
        let value = self.f.temp();
        let inner = self.function(function);
        self.f.emit_x(Op::Closure, value, inner);
        self.store_declared(target, value);
        self.f.next = self.after_declaration(target, mark);
    }

    /// Where a function or struct goes; its box, when it needs one that is not there yet, is made first: the closure captures it.
    fn declaration_target(&mut self, name: &'a Ident) -> Target {
        let target = self.target(name);
        if let Target::Local {
            register,
            boxed: true,
            early: false,
        } = target
        {
            self.f.emit(Op::LoadUndef, register, 0, 0);
            self.f.emit(Op::NewBox, register, register, 0);
        }
        target
    }

    fn store_declared(&mut self, target: Target, value: u8) {
        match target {
            Target::Local {
                register,
                boxed: true,
                ..
            } => self.f.emit(Op::SetBox, register, value, 0),
            Target::Local { register, .. } => self.f.emit(Op::Move, register, value, 0),
            Target::Global(slot) => self.f.emit_x(Op::SetGlobal, value, slot),
            Target::None => {}
        }
    }

    /// The first free register after a declaration that began at `mark`: its own variable stays.
    fn after_declaration(&self, target: Target, mark: u16) -> u16 {
        match target {
            Target::Local { register, .. } => mark.max(u16::from(register) + 1),
            _ => mark,
        }
    }

    /// `struct Name { ... }`.
    pub(super) fn declare_struct(&mut self, decl: &'a StructDecl) {
        let mark = self.f.next;
        let target = self.declaration_target(&decl.name);
        let (of, value) = (self.f.temp(), self.f.temp());
        let info = StructInfo {
            id: self.next_struct,
            name: decl.name.name.clone(),
            fields: decl.fields.iter().map(|f| f.name.name.clone()).collect(),
            doc: decl.doc.clone(),
        };
        self.next_struct += 1;
        self.f.structs.push(info);
        self.f
            .emit_x(Op::Struct, of, self.f.structs.len() as u16 - 1);
        for (name, function) in &decl.methods {
            let inner = self.function(function);
            self.f.emit_x(Op::Closure, value, inner);
            let constant = self.f.str_constant(self.heap, &name.name);
            self.f.emit(Op::AddMethod, of, value, 0);
            self.f.word(u32::from(constant));
        }
        let inner = self.constructor(decl, of);
        self.f.emit_x(Op::Closure, value, inner);
        let constant = self.f.str_constant(self.heap, &"".into());
        self.f.emit(Op::AddMethod, of, value, 0);
        self.f.word(u32::from(constant));
        self.store_declared(target, of);
        self.f.next = self.after_declaration(target, mark);
    }

    /// The function that makes an instance: its parameters are the fields; it captures the struct type, which stands in `of`.
    fn constructor(&mut self, decl: &'a StructDecl, of: u8) -> u16 {
        // With the default values, which are its code.
        let mut span = decl.name.span;
        let defaults = decl
            .fields
            .iter()
            .filter_map(|field| field.default.as_ref());
        span.end = defaults.fold(span.end, |end, default| end.max(default.span.end));
        let inner = Function::new(decl.constructor, span);
        let outer = std::mem::replace(&mut self.f, inner);
        self.f.capture_offset = 1;
        let first = self.f.temps(decl.fields.len());
        let mut params = Vec::new();
        for (i, field) in decl.fields.iter().enumerate() {
            if let Some(Place::Local(local)) = self.resolved.place(field.name.id) {
                self.f.locals.insert(*local, first + i as u8);
            }
            params.push(ParamInfo {
                name: field.name.name.clone(),
                optional: field.default.is_some(),
                rest: false,
            });
        }
        for (i, field) in decl.fields.iter().enumerate() {
            if let Some(default) = &field.default {
                let register = first + i as u8;
                let given = self.f.jump(Op::JGiven, register, 0, 0);
                self.expr_to(default, register);
                self.f.patch([given]);
            }
        }
        let call = self.f.temps(2);
        let instance = call + 1;
        self.f
            .emit(Op::NewInstance, instance, decl.fields.len() as u8, 0);
        if decl.methods.iter().any(|(name, _)| &*name.name == "init") {
            // The instance is read again from its register: the call leaves it there.
            let keep = self.f.temps(3);
            self.f.emit(Op::Move, keep + 1, instance, 0);
            let site = self.f.site(self.heap, &"init".into());
            self.f.emit(Op::Method, keep, 0, keep + 2);
            self.f.word(site);
        }
        self.f.emit(Op::Return, instance, 0, 0);
        let mut signature = self.signature(decl.constructor, decl.name.name.clone(), params);
        signature.capture_names.insert(0, decl.name.name.clone());
        signature.doc = decl.doc.clone();
        let proto = {
            let inner = std::mem::replace(&mut self.f, outer);
            let mut captures = vec![Capture::Register(of)];
            captures.extend(self.capture_places(decl.constructor));
            signature.captures = captures;
            let outer = std::mem::replace(&mut self.f, inner);
            let proto = self.finish(signature);
            self.f = outer;
            proto
        };
        self.inner(proto)
    }
}

/// All names that a pattern binds.
pub(super) fn pattern_names<'p>(pattern: &'p Pattern, names: &mut Vec<&'p Ident>) {
    match &pattern.kind {
        PatternKind::Bind(name) => names.push(name),
        PatternKind::Ignore | PatternKind::Literal(_) => {}
        PatternKind::List { items, rest } => {
            items.iter().for_each(|item| pattern_names(item, names));
            names.extend(rest.iter().flatten());
        }
        PatternKind::Map { entries, rest } => {
            entries.iter().for_each(|(_, _, p)| pattern_names(p, names));
            names.extend(rest);
        }
        PatternKind::Or(choices) => choices.iter().for_each(|p| pattern_names(p, names)),
    }
}

/// Whether statements defer something, in blocks of theirs too, functions excepted.
fn statements_defer(statements: &[Stmt]) -> bool {
    statements.iter().any(|statement| match &statement.kind {
        StmtKind::Defer(_) => true,
        StmtKind::While { body, .. } | StmtKind::For { body, .. } => statements_defer(&body.body),
        StmtKind::Expr(e)
        | StmtKind::Let { value: Some(e), .. }
        | StmtKind::Assign { value: e, .. }
        | StmtKind::Return(Some(e)) => blocks_defer(e),
        _ => false,
    })
}

/// Whether the blocks that an expression consists of defer something.
fn blocks_defer(e: &ast::Expr) -> bool {
    let some = |b: &Option<Block>| b.as_ref().is_some_and(|b| statements_defer(&b.body));
    match &e.kind {
        ExprKind::If {
            then, otherwise, ..
        } => statements_defer(&then.body) || some(otherwise),
        ExprKind::Match {
            cases, otherwise, ..
        } => cases.iter().any(|c| statements_defer(&c.body.body)) || some(otherwise),
        ExprKind::Try {
            body,
            catches,
            finally,
        } => {
            statements_defer(&body.body)
                || catches.iter().any(|c| statements_defer(&c.body.body))
                || some(finally)
        }
        ExprKind::Do(body)
        | ExprKind::With { body, .. }
        | ExprKind::Lock { body, .. }
        | ExprKind::Scope { body, .. } => statements_defer(&body.body),
        ExprKind::Select {
            cases,
            after,
            otherwise,
            ..
        } => {
            cases.iter().any(|c| statements_defer(&c.body.body))
                || after.as_ref().is_some_and(|a| statements_defer(&a.1.body))
                || some(otherwise)
        }
        ExprKind::Paren(inner) => blocks_defer(inner),
        _ => false,
    }
}

//! Statements, branches and loops.

use super::Compiler;
use super::code::Op;
use super::function::{Leave, Loop};
use super::names::Target;
use super::pattern::Fails;
use crate::builtins::pool::{BROKEN_OFF, LEFT_OUT};
use crate::syntax::ast::{Block, Expr, ExprKind, MatchCase, Pattern, PatternKind, Stmt, StmtKind};

impl<'a> Compiler<'a> {
    /// The statements of a block; the value of the last, when it is an expression, goes to `dest`.
    pub(super) fn statements(&mut self, statements: &'a [Stmt], dest: Option<u8>) {
        self.enter_block(statements);
        let Some((last, others)) = statements.split_last() else {
            if let Some(dest) = dest {
                self.f.emit(Op::LoadNil, dest, 0, 0);
            }
            return;
        };
        for statement in others {
            self.statement(statement);
        }
        match (&last.kind, dest) {
            (StmtKind::Expr(e), Some(dest)) => {
                self.f.at(last.span);
                self.expr_to(e, dest);
            }
            (_, dest) => {
                self.statement(last);
                if let Some(dest) = dest {
                    self.f.emit(Op::LoadNil, dest, 0, 0);
                }
            }
        }
    }

    /// One statement. Registers of the variables that it declares stay, all others are free again.
    pub(super) fn statement(&mut self, statement: &'a Stmt) {
        let mark = self.f.next;
        self.f.at(statement.span);
        match &statement.kind {
            StmtKind::Let { pattern, value, .. } => return self.declare(pattern, value.as_ref()),
            StmtKind::Shared { name, value } => return self.declare_shared(name, value),
            StmtKind::Fn { name, function } => {
                if !self.is_early(name) {
                    self.declare_function(name, function);
                }
                return;
            }
            StmtKind::Struct(decl) => {
                if !self.is_early(&decl.name) {
                    self.declare_struct(decl);
                }
                return;
            }
            StmtKind::Import { .. } => {}
            StmtKind::Assign { target, value } => self.assign(target, value),
            StmtKind::Compound {
                op, target, value, ..
            } => self.compound(*op, target, value),
            StmtKind::While { condition, body } => self.while_loop(condition, body),
            StmtKind::For {
                patterns,
                iterable,
                body,
            } => self.for_loop(patterns, iterable, |this| this.block(body, None)),
            StmtKind::Return(value) => self.return_value(value.as_ref()),
            StmtKind::Break => self.leave_loop(true),
            StmtKind::Continue => self.leave_loop(false),
            StmtKind::Throw(e) => {
                let error = self.expr(e);
                self.f.emit(Op::Throw, error, 0, 0);
            }
            StmtKind::Defer(function) => self.defer(function),
            // Only `par test` runs one: it makes a call of it before compiling.
            StmtKind::Test { .. } => {}
            StmtKind::Expr(e) => self.effect(e),
        }
        self.f.next = mark;
    }

    /// `if condition { } else { }`.
    pub(super) fn if_else(
        &mut self,
        condition: &'a Expr,
        then: &'a Block,
        otherwise: Option<&'a Block>,
        dest: Option<u8>,
    ) {
        let no = self.jump_if(condition, false);
        self.block(then, dest);
        if otherwise.is_none() && dest.is_none() {
            return self.f.patch(no);
        }
        let end = self.f.jump(Op::Jump, 0, 0, 0);
        self.f.patch(no);
        match (otherwise, dest) {
            (Some(block), dest) => self.block(block, dest),
            (None, Some(dest)) => self.f.emit(Op::LoadNil, dest, 0, 0),
            (None, None) => {}
        }
        self.f.patch([end]);
    }

    fn open_loop(&mut self) {
        self.f.loops.push(Loop {
            regions: self.f.regions.len(),
            breaks: Vec::new(),
            continues: Vec::new(),
        });
    }

    /// `while condition { }`.
    fn while_loop(&mut self, condition: &'a Expr, body: &'a Block) {
        // The condition stands behind the body: one jump a round.
        let entry = match &condition.kind {
            ExprKind::Bool(true) => None,
            _ => Some(self.f.jump(Op::Jump, 0, 0, 0)),
        };
        let top = self.f.here();
        self.open_loop();
        self.block(body, None);
        let done = self.f.loops.pop();
        let (breaks, continues) = done.map_or_else(Default::default, |l| (l.breaks, l.continues));
        self.f.patch(entry);
        self.f.patch(continues);
        if entry.is_none() {
            self.f.loop_to(top);
        } else {
            for patch in self.jump_if(condition, true) {
                self.f.patch_to(patch, top);
            }
        }
        self.f.patch(breaks);
    }

    /// `for patterns in iterable { }` and comprehensions.
    pub(super) fn for_loop(
        &mut self,
        patterns: &'a [Pattern],
        iterable: &'a Expr,
        body: impl FnOnce(&mut Self),
    ) {
        let mark = self.f.next;
        if gives_leases(iterable) {
            // The lease of a round ends with it, however that is left: as if the body stood in a `with`.
            self.lease_loop(patterns, iterable, body);
            self.f.next = mark;
            return;
        }
        match (range_ends(iterable), patterns) {
            (Some((start, end, inclusive)), [pattern]) => {
                self.count_loop(pattern, (start, end, inclusive), body);
            }
            _ => self.iterate_loop(patterns, iterable, body),
        }
        self.f.next = mark;
    }

    /// A loop over a range that is written where it is used: no range is made.
    fn count_loop(
        &mut self,
        pattern: &'a Pattern,
        (start, end, inclusive): (&'a Expr, &'a Expr, bool),
        body: impl FnOnce(&mut Self),
    ) {
        let state = self.f.temps(2);
        self.expr_to(start, state);
        self.expr_to(end, state + 1);
        let item = self.f.temp();
        let exit = self.f.jump(Op::ForPrep, state, u8::from(inclusive), 0);
        let top = self.f.here();
        let (breaks, next) = self.loop_body(std::slice::from_ref(pattern), item, body);
        self.f.patch(next);
        self.f.jump_to(Op::ForLoop, state, 0, top);
        self.f.patch([exit]);
        self.f.patch(breaks);
    }

    /// `for lease in q.leases() { }`.
    fn lease_loop(
        &mut self,
        patterns: &'a [Pattern],
        iterable: &'a Expr,
        body: impl FnOnce(&mut Self),
    ) {
        self.iterate_loop_over(patterns, iterable, |this, items| {
            let lease = this.f.temp();
            this.f.emit(Op::Move, lease, items, 0);
            this.guarded(Leave::Lease, lease, body);
        });
    }

    fn iterate_loop(
        &mut self,
        patterns: &'a [Pattern],
        iterable: &'a Expr,
        body: impl FnOnce(&mut Self),
    ) {
        self.iterate_loop_over(patterns, iterable, |this, _| body(this));
    }

    /// The body is told where the items stand.
    fn iterate_loop_over(
        &mut self,
        patterns: &'a [Pattern],
        iterable: &'a Expr,
        body: impl FnOnce(&mut Self, u8),
    ) {
        let in_pieces = gives_pieces(patterns, iterable);
        let state = self.f.temps(if in_pieces { 3 } else { 2 });
        self.expr_to(iterable, state);
        let prepare = match in_pieces {
            true => Op::PiecesPrep,
            false => Op::IterPrep,
        };
        self.f.emit(prepare, state, 0, 0);
        match reads_lines(iterable) {
            true => self.guarded(Leave::Loop, state, |this| {
                this.iterate(patterns, iterable, state, body)
            }),
            false => self.iterate(patterns, iterable, state, body),
        }
    }

    /// The rounds of a loop whose state is prepared.
    fn iterate(
        &mut self,
        patterns: &'a [Pattern],
        iterable: &'a Expr,
        state: u8,
        body: impl FnOnce(&mut Self, u8),
    ) {
        let items = self.f.temps(patterns.len());
        let body = |this: &mut Self| body(this, items);
        let first = self.f.jump(Op::Jump, 0, 0, 0);
        let top = self.f.here();
        let (breaks, next) = self.loop_body(patterns, items, body);
        self.f.patch(next);
        self.f.patch([first]);
        let op = match patterns.len() {
            1 => Op::IterNext,
            _ => Op::IterNext2,
        };
        let before = self.f.at(iterable.span);
        let next = self.f.here();
        self.f.jump_to(op, state, items, top);
        if gives_pieces(patterns, iterable) {
            self.f.jump_to(Op::PiecesNext, state, 0, next);
        }
        self.f.at(before);
        self.f.patch(breaks);
    }

    /// Binds the items, which stand in registers from `items` on, and runs the body. Returns the jumps out of the loop and
    /// those to its next round.
    fn loop_body(
        &mut self,
        patterns: &'a [Pattern],
        items: u8,
        body: impl FnOnce(&mut Self),
    ) -> (Vec<super::function::Patch>, Vec<super::function::Patch>) {
        self.open_loop();
        for (i, pattern) in patterns.iter().enumerate() {
            let item = items + i as u8;
            match &pattern.kind {
                PatternKind::Ignore => {}
                PatternKind::Bind(name) => {
                    self.forget(name);
                    if let Some(&crate::check::Place::Local(local)) = self.resolved.place(name.id)
                        && !self.local_info(local).0
                    {
                        self.f.locals.insert(local, item);
                        continue;
                    }
                    let target = self.target(name);
                    self.store_new(target, item);
                }
                _ => {
                    self.forget_pattern(pattern);
                    self.bind_pattern(pattern, item);
                }
            }
        }
        body(self);
        let done = self.f.loops.pop();
        done.map_or_else(Default::default, |l| (l.breaks, l.continues))
    }

    /// `break` (or `continue`): what the blocks between here and the loop must do is done first.
    fn leave_loop(&mut self, out: bool) {
        let Some(regions) = self.f.loops.last().map(|l| l.regions) else {
            return self.leave_map(out);
        };
        self.clean_up(regions);
        let jump = self.f.jump(Op::Jump, 0, 0, 0);
        if let Some(open) = self.f.loops.last_mut() {
            match out {
                true => open.breaks.push(jump),
                false => open.continues.push(jump),
            }
        }
    }

    /// `break` (or `continue`) in the body of a `pool map`: the body returns what stands for it.
    fn leave_map(&mut self, out: bool) {
        let name = if out { BROKEN_OFF } else { LEFT_OUT };
        let native = self.intrinsic(name);
        let constant = self.f.native_constant(native);
        let register = self.f.temp();
        self.f.emit_x(Op::LoadK, register, constant);
        self.clean_up(0);
        self.f.emit(Op::Return, register, 0, 0);
    }

    fn return_value(&mut self, value: Option<&'a Expr>) {
        if self.f.regions.is_empty() {
            return match value {
                Some(e) => {
                    let register = self.expr(e);
                    self.f.emit(Op::Return, register, 0, 0);
                }
                None => self.f.emit(Op::ReturnNil, 0, 0, 0),
            };
        }
        // What runs on the way out may change the variable that the value comes from.
        let register = self.f.temp();
        match value {
            Some(e) => self.expr_to(e, register),
            None => self.f.emit(Op::LoadNil, register, 0, 0),
        }
        self.clean_up(0);
        self.f.emit(Op::Return, register, 0, 0);
    }

    /// `match subject { case ... }`.
    pub(super) fn match_cases(
        &mut self,
        subject: &'a Expr,
        cases: &'a [MatchCase],
        otherwise: Option<&'a Block>,
        dest: Option<u8>,
    ) {
        // In a register of its own: the cases may assign to the variable that it comes from, and to the destination.
        let value = self.push(subject);
        let mut ends = Vec::new();
        for case in cases {
            let mark = self.f.next;
            let mut fails = Fails::default();
            self.forget_pattern(&case.pattern);
            self.reserve_pattern(&case.pattern);
            self.test_pattern(&case.pattern, value, &mut fails);
            if let Some(guard) = &case.guard {
                let no = self.jump_if(guard, false);
                fails.extend(no);
            }
            self.block(&case.body, dest);
            ends.push(self.f.jump(Op::Jump, 0, 0, 0));
            self.f.patch(fails);
            self.f.next = mark;
        }
        match (otherwise, dest) {
            (Some(block), dest) => self.block(block, dest),
            (None, Some(dest)) => self.f.emit(Op::LoadNil, dest, 0, 0),
            (None, None) => {}
        }
        self.f.patch(ends);
    }

    /// `let pattern = value`.
    fn declare(&mut self, pattern: &'a Pattern, value: Option<&'a Expr>) {
        if let PatternKind::Bind(name) = &pattern.kind {
            return self.declare_name(name, value);
        }
        self.reserve_pattern(pattern);
        let mark = self.f.next;
        if let Some(value) = value {
            let register = self.push(value);
            self.bind_pattern(pattern, register);
        }
        self.f.next = mark;
    }

    /// `let name = value`.
    pub(super) fn declare_name(
        &mut self,
        name: &'a crate::syntax::ast::Ident,
        value: Option<&'a Expr>,
    ) {
        let target = self.target(name);
        let mark = self.f.next;
        let register = match target {
            Target::Local {
                register,
                boxed: false,
                ..
            } => register,
            _ => self.f.temp(),
        };
        match value {
            Some(value) => self.expr_to(value, register),
            None => self.f.emit(Op::LoadNil, register, 0, 0),
        }
        self.store_new(target, register);
        self.f.next = mark;
    }

    /// `shared name = value`.
    fn declare_shared(&mut self, name: &'a crate::syntax::ast::Ident, value: &'a Expr) {
        let target = self.target(name);
        let mark = self.f.next;
        let native = crate::builtins::function("shared");
        let native = native.unwrap_or_else(|| self.intrinsic("@shared"));
        let arguments = native.params.iter().filter(|p| !p.starts_with("..."));
        let count = arguments.count().max(1);
        let function = self.f.temps(count + 1);
        self.expr_to(value, function + 1);
        for i in 1..count {
            self.f.emit(Op::LoadUndef, function + 1 + i as u8, 0, 0);
        }
        self.native(native, function, count as u8, function);
        self.store_new(target, function);
        self.f.next = mark;
    }
}

/// Whether a loop goes over `something.leases()`.
fn gives_leases(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Paren(inner) => gives_leases(inner),
        ExprKind::Method { name, args, .. } => &*name.name == "leases" && args.is_empty(),
        _ => false,
    }
}

/// The ends of a range literal with both.
fn range_ends(e: &Expr) -> Option<(&Expr, &Expr, bool)> {
    match &e.kind {
        ExprKind::Paren(inner) => range_ends(inner),
        ExprKind::Range {
            start: Some(start),
            end: Some(end),
            inclusive,
        } => Some((start, end, *inclusive)),
        _ => None,
    }
}

/// Whether what a loop goes over is made where it stands from the lines of something, perhaps of a program that runs:
/// leaving the loop ends it. Other loops pay nothing for it.
fn reads_lines(iterable: &Expr) -> bool {
    match &iterable.kind {
        ExprKind::Method {
            receiver,
            name,
            args,
        } => {
            &*name.name == "lines"
                || reads_lines(receiver)
                || args.iter().any(|arg| reads_lines(&arg.value))
        }
        ExprKind::Call { args, .. } => args.iter().any(|arg| reads_lines(&arg.value)),
        ExprKind::Paren(inner) => reads_lines(inner),
        _ => false,
    }
}

/// Whether what a loop goes over is made by a method that may give it piece by piece where nobody but the loop sees it
/// (see [`crate::value::native::Context::is_for_loop`]).
fn gives_pieces(patterns: &[Pattern], iterable: &Expr) -> bool {
    match &iterable.kind {
        ExprKind::Method { name, .. } if patterns.len() == 1 => {
            matches!(&*name.name, "split" | "lines" | "splitlines")
        }
        _ => false,
    }
}

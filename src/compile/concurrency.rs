//! The constructs of processes: each becomes a call of an intrinsic of `builtins`.

use super::Compiler;
use super::code::Op;
use super::function::Leave;
use crate::syntax::ast::{Arg, Block, Expr, ExprKind, Piece, SelectCase, SpawnWhat, Word};
use std::rc::Rc;

/// What `select` answers for `after` and for `else`.
const AFTER: i16 = -1;
const ELSE: i16 = -2;

impl<'a> Compiler<'a> {
    /// The constructs that are one call.
    pub(super) fn construct(&mut self, e: &'a Expr, dest: u8) {
        match &e.kind {
            ExprKind::Command(words) => self.command(words, dest),
            ExprKind::Spawn { options, what } => self.spawn(options, what, dest),
            ExprKind::Join { options, target } => {
                let function = self.f.temps(3);
                self.options_to(options, function + 1);
                self.expr_to(target, function + 2);
                self.call_intrinsic("@join", function, 2, dest);
            }
            ExprKind::PoolMap {
                options,
                pairs,
                iterable,
                body,
            } => {
                let function = self.f.temps(5);
                self.options_to(options, function + 1);
                self.expr_to(iterable, function + 2);
                let inner = self.function(body);
                self.f.emit_x(Op::Closure, function + 3, inner);
                self.f.emit(Op::LoadBool, function + 4, u8::from(*pairs), 0);
                self.call_intrinsic("@pool_map", function, 4, dest);
            }
            ExprKind::PoolCall { args } => {
                let native = self.intrinsic("@pool_call");
                self.call_native(native, args, dest);
            }
            _ => {}
        }
    }

    fn call_intrinsic(&mut self, name: &str, function: u8, count: u8, dest: u8) {
        let native = self.intrinsic(name);
        self.native(native, function, count, dest);
    }

    /// A command: a list of words, each `[kind, part, ...]`. A value's text is read where it is, when the command is made.
    fn command(&mut self, words: &'a [Word], dest: u8) {
        let function = self.f.temps(2);
        let list = function + 1;
        self.f.emit(Op::NewList, list, 0, 0);
        for word in words {
            let mark = self.f.next;
            let inner = self.f.temps(2);
            let kind = match (word.spreads, word.home) {
                (true, _) => "spread",
                (_, true) => "home",
                _ => "plain",
            };
            let constant = self.text(&Rc::from(kind));
            self.f.emit_x(Op::LoadK, inner + 1, constant);
            self.f.emit(Op::NewList, inner, inner + 1, 1);
            for part in &word.parts {
                match part {
                    Piece::Text(text) => {
                        let constant = self.text(text);
                        self.f.emit_x(Op::LoadK, inner + 1, constant);
                    }
                    Piece::Expr(e) => self.expr_to(e, inner + 1),
                }
                self.f.emit(Op::ListPush, inner, inner + 1, 0);
            }
            self.f.emit(Op::ListPush, list, inner, 0);
            self.f.next = mark;
        }
        self.call_intrinsic("@command", function, 1, dest);
    }

    fn spawn(&mut self, options: &'a [Arg], what: &'a SpawnWhat, dest: u8) {
        let function = self.f.temps(5);
        self.options_to(options, function + 1);
        match what {
            SpawnWhat::Call { callee, args } => {
                self.expr_to(callee, function + 2);
                self.argument_list(args, function + 3);
                self.argument_names(args, function + 4);
            }
            SpawnWhat::Block(body) => {
                let inner = self.function(body);
                self.f.emit_x(Op::Closure, function + 2, inner);
                self.f.emit(Op::NewList, function + 3, 0, 0);
                self.f.emit(Op::LoadNil, function + 4, 0, 0);
            }
            SpawnWhat::Command(command) => {
                self.expr_to(command, function + 2);
                return self.call_intrinsic("@spawn_command", function, 2, dest);
            }
        }
        self.call_intrinsic("@spawn", function, 4, dest);
    }

    /// `lock(options) a, b { }`.
    pub(super) fn lock(
        &mut self,
        options: &'a [Arg],
        locks: &'a [Expr],
        body: &'a Block,
        dest: Option<u8>,
    ) {
        let mark = self.f.next;
        let guard = self.f.temps(3);
        if let ([], [one]) = (options, locks) {
            // Nearly every block: nothing is made on the way in or out.
            self.expr_to(one, guard + 1);
            self.call_intrinsic("@lock_one", guard, 1, guard);
        } else {
            self.options_to(options, guard + 1);
            self.f.emit(Op::NewList, guard + 2, 0, 0);
            for e in locks {
                let mark = self.f.next;
                let item = self.expr(e);
                self.f.emit(Op::ListPush, guard + 2, item, 0);
                self.f.next = mark;
            }
            self.call_intrinsic("@lock_enter", guard, 2, guard);
        }
        self.f.next = u16::from(guard) + 1;
        self.guarded(Leave::Lock, guard, |this| this.block(body, dest));
        self.f.next = mark;
    }

    /// `scope(options) { }`.
    pub(super) fn scope(&mut self, options: &'a [Arg], body: &'a Block, dest: Option<u8>) {
        let mark = self.f.next;
        let guard = self.f.temps(2);
        self.options_to(options, guard + 1);
        self.call_intrinsic("@scope_enter", guard, 1, guard);
        self.f.next = u16::from(guard) + 1;
        self.guarded(Leave::Scope, guard, |this| this.block(body, dest));
        self.f.next = mark;
    }

    /// `select(options) { case ... after ... else ... }`.
    pub(super) fn select(
        &mut self,
        options: &'a [Arg],
        cases: &'a [SelectCase],
        after: Option<&'a (Expr, Block)>,
        otherwise: Option<&'a Block>,
        dest: Option<u8>,
    ) {
        let mark = self.f.next;
        let (chosen, value) = (self.f.temp(), self.f.temp());
        let function = self.f.temps(5);
        self.options_to(options, function + 1);
        self.f.emit(Op::NewList, function + 2, 0, 0);
        for case in cases {
            self.select_case(&case.operation, function + 2);
        }
        match after {
            Some((time, _)) => self.expr_to(time, function + 3),
            None => self.f.emit(Op::LoadNil, function + 3, 0, 0),
        }
        let has_else = u8::from(otherwise.is_some());
        self.f.emit(Op::LoadBool, function + 4, has_else, 0);
        self.call_intrinsic("@select", function, 4, function);
        self.f.emit(Op::GetIndexI, chosen, function, 0);
        self.f.emit(Op::GetIndexI, value, function, 1);
        self.f.next = u16::from(function);

        let mut ends = Vec::new();
        for (i, case) in cases.iter().enumerate() {
            let mark = self.f.next;
            let next = self.f.jump_x(Op::JNeI, chosen, i as u16);
            if let Some(pattern) = &case.pattern {
                self.forget_pattern(pattern);
                self.bind_pattern(pattern, value);
            }
            self.block(&case.body, dest);
            ends.push(self.f.jump(Op::Jump, 0, 0, 0));
            self.f.patch([next]);
            self.f.next = mark;
        }
        let others = [(AFTER, after.map(|a| &a.1)), (ELSE, otherwise)];
        for (number, block) in others {
            if let Some(block) = block {
                let next = self.f.jump_x(Op::JNeI, chosen, number as u16);
                self.block(block, dest);
                ends.push(self.f.jump(Op::Jump, 0, 0, 0));
                self.f.patch([next]);
            }
        }
        if let Some(dest) = dest {
            self.f.emit(Op::LoadNil, dest, 0, 0);
        }
        self.f.patch(ends);
        self.f.next = mark;
    }

    /// One case as a list of operation name, object and arguments, appended to a list.
    fn select_case(&mut self, operation: &'a Expr, list: u8) {
        let mark = self.f.next;
        let case = self.f.temps(3);
        let name: Rc<str> = match &operation.kind {
            ExprKind::Method {
                receiver,
                name,
                args,
            } => {
                self.expr_to(receiver, case + 1);
                self.argument_list(args, case + 2);
                name.name.clone()
            }
            ExprKind::Join { target, .. } => {
                self.expr_to(target, case + 1);
                self.f.emit(Op::NewList, case + 2, 0, 0);
                "join".into()
            }
            _ => {
                self.expr_to(operation, case + 1);
                self.f.emit(Op::NewList, case + 2, 0, 0);
                "".into()
            }
        };
        let constant = self.text(&name);
        self.f.emit_x(Op::LoadK, case, constant);
        self.f.emit(Op::NewList, case, case, 3);
        self.f.emit(Op::ListPush, list, case, 0);
        self.f.next = mark;
    }
}

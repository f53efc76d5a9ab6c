//! Errors and ways out: `try`, `rescue`, `throw`, `defer`, `with`, and what runs when blocks are left early.

use super::Compiler;
use super::code::{OWN_END, Op};
use super::function::{Cleanup, Leave};
use crate::syntax::ast::{Block, Catch, Expr, Function, Ident};
use std::rc::Rc;

impl<'a> Compiler<'a> {
    /// `try { } catch e: Kind { } finally { }`.
    pub(super) fn try_catch(
        &mut self,
        body: &'a Block,
        catches: &'a [Catch],
        finally: Option<&'a Block>,
        dest: Option<u8>,
    ) {
        let mark = self.f.next;
        if let Some(finally) = finally {
            self.f.open_region(Cleanup::Finally(finally));
        }
        match catches {
            [] => self.block(body, dest),
            _ => self.catches(body, catches, dest),
        }
        if let Some(finally) = finally {
            let error = self.f.temp();
            let made = self.f.close_region(error, true);
            self.block(finally, None);
            let end = self.f.jump(Op::Jump, 0, 0, 0);
            let target = self.f.here();
            self.f.set_target(made, target);
            self.block(finally, None);
            self.f.rethrow(error, target);
            self.f.patch([end]);
        }
        self.f.next = mark;
    }

    fn catches(&mut self, body: &'a Block, catches: &'a [Catch], dest: Option<u8>) {
        self.f.open_region(Cleanup::None);
        self.block(body, dest);
        let error = self.f.temp();
        let made = self.f.close_region(error, false);
        let mut ends = vec![self.f.jump(Op::Jump, 0, 0, 0)];
        let start = self.f.here();
        self.f.set_target(made, start);
        for catch in catches {
            let mark = self.f.next;
            let mut found = Vec::new();
            for kind in &catch.kinds {
                let constant = self.text(&kind.name);
                found.push(self.f.jump_x(Op::CatchKind, error, constant));
            }
            let other = (!found.is_empty()).then(|| self.f.jump(Op::Jump, 0, 0, 0));
            self.f.patch(found);
            if let Some(name) = &catch.name {
                self.forget(name);
                let target = self.target(name);
                self.store_new(target, error);
            }
            self.block(&catch.body, dest);
            ends.push(self.f.jump(Op::Jump, 0, 0, 0));
            self.f.patch(other);
            self.f.next = mark;
        }
        self.f.rethrow(error, start);
        self.f.patch(ends);
    }

    /// `body rescue fallback`.
    pub(super) fn rescue(&mut self, body: &'a Expr, fallback: &'a Expr, dest: u8) {
        self.f.open_region(Cleanup::None);
        self.expr_to(body, dest);
        let error = self.f.temp();
        let made = self.f.close_region(error, false);
        let end = self.f.jump(Op::Jump, 0, 0, 0);
        let start = self.f.here();
        self.f.set_target(made, start);
        let constant = self.text(&Rc::from(OWN_END));
        let passed = [self.f.jump_x(Op::CatchKind, error, constant)];
        self.expr_to(fallback, dest);
        let rescued = self.f.jump(Op::Jump, 0, 0, 0);
        self.f.patch(passed);
        self.f.rethrow(error, start);
        self.f.patch([end, rescued]);
    }

    /// `defer ...`.
    pub(super) fn defer(&mut self, function: &'a Function) {
        let list = self
            .f
            .regions
            .iter()
            .find_map(|region| match region.cleanup {
                Cleanup::Defers(list) => Some(list),
                _ => None,
            });
        let value = self.f.temp();
        let inner = self.function(function);
        self.f.emit_x(Op::Closure, value, inner);
        if let Some(list) = list {
            self.f.emit(Op::PushDefer, list, value, 0);
        }
    }

    /// Emits what has to run when all regions from `depth` on are left at once, the innermost first.
    pub(super) fn clean_up(&mut self, depth: usize) {
        for at in (depth..self.f.regions.len()).rev() {
            let Some(cleanup) = self.f.regions.get(at).map(|region| region.cleanup) else {
                return;
            };
            match cleanup {
                Cleanup::None => {}
                Cleanup::Finally(block) => {
                    let taken = self.f.leave_regions(at);
                    self.block(block, None);
                    self.f.enter_regions(taken);
                }
                Cleanup::Leave(kind, thing) => {
                    let taken = self.f.leave_regions(at);
                    self.leave(kind, thing, None);
                    self.f.enter_regions(taken);
                }
                Cleanup::Defers(list) => {
                    // The handler of the deferred calls covers this too: after an error in one the others still run.
                    let taken = self.f.leave_regions(at + 1);
                    self.run_defers(list);
                    self.f.enter_regions(taken);
                }
            }
        }
    }

    /// Gives the thing in a register back: in order, or with the error in another register.
    fn leave(&mut self, kind: Leave, thing: u8, error: Option<u8>) {
        let mark = self.f.next;
        let function = self.f.temps(3);
        self.f.emit(Op::Move, function + 1, thing, 0);
        let (name, count) = match kind {
            Leave::Lock => ("@lock_leave", 1),
            Leave::Loop => ("@loop_leave", 1),
            Leave::With => ("@with_leave", 2),
            Leave::Lease => ("@lease_leave", 2),
            Leave::Scope => ("@scope_leave", 2),
        };
        match error {
            Some(error) => self.f.emit(Op::Move, function + 2, error, 0),
            None => self.f.emit(Op::LoadNil, function + 2, 0, 0),
        }
        let native = self.intrinsic(name);
        self.native(native, function, count, function);
        self.f.next = mark;
    }

    /// Runs `body` with a thing (in a register) that is given back however the body is left.
    pub(super) fn guarded(&mut self, kind: Leave, thing: u8, body: impl FnOnce(&mut Self)) {
        self.f.open_region(Cleanup::Leave(kind, thing));
        body(self);
        let error = self.f.temp();
        let made = self.f.close_region(error, true);
        self.leave(kind, thing, None);
        let end = self.f.jump(Op::Jump, 0, 0, 0);
        let start = self.f.here();
        self.f.set_target(made, start);
        self.leave(kind, thing, Some(error));
        self.f.rethrow(error, start);
        self.f.patch([end]);
    }

    /// `with e as name, ... { }`.
    pub(super) fn with(
        &mut self,
        items: &'a [(Expr, Option<Ident>)],
        body: &'a Block,
        dest: Option<u8>,
    ) {
        let Some(((e, name), others)) = items.split_first() else {
            return self.block(body, dest);
        };
        let mark = self.f.next;
        let thing = self.push(e);
        if let Some(name) = name {
            self.forget(name);
            self.target(name);
        }
        let function = self.f.temps(2);
        self.f.emit(Op::Move, function + 1, thing, 0);
        let native = self.intrinsic("@with_enter");
        self.native(native, function, 1, function);
        if let Some(name) = name {
            let target = self.target(name);
            self.store_new(target, function);
        }
        self.f.next = u16::from(function);
        self.guarded(Leave::With, thing, |this| this.with(others, body, dest));
        self.f.next = mark;
    }
}

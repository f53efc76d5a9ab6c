//! Expressions: the dispatch over all kinds, and the two ways to ask for one: anywhere, or in a certain register.

use super::Compiler;
use super::code::Op;
use super::names::Member;
use crate::syntax::ast::{Block, Expr, ExprKind, Ident};

impl<'a> Compiler<'a> {
    /// Compiles an expression; its value is in the register that comes back, which may be a variable's own.
    pub(super) fn expr(&mut self, e: &'a Expr) -> u8 {
        match &e.kind {
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Name(name) => match self.plain_register(name) {
                Some(register) => register,
                None => self.push(e),
            },
            _ => self.push(e),
        }
    }

    /// As [`Compiler::expr`], for an operand whose value must not change while `later` is computed.
    pub(super) fn operand(&mut self, e: &'a Expr, later: &Expr) -> u8 {
        if may_assign(later) {
            self.push(e)
        } else {
            self.expr(e)
        }
    }

    /// Compiles an expression into a new register on top.
    pub(super) fn push(&mut self, e: &'a Expr) -> u8 {
        let dest = self.f.temp();
        self.expr_to(e, dest);
        dest
    }

    /// Compiles an expression for its effect.
    pub(super) fn effect(&mut self, e: &'a Expr) {
        let mark = self.f.next;
        match &e.kind {
            ExprKind::Paren(inner) => self.effect(inner),
            kind if is_block(kind) => self.block_kind(e, None),
            _ => {
                self.expr(e);
            }
        }
        self.f.next = mark;
    }

    /// Compiles an expression into a register. Nothing is written to the register before all that the expression reads was
    /// read, except by the kinds of [`is_gradual`].
    pub(super) fn expr_to(&mut self, e: &'a Expr, dest: u8) {
        let mark = self.f.next;
        let before = self.f.at(e.span);
        self.expr_kind(e, dest);
        self.f.at(before);
        self.f.next = mark;
    }

    fn expr_kind(&mut self, e: &'a Expr, dest: u8) {
        match &e.kind {
            ExprKind::Nil => self.f.emit(Op::LoadNil, dest, 0, 0),
            ExprKind::Bool(b) => self.f.emit(Op::LoadBool, dest, u8::from(*b), 0),
            ExprKind::Int(i) => self.load_int(*i, dest),
            ExprKind::Float(f) => {
                let constant = self.f.float_constant(*f);
                self.f.emit_x(Op::LoadK, dest, constant);
            }
            ExprKind::Str(text) => {
                let constant = self.text(text);
                self.f.emit_x(Op::LoadK, dest, constant);
            }
            ExprKind::Bytes(_)
            | ExprKind::Interpolation(_)
            | ExprKind::List(_)
            | ExprKind::Map(_)
            | ExprKind::Comprehension(_)
            | ExprKind::Range { .. } => self.literal(e, dest),
            ExprKind::Name(name) => self.read_name(name, dest),
            ExprKind::Fn(function) => {
                let inner = self.function(function);
                self.f.emit_x(Op::Closure, dest, inner);
            }
            ExprKind::Unary { op, operand } => self.unary(*op, operand, dest),
            ExprKind::Binary {
                op, left, right, ..
            } => self.binary(*op, left, right, dest),
            ExprKind::Logic { op, left, right } => self.logic(*op, left, right, dest),
            ExprKind::Rescue { body, fallback } => self.rescue(body, fallback, dest),
            ExprKind::Call { callee, args } => self.call(callee, args, dest),
            ExprKind::Method {
                receiver,
                name,
                args,
            } => self.method(receiver, name, args, dest),
            ExprKind::Field { object, name } => self.field(object, name, dest),
            ExprKind::Index { object, index } => self.index(object, index, dest),
            ExprKind::Paren(inner) => self.expr_to(inner, dest),
            ExprKind::Command(_)
            | ExprKind::Spawn { .. }
            | ExprKind::Join { .. }
            | ExprKind::PoolMap { .. }
            | ExprKind::PoolCall { .. } => self.construct(e, dest),
            _ => self.block_kind(e, Some(dest)),
        }
    }

    /// The expressions that consist of blocks.
    fn block_kind(&mut self, e: &'a Expr, dest: Option<u8>) {
        let before = self.f.at(e.span);
        match &e.kind {
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => self.if_else(condition, then, otherwise.as_ref(), dest),
            ExprKind::Match {
                subject,
                cases,
                otherwise,
            } => self.match_cases(subject, cases, otherwise.as_ref(), dest),
            ExprKind::Try {
                body,
                catches,
                finally,
            } => self.try_catch(body, catches, finally.as_ref(), dest),
            ExprKind::Do(body) => self.block(body, dest),
            ExprKind::With { items, body } => self.with(items, body, dest),
            ExprKind::Lock {
                options,
                locks,
                body,
            } => self.lock(options, locks, body, dest),
            ExprKind::Scope { options, body } => self.scope(options, body, dest),
            ExprKind::Select {
                options,
                cases,
                after,
                otherwise,
            } => self.select(options, cases, after.as_deref(), otherwise.as_ref(), dest),
            _ => {}
        }
        self.f.at(before);
    }

    /// An int into a register.
    pub(super) fn load_int(&mut self, value: i64, dest: u8) {
        match i16::try_from(value) {
            Ok(small) => self.f.emit_x(Op::LoadInt, dest, small as u16),
            Err(_) => {
                let constant = self.f.int_constant(value);
                self.f.emit_x(Op::LoadK, dest, constant);
            }
        }
    }

    /// `object.name`.
    fn field(&mut self, object: &'a Expr, name: &'a Ident, dest: u8) {
        if let ExprKind::Name(module) = &object.kind
            && let Some(member) = self.member(module, name)
        {
            return match member {
                Member::Global(slot) => self.f.emit_x(Op::GetGlobal, dest, slot),
                Member::Constant(constant) => self.f.emit_x(Op::LoadK, dest, constant),
                Member::Native(native) => {
                    let constant = self.f.native_constant(native);
                    self.f.emit_x(Op::LoadK, dest, constant);
                }
            };
        }
        let object = self.expr(object);
        let site = self.f.site(self.heap, &name.name);
        self.f.emit(Op::GetField, dest, object, 0);
        self.f.word(site);
    }

    /// `object[index]`.
    fn index(&mut self, object: &'a Expr, index: &'a Expr, dest: u8) {
        let object = self.operand(object, index);
        if let Some(small) = small_int(index) {
            return self.f.emit(Op::GetIndexI, dest, object, small as u8);
        }
        let index = self.expr(index);
        self.f.emit(Op::GetIndex, dest, object, index);
    }

    /// A block for its value (in `dest`) or its effect.
    pub(super) fn block(&mut self, block: &'a Block, dest: Option<u8>) {
        let mark = self.f.next;
        self.statements(&block.body, dest);
        self.f.next = mark;
    }
}

/// The int literal (with its sign) that fits a signed byte.
pub(super) fn small_int(e: &Expr) -> Option<i8> {
    int_literal(e).and_then(|i| i8::try_from(i).ok())
}

/// The value of an int literal, with its sign.
pub(super) fn int_literal(e: &Expr) -> Option<i64> {
    match &e.kind {
        ExprKind::Int(i) => Some(*i),
        ExprKind::Paren(inner) => int_literal(inner),
        ExprKind::Unary {
            op: crate::operator::UnaryOp::Neg,
            operand,
        } => match operand.kind {
            ExprKind::Int(i) => i.checked_neg(),
            _ => None,
        },
        _ => None,
    }
}

/// The expressions that consist of blocks: their value is optional.
fn is_block(kind: &ExprKind) -> bool {
    matches!(
        kind,
        ExprKind::If { .. }
            | ExprKind::Match { .. }
            | ExprKind::Try { .. }
            | ExprKind::Do(_)
            | ExprKind::With { .. }
            | ExprKind::Lock { .. }
            | ExprKind::Scope { .. }
            | ExprKind::Select { .. }
    )
}

/// The expressions that have no expression inside: they run nothing.
fn is_atom(kind: &ExprKind) -> bool {
    matches!(
        kind,
        ExprKind::Nil
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Name(_)
            | ExprKind::Fn(_)
    )
}

/// Whether the code of an expression writes to its destination before it has read everything: such a value is made in a new
/// register when the destination is a variable.
pub(super) fn is_gradual(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Paren(inner) => is_gradual(inner),
        kind if is_atom(kind) => false,
        ExprKind::Unary { .. }
        | ExprKind::Binary { .. }
        | ExprKind::Call { .. }
        | ExprKind::Method { .. }
        | ExprKind::Field { .. }
        | ExprKind::Index { .. } => false,
        _ => true,
    }
}

/// Whether an expression contains statements that could assign to a variable.
fn may_assign(e: &Expr) -> bool {
    match &e.kind {
        kind if is_block(kind) => true,
        ExprKind::Paren(e) | ExprKind::Unary { operand: e, .. } => may_assign(e),
        ExprKind::Binary { left, right, .. } | ExprKind::Logic { left, right, .. } => {
            may_assign(left) || may_assign(right)
        }
        ExprKind::Rescue { body, fallback } => may_assign(body) || may_assign(fallback),
        ExprKind::Call { callee, args } => {
            may_assign(callee) || args.iter().any(|a| may_assign(&a.value))
        }
        ExprKind::Method { receiver, args, .. } => {
            may_assign(receiver) || args.iter().any(|a| may_assign(&a.value))
        }
        ExprKind::Field { object, .. } => may_assign(object),
        ExprKind::Index { object, index } => may_assign(object) || may_assign(index),
        kind => !is_atom(kind),
    }
}

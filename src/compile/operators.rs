//! Operators, and the short-circuit ones as values.

use super::Compiler;
use super::code::Op;
use super::expression::small_int;
use crate::operator::{BinaryOp, UnaryOp};
use crate::syntax::ast::{Expr, ExprKind, Ident, LogicOp};

impl<'a> Compiler<'a> {
    /// `op operand`.
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &'a Expr, dest: u8) {
        match (op, &operand.kind) {
            (UnaryOp::Neg, ExprKind::Int(i)) if i.checked_neg().is_some() => {
                return self.load_int(-i, dest);
            }
            (UnaryOp::Neg, ExprKind::Float(f)) => {
                let constant = self.f.float_constant(-f);
                return self.f.emit_x(Op::LoadK, dest, constant);
            }
            _ => {}
        }
        let operand = self.expr(operand);
        let op = match op {
            UnaryOp::Neg => Op::Neg,
            UnaryOp::BitNot => Op::BitNot,
            UnaryOp::Not => Op::Not,
        };
        self.f.emit(op, dest, operand, 0);
    }

    /// `left op right`.
    pub(super) fn binary(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr, dest: u8) {
        if op == BinaryOp::Mul && is_number(left) && !is_number(right) {
            // The same product; the number can stand in the instruction.
            let right = self.expr(right);
            return self.binary_register(op, right, left, dest);
        }
        let left = self.operand(left, right);
        self.binary_register(op, left, right, dest);
    }

    /// `variable op= right` for a variable that has no register of its own, into a new one. It is read behind the right side, as a
    /// field or an item is.
    pub(super) fn binary_variable(&mut self, op: BinaryOp, name: &Ident, right: &'a Expr) -> u8 {
        let immediate = self.immediate(op, right);
        let right = match immediate {
            Some(_) => 0,
            None => self.expr(right),
        };
        let register = self.f.temp();
        self.read_name(name, register);
        let (op, operand) = immediate.unwrap_or((operation(op), right));
        self.f.emit(op, register, register, operand);
        register
    }

    /// `left op right` with the left operand in a register.
    pub(super) fn binary_register(&mut self, op: BinaryOp, left: u8, right: &'a Expr, dest: u8) {
        if let Some((op, operand)) = self.immediate(op, right) {
            return self.f.emit(op, dest, left, operand);
        }
        let right = self.expr(right);
        self.f.emit(operation(op), dest, left, right);
    }

    /// The operation with the right operand in the instruction, when it is a literal that fits.
    fn immediate(&mut self, op: BinaryOp, right: &Expr) -> Option<(Op, u8)> {
        if let Some(small) = small_int(right) {
            match op {
                BinaryOp::Add => return Some((Op::AddI, small as u8)),
                BinaryOp::Sub => return Some((Op::SubI, small as u8)),
                _ => {}
            }
        }
        let op = match op {
            BinaryOp::Add => Op::AddK,
            BinaryOp::Sub => Op::SubK,
            BinaryOp::Mul => Op::MulK,
            BinaryOp::Div => Op::DivK,
            BinaryOp::FloorDiv => Op::FloorDivK,
            BinaryOp::Rem => Op::RemK,
            _ => return None,
        };
        let constant = match &right.kind {
            ExprKind::Int(i) => self.f.int_constant(*i),
            ExprKind::Float(f) => self.f.float_constant(*f),
            _ => return None,
        };
        Some((op, u8::try_from(constant).ok()?))
    }

    /// `left and right`, `left or right`, `left ?? right` as a value. `dest` may be written before `right` is computed.
    pub(super) fn logic(&mut self, op: LogicOp, left: &'a Expr, right: &'a Expr, dest: u8) {
        self.expr_to(left, dest);
        let op = match op {
            LogicOp::And => Op::JFalse,
            LogicOp::Or => Op::JTrue,
            LogicOp::Coalesce => Op::JNotNil,
        };
        let end = self.f.jump(op, dest, 0, 0);
        self.expr_to(right, dest);
        self.f.patch([end]);
    }
}

fn is_number(e: &Expr) -> bool {
    matches!(e.kind, ExprKind::Int(_) | ExprKind::Float(_))
}

/// The operation of an operator with both operands in registers.
pub(super) fn operation(op: BinaryOp) -> Op {
    match op {
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Sub,
        BinaryOp::Mul => Op::Mul,
        BinaryOp::Div => Op::Div,
        BinaryOp::FloorDiv => Op::FloorDiv,
        BinaryOp::Rem => Op::Rem,
        BinaryOp::Pow => Op::Pow,
        BinaryOp::BitAnd => Op::BitAnd,
        BinaryOp::BitOr => Op::BitOr,
        BinaryOp::BitXor => Op::BitXor,
        BinaryOp::Shl => Op::Shl,
        BinaryOp::Shr => Op::Shr,
        BinaryOp::Eq => Op::Eq,
        BinaryOp::Ne => Op::Ne,
        BinaryOp::Lt => Op::Lt,
        BinaryOp::Le => Op::Le,
        BinaryOp::Gt => Op::Gt,
        BinaryOp::Ge => Op::Ge,
        BinaryOp::In => Op::In,
        BinaryOp::NotIn => Op::NotIn,
    }
}

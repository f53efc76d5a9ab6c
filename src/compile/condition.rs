//! Conditions: expressions that are only jumped on. Comparisons and jumps are one instruction.

use super::Compiler;
use super::code::Op;
use super::expression::int_literal;
use super::function::Patch;
use crate::operator::{BinaryOp, UnaryOp};
use crate::syntax::ast::{Expr, ExprKind, LogicOp};

impl<'a> Compiler<'a> {
    /// Jumps (to be patched) when the truth of `e` is `sense`; else goes on behind.
    pub(super) fn jump_if(&mut self, e: &'a Expr, sense: bool) -> Vec<Patch> {
        let mark = self.f.next;
        let before = self.f.at(e.span);
        let patches = self.jump_kind(e, sense);
        self.f.at(before);
        self.f.next = mark;
        patches
    }

    fn jump_kind(&mut self, e: &'a Expr, sense: bool) -> Vec<Patch> {
        match &e.kind {
            ExprKind::Paren(inner) => self.jump_if(inner, sense),
            ExprKind::Bool(b) if *b == sense => vec![self.f.jump(Op::Jump, 0, 0, 0)],
            ExprKind::Bool(_) => Vec::new(),
            ExprKind::Unary {
                op: UnaryOp::Not,
                operand,
            } => self.jump_if(operand, !sense),
            ExprKind::Logic { op, left, right } if *op != LogicOp::Coalesce => {
                // `and` is false as soon as its left side is; `or` is true as soon as its left side is.
                let decides = *op == LogicOp::Or;
                if decides == sense {
                    let mut patches = self.jump_if(left, sense);
                    patches.extend(self.jump_if(right, sense));
                    return patches;
                }
                let skip = self.jump_if(left, decides);
                let patches = self.jump_if(right, sense);
                self.f.patch(skip);
                patches
            }
            ExprKind::Binary {
                op, left, right, ..
            } if compare(*op).is_some() => self.jump_compare(*op, left, right, sense),
            _ => {
                let value = self.expr(e);
                let op = if sense { Op::JTrue } else { Op::JFalse };
                vec![self.f.jump(op, value, 0, 0)]
            }
        }
    }

    fn jump_compare(
        &mut self,
        op: BinaryOp,
        left: &'a Expr,
        right: &'a Expr,
        sense: bool,
    ) -> Vec<Patch> {
        let Some(forms) = compare(op) else {
            return Vec::new();
        };
        let left = self.operand(left, right);
        if let Some(small) = int_literal(right).and_then(|i| i16::try_from(i).ok()) {
            let op = if sense { forms.small } else { forms.not_small };
            return vec![self.f.jump_x(op, left, small as u16)];
        }
        if let Some((yes, no)) = forms.constant
            && let Some(constant) = self.number_constant(right)
        {
            return vec![self.f.jump_x(if sense { yes } else { no }, left, constant)];
        }
        if let (BinaryOp::Eq | BinaryOp::Ne, ExprKind::Str(text)) = (op, &right.kind) {
            let constant = self.text(text);
            let equal = (op == BinaryOp::Eq) == sense;
            let op = if equal { Op::JEqK } else { Op::JNeK };
            return vec![self.f.jump_x(op, left, constant)];
        }
        if let (BinaryOp::Eq | BinaryOp::Ne, ExprKind::Nil) = (op, &right.kind) {
            let equal = (op == BinaryOp::Eq) == sense;
            let op = if equal { Op::JNil } else { Op::JNotNil };
            return vec![self.f.jump(op, left, 0, 0)];
        }
        let right = self.expr(right);
        let op = if sense { forms.yes } else { forms.no };
        vec![self.f.jump(op, left, right, 0)]
    }

    /// The constant of a number literal.
    fn number_constant(&mut self, e: &Expr) -> Option<u16> {
        match &e.kind {
            ExprKind::Paren(inner) => self.number_constant(inner),
            ExprKind::Float(f) => Some(self.f.float_constant(*f)),
            _ => Some(self.f.int_constant(int_literal(e)?)),
        }
    }
}

/// The jumps of a comparison.
struct Forms {
    yes: Op,
    no: Op,
    small: Op,
    not_small: Op,
    /// With a constant on the right: the jump if it holds, and the one if it does not.
    constant: Option<(Op, Op)>,
}

fn compare(op: BinaryOp) -> Option<Forms> {
    let (yes, no, small, not_small) = match op {
        BinaryOp::Eq => (Op::JEq, Op::JNe, Op::JEqI, Op::JNeI),
        BinaryOp::Ne => (Op::JNe, Op::JEq, Op::JNeI, Op::JEqI),
        BinaryOp::Lt => (Op::JLt, Op::JNotLt, Op::JLtI, Op::JNotLtI),
        BinaryOp::Le => (Op::JLe, Op::JNotLe, Op::JLeI, Op::JNotLeI),
        BinaryOp::Gt => (Op::JGt, Op::JNotGt, Op::JGtI, Op::JNotGtI),
        BinaryOp::Ge => (Op::JGe, Op::JNotGe, Op::JGeI, Op::JNotGeI),
        _ => return None,
    };
    let constant = match op {
        BinaryOp::Lt => Some((Op::JLtK, Op::JNotLtK)),
        BinaryOp::Le => Some((Op::JLeK, Op::JNotLeK)),
        BinaryOp::Gt => Some((Op::JGtK, Op::JNotGtK)),
        BinaryOp::Ge => Some((Op::JGeK, Op::JNotGeK)),
        _ => None,
    };
    Some(Forms {
        constant,
        yes,
        no,
        small,
        not_small,
    })
}

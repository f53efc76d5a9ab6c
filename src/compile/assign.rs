//! Assignments.

use super::Compiler;
use super::code::Op;
use super::expression::is_gradual;
use crate::operator::BinaryOp;
use crate::syntax::ast::{Element, Expr, ExprKind};
use std::rc::Rc;

impl<'a> Compiler<'a> {
    /// `target = value`.
    pub(super) fn assign(&mut self, target: &'a Expr, value: &'a Expr) {
        match &target.kind {
            ExprKind::Paren(inner) => self.assign(inner, value),
            ExprKind::Name(name) => match self.plain_register(name) {
                Some(register) if !is_gradual(value) => self.expr_to(value, register),
                _ => {
                    let register = self.expr(value);
                    self.write_name(name, register);
                }
            },
            ExprKind::Field { object, name } => {
                let object = self.operand(object, value);
                let value = self.expr(value);
                let site = self.f.site(self.heap, &name.name);
                self.f.at(target.span);
                self.f.emit(Op::SetField, object, value, 0);
                self.f.word(site);
            }
            ExprKind::Index { object, index } => {
                let object = self.operand(object, value);
                let index = self.operand(index, value);
                let value = self.expr(value);
                self.f.at(target.span);
                self.f.emit(Op::SetIndex, object, index, value);
            }
            ExprKind::List(elements) => {
                let value = self.push(value);
                self.assign_list(elements, value);
            }
            _ => {}
        }
    }

    /// `[a, b.c, ...d] = value`, with the value in a register.
    fn assign_list(&mut self, elements: &'a [Element], value: u8) {
        let rest = matches!(elements.last(), Some(Element::Spread(_)));
        let count = elements.len() - usize::from(rest);
        let items = self.f.item_count(count);
        let misfit = self.f.jump(Op::TestList, value, items, u8::from(rest));
        let end = self.f.jump(Op::Jump, 0, 0, 0);
        self.f.patch([misfit]);
        let least = if rest { "at least " } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        let wanted: Rc<str> = format!("a list of {least}{count} item{plural}").into();
        let constant = self.text(&wanted);
        self.f.emit_x(Op::NoMatch, value, constant);
        self.f.patch([end]);
        for (i, element) in elements.iter().enumerate() {
            let mark = self.f.next;
            let item = self.f.temp();
            match element {
                Element::Value(target) => {
                    self.get_item(item, value, i);
                    self.assign_register(target, item);
                }
                Element::Spread(target) => {
                    self.f.emit(Op::ListRest, item, value, items);
                    self.assign_register(target, item);
                }
            }
            self.f.next = mark;
        }
    }

    /// `target = ` what is in a register.
    fn assign_register(&mut self, target: &'a Expr, value: u8) {
        match &target.kind {
            ExprKind::Paren(inner) => self.assign_register(inner, value),
            ExprKind::Name(name) => self.write_name(name, value),
            ExprKind::Field { object, name } => {
                let object = self.expr(object);
                let site = self.f.site(self.heap, &name.name);
                self.f.emit(Op::SetField, object, value, 0);
                self.f.word(site);
            }
            ExprKind::Index { object, index } => {
                let object = self.operand(object, index);
                let index = self.expr(index);
                self.f.emit(Op::SetIndex, object, index, value);
            }
            ExprKind::List(elements) => self.assign_list(elements, value),
            _ => {}
        }
    }

    /// `target op= value`.
    pub(super) fn compound(&mut self, op: BinaryOp, target: &'a Expr, value: &'a Expr) {
        match &target.kind {
            ExprKind::Paren(inner) => self.compound(op, inner, value),
            ExprKind::Name(name) => match self.plain_register(name) {
                Some(register) => self.binary_register(op, register, value, register),
                None => {
                    let register = self.binary_variable(op, name, value);
                    self.write_name(name, register);
                }
            },
            ExprKind::Field { object, name } => {
                let object = self.operand(object, value);
                let value = self.expr(value);
                let site = self.f.site(self.heap, &name.name);
                self.f.emit(Op::UpdateField, object, value, op as u8);
                self.f.word(site);
            }
            ExprKind::Index { object, index } => {
                let object = self.operand(object, value);
                let index = self.operand(index, value);
                let value = self.expr(value);
                self.f.emit(Op::UpdateIndex, object, index, value);
                self.f.word(op as u32);
            }
            _ => {}
        }
    }
}

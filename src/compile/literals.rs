//! Values made of values: strings with pieces, lists, maps, ranges, comprehensions.

use super::Compiler;
use super::code::Op;
use crate::syntax::ast::{Comprehension, Element, Expr, ExprKind, MapEntry, Pattern, Piece};
use crate::value::Value;

/// So many values are put into registers at a time; what a literal has more is added in turns.
const TURN: usize = 40;

impl<'a> Compiler<'a> {
    /// The literals that are not constants of one instruction.
    pub(super) fn literal(&mut self, e: &'a Expr, dest: u8) {
        match &e.kind {
            ExprKind::Bytes(data) => {
                let value = Value::bytes(self.heap, data.to_vec());
                let constant = self.f.value_constant(value);
                self.f.emit_x(Op::LoadK, dest, constant);
            }
            ExprKind::Interpolation(pieces) => self.interpolation(pieces, dest),
            ExprKind::List(elements) => self.list(elements, dest),
            ExprKind::Map(entries) => self.map(entries, dest),
            ExprKind::Comprehension(c) => self.comprehension(c, dest),
            ExprKind::Range {
                start,
                end,
                inclusive,
            } => self.range(start.as_deref(), end.as_deref(), *inclusive, dest),
            _ => {}
        }
    }

    fn interpolation(&mut self, pieces: &'a [Piece], dest: u8) {
        let first = self.f.next as u8;
        let mut count = 0;
        for piece in pieces {
            if count == TURN {
                self.f.emit(Op::Interp, first, first, count as u8);
                self.f.next = u16::from(first) + 1;
                count = 1;
            }
            match piece {
                Piece::Text(text) => {
                    let register = self.f.temp();
                    let constant = self.text(text);
                    self.f.emit_x(Op::LoadK, register, constant);
                }
                Piece::Expr(e) => {
                    self.push(e);
                }
            }
            count += 1;
        }
        self.f.emit(Op::Interp, dest, first, count as u8);
    }

    /// A list from elements. What goes into it was computed before `dest` is written when there are only a few plain ones.
    fn list(&mut self, elements: &'a [Element], dest: u8) {
        let plain = |e: &&'a Element| matches!(e, Element::Value(_));
        let direct = elements.iter().take_while(plain).take(TURN).count();
        let first = self.f.next as u8;
        for element in &elements[..direct] {
            if let Element::Value(e) = element {
                self.push(e);
            }
        }
        self.f.emit(Op::NewList, dest, first, direct as u8);
        self.f.next = u16::from(first);
        for element in &elements[direct..] {
            let (e, op) = match element {
                Element::Value(e) => (e, Op::ListPush),
                Element::Spread(e) => (e, Op::ListExtend),
            };
            let item = self.expr(e);
            self.f.emit(op, dest, item, 0);
            self.f.next = u16::from(first);
        }
    }

    fn map(&mut self, entries: &'a [MapEntry], dest: u8) {
        self.f.emit(Op::NewMap, dest, 0, 0);
        for entry in entries {
            let mark = self.f.next;
            match entry {
                MapEntry::Pair(key, value) => {
                    let key = self.operand(key, value);
                    let value = self.expr(value);
                    self.f.emit(Op::MapSet, dest, key, value);
                }
                MapEntry::Short(name) => {
                    let (key, value) = (self.f.temp(), self.f.temp());
                    let constant = self.text(&name.name);
                    self.f.emit_x(Op::LoadK, key, constant);
                    self.read_name(name, value);
                    self.f.emit(Op::MapSet, dest, key, value);
                }
                MapEntry::Spread(e) => {
                    let other = self.expr(e);
                    self.f.emit(Op::MapExtend, dest, other, 0);
                }
            }
            self.f.next = mark;
        }
    }

    fn range(&mut self, start: Option<&'a Expr>, end: Option<&'a Expr>, inclusive: bool, dest: u8) {
        let ends = self.f.temps(2);
        for (e, register) in [(start, ends), (end, ends + 1)] {
            match e {
                Some(e) => self.expr_to(e, register),
                None => self.f.emit(Op::LoadNil, register, 0, 0),
            }
        }
        self.f.emit(Op::NewRange, dest, ends, u8::from(inclusive));
    }

    fn comprehension(&mut self, c: &'a Comprehension, dest: u8) {
        let list = self.f.temp();
        self.f.emit(Op::NewList, list, 0, 0);
        let patterns: &'a [Pattern] = &c.patterns;
        self.for_loop(patterns, &c.iterable, |this| {
            let skip = match &c.condition {
                Some(condition) => this.jump_if(condition, false),
                None => Vec::new(),
            };
            let mark = this.f.next;
            let item = this.expr(&c.element);
            this.f.emit(Op::ListPush, list, item, 0);
            this.f.next = mark;
            this.f.patch(skip);
        });
        self.f.emit(Op::Move, dest, list, 0);
    }

    /// Options as a map value, or nil when there are none.
    pub(super) fn options_to(&mut self, options: &'a [crate::syntax::ast::Arg], dest: u8) {
        if options.is_empty() {
            return self.f.emit(Op::LoadNil, dest, 0, 0);
        }
        self.f.emit(Op::NewMap, dest, 0, 0);
        for option in options {
            let mark = self.f.next;
            let (key, value) = (self.f.temp(), self.f.temp());
            if let Some(name) = &option.name {
                let constant = self.text(&name.name);
                self.f.emit_x(Op::LoadK, key, constant);
                self.expr_to(&option.value, value);
                self.f.emit(Op::MapSet, dest, key, value);
            }
            self.f.next = mark;
        }
    }
}

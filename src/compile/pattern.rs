//! Patterns: tests that jump away when they fail, and bindings.

use super::Compiler;
use super::bodies::pattern_names;
use super::code::Op;
use super::function::Patch;
use crate::syntax::ast::{Expr, ExprKind, Ident, Pattern, PatternKind};
use crate::value::function::Shape;
use std::rc::Rc;

/// The jumps of a pattern that does not fit.
pub(super) type Fails = Vec<Patch>;

impl<'a> Compiler<'a> {
    /// Lets the names of a pattern get registers of their own again.
    pub(super) fn forget_pattern(&mut self, pattern: &'a Pattern) {
        let mut names = Vec::new();
        pattern_names(pattern, &mut names);
        names.iter().for_each(|name| self.forget(name));
    }

    /// Gives the names of a pattern their registers, below those that testing it needs.
    pub(super) fn reserve_pattern(&mut self, pattern: &'a Pattern) {
        let mut names = Vec::new();
        pattern_names(pattern, &mut names);
        for name in names {
            self.target(name);
        }
    }

    /// Binds a pattern that must fit the value in a register; else a `ValueError` is raised.
    pub(super) fn bind_pattern(&mut self, pattern: &'a Pattern, value: u8) {
        self.reserve_pattern(pattern);
        let before = self.f.at(pattern.span);
        let mut fails = Fails::default();
        self.test_pattern(pattern, value, &mut fails);
        if !fails.is_empty() {
            let end = self.f.jump(Op::Jump, 0, 0, 0);
            self.f.patch(fails);
            let wanted: Rc<str> = describe(pattern).into();
            let constant = self.text(&wanted);
            self.f.emit_x(Op::NoMatch, value, constant);
            self.f.patch([end]);
        }
        self.f.at(before);
    }

    /// Tests the value in a register against a pattern and binds the pattern's names on the way.
    pub(super) fn test_pattern(&mut self, pattern: &'a Pattern, value: u8, fails: &mut Fails) {
        let mark = self.f.next;
        match &pattern.kind {
            PatternKind::Bind(name) => {
                let target = self.target(name);
                self.store_new(target, value);
                return;
            }
            PatternKind::Ignore => {}
            PatternKind::Literal(e) => self.test_literal(e, value, fails),
            PatternKind::List { items, rest } => {
                let open = u8::from(rest.is_some());
                let count = self.f.item_count(items.len());
                let test = self.f.jump(Op::TestList, value, count, open);
                fails.push(test);
                for (i, item) in items.iter().enumerate() {
                    self.test_item(item, value, i, fails);
                }
                if let Some(Some(name)) = rest {
                    let register = self.f.temp();
                    self.f.emit(Op::ListRest, register, value, count);
                    let target = self.target(name);
                    self.store_new(target, register);
                }
            }
            PatternKind::Map { entries, rest } => {
                self.test_map(entries, rest.as_ref(), value, fails);
            }
            PatternKind::Or(choices) => self.test_choices(choices, value, fails),
        }
        self.f.next = mark;
    }

    fn test_item(&mut self, item: &'a Pattern, value: u8, index: usize, fails: &mut Fails) {
        if matches!(item.kind, PatternKind::Ignore) {
            return;
        }
        let register = self.f.temp();
        self.get_item(register, value, index);
        self.test_pattern(item, register, fails);
    }

    /// An item of a list that is long enough.
    pub(super) fn get_item(&mut self, dest: u8, list: u8, index: usize) {
        match i8::try_from(index) {
            Ok(small) => self.f.emit(Op::GetIndexI, dest, list, small as u8),
            Err(_) => {
                self.load_int(index as i64, dest);
                self.f.emit(Op::GetIndex, dest, list, dest);
            }
        }
    }

    fn test_literal(&mut self, e: &'a Expr, value: u8, fails: &mut Fails) {
        if let Some(small) = super::expression::int_literal(e).and_then(|i| i16::try_from(i).ok()) {
            let test = self.f.jump_x(Op::JNeI, value, small as u16);
            return fails.push(test);
        }
        match &e.kind {
            ExprKind::Str(text) => {
                let constant = self.text(text);
                let test = self.f.jump_x(Op::JNeK, value, constant);
                fails.push(test);
            }
            ExprKind::Range { .. } => {
                let range = self.push(e);
                self.f.emit(Op::In, range, value, range);
                let test = self.f.jump(Op::JFalse, range, 0, 0);
                fails.push(test);
            }
            _ => {
                let literal = self.push(e);
                let test = self.f.jump(Op::JNe, value, literal, 0);
                fails.push(test);
            }
        }
    }

    fn test_map(
        &mut self,
        entries: &'a [(Rc<str>, crate::source::Span, Pattern)],
        rest: Option<&'a Ident>,
        value: u8,
        fails: &mut Fails,
    ) {
        let test = self.f.jump(Op::TestMap, value, 0, 0);
        fails.push(test);
        for (name, span, pattern) in entries {
            let before = self.f.at(*span);
            let register = self.f.temp();
            let site = self.f.site(self.heap, name);
            self.f.emit(Op::TakeField, register, value, 0);
            self.f.word(site);
            let test = self.f.jump_word();
            fails.push(test);
            self.f.at(before);
            self.test_pattern(pattern, register, fails);
        }
        if let Some(name) = rest {
            let register = self.f.temp();
            let shape = self.f.shape(Shape {
                spread: false,
                names: entries.iter().map(|e| e.0.clone()).collect(),
            });
            self.f.emit(Op::MapRest, register, value, 0);
            self.f.word(shape);
            let target = self.target(name);
            self.store_new(target, register);
        }
    }

    fn test_choices(&mut self, choices: &'a [Pattern], value: u8, fails: &mut Fails) {
        let Some((last, others)) = choices.split_last() else {
            return;
        };
        let mut fits = Vec::new();
        for choice in others {
            let mut next = Fails::default();
            self.test_pattern(choice, value, &mut next);
            fits.push(self.f.jump(Op::Jump, 0, 0, 0));
            self.f.patch(next);
        }
        self.test_pattern(last, value, fails);
        self.f.patch(fits);
    }
}

/// What a pattern asks for, in words.
fn describe(pattern: &Pattern) -> String {
    match &pattern.kind {
        PatternKind::List { items, rest } => {
            let least = if rest.is_some() { "at least " } else { "" };
            let plural = if items.len() == 1 { "" } else { "s" };
            format!("a list of {least}{} item{plural}", items.len())
        }
        PatternKind::Map { entries, .. } => {
            let names: Vec<String> = entries.iter().map(|e| format!("`{}`", e.0)).collect();
            format!("a map with {}", names.join(", "))
        }
        PatternKind::Literal(_) | PatternKind::Or(_) => "the value that is written here".into(),
        PatternKind::Bind(_) | PatternKind::Ignore => "anything".into(),
    }
}

//! Lists, instances, globals, captures and iterations.

#![allow(unsafe_code)]

use super::emit::{Emit, Known, MIXED, WHOLE, tag_of};
use super::flow::Ins;
use super::helpers;
use super::layout::{self, ANY, BOOLS, FLOATS, INTS};
use super::slow::Arg::{Number as N, Register as R};
use crate::compile::code::Op;
use crate::operator::BinaryOp;
use crate::value;
use crate::value::function::Site;
use crate::vm::raw::{BOOL, FLOAT, HANDLE, INSTANCE, INT, LIST};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

/// Where the hint about the result of an instruction belongs.
pub(super) const RESULT: usize = 256;
/// Where the hint about the kind of a list belongs.
pub(super) const KIND: usize = 1001;
/// Serial numbers of struct types begin here.
const FIRST_SERIAL: usize = 256;

impl Emit<'_, '_> {
    /// Globals, captures and boxes.
    pub(super) fn object_instruction(&mut self, ins: &Ins) -> Option<()> {
        match ins.op {
            Op::GetGlobal => {
                let global = self.facts.globals.wrapping_add(ins.x) as i64;
                let global = self.int(global);
                let tag = self.load(types::I8, global, 0);
                self.guard(tag, ins.at, WHOLE);
                // SAFETY: a global that exists.
                let sample = unsafe { *self.facts.globals.wrapping_add(ins.x) };
                self.load_result(ins.at, ins.a, global, 0, Some(sample));
            }
            Op::SetGlobal => {
                let global = self.facts.globals.wrapping_add(ins.x) as i64;
                let global = self.int(global);
                self.write_register(ins.a, global, 0);
            }
            Op::GetCapture => {
                let closure = self.load(types::I64, self.base, -8);
                let offset = layout::CAPTURES + 16 * ins.b as i32;
                let sample = self.capture(ins.b);
                self.load_result(ins.at, ins.a, closure, offset, sample);
            }
            Op::GetCaptureBox => {
                let closure = self.load(types::I64, self.base, -8);
                let cell = self.load(
                    types::I64,
                    closure,
                    layout::CAPTURES + 16 * ins.b as i32 + 8,
                );
                let tag = self.load(types::I8, cell, layout::BOXED);
                self.guard(tag, ins.at, WHOLE);
                let sample = match self.capture(ins.b) {
                    Some(value::Value::Cell(cell)) => Some(cell.value.get()),
                    _ => None,
                };
                self.load_result(ins.at, ins.a, cell, layout::BOXED, sample);
            }
            Op::SetCaptureBox => {
                let closure = self.load(types::I64, self.base, -8);
                let cell = self.load(
                    types::I64,
                    closure,
                    layout::CAPTURES + 16 * ins.b as i32 + 8,
                );
                self.write_register(ins.a, cell, layout::BOXED);
            }
            Op::GetBox => {
                let sample = match self.samples[ins.b] {
                    Some(value::Value::Cell(cell)) => Some(cell.value.get()),
                    _ => None,
                };
                let cell = self.load(types::I64, self.base, Self::slot(ins.b) + 8);
                let tag = self.load(types::I8, cell, layout::BOXED);
                self.guard(tag, ins.at, WHOLE);
                self.load_result(ins.at, ins.a, cell, layout::BOXED, sample);
            }
            Op::SetBox => {
                let cell = self.load(types::I64, self.base, Self::slot(ins.a) + 8);
                self.write_register(ins.b, cell, layout::BOXED);
            }
            _ => return self.index_instruction(ins),
        }
        Some(())
    }

    fn index_instruction(&mut self, ins: &Ins) -> Option<()> {
        match ins.op {
            Op::GetIndex => self.get_index(ins),
            Op::SetIndex => self.set_index(ins),
            Op::GetIndexI => {
                let index = self.int(ins.signed_c());
                if ins.signed_c() < 0 || !self.list_item(ins, ins.b, index, ins.a) {
                    let index = N(ins.signed_c() << 1 | 1);
                    self.slow(
                        ins,
                        helpers::get_index as *const u8,
                        &[R(ins.a), R(ins.b), index],
                    );
                    self.forget(ins.a);
                }
            }
            Op::GetField => self.get_field(ins),
            Op::SetField => self.set_field(ins),
            Op::UpdateField => self.update_field(ins),
            Op::IterNext => self.iterate(ins)?,
            _ => return self.slow_instruction(ins),
        }
        Some(())
    }

    /// A value in memory into a register: as what it will probably be.
    pub(super) fn load_result(
        &mut self,
        at: usize,
        to: usize,
        from: Value,
        offset: i32,
        sample: Option<value::Value>,
    ) {
        let known = |tag: &u8| matches!(*tag, INT | FLOAT | BOOL | LIST | INSTANCE);
        let tag = match self.facts.hints.get(&(at, RESULT + to)) {
            Some(_) => None,
            None => sample.as_ref().map(tag_of).filter(known),
        };
        match tag {
            Some(tag) => {
                let value = self.checked(from, offset, tag, at, RESULT + to);
                self.set(to, tag, value);
            }
            None => {
                self.copy(from, offset, self.base, Self::slot(to));
                self.forget(to);
            }
        }
        self.samples[to] = sample;
    }

    /// A capture of the function that is looked at.
    fn capture(&self, index: usize) -> Option<value::Value> {
        // SAFETY: the closure stands before the registers, and has the capture.
        unsafe {
            match *self.facts.registers.sub(1) {
                value::Value::Fn(closure) => closure.captures().get(index).map(|c| c.get()),
                _ => None,
            }
        }
    }

    /// The tag that a register has or probably has; `None` when it is mixed.
    fn tag_at(&self, at: usize, register: usize) -> Option<u8> {
        if self.is_mixed(at, register) || self.is_mixed(at, WHOLE) {
            return None;
        }
        match self.state[register] {
            Some(known) => Some(known.tag),
            None => self.expected(at, register),
        }
    }

    /// The kind of list that a register probably holds.
    fn list_kind(&self, at: usize, register: usize) -> Option<u8> {
        if let Some(&kind) = self.facts.hints.get(&(at, KIND)) {
            return (kind != MIXED).then_some(kind);
        }
        let Some(value::Value::List(list)) = self.samples[register] else {
            return None;
        };
        Some(match list.items() {
            value::list::Items::Any(_) => ANY,
            value::list::Items::Ints(_) => INTS,
            value::list::Items::Floats(_) => FLOATS,
            value::list::Items::Bools(_) => BOOLS,
        })
    }

    /// An item of the list that a register held.
    fn sample_item(&self, register: usize) -> Option<value::Value> {
        match self.samples[register] {
            Some(value::Value::List(list)) => list.get(0),
            _ => None,
        }
    }

    fn list_start(&mut self, ins: &Ins, register: usize, index: Value, kind: u8) -> Value {
        let list = self.load_as(ins.at, register, LIST);
        let layout = self.facts.lists;
        let found = self.load(types::I8, list, layout.kind);
        let right = self
            .f
            .ins()
            .icmp_imm_u(IntCC::Equal, found, i64::from(kind));
        self.guard(right, ins.at, KIND);
        let len = self.load(types::I64, list, layout.len);
        let inside = self.f.ins().icmp(IntCC::UnsignedLessThan, index, len);
        self.guard(inside, ins.at, WHOLE);
        let items = self.load(types::I64, list, layout.items);
        let shift = match kind {
            ANY => 4,
            BOOLS => return self.f.ins().iadd(items, index),
            _ => 3,
        };
        let shift = self.int(shift);
        let offset = self.f.ins().ishl(index, shift);
        self.f.ins().iadd(items, offset)
    }

    fn list_item(&mut self, ins: &Ins, list: usize, index: Value, to: usize) -> bool {
        let Some(kind) = self.list_kind(ins.at, list) else {
            return false;
        };
        if self.tag_at(ins.at, list) != Some(LIST) {
            return false;
        }
        let sample = self.sample_item(list);
        let item = self.list_start(ins, list, index, kind);
        match kind {
            ANY => self.load_result(ins.at, to, item, 0, sample),
            INTS => {
                let value = self.load(types::I64, item, 0);
                self.set(to, INT, value);
            }
            FLOATS => {
                let value = self.load(types::F64, item, 0);
                self.set(to, FLOAT, value);
            }
            _ => {
                let value = self.load(types::I8, item, 0);
                self.set(to, BOOL, value);
            }
        }
        true
    }

    fn get_index(&mut self, ins: &Ins) {
        if self.tag_at(ins.at, ins.b) == Some(LIST)
            && self.tag_at(ins.at, ins.c) == Some(INT)
            && self.list_kind(ins.at, ins.b).is_some()
        {
            let index = self.load_as(ins.at, ins.c, INT);
            self.list_item(ins, ins.b, index, ins.a);
            return;
        }
        let args = [R(ins.a), R(ins.b), R(ins.c)];
        self.slow(ins, helpers::get_index as *const u8, &args);
        self.forget(ins.a);
    }

    fn set_index(&mut self, ins: &Ins) {
        if let Some(kind) = self.list_kind(ins.at, ins.a)
            && self.tag_at(ins.at, ins.a) == Some(LIST)
            && self.tag_at(ins.at, ins.b) == Some(INT)
        {
            let wanted = [None, Some(INT), Some(FLOAT), Some(BOOL)][kind as usize];
            let known = self.state[ins.c].map(|known| known.tag);
            if wanted.is_none() || known.is_none() || known == wanted {
                let index = self.load_as(ins.at, ins.b, INT);
                let value = wanted.map(|tag| self.load_as(ins.at, ins.c, tag));
                let item = self.list_start(ins, ins.a, index, kind);
                match value {
                    Some(value) => self.store(value, item, 0),
                    None => self.write_register(ins.c, item, 0),
                }
                return;
            }
        }
        let args = [R(ins.a), R(ins.b), R(ins.c)];
        self.slow(ins, helpers::set_index as *const u8, &args);
    }

    fn site(&self, index: u32) -> Option<&Site> {
        self.facts.proto.sites.get(index as usize)
    }

    /// The instance in a register, whose type is that of the site; `None` when the site does not say.
    pub(super) fn instance(&mut self, ins: &Ins, register: usize) -> Option<(Value, i32)> {
        let site = self.site(ins.operand)?;
        let (mut owner, mut slot) = (site.owner.get(), site.slot.get());
        if let Some(value::Value::Instance(sample)) = self.samples[register] {
            if ins.op != Op::Method {
                slot = sample.of.slot(&site.name)? as u32;
            }
            owner = sample.serial();
        }
        if owner < FIRST_SERIAL
            || owner > u32::MAX as usize
            || self.is_mixed(ins.at, register)
            || self.is_mixed(ins.at, WHOLE)
            || self.state[register].is_some_and(|known| known.tag != INSTANCE)
        {
            return None;
        }
        let instance = self.load_as(ins.at, register, INSTANCE);
        if let Some(known) = &self.state[register]
            && known.owner as usize == owner
        {
            return Some((instance, slot as i32));
        }
        let serial = self.load(types::I32, instance, layout::SERIAL);
        let right = self.f.ins().icmp_imm_u(IntCC::Equal, serial, owner as i64);
        self.guard(right, ins.at, WHOLE);
        if let Some(known) = self.state[register] {
            self.state[register] = Some(Known {
                owner: owner as u32,
                ..known
            });
        }
        Some((instance, slot as i32))
    }

    fn get_field(&mut self, ins: &Ins) {
        match self.instance(ins, ins.b) {
            Some((instance, slot)) => {
                let offset = layout::FIELDS + 16 * slot;
                let sample = match self.samples[ins.b] {
                    Some(value::Value::Instance(sample)) => {
                        sample.fields().get(slot as usize).map(|field| field.get())
                    }
                    _ => None,
                };
                self.load_result(ins.at, ins.a, instance, offset, sample);
            }
            None => {
                let args = [R(ins.a), R(ins.b), N(i64::from(ins.operand))];
                self.slow(ins, helpers::get_field as *const u8, &args);
                self.forget(ins.a);
            }
        }
    }

    fn set_field(&mut self, ins: &Ins) {
        match self.instance(ins, ins.a) {
            Some((instance, slot)) => {
                let offset = layout::FIELDS + 16 * slot;
                let tag = self.load(types::I8, instance, offset);
                let handle = self
                    .f
                    .ins()
                    .icmp_imm_u(IntCC::Equal, tag, i64::from(HANDLE));
                self.guard_not(handle, ins.at, WHOLE);
                self.write_register(ins.b, instance, offset);
            }
            None => {
                let args = [R(ins.a), R(ins.b), N(i64::from(ins.operand))];
                self.slow(ins, helpers::set_field as *const u8, &args);
            }
        }
    }

    fn update_field(&mut self, ins: &Ins) {
        let op = [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul]
            .into_iter()
            .find(|&op| op as usize == ins.c);
        let tag = self.tag_at(ins.at, ins.b);
        if let (Some(op), Some(tag @ (INT | FLOAT))) = (op, tag)
            && (tag == FLOAT || op != BinaryOp::Mul)
            && let Some((instance, slot)) = self.instance(ins, ins.a)
        {
            let offset = layout::FIELDS + 16 * slot;
            let y = self.load_as(ins.at, ins.b, tag);
            let x = self.checked(instance, offset, tag, ins.at, WHOLE);
            let value = match (tag, op) {
                (INT, _) => self.ints(ins, op, x, y, None),
                (_, BinaryOp::Add) => Some(self.f.ins().fadd(x, y)),
                (_, BinaryOp::Sub) => Some(self.f.ins().fsub(x, y)),
                _ => Some(self.f.ins().fmul(x, y)),
            };
            if let Some(value) = value {
                self.store(value, instance, offset + 8);
            }
            return;
        }
        let (op, site) = (N(ins.c as i64), N(i64::from(ins.operand)));
        let args = [R(ins.a), R(ins.b), op, site];
        self.slow(ins, helpers::update_field as *const u8, &args);
    }

    fn iterate(&mut self, ins: &Ins) -> Option<()> {
        match self.tag_at(ins.at, ins.a) {
            Some(INT) => {
                let count = self.load_as(ins.at, ins.a, INT);
                let last = self.counter(ins.a + 1);
                let more = self.f.ins().icmp(IntCC::SignedLessThanOrEqual, count, last);
                let before = self.state.clone();
                let next = self.f.ins().iadd_imm_s(count, 1);
                self.set(ins.a, INT, next);
                self.set(ins.b, INT, count);
                self.loop_if(ins, more, before)
            }
            Some(LIST) if self.list_kind(ins.at, ins.a).is_some() => {
                let kind = self.list_kind(ins.at, ins.a)?;
                let list = self.load_as(ins.at, ins.a, LIST);
                let index = self.counter(ins.a + 1);
                let len = self.load(types::I64, list, self.facts.lists.len);
                let more = self.f.ins().icmp(IntCC::UnsignedLessThan, index, len);
                let next = self.f.ins().iadd_imm_s(index, 1);
                let mut after = self.state.clone();
                after[ins.a + 1] = Some(Known {
                    tag: INT,
                    dirty: true,
                    owner: 0,
                    value: next,
                });
                let (inside, go_on) = (self.f.create_block(), self.f.create_block());
                self.f.ins().brif(more, inside, &[], go_on, &[]);
                self.f.switch_to_block(inside);
                let sample = self.sample_item(ins.a);
                let item = self.list_start(ins, ins.a, index, kind);
                match kind {
                    ANY => self.load_result(ins.at, ins.b, item, 0, sample),
                    INTS => {
                        let value = self.load(types::I64, item, 0);
                        self.set(ins.b, INT, value);
                    }
                    FLOATS => {
                        let value = self.load(types::F64, item, 0);
                        self.set(ins.b, FLOAT, value);
                    }
                    _ => {
                        let value = self.load(types::I8, item, 0);
                        self.set(ins.b, BOOL, value);
                    }
                }
                self.set(ins.a + 1, INT, next);
                let target = ins.target(self.facts.proto)?;
                self.go_to(target, true);
                self.f.switch_to_block(go_on);
                self.closed = false;
                self.state = after;
                self.samples[ins.b] = None;
                Some(())
            }
            _ => {
                let args = [R(ins.a), R(ins.b)];
                let more = self.slow(ins, helpers::iterate_next as *const u8, &args);
                self.forget(ins.a);
                self.forget(ins.a + 1);
                self.forget(ins.b);
                let before = self.state.clone();
                self.loop_if(ins, more, before)
            }
        }
    }

    /// Jumps back where a condition holds; what is known behind the loop is given.
    pub(super) fn loop_if(
        &mut self,
        ins: &Ins,
        condition: Value,
        after: super::emit::State,
    ) -> Option<()> {
        let target = ins.target(self.facts.proto)?;
        let (taken, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.ins().brif(condition, taken, &[], go_on, &[]);
        self.f.switch_to_block(taken);
        self.go_to(target, true);
        self.f.switch_to_block(go_on);
        self.closed = false;
        self.state = after;
        Some(())
    }
}

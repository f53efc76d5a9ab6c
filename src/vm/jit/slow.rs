//! Instructions that are calls of the interpreter's own slow paths.

use super::emit::Emit;
use super::flow::Ins;
use super::helpers;
use crate::compile::code::Op;
use crate::vm::raw::BOOL;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

/// An argument of a helper.
#[derive(Clone, Copy)]
pub(super) enum Arg {
    /// The place of a register.
    Register(usize),
    /// A number.
    Number(i64),
}

impl Emit<'_, '_> {
    /// Calls a helper.
    pub(super) fn slow(&mut self, ins: &Ins, helper: *const u8, args: &[Arg]) -> Value {
        let args: Vec<Value> = args
            .iter()
            .map(|arg| match *arg {
                Arg::Register(register) => self.register_place(register),
                Arg::Number(number) => self.int(number),
            })
            .collect();
        self.call_helper(ins, helper, &args)
    }

    pub(super) fn slow_instruction(&mut self, ins: &Ins) -> Option<()> {
        use Arg::{Number as N, Register as R};
        let (a, b, c) = (R(ins.a), R(ins.b), R(ins.c));
        let site = N(i64::from(ins.operand));
        let (helper, args): (*const u8, &[Arg]) = match ins.op {
            Op::NewList => (helpers::new_list as _, &[a, b, N(ins.c as i64)]),
            Op::NewMap => (helpers::new_map as _, &[a]),
            Op::NewRange => (helpers::new_range as _, &[a, b, N(ins.c as i64)]),
            Op::NewBox => (helpers::new_box as _, &[a, b]),
            Op::NewInstance => (helpers::new_instance as _, &[a, R(0), N(ins.b as i64)]),
            Op::Interp => (helpers::interpolate as _, &[a, b, N(ins.c as i64)]),
            Op::Closure => (helpers::closure as _, &[a, R(0), N(ins.x as i64)]),
            Op::In | Op::NotIn => {
                let found = self.slow(ins, helpers::contains as *const u8, &[b, c]);
                let wanted = match ins.op {
                    Op::In => IntCC::NotEqual,
                    _ => IntCC::Equal,
                };
                let holds = self.f.ins().icmp_imm_u(wanted, found, 0);
                self.set(ins.a, BOOL, holds);
                return Some(());
            }
            Op::TakeField => {
                let found = self.slow(ins, helpers::take_field as *const u8, &[a, b, site]);
                self.forget(ins.a);
                let missing = self.f.ins().icmp_imm_u(IntCC::Equal, found, 0);
                return self.jump_if(ins, missing);
            }
            Op::IterNext2 => {
                let more = self.slow(ins, helpers::iterate_pair as *const u8, &[a, b]);
                for register in [ins.a, ins.a + 1, ins.b, ins.b + 1] {
                    self.forget(register);
                }
                let after = self.state.clone();
                return self.loop_if(ins, more, after);
            }
            _ => return self.effect(ins),
        };
        self.slow(ins, helper, args);
        self.forget(ins.a);
        Some(())
    }

    /// Instructions that write no register but what they change themselves.
    fn effect(&mut self, ins: &Ins) -> Option<()> {
        use Arg::{Number as N, Register as R};
        let (a, b, c) = (R(ins.a), R(ins.b), R(ins.c));
        let (helper, args): (*const u8, &[Arg]) = match ins.op {
            Op::ListPush => (helpers::list_push as _, &[a, b]),
            Op::ListExtend => (helpers::list_extend as _, &[a, b]),
            Op::MapSet => (helpers::map_set as _, &[a, b, c]),
            Op::MapExtend => (helpers::map_extend as _, &[a, b]),
            Op::UpdateIndex => (
                helpers::update_index as _,
                &[a, b, c, N(i64::from(ins.operand))],
            ),
            Op::SetCapture => {
                let closure = self.load(types::I64, self.base, Self::slot(ins.a) + 8);
                let offset = super::layout::CAPTURES + 16 * ins.b as i32;
                self.write_register(ins.c, closure, offset);
                return Some(());
            }
            Op::IterPrep => {
                self.slow(ins, helpers::iterate_prepare as *const u8, &[a]);
                let sample = self.samples[ins.a];
                self.forget(ins.a);
                self.forget(ins.a + 1);
                // A list is gone through as it is.
                self.samples[ins.a] = sample;
                return Some(());
            }
            _ => return self.call_instruction(ins),
        };
        self.slow(ins, helper, args);
        Some(())
    }
}

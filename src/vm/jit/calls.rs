//! Calls and returns.

#![allow(unsafe_code)]

use super::emit::{Emit, WHOLE};
use super::flow::Ins;
use super::helpers;
use super::layout;
use super::slow::Arg::{Number as N, Register as R};
use super::{FAILED, LEFT, PUSHED};
use crate::compile::code::Op;
use crate::value;
use crate::value::function::{Closure, Proto};
use crate::value::heap::Gc;
use crate::vm::raw::{self, FLOAT, FN, INT, LIST};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, Value, types};
use cranelift_codegen::isa::CallConv;

/// Where the hint about a called function belongs.
pub(super) const CALLEE: usize = 1002;

/// Where exits belong that say nothing against the code.
pub(super) const RETRY: usize = 1003;
/// Where exits belong that are always taken: instructions that are the interpreter's.
pub(super) const UNKNOWN: usize = 1004;

/// The signature of compiled units.
pub(super) fn unit_signature() -> Signature {
    signature(4)
}

fn signature(params: usize) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature
        .params
        .extend((0..params).map(|_| AbiParam::new(types::I64)));
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

impl Emit<'_, '_> {
    pub(super) fn call_instruction(&mut self, ins: &Ins) -> Option<()> {
        match ins.op {
            Op::Return => {
                self.write_register(ins.a, self.dest, 0);
                self.go_back();
            }
            Op::ReturnNil => {
                let (tag, zero) = (self.int(i64::from(raw::NIL)), self.int(0));
                self.store(tag, self.dest, 0);
                self.store(zero, self.dest, 8);
                self.go_back();
            }
            Op::Call => self.call(ins),
            Op::CallGlobal => self.call_global(ins),
            Op::Method => self.method(ins),
            Op::CallNative => self.call_native(ins),
            Op::CallEx | Op::MethodEx => self.call_shaped(ins),
            _ => self.leave(ins.at, UNKNOWN, LEFT),
        }
        Some(())
    }

    fn call_shaped(&mut self, ins: &Ins) {
        let second = self.facts.proto.code.get(ins.at + 2).copied().unwrap_or(0);
        let (callee, count) = (R(ins.a), N(ins.b as i64));
        let (dest, first) = (N(ins.c as i64), N(i64::from(ins.operand)));
        let result = match ins.op {
            Op::CallEx => {
                let args = [callee, count, dest, first];
                self.slow(ins, helpers::call_shaped as *const u8, &args)
            }
            _ => {
                let args = [callee, count, dest, first, N(i64::from(second))];
                self.slow(ins, helpers::method_shaped as *const u8, &args)
            }
        };
        self.after_helper_call(ins, result);
    }

    fn go_back(&mut self) {
        let caller = self.f.ins().iadd_imm_s(self.frame, -layout::FRAME_SIZE);
        self.store(caller, self.machine, layout::current());
        let over = self.int(0);
        self.f.ins().return_(&[over]);
        self.closed = true;
    }

    /// Calls a helper with the machine and other arguments. All registers stand in their slots then, and the frame says where it
    /// is. Below 0 the helper failed: this function is left.
    pub(super) fn call_helper(&mut self, ins: &Ins, code: *const u8, args: &[Value]) -> Value {
        self.flush();
        self.store_pc(ins.next);
        let signature = self.f.import_signature(signature(1 + args.len()));
        let code = self.int(code as i64);
        let mut all = vec![self.machine];
        all.extend(args);
        let call = self.f.ins().call_indirect(signature, code, &all);
        let result = self.f.inst_results(call)[0];
        let failed = self.f.ins().icmp_imm_s(IntCC::SignedLessThan, result, 0);
        let (out, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.set_cold_block(out);
        self.f.ins().brif(failed, out, &[], go_on, &[]);
        self.f.switch_to_block(out);
        let status = self.int(FAILED);
        self.f.ins().return_(&[status]);
        self.f.switch_to_block(go_on);
        result
    }

    /// The closure that a value is now.
    fn closure_in(&self, place: *const value::Value) -> Option<Gc<Closure>> {
        // SAFETY: a register of the running frame or a global; what it holds is alive.
        unsafe { (raw::tag(place) == FN).then(|| raw::object(place)) }
    }

    fn fits<'c>(&self, closure: &'c Gc<Closure>, count: usize) -> Option<&'c Proto> {
        (closure.proto.exact as usize == count).then_some(&*closure.proto)
    }

    fn call(&mut self, ins: &Ins) {
        if !self.is_mixed(ins.at, CALLEE)
            && let Some(value::Value::Fn(closure)) = self.samples[ins.a]
            && let Some(proto) = self.fits(&closure, ins.b)
        {
            self.flush();
            let callee = self.checked(self.base, Self::slot(ins.a), FN, ins.at, CALLEE);
            self.same_code(ins, callee, &closure);
            self.push_and_call(ins, proto);
            return;
        }
        self.call_any(ins);
    }

    fn call_any(&mut self, ins: &Ins) {
        let args = [R(ins.a), N(ins.b as i64), N(ins.c as i64)];
        let result = self.slow(ins, helpers::call as *const u8, &args);
        self.after_helper_call(ins, result);
    }

    /// After a helper that calls: 1 says that there is a new frame now.
    fn after_helper_call(&mut self, ins: &Ins, result: Value) {
        let (out, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.set_cold_block(out);
        self.f.ins().brif(result, out, &[], go_on, &[]);
        self.f.switch_to_block(out);
        let status = self.int(PUSHED);
        self.f.ins().return_(&[status]);
        self.f.switch_to_block(go_on);
        self.forget_from(ins.a);
        self.forget(ins.c);
    }

    /// The code of the closure must be that of a known one.
    fn same_code(&mut self, ins: &Ins, callee: Value, known: &Gc<Closure>) {
        let wanted = layout::code_word(known);
        let found = self.load(types::I64, callee, layout::CLOSURE_PROTO);
        let wanted = self.int(wanted);
        let same = self.f.ins().icmp(IntCC::Equal, found, wanted);
        self.guard(same, ins.at, CALLEE);
    }

    fn call_global(&mut self, ins: &Ins) {
        let place = self.facts.globals.wrapping_add(ins.operand as usize);
        let known = self.closure_in(place);
        self.flush();
        let global = self.int(place as i64);
        if !self.is_mixed(ins.at, CALLEE)
            && let Some(closure) = known
            && let Some(proto) = self.fits(&closure, ins.b)
        {
            let callee = self.checked(global, 0, FN, ins.at, CALLEE);
            self.same_code(ins, callee, &closure);
            let tag = self.int(i64::from(FN));
            self.store(tag, self.base, Self::slot(ins.a));
            self.store(callee, self.base, Self::slot(ins.a) + 8);
            self.push_and_call(ins, proto);
            return;
        }
        let tag = self.load(types::I8, global, 0);
        self.guard(tag, ins.at, WHOLE);
        self.copy(global, 0, self.base, Self::slot(ins.a));
        self.call_any(ins);
    }

    fn method(&mut self, ins: &Ins) {
        let site = self.facts.proto.sites.get(ins.operand as usize);
        let of = match self.samples[ins.a + 1] {
            Some(value::Value::Instance(sample)) => Some(sample.of),
            _ => {
                let mut types = self.facts.structs.iter().flatten();
                let owner = site.map(|site| site.owner.get());
                types
                    .find(|of| Some(of.serial() as usize) == owner)
                    .copied()
            }
        };
        if let (Some(site), Some(of)) = (site, of)
            && let Some(value::Value::Fn(closure)) = of.method(&site.name)
            && let Some(proto) = self.fits(&closure, ins.b + 1)
            && !self.is_mixed(ins.at, CALLEE)
            && self.instance(ins, ins.a + 1).is_some()
        {
            self.flush();
            // A method lives as long as its type, and that as long as its instance, which was just seen.
            let (tag, callee) = (self.int(i64::from(FN)), self.int(layout::address(closure)));
            self.store(tag, self.base, Self::slot(ins.a));
            self.store(callee, self.base, Self::slot(ins.a) + 8);
            self.push_and_call(ins, proto);
            return;
        }
        let (count, dest) = (N(ins.b as i64), N(ins.c as i64));
        let args = [R(ins.a), count, dest, N(i64::from(ins.operand))];
        let result = self.slow(ins, helpers::method as *const u8, &args);
        self.after_helper_call(ins, result);
    }

    /// Pushes a frame for a function whose callee and arguments stand in their registers, and runs its compiled code.
    fn push_and_call(&mut self, ins: &Ins, proto: &Proto) {
        let native = self.int(proto.native.as_ptr() as i64);
        let code = self.load(types::I64, native, 0);
        self.guard(code, ins.at, CALLEE);
        let new_base = self
            .f
            .ins()
            .iadd_imm_s(self.base, i64::from(Self::slot(ins.a + 1)));
        let end = self
            .f
            .ins()
            .iadd_imm_s(new_base, 16 * i64::from(proto.registers));
        let limit = self.load(types::I64, self.machine, layout::soft_limit());
        let fits = self
            .f
            .ins()
            .icmp(IntCC::UnsignedLessThanOrEqual, end, limit);
        self.guard(fits, ins.at, RETRY);
        let new = self.f.ins().iadd_imm_s(self.frame, layout::FRAME_SIZE);
        let limit = self.load(types::I64, self.machine, layout::native_limit());
        let fits = self.f.ins().icmp(IntCC::UnsignedLessThan, new, limit);
        self.guard(fits, ins.at, RETRY);
        let budget = self.load(types::I32, self.machine, layout::budget());
        let less = self.f.ins().iadd_imm_s(budget, -1);
        let left = self.f.ins().icmp_imm_s(IntCC::SignedGreaterThan, less, 0);
        self.guard(left, ins.at, RETRY);
        self.store(less, self.machine, layout::budget());
        self.store_pc(ins.next);
        let constants = self.int(proto.constants.as_ptr() as i64);
        let proto = self.int(std::ptr::from_ref(proto) as i64);
        let dest = self.f.ins().iconst(types::I16, ins.c as i64);
        self.store(new_base, new, layout::FRAME_BASE);
        self.store(constants, new, layout::FRAME_CONSTANTS);
        self.store(proto, new, layout::FRAME_PROTO);
        // Its `entry`, the byte after it, is false.
        self.store(dest, new, layout::FRAME_DEST);
        self.store(new, self.machine, layout::current());
        let to = self.register_place(ins.c);
        let signature = self.f.import_signature(unit_signature());
        let arguments = [self.machine, new_base, new, to];
        let call = self.f.ins().call_indirect(signature, code, &arguments);
        let status = self.f.inst_results(call)[0];
        let (out, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.set_cold_block(out);
        self.f.ins().brif(status, out, &[], go_on, &[]);
        self.f.switch_to_block(out);
        self.f.ins().return_(&[status]);
        self.f.switch_to_block(go_on);
        self.forget_from(ins.a);
        self.forget(ins.c);
    }

    fn call_native(&mut self, ins: &Ins) {
        let native = match self.facts.proto.constants.get(ins.operand as usize) {
            Some(&value::Value::Native(native)) => native,
            _ => return self.leave(ins.at, UNKNOWN, LEFT),
        };
        if ins.b == 1 && !self.is_mixed(ins.at, WHOLE) {
            let known = self.state[ins.a + 1].map(|known| known.tag);
            match (native.name, known) {
                ("sqrt", Some(FLOAT)) => {
                    let x = self.load_as(ins.at, ins.a + 1, FLOAT);
                    let zero = self.f.ins().f64const(0.0);
                    let fits = self.f.ins().fcmp(FloatCC::GreaterThanOrEqual, x, zero);
                    self.guard(fits, ins.at, WHOLE);
                    let root = self.f.ins().sqrt(x);
                    self.set(ins.c, FLOAT, root);
                    return;
                }
                ("len", Some(LIST)) => {
                    let list = self.load_as(ins.at, ins.a + 1, LIST);
                    let len = self.load(types::I64, list, self.facts.lists.len);
                    self.set(ins.c, INT, len);
                    return;
                }
                _ => {}
            }
        }
        let native = self.int(std::ptr::from_ref(native) as i64);
        let (args, to) = (self.register_place(ins.a + 1), self.register_place(ins.c));
        let count = self.int(ins.b as i64);
        self.call_helper(
            ins,
            helpers::native as *const u8,
            &[native, args, count, to],
        );
        self.forget(ins.c);
    }
}

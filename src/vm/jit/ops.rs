//! Numbers, comparisons, moves and jumps.

use super::emit::{Emit, Known, WHOLE, flags, tag_of, type_of};
use super::flow::Ins;
use super::helpers;
use crate::compile::code::Op;
use crate::operator::BinaryOp;
use crate::value;
use crate::vm::raw::{BOOL, FLOAT, HANDLE, INT, NIL};
use cranelift_codegen::ir::condcodes::{CondCode, FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

/// An operand of a number operation.
#[derive(Clone, Copy)]
pub(super) enum Operand {
    Register(usize),
    Int(i64),
    Constant(usize),
}

/// The operator and the second operand of an instruction of arithmetic.
fn operation(ins: &Ins) -> Option<(BinaryOp, Operand)> {
    use BinaryOp::*;
    const ALL: [BinaryOp; 12] = [
        Add, Sub, Mul, Div, FloorDiv, Rem, Pow, BitAnd, BitOr, BitXor, Shl, Shr,
    ];
    let y = match ins.op.format() {
        "ra rb rc" => Operand::Register(ins.c),
        "ra rb ic" => Operand::Int(ins.signed_c()),
        "ra rb kc" => Operand::Constant(ins.c),
        _ => return None,
    };
    let name = ins.op.name().trim_end_matches(['I', 'K']);
    let op = ALL.into_iter().find(|op| format!("{op:?}") == name)?;
    Some((op, y))
}

/// The comparison of a jump, whether it must not hold, and the second operand.
fn condition(ins: &Ins) -> Option<(BinaryOp, bool, Operand)> {
    let y = match ins.op.format() {
        "ra rb wj" => Operand::Register(ins.b),
        "ra ix wj" => Operand::Int(ins.signed_x()),
        "ra kx wj" => Operand::Constant(ins.x),
        _ => return None,
    };
    let name = ins.op.name().strip_prefix('J')?;
    let name = name.trim_end_matches(['I', 'K']);
    let (name, not) = match name.strip_prefix("Not") {
        Some(name) => (name, true),
        None => (name, false),
    };
    match name {
        "Eq" => Some((BinaryOp::Eq, not, y)),
        "Ne" => Some((BinaryOp::Eq, !not, y)),
        "Lt" => Some((BinaryOp::Lt, not, y)),
        "Le" => Some((BinaryOp::Le, not, y)),
        "Gt" => Some((BinaryOp::Gt, not, y)),
        "Ge" => Some((BinaryOp::Ge, not, y)),
        _ => None,
    }
}

/// A number: its tag and payload.
#[derive(Clone, Copy)]
struct Number(u8, Value);

impl Emit<'_, '_> {
    /// One instruction. `None`: the unit cannot be built.
    pub(super) fn instruction(&mut self, ins: &Ins) -> Option<()> {
        if let Some((op, y)) = operation(ins) {
            self.arithmetic(ins, op, Operand::Register(ins.b), y);
            return Some(());
        }
        if let Some((op, not, y)) = condition(ins) {
            let holds = self.compare(ins, op, Operand::Register(ins.a), y, not);
            return self.jump_if(ins, holds);
        }
        match ins.op {
            Op::Move => self.move_register(ins.a, ins.b),
            Op::LoadNil => self.empty(ins.a, NIL),
            Op::LoadUndef => self.empty(ins.a, 0),
            Op::LoadBool => {
                let value = self.f.ins().iconst(types::I8, i64::from(ins.b == 1));
                self.set(ins.a, BOOL, value);
            }
            Op::LoadInt => {
                let value = self.int(ins.signed_x());
                self.set(ins.a, INT, value);
            }
            Op::LoadK => self.constant(ins.a, ins.x),
            Op::Neg => self.negate(ins),
            Op::BitNot => {
                let value = self.load_as(ins.at, ins.b, INT);
                let value = self.f.ins().bnot(value);
                self.set(ins.a, INT, value);
            }
            Op::Not => {
                let truth = self.truthy(ins, ins.b);
                let not = self.f.ins().icmp_imm_u(IntCC::Equal, truth, 0);
                self.set(ins.a, BOOL, not);
            }
            Op::Eq => self.comparison(ins, BinaryOp::Eq, false),
            Op::Ne => self.comparison(ins, BinaryOp::Eq, true),
            Op::Lt => self.comparison(ins, BinaryOp::Lt, false),
            Op::Le => self.comparison(ins, BinaryOp::Le, false),
            Op::Gt => self.comparison(ins, BinaryOp::Gt, false),
            Op::Ge => self.comparison(ins, BinaryOp::Ge, false),
            Op::Jump | Op::Loop => {
                let target = ins.target(self.facts.proto)?;
                self.go_to(target, ins.op == Op::Loop);
            }
            Op::JTrue => {
                let truth = self.truthy(ins, ins.a);
                self.jump_if(ins, truth)?;
            }
            Op::JFalse => {
                let truth = self.truthy(ins, ins.a);
                let not = self.f.ins().icmp_imm_u(IntCC::Equal, truth, 0);
                self.jump_if(ins, not)?;
            }
            Op::JNil => self.jump_nil(ins, IntCC::UnsignedLessThanOrEqual, NIL)?,
            Op::JNotNil => self.jump_nil(ins, IntCC::UnsignedGreaterThan, NIL)?,
            Op::JGiven => self.jump_nil(ins, IntCC::NotEqual, 0)?,
            Op::ForPrep => self.for_prepare(ins)?,
            Op::ForLoop => self.for_loop(ins)?,
            _ => return self.object_instruction(ins),
        }
        Some(())
    }

    fn move_register(&mut self, to: usize, from: usize) {
        match self.state[from] {
            Some(known) => {
                self.state[to] = Some(Known {
                    dirty: true,
                    ..known
                });
            }
            None => {
                self.copy(self.base, Self::slot(from), self.base, Self::slot(to));
                self.forget(to);
            }
        }
        self.samples[to] = self.samples[from];
    }

    pub(super) fn empty(&mut self, to: usize, tag: u8) {
        let (tag, zero) = (self.int(i64::from(tag)), self.int(0));
        self.store(tag, self.base, Self::slot(to));
        self.store(zero, self.base, Self::slot(to) + 8);
        self.forget(to);
        self.samples[to] = Some(value::Value::Nil);
    }

    fn constant(&mut self, to: usize, index: usize) {
        match self.facts.proto.constants.get(index) {
            Some(&value::Value::Int(int)) => {
                let value = self.int(int);
                self.set(to, INT, value);
            }
            Some(&value::Value::Float(float)) => {
                let value = self.f.ins().f64const(float);
                self.set(to, FLOAT, value);
            }
            _ => {
                let from = self.constant_place(index);
                self.copy(from, 0, self.base, Self::slot(to));
                self.forget(to);
                self.samples[to] = self.facts.proto.constants.get(index).copied();
            }
        }
    }

    pub(super) fn constant_place(&mut self, index: usize) -> Value {
        let place = self.facts.proto.constants.as_ptr().wrapping_add(index);
        self.int(place as i64)
    }

    pub(super) fn register_place(&mut self, register: usize) -> Value {
        self.f
            .ins()
            .iadd_imm_s(self.base, i64::from(Self::slot(register)))
    }

    /// What an operand is known to be.
    fn known_tag(&self, operand: Operand) -> Option<u8> {
        match operand {
            Operand::Register(register) => self.state[register].map(|known| known.tag),
            Operand::Int(_) => Some(INT),
            Operand::Constant(index) => match self.facts.proto.constants.get(index) {
                Some(value::Value::Int(_)) => Some(INT),
                Some(value::Value::Float(_)) => Some(FLOAT),
                _ => Some(0),
            },
        }
    }

    /// The number that an operand is, or is taken to be; `None` when it had better be left to the general case.
    fn number_tag(&self, at: usize, operand: Operand, other: Operand) -> Option<u8> {
        let known = match (self.known_tag(operand), operand) {
            (Some(tag), _) => Some(tag),
            (None, Operand::Register(register)) => match self.facts.hints.get(&(at, register)) {
                Some(&hint) => Some(hint),
                None => match (self.known_tag(other), self.expected(at, register)) {
                    (Some(FLOAT), _) => Some(FLOAT),
                    (_, Some(tag @ (INT | FLOAT))) => Some(tag),
                    (Some(INT), _) => Some(INT),
                    _ => match self.sampled(register) {
                        None | Some(0 | NIL) => Some(INT),
                        tag => tag,
                    },
                },
            },
            (None, _) => None,
        };
        known.filter(|&tag| tag == INT || tag == FLOAT)
    }

    fn number(&mut self, at: usize, operand: Operand, tag: u8) -> Number {
        let value = match operand {
            Operand::Register(register) => self.load_as(at, register, tag),
            Operand::Int(int) => self.int(int),
            Operand::Constant(index) => match self.facts.proto.constants.get(index) {
                Some(&value::Value::Float(float)) => self.f.ins().f64const(float),
                Some(&value::Value::Int(int)) => self.int(int),
                _ => self.int(0),
            },
        };
        Number(tag, value)
    }

    fn numbers(&mut self, at: usize, x: Operand, y: Operand) -> Option<(Number, Number)> {
        let mixed = |register| self.is_mixed(at, register);
        if mixed(WHOLE)
            || [x, y]
                .into_iter()
                .any(|o| matches!(o, Operand::Register(r) if mixed(r)))
        {
            return None;
        }
        let tx = self.number_tag(at, x, y)?;
        let ty = self.number_tag(at, y, x)?;
        let x = self.number(at, x, tx);
        let y = self.number(at, y, ty);
        Some((x, y))
    }

    fn float(&mut self, number: Number) -> Value {
        match number {
            Number(FLOAT, value) => value,
            Number(_, value) => self.f.ins().fcvt_from_sint(types::F64, value),
        }
    }

    fn arithmetic(&mut self, ins: &Ins, op: BinaryOp, x: Operand, y: Operand) {
        let result = match self.numbers(ins.at, x, y) {
            None => None,
            Some((Number(INT, x), Number(INT, y_value))) if op != BinaryOp::Div => {
                let fixed = match y {
                    Operand::Int(int) => Some(int),
                    Operand::Constant(index) => self
                        .facts
                        .proto
                        .constants
                        .get(index)
                        .and_then(|c| c.as_int()),
                    Operand::Register(_) => None,
                };
                self.ints(ins, op, x, y_value, fixed).map(|v| (INT, v))
            }
            Some((x, y)) => self.floats(ins, op, x, y).map(|v| (FLOAT, v)),
        };
        match result {
            Some((tag, value)) => self.set(ins.a, tag, value),
            None => {
                let (x, y) = (self.place(x), self.place(y));
                let (op, to) = (self.int(op as i64), self.register_place(ins.a));
                self.call_helper(ins, helpers::arithmetic as *const u8, &[op, to, x, y]);
                self.forget(ins.a);
            }
        }
    }

    /// Where an operand stands in memory, for a helper.
    fn place(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Register(register) => self.register_place(register),
            Operand::Constant(index) => self.constant_place(index),
            Operand::Int(int) => {
                // The helper takes odd addresses for small numbers.
                self.int(int << 1 | 1)
            }
        }
    }

    fn floats(&mut self, ins: &Ins, op: BinaryOp, x: Number, y: Number) -> Option<Value> {
        if !matches!(
            op,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div
        ) {
            return None;
        }
        let (x, y) = (self.float(x), self.float(y));
        Some(match op {
            BinaryOp::Add => self.f.ins().fadd(x, y),
            BinaryOp::Sub => self.f.ins().fsub(x, y),
            BinaryOp::Mul => self.f.ins().fmul(x, y),
            _ => {
                let zero = self.f.ins().f64const(0.0);
                let is_zero = self.f.ins().fcmp(FloatCC::Equal, y, zero);
                self.guard_not(is_zero, ins.at, WHOLE);
                self.f.ins().fdiv(x, y)
            }
        })
    }

    pub(super) fn ints(
        &mut self,
        ins: &Ins,
        op: BinaryOp,
        x: Value,
        y: Value,
        fixed: Option<i64>,
    ) -> Option<Value> {
        let (value, overflow) = match op {
            BinaryOp::Add => self.f.ins().sadd_overflow(x, y),
            BinaryOp::Sub => self.f.ins().ssub_overflow(x, y),
            BinaryOp::Mul => self.f.ins().smul_overflow(x, y),
            BinaryOp::BitAnd => return Some(self.f.ins().band(x, y)),
            BinaryOp::BitOr => return Some(self.f.ins().bor(x, y)),
            BinaryOp::BitXor => return Some(self.f.ins().bxor(x, y)),
            BinaryOp::FloorDiv | BinaryOp::Rem => return Some(self.divide(ins, op, x, y, fixed)),
            BinaryOp::Shl | BinaryOp::Shr => {
                let sixty_four = self.int(64);
                let fits = self.f.ins().icmp(IntCC::UnsignedLessThan, y, sixty_four);
                self.guard(fits, ins.at, WHOLE);
                if op == BinaryOp::Shr {
                    return Some(self.f.ins().sshr(x, y));
                }
                let shifted = self.f.ins().ishl(x, y);
                let back = self.f.ins().sshr(shifted, y);
                let fits = self.f.ins().icmp(IntCC::Equal, back, x);
                self.guard(fits, ins.at, WHOLE);
                return Some(shifted);
            }
            _ => return None,
        };
        self.guard_not(overflow, ins.at, WHOLE);
        Some(value)
    }

    fn divide(&mut self, ins: &Ins, op: BinaryOp, x: Value, y: Value, fixed: Option<i64>) -> Value {
        match fixed {
            Some(fixed) if fixed != 0 && fixed != -1 => {}
            _ => {
                // Neither 0 nor -1.
                let more = self.f.ins().iadd_imm_s(y, 1);
                let one = self.int(1);
                let fits = self.f.ins().icmp(IntCC::UnsignedGreaterThan, more, one);
                self.guard(fits, ins.at, WHOLE);
            }
        }
        let quotient = self.f.ins().sdiv(x, y);
        let product = self.f.ins().imul(quotient, y);
        let rest = self.f.ins().isub(x, product);
        let sixty_three = self.int(63);
        if op == BinaryOp::Rem && fixed.is_some_and(|fixed| fixed > 0) {
            let sign = self.f.ins().sshr(rest, sixty_three);
            let more = self.f.ins().band(sign, y);
            return self.f.ins().iadd(rest, more);
        }
        let signs = self.f.ins().bxor(rest, y);
        let differ = self.f.ins().icmp_imm_s(IntCC::SignedLessThan, signs, 0);
        let uneven = self.f.ins().icmp_imm_s(IntCC::NotEqual, rest, 0);
        let correct = self.f.ins().band(differ, uneven);
        if op == BinaryOp::Rem {
            let more = self.f.ins().iadd(rest, y);
            return self.f.ins().select(correct, more, rest);
        }
        let less = self.f.ins().uextend(types::I64, correct);
        self.f.ins().isub(quotient, less)
    }

    fn negate(&mut self, ins: &Ins) {
        match self.number_tag(ins.at, Operand::Register(ins.b), Operand::Register(ins.b)) {
            Some(FLOAT) => {
                let value = self.load_as(ins.at, ins.b, FLOAT);
                let value = self.f.ins().fneg(value);
                self.set(ins.a, FLOAT, value);
            }
            _ => {
                let value = self.load_as(ins.at, ins.b, INT);
                let zero = self.int(0);
                let (value, overflow) = self.f.ins().ssub_overflow(zero, value);
                self.guard_not(overflow, ins.at, WHOLE);
                self.set(ins.a, INT, value);
            }
        }
    }

    /// Whether a register counts as true, as 0 or 1.
    fn truthy(&mut self, ins: &Ins, register: usize) -> Value {
        if self.state[register].is_none() && self.expected(ins.at, register) == Some(BOOL) {
            self.load_as(ins.at, register, BOOL);
        }
        match self.state[register] {
            Some(Known {
                tag: BOOL, value, ..
            }) => value,
            Some(_) => self.f.ins().iconst(types::I8, 1),
            None => {
                let tag = self.load(types::I8, self.base, Self::slot(register));
                let payload = self.load(types::I8, self.base, Self::slot(register) + 1);
                let ins_tag = |tag: u8| i64::from(tag);
                let handle = self.f.ins().icmp_imm_u(IntCC::Equal, tag, ins_tag(HANDLE));
                self.guard_not(handle, ins.at, WHOLE);
                let bool = self.f.ins().icmp_imm_u(IntCC::Equal, tag, ins_tag(BOOL));
                let some = self
                    .f
                    .ins()
                    .icmp_imm_u(IntCC::UnsignedGreaterThan, tag, ins_tag(NIL));
                self.f.ins().select(bool, payload, some)
            }
        }
    }

    fn jump_nil(&mut self, ins: &Ins, condition: IntCC, with: u8) -> Option<()> {
        let tag = match self.state[ins.a] {
            Some(known) => self.f.ins().iconst(types::I8, i64::from(known.tag)),
            None => self.load(types::I8, self.base, Self::slot(ins.a)),
        };
        let holds = self.f.ins().icmp_imm_u(condition, tag, i64::from(with));
        self.jump_if(ins, holds)
    }

    fn comparison(&mut self, ins: &Ins, op: BinaryOp, not: bool) {
        let (x, y) = (Operand::Register(ins.b), Operand::Register(ins.c));
        let holds = self.compare(ins, op, x, y, not);
        self.set(ins.a, BOOL, holds);
    }

    /// Whether `x op y` holds (or does not hold), as 0 or 1.
    fn compare(&mut self, ins: &Ins, op: BinaryOp, x: Operand, y: Operand, not: bool) -> Value {
        let (int, float) = match op {
            BinaryOp::Eq => (IntCC::Equal, FloatCC::Equal),
            BinaryOp::Lt => (IntCC::SignedLessThan, FloatCC::LessThan),
            BinaryOp::Le => (IntCC::SignedLessThanOrEqual, FloatCC::LessThanOrEqual),
            BinaryOp::Gt => (IntCC::SignedGreaterThan, FloatCC::GreaterThan),
            _ => (IntCC::SignedGreaterThanOrEqual, FloatCC::GreaterThanOrEqual),
        };
        let same = |tx: Option<u8>, ty: Option<u8>| tx.is_some() && tx == ty;
        let tags = (self.number_tag(ins.at, x, y), self.number_tag(ins.at, y, x));
        if same(tags.0, tags.1)
            && let Some((x, y)) = self.numbers(ins.at, x, y)
        {
            return match (x, not) {
                (Number(INT, x), false) => self.f.ins().icmp(int, x, y.1),
                (Number(INT, x), true) => self.f.ins().icmp(int.complement(), x, y.1),
                (Number(_, x), false) => self.f.ins().fcmp(float, x, y.1),
                (Number(_, x), true) => self.f.ins().fcmp(float.complement(), x, y.1),
            };
        }
        if let Some(answer) = self.equals_short(ins, op, x, y, not) {
            return answer;
        }
        let (x, y) = (self.place(x), self.place(y));
        let number = self.int(op as i64);
        let answer = self.call_helper(ins, helpers::compare as *const u8, &[number, x, y]);
        let answer = self.f.ins().ireduce(types::I8, answer);
        let eight = i64::from(not);
        self.f.ins().bxor_imm_u(answer, eight)
    }

    /// Whether a register holds a certain short string, as 0 or 1; `None` when that is not what is asked.
    fn equals_short(
        &mut self,
        ins: &Ins,
        op: BinaryOp,
        x: Operand,
        y: Operand,
        not: bool,
    ) -> Option<Value> {
        let (Operand::Register(register), Operand::Constant(index)) = (x, y) else {
            return None;
        };
        let constant = self.facts.proto.constants.get(index)?;
        let short = tag_of(constant);
        let known = self.state[register].is_some() || self.sampled(register) != Some(short);
        if op != BinaryOp::Eq
            || !matches!(constant, value::Value::Short(_))
            || known
            || self.is_mixed(ins.at, WHOLE)
        {
            return None;
        }
        let tag = self.load(types::I8, self.base, Self::slot(register));
        let fits = self.f.ins().icmp_imm_u(IntCC::Equal, tag, i64::from(short));
        self.guard(fits, ins.at, WHOLE);
        let constant = self.constant_place(index);
        // All bytes of both words count: those behind a short string's end are 0.
        let mut differ = self.int(0);
        for offset in [0, 8] {
            let held = self.load(types::I64, self.base, Self::slot(register) + offset);
            let wanted = self.load(types::I64, constant, offset);
            let different = self.f.ins().bxor(held, wanted);
            differ = self.f.ins().bor(differ, different);
        }
        let condition = if not { IntCC::NotEqual } else { IntCC::Equal };
        Some(self.f.ins().icmp_imm_u(condition, differ, 0))
    }

    fn for_prepare(&mut self, ins: &Ins) -> Option<()> {
        let start = self.load_as(ins.at, ins.a, INT);
        let end = self.load_as(ins.at, ins.a + 1, INT);
        let inclusive = ins.b != 0;
        let last = match inclusive {
            true => end,
            false => self.f.ins().iadd_imm_s(end, -1),
        };
        let condition = match inclusive {
            true => IntCC::SignedGreaterThan,
            false => IntCC::SignedGreaterThanOrEqual,
        };
        let empty = self.f.ins().icmp(condition, start, end);
        self.set(ins.a + 1, INT, last);
        self.set(ins.a + 2, INT, start);
        self.jump_if(ins, empty)
    }

    fn for_loop(&mut self, ins: &Ins) -> Option<()> {
        // The compiler puts nothing but ints there: the interpreter does not look either.
        let count = self.counter(ins.a);
        let last = self.counter(ins.a + 1);
        let more = self.f.ins().icmp(IntCC::SignedLessThan, count, last);
        let before = self.state.clone();
        let next = self.f.ins().iadd_imm_s(count, 1);
        self.set(ins.a, INT, next);
        self.set(ins.a + 2, INT, next);
        let target = ins.target(self.facts.proto)?;
        let (taken, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.ins().brif(more, taken, &[], go_on, &[]);
        self.f.switch_to_block(taken);
        self.go_to(target, true);
        self.f.switch_to_block(go_on);
        self.closed = false;
        self.state = before;
        Some(())
    }

    pub(super) fn counter(&mut self, register: usize) -> Value {
        match self.state[register] {
            Some(known) if known.tag == INT => known.value,
            _ => {
                let value =
                    self.f
                        .ins()
                        .load(type_of(INT), flags(), self.base, Self::slot(register) + 8);
                self.state[register] = Some(Known {
                    tag: INT,
                    dirty: false,
                    owner: 0,
                    value,
                });
                value
            }
        }
    }
}

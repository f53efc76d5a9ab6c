//! The loop.
//!
//! The next instruction, register 0 and the constants are in local variables; everything rare is a call of a function in
//! another file of this folder. Whoever leaves the loop's hands (natives, slow paths) finds the next instruction stored in
//! the frame, and whatever may have changed the frames reloads the three. Calls of script functions change frames and go on.

#![allow(unsafe_code)]

use super::call::Stop;
use super::frames::Frame;
use super::quick::{
    float_update, floor_div, floor_rem, list_get, list_push, list_set, map_get, map_set,
    shift_left, shift_right, small_update,
};
use super::raw::{self, FLOAT, INT, NIL};
use super::state::Machine;
use crate::compile::code::Op;
use crate::operator::BinaryOp;
use crate::value::Value;
use crate::value::function::{Closure, Proto, Site, Upvalue};
use crate::value::handle::HandleBox;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::Outcome;
use crate::value::structure::Instance;

const FN: u8 = raw::FN;
const LIST: u8 = raw::LIST;
const MAP: u8 = raw::MAP;
const INSTANCE: u8 = raw::INSTANCE;
const HANDLE: u8 = raw::HANDLE;

impl Machine {
    /// Runs the current frame and all that it calls until the entry frame returns.
    // One function on purpose: its locals are the machine's registers.
    pub(super) fn execute(&mut self) -> Outcome {
        // SAFETY, for the whole loop: code comes from the compiler alone, which names only registers below the function's count,
        // constants, sites and inner functions that exist, and jumps to instructions. The register window of every
        // frame lies inside the stack: it was checked when the frame was made. Tags are looked at before payloads are.
        unsafe {
            let mut pc: *const u32;
            let mut base: *mut Value;
            let mut constants: *const Value;
            macro_rules! load {
                () => {{
                    let frame: *mut Frame = self.frames.current;
                    pc = (*frame).pc;
                    base = (*frame).base;
                    constants = (*frame).constants;
                }};
            }
            load!();
            #[cfg(feature = "jit")]
            if pc == (*(*self.frames.current).proto).code.as_ptr() {
                match self.start_natively() {
                    super::jit::Ran::Over(value) => return Ok(value),
                    super::jit::Ran::On => {}
                    super::jit::Ran::Failed => {
                        let fault = self.fault.take();
                        self.unwind(fault)?;
                    }
                }
                load!();
            }
            // One loop and one place to go on at: more of either cost a tenth of the speed (measured).
            'run: loop {
                'fail: {
                    // Instructions that go back leave this block; all others go on behind it.
                    'back: {
                        let word = *pc;
                        pc = pc.add(1);
                        // Emits nothing. The compiler must take the new address as it comes: else it keeps the old one in a second
                        // register and moves it back at the end of every instruction.
                        std::arch::asm!("/* {0} */", inout(reg) pc, options(pure, readonly, nostack, preserves_flags));
                        macro_rules! a {
                            () => {
                                base.add((word >> 8 & 0xff) as usize)
                            };
                        }
                        macro_rules! b {
                            () => {
                                base.add((word >> 16 & 0xff) as usize)
                            };
                        }
                        macro_rules! c {
                            () => {
                                base.add((word >> 24) as usize)
                            };
                        }
                        macro_rules! number_b {
                            () => {
                                (word >> 16 & 0xff) as usize
                            };
                        }
                        macro_rules! number_c {
                            () => {
                                (word >> 24) as usize
                            };
                        }
                        macro_rules! x {
                            () => {
                                (word >> 16) as usize
                            };
                        }
                        macro_rules! signed_x {
                            () => {
                                i64::from((word as i32) >> 16)
                            };
                        }
                        macro_rules! signed_c {
                            () => {
                                i64::from((word as i32) >> 24)
                            };
                        }
                        macro_rules! constant_c {
                            () => {
                                constants.add(number_c!())
                            };
                        }
                        macro_rules! next_word {
                            () => {{
                                let word = *pc;
                                pc = pc.add(1);
                                word
                            }};
                        }
                        macro_rules! store {
                            () => {
                                (*self.frames.current).pc = pc
                            };
                        }
                        // Leaves the loop's fast path; what it needs is copied into the closure, so that no local variable must
                        // stand in memory for its sake.
                        macro_rules! slow {
                            ($m:ident => $e:expr) => {{
                                store!();
                                match self.out_of_line(move |$m| $e) {
                                    Ok(value) => value,
                                    Err(Stop) => break 'fail,
                                }
                            }};
                        }
                        macro_rules! jump_word {
                            ($condition:expr) => {{
                                let offset = *pc as i32 as isize;
                                pc = pc.add(1);
                                if $condition {
                                    pc = pc.offset(offset);
                                    if offset < 0 {
                                        break 'back;
                                    }
                                }
                            }};
                        }
                        // A native function with its arguments in a row; the result goes to a register.
                        macro_rules! native {
                            ($native:expr, $args:expr, $count:expr) => {{
                                store!();
                                if self.run_native($native, $args, $count, c!()).is_err() {
                                    break 'fail;
                                }
                            }};
                        }
                        macro_rules! proto {
                            () => {
                                &*(*self.frames.current).proto
                            };
                        }
                        // Emits nothing either, but keeps the compiler from sharing the ends of these instructions by a jump.
                        macro_rules! apart {
                            ($op:ident) => {
                                std::arch::asm!(
                                    concat!("/* ", stringify!($op), " */"),
                                    options(nomem, nostack, preserves_flags)
                                )
                            };
                        }
                        macro_rules! arithmetic {
                        ($op:ident, $to:expr, $x:expr, $y:expr, $int:ident, $float:tt) => {{
                            let (to, x, y): (*mut Value, *const Value, *const Value) = ($to, $x, $y);
                            let (tx, ty) = (raw::tag(x), raw::tag(y));
                            if tx == INT && ty == INT {
                                if let Some(value) = raw::int(x).$int(raw::int(y)) {
                                    raw::set_int(to, value);
                                    apart!($op);
                                    continue 'run;
                                }
                            } else if tx == FLOAT && ty == FLOAT {
                                raw::set_float(to, raw::float(x) $float raw::float(y));
                                apart!($op);
                                continue 'run;
                            }
                            slow!(m => m.arithmetic(BinaryOp::$op, to, *x, *y));
                        }};
                    }
                        macro_rules! division {
                        ($op:ident, $to:expr, $x:expr, $y:expr, $divide:path) => {{
                            let (to, x, y): (*mut Value, *const Value, *const Value) =
                                ($to, $x, $y);
                            if raw::tag(x) == INT
                                && raw::tag(y) == INT
                                && let Some(value) = $divide(raw::int(x), raw::int(y))
                            {
                                raw::set_int(to, value);
                                continue 'run;
                            }
                            slow!(m => m.arithmetic(BinaryOp::$op, to, *x, *y));
                        }};
                    }
                        macro_rules! divide {
                        ($to:expr, $x:expr, $y:expr) => {{
                            let (to, x, y): (*mut Value, *const Value, *const Value) =
                                ($to, $x, $y);
                            if raw::tag(x) == FLOAT && raw::tag(y) == FLOAT && raw::float(y) != 0.0
                            {
                                raw::set_float(to, raw::float(x) / raw::float(y));
                                continue 'run;
                            }
                            slow!(m => m.arithmetic(BinaryOp::Div, to, *x, *y));
                        }};
                    }
                        macro_rules! bits {
                        ($op:ident, $operator:tt) => {{
                            let (x, y) = (b!(), c!());
                            if raw::tag(x) == INT && raw::tag(y) == INT {
                                raw::set_int(a!(), raw::int(x) $operator raw::int(y));
                                continue 'run;
                            }
                            slow!(m => m.arithmetic(BinaryOp::$op, a!(), *x, *y));
                        }};
                    }
                        macro_rules! compare {
                        ($op:ident, $x:expr, $y:expr, $operator:tt) => {{
                            let (x, y): (*const Value, *const Value) = ($x, $y);
                            let (tx, ty) = (raw::tag(x), raw::tag(y));
                            if tx == INT && ty == INT {
                                raw::int(x) $operator raw::int(y)
                            } else if tx == FLOAT && ty == FLOAT {
                                raw::float(x) $operator raw::float(y)
                            } else {
                                slow!(m => m.compare(BinaryOp::$op, *x, *y))
                            }
                        }};
                    }
                        macro_rules! compare_small {
                        ($op:ident, $operator:tt) => {{
                            let x = a!();
                            if raw::tag(x) == INT {
                                raw::int(x) $operator signed_x!()
                            } else {
                                slow!(m => m.compare(BinaryOp::$op, *x, Value::Int(signed_x!())))
                            }
                        }};
                    }
                        macro_rules! equal {
                            ($x:expr, $y:expr) => {{
                                let (x, y): (*const Value, *const Value) = ($x, $y);
                                if raw::tag(x) == INT && raw::tag(y) == INT {
                                    raw::int(x) == raw::int(y)
                                } else {
                                    self.equal(&*x, &*y)
                                }
                            }};
                        }
                        macro_rules! equal_small {
                            () => {{
                                let x = a!();
                                if raw::tag(x) == INT {
                                    raw::int(x) == signed_x!()
                                } else {
                                    self.equal(&*x, &Value::Int(signed_x!()))
                                }
                            }};
                        }
                        // Calls the function in a slot, whose arguments stand after it: pushes a frame when all is as usual.
                        macro_rules! call {
                        ($callee:expr, $count:expr, $dest:expr) => {{
                            let (callee, count, dest): (*mut Value, usize, usize) =
                                ($callee, $count, $dest);
                            if raw::tag(callee) == FN {
                                let closure: Gc<Closure> = raw::object(callee);
                                let proto: *const Proto = &raw const *closure.proto;
                                let frame = self.frames.current;
                                let new = frame.add(1);
                                let new_base = callee.add(1);
                                self.heap.budget -= 1;
                                if (*proto).exact as usize == count
                                    && self.heap.budget > 0
                                    && new_base.add((*proto).registers as usize) <= self.soft_limit
                                    && new < self.frames.limit
                                {
                                    (*frame).pc = pc;
                                    pc = (*proto).code.as_ptr();
                                    constants = (*proto).constants.as_ptr();
                                    base = new_base;
                                    new.write(Frame {
                                        pc,
                                        base,
                                        constants,
                                        proto,
                                        dest: dest as u8,
                                        entry: false,
                                    });
                                    self.frames.current = new;
                                    #[cfg(feature = "jit")]
                                    if !(*proto).native.get().is_null() {
                                        if let super::jit::Ran::Failed = self.start_natively() {
                                            break 'fail;
                                        }
                                        load!();
                                    }
                                    continue 'run;
                                }
                            }
                            slow!(m => m.call_slow(callee, count, dest, None));
                            load!();
                        }};
                    }

                        match std::mem::transmute::<u8, Op>(word as u8) {
                            Op::Move => raw::copy(a!(), b!()),
                            Op::LoadNil => raw::set_empty(a!(), NIL),
                            Op::LoadUndef => raw::set_empty(a!(), 0),
                            Op::LoadBool => raw::set_bool(a!(), number_b!() != 0),
                            Op::LoadInt => raw::set_int(a!(), signed_x!()),
                            Op::LoadK => raw::copy(a!(), constants.add(x!())),
                            Op::GetGlobal => {
                                let global = self.globals.start().add(x!());
                                if raw::tag(global) == 0 {
                                    slow!(m => m.no_global(x!()));
                                }
                                raw::copy(a!(), global);
                            }
                            Op::SetGlobal => raw::copy(self.globals.start().add(x!()), a!()),
                            Op::GetCapture => {
                                let closure: Gc<Closure> = raw::object(base.sub(1));
                                raw::copy(a!(), closure.capture(number_b!()));
                            }
                            Op::GetCaptureBox => {
                                let closure: Gc<Closure> = raw::object(base.sub(1));
                                let cell: Gc<Upvalue> = raw::object(closure.capture(number_b!()));
                                let value = cell.value.as_ptr();
                                if raw::tag(value) == 0 {
                                    slow!(m => m.no_capture(number_b!()));
                                }
                                raw::copy(a!(), value);
                            }
                            Op::SetCaptureBox => {
                                let closure: Gc<Closure> = raw::object(base.sub(1));
                                let cell: Gc<Upvalue> = raw::object(closure.capture(number_b!()));
                                raw::copy(cell.value.as_ptr(), a!());
                            }
                            Op::NewBox => {
                                let cell = Upvalue::new(&mut self.heap, *b!());
                                a!().write(Value::Cell(cell));
                            }
                            Op::GetBox => {
                                let cell: Gc<Upvalue> = raw::object(b!());
                                let value = cell.value.as_ptr();
                                if raw::tag(value) == 0 {
                                    slow!(m => m.no_variable());
                                }
                                raw::copy(a!(), value);
                            }
                            Op::SetBox => {
                                let cell: Gc<Upvalue> = raw::object(a!());
                                raw::copy(cell.value.as_ptr(), b!());
                            }

                            Op::Add => arithmetic!(Add, a!(), b!(), c!(), checked_add, +),
                            Op::Sub => arithmetic!(Sub, a!(), b!(), c!(), checked_sub, -),
                            Op::Mul => arithmetic!(Mul, a!(), b!(), c!(), checked_mul, *),
                            Op::AddK => arithmetic!(Add, a!(), b!(), constant_c!(), checked_add, +),
                            Op::SubK => arithmetic!(Sub, a!(), b!(), constant_c!(), checked_sub, -),
                            Op::MulK => arithmetic!(Mul, a!(), b!(), constant_c!(), checked_mul, *),
                            Op::AddI => {
                                let x = b!();
                                if raw::tag(x) == INT
                                    && let Some(value) = raw::int(x).checked_add(signed_c!())
                                {
                                    raw::set_int(a!(), value);
                                    continue 'run;
                                }
                                slow!(m => m.arithmetic(
                                    BinaryOp::Add,
                                    a!(),
                                    *x,
                                    Value::Int(signed_c!())
                                ));
                            }
                            Op::SubI => {
                                let x = b!();
                                if raw::tag(x) == INT
                                    && let Some(value) = raw::int(x).checked_sub(signed_c!())
                                {
                                    raw::set_int(a!(), value);
                                    continue 'run;
                                }
                                slow!(m => m.arithmetic(
                                    BinaryOp::Sub,
                                    a!(),
                                    *x,
                                    Value::Int(signed_c!())
                                ));
                            }
                            Op::Div => divide!(a!(), b!(), c!()),
                            Op::DivK => divide!(a!(), b!(), constant_c!()),
                            Op::FloorDiv => division!(FloorDiv, a!(), b!(), c!(), floor_div),
                            Op::FloorDivK => {
                                division!(FloorDiv, a!(), b!(), constant_c!(), floor_div)
                            }
                            Op::Rem => division!(Rem, a!(), b!(), c!(), floor_rem),
                            Op::RemK => division!(Rem, a!(), b!(), constant_c!(), floor_rem),
                            Op::Pow => slow!(m => m.arithmetic(BinaryOp::Pow, a!(), *b!(), *c!())),
                            Op::BitAnd => bits!(BitAnd, &),
                            Op::BitOr => bits!(BitOr, |),
                            Op::BitXor => bits!(BitXor, ^),
                            Op::Shl => division!(Shl, a!(), b!(), c!(), shift_left),
                            Op::Shr => division!(Shr, a!(), b!(), c!(), shift_right),
                            Op::Neg => slow!(m => m.negate(a!(), *b!())),
                            Op::BitNot => slow!(m => m.bit_not(a!(), *b!())),
                            Op::Not => raw::set_bool(a!(), !raw::truthy(b!())),
                            Op::Eq => raw::set_bool(a!(), equal!(b!(), c!())),
                            Op::Ne => raw::set_bool(a!(), !equal!(b!(), c!())),
                            Op::Lt => raw::set_bool(a!(), compare!(Lt, b!(), c!(), <)),
                            Op::Le => raw::set_bool(a!(), compare!(Le, b!(), c!(), <=)),
                            Op::Gt => raw::set_bool(a!(), compare!(Gt, b!(), c!(), >)),
                            Op::Ge => raw::set_bool(a!(), compare!(Ge, b!(), c!(), >=)),
                            Op::In => raw::set_bool(a!(), slow!(m => m.contains(*b!(), *c!()))),
                            Op::NotIn => raw::set_bool(a!(), !slow!(m => m.contains(*b!(), *c!()))),

                            Op::Jump => pc = pc.offset((word as i32 >> 8) as isize),
                            Op::Loop => {
                                pc = pc.offset((word as i32 >> 8) as isize);
                                break 'back;
                            }
                            Op::JTrue => jump_word!(raw::truthy(a!())),
                            Op::JFalse => jump_word!(!raw::truthy(a!())),
                            Op::JNil => jump_word!(raw::tag(a!()) <= NIL),
                            Op::JNotNil => jump_word!(raw::tag(a!()) > NIL),
                            Op::JGiven => jump_word!(raw::tag(a!()) != 0),
                            Op::JEq => jump_word!(equal!(a!(), b!())),
                            Op::JNe => jump_word!(!equal!(a!(), b!())),
                            Op::JLt => jump_word!(compare!(Lt, a!(), b!(), <)),
                            Op::JNotLt => jump_word!(!compare!(Lt, a!(), b!(), <)),
                            Op::JLe => jump_word!(compare!(Le, a!(), b!(), <=)),
                            Op::JNotLe => jump_word!(!compare!(Le, a!(), b!(), <=)),
                            Op::JGt => jump_word!(compare!(Gt, a!(), b!(), >)),
                            Op::JNotGt => jump_word!(!compare!(Gt, a!(), b!(), >)),
                            Op::JGe => jump_word!(compare!(Ge, a!(), b!(), >=)),
                            Op::JNotGe => jump_word!(!compare!(Ge, a!(), b!(), >=)),
                            Op::JEqI => jump_word!(equal_small!()),
                            Op::JNeI => jump_word!(!equal_small!()),
                            Op::JLtI => jump_word!(compare_small!(Lt, <)),
                            Op::JNotLtI => jump_word!(!compare_small!(Lt, <)),
                            Op::JLeI => jump_word!(compare_small!(Le, <=)),
                            Op::JNotLeI => jump_word!(!compare_small!(Le, <=)),
                            Op::JGtI => jump_word!(compare_small!(Gt, >)),
                            Op::JNotGtI => jump_word!(!compare_small!(Gt, >)),
                            Op::JGeI => jump_word!(compare_small!(Ge, >=)),
                            Op::JNotGeI => jump_word!(!compare_small!(Ge, >=)),
                            Op::JLtK => jump_word!(compare!(Lt, a!(), constants.add(x!()), <)),
                            Op::JNotLtK => jump_word!(!compare!(Lt, a!(), constants.add(x!()), <)),
                            Op::JLeK => jump_word!(compare!(Le, a!(), constants.add(x!()), <=)),
                            Op::JNotLeK => jump_word!(!compare!(Le, a!(), constants.add(x!()), <=)),
                            Op::JGtK => jump_word!(compare!(Gt, a!(), constants.add(x!()), >)),
                            Op::JNotGtK => jump_word!(!compare!(Gt, a!(), constants.add(x!()), >)),
                            Op::JGeK => jump_word!(compare!(Ge, a!(), constants.add(x!()), >=)),
                            Op::JNotGeK => jump_word!(!compare!(Ge, a!(), constants.add(x!()), >=)),
                            Op::JEqK => jump_word!(self.equal(&*a!(), &*constants.add(x!()))),
                            Op::JNeK => jump_word!(!self.equal(&*a!(), &*constants.add(x!()))),

                            Op::Call => call!(a!(), number_b!(), number_c!()),
                            Op::CallGlobal => {
                                let slot = next_word!() as usize;
                                let callee = a!();
                                raw::copy(callee, self.globals.start().add(slot));
                                if raw::tag(callee) == 0 {
                                    slow!(m => m.no_global(slot));
                                }
                                call!(callee, number_b!(), number_c!())
                            }
                            Op::CallNative => {
                                let index = next_word!() as usize;
                                if let Value::Native(native) = *constants.add(index) {
                                    native!(native, a!().add(1), number_b!());
                                }
                            }
                            Op::Method => {
                                let index = next_word!() as usize;
                                let callee = a!();
                                let receiver = callee.add(1);
                                let site: *const Site = (proto!()).sites.as_ptr().add(index);
                                let tag = raw::tag(receiver);
                                if tag == INSTANCE {
                                    let instance: Gc<Instance> = raw::object(receiver);
                                    if (*site).owner.get() == instance.serial() {
                                        raw::copy(callee, (*site).function.as_ptr());
                                        call!(callee, number_b!() + 1, number_c!());
                                        continue 'run;
                                    }
                                } else {
                                    let owner = match tag {
                                        HANDLE => raw::object::<HandleBox>(receiver).family(),
                                        tag => tag as usize,
                                    };
                                    if (*site).owner.get() == owner
                                        && (*site).slot.get() as usize == number_b!()
                                        && let Value::Native(native) = (*site).function.get()
                                    {
                                        store!();
                                        let ran =
                                            self.run_method(native, receiver, number_b!(), c!());
                                        if ran.is_err() {
                                            break 'fail;
                                        }
                                        continue 'run;
                                    }
                                }
                                slow!(m => m.method(callee, number_b!(), number_c!(), index, None));
                                load!();
                            }
                            Op::CallEx => {
                                let shape = next_word!() as usize;
                                slow!(m => m.call_slow(a!(), number_b!(), number_c!(), Some(shape)));
                                load!();
                            }
                            Op::MethodEx => {
                                let (site, shape) = (next_word!() as usize, next_word!() as usize);
                                slow!(m => m.method(a!(), number_b!(), number_c!(), site, Some(shape)));
                                load!();
                            }
                            Op::Return | Op::ReturnNil => {
                                let frame = self.frames.current;
                                let caller = frame.sub(1);
                                self.frames.current = caller;
                                let nil = word as u8 == Op::ReturnNil as u8;
                                if (*frame).entry {
                                    return Ok(if nil { Value::Nil } else { raw::read(a!()) });
                                }
                                let dest = (*caller).base.add((*frame).dest as usize);
                                if nil {
                                    dest.write(Value::Nil);
                                } else {
                                    raw::copy(dest, a!());
                                }
                                pc = (*caller).pc;
                                base = (*caller).base;
                                constants = (*caller).constants;
                            }

                            Op::ForPrep => {
                                let state = a!();
                                if raw::tag(state) != INT || raw::tag(state.add(1)) != INT {
                                    slow!(m => m.bad_count(*state, *state.add(1)));
                                }
                                let (start, end) = (raw::int(state), raw::int(state.add(1)));
                                let inclusive = number_b!() != 0;
                                let last = end.wrapping_sub(i64::from(!inclusive));
                                let empty = if inclusive { start > end } else { start >= end };
                                raw::set_int(state.add(1), last);
                                raw::set_int(state.add(2), start);
                                jump_word!(empty)
                            }
                            Op::ForLoop => {
                                let state = a!();
                                let offset = next_word!() as i32 as isize;
                                let count = raw::int(state);
                                if count < raw::int(state.add(1)) {
                                    raw::set_int(state, count + 1);
                                    raw::set_int(state.add(2), count + 1);
                                    pc = pc.offset(offset);
                                    break 'back;
                                }
                            }
                            Op::IterPrep => slow!(m => m.iterate_prepare(a!())),
                            Op::IterNext => {
                                let offset = next_word!() as i32 as isize;
                                let state = a!();
                                let found = match raw::tag(state) {
                                    INT => {
                                        let count = raw::int(state);
                                        let more = count <= raw::int(state.add(1));
                                        if more {
                                            raw::set_int(state, count + 1);
                                            raw::set_int(b!(), count);
                                        }
                                        more
                                    }
                                    LIST => {
                                        let list: Gc<List> = raw::object(state);
                                        let at = raw::int(state.add(1));
                                        raw::set_int(state.add(1), at + 1);
                                        list_get(&list, at as usize, b!())
                                    }
                                    _ => slow!(m => m.iterate_next(state, b!())),
                                };
                                if found {
                                    pc = pc.offset(offset);
                                    break 'back;
                                }
                            }
                            Op::IterNext2 => {
                                let offset = next_word!() as i32 as isize;
                                if slow!(m => m.iterate_next_pair(a!(), b!())) {
                                    pc = pc.offset(offset);
                                    break 'back;
                                }
                            }

                            Op::PiecesPrep => slow!(m => m.pieces_prepare(a!())),
                            Op::PiecesNext => {
                                let offset = next_word!() as i32 as isize;
                                if slow!(m => m.pieces_next(a!())) {
                                    pc = pc.offset(offset);
                                    break 'back;
                                }
                            }

                            Op::NewList => self.new_list(a!(), b!(), number_c!()),
                            Op::ListPush => {
                                if !list_push(a!(), b!()) {
                                    slow!(m => m.list_push(*a!(), *b!()));
                                }
                            }
                            Op::ListExtend => slow!(m => m.list_extend(*a!(), *b!())),
                            Op::NewMap => self.new_map(a!()),
                            Op::MapSet => slow!(m => m.map_set(*a!(), *b!(), *c!())),
                            Op::MapExtend => slow!(m => m.map_extend(*a!(), *b!())),
                            Op::NewRange => slow!(m => m.new_range(a!(), b!(), number_c!() != 0)),
                            Op::Interp => slow!(m => m.interpolate(a!(), b!(), number_c!())),
                            Op::Closure => self.closure(a!(), base, x!()),
                            Op::SetCapture => {
                                let closure: Gc<Closure> = raw::object(a!());
                                raw::copy(closure.capture(number_b!()), c!());
                            }
                            Op::Struct => self.declare_struct(a!(), x!()),
                            Op::AddMethod => {
                                let index = next_word!() as usize;
                                self.add_method(*a!(), *b!(), *constants.add(index));
                            }
                            Op::NewInstance => {
                                let closure: Gc<Closure> = raw::object(base.sub(1));
                                if let Value::Struct(of) = *closure.capture(0) {
                                    let fields = std::slice::from_raw_parts(base, number_b!());
                                    let instance = Instance::new(&mut self.heap, of, fields);
                                    a!().write(Value::Instance(instance));
                                }
                            }

                            Op::GetIndex => {
                                let (object, index) = (b!(), c!());
                                if raw::tag(object) == LIST && raw::tag(index) == INT {
                                    let list: Gc<List> = raw::object(object);
                                    if list_get(&list, raw::int(index) as usize, a!()) {
                                        continue 'run;
                                    }
                                } else if raw::tag(object) == MAP && map_get(object, index, a!()) {
                                    continue 'run;
                                }
                                slow!(m => m.get_index(a!(), *object, *index));
                            }
                            Op::GetIndexI => {
                                let object = b!();
                                if raw::tag(object) == LIST {
                                    let list: Gc<List> = raw::object(object);
                                    if list_get(&list, signed_c!() as usize, a!()) {
                                        continue 'run;
                                    }
                                }
                                slow!(m => m.get_index(a!(), *object, Value::Int(signed_c!())));
                            }
                            Op::SetIndex => {
                                let (object, index, value) = (a!(), b!(), c!());
                                if raw::tag(object) == LIST && raw::tag(index) == INT {
                                    let list: Gc<List> = raw::object(object);
                                    if list_set(&list, raw::int(index) as usize, value) {
                                        continue 'run;
                                    }
                                } else if raw::tag(object) == MAP && map_set(object, index, value) {
                                    continue 'run;
                                }
                                slow!(m => m.set_index(*object, *index, *value));
                            }
                            Op::GetField => {
                                let index = next_word!() as usize;
                                let object = b!();
                                if raw::tag(object) == INSTANCE {
                                    let instance: Gc<Instance> = raw::object(object);
                                    let site: *const Site = (proto!()).sites.as_ptr().add(index);
                                    if (*site).owner.get() == instance.serial() {
                                        raw::copy(
                                            a!(),
                                            instance.field((*site).slot.get() as usize),
                                        );
                                        continue 'run;
                                    }
                                }
                                slow!(m => m.get_field(a!(), *object, index));
                            }
                            Op::SetField => {
                                let index = next_word!() as usize;
                                let object = a!();
                                if raw::tag(object) == INSTANCE {
                                    let instance: Gc<Instance> = raw::object(object);
                                    let site: *const Site = (proto!()).sites.as_ptr().add(index);
                                    if (*site).owner.get() == instance.serial() {
                                        let field = instance.field((*site).slot.get() as usize);
                                        if raw::tag(field) != HANDLE {
                                            raw::copy(field, b!());
                                            continue 'run;
                                        }
                                    }
                                }
                                slow!(m => m.set_field(*object, index, *b!()));
                            }
                            Op::UpdateField => {
                                let index = next_word!() as usize;
                                let (object, operand) = (a!(), b!());
                                if raw::tag(object) == INSTANCE {
                                    let instance: Gc<Instance> = raw::object(object);
                                    let site: *const Site = (proto!()).sites.as_ptr().add(index);
                                    if (*site).owner.get() == instance.serial() {
                                        let field = instance.field((*site).slot.get() as usize);
                                        let (held, given) = (raw::tag(field), raw::tag(operand));
                                        if held == FLOAT
                                            && given == FLOAT
                                            && let Some(value) = float_update(
                                                word >> 24,
                                                raw::float(field),
                                                raw::float(operand),
                                            )
                                        {
                                            raw::set_float(field, value);
                                            continue 'run;
                                        }
                                        if held == INT
                                            && given == INT
                                            && let Some(value) = small_update(
                                                word >> 24,
                                                raw::int(field),
                                                raw::int(operand),
                                            )
                                        {
                                            raw::set_int(field, value);
                                            continue 'run;
                                        }
                                    }
                                }
                                slow!(m => m.update_field(*object, *operand, number_c!(), index));
                            }
                            Op::UpdateIndex => {
                                let op = next_word!();
                                slow!(m => m.update_index(*a!(), *b!(), *c!(), op as usize));
                            }

                            Op::Throw => slow!(m => m.throw(*a!())),
                            Op::Rethrow => slow!(m => m.rethrow(*a!())),
                            Op::CatchKind => {
                                jump_word!(self.is_kind(*a!(), *constants.add(x!())))
                            }
                            Op::PushDefer => {
                                if let Value::List(list) = *a!() {
                                    list.push(&mut self.heap, *b!());
                                }
                            }
                            Op::PopDefer => {
                                slow!(m => m.look_if_signalled());
                                jump_word!(!self.pop_defer(a!(), *b!()))
                            }

                            Op::TestList => {
                                let fits = match *a!() {
                                    Value::List(list) if number_c!() != 0 => {
                                        list.len() >= number_b!()
                                    }
                                    Value::List(list) => list.len() == number_b!(),
                                    _ => false,
                                };
                                jump_word!(!fits)
                            }
                            Op::TestMap => {
                                let tag = *a!();
                                let fits = matches!(
                                    tag,
                                    Value::Map(_) | Value::Instance(_) | Value::Error(_)
                                );
                                jump_word!(!fits)
                            }
                            Op::TakeField => {
                                let index = next_word!() as usize;
                                jump_word!(!slow!(m => m.take_field(a!(), *b!(), index)))
                            }
                            Op::ListRest => self.list_rest(a!(), *b!(), number_c!()),
                            Op::MapRest => {
                                let shape = next_word!() as usize;
                                self.map_rest(a!(), *b!(), shape);
                            }
                            Op::NoMatch => slow!(m => m.no_match(*a!(), *constants.add(x!()))),
                        }
                        continue 'run;
                    }
                    self.heap.budget -= 1;
                    if self.heap.budget > 0 {
                        continue 'run;
                    }
                    // As if in the instruction that is next: it is in the loop, whoever jumped there.
                    (*self.frames.current).pc = pc.add(1);
                    if self.out_of_line(|m| m.attend()).is_ok() {
                        #[cfg(feature = "jit")]
                        {
                            (*self.frames.current).pc = pc;
                            match self.loop_natively() {
                                super::jit::Ran::Over(value) => return Ok(value),
                                super::jit::Ran::On => load!(),
                                super::jit::Ran::Failed => break 'fail,
                            }
                        }
                        continue 'run;
                    }
                }
                // Off the path, and only for what it does to the whole function: it begins at a line of the instruction cache now. At
                // other places the same instructions took a quarter more time.
                std::arch::asm!(".p2align 6", options(nomem, nostack, preserves_flags));
                let fault = self.fault.take();
                self.unwind(fault)?;
                load!();
            }
        }
    }
}

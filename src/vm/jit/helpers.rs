//! What compiled code calls: the interpreter's own slow paths. Below 0 is a fault, which waits in the machine.

#![allow(unsafe_code)]

use super::super::call::Stop;
use super::super::quick;
use super::super::raw::{self, HANDLE, INSTANCE, INT, LIST, MAP};
use super::super::state::Machine;
use crate::operator::BinaryOp;
use crate::value::Value;
use crate::value::function::{Closure, Upvalue};
use crate::value::handle::HandleBox;
use crate::value::heap::Gc;
use crate::value::list::List;
use crate::value::native::{Native, Outcome};
use crate::value::structure::Instance;

const FAULT: i64 = -1;

/// Runs a slow path as the loop does.
fn slowly(machine: *mut Machine, slow: impl FnOnce(&mut Machine) -> Outcome<i64>) -> i64 {
    // SAFETY: compiled code passes on the machine that runs it and holds no reference to it; the same for all helpers.
    unsafe { (*machine).out_of_line(slow) }.unwrap_or(FAULT)
}

fn operator(number: i64) -> BinaryOp {
    use BinaryOp::*;
    const ALL: [BinaryOp; 18] = [
        Add, Sub, Mul, Div, FloorDiv, Rem, Pow, BitAnd, BitOr, BitXor, Shl, Shr, Eq, Ne, Lt, Le,
        Gt, Ge,
    ];
    ALL.get(number as usize).copied().unwrap_or(Add)
}

/// A register or constant, or a small number in an odd address.
fn operand(place: *const Value) -> Value {
    if place as usize & 1 == 1 {
        return Value::Int(place as i64 >> 1);
    }
    // SAFETY: the emitter passes the addresses of registers and constants.
    unsafe { *place }
}

/// Slow paths of the interpreter, by name.
macro_rules! slow_paths {
    ($($name:ident($machine:ident $(, $argument:ident: $type:ty)*) $body:expr;)*) => {
        $(
            pub(super) extern "C" fn $name(machine: *mut Machine $(, $argument: $type)*) -> i64 {
                slowly(machine, |$machine| $body)
            }
        )*
    };
}

type From = *const Value;
type To = *mut Value;

slow_paths! {
    arithmetic(m, op: i64, to: To, x: From, y: From)
        m.arithmetic(operator(op), to, operand(x), operand(y)).map(|()| 0);
    contains(m, item: From, container: From)
        m.contains(operand(item), operand(container)).map(i64::from);
    update_index(m, object: From, index: From, value: From, op: i64)
        m.update_index(operand(object), operand(index), operand(value), op as usize).map(|()| 0);
    update_field(m, object: From, value: From, op: i64, site: i64)
        m.update_field(operand(object), operand(value), op as usize, site as usize).map(|()| 0);
    take_field(m, to: To, object: From, site: i64)
        m.take_field(to, operand(object), site as usize).map(i64::from);
    iterate_prepare(m, state: To) m.iterate_prepare(state).map(|()| 0);
    iterate_pair(m, state: To, to: To) m.iterate_next_pair(state, to).map(i64::from);
    list_extend(m, list: From, from: From) m.list_extend(operand(list), operand(from)).map(|()| 0);
    map_set(m, map: From, key: From, value: From)
        m.map_set(operand(map), operand(key), operand(value)).map(|()| 0);
    map_extend(m, map: From, from: From) m.map_extend(operand(map), operand(from)).map(|()| 0);
    new_range(m, to: To, ends: From, inclusive: i64)
        m.new_range(to, ends, inclusive != 0).map(|()| 0);
    interpolate(m, to: To, from: From, count: i64)
        m.interpolate(to, from, count as usize).map(|()| 0);
    new_map(m, to: To) { m.new_map(to); Ok(0) };
    new_list(m, to: To, from: From, count: i64) { m.new_list(to, from, count as usize); Ok(0) };
    closure(m, to: To, base: From, index: i64) { m.closure(to, base, index as usize); Ok(0) };
    new_box(m, to: To, value: From) {
        let cell = Upvalue::new(&mut m.heap, operand(value));
        // SAFETY: a register.
        unsafe { to.write(Value::Cell(cell)) };
        Ok(0)
    };
}

pub(super) extern "C" fn get_index(
    machine: *mut Machine,
    to: To,
    object: From,
    index: From,
) -> i64 {
    if raw_index(index) {
        // SAFETY: registers, whose tags are looked at first.
        unsafe {
            if raw::tag(object) == LIST && raw::tag(index) == INT {
                let list: Gc<List> = raw::object(object);
                if quick::list_get(&list, raw::int(index) as usize, to) {
                    return 0;
                }
            } else if raw::tag(object) == MAP && quick::map_get(object, index, to) {
                return 0;
            }
        }
    }
    let (object, index) = (operand(object), operand(index));
    slowly(machine, |m| m.get_index(to, object, index).map(|()| 0))
}

/// Whether an operand is a place and no small number.
fn raw_index(place: From) -> bool {
    place as usize & 1 == 0
}

pub(super) extern "C" fn set_index(
    machine: *mut Machine,
    object: From,
    index: From,
    value: From,
) -> i64 {
    // SAFETY: registers, whose tags are looked at first.
    unsafe {
        if raw::tag(object) == LIST && raw::tag(index) == INT {
            let list: Gc<List> = raw::object(object);
            if quick::list_set(&list, raw::int(index) as usize, value) {
                return 0;
            }
        } else if raw::tag(object) == MAP && quick::map_set(object, index, value) {
            return 0;
        }
    }
    let (object, index, value) = (operand(object), operand(index), operand(value));
    slowly(machine, |m| m.set_index(object, index, value).map(|()| 0))
}

/// The place of an instance's field, when the inline cache knows it.
fn cached_field(machine: *mut Machine, object: From, site: i64) -> Option<*mut Value> {
    // SAFETY: the object is a register, the site one of the running function; see `slowly` for the machine.
    unsafe {
        if raw::tag(object) != INSTANCE {
            return None;
        }
        let instance: Gc<Instance> = raw::object(object);
        let frame = (*machine).frames.current;
        let site = (*(*frame).proto).sites.as_ptr().add(site as usize);
        let known = (*site).owner.get() == instance.serial();
        known.then(|| instance.field((*site).slot.get() as usize))
    }
}

pub(super) extern "C" fn get_field(machine: *mut Machine, to: To, object: From, site: i64) -> i64 {
    if let Some(field) = cached_field(machine, object, site) {
        // SAFETY: a field and a register.
        unsafe { raw::copy(to, field) };
        return 0;
    }
    let object = operand(object);
    slowly(machine, |m| {
        m.get_field(to, object, site as usize).map(|()| 0)
    })
}

pub(super) extern "C" fn set_field(
    machine: *mut Machine,
    object: From,
    value: From,
    site: i64,
) -> i64 {
    if let Some(field) = cached_field(machine, object, site)
        // SAFETY: a field.
        && unsafe { raw::tag(field) } != HANDLE
    {
        // SAFETY: a register and a field.
        unsafe { raw::copy(field, value) };
        return 0;
    }
    let (object, value) = (operand(object), operand(value));
    slowly(machine, |m| {
        m.set_field(object, site as usize, value).map(|()| 0)
    })
}

pub(super) extern "C" fn compare(machine: *mut Machine, op: i64, x: From, y: From) -> i64 {
    let (x, y) = (operand(x), operand(y));
    match operator(op) {
        // SAFETY: see `slowly`.
        BinaryOp::Eq => unsafe { i64::from((*machine).equal(&x, &y)) },
        op => slowly(machine, |m| m.compare(op, x, y).map(i64::from)),
    }
}

pub(super) extern "C" fn iterate_next(
    machine: *mut Machine,
    state: *mut Value,
    to: *mut Value,
) -> i64 {
    // SAFETY: `state` is a register; see `slowly` for the machine.
    unsafe {
        if raw::tag(state) == raw::INT {
            let count = raw::int(state);
            let more = count <= raw::int(state.add(1));
            if more {
                raw::set_int(state, count + 1);
                raw::set_int(to, count);
            }
            return i64::from(more);
        }
    }
    slowly(machine, |m| m.iterate_next(state, to).map(i64::from))
}

pub(super) extern "C" fn list_push(
    machine: *mut Machine,
    list: *const Value,
    value: *const Value,
) -> i64 {
    // SAFETY: both are registers.
    if unsafe { quick::list_push(list, value) } {
        return 0;
    }
    let (list, value) = (operand(list), operand(value));
    slowly(machine, |m| m.list_push(list, value).map(|()| 0))
}

pub(super) extern "C" fn new_instance(
    machine: *mut Machine,
    to: *mut Value,
    base: *const Value,
    count: i64,
) -> i64 {
    // SAFETY: the closure that runs stands before the registers, and has the struct type in its first capture.
    unsafe {
        let closure: Gc<Closure> = raw::object(base.sub(1));
        if let Value::Struct(of) = *closure.capture(0) {
            let fields = std::slice::from_raw_parts(base, count as usize);
            let instance = Instance::new(&mut (*machine).heap, of, fields);
            to.write(Value::Instance(instance));
        }
    }
    0
}

pub(super) extern "C" fn native(
    machine: *mut Machine,
    native: *const Native,
    args: *mut Value,
    count: i64,
    to: *mut Value,
) -> i64 {
    // SAFETY: natives live as long as the program; see `slowly` for the machine.
    match unsafe { (*machine).run_native(&*native, args, count as usize, to) } {
        Ok(()) => 0,
        Err(Stop) => FAULT,
    }
}

/// Calls something. 1 when a frame was pushed that is not over yet: the interpreter goes on in it.
fn calling(machine: *mut Machine, call: impl FnOnce(&mut Machine) -> Outcome<()>) -> i64 {
    // SAFETY: see `slowly`.
    let before = unsafe { (*machine).frames.current };
    match slowly(machine, |m| call(m).map(|()| 0)) {
        FAULT => FAULT,
        // SAFETY: see `slowly`.
        _ => unsafe {
            match (*machine).frames.current == before {
                true => 0,
                false => (*machine).run_pushed(),
            }
        },
    }
}

pub(super) extern "C" fn call(
    machine: *mut Machine,
    callee: *mut Value,
    count: i64,
    dest: i64,
) -> i64 {
    calling(machine, |m| {
        m.heap.budget -= 1;
        m.call_slow(callee, count as usize, dest as usize, None)
    })
}

pub(super) extern "C" fn method(
    machine: *mut Machine,
    callee: *mut Value,
    count: i64,
    dest: i64,
    site: i64,
) -> i64 {
    // SAFETY: the callee's slot and those after it are registers; see `slowly` for the machine.
    unsafe {
        let receiver = callee.add(1);
        let frame = (*machine).frames.current;
        let entry = (*(*frame).proto).sites.as_ptr().add(site as usize);
        let tag = raw::tag(receiver);
        if tag == INSTANCE {
            let instance: Gc<Instance> = raw::object(receiver);
            if (*entry).owner.get() == instance.serial() {
                raw::copy(callee, (*entry).function.as_ptr());
                return call(machine, callee, count + 1, dest);
            }
        } else {
            let owner = match tag {
                HANDLE => raw::object::<HandleBox>(receiver).family(),
                tag => tag as usize,
            };
            if (*entry).owner.get() == owner
                && (*entry).slot.get() as i64 == count
                && let Value::Native(native) = (*entry).function.get()
            {
                let to = (*frame).base.add(dest as usize);
                let ran = (*machine).run_method(native, receiver, count as usize, to);
                return if ran.is_err() { FAULT } else { 0 };
            }
        }
    }
    calling(machine, |m| {
        m.method(callee, count as usize, dest as usize, site as usize, None)
    })
}

pub(super) extern "C" fn call_shaped(
    machine: *mut Machine,
    callee: *mut Value,
    count: i64,
    dest: i64,
    shape: i64,
) -> i64 {
    calling(machine, |m| {
        m.call_slow(callee, count as usize, dest as usize, Some(shape as usize))
    })
}

pub(super) extern "C" fn method_shaped(
    machine: *mut Machine,
    callee: *mut Value,
    count: i64,
    dest: i64,
    site: i64,
    shape: i64,
) -> i64 {
    let (count, dest, site) = (count as usize, dest as usize, site as usize);
    calling(machine, |m| {
        m.method(callee, count, dest, site, Some(shape as usize))
    })
}

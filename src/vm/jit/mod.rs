//! The baseline compiler: hot functions and loops as native code. Built with the feature `jit` alone.
//!
//! A unit is a function from its start, or the rest of one from the head of a loop. Registers whose kind is known are kept in the
//! processor's; what is newer than the VM's register is written back wherever the unit is left: the interpreter goes on
//! exactly at the instruction that did not go as expected, with nothing to rebuild. Calls of compiled functions are native
//! calls, up to a depth; their frames are the interpreter's frames. Compiled code counts down as the interpreter does, and
//! comes back when the countdown has run out: interrupts, limits and collections are as they always are.
//!
//! What is hot is found by the countdown too: who is met there often enough is compiled. Its registers at that moment say
//! what kinds to expect. What was expected wrongly too often is compiled again without that expectation.
//!
//! `flow` reads the code, `emit` keeps what is known at each place, `ops`, `objects`, `calls` and `slow` are the instructions, `helpers`
//! what compiled code calls, `layout` where things stand in memory, `build` puts a unit together; here is what the machine does with it.
//!
//! Imports what the VM imports, and `os::code`. **Invariant:** compiled code raises nothing and allocates nothing; it calls
//! the interpreter's own functions for that, with all registers written back and the frame's place stored.
//!
//! `PAR_JIT=off` in the environment compiles nothing, `PAR_JIT=eager` all that runs twice (for tests).

#![allow(unsafe_code)]

mod build;
mod calls;
mod emit;
mod flow;
mod helpers;
mod layout;
mod objects;
mod ops;
mod slow;

use super::frames::Frame;
use super::raw;
use super::state::Machine;
use crate::limits::{MAX_COMPILED_CALLS, MAX_COMPILED_CALLS_INSIDE};
use crate::os::code::Code;
use crate::value::Value;
use crate::value::function::Proto;
use cranelift_codegen::isa::OwnedTargetIsa;
use emit::MIXED;
use std::collections::HashMap;

/// What a unit comes back with, in the lowest byte: its frame has returned.
const RETURNED: i64 = 0;
/// The interpreter goes on at the frame's place; the number of the exit is in the other bytes.
const LEFT: i64 = 1;
/// The same at a loop's head, where the countdown has run out.
const BACK: i64 = 2;
/// A fault waits in the machine.
const FAILED: i64 = 3;
/// The interpreter goes on in a new frame.
const PUSHED: i64 = 4;

/// Times that a place is met before it is compiled: by then it has run about as long as compiling takes.
const HOT: u32 = 6;
/// Times that an exit is taken before its unit is compiled again.
const PATIENCE: u32 = 50;
/// Times that instructions are met that are the interpreter's before their unit is given up.
const ENDURANCE: u32 = 1_000;
/// Times that a unit is compiled.
const TRIES: u32 = 12;
/// Calls back from native functions after which compiled calls may no longer go deep.
const FEW: usize = 4;

/// A way out of a unit.
struct Exit {
    unit: u32,
    at: usize,
    register: usize,
    count: u32,
}

/// A unit, or what is known of a place that may become one.
#[derive(Default)]
struct Unit {
    code: Option<Code>,
    heat: u32,
    tries: u32,
    proto: u32,
    at: usize,
}

/// What was found where something else had been expected: by instruction and register, the tag.
type Hints = HashMap<(usize, usize), u8>;

/// What the machine holds for the compiler.
pub(super) struct Jit {
    /// Compiled calls may not use this frame or one above it.
    limit: *mut Frame,
    /// The value of an entry frame.
    result: Value,
    off: bool,
    /// Compile what is met for the first time, and look often.
    pub(super) eager: bool,
    /// The countdown was shortened.
    early: bool,
    isa: Option<OwnedTargetIsa>,
    lists: Option<layout::ListLayout>,
    /// Units by function and instruction.
    places: HashMap<(u32, usize), u32>,
    units: Vec<Unit>,
    exits: Vec<Exit>,
    /// By unit.
    hints: HashMap<u32, Hints>,
}

/// How a stretch of compiled code ended.
pub(super) enum Ran {
    /// The interpreter goes on in the current frame.
    On,
    /// A fault waits.
    Failed,
    /// The entry frame has returned.
    Over(Value),
}

type Run = extern "C" fn(*mut Machine, *mut Value, *mut Frame, *mut Value) -> i64;

impl Jit {
    pub(super) fn new() -> Jit {
        let set = std::env::var("PAR_JIT").unwrap_or_default();
        Jit {
            limit: std::ptr::null_mut(),
            result: Value::Nil,
            off: set == "off",
            eager: set == "eager",
            early: false,
            isa: None,
            lists: None,
            places: HashMap::new(),
            units: Vec::new(),
            exits: Vec::new(),
            hints: HashMap::new(),
        }
    }
}

impl Machine {
    /// Runs compiled code in the current frame once; what it came back with.
    fn run_unit(&mut self, code: *const u8) -> i64 {
        let machine: *mut Machine = self;
        // SAFETY: the current frame is initialized; the code was made for its function, and is entered where it was made for.
        // The machine is used through the pointer alone while it runs.
        unsafe {
            let frame = (*machine).frames.current;
            let dest = match (*frame).entry {
                true => &raw mut (*machine).jit.result,
                false => (*frame.sub(1)).base.add((*frame).dest as usize),
            };
            let run = std::mem::transmute::<*const u8, Run>(code);
            run(machine, (*frame).base, frame, dest)
        }
    }

    /// Runs compiled code in the current frame until the interpreter must go on.
    fn run_code(&mut self, mut code: *const u8) -> Ran {
        let before = self.jit.limit;
        let depth = match self.native_depth < FEW {
            true => MAX_COMPILED_CALLS,
            false => MAX_COMPILED_CALLS_INSIDE,
        };
        let ran = loop {
            let frame = self.frames.current;
            self.jit.limit = self.frames.limit.min(frame.wrapping_add(depth));
            // SAFETY: the current frame is initialized.
            let entry = unsafe { (*frame).entry };
            let status = self.run_unit(code);
            match status & 0xff {
                RETURNED if entry => break Ran::Over(self.jit.result),
                LEFT => self.note_exit((status >> 8) as usize),
                BACK => match self.attend_at_head() {
                    Ok(Some(next)) => {
                        code = next;
                        continue;
                    }
                    Ok(None) => {}
                    Err(_) => break Ran::Failed,
                },
                FAILED => break Ran::Failed,
                _ => {}
            }
            break Ran::On;
        };
        self.jit.limit = before;
        ran
    }

    /// Compiled code is at the head of a loop, and the countdown has run out: what the interpreter does then. The code to go
    /// on in comes back, if there is some.
    fn attend_at_head(&mut self) -> Result<Option<*const u8>, super::call::Stop> {
        let frame = self.frames.current;
        self.heap.budget -= 1;
        if self.heap.budget <= 0 {
            // SAFETY: the current frame is initialized; whoever attends finds it in the loop's first instruction.
            unsafe { (*frame).pc = (*frame).pc.add(1) };
            self.out_of_line(|m| m.attend())?;
            // SAFETY: as above.
            unsafe { (*frame).pc = (*frame).pc.sub(1) };
        }
        Ok(self.unit_here())
    }

    /// Compiled code has called a function that is not what it knows: runs it if it is compiled. 0 when it has returned, 1
    /// when the interpreter must go on in the current frame, below 0 when a fault waits.
    fn run_pushed(&mut self) -> i64 {
        let frame = self.frames.current;
        // SAFETY: the current frame is initialized.
        let code = unsafe { (*(*frame).proto).native.get() };
        if code.is_null() || frame >= self.jit.limit {
            return 1;
        }
        let status = self.run_unit(code);
        match status & 0xff {
            RETURNED => 0,
            LEFT => {
                self.note_exit((status >> 8) as usize);
                1
            }
            // The jump back is made; the interpreter attends at the next one.
            BACK => {
                self.heap.budget -= 1;
                1
            }
            FAILED => -1,
            _ => 1,
        }
    }

    /// The interpreter has jumped back, and the machine has looked at what wants attention: goes on in compiled code where there is
    /// some. The frame's place is the loop's head.
    pub(super) fn loop_natively(&mut self) -> Ran {
        match self.unit_here() {
            Some(code) => self.run_code(code),
            None => Ran::On,
        }
    }

    /// Runs the current frame, which is at its start, when its function is compiled.
    pub(super) fn start_natively(&mut self) -> Ran {
        // SAFETY: the current frame is initialized.
        let code = unsafe { (*(*self.frames.current).proto).native.get() };
        match code.is_null() {
            true => Ran::On,
            false => self.run_code(code),
        }
    }

    /// A function was called when the countdown had run out: it may be hot.
    pub(super) fn called(&mut self) {
        self.jit.early = false;
        // SAFETY: the current frame is initialized.
        let proto = unsafe { &*(*self.frames.current).proto };
        if !self.jit.off && proto.native.get().is_null() {
            self.warm(proto, 0);
        }
    }

    /// The compiled code of the current frame's place, if that is where a unit begins; it is made now when the place is hot.
    fn unit_here(&mut self) -> Option<*const u8> {
        if self.jit.off {
            return None;
        }
        // SAFETY: the current frame is initialized, its code is alive, and its place is in that code.
        let (proto, at) = unsafe {
            let frame = &*self.frames.current;
            let proto = &*frame.proto;
            (proto, frame.pc.offset_from(proto.code.as_ptr()) as usize)
        };
        let early = std::mem::take(&mut self.jit.early);
        let unit = self.jit.places.get(&(proto.id, at));
        if let Some(unit) = unit.and_then(|&unit| self.jit.units.get(unit as usize))
            && let Some(code) = &unit.code
        {
            return Some(code.start());
        }
        if early {
            return None;
        }
        let code = self.warm(proto, at);
        // What loops is called again, more often than not; a script's body is not.
        if !proto.params.is_empty() && proto.native.get().is_null() {
            self.warm(proto, 0);
        }
        code
    }

    /// Counts that a place was met, and compiles it when it is hot.
    fn warm(&mut self, proto: &Proto, at: usize) -> Option<*const u8> {
        let next = self.jit.units.len() as u32;
        let index = *self.jit.places.entry((proto.id, at)).or_insert(next);
        if index == next {
            self.jit.units.push(Unit {
                proto: proto.id,
                at,
                ..Unit::default()
            });
        }
        let hot = if self.jit.eager { 1 } else { HOT };
        let unit = self.jit.units.get_mut(index as usize)?;
        unit.heat += 1;
        if unit.heat < hot || unit.tries >= TRIES {
            return None;
        }
        unit.tries += 1;
        let code = self.compile(proto, at, index);
        let unit = self.jit.units.get_mut(index as usize)?;
        let Some(code) = code else {
            unit.tries = TRIES;
            return None;
        };
        let start = code.start();
        unit.code = Some(code);
        if at == 0 {
            proto.native.set(start);
        }
        Some(start)
    }

    /// An exit was taken: after too many of them its unit is compiled again, without what was expected there.
    fn note_exit(&mut self, id: usize) {
        self.hasten();
        let patience = if self.jit.eager { 2 } else { PATIENCE };
        let Some(exit) = self.jit.exits.get_mut(id) else {
            return;
        };
        exit.count += 1;
        let (at, register, index) = (exit.at, exit.register, exit.unit);
        match register {
            calls::RETRY => return,
            calls::UNKNOWN if exit.count < ENDURANCE => return,
            calls::UNKNOWN => {
                if let Some(unit) = self.jit.units.get_mut(index as usize) {
                    unit.tries = TRIES;
                }
            }
            _ if exit.count != patience => return,
            _ => {
                let found = match register {
                    // SAFETY: a register of the frame that was left, which is the current one.
                    0..256 => unsafe { raw::tag((*self.frames.current).base.add(register)) },
                    _ => MIXED,
                };
                let hints = self.jit.hints.entry(index).or_default();
                hints
                    .entry((at, register))
                    .and_modify(|hint| *hint = MIXED)
                    .or_insert(found);
            }
        }
        self.retire(index);
    }

    /// Takes a unit out of use.
    fn retire(&mut self, index: u32) {
        let Some(unit) = self.jit.units.get_mut(index as usize) else {
            return;
        };
        // The memory stays: frames further down may still be in it.
        if let Some(code) = unit.code.take() {
            std::mem::forget(code);
        }
        if unit.at == 0
            && let Some(proto) = self.protos.get(unit.proto as usize)
        {
            proto.native.set(std::ptr::null());
        }
    }

    /// Lets the countdown run out at the next call or jump back: the compiled code goes on there. The steps that were made stay
    /// counted.
    fn hasten(&mut self) {
        let left = self.heap.budget - 1;
        if left > 0 {
            self.armed -= left;
            self.heap.budget = 1;
            self.jit.early = true;
        }
    }
}

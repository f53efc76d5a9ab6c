//! The emitter: one function's code while it is made. Registers, constants, jumps, places, covered stretches.

use super::code::{self, Op};
use crate::diag::{self, codes};
use crate::limits::{MAX_CAPTURES, MAX_REGISTERS};
use crate::source::Span;
use crate::syntax::ast::{Block, FnId};
use crate::value::Value;
use crate::value::function::{
    Capture, Handler, Handling, ParamInfo, Proto, Shape, Site, StructInfo,
};
use crate::value::heap::Heap;
use crate::value::native::Native;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

/// A jump whose target is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    /// The word to fill in.
    at: usize,
    /// The word is an instruction, whose upper 24 bits are the offset; else all of it is.
    packed: bool,
}

/// What constants are the same.
#[derive(PartialEq, Eq, Hash)]
enum ConstantKey {
    Str(Rc<str>),
    Int(i64),
    Float(u64),
    Native(usize),
}

/// What has to run when a stretch is left by `return`, `break` or `continue`.
#[derive(Clone, Copy)]
pub(super) enum Cleanup<'a> {
    /// Nothing: the stretch has handlers for errors only.
    None,
    /// A `finally` block.
    Finally(&'a Block),
    /// The intrinsic of `with`, `lock`, `scope` or a loop that gives a thing back; the thing is in the register.
    Leave(Leave, u8),
    /// The deferred functions in the list in the register.
    Defers(u8),
}

/// The constructs that give something back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    With,
    Lease,
    Lock,
    Scope,
    /// A loop over what must not go on when it is left: `for line in cmd.lines()`.
    Loop,
}

/// An open stretch of code with a handler.
pub(super) struct Region<'a> {
    pub(super) cleanup: Cleanup<'a>,
    start: usize,
    gaps: Vec<(usize, usize)>,
}

/// An open loop.
pub(super) struct Loop {
    /// How many regions were open around it.
    pub(super) regions: usize,
    pub(super) breaks: Vec<Patch>,
    pub(super) continues: Vec<Patch>,
}

/// One function while it is compiled.
pub(super) struct Function<'a> {
    /// Its number in the checker's tables.
    pub(super) id: FnId,
    /// Captures of its own before those that the checker counts (a constructor's struct type).
    pub(super) capture_offset: u8,
    code: Vec<u32>,
    constants: Vec<Value>,
    constant_index: HashMap<ConstantKey, u16>,
    spans: Vec<(u32, Span)>,
    span: Span,
    handlers: Vec<Handler>,
    handling: Vec<Handling>,
    sites: Vec<Site>,
    shapes: Vec<Shape>,
    pub(super) protos: Vec<Rc<Proto>>,
    pub(super) structs: Vec<StructInfo>,
    /// The first free register.
    pub(super) next: u16,
    most: u16,
    /// By the checker's number of a local: its register.
    pub(super) locals: HashMap<u32, u8>,
    pub(super) regions: Vec<Region<'a>>,
    pub(super) loops: Vec<Loop>,
    /// More of something than instructions can name.
    pub(super) error: Option<Box<diag::Error>>,
}

/// What a finished function is called and takes.
pub(super) struct Signature {
    pub(super) id: u32,
    pub(super) name: Rc<str>,
    pub(super) params: Vec<ParamInfo>,
    pub(super) captures: Vec<Capture>,
    pub(super) capture_names: Vec<Rc<str>>,
    pub(super) globals: Vec<u32>,
    pub(super) doc: Option<Rc<str>>,
    pub(super) span: Span,
}

impl<'a> Function<'a> {
    pub(super) fn new(id: FnId, span: Span) -> Function<'a> {
        Function {
            id,
            capture_offset: 0,
            code: Vec::new(),
            constants: Vec::new(),
            constant_index: HashMap::new(),
            spans: Vec::new(),
            span,
            handlers: Vec::new(),
            handling: Vec::new(),
            sites: Vec::new(),
            shapes: Vec::new(),
            protos: Vec::new(),
            structs: Vec::new(),
            next: 0,
            most: 0,
            locals: HashMap::new(),
            regions: Vec::new(),
            loops: Vec::new(),
            error: None,
        }
    }

    /// The finished code.
    pub(super) fn finish(self, signature: Signature) -> Proto {
        let simple = signature.params.iter().all(|p| !p.rest);
        Proto {
            exact: if simple {
                signature.params.len().min(255) as u8
            } else {
                255
            },
            id: signature.id,
            name: signature.name,
            params: signature.params,
            registers: self.most + 1,
            code: self.code,
            constants: self.constants,
            protos: self.protos,
            captures: signature.captures,
            capture_names: signature.capture_names,
            handlers: self.handlers,
            handling: self.handling,
            sites: self.sites,
            shapes: self.shapes,
            structs: self.structs,
            spans: self.spans,
            globals: signature.globals,
            doc: signature.doc,
            span: signature.span,
            #[cfg(feature = "jit")]
            native: std::cell::Cell::new(std::ptr::null()),
        }
    }

    /// Notes that the function needs more of something than there can be.
    pub(super) fn too_many(&mut self, what: &str) {
        let span = self.span;
        self.error.get_or_insert_with(|| {
            diag::Error::new(
                codes::TOO_MANY,
                format!("this function has more {what} than the machine can hold"),
            )
            .with_span(span)
            .with_help("move a part of it into a function of its own")
        });
    }

    /// The operand that names a capture which the checker has given this number.
    pub(super) fn capture_operand(&mut self, index: u32) -> u8 {
        let index = index as usize + usize::from(self.capture_offset);
        match u8::try_from(index) {
            Ok(operand) if index < MAX_CAPTURES => operand,
            _ => {
                self.too_many("captured variables");
                0
            }
        }
    }

    /// The operand that says how many items a list of patterns or targets has.
    pub(super) fn item_count(&mut self, count: usize) -> u8 {
        u8::try_from(count).unwrap_or_else(|_| {
            self.too_many("items in one pattern");
            0
        })
    }

    /// A new register, above all that are in use.
    pub(super) fn temp(&mut self) -> u8 {
        self.temps(1)
    }

    /// New registers in a row; the first.
    pub(super) fn temps(&mut self, count: usize) -> u8 {
        let first = self.next;
        if first as usize + count > MAX_REGISTERS {
            self.too_many("variables and intermediate values");
            return 0;
        }
        self.next += count as u16;
        self.most = self.most.max(self.next);
        first as u8
    }

    /// What is emitted from now on comes from here. Returns the place before.
    pub(super) fn at(&mut self, span: Span) -> Span {
        std::mem::replace(&mut self.span, span)
    }

    /// The place that is being compiled.
    pub(super) fn at_now(&self) -> Span {
        self.span
    }

    /// The index of the next word.
    pub(super) fn here(&self) -> usize {
        self.code.len()
    }

    /// Emits a word of code.
    pub(super) fn word(&mut self, word: u32) {
        self.code.push(word);
    }

    fn place(&mut self) {
        if self.spans.last().is_none_or(|&(_, span)| span != self.span) {
            self.spans.push((self.code.len() as u32, self.span));
        }
    }

    /// Emits an instruction of three operands.
    pub(super) fn emit(&mut self, op: Op, a: u8, b: u8, c: u8) {
        self.place();
        self.code.push(code::abc(op, a, b, c));
    }

    /// Emits an instruction of a register and 16 bits.
    pub(super) fn emit_x(&mut self, op: Op, a: u8, x: u16) {
        self.place();
        self.code.push(code::ax(op, a, x));
    }

    /// Emits a jump to a place that is not known yet. `op` is [`Op::Jump`] or an operation whose last word is a jump.
    pub(super) fn jump(&mut self, op: Op, a: u8, b: u8, c: u8) -> Patch {
        self.emit(op, a, b, c);
        let packed = op == Op::Jump;
        if !packed {
            self.code.push(0);
        }
        let at = self.code.len() - 1;
        Patch { at, packed }
    }

    /// As [`Function::jump`], for operations with 16 bits of operand.
    pub(super) fn jump_x(&mut self, op: Op, a: u8, x: u16) -> Patch {
        self.jump(op, a, x as u8, (x >> 8) as u8)
    }

    /// Emits the jump word of an instruction whose first words were emitted already.
    pub(super) fn jump_word(&mut self) -> Patch {
        self.code.push(0);
        let at = self.code.len() - 1;
        Patch { at, packed: false }
    }

    /// Lets a jump go to `target`.
    pub(super) fn patch_to(&mut self, patch: Patch, target: usize) {
        let offset = (target as i64 - (patch.at as i64 + 1)) as i32;
        if let Some(word) = self.code.get_mut(patch.at) {
            *word = match patch.packed {
                true => (*word & 0xff) | (offset as u32) << 8,
                false => offset as u32,
            };
        }
    }

    /// Lets jumps go to the next word.
    pub(super) fn patch(&mut self, patches: impl IntoIterator<Item = Patch>) {
        let here = self.here();
        for patch in patches {
            self.patch_to(patch, here);
        }
    }

    /// Emits a jump to a place behind.
    pub(super) fn jump_to(&mut self, op: Op, a: u8, b: u8, target: usize) {
        let patch = self.jump(op, a, b, 0);
        self.patch_to(patch, target);
    }

    /// Emits the back-edge of a loop.
    pub(super) fn loop_to(&mut self, target: usize) {
        self.place();
        let offset = target as i64 - (self.code.len() as i64 + 1);
        self.code.push(code::j(Op::Loop, offset as i32));
    }

    fn constant(&mut self, key: ConstantKey, make: impl FnOnce() -> Value) -> u16 {
        if let Some(&index) = self.constant_index.get(&key) {
            return index;
        }
        if self.constants.len() > u16::MAX as usize {
            self.too_many("constants");
            return 0;
        }
        let index = self.constants.len() as u16;
        self.constants.push(make());
        self.constant_index.insert(key, index);
        index
    }

    /// A constant string.
    pub(super) fn str_constant(&mut self, heap: &mut Heap, text: &Rc<str>) -> u16 {
        self.constant(ConstantKey::Str(text.clone()), || Value::str(heap, text))
    }

    /// A constant int.
    pub(super) fn int_constant(&mut self, value: i64) -> u16 {
        self.constant(ConstantKey::Int(value), || Value::Int(value))
    }

    /// A constant float.
    pub(super) fn float_constant(&mut self, value: f64) -> u16 {
        self.constant(ConstantKey::Float(value.to_bits()), || Value::Float(value))
    }

    /// A constant native function.
    pub(super) fn native_constant(&mut self, native: &'static Native) -> u16 {
        let key = ConstantKey::Native(std::ptr::from_ref(native) as usize);
        self.constant(key, || Value::Native(native))
    }

    /// A constant of its own.
    pub(super) fn value_constant(&mut self, value: Value) -> u16 {
        if self.constants.len() > u16::MAX as usize {
            self.too_many("constants");
            return 0;
        }
        self.constants.push(value);
        self.constants.len() as u16 - 1
    }

    /// A new inline cache for a name.
    pub(super) fn site(&mut self, heap: &mut Heap, name: &Rc<str>) -> u32 {
        let index = self.str_constant(heap, name);
        let key = self.constants.get(index as usize).copied();
        self.sites.push(Site {
            name: name.clone(),
            key: key.unwrap_or(Value::Nil),
            owner: Cell::new(0),
            slot: Cell::new(0),
            function: Cell::new(Value::Nil),
        });
        self.sites.len() as u32 - 1
    }

    /// A new call shape.
    pub(super) fn shape(&mut self, shape: Shape) -> u32 {
        self.shapes.push(shape);
        self.shapes.len() as u32 - 1
    }

    /// Begins a stretch with a handler.
    pub(super) fn open_region(&mut self, cleanup: Cleanup<'a>) {
        let start = self.here();
        self.regions.push(Region {
            cleanup,
            start,
            gaps: Vec::new(),
        });
    }

    /// Ends the innermost stretch; its errors go to `target` (to be set by [`Function::set_target`]). Returns the handlers made.
    pub(super) fn close_region(&mut self, register: u8, always: bool) -> std::ops::Range<usize> {
        let first = self.handlers.len();
        let end = self.here();
        if let Some(region) = self.regions.pop() {
            let mut start = region.start;
            for (gap_start, gap_end) in region.gaps.into_iter().chain([(end, end)]) {
                if start < gap_start {
                    self.cover(start, gap_start, register, always);
                }
                start = gap_end;
            }
        }
        first..self.handlers.len()
    }

    /// Adds a handler for a stretch by hand.
    pub(super) fn cover(&mut self, start: usize, end: usize, register: u8, always: bool) {
        self.handlers.push(Handler {
            start: start as u32,
            end: end as u32,
            target: 0,
            register,
            always,
        });
    }

    /// Notes that from `start` to here the error in a register is dealt with, and raises it again.
    pub(super) fn rethrow(&mut self, register: u8, start: usize) {
        self.handling.push(Handling {
            start: start as u32,
            end: self.here() as u32,
            register,
        });
        self.emit(Op::Rethrow, register, 0, 0);
    }

    /// Lets handlers begin at `target`.
    pub(super) fn set_target(&mut self, handlers: std::ops::Range<usize>, target: usize) {
        for handler in self.handlers.get_mut(handlers).unwrap_or_default() {
            handler.target = target as u32;
        }
    }

    /// How many handlers there are.
    pub(super) fn handler_count(&self) -> usize {
        self.handlers.len()
    }

    /// Takes the regions from `from` on and the loops inside them away, to emit code that runs outside of them.
    pub(super) fn leave_regions(&mut self, from: usize) -> (Vec<Region<'a>>, Vec<Loop>, usize) {
        let regions = self.regions.split_off(from.min(self.regions.len()));
        let open = self.regions.len();
        let first = self.loops.iter().position(|l| l.regions > open);
        let loops = self.loops.split_off(first.unwrap_or(self.loops.len()));
        (regions, loops, self.here())
    }

    /// Puts back what [`Function::leave_regions`] took: what was emitted meanwhile is not covered by them.
    pub(super) fn enter_regions(&mut self, taken: (Vec<Region<'a>>, Vec<Loop>, usize)) {
        let (mut regions, loops, start) = taken;
        let end = self.here();
        for region in &mut regions {
            region.gaps.push((start, end));
        }
        self.regions.extend(regions);
        self.loops.extend(loops);
    }
}

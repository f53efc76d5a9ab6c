//! The unit that is being built: what is known of each register at each place, and how control goes from place to place.

#![allow(unsafe_code)]

use super::flow::{Flow, Ins};
use super::layout::{self, ListLayout};
use super::{BACK, Exit, LEFT};
use crate::value::function::Proto;
use crate::value::heap::Gc;
use crate::value::structure::StructType;
use crate::vm::raw::{BOOL, FLOAT, INSTANCE, INT, LIST};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is known of a register, apart from its value. `dirty` ones are newer than their slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// It stands in its slot and nowhere else.
    Slot,
    /// An int, float, bool, list or instance (by its tag).
    Known {
        tag: u8,
        dirty: bool,
        /// The serial number of the instance's type; 0 when it is not known.
        owner: u32,
    },
}

/// What is known of a register, with its payload.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) tag: u8,
    pub(super) dirty: bool,
    pub(super) owner: u32,
    pub(super) value: Value,
}

/// A value of each register, if there is one to look at. Nothing is collected while a unit is built.
type Samples = Vec<Option<crate::value::Value>>;

pub(super) type State = Vec<Option<Known>>;

pub(super) fn type_of(tag: u8) -> Type {
    match tag {
        FLOAT => types::F64,
        BOOL => types::I8,
        _ => types::I64,
    }
}

/// Where a hint belongs that is not about a register.
pub(super) const WHOLE: usize = 1000;
/// A hint that says: anything.
pub(super) const MIXED: u8 = 255;

/// What outlives a pass over the code: each pass starts from what the passes before it found not to hold.
pub(super) struct Assumed {
    pub(super) at: BTreeMap<usize, Vec<Shape>>,
    pub(super) changed: bool,
}

/// What is known when compilation begins.
pub(super) struct Facts<'p> {
    pub(super) proto: &'p Proto,
    pub(super) flow: &'p Flow,
    pub(super) lists: ListLayout,
    /// The running frame's registers: what they hold now says what they will hold.
    pub(super) registers: *const crate::value::Value,
    pub(super) globals: *mut crate::value::Value,
    /// What failed before: by instruction and register, the tag that was found.
    pub(super) hints: &'p HashMap<(usize, usize), u8>,
    /// The struct types that are alive.
    pub(super) structs: &'p [Option<Gc<StructType>>],
    pub(super) unit: u32,
    /// The code runs already: what the registers hold now was there before.
    pub(super) running: bool,
}

pub(super) struct Emit<'p, 'b> {
    pub(super) f: FunctionBuilder<'b>,
    pub(super) facts: &'p Facts<'p>,
    pub(super) assumed: &'p mut Assumed,
    pub(super) exits: &'p mut Vec<Exit>,
    pub(super) machine: Value,
    pub(super) base: Value,
    pub(super) frame: Value,
    pub(super) dest: Value,
    pub(super) state: State,
    /// What registers held or would hold at this place, as far as that can be seen: what to expect.
    pub(super) samples: Samples,
    leader_samples: BTreeMap<usize, Samples>,
    blocks: BTreeMap<usize, Block>,
    work: Vec<usize>,
    done: BTreeSet<usize>,
    /// The current block has its last instruction.
    pub(super) closed: bool,
}

pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::trusted()
}

impl<'p, 'b> Emit<'p, 'b> {
    pub(super) fn new(
        mut f: FunctionBuilder<'b>,
        facts: &'p Facts<'p>,
        assumed: &'p mut Assumed,
        exits: &'p mut Vec<Exit>,
    ) -> Emit<'p, 'b> {
        let start = f.create_block();
        f.append_block_params_for_function_params(start);
        f.switch_to_block(start);
        let params = f.block_params(start).to_vec();
        Emit {
            facts,
            assumed,
            exits,
            machine: params[0],
            base: params[1],
            frame: params[2],
            dest: params[3],
            state: vec![None; facts.proto.registers as usize],
            samples: facts.first_samples(),
            leader_samples: BTreeMap::new(),
            blocks: BTreeMap::new(),
            work: Vec::new(),
            done: BTreeSet::new(),
            closed: false,
            f,
        }
    }

    /// Builds the whole unit. `None`: there is something in the code that cannot be.
    pub(super) fn run(&mut self, entry: usize) -> Option<()> {
        for register in 0..self.state.len() {
            if self.facts.flow.wants(entry, register)
                && let Some(tag) = self.expected(entry, register)
            {
                self.load_as(entry, register, tag);
            }
        }
        self.go_to(entry, false);
        while let Some(leader) = self.work.pop() {
            if self.done.insert(leader) {
                self.stretch(leader)?;
            }
        }
        Some(())
    }

    fn stretch(&mut self, leader: usize) -> Option<()> {
        let block = *self.blocks.get(&leader)?;
        self.f.switch_to_block(block);
        self.closed = false;
        let mut params = self.f.block_params(block).to_vec().into_iter();
        let shapes = self.assumed.at.get(&leader)?.clone();
        // As the parameters were when the block was made; a pass in which they changed is thrown away.
        self.state = shapes
            .iter()
            .map(|shape| match *shape {
                Shape::Slot => None,
                Shape::Known { tag, dirty, owner } => params.next().map(|value| Known {
                    tag,
                    dirty,
                    owner,
                    value,
                }),
            })
            .collect();
        if let Some(samples) = self.leader_samples.get(&leader) {
            self.samples.clone_from(samples);
        }
        let mut at = leader;
        loop {
            let ins = Ins::read(self.facts.proto, at)?;
            self.instruction(&ins)?;
            if self.closed {
                return Some(());
            }
            at = ins.next;
            if self.facts.flow.leaders.contains(&at) {
                self.go_to(at, false);
                return Some(());
            }
        }
    }

    // ---- constants and memory ----

    pub(super) fn int(&mut self, value: i64) -> Value {
        self.f.ins().iconst(types::I64, value)
    }

    pub(super) fn load(&mut self, of: Type, at: Value, offset: i32) -> Value {
        self.f.ins().load(of, flags(), at, offset)
    }

    pub(super) fn store(&mut self, value: Value, at: Value, offset: i32) {
        self.f.ins().store(flags(), value, at, offset);
    }

    pub(super) fn slot(register: usize) -> i32 {
        16 * register as i32
    }

    /// Writes a known value to memory as two words.
    pub(super) fn write(&mut self, known: Known, at: Value, offset: i32) {
        match known.tag {
            BOOL => {
                let wide = self.f.ins().uextend(types::I64, known.value);
                let eight = self.int(8);
                let shifted = self.f.ins().ishl(wide, eight);
                let tag = self.int(i64::from(BOOL));
                let word = self.f.ins().bor(shifted, tag);
                self.store(word, at, offset);
                let zero = self.int(0);
                self.store(zero, at, offset + 8);
            }
            tag => {
                let tag = self.int(i64::from(tag));
                self.store(tag, at, offset);
                self.store(known.value, at, offset + 8);
            }
        }
    }

    /// Copies two words.
    pub(super) fn copy(&mut self, from: Value, from_offset: i32, to: Value, to_offset: i32) {
        let first = self.load(types::I64, from, from_offset);
        let second = self.load(types::I64, from, from_offset + 8);
        self.store(first, to, to_offset);
        self.store(second, to, to_offset + 8);
    }

    /// Writes a register's value somewhere, from where it stands.
    pub(super) fn write_register(&mut self, register: usize, to: Value, offset: i32) {
        match self.state[register] {
            Some(known) => self.write(known, to, offset),
            None => self.copy(self.base, Self::slot(register), to, offset),
        }
    }

    /// Writes all newer values to their slots.
    pub(super) fn flush(&mut self) {
        for register in 0..self.state.len() {
            self.flush_one(register);
        }
    }

    pub(super) fn flush_one(&mut self, register: usize) {
        if let Some(known) = self.state[register]
            && known.dirty
        {
            self.write(known, self.base, Self::slot(register));
            self.state[register] = Some(Known {
                dirty: false,
                ..known
            });
        }
    }

    pub(super) fn set(&mut self, register: usize, tag: u8, value: Value) {
        self.state[register] = Some(Known {
            tag,
            dirty: true,
            owner: 0,
            value,
        });
        self.samples[register] = sample_of(tag);
    }

    /// The register's slot was written.
    pub(super) fn forget(&mut self, register: usize) {
        self.state[register] = None;
        self.samples[register] = None;
    }

    /// Registers from one on are no longer what they were.
    pub(super) fn forget_from(&mut self, register: usize) {
        self.state[register..].fill(None);
        self.samples[register..].fill(None);
    }

    // ---- leaving ----

    /// Leaves for the interpreter where a condition holds (or does not hold), and goes on else.
    fn exit_if(&mut self, condition: Value, holds: bool, at: usize, register: usize, status: i64) {
        let (exit, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.set_cold_block(exit);
        match holds {
            true => self.f.ins().brif(condition, exit, &[], go_on, &[]),
            false => self.f.ins().brif(condition, go_on, &[], exit, &[]),
        };
        self.f.switch_to_block(exit);
        let state = self.state.clone();
        self.leave(at, register, status);
        self.state = state;
        self.f.switch_to_block(go_on);
        self.closed = false;
    }

    /// Leaves for the interpreter at an instruction.
    pub(super) fn leave(&mut self, at: usize, register: usize, status: i64) {
        self.flush();
        self.store_pc(at);
        let id = self.exits.len() as i64;
        self.exits.push(Exit {
            unit: self.facts.unit,
            at,
            register,
            count: 0,
        });
        let status = self.int(status | id << 8);
        self.f.ins().return_(&[status]);
        self.closed = true;
    }

    /// The frame's next instruction.
    pub(super) fn store_pc(&mut self, at: usize) {
        let pc = self.facts.proto.code.as_ptr().wrapping_add(at) as i64;
        let pc = self.int(pc);
        self.store(pc, self.frame, layout::FRAME_PC);
    }

    /// Goes on only where a condition holds; else the interpreter executes the instruction.
    pub(super) fn guard(&mut self, holds: Value, at: usize, register: usize) {
        self.exit_if(holds, false, at, register, LEFT);
    }

    /// The same where the condition must not hold.
    pub(super) fn guard_not(&mut self, fails: Value, at: usize, register: usize) {
        self.exit_if(fails, true, at, register, LEFT);
    }

    // ---- what registers hold ----

    /// What a register probably holds at an instruction, when that is something that can be known.
    pub(super) fn expected(&self, at: usize, register: usize) -> Option<u8> {
        let tag = match self.facts.hints.get(&(at, register)) {
            Some(&tag) => tag,
            None => self.sampled(register)?,
        };
        matches!(tag, INT | FLOAT | BOOL | LIST | INSTANCE).then_some(tag)
    }

    /// The tag of a register's sample.
    pub(super) fn sampled(&self, register: usize) -> Option<u8> {
        self.samples[register].as_ref().map(tag_of)
    }

    pub(super) fn is_mixed(&self, at: usize, register: usize) -> bool {
        self.facts.hints.get(&(at, register)) == Some(&MIXED)
    }

    /// The payload of a register that must hold a value of a kind: known, or looked at now.
    pub(super) fn load_as(&mut self, at: usize, register: usize, tag: u8) -> Value {
        if let Some(known) = self.state[register] {
            if known.tag == tag {
                return known.value;
            }
            // Never so: the interpreter says what is wrong.
            let never = self.f.ins().iconst(types::I8, 0);
            self.guard(never, at, register);
            return self.zero(tag);
        }
        let value = self.checked(self.base, Self::slot(register), tag, at, register);
        if self.sampled(register) != Some(tag) {
            self.samples[register] = sample_of(tag);
        }
        self.state[register] = Some(Known {
            tag,
            dirty: false,
            owner: 0,
            value,
        });
        value
    }

    /// The payload of a value in memory that must be of a kind.
    pub(super) fn checked(
        &mut self,
        from: Value,
        offset: i32,
        tag: u8,
        at: usize,
        register: usize,
    ) -> Value {
        let found = self.load(types::I8, from, offset);
        let right = self.f.ins().icmp_imm_u(IntCC::Equal, found, i64::from(tag));
        self.guard(right, at, register);
        match tag {
            BOOL => self.load(types::I8, from, offset + 1),
            tag => self.load(type_of(tag), from, offset + 8),
        }
    }

    fn zero(&mut self, tag: u8) -> Value {
        match tag {
            FLOAT => self.f.ins().f64const(0.0),
            tag => self.f.ins().iconst(type_of(tag), 0),
        }
    }

    // ---- control ----

    /// Goes to a leader; `back` counts down as the interpreter does.
    pub(super) fn go_to(&mut self, leader: usize, back: bool) {
        if back {
            let budget = self.load(types::I32, self.machine, layout::budget());
            let less = self.f.ins().iadd_imm_s(budget, -1);
            let over = self
                .f
                .ins()
                .icmp_imm_s(IntCC::SignedLessThanOrEqual, less, 0);
            self.exit_if(over, true, leader, WHOLE, BACK);
            self.store(less, self.machine, layout::budget());
        }
        self.prepare(leader);
        let arguments = self.arguments(leader);
        let block = match self.blocks.get(&leader) {
            Some(&block) => block,
            None => {
                let block = self.f.create_block();
                let shapes = self.assumed.at.get(&leader).cloned().unwrap_or_default();
                for shape in shapes {
                    if let Shape::Known { tag, .. } = shape {
                        self.f.append_block_param(block, type_of(tag));
                    }
                }
                self.blocks.insert(leader, block);
                self.leader_samples.insert(leader, self.samples.clone());
                self.work.push(leader);
                block
            }
        };
        self.f.ins().jump(block, &arguments);
        self.closed = true;
    }

    /// Decides what is known at a leader that is reached for the first time.
    fn prepare(&mut self, leader: usize) {
        if self.assumed.at.contains_key(&leader) {
            return;
        }
        let flow = self.facts.flow;
        if flow.heads.contains(&leader) {
            for register in 0..self.state.len() {
                if self.state[register].is_none()
                    && flow.wants(leader, register)
                    && let Some(tag) = self.expected(leader, register)
                {
                    self.load_as(leader, register, tag);
                }
            }
        }
        let shapes = self.state.iter().enumerate();
        let shapes = shapes.map(|(register, known)| match known {
            Some(known) if flow.lives(leader, register) => Shape::Known {
                tag: known.tag,
                dirty: known.dirty,
                owner: known.owner,
            },
            _ => Shape::Slot,
        });
        let shapes = shapes.collect();
        self.assumed.at.insert(leader, shapes);
    }

    /// Makes what is known here what is assumed there, or lowers the assumption.
    fn arguments(&mut self, leader: usize) -> Vec<BlockArg> {
        let mut arguments = Vec::new();
        let mut shapes = match self.assumed.at.get(&leader) {
            Some(shapes) => shapes.clone(),
            None => return arguments,
        };
        for (register, shape) in shapes.iter_mut().enumerate() {
            let alive = self.facts.flow.lives(leader, register);
            let Shape::Known { tag, dirty, owner } = *shape else {
                if alive {
                    self.flush_one(register);
                }
                continue;
            };
            let unsure = self.is_mixed(leader, register);
            let known = match self.state[register] {
                Some(known) if known.tag == tag && !unsure => Some(known),
                None if !unsure && self.facts.flow.wants(leader, register) => {
                    self.load_as(leader, register, tag);
                    self.state[register]
                }
                _ => None,
            };
            match known {
                None => {
                    *shape = Shape::Slot;
                    self.assumed.changed = true;
                }
                Some(known) => {
                    let lower = Shape::Known {
                        tag,
                        dirty: dirty || known.dirty,
                        owner: if owner == known.owner { owner } else { 0 },
                    };
                    if lower != *shape {
                        *shape = lower;
                        self.assumed.changed = true;
                    }
                    arguments.push(BlockArg::Value(known.value));
                }
            }
        }
        self.assumed.at.insert(leader, shapes);
        arguments
    }

    /// Jumps to a leader where a condition holds, and goes on behind the instruction else.
    pub(super) fn jump_if(&mut self, ins: &Ins, condition: Value) -> Option<()> {
        let target = ins.target(self.facts.proto)?;
        let (taken, go_on) = (self.f.create_block(), self.f.create_block());
        self.f.ins().brif(condition, taken, &[], go_on, &[]);
        let (state, samples) = (self.state.clone(), self.samples.clone());
        self.f.switch_to_block(taken);
        self.go_to(target, target <= ins.at);
        self.state = state;
        self.samples = samples;
        self.f.switch_to_block(go_on);
        self.closed = false;
        Some(())
    }
}

pub(super) fn tag_of(value: &crate::value::Value) -> u8 {
    // SAFETY: a value.
    unsafe { crate::vm::raw::tag(value) }
}

/// A value of a kind, where any will do.
fn sample_of(tag: u8) -> Option<crate::value::Value> {
    match tag {
        INT => Some(crate::value::Value::Int(0)),
        FLOAT => Some(crate::value::Value::Float(0.0)),
        BOOL => Some(crate::value::Value::Bool(false)),
        _ => None,
    }
}

impl Facts<'_> {
    fn first_samples(&self) -> Samples {
        let known = match self.running {
            true => self.proto.registers as usize,
            false => self.proto.params.len(),
        };
        (0..self.proto.registers as usize)
            .map(|register| {
                // SAFETY: a register of the window of the frame that is looked at.
                (register < known).then(|| unsafe { *self.registers.add(register) })
            })
            .collect()
    }
}

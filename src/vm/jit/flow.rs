//! What the instructions of a function read and write, where they go on, and what is alive where.

use crate::compile::code::Op;
use crate::value::function::Proto;
use std::collections::{BTreeMap, BTreeSet};

/// An instruction, taken apart.
#[derive(Clone, Copy)]
pub(super) struct Ins {
    pub(super) op: Op,
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) c: usize,
    pub(super) x: usize,
    pub(super) word: u32,
    pub(super) at: usize,
    pub(super) next: usize,
    /// The first word after it.
    pub(super) operand: u32,
}

impl Ins {
    pub(super) fn read(proto: &Proto, at: usize) -> Option<Ins> {
        let word = *proto.code.get(at)?;
        let op = Op::decode(word)?;
        Some(Ins {
            op,
            a: (word >> 8 & 0xff) as usize,
            b: (word >> 16 & 0xff) as usize,
            c: (word >> 24) as usize,
            x: (word >> 16) as usize,
            word,
            at,
            next: at + 1 + op.words(),
            operand: proto.code.get(at + 1).copied().unwrap_or(0),
        })
    }

    pub(super) fn signed_x(&self) -> i64 {
        i64::from((self.word as i32) >> 16)
    }

    pub(super) fn signed_c(&self) -> i64 {
        i64::from((self.word as i32) >> 24)
    }

    /// Where it may jump to.
    pub(super) fn target(&self, proto: &Proto) -> Option<usize> {
        let offset = match self.op {
            Op::Jump | Op::Loop => i64::from(self.word as i32 >> 8),
            op if op.format().ends_with("wj") => i64::from(*proto.code.get(self.next - 1)? as i32),
            _ => return None,
        };
        usize::try_from(self.next as i64 + offset).ok()
    }

    /// Whether what stands behind it is reached from it.
    pub(super) fn falls_through(&self) -> bool {
        !matches!(
            self.op,
            Op::Jump
                | Op::Loop
                | Op::Return
                | Op::ReturnNil
                | Op::Throw
                | Op::Rethrow
                | Op::NoMatch
        )
    }
}

/// A set of registers.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Regs([u64; 4]);

impl Regs {
    pub(super) const ALL: Regs = Regs([u64::MAX; 4]);

    pub(super) fn has(&self, register: usize) -> bool {
        self.0
            .get(register / 64)
            .is_some_and(|word| word >> (register % 64) & 1 != 0)
    }

    fn add(&mut self, register: usize) {
        if let Some(word) = self.0.get_mut(register / 64) {
            *word |= 1 << (register % 64);
        }
    }

    fn range(&mut self, from: usize, count: usize) {
        (from..from + count).for_each(|register| self.add(register));
    }

    fn join(&mut self, other: &Regs) {
        for (mine, other) in self.0.iter_mut().zip(&other.0) {
            *mine |= other;
        }
    }

    fn without(&mut self, other: &Regs) {
        for (mine, other) in self.0.iter_mut().zip(&other.0) {
            *mine &= !other;
        }
    }
}

/// The registers that an instruction reads and those that it writes whatever happens. `None`: anything may be read.
fn effects(ins: &Ins) -> Option<(Regs, Regs)> {
    let (mut reads, mut writes) = (Regs::default(), Regs::default());
    let (a, b, c) = (ins.a, ins.b, ins.c);
    match ins.op {
        Op::LoadNil | Op::LoadUndef | Op::LoadBool | Op::LoadInt | Op::LoadK | Op::GetGlobal => {
            writes.add(a);
        }
        Op::GetCapture | Op::GetCaptureBox | Op::NewMap | Op::Struct => writes.add(a),
        Op::SetGlobal | Op::SetCaptureBox | Op::Return | Op::Throw => reads.add(a),
        Op::ReturnNil | Op::Jump | Op::Loop => {}
        Op::SetBox | Op::SetField | Op::UpdateField | Op::ListPush => {
            reads.add(a);
            reads.add(b);
        }
        Op::SetIndex | Op::UpdateIndex | Op::MapSet => {
            [a, b, c].into_iter().for_each(|r| reads.add(r));
        }
        Op::GetField | Op::GetIndexI | Op::Move | Op::NewBox | Op::GetBox => {
            reads.add(b);
            writes.add(a);
        }
        Op::NewList | Op::Interp => {
            reads.range(b, c);
            writes.add(a);
        }
        Op::NewRange => {
            reads.range(b, 2);
            writes.add(a);
        }
        Op::NewInstance => {
            reads.range(0, b);
            writes.add(a);
        }
        Op::ForPrep => {
            reads.range(a, 2);
            writes.range(a + 1, 2);
        }
        Op::ForLoop => {
            reads.range(a, 2);
        }
        Op::IterPrep => {
            reads.add(a);
            writes.add(a + 1);
        }
        Op::IterNext => {
            reads.range(a, 2);
        }
        op if (Op::Add as u8..=Op::NotIn as u8).contains(&(op as u8)) => {
            let format = op.format();
            if format.contains("rb") {
                reads.add(b);
            }
            if format.contains("rc") {
                reads.add(c);
            }
            writes.add(a);
        }
        op if (Op::JTrue as u8..=Op::JNeK as u8).contains(&(op as u8)) => {
            reads.add(a);
            if op.format().contains("rb") {
                reads.add(b);
            }
        }
        _ => return call_effects(ins),
    }
    Some((reads, writes))
}

/// The same of calls: the registers from the callee on are the called function's.
fn call_effects(ins: &Ins) -> Option<(Regs, Regs)> {
    let (mut reads, mut writes) = (Regs::default(), Regs::default());
    let (from, count) = match ins.op {
        Op::Call => (ins.a, ins.b + 1),
        Op::CallGlobal | Op::CallNative => (ins.a + 1, ins.b),
        Op::Method => (ins.a + 1, ins.b + 1),
        _ => return None,
    };
    reads.range(from, count);
    if ins.op != Op::CallNative {
        writes.range(ins.a, 256 - ins.a);
    }
    writes.add(ins.c);
    Some((reads, writes))
}

/// The shape of a function's code.
pub(super) struct Flow {
    /// Instructions that are jumped to (and where the unit is entered).
    pub(super) leaders: BTreeSet<usize>,
    /// Those that are jumped back to.
    pub(super) heads: BTreeSet<usize>,
    /// Per leader: registers that may be read before they are written.
    live: BTreeMap<usize, Regs>,
    /// The same by the instructions that are known alone: what is worth having ready.
    wanted: BTreeMap<usize, Regs>,
}

impl Flow {
    pub(super) fn new(proto: &Proto, entry: usize) -> Option<Flow> {
        let mut all = Vec::new();
        let mut at = 0;
        while at < proto.code.len() {
            let ins = Ins::read(proto, at)?;
            at = ins.next;
            all.push(ins);
        }
        let mut leaders = BTreeSet::from([entry]);
        let mut heads = BTreeSet::new();
        for ins in &all {
            if let Some(target) = ins.target(proto) {
                leaders.insert(target);
                if target <= ins.at {
                    heads.insert(target);
                }
            }
        }
        // A loop that is entered at its condition, by a jump over its body: that is its head as well.
        for ins in all.iter().filter(|ins| ins.op == Op::Jump) {
            if let Some(target) = ins.target(proto)
                && heads.contains(&ins.next)
            {
                heads.insert(target);
            }
        }
        let mut flow = Flow {
            leaders,
            heads,
            live: BTreeMap::new(),
            wanted: BTreeMap::new(),
        };
        flow.wanted = flow.liveness(proto, &all, false);
        flow.live = flow.liveness(proto, &all, true);
        Some(flow)
    }

    fn liveness(&self, proto: &Proto, all: &[Ins], careful: bool) -> BTreeMap<usize, Regs> {
        let mut at_leader: BTreeMap<usize, Regs> = BTreeMap::new();
        if careful && !proto.handlers.is_empty() {
            at_leader.extend(self.leaders.iter().map(|&leader| (leader, Regs::ALL)));
            return at_leader;
        }
        loop {
            let mut changed = false;
            let mut after = Regs::default();
            for ins in all.iter().rev() {
                let mut live = match ins.falls_through() {
                    true => after,
                    false => Regs::default(),
                };
                if let Some(target) = ins.target(proto) {
                    live.join(&at_leader.get(&target).copied().unwrap_or_default());
                }
                match effects(ins) {
                    Some((reads, writes)) => {
                        live.without(&writes);
                        live.join(&reads);
                    }
                    None if careful => live = Regs::ALL,
                    None => {}
                }
                if self.leaders.contains(&ins.at) && at_leader.get(&ins.at) != Some(&live) {
                    at_leader.insert(ins.at, live);
                    changed = true;
                }
                after = live;
            }
            if !changed {
                return at_leader;
            }
        }
    }

    /// Whether a register may be read from a leader on before it is written.
    pub(super) fn lives(&self, leader: usize, register: usize) -> bool {
        self.live.get(&leader).is_none_or(|live| live.has(register))
    }

    /// Whether the compiled code from a leader on reads a register before it writes it.
    pub(super) fn wants(&self, leader: usize, register: usize) -> bool {
        self.wanted
            .get(&leader)
            .is_some_and(|wanted| wanted.has(register))
    }
}

//! Puts a unit together: passes over the code until all that is assumed holds, then the code generator.

#![allow(unsafe_code)]

use super::calls;
use super::emit::{Assumed, Emit, Facts};
use super::flow::Flow;
use super::{Hints, Jit, layout};
use crate::limits::{MAX_COMPILED_FRAME, MAX_COMPILED_WORDS};
use crate::os::code::Code;
use crate::value::function::Proto;
use crate::vm::state::Machine;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, ir};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Passes over the code until all that is assumed holds.
const PASSES: usize = 40;

impl Jit {
    /// What the code is made for: this very processor.
    fn target(&mut self) -> Option<OwnedTargetIsa> {
        if self.isa.is_none() {
            let mut flags = settings::builder();
            flags.set("opt_level", "speed").ok()?;
            flags.set("enable_verifier", "false").ok()?;
            flags.set("is_pic", "false").ok()?;
            let isa = cranelift_native::builder().ok()?;
            self.isa = isa.finish(settings::Flags::new(flags)).ok();
            self.lists = layout::lists();
        }
        self.isa.clone()
    }
}

impl Machine {
    /// Compiles a function from an instruction on, by what the current frame holds. `None`: that cannot be.
    pub(super) fn compile(&mut self, proto: &Proto, at: usize, unit: u32) -> Option<Code> {
        if proto.code.len() > MAX_COMPILED_WORDS {
            return None;
        }
        let isa = self.jit.target()?;
        let flow = Flow::new(proto, at)?;
        let none = Hints::new();
        // SAFETY: the current frame is initialized.
        let registers = unsafe { (*self.frames.current).base };
        let facts = Facts {
            proto,
            flow: &flow,
            lists: self.jit.lists?,
            registers,
            globals: self.globals.start(),
            hints: self.jit.hints.get(&unit).unwrap_or(&none),
            structs: &self.structs,
            unit,
            running: at != 0,
        };
        let exits = &mut self.jit.exits;
        // A unit that is not made is slower and nothing else: not even a mistake of the code generator may end the script.
        let built = catch_unwind(AssertUnwindSafe(|| {
            let mut context = function(&facts, at, exits, &isa)?;
            let compiled = context.compile(&*isa, &mut ControlPlane::default()).ok()?;
            let frame = compiled.buffer.frame_layout();
            if frame.is_some_and(|frame| frame.frame_to_fp_offset > MAX_COMPILED_FRAME) {
                return None;
            }
            // All addresses are in the code as they are; calls of a library's functions would have to be put in.
            match compiled.buffer.relocs() {
                [] => Code::new(compiled.code_buffer()),
                _ => None,
            }
        }));
        built.ok().flatten()
    }
}

fn function(
    facts: &Facts<'_>,
    at: usize,
    exits: &mut Vec<super::Exit>,
    isa: &OwnedTargetIsa,
) -> Option<Context> {
    let first_exit = exits.len();
    let mut assumed = Assumed {
        at: BTreeMap::new(),
        changed: false,
    };
    for _ in 0..PASSES {
        exits.truncate(first_exit);
        assumed.changed = false;
        let name = ir::UserFuncName::user(0, facts.unit);
        let function = ir::Function::with_name_signature(name, calls::unit_signature());
        let mut context = Context::for_function(function);
        let mut scratch = FunctionBuilderContext::new();
        let builder = FunctionBuilder::new(&mut context.func, &mut scratch);
        let mut emit = Emit::new(builder, facts, &mut assumed, exits);
        emit.run(at)?;
        if emit.assumed.changed {
            continue;
        }
        emit.f.seal_all_blocks();
        emit.f.finalize(isa.frontend_config());
        return Some(context);
    }
    None
}

//! Names: where variables live, how they are read and written.

use super::Compiler;
use super::code::Op;
use crate::builtins;
use crate::check::Place;
use crate::diag::{self, codes};
use crate::syntax::ast::Ident;
use crate::value::native::{Args, Context, Native, Outcome};
use std::rc::Rc;

/// Built-in names that stand for a value rather than a function: using the name calls it.
const BUILTIN_VALUES: [&str; 1] = ["args"];

/// Where a declared name goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Local {
        register: u8,
        /// The register holds a box with the variable in it.
        boxed: bool,
        /// The box was made when the block was entered.
        early: bool,
    },
    Global(u16),
    /// Nowhere: the checker did not resolve it.
    None,
}

impl<'a> Compiler<'a> {
    /// Whether a local is boxed, and whether it is made when its block is entered.
    pub(super) fn local_info(&self, local: u32) -> (bool, bool) {
        let info = self.resolved.function(self.f.id);
        let local = info.and_then(|info| info.locals.get(local as usize));
        local.map_or((false, false), |local| (local.boxed, local.early))
    }

    /// The register of a local of the current function; a new one when it has none yet.
    pub(super) fn local_register(&mut self, local: u32) -> u8 {
        if let Some(&register) = self.f.locals.get(&local) {
            return register;
        }
        let register = self.f.temp();
        self.f.locals.insert(local, register);
        register
    }

    /// Lets a name get a register of its own again: its declaration is compiled (once more, in a `finally` block).
    pub(super) fn forget(&mut self, name: &Ident) {
        if let Some(Place::Local(local)) = self.resolved.place(name.id) {
            self.f.locals.remove(local);
        }
    }

    /// Where a declared name goes.
    pub(super) fn target(&mut self, name: &Ident) -> Target {
        match self.resolved.place(name.id) {
            Some(&Place::Local(local)) => {
                let (boxed, early) = self.local_info(local);
                let register = self.local_register(local);
                Target::Local {
                    register,
                    boxed,
                    early,
                }
            }
            Some(&Place::Global(slot)) => Target::Global(slot as u16),
            _ => Target::None,
        }
    }

    /// Gives a variable its first value.
    pub(super) fn store_new(&mut self, target: Target, value: u8) {
        match target {
            Target::Local {
                register,
                boxed: true,
                early,
            } => {
                let op = if early { Op::SetBox } else { Op::NewBox };
                self.f.emit(op, register, value, 0);
            }
            Target::Local { register, .. } => {
                if register != value {
                    self.f.emit(Op::Move, register, value, 0);
                }
            }
            Target::Global(slot) => self.f.emit_x(Op::SetGlobal, value, slot),
            Target::None => {}
        }
    }

    /// The register of a name that lives in one, unboxed.
    pub(super) fn plain_register(&self, name: &Ident) -> Option<u8> {
        match self.resolved.place(name.id) {
            Some(&Place::Local(local)) if !self.local_info(local).0 => {
                self.f.locals.get(&local).copied()
            }
            _ => None,
        }
    }

    /// Reads a name into `dest`.
    pub(super) fn read_name(&mut self, name: &Ident, dest: u8) {
        match self.resolved.place(name.id).cloned() {
            Some(Place::Local(local)) => {
                let boxed = self.local_info(local).0;
                let register = self.local_register(local);
                if boxed {
                    self.f.emit(Op::GetBox, dest, register, 0);
                } else if register != dest {
                    self.f.emit(Op::Move, dest, register, 0);
                }
            }
            Some(Place::Capture(index)) => {
                let op = match self.capture_boxed(index) {
                    true => Op::GetCaptureBox,
                    false => Op::GetCapture,
                };
                let index = self.f.capture_operand(index);
                self.f.emit(op, dest, index, 0);
            }
            Some(Place::Global(slot)) => self.f.emit_x(Op::GetGlobal, dest, slot as u16),
            Some(Place::Builtin(builtin)) => match builtins::function(&builtin) {
                Some(native) if BUILTIN_VALUES.contains(&native.name) => {
                    let function = self.f.temp();
                    self.native(native, function, 0, dest);
                }
                Some(native) => {
                    let constant = self.f.native_constant(native);
                    self.f.emit_x(Op::LoadK, dest, constant);
                }
                None => self.unresolved(name),
            },
            Some(Place::Module(_) | Place::File(_)) | None => self.unresolved(name),
        }
    }

    /// Writes a variable that was declared before.
    pub(super) fn write_name(&mut self, name: &Ident, value: u8) {
        match self.resolved.place(name.id).cloned() {
            Some(Place::Local(local)) => {
                let boxed = self.local_info(local).0;
                let register = self.local_register(local);
                if boxed {
                    self.f.emit(Op::SetBox, register, value, 0);
                } else if register != value {
                    self.f.emit(Op::Move, register, value, 0);
                }
            }
            Some(Place::Capture(index)) => {
                let index = self.f.capture_operand(index);
                self.f.emit(Op::SetCaptureBox, value, index, 0);
            }
            Some(Place::Global(slot)) => self.f.emit_x(Op::SetGlobal, value, slot as u16),
            _ => self.unresolved(name),
        }
    }

    fn capture_boxed(&self, index: u32) -> bool {
        let info = self.resolved.function(self.f.id);
        info.and_then(|info| info.captures.get(index as usize))
            .is_some_and(|capture| capture.boxed)
    }

    fn unresolved(&mut self, name: &Ident) {
        let message = format!("`{}` is no value here", name.name);
        let error = diag::Error::new(codes::UNKNOWN_NAME, message).with_span(name.span);
        self.error.get_or_insert(error);
    }

    /// A member of an imported module, as an object of a dot: a native function or a global.
    pub(super) fn member(&mut self, module: &Ident, name: &Ident) -> Option<Member> {
        let place = self.resolved.place(module.id)?.clone();
        if let Some(Place::Builtin(whole)) = self.resolved.place(name.id) {
            // A built-in function with a dot in its name: `shared.ints`.
            return builtins::function(whole).map(Member::Native);
        }
        if !matches!(place, Place::Module(_) | Place::File(_)) {
            return None;
        }
        if let Some(&Place::Global(slot)) = self.resolved.place(name.id) {
            return Some(Member::Global(slot as u16));
        }
        let Place::Module(module) = place else {
            return None;
        };
        let found = builtins::module(&module)?;
        if let Some(native) = found.functions.iter().find(|f| f.name == &*name.name) {
            return Some(Member::Native(native));
        }
        let constant = found.constants.iter().find(|c| c.0 == &*name.name)?;
        let value = (constant.1)(self.heap);
        Some(Member::Constant(self.f.value_constant(value)))
    }

    /// The native function behind a construct of the language.
    pub(super) fn intrinsic(&mut self, name: &str) -> &'static Native {
        builtins::intrinsic(name).unwrap_or(&UNSUPPORTED)
    }

    /// The built-in function that a name refers to.
    pub(super) fn builtin(&self, name: &Ident) -> Option<&'static Native> {
        match self.resolved.place(name.id) {
            Some(Place::Builtin(builtin)) => {
                builtins::function(builtin).filter(|native| !BUILTIN_VALUES.contains(&native.name))
            }
            _ => None,
        }
    }

    /// A constant string's index.
    pub(super) fn text(&mut self, text: &Rc<str>) -> u16 {
        self.f.str_constant(self.heap, text)
    }
}

/// What a member of a module is.
pub(super) enum Member {
    Global(u16),
    Native(&'static Native),
    Constant(u16),
}

/// Stands for the constructs that this version does not run.
static UNSUPPORTED: Native = Native {
    name: "unsupported",
    params: &["...values"],
    code: unsupported,
    doc: "Raises that this construct is not supported by this version.",
};

fn unsupported(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Err(diag::Error::new(codes::NOT_SUPPORTED, "this construct is not supported yet").into())
}

//! Tree to code: takes a module and the checker's answers and makes one [`Proto`] per function-like body.
//!
//! The instruction set is documented in [`code`]; `function` is the emitter (registers, constants, jumps, places), every other
//! file compiles one family of nodes.
//!
//! Imports `check`, `syntax::ast`, `value`, `builtins` (names to natives), `diag`, `limits`. **Invariant:** nothing is run here:
//! the only values made are constants.

pub mod code;

use crate::check::Resolved;
use crate::diag;
use crate::syntax::ast;
use crate::value::function::Proto;
use crate::value::heap::Heap;
use std::rc::Rc;

/// What the compiler must be told besides the tree.
#[derive(Default)]
pub struct Options {
    /// Top-level variables that no function uses may live in registers: nobody will look for them later. (Scripts yes;
    /// prompt lines and imported modules no.)
    pub closed: bool,
    /// What imported files offer, by the number in [`crate::check::Place::File`]: name and global slot.
    pub files: Vec<Vec<(Rc<str>, u32)>>,
}

/// The code of a module.
pub struct Unit {
    /// The module's body, as a function without parameters.
    pub main: Rc<Proto>,
    /// All functions, in order of their identities.
    pub protos: Vec<Rc<Proto>>,
    /// How many struct declarations it has.
    pub structs: u32,
}

/// Compiles a module. Identities of functions and structs count from the given numbers.
pub fn compile(
    module: &ast::Module,
    resolved: &Resolved,
    options: &Options,
    heap: &mut Heap,
    first_proto: u32,
    first_struct: u32,
) -> diag::Result<Unit> {
    let _ = (module, resolved, options, heap, first_proto, first_struct);
    Err(diag::Error::new(diag::codes::NOT_SUPPORTED, "not yet"))
}

//! Tree to code: takes a module and the checker's answers and makes one [`Proto`] per function-like body.
//!
//! The instruction set is documented in [`code`]; `function` is the emitter (registers, constants, jumps, places), every other
//! file compiles one family of nodes.
//!
//! Imports `check`, `syntax::ast`, `value`, `builtins` (names to natives), `diag`, `limits`. **Invariant:** nothing is run here:
//! the only values made are constants.

mod assign;
mod bodies;
mod calls;
pub mod code;
mod concurrency;
mod condition;
mod control;
mod dump;
mod errors;
mod expression;
mod function;
mod literals;
mod names;
mod operators;
mod pattern;

pub use dump::dump;

use crate::check::Resolved;
use crate::diag;
use crate::syntax::ast;
use crate::value::function::Proto;
use crate::value::heap::Heap;
use function::Function;
use std::rc::Rc;

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
///
/// # Errors
/// A function needs more registers or constants than instructions can name.
pub fn compile(
    module: &ast::Module,
    resolved: &Resolved,
    heap: &mut Heap,
    first_proto: u32,
    first_struct: u32,
) -> diag::Result<Unit> {
    let mut compiler = Compiler {
        resolved,
        heap,
        first_proto,
        protos: Vec::new(),
        next_struct: first_struct,
        f: Function::new(0, module.span),
        error: None,
    };
    let main = compiler.module(module);
    match compiler.error {
        Some(error) => Err(error),
        None => Ok(Unit {
            main,
            protos: compiler.protos,
            structs: compiler.next_struct - first_struct,
        }),
    }
}

/// The state of a compilation.
struct Compiler<'a> {
    resolved: &'a Resolved,
    heap: &'a mut Heap,
    first_proto: u32,
    /// Finished functions by identity.
    protos: Vec<Rc<Proto>>,
    next_struct: u32,
    /// The function that is being compiled.
    f: Function<'a>,
    /// The first error.
    error: Option<Box<diag::Error>>,
}

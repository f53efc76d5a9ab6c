//! What the checker asks of its surroundings: built-ins, modules, earlier lines of the prompt, new global slots.

use super::Place;
use crate::diag;
use crate::syntax::ast::ImportPath;
use std::rc::Rc;

/// How a text is run: decides where its top-level variables live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The main script: only top-level variables that some function uses get global slots.
    Script,
    /// An imported file: all its top-level variables are global, so that others can reach them.
    Module,
    /// A line at the prompt: all are global, and may be declared again by a later line.
    Prompt,
}

/// A name that a module offers.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name.
    pub name: Rc<str>,
    /// Its global slot; `None` for what is native, which the compiler addresses by module and name.
    pub slot: Option<u32>,
    /// The parameters of a native function, as [`crate::value::native::Native::params`] writes them.
    pub params: Option<&'static [&'static str]>,
}

/// An imported module.
#[derive(Debug, Clone)]
pub struct Imported {
    /// [`Place::Module`] or [`Place::File`].
    pub place: Place,
    /// What it offers.
    pub members: Vec<Member>,
    /// The error kinds that it makes.
    pub kinds: Vec<Rc<str>>,
}

/// What an earlier line of the prompt declared.
#[derive(Debug, Clone)]
pub enum Earlier {
    /// A variable.
    Global {
        /// Its slot.
        slot: u32,
        /// It cannot be assigned again (but declared anew).
        constant: bool,
    },
    /// An imported module.
    Import(Rc<Imported>),
}

/// The surroundings of a module that is checked.
pub trait Environment {
    /// How the text is run.
    fn mode(&self) -> Mode;

    /// The parameters of a built-in function, as [`crate::value::native::Native::params`] writes them (`"item"`,
    /// `"timeout?"`, `"...values"`, and `"**fields"` for any further named ones); `None` when there is no such function.
    fn builtin(&self, name: &str) -> Option<&'static [&'static str]>;

    /// The names of all built-in functions.
    fn builtin_names(&self) -> Vec<Rc<str>>;

    /// The names of all standard modules.
    fn module_names(&self) -> Vec<Rc<str>>;

    /// Finds, and where it is a file checks and compiles, an imported module. The checker itself reports standard modules
    /// that are not among [`Environment::module_names`], and adds the place of the import to errors without one.
    ///
    /// # Errors
    /// The file cannot be read, has errors of its own, or is part of a ring of imports.
    fn import(&mut self, path: &ImportPath) -> diag::Result<Imported>;

    /// What an earlier line of the prompt declared under this name.
    fn earlier(&self, name: &str) -> Option<Earlier>;

    /// All names of earlier lines of the prompt.
    fn earlier_names(&self) -> Vec<Rc<str>>;

    /// The error kinds that earlier lines and modules made.
    fn kinds(&self) -> Vec<Rc<str>>;

    /// A new global slot, for a variable of this name.
    fn new_global(&mut self, name: &Rc<str>) -> u32;
}

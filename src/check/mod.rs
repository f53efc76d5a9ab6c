//! What every name means, what every body captures, what stands where it cannot, and what is probably a mistake.
//!
//! Imports `syntax::ast`, `diag`, `source`, `limits`. **Invariant:** the tree is not changed and no code is made: the
//! answers are side tables ([`Resolved`]) by the tree's node and function numbers. Names of built-ins and modules come
//! in through [`Environment`].

use crate::diag;
use crate::source::Span;
use crate::syntax::ast::{FnId, NodeId};
use std::rc::Rc;

/// What a name refers to.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A variable of the same function: an index into [`FnInfo::locals`].
    Local(u32),
    /// A captured variable: an index into [`FnInfo::captures`] of the function that the name stands in.
    Capture(u32),
    /// A variable of the script's or module's top level that lives in a global slot.
    Global(u32),
    /// A built-in function by name.
    Builtin(Rc<str>),
    /// An imported standard module; only `module.member` may be made of it.
    Module(Rc<str>),
    /// An imported file: an index into [`Environment::import`]'s modules; only `module.member` may be made of it.
    File(u32),
}

/// A variable of a function.
#[derive(Debug, Clone)]
pub struct Local {
    /// Its name.
    pub name: Rc<str>,
    /// Its declaration.
    pub span: Span,
    /// It is captured by an inner function and assigned to after its declaration: it lives in a box of its own.
    pub boxed: bool,
}

/// Where a closure gets a captured variable from when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A local of the enclosing function.
    Local(u32),
    /// A capture of the enclosing function.
    Capture(u32),
}

/// A captured variable of a function.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Its name.
    pub name: Rc<str>,
    /// Where it comes from.
    pub from: From,
    /// It is a box (see [`Local::boxed`]).
    pub boxed: bool,
}

/// What the checker knows of one function-like body.
#[derive(Debug, Clone, Default)]
pub struct FnInfo {
    /// Its variables, parameters first, in order of declaration.
    pub locals: Vec<Local>,
    /// What it captures.
    pub captures: Vec<Capture>,
    /// The global slots that it or a body inside it uses.
    pub globals: Vec<u32>,
}

/// A top-level variable.
#[derive(Debug, Clone)]
pub struct Global {
    /// Its name.
    pub name: Rc<str>,
    /// Its declaration.
    pub span: Span,
    /// It cannot be assigned again.
    pub constant: bool,
}

/// The checker's answers for one module.
#[derive(Debug, Default)]
pub struct Resolved {
    /// By [`NodeId`]: what the name (use or declaration) refers to; `None` for names that are not looked up (fields, options, kinds).
    pub places: Vec<Option<Place>>,
    /// By [`FnId`]; 0 is the module's body.
    pub functions: Vec<FnInfo>,
    /// Global variables that this module declares: slot and what is known of it.
    pub globals: Vec<(u32, Global)>,
    /// Warnings, in source order.
    pub warnings: Vec<diag::Error>,
}

impl Resolved {
    /// What a name refers to.
    pub fn place(&self, id: NodeId) -> Option<&Place> {
        self.places.get(id as usize)?.as_ref()
    }

    /// What is known of a body.
    pub fn function(&self, id: FnId) -> Option<&FnInfo> {
        self.functions.get(id as usize)
    }
}

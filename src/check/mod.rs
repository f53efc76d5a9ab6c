//! What every name means, what every body captures, what stands where it cannot, and what is probably a mistake.
//!
//! Imports `syntax::ast`, `diag`, `source`, `limits`. **Invariant:** the tree is not changed and no code is made: the
//! answers are side tables ([`Resolved`]) by the tree's node and function numbers. Names of built-ins and modules come
//! in through [`Environment`].

mod declare;
mod environment;
mod expr;
mod idle;
mod layout;
mod lints;
mod lost_writes;
mod options;
mod placement;
mod scope;
mod uses;
mod walk;

pub use environment::{Earlier, Environment, Imported, Member, Mode};

use crate::diag;
use crate::source::Span;
use crate::syntax::ast::{self, FnId, NodeId};
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
    /// An imported standard module; only `module.member` may be made of it. The place of the member's own name is a
    /// [`Place::Global`] when the module is written in Par, and none when it is native.
    Module(Rc<str>),
    /// An imported file by the number that [`Environment::import`] gave; only `module.member` may be made of it. The
    /// place of the member's own name is a [`Place::Global`].
    File(u32),
}

/// A variable of a function.
#[derive(Debug, Clone)]
pub struct Local {
    /// Its name.
    pub name: Rc<str>,
    /// Its declaration.
    pub span: Span,
    /// It is captured by an inner function and may change after that: it lives in a box of its own, made anew each time
    /// its declaration runs.
    pub boxed: bool,
    /// It is needed before its declaration runs, so it is made when its block is entered, in this order: first the boxes
    /// of all such variables (holding "not yet"), then the functions and structs among them, in source order. Functions and
    /// structs that are not early are made where they stand. All of the top level are early: they capture nothing.
    pub early: bool,
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
    /// What the top level imports, by name: the prompt keeps these for later lines.
    pub imports: Vec<(Rc<str>, Rc<Imported>)>,
    /// The error kinds that the module makes (`kind: "..."`).
    pub kinds: Vec<Rc<str>>,
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

/// Resolves and checks a module.
///
/// Nothing of `env` is changed by a module with errors but the numbers of its global slots, which stay unused.
///
/// # Errors
/// All mistakes that were found, in source order.
pub fn check(
    module: &ast::Module,
    env: &mut dyn Environment,
) -> Result<Resolved, Vec<diag::Error>> {
    let mut checker = walk::Checker::new(env, module);
    checker.module(module);
    checker.check_constants();
    let walk::Checker {
        names,
        places,
        mut errors,
        mut facts,
        ..
    } = checker;
    if !errors.is_empty() {
        errors.sort_by_key(start_of);
        return Err(errors);
    }
    let lost = lost_writes::find(&facts, &names, env.mode() != Mode::Script);
    facts.warnings.extend(lost);
    facts.unknown_kinds(&env.kinds());
    facts.warnings.sort_by_key(start_of);
    let mut resolved = Resolved {
        places,
        imports: top_imports(&names),
        kinds: facts.kinds,
        warnings: facts.warnings,
        ..Resolved::default()
    };
    layout::lay_out(&names, env, &mut resolved);
    Ok(resolved)
}

/// Errors are reported in the order of the source.
fn start_of(error: &diag::Error) -> u32 {
    error.span.map_or(0, |span| span.start)
}

fn top_imports(names: &scope::Names) -> Vec<(Rc<str>, Rc<Imported>)> {
    let vars = names.vars.iter().filter(|var| var.top);
    vars.filter_map(|var| match &var.kind {
        scope::VarKind::Import(Some(imported)) => Some((var.name.clone(), imported.clone())),
        _ => None,
    })
    .collect()
}

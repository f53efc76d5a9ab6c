//! Which declaration a name means: scopes, what each block declares, and the search from the inside out.
//!
//! Functions, structs and imports are known in the whole of their block; variables from their declaration on. A body that
//! runs later (a function, a lambda, a method, a `defer`) also sees variables that are declared further down around it.

use super::environment::Imported;
use crate::source::Span;
use crate::syntax::ast::{FnId, FnKind, NodeId};
use std::collections::HashMap;
use std::rc::Rc;

/// An index into [`Names::vars`].
pub type VarId = usize;

/// What was declared.
#[derive(Debug, Clone)]
pub enum VarKind {
    /// `let`, parameters, loop variables and all that patterns bind.
    Variable,
    /// `const`.
    Constant,
    /// `shared x = ...`, `let x = shared(...)`: it holds a shared object for good.
    Shared,
    /// `fn`: the number of its body.
    Function(FnId),
    /// `struct`.
    Struct,
    /// `import`; `None` when that failed (and was reported).
    Import(Option<Rc<Imported>>),
}

/// A declared name.
#[derive(Debug)]
pub struct Var {
    pub name: Rc<str>,
    pub span: Span,
    /// The body that it is a variable of.
    pub owner: FnId,
    pub kind: VarKind,
    /// It is declared by the module itself, not in a block of it.
    pub top: bool,
    /// Its global slot where that is known beforehand: variables of earlier prompt lines and of other modules.
    pub slot: Option<u32>,
    /// It belongs to another module or an earlier line: this module does not declare it.
    pub foreign: bool,
    /// Its declaration has been passed.
    pub declared: bool,
    /// A function or struct that something above its declaration refers to, or another variable that a body above its
    /// declaration refers to.
    pub early: bool,
    /// A body captures it before it has its value.
    pub must_box: bool,
    /// Something assigns to it after its declaration.
    pub assigned: bool,
    /// Its first value is a list, map, set or struct that belongs to this process alone.
    pub plain: bool,
    /// The struct that made its first value.
    pub made_by: Option<VarId>,
}

impl Var {
    /// It is made when its block is entered rather than where it stands (see [`super::Local::early`]).
    pub fn hoisted(&self) -> bool {
        matches!(self.kind, VarKind::Function(_) | VarKind::Struct)
    }
}

/// A name that refers to a variable.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub node: NodeId,
    pub var: VarId,
    /// The body that the name stands in.
    pub function: FnId,
    pub write: bool,
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A variable that can be used here.
    Var(VarId),
    /// Only a variable of the same body whose declaration comes later.
    TooEarly(VarId),
    /// Nothing in this module.
    Nothing,
}

/// A body while it is walked, and for ever after its place among the others.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    pub kind: FnKind,
    pub parent: FnId,
    pub span: Span,
    /// Where the outermost loop around it begins, in the body that it stands in.
    pub loop_start: Option<u32>,
    /// It may run later than where it stands (`spawn(start: false)`): what it captures is what it is then.
    pub starts_later: bool,
}

impl Body {
    /// It runs in another process, on a snapshot of what it captures.
    pub fn elsewhere(self) -> bool {
        matches!(self.kind, FnKind::Spawn | FnKind::Pool)
    }
}

#[derive(Debug)]
struct Scope {
    function: FnId,
    names: HashMap<Rc<str>, VarId>,
    /// The functions and structs of the block, in source order.
    hoisted: Vec<VarId>,
    /// The function or struct declaration of this block that is being walked.
    walking: Option<VarId>,
    /// Which function or struct of this block refers to which of its variables.
    references: Vec<(VarId, VarId)>,
}

/// All names of a module and the scopes that are open.
#[derive(Debug, Default)]
pub struct Names {
    pub vars: Vec<Var>,
    pub uses: Vec<Use>,
    /// By [`FnId`].
    pub bodies: Vec<Option<Body>>,
    scopes: Vec<Scope>,
    /// Foreign variables by slot.
    foreign: HashMap<u32, VarId>,
}

impl Names {
    /// Opens a scope of a body.
    /// Whether the innermost scope is the module's own.
    pub fn at_top(&self) -> bool {
        self.scopes.len() == 1
    }

    pub fn open(&mut self, function: FnId) {
        self.scopes.push(Scope {
            function,
            names: HashMap::new(),
            hoisted: Vec::new(),
            walking: None,
            references: Vec::new(),
        });
    }

    /// Closes the innermost scope and settles which of its functions and variables are made when it is entered.
    pub fn close(&mut self) {
        let Some(scope) = self.scopes.pop() else {
            return;
        };
        self.spread_early(&scope);
        for &(from, to) in &scope.references {
            let made_before =
                from == to || (self.vars[from].early && (!self.vars[to].hoisted() || from < to));
            if made_before {
                self.vars[to].must_box = true;
            }
        }
    }

    /// What a function that is made early refers to is needed early too.
    fn spread_early(&mut self, scope: &Scope) {
        let mut open: Vec<VarId> = scope.hoisted.clone();
        open.retain(|&var| self.vars[var].early);
        while let Some(from) = open.pop() {
            for &(_, to) in scope.references.iter().filter(|edge| edge.0 == from) {
                let var = &mut self.vars[to];
                if !std::mem::replace(&mut var.early, true) && var.hoisted() {
                    open.push(to);
                }
            }
        }
    }

    /// Enters a name into the innermost scope; gives the earlier one back when the scope has it already.
    pub fn declare(&mut self, name: &Rc<str>, span: Span, kind: VarKind) -> Result<VarId, VarId> {
        let top = self.scopes.len() == 1;
        let id = self.vars.len();
        let Some(scope) = self.scopes.last_mut() else {
            return Err(0);
        };
        if let Some(&first) = scope.names.get(name) {
            return Err(first);
        }
        scope.names.insert(name.clone(), id);
        let var = Var {
            name: name.clone(),
            span,
            owner: scope.function,
            kind,
            top,
            slot: None,
            foreign: false,
            declared: false,
            early: false,
            must_box: false,
            assigned: false,
            plain: false,
            made_by: None,
        };
        if var.hoisted() {
            scope.hoisted.push(id);
        }
        self.vars.push(var);
        Ok(id)
    }

    /// A variable that lives in a global slot but is not declared by this module.
    pub fn foreign(&mut self, name: &Rc<str>, span: Span, slot: u32, constant: bool) -> VarId {
        if let Some(&id) = self.foreign.get(&slot) {
            return id;
        }
        self.foreign.insert(slot, self.vars.len());
        self.vars.push(Var {
            name: name.clone(),
            span,
            owner: 0,
            kind: if constant {
                VarKind::Constant
            } else {
                VarKind::Variable
            },
            top: true,
            slot: Some(slot),
            foreign: true,
            declared: true,
            early: false,
            must_box: false,
            assigned: false,
            plain: false,
            made_by: None,
        });
        self.vars.len() - 1
    }

    /// The variable that the innermost scope has under this name.
    pub fn own(&self, name: &str) -> Option<VarId> {
        self.scopes.last()?.names.get(name).copied()
    }

    /// The nearest variable of this name, declared yet or not.
    pub fn peek(&self, name: &str) -> Option<VarId> {
        let mut scopes = self.scopes.iter().rev();
        scopes.find_map(|scope| scope.names.get(name).copied())
    }

    /// Says which declaration of the innermost scope is being walked.
    pub fn walk_into(&mut self, declaration: Option<VarId>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.walking = declaration;
        }
    }

    /// Looks a name up for the body `function`, from the inside out, and notes who needs what early.
    pub fn find(&mut self, name: &str, function: FnId) -> Found {
        let mut later = None;
        let mut too_early = None;
        for at in (0..self.scopes.len()).rev() {
            let scope = &self.scopes[at];
            let Some(&id) = scope.names.get(name) else {
                continue;
            };
            let var = &self.vars[id];
            if var.declared || var.hoisted() {
                self.refer(at, id);
                return Found::Var(id);
            }
            if self.runs_at_once(function, scope.function) {
                too_early = too_early.or(Some(id));
            } else {
                later = later.or(Some((at, id)));
            }
        }
        match (later, too_early) {
            (Some((at, id)), _) => {
                self.vars[id].early = true;
                self.vars[id].must_box = true;
                self.refer(at, id);
                Found::Var(id)
            }
            (None, Some(id)) => Found::TooEarly(id),
            (None, None) => Found::Nothing,
        }
    }

    /// Notes that something refers to a variable of scope `at`: a function that is not reached yet has to be made early.
    fn refer(&mut self, at: usize, id: VarId) {
        let scope = &mut self.scopes[at];
        if let Some(from) = scope.walking {
            scope.references.push((from, id));
        }
        let var = &mut self.vars[id];
        if !var.declared && var.hoisted() {
            var.early = true;
        }
    }

    /// Whether `function` runs where it stands in `outer`: it is `outer` itself, or only spawn and pool bodies lie between.
    fn runs_at_once(&self, mut function: FnId, outer: FnId) -> bool {
        while function != outer {
            match self.body(function) {
                Some(body) if body.elsewhere() => function = body.parent,
                _ => return false,
            }
        }
        true
    }

    /// A body and all bodies that it stands in, from the inside out.
    pub fn around(&self, function: FnId) -> impl Iterator<Item = FnId> {
        std::iter::successors(Some(function), |&function| {
            let body = self.body(function).filter(|_| function != 0)?;
            Some(body.parent)
        })
    }

    /// Whether a body is `outer` or stands in it.
    pub fn within(&self, function: FnId, outer: FnId) -> bool {
        self.around(function).any(|body| body == outer)
    }

    /// What is known of a body.
    pub fn body(&self, function: FnId) -> Option<Body> {
        self.bodies.get(function as usize).copied().flatten()
    }

    /// All names that are visible here, innermost first.
    pub fn visible(&self) -> Vec<Rc<str>> {
        let scopes = self.scopes.iter().rev();
        let mut names: Vec<Rc<str>> = Vec::new();
        for scope in scopes {
            let mut of_scope: Vec<VarId> = scope.names.values().copied().collect();
            of_scope.sort_unstable();
            names.extend(of_scope.iter().map(|&id| self.vars[id].name.clone()));
        }
        names
    }
}

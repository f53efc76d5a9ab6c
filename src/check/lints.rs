//! What is legal and probably a mistake: error kinds that nothing raises, dead code. Writes that nobody can see are in
//! `lost_writes`.

use super::lost_writes::{Access, Sent, SentMethod, StructBodies};
use super::scope::VarId;
use crate::diag::{self, codes, did_you_mean};
use crate::syntax::ast::{Block, Expr, ExprKind, Ident, NodeId, Stmt, StmtKind};
use std::collections::HashMap;
use std::rc::Rc;

/// What the walk notes down for the lints.
#[derive(Default)]
pub struct Facts {
    /// Every use of a variable, in the order of the walk.
    pub accesses: Vec<Access>,
    /// The variable whose new value is being walked.
    pub assigning: Option<VarId>,
    /// Calls that run in another process.
    pub sent: Vec<Sent>,
    /// Calls of methods that run in another process.
    pub sent_methods: Vec<SentMethod>,
    /// The methods of every struct.
    pub structs: Vec<StructBodies>,
    /// The kinds that `catch` names.
    pub caught: Vec<Ident>,
    /// The kinds that this module makes.
    pub kinds: Vec<Rc<str>>,
    /// The kinds that imported modules make.
    pub kinds_elsewhere: Vec<Rc<str>>,
    /// Some kind is computed: it could be any.
    pub any_kind: bool,
    /// The parameters of native members of modules, by the number of the member's name.
    pub native_members: HashMap<NodeId, &'static [&'static str]>,
    /// What was found so far.
    pub warnings: Vec<diag::Error>,
}

impl Facts {
    /// Notes `kind: "..."` of a call.
    pub fn note_kind(&mut self, name: &str, value: &Expr) {
        match &value.kind {
            _ if name != "kind" => {}
            ExprKind::Str(kind) => self.kinds.push(kind.clone()),
            _ => self.any_kind = true,
        }
    }

    /// Warns of the first statement of a block that cannot be reached. Functions and structs count as declared anyway.
    pub fn unreachable(&mut self, body: &[Stmt]) {
        let mut stmts = body.iter();
        let Some(last) = stmts.find(|stmt| leaves(stmt)) else {
            return;
        };
        let declares = |kind: &StmtKind| matches!(kind, StmtKind::Fn { .. } | StmtKind::Struct(_));
        let Some(dead) = stmts.find(|stmt| !declares(&stmt.kind)) else {
            return;
        };
        let warning = diag::Error::new(codes::UNREACHABLE, "this can never run")
            .with_span(dead.span)
            .with_label("nothing leads here")
            .with_other(last.span, "always leaves");
        self.warnings.push(*warning);
    }

    /// Warns of kinds in `catch` that neither Par nor the program makes. `known` are those of earlier lines and modules.
    pub fn unknown_kinds(&mut self, known: &[Rc<str>]) {
        if self.any_kind {
            return;
        }
        let runtime = codes::REFERENCE.iter();
        let runtime = runtime.filter(|row| row.code.0.starts_with('R'));
        let mut kinds: Vec<&str> = runtime.map(|row| row.kind).collect();
        for made in [&self.kinds, &self.kinds_elsewhere, known] {
            kinds.extend(made.iter().map(|kind| &**kind));
        }
        for ident in &self.caught {
            if kinds.contains(&&*ident.name) {
                continue;
            }
            let message = format!("nothing raises an error of kind `{}`", ident.name);
            let nearest = did_you_mean(&ident.name, kinds.iter().copied());
            let make = format!(
                "an error of this kind is made by `error(\"...\", kind: \"{}\")`",
                ident.name
            );
            let warning = diag::Error::new(codes::UNKNOWN_KIND, message)
                .with_span(ident.span)
                .with_label("neither a kind of the runtime nor made in this program")
                .with_help(nearest.unwrap_or(make));
            self.warnings.push(*warning);
        }
    }
}

/// The `if` of an `else if`.
pub fn else_if(block: &Block) -> Option<&Expr> {
    match &block.body[..] {
        [
            Stmt {
                kind: StmtKind::Expr(expr),
                ..
            },
        ] if matches!(expr.kind, ExprKind::If { .. }) => Some(expr),
        _ => None,
    }
}

/// Whether a statement never lets what follows it run.
fn leaves(stmt: &Stmt) -> bool {
    match &stmt.kind {
        StmtKind::Return(_) | StmtKind::Break | StmtKind::Continue | StmtKind::Throw(_) => true,
        StmtKind::Expr(expr) => match &expr.kind {
            ExprKind::Do(body) | ExprKind::Lock { body, .. } => block_leaves(body),
            ExprKind::If { .. } => all_branches_leave(expr),
            _ => false,
        },
        _ => false,
    }
}

fn block_leaves(block: &Block) -> bool {
    block.body.iter().any(leaves)
}

fn all_branches_leave(expr: &Expr) -> bool {
    let mut rest = expr;
    while let ExprKind::If {
        then,
        otherwise: Some(otherwise),
        ..
    } = &rest.kind
    {
        if !block_leaves(then) {
            return false;
        }
        match else_if(otherwise) {
            Some(next) => rest = next,
            None => return block_leaves(otherwise),
        }
    }
    false
}

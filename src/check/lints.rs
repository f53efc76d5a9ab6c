//! What is legal and probably a mistake: writes that nobody can see, error kinds that nothing raises, dead code.

use super::expr::Mark;
use super::scope::{Body, Names, VarId, VarKind};
use crate::diag::{self, codes, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Block, Expr, ExprKind, FnId, Ident, NodeId, Stmt, StmtKind};
use std::collections::{HashMap, HashSet};
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
    /// The kinds that `catch` names.
    pub caught: Vec<Ident>,
    /// The kinds that this module makes.
    pub kinds: Vec<Rc<str>>,
    /// The kinds that imported modules make.
    pub kinds_elsewhere: Vec<Rc<str>>,
    /// Functions of the top level may be called from elsewhere: the text is a module or a line at the prompt.
    pub open_top: bool,
    /// Some kind is computed: it could be any.
    pub any_kind: bool,
    /// The parameters of native members of modules, by the number of the member's name.
    pub native_members: HashMap<NodeId, &'static [&'static str]>,
    /// What was found so far.
    pub warnings: Vec<diag::Error>,
}

/// A use of a variable.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    pub var: VarId,
    pub function: FnId,
    pub span: Span,
    pub mark: Mark,
    /// It stands in the new value of the same variable.
    pub own: bool,
}

/// `spawn f()`, `pool map(f, xs)`.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The name `f`.
    pub node: NodeId,
    /// The whole expression.
    pub span: Span,
    /// Where the outermost loop around it begins.
    pub loop_start: Option<u32>,
}

/// A body that only runs in other processes.
#[derive(Debug, Clone, Copy)]
struct Elsewhere {
    body: FnId,
    /// What sends it there.
    site: Span,
    loop_start: Option<u32>,
    /// It is a block that stands where it is sent.
    block: bool,
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

    /// Warns of writes to snapshots that nobody reads.
    pub fn lost_writes(&mut self, names: &Names) {
        let elsewhere = self.bodies_elsewhere(names);
        let mut warned = HashSet::new();
        for access in &self.accesses {
            if !self.is_write(access, names) {
                continue;
            }
            let Some(place) = snapshot_of(access, names, &elsewhere) else {
                continue;
            };
            if self.is_lost(access.var, place, names, &elsewhere)
                && warned.insert((access.var, place.body))
            {
                self.warnings.push(lost_write(access, place, names));
            }
        }
    }

    /// Whether something is changed that belongs to one process alone.
    fn is_write(&self, access: &Access, names: &Names) -> bool {
        let var = &names.vars[access.var];
        match access.mark {
            Mark::Write => matches!(var.kind, VarKind::Variable),
            Mark::Mutate => var.plain && !var.assigned,
            Mark::Read => false,
        }
    }

    /// A write is lost when nobody in its own process reads the variable, or when the other side does so later on.
    fn is_lost(&self, var: VarId, place: Elsewhere, names: &Names, all: &[Elsewhere]) -> bool {
        let reads = self.accesses.iter();
        let mut reads =
            reads.filter(|read| read.var == var && read.mark == Mark::Read && !read.own);
        let functions = || all.iter().filter(|other| !other.block);
        let mut seen_there = false;
        let seen_here = reads.any(|read| {
            let there = names.within(read.function, place.body)
                || functions().any(|other| names.within(read.function, other.body));
            seen_there |= there;
            !there && is_later(read, place, names)
        });
        seen_here || !seen_there
    }

    /// Spawn and pool bodies, and functions that only such bodies, or `spawn f()`, call.
    fn bodies_elsewhere(&self, names: &Names) -> Vec<Elsewhere> {
        let bodies = (0..).zip(&names.bodies);
        let blocks = bodies.filter_map(|(id, body)| {
            let body: Body = (*body).filter(|body| body.elsewhere())?;
            Some(Elsewhere {
                body: id,
                site: body.span,
                loop_start: body.loop_start,
                block: true,
            })
        });
        let mut found: Vec<Elsewhere> = blocks.collect();
        let mut functions: Vec<(VarId, FnId)> = Vec::new();
        for (id, var) in names.vars.iter().enumerate() {
            if let VarKind::Function(body) = var.kind
                && !(var.top && self.open_top)
            {
                functions.push((id, body));
            }
        }
        let mut uses: HashMap<VarId, Vec<(NodeId, FnId)>> = HashMap::new();
        for found in &names.uses {
            let of_var = uses.entry(found.var).or_default();
            of_var.push((found.node, found.function));
        }
        loop {
            let before = found.len();
            functions.retain(|&(var, body)| {
                let uses = uses.get(&var).map_or(&[][..], |uses| uses);
                let sent = self.sent_away(names, body, uses, &found);
                found.extend(sent);
                sent.is_none()
            });
            if found.len() == before {
                return found;
            }
        }
    }

    /// How a function gets to other processes, when it gets nowhere else. The first of its uses is its declaration.
    fn sent_away(
        &self,
        names: &Names,
        body: FnId,
        uses: &[(NodeId, FnId)],
        found: &[Elsewhere],
    ) -> Option<Elsewhere> {
        let mut way = None;
        for &(node, function) in uses.iter().skip(1) {
            if names.within(function, body) {
                continue;
            }
            let sent = self.sent.iter().find(|sent| sent.node == node);
            let caller = || {
                found
                    .iter()
                    .find(|other| names.within(function, other.body))
            };
            let (site, loop_start) = match (sent, caller) {
                (Some(sent), _) => (sent.span, sent.loop_start),
                (None, caller) => caller().map(|other| (other.site, other.loop_start))?,
            };
            way.get_or_insert(Elsewhere {
                body,
                site,
                loop_start,
                block: false,
            });
        }
        way
    }
}

/// The innermost body that runs elsewhere and has only a snapshot of the variable.
fn snapshot_of(access: &Access, names: &Names, elsewhere: &[Elsewhere]) -> Option<Elsewhere> {
    let owner = names.vars[access.var].owner;
    let mut function = access.function;
    while function != owner {
        if let Some(found) = elsewhere.iter().find(|other| other.body == function) {
            return Some(*found);
        }
        function = names.body(function)?.parent;
    }
    None
}

/// Whether a read outside of the body can come after it: further down, further up in a loop around both, or in a function
/// that may be called at any time.
fn is_later(read: &Access, place: Elsewhere, names: &Names) -> bool {
    let stands_around = names.within(place.body, read.function);
    let declared = names.vars[read.var].span.start;
    let again = place
        .loop_start
        .is_some_and(|start| declared < start && read.span.start >= start);
    read.span.start >= place.site.end || again || !stands_around
}

fn lost_write(access: &Access, place: Elsewhere, names: &Names) -> diag::Error {
    let var = &names.vars[access.var];
    let name = &var.name;
    let message = format!("nobody sees this write: `{name}` is a copy in another process");
    let site = match place.block {
        true => "this block runs in another process",
        false => "the function runs in another process",
    };
    let help = format!(
        "`shared {name} = ...` makes it one for all processes; or let the process give its result back through `join`"
    );
    let error = diag::Error::new(codes::LOST_WRITE, message)
        .with_span(access.span)
        .with_label("changes only the copy")
        .with_other(head_of(place), site)
        .with_help(help);
    match var.foreign {
        true => *error,
        false => *error.with_other(var.span, format!("this `{name}` stays as it is")),
    }
}

/// A block is marked at its beginning, so that the label does not cover the write.
fn head_of(place: Elsewhere) -> Span {
    let end = place.site.start + 1;
    match place.block {
        true => Span { end, ..place.site },
        false => place.site,
    }
}

/// Methods that change the list, map or set that they are called on.
pub fn changes(method: &str) -> bool {
    const METHODS: [&str; 14] = [
        "push",
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "clear",
        "sort",
        "reverse",
        "add",
        "update",
        "discard",
        "set",
        "setdefault",
    ];
    METHODS.contains(&method)
}

/// Whether an expression makes a list, map, set or instance that no other process holds. `makes` answers for calls of a name.
pub fn is_plain(value: &Expr, makes: impl Fn(&Ident) -> bool) -> bool {
    match &value.kind {
        ExprKind::List(_) | ExprKind::Map(_) | ExprKind::Comprehension(_) => true,
        ExprKind::Binary {
            op: BinaryOp::Add | BinaryOp::Mul,
            left,
            right,
            ..
        } => [left, right]
            .iter()
            .any(|side| matches!(side.kind, ExprKind::List(_))),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(ident) => makes(ident),
            _ => false,
        },
        _ => false,
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

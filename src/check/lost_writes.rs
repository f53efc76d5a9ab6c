//! Writes to snapshots: what a process changes of its copy of a variable that nobody in it reads, or that is read elsewhere as
//! if the change had arrived there.

use super::expr::Mark;
use super::lints::Facts;
use super::scope::{Body, Names, Var, VarId, VarKind};
use crate::diag::{self, codes};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, FnId, Ident, NodeId};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A use of a variable.
#[derive(Debug, Clone)]
pub struct Access {
    pub var: VarId,
    pub function: FnId,
    pub span: Span,
    pub mark: Mark,
    /// It stands in the new value of the same variable.
    pub own: bool,
    /// The method that is called on it.
    pub method: Option<Rc<str>>,
}

/// `spawn f()`, `pool map(f, xs)`.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The name `f`.
    pub node: NodeId,
    pub site: Site,
}

/// `spawn object.method()`.
#[derive(Debug)]
pub struct SentMethod {
    pub var: VarId,
    pub method: Ident,
    pub site: Site,
}

/// Where something is sent to another process.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    /// The body that it stands in.
    pub function: FnId,
    /// The whole expression.
    pub span: Span,
    /// Where the outermost loop around it begins.
    pub loop_start: Option<u32>,
}

/// The methods of a struct.
#[derive(Debug)]
pub struct StructBodies {
    pub var: VarId,
    pub methods: Vec<(Rc<str>, FnId)>,
}

/// A body that only runs in other processes.
#[derive(Debug, Clone, Copy)]
struct Elsewhere {
    body: FnId,
    site: Site,
    /// It is a block that stands where it is sent.
    block: bool,
}

/// What the search for lost writes knows.
struct Search<'a> {
    facts: &'a Facts,
    names: &'a Names,
    elsewhere: HashMap<FnId, Elsewhere>,
    /// The uses of each variable.
    accesses: HashMap<VarId, Vec<&'a Access>>,
    /// Methods that change a field of their object, by struct.
    changing: HashSet<(VarId, Rc<str>)>,
}

/// All warnings about writes that nobody can see. `open`: functions of the top level may be called from outside of this
/// text, which is a module or a line at the prompt.
pub fn find(facts: &Facts, names: &Names, open: bool) -> Vec<diag::Error> {
    let mut search = Search {
        facts,
        names,
        elsewhere: bodies_elsewhere(facts, names, open),
        accesses: HashMap::new(),
        changing: HashSet::new(),
    };
    if search.elsewhere.is_empty() && facts.sent_methods.is_empty() {
        return Vec::new();
    }
    for access in &facts.accesses {
        let of_var = search.accesses.entry(access.var).or_default();
        of_var.push(access);
    }
    search.changing = search.changing_methods();
    let mut warnings = Vec::new();
    let mut looked_at = HashSet::new();
    for access in &facts.accesses {
        if search.is_write(access)
            && let Some(place) = search.snapshot_of(access)
            && looked_at.insert((access.var, place.body))
            && search.is_lost(access.var, place)
        {
            warnings.push(lost_write(access, place, names));
        }
    }
    let sent = facts.sent_methods.iter();
    warnings.extend(sent.filter_map(|sent| search.lost_call(sent)));
    warnings
}

impl Search<'_> {
    /// Methods that assign to a field of `self`.
    fn changing_methods(&self) -> HashSet<(VarId, Rc<str>)> {
        let mut owners: HashMap<FnId, (VarId, &Rc<str>)> = HashMap::new();
        for of in &self.facts.structs {
            owners.extend(
                of.methods
                    .iter()
                    .map(|(name, body)| (*body, (of.var, name))),
            );
        }
        let writes = self.facts.accesses.iter();
        let writes = writes.filter(|access| access.mark == Mark::Mutate);
        let methods = writes.filter_map(|access| {
            let var = &self.names.vars[access.var];
            let of_self = &*var.name == "self";
            owners.get(&var.owner).filter(|_| of_self)
        });
        methods.map(|&(of, name)| (of, name.clone())).collect()
    }

    fn is_changing(&self, var: VarId, method: &Rc<str>) -> bool {
        let made_by = self.names.vars[var].made_by;
        made_by.is_some_and(|of| self.changing.contains(&(of, method.clone())))
    }

    /// Whether something is changed that belongs to one process alone.
    fn is_write(&self, access: &Access) -> bool {
        let var = &self.names.vars[access.var];
        let own = var.plain && !var.assigned;
        match (access.mark, &access.method) {
            (Mark::Write, _) => matches!(var.kind, VarKind::Variable),
            (Mark::Mutate, _) => own,
            (Mark::Read, Some(method)) => own && self.is_changing(access.var, method),
            (Mark::Read, None) => false,
        }
    }

    /// The uses of a variable that look at it.
    fn reads(&self, var: VarId) -> impl Iterator<Item = &Access> {
        let accesses = self.accesses.get(&var).map_or(&[][..], |found| found);
        let reads = accesses.iter().copied();
        reads.filter(|read| read.mark == Mark::Read && !read.own && !self.is_write(read))
    }

    /// The innermost body that runs elsewhere and has only a snapshot of the variable.
    fn snapshot_of(&self, access: &Access) -> Option<Elsewhere> {
        let owner = self.names.vars[access.var].owner;
        let around = self.names.around(access.function);
        around
            .take_while(|&body| body != owner)
            .find_map(|body| self.elsewhere.get(&body).copied())
    }

    /// A write is lost when nobody in its own process reads the variable, or when the other side does so later on.
    fn is_lost(&self, var: VarId, place: Elsewhere) -> bool {
        let mut seen_there = false;
        let seen_here = self.reads(var).any(|read| {
            let there = self.names.within(read.function, place.body) || self.in_function(read);
            seen_there |= there;
            !there && self.is_later(read, place.site)
        });
        seen_here || !seen_there
    }

    /// Whether a read stands in a function that only other processes call.
    fn in_function(&self, read: &Access) -> bool {
        let mut around = self.names.around(read.function);
        around.any(|body| self.elsewhere.get(&body).is_some_and(|other| !other.block))
    }

    /// Whether a read that stands outside can come after what is sent at `site`: further down, anywhere in a loop around both,
    /// or in a function that may be called at any time.
    fn is_later(&self, read: &Access, site: Site) -> bool {
        let stands_around = self.names.within(site.function, read.function);
        let declared = self.names.vars[read.var].span.start;
        let again = site
            .loop_start
            .is_some_and(|start| declared < start && read.span.start >= start);
        read.span.start >= site.span.end || again || !stands_around
    }

    /// `spawn account.deposit(5)` changes the copy of the account; lost when the account is read later on.
    fn lost_call(&self, sent: &SentMethod) -> Option<diag::Error> {
        let var = &self.names.vars[sent.var];
        let changes = var.plain && !var.assigned && self.is_changing(sent.var, &sent.method.name);
        let mut reads = self.reads(sent.var);
        if !changes || !reads.any(|read| self.is_later(read, sent.site)) {
            return None;
        }
        let label = format!("`{}` changes only the copy", sent.method.name);
        let error = warning(var, sent.method.span, label);
        Some(match var.foreign {
            true => *error,
            false => *error.with_other(var.span, stays(&var.name)),
        })
    }
}

/// Spawn and pool bodies, and functions that only such bodies, or `spawn f()`, call.
fn bodies_elsewhere(facts: &Facts, names: &Names, open: bool) -> HashMap<FnId, Elsewhere> {
    let bodies = (0..).zip(&names.bodies);
    let blocks = bodies.filter_map(|(id, body)| {
        let body: Body = (*body).filter(|body| body.elsewhere())?;
        let site = Site {
            function: body.parent,
            span: body.span,
            loop_start: body.loop_start,
        };
        let block = Elsewhere {
            body: id,
            site,
            block: true,
        };
        Some((id, block))
    });
    let mut found: HashMap<FnId, Elsewhere> = blocks.collect();
    if found.is_empty() && facts.sent.is_empty() {
        return found;
    }
    let mut functions: Vec<(VarId, FnId)> = Vec::new();
    for (id, var) in names.vars.iter().enumerate() {
        if let VarKind::Function(body) = var.kind
            && !(var.top && open)
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
            let sent = sent_away(facts, names, body, uses, &found);
            found.extend(sent.map(|sent| (body, sent)));
            sent.is_none()
        });
        if found.len() == before {
            return found;
        }
    }
}

/// How a function gets to other processes, when it gets nowhere else. The first of its uses is its declaration.
fn sent_away(
    facts: &Facts,
    names: &Names,
    body: FnId,
    uses: &[(NodeId, FnId)],
    found: &HashMap<FnId, Elsewhere>,
) -> Option<Elsewhere> {
    let mut way = None;
    for &(node, function) in uses.iter().skip(1) {
        if names.within(function, body) {
            continue;
        }
        let sent = facts.sent.iter().find(|sent| sent.node == node);
        let site = match sent {
            Some(sent) => sent.site,
            None => {
                let mut around = names.around(function);
                around.find_map(|body| found.get(&body))?.site
            }
        };
        way.get_or_insert(Elsewhere {
            body,
            site,
            block: false,
        });
    }
    way
}

fn lost_write(access: &Access, place: Elsewhere, names: &Names) -> diag::Error {
    let var = &names.vars[access.var];
    let said = match place.block {
        true => "this block runs in another process",
        false => "the function runs in another process",
    };
    let error = warning(var, access.span, String::from("changes only the copy"))
        .with_other(head_of(place), said);
    match var.foreign {
        true => *error,
        false => *error.with_other(var.span, stays(&var.name)),
    }
}

fn warning(var: &Var, span: Span, label: String) -> Box<diag::Error> {
    let name = &var.name;
    let message = format!("nobody sees this write: `{name}` is a copy in another process");
    let help = match var.made_by {
        Some(_) => String::from(
            "keep what changes in a field made by `shared(...)`, or let the process give its result back through `join`",
        ),
        None => format!(
            "`shared {name} = ...` makes it one for all processes; or let the process give its result back through `join`"
        ),
    };
    diag::Error::new(codes::LOST_WRITE, message)
        .with_span(span)
        .with_label(label)
        .with_help(help)
}

fn stays(name: &str) -> String {
    format!("this `{name}` stays as it is")
}

/// A block is marked at its beginning, so that the label does not cover the write.
fn head_of(place: Elsewhere) -> Span {
    let span = place.site.span;
    match place.block {
        true => Span {
            end: span.start + 1,
            ..span
        },
        false => span,
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

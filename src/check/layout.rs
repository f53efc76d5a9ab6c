//! Where every variable lives: registers, boxes, captures, global slots. Runs when the whole module is known.

use super::environment::{Environment, Mode};
use super::scope::{Names, Var, VarId, VarKind};
use super::{Capture, FnInfo, From, Global, Local, Place, Resolved};
use crate::syntax::ast::FnId;
use std::collections::{HashMap, HashSet};

/// How many top-level variables of a script stay in registers; the others get global slots. The rest of the registers
/// (`limits::MAX_REGISTERS`) is left to variables of blocks and to what is being computed.
const MAX_TOP_LOCALS: usize = 100;

/// Where one variable lives.
#[derive(Debug, Clone, Copy)]
enum Home {
    Local(u32),
    Global(u32),
    /// An imported module has no place at run time.
    Nowhere,
}

/// Fills in the places of all uses, and what is known of each body.
pub fn lay_out(names: &Names, env: &mut dyn Environment, resolved: &mut Resolved) {
    resolved
        .functions
        .resize_with(names.bodies.len(), FnInfo::default);
    let boxed = boxes(names);
    let homes = settle(names, &boxed, env, resolved);
    let mut captures: HashMap<(FnId, VarId), u32> = HashMap::new();
    let mut noted: HashSet<(FnId, u32)> = HashSet::new();
    for found in &names.uses {
        let var = &names.vars[found.var];
        let place = match homes[found.var] {
            Home::Nowhere => continue,
            Home::Global(slot) => {
                note_global(names, found.function, slot, &mut noted, resolved);
                Place::Global(slot)
            }
            Home::Local(index) if var.owner == found.function => Place::Local(index),
            Home::Local(index) => {
                let wanted = Wanted {
                    var: found.var,
                    index,
                    boxed: boxed[found.var],
                };
                match capture(names, found.function, wanted, &mut captures, resolved) {
                    Some(index) => Place::Capture(index),
                    None => continue,
                }
            }
        };
        if let Some(slot) = resolved.places.get_mut(found.node as usize) {
            *slot = Some(place);
        }
    }
}

/// Which variables live in boxes.
///
/// A captured variable that changes after its declaration needs one, so that both sides see the change. A spawn or pool body
/// only takes a snapshot: it needs a box only where it changes the variable itself, or where the snapshot is taken later.
fn boxes(names: &Names) -> Vec<bool> {
    let mut shared = vec![false; names.vars.len()];
    for found in &names.uses {
        let var = &names.vars[found.var];
        if found.function == var.owner {
            continue;
        }
        let child = child_towards(names, var.owner, found.function);
        let snapshot = child.and_then(|child| names.body(child));
        let snapshot = snapshot.is_some_and(|body| body.elsewhere() && !body.starts_later);
        shared[found.var] |= found.write || !snapshot;
    }
    let vars = names.vars.iter().zip(shared);
    vars.map(|(var, shared)| var.must_box || (shared && var.assigned))
        .collect()
}

/// The body directly in `outer` that `inner` stands in.
fn child_towards(names: &Names, outer: FnId, mut inner: FnId) -> Option<FnId> {
    loop {
        let parent = names.body(inner)?.parent;
        if parent == outer {
            return Some(inner);
        }
        if inner == 0 {
            return None;
        }
        inner = parent;
    }
}

fn settle(
    names: &Names,
    boxed: &[bool],
    env: &mut dyn Environment,
    resolved: &mut Resolved,
) -> Vec<Home> {
    let mut used_inside = vec![false; names.vars.len()];
    for found in &names.uses {
        used_inside[found.var] |= found.function != 0;
    }
    let script = env.mode() == Mode::Script;
    let mut top_locals = 0;
    let mut homes = Vec::with_capacity(names.vars.len());
    for (id, var) in names.vars.iter().enumerate() {
        let home = match &var.kind {
            VarKind::Import(_) => Home::Nowhere,
            _ if var.foreign => Home::Global(var.slot.unwrap_or(0)),
            _ if var.top && (!script || used_inside[id] || top_locals >= MAX_TOP_LOCALS) => {
                Home::Global(declare_global(var, env, resolved))
            }
            _ => {
                top_locals += usize::from(var.top);
                add_local(var, boxed[id], resolved)
            }
        };
        homes.push(home);
    }
    homes
}

fn declare_global(var: &Var, env: &mut dyn Environment, resolved: &mut Resolved) -> u32 {
    let slot = match var.slot {
        Some(slot) => slot,
        None => env.new_global(&var.name),
    };
    let global = Global {
        name: var.name.clone(),
        span: var.span,
        constant: !matches!(var.kind, VarKind::Variable),
    };
    resolved.globals.push((slot, global));
    slot
}

fn add_local(var: &Var, boxed: bool, resolved: &mut Resolved) -> Home {
    let Some(info) = resolved.functions.get_mut(var.owner as usize) else {
        return Home::Nowhere;
    };
    let index = info.locals.len() as u32;
    info.locals.push(Local {
        name: var.name.clone(),
        span: var.span,
        boxed,
        early: var.early || (var.top && var.hoisted()),
    });
    Home::Local(index)
}

/// A body that uses a global slot needs it, and so do all bodies that it stands in.
fn note_global(
    names: &Names,
    mut function: FnId,
    slot: u32,
    noted: &mut HashSet<(FnId, u32)>,
    resolved: &mut Resolved,
) {
    while let Some(info) = resolved.functions.get_mut(function as usize) {
        if !noted.insert((function, slot)) {
            return;
        }
        info.globals.push(slot);
        match names.body(function) {
            Some(body) if function != 0 => function = body.parent,
            _ => return,
        }
    }
}

/// A variable that a body wants to capture.
#[derive(Clone, Copy)]
struct Wanted {
    var: VarId,
    /// Its index among the locals of its owner.
    index: u32,
    boxed: bool,
}

/// Captures a variable in a body and in all bodies between it and the variable's owner.
fn capture(
    names: &Names,
    function: FnId,
    wanted: Wanted,
    known: &mut HashMap<(FnId, VarId), u32>,
    resolved: &mut Resolved,
) -> Option<u32> {
    let var = &names.vars[wanted.var];
    let mut path = Vec::new();
    let mut at = function;
    while at != var.owner {
        path.push(at);
        if at == 0 {
            return None;
        }
        at = names.body(at)?.parent;
    }
    let mut from = From::Local(wanted.index);
    let mut last = None;
    for &body in path.iter().rev() {
        let info = resolved.functions.get_mut(body as usize)?;
        let index = *known.entry((body, wanted.var)).or_insert_with(|| {
            info.captures.push(Capture {
                name: var.name.clone(),
                from,
                boxed: wanted.boxed,
            });
            info.captures.len() as u32 - 1
        });
        from = From::Capture(index);
        last = Some(index);
    }
    last
}

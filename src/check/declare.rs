//! What blocks, patterns and imports declare.

use super::environment::{Earlier, Mode};
use super::scope::{VarId, VarKind};
use super::walk::Checker;
use super::{Imported, Place, lost_writes};
use crate::diag::{self, codes, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Ident, ImportPath, Pattern, PatternKind, Stmt, StmtKind};
use crate::syntax::habit_for_name;
use std::rc::Rc;

impl Checker<'_> {
    /// Enters what the statements of a block declare, before any of them is walked.
    pub fn announce(&mut self, body: &[Stmt]) {
        for stmt in body {
            match &stmt.kind {
                StmtKind::Let {
                    pattern, constant, ..
                } => {
                    let mut idents = Vec::new();
                    names_of(pattern, &mut idents);
                    for ident in idents {
                        let kind = match constant {
                            true => VarKind::Constant,
                            false => VarKind::Variable,
                        };
                        self.declare(ident, kind);
                    }
                }
                StmtKind::Shared { name, .. } => self.declare(name, VarKind::Shared),
                StmtKind::Fn { name, function } => {
                    self.declare(name, VarKind::Function(function.id));
                }
                StmtKind::Struct(declaration) => {
                    self.declare(&declaration.name, VarKind::Struct);
                }
                StmtKind::Import { path, name } => {
                    let imported = self.import(path).map(Rc::new);
                    if let Some(imported) = &imported {
                        self.facts
                            .kinds_elsewhere
                            .extend_from_slice(&imported.kinds);
                        self.set_place(name.id, imported.place.clone());
                    }
                    self.declare(name, VarKind::Import(imported));
                }
                _ => {}
            }
        }
    }

    /// Enters a name into the innermost scope. It can be used from [`Checker::reached`] on.
    pub fn declare(&mut self, ident: &Ident, kind: VarKind) {
        let import = matches!(kind, VarKind::Import(_));
        match self.names.declare(&ident.name, ident.span, kind) {
            Ok(id) => {
                if self.names.vars[id].top
                    && self.env.mode() == Mode::Prompt
                    && let Some(Earlier::Global { slot, .. }) = self.env.earlier(&ident.name)
                {
                    self.names.vars[id].slot = Some(slot);
                }
                if !import {
                    self.note_use(ident, id, false);
                }
            }
            Err(first) => {
                let var = &self.names.vars[first];
                let assignable = var.top && matches!(var.kind, VarKind::Variable);
                self.declared_twice(ident, var.span, assignable);
            }
        }
    }

    /// The walk passes the declaration of a name of the innermost scope.
    pub fn reached(&mut self, ident: &Ident) -> Option<VarId> {
        let id = self.names.own(&ident.name)?;
        self.names.vars[id].declared = true;
        Some(id)
    }

    /// Declares what a pattern binds, and makes it usable.
    pub fn bind(&mut self, pattern: &Pattern) {
        let mut idents = Vec::new();
        names_of(pattern, &mut idents);
        for ident in idents {
            self.declare(ident, VarKind::Variable);
            self.reached(ident);
        }
        self.check_pattern(pattern);
    }

    /// Makes what a `let` binds usable, and notes what its value tells of it.
    pub fn bind_announced(&mut self, pattern: &Pattern, value: Option<&Expr>) {
        let mut idents = Vec::new();
        names_of(pattern, &mut idents);
        for ident in idents {
            self.reached(ident);
        }
        self.check_pattern(pattern);
        if let (PatternKind::Bind(ident), Some(value)) = (&pattern.kind, value)
            && let Some(id) = self.names.own(&ident.name)
        {
            let plain = lost_writes::is_plain(value, |callee| self.makes_plain(callee));
            let shared = self.makes_shared(value);
            let made_by = self.maker_of(value);
            let var = &mut self.names.vars[id];
            var.plain = plain;
            var.made_by = made_by;
            if shared && matches!(var.kind, VarKind::Variable) {
                var.kind = VarKind::Shared;
            }
        }
    }

    /// `shared(...)`, `shared.ints(...)` of the built-in name.
    fn makes_shared(&self, value: &Expr) -> bool {
        let root = match &value.kind {
            ExprKind::Call { callee, .. } => callee,
            ExprKind::Method { receiver, .. } => receiver,
            _ => return false,
        };
        let ExprKind::Name(ident) = &root.kind else {
            return false;
        };
        matches!(self.place(ident.id), Some(Place::Builtin(name)) if &**name == "shared")
    }

    /// Calls of these make a value that belongs to this process alone.
    fn makes_plain(&self, callee: &Ident) -> bool {
        match self.place(callee.id) {
            Some(Place::Builtin(name)) => matches!(&**name, "list" | "map" | "set" | "sorted"),
            _ => self.struct_of(callee).is_some(),
        }
    }

    /// The struct that a name refers to that has just been used.
    fn struct_of(&self, ident: &Ident) -> Option<VarId> {
        let mut uses = self.names.uses.iter().rev();
        let found = uses.find(|found| found.node == ident.id)?.var;
        matches!(self.names.vars[found].kind, VarKind::Struct).then_some(found)
    }

    /// The struct that makes a value.
    fn maker_of(&self, value: &Expr) -> Option<VarId> {
        match &value.kind {
            ExprKind::Call { callee, .. } => match &callee.kind {
                ExprKind::Name(ident) => self.struct_of(ident),
                _ => None,
            },
            _ => None,
        }
    }

    /// The parts of a pattern that are no names.
    fn check_pattern(&mut self, pattern: &Pattern) {
        match &pattern.kind {
            PatternKind::Bind(_) | PatternKind::Ignore => {}
            PatternKind::Literal(value) => self.expr(value),
            PatternKind::List { items, .. } => {
                for item in items {
                    self.check_pattern(item);
                }
            }
            PatternKind::Map { entries, .. } => {
                for (_, _, item) in entries {
                    self.check_pattern(item);
                }
            }
            PatternKind::Or(items) => {
                for item in items {
                    self.check_alternative(item);
                }
            }
        }
    }

    /// One alternative of `a | b`: which of its names would have a value depends on the match, so it has none.
    fn check_alternative(&mut self, pattern: &Pattern) {
        let mut idents = Vec::new();
        names_of(pattern, &mut idents);
        if let Some(ident) = idents.first() {
            let message = format!(
                "`{}` cannot be bound in one of several alternatives",
                ident.name
            );
            let error = diag::Error::new(codes::MISPLACED, message)
                .with_span(ident.span)
                .with_label("it would have no value when another alternative matches")
                .with_help("write a `case` of its own, or `_` to ignore the value");
            self.report(error);
        }
        self.check_pattern(pattern);
    }

    /// `assignable`: an assignment may have been meant.
    pub fn declared_twice(&mut self, ident: &Ident, first: Span, assignable: bool) {
        let help = match assignable {
            true => "choose another name, or assign to the first one without `let`",
            false => "choose another name",
        };
        let message = format!("`{}` is declared twice in one scope", ident.name);
        let error = diag::Error::new(codes::DECLARED_TWICE, message)
            .with_span(ident.span)
            .with_label("declared again here")
            .with_other(first, "first declared here")
            .with_help(help);
        self.report(error);
    }

    fn import(&mut self, path: &ImportPath) -> Option<Imported> {
        let span = match path {
            ImportPath::File(_, span) | ImportPath::Standard(_, span) => *span,
        };
        if let ImportPath::Standard(name, _) = path {
            let known = self.env.module_names();
            if !known.iter().any(|other| other == name) {
                self.report(unknown_module(name, span, &known));
                return None;
            }
        }
        match self.env.import(path) {
            Ok(imported) => Some(imported),
            Err(error) => {
                let bare = error.span.is_none();
                self.report(if bare { error.with_span(span) } else { error });
                None
            }
        }
    }
}

fn unknown_module(name: &str, span: Span, known: &[Rc<str>]) -> Box<diag::Error> {
    let names = known.iter().map(|name| &**name);
    let habit = habit_for_name(name).map(|(_, help)| help.to_string());
    let help = habit
        .or_else(|| did_you_mean(name, names))
        .unwrap_or_else(|| {
            format!("a file is imported by its path: `import \"{name}.par\" as {name}`")
        });
    diag::Error::new(codes::UNKNOWN_MODULE, format!("unknown module `{name}`"))
        .with_span(span)
        .with_label("no standard module has this name")
        .with_help(help)
}

/// The names that a pattern binds, in source order. Patterns nest no deeper than the parser allows.
pub fn names_of<'a>(pattern: &'a Pattern, found: &mut Vec<&'a Ident>) {
    match &pattern.kind {
        PatternKind::Bind(ident) => found.push(ident),
        PatternKind::Ignore | PatternKind::Literal(_) => {}
        PatternKind::List { items, rest } => {
            for item in items {
                names_of(item, found);
            }
            found.extend(rest.iter().flatten());
        }
        PatternKind::Map { entries, rest } => {
            for (_, _, item) in entries {
                names_of(item, found);
            }
            found.extend(rest.iter());
        }
        // What alternatives bind is reported by `check_alternative`; declaring it keeps the body free of further errors.
        PatternKind::Or(items) => {
            if let Some(item) = items.first() {
                names_of(item, found);
            }
        }
    }
}

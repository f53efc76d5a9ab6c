//! Uses of names: what each refers to, and the errors about names that refer to nothing or cannot be used so.

use super::environment::{Earlier, Imported, Member};
use super::expr::Mark;
use super::lost_writes::Access;
use super::scope::{Found, Use, VarId, VarKind};
use super::walk::Checker;
use super::{Mode, Place};
use crate::diag::{self, codes, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Ident};
use crate::syntax::habit_for_name;
use std::rc::Rc;

/// What a name refers to, seen from where it stands.
enum Meaning {
    Var(VarId),
    Import(Option<Rc<Imported>>),
    Builtin,
    TooEarly(VarId),
    Nothing,
}

impl Checker<'_> {
    /// A name where it stands. `around` is the expression that begins with it, when it is a chain.
    pub fn name_use(&mut self, ident: &Ident, around: Option<&Expr>, mark: Mark) {
        match self.meaning(ident) {
            Meaning::Var(id) => {
                self.note_use(ident, id, false);
                self.note_access(ident, id, mark, method_of(around));
            }
            Meaning::Import(imported) => self.import_use(ident, around, imported),
            Meaning::Builtin => {
                self.set_place(ident.id, Place::Builtin(ident.name.clone()));
                self.builtin_member(ident, around);
            }
            Meaning::TooEarly(id) => self.too_early(ident, id),
            Meaning::Nothing => self.unknown(ident, around),
        }
    }

    /// `name = value`, `name += value`.
    pub fn assign_name(&mut self, ident: &Ident, compound: bool) {
        match self.meaning(ident) {
            Meaning::Var(id) => {
                self.note_use(ident, id, true);
                self.note_access(ident, id, Mark::Write, None);
            }
            Meaning::TooEarly(id) => self.too_early(ident, id),
            Meaning::Import(_) => {
                let message = format!("`{}` is a module and cannot be assigned", ident.name);
                self.report(diag::Error::new(codes::ASSIGN_CONST, message).with_span(ident.span));
            }
            Meaning::Builtin | Meaning::Nothing => self.undeclared(ident, compound),
        }
    }

    fn meaning(&mut self, ident: &Ident) -> Meaning {
        let function = self.current();
        let found = self.names.find(&ident.name, function);
        if let Found::Var(id) = found {
            return match &self.names.vars[id].kind {
                VarKind::Import(imported) => Meaning::Import(imported.clone()),
                _ => Meaning::Var(id),
            };
        }
        match self.env.earlier(&ident.name) {
            Some(Earlier::Global { slot, constant }) => {
                let id = self.names.foreign(&ident.name, ident.span, slot, constant);
                return Meaning::Var(id);
            }
            Some(Earlier::Import(imported)) => return Meaning::Import(Some(imported)),
            None => {}
        }
        match found {
            _ if self.env.builtin(&ident.name).is_some() => Meaning::Builtin,
            Found::TooEarly(id) => Meaning::TooEarly(id),
            _ => Meaning::Nothing,
        }
    }

    /// The variable that a name refers to, without any consequence.
    pub fn peek(&self, ident: &Ident) -> Option<VarId> {
        self.names.peek(&ident.name)
    }

    /// Notes which variable a name refers to.
    pub fn note_use(&mut self, ident: &Ident, var: VarId, write: bool) {
        let function = self.current();
        self.names.uses.push(Use {
            node: ident.id,
            var,
            function,
            write,
        });
        if write {
            self.names.vars[var].assigned = true;
        }
    }

    fn note_access(&mut self, ident: &Ident, var: VarId, mark: Mark, method: Option<Rc<str>>) {
        let function = self.current();
        let own = self.facts.assigning == Some(var);
        self.facts.accesses.push(Access {
            var,
            function,
            span: ident.span,
            mark,
            own,
            method,
        });
    }

    /// `shared.ints`: a built-in function may have others below its name.
    fn builtin_member(&mut self, ident: &Ident, around: Option<&Expr>) {
        if let Some(ExprKind::Method { name, .. } | ExprKind::Field { name, .. }) =
            around.map(|expr| &expr.kind)
        {
            let whole = format!("{}.{}", ident.name, name.name);
            if self.env.builtin(&whole).is_some() {
                self.set_place(name.id, Place::Builtin(whole.into()));
            }
        }
    }

    fn import_use(&mut self, ident: &Ident, around: Option<&Expr>, imported: Option<Rc<Imported>>) {
        // An import that failed has been reported; what is made of it is not worth a second report.
        let Some(imported) = imported else { return };
        self.set_place(ident.id, imported.place.clone());
        match around.map(|expr| &expr.kind) {
            Some(ExprKind::Method { name, .. } | ExprKind::Field { name, .. }) => {
                self.member(ident, name, &imported);
            }
            _ => {
                let message = format!("`{}` is a module and no value", ident.name);
                let error = diag::Error::new(codes::MISPLACED, message)
                    .with_span(ident.span)
                    .with_label("a member is expected after it")
                    .with_help(example_member(ident, &imported));
                self.report(error);
            }
        }
    }

    fn member(&mut self, module: &Ident, name: &Ident, imported: &Imported) {
        let found = imported
            .members
            .iter()
            .find(|member| member.name == name.name);
        match found {
            Some(Member {
                slot: Some(slot), ..
            }) => {
                let id = self.names.foreign(&name.name, name.span, *slot, true);
                self.note_use(name, id, false);
            }
            Some(member) => {
                if let Some(params) = member.params {
                    self.facts.native_members.insert(name.id, params);
                }
            }
            None => self.unknown_member(module, name, imported),
        }
    }

    fn unknown_member(&mut self, module: &Ident, name: &Ident, imported: &Imported) {
        let message = format!("`{}` has no `{}`", module.name, name.name);
        let mut error = diag::Error::new(codes::UNKNOWN_MEMBER, message)
            .with_span(name.span)
            .with_label("the module does not offer this name");
        let names = imported.members.iter().map(|member| &*member.name);
        if name.name.starts_with('_') {
            error = error.with_help("names that begin with `_` stay private to their file");
        } else if let Some(help) = did_you_mean(&name.name, names) {
            error = error.with_help(help);
        }
        self.report(error);
    }

    fn too_early(&mut self, ident: &Ident, var: VarId) {
        let declared = self.names.vars[var].span;
        let message = format!("`{}` is used before it is declared", ident.name);
        let error = diag::Error::new(codes::UNKNOWN_NAME, message)
            .with_span(ident.span)
            .with_label("has no value yet")
            .with_other(declared, "declared here")
            .with_help("move the declaration above this line");
        self.report(error);
    }

    fn unknown(&mut self, ident: &Ident, around: Option<&Expr>) {
        if !self.reported.insert(ident.name.clone()) {
            return;
        }
        let habit = habit_for_name(&ident.name);
        let message = match habit {
            Some((message, _)) => String::from(message),
            None => format!("unknown name `{}`", ident.name),
        };
        let help = habit.map(|(_, help)| String::from(help));
        let mut error = diag::Error::new(codes::UNKNOWN_NAME, message)
            .with_span(ident.span)
            .with_label("nothing declares this name");
        if let Some(help) = help.or_else(|| self.help_for(ident, around)) {
            error = error.with_help(help);
        }
        self.report(error);
    }

    fn help_for(&self, ident: &Ident, around: Option<&Expr>) -> Option<String> {
        let modules = self.env.module_names();
        let dotted = matches!(
            around.map(|expr| &expr.kind),
            Some(ExprKind::Method { .. } | ExprKind::Field { .. })
        );
        if dotted && modules.contains(&ident.name) {
            return Some(format!("write `import {}` first", ident.name));
        }
        self.nearest(ident)
    }

    /// "Did you mean" among everything that could stand here.
    fn nearest(&self, ident: &Ident) -> Option<String> {
        let mut names = self.names.visible();
        if self.env.mode() == Mode::Prompt {
            names.extend(self.env.earlier_names());
        }
        names.extend(self.env.builtin_names());
        let plain = names.iter().map(|name| &**name);
        did_you_mean(&ident.name, plain.filter(|name| !name.contains('.')))
    }

    fn undeclared(&mut self, ident: &Ident, compound: bool) {
        let builtin = self.env.builtin(&ident.name).is_some();
        let message = match builtin {
            true => format!("`{}` is built in and cannot be assigned", ident.name),
            false => format!("unknown name `{}`", ident.name),
        };
        let nearest = (!builtin).then(|| self.nearest(ident)).flatten();
        let declare = match compound {
            true => format!("declare it first: `let {} = 0`", ident.name),
            false => format!("a new variable is declared with `let {} = ...`", ident.name),
        };
        let help = match nearest {
            Some(nearest) => format!("{nearest} Otherwise, {declare}"),
            None => declare,
        };
        let error = diag::Error::new(codes::UNKNOWN_NAME, message)
            .with_span(ident.span)
            .with_label("assigned here, but declared nowhere")
            .with_help(help);
        self.report(error);
    }

    /// Reports every assignment to something that keeps its value. Done at the end, when all is known of the variables.
    pub fn check_constants(&mut self) {
        let writes = self.facts.accesses.iter();
        let errors: Vec<Box<diag::Error>> = writes
            .filter(|access| access.mark == Mark::Write)
            .filter_map(|access| self.constant_error(access.var, access.span))
            .collect();
        for error in errors {
            self.report(error);
        }
    }

    fn constant_error(&self, var: VarId, span: Span) -> Option<Box<diag::Error>> {
        let var = &self.names.vars[var];
        let name = &var.name;
        let (what, said, help) = match var.kind {
            VarKind::Variable | VarKind::Import(_) => return None,
            VarKind::Constant => (
                "is a constant",
                "declared as a constant here",
                String::from("declare it with `let` if it has to change"),
            ),
            VarKind::Shared => (
                "holds a shared object",
                "made here",
                format!("change what every process sees: `{name}.value = ...`"),
            ),
            VarKind::Function(_) => (
                "is a function",
                "declared here",
                String::from("a variable can hold a function: `let f = fn(x) { ... }`"),
            ),
            VarKind::Struct => (
                "is a struct",
                "declared here",
                String::from("choose another name for the variable"),
            ),
        };
        let message = format!("`{name}` {what} and cannot be assigned over");
        let error = diag::Error::new(codes::ASSIGN_CONST, message)
            .with_span(span)
            .with_label("assigned here")
            .with_help(help);
        Some(match var.foreign {
            true => error,
            false => error.with_other(var.span, said),
        })
    }
}

/// The method that is called on the name that an expression begins with.
fn method_of(around: Option<&Expr>) -> Option<Rc<str>> {
    match around.map(|expr| &expr.kind) {
        Some(ExprKind::Method { name, .. }) => Some(name.name.clone()),
        _ => None,
    }
}

/// A way to use a module, with one of its own members.
fn example_member(module: &Ident, imported: &Imported) -> String {
    let member = imported.members.first();
    let member = member.map_or("name", |member| &*member.name);
    format!("use one of its members, such as `{}.{member}`", module.name)
}

//! What may stand where: words that leave a loop or a body, the operations of `select`, parameter lists.

use super::Place;
use super::scope::VarKind;
use super::walk::{Checker, Frame};
use crate::diag::{self, codes};
use crate::limits::MAX_ARGUMENTS;
use crate::operator::{BinaryOp, COMMAND_SETTINGS};
use crate::source::Span;
use crate::syntax::ast::{
    Arg, Expr, ExprKind, FnKind, Function, Ident, PatternKind, SpawnWhat, StructDecl,
};

/// The operations that `select` can wait for, and how many arguments they have there.
const OPERATIONS: [(&str, usize); 10] = [
    ("get", 0),
    ("take", 0),
    ("recv", 0),
    ("wait", 0),
    ("result", 0),
    ("join", 0),
    ("put", 1),
    ("send", 1),
    ("readline", 1),
    ("read", 1),
];

impl Checker<'_> {
    /// `break` and `continue` need a loop around them in the same body; the body of a `pool map` is one.
    pub fn check_loop_word(&mut self, word: &str, span: Span) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        if !frame.loops.is_empty() || frame.kind == FnKind::Pool {
            return;
        }
        let outer = self
            .frames
            .iter()
            .rev()
            .find_map(|frame| frame.loops.last());
        let error = match outer {
            None => {
                let message = format!("expected a loop around `{word}`, but there is none");
                let error = diag::Error::new(codes::MISPLACED, message);
                match frame.kind {
                    FnKind::Spawn => error.with_help(help_to_leave(frame)),
                    _ => error,
                }
            }
            Some(&around) => {
                let head = Span {
                    end: around.start + 1,
                    ..around
                };
                diag::Error::new(
                    codes::MISPLACED,
                    format!("`{word}` cannot leave {}", body_name(frame)),
                )
                .with_other(head, "the loop is outside of it")
                .with_help(help_to_leave(frame))
            }
        };
        self.report(error.with_span(span).with_label("not in a loop"));
    }

    pub fn check_return(&mut self, span: Span) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        let (message, help) = match frame.kind {
            FnKind::Defer => (
                "`return` cannot stand in `defer`",
                "what is deferred runs when the function is already being left",
            ),
            _ if frame.id == 0 => (
                "expected a function around `return`, but there is none",
                "`exit()` ends the script",
            ),
            _ => return,
        };
        let error = diag::Error::new(codes::MISPLACED, message)
            .with_span(span)
            .with_label("nothing to return from")
            .with_help(help);
        self.report(error);
    }

    /// A test stands at the top level of a file: what it needs, it declares itself or the file does.
    pub fn check_test(&mut self, span: Span) {
        if self.names.at_top() {
            return;
        }
        let error = diag::Error::new(
            codes::MISPLACED,
            "expected the top level of a file around `test`, but this stands inside of a block",
        )
        .with_span(span)
        .with_label("`par test` would not find this")
        .with_help("move it out of the block");
        self.report(error);
    }

    /// What `spawn` is given without a call is a command; a function by its name is meant to be called.
    pub fn check_spawned(&mut self, command: &Expr) {
        let ExprKind::Name(ident) = &command.kind else {
            return;
        };
        let mut uses = self.names.uses.iter().rev();
        let var = uses.find(|found| found.node == ident.id);
        let kind = var.map(|found| &self.names.vars[found.var].kind);
        let is_function = matches!(kind, Some(VarKind::Function(_)))
            || matches!(self.place(ident.id), Some(Place::Builtin(_)));
        if !is_function {
            return;
        }
        let name = &ident.name;
        let error = diag::Error::new(
            codes::MISPLACED,
            format!(
                "expected a call, a block or a command after `spawn`, found the function `{name}`"
            ),
        )
        .with_span(command.span)
        .with_label("a function has to be called")
        .with_help(format!("write spawn {name}(...)"));
        self.report(error);
    }

    /// ``spawn `a` | `b` `` spawns the first alone, and would then join a process with a command.
    pub fn check_piped(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        let ExprKind::Spawn { what, .. } = &left.kind else {
            return;
        };
        let is_command = match what {
            SpawnWhat::Command(_) => true,
            SpawnWhat::Call { callee, .. } => match &callee.kind {
                ExprKind::Field { name, .. } => COMMAND_SETTINGS.contains(&&*name.name),
                _ => false,
            },
            SpawnWhat::Block(_) => false,
        };
        if !is_command || op != BinaryOp::BitOr {
            return;
        }
        let error = diag::Error::new(
            codes::MISPLACED,
            "expected one command after `spawn`, found a pipeline of several",
        )
        .with_span(right.span)
        .with_label("`spawn` takes the first one only")
        .with_help("give the pipeline a name first: let c = `a` | `b`, then spawn c");
        self.report(error);
    }

    /// A case of `select` waits for one operation of one object.
    pub fn check_operation(&mut self, operation: &Expr) {
        let known = |name: &Ident| {
            let mut all = OPERATIONS.iter();
            Some(all.find(|(known, _)| *known == &*name.name)?.1)
        };
        let found = match &operation.kind {
            ExprKind::Join { options, .. } => Some((&options[..], 0)),
            ExprKind::Method { name, args, .. } => known(name).map(|most| (&args[..], most)),
            _ => None,
        };
        if let Some((args, most)) = found {
            return self.check_operation_arguments(args, most);
        }
        let error = diag::Error::new(
            codes::MISPLACED,
            "expected an operation that can be waited for, found another expression",
        )
        .with_span(operation.span)
        .with_label("`select` cannot wait for this")
        .with_help(
            "a case is `q.get()`, `q.take()`, `q.put(x)`, `r.recv()`, `w.send(x)`, `f.result()`, `p.stdout.readline()` or `join p`",
        );
        self.report(error);
    }

    /// What would say how the operation waits has no place in a case: all cases wait together.
    fn check_operation_arguments(&mut self, args: &[Arg], most: usize) {
        let plain = |arg: &&Arg| arg.name.is_none() && !arg.spread;
        let bad = match args.iter().position(|arg| !plain(&arg)) {
            Some(at) => args.get(at),
            None => args.get(most),
        };
        let Some(arg) = bad else {
            return;
        };
        let error = diag::Error::new(
            codes::MISPLACED,
            "expected an operation of `select` without settings of its own, found one",
        );
        let error = error.with_span(arg.span);
        self.report(error.with_label("all cases wait together").with_help(
            "give the time to `select(timeout: 300ms) { }`, or write a case `after 300ms { }`",
        ));
    }

    /// The order and number of a function's parameters. (Double names are found when they are declared.)
    pub fn check_parameters(&mut self, function: &Function) {
        let params = &function.params;
        if params.len() > MAX_ARGUMENTS {
            self.too_many("parameters", MAX_ARGUMENTS, params.len(), function.span);
        }
        let mut optional = None;
        for (at, param) in params.iter().enumerate() {
            let span = param.pattern.span;
            if param.rest && at + 1 < params.len() {
                let error = diag::Error::new(
                    codes::BAD_PARAMETERS,
                    "the parameter that takes the rest has to be the last one",
                );
                self.report(
                    error
                        .with_span(span)
                        .with_label("nothing is left for the parameters after it"),
                );
            }
            match (&param.default, optional) {
                (Some(_), _) => optional = optional.or(Some(span)),
                (None, Some(first)) if !param.rest => {
                    let error = diag::Error::new(
                        codes::BAD_PARAMETERS,
                        "a parameter without a default cannot follow one that has a default",
                    )
                    .with_span(span)
                    .with_label("needs a default too")
                    .with_other(first, "the first one with a default")
                    .with_help("put the parameters that are always given first");
                    self.report(error);
                    break;
                }
                _ => {}
            }
        }
    }

    /// A method's first parameter is `self`, plain and without a default.
    pub fn check_receiver(&mut self, owner: &StructDecl, name: &Ident, method: &Function) {
        let plain = method.params.first().is_some_and(|param| {
            let named =
                matches!(&param.pattern.kind, PatternKind::Bind(ident) if &*ident.name == "self");
            named && param.default.is_none() && !param.rest
        });
        if plain {
            return;
        }
        let message = format!(
            "the first parameter of the method `{}.{}` has to be `self`",
            owner.name.name, name.name
        );
        let (span, label) = match method.params.first() {
            Some(param) => (param.pattern.span, "expected `self` here"),
            None => (name.span, "has no parameters"),
        };
        let error = diag::Error::new(codes::BAD_PARAMETERS, message)
            .with_span(span)
            .with_label(label)
            .with_help(format!("write `fn {}(self, ...)`", name.name));
        self.report(error);
    }
}

fn body_name(frame: &Frame) -> &'static str {
    match frame.kind {
        FnKind::Spawn => "a `spawn` block",
        FnKind::Pool => "the body of `pool map`",
        FnKind::Defer => "a `defer`",
        FnKind::Test => "a test",
        FnKind::Method => "a method",
        FnKind::Named | FnKind::Lambda => "a function",
    }
}

fn help_to_leave(frame: &Frame) -> &'static str {
    match frame.kind {
        FnKind::Spawn => "the block runs in another process; `return` ends it",
        FnKind::Defer => "what is deferred runs when the function is left",
        _ => "`return` leaves the function",
    }
}

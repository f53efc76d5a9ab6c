//! Named arguments whose names are known beforehand: options of constructs and arguments of built-in functions.

use super::lost_writes::{Sent, SentMethod, Site};
use super::scope::VarKind;
use super::walk::Checker;
use crate::constructs;
use crate::diag::{self, codes, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

impl Checker<'_> {
    /// The options in parentheses after the word of a construct: all of them named.
    pub fn options(&mut self, construct: &str, args: &[Arg]) {
        self.arguments(args);
        self.check_named(construct, args);
        if let Some(arg) = args.iter().find(|arg| arg.name.is_none()) {
            let error = diag::Error::new(
                codes::UNKNOWN_OPTION,
                format!("expected a named option of `{construct}`, found a plain value"),
            );
            let example = constructs::options(construct)
                .first()
                .copied()
                .unwrap_or("timeout");
            self.report(
                error
                    .with_span(arg.span)
                    .with_label("which option is this?")
                    .with_help(format!("name it: `{construct}({example}: ...)`")),
            );
        }
    }

    /// The named arguments of a construct.
    pub fn check_named(&mut self, construct: &str, args: &[Arg]) {
        self.check_names(construct, constructs::options(construct), args);
    }

    /// The options of `spawn` that a program of its own cannot have.
    pub fn check_command_options(&mut self, options: &[Arg]) {
        for name in options.iter().filter_map(|option| option.name.as_ref()) {
            if !["method", "daemon"].contains(&&*name.name) {
                continue;
            }
            let error = diag::Error::new(
                codes::UNKNOWN_OPTION,
                format!("a command that is spawned has no option `{}`", name.name),
            )
            .with_span(name.span)
            .with_label("only processes of Par have it")
            .with_help("a program is no process of Par, and is ended with the process that spawned it; `spawn { cmd.check() }` is a process of Par");
            self.report(error);
        }
    }

    /// The named arguments of a call of a built-in function.
    pub fn check_call(&mut self, callee: &Expr, args: &[Arg]) {
        if let Some(name) = self.builtin_of(callee)
            && let Some(params) = self.env.builtin(&name)
        {
            self.check_params(&name, params, args);
        }
    }

    /// The named arguments of a call of a native member of a module (`random.randint`), or of `shared.ints`.
    pub fn check_member_call(&mut self, name: &Ident, args: &[Arg]) {
        if let Some(params) = self.facts.native_members.get(&name.id) {
            self.check_params(&name.name, params, args);
        } else if let Some(super::Place::Builtin(whole)) = self.place(name.id).cloned()
            && let Some(params) = self.env.builtin(&whole)
        {
            self.check_params(&whole, params, args);
        }
    }

    fn check_params(&mut self, function: &str, params: &[&'static str], args: &[Arg]) {
        if params.iter().any(|param| param.starts_with("**")) {
            return;
        }
        let names = params.iter().filter(|param| !param.starts_with("..."));
        let names: Vec<&str> = names.map(|param| param.trim_end_matches('?')).collect();
        self.check_names(function, &names, args);
    }

    fn check_names(&mut self, what: &str, known: &[&str], args: &[Arg]) {
        for name in args.iter().filter_map(|arg| arg.name.as_ref()) {
            if known.contains(&&*name.name) {
                continue;
            }
            let message = format!("`{what}` has no option `{}`", name.name);
            let help =
                did_you_mean(&name.name, known.iter().copied()).unwrap_or_else(|| list_of(known));
            let error = diag::Error::new(codes::UNKNOWN_OPTION, message)
                .with_span(name.span)
                .with_label("unknown option")
                .with_help(help);
            self.report(error);
        }
    }

    /// What holds for every list of arguments: no name twice, positional ones first, not too many.
    pub fn check_arguments(&mut self, args: &[Arg]) {
        let (Some(first), Some(last)) = (args.first(), args.last()) else {
            return;
        };
        self.check_argument_count(args.len(), first.span.to(last.span));
        let mut named: Vec<&Ident> = Vec::new();
        for arg in args {
            match (&arg.name, named.last()) {
                (Some(name), _) => match named.iter().find(|other| other.name == name.name) {
                    Some(other) => self.given_twice(name, other.span),
                    None => named.push(name),
                },
                (None, Some(before)) => {
                    let error = diag::Error::new(
                        codes::BAD_PARAMETERS,
                        "arguments without a name have to come before those with a name",
                    )
                    .with_span(arg.span)
                    .with_label("has no name")
                    .with_other(before.span, "has a name");
                    self.report(error);
                    return;
                }
                (None, None) => {}
            }
        }
    }

    fn given_twice(&mut self, name: &Ident, first: Span) {
        let message = format!("`{}` is given twice", name.name);
        let error = diag::Error::new(codes::BAD_PARAMETERS, message)
            .with_span(name.span)
            .with_label("given again here")
            .with_other(first, "first given here");
        self.report(error);
    }

    /// Notes that a function or method is called in another process.
    pub fn runs_elsewhere(&mut self, function: &Expr, span: Span) {
        let (ident, method) = match &function.kind {
            ExprKind::Name(ident) => (ident, None),
            ExprKind::Field { object, name } => match &object.kind {
                ExprKind::Name(ident) => (ident, Some(name)),
                _ => return,
            },
            _ => return,
        };
        let mut uses = self.names.uses.iter().rev();
        let Some(found) = uses.find(|found| found.node == ident.id) else {
            return;
        };
        let var = found.var;
        let loops = self.frames.last().and_then(|frame| frame.loops.first());
        let site = Site {
            function: self.current(),
            span,
            loop_start: loops.map(|span| span.start),
        };
        match method {
            Some(method) => self.facts.sent_methods.push(SentMethod {
                var,
                method: method.clone(),
                site,
            }),
            None if matches!(self.names.vars[var].kind, VarKind::Function(_)) => {
                let node = ident.id;
                self.facts.sent.push(Sent { node, site });
            }
            None => {}
        }
    }
}

fn list_of(known: &[&str]) -> String {
    match known {
        [] => String::from("it takes no named arguments"),
        [only] => format!("the only one is `{only}`"),
        _ => {
            let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("its options are {}", quoted.join(", "))
        }
    }
}

//! Warnings of commands that nothing runs: as a statement, as a condition, in a text, and methods that are named and not called; and of
//! conditions that are always true, because they ask for how a command ended and not whether well.

use super::walk::Checker;
use crate::diag::{self, codes};
use crate::operator::{BinaryOp, COMMAND_SETTINGS};
use crate::syntax::ast::{Expr, ExprKind, Stmt, StmtKind};

/// The methods that run a command.
const RUNS: [&str; 9] = [
    "bytes", "capture", "check", "json", "lines", "run", "spawn", "start", "text",
];

impl Checker<'_> {
    /// Warns of commands that stand as statements: what is made there is thrown away, and nothing has run.
    pub fn idle_commands<'s>(&mut self, statements: impl IntoIterator<Item = &'s Stmt>) {
        for stmt in statements {
            let StmtKind::Expr(expr) = &stmt.kind else {
                continue;
            };
            if self.is_command(expr) {
                let help = "`.check()` runs it and raises when it fails, `.run()` gives how it ended, `.text()` its output, `spawn` goes on meanwhile";
                self.idle(expr, "it is made and thrown away", help);
            } else {
                self.uncalled(expr);
            }
        }
    }

    /// Warns of a command where only its truth counts: a value that is always true.
    pub fn truth_of_command(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Paren(inner) => self.truth_of_command(inner),
            ExprKind::Logic { right, .. } => self.truth_of_command(right),
            _ if self.is_command(expr) => {
                let help = "`.run().ok` runs it and is true when it succeeds";
                self.idle(expr, "a command itself is always true", help);
            }
            _ if self.is_outcome(expr) => self.always_true(expr),
            ExprKind::Field { object, name }
                if &*name.name == "code" && self.is_outcome(object) =>
            {
                self.always_true(expr);
            }
            _ => self.uncalled(expr),
        }
    }

    /// Warns of a command in a text.
    pub fn command_in_text(&mut self, expr: &Expr) {
        if self.is_command(expr) {
            let help = "`.text().strip()` runs it and gives its output";
            self.idle(expr, "this shows the command itself", help);
        } else {
            self.uncalled(expr);
        }
    }

    /// Warns of a method that would run a command and is not called.
    pub fn uncalled(&mut self, expr: &Expr) {
        if let ExprKind::Field { object, name } = &expr.kind
            && RUNS.contains(&&*name.name)
            && self.is_command(object)
        {
            let label = "this is the method itself: it is not called";
            self.idle(expr, label, &format!("write .{}()", name.name));
        }
    }

    fn always_true(&mut self, expr: &Expr) {
        let label = "0 is true as well, and so is any map";
        let warning = diag::Error::new(codes::ALWAYS_TRUE, "this condition is always true")
            .with_span(expr.span)
            .with_label(label)
            .with_help("`.ok` is true when the command has succeeded: `...`.run().ok");
        self.facts.warnings.push(*warning);
    }

    /// Whether it is how a command ended: a map.
    fn is_outcome(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Method { receiver, name, .. } => {
                matches!(&*name.name, "run" | "capture") && self.is_command(receiver)
            }
            ExprKind::Paren(inner) => self.is_outcome(inner),
            _ => false,
        }
    }

    fn idle(&mut self, expr: &Expr, label: &str, help: &str) {
        let warning = diag::Error::new(codes::IDLE_COMMAND, "nothing runs this command")
            .with_span(expr.span)
            .with_label(label)
            .with_help(help);
        self.facts.warnings.push(*warning);
    }

    fn is_command(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Command(_) => true,
            ExprKind::Binary {
                op: BinaryOp::BitOr,
                left,
                ..
            } => self.is_command(left),
            ExprKind::Method { receiver, name, .. } => {
                COMMAND_SETTINGS.contains(&&*name.name) && self.is_command(receiver)
            }
            ExprKind::Paren(inner) => self.is_command(inner),
            ExprKind::Call { callee, .. } => self.builtin_of(callee).as_deref() == Some("sh"),
            _ => false,
        }
    }
}

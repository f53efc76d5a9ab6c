//! Expressions with blocks, and those that have to do with processes.

use super::Builder;
use crate::diag::{Error, codes};
use crate::operator::COMMAND_SETTINGS;
use crate::syntax::ast::*;
use crate::syntax::token::Doc;

impl Builder<'_> {
    // ------------------------------------------------------------ constructs

    /// `if condition { } else { }`.
    pub fn if_(
        &mut self,
        condition: Expr,
        then: Block,
        otherwise: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::If {
            condition: Box::new(condition),
            then,
            otherwise,
        };
        self.expr(kind, start, end)
    }

    /// `if condition { } else if ...`.
    pub fn else_if(
        &mut self,
        condition: Expr,
        then: Block,
        otherwise: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        let otherwise = self.block_of(otherwise);
        self.if_(condition, then, Some(otherwise), start, end)
    }

    /// `match subject { case ... }`.
    pub fn match_(
        &mut self,
        subject: Expr,
        cases: Vec<MatchCase>,
        otherwise: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::Match {
            subject: Box::new(subject),
            cases,
            otherwise,
        };
        self.expr(kind, start, end)
    }

    /// `case pattern if guard { }`.
    pub fn case(&mut self, pattern: Pattern, guard: Option<Expr>, body: Block) -> MatchCase {
        MatchCase {
            pattern,
            guard,
            body,
        }
    }

    /// `try { } catch ... finally { }`.
    pub fn try_(
        &mut self,
        body: Block,
        catches: Vec<Catch>,
        finally: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::Try {
            body,
            catches,
            finally,
        };
        self.expr(kind, start, end)
    }

    /// `try { } finally { }`.
    pub fn try_finally(&mut self, body: Block, finally: Block, start: u32, end: u32) -> Expr {
        self.try_(body, Vec::new(), Some(finally), start, end)
    }

    /// `catch name: Kind { }`.
    pub fn catch(&mut self, name: Option<Ident>, kinds: Vec<Ident>, body: Block) -> Catch {
        Catch { name, kinds, body }
    }

    /// `do { }`.
    pub fn do_(&mut self, body: Block, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::Do(body), start, end)
    }

    /// `with e as name { }`.
    pub fn with(
        &mut self,
        items: Vec<(Expr, Option<Ident>)>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        self.expr(ExprKind::With { items, body }, start, end)
    }

    // ------------------------------------------------------------ processes

    /// `spawn(options) f(args)`, or `spawn(options) c` of a command that has a name.
    pub fn spawn_call(
        &mut self,
        options: Option<Vec<Arg>>,
        path: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        let span = path.span;
        let (callee, args) = match path.kind {
            ExprKind::Call { callee, args } => (callee, args),
            ExprKind::Method {
                receiver,
                name,
                args,
            } => {
                let span = receiver.span.to(name.span);
                let kind = ExprKind::Field {
                    object: receiver,
                    name,
                };
                (Box::new(Expr { kind, span }), args)
            }
            kind => {
                let path = Expr { kind, span };
                if has_call(&path, true) {
                    self.spawned_without_call(&path);
                    return path;
                }
                return self.spawn_command(options, path, start, end);
            }
        };
        if has_call(&callee, false) {
            let error = Error::new(
                codes::UNEXPECTED,
                "expected a name and one argument list after `spawn`, found a call of a call",
            );
            let error = error
                .with_span(callee.span)
                .with_label("this call would run here");
            self.error(
                error.with_help("give its result a name first, or spawn a block: spawn { ... }"),
            );
        }
        let what = SpawnWhat::Call { callee, args };
        self.spawn(options, what, start, end)
    }

    fn spawned_without_call(&mut self, path: &Expr) {
        let text = self.source.slice(path.span);
        let error = Error::new(
            codes::UNEXPECTED,
            format!("expected a call, a block or a command after `spawn`, found `{text}`"),
        );
        let help = "to use the process at once, put spawn in parentheses: (spawn f(x)).pid";
        self.error(error.with_span(path.span).with_help(help));
    }

    /// `spawn(options) { }`.
    pub fn spawn_block(
        &mut self,
        options: Option<Vec<Arg>>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        let span = body.span;
        let function = self.function(
            FnKind::Spawn,
            None,
            (Vec::new(), body),
            Doc::default(),
            span,
        );
        self.spawn(options, SpawnWhat::Block(function), start, end)
    }

    /// `` spawn `command` ``, or of a name that has one.
    pub fn spawn_command(
        &mut self,
        options: Option<Vec<Arg>>,
        command: Expr,
        start: u32,
        end: u32,
    ) -> Expr {
        self.spawn(options, SpawnWhat::Command(Box::new(command)), start, end)
    }

    fn spawn(&mut self, options: Option<Vec<Arg>>, what: SpawnWhat, start: u32, end: u32) -> Expr {
        let options = options.unwrap_or_default();
        self.expr(ExprKind::Spawn { options, what }, start, end)
    }

    /// `lock(args)`: a call of the function `lock`.
    pub fn lock_call(&mut self, args: Vec<Arg>, start: u32, end: u32) -> Expr {
        let word = self.ident("lock".into(), start, start + 4);
        let callee = Box::new(self.name(word));
        self.expr(ExprKind::Call { callee, args }, start, end)
    }

    /// `lock(options) a, b { }`.
    pub fn lock(
        &mut self,
        options: Option<Vec<Arg>>,
        locks: Vec<Expr>,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        let options = options.unwrap_or_default();
        let kind = ExprKind::Lock {
            options,
            locks,
            body,
        };
        self.expr(kind, start, end)
    }

    /// `scope(options) { }`.
    pub fn scope(&mut self, options: Option<Vec<Arg>>, body: Block, start: u32, end: u32) -> Expr {
        let options = options.unwrap_or_default();
        self.expr(ExprKind::Scope { options, body }, start, end)
    }

    /// `select(options) { case ... after ... else ... }`.
    pub fn select(
        &mut self,
        options: Option<Vec<Arg>>,
        cases: Vec<SelectCase>,
        after: Option<(Expr, Block)>,
        otherwise: Option<Block>,
        start: u32,
        end: u32,
    ) -> Expr {
        let kind = ExprKind::Select {
            options: options.unwrap_or_default(),
            cases,
            after: after.map(Box::new),
            otherwise,
        };
        self.expr(kind, start, end)
    }

    /// `case pattern = operation { }`.
    pub fn select_case(
        &mut self,
        pattern: Option<Pattern>,
        operation: Expr,
        body: Block,
    ) -> SelectCase {
        SelectCase {
            pattern,
            operation,
            body,
        }
    }

    /// `pool map(options) patterns in iterable { }`.
    pub fn pool_map(
        &mut self,
        options: Option<Vec<Arg>>,
        mut patterns: Vec<Pattern>,
        iterable: Expr,
        body: Block,
        start: u32,
        end: u32,
    ) -> Expr {
        self.check_for_patterns(&patterns);
        let span = body.span;
        let pairs = patterns.len() > 1;
        let around = match (patterns.first(), patterns.last()) {
            (Some(first), Some(last)) => self.span(first.span.start, last.span.end),
            _ => span,
        };
        let pattern = match patterns.pop() {
            Some(only) if !pairs => only,
            last => {
                patterns.extend(last);
                let kind = PatternKind::List {
                    items: patterns,
                    rest: None,
                };
                Pattern { kind, span: around }
            }
        };
        let param = self.param(pattern, None);
        let body = self.function(
            FnKind::Pool,
            None,
            (vec![param], body),
            Doc::default(),
            span,
        );
        let kind = ExprKind::PoolMap {
            options: options.unwrap_or_default(),
            pairs,
            iterable: Box::new(iterable),
            body,
        };
        self.expr(kind, start, end)
    }

    /// `pool map(f, xs, options)`.
    pub fn pool_call(&mut self, args: Vec<Arg>, start: u32, end: u32) -> Expr {
        self.expr(ExprKind::PoolCall { args }, start, end)
    }
}

/// Whether a callee has a call in it, which would be evaluated in the spawning process. That of a setting of a command is, and
/// that of `sh`, which makes one, where that is not asked for (`of_shell`).
fn has_call(callee: &Expr, of_shell: bool) -> bool {
    match &callee.kind {
        ExprKind::Method { receiver, name, .. } if COMMAND_SETTINGS.contains(&&*name.name) => {
            has_call(receiver, of_shell)
        }
        ExprKind::Call { callee, .. } if is_name(callee, "sh") => of_shell,
        ExprKind::Call { .. } | ExprKind::Method { .. } => true,
        ExprKind::Field { object, .. } | ExprKind::Index { object, .. } => {
            has_call(object, of_shell)
        }
        _ => false,
    }
}

fn is_name(expr: &Expr, name: &str) -> bool {
    matches!(&expr.kind, ExprKind::Name(found) if *found.name == *name)
}

//! The tree as indented text, for `--dump ast`: a line for each node with what it is and where it starts.

use super::ast::*;
use crate::source::{Source, Span};

/// The tree of a module.
pub fn tree(source: &Source, module: &Module) -> String {
    let mut printer = Printer {
        source,
        out: String::new(),
        depth: 0,
    };
    for stmt in &module.body {
        printer.stmt(stmt);
    }
    printer.out
}

struct Printer<'s> {
    source: &'s Source,
    out: String,
    depth: usize,
}

impl Printer<'_> {
    /// A line without a place.
    fn line(&mut self, text: &str) {
        self.out.push_str(&"  ".repeat(self.depth));
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A line with its place.
    fn node(&mut self, text: &str, span: Span) {
        let (line, column) = self.source.line_column(span.start);
        self.line(&format!("{text} {line}:{column}"));
    }

    /// What is printed by `inner` stands one level deeper.
    fn inside(&mut self, inner: impl FnOnce(&mut Self)) {
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    /// A part with a name of its own.
    fn part(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        self.line(name);
        self.inside(inner);
    }

    fn block(&mut self, name: &str, block: &Block) {
        self.part(name, |p| block.body.iter().for_each(|stmt| p.stmt(stmt)));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Let {
                pattern,
                value,
                constant,
            } => {
                self.node(if *constant { "const" } else { "let" }, span);
                self.inside(|p| {
                    p.pattern(pattern);
                    p.exprs(value);
                });
            }
            StmtKind::Shared { name, value } => {
                self.node(&format!("shared {}", name.name), span);
                self.inside(|p| p.expr(value));
            }
            StmtKind::Fn { function, .. } => self.function(function),
            StmtKind::Struct(decl) => self.structure(decl, span),
            StmtKind::Import { path, name } => {
                let path = match path {
                    ImportPath::File(path, _) => format!("{path:?}"),
                    ImportPath::Standard(path, _) => path.to_string(),
                };
                self.node(&format!("import {path} as {}", name.name), span);
            }
            StmtKind::Assign { target, value } => self.exprs_of("assign", span, [target, value]),
            StmtKind::Compound {
                op, target, value, ..
            } => self.exprs_of(&format!("assign {}=", op.text()), span, [target, value]),
            StmtKind::While { condition, body } => {
                self.exprs_of("while", span, [condition]);
                self.inside(|p| p.block("body", body));
            }
            StmtKind::For {
                patterns,
                iterable,
                body,
            } => {
                self.node("for", span);
                self.inside(|p| {
                    patterns.iter().for_each(|pattern| p.pattern(pattern));
                    p.part("in", |p| p.expr(iterable));
                    p.block("body", body);
                });
            }
            StmtKind::Return(value) => self.exprs_of("return", span, value),
            StmtKind::Break => self.node("break", span),
            StmtKind::Continue => self.node("continue", span),
            StmtKind::Throw(value) => self.exprs_of("throw", span, [value]),
            StmtKind::Defer(function) | StmtKind::Test { function, .. } => self.function(function),
            StmtKind::Expr(expr) => self.expr(expr),
        }
    }

    fn structure(&mut self, decl: &StructDecl, span: Span) {
        self.node(&format!("struct {}", decl.name.name), span);
        self.inside(|p| {
            for field in &decl.fields {
                p.node(&format!("field {}", field.name.name), field.name.span);
                p.inside(|p| p.exprs(&field.default));
            }
            decl.methods
                .iter()
                .for_each(|(_, method)| p.function(method));
        });
    }

    fn function(&mut self, function: &Function) {
        let kind = match function.kind {
            FnKind::Named | FnKind::Lambda => "fn",
            FnKind::Method => "method",
            FnKind::Spawn => "spawned body",
            FnKind::Pool => "pool body",
            FnKind::Defer => "defer",
            FnKind::Test => "test",
        };
        let name = function
            .name
            .as_ref()
            .map_or(String::new(), |name| format!(" {name}"));
        self.node(&format!("{kind}{name} #{}", function.id), function.span);
        self.inside(|p| {
            for param in &function.params {
                p.part(if param.rest { "rest" } else { "parameter" }, |p| {
                    p.pattern(&param.pattern);
                    p.exprs(&param.default);
                });
            }
            p.block("body", &function.body);
        });
    }

    fn pattern(&mut self, pattern: &Pattern) {
        let span = pattern.span;
        match &pattern.kind {
            PatternKind::Bind(name) => self.node(&format!("bind {} %{}", name.name, name.id), span),
            PatternKind::Ignore => self.node("ignore", span),
            PatternKind::Literal(literal) => self.exprs_of("equals", span, [&**literal]),
            PatternKind::List { items, rest } => {
                self.node("list pattern", span);
                self.inside(|p| {
                    items.iter().for_each(|item| p.pattern(item));
                    if let Some(rest) = rest {
                        p.line(&format!(
                            "...{}",
                            rest.as_ref().map_or("", |name| &name.name)
                        ));
                    }
                });
            }
            PatternKind::Map { entries, rest } => {
                self.node("map pattern", span);
                self.inside(|p| {
                    for (key, _, pattern) in entries {
                        p.part(&format!("key {key:?}"), |p| p.pattern(pattern));
                    }
                    if let Some(name) = rest {
                        p.line(&format!("...{}", name.name));
                    }
                });
            }
            PatternKind::Or(all) => {
                self.node("one of", span);
                self.inside(|p| all.iter().for_each(|pattern| p.pattern(pattern)));
            }
        }
    }

    fn exprs<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>) {
        all.into_iter().for_each(|expr| self.expr(expr));
    }

    fn exprs_of<'e>(&mut self, text: &str, span: Span, all: impl IntoIterator<Item = &'e Expr>) {
        self.node(text, span);
        self.inside(|p| p.exprs(all));
    }

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            match (&arg.name, arg.spread) {
                (Some(name), _) => self.part(&format!("{}:", name.name), |p| p.expr(&arg.value)),
                (None, true) => self.part("...", |p| p.expr(&arg.value)),
                (None, false) => self.expr(&arg.value),
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Nil => self.node("nil", span),
            ExprKind::Bool(value) => self.node(&value.to_string(), span),
            ExprKind::Int(value) => self.node(&format!("int {value}"), span),
            ExprKind::Float(value) => self.node(&format!("float {value:?}"), span),
            ExprKind::Str(value) => self.node(&format!("str {value:?}"), span),
            ExprKind::Bytes(value) => {
                self.node(&format!("bytes b\"{}\"", value.escape_ascii()), span)
            }
            ExprKind::Interpolation(pieces) => self.pieces("interpolation", pieces, span),
            ExprKind::Command(words) => self.command(words, span),
            ExprKind::Name(name) => self.node(&format!("name {} %{}", name.name, name.id), span),
            ExprKind::List(items) => {
                self.node("list", span);
                self.inside(|p| {
                    for item in items {
                        match item {
                            Element::Value(value) => p.expr(value),
                            Element::Spread(value) => p.part("...", |p| p.expr(value)),
                        }
                    }
                });
            }
            ExprKind::Map(entries) => self.map(entries, span),
            ExprKind::Comprehension(parts) => self.comprehension(parts, span),
            ExprKind::Range {
                start,
                end,
                inclusive,
            } => {
                self.node(if *inclusive { "range ..=" } else { "range .." }, span);
                self.inside(|p| {
                    p.exprs(start.as_deref());
                    p.exprs(end.as_deref());
                });
            }
            ExprKind::Fn(function) => self.function(function),
            ExprKind::Unary { op, operand } => {
                self.exprs_of(&format!("unary {op:?}").to_lowercase(), span, [&**operand]);
            }
            ExprKind::Binary {
                op, left, right, ..
            } => self.exprs_of(op.text(), span, [&**left, &**right]),
            ExprKind::Logic { op, left, right } => {
                self.exprs_of(&format!("{op:?}").to_lowercase(), span, [&**left, &**right]);
            }
            ExprKind::Rescue { body, fallback } => {
                self.exprs_of("rescue", span, [&**body, &**fallback])
            }
            ExprKind::Field { object, name } => {
                self.exprs_of(&format!("field {}", name.name), span, [&**object]);
            }
            ExprKind::Index { object, index } => {
                self.exprs_of("index", span, [&**object, &**index])
            }
            ExprKind::Paren(inner) => self.exprs_of("paren", span, [&**inner]),
            _ => self.construct(expr),
        }
    }

    fn command(&mut self, words: &[Word], span: Span) {
        self.node("command", span);
        self.inside(|p| {
            for word in words {
                let text = match (word.home, word.spreads) {
                    (true, _) => "word ~",
                    (_, true) => "words",
                    _ => "word",
                };
                p.pieces(text, &word.parts, span);
            }
        });
    }

    fn pieces(&mut self, text: &str, pieces: &[Piece], span: Span) {
        self.node(text, span);
        self.inside(|p| {
            for piece in pieces {
                match piece {
                    Piece::Text(text) => p.line(&format!("text {text:?}")),
                    Piece::Expr(expr) => p.expr(expr),
                }
            }
        });
    }

    fn map(&mut self, entries: &[MapEntry], span: Span) {
        self.node("map", span);
        self.inside(|p| {
            for entry in entries {
                match entry {
                    MapEntry::Pair(key, value) => p.part("pair", |p| p.exprs([key, value])),
                    MapEntry::Short(name) => p.line(&format!("short {} %{}", name.name, name.id)),
                    MapEntry::Spread(value) => p.part("...", |p| p.expr(value)),
                }
            }
        });
    }

    fn comprehension(&mut self, parts: &Comprehension, span: Span) {
        self.node("comprehension", span);
        self.inside(|p| {
            p.expr(&parts.element);
            parts.patterns.iter().for_each(|pattern| p.pattern(pattern));
            p.part("in", |p| p.expr(&parts.iterable));
            if let Some(condition) = &parts.condition {
                p.part("if", |p| p.expr(condition));
            }
        });
    }

    /// Calls, and expressions with blocks.
    fn construct(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Call { callee, args } => {
                self.exprs_of("call", span, [&**callee]);
                self.inside(|p| p.args(args));
            }
            ExprKind::Method {
                receiver,
                name,
                args,
            } => {
                self.exprs_of(&format!("method {}", name.name), span, [&**receiver]);
                self.inside(|p| p.args(args));
            }
            ExprKind::PoolCall { args } => {
                self.node("pool map", span);
                self.inside(|p| p.args(args));
            }
            ExprKind::If {
                condition,
                then,
                otherwise,
            } => {
                self.exprs_of("if", span, [&**condition]);
                self.inside(|p| {
                    p.block("then", then);
                    otherwise.iter().for_each(|block| p.block("else", block));
                });
            }
            ExprKind::Match {
                subject,
                cases,
                otherwise,
            } => {
                self.exprs_of("match", span, [&**subject]);
                self.inside(|p| p.cases(cases, otherwise.as_ref()));
            }
            ExprKind::Try {
                body,
                catches,
                finally,
            } => {
                self.node("try", span);
                self.inside(|p| p.tried(body, catches, finally.as_ref()));
            }
            ExprKind::Do(body) => {
                self.node("do", span);
                self.inside(|p| p.block("body", body));
            }
            ExprKind::With { items, body } => {
                self.node("with", span);
                self.inside(|p| {
                    for (value, name) in items {
                        let name = name.as_ref().map_or("", |name| &name.name);
                        p.part(&format!("as {name}"), |p| p.expr(value));
                    }
                    p.block("body", body);
                });
            }
            _ => self.process(expr),
        }
    }

    fn cases(&mut self, cases: &[MatchCase], otherwise: Option<&Block>) {
        for case in cases {
            self.part("case", |p| {
                p.pattern(&case.pattern);
                if let Some(guard) = &case.guard {
                    p.part("if", |p| p.expr(guard));
                }
                p.block("body", &case.body);
            });
        }
        otherwise
            .into_iter()
            .for_each(|block| self.block("else", block));
    }

    fn tried(&mut self, body: &Block, catches: &[Catch], finally: Option<&Block>) {
        self.block("body", body);
        for catch in catches {
            let name = catch.name.as_ref().map_or("", |name| &name.name);
            let kinds: Vec<&str> = catch.kinds.iter().map(|kind| &*kind.name).collect();
            self.block(&format!("catch {name}: {}", kinds.join(", ")), &catch.body);
        }
        finally
            .into_iter()
            .for_each(|block| self.block("finally", block));
    }

    /// The constructs that have to do with processes.
    fn process(&mut self, expr: &Expr) {
        let (span, kind) = (expr.span, &expr.kind);
        let (text, options): (&str, &[Arg]) = match kind {
            ExprKind::Spawn { options, .. } => ("spawn", options),
            ExprKind::Join { options, .. } => ("join", options),
            ExprKind::Lock { options, .. } => ("lock", options),
            ExprKind::Scope { options, .. } => ("scope", options),
            ExprKind::Select { options, .. } => ("select", options),
            ExprKind::PoolMap { options, .. } => ("pool map", options),
            _ => ("expression", &[]),
        };
        self.node(text, span);
        self.depth += 1;
        if !options.is_empty() {
            self.part("options", |p| p.args(options));
        }
        match kind {
            ExprKind::Spawn { what, .. } => match what {
                SpawnWhat::Call { callee, args } => {
                    self.expr(callee);
                    self.args(args);
                }
                SpawnWhat::Block(function) => self.function(function),
                SpawnWhat::Command(command) => self.expr(command),
            },
            ExprKind::Join { target, .. } => self.expr(target),
            ExprKind::Lock { locks, body, .. } => {
                self.exprs(locks);
                self.block("body", body);
            }
            ExprKind::Scope { body, .. } => self.block("body", body),
            ExprKind::Select {
                cases,
                after,
                otherwise,
                ..
            } => {
                for case in cases {
                    self.part("case", |p| {
                        case.pattern.iter().for_each(|pattern| p.pattern(pattern));
                        p.expr(&case.operation);
                        p.block("body", &case.body);
                    });
                }
                if let Some(after) = after {
                    self.part("after", |p| p.expr(&after.0));
                    self.block("body", &after.1);
                }
                otherwise.iter().for_each(|block| self.block("else", block));
            }
            ExprKind::PoolMap { iterable, body, .. } => {
                self.part("in", |p| p.expr(iterable));
                self.function(body);
            }
            _ => {}
        }
        self.depth -= 1;
    }
}

#[cfg(test)]
mod tests {
    use crate::source::{Source, SourceId};

    #[test]
    fn a_tree_shows_what_was_understood() {
        let source = Source::new(
            SourceId(0),
            "",
            "let p = spawn(name: \"a\") f(1)\nprint(-2 ** 2, join p + 1)",
        );
        let module = crate::syntax::parse(&source).unwrap();
        let expected = "\
let 1:1
  bind p %0 1:5
  spawn 1:9
    options
      name:
        str \"a\" 1:21
    name f %2 1:26
    int 1 1:28
call 2:1
  name print %3 2:1
  unary neg 2:7
    ** 2:8
      int 2 2:8
      int 2 2:13
  + 2:16
    join 2:16
      name p %4 2:21
    int 1 2:25
";
        assert_eq!(super::tree(&source, &module), expected);
    }
}

//! The abstract syntax tree: what the grammar builds, the checker resolves and the compiler reads.
//!
//! Every name (a use or a declaration) has a [`NodeId`], every function-like body (functions, methods, spawn blocks,
//! pool bodies, spawned calls excepted) a [`FnId`]; the checker answers questions about them in side tables, so the tree
//! itself never changes. Statements that yield a value as the last of a block (`if`, `match`, `try`, `do`, `lock`, `with`,
//! `select`, `scope`) are expressions here; the grammar decides where each may stand.

// The fields of variants are named for the parts of the source that their variant's line shows.
#![allow(missing_docs)]

pub use crate::operator::{BinaryOp, UnaryOp};
use crate::source::Span;
use std::rc::Rc;

/// Numbers the names of one module, densely from 0.
pub type NodeId = u32;
/// Numbers the function-like bodies of one module, densely from 1; 0 is the module's own body.
pub type FnId = u32;

/// One parsed file, line or command-line text.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its statements.
    pub body: Vec<Stmt>,
    /// How many [`NodeId`]s the module uses.
    pub node_count: u32,
    /// How many [`FnId`]s the module uses, the body (0) counted.
    pub fn_count: u32,
    /// The whole text.
    pub span: Span,
}

impl Module {
    /// The tests of the module: name and place of each, in the order of the text.
    pub fn tests(&self) -> impl Iterator<Item = (&Rc<str>, Span)> {
        self.body.iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Test { name, .. } => Some((name, stmt.span)),
            _ => None,
        })
    }

    /// Makes one of its tests what the module does last, and drops the others.
    pub fn keep_test(&mut self, index: usize) {
        let is_test = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Test { .. });
        let (tests, mut body): (Vec<Stmt>, Vec<Stmt>) = self.body.drain(..).partition(is_test);
        if let Some(stmt) = tests.into_iter().nth(index)
            && let StmtKind::Test { function, .. } = stmt.kind
        {
            let span = stmt.span;
            let kind = ExprKind::Fn(function);
            let callee = Box::new(Expr { kind, span });
            let args = Vec::new();
            let kind = ExprKind::Call { callee, args };
            let kind = StmtKind::Expr(Expr { kind, span });
            body.push(Stmt { kind, span });
        }
        self.body = body;
    }
}

/// A name where it stands.
#[derive(Debug, Clone)]
pub struct Ident {
    /// The name.
    pub name: Rc<str>,
    /// Its place.
    pub span: Span,
    /// Its number.
    pub id: NodeId,
}

/// A statement.
#[derive(Debug, Clone)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Debug, Clone)]
pub enum StmtKind {
    /// `let pattern = value`, `const pattern = value`; without a value the variable is nil.
    Let {
        pattern: Pattern,
        value: Option<Expr>,
        constant: bool,
    },
    /// `shared name = value`.
    Shared { name: Ident, value: Expr },
    /// `fn name(...) { ... }`.
    Fn { name: Ident, function: Rc<Function> },
    /// `struct Name { ... }`.
    Struct(StructDecl),
    /// `import "path" as name`, `import name`, `import name as other`.
    Import { path: ImportPath, name: Ident },
    /// `test "name" { ... }`: runs under `par test` only.
    Test {
        name: Rc<str>,
        function: Rc<Function>,
    },
    /// `target = value`; the target is a name, a field or an index (a pattern of these in brackets is [`ExprKind::List`]).
    Assign { target: Expr, value: Expr },
    /// `target += value` and its kin.
    Compound {
        op: BinaryOp,
        op_span: Span,
        target: Expr,
        value: Expr,
    },
    /// `while condition { ... }`.
    While { condition: Expr, body: Block },
    /// `for pattern in iterable { ... }`, `for k, v in iterable { ... }` (one or two patterns).
    For {
        patterns: Vec<Pattern>,
        iterable: Expr,
        body: Block,
    },
    /// `return value`.
    Return(Option<Expr>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `throw value`.
    Throw(Expr),
    /// `defer expression` (or a block: `defer { ... }` is a [`ExprKind::Do`]); runs when the function is left.
    Defer(Rc<Function>),
    /// An expression for its effect, or as the value of its block.
    Expr(Expr),
}

/// Where an import comes from.
#[derive(Debug, Clone)]
pub enum ImportPath {
    /// A file, relative to the importing one.
    File(Rc<str>, Span),
    /// A standard module.
    Standard(Rc<str>, Span),
}

/// Statements in braces.
#[derive(Debug, Clone)]
pub struct Block {
    /// The statements; the value of the block is that of the last, when it is an expression.
    pub body: Vec<Stmt>,
    /// From brace to brace.
    pub span: Span,
}

/// `struct Name { fields and methods }`.
#[derive(Debug, Clone)]
pub struct StructDecl {
    /// Its name.
    pub name: Ident,
    /// The number of the body that makes an instance: its parameters are the fields, and the defaults are evaluated in it.
    pub constructor: FnId,
    /// Fields in order.
    pub fields: Vec<FieldDecl>,
    /// Methods; the first parameter is the receiver (`self`).
    pub methods: Vec<(Ident, Rc<Function>)>,
    /// The text of its `##` comments.
    pub doc: Option<Rc<str>>,
}

/// A field of a struct.
#[derive(Debug, Clone)]
pub struct FieldDecl {
    /// Its name.
    pub name: Ident,
    /// Its default, evaluated at each construction.
    pub default: Option<Expr>,
}

/// Why a function-like body exists: decides what may stand in it and how its captures behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FnKind {
    /// `fn name(...) { }`.
    Named,
    /// `fn(...) { }` or `fn(...) => e`.
    Lambda,
    /// A function in a struct.
    Method,
    /// `spawn { }`: runs in another process, captures are a snapshot.
    Spawn,
    /// The body of a `pool map` block: runs in other processes, captures are a snapshot.
    Pool,
    /// `defer`: runs in this process when the enclosing function is left.
    Defer,
    /// `test "name" { }`: runs in a process of its own, behind the module's body.
    Test,
}

/// A function-like body.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its number.
    pub id: FnId,
    /// Why it exists.
    pub kind: FnKind,
    /// Its name (for traces), when it has one.
    pub name: Option<Rc<str>>,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Its body; the last expression is the result.
    pub body: Block,
    /// The text of its `##` comments.
    pub doc: Option<Rc<str>>,
    /// The whole of it.
    pub span: Span,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// A name, or a destructuring pattern (pool bodies, lambdas).
    pub pattern: Pattern,
    /// `= default`, evaluated at each call that does not give it.
    pub default: Option<Expr>,
    /// `...rest`.
    pub rest: bool,
}

/// An argument of a call, an option of a construct.
#[derive(Debug, Clone)]
pub struct Arg {
    /// `name:` when it is named.
    pub name: Option<Ident>,
    /// `...value`: the items are arguments of their own.
    pub spread: bool,
    /// The value.
    pub value: Expr,
    /// The whole of it.
    pub span: Span,
}

/// A pattern of `let`, `for`, `case` and parameters.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// What it is.
    pub kind: PatternKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of pattern.
#[derive(Debug, Clone)]
pub enum PatternKind {
    /// Binds the value to a name.
    Bind(Ident),
    /// `_`.
    Ignore,
    /// Equals a literal (number, string, bytes, nil, true, false, a range of literals: contained in it).
    Literal(Box<Expr>),
    /// `[a, b, ...rest]`; `rest` is `Some(None)` for a bare `...`.
    List {
        items: Vec<Pattern>,
        rest: Option<Option<Ident>>,
    },
    /// `{name, score: points, kind: "stop", ...rest}`.
    Map {
        entries: Vec<(Rc<str>, Span, Pattern)>,
        rest: Option<Ident>,
    },
    /// `a | b`: either; binds nothing.
    Or(Vec<Pattern>),
}

/// An expression.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// An int literal, sizes included.
    Int(i64),
    /// A float literal, durations included.
    Float(f64),
    /// A string without interpolation.
    Str(Rc<str>),
    /// A string with `{...}` in it.
    Interpolation(Vec<Piece>),
    /// `b"..."`.
    Bytes(Rc<[u8]>),
    /// A command in backticks.
    Command(Vec<Word>),
    /// A name.
    Name(Ident),
    /// `[a, ...b]`.
    List(Vec<Element>),
    /// `{name: v, "k": v, [e]: v, ...m}`.
    Map(Vec<MapEntry>),
    /// `[e for p in xs if c]`.
    Comprehension(Box<Comprehension>),
    /// `a..b`, `a..=b`, `a..`, `..b`.
    Range {
        start: Option<Box<Expr>>,
        end: Option<Box<Expr>>,
        inclusive: bool,
    },
    /// `fn(...) ...`.
    Fn(Rc<Function>),
    /// `-x`, `~x`, `not x`.
    Unary { op: UnaryOp, operand: Box<Expr> },
    /// `a op b`.
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `a and b`, `a or b`, `a ?? b`.
    Logic {
        op: LogicOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `e rescue f`.
    Rescue {
        body: Box<Expr>,
        fallback: Box<Expr>,
    },
    /// `f(args)`.
    Call { callee: Box<Expr>, args: Vec<Arg> },
    /// `x.name(args)`.
    Method {
        receiver: Box<Expr>,
        name: Ident,
        args: Vec<Arg>,
    },
    /// `x.name`.
    Field { object: Box<Expr>, name: Ident },
    /// `x[i]`.
    Index { object: Box<Expr>, index: Box<Expr> },
    /// `if c { } else { }`; a further `if` in the else is a block of that one expression.
    If {
        condition: Box<Expr>,
        then: Block,
        otherwise: Option<Block>,
    },
    /// `match e { case ... }`.
    Match {
        subject: Box<Expr>,
        cases: Vec<MatchCase>,
        otherwise: Option<Block>,
    },
    /// `try { } catch e: Kind { } finally { }`.
    Try {
        body: Block,
        catches: Vec<Catch>,
        finally: Option<Block>,
    },
    /// `do { }`.
    Do(Block),
    /// `with e as name { }`.
    With {
        items: Vec<(Expr, Option<Ident>)>,
        body: Block,
    },
    /// `spawn(opts) f(args)`, `spawn { }`, spawn of a command.
    Spawn { options: Vec<Arg>, what: SpawnWhat },
    /// `join(opts) e`.
    Join {
        options: Vec<Arg>,
        target: Box<Expr>,
    },
    /// `lock(opts) a, b { }`.
    Lock {
        options: Vec<Arg>,
        locks: Vec<Expr>,
        body: Block,
    },
    /// `scope(opts) { }`.
    Scope { options: Vec<Arg>, body: Block },
    /// `select(opts) { case ... }`.
    Select {
        options: Vec<Arg>,
        cases: Vec<SelectCase>,
        after: Option<Box<(Expr, Block)>>,
        otherwise: Option<Block>,
    },
    /// `pool map(opts) p in xs { }`: the body is a function of one parameter. (The call form is an ordinary call of the
    /// built-in `pool map`: [`ExprKind::PoolCall`].)
    PoolMap {
        options: Vec<Arg>,
        /// `pool map(opts) k, v in xs { }`: the items are pairs, of a map its keys and values; the parameter takes them apart.
        pairs: bool,
        iterable: Box<Expr>,
        body: Rc<Function>,
    },
    /// `pool map(f, xs, opts)`.
    PoolCall { args: Vec<Arg> },
    /// An expression in parentheses: same value; kept so that later passes can tell.
    Paren(Box<Expr>),
}

/// A part of an interpolated string or command.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Literal text.
    Text(Rc<str>),
    /// `{expression}`.
    Expr(Expr),
}

/// A word of a command: one argument, whatever is put in.
#[derive(Debug, Clone, Default)]
pub struct Word {
    /// Its text and the values in it.
    pub parts: Vec<Piece>,
    /// It is one value without text or quotes around it: a list is as many arguments as it has items.
    pub spreads: bool,
    /// It begins with the home folder.
    pub home: bool,
}

/// An item of a list literal.
#[derive(Debug, Clone)]
pub enum Element {
    /// One value.
    Value(Expr),
    /// `...values`.
    Spread(Expr),
}

/// An entry of a map literal.
#[derive(Debug, Clone)]
pub enum MapEntry {
    /// `key: value`; a bare name as key is an [`ExprKind::Str`].
    Pair(Expr, Expr),
    /// `{name}`: the variable under its own name.
    Short(Ident),
    /// `...map`.
    Spread(Expr),
}

/// `[element for patterns in iterable if condition]`.
#[derive(Debug, Clone)]
pub struct Comprehension {
    /// What is collected.
    pub element: Expr,
    /// One or two patterns, as in `for`.
    pub patterns: Vec<Pattern>,
    /// What is iterated.
    pub iterable: Expr,
    /// Only where this holds.
    pub condition: Option<Expr>,
}

/// `case pattern if guard { }`.
#[derive(Debug, Clone)]
pub struct MatchCase {
    /// The pattern.
    pub pattern: Pattern,
    /// `if guard`.
    pub guard: Option<Expr>,
    /// What runs.
    pub body: Block,
}

/// `catch name: Kind, Kind { }`.
#[derive(Debug, Clone)]
pub struct Catch {
    /// The name of the error in the body.
    pub name: Option<Ident>,
    /// The kinds caught; all when empty.
    pub kinds: Vec<Ident>,
    /// What runs.
    pub body: Block,
}

/// What follows `spawn`.
#[derive(Debug, Clone)]
pub enum SpawnWhat {
    /// A call: callee and arguments are evaluated here, the call runs there.
    Call { callee: Box<Expr>, args: Vec<Arg> },
    /// A block.
    Block(Rc<Function>),
    /// A command in backticks, or a name with fields and indexes that has a command.
    Command(Box<Expr>),
}

/// `case binding = operation { }`.
#[derive(Debug, Clone)]
pub struct SelectCase {
    /// `binding =`.
    pub pattern: Option<Pattern>,
    /// A method call (`q.get()`, `w.send(x)`) or a join.
    pub operation: Expr,
    /// What runs when it was the one.
    pub body: Block,
}

/// Short-circuit operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogicOp {
    /// `and`
    And,
    /// `or`
    Or,
    /// `??`
    Coalesce,
}

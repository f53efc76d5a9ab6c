//! Words of other languages.

/// Where a word stands, seen from the token that could not stand where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Right before it, or first in its statement.
    Before,
    /// It is the token, or the one behind it.
    Here,
}

impl Position {
    /// The position of the token at `index` when the parser stopped at `at`.
    pub fn of(index: usize, at: usize) -> Position {
        match index < at {
            true => Position::Before,
            false => Position::Here,
        }
    }
}

/// A word, what is said of it and what to type instead.
type Row = (&'static str, &'static str, &'static str);

/// Words that begin something in another language: an error right behind them is explained by them.
const OPENING: &[Row] = &[
    (
        "elif",
        "expected `else if`, found `elif`",
        "write } else if condition { ... }",
    ),
    (
        "elsif",
        "expected `else if`, found `elsif`",
        "write } else if condition { ... }",
    ),
    (
        "elseif",
        "expected `else if`, found `elseif`",
        "write } else if condition { ... }",
    ),
    (
        "def",
        "expected `fn`, found `def`",
        "functions are written fn name(a, b) { ... }",
    ),
    (
        "function",
        "expected `fn`, found `function`",
        "functions are written fn name(a, b) { ... }",
    ),
    (
        "func",
        "expected `fn`, found `func`",
        "functions are written fn name(a, b) { ... }",
    ),
    (
        "fun",
        "expected `fn`, found `fun`",
        "functions are written fn name(a, b) { ... }",
    ),
    (
        "proc",
        "expected `fn`, found `proc`",
        "functions are written fn name(a, b) { ... }",
    ),
    (
        "lambda",
        "expected `fn`, found `lambda`",
        "write fn(x) => x + 1",
    ),
    (
        "var",
        "expected `let`, found `var`",
        "write let name = value",
    ),
    (
        "val",
        "expected `let` or `const`, found `val`",
        "write const name = value",
    ),
    (
        "auto",
        "expected `let`, found `auto`",
        "write let name = value",
    ),
    (
        "local",
        "expected `let`, found `local`",
        "write let name = value; a variable belongs to its block",
    ),
    (
        "mut",
        "expected a name after `let`, found `mut`",
        "every `let` variable can be assigned again; write let name = value",
    ),
    (
        "static",
        "expected `let` or `const`, found `static`",
        "write const name = value",
    ),
    (
        "final",
        "expected `const`, found `final`",
        "write const name = value",
    ),
    (
        "int",
        "expected `let`, found a type",
        "types are not declared: let n = 5",
    ),
    (
        "float",
        "expected `let`, found a type",
        "types are not declared: let x = 2.5",
    ),
    (
        "double",
        "expected `let`, found a type",
        "types are not declared: let x = 2.5",
    ),
    (
        "string",
        "expected `let`, found a type",
        "types are not declared: let s = \"text\"",
    ),
    (
        "bool",
        "expected `let`, found a type",
        "types are not declared: let ready = true",
    ),
    (
        "void",
        "expected `fn`, found `void`",
        "functions are written fn name(a, b) { ... }",
    ),
    (
        "except",
        "expected `catch`, found `except`",
        "write try { ... } catch e: ValueError { ... }",
    ),
    (
        "raise",
        "expected `throw`, found `raise`",
        "write throw error(\"message\", kind: \"BadInput\")",
    ),
    (
        "panic",
        "expected `throw`, found `panic`",
        "write throw error(\"message\")",
    ),
    (
        "ensure",
        "expected `finally`, found `ensure`",
        "write try { ... } finally { ... }",
    ),
    (
        "begin",
        "expected `try` or a block, found `begin`",
        "write try { ... } catch e { ... }",
    ),
    (
        "switch",
        "expected `match`, found `switch`",
        "write match value { case 1 { ... } else { ... } }",
    ),
    (
        "when",
        "expected `match` or `if`, found `when`",
        "write match value { case 1 { ... } else { ... } }",
    ),
    (
        "default",
        "expected `else`, found `default`",
        "the last part of a match is else { ... }",
    ),
    (
        "unless",
        "expected `if not`, found `unless`",
        "write if not condition { ... }",
    ),
    (
        "until",
        "expected `while not`, found `until`",
        "write while not condition { ... }",
    ),
    (
        "loop",
        "expected `while true`, found `loop`",
        "write while true { ... }",
    ),
    (
        "repeat",
        "expected `for` or `while`, found `repeat`",
        "write for _ in 0..10 { ... }",
    ),
    (
        "foreach",
        "expected `for`, found `foreach`",
        "write for x in xs { ... }",
    ),
    (
        "new",
        "expected a call, found `new`",
        "an object is made by calling its struct: Account(\"Ann\")",
    ),
    (
        "async",
        "expected `fn`, found `async`",
        "there is no async: spawn f(x) runs a call in another process, join waits for it",
    ),
    (
        "await",
        "expected `join`, found `await`",
        "write join p for a process, fut.result() for a task of a pool",
    ),
    ("go", "expected `spawn`, found `go`", "write spawn f(x)"),
    (
        "thread",
        "expected `spawn`, found `thread`",
        "write spawn f(x): every spawn is a process",
    ),
    (
        "fork",
        "expected `spawn`, found `fork`",
        "write spawn { ... } or spawn f(x)",
    ),
    (
        "yield",
        "expected an expression, found `yield`",
        "a lazy source is iterate(fn() => ...); between processes, use a queue",
    ),
    ("echo", "expected a call, found `echo`", "write print(x)"),
    ("puts", "expected a call, found `puts`", "write print(x)"),
    (
        "printf",
        "expected a call, found `printf`",
        "write print(\"{name} has {n}\")",
    ),
    (
        "print",
        "expected `(` after `print`, found a value",
        "print is a function: print(x)",
    ),
    (
        "class",
        "expected `struct`, found `class`",
        "write struct Name { field; fn method(self) { ... } }",
    ),
    (
        "enum",
        "expected a statement, found `enum`",
        "there are no enums; strings compare fast: let state = \"idle\"",
    ),
    (
        "interface",
        "expected `struct`, found `interface`",
        "there are no interfaces: any struct with the methods will do",
    ),
    (
        "trait",
        "expected `struct`, found `trait`",
        "there are no traits: any struct with the methods will do",
    ),
    (
        "impl",
        "expected a statement, found `impl`",
        "methods stand inside the struct: struct Name { fn method(self) { ... } }",
    ),
    (
        "type",
        "expected a statement, found `type`",
        "types are not declared; a struct is written struct Name { ... }",
    ),
    (
        "typedef",
        "expected a statement, found `typedef`",
        "types are not declared; a struct is written struct Name { ... }",
    ),
    (
        "from",
        "expected `import`, found `from`",
        "write import json and then json.parse(...)",
    ),
    (
        "use",
        "expected `import`, found `use`",
        "write import json, or import \"file.par\" as name",
    ),
    (
        "using",
        "expected `import`, found `using`",
        "write import json, or import \"file.par\" as name",
    ),
    (
        "require",
        "expected `import`, found `require`",
        "write import json, or import \"file.par\" as name",
    ),
    (
        "include",
        "expected `import`, found `include`",
        "write import json, or import \"file.par\" as name",
    ),
    (
        "source",
        "expected `import`, found `source`",
        "write import \"file.par\" as name",
    ),
    (
        "package",
        "expected a statement, found `package`",
        "a file is a module; leave the line out",
    ),
    (
        "module",
        "expected a statement, found `module`",
        "a file is a module; leave the line out",
    ),
    (
        "mod",
        "expected an operator or `import`, found `mod`",
        "the remainder is a % b; a module is taken with import",
    ),
    (
        "export",
        "expected a statement, found `export`",
        "everything in a file can be imported but names that begin with _",
    ),
    (
        "pub",
        "expected a statement, found `pub`",
        "everything in a file can be imported but names that begin with _",
    ),
    (
        "public",
        "expected a statement, found `public`",
        "everything in a file can be imported but names that begin with _",
    ),
    (
        "private",
        "expected a statement, found `private`",
        "names that begin with _ stay private",
    ),
    (
        "global",
        "expected a statement, found `global`",
        "a function can assign to the variables around it; between processes use shared name = value",
    ),
    (
        "nonlocal",
        "expected a statement, found `nonlocal`",
        "a function can assign to the variables around it; leave the line out",
    ),
    (
        "del",
        "expected a statement, found `del`",
        "write m.remove(key), or assign nil to a variable",
    ),
    (
        "delete",
        "expected a statement, found `delete`",
        "write m.remove(key), or assign nil to a variable",
    ),
    ("typeof", "expected a call, found `typeof`", "write type(x)"),
    (
        "set",
        "expected an assignment, found `set`",
        "write let name = value, or name = value",
    ),
    (
        "goto",
        "expected a statement, found `goto`",
        "there is no goto; `break`, `continue` and `return` leave loops and functions",
    ),
    (
        "synchronized",
        "expected `lock`, found `synchronized`",
        "write lock m { ... }",
    ),
    (
        "mutex",
        "expected `lock`, found `mutex`",
        "write let m = lock() and lock m { ... }",
    ),
    (
        "parallel",
        "expected `pool map`, found `parallel`",
        "write pool map x in xs { ... }",
    ),
];

/// Words that stand between or behind expressions in another language.
const BETWEEN: &[Row] = &[
    (
        "then",
        "expected `{`, found `then`",
        "blocks stand in braces: if condition { ... }",
    ),
    (
        "elif",
        "expected `else if`, found `elif`",
        "write } else if condition { ... }",
    ),
    (
        "elsif",
        "expected `else if`, found `elsif`",
        "write } else if condition { ... }",
    ),
    (
        "elseif",
        "expected `else if`, found `elseif`",
        "write } else if condition { ... }",
    ),
    (
        "except",
        "expected `catch`, found `except`",
        "write try { ... } catch e: ValueError { ... }",
    ),
    (
        "ensure",
        "expected `finally`, found `ensure`",
        "write try { ... } finally { ... }",
    ),
    (
        "default",
        "expected `else`, found `default`",
        "the last part of a match is else { ... }",
    ),
    (
        "unless",
        "expected the end of the line, found `unless`",
        "write if not condition { ... }",
    ),
    (
        "until",
        "expected the end of the line, found `until`",
        "write while not condition { ... }",
    ),
    (
        "of",
        "expected `in`, found `of`",
        "write for x in xs { ... }",
    ),
    (
        "is",
        "expected `==`, found `is`",
        "write a == b; for nothing, x == nil",
    ),
    ("isnt", "expected `!=`, found `isnt`", "write a != b"),
    ("eq", "expected `==`, found `eq`", "write a == b"),
    ("ne", "expected `!=`, found `ne`", "write a != b"),
    (
        "mod",
        "expected an operator, found `mod`",
        "the remainder is a % b",
    ),
    (
        "div",
        "expected an operator, found `div`",
        "division that floors is a // b",
    ),
    (
        "xor",
        "expected an operator, found `xor`",
        "on whole numbers write a ^ b, on truths a != b",
    ),
    (
        "instanceof",
        "expected an operator, found `instanceof`",
        "write type(x) == \"Account\"",
    ),
    (
        "isa",
        "expected an operator, found `isa`",
        "write type(x) == \"Account\"",
    ),
    (
        "extends",
        "expected `{`, found `extends`",
        "structs have no parents; keep the other struct in a field",
    ),
    (
        "implements",
        "expected `{`, found `implements`",
        "structs have no parents; any struct with the methods will do",
    ),
    (
        "where",
        "expected an operator, found `where`",
        "a condition in a list is [x for x in xs if x > 0]",
    ),
    (
        "step",
        "expected an operator, found `step`",
        "write range(0, 10, 2)",
    ),
    (
        "by",
        "expected an operator, found `by`",
        "write range(0, 10, 2)",
    ),
    (
        "to",
        "expected `..`, found `to`",
        "ranges are 0..10 (without 10) and 0..=10",
    ),
    (
        "begin",
        "expected `{`, found `begin`",
        "blocks stand in braces",
    ),
    ("end", "expected `}`, found `end`", "blocks stand in braces"),
    (
        "async",
        "expected an expression, found `async`",
        "there is no async: spawn f(x) runs a call in another process, join waits for it",
    ),
    (
        "mut",
        "expected a name, found `mut`",
        "every `let` variable can be assigned again; write let name = value",
    ),
];

/// Names that are none here, for reports about unknown names.
const NAMES: &[Row] = &[
    (
        "None",
        "expected a name, found `None`",
        "the value for nothing is nil",
    ),
    (
        "null",
        "expected a name, found `null`",
        "the value for nothing is nil",
    ),
    (
        "NULL",
        "expected a name, found `NULL`",
        "the value for nothing is nil",
    ),
    (
        "undefined",
        "expected a name, found `undefined`",
        "the value for nothing is nil",
    ),
    (
        "nullptr",
        "expected a name, found `nullptr`",
        "the value for nothing is nil",
    ),
    ("True", "expected a name, found `True`", "write true"),
    ("TRUE", "expected a name, found `TRUE`", "write true"),
    ("False", "expected a name, found `False`", "write false"),
    ("FALSE", "expected a name, found `FALSE`", "write false"),
    (
        "this",
        "expected a name, found `this`",
        "the receiver of a method is its first parameter: fn deposit(self, n) { self.balance += n }",
    ),
    (
        "self",
        "expected a name, found `self`",
        "name it as the first parameter: fn method(self) { ... }",
    ),
    (
        "super",
        "expected a name, found `super`",
        "structs have no parents; keep the other struct in a field",
    ),
    (
        "console",
        "expected a name, found `console`",
        "write print(x)",
    ),
    (
        "println",
        "expected a name, found `println`",
        "write print(x)",
    ),
    (
        "printf",
        "expected a name, found `printf`",
        "write print(\"{name} has {n}\")",
    ),
    ("echo", "expected a name, found `echo`", "write print(x)"),
    ("puts", "expected a name, found `puts`", "write print(x)"),
    (
        "System",
        "expected a name, found `System`",
        "write print(x)",
    ),
    ("fmt", "expected a name, found `fmt`", "write print(x)"),
    (
        "format",
        "expected a name, found `format`",
        "write \"{name} has {n}\"",
    ),
    (
        "sprintf",
        "expected a name, found `sprintf`",
        "write \"{name} has {n}\"",
    ),
    (
        "pass",
        "expected a statement, found `pass`",
        "an empty block is { }",
    ),
    (
        "done",
        "expected `}`, found `done`",
        "blocks stand in braces",
    ),
    ("fi", "expected `}`, found `fi`", "blocks stand in braces"),
    (
        "esac",
        "expected `}`, found `esac`",
        "blocks stand in braces",
    ),
    ("end", "expected `}`, found `end`", "blocks stand in braces"),
    (
        "endif",
        "expected `}`, found `endif`",
        "blocks stand in braces",
    ),
    (
        "then",
        "expected `{`, found `then`",
        "blocks stand in braces: if condition { ... }",
    ),
    (
        "raise",
        "expected `throw`, found `raise`",
        "write throw error(\"message\", kind: \"BadInput\")",
    ),
    (
        "panic",
        "expected `throw`, found `panic`",
        "write throw error(\"message\")",
    ),
    (
        "isinstance",
        "expected a name, found `isinstance`",
        "write type(x) == \"int\"",
    ),
    ("typeof", "expected a name, found `typeof`", "write type(x)"),
    ("length", "expected a name, found `length`", "write len(xs)"),
    ("size", "expected a name, found `size`", "write len(xs)"),
    ("strlen", "expected a name, found `strlen`", "write len(s)"),
    (
        "raw_input",
        "expected a name, found `raw_input`",
        "write input(\"Your name: \")",
    ),
    (
        "readline",
        "expected a name, found `readline`",
        "write input()",
    ),
    (
        "read",
        "expected a name, found `read`",
        "write input() for a line of standard input, open(path).read() for a file",
    ),
    (
        "xrange",
        "expected a name, found `xrange`",
        "write 0..10 or range(10)",
    ),
    ("dict", "expected a name, found `dict`", "write {} or map()"),
    (
        "tuple",
        "expected a name, found `tuple`",
        "a list will do: [1, 2]",
    ),
    (
        "array",
        "expected a name, found `array`",
        "write [] or list(xs)",
    ),
    ("String", "expected a name, found `String`", "write str(x)"),
    (
        "Number",
        "expected a name, found `Number`",
        "write int(s) or float(s)",
    ),
    (
        "parseInt",
        "expected a name, found `parseInt`",
        "write int(s)",
    ),
    (
        "parseFloat",
        "expected a name, found `parseFloat`",
        "write float(s)",
    ),
    (
        "repr",
        "expected a name, found `repr`",
        "write str([x]), which quotes strings",
    ),
    (
        "lambda",
        "expected `fn`, found `lambda`",
        "write fn(x) => x + 1",
    ),
    (
        "argv",
        "expected a name, found `argv`",
        "the arguments of the script are args",
    ),
    (
        "sys",
        "expected a name, found `sys`",
        "args, exit(code) and input() are built in; more is in import os",
    ),
    (
        "process",
        "expected a name, found `process`",
        "write current_process()",
    ),
    (
        "exec",
        "expected a name, found `exec`",
        "a program is written in backticks: `ls -l`.run()",
    ),
    (
        "system",
        "expected a name, found `system`",
        "a program is written in backticks: `ls -l`.run()",
    ),
    (
        "subprocess",
        "expected a name, found `subprocess`",
        "a program is written in backticks: `ls -l`.text()",
    ),
    (
        "multiprocessing",
        "expected a name, found `multiprocessing`",
        "processes are built in: spawn f(x), queue(), lock(), pool(4)",
    ),
    (
        "threading",
        "expected a name, found `threading`",
        "every spawn is a process: spawn f(x)",
    ),
    (
        "Process",
        "expected a name, found `Process`",
        "write spawn f(x); spawn(start: false) f(x) builds it without starting it",
    ),
    (
        "Thread",
        "expected a name, found `Thread`",
        "write spawn f(x): every spawn is a process",
    ),
    (
        "fork",
        "expected a name, found `fork`",
        "write spawn { ... } or spawn f(x)",
    ),
    (
        "Queue",
        "expected a name, found `Queue`",
        "write queue(), or queue(100) to bound it",
    ),
    (
        "JoinableQueue",
        "expected a name, found `JoinableQueue`",
        "write queue(): it has task_done(), and join q waits for all items",
    ),
    (
        "SimpleQueue",
        "expected a name, found `SimpleQueue`",
        "write queue()",
    ),
    (
        "channel",
        "expected a name, found `channel`",
        "write queue(), or pipe() for two ends",
    ),
    (
        "Pipe",
        "expected a name, found `Pipe`",
        "write let [left, right] = pipe()",
    ),
    (
        "Lock",
        "expected a name, found `Lock`",
        "write let m = lock() and lock m { ... }",
    ),
    (
        "RLock",
        "expected a name, found `RLock`",
        "write lock(reentrant: true)",
    ),
    (
        "Mutex",
        "expected a name, found `Mutex`",
        "write let m = lock() and lock m { ... }",
    ),
    (
        "mutex",
        "expected a name, found `mutex`",
        "write let m = lock() and lock m { ... }",
    ),
    (
        "Semaphore",
        "expected a name, found `Semaphore`",
        "write semaphore(n)",
    ),
    (
        "BoundedSemaphore",
        "expected a name, found `BoundedSemaphore`",
        "write semaphore(n, bounded: true)",
    ),
    ("Event", "expected a name, found `Event`", "write event()"),
    (
        "Condition",
        "expected a name, found `Condition`",
        "write condition(m)",
    ),
    (
        "Barrier",
        "expected a name, found `Barrier`",
        "write barrier(n)",
    ),
    (
        "Value",
        "expected a name, found `Value`",
        "write shared total = 0",
    ),
    (
        "Array",
        "expected a name, found `Array`",
        "write shared.ints(n), shared.floats(n) or a list",
    ),
    (
        "Manager",
        "expected a name, found `Manager`",
        "write shared({}) or shared([]): every process that holds it sees the changes",
    ),
    (
        "Pool",
        "expected a name, found `Pool`",
        "write pool map x in xs { ... }, or with pool(4) as p { p.map(f, xs) }",
    ),
    (
        "ProcessPoolExecutor",
        "expected a name, found `ProcessPoolExecutor`",
        "write with pool(4) as p { p.submit(f, x) }",
    ),
    (
        "ThreadPoolExecutor",
        "expected a name, found `ThreadPoolExecutor`",
        "write with pool(4) as p { p.submit(f, x) }",
    ),
    (
        "setTimeout",
        "expected a name, found `setTimeout`",
        "write spawn { sleep(1s); f() }",
    ),
    (
        "Promise",
        "expected a name, found `Promise`",
        "write spawn f(x), and join [p, q] for several",
    ),
    ("await", "expected `join`, found `await`", "write join p"),
    (
        "__name__",
        "expected a name, found `__name__`",
        "a script needs no main guard: leave it out",
    ),
    (
        "__init__",
        "expected a name, found `__init__`",
        "write fn init(self) { ... } in the struct",
    ),
    (
        "Exception",
        "expected a name, found `Exception`",
        "write error(\"message\", kind: \"BadInput\")",
    ),
    (
        "Error",
        "expected a name, found `Error`",
        "write error(\"message\", kind: \"BadInput\")",
    ),
    (
        "Math",
        "expected a name, found `Math`",
        "write import math and then math.sqrt(2)",
    ),
    ("JSON", "expected a name, found `JSON`", "write import json"),
];

/// The hint for a word near the place where the parser stopped.
pub fn statement_word(name: &str, position: Position) -> Option<(&'static str, &'static str)> {
    let table = match position {
        Position::Before => OPENING,
        Position::Here => BETWEEN,
    };
    find(table, name)
}

/// The hint for a name that nothing declares: message and help.
pub fn habit_for_name(name: &str) -> Option<(&'static str, &'static str)> {
    find(NAMES, name).or_else(|| find(OPENING, name))
}

fn find(table: &[Row], name: &str) -> Option<(&'static str, &'static str)> {
    table
        .iter()
        .find(|(word, _, _)| *word == name)
        .map(|(_, message, help)| (*message, *help))
}

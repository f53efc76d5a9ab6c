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

/// Rows of a table: the word, what stands for it here, what to type.
macro_rules! rows {
    ($($word:literal $expected:literal $help:literal;)*) => {
        &[$(($word, concat!("expected ", $expected, ", found `", $word, "`"), $help)),*]
    };
}

/// Words that begin something in another language: an error right behind them is explained by them.
const OPENING: &[Row] = rows! {
    "elif" "`else if`" "write } else if condition { ... }";
    "elsif" "`else if`" "write } else if condition { ... }";
    "elseif" "`else if`" "write } else if condition { ... }";
    "def" "`fn`" "functions are written fn name(a, b) { ... }";
    "function" "`fn`" "functions are written fn name(a, b) { ... }";
    "func" "`fn`" "functions are written fn name(a, b) { ... }";
    "fun" "`fn`" "functions are written fn name(a, b) { ... }";
    "proc" "`fn`" "functions are written fn name(a, b) { ... }";
    "lambda" "`fn`" "write fn(x) => x + 1";
    "var" "`let`" "write let name = value";
    "val" "`let` or `const`" "write const name = value";
    "auto" "`let`" "write let name = value";
    "local" "`let`" "write let name = value; a variable belongs to its block";
    "mut" "a name after `let`" "every `let` variable can be assigned again; write let name = value";
    "static" "`let` or `const`" "write const name = value";
    "final" "`const`" "write const name = value";
    "int" "`let`" "types are not declared: let n = 5";
    "float" "`let`" "types are not declared: let x = 2.5";
    "double" "`let`" "types are not declared: let x = 2.5";
    "string" "`let`" "types are not declared: let s = \"text\"";
    "bool" "`let`" "types are not declared: let ready = true";
    "void" "`fn`" "functions are written fn name(a, b) { ... }";
    "except" "`catch`" "write try { ... } catch e: ValueError { ... }";
    "raise" "`throw`" "write throw error(\"message\", kind: \"BadInput\")";
    "panic" "`throw`" "write throw error(\"message\")";
    "ensure" "`finally`" "write try { ... } finally { ... }";
    "begin" "`try` or a block" "write try { ... } catch e { ... }";
    "switch" "`match`" "write match value { case 1 { ... } else { ... } }";
    "when" "`match` or `if`" "write match value { case 1 { ... } else { ... } }";
    "default" "`else`" "the last part of a match is else { ... }";
    "unless" "`if not`" "write if not condition { ... }";
    "until" "`while not`" "write while not condition { ... }";
    "loop" "`while true`" "write while true { ... }";
    "repeat" "`for` or `while`" "write for _ in 0..10 { ... }";
    "foreach" "`for`" "write for x in xs { ... }";
    "new" "a call" "an object is made by calling its struct: Account(\"Ann\")";
    "async" "`fn`" "there is no async: spawn f(x) runs a call in another process, join waits for it";
    "await" "`join`" "write join p for a process, fut.result() for a task of a pool";
    "go" "`spawn`" "write spawn f(x)";
    "thread" "`spawn`" "write spawn f(x): every spawn is a process";
    "fork" "`spawn`" "write spawn { ... } or spawn f(x)";
    "yield" "an expression" "a lazy source is iterate(fn() => ...); between processes, use a queue";
    "echo" "a call" "write print(x)";
    "puts" "a call" "write print(x)";
    "printf" "a call" "write print(\"{name} has {n}\")";
    "print" "a call" "print is a function: print(x)";
    "assert" "a call" "assert is a function: assert(a == b)";
    "class" "`struct`" "write struct Name { field; fn method(self) { ... } }";
    "enum" "a statement" "there are no enums; strings compare fast: let state = \"idle\"";
    "interface" "`struct`" "there are no interfaces: any struct with the methods will do";
    "trait" "`struct`" "there are no traits: any struct with the methods will do";
    "impl" "a statement" "methods stand inside the struct: struct Name { fn method(self) { ... } }";
    "type" "a statement" "types are not declared; a struct is written struct Name { ... }";
    "typedef" "a statement" "types are not declared; a struct is written struct Name { ... }";
    "from" "`import`" "write import json and then json.parse(...)";
    "use" "`import`" "write import json, or import \"file.par\" as name";
    "using" "`import`" "write import json, or import \"file.par\" as name";
    "require" "`import`" "write import json, or import \"file.par\" as name";
    "include" "`import`" "write import json, or import \"file.par\" as name";
    "source" "`import`" "write import \"file.par\" as name";
    "package" "a statement" "a file is a module; leave the line out";
    "module" "a statement" "a file is a module; leave the line out";
    "mod" "an operator or `import`" "the remainder is a % b; a module is taken with import";
    "export" "a statement" "everything in a file can be imported but names that begin with _";
    "pub" "a statement" "everything in a file can be imported but names that begin with _";
    "public" "a statement" "everything in a file can be imported but names that begin with _";
    "private" "a statement" "names that begin with _ stay private";
    "global" "a statement" "a function can assign to the variables around it; between processes use shared name = value";
    "nonlocal" "a statement" "a function can assign to the variables around it; leave the line out";
    "del" "a statement" "write m.remove(key), or assign nil to a variable";
    "delete" "a statement" "write m.remove(key), or assign nil to a variable";
    "typeof" "a call" "write type(x)";
    "set" "an assignment" "write let name = value, or name = value";
    "goto" "a statement" "there is no goto; `break`, `continue` and `return` leave loops and functions";
    "synchronized" "`lock`" "write lock m { ... }";
    "mutex" "`lock`" "write let m = lock() and lock m { ... }";
    "parallel" "`pool map`" "write pool map x in xs { ... }";
};

/// Words that stand between or behind expressions in another language.
const BETWEEN: &[Row] = rows! {
    "then" "`{`" "blocks stand in braces: if condition { ... }";
    "elif" "`else if`" "write } else if condition { ... }";
    "elsif" "`else if`" "write } else if condition { ... }";
    "elseif" "`else if`" "write } else if condition { ... }";
    "except" "`catch`" "write try { ... } catch e: ValueError { ... }";
    "ensure" "`finally`" "write try { ... } finally { ... }";
    "default" "`else`" "the last part of a match is else { ... }";
    "unless" "the end of the line" "write if not condition { ... }";
    "until" "the end of the line" "write while not condition { ... }";
    "of" "`in`" "write for x in xs { ... }";
    "is" "`==`" "write a == b; for nothing, x == nil";
    "isnt" "`!=`" "write a != b";
    "eq" "`==`" "write a == b";
    "ne" "`!=`" "write a != b";
    "mod" "an operator" "the remainder is a % b";
    "div" "an operator" "division that floors is a // b";
    "xor" "an operator" "on whole numbers write a ^ b, on truths a != b";
    "instanceof" "an operator" "write type(x) == \"Account\"";
    "isa" "an operator" "write type(x) == \"Account\"";
    "extends" "`{`" "structs have no parents; keep the other struct in a field";
    "implements" "`{`" "structs have no parents; any struct with the methods will do";
    "where" "an operator" "a condition in a list is [x for x in xs if x > 0]";
    "step" "an operator" "write range(0, 10, 2)";
    "by" "an operator" "write range(0, 10, 2)";
    "to" "`..`" "ranges are 0..10 (without 10) and 0..=10";
    "begin" "`{`" "blocks stand in braces";
    "end" "`}`" "blocks stand in braces";
    "async" "an expression" "there is no async: spawn f(x) runs a call in another process, join waits for it";
    "mut" "a name" "every `let` variable can be assigned again; write let name = value";
};

/// Names that are none here, for reports about unknown names.
const NAMES: &[Row] = rows! {
    "None" "`nil`" "the value for nothing is nil";
    "null" "`nil`" "the value for nothing is nil";
    "NULL" "`nil`" "the value for nothing is nil";
    "undefined" "`nil`" "the value for nothing is nil";
    "nullptr" "`nil`" "the value for nothing is nil";
    "True" "`true`" "write true";
    "TRUE" "`true`" "write true";
    "False" "`false`" "write false";
    "FALSE" "`false`" "write false";
    "this" "a declared name" "the receiver of a method is its first parameter: fn deposit(self, n) { self.balance += n }";
    "self" "a declared name" "name it as the first parameter: fn method(self) { ... }";
    "super" "a declared name" "structs have no parents; keep the other struct in a field";
    "console" "a declared name" "write print(x)";
    "println" "a declared name" "write print(x)";
    "printf" "a declared name" "write print(\"{name} has {n}\")";
    "echo" "a declared name" "write print(x)";
    "puts" "a declared name" "write print(x)";
    "System" "a declared name" "write print(x)";
    "fmt" "a declared name" "write print(x)";
    "format" "a declared name" "write \"{name} has {n}\"";
    "sprintf" "a declared name" "write \"{name} has {n}\"";
    "pass" "a statement" "an empty block is { }";
    "done" "`}`" "blocks stand in braces";
    "fi" "`}`" "blocks stand in braces";
    "esac" "`}`" "blocks stand in braces";
    "end" "`}`" "blocks stand in braces";
    "endif" "`}`" "blocks stand in braces";
    "then" "`{`" "blocks stand in braces: if condition { ... }";
    "raise" "`throw`" "write throw error(\"message\", kind: \"BadInput\")";
    "panic" "`throw`" "write throw error(\"message\")";
    "isinstance" "a declared name" "write type(x) == \"int\"";
    "typeof" "a declared name" "write type(x)";
    "length" "a declared name" "write len(xs)";
    "strlen" "a declared name" "write len(s)";
    "raw_input" "a declared name" "write input(\"Your name: \")";
    "readline" "a declared name" "write input()";
    "xrange" "a declared name" "write 0..10 or range(10)";
    "dict" "a declared name" "write {} or map()";
    "tuple" "a declared name" "a list will do: [1, 2]";
    "String" "a declared name" "write str(x)";
    "Number" "a declared name" "write int(s) or float(s)";
    "parseInt" "a declared name" "write int(s)";
    "parseFloat" "a declared name" "write float(s)";
    "repr" "a declared name" "write str([x]), which quotes strings";
    "lambda" "`fn`" "write fn(x) => x + 1";
    "argv" "a declared name" "the arguments of the script are args";
    "sys" "a declared name" "args, exit(code) and input() are built in; more is in import os";
    "exec" "a declared name" "a program is written in backticks: `ls -l`.run()";
    "system" "a declared name" "a program is written in backticks: `ls -l`.run()";
    "subprocess" "a declared name" "a program is written in backticks: `ls -l`.text()";
    "cd" "a declared name" "write `...`.cwd(\"folder\"), or os.chdir(\"folder\") for the script, with import os";
    "ls" "a declared name" "a program is written in backticks: `ls ...`.check()";
    "cat" "a declared name" "a program is written in backticks: `cat ...`.check()";
    "grep" "a declared name" "a program is written in backticks: `grep ...`.check()";
    "cp" "a declared name" "a program is written in backticks: `cp ...`.check()";
    "mv" "a declared name" "a program is written in backticks: `mv ...`.check()";
    "rm" "a declared name" "a program is written in backticks: `rm ...`.check()";
    "mkdir" "a declared name" "a program is written in backticks: `mkdir ...`.check()";
    "glob" "a declared name" "write fs.glob(\"*.txt\"), with import fs";
    "shutil" "a declared name" "write fs.copy, fs.move or fs.rmtree, with import fs, or os.which, with import os";
    "tempfile" "a declared name" "write fs.tempfile() or fs.tempdir(), with import fs";
    "pathlib" "a declared name" "write path.join(a, b), path.suffix(p), with import path; fs reads and writes";
    "datetime" "a declared name" "write time.now(), time.strftime(format), with import time";
    "logging" "a declared name" "write log.info(\"message\"), with import log";
    "argparse" "a declared name" "the arguments of the script are args, a list";
    "asyncio" "a declared name" "every spawn is a process: spawn f(x), and join [p, q] for several";
    "concurrent" "a declared name" "write pool map x in xs { ... }, or with pool(4) as p { p.submit(f, x) }";
    "multiprocessing" "a declared name" "processes are built in: spawn f(x), queue(), lock(), pool(4)";
    "threading" "a declared name" "every spawn is a process: spawn f(x)";
    "Process" "a declared name" "write spawn f(x); spawn(start: false) f(x) builds it without starting it";
    "Thread" "a declared name" "write spawn f(x): every spawn is a process";
    "fork" "a declared name" "write spawn { ... } or spawn f(x)";
    "Queue" "a declared name" "write queue(), or queue(100) to bound it";
    "JoinableQueue" "a declared name" "write queue(): it has task_done(), and join q waits for all items";
    "SimpleQueue" "a declared name" "write queue()";
    "Pipe" "a declared name" "write let [left, right] = pipe()";
    "Lock" "a declared name" "write let m = lock() and lock m { ... }";
    "RLock" "a declared name" "write lock(reentrant: true)";
    "Mutex" "a declared name" "write let m = lock() and lock m { ... }";
    "mutex" "a declared name" "write let m = lock() and lock m { ... }";
    "Semaphore" "a declared name" "write semaphore(n)";
    "BoundedSemaphore" "a declared name" "write semaphore(n, bounded: true)";
    "Event" "a declared name" "write event()";
    "Condition" "a declared name" "write condition(m)";
    "Barrier" "a declared name" "write barrier(n)";
    "Value" "a declared name" "write shared total = 0";
    "Array" "a declared name" "write shared.ints(n), shared.floats(n) or a list";
    "Manager" "a declared name" "write shared({}) or shared([]): every process that holds it sees the changes";
    "Pool" "a declared name" "write pool map x in xs { ... }, or with pool(4) as p { p.map(f, xs) }";
    "ProcessPoolExecutor" "a declared name" "write with pool(4) as p { p.submit(f, x) }";
    "ThreadPoolExecutor" "a declared name" "write with pool(4) as p { p.submit(f, x) }";
    "setTimeout" "a declared name" "write spawn { sleep(1s); f() }";
    "Promise" "a declared name" "write spawn f(x), and join [p, q] for several";
    "await" "`join`" "write join p";
    "__name__" "a declared name" "a script needs no main guard: leave it out";
    "__init__" "a declared name" "write fn init(self) { ... } in the struct";
    "Exception" "a declared name" "write error(\"message\", kind: \"BadInput\")";
    "Error" "a declared name" "write error(\"message\", kind: \"BadInput\")";
    "Math" "a declared name" "write import math and then math.sqrt(2)";
    "JSON" "a declared name" "write import json";
};

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
    find(NAMES, name)
}

fn find(table: &[Row], name: &str) -> Option<(&'static str, &'static str)> {
    table
        .iter()
        .find(|(word, _, _)| *word == name)
        .map(|(_, message, help)| (*message, *help))
}

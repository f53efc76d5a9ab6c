//! Writes valid programs that use every construct of the language, at random but the same for the same seed.
//!
//! Every loop is bounded and every process does a bounded number of things, so each program ends: whatever its waits come to,
//! one that nothing can end is an error. Functions call and spawn only those behind them, which bounds the number of processes.

use crate::common::chance::Random;
use std::fmt::Write;

#[path = "blocks.rs"]
mod blocks;

/// What every program declares first: an object of every kind.
const OBJECTS: &str = "\
let q0 = queue()
let q1 = queue(2)
let [left, right] = pipe()
let [reader, writer] = pipe(oneway: true)
let m0 = lock()
let m1 = lock(reentrant: true)
let sem = semaphore(2)
let flag = event()
let cond = condition()
let bar = barrier(2)
shared total = 0
shared text = \"a\"
let items = shared([1, [2, 3]])
let table = shared({a: 1})
let cells = shared.ints(4)
struct Point {
  x
  y = 0
  fn sum(self) { self.x + self.y }
}
";

/// Functions of a program; each may call and spawn those behind it.
const FUNCTIONS: usize = 3;

/// Where a statement stands.
#[derive(Clone, Copy)]
struct At {
    /// The number of the function; [`FUNCTIONS`] for the last, which spawns nobody.
    function: usize,
    /// How deep blocks may still nest.
    depth: u32,
    /// Inside a loop, a pool or a scope: nobody is spawned in numbers there.
    repeated: bool,
    /// `break` and `continue` may stand here.
    in_loop: bool,
}

/// The text of a program.
pub fn program(random: &mut Random) -> String {
    let mut writer = Writer {
        random,
        out: String::from(OBJECTS),
        indent: 0,
        names: vec![vec![]],
        fresh: 0,
    };
    for function in (0..FUNCTIONS).rev() {
        writer.function(function);
    }
    let at = At {
        function: 0,
        depth: 3,
        repeated: false,
        in_loop: false,
    };
    writer.line("let ps = []");
    for _ in 0..6 + writer.random.below(14) {
        // Most of a program is to run, whatever fails in it.
        match writer.random.one_in(8) {
            true => writer.statement(at),
            false => writer.guarded(at),
        }
    }
    writer.line("for p in ps { try { join p } catch e { print(e.kind) } }");
    writer.line("print(\"end\")");
    writer.out
}

struct Writer<'r> {
    random: &'r mut Random,
    out: String,
    indent: usize,
    /// Variables in sight, block by block.
    names: Vec<Vec<String>>,
    /// Counts the variables.
    fresh: usize,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:width$}{text}", "", width = self.indent * 2);
    }

    /// A head, statements, and the closing brace with what follows it.
    fn block(&mut self, head: &str, at: At, tail: &str) {
        self.line(&format!("{head} {{"));
        self.body(at, &[]);
        self.line(&format!("}}{tail}"));
    }

    fn body(&mut self, at: At, known: &[&str]) {
        self.indent += 1;
        self.names
            .push(known.iter().map(|n| n.to_string()).collect());
        let at = At {
            depth: at.depth.saturating_sub(1),
            ..at
        };
        for _ in 0..1 + self.random.below(3) {
            self.statement(at);
        }
        self.names.pop();
        self.indent -= 1;
    }

    fn function(&mut self, number: usize) {
        self.line(&format!("fn f{number}(n) {{"));
        let at = At {
            function: number + 1,
            depth: 2,
            repeated: false,
            in_loop: false,
        };
        self.indent += 1;
        self.line("let ps = []");
        self.indent -= 1;
        self.body(at, &["n"]);
        self.indent += 1;
        let result = self.expression(2);
        self.line(&result);
        self.indent -= 1;
        self.line("}");
    }

    fn guarded(&mut self, at: At) {
        self.line("try {");
        self.body(at, &[]);
        let caught = self
            .random
            .pick(&["e", "e: Timeout, Deadlock", "e: Closed"]);
        match caught {
            "e" => self.line("} catch e { print(e.kind) }"),
            kinds => {
                self.line(&format!(
                    "}} catch {kinds} {{ print(\"expected {{e.kind}}\") }}"
                ));
                self.indent += 1;
                self.line("catch e { print(e.kind) }");
                self.indent -= 1;
            }
        }
    }

    fn statement(&mut self, at: At) {
        match self.random.below(if at.depth == 0 { 12 } else { 24 }) {
            0 => self.declaration(),
            1 => self.assignment(),
            2 | 3 => {
                let text = self.talk();
                self.line(&text);
            }
            4 | 5 => {
                let text = self.share();
                self.line(&text);
            }
            6 | 7 => {
                let text = self.synchronize();
                self.line(&text);
            }
            8 => {
                let value = self.expression(2);
                self.line(&format!("print({value})"));
            }
            9 => self.rare(at),
            10 => self.spawn(at),
            11 => {
                let text = self.about_processes();
                self.line(&text);
            }
            12 | 13 => self.locked(at),
            14 => self.choice(at),
            15 => self.repetition(at),
            16 => self.guarded(at),
            17 => self.select(at),
            18 => self.scope(at),
            19 => self.pool(at),
            21 => self.lease(at),
            22 => self.command(at),
            20 => {
                let head = self.random.pick(&["do", "try"]);
                let tail = match head {
                    "do" => "",
                    _ => " finally { total.value += 1 }",
                };
                self.block(head, at, tail);
            }
            _ => self.matching(at),
        }
    }

    fn declaration(&mut self) {
        let value = self.expression(3);
        let name = format!("v{}", self.fresh);
        self.fresh += 1;
        self.line(&format!("let {name} = {value}"));
        if let Some(block) = self.names.last_mut() {
            block.push(name);
        }
    }

    fn variable(&mut self) -> Option<String> {
        let all: Vec<&String> = self.names.iter().flatten().collect();
        match all.len() as u64 {
            0 => None,
            count => Some(all[self.random.below(count) as usize].clone()),
        }
    }

    fn assignment(&mut self) {
        match self.variable() {
            Some(name) => {
                let value = self.expression(2);
                // No `*=`: a list in a loop would grow past what can be worked on in time.
                let operator = self.random.pick(&["=", "+=", "-="]);
                self.line(&format!("{name} {operator} {value}"));
            }
            None => self.declaration(),
        }
    }

    fn expression(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.variable().filter(|_| self.random.one_in(2)) {
                Some(name) => name,
                None => self
                    .random
                    .pick(&[
                        "1", "-7", "2.5", "true", "nil", "\"two\"", "[]", "1_000", "b\"x\"",
                        "{k: 1}",
                    ])
                    .to_string(),
            };
        }
        let (a, b) = (self.expression(depth - 1), self.expression(depth - 1));
        match self.random.below(14) {
            0 => format!("({a} rescue {b})"),
            1 => format!("[{a}, {b}]"),
            2 => format!("{{a: {a}, [str({b})]: 2}}"),
            3 => format!("(({a} + {b}) rescue 3)"),
            4 => format!("\"<{{{a}}}>\""),
            5 => format!("({a} == {b})"),
            6 => format!("(if {a} {{ {b} }} else {{ nil }})"),
            7 => format!("[i for i in 0..3 if i != {a}]"),
            8 => format!("(fn(x) => [x, {a}])({b})"),
            9 => format!("Point({a}, y: {b})"),
            10 => format!("(({a})[0] rescue {b})"),
            11 => format!("len(str({a}))"),
            12 => String::from("sorted([3, 1, 2].map(fn(x) => x * 2))"),
            _ => a,
        }
    }

    /// Queues and pipes.
    fn talk(&mut self) -> String {
        let value = self.expression(1);
        let queue = self.random.pick(&["q0", "q1"]);
        let end = self.random.pick(&["left", "right"]);
        match self.random.below(13) {
            0 | 1 => format!("{queue}.put({value}, timeout: 3ms)"),
            2 => format!("{queue}.put({value})"),
            3 => format!("{queue}.get()"),
            4 => format!("{queue}.get(timeout: 3ms)"),
            5 => format!("{queue}.try_get()"),
            6 => format!("{end}.send({value})"),
            7 => format!("{end}.recv()"),
            8 => format!("{end}.poll(timeout: 2ms)"),
            9 => format!("writer.send([{value}, {queue}, m0])"),
            10 => String::from("reader.recv(timeout: 3ms)"),
            11 => format!("{queue}.put([total, {end}, fn(x) => x])"),
            _ => format!("print({queue}.len(), {queue}.empty())"),
        }
    }

    /// Shared objects.
    fn share(&mut self) -> String {
        let value = self.expression(1);
        match self.random.below(12) {
            0 | 1 => "total.value += 1".to_string(),
            2 => format!("text.value = {value}"),
            3 => format!("items.push({value})"),
            4 => format!("items[0] = {value}"),
            5 => "items.pop()".to_string(),
            6 => format!(
                "table[\"{}\"] = {value}",
                self.random.pick(&["a", "b", "c"])
            ),
            7 => "table.update(\"n\", 0, fn(n) => n + 1)".to_string(),
            8 => "cells[1] += 2".to_string(),
            9 => format!("items.push([{value}, q1, table])"),
            10 => "print(total, len(items), cells)".to_string(),
            _ => "for k, v in table { total.value += 1 }".to_string(),
        }
    }

    /// The family of locks, without their blocks.
    fn synchronize(&mut self) -> String {
        self.random
            .pick(&[
                "flag.set()",
                "flag.clear()",
                "flag.wait(timeout: 2ms)",
                "flag.wait()",
                "bar.wait(timeout: 3ms)",
                "bar.wait()",
                "bar.reset()",
                "if sem.acquire(timeout: 2ms) { sem.release() }",
                "if m1.acquire(timeout: 2ms) { m1.release() }",
                "lock cond { cond.notify_all() }",
                "lock cond { cond.wait(timeout: 2ms) }",
                "lock cond { cond.notify() }",
                "m0.acquire()",
                "m0.release()",
            ])
            .to_string()
    }

    fn rare(&mut self, at: At) {
        let mut text = self.random.pick(&[
            "q0.close()",
            "q1.close()",
            "left.close()",
            "throw error(\"made\", kind: \"Made\", code: 3)",
            "assert(false, \"made\")",
            "sleep(1ms)",
            "defer print(\"deferred\")",
            "break",
            "continue",
            "current_process().name",
            "exit(3)",
        ]);
        let allowed = match text {
            "break" | "continue" => at.in_loop,
            "exit(3)" => at.function > 0,
            _ => true,
        };
        if !allowed {
            text = "print(current_process().name)";
        }
        self.line(text);
    }

    fn spawn(&mut self, at: At) {
        if at.function >= FUNCTIONS || at.repeated {
            return self.line("print(cpu_count() > 0)");
        }
        let value = self.expression(1);
        let options =
            self.random
                .pick(&["", "", "(name: \"w\")", "(daemon: true)", "(start: false)"]);
        let after = match options {
            "(start: false)" => "\nps[-1].start()",
            _ => "",
        };
        if self.random.one_in(3) {
            let inside = At {
                function: at.function + 1,
                in_loop: false,
                ..at
            };
            self.block(&format!("ps.push(spawn{options}"), inside, ")");
            if !after.is_empty() {
                self.line("ps[-1].start()");
            }
            return;
        }
        let callee = self.random.below((FUNCTIONS - at.function) as u64) as usize + at.function;
        self.line(&format!("ps.push(spawn{options} f{callee}({value}))"));
        if !after.is_empty() {
            self.line("ps[-1].start()");
        }
    }

    fn about_processes(&mut self) -> String {
        self.random
            .pick(&[
                "if ps { ps[-1].kill() }",
                "if ps { ps[0].terminate() }",
                "if ps { ps[-1].cancel(grace: 5ms) }",
                "if ps { join ps[0] }",
                "if ps { join(timeout: 3ms) ps[-1] }",
                "if ps { ps[0].wait(timeout: 2ms) }",
                "if ps { q0.put(ps[0]) }",
                "print(len(active_children()))",
                "print([p.alive for p in ps])",
                "join ps",
            ])
            .to_string()
    }
}

//! The statements with blocks: locks, loops, `select`, scopes, pools, leases, commands.

use super::{At, FUNCTIONS, Writer};

impl Writer<'_> {
    pub(super) fn locked(&mut self, at: At) {
        let head = self.random.pick(&[
            "lock m0",
            "lock m1",
            "lock sem",
            "lock m0, m1",
            "lock(timeout: 3ms) m0",
            "lock(timeout: 3ms) m1, m0",
            "lock cond",
        ]);
        // A loop is not left from inside of what has to be closed: allowed, and worth trying.
        self.block(head, at, "");
    }

    /// An item in the hands of one process until its end.
    pub(super) fn lease(&mut self, at: At) {
        let queue = self.random.pick(&["q0", "q1"]);
        let name = format!("v{}", self.fresh);
        self.fresh += 1;
        match self.random.below(3) {
            0 => {
                self.line(&format!("let {name} = {queue}.take(timeout: 3ms)"));
                let end =
                    self.random
                        .pick(&["done()", "release()", "put(q1, 1, timeout: 2ms)", "value"]);
                self.line(&format!("{name}.{end}"));
                if let Some(block) = self.names.last_mut() {
                    block.push(name);
                }
            }
            1 => {
                self.line(&format!("with {queue}.take(timeout: 3ms) as {name} {{"));
                self.body(at, &[&name]);
                self.indent += 1;
                self.line(&format!("{name}.put(q0, [{name}.value, total])"));
                self.indent -= 1;
                self.line("}");
            }
            _ => {
                let inside = At {
                    repeated: true,
                    // Without its `break` the loop may feed itself for ever.
                    in_loop: false,
                    ..at
                };
                self.line(&format!("for {name} in {queue}.leases() {{"));
                self.body(inside, &[&name]);
                self.indent += 1;
                self.line("break");
                self.indent -= 1;
                self.line("}");
            }
        }
    }

    /// Programs from outside.
    pub(super) fn command(&mut self, at: At) {
        let value = self.expression(1);
        let text = self.random.pick(&[
            "print(`echo {v} b`.text())",
            "print((`seq 300` | `tail -n 2`).lines().map(fn(x) => x))",
            "for line in `seq 100000`.lines() { print(line); break }",
            "print(`cat`.input(str(v)).bytes())",
            "`sh -c 'exit 4'`.check()",
            "print(`sh -c 'kill -9 $$'`.run())",
            "`sleep 7`.timeout(4ms).run()",
            "`nosuchprogram`.run()",
            "print((`yes` | `head -n 1`).text())",
            "`sh -c 'sleep 7 & sleep 0.01'`.stdout(nil).run()",
            "print(sh(\"echo a | cat\").text())",
            "scope(timeout: 20ms) { spawn `sleep 7` }",
            "select(timeout: 5ms) { case r = join spawn `true` { print(r) } }",
            "let job = `cat`.start(); job.stdin.write(\"x\\n\"); print(job.stdout.readline())",
        ]);
        self.line("do {");
        self.indent += 1;
        self.line(&format!("let v = {value}"));
        self.line(text);
        if at.function < FUNCTIONS && !at.repeated && self.random.one_in(2) {
            let started = self
                .random
                .pick(&["`sleep 7`", "`sh -c 'sleep 7 & wait'`", "`true`"]);
            self.line(&format!("let program = spawn {started}"));
            let end = ["program.kill()", "program.terminate()", "nil"];
            let end = self.random.pick(&end);
            self.line(end);
        }
        self.indent -= 1;
        self.line("}");
    }

    pub(super) fn choice(&mut self, at: At) {
        let condition = self.expression(1);
        self.block(&format!("if {condition}"), at, "");
        if self.random.one_in(2) {
            self.block("else", at, "");
        }
    }

    pub(super) fn repetition(&mut self, at: At) {
        let at = At {
            repeated: true,
            in_loop: true,
            ..at
        };
        match self.random.below(3) {
            0 => {
                let count = 1 + self.random.below(3);
                let name = format!("i{}", self.fresh);
                self.fresh += 1;
                self.line(&format!("for {name} in 0..{count} {{"));
                self.body(at, &[&name]);
                self.line("}");
            }
            1 => {
                let value = self.expression(2);
                self.block(&format!("for _ in [{value}, 2]"), at, "");
            }
            _ => {
                let name = format!("w{}", self.fresh);
                self.fresh += 1;
                self.line(&format!("let {name} = 3"));
                self.line(&format!("while {name} > 0 {{"));
                self.indent += 1;
                self.line(&format!("{name} -= 1"));
                self.indent -= 1;
                self.body(at, &[]);
                self.line("}");
            }
        }
    }

    pub(super) fn select(&mut self, at: At) {
        let timeout = self.random.pick(&["", "(timeout: 4ms)"]);
        self.line(&format!("select{timeout} {{"));
        self.indent += 1;
        let cases = [
            "case v = q0.get()",
            "case v = q1.get()",
            "case v = right.recv()",
            "case q1.put(1)",
            "case left.send(2)",
            "case writer.send(nil)",
        ];
        let first = self.random.below(cases.len() as u64) as usize;
        for step in 0..1 + self.random.below(3) as usize {
            self.block(cases[(first + step) % cases.len()], at, "");
        }
        match self.random.below(4) {
            0 => self.block("after 2ms", at, ""),
            1 => self.block("else", at, ""),
            _ => {}
        }
        self.indent -= 1;
        self.line("}");
    }

    pub(super) fn scope(&mut self, at: At) {
        let options = self
            .random
            .pick(&["", "(timeout: 20ms)", "(limit: 1)", "(limit: 2)"]);
        self.line(&format!("scope{options} {{"));
        self.indent += 1;
        if at.function < FUNCTIONS && !at.repeated {
            for _ in 0..1 + self.random.below(3) {
                let value = self.expression(1);
                let callee = FUNCTIONS - 1;
                self.line(&format!("spawn f{callee}({value})"));
            }
        }
        self.indent -= 1;
        let inside = At {
            repeated: true,
            in_loop: false,
            ..at
        };
        self.body(inside, &[]);
        self.line("}");
    }

    pub(super) fn pool(&mut self, at: At) {
        if at.function > 1 || at.repeated {
            return self.line("print([x * x for x in 0..4])");
        }
        let name = format!("v{}", self.fresh);
        self.fresh += 1;
        let value = self.expression(1);
        let inside = At {
            function: FUNCTIONS,
            repeated: true,
            in_loop: false,
            ..at
        };
        match self.random.below(3) {
            0 => {
                let options = self.random.pick(&[
                    "(workers: 2)",
                    "(workers: 2, on_error: \"collect\")",
                    "(workers: 1, chunk: 2, ordered: false)",
                    "(workers: 2, retries: 1, timeout: 50ms)",
                ]);
                self.line(&format!("let {name} = pool map{options} x in 0..5 {{"));
                self.body(inside, &["x"]);
                self.line("}");
            }
            1 => {
                let options = self.random.pick(&["2", "1, max_tasks: 1", "2, retries: 1"]);
                self.line(&format!("let {name} = 0"));
                self.line(&format!("with pool({options}) as crew {{"));
                self.indent += 1;
                self.line(&format!("let task = crew.submit(fn(x) => [x, {value}], 4)"));
                self.line("crew.map(fn(x) => x + 1, [1, 2, 3])");
                self.line(
                    "for y in crew.imap_unordered(fn(x) => x * x, 0..4) { total.value += y }",
                );
                self.line("task.result(timeout: 1s)");
                self.indent -= 1;
                self.body(inside, &[]);
                self.line("}");
            }
            _ => {
                let callee = FUNCTIONS - 1;
                self.line(&format!(
                    "let {name} = pool map(f{callee}, [1, 2, 3], workers: 2, on_error: \"collect\")"
                ));
            }
        }
        if let Some(block) = self.names.last_mut() {
            block.push(name);
        }
    }

    pub(super) fn matching(&mut self, at: At) {
        let value = self.expression(2);
        self.line(&format!("match {value} {{"));
        self.indent += 1;
        let patterns = [
            "case nil",
            "case [x, ...rest]",
            "case {a: inner}",
            "case 1 | 2",
            "case n if n == 1",
        ];
        let first = self.random.below(patterns.len() as u64) as usize;
        for step in 0..1 + self.random.below(2) as usize {
            self.block(patterns[(first + step) % patterns.len()], at, "");
        }
        self.block("else", at, "");
        self.indent -= 1;
        self.line("}");
    }
}

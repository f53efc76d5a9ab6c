//! The command line: where scripts come from, what they are given, how they end.

mod common;

use common::root;
use common::sandbox::{Outcome, run_par};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(20);

fn par_with(args: &[&str], stdin: &str) -> Outcome {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_string()).collect();
    run_par(root(), &args, stdin, TIMEOUT)
}

fn par(args: &[&str]) -> Outcome {
    par_with(args, "")
}

/// Runs a script from a file of its own, with arguments.
fn script(text: &str, args: &[&str]) -> Outcome {
    let file = tempfile::Builder::new().suffix(".par").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    par(&[&[path], args].concat())
}

fn printed(outcome: &Outcome) -> (&str, i32) {
    assert!(!outcome.timed_out);
    assert_eq!(outcome.leftovers, Vec::<String>::new());
    (&outcome.stdout, outcome.exit)
}

#[test]
fn a_script_is_a_file_code_or_standard_input() {
    assert_eq!(printed(&script("print(1 + 1)", &[])), ("2\n", 0));
    assert_eq!(printed(&par(&["-e", "print(1 + 1)"])), ("2\n", 0));
    assert_eq!(printed(&par_with(&["-"], "print(3)\n")), ("3\n", 0));
    assert_eq!(printed(&par_with(&[], "print(4)\n")), ("4\n", 0));
    let run = script("print(5)", &[]);
    assert_eq!(printed(&run), ("5\n", 0));
}

#[test]
fn a_shebang_is_skipped() {
    let text = "#!/usr/bin/env par\nprint(\"run\")\n";
    assert_eq!(printed(&script(text, &[])), ("run\n", 0));
}

#[test]
fn what_follows_the_script_is_its_own() {
    let show = "print(args)";
    let wanted = "[\"-x\", \"--color\", \"run\", \"--help\"]\n";
    let rest = ["-x", "--color", "run", "--help"];
    assert_eq!(printed(&script(show, &rest)), (wanted, 0));
    let code = [&["-e", show], &rest[..]].concat();
    assert_eq!(printed(&par(&code)), (wanted, 0));
    let input = [&["-"], &rest[..]].concat();
    assert_eq!(printed(&par_with(&input, show)), (wanted, 0));
}

#[test]
fn the_exit_code_tells_how_it_went() {
    assert_eq!(par(&["-e", "exit(7)"]).exit, 7);
    assert_eq!(par(&["-e", "exit(256 + 3)"]).exit, 3);
    assert_eq!(par(&["-e", "throw error(\"no\")"]).exit, 1);
    assert_eq!(par(&["-e", "let = 3"]).exit, 2);
    assert_eq!(par(&["-e", "print(unknown_name)"]).exit, 2);
    assert_eq!(par(&["no_such_file.par"]).exit, 2);
    assert_eq!(par(&["--no-such-option"]).exit, 2);
    let text = par(&["-e", "exit(\"enough\")"]);
    assert_eq!((text.exit, text.stderr.as_str()), (1, "enough\n"));
}

#[test]
fn exit_runs_finally_and_defer() {
    let code = "defer print(\"deferred\"); try { exit(4) } finally { print(\"finally\") }";
    let wanted = ("finally\ndeferred\n", 4);
    assert_eq!(printed(&par(&["-e", code])), wanted);
}

#[test]
fn reports_go_to_standard_error() {
    let run = par(&["--color", "never", "-e", "let x = 1\nprint(y_name)"]);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("y_name"), "{}", run.stderr);
    assert!(run.stderr.contains("<-e>:2:7"), "{}", run.stderr);
    assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
    let colored = par(&["--color", "always", "-e", "print(y_name)"]);
    assert!(colored.stderr.contains('\x1b'), "{}", colored.stderr);
    // Standard error is no terminal here.
    let auto = par(&["-e", "print(y_name)"]);
    assert!(!auto.stderr.contains('\x1b'), "{}", auto.stderr);
}

#[test]
fn check_reports_and_runs_nothing() {
    let good = par_with(&["check", "-"], "print(\"ran\")\n");
    assert_eq!(
        (good.stdout.as_str(), good.stderr.as_str(), good.exit),
        ("", "", 0)
    );
    let bad = par_with(&["check", "-"], "print(\"ran\")\nlet x = (\nlet = 3\n");
    assert_eq!((bad.stdout.as_str(), bad.exit), ("", 2));
}

#[test]
fn doc_tells_of_names_modules_and_files() {
    for (name, wanted) in [
        ("list.push", "list.push(item): Adds an item"),
        ("spawn", "runs the call in a new process"),
        ("json", "loads"),
        ("json.loads", "json.loads(text): "),
        ("supervise", "Keeps processes running"),
        (
            "supervise.run",
            "fn run(children, strategy = \"one_for_one\"",
        ),
        ("mpi.Comm.recv", "fn recv(self, source = nil"),
        ("command", "c.words c.stages"),
        ("process", "p.pid p.name p.alive"),
        ("defer", "when the function or the script is left"),
        ("Timeout", "par explain R009"),
    ] {
        let told = par(&["doc", name]);
        assert!(
            told.exit == 0 && told.stdout.contains(wanted),
            "{name}: {}",
            told.stdout
        );
    }
    let text = "## What it is for.\n\n## Adds.\n##\n##     add(1, 2)\nfn add(a, b = 2) => a + b\nfn _private() {}\nstruct P {\n  ## How far.\n  x\n  y\n}\n## How many.\nconst c = 5\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.par");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let wanted = "What it is for.\n\nfn add(a, b = 2)\n  Adds.\n\nstruct P(x, y)\n\nconst c = 5\n  How many.\n";
    assert_eq!(printed(&par(&["doc", file])), (wanted, 0));
    let wanted = "fn add(a, b = 2)\n  Adds.\n\n      add(1, 2)\n";
    assert_eq!(printed(&par(&["doc", file, "add"])), (wanted, 0));
    let wanted = "struct P(x, y)\n\n  x\n    How far.\n";
    assert_eq!(printed(&par(&["doc", file, "P"])), (wanted, 0));
    assert_eq!(par(&["doc", file, "_private"]).exit, 2);
    let unknown = par(&["doc", "supervise.rum"]);
    assert_eq!(unknown.exit, 2);
    assert!(
        unknown.stderr.contains("did you mean `supervise.run`?"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn fmt_changes_files_and_check_shows_what_it_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.par");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "print( 1 )\n").unwrap();
    let check = par(&["fmt", "--check", path]);
    assert_eq!(check.exit, 1);
    assert!(
        check.stdout.contains("-print( 1 )\n+print(1)\n"),
        "{}",
        check.stdout
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "print( 1 )\n");
    let all = par(&["fmt", folder.path().to_str().unwrap()]);
    assert_eq!(printed(&all), ("", 0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "print(1)\n");
    assert_eq!(printed(&par(&["fmt", "--check", path])), ("", 0));
    assert_eq!(printed(&par_with(&["fmt", "-"], "a=1")), ("a = 1\n", 0));
    // A file on standard input is not the folder.
    let redirected = par_with(&["fmt"], "a=1");
    assert_eq!(printed(&redirected), ("", 2));
    assert!(redirected.stderr.contains("par fmt -"));
    let wrong = par_with(&["fmt", "-"], "let = 1");
    assert_eq!(printed(&wrong), ("", 2));
    assert!(wrong.stderr.contains("<stdin>:1:5"), "{}", wrong.stderr);
    assert_eq!(par(&["fmt", "no_such_file.par"]).exit, 2);
}

#[test]
fn dump_shows_each_stage() {
    let tokens = par(&["--dump", "tokens", "-e", "let x = 1 + 2"]);
    assert_eq!(tokens.exit, 0, "{}", tokens.stderr);
    assert!(tokens.stdout.lines().count() >= 6, "{}", tokens.stdout);
    let tree = par(&["--dump", "ast", "-e", "let x = 1 + 2"]);
    assert!(tree.stdout.contains("bind x"), "{}", tree.stdout);
    let code = par(&[
        "--dump",
        "code",
        "-e",
        "fn f(a, b) { a + b }\nprint(f(1, 2))",
    ]);
    assert!(
        code.stdout.contains("Add"),
        "{}{}",
        code.stdout,
        code.stderr
    );
}

#[test]
fn help_version_and_explanations() {
    let help = par(&["--help"]);
    assert!(help.stdout.contains("Usage: par"), "{}", help.stdout);
    assert_eq!(
        par(&["--version"]).stdout,
        format!("par {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(par(&["explain", "R012"]).stdout.contains("Deadlock"));
    assert!(par(&["explain", "r012"]).stdout.contains("Deadlock"));
    assert!(par(&["explain"]).stdout.lines().count() > 30);
    assert_eq!(par(&["explain", "nonsense"]).exit, 2);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
        .args([
            "-e",
            "let i = 0\nwhile true { print(\"line {i}\"); i += 1 }",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    // The reader is gone now.
    let output = child.wait_with_output().unwrap();
    assert_eq!(line, "line 0\n");
    assert_eq!(output.status.signal(), Some(nix::libc::SIGPIPE));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn ctrl_c_is_an_error_and_then_a_death_by_signal() {
    let code = "print(\"ready\"); try { while true { } } finally { print(\"finally\") }";
    let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["-e", code])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "finally");
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(nix::libc::SIGINT));
}

type Lines<T> = std::io::Lines<BufReader<T>>;

/// A script that has printed that it is ready, with its outputs line by line.
fn ready(code: &str) -> (Child, Pid, Lines<ChildStdout>, Lines<ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["-e", code])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let err = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(out.next().unwrap().unwrap(), "ready");
    let pid = Pid::from_raw(child.id() as i32);
    (child, pid, out, err)
}

/// What a script of so many processes answers to SIGQUIT: a row for each. A test that asks for a minute asks in vain.
fn asked(pid: Pid, err: &mut Lines<ChildStderr>, count: usize, began: Instant) -> Vec<String> {
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT).unwrap();
    let head = err.next().unwrap().unwrap();
    assert_eq!(head, format!("par: {count} processes"));
    let rows: Vec<String> = (0..count).map(|_| err.next().unwrap().unwrap()).collect();
    let is_in_time = began.elapsed() < Duration::from_secs(60);
    assert!(is_in_time, "it never said what was expected: {rows:#?}");
    rows
}

#[test]
fn sigquit_tells_what_every_process_does() {
    let code = "let m = lock(); let [r, w] = pipe(oneway: true)
let holder = spawn(name: \"holder\") { lock m { w.send(1); sleep(60) } }
r.recv()
let wanter = spawn(name: \"wanter\") { lock m { } }
let burner = spawn(name: \"burner\") { let i = 0; while true { i += 1 } }
print(\"ready\"); try { join wanter } finally { print(\"finally\") }";
    let (mut child, pid, mut out, mut err) = ready(code);
    let began = Instant::now();
    // A process that has just been spawned may not be at its wait yet: asked again until it is.
    loop {
        let rows = asked(pid, &mut err, 4, began);
        assert!(rows[0].starts_with("  main "), "{rows:?}");
        let waits = rows[2].contains("waits in `lock` of a lock at <-e>:4")
            && rows[2].contains("held by holder")
            && rows[0].contains("waits in `join` of wanter");
        if waits && rows[3].contains("burner") && rows[3].contains("runs at <-e>:5") {
            break;
        }
    }
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(out.next().unwrap().unwrap(), "finally");
    assert_eq!(child.wait().unwrap().signal(), Some(nix::libc::SIGINT));
}

#[test]
fn sigquit_names_programs_and_who_is_stopped() {
    let code = "let programs = [spawn { `sleep 60.5`.run() }, spawn { `sleep 60.5`.text() }, spawn { join spawn `sleep 60.5` },
  spawn { for line in `sleep 60.5`.lines() { } }, spawn { `sleep 60.5`.check() }]
let rests = spawn { sleep(60) }
let burns = spawn { while true { } }
print(\"ready\")
while true {
  # One that is stopped before it has come to its wait is continued, to come there.
  for p in [rests, burns] { p.signal(\"STOP\") }
  sleep(400ms)
  for p in [rests, burns] { p.signal(\"CONT\") }
  sleep(10ms)
}";
    let (mut child, pid, _out, mut err) = ready(code);
    let began = Instant::now();
    loop {
        let rows = asked(pid, &mut err, 8, began);
        // The one that spawns its program waits in a `join`, where a process has a name and a pid too.
        let named = |row: &String| {
            row.contains(" waits for `sleep 60.5` (pid ")
                || row.contains(" waits in `join` of sleep 60.5 (pid ")
        };
        let rests = rows[6].contains("is stopped by a signal; waits in `sleep` at <-e>:3");
        let burns = rows[7].contains("is stopped by a signal;") && !rows[7].contains("runs");
        if rows[1..6].iter().all(named) && rests && burns {
            break;
        }
    }
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(nix::libc::SIGINT));
}

/// The session's answers, without the greeting.
fn session(lines: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["--color", "never", "-i"])
        .env("PAR_HISTORY", home.path().join("history"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let answers = text.split_once('\n').map_or("", |(_, answers)| answers);
    format!("{answers}{errors}")
}

#[test]
fn the_prompt_shows_values_and_keeps_names() {
    assert_eq!(
        session("1 + 1\n_ * 10\nnil\n\"text\"\n"),
        "2\n20\n\"text\"\n"
    );
    assert_eq!(session("let x = 3\nfn f() { x }\nlet x = 4\nf()\n"), "4\n");
    assert_eq!(session("fn f(a) {\n  a * 2\n}\nf(4)\n"), "8\n");
    assert_eq!(session("print(\"a\")\n:quit\nprint(\"b\")\n"), "a\n");
}

#[test]
fn the_prompt_survives_errors() {
    let answers = session("let x = [1][5]\nx\n2 + 2\nlet = 3\n5\n");
    assert!(answers.starts_with("4\n5\n"), "{answers}");
    assert!(answers.contains("IndexError"), "{answers}");
    assert!(answers.contains("unknown name `x`"), "{answers}");
}

#[test]
fn a_pool_knows_what_was_typed_after_it() {
    let pool = "let p = pool(2)\np.map(fn(x) => x, 0..4, chunk: 1).len()\n";
    let answers = session(&format!(
        "{pool}let y = 5\np.map(fn(x) => x + y, 0..3)\nfn g(x) {{ x * 3 }}\np.submit(g, 1).result()\n\
         p.imap(fn(x) => x - 1, 0..3).list()\np.map(fn(x) => x * y, (0..).take(2).map(g))\n"
    ));
    assert_eq!(answers, "4\n[5, 6, 7]\n3\n[-1, 0, 1]\n[0, 15]\n");
    // Structs too; and who knows enough stays.
    let count = "sum([r.processes for r in p.stats()])\n";
    let answers = session(&format!(
        "fn g(x) {{ x + 1 }}\n{pool}struct Box {{ n }}\np.map(fn(b) => b.n, [Box(3)])\np.resize(1)\n\
         while p.stats().len() > 1 {{ sleep(1ms) }}\np.apply(g, 1)\nlet before = {count}p.apply(g, 2)\n{count}_ == before\n"
    ));
    assert!(answers.starts_with("4\n[3]\n2\n3\n"), "{answers}");
    assert!(answers.ends_with("true\n"), "{answers}");
    // A process that only waits for a message cannot be made anew.
    let answers = session(
        "let q = queue()\nlet w = spawn { let f = q.get(); f(1) }\nq.put(fn(x) => x + 41)\njoin w\n",
    );
    assert!(answers.contains("make it after the function"), "{answers}");
}

#[test]
fn the_prompt_helps() {
    let answers = session("## Says hello.\nfn hello(name, loud = false) { name }\n:help hello\n");
    assert!(answers.contains("hello(name, [loud])"), "{answers}");
    assert!(answers.contains("Says hello."), "{answers}");
    assert!(session(":help print\n").contains("standard output"));
    assert!(session(":help list.push\n").contains("list.push("));
    assert!(session("let xs = [1]\n:help xs.push\n").contains("list.push("));
    assert!(session(":help spawn\n").contains("process"));
    let file = tempfile::Builder::new().suffix(".par").tempfile().unwrap();
    let text = "## Greets.\n##\n##     hi(1)\nfn hi(name) { name }\n## A box.\nstruct Box {\n  x\n  ## Opens it.\n  fn open(self) { self.x }\n}\nconst n = 3\n";
    std::fs::write(file.path(), text).unwrap();
    let import = format!("import {:?} as lib\nimport json as j\n", file.path());
    let asked = |name: &str| session(&format!("{import}:help {name}\n"));
    assert!(asked("lib.hi").contains("fn hi(name)\n  Greets.\n\n      hi(1)"));
    assert!(asked("lib.Box").contains("A box.") && asked("lib.Box.open").contains("Opens it."));
    let all = asked("lib");
    assert!(
        all.contains("fn hi(name)\n  Greets.\nstruct Box(x)\n  A box.")
            && all.contains("n is a value"),
        "{all}"
    );
    assert!(asked("j.loads").contains("json.loads(text)"));
    assert!(asked("lib.nothing").contains("nothing is known"));
    assert!(session(":help pritn\n").contains("did you mean `print`?"));
}

#[test]
fn arguments_and_names_that_are_no_utf8_come_and_go_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(OsStr::from_bytes(b"a\xff")), "").unwrap();
    let script = "import os; print(args[0]); for name in os.listdir(args[1]) { print(name) }";
    let out = Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["-e", script])
        .arg(OsStr::from_bytes(b"caf\xe9"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(out.stdout, b"caf\xe9\na\xff\n");
    assert_eq!(out.stderr, b"");
}

#[test]
fn what_nobody_keeps_is_closed_before_descriptors_run_out() {
    let code = r#"
        import csv
        import json
        for i in 0..2000 { for l in open(args[0]) { break } }
        for i in 0..2000 { open(args[0]).read() }
        for i in 0..300 { let p = `cat`.start(); p.stdin.close(); join p }
        for i in 0..100 { let p = `cat`.start(); p.stdin.write("x\n"); p.stdout.readline() }
        for i in 0..500 { let row = csv.rows(args[0]).next(); csv.maps(args[0]).next([]) }
        for i in 0..500 { try { json.lines(args[0]).next() } catch e: ValueError { } }
        let kept = [open(args[0]) for i in 0..60]
        for i in 0..500 { open(args[0]).readlines() }
        print(len(kept), len(kept[59].read()) > 0)
    "#;
    let shell = "ulimit -n 128; exec \"$0\" -e \"$1\" Cargo.toml";
    let output = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_par"), code])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "60 true\n");
}

#[test]
fn descriptors_that_have_run_out_are_one_kind_of_error() {
    let code = r#"
        import fs
        let kept = []
        fn kind(f) { try { f(); "none" } catch e { e.kind } }
        while true { try { kept.push(open("/dev/null")) } catch e { print(e.kind); break } }
        print(kind(fn() => `echo`.text()), kind(fn() => `echo`.check()), kind(fn() => `cat`.start()))
        print(kind(fn() => `cat`.input(b"abc").check()), kind(fn() => fs.read("/dev/null")))
        print(kind(fn() => queue()), kind(fn() => join spawn { 1 }), kind(fn() => pool(2)))
        for file in kept { file.close() }
        print(`echo works`.text().strip(), join spawn { 1 })
    "#;
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 20; exec \"$0\" -e \"$1\""])
        .args([env!("CARGO_BIN_EXE_par"), code])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let limits = |count| ["LimitExceeded"; 3][..count].join(" ");
    let wanted = format!(
        "{}\n{}\n{}\n{}\nworks 1\n",
        limits(1),
        limits(3),
        limits(2),
        limits(3)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
}

#[test]
fn ctrl_c_at_the_prompt_ends_what_its_line_has_started() {
    let text = session(
        "let p = spawn `sleep 73`; let q = spawn { sleep(74) }; let r = pool(2)\n\
         let s = spawn `sleep 75`; let t = spawn { sleep(76) }; `kill -INT {current_process().pid}`.run(); sleep(9)\n\
         print(p.alive, q.alive, s.alive, t.alive, r.map(fn(x) => x * 2, [1, 2])); q.kill()\n",
    );
    assert!(text.contains("true true false false [2, 4]\n"), "{text}");
    assert!(text.contains("Interrupted"), "{text}");
}

#[test]
fn what_an_earlier_line_has_started_is_told_of_after_a_ctrl_c() {
    let text = session(
        "let p = spawn(name: \"early\") { throw error(\"of the first line\") }\n\
         while p.alive { sleep(1ms) }; `kill -INT {current_process().pid}`.run(); sleep(9)\n\
         print(\"on\")\n",
    );
    assert!(
        text.contains("Interrupted") && text.contains("on\n"),
        "{text}"
    );
    assert!(text.contains("of the first line"), "{text}");
}

//! Ctrl-C and SIGTERM, from every place at which a script can be: the terminal's whole group gets the signal, as it does from
//! a terminal, and then `finally` and `defer` have run where the manual says so, the status tells the signal, and nothing is
//! left.
//!
//! Each case is a script that is at its place soon after it has said so; the signal comes a random moment later.

mod common;

use common::chance::Random;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What each case has around it: another process, which holds everything, so that no wait is a deadlock.
const BEFORE: &str = r#"
let [q, tasks, full] = [queue(), queue(), queue(1)]
full.put(1)
tasks.put(1)
let [left, right] = pipe()
let [m, s, ev, b] = [lock(), semaphore(0), event(), barrier(2)]
let c = condition(lock())
let up = event()
defer print("defer")
let other = spawn(name: "other") {
  defer print("defer of a child")
  lock m {
    try { [q, tasks, full, left, s, ev, b, c].len(); up.set(); sleep(1h) } finally { print("finally of a child") }
  }
}
up.wait()
"#;

/// Names of places, and how one comes there.
const PLACES: [(&str, &str); 43] = [
    ("a loop", "while true { }"),
    (
        "a loop of calls",
        "fn f(x) { x + 1 }; let i = 0; while true { i = f(i) % 10 }",
    ),
    ("get", "q.get()"),
    ("get in time", "q.get(timeout: 1h)"),
    ("take", "q.take()"),
    ("leases", "for l in q.leases() { }"),
    ("items", "for x in q { }"),
    ("put", "full.put(2)"),
    ("recv", "right.recv()"),
    ("poll", "right.poll(timeout: 1h)"),
    ("send", "while true { right.send(\"x\" * 65536) }"),
    ("lock", "lock m { }"),
    ("lock in time", "lock(timeout: 1h) m { }"),
    ("acquire", "s.acquire()"),
    ("an event", "ev.wait()"),
    ("a condition", "lock c { c.wait() }"),
    ("a barrier", "b.wait()"),
    ("join", "join other"),
    ("join of several", "join [other, spawn { sleep(1h) }]"),
    ("join of a queue", "join tasks"),
    ("wait", "other.wait()"),
    ("wait_any", "wait_any([other])"),
    (
        "select",
        "select { case x = q.get() { } case y = right.recv() { } }",
    ),
    ("sleep", "sleep(1h)"),
    ("input", "input()"),
    ("a program", "`sleep 1000`.run()"),
    ("the text of a program", "(`sleep 1000` | `cat`).text()"),
    (
        "the lines of a program",
        "for line in `sleep 1000`.lines() { }",
    ),
    ("a spawned program", "join spawn `sleep 1000`"),
    (
        "a shell in the background",
        "sh(\"sleep 1000 & sleep 1000\").run()",
    ),
    (
        "pool map",
        "pool map(workers: 2) x in [1, 2, 3] { sleep(1h) }",
    ),
    (
        "pool map that computes",
        "pool map(workers: 2) x in [1, 2, 3] { while true { } }",
    ),
    (
        "map of a pool",
        "with pool(2) as p { p.map(fn(x) { sleep(1h) }, [1, 2, 3]) }",
    ),
    (
        "result of a future",
        "with pool(1) as p { p.submit(fn() { sleep(1h) }).result() }",
    ),
    (
        "a stream of a pool",
        "with pool(1) as p { for x in p.imap(fn(x) { sleep(1h) }, 0..) { } }",
    ),
    ("a scope", "scope { spawn { sleep(1h) } }"),
    (
        "the block of a scope",
        "scope { spawn { sleep(1h) }; while true { } }",
    ),
    (
        "nested scopes",
        "scope { spawn { scope { spawn { sleep(1h) }; q.get() } }; scope { spawn { while true { } } } }",
    ),
    (
        "sorting",
        "let xs = [i * 7919 % 1000003 for i in 0..600_000]; while true { sorted(xs) }",
    ),
    (
        "a filter that nothing passes",
        "(0..).filter(fn(x) => x < 0).next()",
    ),
    ("a long skip", "(0..).skip(100_000_000_000).next()"),
    (
        "a skip_while of all",
        "(0..).skip_while(fn(x) => x >= 0).next()",
    ),
    ("in an iterator", "3 in (10..).map(fn(x) => x)"),
];

/// Single steps of built-in functions that take seconds: the second look at a text of 17 MB. (Where it takes less than two
/// seconds on a fast machine, the case is as good as a loop.) They make few objects: the collector's work is not what is looked at.
const STEPS: [(&str, &str); 16] = [
    (
        "a match that never comes",
        "re.search(\"(?:[a-z]+ )+[0-9]{7}\", text)",
    ),
    (
        "a word that never comes",
        "re.search(\"\\\\b(?:[a-z]+ )+[0-9]{7}\\\\b\", text)",
    ),
    ("matches", "re.findall(\"[a-z]+\", text)"),
    ("replaced matches", "re.sub(\"o\", \"0\", text)"),
    ("parts between matches", "re.split(\",\", text)"),
    ("replaced parts", "text.replace(\"o\", \"00\")"),
    ("words", "text.split()"),
    ("characters", "text.chars()"),
    ("upper case", "text.upper()"),
    ("titles", "text.title()"),
    (
        "JSON that is read",
        "json.loads(\"[\" + \"2.5, \" * 4_000_000 + \"0.5]\")",
    ),
    ("JSON that is written", "json.dumps(parts)"),
    ("a value as a text", "str([parts] * 6)"),
    ("a shared value as a text", "str(shared.ints(3_000_000))"),
    ("CSV", "csv.loads(table)"),
    (
        "Base64",
        "base64.unhex(base64.hex(base64.b64decode(base64.b64encode(text))))",
    ),
];

/// What each of them has before it.
const TEXT: &str = r#"
import re; import json; import csv; import base64
let text = "the quick brown fox, 42\n" * 700_000
let parts = [i for i in 0..3_000_000]
let table = ("a,\"b,b\",c," * 10 + "\n") * 200_000
"#;

/// How long all cases may take together, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Case {
    name: &'static str,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Case {
    fn start(name: &'static str, before: &str, code: &str) -> Case {
        let script = format!(
            "{before}{BEFORE}try {{ print(\"ready\"); {code} }} finally {{ print(\"finally\") }}"
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
            .args(["-e", &script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Case {
            name,
            child,
            stdout,
        }
    }

    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        if line != "ready\n" {
            let mut errors = String::new();
            let _ = self
                .child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut errors);
            panic!("{}: {line}{errors}", self.name);
        }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// What it printed until the last process that could has ended, and the signal that it died by; what is wrong otherwise.
    fn end(mut self, begin: Instant) -> Result<(String, Option<i32>), String> {
        let group = self.group();
        let (sender, receiver) = mpsc::channel();
        let (mut stdout, mut stderr) = (self.stdout, self.child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let (mut printed, mut errors) = (String::new(), String::new());
            let _ = stdout.read_to_string(&mut printed);
            let _ = stderr.read_to_string(&mut errors);
            let _ = sender.send((printed, errors));
        });
        let left = PATIENCE.saturating_sub(begin.elapsed());
        let Ok((printed, errors)) = receiver.recv_timeout(left) else {
            let _ = killpg(group, Signal::SIGKILL);
            return Err(format!("{}: it has not ended", self.name));
        };
        let status = self.child.wait().unwrap();
        // Whoever is only on the way out of the kernel may be seen for a moment.
        while killpg(group, None).is_ok() {
            if begin.elapsed() > PATIENCE {
                let _ = killpg(group, Signal::SIGKILL);
                return Err(format!("{}: something of its group is left", self.name));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        for bad in ["panicked", "InternalError", "Deadlock"] {
            if errors.contains(bad) {
                return Err(format!("{}: {errors}", self.name));
            }
        }
        Ok((printed + &errors, status.signal()))
    }
}

/// Sends a signal to every case and gives what came of each. `before`: what each of them begins with.
fn all(
    places: &[(&'static str, &str)],
    at_once: usize,
    before: &str,
    signal: Signal,
    seed: u64,
) -> Vec<(&'static str, String, Option<i32>)> {
    let mut random = Random::new(seed);
    let mut answers = Vec::new();
    let mut problems = Vec::new();
    // A few at a time: all at once would wait for one another's processor.
    for some in places.chunks(at_once) {
        let mut cases: Vec<Case> = some
            .iter()
            .map(|(name, code)| Case::start(name, before, code))
            .collect();
        cases.iter_mut().for_each(Case::wait_until_ready);
        std::thread::sleep(Duration::from_millis(random.below(200)));
        let begin = Instant::now();
        for case in &cases {
            killpg(case.group(), signal).unwrap();
        }
        for case in cases {
            let name = case.name;
            match case.end(begin) {
                Ok((printed, by)) => answers.push((name, printed, by)),
                Err(problem) => problems.push(problem),
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    answers
}

/// Sends Ctrl-C: `finally` and `defer` must have run, and the status must tell of it.
fn interrupted(places: &[(&'static str, &str)], at_once: usize, before: &str) {
    let mut problems = Vec::new();
    for (name, printed, signal) in all(places, at_once, before, Signal::SIGINT, 1) {
        let wanted = [
            "finally\n",
            "defer\n",
            "finally of a child\n",
            "defer of a child\n",
        ];
        let missing: Vec<&str> = wanted
            .into_iter()
            .filter(|part| !printed.contains(part))
            .collect();
        if !missing.is_empty() || signal != Some(Signal::SIGINT as i32) {
            problems.push(format!(
                "{name}: without {missing:?}, died by {signal:?}\n{printed}"
            ));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn ctrl_c_runs_what_cleans_up_and_ends_everything() {
    interrupted(&PLACES, 8, "");
}

/// Half of the time goes into the end of pools that nobody keeps: the collector ends them, and must not hear what is for the script.
#[test]
fn ctrl_c_is_heard_while_the_collector_ends_pools() {
    interrupted(
        &[("pools that nobody keeps", "while true { pool(2) }"); 12],
        4,
        "",
    );
}

#[test]
fn ctrl_c_is_heard_in_the_middle_of_a_long_step() {
    let loops: Vec<(&str, String)> = STEPS
        .iter()
        .map(|(name, code)| (*name, format!("while true {{ {code} }}")))
        .collect();
    let loops: Vec<(&str, &str)> = loops.iter().map(|(name, code)| (*name, &**code)).collect();
    interrupted(&loops, 2, TEXT);
}

#[test]
fn sigterm_ends_everything_at_once() {
    for (name, printed, signal) in all(&PLACES, 8, "", Signal::SIGTERM, 2) {
        assert_eq!(signal, Some(Signal::SIGTERM as i32), "{name}: {printed}");
    }
}

/// A pool whose tasks run, outside of `with` and of a scope: how it comes about, and where the main process is then.
const POOLS: [(&str, &str, &str); 5] = [
    (
        "a result",
        "let p = pool(2); let given = [p.submit(task) for _ in 0..2]",
        "given[0].result()",
    ),
    (
        "a loop beside more tasks than workers",
        "let p = pool(2); let given = [p.submit(task) for _ in 0..6]",
        "while true { }",
    ),
    (
        "a long finally",
        "let p = pool(2); let given = [p.submit(task) for _ in 0..6]",
        "try { sleep(1h) } finally { sleep(500ms) }",
    ),
    (
        "a pool of a child",
        "let owner = spawn { let p = pool(2); let given = [p.submit(task) for _ in 0..3]; given[0].result() }",
        "join owner",
    ),
    (
        "a stream that is not read",
        "let p = pool(2); let xs = p.imap_unordered(fn(x) => task(), 0..10)",
        "sleep(1h)",
    ),
];

#[test]
fn ctrl_c_runs_what_cleans_up_in_every_task_that_runs() {
    let begin = "let begun = queue()
fn task() { begun.put(1); try { sleep(1h) } finally { sleep(20ms); print(\"finally of a task\") } }
";
    let mut problems = Vec::new();
    for (name, pool, code) in POOLS {
        let before = format!("{begin}{pool}\nbegun.get(); begun.get()\n");
        let cases = [(name, code); 4];
        for (name, printed, signal) in all(&cases, 4, &before, Signal::SIGINT, 3) {
            let count = printed.matches("finally of a task\n").count();
            if count != 2 || signal != Some(Signal::SIGINT as i32) {
                problems.push(format!("{name}: {count}, died by {signal:?}\n{printed}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Has a script drive another one on a terminal of its own, and gives what it prints.
fn driven(script: &str, keys: &str) -> String {
    let driver = format!(
        "let p = `{{args[0]}} -e {{args[1]}}`.terminal(echo: false).start()
        fn until(what) => p.stdout.read_until(what, timeout: 30s)
        fn key(what, k) {{ until(what); p.stdin.write(k) }}
        {keys}
        print(p.wait(timeout: 30s), p.exitcode)"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["-e", &driver, env!("CARGO_BIN_EXE_par"), script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [printed, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    printed + &errors
}

/// As in a shell: what a program that shares the terminal does of Ctrl-C says what that was for.
#[test]
fn ctrl_c_is_first_the_business_of_a_program_that_has_the_terminal() {
    // It uses the key itself, more than once, and ends later in its own way: the script goes on.
    let own = r#"let r = sh("trap 'echo caught' INT; echo ready; until read line; do :; done; echo got $line; exit 3").run()
        print("went on with", r.code)
        print(`true`.run().ok)"#;
    let keys = r#"key("ready", "\x03"); key("caught", "\x03"); key("caught", "\x03"); key("caught", "line\n")
        until("got line"); until("went on with 3"); until("true")"#;
    assert_eq!(driven(own, keys), "true 0\n");
    // It dies of the key: the script is interrupted, and cleans up.
    let dies = r#"let other = spawn { try { sleep(1h) } finally { print("other cleans up") } }
        try { sh("echo ready; exec sleep 1000").run() } finally { print("cleans up") }"#;
    let keys = r#"key("ready", "\x03"); until("leans up"); until("leans up")"#;
    assert_eq!(driven(dies, keys), "true -2\n");
    // So it is by a program that tells it as a shell does, after it has cleaned up for longer than any grace.
    let tells = r#"try { sh("trap 'sleep 2.5; echo removed; exit 130' INT; echo ready; while :; do sleep 0.1; done").check() } catch e { print(e.kind) }"#;
    let keys = r#"key("ready", "\x03"); until("removed"); until("Interrupted")"#;
    assert_eq!(driven(tells, keys), "true 0\n");
    // One that ignores it leaves it to the script, which ends it in the grace.
    let deaf = r#"try { sh("trap '' INT; echo ready; sleep 1000").run() } catch e { print("{e.kind} came") }"#;
    let keys = r#"key("ready", "\x03"); until("Interrupted came")"#;
    assert_eq!(driven(deaf, keys), "true 0\n");
    // So does what a program has left behind, which holds its output open. (A key that comes before the shell has ended is the
    // shell's; who sees nothing happen presses again, not as fast as one without patience.)
    let left = r#"try { sh("sleep 1000 & echo ready").tee("/dev/null").run() } catch e { print("{e.kind} came") }"#;
    let keys = r#"until("ready"); for i in 0..20 { try { p.stdin.write("\x03") } catch e { break }; if p.wait(timeout: 700ms) { break } }
        until("Interrupted came")"#;
    assert_eq!(driven(left, keys), "true 0\n");
    // Whoever has no patience ends everything.
    let stuck = r#"sh("trap : INT; echo ready; while :; do sleep 1000; done").run()"#;
    let keys = r#"until("ready"); for i in 0..100 { try { p.stdin.write("\x03") } catch e { break }; if p.wait(timeout: 50ms) { break } }"#;
    assert_eq!(driven(stuck, keys), "true -2\n");
}

/// Whoever starts a script may have blocked the signals that it ends by, and a mask is inherited.
#[test]
fn signals_that_were_blocked_at_the_start_are_heard() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut command = Command::new("env");
        command.args([
            "--block-signal=INT,TERM,HUP,CHLD",
            env!("CARGO_BIN_EXE_par"),
        ]);
        // It ends by itself when it does not hear.
        command.args(["-e", "print(\"up\"); sleep(20s)"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut up = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut up).unwrap();
        nix::sys::signal::kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            (up.as_str(), status.signal()),
            ("up\n", Some(signal as i32))
        );
    }
}

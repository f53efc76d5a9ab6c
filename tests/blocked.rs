//! Ctrl-C, cancellations and time-outs in calls of the system that last as long as somebody outside likes: printing for a reader who
//! has stopped, named pipes whose other end nobody opens, reads or fills. `finally` runs in every process, at once.
//!
//! Each script says on one stream that it is at its place, and is stuck with the other, which nobody reads.

use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a loaded machine: on an idle one each case takes some ten milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// What each script has before it: `done` leaves a file behind.
const BEFORE: &str = r#"
import path
import fs
fn done(name) { fs.write("done-" + name, "") }
"#;

/// A script, and the files that it leaves behind when Ctrl-C has come.
const INTERRUPTED: [(&str, &str, &[&str]); 12] = [
    (
        "print",
        r#"try { ready(); print("y" * 1_000_000) } finally { done("main") }"#,
        &["main"],
    ),
    (
        "print of a child",
        r#"join spawn { try { ready(); print("y" * 1_000_000) } finally { done("child") } }"#,
        &["child"],
    ),
    (
        "print, and a child that only sleeps",
        r#"spawn { try { sleep(1h) } finally { done("child") } }; ready(); print("y" * 1_000_000)"#,
        &["child"],
    ),
    (
        "print, and others that wait for their turn",
        r#"let began = queue()
for i in 0..2 { spawn { try { began.put(i); print("y" * 1_000_000) } finally { done("child{i}") } } }
began.get(); began.get()
try { ready(); print("z" * 5_000) } finally { done("main") }"#,
        &["child0", "child1", "main"],
    ),
    (
        "print of small texts",
        r#"try { ready(); while true { print("y" * 100) } } finally { done("main") }"#,
        &["main"],
    ),
    (
        "prints of items that are told in their order",
        r#"try { ready(); pool map(workers: 2, output: "ordered") x in 0..4 { print("y" * 1_000_000); x } } finally { done("main") }"#,
        &["main"],
    ),
    (
        "the same of a source that is read",
        r#"try { ready(); pool map(workers: 2, output: "ordered") x in (0..4).map(fn(x) => x) { print("y" * 1_000_000); x } } finally { done("main") }"#,
        &["main"],
    ),
    (
        "the same in a pool",
        r#"try { ready(); with pool(2) as p { p.map(fn(x) { print("y" * 1_000_000); x }, 0..4, output: "ordered") } } finally { done("main") }"#,
        &["main"],
    ),
    (
        "reading a named pipe",
        r#"join spawn { try { ready(); open("pipe").read() } finally { done("child") } }"#,
        &["child"],
    ),
    (
        "writing to a named pipe that nobody reads",
        r#"let reader = spawn { let pipe = open("pipe"); try { sleep(1h) } finally { done("reader") } }
try { let out = open("pipe", "w"); ready(); out.write("y" * 1_000_000) } finally { done("main") }"#,
        &["main", "reader"],
    ),
    (
        "opening a named pipe to write a whole file",
        r#"try { ready(); fs.write("pipe", "x") } finally { done("main") }"#,
        &["main"],
    ),
    (
        "the named pipe of a command",
        r#"try { ready(); `cat`.stdin("pipe").run() } finally { done("main") }"#,
        &["main"],
    ),
];

/// A script that ends by itself, and the files that it leaves behind.
const ENDING: [(&str, &str, &[&str]); 4] = [
    (
        "a cancelled print",
        r#"let p = spawn { try { done("begun"); print("y" * 1_000_000) } finally { done("child") } }
while not path.exists("done-begun") { sleep(1ms) }
sleep(50ms)
if p.cancel(grace: 1h) { done("in-time") }"#,
        &["begun", "child", "in-time"],
    ),
    (
        "the time-out of a scope around a print",
        r#"try { scope(timeout: 100ms) { print("y" * 1_000_000) } } catch e { done(e.kind) }"#,
        &["Timeout"],
    ),
    (
        "the time-out of a scope around what is written in buffers",
        r#"import json
import csv
let reader = spawn(daemon: true) { let pipe = open("pipe"); sleep(1h) }
for f in [fn() => json.dump_lines((0..).map(fn(i) => "x" * 1000), "pipe"), fn() => csv.dump((0..).map(fn(i) => ["x" * 1000]), "pipe")] {
  try { scope(timeout: 100ms) { f() } } catch e { done(e.kind) }
}"#,
        &["Timeout"],
    ),
    (
        "the time-out of a scope around a named pipe",
        r#"try { scope(timeout: 100ms) { fs.read("pipe") } } catch e { done(e.kind) }"#,
        &["Timeout"],
    ),
];

/// A script that is stuck with its pipe until what it looks after has gone on, and the files that it leaves behind.
const LOOKING_AFTER: [(&str, &str, &[&str]); 4] = [
    (
        "reading a named pipe while a worker dies",
        r#"let go = queue()
let w = spawn { let f = open("pipe", "w"); f.write("x"); f.flush(); go.get(); f.close() }
let p = pool(1)
p.submit(fn() { sleep(100ms); current_process().kill() })
p.submit(fn() { go.put(1) })
done(fs.read("pipe"))"#,
        &["x"],
    ),
    (
        "writing to a named pipe while a worker dies",
        r#"let go = queue()
shared workers = 0
let w = spawn { let f = open("pipe"); go.get(); done("{f.read().len()}") }
let f = open("pipe", "w")
let p = pool(1, init: fn() { workers.value += 1; if workers.value > 1 { go.put(1); f.write("i") } })
p.submit(fn() { sleep(100ms); current_process().kill() })
f.write("y" * 1_000_000)
f.close()
p.submit(fn() { nil }).result()
p.terminate()
join w"#,
        &["1000001"],
    ),
    (
        "reading a named pipe while somebody joins a program",
        r#"let a = `seq 300000`.start()
let w = spawn { let f = open("pipe", "w"); f.write("x"); f.flush(); join a; f.close() }
done(fs.read("pipe"))"#,
        &["x"],
    ),
    (
        "writing to a named pipe while somebody joins a program",
        r#"let a = `seq 300000`.start()
let w = spawn { let f = open("pipe"); join a; f.read(); done("reader") }
fs.write("pipe", "y" * 1_000_000)
join w"#,
        &["reader"],
    ),
];

/// Scripts that print a long text which nobody reads before the file `done-before` is there. What is reported meanwhile stands behind it.
const PRINTING: [(&str, &str); 3] = [
    (
        "a worker dies",
        r#"let p = pool(2)
p.submit(fn() { sleep(50ms); throw error("of which nobody asks") })
for i in 0..200_000 { [i] }
p.submit(fn() { sleep(100ms); current_process().kill() })
p.submit(fn() { sleep(100ms); current_process().kill() })
p.submit(fn() { done("before") })
print("y" * 1_000_000)
p.close()
try { p.join() } catch e { }"#,
    ),
    (
        "somebody joins a program",
        r#"let a = `seq 300000`.start()
let w = spawn { join a; done("before") }
print("y" * 1_000_000)
join w"#,
    ),
    (
        "a worker dies, and another process has the turn",
        r#"let w = spawn { done("begun"); print("y" * 1_000_000) }
while not path.exists("done-begun") { sleep(1ms) }
sleep(50ms)
let p = pool(1)
p.submit(fn() { sleep(100ms); current_process().kill() })
p.submit(fn() { done("before") })
print("z")
join w
p.close()
try { p.join() } catch e { }"#,
    ),
];

/// One process is stopped in the middle of its text, and the print of another has its turn all the same. It stops again behind that.
const STOPPED: &str = r#"
fn state(p) { fs.read("/proc/{p.pid}/stat").split(") ")[1][0] }
let a = spawn { done("begun"); print("y" * 1_000_000); sleep(1ms); done("continued") }
while not path.exists("done-begun") { sleep(1ms) }
sleep(100ms)
a.signal("STOP")
while state(a) != "T" { sleep(1ms) }
done("before")
print("z")
done("printed")
while state(a) != "T" { sleep(1ms) }
if path.exists("done-continued") { done("too-early") }
a.signal("CONT")
join a"#;

/// Starts a script in a directory of its own. It tells on standard error that it is ready, unless that is what nobody reads.
fn start(folder: &Path, code: &str, stuck_at_error: bool) -> Child {
    let (tell, code) = match stuck_at_error {
        true => ("print", code.replace("print(\"", "eprint(\"")),
        false => ("eprint", code.to_string()),
    };
    let script = format!("{BEFORE}fn ready() {{ {tell}(\"ready\") }}\n{code}");
    mkfifo(&folder.join("pipe"), Mode::S_IRWXU).unwrap();
    Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["-e", &script])
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for its end, while nobody reads what it is stuck with; the signal that it died by.
fn end_of(name: &str, child: &mut Child) -> Option<i32> {
    let group = Pid::from_raw(child.id() as i32);
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.signal();
        }
        if begin.elapsed() > PATIENCE {
            let _ = killpg(group, Signal::SIGKILL);
            panic!("{name}: it has not ended");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The files that a script has left behind.
fn left_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut done: Vec<String> = names
        .filter_map(|name| Some(name.strip_prefix("done-")?.to_string()))
        .collect();
    done.sort();
    done
}

fn interrupt(name: &str, code: &str, wanted: &[&str], stuck_at_error: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path(), code, stuck_at_error);
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let told: &mut dyn Read = if stuck_at_error { &mut out } else { &mut err };
    let mut line = String::new();
    BufReader::with_capacity(1, told)
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n", "{name}");
    std::thread::sleep(Duration::from_millis(100));
    killpg(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let signal = end_of(name, &mut child);
    assert_eq!(left_in(folder.path()), wanted, "{name}");
    assert_eq!(signal, Some(Signal::SIGINT as i32), "{name}");
}

#[test]
fn ctrl_c_is_heard_where_somebody_outside_lets_a_process_wait() {
    for (name, code, wanted) in INTERRUPTED {
        interrupt(name, code, wanted, false);
    }
}

#[test]
fn ctrl_c_is_heard_where_nobody_reads_standard_error() {
    // The last text that is not read is the report of the Ctrl-C itself: it is given up.
    for (name, code, wanted) in &INTERRUPTED[..3] {
        interrupt(name, code, wanted, true);
    }
}

#[test]
fn cancellations_and_time_outs_are_heard_there_too() {
    for (name, code, wanted) in ENDING {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(folder.path(), code, false);
        let signal = end_of(name, &mut child);
        assert_eq!(
            (left_in(folder.path()), signal),
            (wanted.iter().map(|s| s.to_string()).collect(), None),
            "{name}"
        );
    }
}

#[test]
fn what_a_process_looks_after_goes_on_while_others_let_it_wait() {
    for (name, code, wanted) in LOOKING_AFTER {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(folder.path(), code, false);
        end_of(name, &mut child);
        assert_eq!(left_in(folder.path()), wanted, "{name}");
    }
}

#[test]
fn what_a_process_looks_after_goes_on_while_nobody_reads_its_print() {
    for (name, code) in PRINTING {
        let (told, _) = read_late(name, code);
        let text = "y".repeat(1_000_000) + "\n";
        assert!(told.contains(&text), "{name}: cut, {} bytes", told.len());
    }
}

#[test]
fn who_is_stopped_in_the_middle_of_a_print_lets_others_print() {
    let (told, left) = read_late("stopped", STOPPED);
    assert_eq!(told, "y".repeat(1_000_000) + "\nz\n");
    assert_eq!(left, ["before", "begun", "continued", "printed"]);
}

/// Runs a script whose output nobody reads before the file `done-before` is there: what it has printed, and the files that it leaves
/// behind.
fn read_late(name: &str, code: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    // Reports go the same way: they wait for the turn of the text, or for its end.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
        .args(["-e", &format!("{BEFORE}{code}")])
        .current_dir(folder.path())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !folder.path().join("done-before").exists() {
        if begin.elapsed() > PATIENCE {
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            panic!("{name}: it looks after nothing");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let told = std::thread::spawn(move || {
        let mut told = String::new();
        reader.read_to_string(&mut told).map(|_| told)
    });
    end_of(name, &mut child);
    (told.join().unwrap().unwrap(), left_in(folder.path()))
}

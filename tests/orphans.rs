//! No orphans: however a process ends, nothing of what was below it lives on.
//!
//! Random trees of processes with shells in them, whose jobs run in the background, in other sessions and without their
//! parents; a random node is killed, or the main process at a random moment of the start. `PAR_ORPHAN_ROUNDS=1000` repeats;
//! `PAR_ORPHAN_SEED` begins elsewhere.

mod common;

use common::sandbox::run_disturbed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long what is below a killed process may live on.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a tree may take to stand, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn rounds() -> u64 {
    let text = std::env::var("PAR_ORPHAN_ROUNDS");
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

fn first_seed() -> u64 {
    let text = std::env::var("PAR_ORPHAN_SEED");
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Numbers that look random; the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn binary() -> String {
    let other = std::env::var("PAR_TEST_BINARY").ok();
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_par").to_string())
}

/// A variable in the environment of a process; `None` when it is gone.
fn variable(pid: Pid, name: &str) -> Option<String> {
    let all = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = format!("{name}=");
    let found = all
        .split(|byte| *byte == 0)
        .find_map(|one| one.strip_prefix(prefix.as_bytes()))?;
    Some(String::from_utf8_lossy(found).into_owned())
}

fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next().map(str::to_string));
    state.is_some_and(|state| state != "Z" && state != "X")
}

fn is_below(path: &str, of: &str) -> bool {
    path.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The processes of Par, by their paths in the tree.
fn nodes(folder: &Path) -> HashMap<String, Pid> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "node"));
    let lines = files.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    lines
        .filter_map(|line| {
            let (path, pid) = line.split_once(' ')?;
            Some((path.to_string(), Pid::from_raw(pid.parse().ok()?)))
        })
        .collect()
}

fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < limit, "{what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begin.elapsed()
}

/// Runs a tree and lets `disturb` look at it and kill in it.
fn with_tree(seed: u64, disturb: impl FnOnce(&Path, &dyn Fn() -> Vec<Pid>)) {
    let folder = tempfile::tempdir().unwrap();
    let script = common::root().join("tests/orphans/tree.par");
    let args = [
        script.display().to_string(),
        seed.to_string(),
        folder.path().display().to_string(),
        String::from("4"),
    ];
    let outcome = run_disturbed(&binary(), folder.path(), &args, "", PATIENCE, |processes| {
        disturb(folder.path(), processes);
    });
    assert!(
        !outcome.timed_out,
        "seed {seed}: the script was to be killed, but goes on"
    );
    assert!(
        outcome.leftovers.is_empty(),
        "seed {seed}: left behind: {:?}\n{}",
        outcome.leftovers,
        outcome.stderr
    );
}

#[test]
fn nothing_below_a_killed_process_lives_on() {
    let (mut longest, mut killed) = (Duration::ZERO, 0);
    for seed in first_seed()..first_seed() + rounds() {
        with_tree(seed, |folder, processes| {
            let mut dice = Dice(seed);
            stands(seed, folder, processes);
            let nodes = nodes(folder);
            // What can be killed: every process of Par, and the program that each job began with.
            let mut all: Vec<(String, Pid)> = nodes
                .iter()
                .map(|(path, pid)| (path.clone(), *pid))
                .collect();
            for pid in processes() {
                let leads = nix::unistd::getpgid(Some(pid)) == Ok(pid) && !is_session_leader(pid);
                if let Some(path) = variable(pid, "NODE").filter(|_| leads) {
                    all.push((path, pid));
                }
            }
            all.sort();
            let (path, pid) = all[dice.below(all.len() as u64) as usize].clone();
            let is_process = nodes.contains_key(&path);
            kill(pid, Signal::SIGKILL).unwrap();
            killed += 1;
            let took = wait_until(
                &format!("seed {seed}: all below {path} ends"),
                LIMIT,
                || {
                    let programs = processes()
                        .into_iter()
                        .filter_map(|pid| variable(pid, "NODE"));
                    let mut below = programs.filter(|other| is_below(other, &path));
                    let mut processes = nodes
                        .iter()
                        .filter(|(other, _)| is_process && is_below(other, &path));
                    below.next().is_none() && processes.all(|(_, pid)| !is_alive(*pid))
                },
            );
            longest = longest.max(took);
            // The others do not suffer.
            for (other, pid) in nodes.iter().filter(|(other, _)| !is_below(other, &path)) {
                assert!(
                    is_alive(*pid),
                    "seed {seed}: {other} lives on when {path} is killed"
                );
            }
            let _ = kill(nodes["0"], Signal::SIGKILL);
        });
    }
    println!("{killed} killed, the longest until all below was gone: {longest:?}");
}

/// Waits until a tree stands; tells what of it does if it never comes to that.
fn stands(seed: u64, folder: &Path, processes: &dyn Fn() -> Vec<Pid>) {
    let begin = Instant::now();
    while !folder.join("ready").exists() {
        if begin.elapsed() > PATIENCE / 2 {
            let entries = std::fs::read_dir(folder).unwrap().flatten();
            let mut files: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            files.sort();
            let lines = processes().into_iter().map(|pid| {
                let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
                let wait = std::fs::read_to_string(format!("/proc/{pid}/wchan"));
                format!("{pid} {:?} {:?} {:?}", parent_of(pid), wait, line)
            });
            let lines: Vec<String> = lines.collect();
            panic!(
                "seed {seed}: the tree does not stand: {files:?}\n{}",
                lines.join("\n")
            );
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn is_session_leader(pid: Pid) -> bool {
    nix::unistd::getsid(Some(pid)) == Ok(pid)
}

#[test]
fn a_script_killed_at_any_moment_leaves_no_program() {
    let mut longest = Duration::ZERO;
    for seed in first_seed()..first_seed() + rounds() {
        with_tree(seed, |_, processes| {
            let mut dice = Dice(seed ^ 0x5555);
            std::thread::sleep(Duration::from_millis(dice.below(400)));
            // The first process of the run is the script itself, whatever it has started.
            let own = Pid::this();
            let mut main = None;
            wait_until("the script is there", PATIENCE, || {
                main = processes()
                    .into_iter()
                    .find(|&pid| parent_of(pid) == Some(own));
                main.is_some()
            });
            let main = main.unwrap();
            kill(main, Signal::SIGKILL).unwrap();
            let gone = || processes().is_empty();
            longest = longest.max(wait_until(&format!("seed {seed}: all ends"), LIMIT, gone));
        });
    }
    println!(
        "{} killed, the longest until all was gone: {longest:?}",
        rounds()
    );
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit(')').next()?;
    Some(Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?))
}

#[test]
fn ctrl_c_ends_the_programs_too() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        with_tree(first_seed(), |folder, processes| {
            stands(first_seed(), folder, processes);
            kill(nodes(folder)["0"], signal).unwrap();
            wait_until("all ends", Duration::from_secs(10), || {
                processes().is_empty()
            });
        });
    }
}

fn is_part(line: &[u8], word: &[u8]) -> bool {
    line.split(|byte| *byte == 0).any(|other| other == word)
}

#[test]
fn another_guardian_comes_when_one_dies() {
    with_tree(first_seed(), |folder, processes| {
        stands(first_seed(), folder, processes);
        let main = nodes(folder)["0"];
        let mark = processes()
            .into_iter()
            .find_map(|pid| variable(pid, "PAR_TREE"));
        let mark = mark.expect("there is a program");
        let tree = mark
            .split('-')
            .next()
            .unwrap()
            .trim_start_matches('0')
            .to_string();
        let guardian = || {
            let entries = std::fs::read_dir("/proc").unwrap().flatten();
            let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            pids.find_map(|pid| {
                let pid = Pid::from_raw(pid);
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                let ours = line.starts_with(b"par: guardian\0") && is_part(&line, tree.as_bytes());
                ours.then_some(pid)
            })
        };
        let first = guardian().expect("there is a guardian");
        kill(first, Signal::SIGKILL).unwrap();
        wait_until("another comes", Duration::from_secs(10), || {
            guardian().is_some_and(|other| other != first)
        });
        kill(main, Signal::SIGKILL).unwrap();
        wait_until("all ends", LIMIT, || processes().is_empty());
    });
}

/// The processes with a word in their arguments.
fn with_word(word: &str) -> Vec<(Pid, String)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(word).then(|| (Pid::from_raw(pid), line))
    })
    .collect()
}

/// Neither the environment nor the session, the group or the parent tells whose a program is.
#[test]
fn a_killed_script_leaves_nothing_however_it_hides() {
    let script = common::root().join("tests/orphans/hiding.par");
    let (mut longest, mut seen) = (Duration::ZERO, 0);
    for seed in first_seed()..first_seed() + rounds() {
        let folder = tempfile::tempdir().unwrap();
        let seconds = format!("{}.{seed}", 100_000 + std::process::id());
        // Under `nohup` SIGHUP is ignored, and would be by the script.
        let mut main = std::process::Command::new("env")
            .arg("--default-signal=HUP")
            .arg(binary())
            .arg(&script)
            .arg(folder.path())
            .args([&seconds, &seed.to_string()])
            .spawn()
            .unwrap();
        let mut dice = Dice(seed ^ 0x3333);
        std::thread::sleep(Duration::from_millis(dice.below(600)));
        let signals = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP];
        seen += with_word(&seconds).len();
        kill(
            Pid::from_raw(main.id() as i32),
            signals[dice.below(3) as usize],
        )
        .unwrap();
        main.wait().unwrap();
        let begin = Instant::now();
        while !with_word(&seconds).is_empty() {
            if begin.elapsed() > LIMIT {
                let left = with_word(&seconds);
                for (pid, _) in &left {
                    let _ = kill(*pid, Signal::SIGKILL);
                }
                panic!("seed {seed}: left behind: {left:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        longest = longest.max(begin.elapsed());
    }
    println!(
        "{} killed, {seen} processes, the longest until all was gone: {longest:?}",
        rounds()
    );
}

/// The kernel continues the guardian when the main process dies.
#[test]
fn a_stopped_guardian_does_its_work() {
    with_tree(first_seed(), |folder, processes| {
        stands(first_seed(), folder, processes);
        let main = nodes(folder)["0"];
        let guardian = with_word("par: guardian ")
            .into_iter()
            .find(|(pid, _)| parent_of(*pid).is_some_and(|parent| processes().contains(&parent)));
        let guardian = guardian.expect("there is one").0;
        kill(guardian, Signal::SIGSTOP).unwrap();
        wait_until("it is stopped", PATIENCE, || {
            let stat = std::fs::read_to_string(format!("/proc/{guardian}/stat"));
            stat.is_ok_and(|stat| stat.contains(") T "))
        });
        kill(main, Signal::SIGKILL).unwrap();
        wait_until("all ends", LIMIT, || processes().is_empty());
    });
}

//! Pools whose workers are killed, and journaled maps whose whole program is: nothing is lost, nothing is done twice.
//!
//! `PAR_POOL_ROUNDS=100 cargo test --test pools killed_workers` looks longer.

mod common;

use common::root;
use common::sandbox::run_par;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn number(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn killed_workers_lose_nothing() {
    let rounds = number("PAR_POOL_ROUNDS", 3);
    let args = [
        "tests/pools/killed_workers.par".to_string(),
        rounds.to_string(),
    ];
    let run = run_par(root(), &args, "", Duration::from_secs(60 + 20 * rounds));
    println!("{}{}", run.stdout, run.stderr);
    assert!(!run.timed_out, "it hangs");
    assert_eq!(run.leftovers, Vec::<String>::new());
    let wanted = format!("{rounds} of {rounds} runs right, ");
    assert!(run.stdout.starts_with(&wanted), "{}", run.stdout);
    assert_eq!(run.exit, 0);
}

/// How often each item stands in a journal, and where its whole frames end. The format is told in
/// `src/builtins/pool/journal/mod.rs`.
fn frames(bytes: &[u8]) -> (HashMap<u64, usize>, usize) {
    let mut found = HashMap::new();
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 24) {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        let kind = u32::from_le_bytes(head[4..8].try_into().unwrap());
        let item = u64::from_le_bytes(head[8..16].try_into().unwrap());
        if bytes.len() < at + 24 + length {
            break;
        }
        // Neither the key nor what an item is.
        if kind != 1 && kind != 9 {
            *found.entry(item).or_insert(0) += 1;
        }
        at += 24 + length;
    }
    (found, at)
}

/// Runs the journaled script and kills its main process after some time; whether it had ended before.
fn run_and_kill(script: &str, journal: &Path, after: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_par"))
        .arg(root().join(script))
        .arg(journal)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

#[test]
fn a_journaled_map_goes_on_after_its_program_was_killed() {
    goes_on_after_kills("tests/pools/journaled.par");
}

#[test]
fn a_journaled_map_of_a_source_goes_on_after_its_program_was_killed() {
    goes_on_after_kills("tests/pools/journaled_source.par");
}

fn goes_on_after_kills(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("run.par-journal");
    let mut kept = 0;
    let mut ended = 0;
    let mut slowness = 1;
    for kill in 0..20_u64 {
        // A moment that differs from kill to kill, some of them before the first item is finished.
        let after = Duration::from_micros(slowness * (5_000 + kill * 7_919 % 60_000));
        ended += usize::from(run_and_kill(script, &journal, after));
        let (items, _) = frames(&std::fs::read(&journal).unwrap_or_default());
        assert!(items.len() >= kept, "what was kept is lost");
        kept = items.len();
        if kept == 0 {
            // The machine is busy: the others come later.
            slowness = (slowness * 2).min(32);
        }
    }
    assert!(kept > 0, "no run came to anything");
    let begin = Instant::now();
    let args = [script.to_string(), journal.to_string_lossy().into_owned()];
    let run = run_par(root(), &args, "", Duration::from_secs(60));
    println!(
        "20 kills ({ended} came too late), {kept} of 1000 items kept by then; the last run took {:?}",
        begin.elapsed()
    );
    assert_eq!(
        (run.stdout.as_str(), run.exit),
        ("true\n", 0),
        "{}",
        run.stderr
    );
    let bytes = std::fs::read(&journal).unwrap();
    let (items, end) = frames(&bytes);
    assert_eq!(end, bytes.len(), "a torn tail was left in the middle");
    assert_eq!(items.len(), 1000);
    assert!(
        items.values().all(|&times| times == 1),
        "an item was committed twice"
    );
}

/// Each version of a script, as often as it stands there, over one journal: the last one, whose code is another, is refused.
fn is_refused_after(before: &str, after: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("main.par");
    let run = |script: &str| {
        let journal = folder.path().join("run.par-journal");
        let script = script.replace("JOURNAL", &format!("\"{}\"", journal.display()));
        std::fs::write(&file, script).unwrap();
        let args = [file.to_string_lossy().into_owned()];
        run_par(root(), &args, "", Duration::from_secs(60))
    };
    for _ in 0..2 {
        let done = run(before);
        assert_eq!(done.exit, 0, "{}", done.stderr);
    }
    let refused = run(after);
    assert!(
        refused.stderr.contains("JournalMismatch"),
        "{after}\n{}{}",
        refused.stdout,
        refused.stderr
    );
}

#[test]
fn a_journal_knows_the_code_that_comes_with_values() {
    let scripts = [
        "struct S {\n k\n fn f(self, x) { x + CODE } }\nlet s = S(1)\nprint(pool map(journal: JOURNAL) x in 0..2 { s.f(x) })\n",
        "let m = {f: fn(x) => x + CODE}\nprint(pool map(journal: JOURNAL) x in 0..2 { let f = m[\"f\"]; f(x) })\n",
        "let l = [fn(x) => x + CODE]\nprint(pool map(journal: JOURNAL) x in 0..2 { l[0](x) })\n",
        "struct S { k = CODE }\nprint(pool map(journal: JOURNAL) x in 0..2 { S().k })\n",
        "struct S {\n k\n fn f(self) { self.k + CODE } }\nprint(pool map(journal: JOURNAL) x in [S(1), S(2)] { x.f() })\n",
    ];
    for script in scripts {
        is_refused_after(&script.replace("CODE", "1"), &script.replace("CODE", "2"));
    }
}

#[test]
fn ctrl_c_lets_the_items_of_a_map_clean_up() {
    let script = r#"
let main = current_process()
let begun = semaphore(0)
spawn(daemon: true) { begun.acquire(); begun.acquire(); main.signal("INT") }
let next = -1
fn work(x) { try { begun.release(); sleep(1h) } finally { sleep(50ms); print("cleaned {x}") } }
HOW
"#;
    for how in [
        "pool map(workers: 2) x in 0..2 { work(x) }",
        "with pool(2) as p { p.map(work, 0..2) }",
        "pool map(workers: 2) x in iterate(fn() { next += 1; next }) { work(x) }",
        "with pool(2) as p { p.map(work, 0..) }",
        "join spawn { pool map(workers: 2) x in 0..2 { work(x) } }",
    ] {
        let args = ["-e".to_string(), script.replace("HOW", how)];
        let run = run_par(root(), &args, "", Duration::from_secs(30));
        assert!(!run.timed_out && run.leftovers.is_empty(), "{how}");
        let mut lines: Vec<&str> = run.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["cleaned 0", "cleaned 1"], "{how}: {}", run.stderr);
        assert!(run.stderr.contains("Interrupted"), "{how}: {}", run.stderr);
    }
}

/// The checksum of a frame, as `src/builtins/pool/journal/key.rs` has it: anybody can make one.
fn checksum(kind: u32, item: u64, content: &[u8]) -> u64 {
    let mut numbers = vec![u64::from(kind), item, content.len() as u64];
    numbers.extend(content.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    }));
    let mut sum: u64 = 0x9e37_79b9_7f4a_7c15;
    for number in numbers {
        let mixed = (sum ^ number).wrapping_mul(0xd6e8_feb8_6659_fd93);
        sum = (mixed ^ mixed >> 32)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            .rotate_left(29);
    }
    sum ^ sum >> 31
}

#[test]
fn a_hostile_journal_sets_no_variable() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("run.par-journal");
    let script = folder.path().join("main.par");
    let text = format!(
        "let kept = \"mine\"\nlet all = pool map(journal: \"{}\") x in 0..2 {{ \"text {{x}}\" }}\nprint(all, kept)\n",
        journal.display()
    );
    std::fs::write(&script, text).unwrap();
    let args = [script.to_string_lossy().into_owned()];
    let run = || run_par(root(), &args, "", Duration::from_secs(60)).stdout;
    assert_eq!(run(), "[\"text 0\", \"text 1\"] mine\n");
    // Both items are made messages that set the first global variables.
    let bytes = std::fs::read(&journal).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut hostile = bytes[..8 + 24 + word(8) as usize].to_vec();
    let version = bytes[hostile.len() + 24];
    for item in 0..2_u64 {
        let mut content = vec![version, 1, 3, 2];
        for slot in 0..8 {
            content.extend_from_slice(&[1, slot, 6, 5]);
            content.extend_from_slice(b"evil!");
        }
        content.push(0);
        hostile.extend_from_slice(&(content.len() as u32).to_le_bytes());
        hostile.extend_from_slice(&6_u32.to_le_bytes());
        hostile.extend_from_slice(&item.to_le_bytes());
        hostile.extend_from_slice(&checksum(6, item, &content).to_le_bytes());
        hostile.extend_from_slice(&content);
    }
    std::fs::write(&journal, hostile).unwrap();
    assert_eq!(run(), "[\"text 0\", \"text 1\"] mine\n");
}

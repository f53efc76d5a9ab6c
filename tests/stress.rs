//! Scripts under a collection at every safe point: what they print stays the same.

/// Runs a script with the binary, with a collection at every safe point or without; output and exit status.
fn run_script(path: &std::path::Path, stress: bool) -> (String, Option<i32>) {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_par"));
    command
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.stderr(Stdio::null());
    if stress {
        command.env("PAR_GC_STRESS", "1");
    }
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    // The watchdog: whatever hangs is ended, and its missing exit status is the failure.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if std::time::Instant::now() > end => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(std::time::Duration::from_millis(2)),
        }
    };
    (reader.join().unwrap().unwrap(), code)
}

#[test]
fn a_collection_at_every_safe_point_changes_nothing() {
    let mut count = 0;
    for area in [
        "closures",
        "control",
        "errors",
        "functions",
        "iterators",
        "match",
        "structs",
    ] {
        let folder = std::path::Path::new("tests/lang").join(area);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            // What runs in several processes prints in no certain order; a collection at each of a hundred thousand calls
            // looks at all of them. Another Par that is started has them as well, and as long as it likes.
            let several = [
                "spawn",
                "pid",
                "pool",
                "args:",
                "stdin:",
                "LimitExceeded",
                "/proc/self/exe",
            ];
            if several.iter().any(|word| text.contains(word)) || text.is_empty() {
                continue;
            }
            let (plain, stressed) = (run_script(&path, false), run_script(&path, true));
            assert!(plain.1.is_some(), "{}", path.display());
            assert_eq!(plain, stressed, "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 30, "only {count} scripts were compared");
}

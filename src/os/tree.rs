//! The tree of processes as `/proc` shows it: who is below whom, and what an environment says.

use super::fork;
use std::collections::HashSet;

/// The children of a process, of all its threads. Empty when it is gone.
pub fn children_of(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        let text = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .filter_map(|word| word.parse::<i32>().ok()),
        );
    }
    found
}

/// Everything below some processes, parents before children; themselves not included.
pub fn below(roots: &[i32]) -> Vec<i32> {
    let mut seen: HashSet<i32> = roots.iter().copied().collect();
    let (mut found, mut open) = (Vec::new(), roots.to_vec());
    while let Some(pid) = open.pop() {
        for child in children_of(pid) {
            if seen.insert(child) {
                found.push(child);
                open.push(child);
            }
        }
    }
    found
}

/// Whether a process ignores a signal; false when it is gone.
pub fn ignores(pid: i32, signal: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let set = text.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << (signal - 1)) != 0)
}

/// The parent of a process; `None` when it is gone.
pub fn parent_of(pid: i32) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may itself hold spaces and parentheses.
    let rest = text.get(text.rfind(')')? + 1..)?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// The environment that a process was started with; `None` when it has ended, may not be looked at, has an empty one, or
/// is about to execute another program: for that moment nothing can be seen of it.
pub fn environment_of(pid: i32) -> Option<Vec<u8>> {
    let all = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    (!all.is_empty()).then_some(all)
}

/// The value of a variable in an environment.
pub fn variable(all: &[u8], name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    let found = all
        .split(|&byte| byte == 0)
        .find_map(|variable| variable.strip_prefix(prefix.as_bytes()))?;
    Some(String::from_utf8_lossy(found).into_owned())
}

/// Sends a signal to processes that are not our children: each is pinned first and then looked at again, so that a number
/// which was given to another process in between is not hit.
pub fn signal_each(pids: &[i32], signal: i32) {
    for &pid in pids {
        let parent = parent_of(pid);
        fork::send_signal_pinned(pid, signal, || parent.is_some() && parent_of(pid) == parent);
    }
}

/// The numbers of all processes.
pub fn all() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

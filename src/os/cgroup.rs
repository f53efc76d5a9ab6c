//! The control groups that this process is in: how much processor and memory they let it use, and how often the kernel has killed in
//! them because memory ran out.
//!
//! A limit of a group holds for everything below it, so the least on the way from our group to the top counts. Version 2 has one tree
//! of groups; version 1 has one for each kind of limit. Inside a container our own group may not be there under its name, but the top
//! of the tree is then the container's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the trees are mounted.
const MOUNTS: &str = "/sys/fs/cgroup";

/// Processors that the quota allows, in whole ones rounded up.
pub fn processors() -> Option<usize> {
    let groups = groups("cpu");
    groups
        .iter()
        .filter_map(|group| {
            let (quota, period) = quota(group)?;
            (period > 0).then(|| quota.div_ceil(period).max(1) as usize)
        })
        .min()
}

/// Bytes of memory that are allowed.
pub fn memory() -> Option<u64> {
    let limit = |group: &PathBuf| {
        number(&group.join("memory.max")).or_else(|| number(&group.join("memory.limit_in_bytes")))
    };
    groups("memory").iter().filter_map(limit).min()
}

/// What had been counted when it was asked first; `UNKNOWN` where that cannot be told.
static KILLS_BEFORE: AtomicU64 = AtomicU64::new(UNKNOWN);
const UNKNOWN: u64 = u64::MAX;

/// From now on [`memory_kills`] counts.
pub fn begin() {
    KILLS_BEFORE.store(kills().unwrap_or(UNKNOWN), Ordering::Relaxed);
}

/// How many processes of our group the kernel has killed since [`begin`] because memory ran out; `None` where it does not count them.
pub fn memory_kills() -> Option<u64> {
    let before = Some(KILLS_BEFORE.load(Ordering::Relaxed)).filter(|&before| before != UNKNOWN)?;
    Some(kills()?.saturating_sub(before))
}

fn kills() -> Option<u64> {
    let own = groups("memory").into_iter().find(|group| group.is_dir())?;
    let files = ["memory.events", "memory.oom_control"];
    files.iter().find_map(|file| {
        let text = fs::read_to_string(own.join(file)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line?.trim().parse().ok()
    })
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The quota of a group and the period that it is for, in the same unit of time.
fn quota(group: &Path) -> Option<(u64, u64)> {
    if let Ok(text) = fs::read_to_string(group.join("cpu.max")) {
        let (quota, period) = text.trim().split_once(' ')?;
        return Some((quota.parse().ok()?, period.parse().ok()?));
    }
    let quota = number(&group.join("cpu.cfs_quota_us"))?;
    Some((quota, number(&group.join("cpu.cfs_period_us"))?))
}

/// The folders of our group and of those above it, ours first, in the tree for a kind of limit.
fn groups(kind: &str) -> Vec<PathBuf> {
    let ours = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups_in(Path::new(MOUNTS), &ours, kind)
}

fn groups_in(mounts: &Path, ours: &str, kind: &str) -> Vec<PathBuf> {
    let mut groups = Vec::new();
    for line in ours.lines() {
        // Number, kinds, path; version 2 has no kinds there.
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let tree = match kinds {
            "" if mounts.join("cgroup.controllers").exists() => mounts.to_path_buf(),
            "" => mounts.join("unified"),
            kinds if kinds.split(',').any(|one| one == kind) => mounts.join(kind),
            _ => continue,
        };
        let above = Path::new(path).ancestors();
        groups.extend(above.map(|group| tree.join(group.strip_prefix("/").unwrap_or(group))));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(mounts: &Path, ours: &str, kind: &str) -> Vec<String> {
        let groups = groups_in(mounts, ours, kind);
        let inside = |group: PathBuf| group.strip_prefix(mounts).map(Path::to_path_buf);
        let all = groups.into_iter().filter_map(|group| inside(group).ok());
        all.map(|group| group.display().to_string()).collect()
    }

    #[test]
    fn the_groups_above_count_too() {
        let folder = std::env::temp_dir().join(format!("par-groups-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let version_1 = "4:memory:/a/b\n3:cpu,cpuacct:/c\n2:pids:/\n0::/x\n";
        assert_eq!(
            shown(&folder, version_1, "memory"),
            ["memory/a/b", "memory/a", "memory", "unified/x", "unified"]
        );
        assert_eq!(
            shown(&folder, version_1, "cpu"),
            ["cpu/c", "cpu", "unified/x", "unified"]
        );
        fs::write(folder.join("cgroup.controllers"), "cpu memory").unwrap();
        assert_eq!(
            shown(&folder, "0::/job/task\n", "cpu"),
            ["job/task", "job", ""]
        );
        assert_eq!(shown(&folder, "rubbish\n1:\n\n", "cpu"), [""; 0]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn quotas_of_both_versions() {
        let folder = std::env::temp_dir().join(format!("par-quotas-{}", std::process::id()));
        let write = |file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(quota(&folder), None);
        write("cpu.cfs_quota_us", "-1\n");
        write("cpu.cfs_period_us", "100000\n");
        assert_eq!(quota(&folder), None);
        write("cpu.cfs_quota_us", "50000\n");
        assert_eq!(quota(&folder), Some((50_000, 100_000)));
        write("cpu.max", "max 100000\n");
        assert_eq!(quota(&folder), None);
        write("cpu.max", "150000 100000\n");
        assert_eq!(quota(&folder), Some((150_000, 100_000)));
        fs::remove_dir_all(&folder).unwrap();
    }
}

//! Giving a file new contents in one step.

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::{Builder, TempPath};

/// Links that are followed one after the other, as the kernel does.
const MOST_LINKS: usize = 40;

/// Whether a path may be given new contents in one step: what stands there is a plain file, or nothing. To anything else (a device,
/// a named pipe) one can only write.
pub fn is_replaceable(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |there| there.is_file())
}

/// Writes a file beside the one that is meant, brings it to the disk, and gives it the other's name: who reads sees the old content or
/// the new one, after a power cut too. The mode of what was there is kept, its owner where this process may give it away; `mode` is
/// that of a new file. A link stays one: what it leads to is changed, or made.
///
/// # Errors
/// Those of the system. The file is as it was then.
pub fn replace(path: &Path, data: &[u8], mode: u32) -> io::Result<()> {
    let target = end_of_links(path)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let before = fs::metadata(&target).ok();
    let fill = |file: &mut File| {
        file.write_all(data)?;
        if let Some(before) = &before {
            // Before the mode, of which a change of the owner takes a part.
            let _ = std::os::unix::fs::fchown(&*file, Some(before.uid()), Some(before.gid()));
        }
        let new = || Permissions::from_mode(mode);
        file.set_permissions(before.as_ref().map_or_else(new, fs::Metadata::permissions))?;
        file.sync_all()
    };
    let made = match unnamed(folder) {
        Some(mut file) => {
            fill(&mut file)?;
            named(folder, &file)
        }
        None => None,
    };
    let made = match made {
        Some(made) => made,
        None => {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            fill(file.as_file_mut())?;
            file.into_temp_path()
        }
    };
    made.persist(&target).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// A file in a folder that has no name, so that nothing is left of it when this process is killed; `None` where the file system has
/// none of that kind.
fn unnamed(folder: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE);
    options.open(folder).ok()
}

/// Gives it one for the instant until it has its own.
fn named(folder: &Path, file: &File) -> Option<TempPath> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| {
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        Ok(linkat(AT_FDCWD, &*open, AT_FDCWD, name, follow)?)
    };
    Some(Builder::new().make_in(folder, link).ok()?.into_temp_path())
}

/// What a path leads to, also when nothing is there.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_and_nothing_else_is_left() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for (link, to) in [("one", "two"), ("two", "file"), ("round", "round")] {
            symlink(to, at(link)).unwrap();
        }
        replace(&at("one"), b"new", 0o640).unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"new");
        assert_eq!(fs::metadata(at("file")).unwrap().mode() & 0o777, 0o640);
        fs::set_permissions(at("file"), Permissions::from_mode(0o604)).unwrap();
        replace(&at("two"), b"newer", 0o640).unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"newer");
        assert_eq!(fs::metadata(at("file")).unwrap().mode() & 0o777, 0o604);
        assert!(at("one").is_symlink() && at("two").is_symlink());
        assert!(replace(&at("round"), b"", 0o600).is_err());
        assert!(replace(&at("no/such"), b"", 0o600).is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
        assert!(!is_replaceable(Path::new("/dev/null")) && is_replaceable(&at("none")));
    }
}

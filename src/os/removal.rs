//! Removing a directory with everything in it, with a look at the caller's clock between the names.
//!
//! It goes down by descriptors, never by paths: whoever puts a link in the place of a directory meanwhile sends it nowhere else.

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::CString;
use std::io;
use std::path::Path;

/// A directory that is being emptied.
struct Open {
    dir: Dir,
    /// What its parent calls it; the outermost one has none here.
    name: Option<CString>,
    /// What is left in it.
    names: Vec<(CString, Option<Type>)>,
}

impl Open {
    fn new(
        mut dir: Dir,
        name: Option<CString>,
        look: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Open> {
        let mut names = Vec::new();
        for entry in dir.iter() {
            look()?;
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.push((entry.file_name().to_owned(), entry.file_type()));
            }
        }
        Ok(Open { dir, name, names })
    }
}

/// Removes a directory with everything in it; of a link to one, the link.
///
/// # Errors
/// Those of the system; that of `look`, which is asked between the names: what it stops is left where it stands.
pub fn remove_tree(path: &Path, look: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    if path.symlink_metadata()?.is_symlink() {
        return std::fs::remove_file(path);
    }
    let dir = Dir::open(path, flags(), Mode::empty())?;
    let mut open = vec![Open::new(dir, None, look)?];
    while let Some(last) = open.last_mut() {
        look()?;
        if let Some((name, kind)) = last.names.pop() {
            if let Some(below) = remove_or_enter(&last.dir, &name, kind)? {
                open.push(Open::new(below, Some(name), look)?);
            }
            continue;
        }
        let done = open.pop();
        if let (Some(name), Some(parent)) = (done.and_then(|done| done.name), open.last()) {
            is_gone(unlinkat(&parent.dir, &*name, UnlinkatFlags::RemoveDir))?;
        }
    }
    std::fs::remove_dir(path)
}

/// Links are not followed.
fn flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

/// Removes what has a name in a directory, or opens it when it is a directory itself.
fn remove_or_enter(parent: &Dir, name: &CString, kind: Option<Type>) -> io::Result<Option<Dir>> {
    if !matches!(kind, None | Some(Type::Directory)) {
        match unlinkat(parent, &**name, UnlinkatFlags::NoRemoveDir) {
            // It has become one.
            Err(Errno::EISDIR) => {}
            removed => return is_gone(removed).map(|()| None),
        }
    }
    match Dir::openat(parent, &**name, flags(), Mode::empty()) {
        Ok(dir) => Ok(Some(dir)),
        // It is none, or none any more.
        Err(Errno::ENOTDIR | Errno::ELOOP) => {
            is_gone(unlinkat(parent, &**name, UnlinkatFlags::NoRemoveDir)).map(|()| None)
        }
        Err(error) => is_gone(Err(error)).map(|()| None),
    }
}

/// What somebody else has removed meanwhile is as it was to be.
fn is_gone(removed: nix::Result<()>) -> io::Result<()> {
    match removed {
        Err(Errno::ENOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["tree/a/b/c", "tree/d", "other"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for file in ["tree/f", "tree/a/g", "tree/a/b/c/h", "other/kept"] {
            fs::write(root.path().join(file), "x").unwrap();
        }
        symlink(root.path().join("other"), root.path().join("tree/d/link")).unwrap();
        symlink("nowhere", root.path().join("tree/a/dangling")).unwrap();
        root
    }

    #[test]
    fn all_goes_but_what_links_lead_to() {
        let root = tree();
        remove_tree(&root.path().join("tree"), &mut || Ok(())).unwrap();
        assert!(!root.path().join("tree").exists() && root.path().join("other/kept").exists());
        symlink("other", root.path().join("link")).unwrap();
        remove_tree(&root.path().join("link"), &mut || Ok(())).unwrap();
        assert!(root.path().join("other/kept").exists());
        let file = remove_tree(&root.path().join("other/kept"), &mut || Ok(())).unwrap_err();
        assert_eq!(file.kind(), io::ErrorKind::NotADirectory);
        let none = remove_tree(&root.path().join("none"), &mut || Ok(())).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn whoever_looks_can_stop_it_anywhere() {
        let mut looks = 0;
        loop {
            let root = tree();
            let mut left = looks;
            let done = remove_tree(&root.path().join("tree"), &mut || match left {
                0 => Err(io::Error::other("stop")),
                _ => {
                    left -= 1;
                    Ok(())
                }
            });
            assert!(root.path().join("other/kept").exists());
            match done {
                Ok(()) => break,
                Err(error) => assert_eq!(error.to_string(), "stop"),
            }
            assert!(root.path().join("tree").exists());
            looks += 1;
        }
        assert!(looks > 15, "{looks}");
    }
}

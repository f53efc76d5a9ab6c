//! Shared memory: one anonymous file in memory, mapped shared. And files in memory that are only written and read.
#![allow(unsafe_code)]

use super::last_error;
use crate::diag::Result;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::sync::atomic::{AtomicI32, Ordering};

/// The descriptor of the arena's file, or -1; kept so that a fresh interpreter can be handed the arena.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);

/// A file in memory that has no name: children made by fork write to the same one.
pub fn nameless_file() -> Result<File> {
    let file = memfd_create(c"par-file", MFdFlags::MFD_CLOEXEC);
    Ok(file.map_err(|_| last_error("memfd_create"))?.into())
}

/// A shared mapping of this process. Children made by fork have it at the same address.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// The first byte.
    pub base: *mut u8,
    /// Bytes.
    pub size: usize,
}

/// Reserves up to `wanted` bytes of shared memory, zeroed and sparse: nothing is used until it is touched. When the
/// machine or a limit (`ulimit -v`, `ulimit -f`) refuses that much, half is tried, down to `least`.
pub fn reserve_shared(wanted: usize, least: usize) -> Result<Mapping> {
    // SAFETY: the name is a constant C string; the flag is known to every kernel that has memfd_create.
    let file = unsafe { libc::memfd_create(c"par-arena".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(last_error("memfd_create"));
    }
    let mut size = wanted.min(file_size_limit());
    loop {
        match try_map(file, size) {
            Ok(base) => {
                DESCRIPTOR.store(file, Ordering::Relaxed);
                return Ok(Mapping { base, size });
            }
            Err(error) if size / 2 < least => {
                // SAFETY: we own the descriptor and do not use it again.
                unsafe { libc::close(file) };
                return Err(error);
            }
            Err(_) => size /= 2,
        }
    }
}

/// Whether so many bytes of memory of one's own can be mapped now (`ulimit -v` may refuse): for those who ask somebody for
/// memory that takes a refusal for a mistake.
pub fn may_map(bytes: usize) -> bool {
    // SAFETY: a fresh mapping at an address of the kernel's choice, which nobody uses; it is taken away again at once.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // Two pages of guards come with a piece of stack.
        let size = bytes + 8 * 4096;
        let base = libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        );
        base != libc::MAP_FAILED && libc::munmap(base, size) == 0
    }
}

fn try_map(file: i32, size: usize) -> Result<*mut u8> {
    // SAFETY: `file` is an open memfd of ours; ftruncate only sets its length.
    if unsafe { libc::ftruncate(file, size as libc::off_t) } != 0 {
        return Err(last_error("ftruncate"));
    }
    // SAFETY: a fresh mapping at an address of the kernel's choice; it overlaps nothing of ours.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_NORESERVE,
            file,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(last_error("mmap"));
    }
    Ok(base.cast())
}

/// `ulimit -f` counts for memory files too, and going over it is a signal, so it is asked first.
fn file_size_limit() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit to write to.
    let ok = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } == 0;
    if ok && limit.rlim_cur != libc::RLIM_INFINITY {
        (limit.rlim_cur as usize) & !0xffff
    } else {
        usize::MAX
    }
}

/// True when the kernel promises only memory that it has (`vm.overcommit_memory` = 2): touching a sparse page may then
/// be a SIGBUS, and [`commit`] must come first.
pub fn strict_overcommit() -> bool {
    std::fs::read("/proc/sys/vm/overcommit_memory").is_ok_and(|text| text.first() == Some(&b'2'))
}

/// Makes the kernel set pages of the shared file aside. False when it has none left.
pub fn commit(offset: u64, length: u64) -> bool {
    let file = DESCRIPTOR.load(Ordering::Relaxed);
    // SAFETY: fallocate on our own memfd within its length changes no content.
    unsafe { libc::fallocate(file, 0, offset as libc::off_t, length as libc::off_t) == 0 }
}

/// Gives pages back to the kernel; they read as zero afterwards.
///
/// `base` and `length` must be page-aligned, inside the shared mapping, and in nobody's use.
pub fn punch(base: *mut u8, length: usize) {
    // SAFETY: the caller says that the range is inside our mapping and unused. A refusal only keeps the memory.
    unsafe { libc::madvise(base.cast(), length, libc::MADV_REMOVE) };
}

/// Bytes of this process that are no file's and no shared memory, those included that it has inherited and not changed; `None` when
/// the kernel does not tell. Takes microseconds.
pub fn private_at_most() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut fields = text.split_whitespace().skip(1);
    let mut pages = || fields.next()?.parse::<u64>().ok();
    let (resident, shared) = (pages()?, pages()?);
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(resident.saturating_sub(shared) * page.max(0) as u64)
}

/// Bytes that would be free if this process ended: what no other process has as well. Takes as long as it has pages.
pub fn private() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let of_line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let kib = rest.split_whitespace().next()?.parse::<u64>().ok()?;
        name.starts_with("Private_").then_some(kib * 1024)
    };
    Some(text.lines().filter_map(of_line).sum())
}

/// Bytes that this machine, or the control groups that we are in, let us use.
pub fn usable_memory() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let (pages, size) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    let machine = (pages.max(0) as u64).saturating_mul(size.max(0) as u64);
    let total = super::cgroup::memory().map_or(machine, |group| group.min(machine));
    if total == 0 { 1 << 30 } else { total }
}

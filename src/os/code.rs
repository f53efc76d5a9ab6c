//! Memory for code that is made while the program runs: written first, executable afterwards, never both.

#![allow(unsafe_code)]

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// Code in memory of its own; taken back when this is dropped.
pub struct Code {
    start: NonNull<c_void>,
    length: usize,
}

impl Code {
    /// Makes bytes executable; `None` when the system does not allow it.
    pub fn new(bytes: &[u8]) -> Option<Code> {
        let length = NonZeroUsize::new(bytes.len())?;
        let write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new memory that nobody else knows, as long as the bytes are; it is written to before it becomes executable.
        unsafe {
            let start = mmap_anonymous(None, length, write, MapFlags::MAP_PRIVATE).ok()?;
            let code = Code {
                start,
                length: length.get(),
            };
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.as_ptr().cast(), bytes.len());
            let execute = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
            mprotect(start, length.get(), execute).ok()?;
            Some(code)
        }
    }

    /// Where it begins.
    pub fn start(&self) -> *const u8 {
        self.start.as_ptr().cast()
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, and whoever has the code is gone.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

//! Calls that take as long as somebody outside likes: here they end with `EINTR` as soon as a signal of ours comes.
//!
//! Our handlers have the kernel take up again what they cut short, for the sake of code that knows nothing of signals. A call that
//! is made here is one instruction in a short run of them: a handler that finds the process in that run (it is about to make the
//! call, or the kernel is about to take it up again) puts it behind the call, which then has ended with `EINTR`. So nothing is
//! missed between the last look at what has happened and the call, and a call costs what it costs anyway.
//!
//! On other processors than x86-64 the call is a plain one, and a signal is seen when it has ended.
#![allow(unsafe_code)]

use super::signal;
use std::ffi::CStr;
use std::io::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU32;

/// What ends a call, or keeps it from being made: [`signal::take`] gives all of it.
const WAKES: u32 = signal::URGENT | signal::CHILD_ENDED | signal::STATUS;

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::{AtomicU32, WAKES, signal};
    use std::arch::global_asm;

    // Nothing is pushed and no register is changed that belongs to the caller, so that from each instruction of the run one may
    // go to its second end. The kernel goes back to `syscall` itself when it takes a call up again.
    global_asm!(
        ".pushsection .text.par_blocking, \"ax\", @progbits",
        ".globl par_blocking_call",
        ".globl par_blocking_end",
        ".globl par_blocking_left",
        "par_blocking_call:",
        "test dword ptr [rdi], esi",
        "jnz par_blocking_left",
        "mov rax, rdx",
        "mov rdi, rcx",
        "mov rsi, r8",
        "mov rdx, r9",
        "mov r10, qword ptr [rsp + 8]",
        "syscall",
        "par_blocking_end:",
        "ret",
        "par_blocking_left:",
        "mov rax, -4",
        "ret",
        ".popsection",
    );

    unsafe extern "C" {
        fn par_blocking_call(
            happened: *const AtomicU32,
            wakes: u32,
            number: libc::c_long,
            first: usize,
            second: usize,
            third: usize,
            fourth: usize,
        ) -> isize;
        static par_blocking_end: u8;
        static par_blocking_left: u8;
    }

    /// Makes a system call; what it gives, or minus the number of an error.
    ///
    /// # Safety
    /// What the call asks of its arguments.
    pub unsafe fn call(number: libc::c_long, arguments: [usize; 4]) -> isize {
        let [first, second, third, fourth] = arguments;
        // SAFETY: the caller's; the word lives as long as the process.
        unsafe {
            par_blocking_call(
                signal::poll_word(),
                WAKES,
                number,
                first,
                second,
                third,
                fourth,
            )
        }
    }

    /// In a handler: puts the process behind a call that it is about to make or to take up again.
    ///
    /// # Safety
    /// `context` is what the kernel gave the handler.
    pub unsafe fn leave(context: *mut libc::c_void) {
        let begin = par_blocking_call as *const () as i64;
        // SAFETY: the labels stand in the same section; only their addresses are used. The context is the kernel's, and ours to change
        // until the handler returns; the stack and the caller's registers are the same at both ends of the run.
        unsafe {
            let (end, left) = (&raw const par_blocking_end, &raw const par_blocking_left);
            let context = &mut *context.cast::<libc::ucontext_t>();
            let at = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
            if *at >= begin && *at < end as i64 {
                *at = left as i64;
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod machine {
    use super::{WAKES, signal};
    use std::sync::atomic::Ordering;

    /// Makes a system call; what it gives, or minus the number of an error.
    ///
    /// # Safety
    /// What the call asks of its arguments.
    pub unsafe fn call(number: libc::c_long, arguments: [usize; 4]) -> isize {
        if signal::poll_word().load(Ordering::SeqCst) & WAKES != 0 {
            return -(libc::EINTR as isize);
        }
        let [first, second, third, fourth] = arguments;
        // SAFETY: the caller's.
        match unsafe { libc::syscall(number, first, second, third, fourth) } {
            -1 => -(std::io::Error::last_os_error().raw_os_error().unwrap_or(0) as isize),
            done => done as isize,
        }
    }

    /// Nothing is known of the place of a call here.
    ///
    /// # Safety
    /// None is needed.
    pub unsafe fn leave(_: *mut libc::c_void) {}
}

pub(super) use machine::leave;

/// What a call gave.
fn checked(given: isize) -> Result<usize> {
    usize::try_from(given).map_err(|_| Error::from_raw_os_error(given.unsigned_abs() as i32))
}

/// `write(2)`.
///
/// # Errors
/// Those of the system; `Interrupted` when a signal is to be looked at first, and nothing was written.
pub fn write(descriptor: RawFd, bytes: &[u8]) -> Result<usize> {
    let (start, length) = (bytes.as_ptr() as usize, bytes.len());
    // SAFETY: the bytes are readable for their length.
    checked(unsafe { machine::call(libc::SYS_write, [descriptor as usize, start, length, 0]) })
}

/// `read(2)`: how many bytes came.
///
/// # Errors
/// Those of the system; `Interrupted` when a signal is to be looked at first, and nothing was read.
pub fn read(descriptor: RawFd, buffer: &mut [u8]) -> Result<usize> {
    let (start, length) = (buffer.as_mut_ptr() as usize, buffer.len());
    // SAFETY: the buffer is ours to be written to for its length.
    checked(unsafe { machine::call(libc::SYS_read, [descriptor as usize, start, length, 0]) })
}

/// `open(2)`, and no program inherits the descriptor.
///
/// # Errors
/// Those of the system; `Interrupted` when a signal is to be looked at first, and nothing was opened.
pub fn open(path: &CStr, flags: i32, mode: u32) -> Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC;
    let arguments = [
        libc::AT_FDCWD as usize,
        path.as_ptr() as usize,
        flags as usize,
        mode as usize,
    ];
    // SAFETY: the path is a C string that lives as long as the call; the descriptor that comes of it is nobody else's.
    unsafe {
        let descriptor = checked(machine::call(libc::SYS_openat, arguments))?;
        Ok(OwnedFd::from_raw_fd(descriptor as RawFd))
    }
}

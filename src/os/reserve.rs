//! What is kept back of the address space where that has a limit (`ulimit -v`, `ulimit -d`), so that a script which has used it up can be
//! told so: the standard library ends a process that is refused memory.
//!
//! When the system refuses a small piece, the allocator lets go of as much of the reserve and asks again, and a flag has the machine
//! look at its next safe point: it collects, and where that does not fill up the reserve it raises `LimitExceeded`. (What is large is
//! asked for, see `crate::room`.) Where there is no limit there is no reserve, and nothing of this costs anything.
//!
//! What is refused all the same ends the process, by the standard library's abort. Its one line on standard error says how many bytes
//! were wanted; a second one, from here, says which limit that was and what can be done.
#![allow(unsafe_code)]

use super::signal;
use crate::room;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The reserve is this part of what may be used, but not less than what several small pieces need, nor more than anything takes that
/// goes on to its next safe point.
const PART: usize = 8;
const LEAST: usize = 8 << 20;
const MOST: usize = 64 << 20;
/// So much is let go of at least. The rest is there for the next shortage, when there is no room to fill it up.
const STEP: usize = 256 << 10;

/// So much a script may take of it while it deals with a shortage.
const PATIENCE: usize = 1 << 20;

/// Bytes of what there was when the script was told of a shortage last; the greatest number when that is over.
static TOLD_AT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Bytes of a full reserve; 0 where nothing is kept back.
static FULL: AtomicUsize = AtomicUsize::new(0);
/// Bytes of what is there, and where it is.
static SIZE: AtomicUsize = AtomicUsize::new(0);
static PLACE: AtomicUsize = AtomicUsize::new(0);
/// The smallest limit, for the last line.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Keeps something back if there is a limit. To be called once, at the start.
pub fn prepare() {
    let limit = limit(libc::RLIMIT_AS).min(limit(libc::RLIMIT_DATA));
    if limit < usize::MAX {
        LIMIT.store(limit, Ordering::Relaxed);
        let full = (limit / PART).clamp(LEAST, MOST) / STEP * STEP;
        FULL.store(full, Ordering::Relaxed);
        restore();
    }
}

/// Has the machine look at its next safe point whether there is room.
pub fn raise_alarm() {
    signal::raise_flag(signal::MEMORY);
}

fn limit(resource: libc::__rlimit_resource_t) -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit to write to.
    let known = unsafe { libc::getrlimit(resource, &mut limit) } == 0;
    match known && limit.rlim_cur != libc::RLIM_INFINITY {
        true => limit.rlim_cur as usize,
        false => usize::MAX,
    }
}

/// Whether so little is left of what is kept back that a long step had better end.
pub fn is_low() -> bool {
    SIZE.load(Ordering::Relaxed) < FULL.load(Ordering::Relaxed) / 2
}

/// Whether something is kept back here.
pub fn is_kept() -> bool {
    FULL.load(Ordering::Relaxed) > 0
}

/// For the allocator, which was refused so many bytes: lets go of as much. False when a refusal is an answer, and when what is
/// left would not do: then the process is about to end.
#[cold]
pub(super) fn let_go(bytes: usize) -> bool {
    if room::is_asking() {
        return false;
    }
    let (size, place) = (SIZE.load(Ordering::Relaxed), PLACE.load(Ordering::Relaxed));
    if size == 0 || bytes > size {
        expect_end();
        return false;
    }
    let step = bytes.next_multiple_of(STEP).min(size);
    // SAFETY: the end of a mapping of ours that nobody has ever used.
    unsafe { libc::munmap((place + size - step) as *mut libc::c_void, step) };
    SIZE.store(size - step, Ordering::Relaxed);
    raise_alarm();
    true
}

/// Keeps back again what was let go, as far as there is room. False when that leaves too little, so that the script must let go of
/// something: all of it is wanted, but where the C library has as much free between what is in use, a quarter does.
pub fn restore() -> bool {
    let full = FULL.load(Ordering::Relaxed);
    let is_done = refill() || (SIZE.load(Ordering::Relaxed) >= full / 4 && free_inside() >= full);
    if is_done {
        TOLD_AT.store(usize::MAX, Ordering::Relaxed);
    }
    is_done
}

/// Whether the script is to be told that [`restore`] has left too little: not where it was told and is at what it does about that.
pub fn is_to_be_told() -> bool {
    let size = SIZE.load(Ordering::Relaxed);
    let told_at = TOLD_AT.load(Ordering::Relaxed);
    let is_new = told_at == usize::MAX || size + PATIENCE < told_at;
    if is_new {
        TOLD_AT.store(size, Ordering::Relaxed);
    }
    is_new
}

/// Bytes that the C library has free and cannot give back.
fn free_inside() -> usize {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only counts.
    return unsafe { libc::mallinfo2() }.fordblks;
    #[cfg(not(target_env = "gnu"))]
    0
}

/// Fills up the reserve as far as there is room; false when it is not full then.
fn refill() -> bool {
    let full = FULL.load(Ordering::Relaxed);
    let mut more = full - SIZE.load(Ordering::Relaxed);
    while more >= STEP {
        let is_all = SIZE.load(Ordering::Relaxed) + more == full;
        if grow(more) {
            return is_all;
        }
        more = (more / 2).next_multiple_of(STEP).min(more - STEP);
    }
    more == 0 && SIZE.load(Ordering::Relaxed) == full
}

/// Makes the reserve larger by so many bytes; false when there is no room.
fn grow(more: usize) -> bool {
    let (size, place) = (SIZE.load(Ordering::Relaxed), PLACE.load(Ordering::Relaxed));
    let new = match size {
        0 => {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // SAFETY: a private mapping wherever the kernel wants it disturbs nobody; nobody touches it.
            unsafe { libc::mmap(ptr::null_mut(), more, protection, flags, -1, 0) }
        }
        // SAFETY: a mapping of ours of this size, in which nobody has anything.
        _ => unsafe {
            let old = place as *mut libc::c_void;
            libc::mremap(old, size, size + more, libc::MREMAP_MAYMOVE)
        },
    };
    if new == libc::MAP_FAILED {
        return false;
    }
    PLACE.store(new as usize, Ordering::Relaxed);
    SIZE.store(size + more, Ordering::Relaxed);
    true
}

/// Gives what is free inside of the C library's memory back to the system, as far as it can.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches no memory that anybody has.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has an abort from now on tell what it is for.
fn expect_end() {
    // SAFETY: the handler only writes; it is taken away when it runs, so that the abort goes on.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = tell_end as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESETHAND;
        libc::sigaction(libc::SIGABRT, &action, ptr::null_mut());
    }
}

/// The last line. Nothing may be allocated here.
extern "C" fn tell_end(_: libc::c_int) {
    let limit = LIMIT.load(Ordering::Relaxed);
    let mut digits = [0u8; 20];
    let texts: [&[u8]; 3] = match limit {
        usize::MAX => [b"par: out of memory: the system refuses more", b"", b""],
        _ => [
            b"par: out of memory: the limit of this process (`ulimit -v`) is ",
            number(limit >> 10, &mut digits),
            b" KiB",
        ],
    };
    let help: &[u8] = b"; raise it, or keep less at a time\n";
    for text in texts.iter().chain([&help]) {
        // SAFETY: a text of that length; whether it can be written changes nothing.
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    }
}

/// The digits of a number, without an allocation.
fn number(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut from = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        from -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(from..).unwrap_or_default()
}

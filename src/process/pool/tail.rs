//! What a process printed last, and at which line it was seen last, kept in the arena so that it outlives the process: the report of a
//! worker's death quotes it.

use crate::arena::{Arena, Offset};
use crate::os::fork;
use crate::process::place;
use crate::source::Span;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Bytes of a tail in the arena: a place ([`place::pack_start`]), a length, and the text behind it.
pub const SIZE: u64 = 128;
const LENGTH: u64 = 8;
const TEXT: u64 = 16;
const MOST: usize = (SIZE - TEXT) as usize;

/// Where this process writes its tail; 0 is nowhere.
static PLACE: AtomicU64 = AtomicU64::new(0);
/// The process that set the place: its children do not write there.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// From here on what this process prints is noted there.
pub fn begin(arena: &Arena, at: Offset) {
    empty(arena, at);
    OWNER.store(fork::pid(), Ordering::Relaxed);
    PLACE.store(at, Ordering::Relaxed);
}

/// A tail of nobody yet.
pub fn empty(arena: &Arena, at: Offset) {
    forget_place(arena, at);
    clear(arena, at);
}

/// Takes note of a text that was printed. Costs nothing in a process that is no worker.
pub fn note(printed: &[u8]) {
    let at = PLACE.load(Ordering::Relaxed);
    if !is_noted() {
        return;
    }
    if let Some(arena) = crate::arena::get() {
        write(arena, at, printed);
    }
}

/// Takes note of where this process is, at a moment at which that is known anyway: where it waits, and where its machine polls.
pub fn note_place(place: Option<Span>) {
    if is_noted()
        && let Some(arena) = crate::arena::get()
    {
        arena.put_word(PLACE.load(Ordering::Relaxed), place::pack_start(place));
    }
}

/// Begins with something else: nobody knows where in it a process is.
pub fn forget_place(arena: &Arena, at: Offset) {
    arena.put_word(at, 0);
}

/// Where the process was seen last.
pub fn last_place(arena: &Arena, at: Offset) -> Option<Span> {
    place::unpack_start(arena.get_word(at))
}

/// Whether it is noted what this process prints.
pub(super) fn is_noted() -> bool {
    PLACE.load(Ordering::Relaxed) != 0 && OWNER.load(Ordering::Relaxed) == fork::pid()
}

fn clear(arena: &Arena, at: Offset) {
    arena.put_word(at + LENGTH, 0);
}

/// Keeps the last line that is not empty, or its end. A death in between leaves nothing rather than half of it.
fn write(arena: &Arena, at: Offset, printed: &[u8]) {
    let lines = printed.rsplit(|&byte| byte == b'\n');
    let Some(line) = lines.into_iter().find(|line| !line.is_empty()) else {
        return;
    };
    let line = line.get(line.len().saturating_sub(MOST)..).unwrap_or(line);
    clear(arena, at);
    arena.put_bytes(at + TEXT, line);
    arena
        .word_at(at + LENGTH)
        .store(line.len() as u64, Ordering::Release);
}

/// What was noted last; `None` when nothing was printed.
pub fn read(arena: &Arena, at: Offset) -> Option<String> {
    let length = length_at(arena, at);
    if length == 0 {
        return None;
    }
    let text = String::from_utf8_lossy(arena.bytes(at + TEXT, length)).into_owned();
    let shown = text.trim_matches(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    Some(shown.to_string()).filter(|text| !text.is_empty())
}

/// Copies a tail to another place.
pub fn copy(arena: &Arena, from: Offset, to: Offset) {
    let length = length_at(arena, from);
    arena.put_word(to, arena.get_word(from));
    arena.put_bytes(to + TEXT, arena.bytes(from + TEXT, length));
    arena.word_at(to + LENGTH).store(length, Ordering::Release);
}

fn length_at(arena: &Arena, at: Offset) -> u64 {
    let length = arena.word_at(at + LENGTH).load(Ordering::Acquire);
    length.min(MOST as u64)
}

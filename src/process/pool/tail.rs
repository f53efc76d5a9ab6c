//! What a process printed last, kept in the arena so that it outlives the process: the report of a worker's death quotes it.

use crate::arena::{Arena, Offset};
use crate::os::fork;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Bytes of a tail in the arena: a length, and the text behind it.
pub const SIZE: u64 = 128;
const TEXT: u64 = 8;
const MOST: usize = (SIZE - TEXT) as usize;

/// Where this process writes its tail; 0 is nowhere.
static PLACE: AtomicU64 = AtomicU64::new(0);
/// The process that set the place: its children do not write there.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// From here on what this process prints is noted there.
pub fn begin(arena: &Arena, at: Offset) {
    clear(arena, at);
    OWNER.store(fork::pid(), Ordering::Relaxed);
    PLACE.store(at, Ordering::Relaxed);
}

/// Takes note of a text that was printed. Costs nothing in a process that is no worker.
pub fn note(printed: &[u8]) {
    let at = PLACE.load(Ordering::Relaxed);
    if at == 0 || OWNER.load(Ordering::Relaxed) != fork::pid() {
        return;
    }
    if let Some(arena) = crate::arena::get() {
        write(arena, at, printed);
    }
}

fn clear(arena: &Arena, at: Offset) {
    arena.put_word(at, 0);
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
        .word_at(at)
        .store(line.len() as u64, Ordering::Release);
}

/// What was noted last; `None` when nothing was printed.
pub fn read(arena: &Arena, at: Offset) -> Option<String> {
    let length = arena.word_at(at).load(Ordering::Acquire).min(MOST as u64);
    if length == 0 {
        return None;
    }
    let text = String::from_utf8_lossy(arena.bytes(at + TEXT, length)).into_owned();
    let shown = text.trim_matches(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
    Some(shown.to_string()).filter(|text| !text.is_empty())
}

/// Copies a tail to another place.
pub fn copy(arena: &Arena, from: Offset, to: Offset) {
    let length = arena.word_at(from).load(Ordering::Acquire).min(MOST as u64);
    arena.put_bytes(to + TEXT, arena.bytes(from + TEXT, length));
    arena.word_at(to).store(length, Ordering::Release);
}

//! The progress bar of a tree of processes: it takes a line of the terminal, so one process draws one at a time, and all others
//! know that there is one.

use crate::arena::{self, Arena, Cell, SlotRef};
use std::sync::atomic::Ordering;

fn drawer(arena: &Arena) -> Option<SlotRef> {
    let bits = arena.cell(Cell::Bar).load(Ordering::Acquire);
    SlotRef::from_bits(bits).filter(|&process| arena.is_alive(process))
}

/// Lets this process draw a bar: false when somebody draws one already, this process or another.
pub fn claim() -> bool {
    let Some(arena) = arena::get() else {
        return false;
    };
    let before = arena.cell(Cell::Bar).load(Ordering::Acquire);
    let mine = arena::me().to_bits();
    drawer(arena).is_none()
        && arena
            .cell(Cell::Bar)
            .compare_exchange(before, mine, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
}

/// The bar that this process has drawn is done.
pub fn release() {
    if let Some(arena) = arena::get() {
        arena.cell(Cell::Bar).store(0, Ordering::Release);
    }
}

/// Whether any process draws a bar.
pub fn is_drawn() -> bool {
    arena::get().is_some_and(|arena| drawer(arena).is_some())
}

//! What is kept open by values that may be garbage: descriptors, and programs that run.
//!
//! They run out long before memory does, so the collector is asked to look when there are many: files that a loop opened and
//! nobody refers to any more would be closed by it too late otherwise, or never.

use crate::os::descriptor;
use crate::value::heap::Heap;
use std::cell::Cell;
use std::sync::OnceLock;

/// With this many descriptors, or a quarter of what the process may have, the collector is asked to look.
const MANY: usize = 256;
/// What a program counts that runs for a value.
pub(super) const PROGRAM: usize = 16;

/// How many descriptors the process may have.
static MOST: OnceLock<usize> = OnceLock::new();

thread_local! {
    /// How many there are, and at how many the collector is asked next.
    static OPEN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Something that counts as so many descriptors, as long as it is there.
pub(super) struct Scarce(usize);

impl Scarce {
    /// One more that counts so much.
    pub fn new(heap: &mut Heap, weight: usize) -> Scarce {
        let (open, limit) = OPEN.get();
        let most = *MOST.get_or_init(descriptor::most);
        let least = MANY.min(most / 4).max(PROGRAM);
        let (open, limit) = (open + weight, limit.max(least));
        // Near the end of what there is, in smaller steps.
        let end = (most / 4 * 3).max(open + most / 16);
        let limit = match open >= limit {
            true => {
                heap.ask();
                // Where as many are in use, each look would be for nothing.
                (open * 2).min(end)
            }
            false => limit.min((open * 4).max(least)).min(end),
        };
        OPEN.set((open, limit));
        Scarce(weight)
    }
}

impl Drop for Scarce {
    fn drop(&mut self) {
        // A thread that ends may have let go of the count before.
        let _ = OPEN.try_with(|count| {
            let (open, limit) = count.get();
            count.set((open.saturating_sub(self.0), limit));
        });
    }
}

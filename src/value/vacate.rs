//! Blocks of the heap without anything alive: where memory is short they become blocks of other cells, and whole chunks of them go back to
//! the system. A collection does no more than it must, and leaves them to their own kind of cells.
#![allow(unsafe_code)]

use super::block::{BLOCK, Block, BlockHeader, CLASSES};
use super::heap::Heap;
use std::alloc::Layout;
use std::ptr::NonNull;

/// Blocks that nothing lives in.
#[derive(Default)]
pub(super) struct Vacant {
    /// Numbers of blocks whose memory is there.
    there: Vec<u32>,
    /// Numbers of blocks whose memory went back to the system.
    gone: Vec<u32>,
}

impl Heap {
    /// Vacates all blocks without anything alive. To be called right after a collection that came to its end.
    pub fn give_back(&mut self) {
        for (number, block) in (0u32..).zip(&mut self.blocks) {
            if block.made == 0 || block.marks.iter().any(|&word| word != 0) {
                continue;
            }
            block.made = 0;
            self.vacant.there.push(number);
            let open = &mut self.open[block.class as usize];
            open.take_if(|open| *open == number);
        }
        let chunks = std::mem::take(&mut self.chunks);
        self.chunks = chunks
            .into_iter()
            .filter(|chunk| !self.free_chunk(chunk))
            .collect();
        self.sweep();
    }

    /// Gives a chunk back when all of its blocks are vacant.
    fn free_chunk(&mut self, &(start, layout): &(NonNull<u8>, Layout)) -> bool {
        let range = start.addr().get()..start.addr().get() + layout.size();
        let blocks = &self.blocks;
        let lies_in = |number: &u32| {
            let block = blocks.get(*number as usize);
            block.is_some_and(|block| range.contains(&block.start.addr().get()))
        };
        let count = self.vacant.there.iter().filter(|n| lies_in(n)).count();
        if count < layout.size() / BLOCK {
            return false;
        }
        let gone = self.vacant.there.extract_if(.., |number| lies_in(number));
        self.vacant.gone.extend(gone);
        // SAFETY: allocated with this very layout, and nothing lives in it: its blocks are all vacant, and none is made into a block of
        // cells again without new memory.
        unsafe { std::alloc::dealloc(start.as_ptr(), layout) };
        true
    }

    /// A block for cells of a class, of those that were vacated; `None` when there are none.
    pub(super) fn take_vacant(&mut self, class: usize) -> Option<u32> {
        let number = self.vacant.there.pop()?;
        let block = self.blocks.get_mut(number as usize)?;
        block.class = class as u8;
        write_header(block.start, number, class);
        Some(number)
    }

    /// Enters a new block for cells of a class into the tables.
    pub(super) fn enter(&mut self, start: NonNull<u8>, class: usize) -> u32 {
        let number = self.vacant.gone.pop();
        let index = number.unwrap_or(self.blocks.len() as u32);
        write_header(start, index, class);
        match self.blocks.get_mut(index as usize) {
            Some(block) => {
                block.start = start;
                block.class = class as u8;
            }
            None => self.blocks.push(Block::new(start, class)),
        }
        index
    }
}

fn write_header(start: NonNull<u8>, index: u32, class: usize) {
    let header = BlockHeader {
        index,
        cell_size: CLASSES[class] as u32,
    };
    // SAFETY: the block is memory of BLOCK bytes, aligned to BLOCK, in which nothing lives.
    unsafe { start.cast::<BlockHeader>().write(header) };
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::super::list::{List, Range};
    use super::Heap;

    fn fill(heap: &mut Heap) {
        for i in 0..100_000 {
            Range::new(heap, i, None, false, 1);
        }
    }

    #[test]
    fn what_was_vacated_is_used_for_other_cells() {
        let mut heap = Heap::new();
        let kept = List::new(&mut heap, vec![Value::Nil]);
        fill(&mut heap);
        assert!(heap.collect(|marker| marker.object(kept)));
        heap.give_back();
        let (blocks, chunks) = (heap.blocks.len(), heap.chunks.len());
        assert!(chunks < 3, "{chunks}");
        let lists: Vec<_> = (0..50_000)
            .map(|_| List::new(&mut heap, Vec::new()))
            .collect();
        assert!(heap.blocks.len() <= blocks);
        assert!(heap.collect(|marker| {
            marker.object(kept);
            lists.iter().for_each(|&list| marker.object(list));
        }));
        fill(&mut heap);
        assert!(kept.len() == 1 && lists.iter().all(|list| list.is_empty()));
    }

    #[test]
    fn a_collection_that_was_given_up_is_made_later() {
        let mut heap = Heap::new();
        let kept = List::new(&mut heap, vec![Value::Nil]);
        fill(&mut heap);
        let used = heap.used();
        heap.set_questions(|| false, || true);
        assert!(!heap.collect(|marker| marker.object(kept)));
        heap.set_questions(|| false, || false);
        assert!(heap.collect(|marker| marker.object(kept)));
        assert!(heap.used() < used / 100 && kept.len() == 1);
    }
}

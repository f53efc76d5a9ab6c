//! Bytes that travel, with the handles in them: one block of the arena.
//!
//! The handles stand apart from the bytes so that the collector finds them without knowing the wire format.

use super::kinds::Visitor;
use super::layout::Offset;
use super::object::HandleId;
use super::{Arena, Full};

/// Length of the bytes (8), number of handles (8).
const HEAD: u64 = 16;

impl Arena {
    /// Writes a message into a new block, which is in the hands of this process.
    pub fn write_message(&self, bytes: &[u8], handles: &[HandleId]) -> Result<Offset, Full> {
        self.write_message_parts(&[bytes], handles)
    }

    /// The same for a message in several parts: long ones are copied once, from where they are.
    pub fn write_message_parts(
        &self,
        parts: &[&[u8]],
        handles: &[HandleId],
    ) -> Result<Offset, Full> {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let block = self.alloc(HEAD + handles.len() as u64 * 8 + length)?;
        self.put_word(block, length);
        self.put_word(block + 8, handles.len() as u64);
        let mut at = block + HEAD;
        for handle in handles {
            self.put_word(at, handle.to_bits());
            at += 8;
        }
        for part in parts {
            self.put_bytes(at, part);
            at += part.len() as u64;
        }
        Ok(block)
    }

    /// The bytes of a message. They stay as they are while the block is attached to something or in our hands.
    pub fn message_bytes(&self, block: Offset) -> &[u8] {
        let (length, handles) = self.message_sizes(block);
        self.bytes(block + HEAD + handles * 8, length)
    }

    /// The handles of a message.
    pub fn message_handles(&self, block: Offset) -> Vec<HandleId> {
        let (_, handles) = self.message_sizes(block);
        (0..handles)
            .filter_map(|at| HandleId::from_bits(self.get_word(block + HEAD + at * 8)))
            .collect()
    }

    /// Names a message's block and its handles to a visitor.
    pub fn visit_message(&self, block: Offset, visitor: &mut dyn Visitor) {
        visitor.block(block);
        for handle in self.message_handles(block) {
            visitor.handle(handle);
        }
    }

    /// Length and number of handles, never more than the block can hold.
    fn message_sizes(&self, block: Offset) -> (u64, u64) {
        let room = self.capacity(block).saturating_sub(HEAD);
        let length = self.get_word(block).min(room);
        let handles = self.get_word(block + 8).min((room - length) / 8);
        (length, handles)
    }
}

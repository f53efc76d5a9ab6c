//! Encoded items one behind the other, as they lie in a parcel: a small one costs no memory of its own.

use crate::arena::HandleId;
use crate::process::Message;
use crate::wire::Small;

/// Items, each behind its length.
#[derive(Clone, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    /// Where each of them begins.
    starts: Vec<usize>,
    /// The handles in them.
    handles: Vec<HandleId>,
    /// How many functions and structs a worker must know to read them.
    code: [u32; 2],
}

impl Packed {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Adds an item that needs no memory.
    pub fn push_small(&mut self, item: &Small) {
        self.begin(item.length());
        item.append_to(&mut self.bytes);
    }

    fn begin(&mut self, length: usize) {
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&(length as u64).to_le_bytes());
    }

    /// Adds an item.
    pub fn push(&mut self, item: &Message) {
        self.begin(item.bytes.len());
        self.bytes.extend_from_slice(&item.bytes);
        self.handles.extend_from_slice(&item.handles);
        for (needed, other) in self.code.iter_mut().zip(item.code) {
            *needed = other.max(*needed);
        }
    }

    /// Adds the items from the given one on to a message.
    pub fn write(&self, from: usize, message: &mut Message) {
        if let Some(&start) = self.starts.get(from) {
            let bytes = self.bytes.get(start..).unwrap_or_default();
            message.bytes.extend_from_slice(bytes);
            message.handles.extend_from_slice(&self.handles);
            message.need(self.code);
        }
    }

    /// Takes the items from the given one on. What they hold is held by both then, as nobody knows whose it is.
    pub fn split_off(&mut self, at: usize) -> Packed {
        let Some(&start) = self.starts.get(at) else {
            return Packed::default();
        };
        let mut starts = self.starts.split_off(at);
        starts.iter_mut().for_each(|place| *place -= start);
        Packed {
            bytes: self.bytes.split_off(start),
            starts,
            handles: self.handles.clone(),
            code: self.code,
        }
    }
}

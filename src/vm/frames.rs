//! The stack of calls.
//!
//! Frames stand in memory that never moves (reserved at once, touched only as it is used), so that the loop can keep
//! pointers to them. The first one stands for nobody.

#![allow(unsafe_code)]

use crate::compile::code::Op;
use crate::limits::MAX_CALL_DEPTH;
use crate::value::Value;
use crate::value::function::Proto;

/// A call that is running or waits for one that it made.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// The next instruction; right only while the frame waits or the loop has stored it.
    pub(super) pc: *const u32,
    /// Register 0; the called function stands in the slot before it.
    pub(super) base: *mut Value,
    /// The constants of its code.
    pub(super) constants: *const Value,
    /// The code, kept alive by the program's table.
    pub(super) proto: *const Proto,
    /// The caller's register for the result.
    pub(super) dest: u8,
    /// Returning from it leaves the loop: native code made this call.
    pub(super) entry: bool,
}

/// All frames.
pub(super) struct Frames {
    memory: Vec<Frame>,
    /// The frame that runs.
    pub(super) current: *mut Frame,
    /// A call may not use this frame or one above it.
    pub(super) limit: *mut Frame,
    /// Frames at or below this one are not told of in traces: they are those of the parent of a forked child.
    pub(super) floor: *mut Frame,
}

impl Frames {
    pub(super) fn new() -> Frames {
        let mut memory: Vec<Frame> = Vec::with_capacity(MAX_CALL_DEPTH + 2);
        memory.push(Frame {
            pc: std::ptr::null(),
            base: std::ptr::null_mut(),
            constants: std::ptr::null(),
            proto: std::ptr::null(),
            dest: 0,
            entry: true,
        });
        let current = memory.as_mut_ptr();
        let mut frames = Frames {
            memory,
            current,
            limit: current,
            floor: current,
        };
        frames.set_limit(MAX_CALL_DEPTH);
        frames
    }

    /// Lets calls nest this deep.
    pub(super) fn set_limit(&mut self, calls: usize) {
        let calls = calls.clamp(1, MAX_CALL_DEPTH);
        // SAFETY: the allocation has room for MAX_CALL_DEPTH + 2 frames.
        self.limit = unsafe { self.memory.as_mut_ptr().add(calls + 1) };
    }

    /// The frames that run, the innermost first, as far down as traces go.
    pub(super) fn running(&self) -> impl Iterator<Item = &Frame> {
        let (mut at, floor) = (self.current, self.floor);
        std::iter::from_fn(move || {
            if at <= floor {
                return None;
            }
            // SAFETY: `current` and all frames between it and the first are initialized.
            let frame = unsafe { &*at };
            // SAFETY: the floor is at or above the first frame.
            at = unsafe { at.sub(1) };
            Some(frame)
        })
    }
}

impl Frame {
    /// The index of a word of the instruction that the frame waits in.
    pub(super) fn at(&self) -> usize {
        if self.proto.is_null() {
            return 0;
        }
        // SAFETY: `pc` points into or one past the code of `proto`, which is alive (see the field); it is past the first word of
        // the instruction.
        unsafe {
            let start = (*self.proto).code.as_ptr();
            (self.pc.offset_from(start) as usize).saturating_sub(1)
        }
    }

    /// Whether the instruction that it waits in is a call, and the next takes what that gives piece by piece. (Compiled code
    /// says where it is before it calls, too.)
    pub(super) fn comes_to_pieces(&self) -> bool {
        let next = self.code().and_then(|code| code.code.get(self.at() + 1));
        next.and_then(|&word| Op::decode(word)) == Some(Op::PiecesPrep)
    }

    /// Its code.
    pub(super) fn code(&self) -> Option<&Proto> {
        // SAFETY: null only in the first frame; else alive (see the field).
        unsafe { self.proto.as_ref() }
    }
}

//! What the machine offers to native code.

use super::frames::Frame;
use super::state::Machine;
use crate::diag::{self, codes};
use crate::process::wait;
use crate::source::{Source, Span};
use crate::syntax;
use crate::value::Value;
use crate::value::function::Proto;
use crate::value::heap::{Gc, Heap};
use crate::value::iterate;
use crate::value::native::{Context, NativeIter, Outcome};
use crate::value::seat::Seat;
use crate::value::structure::StructType;
use std::any::Any;
use std::io::Write;
use std::rc::Rc;

impl Context for Machine {
    fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }

    fn call(&mut self, function: Value, args: &[Value]) -> Outcome {
        self.call_value(function, args)
    }

    fn call_named(
        &mut self,
        function: Value,
        args: &[Value],
        named: &[(Rc<str>, Value)],
    ) -> Outcome {
        self.call_with_names(function, args, named)
    }

    fn protect(&mut self, value: Value) {
        self.protected.push(value);
    }

    fn protected(&self) -> usize {
        self.protected.len()
    }

    fn release(&mut self, protected: usize) {
        self.protected.truncate(protected);
    }

    fn is_for_loop(&self) -> bool {
        self.frames
            .running()
            .next()
            .is_some_and(Frame::comes_to_pieces)
    }

    fn place(&self) -> Option<Span> {
        self.current_place()
    }

    fn trace(&self) -> Vec<crate::diag::Frame> {
        Machine::trace(self)
    }

    fn describe(&self, place: Span) -> String {
        self.sources.place(place)
    }

    fn code_text(&self, place: Span) -> Option<String> {
        let source = self.sources.get(place.source)?;
        let part = Source::new(source.id, "", source.slice(place));
        Some(syntax::code(&part))
    }

    fn iterate(&mut self, value: Value) -> Outcome<Rc<dyn NativeIter>> {
        self.protected.push(value);
        iterate::over(self, value)
    }

    fn write_out(&mut self, bytes: &[u8]) -> Outcome<()> {
        let written = match &mut self.hooks.out {
            Some(out) => out.write_all(bytes),
            // One system call for each text, without a buffer that a fork could copy.
            None => wait::write(libc::STDOUT_FILENO, bytes)?,
        };
        written.map_err(|error| io_error("standard output", &error))
    }

    fn write_err(&mut self, bytes: &[u8]) -> Outcome<()> {
        let written = match &mut self.hooks.err {
            Some(err) => err.write_all(bytes),
            None => wait::write(libc::STDERR_FILENO, bytes)?,
        };
        written.map_err(|error| io_error("standard error", &error))
    }

    fn arguments(&self) -> &[String] {
        &self.hooks.arguments
    }

    fn global_name(&self, slot: u32) -> String {
        let found = self.global_names.iter().find(|(_, of)| *of == slot);
        found.map_or_else(String::new, |(name, _)| name.to_string())
    }

    fn code(&self, id: u32) -> Option<Rc<Proto>> {
        self.protos.get(id as usize).cloned()
    }

    fn structure(&self, id: u32) -> Option<Gc<StructType>> {
        self.structs.get(id as usize).copied().flatten()
    }

    fn global(&self, slot: u32) -> Option<Value> {
        self.globals.get(slot as usize)
    }

    fn set_global(&mut self, slot: u32, value: Value) {
        self.set_global_slot(slot, value);
    }

    fn poll(&mut self) -> Outcome<()> {
        self.look()
    }

    fn hold_off(&mut self) {
        self.holds_off = true;
    }

    fn seat(&self) -> Seat {
        self.seat.clone()
    }

    fn enter_child(&mut self) {
        self.frames.floor = self.frames.current;
        self.heap.inherit();
    }

    fn state(&mut self, make: fn() -> Box<dyn Any>) -> &mut dyn Any {
        &mut **self.state.get_or_insert_with(make)
    }
}

fn io_error(what: &str, error: &std::io::Error) -> crate::value::native::Fault {
    diag::Error::new(codes::IO, format!("cannot write to {what}: {error}")).into()
}

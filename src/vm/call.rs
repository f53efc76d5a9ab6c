//! Calls that are not as usual: natives, bound methods, struct types, named and spread arguments, missing and rest
//! arguments; and calls that native code makes.

#![allow(unsafe_code)]

use super::arguments::{self, Given};
use super::frames::Frame;
use super::state::Machine;
use crate::diag::{self, codes};
use crate::limits::{FIRST_NATIVE_DEPTH, MAX_NATIVE_DEPTH, STACK_MARGIN, STACK_PIECE};
use crate::os::memory;
use crate::value::function::{Closure, Proto};
use crate::value::heap::Gc;
use crate::value::native::{Native, Outcome};
use crate::value::structure::Instance;
use crate::value::{Value, show};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::rc::Rc;

/// A fault waits in the machine. (Results of a byte stay in a register; the loop's fast paths are the better for it.)
pub(super) struct Stop;

/// How a call began.
pub(super) enum Begun {
    /// A frame was pushed: the loop goes on in it.
    Frame,
    /// It is over already.
    Value(Value),
}

/// Slots above the limit that may be written without asking: arguments of natives that were not given.
pub(super) const SLACK: usize = 512;

impl Machine {
    /// Runs what is not on the loop's fast path.
    #[inline(never)]
    pub(super) fn out_of_line<T>(
        &mut self,
        slow: impl FnOnce(&mut Machine) -> Outcome<T>,
    ) -> Result<T, Stop> {
        let kept = self.protected.len();
        let result = slow(self);
        self.protected.truncate(kept);
        match result {
            Ok(value) => Ok(value),
            Err(fault) => {
                self.fault = Some(fault);
                Err(Stop)
            }
        }
    }

    /// Calls a native function from the loop, with `count` arguments in a row; the result goes to `to`.
    #[inline(never)]
    pub(super) fn run_native(
        &mut self,
        native: &'static Native,
        args: *mut Value,
        count: usize,
        to: *mut Value,
    ) -> Result<(), Stop> {
        self.top = self.frame_top().max(args.wrapping_add(count));
        let kept = self.protected.len();
        // SAFETY: the arguments stand in registers of the running frame (or right after it: see `run_method`), which nobody
        // writes while it waits.
        let args = unsafe { std::slice::from_raw_parts(args, count) };
        match (native.code)(self, args) {
            // SAFETY: a register of the running frame.
            Ok(value) => unsafe { write_by_parts(value, to) },
            Err(fault) => {
                self.protected.truncate(kept);
                self.fault = Some(fault);
                return Err(Stop);
            }
        }
        self.protected.truncate(kept);
        self.notice();
        Ok(())
    }

    /// Calls a native method from the loop with `count` arguments after its receiver; the parameters that are left are
    /// optional ones, and at most `MOST_PLAIN`.
    #[inline(always)]
    pub(super) fn run_method(
        &mut self,
        native: &'static Native,
        receiver: *mut Value,
        count: usize,
        to: *mut Value,
    ) -> Result<(), Stop> {
        let all = native.params.len();
        for missing in count..all {
            // SAFETY: registers above the arguments of a call are not in use, and there are SLACK slots above every frame.
            unsafe { receiver.add(1 + missing).write(Value::Undef) };
        }
        self.run_native(native, receiver, 1 + all, to)
    }

    /// Calls the function in a slot from the loop. The result goes to register `dest` now, or when the frame returns.
    pub(super) fn call_slow(
        &mut self,
        callee: *mut Value,
        count: usize,
        dest: usize,
        shape: Option<usize>,
    ) -> Outcome<()> {
        #[cfg(feature = "jit")]
        let hot = self.heap.budget <= 0;
        self.safe_point()?;
        self.top = self.frame_top();
        match self.begin(callee, count, dest, shape)? {
            #[cfg(feature = "jit")]
            Begun::Frame if hot => self.called(),
            Begun::Frame => {}
            Begun::Value(value) => self.set_register(dest, value),
        }
        Ok(())
    }

    /// Writes a register of the running frame.
    pub(super) fn set_register(&mut self, register: usize, value: Value) {
        // SAFETY: the compiler names only registers of the frame's window.
        unsafe { *(*self.frames.current).base.add(register) = value };
    }

    /// One past the registers of the running frame.
    pub(super) fn frame_top(&self) -> *mut Value {
        // SAFETY: the current frame is initialized; its window lies inside the stack.
        unsafe {
            let frame = &*self.frames.current;
            match frame.code() {
                Some(proto) => frame.base.add(proto.registers as usize),
                None => self.stack.start(),
            }
        }
    }

    /// Begins the call of what stands at `callee`, with `count` values after it.
    pub(super) fn begin(
        &mut self,
        callee: *mut Value,
        count: usize,
        dest: usize,
        shape: Option<usize>,
    ) -> Outcome<Begun> {
        // SAFETY: the caller put the callee and its arguments into the stack.
        let function = unsafe { *callee };
        match function {
            Value::Fn(closure) => {
                self.begin_closure(closure, callee, count, dest, shape)?;
                Ok(Begun::Frame)
            }
            Value::Struct(of) if shape.is_none() && of.plain.get() && count == of.fields.len() => {
                // SAFETY: as above.
                let fields = unsafe { std::slice::from_raw_parts(callee.add(1), count) };
                let instance = Instance::new(&mut self.heap, of, fields);
                Ok(Begun::Value(Value::Instance(instance)))
            }
            Value::Struct(of) if shape.is_none() => {
                // SAFETY: as above. The constructor captures the type, so nothing is lost.
                unsafe { *callee = of.constructor.get() };
                match of.constructor.get() {
                    Value::Fn(_) => self.begin(callee, count, dest, shape),
                    _ => Err(arguments::too_early(&of.name)),
                }
            }
            _ => {
                let given = self.given(callee, count, shape)?;
                self.begin_given(callee, given, 0, dest)
            }
        }
    }

    /// Begins the call of what stands at `callee` with arguments still to be put in order. The first `receivers` of them (0
    /// or 1) is what it is a method of.
    fn begin_given(
        &mut self,
        callee: *mut Value,
        mut given: Given,
        receivers: usize,
        dest: usize,
    ) -> Outcome<Begun> {
        // SAFETY: the caller put the callee into the stack.
        let function = unsafe { *callee };
        match function {
            Value::Fn(closure) => {
                let values = arguments::for_proto(&mut self.heap, &closure.proto, given)?;
                self.place(callee, &values)?;
                self.push_frame(closure, callee, dest)?;
                Ok(Begun::Frame)
            }
            Value::Native(native) => self
                .call_native(native, callee, given, receivers)
                .map(Begun::Value),
            Value::Host(host) => {
                let values = arguments::for_host(&host, given)?;
                let code = host.code.clone();
                self.top = self.place(callee, &values)?;
                self.natively(|machine| code(machine, &values))
                    .map(Begun::Value)
            }
            Value::Struct(of) => {
                // SAFETY: as above. The constructor captures the type, so nothing is lost.
                unsafe { *callee = of.constructor.get() };
                match of.constructor.get() {
                    Value::Fn(_) => self.begin_given(callee, given, receivers, dest),
                    _ => Err(arguments::too_early(&of.name)),
                }
            }
            Value::Bound(bound) => {
                given.positional.insert(0, bound.receiver);
                // SAFETY: as above.
                unsafe { *callee = bound.function };
                self.begin_given(callee, given, 1, dest)
            }
            other => Err(not_callable(&other)),
        }
    }

    fn begin_closure(
        &mut self,
        closure: Gc<Closure>,
        callee: *mut Value,
        count: usize,
        dest: usize,
        shape: Option<usize>,
    ) -> Outcome<()> {
        let proto: &Proto = &closure.proto;
        if shape.is_none() && proto.exact as usize == count {
            return self.push_frame(closure, callee, dest);
        }
        let last = proto.params.len();
        let plain = !proto.params.iter().any(|p| p.rest);
        if shape.is_none() && plain && count <= last {
            let missing = &proto.params[count..];
            if missing.iter().all(|param| param.optional) {
                self.reserve(callee, last + 1)?;
                for i in count..last {
                    // SAFETY: room for `last` arguments after the callee was just made sure of.
                    unsafe { *callee.add(1 + i) = Value::Undef };
                }
                return self.push_frame(closure, callee, dest);
            }
        }
        let given = self.given(callee, count, shape)?;
        let values = arguments::for_proto(&mut self.heap, proto, given)?;
        self.place(callee, &values)?;
        self.push_frame(closure, callee, dest)
    }

    /// Pushes a frame for a closure whose arguments are in order after `callee`.
    fn push_frame(&mut self, closure: Gc<Closure>, callee: *mut Value, dest: usize) -> Outcome<()> {
        let proto: *const Proto = &raw const *closure.proto;
        // SAFETY: the program's table keeps the code alive; `reserve` makes sure of the window; the frames' memory ends above
        // `limit`.
        unsafe {
            self.reserve(callee, (*proto).registers as usize + 1)?;
            let new = self.frames.current.add(1);
            if new >= self.frames.limit {
                return Err(self.too_deep());
            }
            new.write(Frame {
                pc: (*proto).code.as_ptr(),
                base: callee.add(1),
                constants: (*proto).constants.as_ptr(),
                proto,
                dest: dest as u8,
                entry: false,
            });
            self.frames.current = new;
        }
        Ok(())
    }

    /// Makes sure that `count` slots from `from` on may be used.
    pub(super) fn reserve(&mut self, from: *mut Value, count: usize) -> Outcome<()> {
        let needed = from.wrapping_add(count);
        if needed <= self.soft_limit {
            return Ok(());
        }
        let end = self.stack.end().wrapping_sub(2 * SLACK);
        if needed > end || needed < from {
            return Err(self.too_deep());
        }
        self.soft_limit = end.min(needed.wrapping_add(4096));
        Ok(())
    }

    #[cold]
    fn too_deep(&self) -> crate::value::native::Fault {
        let message = "calls are nested too deeply";
        diag::Error::new(codes::LIMIT, message)
            .with_help("check that the recursion ends, or use a loop")
            .into()
    }

    /// Puts arguments after the callee; the first free slot after them comes back.
    fn place(&mut self, callee: *mut Value, values: &[Value]) -> Outcome<*mut Value> {
        self.reserve(callee, values.len() + 1)?;
        for (i, &value) in values.iter().enumerate() {
            // SAFETY: the room was just made sure of.
            unsafe { *callee.add(1 + i) = value };
        }
        Ok(self.top.max(callee.wrapping_add(1 + values.len())))
    }

    /// The arguments after the callee, sorted by what they are.
    fn given(&self, callee: *mut Value, count: usize, shape: Option<usize>) -> Outcome<Given> {
        // SAFETY: the caller put `count` values after the callee.
        let values = unsafe { std::slice::from_raw_parts(callee.add(1), count) };
        // SAFETY: the current frame is initialized.
        let code = unsafe { (*self.frames.current).code() };
        let shape = shape.and_then(|index| code?.shapes.get(index));
        arguments::sort(values, shape)
    }

    /// Calls a native function with arguments still to be put in order. The first `receivers` of them (0 or 1) is what
    /// it is a method of.
    pub(super) fn call_native(
        &mut self,
        native: &'static Native,
        callee: *mut Value,
        given: Given,
        receivers: usize,
    ) -> Outcome {
        let values = arguments::for_native(&mut self.heap, native, given, receivers)?;
        self.top = self.place(callee, &values)?;
        // SAFETY: the values were just placed there; the slots stay as they are while the native runs, because everything that
        // it calls uses slots from `top` on.
        let args = unsafe { std::slice::from_raw_parts(callee.add(1), values.len()) };
        self.natively(|machine| (native.code)(machine, args))
    }

    /// Runs native code; what it protected is let go afterwards.
    pub(super) fn natively(&mut self, code: impl FnOnce(&mut Machine) -> Outcome) -> Outcome {
        let (kept, top) = (self.protected.len(), self.top);
        let result = code(self);
        self.notice();
        self.protected.truncate(kept);
        self.top = top;
        result
    }

    /// Calls any callable value. The arguments and the function are kept alive meanwhile.
    ///
    /// # Errors
    /// What the called function raised and did not catch, or its `exit`.
    pub fn call_value(&mut self, function: Value, args: &[Value]) -> Outcome {
        let callee = self.top;
        self.reserve(callee, args.len() + 1)?;
        // SAFETY: the room was just made sure of.
        unsafe {
            *callee = function;
            for (i, &arg) in args.iter().enumerate() {
                // What was just made in two parts cannot be read in one without waiting for both.
                write_by_parts(arg, callee.add(1 + i));
            }
        }
        self.top = callee.wrapping_add(1 + args.len());
        self.enter(callee, |machine| machine.begin(callee, args.len(), 0, None))
    }

    /// As [`Machine::call_value`], with named arguments too.
    ///
    /// # Errors
    /// As there.
    pub fn call_with_names(
        &mut self,
        function: Value,
        args: &[Value],
        named: &[(Rc<str>, Value)],
    ) -> Outcome {
        if named.is_empty() {
            return self.call_value(function, args);
        }
        let callee = self.top;
        self.reserve(callee, 1)?;
        // SAFETY: the room was just made sure of.
        unsafe { *callee = function };
        self.top = callee.wrapping_add(1);
        let given = Given {
            positional: args.to_vec(),
            named: named.to_vec(),
        };
        self.enter(callee, |machine| machine.begin_given(callee, given, 0, 0))
    }

    /// Runs what `begin` begins until it is over. Slots from `callee` on are free again afterwards.
    fn enter(
        &mut self,
        callee: *mut Value,
        begin: impl FnOnce(&mut Machine) -> Outcome<Begun>,
    ) -> Outcome {
        let seat = self.seat.clone();
        if seat.is_taken() {
            return self.run_call(callee, begin);
        }
        let mut machine = NonNull::from(self);
        let _seated = seat.take(machine);
        // SAFETY: the pointer was made from `self`, which is not used any more.
        unsafe { machine.as_mut() }.run_call(callee, begin)
    }

    #[inline(always)]
    fn run_call(
        &mut self,
        callee: *mut Value,
        begin: impl FnOnce(&mut Machine) -> Outcome<Begun>,
    ) -> Outcome {
        if self.native_depth >= MAX_NATIVE_DEPTH {
            self.top = callee;
            let message = format!(
                "calls through built-in functions may nest {MAX_NATIVE_DEPTH} deep, but these go deeper"
            );
            return Err(diag::Error::new(codes::LIMIT, message)
                .with_help("check that the recursion ends, or use a loop")
                .into());
        }
        self.native_depth += 1;
        // Few calls are this deep, and the look at the stack costs the others nothing.
        let result = match self.native_depth > FIRST_NATIVE_DEPTH {
            true => self.run_deep(begin),
            false => self.run_begun(begin),
        };
        self.native_depth -= 1;
        self.top = callee;
        result
    }

    #[inline(always)]
    fn run_begun(&mut self, begin: impl FnOnce(&mut Machine) -> Outcome<Begun>) -> Outcome {
        match begin(self)? {
            Begun::Value(value) => Ok(value),
            Begun::Frame => {
                // SAFETY: `begin` pushed this frame.
                unsafe { (*self.frames.current).entry = true };
                self.execute()
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn run_deep(&mut self, begin: impl FnOnce(&mut Machine) -> Outcome<Begun>) -> Outcome {
        with_room(|| self.run_begun(begin))
    }
}

/// Calls with enough of the machine's stack, on a further piece of it if need be. A fork copies the pieces with the rest of the
/// memory, guard pages and all, and a child never returns to where its parent was.
fn with_room(run: impl FnOnce() -> Outcome) -> Outcome {
    let is_near = stacker::remaining_stack().is_none_or(|left| left < STACK_MARGIN);
    if is_near && !memory::may_map(STACK_PIECE) {
        let message = "calls through built-in functions need more stack, but the machine gives no more memory";
        return Err(diag::Error::new(codes::LIMIT, message).into());
    }
    stacker::maybe_grow(STACK_MARGIN, STACK_PIECE, run)
}

fn not_callable(value: &Value) -> crate::value::native::Fault {
    let message = format!(
        "only functions can be called, but this is {}",
        show::kind(value)
    );
    diag::Error::new(codes::TYPE, message).into()
}

/// Writes a value that was made just now to a register, by its parts. Read back whole, it would have to wait until the two
/// stores that made it, and all stores before those, have reached the processor's cache.
///
/// # Safety
/// The place is valid for writing a value.
#[inline(always)]
unsafe fn write_by_parts(value: Value, to: *mut Value) {
    // SAFETY: as the caller says. All values but these two kinds have a first byte that says which they are (`repr(u8)`), and
    // a second half that is their content or nothing; the bytes between belong to none of them.
    unsafe {
        if matches!(value, Value::Bool(_) | Value::Short(_)) {
            return to.write(value);
        }
        let from = (&raw const value).cast::<u8>();
        to.cast::<u64>().write(u64::from(from.read()).to_le());
        let content = from.cast::<MaybeUninit<u64>>().add(1).read();
        to.cast::<MaybeUninit<u64>>().add(1).write(content);
    }
}

//! Fields and methods by name, and their inline caches.
//!
//! An entry belongs to an owner: for instances the serial number of the struct type (256 and up), for values of built-in
//! types their tag (below 256), for handles the number that all with the same methods have (above all others).

#![allow(unsafe_code)]

use super::arguments;
use super::call::Begun;
use super::raw;
use super::state::Machine;
use crate::builtins;
use crate::builtins::shared::scalar::{self, ScalarHandle};
use crate::diag::{self, codes};
use crate::operator::BinaryOp;
use crate::value::function::Site;
use crate::value::heap::Gc;
use crate::value::native::{Native, Outcome};
use crate::value::structure::Instance;
use crate::value::{Value, access, operate};
use std::rc::Rc;

/// Parameters of a native method that is called without sorting its arguments: longer ones are rare.
const MOST_PLAIN: usize = 7;

/// Whether `count` positional arguments are enough for a native method without a rest parameter.
fn fits(native: &'static Native, count: usize) -> bool {
    let params = native.params;
    params.len() <= MOST_PLAIN
        && params
            .get(count..)
            .is_some_and(|left| left.iter().all(|param| param.ends_with('?')))
}

/// Who a call site's entry for a value of a built-in type belongs to.
fn owner_of(receiver: &Value) -> usize {
    match receiver {
        Value::Handle(handle) => handle.family(),
        // SAFETY: a value that is alive.
        other => unsafe { raw::tag(other) as usize },
    }
}

impl Machine {
    /// A site of the running function. (Its code lives as long as the program, so the borrow is not the machine's.)
    fn site<'s>(&self, index: usize) -> &'s Site {
        // SAFETY: the compiler names only sites that exist; the program's table keeps the code alive and it never moves.
        unsafe { &*(*(*self.frames.current).proto).sites.as_ptr().add(index) }
    }

    /// `receiver.name(...)`: the receiver stands after `callee`, `count` values after it.
    pub(super) fn method(
        &mut self,
        callee: *mut Value,
        count: usize,
        dest: usize,
        site: usize,
        shape: Option<usize>,
    ) -> Outcome<()> {
        self.safe_point()?;
        self.top = self.frame_top();
        let site = self.site(site);
        // SAFETY: the compiler put the receiver there.
        let receiver = unsafe { *callee.add(1) };
        if let Value::Instance(instance) = receiver {
            return self.instance_method(instance, callee, count, dest, site, shape);
        }
        if let Some(native) = builtins::method(&receiver, &site.name) {
            return self.native_method(native, callee, count, dest, site, shape);
        }
        let function = match receiver {
            Value::Struct(of) => of.method(&site.name),
            _ => access::find_field(self, receiver, &site.name)?,
        };
        match function {
            Some(function) => self.call_field(function, callee, count, dest, shape),
            None => Err(self.no_method(receiver, &site.name)),
        }
    }

    fn instance_method(
        &mut self,
        instance: Gc<Instance>,
        callee: *mut Value,
        count: usize,
        dest: usize,
        site: &Site,
        shape: Option<usize>,
    ) -> Outcome<()> {
        let receiver = Value::Instance(instance);
        if let Some(function) = instance.of.method(&site.name) {
            if matches!(function, Value::Fn(_)) {
                site.function.set(function);
                site.owner.set(instance.serial());
            }
            // SAFETY: the slot before the receiver is kept free for this.
            unsafe { *callee = function };
            let begun = match shape {
                None => self.begin(callee, count + 1, dest, None)?,
                Some(_) => {
                    // The receiver is the first of the positional arguments, which the shape does not count.
                    let bound =
                        crate::value::function::Bound::new(&mut self.heap, receiver, function);
                    // SAFETY: as above; the receiver's slot becomes the callee's.
                    unsafe { *callee.add(1) = Value::Bound(bound) };
                    self.begin(callee.wrapping_add(1), count, dest, shape)?
                }
            };
            return self.finish_call(begun, dest);
        }
        let field = instance.of.slot(&site.name);
        match field.and_then(|slot| instance.fields().get(slot)) {
            Some(field) => self.call_field(field.get(), callee, count, dest, shape),
            None => Err(self.no_method(receiver, &site.name)),
        }
    }

    fn finish_call(&mut self, begun: Begun, dest: usize) -> Outcome<()> {
        if let Begun::Value(value) = begun {
            self.set_register(dest, value);
        }
        Ok(())
    }

    fn native_method(
        &mut self,
        native: &'static Native,
        callee: *mut Value,
        count: usize,
        dest: usize,
        site: &Site,
        shape: Option<usize>,
    ) -> Outcome<()> {
        // SAFETY: the receiver and the arguments stand after the callee.
        let values = unsafe { std::slice::from_raw_parts(callee.add(1), count + 1) };
        let Some((&receiver, values)) = values.split_first() else {
            return Ok(());
        };
        let plain = !native
            .params
            .iter()
            .any(|p| p.starts_with("...") || p.starts_with("**"));
        if shape.is_none() && plain && fits(native, count) {
            // The next call with as many arguments goes straight to the function.
            site.function.set(Value::Native(native));
            site.slot.set(count as u32);
            site.owner.set(owner_of(&receiver));
            // Arguments in order, and only optional ones left out: nothing to sort and nothing to allocate.
            let mut args = [Value::Undef; MOST_PLAIN + 1];
            args[0] = receiver;
            args[1..=count].copy_from_slice(values);
            let args = &args[..=native.params.len()];
            let value = self.natively(|machine| (native.code)(machine, args))?;
            self.set_register(dest, value);
            return Ok(());
        }
        // SAFETY: the current frame is initialized.
        let code = unsafe { (*self.frames.current).code() };
        let shape = shape.and_then(|index| code?.shapes.get(index));
        let mut given = arguments::sort(values, shape)?;
        given.positional.insert(0, receiver);
        let value = self.call_native(native, callee, given, 1)?;
        self.set_register(dest, value);
        Ok(())
    }

    /// Calls the function that a field holds: the receiver is no argument of it.
    fn call_field(
        &mut self,
        function: Value,
        callee: *mut Value,
        count: usize,
        dest: usize,
        shape: Option<usize>,
    ) -> Outcome<()> {
        let callee = callee.wrapping_add(1);
        // SAFETY: the receiver's slot; it was read already.
        unsafe { *callee = function };
        let begun = self.begin(callee, count, dest, shape)?;
        self.finish_call(begun, dest)
    }

    fn no_method(&mut self, receiver: Value, name: &Rc<str>) -> crate::value::native::Fault {
        let mut names: Vec<String> = access::field_names(receiver);
        if let Value::Instance(instance) = receiver {
            names.extend(instance.of.method_names().iter().map(|n| n.to_string()));
        }
        names.extend(
            builtins::method_names(&receiver)
                .iter()
                .map(|n| n.to_string()),
        );
        let what = crate::value::show::kind(&receiver);
        let error = diag::Error::new(codes::TYPE, format!("{what} has no method `{name}`"));
        access::suggest(error, receiver, name, &names)
    }

    /// `to = object.name`.
    pub(super) fn get_field(&mut self, to: *mut Value, object: Value, site: usize) -> Outcome<()> {
        let site = self.site(site);
        let value = match object {
            Value::Instance(instance) => match instance.of.slot(&site.name) {
                Some(slot) => {
                    site.slot.set(slot as u32);
                    site.owner.set(instance.serial());
                    instance.fields().get(slot).map(|field| field.get())
                }
                None => None,
            },
            Value::Handle(handle) => match handle.downcast::<ScalarHandle>() {
                Some(scalar) if &*site.name == "value" => Some(scalar::value(self, &scalar.0)?),
                _ => None,
            },
            Value::Map(map) => {
                let table = map.table();
                // The key stands where it stood last time, more often than not.
                match table.at(site.slot.get() as usize, &site.key) {
                    Some(value) => Some(value),
                    None => table.position(&site.key).and_then(|at| {
                        site.slot.set(at as u32);
                        site.owner.set(0);
                        table.at(at, &site.key)
                    }),
                }
            }
            _ => None,
        };
        let value = match value {
            Some(value) => value,
            None => {
                self.top = self.frame_top();
                builtins::get_field(self, object, &site.name)?
            }
        };
        // SAFETY: a register of the running frame, or of one below that waits: stacks never move.
        unsafe { *to = value };
        Ok(())
    }

    /// `object.name = value`.
    pub(super) fn set_field(&mut self, object: Value, site: usize, value: Value) -> Outcome<()> {
        let site = self.site(site);
        match object {
            Value::Instance(instance) => {
                let Some(slot) = instance.of.slot(&site.name) else {
                    return access::set_field(self, object, &site.name, value);
                };
                let fields = instance.fields();
                if let Some(field) = fields.get(slot) {
                    keep_shared(&field.get(), &site.name, value)?;
                    field.set(value);
                    site.slot.set(slot as u32);
                    site.owner.set(instance.serial());
                }
                Ok(())
            }
            Value::Map(map) => {
                map.edit(&mut self.heap, |table| table.insert(site.key, value));
                Ok(())
            }
            _ => {
                self.top = self.frame_top();
                access::set_field(self, object, &site.name, value)
            }
        }
    }

    /// `object.name op= operand`: in one atomic step where the object has such.
    pub(super) fn update_field(
        &mut self,
        object: Value,
        operand: Value,
        op: usize,
        index: usize,
    ) -> Outcome<()> {
        let site = self.site(index);
        let op = operator(op);
        if let Value::Int(by) = operand
            && let Some(scalar) = object.as_handle::<ScalarHandle>()
            && &*site.name == "value"
            && scalar::step(&scalar.0, op, by)
        {
            self.notice();
            return Ok(());
        }
        self.top = self.frame_top();
        if let Value::Handle(handle) = object {
            let handle = handle.share();
            if handle
                .update_attribute(self, &site.name, op, operand)?
                .is_some()
            {
                self.notice();
                return Ok(());
            }
        }
        let mut old = Value::Nil;
        self.get_field(&raw mut old, object, index)?;
        let new = self.operate(op, old, operand)?;
        self.set_field(object, index, new)
    }

    /// `object[index] op= operand`: in one atomic step where the object has such.
    pub(super) fn update_index(
        &mut self,
        object: Value,
        index: Value,
        operand: Value,
        op: usize,
    ) -> Outcome<()> {
        let op = operator(op);
        self.top = self.frame_top();
        if let Value::Handle(handle) = object {
            let handle = handle.share();
            if handle.update_index(self, index, op, operand)?.is_some() {
                self.notice();
                return Ok(());
            }
        }
        let old = access::get_index(self, object, index)?;
        let new = self.operate(op, old, operand)?;
        access::set_index(self, object, index, new)
    }

    fn operate(&mut self, op: BinaryOp, a: Value, b: Value) -> Outcome {
        match (op, a, b) {
            (BinaryOp::Add, Value::Int(x), Value::Int(y)) if x.checked_add(y).is_some() => {
                Ok(Value::Int(x + y))
            }
            _ => operate::binary(&mut self.heap, op, a, b),
        }
    }

    /// `to =` what an object has under a name of a pattern; false when it has nothing.
    pub(super) fn take_field(
        &mut self,
        to: *mut Value,
        object: Value,
        site: usize,
    ) -> Outcome<bool> {
        let site = self.site(site);
        let found = match object {
            Value::Map(map) => map.table().get(&site.key),
            _ => {
                self.top = self.frame_top();
                access::find_field(self, object, &site.name)?
            }
        };
        if let Some(value) = found {
            // SAFETY: a register of the running frame.
            unsafe { *to = value };
        }
        Ok(found.is_some())
    }
}

/// Refuses to write over a field that holds a shared scalar: whoever writes that means its content.
fn keep_shared(old: &Value, name: &str, new: Value) -> Outcome<()> {
    if let Value::Handle(handle) = old
        && !matches!(new, Value::Nil)
        && handle.get().type_name() == "shared"
        && handle.get().attribute_names().contains(&"value")
    {
        let message =
            format!("the field `{name}` holds a shared value, which cannot be written over");
        return Err(diag::Error::new(codes::TYPE, message)
            .with_help(format!(
                "write `.{name}.value = ...` to change the shared value, or assign nil first to let it go"
            ))
            .into());
    }
    Ok(())
}

/// The operator of a number that the compiler wrote.
fn operator(number: usize) -> BinaryOp {
    use BinaryOp::*;
    const ALL: [BinaryOp; 12] = [
        Add, Sub, Mul, Div, FloorDiv, Rem, Pow, BitAnd, BitOr, BitXor, Shl, Shr,
    ];
    ALL.get(number).copied().unwrap_or(Add)
}

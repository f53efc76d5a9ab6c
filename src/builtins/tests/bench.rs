//! A context without a machine: natives can be called and can call natives back.

use super::super::{function, method, module};
use crate::source::Span;
use crate::value::function::Proto;
use crate::value::heap::{Gc, Heap};
use crate::value::native::{Context, Fault, Native, NativeIter, Outcome};
use crate::value::structure::StructType;
use crate::value::{Value, iterate, show};
use std::any::Any;
use std::rc::Rc;

/// The context.
#[derive(Default)]
pub struct Bench {
    heap: Heap,
    state: Option<Box<dyn Any>>,
    /// What was written to standard output.
    pub out: Vec<u8>,
}

/// An argument by name.
pub type Named<'a> = (&'a str, Value);

impl Bench {
    /// A str value.
    pub fn text(&mut self, text: &str) -> Value {
        Value::str(&mut self.heap, text)
    }

    /// A list of ints.
    pub fn ints(&mut self, ints: &[i64]) -> Value {
        let ints = ints.iter().map(|&i| Value::Int(i)).collect();
        Value::list(&mut self.heap, ints)
    }

    /// Calls a built-in (`print`), a module's function (`math.sqrt`) or, of the first argument, a method (`.split`).
    pub fn call(&mut self, name: &str, args: &[Value], named: &[Named<'_>]) -> Outcome {
        let native = match name.split_once('.') {
            Some(("", name)) => method(&args[0], name),
            Some((of, name)) => {
                let functions = module(of).unwrap().functions;
                functions.iter().find(|row| row.name == name)
            }
            None => function(name),
        };
        let native = native.unwrap_or_else(|| panic!("no {name}"));
        let receiver = usize::from(name.starts_with('.'));
        let args = bind(native, &args[..receiver], &args[receiver..], named);
        (native.code)(self, &args)
    }

    /// The result as it prints, or the kind and message of the error.
    pub fn show(&mut self, name: &str, args: &[Value], named: &[Named<'_>]) -> String {
        match self.call(name, args, named) {
            Ok(value) => show::repr(value),
            Err(Fault::Error(error)) => format!("{}: {}", error.kind, error.message),
            Err(Fault::Thrown(value)) => show::display(value),
            Err(Fault::Exit(code)) => format!("exit {code}"),
        }
    }
}

/// The arguments as natives get them.
fn bind(native: &Native, receiver: &[Value], args: &[Value], named: &[Named<'_>]) -> Vec<Value> {
    let mut bound = receiver.to_vec();
    let rest_at = native
        .params
        .iter()
        .position(|param| param.starts_with("..."));
    let mut given = args.iter();
    for (at, param) in native.params.iter().enumerate() {
        if Some(at) == rest_at {
            continue;
        }
        let name = param.trim_end_matches('?');
        let by_name = named.iter().find(|(wanted, _)| *wanted == name);
        let by_place = if rest_at.is_none_or(|rest| at < rest) {
            given.next()
        } else {
            None
        };
        let value = by_name.map(|(_, value)| *value).or(by_place.copied());
        assert!(
            value.is_some() || param.ends_with('?') || param.starts_with('*'),
            "{name} is missing"
        );
        bound.push(value.unwrap_or(Value::Undef));
    }
    bound.extend(given);
    bound
}

impl Context for Bench {
    fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }

    fn call(&mut self, function: Value, args: &[Value]) -> Outcome {
        match function {
            Value::Native(native) => (native.code)(self, &bind(native, &[], args, &[])),
            _ => panic!("not a native"),
        }
    }

    fn call_named(&mut self, function: Value, args: &[Value], _: &[(Rc<str>, Value)]) -> Outcome {
        Context::call(self, function, args)
    }

    fn protect(&mut self, _: Value) {}

    fn protected(&self) -> usize {
        0
    }

    fn release(&mut self, _: usize) {}

    fn place(&self) -> Option<Span> {
        None
    }

    fn trace(&self) -> Vec<crate::diag::Frame> {
        Vec::new()
    }

    fn describe(&self, _: Span) -> String {
        String::new()
    }

    fn iterate(&mut self, value: Value) -> Outcome<Rc<dyn NativeIter>> {
        iterate::over(self, value)
    }

    fn write_out(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.out.extend(bytes);
        Ok(())
    }

    fn write_err(&mut self, _: &[u8]) -> Outcome<()> {
        Ok(())
    }

    fn arguments(&self) -> &[String] {
        &[]
    }

    fn code(&self, _: u32) -> Option<Rc<Proto>> {
        None
    }

    fn structure(&self, _: u32) -> Option<Gc<StructType>> {
        None
    }

    fn global(&self, _: u32) -> Option<Value> {
        None
    }

    fn set_global(&mut self, _: u32, _: Value) {}

    fn global_name(&self, _: u32) -> String {
        String::new()
    }

    fn code_text(&self, _: Span) -> Option<String> {
        None
    }

    fn poll(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn seat(&self) -> crate::value::seat::Seat {
        crate::value::seat::Seat::default()
    }

    fn enter_child(&mut self) {}

    fn state(&mut self, make: fn() -> Box<dyn Any>) -> &mut dyn Any {
        &mut **self.state.get_or_insert_with(make)
    }
}

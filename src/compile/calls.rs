//! Calls: of functions, of natives that are known here, of methods; arguments by position, by name and spread.

use super::Compiler;
use super::code::Op;
use super::names::Member;
use super::operators::operation;
use crate::check::Place;
use crate::limits::MAX_ARGUMENTS;
use crate::operator::BinaryOp;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};
use crate::value::function::Shape;
use crate::value::native::Native;

impl<'a> Compiler<'a> {
    /// `callee(args)`.
    pub(super) fn call(&mut self, callee: &'a Expr, args: &'a [Arg], dest: u8) {
        if let ExprKind::Name(name) = &callee.kind {
            if let Some(native) = self.builtin(name) {
                if native.name == "assert"
                    && let Some(compared) = compared(args)
                {
                    return self.assertion(compared, args.get(1), dest);
                }
                if native.name == "assert"
                    && is_plain(args)
                    && let [condition, message] = args
                {
                    return self.assertion_of_truth(native, condition, message, dest);
                }
                return self.call_native(native, args, dest);
            }
            if let Some(&Place::Global(slot)) = self.resolved.place(name.id)
                && is_plain(args)
            {
                return self.call_global(slot as u16, args, dest);
            }
        }
        let function = self.f.temp();
        self.expr_to(callee, function);
        self.call_value(function, args, dest);
    }

    /// `assert(left op right, message)`: the values are kept, so that a failure can show them. The message is only
    /// computed when it is needed.
    fn assertion(
        &mut self,
        (op, left, right): (BinaryOp, &'a Expr, &'a Expr),
        message: Option<&'a Arg>,
        dest: u8,
    ) {
        let function = self.f.temps(5);
        let (name, first, second) = (function + 1, function + 2, function + 3);
        self.expr_to(left, first);
        self.expr_to(right, second);
        self.f.emit(operation(op), name, first, second);
        let held = self.f.jump(Op::JTrue, name, 0, 0);
        let constant = self.text(&op.text().into());
        self.f.emit_x(Op::LoadK, name, constant);
        match message {
            Some(message) => self.expr_to(&message.value, function + 4),
            None => self.f.emit(Op::LoadUndef, function + 4, 0, 0),
        }
        let native = self.intrinsic("@assert_failed");
        self.native(native, function, 4, dest);
        self.f.patch([held]);
        self.f.emit(Op::LoadNil, dest, 0, 0);
    }

    /// `assert(condition, message)`: the message is only computed when it is needed.
    fn assertion_of_truth(
        &mut self,
        native: &'static Native,
        condition: &'a Arg,
        message: &'a Arg,
        dest: u8,
    ) {
        let function = self.f.temps(3);
        self.expr_to(&condition.value, function + 1);
        let held = self.f.jump(Op::JTrue, function + 1, 0, 0);
        self.expr_to(&message.value, function + 2);
        self.native(native, function, 2, dest);
        self.f.patch([held]);
        self.f.emit(Op::LoadNil, dest, 0, 0);
    }

    /// Calls what stands in the topmost register.
    fn call_value(&mut self, function: u8, args: &'a [Arg], dest: u8) {
        if is_plain(args) {
            let count = self.positional(args);
            return self.f.emit(Op::Call, function, count, dest);
        }
        let (count, shape) = self.shaped(args);
        self.f.emit(Op::CallEx, function, count, dest);
        self.f.word(shape);
    }

    fn call_global(&mut self, slot: u16, args: &'a [Arg], dest: u8) {
        let function = self.f.temp();
        let count = self.positional(args);
        self.f.emit(Op::CallGlobal, function, count, dest);
        self.f.word(u32::from(slot));
    }

    /// Calls a native function that is known now: names are put in their places here when that is possible.
    pub(super) fn call_native(&mut self, native: &'static Native, args: &'a [Arg], dest: u8) {
        let Some(places) = native_places(native, args) else {
            let function = self.f.temp();
            let constant = self.f.native_constant(native);
            self.f.emit_x(Op::LoadK, function, constant);
            return self.call_value(function, args, dest);
        };
        let function = self.f.temp();
        let count = native_width(native, &places);
        let first = self.f.temps(count);
        for index in (0..count).filter(|index| !places.contains(index)) {
            self.f.emit(Op::LoadUndef, first + index as u8, 0, 0);
        }
        for (arg, place) in args.iter().zip(&places) {
            self.expr_to(&arg.value, first + *place as u8);
        }
        self.native(native, function, count as u8, dest);
    }

    /// Emits the call of a native function whose arguments stand after `function`, one per parameter.
    pub(super) fn native(&mut self, native: &'static Native, function: u8, count: u8, dest: u8) {
        let constant = self.f.native_constant(native);
        self.f.emit(Op::CallNative, function, count, dest);
        self.f.word(u32::from(constant));
    }

    /// `receiver.name(args)`.
    pub(super) fn method(
        &mut self,
        receiver: &'a Expr,
        name: &'a Ident,
        args: &'a [Arg],
        dest: u8,
    ) {
        if let ExprKind::Name(module) = &receiver.kind
            && let Some(member) = self.member(module, name)
        {
            return self.call_member(member, args, dest);
        }
        let function = self.f.temp();
        self.push(receiver);
        let site = self.f.site(self.heap, &name.name);
        if is_plain(args) {
            let count = self.positional(args);
            self.f.emit(Op::Method, function, count, dest);
            return self.f.word(site);
        }
        let (count, shape) = self.shaped(args);
        self.f.emit(Op::MethodEx, function, count, dest);
        self.f.word(site);
        self.f.word(shape);
    }

    fn call_member(&mut self, member: Member, args: &'a [Arg], dest: u8) {
        match member {
            Member::Native(native) => self.call_native(native, args, dest),
            Member::Global(slot) if is_plain(args) => self.call_global(slot, args, dest),
            Member::Global(slot) => {
                let function = self.f.temp();
                self.f.emit_x(Op::GetGlobal, function, slot);
                self.call_value(function, args, dest);
            }
            Member::Constant(constant) => {
                let function = self.f.temp();
                self.f.emit_x(Op::LoadK, function, constant);
                self.call_value(function, args, dest);
            }
        }
    }

    /// Arguments by position in new registers; how many.
    fn positional(&mut self, args: &'a [Arg]) -> u8 {
        if args.len() > MAX_ARGUMENTS {
            self.f.too_many("arguments in one call");
            return 0;
        }
        for arg in args {
            self.push(&arg.value);
        }
        args.len() as u8
    }

    /// Arguments with names or spreads in new registers: how many registers, and the shape.
    fn shaped(&mut self, args: &'a [Arg]) -> (u8, u32) {
        if args.len() > MAX_ARGUMENTS {
            self.f.too_many("arguments in one call");
            return (0, 0);
        }
        let mut shape = Shape {
            spread: args.iter().any(|arg| arg.spread),
            names: Vec::new(),
        };
        let mut count = 0;
        if shape.spread {
            let list = self.f.temp();
            self.argument_list(args, list);
            count = 1;
        }
        for arg in args
            .iter()
            .filter(|arg| arg.name.is_none() && !shape.spread)
        {
            self.push(&arg.value);
            count += 1;
        }
        for arg in args {
            if let Some(name) = &arg.name {
                shape.names.push(name.name.clone());
                self.push(&arg.value);
                count += 1;
            }
        }
        (count, self.f.shape(shape))
    }

    /// The positional arguments, spreads included, as a list.
    pub(super) fn argument_list(&mut self, args: &'a [Arg], dest: u8) {
        self.f.emit(Op::NewList, dest, 0, 0);
        for arg in args.iter().filter(|arg| arg.name.is_none()) {
            let mark = self.f.next;
            let value = self.expr(&arg.value);
            let op = match arg.spread {
                true => Op::ListExtend,
                false => Op::ListPush,
            };
            self.f.emit(op, dest, value, 0);
            self.f.next = mark;
        }
    }

    /// The named arguments as a map, or nil when there are none.
    pub(super) fn argument_names(&mut self, args: &'a [Arg], dest: u8) {
        if args.iter().all(|arg| arg.name.is_none()) {
            return self.f.emit(Op::LoadNil, dest, 0, 0);
        }
        self.f.emit(Op::NewMap, dest, 0, 0);
        for arg in args {
            if let Some(name) = &arg.name {
                let mark = self.f.next;
                let key = self.f.temp();
                let constant = self.text(&name.name);
                self.f.emit_x(Op::LoadK, key, constant);
                let value = self.expr(&arg.value);
                self.f.emit(Op::MapSet, dest, key, value);
                self.f.next = mark;
            }
        }
    }
}

/// What `assert(a == b)` and `assert(a == b, message)` compare.
fn compared(args: &[Arg]) -> Option<(BinaryOp, &Expr, &Expr)> {
    if !is_plain(args) || args.len() > 2 {
        return None;
    }
    let mut condition = &args.first()?.value;
    while let ExprKind::Paren(inner) = &condition.kind {
        condition = inner;
    }
    match &condition.kind {
        ExprKind::Binary {
            op, left, right, ..
        } if op.is_comparison() => Some((*op, left, right)),
        _ => None,
    }
}

fn is_plain(args: &[Arg]) -> bool {
    args.iter().all(|arg| arg.name.is_none() && !arg.spread)
}

/// For each argument its place among the argument registers of a native function (see [`Native::params`]); `None` when that
/// is only known or only wrong at run time.
fn native_places(native: &Native, args: &[Arg]) -> Option<Vec<usize>> {
    let rest = native.params.iter().position(|p| p.starts_with("..."));
    let named = native.params.iter().any(|p| p.starts_with("**"));
    if args.iter().any(|arg| arg.spread) || named || args.len() > MAX_ARGUMENTS {
        return None;
    }
    let fixed: Vec<&str> = native
        .params
        .iter()
        .filter(|p| !p.starts_with("..."))
        .copied()
        .collect();
    let mut places = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        places.push(match (&arg.name, rest) {
            (None, Some(rest)) if i >= rest => fixed.len() + i - rest,
            (None, _) => i,
            (Some(name), _) => fixed
                .iter()
                .position(|p| p.trim_end_matches('?') == &*name.name)?,
        });
    }
    let fits = |place: &usize| *place < fixed.len() || rest.is_some();
    let given = |(index, param): (usize, &&str)| places.contains(&index) || param.ends_with('?');
    let unique = (0..places.len()).all(|i| !places[..i].contains(&places[i]));
    let complete = fixed.iter().enumerate().all(given);
    (places.iter().all(fits) && complete && unique).then_some(places)
}

/// How many argument registers a call of a native function has.
fn native_width(native: &Native, places: &[usize]) -> usize {
    let fixed = native
        .params
        .iter()
        .filter(|p| !p.starts_with("..."))
        .count();
    let last = places.iter().max().map_or(0, |last| last + 1);
    fixed.max(last)
}

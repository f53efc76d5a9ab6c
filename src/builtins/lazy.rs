//! Iterators that compute their items when they are asked: `enumerate`, `zip`, `iterate`, and what the methods of
//! iterators give.
//!
//! What `next` has in hand while it asks the source or a function is kept for that very call ([`gather::keeping`]), not in the
//! iterator: a function may ask the iterator that called it, and each of the two calls has its own.

use super::gather;
use crate::diag::{self, codes};
use crate::limits::MAX_LAZY_DEPTH;
use crate::value::Value;
use crate::value::heap::{Gc, Marker};
use crate::value::list::List;
use crate::value::map::Map;
use crate::value::native::{Context, IterBox, Looks, NativeIter, Outcome};
use std::cell::Cell;
use std::rc::Rc;

type Source = Rc<dyn NativeIter>;

/// An iterator as a value.
pub fn value(context: &mut dyn Context, iterator: impl NativeIter + 'static) -> Value {
    Value::Iter(IterBox::new(context.heap(), Rc::new(iterator)))
}

/// Refuses one more iterator over one that has too many behind it already: each asks the next on the stack of this process.
pub fn check_depth(source: Source) -> Outcome<Source> {
    if source.depth() < MAX_LAZY_DEPTH {
        return Ok(source);
    }
    let message = format!(
        "at most {MAX_LAZY_DEPTH} iterators can stand behind one another, but these are more"
    );
    Err(diag::Error::new(codes::LIMIT, message)
        .with_help("make a list of what has come so far: .list()")
        .into())
}

/// `[number, item]`.
pub struct Enumerate {
    /// Where the items come from.
    pub source: Source,
    /// The next number; `None` behind the greatest.
    pub next: Cell<Option<i64>>,
}

impl NativeIter for Enumerate {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let Some(item) = self.source.next(context)? else {
            return Ok(None);
        };
        let Some(number) = self.next.get() else {
            let message =
                "enumerate: the number of an item must be an int, but this one is too large";
            return Err(diag::Error::new(codes::OVERFLOW, message).into());
        };
        self.next.set(number.checked_add(1));
        let pair = vec![Value::Int(number), item];
        Ok(Some(Value::list(context.heap(), pair)))
    }

    fn is_at_hand(&self) -> bool {
        self.source.is_at_hand()
    }

    fn may_break_off(&self) -> bool {
        self.source.may_break_off()
    }

    fn never_ends(&self) -> bool {
        self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
    }
}

/// Lists of the items that stand at the same place, until one source ends.
pub struct Zip {
    /// Where the items come from.
    pub sources: Vec<Source>,
}

impl NativeIter for Zip {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        if self.sources.is_empty() {
            return Ok(None);
        }
        let row = List::new(context.heap(), Vec::new());
        gather::keeping(context, Value::List(row), |context| {
            for source in &self.sources {
                let Some(item) = source.next(context)? else {
                    return Ok(None);
                };
                row.push(context.heap(), item);
            }
            Ok(Some(Value::List(row)))
        })
    }

    fn is_at_hand(&self) -> bool {
        self.sources.iter().all(|source| source.is_at_hand())
    }

    fn never_ends(&self) -> bool {
        !self.sources.is_empty() && self.sources.iter().all(|source| source.never_ends())
    }

    fn depth(&self) -> usize {
        let depths = self.sources.iter().map(|source| source.depth());
        depths.max().unwrap_or(0) + 1
    }

    fn close(&self) {
        self.sources.iter().for_each(|source| source.close());
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        for source in &self.sources {
            source.trace(marker);
        }
    }
}

/// `[key, value]` of what goes over keys, and other items as they are.
pub struct Pairs {
    /// Where the items come from.
    pub source: Source,
    /// The map whose keys they are.
    pub map: Option<Gc<Map>>,
}

impl NativeIter for Pairs {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let Some(item) = self.source.next(context)? else {
            return Ok(None);
        };
        let value = match self.map {
            Some(map) => Some(map.table().get(&item).unwrap_or(Value::Nil)),
            None => self.source.value(),
        };
        Ok(Some(match value {
            Some(value) => Value::list(context.heap(), vec![item, value]),
            None => item,
        }))
    }

    fn is_at_hand(&self) -> bool {
        self.source.is_at_hand()
    }

    fn may_break_off(&self) -> bool {
        self.source.may_break_off()
    }

    fn never_ends(&self) -> bool {
        self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
        marker.value(self.map.map_or(Value::Nil, Value::Map));
    }
}

/// What a function gives, call by call, until it raises EndOfStream.
pub struct Calls {
    /// The function.
    pub function: Value,
    /// It has ended.
    pub ended: Cell<bool>,
}

impl NativeIter for Calls {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        if self.ended.get() {
            return Ok(None);
        }
        match context.call(self.function, &[]) {
            Ok(item) => Ok(Some(item)),
            Err(fault) => {
                self.ended.set(true);
                if gather::is_end(&fault) {
                    Ok(None)
                } else {
                    Err(fault)
                }
            }
        }
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        marker.value(self.function);
    }
}

/// What a function makes of each item.
pub struct Mapped {
    /// Where the items come from.
    pub source: Source,
    /// The function.
    pub function: Value,
}

impl NativeIter for Mapped {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        match self.source.next(context)? {
            Some(item) => context.call(self.function, &[item]).map(Some),
            None => Ok(None),
        }
    }

    fn never_ends(&self) -> bool {
        self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
        marker.value(self.function);
    }
}

/// What a function answers about an item, which lasts until it has.
fn answer(context: &mut dyn Context, function: Value, item: Value) -> Outcome<bool> {
    gather::keeping(context, item, |context| {
        Ok(context.call(function, &[item])?.truthy())
    })
}

/// The items for which a function answers true.
pub struct Filtered {
    /// Where the items come from.
    pub source: Source,
    /// The function.
    pub function: Value,
    /// Ends at the first item that is refused, instead of leaving it out.
    pub stops: bool,
    /// It has ended.
    pub ended: Cell<bool>,
}

impl NativeIter for Filtered {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let mut looks = Looks::default();
        while !self.ended.get() {
            looks.look(context)?;
            let Some(item) = self.source.next(context)? else {
                self.ended.set(true);
                break;
            };
            if answer(context, self.function, item)? {
                return Ok(Some(item));
            }
            self.ended.set(self.stops);
        }
        Ok(None)
    }

    fn never_ends(&self) -> bool {
        !self.stops && !self.ended.get() && self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
        marker.value(self.function);
    }
}

/// The items from the first on for which a function does not answer true.
pub struct After {
    /// Where the items come from.
    pub source: Source,
    /// The function.
    pub function: Value,
    /// The first item has come.
    pub begun: Cell<bool>,
}

impl NativeIter for After {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let mut looks = Looks::default();
        while !self.begun.get() {
            looks.look(context)?;
            let Some(item) = self.source.next(context)? else {
                return Ok(None);
            };
            if !answer(context, self.function, item)? {
                self.begun.set(true);
                return Ok(Some(item));
            }
        }
        self.source.next(context)
    }

    fn never_ends(&self) -> bool {
        self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
        marker.value(self.function);
    }
}

/// The first items, or what comes after them.
pub struct Part {
    /// Where the items come from.
    pub source: Source,
    /// How many are still left out at the start.
    pub skip: Cell<usize>,
    /// How many may still come; `None` is all.
    pub take: Cell<Option<usize>>,
}

impl NativeIter for Part {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        // Counted when it has come: the wait for it may be broken off, and begun again.
        let mut looks = Looks::default();
        while self.skip.get() > 0 {
            looks.look(context)?;
            let is_over = self.source.next(context)?.is_none();
            self.skip.set(self.skip.get().saturating_sub(1));
            if is_over {
                self.skip.set(0);
                self.take.set(Some(0));
            }
        }
        if self.take.get() == Some(0) {
            return Ok(None);
        }
        let item = self.source.next(context)?;
        match self.take.get() {
            // The source has asked this very iterator, which gave its last item meanwhile.
            Some(0) => Ok(None),
            left => {
                self.take.set(left.map(|left| left - 1));
                Ok(item)
            }
        }
    }

    fn is_at_hand(&self) -> bool {
        self.source.is_at_hand()
    }

    fn may_break_off(&self) -> bool {
        self.source.may_break_off()
    }

    fn never_ends(&self) -> bool {
        self.take.get().is_none() && self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
    }
}

/// Lists of up to `size` items.
pub struct Chunks {
    /// Where the items come from.
    pub source: Source,
    /// Items of each list, at least 1.
    pub size: usize,
}

impl NativeIter for Chunks {
    fn next(&self, context: &mut dyn Context) -> Outcome<Option<Value>> {
        let chunk = List::new(context.heap(), Vec::new());
        let mut looks = Looks::default();
        gather::keeping(context, Value::List(chunk), |context| {
            while chunk.len() < self.size {
                looks.look(context)?;
                match self.source.next(context)? {
                    Some(item) => chunk.push(context.heap(), item),
                    None => break,
                }
            }
            Ok((!chunk.is_empty()).then_some(Value::List(chunk)))
        })
    }

    fn is_at_hand(&self) -> bool {
        self.source.is_at_hand()
    }

    fn never_ends(&self) -> bool {
        self.source.never_ends()
    }

    fn depth(&self) -> usize {
        self.source.depth() + 1
    }

    fn close(&self) {
        self.source.close();
    }

    fn trace(&self, marker: &mut Marker<'_>) {
        self.source.trace(marker);
    }
}

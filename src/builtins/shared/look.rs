//! How shared objects print. There is no script at hand here, so contents are decoded into a heap of their own; what
//! needs the script (functions, structs) shows as what it is, not with what is in it.

use super::{array, element_name, list, map, scalar};
use crate::arena::{self, Arena};
use crate::builtins::travel;
use crate::diag;
use crate::process::shared::{Content, Small};
use crate::value::Value;
use crate::value::function::Proto;
use crate::value::handle::{Handle, HandleId};
use crate::value::heap::{Gc, Heap};
use crate::value::native::Native;
use crate::value::show::{self, BETWEEN_CHECKS, Check};
use crate::value::structure::StructType;
use crate::wire::{self, Receiver};
use std::rc::Rc;

/// Containers inside each other are shown this deep.
const DEPTH: usize = 20;

/// `shared(5)`, `shared([1, 2])`, `shared.ints([0, 0])`.
pub fn show(handle: &dyn Handle) -> String {
    show_while(handle, || Ok(())).unwrap_or_default()
}

/// As [`show`]; an error of `check`, which is asked between items, ends it.
pub fn show_while(handle: &dyn Handle, check: Check) -> diag::Result<String> {
    let Some(arena) = arena::get() else {
        return Ok(String::from("shared"));
    };
    let mut look = Look {
        arena,
        open: Vec::new(),
        check,
    };
    let content = look.handle(handle)?.unwrap_or_default();
    Ok(match handle.as_any().downcast_ref::<array::ArrayHandle>() {
        Some(array) => format!("shared.{}({content})", element_name(array.0.element())),
        None => format!("shared({content})"),
    })
}

struct Look<'a> {
    arena: &'a Arena,
    /// The objects around the one that is being shown.
    open: Vec<HandleId>,
    check: Check,
}

/// What was read under an object's mutex: nothing is made or let go of there.
enum Read {
    Small(Small),
    Bytes(Vec<u8>),
}

fn read(content: Content<'_>) -> Read {
    match content {
        Content::Small(small) => Read::Small(small),
        Content::Message(bytes) => Read::Bytes(bytes.to_vec()),
    }
}

impl Look<'_> {
    /// The content of a shared object; `None` of other handles.
    fn handle(&mut self, handle: &dyn Handle) -> diag::Result<Option<String>> {
        let Some(id) = handle.identity() else {
            return Ok(None);
        };
        let any = handle.as_any();
        if self.open.contains(&id) || self.open.len() > DEPTH {
            return Ok(Some(String::from(match any.is::<map::MapHandle>() {
                true => "{...}",
                false => "[...]",
            })));
        }
        self.open.push(id);
        let text = if let Some(list::ListHandle(list)) = any.downcast_ref() {
            let mut items = Vec::new();
            list.read_all(self.arena, |content| items.push(read(content)));
            let items = self.parts(items, |look, item| look.value(item))?;
            Some(format!("[{items}]"))
        } else if let Some(map::MapHandle(map)) = any.downcast_ref() {
            let mut entries = Vec::new();
            map.read_all(self.arena, |key, value| {
                entries.push((read(key), read(value)));
            });
            let entries = self.parts(entries, |look, (key, value)| {
                Ok(format!("{}: {}", look.key(key)?, look.value(value)?))
            })?;
            Some(format!("{{{entries}}}"))
        } else if let Some(array::ArrayHandle(array)) = any.downcast_ref() {
            let arena = self.arena;
            let words = (0..array.len()).filter_map(|at| array.get(arena, at));
            let element = |word| Ok(show::repr(array::element(array, word)));
            let elements = self.parts(words, |_, word| element(word))?;
            Some(format!("[{elements}]"))
        } else if let Some(scalar::ScalarHandle(scalar)) = any.downcast_ref() {
            let (_, content) = scalar.read(self.arena, read);
            Some(self.value(content)?)
        } else {
            None
        };
        self.open.pop();
        Ok(text)
    }

    /// What each of several parts is written as, with commas between them.
    fn parts<T>(
        &mut self,
        parts: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Look<'_>, T) -> diag::Result<String>,
    ) -> diag::Result<String> {
        let mut text = String::new();
        for (at, part) in parts.into_iter().enumerate() {
            if at % BETWEEN_CHECKS == BETWEEN_CHECKS - 1 {
                (self.check)()?;
            }
            if at > 0 {
                text.push_str(", ");
            }
            text.push_str(&write(self, part)?);
        }
        Ok(text)
    }

    fn value(&mut self, read: Read) -> diag::Result<String> {
        let bytes = match read {
            Read::Small(small) => return Ok(show::repr(super::small_value(small))),
            Read::Bytes(bytes) => bytes,
        };
        let mut stand_in = StandIn { heap: Heap::new() };
        match wire::decode(&bytes, &mut stand_in) {
            Ok(Value::Handle(handle)) => match self.handle(handle.get())? {
                Some(text) => Ok(text),
                None => handle.get().show_while(self.check),
            },
            Ok(value) => show::repr_while(value, self.check),
            Err(_) => Ok(String::from("<value>")),
        }
    }

    fn key(&mut self, read: Read) -> diag::Result<String> {
        let text = self.value(read)?;
        // A quoted name stands without quotes before a colon.
        let bare = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        Ok(match bare {
            Some(name)
                if name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
                    && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) =>
            {
                name.to_string()
            }
            _ if text.starts_with('"') || text.starts_with(|c: char| c.is_alphanumeric()) => text,
            _ => format!("[{text}]"),
        })
    }
}

/// A process as the wire format sees it, without a script.
struct StandIn {
    heap: Heap,
}

impl Receiver for StandIn {
    fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }
    fn native(&self, name: &str) -> Option<&'static Native> {
        crate::builtins::function(name)
    }
    fn method(&self, receiver: &Value, name: &str) -> Option<&'static Native> {
        crate::builtins::method(receiver, name)
    }
    fn code(&self, _: u32) -> Option<Rc<Proto>> {
        None
    }
    fn structure(&self, _: u32) -> Option<Gc<StructType>> {
        None
    }
    fn handle(&mut self, id: HandleId) -> Option<Value> {
        let handle = travel::handle_of(id)?;
        Some(Value::handle(&mut self.heap, handle))
    }
}

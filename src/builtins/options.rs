//! The options of a construct (`spawn(name: "x") ...`): the checker knows their names, so only their values are left to check.

use super::arguments;
use crate::value::Value;
use crate::value::heap::Gc;
use crate::value::map::Map;
use crate::value::native::Outcome;

/// The options that were written, for a construct of the given name.
pub struct Options {
    construct: &'static str,
    map: Option<Gc<Map>>,
}

impl Options {
    /// From the argument of an intrinsic: a map, or nil when none were written.
    pub fn new(construct: &'static str, value: &Value) -> Outcome<Options> {
        let map = match arguments::given(value) {
            Some(value) => Some(arguments::map(construct, "options", value)?),
            None => None,
        };
        Ok(Options { construct, map })
    }

    /// An option's value, unless it was left out or is nil.
    pub fn get(&self, name: &str) -> Option<Value> {
        let found = self
            .map?
            .table()
            .iter()
            .find(|(key, _)| key.as_str() == Some(name));
        found
            .map(|(_, value)| value)
            .filter(|value| arguments::given(value).is_some())
    }

    /// A time-out in seconds.
    pub fn timeout(&self, name: &str) -> Outcome<Option<f64>> {
        match self.get(name) {
            Some(value) => arguments::timeout(self.construct, name, &value),
            None => Ok(None),
        }
    }

    /// A bool; false when it was left out.
    pub fn flag(&self, name: &str, otherwise: bool) -> Outcome<bool> {
        match self.get(name) {
            Some(value) => arguments::boolean(self.construct, name, &value),
            None => Ok(otherwise),
        }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Outcome<Option<String>> {
        match self.get(name) {
            Some(value) => Ok(Some(
                arguments::text(self.construct, name, &value)?.to_string(),
            )),
            None => Ok(None),
        }
    }

    /// An int of `least` or more.
    pub fn count(&self, name: &str, least: i64) -> Outcome<Option<u64>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = arguments::int(self.construct, name, &value)?;
        if number < least {
            let rule = format!("must be {least} or more");
            return Err(arguments::refuse(self.construct, name, &rule, &value));
        }
        Ok(Some(number as u64))
    }
}

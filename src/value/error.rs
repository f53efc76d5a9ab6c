//! Error values: a report as the script holds it, with the attributes that it was made with.

use super::Value;
use super::heap::{Gc, Header, Heap, Marker};
use crate::diag;
use std::rc::Rc;

/// An error as a value. It never changes; a rethrow keeps it, a report with more trace is a new one.
#[repr(C)]
pub struct ErrorValue {
    header: Header,
    /// Kind, message, place, trace, process, causes that came from elsewhere.
    pub report: Box<diag::Error>,
    /// Attributes given by the script (`error("x", code: 2)`): any values.
    pub attributes: Vec<(Rc<str>, Value)>,
    /// `cause`, an error value or nil.
    pub cause: Value,
    /// Bytes of memory behind the report and the names of the attributes.
    bytes: usize,
}

impl ErrorValue {
    /// An error value.
    pub fn new(
        heap: &mut Heap,
        report: Box<diag::Error>,
        attributes: Vec<(Rc<str>, Value)>,
        cause: Value,
    ) -> Gc<ErrorValue> {
        let names: usize = attributes.iter().map(|(name, _)| name.len() + 48).sum();
        let bytes = report.bytes() + names;
        heap.charge(bytes);
        heap.alloc(
            ErrorValue {
                header: Header::new(0),
                report,
                attributes,
                cause,
                bytes,
            },
            0,
        )
    }

    pub(super) fn trace(&self, marker: &mut Marker<'_>) {
        marker.external(self.bytes);
        for (_, value) in &self.attributes {
            marker.value(*value);
        }
        marker.value(self.cause);
    }
}

//! Places of the script inside the arena: numbers, which only the owner of the sources can turn into text.

use crate::source::{SourceId, Span};
use std::sync::OnceLock;

static RESOLVER: OnceLock<Box<dyn Fn(Span) -> String + Send + Sync>> = OnceLock::new();

/// Tells how places are written in reports (`main.par:12`). The driver sets it once, before the first spawn, so that all
/// processes of the tree have it; without it places are numbers.
pub fn set_resolver(resolver: impl Fn(Span) -> String + Send + Sync + 'static) {
    let _ = RESOLVER.set(Box::new(resolver));
}

/// A place as reports quote it; `somewhere` when it is not known.
pub fn text(place: Option<Span>) -> String {
    match (place, RESOLVER.get()) {
        (None, _) => String::from("somewhere"),
        (Some(span), Some(resolver)) => resolver(span),
        (Some(span), None) => format!("source {} byte {}", span.source.0, span.start),
    }
}

/// A place as two words: the source (plus one, so that 0 is "none"), and start and end.
pub fn pack(place: Option<Span>) -> (u64, u64) {
    match place {
        Some(span) => (
            u64::from(span.source.0) + 1,
            u64::from(span.end) << 32 | u64::from(span.start),
        ),
        None => (0, 0),
    }
}

/// What [`pack`] made.
pub fn unpack(source: u64, range: u64) -> Option<Span> {
    let source = u32::try_from(source.checked_sub(1)?).ok()?;
    Some(Span {
        source: SourceId(source),
        start: range as u32,
        end: (range >> 32) as u32,
    })
}

/// A place as one word that keeps its beginning only: source (plus one) and start.
pub fn pack_start(place: Option<Span>) -> u64 {
    place.map_or(0, |span| {
        u64::from(span.source.0 + 1) << 32 | u64::from(span.start)
    })
}

/// What [`pack_start`] made.
pub fn unpack_start(bits: u64) -> Option<Span> {
    let start = bits & 0xffff_ffff;
    unpack(bits >> 32, start << 32 | start)
}

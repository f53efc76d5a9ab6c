//! The story of a deadlock: who waits, in what, since which line, and who keeps him waiting.

use super::{Blocked, Enders, noun, ops};
use crate::arena::{Arena, HandleId, ObjectKind, SlotRef};
use crate::diag::{Error, Field, codes};
use crate::os::clock;
use crate::process::wait::Operation;
use crate::process::{file_lock, place, record};

/// How many of a crowd a report names: enough to see who they are.
const MOST_TOLD: usize = 32;
/// How many of those it names who keep one of them waiting.
const MOST_NAMED: usize = 8;

/// The whole story, as text and as `e.group`. Of a crowd the text tells of some.
pub(super) fn report(arena: &Arena, blocked: &Blocked, group: &[SlotRef]) -> Box<Error> {
    let mut lines = Vec::new();
    let mut members = Vec::new();
    let mut labels = Vec::new();
    let now = clock::now();
    for (at, &member) in group.iter().enumerate() {
        let Some((wait, enders)) = blocked.get(&member) else {
            continue;
        };
        let nouns: Vec<String> = wait.objects.iter().map(|&id| wanted(arena, id)).collect();
        let waits_for = format!("`{}` of {}", wait.operation.words(), nouns.join(", "));
        let mut held_by = held_by(arena, enders, member);
        let objects = wait.objects.iter();
        for lost in objects.filter_map(|&id| lost(arena, id, wait.operation, member)) {
            held_by += &format!(" ({lost})");
        }
        let seconds = now.saturating_sub(wait.since) as f64 / 1e9;
        let place = place::text(wait.place);
        let (name, pid) = record::name_and_pid(arena, member);
        if at < MOST_TOLD {
            lines.push(format!(
                "{name} (pid {pid}) waits in {waits_for} at {place} for {seconds:.2} s, held by {held_by}"
            ));
            labels.extend(wait.place.map(|span| (span, format!("{name} waits here"))));
        }
        members.push(Field::Map(vec![
            (String::from("name"), Field::Text(name)),
            (String::from("pid"), Field::Int(i64::from(pid))),
            (String::from("waits_for"), Field::Text(waits_for)),
            (String::from("held_by"), Field::Text(held_by)),
            (String::from("place"), Field::Text(place)),
            (String::from("seconds"), Field::Float(seconds)),
        ]));
    }
    if let Some(more) = group.len().checked_sub(MOST_TOLD).filter(|&more| more > 0) {
        lines.push(format!("and {more} more"));
    }
    let head = match group.len() {
        1 => String::from("a wait that nothing can end"),
        count => format!("{count} processes wait for each other, and nothing else can end it"),
    };
    let mut error = Error::new(codes::DEADLOCK, format!("{head}: {}", lines.join("; ")))
        .with_field("group", Field::List(members));
    for (span, text) in labels {
        error = error.with_other(span, text);
    }
    error
}

/// Who keeps a process waiting, by their names; of a crowd some.
fn held_by(arena: &Arena, enders: &[SlotRef], waits: SlotRef) -> String {
    let others = || enders.iter().filter(|&&ender| ender != waits);
    let told = others().take(MOST_NAMED);
    let mut names: Vec<String> = told.map(|&ender| record::label(arena, ender)).collect();
    let more = others().count() - names.len();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.is_empty() {
        true => String::from("nobody else"),
        false => names.join(", "),
    }
}

/// Who could have ended a wait for an object and has died, and how.
pub(in crate::process) fn lost(
    arena: &Arena,
    id: HandleId,
    operation: Operation,
    waiter: SlotRef,
) -> Option<String> {
    let (object, ops) = (arena.object(id)?, ops(id.kind)?);
    let others = match (ops.enders)(arena, object, id, operation, waiter) {
        Enders::HoldersOf(ids) => ids,
        _ => vec![id],
    };
    let mut objects = others.into_iter().filter_map(|id| arena.object(id));
    objects.find_map(|object| record::lost_holder(arena, object))
}

/// An awaited object as reports name it: for a process its name, for others the noun.
pub(in crate::process) fn wanted(arena: &Arena, id: HandleId) -> String {
    match arena.object(id) {
        Some(object) if id.kind == ObjectKind::Process => record::Record::of(object).label(),
        Some(object) if id.kind == ObjectKind::FileLock => file_lock::wanted(arena, object),
        _ => match noun(id) {
            noun if noun.starts_with('e') => format!("an {noun}"),
            noun => format!("a {noun}"),
        },
    }
}

//! Code as text, for `--dump code`.

use super::code::Op;
use crate::source::SourceMap;
use crate::value::function::{Capture, Proto};
use crate::value::show;
use std::fmt::Write;

/// A function and all functions inside it, one instruction to a line, with the lines that they come from.
pub fn dump(proto: &Proto, sources: &SourceMap) -> String {
    let mut text = String::new();
    function(proto, sources, &mut text);
    text
}

fn function(proto: &Proto, sources: &SourceMap, text: &mut String) {
    let captures = proto.captures.iter().map(|capture| match capture {
        Capture::Register(register) => format!("r{register}"),
        Capture::Outer(index) => format!("outer {index}"),
    });
    let params: Vec<&str> = proto.params.iter().map(|p| &*p.name).collect();
    let _ = writeln!(
        text,
        "function {} {}({}), {} registers, captures [{}]",
        proto.id,
        proto.name,
        params.join(", "),
        proto.registers,
        captures.collect::<Vec<_>>().join(", ")
    );
    let mut at = 0;
    let mut line = String::new();
    while let Some(&word) = proto.code.get(at) {
        let Some(op) = Op::decode(word) else {
            let _ = writeln!(text, "  {at:4}  ?? {word:08x}");
            at += 1;
            continue;
        };
        let place = sources.place(proto.place(at));
        let shown = if place == line { "" } else { &place };
        let instruction = instruction(proto, op, at);
        let _ = writeln!(text, "  {at:4}  {instruction:40} {shown}");
        line = place;
        at += 1 + op.words();
    }
    for handler in &proto.handlers {
        let always = if handler.always { ", always" } else { "" };
        let _ = writeln!(
            text,
            "  handler {}..{} -> {} in r{}{always}",
            handler.start, handler.end, handler.target, handler.register
        );
    }
    text.push('\n');
    for inner in &proto.protos {
        function(inner, sources, text);
    }
}

fn instruction(proto: &Proto, op: Op, at: usize) -> String {
    let word = proto.code.get(at).copied().unwrap_or(0);
    let end = at + 1 + op.words();
    let mut next_word = at + 1;
    let mut text = format!("{:10}", op.name());
    for operand in op.format().split(' ').filter(|operand| !operand.is_empty()) {
        let mut letters = operand.chars();
        let (first, second) = (letters.next(), letters.next());
        let (kind, place) = match first {
            Some('w') => ('w', second.unwrap_or('n')),
            kind => (kind.unwrap_or('n'), second.unwrap_or('a')),
        };
        let value = match (kind, place) {
            ('w', _) => {
                next_word += 1;
                proto.code.get(next_word - 1).copied().unwrap_or(0) as i32
            }
            ('j', _) => word as i32 >> 8,
            (_, 'a') => (word >> 8 & 0xff) as i32,
            ('i', 'c') => i32::from((word >> 24) as i8),
            (_, 'b') => (word >> 16 & 0xff) as i32,
            (_, 'c') => (word >> 24) as i32,
            ('i', 'x') => i32::from((word >> 16) as i16),
            _ => (word >> 16) as i32,
        };
        let meaning = if kind == 'w' { place } else { kind };
        let _ = match meaning {
            'r' => write!(text, " r{value}"),
            'k' => write!(text, " {}", constant(proto, value)),
            'g' => write!(text, " global {value}"),
            'j' => write!(text, " -> {}", end as i32 + value),
            's' => match proto.sites.get(value as usize) {
                Some(site) => write!(text, " .{}", site.name),
                None => write!(text, " .?"),
            },
            'h' => write!(text, " shape {value}"),
            _ => write!(text, " {value}"),
        };
    }
    text
}

fn constant(proto: &Proto, index: i32) -> String {
    match proto.constants.get(index as usize) {
        Some(value) => show::repr(*value),
        None => "?".to_string(),
    }
}
